/* stat and its relatives, times, modes, sizes, links. */
#include "abi.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>

#include <utime.h>

static void show(const char *name, const char *path)
{
	struct stat st = { 0 };

	if (lstat(path, &st) < 0)
		NOTE(name, "%s", strerrorname_np(errno));
	else
		NOTE(name, "%o links %lu size %ld", st.st_mode, (unsigned long)st.st_nlink, S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static void stats(void)
{
	struct stat st = { 0 };
	int fd = open("s", O_RDWR | O_CREAT | O_TRUNC, 0640), p[2], sv[2];

	(void)!write(fd, "12345", 5);
	show("file", "s");
	mkdir("sd", 0750);
	show("directory", "sd");
	mkdir("sd/sub", 0700);
	CHECK("symlink", symlink("s", "sl"));
	show("link itself", "sl");
	show("absent", "none");
	show("below a file", "s/x");
	CHECK("mkfifo", mkfifo("fifo", 0600));
	show("fifo", "fifo");
	CHECK("stat through link", stat("sl", &st));
	NOTE("mode", "%o", st.st_mode);
	CHECK("stat bad buffer", stat("s", (void *)8));
	CHECK("fstat closed", fstat(99, &st));
	(void)!pipe(p);
	fstat(p[0], &st);
	NOTE("pipe", "%o blksize %ld", st.st_mode & S_IFMT, (long)st.st_blksize);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	fstat(sv[0], &st);
	NOTE("socket", "%o", st.st_mode);
	CHECK("fstatat empty path", fstatat(fd, "", &st, AT_EMPTY_PATH));
	CHECK("fstatat empty path, no flag", fstatat(fd, "", &st, 0));
	CHECK("fstatat bad flag", fstatat(fd, "s", &st, 0x8));
	CHECK("fstatat closed", fstatat(99, "s", &st, 0));
	stat("/dev/null", &st);
	NOTE("/dev/null", "%o %lx", st.st_mode & S_IFMT, (unsigned long)st.st_rdev);
	struct statx sx = { 0 };
	CHECK("statx", statx(AT_FDCWD, "s", 0, STATX_BASIC_STATS, &sx));
	NOTE("statx", "%o %lu %u", sx.stx_mode, (unsigned long)sx.stx_size, sx.stx_nlink);
	CHECK("statx empty", statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &sx));
	CHECK("statx reserved mask", syscall(SYS_statx, AT_FDCWD, "s", 0, 0x80000000u, &sx));
	CHECK("statx sync type", statx(AT_FDCWD, "s", AT_STATX_SYNC_TYPE, STATX_ALL, &sx));
	CHECK("statx bad flag", statx(AT_FDCWD, "s", 8, STATX_ALL, &sx));
	struct statfs sf = { 0 };
	CHECK("statfs", statfs(".", &sf));
	NOTE("name length", "%ld", (long)sf.f_namelen);
	CHECK("statfs absent", statfs("none", &sf));
	CHECK("fstatfs closed", fstatfs(99, &sf));
	CHECK("fstatfs pipe", fstatfs(p[0], &sf));
	NOTE("pipe magic", "%lx", (unsigned long)sf.f_type);
}

static void accesses(void)
{
	CHECK("access", access("s", F_OK));
	CHECK("access rw", access("s", R_OK | W_OK));
	CHECK("access x", access("s", X_OK));
	chmod("s", 0700);
	CHECK("access x after chmod", access("s", X_OK));
	CHECK("access bad mode", access("s", 8));
	CHECK("access absent", access("none", F_OK));
	CHECK("faccessat2 link", syscall(439, AT_FDCWD, "sl", F_OK, AT_SYMLINK_NOFOLLOW));
	CHECK("faccessat2 bad flag", syscall(439, AT_FDCWD, "s", F_OK, 1));
	CHECK("access directory x", access("sd", X_OK));
}

static void links(void)
{
	char b[100];
	int n = CHECK("readlink", readlink("sl", b, sizeof(b)));

	NOTE("text", "%.*s", n, b);
	CHECK("readlink cut", readlink("s" "l", b, 0 + 1));
	CHECK("readlink size 0", readlink("sl", b, 0));
	CHECK("readlink of a file", readlink("s", b, sizeof(b)));
	CHECK("readlink absent", readlink("none", b, sizeof(b)));
	CHECK("readlink bad buffer", syscall(SYS_readlink, "sl", 8, 10));
	CHECK("readlinkat O_PATH", readlinkat(open("sl", O_PATH | O_NOFOLLOW), "", b, sizeof(b)));
	CHECK("readlinkat file, empty", readlinkat(open("s", O_RDONLY), "", b, sizeof(b)));
	CHECK("link", link("s", "hard"));
	show("after link", "s");
	CHECK("link again", link("s", "hard"));
	CHECK("link directory", link("sd", "harddir"));
	CHECK("link absent", link("none", "hard2"));
	CHECK("link of a link", link("sl", "hardlink"));
	show("it is a link", "hardlink");
	CHECK("linkat follow", linkat(AT_FDCWD, "sl", AT_FDCWD, "hardfollow", AT_SYMLINK_FOLLOW));
	show("it is a file", "hardfollow");
	CHECK("linkat bad flag", linkat(AT_FDCWD, "s", AT_FDCWD, "h3", AT_SYMLINK_NOFOLLOW));
	CHECK("symlink exists", symlink("x", "s"));
	CHECK("symlink empty target", symlink("", "empty"));
	CHECK("symlink into nowhere", symlink("x", "none/x"));
}

static void times(void)
{
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	struct timeval tv[2] = { { 3000, 1 }, { 4000, 2 } };
	struct utimbuf ut = { 11, 12 };
	struct stat st = { 0 };

	CHECK("utimensat", utimensat(AT_FDCWD, "s", ts, 0));
	stat("s", &st);
	NOTE("times", "%ld.%ld %ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1] = (struct timespec){ 77, 8 };
	CHECK("omit", utimensat(AT_FDCWD, "s", ts, 0));
	stat("s", &st);
	NOTE("times", "%ld.%ld %ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ts[1].tv_nsec = UTIME_OMIT;
	CHECK("omit both, absent file", utimensat(AT_FDCWD, "none", ts, 0));
	ts[0].tv_nsec = UTIME_NOW;
	CHECK("now", utimensat(AT_FDCWD, "s", ts, 0));
	stat("s", &st);
	NOTE("moved", "%d %ld", st.st_atim.tv_sec > 1000000, st.st_mtim.tv_sec);
	ts[0].tv_nsec = 1000000000;
	CHECK("bad ns", utimensat(AT_FDCWD, "s", ts, 0));
	CHECK("bad flag", utimensat(AT_FDCWD, "s", NULL, 1));
	CHECK("null times", utimensat(AT_FDCWD, "s", NULL, 0));
	CHECK("absent", utimensat(AT_FDCWD, "none", NULL, 0));
	CHECK("link itself", utimensat(AT_FDCWD, "sl", (struct timespec[]){ { 5, 0 }, { 6, 0 } }, AT_SYMLINK_NOFOLLOW));
	lstat("sl", &st);
	NOTE("times of the link", "%ld %ld", st.st_atim.tv_sec, st.st_mtim.tv_sec);
	CHECK("futimens", futimens(open("s", O_RDONLY), (struct timespec[]){ { 5, 0 }, { 6, 0 } }));
	CHECK("utimes", utimes("s", tv));
	stat("s", &st);
	NOTE("times", "%ld.%ld %ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	tv[0].tv_usec = 1000000;
	CHECK("utimes bad", utimes("s", tv));
	CHECK("utime", syscall(SYS_utime, "s", &ut));
	stat("s", &st);
	NOTE("times", "%ld %ld", st.st_atim.tv_sec, st.st_mtim.tv_sec);
}

static void sizes(void)
{
	int fd = open("s", O_RDWR), ro = open("s", O_RDONLY), p[2];
	char b[16] = { 0 };

	(void)!pipe(p);
	CHECK("ftruncate up", ftruncate(fd, 10));
	CHECK("pread", pread(fd, b, 16, 0));
	NOTE("tail is zero", "%d", b[5] | b[9]);
	CHECK("ftruncate down", ftruncate(fd, 2));
	CHECK("ftruncate up again", ftruncate(fd, 4));
	CHECK("pread", pread(fd, b, 16, 0));
	NOTE("tail is zero", "%d", b[2] | b[3]);
	CHECK("ftruncate read-only", ftruncate(ro, 4));
	CHECK("ftruncate negative", ftruncate(fd, -1));
	CHECK("ftruncate pipe", ftruncate(p[1], 0));
	CHECK("ftruncate closed", ftruncate(99, 0));
	CHECK("truncate", truncate("s", 3));
	CHECK("truncate directory", truncate("sd", 3));
	CHECK("truncate absent", truncate("none", 3));
	CHECK("truncate negative", truncate("s", -3));
	CHECK("fallocate", fallocate(fd, 0, 0, 100));
	show("size", "s");
	CHECK("fallocate keep", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000));
	show("size", "s");
	CHECK("fallocate punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 50));
	CHECK("fallocate punch without keep", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 50));
	CHECK("fallocate len 0", fallocate(fd, 0, 0, 0));
	CHECK("fallocate negative", fallocate(fd, 0, -1, 5));
	CHECK("fallocate read-only", fallocate(ro, 0, 0, 10));
	CHECK("fallocate pipe", fallocate(p[1], 0, 0, 10));
	CHECK("fallocate unknown mode", fallocate(fd, 0x100, 0, 10));
	CHECK("fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK("fadvise pipe", posix_fadvise(p[0], 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK("fadvise bad", posix_fadvise(fd, 0, 0, 77));
	CHECK("fsync", fsync(fd));
	CHECK("fdatasync read-only", fdatasync(ro));
	CHECK("fsync pipe", fsync(p[0]));
	CHECK("fsync directory", fsync(open("sd", O_RDONLY)));
	CHECK("syncfs", syncfs(fd));
	CHECK("sync_file_range", sync_file_range(fd, 0, 0, 7));
	CHECK("sync_file_range bad flag", sync_file_range(fd, 0, 0, 8));
	CHECK("sync_file_range pipe", sync_file_range(p[0], 0, 0, 7));
	CHECK("readahead", readahead(fd, 0, 4096));
	CHECK("readahead pipe", readahead(p[0], 0, 4096));
}

static void modes(void)
{
	CHECK("chmod", chmod("s", 04751));
	show("mode", "s");
	CHECK("chmod through link", chmod("sl", 0600));
	show("mode", "s");
	CHECK("fchmod", fchmod(open("s", O_RDONLY), 0644));
	CHECK("chmod absent", chmod("none", 0600));
	CHECK("fchmod closed", fchmod(99, 0600));
	CHECK("chown to nothing new", chown("s", -1, -1));
	CHECK("lchown", lchown("sl", -1, -1));
	CHECK("fchownat bad flag", fchownat(AT_FDCWD, "s", -1, -1, 1));
	CHECK("chown absent", chown("none", -1, -1));
	CHECK("mknod regular", mknod("reg", S_IFREG | 0600, 0));
	show("it", "reg");
	CHECK("mknod exists", mknod("reg", S_IFREG | 0600, 0));
	CHECK("mknod directory", mknod("dirnode", S_IFDIR | 0600, 0));
	CHECK("mknod socket", mknod("sock", S_IFSOCK | 0600, 0));
	show("it", "sock");
	CHECK("open a socket", open("sock", O_RDONLY));
	CHECK("getxattr absent name", getxattr("s", "security.none", NULL, 0));
	CHECK("getxattr unknown namespace", getxattr("s", "nonsense", NULL, 0));
	CHECK("setxattr unknown namespace", setxattr("s", "nonsense", "x", 1, 0));
	CHECK("getxattr empty name", getxattr("s", "", NULL, 0));
}

int main(void)
{
	umask(022);
	stats();
	accesses();
	links();
	times();
	sizes();
	modes();
	return 0;
}
