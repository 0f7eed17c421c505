/* net_tcp_more.c - TCP options that act: deferred accepts, time-outs, windows, backlogs, SO_REUSEPORT, TCP_INFO, time stamps. */
#include "abi.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static int listener(int family, int backlog, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	int l = socket(family, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	*ret_len = family == AF_INET ? sizeof a : sizeof b;
	bind(l, family == AF_INET ? (void *)&a : (void *)&b, *ret_len);
	listen(l, backlog);
	getsockname(l, (void *)ret, ret_len);
	return l;
}
static void pair(int *c, int *s)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l = listener(AF_INET, 5, &a, &n);

	*c = socket(AF_INET, SOCK_STREAM, 0);
	connect(*c, (void *)&a, n);
	*s = accept(l, NULL, NULL);
	close(l);
}
static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, ms);
}
static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static int get(int fd, int level, int opt)
{
	int v = -7;
	socklen_t n = sizeof v;
	return getsockopt(fd, level, opt, &v, &n) ? -errno : v;
}

static void defer(void)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l = listener(AF_INET, 5, &a, &n), c = socket(AF_INET, SOCK_STREAM, 0);

	for (int s = 0; s <= 10; s += s < 4 ? 1 : 3) {
		setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &s, sizeof s);
		NOTE("TCP_DEFER_ACCEPT", "%d gives %d", s, get(l, IPPROTO_TCP, TCP_DEFER_ACCEPT));
	}
	CHECK("connect", connect(c, (void *)&a, n));
	NOTE("without data", "%d", readable(l, 300));
	CHECK("send", send(c, "now", 3, 0));
	NOTE("with data", "%d", readable(l, 2000));
	int s = CHECK_OK("accept", accept(l, NULL, NULL));
	char b[4];
	CHECK("it has it", recv(s, b, 4, MSG_DONTWAIT));
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, (void *)&a, n);
	close(l);
	close(c);
}

/* A peer that does not read: the window closes, and TCP_USER_TIMEOUT ends it. */
static void user_timeout(void)
{
	int c, s, ms = 1500;
	static char b[65536];

	pair(&c, &s);
	CHECK("set", setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms));
	NOTE("get", "%d", get(c, IPPROTO_TCP, TCP_USER_TIMEOUT));
	CHECK("negative", setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, &(int){ -1 }, sizeof ms));
	fcntl(c, F_SETFL, O_NONBLOCK);
	while (write(c, b, sizeof b) > 0)
		;
	double t = now();
	struct pollfd p = { .fd = c, .events = POLLIN };
	poll(&p, 1, 10000);
	t = now() - t;
	NOTE("ends", "%s, revents %#x", t > 0.8 && t < 8 ? "in time" : "not in time", p.revents);
	CHECK("with", recv(c, b, 1, 0));
	close(c);
	close(s);
}

/* SO_RCVBUF bounds what the peer can have on the way. */
static void window(int bytes, size_t least, size_t most)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l = listener(AF_INET, 5, &a, &n), c = socket(AF_INET, SOCK_STREAM, 0), s, small = 4096;
	static char b[65536];
	size_t sent = 0, got = 0;
	ssize_t k;

	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	connect(c, (void *)&a, n);
	s = accept(l, NULL, NULL);
	NOTE("inherited", "%d", get(s, SOL_SOCKET, SO_RCVBUF));
	fcntl(c, F_SETFL, O_NONBLOCK);
	for (int idle = 0; idle < 20;) {
		k = write(c, b, 1000);
		if (k > 0) {
			sent += (size_t)k;
			idle = 0;
		} else {
			idle++;
			poll(NULL, 0, 10);
		}
	}
	NOTE("on the way", "%s", sent >= least && sent <= most ? "as much as fits" : (snprintf(b, 99, "%zu", sent), b));
	fcntl(s, F_SETFL, O_NONBLOCK);
	/* and it opens again */
	for (int idle = 0; got < 300000 && idle < 300;) {
		k = read(s, b, sizeof b);
		if (k > 0)
			got += (size_t)k, idle = 0;
		else
			idle++, poll(NULL, 0, 5);
		while ((k = write(c, b, 1000)) > 0)
			sent += (size_t)k;
	}
	NOTE("then", "%s", got >= 300000 ? "everything" : "stuck");
	close(c);
	close(s);
	close(l);
}

static void backlog(void)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l = listener(AF_INET, 1000, &a, &n), c[300], done = 0, accepted = 0;

	for (int i = 0; i < 300; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM, 0);
		done += connect(c[i], (void *)&a, n) == 0;
	}
	NOTE("connected without accept", "%d", done);
	struct tcp_info info;
	socklen_t k = sizeof info;
	getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &k);
	NOTE("listener's info", "state %d waiting %u of %u", info.tcpi_state, info.tcpi_unacked, info.tcpi_sacked);
	fcntl(l, F_SETFL, O_NONBLOCK);
	for (int s; (s = accept(l, NULL, NULL)) >= 0; accepted++)
		close(s);
	NOTE("accepted", "%d", accepted);
	for (int i = 0; i < 300; i++)
		close(c[i]);
	close(l);
}

static void reuseport(int family, int type)
{
	enum { N = 4, M = 200 };
	int l[N], count[N] = { 0 }, total = 0, one = 1, busy = 0;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	void *a = family == AF_INET ? (void *)&a4 : (void *)&a6;
	socklen_t n = family == AF_INET ? sizeof a4 : sizeof a6;

	for (int i = 0; i < N; i++) {
		l[i] = socket(family, type | SOCK_NONBLOCK, 0);
		setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
		if (bind(l[i], a, n) || (type == SOCK_STREAM && listen(l[i], M)))
			NOTE("bind", "%s", strerrorname_np(errno));
		getsockname(l[i], a, &n);
	}
	for (int i = 0; i < M; i++) {
		int c = socket(family, type, 0);
		connect(c, a, n);
		if (type == SOCK_DGRAM)
			send(c, "x", 1, 0);
		close(c);
	}
	for (int i = 0; i < N; i++) {
		char b[4];
		for (int s; (s = type == SOCK_STREAM ? accept(l[i], NULL, NULL) : (int)recv(l[i], b, 4, 0)) >= 0; count[i]++)
			if (type == SOCK_STREAM)
				close(s);
		total += count[i];
		busy += count[i] > 10;
		close(l[i]);
	}
	NOTE("SO_REUSEPORT", "family %d type %d: %d in all, %d of %d have their share", family, type, total, busy, N);
}

static void info(void)
{
	int c, s;
	struct tcp_info i;
	socklen_t n = sizeof i;
	static char b[100000];

	pair(&c, &s);
	getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &n);
	NOTE("fresh", "state %d unacked %u retrans %u notsent %u", i.tcpi_state, i.tcpi_unacked, i.tcpi_total_retrans, i.tcpi_notsent_bytes);
	NOTE("mss", "%s", i.tcpi_snd_mss > 20000 && i.tcpi_snd_mss <= 65483 ? "of the loopback" : "small");
	NOTE("pmtu", "%u", i.tcpi_pmtu);
	for (int k = 0; k < 20; k++) {
		send(c, b, 100, 0);
		recv(s, b, 100, MSG_WAITALL);
		send(s, b, 10, 0);
		recv(c, b, 10, MSG_WAITALL);
	}
	send(c, b, sizeof b, 0);
	recv(s, b, sizeof b, MSG_WAITALL);
	usleep(300000);
	n = sizeof i;
	getsockopt(c, IPPROTO_TCP, TCP_INFO, &i, &n);
	/* Linux counts the client's SYN among the acknowledged ones. */
	NOTE("bytes", "acked %s received %llu sent %llu retransmitted %llu", i.tcpi_bytes_acked - i.tcpi_bytes_sent <= 1 ? "all" : "few", (unsigned long long)i.tcpi_bytes_received,
	     (unsigned long long)i.tcpi_bytes_sent, (unsigned long long)i.tcpi_bytes_retrans);
	NOTE("segments", "%s %s %s %s", i.tcpi_segs_out >= 22 ? "out" : "few out", i.tcpi_segs_in >= 20 ? "in" : "few in", i.tcpi_data_segs_out >= 21 ? "data" : "little data",
	     i.tcpi_total_retrans ? "retrans" : "no retrans");
	NOTE("round trip", "%s", i.tcpi_rtt > 0 && i.tcpi_rtt < 200000 ? "measured" : "odd");
	NOTE("times", "%s", i.tcpi_last_data_sent >= 250 && i.tcpi_last_data_sent < 3000 ? "of the last data" : "odd");
	NOTE("congestion window", "%s", i.tcpi_snd_cwnd >= 2 && i.tcpi_snd_cwnd < 100000 ? "open" : "odd");
	close(c);
	close(s);
}

/* All flags of receiving and sending that change what comes. */
static void flags(void)
{
	int c, s;
	char b[20] = "";

	pair(&c, &s);
	CHECK("MSG_MORE", send(c, "ab", 2, MSG_MORE));
	CHECK("not held back for ever", recv(s, b, 2, MSG_WAITALL));
	send(c, "0123456789", 10, 0);
	CHECK("peek", recv(s, b, 4, MSG_PEEK));
	CHECK("peek waits for all", recv(s, b, 10, MSG_PEEK | MSG_WAITALL));
	CHECK("discard", recv(s, NULL, 4, MSG_TRUNC));
	CHECK("the rest", recv(s, b, sizeof b, 0));
	NOTE("is", "%.6s", b);
	CHECK("nothing", recv(s, b, 1, MSG_DONTWAIT));
	CHECK("no error queued", recv(s, b, 1, MSG_ERRQUEUE));
	CHECK("no urgent data", recv(s, b, 1, MSG_OOB));
	CHECK("SO_OOBINLINE and none", (setsockopt(s, SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, 4), recv(s, b, 1, MSG_OOB)));
	CHECK("NOTSENT_LOWAT", setsockopt(c, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){ 16384 }, 4));
	NOTE("gives", "%d", get(c, IPPROTO_TCP, TCP_NOTSENT_LOWAT));
	CHECK("WINDOW_CLAMP", setsockopt(c, IPPROTO_TCP, TCP_WINDOW_CLAMP, &(int){ 20000 }, 4));
	CHECK("QUICKACK", setsockopt(c, IPPROTO_TCP, TCP_QUICKACK, &(int){ 0 }, 4));
	close(s);
	usleep(50000);
	CHECK("first write after the end", send(c, "x", 1, MSG_NOSIGNAL));
	usleep(50000);
	CHECK("second", send(c, "x", 1, MSG_NOSIGNAL));
	close(c);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	defer();
	user_timeout();
	window(8192, 8000, 60000);
	window(100000, 60000, 300000);
	backlog();
	reuseport(AF_INET, SOCK_STREAM);
	reuseport(AF_INET6, SOCK_STREAM);
	reuseport(AF_INET, SOCK_DGRAM);
	reuseport(AF_INET6, SOCK_DGRAM);
	info();
	flags();
	return 0;
}
