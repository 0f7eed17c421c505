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
 *       What a signal frame of the program has is loaded in usercopy.S only, where the fault is caught.
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
static struct {
	struct fx_sw_bytes sw;
	u8 header[XSAVE_HEADER_LEN];
} mark RO_AFTER_INIT_ZERO;               /* what arch_user_fpu_save puts beside the registers */
static u8 first_area[FXSAVE_LEN + XSAVE_HEADER_LEN] RO_AFTER_INIT_ZERO ALIGNED(64); /* what a program begins with; no component is in it */

bool arch_user_fpu_save(uintptr_t va, const void *mark, size_t len);
bool arch_user_fpu_load(uintptr_t va, const void *mark, size_t len, u32 mxcsr_reserved);

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
		/* As Linux: without XSAVE there are the software's words too, only not the second magic. */
		mark.sw.magic1 = LX_FP_XSTATE_MAGIC1;
		mark.sw.extended_size = area_len + sizeof(u32);
		mark.sw.xfeatures = xcr0;
		mark.sw.xstate_size = area_len;
		*(u16 *)first_area = FCW_INIT;
		*(u32 *)(first_area + OFF_MXCSR) = MXCSR_INIT;
	}
}

/* What makes a signal frame of an area, where XSAVE and XRSTOR touch nothing: (F4). */
static void area_mark(u8 *a)
{
	u32 magic2 = LX_FP_XSTATE_MAGIC2;

	__builtin_memcpy(a + OFF_SW, &mark.sw, sizeof(mark.sw));
	if (cpu_features.xsave)
		__builtin_memcpy(a + area_len, &magic2, sizeof(magic2));
}

static NOINLINE void area_init(u8 *a)
{
	memset(a, 0, area_len);
	memcpy(a, first_area, OFF_MXCSR_MASK);
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

static NOINLINE void load_here(const void *area)
{
	struct arch_cpu *c = this_cpu();

	fpu_load_from(c, c->thread, area);
	c->thread->exit_flags &= ~(u32)EXIT_FPU;
}

/* On the way to user mode, interrupts masked. */
void fpu_restore_current(void)
{
	load_here(this_cpu()->thread->fpu);
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

/* The current thread's registers are in the CPU from here on. Interrupts masked. */
static struct arch_thread *current_loaded(void)
{
	struct arch_thread *t = this_cpu()->thread;

	if (!t->fpu_loaded)
		load_here(t->fpu);
	return t;
}

const void *arch_fpu_frame(void)
{
	irq_flags_t f = arch_irq_save();
	struct arch_thread *t = current_loaded();

	/* Not XSAVEOPT: the program may see what XRSTOR would not look at. */
	if (cpu_features.xsave) {
		__asm__ volatile("xsave64 (%0)" : : "r"(t->fpu), "a"(~0u), "d"(~0u) : "memory");
		*((u8 *)t->fpu + FXSAVE_LEN) |= 3;       /* as arch_user_fpu_save */
	} else {
		fpu_area_save(t->fpu);
	}
	arch_irq_restore(f);
	return t->fpu;
}

static bool goes_short(uintptr_t va)
{
	return cpu_features.xsave && !(va & 63) && va <= ARCH_USER_TOP - sizeof(u32) - area_len;
}

bool arch_fpu_user_save(uintptr_t va)
{
	if (!goes_short(va))
		return false;
	irq_flags_t f = arch_irq_save();
	bool done;

	(void)current_loaded();
	done = arch_user_fpu_save(va, &mark, area_len);

	if (done)
		load_here(first_area);
	arch_irq_restore(f);
	return done;
}

bool arch_fpu_user_load(uintptr_t va)
{
	if (!goes_short(va))
		return false;
	irq_flags_t f = arch_irq_save();
	struct arch_cpu *c = this_cpu();
	struct arch_thread *t = c->thread;
	bool done = arch_user_fpu_load(va, &mark, area_len, ~mxcsr_mask);

	/* Otherwise they are nobody's, and arch_fpu_frame_begin follows. */
	t->fpu_loaded = done;
	t->fpu_cpu = c->id;
	c->fpu_owner = done ? t : NULL;
	if (done)
		t->exit_flags = EXIT_FULL;
	arch_irq_restore(f);
	return done;
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

/* The XSAVE header of a frame: false if XRSTOR would refuse it. */
static bool header_ok(const u8 *a, u64 *ret_bv)
{
	u64 h[3];

	__builtin_memcpy(h, a + FXSAVE_LEN, sizeof(h));
	*ret_bv = h[0];
	return !(h[0] & ~xcr0) && !h[1] && !h[2];
}

int arch_fpu_frame_end(size_t len)
{
	u8 *a = this_cpu()->thread->fpu;
	struct fx_sw_bytes sw;
	u32 magic2 = 0, mxcsr;
	u64 bv = 3;
	bool good = true;

	if (len < FXSAVE_LEN)
		goto first;
	__builtin_memcpy(&sw, a + OFF_SW, sizeof(sw));
	if (cpu_features.xsave && len >= area_len + sizeof(u32))
		__builtin_memcpy(&magic2, a + area_len, sizeof(magic2));
	if (sw.magic1 == LX_FP_XSTATE_MAGIC1 && sw.xstate_size == area_len && magic2 == LX_FP_XSTATE_MAGIC2) {
		good = header_ok(a, &bv);
		bv &= sw.xfeatures;
	} else {
		/* As Linux: without the magic words only the legacy part is meant. */
		memset(a + FXSAVE_LEN, 0, area_len - FXSAVE_LEN);
	}
	__builtin_memcpy(&mxcsr, a + OFF_MXCSR, sizeof(mxcsr));
	if (!good || (mxcsr & ~mxcsr_mask))
		goto first;
	if (cpu_features.xsave) {        /* keeps (F3): the header has only bits that the CPU knows */
		memset(a + FXSAVE_LEN, 0, XSAVE_HEADER_LEN);
		__builtin_memcpy(a + FXSAVE_LEN, &bv, sizeof(bv));
	}
	area_mark(a);
	return 0;
first:
	area_init(a);
	return len < FXSAVE_LEN ? 0 : -EINVAL;
}
