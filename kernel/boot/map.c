/*
 * map.c - the memory map: from what a loader told to boot_info.ram, and pages taken before there is an allocator.
 *
 * Invariants after boot_map_finish: boot_map.ram is sorted, disjoint, page-aligned (all RAM, for the direct map);
 * boot_info.ram is the same without what is taken (kernel image, module, first page, start page of the APs,
 * and everything the loader called not usable).
 */
#include "boot/boot.h"
#include "arch/x86_64/layout.h"

#define PHYS_LIMIT (LAYOUT_DIRECT_SPAN / 2)   /* RAM above is not used */

struct boot_map boot_map;
static struct boot_range take_from;   /* where boot_take_pages takes */
static u64 take_used;

void boot_map_add(u64 base, u64 len, bool usable)
{
	struct boot_map *m = &boot_map;
	u64 end = len > UINT64_MAX - base ? UINT64_MAX : base + len;

	/* Usable memory shrinks to whole pages, other memory grows. */
	if (usable) {
		end = MIN(ROUND_DOWN(end, PAGE_SIZE), PHYS_LIMIT);
		base = base > PHYS_LIMIT ? PHYS_LIMIT : ROUND_UP(base, PAGE_SIZE);
	} else {
		end = end > PHYS_LIMIT ? PHYS_LIMIT : ROUND_UP(end, PAGE_SIZE);
		base = ROUND_DOWN(base, PAGE_SIZE);
	}
	if (base >= end)
		return;
	if (usable && m->nram < BOOT_MAP_MAX)
		m->ram[m->nram++] = (struct boot_range){ base, end - base };
	if (!usable && m->ntaken < BOOT_MAP_MAX)
		m->taken[m->ntaken++] = (struct boot_range){ base, end - base };
}

/* Insertion sort: maps are short and mostly sorted. */
static void ranges_sort(struct boot_range *r, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		struct boot_range x = r[i];
		unsigned j = i;

		for (; j > 0 && r[j - 1].base > x.base; j--)
			r[j] = r[j - 1];
		r[j] = x;
	}
}

static unsigned ranges_merge(struct boot_range *r, unsigned n)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++) {
		struct boot_range *last = out ? &r[out - 1] : NULL;

		if (last && r[i].base <= last->base + last->len)
			last->len = MAX(last->base + last->len, r[i].base + r[i].len) - last->base;
		else
			r[out++] = r[i];
	}
	return out;
}

/* boot_map.ram without boot_map.taken, into boot_info.ram; both are sorted and merged. */
static void subtract_taken(void)
{
	struct boot_map *m = &boot_map;
	struct boot_info *b = &boot_info;
	unsigned t = 0;

	b->nram = 0;
	for (unsigned i = 0; i < m->nram; i++) {
		u64 at = m->ram[i].base, end = at + m->ram[i].len;

		while (at < end && b->nram < BOOT_MAX_RANGES) {
			while (t < m->ntaken && m->taken[t].base + m->taken[t].len <= at)
				t++;
			if (t == m->ntaken || m->taken[t].base >= end) {
				b->ram[b->nram++] = (struct boot_range){ at, end - at };
				break;
			}
			if (m->taken[t].base > at)
				b->ram[b->nram++] = (struct boot_range){ at, m->taken[t].base - at };
			at = m->taken[t].base + m->taken[t].len;
		}
	}
	b->ram_top = m->nram ? m->ram[m->nram - 1].base + m->ram[m->nram - 1].len : 0;
}

static bool map_has_ram(u64 base, u64 len)
{
	for (unsigned i = 0; i < boot_map.nram; i++)
		if (boot_map.ram[i].base <= base && base + len <= boot_map.ram[i].base + boot_map.ram[i].len)
			return true;
	return false;
}

void boot_map_finish(void)
{
	struct boot_map *m = &boot_map;

	ranges_sort(m->ram, m->nram);
	m->nram = ranges_merge(m->ram, m->nram);
	/* A module outside RAM cannot be read later: it is as good as none. */
	if (boot_info.module_len && !map_has_ram(ROUND_DOWN(boot_info.module, PAGE_SIZE), 1))
		boot_info.module_len = 0;
	boot_map_add(0, PAGE_SIZE, false);
	boot_map_add(boot_info.kernel_start, boot_info.kernel_end - boot_info.kernel_start, false);
	if (boot_info.module_len)
		boot_map_add(boot_info.module, boot_info.module_len, false);
	if (map_has_ram(BOOT_AP_PAGE, PAGE_SIZE)) {
		boot_map_add(BOOT_AP_PAGE, PAGE_SIZE, false);
		arch_layout.ap_page = BOOT_AP_PAGE;
	}
	ranges_sort(m->taken, m->ntaken);
	m->ntaken = ranges_merge(m->taken, m->ntaken);
	subtract_taken();

	for (unsigned i = 0; i < boot_info.nram; i++) {
		struct boot_range r = boot_info.ram[i];

		if (r.base >= BOOT_IDENTITY_END)
			break;
		r.len = MIN(r.len, BOOT_IDENTITY_END - r.base);
		if (r.len > take_from.len)
			take_from = r;
	}
}

phys_t boot_take_pages(unsigned n)
{
	u64 len = n * PAGE_SIZE, pa = take_from.base + take_used, count = len / 8;
	void *to = (void *)pa;

	if (len > take_from.len - take_used)
		boot_fail("not enough memory");
	take_used += len;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0ull) : "memory");
	return pa;
}

void boot_map_seal(void)
{
	for (unsigned i = 0; i < boot_info.nram; i++)
		if (boot_info.ram[i].base == take_from.base) {
			boot_info.ram[i].base += take_used;
			boot_info.ram[i].len -= take_used;
		}
}
