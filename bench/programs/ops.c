/*
 * ops.c - kernel operations, each repeated between two marks (functions mkNN that do nothing); the
 * counter plugin keeps the instruction counts at the first execution of each mark. The names and
 * repetitions stand in bench/run beside the marks.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MK(n)                                            \
	void mk##n(void);                                \
	__attribute__((noinline, noclone)) void mk##n(void) { __asm__ volatile("" ::: "memory"); }
MK(00) MK(01) MK(02) MK(03) MK(04) MK(05) MK(06) MK(07) MK(08) MK(09) MK(10) MK(11) MK(12) MK(13) MK(14) MK(15) MK(16)
MK(17) MK(18) MK(19) MK(20) MK(21) MK(22) MK(23)

static char buf[65536];
static volatile int handled;
static int ping[2], pong[2];

static void on_signal(int sig) { handled++; }
static void *nothing(void *arg) { return arg; }
static void *echo(void *arg)
{
	char c;
	for (int i = 0; i < 1000; i++) {
		if (read(ping[0], &c, 1) != 1)
			break;
		(void)!write(pong[1], &c, 1);
	}
	return NULL;
}

static int epoll_fd, event_fd, file, zero, null;

static void files(void)
{
	struct timespec ts;
	struct stat st;

	mk00();
	for (int i = 0; i < 1000; i++)
		syscall(SYS_getuid);
	mk01();
	for (int i = 0; i < 1000; i++)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	mk02();
	for (int i = 0; i < 1000; i++)
		clock_gettime(CLOCK_MONOTONIC, &ts);
	mk03();
	for (int i = 0; i < 1000; i++)
		(void)!read(zero, buf, 1);
	mk04();
	for (int i = 0; i < 1000; i++)
		(void)!write(null, buf, 1);
	mk05();
	for (int i = 0; i < 1000; i++) {
		(void)!write(ping[1], buf, 1);
		(void)!read(ping[0], buf, 1);
	}
	mk06();
	for (int i = 0; i < 1000; i++)
		fstat(file, &st);
	mk07();
	for (int i = 0; i < 1000; i++)
		stat("/tmp/data", &st);
	mk08();
	for (int i = 0; i < 1000; i++)
		(void)!pread(file, buf, 4096, 0);
	mk09();
	for (int i = 0; i < 100; i++)
		(void)!pread(file, buf, 65536, 0);
	mk10();
}

static void memory(void)
{
	char *p = mmap(NULL, 1000 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mk11();
	for (int i = 0; i < 1000; i++)
		p[i * 4096] = 1;
	mk12();
	munmap(p, 1000 * 4096);
	mk13();
	for (int i = 0; i < 1000; i++) {
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		munmap(p, 4096);
	}
	mk14();
}

static void events(void)
{
	struct epoll_event ev[4];
	pthread_t t;
	char c = 1;

	for (int i = 0; i < 1000; i++)
		epoll_wait(epoll_fd, ev, 4, 0);
	mk15();
	for (int i = 0; i < 1000; i++) {
		unsigned long v = 1;
		(void)!write(event_fd, &v, 8);
		epoll_wait(epoll_fd, ev, 4, -1);
		(void)!read(event_fd, &v, 8);
	}
	mk16();
	for (int i = 0; i < 100; i++) {
		pthread_create(&t, NULL, nothing, NULL);
		pthread_join(t, NULL);
	}
	mk17();
	for (int i = 0; i < 1000; i++)
		raise(SIGUSR1);
	mk18();
	for (int i = 0; i < 1000; i++)
		sched_yield();
	mk19();
	pthread_create(&t, NULL, echo, NULL);
	for (int i = 0; i < 1000; i++) {
		(void)!write(ping[1], &c, 1);
		(void)!read(pong[0], &c, 1);
	}
	pthread_join(t, NULL);
	mk20();
}

static void names(void)
{
	for (int i = 0; i < 200; i++)
		close(open("/tmp/data", O_RDONLY));
	mk21();
	for (int i = 0; i < 100; i++) {
		char name[32];
		snprintf(name, sizeof name, "/tmp/f%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);
		(void)!write(fd, buf, 4096);
		close(fd);
		unlink(name);
	}
	mk22();
}

static int turn_a, turn_b;

static void futex_pass(int *give, int *take)
{
	__atomic_store_n(give, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, give, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	while (!__atomic_load_n(take, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, take, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	__atomic_store_n(take, 0, __ATOMIC_SEQ_CST);
}

static void *futex_echo(void *arg)
{
	while (!__atomic_load_n(&turn_a, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &turn_a, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	__atomic_store_n(&turn_a, 0, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 999; i++)
		futex_pass(&turn_b, &turn_a);
	__atomic_store_n(&turn_b, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &turn_b, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return arg;
}

static void futexes(void)
{
	pthread_t t;

	pthread_create(&t, NULL, futex_echo, NULL);
	for (int i = 0; i < 1000; i++)
		futex_pass(&turn_a, &turn_b);
	pthread_join(t, NULL);
	mk23();
}

int main(void)
{
	struct timespec ts;
	struct stat st;
	struct sigaction sa = { .sa_handler = on_signal };
	struct epoll_event e = { .events = EPOLLIN };

	zero = open("/dev/zero", O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	event_fd = eventfd(0, EFD_NONBLOCK);
	epoll_fd = epoll_create1(0);
	file = open("/tmp/data", O_RDWR | O_CREAT, 0644);
	e.data.fd = event_fd;
	memset(buf, 'x', sizeof buf);
	if (zero < 0 || null < 0 || file < 0 || pipe(ping) || pipe(pong) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &e) ||
	    write(file, buf, sizeof buf) != (ssize_t)sizeof buf || sigaction(SIGUSR1, &sa, NULL))
		return perror("ops"), 1;
	for (int i = 0; i < 50; i++) {
		syscall(SYS_getuid);
		clock_gettime(CLOCK_MONOTONIC, &ts);
		(void)!read(zero, buf, 1);
		(void)!write(null, buf, 1);
		fstat(file, &st);
		(void)!pread(file, buf, 4096, 0);
	}
	files();
	memory();
	events();
	names();
	futexes();
	printf("ops done, %d signals\n", handled);
	return handled != 1000;
}
