/*
 * virtio.c - what all virtio devices share: opening, feature negotiation, configuration, the end
 * of a device that misbehaves.
 *
 * Invariants:
 *  1. d->broken goes from false to true once, and the device has been reset by then: it will not
 *     use buffers any more if it keeps to that much of the protocol.
 *  2. Queues are set up before virtio_start and live until virtio_close.
 *
 * Locks: none; see virtio.h. Can fail: everything that the device answers, as -EIO or -ENODEV.
 */
#include "dev/virtio.h"

#include "base/link.h"
#include "base/log.h"
#include "mm/heap.h"

COUNTER(virtio_broken);

#define RESET_POLLS 100000u          /* reads of the status until a reset has to be done */
#define FEATURES_ALWAYS (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM)

const struct virtio_fake_ops *virtio_fake;

/* NULL where the kernel is for machines without PCI: there none of its devices are found. */
LINK_SLOT_OF(virtio_pci_identify);
LINK_SLOT_OF(virtio_pci_open);
static const volatile struct {
	__typeof__(&virtio_pci_identify) identify;
	__typeof__(&virtio_pci_open) open;
} pci RO_AFTER_INIT = { LINK_SLOT(virtio_pci_identify), LINK_SLOT(virtio_pci_open) };

COLD bool virtio_match(struct device *dev, u32 virtio_id)
{
	if (!dev->identified) {
		dev->identified = true;
		switch (dev->bus) {
		case BUS_VIRTIO_MMIO:
			dev->virtio_id = virtio_mmio_identify(dev);
			break;
		case BUS_PCI:
			dev->virtio_id = pci.identify ? pci.identify(dev) : 0;
			break;
		case BUS_FAKE:
			dev->virtio_id = virtio_fake ? virtio_fake->identify(dev) : 0;
			break;
		}
	}
	return dev->virtio_id == virtio_id && virtio_id != 0;
}

static int transport_open(struct virtio_device *d)
{
	switch (d->dev->bus) {
	case BUS_VIRTIO_MMIO:
		return virtio_mmio_open(d);
	case BUS_PCI:
		return pci.open(d);
	case BUS_FAKE:
		return virtio_fake->open(d);
	}
	return -ENODEV;
}

static int device_reset(struct virtio_device *d)
{
	d->ops->set_status(d, 0);
	for (unsigned i = 0; i < RESET_POLLS; i++) {
		if (d->ops->get_status(d) == 0)
			return 0;
		arch_cpu_relax();
	}
	return -EIO;
}

COLD int virtio_open(struct device *dev, u32 virtio_id, struct virtio_device **ret)
{
	if (!virtio_match(dev, virtio_id))
		return -ENODEV;
	struct virtio_device *d = heap_alloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->dev = dev;
	int r = transport_open(d);

	if (r < 0) {
		heap_free(d);
		return r;
	}
	r = device_reset(d);
	if (r < 0) {
		virtio_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

static int negotiate_failed(struct virtio_device *d)
{
	d->ops->set_status(d, VIRTIO_STATUS_FAILED);
	return -EIO;
}

COLD int virtio_negotiate(struct virtio_device *d, u64 wanted)
{
	u8 status = VIRTIO_STATUS_ACKNOWLEDGE;

	d->ops->set_status(d, status);
	status |= VIRTIO_STATUS_DRIVER;
	d->ops->set_status(d, status);
	d->features = d->ops->get_features(d) & (wanted | FEATURES_ALWAYS);
	if (!virtio_has(d, VIRTIO_F_VERSION_1))
		return negotiate_failed(d);
	d->ops->set_features(d, d->features);
	status |= VIRTIO_STATUS_FEATURES_OK;
	d->ops->set_status(d, status);
	if (!(d->ops->get_status(d) & VIRTIO_STATUS_FEATURES_OK))
		return negotiate_failed(d);
	return 0;
}

int virtio_irq_setup(struct virtio_device *d, unsigned nqueues, bool shared)
{
	return d->ops->irq_setup(d, nqueues, shared);
}

COLD int virtio_queue_setup(struct virtio_device *d, unsigned index, unsigned max_size,
		       void (*on_used)(struct virtqueue *vq), void *arg, struct virtqueue **ret)
{
	u32 size = d->ops->queue_max(d, index);

	if (size == 0 || d->nqueues == VIRTIO_MAX_QUEUES)
		return -ENODEV;
	size = MIN(size, max_size);
	while (!IS_POW2(size))
		size &= size - 1;
	struct virtqueue *vq = virtqueue_create(d, index, size);

	if (!vq)
		return -ENOMEM;
	vq->on_used = on_used;
	vq->arg = arg;
	int r = d->ops->queue_enable(d, vq);

	if (r < 0) {
		virtqueue_destroy(vq);
		return r;
	}
	d->queues[d->nqueues++] = vq;
	*ret = vq;
	return 0;
}

void virtio_start(struct virtio_device *d)
{
	d->ops->set_status(d, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				      VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

void virtio_stop(struct virtio_device *d)
{
	__atomic_store_n(&d->reported, true, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&d->broken, true, __ATOMIC_ACQ_REL))
		(void)device_reset(d);
}

COLD void virtio_close(struct virtio_device *d)
{
	if (!d)
		return;
	virtio_stop(d);
	d->ops->close(d);
	for (unsigned i = 0; i < d->nqueues; i++)
		virtqueue_destroy(d->queues[i]);
	heap_free(d);
}

u8 virtio_config_u8(struct virtio_device *d, unsigned off) { return (u8)d->ops->config_read(d, off, 1); }
u16 virtio_config_u16(struct virtio_device *d, unsigned off) { return (u16)d->ops->config_read(d, off, 2); }
u32 virtio_config_u32(struct virtio_device *d, unsigned off) { return d->ops->config_read(d, off, 4); }

COLD u64 virtio_config_u64(struct virtio_device *d, unsigned off)
{
	u64 v = 0;

	/* A device that changes all the time gives a torn value, which the driver checks like any other. */
	for (unsigned i = 0; i < 8; i++) {
		u32 generation = d->ops->config_generation(d);

		v = d->ops->config_read(d, off, 4) | (u64)d->ops->config_read(d, off + 4, 4) << 32;
		if (d->ops->config_generation(d) == generation)
			break;
	}
	return v;
}

void virtio_break(struct virtio_device *d, const char *why)
{
	if (__atomic_exchange_n(&d->broken, true, __ATOMIC_ACQ_REL))
		return;
	d->broken_why = why;
	counter_bump(virtio_broken);
	(void)device_reset(d);
}

void virtio_report(struct virtio_device *d, const char *name)
{
	if (!virtio_is_broken(d) || __atomic_exchange_n(&d->reported, true, __ATOMIC_RELAXED))
		return;
	log_error("%s: disabled: %s\n", name, d->broken_why ? d->broken_why : "it broke the protocol");
}

void virtio_irq_all_queues(struct virtio_device *d)
{
	for (unsigned i = 0; i < d->nqueues; i++) {
		struct virtqueue *vq = d->queues[i];

		if (vq->on_used && virtqueue_pending(vq))
			vq->on_used(vq);
	}
}

void virtio_irq_config(struct virtio_device *d)
{
	if (d->ops->get_status(d) & VIRTIO_STATUS_NEEDS_RESET)
		virtio_break(d, "the device asks for a reset");
	if (d->on_config)
		d->on_config(d);
}
