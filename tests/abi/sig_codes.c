/* sig_codes.c - what handlers are told: codes and addresses of faults, who sent what, order of delivery, flags of actions, the alternate stack. */
#include "abi.h"
#include <mqueue.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static sigjmp_buf jmp;
static volatile int sig, code, value, sender, tid_seen;
static void *volatile addr;

static void on(int s, siginfo_t *si, void *u)
{
	(void)u;
	sig = s;
	code = si->si_code;
	addr = si->si_addr;
	value = si->si_value.sival_int;
	sender = si->si_pid == getpid() && si->si_uid == getuid();
}

static void out(int s, siginfo_t *si, void *u)
{
	on(s, si, u);
	siglongjmp(jmp, 1);
}

static void act(int s, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction a = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	sigaction(s, &a, NULL);
}

/* An address that the compiler knows nothing about. */
static volatile char *at(unsigned long a)
{
	__asm__ volatile("" : "+r"(a));
	return (volatile char *)a;
}

#define FAULT(name, where, ...)                                                                      \
	do {                                                                                         \
		sig = code = 0;                                                                      \
		if (!sigsetjmp(jmp, 1)) {                                                            \
			__VA_ARGS__;                                                                 \
		}                                                                                    \
		NOTE(name, "signal %d code %d address %d", sig, code, addr == (void *)(where));       \
	} while (0)

static void faults(void)
{
	char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("f", 0);
	char *file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	volatile int zero = 0, r;

	for (int s = 1; s < 32; s++)
		if (s == SIGSEGV || s == SIGBUS || s == SIGFPE || s == SIGILL || s == SIGTRAP)
			act(s, out, 0);
	FAULT("no memory", 0x10, *at(0x10) = 1);
	FAULT("read only", p, *(volatile char *)p = 1);
	FAULT("not to be run", p, ((void (*)(void))(long)p)());
	mprotect(p, 8192, PROT_NONE);
	FAULT("no access", p + 5, (void)*(volatile char *)(p + 5));
	munmap(p, 8192);
	FAULT("unmapped", p, (void)*(volatile char *)p);
	FAULT("beyond the file", file, *(volatile char *)file = 1);
	FAULT("not canonical", 0, *at(0x8000000000000000ul) = 1);
	FAULT("kernel's half", 0xffffffff80000000ul, (void)*at(0xffffffff80000000ul));
	FAULT("privileged", 0, __asm__ volatile("hlt"));
	FAULT("in", 0, __asm__ volatile("inb $0x80, %%al" ::: "eax"));
	FAULT("cli", 0, __asm__ volatile("cli"));
	FAULT("no such interrupt", 0, __asm__ volatile("int $0x21"));
	sig = 0;
	if (!sigsetjmp(jmp, 1))
		__asm__ volatile("ud2");
	NOTE("undefined", "%d %d address %d", sig, code, addr != NULL);
	if (!sigsetjmp(jmp, 1))
		__asm__ volatile("int3");
	NOTE("breakpoint", "%d %d", sig, code);
	if (!sigsetjmp(jmp, 1))
		r = 1 / zero;
	NOTE("division", "%d %d address %d", sig, code, addr != NULL);
	if (!sigsetjmp(jmp, 1)) {
		volatile int min = -2147483647 - 1, minus = -1;
		r = min / minus;
	}
	NOTE("overflow", "%d %d", sig, code);
	/* One instruction at a time. */
	if (!sigsetjmp(jmp, 1))
		__asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n nop" ::: "cc", "memory");
	NOTE("single step", "%d %d", sig, code);
	(void)r;
	close(fd);
}

static void senders(void)
{
	union sigval v = { .sival_int = 31 };
	struct itimerval it = { { 0, 0 }, { 0, 5000 } };
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77 };
	struct itimerspec its = { { 0, 0 }, { 0, 5000000 } };
	timer_t t;

	act(SIGUSR1, on, 0);
	act(SIGALRM, on, 0);
	act(SIGRTMIN, on, 0);
	kill(getpid(), SIGUSR1);
	NOTE("kill", "%d %d", code, sender);
	raise(SIGUSR1);
	NOTE("raise", "%d %d", code, sender);
	sigqueue(getpid(), SIGUSR1, v);
	NOTE("sigqueue", "%d %d %d", code, sender, value);
	pthread_sigqueue(pthread_self(), SIGRTMIN, v);
	NOTE("pthread_sigqueue", "%d %d %d", code, sender, value);
	sig = 0;
	setitimer(ITIMER_REAL, &it, NULL);
	while (!sig)
		usleep(1000);
	NOTE("itimer", "%d %d", sig, code);
	timer_create(CLOCK_MONOTONIC, &e, &t);
	sig = 0;
	timer_settime(t, 0, &its, NULL);
	while (!sig)
		usleep(1000);
	NOTE("timer", "%d %d %d", sig == SIGUSR1, code, value);
	timer_delete(t);
	siginfo_t si = { .si_code = -77, .si_errno = 5 };
	si.si_value.sival_int = 9;
	CHECK("own code", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &si));
	NOTE("own code", "%d %d", code, value);
	si.si_code = 5;
	CHECK("positive code", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &si));
	NOTE("positive code", "%d", code);
	CHECK("to a thread", syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &si));
	CHECK("to another group", syscall(SYS_rt_tgsigqueueinfo, 1, syscall(SYS_gettid), SIGUSR1, &si));
	CHECK("bad info", syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, 8));
}

static char log_[64];
static int nlog;
static void noted(int s)
{
	log_[nlog++] = s >= SIGRTMIN ? (char)('A' + s - SIGRTMIN) : s == SIGUSR1 ? '1' : s == SIGUSR2 ? '2' : s == SIGSEGV ? 'S' : '?';
}

static void order(void)
{
	sigset_t all, old;
	union sigval v = { 0 };

	for (int i = 0; i < 4; i++)
		signal(SIGRTMIN + i, noted);
	signal(SIGUSR1, noted);
	signal(SIGUSR2, noted);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	sigqueue(getpid(), SIGRTMIN + 2, v);
	sigqueue(getpid(), SIGRTMIN, v);
	sigqueue(getpid(), SIGRTMIN, v);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR1);
	pthread_kill(pthread_self(), SIGRTMIN + 3);
	sigset_t p;
	sigpending(&p);
	NOTE("pending", "%d%d%d%d%d", sigismember(&p, SIGUSR1), sigismember(&p, SIGUSR2), sigismember(&p, SIGRTMIN), sigismember(&p, SIGRTMIN + 1),
	     sigismember(&p, SIGRTMIN + 3));
	/* Frames are stacked: the last one pushed runs first. */
	sigprocmask(SIG_SETMASK, &old, NULL);
	NOTE("order", "%.*s", nlog, log_);
	nlog = 0;
	sigprocmask(SIG_BLOCK, &all, NULL);
	kill(getpid(), SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, noted);
	sigprocmask(SIG_SETMASK, &old, NULL);
	NOTE("ignored meanwhile", "%d", nlog);
}

static volatile int depth, deepest, masked, again;
static void nested(int s)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	masked = sigismember(&now, s) | sigismember(&now, SIGUSR2) << 1;
	if (++depth > deepest)
		deepest = depth;
	if (depth < 3 && again-- > 0)
		raise(s);
	depth--;
}

static void flags(void)
{
	struct sigaction a = { .sa_handler = nested }, was;

	sigaction(SIGUSR1, &a, NULL);
	again = 4;
	raise(SIGUSR1);
	NOTE("plain", "deepest %d masked %d", deepest, masked);
	a.sa_flags = SA_NODEFER;
	sigaddset(&a.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &a, NULL);
	deepest = 0;
	again = 4;
	raise(SIGUSR1);
	NOTE("nodefer", "deepest %d masked %d", deepest, masked);
	a.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR1, &a, NULL);
	deepest = depth = 0;
	depth = 5;
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &was);
	NOTE("resethand", "%d flags %x", was.sa_handler == SIG_DFL, was.sa_flags & ~0x04000000);
	a.sa_flags = (int)0x7fffffff;
	sigfillset(&a.sa_mask);
	sigaction(SIGUSR2, &a, NULL);
	sigaction(SIGUSR2, NULL, &was);
	NOTE("known flags", "%x mask kill %d stop %d", was.sa_flags & ~0x04000000, sigismember(&was.sa_mask, SIGKILL), sigismember(&was.sa_mask, SIGSTOP));
	signal(SIGUSR2, SIG_DFL);
}

static char stack1[65536], stack2[65536];
static volatile int on_stack, query_flags, change_errno;
static void where(int s, siginfo_t *si, void *u)
{
	char here;
	stack_t now, other = { .ss_sp = stack2, .ss_size = sizeof(stack2) };

	(void)s;
	(void)si;
	(void)u;
	on_stack = &here >= stack1 && &here < stack1 + sizeof(stack1) ? 1 : &here >= stack2 && &here < stack2 + sizeof(stack2) ? 2 : 0;
	sigaltstack(NULL, &now);
	query_flags = now.ss_flags;
	errno = 0;
	change_errno = sigaltstack(&other, NULL) ? errno : 0;
}

static void stacks(void)
{
	stack_t s = { .ss_sp = stack1, .ss_size = sizeof(stack1) }, now;

	act(SIGUSR1, where, SA_ONSTACK);
	raise(SIGUSR1);
	NOTE("none", "on %d flags %x change %d", on_stack, query_flags, change_errno);
	s.ss_flags = 0;
	sigaltstack(&s, NULL);
	raise(SIGUSR1);
	NOTE("set", "on %d flags %x change %d", on_stack, query_flags, change_errno == EPERM);
	s.ss_flags = (int)(1u << 31);
	sigaltstack(&s, NULL);
	sigaltstack(NULL, &now);
	NOTE("autodisarm is", "%x", now.ss_flags);
	raise(SIGUSR1);
	NOTE("autodisarm", "on %d flags %x change %d", on_stack, query_flags, change_errno);
	sigaltstack(NULL, &now);
	NOTE("armed again", "%x %d", now.ss_flags, now.ss_sp == stack1);
	act(SIGUSR1, where, 0);
	raise(SIGUSR1);
	NOTE("not asked", "on %d", on_stack);
	s.ss_flags = SS_DISABLE;
	CHECK("disable", sigaltstack(&s, &now));
	sigaltstack(NULL, &now);
	NOTE("disabled", "%x", now.ss_flags);
	s.ss_flags = SS_ONSTACK;
	CHECK("SS_ONSTACK", sigaltstack(&s, NULL));
	s.ss_flags = 4;
	CHECK("flags 4", sigaltstack(&s, NULL));
	s.ss_flags = SS_DISABLE;
	sigaltstack(&s, NULL);
}

/* A handler changes what goes on afterwards: registers, the mask. */
static void changes(int s, siginfo_t *si, void *u)
{
	ucontext_t *c = u;

	(void)s;
	(void)si;
	c->uc_mcontext.gregs[REG_RAX] = 4711;
	sigaddset(&c->uc_sigmask, SIGUSR2);
	sigaddset(&c->uc_sigmask, SIGKILL);
}

static void context(void)
{
	long r = 0;
	sigset_t now;

	act(SIGTRAP, changes, 0);
	__asm__ volatile("movl $1, %%eax\n int3\n movq %%rax, %0" : "=r"(r)::"rax");
	sigprocmask(SIG_BLOCK, NULL, &now);
	NOTE("changed", "%ld blocked %d kill %d", r, sigismember(&now, SIGUSR2), sigismember(&now, SIGKILL));
	sigemptyset(&now);
	sigprocmask(SIG_SETMASK, &now, NULL);
}

static void stops(void)
{
	struct sigaction a;

	CHECK("action of SIGSTOP", sigaction(SIGSTOP, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL));
	CHECK("read it", sigaction(SIGSTOP, NULL, &a));
	signal(SIGTSTP, noted);
	signal(SIGCONT, noted);
	nlog = 0;
	raise(SIGTSTP);
	raise(SIGCONT);
	NOTE("caught", "%d", nlog);
	sigset_t s, p;
	sigemptyset(&s);
	sigaddset(&s, SIGTSTP);
	sigaddset(&s, SIGCONT);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise(SIGTSTP);
	raise(SIGCONT);
	sigpending(&p);
	NOTE("SIGCONT cancels", "%d %d", sigismember(&p, SIGTSTP), sigismember(&p, SIGCONT));
	raise(SIGTSTP);
	sigpending(&p);
	NOTE("and the other way", "%d %d", sigismember(&p, SIGTSTP), sigismember(&p, SIGCONT));
	signal(SIGTSTP, SIG_IGN);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

int main(void)
{
	faults();
	senders();
	order();
	flags();
	stacks();
	context();
	stops();
	return 0;
}
