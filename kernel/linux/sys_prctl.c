/*
 * sys_prctl.c - prctl: names, what a process says of itself, what it asks about its rights.
 *
 * What would take rights away that there are not (capabilities, dumping, ptrace) succeeds; what would give
 * or need some is EPERM; unknown options are EINVAL, as on Linux, so that probing works.
 */
#include "linux/syscall.h"
#include "proc/process.h"
#include "vm/aspace.h"

enum {
	LX_PR_SET_PDEATHSIG = 1, LX_PR_GET_PDEATHSIG = 2, LX_PR_GET_DUMPABLE = 3, LX_PR_SET_DUMPABLE = 4, LX_PR_GET_KEEPCAPS = 7,
	LX_PR_SET_KEEPCAPS = 8, LX_PR_GET_TIMING = 13, LX_PR_SET_TIMING = 14, LX_PR_SET_NAME = 15, LX_PR_GET_NAME = 16, LX_PR_GET_SECCOMP = 21,
	LX_PR_SET_SECCOMP = 22, LX_PR_CAPBSET_READ = 23, LX_PR_CAPBSET_DROP = 24, LX_PR_GET_TSC = 25, LX_PR_SET_TSC = 26,
	LX_PR_PERF_DISABLE = 31, LX_PR_PERF_ENABLE = 32, LX_PR_GET_SECUREBITS = 27, LX_PR_SET_SECUREBITS = 28, LX_PR_SET_TIMERSLACK = 29, LX_PR_GET_TIMERSLACK = 30, LX_PR_MCE_KILL = 33,
	LX_PR_MCE_KILL_GET = 34, LX_PR_SET_MM = 35, LX_PR_SET_CHILD_SUBREAPER = 36, LX_PR_GET_CHILD_SUBREAPER = 37,
	LX_PR_SET_NO_NEW_PRIVS = 38, LX_PR_GET_NO_NEW_PRIVS = 39, LX_PR_GET_TID_ADDRESS = 40, LX_PR_SET_THP_DISABLE = 41,
	LX_PR_GET_THP_DISABLE = 42, LX_PR_CAP_AMBIENT = 47, LX_PR_GET_SPECULATION_CTRL = 52,
	LX_PR_SET_SPECULATION_CTRL = 53, LX_PR_SET_IO_FLUSHER = 57, LX_PR_GET_IO_FLUSHER = 58, LX_PR_SET_USER_DISPATCH = 59,
	LX_PR_SET_PTRACER = 0x59616d61, LX_PR_SET_VMA = 0x53564d41,
};
#define LX_CAP_LAST 40u

static bool thp_disabled, subreaper;

static long put_int(u64 to, int v)
{
	return copy_to_user(uaddr_make(to), &v, sizeof(v)) ? -EFAULT : 0;
}

static long set_name(struct uaddr from)
{
	char name[TASK_NAME_LEN];
	ssize_t n = copy_string_from_user(name, from, sizeof(name));

	if (n == -EFAULT)
		return -EFAULT;
	task_set_name(task_current(), name, n < 0 ? sizeof(name) - 1 : (size_t)n);
	return 0;
}

static long cap_ambient(u64 op, u64 cap, u64 a4, u64 a5)
{
	if (op == 4)            /* CLEAR_ALL */
		return cap | a4 | a5 ? -EINVAL : 0;
	if (a4 | a5 || cap > LX_CAP_LAST)
		return -EINVAL;
	switch (op) {
	case 1: return 0;       /* IS_SET: no */
	case 2: return -EPERM;  /* RAISE */
	case 3: return 0;       /* LOWER */
	default: return -EINVAL;
	}
}

enum { LX_SPEC_STORE_BYPASS, LX_SPEC_INDIRECT_BRANCH, LX_SPEC_L1D_FLUSH, LX_SPEC_ENABLE = 2, LX_SPEC_DISABLE = 4, LX_SPEC_FORCE_DISABLE = 8 };

/* As on a CPU that needs none of it. */
static long set_speculation(u64 which, u64 mode)
{
	switch (which) {
	case LX_SPEC_STORE_BYPASS:
		return -ENXIO;
	case LX_SPEC_INDIRECT_BRANCH:
		return mode == LX_SPEC_ENABLE ? 0 : mode == LX_SPEC_DISABLE || mode == LX_SPEC_FORCE_DISABLE ? -EPERM : -ERANGE;
	case LX_SPEC_L1D_FLUSH:
		return -EPERM;
	default:
		return -ENODEV;
	}
}

enum { LX_MCE_KILL_CLEAR, LX_MCE_KILL_SET };
enum { LX_MCE_KILL_LATE, LX_MCE_KILL_EARLY, LX_MCE_KILL_DEFAULT };

/* What to do about broken memory: kept, as this kernel hears of none. mce_kill is the policy + 1. */
static long set_mce_kill(struct task *t, u64 op, u64 policy)
{
	if (op == LX_MCE_KILL_CLEAR ? policy != 0 : op != LX_MCE_KILL_SET || policy > LX_MCE_KILL_DEFAULT)
		return -EINVAL;
	t->mce_kill = op == LX_MCE_KILL_CLEAR || policy == LX_MCE_KILL_DEFAULT ? 0 : (u8)(policy + 1);
	return 0;
}

enum { LX_SET_MM_AUXV = 12, LX_SET_MM_MAP = 14, LX_SET_MM_MAP_SIZE = 15 };

static long set_mm(u64 op, u64 a4, u64 a5)
{
	bool with_size = op == LX_SET_MM_AUXV || op == LX_SET_MM_MAP || op == LX_SET_MM_MAP_SIZE;

	return a5 || (a4 && !with_size) ? -EINVAL : -EPERM;
}

/* A name is printable and has none of the characters that would confuse readers of maps. */
static int anon_name_get(char name[VM_NAME_MAX + 1], struct uaddr from)
{
	ssize_t n = copy_string_from_user(name, from, VM_NAME_MAX + 1);

	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : (int)n;
	for (const char *c = name; *c; c++)
		if (*c < 0x20 || *c > 0x7e || strchr("\\`$[]", *c))
			return -EINVAL;
	return 0;
}

#define LX_PR_SET_VMA_ANON_NAME 0

static long set_vma(u64 op, u64 addr, u64 len, u64 uname)
{
	char name[VM_NAME_MAX + 1];

	if (op != LX_PR_SET_VMA_ANON_NAME)
		return -EINVAL;
	if (!uname)
		return vm_set_name(addr, len, NULL);
	int r = anon_name_get(name, uaddr_make(uname));
	return r ? r : vm_set_name(addr, len, name);
}

/* Options without memory of their own; -ENOTTY: not one of them. */
static long prctl_query(struct task *t, int option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	switch (option) {
	case LX_PR_GET_DUMPABLE: return process.dumpable;
	case LX_PR_GET_KEEPCAPS: return t->keep_caps;
	case LX_PR_PERF_DISABLE: case LX_PR_PERF_ENABLE: return 0;
	case LX_PR_GET_TIMING: return 0;
	case LX_PR_SET_TIMING: return a2 ? -EINVAL : 0;
	case LX_PR_GET_SECCOMP: return 0;
	case LX_PR_SET_SECCOMP: return -EINVAL;
	case LX_PR_CAPBSET_READ: return a2 > LX_CAP_LAST ? -EINVAL : 0;
	case LX_PR_CAPBSET_DROP: return a2 > LX_CAP_LAST ? -EINVAL : -EPERM;
	case LX_PR_GET_SECUREBITS: return 0;
	case LX_PR_SET_SECUREBITS: return -EPERM;
	case LX_PR_GET_TIMERSLACK: return (long)MIN(t->timer_slack_ns, (u64)INT64_MAX);
	case LX_PR_MCE_KILL_GET: return a2 | a3 | a4 | a5 ? -EINVAL : t->mce_kill ? t->mce_kill - 1 : LX_MCE_KILL_DEFAULT;
	case LX_PR_MCE_KILL: return a4 | a5 ? -EINVAL : set_mce_kill(t, a2, a3);
	case LX_PR_SET_MM: return set_mm(a2, a4, a5);
	case LX_PR_GET_NO_NEW_PRIVS: return a2 | a3 | a4 | a5 ? -EINVAL : t->no_new_privs;
	case LX_PR_GET_THP_DISABLE: return a2 | a3 | a4 | a5 ? -EINVAL : thp_disabled;
	case LX_PR_CAP_AMBIENT: return cap_ambient(a2, a3, a4, a5);
	case LX_PR_GET_SPECULATION_CTRL: return a3 | a4 | a5 ? -EINVAL : a2 > 2 ? -ENODEV : 0;
	case LX_PR_SET_SPECULATION_CTRL: return a4 | a5 ? -EINVAL : set_speculation(a2, a3);
	case LX_PR_SET_IO_FLUSHER: case LX_PR_GET_IO_FLUSHER: return -EPERM;
	case LX_PR_SET_USER_DISPATCH: return a2 | a3 | a4 | a5 ? -EINVAL : 0;   /* only to be off */
	case LX_PR_SET_PTRACER: return 0;
	default: return -ENOTTY;
	}
}

static long prctl_change(struct task *t, int option, u64 a2, u64 a3, u64 a4, u64 a5)
{
	switch (option) {
	case LX_PR_SET_PDEATHSIG:
		if (a2 > NSIG)
			return -EINVAL;
		t->pdeathsig = (int)a2;
		return 0;
	case LX_PR_GET_PDEATHSIG:
		return put_int(a2, t->pdeathsig);
	case LX_PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		process.dumpable = (int)a2;
		return 0;
	case LX_PR_SET_KEEPCAPS:
		if (a2 > 1)
			return -EINVAL;
		t->keep_caps = a2;
		return 0;
	case LX_PR_SET_NAME:
		return set_name(uaddr_make(a2));
	case LX_PR_GET_NAME:
		return copy_to_user(uaddr_make(a2), t->name, sizeof(t->name)) ? -EFAULT : 0;
	case LX_PR_GET_TSC:
		return put_int(a2, 1);
	case LX_PR_SET_TSC:
		return a2 == 1 ? 0 : -EINVAL;
	case LX_PR_SET_TIMERSLACK:
		t->timer_slack_ns = a2 && (s64)a2 > 0 ? a2 : 50000;
		return 0;
	case LX_PR_SET_CHILD_SUBREAPER:
		subreaper = a2;
		return 0;
	case LX_PR_GET_CHILD_SUBREAPER:
		return put_int(a2, subreaper);
	case LX_PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || a3 | a4 | a5)
			return -EINVAL;
		t->no_new_privs = true;
		return 0;
	case LX_PR_SET_THP_DISABLE:
		if (a3 | a4 | a5)
			return -EINVAL;
		thp_disabled = a2;
		return 0;
	case LX_PR_GET_TID_ADDRESS:
		return copy_to_user(uaddr_make(a2), &t->clear_child_tid, sizeof(u64)) ? -EFAULT : 0;
	case LX_PR_SET_VMA:
		return set_vma(a2, a3, a4, a5);
	default:
		return -EINVAL;
	}
}

long sys_prctl(int option, unsigned long a2, unsigned long a3, unsigned long a4, unsigned long a5)
{
	struct task *t = task_current();
	long r = prctl_query(t, option, a2, a3, a4, a5);

	return r == -ENOTTY ? prctl_change(t, option, a2, a3, a4, a5) : r;
}
