/*
 * fake_virtio.h - the device's side of virtio, for unit tests and fuzzers: registers as variables,
 * rings read and written as a device would (or as a hostile one would).
 *
 * A test fills struct fake (id, features, configuration, sizes of queues), calls fake_add and probes the
 * driver. Then it takes chains with fake_pop, answers with fake_push, and raises interrupts.
 */
#ifndef TESTS_FAKE_VIRTIO_H
#define TESTS_FAKE_VIRTIO_H

#include "arch/host/host.h"
#include "base/log.h"
#include "base/string.h"
#include "dev/virtio.h"

#define FAKE_QUEUES 16u
#define FAKE_SEGS   128u

struct fake_queue {
	u32 max;                     /* size; 0: no such queue */
	struct virtqueue *vq;        /* for the addresses of its rings */
	u16 avail_seen, used_idx;
	unsigned kicks;
};

struct fake {
	struct device dev;
	u32 id;
	u64 offers, accepted;
	u8 status;
	bool refuse_features, stuck_reset;
	u8 config[64];
	unsigned generation;
	struct fake_queue q[FAKE_QUEUES];
	struct virtio_device *d;     /* NULL while closed */
	unsigned resets;
	/* Called on each doorbell; NULL: only counted. */
	void (*on_kick)(struct fake *f, unsigned queue);
};

/* A chain as the device sees it. */
struct fake_chain {
	u16 head;
	unsigned nout, nin;
	struct {
		u8 *p;
		u32 len;
	} out[FAKE_SEGS], in[FAKE_SEGS];
	u32 in_len;
	bool indirect;
};

static inline u8 *fake_ptr(u64 pa) { return (u8 *)arch_phys_to_virt(MiB) + (pa - MiB); }
static inline struct fake *fake_of(struct virtio_device *d) { return d->transport; }

static inline u8 fake_get_status(struct virtio_device *d) { return fake_of(d)->status; }
static inline void fake_set_status(struct virtio_device *d, u8 status)
{
	struct fake *f = fake_of(d);

	if (status == 0) {
		f->resets++;
		if (f->stuck_reset)
			return;
		for (unsigned i = 0; i < FAKE_QUEUES; i++)
			f->q[i].avail_seen = f->q[i].used_idx = 0;
	}
	if (f->refuse_features)
		status &= (u8)~VIRTIO_STATUS_FEATURES_OK;
	f->status = status;
}
static inline u64 fake_get_features(struct virtio_device *d) { return fake_of(d)->offers; }
static inline void fake_set_features(struct virtio_device *d, u64 v) { fake_of(d)->accepted = v; }
static inline u32 fake_generation(struct virtio_device *d) { return fake_of(d)->generation; }
static inline u32 fake_config_read(struct virtio_device *d, unsigned off, unsigned width)
{
	u32 v = 0;

	if (off + width <= sizeof(fake_of(d)->config))
		memcpy(&v, fake_of(d)->config + off, width);
	return v;
}
static inline u32 fake_queue_max(struct virtio_device *d, unsigned i) { return i < FAKE_QUEUES ? fake_of(d)->q[i].max : 0; }
static inline int fake_queue_enable(struct virtio_device *d, struct virtqueue *vq)
{
	fake_of(d)->q[vq->index].vq = vq;
	return 0;
}
static inline void fake_notify(struct virtqueue *vq)
{
	struct fake *f = fake_of(vq->dev);

	f->q[vq->index].kicks++;
	if (f->on_kick)
		f->on_kick(f, vq->index);
}
static inline int fake_irq_setup(struct virtio_device *d, unsigned n, bool shared) { return 0; }
static inline void fake_close(struct virtio_device *d)
{
	struct fake *f = fake_of(d);

	f->d = NULL;
	for (unsigned i = 0; i < FAKE_QUEUES; i++)
		f->q[i].vq = NULL;
}

static const struct virtio_transport_ops fake_transport = {
	.get_status = fake_get_status,
	.set_status = fake_set_status,
	.get_features = fake_get_features,
	.set_features = fake_set_features,
	.config_generation = fake_generation,
	.config_read = fake_config_read,
	.queue_max = fake_queue_max,
	.queue_enable = fake_queue_enable,
	.notify = fake_notify,
	.irq_setup = fake_irq_setup,
	.close = fake_close,
};

static inline u32 fake_identify(struct device *dev) { return container_of(dev, struct fake, dev)->id; }
static inline int fake_open(struct virtio_device *d)
{
	struct fake *f = container_of(d->dev, struct fake, dev);

	d->ops = &fake_transport;
	d->transport = f;
	f->d = d;
	return 0;
}
static const struct virtio_fake_ops fake_ops = { .identify = fake_identify, .open = fake_open };

/* Make the device known; device_probe_all finds its driver. */
static inline void fake_add(struct fake *f)
{
	virtio_fake = &fake_ops;
	f->dev.bus = BUS_FAKE;
	device_add(&f->dev);
}

static inline void fake_walk(struct fake_chain *c, const struct virtq_desc *table, unsigned n, u16 at)
{
	for (unsigned i = 0; i < n && at < n; i++) {
		const struct virtq_desc *d = &table[at];

		if (d->flags & VIRTQ_DESC_INDIRECT) {
			c->indirect = true;
			fake_walk(c, (const struct virtq_desc *)(void *)fake_ptr(d->addr), d->len / 16, 0);
		} else if ((d->flags & VIRTQ_DESC_WRITE) && c->nin < FAKE_SEGS) {
			c->in[c->nin].p = fake_ptr(d->addr);
			c->in[c->nin++].len = d->len;
			c->in_len += d->len;
		} else if (c->nout < FAKE_SEGS) {
			c->out[c->nout].p = fake_ptr(d->addr);
			c->out[c->nout++].len = d->len;
		}
		if (!(d->flags & VIRTQ_DESC_NEXT))
			return;
		at = d->next;
	}
}

static inline unsigned fake_available(const struct fake *f, unsigned q)
{
	return f->q[q].vq ? (u16)(f->q[q].vq->avail->idx - f->q[q].avail_seen) : 0;
}

/* The next available chain; false if none. */
static inline bool fake_pop(struct fake *f, unsigned q, struct fake_chain *c)
{
	struct fake_queue *fq = &f->q[q];

	memset(c, 0, sizeof(*c));
	if (!fake_available(f, q))
		return false;
	c->head = fq->vq->avail->ring[fq->avail_seen++ % fq->vq->size];
	fake_walk(c, fq->vq->desc, fq->vq->size, c->head);
	/* As devices do: tell about the very next chain. */
	*(u16 *)(void *)&fq->vq->used->ring[fq->vq->size] = fq->avail_seen;
	return true;
}

/* Whether the device may interrupt for the step to the current used index. */
static inline bool fake_may_interrupt(const struct fake *f, unsigned q, u16 before)
{
	const struct fake_queue *fq = &f->q[q];
	u16 event = fq->vq->avail->ring[fq->vq->size];

	if (!(f->accepted & VIRTIO_F_EVENT_IDX))
		return !(fq->vq->avail->flags & VIRTQ_AVAIL_NO_INTERRUPT);
	return (u16)(fq->used_idx - event - 1) < (u16)(fq->used_idx - before);
}

/* Return a chain. True if an interrupt is due (fake_irq). */
static inline bool fake_push_raw(struct fake *f, unsigned q, u32 id, u32 len)
{
	struct fake_queue *fq = &f->q[q];
	u16 before = fq->used_idx;

	fq->vq->used->ring[fq->used_idx % fq->vq->size] = (struct virtq_used_elem){ id, len };
	fq->used_idx++;
	__atomic_store_n(&fq->vq->used->idx, fq->used_idx, __ATOMIC_RELEASE);
	return fake_may_interrupt(f, q, before);
}
static inline bool fake_push(struct fake *f, unsigned q, const struct fake_chain *c, u32 len)
{
	return fake_push_raw(f, q, c->head, len);
}

/* Deliver a queue's interrupt. */
static inline void fake_irq(struct fake *f, unsigned q)
{
	struct virtqueue *vq = f->q[q].vq;

	if (vq && vq->on_used)
		vq->on_used(vq);
}

static inline u32 fake_gather(const struct fake_chain *c, void *buf, u32 size)
{
	u32 n = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		u32 k = MIN(c->out[i].len, size - n);

		memcpy((u8 *)buf + n, c->out[i].p, k);
		n += k;
	}
	return n;
}
static inline u32 fake_scatter(const struct fake_chain *c, const void *buf, u32 len)
{
	u32 n = 0;

	for (unsigned i = 0; i < c->nin; i++) {
		u32 k = MIN(c->in[i].len, len - n);

		memcpy(c->in[i].p, (const u8 *)buf + n, k);
		n += k;
	}
	return n;
}

#endif
