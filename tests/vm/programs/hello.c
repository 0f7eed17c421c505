/* hello.c - one line on each stream and an exit status from the arguments. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	printf("hello, %s\n", argc > 2 ? argv[2] : "world");
	fprintf(stderr, "and a word on standard error\n");
	return argc > 1 ? atoi(argv[1]) : 0;
}
