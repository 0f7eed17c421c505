/*
 * pipe.c - pipes.
 *
 * Data lies in a ring of up to nbufs page pieces. A write goes on in the last piece if it fits
 * there whole (PIPE_BUF_MERGE) and otherwise takes new pages; so a write of at most PIPE_BUF
 * bytes is never divided. With O_DIRECT each write makes packets.
 *
 * Invariants:
 *  1. head - tail is the number of pieces, at most nbufs; each has a page and len > 0.
 *  2. readers, writers count open ends; the pipe is freed with its last file.
 *
 * Locks: pipe->mtx; user memory is copied under it (the page fault path takes no pipe).
 * What can fail: memory, the program's addresses.
 */
#include "proc/pipe.h"
#include "proc/signal.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "base/log.h"
#include "base/print.h"

#define PIPE_FEW_BUFS 2u             /* of a pipe that is made when there are many */

static u64 reserved_pages;           /* atomic: the sum of nbufs of all pipes */

/*
 * As Linux has it for one user (fs.pipe-user-pages-soft): pipes that could fill an eighth of memory are as large as they like,
 * further ones begin with two pages and cannot grow. And beyond a quarter there are no more.
 */
static bool reserve_over(u64 n, unsigned share) { return READ_ONCE(reserved_pages) + n > page_total_count() / share; }
static void reserve(s64 n) { __atomic_fetch_add(&reserved_pages, (u64)n, __ATOMIC_RELAXED); }

struct pipe *file_pipe(const struct file *f)
{
	return f->ops == &pipe_file_ops ? f->priv : NULL;
}

void pipe_raise_sigpipe(void)
{
	if (task_current())              /* not for a worker: it has nobody to tell */
		signal_send(task_current(), SIG_PIPE, NULL);
}

void pipe_wake_readers(struct pipe *p) { waitq_wake(&p->waitq, POLL_IN | POLL_RDNORM, ~0u); }
void pipe_wake_writers(struct pipe *p) { waitq_wake(&p->waitq, POLL_OUT | POLL_WRNORM, ~0u); }

/* ---- Pieces ---- */

void pipe_drop_tail_locked(struct pipe *p)
{
	struct pipe_buf *b = pipe_buf_at(p, p->tail++);

	if (!p->spare && __atomic_load_n(&b->page->refs, __ATOMIC_RELAXED) == 1)
		p->spare = b->page;
	else
		page_put(b->page);
	b->page = NULL;
}

int pipe_new_page_locked(struct pipe *p, struct page **ret)
{
	*ret = p->spare ? p->spare : page_alloc_wait(0, PAGE_FOR(PAGE_KIND_PIPE));
	p->spare = NULL;
	return *ret ? 0 : -ENOMEM;
}

static int wait_locked(struct pipe *p, bool (*done)(struct pipe *p), u32 key)
{
	NO_AUTO_INIT struct waiter w;
	int r = 0;

	waitq_prepare(&p->waitq, &w, false);
	w.entry.key = key;
	while (!done(p)) {
		mutex_unlock(&p->mtx);
		r = waitq_block(&w, true, WAIT_FOREVER);
		mutex_lock(&p->mtx);
		if (r)
			break;
	}
	waitq_finish(&w);
	return done(p) ? 0 : r;
}

static bool data_or_end(struct pipe *p) { return !pipe_empty(p) || !p->writers; }
static bool room_or_end(struct pipe *p) { return !pipe_full(p) || !p->readers; }

int pipe_wait_data_locked(struct pipe *p, bool nonblock)
{
	if (data_or_end(p))
		return 0;
	return nonblock ? -EAGAIN : wait_locked(p, data_or_end, POLL_IN | POLL_HUP);
}

int pipe_wait_room_locked(struct pipe *p, bool nonblock)
{
	int r = 0;

	if (!room_or_end(p))
		r = nonblock ? -EAGAIN : wait_locked(p, room_or_end, POLL_OUT | POLL_ERR);
	return r ? r : p->readers ? 0 : -EPIPE;
}

/* ---- Reading ---- */

/* Move from the tail piece; true if reading may go on with the next. */
static bool read_piece_locked(struct pipe *p, struct uio *u, size_t *done)
{
	struct pipe_buf *b = pipe_buf_at(p, p->tail);
	size_t n = uio_put(u, (u8 *)page_to_virt(b->page) + b->off, b->len);
	bool packet = b->flags & PIPE_BUF_PACKET;

	*done += n;
	b->off += (u32)n;
	b->len -= (u32)n;
	if (u->fault)
		return false;
	if (!b->len || packet)
		pipe_drop_tail_locked(p);
	return !packet && u->resid;
}

static ssize_t pipe_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct pipe *p = f->priv;
	size_t done = 0;
	int r = 0;

	if (!u->resid)
		return 0;
	mutex_lock(&p->mtx);
	r = pipe_wait_data_locked(p, nonblock);
	bool was_full = pipe_full(p);
	if (r == 0)
		while (!pipe_empty(p) && read_piece_locked(p, u, &done))
			;
	bool wake = was_full && !pipe_full(p);
	mutex_unlock(&p->mtx);
	if (wake)
		pipe_wake_writers(p);
	return r ? r : uio_result(u, done);
}

/* ---- Writing ---- */

/* The first bytes may go on in the last piece, if it was not empty there and they fit whole. */
static size_t write_merge_locked(struct pipe *p, struct uio *u)
{
	size_t n = u->resid & (PAGE_SIZE - 1);
	struct pipe_buf *b;

	if (!n || pipe_empty(p))
		return 0;
	b = pipe_buf_at(p, p->head - 1);
	if (!(b->flags & PIPE_BUF_MERGE) || b->off + b->len + n > PAGE_SIZE)
		return 0;
	n = uio_get(u, (u8 *)page_to_virt(b->page) + b->off + b->len, n);
	b->len += (u32)n;
	return n;
}

static ssize_t write_page_locked(struct pipe *p, struct uio *u, bool packet)
{
	struct page *page;
	int r = pipe_new_page_locked(p, &page);

	if (r < 0)
		return r;
	size_t n = uio_get(u, page_to_virt(page), MIN(u->resid, PAGE_SIZE));
	if (!n || (packet && u->fault)) {
		p->spare = page;
		return -EFAULT;
	}
	*pipe_buf_at(p, p->head++) = (struct pipe_buf){ page, 0, (u32)n, packet ? PIPE_BUF_PACKET : PIPE_BUF_MERGE };
	return (ssize_t)n;
}

static ssize_t write_locked(struct pipe *p, struct uio *u, bool packet, bool nonblock)
{
	size_t done = packet ? 0 : write_merge_locked(p, u);
	ssize_t r = 0;

	while (u->resid && !u->fault) {
		if (done && pipe_full(p))
			pipe_wake_readers(p);    /* before waiting for them; what is there at the end is told without the lock, which they want */
		r = pipe_wait_room_locked(p, nonblock);
		if (r == 0)
			r = write_page_locked(p, u, packet);
		if (r < 0)
			break;
		done += (size_t)r;
	}
	if (r == -EPIPE)
		pipe_raise_sigpipe();
	return done ? (ssize_t)done : r < 0 ? r : uio_result(u, done);
}

static ssize_t pipe_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct pipe *p = f->priv;
	ssize_t n;

	if (!u->resid)
		return 0;
	mutex_lock(&p->mtx);
	if (!p->readers) {
		pipe_raise_sigpipe();
		n = -EPIPE;
	} else {
		n = write_locked(p, u, file_flags(f) & LX_O_DIRECT, nonblock);
	}
	bool more = !pipe_full(p);
	mutex_unlock(&p->mtx);
	if (n > 0)
		pipe_wake_readers(p);
	if (more && n < 0)
		pipe_wake_writers(p);
	return n;
}

/* ---- The rest of a file's life ---- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 ev = 0;

	poll_add(pt, &p->waitq);
	if (file_can_read(f)) {
		if (!pipe_empty(p))
			ev |= POLL_IN | POLL_RDNORM;
		if (!READ_ONCE(p->writers) && f->fifo_seen != READ_ONCE(p->writer_opens))
			ev |= POLL_HUP;
	}
	if (file_can_write(f)) {
		if (!pipe_full(p))
			ev |= POLL_OUT | POLL_WRNORM;
		if (!READ_ONCE(p->readers))
			ev |= POLL_ERR;
	}
	return ev;
}

static int pipe_ioctl(struct file *f, u32 cmd, void *kbuf)
{
	struct pipe *p = f->priv;
	u32 sum = 0;

	if (cmd != 0x541b) /* FIONREAD */
		return -ENOTTY;
	mutex_lock(&p->mtx);
	for (u32 i = p->tail; i != p->head; i++)
		sum += pipe_buf_at(p, i)->len;
	mutex_unlock(&p->mtx);
	*(int *)kbuf = (int)sum;
	return 0;
}

static int pipe_getattr(struct file *f, struct vattr *ret)
{
	struct pipe *p = f->priv;

	if (p->vnode)
		return fs_getattr(p->vnode, ret);
	file_fill_vattr(ret, p->ino, LX_S_IFIFO | 0600, FILE_DEV_PIPE, 4096);
	return 0;
}

static ssize_t pipe_describe(struct file *f, char *buf, size_t size)
{
	struct pipe *p = f->priv;

	if (p->vnode)
		return fs_path_show(p->vnode, buf, size);
	return fmt_buf(buf, size, "pipe:[%llu]", (unsigned long long)p->ino);
}

void pipe_free(struct pipe *p)
{
	while (!pipe_empty(p))
		pipe_drop_tail_locked(p);
	if (p->spare)
		page_put(p->spare);
	reserve(-(s64)p->nbufs);
	heap_free(p->bufs);
	heap_free(p);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;
	struct vnode *v = p->vnode;

	mutex_lock(&p->mtx);
	p->readers -= file_can_read(f);
	p->writers -= file_can_write(f);
	mutex_unlock(&p->mtx);
	waitq_wake_all(&p->waitq);
	if (fifo_drop(p))
		pipe_free(p);
	if (v)
		vnode_put(v);
}

const struct file_ops pipe_file_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.getattr = pipe_getattr,
	.describe = pipe_describe,
	.release = pipe_release,
};

/* ---- Size ---- */

int pipe_size(struct pipe *p)
{
	return (int)(p->nbufs * PAGE_SIZE);
}

static int resize_locked(struct pipe *p, u32 n)
{
	struct pipe_buf *bufs;
	u32 used = p->head - p->tail;

	if (used > n)
		return -EBUSY;
	bufs = heap_alloc_array(n, sizeof(*bufs));
	if (!bufs)
		return -ENOMEM;
	for (u32 i = 0; i < used; i++)
		bufs[i] = *pipe_buf_at(p, p->tail + i);
	heap_free(p->bufs);
	reserve((s64)n - (s64)p->nbufs);
	p->bufs = bufs;
	p->nbufs = n;
	p->tail = 0;
	p->head = used;
	return (int)(n * PAGE_SIZE);
}

COLD int pipe_resize(struct pipe *p, u64 bytes)
{
	u32 n = 1;
	int r;

	if (bytes > 1u << 31)
		return -EINVAL;
	while (n * PAGE_SIZE < bytes)
		n *= 2;
	mutex_lock(&p->mtx);
	bool may_grow = n * PAGE_SIZE <= PIPE_MAX_BYTES && !reserve_over(n - p->nbufs, 8);
	r = n > p->nbufs && !may_grow ? -EPERM : resize_locked(p, n);
	mutex_unlock(&p->mtx);
	pipe_wake_writers(p);
	return r;
}

/* ---- Making ---- */

struct pipe *pipe_new(void)
{
	u32 n = reserve_over(PIPE_DEFAULT_BUFS, 8) ? PIPE_FEW_BUFS : PIPE_DEFAULT_BUFS;
	struct pipe *p = reserve_over(n, 4) ? NULL : heap_alloc(sizeof(*p));

	if (!p)
		return NULL;
	p->bufs = heap_alloc_array(n, sizeof(*p->bufs));
	if (!p->bufs) {
		heap_free(p);
		return NULL;
	}
	p->nbufs = n;
	reserve((s64)n);
	mutex_init(&p->mtx);
	waitq_init(&p->waitq);
	p->ino = file_next_ino();
	return p;
}

int pipe_create(u32 flags, struct file **ret_read, struct file **ret_write)
{
	u32 keep = flags & (LX_O_NONBLOCK | LX_O_DIRECT);
	struct pipe *p = pipe_new();
	struct file *r = file_alloc(&pipe_file_ops, LX_O_RDONLY | (keep & LX_O_NONBLOCK));
	struct file *w = file_alloc(&pipe_file_ops, LX_O_WRONLY | keep);

	if (!p || !r || !w) {
		if (p)
			pipe_free(p);
		file_discard(r);
		file_discard(w);
		return -ENOMEM;
	}
	p->readers = p->writers = p->reader_opens = p->writer_opens = 1;
	p->files = 2;
	r->priv = w->priv = p;
	*ret_read = r;
	*ret_write = w;
	return 0;
}

int pipe_reopen(struct file *f, u32 flags, struct file **ret)
{
	struct pipe *p = f->priv;
	struct file *n;

	if (p->vnode)
		return file_from_vnode(p->vnode, flags, ret);
	n = file_alloc(&pipe_file_ops, flags & ~LX_O_NOT_STATUS);
	if (!n)
		return -ENOMEM;
	mutex_lock(&p->mtx);
	p->readers += file_can_read(n);
	p->reader_opens += file_can_read(n);
	p->writers += file_can_write(n);
	p->writer_opens += file_can_write(n);
	p->files++;
	mutex_unlock(&p->mtx);
	n->priv = p;
	*ret = n;
	return 0;
}
