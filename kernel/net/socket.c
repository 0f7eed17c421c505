/*
 * socket.c - what all sockets have in common: making them, the calls' entry points, options of
 * level SOL_SOCKET. The families (inet.c and its siblings, unix.c) are behind sock_ops.
 *
 * Options that only change how we answer (buffer sizes, priority, mark) live in struct socket;
 * a family that must act on one gets the call too.
 *
 * Locks: none here; members of struct socket that options set are single words.
 */
#include "net/socket_impl.h"
#include "base/link.h"
#include "base/string.h"

void (*sock_for_each)(bool (*fn)(struct socket *s, void *arg), void *arg) RO_AFTER_INIT;

static u64 next_ino = 1;             /* atomic */
RO_AFTER_INIT const struct sock_guard *sock_guard;
RO_AFTER_INIT ssize_t (*sock_send_watch)(struct socket *s, struct sock_msg *m);

void socket_init(struct socket *s, const struct sock_ops *ops, int family, int type, int protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	waitq_init(&s->waitq);
	s->linger_s = -1;
	s->rcvlowat = 1;
	s->ino = __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED);
}

u64 socket_deadline(u64 timeo_ns)
{
	return timeo_ns ? arch_clock_mono_ns() + timeo_ns : WAIT_FOREVER;
}

/* What this kernel has of them is picked by the link script. */
struct sock_family {
	int family;
	int (*create)(int family, int type, int protocol, struct socket **ret);
	int (*pair)(int type, int protocol, struct socket **ret_a, struct socket **ret_b);
	void (*descriptor_closed)(struct socket *s);
};
LINK_TABLE(struct sock_family, family);
static const struct sock_family family_inet LINK_PICK(family, inet) = { .family = LX_AF_INET, .create = inet_socket_create };
static const struct sock_family family_inet6 LINK_PICK(family, inet6) = { .family = LX_AF_INET6, .create = inet_socket_create };
static const struct sock_family family_unix LINK_PICK(family, unix) = {
	.family = LX_AF_UNIX, .create = unix_socket_create, .pair = unix_socket_pair, .descriptor_closed = unix_descriptor_closed,
};
static const struct sock_family family_netlink LINK_PICK(family, netlink) = { .family = LX_AF_NETLINK, .create = netlink_socket_create };

const struct net_stack *net_stack;

static int check_type(int type)
{
	return type < 0 || type >= LX_SOCK_MAX ? -EINVAL : 0;
}

int sock_create(int family, int type, int protocol, struct socket **ret)
{
	int r = check_type(type);

	if (family < 0 || family >= LX_AF_MAX)
		return -EAFNOSUPPORT;
	if (r == 0 && unlikely(sock_guard != NULL))
		r = sock_guard->create(family, type, protocol);
	if (r < 0)
		return r;
	for (const struct sock_family *LINK_EACH(f, family))
		if (f->family == family)
			return f->create(family, type, protocol, ret);
	return family == LX_AF_PACKET ? -EPERM : -EAFNOSUPPORT;
}

COLD int sock_pair(int family, int type, int protocol, struct socket **ret_a, struct socket **ret_b)
{
	int r = check_type(type);

	for (const struct sock_family *LINK_EACH(f, family)) {
		if (r || f->family != family || !f->pair)
			continue;
		r = unlikely(sock_guard != NULL) ? sock_guard->create(family, type, protocol) : 0;
		return r ? r : f->pair(type, protocol, ret_a, ret_b);
	}
	/* The others have no pairs, which is said of sockets that can be made. */
	r = sock_create(family, type, protocol, ret_a);
	if (r < 0)
		return r;
	sock_close(*ret_a);
	return -EOPNOTSUPP;
}

void sock_close(struct socket *s) { s->ops->release(s); }

int sock_bind(struct socket *s, const struct sock_addr *a)
{
	int r = unlikely(sock_guard != NULL) ? sock_guard->bind(s, a) : 0;

	return r ? r : s->ops->bind(s, a);
}

int sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	int r = s->ops->connect ? 0 : -EOPNOTSUPP;

	if (!r && unlikely(sock_guard != NULL))
		r = sock_guard->peer(s, a, false);
	return r ? r : s->ops->connect(s, a, nonblock);
}

int sock_listen(struct socket *s, int backlog)
{
	int r = s->ops->listen ? 0 : -EOPNOTSUPP;

	if (!r && unlikely(sock_guard != NULL))
		r = sock_guard->listen(s);
	return r ? r : s->ops->listen(s, backlog);
}

int sock_accept(struct socket *s, bool nonblock, struct socket **ret)
{
	return s->ops->accept ? s->ops->accept(s, nonblock, ret) : -EOPNOTSUPP;
}
int sock_getname(struct socket *s, bool peer, struct sock_addr *ret) { return s->ops->getname(s, peer, ret); }
/* On a stream an address counts only with MSG_FASTOPEN. */
static int send_ask(struct socket *s, const struct sock_msg *m)
{
	return s->type != LX_SOCK_STREAM || m->flags & LX_MSG_FASTOPEN ? sock_guard->peer(s, m->addr, true) : 0;
}

ssize_t sock_send(struct socket *s, struct sock_msg *m)
{
	if (unlikely(m->addr != NULL) && sock_guard) {
		int r = send_ask(s, m);
		if (r)
			return r;
	}
	return unlikely(sock_send_watch != NULL) ? sock_send_watch(s, m) : s->ops->send(s, m);
}

ssize_t sock_recv(struct socket *s, struct sock_msg *m)
{
	m->ret_flags = 0;
	ssize_t n = s->ops->recv(s, m);
	if (unlikely(m->addr != NULL) && sock_guard && n >= 0)
		sock_guard->heard(s, m->addr);
	return n;
}
int sock_shutdown(struct socket *s, int how)
{
	return how < LX_SHUT_RD || how > LX_SHUT_RDWR ? -EINVAL : s->ops->shutdown(s, how);
}
u32 sock_poll(struct socket *s, struct poll_table *pt) { return s->ops->poll(s, pt); }
int sock_pending(struct socket *s, bool output) { return s->ops->pending ? s->ops->pending(s, output) : -EINVAL; }

void sock_descriptor_closed(struct socket *s)
{
	for (const struct sock_family *LINK_EACH(f, family))
		if (f->family == s->family && f->descriptor_closed)
			f->descriptor_closed(s);
}

/* ---- SOL_SOCKET ---- */

static int get_int(const void *val, u32 len, int *ret)
{
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(ret, val, sizeof(int));
	return 0;
}

/* Linux: half of the size that is kept is for bookkeeping, so it is doubled. */
static u32 buffer_size(int v, u32 least)
{
	u32 n = v < 0 ? 0 : (u32)v;

	n = MIN(n, 212992u) * 2;
	return MAX(n, least);
}

static int set_timeout(u64 *ret_ns, const void *val, u32 len)
{
	struct lx_timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -EDOM;
	if (tv.sec < 0) {
		*ret_ns = 1;             /* Linux: give up at once */
		return 0;
	}
	if (tv.sec > 1000000000)
		*ret_ns = 0;
	else
		*ret_ns = (u64)tv.sec * NSEC_PER_SEC + (u64)tv.usec * NSEC_PER_USEC;
	return 0;
}

static int set_linger(struct socket *s, const void *val, u32 len)
{
	struct lx_linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	s->linger_s = l.onoff ? MAX(l.linger, 0) : -1;
	return 0;
}

static int set_generic(struct socket *s, int name, const void *val, u32 len)
{
	int v, r;

	switch (name) {
	case LX_SO_LINGER:
		return set_linger(s, val, len);
	case LX_SO_RCVTIMEO: case LX_SO_RCVTIMEO_NEW:
		return set_timeout(&s->rcvtimeo_ns, val, len);
	case LX_SO_SNDTIMEO: case LX_SO_SNDTIMEO_NEW:
		return set_timeout(&s->sndtimeo_ns, val, len);
	case LX_SO_ATTACH_FILTER: case LX_SO_ATTACH_BPF:
		return -ENOPROTOOPT;     /* no packet filters in this machine */
	}
	r = get_int(val, len, &v);
	if (r < 0)
		return r;
	switch (name) {
	case LX_SO_DEBUG:
		return v ? -EACCES : 0;
	case LX_SO_REUSEADDR: s->reuseaddr = v; return 0;
	case LX_SO_REUSEPORT: s->reuseport = v; return 0;
	case LX_SO_DONTROUTE: s->dontroute = v; return 0;
	case LX_SO_BROADCAST: s->broadcast = v; return 0;
	case LX_SO_KEEPALIVE: s->keepalive = v; return 0;
	case LX_SO_OOBINLINE: s->oobinline = v; return 0;
	case LX_SO_PASSCRED: s->passcred = v; return 0;
	case LX_SO_SNDBUF: case LX_SO_SNDBUFFORCE:
		s->sndbuf = buffer_size(v, 4608);
		return 0;
	case LX_SO_RCVBUF: case LX_SO_RCVBUFFORCE:
		s->rcvbuf = buffer_size(v, 2304);
		return 0;
	case LX_SO_RCVLOWAT:
		s->rcvlowat = v <= 0 ? v < 0 ? INT32_MAX : 1u : (u32)v;
		return 0;
	case LX_SO_PRIORITY:
		if (v < 0 || v > 6)
			return -EPERM;
		s->priority = (u32)v;
		return 0;
	case LX_SO_MARK:
		return -EPERM;
	case LX_SO_TIMESTAMP: case LX_SO_TIMESTAMPNS: case LX_SO_TIMESTAMP_NEW: case LX_SO_TIMESTAMPNS_NEW:
		s->timestamp = v ? (u8)name : s->timestamp == name ? 0 : s->timestamp;
		return 0;
	case LX_SO_NO_CHECK: case LX_SO_BSDCOMPAT: case LX_SO_DETACH_FILTER: case LX_SO_RXQ_OVFL: case LX_SO_BUSY_POLL:
	case LX_SO_MAX_PACING_RATE: case LX_SO_INCOMING_CPU: case LX_SO_PASSSEC: case LX_SO_ZEROCOPY:
		return name == LX_SO_DETACH_FILTER ? -ENOENT : 0;
	case LX_SO_PEEK_OFF:
		return s->family == LX_AF_UNIX ? 0 : -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT;
	}
}

COLD int sock_setsockopt(struct socket *s, int level, int name, const void *val, u32 len)
{
	int r;

	if (level != LX_SOL_SOCKET)
		return s->ops->setsockopt ? s->ops->setsockopt(s, level, name, val, len) : -EOPNOTSUPP;
	r = set_generic(s, name, val, len);
	/* The family acts on some, and knows more. */
	if ((r == 0 || r == -ENOPROTOOPT) && s->ops->setsockopt) {
		int f = s->ops->setsockopt(s, level, name, val, len);
		if (f != -ENOPROTOOPT)
			r = f;
	}
	return r;
}

static int put(void *val, u32 *len, const void *src, u32 n)
{
	*len = MIN(*len, n);
	memcpy(val, src, *len);
	return 0;
}

static int put_timeout(void *val, u32 *len, u64 ns)
{
	struct lx_timeval tv = { (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };

	return put(val, len, &tv, sizeof(tv));
}

static int get_value(struct socket *s, int name, int *ret)
{
	switch (name) {
	case LX_SO_DEBUG: case LX_SO_NO_CHECK: case LX_SO_BSDCOMPAT: case LX_SO_RXQ_OVFL: case LX_SO_BUSY_POLL: case LX_SO_PASSSEC:
	case LX_SO_ZEROCOPY: case LX_SO_LOCK_FILTER: *ret = 0; return 0;
	case LX_SO_REUSEADDR: *ret = s->reuseaddr; return 0;
	case LX_SO_REUSEPORT: *ret = s->reuseport; return 0;
	case LX_SO_TYPE: *ret = s->type; return 0;
	case LX_SO_PROTOCOL: *ret = s->protocol; return 0;
	case LX_SO_DOMAIN: *ret = s->family; return 0;
	case LX_SO_ERROR: *ret = -socket_take_error(s); return 0;
	case LX_SO_DONTROUTE: *ret = s->dontroute; return 0;
	case LX_SO_BROADCAST: *ret = s->broadcast; return 0;
	case LX_SO_SNDBUF: *ret = (int)s->sndbuf; return 0;
	case LX_SO_RCVBUF: *ret = (int)s->rcvbuf; return 0;
	case LX_SO_KEEPALIVE: *ret = s->keepalive; return 0;
	case LX_SO_OOBINLINE: *ret = s->oobinline; return 0;
	case LX_SO_PRIORITY: *ret = (int)s->priority; return 0;
	case LX_SO_MARK: *ret = (int)s->mark; return 0;
	case LX_SO_RCVLOWAT: *ret = (int)s->rcvlowat; return 0;
	case LX_SO_SNDLOWAT: *ret = 1; return 0;
	case LX_SO_ACCEPTCONN: *ret = s->listening; return 0;
	case LX_SO_PASSCRED: *ret = s->passcred; return 0;
	case LX_SO_TIMESTAMP: case LX_SO_TIMESTAMPNS: case LX_SO_TIMESTAMPNS_NEW: *ret = s->timestamp == name; return 0;
	case LX_SO_TIMESTAMP_NEW: *ret = s->timestamp == LX_SO_TIMESTAMP_NEW || s->timestamp == LX_SO_TIMESTAMPNS_NEW; return 0;
	case LX_SO_INCOMING_CPU: *ret = 0; return 0;
	case LX_SO_INCOMING_NAPI_ID: *ret = 0; return 0;
	case LX_SO_PEEK_OFF: *ret = -1; return s->family == LX_AF_UNIX ? 0 : -EOPNOTSUPP;
	default: return -ENOPROTOOPT;
	}
}

COLD int sock_getsockopt(struct socket *s, int level, int name, void *val, u32 *len)
{
	struct lx_linger l = { s->linger_s >= 0, MAX(s->linger_s, 0) };
	struct lx_ucred nobody = { 0, UINT32_MAX, UINT32_MAX };
	u64 cookie = s->ino;
	int v, r;

	if ((s32)*len < 0)
		return -EINVAL;
	if (level != LX_SOL_SOCKET)
		return s->ops->getsockopt ? s->ops->getsockopt(s, level, name, val, len) : -EOPNOTSUPP;
	switch (name) {
	case LX_SO_LINGER:
		return put(val, len, &l, sizeof(l));
	case LX_SO_RCVTIMEO: case LX_SO_RCVTIMEO_NEW:
		return put_timeout(val, len, s->rcvtimeo_ns);
	case LX_SO_SNDTIMEO: case LX_SO_SNDTIMEO_NEW:
		return put_timeout(val, len, s->sndtimeo_ns);
	case LX_SO_COOKIE:
		return *len < sizeof(cookie) ? -EINVAL : put(val, len, &cookie, sizeof(cookie));
	case LX_SO_PEERCRED:
		return s->family == LX_AF_UNIX ? s->ops->getsockopt(s, level, name, val, len) : put(val, len, &nobody, sizeof(nobody));
	case LX_SO_PEERGROUPS:
		return s->family == LX_AF_UNIX ? s->ops->getsockopt(s, level, name, val, len) : -ENODATA;
	case LX_SO_PEERNAME: {
		struct sock_addr a = { 0 };
		r = s->ops->getname(s, true, &a);
		if (r < 0)
			return r;
		return a.len < *len ? -EINVAL : put(val, len, a.bytes, a.len);
	}
	}
	r = get_value(s, name, &v);
	if (r == 0)
		return put(val, len, &v, sizeof(v));
	return r == -ENOPROTOOPT && s->ops->getsockopt ? s->ops->getsockopt(s, level, name, val, len) : r;
}
