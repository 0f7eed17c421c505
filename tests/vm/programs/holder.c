/* holder.c - takes 64 MB, gives them back and takes them again, a step for each line of its input; a megabyte stays and must keep what it holds. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LEN  (64ul << 20)
#define KEPT (1ul << 20)

static unsigned char *map(size_t len)
{
	unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int kept_is_whole(const unsigned char *kept)
{
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i] != (i * 7 & 0xff))
			return 0;
	return 1;
}

int main(void)
{
	unsigned char *kept = NULL;
	char line[16];

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int round = 0; round < 2; round++) {
		unsigned char *p = map(LEN);
		size_t dirty = 0;

		if (!p)
			return 1;
		for (size_t i = 0; i < LEN; i += 512)
			dirty += p[i] != 0;
		memset(p, 0xa5, LEN);
		if (!kept) {                 /* among the others */
			kept = map(KEPT);
			for (size_t i = 0; kept && i < KEPT; i++)
				kept[i] = (unsigned char)(i * 7);
		}
		printf("taken, %zu bytes are not zero\n", dirty);
		if (!fgets(line, sizeof line, stdin))
			return 2;
		munmap(p, LEN);
		puts("given back");
		if (!fgets(line, sizeof line, stdin))
			return 2;
	}
	return kept && kept_is_whole(kept) ? 0 : 3;
}
