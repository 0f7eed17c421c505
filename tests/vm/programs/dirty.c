/*
 * dirty.c - more dirty pages than the machine has memory: `dirty map FILE MB` fills a file by stores through a shared
 * mapping, `dirty write FILE MB` by write(2), each page with its number; both then read it back. Prints "FILE as it should be".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE 4096ul

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void by_mapping(int fd, size_t pages)
{
	uint64_t *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	for (size_t i = 0; i < pages; i++)
		for (size_t k = 0; k < PAGE / 8; k++)
			at[i * PAGE / 8 + k] = i * 1000003 + k;
	munmap(at, pages * PAGE);
}

static void by_write(int fd, size_t pages)
{
	uint64_t buf[PAGE / 8];

	for (size_t i = 0; i < pages; i++) {
		for (size_t k = 0; k < PAGE / 8; k++)
			buf[k] = i * 1000003 + k;
		if (write(fd, buf, PAGE) != (ssize_t)PAGE)
			fail("write");
	}
}

/* With memory full of the file: a large buffer for a small attribute. */
static void attributes(int fd)
{
	static char value[65536], names[65536];

	if (fsetxattr(fd, "user.name", "value", 5, 0))
		fail("fsetxattr");
	for (int i = 0; i < 100; i++)
		if (fgetxattr(fd, "user.name", value, sizeof value) != 5 || memcmp(value, "value", 5) || flistxattr(fd, names, sizeof names) != 10)
			fail("attributes");
}

int main(int argc, char **argv)
{
	uint64_t buf[PAGE / 8];
	size_t pages = argc == 4 ? strtoul(argv[3], NULL, 10) * (1048576 / PAGE) : 0;
	int fd = pages ? open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;

	if (fd < 0 || ftruncate(fd, (off_t)(!strcmp(argv[1], "map") ? pages * PAGE : 0)))
		fail(argc > 2 ? argv[2] : "usage");
	(!strcmp(argv[1], "map") ? by_mapping : by_write)(fd, pages);
	for (size_t i = 0; i < pages; i++) {
		if (pread(fd, buf, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE)
			fail("pread");
		for (size_t k = 0; k < PAGE / 8; k++)
			if (buf[k] != i * 1000003 + k) {
				printf("page %zu, word %zu: %llx\n", i, k, (unsigned long long)buf[k]);
				return 1;
			}
	}
	attributes(fd);
	printf("%s as it should be\n", argv[2]);
	return 0;
}
