/*
 * inet_ip6_input.c - IPv6 packets before lwIP sees them: what lwIP trusts is checked here.
 *
 * lwIP reads extension headers before it knows that they are there, takes Neighbor Discovery
 * messages with options of length zero or without an end, and believes any path MTU. So:
 *
 *   headers    the whole chain lies in the first buffer, is at most HEADERS_MAX long, begins with
 *              Hop-by-Hop if it has one, and ends in something; in a first fragment too (RFC 7112)
 *   fragments  one fragment header at most; none for Neighbor Discovery (RFC 6980)
 *   ND         hop limit 255, code 0, link-layer addresses of 6 bytes, options that fill the
 *              message exactly (RFC 4861, 6.1 and 7.1 and 8.1); redirects only from our routers
 *   errors     packet-too-big of less than 1,280 bytes, of more than was known, or about no packet of ours, is dropped
 *              (RFC 8201); the others are told to the socket that they are about
 *
 * Locks: inet_core. Cannot fail: what is wrong is dropped and counted.
 */
#include "net/inet_impl.h"
#include "lwip/icmp6.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/prot/icmp6.h"
#include "lwip/prot/nd6.h"
#include "lwip/prot/tcp.h"

#define HEADERS_MAX  8u
#define ND_HOP_LIMIT 255
#define QUOTE_MAX    576u

COUNTER(inet_rx_ip6_bad);
COUNTER(inet_rx_nd_bad);
COUNTER(inet_rx_ip6_martian);

static u32 be16(const u8 *p) { return (u32)p[0] << 8 | p[1]; }
static u32 be32(const u8 *p) { return be16(p) << 16 | be16(p + 2); }

/* ---- Neighbor Discovery ---- */

/* Options of m from off to len: each whole, link-layer addresses of an Ethernet's length, prefixes and MTUs of theirs. */
static bool options_ok(const u8 *m, u32 off, u32 len)
{
	while (off < len) {
		if (len - off < 8)
			return false;
		u32 n = m[off + 1] * 8u;
		if (n == 0 || n > len - off)
			return false;
		switch (m[off]) {
		case ND6_OPTION_TYPE_SOURCE_LLADDR: case ND6_OPTION_TYPE_TARGET_LLADDR: case ND6_OPTION_TYPE_MTU:
			if (n != 8)
				return false;
			break;
		case ND6_OPTION_TYPE_PREFIX_INFO:
			if (n != 32)
				return false;
			break;
		case ND6_OPTION_TYPE_RDNSS:
			if (n < 24 || n % 16 != 8)
				return false;
			break;
		}
		off += n;
	}
	return true;
}

/* Is there this option, when the options are in order? */
static bool has_option(const u8 *m, u32 off, u32 len, u8 type)
{
	for (; off < len; off += m[off + 1] * 8u)
		if (m[off] == type)
			return true;
	return false;
}

static bool from_router(const u8 *src)
{
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry && memcmp(default_router_list[i].neighbor_entry->next_hop_address.addr, src, 16) == 0)
			return true;
	const ip6_addr_t *r = inet_ip6_static_router();
	return r && memcmp(r->addr, src, 16) == 0;
}

static bool nd_ok(const u8 *ip, const u8 *m, u32 len)
{
	static const u8 fixed[] = { [ICMP6_TYPE_RS - 133] = 8, [ICMP6_TYPE_RA - 133] = 16, [ICMP6_TYPE_NS - 133] = 24, [ICMP6_TYPE_NA - 133] = 24, [ICMP6_TYPE_RD - 133] = 40 };
	static const u8 zero[16];
	u32 off = fixed[m[0] - 133];
	bool unspecified = memcmp(ip + 8, zero, 16) == 0;

	if (ip[7] != ND_HOP_LIMIT || m[1] != 0 || len < off || !options_ok(m, off, len))
		return false;
	switch (m[0]) {
	case ICMP6_TYPE_RA:
		return ip[8] == 0xfe && (ip[9] & 0xc0) == 0x80;
	case ICMP6_TYPE_NS:
		/* lwIP answers an asker that it can write to, and takes the first option for the address. */
		if (m[8] == 0xff)
			return false;
		return unspecified ? !has_option(m, off, len, ND6_OPTION_TYPE_SOURCE_LLADDR) : len > off && m[off] == ND6_OPTION_TYPE_SOURCE_LLADDR;
	case ICMP6_TYPE_NA:
		/* A group's advertisement answers nobody; lwIP takes the first option for the address. */
		return m[8] != 0xff && !(ip[24] == 0xff && (m[4] & 0x40)) && (len == off || m[off] == ND6_OPTION_TYPE_TARGET_LLADDR);
	case ICMP6_TYPE_RD:
		return m[24] != 0xff && from_router(ip + 8) && (len == off || m[off] == ND6_OPTION_TYPE_TARGET_LLADDR);
	}
	return true;
}

/* ---- Errors about packets of ours ---- */

struct quote {
	const u8 *ip, *l4;
	u32 len;                     /* at l4 */
	u8 proto;
};

/* The quoted packet: its transport header. */
static bool quote_parse(const u8 *q, u32 len, struct quote *ret)
{
	u32 off = IP6_HLEN;

	if (len < IP6_HLEN + 8 || q[0] >> 4 != 6)
		return false;
	ret->ip = q;
	ret->proto = q[6];
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		if (ret->proto == IP6_NEXTH_FRAGMENT) {
			if (len - off < 8 || (be16(q + off + 2) & 0xfff8))
				return false;
			ret->proto = q[off];
			off += 8;
		} else if (ret->proto == IP6_NEXTH_HOPBYHOP || ret->proto == IP6_NEXTH_DESTOPTS || ret->proto == IP6_NEXTH_ROUTING) {
			u32 n = q[off + 1] * 8u + 8;
			if (n > len - off)
				return false;
			ret->proto = q[off];
			off += n;
		} else {
			break;
		}
		if (len - off < 8)
			return false;
	}
	ret->l4 = q + off;
	ret->len = len - off;
	return true;
}

static void take_addr(ip_addr_t *ret, const u8 *from, struct netif *in)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ip_2_ip6(ret)->addr, from, 16);
	IP_SET_TYPE(ret, IPADDR_TYPE_V6);
	ip6_addr_assign_zone(ip_2_ip6(ret), IP6_UNKNOWN, in);
}

/* Linux's icmpv6_err_convert. */
static void classify(struct inet_icmp *e)
{
	static const s8 unreachable[] = { ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES, EACCES };

	e->error = -EPROTO;
	e->hard = false;
	switch (e->type) {
	case ICMP6_TYPE_DUR:
		e->hard = true;
		if (e->code < ARRAY_SIZE(unreachable)) {
			e->error = -unreachable[e->code];
			e->hard = e->code == 1 || e->code == 4 || e->code >= 5;
		}
		break;
	case ICMP6_TYPE_PTB:
		e->error = -EMSGSIZE;
		break;
	case ICMP6_TYPE_PP:
		e->error = -EPROTO;
		e->hard = true;
		break;
	case ICMP6_TYPE_TE:
		e->error = -EHOSTUNREACH;
		break;
	}
}

/* lwIP looks at the checksum after us. The loopback has none. */
static bool sum_ok(const u8 *ip, const u8 *m, u32 len, struct netif *in)
{
	if (in == &inet_lo)
		return true;
	u64 s = (u64)inet_checksum(ip + 8, 32) + inet_checksum(m, (int)len) + lwip_htons((u16)len) + PP_HTONS(IP6_NEXTH_ICMP6);
	return inet_sum_fold(s) == 0xffff;
}

/* False: drop it. */
static bool error_input(const u8 *ip, const u8 *m, u32 len, struct netif *in)
{
	struct inet_icmp e = { .origin = 3, .type = m[0], .code = m[1] };
	struct quote q;

	if (!sum_ok(ip, m, len, in) || !quote_parse(m + 8, MIN(len - 8, QUOTE_MAX), &q))
		return false;
	take_addr(&e.local, q.ip + 8, in);
	take_addr(&e.remote, q.ip + 24, in);
	take_addr(&e.offender, ip + 8, in);
	if (!inet_addr_is_own(&e.local))
		return false;
	e.lport = (u16)be16(q.l4);
	e.rport = (u16)be16(q.l4 + 2);
	e.info = m[0] == ICMP6_TYPE_PTB ? be32(m + 4) : 0;
	if (m[0] == ICMP6_TYPE_PTB && (e.info < IP6_MIN_MTU_LENGTH || e.info > 0xffff))
		return false;
	classify(&e);
	if (q.proto == IP6_NEXTH_UDP) {
		e.payload = q.l4 + 8;
		e.payload_len = q.len - 8;
		inet_udp_icmp(&e);
	} else if (q.proto == IP6_NEXTH_TCP) {
		/* Who does not know the sequence number may not shrink our packets. */
		struct tcp_pcb *p = inet_demux_find(&e.local, e.lport, &e.remote, e.rport);
		u32 seq = be32(q.l4 + 4);
		if (!p || (s32)(seq - p->lastack) < 0 || (s32)(p->snd_nxt - seq) < 0)
			return false;
		inet_tcp_icmp(&e);
	}
	/* lwIP takes any number for the path's; RFC 8201, 4: it must not grow by this. */
	return m[0] != ICMP6_TYPE_PTB || e.info < inet_path_mtu(&e.remote);
}

static bool icmp_ok(const u8 *ip, const u8 *m, u32 len, bool whole, struct pbuf *p, u32 off, struct netif *in)
{
	if (len < 8)
		return false;
	if (m[0] >= ICMP6_TYPE_RS && m[0] <= ICMP6_TYPE_RD) {
		if (whole && off + len <= p->len && nd_ok(ip, m, len)) {
			inet_timer_nd();
			return true;
		}
		counter_bump(inet_rx_nd_bad);
		return false;
	}
	if (m[0] >= ICMP6_TYPE_MLQ && m[0] <= ICMP6_TYPE_MLD) {
		inet_timer_igmp();
		return whole && len >= 24 && ip[7] == 1;
	}
	if (m[0] < 128)
		return whole && (error_input(ip, m, len, in) || m[0] != ICMP6_TYPE_PTB);
	return true;
}

/* ---- The chain of headers ---- */

/* An options header's insides: each option whole. */
static bool options_header_ok(const u8 *h, u32 len)
{
	for (u32 at = 2; at < len;) {
		if (h[at] == 0) {
			at++;
			continue;
		}
		if (len - at < 2 || h[at + 1] > len - at - 2)
			return false;
		at += 2u + h[at + 1];
	}
	return true;
}

static bool upper_ok(u8 proto, const u8 *ip, const u8 *b, u32 off, u32 total, bool fragment, struct pbuf *p, struct netif *in)
{
	u32 here = MIN(total, (u32)p->len) - off, len = total - off;

	switch (proto) {
	case IP6_NEXTH_TCP:
		return here >= TCP_HLEN;
	case IP6_NEXTH_UDP:
		return here >= 8;
	case IP6_NEXTH_ICMP6:
		if (here < 8)
			return false;
		/* A message that is not in one piece: only the part that is. */
		return icmp_ok(ip, b + off, here < len ? here : len, !fragment && here == len, p, off, in);
	}
	return true;
}

bool inet_ip6_check(struct pbuf *p, struct netif *in)
{
	const u8 *b = p->payload;
	u32 total = IP6_HLEN + be16(b + 4), limit = MIN(total, (u32)p->len), off = IP6_HLEN;
	bool fragment = false;
	u8 proto = b[6];

	if (total > p->tot_len)
		return false;
	for (unsigned i = 0; i < HEADERS_MAX; i++) {
		u32 n;
		switch (proto) {
		case IP6_NEXTH_HOPBYHOP: case IP6_NEXTH_DESTOPTS: case IP6_NEXTH_ROUTING:
			if ((proto == IP6_NEXTH_HOPBYHOP && i) || limit - off < 8)
				return false;
			n = b[off + 1] * 8u + 8;
			if (n > limit - off || (proto != IP6_NEXTH_ROUTING && !options_header_ok(b + off, n)))
				return false;
			/* Type 0 and whatever else wants to be sent on: not by us (RFC 5095). */
			if (proto == IP6_NEXTH_ROUTING && b[off + 3])
				return false;
			break;
		case IP6_NEXTH_FRAGMENT:
			if (fragment || limit - off < 8)
				return false;
			fragment = true;
			n = 8;
			if (be16(b + off + 2) & 0xfff8)
				return limit > off + 8;  /* a later piece: the rest is data */
			break;
		case IP6_NEXTH_NONE:
			return true;
		default:
			return upper_ok(proto, b, b, off, total, fragment, p, in);
		}
		proto = b[off];
		off += n;
		if (off >= limit && proto != IP6_NEXTH_NONE)
			return false;
	}
	return false;
}

int inet_ip6_input(struct pbuf *p, struct netif *in)
{
	static const u8 one[16] = { [15] = 1 };
	const u8 *b = p->payload;

	if (p->len < IP6_HLEN)
		goto drop;
	if (in != &inet_lo && (memcmp(b + 8, one, 16) == 0 || memcmp(b + 24, one, 16) == 0)) {
		counter_bump(inet_rx_ip6_martian);
		pbuf_free(p);
		return 1;
	}
	/* TCP right behind the header is the common case, and lwIP checks that one itself. */
	if (likely(b[6] == IP6_NEXTH_TCP && p->len >= IP6_HLEN + TCP_HLEN))
		return 0;
	if (inet_ip6_check(p, in))
		return 0;
drop:
	counter_bump(inet_rx_ip6_bad);
	inet_eth_stats.rx_errors += in == &inet_eth;
	pbuf_free(p);
	return 1;
}
