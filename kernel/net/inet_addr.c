/*
 * inet_addr.c - addresses: reading and writing sockaddr_in and sockaddr_in6, what may be bound and reached, routes, names.
 *
 * Inside, an address is lwIP's ip_addr_t. An IPv4 address on an AF_INET6 socket is of type V4 here and
 * becomes the mapped kind (::ffff:a.b.c.d) only in what the program reads.
 *
 * Locks: all under inet_core.
 */
#include "net/inet_impl.h"
#include "lwip/ip.h"

#define SIN6_LEN_MIN 24u             /* without the scope, as RFC 2133 had it */

static int parse4(const struct sock_addr *a, struct inet_name *ret)
{
	struct lx_sockaddr_in in;

	if (a->len < sizeof(in))
		return -EINVAL;
	memcpy(&in, a->bytes, sizeof(in));
	ret->family = in.family;
	ret->port = lwip_ntohs(in.port);
	ip_addr_set_ip4_u32_val(ret->addr, in.addr);
	return in.family == LX_AF_INET ? 0 : -EAFNOSUPPORT;
}

int inet_addr_parse(int family, const struct sock_addr *a, struct inet_name *ret)
{
	struct lx_sockaddr_in6 in = { 0 };

	*ret = (struct inet_name){ 0 };
	if (family == LX_AF_INET)
		return parse4(a, ret);
	if (a->len < SIN6_LEN_MIN)
		return -EINVAL;
	memcpy(&in, a->bytes, MIN((size_t)a->len, sizeof(in)));
	ret->family = in.family;
	ret->port = lwip_ntohs(in.port);
	if (in.family != LX_AF_INET6)
		return -EAFNOSUPPORT;
	memcpy(ip_2_ip6(&ret->addr)->addr, in.addr, 16);
	IP_SET_TYPE_VAL(ret->addr, IPADDR_TYPE_V6);
	if (ip6_addr_isipv4mappedipv6(ip_2_ip6(&ret->addr))) {
		u32 v4 = ip_2_ip6(&ret->addr)->addr[3];
		memset(&ret->addr, 0, sizeof(ret->addr));
		ip_addr_set_ip4_u32_val(ret->addr, v4);
	} else if (ip6_addr_has_scope(ip_2_ip6(&ret->addr), IP6_UNKNOWN)) {
		ret->scope = in.scope_id;
	}
	return 0;
}

int inet_addr_parse_bind(int family, const struct sock_addr *a, struct inet_name *ret)
{
	int r = inet_addr_parse(family, a, ret);

	return r == -EAFNOSUPPORT && family == LX_AF_INET && ret->family == LX_AF_UNSPEC && ip_addr_isany_val(ret->addr) ? 0 : r;
}

void inet_addr_fill(int family, struct sock_addr *ret, const ip_addr_t *addr, u16 port)
{
	if (family == LX_AF_INET) {
		struct lx_sockaddr_in in = { .family = LX_AF_INET, .port = lwip_htons(port), .addr = inet_v4(addr) };
		memcpy(ret->bytes, &in, sizeof(in));
		ret->len = sizeof(in);
		return;
	}
	struct lx_sockaddr_in6 in = { .family = LX_AF_INET6, .port = lwip_htons(port) };
	inet_addr_bytes(addr, in.addr);
	if (IP_IS_V6(addr))
		in.scope_id = ip6_addr_zone(ip_2_ip6(addr));
	memcpy(ret->bytes, &in, sizeof(in));
	ret->len = sizeof(in);
}

void inet_addr_bytes(const ip_addr_t *a, u8 ret[16])
{
	u32 v4 = inet_v4(a);

	if (IP_IS_V6(a)) {
		memcpy(ret, ip_2_ip6(a)->addr, 16);
		return;
	}
	memset(ret, 0, 10);
	ret[10] = ret[11] = 0xff;
	memcpy(ret + 12, &v4, 4);
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

bool inet_addr_is_own(const ip_addr_t *a)
{
	return IP_IS_V6(a) ? inet_ip6_is_own(ip_2_ip6(a)) : inet_addr_is_own4(inet_v4(a));
}

/* ---- bind ---- */

/* The scope of a link-local address: a given one must fit the device, and there must be one. */
static int scope_settle(const struct inet_sock *s, struct inet_name *n, int none)
{
	ip6_addr_t *a = ip_2_ip6(&n->addr);
	u32 scope = n->scope ? n->scope : s->ifindex;

	if (!ip6_addr_has_scope(a, IP6_UNKNOWN))
		return 0;
	if (n->scope && s->ifindex && n->scope != s->ifindex)
		return -EINVAL;
	if (!scope)
		return none;
	if (!inet_netif_by_index(scope))
		return -ENODEV;
	ip6_addr_set_zone(a, (u8)scope);
	return 0;
}

static int bind_check4(const struct inet_sock *s, u32 addr)
{
	ip4_addr_t ip = { addr };

	if (addr && !s->freebind && !inet_addr_is_own4(addr) && !ip4_addr_ismulticast(&ip) && !ip4_addr_isbroadcast_u32(addr, &inet_eth))
		return -EADDRNOTAVAIL;
	return 0;
}

static int bind_check6(struct inet_sock *s, struct inet_name *n)
{
	const ip6_addr_t *a = ip_2_ip6(&n->addr);

	if (ip6_addr_isany(a))
		return 0;
	if (ip6_addr_islinklocal(a)) {
		int r = scope_settle(s, n, -EINVAL);
		if (r < 0)
			return r;
	}
	return ip6_addr_ismulticast(a) || s->freebind || inet_ip6_is_own(a) ? 0 : -EADDRNOTAVAIL;
}

int inet_bind(struct inet_sock *s, const struct inet_name *given)
{
	struct inet_name n = *given;
	bool taken = s->bound || (s->sock.type == LX_SOCK_STREAM && s->state != INET_NEW), any = ip_addr_isany(&n.addr);
	int r;

	if (s->sock.family == LX_AF_INET) {
		r = bind_check4(s, inet_v4(&n.addr));
		if (r == 0 && taken)
			r = -EINVAL;
	} else {
		if (taken || (s->sock.type == LX_SOCK_STREAM && ip_addr_ismulticast(&n.addr)))
			r = -EINVAL;
		else if (IP_IS_V4_VAL(n.addr))
			r = s->v6only ? -EINVAL : bind_check4(s, inet_v4(&n.addr));
		else
			r = bind_check6(s, &n);
	}
	if (r < 0)
		return r;
	ip_addr_t before = s->laddr;
	bool only = s->v6only;
	s->laddr = n.addr;
	/* Linux: who binds to an address of IPv6 has said that he means IPv6. */
	if (s->sock.family == LX_AF_INET6 && IP_IS_V6_VAL(n.addr) && !any)
		s->v6only = true;
	r = inet_bind_port(s, n.port);
	if (r < 0) {
		s->laddr = before;
		s->v6only = only;
		return r;
	}
	s->bound_addr = !any;
	s->bound_by_name = true;
	return 0;
}

/* ---- Routes ---- */

int inet_addr_settle(const struct inet_sock *s, struct inet_name *n)
{
	bool v4 = IP_IS_V4_VAL(n->addr), bound4 = IP_IS_V4_VAL(s->laddr);

	if (s->sock.family == LX_AF_INET6 && v4 && s->v6only)
		return -ENETUNREACH;
	if (ip_addr_isany_val(n->addr)) {
		if (v4 || (s->sock.family == LX_AF_INET6 && bound4))
			ip_addr_set_ip4_u32_val(n->addr, PP_HTONL(0x7f000001));
		else
			ip_addr_set_loopback(true, &n->addr);
		return 0;
	}
	if (v4)
		return 0;
	if (bound4 && s->sock.family == LX_AF_INET6)
		return -EAFNOSUPPORT;
	if (!ip_addr_ismulticast(&n->addr))
		return scope_settle(s, n, -EINVAL);
	if (!n->scope && !s->ifindex)
		n->scope = s->mcast6_if ? s->mcast6_if : inet_dev ? 2 : 1;
	return scope_settle(s, n, 0);
}

static int route4(const struct inet_sock *s, u32 dst, struct netif **ret, ip_addr_t *ret_src)
{
	u32 own = IP_IS_V4_VAL(s->laddr) ? inet_v4(&s->laddr) : 0, src;
	ip4_addr_t to = { dst }, from = { own };
	struct netif *n = s->ifindex ? inet_netif_by_index(s->ifindex) : NULL;

	if (inet_addr_is_own4(dst))
		n = &inet_lo;
	else if (ip4_addr_ismulticast(&to) && s->mcast_ifindex)
		n = inet_netif_by_index(s->mcast_ifindex);
	if (!n)
		n = ip4_route_src(&from, &to);
	if (!n || (n == &inet_eth && !inet_dev))
		return -ENETUNREACH;
	*ret = n;
	if (own && !ip4_addr_ismulticast(&from) && own != IPADDR_BROADCAST)
		src = own;
	else if (n == &inet_lo)
		src = (u8)dst != 127 && inet_addr_is_own4(dst) ? dst : PP_HTONL(0x7f000001);
	else
		src = ip4_addr_ismulticast(&to) && s->mcast_addr ? s->mcast_addr : ip4_addr_get_u32(netif_ip4_addr(n));
	ip_addr_set_ip4_u32_val(*ret_src, src);
	return 0;
}

static int route6(const struct inet_sock *s, const ip_addr_t *dst, struct netif **ret, ip_addr_t *ret_src)
{
	const ip6_addr_t *to = ip_2_ip6(dst);
	bool own = inet_ip6_is_own(to), group = ip6_addr_ismulticast(to), zoned = ip6_addr_has_zone(to);
	struct netif *n = zoned ? inet_netif_by_index(ip6_addr_zone(to)) : s->ifindex ? inet_netif_by_index(s->ifindex) : NULL;
	const ip_addr_t *src = dst;

	if (own && !zoned)
		n = &inet_lo;
	else if (group && !zoned && !n)
		n = s->mcast6_if ? inet_netif_by_index(s->mcast6_if) : inet_dev ? &inet_eth : NULL;
	else if (!zoned && !group && n != &inet_lo)
		n = inet_dev && inet_ip6_has_route(to) ? &inet_eth : NULL;
	/* Linux has no route to groups over the loopback. */
	if (!n || (n == &inet_lo && !own))
		return -ENETUNREACH;
	*ret = n;
	if (IP_IS_V6_VAL(s->laddr) && !ip_addr_isany_val(s->laddr) && !ip_addr_ismulticast(&s->laddr))
		src = &s->laddr;
	else if (!own)
		src = ip6_select_source_address(n, to);
	if (!src)
		return -EADDRNOTAVAIL;
	ip_addr_copy(*ret_src, *src);
	return 0;
}

int inet_route(const struct inet_sock *s, const ip_addr_t *dst, struct netif **ret, ip_addr_t *ret_src)
{
	if (IP_IS_V6(dst))
		return route6(s, dst, ret, ret_src);
	return route4(s, inet_v4(dst), ret, ret_src);
}

int inet_getname(struct socket *sock, bool peer, struct sock_addr *ret)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = 0;

	inet_lock();
	if (!peer) {
		inet_addr_fill(s->sock.family, ret, &s->laddr, s->lport);
	} else if (sock->type == LX_SOCK_STREAM ? s->state != INET_OPEN : !s->connected) {
		r = -ENOTCONN;
	} else {
		inet_addr_fill(s->sock.family, ret, &s->raddr, s->rport);
	}
	inet_unlock();
	return r;
}
