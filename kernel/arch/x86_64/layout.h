/*
 * layout.h - where things lie in the kernel's half of the address space. Chosen at random by boot/, constant after.
 *
 *   0xffff8000_00000000 ..  direct map of RAM, base on a 1 GiB step in a window of 64 TiB
 *   0xffffe000_00000000 ..  mappings: stacks, devices; base on a 2 MiB step in a window of 8 TiB
 *   0xffffff80_00000000 ..  the kernel's image, base on a 2 MiB step in the last 512 GiB
 */
#ifndef ARCH_X86_64_LAYOUT_H
#define ARCH_X86_64_LAYOUT_H

#include "arch/arch.h"

#define LAYOUT_DIRECT_WINDOW 0xffff800000000000ull
#define LAYOUT_DIRECT_SPAN   (64ull << 40)
#define LAYOUT_MAP_WINDOW    0xffffe00000000000ull
#define LAYOUT_MAP_SPAN      (8ull << 40)
#define LAYOUT_MAP_MAX       (64 * GiB)      /* how much of it is ever used */
#define LAYOUT_IMAGE_WINDOW  0xffffff8000000000ull
#define LAYOUT_IMAGE_SPAN    (512 * GiB)

struct arch_layout {
	u64 image_va, image_len;
	phys_t image_pa;
	u64 map_va;             /* base of the mappings */

	phys_t pml4;            /* the one top-level table */
	phys_t boot_pml4;       /* the temporary one: APs start on it */
	u64 nx;                 /* PTE_NX, or 0 on a CPU without it */
	u64 stack_top;          /* the boot thread's stack */
	u64 ist_top[3];         /* the boot CPU's stacks for #DF, NMI, #MC (#DF and #MC share one) */
	phys_t ap_page;         /* page below 1 MiB for the start of APs, 0 if there is none */
};
extern struct arch_layout arch_layout;
extern u64 arch_map_used;       /* bytes of the region of mappings that are handed out (vmap.c) */

/* First and last byte of parts of the image (kernel.lds). */
extern char __kernel_start[], __boot_text_end[], __text_end[], __rodata_end[], __ro_after_init_end[], __kernel_end[];

#endif
