/* signal_queue.c - queued signals: order, values, limits; sigtimedwait, sigwaitinfo, sigsuspend, pause. */
#include "abi.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static volatile sig_atomic_t hits, values[16], codes[16];

static void on(int s, siginfo_t *si, void *uc)
{
	(void)s, (void)uc;
	if (hits < 16) {
		values[hits] = si->si_value.sival_int;
		codes[hits] = si->si_code;
	}
	hits++;
}

static void none(int s)
{
	(void)s;
	hits++;
}

static void send(int s, int v)
{
	union sigval x = { .sival_int = v };
	sigqueue(getpid(), s, x);
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };
	struct timespec zero = { 0, 0 }, little = { 0, 20000000 }, bad = { 0, 1000000000 };
	sigset_t m, old, empty;
	siginfo_t si;

	sigemptyset(&empty);
	sigfillset(&a.sa_mask);
	sigaction(SIGRTMIN, &a, NULL);
	sigaction(SIGRTMIN + 1, &a, NULL);
	sigaction(SIGUSR1, &a, NULL);
	sigemptyset(&m);
	sigaddset(&m, SIGRTMIN);
	sigaddset(&m, SIGRTMIN + 1);
	sigaddset(&m, SIGUSR1);
	sigprocmask(SIG_BLOCK, &m, &old);
	send(SIGRTMIN + 1, 10);
	send(SIGRTMIN, 1);
	send(SIGRTMIN, 2);
	send(SIGRTMIN + 1, 11);
	send(SIGRTMIN, 3);
	send(SIGUSR1, 100);
	send(SIGUSR1, 101);
	sigprocmask(SIG_SETMASK, &old, NULL);
	NOTE("delivered", "%d", hits);
	for (int i = 0; i < hits; i++)
		NOTE("value", "%d code %d", values[i], codes[i]);
	sigprocmask(SIG_BLOCK, &m, NULL);

	CHECK("sigtimedwait nothing", sigtimedwait(&m, &si, &zero));
	CHECK("sigtimedwait a little", sigtimedwait(&m, &si, &little));
	CHECK("sigtimedwait bad time", sigtimedwait(&m, &si, &bad));
	CHECK("sigtimedwait size", syscall(SYS_rt_sigtimedwait, &m, &si, &zero, 4));
	CHECK("sigtimedwait bad set", syscall(SYS_rt_sigtimedwait, 8, &si, &zero, 8));
	send(SIGRTMIN + 1, 21);
	send(SIGRTMIN, 20);
	NOTE("sigwaitinfo", "%d", sigwaitinfo(&m, &si) - SIGRTMIN);
	NOTE("info", "%d %d %d", si.si_value.sival_int, si.si_code, si.si_pid == getpid() && si.si_uid == getuid());
	NOTE("sigtimedwait", "%d", sigtimedwait(&m, &si, &zero) - SIGRTMIN);
	NOTE("info", "%d", si.si_value.sival_int);
	kill(getpid(), SIGUSR1);
	CHECK("sigtimedwait kill", sigtimedwait(&m, &si, &zero));
	NOTE("info", "%d %d %d", si.si_signo, si.si_code, si.si_pid == getpid());
	raise(SIGUSR1);
	CHECK("sigtimedwait raise", sigtimedwait(&m, &si, NULL));
	NOTE("info", "%d", si.si_code);
	/* An ignored signal is seen by who blocks it and waits. */
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	CHECK("ignored but blocked", sigtimedwait(&m, &si, &zero));

	siginfo_t forged = { .si_signo = SIGRTMIN, .si_code = SI_TKILL };
	CHECK("sigqueueinfo TKILL self", syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &forged));
	forged.si_code = 5;
	CHECK("sigqueueinfo nobody", syscall(SYS_rt_sigqueueinfo, 4194303, SIGRTMIN, &forged));
	forged.si_code = SI_QUEUE;
	CHECK("sigqueueinfo nobody", syscall(SYS_rt_sigqueueinfo, 4194303, SIGRTMIN, &forged));
	CHECK("sigqueueinfo sig 0", syscall(SYS_rt_sigqueueinfo, getpid(), 0, &forged));
	CHECK("sigqueueinfo sig 65", syscall(SYS_rt_sigqueueinfo, getpid(), 65, &forged));
	CHECK("sigqueueinfo bad", syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, 8));
	CHECK("tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGRTMIN, &forged));
	CHECK("tgsigqueueinfo tid 0", syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGRTMIN, &forged));
	while (sigtimedwait(&m, &si, &zero) > 0)
		;

	/* The limit of what may be queued. */
	struct rlimit l = { 0, 0 };
	getrlimit(RLIMIT_SIGPENDING, &l);
	l.rlim_cur = 0;
	setrlimit(RLIMIT_SIGPENDING, &l);
	union sigval v = { .sival_int = 5 };
	CHECK("sigqueue over the limit", sigqueue(getpid(), SIGRTMIN, v));
	CHECK("kill over the limit", kill(getpid(), SIGUSR1));

	/* Waiting for any signal. */
	struct sigaction n = { .sa_handler = none };
	sigaction(SIGALRM, &n, NULL);
	sigaction(SIGHUP, &n, NULL);
	hits = 0;
	sigset_t hup;
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_SETMASK, &hup, NULL);
	raise(SIGHUP);
	CHECK("sigsuspend", sigsuspend(&empty));
	NOTE("hits", "%d", hits);
	sigprocmask(SIG_BLOCK, NULL, &old);
	NOTE("mask is back", "%d", sigismember(&old, SIGHUP));
	sigprocmask(SIG_SETMASK, &empty, NULL);
	alarm(1);
	CHECK("pause", pause());
	NOTE("hits", "%d", hits);
	return 0;
}
