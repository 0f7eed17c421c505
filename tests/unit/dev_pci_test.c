/* dev_pci_test.c - the PCI helper against configuration spaces that are wrong, and the sizes of BARs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/errno.h"
#include "base/string.h"
#include "dev/pci.h"
#include "dev/virtio.h"

static u8 space[256];
static u64 bar_mask[6];              /* which bits of each 32-bit BAR register can be written */
static unsigned reads;
static struct device d = { .bus = BUS_PCI, .pci = { .vendor = 0x1af4, .device = 0x1041 } };

static u32 space_read(u8 bus, u8 slot, u8 function, u16 off, unsigned size)
{
	u32 v = 0;

	reads++;
	assert_true(off + size <= 256);
	memcpy(&v, space + off, size);
	return v;
}
static void space_write(u8 bus, u8 slot, u8 function, u16 off, unsigned size, u32 v)
{
	u32 old = space_read(bus, slot, function, off, size);

	if (off >= PCI_BAR0 && off < PCI_BAR0 + 24) {
		u32 mask = (u32)bar_mask[(off - PCI_BAR0) / 4];

		/* A BAR that decodes while it is sized would answer at all addresses. */
		assert_false(v == ~0u && (space[PCI_COMMAND] & PCI_COMMAND_MEMORY));
		v = (v & mask) | (old & ~mask);
	}
	memcpy(space + off, &v, size);
}
static const struct pci_config_ops ops = { .read = space_read, .write = space_write };

static int setup(void **state)
{
	pci_config = &ops;
	memset(space, 0, sizeof(space));
	memset(bar_mask, 0, sizeof(bar_mask));
	space[PCI_STATUS] = 0x10;
	space[PCI_COMMAND] = PCI_COMMAND_MEMORY;
	reads = 0;
	return 0;
}

static void cap(u8 at, u8 id, u8 next)
{
	space[at] = id;
	space[at + 1] = next;
}

static void capabilities(void **state)
{
	space[PCI_CAP_POINTER] = 0x40;
	cap(0x40, 0x05, 0x53);           /* low bits are to be ignored */
	cap(0x50, 0x09, 0x60);
	cap(0x60, 0x11, 0x70);
	cap(0x70, 0x09, 0);
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0x50);
	assert_int_equal(pci_find_capability(&d, 0x09, 0x50), 0x70);
	assert_int_equal(pci_find_capability(&d, 0x09, 0x70), 0);
	assert_int_equal(pci_find_capability(&d, 0x11, 0), 0x60);
	assert_int_equal(pci_find_capability(&d, 0x77, 0), 0);
	space[PCI_STATUS] = 0;
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0);
}

static void capability_loops(void **state)
{
	space[PCI_CAP_POINTER] = 0x40;
	cap(0x40, 0x05, 0x50);
	cap(0x50, 0x05, 0x40);
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0);
	cap(0x50, 0x05, 0x50);
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0);
	cap(0x50, 0x05, 0x10);           /* into the header */
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0);
	space[PCI_CAP_POINTER] = 0xfc;
	cap(0xfc, 0x09, 0xfc);
	assert_int_equal(pci_find_capability(&d, 0x09, 0), 0xfc);
	assert_in_range(reads, 1, 400);
	/* The transport's walk over a loop of its own kind ends too, and finds nothing to use. */
	struct virtio_device v = { .dev = &d };

	assert_int_equal(virtio_pci_open(&v), -EIO);
	assert_in_range(reads, 1, 20000);
}

static void put32(u16 off, u32 v) { memcpy(space + off, &v, 4); }

static void bars(void **state)
{
	struct pci_bars b = { 0 };

	put32(0x10, 0xfebc0000);
	bar_mask[0] = 0xffff0000;        /* 64 KiB, 32 bit */
	put32(0x14, 0x0000c001);
	bar_mask[1] = 0x0000ffe0;        /* I/O */
	put32(0x18, 0x0000000c);
	put32(0x1c, 0x00000080);
	bar_mask[2] = 0xffffc000;        /* 16 KiB, 64 bit, prefetchable, above 512 GiB */
	bar_mask[3] = 0xffffffff;
	put32(0x20, 0);
	bar_mask[4] = 0xfffff000;        /* not assigned */
	put32(0x24, 0x0000000c);         /* says 64 bit, but is the last */
	bar_mask[5] = 0xffffff00;
	for (unsigned i = 0; i < 6; i++)
		assert_null(pci_bar_map(&d, &b, i, 0, 1));   /* no device memory on the host; but sized */
	assert_true(b.bar[0].base == 0xfebc0000 && b.bar[0].len == 65536);
	assert_true(b.bar[1].base == 0 && b.bar[1].len == 0);
	assert_true(b.bar[2].base == 0x8000000000ull && b.bar[2].len == 16384);
	assert_true(b.bar[4].len == 0);
	assert_true(b.bar[5].len == 0);
	/* As before. */
	assert_int_equal(space_read(0, 0, 0, 0x10, 4), 0xfebc0000);
	assert_int_equal(space_read(0, 0, 0, 0x1c, 4), 0x80);
	assert_int_equal(space[PCI_COMMAND], PCI_COMMAND_MEMORY);
	assert_null(pci_bar_map(&d, &b, 6, 0, 1));
	assert_null(pci_bar_map(&d, &b, 0, 65536, 1));
	assert_null(pci_bar_map(&d, &b, 0, UINT64_MAX, 2));
	assert_null(pci_bar_map(&d, &b, 0, 1, UINT64_MAX));
}

static void msix(void **state)
{
	struct pci_bars b = { 0 };
	struct pci_msix m;

	assert_int_equal(pci_msix_init(&d, &b, &m), -ENODEV);
	space[PCI_CAP_POINTER] = 0x40;
	cap(0x40, PCI_CAP_MSIX, 0);
	space[0x42] = 0xff;
	space[0x43] = 0x07;              /* 2048 entries in a BAR of 4 KiB */
	put32(0x10, 0xfebc0000);
	bar_mask[0] = 0xfffff000;
	assert_int_equal(pci_msix_init(&d, &b, &m), -EIO);
	assert_int_equal(m.cap, 0);
	assert_int_equal(space[0x43], 0x07);             /* not enabled */
}

static void line(void **state)
{
	struct pci_intx x = { 0 };

	assert_int_equal(pci_intx_bind(&d, &x, NULL, NULL), -ENODEV);
	space[PCI_IRQ_PIN] = 1;
	space[PCI_IRQ_LINE] = 0xff;
	assert_int_equal(pci_intx_bind(&d, &x, NULL, NULL), -ENODEV);
}

static void identify(void **state)
{
	struct device e = { .bus = BUS_PCI, .pci = { .vendor = 0x1af4, .device = 0x1042 } };

	assert_int_equal(virtio_pci_identify(&e), VIRTIO_ID_BLOCK);
	e.pci.device = 0x1000;
	space[PCI_SUBSYSTEM_ID] = 1;
	assert_int_equal(virtio_pci_identify(&e), VIRTIO_ID_NET);
	e.pci.device = 0x1080;
	assert_int_equal(virtio_pci_identify(&e), 0);
	e.pci.vendor = 0x8086;
	assert_int_equal(virtio_pci_identify(&e), 0);
	/* Too small, unaligned, unmapped. */
	struct device m = { .bus = BUS_VIRTIO_MMIO, .mmio = { .base = 0xfeb00000, .size = 0x80 } };

	assert_int_equal(virtio_mmio_identify(&m), 0);
	m.mmio.size = 0x200;
	assert_int_equal(virtio_mmio_identify(&m), 0);
	m.mmio.base = 0xfeb00002;
	assert_int_equal(virtio_mmio_identify(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define PCI(t) cmocka_unit_test_setup(t, setup)
		PCI(capabilities), PCI(capability_loops), PCI(bars), PCI(msix), PCI(line), PCI(identify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
