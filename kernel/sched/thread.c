/*
 * thread.c - making and ending threads. See run.c for how they run.
 *
 * A thread has two references at birth: its creator's, and its own, which is dropped after it died
 * and left its stack (sched_reap). Failure: NULL when memory is short.
 */
#include "sched/sched_internal.h"
#include "base/log.h"
#include "mm/heap.h"
#include "mm/page.h"


static void sleep_timer_fire(struct timer *timer)
{
	thread_wake(container_of(timer, struct thread, sleep_timer));
}

void thread_setup(struct thread *t, const char *name)
{
	t->name = name;
	t->refs = 2;
	t->affinity = ~0u;
	list_init(&t->run_link);
	waitq_init(&t->exit_waitq);
	timer_init(&t->sleep_timer, sleep_timer_fire);
}

/* Where every thread begins: interrupts masked, the run queue still locked by who switched to us. */
static void thread_main(void *arg)
{
	struct thread *t = arg;
	sched_first_run();
	arch_irq_restore(ARCH_IRQ_ON);
	t->entry(t->entry_arg);
	thread_exit();
}

static struct thread *create(const char *name, void (*entry)(void *), void *arg)
{
	struct thread *t = heap_alloc(sizeof *t);
	if (!t)
		return NULL;
	uintptr_t top = arch_kstack_alloc();
	if (!top) {
		heap_free(t);
		return NULL;
	}
	thread_setup(t, name);
	t->entry = entry;
	t->entry_arg = arg;
	arch_thread_init(&t->arch, top, thread_main, t);
	return t;
}

u32 thread_limit(void)
{
	return (u32)MIN(page_total_count() / 4 / (ARCH_KSTACK_SIZE / PAGE_SIZE), (u64)UINT32_MAX);
}

struct thread *thread_create(const char *name, void (*entry)(void *arg), void *arg)
{
	if (thread_current())
		sched_reap();
	return create(name, entry, arg);
}

struct thread *thread_create_user(void (*entry)(void *arg), void *arg, void *proc)
{
	sched_reap();
	struct thread *t = create("user", entry, arg);
	if (!t)
		return NULL;
	if (arch_thread_init_user(&t->arch)) {
		thread_free(t);
		return NULL;
	}
	t->proc = proc;
	return t;
}

COLD int thread_spawn(const char *name, void (*entry)(void *arg), void *arg)
{
	struct thread *t = thread_create(name, entry, arg);
	if (!t)
		return -ENOMEM;
	thread_start(t);
	thread_put(t);
	return 0;
}

void thread_free(struct thread *t)
{
	uintptr_t top = t->arch.stack_top;
	arch_thread_destroy(&t->arch);
	arch_kstack_free(top);
	heap_free(t);
}

void thread_put_call(struct thread *t) { thread_put_here(t); }

/* The last reference was dropped. */
void thread_gone(struct thread *t)
{
	/* A waker may hold the last one. Freeing a stack asks all CPUs: not with interrupts masked. */
	if (arch_irq_enabled())
		thread_free(t);
	else
		sched_bury(t);
}

void thread_exit(void)
{
	struct thread *t = thread_current();
	(void)arch_irq_save();
	t->state = THREAD_DEAD;
	waitq_wake_all(&t->exit_waitq);
	sched_leave();
}

COLD void thread_join(struct thread *t)
{
	WAIT_EVENT(&t->exit_waitq, __atomic_load_n(&t->state, __ATOMIC_SEQ_CST) == THREAD_DEAD);
}

int sched_sleep_until(u64 deadline_ns, bool interruptible)
{
	void *held = &held;                  /* nobody ends it but the deadline and signals */
	int ret = sched_sleep_while(&held, interruptible, deadline_ns);
	return ret == -ETIMEDOUT ? 0 : ret;
}
