/*
 * async.c - O_ASYNC: a signal to the owner when something can be read or written (pipes, sockets, inotify).
 *
 * A file with the flag hangs entries on its wait queues; their wake-ups send the signal. Invariant: the entries are on
 * queues of the file's own object, and come off before the file is released.
 *
 * Locks: async_mutex around switching; the wake-up runs under a foreign wait queue's lock and takes only
 * process.lock and what a signal takes. What can fail: memory.
 */
#include "proc/async.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "proc/signal.h"

enum { OWNER_TID, OWNER_PID, OWNER_PGRP };       /* F_OWNER_* */
enum { CODE_IN = 1, CODE_OUT = 2, CODE_PRI = 5, CODE_HUP = 6 };

struct async_wait {
	struct waitq_entry entry;
	struct file_async *a;
};

struct file_async {
	struct file *f;
	int fd;                      /* what the signal names */
	unsigned nwaits;
	struct async_wait waits[2];
};

static struct mutex async_mutex = MUTEX_INIT(async_mutex);

static void send(const struct file *f, int signo, const struct siginfo *info)
{
	int owner = READ_ONCE(f->async_owner);

	if (!owner)
		return;
	if (f->async_type != OWNER_TID) {
		if (signal_send_checked(NULL, signo, info) == -EAGAIN)
			signal_send(NULL, SIG_IO, NULL);
		return;
	}
	irq_flags_t fl = spin_lock_irqsave(&process.lock);
	struct task *t = task_find(owner);
	if (t && signal_send_checked(t, signo, info) == -EAGAIN)
		signal_send(t, SIG_IO, NULL);
	spin_unlock_irqrestore(&process.lock, fl);
}

static void tell(const struct file_async *a, int code, int band)
{
	int signo = READ_ONCE(a->f->async_sig);
	struct siginfo info = { .signo = signo, .code = code, .poll = { band, a->fd } };

	if (signo)
		send(a->f, signo, &info);
	else
		send(a->f, SIG_IO, NULL);
}

static bool async_wake(struct waitq_entry *e, u32 key)
{
	const struct file_async *a = container_of(e, struct async_wait, entry)->a;

	if ((!key || key & (POLL_IN | POLL_RDNORM)) && file_can_read(a->f))
		tell(a, CODE_IN, POLL_IN | POLL_RDNORM);
	if (key & POLL_PRI)
		tell(a, CODE_PRI, POLL_PRI | POLL_RDBAND);
	if ((!key || key & (POLL_OUT | POLL_WRNORM)) && file_can_write(a->f))
		tell(a, CODE_OUT, POLL_OUT | POLL_WRNORM | POLL_WRBAND);
	else if (key & POLL_HUP && !(key & POLL_IN))
		tell(a, CODE_HUP, POLL_HUP | POLL_ERR);
	return false;
}

struct async_table {
	struct poll_table pt;
	struct file_async *a;
};

static void async_add(struct poll_table *pt, struct waitq *q)
{
	struct file_async *a = container_of(pt, struct async_table, pt)->a;
	struct async_wait *w;

	if (a->nwaits == ARRAY_SIZE(a->waits))
		return;
	w = &a->waits[a->nwaits++];
	w->a = a;
	w->entry = (struct waitq_entry){ .wake = async_wake };
	list_init(&w->entry.link);
	waitq_add(q, &w->entry);
}

bool file_can_async(const struct file *f)
{
	return f->ops == &pipe_file_ops || f->sock || file_is_inotify(f);
}

static void async_off(struct file *f)
{
	struct file_async *a = f->async;

	f->async = NULL;
	if (!a)
		return;
	for (unsigned i = 0; i < a->nwaits; i++)
		waitq_remove(&a->waits[i].entry);
	heap_free(a);
}

int file_set_async(struct file *f, int fd, bool on)
{
	struct async_table t = { .pt = { async_add } };
	int r = 0;

	if (!file_can_async(f))
		return -ENOTTY;
	mutex_lock(&async_mutex);
	async_off(f);
	if (on) {
		t.a = heap_alloc(sizeof(*t.a));
		if (t.a) {
			t.a->f = f;
			t.a->fd = fd;
			(void)file_poll(f, &t.pt);
			f->async = t.a;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0)
		file_set_flags(f, LX_O_ASYNC, on ? LX_O_ASYNC : 0);
	mutex_unlock(&async_mutex);
	return r;
}

void file_async_gone(struct file *f)
{
	async_off(f);
}
