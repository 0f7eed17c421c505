/*
 * indirect.c - the block map of ext2 and ext3: twelve blocks in the inode, then blocks of block numbers, one,
 * two and three levels deep.
 *
 * Under M, changes in a transaction. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN (a number beyond the
 * volume), -EFBIG.
 */
#include "fs/ext4/ext4.h"

#define FREE_ROUNDS 512u                     /* leaf blocks that one call frees: bounds the transaction */

struct place {
	unsigned depth;                      /* 0: in the inode */
	u32 index[4];                        /* the slot of the inode, then one in each level */
};

static u32 per_block(const struct ext4 *e) { return e->block_size / 4; }

static int place_of(const struct ext4 *e, u64 lblk, struct place *ret)
{
	u64 per = per_block(e);

	memset(ret, 0, sizeof *ret);
	if (lblk < EXT4_IND) {
		ret->index[0] = (u32)lblk;
		return 0;
	}
	lblk -= EXT4_IND;
	for (unsigned depth = 1; depth <= 3; depth++) {
		u64 span = depth == 1 ? per : depth == 2 ? per * per : per * per * per;
		if (lblk < span) {
			ret->depth = depth;
			ret->index[0] = EXT4_IND + depth - 1;
			for (unsigned k = depth; k; k--) {
				ret->index[k] = (u32)(lblk % per);
				lblk /= per;
			}
			return 0;
		}
		lblk -= span;
	}
	return -EFBIG;
}

int indirect_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret)
{
	struct ext4 *e = ext4_of(&i->v);
	struct place p;

	*ret = (struct ext4_map){ .count = 1 };
	int r = place_of(e, lblk, &p);
	if (r)
		return r == -EFBIG ? 0 : r;
	u32 block = i->block[p.index[0]];
	for (unsigned k = 1; k <= p.depth && block; k++) {
		struct ext4_buf *b;
		r = buf_read(e, block, &b);
		if (r)
			return r;
		const u32 *slot = (const u32 *)(const void *)b->data + p.index[k];
		block = *slot;
		/* Neighbours that follow on the device are told together. */
		if (k == p.depth && block)
			while (p.index[k] + ret->count < per_block(e) && slot[ret->count] == block + ret->count)
				ret->count++;
		buf_put(e, b);
	}
	ret->block = block;
	return 0;
}

/* A fresh block of numbers. */
static int new_level(struct ext4_inode *i, u64 goal, struct ext4_buf **ret)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = 1;
	u64 block;
	int r = ext4_alloc_blocks(e, goal, EXT4_ALLOC_META, &n, &block);

	if (r)
		return r;
	if (block > UINT32_MAX)
		r = -ENOSPC;                 /* these numbers have 32 bits */
	else
		r = buf_new(e, block, ret);
	if (r) {
		int f = ext4_free_blocks(e, block, 1, true);
		return f ? f : r;
	}
	buf_dirty(e, *ret);
	i->sectors += 1u << (e->block_bits - 9);
	return 0;
}

int indirect_insert(struct ext4_inode *i, u64 lblk, u64 block)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_buf *b = NULL;
	struct place p;
	int r = block > UINT32_MAX ? -ENOSPC : place_of(e, lblk, &p);

	if (r)
		return r;
	u32 *slot = &i->block[p.index[0]];
	for (unsigned k = 1; k <= p.depth; k++) {
		struct ext4_buf *next;
		if (*slot) {
			r = buf_read(e, *slot, &next);
		} else {
			r = new_level(i, block, &next);
			if (!r) {
				*slot = (u32)next->block;
				if (b)
					buf_dirty(e, b);
			}
		}
		if (b)
			buf_put(e, b);
		if (r)
			return r;
		b = next;
		slot = (u32 *)(void *)b->data + p.index[k];
	}
	*slot = (u32)block;
	if (b) {
		buf_dirty(e, b);
		buf_put(e, b);
	}
	return 0;
}

struct freeing {
	struct ext4_inode *i;
	u64 from, to;
	unsigned budget;                     /* blocks that may still be freed in this transaction */
	bool more;
};

static int free_one(struct freeing *f, u32 *slot, bool metadata)
{
	struct ext4 *e = ext4_of(&f->i->v);
	int r = ext4_free_blocks(e, *slot, 1, metadata);

	if (!r) {
		*slot = 0;
		f->i->sectors -= MIN(f->i->sectors, (u64)1 << (e->block_bits - 9));
		f->budget -= f->budget > 0;
	}
	return r;
}

/* Free what of [from, to] lies below *slot, which covers `span` blocks from `first` on; the block of numbers too when it is empty. */
static int free_below(struct freeing *f, u32 *slot, unsigned depth, u64 first, u64 span)
{
	struct ext4 *e = ext4_of(&f->i->v);
	struct ext4_buf *b;
	bool empty = true;

	if (!*slot || first > f->to || first + span - 1 < f->from)
		return 0;
	if (!f->budget) {
		f->more = true;
		return 0;
	}
	if (!depth)
		return free_one(f, slot, f->i->v.type != VNODE_REG);
	int r = buf_read(e, *slot, &b);
	if (r)
		return r;
	u32 *slots = (u32 *)(void *)b->data;
	u64 each = span / per_block(e);
	buf_dirty(e, b);
	for (u32 k = 0; k < per_block(e) && !r; k++) {
		r = free_below(f, &slots[k], depth - 1, first + k * each, each);
		empty = empty && !slots[k];
	}
	buf_put(e, b);
	return !r && empty ? free_one(f, slot, true) : r;
}

int indirect_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more)
{
	struct freeing f = { .i = i, .from = from, .to = to, .budget = FREE_ROUNDS };
	u64 per = per_block(ext4_of(&i->v)), first = 0, span = 1;
	int r = 0;

	for (unsigned k = 0; k < EXT4_N_BLOCKS && !r; k++) {
		unsigned depth = k < EXT4_IND ? 0 : k - EXT4_IND + 1;
		span = depth == 0 ? 1 : depth == 1 ? per : span * per;
		r = free_below(&f, &i->block[k], depth, first, span);
		first += span;
	}
	*ret_more = f.more;
	return r;
}
