/*
 * waitq.c - wait queues.
 *
 * The protocol against lost wake-ups: a sleeper is on the queue before it tests its condition; a waker changes the condition
 * before it looks at the queue. Each side has a full barrier in between, so one of them sees the other. The same once more
 * between taking the entry off the queue and the thread's state (sched_sleep_while, thread_wake): a thread is SLEEPING before
 * it looks whether its entry is still there.
 *
 * A waker for some events only need not look at the entries when none of them is in q->keys, which is a part of the queue for this:
 * it is there before the entry is, and may have more than the entries want, never less.
 *
 * Who wakes a thread also takes its entry off the queue, so that the woken one does not need the lock, which its waker may
 * still hold: a waker's virtual CPU may have lost its processor to just that thread. For the same reason other CPUs
 * are interrupted only after the lock is released (sched_hold_kicks).
 *
 * Invariant: (W1) once a thread's entry has queue = NULL nobody but its owner touches it. That is also how it knows that it
 * was woken: one word for both, so that no other part of a wake can be seen before the last.
 *
 * Locks: queue lock > run queue lock (thread_wake is called with the queue's lock held).
 */
#include "sched/waitq.h"
#include "sched/thread.h"
#include "sched/sched_internal.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock);
	q->keys = 0;
	list_init(&q->entries);
}

/* Its key 0 means all. */
static ALWAYS_INLINE void add(struct waitq *q, struct waitq_entry *e, u32 key, bool exclusive)
{
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	if (!key || list_empty(&q->entries))     /* nobody changes a key then, or it does not matter */
		WRITE_ONCE(q->keys, key ? key : ~0u);
	else
		__atomic_fetch_or(&q->keys, key, __ATOMIC_RELAXED);
	e->queue = q;
	if (exclusive)
		list_append(&q->entries, &e->link);
	else
		list_push(&q->entries, &e->link);
	spin_unlock_irqrestore(&q->lock, f);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);         /* before the caller looks */
}

void waitq_add(struct waitq *q, struct waitq_entry *e) { add(q, e, e->key, e->exclusive); }

void waitq_change_key(struct waitq_entry *e, u32 key)
{
	WRITE_ONCE(e->key, key);
	__atomic_fetch_or(&e->queue->keys, key ? key : ~0u, __ATOMIC_SEQ_CST);   /* and a barrier, before the caller looks */
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

static bool waiter_wake(struct waitq_entry *e, u32 key)
{
	struct waiter *w = container_of(e, struct waiter, entry);
	struct thread *t = w->thread;

	thread_get(t);
	list_remove(&e->link);
	__atomic_store_n(&e->queue, NULL, __ATOMIC_SEQ_CST);     /* keeps (W1) */
	thread_wake_irq(t);
	thread_put(t);
	return true;
}

void waitq_wake_entries(struct waitq *q, u32 key, unsigned n)
{
	struct waitq_entry *e, *tmp;

	irq_flags_t f = spin_lock_irqsave(&q->lock);
	struct run_queue *rq = this_queue();
	rq->kicks_held++;
	list_for_each_entry_safe(e, tmp, &q->entries, link) {
		bool exclusive = e->exclusive;   /* a thread's entry may be gone when wake returns (W1) */
		if (key && e->key && !(key & e->key))
			continue;
		if (e->wake(e, key) && exclusive && --n == 0)
			break;
	}
	spin_unlock(&q->lock);
	release_kicks(rq);
	arch_irq_restore(f);
}

void waitq_wake_call(struct waitq *q, u32 key, unsigned n) { waitq_wake_here(q, key, n); }

void waitq_prepare(struct waitq *q, struct waiter *w, bool exclusive)
{
	w->entry.key = 0;
	w->entry.exclusive = exclusive;
	w->entry.wake = waiter_wake;
	w->thread = thread_current();
	w->home = q;
	add(q, &w->entry, 0, exclusive);
}

/* Its place after a wake that did not satisfy: first of its kind, for it has waited before. */
static struct list *rearm_place(struct waitq *q, bool exclusive)
{
	struct list *at = &q->entries;

	while (exclusive && at->next != &q->entries && !list_entry(at->next, struct waitq_entry, link)->exclusive)
		at = at->next;
	return at;
}

/* Its entry was taken off by a wake, so nobody else knows it (W1). */
static NOINLINE void rearm(struct waiter *w)
{
	struct waitq *q = w->home;

	irq_flags_t f = spin_lock_irqsave(&q->lock);
	WRITE_ONCE(q->keys, ~0u);
	list_push(rearm_place(q, w->entry.exclusive), &w->entry.link);
	w->entry.queue = q;
	spin_unlock_irqrestore(&q->lock, f);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);         /* before the caller looks again */
}

int waitq_block(struct waiter *w, bool interruptible, u64 deadline_ns)
{
	if (unlikely(!__atomic_load_n(&w->entry.queue, __ATOMIC_ACQUIRE))) {
		rearm(w);
		return 0;
	}
	return sched_sleep_while((void *const *)&w->entry.queue, interruptible, deadline_ns);
}

void waitq_finish(struct waiter *w)
{
	if (unlikely(__atomic_load_n(&w->entry.queue, __ATOMIC_ACQUIRE)))
		waitq_remove(&w->entry);
}
