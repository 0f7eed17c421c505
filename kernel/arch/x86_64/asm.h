/*
 * asm.h - single instructions of the x86-64, as functions; bits of control registers, page table entries
 * and model-specific registers. References: Intel SDM volumes 2 and 3, AMD APM volume 2.
 */
#ifndef ARCH_X86_64_ASM_H
#define ARCH_X86_64_ASM_H

/* Segment selectors: Linux's numbers, because signal frames show them to the program. */
#define SEL_KERNEL_CS 0x10
#define SEL_KERNEL_DS 0x18
#define SEL_USER32_CS 0x23
#define SEL_USER_DS   0x2b
#define SEL_USER_CS   0x33
#define SEL_TSS       0x40
#define SEL_CPU       0x7b   /* its limit holds the CPU's index */
#define GDT_ENTRIES   16

#ifdef __ASSEMBLER__
#define X86_BITS(v, at) (v << at)
#else
#define X86_BITS(v, at) (v##u << at)
#endif
#define CR0_PE X86_BITS(1, 0)
#define CR0_MP X86_BITS(1, 1)
#define CR0_EM X86_BITS(1, 2)
#define CR0_TS X86_BITS(1, 3)
#define CR0_ET X86_BITS(1, 4)
#define CR0_NE X86_BITS(1, 5)
#define CR0_WP X86_BITS(1, 16)
#define CR0_AM X86_BITS(1, 18)
#define CR0_PG X86_BITS(1, 31)
#define CR4_PAE        X86_BITS(1, 5)
#define CR4_MCE        X86_BITS(1, 6)
#define CR4_PGE        X86_BITS(1, 7)
#define CR4_OSFXSR     X86_BITS(1, 9)
#define CR4_OSXMMEXCPT X86_BITS(1, 10)
#define CR4_UMIP       X86_BITS(1, 11)
#define CR4_FSGSBASE   X86_BITS(1, 16)
#define CR4_OSXSAVE    X86_BITS(1, 18)
#define CR4_SMEP       X86_BITS(1, 20)
#define CR4_SMAP       X86_BITS(1, 21)

#define MSR_APIC_BASE    0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800
#define MSR_EFER         0xc0000080
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_CSTAR        0xc0000083
#define MSR_SFMASK       0xc0000084
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX      0xc0000103
#define EFER_SCE X86_BITS(1, 0)
#define EFER_LME X86_BITS(1, 8)
#define EFER_NXE X86_BITS(1, 11)

#define RFLAGS_CF X86_BITS(1, 0)
#define RFLAGS_TF X86_BITS(1, 8)
#define RFLAGS_IF X86_BITS(1, 9)
#define RFLAGS_DF X86_BITS(1, 10)
#define RFLAGS_IOPL X86_BITS(3, 12)
#define RFLAGS_NT X86_BITS(1, 14)
#define RFLAGS_RF X86_BITS(1, 16)
#define RFLAGS_VM X86_BITS(1, 17)
#define RFLAGS_AC X86_BITS(1, 18)

#ifndef __ASSEMBLER__
#include "base/types.h"

#define PTE_P   (1ull << 0)
#define PTE_W   (1ull << 1)
#define PTE_U   (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A   (1ull << 5)
#define PTE_D   (1ull << 6)
#define PTE_PS  (1ull << 7)
#define PTE_G   (1ull << 8)
#define PTE_NX  (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

struct cpuid {
	u32 eax, ebx, ecx, edx;
};
static inline struct cpuid x86_cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;
	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(sub));
	return r;
}
static inline u64 x86_rdtsc(void)
{
	u64 lo, hi;                              /* both are zero above 32 bits */
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return hi << 32 | lo;
}
/* Only for registers whose presence CPUID tells. */
static inline u64 x86_rdmsr(u32 msr)
{
	u32 lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}
static inline void x86_wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
/* For any register: false if the machine has none of that number. Needs the trap handlers. */
static inline bool x86_rdmsr_safe(u32 msr, u64 *ret)
{
	u32 lo = 0, hi = 0, ok = 0;
	__asm__ volatile("1: rdmsr\n\tmovl $1, %2\n2:\n\t"
			 ".pushsection .ex_table,\"a\"\n\t.long 1b - ., 2b - .\n\t.popsection"
			 : "+a"(lo), "+d"(hi), "+r"(ok) : "c"(msr));
	*ret = (u64)hi << 32 | lo;
	return ok;
}
static inline u64 x86_read_cr0(void) { u64 v; __asm__ volatile("mov %%cr0, %0" : "=r"(v)); return v; }
static inline void x86_write_cr0(u64 v) { __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
static inline u64 x86_read_cr2(void) { u64 v; __asm__ volatile("mov %%cr2, %0" : "=r"(v)); return v; }
static inline u64 x86_read_cr3(void) { u64 v; __asm__ volatile("mov %%cr3, %0" : "=r"(v)); return v; }
static inline void x86_write_cr3(u64 v) { __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
static inline u64 x86_read_cr4(void) { u64 v; __asm__ volatile("mov %%cr4, %0" : "=r"(v)); return v; }
static inline void x86_write_cr4(u64 v) { __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
static inline void x86_invlpg(uintptr_t va) { __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory"); }
static inline void x86_xsetbv(u32 reg, u64 v)
{
	__asm__ volatile("xsetbv" : : "c"(reg), "a"((u32)v), "d"((u32)(v >> 32)));
}
struct x86_table_ptr {
	u16 limit;
	u64 base;
} PACKED;
static inline void x86_lidt(const struct x86_table_ptr *p) { __asm__ volatile("lidt %0" : : "m"(*p)); }
static inline void x86_lgdt(const struct x86_table_ptr *p) { __asm__ volatile("lgdt %0" : : "m"(*p)); }
static inline void x86_ltr(u16 sel) { __asm__ volatile("ltr %0" : : "r"(sel)); }
static inline void x86_hlt(void) { __asm__ volatile("hlt"); }
static inline void x86_cli(void) { __asm__ volatile("cli" : : : "memory"); }
static inline void x86_sti(void) { __asm__ volatile("sti" : : : "memory"); }
static inline void x86_wrfsbase(u64 v) { __asm__ volatile("wrfsbase %0" : : "r"(v)); }
static inline u64 x86_rdfsbase(void) { u64 v; __asm__ volatile("rdfsbase %0" : "=r"(v)); return v; }
static inline void x86_wrgsbase(u64 v) { __asm__ volatile("wrgsbase %0" : : "r"(v)); }
static inline u64 x86_rdgsbase(void) { u64 v; __asm__ volatile("rdgsbase %0" : "=r"(v)); return v; }
static inline void x86_swapgs(void) { __asm__ volatile("swapgs" : : : "memory"); }
static inline bool x86_rdrand(u64 *v)
{
	bool ok;
	__asm__ volatile("rdrand %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}
static inline bool x86_rdseed(u64 *v)
{
	bool ok;
	__asm__ volatile("rdseed %0" : "=r"(*v), "=@ccc"(ok));
	return ok;
}
#endif
#endif
