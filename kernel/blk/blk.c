/*
 * blk.c - request queues and synchronous transfers.
 *
 * A device has a lane for each of its queues; a request takes the lane of the CPU that it comes from. Reads and writes
 * that stand behind each other in a lane and are adjacent on the device are passed on as one.
 *
 * Invariants:
 *  1. A request is in exactly one place: with its submitter, on a lane's waiting list, or with the driver (perhaps
 *     as a part of another). done is called once.
 *  2. Requests of a lane reach the driver in the order of blk_submit: while something waits, nothing overtakes.
 *  3. A synchronous caller's frame is not touched after its count of pending requests reached zero:
 *     what is woken is the queue's wait queue, which lives as long as the device.
 *
 * Locks: a lane's lock (irq-safe) guards waiting and nwaiting; the driver is called with it held, and
 * done is called without it (a driver never calls done from submit).
 * Can fail: the device (-EIO), a full heap (-ENOMEM).
 */
#include "blk/blk.h"

#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "sched/waitq.h"

COUNTER(blk_io_errors);

#define SECTOR        512u
#define SYNC_SEGS     16u            /* of one request of a synchronous transfer */
#define DONE_WAITQS   8u
#define SYNC_INFLIGHT 16u            /* requests of one synchronous transfer at a time */
#define SUBMIT_BATCH  SYNC_INFLIGHT

struct blk_lane {
	struct spinlock lock;
	struct list waiting;
	unsigned nwaiting;
};

struct blk_queue {
	struct waitq done_waitq[DONE_WAITQS]; /* synchronous callers, spread over them */
	struct waitq room_waitq;     /* submitters over the limit */
	unsigned nlanes;
	struct blk_lane lanes[];
};

static struct spinlock create_lock = SPINLOCK_INIT;

static struct blk_queue *queue_of(struct blkdev *d)
{
	struct blk_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);

	if (likely(q))
		return q;
	unsigned nlanes = MAX(d->nqueues, 1u);
	struct blk_queue *fresh = heap_alloc(sizeof(*fresh) + nlanes * sizeof(fresh->lanes[0]));

	if (!fresh)
		return NULL;
	fresh->nlanes = nlanes;
	for (unsigned i = 0; i < nlanes; i++) {
		spin_init(&fresh->lanes[i].lock);
		list_init(&fresh->lanes[i].waiting);
	}
	for (unsigned i = 0; i < DONE_WAITQS; i++)
		waitq_init(&fresh->done_waitq[i]);
	waitq_init(&fresh->room_waitq);
	irq_flags_t f = spin_lock_irqsave(&create_lock);

	q = d->queue;
	if (!q)
		__atomic_store_n(&d->queue, fresh, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&create_lock, f);
	if (q)
		heap_free(fresh);
	return q ? q : fresh;
}

static bool has_data(const struct blk_request *rq) { return rq->op == BLK_READ || rq->op == BLK_WRITE; }

/* May a segment that begins at pa follow one that ends at `end` in a request? */
static bool seg_may_follow(const struct blkdev *d, phys_t end, phys_t pa)
{
	return !d->page_segs || !((end | pa) & (PAGE_SIZE - 1));
}

/* 0, or why the request cannot be. */
static int request_check(const struct blkdev *d, const struct blk_request *rq)
{
	u64 sectors = 0, per_block = d->block_size / SECTOR;

	if (rq->op == BLK_FLUSH)
		return rq->nsegs == 0 ? 0 : -EINVAL;
	if ((rq->op == BLK_DISCARD && !d->has_discard) || (rq->op == BLK_WRITE_ZEROES && !d->max_zeroes))
		return -EOPNOTSUPP;
	if (rq->op != BLK_READ && d->readonly)
		return -EROFS;
	if (rq->nsegs == 0 || rq->nsegs > (has_data(rq) ? d->max_segs : 1))
		return -EINVAL;
	for (unsigned i = 0; i < rq->nsegs; i++) {
		const struct blk_seg *s = &rq->segs[i];

		if (s->len == 0 || s->len % SECTOR || (s->len > d->max_seg_len && has_data(rq)))
			return -EINVAL;
		if (i && !seg_may_follow(d, s[-1].pa + s[-1].len, s->pa))
			return -EINVAL;
		sectors += s->len / SECTOR;
	}
	if (sectors % per_block || rq->sector % per_block || (d->max_len && has_data(rq) && sectors > d->max_len / SECTOR))
		return -EINVAL;
	return rq->sector <= d->nsectors && sectors <= d->nsectors - rq->sector ? 0 : -EINVAL;
}

static void request_fail(struct blk_request *rq, int status)
{
	rq->status = status;
	rq->done(rq);
}

static u64 sectors_of(const struct blk_request *rq)
{
	u64 n = 0;

	for (unsigned i = 0; i < rq->nsegs; i++)
		n += rq->segs[i].len / SECTOR;
	return n;
}

/* May b, which continues a's sectors in memory of its own, be done by one request with a? nsegs and sectors are what a has so far, end where its memory ends. */
static bool may_merge(const struct blkdev *d, const struct blk_request *a, u64 sectors, unsigned nsegs, phys_t end, const struct blk_request *b)
{
	return b->op == a->op && b->sector == a->sector + sectors && !b->alone && nsegs + b->nsegs <= d->max_segs &&
	       seg_may_follow(d, end, b->segs[0].pa) && (!d->max_len || sectors + sectors_of(b) <= d->max_len / SECTOR);
}

/* Hang those that wait behind rq and continue it on rq->merged; how many. Lock held. */
static unsigned lane_merge_locked(const struct blkdev *d, struct blk_lane *lane, struct blk_request *rq, u64 *sectors)
{
	struct blk_request *last = rq;
	unsigned n = 0, nsegs = rq->nsegs;
	struct list *l;

	while ((l = list_first(&lane->waiting)) != NULL) {
		struct blk_request *next = list_entry(l, struct blk_request, link);
		const struct blk_seg *s = &last->segs[last->nsegs - 1];

		if (!may_merge(d, rq, *sectors, nsegs, s->pa + s->len, next))
			break;
		list_remove(l);
		last->merged = next;
		last = next;
		nsegs += next->nsegs;
		*sectors += sectors_of(next);
		n++;
	}
	return n;
}

/* Undo that: back to where they were. Lock held. */
static void lane_unmerge_locked(struct blk_lane *lane, struct blk_request *rq)
{
	struct list *behind = &lane->waiting;

	while (rq) {
		struct blk_request *next = rq->merged;

		rq->merged = NULL;
		list_push(behind, &rq->link);
		behind = &rq->link;
		rq = next;
	}
}

/* Pass on what waits; requests that the driver refuses go to failed. Lock held. */
static void lane_run_locked(struct blkdev *d, struct blk_lane *lane, struct list *failed)
{
	struct list *first;

	while ((first = list_first(&lane->waiting)) != NULL) {
		struct blk_request *rq = list_entry(first, struct blk_request, link);

		list_remove(first);
		/* When the driver has it, it may be over at once and its memory somebody else's. */
		enum blk_op op = rq->op;
		u64 sectors = sectors_of(rq);
		unsigned n = 1;

		if (!list_empty(&lane->waiting) && d->merges && has_data(rq) && !rq->alone)
			n += lane_merge_locked(d, lane, rq, &sectors);
		int r = d->ops->submit(d, rq);

		if (r == -EBUSY) {
			lane_unmerge_locked(lane, rq);
			return;
		}
		lane->nwaiting -= n;
		if (r < 0) {
			rq->status = r;
			list_append(failed, first);
		} else {
			d->requests[op]++;
			d->sectors[op] += sectors;
		}
	}
}

/* After lane_run_locked, the lock released: telling the device is an exit to the hypervisor, nothing to be done under it. */
static void lane_ran(struct blkdev *d, unsigned queue, struct list *failed)
{
	struct list *l;

	if (d->ops->kick)
		d->ops->kick(d, queue);
	while ((l = list_pop(failed)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		for (struct blk_request *m = rq->merged; m; m = m->merged)
			m->status = rq->status;
		while (rq) {
			struct blk_request *next = rq->merged;

			rq->merged = NULL;
			request_fail(rq, rq->status);
			rq = next;
		}
	}
}

static void queue_on_space(struct blkdev *d, unsigned queue)
{
	struct blk_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);
	struct list failed = LIST_INIT(failed);

	if (!q)
		return;
	struct blk_lane *lane = &q->lanes[queue];
	irq_flags_t f = spin_lock_irqsave(&lane->lock);

	lane_run_locked(d, lane, &failed);
	spin_unlock_irqrestore(&lane->lock, f);
	lane_ran(d, queue, &failed);
	waitq_wake_all(&q->room_waitq);
}

/* It goes to the end of its lane: nobody can rely on an order among requests that are under way together. */
static void queue_again(struct blkdev *d, struct blk_request *rq)
{
	struct blk_queue *q = d->queue;
	struct blk_lane *lane = &q->lanes[rq->queue];
	irq_flags_t f = spin_lock_irqsave(&lane->lock);

	rq->alone = true;
	list_append(&lane->waiting, &rq->link);
	lane->nwaiting++;
	spin_unlock_irqrestore(&lane->lock, f);
	queue_on_space(d, rq->queue);
}

void blk_init(void)
{
	static const struct blkdev_hooks hooks = { .on_space = queue_on_space, .again = queue_again };

	blkdev_hooks = &hooks;
}

/* Put requests, each checked, at the end of this CPU's lane, and pass on what can be. Sleeps only over the limit. */
static void queue_submit(struct blkdev *d, struct blk_queue *q, struct blk_request *const *requests, unsigned n)
{
	unsigned queue = q->nlanes > 1 ? arch_cpu_id() % q->nlanes : 0;
	struct blk_lane *lane = &q->lanes[queue];
	struct list failed = LIST_INIT(failed);

	if (READ_ONCE(lane->nwaiting) >= BLK_QUEUE_MAX)
		WAIT_EVENT(&q->room_waitq, READ_ONCE(lane->nwaiting) < BLK_QUEUE_MAX);
	irq_flags_t f = spin_lock_irqsave(&lane->lock);

	for (unsigned i = 0; i < n; i++) {
		requests[i]->queue = (u16)queue;
		requests[i]->merged = NULL;
		list_append(&lane->waiting, &requests[i]->link);
	}
	lane->nwaiting += n;
	lane_run_locked(d, lane, &failed);
	spin_unlock_irqrestore(&lane->lock, f);
	lane_ran(d, queue, &failed);
}

void blk_submit_many(struct blkdev *d, struct blk_request *const *requests, unsigned n)
{
	struct blk_request *good[SUBMIT_BATCH] NO_AUTO_INIT;
	unsigned ngood = 0;

	for (unsigned i = 0; i < n; i++) {
		int r = request_check(d, requests[i]);

		list_init(&requests[i]->link);
		if (r == 0 && !queue_of(d))
			r = -ENOMEM;
		if (r < 0)
			request_fail(requests[i], r);
		else
			good[ngood++] = requests[i];
		if (ngood == SUBMIT_BATCH || (i + 1 == n && ngood)) {
			queue_submit(d, queue_of(d), good, ngood);
			ngood = 0;
		}
	}
}

void blk_submit(struct blkdev *d, struct blk_request *rq)
{
	blk_submit_many(d, &rq, 1);
}

/* ---- Synchronous transfers ------------------------------------------------------- */

struct sync_call {
	struct waitq *waitq;         /* one of the queue's; NULL: there is no queue */
	u32 pending;                 /* atomic: requests under way */
	int status;                  /* the first error */
};

struct sync_request {
	struct blk_request rq;
	struct blk_seg segs[SYNC_SEGS];
};

static void sync_done(struct blk_request *rq)
{
	struct sync_call *call = rq->arg;
	struct waitq *waitq = call->waitq;

	if (rq->status < 0) {
		counter_bump(blk_io_errors);
		__atomic_store_n(&call->status, rq->status, __ATOMIC_RELAXED);
	}
	/* The caller may return as soon as it sees the count: only the wait queue is touched from here on. */
	__atomic_fetch_sub(&call->pending, 1, __ATOMIC_ACQ_REL);
	waitq_wake_all(waitq);
}

static u32 sync_pending(struct sync_call *call)
{
	return __atomic_load_n(&call->pending, __ATOMIC_ACQUIRE);
}

static void sync_submit(struct blkdev *d, struct sync_call *call, struct blk_request *const *rq, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rq[i]->arg = call;
		rq[i]->done = sync_done;
	}
	__atomic_fetch_add(&call->pending, n, __ATOMIC_RELAXED);
	blk_submit_many(d, rq, n);
}

/* Callers that wait for different things are woken apart, mostly. */
static struct waitq *sync_waitq(struct blkdev *d)
{
	struct blk_queue *q = queue_of(d);

	return q ? &q->done_waitq[((uintptr_t)thread_current() * 0x9e3779b97f4a7c15ull >> 32) % DONE_WAITQS] : NULL;
}

static COLD int sync_simple(struct blkdev *d, struct blk_request *rq)
{
	struct sync_call call = { .waitq = sync_waitq(d) };

	if (!call.waitq)
		return -ENOMEM;
	sync_submit(d, &call, &rq, 1);
	WAIT_EVENT(call.waitq, sync_pending(&call) == 0);
	return call.status;
}

/* Where the bytes of a transfer are: contiguous memory or pages. */
struct sync_memory {
	phys_t pa;
	struct page **pages;         /* NULL: pa */
};

static phys_t memory_at(const struct sync_memory *m, u64 off, u64 *ret_room)
{
	if (!m->pages) {
		*ret_room = UINT64_MAX;
		return m->pa + off;
	}
	*ret_room = PAGE_SIZE - off % PAGE_SIZE;
	return page_to_phys(m->pages[off / PAGE_SIZE]) + off % PAGE_SIZE;
}

/* The same for whole pages, the common case. */
static u64 request_fill_pages(const struct blkdev *d, struct sync_request *s, struct page *const *pages, u64 npages)
{
	unsigned max_segs = d->max_segs < SYNC_SEGS ? d->max_segs : SYNC_SEGS, n = 0;
	u32 max_len = ROUND_DOWN(d->max_seg_len, (u32)PAGE_SIZE);
	struct blk_seg *seg = s->segs;
	phys_t end = 0;
	u64 k;

	if (d->max_len && npages > d->max_len / PAGE_SIZE)
		npages = d->max_len / PAGE_SIZE;

	for (k = 0; k < npages; k++) {
		phys_t pa = page_to_phys(pages[k]);
		if (n && pa == end && seg->len < max_len) {
			seg->len += PAGE_SIZE;
		} else {
			if (n == max_segs)
				break;
			seg = &s->segs[n++];
			*seg = (struct blk_seg){ pa, PAGE_SIZE };
		}
		end = pa + PAGE_SIZE;
	}
	s->rq.nsegs = n;
	return k * PAGE_SIZE;
}

/* Cover as much of [off, len) as one request takes; how many bytes that is. Adjacent memory makes one segment. */
static u64 request_fill(const struct blkdev *d, struct sync_request *s, const struct sync_memory *m, u64 off, u64 len)
{
	unsigned max_segs = d->max_segs < SYNC_SEGS ? d->max_segs : SYNC_SEGS;
	u32 max_len = ROUND_DOWN(d->max_seg_len, d->block_size);
	u64 start = off;

	if (d->max_len && len - off > d->max_len)
		len = off + ROUND_DOWN(d->max_len, d->block_size);
	if (m->pages && !((off | len) & (PAGE_SIZE - 1)) && max_len >= PAGE_SIZE)
		return request_fill_pages(d, s, m->pages + off / PAGE_SIZE, (len - off) / PAGE_SIZE);
	s->rq.nsegs = 0;
	while (off < len) {
		u64 room;
		phys_t pa = memory_at(m, off, &room);
		struct blk_seg *last = s->rq.nsegs ? &s->segs[s->rq.nsegs - 1] : NULL;
		u64 n = MIN(room, len - off);

		if (last && last->pa + last->len == pa && last->len < max_len) {
			n = MIN(n, (u64)(max_len - last->len));
			last->len += (u32)n;
		} else if (s->rq.nsegs < max_segs && (!last || seg_may_follow(d, last->pa + last->len, pa))) {
			n = MIN(n, (u64)max_len);
			s->segs[s->rq.nsegs++] = (struct blk_seg){ pa, (u32)n };
		} else {
			break;
		}
		off += n;
	}
	return off - start;
}

/* Move [0, len) between memory and the device, several requests at a time. */
static int sync_transfer(struct blkdev *d, enum blk_op op, u64 sector, const struct sync_memory *m, u64 len)
{
	struct sync_call call = { .waitq = sync_waitq(d) };
	struct sync_request one NO_AUTO_INIT;
	struct sync_request *many = len > SYNC_SEGS * PAGE_SIZE ? heap_alloc_array(SYNC_INFLIGHT, sizeof(*many)) : NULL;
	struct sync_request *s = many ? many : &one;   /* reading may be what memory waits for: it needs none */
	unsigned slots = many ? SYNC_INFLIGHT : 1;
	u64 off = 0;

	if (!call.waitq) {
		heap_free(many);
		return -ENOMEM;
	}
	/* A round at a time: slots are free again when all of a round is done. */
	while (off < len && call.status == 0) {
		struct blk_request *round[SYNC_INFLIGHT] NO_AUTO_INIT;
		unsigned n = 0;

		for (; n < slots && off < len; n++) {
			s[n].rq = (struct blk_request){ .op = op, .sector = sector + off / SECTOR, .segs = s[n].segs };
			off += request_fill(d, &s[n], m, off, len);
			round[n] = &s[n].rq;
		}
		sync_submit(d, &call, round, n);
		WAIT_EVENT(call.waitq, sync_pending(&call) == 0);
	}
	heap_free(many);
	return call.status;
}

int blk_rw_sync(struct blkdev *d, enum blk_op op, u64 sector, void *buf, size_t len)
{
	struct sync_memory m = { .pa = arch_virt_to_phys(buf) };

	ASSERT(op == BLK_READ || op == BLK_WRITE);
	if (len % d->block_size || sector > d->nsectors || len / SECTOR > d->nsectors - sector)
		return -EINVAL;
	if (op == BLK_WRITE && d->readonly)
		return -EROFS;
	return len ? sync_transfer(d, op, sector, &m, len) : 0;
}

/* Cover the first of n pieces and those that follow it on the device; how many. Adjacent memory makes one segment. */
static unsigned pieces_fill(const struct blkdev *d, struct sync_request *s, const struct blk_piece *p, unsigned n)
{
	unsigned max_segs = d->max_segs < SYNC_SEGS ? d->max_segs : SYNC_SEGS, k;
	struct blk_seg *seg = NULL;
	u64 sectors = 0;
	phys_t end = 0;

	s->rq = (struct blk_request){ .op = BLK_WRITE, .sector = p->sector, .segs = s->segs };
	for (k = 0; k < n && p[k].sector == p->sector + sectors; k++) {
		phys_t pa = arch_virt_to_phys(p[k].buf);

		sectors += p[k].len / SECTOR;
		if (k && d->max_len && sectors > d->max_len / SECTOR)
			break;
		if (k && pa == end && seg->len + p[k].len <= d->max_seg_len) {
			seg->len += p[k].len;
		} else {
			if (s->rq.nsegs == max_segs || (k && !seg_may_follow(d, end, pa)))
				break;
			seg = &s->segs[s->rq.nsegs++];
			*seg = (struct blk_seg){ pa, p[k].len };
		}
		end = pa + p[k].len;
	}
	return k;
}

static bool piece_ok(const struct blkdev *d, const struct blk_piece *p)
{
	return p->len && p->len <= d->max_seg_len && p->len % d->block_size == 0 && p->sector <= d->nsectors && p->len / SECTOR <= d->nsectors - p->sector;
}

int blk_write_pieces_sync(struct blkdev *d, const struct blk_piece *pieces, unsigned n)
{
	struct sync_call call = { .waitq = sync_waitq(d) };
	struct sync_request one NO_AUTO_INIT;

	for (unsigned k = 0; k < n; k++)
		if (!piece_ok(d, &pieces[k]))
			return -EINVAL;
	if (d->readonly)
		return -EROFS;
	if (!call.waitq)
		return -ENOMEM;
	struct sync_request *many = n > 1 ? heap_alloc_array(SYNC_INFLIGHT, sizeof(*many)) : NULL;
	struct sync_request *s = many ? many : &one;   /* writing may be what memory waits for: it needs none */
	unsigned slots = many ? SYNC_INFLIGHT : 1;

	for (unsigned at = 0; at < n && call.status == 0;) {
		struct blk_request *round[SYNC_INFLIGHT] NO_AUTO_INIT;
		unsigned k = 0;

		for (; k < slots && at < n; k++) {
			at += pieces_fill(d, &s[k], pieces + at, n - at);
			round[k] = &s[k].rq;
		}
		sync_submit(d, &call, round, k);
		WAIT_EVENT(call.waitq, sync_pending(&call) == 0);
	}
	heap_free(many);
	return call.status;
}

/* What of the last pages lies beyond the device's end reads as zero. */
static void pages_zero_from(struct page **pages, unsigned npages, u64 from)
{
	for (u64 at = from; at < npages * PAGE_SIZE; at = ROUND_DOWN(at, PAGE_SIZE) + PAGE_SIZE)
		memset((u8 *)page_to_virt(pages[at / PAGE_SIZE]) + at % PAGE_SIZE, 0, PAGE_SIZE - at % PAGE_SIZE);
}

int blk_rw_pages_sync(struct blkdev *d, enum blk_op op, u64 off, struct page **pages, unsigned npages)
{
	struct sync_memory m = { .pages = pages };
	u64 len = npages * PAGE_SIZE, end = d->nsectors * SECTOR;

	ASSERT(op == BLK_READ || op == BLK_WRITE);
	if (npages == 0)
		return 0;
	if (off % d->block_size || off >= end || (len > end - off && len - (end - off) >= PAGE_SIZE))
		return -EINVAL;
	if (op == BLK_WRITE && d->readonly)
		return -EROFS;
	len = ROUND_DOWN(MIN(len, end - off), d->block_size);
	int r = len ? sync_transfer(d, op, off / SECTOR, &m, len) : 0;

	if (r == 0 && op == BLK_READ)
		pages_zero_from(pages, npages, len);
	return r;
}

int blk_flush_sync(struct blkdev *d)
{
	struct blk_request rq = { .op = BLK_FLUSH };

	return d->has_flush ? sync_simple(d, &rq) : 0;
}

/* A request without data for a range, in steps of at most max sectors. */
static COLD int sync_range(struct blkdev *d, enum blk_op op, u32 max, u64 sector, u64 nsectors)
{
	u64 step = ROUND_DOWN(MIN((u64)UINT32_MAX, max * (u64)SECTOR), d->block_size) / SECTOR;
	int r = step > 0 ? 0 : -EOPNOTSUPP;

	while (r == 0 && nsectors > 0) {
		u64 n = MIN(nsectors, step);
		struct blk_seg seg = { .len = (u32)(n * SECTOR) };
		struct blk_request rq = { .op = op, .sector = sector, .segs = &seg, .nsegs = 1 };

		r = sync_simple(d, &rq);
		sector += n;
		nsectors -= n;
	}
	return r;
}

int blk_discard_sync(struct blkdev *d, u64 sector, u64 nsectors)
{
	return d->has_discard ? sync_range(d, BLK_DISCARD, d->max_discard, sector, nsectors) : -EOPNOTSUPP;
}

#define ZERO_PAGES 16u

/* Zeroes by plain writes, all from one page. */
static int zeroes_write(struct blkdev *d, u64 sector, u64 nsectors)
{
	struct page *zero = page_alloc_wait(0, PAGE_ZERO), *pages[ZERO_PAGES];
	int r = zero ? 0 : -ENOMEM;

	for (unsigned i = 0; i < ZERO_PAGES; i++)
		pages[i] = zero;
	while (r == 0 && nsectors > 0) {
		u64 n = MIN(nsectors, ZERO_PAGES * PAGE_SIZE / SECTOR);
		struct sync_memory m = { .pages = pages };

		r = sync_transfer(d, BLK_WRITE, sector, &m, n * SECTOR);
		sector += n;
		nsectors -= n;
	}
	if (zero)
		page_put(zero);
	return r;
}

COLD int blk_write_zeroes_sync(struct blkdev *d, u64 sector, u64 nsectors)
{
	u64 per_block = d->block_size / SECTOR;

	if ((sector | nsectors) % per_block || sector > d->nsectors || nsectors > d->nsectors - sector)
		return -EINVAL;
	if (d->readonly)
		return -EROFS;
	int r = d->max_zeroes ? sync_range(d, BLK_WRITE_ZEROES, d->max_zeroes, sector, nsectors) : -EOPNOTSUPP;

	/* A device may say that it can and then that it cannot (section 5.2.6.2: unsupported), for instance by what lies under it. */
	return r == -EOPNOTSUPP ? zeroes_write(d, sector, nsectors) : r;
}
