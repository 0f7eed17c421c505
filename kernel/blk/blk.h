/*
 * blk.h - synchronous and asynchronous access to block devices over dev/blkdev.h.
 *
 * Requests go to the driver's queue of the CPU that they come from, in order; what its ring has no room for waits
 * here and is passed on when room becomes free, adjacent ones as one. At most BLK_QUEUE_MAX requests wait; then
 * submitters sleep. Offsets and lengths are checked here, so that drivers need not.
 *
 * A last page that the device's end cuts is read as if zeroes followed, and written up to the end.
 * Everything else beyond the end is -EINVAL. Offsets and lengths are multiples of d->block_size.
 */
#ifndef BLK_BLK_H
#define BLK_BLK_H

#include "base/counter.h"
#include "dev/blkdev.h"
#include "mm/page.h"

#define BLK_QUEUE_MAX 128u           /* requests waiting, for a queue of a device; a batch of blk_submit_many may go over it */

COUNTER_DECLARE(blk_io_errors);      /* requests that the device failed */

/* Boot, once, before any device is used: the queues hear about room in the rings. */
void blk_init(void);
/* Read or write whole blocks into contiguous kernel memory (direct map). 0, -EIO, -EROFS, -EINVAL beyond the end. Sleeps. */
int blk_rw_sync(struct blkdev *d, enum blk_op op, u64 sector, void *buf, size_t len) MUST_CHECK;
/* The same for pages (each PAGE_SIZE), starting at byte offset off on the device. Sleeps. */
int blk_rw_pages_sync(struct blkdev *d, enum blk_op op, u64 off, struct page **pages, unsigned npages) MUST_CHECK;
/*
 * Write scattered pieces of contiguous kernel memory, several requests at a time; pieces that follow each other on
 * the device become one. Each at most max_seg_len bytes. Needs no memory, and is slower without. 0, -EIO, -EROFS, -EINVAL. Sleeps.
 */
struct blk_piece {
	u64 sector;
	void *buf;
	u32 len;                     /* bytes, a multiple of the device's block */
};
int blk_write_pieces_sync(struct blkdev *d, const struct blk_piece *pieces, unsigned n) MUST_CHECK;
/* What was written is durable. A device without a volatile cache: nothing to do. Sleeps. */
int blk_flush_sync(struct blkdev *d) MUST_CHECK;
/* Tell the device that sectors are unused: what they read as afterwards is not defined. -EOPNOTSUPP. Sleeps. */
int blk_discard_sync(struct blkdev *d, u64 sector, u64 nsectors) MUST_CHECK;
/* The sectors read as zeroes afterwards: told to the device if it can do that by itself, written if not. -EINVAL, -EROFS, -EIO, -ENOMEM. Sleeps. */
int blk_write_zeroes_sync(struct blkdev *d, u64 sector, u64 nsectors) MUST_CHECK;
/*
 * Queue a request; rq->done is called later, or from here if rq is refused. At most d->max_segs
 * segments of at most d->max_seg_len bytes (refused with -EINVAL). Sleeps only if the queue is over its limit.
 */
void blk_submit(struct blkdev *d, struct blk_request *rq);
/* The same for several, of which the device is told once, and those of them that follow each other on it become one. The array is not kept. */
void blk_submit_many(struct blkdev *d, struct blk_request *const *requests, unsigned n);

#endif
