/* netdev.c - the register of network devices. Written at boot (and by tests), then read only. */
#include "base/print.h"
#include "dev/netdev.h"

static struct list netdevs = LIST_INIT(netdevs);
static unsigned ndevices;

void netdev_register(struct netdev *d)
{
	fmt_buf(d->name, sizeof(d->name), "eth%u", ndevices++);
	list_append(&netdevs, &d->link);
}

void netdev_unregister(struct netdev *d)
{
	list_remove(&d->link);
	ndevices--;
}

struct netdev *netdev_by_index(unsigned index)
{
	struct netdev *d;

	list_for_each_entry(d, &netdevs, link)
		if (index-- == 0)
			return d;
	return NULL;
}

unsigned netdev_count(void) { return ndevices; }
