/*
 * blk.h - synchronous and asynchronous access to block devices over dev/blkdev.h.
 */
#ifndef BLK_BLK_H
#define BLK_BLK_H

#include "dev/blkdev.h"
#include "mm/page.h"

/* Read or write whole sectors into contiguous kernel memory (direct map). 0, -EIO, -EROFS, -EINVAL beyond the end. Sleeps. */
int blk_rw_sync(struct blkdev *d, enum blk_op op, u64 sector, void *buf, size_t len) MUST_CHECK;
/* The same for pages (each PAGE_SIZE), starting at byte offset off (multiple of 512) on the device. Sleeps. */
int blk_rw_pages_sync(struct blkdev *d, enum blk_op op, u64 off, struct page **pages, unsigned npages) MUST_CHECK;
int blk_flush_sync(struct blkdev *d) MUST_CHECK;
/* Queue a request; rq->done is called later. Sleeps only if the queue is over its limit. */
void blk_submit(struct blkdev *d, struct blk_request *rq);

#endif
