/* futex_basic.c - the futex call: values, errors, waking, requeueing, bitsets, operations, owners. */
#include "abi.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static long futex(volatile void *a, int op, unsigned v, const void *t, volatile void *a2, unsigned v3)
{
	return syscall(SYS_futex, a, op, v, t, a2, v3);
}

static volatile int word, word2;
static atomic_int waiting, woken;

struct job { int op; unsigned bits; };

static void *waiter(void *p)
{
	struct job *j = p;

	waiting++;
	long r = futex(&word, j->op, 0, NULL, NULL, j->bits);
	woken++;
	return (void *)r;
}

/* All have called; give them time to sleep. */
static void settle(int n)
{
	while (waiting < n)
		usleep(1000);
	usleep(30000);
}

static void await(int n)
{
	for (int i = 0; i < 2000 && woken < n; i++)
		usleep(1000);
}

static void errors(void)
{
	struct timespec bad = { 0, 1000000000 }, zero = { 0, 0 }, neg = { -1, 0 }, little = { 0, 10000000 };
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	word = 1;
	CHECK("WAIT other value", futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	CHECK("WAIT private other", futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	CHECK("WAIT unaligned", futex((char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0));
	CHECK("WAIT bad address", futex((void *)8, FUTEX_WAIT, 1, NULL, NULL, 0));
	CHECK("WAIT bad timeout", futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0));
	CHECK("WAIT negative timeout", futex(&word, FUTEX_WAIT, 1, &neg, NULL, 0));
	CHECK("WAIT timeout address", futex(&word, FUTEX_WAIT, 1, (void *)8, NULL, 0));
	CHECK("WAIT zero", futex(&word, FUTEX_WAIT, 1, &zero, NULL, 0));
	CHECK("WAIT little", futex(&word, FUTEX_WAIT_PRIVATE, 1, &little, NULL, 0));
	CHECK("WAIT realtime", futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, &zero, NULL, 0));
	CHECK("WAIT_BITSET 0", futex(&word, FUTEX_WAIT_BITSET, 1, &zero, NULL, 0));
	CHECK("WAIT_BITSET past", futex(&word, FUTEX_WAIT_BITSET, 1, &zero, NULL, 1));
	CHECK("WAIT_BITSET realtime past", futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &zero, NULL, 1));
	CHECK("WAKE nobody", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	CHECK("WAKE private", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CHECK("WAKE unaligned", futex((char *)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0));
	CHECK("WAKE read-only", futex(ro, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CHECK("WAKE_BITSET 0", futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	CHECK("CMP_REQUEUE other", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &word2, 0));
	CHECK("CMP_REQUEUE same", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &word2, 1));
	CHECK("REQUEUE negative", futex(&word, FUTEX_REQUEUE, -1, (void *)1, &word2, 0));
	CHECK("op 99", futex(&word, 99, 0, NULL, NULL, 0));
	CHECK("FD", futex(&word, FUTEX_FD, 0, NULL, NULL, 0));
	struct timespec abs;
	clock_gettime(CLOCK_MONOTONIC, &abs);
	abs.tv_nsec += 20000000;
	if (abs.tv_nsec >= 1000000000)
		abs.tv_sec++, abs.tv_nsec -= 1000000000;
	CHECK("WAIT_BITSET absolute", futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &abs, NULL, ~0u));
	clock_gettime(CLOCK_REALTIME, &abs);
	abs.tv_sec++;
	CHECK("WAIT_BITSET realtime", futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &abs, NULL, ~0u));
}

static void start(pthread_t *t, struct job *j, int n)
{
	word = word2 = 0;
	waiting = woken = 0;
	for (int i = 0; i < n; i++)
		pthread_create(&t[i], NULL, waiter, j);
	settle(n);
}

static void join(const char *name, pthread_t *t, int n)
{
	long sum = 0;
	void *r;

	for (int i = 0; i < n; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	NOTE(name, "%ld", sum);
}

static void waking(void)
{
	struct job priv = { FUTEX_WAIT_PRIVATE, 0 }, bits1 = { FUTEX_WAIT_BITSET_PRIVATE, 1 }, bits2 = { FUTEX_WAIT_BITSET_PRIVATE, 2 };
	pthread_t t[8];

	start(t, &priv, 4);
	CHECK("wake 1", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	await(1);
	NOTE("woken", "%d", woken);
	CHECK("wake 2", futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0));
	CHECK("wake all", futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0));
	join("results", t, 4);

	start(t, &bits1, 2);
	CHECK("wake bit 2", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2));
	CHECK("wake bits 3", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 3));
	CHECK("wake plain", futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	join("results", t, 2);
	(void)bits2;

	start(t, &priv, 5);
	CHECK("requeue 1 + 3", futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)3, &word2, 0));
	CHECK("left on the first", futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	CHECK("on the second", futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	join("results", t, 5);

	start(t, &priv, 3);
	CHECK("cmp_requeue 0 + 2", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)2, &word2, 0));
	CHECK("on the second", futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	CHECK("on the first", futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
	join("results", t, 3);

	start(t, &priv, 2);
	word2 = 5;
	CHECK("wake_op add, == 5", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0)));
	NOTE("word", "%d", word);
	await(1);
	word = 0;
	CHECK("wake_op set, != 0", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_NE, 0)));
	NOTE("word", "%d", word);
	CHECK("wake_op or shift", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_GT, 8)));
	NOTE("word", "%d", word);
	CHECK("wake_op andn", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LT, 0)));
	NOTE("word", "%d", word);
	CHECK("wake_op xor", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(FUTEX_OP_XOR, 255, FUTEX_OP_CMP_LE, -1)));
	NOTE("word", "%d", word);
	CHECK("wake_op 6", futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word, FUTEX_OP(6, 255, FUTEX_OP_CMP_LE, -1)));
	futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0);
	join("results", t, 2);
}

static volatile int *shared;

static void *shared_waiter(void *p)
{
	waiting++;
	return (void *)futex(p, FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* A shared mapping seen at two addresses is one futex; a private futex there is another. */
static void sharing(void)
{
	int fd = memfd_create("f", 0);
	pthread_t t;

	if (fd < 0 || ftruncate(fd, 4096))
		return;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	volatile int *again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	waiting = 0;
	pthread_create(&t, NULL, shared_waiter, (void *)shared);
	settle(1);
	CHECK("wake private there", futex(again, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CHECK("wake by the other address", futex(again, FUTEX_WAKE, 1, NULL, NULL, 0));
	pthread_join(t, NULL);
}

int main(void)
{
	errors();
	waking();
	sharing();
	return 0;
}
