/*
 * object.c - an ELF file as code.
 *
 * Where functions begin comes from three places, because each may be missing: the
 * symbol tables, the table of .eh_frame_hdr (LSB 5.0, 10.6.2), and the targets of
 * direct calls.
 */
#include "scan/object.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/str.h"

#define PHDRS_MAX     512
#define NAME_MAX_SHOWN 200
#define GAP_LONG      65536u /* hardly a function is longer */
#define EH_UDATA4     0x03 /* count of the table */
#define EH_DATAREL_SDATA4 0x3b /* entries of the table */

static void symbol_add(struct scan_symbols *list, uint64_t value, const char *name)
{
	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 64;
		list->items = xrealloc(list->items, list->cap * sizeof *list->items);
	}
	list->items[list->count++] = (struct scan_symbol){ .value = value, .name = xstrndup(name, strnlen(name, NAME_MAX_SHOWN)) };
}

static void symbols_free(struct scan_symbols *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct scan_symbols){ 0 };
}

static int compare_value(const void *a, const void *b)
{
	const struct scan_symbol *x = a, *y = b;

	return x->value < y->value ? -1 : x->value > y->value ? 1 : strcmp(x->name, y->name);
}

static int compare_name(const void *a, const void *b)
{
	const struct scan_symbol *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y ? 1 : 0;
}

static void start_add(struct scan_object *o, uint64_t address)
{
	if (!scan_object_code(o, address, 1))
		return;
	if (o->start_count == o->start_cap) {
		o->start_cap = o->start_cap ? o->start_cap * 2 : 1024;
		o->starts = xrealloc(o->starts, o->start_cap * sizeof *o->starts);
	}
	o->starts[o->start_count++] = address;
}

const uint8_t *scan_object_code(const struct scan_object *o, uint64_t address, size_t len)
{
	for (size_t i = 0; i < o->range_count; i++) {
		const struct scan_range *r = &o->ranges[i];

		if (address >= r->start && address < r->end && len <= r->end - address)
			return r->bytes + (address - r->start);
	}
	return NULL;
}

/* Keeps the executable segments whose bytes lie in the file. */
static void ranges_read(struct scan_object *o, Elf *elf, size_t count)
{
	GElf_Phdr p;

	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X) || !p.p_filesz)
			continue;
		if (p.p_offset > o->len || p.p_filesz > o->len - p.p_offset || p.p_vaddr > UINT64_MAX - p.p_filesz)
			continue;
		o->ranges = xrealloc(o->ranges, (o->range_count + 1) * sizeof *o->ranges);
		o->ranges[o->range_count++] = (struct scan_range){ p.p_vaddr, p.p_vaddr + p.p_filesz, o->map + p.p_offset };
	}
}

/* The sorted table of functions that unwinders use. */
static void frames_read(struct scan_object *o, Elf *elf, size_t count)
{
	GElf_Phdr p;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *h;
		uint32_t entries;

		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_GNU_EH_FRAME || p.p_filesz < 12)
			continue;
		if (p.p_offset > o->len || p.p_filesz > o->len - p.p_offset)
			continue;
		h = o->map + p.p_offset;
		if (h[0] != 1 || h[2] != EH_UDATA4 || h[3] != EH_DATAREL_SDATA4)
			continue;
		memcpy(&entries, h + 8, 4);
		for (uint64_t at = 12; entries && at + 8 <= p.p_filesz; at += 8, entries--) {
			int32_t offset;

			memcpy(&offset, h + at, 4);
			start_add(o, p.p_vaddr + (uint64_t)(int64_t)offset);
		}
	}
}

static void symbols_read(struct scan_object *o, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym sym;

	for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(elf, shdr->sh_link, sym.st_name);
		unsigned int type = GELF_ST_TYPE(sym.st_info);

		if (!name || !*name)
			continue;
		if (sym.st_shndx == SHN_UNDEF) {
			if (shdr->sh_type == SHT_DYNSYM)
				symbol_add(&o->imports, 0, name);
			continue;
		}
		if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) || !scan_object_code(o, sym.st_value, 1))
			continue;
		symbol_add(&o->functions, sym.st_value, name);
		start_add(o, sym.st_value);
		if (shdr->sh_type == SHT_DYNSYM)
			symbol_add(&o->exports, sym.st_value, name);
	}
}

/* The slots of the global offset table that get the addresses of imports. */
static void slots_read(struct scan_object *o, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
{
	Elf_Scn *symbols = elf_getscn(elf, shdr->sh_link);
	Elf_Data *data = elf_getdata(section, NULL), *table = symbols ? elf_getdata(symbols, NULL) : NULL;
	GElf_Shdr table_shdr;
	GElf_Rela rela;
	GElf_Sym sym;

	if (!table || !gelf_getshdr(symbols, &table_shdr))
		return;
	for (int i = 0; data && gelf_getrela(data, i, &rela); i++) {
		uint64_t type = GELF_R_TYPE(rela.r_info);
		const char *name;

		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
			continue;
		if (!gelf_getsym(table, (int)GELF_R_SYM(rela.r_info), &sym) || sym.st_shndx != SHN_UNDEF)
			continue;
		name = elf_strptr(elf, table_shdr.sh_link, sym.st_name);
		if (name && *name)
			symbol_add(&o->imports, rela.r_offset, name);
	}
}

static void sections_read(struct scan_object *o, Elf *elf)
{
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &shdr))
			continue;
		if (shdr.sh_type == SHT_SYMTAB || shdr.sh_type == SHT_DYNSYM)
			symbols_read(o, elf, section, &shdr);
		else if (shdr.sh_type == SHT_RELA)
			slots_read(o, elf, section, &shdr);
	}
}

static void starts_sort(struct scan_object *o)
{
	size_t kept = 0;

	if (o->start_count)
		qsort(o->starts, o->start_count, sizeof *o->starts, compare_address);
	for (size_t i = 0; i < o->start_count; i++) {
		if (!kept || o->starts[kept - 1] != o->starts[i])
			o->starts[kept++] = o->starts[i];
	}
	o->start_count = kept;
}

/* Is there a long stretch of code around an address in which no function is known to begin? The starts are sorted up to `sorted`. */
static bool in_gap(const struct scan_object *o, size_t sorted, const struct scan_range *r, uint64_t address)
{
	size_t low = 0, high = sorted;
	uint64_t from, to;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->starts[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	from = low && o->starts[low - 1] >= r->start ? o->starts[low - 1] : r->start;
	to = low < sorted && o->starts[low] < r->end ? o->starts[low] : r->end;
	return to - from > GAP_LONG;
}

/* Where nothing else says it, functions begin where calls lead. */
static void call_targets_read(struct scan_object *o)
{
	size_t sorted = o->start_count;

	for (size_t i = 0; i < o->range_count; i++) {
		const struct scan_range *r = &o->ranges[i];

		for (uint64_t at = r->start; r->end - at > 5; at++) {
			const uint8_t *p = r->bytes + (at - r->start);
			uint64_t target;
			int32_t offset;

			if (*p != 0xe8)
				continue;
			memcpy(&offset, p + 1, 4);
			target = at + 5 + (uint64_t)(int64_t)offset;
			if (target >= r->start && target < r->end && in_gap(o, sorted, r, target))
				start_add(o, target);
		}
	}
	starts_sort(o);
}

static void lists_sort(struct scan_object *o)
{
	if (o->functions.count)
		qsort(o->functions.items, o->functions.count, sizeof *o->functions.items, compare_value);
	if (o->exports.count)
		qsort(o->exports.items, o->exports.count, sizeof *o->exports.items, compare_name);
	if (o->imports.count)
		qsort(o->imports.items, o->imports.count, sizeof *o->imports.items, compare_name);
	starts_sort(o);
}

static bool is_libc_name(const char *path)
{
	static const char *const names[] = { "libc.so.6", "libc.so", "libpthread.so", "libm.so", "librt.so", "libdl.so", "libutil.so",
					     "libresolv.so", "libanl.so", "ld-linux-x86-64.so", "ld-musl-x86_64.so" };
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (str_starts(base, names[i]))
			return true;
	}
	return false;
}

int scan_object_open(const char *path, struct scan_object *ret_object)
{
	struct scan_object *o = ret_object;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t count;
	Elf *elf;

	*o = (struct scan_object){ .path = xstrdup(path), .is_libc = is_libc_name(path) };
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
		int error = fd < 0 ? -errno : -ENOEXEC;

		if (fd >= 0)
			close(fd);
		scan_object_close(o);
		return error;
	}
	o->len = (size_t)st.st_size;
	o->map = mmap(NULL, o->len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	elf_version(EV_CURRENT);
	elf = o->map == MAP_FAILED ? NULL : elf_memory((char *)o->map, o->len);
	if (!elf || elf_kind(elf) != ELF_K_ELF || elf_getphdrnum(elf, &count) < 0 || count > PHDRS_MAX) {
		if (elf)
			elf_end(elf);
		scan_object_close(o);
		return -ENOEXEC;
	}
	ranges_read(o, elf, count);
	frames_read(o, elf, count);
	sections_read(o, elf);
	elf_end(elf);
	lists_sort(o);
	call_targets_read(o);
	return 0;
}

void scan_object_close(struct scan_object *o)
{
	if (o->map && o->map != MAP_FAILED)
		munmap((void *)o->map, o->len);
	symbols_free(&o->functions);
	symbols_free(&o->exports);
	symbols_free(&o->imports);
	free(o->ranges);
	free(o->starts);
	free(o->path);
	*o = (struct scan_object){ 0 };
}

uint64_t scan_object_start(const struct scan_object *o, uint64_t address)
{
	size_t low = 0, high = o->start_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->starts[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = 0; i < o->range_count; i++) {
		const struct scan_range *r = &o->ranges[i];

		if (address >= r->start && address < r->end)
			return low && o->starts[low - 1] >= r->start ? o->starts[low - 1] : r->start;
	}
	return address;
}

const char *scan_object_name(const struct scan_object *o, uint64_t address)
{
	size_t low = 0, high = o->functions.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (o->functions.items[middle].value <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* A name before another function's start is not this function's. */
	if (!low || o->functions.items[low - 1].value < scan_object_start(o, address))
		return NULL;
	return o->functions.items[low - 1].name;
}

bool scan_object_export(const struct scan_object *o, const char *name, uint64_t *ret_address)
{
	struct scan_symbol key = { .name = (char *)name };
	const struct scan_symbol *found = o->exports.count ? bsearch(&key, o->exports.items, o->exports.count, sizeof key, compare_name) : NULL;

	if (found)
		*ret_address = found->value;
	return found != NULL;
}
