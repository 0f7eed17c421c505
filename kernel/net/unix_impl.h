/*
 * unix_impl.h - the inside of AF_UNIX: unix.c (names, connections, the end), unix_io.c (data).
 *
 * Locks: U = unix_lock, one mutex for all sockets of the family. Data is copied from and to the
 * program without it; R = a socket's read_lock keeps its readers apart while they copy.
 */
#ifndef NET_UNIX_IMPL_H
#define NET_UNIX_IMPL_H

#include "net/socket_impl.h"
#include "base/counter.h"
#include "base/string.h"
#include "mm/heap.h"
#include "sched/random.h"

#define UNIX_PATH_MAX     108u
#define UNIX_SNDBUF       212992u
#define UNIX_PIECE        32000u     /* most bytes of a stream in one message */
#define UNIX_DGRAM_QUEUE  10u        /* net.unix.max_dgram_qlen */
#define UNIX_SPARE_MAX    512u       /* bytes of a message that its sender gets back */
#define UNIX_INFLIGHT_MAX 4096u      /* descriptors on the way, all sockets together */

struct unix_name {
	u32 refs;                    /* U */
	u32 len;                     /* of addr.bytes, with the family */
	void *node;                  /* path: the file system's handle */
	u8 bytes[2 + UNIX_PATH_MAX + 1];
};

struct unix_msg {
	struct list link;            /* U: on the receiver's queue */
	struct sock_rights *rights;  /* or NULL */
	struct unix_name *from;      /* the sender's name, or NULL */
	bool creds;                  /* with the sender's credentials */
	u32 len, off;                /* off: bytes already read (R) */
	u32 room;                    /* bytes that data has room for */
	u8 data[];
};

enum unix_state { UNIX_IDLE, UNIX_LISTEN, UNIX_CONNECTED, UNIX_CLOSED };

struct unix_sock {
	struct socket sock;          /* first */
	u32 refs;                    /* U: the socket itself, those that have it as peer */
	enum unix_state state;       /* U; read without it by poll */
	bool rcv_shut, snd_shut;     /* U; read without it by poll */
	bool dead;                   /* U: released */
	struct unix_name *name;      /* U */
	struct list name_link;       /* U: on the list of names */
	struct unix_sock *peer;      /* U: counted */
	struct unix_msg *spare;      /* a small message that its peer has read, empty again, for what it sends next; NULL; atomic, put there with U */
	struct list msgs;            /* U */
	u32 nmsgs;                   /* U */
	u32 rx_bytes;                /* U; read without it */
	struct list accepts;         /* U: listener: embryos, by accept_link */
	struct list accept_link;
	unsigned naccepts, backlog;  /* U */
	struct list all_link;        /* U: on unix_sockets until its release */
	struct list gc_link;         /* U: unix_gc.c */
	u32 gc_carried, gc_refs;     /* U: references of its file in messages; all of them */
	bool gc_live;                /* U */
	struct mutex read_lock;
};
static inline struct unix_sock *unix_sock_of(struct socket *s) { return container_of(s, struct unix_sock, sock); }

extern struct mutex unix_lock;
extern struct list unix_sockets;     /* U */
struct unix_sock *unix_alloc(int type);
void unix_put_locked(struct unix_sock *s);
/* The socket bound to this address, with a reference. U. */
int unix_find_locked(const struct sock_addr *a, int type, void *node, struct unix_sock **ret);
/* Check and normalise an address; for a path the node is looked up (not U). */
int unix_addr_check(const struct sock_addr *a);
int unix_resolve(const struct sock_addr *a, void **ret_node);
void unix_name_put_locked(struct unix_name *n);
void unix_name_fill(const struct unix_name *n, struct sock_addr *ret);

int unix_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock);
int unix_op_listen(struct socket *sock, int backlog);
int unix_op_accept(struct socket *sock, bool nonblock, struct socket **ret);
int unix_op_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len);
ssize_t unix_op_send(struct socket *sock, struct sock_msg *m);
ssize_t unix_op_recv(struct socket *sock, struct sock_msg *m);
u32 unix_op_poll(struct socket *sock, struct poll_table *pt);
int unix_op_pending(struct socket *sock, bool output);
/* Of one that is on no queue, without rights; NULL is fine. */
void unix_msg_free(struct unix_msg *m);
/* Throw away what is queued; descriptors on the way are released later by unix_rights_drain. U. */
void unix_purge_locked(struct unix_sock *s);
/* Look for sockets that only messages hold; true if rights were buried, which unix_rights_drain then releases. closing: NULL, or a socket whose file the caller still holds. U. */
bool unix_gc_locked(struct unix_sock *closing);
/* Are there sockets of this family in messages? */
bool unix_sockets_carried(void);
/* Rights leave a message for the graveyard. U. */
void unix_rights_bury(struct sock_rights *r);
/* Release descriptors that nobody received. Not U: files close here, perhaps further sockets. */
void unix_rights_drain(void);

#endif
