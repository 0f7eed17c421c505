/* hello.c - one write. Marks: mk_start is main's first call, mk_done comes after the write. */
#include <unistd.h>

__attribute__((noinline, noclone)) void mk_start(void);
__attribute__((noinline, noclone)) void mk_done(void);
void mk_start(void) { __asm__ volatile("" ::: "memory"); }
void mk_done(void) { __asm__ volatile("" ::: "memory"); }

int main(void)
{
	mk_start();
	(void)!write(1, "hello\n", 6);
	mk_done();
	return 0;
}
