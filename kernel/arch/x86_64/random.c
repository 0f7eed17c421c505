/* random.c - raw randomness of the CPU. */
#include "arch/x86_64/cpu.h"
#include "base/string.h"

unsigned arch_random_seed(u8 buf[32])
{
	unsigned got = 0;

	for (unsigned i = 0; i < 4; i++) {
		u64 v = 0, tsc;
		bool ok = false;

		for (unsigned tries = 0; tries < 10 && !ok; tries++)
			ok = (cpu_features.rdseed && x86_rdseed(&v)) || (cpu_features.rdrand && x86_rdrand(&v));
		tsc = x86_rdtsc();
		got += ok;
		v ^= ok ? 0 : tsc;
		memcpy(buf + 8 * i, &v, 8);
	}
	return got * 64;
}
