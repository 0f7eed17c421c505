/* Descriptors, pipes, epoll and locks used by several threads at once; run it with several CPUs too. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define THREADS 4
#define ROUNDS  3000

static int failures;
#define EXPECT(c) ((c) ? (void)0 : (void)__atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST))

static void run(const char *name, void *(*fn)(void *))
{
	pthread_t t[THREADS];

	failures = 0;
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	NOTE(name, "%d failures", failures);
}

/* Everybody opens, uses and closes; numbers are reused at once by others. */
static void *opening(void *arg)
{
	char name[16], b[8];

	snprintf(name, sizeof(name), "t%ld", (long)arg);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), d;
		EXPECT(fd > 2);
		EXPECT(write(fd, name, 2) == 2);
		d = dup(fd);
		EXPECT(close(fd) == 0);
		EXPECT(pread(d, b, 8, 0) == 2 && b[1] == name[1]);
		EXPECT(close(d) == 0);
	}
	return NULL;
}

/* One descriptor number that is replaced while others use it. */
static int target, sources[2];

static void *replacing(void *arg)
{
	char c;

	for (int i = 0; i < ROUNDS; i++) {
		if ((long)arg == 0)
			EXPECT(dup2(sources[i % 2], target) == target);
		else
			EXPECT(pread(target, &c, 1, 0) == 1 && (c == 'a' || c == 'b'));
	}
	return NULL;
}

/* Records of 64 bytes through one pipe stay whole. */
static int p[2];
static long sum_in, sum_out;

static void *piping(void *arg)
{
	long rec[8];

	for (int i = 0; i < ROUNDS; i++) {
		if ((long)arg % 2) {
			for (int k = 0; k < 8; k++)
				rec[k] = (long)arg * ROUNDS + i;
			EXPECT(write(p[1], rec, sizeof(rec)) == sizeof(rec));
			__atomic_fetch_add(&sum_in, rec[0], __ATOMIC_SEQ_CST);
		} else {
			EXPECT(read(p[0], rec, sizeof(rec)) == sizeof(rec));
			for (int k = 1; k < 8; k++)
				EXPECT(rec[k] == rec[0]);
			__atomic_fetch_add(&sum_out, rec[0], __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

/* Oneshot items are given to one waiter at a time. */
static int ep, counters[8], busy[8];
static long taken;

static void *serving(void *arg)
{
	unsigned long v;

	for (int i = 0; (long)arg == 0 && i < ROUNDS; i++) {
		v = 1;
		EXPECT(write(counters[i % 8], &v, 8) == 8);
	}
	for (;;) {
		struct epoll_event e;
		int n = epoll_wait(ep, &e, 1, 200);
		if (n == 0)
			break;
		EXPECT(n == 1);
		int k = (int)e.data.u32;
		EXPECT(__atomic_fetch_add(&busy[k], 1, __ATOMIC_SEQ_CST) == 0);
		EXPECT(read(counters[k], &v, 8) == 8);
		__atomic_fetch_add(&taken, v, __ATOMIC_SEQ_CST);
		__atomic_fetch_sub(&busy[k], 1, __ATOMIC_SEQ_CST);
		e = (struct epoll_event){ EPOLLIN | EPOLLONESHOT, { .u32 = (unsigned)k } };
		EXPECT(epoll_ctl(ep, EPOLL_CTL_MOD, counters[k], &e) == 0);
	}
	return NULL;
}

/* Sockets come and go in one set while others wait on it. */
static void *churning(void *arg)
{
	struct epoll_event e = { EPOLLIN | EPOLLET, { .u64 = 0 } }, out[4];
	int s[2];

	for (int i = 0; i < ROUNDS / 4; i++) {
		if ((long)arg == 0) {
			EXPECT(epoll_wait(ep, out, 4, 0) >= 0);
			continue;
		}
		EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
		EXPECT(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e) == 0);
		EXPECT(write(s[1], "x", 1) == 1);
		close(s[i % 2]);
		close(s[1 - i % 2]);
	}
	return NULL;
}

/* A lock taken in turns guards a plain counter. */
static long guarded;

static void *locking(void *arg)
{
	int fd = open("lock", O_RDWR | O_CREAT, 0600);
	struct flock l = { .l_type = F_WRLCK }, u = { .l_type = F_UNLCK };

	(void)arg;
	for (int i = 0; i < ROUNDS / 4; i++) {
		EXPECT(fcntl(fd, F_OFD_SETLKW, &l) == 0);
		long v = guarded;
		if (i % 16 == 0)
			sched_yield();
		guarded = v + 1;
		EXPECT(fcntl(fd, F_OFD_SETLK, &u) == 0);
	}
	close(fd);
	return NULL;
}

int main(void)
{
	run("opening", opening);
	for (int i = 0; i < 2; i++) {
		sources[i] = open(i ? "sb" : "sa", O_RDWR | O_CREAT, 0600);
		(void)!write(sources[i], i ? "b" : "a", 1);
	}
	target = dup(sources[0]);
	run("replacing", replacing);
	(void)!pipe(p);
	run("piping", piping);
	NOTE("sums agree", "%d", sum_in == sum_out);
	ep = epoll_create1(0);
	for (int i = 0; i < 8; i++) {
		struct epoll_event e = { EPOLLIN | EPOLLONESHOT, { .u32 = (unsigned)i } };
		counters[i] = eventfd(0, EFD_NONBLOCK);
		epoll_ctl(ep, EPOLL_CTL_ADD, counters[i], &e);
	}
	run("serving", serving);
	NOTE("all were taken", "%ld", taken);
	run("churning", churning);
	run("locking", locking);
	NOTE("guarded", "%ld", guarded);
	NOTE("next descriptor is low", "%d", open("last", O_RDWR | O_CREAT, 0600) < 20);
	return 0;
}
