/*
 * mptable.c - the table of Intel's MultiProcessor Specification 1.4 (chapter 4): machines without ACPI (microvm with
 * acpi=off, Firecracker). Processors and I/O APICs only. Entries are checked against the table's length.
 */
#include "arch/x86_64/firmware.h"
#include "base/string.h"

struct mp_pointer {
	char signature[4];
	u32 table;
	u8 length, revision, checksum, features[5];
} PACKED;
struct mp_table {
	char signature[4];
	u16 length;
	u8 revision, checksum;
	char oem[20];
	u32 oem_table;
	u16 oem_size, entries;
	u32 lapic;
	u16 ext_length;
	u8 ext_checksum, reserved;
} PACKED;
_Static_assert(sizeof(struct mp_pointer) == 16 && sizeof(struct mp_table) == 44, "MP 1.4, 4.1 and 4.2");

static bool sum_ok(const u8 *p, u32 len)
{
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return sum == 0;
}

static const struct mp_pointer *scan(u64 from, u64 len)
{
	const u8 *p = firmware_bytes(from, len);

	for (u64 i = 0; p && i + 16 <= len; i += 16) {
		u32 sig;

		memcpy(&sig, p + i, 4);
		if (sig == 0x5f504d5f && sum_ok(p + i, 16))     /* "_MP_" */
			return (const struct mp_pointer *)(p + i);
	}
	return NULL;
}

bool mptable_read(void)
{
	const struct mp_pointer *mp = scan(0xf0000, 0x10000);
	const struct mp_table *t;
	const u8 *p;
	u32 at = sizeof(*t);

	if (!mp)
		mp = scan(639 * KiB, KiB);
	if (!mp || !mp->table)
		return false;
	t = firmware_bytes(mp->table, sizeof(*t));
	if (!t || memcmp(t->signature, "PCMP", 4) || t->length < sizeof(*t) || !firmware_bytes(mp->table, t->length) ||
	    !sum_ok((const u8 *)t, t->length))
		return false;
	p = (const u8 *)t;
	firmware.lapic = t->lapic;
	/* By length: qboot leaves the count of entries at 0. Kinds above 4 are not of the base table. */
	while (at < t->length && p[at] <= 4) {
		unsigned len = p[at] == 0 ? 20 : 8;

		if (at + len > t->length)
			break;
		if (p[at] == 0 && (p[at + 3] & 1))              /* processor, usable */
			firmware_add_cpu(p[at + 1]);
		if (p[at] == 2 && (p[at + 3] & 1)) {            /* I/O APIC, usable */
			u32 address;

			memcpy(&address, p + at + 4, 4);
			firmware_add_ioapic(address, 0);
		}
		at += len;
	}
	firmware.mptable = true;
	return true;
}
