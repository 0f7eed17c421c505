/* net_tcp.c - TCP on the loopback: connecting, data, half close, resets, readiness, errors. */
#include "abi.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

static struct sockaddr_in lo(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return a;
}
static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	return getsockname(fd, (void *)&a, &n) ? -1 : ntohs(a.sin_port);
}
static int tcp(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int listener(int backlog)
{
	int l = tcp();
	struct sockaddr_in a = lo(0);
	if (bind(l, (void *)&a, sizeof a) || listen(l, backlog))
		return -1;
	return l;
}
static void pair(int *c, int *s)
{
	int l = listener(8);
	struct sockaddr_in a = lo(port_of(l));
	*c = tcp();
	connect(*c, (void *)&a, sizeof a);
	*s = accept(l, NULL, NULL);
	close(l);
}
static int ready(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0 };
	poll(&p, 1, 0);
	return p.revents;
}
static void settle(void) { usleep(20000); }

static void fresh(void)
{
	int s = tcp();
	char b[4];
	struct sockaddr_in a = lo(1);
	socklen_t n = sizeof a;

	NOTE("fresh poll", "%#x", ready(s));
	CHECK("fresh send", send(s, "x", 1, MSG_NOSIGNAL));
	CHECK("fresh recv", recv(s, b, 1, 0));
	CHECK("fresh recv dontwait", recv(s, b, 1, MSG_DONTWAIT));
	CHECK("fresh shutdown", shutdown(s, SHUT_RDWR));
	CHECK("fresh accept", accept(s, NULL, NULL));
	CHECK("fresh getpeername", getpeername(s, (void *)&a, &n));
	CHECK("bad shutdown", shutdown(s, 7));
	n = sizeof a;
	CHECK("fresh getsockname", getsockname(s, (void *)&a, &n));
	NOTE("fresh name", "%d %d %u %d", (int)n, a.sin_family, a.sin_addr.s_addr, a.sin_port);
	CHECK("connect refused", connect(s, (void *)&(struct sockaddr_in){ AF_INET, htons(1), { htonl(INADDR_LOOPBACK) }, { 0 } }, sizeof a));
	CHECK("connect short", connect(s, (void *)&a, 3));
	a.sin_family = AF_INET6;
	CHECK("connect wrong family", connect(s, (void *)&a, sizeof a));
	a.sin_family = AF_UNSPEC;
	CHECK("connect unspec", connect(s, (void *)&a, sizeof a));
	CHECK("bad fd", connect(999, (void *)&a, sizeof a));
	CHECK("not a socket", listen(1, 1));
	CHECK("bad address", bind(s, (void *)8, sizeof a));
	close(s);
}

static void binds(void)
{
	int a = tcp(), b = tcp(), one = 1;
	struct sockaddr_in any = { .sin_family = AF_INET }, l, o = lo(0);

	o.sin_addr.s_addr = htonl(0x01020304);
	CHECK("bind other's address", bind(a, (void *)&o, sizeof o));
	CHECK("bind short", bind(a, (void *)&any, 4));
	CHECK("bind any", bind(a, (void *)&any, sizeof any));
	CHECK("bind twice", bind(a, (void *)&any, sizeof any));
	l = lo(port_of(a));
	CHECK("bind same port", bind(b, (void *)&l, sizeof l));
	setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind same port, one reuses", bind(b, (void *)&l, sizeof l));
	setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind same port, both reuse", bind(b, (void *)&l, sizeof l));
	CHECK("first listens", listen(a, 1));
	CHECK("listen again", listen(a, 5));
	CHECK("second listens", listen(b, 1));
	close(b);
	b = tcp();
	setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK("bind beside listener", bind(b, (void *)&l, sizeof l));
	close(a);
	CHECK("bind after close", bind(b, (void *)&l, sizeof l));
	close(b);
	/* the automatic port */
	a = tcp();
	CHECK("listen unbound", listen(a, 1));
	NOTE("it has a port", "%d", port_of(a) > 0);
	CHECK("connect on listener", connect(a, (void *)&l, sizeof l));
	close(a);
}

/* A small SO_SNDBUF bounds what is taken, and sending goes on when the peer has read. */
static void small_buffer(void)
{
	static char b[1 << 20];
	int c, s, size = 16384;
	long n, all = 0;

	pair(&c, &s);
	CHECK("SO_SNDBUF", setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
	n = send(c, b, 5000, MSG_DONTWAIT);
	NOTE("small send", "%ld", n);
	settle();
	NOTE("small recv", "%ld", (long)recv(s, b, sizeof b, MSG_DONTWAIT));
	for (int i = 0; i < 200 && all < 200000; i++) {
		n = send(c, b, 20000, MSG_DONTWAIT);
		if (n < 0)
			settle();
		while ((n = recv(s, b, sizeof b, MSG_DONTWAIT)) > 0)
			all += n;
	}
	NOTE("all through", "%d", all >= 200000);
	close(c);
	close(s);
}

static void data(void)
{
	int c, s, n = 0;
	char b[64];
	struct sockaddr_in x;
	socklen_t len = sizeof x;

	pair(&c, &s);
	NOTE("open poll", "%#x", ready(c));
	CHECK("send", send(c, "hello", 5, 0));
	settle();
	NOTE("readable poll", "%#x", ready(s));
	CHECK("SIOCOUTQ", ioctl(s, TIOCOUTQ, &n));
	NOTE("SIOCOUTQ says", "%d", n);
	CHECK("FIONREAD", ioctl(s, FIONREAD, &n));
	NOTE("FIONREAD says", "%d", n);
	CHECK("peek", recv(s, b, sizeof b, MSG_PEEK));
	CHECK("recv 2", recv(s, b, 2, 0));
	CHECK("recv from", recvfrom(s, b, sizeof b, 0, (void *)&x, &len));
	NOTE("stream gives no address", "%d", (int)len);
	CHECK("recv empty", recv(s, b, 1, MSG_DONTWAIT));
	CHECK("recv 0", recv(s, b, 0, MSG_DONTWAIT));
	CHECK("send 0", send(c, b, 0, 0));
	CHECK("send oob flag errqueue", recv(s, b, 1, MSG_ERRQUEUE | MSG_DONTWAIT));
	CHECK("writev", writev(c, (struct iovec[]){ { "ab", 2 }, { "cd", 2 }, { "", 0 }, { "e", 1 } }, 4));
	CHECK("recv waitall", recv(s, b, 5, MSG_WAITALL));
	NOTE("data", "%.5s", b);
	CHECK("send 10", send(c, "0123456789", 10, 0));
	settle();
	CHECK("recv trunc", recv(s, NULL, 4, MSG_TRUNC));
	CHECK("readv", readv(s, (struct iovec[]){ { b, 3 }, { b + 3, 10 } }, 2));
	NOTE("data", "%.6s", b);
	CHECK("sendto with address", sendto(c, "x", 1, 0, (void *)&x, sizeof x));
	CHECK("bad buffer", send(c, (void *)8, 10, 0));
	CHECK("recv the x", recv(s, b, 1, 0));
	CHECK("send to recv into bad buffer", send(c, "y", 1, 0));
	settle();
	CHECK("recv bad buffer", recv(s, (void *)8, 1, 0));
	CHECK("it is still there", recv(s, b, 1, 0));
	CHECK("connect again", connect(c, (void *)&(struct sockaddr_in){ AF_INET, htons(9), { htonl(INADDR_LOOPBACK) }, { 0 } }, sizeof x));
	CHECK("listen on connected", listen(c, 1));
	CHECK("accept on connected", accept(c, NULL, NULL));
	close(c);
	close(s);
}

static void ends(void)
{
	int c, s, v;
	char b[8];
	socklen_t n = sizeof v;
	struct linger lg = { 1, 0 };

	pair(&c, &s);
	CHECK("shutdown wr", shutdown(c, SHUT_WR));
	CHECK("send after shutdown", send(c, "x", 1, MSG_NOSIGNAL));
	settle();
	NOTE("peer half closed poll", "%#x", ready(s));
	CHECK("recv eof", recv(s, b, 1, 0));
	CHECK("still sends", send(s, "bye", 3, 0));
	settle();
	NOTE("half closed with data poll", "%#x", ready(c));
	CHECK("recv bye", recv(c, b, 8, 0));
	CHECK("other shutdown", shutdown(s, SHUT_WR));
	settle();
	NOTE("both closed poll", "%#x %#x", ready(c), ready(s));
	CHECK("recv after all", recv(c, b, 1, 0));
	CHECK("getpeername after all", getpeername(c, (void *)b, &(socklen_t){ 0 }));
	close(c);
	close(s);

	pair(&c, &s);
	send(c, "unread", 6, 0);
	settle();
	close(s);
	settle();
	NOTE("reset poll", "%#x", ready(c));
	CHECK("reset recv", recv(c, b, 1, 0));
	CHECK("reset recv again", recv(c, b, 1, 0));
	CHECK("reset send", send(c, "x", 1, MSG_NOSIGNAL));
	close(c);

	pair(&c, &s);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof lg);
	close(s);
	settle();
	CHECK("SO_ERROR", getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n));
	NOTE("is", "%s", strerrorname_np(v));
	CHECK("SO_ERROR again", getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n));
	NOTE("is", "%d", v);
	close(c);

	pair(&c, &s);
	close(s);
	settle();
	CHECK("send to closed peer", send(c, "x", 1, MSG_NOSIGNAL));
	settle();
	CHECK("then", send(c, "x", 1, MSG_NOSIGNAL));
	CHECK("and recv", recv(c, b, 1, 0));
	close(c);

	pair(&c, &s);
	CHECK("shutdown rd", shutdown(s, SHUT_RD));
	CHECK("recv after shut rd", recv(s, b, 1, 0));
	NOTE("poll after shut rd", "%#x", ready(s));
	close(c);
	close(s);
}

static void nonblocking(void)
{
	int l = listener(8), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), s, e = epoll_create1(0), v;
	struct sockaddr_in a = lo(port_of(l));
	socklen_t n = sizeof v;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = 5 };
	static char big[4 << 20];

	fcntl(l, F_SETFL, O_NONBLOCK);
	CHECK("accept nothing", accept(l, NULL, NULL));
	CHECK("connect", connect(c, (void *)&a, sizeof a));
	settle();
	NOTE("listener poll", "%#x", ready(l));
	NOTE("connected poll", "%#x", ready(c));
	CHECK("SO_ERROR", getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n));
	CHECK("connect now", connect(c, (void *)&a, sizeof a));
	CHECK("connect then", connect(c, (void *)&a, sizeof a));
	s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	NOTE("accepted flags", "%#x", fcntl(s, F_GETFL) & O_NONBLOCK);
	CHECK("epoll add", epoll_ctl(e, EPOLL_CTL_ADD, c, &ev));
	CHECK("epoll", epoll_wait(e, &ev, 1, 0));
	NOTE("events", "%#x", ev.events);
	CHECK("edge is gone", epoll_wait(e, &ev, 1, 0));
	send(s, "x", 1, 0);
	CHECK("epoll after data", epoll_wait(e, &ev, 1, 1000));
	NOTE("events", "%#x", ev.events & EPOLLIN);
	long total = 0, k;
	while ((k = send(c, big, sizeof big, 0)) > 0)
		total += k;
	NOTE("filled", "%d", total > 10000);
	CHECK("full", send(c, big, 1, 0));
	NOTE("full poll", "%#x", ready(c) & POLLOUT);
	while (total > 0) {
		k = recv(s, big, sizeof big, 0);
		if (k > 0)
			total -= k;
		else
			usleep(1000);
	}
	NOTE("all came", "%ld", total);
	settle();
	NOTE("writable again", "%#x", ready(c) & POLLOUT);
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	a = lo(1);
	k = connect(c, (void *)&a, sizeof a);
	settle();
	NOTE("refused poll", "%#x", ready(c) & (POLLERR | POLLHUP | POLLOUT));
	if (k && errno == ECONNREFUSED)
		v = ECONNREFUSED;
	else
		getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &n);
	close(c);
	close(l);
	close(e);
}

static int done;
static void on_alarm(int sig) { done = sig; }

static void interrupts(void)
{
	int c, s;
	char b;
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { { 0, 50000 }, { 0, 50000 } }, off = { 0 };       /* again: the first may come before the call on a busy host */
	struct timeval tv = { 0, 50000 };

	pair(&c, &s);
	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	CHECK("recv timeout", recv(c, &b, 1, 0));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK("recv interrupted", recv(s, &b, 1, 0));
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGPIPE, &sa, NULL);
	shutdown(c, SHUT_WR);
	done = 0;
	CHECK("EPIPE", send(c, "x", 1, 0));
	NOTE("SIGPIPE", "%d", done);
	close(c);
	close(s);
}

static void *server(void *arg)
{
	int s = accept(*(int *)arg, NULL, NULL);
	char b[3000];
	ssize_t n;

	while ((n = read(s, b, sizeof b)) > 0)
		for (ssize_t off = 0, k; off < n; off += k)
			if ((k = write(s, b + off, n - off)) <= 0)
				return NULL;
	close(s);
	return NULL;
}

static void echo(void)
{
	int l = listener(1), c = tcp(), bad = 0;
	struct sockaddr_in a = lo(port_of(l));
	pthread_t t;
	static unsigned char out[20000], in[20000];

	pthread_create(&t, NULL, server, &l);
	connect(c, (void *)&a, sizeof a);
	for (int i = 0; i < 50; i++) {
		int n = 1 + i * 397;
		for (int k = 0; k < n; k++)
			out[k] = (unsigned char)(k * i);
		bad += send(c, out, n, 0) != n;
		bad += recv(c, in, n, MSG_WAITALL) != n || memcmp(in, out, n) != 0;
	}
	NOTE("echo errors", "%d", bad);
	shutdown(c, SHUT_WR);
	CHECK("echo end", recv(c, in, 1, 0));
	pthread_join(t, NULL);
	close(c);
	close(l);
}

static void reuseport(void)
{
	int l[2], one = 1, got = 0;
	struct sockaddr_in a = lo(0);

	for (int i = 0; i < 2; i++) {
		l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
		CHECK("reuseport bind", bind(l[i], (void *)&a, sizeof a));
		CHECK("reuseport listen", listen(l[i], 64));
		a = lo(port_of(l[i]));
	}
	for (int i = 0; i < 40; i++) {
		int c = tcp();
		connect(c, (void *)&a, sizeof a);
		close(c);
	}
	settle();
	for (int i = 0; i < 2; i++)
		for (int s; (s = accept(l[i], NULL, NULL)) >= 0; got++)
			close(s);
	NOTE("reuseport accepted", "%d", got);
	close(l[0]);
	close(l[1]);
}

int main(void)
{
	fresh();
	binds();
	data();
	small_buffer();
	ends();
	nonblocking();
	interrupts();
	echo();
	reuseport();
	return 0;
}
