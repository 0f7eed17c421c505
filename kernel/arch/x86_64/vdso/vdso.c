/*
 * vdso.c - clock and CPU number without entering the kernel. Runs in the program; reads one page that the kernel writes.
 * Names, versions and results as Linux's vdso(7); a clock that is not served here makes the system call.
 */
#include "arch/x86_64/vvar.h"

#define LX_SYS_gettimeofday 96
#define LX_SYS_time 201
#define LX_SYS_clock_gettime 228
#define LX_SYS_clock_getres 229
#define EINVAL 22
#define SEL_CPU 0x7b

struct lx_timespec {
	s64 sec, nsec;
};
struct lx_timeval {
	s64 sec, usec;
};
struct lx_timezone {
	s32 minuteswest, dsttime;
};

/* Not const: the kernel changes it, and what is read below is read again. */
extern struct vvar vdso_vvar __attribute__((visibility("hidden")));

int __vdso_clock_gettime(s32 clock, struct lx_timespec *ts);
int __vdso_gettimeofday(struct lx_timeval *tv, struct lx_timezone *tz);
s64 __vdso_time(s64 *t);
int __vdso_getcpu(u32 *cpu, u32 *node, void *unused);
int __vdso_clock_getres(s32 clock, struct lx_timespec *ts);

static ALWAYS_INLINE s64 syscall2(u64 nr, u64 a, u64 b)
{
	s64 r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return r;
}

static ALWAYS_INLINE u64 tsc(void)
{
	u64 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return hi << 32 | lo;
}

/* Below 0: only the system call knows. An odd seq is one that is not there when it is looked at again. */
static ALWAYS_INLINE s64 now_ns(u32 clock)
{
	const struct vvar *v = &vdso_vvar;
	u32 seq;
	u64 ns;

	do {
		seq = __atomic_load_n(&v->seq, __ATOMIC_ACQUIRE) & ~1u;
		ns = v->base_ns[clock] + (u64)((unsigned __int128)(tsc() - v->base_tsc) * v->mult >> 32);
		__asm__("" : "+r"(ns));          /* made here, and not of copies after the loop */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(seq != READ_ONCE(v->seq)));
	return (s64)ns;
}

int __vdso_clock_gettime(s32 clock, struct lx_timespec *ts)
{
	s64 ns = likely((u32)clock < VVAR_CLOCKS) ? now_ns((u32)clock) : -1;

	if (unlikely(ns < 0))
		return (int)syscall2(LX_SYS_clock_gettime, (u64)(s64)clock, (u64)ts);
	ts->sec = (s64)((u64)ns / NSEC_PER_SEC);
	ts->nsec = (s64)((u64)ns % NSEC_PER_SEC);
	return 0;
}

int __vdso_gettimeofday(struct lx_timeval *tv, struct lx_timezone *tz)
{
	if (tv) {
		s64 ns = now_ns(VVAR_REAL);

		if (unlikely(ns < 0))
			return (int)syscall2(LX_SYS_gettimeofday, (u64)tv, (u64)tz);
		tv->sec = (s64)((u64)ns / NSEC_PER_SEC);
		tv->usec = (s64)((u64)ns % NSEC_PER_SEC / 1000);
	}
	if (tz)
		tz->minuteswest = tz->dsttime = 0;
	return 0;
}

s64 __vdso_time(s64 *t)
{
	s64 s = now_ns(VVAR_REAL);

	if (unlikely(s < 0))
		return syscall2(LX_SYS_time, (u64)t, 0);
	s = (s64)((u64)s / NSEC_PER_SEC);
	if (t)
		*t = s;
	return s;
}

int __vdso_getcpu(u32 *cpu, u32 *node, void *unused)
{
	u32 n;

	(void)unused;
	__asm__ volatile("lsl %1, %0" : "=r"(n) : "r"(SEL_CPU));      /* the kernel keeps the number in a segment's limit */
	if (cpu)
		*cpu = n;
	if (node)
		*node = 0;
	return 0;
}

int __vdso_clock_getres(s32 clock, struct lx_timespec *ts)
{
	return (int)syscall2(LX_SYS_clock_getres, (u64)(s64)clock, (u64)ts);
}

int clock_gettime(s32 clock, struct lx_timespec *ts) __attribute__((weak, alias("__vdso_clock_gettime")));
int gettimeofday(struct lx_timeval *tv, struct lx_timezone *tz) __attribute__((weak, alias("__vdso_gettimeofday")));
s64 time(s64 *t) __attribute__((weak, alias("__vdso_time")));
int getcpu(u32 *cpu, u32 *node, void *unused) __attribute__((weak, alias("__vdso_getcpu")));
int clock_getres(s32 clock, struct lx_timespec *ts) __attribute__((weak, alias("__vdso_clock_getres")));
