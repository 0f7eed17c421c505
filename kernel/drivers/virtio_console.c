/*
 * virtio_console.c - the byte channels of shared/bootconf.h as ports of one virtio console
 * (virtio 1.2, section 5.3, multiport).
 *
 * Guest to host: a port has a ring of bytes; what was written goes to the device in spans of
 * contiguous bytes, at most TX_SPANS at a time, and its room is free again when the device
 * is done with the oldest span. No interrupt is asked for unless somebody waits for room.
 * Host to guest: two buffers for each input port, given back when they have been read: a host
 * that sends faster than the program reads is held back.
 *
 * Nothing waits for the device at boot. Port numbers are fixed; the control queue's messages are
 * answered as they come. Output that is written before they came is in the rings, and counts.
 *
 * Invariants:
 *  1. tx: tail <= sent <= head (free-running byte counts); head - tail <= room; the spans in
 *     flight cover [tail, sent) in order; a span's completion is noted in it, and the tail moves
 *     over completed spans from the oldest on (a device may complete in any order).
 *  2. rx: a buffer is with the device or on the list of the full ones, in the order of arrival.
 *
 * Locks: each port's lock (irq-safe) guards its queues and rings; the control queue is touched in
 * interrupts and at probe only, under ctl_lock. Wait queues are woken without locks. Nothing logs with
 * a lock held, for the log comes here. The panic path takes locks only if they are free soon.
 */
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/port.h"
#include "dev/virtio.h"
#include "drivers/virtio_console.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "shared/bootconf.h"
#include "arch/spinlock.h"

COUNTER(virtio_console_bad_control);

static struct vcon *the_console;     /* the first; further ones are refused */

/* Which ports carry what; the order of setting up queues. */
static const struct port_shape {
	u8 port;
	u8 tx_order;                 /* of the byte ring, in pages; NO_RING: none */
	u16 rx_len;                  /* of each buffer; 0: none */
} shapes[] = {
	{ PITH_PORT_STDIN,  NO_RING, 2048 },
	{ PITH_PORT_STDOUT, 2,       0 },
	{ PITH_PORT_STDERR, 0,       0 },
	{ PITH_PORT_LOG,    0,       0 },
	{ PITH_PORT_CTL,    0,       256 },
};

static struct vport *port_get(unsigned port)
{
	struct vcon *c = the_console;

	return c && port < PITH_NPORTS && (c->ports[port].txq || c->ports[port].rxq) ? &c->ports[port] : NULL;
}

/* If the device broke, tell everybody who waits, once. No lock held. */
static void vcon_bury(struct vcon *c)
{
	if (likely(!virtio_is_broken(c->d)) || __atomic_exchange_n(&c->buried, true, __ATOMIC_RELAXED))
		return;
	virtio_report(c->d, "virtio-console");
	for (unsigned i = 0; i < PITH_NPORTS; i++) {
		port_notify_read(i);
		port_notify_write(i);
	}
}

/* ---- Guest to host ----------------------------------------------------------------- */

/* The ring's memory, on the first write. Lock held. */
static void tx_ring_get_locked(struct vport *p)
{
	struct page *page = page_alloc(p->tx_order, 0);

	if (!page) {
		p->tx_order = 0;
		page = page_alloc(0, 0);
	}
	p->tx_ring = page ? page_to_virt(page) : p->small_ring;
	p->tx_room = page ? (u32)(PAGE_SIZE << p->tx_order) : sizeof(p->small_ring);
}

/* Give the device what is written but not sent, as far as there are spans. Lock held. */
static void tx_send_locked(struct vport *p)
{
	while (p->sent != p->head && p->nspans < TX_SPANS) {
		u32 at = p->sent & (p->tx_room - 1);
		u32 n = MIN(p->head - p->sent, p->tx_room - at);
		struct tx_span *s = &p->spans[(p->first_span + p->nspans) % TX_SPANS];
		struct virtio_buf b = { arch_virt_to_phys(p->tx_ring + at), n };

		*s = (struct tx_span){ .len = n };
		if (virtqueue_add(p->txq, &b, 1, 0, s) < 0)
			break;
		p->nspans++;
		p->sent += n;
	}
	virtqueue_kick(p->txq);
}

/* Take back what the device is done with. Lock held. True if room became free. */
static bool tx_reap_locked(struct vport *p)
{
	struct tx_span *s;
	u32 len, tail = p->tail;

	while ((s = virtqueue_get(p->txq, &len)) != NULL)
		s->done = true;
	while (p->nspans && p->spans[p->first_span].done) {
		p->tail += p->spans[p->first_span].len;
		p->first_span = (p->first_span + 1) % TX_SPANS;
		p->nspans--;
	}
	if (unlikely(virtio_is_broken(p->con->d))) {
		/* Nobody will ever take the bytes: they vanish, and writers go on. */
		while (virtqueue_detach(p->txq))
			;
		p->nspans = 0;
		p->tail = p->sent = p->head;
		return true;
	}
	return p->tail != tail;
}

/* While bytes are queued, ask for an interrupt at the next completion; what completes meanwhile is taken. Lock held. True if room became free. */
static bool tx_arm_locked(struct vport *p)
{
	bool freed = false;

	while (p->head != p->tail && virtqueue_irq_enable(p->txq)) {
		freed |= tx_reap_locked(p);
		tx_send_locked(p);
	}
	return freed;
}

/* Room for more bytes; if there is none, an interrupt will come when there is. Lock held. */
static u32 tx_room_locked(struct vport *p)
{
	if (p->head - p->tail == p->tx_room) {
		tx_reap_locked(p);
		tx_send_locked(p);
		if (p->head - p->tail == p->tx_room)
			tx_arm_locked(p);
	}
	return p->tx_room - (p->head - p->tail);
}

static size_t tx_write_locked(struct vport *p, const u8 *data, size_t len)
{
	size_t done = 0;

	if (virtio_is_broken(p->con->d))
		return len;
	if (!p->tx_ring)
		tx_ring_get_locked(p);
	while (done < len) {
		u32 room = tx_room_locked(p), at = p->head & (p->tx_room - 1);
		u32 n = MIN(room, p->tx_room - at);

		if (n == 0)
			break;
		if (n > len - done)
			n = (u32)(len - done);
		memcpy(p->tx_ring + at, data + done, n);
		p->head += n;
		done += n;
	}
	return done;
}

static size_t vcon_write_nowait(unsigned port, const void *data, size_t len)
{
	struct vport *p = port_get(port);

	if (!p || !p->txq)
		return len;
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	size_t done = tx_write_locked(p, data, len);

	if (p->nspans == TX_SPANS)
		tx_reap_locked(p);
	tx_send_locked(p);
	/* What could not be sent for want of a span goes with a completion: ask to hear of one. */
	if (p->sent != p->head)
		tx_arm_locked(p);
	spin_unlock_irqrestore(&p->lock, f);
	vcon_bury(p->con);
	return done;
}

static bool vcon_writable(unsigned port)
{
	struct vport *p = port_get(port);

	if (!p || !p->txq)
		return true;
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	bool yes = virtio_is_broken(p->con->d) || !p->tx_ring || tx_room_locked(p) > 0;

	spin_unlock_irqrestore(&p->lock, f);
	return yes;
}

/* Bytes not yet with the host; if arm, a completion will interrupt. Lock held. */
static size_t tx_queued_locked(struct vport *p, bool arm)
{
	tx_reap_locked(p);
	if (p->sent != p->head)
		tx_send_locked(p);
	if (arm)
		tx_arm_locked(p);
	return p->head - p->tail;
}

static size_t vcon_queued(unsigned port)
{
	struct vport *p = port_get(port);

	if (!p || !p->txq)
		return 0;
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	size_t n = tx_queued_locked(p, true);

	spin_unlock_irqrestore(&p->lock, f);
	return n;
}

static void tx_on_used(struct virtqueue *vq)
{
	struct vport *p = vq->arg;
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	bool freed = tx_reap_locked(p);

	tx_send_locked(p);
	freed |= tx_arm_locked(p);
	spin_unlock_irqrestore(&p->lock, f);
	vcon_bury(p->con);
	if (freed)
		port_notify_write(p->number);
}

/* ---- Host to guest ----------------------------------------------------------------- */

static void rx_post_locked(struct vport *p, struct rx_buf *b)
{
	struct virtio_buf vb = { arch_virt_to_phys(b->data), p->rx_len };

	b->len = b->at = 0;
	if (virtqueue_add(p->rxq, &vb, 0, 1, b) == 0)
		virtqueue_kick(p->rxq);
}

/* Line up what came. Lock held. True if there is something to read. */
static bool rx_poll_locked(struct vport *p)
{
	struct rx_buf *b;
	u32 len;

	while ((b = virtqueue_get(p->rxq, &len)) != NULL) {
		if (len == 0) {
			rx_post_locked(p, b);
			break;       /* a device that returns nothing for ever is looked at once an interrupt */
		}
		b->len = len;
		p->full[(p->first_full + p->nfull++) % RX_BUFS] = b;
	}
	return p->nfull > 0;
}

/* The same; if not, an interrupt will come when there is. */
static bool rx_ready_locked(struct vport *p)
{
	return rx_poll_locked(p) || (virtqueue_irq_enable(p->rxq) && rx_poll_locked(p));
}

static size_t vcon_read_nowait(unsigned port, void *data, size_t len)
{
	struct vport *p = port_get(port);
	size_t done = 0;

	if (!p || !p->rxq)
		return 0;
	irq_flags_t f = spin_lock_irqsave(&p->lock);

	while (done < len && rx_ready_locked(p)) {
		struct rx_buf *b = p->full[p->first_full];
		size_t n = MIN(len - done, (size_t)(b->len - b->at));

		memcpy((u8 *)data + done, b->data + b->at, n);
		done += n;
		b->at += (u32)n;
		if (b->at == b->len) {
			p->first_full = (p->first_full + 1) % RX_BUFS;
			p->nfull--;
			rx_post_locked(p, b);
		}
	}
	spin_unlock_irqrestore(&p->lock, f);
	return done;
}

static bool rx_look(struct vport *p)
{
	irq_flags_t f = spin_lock_irqsave(&p->lock);
	bool yes = rx_ready_locked(p);

	spin_unlock_irqrestore(&p->lock, f);
	return yes;
}

static bool vcon_readable(unsigned port)
{
	struct vport *p = port_get(port);

	return p && p->rxq && rx_look(p);
}

/*
 * The end: the host closed its side, or there is no such port. The closing is read before the
 * ring is looked at: data that came before it is in the ring by then.
 */
static bool vcon_eof(unsigned port)
{
	struct vport *p = port_get(port);

	if (!p || !p->rxq || virtio_is_broken(p->con->d))
		return !p || !p->rxq || !rx_look(p);
	bool closed = __atomic_load_n(&p->host_closed, __ATOMIC_ACQUIRE);
	bool absent = __atomic_load_n(&p->con->settled, __ATOMIC_ACQUIRE) && !__atomic_load_n(&p->present, __ATOMIC_ACQUIRE);

	return (closed || absent) && !rx_look(p);
}

static bool vcon_gone(unsigned port)
{
	struct vport *p = port_get(port);

	return p && __atomic_load_n(&p->host_closed, __ATOMIC_ACQUIRE);
}

static void rx_on_used(struct virtqueue *vq)
{
	struct vport *p = vq->arg;

	vcon_bury(p->con);
	port_notify_read(p->number);
}

/* ---- Control ------------------------------------------------------------------------ */

static void control_send_locked(struct vcon *c, u32 id, u16 event, u16 value)
{
	struct control *m;
	u32 len;

	while (virtqueue_get(c->ctl_txq, &len))
		;
	m = &c->control_out[c->control_next++ % CONTROL_OUT];
	if (c->ctl_txq->ninflight >= CONTROL_OUT) {
		counter_bump(virtio_console_bad_control);   /* a host that asks more than it reads answers to */
		return;
	}
	*m = (struct control){ id, event, value };
	struct virtio_buf b = { arch_virt_to_phys(m), sizeof(*m) };

	if (virtqueue_add(c->ctl_txq, &b, 1, 0, m) == 0)
		virtqueue_kick(c->ctl_txq);
}

/* One message from the host, copied before it is looked at. ctl_lock held. */
static void control_take_locked(struct vcon *c, const struct control *m, u32 *ret_changed)
{
	struct vport *p = m->id < PITH_NPORTS ? &c->ports[m->id] : NULL;

	if (!p || !(p->rxq || p->txq)) {
		/* A port that we do not use, added by somebody's command line: not ready, and not an error. */
		if (m->event == CONTROL_PORT_ADD)
			control_send_locked(c, m->id, CONTROL_PORT_READY, 0);
		else
			counter_bump(virtio_console_bad_control);
		return;
	}
	switch (m->event) {
	case CONTROL_PORT_ADD:
		__atomic_store_n(&p->present, true, __ATOMIC_RELEASE);
		control_send_locked(c, m->id, CONTROL_PORT_READY, 1);
		control_send_locked(c, m->id, CONTROL_PORT_OPEN, 1);
		break;
	case CONTROL_PORT_REMOVE:
		__atomic_store_n(&p->present, false, __ATOMIC_RELEASE);
		__atomic_store_n(&p->host_closed, true, __ATOMIC_RELEASE);
		break;
	case CONTROL_PORT_OPEN:
		/* All additions come before the first of these: what was not added by now is not there. */
		__atomic_store_n(&c->settled, true, __ATOMIC_RELEASE);
		__atomic_store_n(&p->host_closed, m->value == 0, __ATOMIC_RELEASE);
		break;
	case CONTROL_CONSOLE_PORT:
	case CONTROL_RESIZE:
	case CONTROL_PORT_NAME:
		return;
	default:
		counter_bump(virtio_console_bad_control);
		return;
	}
	*ret_changed = ~0u;
}

static void control_post_locked(struct vcon *c, u8 *buf)
{
	struct virtio_buf b = { arch_virt_to_phys(buf), CONTROL_IN_LEN };

	if (virtqueue_add(c->ctl_rxq, &b, 0, 1, buf) == 0)
		virtqueue_kick(c->ctl_rxq);
}

static void control_on_used(struct virtqueue *vq)
{
	struct vcon *c = vq->arg;
	irq_flags_t f = spin_lock_irqsave(&c->ctl_lock);
	u32 changed = 0, len;
	u8 *buf;

	for (unsigned budget = 4 * CONTROL_IN; budget > 0; budget--) {
		struct control m;

		buf = virtqueue_get(c->ctl_rxq, &len);
		if (!buf) {
			if (virtqueue_irq_enable(c->ctl_rxq) && !virtio_is_broken(c->d))
				continue;
			break;
		}
		memcpy(&m, buf, sizeof(m));
		if (len >= sizeof(m))
			control_take_locked(c, &m, &changed);
		else
			counter_bump(virtio_console_bad_control);
		control_post_locked(c, buf);
	}
	spin_unlock_irqrestore(&c->ctl_lock, f);
	vcon_bury(c);
	for (unsigned i = 0; i < PITH_NPORTS && changed; i++) {
		if (c->ports[i].rxq)
			port_notify_read(i);
		port_notify_write(i);
	}
}

/* ---- The end, and panics -------------------------------------------------------------- */

#define DRAIN_NS (1 * NSEC_PER_SEC)
#define LOCK_SPINS 1000000u          /* how long a panic waits for a lock whose holder may be stopped */

static bool lock_soon(struct vport *p, bool panicking)
{
	if (!panicking) {
		spin_lock(&p->lock);
		return true;
	}
	for (unsigned i = 0; i < LOCK_SPINS; i++) {
		if (spin_trylock(&p->lock))
			return true;
		arch_cpu_relax();
	}
	return false;
}

/* Poll until nothing is queued, or the time is over. */
static void tx_drain(struct vport *p, bool panicking)
{
	u64 deadline = arch_clock_mono_ns() + DRAIN_NS;
	size_t left;

	do {
		irq_flags_t f = arch_irq_save();
		bool locked = lock_soon(p, panicking);

		left = tx_queued_locked(p, false);
		if (locked)
			spin_unlock(&p->lock);
		arch_irq_restore(f);
		arch_cpu_relax();
	} while (left && arch_clock_mono_ns() < deadline);
}

static void vcon_drain(unsigned port)
{
	struct vport *p = port_get(port);

	if (p && p->txq && p->tx_ring)
		tx_drain(p, false);
}

static void vcon_write_panic(unsigned port, const void *data, size_t len)
{
	struct vport *p = port_get(port);
	const u8 *at = data;

	if (!p || !p->txq)
		return;
	/* Pieces of at most the ring, each after the one before has gone. */
	for (unsigned i = 0; len > 0 && i < 64; i++) {
		irq_flags_t f = arch_irq_save();
		bool locked = lock_soon(p, true);
		size_t n = tx_write_locked(p, at, len);

		if (locked)
			spin_unlock(&p->lock);
		arch_irq_restore(f);
		at += n;
		len -= n;
		if (p->tx_ring)
			tx_drain(p, true);
	}
}

static const struct port_ops vcon_ops = {
	.write_nowait = vcon_write_nowait,
	.read_nowait = vcon_read_nowait,
	.readable = vcon_readable,
	.eof = vcon_eof,
	.gone = vcon_gone,
	.writable = vcon_writable,
	.queued = vcon_queued,
	.drain = vcon_drain,
	.write_panic = vcon_write_panic,
};

/* ---- Set-up ---------------------------------------------------------------------------- */

static void vcon_on_config(struct virtio_device *d)
{
	vcon_bury(d->driver);
}

static int port_setup(struct vcon *c, const struct port_shape *shape)
{
	struct vport *p = &c->ports[shape->port];
	unsigned first = shape->port == 0 ? 0 : 2 + 2u * shape->port;
	int r = 0;

	p->con = c;
	p->number = shape->port;
	p->tx_order = shape->tx_order;
	p->rx_len = shape->rx_len;
	spin_init(&p->lock);
	if (shape->tx_order != NO_RING)
		r = virtio_queue_setup(c->d, first + 1, TX_SPANS, tx_on_used, p, &p->txq);
	if (r == 0 && shape->rx_len)
		r = virtio_queue_setup(c->d, first, RX_BUFS, rx_on_used, p, &p->rxq);
	if (r == 0 && shape->rx_len) {
		p->rx_memory = heap_alloc(RX_BUFS * (size_t)shape->rx_len);
		r = p->rx_memory ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; r == 0 && i < RX_BUFS; i++)
		p->bufs[i].data = p->rx_memory + i * (size_t)shape->rx_len;
	/* A queue that is shorter than its spans would hold them back, never break: virtqueue_add says -EBUSY. */
	return r;
}

static int vcon_init(struct vcon *c)
{
	struct virtio_device *d = c->d;
	int r = virtio_negotiate(d, F_MULTIPORT);

	if (r < 0)
		return r;
	if (!virtio_has(d, F_MULTIPORT) || virtio_config_u32(d, CFG_MAX_PORTS) < PITH_NPORTS) {
		log_error("virtio-console: needs %u ports (QEMU: -device virtio-serial,max_ports=%u)\n", PITH_NPORTS, PITH_NPORTS);
		return -EINVAL;
	}
	c->control_in = heap_alloc(CONTROL_IN * CONTROL_IN_LEN);
	if (!c->control_in)
		return -ENOMEM;
	r = virtio_irq_setup(d, 2 + 2 * ARRAY_SIZE(shapes), true);
	if (r == 0)
		r = virtio_queue_setup(d, 2, CONTROL_IN, control_on_used, c, &c->ctl_rxq);
	if (r == 0)
		r = virtio_queue_setup(d, 3, CONTROL_OUT, NULL, c, &c->ctl_txq);
	for (unsigned i = 0; r == 0 && i < ARRAY_SIZE(shapes); i++)
		r = port_setup(c, &shapes[i]);
	return r;
}

static void vcon_begin(struct vcon *c)
{
	virtio_start(c->d);
	for (unsigned i = 0; i < CONTROL_IN; i++)
		control_post_locked(c, c->control_in + i * CONTROL_IN_LEN);
	virtqueue_irq_enable(c->ctl_rxq);
	for (unsigned i = 0; i < PITH_NPORTS; i++) {
		struct vport *p = &c->ports[i];

		for (unsigned k = 0; p->rxq && k < RX_BUFS; k++)
			rx_post_locked(p, &p->bufs[k]);
		if (p->rxq)
			virtqueue_irq_enable(p->rxq);
	}
	control_send_locked(c, 0, CONTROL_DEVICE_READY, 1);
}

static void vcon_free(struct vcon *c)
{
	virtio_close(c->d);
	for (unsigned i = 0; i < PITH_NPORTS; i++) {
		struct vport *p = &c->ports[i];

		heap_free(p->rx_memory);
		if (p->tx_ring && p->tx_ring != p->small_ring)
			page_free(virt_to_page(p->tx_ring), p->tx_order);
	}
	heap_free(c->control_in);
	heap_free(c);
}

static int vcon_probe(struct device *dev)
{
	if (!virtio_match(dev, VIRTIO_ID_CONSOLE))
		return -ENODEV;
	struct vcon *c = the_console ? NULL : heap_alloc(sizeof(*c));

	if (!c)
		return the_console ? -EBUSY : -ENOMEM;
	int r = virtio_open(dev, VIRTIO_ID_CONSOLE, &c->d);

	if (r == 0) {
		c->d->driver = c;
		c->d->on_config = vcon_on_config;
		spin_init(&c->ctl_lock);
		r = vcon_init(c);
	}
	if (r < 0) {
		vcon_free(c);
		return r;
	}
	dev->driver_state = c;
	the_console = c;
	port_register(&vcon_ops);
	vcon_begin(c);
	return 0;
}

static void vcon_remove(struct device *dev)
{
	port_register(NULL);
	the_console = NULL;
	vcon_free(dev->driver_state);
}

const struct driver driver_virtio_console = { .name = "virtio-console", .probe = vcon_probe, .remove = vcon_remove };
