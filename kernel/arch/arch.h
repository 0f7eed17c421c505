/*
 * arch.h - the one face of the machine. Everything privileged is behind it, so that
 * para-virtual entries can come in without a change above.
 *
 * Implementations: arch/x86_64 (the kernel), arch/host (unit tests: one "CPU", threads
 * are ucontexts, page tables are a software map).
 *
 * Addresses: phys_t is a guest-physical address; kernel virtual addresses are pointers;
 * user addresses are plain uintptr_t here (struct uaddr begins in vm/).
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "base/types.h"

typedef u64 phys_t;
/* PITH_SMALL: objects for kernels of one CPU (docs/decisions/linking.md), where numbers of CPUs are constants. */
#ifdef PITH_SMALL
#define ARCH_MAX_CPUS 1u
#else
#define ARCH_MAX_CPUS 32u
#endif

/* ---- The boot ------------------------------------------------------------------- */

/* First thing in kernel_main: descriptor tables, CPU features, firmware tables. Interrupts stay masked. */
void arch_init(void);
/* Interrupt controllers; needs arch_memory_ops. */
void arch_irq_init(void);
/* Start the clock and the timer: hints from the boot configuration, 0 = none. Before it the clock stands at 0. After arch_irq_init. */
void arch_clock_init(u64 tsc_khz_hint, u64 real_time_ns_hint);
/* Start the other CPUs; each calls entry, which does not return, with interrupts masked. */
void arch_smp_start(void (*entry)(void));
/* What CPUID says of the program's CPU: AT_HWCAP (leaf 1 edx) and AT_HWCAP2. */
u32 arch_hwcap(void);
u32 arch_hwcap2(void);
/* CRC-32C of len bytes from crc on, by the CPU's own instruction. False: it has none, nothing is done. */
bool arch_crc32c(u32 *crc, const void *data, size_t len);
/* sha256_blocks (base/sha256.h) by the CPU's own instructions. False: it has none, nothing is done. Not from interrupts. */
bool arch_sha256_blocks(u32 state[8], const void *data, size_t n);
/* The vDSO's image (page-aligned, whole pages) and the page of data that the program must see directly below it, read-only. */
const void *arch_vdso_image(size_t *ret_len);
phys_t arch_vvar_page(void);

/* ---- This CPU ------------------------------------------------------------------ */

#define ARCH_IRQ_ON 0x200ul                /* restoring this enables interrupts */
#ifdef PITH_HOST
/* Index of the CPU we run on, 0..arch_cpu_count()-1. Stable only while interrupts are off or the thread does not sleep. */
unsigned arch_cpu_id(void);
struct thread *arch_current(void);  /* the running thread, NULL before the scheduler starts */
void *arch_cpu_sched(void);         /* what arch_thread_adopt was given for this CPU; stable as arch_cpu_id */

typedef unsigned long irq_flags_t;
irq_flags_t arch_irq_save(void);           /* mask interrupts, return the state before */
void arch_irq_restore(irq_flags_t flags);
bool arch_irq_enabled(void);
void arch_cpu_relax(void);                 /* pause in a spin loop */
void *arch_phys_to_virt(phys_t pa);        /* through the direct map (RAM only) */
phys_t arch_virt_to_phys(const void *p);   /* direct map addresses only */
u8 arch_in8(u16 port);
u16 arch_in16(u16 port);
u32 arch_in32(u16 port);
void arch_out8(u16 port, u8 v);
void arch_out16(u16 port, u16 v);
void arch_out32(u16 port, u32 v);
#else
#include "arch/x86_64/inline.h"            /* the same functions, a few instructions each */
#endif
#ifdef PITH_SMALL
static inline unsigned arch_cpu_count(void) { return 1; }
#else
unsigned arch_cpu_count(void);      /* CPUs that are up */
#endif
/* Enable interrupts and wait for one, atomically; returns with interrupts masked. */
void arch_cpu_idle(void);
/* Ask another CPU to look at its run queue (it returns from idle or enters the scheduler on its way to user mode). */
#ifdef PITH_SMALL
static inline void arch_cpu_kick(unsigned cpu) { }
#else
void arch_cpu_kick(unsigned cpu);
#endif

/* ---- Time ---------------------------------------------------------------------- */

u64 arch_clock_mono_ns(void);              /* since boot; monotonic over all CPUs; any context */
u64 arch_clock_real_offset_ns(void);       /* real time = mono + this */
void arch_clock_set_real_offset(u64 offset_ns);
/* Arm this CPU's one-shot timer for an absolute monotonic time (past = at once; U64_MAX = off). Fires arch_hooks.timer. */
void arch_timer_arm(u64 deadline_ns);

/* ---- Threads ------------------------------------------------------------------- */

/* The machine's part of a thread; the scheduler embeds it. */
struct arch_thread {
	u32 exit_flags;        /* arch's own: why the way out to user mode is not the short one */
	u32 fpu_cpu;           /* the CPU its FPU registers were loaded on last */
	uintptr_t kernel_sp;   /* saved stack pointer while not running */
	uintptr_t stack_top;   /* top of the kernel stack; traps from user mode start here */
	u64 fs_base, gs_base;  /* the program's TLS bases (saved when switched out) */
	u64 canary;            /* this thread's stack protector value */
	void *fpu;             /* XSAVE area, NULL for a kernel thread; 64-byte aligned */
	bool fpu_loaded;       /* its registers are in the CPU it runs on */
	void *host;            /* arch/host only */
};

/* Prepare t so that the first switch to it calls entry(arg) with interrupts masked; entry must not return. stack_top is 16-byte aligned. */
void arch_thread_init(struct arch_thread *t, uintptr_t stack_top, void (*entry)(void *), void *arg);
/* Give t a user register context area: FPU state of the current thread if that is one of the program's, else initial. -ENOMEM. */
int arch_thread_init_user(struct arch_thread *t) MUST_CHECK;
void arch_thread_destroy(struct arch_thread *t);
/* Boot and further CPUs: the running context becomes thread t (arch_current returns it from now on), and sched what arch_cpu_sched returns. */
void arch_thread_adopt(struct thread *t, struct arch_thread *t_arch, void *sched);
/* Switch stacks and current thread; called with interrupts masked; returns when prev runs again. */
#ifdef PITH_HOST
void arch_thread_switch(struct arch_thread *prev, struct thread *next, struct arch_thread *next_arch);
#else
static ALWAYS_INLINE void arch_thread_switch(struct arch_thread *prev, struct thread *next, struct arch_thread *next_arch)
{
	/* The caller keeps what it needs in its own frame: it saves its callers' registers anyway. */
	__asm__ volatile("call thread_switch" : "+D"(prev), "+S"(next), "+d"(next_arch)
			 : : "rax", "rcx", "rbx", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
}
#endif

/* ---- User mode ----------------------------------------------------------------- */

/* The program's registers, at the top of the thread's kernel stack whenever it is in the kernel (Linux's pt_regs order). */
struct user_regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax;          /* system call number, or -1 for a trap */
	u64 rip, cs, rflags, rsp, ss;
};
static inline struct user_regs *arch_user_regs(const struct arch_thread *t)
{
	return (struct user_regs *)(t->stack_top - sizeof(struct user_regs));
}
/* Leave the kernel for user mode with the registers at arch_user_regs(current). Does not return. */
NORETURN void arch_user_enter(void);
/* Force the full (iret) exit path: registers were changed by a signal or sigreturn. */
void arch_user_set_full_exit(void);
/* Make registers from the program safe to load: user segments, allowed flags, canonical rip. */
void arch_user_regs_sanitize(struct user_regs *r);
void arch_user_set_fs_base(u64 base);      /* of the current thread, at once */
void arch_user_set_gs_base(u64 base);
u64 arch_user_fs_base(void);
u64 arch_user_gs_base(void);
/* FPU state of the current thread in Linux's signal frame format (XSAVE with FP_XSTATE_MAGIC words): so many bytes. */
size_t arch_fpu_frame_size(void);
/* Its own memory for them, as they are now. */
const void *arch_fpu_frame(void);
/* The same to be filled anew with len bytes of a frame, which may be anything and may sleep; then _end, or with 0 for the state that a program begins with. */
void *arch_fpu_frame_begin(void);
int arch_fpu_frame_end(size_t len) MUST_CHECK;     /* -EINVAL: the CPU would refuse it; then it is the state that a program begins with */
/*
 * The short way: straight to and from so many bytes at va in the program's memory. False: not all of it is there just now, it is not aligned
 * to 64 or beyond the program, its marks were changed, or the CPU has no XSAVE: go the long way at once. After a save the registers are as
 * a program begins; a load is for who leaves by the full exit.
 */
bool arch_fpu_user_save(uintptr_t va);
bool arch_fpu_user_load(uintptr_t va);

enum arch_fault_access { ARCH_FAULT_READ, ARCH_FAULT_WRITE, ARCH_FAULT_EXEC };

/* What arch calls above it; filled by init once, before user mode. All with interrupts enabled unless said. */
struct arch_hooks {
	/*
	 * System calls of the current thread by number, ncalls of them, and behind these one for all other numbers: entry code calls
	 * them with the program's registers as they are and gives the program what they return.
	 */
	long (*const *calls)(u64, u64, u64, u64, u64, u64);
	/* After a call that returned one of the restart codes (base/errno.h): it is in regs->rax. */
	void (*restart)(struct user_regs *regs);
	u32 ncalls;
	/* A page fault at va from user mode, or from a user copy in the kernel (from_user false). 0 if mended; may sleep. */
	int (*user_fault)(uintptr_t va, enum arch_fault_access access, bool present, bool from_user);
	/* Any other exception in user mode (and page faults that user_fault refused): vector, error code, address. */
	void (*user_trap)(struct user_regs *regs, unsigned vector, u64 error, uintptr_t va);
	/* On the way back to user mode when thread_work was set: signals, preemption. */
	void (*user_work)(struct user_regs *regs);
	/* The one-shot timer; interrupts masked. */
	void (*timer)(void);
	/* Another CPU's kick; interrupts masked. */
	void (*kick)(void);
	/* A line of a panic report, and its end (tell the host; then arch ends the machine). Interrupts masked, no locks may be waited for. */
	void (*panic_line)(const char *line, size_t len);
	void (*panic_end)(const char *message);
};
extern struct arch_hooks arch_hooks;
/* The exit path tests the u32 before struct thread's arch (user_work): non-zero sends it through the hook, which clears what it has done. */

/* Where arch takes memory for page tables, stacks and FPU areas, and random numbers; filled by init before the first such call. Any context, never sleep. */
struct arch_memory_ops {
	phys_t (*page_alloc)(bool zero);      /* one page, 0 if there is none */
	void (*page_free)(phys_t pa);
	void *(*alloc)(size_t len);           /* zeroed, 64-byte aligned from 64 bytes up; NULL */
	void (*free)(void *p);
	u64 (*random_u64)(void);              /* for stack canaries */
};
extern struct arch_memory_ops arch_memory_ops;

/* ---- Page tables of the program (one address space in the machine) ---------------- */

enum {
	ARCH_PTE_WRITE = 1u << 0,
	ARCH_PTE_EXEC  = 1u << 1,
	ARCH_PTE_DIRTY = 1u << 2,   /* reported by arch_user_unmap and _lookup */
	ARCH_PTE_ACCESSED = 1u << 3,
};
#define ARCH_USER_TOP 0x7ffffffff000ull /* first address that is never the program's */

/*
 * All take a page-aligned user va and are called with the address space's page table lock
 * held (vm/). Mapping may allocate table pages (never sleeps: -ENOMEM). They do not flush
 * other CPUs; callers end a batch with arch_tlb_flush.
 */
int arch_user_map(uintptr_t va, phys_t pa, unsigned pte_flags) MUST_CHECK;
/* Map pa[i], unless it is 0, at the i-th page from va if nothing is there; i < n <= 32. Bit i of the result: it was. Ends early without memory. */
u32 arch_user_map_absent(uintptr_t va, const phys_t *pa, unsigned n, unsigned pte_flags);
/* Remove; returns false if nothing was there. */
bool arch_user_unmap(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags);
bool arch_user_lookup(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags);
/* Change WRITE and EXEC of what is mapped; false if nothing is. */
bool arch_user_protect(uintptr_t va, unsigned pte_flags);
/* The first mapped page at or above va and below end; end if none: skips empty tables quickly. */
uintptr_t arch_user_next_mapped(uintptr_t va, uintptr_t end);
/* Free table pages that hold nothing in [start, end). */
void arch_user_prune(uintptr_t start, uintptr_t end);
/* Drop translations of [start, end) on every CPU; returns when done everywhere. Interrupts must be enabled if more than one CPU is up. */
void arch_tlb_flush(uintptr_t start, uintptr_t end);

/* ---- User copies (vm/ wraps them; nothing else may call) ------------------------- */

/* Copy with fault recovery; return the number of bytes NOT copied. The range must lie below ARCH_USER_TOP. */
size_t arch_copy_from_user(void *dst, uintptr_t src, size_t len);
size_t arch_copy_to_user(uintptr_t dst, const void *src, size_t len);
size_t arch_clear_user(uintptr_t dst, size_t len);
/* Atomic on an aligned user word; false on a fault. */
bool arch_user_load_u32(uintptr_t va, u32 *ret);
bool arch_user_cmpxchg_u32(uintptr_t va, u32 old, u32 new_value, u32 *ret_seen);
/* Eight bytes, aligned or not; false on a fault. */
bool arch_user_get_u64(uintptr_t va, u64 *ret);
bool arch_user_put_u64(uintptr_t va, u64 value);
/* Length of the string at va without its NUL, at most max; -1 on a fault. Copies into dst (max + 1 bytes). */
ssize_t arch_copy_string_from_user(char *dst, uintptr_t va, size_t max);

/* ---- Kernel mappings -------------------------------------------------------------- */

/* Map device memory, uncached, for ever; NULL if out of room. */
volatile void *arch_map_device(phys_t pa, size_t len);
/* A kernel stack of ARCH_KSTACK_SIZE bytes with an unmapped guard page below; returns its top, 0 if out of memory. */
#define ARCH_KSTACK_SIZE 16384u
uintptr_t arch_kstack_alloc(void);
void arch_kstack_free(uintptr_t top);
/* After init: tables and RO_AFTER_INIT data become read-only, boot code is dropped. */
void arch_seal(void);

/* ---- Interrupts ------------------------------------------------------------------- */

typedef void (*arch_irq_handler)(void *arg);   /* interrupts masked; must not sleep */
/* Allocate a vector (edge semantics, acknowledged by arch) and bind it. Negative errno if none is left. */
int arch_vector_alloc(arch_irq_handler handler, void *arg, unsigned *ret_vector) MUST_CHECK;
/* Message address and data that raise vector on a CPU (for MSI-X). */
void arch_msi_message(unsigned vector, unsigned cpu, u64 *ret_address, u32 *ret_data);
/* Route an I/O APIC line to vector on CPU 0, edge or level. -ENODEV if there is no such line. */
int arch_gsi_route(unsigned gsi, unsigned vector, bool level, bool active_low) MUST_CHECK;

/* ---- Randomness and the end ------------------------------------------------------------ */

/* Up to 32 bytes from the CPU's generator (RDSEED, RDRAND); returns how many bits may be credited. */
unsigned arch_random_seed(u8 buf[32]);
/* 16 bytes that the VMM changes when a copy of this machine begins its own life (vmgenid); NULL: it has none. Once, before arch_seal. */
const volatile u64 *arch_generation(void);
/* End the machine, by whatever way this one has; stops the other CPUs first, wherever they are. */
NORETURN void arch_machine_off(void);

#endif
