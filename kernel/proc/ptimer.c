/*
 * ptimer.c - a timer on one of the process's clocks, once or repeating.
 *
 * Invariants: 1. While expiry_ns != 0 and not expired and not silent, the machine's timer is armed, for the expiry
 * or, on a CPU clock, for the earliest moment at which it could be reached. 2. fire is called once per
 * arming; ptimer_take arms again. Locks: ptimer.lock (irq-safe), taken by the timer's callback, hence never held
 * around timer_cancel; fire is called without it. Cannot fail.
 */
#include "proc/timers.h"

/* How soon a CPU clock is looked at again at the earliest. */
#define CPU_LOOK_NS NSEC_PER_MSEC

static bool is_cpu_clock(enum proc_clock c)
{
	return c == PCLOCK_PROCESS_CPU || c == PCLOCK_THREAD_CPU;
}

static u64 clock_now(const struct ptimer *p)
{
	u64 now;

	return proc_clock_now(p->clock, p->tid, &now) ? now : 0;
}

static void arm_locked(struct ptimer *p)
{
	if (p->silent)
		return;
	if (!is_cpu_clock(p->clock)) {
		timer_arm(&p->timer, proc_clock_to_mono(p->clock, p->expiry_ns));
		return;
	}
	u64 now = clock_now(p), left = p->expiry_ns > now ? p->expiry_ns - now : 0;
	if (p->clock == PCLOCK_PROCESS_CPU)
		left /= arch_cpu_count();
	timer_arm(&p->timer, proc_deadline_after(MAX(left, CPU_LOOK_NS)));
}

static void on_timer(struct timer *t)
{
	struct ptimer *p = container_of(t, struct ptimer, timer);
	bool fire = false;

	spin_lock(&p->lock);
	if (p->expiry_ns && !p->expired) {
		if (is_cpu_clock(p->clock) && clock_now(p) < p->expiry_ns) {
			arm_locked(p);
		} else {
			p->expired = true;
			fire = true;
		}
	}
	spin_unlock(&p->lock);
	if (fire)
		p->fire(p);
}

void ptimer_init(struct ptimer *p, enum proc_clock c, int tid, void (*fire)(struct ptimer *p))
{
	spin_init(&p->lock);
	timer_init(&p->timer, on_timer);
	p->clock = c;
	p->tid = tid;
	p->expiry_ns = p->interval_ns = 0;
	p->expired = p->silent = false;
	p->fire = fire;
}

/* Whole periods from expiry to now (at least one if it is reached), and the expiry moved behind now. */
static u64 forward_locked(struct ptimer *p, u64 now)
{
	if (now < p->expiry_ns || !p->interval_ns)
		return now >= p->expiry_ns;
	u64 n = (now - p->expiry_ns) / p->interval_ns + 1, step;
	if (__builtin_mul_overflow(n, p->interval_ns, &step) || __builtin_add_overflow(p->expiry_ns, step, &p->expiry_ns))
		p->expiry_ns = WAIT_FOREVER - 1;
	return n;
}

static u64 left_locked(struct ptimer *p, u64 now)
{
	if (!p->expiry_ns)
		return 0;
	u64 expiry = p->expiry_ns;
	if (now >= expiry) {
		if (!p->interval_ns)
			return p->expired || p->silent ? 0 : 1;
		expiry = now + p->interval_ns - (now - expiry) % p->interval_ns;
	}
	return MAX(expiry - now, 1ull);
}

void ptimer_set(struct ptimer *p, bool absolute, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval)
{
	timer_cancel(&p->timer);
	u64 now = clock_now(p);
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	bool fire = false;
	u64 sum;

	if (ret_old_left)
		*ret_old_left = left_locked(p, now);
	if (ret_old_interval)
		*ret_old_interval = p->interval_ns;
	p->expired = false;
	p->interval_ns = value_ns ? interval_ns : 0;
	if (absolute || !value_ns)
		p->expiry_ns = value_ns;
	else
		p->expiry_ns = __builtin_add_overflow(now, value_ns, &sum) ? WAIT_FOREVER - 1 : sum;
	/* A time that has come is told before we return: who set it may look at once. */
	if (p->expiry_ns && !p->silent && !is_cpu_clock(p->clock) && p->expiry_ns <= now)
		p->expired = fire = true;
	else if (p->expiry_ns)
		arm_locked(p);
	spin_unlock_irqrestore(&p->lock, f);
	if (fire)
		p->fire(p);
}

void ptimer_get(struct ptimer *p, u64 *ret_left_ns, u64 *ret_interval_ns)
{
	u64 now = clock_now(p);
	irq_flags_t f = spin_lock_irqsave(&p->lock);

	*ret_left_ns = left_locked(p, now);
	*ret_interval_ns = p->interval_ns;
	spin_unlock_irqrestore(&p->lock, f);
}

u64 ptimer_take(struct ptimer *p)
{
	u64 now = clock_now(p), n = 0;
	irq_flags_t f = spin_lock_irqsave(&p->lock);

	if (p->expired) {
		p->expired = false;
		if (p->interval_ns) {
			n = MAX(forward_locked(p, now), 1ull);
			arm_locked(p);
		} else {
			n = 1;
			p->expiry_ns = 0;
		}
	}
	spin_unlock_irqrestore(&p->lock, f);
	return n;
}

void ptimer_skip(struct ptimer *p)
{
	u64 now = clock_now(p);
	irq_flags_t f = spin_lock_irqsave(&p->lock);

	if (p->expired && p->interval_ns) {
		p->expired = false;
		forward_locked(p, now);
		u64 at = is_cpu_clock(p->clock) ? 0 : proc_clock_to_mono(p->clock, p->expiry_ns);
		timer_arm(&p->timer, MAX(at, proc_deadline_after(CPU_LOOK_NS)));
	}
	spin_unlock_irqrestore(&p->lock, f);
}

bool ptimer_expired(struct ptimer *p)
{
	return READ_ONCE(p->expired);
}

void ptimer_stop(struct ptimer *p)
{
	irq_flags_t f = spin_lock_irqsave(&p->lock);

	p->expiry_ns = 0;
	spin_unlock_irqrestore(&p->lock, f);
	timer_cancel(&p->timer);
}
