/*
 * calibrate.c - rate of the time-stamp counter, and the wall clock at boot.
 *
 * Rate, in order: kvmclock's scale; CPUID leaves 0x40000010 and 0x15; the hint of the boot configuration, unless the local
 * APIC's timer contradicts it (a command line written on another host, or a VMM whose clock counts instructions); measured for
 * MEASURE_NS against the HPET, the ACPI PM timer, or PIT channel 0 (latched; the speaker's port 0x61 is not there
 * on every machine), or the local APIC's timer, which counts nanoseconds under QEMU and KVM; CPUID 0x16; 1 GHz.
 * All are checked for plausibility: they come from outside.
 *
 * A measured rate is good to some tenths of a per cent. It is measured again over the whole time since then, after 1, 10 and
 * 100 seconds: the reference has wrapped meanwhile, but the rate known so far tells how often.
 */
#include "arch/x86_64/calibrate.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/firmware.h"
#include "arch/x86_64/layout.h"
#include "base/log.h"

#define KHZ_MIN 10000ull         /* a plausible counter: 10 MHz to 100 GHz */
#define KHZ_MAX 100000000ull
#define MEASURE_NS 200000ull
#define CHECK_NS 3000ull
#define STILL_MAX 4000u           /* readings without a change: it does not run */
#define LAPIC_TIMER 3u            /* the last of the references */
#define REFERENCES 4u
#define MSR_KVM_WALL_CLOCK 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u

/* Linux arch/x86/include/asm/pvclock-abi.h */
struct pvclock_time {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags, pad[2];
};
struct pvclock_wall {
	u32 version, sec, nsec;
};
static struct pvclock_time pv_time ALIGNED(64);
static struct pvclock_wall pv_wall ALIGNED(64);

static phys_t image_phys(const void *p) { return arch_layout.image_pa + ((uintptr_t)p - arch_layout.image_va); }

static bool plausible(u64 khz) { return khz >= KHZ_MIN && khz <= KHZ_MAX; }

/* The host fills the structure when the register is written; then it is switched off again: one reading is enough. */
static u64 kvmclock_khz(void)
{
	const volatile struct pvclock_time *t = &pv_time;
	u64 khz;

	x86_wrmsr(MSR_KVM_SYSTEM_TIME, image_phys(&pv_time) | 1);
	barrier();
	x86_wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	if (!t->version || !t->tsc_to_system_mul)
		return 0;
	khz = (1000000ull << 32) / t->tsc_to_system_mul;
	return t->tsc_shift < 0 ? khz << MIN(-t->tsc_shift, 31) : khz >> MIN((int)t->tsc_shift, 31);
}

static u64 cpuid_khz(void)
{
	struct cpuid r;

	if (cpu_features.hypervisor && cpu_features.hypervisor_leaf >= 0x40000010 && cpu_features.hypervisor_leaf < 0x40000100) {
		r = x86_cpuid(0x40000010, 0);
		if (plausible(r.eax))
			return r.eax;
	}
	if (cpu_features.max_leaf >= 0x15) {
		r = x86_cpuid(0x15, 0);
		if (r.eax && r.ebx && r.ecx)
			return (u64)r.ecx * r.ebx / r.eax / 1000;
	}
	return 0;
}

/* ---- Reference counters ---- */

u64 calibrate_refine_tsc = UINT64_MAX;

struct reference {
	u64 (*read)(void);
	u64 hz, mask;
};
static volatile u64 *hpet_regs;

static u64 hpet_read(void) { return hpet_regs[0xf0 / 8]; }
static u64 pm_read(void) { return arch_in32(firmware.pm_timer); }
static u64 pit_read(void)
{
	u64 v;

	arch_out8(0x43, 0);             /* latch channel 0 */
	v = arch_in8(0x40);
	v |= (u64)arch_in8(0x40) << 8;
	return 0xffff - v;              /* it counts down */
}

/* The i-th kind of reference, if the machine may have it. */
static bool reference_open(unsigned i, struct reference *r)
{
	if (i == 0 && firmware.hpet && (hpet_regs = (volatile u64 *)arch_map_device(firmware.hpet, 1024))) {
		u64 period_fs = hpet_regs[0] >> 32;

		if (period_fs < 1000 || period_fs > 100000000)
			return false;
		hpet_regs[0x10 / 8] |= 1;       /* run */
		*r = (struct reference){ hpet_read, 1000000000000000ull / period_fs, 0xffffffff };
	} else if (i == 1 && firmware.pm_timer) {
		*r = (struct reference){ pm_read, 3579545, 0xffffff };
	} else if (i == 2) {
		arch_out8(0x43, 0x34);          /* channel 0, rate generator, full count */
		arch_out8(0x40, 0);
		arch_out8(0x40, 0);
		*r = (struct reference){ pit_read, 1193182, 0xffff };
	} else if (i == LAPIC_TIMER && (cpu_features.tcg || cpu_features.kvm)) {
		lapic_count_start();
		*r = (struct reference){ lapic_count, NSEC_PER_SEC, 0xffffffff };
	} else {
		return false;
	}
	return true;
}

/* A reading of both counters as close together as two tries get. */
static u64 read_pair(const struct reference *r, u64 *ret_tsc)
{
	u64 best = UINT64_MAX, value = 0;

	for (unsigned i = 0; i < 3; i++) {
		u64 a = x86_rdtsc(), v = r->read(), b = x86_rdtsc();

		if (b - a < best) {
			best = b - a;
			value = v;
			*ret_tsc = a + (b - a) / 2;
		}
	}
	return value;
}

/* a * b / c with the whole product; 0 if the result does not fit. */
static u64 mul_div(u64 a, u64 b, u64 c)
{
	unsigned __int128 p = (unsigned __int128)a * b;
	u64 hi = (u64)(p >> 64), lo = (u64)p;

	if (hi >= c)
		return 0;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "rm"(c));
	return lo;
}

static struct reference ref RO_AFTER_INIT_ZERO;
static u64 ref_tsc, ref_value;          /* both counters at the first measurement */
static unsigned refined;                /* how often it was measured again */
static const u64 refine_after_s[] = { 1, 10, 100 };

/* Hz of the time-stamp counter by r; 0 if r does not run. */
static u64 measure_by(const struct reference *r)
{
	u64 t1, ticks = 0, last = 0, want = r->hz * MEASURE_NS / NSEC_PER_SEC;
	unsigned still = 0;

	ref_value = read_pair(r, &ref_tsc);
	while (ticks < want && still < STILL_MAX) {
		ticks = (r->read() - ref_value) & r->mask;
		still = ticks == last ? still + 1 : 0;
		last = ticks;
	}
	ticks = (read_pair(r, &t1) - ref_value) & r->mask;
	return still < STILL_MAX && ticks ? mul_div(t1 - ref_tsc, r->hz, ticks) : 0;
}

static u64 measure_khz(void)
{
	u64 hz;

	for (unsigned i = 0; i < REFERENCES; i++) {
		if (!reference_open(i, &ref))
			continue;
		hz = measure_by(&ref);
		if (!plausible(hz / 1000))
			continue;
		if (ref.read != lapic_count)    /* that one is the scheduler's from now on */
			calibrate_refine_tsc = ref_tsc + hz * refine_after_s[0];
		return hz / 1000;
	}
	return 0;
}

/* Whether the hint is the counter's rate to a quarter, as far as CHECK_NS of the timer that counts nanoseconds tell. */
static bool hint_holds(u64 khz)
{
	struct reference r;
	u64 t0, t1, want = khz * CHECK_NS / 1000000, value;

	if (!reference_open(LAPIC_TIMER, &r))
		return true;
	value = read_pair(&r, &t0);
	while (x86_rdtsc() - t0 < want)
		continue;
	value = (read_pair(&r, &t1) - value) & r.mask;
	want = (t1 - t0) * 1000000 / khz;
	return value < want + want / 4 && value > want - want / 4;
}

u64 calibrate_refine(u64 khz)
{
	u64 tsc, value = read_pair(&ref, &tsc), elapsed = tsc - ref_tsc;
	u64 expected = mul_div(elapsed, ref.hz, khz * 1000), ticks, better;
	s64 off;

	/* The number of ticks next to what is expected whose low bits are those that were read. */
	off = (s64)((value - ref_value - expected) & ref.mask);
	if ((u64)off > ref.mask / 2)
		off -= (s64)ref.mask + 1;
	ticks = expected + (u64)off;
	refined++;
	calibrate_refine_tsc = refined < ARRAY_SIZE(refine_after_s) ? ref_tsc + khz * 1000 * refine_after_s[refined] : UINT64_MAX;
	better = ticks ? mul_div(elapsed, ref.hz, ticks * 1000) : 0;
	/* More than one per cent away is no better measurement but a counter that jumped. */
	return better > khz - khz / 100 && better < khz + khz / 100 ? better : khz;
}

u64 calibrate_tsc_khz(u64 hint_khz)
{
	u64 khz;

	if (cpu_features.kvmclock && plausible(khz = kvmclock_khz()))
		return khz;
	if (plausible(khz = cpuid_khz()))
		return khz;
	if (plausible(hint_khz) && hint_holds(hint_khz))
		return hint_khz;
	khz = measure_khz();
	if (plausible(khz)) {
		log_debug("clock: measured %llu kHz", (unsigned long long)khz);
		return khz;
	}
	if (cpu_features.max_leaf >= 0x16 && plausible(khz = (u64)(x86_cpuid(0x16, 0).eax & 0xffff) * 1000))
		return khz;
	log_warn("clock: the rate of the time-stamp counter is not known; 1 GHz is assumed");
	return 1000000;
}

/* ---- The wall clock ---- */

static u64 days_from_civil(u64 y, unsigned m, unsigned d)
{
	/* Days since 1970-01-01 in the Gregorian calendar; years begin in March. */
	u64 era_year = m <= 2 ? y - 1 : y, yoe = era_year % 400, doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era_year / 400 * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static u8 cmos(u8 reg)
{
	arch_out8(0x70, reg);
	return arch_in8(0x71);
}

static unsigned bcd(u8 v, bool binary) { return binary ? v : (v >> 4) * 10u + (v & 15); }

/* Motorola MC146818: seconds, minutes, hours, day, month, year at 0 2 4 7 8 9; status at 10 and 11. */
static u64 rtc_ns(void)
{
	static const u8 regs[6] = { 0, 2, 4, 7, 8, 9 };
	u8 a[6], b[6], status;
	unsigned v[6], century = 20;
	bool same = false;

	if (firmware.no_rtc || cmos(11) == 0xff)
		return 0;
	for (unsigned tries = 0; tries < 4 && !same; tries++) {
		same = true;
		for (unsigned i = 0; i < 6; i++)
			a[i] = cmos(regs[i]);
		for (unsigned i = 0; i < 6; i++) {
			b[i] = cmos(regs[i]);
			same = same && a[i] == b[i];
		}
	}
	status = cmos(11);
	for (unsigned i = 0; i < 6; i++)
		v[i] = bcd(i == 2 ? a[i] & 0x7f : a[i], status & 4);
	if (!(status & 2) && (a[2] & 0x80))             /* 12-hour clock, afternoon */
		v[2] = v[2] % 12 + 12;
	if (firmware.century_register) {
		unsigned c = bcd(cmos(firmware.century_register & 0x7f), status & 4);

		century = c >= 19 && c <= 29 ? c : century;
	}
	if (v[0] > 59 || v[1] > 59 || v[2] > 23 || v[3] < 1 || v[3] > 31 || v[4] < 1 || v[4] > 12 || v[5] > 99)
		return 0;
	return ((days_from_civil(century * 100 + v[5], v[4], v[3]) * 24 + v[2]) * 3600 + v[1] * 60 + v[0]) * NSEC_PER_SEC;
}

static u64 kvmclock_wall_ns(void)
{
	const volatile struct pvclock_wall *w = &pv_wall;

	x86_wrmsr(MSR_KVM_WALL_CLOCK, image_phys(&pv_wall));
	barrier();
	if (!w->version || !w->sec)
		return 0;
	/* That was the time when the machine's clock stood at 0; now it stands at system_time (read a moment ago). */
	return w->sec * NSEC_PER_SEC + w->nsec + pv_time.system_time;
}

u64 calibrate_real_time_ns(u64 hint_ns)
{
	u64 ns = cpu_features.kvmclock ? kvmclock_wall_ns() : 0;

	if (ns)
		return ns;
	return hint_ns ? hint_ns : rtc_ns();
}
