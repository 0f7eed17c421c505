/* signal_frame.c - what a handler sees: siginfo, registers, FPU state, masks, stacks; and what it may change. */
#include "abi.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

static sigjmp_buf back;
/* Behind the compiler's back. */
static char *volatile low = (char *)8;
static volatile int sig, code, trapno, on_stack;
static volatile unsigned long addr, cr2, err, fpmagic, ucflags;
static char *guard, altstack[65536];

static void fault(int s, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;
	char here;

	sig = s;
	code = si->si_code;
	addr = (unsigned long)si->si_addr;
	trapno = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
	err = (unsigned long)uc->uc_mcontext.gregs[REG_ERR];
	cr2 = (unsigned long)uc->uc_mcontext.gregs[REG_CR2];
	on_stack = &here >= altstack && &here < altstack + sizeof(altstack);
	siglongjmp(back, 1);
}

static void catch(int s, int flags)
{
	struct sigaction a = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO | flags };
	sigaction(s, &a, NULL);
}

#define TRY(name, stmt)                                                                                   \
	do {                                                                                              \
		sig = code = trapno = 0;                                                                  \
		addr = err = cr2 = 0;                                                                     \
		if (!sigsetjmp(back, 1)) {                                                                \
			stmt;                                                                             \
		}                                                                                         \
		NOTE(name, "signal %d code %d trap %d err %lx", sig, code, trapno, err);                  \
	} while (0)

static void faults(void)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	guard = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int s = 1; s < 32; s++)
		if (s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGFPE || s == SIGTRAP)
			catch(s, 0);
	TRY("read of null", *(volatile char *)low);
	NOTE("addr", "%lx %lx", addr, cr2);
	TRY("write of null", *(volatile char *)(low + 8) = 1);
	NOTE("addr", "%lx", addr);
	TRY("read of PROT_NONE", *(volatile char *)guard);
	NOTE("addr", "%d", addr == (unsigned long)guard);
	(void)*(volatile char *)ro;
	TRY("write of read-only", *(volatile char *)ro = 1);
	NOTE("addr", "%d", addr == (unsigned long)ro);
	TRY("non-canonical", *(volatile char *)0x1234567812345678ul);
	NOTE("addr", "%lx", addr);
	TRY("kernel half", *(volatile char *)0xffffffff80000000ul);
	NOTE("addr", "%lx", addr);
	TRY("execute data", ((void (*)(void))(uintptr_t)ro)());
	NOTE("addr", "%d", addr == (unsigned long)ro);
	TRY("divide", __asm__ volatile("xor %%edx, %%edx; xor %%ecx, %%ecx; mov $1, %%eax; idivl %%ecx" ::: "eax", "ecx", "edx"));
	NOTE("addr set", "%d", addr != 0);
	TRY("ud2", __asm__ volatile("ud2"));
	NOTE("addr set", "%d", addr != 0);
	TRY("int3", __asm__ volatile("int3"));
	TRY("hlt", __asm__ volatile("hlt"));
	TRY("cli", __asm__ volatile("cli"));
	unsigned short fcw = 0x37f & ~4;
	TRY("x87 divide", __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" :: "m"(fcw)));
	__asm__ volatile("fninit");
}

static volatile uint64_t seen_rbx, seen_xmm;

static void regs(int s, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;

	(void)s, (void)si;
	seen_rbx = (uint64_t)uc->uc_mcontext.gregs[REG_RBX];
	fpregset_t f = uc->uc_mcontext.fpregs;
	seen_xmm = f->_xmm[7].element[0];
	fpmagic = *(uint32_t *)((char *)f + 464);
	ucflags = uc->uc_flags;
	uc->uc_mcontext.gregs[REG_RBX] = 0x7777;
	f->_xmm[7].element[0] = 0x5555;
	/* The handler's own changes to live registers must not show. */
	__asm__ volatile("pxor %%xmm7, %%xmm7" ::: "xmm7");
}

static void registers(void)
{
	struct sigaction a = { .sa_sigaction = regs, .sa_flags = SA_SIGINFO };
	uint64_t rbx, xmm, in = 0x1234;
	long pid = getpid(), r, nr = SYS_kill, usr = SIGUSR1;

	sigaction(SIGUSR1, &a, NULL);
	__asm__ volatile("movq %[in], %%xmm7\n mov $0x4321, %%ebx\n mov %[nr], %%rax\n mov %[pid], %%rdi\n mov %[usr], %%rsi\n syscall\n"
			 "mov %%rbx, %[rbx]\n movq %%xmm7, %[xmm]\n mov %%rax, %[r]"
			 : [rbx] "=&r"(rbx), [xmm] "=&r"(xmm), [r] "=&r"(r)
			 : [in] "r"(in), [nr] "r"(nr), [pid] "r"(pid), [usr] "r"(usr)
			 : "rax", "rbx", "rcx", "r11", "rdi", "rsi", "xmm7", "memory");
	NOTE("rbx seen", "%lx", (long)seen_rbx);
	NOTE("xmm7 seen", "%lx", (long)seen_xmm);
	NOTE("rbx after", "%lx", (long)rbx);
	NOTE("xmm7 after", "%lx", (long)xmm);
	NOTE("result", "%ld", r);
	NOTE("fp magic", "%lx", fpmagic);
	NOTE("uc flags", "%lx", ucflags);
}

static volatile int stack_flags;

static void stack_look(int s)
{
	stack_t st;
	char here;

	(void)s;
	sigaltstack(NULL, &st);
	stack_flags = st.ss_flags;
	on_stack = &here >= altstack && &here < altstack + sizeof(altstack);
	CHECK("change while on it", sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL));
}

static void altstacks(void)
{
	stack_t st = { .ss_sp = altstack, .ss_size = sizeof(altstack) }, old;
	struct sigaction a = { .sa_handler = stack_look, .sa_flags = SA_ONSTACK };

	CHECK("sigaltstack query", sigaltstack(NULL, &old));
	NOTE("flags", "%d", old.ss_flags);
	CHECK("sigaltstack small", sigaltstack(&(stack_t){ .ss_sp = altstack, .ss_size = 100 }, NULL));
	CHECK("sigaltstack flags", sigaltstack(&(stack_t){ .ss_sp = altstack, .ss_size = 65536, .ss_flags = 4 }, NULL));
	CHECK("sigaltstack bad", syscall(SYS_sigaltstack, 8, NULL));
	CHECK("sigaltstack", sigaltstack(&st, &old));
	sigaltstack(NULL, &old);
	NOTE("kept", "%d %d %d", old.ss_sp == altstack, (int)old.ss_size, old.ss_flags);
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	NOTE("on stack", "%d flags %d", on_stack, stack_flags);
	a.sa_flags = 0;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	NOTE("not on stack", "%d flags %d", on_stack, stack_flags);
	st.ss_sp = altstack, st.ss_size = sizeof(altstack), st.ss_flags = 0;
	sigaltstack(&st, NULL);
	catch(SIGSEGV, SA_ONSTACK);
	TRY("fault on altstack", *(volatile char *)low);
	NOTE("on stack", "%d", on_stack);
	st.ss_flags = (int)(1u << 31);
	CHECK("AUTODISARM", sigaltstack(&st, NULL));
	a.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	sigaltstack(NULL, &old);
	NOTE("after", "%d %d", old.ss_sp == altstack, old.ss_flags == (int)(1u << 31));
	CHECK("disable", sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL));
	sigaltstack(NULL, &old);
	NOTE("flags", "%d", old.ss_flags);
}

/* One whose end lies behind all addresses, so that the thread is on it for good: handlers run where it is, whatever they ask for. */
static void *endless(void *arg)
{
	stack_t st = { .ss_sp = (void *)0x10000, .ss_size = (size_t)-0x8000 };
	struct sigaction a = { .sa_handler = stack_look };

	CHECK("endless", sigaltstack(&st, NULL));
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	NOTE("on the endless one", "%d flags %d", on_stack, stack_flags);
	a.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	NOTE("entered the endless one", "%d flags %d", on_stack, stack_flags);
	return arg;
}

static void mask_change(int s, siginfo_t *si, void *p)
{
	ucontext_t *uc = p;

	(void)s, (void)si;
	sigaddset(&uc->uc_sigmask, SIGUSR1);
}

static void masks(void)
{
	struct sigaction a = { .sa_sigaction = mask_change, .sa_flags = SA_SIGINFO };
	sigset_t m;

	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &m);
	NOTE("mask from the frame", "%d %d", sigismember(&m, SIGUSR1), sigismember(&m, SIGUSR2));
}

int main(void)
{
	registers();
	altstacks();
	masks();
	faults();
	pthread_t t;
	if (pthread_create(&t, NULL, endless, NULL) == 0)
		pthread_join(t, NULL);
	return 0;
}
