/*
 * hoard.c - makes the kernel hold as much as it will, of one kind, until it refuses; then asks what it holds, gives it all
 * back and asks again. Prints "KIND: refused with ERRNO, WHAT holds N of M KiB" on standard error, and on standard output
 * "KIND: still here" and whether nearly everything came back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

static char block[65536];
static int fds[65536], nfds, err;
static int most = 65536;

static long counter(const char *name)
{
	char line[256];
	long v = -1;
	size_t n = strlen(name);
	FILE *f = fopen("/proc/pith/counters", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0 && line[n] == ' ')
			v = atol(line + n + 1);
	if (f)
		fclose(f);
	return v;
}

/* KiB of the kernel's own. Open files' structures stay with their pool for the next ones. */
static long held(void)
{
	return - counter("objects_file") * 152 / 1024 + 4 * (counter("pages_slab") + counter("pages_tables") + counter("pages_stacks") + counter("pages_net") + counter("pages_pipes"));
}

static int keep(int fd)
{
	if (fd < 0 || nfds == most) {
		err = errno;
		return -1;
	}
	return fds[nfds++] = fd;
}

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, block, sizeof(block)) > 0)
		;
	for (int i = 0; i < 64 && write(fd, block, 1) > 0; i++)
		;
}

static void pipes(void)
{
	int p[2];

	while (pipe(p) == 0 && keep(p[0]) >= 0 && keep(p[1]) >= 0) {
		(void)!fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
		fill(p[1]);
	}
	err = errno;
}

static void unix_sockets(void)
{
	int p[2];

	while (socketpair(AF_UNIX, nfds & 4 ? SOCK_DGRAM : SOCK_STREAM, 0, p) == 0 && keep(p[0]) >= 0 && keep(p[1]) >= 0) {
		int n = 1 << 20;
		setsockopt(p[1], SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
		fill(p[1]);
	}
	err = errno;
}

static void tcp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = keep(socket(AF_INET, SOCK_STREAM, 0));

	bind(l, (void *)&a, sizeof(a));
	listen(l, 128);
	getsockname(l, (void *)&a, &len);
	for (;;) {
		int c = keep(socket(AF_INET, SOCK_STREAM, 0));
		if (c < 0 || connect(c, (void *)&a, sizeof(a)) || keep(accept(l, NULL, NULL)) < 0)
			break;
		fill(c);
	}
	err = errno;
}

static void epolls(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int p[2], made = 0;

	if (pipe(p))
		return;
	keep(p[0]);
	keep(p[1]);
	for (int ep; (ep = keep(epoll_create1(0))) >= 0; made++)
		for (int i = 0; i < nfds && i < 16; i++)
			(void)!epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e);
	err = errno;
}

static void timers(void)
{
	struct itimerspec s = { .it_value.tv_sec = 1000 };

	while (keep(timerfd_create(CLOCK_MONOTONIC, 0)) >= 0)
		timerfd_settime(fds[nfds - 1], 0, &s, NULL);
}

/* Names in /tmp as long as they may be: of empty files, of one file, of symbolic links to far away, of directories. */
static void (*undo)(void);
static int (*name_remove)(const char *);
static char *numbered(int i)
{
	static char name[300];

	memset(name, 'x', sizeof(name));
	memcpy(name, "/tmp/", 5);
	snprintf(name + 200, 60, "%059d", i);
	return name;
}
static void unname(void)
{
	for (int i = 0; name_remove(numbered(i)) == 0; i++)
		;
}
static void names(int (*make)(const char *), int (*drop)(const char *))
{
	name_remove = drop;
	undo = unname;
	for (int i = 0; i < 2000000; i++)
		if (make(numbered(i))) {
			err = errno;
			break;
		}
}
static int make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0600);
	return fd < 0 ? -1 : close(fd);
}
static int make_link(const char *name)
{
	static char last[300];
	int fd = *last ? -1 : open("/tmp/one", O_CREAT | O_WRONLY, 0600);

	if (fd >= 0) {
		close(fd);
		strcpy(last, "/tmp/one");
	}
	/* 65,000 names is all that a file may have. */
	if (link(last, name) == 0)
		return 0;
	if (errno != EMLINK)
		return -1;
	strcpy(last, name);
	return make_file(name);
}
static int make_symlink(const char *name)
{
	static char far[4000];

	memset(far, 'y', sizeof(far) - 1);
	return symlink(far, name);
}
static int make_dir(const char *name)
{
	return mkdir(name, 0700);
}
static void files(void)
{
	names(make_file, unlink);
}
static void links(void)
{
	names(make_link, unlink);
	unlink("/tmp/one");
}
static void symlinks(void)
{
	names(make_symlink, unlink);
}
static void dirs(void)
{
	names(make_dir, rmdir);
}

static char *areas_at;
static size_t areas_len;
static void areas(void)
{
	areas_at = mmap(NULL, areas_len = 1ul << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 0; i < 1ul << 30; i += 8192)
		if (mprotect(areas_at + i, 4096, PROT_READ | PROT_WRITE)) {
			err = errno;
			break;
		}
}

static void tables(void)
{
	areas_at = mmap(NULL, areas_len = 1ul << 40, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 0; i < 1ul << 40 && held() < 20000; i += 64 << 21)
		for (size_t k = 0; k < 64; k++)
			(void)*(volatile char *)(areas_at + i + (k << 21));
}

static void locks(void)
{
	int fd = keep(open("/tmp/locks", O_RDWR | O_CREAT, 0600));

	for (long i = 0; i < 20000; i++) {
		struct flock l = { .l_type = i & 1 ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1 };
		if (fcntl(fd, F_SETLK, &l)) {
			err = errno;
			break;
		}
	}
}

static void signals(void)
{
	sigset_t s;
	union sigval v = { 0 };

	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	for (int i = 0; i < 4000000; i++)
		if (sigqueue(getpid(), SIGRTMIN, v)) {
			err = errno;
			break;
		}
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static void *sit(void *arg)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return arg;
}
static void threads(void)
{
	static pthread_t t[100000];
	pthread_attr_t a;
	int n = 0;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	pthread_mutex_lock(&gate);
	while (n < 100000 && (err = pthread_create(&t[n], &a, sit, NULL)) == 0)
		n++;
	fprintf(stderr, "%d threads, %ld KiB\n", n, held());
	pthread_mutex_unlock(&gate);
	while (n--)
		pthread_join(t[n], NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} kinds[] = { { "pipes", pipes }, { "unix", unix_sockets }, { "tcp", tcp }, { "epoll", epolls }, { "timers", timers }, { "files", files }, { "links", links },
		      { "symlinks", symlinks }, { "dirs", dirs },
		      { "areas", areas }, { "tables", tables }, { "locks", locks }, { "signals", signals }, { "threads", threads } };
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		long before = held();
		kinds[i].run();
		long total = 4 * (counter("pages_free") + counter("pages_anon") + counter("pages_file")) + held(), most_held = held() - before;
		fprintf(stderr, "%s: refused with %s, %d descriptors, the kernel holds %ld KiB more\n", argv[1], strerror(err), nfds, most_held);
		while (nfds)
			close(fds[--nfds]);
		if (undo)
			undo();
		if (areas_at)
			munmap(areas_at, areas_len);
		usleep(200000);
		long left = held() - before;
		fprintf(stderr, "%s: %ld KiB of that are left\n", argv[1], left);
		if (argc > 2) {
			FILE *f = fopen("/proc/pith/counters", "r");
			for (int c; f && (c = getc(f)) != EOF;)
				putc(c, stderr);
		}
		bool bounded = most_held < total / 4 * 3;
		printf("%s: still here, %s, %s\n", argv[1], bounded ? "bounded" : "not bounded", left < 2048 ? "given back" : "not given back");
		return left >= 2048 || !bounded;
	}
	return 2;
}
