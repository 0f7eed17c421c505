/*
 * inet_udp.c - UDP sockets, and the making of AF_INET sockets.
 *
 * Datagrams wait on the socket as the pbufs they came in, each with its addresses. SO_REUSEPORT
 * sockets on one port share the load by a hash of the sender, as on Linux.
 *
 * Invariant (I1): dgram_bytes is the sum over dgrams of what each costs (its memory, about);
 * beyond rcvbuf newer datagrams are dropped and counted.
 *
 * Locks: inet_core.
 */
#include "net/inet_impl.h"
#include "lwip/igmp.h"
#include "lwip/ip.h"

#define UDP_PAYLOAD_MAX 65507u

COUNTER(inet_udp_overflow);

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16 port);

/* ---- Making ---- */

struct inet_sock *inet_sock_alloc(int type, int protocol)
{
	struct inet_sock *s = heap_alloc(sizeof(*s));

	if (!s)
		return NULL;
	bool tcp = type == LX_SOCK_STREAM;
	socket_init(&s->sock, tcp ? &inet_tcp_ops : &inet_udp_ops, LX_AF_INET, type, protocol);
	/* Linux's defaults, which programs read. */
	s->sock.rcvbuf = tcp ? 131072 : 212992;
	s->sock.sndbuf = tcp ? 16384 : 212992;
	s->sndlimit = UINT32_MAX;
	s->ttl = 64;
	s->mcast_ttl = 1;
	s->mcast_loop = true;
	s->mtu_discover = 1;
	s->keepidle_s = 7200;
	s->keepintvl_s = 75;
	s->keepcnt = 9;
	s->syncnt = 6;
	s->linger2_s = 60;
	list_init(&s->bound_link);
	list_init(&s->accepts);
	list_init(&s->accept_link);
	list_init(&s->followers);
	list_init(&s->follow_link);
	list_init(&s->dgrams);
	return s;
}

int inet_socket_create(int type, int protocol, struct socket **ret)
{
	struct inet_sock *s;

	switch (type) {
	case LX_SOCK_STREAM:
		if (protocol != 0 && protocol != LX_IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		protocol = LX_IPPROTO_TCP;
		break;
	case LX_SOCK_DGRAM:
		if (protocol == LX_IPPROTO_ICMP)
			return -EACCES;  /* as Linux with its default ping_group_range */
		if (protocol != 0 && protocol != LX_IPPROTO_UDP)
			return -EPROTONOSUPPORT;
		protocol = LX_IPPROTO_UDP;
		break;
	case LX_SOCK_RAW:
		return protocol == 0 ? -EPROTONOSUPPORT : -EPERM;
	default:
		return -ESOCKTNOSUPPORT;
	}
	s = inet_sock_alloc(type, protocol);
	if (!s)
		return -ENOBUFS;
	if (type == LX_SOCK_DGRAM) {
		int r = inet_udp_open(s);
		if (r < 0) {
			heap_free(s);
			return r;
		}
	}
	*ret = &s->sock;
	return 0;
}

int inet_udp_open(struct inet_sock *s)
{
	inet_lock();
	s->udp = udp_new();
	if (s->udp) {
		udp_recv(s->udp, on_datagram, s);
		ip_set_option(s->udp, SOF_REUSEADDR);
		inet_options_apply(s);
	}
	inet_unlock();
	return s->udp ? 0 : -ENOBUFS;
}

/* ---- Receiving ---- */

static u32 dgram_cost(const struct pbuf *p) { return p->tot_len + 256u; }

/* Among SO_REUSEPORT sockets on the same port, the one that this sender's datagrams go to. */
static struct inet_sock *reuseport_choose(struct inet_sock *s, u32 src, u16 sport)
{
	struct inet_sock *o;
	unsigned n = 0, want;

	if (!s->sock.reuseport || s->connected)
		return s;
	list_for_each_entry(o, &inet_bound, bound_link)
		n += o->sock.type == LX_SOCK_DGRAM && o->lport == s->lport && o->laddr == s->laddr && o->sock.reuseport && !o->connected;
	if (n < 2)
		return s;
	want = (unsigned)(((u64)(src ^ (u32)sport * 0x9e3779b1u) * 0x9e3779b97f4a7c15ull >> 33) % n);
	list_for_each_entry(o, &inet_bound, bound_link)
		if (o->sock.type == LX_SOCK_DGRAM && o->lport == s->lport && o->laddr == s->laddr && o->sock.reuseport && !o->connected && want-- == 0)
			return o;
	return s;
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16 port)
{
	struct inet_sock *s = arg;
	u32 src = ip_2_ip4(addr)->addr;
	struct inet_dgram *d;

	if (!ip4_addr_ismulticast(ip4_current_dest_addr()))
		s = reuseport_choose(s, src, port);
	if (s->dgram_bytes + dgram_cost(p) > s->sock.rcvbuf || s->rcv_shut) {
		counter_bump(inet_udp_overflow);
		pbuf_free(p);
		return;
	}
	d = mem_malloc(sizeof(*d));
	if (!d) {
		counter_bump(inet_udp_overflow);
		pbuf_free(p);
		return;
	}
	d->p = p;
	d->src = src;
	d->sport = port;
	d->dst = ip4_current_dest_addr()->addr;
	d->ttl = ip4_current_header()->_ttl;
	d->tos = ip4_current_header()->_tos;
	d->ifindex = netif_get_index(ip_current_input_netif());
	d->time_ns = s->sock.timestamp ? arch_clock_mono_ns() + arch_clock_real_offset_ns() : 0;
	s->dgram_bytes += dgram_cost(p);
	list_append(&s->dgrams, &d->link);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
}

static void dgram_free(struct inet_dgram *d)
{
	pbuf_free(d->p);
	mem_free(d);
}

static void fill_meta(const struct inet_sock *s, const struct inet_dgram *d, struct sock_msg *m)
{
	if (m->addr)
		inet_addr_fill(m->addr, d->src, d->sport);
	m->timestamp_ns = s->sock.timestamp ? d->time_ns : 0;
	m->has_pktinfo = s->pktinfo;
	m->pktinfo_ifindex = d->ifindex;
	m->pktinfo_addr = d->dst;
}

/* Hand out the first datagram. */
static ssize_t take_datagram(struct inet_sock *s, struct sock_msg *m)
{
	struct inet_dgram *d = list_entry(s->dgrams.next, struct inet_dgram, link);
	u32 len = d->p->tot_len;
	size_t n = MIN((size_t)len, m->uio->resid), done = 0;

	for (struct pbuf *p = d->p; p && done < n; p = p->next) {
		size_t k = MIN((size_t)p->len, n - done);
		size_t put = uio_put(m->uio, p->payload, k);
		done += put;
		if (put < k)
			break;
	}
	fill_meta(s, d, m);
	if (len > n)
		m->ret_flags |= LX_MSG_TRUNC;
	if (!(m->flags & LX_MSG_PEEK)) {
		list_remove(&d->link);
		s->dgram_bytes -= dgram_cost(d->p);
		dgram_free(d);
	}
	if (done < n)
		return -EFAULT;
	return m->flags & LX_MSG_TRUNC ? (ssize_t)len : (ssize_t)n;
}

static ssize_t udp_op_recv(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	bool nonblock = m->nonblock || (m->flags & LX_MSG_DONTWAIT), looked = false;
	u64 deadline = socket_deadline(sock->rcvtimeo_ns);
	ssize_t r;

	if (m->flags & LX_MSG_ERRQUEUE)
		return -EAGAIN;
	for (;;) {
		inet_lock();
		r = socket_take_error(sock);
		bool have = !list_empty(&s->dgrams);
		if (r == 0 && have)
			r = take_datagram(s, m);
		inet_unlock();
		if (r < 0 || have)
			return r;
		if (s->rcv_shut)
			return 0;
		if (!looked) {
			looked = true;
			inet_drain();
			continue;
		}
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->dgram_bytes) || READ_ONCE(sock->error) || READ_ONCE(s->rcv_shut), deadline);
		if (r == -ETIMEDOUT)
			return -EAGAIN;
		if (r < 0)
			return socket_interrupted(sock->rcvtimeo_ns);
		looked = false;
	}
}

/* ---- Sending ---- */

static int udp_autobind(struct inet_sock *s)
{
	ip4_addr_t any = { s->laddr };
	int r = inet_bind_port(s, s->laddr, 0);

	return r < 0 ? -EAGAIN : inet_errno(udp_bind(s->udp, &any, s->lport));
}

static int send_to(struct inet_sock *s, struct sock_msg *m, u32 dst, u16 port)
{
	size_t len = m->uio->resid;
	struct netif *n;
	u32 src;
	int r = inet_route(s, dst, &n, &src);

	if (r < 0)
		return r;
	ip4_addr_t to = { dst }, from = { src };
	if (!s->sock.broadcast && ip4_addr_isbroadcast_u32(dst, n))
		return -EACCES;
	if (n == &inet_eth && src == 0)
		return -ENETUNREACH;
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16)len, PBUF_RAM);
	if (!p)
		return -ENOBUFS;
	if (uio_get(m->uio, p->payload, len) < len) {
		pbuf_free(p);
		return -EFAULT;
	}
	s->udp->ttl = s->ttl;
	s->udp->mcast_ttl = s->mcast_ttl;
	err_t e = udp_sendto_if_src(s->udp, p, &to, port, n, &from);
	pbuf_free(p);
	return inet_errno(e);
}

static ssize_t udp_op_send(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	size_t len = m->uio->resid;
	u32 addr = 0;
	u16 port = 0;
	int r;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (len > UDP_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (m->addr && m->addr->len) {
		if (m->addr->len < 16)
			return -EINVAL;
		r = inet_addr_parse(m->addr, &addr, &port);
		if (r < 0) {
			/* Linux takes AF_UNSPEC as AF_INET here. */
			if (r != -EAFNOSUPPORT || m->addr->family != LX_AF_UNSPEC)
				return r;
			memcpy(&addr, m->addr->bytes + 4, 4);
			memcpy(&port, m->addr->bytes + 2, 2);
			port = lwip_ntohs(port);
		}
		if (port == 0)
			return -EINVAL;
	}
	inet_lock();
	/* As Linux: any attempt gives the socket a port. */
	r = s->bound ? 0 : udp_autobind(s);
	if (r == 0)
		r = socket_take_error(sock);
	if (r == 0 && s->snd_shut)
		r = -EPIPE;
	if (r == 0 && port == 0) {
		addr = s->raddr;
		port = s->rport;
		r = s->connected ? 0 : -EDESTADDRREQ;
	}
	if (r == 0)
		r = send_to(s, m, addr ? addr : PP_HTONL(0x7f000001), port);
	inet_unlock();
	return r < 0 ? r : (ssize_t)len;
}

/* ---- Addresses ---- */

static int udp_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct inet_sock *s = inet_sock_of(sock);
	u32 addr;
	u16 port;
	int r = inet_addr_parse(a, &addr, &port);

	if (r < 0)
		return r;
	ip4_addr_t ip = { addr };
	inet_lock();
	if (s->bound)
		r = -EINVAL;
	else if (addr && !s->freebind && !inet_addr_is_own(addr) && !ip4_addr_ismulticast(&ip) && !ip4_addr_isbroadcast_u32(addr, &inet_eth))
		r = -EADDRNOTAVAIL;
	else
		r = inet_bind_port(s, addr, port);
	if (r == 0) {
		s->bound_by_name = true;
		s->bound_addr = addr != 0;
		r = inet_errno(udp_bind(s->udp, &ip, s->lport));
		if (r < 0)
			inet_unbind(s);
	}
	inet_unlock();
	return r;
}

static int udp_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
{
	struct inet_sock *s = inet_sock_of(sock);
	u32 addr, src;
	u16 port;
	struct netif *n;
	int r;

	if (a->len < 2)
		return -EINVAL;
	inet_lock();
	if (a->family == LX_AF_UNSPEC) {
		udp_disconnect(s->udp);
		s->connected = false;
		s->raddr = 0;
		s->rport = 0;
		if (!s->bound_addr && s->bound) {
			s->laddr = 0;
			ip4_addr_set_any(ip_2_ip4(&s->udp->local_ip));
		}
		r = 0;
		goto out;
	}
	r = inet_addr_parse(a, &addr, &port);
	if (r < 0)
		goto out;
	if (!addr)
		addr = PP_HTONL(0x7f000001);
	if (s->connected && !s->bound_addr)
		s->laddr = 0;
	r = inet_route(s, addr, &n, &src);
	if (r < 0)
		goto out;
	if (!s->sock.broadcast && ip4_addr_isbroadcast_u32(addr, n)) {
		r = -EACCES;
		goto out;
	}
	if (n == &inet_eth && src == 0) {
		r = -ENETUNREACH;
		goto out;
	}
	if (!s->bound) {
		r = udp_autobind(s);
		if (r < 0)
			goto out;
	}
	ip4_addr_t to = { addr };
	s->laddr = src;
	ip4_addr_set_u32(ip_2_ip4(&s->udp->local_ip), src);
	r = inet_errno(udp_connect(s->udp, &to, port));
	if (r == 0) {
		s->connected = true;
		s->raddr = addr;
		s->rport = port;
	}
out:
	inet_unlock();
	return r;
}

static int udp_op_shutdown(struct socket *sock, int how)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r;

	inet_lock();
	r = s->connected ? 0 : -ENOTCONN;
	if (how != LX_SHUT_WR)
		s->rcv_shut = true;
	if (how != LX_SHUT_RD)
		s->snd_shut = true;
	inet_unlock();
	waitq_wake(&sock->waitq, SOCK_WAKE_ALL, ~0u);
	return r;
}

void inet_udp_icmp(u32 laddr, u16 lport, u32 raddr, u16 rport, int error, bool hard)
{
	struct inet_sock *s;

	list_for_each_entry(s, &inet_bound, bound_link) {
		if (s->sock.type != LX_SOCK_DGRAM || s->lport != lport || (s->laddr && s->laddr != laddr))
			continue;
		/* Linux: a connected socket hears of hard errors; any socket with IP_RECVERR hears of all. */
		if (s->connected ? s->raddr != raddr || s->rport != rport || (!hard && !s->recverr) : !s->recverr)
			continue;
		socket_set_error(&s->sock, error);
		waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
	}
}

/* ---- The rest ---- */

static u32 udp_op_poll(struct socket *sock, struct poll_table *pt)
{
	struct inet_sock *s = inet_sock_of(sock);
	u32 mask = POLL_OUT | POLL_WRNORM;

	poll_add(pt, &sock->waitq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(s->dgram_bytes) || READ_ONCE(s->rcv_shut))
		mask |= SOCK_WAKE_IN;
	if (READ_ONCE(s->rcv_shut))
		mask |= POLL_RDHUP;
	if (READ_ONCE(s->rcv_shut) && READ_ONCE(s->snd_shut))
		mask |= POLL_HUP;
	if (READ_ONCE(sock->error))
		mask |= POLL_ERR;
	return mask;
}

static int udp_op_pending(struct socket *sock, bool output)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = 0;

	inet_lock();
	if (!output && !list_empty(&s->dgrams))
		r = list_entry(s->dgrams.next, struct inet_dgram, link)->p->tot_len;
	inet_unlock();
	return r;
}

static void udp_op_release(struct socket *sock)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct list *l;

	inet_lock();
	udp_remove(s->udp);
	while ((l = list_pop(&s->dgrams)))
		dgram_free(list_entry(l, struct inet_dgram, link));
	if (s->bound)
		inet_unbind(s);
	inet_unlock();
	heap_free(s);
}

const struct sock_ops inet_udp_ops = {
	.bind = udp_op_bind,
	.connect = udp_op_connect,
	.getname = inet_getname,
	.send = udp_op_send,
	.recv = udp_op_recv,
	.shutdown = udp_op_shutdown,
	.poll = udp_op_poll,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.pending = udp_op_pending,
	.release = udp_op_release,
};
