/*
 * device.c - the list of devices that platform/ found, and matching them to drivers.
 * No locks: boot only, on one CPU. A driver that fails costs its device, never the boot.
 */
#include "base/counter.h"
#include "base/errno.h"
#include "base/log.h"
#include "dev/driver.h"

COUNTER(device_probe_failed);
const struct pci_config_ops *pci_config;

static struct list devices = LIST_INIT(devices);

void device_add(struct device *d)
{
	list_append(&devices, &d->link);
}

static void device_probe(struct device *d)
{
	for (const struct driver *const *p = driver_table; *p; p++) {
		int r = (*p)->probe(d);

		if (r == 0) {
			d->driver = *p;
			return;
		}
		if (r != -ENODEV) {
			counter_bump(device_probe_failed);
			log_error("%s: a device could not be used (error %d)\n", (*p)->name, -r);
			return;
		}
	}
}

void device_probe_all(void)
{
	struct device *d;

	list_for_each_entry(d, &devices, link)
		if (!d->driver)
			device_probe(d);
}

void device_remove(struct device *d)
{
	if (d->driver && d->driver->remove)
		d->driver->remove(d);
	d->driver = NULL;
	list_remove(&d->link);
}
