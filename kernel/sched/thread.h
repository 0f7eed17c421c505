/*
 * thread.h - threads and the scheduler.
 *
 * Each CPU has a run queue; a thread that becomes runnable goes to its last CPU or to an idle
 * one; an idle CPU steals. User code is preempted at the end of its slice (4 ms) when another
 * thread waits; the kernel itself is not preempted: it runs until it sleeps, or calls
 * sched_poll in long loops. No timer runs while nobody waits.
 */
#ifndef SCHED_THREAD_H
#define SCHED_THREAD_H

#include "arch/arch.h"
#include "base/list.h"
#include "arch/spinlock.h"
#include "sched/timer.h"
#include "sched/waitq.h"

enum thread_state { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_SLEEPING, THREAD_DEAD };

/* Bits of thread.user_work: why the exit path to user mode must look up. */
enum {
	THREAD_WORK_RESCHED = 1u << 0,
	THREAD_WORK_SIGNAL  = 1u << 1,   /* a signal may be pending; also ends interruptible sleeps */
	THREAD_WORK_EXIT    = 1u << 2,   /* the process is ending */
	THREAD_WORK_SYSCALL_RESTART = 1u << 3,
	THREAD_WORK_PROBE   = 1u << 5,   /* a call was given an address of the kernel's half */
	THREAD_WORK_MOVED   = 1u << 4,   /* it runs on another CPU than before: the program may have been told its number */
};

struct thread {
	u32 state;                   /* S: run queue lock of cpu */
	u32 user_work;               /* atomic; directly before arch, whose first word it tests together with this one on the way out */
	struct arch_thread arch;
	u32 cpu;                     /* where it runs or ran last */
	u32 affinity;                /* bit per CPU */
	bool interruptible;          /* atomic: asleep in a way that a signal may end */
	struct list run_link;        /* S; also the list of the dead */
	u64 slice_end_ns;            /* S: when it must give way if another waits */
	u64 run_start_ns;            /* S: when it was switched in */
	u64 cpu_time_ns;             /* total, updated at switches */
	u64 switches_voluntary, switches_forced;
	struct timer sleep_timer;
	const char *name;            /* kernel threads; constant string */
	void *proc;                  /* proc/: struct task, NULL for a kernel thread */
	u32 refs;                    /* atomic: the creator's, and one of its own until it is dead */
	struct waitq exit_waitq;     /* woken when DEAD */
	void (*entry)(void *arg);
	void *entry_arg;
};

static inline struct thread *thread_current(void) { return arch_current(); }

/* A new kernel thread, not yet running; ref held by the caller; NULL if out of memory. name is kept by pointer. */
struct thread *thread_create(const char *name, void (*entry)(void *arg), void *arg) MUST_CHECK;
/* The same with a user register context; entry normally ends in arch_user_enter. */
struct thread *thread_create_user(void (*entry)(void *arg), void *arg, void *proc) MUST_CHECK;
/* How many threads there may be: their kernel stacks take at most a quarter of memory. Kept by who makes them for the program. */
u32 thread_limit(void);
void thread_start(struct thread *t);
/* A convenience: create and start; -ENOMEM. */
int thread_spawn(const char *name, void (*entry)(void *arg), void *arg) MUST_CHECK;
static inline void thread_get(struct thread *t) { __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED); }
void thread_put_call(struct thread *t);
void thread_gone(struct thread *t);
static ALWAYS_INLINE void thread_put_here(struct thread *t)
{
	if (unlikely(__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0))
		thread_gone(t);
}
static ALWAYS_INLINE void thread_put(struct thread *t)
{
	FOR_SIZE ? thread_put_call(t) : thread_put_here(t);
}
NORETURN void thread_exit(void);
/* Wait until t is dead. */
void thread_join(struct thread *t);

/*
 * Sleep while *held is not NULL: 0, -ETIMEDOUT, or -ERESTARTSYS when interruptible and a signal is pending. What waitq.h is made
 * of; for who has lists of his own. The waker takes a reference of the thread (thread_get), makes *held NULL, the last that it
 * touches of the sleeper's, which may be gone then, and calls thread_wake.
 */
int sched_sleep_while(void *const *held, bool interruptible, u64 deadline_ns);
/* Make t runnable if it sleeps; if it is about to, it will not. Any context. */
void thread_wake(struct thread *t);
void thread_wake_irq(struct thread *t);  /* interrupts are masked */
/*
 * Until as many sched_send_kicks as sched_hold_kicks: thread_wake on this CPU interrupts no other, but notes whom. For
 * wakers that hold a spinlock which the woken may want. Interrupts masked from the first to the last.
 */
void sched_hold_kicks(void);
void sched_send_kicks(void);
/* Set a work bit and make sure that t sees it soon: wakes interruptible sleeps, kicks its CPU. Any context. */
void thread_set_work(struct thread *t, u32 bit);
static inline void thread_clear_work(struct thread *t, u32 bit)
{
	__atomic_fetch_and(&t->user_work, ~bit, __ATOMIC_SEQ_CST);
}
/* True if a signal or the exit should end an interruptible sleep of the current thread. */
static inline bool thread_interrupted(void)
{
	return __atomic_load_n(&thread_current()->user_work, __ATOMIC_SEQ_CST) & (THREAD_WORK_SIGNAL | THREAD_WORK_EXIT);
}

/*
 * Work for a CPU that has nothing else to do. From an interrupt: if this CPU's idle loop was interrupted, it calls the work,
 * with interrupts on, before it looks for threads: true; else false. That spares waking a thread, and two switches. The work
 * must not sleep; what it takes counts as idle time.
 */
void sched_set_idle_work(void (*work)(void));
bool sched_call_idle(void);

void sched_init(void);               /* boot CPU: makes the running context a thread */
NORETURN void sched_start_cpu(void); /* further CPUs: enter the idle loop */
void thread_yield(void);              /* give way to equals */
void sched_poll(void);               /* give way only if the slice is over; for long loops */
bool sched_need_resched(void);
/* Sleep until an absolute monotonic time. 0, or -ERESTARTSYS if interruptible and interrupted. */
int sched_sleep_until(u64 deadline_ns, bool interruptible);
/* Change where t may run; moves it if needed. -EINVAL if no CPU is left. */
int sched_set_affinity(struct thread *t, u32 cpus);
u64 sched_idle_ns(unsigned cpu);
u64 thread_cpu_time_ns(struct thread *t);
/* On the way to user mode, when THREAD_WORK_RESCHED is set: give way. */
void sched_user_work(void);
/* Hooks for arch: */
void sched_on_timer(void);
void sched_on_kick(void);

#endif
