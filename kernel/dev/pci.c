/*
 * pci.c - capabilities, BARs, MSI-X and line interrupts of a PCI function (PCI Local Bus 3.0, chapter 6).
 *
 * Invariants:
 *  1. A capability walk ends after CAPS_MAX steps.
 *  2. Nothing is mapped that is not inside the BAR it claims to be in.
 * Locks: none; boot only, but for the line handler, which walks a list that only grows.
 */
#include "dev/pci.h"

#include "base/errno.h"
#include "base/log.h"

#define CAPS_MAX    48u
#define LINES_MAX   8u
#define GSI_MAX     24u              /* the line register holds a pin of the first I/O APIC, or rubbish */

enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_ENTRY_LEN = 16 };
#define MSIX_ENABLE   0x8000u
#define MSIX_MASK_ALL 0x4000u

u8 pci_find_capability(const struct device *d, u8 id, u8 after)
{
	if (!(pci_read(d, PCI_STATUS, 2) & 0x10))
		return 0;
	u8 at = (u8)pci_read(d, after ? after + 1 : PCI_CAP_POINTER, 1) & 0xfc;

	for (unsigned i = 0; i < CAPS_MAX && at >= 0x40; i++) {
		u32 head = pci_read(d, at, 2);

		if ((head & 0xff) == id)
			return at;
		at = (u8)(head >> 8) & 0xfc;
	}
	return 0;
}

static void bar_size(const struct device *d, struct pci_bars *bars, unsigned n)
{
	u16 off = (u16)(PCI_BAR0 + 4 * n);
	u32 low = pci_read(d, off, 4), high = 0;
	bool is64 = (low & 6) == 4 && n < 5;
	u32 command = pci_read(d, PCI_COMMAND, 2);

	bars->bar[n].known = true;
	if (low & 1)
		return;
	pci_write(d, PCI_COMMAND, 2, command & ~(u32)PCI_COMMAND_MEMORY);
	pci_write(d, off, 4, ~0u);
	u64 mask = 0xffffffff00000000ull | (pci_read(d, off, 4) & ~0xfu);

	pci_write(d, off, 4, low);
	if (is64) {
		high = pci_read(d, off + 4, 4);
		pci_write(d, off + 4, 4, ~0u);
		mask = (u64)pci_read(d, off + 4, 4) << 32 | (u32)mask;
		pci_write(d, off + 4, 4, high);
	}
	pci_write(d, PCI_COMMAND, 2, command);
	u64 base = (u64)high << 32 | (low & ~0xfu), len = ~mask + 1;

	if (base == 0 || (u32)mask == 0 || !IS_POW2(len) || base + len < base)
		return;
	bars->bar[n].base = base;
	bars->bar[n].len = len;
}

volatile u8 *pci_bar_map(const struct device *d, struct pci_bars *bars, unsigned n, u64 off, u64 len)
{
	if (n > 5)
		return NULL;
	if (!bars->bar[n].known)
		bar_size(d, bars, n);
	u64 window = MIN(bars->bar[n].len, (u64)PCI_BAR_MAP_MAX);

	if (len == 0 || off > window || len > window - off)
		return NULL;
	if (!bars->bar[n].mapped)
		bars->bar[n].mapped = arch_map_device(bars->bar[n].base, window);
	return bars->bar[n].mapped ? bars->bar[n].mapped + off : NULL;
}

void pci_enable(const struct device *d)
{
	u32 command = pci_read(d, PCI_COMMAND, 2);
	u32 want = command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (command != want)
		pci_write(d, PCI_COMMAND, 2, want);
}

static void msix_write(const struct pci_msix *m, unsigned entry, unsigned word, u32 v)
{
	*(volatile u32 *)(volatile void *)(m->table + entry * MSIX_ENTRY_LEN + word * 4) = v;
}

int pci_msix_init(const struct device *d, struct pci_bars *bars, struct pci_msix *m)
{
	m->cap = pci_find_capability(d, PCI_CAP_MSIX, 0);
	if (!m->cap)
		return -ENODEV;
	u32 control = pci_read(d, m->cap + MSIX_CONTROL, 2), where = pci_read(d, m->cap + MSIX_TABLE, 4);

	m->count = (u16)((control & 0x7ff) + 1);
	m->table = pci_bar_map(d, bars, where & 7, where & ~7u, m->count * (u64)MSIX_ENTRY_LEN);
	if (!m->table) {
		m->cap = 0;
		return -EIO;
	}
	pci_write(d, m->cap + MSIX_CONTROL, 2, (control | MSIX_ENABLE) & ~MSIX_MASK_ALL);
	return 0;
}

void pci_msix_set(const struct pci_msix *m, unsigned entry, unsigned vector, unsigned cpu)
{
	u64 address;
	u32 data;

	ASSERT(entry < m->count);
	arch_msi_message(vector, cpu, &address, &data);
	msix_write(m, entry, 0, (u32)address);
	msix_write(m, entry, 1, (u32)(address >> 32));
	msix_write(m, entry, 2, data);
	msix_write(m, entry, 3, 0);
}

static struct intx_line {
	unsigned gsi;
	struct list users;
} lines[LINES_MAX];
static unsigned nlines;

static void line_irq(void *arg)
{
	struct intx_line *line = arg;
	struct pci_intx *x;

	list_for_each_entry(x, &line->users, link)
		x->handler(x->arg);
}

static int line_get(unsigned gsi, struct intx_line **ret)
{
	for (unsigned i = 0; i < nlines; i++)
		if (lines[i].gsi == gsi) {
			*ret = &lines[i];
			return 0;
		}
	if (nlines == LINES_MAX)
		return -ENODEV;
	struct intx_line *line = &lines[nlines];
	unsigned vector;

	list_init(&line->users);
	line->gsi = gsi;
	int r = arch_vector_alloc(line_irq, line, &vector);

	if (r == 0)
		r = arch_gsi_route(gsi, vector, true, false);
	if (r < 0)
		return r;
	nlines++;
	*ret = line;
	return 0;
}

int pci_intx_bind(const struct device *d, struct pci_intx *x, arch_irq_handler handler, void *arg)
{
	unsigned gsi = pci_read(d, PCI_IRQ_LINE, 1);
	struct intx_line *line;

	if (x->bound)
		return 0;
	if (pci_read(d, PCI_IRQ_PIN, 1) == 0 || gsi == 0 || gsi >= GSI_MAX)
		return -ENODEV;
	int r = line_get(gsi, &line);

	if (r < 0)
		return r;
	x->handler = handler;
	x->arg = arg;
	x->bound = true;
	irq_flags_t f = arch_irq_save();

	list_append(&line->users, &x->link);
	arch_irq_restore(f);
	return 0;
}
