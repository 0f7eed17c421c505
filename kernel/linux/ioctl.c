/*
 * ioctl.c - the few ioctls that programs use: on any file, on sockets (ioctl_net.c), and those
 * that files implement with a plain int. Everything else is -ENOTTY.
 */
#include "linux/ioctl.h"
#include "base/link.h"
#include "proc/async.h"

enum {
	FIONREAD = 0x541b, FIONBIO = 0x5421, FIONCLEX = 0x5450, FIOCLEX = 0x5451, FIOASYNC = 0x5452, FIOQSIZE = 0x5460,
	FIGETBSZ = 2, SIOCOUTQ = 0x5411,
	FIOSETOWN = 0x8901, SIOCSPGRP = 0x8902, FIOGETOWN = 0x8903, SIOCGPGRP = 0x8904,
};
#define FICLONE       0x40049409u
#define FICLONERANGE  0x4020940du
#define FITRIM        0xc0185879u

static long int_out(struct uaddr arg, int v)
{
	return copy_to_user(arg, &v, sizeof(v));
}

static long set_flag(struct file *f, struct uaddr arg, u32 flag)
{
	int on;

	if (copy_from_user(&on, arg, sizeof(on)) < 0)
		return -EFAULT;
	file_set_flags(f, flag, on ? flag : 0);
	return 0;
}

static long set_async(struct file *f, int fd, struct uaddr arg)
{
	int on;

	if (copy_from_user(&on, arg, sizeof(on)) < 0)
		return -EFAULT;
	return !on == !(file_flags(f) & LX_O_ASYNC) ? 0 : file_set_async(f, fd, on);
}

static long bytes_ready(struct file *f, struct uaddr arg)
{
	int n = 0, r;

	if (f->vnode && f->vnode->type == VNODE_REG) {
		s64 left = (s64)READ_ONCE(f->vnode->size) - (s64)f->pos;
		return int_out(arg, (int)left);
	}
	r = f->ops->ioctl ? f->ops->ioctl(f, FIONREAD, &n) : -ENOTTY;
	return r < 0 ? r : int_out(arg, n);
}

static long owner(struct file *f, unsigned cmd, struct uaddr arg)
{
	int pid;

	if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
		return int_out(arg, fcntl_get_owner(f));
	if (copy_from_user(&pid, arg, sizeof(pid)) < 0)
		return -EFAULT;
	return fcntl_set_owner(f, pid);
}

/* A command that the file may know, with an argument of the size that is in its number (at most 64 bytes). */
static long file_command(struct file *f, unsigned cmd, struct uaddr arg)
{
	u8 buf[64] = { 0 };
	unsigned size = cmd >> 16 & 0x3fff, dir = cmd >> 30;
	long r;

	if (!f->ops->ioctl || size > sizeof(buf))
		return -ENOTTY;
	if (dir & 1 && size && copy_from_user(buf, arg, size) < 0)
		return -EFAULT;
	r = f->ops->ioctl(f, cmd, buf);
	if (r >= 0 && dir & 2 && size && copy_to_user(arg, buf, size) < 0)
		return -EFAULT;
	return r;
}

typedef long (*ioctl_fn)(struct file *f, unsigned cmd, struct uaddr arg);
LINK_TABLE(ioctl_fn, ioctl);
static const ioctl_fn net LINK_PICK(ioctl, net) = ioctl_net;

static long command(struct file *f, int fd, unsigned cmd, struct uaddr arg)
{
	struct vattr a;
	int n = 0, r;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_cloexec(fd, cmd == FIOCLEX);
	case FIONBIO:
		return set_flag(f, arg, LX_O_NONBLOCK);
	case FIOASYNC:
		return set_async(f, fd, arg);
	case FIONREAD:
		return bytes_ready(f, arg);
	case FIGETBSZ:
		r = file_getattr(f, &a);
		return r < 0 ? r : f->vnode ? int_out(arg, (int)a.blksize) : -EINVAL;
	case FIOQSIZE: {
		s64 size = f->vnode ? (s64)f->vnode->size : 0;
		if (!f->vnode || f->vnode->type == VNODE_CHR)
			return -ENOTTY;
		return copy_to_user(arg, &size, sizeof(size));
	}
	case FICLONE:
	case FICLONERANGE:
		return -EOPNOTSUPP;
	case FITRIM:                     /* of a volume: the administrator's */
		return f->vnode && f->vnode->mount && f->vnode->mount->sync ? -EPERM : -ENOTTY;
	}
	if (!f->sock)
		return file_command(f, cmd, arg);
	switch (cmd) {
	case SIOCOUTQ:
		r = f->ops->ioctl(f, cmd, &n);
		return r < 0 ? r : int_out(arg, n);
	case FIOSETOWN:
	case SIOCSPGRP:
	case FIOGETOWN:
	case SIOCGPGRP:
		return owner(f, cmd, arg);
	}
	for (const ioctl_fn *LINK_EACH(fn, ioctl))
		return (*fn)(f, cmd, arg);
	return -ENOTTY;
}

long sys_ioctl(int fd, unsigned cmd, struct uaddr arg)
{
	struct file *f = fd_lookup(fd);
	long r;

	if (!f)
		return -EBADF;
	r = command(f, fd, cmd, arg);
	file_put(f);
	return r;
}
