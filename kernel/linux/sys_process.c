/*
 * sys_process.c - threads of the program: clone, clone3, exit, wait.
 *
 * clone makes threads only: CLONE_VM, SIGHAND and THREAD must be there (with FS and FILES, as there is one
 * table of descriptors and one working directory). Everything that would make a second process, also
 * vfork in its CLONE_VM | CLONE_VFORK form, is EPERM and an event. There are no children to wait for: ECHILD.
 */
#include "linux/dispatch.h"
#include "linux/lx_process.h"
#include "linux/syscall.h"
#include "proc/process.h"
#include "proc/signal.h"

#define THREAD_FLAGS (LX_CLONE_VM | LX_CLONE_FS | LX_CLONE_FILES | LX_CLONE_SIGHAND | LX_CLONE_THREAD)

/* The first thing a new thread does; its registers are in place already. arg: CHILD_SETTID's address, where its tid goes; NULL: nowhere. */
static void thread_begin(void *arg)
{
	u32 tid = (u32)task_current()->tid;

	if (arg)
		(void)!copy_to_user(uaddr_make((u64)arg), &tid, sizeof(tid));
	arch_user_enter();
}

static bool tls_is_valid(u64 tls)
{
	return tls < ARCH_USER_TOP;
}

/* The checks of flags that Linux makes first; then ours. */
static int clone_check(const struct lx_clone_args *a)
{
	u64 f = a->flags;

	if ((f & LX_CLONE_PIDFD) && ((f & LX_CLONE_DETACHED) || ((f & LX_CLONE_PARENT_SETTID) && a->pidfd == a->parent_tid)))
		return -EINVAL;
	if ((f & LX_CLONE_NEWNS) && (f & LX_CLONE_FS))
		return -EINVAL;
	if ((f & LX_CLONE_NEWUSER) && (f & LX_CLONE_FS))
		return -EINVAL;
	if ((f & LX_CLONE_THREAD) && !(f & LX_CLONE_SIGHAND))
		return -EINVAL;
	if ((f & LX_CLONE_SIGHAND) && !(f & LX_CLONE_VM))
		return -EINVAL;
	if ((f & LX_CLONE_SIGHAND) && (f & LX_CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & LX_CLONE_THREAD) && (f & LX_CLONE_VM) && (f & (LX_CLONE_NEWUSER | LX_CLONE_NEWPID)))
		return -EINVAL;
	if (!(f & LX_CLONE_THREAD) || (f & LX_CLONE_NAMESPACES) || (f & LX_CLONE_VFORK) || a->set_tid_size)
		return (int)syscall_refuse_event(POLICY_EXEC, EPERM);
	if (f & (LX_CLONE_PIDFD | LX_CLONE_INTO_CGROUP))
		return -EINVAL;
	if ((f & THREAD_FLAGS) != THREAD_FLAGS)
		return (int)syscall_refuse_event(POLICY_EXEC, EPERM);
	if ((f & LX_CLONE_SETTLS) && !tls_is_valid(a->tls))
		return -EPERM;
	return 0;
}

/* Registers of the new thread: the creator's, but for the stack, TLS and the result. */
static void clone_registers(struct task *t, const struct lx_clone_args *a)
{
	const struct user_regs *from = arch_user_regs(&thread_current()->arch);
	struct user_regs *to = arch_user_regs(&t->thread->arch);

	*to = *from;
	to->rax = 0;
	to->orig_rax = (u64)-1;
	if (a->stack)
		to->rsp = a->stack + a->stack_size;
	t->thread->arch.fs_base = a->flags & LX_CLONE_SETTLS ? a->tls : arch_user_fs_base();
	t->thread->arch.gs_base = arch_user_gs_base();
}

static long clone_thread(const struct lx_clone_args *a)
{
	struct task *t;
	int r = clone_check(a);

	if (r)
		return r;
	r = task_create(thread_begin, a->flags & LX_CLONE_CHILD_SETTID ? (void *)a->child_tid : NULL, &t);
	if (r)
		return r;
	clone_registers(t, a);
	if (a->flags & LX_CLONE_CHILD_CLEARTID)
		t->clear_child_tid = a->child_tid;
	u32 tid = (u32)t->tid;
	/* Linux does not tell either if this address is bad. */
	if (a->flags & LX_CLONE_PARENT_SETTID)
		(void)!copy_to_user(uaddr_make(a->parent_tid), &tid, sizeof(tid));
	task_start(t);
	return tid;
}

long sys_clone(unsigned long flags, struct uaddr stack, struct uaddr parent_tid, struct uaddr child_tid, unsigned long tls)
{
	struct lx_clone_args a = {
		.flags = (u32)flags & ~LX_CSIGNAL, .pidfd = parent_tid.va, .child_tid = child_tid.va, .parent_tid = parent_tid.va,
		.exit_signal = flags & LX_CSIGNAL, .stack = stack.va, .tls = tls,
	};

	return clone_thread(&a);
}

/* Structures that grow: shorter ones are padded with zeroes, longer ones must end in zeroes. */
static int copy_clone_args(struct lx_clone_args *a, struct uaddr args, size_t size)
{
	u8 rest[64];

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < LX_CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	if (copy_from_user(a, args, MIN(size, sizeof(*a))))
		return -EFAULT;
	for (size_t at = sizeof(*a); at < size; at += sizeof(rest)) {
		size_t n = MIN(size - at, sizeof(rest));
		if (copy_from_user(rest, uaddr_add(args, at), n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

static bool clone3_is_valid(const struct lx_clone_args *a)
{
	if (a->flags & ~(LX_CLONE_LEGACY | LX_CLONE_CLEAR_SIGHAND | LX_CLONE_INTO_CGROUP))
		return false;
	if (a->flags & (LX_CLONE_DETACHED | (LX_CSIGNAL & ~LX_CLONE_NEWTIME)))
		return false;
	if ((a->flags & LX_CLONE_SIGHAND) && (a->flags & LX_CLONE_CLEAR_SIGHAND))
		return false;
	if ((a->flags & (LX_CLONE_THREAD | LX_CLONE_PARENT)) && a->exit_signal)
		return false;
	if (a->exit_signal & ~LX_CSIGNAL || a->exit_signal > NSIG)
		return false;
	if ((a->set_tid && !a->set_tid_size) || (!a->set_tid && a->set_tid_size) || a->set_tid_size > 32)
		return false;
	if (!a->stack)
		return !a->stack_size;
	return a->stack_size && a->stack < ARCH_USER_TOP && a->stack_size <= ARCH_USER_TOP - a->stack;
}

long sys_clone3(struct uaddr args, size_t size)
{
	struct lx_clone_args a;
	int r = copy_clone_args(&a, args, size);

	if (r)
		return r;
	return clone3_is_valid(&a) ? clone_thread(&a) : -EINVAL;
}

long sys_set_tid_address(struct uaddr tidptr)
{
	struct task *t = task_current();

	t->clear_child_tid = tidptr.va;
	return t->tid;
}

long sys_exit(int status)
{
	task_exit(status & 0xff);
}

long sys_exit_group(int status)
{
	process_exit(status & 0xff);
}

/* ---- Waiting for children: there are none ---- */

long sys_wait4(int pid, struct uaddr status, int options, struct uaddr rusage)
{
	if (options & ~(LX_WNOHANG | LX_WUNTRACED | LX_WCONTINUED | LX_WNOTHREAD | (int)LX_WCLONE | LX_WALL))
		return -EINVAL;
	return pid == INT32_MIN ? -ESRCH : -ECHILD;
}

long sys_waitid(int which, int pid, struct uaddr info, int options, struct uaddr rusage)
{
	if (options & ~(LX_WNOHANG | LX_WNOWAIT | LX_WEXITED | LX_WUNTRACED | LX_WCONTINUED | LX_WNOTHREAD | (int)LX_WCLONE | LX_WALL))
		return -EINVAL;
	if (!(options & (LX_WEXITED | LX_WUNTRACED | LX_WCONTINUED)))
		return -EINVAL;
	switch (which) {
	case 0: /* P_ALL */
		return -ECHILD;
	case 1: /* P_PID */
		return pid <= 0 ? -EINVAL : -ECHILD;
	case 2: /* P_PGID */
		return pid < 0 ? -EINVAL : -ECHILD;
	case 3: /* P_PIDFD: the only process there is, and it is nobody's child */
		if (pid < 0)
			return -EINVAL;
		return pidfd_check(pid) ? -EBADF : -ECHILD;
	default:
		return -EINVAL;
	}
}
