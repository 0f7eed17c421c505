/*
 * hostile.c - a program that is the kernel's enemy: what it survives is its own business, the kernel must.
 *
 *   hostile frames N SEED        rt_sigreturn from N frames of rubbish
 *   hostile calls N SEED TASKS   N random system calls in each of TASKS threads
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static __thread uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* ---- Frames ---- */

static sigjmp_buf back;
static char stack[65536];
static struct {
	uint64_t pretcode;
	ucontext_t uc;
	char rest[4096];
} frame __attribute__((aligned(64)));
static char fpu[8192] __attribute__((aligned(64)));

static void fault(int s)
{
	(void)s;
	siglongjmp(back, 1);
}

static uint64_t address(void)
{
	switch (rnd() % 8) {
	case 0: return 0;
	case 1: return rnd();
	case 2: return 0xffffffff80000000ull + rnd() % 4096;
	case 3: return 0x00007ffffffff000ull - rnd() % 64;
	case 4: return 0x0000800000000000ull + rnd() % 4096;
	case 5: return (uintptr_t)fpu + 64 * (rnd() % 64);
	case 6: return (uintptr_t)&frame + rnd() % 512;
	default: return (uintptr_t)fault;
	}
}

static void frames(long n)
{
	struct sigaction a = { .sa_handler = fault, .sa_flags = SA_ONSTACK | SA_NODEFER };
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	volatile long faults = 0;

	for (int s = SIGILL; s <= SIGSEGV; s++)
		if (s == SIGILL || s == SIGTRAP || s == SIGBUS || s == SIGFPE || s == SIGSEGV)
			sigaction(s, &a, NULL);
	for (volatile long i = 0; i < n; i++) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		sigaltstack(&ss, NULL);
		if (sigsetjmp(back, 0)) {
			faults++;
			continue;
		}
		for (unsigned k = 0; k < sizeof(frame) / 8; k++)
			((uint64_t *)&frame)[k] = rnd() % 3 ? address() : rnd();
		for (unsigned k = 0; k < sizeof(fpu) / 8; k++)
			((uint64_t *)fpu)[k] = rnd() % 4 ? 0 : rnd();
		/* Often plausible, so that the deeper checks are reached. */
		frame.uc.uc_mcontext.gregs[REG_RIP] = (long)address();
		frame.uc.uc_mcontext.fpregs = rnd() % 4 ? (void *)(fpu + 64 * (rnd() % 8)) : (void *)address();
		if (rnd() % 2) {
			uint32_t size = rnd() % 3000;
			char *fx = (char *)frame.uc.uc_mcontext.fpregs;
			if (fx >= fpu && fx < fpu + 512) {
				*(uint32_t *)(fx + 464) = 0x46505853;
				*(uint32_t *)(fx + 468) = rnd() % 2 ? 836 : size;
				*(uint32_t *)(fx + 480) = rnd() % 2 ? 832 : size;
				*(uint32_t *)(fx + 832) = 0x46505845;
			}
		}
		/* Alignment checks would catch our own code for ever. */
		frame.uc.uc_mcontext.gregs[REG_EFL] = (long)(rnd() & ~0x40000ull);
		/* Faults must come back to us: they stay unblocked. */
		memset(&frame.uc.uc_sigmask, 0, sizeof(frame.uc.uc_sigmask));
		frame.uc.uc_stack.ss_sp = stack;
		frame.uc.uc_stack.ss_size = sizeof(stack);
		frame.uc.uc_stack.ss_flags = 0;
		__asm__ volatile("mov %0, %%rsp\n mov %1, %%eax\n syscall\n ud2" :: "r"((char *)&frame + 8), "i"(SYS_rt_sigreturn) : "memory", "rax");
	}
	printf("frames: %s\n", faults > 0 ? "survived" : "no fault at all");
}

/* ---- Calls ---- */

static char *page, *edge, *room;
static long calls_each;
/* Those that end the program or take its own memory, streams or threads away; all else is fair. */
static const short spared[] = {
	SYS_exit, SYS_exit_group, SYS_reboot, SYS_rt_sigreturn, SYS_pause, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo, SYS_munmap, SYS_mmap, SYS_mremap, SYS_mprotect, SYS_brk, SYS_madvise, SYS_rt_sigaction, SYS_set_robust_list,
	SYS_set_tid_address, SYS_rseq, SYS_arch_prctl, SYS_setrlimit, SYS_prlimit64, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_clone, SYS_clone3,
	SYS_close, SYS_close_range, SYS_dup2, SYS_dup3, SYS_rt_sigprocmask, SYS_setitimer, SYS_alarm, SYS_shutdown, SYS_fcntl, SYS_ioctl,
};

static uint64_t argument(void)
{
	switch (rnd() % 14) {
	case 0: return 0;
	case 1: return rnd();
	case 2: return rnd() % 16;
	case 3: return ~0ull;
	case 4: return (uintptr_t)room + rnd() % 4096;
	case 5: return (uintptr_t)edge - rnd() % 64;
	case 6: return 8;
	case 7: return 1ull << (rnd() % 64);
	case 8: return rnd() % 4096;
	case 9: return (uintptr_t)page + 8 * (rnd() % 512);
	case 10: return 0x7ffffffff000ull - rnd() % 32;
	case 11: return 0xffff800000000000ull + rnd() % 4096;
	case 12: return rnd() % 64;
	default: return (uint32_t)rnd();
	}
}

static void *enemy(void *arg)
{
	seed = (uintptr_t)arg * 0x9e3779b97f4a7c15ull | 1;
	for (long i = 0; i < calls_each; i++) {
		long nr = (long)(rnd() % 460);
		int spare = 0;
		for (unsigned k = 0; k < sizeof(spared) / sizeof(spared[0]); k++)
			spare |= spared[k] == nr;
		if (spare)
			continue;
		syscall(nr, argument(), argument(), argument(), argument(), argument(), argument());
		if (i % 64 == 0)
			for (int k = 0; k < 64; k++)
				((uint64_t *)page)[rnd() % 512] = argument();
	}
	return NULL;
}

static void tick(int s)
{
	(void)s;
}

static void calls(unsigned long first, int tasks)
{
	struct sigaction a = { .sa_handler = tick };
	struct itimerval v = { { 0, 3000 }, { 0, 3000 } };
	pthread_t t[64];

	/* Far from everything else, with a guard behind: what the kernel writes there for long counts stays there. */
	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	edge = page + 4096;
	mprotect(edge, 4096, PROT_NONE);
	room = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(room + (1 << 19), 4096, PROT_NONE);
	for (int s = 1; s < 65; s++)
		if (s != SIGSEGV && s != SIGBUS && s != SIGABRT)
			sigaction(s, &a, NULL);
	for (int i = 0; i < tasks; i++)
		pthread_create(&t[i], NULL, enemy, (void *)(first * 100 + (unsigned long)i + 1));
	/* Sleeping calls are woken for a while; then it is enough. */
	setitimer(ITIMER_REAL, &v, NULL);
	for (int i = 0; i < 150; i++)
		usleep(20000);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	calls_each = atol(argv[2]);
	seed = strtoul(argv[3], NULL, 0) * 2 + 1;
	if (!strcmp(argv[1], "frames"))
		frames(calls_each);
	else
		calls(strtoul(argv[3], NULL, 0), argc > 4 ? atoi(argv[4]) : 4);
	return 0;
}
