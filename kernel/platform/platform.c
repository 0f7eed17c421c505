/* platform.c - where the devices are: see platform.h. */
#include "platform/platform.h"
#include "arch/boot_info.h"

void platform_find_devices(void)
{
	if (mmio_add_from_cmdline(boot_info.cmdline) || pci_scan())
		return;
	mmio_scan_microvm();
}
