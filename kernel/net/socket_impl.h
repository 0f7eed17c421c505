/*
 * socket_impl.h - what the families of sockets share; for kernel/net only.
 */
#ifndef NET_SOCKET_IMPL_H
#define NET_SOCKET_IMPL_H

#include "net/socket.h"
#include "net/lx_socket.h"
#include "base/log.h"
#include "sched/thread.h"

/* A family makes its own objects, with a struct socket inside. ops->release frees them. */
int inet_socket_create(int family, int type, int protocol, struct socket **ret);
int netlink_socket_create(int family, int type, int protocol, struct socket **ret);
int unix_socket_create(int family, int type, int protocol, struct socket **ret);
void unix_descriptor_closed(struct socket *s);
/* The inode number of a unix socket's peer, 0: none. */
u64 unix_peer_ino(struct socket *s);
int unix_socket_pair(int type, int protocol, struct socket **ret_a, struct socket **ret_b);

/* Fill in what every new socket begins with (the queue, no error, an inode number). */
void socket_init(struct socket *s, const struct sock_ops *ops, int family, int type, int protocol);
/* Remember an error (negative errno) for SO_ERROR and the next call. */
static inline void socket_set_error(struct socket *s, int error) { __atomic_store_n(&s->error, error, __ATOMIC_RELEASE); }
/* Take the pending error: 0 or a negative errno. */
static inline int socket_take_error(struct socket *s)
{
	return READ_ONCE(s->error) ? __atomic_exchange_n(&s->error, 0, __ATOMIC_ACQ_REL) : 0;
}
/* The absolute time at which a call with this timeout (0 = none) gives up. */
u64 socket_deadline(u64 timeo_ns);
/* What an interrupted wait returns: -ERESTARTSYS, or -EINTR when a timeout was set. */
static inline int socket_interrupted(u64 timeo_ns) { return timeo_ns ? -EINTR : -ERESTARTSYS; }

/* Readiness that a wait can be about. */
#define SOCK_WAKE_IN  (POLL_IN | POLL_RDNORM)
#define SOCK_WAKE_OUT (POLL_OUT | POLL_WRNORM)
#define SOCK_WAKE_ALL (POLL_IN | POLL_RDNORM | POLL_OUT | POLL_WRNORM | POLL_ERR | POLL_HUP | POLL_RDHUP | POLL_PRI)

#endif
