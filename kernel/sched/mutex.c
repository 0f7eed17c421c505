/*
 * mutex.c - sleeping locks on wait queues.
 *
 * Mutex: owner is 0 or the holder. A taker that fails counts itself in `waiters`, then tries
 * again before each sleep, so a release either finds waiters or is seen by that try.
 * Rwlock: state is the number of readers, or -1. New readers stand back while a writer waits.
 */
#include "sched/mutex.h"
#include "sched/thread.h"
#include "base/log.h"

void mutex_init(struct mutex *m)
{
	m->owner = 0;
	m->waiters = 0;
	waitq_init(&m->queue);
}

bool mutex_trylock(struct mutex *m) { return mutex_trylock_here(m); }

void mutex_lock_wait(struct mutex *m)
{
	NO_AUTO_INIT struct waiter w;

	ASSERT(m->owner != mutex_self());
	__atomic_fetch_add(&m->waiters, 1, __ATOMIC_SEQ_CST);
	waitq_prepare(&m->queue, &w, true);
	while (!mutex_trylock(m))
		(void)waitq_block(&w, false, WAIT_FOREVER);
	waitq_finish(&w);
	__atomic_fetch_sub(&m->waiters, 1, __ATOMIC_SEQ_CST);
}

void mutex_wake(struct mutex *m) { waitq_wake_one(&m->queue); }

void mutex_lock(struct mutex *m) { mutex_lock_here(m); }

void mutex_unlock(struct mutex *m)
{
	ASSERT(mutex_is_held(m));
	mutex_unlock_here(m);
}

bool mutex_is_held(const struct mutex *m) { return READ_ONCE(m->owner) == mutex_self(); }

void rwlock_init(struct rwlock *l)
{
	l->state = 0;
	l->writers_waiting = 0;
	waitq_init(&l->queue);
}

static bool try_read(struct rwlock *l)
{
	s32 s = __atomic_load_n(&l->state, __ATOMIC_RELAXED);
	while (s >= 0 && !READ_ONCE(l->writers_waiting))
		if (__atomic_compare_exchange_n(&l->state, &s, s + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

static bool try_write(struct rwlock *l)
{
	s32 none = 0;
	return __atomic_compare_exchange_n(&l->state, &none, -1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void rwlock_read(struct rwlock *l)
{
	if (likely(try_read(l)))
		return;
	WAIT_EVENT(&l->queue, try_read(l));
}

static NOINLINE void rwlock_write_wait(struct rwlock *l)
{
	__atomic_fetch_add(&l->writers_waiting, 1, __ATOMIC_SEQ_CST);
	WAIT_EVENT(&l->queue, try_write(l));
	if (__atomic_sub_fetch(&l->writers_waiting, 1, __ATOMIC_SEQ_CST) == 0)
		waitq_wake_all(&l->queue);
}

void rwlock_write(struct rwlock *l)
{
	if (unlikely(!try_write(l)))
		rwlock_write_wait(l);
}

void rwlock_unlock_read(struct rwlock *l)
{
	s32 left = __atomic_sub_fetch(&l->state, 1, __ATOMIC_SEQ_CST);
	ASSERT(left >= 0);
	if (left == 0)
		waitq_wake_all(&l->queue);
}

void rwlock_unlock_write(struct rwlock *l)
{
	ASSERT(l->state == -1);
	__atomic_store_n(&l->state, 0, __ATOMIC_SEQ_CST);
	waitq_wake_all(&l->queue);
}
