/*
 * clock.c - the clocks of the process.
 *
 * Invariant: arithmetic saturates at CLOCK_FAR, so that no sum of the program's numbers wraps. The machine
 * has no leap second table: TAI is REAL. It never sleeps: BOOT is MONO. No locks but process.lock for
 * another task's CPU time.
 */
#include "proc/timers.h"

#define CLOCK_FAR (WAIT_FOREVER - 1)

static u64 add_saturating(u64 a, u64 b)
{
	u64 s;

	return __builtin_add_overflow(a, b, &s) || s > CLOCK_FAR ? CLOCK_FAR : s;
}

static bool task_cpu_ns(int tid, u64 *ret_ns)
{
	struct task *self = task_current();

	if (tid == 0 || (self && self->tid == tid)) {
		*ret_ns = self ? thread_cpu_time_ns(self->thread) : 0;
		return self != NULL;
	}
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = task_find(tid);
	if (t)
		*ret_ns = thread_cpu_time_ns(t->thread);
	spin_unlock_irqrestore(&process.lock, f);
	return t != NULL;
}

bool proc_clock_now(enum proc_clock c, int tid, u64 *ret_ns)
{
	switch (c) {
	case PCLOCK_REAL:
	case PCLOCK_TAI:
		*ret_ns = arch_clock_mono_ns() + arch_clock_real_offset_ns();
		return true;
	case PCLOCK_PROCESS_CPU:
		*ret_ns = process_cpu_ns();
		return true;
	case PCLOCK_THREAD_CPU:
		return task_cpu_ns(tid, ret_ns);
	default:
		*ret_ns = arch_clock_mono_ns();
		return true;
	}
}

u64 proc_clock_to_mono(enum proc_clock c, u64 ns)
{
	if (c == PCLOCK_REAL || c == PCLOCK_TAI) {
		u64 off = arch_clock_real_offset_ns();
		return ns <= off ? 0 : MIN(ns - off, CLOCK_FAR);
	}
	return MIN(ns, CLOCK_FAR);
}

u64 proc_deadline_after(u64 ns)
{
	return add_saturating(arch_clock_mono_ns(), ns);
}
