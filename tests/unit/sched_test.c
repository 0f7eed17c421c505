/* sched_test.c - threads, wait queues, mutexes, rwlocks and timers on the host's virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "sched/mutex.h"
#include "sched/random.h"
#include "sched/thread.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"

static int setup(void **state)
{
	host_sched_start();
	return 0;
}

static struct waitq q = WAITQ_INIT(q);
static int level, woken_count;

static void consumer(void *arg)
{
	WAIT_EVENT(&q, level > 0);
	level--;
	woken_count++;
}

static void wake_one_and_all(void **state)
{
	struct thread *t[5];
	for (int i = 0; i < 5; i++) {
		t[i] = thread_create("consumer", consumer, NULL);
		thread_start(t[i]);
	}
	thread_yield();
	assert_int_equal(woken_count, 0);
	level = 5;
	waitq_wake_all(&q);
	for (int i = 0; i < 5; i++) {
		thread_join(t[i]);
		thread_put(t[i]);
	}
	assert_int_equal(woken_count, 5);
	assert_int_equal(level, 0);
}

static void timeouts(void **state)
{
	u64 t0 = arch_clock_mono_ns();
	int r = WAIT_EVENT_INTR(&q, level > 0, t0 + 50 * NSEC_PER_MSEC);
	assert_int_equal(r, -ETIMEDOUT);
	u64 dt = arch_clock_mono_ns() - t0;
	assert_in_range(dt, 50 * NSEC_PER_MSEC, 51 * NSEC_PER_MSEC);
	assert_int_equal(sched_sleep_until(arch_clock_mono_ns() + NSEC_PER_SEC, false), 0);
}

/* Exclusive waiters that need two units each: one that was woken for nothing keeps its place before later ones. */
static int order[4], nserved;

static void picky(void *arg)
{
	struct waiter w;

	waitq_prepare(&q, &w, true);
	while (level < (int)(uintptr_t)arg / 10)
		(void)waitq_block(&w, false, WAIT_FOREVER);
	waitq_finish(&w);
	order[nserved++] = (int)(uintptr_t)arg % 10;
}

static void woken_for_nothing(void **state)
{
	struct thread *t[3];
	struct waitq_entry *first;

	level = nserved = 0;
	for (int i = 0; i < 3; i++) {
		t[i] = thread_create("picky", picky, (void *)(uintptr_t)(20 + i));
		thread_start(t[i]);
		thread_yield();
	}
	first = list_entry(q.entries.next, struct waitq_entry, link);
	level = 1;
	waitq_wake_one(&q);
	assert_null(first->queue);           /* off the queue before it has run */
	thread_yield();
	assert_ptr_equal(list_entry(q.entries.next, struct waitq_entry, link), first);
	for (level = 2; nserved < 3; thread_yield())
		waitq_wake_one(&q);
	for (int i = 0; i < 3; i++) {
		thread_join(t[i]);
		thread_put(t[i]);
		assert_int_equal(order[i], i);
	}
	assert_true(list_empty(&q.entries));
	level = 0;
}

/* A wake between queueing and sleeping is not slept over: the entry goes back first, and the caller looks again. */
static void woken_before_the_sleep(void **state)
{
	struct waiter w;

	waitq_prepare(&q, &w, false);
	waitq_wake_all(&q);
	assert_null(w.entry.queue);
	assert_int_equal(waitq_block(&w, true, WAIT_FOREVER), 0);
	assert_ptr_equal(w.entry.queue, &q);
	assert_ptr_equal(q.entries.next, &w.entry.link);
	assert_int_equal(waitq_block(&w, true, arch_clock_mono_ns() + NSEC_PER_MSEC), -ETIMEDOUT);
	waitq_finish(&w);
	assert_true(list_empty(&q.entries));
}

/* Without a queue: it ends when the word is NULL, at once if it is already. */
static void *held;

static void let_go(void *arg)
{
	struct thread *t = arg;

	__atomic_store_n(&held, NULL, __ATOMIC_SEQ_CST);
	thread_wake(t);
	thread_put(t);
}

static void asleep_while_held(void **state)
{
	struct thread *self = thread_current();

	held = &held;
	assert_int_equal(sched_sleep_while(&held, false, arch_clock_mono_ns() + NSEC_PER_MSEC), -ETIMEDOUT);
	thread_get(self);
	assert_int_equal(thread_spawn("waker", let_go, self), 0);
	assert_int_equal(sched_sleep_while(&held, false, WAIT_FOREVER), 0);
	assert_int_equal(sched_sleep_while(&held, false, WAIT_FOREVER), 0);
}

/* A waker may hold the last reference while interrupts are masked: the thread is freed later. */
static void last_reference(void **state)
{
	level = 1;
	struct thread *t = thread_create("gone", consumer, NULL);
	thread_get(t);
	thread_start(t);
	thread_join(t);
	thread_put(t);
	(void)sched_sleep_until(arch_clock_mono_ns() + NSEC_PER_MSEC, false);    /* the idle loop drops its own */
	u64 before = heap_used_bytes();
	irq_flags_t f = arch_irq_save();
	thread_put(t);
	assert_int_equal(heap_used_bytes(), before);
	arch_irq_restore(f);
	(void)sched_sleep_until(arch_clock_mono_ns() + NSEC_PER_MSEC, false);
	assert_true(heap_used_bytes() < before);
}

static void interrupted_sleeper(void *arg)
{
	*(int *)arg = WAIT_EVENT_INTR(&q, level > 0, WAIT_FOREVER);
}

static void signals_end_sleeps(void **state)
{
	int result = 1;
	struct thread *t = thread_create("sleeper", interrupted_sleeper, &result);
	thread_start(t);
	thread_yield();
	thread_set_work(t, THREAD_WORK_SIGNAL);
	thread_join(t);
	thread_put(t);
	assert_int_equal(result, -ERESTARTSYS);
}

static struct mutex m = MUTEX_INIT(m);
static int inside, most_inside, rounds;

static void locker(void *arg)
{
	for (int i = 0; i < 200; i++) {
		mutex_lock(&m);
		inside++;
		most_inside = MAX(most_inside, inside);
		if (i % 3 == 0)
			thread_yield();
		if (i % 50 == 0)
			(void)sched_sleep_until(arch_clock_mono_ns() + 1000000, false);
		rounds++;
		inside--;
		mutex_unlock(&m);
		if (i % 7 == 0)
			thread_yield();
	}
}

static void mutual_exclusion(void **state)
{
	struct thread *t[8];
	for (int i = 0; i < 8; i++) {
		t[i] = thread_create("locker", locker, NULL);
		thread_start(t[i]);
	}
	for (int i = 0; i < 8; i++) {
		thread_join(t[i]);
		thread_put(t[i]);
	}
	assert_int_equal(most_inside, 1);
	assert_int_equal(rounds, 1600);
	assert_true(mutex_trylock(&m));
	assert_true(mutex_is_held(&m));
	mutex_unlock(&m);
}

static struct rwlock rw = RWLOCK_INIT(rw);
static int readers, writers, most_readers;

static void rw_user(void *arg)
{
	for (int i = 0; i < 100; i++) {
		if ((i + (int)(uintptr_t)arg) % 4 == 0) {
			rwlock_write(&rw);
			writers++;
			assert_int_equal(writers, 1);
			assert_int_equal(readers, 0);
			thread_yield();
			writers--;
			rwlock_unlock_write(&rw);
		} else {
			rwlock_read(&rw);
			readers++;
			most_readers = MAX(most_readers, readers);
			assert_int_equal(writers, 0);
			thread_yield();
			readers--;
			rwlock_unlock_read(&rw);
		}
	}
}

static void readers_and_writers(void **state)
{
	struct thread *t[6];
	for (int i = 0; i < 6; i++) {
		t[i] = thread_create("rw", rw_user, (void *)(uintptr_t)i);
		thread_start(t[i]);
	}
	for (int i = 0; i < 6; i++) {
		thread_join(t[i]);
		thread_put(t[i]);
	}
	assert_true(most_readers > 1);
}

struct fired {
	struct timer t;
	int order;
};
static int fire_order;
static void on_fire(struct timer *t)
{
	container_of(t, struct fired, t)->order = ++fire_order;
}

static void timers_in_order(void **state)
{
	struct fired f[40];
	u64 now = arch_clock_mono_ns();
	int perm[40];
	for (int i = 0; i < 40; i++)
		perm[i] = i;
	srand(11);
	for (int i = 39; i > 0; i--) {
		int j = rand() % (i + 1), x = perm[i];
		perm[i] = perm[j];
		perm[j] = x;
	}
	for (int i = 0; i < 40; i++) {
		f[i].order = 0;
		timer_init(&f[i].t, on_fire);
	}
	for (int i = 0; i < 40; i++)
		timer_arm(&f[perm[i]].t, now + (u64)(perm[i] + 1) * NSEC_PER_MSEC);
	assert_true(timer_cancel(&f[13].t));
	assert_false(timer_cancel(&f[13].t));
	timer_arm(&f[5].t, now + 100 * NSEC_PER_MSEC);
	(void)sched_sleep_until(now + 200 * NSEC_PER_MSEC, false);
	int expect = 0;
	for (int i = 0; i < 40; i++)
		if (i != 13 && i != 5)
			assert_int_equal(f[i].order, ++expect);
	assert_int_equal(f[13].order, 0);
	assert_int_equal(f[5].order, 39);
}

static void nothing_leaks(void **state)
{
	thread_yield();
	u64 before = heap_used_bytes();
	for (int i = 0; i < 50; i++) {
		level = 1;
		assert_int_equal(thread_spawn("short", consumer, NULL), 0);
		(void)sched_sleep_until(arch_clock_mono_ns() + 1000, false);
	}
	(void)sched_sleep_until(arch_clock_mono_ns() + 1000, false);
	assert_int_equal(heap_used_bytes(), before);
	heap_fail_nth(1);
	assert_int_equal(thread_spawn("none", consumer, NULL), -ENOMEM);
	heap_fail_nth(0);
}

/* A spinlock that is never released: a panic after 10 s, not a silent hang. */
static jmp_buf after_panic;
static const char *said;

static NORETURN void on_panic(const char *message)
{
	said = message;
	longjmp(after_panic, 1);
}

static void lock_up(void **state)
{
	struct spinlock l = SPINLOCK_INIT;
	NORETURN void (*was)(const char *) = log_panic_handler;
	u64 t0 = arch_clock_mono_ns();

	spin_lock(&l);
	log_panic_handler = on_panic;
	if (setjmp(after_panic) == 0)
		spin_lock(&l);
	log_panic_handler = was;
	assert_string_equal(said, "a spinlock was held for 10 s");
	assert_in_range(arch_clock_mono_ns() - t0, 10 * NSEC_PER_SEC, 11 * NSEC_PER_SEC);
}

/* A deadline of 0 passed long ago, and is a deadline: what is armed after it does not take the place of what was programmed before. */
static u64 fired_ns;
static void note_time(struct timer *t) { fired_ns = arch_clock_mono_ns(); }

static void deadline_zero(void **state)
{
	struct fired a = { 0 }, b = { 0 }, c = { 0 };
	u64 now = arch_clock_mono_ns();
	irq_flags_t f = arch_irq_save();

	timer_init(&a.t, note_time);
	timer_init(&b.t, on_fire);
	timer_init(&c.t, on_fire);
	timer_arm(&a.t, now + 5 * NSEC_PER_MSEC);
	timer_arm(&b.t, 0);
	assert_true(timer_cancel(&b.t));
	timer_arm(&c.t, now + 300 * NSEC_PER_SEC);
	arch_irq_restore(f);
	(void)sched_sleep_until(now + 400 * NSEC_PER_SEC, false);
	assert_false(a.t.armed || c.t.armed);
	assert_in_range(fired_ns, now + 5 * NSEC_PER_MSEC, now + 6 * NSEC_PER_MSEC);
}

static void generator(void **state)
{
	assert_false(random_ready());
	random_mix("0123456789abcdef0123456789abcdef", 32, 128);
	assert_false(random_ready());
	random_mix("x", 1, 128);
	assert_true(random_ready());
	u8 a[1000], b[1000];
	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, 16);
	unsigned ones = 0;
	for (size_t i = 0; i < sizeof a; i++)
		ones += (unsigned)__builtin_popcount(a[i]);
	assert_in_range(ones, 3700, 4300);
	for (int i = 0; i < 1000; i++)
		assert_true(random_below(7) < 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wake_one_and_all), cmocka_unit_test(woken_for_nothing), cmocka_unit_test(woken_before_the_sleep),
		cmocka_unit_test(asleep_while_held), cmocka_unit_test(last_reference),
		cmocka_unit_test(timeouts), cmocka_unit_test(signals_end_sleeps),
		cmocka_unit_test(mutual_exclusion), cmocka_unit_test(readers_and_writers), cmocka_unit_test(timers_in_order), cmocka_unit_test(deadline_zero),
		cmocka_unit_test(nothing_leaks), cmocka_unit_test(generator), cmocka_unit_test(lock_up),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
