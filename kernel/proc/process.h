/*
 * process.h - the one process: its tasks, the state they share, the clock of its life.
 *
 * For proc/ and linux/ only. Locks (both irq-safe spinlocks): process.lock guards the list and hash of
 * tasks and the sums of dead tasks; process.sig_lock guards the actions, the pending sets and the queues,
 * also those inside tasks. Order: lock > sig_lock > run queues. Neither is held over a user copy.
 */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include "proc/task.h"

#define TASK_HASH 64u
#define TASK_MAX  32768u             /* tasks alive at once, whatever RLIMIT_NPROC says */

/* An action, as rt_sigaction keeps it; handler 0 = default, 1 = ignore; flags are LX_SA_*. */
struct signal_action {
	u64 handler, flags, restorer;
	sigset mask;
};
#define SIGNAL_DEFAULT 0u
#define SIGNAL_IGNORE  1u

struct process_sums {                /* what dead tasks used */
	u64 cpu_ns, min_faults, maj_faults, voluntary, forced;
	u64 rchar, wchar, syscr, syscw;
};

struct process {
	struct spinlock lock;
	struct list tasks;           /* P: lock; oldest first */
	struct list hash[TASK_HASH]; /* P */
	unsigned ntasks;             /* P: alive */
	int last_tid;                /* P */
	bool ending;                 /* atomic: set once; no task is made afterwards */
	struct waitq task_gone;
	struct process_sums dead;    /* P */
	u64 start_ns;

	struct spinlock sig_lock;
	struct signal_action actions[NSIG]; /* S: sig_lock; index signo - 1 */
	sigset pending;              /* S */
	struct list queue;           /* S */
	unsigned nqueued;            /* S: all queues; limited by RLIMIT_SIGPENDING */
	struct waitq sig_waitq;      /* woken when a signal is queued: signalfd */

	u32 personality;
	int dumpable;
	int oom_score_adj;
	char name[TASK_NAME_LEN];    /* of the program; the first task starts with it */
};
extern struct process process;

/* The task's name, bounded; for prctl and /proc/self/task/TID/comm. */
void task_set_name(struct task *t, const char *name, size_t len);
/* CPU time of all tasks, dead ones included; of one task (process.lock held or the caller's own). */
u64 process_cpu_ns(void);
void process_usage(struct process_sums *ret);

/* RLIMIT numbers (Linux's). */
enum {
	RLIM_CPU, RLIM_FSIZE, RLIM_DATA, RLIM_STACK, RLIM_CORE, RLIM_RSS, RLIM_NPROC, RLIM_NOFILE,
	RLIM_MEMLOCK, RLIM_AS, RLIM_LOCKS, RLIM_SIGPENDING, RLIM_MSGQUEUE, RLIM_NICE, RLIM_RTPRIO, RLIM_RTTIME,
	RLIM_COUNT
};
#define RLIM_INFINITY_NS UINT64_MAX
/* Read and/or change a limit. -EINVAL (unknown, cur > max), -EPERM (max raised). Tells vm/ of stack, data and address space. */
int process_rlimit(unsigned resource, const struct rlimit64 *new_or_null, struct rlimit64 *ret_old_or_null);

/* The machine's name, from the boot configuration. */
const char *process_hostname(void);
void process_set_hostname(const char *name);

/* ---- Ending (exit.c) ---- */

/* The current task goes, quietly: its robust futexes and CLEARTID are done. The last one ends the process with its status. */
NORETURN void task_leave(int status);
/*
 * A policy ends the machine: `stopped EVENT: DETAIL` (exit status 121). Returns at once; the caller's task does not come back to
 * the program, the others are stopped, volumes are written, and what waits to be sent is not. The caller may hold locks that may
 * be held while sleeping.
 */
void process_stop_by_policy(const char *event, const char *detail_or_null);
/* Boot failed to start the program: `cannot-run N TEXT`, and the machine ends. */
NORETURN void process_cannot_run(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Policy ends the machine at once, wherever it is (nothing is put in order): `stopped TEXT`. Returns only if it ends already. */
void process_stopped(const char *text);

/* ---- The control port (control.c) ---- */

/* One line to the host (without '\n'), whole or not at all. May sleep. Cut at 4,095 bytes. */
void control_line(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The thread that obeys the host: `stop`, `signal N`. */
int control_start(void);

#endif
