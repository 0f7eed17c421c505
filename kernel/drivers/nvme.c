/*
 * nvme.c - NVM Express disks on PCI (NVM Express 1.4): the first namespace of a controller is a block device.
 *
 * The admin queue is used at probe and by a reset only, and polled. Then there is a pair of queues for each CPU, as far as the controller
 * grants them, each with an interrupt (MSI-X) and with slots of its own; a command's identifier is its slot. Where the
 * data lies is said by PRP entries, so segments inside a request begin and end at pages (blkdev.h: page_segs).
 *
 * Invariants:
 *  1. A slot belongs to a request from submit to completion; slots that are free are on the list that starts at free_slot.
 *  2. There are fewer slots than entries in a queue: neither ring can overflow.
 *  3. Nothing that decides what this side touches is read from the rings but a completion's identifier, which must
 *     be that of a slot in use.
 *
 * Locks: a queue's lock (irq-safe): rings and slots. done and on_space are called without it.
 * Can fail: the controller. What it says of itself is checked at probe. A fatal status or a request that was not answered in
 * time halt it: it is switched off, a thread starts it again, and what was under way is begun again, once. A completion that
 * cannot be, or a reset that fails, end it: everything is -EIO from then on.
 */
#include "drivers/nvme.h"

#include "arch/spinlock.h"
#include "base/counter.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/blkdev.h"
#include "dev/pci.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/thread.h"

COUNTER(nvme_broken);
COUNTER(nvme_resets);

#define QUEUES_MAX   16u
#define DEPTH        64u             /* entries: the commands fill a page */
#define NSLOTS       32u
#define ADMIN_DEPTH  8u
#define LIST_ENTRIES 64u             /* PRP entries of a slot, beside the first */
#define LEN_MAX      (LIST_ENTRIES * (u32)PAGE_SIZE)
#define LISTS_ORDER  2u
#define DISCARD_MAX  (1u << 21)      /* sectors */
#define ADMIN_WAIT_NS (10 * NSEC_PER_SEC)
_Static_assert(NSLOTS * LIST_ENTRIES * sizeof(u64) == PAGE_SIZE << LISTS_ORDER, "a queue's lists");

struct nvme;

struct nvme_slot {
	struct blk_request *rq;      /* NULL: free */
	u32 looks;                   /* the device's when it began */
	u8 next;                     /* free list */
};

struct nvme_queue {
	struct nvme *n;
	struct spinlock lock;
	struct nvme_cmd *sq;
	struct nvme_cqe *cq;         /* the controller writes it */
	volatile u8 *sq_bell, *cq_bell;
	u16 id, depth;
	u16 tail, rung, head;
	u8 phase;
	u8 free_slot;                /* NSLOTS: none */
	bool full;
	bool bound;                  /* to its interrupt */
	u64 *lists;                  /* LIST_ENTRIES for each slot */
	struct nvme_slot slots[NSLOTS];
};

/* A halted controller waits for its reset. */
enum nvme_state { NVME_WORKS, NVME_HALTED, NVME_DEAD };

struct nvme {
	struct blkdev blkdev;
	struct device *dev;
	struct pci_bars bars;
	struct pci_msix msix;
	volatile u8 *regs;
	u64 cap;
	u32 nsid;
	u8 block_shift;              /* sectors to blocks */
	u8 state, reported;          /* atomic: enum nvme_state */
	const char *broken_why;
	struct thread *fixer;        /* NULL while it is probed */
	struct waitq fix_waitq;
	bool stop;
	unsigned nqueues;
	struct nvme_queue admin;     /* no slots */
	struct nvme_queue *queues;
};

static u32 reg_read(const struct nvme *n, unsigned off) { return *(volatile u32 *)(volatile void *)(n->regs + off); }
static void reg_write(const struct nvme *n, unsigned off, u32 v) { *(volatile u32 *)(volatile void *)(n->regs + off) = v; }
static void bell_ring(volatile u8 *bell, u32 v) { *(volatile u32 *)(volatile void *)bell = v; }

static u64 reg_read64(const struct nvme *n, unsigned off) { return reg_read(n, off) | (u64)reg_read(n, off + 4) << 32; }
static void reg_write64(const struct nvme *n, unsigned off, u64 v)
{
	reg_write(n, off, (u32)v);
	reg_write(n, off + 4, (u32)(v >> 32));
}

static struct nvme *nvme_of(struct blkdev *d) { return container_of(d, struct nvme, blkdev); }
static enum nvme_state state_of(const struct nvme *n) { return __atomic_load_n(&n->state, __ATOMIC_ACQUIRE); }
static bool is_broken(const struct nvme *n) { return state_of(n) != NVME_WORKS; }

/* Off: no interrupt, no access to memory. Any context, locks may be held. */
static void nvme_break(struct nvme *n, enum nvme_state state, const char *why)
{
	enum nvme_state was = __atomic_exchange_n(&n->state, (u8)state, __ATOMIC_ACQ_REL);

	if (was == NVME_DEAD)
		__atomic_store_n(&n->state, (u8)was, __ATOMIC_RELEASE);
	if (was != NVME_WORKS)
		return;
	n->broken_why = why;
	counter_bump(nvme_broken);
	reg_write(n, NVME_CC, 0);
	pci_write(n->dev, PCI_COMMAND, 2, pci_read(n->dev, PCI_COMMAND, 2) & ~(u32)PCI_COMMAND_MASTER);
}

/* No lock held. */
static void nvme_report(struct nvme *n)
{
	enum nvme_state state = state_of(n);

	if (state == NVME_WORKS || __atomic_exchange_n(&n->reported, (u8)state, __ATOMIC_RELAXED) == state)
		return;
	log_error("%s: %s: %s\n", n->blkdev.name, state == NVME_DEAD ? "disabled" : "reset", n->broken_why);
	waitq_wake_all(&n->fix_waitq);
}

/* ---- Requests ---- */

/* The data's pages: the first in prp1; the second, or a list of them, in prp2. -EINVAL: more than the list takes. */
static int prps_build(u64 *list, const struct blk_request *rq, struct nvme_cmd *c)
{
	unsigned n = 0;

	for (; rq; rq = rq->merged)
		for (unsigned i = 0; i < rq->nsegs; i++) {
			phys_t at = rq->segs[i].pa;
			u64 left = rq->segs[i].len + (at & (PAGE_SIZE - 1));   /* from the begin of its page */

			if (at & 3)
				return -EINVAL;
			for (; left; at = ROUND_DOWN(at, PAGE_SIZE) + PAGE_SIZE, n++) {
				left -= MIN(left, PAGE_SIZE);
				if (n == 0)
					c->prp1 = at;
				else if (n <= LIST_ENTRIES)
					list[n - 1] = at;
				else
					return -EINVAL;
			}
		}
	c->prp2 = n < 2 ? 0 : n == 2 ? list[0] : arch_virt_to_phys(list);
	return 0;
}

static u64 sectors_of(const struct blk_request *rq)
{
	u64 n = 0;

	for (; rq; rq = rq->merged)
		for (unsigned i = 0; i < rq->nsegs; i++)
			n += rq->segs[i].len / 512;
	return n;
}

static int command_build(struct nvme *n, u64 *list, const struct blk_request *rq, struct nvme_cmd *c)
{
	static const u8 opcodes[BLK_OPS] = { [BLK_READ] = NVME_CMD_READ, [BLK_WRITE] = NVME_CMD_WRITE, [BLK_FLUSH] = NVME_CMD_FLUSH,
					     [BLK_DISCARD] = NVME_CMD_DSM, [BLK_WRITE_ZEROES] = NVME_CMD_ZEROES };
	u64 block = rq->sector >> n->block_shift, nblocks = sectors_of(rq) >> n->block_shift;

	c->opcode = opcodes[rq->op];
	c->nsid = n->nsid;
	switch (rq->op) {
	case BLK_FLUSH:
		return 0;
	case BLK_DISCARD: {
		struct nvme_dsm_range *range = (void *)list;

		*range = (struct nvme_dsm_range){ .nblocks = (u32)nblocks, .block = block };
		c->prp1 = arch_virt_to_phys(range);
		c->cdw11 = NVME_DSM_DEALLOCATE;
		return 0;
	}
	default:
		c->cdw10 = (u32)block;
		c->cdw11 = (u32)(block >> 32);
		c->cdw12 = (u32)nblocks - 1;
		if (nblocks - 1 > 0xffff)
			return -EINVAL;
		return rq->op == BLK_WRITE_ZEROES ? 0 : prps_build(list, rq, c);
	}
}

/* A command takes its place in the ring; the controller hears of it with the bell. Lock held. */
static void command_put(struct nvme_queue *q, const struct nvme_cmd *c)
{
	q->sq[q->tail] = *c;
	q->tail = q->tail + 1 == q->depth ? 0 : (u16)(q->tail + 1);
}

static int nvme_submit(struct blkdev *d, struct blk_request *rq)
{
	struct nvme *n = nvme_of(d);
	struct nvme_queue *q = &n->queues[rq->queue];
	irq_flags_t f = spin_lock_irqsave(&q->lock);
	u8 k = q->free_slot;
	enum nvme_state state = state_of(n);
	int r = state == NVME_DEAD ? -EIO : state == NVME_HALTED || k == NSLOTS ? -EBUSY : 0;

	if (r == 0) {
		struct nvme_cmd c = { .cid = k };

		r = command_build(n, q->lists + k * LIST_ENTRIES, rq, &c);
		if (r == 0) {
			q->free_slot = q->slots[k].next;
			q->slots[k].rq = rq;
			q->slots[k].looks = d->looks;
			command_put(q, &c);
		}
	}
	q->full |= r == -EBUSY;
	spin_unlock_irqrestore(&q->lock, f);
	blkdev_watch(d);
	return r;
}

static void nvme_kick(struct blkdev *d, unsigned queue)
{
	struct nvme_queue *q = &nvme_of(d)->queues[queue];
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	if (q->rung != q->tail && !is_broken(q->n)) {
		q->rung = q->tail;
		__atomic_thread_fence(__ATOMIC_RELEASE);
		bell_ring(q->sq_bell, q->tail);
	}
	spin_unlock_irqrestore(&q->lock, f);
}

/* ---- Completions ---- */

static int status_errno(u16 status)
{
	unsigned code = status >> 1 & 0x7ff;   /* status code and its type */

	return code == 0 ? 0 : code == 1 ? -EOPNOTSUPP : -EIO;
}

static void slot_end(struct nvme_queue *q, unsigned k, int status, struct list *done)
{
	struct nvme_slot *s = &q->slots[k];

	s->rq->status = status;
	list_append(done, &s->rq->link);
	s->rq = NULL;
	s->next = q->free_slot;
	q->free_slot = (u8)k;
}

/* The next completion of a ring; false if there is none. */
static bool cqe_take(struct nvme_queue *q, struct nvme_cqe *ret)
{
	struct nvme_cqe *e = &q->cq[q->head];
	u16 status = __atomic_load_n(&e->status, __ATOMIC_ACQUIRE);

	if ((status & 1) != q->phase)
		return false;
	*ret = (struct nvme_cqe){ .cid = READ_ONCE(e->cid), .sq_id = READ_ONCE(e->sq_id), .result = READ_ONCE(e->result), .status = status };
	if (++q->head == q->depth) {
		q->head = 0;
		q->phase ^= 1;
	}
	return true;
}

/* Move what the controller finished (or, dead, will never finish) to done. Lock held. */
static void queue_reap_locked(struct nvme_queue *q, struct list *done)
{
	struct nvme *n = q->n;
	struct nvme_cqe e;
	bool any = false;

	while (!is_broken(n) && cqe_take(q, &e)) {
		any = true;
		if (e.cid >= NSLOTS || !q->slots[e.cid].rq || e.sq_id != q->id)
			nvme_break(n, NVME_DEAD, "a completion of a command that was not given");
		else
			slot_end(q, e.cid, status_errno(e.status), done);
	}
	if (!is_broken(n) && any)
		bell_ring(q->cq_bell, q->head);
	if (state_of(n) != NVME_DEAD)
		return;
	for (unsigned k = 0; k < NSLOTS; k++)
		if (q->slots[k].rq)
			slot_end(q, k, -EIO, done);
}

static void queue_reap(struct nvme_queue *q)
{
	struct list done = LIST_INIT(done), *l;
	struct blkdev *d = &q->n->blkdev;
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	queue_reap_locked(q, &done);
	bool space = q->full;

	q->full = false;
	spin_unlock_irqrestore(&q->lock, f);
	nvme_report(q->n);
	while ((l = list_pop(&done)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		blkdev_done(d, rq, rq->status);
	}
	if (space)
		blkdev_on_space(d, q->id - 1u);
}

static void reap_all(struct nvme *n)
{
	for (unsigned i = 0; i < n->nqueues; i++)
		queue_reap(&n->queues[i]);
}

static void queue_irq(void *arg)
{
	struct nvme_queue *q = arg;

	/* A removed controller's interrupt is bound to nothing. */
	if (!q->n)
		return;
	queue_reap(q);
	if (unlikely(is_broken(q->n)))
		reap_all(q->n);
}

/* Is something under way, and for too long? */
static bool queue_look(struct nvme_queue *q, bool *late)
{
	bool busy = false;
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	for (unsigned k = 0; k < NSLOTS; k++) {
		if (!q->slots[k].rq)
			continue;
		busy = true;
		*late |= blkdev_is_late(&q->n->blkdev, q->slots[k].looks);
	}
	spin_unlock_irqrestore(&q->lock, f);
	return busy;
}

static bool nvme_watch(struct blkdev *d)
{
	struct nvme *n = nvme_of(d);
	bool busy = false, late = false;

	for (unsigned i = 0; i < n->nqueues; i++)
		busy |= queue_look(&n->queues[i], &late);
	if (late)
		nvme_break(n, NVME_HALTED, "a request was not answered in time");
	else if (busy && reg_read(n, NVME_CSTS) & NVME_CSTS_CFS)
		nvme_break(n, NVME_HALTED, "the controller reports a fatal error");
	if (!is_broken(n))
		return busy;
	reap_all(n);
	return false;
}

static const struct blkdev_ops nvme_ops = { .submit = nvme_submit, .kick = nvme_kick, .watch = nvme_watch };

/* ---- Setting up ---- */

static void *ring_alloc(void)
{
	struct page *p = page_alloc(0, PAGE_ZERO);

	return p ? page_to_virt(p) : NULL;
}

static int queue_alloc(struct nvme *n, struct nvme_queue *q, unsigned id, unsigned depth)
{
	unsigned stride = 4u << NVME_CAP_DSTRD(n->cap);

	q->n = n;
	q->id = (u16)id;
	q->depth = (u16)depth;
	q->phase = 1;
	q->free_slot = NSLOTS;
	spin_init(&q->lock);
	q->sq = ring_alloc();
	q->cq = ring_alloc();
	q->sq_bell = pci_bar_map(n->dev, &n->bars, 0, NVME_BELLS + 2 * id * stride, 4);
	q->cq_bell = pci_bar_map(n->dev, &n->bars, 0, NVME_BELLS + (2 * id + 1) * stride, 4);
	if (!q->sq_bell || !q->cq_bell)
		return -EIO;
	return q->sq && q->cq ? 0 : -ENOMEM;
}

static int slots_alloc(struct nvme_queue *q)
{
	struct page *p = page_alloc(LISTS_ORDER, 0);

	if (!p)
		return -ENOMEM;
	q->lists = page_to_virt(p);
	for (unsigned k = MIN(NSLOTS, q->depth - 1u); k-- > 0;) {
		q->slots[k].next = q->free_slot;
		q->free_slot = (u8)k;
	}
	return 0;
}

static void queue_free(struct nvme_queue *q)
{
	if (q->sq)
		page_put(virt_to_page(q->sq));
	if (q->cq)
		page_put(virt_to_page(q->cq));
	if (q->lists)
		page_free(virt_to_page(q->lists), LISTS_ORDER);
	q->n = NULL;
}

/* Between two looks at the controller: at boot nobody else has anything to do. */
static void look_again(const struct nvme *n)
{
	if (n->fixer)
		(void)sched_sleep_until(arch_clock_mono_ns() + NSEC_PER_MSEC, false);
	else
		arch_cpu_relax();
}

/* Wait until the controller is ready, or not. -EIO: it does not get there in the time that it asks for itself. */
static int ready_wait(const struct nvme *n, bool ready)
{
	u64 end = arch_clock_mono_ns() + (NVME_CAP_TO(n->cap) + 1) * (NSEC_PER_SEC / 2);

	for (;;) {
		u32 status = reg_read(n, NVME_CSTS);

		if (status == ~0u || (ready && status & NVME_CSTS_CFS))
			return -EIO;
		if (!(status & NVME_CSTS_RDY) == !ready)
			return 0;
		if (arch_clock_mono_ns() > end)
			return -EIO;
		look_again(n);
	}
}

/* A queue as it is before its first command. */
static void queue_rewind(struct nvme_queue *q)
{
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	q->tail = q->rung = q->head = 0;
	q->phase = 1;
	memset(q->cq, 0, PAGE_SIZE);
	spin_unlock_irqrestore(&q->lock, f);
}

/* Off and on, with the admin queue. */
static int controller_enable(struct nvme *n)
{
	reg_write(n, NVME_CC, 0);
	int r = ready_wait(n, false);

	if (r < 0)
		return r;
	queue_rewind(&n->admin);
	reg_write(n, NVME_AQA, (ADMIN_DEPTH - 1) << 16 | (ADMIN_DEPTH - 1));
	reg_write64(n, NVME_ASQ, arch_virt_to_phys(n->admin.sq));
	reg_write64(n, NVME_ACQ, arch_virt_to_phys(n->admin.cq));
	reg_write(n, NVME_CC, NVME_CC_ENABLE);
	return ready_wait(n, true);
}

static int controller_start(struct nvme *n)
{
	int r;

	n->cap = reg_read64(n, NVME_CAP);
	if (n->cap == ~0ull || !NVME_CAP_NVM(n->cap) || NVME_CAP_MPSMIN(n->cap) != 0 || NVME_CAP_MQES(n->cap) + 1 < ADMIN_DEPTH) {
		log_error("nvme: cannot use a controller of capabilities %#llx\n", (unsigned long long)n->cap);
		return -EINVAL;
	}
	r = queue_alloc(n, &n->admin, 0, ADMIN_DEPTH);
	return r < 0 ? r : controller_enable(n);
}

/* One admin command, waited for. */
static int admin_do(struct nvme *n, struct nvme_cmd *c, u32 *ret_result)
{
	struct nvme_queue *q = &n->admin;
	u64 end = arch_clock_mono_ns() + ADMIN_WAIT_NS;
	struct nvme_cqe e;

	c->cid = q->tail;
	command_put(q, c);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	bell_ring(q->sq_bell, q->tail);
	while (!cqe_take(q, &e)) {
		if (arch_clock_mono_ns() > end)
			return -EIO;
		look_again(n);
	}
	bell_ring(q->cq_bell, q->head);
	if (e.cid != c->cid)
		return -EIO;
	if (ret_result)
		*ret_result = e.result;
	return status_errno(e.status);
}

static int identify(struct nvme *n, u32 what, u32 nsid, u8 *page)
{
	struct nvme_cmd c = { .opcode = NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = arch_virt_to_phys(page), .cdw10 = what };

	return admin_do(n, &c, NULL);
}

static u64 field(const u8 *page, unsigned off, unsigned len)
{
	u64 v = 0;

	memcpy(&v, page + off, len);
	return v;
}

static void controller_read(struct nvme *n, const u8 *id)
{
	struct blkdev *d = &n->blkdev;
	unsigned mdts = id[NVME_CTRL_MDTS], oncs = (unsigned)field(id, NVME_CTRL_ONCS, 2), len = NVME_CTRL_SN_LEN;

	memcpy(d->serial, id + NVME_CTRL_SN, len);
	while (len > 0 && (d->serial[len - 1] == ' ' || d->serial[len - 1] == 0))
		d->serial[--len] = 0;
	d->max_len = mdts && mdts < 6 ? (u32)PAGE_SIZE << mdts : LEN_MAX;
	d->max_seg_len = d->max_len;
	d->max_segs = LIST_ENTRIES / 2;
	d->page_segs = d->merges = true;
	d->has_flush = id[NVME_CTRL_VWC] & 1;
	d->has_discard = oncs & NVME_ONCS_DSM;
	d->max_discard = d->has_discard ? DISCARD_MAX : 0;
	d->max_zeroes = oncs & NVME_ONCS_ZEROES ? 0x10000 : 0;
}

static int namespace_read(struct nvme *n, const u8 *id)
{
	struct blkdev *d = &n->blkdev;
	u64 nblocks = field(id, NVME_NS_SIZE, 8);
	u32 format = (u32)field(id, NVME_NS_FORMATS + 4 * (id[NVME_NS_FLBAS] & 15u), 4);
	unsigned shift = format >> 16 & 0xff;

	if ((format & 0xffff) || shift < 9 || shift > PAGE_SHIFT || nblocks == 0 || nblocks > 1ull << (62 - shift)) {
		log_error("nvme: cannot use a namespace of %llu blocks, format %#x\n", (unsigned long long)nblocks, format);
		return -EINVAL;
	}
	n->block_shift = (u8)(shift - 9);
	d->block_size = 1u << shift;
	d->nsectors = nblocks << n->block_shift;
	d->max_zeroes = MIN(d->max_zeroes << n->block_shift, 0x10000u);
	d->readonly = id[NVME_NS_ATTR] & 1;
	return 0;
}

static int controller_identify(struct nvme *n)
{
	u8 *page = ring_alloc();
	int r = page ? identify(n, NVME_ID_CTRL, 0, page) : -ENOMEM;

	if (r == 0) {
		controller_read(n, page);
		r = identify(n, NVME_ID_NS_LIST, 0, page);
	}
	if (r == 0) {
		n->nsid = (u32)field(page, 0, 4);
		if (field(page, 4, 4))
			log_warn("nvme: only the first namespace of a controller is used\n");
		r = n->nsid ? identify(n, NVME_ID_NS, n->nsid, page) : -ENODEV;
	}
	if (r == 0)
		r = namespace_read(n, page);
	if (page)
		page_put(virt_to_page(page));
	return r;
}

static int queue_create(struct nvme *n, struct nvme_queue *q)
{
	unsigned vector, entry = n->msix.count > 1 ? q->id : 0;
	int r = q->bound ? 0 : arch_vector_alloc(queue_irq, q, &vector);

	if (r < 0)
		return r;
	if (!q->bound)
		pci_msix_set(&n->msix, entry, vector, (q->id - 1u) % arch_cpu_count());
	q->bound = true;
	struct nvme_cmd cq = { .opcode = NVME_ADMIN_CREATE_CQ, .prp1 = arch_virt_to_phys(q->cq), .cdw10 = (q->depth - 1u) << 16 | q->id,
			       .cdw11 = entry << 16 | 3 };   /* contiguous, interrupts on */
	struct nvme_cmd sq = { .opcode = NVME_ADMIN_CREATE_SQ, .prp1 = arch_virt_to_phys(q->sq), .cdw10 = (q->depth - 1u) << 16 | q->id,
			       .cdw11 = (u32)q->id << 16 | 1 };

	r = admin_do(n, &cq, NULL);
	return r == 0 ? admin_do(n, &sq, NULL) : r;
}

/* Ask for pairs of queues; as many are granted, or fewer. */
static int queues_ask(struct nvme *n, unsigned *want)
{
	struct nvme_cmd c = { .opcode = NVME_ADMIN_SET_FEATURES, .cdw10 = NVME_FEAT_QUEUES, .cdw11 = (*want - 1) << 16 | (*want - 1) };
	u32 granted = 0;
	int r = admin_do(n, &c, &granted);

	*want = MIN(*want, (granted & 0xffff) + 1);
	*want = MIN(*want, (granted >> 16) + 1);
	return r;
}

static int queues_create(struct nvme *n)
{
	unsigned want = MIN(arch_cpu_count(), QUEUES_MAX), depth = MIN(DEPTH, NVME_CAP_MQES(n->cap) + 1);
	int r = queues_ask(n, &want);

	if (r == 0)
		r = pci_msix_init(n->dev, &n->bars, &n->msix);
	if (r < 0)
		return r == -ENODEV ? -EIO : r;
	if (n->msix.count > 1)
		want = MIN(want, n->msix.count - 1u);
	else
		want = 1;
	n->queues = heap_alloc_array(want, sizeof(*n->queues));
	if (!n->queues)
		return -ENOMEM;
	for (unsigned i = 0; r == 0 && i < want; i++) {
		struct nvme_queue *q = &n->queues[i];

		n->nqueues++;
		r = queue_alloc(n, q, i + 1, depth);
		if (r == 0)
			r = slots_alloc(q);
		if (r == 0)
			r = queue_create(n, q);
	}
	n->blkdev.nqueues = (u16)n->nqueues;
	return r;
}

/* ---- A reset ---- */

/* The controller works again: everything that was under way, of which nobody knows how far it got, leaves its slot. */
static void queue_collect(struct nvme_queue *q, struct list *under_way)
{
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	for (unsigned k = 0; k < NSLOTS; k++)
		if (q->slots[k].rq)
			slot_end(q, k, -EIO, under_way);
	q->full = false;
	spin_unlock_irqrestore(&q->lock, f);
}

static void nvme_reset(struct nvme *n)
{
	struct list under_way = LIST_INIT(under_way), *l;
	struct blkdev *d = &n->blkdev;
	unsigned want = n->nqueues;

	counter_bump(nvme_resets);
	pci_enable(n->dev);
	int r = controller_enable(n);

	if (r == 0)
		r = queues_ask(n, &want);
	for (unsigned i = 0; r == 0 && i < n->nqueues; i++) {
		queue_rewind(&n->queues[i]);
		r = i < want ? queue_create(n, &n->queues[i]) : -EIO;
	}
	if (r < 0) {
		__atomic_store_n(&n->state, NVME_WORKS, __ATOMIC_RELEASE);
		nvme_break(n, NVME_DEAD, "it could not be reset");
		reap_all(n);
		return;
	}
	for (unsigned i = 0; i < n->nqueues; i++)
		queue_collect(&n->queues[i], &under_way);
	n->reported = NVME_WORKS;
	__atomic_store_n(&n->state, NVME_WORKS, __ATOMIC_RELEASE);
	while ((l = list_pop(&under_way)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		if (rq->tries++)
			blkdev_done(d, rq, -EIO);
		else
			blkdev_again(d, rq);
	}
	for (unsigned i = 0; i < n->nqueues; i++)
		blkdev_on_space(d, i);
}

static void fixer_thread(void *arg)
{
	struct nvme *n = arg;

	for (;;) {
		WAIT_EVENT(&n->fix_waitq, READ_ONCE(n->stop) || state_of(n) == NVME_HALTED);
		if (READ_ONCE(n->stop))
			return;
		nvme_reset(n);
	}
}

static int fixer_start(struct nvme *n)
{
	n->fixer = thread_create("nvme", fixer_thread, n);
	if (!n->fixer)
		return -ENOMEM;
	thread_start(n->fixer);
	return 0;
}

static int nvme_init(struct nvme *n)
{
	int r;

	pci_enable(n->dev);
	n->regs = pci_bar_map(n->dev, &n->bars, 0, 0, NVME_BELLS);
	if (!n->regs)
		return -EIO;
	r = controller_start(n);
	if (r == 0)
		r = controller_identify(n);
	if (r == 0)
		r = queues_create(n);
	return r == 0 ? fixer_start(n) : r;
}

/* The queues' interrupts stay bound to them, so they are never freed. */
static void nvme_free(struct nvme *n)
{
	if (n->fixer) {
		WRITE_ONCE(n->stop, true);
		waitq_wake_all(&n->fix_waitq);
		thread_join(n->fixer);
		thread_put(n->fixer);
	}
	if (n->regs)
		nvme_break(n, NVME_DEAD, "removed");
	queue_free(&n->admin);
	for (unsigned i = 0; i < n->nqueues; i++)
		queue_free(&n->queues[i]);
	heap_free(n);
}

static int nvme_probe(struct device *dev)
{
	if (dev->bus != BUS_PCI || dev->pci.class_code != NVME_CLASS)
		return -ENODEV;
	struct nvme *n = heap_alloc(sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->dev = dev;
	n->blkdev.ops = &nvme_ops;
	waitq_init(&n->fix_waitq);
	int r = nvme_init(n);

	if (r < 0) {
		/* "Not there" would let other drivers look at it. */
		nvme_free(n);
		return r == -ENODEV ? -EIO : r;
	}
	dev->driver_state = n;
	blkdev_register(&n->blkdev);
	return 0;
}

static void nvme_remove(struct device *dev)
{
	struct nvme *n = dev->driver_state;

	blkdev_unregister(&n->blkdev);
	heap_free(n->blkdev.queue);
	nvme_free(n);
}

const struct driver driver_nvme = { .name = "nvme", .probe = nvme_probe, .remove = nvme_remove };
