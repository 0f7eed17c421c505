/* net_netlink.c - AF_NETLINK: names, options, requests and their errors, dumps of NETLINK_ROUTE as far as the loopback shows them. */
#include "abi.h"
#include <arpa/inet.h>
#include <grp.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static unsigned char buf[65536];
static struct sockaddr_nl nl(unsigned pid, unsigned groups)
{
	return (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups };
}
static int raw(int protocol) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol); }
static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	poll(&p, 1, 0);
	return p.revents;
}

static void kinds(void)
{
	int sv[2], fd;

	CHECK_OK("raw", raw(NETLINK_ROUTE));
	CHECK_OK("dgram", socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	CHECK("stream", socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE));
	CHECK("seqpacket", socket(AF_NETLINK, SOCK_SEQPACKET, NETLINK_ROUTE));
	CHECK("protocol 31", raw(31));
	CHECK("protocol 32", raw(32));
	CHECK("protocol -1", raw(-1));
	CHECK_OK("uevent", raw(NETLINK_KOBJECT_UEVENT));
	CHECK_OK("sock_diag", raw(NETLINK_SOCK_DIAG));
	CHECK("pair", socketpair(AF_NETLINK, SOCK_RAW, 0, sv));
	CHECK("pair of unknown", socketpair(AF_NETLINK, SOCK_RAW, 31, sv));
	CHECK("packet", socket(AF_PACKET, SOCK_RAW, 0));
	CHECK("packet dgram", socket(AF_PACKET, SOCK_DGRAM, htons(3)));
	CHECK("family 45", socket(45, SOCK_RAW, 0));
	CHECK("family 3", socket(3, SOCK_SEQPACKET, 0));
	CHECK("family 46", socket(46, SOCK_RAW, 0));
	CHECK("family -1", socket(-1, SOCK_RAW, 0));
	fd = raw(NETLINK_ROUTE);
	CHECK("listen", listen(fd, 1));
	CHECK("accept", accept(fd, 0, 0));
	CHECK("shutdown", shutdown(fd, SHUT_RDWR));
	NOTE("poll", "%#x", ready(fd));
	CHECK("recv nothing", recv(fd, buf, 1, MSG_DONTWAIT));
	CHECK("recv oob", recv(fd, buf, 1, MSG_OOB));
	for (fd = 3; fd < 20; fd++)
		close(fd);
}

static void name(const char *what, int fd, int peer)
{
	struct sockaddr_nl a;
	socklen_t len = sizeof a;

	memset(&a, 0xff, sizeof a);
	int r = peer ? getpeername(fd, (void *)&a, &len) : getsockname(fd, (void *)&a, &len);
	NOTE(what, "%d len %u family %d pad %d pid %s groups %#x", r, len, a.nl_family, a.nl_pad,
	     a.nl_pid == 0 ? "0" : (int)a.nl_pid == getpid() ? "own" : a.nl_pid >= 0x80000000u ? "large" : "other", a.nl_groups);
}

static void names(void)
{
	struct sockaddr_nl a = nl(0, 0);
	int fd = raw(0), fe = raw(0), fu;

	name("new", fd, 0);
	name("new peer", fd, 1);
	CHECK("bind short", bind(fd, (void *)&a, 11));
	a.nl_family = AF_INET;
	CHECK("bind family", bind(fd, (void *)&a, sizeof a));
	a = nl(0, 0);
	CHECK("bind", bind(fd, (void *)&a, sizeof a));
	name("bound", fd, 0);
	CHECK("bind again", bind(fd, (void *)&a, sizeof a));
	a = nl(getpid(), RTMGRP_LINK);
	CHECK("bind with group", bind(fd, (void *)&a, sizeof a));
	name("with group", fd, 0);
	a = nl(getpid(), 0);
	CHECK("bind without group", bind(fd, (void *)&a, sizeof a));
	name("without", fd, 0);
	CHECK("bind taken", bind(fe, (void *)&a, sizeof a));
	a = nl(0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
	CHECK("bind other", bind(fe, (void *)&a, sizeof a));
	name("second", fe, 0);
	fu = raw(NETLINK_KOBJECT_UEVENT);
	a = nl(0, 1);
	CHECK("bind uevent", bind(fu, (void *)&a, sizeof a));
	name("uevent", fu, 0);
	CHECK("uevent silent", recv(fu, buf, sizeof buf, MSG_DONTWAIT));
	close(fu);
	close(fe);
	fe = raw(0);
	a = nl(12345, 0);
	CHECK("bind 12345", bind(fe, (void *)&a, sizeof a));
	name("12345", fe, 0);
	a = nl(0, 0);
	CHECK("connect", connect(fe, (void *)&a, sizeof a));
	CHECK("connect short", connect(fe, (void *)&a, 8));
	name("peer", fe, 1);
	a = nl(77, 0);
	CHECK("connect pid", connect(fe, (void *)&a, sizeof a));
	a = nl(0, 1);
	CHECK("connect group", connect(fe, (void *)&a, sizeof a));
	a.nl_family = AF_UNSPEC;
	CHECK("disconnect", connect(fe, (void *)&a, sizeof a));
	a.nl_family = AF_UNIX;
	CHECK("connect unix", connect(fe, (void *)&a, sizeof a));
	close(fe);
	close(fd);
}

static void get_option(int fd, int opt, const char *what)
{
	unsigned v[4] = { 0xeeeeeeee, 0xeeeeeeee, 0xeeeeeeee, 0xeeeeeeee };
	socklen_t len = sizeof v;
	char line[64];

	snprintf(line, sizeof line, "get %s", what);
	errno = 0;
	int r = getsockopt(fd, SOL_NETLINK, opt, v, &len);
	NOTE(line, "%d %s len %u %#x %#x", r, r ? strerrorname_np(errno) : "", len, v[0], v[1]);
}

static void options(void)
{
	static const struct { int opt; const char *name; } all[] = {
		{ NETLINK_ADD_MEMBERSHIP, "add" }, { NETLINK_PKTINFO, "pktinfo" }, { NETLINK_BROADCAST_ERROR, "broadcast_error" },
		{ NETLINK_NO_ENOBUFS, "no_enobufs" }, { 6, "rx_ring" }, { NETLINK_LISTEN_ALL_NSID, "all_nsid" },
		{ NETLINK_LIST_MEMBERSHIPS, "list" }, { NETLINK_CAP_ACK, "cap_ack" }, { NETLINK_EXT_ACK, "ext_ack" },
		{ NETLINK_GET_STRICT_CHK, "strict" }, { 13, "13" },
	};
	int fd = raw(0), one = 1, v;
	socklen_t len = 2;
	char line[64];

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		get_option(fd, all[i].opt, all[i].name);
		snprintf(line, sizeof line, "set %s", all[i].name);
		CHECK(line, setsockopt(fd, SOL_NETLINK, all[i].opt, &one, sizeof one));
		get_option(fd, all[i].opt, all[i].name);
	}
	for (v = -1; v < 80; v += 9) {
		snprintf(line, sizeof line, "join %d", v);
		if (v != 35)    /* the newest group differs between versions */
			CHECK(line, setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &v, sizeof v));
	}
	get_option(fd, NETLINK_LIST_MEMBERSHIPS, "list");
	v = 8;
	CHECK("leave", setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &v, sizeof v));
	CHECK("leave again", setsockopt(fd, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &v, sizeof v));
	get_option(fd, NETLINK_LIST_MEMBERSHIPS, "list");
	name("name", fd, 0);
	CHECK("get short", getsockopt(fd, SOL_NETLINK, NETLINK_PKTINFO, &v, &len));
	CHECK("set short", setsockopt(fd, SOL_NETLINK, NETLINK_PKTINFO, &v, 2));
	get_option(fd, NETLINK_PKTINFO, "after short");
	len = sizeof v;
	CHECK("level", getsockopt(fd, 6, 1, &v, &len));
	CHECK("set level", setsockopt(fd, 6, 1, &v, len));
	CHECK("type", (getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &len), v));
	CHECK("domain", (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len), v));
	CHECK("protocol", (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &v, &len), v));
	close(fd);
}

/* ---- Requests ---- */

struct request {
	struct nlmsghdr h;
	unsigned char body[1000];
};
static struct request request(int type, int flags, const void *fixed, int len)
{
	struct request r = { .h = { NLMSG_LENGTH(len), type, NLM_F_REQUEST | flags, 7, 0 } };
	if (len)
		memcpy(r.body, fixed, len);
	return r;
}
static void attr(struct request *r, int type, const void *data, int len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Receive what there is, once; print headers, errors and what is said of them. */
static long answers(const char *what, int fd)
{
	long n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	char line[400];

	if (n < 0)
		return CHECK(what, n);
	if (n == 0)
		NOTE(what, "empty");
	for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		int at = snprintf(line, sizeof line, "type %d flags %#x seq %u pid %s", h->nlmsg_type, h->nlmsg_flags & ~NLM_F_DUMP_INTR, h->nlmsg_seq,
				  (int)h->nlmsg_pid == getpid() ? "own" : h->nlmsg_pid ? "other" : "0");
		if (h->nlmsg_type == NLMSG_ERROR) {
			struct nlmsgerr *e = NLMSG_DATA(h);
			unsigned cap = sizeof *e + (h->nlmsg_flags & NLM_F_CAPPED ? 0 : e->msg.nlmsg_len - sizeof e->msg);
			at += snprintf(line + at, sizeof line - at, " len %u error %s of type %d len %u", h->nlmsg_flags & NLM_F_ACK_TLVS ? 0 : h->nlmsg_len,
				       e->error ? strerrorname_np(-e->error) : "0", e->msg.nlmsg_type, e->msg.nlmsg_len);
			if (h->nlmsg_flags & NLM_F_ACK_TLVS)
				for (struct rtattr *a = (void *)((char *)e + NLMSG_ALIGN(cap)); RTA_OK(a, (char *)h + h->nlmsg_len - (char *)a); a = (void *)((char *)a + RTA_ALIGN(a->rta_len)))
					at += a->rta_type > NLMSGERR_ATTR_OFFS ? 0 : a->rta_type == NLMSGERR_ATTR_MSG ? snprintf(line + at, sizeof line - at, " \"%s\"", (char *)RTA_DATA(a))
									       : snprintf(line + at, sizeof line - at, " attr %d", a->rta_type);
		}
		if (h->nlmsg_type == NLMSG_DONE)
			at += snprintf(line + at, sizeof line - at, " %s", *(int *)NLMSG_DATA(h) ? strerrorname_np(-*(int *)NLMSG_DATA(h)) : "0");
		NOTE(what, "%s", line);
	}
	return n;
}
static void ask(const char *what, int fd, struct request r)
{
	if (send(fd, &r, r.h.nlmsg_len, 0) != (long)r.h.nlmsg_len)
		NOTE(what, "send: %s", strerrorname_np(errno));
	answers(what, fd);
}

static void errors(int fd)
{
	struct sockaddr_nl a = nl(1, 0);
	struct ifinfomsg ifi = { .ifi_index = 1 };
	struct ifaddrmsg ifa = { .ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1 };
	struct request r = request(RTM_GETLINK, NLM_F_ACK, &ifi, sizeof ifi);
	struct msghdr mh = { 0 };

	CHECK("send nothing", send(fd, "", 0, 0));
	CHECK("send no iov", sendmsg(fd, &mh, 0));
	CHECK("send byte", send(fd, "x", 1, 0));
	answers("silence", fd);
	CHECK("send oob", send(fd, "x", 1, MSG_OOB));
	CHECK("send to pid", sendto(fd, &r, r.h.nlmsg_len, 0, (void *)&a, sizeof a));
	a = nl(0, 1);
	CHECK("send to group", sendto(fd, &r, r.h.nlmsg_len, 0, (void *)&a, sizeof a));
	CHECK("send short name", sendto(fd, &r, r.h.nlmsg_len, 0, (void *)&a, 4));
	a.nl_family = AF_INET;
	CHECK("send wrong family", sendto(fd, &r, r.h.nlmsg_len, 0, (void *)&a, sizeof a));
	answers("still silence", fd);
	CHECK("send much", send(fd, malloc(1000000), 1000000, 0));
	ask("not a request", fd, (r = request(RTM_GETLINK, 0, &ifi, sizeof ifi), r.h.nlmsg_flags = NLM_F_ACK, r));
	ask("noop", fd, request(NLMSG_NOOP, NLM_F_ACK, 0, 0));
	ask("noop no ack", fd, request(NLMSG_NOOP, 0, 0, 0));
	ask("type 15", fd, request(15, NLM_F_ACK, 0, 0));
	ask("no family", fd, request(RTM_GETLINK, NLM_F_ACK, 0, 0));
	ask("new addr", fd, request(RTM_NEWADDR, NLM_F_CREATE, &ifa, sizeof ifa));
	ask("del link", fd, request(RTM_DELLINK, 0, &ifi, sizeof ifi));
	ask("set link", fd, request(RTM_SETLINK, NLM_F_ACK, &ifi, sizeof ifi));
	ask("new route", fd, request(RTM_NEWROUTE, 0, "\2\0\0\0\0\0\0\0\0\0\0\0", 12));
	ask("type 1000", fd, request(1000, NLM_F_ACK, &ifi, sizeof ifi));
	ask("type 65535", fd, request(65535, 0, &ifi, sizeof ifi));
	ask("len 15", fd, (r = request(RTM_GETLINK, NLM_F_ACK, &ifi, sizeof ifi), r.h.nlmsg_len = 15, r));
	CHECK("send longer than sent", (r = request(RTM_GETLINK, NLM_F_ACK, &ifi, sizeof ifi), r.h.nlmsg_len = 500, send(fd, &r, 40, 0)));
	answers("longer", fd);
	ask("get link short", fd, request(RTM_GETLINK, 0, &ifi, 8));
	ifi.ifi_index = 9999;
	ask("get link 9999", fd, request(RTM_GETLINK, 0, &ifi, sizeof ifi));
	ifi.ifi_index = 0;
	ask("get link none", fd, request(RTM_GETLINK, 0, &ifi, sizeof ifi));
	r = request(RTM_GETLINK, 0, &ifi, sizeof ifi);
	attr(&r, IFLA_IFNAME, "nosuch0", 8);
	ask("get link name", fd, r);
	r = request(RTM_GETLINK, 0, &ifi, sizeof ifi);
	attr(&r, IFLA_IFNAME, "abcdefghijklmnopqrstuvw", 24);
	ask("get link long name", fd, r);
	ask("get addr", fd, request(RTM_GETADDR, 0, &(struct ifaddrmsg){ .ifa_family = AF_INET }, 8));
	ask("get route unspec", fd, request(RTM_GETROUTE, 0, &(struct rtmsg){ 0 }, 12));
	ask("get route short", fd, request(RTM_GETROUTE, 0, &(struct rtmsg){ .rtm_family = AF_INET }, 8));
	ask("get neigh", fd, request(RTM_GETNEIGH, 0, &(struct ndmsg){ .ndm_family = AF_INET }, 12));
	ask("get neigh state", fd, request(RTM_GETNEIGH, 0, &(struct ndmsg){ .ndm_family = AF_INET, .ndm_state = 2 }, 12));
	r = request(RTM_GETNEIGH, 0, &(struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = 1 }, 12);
	attr(&r, NDA_DST, "\177\0\0\011", 4);
	ask("get neigh none", fd, r);
	r = request(RTM_GETNEIGH, 0, &(struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = 1 }, 12);
	attr(&r, NDA_DST, "\177", 1);
	ask("get neigh length", fd, r);
	/* several in one */
	struct request two[2] = { request(NLMSG_NOOP, NLM_F_ACK, 0, 0) };
	memcpy((char *)two + 16, &two[0].h, 16);
	CHECK("send two", send(fd, two, 32, 0));
	answers("first", fd);
	answers("second", fd);
	answers("no third", fd);
}

/* ---- What the loopback looks like ---- */

static struct rtattr *find(struct nlmsghdr *h, int fixed, int type)
{
	int left = NLMSG_PAYLOAD(h, fixed);
	for (struct rtattr *a = (void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(fixed)); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if ((a->rta_type & 0x3fff) == type)
			return a;
	return NULL;
}
static void show_attr(const char *what, struct nlmsghdr *h, int fixed, int type, int values)
{
	struct rtattr *a = find(h, fixed, type);
	char text[200] = "";
	if (a && values)
		for (unsigned i = 0; i < RTA_PAYLOAD(a) && i < 32; i++)
			sprintf(text + strlen(text), "%02x", ((unsigned char *)RTA_DATA(a))[i]);
	NOTE(what, "%d: %s len %d %s", type, a ? "there" : "missing", a ? (int)RTA_PAYLOAD(a) : 0, text);
}
static void show_link(const char *what, struct nlmsghdr *h)
{
	struct ifinfomsg *i = NLMSG_DATA(h);
	static const int with[] = { IFLA_IFNAME, IFLA_MTU, IFLA_TXQLEN, IFLA_OPERSTATE, IFLA_LINKMODE, IFLA_GROUP, IFLA_PROMISCUITY, IFLA_NUM_TX_QUEUES,
				    IFLA_NUM_RX_QUEUES, IFLA_CARRIER, IFLA_QDISC, IFLA_CARRIER_CHANGES, IFLA_PROTO_DOWN, IFLA_MAP, IFLA_ADDRESS,
				    IFLA_BROADCAST, IFLA_MIN_MTU, IFLA_MAX_MTU, IFLA_MASTER };
	NOTE(what, "type %d family %d type %d index %d flags %#x change %#x", h->nlmsg_type, i->ifi_family, i->ifi_type, i->ifi_index, i->ifi_flags, i->ifi_change);
	for (unsigned k = 0; k < sizeof with / sizeof with[0]; k++)
		show_attr(what, h, sizeof *i, with[k], 1);
	show_attr(what, h, sizeof *i, IFLA_STATS, 0);
	NOTE(what, "stats64 %d", find(h, sizeof *i, IFLA_STATS64) && RTA_PAYLOAD(find(h, sizeof *i, IFLA_STATS64)) >= 23 * 8);
}
static void show_addr(const char *what, struct nlmsghdr *h)
{
	struct ifaddrmsg *i = NLMSG_DATA(h);
	NOTE(what, "type %d family %d prefix %d flags %#x scope %d index %d", h->nlmsg_type, i->ifa_family, i->ifa_prefixlen, i->ifa_flags, i->ifa_scope, i->ifa_index);
	for (int t = IFA_ADDRESS; t <= IFA_FLAGS; t++)
		show_attr(what, h, sizeof *i, t, t != IFA_CACHEINFO);
}

/* Run a dump to its end; show the messages of the loopback. */
static void dump(const char *what, int fd, struct request r, int details)
{
	int done = 0, flags = 0, others = 0;

	CHECK(what, send(fd, &r, r.h.nlmsg_len, 0));
	while (!done) {
		long n = recv(fd, buf, sizeof buf, 0);
		if (n <= 0) {
			NOTE(what, "recv: %s", strerrorname_np(errno));
			return;
		}
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			flags |= h->nlmsg_flags & ~NLM_F_DUMP_INTR;
			if (h->nlmsg_type == NLMSG_DONE) {
				done = 1;
				NOTE(what, "done %s len %d", *(int *)NLMSG_DATA(h) ? strerrorname_np(-*(int *)NLMSG_DATA(h)) : "0", h->nlmsg_flags & NLM_F_ACK_TLVS ? 0 : (int)h->nlmsg_len);
			} else if (h->nlmsg_type == NLMSG_ERROR) {
				NOTE(what, "error %s", strerrorname_np(-((struct nlmsgerr *)NLMSG_DATA(h))->error));
				return;
			} else if (h->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1 && details) {
				show_link(what, h);
			} else if (h->nlmsg_type == RTM_NEWADDR && ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index == 1 && details) {
				show_addr(what, h);
			} else {
				others++;
			}
		}
	}
	NOTE(what, "flags %#x", flags);
	if (details > 1)
		NOTE(what, "others %d", others);
}

/* The route to an address, as far as it is the same everywhere. */
static void route_to(const char *what, int fd, const char *to, int flags)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_flags = flags };
	struct request r = request(RTM_GETROUTE, 0, &m, sizeof m);
	unsigned dst = inet_addr(to);

	attr(&r, RTA_DST, &dst, 4);
	send(fd, &r, r.h.nlmsg_len, 0);
	long n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	struct nlmsghdr *h = (void *)buf;
	if (n < 0) {
		CHECK(what, n);
		return;
	}
	if (h->nlmsg_type == NLMSG_ERROR) {
		NOTE(what, "error %s", strerrorname_np(-((struct nlmsgerr *)NLMSG_DATA(h))->error));
		return;
	}
	struct rtmsg *a = NLMSG_DATA(h);
	NOTE(what, "type %d flags %#x family %d dst %d src %d tos %d table %d protocol %d scope %d type %d flags %#x", h->nlmsg_type, h->nlmsg_flags, a->rtm_family,
	     a->rtm_dst_len, a->rtm_src_len, a->rtm_tos, a->rtm_table, a->rtm_protocol, a->rtm_scope, a->rtm_type, a->rtm_flags & ~0x80000000u);
	static const int with[] = { RTA_DST, RTA_TABLE, RTA_OIF, RTA_PREFSRC, RTA_GATEWAY };
	for (unsigned k = 0; k < sizeof with / sizeof with[0]; k++)
		show_attr(what, h, sizeof *a, with[k], 1);
}

static void route6(const char *what, int fd)
{
	struct rtmsg m = { .rtm_family = AF_INET6, .rtm_dst_len = 128 };
	struct request r = request(RTM_GETROUTE, 0, &m, sizeof m);
	attr(&r, RTA_DST, &in6addr_loopback, 16);
	send(fd, &r, r.h.nlmsg_len, 0);
	long n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	struct nlmsghdr *h = (void *)buf;
	struct rtmsg *a = NLMSG_DATA(h);
	NOTE(what, "%d type %d family %d dst %d table %d scope %d type %d", n > 0, h->nlmsg_type, a->rtm_family, a->rtm_dst_len, a->rtm_table, a->rtm_scope, a->rtm_type);
	static const int with[] = { RTA_DST, RTA_TABLE, RTA_OIF, RTA_PREFSRC, RTA_GATEWAY, RTA_PRIORITY };
	for (unsigned k = 0; k < sizeof with / sizeof with[0]; k++)
		show_attr(what, h, sizeof *a, with[k], 1);
}

static void loopback(int fd)
{
	struct ifinfomsg ifi = { .ifi_index = 1 };
	struct sockaddr_nl from;
	socklen_t len = sizeof from;
	struct request r = request(RTM_GETLINK, 0, &ifi, sizeof ifi);

	CHECK("get lo", send(fd, &r, r.h.nlmsg_len, 0));
	NOTE("readable", "%#x", ready(fd));
	long whole = recv(fd, 0, 0, MSG_PEEK | MSG_TRUNC);
	NOTE("peek says all", "%d", whole > 500 && whole < 4096);
	NOTE("peek cut", "%ld", recv(fd, buf, 40, MSG_PEEK));
	struct iovec iov = { buf, 20 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = 100 };
	CHECK("recvmsg peek", recvmsg(fd, &mh, MSG_PEEK));
	NOTE("cut flag", "%#x namelen %u", mh.msg_flags, mh.msg_namelen);
	memset(&from, 0xff, sizeof from);
	NOTE("same size", "%d", recvfrom(fd, buf, sizeof buf, 0, (void *)&from, &len) == whole);
	NOTE("from", "len %u family %d pid %u groups %u", len, from.nl_family, from.nl_pid, from.nl_groups);
	show_link("lo", (void *)buf);
	NOTE("header", "flags %#x seq %u pid own %d", ((struct nlmsghdr *)buf)->nlmsg_flags, ((struct nlmsghdr *)buf)->nlmsg_seq, (int)((struct nlmsghdr *)buf)->nlmsg_pid == getpid());
	answers("no more", fd);
	ifi.ifi_index = 0;
	r = request(RTM_GETLINK, NLM_F_ACK, &ifi, sizeof ifi);
	attr(&r, IFLA_IFNAME, "lo", 3);
	attr(&r, IFLA_EXT_MASK, "\10\0\0\0", 4);
	CHECK("get by name", send(fd, &r, r.h.nlmsg_len, 0));
	recv(fd, buf, sizeof buf, 0);
	NOTE("index", "%d", ((struct ifinfomsg *)NLMSG_DATA((struct nlmsghdr *)buf))->ifi_index);
	NOTE("no stats", "%d", find((void *)buf, sizeof ifi, IFLA_STATS64) == NULL);
	answers("its ack", fd);
	route_to("route to self", fd, "127.0.0.1", 0);
	route_to("route to net", fd, "127.9.9.9", 0);
	route_to("route with table", fd, "127.0.0.1", RTM_F_LOOKUP_TABLE);
	dump("links", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi), 1);
	dump("links by family only", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, 1), 0);
	dump("links ack", fd, request(RTM_GETLINK, NLM_F_DUMP | NLM_F_ACK, &ifi, sizeof ifi), 0);
	dump("links packet", fd, request(RTM_GETLINK, NLM_F_DUMP, "\21", 1), 0);
	dump("addrs", fd, request(RTM_GETADDR, NLM_F_DUMP, &(struct ifaddrmsg){ 0 }, 8), 1);
	dump("addrs 4", fd, request(RTM_GETADDR, NLM_F_DUMP, &(struct ifaddrmsg){ .ifa_family = AF_INET }, 1), 1);
	dump("addrs 6", fd, request(RTM_GETADDR, NLM_F_DUMP, &(struct ifaddrmsg){ .ifa_family = AF_INET6 }, 8), 1);
	r = request(RTM_GETADDR, 0, &(struct ifaddrmsg){ .ifa_family = AF_INET6 }, 8);
	attr(&r, IFA_ADDRESS, &in6addr_loopback, 16);
	CHECK("get ::1", send(fd, &r, r.h.nlmsg_len, 0));
	recv(fd, buf, sizeof buf, 0);
	show_addr("::1", (void *)buf);
	r = request(RTM_GETADDR, 0, &(struct ifaddrmsg){ .ifa_family = AF_INET6 }, 8);
	attr(&r, IFA_ADDRESS, "\40\1\15\270abcdefghijkl", 16);
	ask("get strange", fd, r);
	route6("route to ::1", fd);
	dump("routes", fd, request(RTM_GETROUTE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET }, 12), 0);
	dump("routes by family only", fd, request(RTM_GETROUTE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET }, 1), 0);
	dump("routes cloned", fd, request(RTM_GETROUTE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET, .rtm_flags = RTM_F_CLONED }, 12), 0);
	dump("neighbours", fd, request(RTM_GETNEIGH, NLM_F_DUMP, &(struct ndmsg){ 0 }, 12), 0);
	dump("neighbours short", fd, request(RTM_GETNEIGH, NLM_F_DUMP, "\2", 1), 0);
	dump("rules", fd, request(RTM_GETRULE, NLM_F_DUMP, &(struct rtmsg){ .rtm_family = AF_INET }, 12), 2);
	dump("rules 44", fd, request(RTM_GETRULE, NLM_F_DUMP, "\54", 1), 2);
	dump("what nobody has", fd, request(110, NLM_F_DUMP, &ifi, sizeof ifi), 0);
}

static void strict(int fd)
{
	struct ifinfomsg ifi = { 0 };
	struct ifaddrmsg ifa = { .ifa_family = AF_INET };
	struct rtmsg rtm = { .rtm_family = AF_INET };
	struct request r;
	int one = 1;

	CHECK("strict", setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one));
	dump("links strict", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi), 0);
	dump("links short", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, 1), 0);
	ifi.ifi_index = 1;
	dump("links index", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi), 0);
	ifi = (struct ifinfomsg){ .ifi_flags = 1 };
	dump("links flags", fd, request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi), 0);
	ifi = (struct ifinfomsg){ 0 };
	r = request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi);
	attr(&r, IFLA_IFNAME, "lo", 3);
	dump("links by name", fd, r, 0);
	r = request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi);
	attr(&r, IFLA_EXT_MASK, "\10\0\0\0", 4);
	dump("links mask", fd, r, 0);
	r = request(RTM_GETLINK, NLM_F_DUMP, &ifi, sizeof ifi);
	attr(&r, IFLA_MASTER, "\7\0\0\0", 4);
	dump("links of master", fd, r, 2);
	dump("addrs strict", fd, request(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof ifa), 1);
	ifa.ifa_index = 1;
	dump("addrs of lo", fd, request(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof ifa), 2);
	ifa.ifa_index = 9999;
	dump("addrs of 9999", fd, request(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof ifa), 2);
	ifa = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_scope = 1 };
	dump("addrs scope", fd, request(RTM_GETADDR, NLM_F_DUMP, &ifa, sizeof ifa), 2);
	dump("addrs short", fd, request(RTM_GETADDR, NLM_F_DUMP, &ifa, 1), 2);
	rtm.rtm_table = RT_TABLE_LOCAL;
	dump("routes local", fd, request(RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof rtm), 0);
	rtm.rtm_table = 77;
	dump("routes 77", fd, request(RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof rtm), 2);
	rtm = (struct rtmsg){ .rtm_family = AF_INET, .rtm_table = RT_TABLE_LOCAL };
	r = request(RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof rtm);
	attr(&r, RTA_OIF, &one, 4);
	dump("routes of lo", fd, r, 2);
	rtm.rtm_dst_len = 8;
	dump("routes dst", fd, request(RTM_GETROUTE, NLM_F_DUMP, &rtm, sizeof rtm), 2);
	dump("routes short", fd, request(RTM_GETROUTE, NLM_F_DUMP, &rtm, 4), 2);
	dump("neighbours short", fd, request(RTM_GETNEIGH, NLM_F_DUMP, "\2", 1), 2);
	dump("neighbours state", fd, request(RTM_GETNEIGH, NLM_F_DUMP, &(struct ndmsg){ .ndm_state = 2 }, 12), 2);
	ifi = (struct ifinfomsg){ .ifi_index = 1, .ifi_flags = 1 };
	ask("get link flags", fd, request(RTM_GETLINK, 0, &ifi, sizeof ifi));
	ifi.ifi_flags = 0;
	r = request(RTM_GETLINK, 0, &ifi, sizeof ifi);
	attr(&r, IFLA_MTU, "\1\0\0\0", 4);
	ask("get link by mtu", fd, r);
	route_to("route", fd, "127.0.0.1", 0);
}

static void many(void)
{
	int fd = raw(0), size = 4096, one = 1;
	struct request r = request(NLMSG_NOOP, NLM_F_ACK, 0, 0);
	long got = 0, lost = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	for (int i = 0; i < 500; i++)
		if (send(fd, &r, 16, 0) != 16)
			lost++;
	NOTE("not sent", "%ld", lost);
	NOTE("error shows", "%#x", ready(fd) & (POLLERR | POLLIN));
	CHECK("overflow", recv(fd, buf, sizeof buf, MSG_DONTWAIT));
	while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
		got++;
	NOTE("then some", "%d %s", got > 0 && got < 500, strerrorname_np(errno));
	send(fd, &r, 16, 0);
	answers("and again", fd);
	setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
	for (int i = 0; i < 500; i++)
		send(fd, &r, 16, 0);
	NOTE("no error", "%d", recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0);
	close(fd);
}

static void controls(void)
{
	int fd = raw(0), one = 1;
	char ctl[200];
	struct request r = request(NLMSG_NOOP, NLM_F_ACK, 0, 0);
	struct sockaddr_nl to = nl(0, 0);
	struct iovec iov = { &r, 16 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof to };

	setsockopt(fd, SOL_NETLINK, NETLINK_PKTINFO, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	CHECK("sendmsg", sendmsg(fd, &mh, 0));
	iov = (struct iovec){ buf, sizeof buf };
	mh.msg_control = ctl;
	mh.msg_controllen = sizeof ctl;
	CHECK("recvmsg", recvmsg(fd, &mh, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
		NOTE("control", "level %d type %d len %zu first %d", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len, *(int *)CMSG_DATA(c));
	close(fd);
}

/* Ask sock_diag for our own sockets. */
static void diag(void)
{
	struct { unsigned char family, protocol, ext, pad; unsigned states; unsigned char sport[2], dport[2]; unsigned src[4], dst[4], ifindex, cookie[2]; } q = { AF_INET, 6, 0, 0, ~0u, { 0 }, { 0 }, { 0 }, { 0 }, 0, { ~0u, ~0u } };
	struct { unsigned char family, protocol; unsigned short pad; unsigned states, ino, show, cookie[2]; } u = { AF_UNIX, 0, 0, ~0u, 0, 0x15, { ~0u, ~0u } };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(21812) };
	struct request r;
	int fd = raw(NETLINK_SOCK_DIAG), l = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0), sv[2], one = 1, found = 0;
	struct stat st, st2;
	long n;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind", bind(l, (void *)&a, sizeof a));
	CHECK("listen", listen(l, 3));
	CHECK("bind udp", bind(d, (void *)&a, sizeof a));
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv);
	(void)!write(sv[0], "abc", 3);
	ask("type 5", fd, request(16, NLM_F_ACK, &q, sizeof q));
	ask("no family", fd, request(20, NLM_F_ACK, &q, 1));
	ask("large family", fd, request(20, NLM_F_ACK, "\300\0", 2));
	ask("unknown family", fd, request(20, NLM_F_ACK, "\3\0", 2));
	ask("short", fd, request(20, NLM_F_ACK, &q, 20));
	q.protocol = 99;
	ask("protocol 99", fd, request(20, NLM_F_ACK, &q, sizeof q));
	q.protocol = 6;
	/* one listener */
	memcpy(q.sport, &a.sin_port, 2);
	q.src[0] = a.sin_addr.s_addr;
	fstat(l, &st);
	r = request(20, 0, &q, sizeof q);
	CHECK("get listener", send(fd, &r, r.h.nlmsg_len, 0));
	n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	NOTE("answer", "%d state %d inode %d", n >= 88 && ((struct nlmsghdr *)buf)->nlmsg_type == 20, buf[17], *(unsigned *)(buf + 16 + 68) == st.st_ino);
	q.sport[0] ^= 0x55;
	ask("get none", fd, request(20, NLM_F_ACK, &q, sizeof q));
	/* dumps: of another port, and of all */
	r = request(20, NLM_F_DUMP, &q, sizeof q);
	CHECK("dump other port", send(fd, &r, r.h.nlmsg_len, 0));
	answers("other port", fd);
	memset(q.sport, 0, 2);
	q.states = 1 << 10;
	r = request(20, NLM_F_DUMP, &q, sizeof q);
	CHECK("dump listeners", send(fd, &r, r.h.nlmsg_len, 0));
	for (int done = 0; !done && (n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0;)
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			unsigned char *m = NLMSG_DATA(h);
			done |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type == 20 && *(unsigned *)(m + 68) == st.st_ino)
				found = 1 + (m[0] == AF_INET && m[1] == 10 && !memcmp(m + 4, &a.sin_port, 2));
		}
	NOTE("found", "%d", found);
	/* the pair */
	fstat(sv[1], &st);
	fstat(sv[0], &st2);
	u.ino = st.st_ino;
	r = request(20, 0, &u, sizeof u);
	CHECK("get unix", send(fd, &r, r.h.nlmsg_len, 0));
	n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	struct rtattr *peer = find((void *)buf, 16, 2), *queue = find((void *)buf, 16, 4);
	NOTE("unix", "type %d state %d peer %d queue %u", buf[17], buf[18], peer && *(unsigned *)RTA_DATA(peer) == st2.st_ino, queue ? *(unsigned *)RTA_DATA(queue) : 99);
	u.ino = 0;
	ask("unix none", fd, request(20, NLM_F_ACK, &u, sizeof u));
	u.ino = 0x7ffffff0;
	ask("unix missing", fd, request(20, NLM_F_ACK, &u, sizeof u));
}

static void library(void)
{
	struct ifaddrs *all, *i;
	struct if_nameindex *names = if_nameindex();
	char text[INET6_ADDRSTRLEN];

	NOTE("if_nameindex", "%u %s", names ? names[0].if_index : 0, names ? names[0].if_name : "");
	NOTE("if_nametoindex", "%u", if_nametoindex("lo"));
	NOTE("if_indextoname", "%s", if_indextoname(1, text) ? text : "none");
	CHECK("if_nametoindex none", if_nametoindex("nosuch"));
	CHECK("getifaddrs", getifaddrs(&all));
	for (i = all; i; i = i->ifa_next)
		if (!strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			NOTE("lo", "%s mask %s flags %#x", inet_ntop(AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, text, sizeof text),
			     inet_ntoa(((struct sockaddr_in *)i->ifa_netmask)->sin_addr), i->ifa_flags);
	freeifaddrs(all);
}

int main(void)
{
	int fd, one = 1;
	struct request r;
	struct ifinfomsg ifi = { .ifi_index = 9999 };

	(void)!setgroups(0, 0);
	(void)!setresgid(1000, 1000, 1000);
	(void)!setresuid(1000, 1000, 1000);
	kinds();
	names();
	options();
	fd = raw(0);
	errors(fd);
	loopback(fd);
	CHECK("cap_ack", setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one));
	ask("capped", fd, request(RTM_GETLINK, 0, &ifi, sizeof ifi));
	CHECK("ext_ack", setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one));
	ask("extended", fd, request(RTM_GETNEIGH, 0, &(struct ndmsg){ .ndm_family = AF_INET, .ndm_state = 2 }, 12));
	r = request(RTM_GETLINK, 0, &ifi, sizeof ifi);
	attr(&r, IFLA_EXT_MASK, "a", 1);
	ask("extended attribute", fd, r);
	ask("extended success", fd, request(NLMSG_NOOP, NLM_F_ACK, 0, 0));
	strict(fd);
	close(fd);
	many();
	controls();
	diag();
	library();
	return 0;
}
