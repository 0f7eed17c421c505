/*
 * zap.c - changing what the page tables show: unmapping, reprotecting, moving.
 *
 * Invariants:
 *  (I1) A page is freed only after every CPU has dropped its translation: unmapped pages are
 *       gathered, flushed, then put (gather_finish), outside the page table lock.
 *  (I2) A private page (page->object NULL) has exactly one place: a page table entry or the
 *       hidden tree. The zero page is nobody's.
 *  (I3) Page table entries of an area without access (PROT_NONE) do not exist; its private pages
 *       are in vm_as.hidden, and the area has VM_AREA_HIDDEN.
 *
 * What can fail: memory for the hidden tree or for tables when moving (-ENOMEM); nothing is lost.
 */
#include "vm/vm_impl.h"
#include "sched/thread.h"

void gather_finish(struct vm_gather *g)
{
	if (g->start < g->end)
		arch_tlb_flush(g->start, g->end);
	for (unsigned i = 0; i < g->n; i++)
		page_put(g->pages[i]);
}

/* The program no longer shows pa: account, and put its page into g. P held. */
static void zap_entry_locked(struct vm_area *a, phys_t pa, struct vm_gather *g)
{
	if (pa == vm_as.zero_pa || (a->flags & VM_AREA_RAW))
		return;
	struct page *p = phys_to_page(pa);
	if (!p->object)
		vm_as.anon_pages--;
	else
		vm_as.file_pages--;
	g->pages[g->n++] = p;
}

static void zap_hidden(uintptr_t start, uintptr_t end)
{
	spin_lock(&vm_as.pt_lock);
	for (u64 at = start >> PAGE_SHIFT; ; at++) {
		struct page *p = radix_next(&vm_as.hidden, &at);
		if (!p || at >= end >> PAGE_SHIFT)
			break;
		radix_remove(&vm_as.hidden, at);
		vm_as.anon_pages--;
		page_put(p);                 /* no translation exists: nothing to flush */
	}
	spin_unlock(&vm_as.pt_lock);
}

void zap_area_range(struct vm_area *a, uintptr_t start, uintptr_t end)
{
	UNINITIALISED struct vm_gather g;
	uintptr_t va = start;

	while (va < end) {
		gather_init(&g);
		spin_lock(&vm_as.pt_lock);
		while (g.n < VM_GATHER_MAX && (va = arch_user_next_mapped(va, end)) < end) {
			phys_t pa;
			unsigned flags;
			if (arch_user_unmap(va, &pa, &flags)) {
				gather_range(&g, va);
				zap_entry_locked(a, pa, &g);
			}
			va += PAGE_SIZE;
		}
		spin_unlock(&vm_as.pt_lock);
		gather_finish(&g);           /* keeps (I1) */
		if (va < end)
			sched_poll();
	}
	if (a->flags & VM_AREA_HIDDEN)
		zap_hidden(start, end);
}

void zap_prune(uintptr_t start, uintptr_t end)
{
	spin_lock(&vm_as.pt_lock);
	arch_user_prune(start, end);
	spin_unlock(&vm_as.pt_lock);
}

/* Take the pages of a PROT_NONE range out of the tables; private ones are kept aside. Keeps (I3). */
static int hide_range(struct vm_area *a, uintptr_t start, uintptr_t end)
{
	UNINITIALISED struct vm_gather g;
	uintptr_t va = start;
	int r = 0;

	a->flags |= VM_AREA_HIDDEN;
	while (va < end && r == 0) {
		gather_init(&g);
		spin_lock(&vm_as.pt_lock);
		while (g.n < VM_GATHER_MAX && (va = arch_user_next_mapped(va, end)) < end) {
			phys_t pa;
			unsigned flags;
			if (!arch_user_lookup(va, &pa, &flags)) {
				va += PAGE_SIZE;
				continue;
			}
			struct page *p = pa == vm_as.zero_pa || (a->flags & VM_AREA_RAW) ? NULL : phys_to_page(pa);
			bool keep = p && !p->object;
			if (keep && radix_insert(&vm_as.hidden, va >> PAGE_SHIFT, p)) {
				r = -ENOMEM;
				break;
			}
			arch_user_unmap(va, &pa, &flags);
			gather_range(&g, va);
			if (!keep)
				zap_entry_locked(a, pa, &g);
			va += PAGE_SIZE;
		}
		spin_unlock(&vm_as.pt_lock);
		gather_finish(&g);
	}
	return r;
}

/* May the entry that shows pa be writable in area a without a fault telling us first? */
static bool entry_may_write(const struct vm_area *a, phys_t pa)
{
	if (!(a->prot & VM_PROT_WRITE) || pa == vm_as.zero_pa || (a->flags & VM_AREA_RAW))
		return false;
	if (area_is_shared(a))
		return a->object && object_untracked(a->object);
	return !phys_to_page(pa)->object;
}

int zap_reprotect(struct vm_area *a, uintptr_t start, uintptr_t end)
{
	UNINITIALISED struct vm_gather g;

	if (a->prot == 0)
		return hide_range(a, start, end);
	gather_init(&g);
	spin_lock(&vm_as.pt_lock);
	for (uintptr_t va = start; (va = arch_user_next_mapped(va, end)) < end; va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		if (!arch_user_lookup(va, &pa, &flags))
			continue;
		arch_user_protect(va, area_pte_flags(a, entry_may_write(a, pa)));
		gather_range(&g, va);
	}
	spin_unlock(&vm_as.pt_lock);
	gather_finish(&g);
	return 0;
}

bool zap_unhide(struct vm_area *a, uintptr_t va, int *ret_error)
{
	spin_lock(&vm_as.pt_lock);
	struct page *p = radix_get(&vm_as.hidden, va >> PAGE_SHIFT);
	if (p) {
		*ret_error = arch_user_map(va, page_to_phys(p), area_pte_flags(a, a->prot & VM_PROT_WRITE));
		if (*ret_error == 0)
			radix_remove(&vm_as.hidden, va >> PAGE_SHIFT);
	}
	spin_unlock(&vm_as.pt_lock);
	return p != NULL;
}

static int move_hidden(uintptr_t old, uintptr_t new_va, size_t len)
{
	u64 first = old >> PAGE_SHIFT, last = (old + len) >> PAGE_SHIFT;
	int r = 0;

	spin_lock(&vm_as.pt_lock);
	for (u64 at = first; ; at++) {
		struct page *p = radix_next(&vm_as.hidden, &at);
		if (!p || at >= last)
			break;
		r = radix_insert(&vm_as.hidden, (new_va >> PAGE_SHIFT) + (at - first), p);
		if (r)
			break;
		radix_remove(&vm_as.hidden, at);
	}
	spin_unlock(&vm_as.pt_lock);
	return r;
}

int zap_move(struct vm_area *a, struct vm_area *to, uintptr_t old, uintptr_t new_va, size_t len)
{
	uintptr_t end = old + len, from = end, upto = old;
	int r = 0;

	spin_lock(&vm_as.pt_lock);
	for (uintptr_t va = old; (va = arch_user_next_mapped(va, end)) < end; va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		if (!arch_user_lookup(va, &pa, &flags))
			continue;
		r = arch_user_map(new_va + (va - old), pa, area_pte_flags(to, flags & ARCH_PTE_WRITE));
		if (r)
			break;
		arch_user_unmap(va, &pa, &flags);
		from = MIN(from, va);
		upto = va + PAGE_SIZE;
	}
	spin_unlock(&vm_as.pt_lock);
	if (from < upto)
		arch_tlb_flush(from, upto);
	if (r == 0 && (a->flags & VM_AREA_HIDDEN)) {
		to->flags |= VM_AREA_HIDDEN;
		r = move_hidden(old, new_va, len);
	}
	return r;
}
