/*
 * pci.c - PCI configuration space: by ports 0xcf8/0xcfc where they answer, else by the memory window of the MCFG table;
 * and the walk over bus 0 and the buses behind bridges (as numbered by the firmware).
 *
 * Locks: config_lock (irq-safe) around the port pair. The walk visits each bus at most once.
 * PCI Local Bus 3.0, 3.2.2.3.2 and 6.1; PCI Express 5.0, 7.2.2.
 */
#include "platform/platform.h"
#include "arch/spinlock.h"
#include "arch/x86_64/firmware.h"
#include "mm/heap.h"

#define CF8 0xcf8u
#define CFC 0xcfcu
#define CF8_ENABLE 0x80000000u
#define CLASS_BRIDGE_PCI 0x0604u
#define ECAM_BUS_LEN (1u << 20)

static struct spinlock config_lock = SPINLOCK_INIT;
static volatile u8 *ecam_bus[256];      /* mapped when first used */

static void cf8_select(u8 bus, u8 slot, u8 function, u16 offset)
{
	arch_out32(CF8, CF8_ENABLE | (u32)bus << 16 | (u32)slot << 11 | (u32)function << 8 | (offset & 0xfcu));
}

static u32 cf8_read(u8 bus, u8 slot, u8 function, u16 offset, unsigned size)
{
	irq_flags_t f;
	u16 port = CFC + (offset & 3);
	u32 v;

	if (offset > 0xff)
		return ~0u;
	f = spin_lock_irqsave(&config_lock);
	cf8_select(bus, slot, function, offset);
	v = size == 4 ? arch_in32(port) : size == 2 ? arch_in16(port) : arch_in8(port);
	spin_unlock_irqrestore(&config_lock, f);
	return v;
}

static void cf8_write(u8 bus, u8 slot, u8 function, u16 offset, unsigned size, u32 value)
{
	irq_flags_t f;
	u16 port = CFC + (offset & 3);

	if (offset > 0xff)
		return;
	f = spin_lock_irqsave(&config_lock);
	cf8_select(bus, slot, function, offset);
	if (size == 4)
		arch_out32(port, value);
	else if (size == 2)
		arch_out16(port, (u16)value);
	else
		arch_out8(port, (u8)value);
	spin_unlock_irqrestore(&config_lock, f);
}

static volatile u8 *ecam_at(u8 bus, u8 slot, u8 function, u16 offset)
{
	if (bus < firmware.mcfg_bus_start || bus > firmware.mcfg_bus_end || offset > 0xfff)
		return NULL;
	if (!ecam_bus[bus])
		ecam_bus[bus] = arch_map_device(firmware.mcfg + (u64)bus * ECAM_BUS_LEN, ECAM_BUS_LEN);
	return ecam_bus[bus] ? ecam_bus[bus] + ((u32)slot << 15 | (u32)function << 12 | offset) : NULL;
}

static u32 ecam_read(u8 bus, u8 slot, u8 function, u16 offset, unsigned size)
{
	volatile u8 *p = ecam_at(bus, slot, function, offset);

	if (!p)
		return ~0u;
	return size == 4 ? *(volatile u32 *)p : size == 2 ? *(volatile u16 *)p : *p;
}

static void ecam_write(u8 bus, u8 slot, u8 function, u16 offset, unsigned size, u32 value)
{
	volatile u8 *p = ecam_at(bus, slot, function, offset);

	if (!p)
		return;
	if (size == 4)
		*(volatile u32 *)p = value;
	else if (size == 2)
		*(volatile u16 *)p = (u16)value;
	else
		*p = (u8)value;
}

static const struct pci_config_ops cf8_ops = { cf8_read, cf8_write };
static const struct pci_config_ops ecam_ops = { ecam_read, ecam_write };

static void add(u8 bus, u8 slot, u8 function, u32 id)
{
	struct device *d = heap_alloc(sizeof(*d));
	u32 class = pci_config->read(bus, slot, function, 8, 4);

	if (!d)
		return;
	d->bus = BUS_PCI;
	d->pci.vendor = (u16)id;
	d->pci.device = (u16)(id >> 16);
	d->pci.bus = bus;
	d->pci.slot = slot;
	d->pci.function = function;
	d->pci.revision = (u8)class;
	d->pci.class_code = class >> 8;
	device_add(d);
}

/* All functions of a bus; buses behind bridges are marked in todo. */
static void scan_bus(u8 bus, u8 todo[256])
{
	for (u8 slot = 0; slot < 32; slot++) {
		bool multi = false;

		for (u8 function = 0; function < (multi ? 8 : 1); function++) {
			u32 id = pci_config->read(bus, slot, function, 0, 4);
			u8 type;

			if (id == ~0u || (u16)id == 0)
				continue;
			type = (u8)pci_config->read(bus, slot, function, 0x0e, 1);
			if (function == 0)
				multi = type & 0x80;
			if ((type & 0x7f) == 1 && pci_config->read(bus, slot, function, 0x0a, 2) == CLASS_BRIDGE_PCI)
				todo[pci_config->read(bus, slot, function, 0x19, 1) & 0xff] |= 1;   /* secondary bus */
			else
				add(bus, slot, function, id);
		}
	}
}

static bool open_config_space(void)
{
	u32 saved = arch_in32(CF8);

	arch_out32(CF8, CF8_ENABLE);
	if (arch_in32(CF8) == CF8_ENABLE) {
		arch_out32(CF8, saved);
		pci_config = &cf8_ops;
	} else if (firmware.mcfg) {
		pci_config = &ecam_ops;
	}
	return pci_config;
}

bool pci_scan(void)
{
	u8 todo[256] = { [0] = 1 };     /* 1: to be seen, 2: seen */
	bool more = true;

	if (!open_config_space())
		return false;
	while (more) {
		more = false;
		for (unsigned bus = 0; bus < 256; bus++) {
			if (todo[bus] != 1)
				continue;
			todo[bus] = 2;
			more = true;
			scan_bus((u8)bus, todo);
		}
	}
	return true;
}
