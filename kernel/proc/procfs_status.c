/*
 * procfs_status.c - /proc/self/{stat,status} and the same for tasks, in Linux's words and fields (proc(5)).
 * All CPU time is shown as user time. What can fail: -ESRCH for a task that is gone.
 */
#include "proc/procfs_impl.h"
#include "proc/cwd.h"
#include "proc/file.h"
#include "proc/signal.h"
#include "vm/aspace.h"
#include "base/string.h"

#define TICKS(ns) ((ns) / (NSEC_PER_SEC / 100))

int procfs_view(u64 tid, struct task_view *v)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = task_find(tid ? (int)tid : PROC_PID);

	/* The first task may have left before the others; any one speaks for the process then. */
	if (!t && !tid && !list_empty(&process.tasks))
		t = list_entry(list_first(&process.tasks), struct task, link);
	if (t) {
		*v = (struct task_view){
			.tid = t->tid, .nice = t->nice, .state = READ_ONCE(t->thread->state) == THREAD_SLEEPING ? 'S' : 'R',
			.cpu = t->thread->cpu, .policy = (unsigned)t->policy, .affinity = t->thread->affinity,
			.cpu_ns = thread_cpu_time_ns(t->thread), .start_ns = t->start_ns, .min_faults = t->min_faults,
			.maj_faults = t->maj_faults, .voluntary = t->thread->switches_voluntary, .forced = t->thread->switches_forced,
			.rchar = t->rchar, .wchar = t->wchar, .syscr = t->syscr, .syscw = t->syscw, .pending = t->pending, .blocked = t->blocked, .no_new_privs = t->no_new_privs,
		};
		memcpy(v->name, t->name, sizeof(v->name));
	}
	spin_unlock_irqrestore(&process.lock, f);
	return t ? 0 : -ESRCH;
}

static void signal_sets(sigset *ret_ignored, sigset *ret_caught)
{
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);

	*ret_ignored = *ret_caught = 0;
	for (int i = 0; i < NSIG; i++) {
		if (process.actions[i].handler == SIGNAL_IGNORE)
			*ret_ignored |= 1ull << i;
		else if (process.actions[i].handler != SIGNAL_DEFAULT)
			*ret_caught |= 1ull << i;
	}
	spin_unlock_irqrestore(&process.sig_lock, f);
}

static u64 kib(u64 pages)
{
	return pages * (PAGE_SIZE / KiB);
}

static void show_memory(struct pseudo_text *t)
{
	struct vm_usage u;

	vm_usage(&u);
	u64 rss = u.resident_anon_pages + u.resident_file_pages;
	u64 code = (ROUND_UP(process_image.end_code, PAGE_SIZE) - ROUND_DOWN(process_image.start_code, PAGE_SIZE)) / PAGE_SIZE, exe = MIN(code, u.text_pages);
	const struct { const char *name; u64 kib; } rows[] = {
		{ "VmPeak", kib(u.peak_mapped_pages) }, { "VmSize", kib(u.mapped_pages) }, { "VmLck", kib(u.locked_pages) }, { "VmPin", 0 }, { "VmHWM", kib(u.peak_resident_pages) },
		{ "VmRSS", kib(rss) }, { "RssAnon", kib(u.resident_anon_pages) }, { "RssFile", kib(u.resident_file_pages) }, { "RssShmem", 0 },
		{ "VmData", kib(u.data_pages) }, { "VmStk", kib(u.stack_pages) }, { "VmExe", kib(exe) }, { "VmLib", kib(u.text_pages - exe) },
		{ "VmSwap", 0 }, { "HugetlbPages", 0 },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		pseudo_printf(t, "%s:\t%8llu kB\n", rows[i].name, (unsigned long long)rows[i].kib);
}

static void show_signals(struct pseudo_text *t, const struct task_view *v)
{
	sigset ignored, caught;

	signal_sets(&ignored, &caught);
	pseudo_printf(t, "SigQ:\t%u/%llu\n", process.nqueued, (unsigned long long)process_rlimits[RLIM_SIGPENDING].cur);
	pseudo_printf(t, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		      (unsigned long long)v->pending, (unsigned long long)process.pending, (unsigned long long)v->blocked,
		      (unsigned long long)ignored, (unsigned long long)caught);
}

/* A set of CPUs as "0-3,5". */
static void show_cpu_list(struct pseudo_text *t, u64 set)
{
	const char *sep = "";

	for (unsigned i = 0; i < 64; i++) {
		unsigned from = i;
		if (!(set >> i & 1))
			continue;
		while (i + 1 < 64 && (set >> (i + 1) & 1))
			i++;
		pseudo_printf(t, i > from ? "%s%u-%u" : "%s%u", sep, from, i);
		sep = ",";
	}
}

/* The table of descriptors, as Linux grows it: by 64. */
static u64 fd_slots(void)
{
	s64 last = -1;

	for (s64 fd = fd_next_used(0); fd >= 0; fd = fd_next_used((u64)fd + 1))
		last = fd;
	return ROUND_UP((u64)MAX(last + 1, (s64)1), 64);
}

int procfs_show_status(struct pseudo_text *t, u64 arg)
{
	struct task_view v;
	int r = procfs_view(arg, &v);

	if (r)
		return r;
	pseudo_printf(t, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", v.name, umask_get(),
		      v.state == 'R' ? "R (running)" : "S (sleeping)", PROC_PID, v.tid, PROC_PPID);
	pseudo_printf(t, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nFDSize:\t%llu\nGroups:\t%d \n", PROC_UID, PROC_UID, PROC_UID, PROC_UID,
		      PROC_GID, PROC_GID, PROC_GID, PROC_GID, (unsigned long long)fd_slots(), PROC_GID);
	pseudo_printf(t, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", PROC_PID, v.tid, PROC_PID, PROC_PID);
	show_memory(t);
	pseudo_printf(t, "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t%u\n", task_count());
	show_signals(t, &v);
	pseudo_printf(t, "CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\n", 0, 0, 0, 0, 0);
	pseudo_printf(t, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", v.no_new_privs);
	u64 cpus = v.affinity & ((1ull << arch_cpu_count()) - 1);
	pseudo_printf(t, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", (unsigned long long)cpus);
	show_cpu_list(t, cpus);
	pseudo_printf(t, "\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		      (unsigned long long)v.voluntary, (unsigned long long)v.forced);
	return 0;
}

/* The numbers of a process: sums over its tasks; of a task: its own. */
static void stat_sums(const struct task_view *v, bool whole, struct process_sums *s)
{
	if (whole)
		process_usage(s);
	else
		*s = (struct process_sums){ .cpu_ns = v->cpu_ns, .min_faults = v->min_faults, .maj_faults = v->maj_faults };
}

int procfs_show_stat(struct pseudo_text *t, u64 arg)
{
	const struct process_image *im = &process_image;
	sigset ignored, caught;
	struct process_sums s;
	struct task_view v;
	struct vm_usage u;
	int r = procfs_view(arg, &v);

	if (r)
		return r;
	vm_usage(&u);
	signal_sets(&ignored, &caught);
	stat_sums(&v, arg == 0, &s);
	/* 1-13: pid comm state ppid pgrp session tty_nr tpgid flags minflt cminflt majflt cmajflt */
	pseudo_printf(t, "%d (%s) %c %d %d %d 0 -1 4194304 %llu 0 %llu 0 ", v.tid, v.name, v.state, PROC_PPID, PROC_PID, PROC_PID,
		      (unsigned long long)s.min_faults, (unsigned long long)s.maj_faults);
	/* 14-22: utime stime cutime cstime priority nice num_threads itrealvalue starttime */
	pseudo_printf(t, "%llu 0 0 0 %d %d %u 0 %llu ", (unsigned long long)TICKS(s.cpu_ns), 20 + v.nice, v.nice, task_count(),
		      (unsigned long long)TICKS(v.start_ns));
	/* 23-30: vsize rss rsslim startcode endcode startstack kstkesp kstkeip */
	pseudo_printf(t, "%llu %llu %llu %llu %llu %llu 0 0 ", (unsigned long long)(u.mapped_pages * PAGE_SIZE),
		      (unsigned long long)(u.resident_anon_pages + u.resident_file_pages), (unsigned long long)process_rlimits[RLIM_RSS].cur,
		      (unsigned long long)im->start_code, (unsigned long long)im->end_code, (unsigned long long)im->start_stack);
	/* 31-41: signal blocked sigignore sigcatch wchan nswap cnswap exit_signal processor rt_priority policy */
	pseudo_printf(t, "%llu %llu %llu %llu 0 0 0 %d %u 0 %u ", (unsigned long long)(u32)v.pending, (unsigned long long)(u32)v.blocked,
		      (unsigned long long)(u32)ignored, (unsigned long long)(u32)caught, arg ? -1 : SIG_CHLD, v.cpu, v.policy);
	/* 42-52: blkio guest cguest start_data end_data start_brk arg_start arg_end env_start env_end exit_code */
	pseudo_printf(t, "0 0 0 %llu %llu %llu %llu %llu %llu %llu 0\n", (unsigned long long)im->start_data, (unsigned long long)im->end_data,
		      (unsigned long long)im->end_data, (unsigned long long)im->arg_start, (unsigned long long)im->arg_end,
		      (unsigned long long)im->env_start, (unsigned long long)im->env_end);
	return 0;
}
