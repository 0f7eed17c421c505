/* time_kinds.c - timers on every clock and of every kind, overruns, sleeping on every clock, CPU clocks of other threads, profiling timers. */
#include "abi.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

static const struct { const char *name; int id; } clocks[] = {
	{ "realtime", CLOCK_REALTIME }, { "monotonic", CLOCK_MONOTONIC }, { "process", CLOCK_PROCESS_CPUTIME_ID }, { "thread", CLOCK_THREAD_CPUTIME_ID },
	{ "raw", CLOCK_MONOTONIC_RAW }, { "realtime coarse", CLOCK_REALTIME_COARSE }, { "monotonic coarse", CLOCK_MONOTONIC_COARSE },
	{ "boottime", CLOCK_BOOTTIME }, { "tai", 11 }, { "10", 10 }, { "12", 12 }, { "16", 16 }, { "-1", -1 },
};
#define NCLOCKS (sizeof(clocks) / sizeof(clocks[0]))

static volatile int hits, last_code, last_overrun, last_value;
static void on(int s, siginfo_t *si, void *u)
{
	(void)s;
	(void)u;
	hits++;
	last_code = si->si_code;
	last_overrun = si->si_overrun;
	last_value = si->si_value.sival_int;
}

static void burn(void)
{
	for (volatile int i = 0; i < 20000; i++)
		;
}

static void name_of(char *buf, size_t n, const char *clock, const char *what)
{
	snprintf(buf, n, "%s %s", clock, what);
}

static void every_clock(void)
{
	char name[64];

	for (unsigned i = 0; i < NCLOCKS; i++) {
		struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = (int)i };
		struct itimerspec its = { { 0, 0 }, { 0, 3000000 } }, now;
		struct timespec t, past = { 0, 1 }, bad = { 0, 1000000000 };
		int id = 0;

		name_of(name, sizeof(name), clocks[i].name, "gettime");
		CHECK(name, syscall(SYS_clock_gettime, clocks[i].id, &t));
		name_of(name, sizeof(name), clocks[i].name, "sleep to the past");
		CHECK(name, syscall(SYS_clock_nanosleep, clocks[i].id, TIMER_ABSTIME, &past, NULL));
		name_of(name, sizeof(name), clocks[i].name, "sleep bad");
		CHECK(name, syscall(SYS_clock_nanosleep, clocks[i].id, 0, &bad, NULL));
		name_of(name, sizeof(name), clocks[i].name, "timer");
		if (CHECK(name, syscall(SYS_timer_create, clocks[i].id, &e, &id)) < 0)
			continue;
		hits = 0;
		name_of(name, sizeof(name), clocks[i].name, "settime");
		CHECK(name, syscall(SYS_timer_settime, id, 0, &its, NULL));
		while (!hits)
			burn();
		name_of(name, sizeof(name), clocks[i].name, "fired");
		NOTE(name, "code %d value %d overrun %d", last_code, last_value == (int)i, last_overrun);
		syscall(SYS_timer_gettime, id, &now);
		name_of(name, sizeof(name), clocks[i].name, "over");
		NOTE(name, "%ld %ld", (long)now.it_value.tv_nsec, (long)now.it_interval.tv_nsec);
		/* A time that has passed fires at once. */
		hits = 0;
		its = (struct itimerspec){ { 0, 0 }, { 0, 1 } };
		syscall(SYS_timer_settime, id, TIMER_ABSTIME, &its, NULL);
		while (!hits)
			burn();
		name_of(name, sizeof(name), clocks[i].name, "absolute");
		NOTE(name, "%d", hits);
		syscall(SYS_timer_delete, id);
	}
}

static void overruns(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { 0, 1000000 }, { 0, 1000000 } }, was;
	sigset_t s;
	timer_t t;

	timer_create(CLOCK_MONOTONIC, &e, &t);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigprocmask(SIG_BLOCK, &s, NULL);
	hits = 0;
	timer_settime(t, 0, &its, NULL);
	usleep(30000);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	NOTE("one signal for many", "%d overrun %d", hits >= 1, last_overrun >= 10 || timer_getoverrun(t) >= 0);
	its = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	CHECK("stop", timer_settime(t, 0, &its, &was));
	NOTE("was", "%d %ld", was.it_value.tv_nsec > 0 && was.it_value.tv_nsec <= 1000000, (long)was.it_interval.tv_nsec);
	timer_delete(t);
	/* Signals that wait go with their timer. */
	sigprocmask(SIG_BLOCK, &s, NULL);
	timer_create(CLOCK_MONOTONIC, &e, &t);
	its = (struct itimerspec){ { 0, 0 }, { 0, 1 } };
	timer_settime(t, 0, &its, NULL);
	usleep(5000);
	sigset_t p;
	sigpending(&p);
	NOTE("waits", "%d", sigismember(&p, SIGUSR1));
	timer_delete(t);
	struct timespec zero = { 0, 0 };
	while (sigtimedwait(&s, NULL, &zero) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static int helper_tid, ready, quit;
static volatile int helper_hits;
static void helper_on(int s)
{
	(void)s;
	if (syscall(SYS_gettid) == helper_tid)
		helper_hits++;
}

static void *helper(void *arg)
{
	(void)arg;
	helper_tid = (int)syscall(SYS_gettid);
	__atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&quit, __ATOMIC_SEQ_CST))
		burn();
	return NULL;
}

static void threads(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec its = { { 0, 0 }, { 0, 2000000 } };
	struct timespec t, u;
	clockid_t c;
	pthread_t th;
	timer_t timer;

	signal(SIGUSR2, helper_on);
	pthread_create(&th, NULL, helper, NULL);
	while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK("its clock", pthread_getcpuclockid(th, &c));
	clock_gettime(c, &t);
	usleep(20000);
	CHECK("its time", clock_gettime(c, &u));
	NOTE("it runs", "%d", u.tv_sec > t.tv_sec || u.tv_nsec > t.tv_nsec);
	CHECK("its resolution", clock_getres(c, &u));
	t = (struct timespec){ 0, 2000000 };
	CHECK("sleep on it", syscall(SYS_clock_nanosleep, c, 0, &t, NULL));
	e._sigev_un._tid = helper_tid;
	CHECK("timer to it", timer_create(CLOCK_MONOTONIC, &e, &timer));
	timer_settime(timer, 0, &its, NULL);
	while (!helper_hits)
		usleep(1000);
	NOTE("it was told", "%d", helper_hits);
	timer_delete(timer);
	CHECK("timer on its clock", timer_create(c, &e, &timer));
	helper_hits = 0;
	timer_settime(timer, 0, &its, NULL);
	while (!helper_hits)
		usleep(1000);
	timer_delete(timer);
	e._sigev_un._tid = 4000000;
	CHECK("timer to nobody", timer_create(CLOCK_MONOTONIC, &e, &timer));
	__atomic_store_n(&quit, 1, __ATOMIC_SEQ_CST);
	pthread_join(th, NULL);
	usleep(50000);           /* it is gone a little after it was joined */
	CHECK("clock of the dead", clock_gettime(c, &t));
	CHECK("sleep on the dead", syscall(SYS_clock_nanosleep, c, 0, &t, NULL));
	CHECK("timer on the dead", timer_create(c, NULL, &timer));
	CHECK("clock of nobody", clock_gettime((int)((unsigned)~4000000 << 3 | 2), &t));
	CHECK("set it", clock_settime(CLOCK_MONOTONIC, &t));
}

static volatile int vt, prof;
static void on_vt(int s) { if (s == SIGVTALRM) vt++; else prof++; }

static void profiling(void)
{
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } }, now;

	signal(SIGVTALRM, on_vt);
	signal(SIGPROF, on_vt);
	CHECK("virtual", setitimer(ITIMER_VIRTUAL, &it, NULL));
	CHECK("prof", setitimer(ITIMER_PROF, &it, NULL));
	while (vt < 3 || prof < 3)
		burn();
	CHECK("get virtual", getitimer(ITIMER_VIRTUAL, &now));
	NOTE("interval", "%ld", (long)now.it_interval.tv_usec);
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	setitimer(ITIMER_PROF, &it, NULL);
	int v = vt;
	for (int i = 0; i < 200; i++)
		burn();
	NOTE("stopped", "%d", vt == v);
	/* Asleep, they stand still. */
	it = (struct itimerval){ { 0, 0 }, { 0, 30000 } };
	setitimer(ITIMER_PROF, &it, NULL);
	prof = 0;
	usleep(60000);
	NOTE("asleep", "%d", prof);
	it.it_value.tv_usec = 0;
	setitimer(ITIMER_PROF, &it, &now);
	NOTE("left", "%d", now.it_value.tv_usec > 0);
}

static void none(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_NONE };
	struct itimerspec its = { { 5, 0 }, { 100, 0 } }, now;
	timer_t t;

	CHECK("create none", timer_create(CLOCK_MONOTONIC, &e, &t));
	CHECK("arm none", timer_settime(t, 0, &its, NULL));
	CHECK("ask none", timer_gettime(t, &now));
	NOTE("left", "%d %ld", now.it_value.tv_sec == 99 || now.it_value.tv_sec == 100, (long)now.it_interval.tv_sec);
	CHECK("overrun none", timer_getoverrun(t));
	its = (struct itimerspec){ { 0, 0 }, { 0, 1000 } };
	timer_settime(t, 0, &its, NULL);
	usleep(3000);
	timer_gettime(t, &now);
	NOTE("over", "%ld %ld", (long)now.it_value.tv_sec, (long)now.it_value.tv_nsec);
	its.it_value.tv_nsec = -1;
	CHECK("bad value", timer_settime(t, 0, &its, NULL));
	its = (struct itimerspec){ { 0, 1000000000 }, { 0, 1 } };
	CHECK("bad interval", timer_settime(t, 0, &its, NULL));
	CHECK("bad pointer", syscall(SYS_timer_settime, 0, 0, 8, NULL));
	CHECK("delete none", timer_delete(t));
}

static void adjustments(void)
{
	struct timex tx = { .modes = 0 };
	long r = adjtimex(&tx);

	NOTE("adjtimex", "%d tick %ld precision %ld tolerance %ld", r >= 0 && r <= 5, tx.tick, tx.precision, tx.tolerance);
	tx.modes = 0;
	CHECK("monotonic", syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx));
	CHECK("process", syscall(SYS_clock_adjtime, CLOCK_PROCESS_CPUTIME_ID, &tx));
	CHECK("99", syscall(SYS_clock_adjtime, 99, &tx));
	CHECK("bad", syscall(SYS_adjtimex, 8));
}

static void fds(void)
{
	for (unsigned i = 0; i < NCLOCKS; i++) {
		char name[64];
		name_of(name, sizeof(name), clocks[i].name, "timerfd");
		CHECK_OK(name, timerfd_create(clocks[i].id, 0));
	}
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &a, NULL);
	every_clock();
	overruns();
	threads();
	profiling();
	none();
	adjustments();
	fds();
	return 0;
}
