/*
 * socket.h - sockets, below descriptors. linux/ has copied addresses and options in; data moves
 * through uio. Families: AF_INET and AF_INET6 (lwIP, inet*.c), AF_UNIX (unix.c), all through sock_ops.
 *
 * All calls may sleep unless nonblock; interruptible waits give -ERESTARTSYS (or -EINTR after a
 * timeout was set: SO_RCVTIMEO), as Linux. Errors are Linux's for each call.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/lx_socket.h"
#include "vm/uio.h"
#include "sched/mutex.h"

struct socket;

/* Linux's sockaddr, in kernel memory; len says how much is valid. */
struct sock_addr {
	u32 len;
	union {
		u16 family;
		u8 bytes[128];
	};
};

/*
 * Things passed with SCM_RIGHTS: proc/'s files, opaque here, each with a reference. Send: when the
 * call succeeds the message has taken them and count is 0 (otherwise they are still the caller's).
 * Receive: those taken from the message are the caller's. release is called for what nobody received.
 */
struct sock_rights {
	unsigned count;
	void *files[253];
	void (*release)(void *file);
	void (*get)(void *file);     /* one more reference (MSG_PEEK) */
	/* The socket behind a file, and how many references the file has; NULL: it is no socket. */
	struct socket *(*socket)(void *file, u32 *ret_refs);
};

/* Control data of levels IP and IPV6: what a send is told, what a receive tells. */
enum {
	SOCK_CONTROL_PKTINFO = 1u, SOCK_CONTROL_PKTINFO6 = 2u, SOCK_CONTROL_TTL = 4u, SOCK_CONTROL_TOS = 8u, SOCK_CONTROL_HOPLIMIT = 16u,
	SOCK_CONTROL_TCLASS = 32u, SOCK_CONTROL_ERR = 64u, SOCK_CONTROL_ERR6 = 128u, SOCK_CONTROL_ORIGDST = 256u, SOCK_CONTROL_ORIGDST6 = 512u,
	SOCK_CONTROL_DONTFRAG = 1024u,
};
struct sock_control {
	u32 has;
	u32 ifindex;
	u8 addr[16];                 /* send: the source; receive: where it came to. An IPv4 address is mapped */
	u8 spec_dst[4];              /* receive: our address to answer from */
	s32 ttl, tos;                /* send: of the destination's version */
	struct lx_sock_extended_err err;
	struct sock_addr offender;   /* who sent the error, and with ORIGDST where the datagram came to */
};

struct sock_msg {
	struct uio *uio;
	struct sock_addr *addr;      /* send: destination or NULL; receive: filled if not NULL */
	u32 flags;                   /* LX_MSG_* in */
	u32 ret_flags;               /* MSG_TRUNC, MSG_CTRUNC, ... out */
	bool nonblock;
	struct sock_rights *rights;  /* unix sockets: passed or received; NULL */
	bool has_creds;              /* unix sockets: send: credentials are given; receive: the message carries the sender's (there is one identity) */
	u64 timestamp_ns;            /* receive: if a SO_TIMESTAMP* is set, else 0 */
	bool has_nl_group;           /* receive: NETLINK_PKTINFO is set: the group that a netlink message went to, 0 = none */
	u32 nl_group;
	struct sock_control *control; /* or NULL */
};

struct sock_ops {
	int (*bind)(struct socket *s, const struct sock_addr *a);
	int (*connect)(struct socket *s, const struct sock_addr *a, bool nonblock);
	int (*listen)(struct socket *s, int backlog);
	int (*accept)(struct socket *s, bool nonblock, struct socket **ret);
	int (*getname)(struct socket *s, bool peer, struct sock_addr *ret);
	ssize_t (*send)(struct socket *s, struct sock_msg *m);
	ssize_t (*recv)(struct socket *s, struct sock_msg *m);
	int (*shutdown)(struct socket *s, int how);
	u32 (*poll)(struct socket *s, struct poll_table *pt);
	/* Options not handled by socket.c itself. len in/out. */
	int (*setsockopt)(struct socket *s, int level, int name, const void *val, u32 len);
	int (*getsockopt)(struct socket *s, int level, int name, void *val, u32 *len);
	/* FIONREAD, SIOCOUTQ: bytes ready to read / not yet sent. */
	int (*pending)(struct socket *s, bool output);
	void (*release)(struct socket *s);
};

struct socket {
	const struct sock_ops *ops;
	int family, type, protocol;  /* Linux's numbers; type without flags */
	struct waitq waitq;          /* readiness in both directions, keyed */
	int error;                   /* pending SO_ERROR, negative errno; atomic exchange */
	u64 rcvtimeo_ns, sndtimeo_ns;/* 0 = for ever */
	u32 rcvbuf, sndbuf, rcvlowat;
	bool reuseaddr, reuseport, keepalive, broadcast, oobinline, dontroute, passcred, listening;
	s32 linger_s;                /* -1 off */
	u8 timestamp;                /* which SO_TIMESTAMP* is set, 0: none */
	u32 priority, mark;
	u64 ino;                     /* for st_ino and /proc/net */
	void *priv;
};

/*
 * Who is asked before a socket is made, bound, listens, or sends to an address; NULL: nobody. Set at boot by a room
 * above. No lock is held; may sleep. 0, or the errno of the call.
 */
struct sock_guard {
	int (*create)(int family, int type, int protocol);
	int (*bind)(struct socket *s, const struct sock_addr *a);
	int (*listen)(struct socket *s);
	/* connect, or send: a destination of its own. */
	int (*peer)(struct socket *s, const struct sock_addr *a, bool send);
	/* A datagram from a was received. */
	void (*heard)(struct socket *s, const struct sock_addr *a);
};
extern const struct sock_guard *sock_guard;
/* In place of ops->send, and calls it; NULL: nobody looks at what is sent. Set at boot by a room above. */
extern ssize_t (*sock_send_watch)(struct socket *s, struct sock_msg *m);

/* Create; -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -ENOMEM. */
int sock_create(int family, int type, int protocol, struct socket **ret) MUST_CHECK;
int sock_pair(int family, int type, int protocol, struct socket **ret_a, struct socket **ret_b) MUST_CHECK;
/* Close: the last descriptor is gone. Frees s (perhaps later, lingering). */
void sock_close(struct socket *s);
int sock_bind(struct socket *s, const struct sock_addr *a);
int sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock);
int sock_listen(struct socket *s, int backlog);
int sock_accept(struct socket *s, bool nonblock, struct socket **ret);
int sock_getname(struct socket *s, bool peer, struct sock_addr *ret);
ssize_t sock_send(struct socket *s, struct sock_msg *m);
ssize_t sock_recv(struct socket *s, struct sock_msg *m);
int sock_shutdown(struct socket *s, int how);
u32 sock_poll(struct socket *s, struct poll_table *pt);
int sock_setsockopt(struct socket *s, int level, int name, const void *val, u32 len);
int sock_getsockopt(struct socket *s, int level, int name, void *val, u32 *len);
int sock_pending(struct socket *s, bool output);
/* A descriptor of s was closed, though others, or messages, still hold it. */
void sock_descriptor_closed(struct socket *s);

/*
 * Every socket that the program has a descriptor of, once each; set by proc/. fn may use the calls above (not
 * close) and returns false to stop. Sockets may close meanwhile, so the caller holds no lock of a family.
 */
extern void (*sock_for_each)(bool (*fn)(struct socket *s, void *arg), void *arg);

/* An address of either family; an IPv4 one is in the first 4 bytes. Network order. */
struct net_ip {
	u16 family;                  /* LX_AF_INET, LX_AF_INET6 */
	u8 bytes[16];
	u32 scope;                   /* the interface of a link-local one */
};
#define NET_DNS_MAX 3u

/* Boot: start the stack, the loopback, and the first netdev as configured. */
struct net_config {
	enum { NET_NONE, NET_DHCP, NET_STATIC } mode;
	u32 addr, mask, gateway;     /* network order; NET_STATIC with addr 0: IPv6 only */
	u8 addr6[16], gateway6[16];  /* beside what routers announce; prefix6 0: none */
	u8 prefix6;
	bool has_gateway6;
	struct net_ip dns[NET_DNS_MAX];
	unsigned ndns;
	const char *hostname;
	/* Addresses are there, or others than before: write /etc/resolv.conf and the like. domain may be empty. May sleep. */
	void (*on_configured)(const struct net_ip *dns, unsigned ndns, const char *domain);
};
int net_init(const struct net_config *c);
struct net_stack {
	/* A thread that is about to sleep for sockets (poll, epoll) calls this first: received frames are taken from the device. May sleep (briefly). */
	void (*drain)(void);
	/* The program is gone and its sockets are closed: wait until peers have what it wrote, at most max_ns, or 2 s without progress. */
	void (*finish)(u64 max_ns);
};
extern const struct net_stack *net_stack;                            /* NULL before net_init, and in a kernel without it */
static inline void net_drain(void) { if (net_stack) net_stack->drain(); }
static inline void net_finish(u64 max_ns) { if (net_stack) net_stack->finish(max_ns); }
/* Wait until the first interface has its address or the time is over. */
int net_wait_configured(u64 deadline_ns);

/* Where unix sockets with a path meet the file system: set by proc/ (fs is not below net). */
struct unix_fs_ops {
	/* Make a socket node at path (relative to the cwd of the caller); *ret_node is a counted handle. -EADDRINUSE if it exists. */
	int (*create)(const char *path, void **ret_node);
	int (*lookup)(const char *path, void **ret_node);    /* -ENOENT, -ECONNREFUSED if it is no socket */
	void (*put)(void *node);
};
extern const struct unix_fs_ops *unix_fs_ops;
/* The one identity, for SO_PEERCRED; proc/ may set it before the program starts. */
struct sock_identity {
	s32 pid;
	u32 uid, gid;
};
extern struct sock_identity sock_identity;

/* The kernel's own words to a netlink socket (mq_notify): queued as one datagram; data NULL only asks. -EINVAL: not one. May sleep. */
int sock_netlink_tell(struct socket *s, const void *data, size_t len);

#endif
