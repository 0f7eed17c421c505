/*
 * group.c - block groups: descriptors, where they lie, bitmaps and their checksums.
 *
 * Descriptors are read once at mount into e->groups; changes are marked there and put into the
 * descriptors' buffers when the transaction is closed (ext4_groups_flush).
 * A bitmap that fails its check makes its group unusable for allocation, nothing else.
 *
 * Under M. What can fail: -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

/* ---- Geometry ---- */

u64 ext4_group_first(const struct ext4 *e, u32 g)
{
	return e->first_block + (u64)g * e->blocks_per_group;
}

u32 ext4_group_blocks(const struct ext4 *e, u32 g)
{
	u64 left = e->nblocks - ext4_group_first(e, g);

	return (u32)MIN(left, (u64)e->blocks_per_group);
}

static bool is_power_of(u32 n, u32 base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

bool ext4_group_has_super(const struct ext4 *e, u32 g)
{
	if (g == 0)
		return true;
	if (e->compat & EXT4_COMPAT_SPARSE_SUPER2)
		return g == e->super->backup_bgs[0] || g == e->super->backup_bgs[1];
	if (!(e->ro_compat & EXT4_RO_SPARSE_SUPER) || g == 1)
		return true;
	return g % 2 && (is_power_of(g, 3) || is_power_of(g, 5) || is_power_of(g, 7));
}

u32 ext4_descs_a_block(const struct ext4 *e) { return e->block_size / e->desc_size; }
u32 ext4_desc_blocks(const struct ext4 *e) { return (u32)DIV_ROUND_UP(e->ngroups, ext4_descs_a_block(e)); }

u32 ext4_group_base(const struct ext4 *e, u32 g)
{
	u32 per = ext4_descs_a_block(e), meta = g / per;
	bool has = ext4_group_has_super(e, g);

	if (!(e->incompat & EXT4_INCOMPAT_META_BG) || meta < e->super->first_meta_bg)
		return has ? 1 + (e->incompat & EXT4_INCOMPAT_META_BG ? e->super->first_meta_bg : ext4_desc_blocks(e)) + e->super->reserved_gdt_blocks : 0;
	u32 place = g % per;
	return (has ? 1 : 0) + (place == 0 || place == 1 || place == per - 1 ? 1 : 0);
}

/* The block that holds the descriptors of group g. */
u64 ext4_desc_block(const struct ext4 *e, u32 g)
{
	u32 per = ext4_descs_a_block(e), n = g / per;

	if (!(e->incompat & EXT4_INCOMPAT_META_BG) || n < e->super->first_meta_bg)
		return (EXT4_SB_OFFSET >> e->block_bits) + 1 + n;
	u32 first = n * per;
	return ext4_group_first(e, first) + (ext4_group_has_super(e, first) ? 1 : 0);
}

/* ---- Descriptors ---- */

static void desc_read(const struct ext4 *e, const struct ext4_group_desc *raw, struct ext4_group *g)
{
	struct ext4_group_desc d = { 0 };

	memcpy(&d, raw, MIN(e->desc_size, (u32)sizeof d));
	g->block_bitmap = d.block_bitmap_lo | (u64)d.block_bitmap_hi << 32;
	g->inode_bitmap = d.inode_bitmap_lo | (u64)d.inode_bitmap_hi << 32;
	g->inode_table = d.inode_table_lo | (u64)d.inode_table_hi << 32;
	g->free_blocks = d.free_blocks_lo | (u32)d.free_blocks_hi << 16;
	g->free_inodes = d.free_inodes_lo | (u32)d.free_inodes_hi << 16;
	g->used_dirs = d.used_dirs_lo | (u32)d.used_dirs_hi << 16;
	g->itable_unused = d.itable_unused_lo | (u32)d.itable_unused_hi << 16;
	g->flags = d.flags;
	if (!e->csum && !e->gdt_csum) {
		g->flags = 0;
		g->itable_unused = 0;
	}
}

static bool desc_sane(const struct ext4 *e, u32 n, const struct ext4_group *g)
{
	return ext4_block_valid(e, g->block_bitmap, 1) && ext4_block_valid(e, g->inode_bitmap, 1) && ext4_block_valid(e, g->inode_table, e->itable_blocks) &&
	       g->free_blocks <= ext4_group_blocks(e, n) && g->free_inodes <= e->inodes_per_group && g->itable_unused <= e->inodes_per_group &&
	       g->used_dirs <= e->inodes_per_group;
}

int ext4_groups_load(struct ext4 *e, bool strict)
{
	struct ext4_buf *b = NULL;
	u64 free_blocks = 0;
	u32 free_inodes = 0;
	int r = 0;

	heap_free(e->groups);
	e->groups = heap_alloc_array(e->ngroups, sizeof *e->groups);
	if (!e->groups)
		return -ENOMEM;
	mutex_lock(&e->meta);
	for (u32 n = 0; n < e->ngroups && !r; n++) {
		if (n % ext4_descs_a_block(e) == 0) {
			if (b)
				buf_put(e, b);
			b = NULL;
			r = buf_read(e, ext4_desc_block(e, n), &b);
			if (r)
				break;
		}
		struct ext4_group_desc *d = (struct ext4_group_desc *)(void *)(b->data + n % ext4_descs_a_block(e) * e->desc_size);
		if (strict && (e->csum || e->gdt_csum) && d->checksum != ext4_group_csum(e, n, d))
			r = ext4_corrupted(e, n, "checksum of a group descriptor");
		desc_read(e, d, &e->groups[n]);
		if (!r && strict && !desc_sane(e, n, &e->groups[n]))
			r = ext4_corrupted(e, n, "group descriptor");
		free_blocks += e->groups[n].free_blocks;
		free_inodes += e->groups[n].free_inodes;
	}
	if (b)
		buf_put(e, b);
	/* The groups are right where the superblock lags behind, as Linux leaves it. */
	e->free_blocks = free_blocks;
	e->free_inodes = free_inodes;
	mutex_unlock(&e->meta);
	return r;
}

static u32 bitmap_csum(const struct ext4 *e, const u8 *map, bool inodes)
{
	return ext4_crc32c(e->csum_seed, map, (inodes ? e->inodes_per_group : e->blocks_per_group) / 8);
}

/* Put the checksum of a bitmap into its descriptor. The bitmap was changed in this transaction, so it is in memory. */
static int bitmap_csum_store(struct ext4 *e, u32 n, struct ext4_group_desc *d, bool inodes)
{
	struct ext4_group *g = &e->groups[n];
	struct ext4_buf *b;
	int r = buf_read(e, inodes ? g->inode_bitmap : g->block_bitmap, &b);

	if (r)
		return r;
	u32 crc = bitmap_csum(e, b->data, inodes);

	buf_put(e, b);
	*(inodes ? &d->inode_bitmap_csum_lo : &d->block_bitmap_csum_lo) = (u16)crc;
	if (e->desc_size >= 64)
		*(inodes ? &d->inode_bitmap_csum_hi : &d->block_bitmap_csum_hi) = (u16)(crc >> 16);
	g->stale[inodes] = false;
	return 0;
}

static int desc_store(struct ext4 *e, u32 n)
{
	struct ext4_group *g = &e->groups[n];
	struct ext4_buf *b;
	int r = buf_read(e, ext4_desc_block(e, n), &b);

	if (r)
		return r;
	struct ext4_group_desc *d = (struct ext4_group_desc *)(void *)(b->data + n % ext4_descs_a_block(e) * e->desc_size);
	d->block_bitmap_lo = (u32)g->block_bitmap;
	d->inode_bitmap_lo = (u32)g->inode_bitmap;
	d->inode_table_lo = (u32)g->inode_table;
	d->free_blocks_lo = (u16)g->free_blocks;
	d->free_inodes_lo = (u16)g->free_inodes;
	d->used_dirs_lo = (u16)g->used_dirs;
	for (unsigned inodes = 0; inodes < 2 && !r; inodes++)
		if (g->stale[inodes])
			r = bitmap_csum_store(e, n, d, inodes);
	if (e->csum || e->gdt_csum) {
		d->itable_unused_lo = (u16)g->itable_unused;
		d->flags = g->flags;
	}
	if (e->desc_size >= 64) {
		d->block_bitmap_hi = (u32)(g->block_bitmap >> 32);
		d->inode_bitmap_hi = (u32)(g->inode_bitmap >> 32);
		d->inode_table_hi = (u32)(g->inode_table >> 32);
		d->free_blocks_hi = (u16)(g->free_blocks >> 16);
		d->free_inodes_hi = (u16)(g->free_inodes >> 16);
		d->used_dirs_hi = (u16)(g->used_dirs >> 16);
		d->itable_unused_hi = (u16)(g->itable_unused >> 16);
	}
	if (e->csum || e->gdt_csum)
		d->checksum = ext4_group_csum(e, n, d);
	buf_dirty(e, b);
	buf_put(e, b);
	g->dirty = false;
	return r;
}

int ext4_groups_flush(struct ext4 *e)
{
	if (!e->super_dirty)
		return 0;
	for (u32 n = 0; n < e->ngroups; n++) {
		int r = e->groups[n].dirty ? desc_store(e, n) : 0;
		if (r)
			return r;
	}
	ext4_super_store(e);
	e->super_dirty = false;
	return 0;
}

/* ---- Bitmaps ---- */

static void bits_set(u8 *map, u64 from, u64 to)
{
	for (u64 k = from; k < to; k++)
		map[k / 8] |= (u8)(1u << k % 8);
}

/* The parts of [first, first + count) that lie in the group whose first block is base. */
static void mark(const struct ext4 *e, u8 *map, u64 base, u32 blocks, u64 first, u64 count)
{
	u64 from = MAX(first, base), to = MIN(first + count, base + blocks);

	if (from < to)
		bits_set(map, from - base, to - base);
}

/* A bitmap that was never written: what mke2fs put into the group is in use. */
static void block_bitmap_make(struct ext4 *e, u32 n, u8 *map)
{
	struct ext4_group *g = &e->groups[n];
	u64 base = ext4_group_first(e, n);
	u32 blocks = ext4_group_blocks(e, n);

	memset(map, 0, e->block_size);
	bits_set(map, 0, MIN(ext4_group_base(e, n), blocks));
	mark(e, map, base, blocks, g->block_bitmap, 1);
	mark(e, map, base, blocks, g->inode_bitmap, 1);
	mark(e, map, base, blocks, g->inode_table, e->itable_blocks);
	bits_set(map, blocks, (u64)e->block_size * 8);
}

static int bitmap_csum_check(struct ext4 *e, u32 n, const u8 *map, bool inodes, bool *ret_ok)
{
	struct ext4_buf *b;
	u32 crc = bitmap_csum(e, map, inodes), have;
	int r = buf_read(e, ext4_desc_block(e, n), &b);

	if (r)
		return r;
	const struct ext4_group_desc *d = (const struct ext4_group_desc *)(const void *)(b->data + n % ext4_descs_a_block(e) * e->desc_size);
	have = inodes ? d->inode_bitmap_csum_lo : d->block_bitmap_csum_lo;
	if (e->desc_size >= 64)
		have |= (u32)(inodes ? d->inode_bitmap_csum_hi : d->block_bitmap_csum_hi) << 16;
	else
		crc &= 0xffff;
	buf_put(e, b);
	*ret_ok = crc == have;
	return 0;
}

/* Read and check, or make, a bitmap. */
static int bitmap_get(struct ext4 *e, u32 n, bool inodes, struct ext4_buf **ret)
{
	struct ext4_group *g = &e->groups[n];
	u64 block = inodes ? g->inode_bitmap : g->block_bitmap;
	u16 uninit = inodes ? EXT4_BG_INODE_UNINIT : EXT4_BG_BLOCK_UNINIT;
	struct ext4_buf *b;
	bool ok = true;
	int r;

	if (g->bad)
		return -EUCLEAN;
	if (g->flags & uninit) {
		r = buf_new(e, block, &b);
		if (r)
			return r;
		if (inodes)
			bits_set(b->data, e->inodes_per_group, (u64)e->block_size * 8);
		else
			block_bitmap_make(e, n, b->data);
		*ret = b;
		return 0;
	}
	r = buf_read(e, block, &b);
	if (!r && e->csum && b->checked != BUF_BITMAP) {
		r = bitmap_csum_check(e, n, b->data, inodes, &ok);
		b->checked = !r && ok ? BUF_BITMAP : 0;
		if (r || !ok)
			buf_put(e, b);
	}
	if (!r && !ok) {
		g->bad = true;
		counter_bump(ext4_corrupt);
		log_error("ext4: checksum of a bitmap of group %u is wrong; nothing is allocated there", n);
		r = -EUCLEAN;
	}
	if (!r)
		*ret = b;
	return r;
}

int ext4_block_bitmap(struct ext4 *e, u32 g, struct ext4_buf **ret) { return bitmap_get(e, g, false, ret); }
int ext4_inode_bitmap(struct ext4 *e, u32 g, struct ext4_buf **ret) { return bitmap_get(e, g, true, ret); }

/* The descriptor's block is of this transaction from now on, as the log's room is counted; what is in it follows when that is closed. */
static int desc_dirty(struct ext4 *e, u32 n)
{
	struct ext4_buf *b;
	int r = buf_read(e, ext4_desc_block(e, n), &b);

	if (r)
		return r;
	buf_dirty(e, b);
	buf_put(e, b);
	return 0;
}

void ext4_bitmap_changed(struct ext4 *e, u32 n, struct ext4_buf *b, bool inodes)
{
	struct ext4_group *g = &e->groups[n];

	g->flags &= (u16)~(inodes ? EXT4_BG_INODE_UNINIT : EXT4_BG_BLOCK_UNINIT);
	g->dirty = true;
	e->super_dirty = true;
	buf_dirty(e, b);
	b->checked = BUF_BITMAP;
	g->stale[inodes] = e->csum;
	if (e->csum && desc_dirty(e, n))
		(void)ext4_fail(e, "group descriptor", -EIO);
}
