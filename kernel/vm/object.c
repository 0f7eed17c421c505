/*
 * object.c - memory objects and their pages: lookup, fill, drop.
 *
 * The life of a page in an object:
 *
 *     absent --insert--> LOCKED --read_pages--> UPTODATE <--> UPTODATE|DIRTY
 *                          |                       |   (write_pages under LOCKED)
 *                          +--error--> dead        +--drop, reclaim--> dead
 *
 * Invariants:
 *  (I1) The tree holds one reference of each page in it; so does each mapping (page table entry).
 *  (I2) A page in the tree has page->object and page->index set; leaving the tree sets
 *       page->object to VM_OBJECT_DEAD with O held, before its mappings are taken away: the fault
 *       path, which looks at page->object with the page table lock held, cannot map it afterwards.
 *  (I3) A page without UPTODATE in the tree is LOCKED by the thread that fills it.
 *  (I4) A page is on the LRU list only while it is in the tree of a reclaimable object.
 *
 * What can fail: memory (-ENOMEM), the file system's read (-EIO or what it says).
 */
#include "vm/vm_impl.h"
#include "vm/writeback.h"
#include "sched/thread.h"

/* ---- Memory of the trees ---- */

static struct heap_cache radix_cache = HEAP_CACHE(radix_node);

static struct radix_node *radix_node_alloc(void)
{
	return heap_cache_alloc(&radix_cache);
}
static void radix_node_free(struct radix_node *n)
{
	heap_cache_free(&radix_cache, n);
}
const struct radix_mem vm_radix_mem = { radix_node_alloc, radix_node_free };

/* ---- The page lock ---- */

#define Q(i) WAITQ_INIT(page_waitqs[i])
static struct waitq page_waitqs[16] = {
	Q(0), Q(1), Q(2), Q(3), Q(4), Q(5), Q(6), Q(7), Q(8), Q(9), Q(10), Q(11), Q(12), Q(13), Q(14), Q(15),
};
#undef Q

static struct waitq *page_waitq(const struct page *p)
{
	return &page_waitqs[((uintptr_t)p / sizeof(*p)) % ARRAY_SIZE(page_waitqs)];
}
static bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, PAGE_LOCKED, __ATOMIC_ACQUIRE) & PAGE_LOCKED);
}

void vm_page_lock(struct page *p)
{
	if (!page_trylock(p))
		WAIT_EVENT(page_waitq(p), page_trylock(p));
}

void vm_page_unlock(struct page *p)
{
	page_clear(p, PAGE_LOCKED);
	waitq_wake_all(page_waitq(p));
}

/* ---- Objects ---- */

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops)
{
	*o = (struct vm_object){ .ops = ops, .refs = 1, .ra_mark = UINT64_MAX };
	spin_init(&o->lock);
	mutex_init(&o->sync_lock);
	radix_init(&o->tree, &vm_radix_mem);
	list_init(&o->mappings);
}

void vm_object_get(struct vm_object *o)
{
	__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
}

void vm_object_put(struct vm_object *o)
{
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (o->npages)
		vm_object_drop(o, 0, UINT64_MAX);
	/* Reclaim pins an object for a moment without sleeping, so this is short. */
	while (__atomic_load_n(&o->pins, __ATOMIC_ACQUIRE))
		arch_cpu_relax();
	if (o->ops->release)
		o->ops->release(o);
}

static u64 anon_size(struct vm_object *o)
{
	return o->anon_size;
}
static void anon_release(struct vm_object *o)
{
	heap_free(o);
}
static const struct vm_object_ops anon_ops = { .size = anon_size, .release = anon_release };

COLD struct vm_object *vm_object_new_anon(u64 size)
{
	struct vm_object *o = heap_alloc(sizeof(*o));

	if (o) {
		vm_object_init(o, &anon_ops);
		o->anon_size = size;
	}
	return o;
}

bool vm_object_is_anon(const struct vm_object *o)
{
	return o->ops == &anon_ops;
}

/* ---- Lookup ---- */

bool vm_object_next(struct vm_object *o, u64 *index)
{
	spin_lock(&o->lock);
	bool found = radix_next(&o->tree, index) != NULL;
	spin_unlock(&o->lock);
	return found;
}

struct page *vm_object_lookup(struct vm_object *o, u64 index) { return object_lookup(o, index); }

void object_gang(struct vm_object *o, u64 index, unsigned n, struct page **ret_pages)
{
	spin_lock(&o->lock);
	radix_get_run(&o->tree, index, n, (void **)ret_pages);
	for (unsigned i = 0; i < n; i++) {
		struct page *p = ret_pages[i];
		if (p && page_has(p, PAGE_UPTODATE))
			page_get(p);
		else
			ret_pages[i] = NULL;
	}
	spin_unlock(&o->lock);
}

/* (vm_impl.h) */
int object_insert_locked(struct vm_object *o, u64 index, struct page *p, u32 flags)
{
	p->object = o;
	p->index = index;
	list_init(&p->link);
	page_set(p, flags);
	int r = radix_insert(&o->tree, index, p);
	if (r == 0) {
		o->npages++;
		if (o->reclaimable && (flags & PAGE_UPTODATE))
			lru_add(p);
	} else {
		p->object = NULL;
		page_clear(p, flags);
	}
	return r;
}

void object_remove_locked(struct vm_object *o, struct page *p)
{
	radix_remove(&o->tree, p->index);
	o->npages--;
	p->object = VM_OBJECT_DEAD;      /* keeps (I2) */
}

/* ---- Getting a page, read or made ---- */

/* Wait until a page that was found not up to date is. 0, the error of its reader, or -EAGAIN: look again. */
static COLD int page_wait_uptodate(struct page *p)
{
	WAIT_EVENT(page_waitq(p), !page_has(p, PAGE_LOCKED));
	if (page_has(p, PAGE_UPTODATE))
		return 0;
	return page_has(p, PAGE_ERROR) ? -EIO : -EAGAIN;
}

int object_get(struct vm_object *o, u64 index, u64 want, struct page **ret_page)
{
	if (object_is_memory(o))
		return vm_object_grab_page(o, index, ret_page);
	for (;;) {
		spin_lock(&o->lock);
		struct page *p = radix_get(&o->tree, index);
		if (p)
			page_get(p);
		spin_unlock(&o->lock);
		int r;
		if (p) {
			r = page_has(p, PAGE_UPTODATE) ? 0 : page_wait_uptodate(p);
			if (r == 0) {
				page_touch(p);
				*ret_page = p;
				return 0;
			}
			page_put(p);
			if (r != -EAGAIN)
				return r;
		} else {
			r = object_fill(o, index, want, ret_page);
			if (r != -EEXIST)
				return r;
		}
	}
}

int vm_object_get_page(struct vm_object *o, u64 index, struct page **ret_page)
{
	return object_get(o, index, 1, ret_page);
}

COLD void vm_object_prefetch(struct vm_object *o, u64 first, u64 npages)
{
	u64 size = o->ops->size ? DIV_ROUND_UP(o->ops->size(o), PAGE_SIZE) : UINT64_MAX, spare = page_free_count() / 4;
	struct page *p;

	/* In a file in memory only holes are absent; of others no more than a quarter of what is free: it is a hint. */
	if (!o->reclaimable || first >= size)
		return;
	npages = MIN(npages, size - first);
	npages = MIN(npages, spare);
	for (u64 i = 0; i < npages; i++) {
		p = vm_object_lookup(o, first + i);
		if (!p && object_get(o, first + i, npages - i, &p))
			return;
		page_put(p);
		sched_poll();
	}
}

/* (vm_impl.h) */
struct page *object_fresh_page(struct vm_object *o, unsigned flags)
{
	flags |= object_page_kind(o);
	return object_is_memory(o) ? reclaim_page_for_user(flags) : reclaim_page_for_file(flags);
}

int vm_object_grab_page(struct vm_object *o, u64 index, struct page **ret_page)
{
	struct page *fresh = NULL;
	int r;

	for (;;) {
		spin_lock(&o->lock);
		struct page *p = radix_get(&o->tree, index);
		if (p) {
			page_get(p);
			r = 0;
		} else if (fresh) {
			r = object_insert_locked(o, index, fresh, PAGE_UPTODATE);
			if (r == 0) {
				page_get(fresh);
				p = fresh;
				fresh = NULL;
			}
		} else {
			r = -EAGAIN;
		}
		spin_unlock(&o->lock);
		if (p && r == 0) {
			r = page_has(p, PAGE_UPTODATE) ? 0 : page_wait_uptodate(p);
			if (r == 0) {
				if (fresh)
					page_put(fresh);
				*ret_page = p;
				return 0;
			}
			page_put(p);
		}
		if (r != -EAGAIN)
			break;
		if (!fresh && !(fresh = object_fresh_page(o, PAGE_ZERO)))
			return -ENOMEM;
	}
	if (fresh)
		page_put(fresh);
	return r;
}

/* ---- Dirty ---- */

void vm_object_mark_dirty(struct vm_object *o, struct page *p)
{
	if (!o->ops->write_pages || page_has(p, PAGE_DIRTY))
		return;
	spin_lock(&o->lock);
	if (p->object == o && !page_has(p, PAGE_DIRTY)) {
		page_set(p, PAGE_DIRTY);
		radix_set_mark(&o->tree, p->index);
		__atomic_fetch_add(&vm_dirty_pages, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&o->lock);
}

/* (vm_impl.h) */
bool object_clean_page_locked(struct page *p)
{
	if (!page_has(p, PAGE_DIRTY))
		return false;
	page_clear(p, PAGE_DIRTY);
	__atomic_fetch_sub(&vm_dirty_pages, 1, __ATOMIC_RELAXED);
	return true;
}

bool vm_object_is_dirty(struct vm_object *o)
{
	u64 index = 0;

	spin_lock(&o->lock);
	bool dirty = radix_next_marked(&o->tree, &index) != NULL;
	spin_unlock(&o->lock);
	return dirty;
}

/* ---- Dropping ---- */

/* Take a locked page, which the caller holds, out of the object and out of the program. */
static COLD void object_drop_page(struct vm_object *o, struct page *p)
{
	UNINITIALISED struct vm_gather g;
	bool ours, again;

	spin_lock(&o->lock);
	ours = p->object == o;
	if (ours) {
		object_remove_locked(o, p);
		object_clean_page_locked(p);
	}
	spin_unlock(&o->lock);
	if (!ours)
		return;
	lru_remove(p);
	do {
		again = false;
		/* The tree's reference and the caller's; more means mappings, or other users. */
		if (page_refs(p) > 2) {
			gather_init(&g);
			spin_lock(&o->lock);
			again = !object_unmap_page_locked(o, p, true, &g);
			spin_unlock(&o->lock);
			gather_finish(&g);
		}
	} while (again);
	page_put(p);
}

COLD void vm_object_drop(struct vm_object *o, u64 first, u64 last)
{
	for (u64 at = first; at <= last; at++) {
		spin_lock(&o->lock);
		struct page *p = radix_next(&o->tree, &at);
		if (!p || at > last) {
			spin_unlock(&o->lock);
			return;
		}
		/* Nobody shows or uses it, and who wants to asks the tree: nothing to wait for, nothing to unmap. */
		if (!o->reclaimable && page_refs(p) == 1 && !page_has(p, PAGE_LOCKED | PAGE_DIRTY)) {
			object_remove_locked(o, p);
			spin_unlock(&o->lock);
		} else {
			page_get(p);
			spin_unlock(&o->lock);
			vm_page_lock(p);
			object_drop_page(o, p);
			vm_page_unlock(p);
		}
		page_put(p);
		if (at == UINT64_MAX)
			return;
	}
}

void vm_object_truncate(struct vm_object *o, u64 first)
{
	vm_object_drop(o, first, UINT64_MAX);
	object_unmap_copies(o, first);
}
