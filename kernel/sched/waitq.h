/*
 * waitq.h - wait queues: the one way to sleep and to be told.
 *
 * A wait queue holds entries. An entry is either a sleeping thread (waitq_sleep_*) or a
 * callback (epoll, poll): entry->wake is called with the queue's lock held and interrupts
 * masked, and must not sleep or take a lock that is held around waitq_wake.
 *
 *   Sleeping:      WAIT_EVENT(q, condition)                       uninterruptible
 *                  r = WAIT_EVENT_INTR(q, condition, deadline_ns)  0, -ERESTARTSYS, -ETIMEDOUT
 *   With a lock:   see struct waiter: waitq_prepare; while (!condition) waitq_block; waitq_finish
 *
 * Keys are poll events (POLL_*); 0 means "all". An exclusive entry ends the walk when its
 * wake returns true and the wake's budget is used up.
 */
#ifndef SCHED_WAITQ_H
#define SCHED_WAITQ_H

#include "base/list.h"
#include "base/errno.h"
#include "arch/spinlock.h"

#define WAIT_FOREVER UINT64_MAX

/* Poll events, numerically Linux's. */
#define POLL_IN     0x001u
#define POLL_PRI    0x002u
#define POLL_OUT    0x004u
#define POLL_ERR    0x008u
#define POLL_HUP    0x010u
#define POLL_NVAL   0x020u
#define POLL_RDNORM 0x040u
#define POLL_RDBAND 0x080u
#define POLL_WRNORM 0x100u
#define POLL_WRBAND 0x200u
#define POLL_RDHUP  0x2000u

struct waitq {
	struct spinlock lock;        /* irq-safe */
	u32 keys;                    /* at least what the entries' keys have; atomic */
	struct list entries;         /* W: lock */
};
#define WAITQ_INIT(name) { SPINLOCK_INIT, 0, LIST_INIT((name).entries) }

struct waitq_entry {
	struct list link;            /* W: queue's lock */
	struct waitq *queue;         /* NULL when on none */
	u32 key;                     /* events of interest, 0 = all */
	bool exclusive;
	/* True if this entry consumed the wake (counts towards an exclusive wake's budget). */
	bool (*wake)(struct waitq_entry *e, u32 key);
};

void waitq_init(struct waitq *q);
void waitq_add(struct waitq *q, struct waitq_entry *e);   /* e->wake, key, exclusive set by the caller */
void waitq_change_key(struct waitq_entry *e, u32 key);    /* of one that is on a queue */
void waitq_remove(struct waitq_entry *e);                 /* off its queue; when it returns, wake is not running. Harmless when on none */
/* Wake all non-exclusive and up to n exclusive entries that match key. Any context. Cheap when empty. */
void waitq_wake_entries(struct waitq *q, u32 key, unsigned n);
void waitq_wake_call(struct waitq *q, u32 key, unsigned n);
static ALWAYS_INLINE void waitq_wake_here(struct waitq *q, u32 key, unsigned n)
{
	/* The waker's half of the protocol (waitq.c): what it changed is seen before it looks for sleepers. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(q->entries.next) != &q->entries && (!key || key & READ_ONCE(q->keys)))
		waitq_wake_entries(q, key, n);
}
static ALWAYS_INLINE void waitq_wake(struct waitq *q, u32 key, unsigned n)
{
	FOR_SIZE ? waitq_wake_call(q, key, n) : waitq_wake_here(q, key, n);
}
static inline void waitq_wake_all(struct waitq *q) { waitq_wake(q, 0, ~0u); }
static inline void waitq_wake_one(struct waitq *q) { waitq_wake(q, 0, 1); }

/* A thread's entry, on its stack. */
struct waiter {
	struct waitq_entry entry;
	struct thread *thread;
	struct waitq *home;          /* where the entry is unless it was woken */
};
/* Put the current thread on q; then test the condition; then waitq_block. */
void waitq_prepare(struct waitq *q, struct waiter *w, bool exclusive);
/*
 * Sleep until woken: 0, -ETIMEDOUT, or -ERESTARTSYS when interruptible and a signal is pending. After a wake (since
 * waitq_prepare, or the last sleep) it puts the entry back on its queue instead and returns 0: test the condition again.
 */
int waitq_block(struct waiter *w, bool interruptible, u64 deadline_ns);
void waitq_finish(struct waiter *w);

#define WAIT_EVENT_FULL(q, cond, intr, deadline)                            \
	({                                                                  \
		int we_ret_ = 0;                                            \
		if (!(cond)) {                                              \
			NO_AUTO_INIT struct waiter we_w_;                   \
			waitq_prepare((q), &we_w_, false);                  \
			while (!(cond)) {                                   \
				we_ret_ = waitq_block(&we_w_, (intr), (deadline)); \
				if (we_ret_)                                \
					break;                              \
			}                                                   \
			waitq_finish(&we_w_);                               \
			if (we_ret_ && (cond))                              \
				we_ret_ = 0;                                \
		}                                                           \
		we_ret_;                                                    \
	})
#define WAIT_EVENT(q, cond) ((void)WAIT_EVENT_FULL(q, cond, false, WAIT_FOREVER))
#define WAIT_EVENT_INTR(q, cond, deadline_ns) WAIT_EVENT_FULL(q, cond, true, deadline_ns)

/*
 * Polling. A pollable object answers "which of these events hold now?" and, if pt is not
 * NULL, adds the caller's entry to each wait queue that will be woken when that changes:
 *   u32 foo_poll(struct foo *f, struct poll_table *pt) { poll_add(pt, &f->waitq); return mask; }
 * The order matters: register first, then look.
 */
struct poll_table {
	/* Called for each queue; defined by who polls (epoll, poll, select). */
	void (*add)(struct poll_table *pt, struct waitq *q);
};
static inline void poll_add(struct poll_table *pt, struct waitq *q)
{
	if (pt)
		pt->add(pt, q);
}

#endif
