/*
 * sys_event.c - eventfd, timerfd, signalfd, inotify, memfd: the calls; the files are in proc/.
 */
#include "linux/filecalls.h"
#include "linux/lx_signal.h"
#include "linux/polltime.h"
#include "proc/event_files.h"

#define NONBLOCK_CLOEXEC ((u32)(LX_O_NONBLOCK | LX_O_CLOEXEC))

static long install_event(struct file *f, u32 flags)
{
	file_set_flags(f, LX_O_NONBLOCK, flags);
	return install_file(f, flags & LX_O_CLOEXEC);
}

/* ---- eventfd ---- */

long sys_eventfd2(unsigned initval, int flags)
{
	struct file *f;
	int r;

	if ((u32)flags & ~(NONBLOCK_CLOEXEC | 1u))
		return -EINVAL;
	r = eventfd_create(initval, flags & 1, &f);
	return r < 0 ? r : install_event(f, (u32)flags);
}

long sys_eventfd(unsigned initval)
{
	return sys_eventfd2(initval, 0);
}

/* ---- timerfd ---- */

struct lx_its {
	struct lx_ts interval, value;
};

static int ts_to_ns(const struct lx_ts *ts, u64 *ret)
{
	if (ts->sec < 0 || (u64)ts->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ret = (u64)ts->sec >= (u64)INT64_MAX / NSEC_PER_SEC ? (u64)INT64_MAX : (u64)ts->sec * NSEC_PER_SEC + (u64)ts->nsec;
	return 0;
}

static int its_out(struct uaddr out, u64 left, u64 interval)
{
	struct lx_its its = {
		{ (s64)(interval / NSEC_PER_SEC), (s64)(interval % NSEC_PER_SEC) },
		{ (s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC) },
	};
	return copy_to_user(out, &its, sizeof(its));
}

long sys_timerfd_create(int clock, int flags)
{
	enum proc_clock c;
	struct file *f;
	int r;

	if ((u32)flags & ~NONBLOCK_CLOEXEC)
		return -EINVAL;
	switch (clock) {
	case 0: c = PCLOCK_REAL; break;
	case 1: c = PCLOCK_MONO; break;
	case 7: c = PCLOCK_BOOT; break;
	case 8: c = PCLOCK_REAL; break;  /* the ALARM clocks: the machine never sleeps */
	case 9: c = PCLOCK_BOOT; break;
	default: return -EINVAL;
	}
	r = timerfd_create(c, &f);
	return r < 0 ? r : install_event(f, (u32)flags);
}

static int timerfd_lookup(int fd, struct file **ret)
{
	struct file *f = fd_lookup(fd);

	if (!f)
		return -EBADF;
	if (!file_is_timerfd(f)) {
		file_put(f);
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

long sys_timerfd_settime(int fd, int flags, struct uaddr value, struct uaddr old)
{
	struct lx_its its;
	struct file *f;
	u64 ns, interval, left, old_interval;
	int r;

	if (copy_from_user(&its, value, sizeof(its)) < 0)
		return -EFAULT;
	if (flags & ~3 || ts_to_ns(&its.value, &ns) < 0 || ts_to_ns(&its.interval, &interval) < 0)
		return -EINVAL;
	r = timerfd_lookup(fd, &f);
	if (r < 0)
		return r;
	timerfd_set(f, flags & 1, flags & 2, ns, interval, &left, &old_interval);
	file_put(f);
	return uaddr_is_null(old) ? 0 : its_out(old, left, old_interval);
}

long sys_timerfd_gettime(int fd, struct uaddr value)
{
	struct file *f;
	u64 left, interval;
	int r = timerfd_lookup(fd, &f);

	if (r < 0)
		return r;
	timerfd_get(f, &left, &interval);
	file_put(f);
	return its_out(value, left, interval);
}

/* ---- signalfd ---- */

static void pack_signal(void *record, const struct siginfo *info)
{
	struct lx_siginfo si;
	struct lx_signalfd_siginfo *o = record;

	lx_siginfo_from(&si, info);
	memset(o, 0, sizeof(*o));
	o->signo = (u32)si.signo;
	o->err = si.err;
	o->code = si.code;
	if (info->code == SIGCODE_TIMER) {
		o->tid = (u32)si.timer.timer_id;
		o->overrun = (u32)si.timer.overrun;
		o->value_ptr = si.timer.value;
		o->value_int = (s32)si.timer.value;
	} else if (info->code <= 0) {
		o->pid = (u32)si.rt.pid;
		o->uid = si.rt.uid;
		o->value_ptr = si.rt.value;
		o->value_int = (s32)si.rt.value;
	} else if (info->code <= 6 && !(SIGSET_OF(info->signo) & (SIGSET_FAULTS | SIGSET_OF(SIG_CHLD)))) {
		o->band = (u32)si.poll.band;
		o->fd = si.poll.fd;
	} else if (SIGSET_OF(info->signo) & SIGSET_FAULTS) {
		o->addr = si.fault.addr;
	}
}

long sys_signalfd4(int fd, struct uaddr umask, size_t size, int flags)
{
	struct file *f;
	sigset mask;
	int r;

	if ((u32)flags & ~NONBLOCK_CLOEXEC || size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)) < 0)
		return -EFAULT;
	if (fd == -1) {
		r = signalfd_create(mask, pack_signal, &f);
		return r < 0 ? r : install_event(f, (u32)flags);
	}
	f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	if (file_is_signalfd(f))
		signalfd_set_mask(f, mask);
	r = file_is_signalfd(f) ? fd : -EINVAL;
	file_put(f);
	return r;
}

long sys_signalfd(int fd, struct uaddr mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}

/* ---- inotify ---- */

long sys_inotify_init1(int flags)
{
	struct file *f;
	int r;

	if ((u32)flags & ~NONBLOCK_CLOEXEC)
		return -EINVAL;
	r = inotify_create(&f);
	return r < 0 ? r : install_event(f, (u32)flags);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

#define INOTIFY_KNOWN ((u32)LX_IN_ALL | LX_IN_UNMOUNT | LX_IN_Q_OVERFLOW | LX_IN_IGNORED | LX_IN_ONLYDIR | LX_IN_DONT_FOLLOW | \
		       LX_IN_EXCL_UNLINK | LX_IN_MASK_CREATE | LX_IN_MASK_ADD | LX_IN_ISDIR | LX_IN_ONESHOT)

long sys_inotify_add_watch(int fd, struct uaddr path, unsigned mask)
{
	struct vnode *v;
	struct file *f;
	long r;

	if (!(mask & INOTIFY_KNOWN))
		return -EINVAL;
	f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	if (!file_is_inotify(f) || (mask & LX_IN_MASK_ADD && mask & LX_IN_MASK_CREATE)) {
		file_put(f);
		return -EINVAL;
	}
	r = vnode_at(LX_AT_FDCWD, path, mask & LX_IN_DONT_FOLLOW ? LX_AT_SYMLINK_NOFOLLOW : 0, &v, NULL);
	if (r == 0) {
		r = mask & LX_IN_ONLYDIR && v->type != VNODE_DIR ? -ENOTDIR : inotify_add_watch(f, v, mask);
		vnode_put(v);
	}
	file_put(f);
	return r;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct file *f = fd_lookup(fd);
	int r;

	if (!f)
		return -EBADF;
	r = file_is_inotify(f) ? inotify_remove_watch(f, wd) : -EINVAL;
	file_put(f);
	return r;
}

/* ---- memfd ---- */

enum { LX_MFD_CLOEXEC = 1, LX_MFD_ALLOW_SEALING = 2, LX_MFD_HUGETLB = 4, LX_MFD_NOEXEC_SEAL = 8, LX_MFD_EXEC = 16 };
#define MEMFD_NAME_MAX 249u          /* 255 without "memfd:" */

long sys_memfd_create(struct uaddr uname, unsigned flags)
{
	char name[MEMFD_NAME_MAX + 1];
	struct file *f;
	ssize_t n;
	int r;

	if (flags & ~(unsigned)(LX_MFD_CLOEXEC | LX_MFD_ALLOW_SEALING | LX_MFD_HUGETLB | LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC))
		return -EINVAL;
	if (flags & LX_MFD_NOEXEC_SEAL && flags & LX_MFD_EXEC)
		return -EINVAL;
	if (flags & LX_MFD_HUGETLB)
		return -ENOSYS;              /* no huge pages to give */
	n = copy_string_from_user(name, uname, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	r = memfd_create_file(name, flags & (LX_MFD_ALLOW_SEALING | LX_MFD_NOEXEC_SEAL), &f);
	return r < 0 ? r : install_file(f, flags & LX_MFD_CLOEXEC);
}
