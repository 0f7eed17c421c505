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
		page_put_here(g->pages[i]);
	page_put_list(&g->private_pages);
}

/* The program no longer shows pa: account, and put its page into g. P held. */
static void zap_entry_locked(struct vm_area *a, phys_t pa, struct vm_gather *g)
{
	if (pa == vm_as.zero_pa || (a->flags & VM_AREA_RAW))
		return;
	struct page *p = phys_to_page(pa);
	if (!p->object) {
		vm_as.anon_pages--;
		list_append(&g->private_pages, &p->link);
		g->nprivate++;
	} else {
		vm_as.file_pages--;
		g->pages[g->n++] = p;
	}
}

static void zap_hidden(uintptr_t start, uintptr_t end)
{
	spin_lock(&vm_as.pt_lock);
	peak_note_locked();
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
		peak_note_locked();
		va = arch_user_next_mapped(va, end);
		while (va < end && gather_has_room(&g)) {
			phys_t pa;
			unsigned flags;
			if (!arch_user_unmap(va, &pa, &flags)) {
				va = arch_user_next_mapped(va, end);
				continue;
			}
			gather_range(&g, va);
			zap_entry_locked(a, pa, &g);
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

/*
 * A table costs a page and maps 2 MiB. Small ranges are mapped again soon, more often than not, and
 * freeing a table costs a flush of everything and a page to clear later: their tables stay until
 * memory is short.
 */
#define PRUNE_MIN (2 * MiB)

void zap_prune(uintptr_t start, uintptr_t end)
{
	if (end - start < PRUNE_MIN)
		return;
	spin_lock(&vm_as.pt_lock);
	arch_user_prune(start, end);
	spin_unlock(&vm_as.pt_lock);
}

unsigned zap_prune_all(void)
{
	u64 before = page_free_count();

	spin_lock(&vm_as.pt_lock);
	arch_user_prune(0, ARCH_USER_TOP);
	spin_unlock(&vm_as.pt_lock);
	u64 after = page_free_count();
	return after > before ? (unsigned)(after - before) : 0;
}

/* Take the pages of a PROT_NONE range out of the tables; private ones are kept aside. Keeps (I3). */
static COLD int hide_range(struct vm_area *a, uintptr_t start, uintptr_t end)
{
	UNINITIALISED struct vm_gather g;
	uintptr_t va = start;
	int r = 0;

	a->flags |= VM_AREA_HIDDEN;
	while (va < end && r == 0) {
		gather_init(&g);
		spin_lock(&vm_as.pt_lock);
		while (gather_has_room(&g) && (va = arch_user_next_mapped(va, end)) < end) {
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
		unsigned now = area_pte_flags(a, entry_may_write(a, pa));
		arch_user_protect(va, now);
		/* Rights that were added need no flush: a stale entry faults, and the fault finds all well. */
		if (flags & ~now & (ARCH_PTE_WRITE | ARCH_PTE_EXEC))
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

/* Give the hidden pages of [old, old + len) a second place at new_va. -ENOMEM: as before. P held. */
static int share_hidden_locked(uintptr_t old, uintptr_t new_va, size_t len)
{
	u64 first = old >> PAGE_SHIFT, last = (old + len) >> PAGE_SHIFT, to = new_va >> PAGE_SHIFT;

	for (u64 at = first; ; at++) {
		struct page *p = radix_next(&vm_as.hidden, &at);
		if (!p || at >= last)
			return 0;
		if (radix_insert(&vm_as.hidden, to + (at - first), p)) {
			while (at-- > first)
				radix_remove(&vm_as.hidden, to + (at - first));
			return -ENOMEM;
		}
	}
}

static void forget_hidden_locked(uintptr_t start, size_t len)
{
	for (u64 at = start >> PAGE_SHIFT; ; at++) {
		if (!radix_next(&vm_as.hidden, &at) || at >= (start + len) >> PAGE_SHIFT)
			return;
		radix_remove(&vm_as.hidden, at);
	}
}

/* Entries of [from, end) to the same places from new_va on. -ENOMEM: *ret_upto says how far it came. P held. */
static int move_entries_locked(struct vm_area *to, uintptr_t from, uintptr_t end, uintptr_t new_va, uintptr_t *ret_upto)
{
	for (uintptr_t va = from; (va = arch_user_next_mapped(va, end)) < end; va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		*ret_upto = va;
		if (!arch_user_lookup(va, &pa, &flags))
			continue;
		int r = arch_user_map(new_va + (va - from), pa, area_pte_flags(to, flags & ARCH_PTE_WRITE));
		if (r)
			return r;
		arch_user_unmap(va, &pa, &flags);
	}
	*ret_upto = end;
	return 0;
}

COLD int zap_move(struct vm_area *a, struct vm_area *to, uintptr_t old, uintptr_t new_va, size_t len)
{
	bool hidden = a->flags & VM_AREA_HIDDEN;
	uintptr_t upto = old, back;

	spin_lock(&vm_as.pt_lock);
	int r = hidden ? share_hidden_locked(old, new_va, len) : 0;
	if (r == 0) {
		r = move_entries_locked(to, old, old + len, new_va, &upto);
		if (r) {
			/* The old tables are still there, since nobody prunes under this lock: this cannot fail. */
			int undone = move_entries_locked(a, new_va, new_va + (upto - old), old, &back);
			ASSERT(undone == 0);
		}
		if (hidden)
			forget_hidden_locked(r ? new_va : old, len);
	}
	spin_unlock(&vm_as.pt_lock);
	if (upto > old) {
		arch_tlb_flush(old, upto);
		if (r)
			arch_tlb_flush(new_va, new_va + (upto - old));
	}
	return r;
}
