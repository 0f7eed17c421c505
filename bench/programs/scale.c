/*
 * scale.c - what several threads do at once: scale MODE WORKERS OPERATIONS. Each worker does OPERATIONS / WORKERS of them between
 * two barriers; printed are the operations and the nanoseconds of the whole. Marks for the counter plugin lie around it.
 *
 *   futex   pairs of threads that wake each other (WORKERS pairs)
 *   fault   anonymous page faults, each worker in an area of its own
 *   map     mmap, one store, munmap
 *   epoll   a byte there and back over a loopback connection, epoll_wait on the serving side (WORKERS pairs)
 *   malloc  allocations of 16 bytes to 64 KiB, 64 alive
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX 64
#define PG 4096ul
#define RW (PROT_READ | PROT_WRITE)

void mark_begin(void), mark_end(void);
__attribute__((noinline, noclone)) void mark_begin(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline, noclone)) void mark_end(void) { __asm__ volatile("" ::: "memory"); }

static int each;
static pthread_barrier_t begin, end;
static struct {
	_Alignas(128) atomic_int turn;
} pair[MAX];
static int ends[MAX][2];

static void die(const char *what)
{
	perror(what);
	_exit(3);
}

/* Wait until the pair's turn is mine (0 or 1). */
static void turn_wait(long p, int mine)
{
	while (atomic_load(&pair[p].turn) != mine)
		syscall(SYS_futex, &pair[p].turn, FUTEX_WAIT_PRIVATE, !mine, NULL);
}
static void turn_give(long p, int to)
{
	atomic_store(&pair[p].turn, to);
	syscall(SYS_futex, &pair[p].turn, FUTEX_WAKE_PRIVATE, 1);
}

static void *futex_partner(void *arg)
{
	for (int i = 0; i < each; i++) {
		turn_wait((long)arg, 1);
		turn_give((long)arg, 0);
	}
	return NULL;
}
static void futex_work(long me)
{
	for (int i = 0; i < each; i++) {
		turn_give(me, 1);
		turn_wait(me, 0);
	}
}

static void fault_work(long me)
{
	size_t len = 256 * PG;
	char *p = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < each;) {
		for (size_t at = 0; at < len && i < each; at += PG, i++)
			p[at] = (char)me;
		madvise(p, len, MADV_DONTNEED);
	}
	munmap(p, len);
}

static void map_work(long me)
{
	for (int i = 0; i < each; i++) {
		char *p = mmap(NULL, 4 * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			die("mmap");
		*p = (char)me;
		munmap(p, 4 * PG);
	}
}

static void *epoll_partner(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), fd = ends[(long)arg][1];
	char c;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	for (int i = 0; i < each; i++)
		if (epoll_wait(ep, &e, 1, -1) != 1 || read(fd, &c, 1) != 1 || write(fd, &c, 1) != 1)
			die("serve");
	close(ep);
	return NULL;
}
static void epoll_work(long me)
{
	char c = 1;

	for (int i = 0; i < each; i++)
		if (write(ends[me][0], &c, 1) != 1 || read(ends[me][0], &c, 1) != 1)
			die("ask");
}

static void malloc_work(long me)
{
	void *live[64] = { 0 };
	unsigned s = (unsigned)me * 2654435761u + 1;

	for (int i = 0; i < each; i++) {
		s = s * 1103515245 + 12345;
		unsigned k = s >> 8 & 63, n = 16u << (s >> 20 & 12);
		free(live[k]);
		live[k] = malloc(n);
		memset(live[k], 1, n < 256 ? n : 256);
	}
	for (int k = 0; k < 64; k++)
		free(live[k]);
}

static void connect_pairs(int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (bind(l, (void *)&a, sizeof(a)) || listen(l, MAX) || getsockname(l, (void *)&a, &len))
		die("listen");
	for (int i = 0; i < n; i++) {
		ends[i][0] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(ends[i][0], (void *)&a, sizeof(a)) || (ends[i][1] = accept(l, NULL, NULL)) < 0)
			die("connect");
		for (int k = 0; k < 2; k++)
			setsockopt(ends[i][k], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
}

static const struct mode {
	const char *name;
	void (*work)(long);
	void *(*partner)(void *);
} modes[] = { { "futex", futex_work, futex_partner }, { "fault", fault_work, NULL }, { "map", map_work, NULL },
	      { "epoll", epoll_work, epoll_partner }, { "malloc", malloc_work, NULL } };
static const struct mode *mode;

static void *worker(void *arg)
{
	pthread_barrier_wait(&begin);
	mode->work((long)arg);
	pthread_barrier_wait(&end);
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 1, ops = argc > 3 ? atoi(argv[3]) : 1000;
	pthread_t t[MAX], q[MAX];
	struct timespec a, b;

	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode || n < 1 || n > MAX)
		return fprintf(stderr, "usage: scale futex|fault|map|epoll|malloc WORKERS OPERATIONS\n"), 2;
	each = ops / n;
	pthread_barrier_init(&begin, NULL, (unsigned)n + 1);
	pthread_barrier_init(&end, NULL, (unsigned)n + 1);
	if (mode->partner == epoll_partner)
		connect_pairs(n);
	for (long i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, worker, (void *)i) || (mode->partner && pthread_create(&q[i], NULL, mode->partner, (void *)i)))
			die("pthread_create");
	usleep(50000);
	mark_begin();
	clock_gettime(CLOCK_MONOTONIC, &a);
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	clock_gettime(CLOCK_MONOTONIC, &b);
	mark_end();
	for (int i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		if (mode->partner)
			pthread_join(q[i], NULL);
	}
	printf("%d %lld\n", each * n, (b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec);
	return 0;
}
