/*
 * elf.c - judging ELF headers. Every number in them is an attacker's.
 *
 * What holds for an image that passes (the loader relies on it):
 *  (I1) 1..ELF_SEGMENTS_MAX segments, rising, no two in one page, each inside the file and inside
 *       [0, ARCH_USER_TOP) with memsz >= filesz, file offset and address equal modulo the page size.
 *  (I2) low < high are page-aligned and hold all segments; align is a power of two, at most ELF_ALIGN_MAX.
 *  (I3) ET_EXEC: low >= 64 KiB (nothing maps the null page).
 *  (I4) interp_offset + interp_len lies in the file, interp_len <= ELF_INTERP_MAX.
 *
 * Pure functions; the only failure is -ENOEXEC, with a reason for the user.
 */
#include "proc/elf.h"
#include "arch/arch.h"
#include "base/errno.h"
#include "base/string.h"
#include "vm/aspace.h"

#define ELF_LOWEST 0x10000ull

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -ENOEXEC;
}

int elf_check_header(const void *bytes, size_t len, u64 file_size, struct elf_image *ret, const char **ret_why)
{
	struct lx_elf64_ehdr h;

	memset(ret, 0, sizeof(*ret));
	if (len < 4 || memcmp(bytes, "\177ELF", 4) != 0)
		return refuse(ret_why, "not an ELF file");
	if (len < sizeof(h))
		return refuse(ret_why, "the ELF header is cut off");
	memcpy(&h, bytes, sizeof(h));
	if (h.ident[4] != 2)
		return refuse(ret_why, "not a 64-bit program");
	if (h.ident[5] != 1 || h.ident[6] != 1 || h.version != 1)
		return refuse(ret_why, "the ELF header has an unknown byte order or version");
	if (h.machine != 62)
		return refuse(ret_why, "not a program for x86-64");
	if (h.type != LX_ET_EXEC && h.type != LX_ET_DYN)
		return refuse(ret_why, "not an executable");
	if (h.phentsize != sizeof(struct lx_elf64_phdr) || h.phnum == 0 || h.phnum > ELF_PHDRS_MAX)
		return refuse(ret_why, "the program headers have a wrong size or number");
	u64 table = (u64)h.phnum * sizeof(struct lx_elf64_phdr);
	if (h.phoff > file_size || table > file_size - h.phoff)
		return refuse(ret_why, "the program headers lie outside the file");
	ret->type = h.type;
	ret->entry = h.entry;
	ret->phoff = h.phoff;
	ret->phnum = h.phnum;
	return 0;
}

static int check_load(const struct lx_elf64_phdr *p, u64 file_size, struct elf_image *image, const char **ret_why)
{
	if (p->memsz == 0)
		return p->filesz ? refuse(ret_why, "a segment is larger in the file than in memory") : 0;
	if (p->filesz > p->memsz)
		return refuse(ret_why, "a segment is larger in the file than in memory");
	if (p->offset > file_size || p->filesz > file_size - p->offset)
		return refuse(ret_why, "a segment lies outside the file");
	if (p->vaddr >= ARCH_USER_TOP || p->memsz > ARCH_USER_TOP - p->vaddr)
		return refuse(ret_why, "a segment lies outside the address space");
	if ((p->vaddr ^ p->offset) & (PAGE_SIZE - 1))
		return refuse(ret_why, "a segment's address does not fit its file offset");
	if (p->align > 1 && (!IS_POW2(p->align) || p->align > ELF_ALIGN_MAX))
		return refuse(ret_why, "a segment has an impossible alignment");
	if (image->nsegments == ELF_SEGMENTS_MAX)
		return refuse(ret_why, "too many segments");
	u64 first = ROUND_DOWN(p->vaddr, PAGE_SIZE);
	if (image->nsegments && first < image->high)
		return refuse(ret_why, "segments overlap or are not in order");
	if (image->type == LX_ET_EXEC && first < ELF_LOWEST)
		return refuse(ret_why, "a segment lies in the first 64 KiB");
	struct elf_segment *s = &image->segments[image->nsegments];
	*s = (struct elf_segment){ .vaddr = p->vaddr, .memsz = p->memsz, .filesz = p->filesz, .offset = p->offset };
	s->prot = (p->flags & LX_PF_R ? VM_PROT_READ : 0) | (p->flags & LX_PF_W ? VM_PROT_WRITE : 0) |
		  (p->flags & LX_PF_X ? VM_PROT_EXEC : 0);
	if (!image->nsegments)
		image->low = first;
	image->high = ROUND_UP(p->vaddr + p->memsz, PAGE_SIZE);
	image->align = MAX(image->align, p->align);
	image->nsegments++;
	return 0;
}

/* Where the program headers are in memory, if a segment holds them. */
static void find_phdrs(struct elf_image *image)
{
	u64 table = (u64)image->phnum * sizeof(struct lx_elf64_phdr);

	for (unsigned i = 0; i < image->nsegments; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (image->phoff >= s->offset && image->phoff - s->offset <= s->filesz &&
		    table <= s->filesz - (image->phoff - s->offset)) {
			image->phdr_vaddr = s->vaddr + (image->phoff - s->offset);
			return;
		}
	}
}

int elf_check_phdrs(const void *phdrs, u64 file_size, struct elf_image *image, const char **ret_why)
{
	image->align = PAGE_SIZE;
	for (unsigned i = 0; i < image->phnum; i++) {
		struct lx_elf64_phdr p;
		memcpy(&p, (const u8 *)phdrs + i * sizeof(p), sizeof(p));
		if (p.type == LX_PT_LOAD) {
			int r = check_load(&p, file_size, image, ret_why);
			if (r)
				return r;
		} else if (p.type == LX_PT_INTERP && !image->interp_len) {
			if (p.filesz < 2 || p.filesz > ELF_INTERP_MAX || p.offset > file_size || p.filesz > file_size - p.offset)
				return refuse(ret_why, "the interpreter's name has an impossible length or place");
			image->interp_offset = p.offset;
			image->interp_len = p.filesz;
		} else if (p.type == LX_PT_GNU_STACK) {
			image->wants_exec_stack = p.flags & LX_PF_X;
		}
	}
	if (!image->nsegments)
		return refuse(ret_why, "nothing to load");
	find_phdrs(image);
	return 0;
}

bool elf_fits(const struct elf_image *image, u64 bias)
{
	return bias < ARCH_USER_TOP && image->high <= ARCH_USER_TOP - bias && image->low + bias >= ELF_LOWEST;
}
