/* thread_basic.c - threads of the library: many of them, TLS, condition variables, signals to one, cancellation. */
#include "abi.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

#define N 64
static __thread int tls = 5;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;
static int arrived;

static void *count(void *p)
{
	tls += (int)(long)p;
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		if (i % 50 == 0)
			sched_yield();
	}
	return (void *)(long)tls;
}

static void many(void)
{
	pthread_t t[N];
	long sum = 0;
	void *r;

	for (long i = 0; i < N; i++)
		if (pthread_create(&t[i], NULL, count, (void *)i))
			NOTE("create", "failed");
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], &r);
		sum += (long)r;
	}
	NOTE("counter", "%ld", counter);
	NOTE("tls sum", "%ld own %d", sum, tls);
	/* One after the other: threads and stacks are given back. */
	for (int i = 0; i < 500; i++) {
		pthread_create(&t[0], NULL, count, NULL);
		pthread_join(t[0], NULL);
	}
	NOTE("counter", "%ld", counter);
}

static void *meet(void *p)
{
	pthread_mutex_lock(&lock);
	if (++arrived == 16)
		pthread_cond_broadcast(&cond);
	while (arrived < 16)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	return p;
}

static void conditions(void)
{
	pthread_t t[16];
	struct timespec ts;

	for (int i = 0; i < 16; i++)
		pthread_create(&t[i], NULL, meet, NULL);
	for (int i = 0; i < 16; i++)
		pthread_join(t[i], NULL);
	NOTE("met", "%d", arrived);
	clock_gettime(CLOCK_REALTIME, &ts);
	pthread_mutex_lock(&lock);
	NOTE("timedwait", "%s", strerrorname_np(pthread_cond_timedwait(&cond, &lock, &ts)));
	pthread_mutex_unlock(&lock);
	sem_t s;
	sem_init(&s, 0, 1);
	CHECK("sem_wait", sem_wait(&s));
	CHECK("sem_trywait", sem_trywait(&s));
	CHECK("sem_timedwait", sem_timedwait(&s, &ts));
}

static volatile pthread_t hit_thread;
static volatile sig_atomic_t hits;

static void on(int s)
{
	(void)s;
	hit_thread = pthread_self();
	hits++;
}

static sem_t ready, go;

static void *target(void *p)
{
	sem_post(&ready);
	while (sem_wait(&go) != 0)
		;
	return p;
}

static void signals(void)
{
	struct sigaction a = { .sa_handler = on };
	sigset_t m;
	pthread_t t;

	sem_init(&ready, 0, 0);
	sem_init(&go, 0, 0);
	sigaction(SIGUSR1, &a, NULL);
	pthread_create(&t, NULL, target, NULL);
	sem_wait(&ready);
	NOTE("pthread_kill", "%d", pthread_kill(t, SIGUSR1));
	while (!hits)
		usleep(1000);
	NOTE("in the target", "%d", pthread_equal(hit_thread, t) != 0);
	/* For the process: who does not block it gets it. */
	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &m, NULL);
	hits = 0;
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 1000 && !hits; i++)
		usleep(1000);
	NOTE("in the other", "%d", hits == 1 && pthread_equal(hit_thread, t));
	sem_post(&go);
	pthread_join(t, NULL);
	hits = 0;
	kill(getpid(), SIGUSR1);
	NOTE("blocked by all", "%d", hits);
	pthread_sigmask(SIG_UNBLOCK, &m, NULL);
	NOTE("now", "%d", hits);
}

static void cleanup(void *p)
{
	*(int *)p = 1;
}

static void *sleeper(void *p)
{
	pthread_cleanup_push(cleanup, p);
	sem_post(&ready);
	for (;;)
		pause();
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelling(void)
{
	int cleaned = 0;
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, sleeper, &cleaned);
	sem_wait(&ready);
	NOTE("cancel", "%d", pthread_cancel(t));
	pthread_join(t, &r);
	NOTE("cancelled", "%d %d", r == PTHREAD_CANCELED, cleaned);
}

static void *last(void *p)
{
	usleep(50000);
	NOTE("still here", "%d", *(int *)p);
	exit(7);
}

int main(void)
{
	static int x = 1;
	pthread_t t;

	many();
	conditions();
	signals();
	cancelling();
	pthread_create(&t, NULL, last, &x);
	pthread_detach(t);
	/* The first thread goes; the process lives on. */
	pthread_exit(NULL);
}
