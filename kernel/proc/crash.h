/*
 * crash.h - what the host sees when the program dies of a signal with core semantics.
 */
#ifndef PROC_CRASH_H
#define PROC_CRASH_H

#include "proc/task.h"

/*
 * A report on the log port: signal, address, registers, backtrace with symbols. For process_crash_hook:
 * in the dying task's context; sleeps (files are read). info and regs may be NULL.
 */
void crash_report(int signo, const struct siginfo *info, const struct user_regs *regs);

/* symbol.c: the name of the function that holds the user address pc, with its offset, from the symbol tables of the
 * file that is mapped there; else the file's name and the offset in it. Always terminates buf. Sleeps. */
void crash_symbol(uintptr_t pc, char *buf, size_t size);
/* True if the bytes before ret look like a call instruction that returns to ret. */
bool crash_is_return_address(uintptr_t ret);

#endif
