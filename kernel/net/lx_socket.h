/* lx_socket.h - Linux's numbers and layouts for sockets (asm-generic; include/uapi/linux/{socket,in,tcp,un}.h). */
#ifndef NET_LX_SOCKET_H
#define NET_LX_SOCKET_H

#include "base/types.h"

enum { LX_AF_UNSPEC = 0, LX_AF_UNIX = 1, LX_AF_INET = 2, LX_AF_INET6 = 10, LX_AF_NETLINK = 16, LX_AF_PACKET = 17, LX_AF_VSOCK = 40, LX_AF_MAX = 46 };
enum { LX_SOCK_STREAM = 1, LX_SOCK_DGRAM = 2, LX_SOCK_RAW = 3, LX_SOCK_RDM = 4, LX_SOCK_SEQPACKET = 5, LX_SOCK_MAX = 11 };
enum { LX_IPPROTO_IP = 0, LX_IPPROTO_ICMP = 1, LX_IPPROTO_TCP = 6, LX_IPPROTO_UDP = 17, LX_IPPROTO_IPV6 = 41, LX_IPPROTO_ICMPV6 = 58 };
enum { LX_SHUT_RD = 0, LX_SHUT_WR = 1, LX_SHUT_RDWR = 2 };

/* send and receive flags */
#define LX_MSG_OOB          0x1u
#define LX_MSG_PEEK         0x2u
#define LX_MSG_DONTROUTE    0x4u
#define LX_MSG_CTRUNC       0x8u
#define LX_MSG_TRUNC        0x20u
#define LX_MSG_DONTWAIT     0x40u
#define LX_MSG_EOR          0x80u
#define LX_MSG_WAITALL      0x100u
#define LX_MSG_CONFIRM      0x800u
#define LX_MSG_ERRQUEUE     0x2000u
#define LX_MSG_NOSIGNAL     0x4000u
#define LX_MSG_MORE         0x8000u
#define LX_MSG_FASTOPEN     0x20000000u
#define LX_MSG_CMSG_CLOEXEC 0x40000000u

/* levels */
enum { LX_SOL_IP = 0, LX_SOL_SOCKET = 1, LX_SOL_TCP = 6, LX_SOL_UDP = 17, LX_SOL_IPV6 = 41 };

enum {
	LX_SO_DEBUG = 1, LX_SO_REUSEADDR = 2, LX_SO_TYPE = 3, LX_SO_ERROR = 4, LX_SO_DONTROUTE = 5, LX_SO_BROADCAST = 6,
	LX_SO_SNDBUF = 7, LX_SO_RCVBUF = 8, LX_SO_KEEPALIVE = 9, LX_SO_OOBINLINE = 10, LX_SO_NO_CHECK = 11, LX_SO_PRIORITY = 12,
	LX_SO_LINGER = 13, LX_SO_BSDCOMPAT = 14, LX_SO_REUSEPORT = 15, LX_SO_PASSCRED = 16, LX_SO_PEERCRED = 17, LX_SO_RCVLOWAT = 18,
	LX_SO_SNDLOWAT = 19, LX_SO_RCVTIMEO = 20, LX_SO_SNDTIMEO = 21, LX_SO_BINDTODEVICE = 25, LX_SO_ATTACH_FILTER = 26,
	LX_SO_DETACH_FILTER = 27, LX_SO_PEERNAME = 28, LX_SO_TIMESTAMP = 29, LX_SO_ACCEPTCONN = 30, LX_SO_PEERSEC = 31,
	LX_SO_SNDBUFFORCE = 32, LX_SO_RCVBUFFORCE = 33, LX_SO_PASSSEC = 34, LX_SO_TIMESTAMPNS = 35, LX_SO_MARK = 36,
	LX_SO_PROTOCOL = 38, LX_SO_DOMAIN = 39, LX_SO_RXQ_OVFL = 40, LX_SO_PEEK_OFF = 42, LX_SO_LOCK_FILTER = 44, LX_SO_BUSY_POLL = 46,
	LX_SO_MAX_PACING_RATE = 47, LX_SO_INCOMING_CPU = 49, LX_SO_ATTACH_BPF = 50, LX_SO_INCOMING_NAPI_ID = 56, LX_SO_COOKIE = 57,
	LX_SO_PEERGROUPS = 59, LX_SO_ZEROCOPY = 60, LX_SO_BINDTOIFINDEX = 62, LX_SO_TIMESTAMP_NEW = 63, LX_SO_TIMESTAMPNS_NEW = 64,
	LX_SO_RCVTIMEO_NEW = 66, LX_SO_SNDTIMEO_NEW = 67,
};

enum {
	LX_TCP_NODELAY = 1, LX_TCP_MAXSEG = 2, LX_TCP_CORK = 3, LX_TCP_KEEPIDLE = 4, LX_TCP_KEEPINTVL = 5, LX_TCP_KEEPCNT = 6,
	LX_TCP_SYNCNT = 7, LX_TCP_LINGER2 = 8, LX_TCP_DEFER_ACCEPT = 9, LX_TCP_WINDOW_CLAMP = 10, LX_TCP_INFO = 11, LX_TCP_QUICKACK = 12,
	LX_TCP_CONGESTION = 13, LX_TCP_THIN_LINEAR_TIMEOUTS = 16, LX_TCP_THIN_DUPACK = 17, LX_TCP_USER_TIMEOUT = 18, LX_TCP_FASTOPEN = 23,
	LX_TCP_TIMESTAMP = 24, LX_TCP_NOTSENT_LOWAT = 25, LX_TCP_FASTOPEN_CONNECT = 30, LX_TCP_ULP = 31, LX_TCP_INQ = 36,
};

enum {
	LX_IP_TOS = 1, LX_IP_TTL = 2, LX_IP_HDRINCL = 3, LX_IP_OPTIONS = 4, LX_IP_RECVOPTS = 6, LX_IP_RETOPTS = 7, LX_IP_PKTINFO = 8,
	LX_IP_MTU_DISCOVER = 10, LX_IP_RECVERR = 11, LX_IP_RECVTTL = 12, LX_IP_RECVTOS = 13, LX_IP_MTU = 14, LX_IP_FREEBIND = 15,
	LX_IP_TRANSPARENT = 19, LX_IP_RECVORIGDSTADDR = 20, LX_IP_MINTTL = 21, LX_IP_BIND_ADDRESS_NO_PORT = 24, LX_IP_MULTICAST_IF = 32,
	LX_IP_MULTICAST_TTL = 33, LX_IP_MULTICAST_LOOP = 34, LX_IP_ADD_MEMBERSHIP = 35, LX_IP_DROP_MEMBERSHIP = 36, LX_IP_MULTICAST_ALL = 49,
	LX_IP_LOCAL_PORT_RANGE = 51, LX_IP_PROTOCOL = 52, LX_IP_ROUTER_ALERT = 5, LX_IP_PASSSEC = 18, LX_IP_NODEFRAG = 22, LX_IP_CHECKSUM = 23,
	LX_IP_RECVFRAGSIZE = 25, LX_IP_RECVERR_RFC4884 = 26, LX_IP_UNBLOCK_SOURCE = 37, LX_IP_BLOCK_SOURCE = 38,
	LX_IP_ADD_SOURCE_MEMBERSHIP = 39, LX_IP_DROP_SOURCE_MEMBERSHIP = 40, LX_IP_MSFILTER = 41, LX_MCAST_JOIN_GROUP = 42, LX_MCAST_BLOCK_SOURCE = 43,
	LX_MCAST_UNBLOCK_SOURCE = 44, LX_MCAST_LEAVE_GROUP = 45, LX_MCAST_JOIN_SOURCE_GROUP = 46, LX_MCAST_LEAVE_SOURCE_GROUP = 47,
	LX_MCAST_MSFILTER = 48, LX_IP_UNICAST_IF = 50,
};
enum {
	LX_IPV6_ADDRFORM = 1, LX_IPV6_2292PKTINFO = 2, LX_IPV6_2292HOPLIMIT = 8, LX_IPV6_CHECKSUM = 7, LX_IPV6_NEXTHOP = 9, LX_IPV6_FLOWINFO = 11, LX_IPV6_UNICAST_HOPS = 16,
	LX_IPV6_MULTICAST_IF = 17, LX_IPV6_MULTICAST_HOPS = 18, LX_IPV6_MULTICAST_LOOP = 19, LX_IPV6_JOIN_GROUP = 20, LX_IPV6_LEAVE_GROUP = 21,
	LX_IPV6_ROUTER_ALERT = 22, LX_IPV6_MTU_DISCOVER = 23, LX_IPV6_MTU = 24, LX_IPV6_RECVERR = 25, LX_IPV6_V6ONLY = 26,
	LX_IPV6_JOIN_ANYCAST = 27, LX_IPV6_LEAVE_ANYCAST = 28, LX_IPV6_MULTICAST_ALL = 29, LX_IPV6_ROUTER_ALERT_ISOLATE = 30, LX_IPV6_RECVERR_RFC4884 = 31,
	LX_IPV6_FLOWINFO_SEND = 33, LX_IPV6_RECVPKTINFO = 49, LX_IPV6_PKTINFO = 50, LX_IPV6_RECVHOPLIMIT = 51, LX_IPV6_HOPLIMIT = 52,
	LX_IPV6_RECVHOPOPTS = 53, LX_IPV6_HOPOPTS = 54, LX_IPV6_RECVRTHDR = 56, LX_IPV6_RECVDSTOPTS = 58, LX_IPV6_DSTOPTS = 59,
	LX_IPV6_RECVPATHMTU = 60, LX_IPV6_PATHMTU = 61, LX_IPV6_DONTFRAG = 62, LX_IPV6_RECVTCLASS = 66, LX_IPV6_TCLASS = 67, LX_IPV6_AUTOFLOWLABEL = 70,
	LX_IPV6_ADDR_PREFERENCES = 72, LX_IPV6_MINHOPCOUNT = 73, LX_IPV6_RECVORIGDSTADDR = 74, LX_IPV6_TRANSPARENT = 75, LX_IPV6_UNICAST_IF = 76,
	LX_IPV6_RECVFRAGSIZE = 77, LX_IPV6_FREEBIND = 78,
};

struct lx_sockaddr_in {
	u16 family;
	u16 port;                    /* network order */
	u32 addr;                    /* network order */
	u8 zero[8];
};
struct lx_sockaddr_in6 {
	u16 family;
	u16 port;                    /* network order */
	u32 flowinfo;
	u8 addr[16];
	u32 scope_id;
};
_Static_assert(sizeof(struct lx_sockaddr_in6) == 28, "sockaddr_in6");
struct lx_sockaddr_un {
	u16 family;
	char path[108];
};
struct lx_ucred {
	s32 pid;
	u32 uid, gid;
};
struct lx_linger {
	s32 onoff, linger;
};
struct lx_timeval {
	s64 sec, usec;
};
struct lx_in_pktinfo {
	s32 ifindex;
	u32 spec_dst, addr;
};
struct lx_in6_pktinfo {
	u8 addr[16];
	u32 ifindex;
};
struct lx_sock_extended_err {
	u32 error;
	u8 origin, type, code, pad;
	u32 info, data;
};
struct lx_ip_mreqn {
	u32 multiaddr, address;
	s32 ifindex;
};

/* struct tcp_info as of Linux 6.1 (the part that programs read; the rest is zero). */
struct lx_tcp_info {
	u8 state, ca_state, retransmits, probes, backoff, options, wscale, flags;
	u32 rto, ato, snd_mss, rcv_mss;
	u32 unacked, sacked, lost, retrans, fackets;
	u32 last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
	u32 pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	u32 rcv_rtt, rcv_space, total_retrans;
	u64 pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	u32 segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	u64 delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	u32 delivered, delivered_ce;
	u64 bytes_sent, bytes_retrans;
	u32 dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};
_Static_assert(sizeof(struct lx_tcp_info) == 232, "tcp_info");
_Static_assert(sizeof(struct lx_sockaddr_in) == 16, "sockaddr_in");

/* Interface flags */
enum { LX_IFF_UP = 1, LX_IFF_BROADCAST = 2, LX_IFF_LOOPBACK = 8, LX_IFF_RUNNING = 0x40, LX_IFF_MULTICAST = 0x1000 };

#endif
