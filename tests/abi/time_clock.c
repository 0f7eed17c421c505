/* time_clock.c - clocks: which there are, that they run, what is refused. */
#include "abi.h"
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <grp.h>

static long gettime(long id, struct timespec *ts)
{
	return syscall(SYS_clock_gettime, id, ts);
}

static long ns(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000000000l + b->tv_nsec - a->tv_nsec;
}

int main(void)
{
	static const struct { const char *name; int id; } clocks[] = {
		{ "REALTIME", CLOCK_REALTIME }, { "MONOTONIC", CLOCK_MONOTONIC }, { "PROCESS", CLOCK_PROCESS_CPUTIME_ID },
		{ "THREAD", CLOCK_THREAD_CPUTIME_ID }, { "RAW", CLOCK_MONOTONIC_RAW }, { "REALTIME_COARSE", CLOCK_REALTIME_COARSE },
		{ "MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE }, { "BOOTTIME", CLOCK_BOOTTIME }, { "TAI", CLOCK_TAI },
	};
	struct timespec a, b, c;
	struct timeval tv;
	volatile long x = 0;

	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		char name[40];
		snprintf(name, sizeof(name), "clock %s", clocks[i].name);
		CHECK(name, gettime(clocks[i].id, &a));
		gettime(clocks[i].id, &b);
		NOTE(name, "%d", ns(&a, &b) >= 0 && a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
		CHECK(name, syscall(SYS_clock_getres, clocks[i].id, &a));
		NOTE(name, "%d", a.tv_sec == 0 && a.tv_nsec > 0);
	}
	CHECK("clock 10", gettime(10, &a));
	CHECK("clock 99", gettime(99, &a));
	CHECK("clock bad address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8));
	CHECK("getres NULL", syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL));
	CHECK("getres 99", syscall(SYS_clock_getres, 99, &a));
	clockid_t id;
	NOTE("clock_getcpuclockid", "%d", clock_getcpuclockid(0, &id));
	CHECK("process clock by id", gettime(id, &a));
	CHECK("clock of nobody", gettime((int)((~4194303u << 3) | 6), &a));
	/* The call and the vDSO agree. */
	clock_gettime(CLOCK_MONOTONIC, &a);
	gettime(CLOCK_MONOTONIC, &b);
	clock_gettime(CLOCK_MONOTONIC, &c);
	NOTE("vdso monotonic", "%d", ns(&a, &b) >= 0 && ns(&b, &c) >= 0);
	clock_gettime(CLOCK_REALTIME, &a);
	gettime(CLOCK_REALTIME, &b);
	clock_gettime(CLOCK_REALTIME, &c);
	NOTE("vdso realtime", "%d", ns(&a, &b) >= 0 && ns(&b, &c) >= 0);
	CHECK("gettimeofday", syscall(SYS_gettimeofday, &tv, NULL));
	NOTE("agrees", "%d", labs(tv.tv_sec - b.tv_sec) <= 1 && tv.tv_usec < 1000000);
	CHECK("gettimeofday bad", syscall(SYS_gettimeofday, 8, NULL));
	NOTE("time", "%d", labs(syscall(SYS_time, NULL) - b.tv_sec) <= 1);
	NOTE("after 2020", "%d", b.tv_sec > 1577836800);
	/* CPU time grows with work and not with sleep. */
	gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	gettime(CLOCK_MONOTONIC, &b);
	do {
		x++;
		gettime(CLOCK_MONOTONIC, &c);
	} while (ns(&b, &c) < 30000000);
	gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	NOTE("worked", "%d", ns(&a, &b) > 1000000);
	gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	usleep(50000);
	gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	NOTE("slept", "%d", ns(&a, &b) < 40000000);
	CHECK("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, &a));
	CHECK("settimeofday", settimeofday(&tv, NULL));
	return 0;
}
