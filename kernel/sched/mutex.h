/*
 * mutex.h - sleeping locks: mutex and reader-writer lock. Not from interrupts. Not recursive:
 * taking a mutex that the thread holds is our own bug (ASSERT). Waiters are woken in order, but a
 * running thread may take a free lock before a woken one gets to it.
 */
#ifndef SCHED_MUTEX_H
#define SCHED_MUTEX_H

#include "sched/waitq.h"

struct mutex {
	struct thread *owner;        /* atomic; NULL = free */
	u32 waiters;                 /* atomic */
	struct waitq queue;
};
#define MUTEX_INIT(name) { NULL, 0, WAITQ_INIT((name).queue) }
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m);   /* by the current thread */

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
