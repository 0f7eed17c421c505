/* sched_internal.h - between the files of sched/ only. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "sched/thread.h"

struct run_queue {
	struct spinlock lock;
	struct list queue;           /* S: lock */
	u32 nqueued;                 /* S; read without it as a hint */
	struct thread *current, *idle;
	bool idling;                 /* S; hint: the idle thread runs here */
	struct thread *dead;         /* between switch and finish: who left for good */
	u64 programmed_ns;           /* this CPU's, interrupts masked: what its timer is armed for (timer.c); 0 = nothing (the initial state) */
	bool idle_called;            /* this CPU's: the idle loop is to call idle_work */
	u32 kicks_held;              /* this CPU's, interrupts masked: depth of sched_hold_kicks */
	u32 kicks;                   /* as kicks_held: whom to interrupt, a bit per CPU */
} ALIGNED(64);
extern struct run_queue sched_queues[ARCH_MAX_CPUS];

/* Interrupts masked, after sched_init. Good until the next switch. */
static ALWAYS_INLINE struct run_queue *this_queue(void) { return arch_cpu_sched(); }

/* Interrupt those that sched_hold_kicks kept from it. */
void sched_kick_held(struct run_queue *rq);
static ALWAYS_INLINE void release_kicks(struct run_queue *rq)
{
	if (--rq->kicks_held == 0 && unlikely(rq->kicks))
		sched_kick_held(rq);
}

/* Timers of a CPU (timer.c). */
struct timer_base {
	struct spinlock lock;
	struct rb_root tree;         /* B: armed timers by deadline */
	struct timer *running;       /* B */
} ALIGNED(64);
extern struct timer_base timer_bases[ARCH_MAX_CPUS];
/* This CPU, whose queue is rq, has an interrupt due by then. Interrupts masked. */
static ALWAYS_INLINE bool timer_is_due_by(const struct run_queue *rq, u64 ns)
{
	return rq->programmed_ns - 1 < ns;   /* nothing is far above */
}
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
