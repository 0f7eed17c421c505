/*
 * spinlock.c - waiting for a spinlock, and what files made for size call.
 *
 * Waiting this long is a mistake of ours (a lock taken twice, a holder that sleeps), and would be a machine that hangs
 * without a word: it panics instead, with the waiter's backtrace. Time in which this virtual CPU did not run does not count,
 * for a machine may be stopped for as long as its host likes: each look at the clock counts for STEP_NS at most.
 */
#include "arch/spinlock.h"
#include "base/counter.h"
#include "base/log.h"

#ifndef PITH_SMALL

COUNTER(spin_waits);

#define TURNS_MASK 0xffffu           /* between looks at the clock */
#define STEP_NS    (100 * NSEC_PER_MSEC)
#define LOCKUP_NS  (10 * NSEC_PER_SEC)

void spin_lock_wait(struct spinlock *l)
{
	u64 seen_ns = 0, waited_ns = 0;
	u32 turns = 0;

	counter_bump(spin_waits);
	do {
		while (READ_ONCE(l->held)) {
			arch_cpu_relax();
			if (likely(++turns & TURNS_MASK))
				continue;
			u64 now = arch_clock_mono_ns();

			waited_ns += seen_ns ? MIN(now - seen_ns, STEP_NS) : 0;
			seen_ns = now;
			if (waited_ns > LOCKUP_NS)
				panic("a spinlock was held for %u s", (unsigned)(LOCKUP_NS / NSEC_PER_SEC));
		}
	} while (!spin_trylock(l));
}

void spin_lock_call(struct spinlock *l) { spin_lock_here(l); }
irq_flags_t spin_lock_irqsave_call(struct spinlock *l) { return spin_lock_irqsave_here(l); }
void spin_unlock_irqrestore_call(struct spinlock *l, irq_flags_t f) { spin_unlock_irqrestore_here(l, f); }
#endif
