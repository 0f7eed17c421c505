/* sched_internal.h - between the files of sched/ only. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "sched/thread.h"

/* Take the current thread off its CPU if its state is still SLEEPING; otherwise return at once. */
void sched_block(void);
/* The current thread is DEAD: switch away for good. */
NORETURN void sched_leave(void);
/* First thing on a new thread's stack. */
void sched_first_run(void);
/* Fill the members of a fresh thread (two references, all CPUs allowed). */
void thread_setup(struct thread *t, const char *name);
/* Release stack and memory: nobody stands on it or knows it. */
void thread_free(struct thread *t);
/* Leave t, which nobody refers to, for sched_reap. Any context. */
void sched_bury(struct thread *t);
/* Free what the dead left. Interrupts enabled. */
void sched_reap(void);

#endif
