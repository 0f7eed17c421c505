/*
 * inet_fast.c - the short way of TCP over IPv4 past lwIP: the segment that was expected next, and the small write
 * that may leave at once; the end of the handshake and those of a connection; and that of datagrams out.
 *
 * Nearly all segments of a connection that goes well are of few kinds: in order on an established connection, with
 * data (several packets that the device merged, too), with an acknowledgement of what is in flight or with a FIN; what
 * acknowledges our SYN or our last FIN; and out, one segment made of one write, or of close, or large ones of a long write
 * (inet_tcp_io.c), with nothing queued before them, and acknowledgements by themselves. For these lwIP's way through Ethernet, IP, TCP and back again costs several times of what is to be done.
 * Here the conditions are looked at first; whatever is not as expected (options but the timestamp, flags but ACK,
 * PSH and FIN, repetitions, repairs, windows that are closed, sockets with something special) goes lwIP's way, untouched. What
 * is done to the connection is what lwIP does in the same case (tcp_in.c: tcp_process, tcp_receive; tcp_out.c:
 * tcp_write, tcp_output_segment), on the same pcb, so that each segment may go either way.
 *
 * Neighbours. The Ethernet header for a destination is copied from a frame that lwIP sent to it, and is believed until
 * inet_fast_forget: at each second's tick of ARP, at each ARP packet, and when an address changes. So lwIP is
 * asked at least once a second, and keeps its entry fresh.
 *
 * Invariants:
 *  (I1) until everything is checked and allocated nothing is changed: "no" leaves no trace.
 *  (I2) a frame made here lies in one block: struct pbuf, what is kept of the request, the driver's room, headers, data. It is a
 *       PBUF_RAM with all headers before its data, as lwIP leaves a segment that it sent, and can be repeated by lwIP. The data of a
 *       large one is a PBUF_ROM behind it, in a chunk.
 *
 * Locks: inet_core. Can fail: memory; then lwIP's way is tried.
 */
#include "net/inet_impl.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"
#include "lwip/sys.h"

#define IP_OFF   ((u32)SIZEOF_ETH_HDR)
#define TCP_OFF  (IP_OFF + IP_HLEN)
#define OPT_OFF  (TCP_OFF + TCP_HLEN)
#define DATA_OFF (TCP_OFF + UDP_HLEN)    /* of a datagram */
#define TS_LEN   12u
#define TS_WORD  PP_HTONL(0x0101080a)    /* NOP, NOP, timestamp of 10 bytes */
#define COPY_MAX 1536u           /* received: a copy of a packet's data takes less than a page that is lent, and less memory */
#define NEIGHBOURS 16u

/* Headers are not aligned. */
static inline u16 load16(const u8 *p) { u16 v; __builtin_memcpy(&v, p, 2); return v; }
static inline u32 load32(const u8 *p) { u32 v; __builtin_memcpy(&v, p, 4); return v; }
static inline void store16(u8 *p, u16 v) { __builtin_memcpy(p, &v, 2); }
static inline void store32(u8 *p, u32 v) { __builtin_memcpy(p, &v, 4); }

/* ---- In ---- */

/* What a frame says, in host order. */
struct segment {
	u32 seq, ack, tsval;
	u16 wnd, len;                /* len: data */
	u8 off;                      /* of the data, from the TCP header */
	bool fin;
};

/* Is d an IPv4 packet of TCP for us, whole and plain, with ACK and perhaps PSH or FIN? */
static inline bool frame_plain(const u8 *d, u32 len)
{
	const u8 *ip = d + IP_OFF, *tcp = d + TCP_OFF;

	if (len < OPT_OFF || !inet_mac_same(d, inet_eth.hwaddr))
		return false;
	if ((load32(d + 12) & 0xffffff) != 0x450008)     /* type, version, header length */
		return false;
	if ((load16(ip + 6) & PP_HTONS(IP_OFFMASK | IP_MF)) || ip[9] != IP_PROTO_TCP)
		return false;
	if ((tcp[13] & 0x3f & ~(TCP_PSH | TCP_FIN)) != TCP_ACK)
		return false;
	u16 total = lwip_ntohs(load16(ip + 2));

	if (total > len - IP_OFF || total < IP_HLEN + (tcp[12] >> 4) * 4u)
		return false;
	return inet_sum_fold((u64)load32(ip) + load32(ip + 4) + load32(ip + 8) + load32(ip + 12) + load32(ip + 16)) == 0xffff;
}

/* The rest of it; false: options that are not just those of this connection. */
static inline bool segment_parse(const u8 *d, const struct tcp_pcb *p, struct segment *g)
{
	const u8 *tcp = d + TCP_OFF;

	g->off = (u8)((tcp[12] >> 4) * 4);
	if (p->flags & TF_TIMESTAMP) {
		if (g->off != TCP_HLEN + TS_LEN || load32(d + OPT_OFF) != TS_WORD)
			return false;
		g->tsval = lwip_ntohl(load32(d + OPT_OFF + 4));
	} else if (g->off != TCP_HLEN) {
		return false;
	} else {
		g->tsval = 0;
	}
	g->len = (u16)(lwip_ntohs(load16(d + IP_OFF + 2)) - IP_HLEN - g->off);
	g->seq = lwip_ntohl(load32(tcp + 4));
	g->ack = lwip_ntohl(load32(tcp + 8));
	g->wnd = lwip_ntohs(load16(tcp + 14));
	g->fin = tcp[13] & TCP_FIN;
	return true;
}

/* May p take g here? */
static inline bool segment_expected(const struct tcp_pcb *p, const struct segment *g)
{
	u32 acked = g->ack - p->lastack;

	return g->seq == p->rcv_nxt && g->len + (u32)g->fin <= p->rcv_wnd && acked <= p->snd_nxt - p->lastack && (acked || g->len || g->fin) && !(g->len && g->fin) && !p->ooseq && !p->refused_data &&
	       !(p->flags & (TF_INFR | TF_RTO | TF_CLOSEPEND | TF_RXCLOSED | TF_NAGLEMEMERR | TF_BACKLOGPEND)) && !p->nrtx && !p->persist_backoff;
}

/* Does g acknowledge our SYN or FIN, and say nothing else? */
static inline bool turn_expected(const struct tcp_pcb *p, const struct segment *g)
{
	if (g->len || g->fin || g->seq != p->rcv_nxt || g->ack != p->snd_nxt || g->ack == p->lastack || p->unsent || p->ooseq || p->refused_data || p->nrtx ||
	    (p->flags & (TF_INFR | TF_RTO | TF_CLOSEPEND | TF_NAGLEMEMERR)))
		return false;
	if (p->state == SYN_RCVD)
		return p->listener && p->listener->accept && g->ack == p->lastack + 1;
	return p->state == LAST_ACK && (p->flags & TF_RXCLOSED);
}

/* Nobody but the reader and poll wants to know. */
static inline bool socket_plain(const struct inet_sock *s)
{
	return !s->nospace && !s->timing && !s->deferred_to;
}

static inline void window_take(struct tcp_pcb *p, const struct segment *g)
{
	tcpwnd_size_t wnd = (tcpwnd_size_t)g->wnd << p->snd_scale;

	if (TCP_SEQ_LT(p->snd_wl1, g->seq) || (p->snd_wl1 == g->seq && TCP_SEQ_LT(p->snd_wl2, g->ack)) || (p->snd_wl2 == g->ack && wnd > p->snd_wnd)) {
		p->snd_wnd = wnd;
		p->snd_wnd_max = MAX(p->snd_wnd_max, wnd);
		p->snd_wl1 = g->seq;
		p->snd_wl2 = g->ack;
	}
}

/* Congestion control as tcp_receive has it (RFC 3465); sums that wrap stand still. */
static inline void window_grow(struct tcp_pcb *p, u32 acked)
{
	u32 more;

	if (p->cwnd < p->ssthresh) {
		more = MIN(acked, 2u * p->mss);
	} else {
		p->bytes_acked = p->bytes_acked + acked < acked ? UINT32_MAX : p->bytes_acked + acked;
		if (p->bytes_acked < p->cwnd)
			return;
		p->bytes_acked -= p->cwnd;
		more = p->mss;
	}
	p->cwnd = p->cwnd + more < more ? UINT32_MAX : p->cwnd + more;
}

static inline void rtt_take(struct tcp_pcb *p, u32 ack)
{
	if (!p->rttest || !TCP_SEQ_LT(p->rtseq, ack))
		return;
	s16 m = (s16)(tcp_ticks - p->rttest);

	m = (s16)(m - (p->sa >> 3));
	p->sa = (s16)(p->sa + m);
	m = (s16)(m < 0 ? -m : m);
	m = (s16)(m - (p->sv >> 2));
	p->sv = (s16)(p->sv + m);
	p->rto = (s16)((p->sa >> 3) + p->sv);
	p->rttest = 0;
}

static NOINLINE void ack_take(struct tcp_pcb *p, u32 ack)
{
	struct tcp_seg *g;

	p->rto = (s16)((p->sa >> 3) + p->sv);
	window_grow(p, ack - p->lastack);
	p->lastack = ack;
	while ((g = p->unacked) != NULL && TCP_SEQ_LEQ(lwip_ntohl(g->tcphdr->seqno) + TCP_TCPLEN(g), ack)) {
		p->unacked = g->next;
		p->snd_queuelen = (u16)(p->snd_queuelen - (likely(!g->p->next) ? 1 : pbuf_clen(g->p)));
		p->snd_buf += g->len;
		tcp_seg_free(g);
	}
	p->rtime = p->unacked ? 0 : -1;
	p->polltmr = 0;
	if (!p->unsent)
		p->unsent_oversize = 0;
	rtt_take(p, ack);
}

/* What any acceptable segment does to its connection. */
static void segment_heard(struct tcp_pcb *p, const struct segment *g)
{
	p->tmr = tcp_ticks;
	p->keep_cnt_sent = 0;
	p->persist_probe = 0;
	p->dupacks = 0;
	if ((p->flags & TF_TIMESTAMP) && TCP_SEQ_BETWEEN(p->ts_lastacksent, g->seq, g->seq + g->len + g->fin))
		p->ts_recent = g->tsval;
	window_take(p, g);
	if (g->ack != p->lastack)
		ack_take(p, g->ack);
}

/* The handshake or the connection is over. */
static void turn_take(struct tcp_pcb *p, const struct segment *g)
{
	if (p->state == LAST_ACK) {
		TCP_PCB_REMOVE_ACTIVE(p);
		tcp_free(p);
		return;
	}
	p->state = ESTABLISHED;
	tcp_backlog_accepted(p);
	err_t e = p->listener->accept(p->callback_arg, p, ERR_OK);
	if (unlikely(e != ERR_OK)) {
		if (e != ERR_ABRT)
			tcp_abort(p);
		return;
	}
	struct inet_sock *s = inet_tcp_sock_of(p);
	s->fast_segs_in++;
	segment_heard(p, g);
	u32 least = MAX(2u * p->mss, 4380u);     /* RFC 2581 */
	p->cwnd = MIN(4u * p->mss, least);
}

/* The peer's end, nothing behind it. */
static inline void fin_take(struct tcp_pcb *p, struct inet_sock *s)
{
	p->rcv_nxt++;
	p->rcv_wnd--;
	(void)tcp_update_rcv_ann_wnd(p);
	p->rcv_wnd++;
	p->state = CLOSE_WAIT;
	p->recv(s, p, NULL, ERR_OK);
}

static inline void frame_taken(u32 len)
{
	inet_eth_stats.rx_packets++;
	inet_eth_stats.rx_bytes += len;
}

static inline struct pbuf *data_alloc(u16 len)
{
	struct pbuf *b = mem_malloc((mem_size_t)(sizeof(*b) + len));

	if (likely(b))
		inet_pbuf_dress(b, PBUF_RAM, 0, b + 1, len);
	return b;
}

static inline void data_take(struct tcp_pcb *p, struct inet_sock *s, struct pbuf *b, struct pbuf *tail, u32 len)
{
	p->rcv_nxt += len;
	p->rcv_wnd -= len;
	(void)tcp_update_rcv_ann_wnd(p);
	tcp_ack(p);
	inet_tcp_deliver(s, b, tail, len);
}

/* The data of a large frame, in the device's buffers. */
static NOINLINE struct pbuf *data_lend(struct netdev_buf *nb, u32 len, u32 headers, struct pbuf **ret_tail)
{
	struct pbuf *b = inet_eth_lend(nb, len, ret_tail);

	b->payload = (u8 *)b->payload + headers;
	b->len = (u16)(b->len - headers);
	return b;
}

/* How long is the frame? 0: of several buffers, and too long, or the first without all headers. */
static inline u32 frame_bytes(const struct netdev_buf *nb)
{
	u32 len = nb->len;

	if (likely(!nb->next))
		return len;
	if (len <= OPT_OFF + TS_LEN)
		return 0;
	while ((nb = nb->next) != NULL)
		len += nb->len;
	return len <= INET_FRAME_MAX ? len : 0;
}

bool inet_fast_input(struct netdev_buf *nb, struct netdev_buf **back)
{
	const u8 *d = nb->data;
	NO_AUTO_INIT struct segment g;
	struct pbuf *b = NULL;
	NO_AUTO_INIT struct pbuf *tail;
	u32 len = frame_bytes(nb);

	if (!nb->csum_valid || !frame_plain(d, len))
		return false;
	struct tcp_pcb *p = inet_demux_find4(load32(d + IP_OFF + 16), load16(d + TCP_OFF + 2), load32(d + IP_OFF + 12), load16(d + TCP_OFF));

	if (!p || p->state < SYN_RCVD || p->netif_idx != NETIF_NO_INDEX || !segment_parse(d, p, &g))
		return false;
	if (unlikely(p->state != ESTABLISHED)) {
		if (!turn_expected(p, &g))
			return false;
		if (unlikely(nb->next))
			return false;
		frame_taken(len);
		nb->next = *back;
		*back = nb;
		turn_take(p, &g);
		return true;
	}
	struct inet_sock *s = inet_tcp_sock_of(p);

	if (!segment_expected(p, &g) || !s || s->deferred_to)
		return false;
	if (unlikely(len > COPY_MAX || nb->next)) {
		if (len != TCP_OFF + g.off + g.len)      /* what is lent has nothing behind its data */
			return false;
		b = data_lend(nb, len, TCP_OFF + g.off, &tail);
	} else {
		if (g.len) {
			b = data_alloc(g.len);
			if (unlikely(!b))
				return false;
			memcpy(b->payload, d + TCP_OFF + g.off, g.len);
		}
		tail = b;
		nb->next = *back;
		*back = nb;
	}
	frame_taken(len);
	s->fast_segs_in++;
	segment_heard(p, &g);
	if (unlikely(s->nospace || s->timing))
		p->sent(s, p, 0);
	if (b)
		data_take(p, s, b, tail, g.len);
	else if (g.fin)
		fin_take(p, s);
	if (p->unsent || (p->flags & TF_ACK_NOW))
		inet_fast_output(p);
	return true;
}

/* ---- Neighbours ---- */

static struct neighbour {
	u32 addr, epoch;
	u8 eth[SIZEOF_ETH_HDR];
} neighbours[NEIGHBOURS];
static u32 epoch = 1;

void inet_fast_forget(void) { epoch++; }

static inline struct neighbour *neighbour_at(u32 addr) { return &neighbours[(addr >> 24) % NEIGHBOURS]; }

void inet_fast_learn(const void *eth, u32 addr)
{
	struct neighbour *n = neighbour_at(addr);

	n->addr = addr;
	n->epoch = epoch;
	memcpy(n->eth, eth, sizeof(n->eth));
}

/* Who has this address, if frames may go to it past lwIP. */
static inline const struct neighbour *neighbour_known(u32 addr)
{
	const struct neighbour *to = neighbour_at(addr);

	return to->epoch == epoch && to->addr == addr && !inet_send_waiting() ? to : NULL;
}

/* ---- Out ---- */

/* All or nothing. What could be read before a fault is sent the other way, which finds the fault again. */
static bool get_all(struct uio *u, void *to, size_t n)
{
	size_t got = uio_get(u, to, n);

	if (likely(got == n))
		return true;
	uio_revert(u, got);
	u->fault = false;
	return false;
}

struct fast_frame {
	struct pbuf pbuf;
	_Alignas(struct inet_tx) u8 tx[sizeof(struct inet_tx) + sizeof(struct pbuf *)];
	u8 room[NETDEV_TX_ROOM];
	u8 data[];
};

/* A frame of len bytes whose transport header ends at hlen, with what is left of u behind it. NULL: no memory, or a fault. */
static struct fast_frame *frame_make(u32 hlen, u32 len, struct uio *u)
{
	struct fast_frame *f = mem_malloc((mem_size_t)(sizeof(*f) + len));

	if (unlikely(!f))
		return NULL;
	if (len > hlen && unlikely(!get_all(u, f->data + hlen, len - hlen))) {
		mem_free(f);
		return NULL;
	}
	inet_pbuf_dress(&f->pbuf, PBUF_RAM, 0, f->data, (u16)len);
	return f;
}

/* It belongs to the driver. sum_at: where the sum is in the transport header; 0: none is wanted. */
static void frame_send(struct fast_frame *f, u16 sum_at)
{
	struct inet_tx *t = (struct inet_tx *)(void *)f->tx;
	const struct pbuf *data = f->pbuf.next;
	NO_AUTO_INIT struct netdev_seg segs[2];
	struct netdev_tx req = { .segs = segs, .nsegs = 1, .room = true, .needs_csum = sum_at != 0, .csum_start = TCP_OFF, .csum_offset = sum_at };

	segs[0] = (struct netdev_seg){ f->data, f->pbuf.len };
	if (data) {
		u16 unit = (u16)(f->pbuf.peer_mss - (f->pbuf.len - OPT_OFF));

		segs[1] = (struct netdev_seg){ data->payload, data->len };
		req.nsegs = 2;
		req.gso_size = data->len > unit ? unit : 0;
		req.gso_hdr_len = f->pbuf.len;
	}
	t->npbufs = 1;
	t->embedded = true;
	t->pbufs[0] = &f->pbuf;
	inet_send_now(t, &req);
	inet_timer_activity();
}

/* May n bytes go at once, whole, as far as TCP is concerned? */
static inline bool may_go(const struct inet_sock *s, const struct tcp_pcb *p, size_t n)
{
	u32 used = TCP_SND_BUF - p->snd_buf, flight = p->snd_nxt - p->lastack;

	return p->state == ESTABLISHED && !p->unsent && p->snd_nxt == p->snd_lbb && !IP_IS_V6_VAL(p->remote_ip) && p->netif_idx == NETIF_NO_INDEX &&
	       !(p->flags & (TF_INFR | TF_RTO | TF_FIN | TF_CLOSEPEND | TF_NAGLEMEMERR)) && !p->persist_backoff &&
	       flight + n <= MIN(p->snd_wnd, p->cwnd) && n <= p->snd_buf && used + n <= s->sndlimit / 2 && p->snd_queuelen < TCP_SND_QUEUELEN - 64;
}

/* As one segment on a wire (Nagle's rule; never a large one)? */
static inline bool may_go_as_one(const struct inet_sock *s, const struct tcp_pcb *p, size_t n)
{
	u32 mss = s->large ? inet_tcp_peer_mss(s) : p->mss;

	return (!p->unacked || (p->flags & TF_NODELAY)) && n + TS_LEN <= MIN(mss, p->snd_wnd_max / 2);
}

/* Headers of Ethernet and IP. Returns the sum of the pseudo header, which the device will complete. */
static u32 headers_ip(struct fast_frame *f, const struct neighbour *to, u8 proto, u8 tos, u8 ttl, u32 src)
{
	static u16 id;
	u8 *ip = f->data + IP_OFF;
	u16 len = (u16)(f->pbuf.tot_len - IP_OFF);
	u32 w0 = PP_HTONL(0x45000000u) | (u32)tos << 8 | (u32)lwip_htons(len) << 16, w2 = (u32)proto << 8 | ttl;
	u64 ends = (u64)src + to->addr;

	__builtin_memcpy(f->data, to->eth, SIZEOF_ETH_HDR);
	store32(ip, w0);
	store32(ip + 4, id);
	store32(ip + 8, w2 | (~inet_sum_fold(ends + w0 + id + w2) & 0xffff) << 16);
	store32(ip + 12, src);
	store32(ip + 16, to->addr);
	id++;
	return inet_sum_fold(ends + lwip_htons((u16)(len - IP_HLEN)) + ((u32)proto << 8));
}

static void headers_tcp(u8 *tcp, const struct tcp_pcb *p, u32 hlen, u32 sum, u32 flags)
{
	store16(tcp, lwip_htons(p->local_port));
	store16(tcp + 2, lwip_htons(p->remote_port));
	store32(tcp + 4, lwip_htonl(p->snd_nxt));
	store32(tcp + 8, lwip_htonl(p->rcv_nxt));
	store16(tcp + 12, lwip_htons((u16)(hlen / 4 << 12 | flags)));
	store16(tcp + 14, lwip_htons(TCPWND_MIN16(RCV_WND_SCALE(p, p->rcv_ann_wnd))));
	store32(tcp + 16, sum);
	if (p->flags & TF_TIMESTAMP) {
		store32(tcp + 20, TS_WORD);
		store32(tcp + 24, lwip_htonl(sys_now()));
		store32(tcp + 28, lwip_htonl(p->ts_recent));
	}
}

static inline u32 tcp_bytes(const struct tcp_pcb *p) { return p->flags & TF_TIMESTAMP ? TCP_HLEN + TS_LEN : TCP_HLEN; }

/* A segment tells all that came. */
static inline void acked_now(struct tcp_pcb *p)
{
	p->rcv_ann_right_edge = p->rcv_nxt + p->rcv_ann_wnd;
	p->ts_lastacksent = p->rcv_nxt;
	p->flags &= (tcpflags_t)~(TF_ACK_DELAY | TF_ACK_NOW);
}

/* The segment, of so many pbufs, is made: what tcp_write and tcp_output keep of it. */
static inline void segment_sent(struct tcp_pcb *p, struct tcp_seg *g, u16 npbufs)
{
	struct tcp_seg **at = &p->unacked;
	u32 seq = p->snd_nxt;

	while (*at)
		at = &(*at)->next;
	*at = g;
	p->snd_nxt = p->snd_lbb = seq + TCP_TCPLEN(g);
	p->snd_buf -= g->len;
	p->snd_queuelen = (u16)(p->snd_queuelen + npbufs);
	if (p->rtime < 0)
		p->rtime = 0;
	if (!p->rttest) {
		p->rttest = tcp_ticks;
		p->rtseq = seq;
	}
}

/* The next n bytes of u in pages of their own, or less if there is no memory for so much; NULL: no memory, or a fault. */
static COLD NOINLINE struct pbuf *data_make(struct uio *u, u32 n)
{
	struct inet_chunk *c = inet_chunk_alloc(n);
	struct pbuf *b = NULL;

	if (unlikely(!c))
		return NULL;
	n = MIN(n, c->size);
	if (likely(get_all(u, c->data, n))) {
		inet_chunk_current = c;
		b = memp_malloc(MEMP_PBUF);
		inet_chunk_current = NULL;
		if (likely(b))
			inet_pbuf_dress(b, PBUF_ROM, 0, c->data, (u16)n);
		else
			uio_revert(u, n);
	}
	inet_chunk_put(c);
	return b;
}

/*
 * A segment of at most n of the bytes left of u leaves: how many (with mss, of large segments, less than n when memory is short; the
 * device cuts it to the peer's mss), or a negative number, and nothing happened: no memory, or a fault. Without data and FIN it is
 * not kept, for nobody acknowledges it.
 */
static s32 segment_send(struct tcp_pcb *p, const struct neighbour *to, struct uio *u, u32 n, u16 mss, u32 flags)
{
	u32 hlen = tcp_bytes(p);
	bool keep = n || (flags & TCP_FIN);
	struct tcp_seg *g = likely(keep) ? memp_malloc(MEMP_TCP_SEG) : NULL;
	struct pbuf *data = mss && likely(g) ? data_make(u, n) : NULL;
	struct fast_frame *f = likely((g || !keep) && (data || !mss)) ? frame_make(TCP_OFF + hlen, TCP_OFF + hlen + (mss ? 0 : n), u) : NULL;

	if (unlikely(!f)) {
		memp_free(MEMP_TCP_SEG, g);
		if (data)
			uio_revert(u, data->len);
		memp_free(MEMP_PBUF, data);
		return -1;
	}
	if (mss) {
		n = data->len;
		f->pbuf.next = data;
		f->pbuf.tot_len = (u16)(f->pbuf.tot_len + n);
		f->pbuf.peer_mss = mss;
	}
	headers_tcp(f->data + TCP_OFF, p, hlen, headers_ip(f, to, IP_PROTO_TCP, p->tos, p->ttl, inet_v4(&p->local_ip)), flags);
	acked_now(p);
	if (likely(keep)) {
		f->pbuf.ref = 2;
		*g = (struct tcp_seg){ .p = &f->pbuf, .len = (u16)n, .flags = p->flags & TF_TIMESTAMP ? TF_SEG_OPTS_TS : 0, .tcphdr = (struct tcp_hdr *)(void *)(f->data + TCP_OFF) };
		segment_sent(p, g, mss ? 2 : 1);
	}
	frame_send(f, 16);
	return (s32)n;
}

/* An acknowledgement leaves by itself. */
static COLD NOINLINE bool ack_send(struct tcp_pcb *p)
{
	const struct neighbour *to = neighbour_known(inet_v4(&p->remote_ip));
	struct inet_sock *s = inet_tcp_sock_of(p);

	if (p->unsent || p->ooseq || p->state < ESTABLISHED || !s || IP_IS_V6_VAL(p->remote_ip) || p->netif_idx != NETIF_NO_INDEX || !to ||
	    segment_send(p, to, NULL, 0, 0, TCP_ACK) < 0)
		return false;
	s->segs_out++;
	return true;
}

void inet_fast_output(struct tcp_pcb *p)
{
	if (!(p->flags & TF_ACK_NOW) || !ack_send(p))
		tcp_output(p);
}

/* A segment of n bytes of s is out. */
static inline void sent_count(struct inet_sock *s, const struct tcp_pcb *p, u32 n)
{
	s->segs_out++;
	s->data_segs_out++;
	s->bytes_sent += n;
	if (unlikely(s->timing))
		inet_tcp_count_data(s, n, p->snd_nxt - n);
	s->snd_high = p->snd_nxt;
}

static size_t send_wire(struct inet_sock *s, struct tcp_pcb *p, struct uio *u, size_t n)
{
	const struct neighbour *to = neighbour_known(inet_v4(&p->remote_ip));

	if (!to || !may_go_as_one(s, p, n) || segment_send(p, to, u, (u32)n, 0, TCP_PSH | TCP_ACK) < 0)
		return 0;
	sent_count(s, p, (u32)n);
	return n;
}

COLD size_t inet_fast_send_large(struct inet_sock *s, struct uio *u)
{
	struct tcp_pcb *p = s->tcp;
	const struct neighbour *to = neighbour_known(inet_v4(&p->remote_ip));
	u32 mss = inet_tcp_peer_mss(s), unit = mss - (tcp_bytes(p) - TCP_HLEN), most = MIN(p->mss, p->snd_wnd_max / 2) / unit * unit;
	size_t done = 0;

	if (!to || s->state != INET_OPEN)
		return 0;
	while (u->resid >= mss && most >= mss && !inet_send_waiting()) {
		u32 n = (u32)MIN(u->resid, (size_t)most);

		/* What is left is a segment of its own, not less: Nagle's rule has nothing to say. */
		if (n < u->resid && u->resid - n < mss && n > unit)
			n -= unit;
		s32 sent = may_go(s, p, n) ? segment_send(p, to, u, n, (u16)mss, n < u->resid ? TCP_ACK : TCP_PSH | TCP_ACK) : -1;

		if (sent < 0)
			break;
		done += (u32)sent;
		sent_count(s, p, (u32)sent);
	}
	if (done)
		inet_send_reap();
	return done;
}

bool inet_fast_close(struct tcp_pcb *p)
{
	u32 addr = inet_v4(&p->remote_ip);
	const struct neighbour *to;

	if ((p->state != ESTABLISHED && p->state != CLOSE_WAIT) || p->unsent || p->snd_nxt != p->snd_lbb || p->refused_data || p->rcv_wnd != TCP_WND_MAX(p) ||
	    IP_IS_V6_VAL(p->remote_ip) || p->netif_idx != NETIF_NO_INDEX || p->persist_backoff || (p->flags & (TF_INFR | TF_RTO | TF_FIN | TF_CLOSEPEND | TF_NAGLEMEMERR)) ||
	    p->snd_nxt - p->lastack > MIN(p->snd_wnd, p->cwnd) || inet_addr_is_own4(addr) || !(to = neighbour_known(addr)) ||
	    segment_send(p, to, NULL, 0, 0, TCP_FIN | TCP_ACK) < 0)
		return false;
	p->flags |= TF_FIN | TF_RXCLOSED;
	p->state = p->state == CLOSE_WAIT ? LAST_ACK : FIN_WAIT_1;
	return true;
}

bool inet_fast_datagram(const struct udp_pcb *p, struct uio *u, u32 src, u32 dst, u16 dport)
{
	const struct neighbour *to = neighbour_known(dst);
	u32 len = (u32)(DATA_OFF + u->resid);
	struct fast_frame *f;

	if (!to || len > IP_OFF + inet_eth_mtu() || !(f = frame_make(DATA_OFF, len, u)))
		return false;
	u32 sum = headers_ip(f, to, IP_PROTO_UDP, p->tos, p->ttl, src);
	bool none = p->flags & UDP_FLAGS_NOCHKSUM;
	u8 *udp = f->data + TCP_OFF;

	store16(udp, lwip_htons(p->local_port));
	store16(udp + 2, lwip_htons(dport));
	store16(udp + 4, lwip_htons((u16)(len - TCP_OFF)));
	store16(udp + 6, none ? 0 : (u16)sum);
	frame_send(f, none ? 0 : 6);
	return true;
}

/* ---- To ourselves ---- */

/* p has acknowledged all that q has sent; nothing of it is on its way, and no more is to be acknowledged. */
static inline void settle(struct tcp_pcb *p, struct tcp_pcb *q)
{
	if (q->unacked)
		ack_take(q, q->snd_nxt);
	q->lastack = q->snd_nxt;
	p->flags &= (tcpflags_t)~(TF_ACK_DELAY | TF_ACK_NOW);
}

/* q has taken what p sent: both ends as if a segment and its acknowledgement had passed. */
static inline void moved_here(struct tcp_pcb *p, struct tcp_pcb *q, u32 n)
{
	p->snd_nxt = p->snd_lbb = p->lastack = p->snd_nxt + n;
	q->rcv_nxt += n;
	q->rcv_wnd -= n;
	(void)tcp_update_rcv_ann_wnd(q);
	q->rcv_ann_right_edge = q->rcv_nxt + q->rcv_ann_wnd;
	q->ts_lastacksent = q->rcv_nxt;
	p->ts_lastacksent = p->rcv_nxt;
	p->snd_wnd = q->rcv_ann_wnd;
	p->snd_wl1 = q->snd_nxt;
	p->snd_wl2 = p->snd_nxt;
	q->tmr = p->tmr = tcp_ticks;
}

static void count_here(struct inet_sock *s, struct inet_sock *to, struct tcp_pcb *p, u32 n)
{
	s->segs_out++;
	s->data_segs_out++;
	s->fast_segs_in++;
	s->snd_high = p->snd_nxt;
	s->bytes_sent += n;
	to->segs_out++;
	to->fast_segs_in++;
	inet_lo_stats.rx_packets = inet_lo_stats.tx_packets += 2;
	inet_lo_stats.rx_bytes = inet_lo_stats.tx_bytes += n + 2 * (IP_HLEN + TCP_HLEN + TS_LEN);
}

/*
 * The other end is here, and both have all that was sent (nothing waits on the loopback): the bytes go from the
 * program to its socket. The ends' numbers, windows and queues are left as a segment and its acknowledgement leave them.
 */
static size_t send_here(struct inet_sock *s, struct tcp_pcb *p, struct uio *u, size_t n)
{
	struct tcp_pcb *q = inet_demux_find4(inet_v4(&p->remote_ip), lwip_htons(p->remote_port), inet_v4(&p->local_ip), lwip_htons(p->local_port));
	struct inet_sock *to = q ? inet_tcp_sock_of(q) : NULL;

	if (!to || q == p || !socket_plain(s) || !socket_plain(to) || q->state != ESTABLISHED || q->rcv_nxt != p->snd_nxt || p->rcv_nxt != q->snd_nxt ||
	    n > q->rcv_wnd || q->unsent || q->ooseq || q->refused_data || p->ooseq || q->persist_backoff || p->nrtx || q->nrtx ||
	    ((p->flags | q->flags) & (TF_INFR | TF_RTO | TF_FIN | TF_CLOSEPEND | TF_RXCLOSED | TF_NAGLEMEMERR | TF_BACKLOGPEND)))
		return 0;
	/* Nobody limits what unread bytes here take but this; lwIP's way has chunks, which are bounded together. */
	struct pbuf *b = inet_mem_plenty() ? data_alloc((u16)n) : NULL;

	if (unlikely(!b))
		return 0;
	if (unlikely(!get_all(u, b->payload, n))) {
		mem_free(b);
		return 0;
	}
	settle(p, q);
	settle(q, p);
	moved_here(p, q, (u32)n);
	count_here(s, to, p, (u32)n);
	inet_tcp_deliver(to, b, b, (u32)n);
	return n;
}

size_t inet_fast_send(struct inet_sock *s, struct uio *u)
{
	struct tcp_pcb *p = s->tcp;

	if (!p || s->state != INET_OPEN || s->snd_shut || s->cork || READ_ONCE(s->sock.error) || !may_go(s, p, u->resid))
		return 0;
	if (inet_addr_is_own4(inet_v4(&p->remote_ip)))
		return send_here(s, p, u, u->resid);
	return send_wire(s, p, u, u->resid);
}
