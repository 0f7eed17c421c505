/*
 * symbols.c - names for the kernel's addresses.
 */
#include "vmm/symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kernel_file.h"

#define MARK     "[kernel+0x"
#define MARK_LEN (sizeof MARK - 1)

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void section_read(struct symbols *symbols, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr, uint64_t base)
{
	Elf_Data *data = elf_getdata(section, NULL);
	GElf_Sym sym;

	for (int i = 0; data && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(elf, shdr->sh_link, sym.st_name);

		if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || !name || !*name || sym.st_value < base)
			continue;
		symbols->items = xrealloc(symbols->items, (symbols->count + 1) * sizeof *symbols->items);
		symbols->items[symbols->count++] =
			(struct symbol){ .offset = sym.st_value - base, .len = sym.st_size, .name = xstrdup(name) };
	}
}

static void map_load(struct symbols *symbols)
{
	size_t i;
	json_t *f;

	json_array_foreach(symbols->map, i, f) {
		const char *name = json_string_value(json_object_get(f, "name"));
		json_int_t offset = json_integer_value(json_object_get(f, "offset")), len = json_integer_value(json_object_get(f, "bytes"));

		if (!name || offset < 0 || len <= 0)
			continue;
		symbols->items = xrealloc(symbols->items, (symbols->count + 1) * sizeof *symbols->items);
		symbols->items[symbols->count++] = (struct symbol){ .offset = (uint64_t)offset, .len = (uint64_t)len, .name = xstrdup(name) };
	}
}

static void debug_load(struct symbols *symbols)
{
	char *path = kernel_file_find_debug();
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	uint64_t base = UINT64_MAX;
	Elf_Scn *section = NULL;
	size_t phdr_count = 0;
	GElf_Phdr phdr;
	GElf_Shdr shdr;
	Elf *elf;

	free(path);
	if (fd < 0)
		return;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_getphdrnum(elf, &phdr_count) == 0) {
		for (size_t i = 0; i < phdr_count; i++) {
			if (gelf_getphdr(elf, (int)i, &phdr) && phdr.p_type == PT_LOAD && phdr.p_vaddr < base)
				base = phdr.p_vaddr;
		}
		while ((section = elf_nextscn(elf, section))) {
			if (gelf_getshdr(section, &shdr) && shdr.sh_type == SHT_SYMTAB)
				section_read(symbols, elf, section, &shdr, base);
		}
	}
	elf_end(elf);
	close(fd);
}

static void symbols_load(struct symbols *symbols)
{
	symbols->loaded = 1;
	if (symbols->map)
		map_load(symbols);
	else
		debug_load(symbols);
	if (symbols->count)
		qsort(symbols->items, symbols->count, sizeof *symbols->items, symbol_compare);
}

static const struct symbol *symbol_at(const struct symbols *symbols, uint64_t offset)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (symbols->items[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	/* A return address may stand right behind a function that ends in a call. */
	return offset - symbols->items[low - 1].offset <= symbols->items[low - 1].len ? &symbols->items[low - 1] : NULL;
}

void symbols_translate(struct symbols *symbols, const char *line, size_t len, struct buf *out)
{
	const char *p = line, *end = line + len;

	while (p < end) {
		const char *mark = memmem(p, (size_t)(end - p), MARK, MARK_LEN);
		const struct symbol *symbol;
		uint64_t offset = 0;
		const char *digits;

		if (!mark) {
			buf_append(out, p, (size_t)(end - p));
			return;
		}
		buf_append(out, p, (size_t)(mark - p));
		digits = mark + MARK_LEN;
		for (p = digits; p < end && p - digits < 16 && strchr("0123456789abcdef", *p) && *p; p++)
			offset = offset << 4 | (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
		if (!symbols->loaded)
			symbols_load(symbols);
		symbol = p < end && *p == ']' ? symbol_at(symbols, offset) : NULL;
		if (symbol) {
			buf_printf(out, "%s+0x%llx", symbol->name, (unsigned long long)(offset - symbol->offset));
			p++;
		} else {
			buf_append(out, mark, (size_t)(p - mark));
		}
	}
}

void symbols_free(struct symbols *symbols)
{
	for (size_t i = 0; i < symbols->count; i++)
		free(symbols->items[i].name);
	free(symbols->items);
	*symbols = (struct symbols){ 0 };
}
