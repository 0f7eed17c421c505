/*
 * calls.c - what calls must not do.
 *
 *   calls refused     a second program, another identity, other people's doors: refused, one line a call for the events' sake
 *   calls recursion   links, scripts, epoll in epoll, messages in messages: bounded
 *   calls races S     for S seconds: arguments that change while they are read, sockets closed under use
 *   calls output      everything that /proc and /sys say, to be searched for addresses
 *   calls facts       addresses, random bytes and ports of this boot, one line
 *   calls quiet       who listens?
 */
#include "probe.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* ---- Refused ---- */

#define CALL(name, ...) { #name, SYS_##name, { __VA_ARGS__ } }
static const char *const argv_sh[] = { "/bin/sh", "-c", "true", NULL };
static long cap_header[2] = { 0x20080522, 0 }, cap_data[3] = { -1, -1, -1 }, clone_args[11] = { 0, 0, 0, 0, 17 };

static void refused(void)
{
	const struct { const char *name; long nr, a[5]; } calls[] = {
		CALL(execve, (long)"/bin/sh", (long)argv_sh, 0), CALL(execveat, -100, (long)"/bin/sh", (long)argv_sh, 0, 0), CALL(fork), CALL(vfork),
		CALL(clone, 17), CALL(clone3, (long)clone_args, 88), CALL(setuid, 0), CALL(setgid, 0), CALL(setreuid, 0, 0), CALL(setregid, 0, 0),
		CALL(setresuid, 0, 0, 0), CALL(setresgid, 0, 0, 0), CALL(setgroups, 1, (long)cap_data), CALL(capset, (long)cap_header, (long)cap_data),
		CALL(chroot, (long)"/tmp"), CALL(mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0, 0), CALL(umount2, (long)"/tmp", 0), CALL(pivot_root, (long)"/tmp", (long)"/tmp"),
		CALL(ptrace, 0, 0, 0, 0), CALL(kexec_load, 0, 0, 0, 0), CALL(kexec_file_load, -1, -1, 0, 0, 0), CALL(init_module, 0, 0, (long)""),
		CALL(finit_module, -1, (long)"", 0), CALL(delete_module, (long)"x", 0), CALL(bpf, 0, 0, 0), CALL(perf_event_open, 0, 0, -1, -1, 0), CALL(unshare, 0x10000000),
		CALL(setns, 0, 0), CALL(iopl, 3), CALL(ioperm, 0, 1, 1), CALL(swapon, (long)"/tmp/x", 0), CALL(syslog, 3, (long)cap_data, 8), CALL(userfaultfd, 0),
		CALL(sethostname, (long)"x", 1), CALL(settimeofday, (long)cap_data, 0), CALL(open_by_handle_at, -100, (long)cap_data, 0), CALL(keyctl, 0, 0, 0, 0, 0),
		CALL(fsopen, (long)"ext4", 0), CALL(move_mount, -1, (long)"", -1, (long)"", 4), CALL(fanotify_init, 0, 0),
	};

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const long *a = calls[i].a;
		long r = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4]);
		char name[64];
		if (r == 0 && (calls[i].nr == SYS_fork || calls[i].nr == SYS_vfork || calls[i].nr == SYS_clone || calls[i].nr == SYS_clone3))
			_exit(9);                /* a child: there must be none */
		snprintf(name, sizeof(name), "refused/%s", calls[i].name);
		verdict(name, r < 0, "returned %ld", r);
	}
}

/* ---- Recursion ---- */

static void links(void)
{
	char from[600], to[600], deep[4000] = "";
	struct stat st;
	int r = 0;

	chdir("/tmp");
	symlink("s0", "s0");
	verdict("recursion/link-to-itself", stat("s0", &st) < 0 && errno == ELOOP, "%s", strerror(errno));
	symlink("/tmp", "n0");
	for (int i = 1; i <= 60; i++) {
		snprintf(from, sizeof(from), "n%d", i - 1);
		snprintf(to, sizeof(to), "n%d", i);
		symlink(from, to);
	}
	verdict("recursion/chain-of-60", stat("n60", &st) < 0 && errno == ELOOP && stat("n30", &st) == 0, "%s", strerror(errno));
	/* Each link holds the one before eight times: nested, 8^12 steps if all were taken. */
	symlink(".", "x0");
	for (int i = 1; i <= 12; i++) {
		from[0] = 0;
		for (int k = 0; k < 8; k++)
			sprintf(from + strlen(from), "x%d/", i - 1);
		snprintf(to, sizeof(to), "x%d", i);
		symlink(from, to);
	}
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	r = stat("x12", &st) < 0 && errno == ELOOP;
	clock_gettime(CLOCK_MONOTONIC, &b);
	verdict("recursion/nested-links", r && b.tv_sec - a.tv_sec < 5, "%s after %ld s", r ? "ELOOP" : "found", (long)(b.tv_sec - a.tv_sec));
	/* A target as long as may be, of itself. */
	memset(from, 0, sizeof(from));
	for (int i = 0; i < 70; i++)
		strcat(deep, "./s1/");
	symlink(deep, "s1");
	verdict("recursion/long-target", stat("s1", &st) < 0 && (errno == ELOOP || errno == ENAMETOOLONG), "%s", strerror(errno));
	/* Directories as deep as memory goes: paths are walked, not recursed. */
	mkdir("d", 0700);
	chdir("d");
	for (int i = 0; i < 2000 && mkdir("d", 0700) == 0 && chdir("d") == 0; i++)
		r = i;
	verdict("recursion/deep-directories", r == 1999 && getcwd(deep, sizeof(deep)) == NULL && (errno == ERANGE || errno == ENAMETOOLONG), "%d, %s", r, strerror(errno));
	chdir("/tmp");
}

static int carry(int through, const int *fds, size_t n)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(3 * sizeof(int))]; } c = { .h = { CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	memcpy(CMSG_DATA(&c.h), fds, n * sizeof(int));
	return sendmsg(through, &m, MSG_DONTWAIT) == 1 ? 0 : -errno;
}

/* Has the last writer of a pipe gone? */
static int ended(int reader)
{
	struct pollfd p = { reader, POLLIN, 0 };
	char c;

	return poll(&p, 1, 5000) == 1 && read(reader, &c, 1) == 0;
}

/* Sockets in sockets in sockets, the innermost with the end of a pipe: the last close lets all of them go, which the pipe's other end sees. */
static void sockets_in_messages(void)
{
	int outer[3], inner[2], ends[2], r = 0, depth = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, outer) || pipe(ends))
		return;
	outer[2] = ends[1];
	for (; depth < 400 && r == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, inner) == 0; depth++) {
		r = carry(inner[0], outer, depth ? 2 : 3);
		if (r == 0) {
			close(outer[0]);
			close(outer[1]);
			memcpy(outer, inner, sizeof(inner));
		} else {
			close(inner[0]);
			close(inner[1]);
		}
	}
	close(ends[1]);
	close(outer[0]);
	close(outer[1]);
	verdict("recursion/sockets-in-messages", (depth == 400 || (depth > 3 && r == -ETOOMANYREFS)) && ended(ends[0]), "%d deep, %s", depth, strerror(-r));
	close(ends[0]);
	/* And in a circle: each end waits in the other's queue, and nobody else has them. */
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, outer) || pipe(ends))
		return;
	outer[2] = ends[1];
	r = carry(outer[0], outer, 3) | carry(outer[1], outer, 3);
	close(ends[1]);
	close(outer[0]);
	close(outer[1]);
	verdict("recursion/sockets-in-a-circle", r == 0 && ended(ends[0]), "%s", strerror(-r));
	close(ends[0]);
}

static void nesting(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep[16], r = 0, depth = 1;

	for (int i = 0; i < 16; i++)
		ep[i] = epoll_create1(0);
	for (int i = 1; i < 16; i++, depth++)
		if ((r = epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[i - 1], &e)) < 0)
			break;
	verdict("recursion/epoll-depth", r < 0 && errno == ELOOP && depth <= 6, "%d deep", depth);
	verdict("recursion/epoll-circle", epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[1], &e) < 0 && errno == ELOOP, "%s", strerror(errno));
	verdict("recursion/epoll-itself", epoll_ctl(ep[0], EPOLL_CTL_ADD, ep[0], &e) < 0 && errno == EINVAL, "%s", strerror(errno));
	sockets_in_messages();
}

/* ---- Races ---- */

static volatile int over;
static volatile uintptr_t shared_iov[4];
static char *source, *sink;          /* ROOM bytes each, nothing behind them; the source is 'r' all over */
#define ROOM 65536
static volatile long spoiled, foreign, done_whole, done_refused;

static const uintptr_t not_ours[] = { 0xffff800000000000, 0xffffff8000100000, 0xffff888000100000, 0xdead000000000000 };

/* Flips the second element of a vector, an address and a length between good and hostile. */
static void *flipper(void *arg)
{
	unsigned n = 0;

	(void)arg;
	while (!over) {
		shared_iov[2] = n % 2 ? (uintptr_t)source : not_ours[n / 2 % 4];
		shared_iov[3] = n % 3 ? 64 : -1ul >> (n % 5);
		n++;
		if (n % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void outcome(ssize_t n)
{
	__atomic_fetch_add(n >= 128 ? &done_whole : &done_refused, 1, __ATOMIC_RELAXED);
}

/* What a call took from the vector comes out here: bytes that are not the source's were never the program's to give. */
static void examine(ssize_t (*take)(int fd, void *buf, size_t len), int fd, char *buf)
{
	ssize_t n;

	while ((n = take(fd, buf, ROOM)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != 'r')
				__atomic_fetch_add(&foreign, 1, __ATOMIC_RELAXED);
}
static ssize_t take_message(int fd, void *buf, size_t len) { return recv(fd, buf, len, MSG_DONTWAIT); }

static void *vector_reader(void *arg)
{
	const struct iovec *shared = (const struct iovec *)(uintptr_t)shared_iov;
	int ends[2], udp[2];
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)shared, .msg_iovlen = 2 };
	struct iovec into = { sink, ROOM };
	char *buf = malloc(ROOM);

	(void)arg;
	if (!buf || pipe2(ends, O_NONBLOCK) || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, udp))
		return NULL;
	while (!over) {
		outcome(writev(ends[1], shared, 2));
		examine(read, ends[0], buf);
		outcome(sendmsg(udp[0], &m, MSG_DONTWAIT));
		examine(take_message, udp[1], buf);
		ssize_t n = process_vm_readv(getpid(), &into, 1, shared, 2, 0);
		outcome(n);
		for (ssize_t i = 0; i < n; i++)
			if (((volatile char *)sink)[i] != 'r')
				__atomic_fetch_add(&foreign, 1, __ATOMIC_RELAXED);
		/* The other way: what arrives is what was there already, so that the source stays as it is. */
		if (write(ends[1], source, 128) == 128)
			readv(ends[0], shared, 2);
		examine(read, ends[0], buf);
		if (send(udp[0], source, 128, MSG_DONTWAIT) == 128)
			recvmsg(udp[1], &m, MSG_DONTWAIT);
	}
	free(buf);
	return NULL;
}

/* UDP sockets (and others) that are closed while somebody receives, sends, polls. */
static volatile int victims[8];
static volatile long closed, received, strange;

static void *closer(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)arg;
	for (unsigned n = 0; !over; n++) {
		int s = socket(AF_INET, n % 3 == 2 ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (s < 0)
			continue;
		to.sin_port = 0;
		bind(s, (struct sockaddr *)&to, sizeof(to));
		int old = __atomic_exchange_n(&victims[n % 8], s, __ATOMIC_SEQ_CST);
		if (old > 2) {
			if (n % 5 == 0)
				shutdown(old, SHUT_RDWR);
			closed += close(old) == 0;
		}
	}
	for (int i = 0; i < 8; i++)
		if (victims[i] > 2)
			close(victims[i]);
	return NULL;
}

/* Nobody ever sent a byte but 'u', and nothing else was in that memory: what else arrives was somebody else's. */
static void arrived(const char *b, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (b[i] != 'u')
			__atomic_fetch_add(&strange, 1, __ATOMIC_RELAXED);
	if (n > 0)
		__atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
}

static void *user(void *arg)
{
	char b[256], got[256];

	(void)arg;
	memset(b, 'u', sizeof(b));
	for (unsigned n = 0; !over; n++) {
		int s = victims[n % 8];
		struct sockaddr_in self;
		socklen_t len = sizeof(self);
		struct pollfd p = { s, POLLIN | POLLOUT, 0 };
		if (s <= 2 || getsockname(s, (struct sockaddr *)&self, &len) < 0)
			continue;
		sendto(s, b, 100, MSG_DONTWAIT, (struct sockaddr *)&self, len);
		poll(&p, 1, 0);
		arrived(got, recv(s, got, sizeof(got), MSG_DONTWAIT));
		connect(s, (struct sockaddr *)&self, len);
		send(s, b, 64, MSG_DONTWAIT | MSG_NOSIGNAL);
		arrived(got, recvmsg(s, &(struct msghdr){ .msg_iov = &(struct iovec){ got, 16 }, .msg_iovlen = 1 }, MSG_DONTWAIT | MSG_PEEK));
	}
	return NULL;
}

/* A path that changes between check and use: opened, it is one of the two files and never something else. */
static void *renamer(void *arg)
{
	(void)arg;
	while (!over) {
		rename("/tmp/one", "/tmp/turn");
		symlink("/proc/self/exe", "/tmp/one");
		unlink("/tmp/one");
		rename("/tmp/turn", "/tmp/one");
	}
	return NULL;
}

static void *opener(void *arg)
{
	char path[64] = "/tmp/one";
	struct stat st;

	(void)arg;
	while (!over) {
		int f = open(path, O_RDONLY | O_NOFOLLOW);
		if (f >= 0 && fstat(f, &st) == 0 && st.st_size != 3)
			spoiled++;
		if (f >= 0)
			close(f);
	}
	return NULL;
}

static void races(int seconds)
{
	void *(*const run[])(void *) = { flipper, vector_reader, vector_reader, closer, user, user, renamer, opener };
	pthread_t t[8];
	int f = open("/tmp/one", O_WRONLY | O_CREAT, 0600);

	signal(SIGPIPE, SIG_IGN);
	source = pages(2 * (ROOM / PAGE + 1));
	sink = source + ROOM + PAGE;
	mprotect(source + ROOM, PAGE, PROT_NONE);
	mprotect(sink + ROOM, PAGE, PROT_NONE);
	memset(source, 'r', ROOM);
	shared_iov[0] = (uintptr_t)source;
	shared_iov[1] = 64;
	if (write(f, "one", 3) != 3)
		return;
	close(f);
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, run[i], NULL);
	sleep((unsigned)seconds);
	over = 1;
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	verdict("races/single-fetch", foreign == 0 && done_whole > 50 && done_refused > 50, "%ld bytes that are not the program's; %ld calls done, %ld refused", foreign, done_whole, done_refused);
	verdict("races/close-under-use", strange == 0 && closed > 50 && received > 50, "%ld bytes that nobody sent; %ld sockets closed, %ld messages", strange, closed, received);
	verdict("races/path", spoiled == 0, "%ld times another file", spoiled);
}

/* ---- Output ---- */

static void show(const char *path, int depth)
{
	struct dirent *e;
	struct stat st;
	char next[1024], text[4096];
	ssize_t n;

	if (lstat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode) && depth < 8) {
		DIR *d = opendir(path);
		while (d && (e = readdir(d)))
			if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
				snprintf(next, sizeof(next), "%s/%s", path, e->d_name);
				show(next, depth + 1);
			}
		if (d)
			closedir(d);
	} else if (S_ISREG(st.st_mode)) {
		int f = open(path, O_RDONLY | O_NONBLOCK);
		printf("== %s\n", path);
		fflush(stdout);
		for (int i = 0; f >= 0 && i < 64 && (n = read(f, text, sizeof(text))) > 0; i++)
			(void)!write(1, text, (size_t)n);
		close(f);
	} else if (S_ISLNK(st.st_mode) && (n = readlink(path, text, sizeof(text) - 1)) > 0) {
		text[n] = 0;
		printf("%s -> %s\n", path, text);
	}
}

static void output(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0), u[2], f = open("/tmp/f", O_RDWR | O_CREAT, 0600);
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0);

	bind(s, (struct sockaddr *)&any, sizeof(any));
	listen(s, 4);
	socketpair(AF_UNIX, SOCK_STREAM, 0, u);
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
	mmap(NULL, PAGE, PROT_READ, MAP_SHARED, f, 0);
	show("/proc", 0);
	show("/sys", 0);
	show("/dev", 7);
}

/* ---- Facts ---- */

static int a_global = 1;

static unsigned port_of(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, type, 0);

	bind(s, (struct sockaddr *)&a, sizeof(a));
	getsockname(s, (struct sockaddr *)&a, &len);
	return ntohs(a.sin_port);
}

static void facts(void)
{
	const unsigned char *r = (const unsigned char *)getauxval(AT_RANDOM);
	unsigned char g[8];
	int local;

	printf("facts exe=%lx heap=%lx mmap=%lx stack=%lx vdso=%lx random=", (unsigned long)&a_global, (unsigned long)sbrk(0),
	       (unsigned long)mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), (unsigned long)&local, getauxval(AT_SYSINFO_EHDR));
	for (int i = 0; i < 16; i++)
		printf("%02x", r[i]);
	printf(" getrandom=");
	if (syscall(SYS_getrandom, g, 8, 1) != 8)
		printf("none");
	else
		for (int i = 0; i < 8; i++)
			printf("%02x", g[i]);
	printf(" ports=");
	for (int i = 0; i < 6; i++)
		printf("%u,", port_of(i % 2 ? SOCK_DGRAM : SOCK_STREAM));
	printf("\nready\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

/* ---- Quiet ---- */

static int lines_of(const char *path, int besides)
{
	char line[1024];
	int n = -besides;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return f && n > 0 ? n : 0;
}

static void quiet(void)
{
	static const char *const tables[] = { "tcp", "tcp6", "udp", "udp6", "raw", "unix", "packet" };
	int open_ports = 0, n = 0;
	char path[64];

	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "/proc/net/%s", tables[i]);
		n += lines_of(path, 1);
	}
	verdict("quiet/no-socket", n == 0, "%d sockets", n);
	for (int port = 1; port <= 1100; port++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int s = socket(AF_INET, SOCK_STREAM, 0);
		open_ports += connect(s, (struct sockaddr *)&a, sizeof(a)) == 0;
		close(s);
	}
	verdict("quiet/nothing-listens", open_ports == 0, "%d ports", open_ports);
	verdict("quiet/no-shell", access("/bin/sh", F_OK) < 0 && access("/bin/bash", F_OK) < 0 && access("/bin/busybox", F_OK) < 0, "there is one");
	verdict("quiet/no-accounts", access("/etc/shadow", F_OK) < 0, "there are passwords");
	verdict("quiet/one-process", access("/proc/1/environ", R_OK) < 0 || access("/proc/3", F_OK) < 0, "others are there");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "refused"))
		refused();
	else if (!strcmp(what, "recursion"))
		links(), nesting();
	else if (!strcmp(what, "races"))
		races(argc > 2 ? atoi(argv[2]) : 2);
	else if (!strcmp(what, "output"))
		output();
	else if (!strcmp(what, "facts"))
		facts();
	else if (!strcmp(what, "quiet"))
		quiet();
	else
		return 2;
	return 0;
}
