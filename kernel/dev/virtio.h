/*
 * virtio.h - virtio devices and their queues (virtio 1.2), for drivers/.
 *
 * A driver's probe goes through these steps (section 3.1.1), any of which may fail:
 *
 *   virtio_open        is it my kind? map it, reset it
 *   virtio_negotiate   agree on features
 *   virtio_queue_setup for each queue that the driver uses
 *   virtio_start       DRIVER_OK: from here on interrupts come
 *   virtio_close       undo everything, at any point
 *
 * The device is not trusted. What it writes into the rings is checked in virtqueue_get; on
 * the first violation the device is "broken": reset, counted in counter_virtio_broken, and every
 * later call on it gives -EIO or NULL. The driver sees d->broken, takes back what was in flight
 * with virtqueue_detach and fails it. What the device wrote into buffers is the driver's to check.
 *
 * Locks: none in here. A queue belongs to its driver's lock, taken around every virtqueue_* call.
 * Nothing here sleeps; all of virtqueue_* may be called from interrupts.
 */
#ifndef DEV_VIRTIO_H
#define DEV_VIRTIO_H

#include "base/counter.h"
#include "base/errno.h"
#include "dev/driver.h"
#include "dev/virtio_ring.h"

struct virtio_device;
struct virtqueue;

COUNTER_DECLARE(virtio_broken);      /* devices disabled for a violation */

/* One piece of a request: physically contiguous, len > 0. */
struct virtio_buf {
	phys_t pa;
	u32 len;
};

/* What the driver remembers of a chain, indexed by its first descriptor. */
struct virtq_chain {
	void *token;
	u32 in_len;                  /* bytes that the device may write */
	u16 next;                    /* the following descriptor, in a chain or on the free list */
	u16 ndesc;                   /* 0: not the head of a chain in flight */
};

struct virtqueue {
	struct virtio_device *dev;
	struct virtq_desc *desc;     /* shared with the device; never read back */
	struct virtq_avail *avail;
	struct virtq_used *used;
	struct virtq_chain *chains;  /* the driver's own truth */
	u16 size;                    /* a power of two */
	u16 index;
	u16 nfree, free_head;        /* descriptors */
	u16 avail_idx, kicked_idx, used_idx;
	u16 ninflight;               /* chains */
	bool event_idx, irq_armed;
	/* Interrupt: used buffers may be there. Called with interrupts masked. */
	void (*on_used)(struct virtqueue *vq);
	void *arg;
	volatile void *notify;       /* the transport's */
	unsigned vector;
};

#define VIRTIO_MAX_QUEUES 16u        /* that a driver sets up */

/* How a transport does it. Registers only: no policy. */
struct virtio_transport_ops {
	u8 (*get_status)(struct virtio_device *d);
	void (*set_status)(struct virtio_device *d, u8 status);
	u64 (*get_features)(struct virtio_device *d);
	void (*set_features)(struct virtio_device *d, u64 features);
	u32 (*config_generation)(struct virtio_device *d);
	/* width is 1, 2 or 4; what lies beyond the device's configuration reads as 0. */
	u32 (*config_read)(struct virtio_device *d, unsigned off, unsigned width);
	/* Largest size of a queue, 0 if there is no such queue. */
	u32 (*queue_max)(struct virtio_device *d, unsigned index);
	/* Give the device the ring addresses of vq and its interrupt. */
	int (*queue_enable)(struct virtio_device *d, struct virtqueue *vq);
	void (*notify)(struct virtqueue *vq);
	/* Before the first queue: interrupts for nqueues queues, all on one vector if shared. */
	int (*irq_setup)(struct virtio_device *d, unsigned nqueues, bool shared);
	void (*close)(struct virtio_device *d);
};

struct virtio_device {
	struct device *dev;
	const struct virtio_transport_ops *ops;
	void *transport;             /* the transport's own */
	u64 features;                /* negotiated */
	bool broken;                 /* atomic */
	bool reported;
	bool irq_per_cpu;            /* before virtio_irq_setup: the interrupt of queue i goes to CPU i, where it can have one of its own */
	const char *broken_why;
	void *driver;                /* the driver's own */
	/* The device changed its configuration (or broke: look at broken). Interrupts masked. May be NULL. */
	void (*on_config)(struct virtio_device *d);
	struct virtqueue *queues[VIRTIO_MAX_QUEUES];
	unsigned nqueues;
};

/* ---- Devices ------------------------------------------------------------------- */

/* True if dev is a virtio device of this kind. */
bool virtio_match(struct device *dev, u32 virtio_id);
/* Open dev and reset it. *ret is freed by virtio_close. -ENODEV if it is not of this kind (or legacy), -EIO, -ENOMEM. */
int virtio_open(struct device *dev, u32 virtio_id, struct virtio_device **ret) MUST_CHECK;
/* Accept what is both offered and wanted, and VERSION_1 (required), EVENT_IDX and ACCESS_PLATFORM. -EIO if refused. */
int virtio_negotiate(struct virtio_device *d, u64 wanted) MUST_CHECK;
static inline bool virtio_has(const struct virtio_device *d, u64 feature) { return d->features & feature; }
/* Once, before queues: nqueues queues will be set up, each with an interrupt of its own if there are enough, or all on one. */
int virtio_irq_setup(struct virtio_device *d, unsigned nqueues, bool shared) MUST_CHECK;
/* A queue of at most max_size entries. -ENODEV if the device has none of this index, -ENOMEM. Interrupts begin armed off. */
int virtio_queue_setup(struct virtio_device *d, unsigned index, unsigned max_size,
		       void (*on_used)(struct virtqueue *vq), void *arg, struct virtqueue **ret) MUST_CHECK;
void virtio_start(struct virtio_device *d);
/* Reset: the device uses nothing any more, calls fail as if it were broken, virtqueue_detach gives what was in flight. */
void virtio_stop(struct virtio_device *d);
/* Reset, free the queues and d. NULL is fine. The interrupt vectors stay bound, to nothing. */
void virtio_close(struct virtio_device *d);

/* Fields of the device's configuration; u64 is read whole (generation, section 2.5.2). */
u8 virtio_config_u8(struct virtio_device *d, unsigned off);
u16 virtio_config_u16(struct virtio_device *d, unsigned off);
u32 virtio_config_u32(struct virtio_device *d, unsigned off);
u64 virtio_config_u64(struct virtio_device *d, unsigned off);

/* The device said something impossible: disable it. Any context, locks may be held (it does not log). */
void virtio_break(struct virtio_device *d, const char *why);
static inline bool virtio_is_broken(const struct virtio_device *d)
{
	return __atomic_load_n(&d->broken, __ATOMIC_ACQUIRE);
}
/* Log once that d is broken. With no driver lock held. */
void virtio_report(struct virtio_device *d, const char *name);
/* Transports: an interrupt for one queue, for all queues, for the configuration. */
void virtio_irq_all_queues(struct virtio_device *d);
void virtio_irq_config(struct virtio_device *d);

/* ---- Queues -------------------------------------------------------------------- */

/*
 * Make a chain available: nout buffers that the device reads, then nin that it writes. token (not
 * NULL) comes back from virtqueue_get. -EBUSY: no room now; -EINVAL: never; -EIO: broken.
 */
int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, unsigned nout, unsigned nin, void *token) MUST_CHECK;
/* The same of one buffer. */
int virtqueue_add_one(struct virtqueue *vq, struct virtio_buf buf, bool in, void *token) MUST_CHECK;
/*
 * The same in one descriptor of the ring, through table (nout + nin entries, direct map, the
 * caller's until token comes back). Only if VIRTIO_F_INDIRECT_DESC was negotiated.
 */
int virtqueue_add_indirect(struct virtqueue *vq, struct virtq_desc *table, const struct virtio_buf *bufs,
			   unsigned nout, unsigned nin, void *token) MUST_CHECK;
/* Tell the device about what was added, unless it asked not to be told. */
void virtqueue_kick(struct virtqueue *vq);
/*
 * The same in two steps. True: it is to be told, by virtqueue_notify, once the caller has let go of its spinlock. Telling is an
 * exit to the hypervisor, where this virtual CPU may lose its processor, to one that then spins for the lock.
 */
bool virtqueue_kick_prepare(struct virtqueue *vq) MUST_CHECK;
static inline void virtqueue_notify(struct virtqueue *vq) { vq->dev->ops->notify(vq); }
/* The next used chain's token, NULL if none. *ret_len: bytes that the device says it wrote, at most the chain's. */
void *virtqueue_get(struct virtqueue *vq, u32 *ret_len);
/* Whether virtqueue_get would find something (without checks). */
static inline bool virtqueue_pending(const struct virtqueue *vq)
{
	return __atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE) != vq->used_idx;
}
/* Ask for an interrupt at the next used chain. True if one is there already: then go on polling. */
bool virtqueue_irq_enable(struct virtqueue *vq);
/* Ask for an interrupt when most of what is in flight is used. True as above. */
bool virtqueue_irq_enable_delayed(struct virtqueue *vq);
/* Ask for none (the device may send some all the same). */
void virtqueue_irq_disable(struct virtqueue *vq);
/* After a break: the tokens that never came back, one for each call, NULL at the end. */
void *virtqueue_detach(struct virtqueue *vq);

/* For virtio.c: memory of a queue. */
struct virtqueue *virtqueue_create(struct virtio_device *d, unsigned index, unsigned size) MUST_CHECK;
void virtqueue_destroy(struct virtqueue *vq);

/* ---- Transports ------------------------------------------------------------------ */

/* The device ID behind dev, 0 if none (or legacy). */
u32 virtio_mmio_identify(struct device *dev);
u32 virtio_pci_identify(struct device *dev);
int virtio_mmio_open(struct virtio_device *d) MUST_CHECK;
int virtio_pci_open(struct virtio_device *d) MUST_CHECK;
/* Tests: a transport for devices of bus BUS_FAKE. */
struct virtio_fake_ops {
	u32 (*identify)(struct device *dev);
	int (*open)(struct virtio_device *d);
};
extern const struct virtio_fake_ops *virtio_fake;

#endif
