/*
 * futex.h - queues of tasks that wait on a word of the program's memory, known here only by its key.
 *
 * Waiting: futex_enqueue; then the caller reads the word; then futex_block, or futex_cancel if the word has
 * changed. Whoever changes the word and then wakes finds the waiter queued or the waiter sees the new word,
 * so no user memory is touched under a lock. A wake that met a waiter which then cancels is passed on.
 */
#ifndef PROC_FUTEX_H
#define PROC_FUTEX_H

#include "sched/thread.h"

#define FUTEX_MATCH_ANY 0xffffffffu

struct futex_waiter {
	struct list link;            /* B: bucket's lock */
	u64 key[2];                  /* B */
	struct futex_bucket *bucket; /* where it is queued; NULL once woken. Written under the bucket's lock, read without */
	u32 bitset;
	struct thread *thread;
	void **held;                 /* of several: the first one's any; NULL: there is only this one */
	void *any;                   /* of the first of several: NULL once one of them was woken. Written under that one's bucket's lock */
};

void futex_init(void);
void futex_enqueue(struct futex_waiter *w, const u64 key[2], u32 bitset);
/* Off the queue without having slept. True if a wake had already taken it (the wake has been passed on to another waiter of that key). */
bool futex_cancel(struct futex_waiter *w);
/* Sleep until woken. 0; -ETIMEDOUT; -ERESTARTSYS. w is off its queue when it returns. */
int futex_block(struct futex_waiter *w, u64 deadline_ns);

/* Several at once: futex_enqueue_any each of n waiters in a row, then sleep until one is woken: its place (the last, if several). -ETIMEDOUT, -ERESTARTSYS. */
void futex_enqueue_any(struct futex_waiter *ws, unsigned i, const u64 key[2]);
int futex_block_any(struct futex_waiter *ws, unsigned n, u64 deadline_ns);
/* The first n off their queues without having slept: the last that a wake had taken, or -1. */
int futex_cancel_any(struct futex_waiter *ws, unsigned n);

/* Wake up to max waiters of key whose bitset meets bitset, oldest first; how many. */
int futex_wake(const u64 key[2], int max, u32 bitset);
/*
 * Wake up to nwake waiters of key and move up to nmove others to key2; returns woken + moved, woken apart.
 * seq: what futex_seq(key) said before the word was compared; -EAGAIN if a waiter came in between (compare again).
 * NULL: no comparison was made.
 */
int futex_requeue(const u64 key[2], const u64 key2[2], int nwake, int nmove, const u32 *seq, int *ret_woken);
u32 futex_seq(const u64 key[2]);

/* ---- Priority-inheritance futexes (futex_pi.c): ownership is handed over in order; there are no priorities to lend ---- */

/* All of the following are called with the one PI lock held; it may be held over user copies. */
void futex_pi_lock(void);
void futex_pi_unlock(void);
struct futex_pi_waiter {
	struct list link;
	u64 key[2];
	u64 word;                    /* where the caller finds the word; carried only */
	struct thread *thread;
	int tid;
	void *held;                  /* atomic: itself while it waits, NULL: handed over */
	u64 cond_key[2];             /* WAIT_REQUEUE_PI: where it waits until it is requeued */
	bool requeued;
};
void futex_pi_enqueue(struct futex_pi_waiter *w, const u64 key[2], int tid);
/* The first waiter of key, or NULL; ret_more tells whether there are others behind it. */
struct futex_pi_waiter *futex_pi_first(const u64 key[2], bool *ret_more);
/* All waiters of all keys, oldest first: the one after w (NULL: the first), or NULL. */
struct futex_pi_waiter *futex_pi_next(const struct futex_pi_waiter *w);
/* Without the PI lock: is anybody waiting at all? A hint. */
bool futex_pi_idle(void);
/*
 * Condition variables of PI locks: w waits on cond_key and may only go on to the lock of key. futex_pi_cond_first: the oldest
 * that waits on cond_key, or NULL. futex_pi_cond_move: it waits for its lock now.
 */
void futex_pi_cond_enqueue(struct futex_pi_waiter *w, const u64 cond_key[2], const u64 key[2], int tid);
struct futex_pi_waiter *futex_pi_cond_first(const u64 cond_key[2]);
void futex_pi_cond_move(struct futex_pi_waiter *w);
extern struct list futex_pi_cond_waiters;
static inline bool futex_pi_cond_idle(void) { return READ_ONCE(futex_pi_cond_waiters.next) == &futex_pi_cond_waiters; }
/* Give the lock to w: off the queue and awake. */
void futex_pi_hand_over(struct futex_pi_waiter *w);
/* Called without the PI lock: sleep until handed over. 0, -ETIMEDOUT, -ERESTARTSYS; w is off the queue afterwards unless 0. */
int futex_pi_block(struct futex_pi_waiter *w, u64 deadline_ns);

#endif
