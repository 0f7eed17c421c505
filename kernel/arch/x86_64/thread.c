/*
 * thread.c - switching threads, and what the program's threads have besides: TLS bases, the way into user mode.
 *
 * A switch happens with interrupts masked. The new thread's kernel stack goes into the TSS and the CPU block (entry.S,
 * (E2)), its canary into gs:40 in the same step as the stack (switch_stacks).
 */
#include "arch/x86_64/cpu.h"

void switch_stacks(u64 *save_sp, u64 load_sp, u64 canary);
void thread_switch(struct arch_thread *prev, struct thread *next, struct arch_thread *next_arch);
NORETURN void user_enter_at(struct user_regs *r);
extern char thread_first_entry[];

#define RFLAGS_USER (0xcd5u | RFLAGS_AC | (1u << 21))   /* CF PF AF ZF SF TF DF OF, AC, ID */

void arch_thread_init(struct arch_thread *t, uintptr_t stack_top, void (*entry)(void *), void *arg)
{
	u64 *sp = (u64 *)(stack_top - ROUND_UP(sizeof(struct user_regs), 16));   /* (E2): whoever makes the thread fills them */

	*--sp = 0;                              /* keeps the stack aligned at the entry */
	*--sp = (u64)arg;
	*--sp = (u64)entry;
	*--sp = (u64)thread_first_entry;
	*t = (struct arch_thread){
		.kernel_sp = (uintptr_t)sp, .stack_top = stack_top, .canary = arch_memory_ops.random_u64() & ~0xffull, .fpu_cpu = ~0u,
	};
}

/* The bases when only one of the two is a thread of the program; without FSGSBASE only arch_prctl changes them, and it stores them. */
static NOINLINE void tls_save(struct arch_thread *t)
{
	t->fs_base = x86_rdfsbase();
	x86_swapgs();
	t->gs_base = x86_rdgsbase();
	x86_swapgs();
}

static NOINLINE void tls_load(const struct arch_thread *t)
{
	if (cpu_features.fsgsbase) {
		x86_wrfsbase(t->fs_base);
		x86_swapgs();
		x86_wrgsbase(t->gs_base);
		x86_swapgs();
	} else {
		x86_wrmsr(MSR_FS_BASE, t->fs_base);
		x86_wrmsr(MSR_KERNEL_GS_BASE, t->gs_base);
	}
}

static ALWAYS_INLINE void tls_switch(struct arch_thread *prev, const struct arch_thread *next)
{
	if (likely(prev->fpu && next->fpu && cpu_features.fsgsbase)) {
		prev->fs_base = x86_rdfsbase();
		x86_wrfsbase(next->fs_base);
		x86_swapgs();
		prev->gs_base = x86_rdgsbase();
		x86_wrgsbase(next->gs_base);
		x86_swapgs();
		return;
	}
	if (prev->fpu && cpu_features.fsgsbase)
		tls_save(prev);
	if (next->fpu)
		tls_load(next);
}

/* Called by arch_thread_switch; switch_stacks, its last, keeps no registers. */
USED __attribute__((no_stack_protector))
void thread_switch(struct arch_thread *prev, struct thread *next, struct arch_thread *next_arch)
{
	struct arch_cpu *c = this_cpu();

	tls_switch(prev, next_arch);
	fpu_save(prev);
	if (next_arch->fpu && !(next_arch->exit_flags & EXIT_FPU)) {
		if (c->fpu_owner == next_arch && next_arch->fpu_cpu == c->id)
			next_arch->fpu_loaded = true;           /* by (F2) */
		else
			fpu_load(c, next_arch);
	}
	c->current = next;
	c->thread = next_arch;
	c->kernel_sp = next_arch->stack_top;
	c->tss.rsp0 = next_arch->stack_top;
	switch_stacks(&prev->kernel_sp, next_arch->kernel_sp, next_arch->canary);
}

void arch_thread_adopt(struct thread *t, struct arch_thread *t_arch, void *sched)
{
	irq_flags_t f = arch_irq_save();
	struct arch_cpu *c = this_cpu();

	t_arch->stack_top = c->kernel_sp;
	t_arch->canary = c->canary;
	t_arch->fpu_cpu = ~0u;
	c->current = t;
	c->thread = t_arch;
	c->sched = sched;
	arch_irq_restore(f);
}

/* ---- User mode ---- */

NORETURN void arch_user_enter(void)
{
	struct arch_thread *t = this_cpu()->thread;

	t->exit_flags |= EXIT_FULL;
	user_enter_at(arch_user_regs(t));
}

void arch_user_set_full_exit(void) { this_cpu()->thread->exit_flags |= EXIT_FULL; }

void arch_user_regs_sanitize(struct user_regs *r)
{
	r->cs = SEL_USER_CS;
	r->ss = SEL_USER_DS;
	r->rflags = (r->rflags & RFLAGS_USER) | RFLAGS_IF | 2;
	if (r->rip >= ARCH_USER_TOP)
		r->rip = 0;                     /* faults there, in user mode */
}

void arch_user_set_fs_base(u64 base)
{
	irq_flags_t f = arch_irq_save();

	this_cpu()->thread->fs_base = base;
	if (cpu_features.fsgsbase)
		x86_wrfsbase(base);
	else
		x86_wrmsr(MSR_FS_BASE, base);
	arch_irq_restore(f);
}

void arch_user_set_gs_base(u64 base)
{
	irq_flags_t f = arch_irq_save();

	this_cpu()->thread->gs_base = base;
	if (cpu_features.fsgsbase) {
		x86_swapgs();
		x86_wrgsbase(base);
		x86_swapgs();
	} else {
		x86_wrmsr(MSR_KERNEL_GS_BASE, base);
	}
	arch_irq_restore(f);
}

u64 arch_user_fs_base(void) { return cpu_features.fsgsbase ? x86_rdfsbase() : this_cpu()->thread->fs_base; }

u64 arch_user_gs_base(void)
{
	irq_flags_t f;
	u64 v;

	if (!cpu_features.fsgsbase)
		return this_cpu()->thread->gs_base;
	f = arch_irq_save();
	x86_swapgs();
	v = x86_rdgsbase();
	x86_swapgs();
	arch_irq_restore(f);
	return v;
}
