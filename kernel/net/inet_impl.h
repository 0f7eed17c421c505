/*
 * inet_impl.h - the inside of AF_INET. Included by inet*.c only: nothing else sees lwIP.
 *
 * Locks: C = inet_core, one sleeping lock around lwIP and everything marked C. It is taken by
 * inet_lock and given back by inet_unlock, which first delivers what went to the loopback and
 * hands what was queued for the device to the driver in one go.
 */
#ifndef NET_INET_IMPL_H
#define NET_INET_IMPL_H

#include "net/socket_impl.h"
#include "base/chacha20.h"
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

/* Bring a sum of 16- or 32-bit words down to 16 bits, with end-around carry. */
static inline u32 inet_sum_fold(u64 s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (u32)s;
}

/* ---- To the device (inet_send.c) ---- */

/* lwIP's linkoutput: queue the frame; it goes out at the end of this hold of the lock. C. */
err_t inet_send_frame(struct netif *n, struct pbuf *p);
bool inet_send_waiting(void);
/* Everything queued goes to the driver; what the ring cannot take stays. C. */
void inet_send_flush(void);

/* ---- Interfaces (inet_netif.c) ---- */

extern struct netif inet_lo, inet_eth;
extern struct netdev *inet_dev;          /* behind inet_eth, or NULL */
/* What passed; rx_errors: frames that were no proper ones, dropped: for want of memory or room. C. */
struct inet_if_stats {
	u64 rx_packets, rx_bytes, rx_errors, rx_dropped, tx_packets, tx_bytes, tx_errors, tx_dropped;
};
extern struct inet_if_stats inet_lo_stats, inet_eth_stats;
void inet_lo_init(void);
int inet_eth_init(struct netdev *d);
/* Take received frames into lwIP, at most max; true if there may be more. Interrupts are on again when it returns false. C. */
bool inet_eth_receive(unsigned max);
/* Hand queued frames to the driver; deliver the loopback's. True if anything was delivered (and more may be queued). C. */
void inet_flush(void);
bool inet_eth_cuts(void);
u16 inet_eth_mtu(void);
/* The interface with this index (1 is the loopback), or NULL. */
struct netif *inet_netif_by_index(unsigned index);

/* ---- What the stack tells (inet_info.c) ---- */

/* Addresses, routes or the link changed: the net thread will tell those who watch. Any context. */
void inet_info_changed(void);
/* Tell them. The net thread only; not C. */
void inet_info_tell(void);

/* ---- Timers (inet_timer.c) ---- */

void inet_timer_init(void);
/* Frames moved or a socket was used: keep the timers going that this needs. C; cheap. */
void inet_timer_activity(void);
/* Run what is due. C. */
void inet_timer_run(void);
bool inet_timer_due(void);
/* DHCP began or ended its exchange. C. */
void inet_timer_dhcp(bool running);
void inet_timer_igmp(void);
/* Wake the net thread. Any context. */
void inet_kick(void);

/* ---- Sockets ---- */

enum inet_tcp_state {
	INET_NEW,          /* not connected yet (perhaps bound) */
	INET_LISTEN,
	INET_CONNECTING,   /* SYN sent */
	INET_OPEN,         /* established, perhaps half closed */
	INET_DEAD,         /* was connected: both sides ended, or reset */
};

struct inet_dgram {
	struct list link;
	struct pbuf *p;
	u32 src, dst;                /* network order */
	u16 sport;                   /* host order */
	u8 ttl, tos;
	u32 ifindex;
	u64 time_ns;
};

struct inet_sock {
	struct socket sock;          /* first */
	u32 laddr, raddr;            /* C; network order */
	u16 lport, rport;            /* C; host order */
	bool bound;                  /* C; has a port and is on inet_bound */
	bool bound_addr;             /* C; the address was given by bind */
	bool bound_by_name;          /* C; the port was given (or asked for) by bind */
	bool connected;              /* C; UDP: connected. TCP: SS_CONNECTED as Linux counts it */
	bool rcv_shut, snd_shut;     /* C; our side's shutdown, or the end of the connection */
	bool peer_fin;               /* C; the peer sent FIN */
	bool nospace;                /* C; the send queue is (nearly) full: tell when it is not; read without it by poll */
	bool large;                  /* C; segments of several times the peer's MSS (inet_tcp_io.c) */
	bool nodelay, cork, freebind, recverr, pktinfo, recvttl, recvtos;
	u8 tos, ttl, mtu_discover, mcast_ttl;
	bool mcast_loop;
	u8 ifindex;                  /* SO_BINDTODEVICE, 0 = any */
	u32 keepidle_s, keepintvl_s, keepcnt, user_timeout_ms, defer_accept_s, fastopen, syncnt, linger2_s, maxseg, notsent_lowat, mcast_if;
	u32 last_icmp_error;
	u8 held_ticks;               /* C; how long a part of a segment has waited for more */
	struct list bound_link;      /* C; on inet_bound */
	/* TCP */
	enum inet_tcp_state state;   /* C; read without it by poll */
	struct tcp_pcb *tcp;         /* C; NULL when there is none (any more) */
	struct pbuf *rx_head, *rx_tail;  /* C; single pbufs linked by next */
	u32 rx_len;                  /* C; bytes in them; read without it by poll */
	u32 sndlimit;                /* most bytes queued to send */
	struct list accepts;         /* C; listener: children, by accept_link */
	struct list accept_link;     /* C */
	unsigned naccepts, backlog;  /* C */
	struct inet_sock *leader;    /* C; SO_REUSEPORT: the listener that has the pcb (itself included), NULL: none */
	struct list followers;       /* C; leader: other listeners on the same port */
	struct list follow_link;
	struct inet_sock *next_accept;   /* C; leader: whose turn it is */
	u64 bytes_sent, bytes_received;
	/* UDP */
	struct udp_pcb *udp;
	struct list dgrams;          /* C */
	u32 dgram_bytes;             /* C */
};
static inline struct inet_sock *inet_sock_of(struct socket *s) { return container_of(s, struct inet_sock, sock); }

/* Shared by TCP and UDP (inet_addr.c). C. */
int inet_addr_parse(const struct sock_addr *a, u32 *ret_addr, u16 *ret_port);
void inet_addr_fill(struct sock_addr *ret, u32 addr, u16 port);
int inet_bind_port(struct inet_sock *s, u32 addr, u16 port);
void inet_unbind(struct inet_sock *s);
/* Is this one of our own addresses (the loopback net, the interface)? */
bool inet_addr_is_own(u32 addr);
/* Where to send for dst and from which address. -ENETUNREACH. */
int inet_route(const struct inet_sock *s, u32 dst, struct netif **ret, u32 *ret_src);
int inet_getname(struct socket *sock, bool peer, struct sock_addr *ret);
int inet_errno(err_t e);
extern struct list inet_bound;

/* Options (inet_option.c) */
int inet_setsockopt(struct socket *sock, int level, int name, const void *val, u32 len);
int inet_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len);
/* Bring the options of s into its pcb. C. */
void inet_options_apply(struct inet_sock *s);
void inet_tcp_info(struct inet_sock *s, struct lx_tcp_info *ret);

extern const struct sock_ops inet_tcp_ops, inet_udp_ops;
struct inet_sock *inet_sock_alloc(int type, int protocol);
int inet_udp_open(struct inet_sock *s);
ssize_t inet_tcp_send(struct socket *sock, struct sock_msg *m);
ssize_t inet_tcp_recv(struct socket *sock, struct sock_msg *m);
u32 inet_tcp_poll(struct socket *sock, struct poll_table *pt);
/* The peer's MSS. C; there is a pcb. */
static inline u16 inet_tcp_peer_mss(const struct inet_sock *s)
{
	u16 mss = (u16)(uintptr_t)tcp_ext_arg_get(s->tcp, 0);

	return mss ? mss : s->tcp->mss;
}
bool inet_tcp_writable(const struct inet_sock *s);
int inet_tcp_pending(struct socket *sock, bool output);
/* An ICMP error about a packet of ours: protocol, our and their address, error (negative errno). C. */
void inet_tcp_icmp(u32 laddr, u16 lport, u32 raddr, u16 rport, int error, bool hard);
void inet_udp_icmp(u32 laddr, u16 lport, u32 raddr, u16 rport, int error, bool hard);
void inet_tcp_tick(void);
void inet_tcp_make_room(u32 addr, u16 port);
/* Let go what was corked. C. */
void inet_tcp_push(struct inet_sock *s);
/* Before sleeping: look whether the device has something. Not C. */
void inet_drain(void);

#endif
