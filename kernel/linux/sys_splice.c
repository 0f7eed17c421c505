/* sys_splice.c - sendfile, splice, tee, copy_file_range: checks in Linux's order; the work is in proc/splice.c. */
#include "linux/filecalls.h"
#include "proc/pipe.h"
#include "proc/process.h"
#include "proc/splice.h"

/* Two files, or neither. */
static int lookup_pair(int in_fd, int out_fd, struct file **in, struct file **out)
{
	*in = fd_lookup(in_fd);
	*out = *in ? fd_lookup(out_fd) : NULL;
	if (*out)
		return 0;
	if (*in)
		file_put(*in);
	return -EBADF;
}

static void put_pair(struct file *in, struct file *out)
{
	file_put(in);
	file_put(out);
}

/* An offset of the program; NULL = the file's own. */
static int offset_get(struct uaddr uoff, u64 *off, u64 **ret)
{
	*ret = NULL;
	if (uaddr_is_null(uoff))
		return 0;
	if (copy_from_user(off, uoff, sizeof(*off)) < 0)
		return -EFAULT;
	*ret = off;
	return (s64)*off < 0 ? -EINVAL : 0;
}

static long offset_put(struct uaddr uoff, const u64 *off, long r)
{
	return off && r > 0 && copy_to_user(uoff, off, sizeof(*off)) < 0 ? -EFAULT : r;
}

long sys_sendfile(int out_fd, int in_fd, struct uaddr uoff, size_t count)
{
	struct file *in, *out;
	u64 off, *at;
	long r;

	if (!uaddr_is_null(uoff) && copy_from_user(&off, uoff, sizeof(off)) < 0)
		return -EFAULT;
	at = uaddr_is_null(uoff) ? NULL : &off;
	r = lookup_pair(in_fd, out_fd, &in, &out);
	if (r < 0)
		return r;
	if (!file_can_read(in) || !file_can_write(out))
		r = -EBADF;
	else if (at && !in->ops->seekable)
		r = -ESPIPE;
	else if ((at && (s64)off < 0) || (ssize_t)count < 0)
		r = -EINVAL;
	else if (file_pipe(out) && in->sock)
		r = splice_to_pipe(in, NULL, out, MIN(count, LX_MAX_RW_COUNT), file_nonblock(out));
	else if (file_flags(out) & LX_O_APPEND || !out->ops->write || !in->vnode || in->vnode->type == VNODE_DIR || file_pipe(in))
		r = -EINVAL;                 /* pipes and sockets cannot be read from a place: the program reads and writes itself */
	else
		r = file_copy(in, at, out, NULL, MIN(count, LX_MAX_RW_COUNT));
	r = offset_put(uoff, at, r);
	put_pair(in, out);
	return r;
}

long splice_files(struct file *in, u64 *in_at, struct file *out, u64 *out_at, size_t len, u32 flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;

	len = MIN(len, LX_MAX_RW_COUNT);
	if (!file_can_read(in) || !file_can_write(out))
		return -EBADF;
	if ((file_pipe(in) && in_at) || (file_pipe(out) && out_at))
		return -ESPIPE;
	if (!file_pipe(in) && !file_pipe(out))
		return -EINVAL;
	if (file_pipe(in) && file_pipe(out)) {
		if (file_pipe(in) == file_pipe(out))
			return -EINVAL;
		return splice_pipe_to_pipe(in, out, len, nonblock || file_nonblock(in) || file_nonblock(out), false);
	}
	if (file_pipe(in)) {
		if (out_at && !out->ops->seekable)
			return -EINVAL;
		if (file_flags(out) & LX_O_APPEND || !out->ops->write)
			return -EINVAL;
		return splice_from_pipe(in, out, out_at, len, nonblock || file_nonblock(in));
	}
	if (in_at && !in->ops->seekable)
		return -EINVAL;
	if (!in->ops->read || (in->vnode && in->vnode->type == VNODE_DIR))
		return -EINVAL;
	return splice_to_pipe(in, in_at, out, len, nonblock || file_nonblock(out));
}

long sys_splice(int in_fd, struct uaddr uin, int out_fd, struct uaddr uout, size_t len, unsigned flags)
{
	u64 in_off, out_off, *in_at, *out_at;
	struct file *in, *out;
	long r;

	if (!len)
		return 0;
	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	r = lookup_pair(in_fd, out_fd, &in, &out);
	if (r < 0)
		return r;
	if ((file_pipe(in) && !uaddr_is_null(uin)) || (file_pipe(out) && !uaddr_is_null(uout)))
		r = -ESPIPE;
	if (r == 0)
		r = offset_get(uin, &in_off, &in_at);
	if (r == 0)
		r = offset_get(uout, &out_off, &out_at);
	if (r == 0)
		r = splice_files(in, in_at, out, out_at, len, flags);
	if (r > 0) {
		r = offset_put(uin, in_at, r);
		r = offset_put(uout, out_at, r);
	}
	put_pair(in, out);
	return r;
}

static long vmsplice_file(struct file *f, struct uaddr iov, size_t nr, u32 flags)
{
	NO_AUTO_INIT struct user_iov v;
	struct uio u;
	long r;

	if (!file_can_write(f) && !file_can_read(f))
		return -EBADF;
	r = user_iov_get(&v, iov, nr);
	if (r == 0 && v.total) {
		uio_init_user(&u, v.segs, v.n);
		if (!file_pipe(f))
			r = -EBADF;
		else if (file_can_write(f))
			r = splice_user_to_pipe(&u, f, flags & SPLICE_F_NONBLOCK);
		else
			r = file_read(f, &u, NULL, flags & SPLICE_F_NONBLOCK);
	}
	user_iov_free(&v);
	return r;
}

long sys_vmsplice(int fd, struct uaddr iov, size_t nr, unsigned flags)
{
	struct file *f;
	long r;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	f = fd_lookup(fd);
	if (!f)
		return -EBADF;
	r = vmsplice_file(f, iov, nr, flags);
	file_put(f);
	return r;
}

long tee_files(struct file *in, struct file *out, size_t len, u32 flags)
{
	if (!file_can_read(in) || !file_can_write(out))
		return -EBADF;
	if (!file_pipe(in) || !file_pipe(out) || file_pipe(in) == file_pipe(out))
		return -EINVAL;
	return splice_pipe_to_pipe(in, out, len, flags & SPLICE_F_NONBLOCK || file_nonblock(in) || file_nonblock(out), true);
}

long sys_tee(int in_fd, int out_fd, size_t len, unsigned flags)
{
	struct file *in, *out;
	long r;

	if (flags & ~SPLICE_F_ALL)
		return -EINVAL;
	if (!len)
		return 0;
	r = lookup_pair(in_fd, out_fd, &in, &out);
	if (r < 0)
		return r;
	r = tee_files(in, out, len, flags);
	put_pair(in, out);
	return r;
}

/* What copy_file_range refuses, in Linux's order. */
static int range_check(struct file *in, const u64 *in_at, struct file *out, const u64 *out_at, size_t *len)
{
	u64 from = in_at ? *in_at : in->pos, to = out_at ? *out_at : out->pos;
	s64 end;

	if (!file_can_read(in) || !file_can_write(out) || file_flags(out) & LX_O_APPEND)
		return -EBADF;
	if (!in->vnode || !out->vnode)
		return -EINVAL;
	if (in->vnode->type == VNODE_DIR || out->vnode->type == VNODE_DIR)
		return -EISDIR;
	if (in->vnode->type != VNODE_REG || out->vnode->type != VNODE_REG)
		return -EINVAL;
	if (__builtin_add_overflow((s64)from, (s64)*len, &end) || __builtin_add_overflow((s64)to, (s64)*len, &end))
		return -EOVERFLOW;
	u64 size = READ_ONCE(in->vnode->size);
	*len = from >= size ? 0 : MIN(*len, size - from);
	if (in->vnode == out->vnode && from < to + *len && to < from + *len)
		return -EINVAL;
	return 0;
}

long sys_copy_file_range(int in_fd, struct uaddr uin, int out_fd, struct uaddr uout, size_t len, unsigned flags)
{
	u64 in_off, out_off, *in_at, *out_at;
	struct file *in, *out;
	long r = lookup_pair(in_fd, out_fd, &in, &out);

	if (r < 0)
		return r;
	r = offset_get(uin, &in_off, &in_at);
	if (r == 0)
		r = offset_get(uout, &out_off, &out_at);
	if (r == 0 && flags)
		r = -EINVAL;
	if (r == 0) {
		len = MIN(len, LX_MAX_RW_COUNT);
		r = range_check(in, in_at, out, out_at, &len);
	}
	if (r == 0 && len)
		r = file_copy(in, in_at, out, out_at, len);
	if (r > 0) {
		r = offset_put(uin, in_at, r);
		r = offset_put(uout, out_at, r);
	}
	put_pair(in, out);
	return r;
}
