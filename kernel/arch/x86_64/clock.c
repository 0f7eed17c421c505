/*
 * clock.c - the clock: the time-stamp counter scaled to nanoseconds since the machine's first instruction.
 *
 * ns = base_ns + ((tsc - base_tsc) * mult >> 32). The same numbers lie in the page that the vDSO reads, under a sequence
 * counter, with a base for each clock that follows. They change only in clock_set_rate_locked, which joins the old line to the new one
 * without a step back.
 *
 * Invariant (C1): time does not run backwards on any CPU: counters of a virtual machine's CPUs are one counter
 * with one offset (QEMU, KVM, Xen); lfence keeps the read after what came before.
 */
#include "arch/arch.h"
#include "arch/spinlock.h"
#include "arch/x86_64/calibrate.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/vvar.h"
#include "arch/boot_info.h"

/* A page of its own: the program maps it. It holds nothing but the clock. */
static union {
	struct vvar v;
	u8 page[PAGE_SIZE];
} vvar_page __attribute__((section(".bss.pages")));
static u64 real_offset_ns;               /* real time = the clock + this */
static u64 tsc_khz;
static u64 tsc_per_ns_q32;              /* the other direction, for TSC-deadline */
static struct spinlock clock_lock = SPINLOCK_INIT;

#define vvar (vvar_page.v)

static ALWAYS_INLINE u64 tsc_ordered(void)
{
	__asm__ volatile("lfence" : : : "memory");
	return x86_rdtsc();
}

u64 arch_clock_mono_ns(void)
{
	u32 seq;
	u64 ns;

	do {
		seq = __atomic_load_n(&vvar.seq, __ATOMIC_ACQUIRE) & ~1u; /* an odd one is not there when it is looked at again */
		ns = vvar.base_ns[VVAR_MONO] + (u64)((unsigned __int128)(tsc_ordered() - vvar.base_tsc) * vvar.mult >> 32);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq != READ_ONCE(vvar.seq)));
	return ns;
}

u64 clock_tsc_to_ns(u64 tsc) { return (u64)((unsigned __int128)tsc * vvar.mult >> 32); }
u64 clock_ns_to_tsc_delta(u64 ns) { return (u64)((unsigned __int128)ns * tsc_per_ns_q32 >> 32); }
u64 arch_clock_real_offset_ns(void) { return READ_ONCE(real_offset_ns); }

static COLD NOINLINE void vvar_write_begin(void)
{
	__atomic_store_n(&vvar.seq, vvar.seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static COLD NOINLINE void vvar_write_end(void) { __atomic_store_n(&vvar.seq, vvar.seq + 1, __ATOMIC_RELEASE); }

/* Between vvar_write_begin and _end. */
static NOINLINE COLD void bases_set(u64 mono_ns)
{
	for (unsigned i = 0; i < VVAR_CLOCKS; i++)
		vvar.base_ns[i] = VVAR_IS_CALL(i) ? VVAR_CALL : mono_ns + (VVAR_IS_REAL(i) ? real_offset_ns : 0);
}

COLD void arch_clock_set_real_offset(u64 offset_ns)
{
	irq_flags_t f = spin_lock_irqsave(&clock_lock);

	vvar_write_begin();
	WRITE_ONCE(real_offset_ns, offset_ns);
	bases_set(vvar.base_ns[VVAR_MONO]);
	vvar_write_end();
	spin_unlock_irqrestore(&clock_lock, f);
}

static COLD NOINLINE void clock_set_rate_locked(u64 khz)
{
	u64 now_tsc = tsc_ordered(), base = vvar.base_tsc ? vvar.base_tsc : boot_info.entry_tsc;
	u64 mult = (1000000ull << 32) / khz;

	vvar_write_begin();
	if (vvar.mult) {
		bases_set(vvar.base_ns[VVAR_MONO] + (u64)((unsigned __int128)(now_tsc - base) * vvar.mult >> 32));
		base = now_tsc;
	}
	vvar.base_tsc = base;
	vvar.mult = mult;
	vvar_write_end();
	tsc_per_ns_q32 = (khz << 32) / 1000000ull;
	tsc_khz = khz;
}

/* From the timer interrupt: rarely true. */
void clock_refine_irq(void)
{
	if (likely(x86_rdtsc() < READ_ONCE(calibrate_refine_tsc)) || !spin_trylock(&clock_lock))
		return;
	if (x86_rdtsc() >= calibrate_refine_tsc)
		clock_set_rate_locked(calibrate_refine(tsc_khz));
	spin_unlock(&clock_lock);
}

void arch_clock_init(u64 tsc_khz_hint, u64 real_time_ns_hint)
{
	u64 khz = calibrate_tsc_khz(tsc_khz_hint), real;

	clock_set_rate_locked(khz);     /* nobody else is there yet */
	lapic_timer_init();
	real = calibrate_real_time_ns(real_time_ns_hint);
	arch_clock_set_real_offset(real - MIN(real, arch_clock_mono_ns()));
}

phys_t arch_vvar_page(void) { return arch_layout.image_pa + ((uintptr_t)&vvar_page - arch_layout.image_va); }

extern const char vdso_image[], vdso_image_end[];
const void *arch_vdso_image(size_t *ret_len)
{
	*ret_len = (size_t)(vdso_image_end - vdso_image);
	return vdso_image;
}
