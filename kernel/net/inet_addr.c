/*
 * inet_addr.c - addresses and ports: parsing, binding as Linux allows it, routes, names.
 *
 * Who owns a port is decided here, by Linux's rules, and not by lwIP: every socket that has a
 * port is on inet_bound. lwIP is told SO_REUSEADDR for each of its pcbs so that it never objects.
 *
 * Locks: all under inet_core.
 */
#include "net/inet_impl.h"
#include "lwip/ip.h"

/* The range that Linux gives out by itself. */
#define PORT_FIRST 32768u
#define PORT_LAST  60999u

struct list inet_bound = LIST_INIT(inet_bound);

int inet_addr_parse(const struct sock_addr *a, u32 *ret_addr, u16 *ret_port)
{
	struct lx_sockaddr_in in;

	if (a->len < sizeof(in))
		return -EINVAL;
	memcpy(&in, a->bytes, sizeof(in));
	if (in.family != LX_AF_INET)
		return -EAFNOSUPPORT;
	*ret_addr = in.addr;
	*ret_port = lwip_ntohs(in.port);
	return 0;
}

void inet_addr_fill(struct sock_addr *ret, u32 addr, u16 port)
{
	struct lx_sockaddr_in in = { .family = LX_AF_INET, .port = lwip_htons(port), .addr = addr };

	memcpy(ret->bytes, &in, sizeof(in));
	ret->len = sizeof(in);
}

int inet_errno(err_t e)
{
	switch (e) {
	case ERR_OK: return 0;
	case ERR_MEM: case ERR_BUF: return -ENOBUFS;
	case ERR_TIMEOUT: return -ETIMEDOUT;
	case ERR_RTE: return -ENETUNREACH;
	case ERR_USE: return -EADDRINUSE;
	case ERR_ALREADY: return -EALREADY;
	case ERR_ISCONN: return -EISCONN;
	case ERR_CONN: case ERR_CLSD: return -ENOTCONN;
	case ERR_RST: return -ECONNRESET;
	case ERR_ABRT: return -ECONNABORTED;
	default: return -EINVAL;
	}
}

/* ---- Ports ---- */

static bool addresses_clash(u32 a, u32 b) { return a == 0 || b == 0 || a == b; }

/* A connection that outlived its socket, or was accepted, still holds the port for those without SO_REUSEADDR. */
static bool pcbs_hold(u32 addr, u16 port)
{
	for (struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
		if (p->local_port == port && addresses_clash(addr, ip_2_ip4(&p->local_ip)->addr))
			return true;
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->local_port == port && addresses_clash(addr, ip_2_ip4(&p->local_ip)->addr))
			return true;
	return false;
}

static bool port_taken(const struct inet_sock *s, u32 addr, u16 port)
{
	struct inet_sock *o;

	list_for_each_entry(o, &inet_bound, bound_link) {
		if (o == s || o->lport != port || o->sock.type != s->sock.type || !addresses_clash(addr, o->laddr))
			continue;
		if (s->ifindex && o->ifindex && s->ifindex != o->ifindex)
			continue;
		if (s->sock.reuseport && o->sock.reuseport)
			continue;
		if (s->sock.reuseaddr && o->sock.reuseaddr && o->state != INET_LISTEN)
			continue;
		return true;
	}
	return s->sock.type == LX_SOCK_STREAM && !s->sock.reuseaddr && !s->sock.reuseport && pcbs_hold(addr, port);
}

static u16 port_choose(const struct inet_sock *s, u32 addr)
{
	unsigned count = PORT_LAST - PORT_FIRST + 1, at = (unsigned)random_below(count);

	for (unsigned i = 0; i < count; i++, at = at + 1 == count ? 0 : at + 1)
		if (!port_taken(s, addr, (u16)(PORT_FIRST + at)))
			return (u16)(PORT_FIRST + at);
	return 0;
}

int inet_bind_port(struct inet_sock *s, u32 addr, u16 port)
{
	if (port == 0) {
		port = port_choose(s, addr);
		if (port == 0)
			return -EADDRINUSE;
	} else if (port_taken(s, addr, port)) {
		return -EADDRINUSE;
	}
	s->laddr = addr;
	s->lport = port;
	s->bound = true;
	list_append(&inet_bound, &s->bound_link);
	return 0;
}

void inet_unbind(struct inet_sock *s)
{
	list_remove(&s->bound_link);
	s->bound = false;
	s->bound_addr = false;
	s->laddr = 0;
	s->lport = 0;
}

/* ---- Routes ---- */

int inet_route(const struct inet_sock *s, u32 dst, struct netif **ret, u32 *ret_src)
{
	ip4_addr_t to = { dst }, from = { s->laddr };
	struct netif *n = s->ifindex ? inet_netif_by_index(s->ifindex) : NULL;

	if (inet_addr_is_own(dst))
		n = &inet_lo;
	else if (ip4_addr_ismulticast(&to) && s->mcast_if)
		n = s->mcast_if == ip4_addr_get_u32(netif_ip4_addr(&inet_lo)) ? &inet_lo : &inet_eth;
	if (!n)
		n = ip4_route_src(&from, &to);
	if (!n || (n == &inet_eth && !inet_dev))
		return -ENETUNREACH;
	*ret = n;
	if (s->laddr && !ip4_addr_ismulticast(&from) && s->laddr != IPADDR_BROADCAST)
		*ret_src = s->laddr;
	else if (n == &inet_lo)
		*ret_src = (u8)dst != 127 && inet_addr_is_own(dst) ? dst : PP_HTONL(0x7f000001);
	else
		*ret_src = ip4_addr_get_u32(netif_ip4_addr(n));
	return 0;
}

int inet_getname(struct socket *sock, bool peer, struct sock_addr *ret)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = 0;

	inet_lock();
	if (!peer) {
		inet_addr_fill(ret, s->laddr, s->lport);
	} else if (sock->type == LX_SOCK_STREAM ? s->state != INET_OPEN : !s->connected) {
		r = -ENOTCONN;
	} else {
		inet_addr_fill(ret, s->raddr, s->rport);
	}
	inet_unlock();
	return r;
}
