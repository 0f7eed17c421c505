/* greeter.c - a server that speaks first: a line to each connection as it comes, which stays open until the peer closes it. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX 200

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct pollfd fds[MAX + 1] = { { .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN } };
	nfds_t n = 1;

	if (bind(fds[0].fd, (void *)&a, sizeof a) || listen(fds[0].fd, 128))
		return 1;
	for (;;) {
		if (poll(fds, n, -1) < 0)
			return 2;
		if (fds[0].revents && n <= MAX) {
			fds[n].fd = accept(fds[0].fd, NULL, NULL);
			fds[n].events = POLLIN;
			fds[n].revents = 0;
			if (fds[n].fd < 0 || write(fds[n].fd, "hello\n", 6) != 6)
				return 3;
			n++;
		}
		for (nfds_t i = 1; i < n; i++) {
			char c;

			if (!fds[i].revents || read(fds[i].fd, &c, 1) > 0)
				continue;
			close(fds[i].fd);
			fds[i--] = fds[--n];
		}
	}
}
