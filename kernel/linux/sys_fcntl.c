/*
 * sys_fcntl.c - fcntl and flock: flags, locks, owners, pipe sizes, seals.
 *
 * Numbers of commands are Linux's (generic, x86-64). The signals of O_ASYNC are proc/async.c's.
 */
#include "linux/ioctl.h"
#include "proc/locks.h"
#include "proc/pipe.h"
#include "proc/process.h"
#include "vm/aspace.h"
#include "proc/async.h"

enum {
	F_DUPFD = 0, F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_GETLK = 5, F_SETLK = 6, F_SETLKW = 7,
	F_SETOWN = 8, F_GETOWN = 9, F_SETSIG = 10, F_GETSIG = 11, F_SETOWN_EX = 15, F_GETOWN_EX = 16, F_GETOWNER_UIDS = 17,
	F_OFD_GETLK = 36, F_OFD_SETLK = 37, F_OFD_SETLKW = 38, F_SETLEASE = 1024, F_GETLEASE = 1025, F_NOTIFY = 1026,
	F_DUPFD_QUERY = 1027, F_DUPFD_CLOEXEC = 1030, F_SETPIPE_SZ = 1031, F_GETPIPE_SZ = 1032, F_ADD_SEALS = 1033, F_GET_SEALS = 1034,
	F_GET_RW_HINT = 1035, F_SET_RW_HINT = 1036, F_GET_FILE_RW_HINT = 1037, F_SET_FILE_RW_HINT = 1038,
};

/* ---- Descriptors and flags ---- */

static long dup_from(struct file *f, unsigned long min, bool cloexec)
{
	int fd;

	if (min >= READ_ONCE(process_rlimits[RLIM_NOFILE].cur) || min >= FD_MAX)
		return -EINVAL;
	file_get(f);
	fd = fd_install(f, cloexec, (int)min);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long set_flags(struct file *f, int fd, u32 flags)
{
	u32 changed = flags ^ file_flags(f);

	if (changed & flags & LX_O_DIRECT && !file_pipe(f) && !(f->vnode && f->vnode->type == VNODE_REG))
		return -EINVAL;
	if (changed & LX_O_ASYNC && file_can_async(f)) {
		int r = file_set_async(f, fd, flags & LX_O_ASYNC);
		if (r < 0)
			return r;
	}
	file_set_flags(f, LX_O_SETFL, flags);
	return 0;
}

/* ---- Record locks ---- */

struct lx_flock {
	s16 type, whence;
	s32 pad0;
	s64 start, len;
	s32 pid, pad1;
};
_Static_assert(sizeof(struct lx_flock) == 32, "flock");

/* The bytes that fl names. -EINVAL, -EOVERFLOW. */
static int range_of(struct file *f, const struct lx_flock *fl, struct lock_range *ret)
{
	s64 base;

	switch (fl->whence) {
	case 0: base = 0; break;
	case 1: base = (s64)f->pos; break;
	case 2: base = f->vnode ? (s64)READ_ONCE(f->vnode->size) : 0; break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, fl->start, &ret->start))
		return -EOVERFLOW;
	if (ret->start < 0)
		return -EINVAL;
	ret->end = LOCKS_TO_END;
	if (fl->len > 0 && __builtin_add_overflow(ret->start, fl->len - 1, &ret->end))
		return -EOVERFLOW;
	if (fl->len < 0) {
		ret->end = ret->start - 1;
		if (__builtin_add_overflow(ret->start, fl->len, &ret->start) || ret->start < 0)
			return -EINVAL;
	}
	ret->type = fl->type;
	return fl->type < LX_F_RDLCK || fl->type > LX_F_UNLCK ? -EINVAL : 0;
}

static long lock_get(struct file *f, struct uaddr arg, bool ofd)
{
	struct lock_range want, found;
	struct lx_flock fl;
	int r;

	if (copy_from_user(&fl, arg, sizeof(fl)) < 0)
		return -EFAULT;
	if (fl.type != LX_F_RDLCK && fl.type != LX_F_WRLCK && !(ofd && fl.type == LX_F_UNLCK))
		return -EINVAL;
	r = range_of(f, &fl, &want);
	if (r < 0)
		return r;
	if (ofd && fl.pid)
		return -EINVAL;
	want.ofd = ofd;
	found = want;
	found.type = LX_F_UNLCK;
	if (f->vnode)
		locks_test(f, &want, &found);
	fl.type = found.type;
	if (found.type != LX_F_UNLCK) {
		fl.whence = 0;
		fl.start = found.start;
		fl.len = found.end == LOCKS_TO_END ? 0 : found.end - found.start + 1;
		fl.pid = found.ofd ? -1 : PROC_PID;
	}
	return copy_to_user(arg, &fl, sizeof(fl));
}

static long lock_set(struct file *f, struct uaddr arg, bool ofd, bool wait)
{
	struct lock_range want;
	struct lx_flock fl;
	int r;

	if (copy_from_user(&fl, arg, sizeof(fl)) < 0)
		return -EFAULT;
	r = range_of(f, &fl, &want);
	if (r < 0)
		return r;
	if (ofd && fl.pid)
		return -EINVAL;
	if ((fl.type == LX_F_RDLCK && !file_can_read(f)) || (fl.type == LX_F_WRLCK && !file_can_write(f)))
		return -EBADF;
	want.ofd = ofd;
	return f->vnode ? locks_set(f, &want, wait) : 0;
}

long sys_flock(int fd, int op)
{
	struct file *f = fd_lookup(fd);
	int type;
	long r = 0;

	if (!f)
		return -EBADF;
	switch (op & ~4) {
	case 1: type = LX_F_RDLCK; break;
	case 2: type = LX_F_WRLCK; break;
	case 8: type = LX_F_UNLCK; break;
	default:
		file_put(f);
		return -EINVAL;
	}
	if (f->vnode)
		r = locks_flock(f, type, !(op & 4));
	file_put(f);
	return r;
}

/* ---- Owners ---- */

struct lx_owner_ex {
	s32 type, pid;
};
enum { OWNER_TID, OWNER_PID, OWNER_PGRP };

static bool owner_exists(int type, int pid)
{
	bool found;

	if (pid == 0 || pid == PROC_PID)
		return true;
	if (type != OWNER_TID)
		return false;
	irq_flags_t fl = spin_lock_irqsave(&process.lock);
	found = task_find(pid) != NULL;
	spin_unlock_irqrestore(&process.lock, fl);
	return found;
}

static long owner_set(struct file *f, int type, int pid)
{
	if (type < OWNER_TID || type > OWNER_PGRP)
		return -EINVAL;
	if (!owner_exists(type, pid))
		return -ESRCH;
	f->async_type = type;
	f->async_owner = pid;
	return 0;
}

static long owner_call(struct file *f, int cmd, unsigned long arg)
{
	struct lx_owner_ex ex;
	int pid = (int)arg;

	switch (cmd) {
	case F_SETOWN:
		if (pid == INT32_MIN)
			return -EINVAL;
		return owner_set(f, pid < 0 ? OWNER_PGRP : OWNER_PID, pid < 0 ? -pid : pid);
	case F_GETOWN:
		return f->async_type == OWNER_PGRP ? -f->async_owner : f->async_owner;
	case F_SETOWN_EX:
		if (copy_from_user(&ex, uaddr_make(arg), sizeof(ex)) < 0)
			return -EFAULT;
		return owner_set(f, ex.type, ex.pid);
	default:
		ex = (struct lx_owner_ex){ f->async_type, f->async_owner };
		return copy_to_user(uaddr_make(arg), &ex, sizeof(ex));
	}
}

long fcntl_set_owner(struct file *f, int pid) { return owner_call(f, F_SETOWN, (unsigned long)(long)pid); }
int fcntl_get_owner(struct file *f) { return (int)owner_call(f, F_GETOWN, 0); }

/* ---- The rest ---- */

/* A mapping of the file through which it could still be written. */
static bool not_writable_through(const struct vm_area *a, void *arg)
{
	struct vm_object **o = arg;

	if (a->object != *o || !(a->flags & VM_MAP_SHARED) || !(a->max_prot & VM_PROT_WRITE))
		return true;
	*o = NULL;
	return false;
}

static bool mapped_writable(struct vnode *v)
{
	struct vm_object *o = v->object;

	if (o)
		vm_for_each_area(not_writable_through, &o);
	return v->object && !o;
}

static long seals_call(struct file *f, int cmd, unsigned long arg)
{
	u32 seals;
	int r;

	if (!f->vnode)
		return -EINVAL;
	if (cmd == F_GET_SEALS) {
		r = fs_memfile_seals(f->vnode, &seals);
		return r < 0 ? r : (long)seals;
	}
	if (!file_can_write(f))
		return -EPERM;
	if (arg & LX_F_SEAL_WRITE && mapped_writable(f->vnode))
		return -EBUSY;
	return fs_memfile_seal(f->vnode, (u32)arg);
}

static long hint_call(struct file *f, int cmd, struct uaddr arg)
{
	u64 hint = f->rw_hint;

	if (!f->vnode || f->vnode->type != VNODE_REG)
		return -EINVAL;
	if (cmd == F_GET_RW_HINT || cmd == F_GET_FILE_RW_HINT)
		return copy_to_user(arg, &hint, sizeof(hint));
	if (copy_from_user(&hint, arg, sizeof(hint)) < 0)
		return -EFAULT;
	if (hint > 5)
		return -EINVAL;
	f->rw_hint = hint;
	return 0;
}

static long same_file(struct file *f, int fd)
{
	struct file *o = fd_lookup_any(fd);
	long r = o ? o == f : -EBADF;

	if (o)
		file_put(o);
	return r;
}

static long command(struct file *f, int fd, int cmd, unsigned long arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_DUPFD_QUERY:
		return same_file(f, (int)arg);
	case F_GETFD:
		return fd_get_cloexec(fd);
	case F_SETFD:
		return fd_set_cloexec(fd, arg & 1);
	case F_GETFL:
		return file_flags(f);
	}
	if (file_flags(f) & LX_O_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, fd, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK:
		return lock_get(f, uaddr_make(arg), cmd == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return lock_set(f, uaddr_make(arg), false, cmd == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_set(f, uaddr_make(arg), true, cmd == F_OFD_SETLKW);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		return owner_call(f, cmd, arg);
	case F_SETSIG:
		if (arg > NSIG)
			return -EINVAL;
		f->async_sig = (int)arg;
		return 0;
	case F_GETSIG:
		return f->async_sig;
	case F_GETLEASE:
		return f->vnode && f->vnode->type == VNODE_REG ? LX_F_UNLCK : -EINVAL;
	case F_SETPIPE_SZ:
		return file_pipe(f) ? pipe_resize(file_pipe(f), arg) : -EBADF;
	case F_GETPIPE_SZ:
		return file_pipe(f) ? pipe_size(file_pipe(f)) : -EBADF;
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return seals_call(f, cmd, arg);
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
	case F_GET_FILE_RW_HINT:
	case F_SET_FILE_RW_HINT:
		return hint_call(f, cmd, uaddr_make(arg));
	}
	return -EINVAL;                  /* leases and directory signals too: nobody else could break them */
}

long sys_fcntl(int fd, int cmd, unsigned long arg)
{
	struct file *f = fd_lookup_any(fd);
	long r;

	if (!f)
		return -EBADF;
	r = command(f, fd, cmd, arg);
	file_put(f);
	return r;
}
