/*
 * file_port.c - descriptors 0, 1 and 2: byte channels to the host, shown as pipes.
 *
 * Bytes go through a buffer on the stack, so that no user copy happens in the driver.
 * A write sleeps while the host takes nothing; what was taken before a signal counts. A stream that
 * the host closed is a pipe without readers: EPIPE and SIGPIPE.
 *
 * Locks: none of its own. What can fail: the program's addresses; waiting can be interrupted.
 */
#include "proc/file_port.h"
#include "proc/pipe.h"
#include "dev/port.h"
#include "base/print.h"

#define PIECE 512u

unsigned port_file_number(const struct file *f)
{
	return (unsigned)(uintptr_t)f->priv;
}

static ssize_t port_file_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	NO_AUTO_INIT u8 buf[PIECE];
	size_t done = 0;

	while (u->resid && !u->fault) {
		ssize_t n = port_read(port_file_number(f), buf, MIN(u->resid, sizeof(buf)), nonblock || done);
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += uio_put(u, buf, (size_t)n);
		if ((size_t)n < sizeof(buf))
			break;
	}
	return uio_result(u, done);
}

/* One piece, which has left the program's memory already: all of it, or what was taken before an error. */
static ssize_t write_piece(unsigned port, const u8 *buf, size_t len, bool nonblock)
{
	if (!nonblock)
		return port_write(port, buf, len, true);
	size_t n = port_write_nowait(port, buf, len);
	return n ? (ssize_t)n : -EAGAIN;
}

static ssize_t port_file_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	NO_AUTO_INIT u8 buf[PIECE];
	size_t done = 0;

	while (u->resid && !u->fault) {
		size_t len = uio_get(u, buf, sizeof(buf));
		if (!len)
			break;
		ssize_t n = port_gone(port_file_number(f)) ? -EPIPE : write_piece(port_file_number(f), buf, len, nonblock);
		if (n == -EPIPE && !done)
			pipe_raise_sigpipe();
		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
		if ((size_t)n < len)
			return (ssize_t)done;
	}
	return uio_result(u, done);
}

static u32 port_file_poll(struct file *f, struct poll_table *pt)
{
	u32 ev = port_poll(port_file_number(f), pt);

	if (!file_can_read(f))
		ev &= ~(POLL_IN | POLL_RDNORM | POLL_HUP | POLL_RDHUP);
	if (!file_can_write(f))
		ev &= ~(POLL_OUT | POLL_WRNORM | POLL_ERR);
	return ev;
}

static int port_file_getattr(struct file *f, struct vattr *ret)
{
	file_fill_vattr(ret, port_file_number(f), LX_S_IFIFO | 0600, FILE_DEV_PIPE, 4096);
	return 0;
}

static ssize_t port_file_describe(struct file *f, char *buf, size_t size)
{
	return fmt_buf(buf, size, "pipe:[%u]", port_file_number(f));
}

static int port_file_ioctl(struct file *f, u32 cmd, void *kbuf)
{
	if (cmd != 0x541b) /* FIONREAD: only whether there is something is known */
		return -ENOTTY;
	*(int *)kbuf = file_can_read(f) && (port_poll(port_file_number(f), NULL) & POLL_IN) ? 1 : 0;
	return 0;
}

const struct file_ops port_file_ops = {
	.kind = "port",
	.read = port_file_read,
	.write = port_file_write,
	.poll = port_file_poll,
	.ioctl = port_file_ioctl,
	.getattr = port_file_getattr,
	.describe = port_file_describe,
};

int file_from_port(unsigned port, u32 flags, struct file **ret)
{
	struct file *f = file_alloc(&port_file_ops, flags & ~LX_O_NOT_STATUS);

	if (!f)
		return -ENOMEM;
	f->priv = (void *)(uintptr_t)port;
	*ret = f;
	return 0;
}
