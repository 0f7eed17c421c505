/*
 * mounts.c - the file systems every program finds: the root on a block device, memory file systems over it, and
 * the volumes that the boot configuration names.
 * A mount point that the root does not have is skipped (a minimal root may lack it) with a line in the log.
 */
#include "base/errno.h"
#include "base/link.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "blk/blk.h"
#include "blk/verity.h"
#include "dev/blkdev.h"
#include "fs/vnode.h"
#include "init/init.h"
#include "mm/page.h"
#include "proc/policy.h"
#include "proc/process.h"
#include "proc/tripwire.h"

#define TMP_SHARE 2u     /* /tmp and /run may each take 1/TMP_SHARE of memory, as Linux's tmpfs */

static void check(const char *path, int err)
{
	if (err)
		log_info("nothing mounted at %s (error %d)\n", path, -err);
}

/* The device with a serial number; it tells that with its first request. */
static struct blkdev *device_by_serial(const char *serial)
{
	struct page *p = page_alloc(0, 0);
	struct blkdev *found = NULL, *d;

	for (unsigned k = 0; p && !found && (d = blkdev_by_index(k)); k++) {
		if (!d->serial[0] && d->nsectors >= PAGE_SIZE / 512 && blk_rw_sync(d, BLK_READ, 0, page_to_virt(p), PAGE_SIZE))
			log_warn("%s: cannot be read\n", d->name);
		if (!strcmp(d->serial, serial))
			found = d;
	}
	if (p)
		page_put(p);
	return found;
}

static void volume_mount(const struct bootconf_volume *v)
{
	struct blkdev *d = device_by_serial(v->serial);

	fs_failed_hook = tripwire_volume_failed;
	if (d && v->readonly)
		d->readonly = true;          /* what the host refuses to have written; an NVMe disk does not say so */
	int err = d ? fs_mount_ext4(d, v->path, (v->readonly ? FS_MOUNT_RDONLY : 0) | (v->discard ? FS_MOUNT_DISCARD : 0)) : -ENODEV;

	switch (err) {
	case 0:
		return;
	case -ENODEV:
		process_cannot_run(126, "volume for %s: no such disk", v->path);
	case -EINVAL:
		process_cannot_run(126, "volume for %s: it holds no ext4 file system; pith volume create makes one", v->path);
	case -EUCLEAN:
		process_cannot_run(126, "volume for %s: it is damaged; pith volume check tells more", v->path);
	case -EOPNOTSUPP:
		process_cannot_run(126, "volume for %s: it uses %s, which is not supported", v->path, fs_ext4_lacks);
	case -EROFS:
		process_cannot_run(126, "volume for %s: its journal has to be replayed first: start it once without :ro", v->path);
	case -ENOENT:
	case -ENOTDIR:
		process_cannot_run(126, "volume for %s: the root has no such directory", v->path);
	default:
		process_cannot_run(126, "volume for %s: it cannot be mounted (error %d)", v->path, -err);
	}
}

typedef void (*volume_fn)(const struct bootconf_volume *v);
LINK_TABLE(volume_fn, volume);
static const volume_fn pick_ext4 LINK_PICK(volume, ext4) = volume_mount;

/* A block of the root that is not what it was when the image was made: the read fails, and the host hears of it. */
static void root_altered(const struct verity_place *p)
{
	bool stop = policy_stops(POLICY_ROOT);
	char facts[200];
	int n = fmt_buf(facts, sizeof(facts), "\"block\":%llu,\"offset\":%llu", (unsigned long long)p->block, (unsigned long long)p->block * PAGE_SIZE);

	if (~p->tree_block)
		n += fmt_buf(facts + n, sizeof(facts) - (size_t)n, ",\"tree_block\":%llu", (unsigned long long)p->tree_block);
	if (p->inode)
		fmt_buf(facts + n, sizeof(facts) - (size_t)n, ",\"inode\":%llu,\"file_offset\":%llu", (unsigned long long)p->inode, (unsigned long long)p->off);
	tripwire_report_facts("altered-root", facts, stop ? "stopped" : "refused");
	if (stop) {
		fmt_buf(facts, sizeof(facts), "the root was altered: its block %llu does not match the root hash", (unsigned long long)p->block);
		process_stopped(facts);
	}
}

/* Try one disk; its root, if there is one, is checked against the configuration's root hash. */
static int root_try(const struct bootconf *c, struct blkdev *d, struct verity_place *ret_bad, bool *ret_altered)
{
	struct verity_params p = {
		.data_off = c->root_off, .data_len = c->root_len, .tree_off = c->verity_off, .salt_len = c->verity_salt_len,
	};
	u64 len = c->root_len ? c->root_len : d->nsectors * 512 - c->root_off;
	struct verity *v = NULL;
	int err;

	memcpy(p.root, c->verity_root, sizeof(p.root));
	memcpy(p.salt, c->verity_salt, sizeof(c->verity_salt));
	err = c->has_verity ? verity_new(d, &p, &v) : 0;
	if (!err)
		err = fs_mount_root_erofs(d, c->root_off, len, v);
	if (err && v) {
		*ret_altered = verity_last_mismatch(v, ret_bad);
		verity_free(v);
	}
	return err;
}

/* The root is on the first disk that holds one: with volumes beside it, it may be any. */
static void root_mount(const struct bootconf *c)
{
	struct verity_place bad;
	bool altered = false;
	struct blkdev *d;
	int err = -ENODEV;

	for (unsigned k = 0; err && (d = blkdev_by_index(k)); k++)
		if (c->root_off < d->nsectors * 512)
			err = root_try(c, d, &bad, &altered);
	/* Only now: a volume that was tried first is no altered root. */
	verity_on_mismatch = root_altered;
	if (err == -ENODEV)
		process_cannot_run(126, "no disk was found for the root file system");
	if (err && altered) {
		root_altered(&bad);
		process_cannot_run(126, "the root file system was altered: its block %llu does not match the root hash", (unsigned long long)bad.block);
	}
	if (err)
		process_cannot_run(126, "the root file system cannot be mounted (error %d)", -err);
}

static void dev_mount(void) { check("/dev", fs_mount_devfs("/dev")); }
static void proc_mount(void) { check("/proc", fs_mount_procfs("/proc")); }
static void sys_mount(void) { check("/sys", fs_mount_sysfs("/sys")); }
static void tmp_mount(void)
{
	u64 max = page_total_count() * PAGE_SIZE / TMP_SHARE;

	check("/tmp", fs_mount_tmpfs_over("/tmp", 01777, max));
	check("/var/tmp", fs_mount_tmpfs_over("/var/tmp", 01777, max));
	check("/run", fs_mount_tmpfs_over("/run", 0755, max));
}

typedef void (*mount_fn)(void);
LINK_TABLE(mount_fn, mount);
static const mount_fn pick_dev LINK_PICK(mount, dev) = dev_mount;
static const mount_fn pick_proc LINK_PICK(mount, proc) = proc_mount;
static const mount_fn pick_sys LINK_PICK(mount, sys) = sys_mount;
static const mount_fn pick_tmp LINK_PICK(mount, tmp) = tmp_mount;

void mounts_make(const struct bootconf *c)
{
	root_mount(c);
	for (const mount_fn *LINK_EACH(fn, mount))
		(*fn)();
	for (unsigned k = 0; k < c->nvolumes; k++) {
		const volume_fn *fn = LINK_FIRST(volume);

		if (!fn)
			process_cannot_run(126, "volume for %s: this kernel is linked without ext4; name the volume in the manifest", c->volumes[k].path);
		(*fn)(&c->volumes[k]);
	}
}
