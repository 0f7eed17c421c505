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

/*
 * A file: show is called by the first read and by each read at offset 0; reads in between see one
 * snapshot. Without show reading is -EIO; store, if any, gets each write (len <= 4096; longer ones are -EINVAL).
 * Both return 0 or a negative errno and may sleep.
 */
struct pseudo_file {
	const char *path;            /* under the mount: "self/status"; components are made as needed; in a pseudo_dir: one name */
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
	/* ... or a file (path unused, arg replaced) ... */
	const struct pseudo_file *file;
	/* ... or a directory of files and links (paths relative to it, arg replaced by the number). */
	const struct pseudo_file *files;
	unsigned nfiles;
	const struct pseudo_link *links;
	unsigned nlinks;
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
/*
 * Tables are kept by pointer (constant). 0, -EEXIST, -ENOMEM, -EINVAL.
 * In PSEUDO_PROC, "self/..." is the process's own directory (its number; /proc/self leads there) and
 * "net/..." is "self/net/...". In PSEUDO_DEV only devices can be added.
 */
int pseudo_add_file(enum pseudo_fs fs, const struct pseudo_file *f);
int pseudo_add_link(enum pseudo_fs fs, const struct pseudo_link *l);
int pseudo_add_dir(enum pseudo_fs fs, const struct pseudo_dir *d);
/* ops: read, write, poll, ioctl, open, close, read_handle are used; v->priv is priv. */
int pseudo_add_dev(const struct pseudo_dev *d);

/*
 * Files that are registered only when somebody lists a directory of fs (PROC, SYS) or asks for a name that is
 * not there yet: populate is called once then, and may sleep; for a name only if those that were given before
 * it did not bring it. At boot. -ENOMEM when there are too many.
 */
int pseudo_on_look(enum pseudo_fs fs, int (*populate)(void)) MUST_CHECK;

/* The number that is the name of the process's directory in /proc. Before it is mounted. */
void pseudo_set_pid(u32 pid);

#endif
