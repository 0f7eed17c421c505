/*
 * resident.c - how much of the address space is in memory: of a range for /proc/self/smaps, of all for its sums.
 *
 * The range is looked through a table at a time: empty parts of huge reservations cost nothing.
 *
 * Locks: aspace.lock for reading, pt_lock for at most CHUNK pages at a time. Cannot fail.
 */
#include "vm/vm_impl.h"
#include "sched/thread.h"

#define CHUNK 512u

static void count_page(const struct vm_area *a, phys_t pa, unsigned flags, struct vm_resident *r)
{
	struct page *p;

	if (pa == vm_as.zero_pa)
		return;
	p = phys_to_page(pa);
	if (!p)
		return;
	if (!p->object)
		r->anon_pages++;
	else if (object_is_memory(p->object))
		r->shmem_pages++;
	else if (flags & ARCH_PTE_DIRTY || page_has(p, PAGE_DIRTY))
		r->file_dirty_pages++;
	else
		r->file_clean_pages++;
	if (a->flags & VM_MAP_LOCKED)
		r->locked_pages++;
}

/* Up to CHUNK pages of a from va on; where to go on. */
static uintptr_t count_chunk(const struct vm_area *a, uintptr_t va, uintptr_t end, struct vm_resident *r)
{
	spin_lock(&vm_as.pt_lock);
	for (unsigned n = 0; n < CHUNK && (va = arch_user_next_mapped(va, end)) < end; n++, va += PAGE_SIZE) {
		phys_t pa;
		unsigned flags;
		if (arch_user_lookup(va, &pa, &flags))
			count_page(a, pa, flags, r);
	}
	spin_unlock(&vm_as.pt_lock);
	return va;
}

static void count_hidden(uintptr_t start, uintptr_t end, struct vm_resident *r)
{
	spin_lock(&vm_as.pt_lock);
	for (u64 at = start >> PAGE_SHIFT;; at++) {
		if (!radix_next(&vm_as.hidden, &at) || at >= end >> PAGE_SHIFT)
			break;
		r->anon_pages++;
	}
	spin_unlock(&vm_as.pt_lock);
}

void vm_resident(uintptr_t start, uintptr_t end, struct vm_resident *ret)
{
	uintptr_t va = start;

	*ret = (struct vm_resident){ 0 };
	while (va < end) {
		rwlock_read(&vm_as.lock);
		const struct vm_area *a = area_find(va);
		if (!a || a->start >= end) {
			rwlock_unlock_read(&vm_as.lock);
			break;
		}
		uintptr_t from = MAX(va, a->start), to = MIN(end, a->end);
		if (a->flags & VM_AREA_RAW) {
			va = to;
		} else {
			if ((a->flags & VM_AREA_HIDDEN) && from == MAX(start, a->start))
				count_hidden(from, to, ret);
			va = count_chunk(a, from, to, ret);
		}
		rwlock_unlock_read(&vm_as.lock);
		sched_poll();
	}
}
