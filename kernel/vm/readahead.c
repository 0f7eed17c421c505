/*
 * readahead.c - reading a file before it is asked for, where somebody reads straight on by calls.
 *
 * A read that misses where the last one that was filled ends is straight on: a thread is given the window behind it. The first page of a
 * window is its mark: whoever reads it lets the thread begin the next one, twice as long as the first. A miss
 * elsewhere ends it; the begin of a file is no sequence, nor are faults of mappings.
 *
 * Invariants: what an object remembers (ra_*) are guesses: it is read and written without a lock, and any value is right.
 * The queue's entries hold references of their objects. Locks: queue_lock (leaf). What can fail: everything, silently: the reader
 * then reads for himself.
 */
#include "vm/vm_impl.h"
#include "sched/thread.h"

#define AHEAD_MIN 32u
#define QUEUE_LEN 8u

struct window {
	struct vm_object *o;
	u64 first, end;
};

static struct spinlock queue_lock = SPINLOCK_INIT;
static struct window queue[QUEUE_LEN];
static unsigned nqueued;                     /* atomic to look at */
static bool working;
static u8 thread_state;                      /* atomic: 1 there is one, or there will be */
static struct waitq queue_waitq = WAITQ_INIT(queue_waitq), idle_waitq = WAITQ_INIT(idle_waitq);

static void window_read(const struct window *w)
{
	struct page *p;
	u64 at = w->first;

	/* The reader may have been here. */
	while (at < w->end && (p = vm_object_lookup(w->o, at))) {
		page_put(p);
		at++;
	}
	if (at < w->end && !object_get(w->o, at, w->end - at, &p))
		page_put(p);
	vm_object_put(w->o);
}

static void readahead_thread(void *arg)
{
	for (;;) {
		struct window w;

		WAIT_EVENT(&queue_waitq, READ_ONCE(nqueued) > 0);
		spin_lock(&queue_lock);
		w = queue[0];
		working = true;
		memmove(queue, queue + 1, --nqueued * sizeof queue[0]);
		spin_unlock(&queue_lock);
		window_read(&w);
		WRITE_ONCE(working, false);
		waitq_wake_all(&idle_waitq);
	}
}

void vm_readahead_drain(void)
{
	if (thread_state)
		WAIT_EVENT(&idle_waitq, !READ_ONCE(nqueued) && !READ_ONCE(working));
}

static bool thread_is_there(void)
{
	if (likely(READ_ONCE(thread_state)))
		return true;
	if (__atomic_exchange_n(&thread_state, 1, __ATOMIC_SEQ_CST) || !thread_spawn("readahead", readahead_thread, NULL))
		return true;
	WRITE_ONCE(thread_state, 0);
	return false;
}

/* Let the thread read the window at first. */
static void window_begin(struct vm_object *o, u64 first)
{
	u64 pages = o->ops->size ? DIV_ROUND_UP(o->ops->size(o), PAGE_SIZE) : 0;

	o->ra_pages = o->ra_pages ? FILL_MAX : AHEAD_MIN;
	o->ra_mark = UINT64_MAX;     /* the end, where ra_end stays */
	if (first >= pages || !thread_is_there())
		return;
	o->ra_mark = first;
	o->ra_end = MIN(first + o->ra_pages, pages);
	spin_lock(&queue_lock);
	bool room = nqueued < QUEUE_LEN;
	if (room) {
		vm_object_get(o);
		queue[nqueued++] = (struct window){ o, first, o->ra_end };
	}
	spin_unlock(&queue_lock);
	if (room) {
		waitq_wake_all(&queue_waitq);
		thread_yield();              /* the thread asks the device and sleeps, then we go on */
	}
}

/* (vm_impl.h) */
int readahead_miss(struct vm_object *o, u64 index, u64 want, struct page **ret_page)
{
	/* Inside: of the last two windows, and not there yet. */
	bool straight = index && index == o->ra_next, inside = o->ra_end - index <= 2 * FILL_MAX;
	int r = object_get(o, index, want, ret_page);

	if (r || o->readahead <= 1 || inside)
		return r;
	if (straight) {
		window_begin(o, o->ra_next);
	} else {
		o->ra_pages = 0;
		o->ra_mark = UINT64_MAX;
		o->ra_end = 0;
	}
	return 0;
}

/* (vm_impl.h) */
void readahead_mark(struct vm_object *o)
{
	window_begin(o, o->ra_end);
}
