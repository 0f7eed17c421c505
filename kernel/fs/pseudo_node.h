/*
 * pseudo_node.h - the tree behind generated file systems; shared by pseudo*.c, procfs.c, sysfs.c, devfs.c.
 */
#ifndef FS_PSEUDO_NODE_H
#define FS_PSEUDO_NODE_H

#include "fs/internal.h"
#include "fs/pseudo.h"

enum pnode_kind { PNODE_DIR, PNODE_FILE, PNODE_LINK, PNODE_NUMDIR };

/* One registered entry. Nodes are never freed. Guarded by pseudo_lock. */
struct pnode {
	struct list siblings;
	struct list children;        /* PNODE_DIR */
	struct pnode *parent;
	struct vnode *vnode;         /* no reference: vnode_tryget */
	enum pnode_kind kind;
	enum pseudo_fs fs;
	u32 ino;
	bool own;                    /* shown as the process's own: under /proc/self */
	union {
		const struct pseudo_file *file;
		const struct pseudo_link *link;
		const struct pseudo_dir *dir;
	};
	char name[];
};

extern struct spinlock pseudo_lock;

struct pnode *pseudo_root(enum pseudo_fs fs);
/* Mount the tree of fs at path. populate registers this room's own files: called when somebody first looks into the root, not at boot. */
int pseudo_mount(enum pseudo_fs fs, const char *fstype, const char *path, u64 magic, int (*populate)(void));
struct vnode *pseudo_vnode(struct mount *m, struct pnode *n);
/* vnode_ops; a kernel may lack it. */
int pseudo_readdir(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg);

int devfs_add_link(const struct pseudo_link *l);

/* Registration of whole tables; stops at the first error. */
int pseudo_add_files(enum pseudo_fs fs, const struct pseudo_file *f, unsigned n);

#endif
