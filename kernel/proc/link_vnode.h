/*
 * link_vnode.h - a vnode for an open file that lies on no file system, made when a path leads
 * to it (/proc/self/fd/1 and /dev/stdout on a pipe, a port or a socket).
 */
#ifndef PROC_LINK_VNODE_H
#define PROC_LINK_VNODE_H

#include "proc/file.h"

/* A new vnode for f, which is referenced. -ENOMEM. */
int link_vnode_new(struct file *f, struct vnode **ret);
/* The file of such a vnode (borrowed), or NULL. */
struct file *link_vnode_file(const struct vnode *v);
/* open() of such a vnode: a new open file of the same thing. -ENXIO. */
int link_vnode_reopen(struct vnode *v, u32 flags, struct file **ret);

#endif
