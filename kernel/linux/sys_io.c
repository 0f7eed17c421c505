/*
 * sys_io.c - read and write in all their forms.
 *
 * The order of checks is Linux's: descriptor, access mode, what the file can do, the range of
 * the buffer, the sign of the length. Iovecs are fetched once.
 */
#include "linux/filecalls.h"
#include "proc/task.h"

enum { RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16, RWF_KNOWN = 31 };

static ALWAYS_INLINE bool takes(const struct file *f, bool write, bool at)
{
	bool good = write ? file_can_write(f) && f->ops->write : file_can_read(f) && f->ops->read;

	return likely(good && (!at || f->ops->seekable));
}

/* Why f takes no read or write (at: at an offset), in Linux's order; 0: it does. One of O_PATH has neither operation. */
static COLD NOINLINE int refused(const struct file *f, bool write, bool at)
{
	if (file_flags(f) & LX_O_PATH)
		return -EBADF;
	if (at && !f->ops->seekable)
		return -ESPIPE;
	if (write ? !file_can_write(f) : !file_can_read(f))
		return -EBADF;
	return takes(f, write, at) ? 0 : -EINVAL;
}

/* What is not as usual: f does not take it, or the buffer is not the program's, or longer than what one call moves: that is cut. */
static COLD NOINLINE ssize_t odd_length(const struct file *f, bool write, bool at, struct uaddr buf, size_t count)
{
	int r = refused(f, write, at);

	if (r < 0)
		return r;
	return user_range_ok(buf, count) ? (ssize_t)MIN(count, LX_MAX_RW_COUNT) : -EFAULT;
}

/* How many bytes of the buffer a call is about, negative: the error of the call. */
static ALWAYS_INLINE ssize_t length(const struct file *f, bool write, bool at, struct uaddr buf, size_t count)
{
	if (unlikely(!takes(f, write, at) || count > LX_MAX_RW_COUNT || buf.va > ARCH_USER_TOP - count))
		count = (size_t)odd_length(f, write, at, buf, count);
	return (ssize_t)count;
}

long sys_read(int fd, struct uaddr buf, size_t count)
{
	struct file *f = fd_lookup_any(fd);
	NO_AUTO_INIT struct uio u;
	ssize_t r;

	if (unlikely(!f))
		return -EBADF;
	r = length(f, false, false, buf, count);
	if (likely(r >= 0)) {
		uio_init_user_one(&u, buf, (size_t)r);
		r = unlikely(f->positioned) ? file_read_on(f, &u, file_nonblock(f)) : f->ops->read(f, &u, 0, file_nonblock(f));
		task_count_read(task_current(), r);
	}
	file_put(f);
	return r;
}

long sys_write(int fd, struct uaddr buf, size_t count)
{
	struct file *f = fd_lookup_any(fd);
	NO_AUTO_INIT struct uio u;
	NO_AUTO_INIT u64 end;
	ssize_t r;

	if (unlikely(!f))
		return -EBADF;
	r = length(f, true, false, buf, count);
	if (likely(r >= 0)) {
		uio_init_user_one(&u, buf, (size_t)r);
		r = unlikely(f->positioned) ? file_write_on(f, &u, file_nonblock(f)) : f->ops->write(f, &u, 0, file_nonblock(f), &end);
		task_count_write(task_current(), r);
	}
	file_put(f);
	return r;
}

/* An offset of pread or pwrite: the bytes must not end beyond the largest offset. */
int rw_offset_check(const struct file *f, s64 off, size_t count)
{
	s64 end;

	if (!f->ops->seekable)
		return -ESPIPE;
	return __builtin_add_overflow(off, (s64)count, &end) ? -EINVAL : 0;
}

static ALWAYS_INLINE long at_call(int fd, struct uaddr buf, size_t count, s64 offset, bool write)
{
	struct file *f;
	NO_AUTO_INIT struct uio u;
	NO_AUTO_INIT u64 end;
	ssize_t r;

	if (unlikely(offset < 0))
		return -EINVAL;
	f = fd_lookup_any(fd);
	if (unlikely(!f))
		return -EBADF;
	r = length(f, write, true, buf, count);
	if (likely(r >= 0) && unlikely(__builtin_add_overflow(offset, r, (s64 *)&end)))
		r = -EINVAL;
	if (likely(r >= 0)) {
		uio_init_user_one(&u, buf, (size_t)r);
		if (write) {
			r = f->ops->write(f, &u, (u64)offset, file_nonblock(f), &end);
			task_count_write(task_current(), r);
		} else {
			r = f->ops->read(f, &u, (u64)offset, file_nonblock(f));
			task_count_read(task_current(), r);
		}
	}
	file_put(f);
	return r;
}

long sys_pread64(int fd, struct uaddr buf, size_t count, s64 offset)
{
	return at_call(fd, buf, count, offset, false);
}

long sys_pwrite64(int fd, struct uaddr buf, size_t count, s64 offset)
{
	return at_call(fd, buf, count, offset, true);
}

/* ---- Iovecs ---- */

/* Only what is in memory (RWF_NOWAIT): -EAGAIN if not even the first byte is. */
static COLD ssize_t read_cached(struct file *f, struct uio *u, const u64 *off)
{
	u64 at = off ? *off : READ_ONCE(f->pos);
	ssize_t have = fs_cached(f->vnode, at, u->resid), n;
	size_t cut = 0;

	if (have < 0)
		return have;
	if ((size_t)have < u->resid) {
		cut = u->resid - (size_t)have;
		u->resid = (size_t)have;
	}
	n = file_read(f, u, off, true);
	u->resid += cut;
	return n;
}

/* Flags of preadv2 and pwritev2 that change something here. */
int rw_flags_check(struct file *f, int flags, bool write)
{
	if (flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	if (flags & RWF_APPEND && !write)
		return -EOPNOTSUPP;
	if (flags & RWF_NOWAIT && f->vnode && (write || f->vnode->type != VNODE_REG || !f->vnode->object))
		return -EOPNOTSUPP;
	return 0;
}

ssize_t rw_transfer(struct file *f, struct uio *u, const u64 *off, int flags, bool write, bool nonblock)
{
	u64 end = f->vnode ? f->vnode->size : 0;
	ssize_t n;

	nonblock |= flags & RWF_NOWAIT;
	if (!write)
		return flags & RWF_NOWAIT && f->vnode ? read_cached(f, u, off) : file_read(f, u, off, nonblock);
	n = file_write(f, u, flags & RWF_APPEND ? &end : off, nonblock);
	if (n > 0 && flags & RWF_APPEND && !off)
		(void)file_seek(f, (s64)end + n, 0);
	if (n > 0 && flags & (RWF_SYNC | RWF_DSYNC) && f->vnode) {
		int r = file_sync(f, !(flags & RWF_SYNC));
		if (r < 0)
			return r;
	}
	return n;
}

/* With flags, or at an offset. */
static NOINLINE ssize_t vector_at(struct file *f, struct uio *u, const u64 *off, int flags, bool write)
{
	int r = off ? rw_offset_check(f, (s64)*off, u->resid) : 0;

	if (r == 0 && flags)
		r = rw_flags_check(f, flags, write);
	return r == 0 ? rw_transfer(f, u, off, flags, write, file_nonblock(f)) : r;
}

static ALWAYS_INLINE ssize_t vector_io(struct file *f, const struct user_iov *v, const u64 *off, int flags, bool write)
{
	NO_AUTO_INIT struct uio u;
	NO_AUTO_INIT u64 end;
	ssize_t n;

	uio_init_user(&u, v->segs, v->n);
	if (unlikely(flags || off))
		return vector_at(f, &u, off, flags, write);
	if (write) {
		n = unlikely(f->positioned) ? file_write_on(f, &u, file_nonblock(f)) : f->ops->write(f, &u, 0, file_nonblock(f), &end);
		task_count_write(task_current(), n);
	} else {
		n = unlikely(f->positioned) ? file_read_on(f, &u, file_nonblock(f)) : f->ops->read(f, &u, 0, file_nonblock(f));
		task_count_read(task_current(), n);
	}
	return n;
}

static long vector_call(int fd, struct uaddr iov, int count, const u64 *off, int flags, bool write)
{
	struct file *f = fd_lookup_any(fd);
	NO_AUTO_INIT struct user_iov v;
	ssize_t r;

	if (!f)
		return -EBADF;
	if (unlikely(!takes(f, write, off != NULL))) {
		r = refused(f, write, off != NULL);
	} else if (unlikely(count < 0)) {
		r = -EINVAL;
	} else {
		r = user_iov_get(&v, iov, (u64)count);
		if (likely(r == 0 && v.total))
			r = vector_io(f, &v, off, flags, write);
		user_iov_free(&v);
	}
	file_put(f);
	return r;
}

long sys_readv(int fd, struct uaddr iov, int count)
{
	return vector_call(fd, iov, count, NULL, 0, false);
}

long sys_writev(int fd, struct uaddr iov, int count)
{
	return vector_call(fd, iov, count, NULL, 0, true);
}

static NOINLINE long vector_at_call(int fd, struct uaddr iov, int count, u64 off, int flags, bool write)
{
	return (s64)off < 0 ? -EINVAL : vector_call(fd, iov, count, &off, flags, write);
}

/* At the position if the offset is -1. */
static NOINLINE long vector_anywhere(int fd, struct uaddr iov, int count, u64 off, int flags, bool write)
{
	return off == UINT64_MAX ? vector_call(fd, iov, count, NULL, flags, write) : vector_at_call(fd, iov, count, off, flags, write);
}

long sys_preadv(int fd, struct uaddr iov, int count, unsigned long pos_l, unsigned long pos_h)
{
	return vector_at_call(fd, iov, count, pos_l, 0, false);
}

long sys_pwritev(int fd, struct uaddr iov, int count, unsigned long pos_l, unsigned long pos_h)
{
	return vector_at_call(fd, iov, count, pos_l, 0, true);
}

long sys_preadv2(int fd, struct uaddr iov, int count, unsigned long pos_l, unsigned long pos_h, int flags)
{
	return vector_anywhere(fd, iov, count, pos_l, flags, false);
}

long sys_pwritev2(int fd, struct uaddr iov, int count, unsigned long pos_l, unsigned long pos_h, int flags)
{
	return vector_anywhere(fd, iov, count, pos_l, flags, true);
}

long sys_lseek(int fd, s64 offset, int whence)
{
	struct file *f = fd_lookup(fd);
	s64 r;

	if (!f)
		return -EBADF;
	r = whence < 0 || whence > 4 ? -EINVAL : file_seek(f, offset, whence);
	file_put(f);
	return r;
}
