/* file_fdtable_test.c - descriptors against a model: an array that knows what each one should be. */
#include "file_util.h"

#define MODEL 3000u

static unsigned releases;
static void count_release(struct file *f) { releases++; }
static const struct file_ops plain_ops = { .kind = "plain", .release = count_release };

static struct file *model[MODEL];
static bool model_cloexec[MODEL], model_reserved[MODEL];
static u32 limit;

static int model_lowest(u32 min)
{
	for (u32 i = min; i < limit; i++)
		if (!model[i] && !model_reserved[i])
			return (int)i;
	return -EMFILE;
}

static void compare(void)
{
	s64 next = -1;

	for (u32 i = 0; i < MODEL; i++) {
		struct file *f = fd_lookup_any((int)i);
		assert_ptr_equal(f, model[i]);
		if (f)
			file_put(f);
		assert_int_equal(fd_get_cloexec((int)i), f ? model_cloexec[i] : -EBADF);
		if (model[i]) {
			next = fd_next_used((u64)(next + 1));
			assert_int_equal(next, i);
		}
	}
	assert_int_equal(fd_next_used((u64)(next + 1)), -1);
}

static void do_install(void)
{
	u32 min = test_random(4) ? 0 : (u32)test_random(limit);
	bool cloexec = test_random(2);
	struct file *f = file_alloc(&plain_ops, 0);
	int want = model_lowest(min), fd = fd_install(f, cloexec, (int)min);

	assert_int_equal(fd, want);
	if (fd < 0) {
		file_put(f);
		return;
	}
	model[fd] = f;
	model_cloexec[fd] = cloexec;
}

static void do_reserve(void)
{
	int want = model_lowest(0), fd = fd_reserve(false, 0);

	assert_int_equal(fd, want);
	if (fd >= 0)
		model_reserved[fd] = true;
}

static void do_settle(void)
{
	u32 i = (u32)test_random(MODEL);

	if (!model_reserved[i])
		return;
	model_reserved[i] = false;
	if (test_random(2)) {
		fd_unreserve((int)i);
		return;
	}
	model[i] = file_alloc(&plain_ops, 0);
	model_cloexec[i] = false;
	fd_fill((int)i, model[i]);
}

static void do_close(void)
{
	u32 i = (u32)test_random(MODEL);

	assert_int_equal(fd_close((int)i), model[i] ? 0 : -EBADF);
	model[i] = NULL;
}

static void do_install_at(void)
{
	u32 i = (u32)test_random(MODEL);
	struct file *f = file_alloc(&plain_ops, 0);
	int r = fd_install_at(f, (int)i, true);

	assert_int_equal(r, i >= limit ? -EBADF : model_reserved[i] ? -EBUSY : (int)i);
	if (r < 0) {
		file_put(f);
		return;
	}
	model[i] = f;
	model_cloexec[i] = true;
}

static void do_range(void)
{
	u32 a = (u32)test_random(MODEL), b = a + (u32)test_random(100);
	bool flag = test_random(2);

	fd_close_range(a, b, flag);
	for (u32 i = a; i <= b && i < MODEL; i++) {
		if (flag)
			model_cloexec[i] = true;
		else
			model[i] = NULL;
	}
}

static void against_model(void **state)
{
	for (unsigned step = 0; step < 60000; step++) {
		if (step % 5000 == 0) {
			limit = (u32)(200 + test_random(MODEL - 200));
			process_rlimits[RLIM_NOFILE].cur = limit;
		}
		switch (test_random(12)) {
		case 0: do_reserve(); break;
		case 1: case 2: do_settle(); break;
		case 3: case 4: case 5: do_close(); break;
		case 6: do_install_at(); break;
		case 7: if (test_random(40) == 0) do_range(); break;
		default: do_install();
		}
		if (step % 1000 == 0)
			compare();
	}
	for (u32 i = 0; i < MODEL; i++)
		if (model_reserved[i]) {
			fd_unreserve((int)i);
			model_reserved[i] = false;
		}
	fd_close_all();
	memset(model, 0, sizeof(model));
	compare();
}

static void references(void **state)
{
	struct file *f = file_alloc(&plain_ops, 0), *g;
	int fd = fd_install(f, false, 0);

	releases = 0;
	g = fd_lookup(fd);
	assert_ptr_equal(g, f);
	assert_int_equal(fd_close(fd), 0);
	assert_int_equal(releases, 0);
	assert_null(fd_lookup(fd));
	file_put(g);
	assert_int_equal(releases, 1);
	/* Who still has the pointer may count a reference and take it back, as a lookup does: nothing comes of it. */
	assert_int_equal(f->refs, FILE_REFS_FREE);
	file_get(f);
	file_put(f);
	assert_int_equal(releases, 1);
	/* The memory is used again; the old pointer is another file now. */
	assert_ptr_equal(file_alloc(&plain_ops, LX_O_PATH), f);
	fd = fd_install(f, false, 0);
	assert_null(fd_lookup(fd));
	assert_ptr_equal(fd_lookup_any(fd), f);
	file_put(f);
	fd_close(fd);
}

static void many(void **state)
{
	process_rlimits[RLIM_NOFILE].cur = FD_MAX;
	struct file *f = file_alloc(&plain_ops, 0);
	for (int i = 0; i < 70000; i++) {
		file_get(f);
		assert_int_equal(fd_install(f, false, 0), i);
	}
	file_get(f);
	assert_int_equal(fd_install_at(f, FD_MAX - 1, false), FD_MAX - 1);
	file_get(f);
	assert_int_equal(fd_install(f, false, 900000), 900000);
	fd_close(12345);
	file_get(f);
	assert_int_equal(fd_install(f, false, 0), 12345);
	file_get(f);
	assert_int_equal(fd_install(f, false, 0), 70000);
	fd_close_all();
	assert_int_equal(f->refs, 1);
	file_put(f);
	process_rlimits[RLIM_NOFILE].cur = 1024;
}

/* Each allocation fails in turn: an errno, and the table is as before. */
static void no_memory(void **state)
{
	struct file *f = file_alloc(&plain_ops, 0);

	process_rlimits[RLIM_NOFILE].cur = FD_MAX;
	for (u64 n = 1; n < 10; n++) {
		heap_fail_nth(n);
		int r = fd_install_at(f, (int)(1000000 + n * 64), false);
		heap_fail_nth(0);
		assert_true(r == -ENOMEM || r == (int)(1000000 + n * 64));
		if (r >= 0) {
			file_get(f);
			fd_close(r);
		}
	}
	heap_fail_nth(1);
	assert_int_equal(fd_install(f, false, 600000), -ENOMEM);
	heap_fail_nth(0);
	assert_int_equal(fd_install(f, false, 600000), 600000);
	fd_close(600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(against_model),
		cmocka_unit_test(many),
	};
	return cmocka_run_group_tests(tests, file_setup, NULL);
}
