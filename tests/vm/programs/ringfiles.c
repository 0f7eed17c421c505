/*
 * ringfiles.c - files and sockets by io_uring alone: each operation that has a system call of its own, one line each. A kernel that was linked
 * for a program of io_uring must be able to do them although the program never makes those calls (tests/vm/link.sh).
 */
#include "abi.h"
#include "uring.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct ring ring;

static int run(const char *name, int op, int fd, const void *addr, unsigned len, unsigned long long off, unsigned flags)
{
	struct io_uring_sqe *s = ring_sqe(&ring, op, fd, addr, len, off, 1);
	struct io_uring_cqe c = { .res = -EIO };

	s->rw_flags = (int)flags;
	if (ring_go(&ring, 1) < 0 || !ring_take(&ring, &c))
		c.res = -EIO;
	printf("%s: %s\n", name, c.res < 0 ? strerrorname_np(-c.res) : "ok");
	return c.res;
}

static void paths(void)
{
	static struct statx x;
	static char value[8];
	int fd;

	run("mkdirat", IORING_OP_MKDIRAT, AT_FDCWD, "/tmp/dir", 0700, 0, 0);
	fd = run("openat", IORING_OP_OPENAT, AT_FDCWD, "/tmp/dir/file", 0600, 0, O_CREAT | O_RDWR);
	run("write", IORING_OP_WRITE, fd, "text", 4, 0, 0);
	run("symlinkat", IORING_OP_SYMLINKAT, AT_FDCWD, "/tmp/dir/file", 0, (unsigned long)"/tmp/dir/symlink", 0);
	run("linkat", IORING_OP_LINKAT, AT_FDCWD, "/tmp/dir/file", (unsigned)AT_FDCWD, (unsigned long)"/tmp/dir/link", 0);
	run("renameat", IORING_OP_RENAMEAT, AT_FDCWD, "/tmp/dir/link", (unsigned)AT_FDCWD, (unsigned long)"/tmp/dir/moved", 0);
	run("fallocate", IORING_OP_FALLOCATE, fd, (void *)8192ul, 0, 0, 0);
	run("statx", IORING_OP_STATX, AT_FDCWD, "/tmp/dir/symlink", STATX_SIZE, (unsigned long)&x, 0);
	printf("size: %llu\n", (unsigned long long)x.stx_size);
	run("fsetxattr", IORING_OP_FSETXATTR, fd, "user.name", 5, (unsigned long)"value", 0);
	run("fgetxattr", IORING_OP_FGETXATTR, fd, "user.name", sizeof value, (unsigned long)value, 0);
	run("tmpfile", IORING_OP_OPENAT, AT_FDCWD, "/tmp", 0600, 0, O_TMPFILE | O_RDWR);
	run("unlinkat", IORING_OP_UNLINKAT, AT_FDCWD, "/tmp/dir/moved", 0, 0, 0);
	run("read", IORING_OP_READ, fd, value, 4, 0, 0);
	run("fsync", IORING_OP_FSYNC, fd, NULL, 0, 0, 0);
	run("close", IORING_OP_CLOSE, fd, NULL, 0, 0, 0);
}

static void sockets(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = run("socket", IORING_OP_SOCKET, AF_INET, NULL, 0, SOCK_STREAM, 0);

	run("connect", IORING_OP_CONNECT, fd, &a, 0, sizeof a, 0);
	run("accept", IORING_OP_ACCEPT, fd, NULL, 0, 0, 0);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	ring_open(&ring, 4, 0);
	paths();
	sockets();
	return 0;
}
