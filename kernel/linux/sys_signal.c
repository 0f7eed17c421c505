/*
 * sys_signal.c - the calls of signals. Sending, masks and actions are proc/signal.h's; frames are signal_frame.c's.
 *
 * There is one process: a pid is PROC_PID, a tid of it, 0, or its group; anything else is ESRCH.
 */
#include "linux/lx_signal.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "proc/timers.h"

void lx_siginfo_from(struct lx_siginfo *ret, const struct siginfo *info)
{
	memset(ret, 0, sizeof(*ret));
	ret->signo = info->signo;
	ret->err = info->err;
	ret->code = info->code;
	if (info->code == SIGCODE_TIMER) {
		ret->timer.timer_id = (s32)info->timer.timer_id;
		ret->timer.overrun = info->timer.overrun;
		ret->timer.value = info->timer.value;
	} else if (info->code == SIGCODE_SIGIO || (info->code > 0 && info->code <= 6 && !(SIGSET_OF(info->signo) & (SIGSET_FAULTS | SIGSET_OF(SIG_CHLD))))) {
		ret->poll.band = info->poll.band;
		ret->poll.fd = info->poll.fd;
	} else if (info->code > 0 && info->code < SIGCODE_KERNEL && info->signo == SIG_SYS) {
		ret->sys.call_addr = info->sys.call_addr;
		ret->sys.syscall = info->sys.syscall;
		ret->sys.arch = info->sys.arch;
	} else if (info->code > 0 && info->code < SIGCODE_KERNEL) {
		ret->fault.addr = info->fault.addr;
	} else if (info->code <= 0) {
		ret->rt.pid = info->rt.pid;
		ret->rt.uid = (u32)info->rt.uid;
		ret->rt.value = info->rt.value;
	}
}

/* ---- Actions and masks ---- */

long sys_rt_sigaction(int sig, struct uaddr act, struct uaddr oldact, size_t sigsetsize)
{
	struct lx_sigaction a;
	struct signal_action new, old;

	if (sigsetsize != LX_SIGSET_SIZE)
		return -EINVAL;
	if (!uaddr_is_null(act) && copy_from_user(&a, act, sizeof(a)))
		return -EFAULT;
	if (sig < 1 || sig > NSIG || (!uaddr_is_null(act) && (SIGSET_OF(sig) & SIGSET_UNBLOCKABLE)))
		return -EINVAL;
	if (!uaddr_is_null(act))
		new = (struct signal_action){ a.handler, a.flags & LX_SA_KNOWN, a.restorer, a.mask };
	signal_set_action(sig, uaddr_is_null(act) ? NULL : &new, &old);
	if (uaddr_is_null(oldact))
		return 0;
	a = (struct lx_sigaction){ old.handler, old.flags, old.restorer, old.mask };
	return copy_to_user(oldact, &a, sizeof(a)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(int how, struct uaddr set, struct uaddr oldset, size_t sigsetsize)
{
	u64 old = task_current()->blocked, m;

	if (sigsetsize != LX_SIGSET_SIZE)
		return -EINVAL;
	if (!uaddr_is_null(set)) {
		if (user_get_u64(set, &m))
			return -EFAULT;
		switch (how) {
		case LX_SIG_BLOCK: m |= old; break;
		case LX_SIG_UNBLOCK: m = old & ~m; break;
		case LX_SIG_SETMASK: break;
		default: return -EINVAL;
		}
		if ((m & ~SIGSET_UNBLOCKABLE) != old)
			signal_set_mask(m);
	}
	return !uaddr_is_null(oldset) && user_put_u64(oldset, old) ? -EFAULT : 0;
}

long sys_rt_sigpending(struct uaddr set, size_t sigsetsize)
{
	u64 m = signal_pending_set() & task_current()->blocked;

	if (sigsetsize > LX_SIGSET_SIZE)
		return -EINVAL;
	return copy_to_user(set, &m, sigsetsize) ? -EFAULT : 0;
}

/* ---- Waiting ---- */

long sys_pause(void)
{
	while (sched_sleep_until(WAIT_FOREVER, true) == 0)
		;
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(struct uaddr set, size_t sigsetsize)
{
	u64 m;

	if (sigsetsize != LX_SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&m, set, sizeof(m)))
		return -EFAULT;
	signal_push_mask(m);
	while (sched_sleep_until(WAIT_FOREVER, true) == 0)
		;
	signal_pop_mask(true);
	return -ERESTARTNOHAND;
}

long sys_rt_sigtimedwait(struct uaddr set, struct uaddr info, struct uaddr timeout, size_t sigsetsize)
{
	struct lx_timespec ts;
	struct siginfo si;
	struct lx_siginfo out;
	u64 m, ns = 0, deadline = WAIT_FOREVER;

	if (sigsetsize != LX_SIGSET_SIZE)
		return -EINVAL;
	if (copy_from_user(&m, set, sizeof(m)))
		return -EFAULT;
	if (!uaddr_is_null(timeout)) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (!lx_timespec_to_ns(&ts, &ns))
			return -EINVAL;
		deadline = ns ? proc_deadline_after(ns) : 0;
	}
	int r = signal_wait(m, deadline, &si);
	if (r)
		return r;
	lx_siginfo_from(&out, &si);
	if (!uaddr_is_null(info) && copy_to_user(info, &out, sizeof(out)))
		return -EFAULT;
	return si.signo;
}

/* ---- Sending ---- */

static struct siginfo from_self(int sig, int code)
{
	return (struct siginfo){ .signo = sig, .code = code, .rt = { .pid = PROC_PID, .uid = PROC_UID } };
}

/* To one task by its tid. -ESRCH, -EINVAL, -EAGAIN. */
static long send_to_tid(int tid, int sig, const struct siginfo *info)
{
	long r = -ESRCH;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = task_find(tid);

	if (t)
		r = sig < 0 || sig > NSIG ? -EINVAL : sig ? signal_send_checked(t, sig, info) : 0;
	spin_unlock_irqrestore(&process.lock, f);
	return r < 0 ? r : 0;
}

/* Does this pid mean our process? Threads count too, as Linux finds the process by any of its tids. */
static bool means_us(int pid)
{
	if (pid == 0 || pid == PROC_PID || pid == -PROC_PID)
		return true;
	if (pid < 0)
		return false;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool found = task_find(pid) != NULL;
	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

static long send_to_process(int pid, int sig, const struct siginfo *info)
{
	if (pid == PROC_PPID)
		return -EPERM;
	if (!means_us(pid))
		return -ESRCH;
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	if (!sig)
		return 0;
	int r = signal_send_checked(NULL, sig, info);
	return r < 0 ? r : 0;
}

long sys_kill(int pid, int sig)
{
	struct siginfo info = from_self(sig, SIGCODE_USER);

	return send_to_process(pid, sig, &info);
}

static long do_tkill(int tid, int sig)
{
	struct siginfo info = from_self(sig, SIGCODE_TKILL);

	return send_to_tid(tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	return tid <= 0 ? -EINVAL : do_tkill(tid, sig);
}

long sys_tgkill(int tgid, int tid, int sig)
{
	if (tid <= 0 || tgid <= 0)
		return -EINVAL;
	return tgid == PROC_PID ? do_tkill(tid, sig) : -ESRCH;
}

static int copy_queue_info(struct siginfo *ret, struct uaddr info, int sig)
{
	struct lx_siginfo u;

	if (copy_from_user(&u, info, sizeof(u)))
		return -EFAULT;
	*ret = (struct siginfo){ .signo = sig, .code = u.code, .err = u.err,
				 .rt = { .pid = u.rt.pid, .uid = (int)u.rt.uid, .value = u.rt.value } };
	return 0;
}

/* To itself a process may claim any code; ours can send to nobody else, but threads are told apart. */
static bool may_claim(int code, int target)
{
	return (code < 0 && code != SIGCODE_TKILL) || target == task_current()->tid;
}

long sys_rt_sigqueueinfo(int pid, int sig, struct uaddr info)
{
	struct siginfo si;
	int r = copy_queue_info(&si, info, sig);

	if (r)
		return r;
	if (pid <= 0)
		return pid == 0 ? -ESRCH : may_claim(si.code, pid) ? -ESRCH : -EPERM;
	return may_claim(si.code, pid) ? send_to_process(pid, sig, &si) : -EPERM;
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, struct uaddr info)
{
	struct siginfo si;
	int r = copy_queue_info(&si, info, sig);

	if (r)
		return r;
	if (tid <= 0 || tgid <= 0)
		return -EINVAL;
	if (!may_claim(si.code, tid))
		return -EPERM;
	return tgid == PROC_PID ? send_to_tid(tid, sig, &si) : -ESRCH;
}

/* ---- The alternate stack ---- */

static s32 altstack_state(const struct task *t, u64 sp)
{
	if (!t->altstack_size)
		return (s32)(LX_SS_DISABLE | (t->altstack_flags & LX_SS_AUTODISARM));
	return (s32)((lx_on_altstack(t, sp) ? LX_SS_ONSTACK : 0) | (t->altstack_flags & LX_SS_AUTODISARM));
}

static int altstack_set(struct task *t, const struct lx_stack *ss, u64 sp)
{
	u32 flags = (u32)ss->flags, mode = flags & ~LX_SS_AUTODISARM;

	if (lx_on_altstack(t, sp))
		return -EPERM;
	if (mode != LX_SS_DISABLE && mode != LX_SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == LX_SS_DISABLE) {
		t->altstack_sp = t->altstack_size = 0;
	} else {
		if (ss->size < LX_MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack_sp = ss->sp;
		t->altstack_size = ss->size;
	}
	t->altstack_flags = flags;
	return 0;
}

long sys_sigaltstack(struct uaddr ss, struct uaddr old)
{
	struct task *t = task_current();
	u64 sp = arch_user_regs(&t->thread->arch)->rsp;
	struct lx_stack s, was = { .sp = t->altstack_sp, .flags = altstack_state(t, sp), .size = t->altstack_size };

	if (!uaddr_is_null(ss)) {
		if (copy_from_user(&s, ss, sizeof(s)))
			return -EFAULT;
		int r = altstack_set(t, &s, sp);
		if (r)
			return r;
	}
	return !uaddr_is_null(old) && copy_to_user(old, &was, sizeof(was)) ? -EFAULT : 0;
}
