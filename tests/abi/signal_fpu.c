/* signal_fpu.c - the FPU's state and signals: what a handler begins with, what its frame has, what sigreturn takes back and what it refuses. */
#include "abi.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define MXCSR_DOWN 0x3f80u           /* rounding down; the first value is 0x1f80 */
#define FCW_DOWN   0x77fu

static void xmm_set(uint64_t v) { __asm__ volatile("movq %0, %%xmm7" : : "r"(v) : "xmm7"); }
static uint64_t xmm_get(void)
{
	uint64_t v;

	__asm__ volatile("movq %%xmm7, %0" : "=r"(v));
	return v;
}
static void control_set(uint32_t mxcsr, uint16_t fcw) { __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(fcw)); }
static void control_note(const char *key)
{
	uint32_t mxcsr;
	uint16_t fcw;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	NOTE(key, "mxcsr %x fcw %x", mxcsr, fcw);
}

/* The upper half of ymm7, or 0 where there is no AVX. */
static int avx;
static void ymm_set(uint64_t v)
{
	uint64_t m[4] = { v, v, v, v };

	__asm__ volatile("vmovdqu %0, %%ymm7" : : "m"(m) : "xmm7");
}
static uint64_t ymm_get(void)
{
	uint64_t m[4];

	__asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(m));
	return m[2];
}

/* ---- What the handler does to its frame ---- */

enum change { NOTHING, SEEN, MAGIC1, MAGIC2, MXCSR, BV_RESERVED, XCOMP, NO_STATE, CROOKED, HOLE, HALF, LEGACY, DEEPER };
static volatile enum change change;
static volatile uint32_t seen_mxcsr, seen_fcw, seen_magic;
static volatile uint64_t seen_xmm, in_xmm, in_frame;
static volatile int is_xsave, magic2_right, bv_right, segv, depth;
static sigjmp_buf back;
static char *hole;                   /* a page, then none */

static void on(int s, siginfo_t *si, void *p)
{
	(void)si;
	ucontext_t *uc = p;
	char *f = (char *)uc->uc_mcontext.fpregs;
	uint32_t sw[6], size, v;
	uint64_t bv;

	seen_xmm = xmm_get();
	__asm__ volatile("stmxcsr %0" : "=m"(v));
	seen_mxcsr = v;
	__asm__ volatile("fnstcw %0" : "=m"(v));
	seen_fcw = v & 0xffff;
	memcpy(sw, f + 464, sizeof(sw));
	size = sw[4];
	is_xsave = uc->uc_flags & 1;
	memcpy((void *)&in_frame, f + 160 + 7 * 16, 8);
	xmm_set(0x6666);
	control_set(0x5f80, 0xb7f);
	switch (change) {
	case SEEN:
		seen_magic = sw[0];
		magic2_right = !is_xsave || (!memcmp(f + size, "EXPF", 4) && sw[1] == size + 4);
		memcpy(&bv, f + 512, 8);
		bv_right = !is_xsave || ((bv & 3) == 3 && !(bv & ~*(uint64_t *)(sw + 2)));
		break;
	case MAGIC1: memset(f + 464, 0, 4); break;
	case MAGIC2: if (is_xsave) memset(f + size, 0, 4); break;
	case MXCSR: memset(f + 26, 0xff, 2); break;
	case BV_RESERVED: if (is_xsave) f[519] |= 0x40; else memset(f + 26, 0xff, 2); break;
	case XCOMP: if (is_xsave) f[520] |= 1; else memset(f + 26, 0xff, 2); break;
	case NO_STATE: uc->uc_mcontext.fpregs = NULL; break;
	case CROOKED: uc->uc_mcontext.fpregs = (void *)(f + 4); break;
	case HOLE: uc->uc_mcontext.fpregs = (void *)(hole + 4096); break;
	case HALF: uc->uc_mcontext.fpregs = memcpy(hole + 4096 - 512, f, 512); if (!is_xsave) memset(f + 26, 0xff, 2); break;
	case LEGACY: memcpy(f + 160 + 7 * 16, "\x55\x55\0\0\0\0\0", 8); f[25] = 0x7f; break;
	case DEEPER:
		if (depth++ < 3) {
			xmm_set((uint64_t)depth);
			raise(s);
			in_xmm = in_xmm * 16 + xmm_get();
		}
		break;
	default: break;
	}
}

static void on_segv(int s, siginfo_t *si, void *p)
{
	(void)s, (void)p;
	segv = si->si_code;
	siglongjmp(back, 1);
}

static void try_change(const char *name, enum change c)
{
	volatile uint64_t x = 0, y = 0;

	change = c;
	segv = 0;
	depth = 0;
	in_xmm = 0;
	if (!sigsetjmp(back, 1)) {
		if (avx)
			ymm_set(0x1234);
		xmm_set(0x1234);
		if (avx)
			ymm_set(0x1234);
		control_set(MXCSR_DOWN, FCW_DOWN);
		syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
		x = xmm_get();
		y = avx ? ymm_get() : c == MAGIC1 || c == MAGIC2 || c == NO_STATE ? 0 : 0x1234;
		control_note(name);
	} else {
		control_note(name);
	}
	control_set(0x1f80, 0x37f);
	NOTE(name, "xmm %lx ymm %lx segv %d", (long)x, (long)y, segv);
}

static void frames(void)
{
	struct sigaction a = { .sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_NODEFER }, s = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(hole + 4096, 4096);
	sigaction(SIGUSR1, &a, NULL);
	sigaction(SIGSEGV, &s, NULL);
	try_change("as it was", SEEN);
	NOTE("a handler begins with", "mxcsr %x fcw %x xmm %lx", seen_mxcsr, seen_fcw, (long)seen_xmm);
	NOTE("its frame", "xmm %lx magic %x second %d parts %d", (long)in_frame, seen_magic, magic2_right, bv_right);
	try_change("changed", LEGACY);
	try_change("no first magic", MAGIC1);
	try_change("no second magic", MAGIC2);
	try_change("reserved in mxcsr", MXCSR);
	try_change("reserved in the header", BV_RESERVED);
	try_change("compact bits", XCOMP);
	try_change("no state", NO_STATE);
	try_change("not aligned", CROOKED);
	try_change("not there", HOLE);
	try_change("nested", DEEPER);
	NOTE("nested", "%lx", (long)in_xmm);
	try_change("after all", NOTHING);
}

/* A stack that is not there yet: frame after frame, each a page further down. */
static void deep(int n)
{
	volatile char fill[4096 - 512];

	fill[0] = (char)n;
	xmm_set(0x4321);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	if (xmm_get() != 0x4321 || in_frame != 0x4321)
		NOTE("fresh stack", "%d: %lx %lx", n, (long)xmm_get(), (long)in_frame);
	if (n)
		deep(n - 1);
	fill[1] = fill[0];
}

/* Threads with registers of their own, switched and interrupted. */
static volatile int wrong;

static void count(int s)
{
	(void)s;
	xmm_set(0x9999);
	sched_yield();
	wrong += xmm_get() != 0x9999;
}

static void *turns(void *arg)
{
	uint64_t mine = 0x1000 + (uint64_t)(uintptr_t)arg;

	for (int i = 0; i < 300; i++) {
		uint32_t mxcsr;

		control_set(0x1f80u | (uint32_t)(uintptr_t)arg % 4 << 13, 0x37f);
		if (avx)
			ymm_set(mine + (uint64_t)i);
		else
			xmm_set(mine + (uint64_t)i);
		if (i % 3)
			sched_yield();
		else
			syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGUSR2);
		wrong += xmm_get() != mine + (uint64_t)i || (avx && ymm_get() != mine + (uint64_t)i);
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		wrong += (mxcsr >> 13 & 3) != (uintptr_t)arg % 4;
	}
	return NULL;
}

int main(void)
{
	pthread_t t[4];

	avx = __builtin_cpu_supports("avx");
	frames();
	change = NOTHING;
	deep(20);
	NOTE("fresh stack", "done");
	signal(SIGUSR2, count);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, turns, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	NOTE("threads", "%d wrong", wrong);
	return 0;
}
