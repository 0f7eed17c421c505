/*
 * virtio_balloon.c - free memory goes back to the host (virtio 1.2, section 5.5.6.7, free page reporting).
 *
 * DELAY_NS after the page allocator has blocks that the host was not told of, they are shown to it, BATCH at a time; the host
 * drops the memory behind them, and each next use of them gets zeros. While a batch is under way its blocks are nobody's. When all
 * blocks are known nothing runs. The balloon itself (pages that the host asks for) is not inflated.
 *
 * Locks: B guards the queue and the batch; it is taken before the allocator's. The timer is armed with the allocator's lock held.
 * A broken device gets nothing more; what it had goes back to the allocator.
 */
#include "arch/spinlock.h"
#include "base/errno.h"
#include "base/log.h"
#include "dev/virtio.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/timer.h"

#define DELAY_NS (2ull * 1000 * 1000 * 1000)
#define BATCH    32u

#define BALLOON_F_STATS_VQ  (1ull << 1)
#define BALLOON_F_HINT      (1ull << 3)
#define BALLOON_F_REPORTING (1ull << 5)

static struct balloon {
	struct virtio_device *d;
	struct virtqueue *vq;
	struct spinlock lock;        /* B */
	struct timer timer;
	unsigned count;              /* blocks of the batch under way */
	struct page *block[BATCH];
} balloon;

/* There may be blocks to report: in a while, when those that come and go are gone. */
static void balloon_wanted(void)
{
	timer_arm(&balloon.timer, arch_clock_mono_ns() + DELAY_NS);
}

static void balloon_take_back_locked(struct balloon *b)
{
	page_report_done(b->block, b->count);
	b->count = 0;
}

static void balloon_report_locked(struct balloon *b)
{
	struct virtio_buf bufs[BATCH];

	if (b->count || virtio_is_broken(b->d))
		return;
	b->count = page_report_take(b->block, b->vq->size, balloon_wanted);
	for (unsigned i = 0; i < b->count; i++)
		bufs[i] = (struct virtio_buf){ page_to_phys(b->block[i]), (u32)PAGE_SIZE << b->block[i]->index };
	if (!b->count)
		return;
	if (virtqueue_add(b->vq, bufs, 0, b->count, b) < 0)
		balloon_take_back_locked(b);
	else
		virtqueue_kick(b->vq);
}

static void balloon_on_timer(struct timer *t)
{
	struct balloon *b = container_of(t, struct balloon, timer);
	irq_flags_t f = spin_lock_irqsave(&b->lock);

	balloon_report_locked(b);
	spin_unlock_irqrestore(&b->lock, f);
}

static void balloon_on_used(struct virtqueue *vq)
{
	struct balloon *b = vq->arg;
	irq_flags_t f = spin_lock_irqsave(&b->lock);
	u32 len;

	do {
		if (virtqueue_get(vq, &len) || (virtio_is_broken(b->d) && virtqueue_detach(vq))) {
			balloon_take_back_locked(b);
			balloon_report_locked(b);
		}
	} while (virtqueue_irq_enable(vq) && !virtio_is_broken(b->d));
	spin_unlock_irqrestore(&b->lock, f);
	virtio_report(b->d, "virtio-balloon");
}

static void balloon_remove(struct device *dev)
{
	struct balloon *b = dev->driver_state;

	virtio_stop(b->d);
	b->count += page_report_take(b->block, 0, NULL);     /* 0: the allocator tells nobody any more */
	timer_cancel(&b->timer);
	balloon_take_back_locked(b);
	virtio_close(b->d);
	b->d = NULL;
}

static int balloon_probe(struct device *dev)
{
	struct balloon *b = &balloon;

	if (b->d || !virtio_match(dev, VIRTIO_ID_BALLOON))
		return -ENODEV;
	int r = virtio_open(dev, VIRTIO_ID_BALLOON, &b->d);

	if (r < 0)
		return r;
	/* Queues that the device offers stand before this one, whether they are used or not (as Linux counts them). */
	u64 offered = b->d->ops->get_features(b->d);
	unsigned index = 2 + !!(offered & BALLOON_F_STATS_VQ) + !!(offered & BALLOON_F_HINT);

	r = offered & BALLOON_F_REPORTING ? virtio_negotiate(b->d, BALLOON_F_REPORTING) : -ENODEV;
	if (r == 0)
		r = virtio_irq_setup(b->d, 1, false);
	if (r == 0)
		r = virtio_queue_setup(b->d, index, BATCH, balloon_on_used, b, &b->vq);
	if (r < 0) {
		virtio_close(b->d);
		b->d = NULL;
		return r;
	}
	dev->driver_state = b;
	timer_init(&b->timer, balloon_on_timer);
	virtio_start(b->d);
	virtqueue_irq_enable(b->vq);
	balloon_wanted();
	return 0;
}

const struct driver driver_virtio_balloon = { .name = "virtio-balloon", .probe = balloon_probe, .remove = balloon_remove };
