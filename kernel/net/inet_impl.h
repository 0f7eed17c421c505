/*
 * inet_impl.h - the inside of AF_INET and AF_INET6. Included by inet*.c only: nothing else sees lwIP.
 *
 * Locks: C = inet_core, one sleeping lock around lwIP and everything marked C. It is taken by
 * inet_lock and given back by inet_unlock, which first delivers what went to the loopback and
 * hands what was queued for the device to the driver in one go.
 */
#ifndef NET_INET_IMPL_H
#define NET_INET_IMPL_H

#include "net/socket_impl.h"
#include "base/counter.h"
#include "base/string.h"
#include "dev/netdev.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/random.h"
#include "lwip/opt.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip6.h"
#include "inet_hooks.h"

void inet_lock(void);
bool inet_trylock(void);
void inet_unlock(void);
bool inet_is_locked(void);

/* ---- Memory (inet_mem.c) ---- */

/* A block of pages that carries data of the program to be sent without another copy. */
struct inet_chunk {
	u32 refs;                    /* C */
	u32 order;
	u32 size;                    /* bytes at data */
	u32 pad[5];
	u8 data[];
};
/* Room for len bytes or less (see ->size); NULL if there is no memory. C. */
struct inet_chunk *inet_chunk_alloc(size_t len);
void inet_chunk_put(struct inet_chunk *c);
/* While set, every PBUF_ROM that lwIP makes points into this chunk and counts as a reference. C. */
extern struct inet_chunk *inet_chunk_current;
/* An allocation failed since the net thread last made room. */
extern bool inet_mem_short;
/* Give back what the free lists hold. C. */
void inet_mem_trim(void);
/* False: packets and connections hold a sixteenth of memory; who can do without more of it should. C. */
bool inet_mem_plenty(void);

/* Bring a sum of 16- or 32-bit words down to 16 bits, with end-around carry. */
static inline u32 inet_sum_fold(u64 s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (u32)s;
}

/* Are two Ethernet addresses the same? */
static inline bool inet_mac_same(const void *a, const void *b)
{
	u32 x, y;
	u16 u, v;

	__builtin_memcpy(&x, a, 4);
	__builtin_memcpy(&y, b, 4);
	__builtin_memcpy(&u, (const u8 *)a + 4, 2);
	__builtin_memcpy(&v, (const u8 *)b + 4, 2);
	return x == y && u == v;
}

/* A plain pbuf, alone. Each field by itself: clearing it first takes as long again. */
static inline void inet_pbuf_dress(struct pbuf *b, unsigned type, unsigned flags, void *payload, u16 len)
{
	b->next = NULL;
	b->payload = payload;
	b->tot_len = b->len = len;
	b->type_internal = (u8)type;
	b->flags = (u8)flags;
	b->ref = 1;
	b->if_idx = 0;
	b->queue_next = NULL;
	b->peer_mss = 0;
}

/* ---- To the device (inet_send.c) ---- */

/* lwIP's linkoutput: queue the frame; it goes out at the end of this hold of the lock. C. */
err_t inet_send_frame(struct netif *n, struct pbuf *p);
/* What is left of a request that the driver has: the frames that it refers to, with a reference to each. */
struct inet_tx {
	struct inet_tx *next_done;
	unsigned npbufs;
	bool embedded;               /* it lies in the memory of its only pbuf, and ends with it */
	struct pbuf *pbufs[];
};
/* Hand req, of one piece, to the driver at once, with t embedded in it; nothing is queued before it. C. */
void inet_send_now(struct inet_tx *t, struct netdev_tx *req);
/* Let go of what the device has sent by now: lwIP does not repeat a segment that somebody still refers to. C. */
void inet_send_reap(void);
extern struct pbuf *inet_send_head;      /* the first queued frame. C. */
static inline bool inet_send_waiting(void) { return inet_send_head != NULL; }
/* Everything queued goes to the driver; what the ring cannot take stays. C. */
void inet_send_flush(void);

struct inet_sock;

/* ---- Past lwIP (inet_fast.c) ---- */

/* A frame for an established connection that is just what was expected: taken; and if it is not lent, onto *back, for one call of release. Else false. C. */
bool inet_fast_input(struct netdev_buf *nb, struct netdev_buf **back);
#define INET_FAST_MAX 4096u              /* bytes of one segment that are copied behind its headers */
/* All that is left of u, at most so much, goes as one segment, at once: how many bytes; or 0, and nothing happened. C. */
size_t inet_fast_send(struct inet_sock *s, struct uio *u);
/* The same of a write that s->large was chosen for: as large segments, as long as they may go. Bytes, or 0. C. */
size_t inet_fast_send_large(struct inet_sock *s, struct uio *u);
/* As tcp_output. C. */
void inet_fast_output(struct tcp_pcb *p);
/* As tcp_close, at once and for good: p's FIN is out; or false, and nothing happened. Nobody has p any more. C. */
bool inet_fast_close(struct tcp_pcb *p);
/* A datagram of all that is left of u goes to port dport of dst at once; or false, and nothing happened. C. */
bool inet_fast_datagram(const struct udp_pcb *p, struct uio *u, u32 src, u32 dst, u16 dport);
/* lwIP sent a frame with this header to addr. C. */
void inet_fast_learn(const void *eth, u32 addr);
/* ... which may be wrong from now on. C. */
void inet_fast_forget(void);

/* ---- Interfaces (inet_netif.c) ---- */

#define INET_COPY_MAX 384u               /* received frames up to this are copied */
#define INET_FRAME_MAX 65535u    /* bytes with the Ethernet header, merged or large ones out: a pbuf's lengths have 16 bits */

extern struct netif inet_lo, inet_eth;
extern struct netdev *inet_dev;          /* behind inet_eth, or NULL */
/* What passed; rx_errors: frames that were no proper ones, dropped: for want of memory or room. C. */
struct inet_if_stats {
	u64 rx_packets, rx_bytes, rx_errors, rx_dropped, tx_packets, tx_bytes, tx_errors, tx_dropped;
};
extern struct inet_if_stats inet_lo_stats, inet_eth_stats;
void inet_lo_init(void);
int inet_eth_init(struct netdev *d);
/*
 * The buffers of a received frame as a chain of pbufs that lends their pages: each goes back to the driver when its pbuf is
 * freed. len: of all, at most INET_FRAME_MAX. *ret_tail: the last one. Cannot fail.
 */
struct pbuf *inet_eth_lend(struct netdev_buf *nb, u32 len, struct pbuf **ret_tail);
/* Free p, which is alone: if it lends a page that nobody else refers to, that goes onto *chain instead, for one call of release. */
void inet_eth_put_back(struct pbuf *p, struct netdev_buf **chain);
void inet_eth_release(struct netdev_buf *chain);
/* Take received frames into lwIP, at most max; true if there may be more. Interrupts are on again when it returns false. C. */
bool inet_eth_receive(unsigned max);
/* Hand queued frames to the driver; deliver the loopback's. True if anything was delivered (and more may be queued). C. */
void inet_flush(void);
bool inet_eth_cuts(bool ipv6);
u16 inet_eth_mtu(void);
/* The most that goes to this address in one IP packet: the interface's, or less if the path said so. C. */
u32 inet_path_mtu(const ip_addr_t *dst);
/* Deliver what goes through the loopback next as if it had come from this interface (our own group messages); NULL: no more. C. */
void inet_lo_pretend(struct netif *n);
/* The interface with this index (1 is the loopback), or NULL. */
struct netif *inet_netif_by_index(unsigned index);

/* ---- What the stack tells (inet_info.c) ---- */

/* Addresses, routes or the link changed: the net thread will tell those who watch. Any context. */
void inet_info_changed(void);
/* Tell them. The net thread only; not C. */
void inet_info_tell(void);

/* ---- IPv6 (inet_ip6.c, inet_ip6_input.c) ---- */

/* Give the loopback ::1, and the interface its link-local address and router solicitations. C. */
void inet_ip6_lo_init(void);
void inet_ip6_eth_init(void);
/* A fixed address with its prefix and, if not any, its router. C. 0, -EINVAL, -ENOMEM. */
int inet_ip6_static(const struct net_config *c);
bool inet_ip6_is_own(const ip6_addr_t *a);
/* Is there a way to this (global) address over the interface? */
bool inet_ip6_has_route(const ip6_addr_t *dst);
/* Bits of the prefix of this address of ours. */
u8 inet_ip6_prefix(struct netif *n, unsigned slot);
bool inet_ip6_is_static(struct netif *n, unsigned slot);
/* The static router, or NULL. */
const ip6_addr_t *inet_ip6_static_router(void);
/* A second of Neighbor Discovery (after missed_s that were slept through): what to wait for next, in seconds; 0: nothing. C. */
u32 inet_ip6_tick(u64 missed_s);
/* The extension headers of p are in order, and its ND messages: lwIP may have it. C. */
bool inet_ip6_check(struct pbuf *p, struct netif *in);

/* ---- Which connection (inet_demux.c) ---- */

/* Room behind each pcb, and its life. */
#define INET_DEMUX_SIZE 48u
void inet_demux_born(struct tcp_pcb *pcb);
void inet_demux_gone(struct tcp_pcb *pcb);
/* The connection with these ends, or NULL. C. */
struct tcp_pcb *inet_demux_find(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport);
/* The same for IPv4, all as on the wire. What is found may be closing. C. */
struct tcp_pcb *inet_demux_find4(u32 local, u16 lport, u32 remote, u16 rport);
/* Some connection at this local port on this address (any: any). C. */
struct tcp_pcb *inet_demux_next_at(u16 lport, struct tcp_pcb *after);
u32 inet_demux_segs_in(const struct tcp_pcb *pcb);

/* ---- Timers (inet_timer.c) ---- */

void inet_timer_init(void);
/* Frames moved or a socket was used: keep the timers going that this needs. C; cheap. */
void inet_timer_activity(void);
/* Run what is due. C. */
void inet_timer_run(void);
bool inet_timer_due(void);
/* Before a peer begins a connection: its age is counted from now, also when TCP's clock stood still until now. */
void inet_timer_catch_up(void);
/* DHCP began or ended its exchange. C. */
void inet_timer_dhcp(bool running);
/* A query came, or a group was joined. C. */
void inet_timer_igmp(void);
/* Neighbor Discovery has something to do within a second. C. */
void inet_timer_nd(void);
/* Wake the net thread. Any context. */
void inet_kick(void);
/* The device has frames, or room: let the net thread take them, or an idle CPU. Interrupts masked. */
void inet_frames_wait(void);

/* ---- Sockets ---- */

enum inet_tcp_state {
	INET_NEW,          /* not connected yet (perhaps bound) */
	INET_LISTEN,
	INET_CONNECTING,   /* SYN sent */
	INET_OPEN,         /* established, perhaps half closed */
	INET_DEAD,         /* was connected: both sides ended, or reset */
};

struct inet_timing {
	bool rtt_pending;
	u32 rtt_seq, srtt_us, rttvar_us, min_rtt_us;
	u64 rtt_from_ns, last_sent_ns, last_recv_ns;
};

struct inet_icmp;
struct inet_member;
struct inet_error;

struct inet_dgram {
	struct list link;
	struct pbuf *p;
	ip_addr_t src, dst;
	u16 sport;                   /* host order */
	u8 ttl, tos;
	u32 ifindex;
	u64 time_ns;
};

struct inet_listener {
	struct list accepts;         /* C; children, by accept_link */
	struct list deferred;        /* C; children that wait for data, by accept_link */
	struct list followers;       /* C; leader: other listeners on the same port, by follow_link */
	struct inet_sock *next_accept;   /* C; leader: whose turn it is */
	unsigned naccepts, backlog;  /* C; children on either list */
	unsigned nready;             /* C; those on accepts; read without it by poll */
};

struct inet_sock {
	struct socket sock;          /* first */
	ip_addr_t laddr, raddr;      /* C; an IPv4 one on an AF_INET6 socket is the mapped kind */
	u16 lport, rport;            /* C; host order */
	bool bound;                  /* C; has a port and is in its bucket */
	bool bound_addr;             /* C; the address was given by bind */
	bool no_check;               /* SO_NO_CHECK: IPv4 datagrams without a sum */
	bool bound_by_name;          /* C; the port was given (or asked for) by bind */
	bool v6only;                 /* C; IPV6_V6ONLY, or bound to an address of IPv6 */
	bool connected;              /* C; UDP: connected. TCP: SS_CONNECTED as Linux counts it */
	bool rcv_shut, snd_shut;     /* C; our side's shutdown, or the end of the connection */
	bool peer_fin;               /* C; the peer sent FIN */
	bool nospace;                /* C; the send queue is (nearly) full: tell when it is not; read without it by poll */
	bool large;                  /* C; segments of several times the peer's MSS (inet_tcp_io.c) */
	bool nodelay, cork, freebind;
	u8 tos, ttl, mtu_discover, mcast_ttl;
	bool mcast_loop;
	u8 ifindex;                  /* SO_BINDTODEVICE, 0 = any */
	u8 mcast_ifindex, mcast6_if; /* IP_MULTICAST_IF, IPV6_MULTICAST_IF; 0 = any */
	u32 mcast_addr;              /* IP_MULTICAST_IF by address */
	u16 port_low, port_high;     /* IP_LOCAL_PORT_RANGE */
	struct inet_ip_options *ip;  /* the rarer options (inet_opt_ip.c); never NULL */
	u32 keepidle_s, keepintvl_s, keepcnt, user_timeout_ms, fastopen, syncnt, linger2_s, maxseg, notsent_lowat;
	u8 defer_accept;             /* in retransmissions, as Linux keeps it */
	u32 window_clamp;            /* TCP_WINDOW_CLAMP, 0: none */
	bool rcvbuf_set;             /* SO_RCVBUF was given: it bounds the window */
	u32 last_icmp_error;
	u16 path_mss;                /* C; a router said that packets are too big, 0: none did */
	struct inet_member *members; /* C; groups (inet_mcast.c) */
	struct inet_error *errors;   /* C; IP_RECVERR's queue (inet_error.c); read without it by poll */
	u8 held_ticks;               /* C; how long a part of a segment has waited for more */
	struct list bound_link;      /* C; in its port's bucket (inet_port.c) */
	/* TCP */
	enum inet_tcp_state state;   /* C; read without it by poll */
	struct tcp_pcb *tcp;         /* C; NULL when there is none (any more) */
	struct pbuf *rx_head, *rx_tail;  /* C; single pbufs linked by next */
	u32 rx_len;                  /* C; bytes in them; read without it by poll */
	u32 sndlimit;                /* most bytes queued to send */
	struct inet_listener *lis;   /* from the first listen on */
	struct list accept_link;     /* C */
	struct inet_sock *deferred_to;   /* C; child: the listener on whose deferred list it is */
	u64 deferred_until_ns;
	u64 stall_ns;                /* C; since when nothing was acknowledged (TCP_USER_TIMEOUT), 0: it was */
	u32 stall_seq;
	struct inet_sock *leader;    /* C; SO_REUSEPORT: the listener that has the pcb (itself included), NULL: none */
	struct list follow_link;
	u64 bytes_sent, bytes_received;
	union {
		struct {                     /* TCP, for TCP_INFO */
			u32 snd_high, fast_segs_in, segs_out, data_segs_out, retrans_out;
			u64 bytes_retrans;
			struct inet_timing *timing;  /* from the first question on (inet_tcp_info.c) */
		};
		struct {                     /* UDP */
			struct list dgrams;  /* C */
			struct udp_pcb *udp;
			u32 dgram_bytes;     /* C */
			bool listed;         /* C; udp is on lwIP's list */
		};
	};
};
static inline struct inet_sock *inet_sock_of(struct socket *s) { return container_of(s, struct inet_sock, sock); }

/* What a sockaddr says. */
struct inet_name {
	ip_addr_t addr;              /* V4 also for a mapped address; zoned if scope says so */
	u16 port;                    /* host order */
	u16 family;                  /* as given */
	u32 scope;                   /* sin6_scope_id, 0 if none */
};

/* Shared by TCP and UDP (inet_addr.c). C. */

/* By the socket's family: -EINVAL (too short), -EAFNOSUPPORT. */
int inet_addr_parse(int family, const struct sock_addr *a, struct inet_name *ret);
/* For bind: Linux takes AF_UNSPEC with INADDR_ANY for AF_INET. */
int inet_addr_parse_bind(int family, const struct sock_addr *a, struct inet_name *ret);
void inet_addr_fill(int family, struct sock_addr *ret, const ip_addr_t *addr, u16 port);
/* bind, as far as it is the same for TCP and UDP: Linux's checks of the address, then the port. */
int inet_bind(struct inet_sock *s, const struct inet_name *n);
/* Before connecting or sending to n: any is the loopback, a scope must fit. May change n. */
int inet_addr_settle(const struct inet_sock *s, struct inet_name *n);
/* Is this one of our own addresses (the loopback net, the interfaces')? */
bool inet_addr_is_own(const ip_addr_t *a);
static inline bool inet_addr_is_own4(u32 addr)
{
	return (u8)addr == 127 || (addr && addr == ip4_addr_get_u32(netif_ip4_addr(&inet_eth)));
}
static inline u32 inet_v4(const ip_addr_t *a) { return ip_2_ip4(a)->addr; }
static inline void inet_addr_clear(const struct inet_sock *s, ip_addr_t *a)
{
	memset(a, 0, sizeof(*a));
	IP_SET_TYPE(a, s->sock.family == LX_AF_INET6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
}
/* Where to send for dst and from which address. -ENETUNREACH, -EADDRNOTAVAIL. */
int inet_route(const struct inet_sock *s, const ip_addr_t *dst, struct netif **ret, ip_addr_t *ret_src);
int inet_getname(struct socket *sock, bool peer, struct sock_addr *ret);
int inet_errno(err_t e);

/* Ports (inet_port.c). C. */

/* Take the port (0: any) for s->laddr. -EADDRINUSE. */
int inet_bind_port(struct inet_sock *s, u16 port);
void inet_unbind(struct inet_sock *s);
/* Those that have this port: walk with list_for_each_entry(o, inet_port_bucket(p), bound_link) and look at lport. */
struct list *inet_port_bucket(u16 port);
/* Do two sockets' local addresses meet, a wildcard of either included? */
bool inet_addr_meet(const struct inet_sock *a, const struct inet_sock *b);
/* Are they the same address, wildcard for wildcard? */
bool inet_addr_same(const struct inet_sock *a, const struct inet_sock *b);

/* The address as 16 bytes, an IPv4 one mapped. */
void inet_addr_bytes(const ip_addr_t *a, u8 ret[16]);

/* The rarer options of levels IP and IPV6 (inet_opt_ip.c). The common ones are in struct inet_sock. */
struct inet_ip_options {
	bool recverr, pktinfo, recvttl, recvtos, recvorigdst, mcast_all, bind_no_port, transparent, nodefrag, router_alert;
	u8 minttl;
	/* IPv6's own */
	bool recverr6, pktinfo6, recvhoplimit, recvtclass, recvorigdst6, recvpathmtu, recvfragsize, mcast_all6, mcast_loop6, dontfrag, flowinfo_send,
		autoflow, freebind6, transparent6, recvhopopts, recvdstopts, recvrthdr, flowinfo, addrform, router_alert_isolate;
	s16 hops6, mcast_hops6;      /* -1: the default */
	u8 tclass, mtu_discover6, minhops;
	u32 addr_prefer;
};
/* The socket's own copy, to change; NULL: no memory. C. */
struct inet_ip_options *inet_ip_options_own(struct inet_sock *s);
void inet_ip_options_free(struct inet_sock *s);
void inet_ip_options_inherit(struct inet_sock *child, const struct inet_sock *parent);
extern const struct inet_ip_options inet_ip_defaults;
int inet_set_ip(struct inet_sock *s, int name, const void *val, u32 len);
int inet_get_ip(struct inet_sock *s, int name, void *val, u32 *len);
int inet_set_ipv6(struct inet_sock *s, int name, const void *val, u32 len);
int inet_get_ipv6(struct inet_sock *s, int name, void *val, u32 *len);
static inline u8 inet_hops(const struct inet_sock *s, bool v6) { return !v6 ? s->ttl : s->ip->hops6 < 0 ? 64 : (u8)s->ip->hops6; }
static inline u8 inet_tos(const struct inet_sock *s, bool v6) { return v6 ? s->ip->tclass : s->tos; }

/* Values in and out. */
int inet_opt_int(const void *val, u32 len, int *ret);
int inet_opt_put(void *val, u32 *len, const void *src, u32 n);
static inline int inet_opt_put_int(void *val, u32 *len, int v) { return inet_opt_put(val, len, &v, sizeof(v)); }

/* Groups (inet_mcast.c). C. */

/* IP_ADD_MEMBERSHIP and its relatives: -ENOPROTOOPT if name is none of them. */
int inet_mcast_set(struct inet_sock *s, int level, int name, const void *val, u32 len);
int inet_mcast_get(struct inet_sock *s, int level, int name, void *val, u32 *len);
/* May a datagram to this group, from src, come in through this interface? */
bool inet_mcast_allows(const struct inet_sock *s, const ip_addr_t *group, const ip_addr_t *src, unsigned ifindex);
void inet_mcast_leave_all(struct inet_sock *s);

/* Errors about datagrams (inet_error.c). C. */
void inet_error_queue(struct inet_sock *s, const struct inet_icmp *e);
ssize_t inet_error_recv(struct inet_sock *s, struct sock_msg *m);
void inet_error_free(struct inet_sock *s);

/* Options (inet_option.c) */
int inet_setsockopt(struct socket *sock, int level, int name, const void *val, u32 len);
int inet_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len);
/* Bring the options of s into its pcb. C. */
void inet_options_apply(struct inet_sock *s);
void inet_tcp_info(struct inet_sock *s, struct lx_tcp_info *ret);

extern const struct sock_ops inet_tcp_ops, inet_udp_ops;
struct inet_sock *inet_sock_alloc(int family, int type, int protocol);
int inet_udp_open(struct inet_sock *s);
ssize_t inet_tcp_send(struct socket *sock, struct sock_msg *m);
ssize_t inet_tcp_recv(struct socket *sock, struct sock_msg *m);
u32 inet_tcp_poll(struct socket *sock, struct poll_table *pt);
/* The peer's MSS. C; there is a pcb. */
static inline u16 inet_tcp_peer_mss(const struct inet_sock *s)
{
	u16 mss = (u16)(uintptr_t)s->tcp->ext_args[0].data; /* tcp_ext_arg_get */

	return mss ? mss : s->tcp->mss;
}
bool inet_tcp_writable(const struct inet_sock *s);
int inet_tcp_pending(struct socket *sock, bool output);
/* The window that SO_RCVBUF and TCP_WINDOW_CLAMP allow. */
u32 inet_tcp_window(const struct inet_sock *s);
/* A segment goes out; an acknowledgement came: for TCP_INFO. C. */
void inet_tcp_count_data(struct inet_sock *s, u32 len, u32 seq);
void inet_tcp_sample_rtt(struct inet_sock *s, const struct tcp_pcb *pcb);
u64 inet_retrans_to_s(unsigned retrans);
void inet_sock_free(struct inet_sock *s);
/* An ICMP error about a packet of ours. C. */
struct inet_icmp {
	ip_addr_t local, remote;     /* ends of the packet that it is about */
	u16 lport, rport;
	int error;                   /* negative errno */
	bool hard;
	u8 origin, type, code;       /* SO_EE_ORIGIN_*; as on the wire */
	u32 info;                    /* the MTU, if it says one */
	ip_addr_t offender;
	const u8 *payload;           /* what is quoted behind the transport header */
	u32 payload_len;
};
void inet_tcp_icmp(const struct inet_icmp *e);
void inet_udp_icmp(const struct inet_icmp *e);
/* At each TCP tick. */
void inet_tcp_tick(void);
/* Inside TCP (inet_tcp.c, inet_listen.c). C. */
int inet_tcp_pcb_new(struct inet_sock *s);
void inet_tcp_pcb_bind(struct inet_sock *s, const ip_addr_t *addr, u8 type);
/* lwIP shall call us about the pcb. */
void inet_tcp_pcb_adopt(struct inet_sock *s);
void inet_tcp_pcb_detach(struct inet_sock *s);
void inet_tcp_pcb_abort(struct inet_sock *s);
void inet_tcp_rx_purge(struct inet_sock *s);
/* In order: the socket has p from now on, and its reader is woken. C. */
void inet_tcp_deliver(struct inet_sock *s, struct pbuf *p, struct pbuf *tail, u32 len);
/* Whose pcb is it? NULL: it is half-open, or its socket is closed. */
void inet_tcp_on_err(void *arg, err_t err);
static inline struct inet_sock *inet_tcp_sock_of(const struct tcp_pcb *p) { return p->errf == inet_tcp_on_err ? p->callback_arg : NULL; }
int inet_tcp_connect(struct socket *sock, const struct sock_addr *a, bool nonblock);
int inet_tcp_listen(struct socket *sock, int backlog);
int inet_tcp_accept(struct socket *sock, bool nonblock, struct socket **ret);
void inet_listen_close(struct inet_sock *s);
/* How many half-open connections lwIP may have now. */
void inet_listen_update(struct inet_sock *leader);
/* A child that waits for data has some, or has waited long enough; or died before: then it is freed. */
void inet_listen_undefer(struct inet_sock *c);
void inet_listen_forget(struct inet_sock *c);
void inet_listen_tick(u64 now);
/* Does a connection need ticks although nothing is in flight? */
bool inet_tcp_waiting(void);
/*
 * A SYN came, for pcb or, if that is NULL, for a listener at local: make room among the half-open ones, and say how
 * much the socket takes in, which TCP_WND is to be while lwIP reads it.
 */
u32 inet_tcp_syn(const struct tcp_pcb *pcb, const ip_addr_t *local, u16 lport);
/* Let go what was corked. C. */
void inet_tcp_push(struct inet_sock *s);
/* Before sleeping: look whether the device has something. Not C. */
void inet_drain(void);
/* inet_finish.c: net_stack.finish */
void inet_finish(u64 max_ns);

#endif
