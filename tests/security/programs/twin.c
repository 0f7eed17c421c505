/* twin.c - says "ready", waits for a line, and prints what a copy of this machine should not print too: random bytes, and /proc's count. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int main(void)
{
	unsigned char b[16];
	char line[200];
	FILE *f;

	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || getrandom(b, sizeof(b), 0) != sizeof(b))
		return 1;
	printf("random ");
	for (unsigned i = 0; i < sizeof(b); i++)
		printf("%02x", b[i]);
	puts("");
	f = fopen("/proc/pith/counters", "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "random_reseeds ", 15))
			fputs(line, stdout);
	return 0;
}
