/*
 * tmpfs.h - the memory file system: what tmpfs_*.c and devfs.c share.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include "base/print.h"
#include "base/rbtree.h"
#include "fs/internal.h"

struct tmpfs {
	struct mount m;
	struct spinlock lock;
	u64 max_pages;               /* 0: no limit */
	u64 used_pages;              /* T: lock */
	u64 next_ino;                /* atomic */
	u64 max_inodes;              /* as Linux: one for two pages of memory */
	u64 inodes;                  /* atomic: how many there are, and each further name of one */
};

struct tmpfs_inode {
	struct vnode v;
	u32 mode, nlink, uid, gid;   /* V: v.lock exclusively */
	u64 rdev;
	struct timespec64 atime, mtime, ctime, btime;
	struct tmpfs_xattr *xattrs;  /* V; tmpfs_xattr.c */
	struct vnode *lower;         /* a reference: what it begins as (tmpfs_lower.c); directories: until they are looked into */
	union {
		struct {                 /* directories; V */
			struct rb_root by_name, by_seq;
			u64 next_seq;
			u64 nentries;
		};
		struct {                 /* regular files */
			struct vm_object *obj;
			u64 charged;             /* T: pages counted in used_pages for this file */
			u64 pending;             /* T: of these, on their way into the object */
			u64 lower_size;          /* V: bytes of lower that show where there is no page */
			u32 seals;               /* V */
			bool linkable;           /* O_TMPFILE: may get a name */
		};
		char *target;            /* symbolic links */
	};
};
/* A regular file: the inode with its object behind it. */
struct tmpfs_file {
	struct tmpfs_inode i;
	struct vm_object obj;
};

/* Linux keeps the text of a long symbolic link in a page. */
static inline u64 tmpfs_link_pages(u64 size) { return size >= 128; }
static inline struct tmpfs_inode *tmpfs_inode(struct vnode *v) { return container_of(v, struct tmpfs_inode, v); }
static inline struct tmpfs *tmpfs_of(struct vnode *v) { return container_of(v->mount, struct tmpfs, m); }

/* After a time of i was set. */
static inline void tmpfs_times_changed(struct tmpfs_inode *i) { __atomic_store_n(&i->v.changes, i->v.changes + 1, __ATOMIC_RELEASE); }

extern const struct vnode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops, tmpfs_node_ops;

/* ---- tmpfs.c ---- */
int tmpfs_new(const char *fstype, u64 max_bytes, u32 root_mode, struct tmpfs **ret);
/* An inode without a name, one reference, nlink 0; mode with its type. NULL: no memory. */
struct tmpfs_inode *tmpfs_inode_new(struct tmpfs *t, u32 mode, u64 rdev);
/* May the program have one more inode, or further name? (Those who ask at the same moment may get one each.) */
static inline bool tmpfs_inodes_left(struct tmpfs *t) { return __atomic_load_n(&t->inodes, __ATOMIC_RELAXED) < t->max_inodes; }
void tmpfs_inodes_add(struct tmpfs *t, s64 n);
int tmpfs_getattr(struct vnode *v, struct vattr *ret);
int tmpfs_setattr(struct vnode *v, const struct vattr *a, u32 which);
void tmpfs_release(struct vnode *v);
/* The file's contents change: set-id bits go, unless the owner of everything is root. */
void tmpfs_drop_ids(struct tmpfs_inode *i);
/* ---- tmpfs_dir.c ---- */
/* Enter i into dir under name and take a reference for the tree: the directory is locked and has no such name. -ENOMEM. */
int tmpfs_add_entry(struct tmpfs_inode *dir, const char *name, size_t len, struct tmpfs_inode *i);
/* Give a new symbolic link its text: -ENOMEM -ENOSPC. */
int tmpfs_link_text(struct tmpfs_inode *i, const char *text);
bool tmpfs_has_entry(struct tmpfs_inode *dir, const char *name, size_t len);
/* ---- tmpfs_lower.c ---- */
int tmpfs_dir_take(struct tmpfs_inode *dir);
/* To be called before a directory's entries are looked at or changed; its vnode lock is held, shared at least. May sleep; errno. */
static inline int tmpfs_dir_ready(struct tmpfs_inode *dir)
{
	return likely(!__atomic_load_n(&dir->lower, __ATOMIC_ACQUIRE)) ? 0 : tmpfs_dir_take(dir);
}
/* A file's page as its lower has it, with a reference; index is below lower_size. */
int tmpfs_lower_page(struct tmpfs_inode *i, u64 index, struct page **ret);
/* The contents that a new page of the file begins with. */
int tmpfs_lower_fill(struct tmpfs_inode *i, struct page *to);
/* ---- tmpfs_xattr.c: vnode_ops ---- */
ssize_t tmpfs_getxattr(struct vnode *v, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags);
ssize_t tmpfs_listxattr(struct vnode *v, char *buf, size_t size);
void tmpfs_xattrs_free(struct tmpfs_inode *i);
/* ---- tmpfs_dir.c: vnode_ops that a kernel may lack ---- */
int tmpfs_symlink(struct vnode *v, const char *name, size_t len, const char *target, struct vnode **ret);
int tmpfs_link(struct vnode *v, const char *name, size_t len, struct vnode *target);
int tmpfs_rename(struct vnode *ov, const char *oname, size_t olen, struct vnode *nv, const char *nname, size_t nlen, struct vnode *victim, u32 flags);
int tmpfs_tmpfile(struct vnode *dir, u32 mode, bool linkable, struct vnode **ret);
int tmpfs_readdir(struct vnode *v, u64 off, vnode_dirent_fn fn, void *arg);
/* ---- tmpfs_file.c ---- */
int tmpfs_fallocate(struct vnode *v, u32 mode, u64 off, u64 len);
s64 tmpfs_seek(struct vnode *v, u64 off, bool hole);
/* A regular file of a tmpfs none of whose bytes are still in the root. */
bool tmpfs_file_in_memory(struct vnode *v);
void tmpfs_file_init(struct tmpfs_file *f);
int tmpfs_truncate(struct tmpfs_inode *i, u64 size);
/* Pages of the mount that are no file's: -ENOSPC. */
int tmpfs_pages_take(struct tmpfs *t, u64 n);
void tmpfs_pages_give(struct tmpfs *t, u64 n);
void tmpfs_file_release(struct tmpfs_inode *i);

#endif
