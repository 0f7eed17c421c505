/* net_inet6.c - AF_INET6: TCP and UDP over the loopback, mapped addresses, who may bind what, errors. */
#include "abi.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static struct sockaddr_in6 v6(const char *text, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}
static struct sockaddr_in v4(const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}
static int bind6(int fd, const char *text, int port)
{
	struct sockaddr_in6 a = v6(text, port);
	return bind(fd, (void *)&a, sizeof a);
}
static int bind4(int fd, const char *text, int port)
{
	struct sockaddr_in a = v4(text, port);
	return bind(fd, (void *)&a, sizeof a);
}
static int connect6(int fd, const char *text, int port)
{
	struct sockaddr_in6 a = v6(text, port);
	return connect(fd, (void *)&a, sizeof a);
}
static int connect4(int fd, const char *text, int port)
{
	struct sockaddr_in a = v4(text, port);
	return connect(fd, (void *)&a, sizeof a);
}
static int port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof a;
	getsockname(fd, (void *)&a, &n);
	return ntohs(a.sin6_port);
}
static void show(const char *name, const void *addr, socklen_t len)
{
	const struct sockaddr_in6 *a = addr;
	const struct sockaddr_in *b = addr;
	char text[64] = "";
	inet_ntop(a->sin6_family, a->sin6_family == AF_INET ? (void *)&b->sin_addr : (void *)&a->sin6_addr, text, sizeof text);
	if (a->sin6_family == AF_INET)
		NOTE(name, "family %d %s length %u", a->sin6_family, text, (unsigned)len);
	else
		NOTE(name, "family %d %s length %u flow %u scope %u", a->sin6_family, text, (unsigned)len, a->sin6_flowinfo, a->sin6_scope_id);
}
static void show_name(const char *name, int fd, int peer)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t n = sizeof a;
	if (peer ? getpeername(fd, (void *)&a, &n) : getsockname(fd, (void *)&a, &n))
		NOTE(name, "%s", strerrorname_np(errno));
	else
		show(name, &a, n);
}
static int tcp6(void) { return socket(AF_INET6, SOCK_STREAM, 0); }
static int udp6(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static int udp4(void) { return socket(AF_INET, SOCK_DGRAM, 0); }
static void v6only(int fd, int on) { setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on); }
static void reuse(int fd, int opt)
{
	int one = 1;
	setsockopt(fd, SOL_SOCKET, opt, &one, sizeof one);
}

static void kinds(void)
{
	CHECK_OK("tcp", tcp6());
	CHECK_OK("udp", udp6());
	CHECK("seqpacket", socket(AF_INET6, SOCK_SEQPACKET, 0));
	CHECK("tcp with udp's protocol", socket(AF_INET6, SOCK_STREAM, IPPROTO_UDP));
	CHECK("udp with icmp's", socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP));
	CHECK("raw 0", socket(AF_INET6, SOCK_RAW, 0));
	int fds[2];
	CHECK("socketpair", socketpair(AF_INET6, SOCK_STREAM, 0, fds));
	int t = tcp6();
	show_name("fresh name", t, 0);
	show_name("fresh peer", t, 1);
	int v = -1;
	socklen_t n = sizeof v;
	CHECK("domain", getsockopt(t, SOL_SOCKET, SO_DOMAIN, &v, &n));
	NOTE("domain is", "%d", v);
	close(t);
}

static void tcp_over(const char *name, const char *bind_to, const char *connect_to, int family)
{
	char key[80], buf[64];
	int l = tcp6(), c = socket(family, SOCK_STREAM, 0);
#define KEY(what) (snprintf(key, sizeof key, "%s: %s", name, what), key)
	CHECK(KEY("bind"), bind6(l, bind_to, 0));
	CHECK(KEY("listen"), listen(l, 5));
	show_name(KEY("listener"), l, 0);
	int port = port_of(l);
	int r = CHECK(KEY("connect"), family == AF_INET6 ? connect6(c, connect_to, port) : connect4(c, connect_to, port));
	if (r == 0) {
		struct sockaddr_in6 a;
		socklen_t n = sizeof a;
		int s = accept(l, (void *)&a, &n);
		show(KEY("accepted"), &a, n);
		show_name(KEY("server's name"), s, 0);
		show_name(KEY("server's peer"), s, 1);
		show_name(KEY("client's peer"), c, 1);
		CHECK(KEY("send"), send(c, "hello six", 9, 0));
		CHECK(KEY("recv"), recv(s, buf, sizeof buf, 0));
		CHECK(KEY("back"), send(s, buf, 9, 0));
		CHECK(KEY("recv back"), recv(c, buf, sizeof buf, MSG_WAITALL * 0));
		CHECK(KEY("connect again"), family == AF_INET6 ? connect6(c, connect_to, port) : connect4(c, connect_to, port));
		int only = -1;
		n = sizeof only;
		getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &only, &n);
		NOTE(KEY("child's v6only"), "%d", only);
		CHECK(KEY("v6only after bind"), setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, 4));
		close(s);
	}
	close(c);
	close(l);
}

static void refused(void)
{
	int c = tcp6(), l = tcp6();
	bind6(l, "::1", 0);
	int port = port_of(l);
	close(l);
	CHECK("nobody listens", connect6(c, "::1", port));
	CHECK("a mapped one neither", connect6(c, "::ffff:127.0.0.1", port));
	close(c);
	c = tcp6();
	v6only(c, 1);
	CHECK("mapped with v6only", connect6(c, "::ffff:127.0.0.1", port));
	CHECK("a group", connect6(c, "ff02::1", port));
	CHECK("link-local without scope", connect6(c, "fe80::1", port));
	struct sockaddr_in6 a = v6("::1", port);
	CHECK("too short", connect(c, (void *)&a, 23));
	CHECK("of another family", connect4(c, "127.0.0.1", port));
	a.sin6_family = 77;
	CHECK("of no family", connect(c, (void *)&a, sizeof a));
	close(c);
	c = tcp6();
	CHECK("bind mapped", bind6(c, "::ffff:127.0.0.1", 0));
	show_name("bound mapped", c, 0);
	CHECK("and connect to six", connect6(c, "::1", port));
	close(c);
}

static void binds(void)
{
	int s = tcp6();
	struct sockaddr_in6 a = v6("::1", 0);
	CHECK("bind too short", bind(s, (void *)&a, 23));
	CHECK("bind shortest", bind(s, (void *)&a, 24));
	CHECK("bind twice", bind6(s, "::1", 0));
	close(s);
	s = tcp6();
	CHECK("bind not ours", bind6(s, "2001:db8::77", 0));
	CHECK("bind mapped not ours", bind6(s, "::ffff:192.0.2.77", 0));
	CHECK("bind a group", bind6(s, "ff02::1", 0));
	CHECK("bind link-local without scope", bind6(s, "fe80::1", 0));
	a = v6("fe80::77", 0);
	a.sin6_scope_id = 1;
	CHECK("bind link-local not ours", bind(s, (void *)&a, sizeof a));
	a.sin6_scope_id = 77;
	CHECK("bind link-local on no interface", bind(s, (void *)&a, sizeof a));
	CHECK("bind four to six", bind4(s, "127.0.0.1", 0));
	v6only(s, 1);
	CHECK("bind mapped with v6only", bind6(s, "::ffff:127.0.0.1", 0));
	close(s);
	s = tcp6();
	bind6(s, "::1", 0);
	int only = -1;
	socklen_t n = sizeof only;
	getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &only, &n);
	NOTE("v6only of one bound to ::1", "%d", only);
	close(s);
}

/* Every pair of addresses, with and without V6ONLY and reuse: may both have the port? */
static void conflicts(int type, const char *kind)
{
	static const struct { const char *text; int family, only; } who[] = {
		{ "0.0.0.0", 4, 0 }, { "127.0.0.1", 4, 0 }, { "::", 6, 0 }, { "::", 6, 1 }, { "::1", 6, 0 }, { "::ffff:0.0.0.0", 6, 0 }, { "::ffff:127.0.0.1", 6, 0 },
	};
	static const int opts[] = { 0, SO_REUSEADDR, SO_REUSEPORT };
	char key[120];
	for (unsigned i = 0; i < sizeof who / sizeof *who; i++)
		for (unsigned j = 0; j < sizeof who / sizeof *who; j++)
			for (unsigned o = 0; o < 3; o++)
				for (unsigned listening = 0; listening < (type == SOCK_STREAM ? 2u : 1u); listening++) {
					int a = socket(who[i].family == 4 ? AF_INET : AF_INET6, type, 0), b = socket(who[j].family == 4 ? AF_INET : AF_INET6, type, 0);
					if (opts[o]) {
						reuse(a, opts[o]);
						reuse(b, opts[o]);
					}
					v6only(a, who[i].only);
					v6only(b, who[j].only);
					if (who[i].family == 4)
						bind4(a, who[i].text, 0);
					else
						bind6(a, who[i].text, 0);
					if (listening)
						listen(a, 1);
					int port = port_of(a);
					snprintf(key, sizeof key, "%s %s%s then %s%s, option %d, listening %u", kind, who[i].text, who[i].only ? " only" : "", who[j].text,
						 who[j].only ? " only" : "", opts[o], listening);
					int r = CHECK(key, who[j].family == 4 ? bind4(b, who[j].text, port) : bind6(b, who[j].text, port));
					if (r == 0 && listening)
						CHECK("and listen", listen(b, 1));
					close(a);
					close(b);
				}
}

static void udp(void)
{
	char buf[64];
	int s = udp6(), c = udp6(), d = udp4();
	struct sockaddr_in6 a;
	socklen_t n;
	CHECK("udp bind", bind6(s, "::", 0));
	int port = port_of(s);
	a = v6("::1", port);
	CHECK("sendto ::1", sendto(c, "one", 3, 0, (void *)&a, sizeof a));
	n = sizeof a;
	CHECK("recvfrom", recvfrom(s, buf, sizeof buf, 0, (void *)&a, &n));
	show("from six", &a, n);
	a = v6("::ffff:127.0.0.1", port);
	CHECK("sendto mapped", sendto(c, "two", 3, 0, (void *)&a, sizeof a));
	n = sizeof a;
	CHECK("recvfrom", recvfrom(s, buf, sizeof buf, 0, (void *)&a, &n));
	show("from mapped", &a, n);
	struct sockaddr_in b = v4("127.0.0.1", port);
	CHECK("sendto of AF_INET on six", sendto(c, "three", 5, 0, (void *)&b, sizeof b));
	CHECK("recv", recv(s, buf, sizeof buf, 0));
	CHECK("four sends", sendto(d, "four", 4, 0, (void *)&b, sizeof b));
	n = sizeof a;
	CHECK("recvfrom", recvfrom(s, buf, sizeof buf, 0, (void *)&a, &n));
	show("from four", &a, n);
	CHECK("answer", sendto(s, "five", 4, 0, (void *)&a, n));
	CHECK("four hears", recv(d, buf, sizeof buf, 0));
	a = v6("::", port);
	CHECK("sendto any", sendto(c, "six", 3, 0, (void *)&a, sizeof a));
	CHECK("recv", recv(s, buf, sizeof buf, 0));
	a = v6("::1", 0);
	CHECK("port 0", sendto(c, "x", 1, 0, (void *)&a, sizeof a));
	a = v6("::1", port);
	CHECK("short address", sendto(c, "x", 1, 0, (void *)&a, 20));
	a.sin6_family = 9;
	CHECK("odd family", sendto(c, "x", 1, 0, (void *)&a, sizeof a));
	a.sin6_family = AF_UNSPEC;
	CHECK("unspec, not connected", sendto(c, "x", 1, 0, (void *)&a, sizeof a));
	CHECK("send, not connected", send(c, "x", 1, 0));
	CHECK("connect to link-local without scope", connect6(c, "fe80::1", port));
	CHECK("connect", connect6(c, "::1", port));
	show_name("connected name", c, 0);
	show_name("connected peer", c, 1);
	CHECK("send", send(c, "seven", 5, 0));
	CHECK("recv", recv(s, buf, sizeof buf, 0));
	close(c);
	c = udp6();
	CHECK("connect mapped", connect6(c, "::ffff:127.0.0.1", port));
	show_name("connected name", c, 0);
	show_name("connected peer", c, 1);
	CHECK("send", send(c, "eight", 5, 0));
	n = sizeof a;
	CHECK("recvfrom", recvfrom(s, buf, sizeof buf, 0, (void *)&a, &n));
	show("from", &a, n);
	CHECK("connect of AF_INET", connect4(c, "127.0.0.1", port));
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	CHECK("dissolve", connect(c, &none, sizeof none));
	show_name("dissolved name", c, 0);
	show_name("dissolved peer", c, 1);
	int only = udp6();
	v6only(only, 1);
	a = v6("::ffff:127.0.0.1", port);
	CHECK("v6only sends to mapped", sendto(only, "x", 1, 0, (void *)&a, sizeof a));
	CHECK("v6only sends to four", sendto(only, "x", 1, 0, (void *)&b, sizeof b));
	CHECK("v6only connects to mapped", connect6(only, "::ffff:127.0.0.1", port));
	CHECK("v6only connects to four", connect4(only, "127.0.0.1", port));
	close(s);
	CHECK("connect to a closed port", connect6(c, "::1", port));
	CHECK("send", send(c, "x", 1, 0));
	struct pollfd p = { .fd = c, .events = POLLIN };
	poll(&p, 1, 2000);
	NOTE("poll", "%#x", p.revents);
	CHECK("recv hears of it", recv(c, buf, sizeof buf, MSG_DONTWAIT));
	CHECK("once", recv(c, buf, sizeof buf, MSG_DONTWAIT));
	close(c);
	close(d);
	close(only);
}

int main(void)
{
	kinds();
	tcp_over("six", "::1", "::1", AF_INET6);
	tcp_over("any", "::", "::1", AF_INET6);
	tcp_over("any to any", "::", "::", AF_INET6);
	tcp_over("dual", "::", "127.0.0.1", AF_INET);
	tcp_over("mapped client", "::", "::ffff:127.0.0.1", AF_INET6);
	tcp_over("mapped server", "::ffff:127.0.0.1", "127.0.0.1", AF_INET);
	tcp_over("six to four", "::1", "127.0.0.1", AF_INET);
	refused();
	binds();
	conflicts(SOCK_STREAM, "tcp");
	conflicts(SOCK_DGRAM, "udp");
	udp();
	return 0;
}
