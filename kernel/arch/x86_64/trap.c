/*
 * trap.c - exceptions, from user mode and from the kernel.
 *
 * From user mode: page faults go to hooks.user_fault, everything else (and what it refuses) to hooks.user_trap, with
 * interrupts enabled. From the kernel: only instructions listed in the exception table may fault (user copies, reads of
 * model-specific registers); a page fault there goes to user_fault first, which may sleep. Anything else is our bug.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/panic.h"
#include "base/counter.h"
#include "base/log.h"

enum { TRAP_DB = 1, TRAP_NMI = 2, TRAP_DF = 8, TRAP_GP = 13, TRAP_PF = 14, TRAP_MC = 18 };
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_EXEC = 16 };

void trap_from_user(struct user_regs *r, unsigned vector);
void trap_from_kernel(struct user_regs *r, unsigned vector);
void trap_paranoid(struct user_regs *r, unsigned vector);
void arch_run_user_work(struct user_regs *r);

struct ex_entry {
	s32 from, to;            /* each relative to itself */
};
extern const struct ex_entry __ex_table_start[], __ex_table_end[];
u32 arch_stop_cpus;              /* a panic asks the others to stop, by NMI */

/* Where to go on after a fault at ip; 0 if it is not listed. */
static uintptr_t ex_find(uintptr_t ip)
{
	for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++)
		if ((uintptr_t)&e->from + (intptr_t)e->from == ip)
			return (uintptr_t)&e->to + (intptr_t)e->to;
	return 0;
}

static enum arch_fault_access fault_access(u64 error)
{
	return error & PF_EXEC ? ARCH_FAULT_EXEC : error & PF_WRITE ? ARCH_FAULT_WRITE : ARCH_FAULT_READ;
}

void trap_from_user(struct user_regs *r, unsigned vector)
{
	u64 error = r->orig_rax, va = 0;

	r->orig_rax = (u64)-1;
	if (vector == TRAP_PF) {
		va = x86_read_cr2();
		x86_sti();
		/* Without PF_USER it was the CPU's own access (to a descriptor, say): no mapping mends that. */
		if (va < ARCH_USER_TOP && (error & (PF_USER | PF_RESERVED)) == PF_USER && arch_hooks.user_fault(va, fault_access(error),
				error & PF_PRESENT, true) == 0)
			return;
	} else {
		x86_sti();
	}
	arch_hooks.user_trap(r, vector, error, va);
}

void trap_from_kernel(struct user_regs *r, unsigned vector)
{
	u64 error = r->orig_rax, va = vector == TRAP_PF ? x86_read_cr2() : 0;
	uintptr_t to = ex_find(r->rip);

	if (!to)
		panic_fault(r, vector, error, va);
	if (vector == TRAP_PF && va < ARCH_USER_TOP && (r->rflags & RFLAGS_IF)) {
		int err;

		x86_sti();
		err = arch_hooks.user_fault(va, fault_access(error), error & PF_PRESENT, false);
		x86_cli();
		if (err == 0)
			return;
	}
	r->rip = to;
}

void trap_paranoid(struct user_regs *r, unsigned vector)
{
	if (vector == TRAP_NMI) {
		if (READ_ONCE(arch_stop_cpus))
			for (;;) {
				x86_cli();
				x86_hlt();
			}
		/* From outside: somebody wants to know why this machine hangs. */
		panic_fault(r, vector, 0, 0);
	}
	panic_fault(r, vector, r->orig_rax, vector == TRAP_DF ? x86_read_cr2() : 0);
}

void arch_run_user_work(struct user_regs *r) { arch_hooks.user_work(r); }
