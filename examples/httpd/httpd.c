/*
 * httpd.c - a small web server, an ordinary Linux program: epoll, non-blocking
 * sockets, HTTP/1.1 with keep-alive, a graceful end on SIGTERM.
 *
 *   cc -O2 -o httpd httpd.c && pith run -p 8080:80 ./httpd 80
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 8192

struct client {
	int fd;
	size_t len;
	char request[REQUEST_MAX + 1];
};

static unsigned long served;

static int page_make(char *out, size_t cap)
{
	char body[1024];
	struct utsname system;
	struct timespec up;
	int len;

	uname(&system);
	clock_gettime(CLOCK_MONOTONIC, &up);
	len = snprintf(body, sizeof body,
		       "Hello. This page comes from an unmodified Linux program that is a virtual machine.\n"
		       "process %d on %s %s (%s), up for %ld.%03ld s, request %lu\n",
		       (int)getpid(), system.sysname, system.release, system.machine, (long)up.tv_sec, up.tv_nsec / 1000000, ++served);
	return snprintf(out, cap, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len, body);
}

static void client_close(struct client *c)
{
	close(c->fd);
	free(c);
}

/* Answers every whole request that is there. False when the connection shall end. */
static int requests_answer(struct client *c)
{
	char *end;

	c->request[c->len] = '\0';
	while ((end = strstr(c->request, "\r\n\r\n"))) {
		char answer[2048];
		int len = page_make(answer, sizeof answer);
		size_t used = (size_t)(end + 4 - c->request);
		int last = strcasestr(c->request, "connection: close") != NULL;

		printf("%.*s\n", (int)strcspn(c->request, "\r"), c->request);
		fflush(stdout);
		if (send(c->fd, answer, (size_t)len, MSG_NOSIGNAL) != len || last)
			return 0;
		memmove(c->request, c->request + used, c->len - used + 1);
		c->len -= used;
	}
	return c->len < REQUEST_MAX;
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->len, REQUEST_MAX - c->len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->len += (size_t)n;
	if (n <= 0 || !requests_answer(c))
		client_close(c);
}

static void client_accept(int listener, int epoll)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c = calloc(1, sizeof *c);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		if (!c) {
			close(fd);
			return;
		}
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			client_close(c);
	}
}

static int listener_open(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0) {
		perror("httpd: cannot listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	static int listener_mark, signal_mark;
	int port = argc > 1 ? atoi(argv[1]) : 80;
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener = listener_open(port), stop;
	struct epoll_event events[64];
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	stop = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &listener_mark });
	epoll_ctl(epoll, EPOLL_CTL_ADD, stop, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &signal_mark });
	printf("listening on port %d\n", port);
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == &signal_mark) {
				printf("stopped after %lu requests\n", served);
				return 0;
			}
			if (events[i].data.ptr == &listener_mark)
				client_accept(listener, epoll);
			else
				client_read(events[i].data.ptr);
		}
	}
}
