/*
 * tlb.c - TLB shoot-down.
 *
 * One request at a time (request_lock). The asker writes the range, marks each other CPU that is up, interrupts those and
 * waits until every mark is gone. While it waits for the lock it answers requests for itself, so two CPUs that ask at once
 * with interrupts masked do not wait for each other.
 *
 * A CPU that idles is not disturbed for the program's translations: it is told to drop everything when it wakes. Either the
 * asker sees `idle` after it has set `tlb_stale`, and the CPU sees tlb_stale after it has cleared idle; or the asker sees
 * that it is awake and interrupts it (both sides: store, then load, sequentially consistent).
 *
 * When page tables are freed, idle CPUs are asked too: a CPU may walk the program's tables ahead of its time from the kernel, by
 * what it remembers of their upper levels, and mark an entry as accessed in what is another's page by then.
 *
 * Waiting: SPINS turns, then hlt, because the CPU that must answer may itself wait for a turn on the host. Who sleeps says so
 * first (`waiters`) and looks again; who ends the wait looks there afterwards and interrupts the sleepers.
 */
#include "arch/x86_64/tlb.h"
#include "arch/spinlock.h"
#include "arch/x86_64/cpu.h"

#define SPINS 1000u
#define FLUSH_SINGLE_MAX 32u    /* more pages than this: drop everything instead */

static struct spinlock request_lock = SPINLOCK_INIT;
static struct {
	uintptr_t start, end;   /* start > end: all */
	bool global;
} request;
static u32 waiters;             /* atomic: bit per CPU that sleeps in wait_turn */

static void flush_here(uintptr_t start, uintptr_t end)
{
	if (start > end || (end - start) / PAGE_SIZE > FLUSH_SINGLE_MAX) {
		x86_write_cr3(x86_read_cr3());
		return;
	}
	for (uintptr_t va = start; va < end; va += PAGE_SIZE)
		x86_invlpg(va);
}

static void flush_global_here(uintptr_t start, uintptr_t end)
{
	for (uintptr_t va = start; va < end; va += PAGE_SIZE)
		x86_invlpg(va);
}

static void wake_waiters(void)
{
	u32 mask = __atomic_load_n(&waiters, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; mask; i++, mask >>= 1)
		if (mask & 1)
			lapic_ipi(arch_cpus[i]->apic_id, VECTOR_TLB);
}

/* One turn of waiting for done(): spin, or sleep until an interrupt. */
static ALWAYS_INLINE void wait_turn(unsigned *spins, bool (*done)(unsigned), unsigned arg)
{
	u32 me;

	if (++*spins < SPINS || !arch_irq_enabled()) {
		arch_cpu_relax();
		return;
	}
	x86_cli();
	me = 1u << arch_cpu_id();
	__atomic_fetch_or(&waiters, me, __ATOMIC_SEQ_CST);
	if (!done(arg))
		__asm__ volatile("sti\n\thlt" : : : "memory");
	__atomic_fetch_and(&waiters, ~me, __ATOMIC_SEQ_CST);
	x86_sti();
}

static bool cpu_answered(unsigned i) { return !__atomic_load_n(&arch_cpus[i]->tlb_pending, __ATOMIC_SEQ_CST); }
static bool lock_looks_free(unsigned unused) { return !spin_is_locked(&request_lock); }

/* Interrupts masked: a request must not be answered inside the answer to another. */
void tlb_ipi(void)
{
	struct arch_cpu *c = this_cpu();

	if (!__atomic_load_n(&c->tlb_pending, __ATOMIC_ACQUIRE))
		return;
	if (request.global)
		flush_global_here(request.start, request.end);
	else
		flush_here(request.start, request.end);
	__atomic_store_n(&c->tlb_pending, 0, __ATOMIC_SEQ_CST);
	wake_waiters();
}

void arch_cpu_idle(void)
{
	struct arch_cpu *c = this_cpu();

	__atomic_store_n(&c->idle, 1, __ATOMIC_SEQ_CST);
	/* sti takes effect after the next instruction: no interrupt is lost between them. */
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	__atomic_store_n(&c->idle, 0, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&c->tlb_stale, __ATOMIC_SEQ_CST))) {
		__atomic_store_n(&c->tlb_stale, 0, __ATOMIC_RELAXED);
		x86_write_cr3(x86_read_cr3());
	}
}

/* True if c idles and will drop everything before it runs the program again. */
static bool left_for_later(struct arch_cpu *c)
{
	if (!__atomic_load_n(&c->idle, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&c->tlb_stale, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&c->idle, __ATOMIC_SEQ_CST);
}

/* Everybody: idle CPUs are interrupted too, not told to do it later. */
static void flush_others(uintptr_t start, uintptr_t end, bool global, bool everybody)
{
	irq_flags_t f = arch_irq_save();
	unsigned me = arch_cpu_id(), n = arch_cpu_count();
	unsigned spins = 0;
	u32 asked = 0;

	while (!spin_trylock(&request_lock)) {
		tlb_ipi();
		arch_irq_restore(f);
		wait_turn(&spins, lock_looks_free, 0);
		f = arch_irq_save();
	}
	request.start = start;
	request.end = end;
	request.global = global;
	for (unsigned i = 0; i < n; i++) {
		if (i == me || (!everybody && left_for_later(arch_cpus[i])))
			continue;
		__atomic_store_n(&arch_cpus[i]->tlb_pending, 1, __ATOMIC_RELEASE);
		lapic_ipi(arch_cpus[i]->apic_id, VECTOR_TLB);
		asked |= 1u << i;
	}
	arch_irq_restore(f);            /* nobody else writes the request: the lock is ours */
	spins = 0;
	for (unsigned i = 0; asked; i++, asked >>= 1)
		while ((asked & 1) && !cpu_answered(i))
			wait_turn(&spins, cpu_answered, i);
	spin_unlock(&request_lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wake_waiters();
}

void arch_tlb_flush(uintptr_t start, uintptr_t end)
{
	flush_here(start, end);
	if (unlikely(arch_cpu_count() > 1))
		flush_others(start, end, false, false);
}

void tlb_flush_all(void)
{
	x86_write_cr3(x86_read_cr3());
	if (arch_cpu_count() > 1)
		flush_others(1, 0, false, true);
}

void tlb_flush_kernel(uintptr_t va, size_t len)
{
	flush_global_here(va, va + len);
	if (arch_cpu_count() > 1)
		flush_others(va, va + len, true, true);
}
