/*
 * inet_send.c - the way to the device: queued frames become requests for the driver.
 *
 * lwIP's output only queues frames (inet_send_frame). inet_send_flush, at the end of each hold of
 * the core lock, builds requests: neighbours on the queue that are consecutive segments of one TCP
 * connection with the same acknowledgement, window and options become one request that the device
 * cuts up again (segmentation offload). TCP's own rules stay untouched, because every segment was a
 * proper one when lwIP sent it. A segment may also be a large one already (inet_tcp_io.c says when):
 * then the device cuts it to the peer's MSS. Data is not copied: a request refers to the pbufs'
 * memory and holds a reference until the driver says done.
 *
 * Invariants:
 *  (I1) a frame is on the queue (inet_send_head) or in a request, with a reference of its own.
 *  (I2) done callbacks come from any context: they only push onto tx_done; the pbufs are freed
 *       under the core lock.
 *
 * Locks: inet_core. Can fail: memory; then the frame is lost, as on a wire, and counted.
 */
#include "net/inet_impl.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"

#define TX_SEGS       24u
#define TX_PBUFS      46u
#define TX_QUEUE_MAX  4096u
#define SMALL_FRAME   1514u

static struct netdev_seg tx_segs[NETDEV_TX_SEGS + 1];    /* of the request that is being made */
struct pbuf *inet_send_head;
static struct pbuf *tx_tail;
static unsigned tx_count;

COUNTER(inet_tx_dropped);
COUNTER(inet_tx_merged);

static struct inet_tx *tx_done;           /* atomic stack, (I2) */

static void tx_on_done(void *arg)
{
	struct inet_tx *t = arg;
	struct inet_tx *old = __atomic_load_n(&tx_done, __ATOMIC_RELAXED);

	do
		t->next_done = old;
	while (!__atomic_compare_exchange_n(&tx_done, &old, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void tx_free(struct inet_tx *t)
{
	if (t->embedded) {
		pbuf_free(t->pbufs[0]);
		return;
	}
	for (unsigned i = 0; i < t->npbufs; i++)
		pbuf_free(t->pbufs[i]);
	mem_free(t);
}

static void tx_collect(void)
{
	if (!READ_ONCE(tx_done))
		return;
	struct inet_tx *t = __atomic_exchange_n(&tx_done, NULL, __ATOMIC_ACQUIRE);
	while (t) {
		struct inet_tx *next = t->next_done;
		tx_free(t);
		t = next;
	}
}

err_t inet_send_frame(struct netif *n, struct pbuf *p)
{
	if (tx_count >= TX_QUEUE_MAX) {
		counter_bump(inet_tx_dropped);
		inet_eth_stats.tx_dropped++;
		return ERR_MEM;
	}
	pbuf_ref(p);
	p->queue_next = NULL;
	if (tx_tail)
		tx_tail->queue_next = p;
	else
		inet_send_head = p;
	tx_tail = p;
	tx_count++;
	return ERR_OK;
}

struct frame_headers {
	struct eth_hdr *eth;
	void *ip;                    /* of either version */
	bool v6;
	u8 proto;
	struct tcp_hdr *tcp;         /* NULL: not TCP */
	u16 l4_off, hdr_len;         /* to the end of the TCP header */
	u16 payload;
	u16 unit;                    /* most payload that the peer takes in one packet */
};

/* Look at a frame of ours: true if it is TCP or UDP right behind the IP header. */
static NOINLINE bool frame_parse(struct pbuf *p, struct frame_headers *f)
{
	if (p->len < SIZEOF_ETH_HDR + IP_HLEN + 8)
		return false;
	f->eth = p->payload;
	f->ip = (u8 *)p->payload + SIZEOF_ETH_HDR;
	if (likely(f->eth->type == PP_HTONS(ETHTYPE_IP))) {
		const struct ip_hdr *ip = f->ip;
		if (IPH_HL_BYTES(ip) != IP_HLEN || (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)))
			return false;
		f->v6 = false;
		f->proto = IPH_PROTO(ip);
		f->l4_off = SIZEOF_ETH_HDR + IP_HLEN;
	} else {
		if (f->eth->type != PP_HTONS(ETHTYPE_IPV6) || p->len < SIZEOF_ETH_HDR + IP6_HLEN + 8)
			return false;
		f->v6 = true;
		f->proto = IP6H_NEXTH((const struct ip6_hdr *)f->ip);
		f->l4_off = SIZEOF_ETH_HDR + IP6_HLEN;
	}
	f->tcp = NULL;
	f->hdr_len = f->l4_off + 8;
	if (f->proto == IP_PROTO_TCP) {
		if (p->len < f->l4_off + TCP_HLEN)
			return false;
		f->tcp = (struct tcp_hdr *)(void *)((u8 *)p->payload + f->l4_off);
		f->hdr_len = (u16)(f->l4_off + TCPH_HDRLEN_BYTES(f->tcp));
		if (p->len < f->hdr_len)
			return false;
		f->payload = (u16)(p->tot_len - f->hdr_len);
		u16 options = (u16)(f->hdr_len - f->l4_off - TCP_HLEN);
		f->unit = p->peer_mss > options ? (u16)(p->peer_mss - options) : f->payload;
		if (f->payload < f->unit)
			f->unit = f->payload;
		return true;
	}
	return f->proto == IP_PROTO_UDP;
}

/* Do two IP headers say the same, lengths and identification aside? */
static COLD bool ip_alike(const struct frame_headers *a, const struct frame_headers *b)
{
	if (a->v6 != b->v6)
		return false;
	if (a->v6)
		return memcmp(a->ip, b->ip, 4) == 0 && memcmp((const u8 *)a->ip + 6, (const u8 *)b->ip + 6, 34) == 0;
	const struct ip_hdr *x = a->ip, *y = b->ip;
	return memcmp(&x->src, &y->src, 8) == 0 && IPH_TOS(x) == IPH_TOS(y) && IPH_TTL(x) == IPH_TTL(y);
}

/* May b follow a in one request, when the next expected sequence number is seq? */
static COLD bool frame_mergeable(const struct frame_headers *a, const struct frame_headers *b, u32 seq)
{
	const struct tcp_hdr *x = a->tcp, *y = b->tcp;

	return y && b->payload && lwip_ntohl(y->seqno) == seq && x->src == y->src && x->dest == y->dest &&
	       x->ackno == y->ackno && x->wnd == y->wnd && a->hdr_len == b->hdr_len &&
	       (TCPH_FLAGS(y) & ~TCP_PSH) == TCP_ACK && b->unit <= a->unit &&
	       ip_alike(a, b) && memcmp(a->eth, b->eth, SIZEOF_ETH_HDR) == 0 &&
	       memcmp(x + 1, y + 1, a->hdr_len - a->l4_off - TCP_HLEN) == 0;
}

/* How many frames from p on can go as one, and the total payload. */
static COLD NOINLINE unsigned run_length(struct pbuf *p, const struct frame_headers *first, u32 *ret_payload)
{
	struct frame_headers f;
	u32 total = first->payload, seq = lwip_ntohl(first->tcp->seqno) + first->payload;
	unsigned n = 1;

	*ret_payload = total;
	if (!first->payload || TCPH_FLAGS(first->tcp) != TCP_ACK || first->payload % first->unit)
		return 1;
	for (p = p->queue_next; p && n < TX_PBUFS; p = p->queue_next, n++) {
		if (!frame_parse(p, &f) || !frame_mergeable(first, &f, seq) ||
		    total + f.payload + first->hdr_len > INET_FRAME_MAX)
			break;
		total += f.payload;
		seq += f.payload;
		*ret_payload = total;
		if ((TCPH_FLAGS(f.tcp) & TCP_PSH) || f.payload % first->unit) {
			n++;
			break;
		}
	}
	return n;
}

static unsigned seg_add(struct netdev_seg *segs, unsigned n, const void *data, u32 len)
{
	if (n && (const u8 *)segs[n - 1].data + segs[n - 1].len == (const u8 *)data) {
		segs[n - 1].len += len;
		return n;
	}
	segs[n].data = data;
	segs[n].len = len;
	return n + 1;
}

/* Leave to the device what it completes: store the sum of the pseudo header. */
static NOINLINE void csum_prepare(struct netdev_tx *r, const struct frame_headers *f, const void *ip_header, void *tcp, u32 l4_len)
{
	u64 s = lwip_htons((u16)l4_len) + PP_HTONS(IP_PROTO_TCP);

	if (unlikely(f->v6)) {
		u32 w[8];
		memcpy(w, (const u8 *)ip_header + 8, sizeof(w));
		for (unsigned i = 0; i < 8; i++)
			s += w[i];
	} else {
		const struct ip_hdr *ip = ip_header;
		s += (u64)ip->src.addr + ip->dest.addr;
	}
	u16 sum = (u16)inet_sum_fold(s);
	r->needs_csum = true;
	r->csum_start = f->l4_off;
	r->csum_offset = 16;
	memcpy((u8 *)tcp + r->csum_offset, &sum, 2);
}

/* With room for so many frames, and for headers behind them; req will be given to the driver with it. */
static struct inet_tx *tx_alloc(struct netdev_tx *req, unsigned npbufs, unsigned hdr)
{
	struct inet_tx *t = mem_malloc((mem_size_t)(sizeof(*t) + npbufs * sizeof(t->pbufs[0]) + hdr));

	if (!t)
		return NULL;
	t->npbufs = 0;
	t->embedded = false;
	*req = (struct netdev_tx){ .segs = tx_segs, .done = tx_on_done, .arg = t };
	return t;
}

/* A request for one frame. */
static struct inet_tx *tx_single(struct netdev_tx *req, struct pbuf *p, const struct frame_headers *f)
{
	struct inet_tx *t = tx_alloc(req, 1, 0);

	if (!t)
		return NULL;
	/* One more than the driver takes: it will say so. */
	for (struct pbuf *q = p; q && req->nsegs <= NETDEV_TX_SEGS; q = q->next)
		if (q->len)
			req->nsegs = seg_add(tx_segs, req->nsegs, q->payload, q->len);
	t->pbufs[t->npbufs++] = p;
	if (f && f->tcp && (inet_dev->features & NETDEV_CSUM))
		csum_prepare(req, f, f->ip, f->tcp, p->tot_len - f->l4_off);
	if (f && f->tcp && f->payload > f->unit) {
		req->gso_size = f->unit;
		req->gso_hdr_len = f->hdr_len;
		req->gso_ipv6 = f->v6;
	}
	return t;
}

/* One request for the run of count frames that begins with p. NULL: no memory, or too scattered. */
static COLD NOINLINE struct inet_tx *tx_merged(struct netdev_tx *req, struct pbuf *p, const struct frame_headers *f, unsigned count, u32 payload, unsigned *ret_used)
{
	struct inet_tx *t = tx_alloc(req, count, f->hdr_len);
	unsigned used = 0;
	u32 total = 0;

	if (!t)
		return NULL;
	u8 *hdr = (u8 *)(t->pbufs + count);
	memcpy(hdr, p->payload, f->hdr_len);
	req->nsegs = seg_add(tx_segs, 0, hdr, f->hdr_len);
	u8 psh = 0;
	for (struct pbuf *q = p; used < count; q = q->queue_next, used++) {
		if (req->nsegs + pbuf_clen(q) > TX_SEGS)
			break;
		u16 skip = f->hdr_len;
		for (struct pbuf *r = q; r; r = r->next) {
			if (r->len > skip)
				req->nsegs = seg_add(tx_segs, req->nsegs, (u8 *)r->payload + skip, r->len - skip);
			skip = r->len > skip ? 0 : (u16)(skip - r->len);
		}
		total += q->tot_len - f->hdr_len;
		psh = (u8)(TCPH_FLAGS((struct tcp_hdr *)(void *)((u8 *)q->payload + f->l4_off)) & TCP_PSH);
		t->pbufs[t->npbufs++] = q;
	}
	if (used < 2) {
		mem_free(t);
		return NULL;
	}
	void *ip_header = hdr + SIZEOF_ETH_HDR;
	struct tcp_hdr *tcp = (struct tcp_hdr *)(void *)(hdr + f->l4_off);
	if (f->v6) {
		struct ip6_hdr *ip = ip_header;
		IP6H_PLEN_SET(ip, (u16)(total + f->hdr_len - f->l4_off));
	} else {
		struct ip_hdr *ip = ip_header;
		IPH_LEN_SET(ip, lwip_htons((u16)(total + f->hdr_len - SIZEOF_ETH_HDR)));
		IPH_CHKSUM_SET(ip, 0);
		IPH_CHKSUM_SET(ip, (u16)~inet_checksum(ip, IP_HLEN));
	}
	if (psh)
		TCPH_SET_FLAG(tcp, TCP_PSH);
	csum_prepare(req, f, ip_header, tcp, total + f->hdr_len - f->l4_off);
	req->gso_ipv6 = f->v6;
	req->gso_size = f->unit;
	req->gso_hdr_len = f->hdr_len;
	counter_bump(inet_tx_merged);
	*ret_used = used;
	return t;
}

static void tx_pop(unsigned n)
{
	while (n--) {
		struct pbuf *p = inet_send_head;
		inet_send_head = p->queue_next;
		p->queue_next = NULL;
		tx_count--;
	}
	if (!inet_send_head)
		tx_tail = NULL;
}

void inet_send_reap(void)
{
	if (inet_dev && inet_dev->ops->reap)
		inet_dev->ops->reap(inet_dev);
	tx_collect();
}

/* Complete the sum ourselves: of a frame that will be queued nobody remembers that the device was to. */
static COLD void csum_complete(const struct netdev_tx *req)
{
	u8 *d = (u8 *)(uintptr_t)req->segs[0].data + req->csum_start;
	u16 sum = (u16)~inet_checksum(d, (int)(req->segs[0].len - req->csum_start));

	sum = sum ? sum : 0xffff;
	memcpy(d + req->csum_offset, &sum, sizeof(sum));
}

void inet_send_now(struct inet_tx *t, struct netdev_tx *req)
{
	req->done = tx_on_done;
	req->arg = t;
	int r = inet_dev->ops->transmit(inet_dev, req, true);

	if (likely(r == 0)) {
		inet_eth_stats.tx_packets++;
		inet_eth_stats.tx_bytes += t->pbufs[0]->tot_len;
		tx_collect();
		return;
	}
	if (req->needs_csum && req->nsegs == 1)
		csum_complete(req);
	/* The ring is full: it waits its turn. Otherwise it is lost, as on a wire. */
	if (r != -EBUSY || inet_send_frame(&inet_eth, t->pbufs[0]) != ERR_OK) {
		counter_bump(inet_tx_dropped);
		inet_eth_stats.tx_errors++;
	}
	pbuf_free(t->pbufs[0]);
}

COLD void inet_send_flush(void)
{
	bool sent = false, much = false;

	if (!inet_send_head)
		return;
	tx_collect();
	while (inet_send_head) {
		struct frame_headers f;
		struct netdev_tx req;
		struct pbuf *p = inet_send_head;
		struct inet_tx *t = NULL;
		unsigned used = 1;
		u32 payload;
		bool parsed = frame_parse(p, &f);

		if (parsed && !f.v6 && (inet_dev->features & NETDEV_CSUM) && !(f.eth->dest.addr[0] & 1))
			inet_fast_learn(f.eth, ((const struct ip_hdr *)f.ip)->dest.addr);
		if (parsed && f.tcp && p->queue_next && inet_eth_cuts(f.v6)) {
			unsigned n = run_length(p, &f, &payload);
			if (n > 1)
				t = tx_merged(&req, p, &f, n, payload, &used);
		}
		if (!t) {
			used = 1;
			t = tx_single(&req, p, parsed ? &f : NULL);
		}
		if (!t) {                /* no memory: the frame is lost, as on a wire */
			tx_pop(1);
			pbuf_free(p);
			counter_bump(inet_tx_dropped);
			inet_eth_stats.tx_dropped++;
			continue;
		}
		struct pbuf *after = inet_send_head;
		u64 bytes = 0;
		for (unsigned i = 0; i < used; i++, after = after->queue_next)
			bytes += after->tot_len;
		much |= bytes > SMALL_FRAME;
		int r = inet_dev->ops->transmit(inet_dev, &req, after == NULL);
		if (r == -EBUSY) {
			mem_free(t);
			if (sent && inet_dev->ops->kick)
				inet_dev->ops->kick(inet_dev);
			return;
		}
		tx_pop(used);
		sent = true;
		if (r < 0) {
			tx_free(t);
			counter_bump(inet_tx_dropped);
			inet_eth_stats.tx_errors += used;
		} else {
			inet_eth_stats.tx_packets += used;
			inet_eth_stats.tx_bytes += bytes;
		}
	}
	/* The device is often quick: what it has sent by now is freed while it is in the cache. Small ones wait for others. */
	if (much)
		inet_send_reap();
}
