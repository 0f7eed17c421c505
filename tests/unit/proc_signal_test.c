/* proc_signal_test.c - pending sets, queues, masks, actions, waiting; and what happens without memory. */
#include "proc_util.h"

static void handler_for(int signo)
{
	struct signal_action a = { .handler = 0x1000 };

	signal_set_action(signo, &a, NULL);
}

static bool take(struct siginfo *si)
{
	struct signal_action a;

	return signal_take(si, &a);
}

static void standard_signals_do_not_queue(void **state)
{
	struct task *t = proc_fresh();
	struct siginfo si;

	handler_for(SIG_USR1);
	for (int i = 0; i < 3; i++)
		signal_send(NULL, SIG_USR1, NULL);
	assert_true(signal_pending());
	assert_true(t->thread->user_work & THREAD_WORK_SIGNAL);
	assert_int_equal(process.nqueued, 1);
	assert_true(take(&si));
	assert_int_equal(si.signo, SIG_USR1);
	assert_int_equal(si.code, SIGCODE_KERNEL);
	assert_false(take(&si));
	assert_false(t->thread->user_work & THREAD_WORK_SIGNAL);
	assert_int_equal(process.nqueued, 0);
}

static void realtime_signals_queue_in_order(void **state)
{
	static const int signos[] = { 40, 34, 40, 35, 34, 40 };
	struct siginfo si = { .code = SIGCODE_QUEUE };
	u64 last[65] = { 0 };
	int previous = 0;

	proc_fresh();
	handler_for(34);
	handler_for(35);
	handler_for(40);
	signal_set_mask(~0ull);
	for (unsigned i = 0; i < ARRAY_SIZE(signos); i++) {
		si.rt.value = i + 1;
		assert_int_equal(signal_send_checked(NULL, signos[i], &si), 0);
	}
	assert_false(signal_pending());
	signal_set_mask(0);
	for (unsigned i = 0; i < ARRAY_SIZE(signos); i++) {
		assert_true(take(&si));
		assert_true(si.signo >= previous);
		assert_true(si.rt.value > last[si.signo]);
		previous = si.signo;
		last[si.signo] = si.rt.value;
	}
	assert_false(take(&si));
}

static void faults_come_first(void **state)
{
	struct siginfo si;

	proc_fresh();
	handler_for(SIG_HUP);
	handler_for(SIG_SEGV);
	signal_send(NULL, SIG_HUP, NULL);
	signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = 1, .fault = { .addr = 8 } });
	assert_true(take(&si));
	assert_int_equal(si.signo, SIG_SEGV);
	assert_int_equal(si.fault.addr, 8);
	assert_true(take(&si));
	assert_int_equal(si.signo, SIG_HUP);
}

static void ignored_signals_vanish(void **state)
{
	struct signal_action ignore = { .handler = SIGNAL_IGNORE };
	struct siginfo si;

	proc_fresh();
	assert_int_equal(signal_send_checked(NULL, SIG_CHLD, NULL), 1);
	assert_int_equal(signal_send_checked(NULL, SIG_STOP, NULL), 1);
	signal_set_mask(SIGSET_OF(SIG_USR1));
	signal_send(NULL, SIG_USR1, NULL);
	assert_true(signal_pending_set() & SIGSET_OF(SIG_USR1));
	signal_set_action(SIG_USR1, &ignore, NULL);
	assert_int_equal(signal_pending_set(), 0);
	assert_int_equal(process.nqueued, 0);
	/* Blocked: kept, as somebody may wait for it. */
	assert_int_equal(signal_send_checked(NULL, SIG_USR1, NULL), 0);
	assert_true(signal_take_from(SIGSET_OF(SIG_USR1), &si));
}

/* A blocked or ignored fault gets its default action, so that it kills. */
static void forced_faults_cannot_be_refused(void **state)
{
	struct signal_action ignore = { .handler = SIGNAL_IGNORE }, a;
	struct siginfo si;

	proc_fresh();
	signal_set_action(SIG_SEGV, &ignore, NULL);
	signal_set_mask(SIGSET_OF(SIG_SEGV));
	signal_force(SIG_SEGV, &(struct siginfo){ .signo = SIG_SEGV, .code = 1 });
	assert_true(signal_take(&si, &a));
	assert_int_equal(a.handler, SIGNAL_DEFAULT);
	assert_int_equal(thread_current()->user_work & THREAD_WORK_EXIT, 0);
}

static void the_limit_of_the_queue(void **state)
{
	struct rlimit64 old = process_rlimits[RLIM_SIGPENDING];
	struct siginfo si = { .code = SIGCODE_QUEUE };
	unsigned n = 0;

	proc_fresh();
	handler_for(34);
	process_rlimits[RLIM_SIGPENDING].cur = 10;
	signal_set_mask(~0ull);
	while (signal_send_checked(NULL, 34, &si) == 0)
		n++;
	assert_int_equal(n, 10);
	/* A standard signal still gets through, without its information. */
	handler_for(SIG_USR1);
	assert_int_equal(signal_send_checked(NULL, SIG_USR1, &si), 0);
	process_rlimits[RLIM_SIGPENDING] = old;
	while (signal_take_from(~0ull, &si))
		n--;
	assert_int_equal(process.nqueued, 0);
}

static void without_memory(void **state)
{
	struct siginfo si = { .code = SIGCODE_QUEUE }, got;

	for (u64 nth = 1; nth <= 3; nth++) {
		proc_fresh();
		handler_for(34);
		handler_for(SIG_USR1);
		handler_for(SIG_USR2);
		signal_set_mask(~0ull);
		assert_int_equal(signal_send_checked(NULL, SIG_USR2, &si), 0);   /* has the entry that was kept of an earlier one */
		heap_fail_nth(nth);
		int r1 = signal_send_checked(NULL, 34, &si);
		int r2 = signal_send_checked(NULL, SIG_USR1, &si);
		heap_fail_nth(0);
		assert_int_equal(r1, nth == 1 ? -EAGAIN : 0);
		assert_int_equal(r2, 0);
		assert_true(signal_take_from(SIGSET_OF(SIG_USR1), &got));
		assert_int_equal(got.code, nth == 2 ? SIGCODE_USER : SIGCODE_QUEUE);
		assert_int_equal(signal_take_from(SIGSET_OF(34), &got), nth != 1);
		assert_true(signal_take_from(SIGSET_OF(SIG_USR2), &got));
		assert_int_equal(process.nqueued, 0);
	}
}

/* ---- Several tasks ---- */

static int other_result;

static void other_waits(void *arg)
{
	struct siginfo si;

	other_result = signal_wait(SIGSET_OF(SIG_USR2), WAIT_FOREVER, &si);
	if (other_result == 0)
		other_result = si.signo;
	task_leave(0);
}

static void a_waiting_task_takes_the_process_signal(void **state)
{
	struct task *t;

	proc_fresh();
	other_result = 99;
	signal_set_mask(SIGSET_OF(SIG_USR2));
	assert_int_equal(task_create(other_waits, NULL, &t), 0);
	assert_int_equal(t->blocked, SIGSET_OF(SIG_USR2));
	task_start(t);
	proc_settle();
	assert_int_equal(task_count(), 2);
	signal_send(NULL, SIG_USR2, NULL);
	proc_settle();
	assert_int_equal(other_result, SIG_USR2);
	assert_int_equal(task_count(), 1);
	assert_null(task_find(PROC_PID + 1));
	assert_int_equal(signal_pending_set(), 0);
}

static void other_sleeps(void *arg)
{
	other_result = sched_sleep_until(WAIT_FOREVER, true);
	task_leave(0);
}

/* What the first task blocks after it was told goes to another one. */
static void a_blocked_signal_is_handed_on(void **state)
{
	struct task *t;

	proc_fresh();
	other_result = 99;
	handler_for(SIG_USR1);
	assert_int_equal(task_create(other_sleeps, NULL, &t), 0);
	task_start(t);
	proc_settle();
	signal_send(NULL, SIG_USR1, NULL);
	proc_settle();
	assert_int_equal(other_result, 99);
	signal_set_mask(SIGSET_OF(SIG_USR1));
	proc_settle();
	assert_int_equal(other_result, -ERESTARTSYS);
	assert_int_equal(task_count(), 1);
	assert_true(signal_take_from(SIGSET_OF(SIG_USR1), &(struct siginfo){ 0 }));
}

static void waiting_ends(void **state)
{
	struct siginfo si;

	proc_fresh();
	handler_for(SIG_USR1);
	assert_int_equal(signal_wait(SIGSET_OF(SIG_USR1), 0, &si), -EAGAIN);
	assert_int_equal(signal_wait(SIGSET_OF(SIG_USR1), arch_clock_mono_ns() + NSEC_PER_MSEC, &si), -EAGAIN);
	handler_for(SIG_HUP);
	signal_send(NULL, SIG_HUP, NULL);
	assert_int_equal(signal_wait(SIGSET_OF(SIG_USR1), WAIT_FOREVER, &si), -EINTR);
	assert_int_equal(task_current()->blocked, 0);
	assert_true(take(&si));
}

static void a_mask_for_one_call(void **state)
{
	struct task *t = proc_fresh();

	handler_for(SIG_USR1);
	signal_set_mask(SIGSET_OF(SIG_USR1));
	signal_push_mask(0);
	assert_int_equal(t->blocked, 0);
	signal_pop_mask(false);
	assert_int_equal(t->blocked, SIGSET_OF(SIG_USR1));
	signal_push_mask(SIGSET_OF(SIG_KILL) | SIGSET_OF(SIG_HUP));
	assert_int_equal(t->blocked, SIGSET_OF(SIG_HUP));
	signal_pop_mask(true);
	assert_true(t->restore_mask && (t->thread->user_work & THREAD_WORK_SIGNAL));
}

/* A worker of the kernel reads a signalfd for the program: it is no task. */
static void a_worker_takes_the_process_signals(void **state)
{
	struct task *t = proc_fresh();
	struct siginfo si;

	signal_set_mask(~0ull);
	signal_send(t, SIG_USR1, NULL);
	signal_send(NULL, SIG_USR2, NULL);
	thread_current()->proc = NULL;
	assert_false(signal_pending());
	assert_int_equal(signal_poll(SIGSET_OF(SIG_USR1), NULL), 0);
	assert_int_not_equal(signal_poll(SIGSET_OF(SIG_USR2), NULL), 0);
	assert_false(signal_take_from(SIGSET_OF(SIG_USR1), &si));
	assert_true(signal_take_from(SIGSET_OF(SIG_USR1) | SIGSET_OF(SIG_USR2), &si));
	assert_int_equal(si.signo, SIG_USR2);
	thread_current()->proc = t;
	assert_true(signal_take_from(SIGSET_OF(SIG_USR1), &si));
}

static void tasks_without_memory(void **state)
{
	struct task *t;

	proc_fresh();
	for (u64 nth = 1;; nth++) {
		heap_fail_nth(nth);
		int r = task_create(other_sleeps, NULL, &t);
		heap_fail_nth(0);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(task_count(), 1);
	}
	task_start(t);
	proc_settle();
	thread_set_work(t->thread, THREAD_WORK_EXIT);
	proc_settle();
	assert_int_equal(task_count(), 1);
	process.ending = true;
	assert_int_equal(task_create(other_sleeps, NULL, &t), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_signals_do_not_queue), cmocka_unit_test(realtime_signals_queue_in_order),
		cmocka_unit_test(faults_come_first), cmocka_unit_test(ignored_signals_vanish),
		cmocka_unit_test(forced_faults_cannot_be_refused), cmocka_unit_test(the_limit_of_the_queue),
		cmocka_unit_test(without_memory), cmocka_unit_test(a_waiting_task_takes_the_process_signal),
		cmocka_unit_test(a_blocked_signal_is_handed_on), cmocka_unit_test(waiting_ends),
		cmocka_unit_test(a_mask_for_one_call), cmocka_unit_test(tasks_without_memory), cmocka_unit_test(a_worker_takes_the_process_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
