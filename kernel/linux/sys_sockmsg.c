/*
 * sys_sockmsg.c - sendmsg, recvmsg and their batches; control messages.
 *
 * The header, the iovec and the control data are fetched once each. Files in SCM_RIGHTS are
 * opaque to net/: they are referenced here and become descriptors (or are dropped) here.
 */
#include "linux/sockcalls.h"
#include "linux/polltime.h"
#include "mm/heap.h"
#include "net/lx_netlink.h"

struct lx_mmsghdr {
	struct lx_msghdr hdr;
	u32 len, pad;
};
struct lx_cmsghdr {
	u64 len;
	s32 level, type;
};
_Static_assert(sizeof(struct lx_msghdr) == 56 && sizeof(struct lx_mmsghdr) == 64 && sizeof(struct lx_cmsghdr) == 16, "msghdr");

enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2 };
#define SCM_MAX_FD    253u
#define LX_OVERFLOW_ID 65534u        /* who a message without credentials is from */
#define CONTROL_MAX   20480u         /* Linux's optmem_max */
#define CMSG_SPACE(n) (sizeof(struct lx_cmsghdr) + ROUND_UP((size_t)(n), 8))
#define CMSG_LEN(n)   (sizeof(struct lx_cmsghdr) + (size_t)(n))

static void file_release(void *f)
{
	file_put(f);
}

static void file_more(void *f)
{
	file_get(f);
}

static struct socket *file_socket_of(void *file, u32 *ret_refs)
{
	const struct file *f = file;

	*ret_refs = __atomic_load_n(&f->refs, __ATOMIC_ACQUIRE);
	return f->sock;
}

static void rights_drop(struct sock_rights *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->count; i++)
		file_put(r->files[i]);
	heap_free(r);
}

/* ---- Control data of the program ---- */

static int take_rights(const u8 *data, size_t len, struct sock_msg *m)
{
	size_t n = len / sizeof(s32);
	const s32 *fds = (const s32 *)data;

	if (!m->rights) {
		m->rights = heap_alloc(sizeof(*m->rights));
		if (!m->rights)
			return -ENOMEM;
		m->rights->release = file_release;
		m->rights->get = file_more;
		m->rights->socket = file_socket_of;
	}
	if (m->rights->count + n > SCM_MAX_FD)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct file *f = fd_lookup_any(fds[i]);
		if (!f)
			return -EBADF;
		m->rights->files[m->rights->count++] = f;
		if (f->ops->unsendable)
			return -EINVAL;
	}
	return 0;
}

static int take_credentials(const u8 *data, size_t len)
{
	const struct lx_ucred *c = (const struct lx_ucred *)data;

	if (len != sizeof(*c))
		return -EINVAL;
	return c->pid == PROC_PID && c->uid == fs_owner_uid && c->gid == fs_owner_gid ? 0 : -EPERM;
}

static int take_value(const u8 *data, size_t len, int low, int high, s32 *ret)
{
	s32 v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, data, sizeof(v));
	if (v < low || v > high)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int take_ip(int type, const u8 *data, size_t len, struct sock_control *c)
{
	struct lx_in_pktinfo p;
	int r;

	switch (type) {
	case LX_IP_PKTINFO:
		if (len != sizeof(p))
			return -EINVAL;
		memcpy(&p, data, sizeof(p));
		c->ifindex = (u32)p.ifindex;
		memset(c->addr, 0, sizeof(c->addr));
		memcpy(c->addr + 12, &p.spec_dst, 4);
		c->has |= SOCK_CONTROL_PKTINFO;
		return 0;
	case LX_IP_TTL:
		r = len == sizeof(s32) ? take_value(data, len, 1, 255, &c->ttl) : -EINVAL;
		c->has |= r == 0 ? SOCK_CONTROL_TTL : 0;
		return r;
	case LX_IP_TOS:
		if (len == 1) {
			c->tos = *data;
			r = 0;
		} else {
			r = len == sizeof(s32) ? take_value(data, len, 0, 255, &c->tos) : -EINVAL;
		}
		c->has |= r == 0 ? SOCK_CONTROL_TOS : 0;
		return r;
	default:
		return -EINVAL;
	}
}

static int take_ipv6(int type, const u8 *data, size_t len, struct sock_control *c)
{
	s32 v;
	int r;

	switch (type) {
	case LX_IPV6_PKTINFO:
	case LX_IPV6_2292PKTINFO:
		if (len < sizeof(struct lx_in6_pktinfo))
			return -EINVAL;
		memcpy(c->addr, data, 16);
		memcpy(&c->ifindex, data + 16, 4);
		c->has |= SOCK_CONTROL_PKTINFO6;
		return 0;
	case LX_IPV6_HOPLIMIT:
		r = len == sizeof(s32) ? take_value(data, len, -1, 255, &c->ttl) : -EINVAL;
		c->has |= r == 0 ? SOCK_CONTROL_TTL : 0;
		return r;
	case LX_IPV6_TCLASS:
		r = len == sizeof(s32) ? take_value(data, len, -1, 255, &c->tos) : -EINVAL;
		c->has |= r == 0 ? SOCK_CONTROL_TOS : 0;
		return r;
	case LX_IPV6_DONTFRAG:
		r = len == sizeof(s32) ? take_value(data, len, 0, 1, &v) : -EINVAL;
		c->has |= r == 0 && v ? SOCK_CONTROL_DONTFRAG : 0;
		return r;
	case LX_IPV6_FLOWINFO:
		return len < 4 ? -EINVAL : 0;
	case LX_IPV6_HOPOPTS: case LX_IPV6_DSTOPTS:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

static int take_one(int family, const struct lx_cmsghdr *h, const u8 *data, size_t len, struct sock_msg *m)
{
	if (h->level == LX_SOL_SOCKET && h->type == SCM_RIGHTS)
		return family == LX_AF_UNIX ? take_rights(data, len, m) : -EINVAL;
	if (h->level == LX_SOL_SOCKET && h->type == SCM_CREDENTIALS) {
		m->has_creds = true;
		return family == LX_AF_UNIX || family == LX_AF_NETLINK ? take_credentials(data, len) : -EINVAL;
	}
	if (h->level == LX_SOL_IP && (family == LX_AF_INET || family == LX_AF_INET6))
		return take_ip(h->type, data, len, m->control);
	if (h->level == LX_SOL_IPV6 && family == LX_AF_INET6)
		return take_ipv6(h->type, data, len, m->control);
	return h->level == LX_SOL_SOCKET ? -EINVAL : 0;
}

/* Parse the control buffer; what was taken so far is in m even after an error. */
static int control_parse(int family, const u8 *buf, size_t len, struct sock_msg *m)
{
	size_t at = 0;

	while (len - at >= sizeof(struct lx_cmsghdr)) {
		const struct lx_cmsghdr *h = (const struct lx_cmsghdr *)(buf + at);
		if (h->len < sizeof(*h) || h->len > len - at)
			return -EINVAL;
		int r = take_one(family, h, buf + at + sizeof(*h), h->len - sizeof(*h), m);
		if (r < 0)
			return r;
		size_t step = ROUND_UP(h->len, 8);
		if (step >= len - at)
			break;
		at += step;
	}
	return 0;
}

static int control_get(struct file *f, const struct lx_msghdr *h, struct sock_msg *m)
{
	u8 *buf;
	int r;

	if (!h->controllen)
		return 0;
	if (h->controllen > CONTROL_MAX)
		return -ENOBUFS;
	buf = heap_alloc(h->controllen);
	if (!buf)
		return -ENOBUFS;
	r = copy_from_user(buf, uaddr_make(h->control), h->controllen);
	if (r == 0)
		r = control_parse(f->sock->family, buf, h->controllen, m);
	heap_free(buf);
	return r;
}

/* ---- Control data for the program ---- */

struct control_out {
	struct uaddr at;
	size_t room, used;
	bool cut;
};

static int control_put(struct control_out *c, int level, int type, const void *data, size_t len)
{
	struct lx_cmsghdr h = { CMSG_LEN(len), level, type };

	if (c->room < sizeof(h)) {
		c->cut = true;
		return 0;
	}
	if (c->room < h.len) {           /* the header says what fitted */
		c->cut = true;
		h.len = c->room;
	}
	if (copy_to_user(c->at, &h, sizeof(h)) < 0 || copy_to_user(uaddr_add(c->at, sizeof(h)), data, h.len - sizeof(h)) < 0)
		return -EFAULT;
	size_t step = MIN(CMSG_SPACE(len), c->room);
	c->at = uaddr_add(c->at, step);
	c->room -= step;
	c->used += step;
	return 0;
}

/* Files become descriptors as far as there is room for their numbers; the rest is dropped. */
static int rights_put(struct control_out *c, struct sock_rights *r, bool cloexec)
{
	s32 fds[SCM_MAX_FD];
	unsigned n = 0, fit = c->room > sizeof(struct lx_cmsghdr) ? (unsigned)((c->room - sizeof(struct lx_cmsghdr)) / sizeof(s32)) : 0;

	while (n < r->count && n < fit) {
		int fd = fd_install(r->files[n], cloexec, 0);
		if (fd < 0)
			break;
		fds[n++] = fd;
	}
	for (unsigned i = n; i < r->count; i++)
		file_put(r->files[i]);
	if (n < r->count)
		c->cut = true;
	r->count = 0;
	return n ? control_put(c, LX_SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof(s32)) : 0;
}

/* A timeval or a timespec, as the option that asked for it says. */
static int stamp_put(struct control_out *c, u8 option, u64 ns)
{
	bool fine = option == LX_SO_TIMESTAMPNS || option == LX_SO_TIMESTAMPNS_NEW;
	s64 stamp[2] = { (s64)(ns / NSEC_PER_SEC), (s64)(fine ? ns % NSEC_PER_SEC : ns % NSEC_PER_SEC / NSEC_PER_USEC) };

	return control_put(c, LX_SOL_SOCKET, option, stamp, sizeof(stamp));
}

/* The error, and who sent it: a sockaddr behind it. */
static int error_put(struct control_out *c, const struct sock_control *k)
{
	struct {
		struct lx_sock_extended_err err;
		u8 offender[sizeof(struct lx_sockaddr_in6)];
	} e = { .err = k->err };
	size_t n = MIN((size_t)k->offender.len, sizeof(e.offender));
	bool v6 = k->has & SOCK_CONTROL_ERR6;

	memcpy(e.offender, k->offender.bytes, n);
	return control_put(c, v6 ? LX_SOL_IPV6 : LX_SOL_IP, v6 ? LX_IPV6_RECVERR : LX_IP_RECVERR, &e, sizeof(e.err) + n);
}

/* In Linux's order. */
static int ip_controls_put(struct control_out *c, const struct sock_control *k)
{
	int r = 0;

	if (k->has & SOCK_CONTROL_PKTINFO6) {
		struct lx_in6_pktinfo p = { .ifindex = k->ifindex };
		memcpy(p.addr, k->addr, 16);
		r = control_put(c, LX_SOL_IPV6, LX_IPV6_PKTINFO, &p, sizeof(p));
	}
	if (r == 0 && (k->has & SOCK_CONTROL_HOPLIMIT))
		r = control_put(c, LX_SOL_IPV6, LX_IPV6_HOPLIMIT, &k->ttl, sizeof(k->ttl));
	if (r == 0 && (k->has & SOCK_CONTROL_TCLASS))
		r = control_put(c, LX_SOL_IPV6, LX_IPV6_TCLASS, &k->tos, sizeof(k->tos));
	if (r == 0 && (k->has & SOCK_CONTROL_ORIGDST6))
		r = control_put(c, LX_SOL_IPV6, LX_IPV6_RECVORIGDSTADDR, k->offender.bytes, k->offender.len);
	if (r == 0 && (k->has & SOCK_CONTROL_PKTINFO)) {
		struct lx_in_pktinfo p = { .ifindex = (s32)k->ifindex };
		memcpy(&p.spec_dst, k->spec_dst, 4);
		memcpy(&p.addr, k->addr + 12, 4);
		r = control_put(c, LX_SOL_IP, LX_IP_PKTINFO, &p, sizeof(p));
	}
	if (r == 0 && (k->has & SOCK_CONTROL_TTL))
		r = control_put(c, LX_SOL_IP, LX_IP_TTL, &k->ttl, sizeof(k->ttl));
	if (r == 0 && (k->has & SOCK_CONTROL_TOS)) {
		u8 tos = (u8)k->tos;
		r = control_put(c, LX_SOL_IP, LX_IP_TOS, &tos, sizeof(tos));
	}
	if (r == 0 && (k->has & SOCK_CONTROL_ORIGDST))
		r = control_put(c, LX_SOL_IP, LX_IP_RECVORIGDSTADDR, k->offender.bytes, k->offender.len);
	return r;
}

static int controls_put(struct file *f, struct sock_msg *m, struct control_out *c)
{
	int r = 0;

	if (m->timestamp_ns)
		r = stamp_put(c, f->sock->timestamp, m->timestamp_ns);
	if (r == 0 && m->control && m->control->has)
		r = m->control->has & (SOCK_CONTROL_ERR | SOCK_CONTROL_ERR6) ? error_put(c, m->control) : ip_controls_put(c, m->control);
	if (r == 0 && f->sock->family == LX_AF_UNIX && f->sock->passcred) {
		struct lx_ucred cred = { 0, LX_OVERFLOW_ID, LX_OVERFLOW_ID };
		if (m->has_creds)
			cred = (struct lx_ucred){ PROC_PID, fs_owner_uid, fs_owner_gid };
		r = control_put(c, LX_SOL_SOCKET, SCM_CREDENTIALS, &cred, sizeof(cred));
	}
	if (r == 0 && m->has_nl_group)
		r = control_put(c, LX_SOL_NETLINK, LX_NETLINK_PKTINFO, &m->nl_group, sizeof(m->nl_group));
	if (r == 0 && f->sock->family == LX_AF_NETLINK && f->sock->passcred) {
		struct lx_ucred kernel = { 0 };
		r = control_put(c, LX_SOL_SOCKET, SCM_CREDENTIALS, &kernel, sizeof(kernel));
	}
	if (m->rights && m->rights->count) {
		int e = rights_put(c, m->rights, m->flags & LX_MSG_CMSG_CLOEXEC);
		r = r ? r : e;
	}
	return r;
}

/* ---- sendmsg ---- */

static int header_get(struct uaddr msg, struct lx_msghdr *h, s32 *ret_name_room)
{
	if (copy_from_user(h, msg, sizeof(*h)) < 0)
		return -EFAULT;
	if (h->namelen < 0)
		return -EINVAL;
	*ret_name_room = h->namelen;
	if (!h->name)
		h->namelen = 0;
	h->namelen = MIN(h->namelen, (s32)sizeof(((struct sock_addr *)0)->bytes));
	return h->iovlen > LX_IOV_MAX ? -EMSGSIZE : 0;
}

int sock_call_get(struct sock_call *c, struct uaddr msg)
{
	int r = header_get(msg, &c->h, &c->name_room);

	c->v.segs = c->v.few;
	return r < 0 ? r : user_iov_get(&c->v, uaddr_make(c->h.iov), c->h.iovlen);
}

void sock_call_free(struct sock_call *c)
{
	user_iov_free(&c->v);
}

long sock_call_send(struct file *f, const struct sock_call *c, size_t done, u32 flags, bool nonblock)
{
	struct sock_control control = { 0 };
	struct sock_msg m = { .flags = flags & ~LX_MSG_CMSG_CLOEXEC, .nonblock = nonblock, .control = &control };
	NO_AUTO_INIT struct sock_addr a;
	struct uio u;
	long r = 0;

	if (c->h.namelen) {
		r = address_get(uaddr_make(c->h.name), c->h.namelen, &a);
		m.addr = &a;
	}
	if (r == 0 && !done)
		r = control_get(f, &c->h, &m);
	if (r == 0) {
		uio_init_user(&u, c->v.segs, c->v.n);
		(void)uio_skip(&u, done);
		m.uio = &u;
		r = file_socket_send(f, &m);
		if (r >= 0 && m.rights && !m.rights->count) {
			heap_free(m.rights);
			m.rights = NULL;
		}
	}
	rights_drop(m.rights);
	return r;
}

static long send_one(struct file *f, struct uaddr msg, u32 flags)
{
	NO_AUTO_INIT struct sock_call c;
	long r = sock_call_get(&c, msg);

	if (r == 0)
		r = sock_call_send(f, &c, 0, flags, socket_nonblock(f, flags));
	sock_call_free(&c);
	return r;
}

long sys_sendmsg(int fd, struct uaddr msg, int flags)
{
	struct file *f;
	long r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = send_one(f, msg, (u32)flags);
	file_put(f);
	return r;
}

long sys_sendmmsg(int fd, struct uaddr msgs, unsigned vlen, int flags)
{
	struct file *f;
	unsigned done = 0;
	long r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	vlen = MIN(vlen, LX_IOV_MAX);
	while (done < vlen) {
		struct uaddr at = uaddr_add(msgs, done * sizeof(struct lx_mmsghdr));
		r = send_one(f, at, (u32)flags);
		if (r < 0)
			break;
		u32 len = (u32)r;
		r = copy_to_user(uaddr_add(at, offsetof(struct lx_mmsghdr, len)), &len, sizeof(len));
		if (r < 0)
			break;
		done++;
	}
	file_put(f);
	return done ? (long)done : r;
}

/* ---- recvmsg ---- */

/* Header fields that come back: address length, control length, flags. */
static int header_put(struct uaddr msg, const struct lx_msghdr *h, const struct sock_addr *a, const struct control_out *c, u32 flags)
{
	u32 namelen = a->len;
	u64 controllen = c->used;

	if (h->name) {
		u32 n = MIN((u32)h->namelen, a->len);
		if (n && copy_to_user(uaddr_make(h->name), a->bytes, n) < 0)
			return -EFAULT;
		if (copy_to_user(uaddr_add(msg, offsetof(struct lx_msghdr, namelen)), &namelen, sizeof(namelen)) < 0)
			return -EFAULT;
	}
	if (copy_to_user(uaddr_add(msg, offsetof(struct lx_msghdr, flags)), &flags, sizeof(flags)) < 0)
		return -EFAULT;
	return copy_to_user(uaddr_add(msg, offsetof(struct lx_msghdr, controllen)), &controllen, sizeof(controllen));
}

size_t sock_call_head(const struct sock_call *call)
{
	return sizeof(struct lx_recvmsg_out) + (u32)call->name_room + call->h.controllen;
}

/* The same in front of n bytes of data. */
static int out_put(struct uaddr at, const struct sock_call *call, const struct sock_addr *a, const struct control_out *c, size_t n, u32 flags)
{
	struct lx_recvmsg_out o = { call->name_room ? a->len : 0, (u32)c->used, (u32)n, flags };

	if (copy_to_user(at, &o, sizeof(o)) < 0)
		return -EFAULT;
	return copy_to_user(uaddr_add(at, sizeof(o)), a->bytes, MIN((u32)call->name_room, a->len));
}

long sock_call_recv(struct file *f, struct uaddr msg, const struct sock_call *call, const struct uio_seg *buf, size_t done, u32 flags, bool nonblock)
{
	struct sock_msg m = { .flags = flags & ~LX_MSG_CMSG_CLOEXEC, .nonblock = nonblock };
	const struct lx_msghdr *h = &call->h;
	struct sock_addr a = { 0 };
	struct sock_control control = { 0 };
	size_t head = buf && uaddr_is_null(msg) ? sock_call_head(call) : 0, left;
	struct uio u;
	long r = 0, e;

	if (head && buf->len < head)
		return -EFAULT;
	if (f->sock->family == LX_AF_UNIX) {
		m.rights = heap_alloc(sizeof(*m.rights));
		if (!m.rights)
			r = -ENOMEM;
	}
	if (r == 0) {
		struct control_out c = { .at = uaddr_make(h->control), .room = h->control ? h->controllen : 0 };
		uio_init_user(&u, buf ? buf : call->v.segs, buf ? 1 : call->v.n);
		(void)uio_skip(&u, done + head);
		if (head)
			c = (struct control_out){ uaddr_make(buf->base + head - h->controllen), h->controllen, 0, false };
		left = u.resid;
		m.uio = &u;
		m.addr = &a;
		m.control = &control;
		r = sock_recv(f->sock, &m);
		m.flags = flags;
		if (r >= 0) {
			e = controls_put(f, &m, &c);
			u32 told = m.ret_flags | (c.cut ? LX_MSG_CTRUNC : 0) | (flags & LX_MSG_CMSG_CLOEXEC);
			if (e == 0)
				e = head ? out_put(uaddr_make(buf->base), call, &a, &c, (size_t)r, told) : header_put(msg, h, &a, &c, told);
			r = e < 0 ? e : head ? (long)(head + MIN((size_t)r, left)) : r;
		}
	}
	rights_drop(m.rights);
	return r;
}

static long recv_one(struct file *f, struct uaddr msg, u32 flags, bool nonblock)
{
	NO_AUTO_INIT struct sock_call c;
	long r = sock_call_get(&c, msg);

	if (r == 0)
		r = sock_call_recv(f, msg, &c, NULL, 0, flags, nonblock);
	sock_call_free(&c);
	return r;
}

long sys_recvmsg(int fd, struct uaddr msg, int flags)
{
	struct file *f;
	long r = socket_lookup(fd, &f);

	if (r < 0)
		return r;
	r = recv_one(f, msg, (u32)flags, socket_nonblock(f, (u32)flags));
	file_put(f);
	return r;
}

#define MSG_WAITFORONE 0x10000u

long sys_recvmmsg(int fd, struct uaddr msgs, unsigned vlen, int flags, struct uaddr timeout)
{
	struct file *f;
	unsigned done = 0;
	u64 deadline_ns = WAIT_FOREVER;
	long r = deadline_from_ts(timeout, &deadline_ns);

	if (r < 0)
		return r;
	r = socket_lookup(fd, &f);
	if (r < 0)
		return r;
	vlen = MIN(vlen, LX_IOV_MAX);
	while (done < vlen) {
		struct uaddr at = uaddr_add(msgs, done * sizeof(struct lx_mmsghdr));
		bool nonblock = socket_nonblock(f, (u32)flags) || (done && (u32)flags & MSG_WAITFORONE);
		r = recv_one(f, at, (u32)flags & ~MSG_WAITFORONE, nonblock);
		if (r < 0)
			break;
		u32 len = (u32)r;
		r = copy_to_user(uaddr_add(at, offsetof(struct lx_mmsghdr, len)), &len, sizeof(len));
		if (r < 0)
			break;
		done++;
		if (deadline_ns != WAIT_FOREVER && !deadline_left_ns(deadline_ns))
			break;
	}
	file_put(f);
	return done ? (long)done : r;
}
