/*
 * crc32c.c - CRC-32C by the CRC32 instruction of SSE 4.2, which works on general registers. Intel SDM 2A, CRC32.
 */
#include "arch/x86_64/cpu.h"

bool arch_crc32c(u32 *crc, const void *data, size_t len)
{
	u64 c = *crc;
	const u8 *p = data;

	if (!cpu_features.crc32c)
		return false;
	/* Blocks of a volume: the loop must not cost more than the work. */
	for (; len >= 64; len -= 64, p += 64)
		__asm__("crc32q (%1), %0\n\tcrc32q 8(%1), %0\n\tcrc32q 16(%1), %0\n\tcrc32q 24(%1), %0\n\t"
			"crc32q 32(%1), %0\n\tcrc32q 40(%1), %0\n\tcrc32q 48(%1), %0\n\tcrc32q 56(%1), %0"
			: "+&r"(c) : "r"(p), "m"(*(const u8 (*)[64])p));
	for (; len >= 8; len -= 8, p += 8) {
		u64 word;

		__builtin_memcpy(&word, p, 8);
		__asm__("crc32q %1, %0" : "+r"(c) : "r"(word));
	}
	for (; len; len--, p++)
		__asm__("crc32b %1, %k0" : "+r"(c) : "rm"(*p));
	*crc = (u32)c;
	return true;
}
