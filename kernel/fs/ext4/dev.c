/*
 * dev.c - whole blocks from and to the device, past every cache, and what happens when that fails or when
 * what was read makes no sense.
 *
 * What can fail: -EIO and what the driver says, -ENOMEM.
 */
#include "fs/ext4/ext4.h"

COUNTER(ext4_corrupt);
COUNTER(ext4_io_errors);

#define COMPLAINTS 20u                       /* a broken volume does not fill the log */

/* As Linux numbers errors in a superblock. */
static u8 error_code(int error)
{
	return error == -EIO ? 2 : error == -ENOMEM ? 3 : error == -EUCLEAN ? 5 : error == -ENOSPC ? 6 : 1;
}

/*
 * The superblock on the device says that there was an error, as far as the device still takes it: e2fsck looks at everything then.
 * So does the journal's, since a replay may bring an older superblock.
 */
static void error_mark(struct ext4 *e, u64 where, const char *what, int error)
{
	u8 *data = ext4_block_new();
	struct ext4_super *s = (struct ext4_super *)(void *)(data + EXT4_SB_OFFSET % e->block_size);
	struct timespec64 now;

	fs_now(&now);
	if (data && !ext4_dev_read(e, e->super_buf->block, data, 1) && s->magic == EXT4_MAGIC) {
		s->state |= EXT4_ERROR_FS;
		s->last_error_time = (u32)now.sec;
		s->last_error_time_hi = (u8)((u64)now.sec >> 32);
		s->last_error_ino = s->last_error_line = 0;
		s->last_error_block = where;
		s->last_error_errcode = error_code(error);
		str_copy((char *)s->last_error_func, what, sizeof s->last_error_func);
		if (!s->error_count++) {
			s->first_error_time = s->last_error_time;
			s->first_error_time_hi = s->last_error_time_hi;
			s->first_error_ino = s->first_error_line = 0;
			s->first_error_block = where;
			s->first_error_errcode = s->last_error_errcode;
			memcpy(s->first_error_func, s->last_error_func, sizeof s->first_error_func);
		}
		ext4_super_seal(e, s);
		if (!ext4_dev_write(e, e->super_buf->block, data, 1))
			(void)!blk_flush_sync(e->dev);
	}
	ext4_block_free(data);
	/* Who writes the journal's superblock just now finds out by himself. */
	bool ours = mutex_is_held(&e->j.commit_lock);
	if (!e->j.inode || (!ours && !mutex_trylock(&e->j.commit_lock)))
		return;
	e->j.sb.error = be32((u32)error);
	(void)!journal_super_write(e, be32(e->j.sb.start), be32(e->j.sb.sequence));
	if (!ours)
		mutex_unlock(&e->j.commit_lock);
}

/* The volume is only read from now on. Any context that may sleep. */
static void turn_readonly(struct ext4 *e, u64 where, const char *what, int error)
{
	bool told = __atomic_exchange_n(&e->failed, true, __ATOMIC_SEQ_CST), writable = !e->m.readonly;

	e->m.readonly = true;
	if (told || !e->m.path[0])
		return;
	if (writable)
		error_mark(e, where, what, error);
	WRITE_ONCE(e->m.failed, FS_FAILED);
	ext4_wake_thread(e);
	if (fs_failed_hook)
		fs_failed_hook(&e->m, what, error);
}

int ext4_corrupted(struct ext4 *e, u64 where, const char *what)
{
	counter_bump(ext4_corrupt);
	if (e->complaints++ < COMPLAINTS)
		log_error("ext4: %s: %s (at %lu); the volume is read-only now", e->m.path[0] ? e->m.path : "volume", what, (unsigned long)where);
	turn_readonly(e, where, what, -EUCLEAN);
	return -EUCLEAN;
}

int ext4_fail(struct ext4 *e, const char *what, int error)
{
	if (!e->failed)
		log_error("ext4: %s: %s failed (%d); the volume is read-only now", e->m.path[0] ? e->m.path : "volume", what, error);
	counter_bump(ext4_io_errors);
	turn_readonly(e, 0, what, error);
	return -EIO;
}

bool ext4_block_valid(const struct ext4 *e, u64 block, u64 count)
{
	return block > 0 && block >= e->first_block && block < e->nblocks && count <= e->nblocks - block;
}

static u8 *block_alloc(unsigned flags)
{
	struct page *p = page_alloc(0, flags);

	if (!p && vm_reclaim(32))
		p = page_alloc(0, flags);
	return p ? page_to_virt(p) : NULL;
}

u8 *ext4_block_new(void) { return block_alloc(PAGE_ZERO); }
u8 *ext4_block_raw(void) { return block_alloc(0); }

void ext4_block_free(u8 *block)
{
	if (block)
		page_put(virt_to_page(block));
}

static u64 sector_of(const struct ext4 *e, u64 block)
{
	return (e->dev_off + (block << e->block_bits)) >> 9;
}

int ext4_dev_read(struct ext4 *e, u64 block, void *data, unsigned nblocks)
{
	int r = blk_rw_sync(e->dev, BLK_READ, sector_of(e, block), data, (size_t)nblocks << e->block_bits);

	if (r)
		counter_bump(ext4_io_errors);
	return r;
}

int ext4_dev_write(struct ext4 *e, u64 block, void *data, unsigned nblocks)
{
	return blk_rw_sync(e->dev, BLK_WRITE, sector_of(e, block), data, (size_t)nblocks << e->block_bits);
}

int ext4_dev_discard(struct ext4 *e, u64 block, u64 nblocks)
{
	return blk_discard_sync(e->dev, sector_of(e, block), nblocks << (e->block_bits - 9));
}

int ext4_dev_write_many(struct ext4 *e, const u64 *blocks, u8 *const *data, unsigned n)
{
	struct blk_piece pieces[EXT4_WRITE_MANY];

	while (n) {
		unsigned k = MIN(n, EXT4_WRITE_MANY);
		for (unsigned at = 0; at < k; at++)
			pieces[at] = (struct blk_piece){ sector_of(e, blocks[at]), data[at], e->block_size };
		int r = blk_write_pieces_sync(e->dev, pieces, k);
		if (r)
			return r;
		blocks += k;
		data += k;
		n -= k;
	}
	return 0;
}
