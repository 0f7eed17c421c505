/*
 * load.c - the load generator of the network rows: does exactly as many operations as it is told, and prints how many seconds they took.
 *
 *   load http ADDRESS PORT CONNECTIONS REQUESTS PATH [new]   HTTP/1.1, one request under way on each connection; new: a connection each
 *   load udp ADDRESS PORT WINDOW PACKETS LENGTH              an echo; WINDOW packets under way
 *
 * An answer that is not a 200 with a Content-Length, or an end of a connection before it, ends the program with status 1; so does
 * silence for 20 s. A UDP packet that does not come back within a second is sent again and counted as lost (printed after the seconds).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SILENCE_MS 20000
#define HEAD_MAX   4096

struct connection {
	int fd;
	long left;                   /* of the body; -1: the head is not complete */
	size_t head_len;
	char head[HEAD_MAX];
};

static struct sockaddr_in server;
static char request[512];
static size_t request_len;
static int poller;
static char body[1 << 18];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void connection_open(struct connection *c)
{
	int one = 1;
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (void *)&server, sizeof server))
		fail("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e))
		fail("epoll_ctl");
}

static void request_send(struct connection *c)
{
	c->left = -1;
	c->head_len = 0;
	if (write(c->fd, request, request_len) != (ssize_t)request_len)
		fail("write");
}

/* n bytes of the head, and perhaps of the body, came: the body's length when the head is complete. */
static void head_take(struct connection *c, const char *p, size_t n)
{
	size_t room = HEAD_MAX - 1 - c->head_len, k = n < room ? n : room;
	char *end, *length;

	memcpy(c->head + c->head_len, p, k);
	c->head_len += k;
	c->head[c->head_len] = 0;
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return;
	length = strcasestr(c->head, "\r\nContent-Length:");
	if (!length || strncmp(c->head, "HTTP/1.1 200", 12)) {
		fprintf(stderr, "load: the answer is %.40s\n", c->head);
		exit(1);
	}
	c->left = atol(length + 17) - (long)(c->head_len - (size_t)(end + 4 - c->head) + (n - k));
}

/* True when the answer is complete. */
static int answer_read(struct connection *c)
{
	ssize_t n = read(c->fd, body, sizeof body);

	if (n <= 0)
		fail("the connection ended");
	if (c->left < 0)
		head_take(c, body, (size_t)n);
	else
		c->left -= n;
	return c->left == 0;
}

static void http(int nconnections, long nrequests, int anew)
{
	struct connection *all = calloc((size_t)nconnections, sizeof *all);
	struct epoll_event ready[64];
	long sent = 0, done = 0;

	if (!all || (poller = epoll_create1(EPOLL_CLOEXEC)) < 0)
		fail("epoll_create");
	for (int i = 0; i < nconnections; i++)
		connection_open(&all[i]);
	double start = now();
	for (int i = 0; i < nconnections && sent < nrequests; i++, sent++)
		request_send(&all[i]);
	while (done < nrequests) {
		int n = epoll_wait(poller, ready, 64, SILENCE_MS);

		if (n <= 0)
			fail("silence");
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;

			if (!answer_read(c))
				continue;
			done++;
			if (anew)
				close(c->fd);
			if (sent == nrequests)
				continue;
			if (anew)
				connection_open(c);
			request_send(c);
			sent++;
		}
	}
	printf("%.6f\n", now() - start);
}

static void udp(int window, long npackets, size_t len)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long sent = 0, done = 0, lost = 0;

	if (fd < 0 || connect(fd, (void *)&server, sizeof server))
		fail("connect");
	double start = now();
	while (done < npackets) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		for (; sent - done < window && sent < npackets; sent++)
			if (send(fd, body, len, 0) != (ssize_t)len)
				fail("send");
		if (poll(&p, 1, 1000) == 1) {
			if (recv(fd, body, sizeof body, 0) != (ssize_t)len)
				fail("recv");
			done++;
		} else {
			if ((lost += sent - done) > 20 + npackets / 100)
				fail("too many packets lost");
			sent = done;
		}
	}
	printf("%.6f %ld\n", now() - start, lost);
}

int main(int argc, char **argv)
{
	if (argc < 7 || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1) {
		fprintf(stderr, "usage: load http|udp ADDRESS PORT CONNECTIONS|WINDOW REQUESTS|PACKETS PATH|LENGTH [new]\n");
		return 2;
	}
	server.sin_family = AF_INET;
	server.sin_port = htons((unsigned short)atoi(argv[3]));
	if (!strcmp(argv[1], "udp")) {
		udp(atoi(argv[4]), atol(argv[5]), (size_t)atol(argv[6]));
	} else {
		request_len = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", argv[6]);
		http(atoi(argv[4]), atol(argv[5]), argc > 7);
	}
	return 0;
}
