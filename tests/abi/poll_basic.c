/* poll, ppoll, select, pselect6. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static int p[2], sv[2];

static long ms_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000;
}

static void ask(const char *name, int fd, int events)
{
	struct pollfd f = { fd, events, 0x7777 };
	int r = poll(&f, 1, 0);

	NOTE(name, "%d %x", r, (unsigned short)f.revents);
}

static void polls(void)
{
	struct pollfd f[3] = { { p[0], POLLIN, 0 }, { -1, POLLIN, 7 }, { 99, POLLIN, 0 } };
	int file = open("pf", O_RDWR | O_CREAT, 0600);

	CHECK("none ready", poll(f, 1, 0));
	CHECK("no files", poll(NULL, 0, 0));
	CHECK("no files, a while", poll(NULL, 0, 20));
	CHECK("negative and closed", poll(f, 3, -1));
	NOTE("events", "%x %x %x", f[0].revents, f[1].revents, f[2].revents);
	CHECK("bad array", syscall(SYS_poll, 8, 1, 0));
	CHECK("too many", syscall(SYS_poll, f, 0x7fffffff, 0));
	ask("write end", p[1], POLLOUT);
	ask("write end for reading", p[1], POLLIN);
	ask("file", file, POLLIN | POLLOUT | POLLPRI);
	ask("directory", open(".", O_RDONLY), POLLIN | POLLOUT);
	ask("/dev/null", open("/dev/null", O_RDWR), POLLIN | POLLOUT);
	ask("socket", sv[0], POLLIN | POLLOUT | POLLRDHUP);
	(void)!write(sv[1], "x", 1);
	ask("socket with data", sv[0], POLLIN | POLLOUT | POLLRDHUP | POLLRDNORM);
	shutdown(sv[1], SHUT_WR);
	ask("half closed", sv[0], POLLIN | POLLOUT | POLLRDHUP);
	close(sv[1]);
	ask("closed", sv[0], POLLIN | POLLOUT | POLLRDHUP);
	ask("nothing asked", sv[0], 0);
	struct pollfd many[200];
	for (int i = 0; i < 200; i++)
		many[i] = (struct pollfd){ p[i % 2], POLLIN | POLLOUT, 0 };
	CHECK("many", poll(many, 200, -1));
}

static void *writer(void *arg)
{
	(void)arg;
	usleep(40000);
	(void)!write(p[1], "x", 1);
	return NULL;
}

static void waiting(void)
{
	struct pollfd f = { p[0], POLLIN, 0 };
	struct timespec t, ts = { 5, 0 };
	pthread_t th;
	char c;

	clock_gettime(CLOCK_MONOTONIC, &t);
	CHECK("timeout", poll(&f, 1, 30));
	NOTE("waited", "%d", ms_since(&t) >= 30);
	pthread_create(&th, NULL, writer, NULL);
	CHECK("woken", poll(&f, 1, 10000));
	NOTE("events", "%x", f.revents);
	pthread_join(th, NULL);
	(void)!read(p[0], &c, 1);
	pthread_create(&th, NULL, writer, NULL);
	CHECK("ppoll woken", syscall(SYS_ppoll, &f, 1, &ts, NULL, 8));
	NOTE("time left", "%d", ts.tv_sec == 4);
	pthread_join(th, NULL);
	(void)!read(p[0], &c, 1);
	ts = (struct timespec){ 0, 20000000 };
	CHECK("ppoll timeout", syscall(SYS_ppoll, &f, 1, &ts, NULL, 8));
	NOTE("time left", "%ld %ld", (long)ts.tv_sec, ts.tv_nsec);
	ts.tv_nsec = 1000000000;
	CHECK("ppoll bad time", syscall(SYS_ppoll, &f, 1, &ts, NULL, 8));
	CHECK("ppoll bad mask size", syscall(SYS_ppoll, &f, 1, NULL, &ts, 4));
}

static void show(const char *name, int r, const fd_set *a, const fd_set *b)
{
	NOTE(name, "%d %d%d %d%d", r, !!FD_ISSET(p[0], a), !!FD_ISSET(p[1], a), !!FD_ISSET(p[0], b), !!FD_ISSET(p[1], b));
}

static void selects(void)
{
	struct timeval tv = { 0, 0 };
	struct timespec ts = { 0, 0 };
	fd_set r, w;
	char c;

#define SETS()                                                                         \
	do {                                                                           \
		FD_ZERO(&r);                                                           \
		FD_SET(p[0], &r);                                                      \
		FD_SET(p[1], &r);                                                      \
		w = r;                                                                 \
		tv = (struct timeval){ 0, 0 };                                         \
	} while (0)
	SETS();
	show("select", select(p[1] + 1, &r, &w, NULL, &tv), &r, &w);
	SETS();
	show("select low n", select(p[0] + 1, &r, &w, NULL, &tv), &r, &w);
	(void)!write(p[1], "x", 1);
	SETS();
	show("select data", select(p[1] + 1, &r, &w, NULL, &tv), &r, &w);
	SETS();
	CHECK("n negative", select(-1, &r, &w, NULL, &tv));
	CHECK("bad pointer", select(p[1] + 1, (fd_set *)8, NULL, NULL, &tv));
	tv.tv_usec = -1;
	CHECK("bad time", select(0, NULL, NULL, NULL, &tv));
	tv = (struct timeval){ 0, 1500000 - 1499990 };
	CHECK("a while", select(0, NULL, NULL, NULL, &tv));
	NOTE("left", "%ld %ld", (long)tv.tv_sec, (long)tv.tv_usec);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	int d = dup(p[0]);
	FD_SET(d, &r);
	close(d);
	tv = (struct timeval){ 0, 0 };
	CHECK("closed in the set", select(d + 1, &r, NULL, NULL, &tv));
	(void)!read(p[0], &c, 1);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	tv = (struct timeval){ 3, 0 };
	pthread_t th;
	pthread_create(&th, NULL, writer, NULL);
	CHECK("woken", select(p[0] + 1, &r, NULL, NULL, &tv));
	NOTE("left", "%ld", (long)tv.tv_sec);
	pthread_join(th, NULL);
	CHECK("pselect", pselect(p[0] + 1, &r, NULL, NULL, &ts, NULL));
	CHECK("pselect bad size", syscall(SYS_pselect6, 0, NULL, NULL, NULL, NULL, (long[]){ (long)&ts, 4 }));
	dup2(p[0], 900);
	fd_set big;
	FD_ZERO(&big);
	FD_SET(900, &big);
	CHECK("select 900", select(901, &big, NULL, NULL, &tv));
	NOTE("set", "%d", !!FD_ISSET(900, &big));
}

static volatile int got;
static void on_signal(int s) { got = s; }

static void *killer(void *arg)
{
	usleep(40000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct pollfd f = { p[0], POLLPRI, 0 };
	struct timeval tv = { 10, 0 };
	struct timespec ts = { 10, 0 };
	pthread_t self = pthread_self(), th;
	sigset_t none, usr1;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, killer, &self);
	CHECK("poll interrupted", poll(&f, 1, 10000));
	pthread_join(th, NULL);
	pthread_create(&th, NULL, killer, &self);
	CHECK("select interrupted", select(0, NULL, NULL, NULL, &tv));
	pthread_join(th, NULL);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	got = 0;
	raise(SIGUSR1);
	CHECK("poll with it blocked", poll(&f, 1, 10));
	NOTE("not yet", "%d", got);
	CHECK("ppoll opens the mask", ppoll(&f, 1, &ts, &none));
	NOTE("handled", "%d", got);
	got = 0;
	raise(SIGUSR1);
	CHECK("pselect opens the mask", pselect(0, NULL, NULL, NULL, &ts, &none));
	NOTE("handled", "%d", got);
	sigset_t now;
	sigprocmask(SIG_SETMASK, NULL, &now);
	NOTE("mask is back", "%d", sigismember(&now, SIGUSR1));
	f.fd = p[1];
	f.events = POLLOUT;
	got = 0;
	raise(SIGUSR1);
	CHECK("ready wins", ppoll(&f, 1, &ts, &none));
	NOTE("not handled", "%d", got);
}

int main(void)
{
	(void)!pipe(p);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	polls();
	waiting();
	selects();
	signals();
	return 0;
}
