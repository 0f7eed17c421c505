/*
 * internal.h - what the files of fs/ share: the name cache, the walker, mounts, the clock.
 * Nothing outside fs/ includes this.
 */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include "base/counter.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "fs/lx_file.h"
#include "fs/vnode.h"
#include "mm/heap.h"

/* ---- The name cache (dcache.c) ---- */

struct dentry;

/* Look name up in the cache: 0 and a reference; -ENOENT: known to be absent; -EAGAIN: not known. */
int dcache_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret);
/*
 * The object of all of path from v on, mounts entered, with a reference, if the cache has it and no symbolic link or ".." is on the
 * way; else NULL: it has to be walked.
 */
struct vnode *dcache_resolve(struct vnode *v, const char *path);
/*
 * Walk down from *at (whose reference is exchanged) through cached directories, entering mounts, as far as p
 * (which begins with a name) has names that others follow; returns the first name that was not walked.
 */
const char *dcache_descend(struct vnode **at, const char *p);
/*
 * Remember what dir's file system said: v, or NULL for "absent". The caller holds dir->lock.
 * 0; -ENOMEM (v could not be remembered; an absent name that cannot is no error);
 * -EUCLEAN: v is a directory that has another place already (a broken image).
 */
int dcache_enter(struct vnode *dir, const char *name, size_t len, struct vnode *v);
/* For operations that must not fail after the file system changed: make the entry before, use it up after. NULL: no memory. */
struct dentry *dcache_prepare(const char *name, size_t len);
void dcache_enter_prepared(struct dentry *d, struct vnode *dir, struct vnode *v);
void dcache_discard_prepared(struct dentry *d);
/* The name of v is gone (unlink, rmdir). The caller holds dir->lock exclusively. */
void dcache_forget(struct vnode *dir, const char *name, size_t len, const struct vnode *v);
/* dir was removed: forget which names are absent in it, which would keep it. The caller holds dir and its lock exclusively. */
void dcache_purge(struct vnode *dir);
/* v moved from one name to another; fresh (prepared with the new name) is used up. Both directories are locked. */
void dcache_move(struct vnode *odir, const char *oname, size_t olen, struct vnode *ndir, struct dentry *fresh, struct vnode *v);
/* Give v a name that no lookup will find (memfd, O_TMPFILE, VNODE_NOCACHE); deleted: show it as such. -ENOMEM. */
int dcache_name_loose(struct vnode *v, struct vnode *dir, const char *name, size_t len, bool deleted);
/* The directory that holds v, with a reference; NULL at the root of a mount or if v has no name. */
struct vnode *dcache_parent(struct vnode *v);
/* v is being released: take its loose or dead entry away; returns the directory whose reference the caller must drop, or NULL. */
struct vnode *dcache_detach(struct vnode *v);
/* True if a is b or one of its ancestors inside one mount. */
bool dcache_is_ancestor(struct vnode *a, struct vnode *b);
/* Drop up to want entries that nobody uses, least recently used first; returns how many. May sleep. */
unsigned dcache_shrink(unsigned want);
unsigned dcache_count(void);
/* Prepended to the walk up: writes the path right-aligned into buf; see fs_path_of. */
ssize_t dcache_path(struct vnode *v, char *buf, size_t size, bool *ret_deleted);

/* ---- The walker (namei.c) ---- */

struct walk_frame;
struct walk {
	struct vnode *at;            /* where we are, a reference */
	struct vnode *top;           /* borrowed: what "/" and the last ".." mean */
	const char *path;            /* the caller's text */
	const char *p;               /* the rest of the current text */
	struct walk_frame *frames;   /* texts of symbolic links being walked */
	u32 flags;                   /* NAMEI_* */
	u32 nlinks;
	bool trailing;               /* the path ended in a slash: a directory is meant */
	const char *name;            /* after walk_to_parent: the last component; "" when there is none (the path was "/"); if it failed, where */
	size_t name_len;
};
/* The object that path names, if the cache says so: as dcache_resolve. */
struct vnode *walk_quick(struct vnode *start, const char *path, u32 flags);
/* Begin; on success walk_end must follow. -ENOENT for "", -EXDEV. That a path is too long is found where it ends. */
int walk_begin(struct walk *w, struct vnode *start, const char *path, u32 flags);
void walk_end(struct walk *w);
/* Go to the directory of the last component, following links on the way. */
int walk_to_parent(struct walk *w);
/* The last component is ".", ".." or missing: it names no entry. */
bool walk_last_is_special(const struct walk *w);
/* The object of the last component, not following it; mounts on it are entered. */
int walk_lookup_last(struct walk *w, struct vnode **ret);
/* An entry that was found where w is: *ret becomes the root of what is mounted there. -EXDEV: it must not, the reference is gone. */
int walk_enter(const struct walk *w, struct vnode **ret);
/* v, just found as the last component, is a link: walk to the parent of where it leads. */
int walk_follow_last(struct walk *w, struct vnode *link);
/* Finish a walk: the object itself, following by NAMEI_FOLLOW. */
int walk_to_end(struct walk *w, struct vnode **ret);

/* An entry of a directory, cached or asked from the file system; dir->lock must not be held / is held (locked). */
int namei_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret);
int namei_lookup_locked(struct vnode *dir, const char *name, size_t len, struct vnode **ret);
/*
 * The same, asking the file system alone: the cache does not know the name, or has to be looked at anyway before it is entered.
 * remember: that it is absent, too (not if it is made next, with the lock held exclusively).
 */
int namei_ask_locked(struct vnode *dir, const char *name, size_t len, bool remember, struct vnode **ret);

/* May the program make, move or remove this name? */
static inline int guard_name(struct vnode *dir, const char *name, size_t len)
{
	if (likely(!fs_guard) || (READ_ONCE(dir->guarded) & FS_GUARD_NAMES && !READ_ONCE(fs_guard_moved)))
		return 0;
	return fs_guard->name(dir, name, len);
}

/* ---- Mounts (mount.c) ---- */

void mount_init(struct mount *m, const char *fstype);
/* Put m, whose root is made, onto the directory at path (NULL: it becomes the root). */
int mount_attach(struct mount *m, const char *path);
/* Undo mount_attach(m, NULL), when nobody uses the mount any more (tests and fuzzers: a machine keeps its root). */
void mount_detach_root(struct mount *m);
/* If mounts lie on v, exchange the reference for their root. */
struct vnode *mount_enter(struct vnode *v);

/* ---- Small things (vnode.c) ---- */

void fs_now(struct timespec64 *ret);
static inline bool fs_name_is_dot(const char *name, size_t len) { return len == 1 && name[0] == '.'; }
static inline bool fs_name_is_dotdot(const char *name, size_t len) { return len == 2 && name[0] == '.' && name[1] == '.'; }
enum vnode_type fs_type_of_mode(u32 mode);   /* 0 if it is none */
u32 fs_mode_of_type(enum vnode_type t);
/* Open checks on an existing object (open.c): -ENOTDIR -ELOOP -EISDIR -ENXIO -EROFS -EACCES. */
int open_check(struct vnode *v, u32 linux_oflags);
/* v->lock held exclusively. */
int fs_truncate_locked(struct vnode *v, u64 size);

/* Changes for one file system only are refused here: the mount is read-only. */
static inline bool fs_is_readonly(const struct vnode *v) { return v->mount->readonly; }

COUNTER_DECLARE(fs_dir_alias);

#endif
