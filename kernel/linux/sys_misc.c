/*
 * sys_misc.c - names, limits, memory figures, random bytes, prctl, the machine itself.
 *
 * reboot: power-off and halt end the machine as exit status 0 does (a program that runs as init asks for it at its
 * end); a restart too, as the host decides what runs next; other commands are EPERM and an event.
 */
#include "linux/dispatch.h"
#include "linux/lx_process.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "fs/procfs.h"
#include "mm/page.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sched/random.h"
#include "vm/aspace.h"

long sys_uname(struct uaddr buf)
{
	struct lx_utsname u = { .sysname = LX_UTS_SYSNAME, .release = LX_UTS_RELEASE, .machine = LX_UTS_MACHINE, .domainname = "(none)" };

	str_copy(u.nodename, process_hostname(), sizeof(u.nodename));
	str_copy(u.version, LX_UTS_VERSION, sizeof(u.version));
	return copy_to_user(buf, &u, sizeof(u)) ? -EFAULT : 0;
}

long sys_sysinfo(struct uaddr info)
{
	struct lx_sysinfo s = {
		.uptime = (s64)DIV_ROUND_UP(arch_clock_mono_ns(), NSEC_PER_SEC), .totalram = page_total_count() * PAGE_SIZE,
		.freeram = page_free_count() * PAGE_SIZE, .procs = (u16)MIN(task_count(), 65535u), .mem_unit = 1,
	};

	return copy_to_user(info, &s, sizeof(s)) ? -EFAULT : 0;
}

/* ---- Limits ---- */

static long limits(unsigned resource, struct uaddr new, struct uaddr old)
{
	struct rlimit64 n, o;
	int r;

	if (!uaddr_is_null(new) && copy_from_user(&n, new, sizeof(n)))
		return -EFAULT;
	r = process_rlimit(resource, uaddr_is_null(new) ? NULL : &n, &o);
	if (r)
		return r;
	return !uaddr_is_null(old) && copy_to_user(old, &o, sizeof(o)) ? -EFAULT : 0;
}

long sys_getrlimit(int resource, struct uaddr rlim)
{
	struct rlimit64 o;
	int r = process_rlimit((unsigned)resource, NULL, &o);

	if (r)
		return r;
	return copy_to_user(rlim, &o, sizeof(o)) ? -EFAULT : 0;
}

long sys_setrlimit(int resource, struct uaddr rlim)
{
	struct rlimit64 n;

	if (copy_from_user(&n, rlim, sizeof(n)))
		return -EFAULT;
	return process_rlimit((unsigned)resource, &n, NULL);
}

long sys_prlimit64(int pid, int resource, struct uaddr new, struct uaddr old)
{
	if ((unsigned)resource >= RLIM_COUNT)
		return -EINVAL;
	if (pid != 0 && pid != PROC_PID) {
		irq_flags_t f = spin_lock_irqsave(&process.lock);
		bool found = task_find(pid) != NULL;
		spin_unlock_irqrestore(&process.lock, f);
		if (!found)
			return -ESRCH;
	}
	return limits((unsigned)resource, new, old);
}

/* ---- Usage ---- */

static void usage_of_task(struct process_sums *s, const struct task *t)
{
	*s = (struct process_sums){
		.cpu_ns = thread_cpu_time_ns(t->thread), .min_faults = t->min_faults, .maj_faults = t->maj_faults,
		.voluntary = t->thread->switches_voluntary, .forced = t->thread->switches_forced,
	};
}

long sys_getrusage(int who, struct uaddr usage)
{
	struct process_sums s = { 0 };
	struct vm_usage v;

	switch (who) {
	case 0:
		process_usage(&s);
		break;
	case 1:
		usage_of_task(&s, task_current());
		break;
	case -1: /* children: none */
		break;
	default:
		return -EINVAL;
	}
	struct lx_rusage u = {
		.utime = lx_timeval_of(s.cpu_ns), .minflt = (s64)s.min_faults, .majflt = (s64)s.maj_faults,
		.nvcsw = (s64)s.voluntary, .nivcsw = (s64)s.forced,
	};
	if (who >= 0) {
		vm_usage(&v);
		u.maxrss = (s64)((v.resident_anon_pages + v.resident_file_pages) * (PAGE_SIZE / KiB));
	}
	return copy_to_user(usage, &u, sizeof(u)) ? -EFAULT : 0;
}

/* ---- Random bytes ---- */

long sys_getrandom(struct uaddr buf, size_t len, unsigned flags)
{
	u8 chunk[256];
	size_t done = 0;

	if (flags & ~7u || (flags & 6) == 6)
		return -EINVAL;
	len = MIN(len, (size_t)INT32_MAX);
	while (done < len) {
		size_t n = MIN(len - done, sizeof(chunk));
		random_bytes(chunk, n);
		if (copy_to_user(uaddr_add(buf, done), chunk, n)) {
			memset(chunk, 0, sizeof(chunk));
			return done ? (long)done : -EFAULT;
		}
		done += n;
		sched_poll();
		if (done < len && thread_interrupted())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	barrier();
	return (long)done;
}

/* ---- This and that ---- */

/* Recorded, not obeyed: there is no other way to run a program here. */
long sys_personality(unsigned long persona)
{
	u32 old = process.personality;

	if ((u32)persona != 0xffffffffu)
		process.personality = (u32)persona;
	return old;
}

/* Filters cannot be installed (the manifest is the filter); the questions are answered. */
long sys_seccomp(unsigned op, unsigned flags, struct uaddr args)
{
	switch (op) {
	case 0: /* SET_MODE_STRICT */
		return -EINVAL;
	case 1: /* SET_MODE_FILTER: a bad address tells that it is known, as programs probe */
		return uaddr_is_null(args) ? -EFAULT : -EINVAL;
	case 2: /* GET_ACTION_AVAIL */
		return flags ? -EINVAL : uaddr_is_null(args) ? -EFAULT : -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

#define LX_REBOOT_MAGIC1 0xfee1deadu
#define LX_REBOOT_RESTART   0x01234567u
#define LX_REBOOT_HALT      0xcdef0123u
#define LX_REBOOT_POWER_OFF 0x4321fedcu
#define LX_REBOOT_CAD_ON    0x89abcdefu
#define LX_REBOOT_CAD_OFF   0u

long sys_reboot(int magic1, int magic2, unsigned cmd, struct uaddr arg)
{
	static const u32 magics[] = { 672274793, 85072278, 369367448, 537993216 };
	bool ok = (u32)magic1 == LX_REBOOT_MAGIC1, known = false;

	for (unsigned i = 0; i < ARRAY_SIZE(magics); i++)
		known |= (u32)magic2 == magics[i];
	if (!ok || !known)
		return -EINVAL;
	switch (cmd) {
	case LX_REBOOT_RESTART: case LX_REBOOT_HALT: case LX_REBOOT_POWER_OFF:
		process_exit(0);
	case LX_REBOOT_CAD_ON: case LX_REBOOT_CAD_OFF:
		return 0;
	default:
		return syscall_refuse_event(POLICY_REFUSED, EPERM);
	}
}

#define LX_ARCH_SET_GS 0x1001
#define LX_ARCH_SET_FS 0x1002
#define LX_ARCH_GET_FS 0x1003
#define LX_ARCH_GET_GS 0x1004
#define LX_ARCH_GET_CPUID 0x1011
#define LX_ARCH_SET_CPUID 0x1012
#define LX_ARCH_GET_XCOMP_SUPP 0x1021

long sys_arch_prctl(int code, struct uaddr addr)
{
	u64 v;

	switch (code) {
	case LX_ARCH_SET_FS:
	case LX_ARCH_SET_GS:
		if (addr.va >= ARCH_USER_TOP)
			return -EPERM;
		if (code == LX_ARCH_SET_FS)
			arch_user_set_fs_base(addr.va);
		else
			arch_user_set_gs_base(addr.va);
		return 0;
	case LX_ARCH_GET_FS:
	case LX_ARCH_GET_GS:
		v = code == LX_ARCH_GET_FS ? arch_user_fs_base() : arch_user_gs_base();
		return copy_to_user(addr, &v, sizeof(v)) ? -EFAULT : 0;
	case LX_ARCH_GET_CPUID:
		return 1;
	case LX_ARCH_SET_CPUID:
		return addr.va ? 0 : -ENODEV;
	default:
		return -EINVAL;
	}
}
