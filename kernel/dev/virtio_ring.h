/*
 * virtio_ring.h - the split virtqueue in memory (virtio 1.2, section 2.7) and the feature and
 * status bits that every device shares (sections 2.1, 2.2 and 6). Layout only. Little-endian,
 * as is every machine that Pith runs on.
 */
#ifndef DEV_VIRTIO_RING_H
#define DEV_VIRTIO_RING_H

#include "base/types.h"

enum {
	VIRTQ_DESC_NEXT     = 1u << 0,
	VIRTQ_DESC_WRITE    = 1u << 1,   /* the device writes it */
	VIRTQ_DESC_INDIRECT = 1u << 2,
};
#define VIRTQ_AVAIL_NO_INTERRUPT 1u
#define VIRTQ_USED_NO_NOTIFY     1u
#define VIRTQ_SIZE_MAX           32768u

struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};
struct virtq_avail {
	u16 flags;
	u16 idx;
	u16 ring[];                  /* [size], then used_event */
};
struct virtq_used_elem {
	u32 id;
	u32 len;
};
struct virtq_used {
	u16 flags;
	u16 idx;
	struct virtq_used_elem ring[]; /* [size], then avail_event (u16) */
};

enum {                               /* device status */
	VIRTIO_STATUS_ACKNOWLEDGE = 1u,
	VIRTIO_STATUS_DRIVER      = 2u,
	VIRTIO_STATUS_DRIVER_OK   = 4u,
	VIRTIO_STATUS_FEATURES_OK = 8u,
	VIRTIO_STATUS_NEEDS_RESET = 64u,
	VIRTIO_STATUS_FAILED      = 128u,
};

#define VIRTIO_F_INDIRECT_DESC   (1ull << 28)
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_BALLOON = 5 };

#endif
