/*
 * virtio_rng.c - the host's entropy (virtio 1.2, section 5.4). One question at boot, without
 * waiting: the answer goes into the generator when it comes. What came short is asked for again.
 * Locks: none: one buffer, which the interrupt handler alone touches after probe.
 */
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/virtio.h"
#include "mm/heap.h"
#include "sched/random.h"

#define WANT_LEN  64u
#define ASK_MAX   16u                /* a device that answers with nothing is not asked for ever */

struct vrng {
	struct virtio_device *d;
	struct virtqueue *vq;
	unsigned asked;
	unsigned got;
	u8 *buf;
};

static void vrng_ask(struct vrng *g)
{
	struct virtio_buf b = { arch_virt_to_phys(g->buf), WANT_LEN };

	if (g->asked++ < ASK_MAX && virtqueue_add(g->vq, &b, 0, 1, g->buf) == 0)
		virtqueue_kick(g->vq);
}

static void vrng_on_used(struct virtqueue *vq)
{
	struct vrng *g = vq->arg;
	u32 len;

	do {
		while (virtqueue_get(vq, &len)) {
			random_mix(g->buf, len, len * 8);
			memset(g->buf, 0, WANT_LEN);
			g->got += len;
			if (g->got < WANT_LEN)
				vrng_ask(g);
		}
	} while (virtqueue_irq_enable(vq) && !virtio_is_broken(g->d));
	virtio_report(g->d, "virtio-rng");
}

static void vrng_free(struct vrng *g)
{
	virtio_close(g->d);
	heap_free(g->buf);
	heap_free(g);
}

static int vrng_probe(struct device *dev)
{
	if (!virtio_match(dev, VIRTIO_ID_RNG))
		return -ENODEV;
	struct vrng *g = heap_alloc(sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->buf = heap_alloc(WANT_LEN);
	int r = g->buf ? virtio_open(dev, VIRTIO_ID_RNG, &g->d) : -ENOMEM;

	if (r == 0)
		r = virtio_negotiate(g->d, 0);
	if (r == 0)
		r = virtio_irq_setup(g->d, 1, false);
	if (r == 0)
		r = virtio_queue_setup(g->d, 0, 4, vrng_on_used, g, &g->vq);
	if (r < 0) {
		vrng_free(g);
		return r;
	}
	dev->driver_state = g;
	virtio_start(g->d);
	virtqueue_irq_enable(g->vq);
	vrng_ask(g);
	return 0;
}

static void vrng_remove(struct device *dev)
{
	vrng_free(dev->driver_state);
}

const struct driver driver_virtio_rng = { .name = "virtio-rng", .probe = vrng_probe, .remove = vrng_remove };
