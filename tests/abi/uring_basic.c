/* uring_basic.c - io_uring: setup and its refusals, NOP, reading and writing, links, drains, overflow, registered things. */
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "uring.h"

#define OP(x) IORING_OP_##x

static long setup_flags(unsigned entries, unsigned flags, unsigned cq)
{
	struct io_uring_params p = { .flags = flags, .cq_entries = cq };
	long fd = ring_setup(entries, &p);

	if (fd >= 0) {
		printf("# %u %u\n", p.sq_entries, p.cq_entries);
		close((int)fd);
		return 0;
	}
	return fd;
}

static void setup(void)
{
	struct io_uring_params p = { 0 };

	CHECK("setup zero entries", setup_flags(0, 0, 0));
	CHECK("setup too many", setup_flags(32769, 0, 0));
	CHECK("setup too many, clamped", setup_flags(32769, IORING_SETUP_CLAMP, 0));
	CHECK("setup one", setup_flags(1, 0, 0));
	CHECK("setup five", setup_flags(5, 0, 0));
	CHECK("setup cq 100", setup_flags(4, IORING_SETUP_CQSIZE, 100));
	CHECK("setup cq 0", setup_flags(4, IORING_SETUP_CQSIZE, 0));
	CHECK("setup cq small", setup_flags(8, IORING_SETUP_CQSIZE, 4));
	CHECK("setup taskrun flag alone", setup_flags(4, IORING_SETUP_TASKRUN_FLAG, 0));
	CHECK("setup defer alone", setup_flags(4, IORING_SETUP_DEFER_TASKRUN, 0));
	CHECK("setup defer", setup_flags(4, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER, 0));
	CHECK("setup coop", setup_flags(4, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, 0));
	CHECK("setup affinity without sqpoll", setup_flags(4, IORING_SETUP_SQ_AFF, 0));
	CHECK("setup sqe128 cqe32", setup_flags(4, IORING_SETUP_SQE128 | IORING_SETUP_CQE32, 0));
	CHECK("setup unknown flag", setup_flags(4, 1u << 31, 0));
	CHECK("setup bad params", ring_setup(4, (void *)1));
	p.resv[1] = 1;
	CHECK("setup reserved", ring_setup(4, &p));
	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_ATTACH_WQ;
	p.wq_fd = 0;
	CHECK("setup attach to no ring", ring_setup(4, &p));
	p.wq_fd = 999;
	CHECK("setup attach to nothing", ring_setup(4, &p));
	CHECK("enter no ring", ring_enter(0, 0, 0, 0, NULL, 0));
	CHECK("enter nothing", ring_enter(999, 0, 0, 0, NULL, 0));
	CHECK("enter unknown flag", ring_enter(0, 0, 0, 1u << 20, NULL, 0));
	CHECK("register no ring", ring_register(0, IORING_REGISTER_PROBE, NULL, 0));
	CHECK("register nothing", ring_register(999, IORING_REGISTER_PROBE, NULL, 0));
}

static void geometry(void)
{
	struct ring r;
	static const char *const names[] = { "single mmap", "nodrop", "submit stable", "rw cur pos", "cur personality", "fast poll",
					     "poll 32bits", "sqpoll nonfixed", "ext arg", "native workers", NULL, "cqe skip", "linked file" };

	ring_open(&r, 8, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i])
			NOTE("feature", "%s %d", names[i], !!(r.p.features & 1u << i));
	NOTE("entries", "%u %u", r.p.sq_entries, r.p.cq_entries);
	NOTE("sq offsets", "%u %u %u %u %u %u %u", r.p.sq_off.head, r.p.sq_off.tail, r.p.sq_off.ring_mask, r.p.sq_off.ring_entries,
	     r.p.sq_off.flags, r.p.sq_off.dropped, r.p.sq_off.array);
	NOTE("cq offsets", "%u %u %u %u %u %u %u", r.p.cq_off.head, r.p.cq_off.tail, r.p.cq_off.ring_mask, r.p.cq_off.ring_entries,
	     r.p.cq_off.overflow, r.p.cq_off.cqes, r.p.cq_off.flags);
	NOTE("masks", "%u %u", r.sq_mask, r.cq_mask);
	void *cq = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, IORING_OFF_CQ_RING);
	NOTE("cq ring maps", "%d %u", cq != MAP_FAILED, *(unsigned *)((char *)cq + r.p.cq_off.ring_entries));
	NOTE("cloexec", "%d", fcntl(r.fd, F_GETFD));
	ring_close(&r);
}

static void nops(void)
{
	struct ring r;

	ring_open(&r, 4, 0);
	for (int i = 0; i < 4; i++)
		ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, (unsigned)i);
	ring_run(&r, "nops", 4);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 7)->flags = 1 << 7;
	ring_run(&r, "unknown sqe flag", 1);
	ring_sqe(&r, 200, -1, NULL, 0, 0, 8);
	ring_run(&r, "unknown opcode", 1);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 9)->personality = 5;
	ring_run(&r, "unknown personality", 1);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 9)->flags = IOSQE_BUFFER_SELECT;
	ring_run(&r, "no buffers here", 1);
	/* An index out of range. */
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 10);
	r.array[(*r.sq_tail - 1) & r.sq_mask] = 77;
	CHECK("bad index", ring_go(&r, 0));
	NOTE("dropped", "%u, %u ready", *r.sq_dropped, ring_ready(&r));
	CHECK("nothing to submit", ring_enter(r.fd, 3, 0, 0, NULL, 0));
	ring_close(&r);
}

static void overflow(void)
{
	struct ring r;

	memset(&r, 0, sizeof(r));
	r.p.flags = IORING_SETUP_CQSIZE;
	r.p.cq_entries = 4;
	ring_open_params(&r, 4);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 4; i++)
			ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, (unsigned)round * 4 + i);
		ring_go(&r, 0);
	}
	NOTE("overflow", "%u ready, flag %d, lost %u", ring_ready(&r), !!(*r.sq_flags & IORING_SQ_CQ_OVERFLOW), *r.cq_overflow);
	ring_print(&r, "first four", 4);
	CHECK("flush", ring_enter(r.fd, 0, 4, IORING_ENTER_GETEVENTS, NULL, 0));
	NOTE("overflow after", "flag %d, lost %u", !!(*r.sq_flags & IORING_SQ_CQ_OVERFLOW), *r.cq_overflow);
	ring_print(&r, "next four", 4);
	ring_close(&r);
}

static void files(void)
{
	struct ring r;
	char buf[64] = "the quick brown fox", in[64] = { 0 };
	struct iovec v[2] = { { buf, 4 }, { buf + 4, 6 } };
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600), dir = open(".", O_RDONLY);

	ring_open(&r, 8, 0);
	ring_sqe(&r, OP(WRITE), fd, buf, 19, 0, 1);
	ring_run(&r, "write", 1);
	ring_sqe(&r, OP(READ), fd, in, 64, 4, 2);
	ring_run(&r, "read", 1);
	NOTE("data", "%.20s", in);
	ring_sqe(&r, OP(WRITEV), fd, v, 2, 100, 3);
	ring_run(&r, "writev", 1);
	ring_sqe(&r, OP(READV), fd, v, 2, 0, 4);
	ring_run(&r, "readv", 1);
	ring_sqe(&r, OP(READ), fd, in, 5, ~0ull, 5);
	ring_sqe(&r, OP(READ), fd, in + 5, 5, ~0ull, 6)->flags = IOSQE_ASYNC;
	ring_run(&r, "at the position", 2);
	NOTE("position", "%ld", (long)lseek(fd, 0, SEEK_CUR));
	ring_sqe(&r, OP(READ), fd, in, 10, 1000, 7);
	ring_run(&r, "beyond the end", 1);
	ring_sqe(&r, OP(READ), 999, in, 10, 0, 1);
	ring_sqe(&r, OP(READ), dir, in, 10, 0, 2);
	ring_sqe(&r, OP(WRITE), dir, in, 10, 0, 3);
	ring_sqe(&r, OP(READ), fd, (void *)8, 10, 0, 4);
	ring_sqe(&r, OP(READ), fd, in, 10, -5ull, 5);
	ring_sqe(&r, OP(READ), fd, in, 10, 0, 6)->rw_flags = 1 << 20;
	ring_sqe(&r, OP(READ), fd, in, 10, 0, 7)->ioprio = 5 << 13;
	for (int i = 0; i < 7; i++) {
		static const char *const what[] = { "no descriptor", "a directory", "a directory to write", "a bad buffer", "a negative offset",
						    "unknown rw flag", "a bad priority" };
		struct ring one;
		ring_open(&one, 1, 0);
		struct io_uring_sqe *s = ring_sqe(&one, OP(NOP), 0, NULL, 0, 0, 0);
		*s = r.sqes[(*r.sq_tail - 7 + (unsigned)i) & r.sq_mask];
		ring_run(&one, what[i], 1);
		ring_close(&one);
	}
	ring_close(&r);
	ring_open(&r, 8, 0);
	ring_sqe(&r, OP(FSYNC), fd, NULL, 0, 0, 1);
	ring_sqe(&r, OP(FSYNC), fd, NULL, 0, 0, 2)->fsync_flags = IORING_FSYNC_DATASYNC;
	ring_sqe(&r, OP(FSYNC), fd, NULL, 0, 0, 3)->fsync_flags = 8;
	ring_run(&r, "fsync", 3);
	ring_sqe(&r, OP(FALLOCATE), fd, (void *)8192, 0, 0, 1);
	ring_run(&r, "fallocate", 1);
	NOTE("size", "%ld", (long)lseek(fd, 0, SEEK_END));
	ring_sqe(&r, OP(FADVISE), fd, NULL, 0, 0, 1)->fadvise_advice = POSIX_FADV_WILLNEED;
	ring_sqe(&r, OP(FADVISE), fd, NULL, 0, 0, 2)->fadvise_advice = 77;
	ring_sqe(&r, OP(SYNC_FILE_RANGE), fd, NULL, 100, 0, 3)->sync_range_flags = 7;
	ring_run(&r, "advice", 3);
	void *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 1, 8192);
	ring_sqe(&r, OP(MADVISE), -1, m, 8192, 0, 1)->fadvise_advice = MADV_DONTNEED;
	ring_sqe(&r, OP(MADVISE), -1, m, 8192, 0, 2)->fadvise_advice = 1234;
	ring_run(&r, "madvise", 2);
	NOTE("dropped page", "%d", *(char *)m);
	ring_sqe(&r, OP(FSETXATTR), fd, "user.a", 5, (unsigned long)"value", 1);
	ring_run(&r, "fsetxattr", 1);
	ring_sqe(&r, OP(FGETXATTR), fd, "user.a", 64, (unsigned long)in, 1);
	ring_run(&r, "fgetxattr", 1);
	NOTE("value", "%.5s", in);
	ring_sqe(&r, OP(SETXATTR), 0, "user.b", 3, (unsigned long)"two", 1)->addr3 = (unsigned long)"file";
	ring_run(&r, "setxattr", 1);
	ring_sqe(&r, OP(GETXATTR), 0, "user.b", 64, (unsigned long)in, 1)->addr3 = (unsigned long)"file";
	ring_run(&r, "getxattr", 1);
	ring_sqe(&r, OP(GETXATTR), 0, "user.none", 64, (unsigned long)in, 1)->addr3 = (unsigned long)"file";
	ring_run(&r, "no such attribute", 1);
	ring_sqe(&r, OP(GETXATTR), 0, "user.b", 64, (unsigned long)in, 1)->addr3 = (unsigned long)"none";
	ring_run(&r, "no such file", 1);
	struct io_uring_sqe *x = ring_sqe(&r, OP(SETXATTR), 0, "user.b", 3, (unsigned long)"two", 1);
	x->addr3 = (unsigned long)"file";
	x->xattr_flags = 1;
	ring_run(&r, "create what is there", 1);
	ring_close(&r);
	close(fd);
	close(dir);
}

static void links(void)
{
	struct ring r;
	char a[8], b[8];
	int fd = open("file", O_RDWR);

	ring_open(&r, 16, 0);
	for (unsigned i = 1; i <= 4; i++)
		ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, i)->flags = i < 4 ? IOSQE_IO_LINK : 0;
	ring_run(&r, "chain", 4);
	ring_sqe(&r, OP(READ), 999, a, 8, 0, 1)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 2)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 4);
	ring_run(&r, "broken chain", 4);
	ring_sqe(&r, OP(READ), 999, a, 8, 0, 1)->flags = IOSQE_IO_HARDLINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 2)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "hard chain", 3);
	ring_sqe(&r, OP(READ), fd, a, 8, 8190, 1)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(READ), fd, b, 8, 0, 2);
	ring_run(&r, "short read breaks", 2);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, 200, -1, NULL, 0, 0, 2)->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "refused in a chain", 3);
	ring_sqe(&r, OP(WRITE), fd, "abcdefgh", 8, 0, 1)->flags = IOSQE_IO_LINK | IOSQE_ASYNC;
	ring_sqe(&r, OP(READ), fd, b, 8, 0, 2);
	ring_run(&r, "write then read", 2);
	NOTE("read", "%.8s", b);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 2);
	ring_run(&r, "skipped success", 1);
	ring_sqe(&r, OP(READ), 999, a, 8, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 2);
	ring_run(&r, "skipped failure", 1);
	/* The call ends at a refused submission; the rest waits. */
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1);
	ring_sqe(&r, 200, -1, NULL, 0, 0, 2);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "refused", 2);
	CHECK("the rest", ring_enter(r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	ring_print(&r, "the rest done", 1);
	ring_close(&r);
	ring_open(&r, 8, IORING_SETUP_SUBMIT_ALL);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1);
	ring_sqe(&r, 200, -1, NULL, 0, 0, 2);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	ring_run(&r, "submit all", 3);
	ring_close(&r);
	close(fd);
}

static void drains(void)
{
	struct ring r;
	int p[2];
	char c = 0;

	ring_open(&r, 8, 0);
	if (pipe(p))
		exit(1);
	ring_sqe(&r, OP(READ), p[0], &c, 1, 0, 1);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 2)->flags = IOSQE_IO_DRAIN;
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3);
	CHECK("drain submitted", ring_go(&r, 0));
	NOTE("drain holds", "%u", ring_ready(&r));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	struct io_uring_cqe e;
	for (int i = 0; i < 3; i++) {
		while (!ring_take(&r, &e))
			ring_enter(r.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
		NOTE("drained", "%llu %d", (unsigned long long)e.user_data, e.res);
	}
	ring_close(&r);
	close(p[0]);
	close(p[1]);
}

static void registered(void)
{
	struct ring r;
	static char area[16384] __attribute__((aligned(4096)));
	struct iovec v[3] = { { area, 4096 }, { area + 4096, 4096 }, { NULL, 0 } };
	int fd = open("file", O_RDWR), fds[3] = { fd, -1, 0 };
	char in[8] = { 0 };

	ring_open(&r, 8, 0);
	CHECK("unregister no buffers", ring_register(r.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	CHECK("register buffers", ring_register(r.fd, IORING_REGISTER_BUFFERS, v, 3));
	CHECK("register again", ring_register(r.fd, IORING_REGISTER_BUFFERS, v, 3));
	memcpy(area, "fixed bytes", 11);
	ring_sqe(&r, OP(WRITE_FIXED), fd, area, 11, 0, 1);
	ring_run(&r, "write fixed", 1);
	ring_sqe(&r, OP(READ_FIXED), fd, area + 4096 + 10, 11, 0, 1)->buf_index = 1;
	ring_run(&r, "read fixed", 1);
	NOTE("bytes", "%.11s", area + 4096 + 10);
	ring_sqe(&r, OP(READ_FIXED), fd, area + 4096, 11, 0, 1);
	ring_run(&r, "outside", 1);
	ring_sqe(&r, OP(READ_FIXED), fd, area, 11, 0, 1)->buf_index = 9;
	ring_run(&r, "no such buffer", 1);
	ring_sqe(&r, OP(READ_FIXED), fd, area, 11, 0, 1)->buf_index = 2;
	ring_run(&r, "an empty one", 1);
	CHECK("unregister buffers", ring_register(r.fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	v[0].iov_base = (void *)8;
	CHECK("register bad memory", ring_register(r.fd, IORING_REGISTER_BUFFERS, v, 1));
	CHECK("register none", ring_register(r.fd, IORING_REGISTER_BUFFERS, v, 0));

	CHECK("unregister no files", ring_register(r.fd, IORING_UNREGISTER_FILES, NULL, 0));
	CHECK("register files", ring_register(r.fd, IORING_REGISTER_FILES, fds, 3));
	CHECK("register files again", ring_register(r.fd, IORING_REGISTER_FILES, fds, 3));
	close(fd);
	ring_sqe(&r, OP(READ), 0, in, 5, 0, 1)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "fixed file", 1);
	NOTE("bytes", "%.5s", in);
	ring_sqe(&r, OP(READ), 1, in, 5, 0, 1)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "empty place", 1);
	ring_sqe(&r, OP(READ), 7, in, 5, 0, 1)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "no place", 1);
	ring_sqe(&r, OP(OPENAT), AT_FDCWD, "file", 0, 0, 1)->file_index = 2;
	ring_run(&r, "open into a place", 1);
	ring_sqe(&r, OP(READ), 1, in, 5, 0, 1)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "read from it", 1);
	struct io_uring_sqe *s = ring_sqe(&r, OP(CLOSE), 0, NULL, 0, 0, 1);
	s->file_index = 2;
	ring_run(&r, "close the place", 1);
	s = ring_sqe(&r, OP(CLOSE), 0, NULL, 0, 0, 1);
	s->file_index = 2;
	ring_run(&r, "close it again", 1);
	ring_sqe(&r, OP(OPENAT), AT_FDCWD, "file", 0, 0, 1)->file_index = IORING_FILE_INDEX_ALLOC;
	ring_run(&r, "open into any", 1);
	ring_sqe(&r, OP(OPENAT), AT_FDCWD, "file", 0, 0, 1)->file_index = IORING_FILE_INDEX_ALLOC;
	ring_run(&r, "none is left", 1);
	ring_sqe(&r, OP(OPENAT), AT_FDCWD, "file", 0, 0, 1)->file_index = 9;
	ring_run(&r, "a place too high", 1);
	/* A descriptor from a link: the read is looked up when its turn comes. */
	s = ring_sqe(&r, OP(CLOSE), 0, NULL, 0, 0, 1);
	s->file_index = 2;
	s->flags = IOSQE_IO_LINK;
	s = ring_sqe(&r, OP(OPENAT), AT_FDCWD, "file", 0, 0, 2);
	s->file_index = 2;
	s->flags = IOSQE_IO_LINK;
	ring_sqe(&r, OP(READ), 1, in, 5, 0, 3)->flags = IOSQE_FIXED_FILE;
	ring_run(&r, "open and read in a chain", 3);
	int up[2] = { -1, 1 };
	struct io_uring_rsrc_update u = { .offset = 1, .data = (unsigned long)up };
	CHECK("update", ring_register(r.fd, IORING_REGISTER_FILES_UPDATE, &u, 2));
	u.offset = 3;
	CHECK("update too far", ring_register(r.fd, IORING_REGISTER_FILES_UPDATE, &u, 2));
	up[0] = -1;
	ring_sqe(&r, OP(FILES_UPDATE), -1, up, 1, 0, 1);
	ring_run(&r, "update by request", 1);
	ring_sqe(&r, OP(FILES_UPDATE), -1, up, 0, 0, 1);
	ring_run(&r, "update nothing", 1);
	fds[0] = r.fd;
	CHECK("unregister files", ring_register(r.fd, IORING_UNREGISTER_FILES, NULL, 0));
	CHECK("register bad files", ring_register(r.fd, IORING_REGISTER_FILES, (int[]){ 0, 999 }, 2));
	ring_close(&r);
}

static void others(void)
{
	struct ring r;
	int e = eventfd(0, EFD_NONBLOCK), e2 = open("file", O_RDONLY);
	unsigned long long n = 0;
	struct { struct io_uring_probe p; struct io_uring_probe_op ops[64]; } probe;

	ring_open(&r, 8, 0);
	CHECK("eventfd not one", ring_register(r.fd, IORING_REGISTER_EVENTFD, &e2, 1));
	CHECK("eventfd", ring_register(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
	CHECK("eventfd again", ring_register(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1);
	ring_run(&r, "told", 1);
	NOTE("eventfd says", "%ld %llu", (long)read(e, &n, 8), n);
	CHECK("eventfd off", ring_register(r.fd, IORING_UNREGISTER_EVENTFD, NULL, 0));
	CHECK("eventfd off again", ring_register(r.fd, IORING_UNREGISTER_EVENTFD, NULL, 0));
	memset(&probe, 0, sizeof(probe));
	CHECK("probe", ring_register(r.fd, IORING_REGISTER_PROBE, &probe, 64));
	for (int i = 0; i <= OP(SOCKET); i++)
		if (i != OP(URING_CMD))
			NOTE("op", "%d %d %d", i, probe.ops[i].op, probe.ops[i].flags & 1);
	probe.p.resv2[0] = 1;
	CHECK("probe not cleared", ring_register(r.fd, IORING_REGISTER_PROBE, &probe, 64));
	long id = CHECK("personality", ring_register(r.fd, IORING_REGISTER_PERSONALITY, NULL, 0));
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1)->personality = (unsigned short)id;
	ring_run(&r, "as this one", 1);
	CHECK("personality off", ring_register(r.fd, IORING_UNREGISTER_PERSONALITY, NULL, (unsigned)id));
	CHECK("personality off again", ring_register(r.fd, IORING_UNREGISTER_PERSONALITY, NULL, (unsigned)id));
	CHECK("enable what runs", ring_register(r.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	struct io_uring_restriction x[2] = { { .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = OP(NOP) },
					     { .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_PROBE } };
	CHECK("restrict what runs", ring_register(r.fd, IORING_REGISTER_RESTRICTIONS, x, 2));
	CHECK("unknown operation", ring_register(r.fd, 9999, NULL, 0));
	struct io_uring_rsrc_update u = { .offset = -1u, .data = (unsigned)r.fd };
	CHECK("ring for this thread", ring_register(r.fd, IORING_REGISTER_RING_FDS, &u, 1));
	NOTE("place", "%u", u.offset);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1);
	CHECK("enter by place", ring_enter(0, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING, NULL, 0));
	ring_print(&r, "by place", 1);
	u.data = 0;
	CHECK("give the place back", ring_register(r.fd, IORING_UNREGISTER_RING_FDS, &u, 1));
	CHECK("enter by an empty place", ring_enter(0, 0, 0, IORING_ENTER_REGISTERED_RING, NULL, 0));
	ring_close(&r);

	ring_open(&r, 8, IORING_SETUP_R_DISABLED);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 1);
	CHECK("enter disabled", ring_go(&r, 1));
	CHECK("restrict", ring_register(r.fd, IORING_REGISTER_RESTRICTIONS, x, 2));
	CHECK("restrict again", ring_register(r.fd, IORING_REGISTER_RESTRICTIONS, x, 2));
	CHECK("enable", ring_register(r.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	r.queued = 1;
	ring_run(&r, "enabled", 1);
	ring_sqe(&r, OP(READ), e2, &n, 8, 0, 2);
	ring_run(&r, "not allowed", 1);
	ring_sqe(&r, OP(NOP), -1, NULL, 0, 0, 3)->flags = IOSQE_ASYNC;
	ring_run(&r, "flag not allowed", 1);
	CHECK("register not allowed", ring_register(r.fd, IORING_REGISTER_EVENTFD, &e, 1));
	ring_close(&r);
	close(e);
	close(e2);
}

int main(void)
{
	setup();
	geometry();
	nops();
	overflow();
	files();
	links();
	drains();
	registered();
	others();
	return 0;
}
