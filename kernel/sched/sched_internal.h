/* sched_internal.h - between the files of sched/ only. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "sched/thread.h"

/* Take the current thread off its CPU if its state is still SLEEPING; otherwise return at once. */
void sched_block(void);
/* The current thread is DEAD: switch away for good. */
NORETURN void sched_leave(void);
/*
 * Until as many sched_send_kicks as sched_hold_kicks: thread_wake on this CPU interrupts no other, but notes whom. For
 * wakers that hold a spinlock which the woken may want. Interrupts masked from the first to the last.
 */
void sched_hold_kicks(void);
void sched_send_kicks(void);
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
