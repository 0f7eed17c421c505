/*
 * facts.c - what the machine gave us, one line a fact: CPUs that run, the wall clock after a sleep of two seconds,
 * how far the sleep was from two seconds, floating-point registers of threads that take turns on the CPUs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define TURNS 2000

static double now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sixteen sums that live in registers while other threads run; each thread's are its own. */
static void *sums(void *arg)
{
	double step = (double)(long)arg, s[16] = { 0 };
	long bad = 0;

	for (int i = 1; i <= TURNS; i++) {
		for (int k = 0; k < 16; k++)
			s[k] += step * (k + 1);
		if (i % 16 == 0)
			sched_yield();
		for (int k = 0; k < 16; k++)
			bad += s[k] != step * (k + 1) * i;
	}
	return (void *)bad;
}

/* Threads that stay on a CPU of their own choice: each CPU must take one. */
static void *pinned(void *arg)
{
	cpu_set_t set;
	long cpu = (long)arg;

	CPU_ZERO(&set);
	CPU_SET((int)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return (void *)0;
	for (int i = 0; i < 50; i++)
		sched_yield();
	return (void *)(long)(sched_getcpu() == (int)cpu);
}

int main(void)
{
	pthread_t t[THREADS];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), on_their_cpu = 0, bad = 0, late_ms;
	double start;
	void *r;

	setvbuf(stdout, NULL, _IOLBF, 0);

	for (long i = 0; i < cpus && i < THREADS; i++) {
		pthread_create(&t[i], NULL, pinned, (void *)i);
		pthread_join(t[i], &r);
		on_their_cpu += (long)r;
	}
	printf("cpus %ld, reached %ld\n", cpus, on_their_cpu);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, sums, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(t[i], &r);
		bad += (long)r;
	}
	printf("floating-point %s\n", bad ? "mixed up" : "kept");
	start = now(CLOCK_MONOTONIC);
	sleep(2);
	late_ms = (long)((now(CLOCK_MONOTONIC) - start - 2) * 1000);
	printf("sleep %s\n", late_ms >= 0 && late_ms < 1000 ? "2 s" : "wrong");
	printf("realtime %ld\n", (long)now(CLOCK_REALTIME));
	return 7;
}
