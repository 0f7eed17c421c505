/* net_inet6_options.c - options and control data of level IPV6 (and of IP on AF_INET6 sockets), groups, the error queue. */
#include "abi.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif
#define IPV6_MINHOP_ 73
#define IPV6_FLOWINFO_SEND_ 33

static void get(const char *name, int fd, int level, int opt)
{
	int v = -7;
	socklen_t n = sizeof v;
	int r = getsockopt(fd, level, opt, &v, &n);

	if (r)
		NOTE(name, "%s", strerrorname_np(errno));
	else
		NOTE(name, "%d (%u bytes)", v, (unsigned)n);
}
static void set(const char *name, int fd, int level, int opt, int v)
{
	CHECK(name, setsockopt(fd, level, opt, &v, sizeof v));
	get(name, fd, level, opt);
}
#define GET(fd, level, opt) get("get " #fd " " #opt, fd, level, opt)
#define SET(fd, level, opt, v) set("set " #fd " " #opt " " #v, fd, level, opt, v)

static void values(int t, int u, int x)
{
#define BOTH(opt, v) SET(t, IPPROTO_IPV6, opt, v); SET(u, IPPROTO_IPV6, opt, v)
	GET(t, IPPROTO_IPV6, IPV6_V6ONLY); BOTH(IPV6_V6ONLY, 1); BOTH(IPV6_V6ONLY, 0);
	GET(t, IPPROTO_IPV6, IPV6_UNICAST_HOPS); BOTH(IPV6_UNICAST_HOPS, 5); BOTH(IPV6_UNICAST_HOPS, 0); BOTH(IPV6_UNICAST_HOPS, 256); BOTH(IPV6_UNICAST_HOPS, -1); BOTH(IPV6_UNICAST_HOPS, -2);
	GET(u, IPPROTO_IPV6, IPV6_MULTICAST_HOPS); BOTH(IPV6_MULTICAST_HOPS, 7); BOTH(IPV6_MULTICAST_HOPS, -1); BOTH(IPV6_MULTICAST_HOPS, 300);
	GET(u, IPPROTO_IPV6, IPV6_MULTICAST_LOOP); BOTH(IPV6_MULTICAST_LOOP, 0); BOTH(IPV6_MULTICAST_LOOP, 1); BOTH(IPV6_MULTICAST_LOOP, 2);
	GET(u, IPPROTO_IPV6, IPV6_MULTICAST_IF); BOTH(IPV6_MULTICAST_IF, 1); BOTH(IPV6_MULTICAST_IF, 77); BOTH(IPV6_MULTICAST_IF, 0);
	GET(u, IPPROTO_IPV6, IPV6_MULTICAST_ALL); BOTH(IPV6_MULTICAST_ALL, 0); BOTH(IPV6_MULTICAST_ALL, 1); BOTH(IPV6_MULTICAST_ALL, 3);
	GET(t, IPPROTO_IPV6, IPV6_TCLASS); BOTH(IPV6_TCLASS, 0xb9); BOTH(IPV6_TCLASS, -1); BOTH(IPV6_TCLASS, 256);
	GET(t, IPPROTO_IPV6, IPV6_MTU_DISCOVER); BOTH(IPV6_MTU_DISCOVER, 2); BOTH(IPV6_MTU_DISCOVER, 5); BOTH(IPV6_MTU_DISCOVER, 6); BOTH(IPV6_MTU_DISCOVER, 1);
	GET(t, IPPROTO_IPV6, IPV6_MTU);
	BOTH(IPV6_RECVERR, 1); BOTH(IPV6_RECVERR, 0); BOTH(IPV6_RECVPKTINFO, 1); BOTH(IPV6_RECVPKTINFO, 0); BOTH(IPV6_RECVHOPLIMIT, 1);
	BOTH(IPV6_RECVTCLASS, 1); BOTH(IPV6_RECVPATHMTU, 1); BOTH(IPV6_DONTFRAG, 1); BOTH(IPV6_DONTFRAG, 0); BOTH(IPV6_RECVORIGDSTADDR, 1);
	BOTH(IPV6_RECVHOPOPTS, 1); BOTH(IPV6_RECVDSTOPTS, 1); BOTH(IPV6_RECVRTHDR, 1); BOTH(IPV6_RECVFRAGSIZE, 1);
	BOTH(IPV6_MINHOP_, 3); BOTH(IPV6_MINHOP_, 256); BOTH(IPV6_MINHOP_, 0); BOTH(IPV6_FREEBIND, 1); BOTH(IPV6_FREEBIND, 0);
	BOTH(IPV6_AUTOFLOWLABEL, 1); BOTH(IPV6_FLOWINFO_SEND_, 1);
	GET(t, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES); SET(t, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 2); SET(t, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, 3);
	SET(t, IPPROTO_IPV6, 12345, 1);
	CHECK("short value", setsockopt(t, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, 3));
	CHECK("one byte for hops", setsockopt(t, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(char){ 1 }, 1));
	/* IPv4's on an IPv6 socket */
	GET(t, IPPROTO_IP, IP_TOS); SET(t, IPPROTO_IP, IP_TOS, 0x10); SET(t, IPPROTO_IP, IP_TTL, 9); SET(u, IPPROTO_IP, IP_RECVTTL, 1); SET(u, IPPROTO_IP, IP_PKTINFO, 1);
	/* IPv6's on an IPv4 socket */
	SET(x, IPPROTO_IPV6, IPV6_V6ONLY, 1); SET(x, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1);
	/* IPv4's own */
	SET(x, IPPROTO_IP, IP_MULTICAST_ALL, 0); SET(x, IPPROTO_IP, IP_MULTICAST_ALL, 2); SET(x, IPPROTO_IP, IP_MULTICAST_ALL, 1); SET(x, IPPROTO_IP, IP_RECVERR, 1); SET(x, IPPROTO_IP, IP_RECVERR, 0);
	SET(x, IPPROTO_IP, IP_MINTTL, 3); SET(x, IPPROTO_IP, IP_MINTTL, 256); SET(x, IPPROTO_IP, IP_MINTTL, 0); SET(x, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	SET(x, IPPROTO_IP, IP_RECVTOS, 1); SET(x, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1); SET(x, IPPROTO_IP, IP_FREEBIND, 1);
	SET(x, IPPROTO_IP, IP_MULTICAST_TTL, 256); SET(x, IPPROTO_IP, IP_MULTICAST_TTL, 3); SET(x, IPPROTO_IP, IP_MULTICAST_LOOP, 0); SET(x, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
	CHECK("multicast if by address", setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &(struct in_addr){ htonl(INADDR_LOOPBACK) }, 4));
	CHECK("of nobody", setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &(struct in_addr){ htonl(0xc0000277) }, 4));
	struct ip_mreqn m = { .imr_ifindex = 1 };
	CHECK("by index", setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
	GET(x, IPPROTO_IP, IP_MULTICAST_IF);
	m.imr_ifindex = 77;
	CHECK("by no index", setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
	m.imr_ifindex = 0;
	CHECK("none", setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
}

static struct sockaddr_in6 v6(const char *text, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}
static int port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof a;
	getsockname(fd, (void *)&a, &n);
	return ntohs(a.sin6_port);
}

static void show_control(const char *name, struct msghdr *m)
{
	char text[64], key[100];

	NOTE(name, "flags %#x", (unsigned)m->msg_flags & ~(unsigned)MSG_CMSG_CLOEXEC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		snprintf(key, sizeof key, "%s control", name);
		size_t len = c->cmsg_len - CMSG_LEN(0);
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *p = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET6, &p->ipi6_addr, text, sizeof text);
			NOTE(key, "pktinfo6 %s if %u (%zu)", text, p->ipi6_ifindex, len);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *p = (void *)CMSG_DATA(c);
			inet_ntop(AF_INET, &p->ipi_addr, text, sizeof text);
			NOTE(key, "pktinfo %s if %d spec %#x (%zu)", text, p->ipi_ifindex, ntohl(p->ipi_spec_dst.s_addr), len);
		} else if ((c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR) || (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)) {
			struct sock_extended_err *e = (void *)CMSG_DATA(c);
			struct sockaddr_in6 *o = (void *)SO_EE_OFFENDER(e);
			struct sockaddr_in *o4 = (void *)o;
			inet_ntop(o->sin6_family, o->sin6_family == AF_INET ? (void *)&o4->sin_addr : (void *)&o->sin6_addr, text, sizeof text);
			NOTE(key, "level %d error %s origin %u type %u code %u info %u data %u offender %d %s (%zu)", c->cmsg_level, strerrorname_np(e->ee_errno), e->ee_origin, e->ee_type,
			     e->ee_code, e->ee_info, e->ee_data, o->sin6_family, text, len);
		} else {
			NOTE(key, "level %d type %d length %zu first byte %u", c->cmsg_level, c->cmsg_type, len, CMSG_DATA(c)[0]);
		}
	}
}

/* How much of a datagram an ICMP message of IPv4 quotes is the sender's choice: then without the length. */
static ssize_t receive(const char *name, int fd, int flags)
{
	static char buf[2000], control[512];
	struct sockaddr_in6 from = { 0 };
	struct iovec v = { buf, sizeof buf };
	struct msghdr m = { &from, sizeof from, &v, 1, control, sizeof control, 0 };
	ssize_t n = flags & MSG_TRUNC ? CHECK(name, recvmsg(fd, &m, flags & ~MSG_TRUNC) >= 0) : CHECK(name, recvmsg(fd, &m, flags));
	char text[64] = "";

	if (n < 0)
		return n;
	if (from.sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text);
	else if (from.sin6_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text, sizeof text);
	NOTE("from", "family %d %s (%u)", from.sin6_family, text, (unsigned)m.msg_namelen);
	show_control(name, &m);
	return n;
}

static void control_in(void)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in6 a = v6("::", 0), to;
	bind(s, (void *)&a, sizeof a);
	static const int opts[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS };
	for (int i = 0; i < 3; i++)
		setsockopt(s, IPPROTO_IPV6, opts[i], &one, sizeof one);
	setsockopt(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){ 33 }, 4);
	setsockopt(c, IPPROTO_IPV6, IPV6_TCLASS, &(int){ 0x20 }, 4);
	to = v6("::1", port_of(s));
	CHECK("send", sendto(c, "abc", 3, 0, (void *)&to, sizeof to));
	receive("six with all", s, 0);
	to = v6("::ffff:127.0.0.1", port_of(s));
	setsockopt(c, IPPROTO_IP, IP_TTL, &(int){ 44 }, 4);
	setsockopt(c, IPPROTO_IP, IP_TOS, &(int){ 0x10 }, 4);
	CHECK("send mapped", sendto(c, "abc", 3, 0, (void *)&to, sizeof to));
	receive("mapped with IPv6's", s, 0);
	setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
	setsockopt(s, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
	setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	CHECK("send mapped", sendto(c, "abc", 3, 0, (void *)&to, sizeof to));
	receive("mapped with both", s, 0);
	int x = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(x, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
	setsockopt(x, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
	setsockopt(x, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
	setsockopt(x, IPPROTO_IP, IP_RECVORIGDSTADDR, &one, sizeof one);
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bind(x, (void *)&b, sizeof b);
	to = v6("::ffff:127.0.0.1", port_of(x));
	CHECK("send to four", sendto(c, "abc", 3, 0, (void *)&to, sizeof to));
	receive("four with all", x, 0);
	close(s);
	close(c);
	close(x);
}

static ssize_t send_control(int fd, struct sockaddr_in6 *to, int level, int type, const void *data, size_t len)
{
	char control[128] = { 0 };
	struct iovec v = { "xyz", 3 };
	struct msghdr m = { to, sizeof *to, &v, 1, control, CMSG_SPACE(len), 0 };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	return sendmsg(fd, &m, 0);
}

/* Time stamps: the option says of which kind. */
static void stamps(void)
{
	static const int opts[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW };
	int s = socket(AF_INET6, SOCK_DGRAM, 0), v;
	struct sockaddr_in6 a = v6("::1", 0);
	socklen_t n;
	struct timespec t;

	bind(s, (void *)&a, sizeof a);
	a = v6("::1", port_of(s));
	for (int i = 0; i < 4; i++) {
		CHECK("stamps on", setsockopt(s, SOL_SOCKET, opts[i], &(int){ 1 }, 4));
		for (int k = 0; k < 4; k++) {
			n = sizeof v;
			getsockopt(s, SOL_SOCKET, opts[k], &v, &n);
			NOTE("is on", "%d", v);
		}
		sendto(s, "x", 1, 0, (void *)&a, sizeof a);
		char b[4], control[100];
		struct iovec io = { b, 4 };
		struct msghdr m = { NULL, 0, &io, 1, control, sizeof control, 0 };
		CHECK("recvmsg", recvmsg(s, &m, 0));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		if (!c)
			continue;
		long w[2];
		memcpy(w, CMSG_DATA(c), sizeof w);
		clock_gettime(CLOCK_REALTIME, &t);
		NOTE("stamp", "type %d length %zu, %s", c->cmsg_type, c->cmsg_len - CMSG_LEN(0), w[0] >= t.tv_sec - 2 && w[0] <= t.tv_sec && w[1] >= 0 && w[1] < 1000000000 ? "now" : "another time");
		CHECK("stamps off", setsockopt(s, SOL_SOCKET, opts[i], &(int){ 0 }, 4));
	}
	close(s);
}

static void control_out(void)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in6 a = v6("::", 0), to;
	bind(s, (void *)&a, sizeof a);
	setsockopt(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof one);
	setsockopt(s, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one);
	to = v6("::1", port_of(s));
	CHECK("hop limit", send_control(c, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, &(int){ 12 }, 4));
	receive("with it", s, 0);
	CHECK("hop limit -1", send_control(c, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, &(int){ -1 }, 4));
	CHECK("hop limit 256", send_control(c, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, &(int){ 256 }, 4));
	CHECK("hop limit short", send_control(c, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, &(int){ 1 }, 2));
	receive("with the default", s, 0);
	CHECK("class", send_control(c, &to, IPPROTO_IPV6, IPV6_TCLASS, &(int){ 0x48 }, 4));
	receive("with it", s, 0);
	CHECK("class 256", send_control(c, &to, IPPROTO_IPV6, IPV6_TCLASS, &(int){ 256 }, 4));
	struct in6_pktinfo p = { .ipi6_addr = IN6ADDR_LOOPBACK_INIT };
	CHECK("source ::1", send_control(c, &to, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof p));
	receive("from ::1", s, 0);
	p.ipi6_ifindex = 1;
	CHECK("source ::1 by lo", send_control(c, &to, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof p));
	receive("from ::1 by lo", s, 0);
	p.ipi6_ifindex = 77;
	CHECK("by no interface", send_control(c, &to, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof p));
	p.ipi6_ifindex = 0;
	inet_pton(AF_INET6, "2001:db8::5", &p.ipi6_addr);
	CHECK("source not ours", send_control(c, &to, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof p));
	CHECK("pktinfo short", send_control(c, &to, IPPROTO_IPV6, IPV6_PKTINFO, &p, 12));
	CHECK("unknown", send_control(c, &to, IPPROTO_IPV6, 99, &p, 4));
	CHECK("do not cut", send_control(c, &to, IPPROTO_IPV6, IPV6_DONTFRAG, &one, 4));
	receive("whole", s, 0);
	close(s);
	close(c);
}

static int join(int fd, const char *group, int ifindex, int opt)
{
	struct ipv6_mreq m = { .ipv6mr_interface = (unsigned)ifindex };
	inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr);
	return setsockopt(fd, IPPROTO_IPV6, opt, &m, sizeof m);
}

static int group_call(int fd, int level, int opt, const char *group, const char *source, unsigned ifindex)
{
	struct group_source_req q = { .gsr_interface = ifindex };
	int family = level == IPPROTO_IPV6 ? AF_INET6 : AF_INET;
	q.gsr_group.ss_family = q.gsr_source.ss_family = (sa_family_t)family;
	inet_pton(family, group, (char *)&q.gsr_group + (family == AF_INET6 ? 8 : 4));
	if (source)
		inet_pton(family, source, (char *)&q.gsr_source + (family == AF_INET6 ? 8 : 4));
	return setsockopt(fd, level, opt, &q, source ? sizeof q : sizeof(struct group_req));
}

static void groups(void)
{
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
	struct sockaddr_in6 a = v6("::", 0), to;
	bind(s, (void *)&a, sizeof a);
	setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
	CHECK("no group", join(s, "::1", 1, IPV6_JOIN_GROUP));
	CHECK("no interface", join(s, "ff02::77", 77, IPV6_JOIN_GROUP));
	CHECK("join", join(s, "ff02::77", 1, IPV6_JOIN_GROUP));
	CHECK("join again", join(s, "ff02::77", 1, IPV6_JOIN_GROUP));
	CHECK("on a stream", join(t, "ff02::77", 1, IPV6_JOIN_GROUP));
	CHECK("short", setsockopt(s, IPPROTO_IPV6, IPV6_JOIN_GROUP, &a, 16));
	to = v6("ff02::77", port_of(s));
	to.sin6_scope_id = 1;
	CHECK("send to it", sendto(c, "group", 5, 0, (void *)&to, sizeof to));
	receive("a member hears", s, MSG_DONTWAIT);
	CHECK("leave", join(s, "ff02::77", 1, IPV6_LEAVE_GROUP));
	CHECK("leave again", join(s, "ff02::77", 1, IPV6_LEAVE_GROUP));
	CHECK("send to it", sendto(c, "group", 5, 0, (void *)&to, sizeof to));
	CHECK("nobody hears", recv(s, &a, sizeof a, MSG_DONTWAIT));
	CHECK("MCAST join", group_call(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, "ff02::78", NULL, 1));
	CHECK("MCAST join again", group_call(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, "ff02::78", NULL, 1));
	CHECK("MCAST short", setsockopt(s, IPPROTO_IPV6, MCAST_JOIN_GROUP, &a, 20));
	CHECK("MCAST of four", group_call(s, IPPROTO_IP, MCAST_JOIN_GROUP, "224.0.0.78", NULL, 1));
	CHECK("block", group_call(s, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, "ff02::78", "::1", 1));
	CHECK("block again", group_call(s, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, "ff02::78", "::1", 1));
	to = v6("ff02::78", port_of(s));
	to.sin6_scope_id = 1;
	CHECK("send to it", sendto(c, "group", 5, 0, (void *)&to, sizeof to));
	CHECK("blocked", recv(s, &a, sizeof a, MSG_DONTWAIT));
	CHECK("unblock", group_call(s, IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, "ff02::78", "::1", 1));
	CHECK("unblock again", group_call(s, IPPROTO_IPV6, MCAST_UNBLOCK_SOURCE, "ff02::78", "::1", 1));
	CHECK("send to it", sendto(c, "group", 5, 0, (void *)&to, sizeof to));
	CHECK("heard", recv(s, &a, sizeof a, MSG_DONTWAIT));
	CHECK("join a source of a group joined whole", group_call(s, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, "ff02::78", "::1", 1));
	CHECK("leave", group_call(s, IPPROTO_IPV6, MCAST_LEAVE_GROUP, "ff02::78", NULL, 1));
	CHECK("join a source", group_call(s, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, "ff02::78", "::1", 1));
	CHECK("send to it", sendto(c, "group", 5, 0, (void *)&to, sizeof to));
	CHECK("heard", recv(s, &a, sizeof a, MSG_DONTWAIT));
	CHECK("leave the source", group_call(s, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, "ff02::78", "::1", 1));
	CHECK("leave the source again", group_call(s, IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, "ff02::78", "::1", 1));
	CHECK("block without membership", group_call(s, IPPROTO_IPV6, MCAST_BLOCK_SOURCE, "ff02::79", "::1", 1));
	close(s);
	close(c);
	close(t);
	/* IPv4's */
	s = socket(AF_INET, SOCK_DGRAM, 0);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in b = { .sin_family = AF_INET };
	bind(s, (void *)&b, sizeof b);
	struct ip_mreq_source q = { .imr_multiaddr.s_addr = htonl(0xe0000177), .imr_interface.s_addr = htonl(INADDR_LOOPBACK), .imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ip_mreq m = { q.imr_multiaddr, q.imr_interface };
	CHECK("four: join a source", setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &q, sizeof q));
	CHECK("four: again", setsockopt(s, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &q, sizeof q));
	CHECK("four: join whole", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	CHECK("four: leave the source", setsockopt(s, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &q, sizeof q));
	CHECK("four: join whole", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	CHECK("four: again", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	CHECK("four: block", setsockopt(s, IPPROTO_IP, IP_BLOCK_SOURCE, &q, sizeof q));
	CHECK("four: unblock", setsockopt(s, IPPROTO_IP, IP_UNBLOCK_SOURCE, &q, sizeof q));
	setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &q.imr_interface, 4);
	b.sin_port = htons(port_of(s));
	b.sin_addr = q.imr_multiaddr;
	CHECK("four: send", sendto(c, "group", 5, 0, (void *)&b, sizeof b));
	CHECK("four: heard", recv(s, &a, sizeof a, MSG_DONTWAIT));
	CHECK("four: leave", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
	CHECK("four: leave again", setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
	m.imr_interface.s_addr = htonl(0xc0000277);
	CHECK("four: by an address of nobody", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	m.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK("four: no group", setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
	int n = 0;
	m.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
	for (m.imr_multiaddr.s_addr = htonl(0xe0000200); n < 100 && setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) == 0; n++)
		m.imr_multiaddr.s_addr = htonl(ntohl(m.imr_multiaddr.s_addr) + 1);
	NOTE("four: at most", "%d, then %s", n, strerrorname_np(errno));
	close(s);
	close(c);
}

static void error_queue(const char *text, int level, int opt, int connected)
{
	int closed = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), one = 1, e = -1;
	struct sockaddr_in6 a = v6("::", 0);
	socklen_t n = sizeof e;
	char key[80];
	snprintf(key, sizeof key, "%s %s", text, connected ? "connected" : "loose");
	bind(closed, (void *)&a, sizeof a);
	a = v6(text, port_of(closed));
	close(closed);
	CHECK(key, setsockopt(c, level, opt, &one, sizeof one));
	receive("nothing yet", c, MSG_ERRQUEUE);
	if (connected)
		connect(c, (void *)&a, sizeof a);
	CHECK("send", sendto(c, "lost datagram", 13, 0, (void *)&a, sizeof a));
	struct pollfd p = { .fd = c, .events = POLLIN };
	poll(&p, 1, 2000);
	NOTE("poll", "%#x", p.revents);
	receive("error", c, MSG_ERRQUEUE | (level == IPPROTO_IP ? MSG_TRUNC : 0));
	receive("only one", c, MSG_ERRQUEUE);
	poll(&p, 1, 0);
	NOTE("poll after", "%#x", p.revents);
	getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &n);
	NOTE("SO_ERROR", "%d", e);
	CHECK("send again", sendto(c, "two", 3, 0, (void *)&a, sizeof a));
	poll(&p, 1, 2000);
	CHECK("recv says it", recv(c, &a, sizeof a, MSG_DONTWAIT));
	CHECK("turn it off", setsockopt(c, level, opt, &(int){ 0 }, sizeof one));
	receive("and the queue is empty", c, MSG_ERRQUEUE);
	close(c);
}

static void mtu(void)
{
	int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = v6("::1", 0);
	bind(l, (void *)&a, sizeof a);
	listen(l, 1);
	a = v6("::1", port_of(l));
	connect(c, (void *)&a, sizeof a);
	GET(c, IPPROTO_IPV6, IPV6_MTU);
	GET(l, IPPROTO_IPV6, IPV6_MTU);
	SET(c, IPPROTO_IPV6, IPV6_TCLASS, 0x40);
	SET(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 3);
	close(c);
	close(l);
}

int main(void)
{
	values(socket(AF_INET6, SOCK_STREAM, 0), socket(AF_INET6, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0));
	control_in();
	stamps();
	control_out();
	groups();
	error_queue("::1", IPPROTO_IPV6, IPV6_RECVERR, 0);
	error_queue("::1", IPPROTO_IPV6, IPV6_RECVERR, 1);
	error_queue("::ffff:127.0.0.1", IPPROTO_IP, IP_RECVERR, 1);
	mtu();
	return 0;
}
