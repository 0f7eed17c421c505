/*
 * object_io.c - bytes between objects and uio, and the write-back of dirty pages.
 *
 * Invariants:
 *  (I1) No lock is held while bytes move to or from the program: its pages may fault, and may be
 *       mappings of this very object.
 *  (I2) A page enters the tree only with valid contents: a page that is to be overwritten as a
 *       whole is filled before it is inserted.
 *  (I3) Before write_pages sees a page, its dirty mark is cleared and its mappings are read-only;
 *       a store during the write marks it again.
 */
#include "vm/vm_impl.h"
#include "sched/thread.h"

#define READ_GANG 16u

/* A read of n bytes, at off and in one page, that finds no page there; todo: what is wanted from off on. Bytes moved or an error. */
static NOINLINE COLD ssize_t read_absent(struct vm_object *o, struct uio *u, u64 off, size_t n, size_t todo)
{
	size_t in_page = off & (PAGE_SIZE - 1);
	struct page *p = NULL;
	int r = 0;

	if (o->ops->read_absent)
		r = o->ops->read_absent(o, off >> PAGE_SHIFT, &p);
	else if (!object_is_memory(o))
		r = readahead_miss(o, off >> PAGE_SHIFT, DIV_ROUND_UP(in_page + todo, PAGE_SIZE), &p);
	if (r)
		return r;
	if (!p)
		return (ssize_t)uio_put_zero(u, n);
	n = uio_put(u, (u8 *)page_to_virt(p) + in_page, n);
	page_put(p);
	return (ssize_t)n;
}

/* What a read has of a page, and of what lies in memory behind it; p may be NULL (absent). Bytes moved, or an error if nothing could be. */
static ALWAYS_INLINE ssize_t read_page(struct vm_object *o, struct uio *u, struct page *p, u64 off, size_t n, size_t todo)
{
	if (unlikely(!p))
		return read_absent(o, u, off, n, todo);
	size_t moved = uio_put(u, (u8 *)page_to_virt(p) + (off & (PAGE_SIZE - 1)), n);
	page_put_here(p);
	return (ssize_t)moved;
}

/* How many of the n pages, the first of which is there, lie one behind the other in memory as their structs do. */
static ALWAYS_INLINE unsigned run_length(struct page *const *pages, unsigned n)
{
	unsigned k = 1;

	while (k < n && pages[k] == pages[0] + k)
		k++;
	return k;
}

/* The pages of a longer read, looked up READ_GANG at a time; neighbours in memory are copied as one. */
static NOINLINE COLD ssize_t read_many(struct vm_object *o, struct uio *u, u64 off, size_t todo)
{
	UNINITIALISED struct page *pages[READ_GANG];
	unsigned have = 0, at = 0;
	size_t done = 0;
	ssize_t moved = 0;

	while (todo) {
		size_t in_page = off & (PAGE_SIZE - 1);
		if (at == have) {
			if (done)
				sched_poll();
			have = (unsigned)MIN((in_page + todo + PAGE_SIZE - 1) >> PAGE_SHIFT, READ_GANG);
			at = 0;
			if (unlikely(o->ra_mark - (off >> PAGE_SHIFT) < have))
				readahead_mark(o);
			object_gang(o, off >> PAGE_SHIFT, have, pages);
		}
		struct page *p = pages[at];
		unsigned run = p ? run_length(pages + at, have - at) : 1;
		if (!p)                      /* it may have come with its neighbour */
			p = vm_object_lookup(o, off >> PAGE_SHIFT);
		size_t n = MIN(run * PAGE_SIZE - in_page, todo);
		moved = read_page(o, u, p, off, n, todo);
		for (at++; --run; at++)
			page_put_here(pages[at]);
		if (moved <= 0)
			break;
		done += (size_t)moved;
		off += (size_t)moved;
		todo -= (size_t)moved;
		if (unlikely((size_t)moved < n))
			break;
	}
	while (at < have) {
		if (pages[at])
			page_put(pages[at]);
		at++;
	}
	return done || moved >= 0 ? uio_result(u, done) : moved;
}

ssize_t vm_object_read(struct vm_object *o, struct uio *u, u64 off, u64 size)
{
	if (off >= size)
		return 0;
	size_t todo = MIN((u64)u->resid, size - off);
	if ((off & (PAGE_SIZE - 1)) + todo > PAGE_SIZE)
		return read_many(o, u, off, todo);
	if (unlikely(!todo))
		return 0;
	if (unlikely(o->ra_mark == off >> PAGE_SHIFT))
		readahead_mark(o);
	ssize_t moved = read_page(o, u, object_lookup(o, off >> PAGE_SHIFT), off, todo, todo);
	return moved < 0 ? moved : uio_result(u, (size_t)moved);
}

/* Write a whole page that is not in the object: fill a fresh one, then insert it; keeps (I2). Bytes moved or errno. */
static ssize_t write_fresh(struct vm_object *o, struct uio *u, u64 index)
{
	struct page *fresh = object_fresh_page(o, 0), *p;

	if (!fresh)
		return -ENOMEM;
	u8 *data = page_to_virt(fresh);
	size_t moved = uio_get(u, data, PAGE_SIZE);
	if (moved < PAGE_SIZE && !object_is_memory(o)) {
		/* A fault in the middle: give the bytes back, and let the caller take the page that is on disk. */
		uio_revert(u, moved);
		page_put(fresh);
		return 0;
	}
	memset(data + moved, 0, PAGE_SIZE - moved);
	spin_lock(&o->lock);
	int r = object_insert_locked(o, index, fresh, PAGE_UPTODATE);
	if (r == 0)
		page_get(fresh);
	spin_unlock(&o->lock);
	p = fresh;
	if (r) {
		if (r == -EEXIST) {
			r = object_get(o, index, 1, &p);
			if (r == 0)
				memcpy(page_to_virt(p), data, moved);
		}
		page_put(fresh);
		if (r) {
			uio_revert(u, moved);
			return r;
		}
	}
	vm_object_mark_dirty(o, p);
	page_put(p);
	return (ssize_t)moved;
}

/* Write part of a page, or one that is there. */
static ssize_t write_in_place(struct vm_object *o, struct uio *u, u64 index, size_t in_page, size_t n)
{
	struct page *p;
	int r = object_get(o, index, 1, &p);

	if (r)
		return r;
	size_t moved = uio_get(u, (u8 *)page_to_virt(p) + in_page, n);
	if (moved)
		vm_object_mark_dirty(o, p);
	page_put(p);
	return (ssize_t)moved;
}

ssize_t vm_object_write(struct vm_object *o, struct uio *u, u64 off)
{
	size_t done = 0;

	while (u->resid && !u->fault) {
		u64 index = off >> PAGE_SHIFT;
		size_t in_page = off & (PAGE_SIZE - 1);
		size_t n = MIN(PAGE_SIZE - in_page, u->resid);
		ssize_t moved = 0;
		struct page *there = n == PAGE_SIZE ? vm_object_lookup(o, index) : NULL;
		if (there) {
			page_put(there);
		} else if (n == PAGE_SIZE) {
			moved = write_fresh(o, u, index);
		}
		if (moved == 0) {
			u->fault = false;
			moved = write_in_place(o, u, index, in_page, n);
		}
		if (moved < 0)
			return done ? (ssize_t)done : moved;
		done += (size_t)moved;
		off += (size_t)moved;
		if (u->resid)
			sched_poll();
	}
	return uio_result(u, done);
}

/* ---- Write-back ---- */

#define SYNC_MAX VM_WRITE_PAGES_MAX

/* References to the dirty pages from *index to last, as many as there is room for; *index is behind them then. */
static unsigned sync_collect(struct vm_object *o, u64 *index, u64 last, struct page *pages[SYNC_MAX])
{
	unsigned n = 0;
	u64 at = *index;
	struct page *p;

	spin_lock(&o->lock);
	while (n < SYNC_MAX && at >= *index && (p = radix_next_marked(&o->tree, &at)) != NULL && at <= last) {
		page_get(p);
		pages[n++] = p;
		at++;
	}
	spin_unlock(&o->lock);
	*index = at;
	return n;
}

/* Lock the pages and make them clean and read-only; those that are gone or clean by now are dropped from the list. */
static unsigned sync_prepare(struct vm_object *o, struct page **pages, unsigned n)
{
	UNINITIALISED struct vm_gather g;
	unsigned kept = 0;

	gather_init(&g);
	for (unsigned i = 0; i < n; i++) {
		struct page *p = pages[i];
		vm_page_lock(p);
		spin_lock(&o->lock);
		bool dirty = p->object == o && object_clean_page_locked(p);
		if (dirty) {
			radix_clear_mark(&o->tree, p->index);
			object_write_protect_locked(o, p, &g);
		}
		spin_unlock(&o->lock);
		if (dirty) {
			pages[kept++] = p;
		} else {
			vm_page_unlock(p);
			page_put(p);
		}
	}
	gather_finish(&g);               /* keeps (I3) */
	return kept;
}

/* What failed is dirty again. */
static int sync_write(struct vm_object *o, struct page **pages, unsigned n)
{
	int r = n ? o->ops->write_pages(o, pages, n) : 0;

	for (unsigned k = 0; k < n; k++) {
		if (r)
			vm_object_mark_dirty(o, pages[k]);
		vm_page_unlock(pages[k]);
		page_put(pages[k]);
	}
	return r;
}

COLD int vm_object_sync(struct vm_object *o, u64 first, u64 last)
{
	UNINITIALISED struct page *pages[SYNC_MAX];
	int error = 0;

	if (!o->ops->write_pages)
		return 0;
	/* Pages that somebody is writing are not dirty any more and not yet on the device: fsync must not pass them by. */
	mutex_lock(&o->sync_lock);
	for (u64 at = first; at <= last;) {
		u64 next = at;
		unsigned n = sync_collect(o, &next, last, pages);
		if (!n)
			break;
		n = sync_prepare(o, pages, n);
		int r = sync_write(o, pages, n);
		if (r && !error)
			error = r;
		if (next <= at)
			break;
		at = next;
		sched_poll();
	}
	mutex_unlock(&o->sync_lock);
	return error;
}
