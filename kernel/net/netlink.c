/*
 * netlink.c - AF_NETLINK sockets: names, queues, options, readiness. What requests mean is in
 * netlink_msg.c and its siblings; the other end is always the kernel.
 *
 * Invariants:
 *  (I1) a port number is one socket's of its protocol; 0 is the kernel.
 *  (I2) what a socket's queue counts for is bounded by SO_RCVBUF; what does not fit is dropped and the
 *       socket says so with ENOBUFS (unless NETLINK_NO_ENOBUFS). A dump waits for room instead.
 *
 * Locks: netlink_lock; a datagram is copied to the program without it, held by a reference.
 * What can fail: memory.
 */
#include "net/netlink_impl.h"
#include "sched/random.h"

struct mutex netlink_lock = MUTEX_INIT(netlink_lock);
struct list netlink_sockets = LIST_INIT(netlink_sockets);
static const struct sock_ops netlink_ops;

static const struct netlink_protocol *const protocols[] = { &netlink_route, &netlink_diag, &netlink_uevent };

/* Events of devices: there are none to tell of, and none but the kernel may send them. */
static int uevent_request(const struct netlink_request *rq) { return netlink_fail(rq->ack, -EPERM, "missing CAP_SYS_ADMIN capability"); }
const struct netlink_protocol netlink_uevent = { LX_NETLINK_KOBJECT_UEVENT, 32, uevent_request };

int netlink_socket_create(int family, int type, int protocol, struct socket **ret)
{
	const struct netlink_protocol *p = NULL;
	struct netlink_sock *s;

	if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	for (unsigned i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i]->number == protocol)
			p = protocols[i];
	if (!p)
		return -EPROTONOSUPPORT;
	s = heap_alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	socket_init(&s->sock, &netlink_ops, LX_AF_NETLINK, type, protocol);
	s->sock.sndbuf = s->sock.rcvbuf = NETLINK_BUF;
	s->protocol = p;
	list_init(&s->msgs);
	mutex_lock(&netlink_lock);
	list_append(&netlink_sockets, &s->link);
	mutex_unlock(&netlink_lock);
	*ret = &s->sock;
	return 0;
}

static void datagram_put_locked(struct netlink_datagram *m)
{
	if (--m->refs == 0)
		heap_free(m);
}

static void netlink_op_release(struct socket *sock)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	struct list *l;

	mutex_lock(&netlink_lock);
	list_remove(&s->link);
	while ((l = list_pop(&s->msgs)))
		datagram_put_locked(list_entry(l, struct netlink_datagram, link));
	mutex_unlock(&netlink_lock);
	netlink_picture_free(s->picture);
	heap_free(s);
}

/* ---- Names ---- */

static bool port_taken(const struct netlink_sock *s, u32 portid)
{
	struct netlink_sock *o;

	list_for_each_entry(o, &netlink_sockets, link)
		if (o->bound && o->protocol == s->protocol && o->portid == portid)
			return true;
	return false;
}

/* The process's number, or, if that is taken, one above 2^31. N. */
static int autobind(struct netlink_sock *s)
{
	u32 portid = (u32)sock_identity.pid;

	if (s->bound)
		return 0;
	while (port_taken(s, portid))
		portid = (u32)random_u64() | 0x80000000u;
	s->portid = portid;
	s->bound = true;
	return 0;
}

static int check_address(const struct sock_addr *a, struct lx_sockaddr_nl *ret)
{
	if (a->len < sizeof(*ret) || a->family != LX_AF_NETLINK)
		return -EINVAL;
	memcpy(ret, a->bytes, sizeof(*ret));
	return 0;
}

static void set_groups(struct netlink_sock *s, u64 groups)
{
	s->grouped = true;
	s->groups = groups;
	if (groups && s->protocol == &netlink_route)
		netlink_event_begin();
}

static int netlink_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	struct lx_sockaddr_nl nl;
	int r = check_address(a, &nl);

	if (r < 0)
		return r;
	mutex_lock(&netlink_lock);
	if (s->bound)
		r = nl.pid != s->portid ? -EINVAL : 0;
	else if (nl.pid && port_taken(s, nl.pid))
		r = -EADDRINUSE;
	else if (!nl.pid)
		r = autobind(s);
	else
		s->portid = nl.pid;
	if (r == 0) {
		s->bound = true;
		if (nl.groups || s->groups)
			set_groups(s, (s->groups & ~0xffffffffull) | nl.groups);
	}
	mutex_unlock(&netlink_lock);
	return r;
}

static int netlink_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	struct lx_sockaddr_nl nl;
	int r = 0;

	if (a->len < sizeof(a->family))
		return -EINVAL;
	if (a->family == LX_AF_UNSPEC) {
		mutex_lock(&netlink_lock);
		s->dst_portid = s->dst_group = 0;
		mutex_unlock(&netlink_lock);
		return 0;
	}
	r = check_address(a, &nl);
	if (r < 0)
		return r;
	if (nl.pid || nl.groups)
		return -EPERM;           /* only the kernel may be talked to */
	mutex_lock(&netlink_lock);
	r = autobind(s);
	s->dst_portid = s->dst_group = 0;
	mutex_unlock(&netlink_lock);
	return r;
}

static void fill_address(struct sock_addr *ret, u32 pid, u32 groups)
{
	struct lx_sockaddr_nl nl = { .family = LX_AF_NETLINK, .pid = pid, .groups = groups };

	memcpy(ret->bytes, &nl, sizeof(nl));
	ret->len = sizeof(nl);
}

static int netlink_op_getname(struct socket *sock, bool peer, struct sock_addr *ret)
{
	struct netlink_sock *s = netlink_sock_of(sock);

	mutex_lock(&netlink_lock);
	if (peer)
		fill_address(ret, s->dst_portid, 0);
	else
		fill_address(ret, s->portid, (u32)s->groups);
	mutex_unlock(&netlink_lock);
	return 0;
}

/* ---- To the program ---- */

static void overrun(struct netlink_sock *s)
{
	if (s->options & NETLINK_OPT_NO_ENOBUFS || s->congested)
		return;
	s->congested = true;
	socket_set_error(&s->sock, -ENOBUFS);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
}

/* N. False: no memory. */
static bool enqueue(struct netlink_sock *s, const void *data, u32 len, u32 group)
{
	struct netlink_datagram *m = heap_alloc(sizeof(*m) + len);

	if (!m)
		return false;
	m->refs = 1;
	m->group = group;
	m->len = len;
	memcpy(m->data, data, len);
	list_append(&s->msgs, &m->link);
	s->nmsgs++;
	s->rx_bytes += len + NETLINK_OVERHEAD;
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
	return true;
}

void netlink_deliver(struct netlink_sock *s, const void *data, u32 len, u32 group)
{
	if (s->rx_bytes > s->sock.rcvbuf || s->congested || !enqueue(s, data, len, group))
		overrun(s);
}

int sock_netlink_tell(struct socket *sock, const void *data, size_t len)
{
	if (sock->family != LX_AF_NETLINK)
		return -EINVAL;
	mutex_lock(&netlink_lock);
	if (data)
		netlink_deliver(container_of(sock, struct netlink_sock, sock), data, (u32)len, 0);
	mutex_unlock(&netlink_lock);
	return 0;
}

void netlink_deliver_dump(struct netlink_sock *s, const void *data, u32 len)
{
	if (!enqueue(s, data, len, 0))
		overrun(s);
}

void netlink_broadcast(int protocol, u32 group, const void *data, u32 len)
{
	struct netlink_sock *s;

	list_for_each_entry(s, &netlink_sockets, link)
		if (s->protocol->number == protocol && s->groups >> (group - 1) & 1)
			netlink_deliver(s, data, len, group);
}

bool netlink_has_members(int protocol)
{
	struct netlink_sock *s;

	list_for_each_entry(s, &netlink_sockets, link)
		if (s->protocol->number == protocol && s->groups)
			return true;
	return false;
}

static struct netlink_datagram *first(struct netlink_sock *s)
{
	return list_empty(&s->msgs) ? NULL : list_entry(s->msgs.next, struct netlink_datagram, link);
}

/* The first datagram with a reference, taken off the queue unless peek; NULL: none. N. */
static struct netlink_datagram *take(struct netlink_sock *s, bool peek)
{
	struct netlink_datagram *m = first(s);

	if (!m)
		return NULL;
	if (peek) {
		m->refs++;
		return m;
	}
	list_remove(&m->link);
	s->nmsgs--;
	s->rx_bytes -= m->len + NETLINK_OVERHEAD;
	if (!s->nmsgs)
		s->congested = false;
	return m;
}

/* Wait for a datagram: 0 and it in *ret, or an error. */
static int next_datagram(struct netlink_sock *s, bool peek, bool nonblock, struct netlink_datagram **ret)
{
	u64 deadline = socket_deadline(s->sock.rcvtimeo_ns);
	int r;

	for (;;) {
		r = socket_take_error(&s->sock);
		if (r < 0)
			return r;
		mutex_lock(&netlink_lock);
		*ret = take(s, peek);
		mutex_unlock(&netlink_lock);
		if (*ret)
			return 0;
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&s->sock.waitq, READ_ONCE(s->nmsgs) || READ_ONCE(s->sock.error), deadline);
		if (r < 0)
			return r == -ETIMEDOUT ? -EAGAIN : socket_interrupted(s->sock.rcvtimeo_ns);
	}
}

static ssize_t netlink_op_recv(struct socket *sock, struct sock_msg *m)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	struct netlink_datagram *d;
	size_t room = m->uio->resid, n, put;
	ssize_t r;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	r = next_datagram(s, m->flags & LX_MSG_PEEK, m->nonblock || (m->flags & LX_MSG_DONTWAIT), &d);
	if (r < 0)
		return r;
	n = MIN((size_t)d->len, room);
	put = uio_put(m->uio, d->data, n);
	if (d->len > n)
		m->ret_flags |= LX_MSG_TRUNC;
	if (m->addr)
		fill_address(m->addr, 0, d->group && d->group <= 32 ? 1u << (d->group - 1) : 0);
	m->has_nl_group = READ_ONCE(s->options) & NETLINK_OPT_PKTINFO;
	m->nl_group = d->group;
	r = put < n ? -EFAULT : m->flags & LX_MSG_TRUNC ? (ssize_t)d->len : (ssize_t)n;
	mutex_lock(&netlink_lock);
	datagram_put_locked(d);
	room = MIN(room, (size_t)NETLINK_CHUNK_MAX);
	s->buffer_seen = MAX(s->buffer_seen, (u32)room);
	netlink_dump_more(s);
	mutex_unlock(&netlink_lock);
	return r;
}

/* ---- From the program ---- */

static int give_requests(struct netlink_sock *s, const u8 *data, size_t len)
{
	struct netlink_picture *p = s->protocol == &netlink_diag ? netlink_picture_new() : NULL;
	int r;

	mutex_lock(&netlink_lock);
	if (!s->dumping) {               /* else the dump goes on with its own */
		struct netlink_picture *old = s->picture;
		s->picture = p;
		p = old;
	}
	r = autobind(s);
	if (r == 0)
		netlink_requests(s, data, len);
	mutex_unlock(&netlink_lock);
	netlink_picture_free(p);
	return r;
}

static ssize_t netlink_op_send(struct socket *sock, struct sock_msg *m)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	size_t len = m->uio->resid;
	struct lx_sockaddr_nl nl;
	u8 *data;
	int r;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (!len)
		return -ENODATA;
	if (m->addr && m->addr->len) {
		r = check_address(m->addr, &nl);
		if (r < 0)
			return r;
		if (nl.pid || nl.groups)
			return -EPERM;
	}
	if (len > sock->sndbuf - 32)
		return -EMSGSIZE;
	data = heap_alloc(len);
	if (!data)
		return -ENOBUFS;
	r = uio_get(m->uio, data, len) < len ? -EFAULT : 0;
	if (r == 0)
		r = give_requests(s, data, len);
	heap_free(data);
	return r < 0 ? r : (ssize_t)len;
}

static int netlink_op_shutdown(struct socket *sock, int how) { return -EOPNOTSUPP; }

static int netlink_op_pending(struct socket *sock, bool output) { return -ENOTTY; }

static u32 netlink_op_poll(struct socket *sock, struct poll_table *pt)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	u32 mask = POLL_OUT | POLL_WRNORM | POLL_WRBAND;

	poll_add(pt, &sock->waitq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(s->nmsgs))
		mask |= SOCK_WAKE_IN;
	if (READ_ONCE(sock->error))
		mask |= POLL_ERR;
	return mask;
}

/* ---- Options ---- */

static u32 option_bit(int name)
{
	switch (name) {
	case LX_NETLINK_PKTINFO: return NETLINK_OPT_PKTINFO;
	case LX_NETLINK_BROADCAST_ERROR: return NETLINK_OPT_BROADCAST_ERROR;
	case LX_NETLINK_NO_ENOBUFS: return NETLINK_OPT_NO_ENOBUFS;
	case LX_NETLINK_CAP_ACK: return NETLINK_OPT_CAP_ACK;
	case LX_NETLINK_EXT_ACK: return NETLINK_OPT_EXT_ACK;
	case LX_NETLINK_GET_STRICT_CHK: return NETLINK_OPT_STRICT;
	default: return 0;
	}
}

/* N. */
static int membership(struct netlink_sock *s, u32 group, bool add)
{
	s->grouped = true;
	if (!group || group > s->protocol->ngroups)
		return -EINVAL;
	set_groups(s, add ? s->groups | 1ull << (group - 1) : s->groups & ~(1ull << (group - 1)));
	return 0;
}

static int netlink_op_setsockopt(struct socket *sock, int level, int name, const void *val, u32 len)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	u32 v = 0, bit = option_bit(name);
	int r = 0;

	if (level != LX_SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	if (name == LX_NETLINK_LISTEN_ALL_NSID)
		return -EPERM;
	mutex_lock(&netlink_lock);
	if (name == LX_NETLINK_ADD_MEMBERSHIP || name == LX_NETLINK_DROP_MEMBERSHIP)
		r = membership(s, v, name == LX_NETLINK_ADD_MEMBERSHIP);
	else if (!bit)
		r = -ENOPROTOOPT;
	else
		s->options = v ? s->options | bit : s->options & ~bit;
	if (bit == NETLINK_OPT_NO_ENOBUFS && v)
		s->congested = false;
	mutex_unlock(&netlink_lock);
	return r;
}

static int netlink_op_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len)
{
	struct netlink_sock *s = netlink_sock_of(sock);
	u32 bit = option_bit(name), v, n;
	u64 groups = s->groups;

	if (level != LX_SOL_NETLINK)
		return -ENOPROTOOPT;
	if (name == LX_NETLINK_LIST_MEMBERSHIPS) {
		n = !s->grouped ? 0 : s->protocol->ngroups <= 32 ? 4 : 8;
		memcpy(val, &groups, MIN(*len, n) & ~3u);
		*len = n;
		return 0;
	}
	if (!bit && name != LX_NETLINK_LISTEN_ALL_NSID)
		return -ENOPROTOOPT;
	if (*len < sizeof(v))
		return -EINVAL;
	v = (s->options & bit) != 0;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return 0;
}

static const struct sock_ops netlink_ops = {
	.bind = netlink_op_bind,
	.connect = netlink_op_connect,
	.getname = netlink_op_getname,
	.send = netlink_op_send,
	.recv = netlink_op_recv,
	.shutdown = netlink_op_shutdown,
	.poll = netlink_op_poll,
	.setsockopt = netlink_op_setsockopt,
	.getsockopt = netlink_op_getsockopt,
	.pending = netlink_op_pending,
	.release = netlink_op_release,
};
