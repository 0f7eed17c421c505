/* dev_net_test.c - virtio-net: offload headers, merged buffers, back-pressure, and devices that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/netdev.h"
#include "fake_virtio.h"
#include "mm/heap.h"
#include "mm/page.h"

COUNTER_DECLARE(virtio_net_rx_bad);
COUNTER_DECLARE(virtio_net_rx_no_memory);

enum { RX, TX };
#define F_CSUM       (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU        (1ull << 3)
#define F_MAC        (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7)
#define F_HOST_TSO4  (1ull << 11)
#define F_HOST_TSO6  (1ull << 12)
#define F_MRG_RXBUF  (1ull << 15)
#define F_STATUS     (1ull << 16)
#define BASE (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | F_MAC | F_STATUS | F_MTU)
#define ALL  (BASE | F_CSUM | F_GUEST_CSUM | F_GUEST_TSO4 | F_HOST_TSO4 | F_HOST_TSO6 | F_MRG_RXBUF)

static struct fake f;
static struct netdev *nd;
static unsigned events, done_count;
static u64 pages_before;
static u8 *memory;

static void on_event(struct netdev *d) { events++; }
static void done(void *arg) { (*(unsigned *)arg)++; }

static void plug(u64 offers)
{
	static const u8 config[] = { 0x52, 0x54, 0, 1, 2, 3, 1, 0, 0, 0, 0xdc, 5 };

	pages_before = page_free_count();
	f = (struct fake){ .id = VIRTIO_ID_NET, .offers = offers };
	memcpy(f.config, config, sizeof(config));
	f.q[RX].max = f.q[TX].max = 256;
	fake_add(&f);
	device_probe_all();
	nd = netdev_by_index(0);
	assert_non_null(nd);
	nd->on_event = on_event;
	events = done_count = 0;
	memory = heap_alloc(65536);
}
static int plug_all(void **state)
{
	plug(ALL);
	return 0;
}
static int unplug(void **state)
{
	device_remove(&f.dev);
	heap_free(memory);
	assert_int_equal(netdev_count(), 0);
	assert_int_equal(page_free_count(), pages_before);
	return 0;
}

/* The device hands over one buffer: header and bytes. */
static void rx_raw(const u8 *hdr, const void *data, u32 len)
{
	struct fake_chain c;
	u8 bytes[4096] = { 0 };
	u32 n = 0;

	assert_true(fake_pop(&f, RX, &c));
	if (hdr) {
		memcpy(bytes, hdr, 12);
		n = 12;
	}
	memcpy(bytes + n, data, len);
	fake_scatter(&c, bytes, n + len);
	if (fake_push(&f, RX, &c, n + len))
		fake_irq(&f, RX);
}

static void properties(void **state)
{
	assert_string_equal(nd->name, "eth0");
	assert_int_equal(nd->mac[0], 0x52);
	assert_int_equal(nd->mac[5], 3);
	assert_int_equal(nd->mtu, 1500);
	assert_true(nd->link_up);
	assert_int_equal(nd->features, NETDEV_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_MRG_RXBUF | NETDEV_RX_CSUM | NETDEV_LRO4);
	f.config[6] = 0;
	virtio_irq_config(f.d);
	assert_false(nd->link_up);
	assert_int_equal(events, 1);
}

static void receive_plain(void **state)
{
	static const u8 hdr[12] = { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct netdev_buf *b[4];

	rx_raw(hdr, "0123456789abcdefghij", 20);
	assert_int_equal(events, 1);
	assert_int_equal(nd->ops->receive(nd, b, 4, true), 1);
	assert_int_equal(b[0]->len, 20);
	assert_memory_equal(b[0]->data, "0123456789abcdefghij", 20);
	assert_true(b[0]->csum_valid);
	assert_int_equal(b[0]->gso_size, 0);
	assert_null(b[0]->next);
	nd->ops->release(nd, b[0]);
	/* Armed again: the next one interrupts; and while it is not taken, further ones do not. */
	rx_raw(hdr, "0123456789abcdefghij", 20);
	rx_raw(hdr, "0123456789abcdefghij", 20);
	assert_int_equal(events, 2);
	assert_int_equal(nd->ops->receive(nd, b, 4, true), 2);
	nd->ops->release(nd, b[0]);
	nd->ops->release(nd, b[1]);
}

static void receive_merged(void **state)
{
	static const u8 hdr[12] = { 1, 1, 66, 0, 0xb4, 5, 34, 0, 16, 0, 3, 0 };
	static u8 data[3900];
	struct netdev_buf *b[4];
	struct fake_chain c[3];

	memset(data, 7, sizeof(data));
	for (unsigned i = 0; i < 3; i++)
		assert_true(fake_pop(&f, RX, &c[i]));
	memcpy(c[0].in[0].p, hdr, 12);
	memcpy(c[0].in[0].p + 12, data, 2000);
	memcpy(c[1].in[0].p, data, 3900);
	memcpy(c[2].in[0].p, data, 100);
	fake_push(&f, RX, &c[0], 2012);
	fake_push(&f, RX, &c[1], 3900);
	fake_push(&f, RX, &c[2], 100);
	assert_int_equal(nd->ops->receive(nd, b, 4, true), 1);
	assert_true(b[0]->csum_valid);
	assert_int_equal(b[0]->gso_size, 1460);
	assert_int_equal(b[0]->len, 2000);
	assert_int_equal(b[0]->next->len, 3900);
	assert_int_equal(b[0]->next->next->len, 100);
	assert_null(b[0]->next->next->next);
	assert_int_equal(((u8 *)b[0]->next->next->data)[99], 7);
	nd->ops->release(nd, b[0]);
}

static void refill(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	static struct netdev_buf *b[300];
	unsigned kicks = f.q[RX].kicks;

	/* More frames than the ring has buffers, all kept. */
	for (unsigned i = 0; i < 300; i++) {
		rx_raw(hdr, "0123456789abcdefghij", 20);
		assert_int_equal(nd->ops->receive(nd, &b[i], 1, true), 1);
	}
	assert_int_equal(f.q[RX].kicks, kicks);           /* the device never ran out */
	assert_in_range(fake_available(&f, RX), 24, 32); /* taken one by one: no need for more */
	for (unsigned i = 0; i < 300; i++)
		nd->ops->release(nd, b[i]);
}

/* Bursts make the ring larger, up to its size. */
static void grows(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct netdev_buf *b[256];

	assert_int_equal(fake_available(&f, RX), 32);
	for (unsigned want = 64; want <= 256; want *= 2) {
		for (unsigned n = fake_available(&f, RX); n > 0; n--)
			rx_raw(hdr, "0123456789abcdefghij", 20);
		unsigned got = nd->ops->receive(nd, b, 256, true);

		assert_in_range(got, want / 4, f.q[RX].vq->size);
		assert_in_range(fake_available(&f, RX), MIN(want, f.q[RX].vq->size) * 3 / 4, MIN(want, f.q[RX].vq->size));
		while (got > 0)
			nd->ops->release(nd, b[--got]);
	}
}

static void out_of_memory(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	static struct netdev_buf *kept[512];
	struct list pages = LIST_INIT(pages);
	unsigned nkept = 0;
	struct page *p;
	u64 dropped;

	while ((p = page_alloc(0, 0)) != NULL)
		list_append(&pages, &p->link);
	dropped = counter_read(virtio_net_rx_no_memory);
	/* With no page to be had the ring shrinks to a few buffers, and goes round on these. */
	for (unsigned i = 0; i < 1000; i++) {
		rx_raw(hdr, "0123456789abcdefghij", 20);
		nkept += nd->ops->receive(nd, &kept[nkept], 1, true);
		assert_in_range(nkept, 1, 500);
	}
	assert_true(counter_read(virtio_net_rx_no_memory) > dropped + 400);
	for (unsigned i = 0; i < nkept; i++)
		nd->ops->release(nd, kept[i]);
	assert_in_range(fake_available(&f, RX), 24, 32);
	while (!list_empty(&pages))
		page_free(list_entry(list_pop(&pages), struct page, link), 0);
}

static int transmit(const struct netdev_seg *segs, unsigned n, bool notify)
{
	struct netdev_tx tx = { .segs = segs, .nsegs = n, .done = done, .arg = &done_count };

	return nd->ops->transmit(nd, &tx, notify);
}

static void send(void **state)
{
	struct netdev_seg segs[3] = { { memory, 54 }, { memory + 100, 0 }, { memory + 200, 1000 } };
	struct netdev_tx tx = { .segs = segs, .nsegs = 3, .needs_csum = true, .csum_start = 34, .csum_offset = 16,
				.gso_size = 1448, .gso_hdr_len = 54, .done = done, .arg = &done_count };
	struct fake_chain c;
	u8 got[2000];

	memset(memory, 1, 54);
	memset(memory + 200, 2, 1000);
	assert_int_equal(nd->ops->transmit(nd, &tx, false), 0);
	assert_int_equal(f.q[TX].kicks, 0);
	nd->ops->kick(nd);
	assert_int_equal(f.q[TX].kicks, 1);
	assert_true(fake_pop(&f, TX, &c));
	assert_int_equal(c.nin, 0);
	assert_int_equal(fake_gather(&c, got, sizeof(got)), 12 + 1054);
	static const u8 want[12] = { 1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0, 0, 0 };
	assert_memory_equal(got, want, 12);
	assert_int_equal(got[12], 1);
	assert_int_equal(got[12 + 54], 2);
	nd->ops->reap(nd);
	assert_int_equal(done_count, 0);
	assert_false(fake_push(&f, TX, &c, 0));          /* nobody asked for an interrupt */
	nd->ops->reap(nd);
	assert_int_equal(done_count, 1);
	tx.gso_ipv6 = true;
	assert_int_equal(nd->ops->transmit(nd, &tx, true), 0);
	assert_true(fake_pop(&f, TX, &c));
	assert_int_equal(c.out[0].p[1], 4);
	tx.needs_csum = false;
	assert_int_equal(nd->ops->transmit(nd, &tx, true), -EINVAL);
	tx.gso_size = 0;
	assert_int_equal(nd->ops->transmit(nd, &tx, true), 0);
	assert_true(fake_pop(&f, TX, &c));
	assert_int_equal(c.out[0].p[0] | c.out[0].p[1] | c.out[0].p[2], 0);
	/* With room in front of the first piece the header needs no descriptor of its own. */
	segs[0].data = memory + 32;
	tx.room = tx.needs_csum = true;
	tx.gso_size = 1448;
	tx.gso_ipv6 = false;
	assert_int_equal(nd->ops->transmit(nd, &tx, true), 0);
	assert_true(fake_pop(&f, TX, &c));
	assert_int_equal(c.nout, 2);
	assert_ptr_equal(c.out[0].p, memory + 32 - NETDEV_TX_ROOM);
	assert_int_equal(fake_gather(&c, got, sizeof(got)), 12 + 1054);
	assert_memory_equal(got, want, 12);
	assert_int_equal(got[12 + 54], 2);
	assert_int_equal(transmit(segs, 0, true), -EINVAL);
	assert_int_equal(transmit(segs, 35, true), -EINVAL);
}

static void send_until_full(void **state)
{
	struct netdev_seg segs[34];
	struct fake_chain c;
	unsigned sent = 0;
	bool irq = false;

	for (unsigned i = 0; i < 34; i++)
		segs[i] = (struct netdev_seg){ memory + i * 1000, 1000 };
	while (transmit(segs, sent % 2 ? 34 : 1, true) == 0)
		assert_in_range(++sent, 1, 256);
	assert_int_equal(done_count, 0);
	assert_int_equal(transmit(segs, 34, true), -EBUSY);
	assert_int_equal(events, 0);
	for (unsigned i = 0; i < sent; i++) {
		assert_true(fake_pop(&f, TX, &c));
		irq |= fake_push(&f, TX, &c, 0);
		if (irq && !events)
			fake_irq(&f, TX);
	}
	assert_int_equal(events, 1);
	assert_int_equal(transmit(segs, 34, true), 0);
	nd->ops->reap(nd);
	assert_int_equal(done_count, sent);
	assert_true(fake_pop(&f, TX, &c));
}

static void long_run(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct netdev_seg seg = { memory, 100 };
	struct netdev_buf *b;
	struct fake_chain c;

	for (unsigned i = 0; i < 100000; i++) {
		rx_raw(hdr, "0123456789abcdefghij", 20);
		assert_int_equal(nd->ops->receive(nd, &b, 1, true), 1);
		assert_int_equal(transmit(&seg, 1, true), 0);
		nd->ops->release(nd, b);
		assert_true(fake_pop(&f, TX, &c));
		fake_push(&f, TX, &c, 0);
	}
	nd->ops->reap(nd);
	assert_int_equal(done_count, 100000);
	assert_int_equal(f.q[TX].kicks, 100000);
}

/* Frames that are wrong in themselves: dropped, and the next one comes through. */
static void expect_dropped(const u8 *hdr, u32 len)
{
	static const u8 good[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	static u8 data[2000];
	u64 bad = counter_read(virtio_net_rx_bad);
	struct netdev_buf *b;

	rx_raw(hdr, data, len);
	rx_raw(good, "0123456789abcdefghij", 20);
	assert_int_equal(nd->ops->receive(nd, &b, 1, true), 1);
	assert_int_equal(b->len, 20);
	nd->ops->release(nd, b);
	assert_int_equal(counter_read(virtio_net_rx_bad), bad + 1);
}

static void bad_frames(void **state)
{
	static const u8 good[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	static const u8 gso_type[12] = { 0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0 };
	static const u8 gso_zero[12] = { 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct netdev_buf *b;

	expect_dropped(good, 13);
	expect_dropped(good, 0);
	expect_dropped(gso_type, 100);
	expect_dropped(gso_zero, 100);
	/* Shorter than its header; the header that is read is what the buffer held before. */
	rx_raw(NULL, "", 0);
	assert_int_equal(nd->ops->receive(nd, &b, 1, true), 0);
}

static void expect_dead(void)
{
	struct netdev_seg seg = { memory, 100 };
	struct netdev_buf *b[4];

	assert_int_equal(nd->ops->receive(nd, b, 4, true), 0);
	assert_true(virtio_is_broken(f.d));
	assert_false(nd->link_up);
	assert_int_equal(transmit(&seg, 1, true), -EIO);
	assert_int_equal(nd->ops->receive(nd, b, 4, true), 0);
}

static void buffers_missing(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0 };
	struct netdev_seg seg = { memory, 100 };

	assert_int_equal(transmit(&seg, 1, true), 0);
	rx_raw(hdr, "0123456789abcdefghij", 20);
	rx_raw(NULL, "0123456789abcdefghij", 20);
	expect_dead();
	assert_int_equal(done_count, 1);                 /* what was in flight is given back */
}
static void buffers_none(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	rx_raw(hdr, "0123456789abcdefghij", 20);
	expect_dead();
}
static void buffers_too_many(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	rx_raw(hdr, "0123456789abcdefghij", 20);
	expect_dead();
}
static void length_too_long(void **state)
{
	struct fake_chain c;

	assert_true(fake_pop(&f, RX, &c));
	fake_push(&f, RX, &c, 4096);
	expect_dead();
}
static void tx_id_unknown(void **state)
{
	struct netdev_seg seg = { memory, 100 };

	assert_int_equal(transmit(&seg, 1, true), 0);
	fake_push_raw(&f, TX, 77, 0);
	nd->ops->reap(nd);
	assert_int_equal(done_count, 1);
	expect_dead();
}
static void dies_with_lent_buffers(void **state)
{
	static const u8 hdr[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct netdev_buf *b;

	rx_raw(hdr, "0123456789abcdefghij", 20);
	assert_int_equal(nd->ops->receive(nd, &b, 1, true), 1);
	f.status |= VIRTIO_STATUS_NEEDS_RESET;
	virtio_irq_config(f.d);
	assert_memory_equal(b->data, "0123", 4);
	nd->ops->release(nd, b);
	expect_dead();
}

static void plain_device(void **state)
{
	static const u8 hdr[12] = { 0 };
	struct netdev_buf *b;

	plug(VIRTIO_F_VERSION_1 | F_GUEST_TSO4 | F_HOST_TSO4);
	assert_int_equal(nd->features, 0);               /* offloads without what they need are not taken */
	assert_int_equal(nd->mac[0] & 3, 2);
	assert_int_equal(nd->mtu, 1500);
	assert_true(nd->link_up);
	rx_raw(hdr, "0123456789abcdefghij", 20);         /* num_buffers means nothing here */
	assert_int_equal(nd->ops->receive(nd, &b, 1, true), 1);
	assert_int_equal(b->len, 20);
	nd->ops->release(nd, b);
	unplug(state);
}

static void probe_failures(void **state)
{
	for (unsigned nth = 1; nth < 12; nth++) {
		u64 pages = page_free_count();

		f = (struct fake){ .id = VIRTIO_ID_NET, .offers = ALL };
		f.q[RX].max = f.q[TX].max = 256;
		fake_add(&f);
		heap_fail_nth(nth);
		device_probe_all();
		heap_fail_nth(0);
		if (f.dev.driver)
			assert_in_range(nth, 9, 12);
		else
			assert_int_equal(netdev_count(), 0);
		device_remove(&f.dev);
		assert_int_equal(page_free_count(), pages);
	}
	f = (struct fake){ .id = VIRTIO_ID_NET, .offers = ALL };
	f.q[RX].max = 8;                                 /* too small a ring, and no other */
	fake_add(&f);
	device_probe_all();
	assert_null(f.dev.driver);
	device_remove(&f.dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define NET(t) cmocka_unit_test_setup_teardown(t, plug_all, unplug)
		NET(properties), NET(receive_plain), NET(receive_merged), NET(refill), NET(grows), NET(out_of_memory), NET(send),
		NET(send_until_full), NET(long_run), NET(bad_frames), NET(buffers_missing), NET(buffers_none),
		NET(buffers_too_many), NET(length_too_long), NET(tx_id_unknown), NET(dies_with_lent_buffers),
		cmocka_unit_test(plain_device), cmocka_unit_test(probe_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
