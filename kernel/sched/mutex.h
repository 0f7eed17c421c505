/*
 * mutex.h - sleeping locks: mutex and reader-writer lock. Not from interrupts. Not recursive:
 * taking a mutex that the thread holds is our own bug (ASSERT). Waiters are woken in order, but a
 * running thread may take a free lock before a woken one gets to it.
 */
#ifndef SCHED_MUTEX_H
#define SCHED_MUTEX_H

#include "sched/waitq.h"

struct mutex {
	uintptr_t owner;             /* atomic; mutex_self of the holder, 0 = free */
	u32 waiters;                 /* atomic */
	struct waitq queue;
};
#define MUTEX_INIT(name) { 0, 0, WAITQ_INIT((name).queue) }
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m);   /* by the current thread */
/* The current thread; never 0: before the scheduler starts there is one context, which must have a name too. */
static ALWAYS_INLINE uintptr_t mutex_self(void) { return (uintptr_t)arch_current() | 1; }
void mutex_lock_wait(struct mutex *m);
void mutex_wake(struct mutex *m);
/* The same in the caller's code, where each instruction counts. */
static ALWAYS_INLINE bool mutex_trylock_here(struct mutex *m)
{
	uintptr_t none = 0;
	return __atomic_compare_exchange_n(&m->owner, &none, mutex_self(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
static ALWAYS_INLINE void mutex_lock_here(struct mutex *m)
{
	if (unlikely(!mutex_trylock_here(m)))
		mutex_lock_wait(m);
}
static ALWAYS_INLINE void mutex_unlock_here(struct mutex *m)
{
	__atomic_store_n(&m->owner, 0, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&m->waiters, __ATOMIC_SEQ_CST)))
		mutex_wake(m);
}

struct rwlock {
	s32 state;                   /* atomic: readers, or -1 for a writer */
	u32 writers_waiting;
	struct waitq queue;
};
#define RWLOCK_INIT(name) { 0, 0, WAITQ_INIT((name).queue) }
void rwlock_init(struct rwlock *l);
void rwlock_read(struct rwlock *l);
void rwlock_write(struct rwlock *l);
void rwlock_unlock_read(struct rwlock *l);
void rwlock_unlock_write(struct rwlock *l);

#endif
