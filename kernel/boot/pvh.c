/*
 * pvh.c - what a PVH loader leaves: struct hvm_start_info (Xen public/arch-x86/hvm/start_info.h).
 * Version 0 has no memory map; then, and when the map is empty, the boot fails.
 */
#include "boot/boot.h"

#define PVH_MAGIC 0x336ec578u
#define PVH_MEMMAP_RAM 1u

struct hvm_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;   /* physical addresses; memmap from version 1 */
	u32 memmap_entries, reserved;
};
struct hvm_modlist_entry {
	u64 paddr, size, cmdline, reserved;
};
struct hvm_memmap_entry {
	u64 addr, size;
	u32 type, reserved;
};

void boot_read_pvh(phys_t start_info)
{
	const struct hvm_start_info *si = boot_phys(start_info, sizeof(*si));
	const struct hvm_memmap_entry *map;
	const struct hvm_modlist_entry *mod;
	u32 n;

	if (!si || si->magic != PVH_MAGIC)
		boot_fail("no PVH start info");
	if (si->version < 1)
		boot_fail("PVH start info without a memory map");
	n = MIN(si->memmap_entries, BOOT_MAP_MAX);
	map = boot_phys(si->memmap, n * sizeof(*map));
	if (!map || n == 0)
		boot_fail("PVH start info without a memory map");
	for (u32 i = 0; i < n; i++)
		boot_map_add(map[i].addr, map[i].size, map[i].type == PVH_MEMMAP_RAM);
	boot_copy_cmdline(si->cmdline, BOOT_CMDLINE_MAX);
	boot_info.rsdp = si->rsdp;
	mod = si->nr_modules ? boot_phys(si->modlist, sizeof(*mod)) : NULL;
	if (mod && mod->size && boot_phys(mod->paddr, mod->size)) {
		boot_info.module = mod->paddr;
		boot_info.module_len = mod->size;
	}
}
