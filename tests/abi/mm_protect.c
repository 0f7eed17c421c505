/* mm_protect.c - mprotect: pages, neighbours, errors. */
#include "mm_probe.h"

static void arguments(void)
{
	char *p = map_anon(4, RW);

	CHECK("odd address", mprotect(p + 1, PG, PROT_READ));
	CHECK("length 0", mprotect(p, 0, PROT_READ));
	CHECK("length 0 nowhere", mprotect((void *)0x100000000, 0, PROT_READ));
	CHECK("bad prot", mprotect(p, PG, 0x40));
	CHECK("sem", mprotect(p, PG, PROT_READ | 0x8));
	CHECK("nothing there", mprotect((void *)0x100000000, PG, PROT_READ));
	CHECK("wraps", mprotect(p, ~0ul - PG, PROT_READ));
	CHECK("grows both", mprotect(p, PG, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
	CHECK("growsdown on no stack", mprotect(p, PG, PROT_READ | PROT_GROWSDOWN));
	munmap(p + 2 * PG, PG);
	CHECK("over a hole", mprotect(p, 4 * PG, PROT_NONE));
	NOTE("before the hole it was done", "%s %s", probe_read(p), probe_read(p + PG));
	NOTE("after the hole it was not", "%s", probe_write(p + 3 * PG));
}

static void pages(void)
{
	char *p = map_anon(8, RW);

	for (int i = 0; i < 8; i++)
		p[i * (long)PG] = (char)('a' + i);
	CHECK("middle read-only", mprotect(p + 2 * PG, 2 * PG, PROT_READ));
	NOTE("reads", "%c %c", p[2 * PG], p[3 * PG]);
	NOTE("writes", "%s %s %s %s", probe_write(p + PG), probe_write(p + 2 * PG), probe_write(p + 3 * PG), probe_write(p + 4 * PG));
	CHECK("middle none", mprotect(p + 2 * PG, 2 * PG, PROT_NONE));
	NOTE("reads of none", "%s", probe_read(p + 2 * PG));
	CHECK("middle back", mprotect(p + 2 * PG, 2 * PG, RW));
	NOTE("contents kept", "%c %c", p[2 * PG], p[3 * PG]);
	NOTE("writes again", "%s", probe_write(p + 2 * PG));
	CHECK("all none", mprotect(p, 8 * PG, PROT_NONE));
	CHECK("unmap of none", munmap(p + 3 * PG, PG));
	CHECK("first back", mprotect(p, PG, PROT_READ));
	NOTE("first", "%c", p[0]);
	CHECK("write only", mprotect(p, PG, PROT_WRITE));
	NOTE("write only reads", "%c", p[0]);
	CHECK("part of a page counts whole", mprotect(p + 4 * PG, 10, RW));
	NOTE("end of that page", "%s %c", probe_write(p + 5 * PG - 1), p[4 * PG]);
}

static void fresh(void)
{
	char *p = map_anon(4, PROT_NONE);

	CHECK("none to write", mprotect(p + PG, 2 * PG, RW));
	NOTE("zero", "%d %d", p[PG], p[2 * PG]);
	NOTE("borders", "%s %s", probe_read(p), probe_read(p + 3 * PG));
	NOTE("zero page then store", "%s %d", probe_write(p + PG), p[PG]);
	CHECK("back to read", mprotect(p + PG, PG, PROT_READ));
	NOTE("kept", "%d %s", p[PG], probe_write(p + PG));
	char *sh = mmap(NULL, 2 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sh[0] = 3;
	CHECK("shared none", mprotect(sh, 2 * PG, PROT_NONE));
	NOTE("shared reads", "%s", probe_read(sh));
	CHECK("shared back", mprotect(sh, 2 * PG, RW));
	NOTE("shared kept", "%d %s", sh[0], probe_write(sh + PG));
	CHECK("syscall into read-only", pread(0, mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 0, 0) == -2);
	for (int i = 0; i < 2000; i++)
		if (mprotect(p + PG, PG, i & 1 ? RW : PROT_NONE))
			NOTE("toggle", "%d", i);
	NOTE("after many changes", "%d", p[PG]);
}

int main(void)
{
	probe_init();
	arguments();
	pages();
	fresh();
	return 0;
}
