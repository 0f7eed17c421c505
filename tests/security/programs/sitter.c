/*
 * sitter.c - a program to be looked at from outside: several threads, open files, sockets, and what the kernel tells in structures;
 * then it says "ready" and waits for the end of its input. Buffers are filled before each call, so that what the kernel leaves
 * unwritten is ours and what it writes stays in memory to be looked for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char *at;                 /* answers, one after the other, all kept */

static void *fresh(size_t len)
{
	char *p = at;

	memset(p, 0x11, len);
	at += (len + 63) & ~63ul;
	return p;
}

static void *sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static void ask_about_files(void)
{
	int fds[2], fd = open("/proc/self/maps", O_RDONLY), dir = open("/", O_RDONLY | O_DIRECTORY);

	fstat(fd, fresh(sizeof(struct stat)));
	syscall(SYS_statx, dir, "", 0x1000, 0xfff, fresh(256));
	syscall(SYS_getdents64, dir, fresh(4096), 4096);
	fstatfs(dir, fresh(sizeof(struct statfs)));
	read(fd, fresh(8192), 8192);
	if (pipe(fds) == 0)
		fstat(fds[0], fresh(sizeof(struct stat)));
	syscall(SYS_getcwd, fresh(4096), 4096);
	readlink("/proc/self/exe", fresh(4096), 4096);
	fcntl(fd, F_GETLK, fresh(sizeof(struct flock)));
}

static void ask_about_sockets(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int tcp = socket(AF_INET, SOCK_STREAM, 0), pair[2];
	socklen_t len = 256;

	bind(tcp, (struct sockaddr *)&any, sizeof(any));
	listen(tcp, 1);
	getsockname(tcp, fresh(256), &len);
	for (int level = 0; level < 7; level += 3)          /* IPPROTO_IP, TCP */
		for (int name = 0; name < 60; name++) {
			len = 256;
			getsockopt(tcp, level == 3 ? SOL_SOCKET : level, name, fresh(256), &len);
		}
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) {
		struct sockaddr_un *from = fresh(sizeof(*from));
		struct iovec iov = { fresh(64), 64 };
		struct msghdr m = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1,
				    .msg_control = fresh(256), .msg_controllen = 256 };
		send(pair[0], "x", 1, 0);
		recvmsg(pair[1], &m, 0);
		len = sizeof(*from);
		getpeername(pair[0], fresh(256), &len);
	}
}

static void ask_about_the_rest(void)
{
	int ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 5 };

	epoll_ctl(ep, EPOLL_CTL_ADD, 0, &e);
	epoll_wait(ep, fresh(16 * sizeof(e)), 16, 0);
	uname(fresh(sizeof(struct utsname)));
	sysinfo(fresh(sizeof(struct sysinfo)));
	getrusage(RUSAGE_SELF, fresh(sizeof(struct rusage)));
	syscall(SYS_sched_getaffinity, 0, 4096, fresh(4096));     /* far more than there are CPUs */
	syscall(SYS_sched_getattr, 0, fresh(256), 256, 0);
	syscall(SYS_get_mempolicy, fresh(64), fresh(1024), 8192, 0, 0);
	syscall(SYS_rt_sigaction, SIGTERM, NULL, fresh(64), 8);
	syscall(SYS_sigaltstack, NULL, fresh(64));
	for (int clock = 0; clock < 12; clock++)
		syscall(SYS_clock_gettime, clock, fresh(16));
	syscall(SYS_io_uring_setup, 8, memset(fresh(256), 0, 256));
	syscall(SYS_getrandom, fresh(64), 64, 0);
	syscall(SYS_mincore, (unsigned long)at & ~4095ul, 4096, fresh(64));
	for (int i = 0; i < 16; i++)
		syscall(SYS_prlimit64, 0, i, NULL, fresh(16));
	syscall(SYS_capget, memcpy(fresh(8), "\x22\x05\x08\x20\0\0\0", 8), fresh(64));
	raise(SIGUSR1);
}

/* The frame of a signal: looked at where it was, on the stack. */
static void on_signal(int s, siginfo_t *i, void *context)
{
	(void)s;
	memcpy(fresh(sizeof(*i)), i, sizeof(*i));
	memcpy(fresh(4096), context, 2048);
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	pthread_t t;

	at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaction(SIGUSR1, &a, NULL);
	for (int i = 0; i < 6; i++)
		pthread_create(&t, NULL, sleeper, NULL);
	ask_about_files();
	ask_about_sockets();
	ask_about_the_rest();
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
