/*
 * reclaim.c - giving clean page-cache pages back when memory is short: second chance.
 *
 * All pages of reclaimable objects are on one list, youngest first. The hand takes the oldest: one
 * that was touched since it was last seen goes back to the young end; another is unmapped from the
 * program and, if nobody holds it, leaves its object and is freed.
 *
 * Invariants:
 *  (I1) A page leaves the list (lru_lock) before its object can be freed: vm_object_put drops all
 *       pages first. So with lru_lock held, the object of a listed page is alive; pinning it then
 *       keeps it alive after the lock (the last put waits for pins).
 *  (I2) Between pin and unpin nothing sleeps.
 *
 * Locks: lru_lock (leaf), then O, then the page table lock, never two at once out of that order. The
 * address space lock is not taken: reclaim runs inside faults. Runs in threads only.
 */
#include "vm/vm_impl.h"
#include "base/counter.h"

#define RECLAIM_BATCH 128u

static struct spinlock lru_lock = SPINLOCK_INIT;
static struct list lru = LIST_INIT(lru);
static u64 lru_pages;
COUNTER(vm_reclaimed_pages);
COUNTER_DECLARE(vm_reclaimed_pages);

void lru_add(struct page *p)
{
	spin_lock(&lru_lock);
	list_push(&lru, &p->link);
	lru_pages++;
	spin_unlock(&lru_lock);
}

void lru_remove(struct page *p)
{
	spin_lock(&lru_lock);
	if (!list_empty(&p->link)) {
		list_remove(&p->link);
		lru_pages--;
	}
	spin_unlock(&lru_lock);
}

/* The oldest page, off the list, with a reference, its object pinned; NULL if there is none. */
static struct page *lru_take(struct vm_object **ret_object)
{
	struct page *p = NULL;

	spin_lock(&lru_lock);
	if (!list_empty(&lru)) {
		p = list_entry(lru.prev, struct page, link);
		struct vm_object *o = READ_ONCE(p->object);
		list_remove(&p->link);
		lru_pages--;
		page_get(p);
		if (o == VM_OBJECT_DEAD)
			o = NULL;            /* being dropped at this moment */
		else
			__atomic_fetch_add(&o->pins, 1, __ATOMIC_ACQUIRE);
		*ret_object = o;
	}
	spin_unlock(&lru_lock);
	return p;
}

/* Try to free p. True if it left its object and is in g, to be freed after the flush. */
static bool reclaim_page(struct vm_object *o, struct page *p, struct vm_gather *g)
{
	bool freed = false;

	spin_lock(&o->lock);
	if (p->object == o) {
		bool busy = page_has(p, PAGE_LOCKED | PAGE_DIRTY | PAGE_ACCESSED);
		unsigned before = g->n;
		if (!busy && object_unmap_page_locked(o, p, false, g) && g->n < VM_GATHER_MAX) {
			/* The tree's reference, ours, and those of the mappings just removed. */
			if (page_refs(p) == 2 + (g->n - before)) {
				radix_remove(&o->tree, p->index);
				o->npages--;
				p->object = VM_OBJECT_DEAD;
				/* The tree's reference waits for the flush; with it held the mappings' need not. */
				while (g->n > before)
					page_put(g->pages[--g->n]);
				list_append(&g->private_pages, &p->link);
				g->nprivate++;
				freed = true;
			}
		}
		if (!freed) {
			page_clear(p, PAGE_ACCESSED);
			lru_add(p);
		}
	}
	spin_unlock(&o->lock);
	return freed;
}

/* (object.h) */
unsigned vm_reclaim(unsigned want)
{
	UNINITIALISED struct vm_gather g;
	unsigned freed = 0;

	/* A flush of all CPUs is dear: make it worth it. */
	want = MAX(want, RECLAIM_BATCH);
	/* Twice round the list: the first may only take the marks away. */
	u64 budget = 2 * READ_ONCE(lru_pages) + 1;

	__atomic_fetch_add(&vm_as.reclaiming, 1, __ATOMIC_SEQ_CST);
	gather_init(&g);
	while (freed < want && budget--) {
		struct vm_object *o = NULL;
		struct page *p = lru_take(&o);
		if (!p)
			break;
		if (o) {
			freed += reclaim_page(o, p, &g);
			__atomic_fetch_sub(&o->pins, 1, __ATOMIC_RELEASE);
		}
		if (g.n >= VM_GATHER_MAX / 2 || g.nprivate >= VM_GATHER_PRIVATE) {
			gather_finish(&g);
			gather_init(&g);
		}
		page_put(p);
	}
	gather_finish(&g);
	__atomic_fetch_sub(&vm_as.reclaiming, 1, __ATOMIC_SEQ_CST);
	if (freed < want)
		freed += zap_prune_all();
	__atomic_fetch_add(&counter_vm_reclaimed_pages, freed, __ATOMIC_RELAXED);
	return freed;
}

static unsigned reserve_pages;       /* kept from the program, half of it from its files; constant after boot */

/* The program's memory goes below the reserve: get some back, or say no. */
static NOINLINE struct page *user_page_short(struct page *p, unsigned flags, unsigned keep)
{
	if (!p)
		p = page_alloc_wait(0, flags);
	for (unsigned tries = 0; p && page_free_count() < keep; tries++) {
		if (tries == 3 || !page_reclaim(64)) {
			page_put(p);
			return NULL;
		}
	}
	return p;
}

static struct page *user_page(unsigned flags, unsigned keep)
{
	/* How much is free is looked at now and then: counting is not free either. */
	static unsigned ticks;
	struct page *p = page_alloc(0, flags);

	if (unlikely(!p || (++ticks & 15) == 0))
		return user_page_short(p, flags, keep);
	return p;
}

struct page *reclaim_page_for_user(unsigned flags) { return user_page(flags, reserve_pages); }
struct page *reclaim_page_for_file(unsigned flags) { return user_page(flags, reserve_pages / 2); }
bool reclaim_spare(void) { return page_free_count() > reserve_pages / 4; }

void reclaim_init(void)
{
	u64 share = page_total_count() / 64;

	share = MAX(share, 48u);
	reserve_pages = (unsigned)MIN(share, 1024u);
	page_reclaim_register(vm_reclaim);
}
