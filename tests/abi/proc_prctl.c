/* proc_prctl.c - prctl's options and their errors, personality, RLIMIT_CPU. */
#include "abi.h"
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static long pr(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return syscall(SYS_prctl, op, a, b, c, d);
}

static void unknown(void)
{
	static const int ops[] = { 0, 5, 6, 9, 10, 11, 12, 19, 20, 43, 44, 45, 46, 48, 50, 51, 54, 60, 61, 63, 64, 999, -1 };

	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		char name[32];
		snprintf(name, sizeof(name), "option %d", ops[i]);
		CHECK(name, pr(ops[i], 0, 0, 0, 0));
	}
}

static void kept(void)
{
	int v = -1;

	CHECK("pdeathsig", pr(PR_SET_PDEATHSIG, 9, 0, 0, 0));
	pr(PR_GET_PDEATHSIG, (unsigned long)&v, 0, 0, 0);
	NOTE("pdeathsig is", "%d", v);
	CHECK("pdeathsig 65", pr(PR_SET_PDEATHSIG, 65, 0, 0, 0));
	CHECK("pdeathsig none", pr(PR_SET_PDEATHSIG, 0, 0, 0, 0));
	CHECK("pdeathsig nowhere", pr(PR_GET_PDEATHSIG, 8, 0, 0, 0));
	CHECK("keepcaps", pr(PR_SET_KEEPCAPS, 1, 0, 0, 0));
	CHECK("keepcaps is", pr(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	CHECK("keepcaps 2", pr(PR_SET_KEEPCAPS, 2, 0, 0, 0));
	CHECK("keepcaps off", pr(PR_SET_KEEPCAPS, 0, 0, 0, 0));
	CHECK("keepcaps is off", pr(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	CHECK("timing", pr(PR_GET_TIMING, 0, 0, 0, 0));
	CHECK("timing 0", pr(PR_SET_TIMING, 0, 0, 0, 0));
	CHECK("timing 1", pr(PR_SET_TIMING, 1, 0, 0, 0));
	CHECK("dumpable", pr(PR_SET_DUMPABLE, 0, 0, 0, 0));
	CHECK("dumpable is", pr(PR_GET_DUMPABLE, 0, 0, 0, 0));
	CHECK("dumpable 2", pr(PR_SET_DUMPABLE, 2, 0, 0, 0));
	CHECK("dumpable again", pr(PR_SET_DUMPABLE, 1, 0, 0, 0));
	CHECK("slack", pr(PR_SET_TIMERSLACK, 12345, 0, 0, 0));
	CHECK("slack is", pr(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	CHECK("slack default", pr(PR_SET_TIMERSLACK, 0, 0, 0, 0));
	CHECK("slack is default", pr(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	CHECK("subreaper", pr(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	pr(PR_GET_CHILD_SUBREAPER, (unsigned long)&v, 0, 0, 0);
	NOTE("subreaper is", "%d", v);
	CHECK("no subreaper", pr(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));
	CHECK("perf off", pr(PR_TASK_PERF_EVENTS_DISABLE, 0, 0, 0, 0));
	CHECK("perf on", pr(PR_TASK_PERF_EVENTS_ENABLE, 0, 0, 0, 0));
	CHECK("tsc", pr(PR_GET_TSC, (unsigned long)&v, 0, 0, 0));
	NOTE("tsc is", "%d", v);
	CHECK("tsc 5", pr(PR_SET_TSC, 5, 0, 0, 0));
	CHECK("tsc on", pr(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0));
	CHECK("mce", pr(PR_MCE_KILL, 1, 1, 0, 0));
	CHECK("mce is", pr(PR_MCE_KILL_GET, 0, 0, 0, 0));
	CHECK("mce late", pr(PR_MCE_KILL, 1, 0, 0, 0));
	CHECK("mce is late", pr(PR_MCE_KILL_GET, 0, 0, 0, 0));
	CHECK("mce default", pr(PR_MCE_KILL, 1, 2, 0, 0));
	CHECK("mce is default", pr(PR_MCE_KILL_GET, 0, 0, 0, 0));
	CHECK("mce 3", pr(PR_MCE_KILL, 1, 3, 0, 0));
	CHECK("mce clear", pr(PR_MCE_KILL, 0, 0, 0, 0));
	CHECK("mce clear 1", pr(PR_MCE_KILL, 0, 1, 0, 0));
	CHECK("mce what", pr(PR_MCE_KILL, 2, 0, 0, 0));
	CHECK("mce more", pr(PR_MCE_KILL, 1, 1, 1, 0));
	CHECK("mce get more", pr(PR_MCE_KILL_GET, 1, 0, 0, 0));
	CHECK("thp", pr(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK("thp is", pr(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	CHECK("thp off", pr(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHECK("thp more", pr(PR_GET_THP_DISABLE, 1, 0, 0, 0));
	CHECK("set_mm more", pr(PR_SET_MM, 1, 0, 0, 1));
	CHECK("set_mm size", pr(PR_SET_MM, 1, 0, 1, 0));
	CHECK("dispatch off", pr(59, 0, 0, 0, 0));
	CHECK("dispatch off with", pr(59, 0, 1, 0, 0));
	CHECK("dispatch what", pr(59, 9, 0, 0, 0));
	CHECK("spec what", pr(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0));
	CHECK("spec more", pr(PR_GET_SPECULATION_CTRL, 0, 1, 0, 0));
	CHECK("spec set what", pr(PR_SET_SPECULATION_CTRL, 99, 0, 0, 0));
	CHECK("spec set more", pr(PR_SET_SPECULATION_CTRL, 0, 0, 1, 0));
	CHECK("vma what", pr(0x53564d41, 5, 0, 0, 0));
	CHECK("ambient is", pr(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0));
	CHECK("ambient beyond", pr(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0));
	CHECK("ambient what", pr(PR_CAP_AMBIENT, 9, 0, 0, 0));
	CHECK("ambient clear", pr(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	CHECK("ambient clear more", pr(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
	CHECK("bound beyond", pr(PR_CAPBSET_READ, 99, 0, 0, 0));
	CHECK("no_new_privs 2", pr(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0));
	CHECK("no_new_privs more", pr(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	CHECK("no_new_privs is", pr(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CHECK("no_new_privs get more", pr(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK("seccomp is", pr(PR_GET_SECCOMP, 0, 0, 0, 0));
	CHECK("seccomp mode 9", pr(PR_SET_SECCOMP, 9, 0, 0, 0));
}

static void personas(void)
{
	CHECK("personality", personality(0xffffffff));
	CHECK("set", personality(ADDR_NO_RANDOMIZE | SHORT_INODE));
	NOTE("is", "%x", personality(0xffffffff));
	CHECK("back", personality(0) != 0);
	CHECK("is 0", personality(0xffffffff));
}

static volatile int ticks;
static void on(int s)
{
	(void)s;
	ticks++;
}

/* Two signals, a second of CPU time apart, and the soft limit moves along. */
static void cpu_limit(void)
{
	struct timespec used;
	struct rlimit r;
	volatile unsigned long work = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	signal(SIGXCPU, on);
	r = (struct rlimit){ (rlim_t)used.tv_sec + 1, RLIM_INFINITY };
	CHECK("limit", setrlimit(RLIMIT_CPU, &r));
	while (!ticks)
		work++;
	getrlimit(RLIMIT_CPU, &r);
	NOTE("soft limit", "%d", (int)(r.rlim_cur - (rlim_t)used.tv_sec));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (ticks < 2)
		work++;
	r.rlim_cur = RLIM_INFINITY;
	CHECK("no limit", setrlimit(RLIMIT_CPU, &r));
	NOTE("ticks", "%d", ticks);
}

int main(void)
{
	unknown();
	kept();
	personas();
	cpu_limit();
	return 0;
}
