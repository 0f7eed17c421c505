/*
 * futex_pi.c - who waits for priority-inheritance futexes.
 *
 * The word in the program's memory names the owner; linux/ keeps word and queue together under the one PI
 * lock (a mutex, so that the word may fault). Such futexes are rare: one list holds all waiters.
 * Who waits on the condition variable of such a lock is on a list of its own until it is requeued.
 * Invariant: a waiter is on one of the lists while it is held. Cannot fail.
 */
#include "proc/futex.h"
#include "sched/mutex.h"

static struct mutex pi_mutex = MUTEX_INIT(pi_mutex);
static struct list pi_waiters = LIST_INIT(pi_waiters);   /* pi_mutex; oldest first */
struct list futex_pi_cond_waiters = LIST_INIT(futex_pi_cond_waiters); /* pi_mutex; oldest first */

void futex_pi_lock(void)
{
	mutex_lock(&pi_mutex);
}

void futex_pi_unlock(void)
{
	mutex_unlock(&pi_mutex);
}

void futex_pi_enqueue(struct futex_pi_waiter *w, const u64 key[2], int tid)
{
	w->key[0] = key[0];
	w->key[1] = key[1];
	w->tid = tid;
	w->thread = thread_current();
	w->held = w;
	w->requeued = false;
	list_append(&pi_waiters, &w->link);
}

void futex_pi_cond_enqueue(struct futex_pi_waiter *w, const u64 cond_key[2], const u64 key[2], int tid)
{
	futex_pi_enqueue(w, key, tid);
	w->cond_key[0] = cond_key[0];
	w->cond_key[1] = cond_key[1];
	list_remove(&w->link);
	list_append(&futex_pi_cond_waiters, &w->link);
}

struct futex_pi_waiter *futex_pi_cond_first(const u64 cond_key[2])
{
	struct futex_pi_waiter *w;

	list_for_each_entry(w, &futex_pi_cond_waiters, link)
		if (w->cond_key[0] == cond_key[0] && w->cond_key[1] == cond_key[1])
			return w;
	return NULL;
}

void futex_pi_cond_move(struct futex_pi_waiter *w)
{
	w->requeued = true;
	list_remove(&w->link);
	list_append(&pi_waiters, &w->link);
}

struct futex_pi_waiter *futex_pi_first(const u64 key[2], bool *ret_more)
{
	struct futex_pi_waiter *w, *found = NULL;

	*ret_more = false;
	list_for_each_entry(w, &pi_waiters, link) {
		if (w->key[0] != key[0] || w->key[1] != key[1])
			continue;
		if (found) {
			*ret_more = true;
			break;
		}
		found = w;
	}
	return found;
}

struct futex_pi_waiter *futex_pi_next(const struct futex_pi_waiter *w)
{
	const struct list *l = w ? w->link.next : pi_waiters.next;

	return l == &pi_waiters ? NULL : list_entry(l, struct futex_pi_waiter, link);
}

bool futex_pi_idle(void)
{
	return READ_ONCE(pi_waiters.next) == &pi_waiters;
}

void futex_pi_hand_over(struct futex_pi_waiter *w)
{
	struct thread *t = w->thread;

	list_remove(&w->link);
	thread_get(t);
	__atomic_store_n(&w->held, NULL, __ATOMIC_SEQ_CST);
	thread_wake_irq(t);
	thread_put(t);
}

static bool is_owner(const struct futex_pi_waiter *w)
{
	return !__atomic_load_n(&w->held, __ATOMIC_SEQ_CST);
}

int futex_pi_block(struct futex_pi_waiter *w, u64 deadline_ns)
{
	int r = sched_sleep_while(&w->held, true, deadline_ns);

	if (is_owner(w))
		return 0;
	mutex_lock(&pi_mutex);
	bool mine = is_owner(w);
	if (!mine)
		list_remove(&w->link);
	mutex_unlock(&pi_mutex);
	return mine ? 0 : r;
}
