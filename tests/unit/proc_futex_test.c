/* proc_futex_test.c - futex queues: order, bitsets, moving, cancelling; timers on the virtual clock. */
#include "proc_util.h"

static const u64 A[2] = { 0, 0x1000 }, B[2] = { 0, 0x2000 };
static int order[16], norder, results[16];

struct job {
	int id;
	u32 bitset;
	u64 deadline_ns;
};

static void waits(void *arg)
{
	const struct job *j = arg;
	struct futex_waiter w;

	futex_enqueue(&w, A, j->bitset);
	results[j->id] = futex_block(&w, j->deadline_ns);
	order[norder++] = j->id;
}

static void start(struct job *jobs, int n)
{
	norder = 0;
	for (int i = 0; i < n; i++) {
		jobs[i].id = i;
		results[i] = 99;
		if (!jobs[i].bitset)
			jobs[i].bitset = FUTEX_MATCH_ANY;
		if (!jobs[i].deadline_ns)
			jobs[i].deadline_ns = WAIT_FOREVER;
		assert_int_equal(thread_spawn("waiter", waits, &jobs[i]), 0);
	}
	proc_settle();
}

static void wakes_in_order(void **state)
{
	struct job jobs[4] = { 0 };

	proc_fresh();
	start(jobs, 4);
	assert_int_equal(futex_wake(B, 10, FUTEX_MATCH_ANY), 0);
	assert_int_equal(futex_wake(A, 1, FUTEX_MATCH_ANY), 1);
	proc_settle();
	assert_int_equal(norder, 1);
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 3);
	proc_settle();
	for (int i = 0; i < 4; i++) {
		assert_int_equal(order[i], i);
		assert_int_equal(results[i], 0);
	}
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 0);
}

static void bitsets_choose(void **state)
{
	struct job jobs[3] = { { .bitset = 1 }, { .bitset = 2 }, { .bitset = 3 } };

	proc_fresh();
	start(jobs, 3);
	assert_int_equal(futex_wake(A, 10, 4), 0);
	assert_int_equal(futex_wake(A, 1, 2), 1);
	proc_settle();
	assert_int_equal(order[0], 1);
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 2);
	proc_settle();
}

static void moves(void **state)
{
	struct job jobs[5] = { 0 };
	int woken;
	u32 seq;

	proc_fresh();
	start(jobs, 5);
	seq = futex_seq(A);
	assert_int_equal(futex_requeue(A, B, 1, 2, &seq, &woken), 3);
	assert_int_equal(woken, 1);
	proc_settle();
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 2);
	assert_int_equal(futex_wake(B, 10, FUTEX_MATCH_ANY), 2);
	proc_settle();
	assert_int_equal(norder, 5);
	/* An arrival in between is noticed. */
	seq = futex_seq(A);
	start(jobs, 1);
	assert_int_equal(futex_requeue(A, B, 1, 2, &seq, &woken), -EAGAIN);
	assert_int_equal(futex_requeue(A, A, 0, 5, NULL, &woken), 1);
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 1);
	proc_settle();
}

static void times_out_also_after_a_move(void **state)
{
	struct job jobs[2] = { 0 };
	int woken;

	proc_fresh();
	jobs[0].deadline_ns = jobs[1].deadline_ns = arch_clock_mono_ns() + 10 * NSEC_PER_MSEC;
	start(jobs, 2);
	assert_int_equal(futex_requeue(A, B, 0, 1, NULL, &woken), 1);
	(void)sched_sleep_until(arch_clock_mono_ns() + 50 * NSEC_PER_MSEC, false);
	proc_settle();
	assert_int_equal(results[0], -ETIMEDOUT);
	assert_int_equal(results[1], -ETIMEDOUT);
	assert_int_equal(futex_wake(A, 10, FUTEX_MATCH_ANY), 0);
	assert_int_equal(futex_wake(B, 10, FUTEX_MATCH_ANY), 0);
}

static void cancelling_passes_the_wake_on(void **state)
{
	struct futex_waiter first;
	struct job jobs[1] = { 0 };

	proc_fresh();
	futex_enqueue(&first, A, FUTEX_MATCH_ANY);
	start(jobs, 1);
	assert_int_equal(futex_wake(A, 1, FUTEX_MATCH_ANY), 1);
	proc_settle();
	assert_int_equal(norder, 0);
	assert_true(futex_cancel(&first));
	proc_settle();
	assert_int_equal(norder, 1);
	futex_enqueue(&first, A, FUTEX_MATCH_ANY);
	assert_false(futex_cancel(&first));
}

/* ---- Timers ---- */

static int fired;

static void on_fire(struct ptimer *p)
{
	fired++;
}

static void wait_ns(u64 ns)
{
	(void)sched_sleep_until(arch_clock_mono_ns() + ns, false);
}

static void a_timer_rests_until_it_is_taken(void **state)
{
	struct ptimer p;
	u64 left, interval;

	proc_fresh();
	fired = 0;
	ptimer_init(&p, PCLOCK_MONO, 0, on_fire);
	ptimer_set(&p, false, 10 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC, NULL, NULL);
	ptimer_get(&p, &left, &interval);
	assert_in_range(left, 9 * NSEC_PER_MSEC, 10 * NSEC_PER_MSEC);
	assert_int_equal(interval, 10 * NSEC_PER_MSEC);
	assert_int_equal(ptimer_take(&p), 0);
	wait_ns(55 * NSEC_PER_MSEC);
	assert_int_equal(fired, 1);
	assert_true(ptimer_expired(&p));
	assert_int_equal(ptimer_take(&p), 5);
	assert_int_equal(ptimer_take(&p), 0);
	wait_ns(10 * NSEC_PER_MSEC);
	assert_int_equal(fired, 2);
	assert_int_equal(ptimer_take(&p), 1);
	ptimer_stop(&p);
	wait_ns(50 * NSEC_PER_MSEC);
	assert_int_equal(fired, 2);
}

static void once_and_absolute(void **state)
{
	struct ptimer p;
	u64 left, interval;

	proc_fresh();
	fired = 0;
	ptimer_init(&p, PCLOCK_REAL, 0, on_fire);
	ptimer_set(&p, true, arch_clock_mono_ns() + arch_clock_real_offset_ns() + NSEC_PER_MSEC, 0, NULL, NULL);
	wait_ns(2 * NSEC_PER_MSEC);
	assert_int_equal(ptimer_take(&p), 1);
	ptimer_get(&p, &left, &interval);
	assert_int_equal(left, 0);
	/* The past expires at once; the far future never wraps. */
	ptimer_set(&p, true, 1, 0, NULL, NULL);
	wait_ns(NSEC_PER_MSEC);
	assert_int_equal(ptimer_take(&p), 1);
	ptimer_set(&p, false, UINT64_MAX - 5, 0, NULL, NULL);
	wait_ns(NSEC_PER_MSEC);
	assert_int_equal(ptimer_take(&p), 0);
	ptimer_stop(&p);
}

static void posix_timers_count_overruns(void **state)
{
	struct siginfo si;
	int id, r;

	proc_fresh();
	signal_set_action(34, &(struct signal_action){ .handler = 0x1000 }, NULL);
	signal_set_mask(SIGSET_OF(34));
	assert_int_equal(ptimers_create(PCLOCK_MONO, 0, TIMER_SIGNAL, 34, 77, false, 0, &id), 0);
	assert_int_equal(ptimers_set(id, false, NSEC_PER_MSEC, NSEC_PER_MSEC, NULL, NULL), 0);
	wait_ns(10 * NSEC_PER_MSEC + 1000);
	assert_true(signal_take_from(SIGSET_OF(34), &si));
	assert_int_equal(si.code, SIGCODE_TIMER);
	assert_int_equal(si.timer.value, 77);
	assert_int_equal(si.timer.overrun, 9);
	assert_int_equal(ptimers_overrun(id), 9);
	wait_ns(2 * NSEC_PER_MSEC);
	assert_int_equal(ptimers_delete(id), 0);
	assert_int_equal(signal_pending_set(), 0);
	assert_int_equal(ptimers_delete(id), -EINVAL);
	for (u64 nth = 1; nth <= 2; nth++) {
		heap_fail_nth(nth);
		r = ptimers_create(PCLOCK_MONO, 0, TIMER_NONE, 0, 0, false, 0, &id);
		heap_fail_nth(0);
		if (r == 0)
			ptimers_delete(id);
		else
			assert_true(r == -EAGAIN || r == -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakes_in_order), cmocka_unit_test(bitsets_choose), cmocka_unit_test(moves),
		cmocka_unit_test(times_out_also_after_a_move), cmocka_unit_test(cancelling_passes_the_wake_on),
		cmocka_unit_test(a_timer_rests_until_it_is_taken), cmocka_unit_test(once_and_absolute),
		cmocka_unit_test(posix_timers_count_overruns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
