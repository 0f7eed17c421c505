/*
 * mirror_wire.h - a wire that is a mirror: a frame for 10.0.0.2 comes back with its two addresses exchanged, so that one stack has
 * both ends of a connection, each with the other at 10.0.0.2. It loses, reorders and duplicates, and checks what the stack asks of the
 * device (checksum and segmentation offload, room before a frame). The device answers ARP for 10.0.0.2 itself, speaks DHCP, and keeps
 * what came for ports 998 and 999, whose other end the test plays by hand.
 */
#ifndef UNIT_MIRROR_WIRE_H
#define UNIT_MIRROR_WIRE_H

#include "fake_wire.h"

#define ME    0x0100000au            /* 10.0.0.1 */
#define PEER  0x0200000au
#define GROUP 0x050000e1u          /* 225.0.0.5 */

static unsigned lose_percent, reorder_percent, duplicate_percent;
static unsigned tcp_frames, sent_frames, dhcp_acks;
static bool refuse;                  /* the ring is full */
static u32 synack_seq;               /* of the last SYN-ACK to port 999, 0: none */
static struct { u32 seq; unsigned port; } syns[48];   /* those to port 998, which nobody answers */
static unsigned nsyns;
static unsigned group_reports, datagram_sums, datagrams_without;
static bool merge;                   /* deliver large frames uncut, as guest TSO does */

static u16 l4_sum(const u8 *ip, size_t len)
{
	size_t l4 = len - 20;
	return sum(ip + 20, l4, (u32)ip[9] + (u32)l4 + get16(ip + 12) + get16(ip + 14) + get16(ip + 16) + get16(ip + 18));
}

/* The newest frame changes places with one that waits. */
static void reorder(void)
{
	unsigned at = tail - 1;

	if (!reorder_percent || at <= head || random_below(100) >= reorder_percent)
		return;
	unsigned other = head + (unsigned)random_below(at - head);
	struct frame *t = queue[other % QUEUE];
	queue[other % QUEUE] = queue[at % QUEUE];
	queue[at % QUEUE] = t;
}

static void answer_arp(const u8 *d, u32 len)
{
	u8 r[ARP_LEN];

	if (arp_answer(r, d) && memcmp(d + 38, &(u32){ PEER }, 4) == 0)
		enqueue(r, sizeof r, false);
}

static void answer_dhcp(const u8 *d, u32 len)
{
	static u8 r[600];
	const u8 *b = d + 42;
	u8 type = 0;

	for (const u8 *o = b + 240; o < d + len && *o != 255; o += 2 + o[1])
		if (*o == 53)
			type = o[2];
	memset(r, 0, sizeof r);
	memset(r, 0xff, 6);
	memcpy(r + 6, peer_mac, 6);
	put16(r + 12, 0x800);
	u8 *ip = r + 14, *u = ip + 20, *q = u + 8;
	q[0] = 2; q[1] = 1; q[2] = 6;
	memcpy(q + 4, b + 4, 4);
	put32(q + 16, 0x0a000001);
	memcpy(q + 28, b + 28, 16);
	put32(q + 236, 0x63825363);
	static const u8 options[] = { 54, 4, 10, 0, 0, 2, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 2, 6, 8, 9, 9, 9, 9, 8, 8, 8, 8,
				      15, 12, 'l', 'a', 'b', '.', 'i', 'n', 't', 'e', 'r', 'n', 'a', 'l', 255 };
	q[240] = 53; q[241] = 1; q[242] = type == 1 ? 2 : 5;
	dhcp_acks += type == 3;
	memcpy(q + 243, options, sizeof options);
	unsigned n = 243 + sizeof options + 8;
	put16(u, 67); put16(u + 2, 68); put16(u + 4, n);
	ip[0] = 0x45; put16(ip + 2, n + 20); ip[8] = 64; ip[9] = 17;
	put32(ip + 12, 0x0a000002); put32(ip + 16, 0xffffffff);
	put16(ip + 10, (u16)~sum(ip, 20, 0));
	enqueue(r, n + 34, false);
}

/* What came for port 999 of nobody: the next number in order, the longest segment. */
static u32 to_hand_next, to_hand_most;
static u8 to_hand_flags;             /* of the last one */
static unsigned to_hand_frames, to_hand_fins;

/* One frame as it would be on the wire, every sum complete. */
static void on_wire(u8 *d, u32 len)
{
	u8 *ip = d + 14;

	if (get16(d + 12) == 0x86dd)     /* see net_ip6_test.c */
		return;
	sent_frames++;
	assert_true(len >= 14 && len <= (merge ? 65535 + 14 : 1514));
	if (get16(d + 12) == 0x806) {
		answer_arp(d, len);
		return;
	}
	assert_int_equal(get16(d + 12), 0x800);
	assert_int_equal(get16(ip + 2), len - 14);
	assert_int_equal(sum(ip, (ip[0] & 15) * 4u, 0), 0xffff);
	if (ip[9] == 2) {
		group_reports += ip[24] == 0x16;
		return;
	}
	if (ip[9] == 17 && get16(ip + 22) == 67) {
		answer_dhcp(d, len);
		return;
	}
	if (ip[9] == 17 && !(get16(ip + 6) & 0x3fff)) {
		datagrams_without += get16(ip + 26) == 0;
		datagram_sums += get16(ip + 26) != 0;
		assert_true(get16(ip + 26) == 0 || l4_sum(ip, len - 14) == 0xffff);
	}
	tcp_frames += ip[9] == 6;
	if (ip[9] == 6)
		assert_int_equal(l4_sum(ip, len - 14), 0xffff);
	if (ip[9] == 6 && get16(ip + 22) == 998) {
		if (ip[33] == 2 && nsyns < ARRAY_SIZE(syns)) {
			syns[nsyns].seq = get32(ip + 24);
			syns[nsyns++].port = get16(ip + 20);
		}
		return;
	}
	if (ip[9] == 6 && get16(ip + 22) == 999) {
		to_hand_flags = ip[33];
		to_hand_frames++;
		to_hand_fins += ip[33] & 1;
		if (ip[33] == 0x12)
			synack_seq = (u32)get16(ip + 24) << 16 | get16(ip + 26);
		u32 header = 20 + (u32)(ip[32] >> 4) * 4, data = get16(ip + 2) - header;
		if (data && get32(ip + 24) == to_hand_next) {
			to_hand_most = MAX(to_hand_most, data);
			to_hand_next += data;
		}
		if (ip[33] == 0x12)
			to_hand_next = synack_seq + 1;
		return;
	}
	if (memcmp(ip + 16, &(u32){ PEER }, 4) != 0)
		return;
	if (random_below(100) < lose_percent)
		return;
	u8 t[6];
	memcpy(t, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, t, 4);
	memcpy(t, d, 6);
	memcpy(d, d + 6, 6);
	memcpy(d + 6, t, 6);
	enqueue(d, len, random_below(2));
	reorder();
	if (random_below(100) < duplicate_percent)
		enqueue(d, len, false);
}

static void complete_csum(u8 *d, u32 len, const struct netdev_tx *tx)
{
	u16 s = sum(d + tx->csum_start, len - tx->csum_start, 0);

	put16(d + tx->csum_start + tx->csum_offset, s == 0xffff ? s : (u16)~s);
}

static int fake_transmit(struct netdev *d, const struct netdev_tx *tx, bool notify)
{
	static u8 whole[66000], part[66000];
	u32 len = 0;

	if (refuse)
		return -EBUSY;
	assert_in_range(tx->nsegs, 1, NETDEV_TX_SEGS);
	if (tx->room) {
		u8 *room = (u8 *)(uintptr_t)tx->segs[0].data - NETDEV_TX_ROOM;
		assert_int_equal((uintptr_t)room % 4, 0);
		memset(room, 0xa5, NETDEV_TX_ROOM);
	}
	for (unsigned i = 0; i < tx->nsegs; i++) {
		memcpy(whole + len, tx->segs[i].data, tx->segs[i].len);
		len += tx->segs[i].len;
	}
	if (!tx->gso_size || merge) {
		if (tx->needs_csum)
			complete_csum(whole, len, tx);
		largest_gso = MAX(largest_gso, len);
		on_wire(whole, len);
	} else {
		/* Cut as a device does: RFC 793's headers again and again, PSH and FIN last. */
		u32 h = tx->gso_hdr_len, off = h, seq = get32(whole + 14 + 24);
		assert_true(tx->needs_csum);
		assert_int_equal(sum(whole + 14, 20, 0), 0xffff);
		gso_frames++;
		largest_gso = MAX(largest_gso, len);
		while (off < len) {
			u32 n = MIN((u32)tx->gso_size, len - off);
			memcpy(part, whole, h);
			memcpy(part + h, whole + off, n);
			u8 *ip = part + 14;
			put16(ip + 2, h - 14 + n);
			put16(ip + 10, 0);
			put16(ip + 10, (u16)~sum(ip, 20, 0));
			put32(ip + 24, seq);
			if (off + n < len)
				ip[33] &= (u8)~9;
			put16(ip + 36, 0);
			put16(ip + 36, (u16)~l4_sum(ip, h - 14 + n));
			on_wire(part, h + n);
			off += n;
			seq += n;
		}
	}
	tx->done(tx->arg);
	announce();
	return 0;
}

static const struct netdev_ops fake_ops = { .transmit = fake_transmit, .receive = fake_receive, .release = fake_release };

#endif
