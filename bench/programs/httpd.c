/*
 * httpd.c - the smallest honest web server: one thread, epoll, HTTP/1.1 with keep-alive and pipelining, a
 * fixed 13-byte body. A request costs epoll_wait, read and write. Usage: httpd [PORT].
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nServer: t\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!"
#define LEN (sizeof ANSWER - 1)
#define MAX_FD 4096
#define MAX_PIPELINED 256

static unsigned char seen[MAX_FD];       /* how much of the blank line was read */
static char in[16384], out[LEN * MAX_PIPELINED];

/* Requests that end in these bytes; keeps the state for the next piece. */
static int count_requests(unsigned char *state, const char *p, ssize_t n)
{
	int found = 0;
	unsigned char q = *state;
	for (ssize_t k = 0; k < n; k++) {
		if (p[k] == '\r')
			q = q == 2 ? 3 : 1;
		else if (p[k] == '\n' && q == 1)
			q = 2;
		else if (p[k] == '\n' && q == 3)
			found++, q = 0;
		else
			q = 0;
	}
	*state = q;
	return found;
}

static void serve(int fd)
{
	ssize_t n = read(fd, in, sizeof in);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	for (int r = count_requests(&seen[fd], in, n); r > 0; r -= MAX_PIPELINED)
		(void)!write(fd, out, (size_t)(r > MAX_PIPELINED ? MAX_PIPELINED : r) * LEN);
}

static void greet(int listener, int ep)
{
	int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (fd >= MAX_FD) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	seen[fd] = 0;
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

int main(int argc, char **argv)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 8080)) };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, ready[64];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (listener < 0 || ep < 0 || bind(listener, (void *)&a, sizeof a) || listen(listener, 1024) || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e))
		return perror("httpd"), 1;
	for (int i = 0; i < MAX_PIPELINED; i++)
		memcpy(out + (size_t)i * LEN, ANSWER, LEN);
	(void)!write(1, "httpd ready\n", 12);
	for (;;) {
		int n = epoll_wait(ep, ready, 64, -1);
		for (int i = 0; i < n; i++) {
			if (ready[i].data.fd == listener)
				greet(listener, ep);
			else
				serve(ready[i].data.fd);
		}
	}
}
