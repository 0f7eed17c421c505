/*
 * signal.h - signals inside the kernel: sending, waiting, taking. Layouts and frames are linux/'s.
 *
 * A signal is pending in a task or in the process. Standard signals (1..31) are pending at most once in
 * each; real-time signals queue, lowest number first, oldest first. THREAD_WORK_SIGNAL of a task is set when
 * something it does not block may be pending; only the task itself clears it.
 */
#ifndef PROC_SIGNAL_H
#define PROC_SIGNAL_H

#include "proc/process.h"

enum {                               /* numbers that the kernel itself sends or treats apart (Linux, x86-64) */
	SIG_HUP = 1, SIG_INT, SIG_QUIT, SIG_ILL, SIG_TRAP, SIG_ABRT, SIG_BUS, SIG_FPE, SIG_KILL, SIG_USR1, SIG_SEGV, SIG_USR2,
	SIG_PIPE, SIG_ALRM, SIG_TERM, SIG_STKFLT, SIG_CHLD, SIG_CONT, SIG_STOP, SIG_TSTP, SIG_TTIN, SIG_TTOU, SIG_URG, SIG_XCPU,
	SIG_XFSZ, SIG_VTALRM, SIG_PROF, SIG_WINCH, SIG_IO, SIG_PWR, SIG_SYS,
};
enum {                               /* si_code */
	SIGCODE_USER = 0, SIGCODE_KERNEL = 0x80, SIGCODE_QUEUE = -1, SIGCODE_TIMER = -2, SIGCODE_SIGIO = -5, SIGCODE_TKILL = -6,
};
#define SIGSET_UNBLOCKABLE (SIGSET_OF(SIG_KILL) | SIGSET_OF(SIG_STOP))
#define SIGSET_FAULTS      (SIGSET_OF(SIG_SEGV) | SIGSET_OF(SIG_BUS) | SIGSET_OF(SIG_ILL) | SIGSET_OF(SIG_TRAP) | \
			    SIGSET_OF(SIG_FPE) | SIGSET_OF(SIG_SYS))

enum signal_default { SIGNAL_KILLS, SIGNAL_DUMPS, SIGNAL_IGNORED, SIGNAL_STOPS, SIGNAL_CONTINUES };
enum signal_default signal_default_of(int signo);

/* One queued signal. Owners that must not fail (timers) keep their own. */
struct signal_entry {
	struct list link;            /* on a queue, or on itself */
	struct list *queue;          /* which, and its pending set; only while queued */
	sigset *pending;
	struct siginfo info;
	bool owned;                  /* belongs to a timer: not freed when taken */
};

/* signal_send with an answer: 0, -EAGAIN (a real-time signal and RLIMIT_SIGPENDING is reached), 1 if it was dropped because it is ignored. */
int signal_send_checked(struct task *t, int signo, const struct siginfo *info);
/* Queue a timer's own entry. 0; 1 dropped (ignored); 2 it is still queued from before. Any context. */
int signal_send_entry(struct task *t, struct signal_entry *e);
/* Take an owned entry back from wherever it is queued. */
void signal_entry_cancel(struct signal_entry *e);

/* Read or change the action of signo (1..64, not KILL or STOP): checked by the caller. Pending signals that become ignored are dropped. */
void signal_set_action(int signo, const struct signal_action *new_or_null, struct signal_action *ret_old_or_null);
/* Change the current task's mask. KILL and STOP are taken out. */
void signal_set_mask(sigset mask);
sigset signal_pending_set(void);             /* pending in the task or the process, blocked or not */
/* For the exit path: take the next deliverable signal of the current task together with its action (SA_RESETHAND is applied). False: none, and the work bit is clear. */
bool signal_take(struct siginfo *ret, struct signal_action *ret_action);

/* Take a pending signal that is in mask; false if none. For sigtimedwait and signalfd. */
bool signal_take_from(sigset mask, struct siginfo *ret);
/* Wait for one. 0; -EAGAIN at the deadline; -EINTR when another signal is to be delivered. */
int signal_wait(sigset mask, u64 deadline_ns, struct siginfo *ret);
/* signalfd: POLL_IN when something in mask is pending for the current task; the queue to wait on is process.sig_waitq. */
u32 signal_poll(sigset mask, struct poll_table *pt);

/* Boot. */
void signal_init(void);
void signal_init_task(struct task *t);
/* A task is leaving: it takes no more signals, others take the process's. Then, when it is gone: drop what was directed at it. */
void signal_leave_task(struct task *t);
void signal_drop_task(struct task *t);

#endif
