/* file_locks_test.c - record locks against a model: an owner and a type for each byte. */
#include "file_util.h"
#include "proc/locks.h"

#define BYTES  40
#define OWNERS 4                     /* 0: the process; the others: open files */

static struct vnode node;
static struct file *files[OWNERS];
static const struct file_ops ops = { .kind = "test" };
static u8 model[OWNERS][BYTES];      /* 0 free, 1 read, 2 write */

static bool model_conflict(unsigned owner, int start, int end, u8 type)
{
	for (unsigned o = 0; o < OWNERS; o++)
		for (int i = start; o != owner && i <= end; i++)
			if (model[o][i] && (model[o][i] == 2 || type == 2))
				return true;
	return false;
}

static void compare(void)
{
	struct lock_range found, want;

	for (unsigned o = 0; o < OWNERS; o++)
		for (int i = 0; i < BYTES; i++) {
			want = (struct lock_range){ LX_F_WRLCK, i, i, o != 0 };
			locks_test(files[o], &want, &found);
			assert_int_equal(found.type != LX_F_UNLCK, model_conflict(o, i, i, 2));
			want.type = LX_F_RDLCK;
			locks_test(files[o], &want, &found);
			assert_int_equal(found.type != LX_F_UNLCK, model_conflict(o, i, i, 1));
		}
}

static int step(unsigned o, int start, int end, u8 type)
{
	struct lock_range r = { type == 0 ? LX_F_UNLCK : type == 1 ? LX_F_RDLCK : LX_F_WRLCK, start, end, o != 0 };
	int want = type && model_conflict(o, start, end, type) ? -EAGAIN : 0, got = locks_set(files[o], &r, false);

	if (got == -ENOMEM)
		return got;
	assert_int_equal(got, want);
	for (int i = start; got == 0 && i <= end; i++)
		model[o][i] = type;
	return got;
}

static int setup(void **state)
{
	file_setup(state);
	node.type = VNODE_REG;
	node.refs = 1;
	for (unsigned o = 0; o < OWNERS; o++) {
		files[o] = file_alloc(&ops, LX_O_RDWR);
		files[o]->vnode = &node;
	}
	return 0;
}

static void drop_all(void)
{
	locks_close(files[0]);
	for (unsigned o = 0; o < OWNERS; o++)
		locks_file_gone(files[o]);
	memset(model, 0, sizeof(model));
	assert_null(node.locks);
}

static void against_model(void **state)
{
	for (unsigned n = 0; n < 20000; n++) {
		int start = (int)test_random(BYTES), end = start + (int)test_random((u64)(BYTES - start));
		unsigned o = (unsigned)test_random(OWNERS);
		if (test_random(200) == 0) {
			if (o)
				locks_file_gone(files[o]);
			else
				locks_close(files[0]);
			memset(model[o], 0, BYTES);
		} else {
			step(o, start, end, (u8)test_random(3));
		}
		if (n % 20 == 0)
			compare();
	}
	drop_all();
}

static int waited;

static void waiter(void *arg)
{
	struct lock_range r = { LX_F_WRLCK, 0, LOCKS_TO_END, true };

	waited = locks_set(files[2], &r, true);
}

static void waiting(void **state)
{
	struct lock_range r = { LX_F_RDLCK, 5, 5, true };
	struct thread *t = thread_create("waiter", waiter, NULL);

	assert_int_equal(locks_set(files[1], &r, false), 0);
	waited = 1;
	thread_start(t);
	thread_yield();
	assert_int_equal(waited, 1);
	locks_file_gone(files[1]);
	thread_join(t);
	thread_put(t);
	assert_int_equal(waited, 0);
	drop_all();
}

static void whole_files(void **state)
{
	assert_int_equal(locks_flock(files[1], LX_F_RDLCK, false), 0);
	assert_int_equal(locks_flock(files[2], LX_F_RDLCK, false), 0);
	assert_int_equal(locks_flock(files[1], LX_F_WRLCK, false), -EAGAIN);
	/* The failed conversion lost the shared lock, as on Linux. */
	assert_int_equal(locks_flock(files[2], LX_F_WRLCK, false), 0);
	assert_int_equal(locks_flock(files[3], LX_F_RDLCK, false), -EAGAIN);
	assert_int_equal(locks_flock(files[2], LX_F_UNLCK, false), 0);
	assert_int_equal(locks_flock(files[3], LX_F_RDLCK, false), 0);
	drop_all();
}

static void no_memory(void **state)
{
	for (u64 n = 1; n < 8; n++) {
		step(1, 0, 20, 2);
		heap_fail_nth(n);
		int r = step(1, 5, 10, 1);
		heap_fail_nth(0);
		assert_true(r == 0 || r == -ENOMEM);
		compare();
		heap_fail_nth(n);
		r = locks_flock(files[1], LX_F_WRLCK, false);
		heap_fail_nth(0);
		assert_true(r == 0 || r == -ENOMEM);
		drop_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
		cmocka_unit_test(waiting),
		cmocka_unit_test(whole_files),
		cmocka_unit_test(no_memory),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
