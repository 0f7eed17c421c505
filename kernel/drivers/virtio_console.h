/* virtio_console.h - layouts and state of the console driver, for its own file and its tests. */
#ifndef DRIVERS_VIRTIO_CONSOLE_H
#define DRIVERS_VIRTIO_CONSOLE_H

#include "dev/virtio.h"
#include "arch/spinlock.h"
#include "shared/bootconf.h"

#define F_MULTIPORT (1ull << 1)
enum { CFG_MAX_PORTS = 4 };

enum {                               /* section 5.3.6.2 */
	CONTROL_DEVICE_READY = 0, CONTROL_PORT_ADD = 1, CONTROL_PORT_REMOVE = 2, CONTROL_PORT_READY = 3,
	CONTROL_CONSOLE_PORT = 4, CONTROL_RESIZE = 5, CONTROL_PORT_OPEN = 6, CONTROL_PORT_NAME = 7,
};
struct control {
	u32 id;
	u16 event, value;
};

#define TX_SPANS       8u
#define RX_BUFS        2u
#define CONTROL_IN     16u           /* messages from the host that may wait: it drops what has no buffer */
#define CONTROL_IN_LEN 128u          /* names of ports are part of messages */
#define CONTROL_OUT    32u
#define NO_RING        0xffu

struct tx_span {
	u32 len;
	bool done;
};

struct rx_buf {
	u8 *data;
	u32 len, at;
};

struct vcon;
struct vport {
	struct vcon *con;
	unsigned number;
	struct spinlock lock;
	struct virtqueue *txq, *rxq; /* NULL: this port has no such direction */
	/* guest to host */
	u8 *tx_ring;                 /* NULL until the first write */
	u8 small_ring[256];          /* the ring of a machine without a free page: slow, but nothing is lost */
	unsigned tx_order;
	u32 tx_room;                 /* bytes of the ring, a power of two */
	u32 head, sent, tail;
	struct tx_span spans[TX_SPANS];
	unsigned first_span, nspans;
	/* host to guest */
	u32 rx_len;
	u8 *rx_memory;
	struct rx_buf bufs[RX_BUFS];
	struct rx_buf *full[RX_BUFS];
	unsigned first_full, nfull;
	bool host_closed, present;   /* atomic */
};

struct vcon {
	struct virtio_device *d;
	struct spinlock ctl_lock;
	struct virtqueue *ctl_rxq, *ctl_txq;
	u8 *control_in;
	struct control control_out[CONTROL_OUT];
	unsigned control_next;
	bool buried;                 /* atomic: the device is broken and all were told */
	bool settled;                /* the host has named all its ports */
	struct vport ports[PITH_NPORTS];
};

#endif
