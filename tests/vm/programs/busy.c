/*
 * busy.c - a program whose time goes to two places that a profile must name: own code, busy_add() in busy_turn(), and read().
 * It runs for SECONDS of the machine's clock. The other thread only waits. Usage: busy SECONDS
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sum;
static char block[65536];

__attribute__((noinline)) static void busy_add(int n)
{
	for (int i = 0; i < n; i++)
		sum += (unsigned long)i;
}

__attribute__((noinline)) static void busy_turn(int fd)
{
	busy_add(300000);
	for (int i = 0; i < 50; i++)
		sum += (unsigned long)read(fd, block, sizeof block);
	sum++;
}

static void *wait_long(void *arg)
{
	pause();
	return arg;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/zero", O_RDONLY);
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 3);
	pthread_t t;

	if (fd < 0 || pthread_create(&t, NULL, wait_long, NULL))
		return 1;
	while (time(NULL) < end)
		busy_turn(fd);
	puts("done");
	return 7;
}
