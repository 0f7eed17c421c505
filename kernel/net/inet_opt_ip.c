/*
 * inet_opt_ip.c - options of levels SOL_IP and SOL_IPV6, with Linux's values and errors.
 *
 * The rare ones live in struct inet_ip_options, which sockets share (inet_ip_defaults) until one of them
 * is changed. On an AF_INET6 socket those of SOL_IP are about its IPv4 traffic.
 *
 * Locks: inet_core. Can fail: memory for the first change.
 */
#include "net/inet_impl.h"
#include "base/link.h"
#include "lwip/ip.h"

const struct inet_ip_options inet_ip_defaults = {
	.mcast_all = true, .mcast_all6 = true, .mcast_loop6 = true, .hops6 = -1, .mcast_hops6 = -1, .mtu_discover6 = 1,
};

struct inet_ip_options *inet_ip_options_own(struct inet_sock *s)
{
	if (s->ip == &inet_ip_defaults) {
		struct inet_ip_options *o = heap_alloc(sizeof(*o));
		if (!o)
			return NULL;
		*o = inet_ip_defaults;
		s->ip = o;
	}
	return s->ip;
}

void inet_ip_options_free(struct inet_sock *s)
{
	if (s->ip != &inet_ip_defaults)
		heap_free(s->ip);
	s->ip = (struct inet_ip_options *)(uintptr_t)&inet_ip_defaults;
}

void inet_ip_options_inherit(struct inet_sock *c, const struct inet_sock *p)
{
	if (p->ip == &inet_ip_defaults)
		return;
	struct inet_ip_options *o = inet_ip_options_own(c);
	if (o)
		*o = *p->ip;
}

/* ---- SOL_IP ---- */

/* Linux's IP_MULTICAST_IF: an address, a mreq or a mreqn. */
static int set_multicast_if(struct inet_sock *s, const void *val, u32 len)
{
	struct lx_ip_mreqn m = { 0 };

	if (s->sock.type == LX_SOCK_STREAM || len < 4)
		return -EINVAL;
	if (len >= 12)
		memcpy(&m, val, 12);
	else
		memcpy(&m.address, (const u8 *)val + (len >= 8 ? 4 : 0), 4);
	if (!m.ifindex && !m.address) {
		s->mcast_ifindex = 0;
		s->mcast_addr = 0;
		return 0;
	}
	if (!m.ifindex)
		m.ifindex = (u8)m.address == 127 ? 1 : inet_addr_is_own4(m.address) ? 2 : 0;
	if (!m.ifindex || !inet_netif_by_index((unsigned)m.ifindex))
		return -EADDRNOTAVAIL;
	if (s->ifindex && s->ifindex != m.ifindex)
		return -EINVAL;
	s->mcast_ifindex = (u8)m.ifindex;
	s->mcast_addr = m.address;
	return 0;
}

static int set_device(struct inet_sock *s, int v, bool swapped)
{
	u32 index = swapped ? lwip_ntohl((u32)v) : (u32)v;

	if (index && !inet_netif_by_index(index))
		return -EADDRNOTAVAIL;
	if (index && s->ifindex && s->ifindex != index)
		return -EINVAL;
	return 0;
}

static int set_port_range(struct inet_sock *s, u32 v, u32 len)
{
	u16 low = (u16)v, high = (u16)(v >> 16);

	if (len != 4 || (low && high && low > high))
		return -EINVAL;
	s->port_low = low;
	s->port_high = high;
	return 0;
}

static bool *flag_ip(struct inet_ip_options *o, int name)
{
	switch (name) {
	case LX_IP_PKTINFO: return &o->pktinfo;
	case LX_IP_RECVERR: return &o->recverr;
	case LX_IP_RECVTTL: return &o->recvttl;
	case LX_IP_RECVTOS: return &o->recvtos;
	case LX_IP_RECVORIGDSTADDR: return &o->recvorigdst;
	case LX_IP_MULTICAST_ALL: return &o->mcast_all;
	case LX_IP_BIND_ADDRESS_NO_PORT: return &o->bind_no_port;
	default: return NULL;
	}
}

/* Options with a value of their own; -ENOPROTOOPT: none of these. */
static int set_ip_value(struct inet_sock *s, int name, int v, u32 len)
{
	struct inet_ip_options *o;

	switch (name) {
	case LX_IP_TOS:
		s->tos = (u8)(s->sock.type == LX_SOCK_STREAM ? (v & ~3) | (s->tos & 3) : v);
		return 0;
	case LX_IP_TTL:
		if (len < 1 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		s->ttl = v == -1 ? 64 : (u8)v;
		return 0;
	case LX_IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		s->mtu_discover = (u8)v;
		return 0;
	case LX_IP_MULTICAST_TTL:
		if (s->sock.type == LX_SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		s->mcast_ttl = v == -1 ? 1 : (u8)v;
		return 0;
	case LX_IP_MULTICAST_LOOP:
		s->mcast_loop = v;
		return 0;
	case LX_IP_FREEBIND:
		s->freebind = v;
		return 0;
	case LX_IP_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		o = inet_ip_options_own(s);
		if (!o)
			return -ENOBUFS;
		o->minttl = (u8)v;
		return 0;
	case LX_IP_TRANSPARENT: return v ? -EPERM : 0;
	case LX_IP_UNICAST_IF: return set_device(s, v, true);
	case LX_IP_LOCAL_PORT_RANGE: return set_port_range(s, (u32)v, len);
	case LX_IP_RECVOPTS: case LX_IP_RETOPTS: case LX_IP_PASSSEC:
		return 0;
	default: return -ENOPROTOOPT;
	}
}

LINK_SLOT_OF(inet_mcast_set);
static __typeof__(&inet_mcast_set) const volatile mcast RO_AFTER_INIT = LINK_SLOT(inet_mcast_set);

/* Groups; a kernel without datagrams does without. -ENOPROTOOPT: another option, or that. */
static int set_mcast(struct inet_sock *s, int level, int name, const void *val, u32 len)
{
	__typeof__(&inet_mcast_set) set = mcast;

	return set ? set(s, level, name, val, len) : -ENOPROTOOPT;
}

int inet_set_ip(struct inet_sock *s, int name, const void *val, u32 len)
{
	struct inet_ip_options *o;
	int v = 0, r = set_mcast(s, LX_SOL_IP, name, val, len);

	if (r != -ENOPROTOOPT)
		return r;
	if (name == LX_IP_MULTICAST_IF)
		return set_multicast_if(s, val, len);
	if (name == LX_IP_OPTIONS)
		return len == 0 ? 0 : -EINVAL;
	r = inet_opt_int(val, len, &v);
	if (r < 0)
		return r;
	if (name == LX_IP_MULTICAST_ALL && v != 0 && v != 1)
		return -EINVAL;
	if (flag_ip((struct inet_ip_options *)(uintptr_t)&inet_ip_defaults, name)) {
		o = inet_ip_options_own(s);
		if (!o)
			return -ENOBUFS;
		*flag_ip(o, name) = v;
		if (name == LX_IP_RECVERR && !v)
			inet_error_free(s);
		return 0;
	}
	r = set_ip_value(s, name, v, len);
	if (r == 0)
		inet_options_apply(s);
	return r;
}

/* IP_MTU and IPV6_MTU: of a connected socket. */
static int get_mtu(struct inet_sock *s, void *val, u32 *len)
{
	if (ip_addr_isany_val(s->raddr))
		return -ENOTCONN;
	return inet_opt_put_int(val, len, (int)inet_path_mtu(&s->raddr));
}

int inet_get_ip(struct inet_sock *s, int name, void *val, u32 *len)
{
	const bool *flag = flag_ip(s->ip, name);
	u32 range = (u32)s->port_high << 16 | s->port_low;

	if (flag)
		return inet_opt_put_int(val, len, *flag);
	switch (name) {
	case LX_IP_TOS: return inet_opt_put_int(val, len, s->tos);
	case LX_IP_TTL: return inet_opt_put_int(val, len, s->ttl);
	case LX_IP_MTU_DISCOVER: return inet_opt_put_int(val, len, s->mtu_discover);
	case LX_IP_MULTICAST_TTL: return inet_opt_put_int(val, len, s->mcast_ttl);
	case LX_IP_MULTICAST_LOOP: return inet_opt_put_int(val, len, s->mcast_loop);
	case LX_IP_MULTICAST_IF: return inet_opt_put(val, len, &s->mcast_addr, 4);
	case LX_IP_FREEBIND: return inet_opt_put_int(val, len, s->freebind);
	case LX_IP_MINTTL: return inet_opt_put_int(val, len, s->ip->minttl);
	case LX_IP_LOCAL_PORT_RANGE: return inet_opt_put(val, len, &range, 4);
	case LX_IP_PROTOCOL: return inet_opt_put_int(val, len, s->sock.protocol);
	case LX_IP_TRANSPARENT: case LX_IP_RECVOPTS: case LX_IP_RETOPTS: case LX_IP_UNICAST_IF: case LX_IP_NODEFRAG: case LX_IP_CHECKSUM:
	case LX_IP_PASSSEC: case LX_IP_RECVFRAGSIZE: case LX_IP_RECVERR_RFC4884:
		return inet_opt_put_int(val, len, 0);
	case LX_IP_OPTIONS: *len = 0; return 0;
	case LX_IP_MTU: return get_mtu(s, val, len);
	default: return -ENOPROTOOPT;
	}
}

/* ---- SOL_IPV6 ---- */

static bool *flag_ipv6(struct inet_ip_options *o, int name)
{
	switch (name) {
	case LX_IPV6_RECVERR: return &o->recverr6;
	case LX_IPV6_RECVPKTINFO: return &o->pktinfo6;
	case LX_IPV6_RECVHOPLIMIT: return &o->recvhoplimit;
	case LX_IPV6_RECVTCLASS: return &o->recvtclass;
	case LX_IPV6_RECVORIGDSTADDR: return &o->recvorigdst6;
	case LX_IPV6_RECVPATHMTU: return &o->recvpathmtu;
	case LX_IPV6_RECVFRAGSIZE: return &o->recvfragsize;
	case LX_IPV6_RECVHOPOPTS: return &o->recvhopopts;
	case LX_IPV6_RECVDSTOPTS: return &o->recvdstopts;
	case LX_IPV6_RECVRTHDR: return &o->recvrthdr;
	case LX_IPV6_FLOWINFO: return &o->flowinfo;
	case LX_IPV6_MULTICAST_ALL: return &o->mcast_all6;
	case LX_IPV6_MULTICAST_LOOP: return &o->mcast_loop6;
	case LX_IPV6_DONTFRAG: return &o->dontfrag;
	case LX_IPV6_FLOWINFO_SEND: return &o->flowinfo_send;
	case LX_IPV6_AUTOFLOWLABEL: return &o->autoflow;
	default: return NULL;
	}
}

static int set_multicast_if6(struct inet_sock *s, u32 v)
{
	if (s->sock.type == LX_SOCK_STREAM)
		return -ENOPROTOOPT;
	if (v && !inet_netif_by_index(v))
		return -ENODEV;
	if (v && s->ifindex && s->ifindex != v)
		return -EINVAL;
	s->mcast6_if = (u8)v;
	return 0;
}

/* Source address preferences: of each pair at most one (RFC 5014). */
static int set_preferences(struct inet_ip_options *o, u32 v)
{
	enum { TMP = 1, PUBLIC = 2, COA = 4, CGA = 8, PUB_DEFAULT = 0x100, HOME = 0x400, NON_CGA = 0x800 };
	u32 tmp = v & (PUBLIC | TMP | PUB_DEFAULT), home = v & (HOME | COA), cga = v & (CGA | NON_CGA);

	if ((tmp & (tmp - 1)) || (home & (home - 1)) || (cga & (cga - 1)))
		return -EINVAL;
	if (tmp)
		o->addr_prefer = (o->addr_prefer & ~(u32)(TMP | PUBLIC)) | (tmp & (TMP | PUBLIC));
	if (home)
		o->addr_prefer = (o->addr_prefer & ~(u32)COA) | (home & COA);
	return 0;
}

static int set_v6only(struct inet_sock *s, int v)
{
	if (s->bound)
		return -EINVAL;
	s->v6only = v;
	return 0;
}

static int set_ipv6_value(struct inet_sock *s, struct inet_ip_options *o, int name, int v)
{
	switch (name) {
	case LX_IPV6_UNICAST_HOPS:
		if (v < -1 || v > 255)
			return -EINVAL;
		o->hops6 = (s16)v;
		return 0;
	case LX_IPV6_MULTICAST_HOPS:
		if (s->sock.type == LX_SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v < -1 || v > 255)
			return -EINVAL;
		o->mcast_hops6 = (s16)(v == -1 ? 1 : v);
		return 0;
	case LX_IPV6_TCLASS:
		if (v < -1 || v > 255)
			return -EINVAL;
		o->tclass = v == -1 ? 0 : (u8)(s->sock.type == LX_SOCK_STREAM ? (v & ~3) | (o->tclass & 3) : v);
		return 0;
	case LX_IPV6_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		o->mtu_discover6 = (u8)v;
		return 0;
	case LX_IPV6_MINHOPCOUNT:
		if (v < 0 || v > 255)
			return -EINVAL;
		o->minhops = (u8)v;
		return 0;
	case LX_IPV6_ADDR_PREFERENCES: return set_preferences(o, (u32)v);
	case LX_IPV6_MTU: return v && v < 1280 ? -EINVAL : 0;
	case LX_IPV6_UNICAST_IF: return set_device(s, v, true);
	case LX_IPV6_FREEBIND:
		s->freebind = v;
		return 0;
	case LX_IPV6_TRANSPARENT: return v ? -EPERM : 0;
	case LX_IPV6_MULTICAST_IF: return set_multicast_if6(s, (u32)v);
	case LX_IPV6_HOPOPTS: case LX_IPV6_DSTOPTS: case LX_IPV6_NEXTHOP: return -EPERM;
	default: return -ENOPROTOOPT;
	}
}

int inet_set_ipv6(struct inet_sock *s, int name, const void *val, u32 len)
{
	struct inet_ip_options *o;
	int v = 0, r;

	if (s->sock.family != LX_AF_INET6)
		return -ENOPROTOOPT;
	r = set_mcast(s, LX_SOL_IPV6, name, val, len);
	if (r != -ENOPROTOOPT)
		return r;
	if (len >= sizeof(int))
		memcpy(&v, val, sizeof(int));
	else if (name != LX_IPV6_PKTINFO && name != LX_IPV6_HOPOPTS)
		return -EINVAL;
	if (name == LX_IPV6_V6ONLY)
		return set_v6only(s, v);
	if (name == LX_IPV6_MULTICAST_LOOP && v != 0 && v != 1)
		return -EINVAL;
	o = inet_ip_options_own(s);
	if (!o)
		return -ENOBUFS;
	if (flag_ipv6(o, name)) {
		*flag_ipv6(o, name) = v;
		if (name == LX_IPV6_RECVERR && !v)
			inet_error_free(s);
		return 0;
	}
	r = set_ipv6_value(s, o, name, v);
	if (r == 0)
		inet_options_apply(s);
	return r;
}

int inet_get_ipv6(struct inet_sock *s, int name, void *val, u32 *len)
{
	const struct inet_ip_options *o = s->ip;
	const bool *flag = flag_ipv6(s->ip, name);

	if (s->sock.family != LX_AF_INET6)
		return -ENOPROTOOPT;
	if (flag)
		return inet_opt_put_int(val, len, *flag);
	switch (name) {
	case LX_IPV6_V6ONLY: return inet_opt_put_int(val, len, s->v6only);
	case LX_IPV6_UNICAST_HOPS: return inet_opt_put_int(val, len, o->hops6 < 0 ? 64 : o->hops6);
	case LX_IPV6_MULTICAST_HOPS: return inet_opt_put_int(val, len, o->mcast_hops6 < 0 ? 1 : o->mcast_hops6);
	case LX_IPV6_MULTICAST_IF: return inet_opt_put_int(val, len, s->mcast6_if);
	case LX_IPV6_TCLASS: return inet_opt_put_int(val, len, o->tclass);
	case LX_IPV6_MTU_DISCOVER: return inet_opt_put_int(val, len, o->mtu_discover6);
	case LX_IPV6_MINHOPCOUNT: return inet_opt_put_int(val, len, o->minhops);
	case LX_IPV6_ADDR_PREFERENCES: return inet_opt_put_int(val, len, (int)(o->addr_prefer | (o->addr_prefer & 3 ? 0 : 0x100) | (o->addr_prefer & 4 ? 0 : 0x400)));
	case LX_IPV6_FREEBIND: return inet_opt_put_int(val, len, s->freebind);
	case LX_IPV6_TRANSPARENT: case LX_IPV6_UNICAST_IF: case LX_IPV6_ROUTER_ALERT_ISOLATE: case LX_IPV6_RECVERR_RFC4884:
		return inet_opt_put_int(val, len, 0);
	case LX_IPV6_MTU: return get_mtu(s, val, len);
	default: return -ENOPROTOOPT;
	}
}
