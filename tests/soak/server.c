/*
 * server.c - the server of the soak: four threads with an epoll set each on one port. A request is a line:
 *   N          N bytes, byte k of an answer being k mod 251
 *   counters   /proc/pith/counters and the number of descriptors, ended by a line "end"
 *   threads N  N threads are made and end; "ok"
 *   map N      N mappings are made, written to and unmapped; "ok"
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS 4
#define PG 4096ul

struct connection {
	int fd;
	size_t at, left;             /* of the answer under way */
	size_t have;                 /* bytes of the request in line */
	char line[64];
};

static unsigned char pattern[251 + 65536];
static int listener;

static void die(const char *what)
{
	perror(what);
	_exit(3);
}

static void *nothing(void *arg) { return arg; }

static void make_threads(int n)
{
	pthread_t t[64];

	for (int done = 0; done < n;) {
		int k = 0;
		while (k < 64 && done + k < n && pthread_create(&t[k], NULL, nothing, NULL) == 0)
			k++;
		for (int i = 0; i < k; i++)
			pthread_join(t[i], NULL);
		if (k == 0)
			return;
		done += k;
	}
}

static void make_mappings(int n)
{
	char *p[16] = { 0 };

	for (int i = 0; i < n + 16; i++) {
		size_t len = (size_t)(1 + i % 40) * PG;
		if (p[i % 16])
			munmap(p[i % 16], (size_t)(1 + (i - 16) % 40) * PG);
		p[i % 16] = i < n ? mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : NULL;
		if (p[i % 16] == MAP_FAILED)
			die("mmap");
		for (size_t k = 0; p[i % 16] && k < len; k += PG)
			p[i % 16][k] = 1;
	}
}

/* Small answers go at once; the socket is blocking for as long. */
static void answer(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t r = send(fd, s, n, MSG_NOSIGNAL);
		if (r < 0 && errno == EAGAIN) {
			usleep(1000);
			continue;
		}
		if (r <= 0)
			return;
		s += r;
		n -= (size_t)r;
	}
}

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void tell_counters(int fd)
{
	char buf[16384];
	int f = open("/proc/pith/counters", O_RDONLY);
	ssize_t n;

	while (f >= 0 && (n = read(f, buf, sizeof(buf))) > 0)
		answer(fd, buf, (size_t)n);
	if (f >= 0)
		close(f);
	answer(fd, buf, (size_t)snprintf(buf, sizeof(buf), "descriptors %u\n", descriptors()));
	answer(fd, "end\n", 4);
}

static void request(struct connection *c)
{
	int n = 0;

	if (sscanf(c->line, "threads %d", &n) == 1)
		make_threads(n);
	else if (sscanf(c->line, "map %d", &n) == 1)
		make_mappings(n);
	else if (strncmp(c->line, "counters", 8) == 0) {
		tell_counters(c->fd);
		return;
	} else {
		c->at = 0;
		c->left = strtoul(c->line, NULL, 10);
		return;
	}
	answer(c->fd, "ok\n", 3);
}

/* False: the connection is over. */
static int serve(struct connection *c)
{
	for (;;) {
		while (c->left) {
			size_t off = c->at % 251, n = c->left < 65536 ? c->left : 65536;
			ssize_t r = send(c->fd, pattern + off, n, MSG_NOSIGNAL);
			if (r < 0)
				return errno == EAGAIN;
			c->at += (size_t)r;
			c->left -= (size_t)r;
		}
		char *nl = memchr(c->line, '\n', c->have);
		if (nl) {
			size_t used = (size_t)(nl - c->line) + 1;
			*nl = 0;
			request(c);
			memmove(c->line, c->line + used, c->have -= used);
			continue;
		}
		if (c->have == sizeof(c->line))
			return 0;
		ssize_t r = recv(c->fd, c->line + c->have, sizeof(c->line) - c->have, 0);
		if (r < 0)
			return errno == EAGAIN;
		if (r == 0)
			return 0;
		c->have += (size_t)r;
	}
}

static void accept_some(int ep)
{
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
		struct connection *c = calloc(1, sizeof(*c));
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
		if (!c)
			die("calloc");
		c->fd = fd;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
			die("epoll_ctl");
	}
}

static void *worker(void *arg)
{
	struct epoll_event e[64], l = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int ep = epoll_create1(0);

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &l))
		die("epoll");
	for (;;) {
		int n = epoll_wait(ep, e, 64, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = e[i].data.ptr;
			if (!c) {
				accept_some(ep);
			} else if ((e[i].events & (EPOLLERR | EPOLLHUP)) || !serve(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
	return arg;
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7000) };
	pthread_t t[WORKERS];

	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (unsigned char)(i % 251);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 || bind(listener, (void *)&a, sizeof(a)) || listen(listener, 128))
		die("listen");
	for (long i = 0; i < WORKERS; i++)
		if (pthread_create(&t[i], NULL, worker, (void *)i))
			die("pthread_create");
	puts("ready");
	fflush(stdout);
	pthread_join(t[0], NULL);
	return 0;
}
