/*
 * vmap.c - the region of kernel mappings: device registers and kernel stacks, with holes between them.
 *
 * Address space is handed out upwards; there is room for millions of stacks. Freed stacks are kept for the next
 * thread: STACKS_KEPT of them with their memory, of the others the memory goes back and the address range is kept.
 * A stack is reused before its translations can be stale: its memory goes back only after tlb_flush_kernel.
 *
 * Locks: vmap_lock (irq-safe).
 */
#include "arch/spinlock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/tlb.h"

#define STACKS_KEPT 16u         /* freed stacks that keep their memory */
#define BARE_KEPT   256u        /* freed address ranges without memory; more are forgotten */

static struct spinlock vmap_lock = SPINLOCK_INIT;
static uintptr_t kept[STACKS_KEPT], bare[BARE_KEPT];    /* tops */
static unsigned nkept, nbare;

uintptr_t vmap_reserve(size_t len)
{
	irq_flags_t f = spin_lock_irqsave(&vmap_lock);
	uintptr_t va = 0;

	len = ROUND_UP(len, PAGE_SIZE) + PAGE_SIZE;      /* the hole below */
	if (len <= LAYOUT_MAP_MAX - arch_map_used) {
		va = arch_layout.map_va + arch_map_used + PAGE_SIZE;
		arch_map_used += len;
	}
	spin_unlock_irqrestore(&vmap_lock, f);
	return va;
}

volatile void *arch_map_device(phys_t pa, size_t len)
{
	size_t in_page = pa & (PAGE_SIZE - 1);
	size_t map_len = ROUND_UP(in_page + len, PAGE_SIZE);
	uintptr_t va;

	if (!len || pa >> 52 || len > GiB)
		return NULL;
	va = vmap_reserve(map_len);
	if (!va || kernel_map(va, pa - in_page, map_len, PTE_W | PTE_PCD | PTE_PWT | arch_layout.nx))
		return NULL;
	return (volatile void *)(va + in_page);
}

static uintptr_t take(uintptr_t *list, unsigned *n)
{
	irq_flags_t f = spin_lock_irqsave(&vmap_lock);
	uintptr_t top = *n ? list[--*n] : 0;

	spin_unlock_irqrestore(&vmap_lock, f);
	return top;
}

static bool put(uintptr_t *list, unsigned *n, unsigned max, uintptr_t top)
{
	irq_flags_t f = spin_lock_irqsave(&vmap_lock);
	bool ok = *n < max;

	if (ok)
		list[(*n)++] = top;
	spin_unlock_irqrestore(&vmap_lock, f);
	return ok;
}

static void stack_drop_memory(uintptr_t top)
{
	phys_t pages[ARCH_KSTACK_SIZE / PAGE_SIZE];
	uintptr_t base = top - ARCH_KSTACK_SIZE;

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = kernel_unmap_page(base + i * PAGE_SIZE);
	tlb_flush_kernel(base, ARCH_KSTACK_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++)
		if (pages[i])
			arch_memory_ops.page_free(pages[i]);
}

uintptr_t arch_kstack_alloc(void)
{
	uintptr_t top = take(kept, &nkept), base;

	if (top)
		return top;
	top = take(bare, &nbare);
	if (!top) {
		base = vmap_reserve(ARCH_KSTACK_SIZE);
		if (!base)
			return 0;
		top = base + ARCH_KSTACK_SIZE;
	}
	base = top - ARCH_KSTACK_SIZE;
	for (uintptr_t va = base; va < top; va += PAGE_SIZE) {
		phys_t pa = arch_memory_ops.page_alloc(false);

		if (!pa || kernel_map(va, pa, PAGE_SIZE, PTE_W | arch_layout.nx)) {
			if (pa)
				arch_memory_ops.page_free(pa);
			stack_drop_memory(top);
			put(bare, &nbare, BARE_KEPT, top);
			return 0;
		}
	}
	return top;
}

void arch_kstack_free(uintptr_t top)
{
	if (put(kept, &nkept, STACKS_KEPT, top))
		return;
	stack_drop_memory(top);
	put(bare, &nbare, BARE_KEPT, top);
}
