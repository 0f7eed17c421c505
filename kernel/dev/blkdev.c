/* blkdev.c - the register of block devices. Written at boot (and by tests), then read only. */
#include "base/print.h"
#include "dev/blkdev.h"

void (*blkdev_on_space)(struct blkdev *d);

static struct list blkdevs = LIST_INIT(blkdevs);
static unsigned ndevices;

void blkdev_register(struct blkdev *d)
{
	unsigned n = ndevices++;

	if (n < 26)
		fmt_buf(d->name, sizeof(d->name), "vd%c", 'a' + (int)n);
	else
		fmt_buf(d->name, sizeof(d->name), "vd%c%c", 'a' + (int)(n / 26 - 1) % 26, 'a' + (int)(n % 26));
	list_append(&blkdevs, &d->link);
}

void blkdev_unregister(struct blkdev *d)
{
	list_remove(&d->link);
	ndevices--;
}

struct blkdev *blkdev_by_index(unsigned index)
{
	struct blkdev *d;

	list_for_each_entry(d, &blkdevs, link)
		if (index-- == 0)
			return d;
	return NULL;
}

unsigned blkdev_count(void) { return ndevices; }
