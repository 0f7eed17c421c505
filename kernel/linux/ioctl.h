/* ioctl.h - the parts of ioctl. */
#ifndef LINUX_IOCTL_H
#define LINUX_IOCTL_H

#include "base/link.h"
#include "linux/filecalls.h"

/* SIOC* of interfaces and sockets; -ENOTTY. ioctl_net.c, picked as ioctl.net. */
typedef long (*ioctl_fn)(struct file *f, unsigned cmd, struct uaddr arg);
LINK_TABLE(ioctl_fn, ioctl);
/* fcntl's F_SETOWN and F_GETOWN. */
long fcntl_set_owner(struct file *f, int pid);
int fcntl_get_owner(struct file *f);

#endif
