/*
 * timer.h - one-shot timers on the monotonic clock, without a tick.
 *
 * Callbacks run in interrupt context with interrupts masked, on the CPU that armed the timer;
 * they must not sleep. timer_cancel returns when the callback is not running (it must not be
 * called from the callback itself, nor with a lock held that the callback takes).
 */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "base/rbtree.h"
#include "arch/arch.h"

struct timer {
	struct rb_node node;         /* T: the CPU's timer lock */
	u64 deadline_ns;
	void (*fire)(struct timer *t);
	u32 cpu;
	bool armed;
};
void timer_init(struct timer *t, void (*fire)(struct timer *t));
/* (Re)arm for an absolute monotonic time. Any context. */
void timer_arm(struct timer *t, u64 deadline_ns);
/* True if it was armed and will not fire. Any context but the callback. */
bool timer_cancel(struct timer *t);
/* The scheduler: run what is due on this CPU (interrupts masked); the next deadline, U64_MAX if none. */
u64 timer_run_due(u64 now_ns);
/* The scheduler: this CPU wants an interrupt by then, besides its timers. */
void timer_want(u64 deadline_ns);
/* The hardware fired: nothing is programmed now. Then program what is needed. */
void timer_reprogram(u64 deadline_ns);

#endif
