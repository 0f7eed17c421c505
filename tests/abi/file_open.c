/* open, openat, openat2: flags, errors, where they look. */
#include "abi.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static long open2(int dir, const char *path, unsigned long flags, unsigned long mode, unsigned long resolve)
{
	struct open_how how = { flags, mode, resolve };

	return syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static void flags_of(const char *name, int flags)
{
	int fd = open("f", flags, 0600);

	NOTE(name, "%x", fcntl(fd, F_GETFL));
	close(fd);
}

int main(void)
{
	char longname[300], *deep = malloc(5000);
	int dir, fd;

	umask(022);
	memset(longname, 'n', 256);
	longname[256] = 0;
	memset(deep, '/', 4999);
	deep[4999] = 0;
	mkdir("d", 0755);
	symlink("d", "ld");
	symlink("nowhere", "dangling");
	symlink("loop", "loop");
	symlink("f", "lf");

	CHECK_OK("create", open("f", O_RDWR | O_CREAT, 0666));
	CHECK("create exclusive", open("f", O_RDWR | O_CREAT | O_EXCL, 0666));
	CHECK("exclusive on a link", open("dangling", O_RDWR | O_CREAT | O_EXCL, 0666));
	CHECK("absent", open("absent", O_RDONLY));
	CHECK("empty path", open("", O_RDONLY));
	CHECK("bad path", open((char *)-1l, O_RDONLY));
	CHECK("name of 256", open(longname, O_RDONLY));
	longname[255] = 0;
	CHECK("name of 255", open(longname, O_RDONLY));
	CHECK("path of 4999", open(deep, O_RDONLY));
	CHECK("file as directory", open("f/x", O_RDONLY));
	CHECK("trailing slash on file", open("f/", O_RDONLY));
	CHECK("create with trailing slash", open("new/", O_RDWR | O_CREAT, 0666));
	CHECK("directory for writing", open("d", O_WRONLY));
	CHECK("directory with O_CREAT", open("d", O_RDONLY | O_CREAT, 0666));
	CHECK_OK("directory", open("d", O_RDONLY | O_DIRECTORY));
	CHECK("O_DIRECTORY on file", open("f", O_RDONLY | O_DIRECTORY));
	CHECK("loop", open("loop", O_RDONLY));
	CHECK("dangling", open("dangling", O_RDONLY));
	CHECK_OK("through link", open("lf", O_RDONLY));
	CHECK("O_NOFOLLOW on link", open("lf", O_RDONLY | O_NOFOLLOW));
	CHECK("O_NOFOLLOW O_DIRECTORY on link", open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	CHECK_OK("O_PATH O_NOFOLLOW on link", fd = open("lf", O_PATH | O_NOFOLLOW));
	CHECK("fchmod O_PATH", fchmod(fd, 0600));
	CHECK("ioctl-like: fsync O_PATH", fsync(fd));
	CHECK_OK("dup O_PATH", dup(fd));
	CHECK("truncating", open("f", O_RDONLY | O_TRUNC) >= 0);
	CHECK_OK("access mode 3", open("f", 3));
	CHECK("read-only root", open("/proc/version", O_WRONLY | O_CREAT, 0600) >= 0 || errno != 0);

	flags_of("F_GETFL O_RDONLY", O_RDONLY);
	flags_of("F_GETFL O_RDWR|O_APPEND", O_RDWR | O_APPEND);
	flags_of("F_GETFL creation flags go", O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC);
	flags_of("F_GETFL O_NONBLOCK O_SYNC", O_RDWR | O_NONBLOCK | O_SYNC);
	flags_of("F_GETFL O_PATH", O_PATH | O_RDWR | O_CLOEXEC);

	dir = open("d", O_RDONLY | O_DIRECTORY);
	CHECK_OK("openat create", openat(dir, "g", O_RDWR | O_CREAT, 0644));
	CHECK("is in d", access("d/g", F_OK));
	CHECK("openat absent", openat(dir, "f", O_RDONLY));
	CHECK_OK("openat ..", openat(dir, "../f", O_RDONLY));
	CHECK("openat closed", openat(99, "g", O_RDONLY));
	CHECK_OK("openat closed, absolute", openat(99, "/", O_RDONLY));
	CHECK("openat file", openat(open("f", O_RDONLY), "g", O_RDONLY));
	CHECK("openat closed, empty", openat(99, "", O_RDONLY));
	CHECK_OK("openat O_PATH directory", openat(open("d", O_PATH), "g", O_RDONLY));

	CHECK_OK("openat2", open2(dir, "g", O_RDONLY, 0, 0));
	CHECK("openat2 unknown flag", open2(dir, "g", 1ul << 40, 0, 0));
	CHECK("openat2 mode without create", open2(dir, "g", O_RDONLY, 0600, 0));
	CHECK("openat2 bad mode", open2(dir, "h", O_RDWR | O_CREAT, 0100000, 0));
	CHECK("openat2 unknown resolve", open2(dir, "g", O_RDONLY, 0, 64));
	CHECK("openat2 BENEATH ..", open2(dir, "../f", O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK("openat2 BENEATH absolute", open2(dir, "/tmp", O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK_OK("openat2 BENEATH inside", open2(dir, "../d/g" + 5, O_RDONLY, 0, RESOLVE_BENEATH));
	CHECK_OK("openat2 IN_ROOT", open2(dir, "/../../g", O_RDONLY, 0, RESOLVE_IN_ROOT));
	CHECK("openat2 NO_SYMLINKS", open2(AT_FDCWD, "ld/g", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	CHECK("openat2 NO_XDEV", open2(AT_FDCWD, "/proc/version", O_RDONLY, 0, RESOLVE_NO_XDEV));
	CHECK("openat2 BENEATH and IN_ROOT", open2(dir, "g", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	struct { struct open_how how; long more; } big = { { O_RDONLY, 0, 0 }, 0 };
	CHECK_OK("openat2 longer, zero", syscall(SYS_openat2, dir, "g", &big, sizeof(big)));
	big.more = 1;
	CHECK("openat2 longer, not zero", syscall(SYS_openat2, dir, "g", &big, sizeof(big)));
	CHECK("openat2 too short", syscall(SYS_openat2, dir, "g", &big, 8));

	CHECK("O_TMPFILE read-only", open(".", O_TMPFILE | O_RDONLY, 0600));
	CHECK_OK("O_TMPFILE", fd = open(".", O_TMPFILE | O_RDWR, 0600));
	CHECK("write to it", write(fd, "tmp", 3));
	struct stat st = { 0 };
	fstat(fd, &st);
	NOTE("links of it", "%lu", (unsigned long)st.st_nlink);
	CHECK("O_TMPFILE on a file", open("f", O_TMPFILE | O_RDWR, 0600));
	CHECK("creat", creat("c", 0640) >= 0);
	stat("c", &st);
	NOTE("mode with umask", "%o", st.st_mode);
	CHECK("umask", umask(0));
	CHECK("close", close(fd));
	CHECK("close again", close(fd));
	CHECK("close -1", close(-1));
	return 0;
}
