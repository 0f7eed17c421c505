/*
 * sys_socket.c - making, naming and connecting sockets, options, plain send and receive.
 * Messages with control data are in sys_sockmsg.c. Addresses are fetched once.
 */
#include "linux/sockcalls.h"

int socket_lookup(int fd, struct file **ret)
{
	struct file *f = fd_lookup(fd);

	if (unlikely(!f))
		return -EBADF;
	if (unlikely(!f->sock)) {
		file_put(f);
		return -ENOTSOCK;
	}
	*ret = f;
	return 0;
}

int address_get(struct uaddr addr, int len, struct sock_addr *ret)
{
	if (len < 0 || (u32)len > sizeof(ret->bytes))
		return -EINVAL;
	ret->len = (u32)len;
	memset(ret->bytes + len, 0, sizeof(ret->bytes) - (u32)len);
	return len ? copy_from_user(ret->bytes, addr, (u32)len) : 0;
}

int address_put(const struct sock_addr *a, struct uaddr addr, struct uaddr ulen)
{
	int room;
	u32 n;

	if (copy_from_user(&room, ulen, sizeof(room)) < 0)
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	n = MIN((u32)room, a->len);
	if (n && copy_to_user(addr, a->bytes, n) < 0)
		return -EFAULT;
	return copy_to_user(ulen, &a->len, sizeof(a->len));
}

/* ---- Making ---- */

static int type_check(int *type, u32 *ret_flags)
{
	*ret_flags = (u32)*type & ~(u32)LX_SOCK_TYPE_MASK;
	*type &= LX_SOCK_TYPE_MASK;
	return *ret_flags & ~(u32)(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC) ? -EINVAL : 0;
}

static int file_of_new(struct socket *s, u32 flags, struct file **ret)
{
	int r = file_from_socket(s, flags & LX_SOCK_NONBLOCK, ret);

	if (r < 0)
		sock_close(s);
	return r;
}

int socket_new_file(int family, int type, int protocol, struct file **ret, u32 *ret_flags)
{
	struct socket *s;
	int r = type_check(&type, ret_flags);

	if (r == 0)
		r = sock_create(family, type, protocol, &s);
	return r < 0 ? r : file_of_new(s, *ret_flags, ret);
}

long sys_socket(int family, int type, int protocol)
{
	struct file *f;
	u32 flags;
	int r = socket_new_file(family, type, protocol, &f, &flags);

	return r < 0 ? r : install_file(f, flags & LX_SOCK_CLOEXEC);
}

long sys_socketpair(int family, int type, int protocol, struct uaddr fds)
{
	struct socket *a, *b;
	struct file *fa, *fb;
	u32 flags;
	int r = type_check(&type, &flags);

	if (r == 0)
		r = sock_pair(family, type, protocol, &a, &b);
	if (r < 0)
		return r;
	r = file_of_new(a, flags, &fa);
	if (r < 0) {
		sock_close(b);
		return r;
	}
	r = file_of_new(b, flags, &fb);
	if (r < 0) {
		file_put(fa);
		return r;
	}
	return install_pair(fa, fb, flags & LX_SOCK_CLOEXEC, fds);
}

/* ---- Names and connections ---- */

COLD long sys_bind(int fd, struct uaddr addr, int len)
{
	struct sock_addr a;
	struct file *f;
	int r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = address_get(addr, len, &a);
	if (r == 0)
		r = sock_bind(f->sock, &a);
	file_put(f);
	return r;
}

long sys_connect(int fd, struct uaddr addr, int len)
{
	struct sock_addr a;
	struct file *f;
	int r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = address_get(addr, len, &a);
	if (r == 0)
		r = sock_connect(f->sock, &a, file_nonblock(f));
	file_put(f);
	return r;
}

long sys_listen(int fd, int backlog)
{
	struct file *f;
	int r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = sock_listen(f->sock, backlog);
	file_put(f);
	return r;
}

/* The peer's address goes out before a descriptor shows. */
int socket_accept_file(struct file *f, struct uaddr addr, struct uaddr len, u32 flags, bool nonblock, struct file **ret)
{
	struct sock_addr peer = { 0 };
	struct socket *s;
	int r = sock_accept(f->sock, nonblock, &s);

	if (r == 0)
		r = file_of_new(s, flags, ret);
	if (r < 0 || uaddr_is_null(addr))
		return r;
	r = sock_getname(s, true, &peer);
	r = r < 0 ? -ECONNABORTED : address_put(&peer, addr, len);
	if (r < 0)
		file_put(*ret);
	return r;
}

long sys_accept4(int fd, struct uaddr addr, struct uaddr len, int flags)
{
	struct file *f, *new_file;
	int r, new_fd;

	if ((u32)flags & ~(u32)(LX_SOCK_NONBLOCK | LX_SOCK_CLOEXEC))
		return -EINVAL;
	r = socket_lookup(fd, &f);
	if (r < 0)
		return r;
	new_fd = fd_reserve((u32)flags & LX_SOCK_CLOEXEC, 0);
	r = new_fd < 0 ? new_fd : socket_accept_file(f, addr, len, (u32)flags, file_nonblock(f), &new_file);
	if (r == 0)
		fd_fill(new_fd, new_file);
	else if (new_fd >= 0)
		fd_unreserve(new_fd);
	file_put(f);
	return r < 0 ? r : new_fd;
}

long sys_accept(int fd, struct uaddr addr, struct uaddr len)
{
	return sys_accept4(fd, addr, len, 0);
}

static long name_call(int fd, struct uaddr addr, struct uaddr len, bool peer)
{
	struct sock_addr a = { 0 };
	struct file *f;
	int r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = sock_getname(f->sock, peer, &a);
	if (r == 0)
		r = address_put(&a, addr, len);
	file_put(f);
	return r;
}

long sys_getsockname(int fd, struct uaddr addr, struct uaddr len) { return name_call(fd, addr, len, false); }
long sys_getpeername(int fd, struct uaddr addr, struct uaddr len) { return name_call(fd, addr, len, true); }

long sys_shutdown(int fd, int how)
{
	struct file *f;
	int r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = how < LX_SHUT_RD || how > LX_SHUT_RDWR ? -EINVAL : sock_shutdown(f->sock, how);
	file_put(f);
	return r;
}

/* ---- Options ---- */

#define OPTION_MAX 512u              /* longer values exist for nothing that is known here: they are cut */

COLD long sys_setsockopt(int fd, int level, int name, struct uaddr val, int len)
{
	NO_AUTO_INIT u8 buf[OPTION_MAX];
	struct file *f;
	int r;

	if (len < 0)
		return -EINVAL;
	r = socket_lookup(fd, &f);
	if (r < 0)
		return r;
	u32 n = MIN((u32)len, OPTION_MAX);
	r = n && copy_from_user(buf, val, n) < 0 ? -EFAULT : sock_setsockopt(f->sock, level, name, buf, n);
	file_put(f);
	return r;
}

long sys_getsockopt(int fd, int level, int name, struct uaddr val, struct uaddr ulen)
{
	u8 buf[OPTION_MAX];
	struct file *f;
	int len, r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	if (copy_from_user(&len, ulen, sizeof(len)) < 0) {
		r = -EFAULT;
	} else if (len < 0) {
		r = -EINVAL;
	} else {
		u32 n = MIN((u32)len, OPTION_MAX);
		r = sock_getsockopt(f->sock, level, name, buf, &n);
		if (r == 0 && n && copy_to_user(val, buf, n) < 0)
			r = -EFAULT;
		if (r == 0)
			r = copy_to_user(ulen, &n, sizeof(n));
	}
	file_put(f);
	return r;
}

/* ---- Plain send and receive ---- */

/* The buffer is looked at before the descriptor, as in Linux. */
static int buffer_and_socket(struct uio *u, struct uaddr buf, size_t len, int fd, struct file **ret)
{
	if (!user_range_ok(buf, len))
		return -EFAULT;
	uio_init_user_one(u, buf, MIN(len, LX_MAX_RW_COUNT));
	return socket_lookup(fd, ret);
}

long sys_sendto(int fd, struct uaddr buf, size_t len, int flags, struct uaddr addr, int alen)
{
	struct sock_msg m = { .flags = (u32)flags };
	NO_AUTO_INIT struct sock_addr a;
	NO_AUTO_INIT struct uio u;
	struct file *f;
	long r;

	r = buffer_and_socket(&u, buf, len, fd, &f);
	if (r < 0)
		return r;
	if (!uaddr_is_null(addr)) {
		r = address_get(addr, alen, &a);
		m.addr = &a;
	}
	if (r == 0) {
		m.uio = &u;
		m.nonblock = socket_nonblock(f, m.flags);
		r = file_socket_send(f, &m);
	}
	file_put(f);
	return r;
}

long sys_recvfrom(int fd, struct uaddr buf, size_t len, int flags, struct uaddr addr, struct uaddr alen)
{
	struct sock_msg m = { .flags = (u32)flags };
	struct sock_addr a;
	NO_AUTO_INIT struct uio u;
	struct file *f;
	long r;

	r = buffer_and_socket(&u, buf, len, fd, &f);
	if (r < 0)
		return r;
	if (!uaddr_is_null(addr)) {
		a.len = 0;
		m.addr = &a;
	}
	m.uio = &u;
	m.nonblock = socket_nonblock(f, m.flags);
	r = sock_recv(f->sock, &m);
	if (r >= 0 && m.addr) {
		int e = address_put(&a, addr, alen);
		if (e < 0)
			r = e;
	}
	file_put(f);
	return r;
}
