/* mm_file.c - mappings of files: private, shared, ends, errors. */
#include <fcntl.h>
#include <sys/stat.h>
#include "mm_probe.h"

static const char path[] = "/tmp/mm_file.tmp";

static void modes(int fd)
{
	int ro = open(path, O_RDONLY), wo = open(path, O_WRONLY), dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	int p[2];

	CHECK_OK("shared rw", (long)mmap(NULL, PG, RW, MAP_SHARED, fd, 0));
	CHECK_OK("shared r of read-only fd", (long)mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0));
	CHECK_OK("shared rw of read-only fd", (long)mmap(NULL, PG, RW, MAP_SHARED, ro, 0));
	CHECK_OK("private rw of read-only fd", (long)mmap(NULL, PG, RW, MAP_PRIVATE, ro, 0));
	CHECK_OK("private r of write-only fd", (long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, wo, 0));
	CHECK_OK("shared w of write-only fd", (long)mmap(NULL, PG, PROT_WRITE, MAP_SHARED, wo, 0));
	CHECK_OK("directory", (long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, dir, 0));
	CHECK_OK("pipe", pipe(p) == 0 ? (long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, p[0], 0) : -1);
	CHECK_OK("odd offset", (long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, 100));
	CHECK_OK("offset overflows", (long)mmap(NULL, 2 * PG, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000));
	CHECK_OK("no type", (long)mmap(NULL, PG, PROT_READ, 0, fd, 0));
	CHECK_OK("validate", (long)mmap(NULL, PG, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
	CHECK_OK("validate unknown flag", (long)mmap(NULL, PG, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
	char *m = mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0);
	CHECK("mprotect w of a read-only shared file", mprotect(m, PG, RW));
	m = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, ro, 0);
	CHECK("mprotect w of a read-only private file", mprotect(m, PG, RW));
	close(ro);
	NOTE("works after close", "%c", m[0]);
	NOTE("private store after close", "%s", probe_write(m));
	CHECK_OK("zero", (long)mmap(NULL, PG, RW, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0));
}

static void sharing(int fd)
{
	char *s = mmap(NULL, 3 * PG, RW, MAP_SHARED, fd, 0), *t = mmap(NULL, 3 * PG, PROT_READ, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 3 * PG, RW, MAP_PRIVATE, fd, 0), buf[4] = "";

	NOTE("contents", "%c %c %c", s[0], s[PG], s[2 * PG]);
	s[0] = 'S';
	NOTE("other view sees", "%c", t[0]);
	NOTE("private view sees", "%c", p[0]);
	CHECK("read", pread(fd, buf, 1, 0));
	NOTE("read sees", "%c", buf[0]);
	NOTE("write", "%zd", pwrite(fd, "W", 1, 1));
	NOTE("views see the write", "%c %c %c", s[1], t[1], p[1]);
	p[0] = 'P';
	NOTE("private store is private", "%c %c", s[0], t[0]);
	s[1] = 'Q';
	NOTE("private page is cut off", "%c", p[1]);
	s[PG] = 'R';
	NOTE("untouched private page follows", "%c", p[PG]);
	CHECK("private dontneed", madvise(p, PG, MADV_DONTNEED));
	NOTE("private is the file again", "%c", p[0]);
	CHECK("msync", msync(s, 3 * PG, MS_SYNC));
	NOTE("mapping by parts", "%c", *(char *)mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, PG));
	CHECK("read into a mapping of the same file", pread(fd, s + 2 * PG, 2, 0));
	NOTE("it arrived", "%c%c", t[2 * PG], t[2 * PG + 1]);
	CHECK("write from a mapping of the same file", pwrite(fd, s, 2, PG));
	NOTE("it arrived", "%c%c", t[PG], t[PG + 1]);
}

static void ends(int fd)
{
	char *s = mmap(NULL, 4 * PG, RW, MAP_SHARED, fd, 0), *p = mmap(NULL, 4 * PG, RW, MAP_PRIVATE, fd, 0);

	CHECK("truncate", ftruncate(fd, 2 * PG + 10));
	NOTE("last page", "%s", probe_read(s + 2 * PG + 100));
	NOTE("last page's rest is zero", "%d", s[2 * PG + 11]);
	NOTE("beyond", "%s %s", probe_read(s + 3 * PG), probe_write(s + 3 * PG));
	NOTE("private beyond", "%s %s", probe_read(p + 3 * PG), probe_write(p + 3 * PG));
	CHECK("grow", ftruncate(fd, 4 * PG));
	NOTE("now there", "%s %d", probe_read(s + 3 * PG), s[3 * PG]);
	NOTE("write there", "%s", probe_write(s + 3 * PG));
	CHECK("cut", ftruncate(fd, PG));
	NOTE("cut off", "%s %s", probe_read(s + PG), probe_read(s));
	CHECK("grow again", ftruncate(fd, 3 * PG));
	NOTE("zero after the cut", "%d %d", s[PG], s[2 * PG]);
	CHECK("empty", ftruncate(fd, 0));
	NOTE("empty file", "%s", probe_read(s));
	CHECK("syscall beyond the end", write(open("/dev/null", O_WRONLY), s, 1) == 1 ? 1 : -1);
	CHECK("syscall reads beyond the end", pwrite(fd, s, 1, 0));
	CHECK("unlink", unlink(path));
	CHECK("grow the unlinked", ftruncate(fd, PG));
	NOTE("mapped though unlinked", "%s %d", probe_write(s), s[0]);
	close(fd);
	NOTE("and closed", "%d", s[0]);
}

int main(void)
{
	probe_init();
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[PG];

	for (int i = 0; i < 3; i++) {
		memset(page, 'a' + i, PG);
		if (write(fd, page, PG) != (ssize_t)PG)
			return 1;
	}
	modes(fd);
	sharing(fd);
	ends(fd);
	return 0;
}
