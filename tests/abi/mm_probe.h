/* mm_probe.h - touching memory and telling what happened: "ok", or the signal and its code. */
#ifndef TESTS_MM_PROBE_H
#define TESTS_MM_PROBE_H

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "abi.h"

#define PG 4096ul

static sigjmp_buf probe_jmp;
static volatile int probe_sig, probe_code;
static void *volatile probe_addr;

static void probe_handler(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	probe_sig = sig;
	probe_code = si->si_code;
	probe_addr = si->si_addr;
	siglongjmp(probe_jmp, 1);
}

static inline void probe_init(void)
{
	struct sigaction sa = { .sa_sigaction = probe_handler, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
}

static inline const char *probe_result(volatile void *p)
{
	if (probe_addr != (void *)p)
		return "fault elsewhere";
	if (probe_sig == SIGSEGV)
		return probe_code == SEGV_MAPERR ? "SEGV_MAPERR" : probe_code == SEGV_ACCERR ? "SEGV_ACCERR" : "SEGV ?";
	return probe_code == BUS_ADRERR ? "BUS_ADRERR" : "BUS ?";
}

static inline const char *probe_read(volatile void *p)
{
	if (sigsetjmp(probe_jmp, 1))
		return probe_result(p);
	(void)*(volatile char *)p;
	return "ok";
}
static inline const char *probe_write(volatile void *p)
{
	if (sigsetjmp(probe_jmp, 1))
		return probe_result(p);
	*(volatile char *)p = 1;
	return "ok";
}
static inline const char *probe_exec(void *p)
{
	if (sigsetjmp(probe_jmp, 1))
		return probe_result(p);
	((void (*)(void))p)();
	return "ok";
}
static inline char *map_anon(size_t pages, int prot)
{
	return mmap(NULL, pages * PG, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
#define RW (PROT_READ | PROT_WRITE)

#endif
