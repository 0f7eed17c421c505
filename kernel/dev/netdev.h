/*
 * netdev.h - network devices, the class.
 *
 * Frames go down as scatter lists of kernel memory and come up as buffers that the driver
 * lends to the stack, which returns them by netdev_buf_release.
 */
#ifndef DEV_NETDEV_H
#define DEV_NETDEV_H

#include "arch/arch.h"
#include "base/list.h"
#include "sched/waitq.h"

struct netdev;

struct netdev_seg {
	const void *data;            /* direct map */
	u32 len;
};

enum { NETDEV_CSUM = 1u, NETDEV_TSO4 = 2u, NETDEV_TSO6 = 4u, NETDEV_MRG_RXBUF = 8u, NETDEV_RX_CSUM = 16u, NETDEV_LRO4 = 32u, NETDEV_LRO6 = 64u };

/*
 * What to send: the segments' bytes are read until done is called (from transmit, reap, or when the device
 * breaks; never before transmit took the frame; with no lock of the driver held; must not sleep). The
 * structures themselves are read by transmit only. At most NETDEV_TX_SEGS segments.
 */
#define NETDEV_TX_SEGS 34u
#define NETDEV_TX_ROOM 12u
struct netdev_tx {
	const struct netdev_seg *segs;
	unsigned nsegs;
	bool room;                   /* NETDEV_TX_ROOM bytes before the first segment's data are the driver's until done, at a multiple of 4 */
	bool needs_csum;             /* the device completes a checksum: from csum_start to the end, stored at + csum_offset */
	u16 csum_start, csum_offset;
	u16 gso_size;                /* 0: no segmentation; else TCP payload of each segment */
	u16 gso_hdr_len;
	bool gso_ipv6;
	void (*done)(void *arg);
	void *arg;
};

/*
 * A received frame (possibly in several buffers, chained). Each buffer holds on to a page, however few
 * bytes are in it: copy small frames that are to be kept for long. A frame of merged segments is
 * up to 65,535 bytes of IP packet plus the Ethernet header.
 */
struct netdev_buf {
	void *data;
	u32 len;
	struct netdev_buf *next;     /* more of the same frame */
	bool csum_valid;             /* the device vouches for the transport checksum (or it never was on a wire) */
	u16 gso_size;                /* the frame was merged from segments of this size, 0 if not */
	void *driver;                /* the driver's own */
	struct netdev *dev;
	u64 stack[7];                /* net/'s own, while it has the buffer */
};

struct netdev_ops {
	/*
	 * Send. -EBUSY when the ring is full (on_event tells when not), -EINVAL for what can never be sent, -EIO: broken; then
	 * done is not called. notify=false: more follows, do not kick the device yet.
	 */
	int (*transmit)(struct netdev *d, const struct netdev_tx *tx, bool notify);
	void (*kick)(struct netdev *d);
	/* Take up to max received frames (chains) without waiting; returns how many. With none left and rearm true, interrupts are on again. */
	unsigned (*receive)(struct netdev *d, struct netdev_buf **ret_frames, unsigned max, bool rearm);
	void (*release)(struct netdev *d, struct netdev_buf *chain);
	/* Call done for what has been sent. */
	void (*reap)(struct netdev *d);
};

struct netdev {
	const struct netdev_ops *ops;
	char name[16];
	u8 mac[6];
	u16 mtu;
	u32 features;                /* NETDEV_* that were negotiated */
	bool link_up;
	/* Set by net/: called from interrupt context when frames wait or ring space is free again. */
	void (*on_event)(struct netdev *d);
	void *stack;                 /* net/'s */
	struct list link;
};

void netdev_register(struct netdev *d);
void netdev_unregister(struct netdev *d);    /* drivers' remove: nobody uses d any more */
struct netdev *netdev_by_index(unsigned index);
unsigned netdev_count(void);

#endif
