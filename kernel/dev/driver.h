/*
 * driver.h - buses and drivers. platform/ finds devices and calls device_add; drivers.def lists
 * the drivers; device_probe_all matches them. No bus is probed that the machine does not need.
 */
#ifndef DEV_DRIVER_H
#define DEV_DRIVER_H

#include "arch/arch.h"
#include "base/link.h"
#include "base/list.h"

enum bus_type { BUS_VIRTIO_MMIO, BUS_PCI, BUS_FAKE /* tests */ };

struct device {
	enum bus_type bus;
	struct list link;
	union {
		struct {
			phys_t base;
			u64 size;
			unsigned gsi;
		} mmio;
		struct {
			u16 vendor, device;
			u8 bus, slot, function;
			u8 revision;
			u32 class_code;
		} pci;
	};
	void *driver_data;           /* the transport's */
	void *driver_state;          /* the driver's */
	const struct driver *driver; /* who took it, NULL */
	bool identified;             /* virtio: virtio_id is known */
	u32 virtio_id;               /* 0: none */
};

struct driver {
	const char *name;
	/* 0 if it took the device; -ENODEV if it is not its kind; another errno if it is and failed (logged, counted). */
	int (*probe)(struct device *d);
	/* Undo probe: the class no longer knows it, the device is reset, its memory is free. Nobody may use it any more. */
	void (*remove)(struct device *d);
};
extern const struct driver *const driver_table[];  /* from drivers/drivers.def, NULL-terminated */

void device_add(struct device *d);           /* d is the caller's and stays; the order of adding is the order of names (vda, vdb) */
void device_probe_all(void);
void device_remove(struct device *d);        /* tests */

/* PCI configuration space; implemented by platform/ (CF8 or ECAM) through these pointers. */
struct pci_config_ops {
	u32 (*read)(u8 bus, u8 slot, u8 function, u16 offset, unsigned size);
	void (*write)(u8 bus, u8 slot, u8 function, u16 offset, unsigned size, u32 value);
};
extern const struct pci_config_ops *pci_config;

#endif
