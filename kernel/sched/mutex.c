/*
 * mutex.c - sleeping locks on wait queues.
 *
 * Mutex: owner is NULL or the holder. A taker that fails counts itself in `waiters`, then tries
 * again before each sleep, so a release either finds waiters or is seen by that try.
 * Rwlock: state is the number of readers, or -1. New readers stand back while a writer waits.
 */
#include "sched/mutex.h"
#include "sched/thread.h"
#include "base/log.h"

/* Before the scheduler starts there is one context, which must have a name too. */
static struct thread *self(void)
{
	struct thread *t = thread_current();
	return t ? t : (struct thread *)(uintptr_t)1;
}

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
	m->waiters = 0;
	waitq_init(&m->queue);
}

bool mutex_trylock(struct mutex *m)
{
	struct thread *none = NULL;
	return __atomic_compare_exchange_n(&m->owner, &none, self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static NOINLINE void mutex_lock_slow(struct mutex *m)
{
	NO_AUTO_INIT struct waiter w;

	ASSERT(m->owner != self());
	__atomic_fetch_add(&m->waiters, 1, __ATOMIC_SEQ_CST);
	waitq_prepare(&m->queue, &w, true);
	while (!mutex_trylock(m))
		(void)waitq_block(&w, false, WAIT_FOREVER);
	waitq_finish(&w);
	__atomic_fetch_sub(&m->waiters, 1, __ATOMIC_SEQ_CST);
}

void mutex_lock(struct mutex *m)
{
	if (unlikely(!mutex_trylock(m)))
		mutex_lock_slow(m);
}

void mutex_unlock(struct mutex *m)
{
	ASSERT(m->owner == self());
	__atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST)))
		waitq_wake_one(&m->queue);
}

bool mutex_is_held(const struct mutex *m) { return READ_ONCE(m->owner) == self(); }

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
