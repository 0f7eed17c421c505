/*
 * fpu.c - the program's floating-point and vector registers.
 *
 * The kernel itself uses them only between fpu_kernel_begin and its next sleep. They are saved when a thread is switched out, and loaded when it is
 * switched in, if another's were loaded on that CPU meanwhile; or on its way to user mode, when until then the area may not be loaded (EXIT_FPU).
 *
 * Invariants:
 *   (F1) t->fpu_loaded: the CPU that t runs on holds its registers and memory may be stale.
 *   (F2) cpu->fpu_owner == t and t->fpu_cpu == cpu->id and t is not running elsewhere: the CPU holds what memory holds.
 *       What the kernel puts into them is nobody's: fpu_kernel_begin ends both for whoever they were.
 *   (F3) the area is given to XRSTOR only after fpu.c wrote it or checked it: reserved bits would fault in ring 0.
 *   (F4) outside arch_fpu_frame_begin and _end the area, and the word behind it, are a signal frame's FPU part as it stands.
 *   (F5) a thread of the program that runs has fpu_loaded or EXIT_FPU, never both.
 *
 * The area's layout: Intel SDM 1, chapter 13 (standard form). In signal frames: Linux
 * arch/x86/include/uapi/asm/sigcontext.h, _fpx_sw_bytes and FP_XSTATE_MAGIC*.
 */
#include "arch/x86_64/cpu.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"

#define FXSAVE_LEN 512u
#define XSAVE_HEADER_LEN 64u
#define XCR0_WANTED 0xe7ull          /* x87, SSE, AVX, AVX-512 */
#define MXCSR_INIT 0x1f80u
#define FCW_INIT 0x37fu
#define OFF_MXCSR 24
#define OFF_MXCSR_MASK 28
#define OFF_SW 464
#define LX_FP_XSTATE_MAGIC1 0x46505853u
#define LX_FP_XSTATE_MAGIC2 0x46505845u

struct fx_sw_bytes {
	u32 magic1, extended_size;
	u64 xfeatures;
	u32 xstate_size, padding[7];
};
_Static_assert(sizeof(struct fx_sw_bytes) == 48, "lx");

static u64 xcr0 RO_AFTER_INIT = 3;      /* without XSAVE: x87 and SSE */
static u32 area_len RO_AFTER_INIT;
static u32 mxcsr_mask RO_AFTER_INIT;

COLD void fpu_init_cpu(bool first)
{
	u8 probe[FXSAVE_LEN] ALIGNED(16);

	if (cpu_features.xsave) {
		struct cpuid r = x86_cpuid(13, 0);

		xcr0 = ((u64)r.edx << 32 | r.eax) & XCR0_WANTED;
		if (!(xcr0 & 4) || (xcr0 & 0xe0) != 0xe0)
			xcr0 &= xcr0 & 4 ? 7 : 3;
		x86_xsetbv(0, xcr0);
		area_len = x86_cpuid(13, 0).ebx;
	} else {
		area_len = FXSAVE_LEN;
	}
	__asm__ volatile("fninit");
	if (first) {
		__asm__ volatile("fxsave64 %0" : "=m"(probe));
		__builtin_memcpy(&mxcsr_mask, probe + OFF_MXCSR_MASK, 4);
		if (!mxcsr_mask)
			mxcsr_mask = 0xffbf;
	}
}

/* What makes a signal frame of an area, where XSAVE and XRSTOR touch nothing: (F4). */
static void area_mark(u8 *a)
{
	/* As Linux: without XSAVE there are the software's words too, only not the second magic. */
	struct fx_sw_bytes sw = {
		.magic1 = LX_FP_XSTATE_MAGIC1, .extended_size = area_len + sizeof(u32), .xfeatures = xcr0, .xstate_size = area_len,
	};
	u32 magic2 = LX_FP_XSTATE_MAGIC2;

	__builtin_memcpy(a + OFF_SW, &sw, sizeof(sw));
	if (cpu_features.xsave)
		__builtin_memcpy(a + area_len, &magic2, sizeof(magic2));
}

static void area_init(u8 *a)
{
	u16 fcw = FCW_INIT;
	u32 mxcsr = MXCSR_INIT;

	memset(a, 0, area_len);
	__builtin_memcpy(a, &fcw, 2);
	__builtin_memcpy(a + OFF_MXCSR, &mxcsr, 4);
	area_mark(a);
}

/* From here until this thread sleeps the registers are the kernel's. Interrupt handlers do not use them. */
void fpu_kernel_begin(void)
{
	irq_flags_t f = arch_irq_save();
	struct arch_cpu *c = this_cpu();
	struct arch_thread *t = c->thread;

	if (t && t->fpu_loaded) {
		fpu_save(t);
		t->exit_flags |= EXIT_FPU;
	}
	c->fpu_owner = NULL;
	arch_irq_restore(f);
}

/* On the way to user mode, interrupts masked. */
void fpu_restore_current(void)
{
	struct arch_cpu *c = this_cpu();

	fpu_load(c, c->thread);
}

int arch_thread_init_user(struct arch_thread *t)
{
	const struct arch_thread *creator = this_cpu()->thread;
	irq_flags_t f;

	t->fpu = arch_memory_ops.alloc(arch_fpu_frame_size());
	if (!t->fpu)
		return -ENOMEM;
	/* A new thread of the program begins with its creator's registers (rounding mode, exception masks), as on Linux. */
	if (creator && creator->fpu) {
		f = arch_irq_save();
		if (creator->fpu_loaded)
			fpu_area_save(creator->fpu);
		memcpy(t->fpu, creator->fpu, arch_fpu_frame_size());
		arch_irq_restore(f);
	} else {
		area_init(t->fpu);
	}
	t->fpu_loaded = false;
	t->fpu_cpu = ~0u;
	t->exit_flags = EXIT_FULL | EXIT_FPU;
	return 0;
}

void arch_thread_destroy(struct arch_thread *t)
{
	if (t->fpu)
		arch_memory_ops.free(t->fpu);
	t->fpu = NULL;
	t->fpu_cpu = ~0u;
}

/* ---- Signal frames ---- */

size_t arch_fpu_frame_size(void)
{
	return cpu_features.xsave ? area_len + sizeof(u32) : FXSAVE_LEN;
}

const void *arch_fpu_frame(void)
{
	struct arch_thread *t = this_cpu()->thread;
	irq_flags_t f = arch_irq_save();

	if (t->fpu_loaded)
		fpu_area_save(t->fpu);      /* stays loaded */
	arch_irq_restore(f);
	return t->fpu;
}

/* From here on nobody saves into the area (F1) or takes the CPU's registers for it (F2), and it is loaded before user mode only. */
void *arch_fpu_frame_begin(void)
{
	struct arch_thread *t = this_cpu()->thread;
	irq_flags_t f = arch_irq_save();

	t->fpu_loaded = false;
	t->fpu_cpu = ~0u;
	t->exit_flags |= EXIT_FPU;
	arch_irq_restore(f);
	return t->fpu;
}

void arch_fpu_frame_end(size_t len)
{
	u8 *a = this_cpu()->thread->fpu;
	struct fx_sw_bytes sw;
	u32 magic2 = 0, mxcsr;
	u64 bv = 3;

	if (len < FXSAVE_LEN) {
		area_init(a);
		return;
	}
	__builtin_memcpy(&sw, a + OFF_SW, sizeof(sw));
	if (cpu_features.xsave && len >= area_len + sizeof(u32))
		__builtin_memcpy(&magic2, a + area_len, sizeof(magic2));
	if (sw.magic1 == LX_FP_XSTATE_MAGIC1 && sw.xstate_size == area_len && magic2 == LX_FP_XSTATE_MAGIC2) {
		__builtin_memcpy(&bv, a + FXSAVE_LEN, sizeof(bv));
		bv &= xcr0;
	} else {
		/* As Linux: without the magic words only the legacy part is meant. */
		memset(a + FXSAVE_LEN, 0, area_len - FXSAVE_LEN);
	}
	__builtin_memcpy(&mxcsr, a + OFF_MXCSR, sizeof(mxcsr));
	mxcsr &= mxcsr_mask;
	__builtin_memcpy(a + OFF_MXCSR, &mxcsr, sizeof(mxcsr));
	if (cpu_features.xsave) {        /* keeps (F3): the header has only bits that the CPU knows */
		memset(a + FXSAVE_LEN, 0, XSAVE_HEADER_LEN);
		__builtin_memcpy(a + FXSAVE_LEN, &bv, sizeof(bv));
	}
	area_mark(a);
}
