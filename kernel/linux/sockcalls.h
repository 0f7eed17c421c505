/* sockcalls.h - what the socket calls share: sockets behind descriptors, addresses in and out. */
#ifndef LINUX_SOCKCALLS_H
#define LINUX_SOCKCALLS_H

#include "linux/filecalls.h"
#include "proc/file_socket.h"

#define LX_SOCK_TYPE_MASK 0xf
#define LX_SOCK_NONBLOCK  LX_O_NONBLOCK
#define LX_SOCK_CLOEXEC   LX_O_CLOEXEC

/* The socket file behind fd, referenced. -EBADF, -ENOTSOCK. */
int socket_lookup(int fd, struct file **ret);
/* An address of the program: length 0..128, else -EINVAL; -EFAULT. */
int address_get(struct uaddr addr, int len, struct sock_addr *ret);
/* Give an address back: cut at what *ulen says, the full length goes to *ulen. -EINVAL, -EFAULT. */
int address_put(const struct sock_addr *a, struct uaddr addr, struct uaddr ulen);
/* The socket should not sleep: O_NONBLOCK or MSG_DONTWAIT. */
static inline bool socket_nonblock(const struct file *f, u32 msg_flags)
{
	return file_nonblock(f) || msg_flags & LX_MSG_DONTWAIT;
}

#endif
