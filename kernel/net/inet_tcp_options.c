/*
 * inet_tcp_options.c - what a peer says in a segment's options, before lwIP takes its word for it.
 *
 * lwIP obeys an MSS in any segment, of any size. It is what the first SYN says (RFC 9293, 3.7.1): in a later segment it
 * could make segments longer than the link takes, or a byte long; and one that is tiny from the beginning would make
 * thousands of packets of a page (Linux: tcp_min_snd_mss).
 *
 * Locks: inet_core. Cannot fail: options that nobody can read are blotted out, and the segment goes on.
 */
#include "net/inet_impl.h"
#include "lwip/prot/tcp.h"

#define MSS_LEAST 48u

COUNTER(inet_rx_mss);

/* One MSS option: blotted out, or made no less than the least. */
static void mss_check(u8 *o, bool told)
{
	u32 mss = (u32)o[2] << 8 | o[3];

	if (told && (mss >= MSS_LEAST || !mss))
		return;
	counter_bump(inet_rx_mss);
	if (told)
		o[2] = 0, o[3] = MSS_LEAST;
	else
		memset(o, LWIP_TCP_OPT_NOP, LWIP_TCP_OPT_LEN_MSS);
}

static __attribute__((noinline)) void walk(u8 *o, u32 len, bool told)
{
	u32 at = 0, step;

	for (; at < len && o[at] != LWIP_TCP_OPT_EOL; at += step) {
		step = o[at] == LWIP_TCP_OPT_NOP ? 1 : at + 1 < len ? o[at + 1] : 0;
		if (!step || at + step > len) {
			memset(o + at, LWIP_TCP_OPT_EOL, len - at);
			return;
		}
		if (o[at] == LWIP_TCP_OPT_MSS && step == LWIP_TCP_OPT_LEN_MSS)
			mss_check(o + at, told);
	}
}

/* Headers are in one piece (inet_netif.c, I2): a segment whose are not is dropped. */
s8 inet_tcp_options(const struct tcp_pcb *pcb, struct tcp_hdr *h, u32 len, u32 len1)
{
	u32 first = 0;

	if (len1 != len)
		return ERR_BUF;
	if (likely(len == 12))
		__builtin_memcpy(&first, h + 1, 4);
	if (unlikely(first != PP_HTONL(0x0101080a)))     /* NOP, NOP, a timestamp, and nothing else */
		walk((u8 *)(h + 1), len, (TCPH_FLAGS(h) & TCP_SYN) && (pcb->state == LISTEN || pcb->state == SYN_SENT));
	return ERR_OK;
}
