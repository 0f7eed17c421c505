/*
 * process.c - the one process: its shared state, limits, name of the machine.
 *
 * Invariants: 1. `process` is set up before the first task exists. 2. cur <= max for every limit.
 * Limits are read without a lock (one aligned word each) and changed under rlimit_lock.
 * Nothing here can fail but on bad arguments.
 */
#include "proc/process.h"
#include "proc/signal.h"
#include "proc/futex.h"
#include "proc/timers.h"
#include "vm/aspace.h"
#include "base/string.h"
#include "base/log.h"

#define INF UINT64_MAX

struct process process;

struct rlimit64 process_rlimits[16] = {
	[RLIM_CPU] = { INF, INF },
	[RLIM_FSIZE] = { INF, INF },
	[RLIM_DATA] = { INF, INF },
	[RLIM_STACK] = { 8 * MiB, INF },
	[RLIM_CORE] = { 0, INF },
	[RLIM_RSS] = { INF, INF },
	[RLIM_NPROC] = { TASK_MAX, TASK_MAX },
	[RLIM_NOFILE] = { 1024, 1048576 },
	[RLIM_MEMLOCK] = { 8 * MiB, 8 * MiB },
	[RLIM_AS] = { INF, INF },
	[RLIM_LOCKS] = { INF, INF },
	[RLIM_SIGPENDING] = { 4096, 4096 },
	[RLIM_MSGQUEUE] = { 819200, 819200 },
	[RLIM_NICE] = { 0, 0 },
	[RLIM_RTPRIO] = { 0, 0 },
	[RLIM_RTTIME] = { INF, INF },
};
static struct spinlock rlimit_lock = SPINLOCK_INIT;
static char hostname[65] = "pith";

int process_init(void)
{
	spin_init(&process.lock);
	list_init(&process.tasks);
	for (unsigned i = 0; i < TASK_HASH; i++)
		list_init(&process.hash[i]);
	process.ntasks = 0;
	process.last_tid = PROC_PID - 1;
	process.ending = false;
	process.dumpable = 1;
	process.start_ns = arch_clock_mono_ns();
	waitq_init(&process.task_gone);
	signal_init();
	futex_init();
	timers_init();
	return 0;
}

static void rlimit_tell_vm(unsigned resource)
{
	struct vm_limits *l = vm_limits();
	u64 cur = process_rlimits[resource].cur;

	if (resource == RLIM_STACK)
		l->stack_max = cur;
	else if (resource == RLIM_DATA)
		l->data_max = cur;
	else if (resource == RLIM_AS)
		l->as_max = cur;
}

int process_rlimit(unsigned resource, const struct rlimit64 *new_or_null, struct rlimit64 *ret_old_or_null)
{
	int r = 0;

	if (resource >= RLIM_COUNT)
		return -EINVAL;
	if (new_or_null && new_or_null->cur > new_or_null->max)
		return -EINVAL;
	spin_lock(&rlimit_lock);
	struct rlimit64 old = process_rlimits[resource];
	if (new_or_null) {
		if (new_or_null->max > old.max || (resource == RLIM_NOFILE && new_or_null->max > 1048576)) {
			r = -EPERM;
		} else {
			process_rlimits[resource] = *new_or_null;
			rlimit_tell_vm(resource);
		}
	}
	spin_unlock(&rlimit_lock);
	if (r == 0 && new_or_null && resource == RLIM_CPU)
		timers_cpu_limit_changed();
	if (r == 0 && ret_old_or_null)
		*ret_old_or_null = old;
	return r;
}

const char *process_hostname(void)
{
	return hostname;
}

void process_set_hostname(const char *name)
{
	str_copy(hostname, name, sizeof(hostname));
}

/* Sums over the dead and the living. */
void process_usage(struct process_sums *ret)
{
	struct task *t;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	*ret = process.dead;
	list_for_each_entry(t, &process.tasks, link) {
		ret->cpu_ns += thread_cpu_time_ns(t->thread);
		ret->min_faults += READ_ONCE(t->min_faults);
		ret->maj_faults += READ_ONCE(t->maj_faults);
		ret->voluntary += READ_ONCE(t->thread->switches_voluntary);
		ret->forced += READ_ONCE(t->thread->switches_forced);
		ret->rchar += READ_ONCE(t->rchar);
		ret->wchar += READ_ONCE(t->wchar);
		ret->syscr += READ_ONCE(t->syscr);
		ret->syscw += READ_ONCE(t->syscw);
	}
	spin_unlock_irqrestore(&process.lock, f);
}

u64 process_cpu_ns(void)
{
	struct process_sums s;

	process_usage(&s);
	return s.cpu_ns;
}
