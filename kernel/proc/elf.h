/*
 * elf.h - reading program headers of a hostile ELF file, and mapping its segments.
 *
 * elf_check_* are pure: they judge bytes and touch nothing else. The mapping is done by exec.c.
 */
#ifndef PROC_ELF_H
#define PROC_ELF_H

#include "base/types.h"

#define LX_PT_LOAD      1u
#define LX_PT_DYNAMIC   2u
#define LX_PT_INTERP    3u
#define LX_PT_PHDR      6u
#define LX_PT_GNU_STACK 0x6474e551u
#define LX_PF_X 1u
#define LX_PF_W 2u
#define LX_PF_R 4u
#define LX_ET_EXEC 2u
#define LX_ET_DYN  3u

struct lx_elf64_ehdr {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct lx_elf64_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
struct lx_elf64_shdr {
	u32 name, type;
	u64 flags, addr, offset, size;
	u32 link, info;
	u64 addralign, entsize;
};
struct lx_elf64_sym {
	u32 name;
	u8 info, other;
	u16 shndx;
	u64 value, size;
};
_Static_assert(sizeof(struct lx_elf64_ehdr) == 64 && sizeof(struct lx_elf64_phdr) == 56 &&
	       sizeof(struct lx_elf64_shdr) == 64 && sizeof(struct lx_elf64_sym) == 24, "ELF64 layouts");

#define ELF_SEGMENTS_MAX 64u
#define ELF_PHDRS_MAX    512u
#define ELF_INTERP_MAX   4096u
#define ELF_ALIGN_MAX    (1ull << 30)

struct elf_segment {
	u64 vaddr, memsz, filesz, offset;
	u32 prot;                    /* VM_PROT_* */
};
struct elf_image {
	u16 type;                    /* LX_ET_EXEC or LX_ET_DYN */
	u16 phnum;
	u64 phoff, entry;
	unsigned nsegments;
	struct elf_segment segments[ELF_SEGMENTS_MAX];  /* rising, in different pages */
	u64 low, high;               /* page-aligned bounds of all segments */
	u64 align;                   /* the largest p_align, at least a page */
	u64 phdr_vaddr;              /* where the program sees its headers, 0 = nowhere */
	u64 interp_offset, interp_len;   /* len 0: none; includes the NUL */
	bool wants_exec_stack;
};

/* Judge the file header (len bytes are there): fills type, entry, phoff, phnum. 0, or -ENOEXEC with a reason. */
int elf_check_header(const void *bytes, size_t len, u64 file_size, struct elf_image *ret, const char **ret_why) MUST_CHECK;
/* Judge phnum program headers: fills the rest. 0 or -ENOEXEC. */
int elf_check_phdrs(const void *phdrs, u64 file_size, struct elf_image *image, const char **ret_why) MUST_CHECK;
/* Where a load bias puts the image: inside the program's half, without overflow? */
bool elf_fits(const struct elf_image *image, u64 bias);

#endif
