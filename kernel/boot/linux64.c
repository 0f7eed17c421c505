/*
 * linux64.c - what a loader of the Linux boot protocol leaves: the "zero page" (Linux
 * Documentation/arch/x86/zero-page.rst and boot.rst). Firecracker and crosvm start the kernel this way.
 */
#include "boot/boot.h"

#define ZP_EXT_RAMDISK_IMAGE 0x0c0
#define ZP_EXT_RAMDISK_SIZE  0x0c4
#define ZP_EXT_CMDLINE       0x0c8
#define ZP_ACPI_RSDP         0x070
#define ZP_E820_ENTRIES      0x1e8
#define ZP_RAMDISK_IMAGE     0x218
#define ZP_RAMDISK_SIZE      0x21c
#define ZP_CMDLINE           0x228
#define ZP_E820_TABLE        0x2d0
#define ZP_E820_MAX          128u
#define ZP_SIZE              0x1000
#define E820_RAM             1u

struct e820_entry {
	u64 addr, size;
	u32 type;
} PACKED;

static u32 zp_u32(const u8 *zp, unsigned off)
{
	u32 v;

	__builtin_memcpy(&v, zp + off, sizeof(v));
	return v;
}

void boot_read_linux64(phys_t boot_params)
{
	const u8 *zp = boot_phys(boot_params, ZP_SIZE);
	const struct e820_entry *e;
	unsigned n;
	u64 module, len;

	if (!zp)
		boot_fail("no boot parameters");
	e = (const struct e820_entry *)(zp + ZP_E820_TABLE);
	n = MIN((unsigned)zp[ZP_E820_ENTRIES], ZP_E820_MAX);
	if (n == 0)
		boot_fail("boot parameters without a memory map");
	for (unsigned i = 0; i < n; i++)
		boot_map_add(e[i].addr, e[i].size, e[i].type == E820_RAM);
	boot_copy_cmdline((u64)zp_u32(zp, ZP_EXT_CMDLINE) << 32 | zp_u32(zp, ZP_CMDLINE), BOOT_CMDLINE_MAX);
	boot_info.rsdp = (u64)zp_u32(zp, ZP_ACPI_RSDP + 4) << 32 | zp_u32(zp, ZP_ACPI_RSDP);
	module = (u64)zp_u32(zp, ZP_EXT_RAMDISK_IMAGE) << 32 | zp_u32(zp, ZP_RAMDISK_IMAGE);
	len = (u64)zp_u32(zp, ZP_EXT_RAMDISK_SIZE) << 32 | zp_u32(zp, ZP_RAMDISK_SIZE);
	if (module && len && boot_phys(module, len)) {
		boot_info.module = module;
		boot_info.module_len = len;
	}
}
