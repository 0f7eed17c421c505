/*
 * virtio_pci.c - the PCI transport, modern interface only (virtio 1.2, section 4.1).
 *
 * A transitional device is driven through its modern capabilities; one without them is legacy and
 * not for us. Interrupts: MSI-X, a vector for each queue and one for the configuration; all queues on
 * one where there are fewer entries; the line where there is no MSI-X.
 *
 * Invariants:
 *  1. Every register block lies inside its BAR (pci_bar_map), every queue's doorbell inside the
 *     notification block, every configuration read inside the configuration block.
 *  2. struct vpci is never freed: interrupts keep pointing at it. p->d is NULL while closed.
 * Locks: none. Can fail: -ENODEV for legacy, -EIO for a device that contradicts itself.
 */
#include "dev/virtio.h"

#include "base/log.h"
#include "dev/pci.h"
#include "mm/heap.h"

enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4 };
enum {
	COMMON_FEATURES_SEL = 0, COMMON_FEATURES = 4, COMMON_DRIVER_FEATURES_SEL = 8, COMMON_DRIVER_FEATURES = 12,
	COMMON_CONFIG_VECTOR = 16, COMMON_NUM_QUEUES = 18, COMMON_STATUS = 20, COMMON_GENERATION = 21,
	COMMON_QUEUE_SEL = 22, COMMON_QUEUE_SIZE = 24, COMMON_QUEUE_VECTOR = 26, COMMON_QUEUE_ENABLE = 28,
	COMMON_QUEUE_NOTIFY_OFF = 30, COMMON_QUEUE_DESC = 32, COMMON_QUEUE_DRIVER = 40, COMMON_QUEUE_DEVICE = 48,
	COMMON_LEN = 56,
};
#define NO_VECTOR 0xffffu

struct vpci;
struct vpci_irq {
	struct vpci *p;
	unsigned slot;               /* in d->queues */
};
struct vpci {
	struct device *dev;
	struct virtio_device *d;
	struct pci_bars bars;
	volatile u8 *common, *notify, *isr, *device;
	u64 notify_len, device_len;
	u32 notify_multiplier;
	struct pci_msix msix;
	struct pci_intx intx;
	bool irq_bound, per_queue;
	u16 config_entry, queue_entry;   /* MSI-X entries; queue_entry is the first of them */
	unsigned nqueue_irqs;
	struct vpci_irq irqs[VIRTIO_MAX_QUEUES];
};

static u8 read8(volatile u8 *p) { return *p; }
static u16 read16(volatile u8 *p) { return *(volatile u16 *)(volatile void *)p; }
static u32 read32(volatile u8 *p) { return *(volatile u32 *)(volatile void *)p; }
static void write16(volatile u8 *p, u16 v) { *(volatile u16 *)(volatile void *)p = v; }
static void write32(volatile u8 *p, u32 v) { *(volatile u32 *)(volatile void *)p = v; }

static void write64(volatile u8 *p, u64 v)
{
	write32(p, (u32)v);
	write32(p + 4, (u32)(v >> 32));
}

u32 virtio_pci_identify(struct device *dev)
{
	if (dev->pci.vendor != 0x1af4)
		return 0;
	if (dev->pci.device >= 0x1040 && dev->pci.device <= 0x107f)
		return dev->pci.device - 0x1040u;
	if (dev->pci.device >= 0x1000 && dev->pci.device <= 0x103f)
		return pci_read(dev, PCI_SUBSYSTEM_ID, 2);   /* transitional: section 4.1.2.1 */
	return 0;
}

/* One capability: which block it describes, if it is the first of its kind. */
static void capability_take(struct vpci *p, u8 cap)
{
	if (cap > 0xf0)
		return;
	u32 head = pci_read(p->dev, cap, 4);
	u32 bar = pci_read(p->dev, cap + 4, 1), off = pci_read(p->dev, cap + 8, 4), len = pci_read(p->dev, cap + 12, 4);
	unsigned cap_len = head >> 16 & 0xff, kind = head >> 24;

	if (cap_len < 16)
		return;
	switch (kind) {
	case CFG_COMMON:
		if (!p->common && len >= COMMON_LEN)
			p->common = pci_bar_map(p->dev, &p->bars, bar, off, len);
		break;
	case CFG_NOTIFY:
		if (p->notify || cap_len < 20 || cap > 0xec)
			break;
		p->notify = pci_bar_map(p->dev, &p->bars, bar, off, len);
		p->notify_len = len;
		p->notify_multiplier = pci_read(p->dev, cap + 16, 4);
		break;
	case CFG_ISR:
		if (!p->isr)
			p->isr = pci_bar_map(p->dev, &p->bars, bar, off, len);
		break;
	case CFG_DEVICE:
		if (p->device)
			break;
		p->device = pci_bar_map(p->dev, &p->bars, bar, off, len);
		p->device_len = len;
		break;
	}
}

static u8 vpci_get_status(struct virtio_device *d)
{
	struct vpci *p = d->transport;

	return read8(p->common + COMMON_STATUS);
}

static void vpci_set_status(struct virtio_device *d, u8 status)
{
	struct vpci *p = d->transport;

	p->common[COMMON_STATUS] = status;
}

static u32 vpci_generation(struct virtio_device *d)
{
	struct vpci *p = d->transport;

	return read8(p->common + COMMON_GENERATION);
}

static u64 vpci_get_features(struct virtio_device *d)
{
	struct vpci *p = d->transport;

	write32(p->common + COMMON_FEATURES_SEL, 0);
	u64 low = read32(p->common + COMMON_FEATURES);

	write32(p->common + COMMON_FEATURES_SEL, 1);
	return low | (u64)read32(p->common + COMMON_FEATURES) << 32;
}

static void vpci_set_features(struct virtio_device *d, u64 features)
{
	struct vpci *p = d->transport;

	write32(p->common + COMMON_DRIVER_FEATURES_SEL, 0);
	write32(p->common + COMMON_DRIVER_FEATURES, (u32)features);
	write32(p->common + COMMON_DRIVER_FEATURES_SEL, 1);
	write32(p->common + COMMON_DRIVER_FEATURES, (u32)(features >> 32));
}

static u32 vpci_config_read(struct virtio_device *d, unsigned off, unsigned width)
{
	struct vpci *p = d->transport;

	if (!p->device || off % width || (u64)off + width > p->device_len)
		return 0;
	return width == 1 ? read8(p->device + off) : width == 2 ? read16(p->device + off) : read32(p->device + off);
}

static u32 vpci_queue_max(struct virtio_device *d, unsigned index)
{
	struct vpci *p = d->transport;

	if (index >= read16(p->common + COMMON_NUM_QUEUES))
		return 0;
	write16(p->common + COMMON_QUEUE_SEL, (u16)index);
	return read16(p->common + COMMON_QUEUE_SIZE);
}

static int vpci_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	struct vpci *p = d->transport;

	write16(p->common + COMMON_QUEUE_SEL, vq->index);
	write16(p->common + COMMON_QUEUE_SIZE, vq->size);
	if (p->msix.cap) {
		u16 entry = (u16)(p->queue_entry + (p->per_queue ? d->nqueues : 0));

		if (entry >= p->queue_entry + p->nqueue_irqs)
			return -EIO;
		write16(p->common + COMMON_QUEUE_VECTOR, entry);
		if (read16(p->common + COMMON_QUEUE_VECTOR) != entry)
			return -EIO;
	}
	write64(p->common + COMMON_QUEUE_DESC, arch_virt_to_phys(vq->desc));
	write64(p->common + COMMON_QUEUE_DRIVER, arch_virt_to_phys(vq->avail));
	write64(p->common + COMMON_QUEUE_DEVICE, arch_virt_to_phys(vq->used));
	u64 off = (u64)read16(p->common + COMMON_QUEUE_NOTIFY_OFF) * p->notify_multiplier;

	if (off + sizeof(u16) > p->notify_len || off % sizeof(u16))
		return -EIO;
	vq->notify = p->notify + off;
	write16(p->common + COMMON_QUEUE_ENABLE, 1);
	return 0;
}

static void vpci_notify(struct virtqueue *vq)
{
	*(volatile u16 *)vq->notify = vq->index;
}

static void queue_irq(void *arg)
{
	struct vpci_irq *irq = arg;
	struct virtio_device *d = irq->p->d;

	if (!d || irq->slot >= d->nqueues)
		return;
	struct virtqueue *vq = d->queues[irq->slot];

	if (vq->on_used)
		vq->on_used(vq);
}

static void all_queues_irq(void *arg)
{
	struct vpci *p = arg;

	if (p->d)
		virtio_irq_all_queues(p->d);
}

static void config_irq(void *arg)
{
	struct vpci *p = arg;

	if (p->d)
		virtio_irq_config(p->d);
}

static void everything_irq(void *arg)
{
	all_queues_irq(arg);
	config_irq(arg);
}

static void line_irq(void *arg)
{
	struct vpci *p = arg;
	u8 status = p->d && p->isr ? read8(p->isr) : 0;   /* reading acknowledges */

	if (status & 1)
		all_queues_irq(p);
	if (status & 2)
		config_irq(p);
}

static int msix_bind(struct vpci *p, unsigned entry, unsigned cpu, arch_irq_handler handler, void *arg)
{
	unsigned vector;
	int r = arch_vector_alloc(handler, arg, &vector);

	if (r == 0)
		pci_msix_set(&p->msix, entry, vector, cpu);
	return r;
}

static int msix_setup(struct vpci *p, unsigned nqueues, bool shared)
{
	int r;

	if (p->msix.count == 1) {
		p->config_entry = p->queue_entry = 0;
		p->nqueue_irqs = 1;
		return msix_bind(p, 0, 0, everything_irq, p);
	}
	p->config_entry = 0;
	p->queue_entry = 1;
	p->per_queue = !shared && nqueues < p->msix.count && nqueues <= VIRTIO_MAX_QUEUES;
	p->nqueue_irqs = p->per_queue ? nqueues : 1;
	r = msix_bind(p, 0, 0, config_irq, p);
	if (r == 0 && !p->per_queue)
		r = msix_bind(p, 1, 0, all_queues_irq, p);
	for (unsigned i = 0; r == 0 && p->per_queue && i < nqueues; i++) {
		p->irqs[i] = (struct vpci_irq){ p, i };
		r = msix_bind(p, 1 + i, p->d->irq_per_cpu ? i % arch_cpu_count() : 0, queue_irq, &p->irqs[i]);
	}
	return r;
}

static int vpci_irq_setup(struct virtio_device *d, unsigned nqueues, bool shared)
{
	struct vpci *p = d->transport;
	int r = 0;

	if (!p->irq_bound) {
		if (pci_msix_init(p->dev, &p->bars, &p->msix) == 0)
			r = msix_setup(p, nqueues, shared);
		else
			r = p->isr ? pci_intx_bind(p->dev, &p->intx, line_irq, p) : -EIO;
		p->irq_bound = r == 0;
	}
	if (r < 0 || !p->msix.cap)
		return r;
	write16(p->common + COMMON_CONFIG_VECTOR, p->config_entry);
	return read16(p->common + COMMON_CONFIG_VECTOR) == p->config_entry ? 0 : -EIO;
}

static void vpci_close(struct virtio_device *d)
{
	struct vpci *p = d->transport;

	p->d = NULL;
}

static const struct virtio_transport_ops vpci_ops = {
	.get_status = vpci_get_status,
	.set_status = vpci_set_status,
	.get_features = vpci_get_features,
	.set_features = vpci_set_features,
	.config_generation = vpci_generation,
	.config_read = vpci_config_read,
	.queue_max = vpci_queue_max,
	.queue_enable = vpci_queue_enable,
	.notify = vpci_notify,
	.irq_setup = vpci_irq_setup,
	.close = vpci_close,
};

static struct vpci *vpci_find_blocks(struct device *dev)
{
	struct vpci *p = heap_alloc(sizeof(*p));
	u8 cap = 0;

	if (!p)
		return NULL;
	p->dev = dev;
	/* The walk is bounded for each step; the steps are bounded by the room for capabilities. */
	for (unsigned i = 0; i < 48 && (cap = pci_find_capability(dev, PCI_CAP_VENDOR, cap)) != 0; i++)
		capability_take(p, cap);
	dev->driver_data = p;
	return p;
}

int virtio_pci_open(struct virtio_device *d)
{
	struct device *dev = d->dev;
	struct vpci *p = dev->driver_data ? dev->driver_data : vpci_find_blocks(dev);

	if (!p)
		return -ENOMEM;
	if (!p->common || !p->notify) {
		log_error("virtio-pci: the device of type %u has no modern interface that can be used (QEMU: disable-modern=off)\n", dev->virtio_id);
		return -EIO;
	}
	pci_enable(dev);
	p->d = d;
	d->transport = p;
	d->ops = &vpci_ops;
	return 0;
}
