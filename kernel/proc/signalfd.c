/*
 * signalfd.c - pending signals as a file. A read takes those that are pending for the caller.
 *
 * Locks: those of signal.c. What can fail: memory; waiting can be interrupted by other signals.
 */
#include "proc/event_files.h"
#include "base/print.h"
#include "mm/heap.h"

struct signalfd {
	sigset mask;                 /* atomic */
	void (*pack)(void *ret_record, const struct siginfo *info);
};

static ssize_t signalfd_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct signalfd *s = f->priv;
	u8 record[SIGNALFD_RECORD];
	struct siginfo info;
	size_t done = 0;

	if (u->resid < SIGNALFD_RECORD)
		return -EINVAL;
	while (u->resid >= SIGNALFD_RECORD) {
		sigset mask = READ_ONCE(s->mask);
		if (!signal_take_from(mask, &info)) {
			if (done)
				break;
			if (nonblock)
				return -EAGAIN;
			int r = WAIT_EVENT_INTR(&process.sig_waitq, signal_poll(READ_ONCE(s->mask), NULL), WAIT_FOREVER);
			if (r)
				return r;
			continue;
		}
		s->pack(record, &info);
		if (uio_put(u, record, sizeof(record)) != sizeof(record))
			return done ? (ssize_t)done : -EFAULT;
		done += sizeof(record);
	}
	return (ssize_t)done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;

	return signal_poll(READ_ONCE(s->mask), pt);
}

static void signalfd_release(struct file *f)
{
	heap_free(f->priv);
}

static ssize_t signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->priv;

	return fmt_buf(buf, size, "sigmask:\t%016llx\n", (unsigned long long)READ_ONCE(s->mask));
}

static const struct file_ops signalfd_file_ops = {
	.kind = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.fdinfo = signalfd_fdinfo,
	.release = signalfd_release,
};

bool file_is_signalfd(const struct file *f)
{
	return f->ops == &signalfd_file_ops;
}

void signalfd_set_mask(struct file *f, sigset mask)
{
	struct signalfd *s = f->priv;

	WRITE_ONCE(s->mask, mask & ~SIGSET_UNBLOCKABLE);
	waitq_wake_all(&process.sig_waitq);
}

int signalfd_create(sigset mask, void (*pack)(void *, const struct siginfo *), struct file **ret)
{
	struct signalfd *s = heap_alloc(sizeof(*s));
	struct file *f = file_alloc(&signalfd_file_ops, LX_O_RDWR);

	if (!s || !f) {
		heap_free(s);
		file_discard(f);
		return -ENOMEM;
	}
	s->mask = mask & ~SIGSET_UNBLOCKABLE;
	s->pack = pack;
	f->priv = s;
	*ret = f;
	return 0;
}
