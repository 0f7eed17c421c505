/*
 * object_fill.c - reading absent pages of an object, with some around them.
 *
 * The page that is wanted and its absent neighbours in a window (the object's read-ahead, or as far as the
 * reader will go) are inserted locked, read in one call of the file system, and unlocked. If that fails they
 * are taken out again, and the one page is tried alone: a bad neighbour must not cost it.
 *
 * Invariants: object.c (I2), (I3). Locks: O inside; pages are locked in rising order, and only
 * fresh ones, which nobody else holds. Fails with -ENOMEM or what the file system says; sleeps.
 */
#include "vm/vm_impl.h"

/* The pages around index that are to be read with it: [*ret_first, *ret_last], both near. */
static void fill_window(struct vm_object *o, u64 index, u64 want, u64 *ret_first, u64 *ret_last)
{
	u64 around = MAX(o->readahead, 1u);
	u64 first = index - index % around;
	u64 last = MAX(first + around - 1, index + want - 1);

	if (o->ops->size) {
		u64 pages = DIV_ROUND_UP(o->ops->size(o), PAGE_SIZE);
		if (last >= pages)
			last = MAX(pages, index + 1) - 1;
	}
	if (last - first >= FILL_MAX) {
		u64 reach = MIN(index, (u64)FILL_MAX / 2);
		first = MAX(first, index - reach);
		last = MIN(last, first + FILL_MAX - 1);
	}
	*ret_first = first;
	*ret_last = last;
}

/* Make a fresh page for an empty place beside the one that is read; false: no memory, or it is not worth it. */
static bool fill_add(struct vm_object *o, u64 index, struct page **ret_page)
{
	struct page *p = page_alloc(0, object_page_kind(o));

	if (!p)
		return false;
	if (object_insert_locked(o, index, p, PAGE_LOCKED)) {
		page_put(p);
		return false;
	}
	page_get(p);                     /* ours while it is read */
	*ret_page = p;
	return true;
}

/*
 * Insert fresh locked pages into the holes of the window that touch index, whose page p is given. On success
 * pages[*ret_from ..] are *ret_n consecutive pages.
 */
static int fill_insert(struct vm_object *o, u64 index, u64 want, struct page *p, struct page *pages[FILL_MAX],
		       unsigned *ret_from, unsigned *ret_n)
{
	u64 first, last;

	fill_window(o, index, want, &first, &last);
	unsigned at = (unsigned)(index - first), from = at, end = at + 1, n = (unsigned)(last - first) + 1;
	spin_lock(&o->lock);
	radix_get_run(&o->tree, first, n, (void **)pages);
	int r = pages[at] ? -EEXIST : object_insert_locked(o, index, p, PAGE_LOCKED);
	if (r == 0) {
		page_get(p);
		pages[at] = p;
	}
	if (r == 0 && reclaim_spare()) {
		while (from > 0 && !pages[from - 1] && fill_add(o, first + from - 1, &pages[from - 1]))
			from--;
		while (end < n && !pages[end] && fill_add(o, first + end, &pages[end]))
			end++;
	}
	spin_unlock(&o->lock);
	*ret_from = from;
	*ret_n = end - from;
	return r;
}

/* A page was read, or not: unlock it and drop our reference. */
static void fill_done(struct vm_object *o, struct page *p, int error)
{
	if (error) {
		bool ours;
		page_set(p, PAGE_ERROR);
		spin_lock(&o->lock);
		ours = p->object == o;
		if (ours)
			object_remove_locked(o, p);
		spin_unlock(&o->lock);
		vm_page_unlock(p);
		if (ours)
			page_put(p);
	} else {
		page_set(p, PAGE_UPTODATE);
		if (o->reclaimable)
			lru_add(p);
		vm_page_unlock(p);
	}
	page_put(p);
}

/* (vm_impl.h) */
int object_fill(struct vm_object *o, u64 index, u64 want, struct page **ret_page)
{
	UNINITIALISED struct page *window[FILL_MAX];
	struct page *p = reclaim_page_for_file(object_page_kind(o));
	unsigned from, n;

	if (!p)
		return -ENOMEM;
	int r = fill_insert(o, index, want, p, window, &from, &n);
	if (r) {
		page_put(p);
		return r;
	}
	struct page **pages = window + from;
	page_get(p);                     /* the caller's */
	WRITE_ONCE(o->ra_next, pages[0]->index + n);
	r = o->ops->read_pages(o, pages, n);
	if (r && n > 1) {
		/* Perhaps only a neighbour is bad: forget them and read the one page. */
		for (unsigned i = 0; i < n; i++)
			if (pages[i] != p)
				fill_done(o, pages[i], r);
		pages = &p;
		n = 1;
		r = o->ops->read_pages(o, pages, n);
	}
	for (unsigned i = 0; i < n; i++)
		fill_done(o, pages[i], r);
	if (r) {
		page_put(p);
		return r;
	}
	*ret_page = p;
	return 0;
}
