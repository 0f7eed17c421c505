/* time_timer.c - sleeping, interval timers, POSIX timers. */
#include "abi.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits, value, code, overrun, tid;

static void on(int s, siginfo_t *si, void *uc)
{
	(void)s, (void)uc;
	hits++;
	value = si->si_value.sival_int;
	code = si->si_code;
	if (si->si_overrun > overrun)   /* on a slow machine the next signal comes before the first one's number was read */
		overrun = si->si_overrun;
	tid = (int)syscall(SYS_gettid);
}

static long ms_since(const struct timespec *a)
{
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a->tv_sec) * 1000 + (b.tv_nsec - a->tv_nsec) / 1000000;
}

static void sleeping(void)
{
	struct timespec t0, ts = { 0, 30000000 };

	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK("nanosleep", nanosleep(&ts, NULL));
	NOTE("long enough", "%d", ms_since(&t0) >= 29);
	ts.tv_nsec = 1000000000;
	CHECK("nanosleep nsec", nanosleep(&ts, NULL));
	ts.tv_nsec = -1;
	CHECK("nanosleep -1", nanosleep(&ts, NULL));
	ts.tv_sec = -1, ts.tv_nsec = 0;
	CHECK("nanosleep sec", nanosleep(&ts, NULL));
	CHECK("nanosleep bad", syscall(SYS_nanosleep, 8, NULL));
	ts.tv_sec = 0;
	CHECK("clock_nanosleep 99", syscall(SYS_clock_nanosleep, 99, 0, &ts, NULL));
	CHECK("clock_nanosleep RAW", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &ts, NULL));
	CHECK("clock_nanosleep THREAD", syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
	CHECK("clock_nanosleep past", syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	CHECK("clock_nanosleep BOOTTIME", syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &ts, NULL));
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec++;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK("clock_nanosleep realtime", syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
	NOTE("about a second", "%d", ms_since(&t0) >= 900 && ms_since(&t0) < 3000);
}

static void intervals(void)
{
	struct itimerval v = { { 0, 0 }, { 5, 0 } }, old;
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };

	sigaction(SIGALRM, &a, NULL);
	CHECK("getitimer", getitimer(ITIMER_REAL, &old));
	NOTE("off", "%ld", (long)(old.it_value.tv_sec + old.it_value.tv_usec));
	CHECK("setitimer", setitimer(ITIMER_REAL, &v, NULL));
	CHECK("alarm tells", alarm(7));
	CHECK("alarm tells", alarm(0));
	CHECK("alarm off", alarm(0));
	CHECK("setitimer 9", setitimer(9, &v, NULL));
	CHECK("getitimer 9", getitimer(9, &v));
	v.it_value.tv_usec = 1000000;
	CHECK("setitimer usec", setitimer(ITIMER_REAL, &v, NULL));
	v.it_value.tv_usec = 0, v.it_value.tv_sec = -1;
	CHECK("setitimer sec", setitimer(ITIMER_REAL, &v, NULL));
	CHECK("setitimer bad", syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
	v = (struct itimerval){ { 0, 10000 }, { 0, 10000 } };
	hits = 0;
	setitimer(ITIMER_REAL, &v, NULL);
	while (hits < 3)
		usleep(1000);     /* not pause: the signal may be here already */
	CHECK("setitimer old", setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, &old));
	NOTE("interval", "%ld", (long)old.it_interval.tv_usec);
	NOTE("code", "%d", code);
	/* Profiling: by CPU time. */
	sigaction(SIGPROF, &a, NULL);
	hits = 0;
	v = (struct itimerval){ { 0, 0 }, { 0, 20000 } };
	setitimer(ITIMER_PROF, &v, NULL);
	while (!hits)
		getppid();
	NOTE("PROF", "%d", hits);
	sigaction(SIGVTALRM, &a, NULL);
	hits = 0;
	setitimer(ITIMER_VIRTUAL, &v, NULL);
	for (volatile long i = 0; !hits; i++)
		;
	NOTE("VIRTUAL", "%d", hits);
}

static void posix_timers(void)
{
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77 };
	struct itimerspec v = { { 0, 0 }, { 0, 10000000 } }, old;
	int t, t2, kernel_id;
	timer_t lib;

	sigaction(SIGRTMIN, &a, NULL);
	CHECK("timer_create 99", syscall(SYS_timer_create, 99, &e, &t));
	e.sigev_notify = 9;
	CHECK("timer_create notify", syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t));
	e.sigev_notify = SIGEV_SIGNAL;
	e.sigev_signo = 65;
	CHECK("timer_create signo", syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t));
	e.sigev_signo = SIGRTMIN;
	CHECK("timer_create bad", syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, 8));
	CHECK("timer_create bad event", syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &t));
	CHECK("timer_create", syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t));
	CHECK("timer_gettime", syscall(SYS_timer_gettime, t, &old));
	NOTE("off", "%ld", (long)(old.it_value.tv_sec + old.it_value.tv_nsec));
	CHECK("timer_settime NULL", syscall(SYS_timer_settime, t, 0, NULL, NULL));
	CHECK("timer_settime 12345", syscall(SYS_timer_settime, 12345, 0, &v, NULL));
	v.it_value.tv_nsec = 1000000000;
	CHECK("timer_settime nsec", syscall(SYS_timer_settime, t, 0, &v, NULL));
	v.it_value.tv_nsec = 10000000;
	hits = 0;
	CHECK("timer_settime", syscall(SYS_timer_settime, t, 0, &v, NULL));
	while (!hits)
		usleep(1000);     /* not pause: the signal may be here already */
	NOTE("signal", "value %d code %d overrun %d", value, code, overrun);
	/* A blocked repeating timer counts what it could not say. */
	sigset_t m;
	sigemptyset(&m);
	sigaddset(&m, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &m, NULL);
	v.it_interval.tv_nsec = 2000000;
	syscall(SYS_timer_settime, t, 0, &v, NULL);
	usleep(60000);
	hits = 0;
	sigprocmask(SIG_UNBLOCK, &m, NULL);
	NOTE("overrun", "%d %d", overrun > 5, syscall(SYS_timer_getoverrun, t) >= 0);
	CHECK("timer_settime off", syscall(SYS_timer_settime, t, 0, &(struct itimerspec){ { 0, 0 }, { 0, 0 } }, &old));
	NOTE("old interval", "%ld", (long)old.it_interval.tv_nsec);
	CHECK("timer_delete", syscall(SYS_timer_delete, t));
	CHECK("timer_delete again", syscall(SYS_timer_delete, t));
	CHECK("timer_gettime gone", syscall(SYS_timer_gettime, t, &old));
	CHECK("timer_getoverrun gone", syscall(SYS_timer_getoverrun, t));
	/* To one thread; to nobody. */
	struct sigevent to = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	to._sigev_un._tid = (int)syscall(SYS_gettid);
	CHECK("THREAD_ID", syscall(SYS_timer_create, CLOCK_REALTIME, &to, &t));
	v = (struct itimerspec){ { 0, 0 }, { 0, 5000000 } };
	hits = 0;
	syscall(SYS_timer_settime, t, 0, &v, NULL);
	while (!hits)
		usleep(1000);     /* not pause: the signal may be here already */
	NOTE("to us", "%d", tid == syscall(SYS_gettid));
	to._sigev_un._tid = 4194303;
	CHECK("THREAD_ID nobody", syscall(SYS_timer_create, CLOCK_REALTIME, &to, &t2));
	e.sigev_notify = SIGEV_NONE;
	CHECK("NONE", syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &t2));
	v = (struct itimerspec){ { 0, 0 }, { 100, 0 } };
	syscall(SYS_timer_settime, t2, 0, &v, NULL);
	CHECK("NONE gettime", syscall(SYS_timer_gettime, t2, &old));
	NOTE("left", "%d", old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
	syscall(SYS_timer_delete, t);
	syscall(SYS_timer_delete, t2);
	/* Default event: SIGALRM with the timer's id. */
	CHECK("default event", syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &kernel_id));
	sigaction(SIGALRM, &a, NULL);
	v = (struct itimerspec){ { 0, 0 }, { 0, 1000000 } };
	hits = 0;
	syscall(SYS_timer_settime, kernel_id, 0, &v, NULL);
	while (!hits)
		usleep(1000);     /* not pause: the signal may be here already */
	NOTE("value is id", "%d", value == kernel_id);
	syscall(SYS_timer_delete, kernel_id);
	/* Through the library, with a thread. */
	struct sigevent th = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	sigaction(SIGUSR1, &a, NULL);
	CHECK("library", timer_create(CLOCK_MONOTONIC, &th, &lib));
	hits = 0;
	timer_settime(lib, 0, &v, NULL);
	while (!hits)
		usleep(1000);     /* not pause: the signal may be here already */
	CHECK("library delete", timer_delete(lib));
}

int main(void)
{
	sleeping();
	intervals();
	posix_timers();
	return 0;
}
