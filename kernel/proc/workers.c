/*
 * workers.c - the pools of workers.h.
 *
 * Invariants: 1. A job is on its pool's list, or being run, or its owner's; pool->lock moves it.
 * 2. quick.nthreads >= 1 once workers_start has succeeded.
 * Locks: pool->lock (irq-safe, a leaf). What can fail: memory for threads.
 */
#include "proc/workers.h"
#include "base/log.h"

#define IDLE_NS (5 * NSEC_PER_SEC)

struct pool {
	struct spinlock lock;
	struct list jobs;            /* P: lock */
	unsigned nthreads, idle;     /* P */
	unsigned max, keep;
	const char *name;
	struct waitq waitq;
};

static struct pool quick = { SPINLOCK_INIT, LIST_INIT(quick.jobs), 0, 0, WORKERS_QUICK, 1, "worker", WAITQ_INIT(quick.waitq) };
static struct pool patient = { SPINLOCK_INIT, LIST_INIT(patient.jobs), 0, 0, WORKERS_PATIENT, 0, "patient", WAITQ_INIT(patient.waitq) };

static void pool_main(void *arg);

/* One more thread, counted already; false if there is no memory for it. */
static bool pool_spawn(struct pool *p)
{
	if (thread_spawn(p->name, pool_main, p) == 0)
		return true;
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	p->nthreads--;
	spin_unlock_irqrestore(&p->lock, f);
	return false;
}

/* The next job; *grow: others wait, and another thread may be made. */
static struct job *pool_take(struct pool *p, bool *grow)
{
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	struct list *l = list_pop(&p->jobs);

	*grow = l && !list_empty(&p->jobs) && !p->idle && p->nthreads < p->max;
	p->nthreads += *grow;
	spin_unlock_irqrestore(&p->lock, f);
	return l ? list_entry(l, struct job, link) : NULL;
}

static bool pool_has_jobs(struct pool *p)
{
	return READ_ONCE(p->jobs.next) != &p->jobs;
}

/* Wait for a job; false: this thread is not needed any more (and not counted). */
static bool pool_wait(struct pool *p)
{
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	p->idle++;
	spin_unlock_irqrestore(&p->lock, f);
	int r = WAIT_EVENT_FULL(&p->waitq, pool_has_jobs(p), false, arch_clock_mono_ns() + IDLE_NS);
	f = spin_lock_irqsave(&p->lock);
	p->idle--;
	bool leave = r && list_empty(&p->jobs) && p->nthreads > p->keep;
	p->nthreads -= leave;
	spin_unlock_irqrestore(&p->lock, f);
	return !leave;
}

static void pool_main(void *arg)
{
	struct pool *p = arg;
	bool grow;

	for (;;) {
		struct job *j = pool_take(p, &grow);
		if (grow)
			(void)pool_spawn(p);
		if (j)
			j->run(j);
		else if (!pool_wait(p))
			return;
		thread_clear_work(thread_current(), THREAD_WORK_SIGNAL);
		sched_poll();
	}
}

int workers_start(void)
{
	irq_flags_t f = spin_lock_irqsave(&quick.lock);
	bool first = !quick.nthreads;

	quick.nthreads += first;
	spin_unlock_irqrestore(&quick.lock, f);
	return !first || pool_spawn(&quick) ? 0 : -ENOMEM;
}

void workers_quick(struct job *j)
{
	irq_flags_t f = spin_lock_irqsave(&quick.lock);

	list_append(&quick.jobs, &j->link);
	spin_unlock_irqrestore(&quick.lock, f);
	waitq_wake_one(&quick.waitq);
}

int workers_patient(struct job *j)
{
	irq_flags_t f = spin_lock_irqsave(&patient.lock);

	list_append(&patient.jobs, &j->link);
	bool grow = !patient.idle && patient.nthreads < patient.max;
	patient.nthreads += grow;
	spin_unlock_irqrestore(&patient.lock, f);
	waitq_wake_one(&patient.waitq);
	if (!grow || pool_spawn(&patient))
		return 0;
	/* Without any thread nobody would come for it. */
	f = spin_lock_irqsave(&patient.lock);
	bool lost = !patient.nthreads && !list_empty(&j->link);
	if (lost)
		list_remove(&j->link);
	spin_unlock_irqrestore(&patient.lock, f);
	return lost ? -ENOMEM : 0;
}

bool workers_take_back(struct job *j)
{
	irq_flags_t f = spin_lock_irqsave(&patient.lock);
	bool was = !list_empty(&j->link);

	list_remove(&j->link);
	spin_unlock_irqrestore(&patient.lock, f);
	return was;
}
