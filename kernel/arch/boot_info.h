/*
 * boot_info.h - what every entry (PVH, Linux 64-bit, UEFI) leaves for the kernel.
 * Filled by boot/, read by init and platform; constant after boot.
 */
#ifndef ARCH_BOOT_INFO_H
#define ARCH_BOOT_INFO_H

#include "arch/arch.h"

#define BOOT_MAX_RANGES  32u
#define BOOT_CMDLINE_MAX 2048u

struct boot_range {
	phys_t base;
	u64 len;
};

struct boot_info {
	struct boot_range ram[BOOT_MAX_RANGES];  /* usable, sorted, disjoint, page-aligned; without kernel, module and boot tables */
	unsigned nram;
	phys_t ram_top;                          /* end of the highest usable RAM, direct map covers [0, ram_top) where RAM is */
	phys_t kernel_start, kernel_end;         /* where the kernel image lies */
	phys_t module;                           /* first boot module: the boot configuration */
	u64 module_len;                          /* 0 if none */
	phys_t rsdp;                             /* ACPI, 0 if unknown */
	char cmdline[BOOT_CMDLINE_MAX];
	u64 entry_tsc;                           /* TSC at the first instruction */
};
extern struct boot_info boot_info;

#endif
