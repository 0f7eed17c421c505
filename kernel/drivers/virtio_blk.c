/*
 * virtio_blk.c - block devices (virtio 1.2, section 5.2).
 *
 * One queue. A request is a chain: header, data segments, status byte; through an indirect table
 * when there are more than two segments, so that long requests do not eat the ring.
 *
 * Invariants:
 *  1. A slot belongs to a request from submit to completion; slots that are free are on the list
 *     that starts at free_slot.
 *  2. full is set when a submission was refused, and on_space is called once room is there again.
 *
 * Locks: b->lock (irq-safe): queue and slots. done and on_space are called without it.
 * Can fail: the device: an unknown status is -EIO; a broken device fails all in flight with -EIO.
 */
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/blkdev.h"
#include "dev/virtio.h"
#include "mm/heap.h"
#include "arch/spinlock.h"

COUNTER(virtio_blk_bad_status);

#define F_SIZE_MAX (1ull << 1)
#define F_SEG_MAX  (1ull << 2)
#define F_RO       (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH    (1ull << 9)
#define F_DISCARD  (1ull << 13)

enum { CFG_CAPACITY = 0, CFG_SIZE_MAX = 8, CFG_SEG_MAX = 12, CFG_BLK_SIZE = 20, CFG_MAX_DISCARD = 36 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xff };

#define RING_SIZE    128u
#define NSLOTS       32u
#define MAX_SEGS     62u             /* with header and status an indirect table of 1 KiB */
#define DIRECT_SEGS  2u
#define SEG_LEN_MAX  (1u << 20)
#define ID_LEN       20u

struct slot {
	struct {
		u32 type, reserved;
		u64 sector;
	} header;
	struct {
		u64 sector;
		u32 nsectors, flags;
	} range;                     /* discard */
	u8 status;                   /* the device writes it */
	u8 next;                     /* free list */
	struct virtq_desc *table;    /* indirect, NULL */
	struct blk_request *rq;      /* NULL: the question for the serial number */
};

struct vblk {
	struct blkdev blkdev;
	struct virtio_device *d;
	struct virtqueue *vq;
	struct spinlock lock;
	struct slot *slots;
	unsigned free_slot;          /* NSLOTS: none */
	bool full;
	bool tell;                   /* atomic: the device is to be told of requests */
	u8 id[ID_LEN];               /* the device writes it, once */
};

static struct vblk *vblk_of(struct blkdev *d) { return container_of(d, struct vblk, blkdev); }

static struct slot *slot_take(struct vblk *b)
{
	struct slot *s = b->free_slot < NSLOTS ? &b->slots[b->free_slot] : NULL;

	if (s)
		b->free_slot = s->next;
	return s;
}

static void slot_give(struct vblk *b, struct slot *s)
{
	heap_free(s->table);
	s->table = NULL;
	s->rq = NULL;
	s->next = (u8)b->free_slot;
	b->free_slot = (unsigned)(s - b->slots);
}

static phys_t slot_pa(const struct slot *s, size_t member) { return arch_virt_to_phys(s) + member; }

/* The chain of a request in bufs: nout for the device to read, then nin to write. */
static void chain_build(struct slot *s, struct virtio_buf *bufs, unsigned *ret_nout, unsigned *ret_nin)
{
	struct blk_request *rq = s->rq;
	unsigned n = 0, nin = 1;

	bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, header)), sizeof(s->header) };
	if (rq->op == BLK_DISCARD) {
		bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, range)), sizeof(s->range) };
	} else {
		for (unsigned i = 0; i < rq->nsegs; i++)
			bufs[n++] = (struct virtio_buf){ rq->segs[i].pa, rq->segs[i].len };
		if (rq->op == BLK_READ)
			nin += rq->nsegs;
	}
	bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, status)), 1 };
	*ret_nin = nin;
	*ret_nout = n - nin;
}

static int slot_queue(struct vblk *b, struct slot *s)
{
	static const u32 types[] = { [BLK_READ] = T_IN, [BLK_WRITE] = T_OUT, [BLK_FLUSH] = T_FLUSH, [BLK_DISCARD] = T_DISCARD };
	struct virtio_buf bufs[MAX_SEGS + 2] NO_AUTO_INIT;
	struct blk_request *rq = s->rq;
	unsigned nout, nin;

	s->header.type = types[rq->op];
	s->header.reserved = 0;
	s->header.sector = rq->op == BLK_READ || rq->op == BLK_WRITE ? rq->sector : 0;
	s->status = S_NONE;
	if (rq->op == BLK_DISCARD) {
		s->range.sector = rq->sector;
		s->range.nsectors = rq->segs[0].len / 512;
		s->range.flags = 0;
		if (s->range.nsectors > b->blkdev.max_discard)
			return -EINVAL;
	}
	chain_build(s, bufs, &nout, &nin);
	if (rq->nsegs > DIRECT_SEGS && virtio_has(b->d, VIRTIO_F_INDIRECT_DESC) && nout + nin <= b->vq->size) {
		s->table = heap_alloc((nout + nin) * sizeof(*s->table));
		if (s->table)
			return virtqueue_add_indirect(b->vq, s->table, bufs, nout, nin, s);
	}
	return virtqueue_add(b->vq, bufs, nout, nin, s);
}

static int vblk_submit(struct blkdev *d, struct blk_request *rq)
{
	struct vblk *b = vblk_of(d);
	irq_flags_t f = spin_lock_irqsave(&b->lock);
	struct slot *s = slot_take(b);
	int r = virtio_is_broken(b->d) ? -EIO : -EBUSY;

	if (s) {
		s->rq = rq;
		r = slot_queue(b, s);
		if (r < 0)
			slot_give(b, s);
		else if (virtqueue_kick_prepare(b->vq))
			__atomic_store_n(&b->tell, true, __ATOMIC_RELAXED);
	}
	b->full |= r == -EBUSY;
	spin_unlock_irqrestore(&b->lock, f);
	return r;
}

static void vblk_kick(struct blkdev *d)
{
	struct vblk *b = vblk_of(d);

	if (__atomic_exchange_n(&b->tell, false, __ATOMIC_RELAXED))
		virtqueue_notify(b->vq);
}

static int status_errno(u8 status)
{
	switch (status) {
	case S_OK:
		return 0;
	case S_UNSUPP:
		return -EOPNOTSUPP;
	case S_IOERR:
		return -EIO;
	}
	counter_bump(virtio_blk_bad_status);
	return -EIO;
}

/* Move what the device finished (or, broken, will never finish) to done. Lock held. */
static void vblk_reap_locked(struct vblk *b, struct list *done)
{
	struct slot *s;
	u32 len;

	do {
		while ((s = virtqueue_get(b->vq, &len)) != NULL) {
			if (s->rq) {
				s->rq->status = status_errno(READ_ONCE(s->status));
				list_append(done, &s->rq->link);
			} else if (READ_ONCE(s->status) == S_OK) {
				memcpy(b->blkdev.serial, b->id, ID_LEN);
			}
			slot_give(b, s);
		}
	} while (virtqueue_irq_enable(b->vq) && !virtio_is_broken(b->d));
	if (!virtio_is_broken(b->d))
		return;
	while ((s = virtqueue_detach(b->vq)) != NULL) {
		if (s->rq) {
			s->rq->status = -EIO;
			list_append(done, &s->rq->link);
		}
		slot_give(b, s);
	}
}

static void vblk_reap(struct vblk *b)
{
	struct list done = LIST_INIT(done), *l;
	irq_flags_t f = spin_lock_irqsave(&b->lock);

	vblk_reap_locked(b, &done);
	bool space = b->full;

	b->full = false;
	spin_unlock_irqrestore(&b->lock, f);
	virtio_report(b->d, b->blkdev.name);
	while ((l = list_pop(&done)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		rq->done(rq);
	}
	if (space && blkdev_on_space)
		blkdev_on_space(&b->blkdev);
}

static void vblk_on_used(struct virtqueue *vq) { vblk_reap(vq->arg); }
static void vblk_on_config(struct virtio_device *d)
{
	if (virtio_is_broken(d))
		vblk_reap(d->driver);
}

/* What the device says of itself, checked. */
static int vblk_read_config(struct vblk *b)
{
	struct virtio_device *d = b->d;
	struct blkdev *bd = &b->blkdev;

	bd->nsectors = virtio_config_u64(d, CFG_CAPACITY);
	bd->block_size = virtio_has(d, F_BLK_SIZE) ? virtio_config_u32(d, CFG_BLK_SIZE) : 512;
	bd->max_segs = virtio_has(d, F_SEG_MAX) ? virtio_config_u32(d, CFG_SEG_MAX) : 1;
	bd->max_seg_len = virtio_has(d, F_SIZE_MAX) ? virtio_config_u32(d, CFG_SIZE_MAX) : SEG_LEN_MAX;
	if (bd->nsectors > 1ull << 53 || !IS_POW2(bd->block_size) || bd->block_size < 512 || bd->block_size > PAGE_SIZE ||
	    bd->max_segs == 0 || bd->max_seg_len < PAGE_SIZE) {
		log_error("virtio-blk: cannot use capacity %llu, block size %u, %u segments of %u bytes\n",
			  (unsigned long long)bd->nsectors, bd->block_size, bd->max_segs, bd->max_seg_len);
		return -EINVAL;
	}
	bd->max_segs = MIN(bd->max_segs, MAX_SEGS);
	bd->max_seg_len = ROUND_DOWN(MIN(bd->max_seg_len, SEG_LEN_MAX), 512u);
	bd->nsectors = ROUND_DOWN(bd->nsectors, bd->block_size / 512);
	bd->readonly = virtio_has(d, F_RO);
	bd->has_flush = virtio_has(d, F_FLUSH);
	bd->max_discard = virtio_has(d, F_DISCARD) ? virtio_config_u32(d, CFG_MAX_DISCARD) : 0;
	bd->has_discard = bd->max_discard > 0;
	return 0;
}

static int vblk_alloc_slots(struct vblk *b)
{
	b->slots = heap_alloc_array(NSLOTS, sizeof(*b->slots));
	if (!b->slots)
		return -ENOMEM;
	b->free_slot = NSLOTS;
	for (unsigned i = NSLOTS; i-- > 0;)
		slot_give(b, &b->slots[i]);
	return 0;
}

/* Ask for the serial number. It needs no kick of its own: the answer comes with that to the first request. */
static void vblk_ask_id(struct vblk *b)
{
	struct slot *s = slot_take(b);

	s->header.type = T_GET_ID;
	s->status = S_NONE;
	struct virtio_buf bufs[] = {
		{ slot_pa(s, offsetof(struct slot, header)), sizeof(s->header) },
		{ arch_virt_to_phys(b->id), ID_LEN },
		{ slot_pa(s, offsetof(struct slot, status)), 1 },
	};
	if (virtqueue_add(b->vq, bufs, 1, 2, s) < 0)
		slot_give(b, s);
}

static const struct blkdev_ops vblk_ops = { .submit = vblk_submit, .kick = vblk_kick };

static int vblk_init(struct vblk *b)
{
	struct virtio_device *d = b->d;
	int r = virtio_negotiate(d, F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_DISCARD | VIRTIO_F_INDIRECT_DESC);

	if (r == 0)
		r = vblk_read_config(b);
	if (r == 0)
		r = vblk_alloc_slots(b);
	if (r == 0)
		r = virtio_irq_setup(d, 1, false);
	if (r == 0)
		r = virtio_queue_setup(d, 0, RING_SIZE, vblk_on_used, b, &b->vq);
	if (r < 0)
		return r;
	/* A chain must fit in the ring in the worst case, that of no memory for a table. */
	if (b->vq->size < 3)
		return -EINVAL;
	b->blkdev.max_segs = MIN(b->blkdev.max_segs, b->vq->size - 2u);
	return 0;
}

static void vblk_free(struct vblk *b)
{
	struct slot *s;

	if (b->d) {
		virtio_stop(b->d);
		while (b->vq && (s = virtqueue_detach(b->vq)) != NULL)
			slot_give(b, s);
	}
	virtio_close(b->d);
	heap_free(b->slots);
	heap_free(b);
}

static int vblk_probe(struct device *dev)
{
	if (!virtio_match(dev, VIRTIO_ID_BLOCK))
		return -ENODEV;
	struct vblk *b = heap_alloc(sizeof(*b));

	if (!b)
		return -ENOMEM;
	int r = virtio_open(dev, VIRTIO_ID_BLOCK, &b->d);

	if (r == 0) {
		b->d->driver = b;
		b->d->on_config = vblk_on_config;
		spin_init(&b->lock);
		b->blkdev.ops = &vblk_ops;
		r = vblk_init(b);
	}
	if (r < 0) {
		vblk_free(b);
		return r;
	}
	dev->driver_state = b;
	blkdev_register(&b->blkdev);
	virtio_start(b->d);
	virtqueue_irq_enable(b->vq);
	vblk_ask_id(b);
	return 0;
}

static void vblk_remove(struct device *dev)
{
	struct vblk *b = dev->driver_state;

	blkdev_unregister(&b->blkdev);
	heap_free(b->blkdev.queue);
	vblk_free(b);
}

const struct driver driver_virtio_blk = { .name = "virtio-blk", .probe = vblk_probe, .remove = vblk_remove };
