/*
 * ops.c - kernel operations, one row each: a plain Linux program, the same in Pith and in the Linux guest.
 *
 * Each row is run once to warm up and then ROUNDS times between two calls of mark(), which does nothing: the counter plugin
 * (bench/plugin/count.c, series=) keeps the instruction counts at each. What the program prints at its end, "ROUNDS TIMES NAME" for
 * each row in the order of the marks, gives them their names. A row that cannot be set up ends the program with status 1.
 * The root has a file /srv/index.html: names of the same length everywhere.
 * Usage: ops [NAME], NAME for one row alone: bench/profile --from mark --to mark_end -a bench/programs/index.html:/srv/index.html build/bench/ops "stat"
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 3
#define PAGE   4096L
#define REGION (1000 * PAGE)

void mark(void);
__attribute__((noinline, noclone)) void mark(void) { __asm__ volatile("" ::: "memory"); }

void mark_end(void);
__attribute__((noinline, noclone)) void mark_end(void) { __asm__ volatile("" ::: "memory"); }

static char buf[65536];
static int zero, null, file, pipe_fd[2], back_fd[2], event_fd, event_back, epoll_fd, epoll_ready, unix_fd[2], tcp_fd[2], udp_fd;
static char *region;
static volatile int sink, handled;

static void need(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

#define LOOP for (int i = 0; i < n; i++)
#define ROW(name, ...) static void name(int n) { LOOP { __VA_ARGS__; } }

/* ---- Calls that do next to nothing, time ---- */

ROW(row_getuid, syscall(SYS_getuid))
ROW(row_enosys, syscall(999))
ROW(row_clock, struct timespec t; syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t))
ROW(row_clock_vdso, struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t))
ROW(row_realtime_vdso, struct timespec t; clock_gettime(CLOCK_REALTIME, &t))
ROW(row_time_vdso, sink = (int)time(NULL))
ROW(row_getrandom, sink = (int)syscall(SYS_getrandom, buf, 16, 0))
ROW(row_nanosleep, struct timespec t = { 0, 1000 }; nanosleep(&t, NULL))

/* ---- Files ---- */

ROW(row_read_zero, (void)!read(zero, buf, 1))
ROW(row_read_zero_page, (void)!read(zero, buf, PAGE))
ROW(row_write_null, (void)!write(null, buf, 1))
ROW(row_write_null_page, (void)!write(null, buf, PAGE))
ROW(row_writev_null, struct iovec v[4] = { { buf, 8 }, { buf, 8 }, { buf, 8 }, { buf, 8 } }; (void)!writev(null, v, 4))
ROW(row_fstat, struct stat st; fstat(file, &st))
ROW(row_stat, struct stat st; stat("/tmp/data", &st))
ROW(row_stat_root, struct stat st; stat("/", &st))
ROW(row_lseek, lseek(file, 0, SEEK_SET))
ROW(row_pread, (void)!pread(file, buf, PAGE, (i & 15) * PAGE))
ROW(row_pread_64k, (void)!pread(file, buf, 65536, 0))
ROW(row_pwrite, (void)!pwrite(file, buf, PAGE, (i & 15) * PAGE))
ROW(row_open_zero, close(open("/dev/zero", O_RDONLY)))
ROW(row_open_tmp, close(open("/tmp/data", O_RDONLY)))
ROW(row_open_root, close(open("/srv/index.html", O_RDONLY)))
ROW(row_create, int fd = open("/tmp/new", O_CREAT | O_WRONLY, 0644); (void)!write(fd, buf, PAGE); close(fd); unlink("/tmp/new"))

/* ---- Descriptors of one thread ---- */

ROW(row_pipe, (void)!write(pipe_fd[1], buf, 1); (void)!read(pipe_fd[0], buf, 1))
ROW(row_eventfd, unsigned long v = 1; (void)!write(event_fd, &v, 8); (void)!read(event_fd, &v, 8))
ROW(row_epoll_idle, struct epoll_event e; epoll_wait(epoll_fd, &e, 1, 0))
ROW(row_epoll_ready, struct epoll_event e; epoll_wait(epoll_ready, &e, 1, 0))
ROW(row_epoll_mod, struct epoll_event e = { .events = EPOLLIN }; epoll_ctl(epoll_fd, EPOLL_CTL_MOD, event_fd, &e))
ROW(row_epoll_event, struct epoll_event e; unsigned long v = 1; (void)!write(event_fd, &v, 8); epoll_wait(epoll_fd, &e, 1, -1);
    (void)!read(event_fd, &v, 8))
ROW(row_unix, (void)!write(unix_fd[1], buf, 1); (void)!read(unix_fd[0], buf, 1))
ROW(row_tcp, (void)!write(tcp_fd[0], buf, 1); (void)!read(tcp_fd[1], buf, 1))
ROW(row_tcp_page, (void)!write(tcp_fd[0], buf, PAGE); for (ssize_t got = 0, k; got < PAGE && (k = read(tcp_fd[1], buf, PAGE)) > 0; got += k))
ROW(row_recv_none, recv(tcp_fd[1], buf, 1, MSG_DONTWAIT))
ROW(row_udp, (void)!send(udp_fd, buf, 1, 0); (void)!recv(udp_fd, buf, 1, 0))

/* ---- Memory ---- */

static char *map(long len, int flags)
{
	char *p = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	need(p != MAP_FAILED, "mmap");
	return p;
}

ROW(row_mmap, munmap(map(PAGE, 0), PAGE))
ROW(row_mmap_touch, char *p = map(PAGE, 0); *p = 1; munmap(p, PAGE))
ROW(row_protect, mprotect(region, PAGE, PROT_READ); mprotect(region, PAGE, PROT_READ | PROT_WRITE))

static void region_map(void) { region = map(REGION, 0); }
static void region_touch(void)
{
	region_map();
	for (long i = 0; i < REGION; i += PAGE)
		region[i] = 1;
}
static void region_unmap(void) { munmap(region, REGION); }

ROW(row_touch, region[i * PAGE] = 1)
static void row_unmap_touched(int n) { munmap(region, (size_t)(n * PAGE)); }
static void row_dontneed(int n) { madvise(region, (size_t)(n * PAGE), MADV_DONTNEED); }
static void row_populate(int n) { region = map(n * PAGE, MAP_POPULATE); }

/* ---- Signals, scheduling, threads ---- */

static void on_signal(int sig) { handled++; }
static void *thread_nothing(void *arg) { return arg; }

ROW(row_signal, syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1))
ROW(row_sigmask, sigset_t m; sigemptyset(&m); sigprocmask(SIG_BLOCK, &m, NULL))
ROW(row_yield, sched_yield())
ROW(row_thread, pthread_t t; need(!pthread_create(&t, NULL, thread_nothing, NULL), "pthread_create"); pthread_join(t, NULL))

static long futex(int *word, int op, int value)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static int alone;
ROW(row_futex_wake, futex(&alone, FUTEX_WAKE, 1))
ROW(row_futex_again, futex(&alone, FUTEX_WAIT, 1))

/* The other side of a ping-pong runs until its turn is the last one. */
static pthread_t other;
static volatile int stop;

static void other_start(void *(*f)(void *))
{
	stop = 0;
	need(!pthread_create(&other, NULL, f, NULL), "pthread_create");
	sched_yield();
}

static void *other_yield(void *arg)
{
	while (!stop)
		sched_yield();
	return arg;
}
static void yield_begin(void) { other_start(other_yield); }
static void yield_end(void) { stop = 1; pthread_join(other, NULL); }

/* It sends back what comes, until a q. */
static int echo_from, echo_to;

static void *other_echo(void *arg)
{
	char c[8];
	ssize_t n;

	while ((n = read(echo_from, c, sizeof c)) > 0 && c[0] != 'q')
		(void)!write(echo_to, c, (size_t)n);
	return arg;
}
static void echo_begin(int from, int to)
{
	echo_from = from;
	echo_to = to;
	other_start(other_echo);
}
static void echo_end(int fd, size_t len)
{
	unsigned long q = 'q';

	(void)!write(fd, &q, len);
	pthread_join(other, NULL);
}

static void pipe_begin(void) { echo_begin(pipe_fd[0], back_fd[1]); }
static void pipe_end(void) { echo_end(pipe_fd[1], 1); }
ROW(row_pipe_pass, char c = 0; (void)!write(pipe_fd[1], &c, 1); (void)!read(back_fd[0], &c, 1))

static void tcp_begin(void) { echo_begin(tcp_fd[1], tcp_fd[1]); }
static void tcp_end(void) { echo_end(tcp_fd[0], 1); }
ROW(row_tcp_pass, char c = 0; (void)!write(tcp_fd[0], &c, 1); (void)!read(tcp_fd[0], &c, 1))

static int event_there;
static void event_begin(void) { echo_begin(event_there, event_back); }
static void event_end(void) { echo_end(event_there, 8); }
ROW(row_event_pass, unsigned long v = 1; (void)!write(event_there, &v, 8); (void)!read(event_back, &v, 8))

static int turn_there, turn_back;

static void turn_give(int *turn, int value)
{
	__atomic_store_n(turn, value, __ATOMIC_SEQ_CST);
	futex(turn, FUTEX_WAKE, 1);
}

static int turn_take(int *turn)
{
	while (!__atomic_load_n(turn, __ATOMIC_SEQ_CST))
		futex(turn, FUTEX_WAIT, 0);
	return __atomic_exchange_n(turn, 0, __ATOMIC_SEQ_CST);
}

static void *other_futex(void *arg)
{
	while (turn_take(&turn_there) == 1)
		turn_give(&turn_back, 1);
	return arg;
}
static void futex_begin(void) { other_start(other_futex); }
static void futex_end(void) { turn_give(&turn_there, 2); pthread_join(other, NULL); }
ROW(row_futex_pass, turn_give(&turn_there, 1); turn_take(&turn_back))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int whose;

static void *other_condition(void *arg)
{
	pthread_mutex_lock(&mutex);
	while (!stop) {
		while (!whose && !stop)
			pthread_cond_wait(&condition, &mutex);
		whose = 0;
		pthread_cond_signal(&condition);
	}
	pthread_mutex_unlock(&mutex);
	return arg;
}
static void condition_begin(void) { other_start(other_condition); }
static void condition_end(void)
{
	pthread_mutex_lock(&mutex);
	stop = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	pthread_join(other, NULL);
}
ROW(row_condition_pass, pthread_mutex_lock(&mutex); whose = 1; pthread_cond_signal(&condition);
    while (whose) pthread_cond_wait(&condition, &mutex); pthread_mutex_unlock(&mutex))

/* ---- The table ---- */

static const struct row {
	const char *name;
	int times;
	void (*run)(int n);
	void (*begin)(void), (*end)(void); /* around each round, not counted */
} rows[] = {
	{ "null system call (getuid)", 1000, row_getuid },
	{ "system call that is not there", 1000, row_enosys },
	{ "clock_gettime, system call", 1000, row_clock },
	{ "clock_gettime, vDSO (whole)", 1000, row_clock_vdso },
	{ "clock_gettime of real time, vDSO (whole)", 1000, row_realtime_vdso },
	{ "time, vDSO (whole)", 1000, row_time_vdso },
	{ "getrandom, 16 bytes", 1000, row_getrandom },
	{ "nanosleep, 1 us", 100, row_nanosleep },
	{ "read /dev/zero, 1 byte", 1000, row_read_zero },
	{ "read /dev/zero, 4 KiB", 1000, row_read_zero_page },
	{ "write /dev/null, 1 byte", 1000, row_write_null },
	{ "write /dev/null, 4 KiB", 1000, row_write_null_page },
	{ "writev /dev/null, 4 pieces", 1000, row_writev_null },
	{ "fstat", 1000, row_fstat },
	{ "stat", 1000, row_stat },
	{ "stat of the root", 1000, row_stat_root },
	{ "lseek", 1000, row_lseek },
	{ "pread 4 KiB, cached", 1000, row_pread },
	{ "pread 64 KiB, cached", 100, row_pread_64k },
	{ "pwrite 4 KiB, in memory", 1000, row_pwrite },
	{ "open and close /dev/zero", 200, row_open_zero },
	{ "open and close", 200, row_open_tmp },
	{ "open and close, file of the root", 200, row_open_root },
	{ "create, write 4 KiB, close, unlink", 100, row_create },
	{ "pipe write and read, 1 byte", 1000, row_pipe },
	{ "eventfd write and read", 1000, row_eventfd },
	{ "epoll_wait, nothing ready", 1000, row_epoll_idle },
	{ "epoll_wait, one ready", 1000, row_epoll_ready },
	{ "epoll_ctl, change", 1000, row_epoll_mod },
	{ "eventfd write, epoll_wait, read", 1000, row_epoll_event },
	{ "unix socket pair, 1 byte there and read", 1000, row_unix },
	{ "TCP loopback, 1 byte there and read", 500, row_tcp },
	{ "TCP loopback, 4 KiB there and read", 500, row_tcp_page },
	{ "recv with nothing there", 1000, row_recv_none },
	{ "UDP loopback, 1 byte there and read", 500, row_udp },
	{ "mmap and munmap 4 KiB", 1000, row_mmap },
	{ "mmap, touch, munmap 4 KiB", 1000, row_mmap_touch },
	{ "anonymous page fault, with clearing", 1000, row_touch, region_map, region_unmap },
	{ "munmap, a touched page", 1000, row_unmap_touched, region_touch },
	{ "madvise DONTNEED, a touched page", 1000, row_dontneed, region_touch, region_unmap },
	{ "mmap with MAP_POPULATE, a page", 1000, row_populate, NULL, region_unmap },
	{ "mprotect there and back, a page", 500, row_protect, region_touch, region_unmap },
	{ "raise, handler, return", 1000, row_signal },
	{ "sigprocmask", 1000, row_sigmask },
	{ "sched_yield", 1000, row_yield },
	{ "sched_yield between two threads", 1000, row_yield, yield_begin, yield_end },
	{ "thread create and join", 100, row_thread },
	{ "futex wake, nobody waits", 1000, row_futex_wake },
	{ "futex wait, value has changed", 1000, row_futex_again },
	{ "futex ping-pong between threads, round trip", 1000, row_futex_pass, futex_begin, futex_end },
	{ "condition ping-pong between threads, round trip", 1000, row_condition_pass, condition_begin, condition_end },
	{ "pipe ping-pong between threads, round trip", 1000, row_pipe_pass, pipe_begin, pipe_end },
	{ "eventfd ping-pong between threads, round trip", 1000, row_event_pass, event_begin, event_end },
	{ "TCP ping-pong between threads, round trip", 500, row_tcp_pass, tcp_begin, tcp_end },
};

static void round_run(const struct row *r, int counted)
{
	if (r->begin)
		r->begin();
	if (counted)
		mark();
	r->run(r->times);
	if (counted)
		mark();
	if (r->end)
		r->end();
}

static void sockets_open(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, unix_fd), "socketpair");
	need(!bind(listener, (void *)&a, sizeof a) && !listen(listener, 1) && !getsockname(listener, (void *)&a, &len), "listen");
	tcp_fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	need(!connect(tcp_fd[0], (void *)&a, sizeof a), "connect");
	need((tcp_fd[1] = accept(listener, NULL, NULL)) >= 0, "accept");
	for (int i = 0; i < 2; i++)
		setsockopt(tcp_fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	close(listener);
	udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
	need(!bind(udp_fd, (void *)&a, sizeof a) && !connect(udp_fd, (void *)&a, sizeof a), "udp");
}

static void files_open(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	need((zero = open("/dev/zero", O_RDONLY)) >= 0 && (null = open("/dev/null", O_WRONLY)) >= 0, "/dev");
	need((file = open("/tmp/data", O_RDWR | O_CREAT, 0644)) >= 0 && write(file, buf, sizeof buf) == (ssize_t)sizeof buf, "/tmp/data");
	need(!pipe(pipe_fd) && !pipe(back_fd), "pipe");
	event_fd = eventfd(0, EFD_NONBLOCK);
	event_there = eventfd(0, 0);
	event_back = eventfd(0, 0);
	need((epoll_fd = epoll_create1(0)) >= 0 && !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &e), "epoll");
	need((epoll_ready = epoll_create1(0)) >= 0 && !epoll_ctl(epoll_ready, EPOLL_CTL_ADD, eventfd(1, 0), &e), "epoll");
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };

	memset(buf, 'x', sizeof buf);
	files_open();
	sockets_open();
	need(!sigaction(SIGUSR1, &sa, NULL), "sigaction");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (argc > 1 && strcmp(argv[1], rows[i].name))
			continue;
		round_run(&rows[i], 0);
		for (int k = 0; k < ROUNDS; k++)
			round_run(&rows[i], 1);
	}
	mark_end();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		printf("%d %d %s\n", ROUNDS, rows[i].times, rows[i].name);
	return 0;
}
