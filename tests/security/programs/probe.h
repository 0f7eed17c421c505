/*
 * probe.h - what the probes share: a verdict is one line, "ok NAME" or "not ok NAME: why".
 */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul

static inline void verdict(const char *name, int good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %s", good ? "ok" : "not ok", name);
	if (!good) {
		printf(": ");
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
	}
	putchar('\n');
	fflush(stdout);
}

static sigjmp_buf fault_back;
static volatile int fault_signal, fault_awaited;

static void on_fault(int s)
{
	if (!fault_awaited)
		signal(s, SIG_DFL);
	fault_signal = s;
	if (!fault_awaited)
		return;
	siglongjmp(fault_back, 1);
}

/* Handlers on a stack of their own: the stack itself may be what faults. */
static inline void faults_catch(void)
{
	static char stack[65536];
	struct sigaction a = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER };
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	sigaltstack(&ss, NULL);
	for (const int *s = (const int[]){ SIGSEGV, SIGBUS, SIGILL, SIGTRAP, 0 }; *s; s++)
		sigaction(*s, &a, NULL);
}

/* What a statement raises, 0 if nothing. */
#define RAISES(statement) ({ fault_signal = 0; fault_awaited = 1; if (!sigsetjmp(fault_back, 1)) { statement; } fault_awaited = 0; fault_signal; })

static inline void *pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(3);
	}
	return p;
}

#endif
