/*
 * packets_fuzz.c - a hostile link: Ethernet frames into the stack, with sockets that listen, connect, send and receive meanwhile.
 *
 * The input is a list of steps: a byte that says what (enum step), then its bytes. Some frames are raw; most get the headers that bring
 * the rest to where it is used: sums that are right, the sequence numbers that the stack expects, an identification that it asked with. The
 * device answers ARP and neighbour solicitations by itself. After each input the sockets are closed, the clock runs on, and everything that
 * the device lent must be back within half an hour. The first input of a process sets the stack up.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "base/errno.h"
#include "base/log.h"
#include "dev/netdev.h"
#include "fuzz/fuzz.h"
#include "mm/heap.h"
#include "net/lx_socket.h"
#include "net/socket.h"
#include "sched/thread.h"
#include "tests/unit/wire_bytes.h"

enum step { RAW, IP4, IP6, TCP4, TCP6, UDP4, ARP, ICMP4, ICMP6, DHCP, TIME, PROGRAM, STEPS };
enum { FRAME_MAX = 9000, FRAMES = 64, PORT = 80 };

static const u8 mac[6] = { 2, 0, 0, 0, 0, 1 };
static const u8 me4[4] = { 10, 0, 0, 1 }, peer4[4] = { 10, 0, 0, 2 };
static const u8 me6[16] = { 0xfd, [15] = 1 }, peer6[16] = { 0xfd, [15] = 2 };

#define must(ok) must_be(ok, #ok)
static void must_be(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "panic: not so: %s\n", what);
	abort();
}

/* ---- The device ---- */

static struct frame {
	u8 *data;
	u32 len;
	bool vouched;
} frames[FRAMES];
static unsigned waiting, lent;
static struct netdev dev;

static void frame_add(const u8 *data, u32 len, bool vouched)
{
	if (waiting == FRAMES)
		return;
	u8 *copy = malloc(len ? len : 1);
	must(copy != NULL);
	memcpy(copy, data, len);
	frames[waiting++] = (struct frame){ copy, len, vouched };
}

/* In pieces of at most a page, each exactly as long as it is: the sanitizer sees a byte read beyond. */
static struct netdev_buf *lend(const struct frame *f)
{
	struct netdev_buf *first = NULL, **at = &first;

	for (u32 off = 0; off < f->len || !first;) {
		struct netdev_buf *b = calloc(1, sizeof(*b));
		must(b != NULL);
		b->len = MIN(f->len - off, 4000u);
		b->data = malloc(b->len ? b->len : 1);
		must(b->data != NULL);
		memcpy(b->data, f->data + off, b->len);
		b->dev = &dev;
		b->csum_valid = f->vouched;
		off += b->len;
		*at = b;
		at = &b->next;
		lent++;
	}
	return first;
}

static unsigned link_receive(struct netdev *d, struct netdev_buf **ret, unsigned max, bool rearm)
{
	unsigned n = MIN(max, waiting);

	for (unsigned i = 0; i < n; i++) {
		ret[i] = lend(&frames[i]);
		free(frames[i].data);
	}
	memmove(frames, frames + n, (waiting - n) * sizeof(frames[0]));
	waiting -= n;
	return n;
}

static void link_release(struct netdev *d, struct netdev_buf *b)
{
	for (struct netdev_buf *next; b; b = next) {
		next = b->next;
		free(b->data);
		free(b);
		lent--;
	}
}

/* What the stack said last: where its answers go on. */
static struct said {
	u32 seq, ack;
	unsigned from, to;
} tcp[2] = { { .from = PORT, .to = 999 }, { .from = PORT, .to = 999 } };
static u8 last[128], dhcp_id[4];
static u32 last_len;

static void ip6_frame(u8 next, u8 hops, u8 *packet, u32 len, bool fix, bool vouched);

static void answer_arp(const u8 *d)
{
	u8 r[ARP_LEN];

	if (arp_answer(r, d) && d[41] != me4[3])
		frame_add(r, sizeof(r), false);
}

static void answer_solicitation(const u8 *ip)
{
	u8 m[32] = { 136, [4] = 0x60, [24] = 2, [25] = 1 };

	if (ip[8] == 0)                      /* is my address taken? */
		return;
	memcpy(m + 8, ip + 48, 16);
	memcpy(m + 26, peer_mac, 6);
	ip6_frame(58, 255, m, sizeof(m), true, false);
}

static void note_tcp(struct said *s, const u8 *t, u32 len)
{
	u32 payload = len - MIN(len, (u32)(t[12] >> 4) * 4);

	s->seq = get32(t + 4) + payload + !!(t[13] & 3);
	s->ack = get32(t + 8);
	s->from = get16(t);
	s->to = get16(t + 2);
}

static int link_transmit(struct netdev *d, const struct netdev_tx *tx, bool notify)
{
	static u8 f[70000];
	u32 len = 0;

	must(tx->nsegs && tx->nsegs <= NETDEV_TX_SEGS);
	for (unsigned i = 0; i < tx->nsegs; i++) {
		must(len + tx->segs[i].len <= sizeof(f));
		memcpy(f + len, tx->segs[i].data, tx->segs[i].len);
		len += tx->segs[i].len;
	}
	must(len >= 14 && len <= 65535 + 14 && (tx->gso_size || len <= 1514));
	const u8 *ip = f + 14;
	last_len = MIN(len - 14, (u32)sizeof(last));
	memcpy(last, ip, last_len);
	if (get16(f + 12) == 0x806)
		answer_arp(f);
	else if (get16(f + 12) == 0x800 && ip[9] == 6)
		note_tcp(&tcp[0], ip + 20, len - 34);
	else if (get16(f + 12) == 0x800 && ip[9] == 17 && get16(ip + 22) == 67)
		memcpy(dhcp_id, ip + 32, 4);
	else if (get16(f + 12) == 0x86dd && ip[6] == 6)
		note_tcp(&tcp[1], ip + 40, len - 54);
	else if (get16(f + 12) == 0x86dd && ip[6] == 58 && ip[40] == 135)
		answer_solicitation(ip);
	tx->done(tx->arg);
	return 0;
}

/* ---- Frames ---- */

static u8 frame[FRAME_MAX + 100];

static void frame_begin(unsigned type)
{
	memset(frame, 0, 60);
	memcpy(frame, mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	put16(frame + 12, type);
}

/* Where the sum of a transport header lies; 0: none. */
static unsigned sum_at(u8 protocol)
{
	return protocol == 6 ? 16 : protocol == 17 ? 6 : protocol == 1 || protocol == 58 ? 2 : 0;
}

static void ip4_frame(u8 protocol, unsigned fragment, u8 *packet, u32 len, bool fix, bool vouched)
{
	u8 *ip = frame + 14;
	unsigned at = sum_at(protocol);

	frame_begin(0x800);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	put16(ip + 4, 7);
	put16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, peer4, 4);
	memcpy(ip + 16, me4, 4);
	put16(ip + 10, (u16)~sum(ip, 20, 0));
	memcpy(ip + 20, packet, len);
	if (fix && at && at + 2 <= len) {
		put16(ip + 20 + at, 0);
		put16(ip + 20 + at, (u16)~sum(ip + 20, len, protocol == 1 ? 0 : protocol + len + get16(ip + 12) + get16(ip + 14) + get16(ip + 16) + get16(ip + 18)));
	}
	frame_add(frame, 34 + len, vouched);
}

static void ip6_frame(u8 next, u8 hops, u8 *packet, u32 len, bool fix, bool vouched)
{
	u8 *ip = frame + 14;
	unsigned at = sum_at(next);
	u32 pseudo = next + len;

	frame_begin(0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, len);
	ip[6] = next;
	ip[7] = hops;
	memcpy(ip + 8, peer6, 16);
	memcpy(ip + 24, me6, 16);
	memcpy(ip + 40, packet, len);
	for (unsigned i = 8; i < 40; i += 2)
		pseudo += get16(ip + i);
	if (fix && at && at + 2 <= len) {
		put16(ip + 40 + at, 0);
		put16(ip + 40 + at, (u16)~sum(ip + 40, len, pseudo));
	}
	frame_add(frame, 54 + len, vouched);
}

static u32 take_some(struct fuzz_input *in, u8 *to, u32 max)
{
	u32 len = MIN((u32)fuzz_u16(in), max);

	fuzz_take(in, to, len);
	return len;
}

/* A segment that nearly fits: flags, how far beside the expected numbers, options, data. */
static void tcp_step(struct fuzz_input *in, bool six)
{
	static u8 t[60 + 2000];
	const struct said *s = &tcp[six];
	u8 flags = fuzz_u8(in), options = (u8)(fuzz_u8(in) % 11 * 4);

	memset(t, 0, 20);
	put16(t, flags & 0x40 ? s->to : 999);
	put16(t + 2, flags & 0x80 ? s->from : PORT);
	put32(t + 4, s->ack + (u32)(s32)(s8)fuzz_u8(in));
	put32(t + 8, s->seq + (u32)(s32)(s8)fuzz_u8(in));
	t[12] = (u8)((20 + options) / 4 << 4);
	t[13] = flags & 0x3f;
	put16(t + 14, fuzz_u16(in));
	fuzz_take(in, t + 20, options);
	u32 len = 20u + options + take_some(in, t + 20 + options, 1400);
	if (six)
		ip6_frame(6, 64, t, len, true, false);
	else
		ip4_frame(6, 0, t, len, true, flags & 1);
}

static void dhcp_step(struct fuzz_input *in)
{
	static u8 u[1500];
	u8 *q = u + 8;

	memset(u, 0, 248);
	q[0] = 2;
	q[1] = 1;
	q[2] = 6;
	memcpy(q + 4, dhcp_id, 4);
	memcpy(q + 16, me4, 4);
	memcpy(q + 28, mac, 6);
	put32(q + 236, 0x63825363);
	u32 len = 248 + take_some(in, q + 240, 1000);
	put16(u, 67);
	put16(u + 2, 68);
	put16(u + 4, len);
	ip4_frame(17, 0, u, len, true, false);
}

static void icmp_step(struct fuzz_input *in, bool six)
{
	static u8 m[2000];
	u8 how = fuzz_u8(in);
	u32 len;

	m[0] = fuzz_u8(in);
	m[1] = fuzz_u8(in);
	fuzz_take(in, m + 4, 4);
	if (how & 1) {                       /* about what was sent last */
		memcpy(m + 8, last, last_len);
		len = 8 + (how & 2 ? MIN(last_len, 28u) : last_len);
	} else {
		len = 8 + take_some(in, m + 8, 1400);
	}
	if (six)
		ip6_frame(58, how & 4 ? 64 : 255, m, len, true, false);
	else
		ip4_frame(1, 0, m, len, true, false);
}

/* ---- The program ---- */

static struct socket *listener, *conn, *udp, *out, *udp6;

static void sock_drop(struct socket **s)
{
	if (*s)
		sock_close(*s);
	*s = NULL;
}

static struct sock_addr addr4(const u8 *a, unsigned port)
{
	struct lx_sockaddr_in in = { .family = LX_AF_INET, .port = __builtin_bswap16((u16)port) };
	struct sock_addr r = { .len = sizeof(in) };

	memcpy(&in.addr, a, 4);
	memcpy(r.bytes, &in, sizeof(in));
	return r;
}

static struct sock_addr addr6(const u8 *a, unsigned port)
{
	struct lx_sockaddr_in6 in = { .family = LX_AF_INET6, .port = __builtin_bswap16((u16)port) };
	struct sock_addr r = { .len = sizeof(in) };

	memcpy(&in.addr, a, 16);
	memcpy(r.bytes, &in, sizeof(in));
	return r;
}

static ssize_t move(struct socket *s, bool send, size_t len, const struct sock_addr *to)
{
	static u8 buf[65536];
	struct sock_addr from;
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = LX_MSG_DONTWAIT, .addr = &from };

	if (!s)
		return 0;
	if (to)
		from = *to;
	else if (send)
		m.addr = NULL;
	uio_init_kernel(&u, buf, len);
	return send ? sock_send(s, &m) : sock_recv(s, &m);
}

static void program_step(struct fuzz_input *in)
{
	struct sock_addr to = addr4(peer4, 53);
	u8 what = fuzz_u8(in);

	switch (what % 10) {
	case 0:
		if (!conn)
			(void)sock_accept(listener, true, &conn);
		break;
	case 1: move(conn, false, 1u << (what >> 4), NULL); break;
	case 2: move(conn, true, 1u << (what >> 4), NULL); break;
	case 3: sock_drop(&conn); break;
	case 4: move(udp, false, 1500, NULL); break;
	case 5: move(udp, true, what * 64u, &to); break;
	case 6:
		sock_drop(&out);
		must(sock_create(what & 16 ? LX_AF_INET6 : LX_AF_INET, LX_SOCK_STREAM, 0, &out) == 0);
		to = what & 16 ? addr6(peer6, 999) : addr4(peer4, 999);
		(void)sock_connect(out, &to, true);
		break;
	case 7: move(out, what & 16, 1u << (what >> 4), NULL); break;
	case 8: move(udp6, false, 1500, NULL); break;
	case 9:
		if (conn)
			(void)sock_shutdown(conn, LX_SHUT_WR);
	}
}

/* ---- An input ---- */

static void let_run(u64 ms)
{
	if (waiting && dev.on_event)
		dev.on_event(&dev);
	(void)sched_sleep_until(arch_clock_mono_ns() + ms * NSEC_PER_MSEC, false);
}

static void setup(void)
{
	static const struct netdev_ops ops = { .transmit = link_transmit, .receive = link_receive, .release = link_release };
	static struct net_config c = { .mode = NET_DHCP, .hostname = "fuzz", .prefix6 = 64 };
	static u8 offer[] = { 54, 4, 10, 0, 0, 2, 51, 4, 0, 0, 0, 120, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 2, 53, 1, 2, 255 };

	host_sched_start();
	log_threshold = LOG_ERROR - 1;
	memcpy(c.addr6, me6, 16);
	dev.ops = &ops;
	dev.mtu = 1500;
	dev.features = NETDEV_CSUM | NETDEV_TSO4 | NETDEV_RX_CSUM;
	dev.link_up = true;
	memcpy(dev.mac, mac, 6);
	netdev_register(&dev);
	must(net_init(&c) == 0);
	for (u8 type = 2; type <= 5; type += 3) {    /* OFFER, ACK: from here on it is the input that speaks DHCP */
		u8 step[2 + sizeof(offer)] = { sizeof(offer), 0 };
		let_run(20);
		offer[sizeof(offer) - 2] = type;
		memcpy(step + 2, offer, sizeof(offer));
		dhcp_step(&(struct fuzz_input){ step, sizeof(step) });
	}
	let_run(100);
}

static void program_begin(void)
{
	static const u8 any[16];
	struct sock_addr a = addr6(any, PORT), b = addr4(any, 53), c = addr6(any, 54);

	must(sock_create(LX_AF_INET6, LX_SOCK_STREAM, 0, &listener) == 0);
	must(sock_setsockopt(listener, LX_SOL_SOCKET, LX_SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0);
	must(sock_bind(listener, &a) == 0 && sock_listen(listener, 4) == 0);
	must(sock_create(LX_AF_INET, LX_SOCK_DGRAM, 0, &udp) == 0 && sock_bind(udp, &b) == 0);
	must(sock_create(LX_AF_INET6, LX_SOCK_DGRAM, 0, &udp6) == 0 && sock_bind(udp6, &c) == 0);
}

static void take_step(struct fuzz_input *in)
{
	static u8 p[FRAME_MAX];
	u8 kind = fuzz_u8(in), how;
	unsigned word;

	switch (kind % STEPS) {
	case RAW:
		frame_begin(fuzz_u16(in));
		frame_add(frame, 14 + take_some(in, frame + 14, FRAME_MAX), false);
		break;
	case IP4:
		how = fuzz_u8(in);
		word = fuzz_u16(in);         /* of fragments */
		ip4_frame(how, kind & 0x80 ? word : 0, p, take_some(in, p, 1480), true, kind & 0x40);
		break;
	case IP6:
		how = fuzz_u8(in);
		ip6_frame(how, kind & 0x80 ? 255 : 64, p, take_some(in, p, 1440), true, false);
		break;
	case TCP4: tcp_step(in, false); break;
	case TCP6: tcp_step(in, true); break;
	case UDP4:
		put16(p, 53);
		put16(p + 2, kind & 0x80 ? 68 : 53);
		word = 8 + take_some(in, p + 8, 1400);
		put16(p + 4, kind & 0x40 ? fuzz_u16(in) : word);
		ip4_frame(17, 0, p, word, true, false);
		break;
	case ARP:
		frame_begin(0x806);
		memcpy(frame + 14, "\0\1\10\0\6\4\0", 7);
		fuzz_take(in, frame + (kind & 0x80 ? 14 : 21), kind & 0x80 ? 28 : 21);
		frame_add(frame, 42, false);
		break;
	case ICMP4: icmp_step(in, false); break;
	case ICMP6: icmp_step(in, true); break;
	case DHCP: dhcp_step(in); break;
	case TIME: let_run(fuzz_u16(in) % 2000); break;
	case PROGRAM: program_step(in); break;
	}
	if (waiting >= 8 || kind & 0x20)
		let_run(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	static bool ready;

	if (!ready)
		setup();
	ready = true;
	program_begin();
	for (unsigned n = 0; n < 200 && in.left; n++)
		take_step(&in);
	let_run(1);
	sock_drop(&conn);
	sock_drop(&out);
	sock_drop(&udp);
	sock_drop(&udp6);
	sock_drop(&listener);
	let_run(lent ? 1000 : 100);
	for (unsigned i = 0; i < 60 && lent; i++)
		let_run(30000);              /* fragments, TIME-WAIT, connections that were never finished */
	must(lent == 0);
	return 0;
}
