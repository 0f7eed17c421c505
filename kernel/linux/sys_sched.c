/*
 * sys_sched.c - scheduling: yielding, affinity, policies, nice values.
 *
 * There is one policy. OTHER, BATCH and IDLE, and nice values, are recorded and told back; the real-time policies
 * are EPERM, as for a process whose RLIMIT_RTPRIO is 0. Affinity is real.
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

/* 0 or errno for a policy with a priority, as sched_setscheduler judges it. */
static int policy_check(int policy, int priority)
{
	if (!policy_is_known(policy) || priority < 0 || priority > 99)
		return -EINVAL;
	if (policy == LX_SCHED_DEADLINE || policy_is_realtime(policy) != (priority != 0))
		return -EINVAL;
	return policy_is_realtime(policy) ? -EPERM : 0;
}

static long set_policy(struct task *t, void *arg)
{
	t->policy = *(int *)arg;
	return 0;
}

static long get_policy(struct task *t, void *arg)
{
	return t->policy;
}

long sys_sched_setscheduler(int pid, int policy, struct uaddr param)
{
	int priority, p = policy & ~LX_SCHED_RESET_ON_FORK;

	if (policy < 0 || uaddr_is_null(param) || pid < 0)
		return -EINVAL;
	if (copy_from_user(&priority, param, sizeof(priority)))
		return -EFAULT;
	if (with_task(pid, get_policy, NULL) < 0)
		return -ESRCH;
	int r = policy_check(p, priority);
	return r ? r : with_task(pid, set_policy, &p);
}

long sys_sched_setparam(int pid, struct uaddr param)
{
	int priority;

	if (uaddr_is_null(param) || pid < 0)
		return -EINVAL;
	if (copy_from_user(&priority, param, sizeof(priority)))
		return -EFAULT;
	long p = with_task(pid, get_policy, NULL);
	return p < 0 ? p : policy_check((int)p, priority);
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

static long get_nice(struct task *t, void *arg)
{
	*(int *)arg = t->nice;
	return 0;
}

static long set_nice(struct task *t, void *arg)
{
	int n = *(int *)arg;

	/* Only downwards in priority: nobody may raise it (RLIMIT_NICE is 0). */
	if (n < t->nice)
		return -EACCES;
	t->nice = n;
	return 0;
}

long sys_sched_setattr(int pid, struct uaddr attr, unsigned flags)
{
	struct lx_sched_attr a = { 0 };
	u32 size;

	if (uaddr_is_null(attr) || pid < 0 || flags)
		return -EINVAL;
	if (copy_from_user(&size, attr, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = LX_SCHED_ATTR_SIZE_VER0;
	if (size < LX_SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) {
		u32 ours = sizeof(a);
		return copy_to_user(attr, &ours, sizeof(ours)) ? -EFAULT : -E2BIG;
	}
	if (copy_from_user(&a, attr, MIN((size_t)size, sizeof(a))))
		return -EFAULT;
	if ((int)a.policy < 0)
		return -EINVAL;
	if (with_task(pid, get_policy, NULL) < 0)
		return -ESRCH;
	int policy = (int)a.policy, r = policy_check(policy, (int)a.priority);
	if (r)
		return r;
	int nice = a.nice < -20 ? -20 : a.nice > 19 ? 19 : a.nice;
	long n = with_task(pid, set_nice, &nice);
	if (n)
		return n == -EACCES ? -EPERM : n;
	return with_task(pid, set_policy, &policy);
}

long sys_sched_getattr(int pid, struct uaddr attr, unsigned size, unsigned flags)
{
	struct lx_sched_attr a = { 0 };
	int nice;

	if (uaddr_is_null(attr) || pid < 0 || size > PAGE_SIZE || size < LX_SCHED_ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	long p = with_task(pid, get_policy, NULL);
	if (p < 0 || with_task(pid, get_nice, &nice))
		return -ESRCH;
	a.policy = (u32)p;
	a.nice = nice;
	a.util_max = 1024;
	a.size = MIN(size, (u32)sizeof(a));
	return copy_to_user(attr, &a, a.size) ? -EFAULT : 0;
}

/* ---- Nice ---- */

enum { LX_PRIO_PROCESS, LX_PRIO_PGRP, LX_PRIO_USER };

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

/* Disk priorities: recorded nowhere, best effort is the answer. */
long sys_ioprio_set(int which, int who, int prio)
{
	int class = prio >> 13;

	if (which < 1 || which > 3)
		return -EINVAL;
	if (class == 1)
		return -EPERM;
	return class >= 0 && class <= 3 ? 0 : -EINVAL;
}

long sys_ioprio_get(int which, int who)
{
	return which < 1 || which > 3 ? -EINVAL : 0;
}
