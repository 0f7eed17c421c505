/*
 * cpu.h - one block for each CPU; gs points at it whenever the CPU is in the kernel.
 *
 * The first members' offsets are known to assembly (CPU_*) and to the compiler (the stack protector reads gs:40).
 */
#ifndef ARCH_X86_64_CPU_H
#define ARCH_X86_64_CPU_H

#define CPU_SELF       0
#define CPU_KERNEL_SP  8
#define CPU_USER_SP    16
#define CPU_CURRENT    24
#define CPU_ID         32
#define CPU_CANARY     40
#define CPU_THREAD     48
#define CPU_SCHED      56

/* arch_thread.exit_flags: why the way out to user mode is not the short one. */
#define EXIT_FULL      1    /* registers were changed: leave by iretq */
#define EXIT_FPU       2    /* the FPU registers are in memory: load them */
#define ARCH_THREAD_EXIT_FLAGS 0
#define THREAD_USER_WORK 4  /* offsets in struct thread (asserted by init) */
#define THREAD_WORK THREAD_USER_WORK /* both as one word */

/* struct arch_hooks */
#define HOOKS_CALLS   0
#define HOOKS_RESTART 8
#define HOOKS_NCALLS  16
#define HOOKS_RESTART_MAX 516   /* what arch_hooks.restart settles: results from -516 to -512 */
#define HOOKS_RESTART_MIN 512

/* struct user_regs */
#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_RBP 32
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9  64
#define REGS_R8  72
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_RDX 96
#define REGS_RSI 104
#define REGS_RDI 112
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS  136
#define REGS_RFLAGS 144
#define REGS_RSP 152
#define REGS_SS  160
#define REGS_SIZE 168

/* The stubs of entry.S: an exception's, and those of interrupts, so many in a row and then where they jump to. */
#define TRAP_STUB_LEN  8
#define IRQ_STUB_LEN   4
#define IRQ_GROUP      32
#define IRQ_GROUP_LEN  (IRQ_GROUP * IRQ_STUB_LEN + 8)

#ifndef __ASSEMBLER__
#include "arch/arch.h"
#include "arch/x86_64/asm.h"
#include "base/errno.h"

struct tss {
	u32 reserved0;
	u64 rsp0, rsp1, rsp2;
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap_base;
} PACKED;
enum { IST_DF = 1, IST_NMI = 2, IST_MC = 3 };

struct arch_cpu {
	struct arch_cpu *self;
	u64 kernel_sp;               /* top of the running thread's kernel stack: where SYSCALL starts */
	u64 user_sp;                 /* the program's rsp, for two instructions of SYSCALL entry */
	struct thread *current;
	u32 id, apic_id;
	u64 canary;                  /* of the running thread */
	struct arch_thread *thread;
	void *sched;                 /* the scheduler's own of this CPU */
	struct arch_thread *fpu_owner; /* whose registers are in the FPU (last loaded here) */
	u64 timer_deadline_ns;       /* armed for, U64_MAX = off */
	u64 lapic_arm_tsc;           /* when the one-shot count was started */
	u32 lapic_arm_count;
	u32 tlb_pending;             /* atomic: a shoot-down asked and this CPU has not answered */
	u32 idle;                    /* atomic: it waits in hlt */
	u32 tlb_stale;               /* atomic: drop everything before leaving idle (tlb.c) */
	bool up;
	u64 gdt[GDT_ENTRIES];
	struct tss tss ALIGNED(16);
};
_Static_assert(offsetof(struct arch_cpu, kernel_sp) == CPU_KERNEL_SP, "asm");
_Static_assert(offsetof(struct arch_cpu, user_sp) == CPU_USER_SP, "asm");
_Static_assert(offsetof(struct arch_cpu, current) == CPU_CURRENT, "asm");
_Static_assert(offsetof(struct arch_cpu, id) == CPU_ID, "asm");
_Static_assert(offsetof(struct arch_cpu, canary) == CPU_CANARY, "the compiler reads gs:40");
_Static_assert(offsetof(struct arch_cpu, thread) == CPU_THREAD, "asm");
_Static_assert(offsetof(struct arch_cpu, sched) == CPU_SCHED, "inline.h");
_Static_assert(offsetof(struct arch_thread, exit_flags) == ARCH_THREAD_EXIT_FLAGS, "asm");
_Static_assert(offsetof(struct user_regs, rax) == REGS_RAX && offsetof(struct user_regs, orig_rax) == REGS_ORIG_RAX &&
	       offsetof(struct user_regs, ss) == REGS_SS && sizeof(struct user_regs) == REGS_SIZE, "asm");
_Static_assert(offsetof(struct arch_hooks, calls) == HOOKS_CALLS && offsetof(struct arch_hooks, restart) == HOOKS_RESTART && offsetof(struct arch_hooks, ncalls) == HOOKS_NCALLS, "asm");
_Static_assert(HOOKS_RESTART_MAX == ERESTART_RESTARTBLOCK && HOOKS_RESTART_MIN == ERESTARTSYS, "asm");
_Static_assert(sizeof(struct tss) == 104, "Intel SDM 3A, 8.7");

extern struct arch_cpu arch_cpu0;
extern struct arch_cpu *arch_cpus[ARCH_MAX_CPUS];
extern unsigned arch_ncpus;          /* atomic: CPUs that are up */

static ALWAYS_INLINE struct arch_cpu *this_cpu(void)
{
	struct arch_cpu *c;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* entry.S */
void arch_enter(void);                  /* first code on the final tables; boot/ jumps here */
extern char syscall_entry[], trap_stubs[];
NORETURN void user_exit(void);          /* the way out with registers at rsp, interrupts masked */
/* desc.c: load GDT, IDT, TSS and the SYSCALL registers of this CPU. */
void desc_init_cpu(struct arch_cpu *c, const u64 ist_top[3]);
void desc_init_idt(void);
/* features.c */
struct cpu_features {
	bool x2apic, tsc_deadline, crc32c, sha, xsave, xsaveopt, avx, fsgsbase, smep, smap, umip, pge, rdrand, rdseed, rdtscp, rdpid, page1g,
		hypervisor, tcg, kvm, kvmclock, tsc_invariant;
	u32 max_leaf, family_model, hypervisor_leaf;
};
extern struct cpu_features cpu_features;
void features_detect(void);
void features_enable_cpu(void);          /* control registers of this CPU */
/* fpu.c */
void fpu_init_cpu(bool first);
static ALWAYS_INLINE void fpu_area_save(void *a)
{
	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(a), "a"(~0u), "d"(~0u) : "memory");
	else if (cpu_features.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(a), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(a) : "memory");
}
static ALWAYS_INLINE void fpu_save(struct arch_thread *t)
{
	if (!t->fpu_loaded)
		return;
	fpu_area_save(t->fpu);
	t->fpu_loaded = false;
}
/* Load the area: this thread's registers are this CPU's. Interrupts masked. */
static ALWAYS_INLINE void fpu_load_from(struct arch_cpu *c, struct arch_thread *t, const void *area)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	t->fpu_loaded = true;
	t->fpu_cpu = c->id;
	c->fpu_owner = t;
}
static ALWAYS_INLINE void fpu_load(struct arch_cpu *c, struct arch_thread *t) { fpu_load_from(c, t, t->fpu); }
void fpu_restore_current(void);
void fpu_kernel_begin(void);             /* the vector registers are this thread's in the kernel, until it sleeps */
/* vector numbers */
enum { VECTOR_FIRST = 0x30, VECTOR_LAST = 0xdf, VECTOR_TIMER = 0xf0, VECTOR_KICK = 0xf1, VECTOR_TLB = 0xf2, VECTOR_SPURIOUS = 0xff };
void irq_dispatch(unsigned vector);
/* off.c: after a panic: takes no locks */
void machine_stop_others(void);
NORETURN void machine_off_at_once(void);
/* tlb.c */
void tlb_ipi(void);
/* lapic.c */
void lapic_init_boot(void);
void lapic_init_cpu(struct arch_cpu *c);
void lapic_eoi(void);
void lapic_ipi(u32 apic_id, u32 command);
void lapic_timer_irq(void);
void lapic_timer_init(void);
void lapic_timer_stop(void);
void lapic_count_start(void);
u64 lapic_count(void);
/* clock.c: time-stamp counter against the kernel's clock */
u64 clock_tsc_to_ns(u64 tsc);
u64 clock_ns_to_tsc_delta(u64 ns);
void clock_refine_irq(void);
/* pagetable.c */
int kernel_map(uintptr_t va, phys_t pa, size_t len, u64 pte_flags) MUST_CHECK;
phys_t kernel_unmap_page(uintptr_t va);
void kernel_protect(uintptr_t va, size_t len, u64 clear, u64 set);
/* region of mappings (vmap.c): len bytes of address space with a hole below, 0 if out of room */
uintptr_t vmap_reserve(size_t len);
#endif
#endif
