/*
 * sys_pidfd.c - the process by a descriptor or compared with itself: pidfd_*, process_madvise, process_mrelease, kcmp.
 *
 * There is one process, so these act on the caller; other pids are ESRCH. Can fail: -EBADF, -EFAULT, as each call says.
 */
#include "linux/dispatch.h"
#include "linux/filecalls.h"
#include "linux/lx_signal.h"
#include "linux/syscall.h"
#include "proc/event_files.h"
#include "proc/process.h"
#include "vm/aspace.h"

/* Is it ours, or a thread's? */
static bool tid_exists(int tid)
{
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	bool found = task_find(tid) != NULL;

	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

int pidfd_check(int fd)
{
	struct file *f = fd_lookup(fd);
	int r = f && file_is_pidfd(f) ? 0 : -EBADF;

	if (f)
		file_put(f);
	return r;
}

long sys_pidfd_open(int pid, unsigned flags)
{
	struct file *f;

	if ((flags & ~(unsigned)LX_O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	if (pid != PROC_PID)
		return tid_exists(pid) ? -EINVAL : -ESRCH;   /* a thread that does not lead has none */
	int r = pidfd_create(&f);
	if (r)
		return r;
	file_set_flags(f, LX_O_NONBLOCK, flags);
	return install_file(f, true);
}

/* /proc/PID, from before there were pidfds: only this call takes it. */
static bool is_own_directory(int fd)
{
	struct file *f = fd_lookup(fd);
	bool own = f && f->vnode && f->vnode->flags & VNODE_PROCESS;

	if (f)
		file_put(f);
	return own;
}

long sys_pidfd_send_signal(int pidfd, int sig, struct uaddr uinfo, unsigned flags)
{
	struct siginfo info = { .signo = sig, .code = SIGCODE_USER, .rt = { .pid = PROC_PID, .uid = PROC_UID } };
	struct lx_siginfo u;

	if (flags)
		return -EINVAL;
	int r = pidfd_check(pidfd);
	if (r && !is_own_directory(pidfd))
		return r;
	if (!uaddr_is_null(uinfo)) {
		if (copy_from_user(&u, uinfo, sizeof(u)))
			return -EFAULT;
		if (u.signo != sig)
			return -EINVAL;
		/* To itself a process may claim any code, if it is the leader who does. */
		if ((u.code >= 0 || u.code == SIGCODE_TKILL) && task_current()->tid != PROC_PID)
			return -EPERM;
		info = (struct siginfo){ .signo = sig, .code = u.code, .err = u.err, .rt = { .pid = u.rt.pid, .uid = (int)u.rt.uid, .value = u.rt.value } };
	}
	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	r = sig ? signal_send_checked(NULL, sig, &info) : 0;
	return r < 0 ? r : 0;
}

long sys_pidfd_getfd(int pidfd, int target, unsigned flags)
{
	if (flags)
		return -EINVAL;
	int r = pidfd_check(pidfd);
	if (r)
		return r;
	struct file *f = fd_lookup_any(target);
	return f ? install_file(f, true) : -EBADF;
}

#define LX_MADV_WILLNEED 3
#define LX_MADV_COLD     20
#define LX_MADV_PAGEOUT  21
#define LX_MADV_COLLAPSE 25

long sys_process_madvise(int pidfd, struct uaddr iov, size_t nr, int advice, unsigned flags)
{
	NO_AUTO_INIT struct user_iov v;
	long done = 0;

	if (flags)
		return -EINVAL;
	int r = user_iov_get(&v, iov, nr);
	if (r == 0)
		r = pidfd_check(pidfd);
	if (r == 0 && advice != LX_MADV_WILLNEED && advice != LX_MADV_COLD && advice != LX_MADV_PAGEOUT && advice != LX_MADV_COLLAPSE)
		r = -EINVAL;
	for (unsigned i = 0; r == 0 && i < v.n; i++) {
		r = vm_advise(v.segs[i].base, v.segs[i].len, advice);
		if (r == 0)
			done += (long)v.segs[i].len;
	}
	user_iov_free(&v);
	return done ? done : r;
}

/* Only what is dying can be released early. */
long sys_process_mrelease(int pidfd, unsigned flags)
{
	int r = flags ? -EINVAL : pidfd_check(pidfd);

	return r ? r : -EINVAL;
}

/* ---- kcmp ---- */

enum { LX_KCMP_FILE, LX_KCMP_VM, LX_KCMP_FILES, LX_KCMP_FS, LX_KCMP_SIGHAND, LX_KCMP_IO, LX_KCMP_SYSVSEM };

/* An order of files that says nothing of where they lie. */
static long compare_files(int fd1, int fd2)
{
	struct file *a = fd_lookup_any(fd1), *b = fd_lookup_any(fd2);
	long r = -EBADF;

	if (a && b)
		r = a == b ? 0 : fd1 < fd2 ? 1 : 2;
	if (a)
		file_put(a);
	if (b)
		file_put(b);
	return r;
}

long sys_kcmp(int pid1, int pid2, int type, unsigned long idx1, unsigned long idx2)
{
	if (!tid_exists(pid1) || !tid_exists(pid2))
		return -ESRCH;
	switch (type) {
	case LX_KCMP_FILE:
		return compare_files((int)idx1, (int)idx2);
	case LX_KCMP_VM: case LX_KCMP_FILES: case LX_KCMP_FS: case LX_KCMP_SIGHAND: case LX_KCMP_IO: case LX_KCMP_SYSVSEM:
		return 0;                    /* threads share all of it */
	default:
		return -EINVAL;
	}
}
