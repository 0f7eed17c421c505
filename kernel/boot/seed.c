/*
 * seed.c - random numbers for the layout, before the kernel's generator exists.
 *
 * Sources: RDSEED or RDRAND where CPUID tells of them, the bytes of the boot module (its seed= record comes from
 * the host's generator), the time-stamp counter's jitter. Mixed by a 64-bit multiply and rotate, which is enough
 * to spread entropy (it is no cipher: these numbers are never given to the program).
 */
#include "boot/boot.h"
#include "arch/x86_64/asm.h"

#define SEED_MODULE_MAX 4096u   /* bytes of the module that are mixed */

static u64 seed_state[2];

static void seed_mix(u64 v)
{
	u64 a = (seed_state[0] ^ v) * 0x9e3779b97f4a7c15ull;

	a ^= a >> 29;
	seed_state[0] = seed_state[1] + (a << 23 | a >> 41);
	seed_state[1] = a * 0xbf58476d1ce4e5b9ull ^ (a >> 32);
}

void boot_seed_init(void)
{
	u32 max = x86_cpuid(0, 0).eax;
	bool has_rdrand = x86_cpuid(1, 0).ecx & (1u << 30);
	bool has_rdseed = max >= 7 && (x86_cpuid(7, 0).ebx & (1u << 18));
	u64 v;

	seed_mix(boot_info.entry_tsc);
	if (boot_info.module_len && boot_info.module % 8 == 0) {
		const u64 *m = (const u64 *)boot_info.module;
		u64 words = MIN(boot_info.module_len, (u64)SEED_MODULE_MAX) / 8;

		for (u64 i = 0; i < words; i++)
			seed_mix(m[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		if (has_rdseed && x86_rdseed(&v))
			seed_mix(v);
		if (has_rdrand && x86_rdrand(&v))
			seed_mix(v);
		x86_cpuid(0, 0);        /* leaves the machine when virtual: the time it takes varies */
		seed_mix(x86_rdtsc());
	}
}

u64 boot_random(void)
{
	seed_mix(x86_rdtsc());
	seed_mix(seed_state[1]);
	return seed_state[0] ^ (seed_state[0] >> 32);
}
