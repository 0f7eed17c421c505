/* futex_requeue.c - condition variables of PI locks by the call, futex_waitv, robust lists of other threads, membarrier's RSEQ commands. */
#include "abi.h"
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct waitv { unsigned long val, uaddr; unsigned flags, reserved; };
#define V32 2u

static volatile unsigned cond, lock, other;

static long fut(volatile unsigned *a, int op, unsigned val, const void *t, volatile unsigned *b, unsigned val3)
{
	return syscall(SYS_futex, a, op, val, t, b, val3);
}

static unsigned tid(void) { return (unsigned)syscall(SYS_gettid); }

static struct timespec in_ms(int clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static int waiting, owners, last_tid;
struct job { long r; int e; int owner; unsigned clear; };

/* Wait on cond for the lock; then give it up. */
static void announce(void)
{
	__atomic_store_n(&last_tid, (int)tid(), __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
}

static void *waits(void *arg)
{
	struct job *j = arg;

	announce();
	errno = 0;
	j->r = fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock, 0);
	j->e = errno;
	j->owner = (lock & FUTEX_TID_MASK) == tid();
	if (j->owner) {
		owners++;
		if (lock == tid())
			lock = 0;
		else
			fut(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	}
	return NULL;
}

/* Until the n-th has announced itself and sleeps: it is in its call, whatever else the machine does. */
static void settle(int n)
{
	char path[64], state = 0;

	while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < n)
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", __atomic_load_n(&last_tid, __ATOMIC_SEQ_CST));
	for (int i = 0; i < 5000 && state != 'S'; i++) {
		FILE *f = fopen(path, "r");
		if (!f || fscanf(f, "%*d %*s %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		usleep(1000);
	}
}

static void requeue(void)
{
	struct job j[3] = { 0 };
	pthread_t t[3];

	for (int i = 0; i < 3; i++) {
		pthread_create(&t[i], NULL, waits, &j[i]);
		settle(i + 1);
	}
	CHECK("plain wake", fut(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CHECK("plain requeue", fut(&cond, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 0));
	CHECK("other lock", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &other, 0));
	CHECK("two wakes", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, (void *)1, &lock, 0));
	CHECK("changed", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 5));
	CHECK("same words", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &cond, 0));
	lock = tid();
	CHECK("all to the held lock", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)10, &lock, 0));
	NOTE("marked", "%d", (lock & FUTEX_WAITERS) != 0 && (lock & FUTEX_TID_MASK) == tid());
	usleep(20000);
	NOTE("nobody yet", "%d", owners);
	CHECK("unlock", fut(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], NULL);
		NOTE("waiter", "%ld %d", j[i].r, j[i].owner);
	}
	NOTE("owners", "%d lock %u", owners, lock);
	/* A free lock goes to the first at once. */
	waiting = owners = 0;
	for (int i = 0; i < 2; i++) {
		pthread_create(&t[i], NULL, waits, &j[i]);
		settle(i + 1);
	}
	CHECK("one, to the free lock", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &lock, 0));
	pthread_join(t[0], NULL);
	NOTE("first", "%ld %d", j[0].r, j[0].owner);
	CHECK("the other", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)0, &lock, 0));
	pthread_join(t[1], NULL);
	NOTE("second", "%ld %d", j[1].r, j[1].owner);
	CHECK("nobody left", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &lock, 0));
}

static void *times_out(void *arg)
{
	struct timespec t = in_ms(CLOCK_MONOTONIC, 400);

	announce();
	CHECK("requeued, then timed out", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &t, &lock, 0));
	return arg;
}

static void limits(void)
{
	struct timespec t = in_ms(CLOCK_MONOTONIC, 20), bad = { 0, -1 };
	pthread_t th;

	CHECK("timed out", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &t, &lock, 0));
	t = in_ms(CLOCK_REALTIME, 20);
	CHECK("real clock", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, &lock, 0));
	CHECK("bad time", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, &bad, &lock, 0));
	CHECK("wrong value", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &lock, 0));
	CHECK("on itself", fut(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &cond, 0));
	CHECK("unaligned", fut((unsigned *)((char *)&cond + 1), FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock, 0));
	CHECK("bad lock", fut(&cond, FUTEX_WAIT_REQUEUE_PI, 0, NULL, (void *)16, 0));
	lock = tid();
	waiting = 0;
	pthread_create(&th, NULL, times_out, NULL);
	settle(1);
	CHECK("moved", fut(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &lock, 0));
	pthread_join(th, NULL);
	CHECK("unlock after all", fut(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	NOTE("free", "%u", lock);
	CHECK("lock by the clock", fut(&lock, FUTEX_LOCK_PI2_PRIVATE, 0, NULL, NULL, 0));
	CHECK("twice", fut(&lock, FUTEX_LOCK_PI2_PRIVATE, 0, NULL, NULL, 0));
	CHECK("unlock", fut(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	CHECK("realtime lock_pi", fut(&lock, FUTEX_LOCK_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
}

/* ---- futex_waitv ---- */

static volatile unsigned words[130];
static struct waitv v[130];

static long waitv(unsigned n, unsigned flags, const struct timespec *t, int clock)
{
	return syscall(SYS_futex_waitv, v, n, flags, t, clock);
}

static void *waits_many(void *arg)
{
	struct job *j = arg;

	announce();
	errno = 0;
	j->r = waitv(128, 0, NULL, 0);
	j->e = errno;
	return NULL;
}

static void on(int s) { (void)s; }

static void many(void)
{
	struct timespec t = in_ms(CLOCK_MONOTONIC, 20), bad = { 0, 1000000000 };
	struct job j = { 0 };
	pthread_t th;

	for (int i = 0; i < 130; i++)
		v[i] = (struct waitv){ 0, (unsigned long)&words[i], V32 | FUTEX_PRIVATE_FLAG, 0 };
	CHECK("none", waitv(0, 0, NULL, 0));
	CHECK("too many", waitv(129, 0, NULL, 0));
	CHECK("flags", waitv(1, 1, NULL, 0));
	CHECK("null", syscall(SYS_futex_waitv, NULL, 1, 0, NULL, 0));
	CHECK("bad array", syscall(SYS_futex_waitv, (void *)8, 1, 0, NULL, 0));
	CHECK("timed out many", waitv(128, 0, &t, CLOCK_MONOTONIC));
	t = in_ms(CLOCK_REALTIME, 20);
	CHECK("timed out real", waitv(3, 0, &t, CLOCK_REALTIME));
	CHECK("other clock", waitv(3, 0, &t, CLOCK_BOOTTIME));
	CHECK("bad time many", waitv(3, 0, &bad, CLOCK_MONOTONIC));
	CHECK("bad time pointer", waitv(3, 0, (void *)8, CLOCK_MONOTONIC));
	words[2] = 1;
	CHECK("one differs", waitv(3, 0, NULL, 0));
	words[2] = 0;
	v[1].flags = FUTEX_PRIVATE_FLAG;
	CHECK("no size", waitv(3, 0, NULL, 0));
	v[1].flags = V32 | 0x40000;
	CHECK("strange flag", waitv(3, 0, NULL, 0));
	v[1].flags = V32;
	v[1].reserved = 1;
	CHECK("reserved", waitv(3, 0, NULL, 0));
	v[1].reserved = 0;
	v[1].uaddr++;
	CHECK("unaligned word", waitv(3, 0, NULL, 0));
	v[1].uaddr = 16;
	CHECK("bad word", waitv(3, 0, NULL, 0));
	v[1] = (struct waitv){ 0, (unsigned long)&words[1], V32 | FUTEX_PRIVATE_FLAG, 0 };
	waiting = 0;
	pthread_create(&th, NULL, waits_many, &j);
	settle(1);
	CHECK("wake one", fut(&words[77], FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0));
	pthread_join(th, NULL);
	NOTE("which", "%ld", j.r);
	CHECK("no longer on it", fut(&words[77], FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0));
	CHECK("nor on others", fut(&words[3], FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0));
	struct sigaction sa = { .sa_handler = on };
	sigaction(SIGUSR1, &sa, NULL);
	waiting = 0;
	pthread_create(&th, NULL, waits_many, &j);
	settle(1);
	pthread_kill(th, SIGUSR1);
	pthread_join(th, NULL);
	NOTE("interrupted", "%ld %s", j.r, strerrorname_np(j.e));
}

/* ---- PI mutexes with condition variables, as the library makes them ---- */

static pthread_mutex_t m;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static int items, taken;

static void *consumer(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&m);
		while (!items)
			pthread_cond_wait(&c, &m);
		if (items < 0) {
			pthread_mutex_unlock(&m);
			return arg;
		}
		items--;
		taken++;
		pthread_mutex_unlock(&m);
	}
}

static void library(void)
{
	pthread_mutexattr_t a;
	pthread_t t[3];

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&m, &a);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, consumer, NULL);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&m);
		items++;
		if (i % 3)
			pthread_cond_signal(&c);
		else
			pthread_cond_broadcast(&c);
		pthread_mutex_unlock(&m);
		if (i % 20 == 0)
			usleep(500);
	}
	for (;;) {
		pthread_mutex_lock(&m);
		if (!items) {
			items = -1;
			pthread_cond_broadcast(&c);
			pthread_mutex_unlock(&m);
			break;
		}
		pthread_mutex_unlock(&m);
		usleep(1000);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	NOTE("taken", "%d", taken);
}

/* ---- Others' robust lists; barriers ---- */

static int idle_tid, stop;
static void *idle(void *arg)
{
	idle_tid = (int)tid();
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		usleep(1000);
	return arg;
}

static void rest(void)
{
	void *head = NULL, *mine = NULL;
	size_t len = 0;
	pthread_t t;

	pthread_create(&t, NULL, idle, NULL);
	while (!__atomic_load_n(&idle_tid, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK("mine", syscall(SYS_get_robust_list, 0, &mine, &len));
	CHECK("another's", syscall(SYS_get_robust_list, idle_tid, &head, &len));
	NOTE("lists", "differ %d len %zu", head && head != mine, len);
	CHECK("nobody's", syscall(SYS_get_robust_list, 4000000, &head, &len));
	CHECK("bad length", syscall(SYS_set_robust_list, head, 23));
	CHECK("bad place", syscall(SYS_get_robust_list, 0, NULL, &len));
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
	NOTE("query", "%ld", syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & 511);
	CHECK("rseq unregistered", syscall(SYS_membarrier, 128, 0, 0));
	CHECK("rseq register", syscall(SYS_membarrier, 256, 0, 0));
	CHECK("rseq", syscall(SYS_membarrier, 128, 0, 0));
	CHECK("rseq on a cpu", syscall(SYS_membarrier, 128, 1, 0));
	CHECK("rseq on no cpu", syscall(SYS_membarrier, 128, 1, 4000));
	CHECK("rseq flags", syscall(SYS_membarrier, 128, 2, 0));
	CHECK("register flags", syscall(SYS_membarrier, 256, 1, 0));
}

int main(void)
{
	requeue();
	limits();
	many();
	library();
	rest();
	return 0;
}
