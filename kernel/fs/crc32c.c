/*
 * crc32c.c - CRC-32C (Castagnoli, reflected polynomial 0x82f63b78): by the CPU's instruction, or by nibbles,
 * eight instructions a byte, on CPUs without it.
 */
#include "arch/arch.h"
#include "fs/erofs.h"

u32 crc32c(u32 crc, const void *data, size_t len)
{
	static const u32 table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const u8 *p = data;
	if (likely(arch_crc32c(&crc, data, len)))
		return crc;
	while (len--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}
