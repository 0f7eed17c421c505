/*
 * grow.c - a volume whose device became larger grows when it is mounted: the last group first, then group after group.
 *
 * Each step is one transaction that leaves a whole volume, so that a crash leaves it grown so far, and the next mount goes
 * on. A new group holds its own bitmaps and inode table. Descriptors of new groups go into blocks that mke2fs kept for
 * that behind the descriptors (inode 7, the resize inode, owns them: one block of each copy of the descriptors); when they
 * are used up, the rest of the volume becomes meta_bg: descriptors lie in the groups that they describe. The copies of
 * superblock and descriptors are written at the end, past the journal: nobody reads them while the first ones are good.
 *
 * Runs at mount, before anybody else uses the volume; M inside. What can fail: -EIO, -ENOMEM; what cannot grow stays as
 * it is, with a line in the log.
 */
#include "fs/ext4/ext4.h"

#define RESIZE_INO  7u
#define DIND        13u
#define BATCH       256u                     /* groups that one transaction adds */
#define LEAST       50u                      /* blocks that a last group must have beside its own */

static u32 super_block(const struct ext4 *e) { return EXT4_SB_OFFSET >> e->block_bits; }
static u32 words_a_block(const struct ext4 *e) { return e->block_size / 4; }
static u64 group_own(const struct ext4 *e, u32 g) { return ext4_group_base(e, g) + 2 + e->itable_blocks; }
static bool has_csums(const struct ext4 *e) { return e->csum || e->gdt_csum; }

/* ---- How far ---- */

/* As many blocks as the device has and the numbers can say, without a last group that would hold nothing. */
static u64 target_blocks(const struct ext4 *e)
{
	u64 n = (e->dev->nsectors * 512 - e->dev_off) >> e->block_bits, max = e->incompat & EXT4_INCOMPAT_64BIT ? 1ull << 48 : UINT32_MAX;

	n = MIN(n, max);
	max = e->first_block + (u64)(UINT32_MAX / e->inodes_per_group) * e->blocks_per_group;
	n = MIN(n, max);
	u64 groups = DIV_ROUND_UP(n - e->first_block, (u64)e->blocks_per_group), rest = (n - e->first_block) % e->blocks_per_group;
	if (groups > e->ngroups && rest && rest < 2u + e->itable_blocks + LEAST + 1 + e->super->reserved_gdt_blocks + ext4_desc_blocks(e))
		n -= rest;
	return n;
}

static u32 copies(const struct ext4 *e)
{
	u32 n = 0;

	for (u32 g = 1; g < e->ngroups; g++)
		n += ext4_group_has_super(e, g);
	return n;
}

/* The kept blocks are where they should be, and inode 7 has them all. */
static bool kept_valid(struct ext4 *e, struct ext4_inode *resize)
{
	struct ext4_buf *dind, *b;
	u32 first = ext4_desc_blocks(e);
	bool ok = true;
	int r = buf_read(e, resize->block[DIND], &dind);

	if (r)
		return false;
	for (u32 k = 0; k < e->super->reserved_gdt_blocks && ok; k++) {
		u32 block = super_block(e) + 1 + first + k, at = 0;
		ok = ((u32 *)(void *)dind->data)[(first + k) % words_a_block(e)] == block && !buf_read(e, block, &b);
		if (!ok)
			break;
		for (u32 g = 1; g < e->ngroups && ok; g++)
			if (ext4_group_has_super(e, g))
				ok = at < words_a_block(e) && ((u32 *)(void *)b->data)[at++] == (u64)g * e->blocks_per_group + block;
		buf_put(e, b);
	}
	buf_put(e, dind);
	return ok;
}

/* Why it cannot grow, or NULL. */
static const char *refusal(struct ext4 *e, struct ext4_inode *resize)
{
	bool ok = true;

	if (e->compat & EXT4_COMPAT_SPARSE_SUPER2)
		return "sparse_super2 keeps its copies elsewhere";
	if (e->super->state & EXT4_ERROR_FS)
		return "it had errors; e2fsck should see it first";
	if (e->groups[e->ngroups - 1].bad)
		return "the bitmap of its last group is broken";
	if (resize && e->j.inode && e->super->reserved_gdt_blocks + 32u > (e->j.nblocks - e->j.first) / 2)
		return "its journal is too small";
	mutex_lock(&e->meta);
	if (resize)
		ok = kept_valid(e, resize);
	mutex_unlock(&e->meta);
	return ok ? NULL : "its resize inode makes no sense";
}

/* ---- Steps; under M in a transaction ---- */

static void sizes_store(struct ext4 *e)
{
	struct ext4_super *s = e->super;

	s->blocks_count_lo = (u32)e->nblocks;
	if (e->incompat & EXT4_INCOMPAT_64BIT)
		s->blocks_count_hi = (u32)(e->nblocks >> 32);
	s->inodes_count = e->ninodes;
	s->overhead_clusters = 0;            /* to be counted again */
	ext4_super_store(e);
	e->super_dirty = true;
}

/* The last group becomes as large as a group or the target. */
static int last_extend(struct ext4 *e, u64 target)
{
	u32 g = e->ngroups - 1;
	u64 base = ext4_group_first(e, g), end = MIN(target, base + e->blocks_per_group);
	struct ext4_buf *b;

	if (end <= e->nblocks)
		return 0;
	int r = ext4_block_bitmap(e, g, &b);
	if (r)
		return r;
	for (u64 k = e->nblocks - base; k < end - base; k++)
		b->data[k / 8] &= (u8)~(1u << k % 8);
	e->groups[g].free_blocks += (u32)(end - e->nblocks);
	e->free_blocks += end - e->nblocks;
	e->nblocks = end;
	sizes_store(e);
	ext4_bitmap_changed(e, g, b, false);
	buf_put(e, b);
	return 0;
}

/* The next kept block becomes one of descriptors, in all copies. */
static int kept_take(struct ext4 *e, struct ext4_inode *resize, u32 index)
{
	struct ext4_buf *dind;
	int r = buf_read(e, resize->block[DIND], &dind);

	if (r)
		return r;
	((u32 *)(void *)dind->data)[index % words_a_block(e)] = 0;
	buf_dirty(e, dind);
	buf_put(e, dind);
	resize->sectors -= MIN(resize->sectors, (u64)(copies(e) + 1) << (e->block_bits - 9));
	e->super->reserved_gdt_blocks--;
	return ext4_inode_store(resize, true);
}

/* From the next block of descriptors on they lie in their groups. */
static int meta_bg_begin(struct ext4 *e, struct ext4_inode *resize, u32 index)
{
	int r = 0;

	e->incompat |= EXT4_INCOMPAT_META_BG;
	e->compat &= ~(u32)EXT4_COMPAT_RESIZE_INODE;
	e->super->feature_incompat |= EXT4_INCOMPAT_META_BG;
	e->super->feature_compat &= ~(u32)EXT4_COMPAT_RESIZE_INODE;
	e->super->first_meta_bg = index;
	if (!resize)
		return 0;
	if (resize->block[DIND])
		r = ext4_free_blocks(e, resize->block[DIND], 1, true);
	memset(resize->block, 0, sizeof resize->block);
	resize->sectors = resize->disk_size = 0;
	return r ? r : ext4_inode_store(resize, true);
}

/* Group g, the newest, holds copies of the kept blocks: inode 7 gets them. */
static int kept_add(struct ext4 *e, struct ext4_inode *resize, u32 g)
{
	u32 first = super_block(e) + 1 + ext4_desc_blocks(e), at = copies(e) - 1, kept = e->super->reserved_gdt_blocks;
	struct ext4_buf *b;

	if (at >= words_a_block(e))
		return -EFBIG;
	for (u32 k = 0; k < kept; k++) {
		int r = buf_read(e, first + k, &b);
		if (r)
			return r;
		((u32 *)(void *)b->data)[at] = (u32)((u64)g * e->blocks_per_group + first + k);
		buf_dirty(e, b);
		buf_put(e, b);
	}
	resize->sectors += (u64)kept << (e->block_bits - 9);
	return ext4_inode_store(resize, true);
}

/* Without checksums nothing says that an inode table was never written. */
static int table_zero(struct ext4 *e, u64 block)
{
	u64 at[EXT4_WRITE_MANY];
	u8 *zero = ext4_block_new(), *data[EXT4_WRITE_MANY];
	int r = zero ? 0 : -ENOMEM;

	for (u32 k = 0; k < e->itable_blocks && !r;) {
		unsigned n = 0;
		for (; n < EXT4_WRITE_MANY && k < e->itable_blocks; n++, k++) {
			at[n] = block + k;
			data[n] = zero;
		}
		r = ext4_dev_write_many(e, at, data, n);
	}
	ext4_block_free(zero);
	return r;
}

/* Bitmaps that are there from the beginning: without checksums all, and those of a last group that is not full. */
static int bitmaps_make(struct ext4 *e, u32 n)
{
	for (unsigned inodes = 0; inodes < 2; inodes++) {
		struct ext4_buf *b;
		int r = inodes ? ext4_inode_bitmap(e, n, &b) : ext4_block_bitmap(e, n, &b);
		if (r)
			return r;
		ext4_bitmap_changed(e, n, b, inodes);
		buf_put(e, b);
	}
	return 0;
}

/* The block of group n's descriptors. 1: it is new. */
static int descriptors_ready(struct ext4 *e, struct ext4_inode *resize, u32 n)
{
	u32 per = ext4_descs_a_block(e);
	int r = 0;

	if (n % per)
		return 0;
	if (!(e->incompat & EXT4_INCOMPAT_META_BG))
		r = resize && e->super->reserved_gdt_blocks ? kept_take(e, resize, n / per) : meta_bg_begin(e, resize, n / per);
	return r ? r : 1;
}

/* Group number ngroups, up to the target. *ret_heavy: it is to be committed by itself. */
static int group_add(struct ext4 *e, struct ext4_inode *resize, u64 target, bool *ret_heavy)
{
	u32 n = e->ngroups;
	struct ext4_group *g = &e->groups[n];
	struct ext4_buf *b;
	int r = 0, fresh = descriptors_ready(e, resize, n);

	if (fresh < 0)
		return fresh;
	e->ngroups = n + 1;
	e->nblocks = MIN(target, ext4_group_first(e, n) + e->blocks_per_group);
	u64 first = ext4_group_first(e, n) + ext4_group_base(e, n);
	*g = (struct ext4_group){ .block_bitmap = first, .inode_bitmap = first + 1, .inode_table = first + 2, .free_inodes = e->inodes_per_group,
				  .flags = EXT4_BG_INODE_UNINIT | EXT4_BG_BLOCK_UNINIT, .dirty = true };
	g->free_blocks = (u32)(ext4_group_blocks(e, n) - group_own(e, n));
	g->itable_unused = has_csums(e) ? e->inodes_per_group : 0;
	e->free_blocks += g->free_blocks;
	e->ninodes += e->inodes_per_group;
	e->free_inodes += e->inodes_per_group;
	sizes_store(e);
	if (fresh) {
		r = buf_new(e, ext4_desc_block(e, n), &b);
		if (r)
			return r;
		buf_dirty(e, b);
		buf_put(e, b);
	}
	bool kept = resize && e->compat & EXT4_COMPAT_RESIZE_INODE && ext4_group_has_super(e, n);
	*ret_heavy = fresh || kept;
	if (kept)
		r = kept_add(e, resize, n);
	if (!r && !has_csums(e))
		r = table_zero(e, g->inode_table);
	if (!r && (!has_csums(e) || ext4_group_blocks(e, n) < e->blocks_per_group))
		r = bitmaps_make(e, n);
	return r;
}

/* ---- The copies ---- */

static int super_copies(struct ext4 *e, u8 *block)
{
	struct ext4_super *s = (struct ext4_super *)(void *)block;
	int r = 0;

	for (u32 g = 1; g < e->ngroups && !r; g++) {
		if (!ext4_group_has_super(e, g))
			continue;
		memset(block, 0, e->block_size);
		*s = *e->super;
		s->block_group_nr = (u16)g;
		ext4_super_seal(e, s);
		r = ext4_dev_write(e, ext4_group_first(e, g), block, 1);
	}
	return r;
}

/* Block number m of the descriptors. */
static int descriptor_copies(struct ext4 *e, u32 m, u8 *block)
{
	u32 per = ext4_descs_a_block(e);
	bool meta_bg = e->incompat & EXT4_INCOMPAT_META_BG, meta = meta_bg && m >= e->super->first_meta_bg;
	u32 end = meta ? (m + 1) * per : meta_bg ? e->super->first_meta_bg * per : e->ngroups;
	struct ext4_buf *b;

	mutex_lock(&e->meta);
	int r = buf_read(e, ext4_desc_block(e, m * per), &b);
	if (!r) {
		memcpy(block, b->data, e->block_size);
		buf_put(e, b);
	}
	mutex_unlock(&e->meta);
	for (u32 g = meta ? m * per + 1 : 1; g < MIN(e->ngroups, end) && !r; g++) {
		u64 to = ext4_group_first(e, g);
		if (meta && (g == m * per + 1 || g == m * per + per - 1))
			r = ext4_dev_write(e, to + ext4_group_has_super(e, g), block, 1);
		else if (!meta && ext4_group_has_super(e, g))
			r = ext4_dev_write(e, to + 1 + m, block, 1);
	}
	return r;
}

static int copies_write(struct ext4 *e)
{
	u8 *block = ext4_block_new();
	int r = block ? super_copies(e, block) : -ENOMEM;

	for (u32 m = 0; m * ext4_descs_a_block(e) < e->ngroups && !r; m++)
		r = descriptor_copies(e, m, block);
	ext4_block_free(block);
	return r;
}

/* ---- All of it ---- */

static int grow_steps(struct ext4 *e, struct ext4_inode *resize, u64 target)
{
	int r = ext4_begin(e);

	if (r)
		return r;
	r = last_extend(e, target);
	ext4_end(e);
	while (e->nblocks < target && !r) {
		bool heavy = false;
		r = ext4_begin(e);
		if (r)
			return r;
		for (u32 k = 0; k < BATCH && e->nblocks < target && !heavy && !r && !ext4_txn_full(e); k++)
			r = group_add(e, resize, target, &heavy);
		ext4_end(e);
		if (!r && heavy)
			r = ext4_commit_now(e);
	}
	/* What is half done must not be committed. */
	if (r)
		return ext4_fail(e, "growing", r);
	r = ext4_commit_now(e);
	if (!r)
		r = ext4_checkpoint(e);
	return r ? r : copies_write(e);
}

int ext4_grow(struct ext4 *e)
{
	u64 target = target_blocks(e), old = e->nblocks;
	struct vnode *v = NULL;
	int r = 0;

	if (target <= old)
		return 0;
	if (e->compat & EXT4_COMPAT_RESIZE_INODE)
		r = ext4_iget(e, RESIZE_INO, &v);
	const char *why = r ? NULL : refusal(e, v ? ext4_inode(v) : NULL);
	if (why)
		log_warn("ext4: the device is larger than the volume, which does not grow: %s", why);
	if (!r && !why) {
		u32 groups = (u32)DIV_ROUND_UP(target - e->first_block, (u64)e->blocks_per_group);
		mutex_lock(&e->meta);
		struct ext4_group *more = heap_realloc(e->groups, groups * sizeof *more);
		if (more)
			e->groups = more;
		mutex_unlock(&e->meta);
		r = more ? grow_steps(e, v ? ext4_inode(v) : NULL, target) : -ENOMEM;
	}
	if (v)
		vnode_put(v);
	if (!r && !why)
		log_info("ext4: grown from %lu to %lu MiB", (unsigned long)(old << e->block_bits >> 20), (unsigned long)(target << e->block_bits >> 20));
	return r;
}
