/* dev_balloon_test.c - free memory for the host: what is reported and when, what it is worth afterwards, devices that break their word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_virtio.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/timer.h"

#define F_STATS     (1ull << 1)
#define F_HINT      (1ull << 3)
#define F_REPORTING (1ull << 5)
#define SECOND      1000000000ull

static struct fake f;
static unsigned queue;

static void later(u64 ns)
{
	host_clock_advance(ns);
	timer_run_due(arch_clock_mono_ns());
}

static int plug_with(u64 offers, unsigned index)
{
	f = (struct fake){ .id = VIRTIO_ID_BALLOON, .offers = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | offers };
	queue = index;
	for (unsigned i = 0; i <= index; i++)
		f.q[i].max = 128;
	fake_add(&f);
	device_probe_all();
	return f.dev.driver ? 0 : -1;
}
static int plug(void **state) { return plug_with(F_REPORTING | F_STATS, 3); }
static int unplug(void **state)
{
	device_remove(&f.dev);
	return 0;
}

/* The device drops what a batch held, with its mark, and gives it back; the bytes of the batch, 0: there is none. */
static u64 answer(void)
{
	struct fake_chain c;

	if (!fake_pop(&f, queue, &c))
		return 0;
	assert_int_equal(c.nout, 0);
	for (unsigned i = 0; i < c.nin; i++) {
		assert_true(c.in[i].len >= PAGE_SIZE << PAGE_REPORT_ORDER);
		memset(c.in[i].p, 0xdd, c.in[i].len);
	}
	if (fake_push(&f, queue, &c, 0))
		fake_irq(&f, queue);
	return c.in_len;
}
static u64 answer_all(void)
{
	u64 sum = 0, n;

	while ((n = answer()) != 0)
		sum += n;
	return sum;
}

static void when_free_for_a_while(void **state)
{
	struct page *p = page_alloc(PAGE_ORDER_MAX, 0);
	u64 before = page_free_count();

	later(SECOND);
	assert_int_equal(answer(), 0);
	later(2 * SECOND);
	answer_all();
	page_free(p, PAGE_ORDER_MAX);
	later(SECOND);
	assert_int_equal(answer(), 0);
	later(2 * SECOND);
	assert_true(answer_all() >= PAGE_SIZE << PAGE_ORDER_MAX);
	assert_int_equal(page_free_count(), before + (1u << PAGE_ORDER_MAX));
	/* All is known: nothing is armed and nothing more comes. */
	assert_int_equal(timer_run_due(arch_clock_mono_ns()), UINT64_MAX);
	later(60 * SECOND);
	assert_int_equal(answer(), 0);
}

/* Pages of reported blocks are used again, whole, and a block of which a part came back late is reported anew. */
static void used_again(void **state)
{
	struct page *p = page_alloc(6, 0), *some[64];

	page_free(p, 6);
	later(3 * SECOND);
	answer_all();
	for (unsigned i = 0; i < 64; i++) {
		assert_non_null(some[i] = page_alloc(1, PAGE_ZERO));
		for (unsigned k = 0; k < 2 * PAGE_SIZE; k++)
			assert_int_equal(((u8 *)page_to_virt(some[i]))[k], 0);
	}
	for (unsigned i = 0; i < 64; i++)
		page_free(some[i], 1);
	later(3 * SECOND);
	assert_true(answer_all() > 0);
}

/* While a batch is under way its blocks are nobody's, and half of what is free is left. */
static void under_way(void **state)
{
	struct page *all[512];
	unsigned n = 0;
	u64 free = page_free_count();
	struct fake_chain c;

	page_free(page_alloc(PAGE_ORDER_MAX, 0), PAGE_ORDER_MAX);
	later(3 * SECOND);
	assert_true(fake_pop(&f, queue, &c));
	assert_true(page_free_count() >= free / 2);
	while (n < 512 && (all[n] = page_alloc(PAGE_REPORT_ORDER, 0)) != NULL) {
		u8 *v = page_to_virt(all[n++]);

		for (unsigned i = 0; i < c.nin; i++)
			assert_true(v + (PAGE_SIZE << PAGE_REPORT_ORDER) <= c.in[i].p || v >= c.in[i].p + c.in[i].len);
	}
	while (n)
		page_free(all[--n], PAGE_REPORT_ORDER);
	if (fake_push(&f, queue, &c, 0))
		fake_irq(&f, queue);
	answer_all();
	assert_int_equal(page_free_count(), free);
}

static void breaks(void **state)
{
	u64 free = page_free_count();
	struct fake_chain c;

	page_free(page_alloc(PAGE_ORDER_MAX, 0), PAGE_ORDER_MAX);
	later(3 * SECOND);
	assert_true(fake_pop(&f, queue, &c));
	fake_push_raw(&f, queue, 127, 0);
	fake_irq(&f, queue);
	assert_true(virtio_is_broken(f.d));
	assert_int_equal(page_free_count(), free);
	later(60 * SECOND);
	assert_int_equal(page_free_count(), free);
}

static void removed_under_way(void **state)
{
	u64 free = page_free_count();

	page_free(page_alloc(PAGE_ORDER_MAX, 0), PAGE_ORDER_MAX);
	later(3 * SECOND);
	device_remove(&f.dev);
	/* At least what there was: the driver's own memory came back, too. */
	assert_true(page_free_count() >= free);
	assert_int_equal(plug(NULL), 0);
}

/* The queue stands behind those that the device offers; a device without this feature is left alone. */
static void queues(void **state)
{
	assert_int_equal(plug_with(F_REPORTING, 2), 0);
	assert_non_null(f.q[2].vq);
	unplug(NULL);
	assert_int_equal(plug_with(F_REPORTING | F_STATS | F_HINT, 4), 0);
	assert_non_null(f.q[4].vq);
	unplug(NULL);
	assert_int_equal(plug_with(F_STATS, 3), -1);
	unplug(NULL);
}

static void no_memory(void **state)
{
	for (unsigned nth = 1; nth < 5; nth++) {
		heap_fail_nth(nth);
		assert_int_equal(plug_with(F_REPORTING, 2), -1);
		heap_fail_nth(0);
		unplug(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BALLOON(t) cmocka_unit_test_setup_teardown(t, plug, unplug)
		BALLOON(when_free_for_a_while), BALLOON(used_again), BALLOON(under_way), BALLOON(breaks), BALLOON(removed_under_way),
		cmocka_unit_test(queues), cmocka_unit_test(no_memory),
	};

	host_sched_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
