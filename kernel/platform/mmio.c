/*
 * mmio.c - virtio-mmio devices: from the command line, in the words of Linux's driver
 * (`virtio_mmio.device=<size>[KMG]@<base>:<irq>[:<id>]`), or in the windows that QEMU's microvm always uses.
 * What the line says is checked; a word that cannot be read is logged and skipped.
 */
#include "platform/platform.h"
#include "arch/x86_64/firmware.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"

#define KEY "virtio_mmio.device="
#define MMIO_MIN_LEN 0x200u
#define MMIO_MAX_LEN (1u << 20)

/* QEMU hw/i386/microvm.c: slots of 512 bytes; 24 on the second I/O APIC with ACPI, else 8 on ISA lines. */
#define MICROVM_BASE 0xfeb00000ull
#define MICROVM_SLOT_LEN 0x200u
#define MICROVM_SLOTS_ACPI 24u
#define MICROVM_GSI_ACPI 24u
#define MICROVM_SLOTS_ISA 8u
#define MICROVM_GSI_ISA 5u
#define VIRTIO_MAGIC 0x74726976u

static void add(phys_t base, u64 size, unsigned gsi)
{
	struct device *d = heap_alloc(sizeof(*d));

	if (!d)
		return;
	d->bus = BUS_VIRTIO_MMIO;
	d->mmio.base = base;
	d->mmio.size = size;
	d->mmio.gsi = gsi;
	device_add(d);
}

/* A number that ends at one of the characters in stops (or the end of the word); the position after it, or NULL. */
static const char *parse_number(const char *s, char stop, u64 *ret)
{
	const char *e = s;
	u64 unit = 1;
	size_t len;

	while (*e && *e != ' ' && *e != ':' && *e != '@')
		e++;
	len = (size_t)(e - s);
	if (len > 1 && (e[-1] == 'K' || e[-1] == 'k'))
		unit = KiB;
	else if (len > 1 && (e[-1] == 'M' || e[-1] == 'm'))
		unit = MiB;
	if (unit > 1)
		len--;
	if (!str_parse_u64(s, len, ret) || *ret > UINT64_MAX / unit || (stop && *e != stop))
		return NULL;
	*ret *= unit;
	return stop ? e + 1 : e;
}

static bool add_word(const char *s)
{
	u64 size, base, irq;

	s = parse_number(s, '@', &size);
	s = s ? parse_number(s, ':', &base) : NULL;
	s = s ? parse_number(s, 0, &irq) : NULL;
	if (!s || size < MMIO_MIN_LEN || size > MMIO_MAX_LEN || base >> 52 || base < MiB || irq > 255)
		return false;
	add(base, size, (unsigned)irq);
	return true;
}

unsigned mmio_add_from_cmdline(const char *cmdline)
{
	unsigned n = 0;

	for (const char *p = cmdline; *p; p++) {
		if ((p != cmdline && p[-1] != ' ') || !str_has_prefix(p, KEY))
			continue;
		if (add_word(p + sizeof(KEY) - 1))
			n++;
		else
			log_warn("command line: a virtio_mmio.device that cannot be read is skipped\n");
	}
	return n;
}

void mmio_scan_microvm(void)
{
	unsigned slots = firmware.acpi ? MICROVM_SLOTS_ACPI : MICROVM_SLOTS_ISA;
	unsigned gsi = firmware.acpi ? MICROVM_GSI_ACPI : MICROVM_GSI_ISA;
	const volatile u32 *window = arch_map_device(MICROVM_BASE, slots * MICROVM_SLOT_LEN);

	if (!window)
		return;
	/* QEMU gives its first device the last slot: downwards is the order of its command line, and so that of names. */
	for (unsigned i = slots; i-- > 0;) {
		const volatile u32 *regs = window + i * MICROVM_SLOT_LEN / 4;

		if (regs[0] == VIRTIO_MAGIC && regs[2] != 0)    /* magic, device kind */
			add(MICROVM_BASE + i * MICROVM_SLOT_LEN, MICROVM_SLOT_LEN, gsi + i);
	}
}
