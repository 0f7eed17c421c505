/*
 * platform.h - finding the devices of a PC-like machine and handing them to dev/ (device_add). Boot only, may sleep.
 *
 * Devices named on the kernel's command line come first and are the whole truth: then nothing is searched. Else PCI if
 * the machine has it; else the windows where QEMU's microvm puts virtio-mmio devices.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include "dev/driver.h"

void platform_find_devices(void);

/* mmio.c: `virtio_mmio.device=SIZE@BASE:IRQ` words of the command line; how many were added. */
unsigned mmio_add_from_cmdline(const char *cmdline);
/* mmio.c: look into microvm's fixed windows. */
void mmio_scan_microvm(void);
/* pci.c: find a way to configuration space and add all functions; false if the machine has no PCI. */
bool pci_scan(void);

#endif
