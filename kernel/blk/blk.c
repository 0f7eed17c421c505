/*
 * blk.c - request queues and synchronous transfers.
 *
 * Invariants:
 *  1. A request is in exactly one place: with its submitter, on q->waiting, or with the driver.
 *     done is called once.
 *  2. Requests reach the driver in the order of blk_submit: while something waits, nothing overtakes.
 *  3. A synchronous caller's frame is not touched after its count of pending requests reached zero:
 *     what is woken is the queue's wait queue, which lives as long as the device.
 *
 * Locks: q->lock (irq-safe) guards waiting and nwaiting; the driver is called with it held, and
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
#define SYNC_INFLIGHT 4u             /* requests of one synchronous transfer at a time */

struct blk_queue {
	struct spinlock lock;
	struct list waiting;
	unsigned nwaiting;
	struct waitq done_waitq[DONE_WAITQS]; /* synchronous callers, spread over them */
	struct waitq room_waitq;     /* submitters over the limit */
};

static struct spinlock create_lock = SPINLOCK_INIT;

static struct blk_queue *queue_of(struct blkdev *d)
{
	struct blk_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);

	if (likely(q))
		return q;
	struct blk_queue *fresh = heap_alloc(sizeof(*fresh));

	if (!fresh)
		return NULL;
	spin_init(&fresh->lock);
	list_init(&fresh->waiting);
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

/* 0, or why the request cannot be. */
static int request_check(const struct blkdev *d, const struct blk_request *rq)
{
	u64 sectors = 0, per_block = d->block_size / SECTOR;

	if (rq->op == BLK_FLUSH)
		return rq->nsegs == 0 ? 0 : -EINVAL;
	if (rq->op == BLK_DISCARD && !d->has_discard)
		return -EOPNOTSUPP;
	if (rq->op != BLK_READ && d->readonly)
		return -EROFS;
	if (rq->nsegs == 0 || rq->nsegs > (rq->op == BLK_DISCARD ? 1 : d->max_segs))
		return -EINVAL;
	for (unsigned i = 0; i < rq->nsegs; i++) {
		u32 len = rq->segs[i].len;

		if (len == 0 || len % SECTOR || (len > d->max_seg_len && rq->op != BLK_DISCARD))
			return -EINVAL;
		sectors += len / SECTOR;
	}
	if (sectors % per_block || rq->sector % per_block)
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

/* Pass on what waits; requests that the driver refuses go to failed. Lock held. */
static void queue_run_locked(struct blkdev *d, struct blk_queue *q, struct list *failed)
{
	struct list *first;

	while ((first = list_first(&q->waiting)) != NULL) {
		struct blk_request *rq = list_entry(first, struct blk_request, link);

		list_remove(first);
		/* When the driver has it, it may be over at once and its memory somebody else's. */
		enum blk_op op = rq->op;
		u64 sectors = sectors_of(rq);
		int r = d->ops->submit(d, rq);

		if (r == -EBUSY) {
			list_push(&q->waiting, first);
			return;
		}
		q->nwaiting--;
		if (r < 0) {
			rq->status = r;
			list_append(failed, first);
		} else {
			d->requests[op]++;
			d->sectors[op] += sectors;
		}
	}
}

/* After queue_run_locked, the lock released: telling the device is an exit to the hypervisor, nothing to be done under it. */
static void queue_ran(struct blkdev *d, struct list *failed)
{
	struct list *l;

	if (d->ops->kick)
		d->ops->kick(d);
	while ((l = list_pop(failed)) != NULL) {
		struct blk_request *rq = list_entry(l, struct blk_request, link);

		request_fail(rq, rq->status);
	}
}

static void queue_on_space(struct blkdev *d)
{
	struct blk_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);
	struct list failed = LIST_INIT(failed);

	if (!q)
		return;
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	queue_run_locked(d, q, &failed);
	spin_unlock_irqrestore(&q->lock, f);
	queue_ran(d, &failed);
	waitq_wake_all(&q->room_waitq);
}

void blk_init(void)
{
	blkdev_on_space = queue_on_space;
}

void blk_submit(struct blkdev *d, struct blk_request *rq)
{
	int r = request_check(d, rq);
	struct blk_queue *q = r == 0 ? queue_of(d) : NULL;
	struct list failed = LIST_INIT(failed);

	if (!q) {
		request_fail(rq, r < 0 ? r : -ENOMEM);
		return;
	}
	list_init(&rq->link);
	if (READ_ONCE(q->nwaiting) >= BLK_QUEUE_MAX)
		WAIT_EVENT(&q->room_waitq, READ_ONCE(q->nwaiting) < BLK_QUEUE_MAX);
	irq_flags_t f = spin_lock_irqsave(&q->lock);

	list_append(&q->waiting, &rq->link);
	q->nwaiting++;
	queue_run_locked(d, q, &failed);
	spin_unlock_irqrestore(&q->lock, f);
	queue_ran(d, &failed);
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

static void sync_submit(struct blkdev *d, struct sync_call *call, struct blk_request *rq)
{
	rq->arg = call;
	rq->done = sync_done;
	__atomic_fetch_add(&call->pending, 1, __ATOMIC_RELAXED);
	blk_submit(d, rq);
}

/* Callers that wait for different things are woken apart, mostly. */
static struct waitq *sync_waitq(struct blkdev *d)
{
	struct blk_queue *q = queue_of(d);

	return q ? &q->done_waitq[((uintptr_t)thread_current() * 0x9e3779b97f4a7c15ull >> 32) % DONE_WAITQS] : NULL;
}

static int sync_simple(struct blkdev *d, struct blk_request *rq)
{
	struct sync_call call = { .waitq = sync_waitq(d) };

	if (!call.waitq)
		return -ENOMEM;
	sync_submit(d, &call, rq);
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
	struct blk_seg *seg = s->segs - 1;
	phys_t end = 0;
	u64 k;

	for (k = 0; k < npages; k++) {
		phys_t pa = page_to_phys(pages[k]);
		if (n && pa == end && seg->len < max_len) {
			seg->len += PAGE_SIZE;
		} else {
			if (n == max_segs)
				break;
			n++;
			*++seg = (struct blk_seg){ pa, PAGE_SIZE };
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
		} else if (s->rq.nsegs < max_segs) {
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
		for (unsigned i = 0; i < slots && off < len; i++) {
			s[i].rq = (struct blk_request){ .op = op, .sector = sector + off / SECTOR, .segs = s[i].segs };
			off += request_fill(d, &s[i], m, off, len);
			sync_submit(d, &call, &s[i].rq);
		}
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

/* Cover the first of n pieces and those that follow it on the device; how many. */
static unsigned pieces_fill(const struct blkdev *d, struct sync_request *s, const struct blk_piece *p, unsigned n)
{
	unsigned max_segs = d->max_segs < SYNC_SEGS ? d->max_segs : SYNC_SEGS, k = 0;
	u64 end = p->sector;

	s->rq = (struct blk_request){ .op = BLK_WRITE, .sector = p->sector, .segs = s->segs };
	for (; k < n && k < max_segs && p[k].sector == end; k++) {
		s->segs[k] = (struct blk_seg){ arch_virt_to_phys(p[k].buf), p[k].len };
		end += p[k].len / SECTOR;
	}
	s->rq.nsegs = k;
	return k;
}

static bool piece_ok(const struct blkdev *d, const struct blk_piece *p)
{
	return p->len && p->len <= d->max_seg_len && p->len % d->block_size == 0 && p->sector <= d->nsectors && p->len / SECTOR <= d->nsectors - p->sector;
}

int blk_write_pieces_sync(struct blkdev *d, const struct blk_piece *pieces, unsigned n)
{
	struct sync_call call = { .waitq = sync_waitq(d) };
	struct sync_request *s;

	for (unsigned k = 0; k < n; k++)
		if (!piece_ok(d, &pieces[k]))
			return -EINVAL;
	if (d->readonly)
		return -EROFS;
	s = heap_alloc_array(SYNC_INFLIGHT, sizeof(*s));
	if (!call.waitq || !s) {
		heap_free(s);
		return -ENOMEM;
	}
	for (unsigned at = 0; at < n && call.status == 0;) {
		for (unsigned i = 0; i < SYNC_INFLIGHT && at < n; i++) {
			at += pieces_fill(d, &s[i], pieces + at, n - at);
			sync_submit(d, &call, &s[i].rq);
		}
		WAIT_EVENT(call.waitq, sync_pending(&call) == 0);
	}
	heap_free(s);
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

int blk_discard_sync(struct blkdev *d, u64 sector, u64 nsectors)
{
	u64 step = ROUND_DOWN(MIN((u64)UINT32_MAX, d->max_discard * (u64)SECTOR), d->block_size) / SECTOR;
	int r = d->has_discard && step > 0 ? 0 : -EOPNOTSUPP;

	while (r == 0 && nsectors > 0) {
		u64 n = MIN(nsectors, step);
		struct blk_seg seg = { .len = (u32)(n * SECTOR) };
		struct blk_request rq = { .op = BLK_DISCARD, .sector = sector, .segs = &seg, .nsegs = 1 };

		r = sync_simple(d, &rq);
		sector += n;
		nsectors -= n;
	}
	return r;
}
