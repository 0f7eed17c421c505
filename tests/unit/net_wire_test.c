/*
 * net_wire_test.c - the stack over a fake Ethernet device (mirror_wire.h) that loses, reorders and duplicates, and that checks what the
 * stack asks of it.
 */
#include "mirror_wire.h"
#include "base/counter.h"
#include "net/netinfo.h"

static unsigned configured;
static void on_configured(const struct net_ip *dns, unsigned ndns, const char *domain)
{
	configured++;
	assert_int_equal(ndns, 2);
	assert_int_equal(dns[0].family, LX_AF_INET);
	assert_memory_equal(dns[0].bytes, "\x9\x9\x9\x9", 4);
	assert_string_equal(domain, "lab.internal");
}
static unsigned changes;
static void on_change(struct netinfo_watch *w) { changes++; }
static struct netinfo_watch watch = { .changed = on_change };

static int setup(void **state)
{
	static const struct net_config c = { .mode = NET_DHCP, .hostname = "tester", .on_configured = on_configured };

	host_sched_start();
	dev.ops = &fake_ops;
	dev.mtu = 1500;
	dev.features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_RX_CSUM;
	dev.link_up = true;
	memcpy(dev.mac, "\2\0\0\0\0\1", 6);
	netdev_register(&dev);
	netinfo_watch_add(&watch);
	return net_init(&c);
}

static void lease(void **state)
{
	u64 t = arch_clock_mono_ns();

	assert_int_equal(net_wait_configured(t + 5 * NSEC_PER_SEC), 0);
	assert_true(arch_clock_mono_ns() - t < 10 * NSEC_PER_MSEC);   /* two round trips, no waiting */
	assert_int_equal(configured, 1);
	assert_int_equal(dhcp_acks, 1);
	assert_true(changes >= 1);
}

/* What netlink and the ioctls are told. */
static void told(void **state)
{
	struct netinfo_link l;
	struct netinfo_addr a;
	struct netinfo_route r;
	struct netinfo_neigh n;

	assert_int_equal(netinfo_link(0, &l), 0);
	assert_string_equal(l.name, "lo");
	assert_int_equal(l.type, 772);
	assert_int_equal(netinfo_link(1, &l), 0);
	assert_string_equal(l.name, "eth0");
	assert_int_equal(l.mtu, 1500);
	assert_true(l.carrier && (l.flags & LX_IFF_RUNNING));
	assert_memory_equal(l.mac, dev.mac, 6);
	assert_in_range(l.rx_packets, 2, 20);
	assert_in_range(l.tx_packets, 2, 20);
	assert_in_range(l.tx_bytes, 600, 10000);
	assert_int_equal(netinfo_link(2, &l), -ENOENT);

	assert_int_equal(netinfo_addr(0, &a), 0);
	assert_true(a.index == 1 && a.prefix == 8 && a.scope == 254 && a.valid_s == ~0u);
	assert_int_equal(netinfo_addr(1, &a), 0);
	assert_true(a.index == 2 && a.prefix == 24 && a.scope == 0 && a.flags == 0);
	assert_memory_equal(a.addr, &(u32){ ME }, 4);
	assert_memory_equal(a.broadcast, "\x0a\0\0\xff", 4);
	assert_in_range(a.valid_s, 3000, 3660);

	assert_int_equal(netinfo_route(0, &r), 0);
	assert_true(r.has_gateway && r.prefix == 0 && r.protocol == 16 && r.table == 254);
	assert_memory_equal(r.gateway, &(u32){ PEER }, 4);
	assert_int_equal(netinfo_route(1, &r), 0);
	assert_true(!r.has_gateway && r.prefix == 24 && r.scope == 253 && r.index == 2 && r.has_source);
	assert_int_equal(netinfo_route(2, &r), 0);
	assert_true(r.table == 255 && r.type == 2);
	for (unsigned i = 0; netinfo_neigh(i, &n) == 0; i++)
		if (memcmp(n.addr, &(u32){ PEER }, 4) == 0)
			assert_memory_equal(n.mac, peer_mac, 6);

	u32 before = netinfo_generation();
	unsigned heard = changes;
	dev.link_up = false;
	dev.on_event(&dev);
	let_run(10);
	assert_int_equal(netinfo_link(1, &l), 0);
	assert_false(l.carrier || (l.flags & LX_IFF_RUNNING));
	assert_true(netinfo_generation() != before && changes == heard + 1);
	dev.link_up = true;
	dev.on_event(&dev);
	let_run(10);
	assert_int_equal(changes, heard + 2);
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

static void transfer(size_t len)
{
	struct socket *c, *s;
	static u8 buf[50000];
	size_t total = 0;
	ssize_t n;

	tcp_pair(PEER, &c, &s);
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

/* n bytes that tell where they are, from one end to the other. */
static void pass(struct socket *from, struct socket *to, size_t n)
{
	static u8 a[9000], b[9000];
	u8 first = (u8)random_below(256);

	for (size_t i = 0; i < n; i++)
		a[i] = (u8)(first + i * 7);
	assert_int_equal(send_flags(from, a, n, 0), n);
	assert_int_equal(recv_flags(to, b, n, LX_MSG_WAITALL), n);
	assert_memory_equal(a, b, n);
}

/* Questions and answers, mostly of one segment, and after each both ends have told all. */
static void exchange(u32 addr, unsigned rounds)
{
	struct socket *c, *s;

	tcp_pair(addr, &c, &s);
	assert_int_equal(set_int(c, LX_IPPROTO_TCP, LX_TCP_NODELAY, 1), 0);
	assert_int_equal(set_int(s, LX_IPPROTO_TCP, LX_TCP_NODELAY, 1), 0);
	for (unsigned i = 0; i < rounds; i++) {
		pass(c, s, 1 + random_below(i % 16 ? 1500 : 9000));
		if (random_below(8) == 0)                /* two in one direction: some wait for their acknowledgement */
			pass(c, s, 1 + random_below(300));
		pass(s, c, 1 + random_below(i % 16 ? 1500 : 9000));
	}
	assert_int_equal(sock_shutdown(c, LX_SHUT_WR), 0);
	assert_int_equal(recv_flags(s, &(u8){ 0 }, 1, 0), 0);
	sock_close(s);
	assert_int_equal(recv_flags(c, &(u8){ 0 }, 1, 0), 0);
	sock_close(c);
}

static void small_exchanges(void **state)
{
	unsigned before = tcp_frames;

	exchange(PEER, 1000);
	assert_in_range(tcp_frames - before, 2000, 3400);        /* the answer acknowledges the question */
	lose_percent = 2;
	reorder_percent = 5;
	duplicate_percent = 5;
	exchange(PEER, 150);
	lose_percent = reorder_percent = duplicate_percent = 0;
	exchange(LOOPBACK, 1000);
	exchange(ME, 300);
}

/* Unread data fills the window; each write is small enough for the short way, until there is no room. */
static void small_until_full(void **state)
{
	static const u32 addrs[] = { LOOPBACK, PEER };
	static u8 b[4000], got[4000];

	for (unsigned k = 0; k < ARRAY_SIZE(addrs); k++) {
		struct socket *c, *s;
		size_t sent = 0, taken = 0;
		ssize_t n;

		tcp_pair(addrs[k], &c, &s);
		for (;;) {
			for (size_t i = 0; i < sizeof b; i++)
				b[i] = (u8)((sent + i) * 13 >> 3);
			n = send_flags(c, b, 1 + random_below(sizeof b), LX_MSG_DONTWAIT);
			if (n < 0)
				break;
			sent += (size_t)n;
			let_run(0);
		}
		assert_int_equal(n, -EAGAIN);
		assert_true(sent > 50000);
		while (taken < sent) {
			n = recv_flags(s, got, 1 + random_below(sizeof got), 0);
			assert_true(n > 0);
			for (ssize_t i = 0; i < n; i++, taken++)
				assert_int_equal(got[i], (u8)(taken * 13 >> 3));
		}
		pass(c, s, 100);
		pass(s, c, 100);
		sock_close(c);
		sock_close(s);
	}
}

static void clean_wire(void **state)
{
	transfer(2000000);
	assert_true(gso_frames > 20);
	assert_in_range(largest_gso, 28000, 65535 + 14);
}

static void merged_receive(void **state)
{
	merge = true;
	transfer(1000000);
	merge = false;
}

static void no_offload(void **state)
{
	unsigned before = gso_frames;

	dev.features &= ~NETDEV_TSO4;
	transfer(100000);
	assert_int_equal(gso_frames, before);
	dev.features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_RX_CSUM;
}

static void bad_wire(void **state)
{
	lose_percent = 2;
	reorder_percent = 5;
	duplicate_percent = 2;
	for (int i = 0; i < 3; i++)
		transfer(400000);
	lose_percent = reorder_percent = duplicate_percent = 0;
	let_run(5000);
}

/* A large segment is lost, and again after the size of segments was made small: it goes again all the same. */
static void large_lost_twice(void **state)
{
	struct socket *c, *s;
	static u8 b[14000], got[sizeof b + 100];
	size_t taken = 0;
	ssize_t n;

	random_bytes(b, sizeof b);
	for (unsigned k = 0; k < 2; k++) {
		tcp_pair(PEER, &c, &s);
		lose_percent = 100;
		assert_int_equal(send_flags(c, b, sizeof b, 0), sizeof b);
		let_run(2500);           /* sent again, alone */
		assert_int_equal(send_flags(c, b, 100, 0), 100);
		let_run(k ? 2500 : 20000);
		lose_percent = 0;
		for (unsigned i = 0; i < 2000 && taken < sizeof got; i++, let_run(100))
			while ((n = recv_flags(s, got + taken, sizeof got - taken, LX_MSG_DONTWAIT)) > 0)
				taken += (size_t)n;
		assert_int_equal(taken, sizeof got);
		assert_memory_equal(got, b, sizeof b);
		assert_memory_equal(got + sizeof b, b, 100);
		taken = 0;
		sock_close(c);
		sock_close(s);
	}
}

static void full_ring(void **state)
{
	struct socket *c, *s;
	static char b[8000];

	tcp_pair(PEER, &c, &s);
	refuse = true;
	assert_int_equal(send_flags(c, b, sizeof b, 0), sizeof b);
	let_run(50);
	assert_int_equal(recv_flags(s, b, 1, LX_MSG_DONTWAIT), -EAGAIN);
	refuse = false;
	dev.on_event(&dev);
	assert_int_equal(recv_flags(s, b, sizeof b, LX_MSG_WAITALL), sizeof b);
	sock_close(c);
	sock_close(s);
}

/* There and back, of each length, whole and in fragments; sums by the device, by us behind a full ring, and none. */
static void datagrams(void **state)
{
	static const unsigned lens[] = { 0, 1, 2, 3, 7, 64, 383, 384, 1399, 1400, 1471, 1472, 1473, 1480, 4000 };
	static u8 b[5000], got[5000];
	struct socket *s = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	struct sock_addr any = in_addr(0, 5000), to = in_addr(PEER, 5000);
	int one = 1;

	assert_int_equal(sock_bind(s, &any), 0);
	assert_int_equal(sock_connect(s, &to, false), 0);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
			random_bytes(b, sizeof b);
			refuse = round == 1;
			datagram_sums = datagrams_without = 0;
			assert_int_equal(send_flags(s, b, lens[i], 0), lens[i]);
			let_run(1);
			if (refuse) {
				assert_int_equal(recv_flags(s, got, sizeof got, LX_MSG_DONTWAIT), -EAGAIN);
				refuse = false;
				dev.on_event(&dev);
			}
			let_run(10);
			assert_int_equal(recv_flags(s, got, sizeof got, LX_MSG_DONTWAIT), lens[i]);
			assert_memory_equal(got, b, lens[i]);
			assert_int_equal(datagram_sums, round < 2 && lens[i] <= 1472);
			assert_int_equal(datagrams_without, round == 2 && lens[i] <= 1472);
			if (round == 1 && i == ARRAY_SIZE(lens) - 1)
				assert_int_equal(sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_NO_CHECK, &one, sizeof one), 0);
		}
	sock_close(s);
}

/* A query of IGMPv2 for all groups, to be answered within this many tenths of a second. */
static void query_groups(u8 tenths)
{
	u8 d[60] = { 1, 0, 0x5e, 0, 0, 1 }, *ip = d + 14;

	memcpy(d + 6, peer_mac, 6);
	put16(d + 12, 0x800);
	ip[0] = 0x46; put16(ip + 2, 32); ip[8] = 1; ip[9] = 2;
	put32(ip + 12, 0x0a000002); put32(ip + 16, 0xe0000001);
	ip[20] = 0x94; ip[21] = 4;
	put16(ip + 10, (u16)~sum(ip, 24, 0));
	ip[24] = 0x11; ip[25] = tenths;
	put16(ip + 26, (u16)~sum(ip + 24, 8, 0));
	enqueue(d, 46, true);
	announce();
}

/* Reports of groups leave in time, also when queries follow one another, and the machine sleeps until they are due. */
static void group_queries(void **state)
{
	struct socket *s = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	u32 mreq[2] = { GROUP, 0 };

	let_run(60000);
	group_reports = 0;
	assert_int_equal(sock_setsockopt(s, LX_IPPROTO_IP, LX_IP_ADD_MEMBERSHIP, mreq, sizeof mreq), 0);
	let_run(1000);
	assert_int_equal(group_reports, 2);              /* at once, and again within half a second */
	for (unsigned i = 1; i <= 20; i++) {
		query_groups(100);
		let_run(10100);
		assert_int_equal(group_reports, 2 + i);
	}
	query_groups(255);
	for (unsigned i = 0; i < 20; i++) {              /* a shorter one overtakes it */
		let_run(30);
		query_groups(20);
	}
	let_run(2200);
	assert_in_range(group_reports, 23, 24);
	let_run(60000);
	unsigned reports = group_reports;
	u64 before = thread_current()->switches_voluntary;
	query_groups(200);
	let_run(40000);
	assert_int_equal(group_reports, reports + 1);
	assert_in_range(thread_current()->switches_voluntary - before, 0, 60);   /* a second's clock of the link for 20 s is some */
	sock_close(s);
}

/* A peer that answered later and later, and then not at all: connections that nobody has any more give up in minutes, not hours. */
static void slow_then_silent(void **state)
{
	struct socket *c, *s;
	char b;

	tcp_pair(PEER, &c, &s);
	for (unsigned ms = 900; ms < 600000; ms += ms / 2) {
		refuse = true;
		assert_int_equal(send_flags(c, "x", 1, 0), 1);
		let_run(ms);
		refuse = false;
		dev.on_event(&dev);
		assert_int_equal(recv_flags(s, &b, 1, 0), 1);
		let_run(1000);
	}
	lose_percent = 100;
	assert_int_equal(send_flags(c, "x", 1, 0), 1);
	sock_close(c);
	sock_close(s);
	let_run(20 * 60 * 1000);
	unsigned sent = tcp_frames;
	let_run(5 * 3600 * 1000);
	lose_percent = 0;
	assert_int_equal(tcp_frames, sent);
}

static void connect_to_nobody(void **state)
{
	struct socket *c = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	struct sock_addr a = in_addr(0x6300000a, 80);   /* 10.0.0.99: no ARP answer */
	u64 t = arch_clock_mono_ns();

	assert_int_equal(sock_connect(c, &a, false), -ETIMEDOUT);
	assert_in_range((arch_clock_mono_ns() - t) / NSEC_PER_SEC, 10, 150);
	sock_close(c);
}

/* Whatever comes in: no harm, and every buffer goes back. */
static void hostile_frames(void **state)
{
	static u8 d[2000];
	struct socket *l = listener(0, 7777, NULL), *u = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	struct sock_addr a = in_addr(0, 7777);

	assert_int_equal(sock_bind(u, &a), 0);
	for (unsigned i = 0; i < 60000; i++) {
		u32 len = (u32)random_below(i % 3 ? 120 : sizeof d);
		random_bytes(d, sizeof d);
		memcpy(d, dev.mac, 6);
		if (i % 8 == 0)
			memset(d, 0xff, 6);
		put16(d + 12, i % 5 == 4 ? 0x806 : 0x800);
		u8 *ip = d + 14;
		ip[0] = (u8)(0x40 | (i % 4 ? 5 : random_below(16)));
		put16(ip + 2, i % 7 ? (len > 14 ? len - 14 : 0) : (unsigned)random_below(65536));
		if (i % 6)
			put16(ip + 6, i % 6 == 1 ? (unsigned)random_below(65536) : 0);
		static const u8 protos[] = { 1, 2, 6, 17, 6, 6, 17, 99 };
		ip[9] = protos[i % 8];
		memcpy(ip + 12, &(u32){ i % 10 ? PEER : 0x0100007f }, 4);
		memcpy(ip + 16, &(u32){ i % 11 == 0 ? 0xffffffff : i % 13 == 0 ? 0x010000e0 : ME }, 4);
		put16(ip + 10, 0);
		put16(ip + 10, (u16)~sum(ip, 20, 0));
		if (i % 3)
			put16(ip + 22, 7777);
		if (ip[9] == 6 && i % 2)
			ip[33] &= 0x3f;
		enqueue(d, len, true);
		if (i % 64 == 0) {
			announce();
			let_run(1);
		}
	}
	/* a DHCP answer of rubbish, cut options */
	for (unsigned i = 0; i < 3000; i++) {
		random_bytes(d, 600);
		memcpy(d, dev.mac, 6);
		put16(d + 12, 0x800);
		u8 *ip = d + 14;
		ip[0] = 0x45; put16(ip + 2, 500); put16(ip + 6, 0); ip[9] = 17;
		memcpy(ip + 12, &(u32){ PEER }, 4);
		memcpy(ip + 16, &(u32){ ME }, 4);
		put16(ip + 10, 0);
		put16(ip + 10, (u16)~sum(ip, 20, 0));
		put16(ip + 20, 67); put16(ip + 22, 68); put16(ip + 24, 480);
		put32(ip + 28 + 236, 0x63825363);
		enqueue(d, 514, true);
		announce();
		if (i % 64 == 0)
			let_run(1);
	}
	let_run(60000);
	sock_close(l);
	sock_close(u);
	let_run(200000);
	assert_int_equal(lent, released);
	transfer(50000);
}

static unsigned hand_window = 1000, hand_mss;

/* A segment without data from somebody who is not there, its sums not needed, with an MSS if it is not 0. */
static void hand_in(u32 from, unsigned sport, unsigned dport, u8 flags, u32 seq, u32 ack)
{
	u8 d[58] = { 0 }, *ip = d + 14;
	u32 options = hand_mss ? 4 : 0;

	memcpy(d, dev.mac, 6);
	put16(d + 12, 0x800);
	ip[0] = 0x45; put16(ip + 2, 40 + options); ip[8] = 64; ip[9] = 6;
	put32(ip + 12, from);
	memcpy(ip + 16, &(u32){ ME }, 4);
	put16(ip + 10, (u16)~sum(ip, 20, 0));
	put16(ip + 20, sport); put16(ip + 22, dport);
	put32(ip + 24, seq); put32(ip + 28, ack);
	ip[32] = (u8)(0x50 + 4 * options); ip[33] = flags; put16(ip + 34, hand_window);
	ip[40] = 2; ip[41] = 4; put16(ip + 42, hand_mss);
	enqueue(d, 54 + options, true);
	announce();
}

/* What probes a closed window is acknowledged, and the window stays closed: nothing is left to probe with. */
static void probe_taken(void **state)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *s;

	synack_seq = 0;
	hand_window = 0;
	hand_in(0x0a000002, 999, port, 2, 5000, 0);
	let_run(100);
	assert_int_not_equal(synack_seq, 0);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 1);
	let_run(100);
	assert_int_equal(sock_accept(l, true, &s), 0);
	assert_int_equal(send_flags(s, "x", 1, 0), 1);
	let_run(5000);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 2);
	let_run(60000);
	sock_close(s);
	let_run(5000);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 3);
	let_run(60000);
	hand_in(0x0a000002, 999, port, 4, 5001, 0);
	let_run(100);
	sock_close(l);
	hand_window = 1000;
}

/* Whom MSS does a connection keep to, if the SYN said first, its repetition said again and later segments said later? */
static u32 segment_for(unsigned first, unsigned again, unsigned later)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *s;
	static u8 b[4000];

	synack_seq = to_hand_most = 0;
	hand_window = 60000;
	hand_mss = first;
	hand_in(0x0a000002, 999, port, 2, 5000, 0);
	let_run(100);
	if (again) {
		hand_mss = again;
		hand_in(0x0a000002, 999, port, 2, 5000, 0);
		let_run(100);
	}
	hand_mss = later;
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 1);
	let_run(100);
	assert_int_equal(sock_accept(l, true, &s), 0);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 1);
	let_run(100);
	assert_int_equal(send_flags(s, b, sizeof b, LX_MSG_DONTWAIT), sizeof b);
	for (u32 i = 0; i < 400; i++) {
		hand_in(0x0a000002, 999, port, 0x10, 5001, to_hand_next);
		let_run(10);
	}
	assert_int_equal(to_hand_next, synack_seq + 1 + sizeof b);
	hand_mss = 0;
	hand_window = 1000;
	hand_in(0x0a000002, 999, port, 4, 5001, 0);
	let_run(100);
	sock_close(s);
	sock_close(l);
	return to_hand_most;
}

/* An MSS is what the first SYN says, whatever comes later; a tiny one is not obeyed (Linux: tcp_min_snd_mss). */
static void peers_mss(void **state)
{
	assert_int_equal(segment_for(1000, 0, 0), 1000);
	assert_int_equal(segment_for(1000, 1460, 0), 1000);
	assert_int_equal(segment_for(1000, 0, 1460), 1000);
	assert_int_equal(segment_for(1000, 0, 1), 1000);
	assert_int_equal(segment_for(1, 0, 0), 48);
	assert_int_equal(segment_for(47, 0, 0), 48);
	assert_int_equal(segment_for(0, 0, 0), 536);
	assert_int_equal(segment_for(65535, 0, 0), 1460);
}

/* A connection of ours with port 999 of nobody, whose next number is then 5001, and ours synack_seq + 1. */
static struct socket *by_hand(struct socket *l, unsigned port)
{
	struct socket *s = NULL;

	synack_seq = 0;
	hand_in(0x0a000002, 999, port, 2, 5000, 0);
	let_run(10);
	assert_int_not_equal(synack_seq, 0);
	assert_int_equal(sock_accept(l, true, &s), -EAGAIN);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 1);
	let_run(10);
	assert_int_equal(sock_accept(l, true, &s), 0);
	return s;
}

/* n bytes of data as the device merges them into one frame, after by_hand. */
static void merged_in(unsigned port, u32 n)
{
	static u8 d[66000];
	u8 *ip = d + 14;

	memset(d, 0, 54);
	memcpy(d, dev.mac, 6);
	put16(d + 12, 0x800);
	ip[0] = 0x45; put16(ip + 2, 40 + n); ip[8] = 64; ip[9] = 6;
	put32(ip + 12, 0x0a000002);
	memcpy(ip + 16, &(u32){ ME }, 4);
	put16(ip + 10, (u16)~sum(ip, 20, 0));
	put16(ip + 20, 999); put16(ip + 22, port);
	put32(ip + 24, 5001); put32(ip + 28, synack_seq + 1);
	ip[32] = 0x50; ip[33] = 0x10; put16(ip + 34, 60000);
	for (u32 i = 0; i < n; i++)
		d[54 + i] = (u8)(i * 13 >> 3);
	enqueue(d, 54 + n, true);
	announce();
	let_run(10);
}

COUNTER_DECLARE(inet_rx_short);

/* A merged frame whose length with its Ethernet header has more than 16 bits is dropped and counted; one that has not is taken whole. */
static void largest_merged(void **state)
{
	static u8 got[66000];
	unsigned port;
	struct socket *l = listener(0, 0, &port), *s = by_hand(l, port);

	for (u32 n = 65536 - 54; n <= 65535 - 40; n++) {
		u64 errors = counter_read(inet_rx_short);
		merged_in(port, n);
		assert_int_equal(recv_flags(s, got, sizeof got, LX_MSG_DONTWAIT), -EAGAIN);
		assert_int_equal(counter_read(inet_rx_short), errors + 1);
	}
	merged_in(port, 65535 - 54);
	assert_int_equal(recv_flags(s, got, sizeof got, LX_MSG_DONTWAIT), 65535 - 54);
	for (u32 i = 0; i < 65535 - 54; i++)
		assert_int_equal(got[i], (u8)(i * 13 >> 3));
	sock_close(s);
	sock_close(l);
	let_run(120000);
	assert_int_equal(lent, released);
}

/* Who ends first, with what is not quite the expected before it; our FIN is repeated; what has ended is gone at once. */
static void ends(void **state)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *s;
	char b;

	/* An acknowledgement of what was never sent begins nothing. */
	synack_seq = 0;
	hand_in(0x0a000002, 999, port, 2, 5000, 0);
	let_run(10);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 2);
	let_run(10);
	assert_int_equal(to_hand_flags & 4, 4);
	assert_int_equal(sock_accept(l, true, &s), -EAGAIN);
	hand_in(0x0a000002, 999, port, 4, 5001, 0);
	let_run(10);

	/* The peer ends first, and says so twice; we after it. */
	s = by_hand(l, port);
	hand_in(0x0a000002, 999, port, 0x11, 5002, synack_seq + 1);      /* not the next number */
	let_run(10);
	assert_int_equal(recv_flags(s, &b, 1, LX_MSG_DONTWAIT), -EAGAIN);
	hand_in(0x0a000002, 999, port, 0x11, 5001, synack_seq + 1);
	hand_in(0x0a000002, 999, port, 0x11, 5001, synack_seq + 1);
	let_run(10);
	assert_int_equal(recv_flags(s, &b, 1, LX_MSG_DONTWAIT), 0);
	to_hand_fins = 0;
	sock_close(s);
	let_run(10);
	assert_int_equal(to_hand_fins, 1);
	assert_int_equal(to_hand_flags, 0x11);
	hand_in(0x0a000002, 999, port, 0x10, 5002, synack_seq + 1);      /* not of our FIN */
	let_run(4000);
	assert_true(to_hand_fins >= 2);
	hand_in(0x0a000002, 999, port, 0x10, 5002, synack_seq + 2);
	let_run(10);
	unsigned fins = to_hand_fins, frames = to_hand_frames;
	let_run(10000);
	assert_int_equal(to_hand_fins, fins);
	assert_int_equal(to_hand_frames, frames);
	hand_in(0x0a000002, 999, port, 0x10, 5002, synack_seq + 2);
	let_run(10);
	assert_int_equal(to_hand_flags & 4, 4);              /* nobody knows it any more */

	/* We end first: our FIN, then the peer's, which is acknowledged, also a second time. */
	s = by_hand(l, port);
	sock_close(s);
	let_run(10);
	assert_int_equal(to_hand_flags, 0x11);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 2);
	hand_in(0x0a000002, 999, port, 0x11, 5001, synack_seq + 2);
	let_run(10);
	assert_int_equal(to_hand_flags, 0x10);
	frames = to_hand_frames;
	hand_in(0x0a000002, 999, port, 0x11, 5001, synack_seq + 2);
	let_run(10);
	assert_int_equal(to_hand_frames, frames + 1);
	let_run(120000);

	/* Both at once, over a full ring. */
	s = by_hand(l, port);
	refuse = true;
	sock_close(s);
	hand_in(0x0a000002, 999, port, 0x11, 5001, synack_seq + 1);
	let_run(10);
	refuse = false;
	dev.on_event(&dev);
	let_run(3000);
	assert_true(to_hand_flags & 0x10);
	hand_in(0x0a000002, 999, port, 0x10, 5002, synack_seq + 2);
	let_run(120000);
	sock_close(l);
}

/* The first connection after TCP's clock stood still is as young as any other: half open for two seconds, then the peer's ACK. */
static void slow_after_idle(void **state)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *s;

	transfer(1000);
	let_run(120000);
	synack_seq = 0;
	hand_in(0x0a000002, 999, port, 2, 5000, 0);
	let_run(2000);
	assert_int_not_equal(synack_seq, 0);
	hand_in(0x0a000002, 999, port, 0x10, 5001, synack_seq + 1);
	let_run(100);
	assert_int_equal(sock_accept(l, true, &s), 0);
	hand_in(0x0a000002, 999, port, 4, 5001, 0);      /* or its FIN would be repeated for minutes */
	let_run(100);
	sock_close(s);
	sock_close(l);
}

/* Forged SYNs, thousands: a real client still gets in. */
static void syn_flood(void **state)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *c = new_socket(LX_AF_INET, LX_SOCK_STREAM), *s;
	struct sock_addr a = in_addr(PEER, port);

	assert_int_equal(sock_listen(l, 1000), 0);
	for (unsigned i = 0; i < 5000; i++) {
		hand_in(0x0a000300 + i, 1000 + i, port, 2, 0, 0);
		let_run(3);
		if (i == 4000)
			assert_int_equal(sock_connect(c, &a, true), -EINPROGRESS);
	}
	let_run(2000);
	assert_true(poll_mask(c) & POLL_OUT);
	assert_int_equal(sock_accept(l, true, &s), 0);
	sock_close(s);
	sock_close(c);
	sock_close(l);
}

/*
 * RFC 6528: what one connection's first number is says nothing of another's; of the same four addresses they follow the clock, 4 us a
 * step, so that an old connection's segments do not fit a new one. Ports of callers come in no order either (RFC 6056).
 */
static void first_numbers(void **state)
{
	struct sock_addr to = in_addr(PEER, 998), from = in_addr(0, 4321);
	unsigned tops = 0, near = 0, neighbours = 0;
	bool seen[256] = { false };

	nsyns = 0;
	for (unsigned i = 0; i < 42; i++) {
		struct socket *c = new_socket(LX_AF_INET, LX_SOCK_STREAM);
		if (i >= 40) {
			let_run(1000);
			assert_int_equal(sock_bind(c, &from), 0);
		}
		assert_int_equal(sock_connect(c, &to, true), -EINPROGRESS);
		sock_close(c);
	}
	assert_int_equal(nsyns, 42);
	for (unsigned i = 0; i < 40; i++) {
		tops += !seen[syns[i].seq >> 24];
		seen[syns[i].seq >> 24] = true;
		near += i && syns[i].seq - syns[i - 1].seq + (1u << 24) < 1u << 25;
		neighbours += i && syns[i].port - syns[i - 1].port + 2 <= 4;
	}
	assert_true(tops > 24);              /* of 40 numbers, by chance 37 of 256 */
	assert_true(near < 6 && neighbours < 4);
	assert_int_equal(syns[40].port, syns[41].port);
	assert_in_range(syns[41].seq - syns[40].seq, 250000, 260000);
}

static void idle_is_idle(void **state)
{
	struct socket *c, *s;

	tcp_pair(PEER, &c, &s);
	let_run(60000);
	u64 before = thread_current()->switches_voluntary, t = arch_clock_mono_ns();
	unsigned frames = sent_frames;
	let_run(50000);
	assert_int_equal(sent_frames, frames);
	assert_in_range(thread_current()->switches_voluntary - before, 0, 2);
	assert_true(arch_clock_mono_ns() > t);
	sock_close(c);
	sock_close(s);
}

static void failing_memory(void **state)
{
	for (unsigned nth = 1; nth < 200; nth += 3) {
		struct socket *c = new_socket(LX_AF_INET, LX_SOCK_STREAM), *l, *s = NULL;
		unsigned port;
		struct lx_timeval tv = { 30, 0 };
		static u8 buf[100000];
		l = listener(0, 0, &port);
		struct sock_addr a = in_addr(PEER, port);
		sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_SNDTIMEO, &tv, sizeof tv);
		heap_fail_nth(nth);
		if (sock_connect(c, &a, false) == 0 && sock_accept(l, true, &s) == 0) {
			sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_RCVTIMEO, &tv, sizeof tv);
			ssize_t n = send_flags(c, buf, sizeof buf, 0);
			if (n > 0)
				assert_int_equal(recv_flags(s, buf, (size_t)n, LX_MSG_WAITALL), n);
		}
		heap_fail_nth(0);
		if (s)
			sock_close(s);
		sock_close(c);
		sock_close(l);
	}
	transfer(50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lease), cmocka_unit_test(told), cmocka_unit_test(clean_wire), cmocka_unit_test(small_exchanges), cmocka_unit_test(small_until_full), cmocka_unit_test(merged_receive), cmocka_unit_test(no_offload),
		cmocka_unit_test(bad_wire), cmocka_unit_test(large_lost_twice), cmocka_unit_test(full_ring), cmocka_unit_test(datagrams), cmocka_unit_test(group_queries), cmocka_unit_test(connect_to_nobody), cmocka_unit_test(slow_after_idle), cmocka_unit_test(largest_merged), cmocka_unit_test(ends), cmocka_unit_test(probe_taken), cmocka_unit_test(peers_mss), cmocka_unit_test(syn_flood), cmocka_unit_test(first_numbers), cmocka_unit_test(idle_is_idle),
		cmocka_unit_test(slow_then_silent), cmocka_unit_test(failing_memory), cmocka_unit_test(hostile_frames),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
