/*
 * storage.c - what programs do to a volume, at /data, each between two marks (functions mkNN that do nothing): the counter
 * plugin keeps the instruction counts at the first execution of each mark. "N TICKS" of each is printed too, in ticks of
 * the processor's counter: the Linux guest's clock goes by steps of 10 ms under TCG.
 * The names and repetitions stand in bench/storage.py beside the marks.
 *
 * /data holds two files of 16 MB, a and b, which nobody has read since the machine started.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <x86intrin.h>

#define MK(n)                                            \
	void mk##n(void);                                \
	__attribute__((noinline, noclone)) void mk##n(void) { __asm__ volatile("" ::: "memory"); stamp(n##u - 100); }

static uint64_t stamps[32];
static void stamp(unsigned n)
{
	stamps[n] = __rdtsc();
}
MK(100) MK(101) MK(102) MK(103) MK(104) MK(105) MK(106) MK(107) MK(108) MK(109) MK(110) MK(111) MK(112)
#define LAST 12

#define MB (1u << 20)
static char buf[65536];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}
static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		fail(path);
	return fd;
}
static void moved(ssize_t n, size_t wanted)
{
	if (n != (ssize_t)wanted)
		fail("short or failed transfer");
}

/* The same places on every run and every kernel. */
static unsigned place_next(void)
{
	static uint32_t x = 12345;

	x = x * 1664525u + 1013904223u;
	return (x >> 8) % (16 * MB / 4096);
}

static void reads(void)
{
	int fd = open_or_fail("/data/a", O_RDONLY), other = open_or_fail("/data/b", O_RDONLY);

	mk100();
	for (unsigned i = 0; i < 16 * MB / sizeof buf; i++)
		moved(read(fd, buf, sizeof buf), sizeof buf);
	mk101();
	for (unsigned i = 0; i < 1000; i++)
		moved(pread(other, buf, 4096, (off_t)place_next() * 4096), 4096);
	mk102();
	lseek(fd, 0, SEEK_SET);
	for (unsigned i = 0; i < 16 * MB / sizeof buf; i++)
		moved(read(fd, buf, sizeof buf), sizeof buf);
	mk103();
	close(fd);
	close(other);
}

static void writes(void)
{
	int fd = open_or_fail("/data/new", O_RDWR | O_CREAT | O_TRUNC);

	mk104();
	for (unsigned i = 0; i < 16 * MB / sizeof buf; i++)
		moved(write(fd, buf, sizeof buf), sizeof buf);
	if (fsync(fd))
		fail("fsync");
	mk105();
	for (unsigned i = 0; i < 1000; i++)
		moved(pwrite(fd, buf, 4096, (off_t)place_next() * 4096), 4096);
	if (fsync(fd))
		fail("fsync");
	mk106();
	close(fd);
}

static void syncs(void)
{
	int fd = open_or_fail("/data/log", O_RDWR | O_CREAT | O_TRUNC);

	mk107();
	for (unsigned i = 0; i < 100; i++) {
		moved(write(fd, buf, 4096), 4096);
		if (fsync(fd))
			fail("fsync");
	}
	mk108();
	for (unsigned i = 0; i < 100; i++) {
		moved(pwrite(fd, buf, 4096, (off_t)i * 4096), 4096);
		if (fdatasync(fd))
			fail("fdatasync");
	}
	mk109();
	close(fd);
}

static void files(void)
{
	char name[32];

	if (mkdir("/data/dir", 0755))
		fail("/data/dir");
	mk110();
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "/data/dir/%u", i * 7919);
		int fd = open_or_fail(name, O_WRONLY | O_CREAT | O_EXCL);

		moved(write(fd, buf, 1024), 1024);
		close(fd);
	}
	mk111();
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "/data/dir/%u", i * 7919);
		if (unlink(name))
			fail(name);
	}
	mk112();
}

int main(void)
{
	memset(buf, 'x', sizeof buf);
	reads();
	writes();
	syncs();
	files();
	sync();
	for (unsigned i = 0; i < LAST; i++)
		printf("%u %llu\n", i, (unsigned long long)(stamps[i + 1] - stamps[i]));
	fflush(stdout);
	return 0;
}
