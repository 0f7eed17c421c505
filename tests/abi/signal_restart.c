/* signal_restart.c - interrupted calls: which restart, which end in EINTR. */
#include "abi.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits;
static int fds[2];

static void on(int s)
{
	(void)s;
	/* The second alarm gives a waiting reader its byte. */
	if (++hits == 2 && write(fds[1], "x", 1) != 1)
		_exit(1);
}

static void arm(int flags)
{
	struct sigaction a = { .sa_handler = on, .sa_flags = flags };
	struct itimerval v = { { 0, 30000 }, { 0, 30000 } };

	sigaction(SIGALRM, &a, NULL);
	hits = 0;
	setitimer(ITIMER_REAL, &v, NULL);
}

static void disarm(void)
{
	struct itimerval v = { { 0, 0 }, { 0, 0 } };
	char c[8];
	struct pollfd p = { fds[0], POLLIN, 0 };

	setitimer(ITIMER_REAL, &v, NULL);
	while (poll(&p, 1, 0) > 0 && read(fds[0], c, sizeof(c)) > 0)
		;
}

int main(void)
{
	struct timespec ts = { 0, 200000000 }, rem = { 9, 9 }, t0, t1;
	struct pollfd p = { -1, POLLIN, 0 };
	int word = 0;
	char c;

	if (pipe(fds))
		return 1;
	arm(0);
	CHECK("read", read(fds[0], &c, 1));
	NOTE("hit", "%d", hits >= 1);
	disarm();
	arm(SA_RESTART);
	CHECK("read restarts", read(fds[0], &c, 1));
	NOTE("hit", "%d", hits >= 2);
	disarm();
	arm(SA_RESTART);
	CHECK("nanosleep", nanosleep(&ts, &rem));
	NOTE("rest", "%d", rem.tv_sec == 0 && rem.tv_nsec > 0 && rem.tv_nsec < 200000000);
	disarm();
	arm(SA_RESTART);
	rem.tv_sec = 9;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	t0.tv_sec++;
	NOTE("clock_nanosleep absolute", "%s", strerrorname_np(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t0, &rem)));
	NOTE("rest untouched", "%ld", (long)rem.tv_sec);
	disarm();
	arm(SA_RESTART);
	CHECK("poll", poll(&p, 1, 500));
	disarm();
	arm(SA_RESTART);
	struct timeval tv = { 0, 500000 };
	CHECK("select", select(0, NULL, NULL, NULL, &tv));
	disarm();
	arm(SA_RESTART);
	struct timespec half = { 0, 500000000 };
	CHECK("futex with timeout", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &half, NULL, 0));
	disarm();
	arm(SA_RESTART);
	sigset_t usr;
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	CHECK("sigtimedwait", sigtimedwait(&usr, NULL, &half));
	disarm();

	/* Signals without a handler do not end a sleep. */
	struct itimerval v = { { 0, 0 }, { 0, 20000 } };
	signal(SIGALRM, SIG_IGN);
	setitimer(ITIMER_REAL, &v, NULL);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	ts.tv_nsec = 60000000;
	CHECK("nanosleep ignored", nanosleep(&ts, &rem));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	long ms = (t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000;
	NOTE("slept", "%d", ms >= 59);
	/* Blocked: neither. */
	signal(SIGALRM, on);
	sigaddset(&usr, SIGALRM);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	setitimer(ITIMER_REAL, &v, NULL);
	CHECK("nanosleep blocked", nanosleep(&ts, &rem));
	hits = 0;
	sigprocmask(SIG_UNBLOCK, &usr, NULL);
	NOTE("delivered now", "%d", hits);
	/* A mask for the time of the call. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_BLOCK, &usr, NULL);
	setitimer(ITIMER_REAL, &v, NULL);
	CHECK("ppoll", ppoll(&p, 1, &half, &none));
	sigprocmask(SIG_BLOCK, NULL, &none);
	NOTE("mask is back", "%d", sigismember(&none, SIGALRM));
	CHECK("restart_syscall", syscall(SYS_restart_syscall));
	return 0;
}
