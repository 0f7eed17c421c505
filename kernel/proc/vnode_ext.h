/*
 * vnode_ext.h - what proc/ keeps with a vnode (vnode->locks points to it): record locks, the
 * pipe of a fifo. It exists while something of this is there; whoever puts something in holds
 * a reference of the vnode.
 */
#ifndef PROC_VNODE_EXT_H
#define PROC_VNODE_EXT_H

#include "fs/vnode.h"

struct pipe;

struct vnode_ext {
	u32 users;                   /* E: vnode_ext_mutex */
	struct list posix, flock;    /* locks.c: locks_mutex */
	struct waitq waitq;          /* waiters for a lock */
	struct pipe *fifo;           /* E */
};

extern struct mutex vnode_ext_mutex;
/* One more user; made at need; NULL if out of memory. vnode_ext_mutex is held. */
struct vnode_ext *vnode_ext_get_locked(struct vnode *v);
void vnode_ext_put_locked(struct vnode *v);

#endif
