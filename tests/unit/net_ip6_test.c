/*
 * net_ip6_test.c - IPv6 over a fake Ethernet device: autoconfiguration, neighbours, transfers with
 * segmentation by the device, narrow paths, and whatever a hostile neighbour may send.
 *
 * The wire is a mirror, as in net_wire_test.c: a packet to PEER (on the announced prefix) or to FAR
 * (behind the router) comes back with its addresses exchanged. The device answers solicitations for
 * PEER and the router, and router solicitations.
 */
#include "fake_wire.h"
#include "net/netinfo.h"

static const u8 ROUTER[16] = { 0xfe, 0x80, [15] = 0xfe };
static const u8 PEER[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 1, [15] = 2 };
static const u8 FAR[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
static const u8 FIXED[16] = { 0xfd, 0x77, [15] = 5 };
static const u8 FIXED_PEER[16] = { 0xfd, 0x77, 0, 0, 0xff, [15] = 6 };

static unsigned solicited_routers, dad_probes, reports, packets, too_long;
static unsigned lose_percent, path_mtu = 1500;
static bool answers_ra = true, router_answers = true;

static u16 l4_sum(const u8 *ip, const u8 *l4, u32 len, u8 proto) { return sum(l4, len, (u32)proto + len + sum(ip + 8, 32, 0)); }

/* A frame from the router or peer to us, with an ICMPv6 message (its sum filled in). */
static void send_icmp(const u8 *src, const u8 *dst, u8 hops, u8 *m, u32 len)
{
	static u8 d[2000];
	u8 *ip = d + 14;

	memset(d, 0, 54);
	memcpy(d, dst[0] == 0xff ? (const u8[]){ 0x33, 0x33, dst[12], dst[13], dst[14], dst[15] } : dev.mac, 6);
	memcpy(d + 6, peer_mac, 6);
	put16(d + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, len);
	ip[6] = 58;
	ip[7] = hops;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	put16(m + 2, 0);
	memcpy(ip + 40, m, len);
	put16(ip + 42, (u16)~l4_sum(ip, ip + 40, len, 58));
	enqueue(d, 54 + len, false);
}

static u32 ra_valid = 3600, ra_preferred = 1800, ra_router = 1800;

static u32 ra_make(u8 *m, const u8 *prefix, bool dns)
{
	static const u8 server[16] = { 0xfd, 0x53, [15] = 53 };

	memset(m, 0, 200);
	m[0] = 134; m[4] = 64;
	put16(m + 6, ra_router);
	u8 *o = m + 16;
	o[0] = 1; o[1] = 1; memcpy(o + 2, peer_mac, 6);
	o += 8;
	o[0] = 3; o[1] = 4; o[2] = 64; o[3] = 0xc0; put32(o + 4, ra_valid); put32(o + 8, ra_preferred); memcpy(o + 16, prefix, 8);
	o += 32;
	o[0] = 5; o[1] = 1; put32(o + 4, 1480);
	o += 8;
	if (dns) {
		o[0] = 25; o[1] = 3; put32(o + 4, 600); memcpy(o + 8, server, 16);
		o += 24;
	}
	return (u32)(o - m);
}
static void send_ra(void)
{
	static const u8 all[16] = { 0xff, 2, [15] = 1 };
	u8 m[200];

	send_icmp(ROUTER, all, 255, m, ra_make(m, PEER, true));
}

static void answer_ns(const u8 *ip, const u8 *m)
{
	u8 na[32] = { 136 };

	if (memcmp(ip + 8, (const u8[16]){ 0 }, 16) == 0) {
		dad_probes++;
		return;
	}
	if (memcmp(m + 8, ROUTER, 16) != 0 && memcmp(m + 8, PEER, 16) != 0 && memcmp(m + 8, FIXED_PEER, 16) != 0)
		return;
	if (memcmp(m + 8, ROUTER, 16) == 0 && !router_answers)
		return;
	na[4] = 0x60;
	memcpy(na + 8, m + 8, 16);
	na[24] = 2; na[25] = 1;
	memcpy(na + 26, peer_mac, 6);
	u8 to[16];
	memcpy(to, ip + 8, 16);
	send_icmp(m + 8, to, 255, na, 32);
}

/* A router on the way says how long a packet may be. */
static void too_big(const u8 *ip, u32 len)
{
	u8 m[1240] = { 2 }, to[16];
	u32 n = MIN(len, 1180u);

	put32(m + 4, path_mtu);
	memcpy(m + 8, ip, n);
	memcpy(to, ip + 8, 16);
	send_icmp(ROUTER, to, 64, m, 8 + n);
	too_long++;
}

/* One frame as it would be on the wire, every sum complete. */
static void on_wire(u8 *d, u32 len)
{
	u8 *ip = d + 14;

	packets++;
	assert_int_equal(get16(d + 12), 0x86dd);
	assert_in_range(len, 54, 1514);
	assert_int_equal(get16(ip + 4) + 54, len);
	u8 *l4 = ip + 40, proto = ip[6];
	if (proto == 0) {                /* Hop-by-Hop: a multicast listener report */
		proto = l4[0];
		l4 += 8;
		reports++;
	}
	if (proto == 58 || proto == 6 || proto == 17)
		assert_int_equal(l4_sum(ip, l4, len - (u32)(l4 - d), proto), 0xffff);
	if (proto == 58 && l4[0] == 133 && answers_ra) {
		solicited_routers++;
		send_ra();
	}
	if (proto == 58 && l4[0] == 135)
		answer_ns(ip, l4);
	bool far = memcmp(ip + 24, FAR, 16) == 0;
	if (!far && memcmp(ip + 24, PEER, 16) != 0 && memcmp(ip + 24, FIXED_PEER, 16) != 0)
		return;
	if (len - 14 > path_mtu) {
		too_big(ip, len - 14);
		return;
	}
	if (random_below(100) < lose_percent)
		return;
	u8 t[16];
	memcpy(t, ip + 8, 16);
	memcpy(ip + 8, ip + 24, 16);
	memcpy(ip + 24, t, 16);
	memcpy(d, dev.mac, 6);
	memcpy(d + 6, peer_mac, 6);
	enqueue(d, len, false);
}

static int fake_transmit(struct netdev *d, const struct netdev_tx *tx, bool notify)
{
	static u8 whole[66000], part[66000];
	u32 len = 0;

	for (unsigned i = 0; i < tx->nsegs; i++) {
		memcpy(whole + len, tx->segs[i].data, tx->segs[i].len);
		len += tx->segs[i].len;
	}
	bool v6 = get16(whole + 12) == 0x86dd;
	if (tx->gso_size) {
		u32 h = tx->gso_hdr_len, off = h, seq = get32(whole + 58);
		assert_true(tx->needs_csum && tx->gso_ipv6 == v6);
		assert_int_equal(tx->csum_start, 54);
		gso_frames++;
		largest_gso = MAX(largest_gso, len);
		for (; off < len; off += tx->gso_size) {
			u32 n = MIN((u32)tx->gso_size, len - off);
			memcpy(part, whole, h);
			memcpy(part + h, whole + off, n);
			u8 *ip = part + 14;
			put16(ip + 4, h - 54 + n);
			put32(ip + 44, seq + (off - h));
			if (off + n < len)
				ip[53] &= (u8)~9;
			put16(ip + 56, 0);
			put16(ip + 56, (u16)~l4_sum(ip, ip + 40, h - 54 + n, 6));
			on_wire(part, h + n);
		}
	} else if (v6) {
		if (tx->needs_csum) {
			u16 s = sum(whole + tx->csum_start, len - tx->csum_start, 0);
			put16(whole + tx->csum_start + tx->csum_offset, (u16)~s);
		}
		on_wire(whole, len);
	}
	tx->done(tx->arg);
	announce();
	return 0;
}

static const struct netdev_ops fake_ops = { .transmit = fake_transmit, .receive = fake_receive, .release = fake_release };

static unsigned configured, ndns_seen;
static struct net_ip dns_seen[4];
static void on_configured(const struct net_ip *dns, unsigned ndns, const char *domain)
{
	configured++;
	ndns_seen = ndns;
	memcpy(dns_seen, dns, ndns * sizeof(*dns));
}

static int setup(void **state)
{
	static struct net_config c = { .mode = NET_STATIC, .prefix6 = 32, .on_configured = on_configured };

	memcpy(c.addr6, FIXED, 16);
	host_sched_start();
	dev.ops = &fake_ops;
	dev.mtu = 1500;
	dev.features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_RX_CSUM;
	dev.link_up = true;
	memcpy(dev.mac, "\2\0\0\0\0\1", 6);
	netdev_register(&dev);
	return net_init(&c);
}

static struct sock_addr addr6(const u8 *a, unsigned port)
{
	struct lx_sockaddr_in6 in = { .family = LX_AF_INET6, .port = be16(port) };
	struct sock_addr s = { .len = sizeof(in) };

	memcpy(in.addr, a, 16);
	if (a[0] == 0xfe)
		in.scope_id = 2;
	memcpy(s.bytes, &in, sizeof(in));
	return s;
}
static bool has_addr(const u8 *prefix, unsigned n, struct netinfo_addr *ret)
{
	for (unsigned i = 0; netinfo_addr(i, ret) == 0; i++)
		if (ret->family == LX_AF_INET6 && memcmp(ret->addr, prefix, n) == 0)
			return true;
	return false;
}

/* The fixed address is there at once; the others come with a router's answer and after duplicate address detection. */
static void autoconfiguration(void **state)
{
	static const u8 link[8] = { 0xfe, 0x80 };
	struct netinfo_addr a;
	struct netinfo_route r;
	u64 t = arch_clock_mono_ns();
	bool found = false;

	assert_int_equal(net_wait_configured(t + 5 * NSEC_PER_SEC), 0);
	assert_true(arch_clock_mono_ns() - t < 10 * NSEC_PER_MSEC);
	assert_true(has_addr(FIXED, 16, &a));
	assert_true(a.prefix == 32 && a.flags == 0x80 && a.valid_s == ~0u);
	let_run(100);
	assert_int_equal(solicited_routers, 1);
	assert_true(has_addr(link, 8, &a));
	assert_int_equal(a.flags & 0x40, 0x40);
	let_run(4000);
	assert_true(has_addr(link, 8, &a));
	assert_int_equal(a.flags, 0x80);
	assert_true(has_addr(PEER, 8, &a));
	assert_int_equal(a.flags, 0);
	assert_true(a.addr[8] == 0 && a.addr[11] == 0xff && a.addr[12] == 0xfe);
	assert_in_range(a.valid_s, 3590, 3600);
	assert_in_range(a.preferred_s, 1790, 1800);
	assert_int_equal(dad_probes, 2);
	assert_true(reports >= 1);
	for (unsigned i = 0; netinfo_route(i, &r) == 0; i++)
		found |= r.family == LX_AF_INET6 && r.has_gateway && r.protocol == 9 && memcmp(r.gateway, ROUTER, 16) == 0;
	assert_true(found);
	assert_int_equal(ndns_seen, 1);
	assert_int_equal(dns_seen[0].family, LX_AF_INET6);
	assert_int_equal(dns_seen[0].bytes[15], 53);
}

static size_t bulk_len;
static void bulk_sender(void *arg)
{
	struct socket *s = arg;
	u8 *data = malloc(bulk_len);

	for (size_t i = 0; i < bulk_len; i++)
		data[i] = (u8)((u32)i * 2654435761u >> 24);
	assert_int_equal(send_flags(s, data, bulk_len, 0), bulk_len);
	assert_int_equal(sock_shutdown(s, LX_SHUT_WR), 0);
	free(data);
}
static void pair6(const u8 *to, struct socket **ret_c, struct socket **ret_s)
{
	static const u8 any[16];
	struct socket *l = new_socket(LX_AF_INET6, LX_SOCK_STREAM), *c = new_socket(LX_AF_INET6, LX_SOCK_STREAM);
	struct sock_addr a = addr6(any, 0);

	assert_int_equal(sock_bind(l, &a), 0);
	assert_int_equal(sock_listen(l, 4), 0);
	assert_int_equal(sock_getname(l, false, &a), 0);
	a = addr6(to, port_of(&a));
	assert_int_equal(sock_connect(c, &a, false), 0);
	assert_int_equal(sock_accept(l, false, ret_s), 0);
	sock_close(l);
	*ret_c = c;
}
static void transfer(const u8 *to, size_t len)
{
	struct socket *c, *s;
	static u8 buf[50000];
	size_t total = 0;
	ssize_t n;

	pair6(to, &c, &s);
	bulk_len = len;
	assert_int_equal(thread_spawn("bulk", bulk_sender, c), 0);
	while ((n = recv_flags(s, buf, 1 + random_below(sizeof buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			if (buf[i] != (u8)((u32)total * 2654435761u >> 24))
				fail_msg("byte %zu differs", total);
	assert_int_equal(n, 0);
	assert_int_equal(total, len);
	sock_close(s);
	sock_close(c);
}

static void transfers(void **state)
{
	transfer(PEER, 1500000);
	assert_true(gso_frames > 20);
	assert_in_range(largest_gso, 13000, 65535 + 14);
	transfer(FAR, 300000);
	transfer(FIXED_PEER, 300000);    /* on the fixed address's prefix, which is wider than 64 bits */
	lose_percent = 2;
	transfer(PEER, 300000);
	lose_percent = 0;
	unsigned before = gso_frames;
	dev.features &= ~NETDEV_TSO6;
	transfer(PEER, 100000);
	assert_int_equal(gso_frames, before);
	dev.features |= NETDEV_TSO6;
}

static void narrow_path(void **state)
{
	struct socket *u = new_socket(LX_AF_INET6, LX_SOCK_DGRAM);
	struct sock_addr a = addr6(FAR, 9);
	static u8 b[1400];

	too_long = 0;
	path_mtu = 1300;
	transfer(FAR, 400000);
	assert_in_range(too_long, 1, 100);
	dev.features &= ~NETDEV_TSO6;    /* IP makes fragments then */
	path_mtu = 1290;
	transfer(FAR, 30000);
	dev.features |= NETDEV_TSO6;
	/* A datagram learns it too, and is told if it wants to be. */
	assert_int_equal(sock_connect(u, &a, false), 0);
	assert_int_equal(set_int(u, LX_SOL_IPV6, LX_IPV6_MTU_DISCOVER, 2), 0);
	assert_int_equal(get_int(u, LX_SOL_IPV6, LX_IPV6_MTU), 1290);
	assert_int_equal(send_flags(u, b, sizeof b, 0), -EMSGSIZE);
	assert_int_equal(send_flags(u, b, 1242, 0), 1242);
	sock_close(u);
	path_mtu = 1500;
}

/* Fragments both ways: a datagram larger than the link. */
static void fragments(void **state)
{
	static const u8 any[16];
	struct socket *a = new_socket(LX_AF_INET6, LX_SOCK_DGRAM), *b = new_socket(LX_AF_INET6, LX_SOCK_DGRAM);
	struct sock_addr to = addr6(any, 0), from;
	static u8 out[9000], in[9000];

	random_bytes(out, sizeof out);
	assert_int_equal(sock_bind(b, &to), 0);
	assert_int_equal(sock_getname(b, false, &to), 0);
	to = addr6(PEER, port_of(&to));
	assert_int_equal(send_to(a, out, sizeof out, to), sizeof out);
	let_run(20);
	assert_int_equal(recv_from(b, in, sizeof in, &from, LX_MSG_DONTWAIT, NULL), sizeof out);
	assert_memory_equal(in, out, sizeof out);
	sock_close(a);
	sock_close(b);
}

/* Our own addresses are reached without the wire, link-local ones too; groups are heard by our own members. */
static void ourselves(void **state)
{
	static const u8 link[8] = { 0xfe, 0x80 }, group[16] = { 0xff, 2, [15] = 0x77 };
	struct netinfo_addr me;
	struct socket *c, *s, *a = new_socket(LX_AF_INET6, LX_SOCK_DGRAM), *b = new_socket(LX_AF_INET6, LX_SOCK_DGRAM);
	u8 buf[10], mreq[20] = { 0 };
	struct sock_addr to = addr6((const u8[16]){ 0 }, 0), from;

	unsigned before = packets;
	assert_true(has_addr(link, 8, &me));
	pair6(me.addr, &c, &s);
	assert_int_equal(send_flags(c, "self", 4, 0), 4);
	assert_int_equal(recv_flags(s, buf, 10, 0), 4);
	sock_close(c);
	sock_close(s);
	pair6(FIXED, &c, &s);
	sock_close(c);
	sock_close(s);
	assert_int_equal(packets, before);
	assert_int_equal(sock_bind(b, &to), 0);
	assert_int_equal(sock_getname(b, false, &to), 0);
	unsigned port = port_of(&to);
	memcpy(mreq, group, 16);
	mreq[16] = 2;
	assert_int_equal(sock_setsockopt(b, LX_SOL_IPV6, LX_IPV6_JOIN_GROUP, mreq, sizeof mreq), 0);
	to = addr6(group, port);
	assert_int_equal(send_to(a, "all", 3, to), 3);
	assert_int_equal(recv_from(b, buf, 10, &from, LX_MSG_DONTWAIT, NULL), 3);
	assert_int_equal(set_int(a, LX_SOL_IPV6, LX_IPV6_MULTICAST_LOOP, 0), 0);
	assert_int_equal(send_to(a, "all", 3, to), 3);
	assert_int_equal(recv_from(b, buf, 10, &from, LX_MSG_DONTWAIT, NULL), -EAGAIN);
	sock_close(a);
	sock_close(b);
}

static void errors_reach_sockets(void **state)
{
	struct socket *u = new_socket(LX_AF_INET6, LX_SOCK_DGRAM), *c = new_socket(LX_AF_INET6, LX_SOCK_STREAM);
	struct sock_addr a = addr6(FAR, 1), me;
	u8 m[100] = { 1, 4 };

	assert_int_equal(sock_connect(u, &a, false), 0);
	assert_int_equal(sock_getname(u, false, &me), 0);
	const u8 *mine = me.bytes + 8;
	u8 *q = m + 8;
	q[0] = 0x60; q[6] = 17; put16(q + 4, 8);
	memcpy(q + 8, mine, 16);
	memcpy(q + 24, FAR, 16);
	put16(q + 40, port_of(&me));
	put16(q + 42, 1);
	send_icmp(FAR, mine, 64, m, 8 + 48);
	announce();
	let_run(5);
	assert_int_equal(get_int(u, LX_SOL_SOCKET, LX_SO_ERROR), ECONNREFUSED);
	m[1] = 0;                        /* no route is told to those who want to know */
	send_icmp(FAR, mine, 64, m, 8 + 48);
	announce();
	let_run(5);
	assert_int_equal(get_int(u, LX_SOL_SOCKET, LX_SO_ERROR), 0);
	assert_int_equal(set_int(u, LX_SOL_IPV6, LX_IPV6_RECVERR, 1), 0);
	send_icmp(FAR, mine, 64, m, 8 + 48);
	announce();
	let_run(5);
	assert_int_equal(get_int(u, LX_SOL_SOCKET, LX_SO_ERROR), ENETUNREACH);
	sock_close(u);
	/* A neighbour that does not exist: the connection times out. */
	u8 nobody[16];
	memcpy(nobody, PEER, 16);
	nobody[15] = 99;
	a = addr6(nobody, 80);
	assert_int_equal(set_int(c, LX_SOL_TCP, LX_TCP_SYNCNT, 2), 0);
	u64 t = arch_clock_mono_ns();
	assert_int_equal(sock_connect(c, &a, false), -ETIMEDOUT);
	assert_in_range((arch_clock_mono_ns() - t) / NSEC_PER_MSEC, 6000, 11000);   /* 1 + 2 + 4 s, by a clock of 100 ms */
	sock_close(c);
}

/* Somebody has our address: it is not used. */
static void duplicate(void **state)
{
	static const u8 other[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 3 }, all[16] = { 0xff, 2, [15] = 1 };
	struct netinfo_addr a;
	u8 m[200], na[32] = { 136 };

	send_icmp(ROUTER, all, 255, m, ra_make(m, other, false));
	announce();
	let_run(1);
	assert_true(has_addr(other, 8, &a));
	na[4] = 0x20;
	memcpy(na + 8, a.addr, 16);
	na[24] = 2; na[25] = 1; na[26] = 2;
	send_icmp(a.addr, all, 255, na, 32);
	announce();
	let_run(3000);
	assert_true(has_addr(other, 8, &a));
	assert_true(a.flags & 0x08);
}

/* Lifetimes pass while nothing happens: deprecated, gone, and the router with them; and the machine sleeps meanwhile. */
static void lifetimes(void **state)
{
	static const u8 third[16] = { 0xfd, 0, 0, 0, 0, 0, 0, 4 }, all[16] = { 0xff, 2, [15] = 1 };
	struct netinfo_addr a;
	u8 m[200];

	ra_valid = 100;
	ra_preferred = 50;
	send_icmp(ROUTER, all, 255, m, ra_make(m, third, false));
	announce();
	let_run(40000);
	assert_true(has_addr(third, 8, &a) && a.flags == 0);
	u64 before = thread_current()->switches_voluntary;
	let_run(20000);
	assert_true(has_addr(third, 8, &a) && a.flags == 0x20);
	let_run(50000);
	assert_false(has_addr(third, 8, &a));
	assert_in_range(thread_current()->switches_voluntary - before, 0, 10);
	assert_true(has_addr(FIXED, 16, &a));
	/* The fixed prefix announced with a short life: the address stays. */
	send_icmp(ROUTER, all, 255, m, ra_make(m, FIXED, false));
	announce();
	let_run(200000);
	assert_true(has_addr(FIXED, 16, &a) && a.flags == 0x80);
	ra_valid = 3600;
	ra_preferred = 1800;
}

/* Headers, options and messages of all kinds, well and badly formed. */
static void hostile(void **state)
{
	static u8 d[2000];
	static const u8 any[16], all[16] = { 0xff, 2, [15] = 1 };
	struct socket *l = new_socket(LX_AF_INET6, LX_SOCK_STREAM), *u = new_socket(LX_AF_INET6, LX_SOCK_DGRAM);
	struct sock_addr a = addr6(any, 7777);
	struct netinfo_addr me;
	static const u8 nexts[] = { 0, 6, 17, 58, 43, 44, 60, 59, 50, 99 };

	assert_true(has_addr(PEER, 8, &me));
	assert_int_equal(sock_bind(l, &a), 0);
	assert_int_equal(sock_listen(l, 5), 0);
	assert_int_equal(sock_bind(u, &a), 0);
	for (unsigned i = 0; i < 120000; i++) {
		u32 len = 54 + (u32)random_below(i % 5 ? 120 : 1400), at = 54;
		random_bytes(d, sizeof d);
		memcpy(d, dev.mac, 6);
		put16(d + 12, 0x86dd);
		u8 *ip = d + 14, *next = ip + 6;
		ip[0] = 0x60;
		put16(ip + 4, i % 9 ? len - 54 : (unsigned)random_below(2000));
		ip[7] = i % 3 ? 255 : 64;
		memcpy(ip + 8, i % 7 == 0 ? any : i % 7 < 4 ? ROUTER : i % 7 == 5 ? me.addr : PEER, 16);
		memcpy(ip + 24, i % 4 ? me.addr : all, 16);
		/* a few extension headers whose lengths fit, more or less */
		for (unsigned k = (unsigned)random_below(4); k && at + 8 < len; k--) {
			*next = nexts[random_below(sizeof nexts)];
			next = d + at;
			d[at + 1] = (u8)random_below(i % 6 ? 2 : 40);
			if (i % 4) {     /* options of sensible sizes */
				d[at + 2] = (u8)random_below(7);
				d[at + 3] = (u8)random_below(6);
			}
			if (i % 11 == 0)
				put16(d + at + 2, (unsigned)random_below(4) * 8 | (unsigned)random_below(2));
			at += (d[at + 1] + 1u) * 8;
		}
		*next = i % 13 ? nexts[1 + i % 3] : nexts[random_below(sizeof nexts)];
		u8 *l4 = d + at;
		if (at + 8 <= len && *next == 58) {
			l4[0] = (u8)(i % 3 ? 128 + random_below(16) : random_below(6));
			l4[1] = i % 5 ? 0 : l4[1];
			/* options with small lengths, 0 among them */
			for (u32 o = at + 16 + 8 * (u32)random_below(4); o + 8 < len && i % 2; o += 8) {
				d[o] = (u8)random_below(30);
				d[o + 1] = (u8)random_below(5);
			}
			if (i % 8 == 1) {
				put32(l4 + 4, (u32)random_below(3000));
				l4[8] = 0x60;
				l4[14] = nexts[random_below(sizeof nexts)];
				memcpy(l4 + 16, me.addr, 16);
			}
		} else if (at + 20 <= len) {
			put16(l4 + 2, 7777);
			if (i % 2)
				l4[13] &= 0x3f;
		}
		if (at < len && (*next == 58 || *next == 17)) {
			u32 off = *next == 58 ? 2 : 6;
			if (at + off + 2 <= len) {
				put16(d + at + off, 0);
				put16(d + at + off, (u16)~l4_sum(ip, d + at, len - at, *next));
			}
		}
		enqueue(d, i % 17 ? len : (u32)random_below(len), i % 2);
		if (i % 64 == 0) {
			announce();
			let_run(1);
		}
	}
	announce();
	let_run(100000);
	sock_close(l);
	sock_close(u);
	let_run(200000);
	assert_int_equal(lent, released);
	for (unsigned i = 0; i < 3; i++) {
		send_ra();
		announce();
		let_run(3000);
	}
	transfer(PEER, 50000);
}

/* A packet-too-big that nobody should believe. */
static void believed_mtu(void **state)
{
	struct socket *c, *s;
	struct sock_addr me;
	u8 m[100] = { 2 };

	pair6(FAR, &c, &s);
	assert_int_equal(sock_getname(c, false, &me), 0);
	u8 *q = m + 8;
	q[0] = 0x60; q[6] = 6; put16(q + 4, 1000);
	memcpy(q + 8, me.bytes + 8, 16);
	memcpy(q + 24, FAR, 16);
	put16(q + 40, port_of(&me));
	assert_int_equal(sock_getname(c, true, &me), 0);
	put16(q + 42, port_of(&me));
	put32(q + 44, 12345);            /* not a sequence number in flight */
	for (unsigned mtu = 0; mtu < 1400; mtu += 70) {
		put32(m + 4, mtu);
		send_icmp(ROUTER, q + 8, 64, m, 8 + 60);
	}
	/* A path does not get wider by it (RFC 8201, 4): else our segments would be longer than the link takes. */
	q[6] = 17;                       /* a datagram has no number to be known */
	for (unsigned mtu = 1481; mtu < 70000; mtu += 2000) {
		put32(m + 4, mtu);
		send_icmp(ROUTER, q + 8, 64, m, 8 + 60);
	}
	announce();
	let_run(10);
	assert_int_equal(get_int(c, LX_SOL_IPV6, LX_IPV6_MTU), 1480);
	sock_close(c);
	sock_close(s);
}

static void failing_memory(void **state)
{
	for (unsigned nth = 1; nth < 120; nth += 2) {
		static const u8 any[16];
		struct socket *c = new_socket(LX_AF_INET6, LX_SOCK_STREAM), *l = new_socket(LX_AF_INET6, LX_SOCK_STREAM), *s = NULL, *u = NULL;
		struct sock_addr a = addr6(any, 0);
		static u8 buf[30000];
		struct lx_timeval tv = { 20, 0 };
		u8 mreq[20] = { 0xff, 2, [15] = 0x55, [16] = 2 };

		assert_int_equal(sock_bind(l, &a), 0);
		assert_int_equal(sock_listen(l, 4), 0);
		assert_int_equal(sock_getname(l, false, &a), 0);
		a = addr6(PEER, port_of(&a));
		sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_SNDTIMEO, &tv, sizeof tv);
		heap_fail_nth(nth);
		if (sock_create(LX_AF_INET6, LX_SOCK_DGRAM, 0, &u) == 0) {
			(void)sock_setsockopt(u, LX_SOL_IPV6, LX_IPV6_JOIN_GROUP, mreq, sizeof mreq);
			(void)set_int(u, LX_SOL_IPV6, LX_IPV6_RECVERR, 1);
			(void)send_to(u, buf, 3000, a);
		}
		if (sock_connect(c, &a, false) == 0 && sock_accept(l, true, &s) == 0) {
			sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_RCVTIMEO, &tv, sizeof tv);
			ssize_t n = send_flags(c, buf, sizeof buf, 0);
			if (n > 0)
				(void)recv_flags(s, buf, (size_t)n, LX_MSG_WAITALL);
		}
		heap_fail_nth(0);
		if (s)
			sock_close(s);
		if (u)
			sock_close(u);
		sock_close(c);
		sock_close(l);
	}
	transfer(PEER, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(autoconfiguration), cmocka_unit_test(transfers), cmocka_unit_test(fragments), cmocka_unit_test(ourselves),
		cmocka_unit_test(errors_reach_sockets), cmocka_unit_test(believed_mtu), cmocka_unit_test(narrow_path), cmocka_unit_test(duplicate),
		cmocka_unit_test(lifetimes), cmocka_unit_test(failing_memory), cmocka_unit_test(hostile),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
