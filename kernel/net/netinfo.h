/*
 * netinfo.h - what the stack knows of itself: interfaces, their addresses, routes, neighbours.
 * The ways by which a program asks (netlink, SIOCGIF*, /proc/net, /sys/class/net) all read it here.
 *
 * Each getter copies entry number `i` of a snapshot order that is stable while nothing changes; past
 * the end it is -ENOENT. They take the stack's lock for a moment and do not sleep otherwise. Addresses
 * are in network byte order; an IPv4 address is in the first 4 bytes.
 *
 * Changes (an address came from DHCP or SLAAC, a link went down) bump netinfo_generation() and call
 * the watchers, outside the stack's lock and in the network thread; a watcher must not sleep long.
 */
#ifndef NET_NETINFO_H
#define NET_NETINFO_H

#include "base/types.h"

/* Interface flags are Linux's IFF_*, families LX_AF_INET and LX_AF_INET6. */
struct netinfo_link {
	char name[16];
	u32 index, mtu, flags;
	u16 type;            /* ARPHRD_ETHER 1, ARPHRD_LOOPBACK 772 */
	u8 mac[6];
	bool carrier;
	u64 rx_packets, rx_bytes, rx_errors, rx_dropped, tx_packets, tx_bytes, tx_errors, tx_dropped;
};

struct netinfo_addr {
	u32 index;           /* the interface's */
	u8 family, prefix;
	u8 scope;            /* RT_SCOPE_*: 0 universe, 253 link, 254 host */
	u8 flags;            /* IFA_F_*: 0x80 permanent, 0x40 tentative, 0x20 deprecated */
	u8 addr[16];
	u8 broadcast[4];     /* IPv4 with a broadcast address, else 0 */
	u32 valid_s, preferred_s; /* seconds left; ~0 for ever */
};

struct netinfo_route {
	u32 index, metric;
	u8 family, prefix, scope, type; /* type: RTN_UNICAST 1, RTN_LOCAL 2, RTN_BROADCAST 3, RTN_MULTICAST 5 */
	u8 table, protocol;  /* RT_TABLE_MAIN 254, LOCAL 255; RTPROT_KERNEL 2, BOOT 3, RA 9, DHCP 16 */
	bool has_gateway, has_source;
	u8 dst[16], gateway[16], source[16];
};

struct netinfo_neigh {
	u32 index;
	u8 family, mac[6];
	u16 state;           /* NUD_REACHABLE 2, STALE 4, INCOMPLETE 1, PERMANENT 0x80 */
	u8 addr[16];
};

/* A multicast group that an interface listens to. */
struct netinfo_group {
	u32 index;
	u32 users;           /* memberships of sockets and of the stack itself */
	u32 timer_ms;        /* until the report that is due; 0: none is */
	u8 family, addr[16];
	bool reporter;       /* the last report on the link was ours */
};

int netinfo_link(unsigned i, struct netinfo_link *ret);
int netinfo_addr(unsigned i, struct netinfo_addr *ret);
int netinfo_route(unsigned i, struct netinfo_route *ret);
int netinfo_neigh(unsigned i, struct netinfo_neigh *ret);
int netinfo_group(unsigned i, struct netinfo_group *ret);  /* by interface; IPv4's first; all-nodes of IPv6 are not among them */

u32 netinfo_generation(void);

struct netinfo_watch {
	void (*changed)(struct netinfo_watch *w);
	struct netinfo_watch *next;
};
void netinfo_watch_add(struct netinfo_watch *w); /* at start-up only; never removed */

#endif
