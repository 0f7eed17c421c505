/*
 * pci.h - what drivers need of PCI: configuration fields, capabilities, BARs, MSI-X.
 * Over the pci_config operations of driver.h. No locks: probing is on one CPU.
 * What the device's configuration says is checked against its own BARs.
 */
#ifndef DEV_PCI_H
#define DEV_PCI_H

#include "dev/driver.h"

enum {
	PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_BAR0 = 0x10, PCI_CAP_POINTER = 0x34,
	PCI_IRQ_LINE = 0x3c, PCI_IRQ_PIN = 0x3d, PCI_SUBSYSTEM_ID = 0x2e,
};
enum { PCI_COMMAND_MEMORY = 2u, PCI_COMMAND_MASTER = 4u, PCI_COMMAND_INTX_OFF = 0x400u };
enum { PCI_CAP_VENDOR = 0x09, PCI_CAP_MSIX = 0x11 };

static inline u32 pci_read(const struct device *d, u16 off, unsigned size)
{
	return pci_config->read(d->pci.bus, d->pci.slot, d->pci.function, off, size);
}
static inline void pci_write(const struct device *d, u16 off, unsigned size, u32 v)
{
	pci_config->write(d->pci.bus, d->pci.slot, d->pci.function, off, size, v);
}

/* Walk the capabilities: the first of this id behind `after` (0: from the start); 0 at the end. Bounded however the list is linked. */
u8 pci_find_capability(const struct device *d, u8 id, u8 after);

/* A memory BAR, sized and (where first needed) mapped. */
struct pci_bars {
	struct {
		bool known;
		phys_t base;         /* 0: none, I/O, or not assigned */
		u64 len;
		volatile u8 *mapped; /* all of it */
	} bar[6];
};
#define PCI_BAR_MAP_MAX (1u << 20)   /* of a BAR, what is mapped at most */
/* [off, off + len) of a BAR as memory; NULL if it does not lie within it (or is out of PCI_BAR_MAP_MAX). */
volatile u8 *pci_bar_map(const struct device *d, struct pci_bars *bars, unsigned bar, u64 off, u64 len);

void pci_enable(const struct device *d);     /* memory decoding and bus mastering */

struct pci_msix {
	u8 cap;                      /* 0: no MSI-X */
	u16 count;
	volatile u8 *table;
};
/* Find and map the table and turn MSI-X on with all entries masked. -ENODEV, -EIO. */
int pci_msix_init(const struct device *d, struct pci_bars *bars, struct pci_msix *m) MUST_CHECK;
/* Send entry's interrupt as vector to a CPU, unmasked. */
void pci_msix_set(const struct pci_msix *m, unsigned entry, unsigned vector, unsigned cpu);

/* The line interrupt, shared: handler is called for each interrupt on d's line and looks whether it is its own. -ENODEV if d has none. */
struct pci_intx {
	struct list link;
	arch_irq_handler handler;
	void *arg;
	bool bound;
};
int pci_intx_bind(const struct device *d, struct pci_intx *x, arch_irq_handler handler, void *arg) MUST_CHECK;

#endif
