/* table.c - the table of drivers: those of drivers.def that the link script picks. */
#include "dev/driver.h"

#define DRIVER(name, class, help) extern const struct driver driver_##name;
#include "drivers/drivers.def"
#undef DRIVER

#ifdef PITH_HOST
const struct driver *const driver_table[] = {
#define DRIVER(name, class, help) &driver_##name,
#include "drivers/drivers.def"
#undef DRIVER
	NULL,
};
#else
#define DRIVER(name, class, help) static const struct driver *const pick_##name LINK_PICK(driver, name) = &driver_##name;
#include "drivers/drivers.def"
#undef DRIVER
#endif
