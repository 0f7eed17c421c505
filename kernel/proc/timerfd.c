/*
 * timerfd.c - timers as files, over proc/timers.h: an expiry makes the file readable, read takes
 * the number of periods and arms a repeating timer again.
 *
 * The wall clock is never set while the program runs (clock_settime is refused), so a timer that
 * asks to be cancelled by that never is. Locks: the ptimer's. What can fail: memory.
 */
#include "proc/event_files.h"
#include "base/print.h"
#include "mm/heap.h"

struct timerfd {
	struct ptimer timer;
	struct waitq waitq;
};

static void timerfd_fire(struct ptimer *p)
{
	waitq_wake(&container_of(p, struct timerfd, timer)->waitq, POLL_IN | POLL_RDNORM, ~0u);
}

static ssize_t timerfd_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct timerfd *t = f->priv;
	u64 n;
	int r = 0;

	if (u->resid < sizeof(n))
		return -EINVAL;
	n = ptimer_take(&t->timer);
	while (!n && r == 0) {
		r = nonblock ? -EAGAIN : WAIT_EVENT_INTR(&t->waitq, ptimer_expired(&t->timer), WAIT_FOREVER);
		n = r ? 0 : ptimer_take(&t->timer);
	}
	if (!n)
		return r;
	return uio_put_u64(u, n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_add(pt, &t->waitq);
	return ptimer_expired(&t->timer) ? POLL_IN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	ptimer_stop(&t->timer);
	heap_free(t);
}

static ssize_t timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->priv;
	u64 left, interval;

	ptimer_get(&t->timer, &left, &interval);
	return fmt_buf(buf, size, "clockid: %d\nticks: %d\nsettime flags: 00\nit_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
		       t->timer.clock == PCLOCK_REAL ? 0 : t->timer.clock == PCLOCK_MONO ? 1 : 7, ptimer_expired(&t->timer),
		       (unsigned long long)(left / NSEC_PER_SEC), (unsigned long long)(left % NSEC_PER_SEC),
		       (unsigned long long)(interval / NSEC_PER_SEC), (unsigned long long)(interval % NSEC_PER_SEC));
}

static const struct file_ops timerfd_file_ops = {
	.kind = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.fdinfo = timerfd_fdinfo,
	.release = timerfd_release,
};

bool file_is_timerfd(const struct file *f)
{
	return f->ops == &timerfd_file_ops;
}

int timerfd_create(enum proc_clock c, struct file **ret)
{
	struct timerfd *t = heap_alloc(sizeof(*t));
	struct file *f = file_alloc(&timerfd_file_ops, LX_O_RDWR);

	if (!t || !f) {
		heap_free(t);
		file_discard(f);
		return -ENOMEM;
	}
	waitq_init(&t->waitq);
	ptimer_init(&t->timer, c, 0, timerfd_fire);
	f->priv = t;
	*ret = f;
	return 0;
}

void timerfd_set(struct file *f, bool absolute, bool cancel_on_set, u64 value_ns, u64 interval_ns, u64 *ret_left, u64 *ret_interval)
{
	struct timerfd *t = f->priv;

	ptimer_set(&t->timer, absolute, value_ns, interval_ns, ret_left, ret_interval);
}

void timerfd_get(struct file *f, u64 *ret_left_ns, u64 *ret_interval_ns)
{
	struct timerfd *t = f->priv;

	ptimer_get(&t->timer, ret_left_ns, ret_interval_ns);
}
