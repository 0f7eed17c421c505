/* mm_remap.c - mremap: growing, moving, errors. */
#include <stdint.h>
#include <sys/syscall.h>
#include "mm_probe.h"

static long remap(void *old, size_t ol, size_t nl, int flags, void *to)
{
	return syscall(SYS_mremap, old, ol, nl, flags, to);
}

static void arguments(char *p)
{
	CHECK("odd address", remap(p + 1, PG, 2 * PG, 0, NULL));
	CHECK("new length 0", remap(p, PG, 0, 0, NULL));
	CHECK("bad flags", remap(p, PG, PG, 8, NULL));
	CHECK("fixed without maymove", remap(p, PG, PG, MREMAP_FIXED, p + 8 * PG));
	CHECK("fixed odd target", remap(p, PG, PG, MREMAP_FIXED | MREMAP_MAYMOVE, p + 100 * PG + 1));
	CHECK("fixed overlapping", remap(p, 2 * PG, 2 * PG, MREMAP_FIXED | MREMAP_MAYMOVE, p + PG));
	CHECK("fixed in the kernel half", remap(p, PG, PG, MREMAP_FIXED | MREMAP_MAYMOVE, (void *)(1ul << 63)));
	CHECK("nothing there", remap((void *)0x100000000, PG, 2 * PG, MREMAP_MAYMOVE, NULL));
	CHECK("old too long", remap(p, 1ul << 40, 1ul << 41, MREMAP_MAYMOVE, NULL));
	CHECK("old length 0 of private", remap(p, 0, PG, MREMAP_MAYMOVE, NULL));
	CHECK("new too long", remap(p, PG, 1ul << 47, MREMAP_MAYMOVE, NULL));
	CHECK("dontunmap without maymove", remap(p, PG, PG, 4, NULL));
	CHECK("dontunmap other length", remap(p, PG, 2 * PG, 4 | MREMAP_MAYMOVE, NULL));
}

static void in_place(void)
{
	char *room = map_anon(16, PROT_NONE);

	munmap(room, 16 * PG);
	char *p = mmap(room, 4 * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	p[0] = 'a';
	p[3 * PG] = 'd';
	NOTE("grow in place", "%d", remap(p, 4 * PG, 8 * PG, 0, NULL) == (long)p);
	NOTE("new part", "%d %s", p[7 * PG], probe_write(p + 7 * PG));
	NOTE("same length", "%d", remap(p, 8 * PG, 8 * PG, 0, NULL) == (long)p);
	NOTE("shrink", "%d", remap(p, 8 * PG, 2 * PG, 0, NULL) == (long)p);
	NOTE("shrunk off", "%s %c", probe_read(p + 2 * PG), p[0]);
	char *wall = mmap(room + 2 * PG, PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	wall[0] = 'w';
	mprotect(wall, PG, PROT_READ);
	CHECK("grow into a wall", remap(p, 2 * PG, 3 * PG, 0, NULL));
	char *moved = (char *)remap(p, 2 * PG, 3 * PG, MREMAP_MAYMOVE, NULL);
	NOTE("moves instead", "%d %c", moved != p && moved != MAP_FAILED, moved[0]);
	NOTE("old place gone", "%s", probe_read(p));
	NOTE("wall stands", "%c", wall[0]);
}

static void moving(void)
{
	char *p = map_anon(8, RW), *to = map_anon(16, PROT_NONE);

	for (int i = 0; i < 8; i += 2)
		p[i * (long)PG] = (char)('0' + i);
	NOTE("move", "%d", remap(p, 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to) == (long)to);
	NOTE("moved", "%c%c%c%c %d", to[0], to[2 * PG], to[4 * PG], to[6 * PG], to[PG]);
	NOTE("source", "%s", probe_read(p));
	NOTE("move the middle", "%d", remap(to + 2 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 10 * PG) == (long)(to + 10 * PG));
	NOTE("middle", "%c %s %c", to[10 * PG], probe_read(to + 2 * PG), to[4 * PG]);
	NOTE("move and shrink", "%d", remap(to + 4 * PG, 4 * PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 13 * PG) == (long)(to + 13 * PG));
	NOTE("shrunk", "%c %s %s", to[13 * PG], probe_read(to + 5 * PG), probe_read(to + 14 * PG));
	mprotect(to, PG, PROT_READ);
	CHECK("growing over two areas", remap(to, 2 * PG, 3 * PG, MREMAP_MAYMOVE, NULL));
	mprotect(to, PG, PROT_NONE);
	char *hid = (char *)remap(to, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 7 * PG);
	mprotect(hid, PG, PROT_READ);
	NOTE("moved while none", "%c", hid[0]);
	char *a = map_anon(2, RW);
	a[0] = 'k';
	char *b = (char *)remap(a, 2 * PG, 2 * PG, MREMAP_MAYMOVE | 4, NULL);
	NOTE("dontunmap", "%d %c %d", b != a && b != MAP_FAILED, b[0], a[0]);
	char *sh = mmap(NULL, 2 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *twin = (char *)remap(sh, 0, 2 * PG, MREMAP_MAYMOVE, NULL);
	sh[PG] = 't';
	NOTE("a second view", "%d %c", twin != sh && twin != MAP_FAILED, twin != MAP_FAILED ? twin[PG] : '?');
	size_t n = 1;
	char *big = map_anon(1, RW);
	big[0] = 'g';
	for (; n < 1024; n *= 2)
		big = (char *)remap(big, n * PG, 2 * n * PG, MREMAP_MAYMOVE, NULL);
	NOTE("grown often", "%c %d", big[0], big[n * PG - 1]);
}

int main(void)
{
	probe_init();
	arguments(map_anon(4, RW));
	in_place();
	moving();
	return 0;
}
