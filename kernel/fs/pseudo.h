/*
 * pseudo.h - generated files: rooms above register what /proc, /sys and /dev show.
 */
#ifndef FS_PSEUDO_H
#define FS_PSEUDO_H

#include "fs/vnode.h"

/* A growing text, filled by show functions. Output beyond memory is dropped and flagged. */
struct pseudo_text {
	char *buf;
	size_t len, size;
	bool failed;
};
void pseudo_printf(struct pseudo_text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void pseudo_append(struct pseudo_text *t, const void *data, size_t len);

/* A file: show is called at open (the snapshot is then read at will); store, if any, gets each write (len <= 4096). */
struct pseudo_file {
	const char *path;            /* under the mount: "self/status"; components are made as needed */
	u32 mode;
	int (*show)(struct pseudo_text *t, u64 arg);
	int (*store)(const char *data, size_t len, u64 arg);
	u64 arg;
};
/* A symbolic link whose target is computed. */
struct pseudo_link {
	const char *path;
	ssize_t (*target)(char *buf, size_t size, u64 arg);
	/* If set, a walk through it goes straight to this vnode (as /proc/self/fd/N and exe do). */
	int (*resolve)(u64 arg, struct vnode **ret);
	u64 arg;
};
/* A directory whose entries are numbers made on demand (fd, task). */
struct pseudo_dir {
	const char *path;
	/* The first existing number >= from, or -1. */
	s64 (*next)(u64 from);
	/* What NAME/ holds: either a link ... */
	const struct pseudo_link *link;          /* path unused; arg replaced by the number */
	/* ... or a directory of files (paths relative to it, arg replaced by the number). */
	const struct pseudo_file *files;
	unsigned nfiles;
};
/* A character device in /dev. */
struct pseudo_dev {
	const char *path;
	u64 rdev;
	u32 mode;
	const struct vnode_ops *ops;
	void *priv;
};
enum pseudo_fs { PSEUDO_PROC, PSEUDO_SYS, PSEUDO_DEV };
/* Tables are kept by pointer (constant). 0, -EEXIST, -ENOMEM. */
int pseudo_add_file(enum pseudo_fs fs, const struct pseudo_file *f);
int pseudo_add_link(enum pseudo_fs fs, const struct pseudo_link *l);
int pseudo_add_dir(enum pseudo_fs fs, const struct pseudo_dir *d);
int pseudo_add_dev(const struct pseudo_dev *d);

#endif
