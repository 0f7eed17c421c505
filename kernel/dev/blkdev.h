/*
 * blkdev.h - block devices, the class. Drivers implement blkdev_ops; blk/ queues requests.
 * Sectors are 512 bytes whatever the device's logical block is.
 */
#ifndef DEV_BLKDEV_H
#define DEV_BLKDEV_H

#include "arch/arch.h"
#include "base/list.h"

struct blkdev;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };

struct blk_seg {
	phys_t pa;
	u32 len;                     /* bytes, a multiple of 512 */
};

struct blk_request {
	enum blk_op op;
	u64 sector;
	/* The submitter's, alive until done. BLK_DISCARD: one segment, whose len counts and whose pa does not. BLK_FLUSH: none. */
	struct blk_seg *segs;
	unsigned nsegs;
	int status;                  /* 0 or errno, valid when done is called */
	/* Called once, from interrupt or any context; must not sleep. */
	void (*done)(struct blk_request *rq);
	void *arg;
	struct list link;            /* blk/ and drivers */
};

struct blkdev_ops {
	/*
	 * Start a request that blk/ has checked. -EBUSY if the device's ring is full (blkdev_on_space tells when not); another
	 * errno if it cannot be started at all (-EIO: broken); in both cases done is not called. Any context.
	 */
	int (*submit)(struct blkdev *d, struct blk_request *rq);
	/* After one or more submits, no lock held: tell the device. NULL: submit does. Any context. */
	void (*kick)(struct blkdev *d);
};

struct blkdev {
	const struct blkdev_ops *ops;
	char name[16];               /* "vda" */
	u64 nsectors;
	u32 block_size;              /* logical, bytes */
	u32 max_segs, max_seg_len;
	u32 max_discard;             /* sectors of one BLK_DISCARD */
	bool readonly, has_flush, has_discard;
	char serial[21];             /* filled with the first completed request */
	void *queue;                 /* blk/'s */
	u64 requests[4], sectors[4]; /* by blk_op: what the driver was given; blk/ counts, readers need no lock */
	struct list link;
};

/* Make d known under the next free name. Drivers call this once it works. */
void blkdev_register(struct blkdev *d);
void blkdev_unregister(struct blkdev *d);    /* drivers' remove: nobody uses d any more */
struct blkdev *blkdev_by_index(unsigned index);   /* NULL */
unsigned blkdev_count(void);
/* Drivers call this when ring space became free after -EBUSY; set by blk/. */
extern void (*blkdev_on_space)(struct blkdev *d);

#endif
