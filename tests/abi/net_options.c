/* net_options.c - socket options: values, lengths, errors; kinds of sockets that exist. */
#include "abi.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define SOL_UDP_ 17

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

static void generic(int t, int u, int x)
{
	GET(t, SOL_SOCKET, SO_TYPE); GET(u, SOL_SOCKET, SO_TYPE); GET(x, SOL_SOCKET, SO_TYPE);
	GET(t, SOL_SOCKET, SO_DOMAIN); GET(x, SOL_SOCKET, SO_DOMAIN);
	GET(t, SOL_SOCKET, SO_PROTOCOL); GET(u, SOL_SOCKET, SO_PROTOCOL); GET(x, SOL_SOCKET, SO_PROTOCOL);
	GET(t, SOL_SOCKET, SO_ERROR); GET(t, SOL_SOCKET, SO_ACCEPTCONN); GET(t, SOL_SOCKET, SO_RCVLOWAT); GET(t, SOL_SOCKET, SO_SNDLOWAT);
	GET(t, SOL_SOCKET, SO_SNDBUF); GET(t, SOL_SOCKET, SO_RCVBUF);
	SET(t, SOL_SOCKET, SO_REUSEADDR, 1); SET(t, SOL_SOCKET, SO_REUSEADDR, 0); SET(t, SOL_SOCKET, SO_REUSEPORT, 5);
	SET(t, SOL_SOCKET, SO_KEEPALIVE, 1); SET(t, SOL_SOCKET, SO_BROADCAST, 1); SET(t, SOL_SOCKET, SO_OOBINLINE, 1);
	SET(t, SOL_SOCKET, SO_RCVBUF, 10000); SET(t, SOL_SOCKET, SO_RCVBUF, 0); SET(t, SOL_SOCKET, SO_SNDBUF, 100000); SET(t, SOL_SOCKET, SO_SNDBUF, 1);
	SET(t, SOL_SOCKET, SO_PRIORITY, 6); SET(t, SOL_SOCKET, SO_RCVLOWAT, 100); SET(t, SOL_SOCKET, SO_RCVLOWAT, 0);
	SET(t, SOL_SOCKET, SO_TIMESTAMP, 1);
	CHECK("SO_TYPE cannot be set", setsockopt(t, SOL_SOCKET, SO_TYPE, &(int){ 1 }, 4));
	CHECK("SO_ERROR cannot be set", setsockopt(t, SOL_SOCKET, SO_ERROR, &(int){ 1 }, 4));
	CHECK("unknown", setsockopt(t, SOL_SOCKET, 999, &(int){ 1 }, 4));
	GET(t, SOL_SOCKET, 999);
	CHECK("short value", setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 3));
	CHECK("bad address", setsockopt(t, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
	CHECK("bad fd", setsockopt(99, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 4));
	CHECK("no socket", setsockopt(0, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, 4));
	CHECK("unknown level", setsockopt(t, 77, 1, &(int){ 1 }, 4));
	GET(t, 77, 1);
	/* lengths */
	char b[64];
	for (socklen_t n = 0; n < 8; n += 3) {
		socklen_t k = n;
		CHECK("SO_TYPE into n bytes", getsockopt(t, SOL_SOCKET, SO_TYPE, b, &k));
		NOTE("gives", "%u", (unsigned)k);
	}
	CHECK("negative length", getsockopt(t, SOL_SOCKET, SO_TYPE, b, &(socklen_t){ (socklen_t)-1 }));
	CHECK("bad length pointer", getsockopt(t, SOL_SOCKET, SO_TYPE, b, (void *)8));
}

static void structures(int t, int x)
{
	struct linger l = { 1, 7 };
	struct timeval tv = { 1, 500000 };
	socklen_t n = sizeof l;

	CHECK("SO_LINGER", setsockopt(t, SOL_SOCKET, SO_LINGER, &l, sizeof l));
	l = (struct linger){ 9, 9 };
	CHECK("get SO_LINGER", getsockopt(t, SOL_SOCKET, SO_LINGER, &l, &n));
	NOTE("linger", "%d %d %u", l.l_onoff, l.l_linger, (unsigned)n);
	CHECK("SO_LINGER short", setsockopt(t, SOL_SOCKET, SO_LINGER, &l, 4));
	CHECK("SO_RCVTIMEO", setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	memset(&tv, 0, sizeof tv);
	n = sizeof tv;
	CHECK("get SO_RCVTIMEO", getsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, &n));
	NOTE("timeout", "%ld %ld %u", (long)tv.tv_sec, (long)tv.tv_usec, (unsigned)n);
	tv.tv_usec = 1000000;
	CHECK("SO_RCVTIMEO bad", setsockopt(t, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
	CHECK("SO_SNDTIMEO short", setsockopt(t, SOL_SOCKET, SO_SNDTIMEO, &tv, 8));
	struct ucred c = { 1, 1, 1 };
	n = sizeof c;
	CHECK("SO_PEERCRED of nobody", getsockopt(x, SOL_SOCKET, SO_PEERCRED, &c, &n));
	NOTE("is", "%d %d %d", (int)c.pid, (int)c.uid, (int)c.gid);
	uint64_t cookie = 0;
	n = sizeof cookie;
	CHECK("SO_COOKIE", getsockopt(t, SOL_SOCKET, SO_COOKIE, &cookie, &n));
	NOTE("cookie", "%d", cookie != 0);
	char dev[16] = "x";
	n = sizeof dev;
	CHECK("SO_BINDTODEVICE", getsockopt(t, SOL_SOCKET, SO_BINDTODEVICE, dev, &n));
	NOTE("device", "%u", (unsigned)n);
}

static void tcp_level(int t, int u)
{
	GET(t, SOL_TCP, TCP_NODELAY); SET(t, SOL_TCP, TCP_NODELAY, 1); SET(t, SOL_TCP, TCP_NODELAY, 0);
	SET(t, SOL_TCP, TCP_CORK, 1); SET(t, SOL_TCP, TCP_CORK, 0);
	GET(t, SOL_TCP, TCP_KEEPIDLE); GET(t, SOL_TCP, TCP_KEEPINTVL); GET(t, SOL_TCP, TCP_KEEPCNT);
	SET(t, SOL_TCP, TCP_KEEPIDLE, 30); SET(t, SOL_TCP, TCP_KEEPINTVL, 3); SET(t, SOL_TCP, TCP_KEEPCNT, 2);
	SET(t, SOL_TCP, TCP_KEEPIDLE, 0); SET(t, SOL_TCP, TCP_KEEPIDLE, 40000); SET(t, SOL_TCP, TCP_KEEPCNT, 200);
	GET(t, SOL_TCP, TCP_MAXSEG); GET(t, SOL_TCP, TCP_DEFER_ACCEPT); SET(t, SOL_TCP, TCP_USER_TIMEOUT, 4000); SET(t, SOL_TCP, TCP_USER_TIMEOUT, -1);
	GET(t, SOL_TCP, TCP_QUICKACK); SET(t, SOL_TCP, TCP_FASTOPEN, 16);
	SET(t, SOL_TCP, TCP_SYNCNT, 3); GET(t, SOL_TCP, 999);
	CHECK("unknown tcp", setsockopt(t, SOL_TCP, 999, &(int){ 1 }, 4));
	CHECK("tcp on udp", setsockopt(u, SOL_TCP, TCP_NODELAY, &(int){ 1 }, 4));
	GET(u, SOL_TCP, TCP_NODELAY);
	CHECK("short nodelay", setsockopt(t, SOL_TCP, TCP_NODELAY, &(int){ 1 }, 2));
	CHECK("no such congestion control", setsockopt(t, SOL_TCP, TCP_CONGESTION, "nonesuch", 8));
	char b[256];
	socklen_t n = 16;
	CHECK("congestion control", getsockopt(t, SOL_TCP, TCP_CONGESTION, b, &n));
	NOTE("name length", "%u", (unsigned)n);
	n = sizeof b;
	CHECK("TCP_INFO", getsockopt(t, SOL_TCP, TCP_INFO, b, &n));
	NOTE("state", "%d", b[0]);
}

static void ip_level(int t, int u)
{
	GET(t, SOL_IP, IP_TTL); SET(t, SOL_IP, IP_TTL, 9); SET(t, SOL_IP, IP_TTL, 0); SET(t, SOL_IP, IP_TTL, 256); SET(t, SOL_IP, IP_TTL, -1);
	SET(t, SOL_IP, IP_TOS, 0x10); SET(u, SOL_IP, IP_TOS, 0xb8);
	SET(u, SOL_IP, IP_PKTINFO, 1); SET(u, SOL_IP, IP_RECVERR, 1); SET(u, SOL_IP, IP_RECVTTL, 1); SET(u, SOL_IP, IP_RECVTOS, 1); SET(u, SOL_IP, IP_FREEBIND, 1);
	SET(u, SOL_IP, IP_MTU_DISCOVER, 2); SET(u, SOL_IP, IP_MTU_DISCOVER, 9); SET(u, SOL_IP, IP_MULTICAST_TTL, 4); SET(u, SOL_IP, IP_MULTICAST_LOOP, 0);
	SET(t, SOL_IP, IP_MULTICAST_TTL, 4);
	GET(t, SOL_IP, IP_MTU);
	CHECK("unknown ip", setsockopt(t, SOL_IP, 999, &(int){ 1 }, 4));
	CHECK("one byte tos", setsockopt(t, SOL_IP, IP_TOS, "\x08", 1));
	GET(t, SOL_IP, IP_TOS);
	CHECK("ipv6 on ipv4", setsockopt(t, IPPROTO_IPV6, 26, &(int){ 1 }, 4));
	GET(t, IPPROTO_IPV6, 26);
}

int main(void)
{
	int t = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0), x = socket(AF_UNIX, SOCK_STREAM, 0);
	int sv[2];

	CHECK("stream with udp's protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	CHECK("datagrams with tcp's", socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	CHECK("seqpacket", socket(AF_INET, SOCK_SEQPACKET, 0));
	CHECK("no type", socket(AF_INET, 0, 0));
	CHECK("bad type", socket(AF_INET, 12, 0));
	CHECK("bad flags", socket(AF_INET, SOCK_STREAM | 0x100000, 0));
	CHECK("bad family", socket(46, SOCK_STREAM, 0));
	CHECK("odd family", socket(-1, SOCK_STREAM, 0));
	CHECK("inet pair", socketpair(AF_INET, SOCK_STREAM, 0, sv));
	CHECK("unix bad protocol", socket(AF_UNIX, SOCK_STREAM, 5));
	generic(t, u, x);
	structures(t, x);
	tcp_level(t, u);
	ip_level(t, u);
	return 0;
}
