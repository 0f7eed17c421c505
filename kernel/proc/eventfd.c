/*
 * eventfd.c - a 64-bit counter as a file.
 *
 * Invariant: a write leaves count <= COUNT_MAX; only the kernel's own signals fill it up. Locks: e->lock (spinlock); user copies outside of it.
 * What can fail: memory; waiting can be interrupted.
 */
#include "proc/event_files.h"
#include "base/print.h"
#include "mm/heap.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock;
	u64 count;                   /* L: lock */
	bool semaphore;
	u32 id;
	struct waitq waitq;
};

/* Take the count (or 1 of it); 0: there is none. */
static u64 take(struct eventfd *e)
{
	spin_lock(&e->lock);
	u64 n = e->count && e->semaphore ? 1 : e->count;
	e->count -= n;
	spin_unlock(&e->lock);
	return n;
}

static bool give(struct eventfd *e, u64 n)
{
	spin_lock(&e->lock);
	bool ok = e->count <= COUNT_MAX && COUNT_MAX - e->count >= n;
	if (ok)
		e->count += n;
	spin_unlock(&e->lock);
	return ok;
}

static ssize_t eventfd_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct eventfd *e = f->priv;
	u64 n;
	int r = 0;

	if (u->resid < sizeof(n))
		return -EINVAL;
	n = take(e);
	while (!n && r == 0) {
		r = nonblock ? -EAGAIN : WAIT_EVENT_INTR(&e->waitq, READ_ONCE(e->count), WAIT_FOREVER);
		n = r ? 0 : take(e);
	}
	if (!n)
		return r;
	waitq_wake(&e->waitq, POLL_OUT | POLL_WRNORM, ~0u);
	return uio_put(u, &n, sizeof(n)) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct eventfd *e = f->priv;
	u64 n;
	int r = 0;

	if (u->resid < sizeof(n))
		return -EINVAL;
	if (uio_get(u, &n, sizeof(n)) != sizeof(n))
		return -EFAULT;
	if (n == UINT64_MAX)
		return -EINVAL;
	while (!give(e, n)) {
		r = nonblock ? -EAGAIN : WAIT_EVENT_INTR(&e->waitq, COUNT_MAX - READ_ONCE(e->count) >= n, WAIT_FOREVER);
		if (r)
			return r;
	}
	waitq_wake(&e->waitq, POLL_IN | POLL_RDNORM, ~0u);
	return sizeof(n);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;

	poll_add(pt, &e->waitq);
	count = READ_ONCE(e->count);
	return (count ? POLL_IN : 0) | (count == UINT64_MAX ? POLL_ERR : 0) | (count < COUNT_MAX ? POLL_OUT : 0);
}

static ssize_t eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->priv;

	return fmt_buf(buf, size, "eventfd-count: %16llx\neventfd-id: %u\neventfd-semaphore: %d\n",
		       (unsigned long long)READ_ONCE(e->count), e->id, e->semaphore);
}

static void eventfd_release(struct file *f)
{
	heap_free(f->priv);
}

static const struct file_ops eventfd_file_ops = {
	.kind = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.fdinfo = eventfd_fdinfo,
	.release = eventfd_release,
};

bool file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_file_ops;
}

void eventfd_signal(struct file *f, u64 n)
{
	struct eventfd *e = f->priv;

	spin_lock(&e->lock);
	e->count += MIN(n, UINT64_MAX - e->count);
	spin_unlock(&e->lock);
	waitq_wake(&e->waitq, POLL_IN | POLL_RDNORM, ~0u);
}

int eventfd_create(u32 initial, bool semaphore, struct file **ret)
{
	struct eventfd *e = heap_alloc(sizeof(*e));
	struct file *f = file_alloc(&eventfd_file_ops, LX_O_RDWR);

	if (!e || !f) {
		heap_free(e);
		file_discard(f);
		return -ENOMEM;
	}
	spin_init(&e->lock);
	waitq_init(&e->waitq);
	e->count = initial;
	e->semaphore = semaphore;
	e->id = (u32)file_next_ino();
	f->priv = e;
	*ret = f;
	return 0;
}
