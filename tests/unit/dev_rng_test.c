/* dev_rng_test.c - entropy from the host: short answers, empty answers, answers that are too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_virtio.h"
#include "mm/heap.h"
#include "sched/random.h"

static struct fake f;

static int plug(void **state)
{
	f = (struct fake){ .id = VIRTIO_ID_RNG, .offers = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX };
	f.q[0].max = 8;
	fake_add(&f);
	device_probe_all();
	assert_non_null(f.dev.driver);
	return 0;
}
static int unplug(void **state)
{
	device_remove(&f.dev);
	return 0;
}

static bool answer(u32 len)
{
	struct fake_chain c;

	if (!fake_pop(&f, 0, &c))
		return false;
	memset(c.in[0].p, 0xa5, c.in[0].len);
	if (fake_push(&f, 0, &c, len))
		fake_irq(&f, 0);
	return true;
}

static void whole(void **state)
{
	assert_int_equal(f.q[0].kicks, 1);
	assert_true(answer(64));
	assert_false(answer(64));        /* enough: the host is left alone */
	assert_true(random_ready());
}
static void piecemeal(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		assert_true(answer(16));
	assert_false(answer(16));
}
static void nothing(void **state)
{
	unsigned n = 0;

	while (answer(0))
		assert_in_range(++n, 1, 16);
	assert_int_equal(n, 16);
}
static void too_long(void **state)
{
	assert_true(answer(65));
	assert_true(virtio_is_broken(f.d));
}
static void no_memory(void **state)
{
	for (unsigned nth = 1; nth < 7; nth++) {
		struct fake g = { .id = VIRTIO_ID_RNG, .offers = VIRTIO_F_VERSION_1 };

		g.q[0].max = 8;
		fake_add(&g);
		heap_fail_nth(nth);
		device_probe_all();
		heap_fail_nth(0);
		assert_null(g.dev.driver);
		device_remove(&g.dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RNG(t) cmocka_unit_test_setup_teardown(t, plug, unplug)
		RNG(whole), RNG(piecemeal), RNG(nothing), RNG(too_long), cmocka_unit_test(no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
