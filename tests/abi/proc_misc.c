/* proc_misc.c - uname, sysinfo, prctl, arch_prctl, getrandom, personality, times, scheduling, wait. */
#include "abi.h"
#include <asm/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <grp.h>

static void names(void)
{
	struct utsname u;
	struct sysinfo s;
	char n[16];

	CHECK("uname", uname(&u));
	NOTE("sysname", "%s %s", u.sysname, u.machine);
	CHECK("uname bad", syscall(SYS_uname, 8));
	CHECK("sysinfo", sysinfo(&s));
	NOTE("sysinfo sane", "%d", s.totalram >= s.freeram && s.mem_unit >= 1 && s.procs >= 1 && s.uptime >= 0);
	CHECK("sysinfo bad", syscall(SYS_sysinfo, 8));
	CHECK("PR_SET_NAME", prctl(PR_SET_NAME, "a-name-that-is-too-long"));
	CHECK("PR_GET_NAME", prctl(PR_GET_NAME, n));
	NOTE("name", "%s", n);
	CHECK("PR_SET_NAME bad", prctl(PR_SET_NAME, 8));
}

static void control(void)
{
	int v = -1;

	CHECK("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE) <= 1);
	CHECK("PR_SET_DUMPABLE 2", prctl(PR_SET_DUMPABLE, 2));
	CHECK("PR_SET_DUMPABLE 1", prctl(PR_SET_DUMPABLE, 1));
	CHECK("PR_GET_DUMPABLE", prctl(PR_GET_DUMPABLE));
	CHECK("PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, 10));
	CHECK("PR_GET_PDEATHSIG", prctl(PR_GET_PDEATHSIG, &v));
	NOTE("pdeathsig", "%d", v);
	CHECK("PR_SET_PDEATHSIG 65", prctl(PR_SET_PDEATHSIG, 65));
	CHECK("PR_SET_PDEATHSIG 0", prctl(PR_SET_PDEATHSIG, 0));
	CHECK("PR_GET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CHECK("PR_GET_NO_NEW_PRIVS args", prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK("PR_SET_NO_NEW_PRIVS 0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CHECK("PR_SET_NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK("PR_GET_NO_NEW_PRIVS 1", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CHECK("PR_GET_SECCOMP", prctl(PR_GET_SECCOMP));
	CHECK("PR_CAPBSET_READ 99", prctl(PR_CAPBSET_READ, 99));
	CHECK("PR_CAPBSET_DROP", prctl(PR_CAPBSET_DROP, 1));
	CHECK("PR_GET_KEEPCAPS", prctl(PR_GET_KEEPCAPS));
	CHECK("PR_SET_TIMERSLACK", prctl(PR_SET_TIMERSLACK, 1000));
	CHECK("PR_GET_TIMERSLACK", prctl(PR_GET_TIMERSLACK));
	CHECK("PR_CAP_AMBIENT", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1, 0, 0));
	CHECK("PR_CAP_AMBIENT raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 1, 0, 0));
	CHECK("PR_SET_CHILD_SUBREAPER", prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK("PR_GET_CHILD_SUBREAPER", prctl(PR_GET_CHILD_SUBREAPER, &v));
	NOTE("subreaper", "%d", v);
	CHECK("prctl 9999", prctl(9999, 0, 0, 0, 0));
	CHECK("seccomp bad op", syscall(SYS_seccomp, 99, 0, NULL));
	CHECK("seccomp filter probe", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
}

static void arch(void)
{
	unsigned long fs = 0, gs = 1;

	CHECK("ARCH_GET_FS", syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	NOTE("fs set", "%d", fs != 0);
	CHECK("ARCH_SET_GS", syscall(SYS_arch_prctl, ARCH_SET_GS, 0x1234560));
	CHECK("ARCH_GET_GS", syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	NOTE("gs", "%lx", gs);
	CHECK("ARCH_SET_GS kernel", syscall(SYS_arch_prctl, ARCH_SET_GS, -4096ul));
	CHECK("arch_prctl 7", syscall(SYS_arch_prctl, 7, 0));
	CHECK("ARCH_GET_FS bad", syscall(SYS_arch_prctl, ARCH_GET_FS, 8));
}

static void random_bytes(void)
{
	char a[300] = { 0 }, b[300] = { 0 };

	CHECK("getrandom", getrandom(a, sizeof(a), 0));
	CHECK("getrandom", getrandom(b, sizeof(b), GRND_NONBLOCK));
	NOTE("differ", "%d", memcmp(a, b, sizeof(a)) != 0);
	CHECK("getrandom 0", getrandom(a, 0, 0));
	CHECK("getrandom flags", getrandom(a, 1, 8));
	CHECK("getrandom both", getrandom(a, 1, 6));
	CHECK("getrandom bad", syscall(SYS_getrandom, 8, 1, 0));
}

static void scheduling(void)
{
	struct sched_param p = { 0 };
	cpu_set_t set;
	struct timespec ts;
	unsigned long m = 0;

	CHECK("sched_yield", sched_yield());
	CHECK("sched_getscheduler", sched_getscheduler(0));
	CHECK("sched_getparam", sched_getparam(0, &p));
	NOTE("priority", "%d", p.sched_priority);
	CHECK("max FIFO", sched_get_priority_max(SCHED_FIFO));
	CHECK("min RR", sched_get_priority_min(SCHED_RR));
	CHECK("max OTHER", sched_get_priority_max(SCHED_OTHER));
	CHECK("max 77", sched_get_priority_max(77));
	p.sched_priority = 10;
	CHECK("setscheduler FIFO", sched_setscheduler(0, SCHED_FIFO, &p));
	CHECK("setscheduler OTHER 10", sched_setscheduler(0, SCHED_OTHER, &p));
	p.sched_priority = 0;
	CHECK("setscheduler FIFO 0", sched_setscheduler(0, SCHED_FIFO, &p));
	CHECK("setscheduler BATCH", sched_setscheduler(0, SCHED_BATCH, &p));
	CHECK("getscheduler", sched_getscheduler(0));
	CHECK("setscheduler OTHER", sched_setscheduler(0, SCHED_OTHER, &p));
	CHECK("setscheduler 77", sched_setscheduler(0, 77, &p));
	CHECK("getscheduler nobody", sched_getscheduler(4194303));
	CHECK("getscheduler -1", sched_getscheduler(-1));
	CHECK("rr interval", sched_rr_get_interval(0, &ts));
	CHECK_OK("getaffinity", syscall(SYS_sched_getaffinity, 0, 1024 / 8, &set));
	CHECK("getaffinity 0", syscall(SYS_sched_getaffinity, 0, 0, &m));
	CHECK("getaffinity 7", syscall(SYS_sched_getaffinity, 0, 7, &m));
	sched_getaffinity(0, sizeof(set), &set);
	NOTE("cpus", "%d", CPU_COUNT(&set) >= 1);
	CHECK("setaffinity same", sched_setaffinity(0, sizeof(set), &set));
	CPU_ZERO(&set);
	CHECK("setaffinity none", sched_setaffinity(0, sizeof(set), &set));
	unsigned cpu, node;
	CHECK("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL));
	/* Whoever runs this may be nice himself. */
	NOTE("getpriority", "%d", getpriority(PRIO_PROCESS, 0) < 5);
	CHECK("setpriority 5", setpriority(PRIO_PROCESS, 0, 5));
	CHECK("getpriority", getpriority(PRIO_PROCESS, 0));
	CHECK("setpriority 0", setpriority(PRIO_PROCESS, 0, 0));
	CHECK("getpriority which", getpriority(9, 0));
	CHECK("getpriority nobody", getpriority(PRIO_PROCESS, 4194303));
}

static void waiting(void)
{
	siginfo_t si;
	int st;

	CHECK("wait4", wait4(-1, &st, 0, NULL));
	CHECK("wait4 nohang", wait4(-1, &st, WNOHANG, NULL));
	CHECK("wait4 pid", wait4(12345, &st, 0, NULL));
	CHECK("wait4 options", wait4(-1, &st, 0x100, NULL));
	CHECK("wait4 INT_MIN", wait4(-2147483647 - 1, &st, 0, NULL));
	CHECK("waitid", waitid(P_ALL, 0, &si, WEXITED));
	CHECK("waitid options 0", waitid(P_ALL, 0, &si, 0));
	CHECK("waitid which", syscall(SYS_waitid, 9, 0, &si, WEXITED, NULL));
	CHECK("waitid pid 0", syscall(SYS_waitid, P_PID, 0, &si, WEXITED, NULL));
}

static void usage(void)
{
	struct rusage u;
	struct tms t;

	CHECK("getrusage", getrusage(RUSAGE_SELF, &u));
	NOTE("maxrss", "%d", u.ru_maxrss > 0);
	CHECK("getrusage thread", getrusage(RUSAGE_THREAD, &u));
	CHECK("getrusage children", getrusage(RUSAGE_CHILDREN, &u));
	NOTE("children", "%ld", (long)u.ru_utime.tv_sec);
	CHECK("getrusage 5", syscall(SYS_getrusage, 5, &u));
	CHECK_OK("times", times(&t));
	CHECK_OK("times NULL", syscall(SYS_times, NULL));
	CHECK("personality", personality(0xffffffff));
	CHECK("unknown call", syscall(499));
	CHECK("unknown call -1", syscall(-1));
}

int main(void)
{
	setpriority(PRIO_PROCESS, 0, 0);         /* whatever the parent has */
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	names();
	control();
	arch();
	random_bytes();
	scheduling();
	waiting();
	usage();
	return 0;
}
