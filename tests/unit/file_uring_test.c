/*
 * file_uring_test.c - rings against a program that scribbles over the shared memory, against failing allocations, and
 * closed with everything under way: nothing is believed, nothing is lost, nothing leaks.
 */
#include "file_util.h"
#include "linux/uring_ops.h"
#include "proc/aio.h"
#include "proc/event_files.h"
#include "proc/uring_impl.h"
#include "vm/aspace.h"

#define USER 0x20000000ull

static int setup(void **state)
{
	file_setup(state);
	arch_hooks.user_fault = vm_fault;
	assert_int_equal(vm_init(NULL), 0);
	struct vm_map_request rq = { .addr = USER, .len = 16 * PAGE_SIZE, .prot = VM_PROT_READ | VM_PROT_WRITE,
				     .max_prot = VM_PROT_READ | VM_PROT_WRITE, .flags = VM_MAP_FIXED };
	assert_int_equal(vm_map(&rq), USER);
	return 0;
}

static void settle(void)
{
	for (int i = 0; i < 200; i++)
		thread_yield();
}

static struct file *ring_new(u32 sq, u32 cq, u32 flags)
{
	struct uring_config c = { .sq_entries = sq, .cq_entries = cq, .flags = flags, .cpu = -1 };
	struct file *f;

	return uring_create(&c, &f) == 0 ? f : NULL;
}

static struct lx_sqe *sqe_at(struct uring *r, u32 i)
{
	size_t off = (size_t)i << r->sqe_shift;

	return (struct lx_sqe *)((u8 *)page_to_virt(r->sqe_pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1)));
}

static void queue(struct uring *r, struct lx_sqe s)
{
	struct lx_rings *m = uring_shared(r);
	u32 slot = m->sq_tail & (r->sq_entries - 1);

	*sqe_at(r, slot) = s;
	*(u32 *)uring_ring_at(r, r->sq_array_off + slot * 4) = slot;
	m->sq_tail++;
}

static u32 reap(struct uring *r)
{
	struct lx_rings *m = uring_shared(r);
	u32 n = m->cq_tail - m->cq_head;

	m->cq_head = m->cq_tail;
	return n;
}

/* All of the shared memory is the program's to write, at any time. */
static void test_hostile_memory(void **state)
{
	struct file *f = ring_new(8, 16, 0);
	struct uring *r = file_uring(f);
	struct lx_rings *m = uring_shared(r);

	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned k = 0; k < 1 + test_random(12); k++)
			((u32 *)m)[test_random(16)] = (u32)(test_random(3) ? test_random(40) : test_random(1ull << 32));
		for (unsigned k = 0; k < r->sq_entries; k++)
			*(u32 *)uring_ring_at(r, r->sq_array_off + k * 4) = (u32)(test_random(2) ? test_random(8) : test_random(1ull << 32));
		for (unsigned k = 0; k < 8; k++)
			*sqe_at(r, k) = (struct lx_sqe){ .opcode = (u8)(test_random(8) ? LX_OP_NOP : LX_OP_TIMEOUT), .flags = (u8)test_random(128),
							 .fd = (s32)test_random(20) - 10, .addr = test_random(2) ? USER : test_random(1ull << 63),
							 .len = (u32)test_random(3), .user_data = test_random(5) };
		long n = uring_submit(r, (u32)test_random(1ull << 32));
		assert_true(n >= 0 ? n <= 8 : n == -EAGAIN);
		(void)uring_wait(r, 0, 0);
		/* What is the kernel's stays in bounds. */
		assert_true(r->noverflow <= URING_OVERFLOW_MAX);
		assert_true(r->retired <= r->submitted);
	}
	file_put(f);
	settle();
}

static void test_sums(void **state)
{
	struct file *f = ring_new(4, 4, 0);
	struct uring *r = file_uring(f);
	u32 seen = 0;

	/* More completions than there is room for: the backlog keeps them. */
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned k = 0; k < 4; k++)
			queue(r, (struct lx_sqe){ .opcode = LX_OP_NOP, .user_data = round });
		assert_int_equal(uring_submit(r, 4), 4);
	}
	assert_true(uring_shared(r)->sq_flags & LX_SQ_CQ_OVERFLOW);
	while (r->noverflow || uring_cq_ready(r)) {
		seen += reap(r);
		uring_overflow_flush(r);
	}
	assert_int_equal(seen, 400);
	assert_int_equal(uring_shared(r)->cq_overflow, 0);
	assert_false(uring_shared(r)->sq_flags & LX_SQ_CQ_OVERFLOW);
	file_put(f);
}

/* Everything that waits, and then the ring goes. */
static void wait_on_all(struct uring *r, int in, int out)
{
	const struct lx_sqe all[] = {
		{ .opcode = LX_OP_READ, .fd = in, .addr = USER, .len = 64, .user_data = 1 },
		{ .opcode = LX_OP_POLL_ADD, .fd = in, .op_flags = POLL_IN, .user_data = 2 },
		{ .opcode = LX_OP_POLL_ADD, .fd = in, .op_flags = POLL_IN, .len = LX_POLL_ADD_MULTI, .user_data = 3 },
		{ .opcode = LX_OP_TIMEOUT, .addr = USER + PAGE_SIZE, .len = 1, .user_data = 4 },
		{ .opcode = LX_OP_SPLICE, .fd = out, .addr = ~0ull, .off = ~0ull, .len = 10, .splice_fd = in, .user_data = 5 },
		{ .opcode = LX_OP_READ, .flags = LX_IOSQE_LINK, .fd = in, .addr = USER, .len = 64, .user_data = 6 },
		{ .opcode = LX_OP_LINK_TIMEOUT, .flags = LX_IOSQE_LINK, .addr = USER + PAGE_SIZE, .len = 1, .user_data = 7 },
		{ .opcode = LX_OP_NOP, .user_data = 8 },
		{ .opcode = LX_OP_NOP, .flags = LX_IOSQE_DRAIN, .user_data = 9 },
		{ .opcode = LX_OP_NOP, .user_data = 10 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		queue(r, all[i]);
	(void)uring_submit(r, ARRAY_SIZE(all));
}

static void make_pipe(int fd[2])
{
	struct file *a, *b;

	assert_int_equal(pipe_create(0, &a, &b), 0);
	fd[0] = fd_install(a, false, 0);
	fd[1] = fd_install(b, false, 0);
	assert_true(fd[0] >= 0 && fd[1] >= 0);
}

static void test_close_with_all(void **state)
{
	const s64 minute[2] = { 60, 0 };
	int p[2], q[2];
	u64 before = 0;

	assert_int_equal(copy_to_user(uaddr_make(USER + PAGE_SIZE), minute, sizeof(minute)), 0);
	make_pipe(p);
	make_pipe(q);
	for (int round = 0; round < 20; round++) {
		struct file *f = ring_new(16, 32, round % 2 ? LX_SETUP_SINGLE_ISSUER | LX_SETUP_DEFER_TASKRUN : 0);
		wait_on_all(file_uring(f), p[0], q[1]);
		if (round % 3 == 0)
			settle();
		file_put(f);
		settle();
		if (round == 3)
			before = heap_used_bytes();
	}
	assert_int_equal(heap_used_bytes(), before);
	for (int i = 0; i < 2; i++) {
		fd_close(p[i]);
		fd_close(q[i]);
	}
}

/* The same with the n-th allocation failing, for every n until none does. */
static void test_failing_allocations(void **state)
{
	int p[2], q[2];
	u64 before = 0;
	unsigned made = 0;

	make_pipe(p);
	make_pipe(q);
	for (u64 n = 1; n < 60; n++) {
		heap_fail_nth(n);
		struct file *f = ring_new(16, 32, 0);
		if (f) {
			made++;
			wait_on_all(file_uring(f), p[0], q[1]);
			(void)uring_wait(file_uring(f), 0, 0);
		}
		heap_fail_nth(0);
		if (f)
			file_put(f);
		settle();
		if (n == 2)
			before = heap_used_bytes();
	}
	assert_true(made > 20 && made < 59);
	assert_int_equal(heap_used_bytes(), before);
	for (int i = 0; i < 2; i++) {
		fd_close(p[i]);
		fd_close(q[i]);
	}
}

static void test_limits(void **state)
{
	struct uring_buf *bufs = heap_alloc(sizeof(*bufs));
	struct file *f = ring_new(8, 16, 0);
	struct uring *r = file_uring(f);

	process_rlimits[RLIM_MEMLOCK].cur = 8 * PAGE_SIZE;
	*bufs = (struct uring_buf){ USER, 9 * PAGE_SIZE };
	assert_int_equal(uring_bufs_register(r, bufs, 1), -ENOMEM);
	bufs->len = 8 * PAGE_SIZE;
	assert_int_equal(uring_bufs_register(r, bufs, 1), 0);
	assert_int_equal(uring_bufs_unregister(r), 0);
	process_rlimits[RLIM_MEMLOCK].cur = UINT64_MAX;
	/* Rings do not hold rings. */
	int fd = fd_install(f, false, 0);
	assert_int_equal(uring_files_register(r, (s32[]){ fd }, 1), -EBADF);
	assert_int_equal(uring_files_register(r, NULL, 4), 0);
	assert_int_equal(uring_file_place(r, f, ~0u), -EBADF);
	assert_int_equal(uring_file_alloc_range(r, 0xfffffff0u, 0x20), -EOVERFLOW);
	assert_int_equal(uring_file_alloc_range(r, 2, 3), -EINVAL);
	fd_close(fd);
	settle();
}

/* A context whose ring the program scribbles over. */
static void test_aio_hostile(void **state)
{
	u64 id, before = heap_used_bytes();
	u32 ring[8];

	assert_int_equal(aio_create(8, &id), 0);
	struct aio_ctx *c = aio_lookup(id);
	assert_non_null(c);
	assert_null(aio_lookup(id + 4096));
	assert_int_equal(copy_from_user(ring, uaddr_make(id), sizeof(ring)), 0);
	assert_int_equal(ring[4], 0xa10a10a1);
	for (unsigned round = 0; round < 2000; round++) {
		u32 word = (u32)test_random(1ull << 32);
		assert_int_equal(copy_to_user(uaddr_make(id + 4 * test_random(8)), &word, 4), 0);
		struct aio_req *q = aio_req_new(c);
		if (q) {
			aio_req_set(q, 1, 2, NULL);
			if (test_random(4))
				aio_complete(q, 3);
			else
				aio_req_drop(q);
		}
		struct lx_io_event out[4];
		struct uio u;
		uio_init_kernel(&u, out, sizeof(out));
		long n = aio_events(c, 0, 4, &u, 0);
		assert_true(n >= 0 && n <= 4);
	}
	assert_int_equal(aio_destroy(c), 0);
	assert_int_equal(aio_destroy(c), -EINVAL);
	aio_put(c);
	settle();
	assert_true(heap_used_bytes() <= before + 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_memory),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_close_with_all),
		cmocka_unit_test(test_failing_allocations),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_aio_hostile),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
