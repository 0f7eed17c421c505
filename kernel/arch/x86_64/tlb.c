/*
 * tlb.c - TLB shoot-down.
 *
 * One request at a time (request_lock). The asker writes the range, marks each other CPU that is up, sends one interrupt
 * to all of them and waits until every mark is gone. While it waits, for the lock or for the marks, it answers requests
 * for itself, so two CPUs that ask at once with interrupts masked do not wait for each other.
 */
#include "arch/x86_64/tlb.h"
#include "arch/spinlock.h"
#include "arch/x86_64/cpu.h"

#define FLUSH_SINGLE_MAX 32u    /* more pages than this: drop everything instead */
#define ICR_ALL_BUT_SELF (3u << 18)

static struct spinlock request_lock = SPINLOCK_INIT;
static struct {
	uintptr_t start, end;   /* start > end: all */
	bool global;
} request;

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

void tlb_ipi(void)
{
	struct arch_cpu *c = this_cpu();

	if (!__atomic_load_n(&c->tlb_pending, __ATOMIC_ACQUIRE))
		return;
	if (request.global)
		flush_global_here(request.start, request.end);
	else
		flush_here(request.start, request.end);
	__atomic_store_n(&c->tlb_pending, 0, __ATOMIC_RELEASE);
}

static void flush_others(uintptr_t start, uintptr_t end, bool global)
{
	unsigned me = arch_cpu_id(), n = arch_cpu_count();

	while (!spin_trylock(&request_lock)) {
		tlb_ipi();
		arch_cpu_relax();
	}
	request.start = start;
	request.end = end;
	request.global = global;
	for (unsigned i = 0; i < n; i++)
		if (i != me)
			__atomic_store_n(&arch_cpus[i]->tlb_pending, 1, __ATOMIC_RELEASE);
	lapic_ipi(0, ICR_ALL_BUT_SELF | VECTOR_TLB);
	for (unsigned i = 0; i < n; i++)
		while (i != me && __atomic_load_n(&arch_cpus[i]->tlb_pending, __ATOMIC_ACQUIRE))
			arch_cpu_relax();
	spin_unlock(&request_lock);
}

void arch_tlb_flush(uintptr_t start, uintptr_t end)
{
	flush_here(start, end);
	if (unlikely(arch_cpu_count() > 1))
		flush_others(start, end, false);
}

void tlb_flush_all(void)
{
	x86_write_cr3(x86_read_cr3());
	if (arch_cpu_count() > 1)
		flush_others(1, 0, false);
}

void tlb_flush_kernel(uintptr_t va, size_t len)
{
	flush_global_here(va, va + len);
	if (arch_cpu_count() > 1)
		flush_others(va, va + len, true);
}
