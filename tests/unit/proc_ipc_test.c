/* proc_ipc_test.c - System V IPC and POSIX queues below the calls: tables, order of waiters, bounds, failing allocations. */
#include "file_util.h"
#include "proc/ipc.h"

static int fresh(void **state)
{
	return file_setup(state);
}

static void settle(void)
{
	for (int i = 0; i < 32; i++)
		thread_yield();
}

/* ---- Tables ---- */

static void numbers_come_back_late(void **state)
{
	int a = ipc_sem_get(LX_IPC_PRIVATE, 1, 0600), b = ipc_sem_get(LX_IPC_PRIVATE, 1, 0600);

	assert_true(a >= 0 && b >= 0 && a != b);
	assert_int_equal(ipc_sem_remove(a), 0);
	int c = ipc_sem_get(LX_IPC_PRIVATE, 1, 0600);
	assert_true(c >= 0 && c != a && c != b);
	assert_int_equal(ipc_sem_query(a, 0, LX_SEM_GETVAL), -EINVAL);
	assert_int_equal(ipc_sem_remove(b), 0);
	assert_int_equal(ipc_sem_remove(c), 0);
}

static void table_fills_and_empties(void **state)
{
	static int ids[LX_SHMMNI];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < LX_SHMMNI; i++) {
			ids[i] = ipc_shm_get(LX_IPC_PRIVATE, 1, 0600);
			assert_true(ids[i] >= 0);
		}
		assert_int_equal(ipc_shm_get(LX_IPC_PRIVATE, 1, 0600), -ENOSPC);
		struct shm_info in;
		ipc_shm_info(&in);
		assert_int_equal(in.used, LX_SHMMNI);
		assert_int_equal(in.total_pages, LX_SHMMNI);
		assert_int_equal(in.last_index, LX_SHMMNI - 1);
		for (unsigned i = 0; i < LX_SHMMNI; i++)
			assert_int_equal(ipc_shm_remove(ids[i]), 0);
		ipc_shm_info(&in);
		assert_int_equal(in.used, 0);
		assert_int_equal(in.total_pages, 0);
	}
	/* Stale numbers mean nothing. */
	struct shm_stat s;
	assert_int_equal(ipc_shm_stat(ids[0], false, &s), -EINVAL);
}

/* ---- Semaphores ---- */

static int set, order[16], norder, results[16];
struct job {
	int id;
	unsigned n;
	struct sem_op ops[2];
	u64 deadline_ns;
};

static void operates(void *arg)
{
	const struct job *j = arg;

	results[j->id] = ipc_sem_op(set, j->ops, j->n, j->deadline_ns ? j->deadline_ns : WAIT_FOREVER);
	order[norder++] = j->id;
}

static void start(struct job *jobs, int n)
{
	norder = 0;
	for (int i = 0; i < n; i++) {
		jobs[i].id = i;
		results[i] = 99;
		if (!jobs[i].n)
			jobs[i].n = 1;
		assert_int_equal(thread_spawn("operates", operates, &jobs[i]), 0);
		settle();
	}
}

static void semaphores_wake_what_can_go_on(void **state)
{
	struct job jobs[4] = { { .ops = { { 0, -3, 0 } } }, { .ops = { { 0, -1, 0 } } }, { .n = 2, .ops = { { 0, -1, 0 }, { 1, 2, 0 } } },
			       { .ops = { { 1, -2, 0 } } } };

	set = ipc_sem_get(LX_IPC_PRIVATE, 2, 0600);
	start(jobs, 4);
	assert_int_equal(norder, 0);
	assert_int_equal(ipc_sem_query(set, 0, LX_SEM_GETNCNT), 3);
	assert_int_equal(ipc_sem_query(set, 1, LX_SEM_GETNCNT), 1);
	assert_int_equal(ipc_sem_set_value(set, 0, 2), 0);
	settle();
	/* The second and third take one each; what the third gives lets the fourth go on. */
	assert_int_equal(norder, 3);
	assert_int_equal(ipc_sem_query(set, 0, LX_SEM_GETVAL), 0);
	assert_int_equal(ipc_sem_query(set, 1, LX_SEM_GETVAL), 0);
	assert_int_equal(ipc_sem_query(set, 0, LX_SEM_GETNCNT), 1);
	assert_int_equal(ipc_sem_remove(set), 0);
	settle();
	assert_int_equal(norder, 4);
	assert_int_equal(results[0], -EIDRM);
	assert_int_equal(results[3], 0);
}

static void semaphores_give_up(void **state)
{
	struct job j = { .ops = { { 0, 0, 0 } }, .deadline_ns = arch_clock_mono_ns() + 1000000 };

	set = ipc_sem_get(LX_IPC_PRIVATE, 1, 0600);
	assert_int_equal(ipc_sem_set_value(set, 0, 1), 0);
	start(&j, 1);
	assert_int_equal(ipc_sem_query(set, 0, LX_SEM_GETZCNT), 1);
	host_clock_advance(2000000);
	settle();
	assert_int_equal(norder, 1);
	assert_int_equal(results[0], -EAGAIN);
	assert_int_equal(ipc_sem_query(set, 0, LX_SEM_GETZCNT), 0);
	assert_int_equal(ipc_sem_remove(set), 0);
}

/* ---- Memory ---- */

static void memory_is_bounded(void **state)
{
	unsigned n = 0;
	int id;

	while ((id = ipc_sem_get(LX_IPC_PRIVATE, (int)LX_SEMMSL, 0600)) >= 0)
		n++;
	assert_int_equal(id, -ENOMEM);
	assert_true(n > 0 && n < LX_SEMMNI);
	struct sem_info in;
	struct sem_stat s;
	ipc_sem_info(&in);
	assert_int_equal(in.used, n);
	for (int i = 0; i <= in.last_index; i++)
		if (ipc_sem_stat(i, true, &s) >= 0)
			assert_int_equal(ipc_sem_remove(s.perm.id), 0);
	/* All of it was given back. */
	id = ipc_sem_get(LX_IPC_PRIVATE, (int)LX_SEMMSL, 0600);
	assert_true(id >= 0);
	assert_int_equal(ipc_sem_remove(id), 0);
}

/* Everything once, with the n-th allocation failing: an errno, nothing lost. True if none failed. */
static bool try_all(u64 n)
{
	struct file *f = NULL;
	struct sem_op undo = { 0, 1, LX_SEM_UNDO };
	struct ipc_msg *m;
	bool all = true;

	heap_fail_nth(n);
	int shm = ipc_shm_get(LX_IPC_PRIVATE, 4096, 0600), sem = ipc_sem_get(LX_IPC_PRIVATE, 3, 0600), q = ipc_msg_get(LX_IPC_PRIVATE, 0600);
	all &= shm >= 0 && sem >= 0 && q >= 0;
	if (sem >= 0) {
		int r = ipc_sem_op(sem, &undo, 1, 0);
		u16 *v = NULL;
		unsigned nv;
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(ipc_sem_query(sem, 0, LX_SEM_GETVAL), r == 0);
		all &= r == 0 && ipc_sem_get_all(sem, &v, &nv) == 0;
		heap_free(v);
	}
	if (q >= 0 && (m = ipc_msg_new(100))) {
		struct ipc_msg *back;
		m->type = 1;
		assert_int_equal(ipc_msg_send(q, m, true), 0);
		int r = ipc_msg_receive(q, 100, 0, LX_MSG_COPY | LX_IPC_NOWAIT, &back);
		assert_true(r == 0 || r == -ENOMEM);
		if (r == 0)
			ipc_msg_free(back);
		all &= r == 0;
	} else {
		all = false;
	}
	int r = mq_open("q", LX_O_RDWR | LX_O_CREAT | LX_O_NONBLOCK, 0600, NULL, &f);
	assert_true(r == 0 || r == -ENOMEM);
	all &= r == 0;
	if (r == 0 && (m = ipc_msg_new(10)))
		assert_int_equal(mq_send(f, m, 0), 0);
	else
		all = false;
	heap_fail_nth(0);
	if (shm >= 0)
		assert_int_equal(ipc_shm_remove(shm), 0);
	if (sem >= 0)
		assert_int_equal(ipc_sem_remove(sem), 0);
	if (q >= 0)
		assert_int_equal(ipc_msg_remove(q), 0);
	if (f) {
		assert_int_equal(mq_unlink("q"), 0);
		file_put(f);
	}
	return all;
}

static void allocations_fail(void **state)
{
	struct shm_info shm;
	struct sem_info sem;
	struct msg_info msg;
	u64 n = 1;

	assert_true(try_all(0));
	u64 used = heap_used_bytes();
	while (!try_all(n)) {
		assert_int_equal(heap_used_bytes(), used);
		n++;
		assert_true(n < 100);
	}
	assert_true(n > 8);
	ipc_shm_info(&shm);
	ipc_sem_info(&sem);
	ipc_msg_info(&msg);
	assert_int_equal(shm.used + sem.used + msg.used, 0);
}

/* ---- POSIX queues ---- */

static void queues_sort_by_priority(void **state)
{
	static const s64 prios[] = { 3, 7, 3, 0, 7, 32767 };
	static const int expect[] = { 5, 1, 4, 0, 2, 3 };
	struct file *f;

	assert_int_equal(mq_open("q", LX_O_RDWR | LX_O_CREAT | LX_O_NONBLOCK, 0600, NULL, &f), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(prios); i++) {
		struct ipc_msg *m = ipc_msg_new(1);
		assert_non_null(m);
		m->type = prios[i];
		m->data[0] = (u8)i;
		assert_int_equal(mq_send(f, m, 0), 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(prios); i++) {
		struct ipc_msg *m;
		assert_int_equal(mq_receive(f, 0, &m), 0);
		assert_int_equal(m->data[0], expect[i]);
		ipc_msg_free(m);
	}
	/* A queue without a name lives while it is open. */
	assert_int_equal(mq_unlink("q"), 0);
	assert_int_equal(mq_unlink("q"), -ENOENT);
	struct ipc_msg *m = ipc_msg_new(5);
	assert_non_null(m);
	assert_int_equal(mq_send(f, m, 0), 0);
	file_put(f);
}

static void queues_are_counted(void **state)
{
	static struct file *files[LX_MQ_QUEUES_MAX + 1];
	struct mq_attr a = { .maxmsg = 1, .msgsize = 1 };
	char name[16];
	unsigned n;

	for (n = 0; n < LX_MQ_QUEUES_MAX; n++) {
		snprintf(name, sizeof(name), "q%u", n);
		assert_int_equal(mq_open(name, LX_O_RDWR | LX_O_CREAT, 0600, &a, &files[n]), 0);
	}
	assert_int_equal(mq_open("one more", LX_O_RDWR | LX_O_CREAT, 0600, &a, &files[n]), -ENOSPC);
	process_rlimits[RLIM_MSGQUEUE].cur = 100;
	assert_int_equal(mq_unlink("q0"), 0);
	assert_int_equal(mq_open("one more", LX_O_RDWR | LX_O_CREAT, 0600, &a, &files[n]), -EMFILE);
	process_rlimits[RLIM_MSGQUEUE].cur = UINT64_MAX;
	while (n--) {
		snprintf(name, sizeof(name), "q%u", n);
		assert_int_equal(mq_unlink(name), n ? 0 : -ENOENT);
		file_put(files[n]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_come_back_late, fresh),
		cmocka_unit_test_setup(table_fills_and_empties, fresh),
		cmocka_unit_test_setup(semaphores_wake_what_can_go_on, fresh),
		cmocka_unit_test_setup(semaphores_give_up, fresh),
		cmocka_unit_test_setup(memory_is_bounded, fresh),
		cmocka_unit_test_setup(allocations_fail, fresh),
		cmocka_unit_test_setup(queues_sort_by_priority, fresh),
		cmocka_unit_test_setup(queues_are_counted, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
