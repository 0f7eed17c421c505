/*
 * procfs_mounts.c - /proc/self/mounts, mountinfo, and /proc/mounts.
 * Locks: none; mounts are only added. What can fail: memory.
 */
#include "fs/procfs_impl.h"

/* Blanks and backslashes as octal numbers, as Linux writes paths here. */
static void put_path(struct pseudo_text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			pseudo_printf(t, "\\%03o", (unsigned)(u8)*s);
		else
			pseudo_append(t, s, 1);
	}
}

static const char *mount_source(const struct mount *m)
{
	return strcmp(m->fstype, "erofs") && strcmp(m->fstype, "ext4") ? m->fstype : "/dev/root";
}

static bool put_mount(struct mount *m, void *arg)
{
	struct pseudo_text *t = arg;
	pseudo_printf(t, "%s ", mount_source(m));
	put_path(t, m->path);
	pseudo_printf(t, " %s %s,nosuid,nodev,relatime 0 0\n", m->fstype, m->readonly ? "ro" : "rw");
	return true;
}

static int show_mounts(struct pseudo_text *t, u64 arg)
{
	fs_for_each_mount(put_mount, t);
	return 0;
}

/* The device number serves as the mount's number too: both are unique. */
static unsigned mount_id(const struct mount *m)
{
	return LX_MINOR(m->dev) + 20;
}

static bool put_mountinfo(struct mount *m, void *arg)
{
	struct pseudo_text *t = arg;
	const char *rw = m->readonly ? "ro" : "rw";
	pseudo_printf(t, "%u %u %u:%u / ", mount_id(m), m->covers ? mount_id(m->covers->mount) : 1, LX_MAJOR(m->dev), LX_MINOR(m->dev));
	put_path(t, m->path);
	pseudo_printf(t, " %s,nosuid,nodev,relatime - %s %s %s\n", rw, m->fstype, mount_source(m), rw);
	return true;
}

static int show_mountinfo(struct pseudo_text *t, u64 arg)
{
	fs_for_each_mount(put_mountinfo, t);
	return 0;
}

static ssize_t mounts_target(char *buf, size_t size, u64 arg)
{
	return (ssize_t)str_copy(buf, "self/mounts", size);
}

static const struct pseudo_file files[] = {
	{ .path = "self/mounts", .mode = 0444, .show = show_mounts },
	{ .path = "self/mountinfo", .mode = 0444, .show = show_mountinfo },
};
static const struct pseudo_link mounts_link = { .path = "mounts", .target = mounts_target };

int procfs_add_mounts(void)
{
	int r = pseudo_add_files(PSEUDO_PROC, files, ARRAY_SIZE(files));
	return r ? r : pseudo_add_link(PSEUDO_PROC, &mounts_link);
}
