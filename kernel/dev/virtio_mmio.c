/*
 * virtio_mmio.c - the MMIO transport, version 2 (virtio 1.2, section 4.2).
 *
 * One interrupt line for a device. Its status register costs an exit to read, so when a queue
 * has work the handler acknowledges everything unread; a configuration change that hides behind that
 * is found by the generation, looked at now and then. The line is used as an edge: it falls with the
 * acknowledgement and rises with the next event, on every VMM with this transport.
 *
 * Invariants: struct mmio is never freed, for the interrupt keeps pointing at it; m->d is NULL
 * while the device is closed.
 * Locks: none. Can fail: anything that is not "version 2" is not a device for us.
 */
#include "dev/virtio.h"

#include "base/log.h"
#include "mm/heap.h"

enum {
	REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE_ID = 0x008,
	REG_FEATURES = 0x010, REG_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020, REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030, REG_QUEUE_MAX = 0x034, REG_QUEUE_SIZE = 0x038, REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050, REG_IRQ_STATUS = 0x060, REG_IRQ_ACK = 0x064, REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080, REG_QUEUE_DRIVER = 0x090, REG_QUEUE_DEVICE = 0x0a0,
	REG_GENERATION = 0x0fc, REG_CONFIG = 0x100,
};
#define MMIO_MAGIC      0x74726976u  /* "virt" */
#define IRQ_QUEUE       1u
#define IRQ_CONFIG      2u
#define BLIND_ACKS      32u          /* acknowledgements between looks at the generation */

struct mmio {
	volatile u8 *regs;
	u64 size;
	struct virtio_device *d;
	unsigned vector;
	bool irq_bound;
	u32 generation;
	unsigned blind;
};

static u32 reg_read(const struct mmio *m, unsigned off) { return *(volatile u32 *)(volatile void *)(m->regs + off); }
static void reg_write(const struct mmio *m, unsigned off, u32 v) { *(volatile u32 *)(volatile void *)(m->regs + off) = v; }

static void reg_write64(const struct mmio *m, unsigned off, u64 v)
{
	reg_write(m, off, (u32)v);
	reg_write(m, off + 4, (u32)(v >> 32));
}

/* Devices lie close together: one mapping of a page serves its neighbours. */
static volatile u8 *regs_map(phys_t pa, u64 len)
{
	static phys_t page_pa;
	static volatile u8 *page;
	phys_t first = ROUND_DOWN(pa, PAGE_SIZE), end = ROUND_UP(pa + len, PAGE_SIZE);

	if (page && first == page_pa && end == first + PAGE_SIZE)
		return page + (pa - first);
	volatile u8 *v = arch_map_device(first, end - first);

	if (!v)
		return NULL;
	page_pa = first;
	page = v;
	return v + (pa - first);
}

u32 virtio_mmio_identify(struct device *dev)
{
	if (dev->mmio.size < REG_CONFIG || dev->mmio.size > 64 * KiB || dev->mmio.base % 4)
		return 0;
	struct mmio m = { .regs = regs_map(dev->mmio.base, dev->mmio.size), .size = dev->mmio.size };

	if (!m.regs || reg_read(&m, REG_MAGIC) != MMIO_MAGIC)
		return 0;
	u32 version = reg_read(&m, REG_VERSION), id = reg_read(&m, REG_DEVICE_ID);

	if (id == 0)
		return 0;
	if (version != 2) {
		log_error("virtio-mmio: a device of type %u speaks legacy version %u, which Pith does not (QEMU: -global virtio-mmio.force-legacy=false)\n",
			  id, version);
		return 0;
	}
	struct mmio *keep = heap_alloc(sizeof(*keep));

	if (!keep)
		return 0;
	*keep = m;
	dev->driver_data = keep;
	return id;
}

static u8 mmio_get_status(struct virtio_device *d) { return (u8)reg_read(d->transport, REG_STATUS); }
static void mmio_set_status(struct virtio_device *d, u8 status) { reg_write(d->transport, REG_STATUS, status); }
static u32 mmio_generation(struct virtio_device *d) { return reg_read(d->transport, REG_GENERATION); }

static u64 mmio_get_features(struct virtio_device *d)
{
	struct mmio *m = d->transport;

	reg_write(m, REG_FEATURES_SEL, 0);
	u64 low = reg_read(m, REG_FEATURES);

	reg_write(m, REG_FEATURES_SEL, 1);
	return low | (u64)reg_read(m, REG_FEATURES) << 32;
}

static void mmio_set_features(struct virtio_device *d, u64 features)
{
	struct mmio *m = d->transport;

	reg_write(m, REG_DRIVER_FEATURES_SEL, 0);
	reg_write(m, REG_DRIVER_FEATURES, (u32)features);
	reg_write(m, REG_DRIVER_FEATURES_SEL, 1);
	reg_write(m, REG_DRIVER_FEATURES, (u32)(features >> 32));
}

static u32 mmio_config_read(struct virtio_device *d, unsigned off, unsigned width)
{
	struct mmio *m = d->transport;
	volatile u8 *p = m->regs + REG_CONFIG + off;

	if (off % width || REG_CONFIG + (u64)off + width > m->size)
		return 0;
	return width == 1 ? *p : width == 2 ? *(volatile u16 *)(volatile void *)p : *(volatile u32 *)(volatile void *)p;
}

static u32 mmio_queue_max(struct virtio_device *d, unsigned index)
{
	reg_write(d->transport, REG_QUEUE_SEL, index);
	return reg_read(d->transport, REG_QUEUE_READY) ? 0 : reg_read(d->transport, REG_QUEUE_MAX);
}

static int mmio_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	struct mmio *m = d->transport;

	reg_write(m, REG_QUEUE_SEL, vq->index);
	reg_write(m, REG_QUEUE_SIZE, vq->size);
	reg_write64(m, REG_QUEUE_DESC, arch_virt_to_phys(vq->desc));
	reg_write64(m, REG_QUEUE_DRIVER, arch_virt_to_phys(vq->avail));
	reg_write64(m, REG_QUEUE_DEVICE, arch_virt_to_phys(vq->used));
	reg_write(m, REG_QUEUE_READY, 1);
	vq->notify = m->regs + REG_QUEUE_NOTIFY;
	vq->vector = m->vector;
	return 0;
}

static void mmio_notify(struct virtqueue *vq)
{
	*(volatile u32 *)vq->notify = vq->index;
}

static void mmio_irq(void *arg)
{
	struct mmio *m = arg;
	struct virtio_device *d = m->d;
	bool work = false;
	u32 status = IRQ_QUEUE | IRQ_CONFIG;

	if (!d)
		return;
	for (unsigned i = 0; i < d->nqueues && !work; i++)
		work = virtqueue_pending(d->queues[i]);
	if (!work)
		status = reg_read(m, REG_IRQ_STATUS);
	reg_write(m, REG_IRQ_ACK, status);
	virtio_irq_all_queues(d);
	if (work) {
		u32 generation = ++m->blind % BLIND_ACKS == 0 ? reg_read(m, REG_GENERATION) : m->generation;

		if (generation == m->generation)
			return;
		m->generation = generation;
	} else if (!(status & IRQ_CONFIG)) {
		return;
	}
	virtio_irq_config(d);
}

static int mmio_irq_setup(struct virtio_device *d, unsigned nqueues, bool shared)
{
	struct mmio *m = d->transport;

	m->generation = reg_read(m, REG_GENERATION);
	if (m->irq_bound)
		return 0;
	int r = arch_vector_alloc(mmio_irq, m, &m->vector);

	if (r == 0)
		r = arch_gsi_route(d->dev->mmio.gsi, m->vector, false, false);
	m->irq_bound = r == 0;
	return r;
}

static void mmio_close(struct virtio_device *d)
{
	struct mmio *m = d->transport;

	m->d = NULL;
}

static const struct virtio_transport_ops mmio_ops = {
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.config_generation = mmio_generation,
	.config_read = mmio_config_read,
	.queue_max = mmio_queue_max,
	.queue_enable = mmio_queue_enable,
	.notify = mmio_notify,
	.irq_setup = mmio_irq_setup,
	.close = mmio_close,
};

int virtio_mmio_open(struct virtio_device *d)
{
	struct mmio *m = d->dev->driver_data;

	m->d = d;
	d->transport = m;
	d->ops = &mmio_ops;
	return 0;
}
