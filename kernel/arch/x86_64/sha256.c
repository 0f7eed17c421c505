/*
 * sha256.c - SHA-256 by the CPU's instructions, where CPUID has them. They work on vector registers, which are the
 * program's: fpu_kernel_begin.
 */
#include "arch/x86_64/cpu.h"
#include "base/sha256.h"

void sha256_ni_blocks(u32 state[8], const void *data, size_t n, const u32 *k);

bool arch_sha256_blocks(u32 state[8], const void *data, size_t n)
{
	if (!cpu_features.sha)
		return false;
	if (n) {
		fpu_kernel_begin();
		sha256_ni_blocks(state, data, n, sha256_k);
	}
	return true;
}
