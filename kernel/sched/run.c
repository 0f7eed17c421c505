/*
 * run.c - run queues and switching.
 *
 * Each CPU has a first-in first-out queue of runnable threads. The lock of a CPU's queue is held
 * across the switch and released on the new thread's stack, so nobody can run a thread whose
 * registers are not saved yet.
 *
 * Invariants
 * (I1) A thread is on the queue of CPU t->cpu iff it is RUNNABLE and not running.
 * (I2) t->cpu changes only under the lock of the old CPU's queue, while t does not run.
 * (I3) While another thread waits on a CPU, an interrupt is due by the running one's slice_end_ns.
 * (I4) A thread is SLEEPING only inside sched_sleep_while: what it does between queueing itself and that may sleep too.
 *
 * Locks: rq->lock (irq-safe). Nothing else is taken under it. Two queues are never locked at once.
 */
#include "sched/sched_internal.h"
#include "base/log.h"
#include "mm/heap.h"

#define SLICE_NS       (4 * NSEC_PER_MSEC)
#define WAKE_SLICE_NS  (1 * NSEC_PER_MSEC)   /* what the running thread keeps when another wakes */

struct run_queue sched_queues[ARCH_MAX_CPUS];
static bool several;             /* there are other CPUs; written while they start */

static struct list dead = LIST_INIT(dead);       /* their own reference is still to be dropped */
static struct list buried = LIST_INIT(buried);   /* without references, to be freed */
static struct spinlock dead_lock = SPINLOCK_INIT;

static void enqueue_locked(struct run_queue *rq, struct thread *t)
{
	t->state = THREAD_RUNNABLE;
	list_append(&rq->queue, &t->run_link);
	WRITE_ONCE(rq->nqueued, rq->nqueued + 1);
}

/* The first, of whom there is one at least. */
static ALWAYS_INLINE struct thread *dequeue_first_locked(struct run_queue *rq)
{
	struct list *l = rq->queue.next;

	WRITE_ONCE(rq->nqueued, rq->nqueued - 1);
	list_remove(l);
	return list_entry(l, struct thread, run_link);
}

/* Both at once: t waits behind those who wait, of whom there is one at least, and the first of them is next. */
static ALWAYS_INLINE struct thread *exchange_locked(struct run_queue *rq, struct thread *t)
{
	struct list *l = rq->queue.next;

	list_append(&rq->queue, &t->run_link);
	t->state = THREAD_RUNNABLE;
	list_remove(l);
	return list_entry(l, struct thread, run_link);
}

/* Take a thread that may run on `cpu` from the fullest other queue. No lock held; interrupts masked. */
static struct thread *steal(unsigned cpu)
{
	unsigned n = arch_cpu_count();
	for (unsigned i = 1; i < n; i++) {
		struct run_queue *rq = &sched_queues[(cpu + i) % n];
		if (!READ_ONCE(rq->nqueued))
			continue;
		struct thread *t, *found = NULL;
		spin_lock(&rq->lock);
		list_for_each_entry(t, &rq->queue, run_link) {
			if (t->affinity & (1u << cpu)) {
				found = t;
				break;
			}
		}
		if (found) {
			list_remove(&found->run_link);
			WRITE_ONCE(rq->nqueued, rq->nqueued - 1);
			found->cpu = cpu;                /* keeps (I2) */
			__atomic_fetch_or(&found->user_work, THREAD_WORK_MOVED, __ATOMIC_RELAXED);
		}
		spin_unlock(&rq->lock);
		if (found)
			return found;
	}
	return NULL;
}

static NOINLINE void add_dead(struct thread *t)
{
	spin_lock(&dead_lock);
	list_append(&dead, &t->run_link);
	spin_unlock(&dead_lock);
}

/* On the new thread's stack: the old one's registers are saved; let go of the queue. */
static ALWAYS_INLINE void finish_switch(void)
{
	struct run_queue *rq = this_queue();
	struct thread *gone = rq->dead;

	spin_unlock(&rq->lock);
	if (unlikely(gone)) {
		rq->dead = NULL;
		add_dead(gone);
	}
}

/*
 * Run `next`, another, instead of prev, the current thread. rq locked, interrupts masked; unlocked on return (in a later life).
 */
static ALWAYS_INLINE void switch_here(struct run_queue *rq, struct thread *prev, struct thread *next, u64 now)
{
	prev->cpu_time_ns += now - prev->run_start_ns;
	next->run_start_ns = now;
	next->slice_end_ns = now + SLICE_NS;
	next->state = THREAD_RUNNING;
	if (rq->nqueued && !timer_is_due_by(rq, next->slice_end_ns))
		timer_want(next->slice_end_ns);  /* keeps (I3) */
	rq->current = next;
	arch_thread_switch(&prev->arch, next, &next->arch);
	finish_switch();
}

/* The same from or to the idle thread too. */
static NOINLINE void switch_locked(struct run_queue *rq, struct thread *next)
{
	u64 now = arch_clock_mono_ns();

	next->run_start_ns = now;                /* before the next: sched_idle_ns */
	rq->idling = next == rq->idle;
	switch_here(rq, rq->current, next, now);
}

static ALWAYS_INLINE void clear_resched_locked(struct thread *t)
{
	if (unlikely(t->user_work & THREAD_WORK_RESCHED))        /* set by this CPU's interrupts and under the lock only */
		thread_clear_work(t, THREAD_WORK_RESCHED);
}

/* The current thread can go on, but others go first. */
static void give_way(void)
{
	irq_flags_t f = arch_irq_save();
	struct run_queue *rq = this_queue();

	spin_lock(&rq->lock);
	struct thread *t = rq->current;
	clear_resched_locked(t);
	if (unlikely(!rq->nqueued)) {
		spin_unlock(&rq->lock);
	} else if (unlikely(t == rq->idle)) {
		switch_locked(rq, dequeue_first_locked(rq));
	} else {
		t->switches_forced++;
		switch_here(rq, t, exchange_locked(rq, t), arch_clock_mono_ns());
	}
	arch_irq_restore(f);
}

/* The current thread, which is not the idle one, sleeps; unless it was woken just now. */
static ALWAYS_INLINE void go_away(void)
{
	irq_flags_t f = arch_irq_save();
	struct run_queue *rq = this_queue();

	spin_lock(&rq->lock);
	struct thread *t = rq->current;
	clear_resched_locked(t);
	if (unlikely(t->state == THREAD_RUNNING)) {
		spin_unlock(&rq->lock);
	} else {
		t->switches_voluntary++;
		if (rq->nqueued)
			switch_here(rq, t, dequeue_first_locked(rq), arch_clock_mono_ns());
		else
			switch_locked(rq, rq->idle);
	}
	arch_irq_restore(f);
}

int sched_sleep_while(void *const *held, bool interruptible, u64 deadline_ns)
{
	struct thread *t = thread_current();
	int ret = 0;

	if (interruptible)
		__atomic_store_n(&t->interruptible, true, __ATOMIC_SEQ_CST);
	if (deadline_ns != WAIT_FOREVER)
		timer_arm(&t->sleep_timer, deadline_ns);
	do {
		/* Asleep first, then looking; the waker changes *held (or user_work) first, then looks who sleeps. Both with a full barrier between. */
		__atomic_store_n(&t->state, THREAD_SLEEPING, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(held, __ATOMIC_ACQUIRE))
			break;
		if (interruptible && (__atomic_load_n(&t->user_work, __ATOMIC_SEQ_CST) & (THREAD_WORK_SIGNAL | THREAD_WORK_EXIT))) {
			ret = -ERESTARTSYS;
			break;
		}
		if (deadline_ns != WAIT_FOREVER && arch_clock_mono_ns() >= deadline_ns) {
			ret = -ETIMEDOUT;
			break;
		}
		go_away();
	} while (__atomic_load_n(held, __ATOMIC_ACQUIRE));
	WRITE_ONCE(t->state, THREAD_RUNNING);
	if (deadline_ns != WAIT_FOREVER)
		timer_cancel(&t->sleep_timer);
	if (interruptible)
		__atomic_store_n(&t->interruptible, false, __ATOMIC_RELAXED);
	return ret;
}

void sched_leave(void)
{
	(void)arch_irq_save();
	struct run_queue *rq = this_queue();

	spin_lock(&rq->lock);
	rq->dead = thread_current();
	rq->dead->switches_voluntary++;
	switch_locked(rq, rq->nqueued ? dequeue_first_locked(rq) : rq->idle);
	panic("a dead thread ran");
}

void sched_first_run(void)
{
	finish_switch();
}

void thread_yield(void) { give_way(); }

void sched_user_work(void) { give_way(); }

bool sched_need_resched(void)
{
	return READ_ONCE(thread_current()->user_work) & THREAD_WORK_RESCHED;
}

void sched_poll(void)
{
	if (sched_need_resched())
		give_way();
}

/*
 * Kernel threads and interrupts hand something over and are done soon: who is woken by them, or a kernel thread
 * that is woken, runs here, next, without an interrupt of another CPU. One at a time: the second goes elsewhere.
 */
static bool stays_here(const struct thread *t, unsigned me)
{
	const struct run_queue *rq = &sched_queues[me];
	return (!t->proc || !rq->current->proc) && (t->affinity & (1u << me)) && !READ_ONCE(rq->nqueued);
}

/* Where should t run? Here (above), or its last CPU if that idles, else an idle one, else its last. */
static NOINLINE unsigned choose_among(const struct thread *t)
{
	unsigned n = arch_cpu_count(), last = t->cpu, me = arch_cpu_id();
	if (stays_here(t, me))
		return me;
	bool last_ok = last < n && (t->affinity & (1u << last));
	if (last_ok && READ_ONCE(sched_queues[last].idling) && !READ_ONCE(sched_queues[last].nqueued))
		return last;
	for (unsigned i = 0; i < n; i++)
		if ((t->affinity & (1u << i)) && READ_ONCE(sched_queues[i].idling) && !READ_ONCE(sched_queues[i].nqueued))
			return i;
	if (last_ok)
		return last;
	for (unsigned i = 0; i < n; i++)
		if (t->affinity & (1u << i))
			return i;
	return 0;
}

static ALWAYS_INLINE unsigned choose_cpu(const struct thread *t)
{
	return likely(!several) ? 0 : choose_among(t);
}

/*
 * Another thread waits for the CPU of the running one now: what is left of its slice. A kernel thread goes first. Otherwise it
 * keeps WAKE_SLICE_NS from now; or from its start, if this CPU's timer is armed to fire before that: then it began less than
 * that ago, and nobody has to look at the clock.
 */
static ALWAYS_INLINE void cut_slice_locked(const struct run_queue *rq, struct thread *running, const struct thread *t, bool here)
{
	if (!t->proc && running->proc) {
		running->slice_end_ns = 0;
		__atomic_fetch_or(&running->user_work, THREAD_WORK_RESCHED, __ATOMIC_SEQ_CST);
		return;
	}
	u64 end = running->run_start_ns + WAKE_SLICE_NS;
	bool due = here && timer_is_due_by(rq, end);
	if (!due)
		end = arch_clock_mono_ns() + WAKE_SLICE_NS;
	if (end < running->slice_end_ns)
		running->slice_end_ns = end;
	if (!due && here)
		timer_want(running->slice_end_ns);  /* keeps (I3), as what is due does; another CPU does it in sched_on_kick */
}

/* Queue t on the CPU of rq, which is locked. here: it is this one. */
static ALWAYS_INLINE void queue_locked(struct run_queue *rq, struct thread *t, bool here)
{
	struct thread *running = rq->current;

	enqueue_locked(rq, t);
	if (running != rq->idle)
		cut_slice_locked(rq, running, t, here);
}

/* See to it that the CPU notices. Interrupts masked. */
static ALWAYS_INLINE void notify(unsigned cpu, bool here)
{
	struct run_queue *mine;

	if (here)
		return;
	mine = this_queue();
	if (mine->kicks_held)
		mine->kicks |= 1u << cpu;
	else
		arch_cpu_kick(cpu);
}

/* Queue t on a CPU and see to it that the CPU notices. Interrupts masked, no lock held. */
static NOINLINE void make_runnable(struct thread *t, unsigned cpu)
{
	struct run_queue *rq = &sched_queues[cpu];
	bool here = cpu == arch_cpu_id();

	spin_lock(&rq->lock);
	queue_locked(rq, t, here);
	spin_unlock(&rq->lock);
	notify(cpu, here);
}

void sched_hold_kicks(void) { this_queue()->kicks_held++; }

void sched_kick_held(struct run_queue *rq)
{
	u32 mask = rq->kicks;
	rq->kicks = 0;
	for (unsigned i = 0; mask; i++, mask >>= 1)
		if (mask & 1)
			arch_cpu_kick(i);
}

void sched_send_kicks(void) { release_kicks(this_queue()); }

void thread_wake_irq(struct thread *t)
{
	struct run_queue *rq;
	u32 was;

	if (READ_ONCE(t->state) != THREAD_SLEEPING)
		return;
	for (;;) {
		was = READ_ONCE(t->cpu);
		rq = &sched_queues[was];
		__asm__("" : "+r"(rq));          /* one value in a register, and not its making at each use */
		spin_lock(&rq->lock);
		if (t->cpu == was)
			break;
		spin_unlock(&rq->lock);
	}
	if (t->state != THREAD_SLEEPING)
		goto unlock;
	if (rq->current == t) {
		/* It has not left its CPU yet, and now will not. */
		t->state = THREAD_RUNNING;
		goto unlock;
	}
	unsigned cpu = choose_cpu(t);
	if (likely(cpu == was)) {
		bool here = likely(!several) || cpu == arch_cpu_id();

		queue_locked(rq, t, here);
		spin_unlock(&rq->lock);
		notify(cpu, here);
		return;
	}
	__atomic_fetch_or(&t->user_work, THREAD_WORK_MOVED, __ATOMIC_RELAXED);
	t->state = THREAD_RUNNABLE;              /* so that nobody else wakes it */
	t->cpu = cpu;                            /* keeps (I2) */
	spin_unlock(&rq->lock);
	make_runnable(t, cpu);
	return;
unlock:
	spin_unlock(&rq->lock);
}

void thread_wake(struct thread *t)
{
	irq_flags_t f = arch_irq_save();

	thread_wake_irq(t);
	arch_irq_restore(f);
}

void thread_start(struct thread *t)
{
	irq_flags_t f = arch_irq_save();
	t->cpu = arch_cpu_id();
	unsigned cpu = choose_cpu(t);
	t->cpu = cpu;
	make_runnable(t, cpu);
	arch_irq_restore(f);
}

void thread_set_work(struct thread *t, u32 bit)
{
	__atomic_fetch_or(&t->user_work, bit, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&t->interruptible, __ATOMIC_SEQ_CST))
		thread_wake(t);
	else if (READ_ONCE(t->state) == THREAD_RUNNING && t != thread_current())
		arch_cpu_kick(READ_ONCE(t->cpu));
}

COLD int sched_set_affinity(struct thread *t, u32 cpus)
{
	u32 all = arch_cpu_count() >= 32 ? ~0u : (1u << arch_cpu_count()) - 1;
	if (!(cpus & all))
		return -EINVAL;
	WRITE_ONCE(t->affinity, cpus & all);
	if (t == thread_current()) {
		/*
		 * Sleep for a moment: the wake-up chooses a CPU that is allowed. A wake-up that comes before the thread has
		 * left its CPU does not, so the moment grows: where interrupts are slow, the shortest is over too soon always.
		 */
		for (u64 ns = 1000; !(t->affinity & (1u << arch_cpu_id())); ns = MIN(2 * ns, 10 * NSEC_PER_MSEC))
			(void)sched_sleep_until(arch_clock_mono_ns() + ns, false);
	} else {
		/* On its way to user mode it moves itself. */
		__atomic_fetch_or(&t->user_work, THREAD_WORK_MOVED, __ATOMIC_SEQ_CST);
		if (READ_ONCE(t->state) == THREAD_RUNNING)
			arch_cpu_kick(READ_ONCE(t->cpu));
	}
	return 0;
}

/*
 * The running thread's slice is over and others wait: ask an idle CPU that one of them may use to take it. A CPU looks
 * for work when it falls idle; what is queued here since then would wait for ever beside a CPU that sleeps.
 */
static void ask_idle_cpu(struct run_queue *rq, unsigned me)
{
	u32 wanted = 0;
	struct thread *t;

	spin_lock(&rq->lock);
	list_for_each_entry(t, &rq->queue, run_link)
		wanted |= t->affinity;
	spin_unlock(&rq->lock);
	for (unsigned i = 0, n = arch_cpu_count(); i < n; i++) {
		if (i != me && (wanted & (1u << i)) && READ_ONCE(sched_queues[i].idling) && !READ_ONCE(sched_queues[i].nqueued)) {
			arch_cpu_kick(i);
			return;
		}
	}
}

void sched_on_timer(void)
{
	u64 now = arch_clock_mono_ns();
	u64 next = timer_run_due(now);
	struct run_queue *rq = this_queue();
	struct thread *t = rq->current;

	if (t && t != rq->idle && READ_ONCE(rq->nqueued)) {
		if (now >= t->slice_end_ns) {
			__atomic_fetch_or(&t->user_work, THREAD_WORK_RESCHED, __ATOMIC_SEQ_CST);
			if (arch_cpu_count() > 1)
				ask_idle_cpu(rq, arch_cpu_id());
		} else {
			next = MIN(next, t->slice_end_ns);
		}
	}
	timer_reprogram(next);
}

void sched_on_kick(void)
{
	struct run_queue *rq = this_queue();
	struct thread *t = rq->current;
	if (!t || t == rq->idle || !READ_ONCE(rq->nqueued))
		return;
	if (!t->slice_end_ns)
		__atomic_fetch_or(&t->user_work, THREAD_WORK_RESCHED, __ATOMIC_SEQ_CST);
	else
		timer_want(t->slice_end_ns);
}

static struct thread *take_dead(struct list *from)
{
	irq_flags_t f = spin_lock_irqsave(&dead_lock);
	struct list *l = list_pop(from);
	spin_unlock_irqrestore(&dead_lock, f);
	return l ? list_entry(l, struct thread, run_link) : NULL;
}

void sched_bury(struct thread *t)
{
	irq_flags_t f = spin_lock_irqsave(&dead_lock);
	list_append(&buried, &t->run_link);
	spin_unlock_irqrestore(&dead_lock, f);
}

/* Free what the dead left: their stacks, which nobody stands on any more. Interrupts enabled. */
void sched_reap(void)
{
	struct thread *t;

	while (READ_ONCE(dead.next) != &dead && (t = take_dead(&dead)))
		thread_put(t);
	while (READ_ONCE(buried.next) != &buried && (t = take_dead(&buried)))
		thread_free(t);
}

static void (*idle_work)(void) RO_AFTER_INIT;

void sched_set_idle_work(void (*work)(void)) { idle_work = work; }

bool sched_call_idle(void)
{
	struct run_queue *rq = this_queue();

	if (rq->current != rq->idle || !idle_work)
		return false;
	return rq->idle_called = true;
}

static void idle_loop(void *arg)
{
	unsigned cpu = arch_cpu_id();
	struct run_queue *rq = &sched_queues[cpu];

	for (;;) {
		sched_reap();
		irq_flags_t f = arch_irq_save();
		if (rq->idle_called) {           /* before anybody else: who is queued may run for long */
			rq->idle_called = false;
			arch_irq_restore(f);
			idle_work();
			continue;
		}
		struct thread *next = NULL;
		bool any = READ_ONCE(rq->nqueued);
		if (!any)
			next = steal(cpu);
		if (any || next) {
			spin_lock(&rq->lock);
			if (any)
				next = rq->nqueued ? dequeue_first_locked(rq) : NULL;
			if (next)
				switch_locked(rq, next);
			else
				spin_unlock(&rq->lock);
		} else {
			arch_cpu_idle();
		}
		arch_irq_restore(f);
	}
}

static void queue_setup(unsigned cpu, struct thread *current, struct thread *idle)
{
	struct run_queue *rq = &sched_queues[cpu];
	spin_init(&rq->lock);
	list_init(&rq->queue);
	rq->current = current;
	rq->idle = idle;
	rq->idling = current == idle;
	current->state = THREAD_RUNNING;
	current->run_start_ns = arch_clock_mono_ns();
	current->slice_end_ns = current->run_start_ns + SLICE_NS;
	idle->cpu = current->cpu = cpu;
	idle->affinity = 1u << cpu;
	arch_thread_adopt(current, &current->arch, rq);
}

static struct thread boot_thread;
static struct thread idle_threads[ARCH_MAX_CPUS];


COLD void sched_init(void)
{
	thread_setup(&boot_thread, "init");
	struct thread *idle = thread_create("idle", idle_loop, NULL);
	if (!idle)
		panic("no memory for the idle thread");
	queue_setup(0, &boot_thread, idle);
}

COLD void sched_start_cpu(void)
{
	unsigned cpu = arch_cpu_id();
	struct thread *t = &idle_threads[cpu];
	several = true;
	thread_setup(t, "idle");
	queue_setup(cpu, t, t);
	idle_loop(NULL);
	__builtin_unreachable();
}

u64 sched_idle_ns(unsigned cpu)
{
	const struct run_queue *rq = &sched_queues[cpu];
	u64 ns;

	if (!rq->idle)
		return 0;
	ns = READ_ONCE(rq->idle->cpu_time_ns);
	if (READ_ONCE(rq->idling))
		ns += arch_clock_mono_ns() - READ_ONCE(rq->idle->run_start_ns);
	return ns;
}

u64 thread_cpu_time_ns(struct thread *t)
{
	u64 ns = READ_ONCE(t->cpu_time_ns);
	if (READ_ONCE(t->state) == THREAD_RUNNING)
		ns += arch_clock_mono_ns() - READ_ONCE(t->run_start_ns);
	return ns;
}
