/* lastwords.c - accepts one connection on port 8080, writes argv[1] bytes and ends at once. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char block[65536];

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(8080) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	long left = argc > 1 ? atol(argv[1]) : 0;

	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 1))
		return 1;
	puts("listening");
	fflush(stdout);
	int c = accept(s, NULL, NULL);
	memset(block, 'x', sizeof(block));
	while (left > 0) {
		ssize_t n = write(c, block, left < (long)sizeof(block) ? (size_t)left : sizeof(block));
		if (n < 0)
			return 1;
		left -= n;
	}
	return 0;
}
