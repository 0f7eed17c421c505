/*
 * blkdev.c - the register of block devices, and what drivers share: ends of requests, and the watch over those that are under way.
 * The register is written at boot (and by tests), then read only. No locks.
 */
#include "base/errno.h"
#include "base/print.h"
#include "dev/blkdev.h"

#define LOOK_NS (BLKDEV_TIMEOUT_NS / BLKDEV_LOOKS)

const struct blkdev_hooks *blkdev_hooks RO_AFTER_INIT;

static struct list blkdevs = LIST_INIT(blkdevs);
static unsigned ndevices;

static void watch_arm(struct blkdev *d)
{
	if (!__atomic_exchange_n(&d->watched, true, __ATOMIC_SEQ_CST))
		timer_arm(&d->watch, arch_clock_mono_ns() + LOOK_NS);
}

/*
 * Time is counted in looks, each armed by the one before: a machine that was stopped for an hour does not take
 * its disks for dead when it goes on.
 */
static void watch_fire(struct timer *t)
{
	struct blkdev *d = container_of(t, struct blkdev, watch);

	WRITE_ONCE(d->looks, d->looks + 1);
	/* Who starts a request from here on arms the timer itself, if this look does not. */
	__atomic_store_n(&d->watched, false, __ATOMIC_SEQ_CST);
	if (d->ops->watch(d))
		watch_arm(d);
}

void blkdev_watch_begin(struct blkdev *d)
{
	watch_arm(d);
}

void blkdev_register(struct blkdev *d)
{
	unsigned n = ndevices++;

	if (n < 26)
		fmt_buf(d->name, sizeof(d->name), "vd%c", 'a' + (int)n);
	else
		fmt_buf(d->name, sizeof(d->name), "vd%c%c", 'a' + (int)(n / 26 - 1) % 26, 'a' + (int)(n % 26));
	timer_init(&d->watch, watch_fire);
	list_append(&blkdevs, &d->link);
}

void blkdev_unregister(struct blkdev *d)
{
	timer_cancel(&d->watch);
	list_remove(&d->link);
	ndevices--;
}

struct blkdev *blkdev_by_index(unsigned index)
{
	struct blkdev *d;

	list_for_each_entry(d, &blkdevs, link)
		if (index-- == 0)
			return d;
	return NULL;
}

unsigned blkdev_count(void) { return ndevices; }

void blkdev_on_space(struct blkdev *d, unsigned queue)
{
	if (blkdev_hooks)
		blkdev_hooks->on_space(d, queue);
}

/* Each of what was merged: over with that status, or to be begun again. */
static void requests_part(struct blkdev *d, struct blk_request *rq, int status, bool again)
{
	while (rq) {
		struct blk_request *next = rq->merged;

		rq->merged = NULL;
		if (again && blkdev_hooks) {
			blkdev_hooks->again(d, rq);
		} else {
			rq->status = status;
			rq->done(rq);
		}
		rq = next;
	}
}

void blkdev_done(struct blkdev *d, struct blk_request *rq, int status)
{
	/* One bad sector must not cost its neighbours. */
	requests_part(d, rq, status, status < 0 && rq->merged);
}

void blkdev_again(struct blkdev *d, struct blk_request *rq)
{
	requests_part(d, rq, -EIO, true);
}
