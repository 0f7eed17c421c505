/*
 * inet_netif.c - the two interfaces, lo, and eth0 over a struct netdev; IPv4 packets before lwIP sees them.
 *
 * Receiving. A frame of some size is lent to lwIP as a chain of custom pbufs, one for each
 * driver buffer and in it, which go back to the driver when lwIP or the socket's reader frees them. Small
 * frames are copied, so that a slow reader of small packets cannot hold the whole ring.
 *
 * The loopback hands a packet over as a copy of its headers plus references to its data.
 *
 * Invariants:
 *  (I1) a pbuf is on at most one of the transmit queue (inet_send.c) and lo's (it has one queue_next).
 *  (I2) the first pbuf of a received frame holds all headers that lwIP reads without looking
 *       (it trusts them to be contiguous).
 */
#include "net/inet_impl.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/ethip6.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "netif/ethernet.h"

#define LO_MTU        65500u         /* with MSS from TCP_MSS; shown as 65536, like Linux's */
#define COPY_MAX      INET_COPY_MAX
#define HEADERS_MIN   128u           /* (I2) */
#define LO_QUEUE_MAX  4096u
#define QUOTE_MAX     576u           /* of a packet in an ICMP error */

struct netif inet_lo, inet_eth;
struct netdev *inet_dev;
struct inet_if_stats inet_lo_stats, inet_eth_stats;

static struct pbuf *lo_head, *lo_tail;
static unsigned lo_count;
static struct netif *lo_pretend;
static u16 eth_mtu6;                 /* while mtu6 is 0 (inet_tcp_out) */

COUNTER(inet_rx_short);
COUNTER(inet_rx_martian);
COUNTER(inet_rx_nomem);

u16 inet_checksum(const void *data, int len)
{
	const u8 *p = data;
	unsigned __int128 big = 0;
	u64 s = 0, v;

	for (; len >= 8; len -= 8, p += 8) {
		__builtin_memcpy(&v, p, 8);
		big += v;
	}
	s = (u64)big;
	v = (u64)(big >> 64);
	s = (s >> 32) + (s & 0xffffffff) + v;
	if (len >= 4) {
		u32 w;
		__builtin_memcpy(&w, p, 4);
		s += w;
		p += 4;
		len -= 4;
	}
	if (len >= 2) {
		u16 h;
		__builtin_memcpy(&h, p, 2);
		s += h;
		p += 2;
		len -= 2;
	}
	if (len)
		s += *p;
	return (u16)inet_sum_fold(s);
}

/* ---- The loopback ---- */

struct lo_ref {
	struct pbuf_custom pc;
	struct pbuf *of;
};
static void lo_ref_free(struct pbuf *p)
{
	struct lo_ref *r = (struct lo_ref *)(void *)p;

	pbuf_free(r->of);
	mem_free(r);
}

/* A packet with headers of its own and the data of p. */
static struct pbuf *lo_share(struct pbuf *p, u16 headers)
{
	struct pbuf *h = pbuf_alloc(PBUF_RAW, headers, PBUF_RAM);
	u16 skip = headers;

	if (!h)
		return NULL;
	pbuf_copy_partial(p, h->payload, headers, 0);
	for (struct pbuf *q = p; q; q = q->next) {
		if (q->len <= skip) {
			skip -= q->len;
			continue;
		}
		struct lo_ref *r = mem_malloc(sizeof(*r));
		if (!r) {
			pbuf_free(h);
			return NULL;
		}
		inet_pbuf_dress(&r->pc.pbuf, PBUF_REF, PBUF_FLAG_IS_CUSTOM, (u8 *)q->payload + skip, (u16)(q->len - skip));
		r->pc.custom_free_function = lo_ref_free;
		r->of = p;
		pbuf_ref(p);
		skip = 0;
		pbuf_cat(h, &r->pc.pbuf);
	}
	return h;
}

/* Bytes of the headers of a plain TCP packet, or as many as headers are at most. */
static u16 header_bytes(const struct pbuf *p)
{
	const struct ip_hdr *ip = p->payload;
	bool v6 = IPH_V(ip) == 6;
	u16 at = v6 ? IP6_HLEN : IP_HLEN;

	if (p->len >= at + TCP_HLEN && (v6 ? IP6H_NEXTH((const struct ip6_hdr *)p->payload) == IP6_NEXTH_TCP :
					     IPH_PROTO(ip) == IP_PROTO_TCP && IPH_HL_BYTES(ip) == IP_HLEN))
		return (u16)(at + TCPH_HDRLEN_BYTES((const struct tcp_hdr *)(const void *)((const u8 *)ip + at)));
	return MIN(p->tot_len, (u16)HEADERS_MIN);
}

static err_t lo_queue(struct pbuf *p)
{
	struct pbuf *c;

	if (lo_count >= LO_QUEUE_MAX) {
		inet_lo_stats.tx_dropped++;
		return ERR_MEM;
	}
	u16 headers = p->tot_len <= COPY_MAX ? p->tot_len : header_bytes(p);
	if (headers >= p->tot_len)
		c = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	else
		c = lo_share(p, headers);
	if (!c) {
		inet_lo_stats.tx_dropped++;
		return ERR_MEM;
	}
	inet_lo_stats.tx_packets++;
	inet_lo_stats.tx_bytes += c->tot_len;
	c->queue_next = NULL;
	c->if_idx = netif_get_index(lo_pretend ? lo_pretend : &inet_lo);
	if (lo_tail)
		lo_tail->queue_next = c;
	else
		lo_head = c;
	lo_tail = c;
	lo_count++;
	return ERR_OK;
}

/* The limit that mtu_lift took away. */
static inline void mtu_restore(void)
{
	if (unlikely(!inet_eth.mtu))
		inet_eth.mtu = inet_eth_mtu();
	if (unlikely(!inet_eth.mtu6))
		inet_eth.mtu6 = eth_mtu6;
}

/* A segment of eth0's size whose address has become our own meanwhile comes by here, too: the limit is back (mtu_lift). */
static err_t lo_output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	mtu_restore();
	return lo_queue(p);
}
static err_t lo_output6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst)
{
	mtu_restore();
	return lo_queue(p);
}
void inet_lo_pretend(struct netif *n) { lo_pretend = n; }

/* As if the interface had received it: our own messages to groups, and to our link-local address. */
static void lo_deliver_eth(struct pbuf *p)
{
	u16 keep = inet_eth.chksum_flags;

	inet_eth.chksum_flags &= (u16)~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_ICMP | NETIF_CHECKSUM_CHECK_ICMP6);
	if (IPH_V((const struct ip_hdr *)p->payload) == 6)
		ip6_input(p, &inet_eth);
	else
		ip4_input(p, &inet_eth);
	inet_eth.chksum_flags = keep;
}

static __attribute__((noinline)) void lo_deliver(void)
{
	while (lo_head) {
		struct pbuf *p = lo_head;
		lo_head = p->queue_next;
		if (!lo_head)
			lo_tail = NULL;
		lo_count--;
		inet_lo_stats.rx_packets++;
		inet_lo_stats.rx_bytes += p->tot_len;
		p->queue_next = NULL;
		if (unlikely(p->if_idx != netif_get_index(&inet_lo))) {
			lo_deliver_eth(p);
			continue;
		}
		if (IPH_V((const struct ip_hdr *)p->payload) == 6) {
			ip6_input(p, &inet_lo);
			continue;
		}
		/* The whole of 127/8 is ours: be the address that is asked for while it is taken in. */
		u32 to = ((const struct ip_hdr *)p->payload)->dest.addr;
		if ((u8)to == 127)
			ip4_addr_set_u32(ip_2_ip4(&inet_lo.ip_addr), to);
		ip4_input(p, &inet_lo);
		ip4_addr_set_u32(ip_2_ip4(&inet_lo.ip_addr), PP_HTONL(0x7f000001));
	}
}

void inet_flush(void)
{
	if (!lo_head && !inet_send_waiting())
		return;
	if (lo_head)
		lo_deliver();
	inet_send_flush();
	inet_timer_activity();
}

/* ---- Receiving ---- */

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct netdev_buf *)0)->stack), "a received buffer has its pbuf in it");

static inline struct netdev_buf *buf_of(struct pbuf *p)
{
	return container_of((u64 (*)[7])(void *)p, struct netdev_buf, stack);
}

void inet_eth_release(struct netdev_buf *chain)
{
	if (chain)
		chain->dev->ops->release(chain->dev, chain);
}

static void buf_free(struct pbuf *p)
{
	struct netdev_buf *nb = buf_of(p);

	nb->next = NULL;
	inet_eth_release(nb);
}

void inet_eth_put_back(struct pbuf *p, struct netdev_buf **chain)
{
	if (!(p->flags & PBUF_FLAG_IS_CUSTOM) || p->ref != 1 || ((struct pbuf_custom *)p)->custom_free_function != buf_free) {
		pbuf_free(p);
		return;
	}
	struct netdev_buf *nb = buf_of(p);

	nb->next = *chain;
	*chain = nb;
}

struct pbuf *inet_eth_lend(struct netdev_buf *nb, u32 len, struct pbuf **ret_tail)
{
	struct pbuf *head = (struct pbuf *)(void *)nb->stack;

	for (;;) {
		struct pbuf_custom *pc = (struct pbuf_custom *)(void *)nb->stack;

		inet_pbuf_dress(&pc->pbuf, PBUF_REF, PBUF_FLAG_IS_CUSTOM, nb->data, (u16)nb->len);
		pc->custom_free_function = buf_free;
		pc->pbuf.tot_len = (u16)len;
		len -= nb->len;
		nb = nb->next;
		if (!nb) {
			*ret_tail = &pc->pbuf;
			return head;
		}
		pc->pbuf.next = (struct pbuf *)(void *)nb->stack;
	}
}

static struct pbuf *frame_copy(struct netdev_buf *nb, u32 total)
{
	struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16)total, PBUF_RAM);
	u8 *to = p ? p->payload : NULL;

	for (; p && nb; nb = nb->next) {
		memcpy(to, nb->data, nb->len);
		to += nb->len;
	}
	return p;
}

/* The frame as a pbuf chain, or NULL (and the frame is gone). */
static struct pbuf *frame_wrap(struct netdev_buf *nb)
{
	struct netdev *d = nb->dev;
	struct pbuf *head;
	u32 total = 0;

	for (struct netdev_buf *b = nb; b; b = b->next)
		total += b->len;
	if (total < SIZEOF_ETH_HDR + IP_HLEN || total > INET_FRAME_MAX) {
		counter_bump(inet_rx_short);
		inet_eth_stats.rx_errors++;
		d->ops->release(d, nb);
		return NULL;
	}
	inet_eth_stats.rx_packets++;
	inet_eth_stats.rx_bytes += total;
	if (total <= COPY_MAX || (nb->next && nb->len < HEADERS_MIN)) {
		head = frame_copy(nb, total);
		d->ops->release(d, nb);
		if (!head) {
			counter_bump(inet_rx_nomem);
			inet_eth_stats.rx_dropped++;
		}
		return head;
	}
	struct pbuf *tail;

	return inet_eth_lend(nb, total, &tail);
}

static void frame_input(struct netdev_buf *nb)
{
	bool valid = nb->csum_valid;
	struct pbuf *p = frame_wrap(nb);

	if (!p)
		return;
	const struct eth_hdr *eth = p->payload;
	bool group = eth->dest.addr[0] & 1;
	if (!group && !inet_mac_same(&eth->dest, inet_eth.hwaddr))
		goto drop;
	if (eth->type == PP_HTONS(ETHTYPE_ARP)) {
		if (p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR)
			goto drop;
		inet_fast_forget();
	}
	u16 keep = inet_eth.chksum_flags;
	if (valid)
		inet_eth.chksum_flags &= (u16)~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
	ethernet_input(p, &inet_eth);
	inet_eth.chksum_flags = keep;
	return;
drop:
	counter_bump(inet_rx_short);
	pbuf_free(p);
}

bool inet_eth_receive(unsigned max)
{
	NO_AUTO_INIT struct netdev_buf *frames[32];
	unsigned n, room, total = 0;

	if (!inet_dev)
		return false;
	do {
		room = MIN(max - total, (unsigned)ARRAY_SIZE(frames));
		n = inet_dev->ops->receive(inet_dev, frames, room, true);
		struct netdev_buf *back = NULL;
		for (unsigned i = 0; i < n; i++)
			if (!inet_fast_input(frames[i], &back))
				frame_input(frames[i]);
		inet_eth_release(back);
		total += n;
		if (n)
			inet_flush();
	} while (n == room && total < max); /* fewer: none was left, and the next one interrupts */
	if (total)
		inet_timer_activity();
	return total == max;
}

/* ---- lwIP's hooks on the way in and in routing ---- */

/* An ICMP error quotes the header of the packet that it is about: tell the socket. */
static void icmp_error(const struct pbuf *p, u16 off)
{
	u8 q[8 + QUOTE_MAX];
	u16 n = pbuf_copy_partial(p, q, sizeof(q), off);
	struct inet_icmp e = { .origin = 2 };

	if (n < 8 + IP_HLEN + 8 || (q[0] != 3 && q[0] != 11 && q[0] != 12))
		return;
	/* lwIP looks at the checksum after us; the loopback has none. */
	if (p->tot_len - off <= (int)sizeof(q) && p->if_idx != netif_get_index(&inet_lo) && inet_checksum(q, n) != 0xffff)
		return;
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)(q + 8);
	u16 hl = IPH_HL_BYTES(ip);
	if (IPH_V(ip) != 4 || hl < IP_HLEN || n < 8 + hl + 8 || (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK)))
		return;
	ip_addr_set_ip4_u32_val(e.local, ip->src.addr);
	ip_addr_set_ip4_u32_val(e.remote, ip->dest.addr);
	ip_addr_set_ip4_u32_val(e.offender, ((const struct ip_hdr *)p->payload)->src.addr);
	e.lport = (u16)(q[8 + hl] << 8 | q[9 + hl]);
	e.rport = (u16)(q[10 + hl] << 8 | q[11 + hl]);
	e.type = q[0];
	e.code = q[1];
	static const s8 errors[16] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN,
				       ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH };
	if (e.type == 3 && e.code > 15)
		return;
	e.error = e.type == 3 ? -errors[e.code] : e.type == 11 ? -EHOSTUNREACH : -EPROTO;
	e.hard = e.type == 12 || (e.type == 3 && (e.code == 2 || e.code == 3 || e.code == 9 || e.code == 10 || e.code == 13));
	e.info = e.type == 3 && e.code == 4 ? (u32)(q[6] << 8 | q[7]) : 0;
	if (IPH_PROTO(ip) == IP_PROTO_UDP) {
		e.payload = q + 8 + hl + 8;
		e.payload_len = n - (8u + hl + 8u);
		inet_udp_icmp(&e);
	} else if (IPH_PROTO(ip) == IP_PROTO_TCP) {
		inet_tcp_icmp(&e);
	}
}

int inet_ip4_input(struct pbuf *p, struct netif *in)
{
	const struct ip_hdr *ip = p->payload;
	u16 hl;

	if (p->len < IP_HLEN)
		goto drop;
	hl = IPH_HL_BYTES(ip);
	if (hl < IP_HLEN || p->len < hl)
		goto drop;
	u8 proto = IPH_PROTO(ip);
	/* lwIP looks at the ports of UDP before it has checked the length; the last piece of a datagram, which has none, may be shorter (and then is a copy, in a block with room). */
	if (proto == IP_PROTO_UDP && p->len < hl + 8 && !(IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK)))
		goto drop;
	if (in != &inet_lo) {
		if ((u8)ip->src.addr == 127 || (u8)ip->dest.addr == 127) {
			counter_bump(inet_rx_martian);
			pbuf_free(p);
			return 1;
		}
	}
	if (unlikely(proto == IP_PROTO_ICMP) && !(IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)))
		icmp_error(p, hl);
	else if (unlikely(proto == IP_PROTO_IGMP))
		inet_timer_igmp();
	return 0;
drop:
	counter_bump(inet_rx_short);
	pbuf_free(p);
	return 1;
}

/* Can the device cut large segments? */
bool inet_eth_cuts(bool ipv6)
{
	u32 need = NETDEV_CSUM | (ipv6 ? NETDEV_TSO6 : NETDEV_TSO4);

	return inet_dev && (inet_dev->features & need) == need;
}

struct netif *inet_ip4_route(const struct ip4_addr *src, const struct ip4_addr *dst)
{
	return inet_addr_is_own4(dst->addr) ? &inet_lo : NULL;
}

struct netif *inet_netif_by_index(unsigned index)
{
	return index == 1 ? &inet_lo : index == 2 && inet_dev ? &inet_eth : NULL;
}

/* ---- Set-up ---- */

static err_t lo_setup(struct netif *n)
{
	n->name[0] = 'l';
	n->name[1] = 'o';
	n->mtu = LO_MTU;
	n->output = lo_output;
	n->output_ip6 = lo_output6;
	n->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	/* Memory does not flip bits on the way: no sums, in or out. */
	n->chksum_flags = NETIF_CHECKSUM_GEN_ICMP;
	return ERR_OK;
}

void inet_lo_init(void)
{
	ip4_addr_t ip, mask, gw;

	IP4_ADDR(&ip, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	ip4_addr_set_zero(&gw);
	netif_add(&inet_lo, &ip, &mask, &gw, NULL, lo_setup, ip4_input);
	netif_set_up(&inet_lo);
	inet_ip6_lo_init();
}

static void eth_on_event(struct netdev *d)
{
	static bool was_up = true;

	if (unlikely(READ_ONCE(d->link_up) != was_up)) {
		was_up = READ_ONCE(d->link_up);
		inet_info_changed();
	}
	inet_frames_wait();
}

u16 inet_eth_mtu(void) { return inet_dev && inet_dev->mtu ? inet_dev->mtu : 1500; }

u32 inet_path_mtu(const ip_addr_t *dst)
{
	if (inet_addr_is_own(dst))
		return 65536;
	return IP_IS_V6(dst) ? nd6_get_destination_mtu(ip_2_ip6(dst), &inet_eth) : inet_eth_mtu();
}

/*
 * IP must not fragment a large segment, which the device will cut: for the moment between this
 * and the interface's output (mtu_restore) eth0 has no limit. Both are steps of one call from TCP to IP.
 */
static void mtu_lift(bool v6)
{
	if (!v6) {
		inet_eth.mtu = 0;
	} else if (inet_eth.mtu6) {
		eth_mtu6 = inet_eth.mtu6;
		inet_eth.mtu6 = 0;
	}
}

/* A router on the way said that our packets are too big: the device cuts smaller, or IP makes fragments. */
static u16 narrow_unit(const struct inet_sock *s, const struct tcp_pcb *pcb, u16 unit, bool v6)
{
	if (!inet_eth_cuts(v6)) {
		/* Sums of what IP cuts are nobody's but ours. */
		inet_eth.chksum_flags |= NETIF_CHECKSUM_GEN_TCP;
		return 0;
	}
	return unit ? MIN(unit, s->path_mss) : pcb->mss > s->path_mss ? s->path_mss : 0;
}

/* What is rarely so: a narrow path, a large segment, somebody who asks for times, a repetition. */
static __attribute__((noinline)) u16 out_slow(struct inet_sock *s, const struct tcp_pcb *pcb, u16 unit, u32 len, u32 seq)
{
	bool v6 = IP_IS_V6_VAL(pcb->remote_ip);

	if (s && len)
		inet_tcp_count_data(s, len, seq);
	if (s && s->path_mss)
		unit = narrow_unit(s, pcb, unit, v6);
	if (unit)
		mtu_lift(v6);
	return unit;
}

u32 *inet_tcp_out(struct pbuf *p, const struct tcp_hdr *h, const struct tcp_pcb *pcb, u32 *opts)
{
	struct inet_sock *s;
	u16 unit;

	p->peer_mss = 0;
	if (unlikely(!pcb || pcb->state == LISTEN))
		return opts;
	s = likely(pcb->errf) ? pcb->callback_arg : NULL;
	unit = (u16)(uintptr_t)pcb->ext_args[0].data;
	u32 len = p->tot_len - TCPH_HDRLEN_BYTES(h), seq = lwip_ntohl(h->seqno);
	if (likely(s)) {
		s->segs_out++;
		s->data_segs_out += len != 0;
		if (likely(!(unit | s->path_mss) && !s->timing && (!len || (s32)(seq + len - s->snd_high) > 0))) {
			s->snd_high = len ? seq + len : s->snd_high;
			return opts;
		}
	} else if (!unit) {
		return opts;
	}
	p->peer_mss = out_slow(s, pcb, unit, len, seq);
	return opts;
}

static err_t eth_output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	mtu_restore();
	return etharp_output(n, p, dst);
}

static err_t eth_output6(struct netif *n, struct pbuf *p, const ip6_addr_t *dst)
{
	mtu_restore();
	if (inet_dev->features & NETDEV_CSUM)
		n->chksum_flags &= (u16)~NETIF_CHECKSUM_GEN_TCP;
	if (unlikely(inet_ip6_is_own(dst))) {    /* link-local: the route goes by the zone */
		inet_lo_pretend(n);
		err_t e = lo_queue(p);
		inet_lo_pretend(NULL);
		return e;
	}
	return ethip6_output(n, p, dst);
}

static err_t eth_setup(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = 't';
	n->mtu = inet_eth_mtu();
	n->hwaddr_len = 6;
	memcpy(n->hwaddr, inet_dev->mac, 6);
	n->output = eth_output;
	n->output_ip6 = eth_output6;
	n->linkoutput = inet_send_frame;
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6 | NETIF_FLAG_LINK_UP;
	n->chksum_flags = NETIF_CHECKSUM_ENABLE_ALL;
	if (inet_dev->features & NETDEV_CSUM)
		n->chksum_flags &= (u16)~NETIF_CHECKSUM_GEN_TCP;
	return ERR_OK;
}

int inet_eth_init(struct netdev *d)
{
	inet_dev = d;
	if (!netif_add_noaddr(&inet_eth, NULL, eth_setup, ethernet_input)) {
		inet_dev = NULL;
		return -ENODEV;
	}
	netif_set_default(&inet_eth);
	netif_set_up(&inet_eth);
	inet_ip6_eth_init();
	d->on_event = eth_on_event;
	return 0;
}
