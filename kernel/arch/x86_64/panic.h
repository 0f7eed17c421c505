/* panic.h - reports of the kernel's own failures. No address in them is absolute: see panic.c. */
#ifndef ARCH_X86_64_PANIC_H
#define ARCH_X86_64_PANIC_H

#include "arch/arch.h"

/* Install the handler; look for `earlycon` on the command line (then reports go to COM1 and to port 0xe9 too). */
void panic_init(void);
/* A fault of the kernel itself: registers, backtrace, the end. */
NORETURN void panic_fault(const struct user_regs *regs, unsigned vector, u64 error, u64 va);
/* One line on COM1 if `earlycon` was given: for what happens before there is a port. */
void earlycon_write(const char *line, size_t len);

#endif
