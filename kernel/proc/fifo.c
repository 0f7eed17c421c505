/*
 * fifo.c - named pipes: one struct pipe per vnode while it is open, and the rules of open().
 * Also the small record that proc/ hangs on a vnode (vnode_ext.h).
 *
 * Locks: vnode_ext_mutex > pipe->mtx. What can fail: memory; waiting can be interrupted.
 */
#include "proc/pipe.h"
#include "proc/vnode_ext.h"
#include "mm/heap.h"

struct mutex vnode_ext_mutex = MUTEX_INIT(vnode_ext_mutex);

struct vnode_ext *vnode_ext_get_locked(struct vnode *v)
{
	struct vnode_ext *x = v->locks;

	if (!x) {
		x = heap_alloc(sizeof(*x));
		if (!x)
			return NULL;
		list_init(&x->posix);
		list_init(&x->flock);
		waitq_init(&x->waitq);
		v->locks = x;
	}
	x->users++;
	return x;
}

void vnode_ext_put_locked(struct vnode *v)
{
	struct vnode_ext *x = v->locks;

	if (--x->users == 0) {
		v->locks = NULL;
		heap_free(x);
	}
}

/* The vnode's pipe with one more file counted, or NULL. */
static struct pipe *fifo_get(struct vnode *v)
{
	struct pipe *p = NULL;

	mutex_lock(&vnode_ext_mutex);
	struct vnode_ext *x = vnode_ext_get_locked(v);
	if (x && !x->fifo) {
		x->fifo = pipe_new();
		if (x->fifo)
			x->fifo->vnode = v;
	}
	if (x)
		p = x->fifo;
	if (p)
		p->files++;
	else if (x)
		vnode_ext_put_locked(v);
	mutex_unlock(&vnode_ext_mutex);
	return p;
}

bool fifo_drop(struct pipe *p)
{
	bool last;

	if (!p->vnode) {
		mutex_lock(&p->mtx);
		last = --p->files == 0;
		mutex_unlock(&p->mtx);
		return last;
	}
	mutex_lock(&vnode_ext_mutex);
	last = --p->files == 0;
	if (last)
		((struct vnode_ext *)p->vnode->locks)->fifo = NULL;
	vnode_ext_put_locked(p->vnode);
	mutex_unlock(&vnode_ext_mutex);
	return last;
}

static int wait_count(struct pipe *p, const u32 *count, u32 seen)
{
	return WAIT_EVENT_INTR(&p->waitq, READ_ONCE(*count) != seen, WAIT_FOREVER);
}

static int open_end(struct pipe *p, struct file *f)
{
	bool rd = file_can_read(f), wr = file_can_write(f), nonblock = file_nonblock(f);
	u32 seen_readers, seen_writers;
	bool alone;

	mutex_lock(&p->mtx);
	if (wr && !rd && nonblock && !p->readers) {
		mutex_unlock(&p->mtx);
		return -ENXIO;
	}
	seen_readers = p->reader_opens;
	seen_writers = p->writer_opens;
	p->readers += rd;
	p->reader_opens += rd;
	p->writers += wr;
	p->writer_opens += wr;
	alone = rd && wr ? false : rd ? !p->writers : !p->readers;
	if (rd && alone && nonblock)
		f->fifo_seen = p->writer_opens;
	mutex_unlock(&p->mtx);
	waitq_wake_all(&p->waitq);
	if (!alone || nonblock)
		return 0;
	int r = rd ? wait_count(p, &p->writer_opens, seen_writers) : wait_count(p, &p->reader_opens, seen_readers);
	if (r) {
		mutex_lock(&p->mtx);
		p->readers -= rd;
		p->writers -= wr;
		mutex_unlock(&p->mtx);
		waitq_wake_all(&p->waitq);
	}
	return r;
}

int fifo_open(struct vnode *v, struct file *f)
{
	struct pipe *p = fifo_get(v);
	int r;

	if (!p)
		return -ENOMEM;
	r = open_end(p, f);
	if (r) {
		if (fifo_drop(p))
			pipe_free(p);
		return r;
	}
	vnode_get(v);
	f->ops = &pipe_file_ops;
	f->priv = p;
	return 0;
}
