/* thread_affinity.c - a thread runs where it may, also when another one says so while it runs. */
#include "abi.h"
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static volatile int stop, tid;

static void *spins(void *p)
{
	tid = (int)syscall(SYS_gettid);
	while (!stop)
		__asm__ volatile("pause");
	unsigned cpu;
	syscall(SYS_getcpu, &cpu, NULL, NULL);
	*(unsigned *)p = cpu;
	return NULL;
}

int main(void)
{
	cpu_set_t all, one;
	unsigned where = 99, cpu;
	pthread_t t;
	int bad = 0;

	sched_getaffinity(0, sizeof(all), &all);
	for (int c = 0; c < CPU_SETSIZE; c++) {
		if (!CPU_ISSET(c, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(c, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			bad++;
		syscall(SYS_getcpu, &cpu, NULL, NULL);
		bad += cpu != (unsigned)c;
	}
	NOTE("own moves", "%d", bad);
	sched_setaffinity(0, sizeof(all), &all);
	bad = 0;
	for (int c = 0; c < CPU_SETSIZE; c++) {
		if (!CPU_ISSET(c, &all))
			continue;
		stop = tid = 0;
		pthread_create(&t, NULL, spins, &where);
		while (!tid)
			usleep(1000);
		CPU_ZERO(&one);
		CPU_SET(c, &one);
		if (sched_setaffinity(tid, sizeof(one), &one))
			bad++;
		usleep(20000);
		stop = 1;
		pthread_join(t, NULL);
		bad += where != (unsigned)c;
	}
	NOTE("moved by another", "%d", bad);
	CPU_ZERO(&one);
	CPU_SET(1000, &one);
	CHECK("no such CPU", sched_setaffinity(0, sizeof(one), &one));
	CHECK("nobody", sched_setaffinity(4194303, sizeof(all), &all));
	CHECK("bad address", syscall(SYS_sched_setaffinity, 0, 8, 8));
	return 0;
}
