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

/* Linux's names, by leaf, register and bit; in Linux's order of words. */
static const struct {
	u32 leaf;
	char reg;
	const char *names[32];
} flags[] = {
	{ 1, 'd', { "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", 0, "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush", 0, "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" } },
	{ 0x80000001, 'd', { [11] = "syscall", [19] = "mp", [20] = "nx", [22] = "mmxext", [25] = "fxsr_opt", [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow" } },
	{ 1, 'c', { "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", 0, "pcid", "dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes", "xsave", 0, "avx", "f16c", "rdrand", "hypervisor" } },
	{ 0x80000001, 'c', { "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse", "3dnowprefetch", "osvw", "ibs", "xop", "skinit", "wdt", [15] = "lwp", [16] = "fma4", [21] = "tbm", [22] = "topoext" } },
	{ 7, 'b', { "fsgsbase", "tsc_adjust", 0, "bmi1", "hle", "avx2", 0, "smep", "bmi2", "erms", "invpcid", "rtm", 0, 0, "mpx", 0, "avx512f", "avx512dq", "rdseed", "adx", "smap", "avx512ifma", 0, "clflushopt", "clwb", 0, "avx512pf", "avx512er", "avx512cd", "sha_ni", "avx512bw", "avx512vl" } },
	{ 7, 'c', { 0, "avx512vbmi", "umip", "pku", [4] = "ospke", [5] = "waitpkg", [6] = "avx512_vbmi2", [8] = "gfni", [9] = "vaes", [10] = "vpclmulqdq", [11] = "avx512_vnni", [12] = "avx512_bitalg", [14] = "avx512_vpopcntdq", [16] = "la57", [22] = "rdpid" } },
	{ 7, 'd', { [4] = "fsrm", [10] = "md_clear", [14] = "serialize", [28] = "flush_l1d" } },
};

static void put_flags(struct pseudo_text *t)
{
	for (unsigned k = 0; k < ARRAY_SIZE(flags); k++) {
		struct cpuid r = cpuid(flags[k].leaf, 0);
		u32 bits = flags[k].reg == 'b' ? r.b : flags[k].reg == 'c' ? r.c : r.d;
		for (unsigned bit = 0; bit < 32; bit++)
			if (bits >> bit & 1 && flags[k].names[bit])
				pseudo_printf(t, " %s", flags[k].names[bit]);
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
