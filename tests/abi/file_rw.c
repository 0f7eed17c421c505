/* read, write and their relatives: results, errors and their order. */
#include "abi.h"
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wstringop-overflow"

static char buf[8192];
#define BAD ((void *)-4096l)

static void basics(void)
{
	int fd = open("rw", O_RDWR | O_CREAT | O_TRUNC, 0644), ro = open("rw", O_RDONLY), wo = open("rw", O_WRONLY);

	CHECK("write", write(fd, "hello world", 11));
	CHECK("lseek set", lseek(fd, 6, SEEK_SET));
	CHECK("read", read(fd, buf, 100));
	NOTE("read bytes", "%.5s", buf);
	CHECK("read at end", read(fd, buf, 100));
	CHECK("read nothing", read(fd, buf, 0));
	CHECK("read closed", read(99, buf, 1));
	CHECK("write closed", write(99, buf, 1));
	CHECK("read closed, bad buffer", read(99, BAD, 1));
	CHECK("read from O_WRONLY", read(wo, buf, 1));
	CHECK("write to O_RDONLY", write(ro, buf, 1));
	CHECK("write to O_RDONLY, bad buffer", write(ro, BAD, 1));
	lseek(fd, 0, SEEK_SET);
	CHECK("read into bad buffer", read(fd, BAD, 5));
	CHECK("position after it", lseek(fd, 0, SEEK_CUR));
	CHECK("write from bad buffer", write(fd, BAD, 5));
	CHECK("read NULL", read(fd, NULL, 5));
	CHECK("write NULL", write(fd, NULL, 5));
	CHECK("write NULL, no bytes", write(fd, NULL, 0));
	CHECK("read huge count", read(fd, buf, SIZE_MAX));
	CHECK("read SSIZE_MAX", syscall(SYS_read, fd, buf, SSIZE_MAX));
	CHECK("read a directory", read(open(".", O_RDONLY), buf, 1));
	CHECK("read O_PATH", read(open("rw", O_PATH), buf, 1));
	CHECK("size", lseek(fd, 0, SEEK_END));
	close(fd); close(ro); close(wo);
}

static void positions(void)
{
	int fd = open("rw", O_RDWR | O_TRUNC), p[2], e;

	(void)!pipe(p);
	CHECK("pwrite", pwrite(fd, "abc", 3, 10));
	CHECK("position untouched", lseek(fd, 0, SEEK_CUR));
	CHECK("pread hole", pread(fd, buf, 5, 0));
	NOTE("hole is zero", "%d", buf[0] | buf[4]);
	CHECK("pread", pread(fd, buf, 100, 10));
	CHECK("pread beyond", pread(fd, buf, 100, 13));
	CHECK("pread negative", pread(fd, buf, 1, -1));
	CHECK("pwrite negative", pwrite(fd, buf, 1, -1));
	CHECK("pread negative of closed", pread(99, buf, 1, -1));
	CHECK("pread pipe", pread(p[0], buf, 1, 0));
	CHECK("pwrite pipe", pwrite(p[1], buf, 1, 0));
	CHECK("pread wrong end of pipe", pread(p[1], buf, 1, 0));
	CHECK("pread offset overflow", pread(fd, buf, 10, LLONG_MAX - 5));
	CHECK("pwrite offset overflow", pwrite(fd, buf, 10, LLONG_MAX - 5));
	CHECK("lseek negative", lseek(fd, -1, SEEK_SET));
	CHECK("lseek end", lseek(fd, -3, SEEK_END));
	CHECK("lseek before start", lseek(fd, -14, SEEK_END));
	CHECK("lseek beyond end", lseek(fd, 100, SEEK_END));
	CHECK("lseek overflow", lseek(fd, LLONG_MAX, SEEK_CUR));
	CHECK("lseek whence 5", lseek(fd, 0, 5));
	CHECK("lseek whence -1", lseek(fd, 0, -1));
	CHECK("lseek pipe", lseek(p[0], 0, SEEK_SET));
	CHECK("lseek closed", lseek(99, 0, SEEK_SET));
	CHECK("SEEK_DATA beyond", lseek(fd, 100, SEEK_DATA));
	CHECK("SEEK_HOLE at end", lseek(fd, 12, SEEK_HOLE));
	CHECK("SEEK_HOLE beyond", lseek(fd, 13, SEEK_HOLE));
	CHECK("SEEK_DATA negative", lseek(fd, -1, SEEK_DATA));
	e = open("/dev/null", O_RDWR);
	CHECK("lseek /dev/null", lseek(e, 100, SEEK_SET));
	CHECK("read /dev/null", read(e, buf, 10));
	CHECK("write /dev/null", write(e, buf, 10));
	e = open("/dev/zero", O_RDWR);
	buf[0] = 1;
	CHECK("read /dev/zero", read(e, buf, 10));
	NOTE("zero", "%d", buf[0]);
	CHECK("pread /dev/zero", pread(e, buf, 10, 1000));
	e = open("/dev/full", O_RDWR);
	CHECK("write /dev/full", write(e, buf, 10));
	CHECK("read /dev/full", read(e, buf, 10));
}

static void vectors(void)
{
	struct iovec v[3] = { { "one", 3 }, { "", 0 }, { "three", 5 } }, many[1025] = { { 0 } };
	int fd = open("rw", O_RDWR | O_TRUNC);

	CHECK("writev", writev(fd, v, 3));
	lseek(fd, 0, SEEK_SET);
	struct iovec r[2] = { { buf, 2 }, { buf + 100, 100 } };
	CHECK("readv", readv(fd, r, 2));
	NOTE("readv bytes", "%.2s %.6s", buf, buf + 100);
	CHECK("preadv", preadv(fd, r, 2, 4));
	CHECK("pwritev", pwritev(fd, v, 1, 20));
	CHECK("readv none", readv(fd, r, 0));
	CHECK("readv -1", readv(fd, r, -1));
	CHECK("readv 1024", readv(fd, many, 1024));
	CHECK("readv 1025", readv(fd, many, 1025));
	CHECK("readv bad array", readv(fd, BAD, 1));
	r[1].iov_len = (size_t)-1;
	CHECK("readv negative length", readv(fd, r, 2));
	r[1] = (struct iovec){ BAD, 10 };
	lseek(fd, 0, SEEK_SET);
	CHECK("readv bad second", readv(fd, r, 2));
	CHECK("readv closed, bad array", readv(99, BAD, 1));
	CHECK("preadv negative", preadv(fd, v, 1, -5));
	CHECK("preadv2 -1 is the position", preadv2(fd, (struct iovec[]){ { buf, 3 } }, 1, -1, 0));
	CHECK("position moved", lseek(fd, 0, SEEK_CUR));
	CHECK("preadv2 unknown flag", preadv2(fd, (struct iovec[]){ { buf, 3 } }, 1, 0, 0x10000));
	CHECK("pwritev2 append", pwritev2(fd, v, 1, 0, RWF_APPEND));
	CHECK("size after append", lseek(fd, 0, SEEK_END));
	void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap((char *)p + 4096, 4096);
	int q[2];
	(void)!pipe(q);
	CHECK("write across the end of memory to a pipe", write(q[1], (char *)p + 4096, 10));
	struct iovec w[2] = { { "abcd", 4 }, { (char *)p + 4096, 4 } };
	CHECK("writev: good, then bad", writev(fd, w, 2));
}

static void append(void)
{
	int a = open("ap", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644), b = open("ap", O_RDWR);

	CHECK("append", write(a, "aaa", 3));
	CHECK("other", write(b, "b", 1));
	lseek(a, 0, SEEK_SET);
	CHECK("append again", write(a, "ccc", 3));
	CHECK("position", lseek(a, 0, SEEK_CUR));
	CHECK("pwrite with O_APPEND", pwrite(a, "dd", 2, 0));
	CHECK("size", lseek(a, 0, SEEK_END));
	CHECK("all", pread(b, buf, 100, 0));
	NOTE("bytes", "%.8s", buf);
}

static int pipes_signal;
static void on_pipe(int s) { pipes_signal = s; }

static void broken(void)
{
	int p[2], s[2];

	signal(SIGPIPE, on_pipe);
	(void)!pipe(p);
	close(p[0]);
	CHECK("write broken pipe", write(p[1], "x", 1));
	NOTE("signal", "%d", pipes_signal);
	pipes_signal = 0;
	CHECK("write nothing to it", write(p[1], "x", 0));
	NOTE("signal", "%d", pipes_signal);
	socketpair(AF_UNIX, SOCK_STREAM, 0, s);
	close(s[0]);
	pipes_signal = 0;
	CHECK("write broken socket", write(s[1], "x", 1));
	NOTE("signal", "%d", pipes_signal);
	pipes_signal = 0;
	CHECK("send MSG_NOSIGNAL", send(s[1], "x", 1, MSG_NOSIGNAL));
	NOTE("signal", "%d", pipes_signal);
}

/* How many bytes of [from, to) are c. */
static int count(int fd, off_t from, off_t to, char c)
{
	int n = 0;
	char b;

	for (off_t at = from; at < to; at++)
		n += pread(fd, &b, 1, at) == 1 && b == c;
	return n;
}

/* Whole pages that a file in memory lacks, from buffers that end too early, from other pages, and from the very page. */
static void fresh_pages(void)
{
	int fd = memfd_create("fresh", 0);
	char *b = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[3] = { { b, 1000 }, { b + 100, 4096 }, { b + 2 * 4096, 8192 } };

	memset(b, 'x', 3 * 4096);
	mprotect(b + 3 * 4096, 4096, PROT_NONE);
	CHECK("a page, none of it readable", pwrite(fd, b + 3 * 4096, 4096, 0));
	CHECK("size", lseek(fd, 0, SEEK_END));
	CHECK("a page, half of it readable", pwrite(fd, b + 3 * 4096 - 2048, 4096, 4096));
	CHECK("size", lseek(fd, 0, SEEK_END));
	ftruncate(fd, 5 * 4096);
	CHECK("what was written", count(fd, 0, 5 * 4096, 'x'));
	CHECK("zeros", count(fd, 0, 5 * 4096, 0));
	CHECK("two pages and a half", pwrite(fd, b + 2048, 4 * 4096, 2 * 4096));
	CHECK("what was written", count(fd, 2 * 4096, 5 * 4096, 'x'));
	CHECK("pieces", pwritev(fd, v, 3, 6 * 4096));
	CHECK("size", lseek(fd, 0, SEEK_END));
	CHECK("what was written", count(fd, 6 * 4096, 9 * 4096, 'x'));
	ftruncate(fd, 0);
	ftruncate(fd, 3 * 4096);
	char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK("a page from itself", pwrite(fd, m, 4096, 0));
	m[4096 + 5] = 'y';
	CHECK("a page from the next", pwrite(fd, m + 4096, 4096, 2 * 4096));
	NOTE("shown", "%d %d", m[5], m[2 * 4096 + 5]);
	CHECK("zeros", count(fd, 0, 3 * 4096, 0));
	close(fd);
}

int main(void)
{
	basics();
	fresh_pages();
	positions();
	vectors();
	append();
	broken();
	return 0;
}
