/*
 * mounts.c - the file systems every program finds: the root on block device 0, memory file systems over it.
 * A mount point that the root does not have is skipped (a minimal root may lack it) with a line in the log.
 */
#include "base/log.h"
#include "dev/blkdev.h"
#include "fs/vnode.h"
#include "init/init.h"
#include "mm/page.h"
#include "proc/process.h"

#define TMP_SHARE 2u     /* /tmp and /run may each take 1/TMP_SHARE of memory, as Linux's tmpfs */

static void check(const char *path, int err)
{
	if (err)
		log_info("nothing mounted at %s (error %d)\n", path, -err);
}

void mounts_make(const struct bootconf *c)
{
	struct blkdev *disk = blkdev_by_index(0);
	u64 max = page_total_count() * PAGE_SIZE / TMP_SHARE;
	int err;

	if (!disk)
		process_cannot_run(126, "no disk was found for the root file system");
	err = fs_mount_root_erofs(disk, c->root_off, c->root_len ? c->root_len : disk->nsectors * 512 - c->root_off);
	if (err)
		process_cannot_run(126, "the root file system cannot be mounted (error %d)", -err);
	check("/dev", fs_mount_devfs("/dev"));
	check("/proc", fs_mount_procfs("/proc"));
	check("/sys", fs_mount_sysfs("/sys"));
	check("/tmp", fs_mount_tmpfs_over("/tmp", 01777, max));
	check("/var/tmp", fs_mount_tmpfs_over("/var/tmp", 01777, max));
	check("/run", fs_mount_tmpfs_over("/run", 0755, max));
}
