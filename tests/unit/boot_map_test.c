/* boot_map_test.c - the memory map: whatever a loader says, boot_info.ram is sorted, disjoint, whole pages, RAM, and not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "boot/map.c"

struct boot_info boot_info;
struct arch_layout arch_layout;

void boot_fail(const char *why)
{
	(void)why;
	abort();
}

static void start(void)
{
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&boot_map, 0, sizeof(boot_map));
	memset(&take_from, 0, sizeof(take_from));
	take_used = 0;
	boot_info.kernel_start = 0x100000;
	boot_info.kernel_end = 0x1a3000;
}

static bool holds(u64 pa)
{
	for (unsigned i = 0; i < boot_info.nram; i++)
		if (pa - boot_info.ram[i].base < boot_info.ram[i].len)
			return true;
	return false;
}

static void qemu_microvm(void **state)
{
	start();
	boot_map_add(0, 0x9fc00, true);
	boot_map_add(0x9fc00, 0x400, false);
	boot_map_add(0x100000, 63 * MiB, true);
	boot_map_add(0, 0, false);
	boot_info.module = 0x3fff000;
	boot_info.module_len = 100;
	boot_map_finish();
	assert_int_equal(boot_info.nram, 3);
	assert_int_equal(boot_info.ram[0].base, 0x1000);
	assert_int_equal(boot_info.ram[1].base, BOOT_AP_PAGE + PAGE_SIZE);
	assert_int_equal(boot_info.ram[1].base + boot_info.ram[1].len, 0x9f000);
	assert_int_equal(boot_info.ram[2].base, 0x1a3000);
	assert_int_equal(boot_info.ram[2].base + boot_info.ram[2].len, 0x3fff000);
	assert_int_equal(boot_info.ram_top, 64 * MiB);
	assert_int_equal(arch_layout.ap_page, BOOT_AP_PAGE);
}

static void many_and_huge(void **state)
{
	start();
	boot_map_add(4 * GiB, 4096 * GiB, true);
	boot_map_add(0, 3 * GiB, true);
	boot_map_add(UINT64_MAX - 4096, UINT64_MAX, true);
	boot_map_add(3 * GiB - 5, UINT64_MAX, false);
	boot_map_finish();
	assert_false(holds(3 * GiB - 5));
	assert_true(holds(3 * GiB - 0x2000));
	assert_false(holds(5 * GiB));   /* what somebody called taken is taken */
	start();
	for (unsigned i = 0; i < 1000; i++)
		boot_map_add(i * 2 * MiB, MiB, true);
	boot_map_finish();
	assert_true(boot_info.nram <= BOOT_MAX_RANGES);
	/* Nothing usable at all. */
	start();
	boot_map_add(0x500, 0x200, true);
	boot_map_finish();
	assert_int_equal(boot_info.nram, 0);
}

/* A module that is not in RAM is forgotten. */
static void stray_module(void **state)
{
	start();
	boot_map_add(0, 64 * MiB, true);
	boot_info.module = 0xfed00000;
	boot_info.module_len = 100;
	boot_map_finish();
	assert_int_equal(boot_info.module_len, 0);
}

static u64 random_u64_test(void) { return (u64)random() << 33 ^ (u64)random() << 11 ^ (u64)random(); }

static void against_a_model(void **state)
{
	srandom(11);
	for (unsigned round = 0; round < 3000; round++) {
		enum { PAGES = 4096 };
		static u8 usable[PAGES], taken[PAGES];
		unsigned n = 1 + (unsigned)random() % 20;

		start();
		memset(usable, 0, sizeof(usable));
		memset(taken, 0, sizeof(taken));
		for (unsigned i = 0; i < n; i++) {
			u64 base = random_u64_test() % (PAGES * PAGE_SIZE), len = random_u64_test() % (PAGES * PAGE_SIZE / 4);
			bool ok = random() % 3;

			if (base + len > PAGES * PAGE_SIZE)
				len = PAGES * PAGE_SIZE - base;
			boot_map_add(base, len, ok);
			if (!len)
				continue;
			if (ok)
				for (u64 p = ROUND_UP(base, PAGE_SIZE) / PAGE_SIZE; p < (base + len) / PAGE_SIZE; p++)
					usable[p] = 1;
			else
				for (u64 p = base / PAGE_SIZE; p < ROUND_UP(base + len, PAGE_SIZE) / PAGE_SIZE; p++)
					taken[p] = 1;
		}
		taken[0] = 1;
		for (u64 p = boot_info.kernel_start / PAGE_SIZE; p < boot_info.kernel_end / PAGE_SIZE; p++)
			taken[p] = 1;
		boot_map_finish();
		if (arch_layout.ap_page)
			taken[BOOT_AP_PAGE / PAGE_SIZE] = 1;
		arch_layout.ap_page = 0;
		for (unsigned i = 0; i + 1 < boot_info.nram; i++)
			assert_true(boot_info.ram[i].base + boot_info.ram[i].len < boot_info.ram[i + 1].base + 1);
		if (boot_info.nram == BOOT_MAX_RANGES)
			continue;               /* the rest was dropped */
		for (u64 p = 0; p < PAGES; p++)
			assert_int_equal(holds(p * PAGE_SIZE), usable[p] && !taken[p]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_microvm), cmocka_unit_test(many_and_huge), cmocka_unit_test(stray_module),
		cmocka_unit_test(against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
