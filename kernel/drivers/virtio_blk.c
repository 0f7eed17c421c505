/*
 * virtio_blk.c - block devices (virtio 1.2, section 5.2).
 *
 * A queue for each CPU, as far as the device has them, each with slots of its own. A request is a chain: header,
 * data segments of it and of what was merged with it, status byte; through an indirect table when there are more
 * than two segments, so that long requests do not eat the ring.
 *
 * Invariants:
 *  1. A slot belongs to a request from submit to completion; slots that are free are on the list
 *     that starts at free_slot.
 *  2. full is set when a submission was refused, and on_space is called once room is there again.
 *
 * Locks: a queue's lock (irq-safe): queue and slots. done and on_space are called without it.
 * Can fail: the device: an unknown status is -EIO; a broken device, and one that lets a request's time run out, fails all
 * in flight with -EIO.
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
#define F_MQ       (1ull << 12)
#define F_DISCARD  (1ull << 13)
#define F_ZEROES   (1ull << 14)

enum { CFG_CAPACITY = 0, CFG_SIZE_MAX = 8, CFG_SEG_MAX = 12, CFG_BLK_SIZE = 20, CFG_NUM_QUEUES = 34, CFG_MAX_DISCARD = 36, CFG_MAX_ZEROES = 48 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_ZEROES = 13 };
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
	} range;                     /* discard, zeroes */
	u8 status;                   /* the device writes it */
	u8 next;                     /* free list */
	bool taken;
	u32 looks;                   /* the device's when it began */
	struct virtq_desc *table;    /* indirect, NULL */
	struct blk_request *rq;      /* NULL: the question for the serial number */
};

struct vblk_queue {
	struct vblk *b;
	struct virtqueue *vq;
	struct spinlock lock;
	struct slot *slots;
	unsigned free_slot;          /* NSLOTS: none */
	bool full;
	bool tell;                   /* atomic: the device is to be told of requests */
};

struct vblk {
	struct blkdev blkdev;
	struct virtio_device *d;
	u8 id[ID_LEN];               /* the device writes it, once */
	unsigned nqueues;
	struct vblk_queue queues[];
};

static struct vblk *vblk_of(struct blkdev *d) { return container_of(d, struct vblk, blkdev); }

static struct slot *slot_take(struct vblk_queue *q)
{
	struct slot *s = q->free_slot < NSLOTS ? &q->slots[q->free_slot] : NULL;

	if (s) {
		q->free_slot = s->next;
		s->taken = true;
		s->looks = q->b->blkdev.looks;
	}
	return s;
}

static void slot_give(struct vblk_queue *q, struct slot *s)
{
	heap_free(s->table);
	s->table = NULL;
	s->rq = NULL;
	s->taken = false;
	s->next = (u8)q->free_slot;
	q->free_slot = (unsigned)(s - q->slots);
}

static phys_t slot_pa(const struct slot *s, size_t member) { return arch_virt_to_phys(s) + member; }
static bool is_range(const struct blk_request *rq) { return rq->op == BLK_DISCARD || rq->op == BLK_WRITE_ZEROES; }

/* The chain of a request in bufs: nout for the device to read, then nin to write. */
static void chain_build(struct slot *s, struct virtio_buf *bufs, unsigned *ret_nout, unsigned *ret_nin)
{
	struct blk_request *rq = s->rq;
	unsigned n = 0, nin = 1;

	bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, header)), sizeof(s->header) };
	if (is_range(rq)) {
		bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, range)), sizeof(s->range) };
	} else {
		for (const struct blk_request *m = rq; m; m = m->merged)
			for (unsigned i = 0; i < m->nsegs; i++)
				bufs[n++] = (struct virtio_buf){ m->segs[i].pa, m->segs[i].len };
		if (rq->op == BLK_READ)
			nin = n;             /* all but the header, and the status */
	}
	bufs[n++] = (struct virtio_buf){ slot_pa(s, offsetof(struct slot, status)), 1 };
	*ret_nin = nin;
	*ret_nout = n - nin;
}

static int slot_queue(struct vblk_queue *q, struct slot *s)
{
	static const u8 types[BLK_OPS] = { [BLK_READ] = T_IN, [BLK_WRITE] = T_OUT, [BLK_FLUSH] = T_FLUSH, [BLK_DISCARD] = T_DISCARD,
					   [BLK_WRITE_ZEROES] = T_ZEROES };
	struct virtio_buf bufs[MAX_SEGS + 2] NO_AUTO_INIT;
	struct blk_request *rq = s->rq;
	unsigned nout, nin;

	s->header.type = types[rq->op];
	s->header.reserved = 0;
	s->header.sector = rq->op == BLK_READ || rq->op == BLK_WRITE ? rq->sector : 0;
	s->status = S_NONE;
	if (is_range(rq)) {
		s->range.sector = rq->sector;
		s->range.nsectors = rq->segs[0].len / 512;
		s->range.flags = 0;
		if (s->range.nsectors > (rq->op == BLK_DISCARD ? q->b->blkdev.max_discard : q->b->blkdev.max_zeroes))
			return -EINVAL;
	}
	chain_build(s, bufs, &nout, &nin);
	if (nout + nin > DIRECT_SEGS + 2 && virtio_has(q->b->d, VIRTIO_F_INDIRECT_DESC) && nout + nin <= q->vq->size) {
		s->table = heap_alloc((nout + nin) * sizeof(*s->table));
		if (s->table)
			return virtqueue_add_indirect(q->vq, s->table, bufs, nout, nin, s);
	}
	return virtqueue_add(q->vq, bufs, nout, nin, s);
}

static int vblk_submit(struct blkdev *d, struct blk_request *rq)
{
	struct vblk *b = vblk_of(d);
	struct vblk_queue *q = &b->queues[rq->queue];
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	struct slot *s = slot_take(q);
	int r = virtio_is_broken(b->d) ? -EIO : -EBUSY;

	if (s) {
		s->rq = rq;
		r = slot_queue(q, s);
		if (r < 0)
			slot_give(q, s);
		else if (virtqueue_kick_prepare(q->vq))
			__atomic_store_n(&q->tell, true, __ATOMIC_RELAXED);
	}
	q->full |= r == -EBUSY;
	spin_unlock_irqrestore(&q->lock, f);
	blkdev_watch(d);
	return r;
}

static void vblk_kick(struct blkdev *d, unsigned queue)
{
	struct vblk_queue *q = &vblk_of(d)->queues[queue];

	if (__atomic_exchange_n(&q->tell, false, __ATOMIC_RELAXED))
		virtqueue_notify(q->vq);
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
static void vblk_reap_locked(struct vblk_queue *q, struct list *done)
{
	struct vblk *b = q->b;
	struct slot *s;
	u32 len;

	do {
		while ((s = virtqueue_get(q->vq, &len)) != NULL) {
			if (s->rq) {
				s->rq->status = status_errno(READ_ONCE(s->status));
				list_append(done, &s->rq->link);
			} else if (READ_ONCE(s->status) == S_OK) {
				memcpy(b->blkdev.serial, b->id, ID_LEN);
			}
			slot_give(q, s);
		}
	} while (virtqueue_irq_enable(q->vq) && !virtio_is_broken(b->d));
	if (!virtio_is_broken(b->d))
		return;
	while ((s = virtqueue_detach(q->vq)) != NULL) {
		if (s->rq) {
			s->rq->status = -EIO;
			list_append(done, &s->rq->link);
		}
		slot_give(q, s);
	}
}

static void queue_reap(struct vblk_queue *q)
{
	struct vblk *b = q->b;
	struct list done = LIST_INIT(done), *l;
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	vblk_reap_locked(q, &done);
	bool space = q->full;

	q->full = false;
	spin_unlock_irqrestore(&q->lock, f);
	virtio_report(b->d, b->blkdev.name);
	while ((l = list_pop(&done)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		blkdev_done(&b->blkdev, rq, rq->status);
	}
	if (space)
		blkdev_on_space(&b->blkdev, (unsigned)(q - b->queues));
}

/* A broken device is broken for all: its other queues will not hear from it any more. */
static void vblk_reap_all(struct vblk *b)
{
	for (unsigned i = 0; i < b->nqueues; i++)
		queue_reap(&b->queues[i]);
}

static void vblk_on_used(struct virtqueue *vq)
{
	struct vblk_queue *q = vq->arg;

	queue_reap(q);
	if (unlikely(virtio_is_broken(q->b->d)))
		vblk_reap_all(q->b);
}

static void vblk_on_config(struct virtio_device *d)
{
	if (virtio_is_broken(d))
		vblk_reap_all(d->driver);
}

/* Is something under way, and for too long? */
static bool queue_look(struct vblk_queue *q, bool *late)
{
	bool busy = false;
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	for (unsigned i = 0; i < NSLOTS; i++) {
		if (!q->slots[i].taken)
			continue;
		/* The question for the serial number is nobody's; it may lie there untold until the first request. */
		busy |= q->slots[i].rq != NULL;
		*late |= q->slots[i].rq && blkdev_is_late(&q->b->blkdev, q->slots[i].looks);
	}
	spin_unlock_irqrestore(&q->lock, f);
	return busy;
}

static COLD bool vblk_watch(struct blkdev *d)
{
	struct vblk *b = vblk_of(d);
	bool busy = false, late = false;

	for (unsigned i = 0; i < b->nqueues; i++)
		busy |= queue_look(&b->queues[i], &late);
	if (!late)
		return busy;
	virtio_break(b->d, "a request was not answered in time");
	vblk_reap_all(b);
	return false;
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
	bd->max_zeroes = virtio_has(d, F_ZEROES) ? virtio_config_u32(d, CFG_MAX_ZEROES) : 0;
	bd->merges = true;
	return 0;
}

static int vblk_queue_setup(struct vblk *b, unsigned i)
{
	struct vblk_queue *q = &b->queues[i];
	int r;

	q->b = b;
	spin_init(&q->lock);
	q->slots = heap_alloc_array(NSLOTS, sizeof(*q->slots));
	if (!q->slots)
		return -ENOMEM;
	q->free_slot = NSLOTS;
	for (unsigned k = NSLOTS; k-- > 0;)
		slot_give(q, &q->slots[k]);
	r = virtio_queue_setup(b->d, i, RING_SIZE, vblk_on_used, q, &q->vq);
	if (r < 0)
		return r;
	/* A chain must fit in the ring in the worst case, that of no memory for a table. */
	if (q->vq->size < 3)
		return -EINVAL;
	b->blkdev.max_segs = MIN(b->blkdev.max_segs, q->vq->size - 2u);
	return 0;
}

/* Ask for the serial number. It needs no kick of its own: the answer comes with that to the first request. */
static void vblk_ask_id(struct vblk *b)
{
	struct vblk_queue *q = &b->queues[0];
	struct slot *s = slot_take(q);

	s->header.type = T_GET_ID;
	s->status = S_NONE;
	struct virtio_buf bufs[] = {
		{ slot_pa(s, offsetof(struct slot, header)), sizeof(s->header) },
		{ arch_virt_to_phys(b->id), ID_LEN },
		{ slot_pa(s, offsetof(struct slot, status)), 1 },
	};
	if (virtqueue_add(q->vq, bufs, 1, 2, s) < 0)
		slot_give(q, s);
}

static const struct blkdev_ops vblk_ops = { .submit = vblk_submit, .kick = vblk_kick, .watch = vblk_watch };

/* How many queues to use: a device may say anything. */
static unsigned queues_wanted(struct virtio_device *d)
{
	unsigned n = virtio_has(d, F_MQ) ? virtio_config_u16(d, CFG_NUM_QUEUES) : 1;

	n = MIN(n, arch_cpu_count());
	n = MIN(n, VIRTIO_MAX_QUEUES);
	return MAX(n, 1u);
}

static int vblk_init(struct vblk *b)
{
	struct virtio_device *d = b->d;
	int r = vblk_read_config(b);

	d->irq_per_cpu = true;
	if (r == 0)
		r = virtio_irq_setup(d, b->nqueues, false);
	for (unsigned i = 0; r == 0 && i < b->nqueues; i++)
		r = vblk_queue_setup(b, i);
	return r;
}

static COLD void vblk_free(struct vblk *b)
{
	struct slot *s;

	virtio_stop(b->d);
	for (unsigned i = 0; i < b->nqueues; i++) {
		struct vblk_queue *q = &b->queues[i];

		while (q->vq && (s = virtqueue_detach(q->vq)) != NULL)
			slot_give(q, s);
	}
	virtio_close(b->d);
	for (unsigned i = 0; i < b->nqueues; i++)
		heap_free(b->queues[i].slots);
	heap_free(b);
}

static int vblk_open(struct virtio_device *d, struct vblk **ret)
{
	int r = virtio_negotiate(d, F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_MQ | F_DISCARD | F_ZEROES | VIRTIO_F_INDIRECT_DESC);
	unsigned n = r == 0 ? queues_wanted(d) : 0;
	struct vblk *b = r == 0 ? heap_alloc(sizeof(*b) + n * sizeof(b->queues[0])) : NULL;

	if (!b) {
		virtio_close(d);
		return r < 0 ? r : -ENOMEM;
	}
	b->d = d;
	d->driver = b;
	b->nqueues = n;
	b->blkdev.nqueues = (u16)n;
	b->blkdev.ops = &vblk_ops;
	r = vblk_init(b);
	if (r < 0)
		vblk_free(b);
	*ret = b;
	return r;
}

static COLD int vblk_probe(struct device *dev)
{
	struct virtio_device *d;
	struct vblk *b;
	int r = virtio_open(dev, VIRTIO_ID_BLOCK, &d);

	if (r == 0)
		r = vblk_open(d, &b);
	if (r < 0)
		return r;
	dev->driver_state = b;
	blkdev_register(&b->blkdev);
	d->on_config = vblk_on_config;
	virtio_start(d);
	for (unsigned i = 0; i < b->nqueues; i++)
		virtqueue_irq_enable(b->queues[i].vq);
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
