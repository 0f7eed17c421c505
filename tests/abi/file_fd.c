/* Descriptors: dup, fcntl, close_range, limits. */
#include "abi.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>

static void dups(void)
{
	int a = open("x", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), b;
	struct rlimit rl = { 64, 64 };

	CHECK("dup is the lowest", (b = dup(a)) == a + 1);
	CHECK("dup closed", dup(99));
	CHECK("dup clears cloexec", fcntl(b, F_GETFD));
	CHECK("original keeps it", fcntl(a, F_GETFD));
	CHECK("dup2", dup2(a, 20));
	CHECK("dup2 same", dup2(a, a) == a);
	CHECK("dup2 same, closed", dup2(99, 99));
	CHECK("dup2 closed", dup2(99, 21));
	CHECK("dup2 negative", dup2(a, -1));
	CHECK("dup2 too large", dup2(a, 1 << 30));
	CHECK("dup3 cloexec", dup3(a, 22, O_CLOEXEC));
	CHECK("its flag", fcntl(22, F_GETFD));
	CHECK("dup3 same", dup3(a, a, 0));
	CHECK("dup3 bad flag", dup3(a, 23, O_NONBLOCK));
	CHECK("shared position", (write(a, "abc", 3), lseek(20, 0, SEEK_CUR)));
	CHECK("F_DUPFD from 40", fcntl(a, F_DUPFD, 40));
	CHECK("F_DUPFD from 40 again", fcntl(a, F_DUPFD, 40));
	CHECK("F_DUPFD_CLOEXEC", fcntl(a, F_DUPFD_CLOEXEC, 50));
	CHECK("its flag", fcntl(50, F_GETFD));
	CHECK("F_DUPFD negative", fcntl(a, F_DUPFD, -1));
	setrlimit(RLIMIT_NOFILE, &rl);
	CHECK("F_DUPFD at the limit", fcntl(a, F_DUPFD, 64));
	CHECK("F_DUPFD below the limit", fcntl(a, F_DUPFD, 63));
	CHECK("F_DUPFD full above", fcntl(a, F_DUPFD, 63));
	while (dup(a) >= 0)
		;
	CHECK("table full", dup(a));
	CHECK("open when full", open("never", O_RDWR | O_CREAT, 0600));
	CHECK("nothing was made", access("never", F_OK));
	int p[2] = { -7, -7 };
	CHECK("pipe when full", pipe(p));
	NOTE("array untouched", "%d %d", p[0], p[1]);
	CHECK("socket when full", socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK("close_range", close_range(10, 100, 0));
	CHECK("closed", fcntl(20, F_GETFD));
	CHECK("close_range first > last", close_range(10, 9, 0));
	CHECK("close_range bad flag", close_range(10, 11, 0x80));
	CHECK("close_range cloexec", close_range(a, ~0u, CLOSE_RANGE_CLOEXEC));
	CHECK("flag set", fcntl(a + 1, F_GETFD));
}

static void flags(void)
{
	int fd = open("x", O_RDWR), p[2];

	(void)!pipe2(p, O_NONBLOCK);
	CHECK("F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_WRONLY | O_CREAT));
	NOTE("F_GETFL", "%x", fcntl(fd, F_GETFL));
	CHECK("F_SETFL none", fcntl(fd, F_SETFL, 0));
	NOTE("F_GETFL", "%x", fcntl(fd, F_GETFL));
	NOTE("F_GETFL of pipe2(O_NONBLOCK)", "%x %x", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
	CHECK("F_SETFD", fcntl(fd, F_SETFD, 3));
	CHECK("F_GETFD", fcntl(fd, F_GETFD));
	CHECK("unknown command", fcntl(fd, 77, 0));
	CHECK("closed, unknown", fcntl(99, 77, 0));
	CHECK("F_GETFL closed", fcntl(99, F_GETFL));
	CHECK("F_GETPIPE_SZ", fcntl(p[0], F_GETPIPE_SZ));
	CHECK("F_SETPIPE_SZ 5000", fcntl(p[0], F_SETPIPE_SZ, 5000));
	CHECK("F_SETPIPE_SZ 1", fcntl(p[0], F_SETPIPE_SZ, 1));
	CHECK("F_SETPIPE_SZ 0", fcntl(p[0], F_SETPIPE_SZ, 0));
	CHECK("F_SETPIPE_SZ of a file", fcntl(fd, F_SETPIPE_SZ, 4096));
	CHECK("F_GETOWN", fcntl(p[0], F_GETOWN));
	CHECK("F_SETOWN nobody", fcntl(p[0], F_SETOWN, 999999));
	CHECK("F_SETOWN self", fcntl(p[0], F_SETOWN, getpid()));
	CHECK("F_GETOWN is self", fcntl(p[0], F_GETOWN) == getpid());
	CHECK("F_SETSIG", fcntl(p[0], F_SETSIG, SIGUSR1));
	CHECK("F_GETSIG", fcntl(p[0], F_GETSIG));
	CHECK("F_SETSIG 65", fcntl(p[0], F_SETSIG, 65));
	CHECK("F_GET_SEALS of a file", fcntl(p[0], F_GET_SEALS));
	CHECK("F_NOTIFY", fcntl(fd, F_NOTIFY, 0) >= 0 || errno != 0);
}

static void ioctls(void)
{
	int fd = open("x", O_RDWR), p[2], n = -1;
	struct termios t;

	(void)!pipe(p);
	CHECK("TCGETS file", ioctl(fd, TCGETS, &t));
	CHECK("TCGETS pipe", ioctl(p[0], TCGETS, &t));
	CHECK("isatty(0)", isatty(0));
	CHECK("TIOCGWINSZ pipe", ioctl(p[0], TIOCGWINSZ, &t));
	CHECK("FIONREAD empty", ioctl(p[0], FIONREAD, &n));
	NOTE("count", "%d", n);
	(void)!write(p[1], "12345", 5);
	CHECK("FIONREAD", ioctl(p[0], FIONREAD, &n));
	NOTE("count", "%d", n);
	CHECK("FIONREAD bad address", ioctl(p[0], FIONREAD, (void *)8));
	(void)!ftruncate(fd, 100);
	CHECK("FIONREAD file", ioctl(fd, FIONREAD, &n));
	NOTE("count", "%d", n);
	n = 1;
	CHECK("FIONBIO", ioctl(p[0], FIONBIO, &n));
	NOTE("flags", "%x", fcntl(p[0], F_GETFL));
	n = 0;
	CHECK("FIONBIO off", ioctl(p[0], FIONBIO, &n));
	NOTE("flags", "%x", fcntl(p[0], F_GETFL));
	CHECK("FIOCLEX", ioctl(fd, FIOCLEX));
	CHECK("flag", fcntl(fd, F_GETFD));
	CHECK("FIONCLEX", ioctl(fd, FIONCLEX));
	CHECK("flag", fcntl(fd, F_GETFD));
	CHECK("closed", ioctl(99, FIONREAD, &n));
	CHECK("unknown", ioctl(fd, 0x12345678, &n));
	CHECK("unknown on socket", ioctl(socket(AF_UNIX, SOCK_STREAM, 0), 0x12345678, &n));
}

int main(void)
{
	dups();
	flags();
	ioctls();
	return 0;
}
