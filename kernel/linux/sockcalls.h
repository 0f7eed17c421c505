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

/* A message as the program describes it, fetched once. */
struct lx_msghdr {
	u64 name;
	s32 namelen, pad0;
	u64 iov, iovlen, control, controllen;
	u32 flags, pad1;
};
struct lx_recvmsg_out {
	u32 namelen, controllen, payloadlen, flags;
};
struct sock_call {
	struct lx_msghdr h;          /* namelen: what counts; 0 without a name */
	s32 name_room;               /* namelen as given */
	struct user_iov v;
};
/* 0, -EFAULT, -EINVAL, -EMSGSIZE, -ENOMEM. sock_call_free afterwards, also after an error. */
int sock_call_get(struct sock_call *c, struct uaddr msg);
void sock_call_free(struct sock_call *c);
/* What is in front of the data in the second form of sock_call_recv. */
size_t sock_call_head(const struct sock_call *call);
/*
 * The bytes from `done` on are sent or received; what sendmsg and recvmsg return. buf, if not NULL, stands for the message's iovec.
 * With buf and no msg all goes into buf, as io_uring's multishot does it: struct lx_recvmsg_out, room for the name (name_room) and for
 * control messages (h.controllen, below 2 GiB), the data; the result is the length of all (-EFAULT: buf is too short).
 */
long sock_call_send(struct file *f, const struct sock_call *c, size_t done, u32 flags, bool nonblock);
long sock_call_recv(struct file *f, struct uaddr msg, const struct sock_call *c, const struct uio_seg *buf, size_t done, u32 flags, bool nonblock);

/* accept without a descriptor: the new file, its peer's name written out. */
int socket_accept_file(struct file *f, struct uaddr addr, struct uaddr len, u32 flags, bool nonblock, struct file **ret);
/* socket without a descriptor. */
int socket_new_file(int family, int type, int protocol, struct file **ret, u32 *ret_flags);

#endif
