/* proc_limits.c - getrlimit, setrlimit, prlimit. */
#include "abi.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <grp.h>

int main(void)
{
	struct rlimit l, o;

	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000)))
		return 1;
	CHECK("getrlimit NOFILE", getrlimit(RLIMIT_NOFILE, &l));
	NOTE("cur <= max", "%d", l.rlim_cur <= l.rlim_max && l.rlim_cur > 0);
	CHECK("getrlimit 16", syscall(SYS_getrlimit, 16, &l));
	CHECK("getrlimit -1", syscall(SYS_getrlimit, -1, &l));
	CHECK("getrlimit NULL", syscall(SYS_getrlimit, RLIMIT_NOFILE, NULL));
	getrlimit(RLIMIT_NOFILE, &l);
	o = l;
	o.rlim_cur = 64;
	CHECK("setrlimit lower", setrlimit(RLIMIT_NOFILE, &o));
	getrlimit(RLIMIT_NOFILE, &o);
	NOTE("now", "%ld", (long)o.rlim_cur);
	CHECK("setrlimit back", setrlimit(RLIMIT_NOFILE, &l));
	o.rlim_cur = l.rlim_max + 1;
	o.rlim_max = l.rlim_max;
	CHECK("setrlimit cur > max", setrlimit(RLIMIT_NOFILE, &o));
	o.rlim_cur = 10;
	o.rlim_max = 20;
	CHECK("setrlimit MEMLOCK", setrlimit(RLIMIT_MEMLOCK, &o));
	o.rlim_max = 21;
	CHECK("raise MEMLOCK max", setrlimit(RLIMIT_MEMLOCK, &o));
	CHECK("prlimit self", prlimit(0, RLIMIT_MEMLOCK, NULL, &o));
	NOTE("MEMLOCK", "%ld %ld", (long)o.rlim_cur, (long)o.rlim_max);
	CHECK("prlimit getpid", prlimit(getpid(), RLIMIT_STACK, NULL, &o));
	CHECK("prlimit nobody", prlimit(4194303, RLIMIT_STACK, NULL, &o));
	CHECK("prlimit bad resource", syscall(SYS_prlimit64, 0, 99, NULL, &o));
	CHECK("prlimit bad new", syscall(SYS_prlimit64, 0, RLIMIT_STACK, 8, NULL));
	CHECK("prlimit bad old", syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, 8));
	o = (struct rlimit){ 7, 8 };
	struct rlimit was;
	CHECK("prlimit both", prlimit(0, RLIMIT_CORE, &(struct rlimit){ 0, 0 }, &was));
	CHECK("prlimit CORE", prlimit(0, RLIMIT_CORE, NULL, &o));
	NOTE("CORE", "%ld %ld", (long)o.rlim_cur, (long)o.rlim_max);
	getrlimit(RLIMIT_STACK, &o);
	NOTE("STACK", "%ld KiB", (long)(o.rlim_cur / 1024));
	return 0;
}
