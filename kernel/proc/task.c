/*
 * task.c - tasks: made, found by tid, named, gone.
 *
 * Invariants: 1. A task on process.tasks is also in its hash list, and its thread is alive.
 * 2. Whoever holds process.lock may use any task on the list; a task is taken off before it is freed.
 * 3. Tids are never used twice at once; they grow and start again at TID_MAX.
 * Locks: process.lock. Making a task can fail: -EAGAIN, -ENOMEM.
 */
#include "proc/policy.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/uring.h"
#include "base/string.h"
#include "mm/heap.h"

#define TID_MAX 4194304

static struct heap_cache task_cache = HEAP_CACHE(task);
static const struct task_ops *task_ops RO_AFTER_INIT;

void task_set_ops(const struct task_ops *ops)
{
	task_ops = ops;
}

static struct list *tid_bucket(int tid)
{
	return &process.hash[(unsigned)tid % TASK_HASH];
}

struct task *task_find(int tid)
{
	struct task *t;

	list_for_each_entry(t, tid_bucket(tid), hash_link)
		if (t->tid == tid)
			return t;
	return NULL;
}

unsigned task_count(void)
{
	return READ_ONCE(process.ntasks);
}

s64 task_next_tid(u64 from)
{
	struct task *t;
	s64 best = -1;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	list_for_each_entry(t, &process.tasks, link)
		if ((u64)t->tid >= from && (best < 0 || t->tid < best))
			best = t->tid;
	spin_unlock_irqrestore(&process.lock, f);
	return best;
}

void task_set_name(struct task *t, const char *name, size_t len)
{
	char n[TASK_NAME_LEN] = { 0 };

	memcpy(n, name, MIN(len, sizeof(n) - 1));
	memcpy(t->name, n, sizeof(n));
	if (t->tid == PROC_PID)
		memcpy(process.name, n, sizeof(n));
}

static int tid_next_locked(void)
{
	int tid = process.last_tid;

	do {
		tid = tid >= TID_MAX ? 300 : tid + 1;
	} while (task_find(tid));
	process.last_tid = tid;
	return tid;
}

/* The new task takes after the one that makes it. */
static void task_inherit(struct task *t, const struct task *from)
{
	if (!from) {
		memcpy(t->name, process.name, sizeof(t->name));
		t->timer_slack_ns = 50000;
		return;
	}
	memcpy(t->name, from->name, sizeof(t->name));
	t->blocked = from->blocked;
	/* Who asked for it starts its threads as they are without asking for anything. */
	if (!from->reset_on_fork) {
		t->nice = from->nice;
		t->policy = from->policy;
	}
	t->ioprio = from->ioprio;
	t->timer_slack_ns = from->timer_slack_ns;
	t->no_new_privs = from->no_new_privs;
	t->mempolicy = from->mempolicy;
	t->mce_kill = from->mce_kill;
}

static int task_enlist(struct task *t)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	u64 limit = MIN(TASK_MAX, thread_limit()), max = MIN(process_rlimits[RLIM_NPROC].cur, limit);

	if (process.ending || process.ntasks >= max) {
		spin_unlock_irqrestore(&process.lock, f);
		if (!process.ending)
			policy_limit_tell(POLICY_THREADS);
		return -EAGAIN;
	}
	t->tid = tid_next_locked();
	list_append(&process.tasks, &t->link);
	list_push(tid_bucket(t->tid), &t->hash_link);
	process.ntasks++;
	spin_unlock_irqrestore(&process.lock, f);
	return 0;
}

int task_create(void (*entry)(void *arg), void *arg, struct task **ret)
{
	struct thread *self = thread_current();
	struct task *t = heap_cache_alloc(&task_cache);

	if (!t)
		return -ENOMEM;
	list_init(&t->link);
	list_init(&t->hash_link);
	signal_init_task(t);
	task_inherit(t, self ? self->proc : NULL);
	t->start_ns = arch_clock_mono_ns();
	t->rseq_cpu = ~0u;
	t->thread = thread_create_user(entry, arg, t);
	if (!t->thread) {
		heap_cache_free(&task_cache, t);
		return -ENOMEM;
	}
	int r = task_enlist(t);
	if (r) {
		/* It never runs: both references go, the creator's and its own. */
		thread_put(t->thread);
		thread_put(t->thread);
		heap_cache_free(&task_cache, t);
		return r;
	}
	*ret = t;
	return 0;
}

void task_start(struct task *t)
{
	thread_start(t->thread);
}

/* Off the list; true if it was the last one. */
static bool task_delist(struct task *t)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	process.dead.cpu_ns += thread_cpu_time_ns(t->thread);
	process.dead.min_faults += t->min_faults;
	process.dead.maj_faults += t->maj_faults;
	process.dead.voluntary += t->thread->switches_voluntary;
	process.dead.forced += t->thread->switches_forced;
	process.dead.rchar += t->rchar;
	process.dead.wchar += t->wchar;
	process.dead.syscr += t->syscr;
	process.dead.syscw += t->syscw;
	list_remove(&t->link);
	list_remove(&t->hash_link);
	bool last = --process.ntasks == 0;
	spin_unlock_irqrestore(&process.lock, f);
	return last;
}

/* When the last task leaves, the process ends with its status; so the last one stays on the list until then. */
static bool task_is_last(void)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool last = process.ntasks == 1 && !process.ending;

	spin_unlock_irqrestore(&process.lock, f);
	return last;
}

void task_leave(int status)
{
	struct task *t = task_current();
	struct thread *self = t->thread;

	signal_leave_task(t);
	uring_task_leave(t);
	if (task_ops && task_ops->leave)
		task_ops->leave(t);
	if (task_is_last())
		process_exit(status);
	if (task_delist(t) && !__atomic_load_n(&process.ending, __ATOMIC_ACQUIRE))
		process_exit(status);
	signal_drop_task(t);
	self->proc = NULL;
	heap_cache_free(&task_cache, t);
	waitq_wake_all(&process.task_gone);
	thread_put(self);
	thread_exit();
}

void task_exit(int status)
{
	task_leave(status);
}
