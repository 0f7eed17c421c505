/*
 * notify.h - what happened to files, for inotify. Calls are cheap while nobody watches.
 */
#ifndef PROC_NOTIFY_H
#define PROC_NOTIFY_H

#include "proc/file.h"

enum {
	LX_IN_ACCESS = 0x1, LX_IN_MODIFY = 0x2, LX_IN_ATTRIB = 0x4, LX_IN_CLOSE_WRITE = 0x8, LX_IN_CLOSE_NOWRITE = 0x10,
	LX_IN_OPEN = 0x20, LX_IN_MOVED_FROM = 0x40, LX_IN_MOVED_TO = 0x80, LX_IN_CREATE = 0x100, LX_IN_DELETE = 0x200,
	LX_IN_DELETE_SELF = 0x400, LX_IN_MOVE_SELF = 0x800, LX_IN_ALL = 0xfff,
	LX_IN_UNMOUNT = 0x2000, LX_IN_Q_OVERFLOW = 0x4000, LX_IN_IGNORED = 0x8000,
};
#define LX_IN_ONLYDIR     0x01000000u
#define LX_IN_DONT_FOLLOW 0x02000000u
#define LX_IN_EXCL_UNLINK 0x04000000u
#define LX_IN_MASK_CREATE 0x10000000u
#define LX_IN_MASK_ADD    0x20000000u
#define LX_IN_ISDIR       0x40000000u
#define LX_IN_ONESHOT     0x80000000u

extern u32 notify_watches;           /* how many watches exist; atomic */

/* Something happened to v itself: its watches and those of its directory hear of it. */
void notify_vnode_slow(struct vnode *v, u32 mask);
extern __typeof__(&notify_vnode_slow) const volatile notify_vnode_hook; /* NULL: a kernel without inotify, where nobody watches */
static inline void notify_vnode(struct vnode *v, u32 mask)
{
	if (unlikely(__atomic_load_n(&notify_watches, __ATOMIC_RELAXED)))
		notify_vnode_hook(v, mask);
}

/* Something happened to a name in dir; to v itself (DELETE_SELF also ends its watches). */
void notify_name(struct vnode *dir, const char *name, u32 mask, u32 cookie, bool is_dir);
void notify_self(struct vnode *v, u32 mask);
/* A new number that ties MOVED_FROM to MOVED_TO. */
u32 notify_cookie(void);

int inotify_create(struct file **ret) MUST_CHECK;
bool file_is_inotify(const struct file *f);
/* The watch descriptor, -ENOSPC, -ENOMEM, -EEXIST. */
int inotify_add_watch(struct file *f, struct vnode *v, u32 mask);
int inotify_remove_watch(struct file *f, int wd);

#endif
