/*
 * futex_pi.c - PI futexes: word and queue kept together under the one PI lock (proc/futex.h).
 *
 * Invariants, whenever the PI lock is free: 1. If a waiter is queued, the word has LX_FUTEX_WAITERS. 2. After a
 * hand-over the word names the new owner before its thread runs on. User mode changes the word only from 0
 * to its tid and back, so a word with WAITERS changes under the PI lock alone.
 */
#include "linux/futex_pi.h"
#include "linux/lx_futex.h"
#include "proc/futex.h"
#include "proc/process.h"
#include "vm/aspace.h"

static int key_of(struct uaddr a, bool shared, u64 key[2])
{
	return a.va & 3 ? -EINVAL : vm_futex_key(a.va, shared, key);
}

static bool tid_exists(u32 tid)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool found = task_find((int)tid) != NULL;

	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

/*
 * Take the word if it is free, else mark it contended. 1: ours; 0: marked, so wait; negative: errno.
 * The PI lock is held.
 */
static int take_or_mark(struct uaddr a, const u64 key[2], bool try_only)
{
	u32 me = (u32)task_current()->tid, val, seen, next;
	bool more;
	int r;

	if ((r = user_load_u32(a, &val)))
		return r;
	for (;;) {
		u32 owner = val & LX_FUTEX_TID_MASK;
		bool mine = false;
		if (owner == me)
			return -EDEADLK;
		if (owner == 0) {
			next = me | (val & LX_FUTEX_OWNER_DIED) | (futex_pi_first(key, &more) ? LX_FUTEX_WAITERS : 0);
			mine = true;
		} else if (try_only) {
			return -EAGAIN;
		} else if (!tid_exists(owner)) {
			return -ESRCH;
		} else {
			next = val | LX_FUTEX_WAITERS;
		}
		if ((r = user_cmpxchg_u32(a, val, next, &seen)))
			return r;
		if (seen == val)
			return mine;
		val = seen;
	}
}

/* A waiter has given up: if it was the last one, the word is no longer contended. */
static void unmark(struct uaddr a, const u64 key[2])
{
	u32 val, seen;
	bool more;

	futex_pi_lock();
	if (!futex_pi_first(key, &more) && user_load_u32(a, &val) == 0)
		while ((val & LX_FUTEX_WAITERS) && user_cmpxchg_u32(a, val, val & ~LX_FUTEX_WAITERS, &seen) == 0 && seen != val)
			val = seen;
	futex_pi_unlock();
}

long futex_lock_pi(struct uaddr a, bool shared, u64 deadline_ns, bool try_only)
{
	struct futex_pi_waiter w;
	u64 key[2];
	int r = key_of(a, shared, key);

	if (r)
		return r;
	futex_pi_lock();
	r = take_or_mark(a, key, try_only);
	if (r == 0) {
		w.word = a.va;
		futex_pi_enqueue(&w, key, task_current()->tid);
	}
	futex_pi_unlock();
	if (r)
		return r > 0 ? 0 : r;
	r = futex_pi_block(&w, deadline_ns);
	if (r)
		unmark(a, key);
	return r;
}

/* Write the next owner (or flags alone) into the word and wake it. The PI lock is held; val is what the word holds. */
static int hand_on(struct uaddr a, const u64 key[2], u32 val, u32 flags)
{
	struct futex_pi_waiter *w;
	u32 seen, next;
	bool more;
	int r;

	for (;;) {
		w = futex_pi_first(key, &more);
		next = (w ? (u32)w->tid | (more ? LX_FUTEX_WAITERS : 0) : 0) | flags;
		if ((r = user_cmpxchg_u32(a, val, next, &seen)))
			return r;
		if (seen == val)
			break;
		val = seen;
	}
	if (w)
		futex_pi_hand_over(w);
	return 0;
}

long futex_unlock_pi(struct uaddr a, bool shared)
{
	u64 key[2];
	u32 val;
	int r = key_of(a, shared, key);

	if (r)
		return r;
	futex_pi_lock();
	r = user_load_u32(a, &val);
	if (r == 0)
		r = (val & LX_FUTEX_TID_MASK) == (u32)task_current()->tid ? hand_on(a, key, val, 0) : -EPERM;
	futex_pi_unlock();
	return r;
}

int futex_pi_owner_died(struct uaddr a, int tid)
{
	u64 key[2];
	u32 val;
	int r = key_of(a, true, key);

	if (r)
		return r;
	futex_pi_lock();
	r = user_load_u32(a, &val);
	if (r == 0 && (val & LX_FUTEX_TID_MASK) == (u32)tid) {
		bool more;
		/* Waiters of a private lock are known by the private key. */
		if (!futex_pi_first(key, &more))
			r = key_of(a, false, key);
		if (r == 0)
			r = hand_on(a, key, val, LX_FUTEX_OWNER_DIED);
	}
	futex_pi_unlock();
	return r;
}

void futex_pi_task_left(int tid)
{
	struct futex_pi_waiter *w = NULL;
	u32 val;

	if (futex_pi_idle())
		return;
	futex_pi_lock();
	while ((w = futex_pi_next(w)) != NULL) {
		if (user_load_u32(uaddr_make(w->word), &val) || (val & LX_FUTEX_TID_MASK) != (u32)tid)
			continue;
		/* Its first waiter gets it: the list has changed, so look from the start. */
		if (hand_on(uaddr_make(w->word), w->key, val, LX_FUTEX_OWNER_DIED))
			continue;
		w = NULL;
	}
	futex_pi_unlock();
}

/* ---- Condition variables of PI locks ---- */

bool futex_cond_is_pi(const u64 key[2])
{
	if (likely(futex_pi_cond_idle()))
		return false;
	futex_pi_lock();
	bool pi = futex_pi_cond_first(key) != NULL;
	futex_pi_unlock();
	return pi;
}

long futex_wait_requeue_pi(struct uaddr cond, u32 val, struct uaddr a, bool shared, u64 deadline_ns)
{
	struct futex_pi_waiter w;
	u64 cond_key[2], key[2];
	u32 now;
	int r;

	if (cond.va == a.va)
		return -EINVAL;
	if ((r = key_of(a, shared, key)) || (r = key_of(cond, shared, cond_key)))
		return r;
	futex_pi_lock();
	r = user_load_u32(cond, &now);
	if (r == 0 && now != val)
		r = -EAGAIN;
	if (r == 0) {
		w.word = a.va;
		futex_pi_cond_enqueue(&w, cond_key, key, task_current()->tid);
	}
	futex_pi_unlock();
	if (r)
		return r;
	r = futex_pi_block(&w, deadline_ns);
	if (r && w.requeued)
		unmark(a, key);
	if (r == -ERESTARTSYS)
		return w.requeued ? -EAGAIN : -ERESTARTNOINTR;
	return r;
}

/* The word at a for w: taken for it if it is free (1), else marked (0); or an errno. The PI lock is held. */
static int take_for(struct futex_pi_waiter *w, struct uaddr a)
{
	u32 val, seen, next;
	bool more;
	int r = user_load_u32(a, &val);

	while (r == 0) {
		u32 owner = val & LX_FUTEX_TID_MASK;
		if (owner == (u32)w->tid)
			return -EDEADLK;
		if (owner && !tid_exists(owner))
			return -ESRCH;
		next = owner ? val | LX_FUTEX_WAITERS
			     : (u32)w->tid | (val & LX_FUTEX_OWNER_DIED) | (futex_pi_first(w->key, &more) ? LX_FUTEX_WAITERS : 0);
		r = user_cmpxchg_u32(a, val, next, &seen);
		if (r == 0 && seen == val)
			return !owner;
		val = seen;
	}
	return r;
}

/* Up to nmove + 1 waiters go on to the lock; the first may get it at once. The PI lock is held. */
static long requeue_waiters(const u64 cond_key[2], const u64 key[2], struct uaddr a, u32 nmove)
{
	struct futex_pi_waiter *w;
	long n = 0;

	while (n <= (long)nmove && (w = futex_pi_cond_first(cond_key)) != NULL) {
		if (w->key[0] != key[0] || w->key[1] != key[1])
			return n ? n : -EINVAL;
		int r = take_for(w, a);
		if (r < 0)
			return n ? n : r;
		if (r)
			futex_pi_hand_over(w);
		else
			futex_pi_cond_move(w);
		n++;
	}
	return n;
}

long futex_cmp_requeue_pi(struct uaddr cond, struct uaddr a, bool shared, u32 nmove, u32 cmp)
{
	u64 cond_key[2], key[2];
	u32 now;
	long r;

	if (cond.va == a.va)
		return -EINVAL;
	if ((r = key_of(cond, shared, cond_key)) || (r = key_of(a, shared, key)))
		return r;
	futex_pi_lock();
	r = user_load_u32(cond, &now);
	if (r == 0)
		r = now == cmp ? requeue_waiters(cond_key, key, a, nmove) : -EAGAIN;
	futex_pi_unlock();
	return r;
}
