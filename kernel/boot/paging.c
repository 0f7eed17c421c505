/*
 * paging.c - the final page tables, built while the temporary ones are in force.
 *
 *   image       4 KiB pages: text executable, everything else not; read-only data is; data writable. Parts that are
 *               read-only after boot stay writable until arch_seal.
 *   direct map  all RAM of the map, except the image (it has no writable alias); largest pages that fit; never
 *               executable. Nothing is done per page of RAM: 1 GiB pages where the CPU has them.
 *   mappings    the boot stack and the boot CPU's exception stacks, each with an unmapped page below.
 *   low half    the temporary one-to-one map, until arch_init drops it.
 */
#include "boot/boot.h"
#include "arch/x86_64/asm.h"
#include "arch/x86_64/layout.h"

#define GIB_PAGE (1ull << 30)
#define MIB2_PAGE (1ull << 21)

u64 arch_direct_base RO_AFTER_INIT;
u64 arch_map_used;
extern u64 boot_pml4[];
extern u32 boot_cpu_ext;
static bool have_1g;

/* The table that entry i of t points to; made if there is none. */
static u64 *table_below(u64 *t, unsigned i)
{
	if (!(t[i] & PTE_P))
		t[i] = boot_take_pages(1) | PTE_P | PTE_W | PTE_A;
	return (u64 *)(t[i] & PTE_ADDR);
}

/* Entries of one table: as many pages of its size as fit before its end. Returns the bytes mapped. */
static u64 fill(u64 *table, unsigned i, u64 entry, u64 step, u64 len)
{
	u64 n = MIN(len / step, 512ull - i);

	for (u64 *e = table + i, *end = e + n; e < end; e++, entry += step)
		*e = entry;
	return n * step;
}

static void map_range(u64 va, u64 pa, u64 len, u64 flags)
{
	u64 *pml4 = (u64 *)arch_layout.pml4;

	flags |= PTE_P | PTE_A | PTE_D | PTE_G;
	while (len) {
		u64 *pdpt = table_below(pml4, va >> 39 & 511), *pd, done;

		if (have_1g && len >= GIB_PAGE && !((va | pa) & (GIB_PAGE - 1))) {
			done = fill(pdpt, va >> 30 & 511, pa | flags | PTE_PS, GIB_PAGE, len);
		} else {
			/* Up to where larger pages begin or this table ends. */
			u64 to_1g = GIB_PAGE - (va & (GIB_PAGE - 1)), to_2m = MIB2_PAGE - (va & (MIB2_PAGE - 1));

			pd = table_below(pdpt, va >> 30 & 511);
			if (len >= MIB2_PAGE && !((va | pa) & (MIB2_PAGE - 1)))
				done = fill(pd, va >> 21 & 511, pa | flags | PTE_PS, MIB2_PAGE, MIN(len, to_1g));
			else
				done = fill(table_below(pd, va >> 21 & 511), va >> 12 & 511, pa | flags, PAGE_SIZE, MIN(len, to_2m));
		}
		va += done;
		pa += done;
		len -= done;
	}
}

static void map_image(void)
{
	u64 base = arch_layout.image_va, pa = arch_layout.image_pa, nx = arch_layout.nx;
	u64 text = (u64)(__text_end - __kernel_start), rodata = (u64)(__rodata_end - __kernel_start);

	map_range(base, pa, text, 0);
	map_range(base + text, pa + text, rodata - text, nx);
	map_range(base + rodata, pa + rodata, arch_layout.image_len - rodata, PTE_W | nx);
}

static void map_ram(void)
{
	u64 k0 = boot_info.kernel_start, k1 = boot_info.kernel_end;

	for (unsigned i = 0; i < boot_map.nram; i++) {
		u64 at = boot_map.ram[i].base, end = at + boot_map.ram[i].len;

		if (at < k0 && k0 < end) {
			map_range(arch_direct_base + at, at, k0 - at, PTE_W | arch_layout.nx);
			at = MIN(k1, end);
		} else if (at >= k0 && at < k1) {
			at = MIN(k1, end);
		}
		if (at < end)
			map_range(arch_direct_base + at, at, end - at, PTE_W | arch_layout.nx);
	}
}

/* A stack in the region of mappings, with a hole below it; its top. */
static u64 map_stack(u64 len)
{
	u64 va = arch_layout.map_va + arch_map_used + PAGE_SIZE;

	map_range(va, boot_take_pages((unsigned)(len / PAGE_SIZE)), len, PTE_W | arch_layout.nx);
	arch_map_used += len + PAGE_SIZE;
	return va + len;
}

void boot_build_tables(void)
{
	u64 image_steps = (LAYOUT_IMAGE_SPAN - ROUND_UP(arch_layout.image_len, MIB2_PAGE)) / MIB2_PAGE - 1;
	u64 direct_steps = (LAYOUT_DIRECT_SPAN - ROUND_UP(boot_info.ram_top, GIB_PAGE)) / GIB_PAGE;
	u64 map_steps = (LAYOUT_MAP_SPAN - LAYOUT_MAP_MAX) / MIB2_PAGE;

	have_1g = boot_cpu_ext & (1u << 26);
	arch_layout.nx = boot_cpu_ext & (1u << 20) ? PTE_NX : 0;
	arch_layout.image_va = LAYOUT_IMAGE_WINDOW + boot_random() % image_steps * MIB2_PAGE;
	arch_layout.map_va = LAYOUT_MAP_WINDOW + boot_random() % map_steps * MIB2_PAGE;
	arch_direct_base = LAYOUT_DIRECT_WINDOW + boot_random() % direct_steps * GIB_PAGE;
	arch_layout.pml4 = boot_take_pages(1);

	map_image();
	map_ram();
	arch_layout.stack_top = map_stack(ARCH_KSTACK_SIZE);
	arch_layout.ist_top[0] = arch_layout.ist_top[2] = map_stack(2 * PAGE_SIZE);
	arch_layout.ist_top[1] = map_stack(PAGE_SIZE);
	((u64 *)arch_layout.pml4)[0] = boot_pml4[0];
	/* APs come up on the temporary tables and need the kernel's half from there. */
	for (unsigned i = 256; i < 512; i++)
		boot_pml4[i] = ((u64 *)arch_layout.pml4)[i];
}
