/* udpecho.c - sends each datagram back to where it came from. Usage: udpecho PORT. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static char packet[65536];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof a))
		return perror("udpecho"), 1;
	for (;;) {
		socklen_t len = sizeof a;
		ssize_t n = recvfrom(fd, packet, sizeof packet, 0, (void *)&a, &len);

		if (n >= 0)
			(void)!sendto(fd, packet, (size_t)n, 0, (void *)&a, len);
	}
}
