/*
 * inet_udp.c - UDP sockets.
 *
 * Datagrams wait on the socket as the pbufs they came in, each with its addresses. SO_REUSEPORT
 * sockets on one port share the load by a hash of the sender, as on Linux.
 *
 * Invariants:
 *  (I1) dgram_bytes is the sum over dgrams of what each costs (its memory, about); beyond rcvbuf newer
 *       datagrams are dropped and counted.
 *  (I2) the pcb says what the socket says: every change of laddr, lport, raddr, connected or v6only
 *       ends in pcb_follow.
 *
 * Locks: inet_core.
 */
#include "net/inet_impl.h"
#include "base/link.h"
#include "lwip/ip.h"

#define UDP_PAYLOAD_MAX  65507u
#define UDP6_PAYLOAD_MAX 65487u      /* lengths are 16 bits in lwIP, headers included */

COUNTER(inet_udp_overflow);

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16 port);

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

/* (I2) */
static void pcb_follow(struct inet_sock *s)
{
	struct udp_pcb *p = s->udp;
	bool both = IP_IS_V6_VAL(s->laddr) && !s->v6only && !s->connected && ip_addr_isany_val(s->laddr);

	p->local_ip = s->laddr;
	if (both)
		IP_SET_TYPE_VAL(p->local_ip, IPADDR_TYPE_ANY);
	p->local_port = s->lport;
	p->remote_ip = s->raddr;
	p->remote_port = s->rport;
	if (s->connected)
		p->flags |= UDP_FLAGS_CONNECTED;
	else
		p->flags &= (u8)~UDP_FLAGS_CONNECTED;
	if (s->bound && !s->listed) {
		p->next = udp_pcbs;
		udp_pcbs = p;
		s->listed = true;
	}
}

/* ---- Receiving ---- */

static u32 dgram_cost(const struct pbuf *p) { return p->tot_len + 256u; }

static u64 source_hash(const ip_addr_t *src, u16 sport)
{
	u64 h = (u64)sport * 0x9e3779b1u;

	if (IP_IS_V6(src))
		for (unsigned i = 0; i < 4; i++)
			h = (h ^ ip_2_ip6(src)->addr[i]) * 0x9e3779b97f4a7c15ull;
	else
		h ^= inet_v4(src);
	return h * 0x9e3779b97f4a7c15ull >> 33;
}

/* Among SO_REUSEPORT sockets on the same port, the one that this sender's datagrams go to. */
static struct inet_sock *reuseport_choose(struct inet_sock *s, const ip_addr_t *src, u16 sport)
{
	struct list *b = inet_port_bucket(s->lport);
	struct inet_sock *o;
	unsigned n = 0, want;

	if (!s->sock.reuseport || s->connected)
		return s;
	list_for_each_entry(o, b, bound_link)
		n += o->sock.type == LX_SOCK_DGRAM && o->lport == s->lport && o->sock.reuseport && !o->connected && inet_addr_same(o, s);
	if (n < 2)
		return s;
	want = (unsigned)(source_hash(src, sport) % n);
	list_for_each_entry(o, b, bound_link)
		if (o->sock.type == LX_SOCK_DGRAM && o->lport == s->lport && o->sock.reuseport && !o->connected && inet_addr_same(o, s) && want-- == 0)
			return o;
	return s;
}

/* What the headers say of the datagram being delivered. */
static void dgram_describe(struct inet_dgram *d)
{
	ip_addr_copy(d->dst, *ip_current_dest_addr());
	d->ifindex = netif_get_index(ip_current_input_netif());
	if (ip_current_is_v6()) {
		d->ttl = IP6H_HOPLIM(ip6_current_header());
		d->tos = (u8)IP6H_TC(ip6_current_header());
	} else {
		d->ttl = ip4_current_header()->_ttl;
		d->tos = ip4_current_header()->_tos;
	}
}

static bool wanted(const struct inet_sock *s, const struct inet_dgram *d)
{
	if (s->rcv_shut || d->ttl < (IP_IS_V6_VAL(d->dst) ? s->ip->minhops : s->ip->minttl))
		return false;
	return !ip_addr_ismulticast(&d->dst) || inet_mcast_allows(s, &d->dst, &d->src, d->ifindex);
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16 port)
{
	struct inet_sock *s = arg;
	struct inet_dgram *d = mem_malloc(sizeof(*d));

	if (!d)
		goto overflow;
	d->p = p;
	ip_addr_copy(d->src, *addr);
	d->sport = port;
	dgram_describe(d);
	if (!ip_addr_ismulticast(&d->dst))
		s = reuseport_choose(s, addr, port);
	if (!wanted(s, d)) {
		mem_free(d);
		pbuf_free(p);
		return;
	}
	if (s->dgram_bytes + dgram_cost(p) > s->sock.rcvbuf)
		goto overflow;
	d->time_ns = s->sock.timestamp ? arch_clock_mono_ns() + arch_clock_real_offset_ns() : 0;
	s->dgram_bytes += dgram_cost(p);
	list_append(&s->dgrams, &d->link);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
	return;
overflow:
	counter_bump(inet_udp_overflow);
	if (d)
		mem_free(d);
	pbuf_free(p);
}

static void dgram_free(struct inet_dgram *d)
{
	pbuf_free(d->p);
	mem_free(d);
}

/* Where to answer from: the address that it came to, or the interface's. */
static u32 answer_from(const struct inet_dgram *d)
{
	struct netif *n = inet_netif_by_index(d->ifindex);

	if (inet_addr_is_own(&d->dst))
		return inet_v4(&d->dst);
	return n ? ip4_addr_get_u32(netif_ip4_addr(n)) : 0;
}

static void fill_control(const struct inet_sock *s, const struct inet_dgram *d, struct sock_control *c)
{
	const struct inet_ip_options *o = s->ip;
	bool v6 = IP_IS_V6_VAL(d->dst), family6 = s->sock.family == LX_AF_INET6;

	c->ifindex = d->ifindex;
	c->ttl = d->ttl;
	c->tos = d->tos;
	inet_addr_bytes(&d->dst, c->addr);
	if (!v6) {
		u32 from = answer_from(d);
		memcpy(c->spec_dst, &from, 4);
		c->has |= (o->pktinfo ? SOCK_CONTROL_PKTINFO : 0) | (o->recvttl ? SOCK_CONTROL_TTL : 0) | (o->recvtos ? SOCK_CONTROL_TOS : 0) |
			  (o->recvorigdst ? SOCK_CONTROL_ORIGDST : 0);
	} else {
		c->has |= (o->recvhoplimit ? SOCK_CONTROL_HOPLIMIT : 0) | (o->recvtclass ? SOCK_CONTROL_TCLASS : 0) | (o->recvorigdst6 ? SOCK_CONTROL_ORIGDST6 : 0);
	}
	if (family6 && o->pktinfo6)
		c->has |= SOCK_CONTROL_PKTINFO6;
	if (c->has & (SOCK_CONTROL_ORIGDST | SOCK_CONTROL_ORIGDST6)) {
		inet_addr_fill(v6 ? LX_AF_INET6 : LX_AF_INET, &c->offender, &d->dst, s->lport);
	}
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
	if (m->addr)
		inet_addr_fill(s->sock.family, m->addr, &d->src, d->sport);
	m->timestamp_ns = s->sock.timestamp ? d->time_ns : 0;
	if (m->control)
		fill_control(s, d, m->control);
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

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		inet_lock();
		if (m->flags & LX_MSG_ERRQUEUE) {
			r = inet_error_recv(s, m);
			inet_unlock();
			return r;
		}
		r = socket_take_error(sock);
		if (r == 0 && !list_empty(&s->dgrams)) {
			r = take_datagram(s, m);
			inet_unlock();
			return r;
		}
		bool shut = s->rcv_shut;
		inet_unlock();
		if (r < 0)
			return r;
		if (shut)
			return 0;
		if (!looked) {
			looked = true;
			inet_drain();
			continue;
		}
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->dgram_bytes) || READ_ONCE(s->rcv_shut) || READ_ONCE(sock->error), deadline);
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
	int r = inet_bind_port(s, 0);

	if (r == 0)
		pcb_follow(s);
	return r == -EADDRINUSE ? -EAGAIN : r;
}

/* The source that the program names with the datagram. */
static int source_of_control(const struct inet_sock *s, const struct sock_control *c, bool v6, struct netif **n, ip_addr_t *src)
{
	ip_addr_t a = { 0 };

	if (c->ifindex) {
		struct netif *named = inet_netif_by_index(c->ifindex);
		if (!named || (s->ifindex && s->ifindex != c->ifindex))
			return named ? -EINVAL : -ENODEV;
		if (*n != &inet_lo)
			*n = named;
	}
	if (v6) {
		memcpy(ip_2_ip6(&a)->addr, c->addr, 16);
		IP_SET_TYPE_VAL(a, IPADDR_TYPE_V6);
		ip6_addr_assign_zone(ip_2_ip6(&a), IP6_UNICAST, *n);
	} else {
		u32 addr;
		memcpy(&addr, c->addr + 12, 4);
		ip_addr_set_ip4_u32_val(a, addr);
	}
	if (ip_addr_isany_val(a))
		return 0;
	if (!inet_addr_is_own(&a) && !s->freebind)
		return -EINVAL;
	*src = a;
	return 0;
}

static err_t put_on_wire(struct inet_sock *s, struct pbuf *p, const struct inet_name *to, struct netif *n, const ip_addr_t *src)
{
	/* The pcb's own type must not stand in the way: both ends were chosen here. */
	u8 type = IP_GET_TYPE(&s->udp->local_ip);

	IP_SET_TYPE_VAL(s->udp->local_ip, IPADDR_TYPE_ANY);
	err_t e = udp_sendto_if_src(s->udp, p, &to->addr, to->port, n, src);
	IP_SET_TYPE_VAL(s->udp->local_ip, type);
	return e;
}

/* Our own members of the group hear it too, as if it had come in through the interface. */
static void loop_to_group(struct inet_sock *s, const u8 *data, u32 len, const struct inet_name *to, const ip_addr_t *src)
{
	bool v6 = IP_IS_V6_VAL(to->addr);
	struct pbuf *p;

	if (!(v6 ? s->ip->mcast_loop6 : s->mcast_loop))
		return;
	p = pbuf_alloc(PBUF_TRANSPORT, (u16)len, PBUF_RAM);
	if (!p)
		return;
	memcpy(p->payload, data, len);
	inet_lo_pretend(&inet_eth);
	(void)put_on_wire(s, p, to, &inet_lo, src);
	inet_lo_pretend(NULL);
	pbuf_free(p);
}

/* The pcb says how the next packet looks. */
static void pcb_dress(struct inet_sock *s, const struct inet_name *to, const struct sock_control *c)
{
	bool v6 = IP_IS_V6_VAL(to->addr), group = ip_addr_ismulticast(&to->addr);
	const struct inet_ip_options *o = s->ip;
	u8 hops = group ? v6 ? (u8)(o->mcast_hops6 < 0 ? 1 : o->mcast_hops6) : s->mcast_ttl : inet_hops(s, v6);

	s->udp->tos = inet_tos(s, v6);
	if (c && (c->has & SOCK_CONTROL_TTL) && c->ttl >= 0)
		hops = (u8)c->ttl;
	if (c && (c->has & SOCK_CONTROL_TOS) && c->tos >= 0)
		s->udp->tos = (u8)c->tos;
	s->udp->ttl = s->udp->mcast_ttl = hops;
	if (s->no_check)
		s->udp->flags |= UDP_FLAGS_NOCHKSUM;
	else
		s->udp->flags &= (u8)~UDP_FLAGS_NOCHKSUM;
}

static int transmit(struct inet_sock *s, struct uio *u, const struct inet_name *to, struct netif *n, const ip_addr_t *src)
{
	size_t len = u->resid;
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16)len, PBUF_RAM);

	if (!p)
		return -ENOBUFS;
	if (uio_get(u, p->payload, len) < len) {
		pbuf_free(p);
		return -EFAULT;
	}
	if (ip_addr_ismulticast(&to->addr) && n == &inet_eth)
		loop_to_group(s, p->payload, p->tot_len, to, src);
	int r = inet_errno(put_on_wire(s, p, to, n, src));
	pbuf_free(p);
	return r;
}

static int send_to(struct inet_sock *s, struct sock_msg *m, const struct inet_name *to)
{
	size_t len = m->uio->resid;
	bool v6 = IP_IS_V6_VAL(to->addr);
	struct netif *n;
	ip_addr_t from;
	int r = inet_route(s, &to->addr, &n, &from);

	if (r < 0)
		return r;
	if (m->control && (m->control->has & (SOCK_CONTROL_PKTINFO | SOCK_CONTROL_PKTINFO6))) {
		r = source_of_control(s, m->control, v6, &n, &from);
		if (r < 0)
			return r;
	}
	if (!s->sock.broadcast && ip_addr_isbroadcast(&to->addr, n))
		return -EACCES;
	if (n == &inet_eth && ip_addr_isany_val(from))
		return -ENETUNREACH;
	if (len > (v6 ? UDP6_PAYLOAD_MAX : UDP_PAYLOAD_MAX))
		return -EMSGSIZE;
	/* Not to be cut, by the program's wish. */
	u8 discover = v6 ? s->ip->mtu_discover6 : s->mtu_discover;
	bool whole = discover == 2 || discover == 3 || (v6 && (s->ip->dontfrag || (m->control && (m->control->has & SOCK_CONTROL_DONTFRAG))));
	if (whole && len + 8 + (v6 ? IP6_HLEN : IP_HLEN) > inet_path_mtu(&to->addr))
		return -EMSGSIZE;
	pcb_dress(s, to, m->control);
	if (!v6 && n == &inet_eth && inet_fast_datagram(s->udp, m->uio, inet_v4(&from), inet_v4(&to->addr), to->port))
		return 0;
	return transmit(s, m->uio, to, n, &from);
}

/* A destination of sendto or connect: an AF_INET6 socket takes addresses of AF_INET too. */
static int udp_name(const struct inet_sock *s, const struct sock_addr *a, struct inet_name *ret)
{
	if (s->sock.family == LX_AF_INET6 && a->len >= sizeof(struct lx_sockaddr_in) && a->family == LX_AF_INET)
		return inet_addr_parse(LX_AF_INET, a, ret);
	return inet_addr_parse(s->sock.family, a, ret);
}

/* 1: none is given, the peer is meant. */
static int send_name(const struct inet_sock *s, const struct sock_msg *m, struct inet_name *ret)
{
	int r;

	if (!m->addr || !m->addr->len)
		return 1;
	if (s->sock.family == LX_AF_INET6 && m->addr->len >= 2 && m->addr->family == LX_AF_UNSPEC)
		return 1;
	r = udp_name(s, m->addr, ret);
	/* Linux takes AF_UNSPEC as AF_INET here. */
	if (r == -EAFNOSUPPORT && s->sock.family == LX_AF_INET && ret->family == LX_AF_UNSPEC)
		r = 0;
	if (r == -EAFNOSUPPORT && s->sock.family == LX_AF_INET6)
		r = -EINVAL;
	return r == 0 && ret->port == 0 ? -EINVAL : r;
}

static ssize_t udp_op_send(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	size_t len = m->uio->resid;
	struct inet_name to;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (len > 65535)
		return -EMSGSIZE;
	int r = send_name(s, m, &to);
	if (r < 0)
		return r;
	bool peer = r == 1;
	inet_lock();
	/* As Linux: any attempt gives the socket a port. */
	r = s->bound ? 0 : udp_autobind(s);
	if (r == 0)
		r = socket_take_error(sock);
	if (r == 0 && s->snd_shut)
		r = -EPIPE;
	if (r == 0 && peer) {
		to = (struct inet_name){ .addr = s->raddr, .port = s->rport };
		r = s->connected ? 0 : -EDESTADDRREQ;
	} else if (r == 0) {
		/* Linux sends to a link-local address without a scope by its first link. */
		if (IP_IS_V6_VAL(to.addr) && ip6_addr_islinklocal(ip_2_ip6(&to.addr)) && !to.scope && !s->ifindex)
			to.scope = inet_dev ? 2 : 1;
		r = inet_addr_settle(s, &to);
	}
	if (r == 0)
		r = send_to(s, m, &to);
	inet_unlock();
	return r < 0 ? r : (ssize_t)len;
}

/* ---- Addresses ---- */

static int udp_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct inet_name n;
	int r = inet_addr_parse_bind(sock->family, a, &n);

	if (r < 0)
		return r;
	inet_lock();
	r = inet_bind(s, &n);
	if (r == 0)
		pcb_follow(s);
	inet_unlock();
	return r;
}

static void dissolve(struct inet_sock *s)
{
	s->connected = false;
	inet_addr_clear(s, &s->raddr);
	s->rport = 0;
	if (!s->bound_addr)
		inet_addr_clear(s, &s->laddr);
	pcb_follow(s);
}

static int connect_to(struct inet_sock *s, struct inet_name *to)
{
	ip_addr_t src, before = s->laddr;
	struct netif *n;
	int r = inet_addr_settle(s, to);

	if (r < 0)
		return r == -ENETUNREACH && to->family == LX_AF_INET ? -EAFNOSUPPORT : r;
	if (!s->bound_addr)              /* what the last connect chose */
		inet_addr_clear(s, &s->laddr);
	r = inet_route(s, &to->addr, &n, &src);
	if (r == 0 && !s->sock.broadcast && ip_addr_isbroadcast(&to->addr, n))
		r = -EACCES;
	if (r == 0 && n == &inet_eth && ip_addr_isany_val(src))
		r = -ENETUNREACH;
	if (r == 0 && !s->bound)
		r = udp_autobind(s);
	if (r < 0) {
		s->laddr = before;
		return r;
	}
	s->laddr = src;
	s->connected = true;
	s->raddr = to->addr;
	s->rport = to->port;
	pcb_follow(s);
	return 0;
}

static int udp_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct inet_name to;
	int r = 0;

	if (a->len < 2)
		return -EINVAL;
	inet_lock();
	if (a->family == LX_AF_UNSPEC)
		dissolve(s);
	else
		r = udp_name(s, a, &to);
	if (r == 0 && a->family != LX_AF_UNSPEC)
		r = connect_to(s, &to);
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

/* Is the error about a datagram of s? */
static bool is_about(const struct inet_sock *s, const struct inet_icmp *e)
{
	bool any = ip_addr_isany_val(s->laddr);

	if (s->sock.type != LX_SOCK_DGRAM || s->lport != e->lport)
		return false;
	if (any ? IP_GET_TYPE(&s->laddr) != IP_GET_TYPE(&e->local) && (s->v6only || IP_IS_V4_VAL(s->laddr)) : !ip_addr_cmp(&s->laddr, &e->local))
		return false;
	return !s->connected || (s->rport == e->rport && ip_addr_cmp(&s->raddr, &e->remote));
}

void inet_udp_icmp(const struct inet_icmp *e)
{
	bool v6 = IP_IS_V6_VAL(e->local);
	struct inet_sock *s;

	list_for_each_entry(s, inet_port_bucket(e->lport), bound_link) {
		if (!is_about(s, e))
			continue;
		bool hard = e->hard || (e->error == -EMSGSIZE && (v6 ? s->ip->mtu_discover6 : s->mtu_discover) != 0);
		bool queue = v6 ? s->ip->recverr6 : s->ip->recverr;
		/* Linux: a connected socket hears of hard errors; one with IP_RECVERR hears of all. */
		if (!queue && (!hard || !s->connected))
			continue;
		if (queue)
			inet_error_queue(s, e);
		socket_set_error(&s->sock, e->error);
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
	if (READ_ONCE(sock->error) || READ_ONCE(s->errors))
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
	inet_sock_free(s);
	inet_unlock();
}

LINK_SLOT_OF(inet_setsockopt);
LINK_SLOT_OF(inet_getsockopt);
const struct sock_ops inet_udp_ops = {
	.bind = udp_op_bind,
	.connect = udp_op_connect,
	.getname = inet_getname,
	.send = udp_op_send,
	.recv = udp_op_recv,
	.shutdown = udp_op_shutdown,
	.poll = udp_op_poll,
	.setsockopt = LINK_SLOT(inet_setsockopt),
	.getsockopt = LINK_SLOT(inet_getsockopt),
	.pending = udp_op_pending,
	.release = udp_op_release,
};
