/*
 * procfs_dev.c - /proc: disks, kinds of devices, vmstat, and the files of what there is none of.
 * Locks: none of its own. What can fail: memory.
 */
#include "arch/boot_info.h"
#include "dev/blkdev.h"
#include "fs/procfs_impl.h"
#include "vm/aspace.h"

#define VIRTBLK_MAJOR 254u
#define VIRTBLK_STEP  16u            /* minors of a disk */

/* The number n of "vda", "vdb", ..., by which Linux numbers disks. */
static unsigned disk_minor(unsigned i) { return i * VIRTBLK_STEP; }

static int show_partitions(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "major minor  #blocks  name\n\n");
	for (unsigned i = 0; i < blkdev_count(); i++) {
		const struct blkdev *d = blkdev_by_index(i);
		if (d)
			pseudo_printf(t, "%4u  %7u %10llu %s\n", VIRTBLK_MAJOR, disk_minor(i), (unsigned long long)(d->nsectors / 2), d->name);
	}
	return 0;
}

/* Times are not taken: they are 0. */
static int show_diskstats(struct pseudo_text *t, u64 arg)
{
	for (unsigned i = 0; i < blkdev_count(); i++) {
		const struct blkdev *d = blkdev_by_index(i);
		if (!d)
			continue;
		pseudo_printf(t, "%4u %7u %s", VIRTBLK_MAJOR, disk_minor(i), d->name);
		for (unsigned op = BLK_READ; op <= BLK_WRITE; op++)
			pseudo_printf(t, " %llu 0 %llu 0", (unsigned long long)READ_ONCE(d->requests[op]), (unsigned long long)READ_ONCE(d->sectors[op]));
		pseudo_printf(t, " 0 0 0 %llu 0 %llu 0 %llu 0\n", (unsigned long long)READ_ONCE(d->requests[BLK_DISCARD]),
			      (unsigned long long)READ_ONCE(d->sectors[BLK_DISCARD]), (unsigned long long)READ_ONCE(d->requests[BLK_FLUSH]));
	}
	return 0;
}

static int show_devices(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "Character devices:\n  1 mem\n  5 /dev/tty\n\nBlock devices:\n");
	if (blkdev_count())
		pseudo_printf(t, "%3u virtblk\n", VIRTBLK_MAJOR);
	return 0;
}

static int show_cmdline(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%s\n", boot_info.cmdline);
	return 0;
}

static int show_vmstat(struct pseudo_text *t, u64 arg)
{
	struct vm_usage u;

	vm_usage(&u);
	u64 file = page_kind_count(PAGE_KIND_FILE), shmem = page_kind_count(PAGE_KIND_SHMEM);
	const struct { const char *name; u64 v; } rows[] = {
		{ "nr_free_pages", page_free_count() }, { "nr_inactive_anon", 0 }, { "nr_active_anon", u.resident_anon_pages }, { "nr_mlock", u.locked_pages },
		{ "nr_anon_pages", u.resident_anon_pages }, { "nr_mapped", u.resident_file_pages },
		{ "nr_file_pages", file + shmem }, { "nr_shmem", shmem }, { "nr_slab_reclaimable", 0 },
		{ "nr_slab_unreclaimable", page_kind_count(PAGE_KIND_SLAB) }, { "nr_page_table_pages", page_kind_count(PAGE_KIND_TABLE) }, { "pswpin", 0 }, { "pswpout", 0 }, { "oom_kill", 0 },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		pseudo_printf(t, "%s %llu\n", rows[i].name, (unsigned long long)rows[i].v);
	if (procfs_faults) {
		u64 minor, major;
		procfs_faults(&minor, &major);
		pseudo_printf(t, "pgfault %llu\npgmajfault %llu\n", (unsigned long long)(minor + major), (unsigned long long)major);
	}
	return 0;
}

void (*procfs_faults)(u64 *ret_minor, u64 *ret_major) RO_AFTER_INIT;

static const struct pseudo_file files[] = {
	{ .path = "cmdline", .mode = 0444, .show = show_cmdline },
	{ .path = "partitions", .mode = 0444, .show = show_partitions },
	{ .path = "diskstats", .mode = 0444, .show = show_diskstats },
	{ .path = "devices", .mode = 0444, .show = show_devices },
	{ .path = "vmstat", .mode = 0444, .show = show_vmstat },
	{ .path = "modules", .mode = 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT("") },
	{ .path = "misc", .mode = 0444, .show = pseudo_show_text, .arg = PSEUDO_TEXT("") },
};

int procfs_add_devices(void)
{
	return pseudo_add_files(PSEUDO_PROC, files, ARRAY_SIZE(files));
}
