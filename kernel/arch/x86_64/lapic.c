/*
 * lapic.c - the local interrupt controller, in memory (xAPIC) or as registers (x2APIC), and its timer.
 *
 * The timer: TSC-deadline where the CPU has it. Else the one-shot count, whose rate nobody states: it is learnt while it
 * runs. The first guess is low, so a timer fires early, which costs an interrupt and teaches: count / elapsed time is never
 * above the true rate (the interrupt can only be late), so the highest value seen is the best. An early interrupt arms
 * the rest again; the scheduler sees only deadlines that have passed.
 *
 * Intel SDM 3A, chapter 11 (APIC).
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"
#include "base/log.h"

enum {
	REG_ID = 0x20, REG_TPR = 0x80, REG_EOI = 0xb0, REG_SVR = 0xf0, REG_ICR = 0x300, REG_ICR_HIGH = 0x310,
	REG_LVT_TIMER = 0x320, REG_LVT_LINT0 = 0x350, REG_LVT_LINT1 = 0x360, REG_LVT_ERROR = 0x370,
	REG_TIMER_INIT = 0x380, REG_TIMER_COUNT = 0x390, REG_TIMER_CURRENT = 0x390, REG_TIMER_DIV = 0x3e0,
};
#define LVT_MASKED (1u << 16)
#define LVT_NMI    (4u << 8)
#define LVT_TSC_DEADLINE (2u << 17)
#define TIMER_DIV_1 0xbu
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define LAPIC_DEFAULT 0xfee00000ull
#define GUESS_TICKS_PER_NS_Q32 (1ull << 27)     /* 32 MHz */

static bool x2apic RO_AFTER_INIT;
static volatile u32 *lapic_regs RO_AFTER_INIT;
static u64 ticks_per_ns_q32 = GUESS_TICKS_PER_NS_Q32;   /* learnt; only grows */

static ALWAYS_INLINE u32 lapic_read(unsigned reg)
{
	return x2apic ? (u32)x86_rdmsr(MSR_X2APIC + reg / 16) : lapic_regs[reg / 4];
}
static ALWAYS_INLINE void lapic_write(unsigned reg, u32 v)
{
	if (x2apic)
		x86_wrmsr(MSR_X2APIC + reg / 16, v);
	else
		lapic_regs[reg / 4] = v;
}

void lapic_eoi(void) { lapic_write(REG_EOI, 0); }

/* apic_id is ignored when the command has a shorthand. */
void lapic_ipi(u32 apic_id, u32 command)
{
	irq_flags_t f;

	if (x2apic) {
		__asm__ volatile("mfence; lfence" : : : "memory");      /* this register write orders nothing by itself */
		x86_wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)apic_id << 32 | command);
		return;
	}
	f = arch_irq_save();
	while (lapic_regs[REG_ICR / 4] & (1u << 12))
		arch_cpu_relax();
	lapic_regs[REG_ICR_HIGH / 4] = apic_id << 24;
	lapic_regs[REG_ICR / 4] = command;
	arch_irq_restore(f);
}

#ifndef PITH_SMALL
void arch_cpu_kick(unsigned cpu) { lapic_ipi(arch_cpus[cpu]->apic_id, VECTOR_KICK); }
#endif

void lapic_init_boot(void)
{
	phys_t base = firmware.lapic ? firmware.lapic : LAPIC_DEFAULT;

	x2apic = cpu_features.x2apic;
	if (!x2apic)
		lapic_regs = arch_map_device(base, PAGE_SIZE);
	if (!x2apic && !lapic_regs)
		panic("no memory for the local APIC");
}

COLD void lapic_init_cpu(struct arch_cpu *c)
{
	if (x2apic)
		x86_wrmsr(MSR_APIC_BASE, x86_rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	c->apic_id = x2apic ? lapic_read(REG_ID) : lapic_read(REG_ID) >> 24;
	lapic_write(REG_TPR, 0);
	lapic_write(REG_LVT_LINT0, LVT_MASKED);
	/* The host's diagnostic interrupt goes to the boot CPU, which panics with a report. */
	lapic_write(REG_LVT_LINT1, c->id == 0 ? LVT_NMI : LVT_MASKED);
	lapic_write(REG_LVT_ERROR, LVT_MASKED);
	lapic_write(REG_SVR, 0x100 | VECTOR_SPURIOUS);
	lapic_write(REG_TIMER_DIV, TIMER_DIV_1);
	lapic_timer_init();
	c->timer_deadline_ns = UINT64_MAX;
}

COLD void lapic_timer_init(void)
{
	lapic_write(REG_TIMER_INIT, 0);
	lapic_write(REG_LVT_TIMER, VECTOR_TIMER | (cpu_features.tsc_deadline ? LVT_TSC_DEADLINE : 0));
	if (cpu_features.tsc_deadline && !x2apic)
		__asm__ volatile("mfence" : : : "memory");      /* the mode change before the first deadline (SDM 11.5.4.1) */
}

static void count_start(struct arch_cpu *c, u64 delta_ns)
{
	u64 count = (u64)((unsigned __int128)delta_ns * ticks_per_ns_q32 >> 32);

	count = count < 1 ? 1 : MIN(count, 0xffffffffull);
	c->lapic_arm_count = (u32)count;
	c->lapic_arm_tsc = x86_rdtsc();
	lapic_write(REG_TIMER_INIT, (u32)count);
}

void arch_timer_arm(u64 deadline_ns)
{
	irq_flags_t f = arch_irq_save();
	struct arch_cpu *c = this_cpu();
	u64 now;

	c->timer_deadline_ns = deadline_ns;
	if (deadline_ns == UINT64_MAX) {
		lapic_timer_stop();
	} else {
		now = arch_clock_mono_ns();
		now = deadline_ns > now ? deadline_ns - now : 0;
		if (cpu_features.tsc_deadline)
			x86_wrmsr(MSR_TSC_DEADLINE, x86_rdtsc() + clock_ns_to_tsc_delta(now));
		else
			count_start(c, now);
	}
	arch_irq_restore(f);
}

void lapic_timer_stop(void)
{
	if (cpu_features.tsc_deadline)
		x86_wrmsr(MSR_TSC_DEADLINE, 0);
	else
		lapic_write(REG_TIMER_INIT, 0);
	this_cpu()->lapic_arm_count = 0;
}

/* As a reference for measuring: counts up, once, before the timer has other work. */
void lapic_count_start(void)
{
	lapic_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(REG_TIMER_INIT, ~0u);
}

u64 lapic_count(void) { return ~lapic_read(REG_TIMER_COUNT); }

static void learn_rate(struct arch_cpu *c)
{
	u64 ns = clock_tsc_to_ns(x86_rdtsc() - c->lapic_arm_tsc), rate;

	/* Still counting: this interrupt was on its way before the counter was set anew, and says nothing of it. */
	if (!c->lapic_arm_count || !ns || lapic_read(REG_TIMER_CURRENT))
		return;
	rate = ((u64)c->lapic_arm_count << 32) / ns;
	if (rate > ticks_per_ns_q32)
		WRITE_ONCE(ticks_per_ns_q32, rate);
	c->lapic_arm_count = 0;
}

void lapic_timer_irq(void)
{
	struct arch_cpu *c = this_cpu();
	u64 deadline = c->timer_deadline_ns;

	clock_refine_irq();
	if (!cpu_features.tsc_deadline)
		learn_rate(c);
	if (deadline == UINT64_MAX)
		return;
	if (arch_clock_mono_ns() < deadline) {
		arch_timer_arm(deadline);
		return;
	}
	c->timer_deadline_ns = UINT64_MAX;
	arch_hooks.timer();
}
