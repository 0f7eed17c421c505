/*
 * csum.c - ext4's checksums: CRC-32C over a volume's seed, and the older CRC-16 of group descriptors.
 * Pure. Documentation/filesystems/ext4/checksums.rst.
 */
#include "fs/erofs.h"
#include "fs/ext4/ext4.h"

u32 ext4_crc32c(u32 crc, const void *data, size_t len)
{
	return crc32c(crc, data, len);
}

/* Polynomial 0x8005, reflected. */
u16 ext4_crc16(u16 crc, const void *data, size_t len)
{
	for (const u8 *p = data; len--; p++) {
		crc ^= *p;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = (u16)(crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
	}
	return crc;
}

/* Of an inode whose checksum fields count as zero. */
u32 ext4_inode_csum(const struct ext4 *e, u32 ino, const struct ext4_dinode *d)
{
	const u8 *raw = (const u8 *)d;
	static const u8 zero[4];
	u32 crc = ext4_crc32c(e->csum_seed, &ino, 4);
	size_t at = offsetof(struct ext4_dinode, checksum_lo);

	crc = ext4_crc32c(crc, &d->generation, 4);
	crc = ext4_crc32c(crc, raw, at);
	crc = ext4_crc32c(crc, zero, 2);
	at += 2;
	crc = ext4_crc32c(crc, raw + at, 128 - at);
	if (e->inode_size > 128) {
		at = 128;
		if (d->extra_isize >= 4) {
			size_t hi = offsetof(struct ext4_dinode, checksum_hi);
			crc = ext4_crc32c(crc, raw + at, hi - at);
			crc = ext4_crc32c(crc, zero, 2);
			at = hi + 2;
		}
		crc = ext4_crc32c(crc, raw + at, e->inode_size - at);
	}
	return crc;
}

u16 ext4_group_csum(const struct ext4 *e, u32 g, const struct ext4_group_desc *d)
{
	const u8 *raw = (const u8 *)d;
	size_t at = offsetof(struct ext4_group_desc, checksum);
	static const u8 zero[2];

	if (e->csum) {
		u32 crc = ext4_crc32c(e->csum_seed, &g, 4);
		crc = ext4_crc32c(crc, raw, at);
		crc = ext4_crc32c(crc, zero, 2);
		return (u16)ext4_crc32c(crc, raw + at + 2, e->desc_size - at - 2);
	}
	u16 crc = ext4_crc16(0xffff, e->super->uuid, 16);
	crc = ext4_crc16(crc, &g, 4);
	crc = ext4_crc16(crc, raw, at);
	return e->desc_size > at + 2 ? ext4_crc16(crc, raw + at + 2, e->desc_size - at - 2) : crc;
}
