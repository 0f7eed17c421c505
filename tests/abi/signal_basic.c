/* signal_basic.c - actions, masks, pending sets, sending: values and errors. */
#include "abi.h"
#include <signal.h>
#include <sys/syscall.h>

static volatile sig_atomic_t hits, last, order[16], norder;

static void on(int s)
{
	hits++;
	last = s;
	if (norder < 16)
		order[norder++] = s;
}

static void catch(int s, int flags)
{
	struct sigaction a = { .sa_handler = on, .sa_flags = flags };
	sigaction(s, &a, NULL);
}

static void arguments(void)
{
	struct sigaction a = { .sa_handler = on };
	char raw[32] = { 0 };

	CHECK("sigaction 0", syscall(SYS_rt_sigaction, 0, raw, NULL, 8));
	CHECK("sigaction 65", syscall(SYS_rt_sigaction, 65, raw, NULL, 8));
	CHECK("sigaction KILL", syscall(SYS_rt_sigaction, SIGKILL, raw, NULL, 8));
	CHECK("sigaction STOP", syscall(SYS_rt_sigaction, SIGSTOP, raw, NULL, 8));
	CHECK("sigaction KILL query", syscall(SYS_rt_sigaction, SIGKILL, NULL, raw, 8));
	CHECK("sigaction size 4", syscall(SYS_rt_sigaction, SIGUSR1, raw, NULL, 4));
	CHECK("sigaction bad act", syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8));
	CHECK("sigaction bad oldact", syscall(SYS_rt_sigaction, SIGUSR1, NULL, 8, 8));
	CHECK("sigprocmask how 9", syscall(SYS_rt_sigprocmask, 9, raw, NULL, 8));
	CHECK("sigprocmask how 9 NULL", syscall(SYS_rt_sigprocmask, 9, NULL, NULL, 8));
	CHECK("sigprocmask size 16", syscall(SYS_rt_sigprocmask, 0, raw, NULL, 16));
	CHECK("sigprocmask bad", syscall(SYS_rt_sigprocmask, 0, 8, NULL, 8));
	CHECK("sigpending size 9", syscall(SYS_rt_sigpending, raw, 9));
	CHECK("sigpending size 4", syscall(SYS_rt_sigpending, raw, 4));
	CHECK("sigpending bad", syscall(SYS_rt_sigpending, 8, 8));
	CHECK("sigsuspend size", syscall(SYS_rt_sigsuspend, raw, 4));
	CHECK("sigaction", sigaction(SIGUSR1, &a, NULL));
	struct sigaction old;
	CHECK("sigaction read", sigaction(SIGUSR1, NULL, &old));
	NOTE("handler kept", "%d", old.sa_handler == on);
	signal(SIGUSR1, SIG_DFL);
	sigaction(SIGUSR1, NULL, &old);
	NOTE("default again", "%d", old.sa_handler == SIG_DFL);
}

static void sending(void)
{
	CHECK("kill 0", kill(getpid(), 0));
	CHECK("kill sig 65", kill(getpid(), 65));
	CHECK("kill sig -1", kill(getpid(), -1));
	CHECK("kill nobody", kill(4194303, 0));
	CHECK("kill nobody sig 65", kill(4194303, 65));
	CHECK("tkill 0", syscall(SYS_tkill, 0, 0));
	CHECK("tkill -1", syscall(SYS_tkill, -1, 0));
	CHECK("tkill nobody", syscall(SYS_tkill, 4194303, 0));
	CHECK("tgkill self", syscall(SYS_tgkill, getpid(), getpid(), 0));
	CHECK("tgkill other group", syscall(SYS_tgkill, 4194303, getpid(), 0));
	CHECK("tgkill tid 0", syscall(SYS_tgkill, getpid(), 0, 0));
	CHECK("tgkill sig 99", syscall(SYS_tgkill, getpid(), getpid(), 99));
	catch(SIGUSR1, 0);
	hits = 0;
	CHECK("kill USR1", kill(getpid(), SIGUSR1));
	NOTE("hits", "%d", hits);
	CHECK("raise USR1", raise(SIGUSR1));
	NOTE("hits", "%d", hits);
	signal(SIGUSR2, SIG_IGN);
	CHECK("ignored", raise(SIGUSR2));
	CHECK("default ignored", raise(SIGCHLD));
	CHECK("default ignored", raise(SIGURG));
	CHECK("continue", raise(SIGCONT));
}

static void masks(void)
{
	sigset_t m, old, p;

	sigemptyset(&m);
	sigaddset(&m, SIGUSR1);
	sigaddset(&m, SIGUSR2);
	sigaddset(&m, SIGKILL);
	sigaddset(&m, SIGSTOP);
	catch(SIGUSR1, 0);
	catch(SIGUSR2, 0);
	CHECK("block", sigprocmask(SIG_BLOCK, &m, &old));
	sigprocmask(SIG_BLOCK, NULL, &p);
	NOTE("blocked", "%d %d %d %d", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2), sigismember(&p, SIGKILL), sigismember(&p, SIGSTOP));
	hits = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR2);
	NOTE("hits while blocked", "%d", hits);
	sigpending(&p);
	NOTE("pending", "%d %d", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2));
	CHECK("unblock", sigprocmask(SIG_SETMASK, &old, NULL));
	NOTE("hits after", "%d", hits);
	sigpending(&p);
	NOTE("pending", "%d %d", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2));
	/* What becomes ignored while pending goes away. */
	sigprocmask(SIG_BLOCK, &m, NULL);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	sigpending(&p);
	NOTE("pending after ignore", "%d", sigismember(&p, SIGUSR1));
	/* Blocked and ignored stays pending. */
	raise(SIGUSR1);
	sigpending(&p);
	NOTE("ignored while blocked", "%d", sigismember(&p, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile sig_atomic_t depth, deepest, raised, blocked_self, blocked_other;

static void nested(int s)
{
	sigset_t m;

	if (++depth > deepest)
		deepest = depth;
	sigprocmask(SIG_BLOCK, NULL, &m);
	blocked_self = sigismember(&m, s);
	blocked_other = sigismember(&m, SIGUSR2);
	if (!raised) {
		raised = 1;
		raise(s);
	}
	depth--;
}

static void handler_masks(void)
{
	struct sigaction a = { .sa_handler = nested }, old;

	depth = deepest = raised = 0;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	NOTE("deferred", "%d %d", deepest, blocked_self);
	a.sa_flags = SA_NODEFER;
	deepest = raised = 0;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	NOTE("nodefer", "%d %d", deepest, blocked_self);
	a.sa_flags = 0;
	sigaddset(&a.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
	NOTE("sa_mask", "%d", blocked_other);
	catch(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	NOTE("resethand", "%d", old.sa_handler == SIG_DFL);
}

/* Several at once: the lowest number runs last, as each next one interrupts the one before. */
static void ordering(void)
{
	const int s[] = { SIGRTMIN + 3, SIGUSR2, SIGRTMIN + 1, SIGUSR1, SIGHUP };
	sigset_t all, old;

	for (unsigned i = 0; i < 5; i++) {
		struct sigaction a = { .sa_handler = on };
		sigfillset(&a.sa_mask);
		sigaction(s[i], &a, NULL);
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	for (unsigned i = 0; i < 5; i++)
		raise(s[i]);
	norder = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (int i = 0; i < norder; i++)
		NOTE("order", "%d", order[i] >= SIGRTMIN ? order[i] - SIGRTMIN + 1000 : order[i]);
}

int main(void)
{
	arguments();
	sending();
	masks();
	handler_masks();
	ordering();
	return 0;
}
