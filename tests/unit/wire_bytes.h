/*
 * wire_bytes.h - what every made-up Ethernet peer needs: numbers in network order, sums, and the answer to a question of ARP. For
 * the fake devices of tests/unit and of fuzz/packets_fuzz.c; needs no test framework.
 */
#ifndef UNIT_WIRE_BYTES_H
#define UNIT_WIRE_BYTES_H

#include <string.h>
#include "base/types.h"

#define ARP_LEN 42u

static const u8 peer_mac[6] = { 2, 0, 0, 0, 0, 2 };

static inline void put16(u8 *p, unsigned v) { p[0] = (u8)(v >> 8); p[1] = (u8)v; }
static inline void put32(u8 *p, u32 v) { put16(p, v >> 16); put16(p + 2, v & 0xffff); }
static inline unsigned get16(const u8 *p) { return (unsigned)(p[0] << 8 | p[1]); }
static inline u32 get32(const u8 *p) { return (u32)get16(p) << 16 | get16(p + 2); }

/* Of n bytes, begun with s; not complemented. */
static inline u16 sum(const u8 *p, size_t n, u32 s)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += get16(p + i);
	if (n & 1)
		s += (u32)p[n - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (u16)s;
}

/* peer_mac answers the question in frame q; false: it is none. */
static inline bool arp_answer(u8 ret[ARP_LEN], const u8 *q)
{
	memcpy(ret, q + 6, 6);
	memcpy(ret + 6, peer_mac, 6);
	memcpy(ret + 12, q + 12, 8);
	put16(ret + 20, 2);
	memcpy(ret + 22, peer_mac, 6);
	memcpy(ret + 28, q + 38, 4);
	memcpy(ret + 32, q + 22, 10);
	return get16(q + 20) == 1;
}

#endif
