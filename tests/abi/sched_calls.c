/* sched_calls.c - policies, sched_setattr, nice values, disk priorities, affinity masks: for a process without rights. */
#include "abi.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

struct attr {
	unsigned size, policy;
	unsigned long flags;
	int nice;
	unsigned priority;
	unsigned long runtime, deadline, period;
	unsigned util_min, util_max, more[8];
};

static long setattr(struct attr a, unsigned flags)
{
	return syscall(SYS_sched_setattr, 0, &a, flags);
}

/* nice: as whoever runs this is. */
static void show_beside(const char *name, int nice)
{
	struct attr a = { 0 };
	long r = syscall(SYS_sched_getattr, 0, &a, 48, 0);

	NOTE(name, "%ld size %u policy %u flags %lu nice %d priority %u", r, a.size, a.policy, a.flags, a.nice - nice, a.priority);
}

static void show(const char *name) { show_beside(name, 0); }

static void attributes(void)
{
	struct attr a = { .size = 48 };

	show_beside("at first", getpriority(PRIO_PROCESS, 0));
	CHECK("batch", setattr((struct attr){ .size = 48, .policy = SCHED_BATCH, .nice = 3 }, 0));
	show("batch");
	CHECK("other", setattr((struct attr){ .size = 48, .nice = 5 }, 0));
	show("other");
	CHECK("nicer again", setattr((struct attr){ .size = 48, .nice = 4 }, 0));
	CHECK("fifo", setattr((struct attr){ .size = 48, .policy = SCHED_FIFO, .priority = 1 }, 0));
	CHECK("fifo without priority", setattr((struct attr){ .size = 48, .policy = SCHED_FIFO }, 0));
	CHECK("fifo above", setattr((struct attr){ .size = 48, .policy = SCHED_FIFO, .priority = 100 }, 0));
	CHECK("other with priority", setattr((struct attr){ .size = 48, .nice = 5, .priority = 1 }, 0));
	CHECK("deadline", setattr((struct attr){ .size = 48, .policy = 6, .runtime = 10000000, .deadline = 20000000, .period = 20000000 }, 0));
	CHECK("deadline bad", setattr((struct attr){ .size = 48, .policy = 6 }, 0));
	CHECK("policy 4", setattr((struct attr){ .size = 48, .policy = 4 }, 0));
	CHECK("policy 99", setattr((struct attr){ .size = 48, .policy = 99 }, 0));
	CHECK("policy negative", setattr((struct attr){ .size = 48, .policy = -1u }, 0));
	CHECK("nice too far", setattr((struct attr){ .size = 48, .nice = 99 }, 0));
	show("clamped");
	CHECK("size 0", setattr((struct attr){ .nice = 19 }, 0));
	CHECK("size 47", setattr((struct attr){ .size = 47, .nice = 19 }, 0));
	CHECK("size 80", setattr((struct attr){ .size = 80, .nice = 19 }, 0));
	CHECK("size 80 not zero", setattr((struct attr){ .size = 80, .nice = 19, .more = { [5] = 1 } }, 0));
	CHECK("size huge", setattr((struct attr){ .size = 5000, .nice = 19 }, 0));
	CHECK("call flags", setattr(a, 1));
	CHECK("unknown flag", setattr((struct attr){ .size = 48, .nice = 19, .flags = 1 << 20 }, 0));
	CHECK("keep all", setattr((struct attr){ .size = 48, .flags = 0x18 }, 0));
	show("kept");
	CHECK("reset on fork", setattr((struct attr){ .size = 48, .nice = 19, .flags = 1 }, 0));
	show("resets");
	CHECK("getscheduler", sched_getscheduler(0));
	CHECK("cannot take it back", setattr((struct attr){ .size = 48, .nice = 19 }, 0));
	CHECK("null", syscall(SYS_sched_setattr, 0, NULL, 0));
	CHECK("negative pid", syscall(SYS_sched_setattr, -1, &a, 0));
	CHECK("nobody", syscall(SYS_sched_setattr, 4000000, &a, 0));
	CHECK("get small", syscall(SYS_sched_getattr, 0, &a, 47, 0));
	CHECK("get flags", syscall(SYS_sched_getattr, 0, &a, 48, 1));
	CHECK("get nobody", syscall(SYS_sched_getattr, 4000000, &a, 48, 0));
	CHECK("get null", syscall(SYS_sched_getattr, 0, NULL, 48, 0));
	CHECK("get bad", syscall(SYS_sched_getattr, 0, (void *)8, 48, 0));
}

static void simple(void)
{
	struct sched_param p = { 0 };

	CHECK("scheduler batch", sched_setscheduler(0, SCHED_BATCH, &p));
	CHECK("scheduler reset", sched_setscheduler(0, SCHED_OTHER | 0x40000000, &p));
	CHECK("is", sched_getscheduler(0));
	CHECK("scheduler unknown", sched_setscheduler(0, 42, &p));
	CHECK("scheduler negative", sched_setscheduler(0, -1, &p));
	CHECK("scheduler null", sched_setscheduler(0, SCHED_OTHER, NULL));
	CHECK("setparam", sched_setparam(0, &p));
	p.sched_priority = 1;
	CHECK("setparam 1", sched_setparam(0, &p));
	CHECK("setparam nobody", sched_setparam(4000000, &p));
	CHECK("getparam", sched_getparam(0, &p));
	NOTE("priority", "%d", p.sched_priority);
	for (int i = -1; i < 7; i++)
		NOTE("limits", "%d: %d %d", i, sched_get_priority_min(i), sched_get_priority_max(i));
	struct timespec t;
	CHECK("interval nobody", sched_rr_get_interval(4000000, &t));
	CHECK("interval negative", sched_rr_get_interval(-1, &t));
	CHECK("interval bad", syscall(SYS_sched_rr_get_interval, 0, 8));
}

static void niceness(void)
{
	CHECK("raw priority", syscall(SYS_getpriority, PRIO_PROCESS, 0));
	CHECK("lower number", setpriority(PRIO_PROCESS, 0, 0));
	CHECK("same", setpriority(PRIO_PROCESS, 0, 19));
	CHECK("beyond", setpriority(PRIO_PROCESS, 0, 1000));
	CHECK("user nobody", setpriority(PRIO_USER, 54321, 19));
	CHECK("get user nobody", syscall(SYS_getpriority, PRIO_USER, 54321));
	CHECK("negative who", setpriority(PRIO_PROCESS, -5, 19));
	CHECK("bad which", setpriority(7, 0, 19));
	CHECK("negative which", syscall(SYS_getpriority, -1, 0));
}

static void disks(void)
{
	CHECK("set best effort 3", syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3));
	CHECK("get 3", syscall(SYS_ioprio_get, 1, 0));
	CHECK("set idle", syscall(SYS_ioprio_set, 1, 0, 3 << 13));
	CHECK("get idle", syscall(SYS_ioprio_get, 1, 0));
	CHECK("set real time", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
	CHECK("set none", syscall(SYS_ioprio_set, 1, 0, 0));
	CHECK("get none", syscall(SYS_ioprio_get, 1, 0));
	CHECK("none with level", syscall(SYS_ioprio_set, 1, 0, 3));
	CHECK("class 5", syscall(SYS_ioprio_set, 1, 0, 5 << 13));
	CHECK("bad which", syscall(SYS_ioprio_set, 9, 0, 2 << 13));
	CHECK("get bad which", syscall(SYS_ioprio_get, 9, 0));
	CHECK("nobody", syscall(SYS_ioprio_set, 1, 4000000, 2 << 13));
	CHECK("get nobody", syscall(SYS_ioprio_get, 1, 4000000));
}

static void masks(void)
{
	unsigned long m[16] = { 0 };
	long n = syscall(SYS_sched_getaffinity, 0, sizeof(m), m);

	NOTE("mask", "%d %d", n >= 8, (int)(m[0] & 1) || m[0]);
	CHECK("no bytes", syscall(SYS_sched_setaffinity, 0, 0, m));
	CHECK("one byte none", syscall(SYS_sched_setaffinity, 0, 1, (unsigned char[1]){ 0 }));
	CHECK("as it is", syscall(SYS_sched_setaffinity, 0, sizeof(m), m));
	CHECK("bad mask", syscall(SYS_sched_setaffinity, 0, 8, (void *)8));
	CHECK("nobody's mask", syscall(SYS_sched_setaffinity, 4000000, 8, m));
	CHECK("get 12 bytes", syscall(SYS_sched_getaffinity, 0, 12, m));
	CHECK("get bad", syscall(SYS_sched_getaffinity, 0, 128, (void *)8));
	CHECK("get nobody", syscall(SYS_sched_getaffinity, 4000000, 128, m));
	unsigned cpu = 99, node = 99;
	CHECK("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL));
	NOTE("getcpu", "%d %u", cpu < 64, node);
	CHECK("getcpu nothing", syscall(SYS_getcpu, NULL, NULL, NULL));
	CHECK("getcpu bad", syscall(SYS_getcpu, 8, NULL, NULL));
}

int main(void)
{
	setpriority(PRIO_PROCESS, 0, 0);         /* whatever the parent has */
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	attributes();
	simple();
	niceness();
	disks();
	masks();
	CHECK("idle", setattr((struct attr){ .size = 48, .policy = SCHED_IDLE, .nice = 3, .flags = 1 }, 0));
	show("idle");
	CHECK("idle for good", setattr((struct attr){ .size = 48, .nice = 19, .flags = 1 }, 0));
	CHECK("batch from idle", sched_setscheduler(0, SCHED_BATCH | 0x40000000, &(struct sched_param){ 0 }));
	return 0;
}
