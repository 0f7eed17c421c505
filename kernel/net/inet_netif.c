/*
 * inet_netif.c - the two interfaces: lo, and eth0 over a struct netdev.
 *
 * Sending. lwIP's output only queues frames (tx_queue). inet_flush, at the end of each hold of
 * the core lock, builds requests for the driver: neighbours on the queue that are consecutive
 * segments of one TCP connection with the same acknowledgement, window and options become one
 * request that the device cuts up again (segmentation offload). TCP's own rules stay untouched,
 * because every segment was a proper one when lwIP sent it. A segment may also be a large one
 * already (inet_tcp_io.c says when): then the device cuts it to the peer's MSS. Data is not
 * copied: a request refers to the pbufs' memory and holds a reference until the driver says done.
 *
 * Receiving. A frame of some size is lent to lwIP as a chain of custom pbufs, one for each
 * driver buffer, which go back to the driver when lwIP or the socket's reader frees them. Small
 * frames are copied, so that a slow reader of small packets cannot hold the whole ring.
 *
 * The loopback hands a packet over as a copy of its headers plus references to its data.
 *
 * Invariants:
 *  (I1) a pbuf is on at most one of tx_queue, lo_queue (it has one queue_next).
 *  (I2) done callbacks come from any context: they only push onto tx_done; the pbufs are freed
 *       under the core lock.
 *  (I3) the first pbuf of a received frame holds all headers that lwIP reads without looking
 *       (it trusts them to be contiguous).
 */
#include "net/inet_impl.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "netif/ethernet.h"

#define LO_MTU        65500u         /* with MSS from TCP_MSS; shown as 65536, like Linux's */
#define COPY_MAX      384u           /* received frames up to this are copied */
#define HEADERS_MIN   128u           /* (I3) */
#define TX_SEGS       24u
#define TX_PBUFS      46u
#define TX_QUEUE_MAX  4096u
#define FRAME_MAX     65535u

struct netif inet_lo, inet_eth;
struct netdev *inet_dev;

static struct pbuf *tx_head, *tx_tail;
static unsigned tx_count;
static struct pbuf *lo_head, *lo_tail;
static unsigned lo_count;

COUNTER(inet_rx_short);
COUNTER(inet_rx_martian);
COUNTER(inet_rx_nomem);
COUNTER(inet_tx_dropped);
COUNTER(inet_tx_merged);

static inline u32 sum_fold(u64 s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (u32)s;
}

u16 inet_checksum(const void *data, int len)
{
	const u8 *p = data;
	unsigned __int128 big = 0;
	u64 s = 0, v;

	if (len == IP_HLEN) {        /* a plain IP header: the common case */
		u32 w[5];
		memcpy(w, data, sizeof(w));
		s = (u64)w[0] + w[1] + w[2] + w[3] + w[4];
		return (u16)sum_fold(s);
	}

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		big += v;
	}
	s = (u64)big;
	v = (u64)(big >> 64);
	s = (s >> 32) + (s & 0xffffffff) + v;
	if (len >= 4) {
		u32 w;
		memcpy(&w, p, 4);
		s += w;
		p += 4;
		len -= 4;
	}
	if (len >= 2) {
		u16 h;
		memcpy(&h, p, 2);
		s += h;
		p += 2;
		len -= 2;
	}
	if (len)
		s += *p;
	return (u16)sum_fold(s);
}

/* ---- Sending ---- */

struct tx {
	struct netdev_tx req;
	struct tx *next_done;
	unsigned npbufs;
	struct netdev_seg *segs;     /* behind the pbufs */
	struct pbuf *pbufs[];
};
static struct tx *tx_done;           /* atomic stack, (I2) */

static void tx_on_done(void *arg)
{
	struct tx *t = arg;
	struct tx *old = __atomic_load_n(&tx_done, __ATOMIC_RELAXED);

	do
		t->next_done = old;
	while (!__atomic_compare_exchange_n(&tx_done, &old, t, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void tx_free(struct tx *t)
{
	for (unsigned i = 0; i < t->npbufs; i++)
		pbuf_free(t->pbufs[i]);
	mem_free(t);
}

static void tx_collect(void)
{
	if (!READ_ONCE(tx_done))
		return;
	struct tx *t = __atomic_exchange_n(&tx_done, NULL, __ATOMIC_ACQUIRE);
	while (t) {
		struct tx *next = t->next_done;
		tx_free(t);
		t = next;
	}
}

/* lwIP's linkoutput: queue the frame; it goes out at the end of this hold of the lock. */
static err_t eth_linkoutput(struct netif *n, struct pbuf *p)
{
	if (tx_count >= TX_QUEUE_MAX) {
		counter_bump(inet_tx_dropped);
		return ERR_MEM;
	}
	pbuf_ref(p);
	p->queue_next = NULL;
	if (tx_tail)
		tx_tail->queue_next = p;
	else
		tx_head = p;
	tx_tail = p;
	tx_count++;
	return ERR_OK;
}

struct frame_headers {
	struct eth_hdr *eth;
	struct ip_hdr *ip;
	struct tcp_hdr *tcp;         /* NULL: not TCP */
	u16 l4_off, hdr_len;         /* to the end of the TCP header */
	u16 payload;
	u16 unit;                    /* most payload that the peer takes in one packet */
};

/* Look at a frame of ours: true if it is plain IPv4 TCP or UDP. */
static bool frame_parse(struct pbuf *p, struct frame_headers *f)
{
	if (p->len < SIZEOF_ETH_HDR + IP_HLEN + 8)
		return false;
	f->eth = p->payload;
	if (f->eth->type != PP_HTONS(ETHTYPE_IP))
		return false;
	f->ip = (struct ip_hdr *)(void *)((u8 *)p->payload + SIZEOF_ETH_HDR);
	if (IPH_HL_BYTES(f->ip) != IP_HLEN || (IPH_OFFSET(f->ip) & PP_HTONS(IP_OFFMASK | IP_MF)))
		return false;
	f->l4_off = SIZEOF_ETH_HDR + IP_HLEN;
	f->tcp = NULL;
	f->hdr_len = f->l4_off + 8;
	if (IPH_PROTO(f->ip) == IP_PROTO_TCP) {
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
	return IPH_PROTO(f->ip) == IP_PROTO_UDP;
}

/* May b follow a in one request, when the next expected sequence number is seq? */
static bool frame_mergeable(const struct frame_headers *a, const struct frame_headers *b, u32 seq)
{
	const struct tcp_hdr *x = a->tcp, *y = b->tcp;

	return y && b->payload && lwip_ntohl(y->seqno) == seq && x->src == y->src && x->dest == y->dest &&
	       x->ackno == y->ackno && x->wnd == y->wnd && a->hdr_len == b->hdr_len &&
	       (TCPH_FLAGS(y) & ~TCP_PSH) == TCP_ACK && b->unit <= a->unit &&
	       memcmp(&a->ip->src, &b->ip->src, 8) == 0 && IPH_TOS(a->ip) == IPH_TOS(b->ip) &&
	       IPH_TTL(a->ip) == IPH_TTL(b->ip) && memcmp(a->eth, b->eth, SIZEOF_ETH_HDR) == 0 &&
	       memcmp(x + 1, y + 1, a->hdr_len - a->l4_off - TCP_HLEN) == 0;
}

/* How many frames from p on can go as one, and the total payload. */
static unsigned run_length(struct pbuf *p, const struct frame_headers *first, u32 *ret_payload)
{
	struct frame_headers f;
	u32 total = first->payload, seq = lwip_ntohl(first->tcp->seqno) + first->payload;
	unsigned n = 1;

	*ret_payload = total;
	if (!first->payload || TCPH_FLAGS(first->tcp) != TCP_ACK || first->payload % first->unit)
		return 1;
	for (p = p->queue_next; p && n < TX_PBUFS; p = p->queue_next, n++) {
		if (!frame_parse(p, &f) || !frame_mergeable(first, &f, seq) ||
		    total + f.payload + first->hdr_len > FRAME_MAX)
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
static void csum_prepare(struct netdev_tx *r, struct ip_hdr *ip, void *l4, u16 l4_off, u32 l4_len, bool tcp)
{
	u64 s = (u64)ip->src.addr + ip->dest.addr + lwip_htons((u16)l4_len) + lwip_htons(IPH_PROTO(ip));
	u16 sum = (u16)sum_fold(s);

	r->needs_csum = true;
	r->csum_start = l4_off;
	r->csum_offset = tcp ? 16 : 6;
	memcpy((u8 *)l4 + r->csum_offset, &sum, 2);
}

static struct tx *tx_alloc(unsigned npbufs, unsigned nsegs, unsigned hdr)
{
	size_t pb = ROUND_UP(sizeof(struct tx) + npbufs * sizeof(struct pbuf *), 16u);
	struct tx *t = mem_malloc(pb + nsegs * sizeof(struct netdev_seg) + hdr);

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->segs = (struct netdev_seg *)(void *)((char *)t + pb);
	t->req.segs = t->segs;
	t->req.done = tx_on_done;
	t->req.arg = t;
	return t;
}

/* A request for one frame. */
static struct tx *tx_single(struct pbuf *p, const struct frame_headers *f)
{
	unsigned n = pbuf_clen(p);
	struct tx *t = tx_alloc(1, n, 0);

	if (!t)
		return NULL;
	for (struct pbuf *q = p; q; q = q->next)
		if (q->len)
			t->req.nsegs = seg_add(t->segs, t->req.nsegs, q->payload, q->len);
	t->pbufs[t->npbufs++] = p;
	if (f && f->tcp && (inet_dev->features & NETDEV_CSUM))
		csum_prepare(&t->req, f->ip, f->tcp, f->l4_off, p->tot_len - f->l4_off, true);
	if (f && f->tcp && f->payload > f->unit) {
		t->req.gso_size = f->unit;
		t->req.gso_hdr_len = f->hdr_len;
	}
	return t;
}

/* One request for the run of count frames that begins with p. NULL: no memory, or too scattered. */
static struct tx *tx_merged(struct pbuf *p, const struct frame_headers *f, unsigned count, u32 payload, unsigned *ret_used)
{
	struct tx *t = tx_alloc(count, TX_SEGS, f->hdr_len);
	unsigned used = 0;
	u32 total = 0;

	if (!t)
		return NULL;
	u8 *hdr = (u8 *)(t->segs + TX_SEGS);
	memcpy(hdr, p->payload, f->hdr_len);
	t->req.nsegs = seg_add(t->segs, 0, hdr, f->hdr_len);
	u8 psh = 0;
	for (struct pbuf *q = p; used < count; q = q->queue_next, used++) {
		if (t->req.nsegs + pbuf_clen(q) > TX_SEGS)
			break;
		u16 skip = f->hdr_len;
		for (struct pbuf *r = q; r; r = r->next) {
			if (r->len > skip)
				t->req.nsegs = seg_add(t->segs, t->req.nsegs, (u8 *)r->payload + skip, r->len - skip);
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
	struct ip_hdr *ip = (struct ip_hdr *)(void *)(hdr + SIZEOF_ETH_HDR);
	struct tcp_hdr *tcp = (struct tcp_hdr *)(void *)(hdr + f->l4_off);
	IPH_LEN_SET(ip, lwip_htons((u16)(total + f->hdr_len - SIZEOF_ETH_HDR)));
	IPH_CHKSUM_SET(ip, 0);
	IPH_CHKSUM_SET(ip, (u16)~inet_checksum(ip, IP_HLEN));
	if (psh)
		TCPH_SET_FLAG(tcp, TCP_PSH);
	csum_prepare(&t->req, ip, tcp, f->l4_off, total + f->hdr_len - f->l4_off, true);
	t->req.gso_size = f->unit;
	t->req.gso_hdr_len = f->hdr_len;
	counter_bump(inet_tx_merged);
	*ret_used = used;
	return t;
}

static void tx_pop(unsigned n)
{
	while (n--) {
		struct pbuf *p = tx_head;
		tx_head = p->queue_next;
		p->queue_next = NULL;
		tx_count--;
	}
	if (!tx_head)
		tx_tail = NULL;
}

/* Everything queued goes to the driver; what the ring cannot take stays. */
static void tx_flush(void)
{
	bool sent = false;

	if (!tx_head)
		return;
	tx_collect();
	while (tx_head) {
		struct frame_headers f;
		struct pbuf *p = tx_head;
		struct tx *t = NULL;
		unsigned used = 1;
		u32 payload;
		bool parsed = frame_parse(p, &f);

		if (parsed && f.tcp && p->queue_next && (inet_dev->features & NETDEV_TSO4)) {
			unsigned n = run_length(p, &f, &payload);
			if (n > 1)
				t = tx_merged(p, &f, n, payload, &used);
		}
		if (!t) {
			used = 1;
			t = tx_single(p, parsed ? &f : NULL);
		}
		if (!t) {                /* no memory: the frame is lost, as on a wire */
			tx_pop(1);
			pbuf_free(p);
			counter_bump(inet_tx_dropped);
			continue;
		}
		struct pbuf *after = tx_head;
		for (unsigned i = 0; i < used; i++)
			after = after->queue_next;
		int r = inet_dev->ops->transmit(inet_dev, &t->req, after == NULL);
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
		}
	}
	/* The device is often quick: what it has sent by now is freed while it is in the cache. */
	if (inet_dev->ops->reap)
		inet_dev->ops->reap(inet_dev);
	tx_collect();
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
		memset(r, 0, sizeof(*r));
		r->pc.custom_free_function = lo_ref_free;
		r->of = p;
		pbuf_ref(p);
		struct pbuf *c = pbuf_alloced_custom(PBUF_RAW, q->len - skip, PBUF_REF, &r->pc, (u8 *)q->payload + skip, q->len - skip);
		skip = 0;
		pbuf_cat(h, c);
	}
	return h;
}

static err_t lo_output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	u16 headers = MIN(p->tot_len, (u16)HEADERS_MIN);
	const struct ip_hdr *ip = p->payload;
	struct pbuf *c;

	if (lo_count >= TX_QUEUE_MAX)
		return ERR_MEM;
	if (p->len >= IP_HLEN + TCP_HLEN && IPH_PROTO(ip) == IP_PROTO_TCP && IPH_HL_BYTES(ip) == IP_HLEN)
		headers = (u16)(IP_HLEN + TCPH_HDRLEN_BYTES((const struct tcp_hdr *)(const void *)((const u8 *)ip + IP_HLEN)));
	if (p->tot_len <= COPY_MAX || headers >= p->tot_len)
		c = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	else
		c = lo_share(p, headers);
	if (!c)
		return ERR_MEM;
	c->queue_next = NULL;
	if (lo_tail)
		lo_tail->queue_next = c;
	else
		lo_head = c;
	lo_tail = c;
	lo_count++;
	return ERR_OK;
}

static void lo_deliver(void)
{
	while (lo_head) {
		struct pbuf *p = lo_head;
		lo_head = p->queue_next;
		if (!lo_head)
			lo_tail = NULL;
		lo_count--;
		p->queue_next = NULL;
		p->if_idx = netif_get_index(&inet_lo);
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
	if (!lo_head && !tx_head)
		return;
	if (lo_head)
		lo_deliver();
	tx_flush();
	inet_timer_activity();
}

/* ---- Receiving ---- */

struct rxbuf {
	struct pbuf_custom pc;
	struct netdev_buf *nb;
};
static void rxbuf_free(struct pbuf *p)
{
	struct rxbuf *r = (struct rxbuf *)(void *)p;
	struct netdev_buf *nb = r->nb;

	nb->dev->ops->release(nb->dev, nb);
	mem_free(r);
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
	struct pbuf *head = NULL;
	u32 total = 0;

	for (struct netdev_buf *b = nb; b; b = b->next)
		total += b->len;
	if (total < SIZEOF_ETH_HDR + IP_HLEN || total > FRAME_MAX) {
		counter_bump(inet_rx_short);
		d->ops->release(d, nb);
		return NULL;
	}
	if (total <= COPY_MAX || (nb->next && nb->len < HEADERS_MIN)) {
		head = frame_copy(nb, total);
		d->ops->release(d, nb);
		if (!head)
			counter_bump(inet_rx_nomem);
		return head;
	}
	while (nb) {
		struct netdev_buf *next = nb->next;
		struct rxbuf *r = mem_malloc(sizeof(*r));
		if (!r) {
			counter_bump(inet_rx_nomem);
			d->ops->release(d, nb);
			if (head)
				pbuf_free(head);
			return NULL;
		}
		memset(r, 0, sizeof(*r));
		nb->next = NULL;
		r->nb = nb;
		r->pc.custom_free_function = rxbuf_free;
		struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (u16)nb->len, PBUF_REF, &r->pc, nb->data, (u16)nb->len);
		if (head)
			pbuf_cat(head, p);
		else
			head = p;
		nb = next;
	}
	return head;
}

static void frame_input(struct netdev_buf *nb)
{
	bool valid = nb->csum_valid;
	struct pbuf *p = frame_wrap(nb);

	if (!p)
		return;
	const struct eth_hdr *eth = p->payload;
	bool group = eth->dest.addr[0] & 1;
	if (!group && memcmp(&eth->dest, inet_eth.hwaddr, 6) != 0)
		goto drop;
	if (eth->type == PP_HTONS(ETHTYPE_ARP) && p->len < SIZEOF_ETH_HDR + SIZEOF_ETHARP_HDR)
		goto drop;
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
	struct netdev_buf *frames[32];
	unsigned n, total = 0;

	if (!inet_dev)
		return false;
	do {
		n = inet_dev->ops->receive(inet_dev, frames, MIN(max - total, (unsigned)ARRAY_SIZE(frames)), true);
		for (unsigned i = 0; i < n; i++)
			frame_input(frames[i]);
		total += n;
		if (n)
			inet_flush();
	} while (n && total < max);
	if (total)
		inet_timer_activity();
	return n != 0;
}

/* ---- lwIP's hooks on the way in and in routing ---- */

/* An ICMP error quotes the header of the packet that it is about: tell the socket. */
static void icmp_error(const struct pbuf *p, u16 off)
{
	u8 q[8 + IP_HLEN_MAX + 8];
	u16 n = pbuf_copy_partial(p, q, sizeof(q), off);

	if (n < 8 + IP_HLEN + 8 || q[0] != 3)
		return;
	const struct ip_hdr *ip = (const struct ip_hdr *)(const void *)(q + 8);
	u16 hl = IPH_HL_BYTES(ip);
	if (IPH_V(ip) != 4 || hl < IP_HLEN || n < 8 + hl + 4)
		return;
	u16 lport = (u16)(q[8 + hl] << 8 | q[9 + hl]), rport = (u16)(q[10 + hl] << 8 | q[11 + hl]);
	static const s8 errors[16] = { ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED, EMSGSIZE, EOPNOTSUPP, ENETUNREACH, EHOSTDOWN,
				       ENONET, ENETUNREACH, EHOSTUNREACH, ENETUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH, EHOSTUNREACH };
	u8 code = q[1];
	if (code > 15)
		return;
	bool hard = code == 2 || code == 3 || code == 9 || code == 10 || code == 13;
	if (IPH_PROTO(ip) == IP_PROTO_UDP)
		inet_udp_icmp(ip->src.addr, lport, ip->dest.addr, rport, -errors[code], hard);
	else if (IPH_PROTO(ip) == IP_PROTO_TCP)
		inet_tcp_icmp(ip->src.addr, lport, ip->dest.addr, rport, -errors[code], hard);
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
	/* lwIP looks at the ports of UDP before it has checked the length. */
	if (proto == IP_PROTO_UDP && p->len < hl + 8)
		goto drop;
	if (in != &inet_lo) {
		if ((u8)ip->src.addr == 127 || (u8)ip->dest.addr == 127) {
			counter_bump(inet_rx_martian);
			pbuf_free(p);
			return 1;
		}
	}
	if (proto == IP_PROTO_TCP && p->len >= hl + TCP_HLEN) {
		const struct tcp_hdr *tcp = (const struct tcp_hdr *)(const void *)((const u8 *)ip + hl);
		if (unlikely((TCPH_FLAGS(tcp) & (TCP_SYN | TCP_ACK)) == TCP_SYN))
			inet_tcp_make_room(ip->dest.addr, lwip_ntohs(tcp->dest));
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
bool inet_eth_cuts(void) { return inet_dev && (inet_dev->features & (NETDEV_CSUM | NETDEV_TSO4)) == (NETDEV_CSUM | NETDEV_TSO4); }

bool inet_addr_is_own(u32 addr)
{
	return (u8)addr == 127 || (addr && addr == ip4_addr_get_u32(netif_ip4_addr(&inet_eth)));
}

struct netif *inet_ip4_route(const struct ip4_addr *src, const struct ip4_addr *dst)
{
	return inet_addr_is_own(dst->addr) ? &inet_lo : NULL;
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
	n->flags = NETIF_FLAG_LINK_UP | NETIF_FLAG_IGMP;
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
}

static void eth_on_event(struct netdev *d)
{
	inet_kick();
}

u16 inet_eth_mtu(void) { return inet_dev && inet_dev->mtu ? inet_dev->mtu : 1500; }

/*
 * IP must not fragment a large segment, which the device will cut: for the moment between this
 * and eth_output the interface has no limit. Both are steps of one call from TCP to IP.
 */
u32 *inet_tcp_out(struct pbuf *p, const struct tcp_pcb *pcb, u32 *opts)
{
	p->peer_mss = pcb ? (u16)(uintptr_t)tcp_ext_arg_get(pcb, 0) : 0;
	if (p->peer_mss)
		inet_eth.mtu = 0;
	return opts;
}

static err_t eth_output(struct netif *n, struct pbuf *p, const ip4_addr_t *dst)
{
	n->mtu = inet_eth_mtu();
	return etharp_output(n, p, dst);
}

static err_t eth_setup(struct netif *n)
{
	n->name[0] = 'e';
	n->name[1] = 't';
	n->mtu = inet_eth_mtu();
	n->hwaddr_len = 6;
	memcpy(n->hwaddr, inet_dev->mac, 6);
	n->output = eth_output;
	n->linkoutput = eth_linkoutput;
	n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_LINK_UP;
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
	d->on_event = eth_on_event;
	return 0;
}
