/* mm_map.c - mmap, munmap, brk: arguments, placement, errors. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include "mm_probe.h"

static long raw_mmap(unsigned long a, unsigned long len, int prot, int flags, int fd, unsigned long off)
{
	return syscall(SYS_mmap, a, len, prot, flags, fd, off);
}
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void arguments(void)
{
	CHECK_OK("mmap anonymous", raw_mmap(0, PG, RW, ANON, -1, 0));
	CHECK_OK("mmap anonymous ignores fd", raw_mmap(0, PG, RW, ANON, 12345, 0));
	CHECK_OK("mmap one byte", raw_mmap(0, 1, RW, ANON, -1, 0));
	CHECK_OK("mmap unknown prot bits", raw_mmap(0, PG, PROT_READ | 0x40, ANON, -1, 0));
	CHECK("mmap length 0", raw_mmap(0, 0, RW, ANON, -1, 0));
	CHECK("mmap huge length", raw_mmap(0, 1ul << 47, RW, ANON | MAP_NORESERVE, -1, 0));
	CHECK("mmap length wraps", raw_mmap(0, ~0ul, RW, ANON, -1, 0));
	CHECK("mmap odd offset", raw_mmap(0, PG, RW, ANON, -1, 5));
	CHECK("mmap no type", raw_mmap(0, PG, RW, MAP_ANONYMOUS, -1, 0));
	CHECK("mmap bad fd", raw_mmap(0, PG, PROT_READ, MAP_PRIVATE, -1, 0));
	CHECK("mmap fixed odd address", raw_mmap(0x10000001, PG, RW, ANON | MAP_FIXED, -1, 0));
	CHECK("mmap fixed kernel half", raw_mmap(1ul << 63, PG, RW, ANON | MAP_FIXED, -1, 0));
	CHECK("mmap fixed at the top", raw_mmap(0x7ffffffff000, PG, RW, ANON | MAP_FIXED, -1, 0));
	CHECK("mmap hugetlb", raw_mmap(0, 2 << 20, RW, ANON | MAP_HUGETLB, -1, 0));
	CHECK("mmap shared growsdown", raw_mmap(0, PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
	CHECK("munmap odd address", munmap((void *)1, PG));
	CHECK("munmap length 0", munmap((void *)PG, 0));
	CHECK("munmap wraps", munmap((void *)PG, ~0ul));
	CHECK("munmap beyond the top", munmap((void *)0x7ffffffff000, 2 * PG));
	CHECK("munmap nothing there", munmap((void *)0x100000000, 4 * PG));
}

static void placement(void)
{
	char *p = map_anon(8, RW);
	char *low = mmap(NULL, PG, RW, ANON | MAP_32BIT, -1, 0);

	NOTE("32-bit address", "%d", (uintptr_t)low < 0x80000000ul);
	munmap(low, PG);
	NOTE("32-bit hint taken", "%d", mmap(low, PG, RW, ANON | MAP_32BIT, -1, 0) == low);
	NOTE("32-bit hint not free", "%d", (uintptr_t)mmap(low, PG, RW, ANON | MAP_32BIT, -1, 0) < 0x80000000ul);
	NOTE("32-bit hint below the window", "%d", mmap((void *)0x20000000, PG, RW, ANON | MAP_32BIT, -1, 0) == (void *)0x20000000);
	NOTE("32-bit hint above the window", "%d", (uintptr_t)mmap(p + 16 * PG, PG, RW, ANON | MAP_32BIT, -1, 0) < 0x80000000ul);
	NOTE("32-bit hint across its end", "%d", (uintptr_t)mmap((void *)0x7ffff000, 2 * PG, RW, ANON | MAP_32BIT, -1, 0) < 0x7ffff000ul);
	munmap(p + 2 * PG, 2 * PG);
	NOTE("hint taken", "%d", mmap(p + 2 * PG, PG, RW, ANON, -1, 0) == p + 2 * PG);
	char *q = mmap(p, PG, RW, ANON, -1, 0);
	NOTE("hint not free", "%d", q != p && q != MAP_FAILED);
	NOTE("odd hint rounded up", "%d", mmap(p + 2 * PG + 1, PG, RW, ANON, -1, 0) == p + 3 * PG);
	NOTE("noreplace free", "%d", (munmap(p + 2 * PG, PG), mmap(p + 2 * PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + 2 * PG));
	CHECK_OK("noreplace taken", (long)mmap(p + 2 * PG, PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	CHECK_OK("noreplace partly taken", (long)mmap(p - PG, 4 * PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	p[0] = 'x';
	NOTE("fixed replaces", "%d", mmap(p, PG, RW, ANON | MAP_FIXED, -1, 0) == (void *)p && p[0] == 0);
	char *small = mmap((void *)1, PG, RW, ANON, -1, 0);
	NOTE("tiny hint", "%d", (uintptr_t)small >= 65536);
	char *big = mmap(NULL, 1ul << 43, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	NOTE("8 TiB reserved", "%d", big != MAP_FAILED);
	NOTE("8 TiB use", "%d", mprotect(big + (1ul << 42), PG, RW) == 0 && (big[1ul << 42] = 1));
	NOTE("8 TiB rest", "%s", probe_read(big));
	CHECK("8 TiB unmap", munmap(big, 1ul << 43));
}

static void contents(void)
{
	char *p = map_anon(16, RW);
	unsigned sum = 0;

	for (unsigned i = 0; i < 16 * PG; i++)
		sum |= (unsigned char)p[i];
	NOTE("fresh memory is zero", "%u", sum);
	for (unsigned i = 0; i < 16; i++)
		p[i * PG] = (char)(i + 1);
	munmap(p + 4 * PG, 4 * PG);
	NOTE("below the hole", "%d", p[3 * PG]);
	NOTE("in the hole", "%s", probe_read(p + 4 * PG));
	NOTE("end of the hole", "%s", probe_write(p + 8 * PG - 1));
	NOTE("above the hole", "%d", p[8 * PG]);
	munmap(p, 16 * PG);
	NOTE("all gone", "%s %s", probe_read(p), probe_read(p + 15 * PG));
	char *pop = mmap(NULL, 4 * PG, RW, ANON | MAP_POPULATE, -1, 0);
	unsigned char vec[4] = { 0 };
	mincore(pop, 4 * PG, vec);
	NOTE("populate is resident", "%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	char *none = map_anon(1, PROT_NONE);
	NOTE("PROT_NONE read", "%s", probe_read(none));
	char *ro = map_anon(1, PROT_READ);
	NOTE("read-only read", "%s", probe_read(ro));
	NOTE("read-only write", "%s", probe_write(ro));
	char *wo = map_anon(1, PROT_WRITE);
	NOTE("write-only read", "%s", probe_read(wo));
	NOTE("not executable", "%s", probe_exec(map_anon(1, RW)));
	NOTE("null", "%s", probe_read((void *)8));
	NOTE("kernel half", "%s", probe_read((void *)0xffff800000000000ul) + 0);
	char *sh = mmap(NULL, 2 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sh[PG] = 9;
	NOTE("shared anonymous", "%d %d", sh[0], sh[PG]);
	CHECK_OK("map much, little used", (long)mmap(NULL, 1ul << 36, RW, ANON | MAP_NORESERVE, -1, 0));
}

static void heap(void)
{
	char *now = (char *)syscall(SYS_brk, 0);
	char *up = (char *)syscall(SYS_brk, now + 5 * PG + 123);

	NOTE("brk grows exactly", "%ld", (long)(up - now));
	up[-1] = 5;
	NOTE("brk memory", "%d", up[-1]);
	NOTE("brk too low", "%d", (char *)syscall(SYS_brk, 4096) == up);
	NOTE("brk too high", "%d", (char *)syscall(SYS_brk, 1ul << 60) == up);
	NOTE("brk shrinks", "%ld", (long)((char *)syscall(SYS_brk, now) - now));
	syscall(SYS_brk, up);
	NOTE("brk memory is zero again", "%d", up[-1]);
	syscall(SYS_brk, now);
}

static void stack_growth(void)
{
	char *area = mmap(NULL, 4 << 20, PROT_NONE, ANON, -1, 0);
	munmap(area, 4 << 20);
	char *st = mmap(area + (3 << 20), PG, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	NOTE("growsdown mapped", "%d", st == area + (3 << 20));
	NOTE("growsdown grows", "%s", probe_write(st - PG));
	NOTE("growsdown again", "%s", probe_write(st - 8 * PG));
	NOTE("growsdown stays", "%s", probe_read(st - 3 * PG));
	char local[64 * 1024];
	for (unsigned i = 0; i < sizeof(local); i += 512)
		((volatile char *)local)[i] = 1;
	NOTE("stack", "%d", ((volatile char *)local)[512]);
}

int main(void)
{
	probe_init();
	arguments();
	placement();
	contents();
	heap();
	stack_growth();
	return 0;
}
