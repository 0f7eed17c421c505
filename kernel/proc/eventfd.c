/*
 * eventfd.c - a 64-bit counter as a file.
 *
 * Invariant: a write leaves count <= COUNT_MAX; only the kernel's own signals fill it up. Locks: none; count is changed by compare-and-exchange.
 * What can fail: memory; waiting can be interrupted.
 */
#include "proc/event_files.h"
#include "base/print.h"
#include "mm/heap.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	u64 count;                   /* atomic */
	bool semaphore;
	u32 id;
	struct waitq waitq;
};

/* Take the count (or 1 of it); 0: there is none. */
static ALWAYS_INLINE u64 take(struct eventfd *e)
{
	u64 c;

	if (likely(!e->semaphore))
		return READ_ONCE(e->count) ? __atomic_exchange_n(&e->count, 0, __ATOMIC_SEQ_CST) : 0;
	c = READ_ONCE(e->count);
	while (c && !__atomic_compare_exchange_n(&e->count, &c, c - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return c != 0;
}

/* Add n unless that would be too much. */
static ALWAYS_INLINE bool give(struct eventfd *e, u64 n)
{
	u64 c = READ_ONCE(e->count), sum;

	do {
		if (unlikely(__builtin_add_overflow(c, n, &sum) || sum > COUNT_MAX))
			return false;
	} while (unlikely(!__atomic_compare_exchange_n(&e->count, &c, sum, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)));
	return true;
}

/* Is there a count (room 0), or is room - 1 not too much? */
static NOINLINE bool can_go_on(const struct eventfd *e, u64 room)
{
	u64 c = READ_ONCE(e->count);

	return room ? c <= COUNT_MAX && COUNT_MAX - c >= room - 1 : c != 0;
}

static NOINLINE int wait_for(struct eventfd *e, u64 room, bool nonblock)
{
	NO_AUTO_INIT struct waiter w;
	int r = 0;

	if (nonblock)
		return -EAGAIN;
	waitq_prepare(&e->waitq, &w, false);
	while (!can_go_on(e, room) && r == 0)
		r = waitq_block(&w, true, WAIT_FOREVER);
	waitq_finish(&w);
	return likely(r == 0) || can_go_on(e, room) ? 0 : r;
}

static ssize_t eventfd_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct eventfd *e = f->priv;
	NO_AUTO_INIT u64 n;

	if (unlikely(u->resid < sizeof(n)))
		return -EINVAL;
	while (unlikely(!(n = take(e)))) {
		int r = wait_for(e, 0, nonblock);
		if (r)
			return r;
	}
	waitq_wake(&e->waitq, POLL_OUT | POLL_WRNORM, ~0u);
	return likely(uio_put_u64(u, n)) ? (ssize_t)sizeof(n) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct eventfd *e = f->priv;
	NO_AUTO_INIT u64 n;

	if (unlikely(u->resid < sizeof(n)))
		return -EINVAL;
	if (unlikely(!uio_get_u64(u, &n)))
		return -EFAULT;
	if (unlikely(n == UINT64_MAX))
		return -EINVAL;
	while (unlikely(!give(e, n))) {
		int r = wait_for(e, n + 1, nonblock);
		if (r)
			return r;
	}
	waitq_wake(&e->waitq, POLL_IN | POLL_RDNORM, ~0u);
	return sizeof(n);
}

static COLD NOINLINE struct eventfd *watched(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;

	poll_add(pt, &e->waitq);
	return e;
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	const struct eventfd *e = unlikely(pt) ? watched(f, pt) : f->priv;
	u64 count = READ_ONCE(e->count);

	if (!count)
		return POLL_OUT;
	if (unlikely(count >= COUNT_MAX))
		return count == UINT64_MAX ? POLL_IN | POLL_ERR : POLL_IN;
	return POLL_IN | POLL_OUT;
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

	u64 c = READ_ONCE(e->count);

	while (!__atomic_compare_exchange_n(&e->count, &c, c + MIN(n, UINT64_MAX - c), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
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
	waitq_init(&e->waitq);
	e->count = initial;
	e->semaphore = semaphore;
	e->id = (u32)file_next_ino();
	f->priv = e;
	*ret = f;
	return 0;
}
