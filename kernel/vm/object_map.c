/*
 * object_map.c - from an object's pages to the places where the program maps them.
 *
 * object->mappings lists the areas that show the object. The list and the areas' bounds change
 * only with O held, so these walks hold O and take the page table lock inside; they never need the
 * address space lock, and reclaim can run under it.
 *
 * Invariant: a page's references from mappings are dropped only after the flush (gather_finish),
 * so no other CPU can reach a page that is free again.
 */
#include "vm/vm_impl.h"

/* The address of page index in area a, or 0. */
static uintptr_t area_va_of(const struct vm_area *a, u64 index)
{
	u64 first = a->object_off >> PAGE_SHIFT;

	if (index < first || index - first >= area_len(a) >> PAGE_SHIFT)
		return 0;
	return a->start + ((index - first) << PAGE_SHIFT);
}

bool object_unmap_page_locked(struct vm_object *o, struct page *p, bool force, struct vm_gather *g)
{
	phys_t pa = page_to_phys(p), seen;
	struct vm_area *a;
	bool all = true;

	spin_lock(&vm_as.pt_lock);
	list_for_each_entry(a, &o->mappings, object_link) {
		uintptr_t va = area_va_of(a, p->index);
		unsigned flags;
		if (!va || !arch_user_lookup(va, &seen, &flags) || seen != pa)
			continue;
		if (g->n == VM_GATHER_MAX || (!force && (a->flags & VM_MAP_LOCKED))) {
			all = false;
			break;
		}
		arch_user_unmap(va, &seen, &flags);
		gather_range(g, va);
		g->pages[g->n++] = p;
		peak_note_locked();
		vm_as.file_pages--;
	}
	spin_unlock(&vm_as.pt_lock);
	return all;
}

void object_write_protect_locked(struct vm_object *o, struct page *p, struct vm_gather *g)
{
	phys_t pa = page_to_phys(p), seen;
	struct vm_area *a;

	spin_lock(&vm_as.pt_lock);
	list_for_each_entry(a, &o->mappings, object_link) {
		uintptr_t va = area_va_of(a, p->index);
		unsigned flags;
		if (!va || !arch_user_lookup(va, &seen, &flags) || seen != pa || !(flags & ARCH_PTE_WRITE))
			continue;
		arch_user_protect(va, area_pte_flags(a, false));
		gather_range(g, va);
	}
	spin_unlock(&vm_as.pt_lock);
}

/* Unmap the object's pages in one area, [start, end); false if g is full. Private copies stay. */
static bool unmap_in_area_locked(struct vm_object *o, uintptr_t start, uintptr_t end, struct vm_gather *g)
{
	bool all = true;

	spin_lock(&vm_as.pt_lock);
	for (uintptr_t va = start; (va = arch_user_next_mapped(va, end)) < end; va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		if (!arch_user_lookup(va, &pa, &flags) || pa == vm_as.zero_pa)
			continue;
		struct page *p = phys_to_page(pa);
		if (!p || p->object != o)
			continue;
		if (g->n == VM_GATHER_MAX) {
			all = false;
			break;
		}
		arch_user_unmap(va, &pa, &flags);
		gather_range(g, va);
		g->pages[g->n++] = p;
		peak_note_locked();
		vm_as.file_pages--;
	}
	spin_unlock(&vm_as.pt_lock);
	return all;
}

void vm_object_unmap_range(struct vm_object *o, u64 first, u64 last)
{
	UNINITIALISED struct vm_gather g;
	struct vm_area *a;
	bool all;

	do {
		all = true;
		gather_init(&g);
		spin_lock(&o->lock);
		list_for_each_entry(a, &o->mappings, object_link) {
			u64 a_first = a->object_off >> PAGE_SHIFT;
			u64 a_last = a_first + (area_len(a) >> PAGE_SHIFT) - 1;
			u64 lo = MAX(first, a_first), hi = MIN(last, a_last);
			if (lo > hi || (a->flags & VM_AREA_RAW))
				continue;
			all = unmap_in_area_locked(o, a->start + ((lo - a_first) << PAGE_SHIFT),
						   a->start + ((hi - a_first + 1) << PAGE_SHIFT), &g);
			if (!all)
				break;
		}
		spin_unlock(&o->lock);
		gather_finish(&g);
	} while (!all);
}

/* Free the private pages of a in [start, end), shown or hidden; false if g is full. P is taken. */
static bool unmap_copies_locked(struct vm_area *a, uintptr_t start, uintptr_t end, struct vm_gather *g)
{
	uintptr_t va = start;

	spin_lock(&vm_as.pt_lock);
	for (; gather_has_room(g) && (va = arch_user_next_mapped(va, end)) < end; va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		if (!arch_user_lookup(va, &pa, &flags) || pa == vm_as.zero_pa || phys_to_page(pa)->object)
			continue;
		arch_user_unmap(va, &pa, &flags);
		gather_range(g, va);
		list_append(&g->private_pages, &phys_to_page(pa)->link);
		g->nprivate++;
		vm_as.anon_pages--;
	}
	for (u64 at = start >> PAGE_SHIFT; (a->flags & VM_AREA_HIDDEN) && va >= end; at++) {
		struct page *p = radix_next(&vm_as.hidden, &at);
		if (!p || at >= end >> PAGE_SHIFT)
			break;
		radix_remove(&vm_as.hidden, at);
		vm_as.anon_pages--;
		page_put(p);                 /* no translation exists: nothing to flush */
	}
	spin_unlock(&vm_as.pt_lock);
	return va >= end;
}

void object_unmap_copies(struct vm_object *o, u64 first)
{
	UNINITIALISED struct vm_gather g;
	struct vm_area *a;
	bool all;

	do {
		all = true;
		gather_init(&g);
		spin_lock(&o->lock);
		list_for_each_entry(a, &o->mappings, object_link) {
			u64 a_first = a->object_off >> PAGE_SHIFT, npages = area_len(a) >> PAGE_SHIFT;
			u64 skip = first > a_first ? first - a_first : 0;
			if (area_is_shared(a) || (a->flags & VM_AREA_RAW) || skip >= npages)
				continue;
			all = unmap_copies_locked(a, a->start + (skip << PAGE_SHIFT), a->end, &g);
			if (!all)
				break;
		}
		spin_unlock(&o->lock);
		gather_finish(&g);
	} while (!all);
}
