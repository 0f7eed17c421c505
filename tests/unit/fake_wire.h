/*
 * fake_wire.h - an Ethernet device for tests of the stack: frames that wait for it, received in pieces of a page as mergeable
 * buffers come, each piece exactly as long as it is (the sanitizer sees any byte read beyond); reading and writing of headers.
 * The test that includes it writes its own fake_transmit and says what the wire does.
 */
#ifndef UNIT_FAKE_WIRE_H
#define UNIT_FAKE_WIRE_H

#include "net_util.h"
#include "wire_bytes.h"
#include "dev/netdev.h"

#define QUEUE 4096

struct frame {
	u32 len;
	bool csum_valid;
	u8 data[66000];
};
static struct frame *queue[QUEUE];
static unsigned head, tail, lent, released, gso_frames, largest_gso;
static struct netdev dev;

static void enqueue(const u8 *data, u32 len, bool valid)
{
	if (tail - head >= QUEUE)
		return;
	struct frame *f = malloc(sizeof(*f));
	f->len = len;
	f->csum_valid = valid;
	memcpy(f->data, data, len);
	queue[tail++ % QUEUE] = f;
}

/* Tell the stack that frames wait. */
static void announce(void)
{
	if (head != tail && dev.on_event)
		dev.on_event(&dev);
}

static unsigned fake_receive(struct netdev *d, struct netdev_buf **ret, unsigned max, bool rearm)
{
	unsigned n = 0;

	while (n < max && head != tail) {
		struct frame *f = queue[head++ % QUEUE];
		struct netdev_buf *first = NULL, **at = &first;
		/* In pieces of a page, as mergeable buffers come. */
		for (u32 off = 0; off < f->len || off == 0;) {
			u32 k = MIN(f->len - off, 4000u);
			struct netdev_buf *b = calloc(1, sizeof(*b));
			b->data = malloc(k ? k : 1);
			memcpy(b->data, f->data + off, k);
			b->len = k;
			b->dev = d;
			b->csum_valid = f->csum_valid;
			*at = b;
			at = &b->next;
			off += k;
			lent++;
			if (!k)
				break;
		}
		free(f);
		ret[n++] = first;
	}
	return n;
}
static void fake_release(struct netdev *d, struct netdev_buf *b)
{
	while (b) {
		struct netdev_buf *next = b->next;
		free(b->data);
		free(b);
		released++;
		b = next;
	}
}

#endif
