/*
 * xattr.c - extended attributes: in the room behind the inode and in one block that files may share.
 *
 * Under M, changes in a transaction. What can fail: -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

static u32 block_csum(const struct ext4 *e, u64 block, u8 *data)
{
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)(void *)data;
	u32 was = h->checksum, crc;

	h->checksum = 0;
	crc = ext4_crc32c(e->csum_seed, &block, 8);
	crc = ext4_crc32c(crc, data, e->block_size);
	h->checksum = was;
	return crc;
}

/* The inode goes: one user less of its block of attributes. */
int ext4_xattrs_free(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_buf *b;

	if (!i->file_acl)
		return 0;
	int r = buf_read(e, i->file_acl, &b);
	if (r)
		return r;
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)(void *)b->data;
	if (h->magic != EXT4_XATTR_MAGIC || !h->refcount || (e->csum && h->checksum != block_csum(e, b->block, b->data))) {
		buf_put(e, b);
		return ext4_corrupted(e, i->v.ino, "attributes");
	}
	u64 block = i->file_acl;
	bool last = h->refcount == 1;
	if (!last) {
		h->refcount--;
		if (e->csum)
			h->checksum = block_csum(e, block, b->data);
		buf_dirty(e, b);
	}
	buf_put(e, b);
	i->file_acl = 0;
	i->sectors -= MIN(i->sectors, (u64)1 << (e->block_bits - 9));
	return last ? ext4_free_blocks(e, block, 1, true) : 0;
}
