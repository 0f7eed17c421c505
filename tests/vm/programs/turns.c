/* turns.c - what the clock says of ten million turns of two instructions, in tenths of an instruction's nanosecond. */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec a, b;
	unsigned long n = 10000000;

	clock_gettime(CLOCK_MONOTONIC, &a);
	__asm__ volatile("1: sub $1, %0; jnz 1b" : "+r"(n));
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.1f ns\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 2e7);
	return 0;
}
