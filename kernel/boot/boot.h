/*
 * boot.h - inside boot/: from the machine's first instruction to arch_enter on the final page tables.
 *
 * All of this runs once, on the boot CPU, with interrupts masked, at the physical address where the image was
 * loaded, under temporary tables that map the first 4 GiB one to one. Rules of this code:
 *   (B1) no absolute pointer is used before boot_relocate has run, nor after it until the jump: relocated
 *        pointers are final virtual addresses. Code and data are reached relative to the program counter.
 *   (B2) what the loader hands over (map, command line, module list) is copied before any memory is written that
 *        is not part of the image, and is believed in nothing: counts are clipped, ranges sorted and clipped.
 *   (B3) memory is written only where the map says RAM and nobody said that it is taken.
 * Failure: boot_fail writes a line to COM1 and the debug port, and resets the machine.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "arch/boot_info.h"

enum boot_protocol { BOOT_PVH, BOOT_LINUX64 };

#define BOOT_IDENTITY_END (4 * GiB)   /* what the temporary tables reach */
#define BOOT_MAP_MAX 128u             /* entries of a loader's memory map that are looked at */
#define BOOT_AP_PAGE 0x8000ull        /* further CPUs start here (a page below 1 MiB) */

/* Raw memory as the loader told it, then merged. */
struct boot_map {
	struct boot_range ram[BOOT_MAP_MAX];
	unsigned nram;
	struct boot_range taken[BOOT_MAP_MAX];  /* not to be used although it may lie in RAM */
	unsigned ntaken;
};
extern struct boot_map boot_map;

NORETURN void boot_fail(const char *why);
/* A pointer to physical memory, NULL if [pa, pa + len) is not below BOOT_IDENTITY_END. */
void *boot_phys(u64 pa, u64 len);

/* map.c */
void boot_map_add(u64 base, u64 len, bool usable);
/* Sort and merge the map, cut out what is taken, fill boot_info.ram. */
void boot_map_finish(void);
/* Take len bytes (whole pages, zeroed) of RAM below 4 GiB for ever. */
phys_t boot_take_pages(unsigned n);
/* Cut what boot_take_pages took out of boot_info.ram. */
void boot_map_seal(void);

/* pvh.c, linux64.c: fill boot_map and boot_info from what the loader left. */
void boot_read_pvh(phys_t start_info);
void boot_read_linux64(phys_t boot_params);
void boot_copy_cmdline(phys_t pa, u64 max_len);

/* seed.c: the few random numbers that the layout needs, before the kernel's generator exists. */
void boot_seed_init(void);
u64 boot_random(void);

/* paging.c */
void boot_build_tables(void);
/* relocate.c */
void boot_relocate(u64 virtual_base);
void boot_apply_alternatives(void);

/* start.c; called by entry.S. Returns the virtual address to continue at. */
u64 boot_start(phys_t loader_data, enum boot_protocol protocol);

#endif
