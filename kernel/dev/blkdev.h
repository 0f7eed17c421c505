/*
 * blkdev.h - block devices, the class. Drivers implement blkdev_ops; blk/ queues requests.
 * Sectors are 512 bytes whatever the device's logical block is.
 *
 * A device has one or more queues, each as good as any other; what goes through one does not wait for another's lock.
 * A request that a device does not answer within BLKDEV_TIMEOUT_NS ends the device, unless the driver can reset it: everything
 * under way, and all that comes later, is -EIO. Requests on their way are looked through by a timer that runs only while there are some.
 */
#ifndef DEV_BLKDEV_H
#define DEV_BLKDEV_H

#include "arch/arch.h"
#include "base/list.h"
#include "sched/timer.h"

struct blkdev;

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES, BLK_OPS };

struct blk_seg {
	phys_t pa;
	u32 len;                     /* bytes, a multiple of 512 */
};

struct blk_request {
	enum blk_op op;
	u64 sector;
	/* The submitter's, alive until done. BLK_DISCARD, BLK_WRITE_ZEROES: one segment, whose len counts and whose pa does not. BLK_FLUSH: none. */
	struct blk_seg *segs;
	unsigned nsegs;
	u16 queue;                   /* blk/'s choice, below the device's nqueues */
	bool alone;                  /* blk/: not to be merged */
	u8 tries;                    /* drivers: how often it was begun in vain */
	/* Requests that were merged behind this one: they continue its sectors, and are done with it. NULL: none. For drivers whose merges is set. */
	struct blk_request *merged;
	int status;                  /* 0 or errno, valid when done is called */
	/* Called once, from interrupt or any context; must not sleep. */
	void (*done)(struct blk_request *rq);
	void *arg;
	struct list link;            /* blk/ and drivers */
};

struct blkdev_ops {
	/*
	 * Start a request that blk/ has checked. -EBUSY if the queue's ring is full (on_space tells when not); another
	 * errno if it cannot be started at all (-EIO: broken); in both cases done is not called. Any context.
	 */
	int (*submit)(struct blkdev *d, struct blk_request *rq);
	/* After one or more submits, no lock held: tell the device. NULL: submit does. Any context. */
	void (*kick)(struct blkdev *d, unsigned queue);
	/*
	 * Requests whose time is over (blkdev_is_late) end the device. True while any are under way. From the timer, interrupts masked.
	 * NULL: requests are not watched.
	 */
	bool (*watch)(struct blkdev *d);
};

#define BLKDEV_TIMEOUT_NS (30 * NSEC_PER_SEC)
#define BLKDEV_LOOKS      6u         /* at what is under way, in that time */

struct blkdev {
	const struct blkdev_ops *ops;
	char name[16];               /* "vda" */
	u64 nsectors;
	u32 block_size;              /* logical, bytes */
	u32 max_segs, max_seg_len;
	u32 max_len;                 /* bytes of one read or write; 0: as many as its segments */
	u32 max_discard;             /* sectors of one BLK_DISCARD */
	u32 max_zeroes;              /* sectors of one BLK_WRITE_ZEROES; 0: it cannot */
	u16 nqueues;                 /* 0 and 1: one */
	bool readonly, has_flush, has_discard;
	bool merges;                 /* the driver takes rq->merged, and ends requests with blkdev_done */
	bool page_segs;              /* inside a request, segments begin and end where pages do */
	char serial[21];             /* filled with the first completed request */
	void *queue;                 /* blk/'s */
	u64 requests[BLK_OPS], sectors[BLK_OPS]; /* what the driver was given; blk/ counts, readers need no lock */
	struct list link;
	struct timer watch;
	bool watched;                /* atomic: the timer is armed */
	u32 looks;                   /* how often it has looked */
};

/* Make d known under the next free name. Drivers call this once it works. */
void blkdev_register(struct blkdev *d);
void blkdev_unregister(struct blkdev *d);    /* drivers' remove: nobody uses d any more */
struct blkdev *blkdev_by_index(unsigned index);   /* NULL */
unsigned blkdev_count(void);
/* What blk/ wants to hear. */
struct blkdev_hooks {
	void (*on_space)(struct blkdev *d, unsigned queue);              /* ring space became free after -EBUSY */
	void (*again)(struct blkdev *d, struct blk_request *rq);         /* a part of a merged request that failed: try it alone */
};
extern const struct blkdev_hooks *blkdev_hooks;
void blkdev_on_space(struct blkdev *d, unsigned queue);
/* A request and what was merged with it are done. No lock held. */
void blkdev_done(struct blkdev *d, struct blk_request *rq, int status);
/* They are to be begun again, each by itself. No lock held. */
void blkdev_again(struct blkdev *d, struct blk_request *rq);

/* Drivers: a request was just started; remember d->looks with it. */
void blkdev_watch_begin(struct blkdev *d);
static inline void blkdev_watch(struct blkdev *d)
{
	if (unlikely(!READ_ONCE(d->watched)))
		blkdev_watch_begin(d);
}
static inline bool blkdev_is_late(const struct blkdev *d, u32 looks_at_start) { return d->looks - looks_at_start > BLKDEV_LOOKS; }

#endif
