/* aio_basic.c - Linux AIO: contexts, the ring that libaio reads by itself, each operation and its refusals, polls, waiting. */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "abi.h"

struct ring {
	unsigned id, nr, head, tail, magic, compat, incompat, header;
};

static aio_context_t ctx;
static struct io_event ev[16];

static long setup(unsigned nr, aio_context_t *c) { return syscall(SYS_io_setup, nr, c); }
static long destroy(aio_context_t c) { return syscall(SYS_io_destroy, c); }
static long submit(aio_context_t c, long n, struct iocb **v) { return syscall(SYS_io_submit, c, n, v); }
static long cancel(aio_context_t c, struct iocb *i, struct io_event *e) { return syscall(SYS_io_cancel, c, i, e); }
static long events(aio_context_t c, long min, long n, struct io_event *e, struct timespec *t)
{
	return syscall(SYS_io_getevents, c, min, n, e, t);
}

static struct iocb make(int op, int fd, void *buf, size_t len, long long off, unsigned long data)
{
	struct iocb i;

	memset(&i, 0, sizeof(i));
	i.aio_lio_opcode = (unsigned short)op;
	i.aio_fildes = (unsigned)fd;
	i.aio_buf = (unsigned long)buf;
	i.aio_nbytes = len;
	i.aio_offset = off;
	i.aio_data = data;
	return i;
}

/* Submit one and print its event. */
static void one(const char *name, struct iocb i)
{
	struct iocb *v[1] = { &i };
	struct timespec t = { 5, 0 };

	errno = 0;
	long s = submit(ctx, 1, v);
	if (s != 1) {
		NOTE(name, "refused %s", strerrorname_np(errno));
		return;
	}
	memset(ev, 0xee, sizeof(ev));
	long n = events(ctx, 1, 1, ev, &t);
	NOTE(name, "%ld data %llu obj %d res %s%lld res2 %lld", n, (unsigned long long)ev[0].data, ev[0].obj == (unsigned long)&i,
	     ev[0].res < 0 && strerrorname_np((int)-ev[0].res) ? strerrorname_np((int)-ev[0].res) : "", ev[0].res < 0 ? 0ll : (long long)ev[0].res,
	     (long long)ev[0].res2);
}

static void contexts(void)
{
	aio_context_t c = 0, bad = 1;

	CHECK("setup none", setup(0, &c));
	CHECK("setup not cleared", setup(4, &bad));
	CHECK("setup bad memory", setup(4, (void *)8));
	CHECK("setup too many", setup(1u << 20, &c));
	CHECK("setup far too many", setup(1u << 29, &c));
	CHECK("setup too many to count", setup(1u << 31, &c));
	CHECK("setup", setup(100, &c));
	struct ring *r = (void *)c;
	NOTE("ring", "head %u tail %u magic %x compat %u incompat %u header %u room %d", r->head, r->tail, r->magic, r->compat, r->incompat, r->header,
	     r->nr >= 100);
	CHECK("destroy", destroy(c));
	CHECK("destroy again", destroy(c));
	CHECK("destroy nothing", destroy(0));
	CHECK("submit to nothing", submit(c, 0, NULL));
	CHECK("events of nothing", events(c, 0, 1, ev, NULL));
	unsigned char vec;
	CHECK("it is unmapped", mincore((void *)c, 4096, &vec));
}

static void files(void)
{
	static char in[64];
	struct iovec v[2] = { { in, 4 }, { in + 8, 6 } };
	int fd = open("aiofile", O_RDWR | O_CREAT | O_TRUNC, 0600), ro = open("aiofile", O_RDONLY), dir = open(".", O_RDONLY), p[2];

	if (pipe(p))
		exit(1);
	one("pwrite", make(IOCB_CMD_PWRITE, fd, "0123456789abcdef", 16, 0, 1));
	one("pread", make(IOCB_CMD_PREAD, fd, in, 8, 4, 2));
	NOTE("bytes", "%.8s", in);
	one("preadv", make(IOCB_CMD_PREADV, fd, v, 2, 0, 3));
	NOTE("bytes", "%.4s %.6s", in, in + 8);
	one("pwritev", make(IOCB_CMD_PWRITEV, fd, v, 2, 100, 4));
	NOTE("size", "%ld", (long)lseek(fd, 0, SEEK_END));
	one("short", make(IOCB_CMD_PREAD, fd, in, 64, 100, 5));
	one("end", make(IOCB_CMD_PREAD, fd, in, 64, 1000, 6));
	one("fsync", make(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 7));
	one("fdsync", make(IOCB_CMD_FDSYNC, fd, NULL, 0, 0, 8));
	one("fsync with a length", make(IOCB_CMD_FSYNC, fd, NULL, 5, 0, 8));
	one("fsync of a pipe", make(IOCB_CMD_FSYNC, p[0], NULL, 0, 0, 8));
	one("write read-only", make(IOCB_CMD_PWRITE, ro, in, 4, 0, 9));
	one("read a directory", make(IOCB_CMD_PREAD, dir, in, 4, 0, 9));
	one("negative offset", make(IOCB_CMD_PREAD, fd, in, 4, -1, 9));
	one("bad buffer", make(IOCB_CMD_PREAD, fd, (void *)8, 4, 0, 9));
	one("bad buffer far away", make(IOCB_CMD_PREAD, fd, (void *)-4096ul, 4, 0, 9));
	one("negative length", make(IOCB_CMD_PREAD, fd, in, (size_t)-4, 0, 9));
	one("no descriptor", make(IOCB_CMD_PREAD, 999, in, 4, 0, 9));
	one("noop", make(IOCB_CMD_NOOP, fd, NULL, 0, 0, 9));
	one("unknown", make(77, fd, NULL, 0, 0, 9));
	struct iocb i = make(IOCB_CMD_PREAD, fd, in, 4, 0, 9);
	i.aio_reserved2 = 1;
	one("reserved", i);
	i.aio_reserved2 = 0;
	i.aio_rw_flags = 1 << 20;
	one("unknown rw flag", i);
	i.aio_rw_flags = 0;
	i.aio_flags = IOCB_FLAG_RESFD;
	i.aio_resfd = 999;
	one("resfd is nothing", i);
	i.aio_resfd = (unsigned)fd;
	one("resfd is a file", i);
	int e = eventfd(0, EFD_NONBLOCK);
	unsigned long long n = 0;
	i.aio_resfd = (unsigned)e;
	one("resfd", i);
	NOTE("eventfd", "%ld %llu", (long)read(e, &n, 8), n);
	NOTE("write", "%ld", (long)write(p[1], "pipe", 4));
	one("read a pipe", make(IOCB_CMD_PREAD, p[0], in, 64, 77, 10));
	one("write a pipe", make(IOCB_CMD_PWRITE, p[1], "x", 1, 0, 11));
	close(e);
	close(fd);
	close(ro);
	close(dir);
	close(p[0]);
	close(p[1]);
}

static void many(void)
{
	int fd = open("aiofile", O_RDWR);
	static char buf[8][8];
	struct iocb i[8], *v[8];
	struct timespec now = { 0, 0 }, soon = { 0, 20000000 };

	for (int k = 0; k < 8; k++) {
		i[k] = make(IOCB_CMD_PREAD, fd, buf[k], 2, k * 2, (unsigned)k);
		v[k] = &i[k];
	}
	CHECK("submit none", submit(ctx, 0, v));
	CHECK("submit negative", submit(ctx, -1, v));
	CHECK("submit eight", submit(ctx, 8, v));
	struct ring *r = (void *)ctx;
	NOTE("in the ring", "%u", (r->tail - r->head + r->nr) % r->nr);
	CHECK("three of them", events(ctx, 1, 3, ev, NULL));
	NOTE("data", "%llu %llu %llu", (unsigned long long)ev[0].data, (unsigned long long)ev[1].data, (unsigned long long)ev[2].data);
	/* As libaio does: straight from the ring. */
	struct io_event *at = (struct io_event *)((char *)r + r->header);
	NOTE("from the ring", "%llu %lld", (unsigned long long)at[r->head].data, (long long)at[r->head].res);
	__atomic_store_n(&r->head, (r->head + 1) % r->nr, __ATOMIC_SEQ_CST);
	CHECK("the rest", events(ctx, 0, 16, ev, &now));
	NOTE("data", "%llu", (unsigned long long)ev[0].data);
	CHECK("none is left", events(ctx, 1, 16, ev, &now));
	CHECK("nor later", events(ctx, 1, 16, ev, &soon));
	CHECK("min above max", events(ctx, 5, 4, ev, &now));
	CHECK("min below zero", events(ctx, -1, 4, ev, &now));
	CHECK("timeout in bad memory", events(ctx, 1, 4, ev, (void *)8));
	i[3].aio_lio_opcode = 99;
	CHECK("the fourth is bad", submit(ctx, 8, v));
	CHECK("three are done", events(ctx, 0, 16, ev, &now));
	v[1] = (void *)8;
	CHECK("the second is nowhere", submit(ctx, 3, v));
	CHECK("one is done", events(ctx, 0, 16, ev, &now));
	CHECK("nowhere at all", submit(ctx, 3, (void *)8));
	CHECK("submit again", submit(ctx, 1, v));
	CHECK("bad memory for events", events(ctx, 1, 1, (void *)8, &now));
	CHECK("it is still there", events(ctx, 1, 1, ev, &now));
	close(fd);
}

static void full(void)
{
	aio_context_t c = 0;
	struct iocb i, *v[1] = { &i };
	int fd = open("aiofile", O_RDWR), n = 0;
	char b[4];
	struct timespec now = { 0, 0 };

	CHECK("a small one", setup(1, &c));
	i = make(IOCB_CMD_PREAD, fd, b, 1, 0, 0);
	while (n < 100000 && submit(c, 1, v) == 1)
		n++;
	struct ring *r = (void *)c;
	NOTE("full", "%s, ring %d", strerrorname_np(errno), (int)((r->tail - r->head + r->nr) % r->nr) == n);
	CHECK("take some", events(c, 0, 4, ev, &now));
	CHECK("room again", submit(c, 1, v));
	CHECK("destroy", destroy(c));
	close(fd);
}

static void *writer(void *arg)
{
	usleep(30000);
	if (write(*(int *)arg, "x", 1) != 1)
		perror("write");
	return NULL;
}

static void nothing(int sig) { (void)sig; }

static void polls(void)
{
	int p[2];
	struct timespec now = { 0, 0 }, soon = { 0, 20000000 };
	struct iocb i, *v[1] = { &i };
	pthread_t t;
	char c;

	if (pipe(p))
		exit(1);
	one("writable", make(IOCB_CMD_POLL, p[1], (void *)POLLOUT, 0, 0, 1));
	one("poll with an offset", make(IOCB_CMD_POLL, p[1], (void *)POLLOUT, 0, 4, 1));
	one("poll with large events", make(IOCB_CMD_POLL, p[1], (void *)0x10001, 0, 0, 1));
	i = make(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0, 2);
	CHECK("poll", submit(ctx, 1, v));
	CHECK("not yet", events(ctx, 1, 1, ev, &soon));
	pthread_create(&t, NULL, writer, &p[1]);
	CHECK("now", events(ctx, 1, 1, ev, NULL));
	NOTE("poll says", "%llu %lld", (unsigned long long)ev[0].data, (long long)ev[0].res);
	pthread_join(t, NULL);
	NOTE("read", "%ld", (long)read(p[0], &c, 1));
	CHECK("poll again", submit(ctx, 1, v));
	CHECK("cancel", cancel(ctx, &i, ev));
	CHECK("its event", events(ctx, 1, 1, ev, NULL));
	NOTE("it says", "%llu %lld", (unsigned long long)ev[0].data, (long long)ev[0].res);
	CHECK("cancel again", cancel(ctx, &i, ev));
	i.aio_key = 5;
	CHECK("cancel with a key", cancel(ctx, &i, ev));
	CHECK("cancel nowhere", cancel(ctx, (void *)8, ev));
	i.aio_key = 0;
	CHECK("cancel in nothing", cancel(1, &i, ev));
	CHECK("poll again", submit(ctx, 1, v));
	close(p[1]);
	CHECK("hung up", events(ctx, 1, 1, ev, NULL));
	NOTE("it says", "%lld", (long long)ev[0].res);
	close(p[0]);
	/* A signal ends the wait; a mask keeps it out. */
	struct sigaction sa = { .sa_handler = nothing };
	sigaction(SIGALRM, &sa, NULL);
	timer_t timer;
	struct itimerspec its = { { 0, 30000000 }, { 0, 30000000 } };    /* again: the first may come before the wait on a busy host */
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	timer_settime(timer, 0, &its, NULL);
	CHECK("interrupted", events(ctx, 1, 1, ev, NULL));
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	struct { sigset_t *set; size_t size; } mask = { &set, 8 };
	struct timespec later = { 0, 60000000 };
	its.it_interval.tv_nsec = 0;
	timer_settime(timer, 0, &its, NULL);
	CHECK("masked", syscall(SYS_io_pgetevents, ctx, 1, 1, ev, &later, &mask));
	mask.size = 4;
	CHECK("bad mask", syscall(SYS_io_pgetevents, ctx, 1, 1, ev, &now, &mask));
	CHECK("no mask", syscall(SYS_io_pgetevents, ctx, 0, 1, ev, &now, NULL));
	timer_delete(timer);
}

int main(void)
{
	contexts();
	CHECK("setup", setup(64, &ctx));
	files();
	many();
	full();
	polls();
	/* Ends with a poll under way. */
	int p[2];
	struct iocb i, *v[1] = { &i };
	if (pipe(p))
		exit(1);
	i = make(IOCB_CMD_POLL, p[0], (void *)POLLIN, 0, 0, 1);
	CHECK("left over", submit(ctx, 1, v));
	CHECK("destroy with it", destroy(ctx));
	return 0;
}
