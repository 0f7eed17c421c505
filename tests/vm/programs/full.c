/*
 * full.c - on a volume (argv[1]): a store through a mapping into a hole when the volume is full is SIGBUS, and works as soon as something
 * was deleted; the kinds of fallocate that volumes do not have are refused and change nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (1 << 20)

static sigjmp_buf back;
static char *hole;

static void on_bus(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	printf("SIGBUS code %d, address %s\n", si->si_code, (char *)si->si_addr == hole + 12345 ? "right" : "wrong");
	siglongjmp(back, 1);
}

static void store(const char *when, int pages)
{
	if (sigsetjmp(back, 1))
		return;
	((volatile char *)hole)[12345] = 1;
	for (int k = 0; k < pages; k++)
		((volatile char *)hole)[k * 4096] = 1;
	printf("%s: %d pages stored\n", when, pages);
}

static void refused(int fd, const char *name, int mode)
{
	struct stat before, after;

	fstat(fd, &before);
	int r = fallocate(fd, mode, 4096, 8192), e = errno;
	fstat(fd, &after);
	printf("%s: %s, %s\n", name, r ? strerror(e) : "done", before.st_size == after.st_size && before.st_blocks == after.st_blocks ? "as before" : "changed");
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	static char data[65536];
	ssize_t n;

	if (argc < 2 || chdir(argv[1]))
		return 1;
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644), big = open("big", O_RDWR | O_CREAT | O_TRUNC, 0644);
	int small = open("small", O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || big < 0 || ftruncate(fd, SIZE) || small < 0)
		return 1;
	for (int k = 0; k < 16; k++)
		if (write(small, data, sizeof(data)) != (ssize_t)sizeof(data))
			return 1;
	if (fsync(small) || close(small))
		return 1;
	hole = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (hole == MAP_FAILED)
		return 1;
	sigaction(SIGBUS, &sa, NULL);
	while ((n = write(big, data, sizeof(data))) > 0)
		;
	printf("full: %s\n", n < 0 ? strerror(errno) : "no");
	while (write(big, data, 1) > 0)
		;
	store("full", 1);
	printf("read of the hole: %d\n", hole[12345]);
	unlink("small");
	store("something deleted", 128);
	printf("msync: %d, read: %d\n", msync(hole, SIZE, MS_SYNC), hole[12345]);
	refused(fd, "collapse", 8);
	refused(fd, "insert", 32);
	refused(fd, "unshare", 64);
	return 0;
}
