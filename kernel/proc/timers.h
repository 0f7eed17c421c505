/*
 * timers.h - clocks of the process, and timers on them: POSIX timers, interval timers, timerfd.
 *
 * A ptimer stands on a clock and may repeat. When it expires, fire is called once (interrupt context, interrupts
 * masked) and the timer rests until ptimer_take says how many periods have passed and arms it again; so a short
 * period cannot flood the machine. All times are in ns of the timer's clock; U64_MAX - 1 is the far end.
 */
#ifndef PROC_TIMERS_H
#define PROC_TIMERS_H

#include "proc/signal.h"

enum proc_clock {
	PCLOCK_REAL, PCLOCK_MONO, PCLOCK_BOOT, PCLOCK_TAI,
	PCLOCK_PROCESS_CPU,          /* CPU time of all tasks */
	PCLOCK_THREAD_CPU,           /* of one task, given by its tid */
};
/* The clock's time. tid only for PCLOCK_THREAD_CPU (0: the caller's); a task that is gone: false. */
bool proc_clock_now(enum proc_clock c, int tid, u64 *ret_ns);
/* An absolute time of REAL, MONO, BOOT or TAI as a monotonic deadline (saturating). */
u64 proc_clock_to_mono(enum proc_clock c, u64 ns);
/* now + ns, saturating below WAIT_FOREVER. */
u64 proc_deadline_after(u64 ns);

struct ptimer {
	struct spinlock lock;        /* irq-safe */
	struct timer timer;
	enum proc_clock clock;
	int tid;                     /* PCLOCK_THREAD_CPU */
	u64 expiry_ns;               /* L: on its clock; 0 = disarmed */
	u64 interval_ns;             /* L: 0 = once */
	bool expired;                /* L: fired and not taken yet */
	bool silent;                 /* never armed for real (SIGEV_NONE): only asked */
	void (*fire)(struct ptimer *p);
};
void ptimer_init(struct ptimer *p, enum proc_clock c, int tid, void (*fire)(struct ptimer *p));
/* Arm: value_ns 0 disarms; absolute or from now. The old setting (time left, interval) comes back if asked. Not from interrupts. */
void ptimer_set(struct ptimer *p, bool absolute, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval);
/* Time left (0: disarmed; at least 1 while armed) and interval. */
void ptimer_get(struct ptimer *p, u64 *ret_left_ns, u64 *ret_interval_ns);
/* How many periods have passed since it was armed or taken last; a repeating timer is armed again. 0: not expired. */
u64 ptimer_take(struct ptimer *p);
/* Nobody takes this expiry: a repeating timer goes on, but not more often than each millisecond. From fire. */
void ptimer_skip(struct ptimer *p);
bool ptimer_expired(struct ptimer *p);       /* ptimer_take would be > 0 */
/* Disarm for good; fire is not running when it returns. */
void ptimer_stop(struct ptimer *p);

/* ---- Interval timers: which as Linux's ITIMER_*: 0 real, 1 virtual, 2 profiling ---- */
void itimer_get(unsigned which, u64 *ret_left_ns, u64 *ret_interval_ns);
void itimer_set(unsigned which, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval);

/* ---- POSIX timers ---- */
enum timer_notify { TIMER_SIGNAL, TIMER_NONE, TIMER_TASK };
#define TIMERS_MAX 16384u
int ptimers_create(enum proc_clock c, int clock_tid, enum timer_notify n, int signo, u64 value, bool value_is_id, int tid, int *ret_id);
int ptimers_set(int id, bool absolute, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval);
int ptimers_get(int id, u64 *ret_left_ns, u64 *ret_interval_ns);
int ptimers_overrun(int id);                 /* of the signal delivered last; -EINVAL */
int ptimers_delete(int id);
/* signal.c tells which signal a task takes: if it is a timer's, its overrun is set and the timer armed again. No lock held. */
void timers_signal_taken(struct siginfo *info);
/* RLIMIT_CPU has a new value. May not be called from interrupts. */
void timers_cpu_limit_changed(void);
void timers_init(void);

#endif
