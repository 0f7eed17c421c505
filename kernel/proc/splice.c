/*
 * splice.c - sendfile, splice, tee, copy_file_range: bytes from file to file by pages.
 *
 * Pages of regular files go from the page cache straight to the other side. Pages of a pipe are
 * written from where they lie; tee shares them.
 *
 * Locks: a pipe's mtx is held while its tail is written elsewhere (as while the program copies).
 * Two pipes: by address. What can fail: both sides, memory.
 */
#include "proc/splice.h"
#include "proc/pipe.h"
#include "sched/thread.h"

static u64 *position(struct file *f, u64 *off)
{
	return off ? off : f->ops->seekable ? &f->pos : NULL;
}

/* ---- File to file ---- */

#define COPY_PAGES 16u               /* at once: enough for segments that the network card cuts */

/* Bytes at off of a regular file, those of a few pages, written to out in one piece. */
static ssize_t copy_cached(struct vnode *v, u64 off, struct file *out, const u64 *out_off, size_t len)
{
	NO_AUTO_INIT struct page *pages[COPY_PAGES];
	NO_AUTO_INIT struct uio_seg segs[COPY_PAGES];
	u64 size = READ_ONCE(v->size);
	unsigned npages = 0;
	ssize_t n = 0;
	struct uio u;

	for (len = off < size ? MIN(len, size - off) : 0; len && npages < COPY_PAGES; npages++) {
		size_t in_page = off % PAGE_SIZE, part = MIN(len, PAGE_SIZE - in_page);

		n = vm_object_get_page(v->object, off / PAGE_SIZE, &pages[npages]);
		if (n < 0)
			break;
		segs[npages] = (struct uio_seg){ (uintptr_t)page_to_virt(pages[npages]) + in_page, part };
		off += part;
		len -= part;
	}
	if (npages) {
		uio_init_kernel_segs(&u, segs, npages);
		n = file_write(out, &u, out_off, file_nonblock(out));
	}
	while (npages)
		page_put(pages[--npages]);
	return n;
}

/* The same through a page of our own, for files without a page cache. What was read and not written is lost only for streams. */
static ssize_t copy_bounced(struct file *in, const u64 *in_off, struct file *out, const u64 *out_off, size_t len)
{
	struct page *page = page_alloc_wait(0, PAGE_FOR(PAGE_KIND_PIPE));
	struct uio u;
	ssize_t n;

	if (!page)
		return -ENOMEM;
	uio_init_kernel(&u, page_to_virt(page), MIN(len, PAGE_SIZE));
	n = in->ops->read ? in->ops->read(in, &u, in_off ? *in_off : 0, file_nonblock(in)) : -EINVAL;
	if (n > 0) {
		uio_init_kernel(&u, page_to_virt(page), (size_t)n);
		n = file_write(out, &u, out_off, file_nonblock(out));
	}
	page_put(page);
	return n;
}

static ssize_t copy_piece(struct file *in, const u64 *in_off, struct file *out, const u64 *out_off, size_t len)
{
	struct vnode *v = in->vnode;

	if (v && v->type == VNODE_REG && v->object && !v->ops->read && !v->ops->read_handle)
		return copy_cached(v, *in_off, out, out_off, len);
	return copy_bounced(in, in_off, out, out_off, len);
}

ssize_t file_copy(struct file *in, u64 *in_off, struct file *out, u64 *out_off, size_t len)
{
	/* in's position is not locked meanwhile: out may be the same file, or another copy go the other way. */
	u64 at = in_off ? *in_off : READ_ONCE(in->pos);
	size_t done = 0;
	ssize_t n = 0;

	while (done < len) {
		n = copy_piece(in, &at, out, out_off, len - done);
		if (n <= 0)
			break;
		done += (size_t)n;
		at += (u64)n;
		if (out_off)
			*out_off += (u64)n;
		if (thread_interrupted()) {
			n = -ERESTARTSYS;
			break;
		}
		sched_poll();
	}
	if (in_off)
		*in_off = at;
	else if (in->ops->seekable && done)
		WRITE_ONCE(in->pos, at);
	return done ? (ssize_t)done : n;
}

/* ---- Pipe to file ---- */

ssize_t splice_from_pipe(struct file *in, struct file *out, u64 *out_off, size_t len, bool nonblock)
{
	struct pipe *p = file_pipe(in);
	size_t done = 0;
	ssize_t n;

	mutex_lock(&p->mtx);
	n = pipe_wait_data_locked(p, nonblock);
	bool was_full = pipe_full(p);
	while (n == 0 && done < len && !pipe_empty(p)) {
		struct pipe_buf *b = pipe_buf_at(p, p->tail);
		struct uio u;
		uio_init_kernel(&u, (u8 *)page_to_virt(b->page) + b->off, MIN((size_t)b->len, len - done));
		ssize_t w = file_write(out, &u, out_off, nonblock || file_nonblock(out));
		if (w <= 0) {
			n = w ? w : -EIO;
			break;
		}
		done += (size_t)w;
		if (out_off)
			*out_off += (u64)w;
		b->off += (u32)w;
		b->len -= (u32)w;
		if (!b->len)
			pipe_drop_tail_locked(p);
	}
	bool wake = was_full && !pipe_full(p);
	mutex_unlock(&p->mtx);
	if (wake)
		pipe_wake_writers(p);
	return done ? (ssize_t)done : n;
}

/* ---- File to pipe ---- */

static ssize_t fill_page_locked(struct pipe *p, struct file *in, const u64 *in_off, size_t len, bool nonblock)
{
	struct page *page;
	struct uio u;
	ssize_t n = pipe_new_page_locked(p, &page);

	if (n < 0)
		return n;
	uio_init_kernel(&u, page_to_virt(page), MIN(len, PAGE_SIZE));
	n = in->ops->read ? in->ops->read(in, &u, in_off ? *in_off : 0, nonblock) : -EINVAL;
	if (n <= 0) {
		if (!p->spare)
			p->spare = page;
		else
			page_put(page);
		return n;
	}
	*pipe_buf_at(p, p->head++) = (struct pipe_buf){ page, 0, (u32)n, 0 };
	return n;
}

ssize_t splice_to_pipe(struct file *in, u64 *in_off, struct file *out, size_t len, bool nonblock)
{
	struct pipe *p = file_pipe(out);
	u64 *at = position(in, in_off);
	size_t done = 0;
	ssize_t n = 0;

	mutex_lock(&p->mtx);
	if (!p->readers) {
		pipe_raise_sigpipe();
		n = -EPIPE;
	} else {
		n = pipe_wait_room_locked(p, nonblock);
	}
	while (n >= 0 && done < len && !pipe_full(p)) {
		n = fill_page_locked(p, in, at, len - done, nonblock || done || file_nonblock(in));
		if (n <= 0)
			break;
		done += (size_t)n;
		if (at)
			*at += (u64)n;
	}
	mutex_unlock(&p->mtx);
	if (done)
		pipe_wake_readers(p);
	return done ? (ssize_t)done : n;
}

static ssize_t copy_page_locked(struct pipe *p, struct uio *u)
{
	struct page *page;
	int r = pipe_new_page_locked(p, &page);

	if (r < 0)
		return r;
	size_t n = uio_get(u, page_to_virt(page), PAGE_SIZE);
	if (!n) {
		p->spare = page;
		return -EFAULT;
	}
	*pipe_buf_at(p, p->head++) = (struct pipe_buf){ page, 0, (u32)n, 0 };
	return (ssize_t)n;
}

ssize_t splice_user_to_pipe(struct uio *u, struct file *out, bool nonblock)
{
	struct pipe *p = file_pipe(out);
	size_t done = 0;
	ssize_t n;

	mutex_lock(&p->mtx);
	n = p->readers ? pipe_wait_room_locked(p, nonblock) : -EPIPE;
	if (n == -EPIPE)
		pipe_raise_sigpipe();
	while (n >= 0 && u->resid && !u->fault && !pipe_full(p)) {
		n = copy_page_locked(p, u);
		if (n > 0)
			done += (size_t)n;
	}
	mutex_unlock(&p->mtx);
	if (done)
		pipe_wake_readers(p);
	return done ? (ssize_t)done : n;
}

/* ---- Pipe to pipe ---- */

static void lock_both(struct pipe *a, struct pipe *b)
{
	mutex_lock((uintptr_t)a < (uintptr_t)b ? &a->mtx : &b->mtx);
	mutex_lock((uintptr_t)a < (uintptr_t)b ? &b->mtx : &a->mtx);
}

/* Share or move pieces while there are some and there is room; both are locked. */
static size_t move_pieces(struct pipe *from, struct pipe *to, size_t len, bool keep)
{
	size_t done = 0;

	for (u32 i = from->tail; done < len && i != from->head && !pipe_full(to); i++) {
		struct pipe_buf *b = pipe_buf_at(from, i);
		u32 n = (u32)MIN(b->len, len - done);
		page_get(b->page);
		*pipe_buf_at(to, to->head++) = (struct pipe_buf){ b->page, b->off, n, b->flags & PIPE_BUF_PACKET };
		/* Shared now: neither side may write on in it. */
		b->flags &= ~(u32)PIPE_BUF_MERGE;
		done += n;
		if (keep)
			continue;
		b->off += n;
		b->len -= n;
		if (!b->len)
			pipe_drop_tail_locked(from);
	}
	return done;
}

ssize_t splice_pipe_to_pipe(struct file *in, struct file *out, size_t len, bool nonblock, bool keep)
{
	struct pipe *from = file_pipe(in), *to = file_pipe(out);
	size_t done;
	int r;

	for (;;) {
		mutex_lock(&from->mtx);
		r = pipe_wait_data_locked(from, nonblock);
		bool end = pipe_empty(from);
		mutex_unlock(&from->mtx);
		if (r)
			return r;
		mutex_lock(&to->mtx);
		r = to->readers ? pipe_wait_room_locked(to, nonblock) : -EPIPE;
		mutex_unlock(&to->mtx);
		if (r == -EPIPE)
			pipe_raise_sigpipe();
		if (r)
			return r;
		if (end)
			return 0;
		lock_both(from, to);
		done = move_pieces(from, to, len, keep);
		mutex_unlock(&from->mtx);
		mutex_unlock(&to->mtx);
		if (done)
			break;
	}
	pipe_wake_readers(to);
	pipe_wake_writers(from);
	return (ssize_t)done;
}
