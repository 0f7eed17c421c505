/*
 * waitq.c - wait queues.
 *
 * The protocol against lost wake-ups: a sleeper marks itself SLEEPING and is on the queue before it
 * tests its condition; a waker changes the condition before it looks at the queue. Each side has a
 * full barrier in between, so one of them sees the other. A wake turns SLEEPING back to RUNNABLE,
 * and then the scheduler does not take the thread off its CPU.
 *
 * Who wakes a thread also takes its entry off the queue, so that the woken one does not need the lock, which its waker may
 * still hold: a waker's virtual CPU may have lost its processor to just that thread. For the same reason other CPUs
 * are interrupted only after the lock is released (sched_hold_kicks).
 *
 * Invariant: (W1) once a thread's entry has queue = NULL nobody but its owner touches it.
 *
 * Locks: queue lock > run queue lock (thread_wake is called with the queue's lock held).
 */
#include "sched/waitq.h"
#include "sched/thread.h"
#include "sched/sched_internal.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock);
	list_init(&q->entries);
}

void waitq_add(struct waitq *q, struct waitq_entry *e)
{
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	e->queue = q;
	if (e->exclusive)
		list_append(&q->entries, &e->link);
	else
		list_push(&q->entries, &e->link);
	spin_unlock_irqrestore(&q->lock, f);
}

void waitq_remove(struct waitq_entry *e)
{
	struct waitq *q = __atomic_load_n(&e->queue, __ATOMIC_ACQUIRE);
	if (!q)
		return;
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	if (e->queue) {
		list_remove(&e->link);
		e->queue = NULL;
	}
	spin_unlock_irqrestore(&q->lock, f);
}

void waitq_wake_entries(struct waitq *q, u32 key, unsigned n)
{
	struct waitq_entry *e, *tmp;

	irq_flags_t f = spin_lock_irqsave(&q->lock);
	sched_hold_kicks();
	list_for_each_entry_safe(e, tmp, &q->entries, link) {
		bool exclusive = e->exclusive;   /* a thread's entry may be gone when wake returns (W1) */
		if (key && e->key && !(key & e->key))
			continue;
		if (e->wake(e, key) && exclusive && --n == 0)
			break;
	}
	spin_unlock(&q->lock);
	sched_send_kicks();
	arch_irq_restore(f);
}

void waitq_wake_call(struct waitq *q, u32 key, unsigned n) { waitq_wake_here(q, key, n); }

static bool waiter_wake(struct waitq_entry *e, u32 key)
{
	struct waiter *w = container_of(e, struct waiter, entry);
	struct thread *t = w->thread;

	thread_get(t);
	WRITE_ONCE(w->woken, true);
	list_remove(&e->link);
	__atomic_store_n(&e->queue, NULL, __ATOMIC_SEQ_CST);     /* keeps (W1) */
	thread_wake(t);
	thread_put(t);
	return true;
}

void waitq_prepare(struct waitq *q, struct waiter *w, bool exclusive)
{
	*w = (struct waiter){
		.entry = { .exclusive = exclusive, .wake = waiter_wake },
		.thread = thread_current(),
		.home = q,
	};
	__atomic_store_n(&w->thread->state, THREAD_SLEEPING, __ATOMIC_SEQ_CST);
	waitq_add(q, &w->entry);
}

/* Its place after a wake that did not satisfy: first of its kind, for it has waited before. */
static struct list *rearm_place(struct waitq *q, bool exclusive)
{
	struct list *at = &q->entries;

	while (exclusive && at->next != &q->entries && !list_entry(at->next, struct waitq_entry, link)->exclusive)
		at = at->next;
	return at;
}

void waitq_rearm(struct waiter *w)
{
	struct waitq *q = w->home;

	/* In this order: a wake between the two only makes the sleep not happen. */
	__atomic_store_n(&w->thread->state, THREAD_SLEEPING, __ATOMIC_SEQ_CST);
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	w->woken = false;
	if (!w->entry.queue) {
		list_push(rearm_place(q, w->entry.exclusive), &w->entry.link);
		w->entry.queue = q;
	}
	spin_unlock_irqrestore(&q->lock, f);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);         /* before the caller looks again */
}

int waitq_block(struct waiter *w, bool interruptible, u64 deadline_ns)
{
	struct thread *t = w->thread;
	int ret = 0;

	if (interruptible)
		__atomic_store_n(&t->interruptible, true, __ATOMIC_SEQ_CST);
	if (deadline_ns != WAIT_FOREVER)
		timer_arm(&t->sleep_timer, deadline_ns);
	for (;;) {
		if (READ_ONCE(w->woken))
			break;
		if (interruptible && thread_interrupted()) {
			ret = -ERESTARTSYS;
			break;
		}
		if (deadline_ns != WAIT_FOREVER && arch_clock_mono_ns() >= deadline_ns) {
			ret = -ETIMEDOUT;
			break;
		}
		sched_block();
		/* For a wake that was not ours: be asleep again before looking. */
		if (!READ_ONCE(w->woken))
			__atomic_store_n(&t->state, THREAD_SLEEPING, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&t->state, THREAD_RUNNING, __ATOMIC_SEQ_CST);
	if (deadline_ns != WAIT_FOREVER)
		timer_cancel(&t->sleep_timer);
	if (interruptible)
		__atomic_store_n(&t->interruptible, false, __ATOMIC_RELAXED);
	return ret;
}

void waitq_finish(struct waiter *w)
{
	waitq_remove(&w->entry);
	__atomic_store_n(&w->thread->state, THREAD_RUNNING, __ATOMIC_SEQ_CST);
}
