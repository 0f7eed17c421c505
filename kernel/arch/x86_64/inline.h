/*
 * inline.h - the functions of arch.h that are a few instructions: included by arch.h only. See there.
 */
#ifndef ARCH_X86_64_INLINE_H
#define ARCH_X86_64_INLINE_H

extern u64 arch_direct_base;    /* virtual address of physical 0 in the direct map; constant after boot */

#ifdef PITH_SMALL
static ALWAYS_INLINE unsigned arch_cpu_id(void) { return 0; }
#else
static ALWAYS_INLINE unsigned arch_cpu_id(void)
{
	unsigned v;
	__asm__ volatile("movl %%gs:32, %0" : "=r"(v));      /* struct arch_cpu.id */
	return v;
}
#endif
static ALWAYS_INLINE struct thread *arch_current(void)
{
	struct thread *t;
	/* Not volatile: it is the same for all of a thread's life. */
	__asm__("movq %%gs:24, %0" : "=r"(t));               /* struct arch_cpu.current */
	return t;
}
static ALWAYS_INLINE void *arch_cpu_sched(void)
{
	void *p;
	__asm__ volatile("movq %%gs:56, %0" : "=r"(p));      /* struct arch_cpu.sched */
	return p;
}
typedef unsigned long irq_flags_t;
static ALWAYS_INLINE irq_flags_t arch_irq_save(void)
{
	irq_flags_t f;
	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=rm"(f) : : "memory");
	return f;
}
static ALWAYS_INLINE void arch_irq_restore(irq_flags_t f)
{
	if (f & 0x200)
		__asm__ volatile("sti" : : : "memory");
	else
		__asm__ volatile("" : : : "memory");
}
static ALWAYS_INLINE bool arch_irq_enabled(void)
{
	irq_flags_t f;
	__asm__ volatile("pushfq\n\tpopq %0" : "=rm"(f));
	return f & 0x200;
}
static ALWAYS_INLINE void arch_cpu_relax(void) { __asm__ volatile("pause" : : : "memory"); }

static ALWAYS_INLINE void *arch_phys_to_virt(phys_t pa) { return (void *)(arch_direct_base + pa); }
static ALWAYS_INLINE phys_t arch_virt_to_phys(const void *p) { return (phys_t)p - arch_direct_base; }

static ALWAYS_INLINE u8 arch_in8(u16 port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static ALWAYS_INLINE u16 arch_in16(u16 port) { u16 v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static ALWAYS_INLINE u32 arch_in32(u16 port) { u32 v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static ALWAYS_INLINE void arch_out8(u16 port, u8 v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static ALWAYS_INLINE void arch_out16(u16 port, u16 v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }
static ALWAYS_INLINE void arch_out32(u16 port, u32 v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }

#endif
