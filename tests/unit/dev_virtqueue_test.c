/* dev_virtqueue_test.c - split rings and feature negotiation, against devices that keep to the protocol and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_virtio.h"
#include "mm/heap.h"

static struct fake f;
static struct virtio_device *d;
static struct virtqueue *vq;
static unsigned interrupts;
static u8 *memory;

static void on_used(struct virtqueue *q) { interrupts++; }

static void open_with(u64 offers, unsigned size)
{
	f = (struct fake){ .id = 99, .offers = offers };
	f.q[0].max = 256;
	f.dev.bus = BUS_FAKE;
	virtio_fake = &fake_ops;
	assert_int_equal(virtio_open(&f.dev, 99, &d), 0);
	assert_int_equal(virtio_negotiate(d, VIRTIO_F_INDIRECT_DESC), 0);
	assert_int_equal(virtio_irq_setup(d, 1, false), 0);
	assert_int_equal(virtio_queue_setup(d, 0, size, on_used, NULL, &vq), 0);
	virtio_start(d);
	interrupts = 0;
	memory = heap_alloc(4096);
}

#define ALL (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC)

static int open_ring(void **state)
{
	open_with(ALL, 8);
	return 0;
}
static int close_ring(void **state)
{
	virtio_close(d);
	heap_free(memory);
	return 0;
}

static struct virtio_buf buf(size_t off, u32 len) { return (struct virtio_buf){ arch_virt_to_phys(memory + off), len }; }

static void round_trip(void **state)
{
	struct virtio_buf b[3] = { buf(0, 16), buf(100, 20), buf(200, 30) };
	struct fake_chain c;
	u32 len;
	int token;

	assert_int_equal(f.status, 0xf);
	assert_int_equal(vq->size, 8);
	assert_null(virtqueue_get(vq, &len));
	assert_int_equal(virtqueue_add(vq, b, 1, 2, &token), 0);
	assert_int_equal(vq->nfree, 5);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 1);
	assert_true(fake_pop(&f, 0, &c));
	assert_int_equal(c.nout, 1);
	assert_int_equal(c.nin, 2);
	assert_ptr_equal(c.out[0].p, memory);
	assert_int_equal(c.in_len, 50);
	fake_push(&f, 0, &c, 50);
	assert_ptr_equal(virtqueue_get(vq, &len), &token);
	assert_int_equal(len, 50);
	assert_int_equal(vq->nfree, 8);
	assert_null(virtqueue_get(vq, &len));
}

static void full(void **state)
{
	struct virtio_buf b[9];

	for (unsigned i = 0; i < 9; i++)
		b[i] = buf(i * 8, 8);
	assert_int_equal(virtqueue_add(vq, b, 9, 0, b), -EINVAL);
	assert_int_equal(virtqueue_add(vq, b, 5, 0, b), 0);
	assert_int_equal(virtqueue_add(vq, b, 2, 2, b), -EBUSY);
	assert_int_equal(virtqueue_add(vq, b, 1, 2, b), 0);
	assert_int_equal(vq->nfree, 0);
}

static void indirect(void **state)
{
	struct virtq_desc *table = heap_alloc(8 * sizeof(*table));
	struct virtio_buf b[9];
	struct fake_chain c;
	u32 len;

	for (unsigned i = 0; i < 9; i++)
		b[i] = buf(i * 8, 8);
	assert_int_equal(virtqueue_add_indirect(vq, table, b, 9, 0, table), -EINVAL);
	assert_int_equal(virtqueue_add_indirect(vq, table, b, 5, 3, table), 0);
	assert_int_equal(vq->nfree, 7);
	assert_true(fake_pop(&f, 0, &c));
	assert_true(c.indirect);
	assert_int_equal(c.nout, 5);
	assert_int_equal(c.nin, 3);
	fake_push(&f, 0, &c, 24);
	assert_ptr_equal(virtqueue_get(vq, &len), table);
	assert_int_equal(vq->nfree, 8);
	heap_free(table);
}

/* Out of order, for longer than the indices count. */
static void many(void **state)
{
	static int tokens[8];
	struct fake_chain c[4];
	struct virtio_buf b[2] = { buf(0, 8), buf(8, 8) };
	u32 len;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = 1 + round % 4;

		for (unsigned i = 0; i < n; i++)
			assert_int_equal(virtqueue_add(vq, b, 1, 1, &tokens[i]), 0);
		virtqueue_kick(vq);
		for (unsigned i = 0; i < n; i++)
			assert_true(fake_pop(&f, 0, &c[i]));
		for (unsigned i = n; i-- > 0;)
			fake_push(&f, 0, &c[i], i);
		for (unsigned i = n; i-- > 0;) {
			assert_ptr_equal(virtqueue_get(vq, &len), &tokens[i]);
			assert_int_equal(len, i);
		}
	}
	assert_int_equal(vq->nfree, 8);
	assert_int_equal(vq->ninflight, 0);
	assert_int_equal(f.q[0].kicks, 20000);
}

static void kicks_are_saved(void **state)
{
	struct virtio_buf b = buf(0, 8);
	struct fake_chain c;

	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	virtqueue_kick(vq);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 1);
	/* The device has not come round to the first: nothing new to say. */
	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 1);
	assert_true(fake_pop(&f, 0, &c));
	assert_true(fake_pop(&f, 0, &c));
	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 2);
}

static void interrupts_as_asked(void **state)
{
	struct virtio_buf b = buf(0, 8);
	struct fake_chain c[4];
	u32 len;

	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
		assert_true(fake_pop(&f, 0, &c[i]));
	}
	assert_false(fake_push(&f, 0, &c[0], 0));        /* none asked for */
	assert_true(virtqueue_irq_enable(vq));           /* one is there already */
	assert_non_null(virtqueue_get(vq, &len));
	assert_false(virtqueue_irq_enable(vq));
	assert_true(fake_push(&f, 0, &c[1], 0));
	assert_false(fake_push(&f, 0, &c[2], 0));
	virtqueue_irq_disable(vq);
	assert_false(fake_push(&f, 0, &c[3], 0));
	while (virtqueue_get(vq, &len))
		;
	/* Delayed: most of eight. */
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	assert_false(virtqueue_irq_enable_delayed(vq));
	for (unsigned i = 0; i < 8; i++) {
		assert_true(fake_pop(&f, 0, &c[0]));
		assert_int_equal(fake_push(&f, 0, &c[0], 0), i == 6);
	}
}

static void without_event_index(void **state)
{
	struct virtio_buf b;
	struct fake_chain c;

	close_ring(state);
	open_with(VIRTIO_F_VERSION_1, 8);
	b = buf(0, 8);
	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 1);
	vq->used->flags = VIRTQ_USED_NO_NOTIFY;
	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), 0);
	virtqueue_kick(vq);
	assert_int_equal(f.q[0].kicks, 1);
	assert_true(fake_pop(&f, 0, &c));
	assert_false(fake_push(&f, 0, &c, 0));
	assert_true(virtqueue_irq_enable(vq));
	assert_true(fake_pop(&f, 0, &c));
	assert_true(fake_push(&f, 0, &c, 0));
	virtqueue_irq_disable(vq);
	assert_int_equal(vq->avail->flags, VIRTQ_AVAIL_NO_INTERRUPT);
	/* A handler on another CPU disables what was just enabled here: the next to enable it, whom the handler wakes, succeeds. */
	(void)virtqueue_irq_enable(vq);
	vq->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
	(void)virtqueue_irq_enable(vq);
	assert_int_equal(vq->avail->flags, 0);
}

/* After any of the violations: no tokens, no more work, but what was in flight can be taken back. */
static void expect_broken(unsigned inflight)
{
	struct virtio_buf b = buf(0, 8);
	u64 before = counter_read(virtio_broken);
	unsigned resets = f.resets;
	u32 len;

	assert_null(virtqueue_get(vq, &len));
	assert_true(virtio_is_broken(d));
	assert_int_equal(counter_read(virtio_broken), before + 1);
	assert_int_equal(f.resets, resets + 1);
	assert_int_equal(virtqueue_add(vq, &b, 1, 0, memory), -EIO);
	assert_null(virtqueue_get(vq, &len));
	for (unsigned i = 0; i < inflight; i++)
		assert_non_null(virtqueue_detach(vq));
	assert_null(virtqueue_detach(vq));
	assert_int_equal(vq->nfree, vq->size);
}

static void add_two(struct fake_chain *c)
{
	struct virtio_buf b[2] = { buf(0, 8), buf(8, 8) };

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(virtqueue_add(vq, b, 1, 1, memory), 0);
		assert_true(fake_pop(&f, 0, &c[i]));
	}
}

static void hostile_index(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	vq->used->idx = 3;
	expect_broken(2);
}
static void hostile_index_back(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	vq->used->idx = 0xffff;
	expect_broken(2);
}
static void hostile_id_range(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	fake_push_raw(&f, 0, 8, 0);
	expect_broken(2);
}
static void hostile_id_huge(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	fake_push_raw(&f, 0, 0x80000000u, 0);
	expect_broken(2);
}
static void hostile_id_not_head(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	fake_push_raw(&f, 0, vq->desc[c[0].head].next, 0);
	expect_broken(2);
}
static void hostile_id_twice(void **state)
{
	struct fake_chain c[2];
	u32 len;

	add_two(c);
	fake_push(&f, 0, &c[0], 0);
	fake_push(&f, 0, &c[0], 0);
	assert_non_null(virtqueue_get(vq, &len));
	expect_broken(1);
}
static void hostile_len(void **state)
{
	struct fake_chain c[2];

	add_two(c);
	fake_push(&f, 0, &c[0], 9);
	expect_broken(2);
}
static void hostile_descriptors(void **state)
{
	/* What the device scribbles over the descriptor table does not matter. */
	struct fake_chain c[2];
	u32 len;

	add_two(c);
	memset(vq->desc, 0xff, 8 * sizeof(*vq->desc));
	fake_push(&f, 0, &c[1], 8);
	fake_push(&f, 0, &c[0], 8);
	assert_non_null(virtqueue_get(vq, &len));
	assert_non_null(virtqueue_get(vq, &len));
	assert_int_equal(vq->nfree, 8);
	add_two(c);
	assert_int_equal(c[0].in_len, 8);
}

static int open_fake(u64 offers, bool refuse, bool stuck)
{
	struct fake g = { .id = 99, .offers = offers, .refuse_features = refuse, .stuck_reset = stuck, .status = stuck };
	struct virtio_device *v;

	g.dev.bus = BUS_FAKE;
	int r = virtio_open(&g.dev, 99, &v);

	if (r < 0)
		return r;
	r = virtio_negotiate(v, ~0ull);
	struct virtqueue *q;

	if (r == 0) {
		assert_int_equal(virtio_queue_setup(v, 0, 8, NULL, NULL, &q), -ENODEV);
		g.q[0].max = 7;
		assert_int_equal(virtio_queue_setup(v, 0, 8, NULL, NULL, &q), 0);
		assert_int_equal(q->size, 4);
		g.q[1].max = 0x80000000u;
		assert_int_equal(virtio_queue_setup(v, 1, 8, NULL, NULL, &q), 0);
		assert_int_equal(q->size, 8);
		heap_fail_nth(2);
		assert_int_equal(virtio_queue_setup(v, 1, 8, NULL, NULL, &q), -ENOMEM);
	}
	virtio_close(v);
	return r;
}

static void negotiation(void **state)
{
	virtio_fake = &fake_ops;
	assert_int_equal(open_fake(ALL, false, false), 0);
	assert_int_equal(open_fake(VIRTIO_F_EVENT_IDX, false, false), -EIO);  /* legacy */
	assert_int_equal(open_fake(ALL, true, false), -EIO);
	assert_int_equal(open_fake(ALL, false, true), -EIO);                  /* never resets */
	struct fake g = { .id = 98 };
	struct virtio_device *v;

	g.dev.bus = BUS_FAKE;
	assert_int_equal(virtio_open(&g.dev, 99, &v), -ENODEV);
	heap_fail_nth(1);
	assert_int_equal(virtio_open(&g.dev, 98, &v), -ENOMEM);
}

static void configuration(void **state)
{
	for (unsigned i = 0; i < 8; i++)
		f.config[i] = (u8)(i + 1);
	assert_int_equal(virtio_config_u8(d, 1), 2);
	assert_int_equal(virtio_config_u16(d, 2), 0x0403);
	assert_int_equal(virtio_config_u32(d, 4), 0x08070605);
	assert_true(virtio_config_u64(d, 0) == 0x0807060504030201ull);
	assert_int_equal(virtio_config_u32(d, 64), 0);
	f.status |= VIRTIO_STATUS_NEEDS_RESET;
	virtio_irq_config(d);
	assert_true(virtio_is_broken(d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RING(t) cmocka_unit_test_setup_teardown(t, open_ring, close_ring)
		RING(round_trip), RING(full), RING(indirect), RING(many), RING(kicks_are_saved), RING(interrupts_as_asked),
		RING(without_event_index), RING(hostile_index), RING(hostile_index_back), RING(hostile_id_range),
		RING(hostile_id_huge), RING(hostile_id_not_head), RING(hostile_id_twice), RING(hostile_len),
		RING(hostile_descriptors), RING(configuration), cmocka_unit_test(negotiation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
