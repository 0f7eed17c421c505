/*
 * replay_main.c - runs a fuzz target over files, once each: the corpus as a regression test, with any
 * compiler. Usage: TARGET FILE... Exit status 0 if all inputs were survived.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

static void replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	u8 *data = NULL;
	size_t len = 0, room = 0, n;

	if (!f) {
		perror(path);
		exit(2);
	}
	do {
		if (room - len < 65536) {
			room = room ? 2 * room : 131072;
			data = realloc(data, room);
			if (!data)
				abort();
		}
		n = fread(data + len, 1, room - len, f);
		len += n;
	} while (n);
	fclose(f);
	/* Exactly as long as the input: the sanitizer sees a read beyond it. */
	u8 *exact = malloc(len ? len : 1);

	if (!exact)
		abort();
	memcpy(exact, data, len);
	free(data);
	fprintf(stderr, "%s (%zu bytes)\n", path, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return 0;
}
