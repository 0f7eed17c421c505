/*
 * features.c - what this CPU has (CPUID only: some machines hang or fault on a probe), and the control registers.
 * All CPUs are taken to be alike. Intel SDM 2A, CPUID; 3A, 2.5.
 */
#include "arch/x86_64/cpu.h"

struct cpu_features cpu_features RO_AFTER_INIT_ZERO;
static u32 hwcap RO_AFTER_INIT;

#define KVM_LEAF_FEATURES 1u
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)

static bool signature_is(const struct cpuid *r, const char *text)
{
	u32 w[3];

	__builtin_memcpy(w, text, 12);
	return r->ebx == w[0] && r->ecx == w[1] && r->edx == w[2];
}

/* Hypervisors announce themselves at 0x40000000, or higher in steps of 0x100 when they pose as another one too. */
static void detect_hypervisor(struct cpu_features *f)
{
	for (u32 leaf = 0x40000000; leaf < 0x40000400; leaf += 0x100) {
		struct cpuid r = x86_cpuid(leaf, 0);

		if (leaf == 0x40000000)
			f->hypervisor_leaf = r.eax;
		f->tcg = f->tcg || signature_is(&r, "TCGTCGTCGTCG");
		if (signature_is(&r, "KVMKVMKVM\0\0\0")) {
			f->kvm = true;
			f->kvmclock = x86_cpuid(leaf + KVM_LEAF_FEATURES, 0).eax & KVM_FEATURE_CLOCKSOURCE2;
			return;
		}
	}
}

void features_detect(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid l1 = x86_cpuid(1, 0), l7 = { 0 }, e1 = { 0 };
	u32 max_ext = x86_cpuid(0x80000000, 0).eax;

	f->max_leaf = x86_cpuid(0, 0).eax;
	if (f->max_leaf >= 7)
		l7 = x86_cpuid(7, 0);
	if (max_ext >= 0x80000001)
		e1 = x86_cpuid(0x80000001, 0);
	if (max_ext >= 0x80000007)
		f->tsc_invariant = x86_cpuid(0x80000007, 0).edx & (1u << 8);
	hwcap = l1.edx;
	f->family_model = l1.eax;
	f->x2apic = l1.ecx & (1u << 21);
	f->crc32c = l1.ecx & (1u << 20);
	f->tsc_deadline = l1.ecx & (1u << 24);
	f->xsave = (l1.ecx & (1u << 26)) && f->max_leaf >= 13;
	f->avx = l1.ecx & (1u << 28);
	f->rdrand = l1.ecx & (1u << 30);
	f->hypervisor = l1.ecx & (1u << 31);
	f->pge = l1.edx & (1u << 13);
	f->fsgsbase = l7.ebx & (1u << 0);
	f->smep = l7.ebx & (1u << 7);
	f->rdseed = l7.ebx & (1u << 18);
	f->smap = l7.ebx & (1u << 20);
	f->sha = (l7.ebx & (1u << 29)) && (l1.ecx & (1u << 9)) && (l1.ecx & (1u << 19)); /* with SSSE3 and SSE 4.1 */
	f->umip = l7.ecx & (1u << 2);
	f->rdpid = l7.ecx & (1u << 22);
	f->rdtscp = e1.edx & (1u << 27);
	f->page1g = e1.edx & (1u << 26);
	f->xsaveopt = f->xsave && (x86_cpuid(13, 1).eax & 1);
	if (f->hypervisor)
		detect_hypervisor(f);
}

void features_enable_cpu(void)
{
	const struct cpu_features *f = &cpu_features;
	u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cr4 |= f->pge ? CR4_PGE : 0;
	cr4 |= f->umip ? CR4_UMIP : 0;
	cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= f->xsave ? CR4_OSXSAVE : 0;
	cr4 |= f->smep ? CR4_SMEP : 0;
	cr4 |= f->smap ? CR4_SMAP : 0;
	x86_write_cr4(cr4);
	x86_write_cr0((x86_read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_WP | CR0_NE | CR0_MP | CR0_AM);
}

u32 arch_hwcap(void) { return hwcap; }
u32 arch_hwcap2(void) { return cpu_features.fsgsbase ? 1u << 1 : 0; }
