/*
 * acpi.c - the static ACPI tables (ACPI 6.5, chapter 5.2): RSDP, XSDT or RSDT, MADT, FADT, HPET, MCFG, and QEMU's of the machine's
 * generation. No AML is interpreted. Lengths and checksums are checked; a table that fails is skipped and counted.
 */
#include "arch/x86_64/firmware.h"
#include "arch/x86_64/cpu.h"
#include "base/counter.h"
#include "base/string.h"

#define TABLE_MAX (1u << 20)
#define TABLES_MAX 64u

COUNTER(acpi_bad_table);
struct firmware firmware RO_AFTER_INIT_ZERO;

struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
} PACKED;
struct table {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[26];
} PACKED;
_Static_assert(sizeof(struct table) == 36, "ACPI 5.2.6");

const void *firmware_bytes(u64 pa, u64 len)
{
	if (pa == 0 || pa >= 4 * GiB || len > 4 * GiB - pa)
		return NULL;
	return (const void *)pa;
}

void firmware_add_cpu(u32 apic_id)
{
	struct firmware *f = &firmware;

	for (unsigned i = 0; i < f->ncpus; i++)
		if (f->apic_ids[i] == apic_id)
			return;
	if (f->ncpus < ARCH_MAX_CPUS)
		f->apic_ids[f->ncpus++] = apic_id;
}

void firmware_add_ioapic(phys_t address, u32 gsi_base)
{
	struct firmware *f = &firmware;

	if (f->nioapics < FIRMWARE_MAX_IOAPICS) {
		f->ioapics[f->nioapics].address = address;
		f->ioapics[f->nioapics++].gsi_base = gsi_base;
	}
}

static bool sum_ok(const u8 *p, u64 len)
{
	u64 sum = 0, w;

	/* Eight bytes at a time: byte sums do not overflow into each other for short runs, so fold as we go. */
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		w = (w & 0x00ff00ff00ff00ffull) + (w >> 8 & 0x00ff00ff00ff00ffull);
		sum += (w & 0xffff) + (w >> 16 & 0xffff) + (w >> 32 & 0xffff) + (w >> 48);
	}
	while (len--)
		sum += *p++;
	return (u8)sum == 0;
}

static u32 get32(const void *p, unsigned off) { u32 v; memcpy(&v, (const u8 *)p + off, 4); return v; }
static u64 get64(const void *p, unsigned off) { u64 v; memcpy(&v, (const u8 *)p + off, 8); return v; }

/* A whole table with a right checksum, or NULL. */
static const struct table *table_get(u64 pa)
{
	const struct table *t = firmware_bytes(pa, sizeof(*t));

	if (t && t->length >= sizeof(*t) && t->length <= TABLE_MAX && firmware_bytes(pa, t->length) && sum_ok((const u8 *)t, t->length))
		return t;
	counter_bump(acpi_bad_table);
	return NULL;
}

static void read_madt(const struct table *t)
{
	const u8 *p = (const u8 *)t;
	u32 at = 44;

	if (t->length < 44)
		return;
	firmware.lapic = get32(p, 36);
	while (at + 2 <= t->length && p[at + 1] >= 2 && at + p[at + 1] <= t->length) {
		unsigned len = p[at + 1];

		if (p[at] == 0 && len >= 8 && (get32(p, at + 4) & 1))           /* local APIC, enabled */
			firmware_add_cpu(p[at + 3]);
		else if (p[at] == 9 && len >= 16 && (get32(p, at + 8) & 1))     /* x2APIC */
			firmware_add_cpu(get32(p, at + 4));
		else if (p[at] == 1 && len >= 12)                               /* I/O APIC */
			firmware_add_ioapic(get32(p, at + 4), get32(p, at + 8));
		else if (p[at] == 5 && len >= 12)                               /* local APIC address override */
			firmware.lapic = get64(p, at + 4);
		at += len;
	}
}

static struct firmware_gas get_gas(const u8 *p, unsigned off)
{
	return (struct firmware_gas){ .space = p[off], .address = get64(p, off + 4) };
}

static void read_fadt(const struct table *t)
{
	const u8 *p = (const u8 *)t;
	u32 flags, arch_flags;

	if (t->length < 116)
		return;
	flags = get32(p, 112);
	arch_flags = p[109] | p[110] << 8;
	firmware.hw_reduced = flags & (1u << 20);
	firmware.dsdt = get32(p, 40);
	firmware.century_register = p[108];
	firmware.no_rtc = arch_flags & (1u << 5);
	firmware.no_8042 = !(arch_flags & (1u << 1));
	if (!firmware.hw_reduced) {
		firmware.pm1a_control = (u16)get32(p, 64);
		firmware.pm_timer = p[91] == 4 ? (u16)get32(p, 76) : 0;
	}
	if ((flags & (1u << 10)) && t->length >= 129) {
		firmware.reset = get_gas(p, 116);
		firmware.reset_value = p[128];
	}
	if (t->length >= 148 && get64(p, 140))
		firmware.dsdt = get64(p, 140);
	if (firmware.hw_reduced && t->length >= 268)
		firmware.sleep_control = get_gas(p, 244);
}

/* QEMU's table of its vmgenid device: the name VGIA is where a page lies, with the identity 40 bytes in (docs/specs/vmgenid.txt there). */
static void read_generation(u64 pa)
{
	const struct table *t = table_get(pa);
	const u8 *p = (const u8 *)t;

	for (u32 at = sizeof(*t); t && at + 9 <= t->length; at++)
		if (!memcmp(p + at, "VGIA\x0c", 5))
			firmware.generation = get32(p, at + 5) + 40ull;
}

static void read_table(u64 pa)
{
	const struct table *t = firmware_bytes(pa, sizeof(*t));
	u32 sig;

	if (!t)
		return;
	/* Others (their checksums too) are not looked at: only what we use is read. */
	memcpy(&sig, t->signature, 4);
	if (sig == 0x54445353 && !memcmp(t->oem + 6, "VMGENID", 7)) /* "SSDT" */
		read_generation(pa);
	if (sig != 0x43495041 && sig != 0x50434146 && sig != 0x54455048 && sig != 0x4746434d)
		return;
	t = table_get(pa);
	if (!t)
		return;
	if (sig == 0x43495041) {                /* "APIC" */
		firmware.acpi = true;
		read_madt(t);
	} else if (sig == 0x50434146) {         /* "FACP" */
		read_fadt(t);
	} else if (sig == 0x54455048) {         /* "HPET" */
		if (t->length >= 56 && ((const u8 *)t)[40] == 0)
			firmware.hpet = get64(t, 44);
	} else if (t->length >= 60 && (get32(t, 52) & 0xffff) == 0) {   /* "MCFG", segment 0 */
		firmware.mcfg = get64(t, 44);
		firmware.mcfg_bus_start = ((const u8 *)t)[54];
		firmware.mcfg_bus_end = ((const u8 *)t)[55];
	}
}

bool acpi_read(phys_t rsdp_pa)
{
	const struct rsdp *r = firmware_bytes(rsdp_pa, sizeof(*r));
	const struct table *list;
	unsigned width, n;

	if (!r || memcmp(r->signature, "RSD PTR ", 8) || !sum_ok((const u8 *)r, 20))
		return false;
	width = r->revision >= 2 && r->xsdt ? 8 : 4;
	list = table_get(width == 8 ? r->xsdt : r->rsdt);
	if (!list)
		return false;
	n = MIN((list->length - (u32)sizeof(*list)) / width, TABLES_MAX);
	for (unsigned i = 0; i < n; i++) {
		unsigned at = sizeof(*list) + i * width;

		read_table(width == 8 ? get64(list, at) : get32(list, at));
	}
	return firmware.acpi;
}

const volatile u64 *arch_generation(void)
{
	return firmware.generation ? arch_map_device(firmware.generation, 16) : NULL;
}

/* ---- S5: the one object of the DSDT that is needed; found by its bytes (ACPI 20.2: NameOp _S5_ PackageOp ...) ---- */

bool acpi_s5_type(u8 *ret_type)
{
	const volatile u8 *p = firmware.dsdt ? arch_map_device(firmware.dsdt, sizeof(struct table)) : NULL;
	u32 len;

	if (!p || p[0] != 'D' || p[1] != 'S' || p[2] != 'D' || p[3] != 'T')
		return false;
	len = p[4] | p[5] << 8 | p[6] << 16 | (u32)p[7] << 24;
	if (len < sizeof(struct table) + 16 || len > TABLE_MAX)
		return false;
	p = arch_map_device(firmware.dsdt, len);
	if (!p)
		return false;
	for (u32 i = sizeof(struct table); i + 12 < len; i++) {
		u32 at = i + 4;

		if (p[i] != '_' || p[i + 1] != 'S' || p[i + 2] != '5' || p[i + 3] != '_' || p[at] != 0x12)
			continue;
		at += 2 + (p[at + 1] >> 6) + 1;         /* PackageOp, PkgLength, element count */
		if (at + 1 >= len)
			return false;
		*ret_type = p[at] == 0x0a ? p[at + 1] : p[at] == 1 ? 1 : 0;
		return true;
	}
	return false;
}
