/* splice_all.c - vmsplice, splice between every two kinds of files, and the signals of O_ASYNC. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "abi.h"

static char page[8192] __attribute__((aligned(4096)));

static void vmsplices(void)
{
	int p[2], fd = open("vm", O_RDWR | O_CREAT, 0600);
	char in[64] = { 0 };
	struct iovec v[2] = { { "one ", 4 }, { "two", 3 } }, w = { in, 64 }, bad = { (void *)8, 4 };

	if (pipe(p))
		exit(1);
	CHECK("into a pipe", vmsplice(p[1], v, 2, 0));
	CHECK("out of it", vmsplice(p[0], &w, 1, 0));
	NOTE("bytes", "%.7s", in);
	CHECK("an empty one", vmsplice(p[0], &w, 1, SPLICE_F_NONBLOCK));
	CHECK("nothing", vmsplice(p[1], v, 0, 0));
	CHECK("a file", vmsplice(fd, v, 2, 0));
	CHECK("no descriptor", vmsplice(999, v, 2, 0));
	CHECK("unknown flag", vmsplice(p[1], v, 2, 64));
	CHECK("bad memory", vmsplice(p[1], &bad, 1, 0));
	CHECK("bad vector", vmsplice(p[1], (void *)8, 1, 0));
	CHECK("too many", vmsplice(p[1], v, 2000, 0));
	struct iovec big = { page, sizeof(page) };
	long n = 0, r;
	while ((r = vmsplice(p[1], &big, 1, SPLICE_F_NONBLOCK)) > 0)
		n += r;
	NOTE("filled", "%ld %s", n, strerrorname_np(errno));
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK("nobody reads", vmsplice(p[1], v, 2, 0));
	close(p[1]);
	close(fd);
}

/* One end of each kind with 10 bytes to give, or ready to take. */
enum { FILE_, PIPE_, SOCKET_, EVENT_, DIR_, NULL_, KINDS };
static const char *const kind[] = { "file", "pipe", "socket", "eventfd", "directory", "null" };

static int open_kind(int k, int out, int *other)
{
	int p[2];

	*other = -1;
	switch (k) {
	case FILE_:
		p[0] = open(out ? "out" : "in", O_RDWR | O_CREAT | O_TRUNC, 0600);
		if (!out && pwrite(p[0], "0123456789", 10, 0) != 10)
			exit(1);
		return p[0];
	case PIPE_:
		if (pipe(p) || (!out && write(p[1], "0123456789", 10) != 10))
			exit(1);
		*other = p[!out];
		return p[out];
	case SOCKET_:
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) || (!out && write(p[1], "0123456789", 10) != 10))
			exit(1);
		*other = p[1];
		return p[0];
	case EVENT_:
		return eventfd(3, 0);
	case DIR_:
		return open(".", O_RDONLY);
	default:
		return open("/dev/null", O_RDWR);
	}
}

static void matrix(void)
{
	for (int i = 0; i < KINDS; i++)
		for (int o = 0; o < KINDS; o++) {
			int other_in, other_out, in = open_kind(i, 0, &other_in), out = open_kind(o, 1, &other_out);
			char name[64];
			snprintf(name, sizeof(name), "splice %s to %s", kind[i], kind[o]);
			/* Which devices and counters can be read so differs between versions. */
			if (i != EVENT_ && o != EVENT_ && i != NULL_)
				CHECK(name, splice(in, NULL, out, NULL, 6, SPLICE_F_NONBLOCK));
			close(in);
			close(out);
			in = open_kind(i, 0, &other_in);
			out = open_kind(o, 1, &other_out);
			snprintf(name, sizeof(name), "sendfile %s to %s", kind[i], kind[o]);
			if (i != NULL_ && o != EVENT_)
				CHECK(name, sendfile(out, in, NULL, 6));
			close(in);
			close(out);
			close(other_in);
			close(other_out);
		}
}

static volatile sig_atomic_t got, got_fd, got_code;
static long got_band;

static void plain(int sig)
{
	got = sig;
}

static void full(int sig, siginfo_t *si, void *u)
{
	(void)u;
	got = sig;
	got_fd = si->si_fd;
	got_code = si->si_code;
	got_band = si->si_band;
}

static void check_got(const char *name)
{
	for (int i = 0; i < 50 && !got; i++)
		usleep(2000);
	NOTE(name, "%d", (int)got);
	got = 0;
}

static void async(void)
{
	int p[2], s[2], fl, on = 1;
	struct sigaction sa = { .sa_handler = plain };
	char c[16];

	sigaction(SIGIO, &sa, NULL);
	if (pipe(p) || socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		exit(1);
	fl = fcntl(p[0], F_GETFL);
	CHECK("O_ASYNC", fcntl(p[0], F_SETFL, fl | O_ASYNC));
	NOTE("flag", "%d", !!(fcntl(p[0], F_GETFL) & O_ASYNC));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	check_got("without an owner");
	CHECK("owner", fcntl(p[0], F_SETOWN, getpid()));
	NOTE("read", "%ld", (long)read(p[0], c, 16));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	check_got("with an owner");
	NOTE("read", "%ld", (long)read(p[0], c, 16));
	sa.sa_sigaction = full;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGRTMIN, &sa, NULL);
	CHECK("signal", fcntl(p[0], F_SETSIG, SIGRTMIN));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	check_got("another signal");
	NOTE("it says", "fd %d code %d band %lx", got_fd == p[0], (int)got_code, got_band);
	CHECK("off", fcntl(p[0], F_SETFL, fl));
	NOTE("read", "%ld", (long)read(p[0], c, 16));
	NOTE("write", "%ld", (long)write(p[1], "x", 1));
	check_got("nothing any more");
	CHECK("FIOASYNC", ioctl(s[0], FIOASYNC, &on));
	CHECK("owner", fcntl(s[0], F_SETOWN, getpid()));
	got = 0;
	NOTE("send", "%ld", (long)write(s[1], "abc", 3));
	check_got("socket");
	int fd = open("in", O_RDONLY);
	CHECK("FIOASYNC of a file", ioctl(fd, FIOASYNC, &on));
	CHECK("O_ASYNC of a file", fcntl(fd, F_SETFL, O_ASYNC));
	NOTE("flag", "%d", !!(fcntl(fd, F_GETFL) & O_ASYNC));
	close(p[0]);
	close(p[1]);
	close(s[0]);
	close(s[1]);
	close(fd);
}

static void *drain(void *arg)
{
	static unsigned char b[7000];
	long n, at = 12345, wrong = 0;

	while ((n = read(*(int *)arg, b, sizeof(b))) > 0)
		for (long i = 0; i < n; i++, at++)
			wrong += b[i] != (unsigned char)(at * 2654435761u >> 24);
	NOTE("long drained", "up to %ld, %ld wrong", at, wrong);
	return NULL;
}

/* More than a few pages at once, from the middle of one to beyond the file's end, to where there is room for less. */
static void long_ones(void)
{
	static unsigned char b[300001];
	pthread_t t;
	off_t at = 12345;
	long n, sum = 0;
	int s[2], fd = open("long", O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (long i = 0; i < (long)sizeof(b); i++)
		b[i] = (unsigned char)(i * 2654435761u >> 24);
	NOTE("long made", "%zd", write(fd, b, sizeof(b)));
	CHECK("long pair", socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	pthread_create(&t, NULL, drain, &s[1]);
	while ((n = sendfile(s[0], fd, &at, 1000000)) > 0)
		sum += n;
	NOTE("long sent", "%ld, at %ld, then %ld", sum, (long)at, n);
	close(s[0]);
	pthread_join(t, NULL);
	close(s[1]);
	/* Onto itself, further on: what was copied is copied again. */
	off_t from = 100;
	lseek(fd, 5000, SEEK_SET);
	NOTE("onto itself", "%zd", sendfile(fd, fd, &from, 100000));
	for (n = sum = 0; n < 100000; n += 997)
		sum = sum * 31 + (pread(fd, b, 1, 5000 + n) == 1 ? b[0] : 1000);
	NOTE("repeated", "%lx", sum);
	close(fd);
}

int main(void)
{
	vmsplices();
	long_ones();
	matrix();
	async();
	return 0;
}
