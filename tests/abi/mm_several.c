/* mm_several.c - mremap over several areas, truncated private pages, remap_file_pages, one's own memory by its pid, policies of one node, keys. */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "mm_probe.h"

static long remap(void *old, size_t ol, size_t nl, int flags, void *to)
{
	return syscall(SYS_mremap, old, ol, nl, flags, to);
}

static void several(void)
{
	char *p = map_anon(8, RW), *to = map_anon(8, PROT_NONE);

	for (int i = 0; i < 8; i++)
		p[i * (long)PG] = (char)('0' + i);
	mprotect(p + 2 * PG, PG, PROT_READ);
	mprotect(p + 5 * PG, PG, PROT_NONE);
	NOTE("same size over several", "%d", remap(p, 8 * PG, 8 * PG, 0, NULL) == (long)p);
	CHECK("growing over several", remap(p, 8 * PG, 9 * PG, MREMAP_MAYMOVE, NULL));
	NOTE("shrink over several", "%d", remap(p, 8 * PG, 4 * PG, 0, NULL) == (long)p);
	NOTE("shrunk", "%s %s %c", probe_read(p + 4 * PG), probe_read(p + 7 * PG), p[3 * PG]);
	NOTE("protection kept", "%s", probe_write(p + 2 * PG));
	NOTE("shrink with a hole", "%d %s", (munmap(p + PG, PG), remap(p, 4 * PG, PG, 0, NULL)) == (long)p, probe_read(p + 3 * PG));
	munmap(to, 8 * PG);
}

static void sparse(void)
{
	char *p = map_anon(6, RW), *to = map_anon(6, PROT_NONE);

	strcpy(p, "first");
	strcpy(p + 3 * PG, "second");
	mprotect(p + 3 * PG, PG, PROT_READ);
	strcpy(p + 5 * PG, "third");
	long r = remap(p, 6 * PG, 6 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	/* Linux moves several areas since 6.17; before, it said EFAULT and left all as it was. */
	if (r == -1 && errno == EFAULT)
		r = remap(p, 3 * PG, 3 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to) < 0 ||
		    remap(p + 3 * PG, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 3 * PG) < 0 ||
		    remap(p + 4 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * PG) < 0 ? -1 : (long)to;
	NOTE("moved", "%d %s %s %s", r == (long)to, to, to + 3 * PG, to + 5 * PG);
	NOTE("as they were", "%s %s", probe_write(to + 3 * PG), probe_write(to + 4 * PG));
	NOTE("source", "%s %s", probe_read(p), probe_read(p + 5 * PG));
	CHECK("first one missing", remap(p, 6 * PG, 6 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to + 100 * PG));
}

static void truncated(void)
{
	int fd = memfd_create("t", 0);
	char buf[3 * 4096];

	memset(buf, 'f', sizeof(buf));
	write(fd, buf, sizeof(buf));
	char *p = mmap(NULL, 3 * PG, RW, MAP_PRIVATE, fd, 0), *hidden = mmap(NULL, 3 * PG, RW, MAP_PRIVATE, fd, 0);
	for (int i = 0; i < 3; i++)
		p[i * (long)PG] = hidden[i * (long)PG] = 'p';
	mprotect(hidden, 3 * PG, PROT_NONE);
	CHECK("cut", ftruncate(fd, PG + 10));
	NOTE("private copies", "%c %c %s", p[0], p[PG], probe_read(p + 2 * PG));
	NOTE("write beyond", "%s", probe_write(p + 2 * PG));
	CHECK("grow", ftruncate(fd, 3 * PG));
	NOTE("grown", "%c %c %d", p[0], p[PG], p[2 * PG]);
	mprotect(hidden, 3 * PG, PROT_READ);
	NOTE("hidden", "%c %c %d", hidden[0], hidden[PG], hidden[2 * PG]);
	p[2 * PG] = 'q';
	CHECK("hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3 * PG));
	NOTE("a hole keeps copies", "%c %c %c", p[0], p[PG], p[2 * PG]);
	CHECK("to nothing", ftruncate(fd, 0));
	NOTE("nothing", "%s %s", probe_read(p), probe_read(p + PG));
	close(fd);
}

static void rearrange(void)
{
	int fd = memfd_create("r", 0);
	char page[4096];

	for (int i = 0; i < 4; i++) {
		memset(page, 'a' + i, sizeof(page));
		write(fd, page, sizeof(page));
	}
	char *p = mmap(NULL, 4 * PG, RW, MAP_SHARED, fd, 0), *q = map_anon(2, RW);
	CHECK("swap", syscall(SYS_remap_file_pages, p, PG, 0, 3, 0));
	CHECK("swap back", syscall(SYS_remap_file_pages, p + 3 * PG, PG, 0, 0, 0));
	NOTE("order", "%c%c%c%c", p[0], p[PG], p[2 * PG], p[3 * PG]);
	p[0] = 'D';
	pread(fd, page, 1, 3 * 4096);
	NOTE("in the file", "%c", page[0]);
	CHECK("all", syscall(SYS_remap_file_pages, p + PG, 2 * PG, 0, 2, 0));
	NOTE("order now", "%c%c%c%c", p[0], p[PG], p[2 * PG], p[3 * PG]);
	CHECK("with protection", syscall(SYS_remap_file_pages, p, PG, PROT_READ, 3, 0));
	CHECK("private", syscall(SYS_remap_file_pages, q, PG, 0, 0, 0));
	CHECK("nothing", syscall(SYS_remap_file_pages, p, 0, 0, 0, 0));
	CHECK("wraps", syscall(SYS_remap_file_pages, p, 2 * PG, 0, -1, 0));
	CHECK("nobody", syscall(SYS_remap_file_pages, 16 * PG * PG, PG, 0, 0, 0));
	close(fd);
}

static void own_memory(void)
{
	char a[64] = "some bytes of mine", b[64] = "", c[8];
	struct iovec l[3] = { { b, 5 }, { c, 0 }, { b + 10, 30 } }, r[2] = { { a, 7 }, { a + 7, 12 } };
	pid_t me = getpid();

	CHECK("read", process_vm_readv(me, l, 3, r, 2, 0));
	NOTE("got", "%.5s|%s", b, b + 10);
	struct iovec wl = { "written", 8 }, wr = { a, 64 };
	CHECK("write", process_vm_writev(me, &wl, 1, &wr, 1, 0));
	NOTE("wrote", "%s", a);
	CHECK("flags", process_vm_readv(me, l, 1, r, 1, 1));
	CHECK("no local", process_vm_readv(me, NULL, 0, r, 1, 0));
	CHECK("no remote", process_vm_readv(me, l, 1, r, 0, 0));
	CHECK("too many", process_vm_readv(me, l, 1025, r, 1, 0));
	CHECK("bad list", process_vm_readv(me, (void *)8, 1, r, 1, 0));
	CHECK("nobody's", process_vm_readv(4000000, l, 1, r, 1, 0));
	r[0] = (struct iovec){ (void *)16, 8 };
	CHECK("bad remote", process_vm_readv(me, l, 1, r, 1, 0));
	char *p = map_anon(2, RW), *q = map_anon(2, RW);
	munmap(p + PG, PG);
	r[0] = (struct iovec){ p + PG - 100, 200 };
	l[0] = (struct iovec){ q, 200 };
	CHECK("half there", process_vm_readv(me, l, 1, r, 1, 0));
}

static void policies(void)
{
	char *p = map_anon(4, RW);
	int mode = 99, status[4] = { 9, 9, 9, 9 }, nodes[4] = { 0 };
	unsigned long mask = 99, one = 1, two = 2, big[20] = { 0 };
	void *pages[4] = { p, p + PG, (void *)16, p + 2 * PG };

	CHECK("get", syscall(SYS_get_mempolicy, &mode, &mask, 64, NULL, 0));
	NOTE("default", "%d %lu", mode, mask);
	CHECK("allowed", syscall(SYS_get_mempolicy, &mode, &mask, 64, NULL, 4));
	NOTE("allowed", "%lu", mask & 1);
	CHECK("bad flags", syscall(SYS_get_mempolicy, &mode, &mask, 64, NULL, 8));
	CHECK("allowed of an address", syscall(SYS_get_mempolicy, &mode, &mask, 64, p, 6));
	CHECK("address without flag", syscall(SYS_get_mempolicy, &mode, &mask, 64, p, 0));
	CHECK("bad address", syscall(SYS_get_mempolicy, &mode, &mask, 64, (void *)16, 2));
	CHECK("node of a page", syscall(SYS_get_mempolicy, &mode, NULL, 0, p, 3));
	NOTE("node", "%d", mode);
	CHECK("node of a policy", syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 1));
	CHECK("bad pointer", syscall(SYS_get_mempolicy, (void *)8, NULL, 0, NULL, 0));
	CHECK("bind", syscall(SYS_set_mempolicy, 2, &one, 64));
	syscall(SYS_get_mempolicy, &mode, &mask, 64, NULL, 0);
	NOTE("bound", "%d %lu", mode, mask);
	CHECK("interleave", syscall(SYS_set_mempolicy, 3, &one, 64));
	CHECK("next node", syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 1));
	CHECK("preferred nowhere", syscall(SYS_set_mempolicy, 1, NULL, 0));
	syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);
	NOTE("is local", "%d", mode);
	CHECK("local with nodes", syscall(SYS_set_mempolicy, 4, &one, 64));
	CHECK("default with nodes", syscall(SYS_set_mempolicy, 0, &one, 64));
	CHECK("bind nowhere", syscall(SYS_set_mempolicy, 2, NULL, 0));
	CHECK("bind elsewhere", syscall(SYS_set_mempolicy, 2, &two, 64));
	CHECK("unknown", syscall(SYS_set_mempolicy, 77, &one, 64));
	CHECK("static and relative", syscall(SYS_set_mempolicy, 2 | 3 << 14, &one, 64));
	CHECK("bad mask", syscall(SYS_set_mempolicy, 2, (void *)8, 64));
	CHECK("back", syscall(SYS_set_mempolicy, 0, NULL, 0));
	CHECK("mbind", syscall(SYS_mbind, p, 4 * PG, 2, &one, 64, 0));
	CHECK("mbind odd", syscall(SYS_mbind, p + 1, PG, 2, &one, 64, 0));
	CHECK("mbind nothing", syscall(SYS_mbind, p, 0, 2, &one, 64, 0));
	CHECK("mbind hole", syscall(SYS_mbind, (void *)(16 * PG), PG, 2, &one, 64, 0));
	CHECK("mbind flags", syscall(SYS_mbind, p, PG, 2, &one, 64, 64));
	CHECK("mbind moving", syscall(SYS_mbind, p, PG, 2, &one, 64, 2));
	CHECK("mbind unknown", syscall(SYS_mbind, p, PG, 77, &one, 64, 0));
	CHECK("mbind default", syscall(SYS_mbind, p, 4 * PG, 0, NULL, 0, 0));
	p[0] = p[2 * PG] = 1;
	CHECK("move_pages asks", syscall(SYS_move_pages, 0, 4, pages, NULL, status, 0));
	NOTE("status", "%d %d %d %d", status[0], status[1], status[2], status[3]);
	CHECK("move_pages", syscall(SYS_move_pages, getpid(), 1, pages, nodes, status, 2));
	NOTE("moved to", "%d", status[0]);
	nodes[0] = 63;
	CHECK("move_pages nowhere", syscall(SYS_move_pages, 0, 1, pages, nodes, status, 2));
	CHECK("move_pages flags", syscall(SYS_move_pages, 0, 1, pages, nodes, status, 64));
	CHECK("move_pages nobody", syscall(SYS_move_pages, 4000000, 1, pages, NULL, status, 0));
	CHECK("move_pages none", syscall(SYS_move_pages, 0, 0, pages, NULL, status, 0));
	CHECK("migrate", syscall(SYS_migrate_pages, 0, 64, &one, &one));
	CHECK("migrate nobody", syscall(SYS_migrate_pages, 4000000, 64, &one, &one));
	CHECK("migrate to nothing", syscall(SYS_migrate_pages, 0, 64, &one, big));
	CHECK("home node", syscall(450, p, PG, 0, 0));
	CHECK("home node flags", syscall(450, p, PG, 0, 1));
	CHECK("home node nothing", syscall(450, p, 0, 0, 0));
	CHECK("home node odd", syscall(450, p + 1, PG, 0, 0));
	CHECK("home node nowhere", syscall(450, p, PG, 5000, 0));
}

static void keys(void)
{
	char *p = map_anon(1, RW);

	CHECK("alloc flags", syscall(SYS_pkey_alloc, 1, 0));
	CHECK("alloc rights", syscall(SYS_pkey_alloc, 0, 64));
	CHECK("free strange", syscall(SYS_pkey_free, 17));
	CHECK("free negative", syscall(SYS_pkey_free, -1));
	CHECK("mprotect no key", syscall(SYS_pkey_mprotect, p, PG, PROT_READ, -1));
	NOTE("protected", "%s", probe_write(p));
	CHECK("mprotect strange key", syscall(SYS_pkey_mprotect, p, PG, PROT_READ, 17));
}

int main(void)
{
	probe_init();
	several();
	sparse();
	truncated();
	rearrange();
	own_memory();
	policies();
	keys();
	return 0;
}
