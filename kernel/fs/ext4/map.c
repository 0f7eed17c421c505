/*
 * map.c - where the blocks of a file are, whatever way its inode keeps that: extents (extent.c) or the
 * block map of ext2 and ext3 (indirect.c).
 *
 * Under M, changes in a transaction. The caller stores the inode afterwards (ext4_inode_store): its root and its
 * count of sectors change here. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

#define FILL_ROUNDS 64u                      /* extents that one call may add: bounds the transaction */

int ext4_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret)
{
	int r = i->flags & EXT4_FL_EXTENTS ? extent_map(i, lblk, ret) : indirect_map(i, lblk, ret);

	if (!r && ret->block && !ext4_block_valid(ext4_of(&i->v), ret->block, ret->count))
		r = ext4_corrupted(ext4_of(&i->v), i->v.ino, "a file's blocks lie beyond the volume");
	return r;
}

/* Where the block before lblk is, plus one; else the start of the inode's group. */
static u64 goal_of(struct ext4_inode *i, u64 lblk)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_map m;

	if (lblk && !ext4_map(i, lblk - 1, &m) && m.block)
		return m.block + 1;
	return ext4_group_first(e, (u32)((i->v.ino - 1) / e->inodes_per_group));
}

/* Old ways have no unwritten blocks: what is new is zeroed on the device at once. */
static int zero_blocks(struct ext4 *e, u64 block, u32 count)
{
	u8 *zero = ext4_block_new();
	int r = zero ? 0 : -ENOMEM;

	for (u32 k = 0; k < count && !r; k++)
		r = ext4_dev_write(e, block + k, zero, 1);
	ext4_block_free(zero);
	return r;
}

/* Blocks for a part of a hole. */
static int fill_hole(struct ext4_inode *i, u64 lblk, u64 count, u64 *ret_n)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = (u32)MIN(count, (u64)(i->flags & EXT4_FL_EXTENTS ? 0x7fff : 1));
	u64 block;
	int r = ext4_alloc_blocks(e, goal_of(i, lblk), 0, &n, &block);

	if (r)
		return r;
	if (i->flags & EXT4_FL_EXTENTS) {
		r = extent_insert(i, lblk, block, n, true);
	} else {
		r = zero_blocks(e, block, n);
		if (!r)
			r = indirect_insert(i, lblk, block);
	}
	if (r) {
		int f = ext4_free_blocks(e, block, n, false);
		return f ? f : r;
	}
	i->sectors += (u64)n << (e->block_bits - 9);
	*ret_n = n;
	return 0;
}

int ext4_map_fill(struct ext4_inode *i, u64 lblk, u64 count, u64 *ret_done)
{
	u64 start = lblk, end = lblk + count;
	int r = 0;

	*ret_done = 0;
	for (unsigned rounds = 0; lblk < end && rounds < FILL_ROUNDS; rounds++) {
		struct ext4_map m;
		u64 n;
		r = ext4_map(i, lblk, &m);
		if (r)
			break;
		n = MIN(m.count, end - lblk);
		if (!m.block)
			r = fill_hole(i, lblk, n, &n);
		if (r)
			break;
		lblk += n;
		*ret_done = lblk - start;
	}
	return r;
}

int ext4_map_written(struct ext4_inode *i, u64 lblk, u64 count)
{
	int r = 0;

	while (count && !r && i->flags & EXT4_FL_EXTENTS) {
		u64 n = count;
		r = extent_written(i, lblk, count, &n);
		lblk += n;
		count -= n;
	}
	return r;
}

int ext4_map_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more)
{
	*ret_more = false;
	if (from > to)
		return 0;
	/* Short links keep their text where blocks would be; devices their numbers. */
	if (i->v.type != VNODE_REG && i->v.type != VNODE_DIR && (i->v.type != VNODE_LINK || i->v.size < EXT4_FAST_LINK_MAX))
		return 0;
	return i->flags & EXT4_FL_EXTENTS ? extent_free(i, from, to, ret_more) : indirect_free(i, from, to, ret_more);
}

int ext4_map_new_block(struct ext4_inode *i, u64 lblk, struct ext4_buf **ret)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = 1;
	u64 block;
	int r = ext4_alloc_blocks(e, goal_of(i, lblk), EXT4_ALLOC_META, &n, &block);

	if (r)
		return r;
	r = i->flags & EXT4_FL_EXTENTS ? extent_insert(i, lblk, block, 1, false) : indirect_insert(i, lblk, block);
	if (!r)
		r = buf_new(e, block, ret);
	if (r) {
		int f = ext4_free_blocks(e, block, 1, true);
		return f ? f : r;
	}
	i->sectors += 1u << (e->block_bits - 9);
	buf_dirty(e, *ret);
	return 0;
}
