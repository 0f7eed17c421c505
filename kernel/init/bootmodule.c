/* bootmodule.c - the boot module that holds the configuration. Images from a disk will bring theirs in a partition. */
#include "arch/boot_info.h"
#include "base/errno.h"
#include "init/init.h"

const char *bootmodule_read(struct bootconf *ret)
{
	const char *why;
	int err;

	if (!boot_info.module_len)
		return bootconf_parse("", 0, ret, &why) ? "no boot module was handed over" : NULL;
	err = bootconf_parse(arch_phys_to_virt(boot_info.module), boot_info.module_len, ret, &why);
	bootconf_wipe_seed(arch_phys_to_virt(boot_info.module), boot_info.module_len);
	return err == -ENOMEM ? "not enough memory" : err ? why : NULL;
}
