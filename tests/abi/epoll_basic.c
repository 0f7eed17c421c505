/* epoll: modes, errors, nesting, closing. */
#include "abi.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static int ep, p[2];
static char buf[1 << 17];

static int ctl(int e, int op, int fd, unsigned events, unsigned long data)
{
	struct epoll_event ev = { events, { .u64 = data } };

	return epoll_ctl(e, op, fd, &ev);
}

static void wait_show(const char *name, int e, int max)
{
	struct epoll_event ev[8];
	int r = epoll_wait(e, ev, max, 0);
	char out[200] = "";

	for (int i = 0; i < r; i++)
		sprintf(out + strlen(out), " %x:%lu", ev[i].events, (unsigned long)ev[i].data.u64);
	if (r < 0)
		NOTE(name, "%s", strerrorname_np(errno));
	else
		NOTE(name, "%d%s", r, out);
}

static void errors(void)
{
	struct epoll_event ev = { EPOLLIN, { 0 } };

	CHECK("create 0", epoll_create(0));
	CHECK("create1 bad flag", epoll_create1(1));
	CHECK("cloexec", fcntl(epoll_create1(EPOLL_CLOEXEC), F_GETFD));
	CHECK("add closed", ctl(ep, EPOLL_CTL_ADD, 99, EPOLLIN, 0));
	CHECK("add to closed", ctl(99, EPOLL_CTL_ADD, p[0], EPOLLIN, 0));
	CHECK("add to a pipe", ctl(p[1], EPOLL_CTL_ADD, p[0], EPOLLIN, 0));
	CHECK("add itself", ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0));
	CHECK("add file", ctl(ep, EPOLL_CTL_ADD, open("ef", O_RDWR | O_CREAT, 0600), EPOLLIN, 0));
	CHECK("add directory", ctl(ep, EPOLL_CTL_ADD, open(".", O_RDONLY), EPOLLIN, 0));
	int path = open(".", O_PATH), file = open("ef", O_RDWR);
	CHECK("add a file of O_PATH", ctl(ep, EPOLL_CTL_ADD, path, EPOLLIN, 0));
	CHECK("add to a file of O_PATH", ctl(path, EPOLL_CTL_ADD, p[0], EPOLLIN, 0));
	CHECK("add a file to one of O_PATH", ctl(path, EPOLL_CTL_ADD, file, EPOLLIN, 0));
	CHECK("add a file to a pipe", ctl(p[1], EPOLL_CTL_ADD, file, EPOLLIN, 0));
	close(path);
	close(file);
	CHECK("bad operation", ctl(ep, 9, p[0], EPOLLIN, 0));
	CHECK("bad pointer", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], (void *)8));
	CHECK("modify absent", ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 0));
	CHECK("delete absent", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	CHECK("add", ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	CHECK("add twice", ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
	int d = dup(p[0]);
	CHECK("add a dup", ctl(ep, EPOLL_CTL_ADD, d, EPOLLIN, 2));
	CHECK("delete, null event", epoll_ctl(ep, EPOLL_CTL_DEL, d, NULL));
	close(d);
	CHECK("wait max 0", epoll_wait(ep, &ev, 0, 0));
	CHECK("wait max negative", syscall(SYS_epoll_wait, ep, &ev, -1, 0));
	CHECK("wait bad buffer", syscall(SYS_epoll_wait, ep, -4096l, 1, 0));
	CHECK("wait on a pipe", epoll_wait(p[0], &ev, 1, 0));
	CHECK("wait on closed", epoll_wait(99, &ev, 1, 0));
	CHECK("read it", read(ep, buf, 10));
	CHECK("exclusive modify", ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
	CHECK("exclusive oneshot", ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
	CHECK("exclusive", ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, 1));
	CHECK("modify an exclusive one", ctl(ep, EPOLL_CTL_MOD, p[1], EPOLLIN, 1));
	CHECK("delete", epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL));
}

static void modes(void)
{
	wait_show("nothing", ep, 8);
	(void)!write(p[1], "abc", 3);
	wait_show("level", ep, 8);
	wait_show("level again", ep, 8);
	(void)!read(p[0], buf, 10);
	wait_show("level gone", ep, 8);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 7);
	wait_show("edge, nothing", ep, 8);
	(void)!write(p[1], "a", 1);
	wait_show("edge", ep, 8);
	wait_show("edge once", ep, 8);
	(void)!write(p[1], "b", 1);
	wait_show("edge on more", ep, 8);
	(void)!read(p[0], buf, 1);
	wait_show("no edge on read", ep, 8);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 7);
	wait_show("modify looks again", ep, 8);
	(void)!write(p[1], "d", 1);
	CHECK("edge, bad buffer", syscall(SYS_epoll_wait, ep, 8l, 8, 0));
	wait_show("edge is still there", ep, 8);
	wait_show("edge is gone", ep, 8);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 8);
	wait_show("oneshot", ep, 8);
	wait_show("oneshot done", ep, 8);
	(void)!write(p[1], "c", 1);
	wait_show("still done", ep, 8);
	ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 8);
	wait_show("armed again", ep, 8);
	ctl(ep, EPOLL_CTL_MOD, p[0], 0, 9);
	wait_show("no events wanted", ep, 8);
	ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET, 5);
	wait_show("writable edge", ep, 8);
	wait_show("once", ep, 8);
	close(p[1]);
	wait_show("HUP is always told", ep, 8);
	close(p[0]);
	wait_show("closed is gone", ep, 8);
}

static void sockets(void)
{
	int s[2], e = epoll_create1(0);

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
	ctl(e, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
	wait_show("writable", e, 8);
	wait_show("once", e, 8);
	(void)!write(s[1], "hi", 2);
	wait_show("readable", e, 8);
	(void)!read(s[0], buf, 10);
	wait_show("read", e, 8);
	while (write(s[0], buf, sizeof(buf)) > 0)
		;
	wait_show("full", e, 8);
	while (read(s[1], buf, sizeof(buf)) > 0)
		;
	wait_show("writable again", e, 8);
	shutdown(s[1], SHUT_WR);
	wait_show("half closed", e, 8);
	close(s[1]);
	wait_show("closed", e, 8);
	int d = dup(s[0]);
	close(s[0]);
	ctl(e, EPOLL_CTL_MOD, d, EPOLLIN, 3);
	wait_show("a dup keeps it", e, 8);
	close(d);
	wait_show("gone", e, 8);
	close(e);
}

static void nesting(void)
{
	int chain[8], ev = eventfd(0, EFD_NONBLOCK), i;
	unsigned long one = 1;

	for (i = 0; i < 8; i++)
		chain[i] = epoll_create1(0);
	CHECK("inner", ctl(chain[0], EPOLL_CTL_ADD, ev, EPOLLIN, 1));
	CHECK("outer", ctl(chain[1], EPOLL_CTL_ADD, chain[0], EPOLLIN, 2));
	CHECK("loop", ctl(chain[0], EPOLL_CTL_ADD, chain[1], EPOLLIN, 3));
	wait_show("nothing", chain[1], 8);
	(void)!write(ev, &one, 8);
	wait_show("outer sees it", chain[1], 8);
	wait_show("inner sees it", chain[0], 8);
	(void)!read(ev, &one, 8);
	wait_show("outer after read", chain[1], 8);
	for (i = 1; i < 7; i++)
		if (ctl(chain[i + 1], EPOLL_CTL_ADD, chain[i], EPOLLIN, i) < 0)
			break;
	NOTE("chain ends at", "%d %s", i, i < 7 ? strerrorname_np(errno) : "");
	one = 1;
	(void)!write(ev, &one, 8);
	wait_show("third level", chain[2], 8);
	for (i = 0; i < 8; i++)
		close(chain[i]);
}

static void order(void)
{
	int e = epoll_create1(0), f[4];
	unsigned long one = 1;

	for (int i = 0; i < 4; i++) {
		f[i] = eventfd(0, 0);
		ctl(e, EPOLL_CTL_ADD, f[i], EPOLLIN, i);
	}
	(void)!write(f[2], &one, 8);
	(void)!write(f[0], &one, 8);
	(void)!write(f[3], &one, 8);
	wait_show("in order of readiness", e, 8);
	wait_show("two of them", e, 2);
	wait_show("the next first", e, 2);
	wait_show("and around", e, 2);
}

static int shared;

static void *waiter(void *arg)
{
	struct epoll_event ev;
	long r = epoll_wait((int)(long)arg, &ev, 1, 5000);

	if (r == 1)
		__atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
	return (void *)r;
}

static volatile int got;
static void on_signal(int s) { got = s; }
static void *killer(void *arg)
{
	usleep(40000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void threads(void)
{
	int e = epoll_create1(0), f = eventfd(0, 0);
	unsigned long one = 1;
	struct epoll_event ev;
	struct timespec t0, t1, ts = { 0, 20000000 };
	pthread_t t[2], self = pthread_self(), th;
	void *r[2];

	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK("timeout", epoll_wait(e, &ev, 1, 30));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	NOTE("waited", "%d", (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 >= 30);
	ctl(e, EPOLL_CTL_ADD, f, EPOLLIN | EPOLLET, 1);
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, waiter, (void *)(long)e);
	usleep(50000);
	(void)!write(f, &one, 8);
	usleep(50000);
	NOTE("one edge, one waiter", "%d", shared);
	(void)!write(f, &one, 8);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &r[i]);
	NOTE("both came", "%ld %ld", (long)r[0], (long)r[1]);
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, killer, &self);
	CHECK("interrupted", epoll_wait(e, &ev, 1, 10000));
	pthread_join(th, NULL);
	sigset_t none, usr1;
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	got = 0;
	raise(SIGUSR1);
	CHECK("pwait opens the mask", epoll_pwait(e, &ev, 1, 10000, &none));
	NOTE("handled", "%d", got);
	CHECK("pwait2", syscall(441, e, &ev, 1, &ts, NULL, 8));
	ts.tv_nsec = -1;
	CHECK("pwait2 bad time", syscall(441, e, &ev, 1, &ts, NULL, 8));
}

int main(void)
{
	ep = epoll_create(1);
	(void)!pipe(p);
	errors();
	modes();
	sockets();
	nesting();
	order();
	threads();
	return 0;
}
