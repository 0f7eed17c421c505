/*
 * sys_sched.c - scheduling: yielding, affinity, policies, nice values.
 *
 * There is one policy. OTHER, BATCH and IDLE, nice values and disk priorities are kept and told back, under the rules for a
 * process without rights; the real-time policies are EPERM, as RLIMIT_RTPRIO is 0. Affinity is real.
 */
#include "linux/lx_process.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "proc/process.h"

/* Calls about a task: by tid, 0 = the caller. The answer of fn, or -ESRCH. fn runs with process.lock held. */
static long with_task(int pid, long (*fn)(struct task *t, void *arg), void *arg)
{
	long r = -ESRCH;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = pid ? task_find(pid) : task_current();

	if (t)
		r = fn(t, arg);
	spin_unlock_irqrestore(&process.lock, f);
	return r;
}

long sys_sched_yield(void)
{
	thread_yield();
	return 0;
}

/* ---- Affinity ---- */

static u64 cpus_up(void)
{
	return (1ull << arch_cpu_count()) - 1;
}

static long get_affinity(struct task *t, void *arg)
{
	*(u64 *)arg = t->thread->affinity & cpus_up();
	return 0;
}

long sys_sched_getaffinity(int pid, unsigned len, struct uaddr mask)
{
	u64 m;

	if (pid < 0)
		return -ESRCH;
	if ((u64)len * 8 < arch_cpu_count() || len % sizeof(u64))
		return -EINVAL;
	long r = with_task(pid, get_affinity, &m);
	if (r)
		return r;
	return copy_to_user(mask, &m, sizeof(m)) ? -EFAULT : (long)sizeof(m);
}

long sys_sched_setaffinity(int pid, unsigned len, struct uaddr mask)
{
	u64 m = 0;

	if (copy_from_user(&m, mask, MIN((size_t)len, sizeof(m))))
		return -EFAULT;
	if (pid < 0)
		return -ESRCH;
	m &= cpus_up();
	/* The thread is kept by a reference: sched_set_affinity may sleep. */
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = pid ? task_find(pid) : task_current();
	struct thread *th = t ? t->thread : NULL;
	if (th)
		thread_get(th);
	spin_unlock_irqrestore(&process.lock, f);
	if (!th)
		return -ESRCH;
	int r = m ? sched_set_affinity(th, (u32)m) : -EINVAL;
	thread_put(th);
	return r;
}

long sys_getcpu(struct uaddr cpu, struct uaddr node, struct uaddr unused)
{
	u32 c = arch_cpu_id(), n = 0;

	if (!uaddr_is_null(cpu) && copy_to_user(cpu, &c, sizeof(c)))
		return -EFAULT;
	if (!uaddr_is_null(node) && copy_to_user(node, &n, sizeof(n)))
		return -EFAULT;
	return 0;
}

/* ---- Policies ---- */

static bool policy_is_known(int policy)
{
	return (policy >= LX_SCHED_OTHER && policy <= LX_SCHED_BATCH) || policy == LX_SCHED_IDLE || policy == LX_SCHED_DEADLINE;
}

static bool policy_is_realtime(int policy)
{
	return policy == LX_SCHED_FIFO || policy == LX_SCHED_RR;
}

/* Would it be a reservation that could be made? */
static bool deadline_is_valid(const struct lx_sched_attr *a)
{
	u64 period = a->period ? a->period : a->deadline;

	if (!a->deadline || a->runtime < 1024 || (a->deadline | a->period) >> 63)
		return false;
	return period >= a->deadline && a->deadline >= a->runtime && period >= 100 * NSEC_PER_USEC && period <= 1ull << 22 << 10;
}

/* May the task have this nice value? A limit of n allows 20 - n and above. */
static bool nice_is_allowed(const struct task *t, int nice)
{
	return nice >= t->nice || (u64)(20 - nice) <= process_rlimits[RLIM_NICE].cur;
}

/* What Linux asks of a process without rights. keep: the policy is not to change. process.lock is held. */
static long policy_set(struct task *t, const struct lx_sched_attr *a, bool keep)
{
	int policy = keep ? t->policy : (int)a->policy;
	bool reset = keep ? t->reset_on_fork : a->flags & LX_SCHED_FLAG_RESET_ON_FORK, fair = policy == LX_SCHED_OTHER || policy == LX_SCHED_BATCH;

	if (!policy_is_known(policy) || (a->flags & ~(u64)LX_SCHED_FLAG_ALL) || a->priority > 99)
		return -EINVAL;
	if ((policy == LX_SCHED_DEADLINE && !deadline_is_valid(a)) || policy_is_realtime(policy) != (a->priority != 0))
		return -EINVAL;
	if (policy == LX_SCHED_DEADLINE || policy_is_realtime(policy) || (fair && !nice_is_allowed(t, a->nice)))
		return -EPERM;
	/* Out of IDLE is a rise, and a promise about children is not taken back. */
	if (t->policy == LX_SCHED_IDLE && policy != LX_SCHED_IDLE && (u64)(20 - t->nice) > process_rlimits[RLIM_NICE].cur)
		return -EPERM;
	if (t->reset_on_fork && !reset)
		return -EPERM;
	t->policy = policy;
	t->reset_on_fork = reset;
	if (fair)
		t->nice = a->nice;
	return 0;
}

/* sched_setscheduler and sched_setparam: nice stays. policy -1: that too. process.lock is held. */
static long simple_set(struct task *t, void *arg)
{
	struct lx_sched_attr *a = arg;

	a->nice = t->nice;
	return policy_set(t, a, (int)a->policy < 0);
}

static long set_simple(int pid, int policy, struct uaddr param)
{
	int priority;

	if (uaddr_is_null(param) || pid < 0)
		return -EINVAL;
	if (copy_from_user(&priority, param, sizeof(priority)))
		return -EFAULT;
	struct lx_sched_attr a = { .policy = (u32)policy, .priority = (u32)priority };
	if (policy >= 0 && (policy & LX_SCHED_RESET_ON_FORK)) {
		a.policy = (u32)(policy & ~LX_SCHED_RESET_ON_FORK);
		a.flags = LX_SCHED_FLAG_RESET_ON_FORK;
	}
	return with_task(pid, simple_set, &a);
}

long sys_sched_setscheduler(int pid, int policy, struct uaddr param)
{
	return policy < 0 ? -EINVAL : set_simple(pid, policy, param);
}

long sys_sched_setparam(int pid, struct uaddr param)
{
	return set_simple(pid, -1, param);
}

static long get_policy(struct task *t, void *arg)
{
	return t->policy | (t->reset_on_fork ? LX_SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getscheduler(int pid)
{
	return pid < 0 ? -EINVAL : with_task(pid, get_policy, NULL);
}

long sys_sched_getparam(int pid, struct uaddr param)
{
	int priority = 0;

	if (uaddr_is_null(param) || pid < 0)
		return -EINVAL;
	long p = with_task(pid, get_policy, NULL);
	if (p < 0)
		return p;
	return copy_to_user(param, &priority, sizeof(priority)) ? -EFAULT : 0;
}

long sys_sched_get_priority_max(int policy)
{
	return policy_is_realtime(policy) ? 99 : policy_is_known(policy) ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(int policy)
{
	return policy_is_realtime(policy) ? 1 : policy_is_known(policy) ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(int pid, struct uaddr interval)
{
	struct lx_timespec ts = { 0, 4 * (s64)NSEC_PER_MSEC };

	if (pid < 0)
		return -EINVAL;
	long p = with_task(pid, get_policy, NULL);
	if (p < 0)
		return p;
	return copy_to_user(interval, &ts, sizeof(ts)) ? -EFAULT : 0;
}

/* Structures that grow: what is beyond ours must be zero. -E2BIG tells our size. */
static long attr_get(struct lx_sched_attr *a, struct uaddr attr)
{
	u32 size, ours = sizeof(*a);
	u8 more = 0;

	if (copy_from_user(&size, attr, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = LX_SCHED_ATTR_SIZE_VER0;
	bool fits = size >= LX_SCHED_ATTR_SIZE_VER0 && size <= PAGE_SIZE;
	if (fits && copy_from_user(a, attr, MIN(size, ours)))
		return -EFAULT;
	for (u32 i = ours; fits && i < size; i++) {
		if (copy_from_user(&more, uaddr_add(attr, i), 1))
			return -EFAULT;
		fits = !more;
	}
	if (!fits)
		return copy_to_user(attr, &ours, sizeof(ours)) ? -EFAULT : -E2BIG;
	if ((a->flags & LX_SCHED_FLAG_UTIL_CLAMP) && size < ours)
		return -EINVAL;
	a->nice = a->nice < -20 ? -20 : a->nice > 19 ? 19 : a->nice;
	return 0;
}

/* process.lock is held. */
static long attr_set(struct task *t, void *arg)
{
	struct lx_sched_attr *a = arg;

	if (a->flags & LX_SCHED_FLAG_KEEP_PARAMS) {
		a->nice = t->nice;
		a->priority = 0;
	}
	return policy_set(t, a, a->flags & LX_SCHED_FLAG_KEEP_POLICY);
}

long sys_sched_setattr(int pid, struct uaddr attr, unsigned flags)
{
	struct lx_sched_attr a = { 0 };

	if (uaddr_is_null(attr) || pid < 0 || flags)
		return -EINVAL;
	long r = attr_get(&a, attr);
	if (r)
		return r;
	return (int)a.policy < 0 ? -EINVAL : with_task(pid, attr_set, &a);
}

/* process.lock is held. */
static long attr_show(struct task *t, void *arg)
{
	struct lx_sched_attr *a = arg;

	a->policy = (u32)t->policy;
	a->flags = t->reset_on_fork ? LX_SCHED_FLAG_RESET_ON_FORK : 0;
	a->nice = t->nice;
	a->util_max = 1024;
	return 0;
}

long sys_sched_getattr(int pid, struct uaddr attr, unsigned size, unsigned flags)
{
	struct lx_sched_attr a = { 0 };

	if (uaddr_is_null(attr) || pid < 0 || size > PAGE_SIZE || size < LX_SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	long r = with_task(pid, attr_show, &a);
	if (r)
		return r;
	a.size = MIN(size, (u32)sizeof(a));
	return copy_to_user(attr, &a, a.size) ? -EFAULT : 0;
}

/* ---- Nice ---- */

enum { LX_PRIO_PROCESS, LX_PRIO_PGRP, LX_PRIO_USER };

static long get_nice(struct task *t, void *arg)
{
	*(int *)arg = t->nice;
	return 0;
}

static long set_nice(struct task *t, void *arg)
{
	int n = *(int *)arg;

	if (!nice_is_allowed(t, n))
		return -EACCES;
	t->nice = n;
	return 0;
}

/* Which task "who" means; for groups and users the first one speaks for all. */
static int prio_target(int which, int who, int *ret_pid)
{
	if (which < LX_PRIO_PROCESS || which > LX_PRIO_USER)
		return -EINVAL;
	if (which == LX_PRIO_PROCESS) {
		*ret_pid = who;
		return who < 0 ? -ESRCH : 0;
	}
	*ret_pid = PROC_PID;
	return who == 0 || who == (which == LX_PRIO_USER ? PROC_UID : PROC_PID) ? 0 : -ESRCH;
}

long sys_getpriority(int which, int who)
{
	int pid, nice, r = prio_target(which, who, &pid);

	if (r)
		return r;
	long e = with_task(pid, get_nice, &nice);
	return e ? e : 20 - nice;
}

long sys_setpriority(int which, int who, int prio)
{
	int pid, r = prio_target(which, who, &pid);
	int nice = prio < -20 ? -20 : prio > 19 ? 19 : prio;

	return r ? r : with_task(pid, set_nice, &nice);
}

/* ---- Disk priorities: kept only ---- */

enum { LX_IOPRIO_NONE, LX_IOPRIO_RT, LX_IOPRIO_BE, LX_IOPRIO_IDLE };
enum { LX_IOPRIO_WHO_PROCESS = 1, LX_IOPRIO_WHO_PGRP, LX_IOPRIO_WHO_USER };

static int ioprio_target(int which, int who, int *ret_pid)
{
	if (which < LX_IOPRIO_WHO_PROCESS || which > LX_IOPRIO_WHO_USER)
		return -EINVAL;
	*ret_pid = which == LX_IOPRIO_WHO_PROCESS ? who : PROC_PID;
	if (which == LX_IOPRIO_WHO_PROCESS)
		return who < 0 ? -ESRCH : 0;
	return who == 0 || who == (which == LX_IOPRIO_WHO_USER ? PROC_UID : PROC_PID) ? 0 : -ESRCH;
}

static long ioprio_keep(struct task *t, void *arg)
{
	t->ioprio = *(u16 *)arg;
	return 0;
}

static long ioprio_tell(struct task *t, void *arg)
{
	return t->ioprio;
}

long sys_ioprio_set(int which, int who, int prio)
{
	unsigned class = (unsigned)prio >> 13 & 7, level = (unsigned)prio & 7;
	u16 kept = (u16)prio;
	int pid;

	if (class > LX_IOPRIO_IDLE || (class == LX_IOPRIO_NONE && level))
		return -EINVAL;
	if (class == LX_IOPRIO_RT)
		return -EPERM;
	int r = ioprio_target(which, who, &pid);
	return r ? r : with_task(pid, ioprio_keep, &kept);
}

long sys_ioprio_get(int which, int who)
{
	int pid, r = ioprio_target(which, who, &pid);

	return r ? r : with_task(pid, ioprio_tell, NULL);
}
