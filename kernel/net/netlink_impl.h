/*
 * netlink_impl.h - the inside of AF_NETLINK.
 *
 *   netlink.c        sockets: names, queues, options, readiness
 *   netlink_msg.c    messages: their parts, requests taken apart, errors, dumps
 *   netlink_route.c  NETLINK_ROUTE: which request is whose; rules
 *   netlink_link.c, netlink_addr.c, netlink_fib.c, netlink_neigh.c   its objects
 *   netlink_event.c  changes, told to groups
 *   netlink_diag.c   NETLINK_SOCK_DIAG
 *
 * Locks: N = netlink_lock, one mutex for all sockets of the family. It is held while a request is
 * answered; the stack's lock is taken inside it (netinfo.h). Nothing is copied from or to the
 * program under it.
 */
#ifndef NET_NETLINK_IMPL_H
#define NET_NETLINK_IMPL_H

#include "net/lx_netlink.h"
#include "net/netinfo.h"
#include "net/socket_impl.h"
#include "base/string.h"
#include "mm/heap.h"

#define NETLINK_BUF       212992u
#define NETLINK_CHUNK_MIN 3776u      /* a datagram of a dump: as Linux's, less than a page, until a larger buffer was seen */
#define NETLINK_CHUNK_MAX 32768u
#define NETLINK_OVERHEAD  512u       /* what a queued message counts for besides its bytes */

/* A datagram on its way to the program. */
struct netlink_datagram {
	struct list link;            /* N */
	u32 refs;                    /* N: the queue, readers */
	u32 group;                   /* 0: to one socket */
	u32 len;
	u8 data[];
};

/* Text being made: messages, one after the other. Past its end nothing is written and full is set. */
struct netlink_buf {
	u8 *data;
	u32 len, size;
	u32 start;                   /* of the message being made */
	bool full;
};
int netlink_buf_init(struct netlink_buf *b, u32 size) MUST_CHECK;
/* Begin a message with its fixed part (len may be 0); netlink_end closes it: 0, or -EMSGSIZE, and it is gone. */
void netlink_begin(struct netlink_buf *b, u16 type, u16 flags, u32 seq, u32 pid, const void *fixed, u32 len);
int netlink_end(struct netlink_buf *b);
void netlink_put(struct netlink_buf *b, u16 type, const void *data, u32 len);
static inline void netlink_put_u8(struct netlink_buf *b, u16 type, u8 v) { netlink_put(b, type, &v, sizeof(v)); }
static inline void netlink_put_u32(struct netlink_buf *b, u16 type, u32 v) { netlink_put(b, type, &v, sizeof(v)); }
void netlink_put_string(struct netlink_buf *b, u16 type, const char *s);

/* What goes back with an error, for those who asked (NETLINK_EXT_ACK). */
struct netlink_ack {
	const char *text;            /* constant, or NULL */
	u32 attr_off;                /* of the attribute that is wrong, from the message's start; 0: none */
};
static inline int netlink_fail(struct netlink_ack *ack, int error, const char *text)
{
	ack->text = text;
	return error;
}

struct netlink_sock;
struct netlink_request {
	struct netlink_sock *sock;
	const struct lx_nlmsghdr *head;
	const u8 *body;              /* after the header */
	u32 len;                     /* of body */
	bool strict;                 /* NETLINK_GET_STRICT_CHK */
	struct netlink_ack *ack;
};

/*
 * Attributes of a request after its fixed part of hdr bytes, by type, the last of each; those above
 * max are passed over, or (strict) refused. The data of one is ret[t] + 1. least[t], if not 0, is its
 * least length. -EINVAL, -ERANGE.
 */
int netlink_parse(const struct netlink_request *rq, u32 hdr, const struct lx_nlattr **ret, unsigned max, const u8 *least);
static inline u32 netlink_attr_len(const struct lx_nlattr *a) { return a->len - (u32)sizeof(*a); }
u32 netlink_attr_u32(const struct lx_nlattr *a);
/* The text of a string attribute in buf, cut at size. */
void netlink_attr_string(const struct lx_nlattr *a, char *buf, u32 size);

/* A dump on its way: fill is called again and again until it returns 0 (the end) or an error; -EMSGSIZE: the datagram is full. */
struct netlink_dump {
	int (*fill)(struct netlink_dump *d, struct netlink_buf *b);
	u32 seq, pid;
	u16 flags;                   /* for each message, the last too: MULTI, perhaps DUMP_FILTERED */
	u8 family;                   /* 0: all */
	u8 table, protocol, rtype;   /* filters: 0 = any */
	bool none;                   /* a filter that nothing fits */
	u32 index;                   /* filter: interface */
	u32 generation;              /* of netinfo at the start */
	unsigned at, phase;          /* where to go on */
	u32 states, show;            /* sock_diag: wanted TCP states, details */
	u8 ext;
	u8 sport[2], dport[2];       /* sock_diag: filters, 0 = any */
	struct netlink_picture *picture; /* sock_diag: the socket's */
};
/* Start it, as the answer to rq: *d is copied, seq, pid and MULTI are set. -EBUSY, or NETLINK_STARTED for the caller to return. */
#define NETLINK_STARTED (-EINTR)
int netlink_dump_start(const struct netlink_request *rq, struct netlink_dump *d);
/* A dump that fails at once ends with the error in its NLMSG_DONE, as Linux's. Returns NETLINK_STARTED or -EBUSY. */
int netlink_dump_fail(const struct netlink_request *rq, int error, u16 flags);

struct netlink_protocol {
	int number;
	unsigned ngroups;
	/* One message of the program. 0, a negative errno, or NETLINK_STARTED. N. */
	int (*request)(const struct netlink_request *rq);
};

enum {
	NETLINK_OPT_PKTINFO = 1, NETLINK_OPT_BROADCAST_ERROR = 2, NETLINK_OPT_NO_ENOBUFS = 4, NETLINK_OPT_CAP_ACK = 8,
	NETLINK_OPT_EXT_ACK = 16, NETLINK_OPT_STRICT = 32,
};

struct netlink_sock {
	struct socket sock;          /* first */
	const struct netlink_protocol *protocol;
	struct list link;            /* N: on all sockets */
	bool bound;                  /* N */
	u32 portid;                  /* N */
	u32 dst_portid, dst_group;   /* N: connect */
	u64 groups;                  /* N: bit g-1 */
	bool grouped;                /* N: has asked for groups once */
	u32 options;                 /* N; read without it */
	struct list msgs;            /* N */
	u32 nmsgs;                   /* N; read without it by poll */
	u32 rx_bytes;                /* N: what msgs count for */
	bool congested;              /* N: overflowed and not yet emptied */
	u32 buffer_seen;             /* N: largest buffer given to recv */
	bool dumping;                /* N */
	int dump_error;              /* N: > 0: go on */
	struct netlink_ack dump_ack;
	struct netlink_dump dump;    /* N */
	struct netlink_picture *picture; /* N: sock_diag: all sockets as of the last request (of the running dump's) */
};
static inline struct netlink_sock *netlink_sock_of(struct socket *s) { return container_of(s, struct netlink_sock, sock); }

extern struct mutex netlink_lock;
extern struct list netlink_sockets;  /* N */

/* Queue a copy of these bytes for s; on overflow the socket gets ENOBUFS. N. */
void netlink_deliver(struct netlink_sock *s, const void *data, u32 len, u32 group);
/* The same for a part of a dump, which looked for room before. N. */
void netlink_deliver_dump(struct netlink_sock *s, const void *data, u32 len);
/* To all members of a group. N. */
void netlink_broadcast(int protocol, u32 group, const void *data, u32 len);
bool netlink_has_members(int protocol); /* N */
/* Answer what the program sent: one or more messages. N. */
void netlink_requests(struct netlink_sock *s, const u8 *data, size_t len);
/* Make the next datagram of a dump if there is room. N. */
void netlink_dump_more(struct netlink_sock *s);
/* Queue one finished answer of a request. N. */
int netlink_answer(const struct netlink_request *rq, struct netlink_buf *b);
/* The first membership of a group of NETLINK_ROUTE: from now on changes are told. N. */
void netlink_event_begin(void);

/* What sock_diag tells of. NULL without memory; N is not held. */
struct netlink_picture *netlink_picture_new(void);
void netlink_picture_free(struct netlink_picture *p); /* NULL is fine */

extern const struct netlink_protocol netlink_route, netlink_uevent, netlink_diag;

/* The objects of NETLINK_ROUTE: start a dump, answer for one, write one. */
int netlink_link_dump(const struct netlink_request *rq);
int netlink_link_get(const struct netlink_request *rq);
int netlink_link_put(struct netlink_buf *b, const struct netinfo_link *l, u16 type, u16 flags, u32 seq, u32 pid);
bool netlink_link_exists(u32 index);
int netlink_addr_dump(const struct netlink_request *rq);
int netlink_addr_get(const struct netlink_request *rq);
int netlink_addr_put(struct netlink_buf *b, const struct netinfo_addr *a, u16 type, u16 flags, u32 seq, u32 pid);
int netlink_fib_dump(const struct netlink_request *rq);
int netlink_fib_get(const struct netlink_request *rq);
int netlink_fib_put(struct netlink_buf *b, const struct netinfo_route *r, u16 type, u16 flags, u32 seq, u32 pid);
int netlink_neigh_dump(const struct netlink_request *rq);
int netlink_neigh_get(const struct netlink_request *rq);
static inline u32 netlink_addr_bytes(u8 family) { return family == LX_AF_INET6 ? 16 : 4; }

#endif
