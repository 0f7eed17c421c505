/*
 * procfs_cpu.c - /proc/cpuinfo, from CPUID. All CPUs of a machine are taken to be alike.
 * Locks: none. What can fail: memory.
 */
#include "fs/procfs_impl.h"
#include <cpuid.h>

struct cpuid {
	u32 a, b, c, d;
};

static struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r = { 0 };
	u32 max;
	__cpuid(leaf & 0x80000000u, max, r.b, r.c, r.d);
	if (leaf > max || (leaf & 0x80000000u && !(max & 0x80000000u)))
		return (struct cpuid){ 0 };
	__cpuid_count(leaf, sub, r.a, r.b, r.c, r.d);
	return r;
}

/* Linux's names, by leaf, register and bit, from bit 0 on; in Linux's order of words. */
static const struct {
	u32 leaf;
	char reg;
	const char *names;
} flags[] = {
	{ 1, 'd',
	  "fpu,vme,de,pse,tsc,msr,pae,mce,cx8,apic,,sep,mtrr,pge,mca,cmov,pat,pse36,pn,clflush,,dts,acpi,mmx,fxsr,sse,sse2,ss,ht,"
	  "tm,ia64,pbe" },
	{ 0x80000001, 'd',
	  ",,,,,,,,,,,syscall,,,,,,,,mp,nx,,mmxext,,,fxsr_opt,pdpe1gb,rdtscp,,lm,3dnowext,3dnow" },
	{ 1, 'c',
	  "pni,pclmulqdq,dtes64,monitor,ds_cpl,vmx,smx,est,tm2,ssse3,cid,sdbg,fma,cx16,xtpr,pdcm,,pcid,dca,sse4_1,sse4_2,x2apic,"
	  "movbe,popcnt,tsc_deadline_timer,aes,xsave,,avx,f16c,rdrand,hypervisor" },
	{ 0x80000001, 'c',
	  "lahf_lm,cmp_legacy,svm,extapic,cr8_legacy,abm,sse4a,misalignsse,3dnowprefetch,osvw,ibs,xop,skinit,wdt,,lwp,fma4,,,,,"
	  "tbm,topoext" },
	{ 7, 'b',
	  "fsgsbase,tsc_adjust,,bmi1,hle,avx2,,smep,bmi2,erms,invpcid,rtm,,,mpx,,avx512f,avx512dq,rdseed,adx,smap,avx512ifma,,"
	  "clflushopt,clwb,,avx512pf,avx512er,avx512cd,sha_ni,avx512bw,avx512vl" },
	{ 7, 'c',
	  ",avx512vbmi,umip,pku,ospke,waitpkg,avx512_vbmi2,,gfni,vaes,vpclmulqdq,avx512_vnni,avx512_bitalg,,avx512_vpopcntdq,,"
	  "la57,,,,,,rdpid" },
	{ 7, 'd',
	  ",,,,fsrm,,,,,,md_clear,,,,serialize,,,,,,,,,,,,,,flush_l1d" },
};

static void put_flags(struct pseudo_text *t)
{
	for (unsigned k = 0; k < ARRAY_SIZE(flags); k++) {
		struct cpuid r = cpuid(flags[k].leaf, 0);
		u32 bits = flags[k].reg == 'b' ? r.b : flags[k].reg == 'c' ? r.c : r.d;
		for (const char *name = flags[k].names; *name; bits >>= 1) {
			size_t len = 0;
			while (name[len] && name[len] != ',')
				len++;
			if (bits & 1 && len)
				pseudo_printf(t, " %.*s", (int)len, name);
			name += len + (name[len] == ',');
		}
	}
}

/* Kilohertz of the time-stamp counter, or of the core: whatever CPUID states; 0 if nothing does. */
static u32 cpu_khz(void)
{
	struct cpuid h = cpuid(0x40000010, 0), f = cpuid(0x16, 0), t = cpuid(0x15, 0), hv = { 0 };
	__cpuid(0x40000000, hv.a, hv.b, hv.c, hv.d);
	if (cpuid(1, 0).c >> 31 && hv.a >= 0x40000010 && hv.a < 0x40010000) {
		__cpuid(0x40000010, h.a, h.b, h.c, h.d);
		if (h.a)
			return h.a;
	}
	if (t.a && t.b && t.c)
		return (u32)((u64)t.c * t.b / t.a / 1000);
	return (f.a & 0xffff) * 1000;
}

static void put_identity(struct pseudo_text *t)
{
	struct cpuid v = cpuid(0, 0), s = cpuid(1, 0);
	char vendor[13] = { 0 }, brand[49] = { 0 };
	u32 family = s.a >> 8 & 0xf, model = s.a >> 4 & 0xf;
	if (family == 0xf)
		family += s.a >> 20 & 0xff;
	if (family >= 6)
		model |= s.a >> 12 & 0xf0;
	memcpy(vendor, &v.b, 4);
	memcpy(vendor + 4, &v.d, 4);
	memcpy(vendor + 8, &v.c, 4);
	for (u32 k = 0; k < 3; k++) {
		struct cpuid b = cpuid(0x80000002 + k, 0);
		memcpy(brand + 16 * k, &b, 16);
	}
	const char *name = brand;
	while (*name == ' ')
		name++;
	pseudo_printf(t, "vendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", vendor, family, model, *name ? name : "unknown", s.a & 0xf);
}

static int show_cpuinfo(struct pseudo_text *t, u64 arg)
{
	unsigned cpus = arch_cpu_count();
	u32 khz = cpu_khz();
	struct cpuid ext = cpuid(0x80000008, 0), l2 = cpuid(0x80000006, 0), one = cpuid(1, 0), zero = cpuid(0, 0);
	for (unsigned c = 0; c < cpus; c++) {
		pseudo_printf(t, "processor\t: %u\n", c);
		put_identity(t);
		if (khz)
			pseudo_printf(t, "cpu MHz\t\t: %u.%03u\n", khz / 1000, khz % 1000);
		if (l2.c >> 16)
			pseudo_printf(t, "cache size\t: %u KB\n", l2.c >> 16);
		pseudo_printf(t, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\n", cpus, c, cpus, c, c);
		pseudo_printf(t, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:", zero.a);
		put_flags(t);
		pseudo_printf(t, "\nbugs\t\t:\n");
		if (khz)
			pseudo_printf(t, "bogomips\t: %u.%02u\n", khz / 500, khz % 500 / 5);
		pseudo_printf(t, "clflush size\t: %u\ncache_alignment\t: %u\naddress sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
			      (one.b >> 8 & 0xff) * 8, (one.b >> 8 & 0xff) * 8, ext.a & 0xff, ext.a >> 8 & 0xff);
	}
	return 0;
}

static const struct pseudo_file cpuinfo = { .path = "cpuinfo", .mode = 0444, .show = show_cpuinfo };

int procfs_add_cpuinfo(void)
{
	return pseudo_add_file(PSEUDO_PROC, &cpuinfo);
}
