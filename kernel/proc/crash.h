/*
 * crash.h - what the host sees when the program dies of a signal with core semantics.
 */
#ifndef PROC_CRASH_H
#define PROC_CRASH_H

#include "proc/task.h"

struct crash_backtrace {
	unsigned frames;
	bool smashed;                /* a check of the C library failed, in the function called victim */
	char victim[128];
	char symbol[256];
};
/* The report's registers and backtrace. A slot: a kernel of one program may lack them. */
void crash_say_state(const struct user_regs *r, struct crash_backtrace *bt);
/*
 * A report on the log port: signal, address, registers, backtrace with symbols. When a signal ends the process:
 * in the dying task's context; sleeps (files are read). info and regs may be NULL.
 */
void crash_report(int signo, const struct siginfo *info, const struct user_regs *regs);

/* symbol.c: the name of the function that holds the user address pc, with its offset, from the symbol tables of the
 * file that is mapped there; else the file's name and the offset in it. Always terminates buf. Sleeps. */
void crash_symbol(uintptr_t pc, char *buf, size_t size);
/*
 * The most likely return address into another file than the one that r->rip is in: who called into the C library, say. It
 * is looked for on the stack by its looks, so it may be an old one. 0 when there is none. Sleeps.
 */
uintptr_t crash_caller(const struct user_regs *r);
/* The program's interpreter: it leaves addresses of its own on the stack when it binds functions, and is no caller. Compared only. */
void crash_set_interpreter(const void *file);
/* True if the bytes before ret look like a call instruction that returns to ret. */
bool crash_is_return_address(uintptr_t ret);

#endif
