/*
 * task.h - the one process and its tasks (the program's threads).
 *
 * Locks: process.lock (spinlock, irq-safe) guards the task list and the group's state;
 * signal state is guarded by process.sig_lock (spinlock, irq-safe). Order: lock > sig_lock.
 * There is one process: functions take no process argument.
 */
#ifndef PROC_TASK_H
#define PROC_TASK_H

#include "sched/thread.h"
#include "sched/mutex.h"

#define TASK_NAME_LEN 16
#define PROC_PID      2              /* what getpid says; not 1, so that programs do not take themselves for init */
#define PROC_PPID     1
#define PROC_UID      1000           /* the one identity */
#define PROC_GID      1000
#define NSIG          64

typedef u64 sigset;                  /* bit n-1 is signal n */
#define SIGSET_OF(n) (1ull << ((n) - 1))

/* What a signal carries; linux/ lays it out as siginfo_t. */
struct siginfo {
	int signo, code, err;
	union {
		struct { int pid, uid; u64 value; } rt;
		struct { u64 addr; int trapno; } fault;
		struct { u32 timer_id; int overrun; u64 value; } timer;
		struct { int band, fd; } poll;
		struct { u64 call_addr; int syscall; u32 arch; } sys;
	};
};

struct task {
	struct thread *thread;
	int tid;
	char name[TASK_NAME_LEN];
	struct list link, hash_link; /* process.lock */
	sigset blocked;              /* own task, or sig_lock */
	sigset saved_mask;           /* for sigsuspend, ppoll, epoll_pwait: restored after delivery */
	bool restore_mask;
	sigset waiting;              /* sig_lock: what sigtimedwait waits for: queued even if its action is to ignore */
	sigset pending;              /* sig_lock */
	struct list queue;           /* sig_lock: siginfos directed at this task */
	u64 altstack_sp, altstack_size;
	u32 altstack_flags;
	u64 clear_child_tid;         /* user address, 0 = none */
	u64 robust_list;             /* user address of the head */
	u64 rseq_addr;
	u32 rseq_len, rseq_sig;
	int exit_code;
	bool exiting;
	long (*restart)(struct task *t); /* restart_syscall: set together with returning -ERESTART_RESTARTBLOCK */
	u64 restart_args[6];
	u64 trap_err, trap_no, trap_va;  /* of the last exception, shown in signal frames */
	int fault_error;             /* what the fault handler said about it */
	int policy;                  /* Linux's SCHED_*: recorded */
	u32 rseq_cpu;                /* the CPU number that the program was told last */
	u64 start_ns;
	u64 min_faults, maj_faults;
	u64 rchar, wchar, syscr, syscw; /* /proc/self/io: bytes and calls of read and write */
	int nice;
	bool reset_on_fork;          /* sched_setattr's, kept only */
	u16 ioprio;                  /* ioprio_set's, kept only */
	u64 timer_slack_ns;
	int pdeathsig;
	bool no_new_privs, keep_caps;
	int mempolicy;               /* set_mempolicy's, kept only */
	u8 mce_kill;                 /* PR_MCE_KILL's, kept only; 0: the default */
	struct file **rings;         /* io_uring: what it registered for itself; NULL: nothing */
};

static inline struct task *task_current(void) { return thread_current()->proc; }
/* A call that reads or writes has ended with n. */
static ALWAYS_INLINE void task_count_read(struct task *t, ssize_t n)
{
	t->syscr++;
	t->rchar += n > 0 ? (u64)n : 0;
}
static ALWAYS_INLINE void task_count_write(struct task *t, ssize_t n)
{
	t->syscw++;
	t->wchar += n > 0 ? (u64)n : 0;
}
struct task *task_find(int tid);     /* with process.lock held; NULL */
unsigned task_count(void);
/* A new task, not running yet: entry(arg) runs in its context and ends in arch_user_enter. It starts with the
 * creator's mask and name. -EAGAIN (RLIMIT_NPROC, the process is ending), -ENOMEM. */
int task_create(void (*entry)(void *arg), void *arg, struct task **ret) MUST_CHECK;
void task_start(struct task *t);
/* The first tid >= from that exists, or -1. */
s64 task_next_tid(u64 from);
/* What linux/ does for a task that leaves, in its own context: robust futexes, CLEARTID. Set once at boot. */
struct task_ops {
	void (*leave)(struct task *t);
};
void task_set_ops(const struct task_ops *ops);

/* ---- Signals ---- */

/* Send to the process, or to one task (t not NULL: the caller, or process.lock is held). info NULL: SI_KERNEL.
 * Any context; t NULL takes process.lock. More: proc/signal.h. */
void signal_send(struct task *t, int signo, const struct siginfo *info);
/* A fault signal of the current task: cannot be blocked or ignored (then it kills). */
void signal_force(int signo, const struct siginfo *info);
bool signal_pending(void);           /* deliverable to the current task */
/* Install mask until the next signal is delivered or the call returns (sigsuspend, p*-calls). */
void signal_push_mask(sigset mask);
/* End of such a call: put the old mask back at once unless a signal is to be delivered first. */
void signal_pop_mask(bool interrupted);

/* ---- Ending ---- */

/* exit_group or a deadly signal: tells every task; the machine ends with `exit N` / `signal N` on the control port. */
NORETURN void process_exit(int status);
NORETURN void process_kill(int signo, const struct siginfo *info);
NORETURN void task_exit(int status);
/* The host asked for a stop: SIGTERM. Any context. */
void process_stop_request(int signo);

/* ---- Limits ---- */
struct rlimit64 {
	u64 cur, max;
};
extern struct rlimit64 process_rlimits[16];  /* by Linux's RLIMIT_* */

/* ---- Start ---- */
struct exec_args {
	const char *path;            /* in the root */
	char *const *argv, *const *envp; /* NULL-terminated */
	const char *cwd;
};
/* Boot: tables, procfs entries. Then start the first task; cannot-run errors go to the control port. */
int process_init(void);
int process_start(const struct exec_args *a);
/* What /proc/self/{exe,cmdline,environ,auxv} show; filled by proc/exec.c. */
struct process_image {
	char exe_path[256];
	u64 arg_start, arg_end, env_start, env_end;   /* user addresses */
	u64 auxv[48];
	unsigned nauxv;
	u64 start_code, end_code, start_data, end_data, start_stack, entry;
};
extern struct process_image process_image;

#endif
