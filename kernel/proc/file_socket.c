/*
 * file_socket.c - sockets as open files. read and write are recv and send without flags.
 *
 * Locks: those of net/. What can fail: what the socket says; a broken pipe also raises SIGPIPE.
 */
#include "proc/file_socket.h"
#include "proc/signal.h"
#include "base/print.h"

ssize_t file_socket_send(struct file *f, struct sock_msg *m)
{
	ssize_t n = sock_send(f->sock, m);

	if (unlikely(n == -EPIPE) && task_current() && !(m->flags & LX_MSG_NOSIGNAL) &&
	    (f->sock->type == LX_SOCK_STREAM || f->sock->type == LX_SOCK_SEQPACKET))
		signal_send(task_current(), SIG_PIPE, NULL);
	return n;
}

static ssize_t socket_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct sock_msg m = { .uio = u, .nonblock = nonblock };

	return u->resid ? sock_recv(f->sock, &m) : 0;
}

static ssize_t socket_write(struct file *f, struct uio *u, u64 off, bool nonblock, u64 *ret_new_off)
{
	struct sock_msg m = { .uio = u, .nonblock = nonblock };

	return file_socket_send(f, &m);
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	return sock_poll(f->sock, pt);
}

static int socket_ioctl(struct file *f, u32 cmd, void *kbuf)
{
	int n;

	switch (cmd) {
	case 0x541b: /* FIONREAD */
	case 0x5411: /* SIOCOUTQ */
		n = sock_pending(f->sock, cmd == 0x5411);
		if (n < 0)
			return n;
		*(int *)kbuf = n;
		return 0;
	}
	return -ENOTTY;
}

static int socket_getattr(struct file *f, struct vattr *ret)
{
	file_fill_vattr(ret, f->sock->ino, LX_S_IFSOCK | 0777, FILE_DEV_SOCK, 4096);
	return 0;
}

static ssize_t socket_describe(struct file *f, char *buf, size_t size)
{
	return fmt_buf(buf, size, "socket:[%llu]", (unsigned long long)f->sock->ino);
}

static void socket_flush(struct file *f)
{
	if (__atomic_load_n(&f->refs, __ATOMIC_ACQUIRE) > 1)
		sock_descriptor_closed(f->sock);
}

static void socket_release(struct file *f)
{
	sock_close(f->sock);
}

const struct file_ops socket_file_ops = {
	.kind = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.getattr = socket_getattr,
	.describe = socket_describe,
	.flush = socket_flush,
	.release = socket_release,
};

int file_from_socket(struct socket *s, u32 flags, struct file **ret)
{
	struct file *f = file_alloc(&socket_file_ops, LX_O_RDWR | (flags & LX_O_NONBLOCK));

	if (!f)
		return -ENOMEM;
	f->sock = s;
	if (!s->ino)
		s->ino = file_next_ino();
	*ret = f;
	return 0;
}
