/* futex_pi.c - PI and robust locks, by the call and by the library. */
#include "abi.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

static volatile unsigned word;

static long futex(int op, const void *t)
{
	return syscall(SYS_futex, &word, op, 0, t, NULL, 0);
}

static void *contender(void *p)
{
	(void)p;
	long r = futex(FUTEX_LOCK_PI_PRIVATE, NULL);
	int mine = (word & FUTEX_TID_MASK) == (unsigned)syscall(SYS_gettid);
	NOTE("contender", "%ld owns %d", r, mine);
	CHECK("contender unlocks", futex(FUTEX_UNLOCK_PI_PRIVATE, NULL));
	return NULL;
}

static void *impatient(void *p)
{
	struct timespec ts;

	(void)p;
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK("lock with timeout", futex(FUTEX_LOCK_PI_PRIVATE, &ts));
	CHECK("trylock", futex(FUTEX_TRYLOCK_PI_PRIVATE, NULL));
	CHECK("unlock of another's", futex(FUTEX_UNLOCK_PI_PRIVATE, NULL));
	return NULL;
}

static pthread_mutex_t m;

static void *dies(void *p)
{
	(void)p;
	pthread_mutex_lock(&m);
	return NULL;
}

static void robust(const char *name, int protocol)
{
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutex_init(&m, &a);
	pthread_create(&t, NULL, dies, NULL);
	pthread_join(t, NULL);
	int r = pthread_mutex_lock(&m);
	NOTE(name, "lock %s", r ? strerrorname_np(r) : "0");
	NOTE(name, "consistent %d", pthread_mutex_consistent(&m));
	NOTE(name, "unlock %d", pthread_mutex_unlock(&m));
	NOTE(name, "lock %d", pthread_mutex_lock(&m));
	pthread_mutex_unlock(&m);
	pthread_create(&t, NULL, dies, NULL);
	pthread_join(t, NULL);
	r = pthread_mutex_lock(&m);
	NOTE(name, "lock %s", r ? strerrorname_np(r) : "0");
	pthread_mutex_unlock(&m);
	r = pthread_mutex_lock(&m);
	NOTE(name, "not consistent %s", r ? strerrorname_np(r) : "0");
}

static void *holds_and_dies(void *p)
{
	pthread_mutex_lock(&m);
	pthread_barrier_wait(p);
	usleep(50000);
	return NULL;
}

static void *takes_and_goes(void *p)
{
	futex(FUTEX_LOCK_PI_PRIVATE, NULL);
	usleep(60000);
	return p;
}

int main(void)
{
	unsigned me = (unsigned)syscall(SYS_gettid);
	pthread_barrier_t b;
	pthread_t t;
	struct timespec ts = { 1, 0 };

	CHECK("lock", futex(FUTEX_LOCK_PI_PRIVATE, NULL));
	NOTE("word", "%d", word == me);
	CHECK("lock again", futex(FUTEX_LOCK_PI_PRIVATE, NULL));
	CHECK("trylock own", futex(FUTEX_TRYLOCK_PI_PRIVATE, NULL));
	pthread_create(&t, NULL, impatient, NULL);
	pthread_join(t, NULL);
	pthread_create(&t, NULL, contender, NULL);
	while (!(word & FUTEX_WAITERS))
		usleep(1000);
	usleep(20000);
	long r = futex(FUTEX_UNLOCK_PI_PRIVATE, NULL);
	pthread_join(t, NULL);
	NOTE("unlock", "%ld", r);
	NOTE("word", "%u", word);
	CHECK("unlock free", futex(FUTEX_UNLOCK_PI_PRIVATE, NULL));
	word = 4194303;
	CHECK("lock of a dead owner", futex(FUTEX_LOCK_PI_PRIVATE, &ts));
	word = 0;
	CHECK("trylock free", futex(FUTEX_TRYLOCK_PI_PRIVATE, NULL));
	CHECK("unlock", futex(FUTEX_UNLOCK_PI_PRIVATE, NULL));
	robust("robust", PTHREAD_PRIO_NONE);
	robust("robust PI", PTHREAD_PRIO_INHERIT);

	/* The owner dies while we wait. */
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&m, &a);
	pthread_barrier_init(&b, NULL, 2);
	pthread_create(&t, NULL, holds_and_dies, &b);
	pthread_barrier_wait(&b);
	NOTE("owner dies", "%s", strerrorname_np(pthread_mutex_lock(&m)));
	pthread_join(t, NULL);
	pthread_mutex_consistent(&m);
	pthread_mutex_unlock(&m);
	/* Not robust: the waiter gets it all the same. */
	word = 0;
	pthread_create(&t, NULL, takes_and_goes, NULL);
	while (!word)
		usleep(1000);
	usleep(10000);
	CHECK("owner goes without a list", futex(FUTEX_LOCK_PI_PRIVATE, NULL));
	NOTE("word", "%d %d", (word & FUTEX_TID_MASK) == me, (word & FUTEX_OWNER_DIED) != 0);
	pthread_join(t, NULL);
	void *head;
	size_t len;
	CHECK("get_robust_list", syscall(SYS_get_robust_list, 0, &head, &len));
	NOTE("len", "%zu", len);
	CHECK("get_robust_list nobody", syscall(SYS_get_robust_list, 4194303, &head, &len));
	CHECK("set_robust_list len", syscall(SYS_set_robust_list, head, 23));
	CHECK("set_robust_list", syscall(SYS_set_robust_list, head, 24));
	return 0;
}
