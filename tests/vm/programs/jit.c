/* jit.c - makes a function at run time, writable first and executable afterwards, and calls it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };   /* mov $42, %eax; ret */
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(p, code, sizeof code);
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC))
		return printf("mprotect: %s\n", strerrorname_np(errno)), 1;
	printf("made code says %d\n", ((int (*)(void))p)());
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("writable and executable: %s\n", p == MAP_FAILED ? strerrorname_np(errno) : "mapped");
	return 0;
}
