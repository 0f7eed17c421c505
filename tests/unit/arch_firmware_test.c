/*
 * arch_firmware_test.c - ACPI and MP tables: right ones are read, wrong ones are refused, and no byte beyond is read. The tables
 * lie at low addresses (where a pointer is its physical address) with an unmapped page behind them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/x86_64/acpi.c"
#define sum_ok mp_sum_ok
#include "arch/x86_64/mptable.c"
#undef sum_ok

#define ROOM 0x20000000ul
#define ROOM_LEN 0x10000ul

volatile void *arch_map_device(phys_t pa, size_t len)
{
	(void)len;
	return (volatile void *)pa;
}

static u8 *room_end;     /* tables end here: the next byte faults */

static int setup(void **state)
{
	void *p = mmap((void *)ROOM, ROOM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	room_end = (u8 *)ROOM + ROOM_LEN;
	return p == (void *)ROOM ? 0 : -1;
}

static void seal(u8 *t, u32 len, unsigned at)
{
	u8 sum = 0;

	t[at] = 0;
	for (u32 i = 0; i < len; i++)
		sum += t[i];
	t[at] = (u8)-sum;
}

static u8 *table_new(u8 *at, const char *sig, u32 len)
{
	memset(at, 0, len);
	memcpy(at, sig, 4);
	memcpy(at + 4, &len, 4);
	return at;
}

static void put32(u8 *p, u32 v) { memcpy(p, &v, 4); }

/* RSDP, XSDT and a MADT with two CPUs (one of them off) and an I/O APIC; the MADT is the last thing before the hole. */
static u8 *build(u8 **ret_madt, u32 *ret_len)
{
	u8 *rsdp = (u8 *)ROOM, *xsdt = (u8 *)ROOM + 64, *madt;
	u32 len = 44 + 8 + 8 + 12;
	u64 pa;

	madt = table_new(room_end - len, "APIC", len);
	put32(madt + 36, 0xfee00000);
	memcpy(madt + 44, (u8[]){ 0, 8, 0, 0, 1, 0, 0, 0 }, 8);
	memcpy(madt + 52, (u8[]){ 0, 8, 1, 7, 0, 0, 0, 0 }, 8);
	memcpy(madt + 60, (u8[]){ 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0 }, 12);
	seal(madt, len, 9);
	table_new(xsdt, "XSDT", 44);
	pa = (u64)madt;
	memcpy(xsdt + 36, &pa, 8);
	seal(xsdt, 44, 9);
	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	put32(rsdp + 20, 36);
	pa = (u64)xsdt;
	memcpy(rsdp + 24, &pa, 8);
	seal(rsdp, 20, 8);
	memset(&firmware, 0, sizeof(firmware));
	*ret_madt = madt;
	*ret_len = len;
	return rsdp;
}

static void acpi_right(void **state)
{
	u8 *madt;
	u32 len;

	assert_true(acpi_read((u64)build(&madt, &len)));
	assert_int_equal(firmware.ncpus, 1);
	assert_int_equal(firmware.apic_ids[0], 0);
	assert_int_equal(firmware.nioapics, 1);
	assert_int_equal(firmware.ioapics[0].address, 0xfec00000);
	assert_int_equal(firmware.ioapics[0].gsi_base, 24);
	assert_int_equal(firmware.lapic, 0xfee00000);
}

static void acpi_wrong(void **state)
{
	u8 *madt, *rsdp;
	u32 len;

	assert_false(acpi_read(0));
	assert_false(acpi_read(0xfffffffffull));
	rsdp = build(&madt, &len);
	rsdp[0] = 'X';
	assert_false(acpi_read((u64)rsdp));
	rsdp = build(&madt, &len);
	madt[40] ^= 1;                          /* checksum */
	assert_false(acpi_read((u64)rsdp));
	rsdp = build(&madt, &len);
	put32(madt + 4, 0xffffffff);            /* length */
	assert_false(acpi_read((u64)rsdp));
	rsdp = build(&madt, &len);
	madt[45] = 0;                           /* an entry of no length must not loop for ever */
	seal(madt, len, 9);
	assert_true(acpi_read((u64)rsdp));
	assert_int_equal(firmware.ncpus, 0);
	rsdp = build(&madt, &len);
	madt[61] = 200;                         /* an entry that leaves the table */
	seal(madt, len, 9);
	assert_true(acpi_read((u64)rsdp));
	assert_int_equal(firmware.nioapics, 0);
}

static void acpi_hostile(void **state)
{
	u8 *madt, *rsdp;
	u32 len;

	srandom(5);
	for (unsigned i = 0; i < 20000; i++) {
		rsdp = build(&madt, &len);
		for (unsigned n = 1 + (unsigned)random() % 4; n > 0; n--)
			madt[44 + random() % (len - 44)] = (u8)random();
		seal(madt, len, 9);
		acpi_read((u64)rsdp);
		assert_true(firmware.ncpus <= ARCH_MAX_CPUS && firmware.nioapics <= FIRMWARE_MAX_IOAPICS);
	}
}

/* FADT: sizes from 36 to 276 bytes, each ending at the hole. */
static void fadt_of_any_length(void **state)
{
	for (u32 len = 36; len <= 276; len++) {
		u8 *t = table_new(room_end - len, "FACP", len);

		memset(t + 36, 0xff, len - 36);
		seal(t, len, 9);
		memset(&firmware, 0, sizeof(firmware));
		read_table((u64)t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acpi_right), cmocka_unit_test(acpi_wrong), cmocka_unit_test(acpi_hostile),
		cmocka_unit_test(fadt_of_any_length),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
