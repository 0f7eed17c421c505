/* ipv6.c - for ipv6.sh: a dual-stack server of pages, a client of it, and a resolver of names. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char pattern(size_t i) { return (char)('a' + (unsigned)i * 2654435761u / 16777216u % 26); }

/* One request after the other: GET gives `size` bytes of the pattern, POST says how many came. */
static int serve(size_t size)
{
	int l = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	char *body = malloc(size), head[4096], text[64], *end, *length;

	for (size_t i = 0; i < size; i++)
		body[i] = pattern(i);
	if (bind(l, (void *)&a, sizeof a) || listen(l, 16))
		return 1;
	for (;;) {
		socklen_t n = sizeof a;
		int c = accept(l, (void *)&a, &n);
		size_t have = 0, sent = 0, want;
		ssize_t k;

		for (head[0] = 0, end = NULL; !end && (k = read(c, head + have, sizeof head - 1 - have)) > 0;) {
			have += (size_t)k;
			head[have] = 0;
			end = strstr(head, "\r\n\r\n");
		}
		inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof text);
		if (end && strncmp(head, "GET /who", 8) == 0) {
			dprintf(c, "HTTP/1.0 200 OK\r\n\r\n%s\n", text);
		} else if (end && strncmp(head, "GET", 3) == 0) {
			dprintf(c, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
			while (sent < size && (k = write(c, body + sent, size - sent)) > 0)
				sent += (size_t)k;
		} else if (end && (length = strcasestr(head, "content-length:"))) {
			static char buf[65536];
			want = strtoul(length + 15, NULL, 10);
			if (strcasestr(head, "100-continue"))
				dprintf(c, "HTTP/1.1 100 Continue\r\n\r\n");
			have -= (size_t)(end + 4 - head);
			while (have < want && (k = read(c, buf, sizeof buf)) > 0)
				have += (size_t)k;
			dprintf(c, "HTTP/1.0 200 OK\r\n\r\n%zu\n", have);
		}
		close(c);
	}
}

/* The addresses of each name, as soon as there is a name server and it answers; 20 s at most. */
static int names(char **name)
{
	for (; *name; name++) {
		struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *i;
		int r = EAI_AGAIN;

		for (int tries = 0; r == EAI_AGAIN && tries < 20; tries++, r == EAI_AGAIN && sleep(1))
			r = getaddrinfo(*name, NULL, &hints, &list);
		if (r) {
			printf("%s: %s\n", *name, gai_strerror(r));
			continue;
		}
		for (i = list; i; i = i->ai_next) {
			char text[64];
			getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
			printf("%s: %s\n", *name, text);
		}
		freeaddrinfo(list);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(strtoul(argv[2], NULL, 10));
	if (argc > 2 && !strcmp(argv[1], "names"))
		return names(argv + 2);
	return 2;
}
