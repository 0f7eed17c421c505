/*
 * sys_attr.c - changing what files are: mode, owner, times, size, space; hints; writing back.
 *
 * Owners can only be set to what they are: there is one identity (-EPERM otherwise, before the
 * file system is asked, but after the path is found).
 */
#include "linux/filecalls.h"
#include "linux/polltime.h"
#include "proc/process.h"

/* A read-only file system answers -EROFS to every change. */
static int set_attr(struct vnode *v, const struct vattr *a, u32 which)
{
	int r = v->mount && v->mount->readonly ? -EROFS : fs_setattr(v, a, which);

	if (r == 0)
		notify_vnode(v, LX_IN_ATTRIB);
	return r;
}

/* ---- chmod, chown ---- */

static int set_mode(struct vnode *v, unsigned mode)
{
	struct vattr a = { .mode = mode & 07777 };

	return v->type == VNODE_LINK ? -EOPNOTSUPP : set_attr(v, &a, VATTR_MODE);
}

static int set_owner(struct vnode *v, unsigned uid, unsigned gid)
{
	struct vattr a = { .uid = uid, .gid = gid }, now;
	int r;

	if (v->mount && v->mount->readonly)
		return -EROFS;
	r = fs_getattr(v, &now);
	if (r < 0)
		return r;
	if ((uid != ~0u && uid != now.uid && uid != fs_owner_uid) || (gid != ~0u && gid != now.gid && gid != fs_owner_gid))
		return -EPERM;
	return set_attr(v, &a, (uid != ~0u ? VATTR_UID : 0) | (gid != ~0u ? VATTR_GID : 0));
}

/* Do something to the vnode behind a descriptor (not O_PATH); -EBADF, and 0 for files without one. */
#define WITH_FD(fd, v, expr)                                                           \
	({                                                                             \
		struct file *wf_ = fd_lookup(fd);                                      \
		long wr_ = wf_ ? 0 : -EBADF;                                           \
		if (wf_) {                                                             \
			struct vnode *v = wf_->vnode;                                  \
			wr_ = v ? (expr) : 0;                                          \
			file_put(wf_);                                                 \
		}                                                                      \
		wr_;                                                                   \
	})

#define WITH_PATH(dirfd, path, flags, v, expr)                                         \
	({                                                                             \
		struct vnode *v;                                                       \
		long wr_ = vnode_at(dirfd, path, flags, &v, NULL);                      \
		if (wr_ == 0) {                                                        \
			wr_ = (expr);                                                  \
			vnode_put(v);                                                  \
		}                                                                      \
		wr_;                                                                   \
	})

long sys_fchmodat(int dirfd, struct uaddr path, unsigned mode) { return WITH_PATH(dirfd, path, 0, v, set_mode(v, mode)); }
long sys_chmod(struct uaddr path, unsigned mode) { return sys_fchmodat(LX_AT_FDCWD, path, mode); }
long sys_fchmod(int fd, unsigned mode) { return WITH_FD(fd, v, set_mode(v, mode)); }

long sys_fchownat(int dirfd, struct uaddr path, unsigned uid, unsigned gid, int flags)
{
	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_PATH(dirfd, path, flags, v, set_owner(v, uid, gid));
}
long sys_chown(struct uaddr path, unsigned uid, unsigned gid) { return sys_fchownat(LX_AT_FDCWD, path, uid, gid, 0); }
long sys_lchown(struct uaddr path, unsigned uid, unsigned gid) { return sys_fchownat(LX_AT_FDCWD, path, uid, gid, LX_AT_SYMLINK_NOFOLLOW); }
long sys_fchown(int fd, unsigned uid, unsigned gid) { return WITH_FD(fd, v, set_owner(v, uid, gid)); }

/* ---- Times ---- */

#define UTIME_NOW  ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)

/* Two times into a vattr; NULL = now. */
static int times_of(const struct lx_ts *ts, struct vattr *a, u32 *ret_which)
{
	u32 which = 0;

	for (unsigned i = 0; i < 2; i++) {
		bool atime = i == 0;
		if (!ts || ts[i].nsec == UTIME_NOW) {
			which |= atime ? VATTR_ATIME_NOW : VATTR_MTIME_NOW;
			continue;
		}
		if (ts[i].nsec == UTIME_OMIT)
			continue;
		if ((u64)ts[i].nsec >= NSEC_PER_SEC)
			return -EINVAL;
		*(atime ? &a->atime : &a->mtime) = (struct timespec64){ ts[i].sec, (u32)ts[i].nsec };
		which |= atime ? VATTR_ATIME : VATTR_MTIME;
	}
	*ret_which = which;
	return 0;
}

static long set_times(int dirfd, struct uaddr path, const struct lx_ts *ts, int flags)
{
	struct vattr a = { 0 };
	u32 which;
	int r;

	if (ts && ts[0].nsec == UTIME_OMIT && ts[1].nsec == UTIME_OMIT)
		return 0;                /* without looking at the path */
	r = times_of(ts, &a, &which);
	if (r < 0)
		return r;
	if (uaddr_is_null(path) && dirfd != LX_AT_FDCWD)
		return flags ? -EINVAL : WITH_FD(dirfd, v, set_attr(v, &a, which));
	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_PATH(dirfd, path, flags, v, set_attr(v, &a, which));
}

long sys_utimensat(int dirfd, struct uaddr path, struct uaddr times, int flags)
{
	struct lx_ts ts[2];

	if (!uaddr_is_null(times) && copy_from_user(ts, times, sizeof(ts)) < 0)
		return -EFAULT;
	return set_times(dirfd, path, uaddr_is_null(times) ? NULL : ts, flags);
}

static long times_from_timevals(int dirfd, struct uaddr path, struct uaddr times)
{
	struct lx_timeval tv[2];
	struct lx_ts ts[2];

	if (uaddr_is_null(times))
		return set_times(dirfd, path, NULL, 0);
	if (copy_from_user(tv, times, sizeof(tv)) < 0)
		return -EFAULT;
	for (unsigned i = 0; i < 2; i++) {
		if ((u64)tv[i].usec >= 1000000)
			return -EINVAL;
		ts[i] = (struct lx_ts){ tv[i].sec, tv[i].usec * 1000 };
	}
	return set_times(dirfd, path, ts, 0);
}

long sys_futimesat(int dirfd, struct uaddr path, struct uaddr times) { return times_from_timevals(dirfd, path, times); }
long sys_utimes(struct uaddr path, struct uaddr times) { return times_from_timevals(LX_AT_FDCWD, path, times); }

long sys_utime(struct uaddr path, struct uaddr times)
{
	s64 in[2];
	struct lx_ts ts[2];

	if (uaddr_is_null(times))
		return set_times(LX_AT_FDCWD, path, NULL, 0);
	if (copy_from_user(in, times, sizeof(in)) < 0)
		return -EFAULT;
	ts[0] = (struct lx_ts){ in[0], 0 };
	ts[1] = (struct lx_ts){ in[1], 0 };
	return set_times(LX_AT_FDCWD, path, ts, 0);
}

/* ---- Size and space ---- */

static int size_limit(u64 size, bool signal)
{
	if (size <= READ_ONCE(process_rlimits[RLIM_FSIZE].cur))
		return 0;
	if (signal)
		signal_send(task_current(), SIG_XFSZ, NULL);
	return -EFBIG;
}

static int truncate_vnode(struct vnode *v, s64 len)
{
	int r;

	if (v->type == VNODE_DIR)
		return -EISDIR;
	if (v->type != VNODE_REG)
		return -EINVAL;
	if (v->mount && v->mount->readonly)
		return -EROFS;
	r = size_limit((u64)len, true);
	if (r == 0 && unlikely(fs_guard != NULL))
		r = fs_guard->open(v, true);
	if (r == 0)
		r = fs_truncate(v, (u64)len);
	if (r == 0)
		notify_vnode(v, LX_IN_MODIFY);
	return r;
}

long sys_truncate(struct uaddr path, s64 len)
{
	return len < 0 ? -EINVAL : WITH_PATH(LX_AT_FDCWD, path, 0, v, truncate_vnode(v, len));
}

long sys_ftruncate(int fd, s64 len)
{
	struct file *f;
	int r;

	if (len < 0)
		return -EINVAL;
	f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	if (!f->vnode || f->vnode->type != VNODE_REG || !file_can_write(f))
		r = -EINVAL;
	else
		r = truncate_vnode(f->vnode, len);
	file_put(f);
	return r;
}

int file_allocate(struct file *f, int mode, s64 off, s64 len, bool signal)
{
	s64 end;
	int r;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~0x7f)
		return -EOPNOTSUPP;
	if ((mode & (LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE)) == (LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & LX_FALLOC_PUNCH_HOLE && !(mode & LX_FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!file_can_write(f))
		return -EBADF;
	if (!f->vnode)
		return file_is_fifo(f) ? -ESPIPE : -ENODEV;
	if (f->vnode->type == VNODE_DIR)
		return -EISDIR;
	if (f->vnode->type != VNODE_REG)
		return -ENODEV;
	if (__builtin_add_overflow(off, len, &end))
		return -EFBIG;
	if (!(mode & LX_FALLOC_KEEP_SIZE) && (r = size_limit((u64)end, signal)) < 0)
		return r;
	r = fs_fallocate(f->vnode, (u32)mode, (u64)off, (u64)len);
	if (r == 0)
		notify_vnode(f->vnode, LX_IN_MODIFY);
	return r;
}

long sys_fallocate(int fd, int mode, s64 off, s64 len)
{
	struct file *f = fd_lookup(fd);
	int r;

	if (!f)
		return -EBADF;
	r = file_allocate(f, mode, off, len, true);
	file_put(f);
	return r;
}

/* ---- Hints ---- */

int file_advise(struct file *f, s64 off, s64 len, int advice)
{
	if (file_is_fifo(f))
		return -ESPIPE;
	if (advice < 0 || advice > 5 || len < 0)
		return -EINVAL;
	if (advice == 3 && f->vnode && f->vnode->object) /* WILLNEED */
		vm_object_prefetch(f->vnode->object, (u64)off / PAGE_SIZE, DIV_ROUND_UP((u64)len, PAGE_SIZE));
	return 0;
}

long sys_fadvise64(int fd, s64 off, size_t len, int advice)
{
	struct file *f = fd_lookup(fd);
	long r;

	if (!f)
		return -EBADF;
	r = file_advise(f, off, (s64)len, advice);
	file_put(f);
	return r;
}

long sys_readahead(int fd, s64 off, size_t count)
{
	struct file *f = fd_lookup(fd);
	long r = 0;

	if (!f)
		return -EBADF;
	if (!file_can_read(f))
		r = -EBADF;
	else if (!f->vnode || !f->vnode->object)
		r = -EINVAL;
	else
		vm_object_prefetch(f->vnode->object, (u64)off / PAGE_SIZE, DIV_ROUND_UP(count, PAGE_SIZE));
	file_put(f);
	return r;
}

/* ---- Writing back ---- */

static long sync_fd(int fd, bool data_only)
{
	struct file *f = fd_lookup(fd);
	long r;

	if (!f)
		return -EBADF;
	r = file_sync(f, data_only);
	file_put(f);
	return r;
}

long sys_fsync(int fd) { return sync_fd(fd, false); }
long sys_fdatasync(int fd) { return sync_fd(fd, true); }

long sys_sync(void)
{
	fs_sync_all();
	return 0;
}

long sys_syncfs(int fd)
{
	struct file *f = fd_lookup(fd);
	long r = 0;

	if (!f)
		return -EBADF;
	if (f->vnode && f->vnode->mount->sync)
		r = f->vnode->mount->sync(f->vnode->mount);
	if (f->vnode && file_failed_once(f, FILE_TOLD_SYNCFS))
		r = -EIO;
	file_put(f);
	return r;
}

int file_sync_range(struct file *f, s64 off, s64 len, unsigned flags)
{
	s64 end;

	if (flags & ~7u)
		return -EINVAL;
	if (off < 0 || len < 0 || __builtin_add_overflow(off, len, &end))
		return -EINVAL;
	if (!f->vnode || (f->vnode->type != VNODE_REG && f->vnode->type != VNODE_DIR && f->vnode->type != VNODE_LINK))
		return -ESPIPE;
	if (!flags || !f->vnode->object)
		return 0;
	int r = vm_object_sync(f->vnode->object, (u64)off / PAGE_SIZE, len ? (u64)(end - 1) / PAGE_SIZE : UINT64_MAX);
	return READ_ONCE(f->vnode->mount->failed) ? file_failed_once(f, FILE_TOLD_SYNC) ? -EIO : 0 : r;
}

long sys_sync_file_range(int fd, s64 off, s64 len, unsigned flags)
{
	struct file *f = fd_lookup(fd);
	long r;

	if (!f)
		return -EBADF;
	r = file_sync_range(f, off, len, flags);
	file_put(f);
	return r;
}
