/* Ways to files through other files: /proc/self/fd, /dev/stdout, devices; limits on size. */
#include "abi.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static char path[64], buf[4096];

static const char *fd_path(int fd)
{
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void link_kind(const char *name, int fd)
{
	int n = readlink(fd_path(fd), buf, sizeof(buf) - 1);
	char *digit;

	buf[n > 0 ? n : 0] = 0;
	digit = strchr(buf, '[');
	if (digit && digit[1] >= '0' && digit[1] <= '9')
		strcpy(digit, "[N]");
	NOTE(name, "%s", n < 0 ? strerrorname_np(errno) : strrchr(buf, '/') ? strrchr(buf, '/') : buf);
}

static void links(void)
{
	int p[2], f = open("target", O_RDWR | O_CREAT, 0600), s = socket(AF_UNIX, SOCK_STREAM, 0), e = eventfd(0, 0), g;
	struct stat a = { 0 }, b = { 0 };

	(void)!pipe(p);
	link_kind("file", f);
	link_kind("pipe", p[0]);
	link_kind("socket", s);
	link_kind("eventfd", e);
	link_kind("closed", 99);
	CHECK("lstat of a link", lstat(fd_path(f), &a));
	NOTE("it is a link", "%o", a.st_mode & S_IFMT);
	CHECK("stat through", stat(fd_path(f), &a));
	fstat(f, &b);
	NOTE("same file", "%d", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	(void)!write(f, "hello", 5);
	CHECK_OK("open again", g = open(fd_path(f), O_RDONLY));
	CHECK("own position", read(g, buf, 10));
	CHECK("stat a pipe", stat(fd_path(p[0]), &a));
	NOTE("it is", "%o", a.st_mode & S_IFMT);
	CHECK_OK("open the write end through the read end", g = open(fd_path(p[0]), O_WRONLY));
	CHECK("write", write(g, "abc", 3));
	CHECK("read", read(p[0], buf, 10));
	close(p[1]);
	struct pollfd pf = { p[0], POLLIN, 0 };
	CHECK("still a writer", poll(&pf, 1, 0));
	close(g);
	CHECK("none left", poll(&pf, 1, 0));
	NOTE("events", "%x", pf.revents);
	CHECK("open a socket", open(fd_path(s), O_RDWR));
	unlink("target");
	link_kind("unlinked", f);
	CHECK_OK("open the unlinked", g = open(fd_path(f), O_RDONLY));
	CHECK("read it", read(g, buf, 10));
	CHECK("linkat gives it a name", linkat(AT_FDCWD, fd_path(f), AT_FDCWD, "again", AT_SYMLINK_FOLLOW));
	int t = open(".", O_TMPFILE | O_RDWR, 0600);
	(void)!write(t, "tmp", 3);
	CHECK("linkat names an O_TMPFILE", linkat(AT_FDCWD, fd_path(t), AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK("it is there", access("named", F_OK));
	CHECK("unlink a link", unlink(fd_path(f)) < 0);
	CHECK("follow not", open(fd_path(f), O_RDONLY | O_NOFOLLOW));
	CHECK_OK("/dev/fd", open("/dev/fd/0", O_RDONLY));
	int out = open("/dev/stdout", O_WRONLY | O_APPEND);
	CHECK("/dev/stdout", out >= 0);
	CHECK("write to it", write(out, "", 0));
	CHECK("creating open of it", open("/dev/stderr", O_WRONLY | O_CREAT | O_APPEND, 0644) >= 0);
	CHECK_OK("chdir through an fd", chdir(fd_path(open(".", O_RDONLY))));
	DIR *d = opendir("/proc/self/fd");
	int n = 0, found = 0;
	for (struct dirent *de; d && (de = readdir(d));) {
		n++;
		found += atoi(de->d_name) == f;
	}
	NOTE("directory", "%d %d", n > 6, found);
}

static void devices(void)
{
	int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), r = open("/dev/urandom", O_RDWR);
	struct stat st = { 0 };
	char c = 1;

	CHECK("read null", read(n, buf, 10));
	CHECK("write null", write(n, buf, 4096));
	CHECK("write zero", write(z, buf, 10));
	CHECK("read urandom", read(r, buf, 100));
	CHECK("write urandom", write(r, buf, 10));
	CHECK("null is a device", (stat("/dev/null", &st), S_ISCHR(st.st_mode)));
	CHECK("truncate null", open("/dev/null", O_WRONLY | O_TRUNC) >= 0);
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, z, 0);
	CHECK("map zero", m != MAP_FAILED && m[0] == 0 && (m[0] = 5) == 5);
	CHECK("map null", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, n, 0) == MAP_FAILED);
	NOTE("error", "%s", strerrorname_np(errno));
	CHECK("ftruncate null", ftruncate(n, 0));
	CHECK("fallocate null", fallocate(n, 0, 0, 10));
	CHECK("fsync null", fsync(n));
	CHECK("flock null", fcntl(n, F_GETFL) & O_ACCMODE);
	CHECK("readv full", read(open("/dev/full", O_RDONLY), &c, 1));
	NOTE("it is zero", "%d", c);
}

/* Nothing, too much, and what is not all there. */
static void device_edges(void)
{
	int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), f = open("/dev/full", O_RDWR);
	char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *big = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[2] = { { buf, 0 }, { m + 4096, 8 } };
	volatile size_t all = (size_t)-1;

	munmap(m + 4096, 4096);
	memset(m, 1, 4096);
	memset(big, 1, 1 << 20);
	CHECK("write nothing to null", write(n, buf, 0));
	CHECK("write nothing to full", write(f, buf, 0));
	CHECK("pwrite nothing to full", pwrite(f, buf, 0, 5));
	CHECK("writev nothing to full", writev(f, v, 1));
	CHECK("read nothing of zero", read(z, buf, 0));
	CHECK("write null from nowhere", write(n, m + 4096, 10));
	CHECK("write full from nowhere", write(f, m + 4096, 10));
	CHECK("write 3 GB to null", write(n, (void *)4096, 3ul << 30));
	CHECK("write to null beyond all", write(n, buf, all));
	CHECK("write to null up to where nothing is", write(n, (void *)0x7fffffffe000, 0x1000));
	CHECK("write to null one byte more", write(n, (void *)0x7fffffffe000, 0x1001));
	CHECK("read zero to nowhere", read(z, m + 4096, 10));
	CHECK("read zero across the end of memory", read(z, m + 4000, 200));
	NOTE("cleared", "%d %d %d", m[3999], m[4000], m[4095]);
	v[0] = (struct iovec){ m, 16 };
	CHECK("readv zero: good, then bad", readv(z, v, 2));
	CHECK("writev null: good, then bad", writev(n, v, 2));
	CHECK("preadv zero", preadv(z, v, 1, 100));
	CHECK("read much of zero", read(z, big, 1 << 20));
	NOTE("all zero", "%d", !big[0] && !memcmp(big, big + 1, (1 << 20) - 1));
	CHECK("pwrite null", pwrite(n, buf, 10, 1ul << 40));
	CHECK("pwrite null, negative", pwrite(n, buf, 10, -1));
	CHECK("pwrite null, too far", pwrite(n, buf, 10, 0x7fffffffffffffff));
	CHECK("no position", lseek(z, 0, SEEK_CUR));
	CHECK("write to null opened for reading", write(open("/dev/null", O_RDONLY), buf, 1));
	CHECK("read of zero opened for writing", read(open("/dev/zero", O_WRONLY), buf, 1));
	CHECK("read of zero opened for its path", read(open("/dev/zero", O_PATH), buf, 1));
}

static volatile int got;
static void on_signal(int s) { got = s; }

/* What is printed goes to a file too, so the limit is there only for the call itself. */
#define LIMITED(expr)                                                                  \
	({                                                                             \
		got = 0;                                                               \
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100, RLIM_INFINITY });        \
		long l_ = (expr);                                                      \
		int e_ = errno;                                                        \
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }); \
		errno = e_;                                                            \
		l_;                                                                    \
	})

static void limits(void)
{
	int f = open("limited", O_RDWR | O_CREAT | O_TRUNC, 0600);

	signal(SIGXFSZ, on_signal);
	CHECK("write up to the limit", LIMITED(write(f, buf, 200)));
	NOTE("no signal yet", "%d", got);
	CHECK("write at the limit", LIMITED(write(f, buf, 1)));
	NOTE("signal", "%d", got);
	CHECK("pwrite beyond", LIMITED(pwrite(f, buf, 1, 1000)));
	NOTE("signal", "%d", got);
	CHECK("pwrite inside", LIMITED(pwrite(f, buf, 1, 50)));
	NOTE("no signal", "%d", got);
	CHECK("ftruncate beyond", LIMITED(ftruncate(f, 101)));
	NOTE("signal", "%d", got);
	CHECK("ftruncate to the limit", LIMITED(ftruncate(f, 100)));
	CHECK("fallocate beyond", LIMITED(fallocate(f, 0, 0, 200)));
	CHECK("write after all", pwrite(f, buf, 1, 1000));
}

static void sealing(void)
{
	int m = memfd_create("m", MFD_ALLOW_SEALING);

	(void)!ftruncate(m, 4096);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
	CHECK("seal with a writable mapping", fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK("future writes", fcntl(m, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	p[0] = 'x';
	CHECK("old mapping writes", pread(m, buf, 1, 0) == 1 && buf[0] == 'x');
	CHECK("write", write(m, "y", 1));
	munmap(p, 4096);
	CHECK("seal now", fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
	char *r = mmap(NULL, 4096, PROT_READ, MAP_SHARED, m, 0);
	CHECK("read-only mapping", r != MAP_FAILED && r[0] == 'x');
	CHECK("it cannot become writable", mprotect(r, 4096, PROT_READ | PROT_WRITE));
}

static void fdinfo(void)
{
	int f = open("info", O_RDWR | O_CREAT | O_CLOEXEC, 0600), e = eventfd(7, 0);
	char *line;

	(void)!write(f, "12345", 5);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", f);
	int i = open(path, O_RDONLY);
	CHECK("open", i >= 0);
	memset(buf, 0, sizeof(buf));
	CHECK("read", read(i, buf, sizeof(buf) - 1) > 0);
	line = strtok(buf, "\n");
	NOTE("first line", "%s", line ? line : "");
	line = strtok(NULL, "\n");
	NOTE("second line", "%s", line ? line : "");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e);
	i = open(path, O_RDONLY);
	memset(buf, 0, sizeof(buf));
	(void)!read(i, buf, sizeof(buf) - 1);
	line = strstr(buf, "eventfd-count");
	NOTE("eventfd", "%.31s", line ? line : "");
	CHECK("of a closed one", open("/proc/self/fdinfo/99", O_RDONLY));
}

int main(void)
{
	links();
	devices();
	device_edges();
	limits();
	sealing();
	fdinfo();
	return 0;
}
