/*
 * virtio_net.c - network devices (virtio 1.2, section 5.1): one receive and one transmit queue,
 * checksum and segmentation offload both ways, mergeable receive buffers.
 *
 * Receive: each buffer is a page that begins with its own struct netdev_buf; the device writes
 * behind it. A frame goes up without a copy and comes back by release, onto a small stock from which the
 * ring is refilled in batches. The ring begins with few buffers and gets more under load. Interrupts
 * are off from the first one until receive finds nothing more.
 * Transmit: header from a table of slots, or in front of the data, which is where the stack has it. No interrupt unless the ring
 * was full; what has been sent is found by the next transmit, or by reap.
 *
 * Invariants:
 *  1. A receive page is in the ring, on the stock, or lent to the stack.
 *  2. The ring is never empty for want of memory: when a page cannot be replaced and few are left,
 *     the frame is dropped and its pages go back.
 *  3. A slot is free or in flight; done is called once for each that was in flight, without locks held.
 *
 * Locks (irq-safe): rx_lock, tx_lock; never both. Can fail: frames that contradict themselves are
 * dropped and counted; a ring that does breaks the device, and all calls give -EIO or nothing.
 */
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/netdev.h"
#include "dev/virtio.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/random.h"
#include "arch/spinlock.h"

COUNTER(virtio_net_rx_bad);          /* frames dropped for what the device said of them */
COUNTER(virtio_net_rx_no_memory);

#define F_CSUM       (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU        (1ull << 3)
#define F_MAC        (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7)
#define F_GUEST_TSO6 (1ull << 8)
#define F_HOST_TSO4  (1ull << 11)
#define F_HOST_TSO6  (1ull << 12)
#define F_MRG_RXBUF  (1ull << 15)
#define F_STATUS     (1ull << 16)

enum { CFG_MAC = 0, CFG_STATUS = 6, CFG_MTU = 10 };
enum { HDR_NEEDS_CSUM = 1, HDR_DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCP4 = 1, GSO_TCP6 = 4, GSO_ECN = 0x80 };

struct vnet_hdr {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct vnet_hdr) == 12 && sizeof(struct vnet_hdr) <= NETDEV_TX_ROOM, "section 5.1.6");

#define ETH_HDR_LEN   14u
#define FRAME_MAX     (65535u + ETH_HDR_LEN + 4u)
#define RX_OFF        ROUND_UP(sizeof(struct netdev_buf), 64)  /* what the device gets of a page */
#define RX_LEN        ((u32)(PAGE_SIZE - RX_OFF))
#define RX_BEGIN      32u            /* buffers at first */
#define RX_KEEP       8u             /* buffers below which frames are dropped rather than the ring run dry */
#define REAP_BATCH    16u

struct tx_slot {
	struct vnet_hdr hdr;         /* the device reads it */
	u16 next;                    /* free list */
	void (*done)(void *arg);
	void *arg;
};

struct vnet {
	struct netdev netdev;
	struct virtio_device *d;
	struct virtqueue *rxq, *txq;
	bool mergeable;
	bool buried;
	struct spinlock rx_lock;
	unsigned rx_target, rx_max;  /* buffers that the ring should have, and at most: the target doubles when half was not enough */
	struct netdev_buf *stock;
	unsigned nstock;
	struct spinlock tx_lock;
	struct tx_slot *slots;
	u16 nslots, free_slot;       /* free_slot = nslots: none */
};

struct completion {
	void (*done)(void *arg);
	void *arg;
};

static struct vnet *vnet_of(struct netdev *d) { return container_of(d, struct vnet, netdev); }
static COLD void vnet_bury(struct vnet *n);

/* ---- Receive ------------------------------------------------------------------------ */

/* A page's struct keeps its physical address in driver. */
static struct netdev_buf *rx_buf_get_locked(struct vnet *n)
{
	struct netdev_buf *b = n->stock;

	if (likely(b)) {
		n->stock = b->next;
		n->nstock--;
		return b;
	}
	struct page *page = page_alloc(0, PAGE_FOR(PAGE_KIND_NET));

	if (!page)
		return NULL;
	b = page_to_virt(page);
	b->dev = &n->netdev;
	b->driver = (void *)(uintptr_t)page_to_phys(page);
	return b;
}

static void rx_buf_put_locked(struct vnet *n, struct netdev_buf *b)
{
	if (n->nstock >= n->rx_target) {
		page_free(virt_to_page(b), 0);
		return;
	}
	b->next = n->stock;
	n->stock = b;
	n->nstock++;
}

static void rx_chain_put_locked(struct vnet *n, struct netdev_buf *b)
{
	while (b) {
		struct netdev_buf *next = b->next;

		rx_buf_put_locked(n, b);
		b = next;
	}
}

/* In batches: nothing until a quarter of the ring is missing. True: the device is to be told. */
static MUST_CHECK bool rx_refill_locked(struct vnet *n)
{
	if (n->rxq->ninflight > n->rx_target - n->rx_target / 4)
		return false;
	while (n->rxq->ninflight < n->rx_target) {
		struct netdev_buf *b = rx_buf_get_locked(n);

		if (!b)
			break;
		struct virtio_buf vb = { (phys_t)(uintptr_t)b->driver + RX_OFF, RX_LEN };

		if (virtqueue_add_one(n->rxq, vb, true, b) < 0) {
			rx_buf_put_locked(n, b);
			break;
		}
	}
	return virtqueue_kick_prepare(n->rxq);
}

/* The header, read once: the device may change its mind about it. */
static struct vnet_hdr rx_header_fetch(const struct netdev_buf *b)
{
	const u8 *p = (const u8 *)b + RX_OFF;
	union {
		struct vnet_hdr hdr;
		u32 words[3];
	} h;

	for (unsigned i = 0; i < 3; i++)
		h.words[i] = READ_ONCE(((const u32 *)(const void *)p)[i]);
	return h.hdr;
}

/* What the header says, into the frame's first buffer; false if it cannot be. */
static bool rx_header_apply(const struct vnet_hdr *h, struct netdev_buf *b)
{
	b->csum_valid = h->flags & (HDR_NEEDS_CSUM | HDR_DATA_VALID);
	b->gso_size = 0;
	switch (h->gso_type & ~GSO_ECN) {
	case GSO_NONE:
		return true;
	case GSO_TCP4:
	case GSO_TCP6:
		b->gso_size = h->gso_size;
		return h->gso_size != 0;
	}
	return false;
}

/* The other buffers of a frame whose first is b. False: they do not add up. */
static bool rx_rest_locked(struct vnet *n, struct netdev_buf *b, unsigned more)
{
	u32 total = b->len, len;
	bool ok = true;

	for (; more > 0; more--) {
		struct netdev_buf *next = virtqueue_get(n->rxq, &len);

		if (!next) {
			virtio_break(n->d, "a frame lacks some of its buffers");
			return false;
		}
		next->data = (u8 *)next + RX_OFF;
		next->len = len;
		next->next = NULL;
		b->next = next;
		b = next;
		total += len;
		ok &= len > 0 && total <= FRAME_MAX;
	}
	return ok;
}

/* The next frame, NULL if none. Bad ones are dropped. *tell is set if the device is to be told of buffers. */
static struct netdev_buf *rx_frame_locked(struct vnet *n, bool *tell)
{
	struct netdev_buf *b;
	u32 len;

	while ((b = virtqueue_get(n->rxq, &len)) != NULL) {
		struct vnet_hdr h = rx_header_fetch(b);

		b->next = NULL;
		if (!n->mergeable)
			h.num_buffers = 1;
		if (unlikely(h.num_buffers == 0 || h.num_buffers > n->rxq->size)) {
			rx_chain_put_locked(n, b);
			virtio_break(n->d, "a frame of an impossible number of buffers");
			return NULL;
		}
		bool ok = len >= sizeof(h) + ETH_HDR_LEN;

		b->data = (u8 *)b + RX_OFF + sizeof(h);
		b->len = ok ? len - (u32)sizeof(h) : 0;
		ok &= rx_header_apply(&h, b);
		if (unlikely(h.num_buffers > 1))
			ok &= rx_rest_locked(n, b, h.num_buffers - 1u);
		if (likely(ok) && (n->rxq->ninflight >= RX_KEEP || n->stock))
			return b;
		if (ok) {
			*tell |= rx_refill_locked(n);
			if (n->rxq->ninflight >= RX_KEEP)
				return b;
			counter_bump(virtio_net_rx_no_memory);
		} else {
			counter_bump(virtio_net_rx_bad);
		}
		rx_chain_put_locked(n, b);
		*tell |= rx_refill_locked(n);
	}
	return NULL;
}

/* Used buffers that have not been taken yet. What the device says is no more than a hint here. */
static unsigned rx_waiting(const struct vnet *n)
{
	return MIN((unsigned)(u16)(READ_ONCE(n->rxq->used->idx) - n->rxq->used_idx), (unsigned)n->rxq->ninflight);
}

static unsigned vnet_receive(struct netdev *d, struct netdev_buf **ret_frames, unsigned max, bool rearm)
{
	struct vnet *n = vnet_of(d);
	unsigned got = 0;
	bool tell = false;
	irq_flags_t f = spin_lock_irqsave(&n->rx_lock);

	do {
		struct netdev_buf *b;

		if (unlikely(n->rxq->ninflight - rx_waiting(n) < n->rx_target / 2 && n->rx_target < n->rx_max) && !virtio_is_broken(n->d))
			n->rx_target *= 2;
		while (got < max && (b = rx_frame_locked(n, &tell)) != NULL)
			ret_frames[got++] = b;
		tell |= rx_refill_locked(n);
	} while (got < max && rearm && virtqueue_irq_enable(n->rxq) && !virtio_is_broken(n->d));
	spin_unlock_irqrestore(&n->rx_lock, f);
	if (tell)
		virtqueue_notify(n->rxq);
	if (unlikely(virtio_is_broken(n->d)))
		vnet_bury(n);
	return got;
}

static void vnet_release(struct netdev *d, struct netdev_buf *chain)
{
	struct vnet *n = vnet_of(d);
	irq_flags_t f = spin_lock_irqsave(&n->rx_lock);

	rx_chain_put_locked(n, chain);
	bool tell = likely(!virtio_is_broken(n->d)) && rx_refill_locked(n);

	spin_unlock_irqrestore(&n->rx_lock, f);
	if (tell)
		virtqueue_notify(n->rxq);
}

/* ---- Transmit ----------------------------------------------------------------------- */

/* Take back sent slots, at most max; what to call afterwards, without the lock, is in ret. */
static unsigned tx_reap_locked(struct vnet *n, struct completion *ret, unsigned max)
{
	struct tx_slot *s;
	unsigned k = 0;
	u32 len;

	while (k < max && (s = virtqueue_get(n->txq, &len)) != NULL) {
		ret[k++] = (struct completion){ s->done, s->arg };
		s->next = n->free_slot;
		n->free_slot = (u16)(s - n->slots);
	}
	return k;
}

static void completions_run(const struct completion *c, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (c[i].done)
			c[i].done(c[i].arg);
}

static bool tx_has_room(const struct vnet *n, unsigned ndesc)
{
	return n->free_slot < n->nslots && n->txq->nfree >= ndesc;
}

static void hdr_fill(struct vnet_hdr *h, const struct netdev_tx *tx)
{
	*h = (struct vnet_hdr){ 0 };
	if (!tx->needs_csum)
		return;
	h->flags = HDR_NEEDS_CSUM;
	h->csum_start = tx->csum_start;
	h->csum_offset = tx->csum_offset;
	if (tx->gso_size) {
		h->gso_type = tx->gso_ipv6 ? GSO_TCP6 : GSO_TCP4;
		h->gso_size = tx->gso_size;
		h->hdr_len = tx->gso_hdr_len;
	}
}

static int tx_add_chain_locked(struct vnet *n, const struct netdev_tx *tx, struct tx_slot *s)
{
	struct virtio_buf bufs[NETDEV_TX_SEGS + 1] NO_AUTO_INIT;
	struct vnet_hdr *h = tx->room ? (struct vnet_hdr *)((uintptr_t)tx->segs[0].data - sizeof(*h)) : &s->hdr;
	unsigned k = 0;

	hdr_fill(h, tx);
	bufs[k++] = (struct virtio_buf){ arch_virt_to_phys(h), (u32)sizeof(*h) + (tx->room ? tx->segs[0].len : 0) };
	for (unsigned i = tx->room; i < tx->nsegs; i++)
		if (tx->segs[i].len)
			bufs[k++] = (struct virtio_buf){ arch_virt_to_phys(tx->segs[i].data), tx->segs[i].len };
	return virtqueue_add(n->txq, bufs, k, 0, s);
}

/* Header and data share a descriptor (section 2.7.4). */
static inline int tx_add_one_locked(struct vnet *n, const struct netdev_tx *tx, struct tx_slot *s)
{
	struct vnet_hdr *h = (struct vnet_hdr *)((uintptr_t)tx->segs[0].data - sizeof(*h));

	hdr_fill(h, tx);
	return virtqueue_add_one(n->txq, (struct virtio_buf){ arch_virt_to_phys(h), (u32)sizeof(*h) + tx->segs[0].len }, false, s);
}

static int tx_queue_locked(struct vnet *n, const struct netdev_tx *tx)
{
	struct tx_slot *s = &n->slots[n->free_slot];
	int r = tx->room && tx->nsegs == 1 ? tx_add_one_locked(n, tx, s) : tx_add_chain_locked(n, tx, s);

	if (r == 0) {
		n->free_slot = s->next;
		s->done = tx->done;
		s->arg = tx->arg;
	}
	return r;
}

/* One try. -EAGAIN: something was sent meanwhile, try again; -EBUSY: nothing was, and an interrupt will tell. */
static int vnet_try_transmit(struct vnet *n, const struct netdev_tx *tx, bool notify)
{
	struct completion sent[REAP_BATCH] NO_AUTO_INIT;
	unsigned nsent = 0;
	int r;
	irq_flags_t f = spin_lock_irqsave(&n->tx_lock);

	if (n->txq->ninflight >= REAP_BATCH || !tx_has_room(n, tx->nsegs + 1))
		nsent = tx_reap_locked(n, sent, REAP_BATCH);
	if (likely(tx_has_room(n, tx->nsegs + 1)))
		r = tx_queue_locked(n, tx);
	else if (virtio_is_broken(n->d))
		r = -EIO;
	else
		r = nsent || virtqueue_irq_enable_delayed(n->txq) ? -EAGAIN : -EBUSY;
	bool tell = (notify || r < 0) && virtqueue_kick_prepare(n->txq);

	spin_unlock_irqrestore(&n->tx_lock, f);
	if (tell)
		virtqueue_notify(n->txq);
	completions_run(sent, nsent);
	return r;
}

static int vnet_transmit(struct netdev *d, const struct netdev_tx *tx, bool notify)
{
	struct vnet *n = vnet_of(d);
	int r;

	if (unlikely(tx->nsegs == 0 || tx->nsegs > NETDEV_TX_SEGS || tx->nsegs + 1 > n->txq->size || (tx->gso_size && !tx->needs_csum)))
		return -EINVAL;
	do
		r = vnet_try_transmit(n, tx, notify);
	while (unlikely(r == -EAGAIN));
	if (unlikely(virtio_is_broken(n->d)))
		vnet_bury(n);
	return r;
}

static void vnet_kick(struct netdev *d)
{
	struct vnet *n = vnet_of(d);
	irq_flags_t f = spin_lock_irqsave(&n->tx_lock);

	bool tell = virtqueue_kick_prepare(n->txq);

	spin_unlock_irqrestore(&n->tx_lock, f);
	if (tell)
		virtqueue_notify(n->txq);
}

static void vnet_reap(struct netdev *d)
{
	struct vnet *n = vnet_of(d);
	struct completion sent[REAP_BATCH] NO_AUTO_INIT;
	unsigned nsent;

	if (!virtqueue_pending(n->txq))
		return;
	do {
		irq_flags_t f = spin_lock_irqsave(&n->tx_lock);

		nsent = tx_reap_locked(n, sent, REAP_BATCH);
		spin_unlock_irqrestore(&n->tx_lock, f);
		completions_run(sent, nsent);
	} while (nsent == REAP_BATCH);
	if (unlikely(virtio_is_broken(n->d)))
		vnet_bury(n);
}

/* ---- Interrupts and the end ------------------------------------------------------------ */

static void vnet_event(struct vnet *n)
{
	if (n->netdev.on_event)
		n->netdev.on_event(&n->netdev);
}

static void vnet_on_rx(struct virtqueue *vq)
{
	virtqueue_irq_disable(vq);
	vnet_event(vq->arg);
}

static void vnet_on_tx(struct virtqueue *vq)
{
	if (!vq->irq_armed)
		return;
	virtqueue_irq_disable(vq);
	vnet_event(vq->arg);
}

static bool vnet_link(struct vnet *n)
{
	return !virtio_is_broken(n->d) && (!virtio_has(n->d, F_STATUS) || (virtio_config_u16(n->d, CFG_STATUS) & 1));
}

static void vnet_on_config(struct virtio_device *d)
{
	struct vnet *n = d->driver;

	n->netdev.link_up = vnet_link(n);
	if (virtio_is_broken(d))
		vnet_bury(n);
	vnet_event(n);
}

/* The device is reset: finish what it never will. No lock held. */
static COLD void vnet_bury(struct vnet *n)
{
	struct tx_slot *s;
	struct netdev_buf *b;

	if (__atomic_exchange_n(&n->buried, true, __ATOMIC_RELAXED))
		return;
	virtio_report(n->d, n->netdev.name);
	n->netdev.link_up = false;
	for (;;) {
		irq_flags_t f = spin_lock_irqsave(&n->tx_lock);
		struct completion c = { NULL, NULL };

		s = virtqueue_detach(n->txq);
		if (s) {
			c = (struct completion){ s->done, s->arg };
			s->next = n->free_slot;
			n->free_slot = (u16)(s - n->slots);
		}
		spin_unlock_irqrestore(&n->tx_lock, f);
		if (!s)
			break;
		completions_run(&c, 1);
	}
	irq_flags_t f = spin_lock_irqsave(&n->rx_lock);

	n->rx_target = 0;            /* what comes back is freed */
	while ((b = virtqueue_detach(n->rxq)) != NULL)
		rx_buf_put_locked(n, b);
	while ((b = n->stock) != NULL) {
		n->stock = b->next;
		n->nstock--;
		page_free(virt_to_page(b), 0);
	}
	spin_unlock_irqrestore(&n->rx_lock, f);
}

/* ---- Set-up ----------------------------------------------------------------------------- */

static const struct netdev_ops vnet_ops = {
	.transmit = vnet_transmit,
	.kick = vnet_kick,
	.receive = vnet_receive,
	.release = vnet_release,
	.reap = vnet_reap,
};

static const struct {
	u64 virtio;
	u32 netdev;
} feature_map[] = {
	{ F_CSUM, NETDEV_CSUM }, { F_HOST_TSO4, NETDEV_TSO4 }, { F_HOST_TSO6, NETDEV_TSO6 },
	{ F_MRG_RXBUF, NETDEV_MRG_RXBUF }, { F_GUEST_CSUM, NETDEV_RX_CSUM },
	{ F_GUEST_TSO4, NETDEV_LRO4 }, { F_GUEST_TSO6, NETDEV_LRO6 },
};

/* What to ask for: segments merged by the host need mergeable buffers here, and each offload its checksum. */
static u64 features_wanted(struct virtio_device *d)
{
	u64 offered = d->ops->get_features(d);
	u64 wanted = F_MTU | F_MAC | F_STATUS | F_CSUM | F_GUEST_CSUM | F_MRG_RXBUF;

	if (offered & F_CSUM)
		wanted |= F_HOST_TSO4 | F_HOST_TSO6;
	if ((offered & F_GUEST_CSUM) && (offered & F_MRG_RXBUF))
		wanted |= F_GUEST_TSO4 | F_GUEST_TSO6;
	return wanted;
}

static void vnet_read_config(struct vnet *n)
{
	struct netdev *nd = &n->netdev;
	u32 mtu = virtio_has(n->d, F_MTU) ? virtio_config_u16(n->d, CFG_MTU) : 1500;
	u32 mtu_max = n->mergeable ? 65535u : RX_LEN - (u32)sizeof(struct vnet_hdr) - ETH_HDR_LEN;

	nd->mtu = (u16)(mtu < 68 ? 1500 : MIN(mtu, mtu_max));
	for (unsigned i = 0; i < sizeof(nd->mac) && virtio_has(n->d, F_MAC); i++)
		nd->mac[i] = virtio_config_u8(n->d, CFG_MAC + i);
	static const u8 none[6];
	if (memcmp(nd->mac, none, sizeof(none)) == 0 || (nd->mac[0] & 1)) {
		random_bytes(nd->mac, sizeof(nd->mac));
		nd->mac[0] = (u8)((nd->mac[0] & ~1u) | 2u);   /* locally administered, one station */
	}
	for (unsigned i = 0; i < ARRAY_SIZE(feature_map); i++)
		if (virtio_has(n->d, feature_map[i].virtio))
			nd->features |= feature_map[i].netdev;
	nd->link_up = vnet_link(n);
}

/* Ring sizes by the machine's memory: buffers are a page each. */
static void ring_sizes(unsigned *ret_rx, unsigned *ret_tx)
{
	u64 mib = page_total_count() / (MiB / PAGE_SIZE);

	*ret_rx = mib < 24 ? 32 : mib < 96 ? 64 : mib < 512 ? 128 : 256;
	*ret_tx = mib < 24 ? 64 : mib < 96 ? 128 : 256;
}

static int vnet_init(struct vnet *n)
{
	struct virtio_device *d = n->d;
	unsigned rx_size, tx_size;
	int r = virtio_negotiate(d, features_wanted(d));

	if (r < 0)
		return r;
	n->mergeable = virtio_has(d, F_MRG_RXBUF);
	vnet_read_config(n);
	ring_sizes(&rx_size, &tx_size);
	r = virtio_irq_setup(d, 2, false);
	if (r == 0)
		r = virtio_queue_setup(d, 0, rx_size, vnet_on_rx, n, &n->rxq);
	if (r == 0)
		r = virtio_queue_setup(d, 1, tx_size, vnet_on_tx, n, &n->txq);
	if (r < 0)
		return r;
	if (n->txq->size < 4 || n->rxq->size < 2 * RX_KEEP) {
		log_error("virtio-net: rings of %u and %u entries are too small\n", n->rxq->size, n->txq->size);
		return -EINVAL;
	}
	n->rx_max = n->rxq->size;
	n->rx_target = MIN(n->rx_max, RX_BEGIN);
	n->nslots = (u16)(n->txq->size / 2u);
	n->slots = heap_alloc_array(n->nslots, sizeof(*n->slots));
	if (!n->slots)
		return -ENOMEM;
	for (u16 i = 0; i < n->nslots; i++)
		n->slots[i].next = (u16)(i + 1);
	return 0;
}

static void vnet_free(struct vnet *n)
{
	if (n->d)
		virtio_stop(n->d);
	if (n->rxq && n->txq)
		vnet_bury(n);
	virtio_close(n->d);
	heap_free(n->slots);
	heap_free(n);
}

static COLD int vnet_probe(struct device *dev)
{
	if (!virtio_match(dev, VIRTIO_ID_NET))
		return -ENODEV;
	struct vnet *n = heap_alloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	int r = virtio_open(dev, VIRTIO_ID_NET, &n->d);

	if (r == 0) {
		n->d->driver = n;
		n->d->on_config = vnet_on_config;
		spin_init(&n->rx_lock);
		spin_init(&n->tx_lock);
		n->netdev.ops = &vnet_ops;
		r = vnet_init(n);
	}
	if (r < 0) {
		vnet_free(n);
		return r;
	}
	dev->driver_state = n;
	virtio_start(n->d);
	if (rx_refill_locked(n))
		virtqueue_notify(n->rxq);
	virtqueue_irq_enable(n->rxq);
	netdev_register(&n->netdev);
	return 0;
}

static void vnet_remove(struct device *dev)
{
	struct vnet *n = dev->driver_state;

	netdev_unregister(&n->netdev);
	vnet_free(n);
}

const struct driver driver_virtio_net = { .name = "virtio-net", .probe = vnet_probe, .remove = vnet_remove };
