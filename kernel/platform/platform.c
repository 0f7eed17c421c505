/* platform.c - where the devices are: see platform.h. */
#include "platform/platform.h"
#include "arch/boot_info.h"
#include "base/link.h"

LINK_SLOT_OF(pci_scan);
static __typeof__(&pci_scan) const volatile scan_pci RO_AFTER_INIT = LINK_SLOT(pci_scan);

void platform_find_devices(void)
{
	if (mmio_add_from_cmdline(boot_info.cmdline) || (scan_pci && scan_pci()))
		return;
	mmio_scan_microvm();
}
