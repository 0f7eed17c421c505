/* file_pipe_test.c - pipes against a byte queue; blocking, packets, sizes, memory that runs out. */
#include "file_util.h"
#include "proc/pipe.h"
#include "proc/splice.h"

static struct file *rd, *wr;

static void open_pipe(u32 flags)
{
	assert_int_equal(pipe_create(flags, &rd, &wr), 0);
}

static void close_pipe(void)
{
	file_put(rd);
	file_put(wr);
}

static u8 next_in, next_out;

static void fill(u8 *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (u8)(next_in + i);
}

static void check(const u8 *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf[i], (u8)(next_out + i));
	next_out = (u8)(next_out + n);
}

static void stream(void **state)
{
	static u8 buf[200000];
	size_t inside = 0;

	next_in = next_out = 0;
	open_pipe(LX_O_NONBLOCK);
	for (unsigned step = 0; step < 20000; step++) {
		size_t n = 1 + test_random(test_random(8) ? 5000 : sizeof(buf));
		if (test_random(2)) {
			fill(buf, n);
			ssize_t w = test_write(wr, buf, n);
			assert_true(w == -EAGAIN || (w > 0 && (size_t)w <= n));
			if (n <= LX_PIPE_BUF && w > 0)
				assert_int_equal(w, n);  /* small writes are whole or not at all */
			if (w > 0) {
				inside += (size_t)w;
				next_in = (u8)(next_in + w);
			}
		} else {
			ssize_t r = test_read(rd, buf, n);
			assert_int_equal(r, inside ? (ssize_t)MIN(n, inside) : -EAGAIN);
			if (r > 0) {
				check(buf, (size_t)r);
				inside -= (size_t)r;
			}
		}
		if (step % 500 == 0)
			(void)pipe_resize(file_pipe(rd), PAGE_SIZE << test_random(9));
		int ready;
		assert_int_equal(rd->ops->ioctl(rd, 0x541b, &ready), 0);
		assert_int_equal(ready, inside);
		assert_int_equal(!!(file_poll(rd, NULL) & POLL_IN), inside != 0);
	}
	close_pipe();
}

static void packets(void **state)
{
	static u8 buf[8192];
	size_t sizes[64];
	unsigned head = 0, tail = 0;

	open_pipe(LX_O_NONBLOCK | LX_O_DIRECT);
	for (unsigned step = 0; step < 5000; step++) {
		if (test_random(2)) {
			size_t n = 1 + test_random(LX_PIPE_BUF);
			ssize_t w = test_write(wr, buf, n);
			assert_int_equal(w, head - tail == 16 ? -EAGAIN : (ssize_t)n);
			if (w > 0)
				sizes[head++ % 64] = n;
		} else {
			size_t n = 1 + test_random(sizeof(buf));
			ssize_t r = test_read(rd, buf, n);
			assert_int_equal(r, head == tail ? -EAGAIN : (ssize_t)MIN(n, sizes[tail % 64]));
			tail += head != tail;
		}
	}
	close_pipe();
}

static ssize_t thread_result;

static void blocking_reader(void *arg)
{
	u8 buf[16];
	struct uio u;

	uio_init_kernel(&u, buf, sizeof(buf));
	thread_result = file_read(rd, &u, NULL, false);
}

static void blocking_writer(void *arg)
{
	static u8 big[300000];
	struct uio u;

	uio_init_kernel(&u, big, sizeof(big));
	thread_result = file_write(wr, &u, NULL, false);
}

static struct thread *run(void (*fn)(void *))
{
	struct thread *t = thread_create("test", fn, NULL);

	thread_result = -1;
	thread_start(t);
	thread_yield();
	assert_int_equal(thread_result, -1);
	return t;
}

static void join(struct thread *t)
{
	thread_join(t);
	thread_put(t);
}

static void blocking(void **state)
{
	u8 buf[4096];
	size_t total = 0;

	open_pipe(0);
	struct thread *t = run(blocking_reader);
	assert_int_equal(test_write(wr, "abc", 3), 3);
	join(t);
	assert_int_equal(thread_result, 3);
	t = run(blocking_writer);
	while (total < 300000) {
		ssize_t n = test_read(rd, buf, sizeof(buf));
		if (n > 0)
			total += (size_t)n;
		else
			thread_yield();
	}
	join(t);
	assert_int_equal(thread_result, 300000);
	t = run(blocking_reader);
	file_put(wr);
	join(t);
	assert_int_equal(thread_result, 0);
	assert_int_equal(file_poll(rd, NULL), POLL_HUP);
	file_put(rd);
	open_pipe(0);
	t = run(blocking_writer);
	file_put(rd);
	join(t);
	assert_in_range(thread_result, 1, 65536);
	assert_int_equal(test_write(wr, "x", 1), -EPIPE);
	assert_int_equal(file_poll(wr, NULL) & POLL_ERR, POLL_ERR);
	file_put(wr);
}

static void tee_and_move(void **state)
{
	static u8 buf[65536];
	struct file *rd2, *wr2;

	open_pipe(LX_O_NONBLOCK);
	assert_int_equal(pipe_create(LX_O_NONBLOCK, &rd2, &wr2), 0);
	next_in = next_out = 0;
	fill(buf, 10000);
	assert_int_equal(test_write(wr, buf, 10000), 10000);
	assert_int_equal(splice_pipe_to_pipe(rd, wr2, 5000, true, true), 5000);
	/* The page is shared: writing on in either pipe must not show in the other. */
	assert_int_equal(test_write(wr2, "\xee\xee", 2), 2);
	assert_int_equal(test_read(rd2, buf, 5000), 5000);
	check(buf, 5000);
	assert_int_equal(test_read(rd2, buf, 5000), 2);
	next_out = 0;
	assert_int_equal(splice_pipe_to_pipe(rd, wr2, 65536, true, false), 10000);
	assert_int_equal(test_read(rd, buf, 1), -EAGAIN);
	assert_int_equal(splice_from_pipe(rd2, wr, NULL, 65536, true), 10000);
	assert_int_equal(test_read(rd, buf, 65536), 10000);
	check(buf, 10000);
	close_pipe();
	file_put(rd2);
	file_put(wr2);
}

static void no_memory(void **state)
{
	for (u64 n = 1; n < 6; n++) {
		heap_fail_nth(n);
		int r = pipe_create(0, &rd, &wr);
		heap_fail_nth(0);
		if (r == 0)
			close_pipe();
		else
			assert_int_equal(r, -ENOMEM);
	}
	open_pipe(LX_O_NONBLOCK);
	heap_fail_nth(1);
	assert_int_equal(pipe_resize(file_pipe(rd), 1 << 20), -ENOMEM);
	heap_fail_nth(0);
	assert_int_equal(pipe_size(file_pipe(rd)), 65536);
	close_pipe();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream),
		cmocka_unit_test(packets),
		cmocka_unit_test(blocking),
		cmocka_unit_test(tee_and_move),
		cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, file_setup, NULL);
}
