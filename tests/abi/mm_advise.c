/* mm_advise.c - madvise, mincore, msync, mlock, membarrier. */
#include <sys/syscall.h>
#include "mm_probe.h"

static void advise(void)
{
	static const struct { const char *name; int advice; } all[] = {
		{ "normal", 0 }, { "random", 1 }, { "sequential", 2 }, { "willneed", 3 }, { "dontfork", 10 }, { "dofork", 11 },
		{ "hugepage", 14 }, { "nohugepage", 15 }, { "dontdump", 16 }, { "dodump", 17 }, { "wipeonfork", 18 },
		{ "keeponfork", 19 }, { "cold", 20 }, { "populate read", 22 }, { "populate write", 23 }, { "number 5", 5 },
		{ "number 7", 7 }, { "number 99", 99 }, { "negative", -1 },
	};
	char *p = map_anon(8, RW);

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		CHECK(all[i].name, madvise(p, 4 * PG, all[i].advice));
	CHECK("odd address", madvise(p + 1, PG, MADV_DONTNEED));
	CHECK("length 0", madvise(p, 0, MADV_DONTNEED));
	CHECK("length 0, bad advice", madvise(p, 0, 99));
	CHECK("wraps", madvise(p, ~0ul, MADV_DONTNEED));
	CHECK("nothing there", madvise((void *)0x100000000, PG, MADV_DONTNEED));
	for (int i = 0; i < 8; i++)
		p[i * (long)PG] = 'x';
	CHECK("dontneed", madvise(p + PG, 2 * PG, MADV_DONTNEED));
	NOTE("really dropped", "%d %d %d %d", p[0], p[PG], p[2 * PG], p[3 * PG]);
	p[PG] = 'y';
	NOTE("usable again", "%c", p[PG]);
	munmap(p + 4 * PG, PG);
	CHECK("dontneed over a hole", madvise(p + 3 * PG, 3 * PG, MADV_DONTNEED));
	NOTE("both sides dropped", "%d %d %c", p[3 * PG], p[5 * PG], p[6 * PG]);
	mprotect(p, PG, PROT_NONE);
	CHECK("dontneed of none", madvise(p, PG, MADV_DONTNEED));
	mprotect(p, PG, RW);
	NOTE("dropped under none", "%d", p[0]);
	CHECK("free", madvise(p + 5 * PG, PG, MADV_FREE));
	p[5 * PG] = 'z';
	NOTE("written after free", "%c", p[5 * PG]);
	CHECK("remove of private", madvise(p + 5 * PG, PG, MADV_REMOVE));
	char *sh = mmap(NULL, 4 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sh[0] = sh[PG] = 's';
	CHECK("dontneed of shared", madvise(sh, PG, MADV_DONTNEED));
	NOTE("shared keeps", "%c", sh[0]);
	CHECK("remove of shared", madvise(sh, PG, MADV_REMOVE));
	NOTE("removed", "%d %c", sh[0], sh[PG]);
	CHECK("free of shared", madvise(sh, PG, MADV_FREE));
	CHECK("wipeonfork of shared", madvise(sh, PG, 18));
	CHECK("populate write of read-only", madvise(map_anon(1, PROT_READ), PG, 23));
	CHECK("populate read of none", madvise(map_anon(1, PROT_NONE), PG, 22));
}

static void in_core(void)
{
	char *p = map_anon(8, RW);
	unsigned char vec[8];

	memset(vec, 0x55, sizeof(vec));
	p[2 * PG] = p[5 * PG] = 1;
	CHECK("mincore", mincore(p, 8 * PG, vec));
	NOTE("resident", "%d%d%d%d%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1, vec[4] & 1, vec[5] & 1, vec[6] & 1, vec[7] & 1);
	madvise(p + 2 * PG, PG, MADV_DONTNEED);
	mincore(p, 8 * PG, vec);
	NOTE("after dontneed", "%d %d", vec[2] & 1, vec[5] & 1);
	CHECK("mincore odd address", mincore(p + 1, PG, vec));
	CHECK("mincore length 0", mincore(p, 0, vec));
	CHECK("mincore nothing there", mincore((void *)0x100000000, PG, vec));
	CHECK("mincore bad vector", mincore(p, PG, (void *)16));
	CHECK("mincore kernel half", mincore((void *)(1ul << 63), PG, vec));
	munmap(p + 7 * PG, PG);
	CHECK("mincore over the end", mincore(p, 8 * PG, vec));
}

static void sync_lock(void)
{
	char *p = map_anon(4, RW);

	CHECK("msync", msync(p, 4 * PG, MS_SYNC));
	CHECK("msync async", msync(p, 4 * PG, MS_ASYNC));
	CHECK("msync nothing", msync(p, 0, MS_SYNC));
	CHECK("msync both", msync(p, PG, MS_SYNC | MS_ASYNC));
	CHECK("msync flags", msync(p, PG, 8));
	CHECK("msync odd", msync(p + 1, PG, MS_SYNC));
	CHECK("msync hole", msync((void *)0x100000000, PG, MS_SYNC));
	CHECK("mlock", mlock(p, 2 * PG));
	unsigned char vec[4];
	mincore(p, 4 * PG, vec);
	NOTE("locked is resident", "%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
	CHECK("dontneed of locked", madvise(p, PG, MADV_DONTNEED));
	CHECK("msync invalidate of locked", msync(p, PG, MS_SYNC | MS_INVALIDATE));
	CHECK("munlock", munlock(p, 2 * PG));
	CHECK("dontneed of unlocked", madvise(p, PG, MADV_DONTNEED));
	CHECK("mlock odd address", mlock(p + 5, 10));
	CHECK("munlock odd address", munlock(p + 5, 10));
	CHECK("mlock nothing there", mlock((void *)0x100000000, PG));
	CHECK("munlock nothing there", munlock((void *)0x100000000, PG));
	CHECK("mlock2", syscall(SYS_mlock2, p, PG, 0));
	CHECK("mlock2 on fault", syscall(SYS_mlock2, p + PG, PG, 1));
	CHECK("mlock2 flags", syscall(SYS_mlock2, p, PG, 2));
	CHECK("mlockall nothing", mlockall(0));
	CHECK("mlockall flags", mlockall(8));
	CHECK("mlockall on fault alone", mlockall(4));
	CHECK("munlockall", munlockall());
}

static void barrier(void)
{
	long q = syscall(SYS_membarrier, 0, 0, 0);

	NOTE("membarrier knows global", "%d", (q & 1) != 0);
	NOTE("membarrier knows private", "%d", (q & 8) != 0 && (q & 16) != 0);
	CHECK("membarrier global", syscall(SYS_membarrier, 1, 0, 0));
	CHECK("membarrier unregistered", syscall(SYS_membarrier, 8, 0, 0));
	CHECK("membarrier register", syscall(SYS_membarrier, 16, 0, 0));
	CHECK("membarrier private", syscall(SYS_membarrier, 8, 0, 0));
	CHECK("membarrier unknown", syscall(SYS_membarrier, 1 << 20, 0, 0));
	CHECK("membarrier flags", syscall(SYS_membarrier, 8, 4, 0));
}

int main(void)
{
	probe_init();
	advise();
	in_core();
	sync_lock();
	barrier();
	return 0;
}
