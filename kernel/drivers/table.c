/* table.c - the table of drivers with everything that drivers.def lists. */
#include "dev/driver.h"

#define DRIVER(name, class, help) extern const struct driver driver_##name;
#include "drivers/drivers.def"
#undef DRIVER

const struct driver *const driver_table[] = {
#define DRIVER(name, class, help) &driver_##name,
#include "drivers/drivers.def"
#undef DRIVER
	NULL,
};
