/* lx_netlink.h - Linux's numbers and layouts for netlink (include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour}.h). */
#ifndef NET_LX_NETLINK_H
#define NET_LX_NETLINK_H

#include "base/types.h"

enum { LX_NETLINK_ROUTE = 0, LX_NETLINK_SOCK_DIAG = 4, LX_NETLINK_KOBJECT_UEVENT = 15, LX_NETLINK_MAX = 32 };
enum { LX_SOL_NETLINK = 270 };
enum {
	LX_NETLINK_ADD_MEMBERSHIP = 1, LX_NETLINK_DROP_MEMBERSHIP = 2, LX_NETLINK_PKTINFO = 3, LX_NETLINK_BROADCAST_ERROR = 4,
	LX_NETLINK_NO_ENOBUFS = 5, LX_NETLINK_LISTEN_ALL_NSID = 8, LX_NETLINK_LIST_MEMBERSHIPS = 9, LX_NETLINK_CAP_ACK = 10,
	LX_NETLINK_EXT_ACK = 11, LX_NETLINK_GET_STRICT_CHK = 12,
};

struct lx_sockaddr_nl {
	u16 family, pad;
	u32 pid, groups;
};
struct lx_nlmsghdr {
	u32 len;
	u16 type, flags;
	u32 seq, pid;
};
struct lx_nlmsgerr {
	s32 error;
	struct lx_nlmsghdr msg;
};
struct lx_nlattr {
	u16 len, type;
};
_Static_assert(sizeof(struct lx_sockaddr_nl) == 12 && sizeof(struct lx_nlmsghdr) == 16 && sizeof(struct lx_nlmsgerr) == 20, "netlink");

enum { LX_NLMSG_NOOP = 1, LX_NLMSG_ERROR = 2, LX_NLMSG_DONE = 3, LX_NLMSG_MIN_TYPE = 0x10 };
enum {
	LX_NLM_F_REQUEST = 1, LX_NLM_F_MULTI = 2, LX_NLM_F_ACK = 4, LX_NLM_F_DUMP_INTR = 0x10, LX_NLM_F_DUMP_FILTERED = 0x20,
	LX_NLM_F_DUMP = 0x300, LX_NLM_F_CAPPED = 0x100, LX_NLM_F_ACK_TLVS = 0x200,
};
enum { LX_NLMSGERR_ATTR_MSG = 1, LX_NLMSGERR_ATTR_OFFS = 2 };
#define LX_NLA_F_NESTED  0x8000u
#define LX_NLA_TYPE_MASK 0x3fffu

/* rtnetlink: messages come in fours, NEW, DEL, GET, SET */
enum {
	LX_RTM_BASE = 16, LX_RTM_NEWLINK = 16, LX_RTM_DELLINK = 17, LX_RTM_GETLINK = 18, LX_RTM_NEWADDR = 20, LX_RTM_DELADDR = 21,
	LX_RTM_GETADDR = 22, LX_RTM_NEWROUTE = 24, LX_RTM_DELROUTE = 25, LX_RTM_GETROUTE = 26, LX_RTM_NEWNEIGH = 28,
	LX_RTM_DELNEIGH = 29, LX_RTM_GETNEIGH = 30, LX_RTM_NEWRULE = 32, LX_RTM_GETRULE = 34, LX_RTM_MAX = 123,
};
enum { LX_RTM_KIND_GET = 2 };        /* type & 3 */
enum {
	LX_RTNLGRP_LINK = 1, LX_RTNLGRP_NEIGH = 3, LX_RTNLGRP_IPV4_IFADDR = 5, LX_RTNLGRP_IPV4_ROUTE = 7, LX_RTNLGRP_IPV6_IFADDR = 9,
	LX_RTNLGRP_IPV6_ROUTE = 11, LX_RTNLGRP_MAX = 36,
};

struct lx_ifinfomsg {
	u8 family, pad;
	u16 type;
	s32 index;
	u32 flags, change;
};
struct lx_ifaddrmsg {
	u8 family, prefix, flags, scope;
	u32 index;
};
struct lx_rtmsg {
	u8 family, dst_len, src_len, tos, table, protocol, scope, type;
	u32 flags;
};
struct lx_ndmsg {
	u8 family, pad1;
	u16 pad2;
	s32 index;
	u16 state;
	u8 flags, type;
};
struct lx_fib_rule_hdr {
	u8 family, dst_len, src_len, tos, table, res1, res2, action;
	u32 flags;
};
_Static_assert(sizeof(struct lx_ifinfomsg) == 16 && sizeof(struct lx_ifaddrmsg) == 8 && sizeof(struct lx_rtmsg) == 12 && sizeof(struct lx_ndmsg) == 12, "rtnetlink");

enum {
	LX_IFLA_ADDRESS = 1, LX_IFLA_BROADCAST = 2, LX_IFLA_IFNAME = 3, LX_IFLA_MTU = 4, LX_IFLA_QDISC = 6, LX_IFLA_STATS = 7,
	LX_IFLA_MASTER = 10, LX_IFLA_TXQLEN = 13, LX_IFLA_MAP = 14, LX_IFLA_OPERSTATE = 16, LX_IFLA_LINKMODE = 17, LX_IFLA_LINKINFO = 18,
	LX_IFLA_STATS64 = 23, LX_IFLA_AF_SPEC = 26, LX_IFLA_GROUP = 27, LX_IFLA_EXT_MASK = 29, LX_IFLA_PROMISCUITY = 30,
	LX_IFLA_NUM_TX_QUEUES = 31, LX_IFLA_NUM_RX_QUEUES = 32, LX_IFLA_CARRIER = 33, LX_IFLA_CARRIER_CHANGES = 35, LX_IFLA_PROTO_DOWN = 39,
	LX_IFLA_TARGET_NETNSID = 46, LX_IFLA_CARRIER_UP_COUNT = 47, LX_IFLA_CARRIER_DOWN_COUNT = 48, LX_IFLA_MIN_MTU = 50,
	LX_IFLA_MAX_MTU = 51, LX_IFLA_ALT_IFNAME = 53, LX_IFLA_MAX = 61,
};
enum { LX_IFA_ADDRESS = 1, LX_IFA_LOCAL = 2, LX_IFA_LABEL = 3, LX_IFA_BROADCAST = 4, LX_IFA_CACHEINFO = 6, LX_IFA_FLAGS = 8, LX_IFA_TARGET_NETNSID = 10, LX_IFA_MAX = 11 };
enum {
	LX_RTA_DST = 1, LX_RTA_SRC = 2, LX_RTA_IIF = 3, LX_RTA_OIF = 4, LX_RTA_GATEWAY = 5, LX_RTA_PRIORITY = 6, LX_RTA_PREFSRC = 7,
	LX_RTA_CACHEINFO = 12, LX_RTA_TABLE = 15, LX_RTA_MARK = 16, LX_RTA_PREF = 20, LX_RTA_UID = 25, LX_RTA_MAX = 30,
};
enum { LX_NDA_DST = 1, LX_NDA_LLADDR = 2, LX_NDA_CACHEINFO = 3, LX_NDA_PROBES = 4, LX_NDA_IFINDEX = 8, LX_NDA_MASTER = 9, LX_NDA_MAX = 16 };
enum { LX_FRA_PRIORITY = 6, LX_FRA_SUPPRESS_PREFIXLEN = 14, LX_FRA_TABLE = 15, LX_FRA_PROTOCOL = 21 };
enum { LX_RTM_F_CLONED = 0x200, LX_RTM_F_PREFIX = 0x800, LX_RTM_F_LOOKUP_TABLE = 0x1000, LX_RTM_F_FIB_MATCH = 0x2000 };
enum { LX_RTN_UNICAST = 1, LX_RTN_LOCAL = 2, LX_RTN_BROADCAST = 3, LX_RTN_MULTICAST = 5 };
enum { LX_RT_TABLE_DEFAULT = 253, LX_RT_TABLE_MAIN = 254, LX_RT_TABLE_LOCAL = 255 };
enum { LX_RTPROT_KERNEL = 2 };
enum { LX_OPER_UNKNOWN = 0, LX_OPER_DOWN = 2, LX_OPER_UP = 6 };
enum { LX_IFF_LOWER_UP = 0x10000 };
enum { LX_ARPHRD_LOOPBACK = 772 };

struct lx_ifa_cacheinfo {
	u32 preferred_s, valid_s, created, updated; /* the last two: hundredths of a second since the boot */
};
struct lx_rta_cacheinfo {
	u32 clntref, lastuse;
	s32 expires;
	u32 error, used, id, ts, tsage;
};
struct lx_nda_cacheinfo {
	u32 confirmed, used, updated, refcnt;
};
struct lx_link_stats64 {
	u64 rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped, multicast, collisions;
	u64 rx_errors_detail[6], tx_errors_detail[5], rx_compressed, tx_compressed, rx_nohandler, rx_otherhost_dropped;
};
_Static_assert(sizeof(struct lx_link_stats64) == 25 * 8, "rtnl_link_stats64");

#endif
