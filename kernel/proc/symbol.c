/*
 * symbol.c - names for addresses of the program, from the files that are mapped there.
 *
 * The files are hostile: every offset and count is checked against the file's size, tables are read
 * in pieces into one kernel buffer, and the work is bounded (SYMBOLS_MAX). Whatever is wrong, the answer
 * is the file's name and an offset. Sleeps (reads files); no locks.
 */
#include "proc/crash.h"
#include "proc/elf.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/vnode.h"
#include "mm/heap.h"
#include "vm/aspace.h"

#define SYMBOLS_MAX  400000u
#define SECTIONS_MAX 4096u
#define CHUNK        4080u           /* a multiple of the symbol's 24 bytes */
#define LX_SHT_SYMTAB 2u
#define LX_SHT_DYNSYM 11u
#define LX_STT_FUNC      2u
#define LX_STT_GNU_IFUNC 10u

struct symbols {
	struct vnode *v;
	u64 size;                    /* of the file */
	struct lx_elf64_ehdr h;
	u8 *chunk;
	u64 best_value;
	u32 best_name;
	bool found;
};

static bool read_at(struct symbols *s, void *buf, size_t len, u64 off)
{
	struct uio u;

	if (off > s->size || len > s->size - off)
		return false;
	uio_init_kernel(&u, buf, len);
	return fs_read(s->v, &u, off, false) == (ssize_t)len;
}

/* The link-time address of a file offset. */
static bool address_of(struct symbols *s, u64 file_off, u64 *ret_vaddr)
{
	struct lx_elf64_phdr p;

	for (unsigned i = 0; i < s->h.phnum && i < ELF_PHDRS_MAX; i++) {
		if (!read_at(s, &p, sizeof(p), s->h.phoff + i * sizeof(p)))
			return false;
		if (p.type == LX_PT_LOAD && file_off >= p.offset && file_off - p.offset < p.filesz) {
			*ret_vaddr = p.vaddr + (file_off - p.offset);
			return true;
		}
	}
	return false;
}

static void consider(struct symbols *s, const struct lx_elf64_sym *sym, u64 vaddr)
{
	unsigned type = sym->info & 15;

	if ((type != LX_STT_FUNC && type != LX_STT_GNU_IFUNC) || sym->shndx == 0 || sym->value > vaddr)
		return;
	if (sym->size && vaddr - sym->value >= sym->size)
		return;
	if (!s->found || sym->value > s->best_value) {
		s->best_value = sym->value;
		s->best_name = sym->name;
		s->found = true;
	}
}

/* The function that holds vaddr, in the symbol table of the given section. */
static bool search_table(struct symbols *s, const struct lx_elf64_shdr *table, u64 vaddr)
{
	u64 left = MIN(table->size / sizeof(struct lx_elf64_sym), SYMBOLS_MAX) * sizeof(struct lx_elf64_sym), off = table->offset;

	while (left) {
		size_t n = MIN(left, CHUNK);
		if (!read_at(s, s->chunk, n, off))
			return false;
		for (size_t i = 0; i < n; i += sizeof(struct lx_elf64_sym)) {
			struct lx_elf64_sym sym;
			memcpy(&sym, s->chunk + i, sizeof(sym));
			consider(s, &sym, vaddr);
		}
		off += n;
		left -= n;
	}
	return s->found;
}

static bool section(struct symbols *s, unsigned i, struct lx_elf64_shdr *ret)
{
	return i < s->h.shnum && i < SECTIONS_MAX && s->h.shentsize == sizeof(*ret) &&
	       read_at(s, ret, sizeof(*ret), s->h.shoff + i * sizeof(*ret));
}

/* "name+0x12" for vaddr; false if no table knows it. */
static bool name_of(struct symbols *s, u64 vaddr, char *buf, size_t size)
{
	static const u32 kinds[] = { LX_SHT_SYMTAB, LX_SHT_DYNSYM };
	struct lx_elf64_shdr table, strings;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned i = 0; section(s, i, &table); i++) {
			if (table.type != kinds[k] || !search_table(s, &table, vaddr))
				continue;
			if (!section(s, table.link, &strings) || s->best_name >= strings.size)
				return false;
			char name[128];
			size_t n = MIN(sizeof(name) - 1, strings.size - s->best_name);
			if (!read_at(s, name, n, strings.offset + s->best_name))
				return false;
			name[n] = 0;
			for (char *c = name; *c; c++)
				if (*c < ' ' || *c > '~')
					*c = '?';
			fmt_buf(buf, size, "%s+0x%llx", name, (unsigned long long)(vaddr - s->best_value));
			return true;
		}
	return false;
}

static const char *file_name(struct vnode *v, char *buf, size_t size)
{
	if (fs_path_of(v, buf, size) < 0)
		return "(unlinked file)";
	const char *slash = strrchr(buf, '/');
	return slash && slash[1] ? slash + 1 : buf;
}

void crash_symbol(uintptr_t pc, char *buf, size_t size)
{
	struct vm_area a;
	char path[FS_NAME_MAX + 1], name[192];

	if (!vm_find_area_with_file(pc, &a)) {
		fmt_buf(buf, size, "%s", vm_find_area(pc, &a) ? (a.name ? a.name : "(anonymous memory)") : "(not mapped)");
		return;
	}
	struct symbols s = { .v = a.file, .size = READ_ONCE(((struct vnode *)a.file)->size), .chunk = heap_alloc(CHUNK) };
	u64 file_off = a.object_off + (pc - a.start), vaddr;
	bool known = s.chunk && read_at(&s, &s.h, sizeof(s.h), 0) && s.h.phentsize == sizeof(struct lx_elf64_phdr) &&
		     address_of(&s, file_off, &vaddr) && name_of(&s, vaddr, name, sizeof(name));
	const char *file = file_name(s.v, path, sizeof(path));
	if (known)
		fmt_buf(buf, size, "%s (%s)", name, file);
	else
		fmt_buf(buf, size, "%s+0x%llx", file, (unsigned long long)file_off);
	heap_free(s.chunk);
	vnode_put(a.file);
}
