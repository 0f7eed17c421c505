/*
 * virtqueue_fuzz.c - a hostile virtio device against the rings and every driver.
 *
 * The input is a device: kind, features, ring sizes, configuration, and then a sequence of moves of
 * the device (return chains with any id and length, move indices, scribble over the rings, interrupt, ask
 * for a reset) mixed with calls from above (send, receive, read, write). At the end the
 * device breaks and goes, and the driver must have kept its promises: every callback came once, all
 * memory is back.
 *
 * The fake device itself writes only where it was told to while that is allowed, so what the sanitizers
 * report is the kernel's.
 */
#include <stdlib.h>

#include "blk/blk.h"
#include "dev/netdev.h"
#include "dev/port.h"
#include "fuzz/fuzz.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "shared/bootconf.h"
#include "tests/unit/fake_virtio.h"

enum { KIND_RAW, KIND_NET, KIND_BLK, KIND_CONSOLE, KIND_RNG, KINDS };

#define MOVES_MAX  4000u
#define SAVED      64u               /* chains that the device holds, for all queues */
#define NREQUESTS  48u
#define LENT       16u

static struct fake f;
static struct fuzz_input in;
static struct {
	unsigned q;
	struct fake_chain c;
} saved[SAVED];
static unsigned nsaved;

/* ---- The device's moves ---- */

static bool device_alive(void) { return f.d && !virtio_is_broken(f.d); }

/* Take what is available, before anything in the table is scribbled over. */
static void device_collect(void)
{
	for (unsigned q = 0; q < FAKE_QUEUES && device_alive(); q++)
		while (nsaved < SAVED && f.q[q].vq && fake_available(&f, q)) {
			if (fake_available(&f, q) > f.q[q].vq->size)
				abort();
			saved[nsaved].q = q;
			if (fake_pop(&f, q, &saved[nsaved].c))
				nsaved++;
		}
}

static void device_fill(struct fake_chain *c)
{
	u8 pattern[32];

	fuzz_take(&in, pattern, fuzz_u8(&in) % sizeof(pattern));
	for (unsigned i = 0; i < c->nin; i++)
		memcpy(c->in[i].p, pattern, MIN((u32)sizeof(pattern), c->in[i].len));
	/* The last byte is a disk's status. */
	if (c->nin && c->in[c->nin - 1].len == 1)
		*c->in[c->nin - 1].p = pattern[0] & 3;
}

static void device_return(bool honest)
{
	if (nsaved == 0)
		return;
	unsigned k = fuzz_u8(&in) % nsaved, q = saved[k].q;
	struct fake_chain *c = &saved[k].c;
	u32 len = fuzz_u16(&in);

	device_fill(c);
	if (honest && len > c->in_len)
		len = c->in_len;
	bool irq = fake_push(&f, q, c, len);

	saved[k] = saved[--nsaved];
	if (irq)
		fake_irq(&f, q);
}

static struct virtqueue *some_queue(unsigned *ret_q)
{
	*ret_q = fuzz_u8(&in) % FAKE_QUEUES;
	return f.q[*ret_q].vq;
}

static void device_scribble(void)
{
	unsigned q;
	struct virtqueue *vq = some_queue(&q);

	if (!vq)
		return;
	/* Chains not yet collected would be read from the table by this side too. */
	if (nsaved == SAVED)
		return;
	switch (fuzz_u8(&in) % 4) {
	case 0:
		vq->used->idx = fuzz_u16(&in);
		break;
	case 1:
		fuzz_take(&in, &vq->used->ring[fuzz_u16(&in) % vq->size], sizeof(struct virtq_used_elem));
		break;
	case 2:
		fuzz_take(&in, &vq->desc[fuzz_u16(&in) % vq->size], sizeof(struct virtq_desc));
		break;
	case 3:
		vq->used->flags = fuzz_u8(&in);
		*(u16 *)(void *)&vq->used->ring[vq->size] = fuzz_u16(&in);
		break;
	}
}

static void device_move(u8 move)
{
	unsigned q;

	switch (move % 8) {
	case 0:
	case 1:
	case 2:
		device_return(true);
		break;
	case 3:
		device_return(false);
		break;
	case 4:
		if (some_queue(&q))
			fake_push_raw(&f, q, fuzz_u8(&in) & 0x80 ? fuzz_u32(&in) : fuzz_u8(&in), fuzz_u16(&in));
		break;
	case 5:
		device_scribble();
		break;
	case 6:
		if (some_queue(&q))
			fake_irq(&f, q);
		break;
	case 7:
		f.config[fuzz_u8(&in) % sizeof(f.config)] = fuzz_u8(&in);
		f.generation++;
		if (fuzz_u8(&in) > 250)
			f.status |= VIRTIO_STATUS_NEEDS_RESET;
		virtio_irq_config(f.d);
		break;
	}
	if (!device_alive())
		nsaved = 0;
}

/* ---- The calls from above ---- */

static u8 *buffer;                   /* 64 KiB of the kernel's */
static unsigned begun, ended;
static struct blk_request requests[NREQUESTS];
static struct blk_seg segs[NREQUESTS][4];
static bool busy[NREQUESTS];
static struct netdev_buf *lent[LENT];
static unsigned nlent;

static void tx_done(void *arg) { ended++; }

static void net_call(struct netdev *d, u8 call)
{
	struct netdev_seg s[4];
	struct netdev_tx tx = { .segs = s, .nsegs = 1 + call % 4, .done = tx_done, .needs_csum = call & 8, .gso_size = call & 16 ? 1000 : 0 };

	switch (call >> 6) {
	case 0:
		for (unsigned i = 0; i < 4; i++)
			s[i] = (struct netdev_seg){ buffer + i * 5000, fuzz_u8(&in) * 16u };
		if (d->ops->transmit(d, &tx, call & 32) == 0)
			begun++;
		break;
	case 1:
		if (nlent < LENT)
			nlent += d->ops->receive(d, &lent[nlent], LENT - nlent, call & 1);
		break;
	case 2:
		if (nlent) {
			u32 sum = 0;

			nlent--;
			for (struct netdev_buf *b = lent[nlent]; b; b = b->next)
				for (u32 i = 0; i < b->len; i++)
					sum += ((u8 *)b->data)[i];
			buffer[0] = (u8)sum;
			d->ops->release(d, lent[nlent]);
		}
		break;
	case 3:
		d->ops->reap(d);
		d->ops->kick(d);
		break;
	}
}

static void rq_done(struct blk_request *rq)
{
	unsigned i = (unsigned)(rq - requests);

	if (!busy[i])
		abort();             /* twice */
	busy[i] = false;
	ended++;
}

static void blk_call(struct blkdev *d, u8 call)
{
	unsigned i = fuzz_u8(&in) % NREQUESTS;

	if (busy[i])
		return;
	busy[i] = true;
	begun++;
	requests[i] = (struct blk_request){ .op = call % BLK_OPS, .sector = fuzz_u16(&in), .segs = segs[i], .nsegs = call / 8 % 5, .done = rq_done };
	for (unsigned k = 0; k < 4; k++)
		segs[i][k] = (struct blk_seg){ arch_virt_to_phys(buffer + k * 8192), fuzz_u8(&in) % 16 * 512u };
	if (requests[i].nsegs > 4)
		requests[i].nsegs = 0;
	blk_submit(d, &requests[i]);
}

static void console_call(u8 call)
{
	unsigned port = call % (PITH_NPORTS + 1);

	switch (call >> 5) {
	case 0:
	case 1:
	case 2:
		(void)port_write_nowait(port, buffer, fuzz_u8(&in) * 40u);
		break;
	case 3:
	case 4:
		if (port_read(port, buffer, fuzz_u16(&in), true) > 65536)
			abort();
		break;
	default:
		(void)port_poll(port, NULL);
		break;
	}
}

static void raw_call(struct virtqueue *vq, u8 call)
{
	struct virtio_buf b[8];
	u32 len;

	switch (call >> 6) {
	case 0:
	case 1:
		for (unsigned i = 0; i < 8; i++)
			b[i] = (struct virtio_buf){ arch_virt_to_phys(buffer + i * 4096), 1 + fuzz_u8(&in) * 16u };
		if (virtqueue_add(vq, b, call & 3, 1 + (call >> 2 & 3), buffer) == 0)
			begun++;
		virtqueue_kick(vq);
		break;
	case 2:
		while (virtqueue_get(vq, &len)) {
			ended++;
			if (len > 4 * 4096)
				abort();
		}
		break;
	case 3:
		if (call & 1)
			(void)virtqueue_irq_enable(vq);
		else
			virtqueue_irq_disable(vq);
		break;
	}
}

/* ---- One machine's life ---- */

static void play(unsigned kind)
{
	for (unsigned i = 0; i < MOVES_MAX && in.left; i++) {
		u8 move = fuzz_u8(&in);

		device_collect();
		if (move & 0x80) {
			device_move(move & 0x7f);
			continue;
		}
		u8 call = fuzz_u8(&in);

		if (kind == KIND_NET)
			net_call(netdev_by_index(0), call);
		else if (kind == KIND_BLK)
			blk_call(blkdev_by_index(0), call);
		else if (kind == KIND_CONSOLE)
			console_call(call);
		else if (kind == KIND_RAW)
			raw_call(f.d->queues[0], call);
		if (!device_alive())
			nsaved = 0;
	}
}

static void raw_begin(void)
{
	struct virtio_device *d;
	struct virtqueue *vq;

	f.dev.bus = BUS_FAKE;
	virtio_fake = &fake_ops;
	if (virtio_open(&f.dev, f.id, &d) < 0)
		return;
	if (virtio_negotiate(d, VIRTIO_F_INDIRECT_DESC) < 0 || virtio_queue_setup(d, 0, 16, NULL, NULL, &vq) < 0) {
		virtio_close(d);
		return;
	}
	virtio_start(d);
}

static void raw_end(void)
{
	struct virtqueue *vq = f.d->queues[0];

	virtio_stop(f.d);
	while (virtqueue_detach(vq))
		ended++;
	if (vq->nfree != vq->size || vq->ninflight)
		abort();
	virtio_close(f.d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const u32 ids[KINDS] = { 99, VIRTIO_ID_NET, VIRTIO_ID_BLOCK, VIRTIO_ID_CONSOLE, VIRTIO_ID_RNG };
	u64 pages;

	host_sched_start();
	pages = page_free_count();
	in = (struct fuzz_input){ data, size };
	if (!buffer)
		buffer = heap_alloc(65536);
	blk_init();
	unsigned kind = fuzz_u8(&in) % KINDS;

	f = (struct fake){ .id = ids[kind] };
	f.offers = fuzz_u64(&in) | (fuzz_u8(&in) & 15 ? VIRTIO_F_VERSION_1 : 0);
	for (unsigned q = 0; q < FAKE_QUEUES; q++)
		f.q[q].max = 1u << fuzz_u8(&in) % 8;
	fuzz_take(&in, f.config, 48);
	nsaved = begun = ended = nlent = 0;
	if (kind == KIND_RAW)
		raw_begin();
	else
		fake_add(&f);
	device_probe_all();
	if (f.d)
		play(kind);
	if (f.d) {
		/* The end of the device, and then everything must have been answered. */
		f.status |= VIRTIO_STATUS_NEEDS_RESET;
		virtio_irq_config(f.d);
		while (nlent)
			netdev_by_index(0)->ops->release(netdev_by_index(0), lent[--nlent]);
		if (kind == KIND_RAW)
			raw_end();
		if (begun != ended)
			abort();
	}
	if (kind != KIND_RAW)
		device_remove(&f.dev);
	if (page_free_count() != pages || netdev_count() || blkdev_count() || port_present())
		abort();
	return 0;
}
