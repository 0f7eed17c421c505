/* ioctl.h - the parts of ioctl. */
#ifndef LINUX_IOCTL_H
#define LINUX_IOCTL_H

#include "linux/filecalls.h"

/* SIOC* of interfaces and sockets; -ENOTTY. Picked as ioctl.net. */
long ioctl_net(struct file *f, unsigned cmd, struct uaddr arg);
/* fcntl's F_SETOWN and F_GETOWN. */
long fcntl_set_owner(struct file *f, int pid);
int fcntl_get_owner(struct file *f);

#endif
