/* file_epoll_test.c - epoll sets over event counters, against a model of what must be reported. */
#include "file_util.h"
#include "proc/epoll.h"
#include "proc/event_files.h"

#define N 24

static struct file *ep, *ev[N];

/* As the system call. */
static int wait_until(struct lx_epoll_event *out, unsigned max, u64 deadline_ns)
{
	struct lx_epoll_event one;
	struct uio u;

	uio_init_kernel(&u, out, max * sizeof(*out));
	ssize_t n = epoll_wait_events(ep, &u, max, deadline_ns, &one);
	if (n != EPOLL_ONE)
		return (int)n;
	assert_int_equal(u.resid, max * sizeof(*out));
	out[0] = one;
	return 1;
}

static int wait_now(struct lx_epoll_event *out, unsigned max)
{
	return wait_until(out, max, 0);
}

static int control(int op, unsigned i, u32 events)
{
	struct lx_epoll_event e = { events, i };

	return epoll_control(ep, ev[i], (int)i, &e, op);
}

static void open_all(void)
{
	assert_int_equal(epoll_create(&ep), 0);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(eventfd_create(0, false, &ev[i]), 0);
}

static void close_all(void)
{
	file_put(ep);
	for (unsigned i = 0; i < N; i++)
		if (ev[i])
			file_put(ev[i]);
}

static void signal_event(unsigned i)
{
	u64 one = 1;

	assert_int_equal(test_write(ev[i], &one, 8), 8);
}

static void drain_event(unsigned i)
{
	u64 n;

	(void)test_read(ev[i], &n, 8);
}

/* What the model knows of each item. */
static struct {
	bool member, set, pending;   /* pending: an edge that has not been told */
	u32 events;                  /* as given; 0 after oneshot */
} m[N];

static bool expected(unsigned i)
{
	if (!m[i].member || !m[i].set || !(m[i].events & POLL_IN))
		return false;
	return m[i].events & LX_EPOLLET ? m[i].pending : true;
}

static void check_wait(void)
{
	struct lx_epoll_event out[N];
	bool seen[N] = { 0 };
	unsigned want = 0, max = 1 + (unsigned)test_random(N);

	for (unsigned i = 0; i < N; i++)
		want += expected(i);
	int n = wait_now(out, max);
	assert_int_equal(n, MIN(want, max));
	for (int k = 0; k < n; k++) {
		unsigned i = (unsigned)out[k].data;
		assert_true(i < N && expected(i) && !seen[i]);
		assert_int_equal(out[k].events, POLL_IN);
		seen[i] = true;
	}
	for (unsigned i = 0; i < N; i++)
		if (seen[i]) {
			m[i].pending = false;
			if (m[i].events & LX_EPOLLONESHOT)
				m[i].events = 0;
		}
}

static void against_model(void **state)
{
	static const u32 modes[] = { POLL_IN, POLL_IN | LX_EPOLLET, POLL_IN | LX_EPOLLONESHOT, POLL_IN | LX_EPOLLET | LX_EPOLLONESHOT, 0 };

	open_all();
	for (unsigned step = 0; step < 50000; step++) {
		unsigned i = (unsigned)test_random(N);
		u32 mode = modes[test_random(5)];
		switch (test_random(8)) {
		case 0:
			assert_int_equal(control(LX_EPOLL_CTL_ADD, i, mode), m[i].member ? -EEXIST : 0);
			if (!m[i].member) {
				m[i].member = m[i].pending = true;
				m[i].events = mode;
			}
			break;
		case 1:
			assert_int_equal(control(LX_EPOLL_CTL_MOD, i, mode), m[i].member ? 0 : -ENOENT);
			m[i].events = m[i].member ? mode : 0;
			m[i].pending = true;
			break;
		case 2:
			assert_int_equal(control(LX_EPOLL_CTL_DEL, i, 0), m[i].member ? 0 : -ENOENT);
			m[i].member = false;
			break;
		case 3: case 4:
			signal_event(i);
			m[i].set = true;
			m[i].pending = true;
			break;
		case 5:
			drain_event(i);
			m[i].set = false;
			break;
		default:
			check_wait();
		}
	}
	close_all();
}

/* A file's end takes it out of every set; a set's end frees its items; in both orders. */
static void ends(void **state)
{
	struct file *outer = NULL;
	struct lx_epoll_event out[4], e = { POLL_IN, 1 };

	open_all();
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(control(LX_EPOLL_CTL_ADD, i, POLL_IN), 0);
	assert_int_equal(epoll_create(&outer), 0);
	assert_int_equal(epoll_control(outer, ep, 5, &e, LX_EPOLL_CTL_ADD), 0);
	assert_int_equal(epoll_control(ep, outer, 6, &e, LX_EPOLL_CTL_ADD), -ELOOP);
	assert_int_equal(file_poll(outer, NULL), 0);
	signal_event(3);
	assert_int_equal(file_poll(outer, NULL) & POLL_IN, POLL_IN);
	file_put(ev[3]);
	ev[3] = NULL;
	assert_int_equal(wait_now(out, 4), 0);
	assert_int_equal(file_poll(outer, NULL), 0);
	close_all();
	file_put(outer);
}

static void bad_buffer(void **state)
{
	struct lx_epoll_event out[4];
	struct uio u;

	open_all();
	control(LX_EPOLL_CTL_ADD, 0, POLL_IN | LX_EPOLLET);
	signal_event(0);
	uio_init_user_one(&u, uaddr_make(4096), 48);
	assert_int_equal(epoll_wait_events(ep, &u, 4, 0, &out[0]), -EFAULT);
	assert_int_equal(wait_now(out, 4), 1);   /* the edge was not lost */
	assert_int_equal(wait_now(out, 4), 0);
	close_all();
}

static int waiter_result[3];

static void waiter(void *arg)
{
	struct lx_epoll_event out[2];

	*(int *)arg = wait_until(out, 2, arch_clock_mono_ns() + NSEC_PER_SEC);
}

static void sleeping(void **state)
{
	struct thread *t[3];

	open_all();
	control(LX_EPOLL_CTL_ADD, 0, POLL_IN | LX_EPOLLET);
	for (int i = 0; i < 3; i++) {
		waiter_result[i] = -1;
		t[i] = thread_create("waiter", waiter, &waiter_result[i]);
		thread_start(t[i]);
	}
	thread_yield();
	signal_event(0);
	thread_yield();
	thread_yield();
	assert_int_equal((waiter_result[0] == 1) + (waiter_result[1] == 1) + (waiter_result[2] == 1), 1);
	for (int i = 0; i < 3; i++) {
		thread_join(t[i]);
		thread_put(t[i]);
	}
	assert_int_equal(waiter_result[0] + waiter_result[1] + waiter_result[2], 1);
	close_all();
}

static void write_nothing(void *arg)
{
	u64 zero = 0;
	struct uio u;

	uio_init_kernel(&u, &zero, 8);
	*(ssize_t *)arg = file_write(ev[0], &u, NULL, false);
}

/* Only the kernel fills a counter up; then even 0 has no room, until somebody reads. */
static void full(void **state)
{
	ssize_t written = 0;
	u64 n = 0;

	open_all();
	eventfd_signal(ev[0], UINT64_MAX);
	assert_int_equal(test_write(ev[0], &n, 8), -EAGAIN);
	struct thread *t = thread_create("writer", write_nothing, &written);
	thread_start(t);
	thread_yield();
	assert_int_equal(written, 0);
	assert_int_equal(test_read(ev[0], &n, 8), 8);
	assert_true(n == UINT64_MAX);
	thread_join(t);
	thread_put(t);
	assert_int_equal(written, 8);
	close_all();
}

static void no_memory(void **state)
{
	for (u64 n = 1; n < 5; n++) {
		heap_fail_nth(n);
		int r = epoll_create(&ep);
		heap_fail_nth(0);
		if (r == 0)
			file_put(ep);
		else
			assert_int_equal(r, -ENOMEM);
	}
	open_all();
	heap_fail_nth(1);
	assert_int_equal(control(LX_EPOLL_CTL_ADD, 0, POLL_IN), -ENOMEM);
	heap_fail_nth(0);
	assert_int_equal(control(LX_EPOLL_CTL_ADD, 0, POLL_IN), 0);
	close_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
		cmocka_unit_test(ends),
		cmocka_unit_test(bad_buffer),
		cmocka_unit_test(sleeping),
		cmocka_unit_test(full),
		cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, file_setup, NULL);
}
