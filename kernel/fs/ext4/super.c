/*
 * super.c - mounting and unmounting a volume: the superblock, what features mean, statfs, sync.
 *
 * A volume is mounted for writing only if every feature that writers must know is known here; otherwise read-only
 * where that is safe, else not at all. While it is written the superblock says that the journal is
 * needed (RECOVER); after a clean end it does not.
 *
 * What can fail: -EINVAL (no ext4), -EUCLEAN (a broken superblock), -EOPNOTSUPP (features), -EIO, -ENOMEM, -EROFS.
 */
#include "fs/ext4/ext4.h"
#include "fs/ext4/mount.h"

#define INCOMPAT_KNOWN (EXT4_INCOMPAT_FILETYPE | EXT4_INCOMPAT_RECOVER | EXT4_INCOMPAT_META_BG | EXT4_INCOMPAT_EXTENTS | EXT4_INCOMPAT_64BIT | \
			EXT4_INCOMPAT_FLEX_BG | EXT4_INCOMPAT_CSUM_SEED | EXT4_INCOMPAT_LARGEDIR)
#define RO_KNOWN (EXT4_RO_SPARSE_SUPER | EXT4_RO_LARGE_FILE | EXT4_RO_HUGE_FILE | EXT4_RO_GDT_CSUM | EXT4_RO_DIR_NLINK | EXT4_RO_EXTRA_ISIZE | \
		  EXT4_RO_METADATA_CSUM)
#define RESERVE_BLOCKS 64u                   /* kept for trees and directories: conversions of written extents must not fail */

static const struct { u32 bit; const char *name; } incompat_names[] = {
	{ EXT4_INCOMPAT_JOURNAL_DEV, "journal_dev" }, { EXT4_INCOMPAT_MMP, "mmp" }, { EXT4_INCOMPAT_EA_INODE, "ea_inode" },
	{ EXT4_INCOMPAT_INLINE_DATA, "inline_data" }, { EXT4_INCOMPAT_ENCRYPT, "encrypt" }, { EXT4_INCOMPAT_CASEFOLD, "casefold" },
};
static const struct { u32 bit; const char *name; } ro_names[] = {
	{ EXT4_RO_QUOTA, "quota" }, { EXT4_RO_BIGALLOC, "bigalloc" }, { EXT4_RO_PROJECT, "project" }, { EXT4_RO_VERITY, "verity" },
	{ EXT4_RO_READONLY, "read-only" }, { EXT4_RO_ORPHAN_PRESENT, "orphan_present" },
};

const char *fs_ext4_lacks = "unknown features";

static u32 super_csum(const struct ext4_super *s)
{
	return ext4_crc32c(~0u, s, offsetof(struct ext4_super, checksum));
}

/* ---- Reading the superblock ---- */

static int features_check(struct ext4 *e)
{
	u32 unknown = e->incompat & ~(u32)INCOMPAT_KNOWN;

	if (unknown) {
		for (unsigned k = 0; k < ARRAY_SIZE(incompat_names); k++)
			if (unknown & incompat_names[k].bit)
				fs_ext4_lacks = incompat_names[k].name;
		log_error("ext4: not mounted: features %x", unknown);
		return -EOPNOTSUPP;
	}
	unknown = e->ro_compat & ~(u32)RO_KNOWN;
	if (!unknown || e->m.readonly)
		return 0;
	for (unsigned k = 0; k < ARRAY_SIZE(ro_names); k++)
		if (unknown & ro_names[k].bit)
			log_warn("ext4: the volume uses %s, which this kernel cannot write", ro_names[k].name);
	log_warn("ext4: mounted read-only: features %x", unknown);
	e->m.readonly = true;
	return 0;
}

/* Geometry: every number is checked before it is used. */
static int geometry_check(struct ext4 *e, const struct ext4_super *s)
{
	bool wide = s->feature_incompat & EXT4_INCOMPAT_64BIT;
	bool clusters = e->ro_compat & EXT4_RO_BIGALLOC;     /* then it is only read, and bitmaps are never */

	if (s->log_block_size > 2) {         /* a block must fit into a page */
		fs_ext4_lacks = "blocks of more than 4 KiB";
		return -EOPNOTSUPP;
	}
	if (clusters && !s->log_block_size) {    /* block 0 is then counted, otherwise than everywhere else */
		fs_ext4_lacks = "bigalloc with blocks of 1 KiB";
		return -EOPNOTSUPP;
	}
	if (s->log_cluster_size != s->log_block_size && !clusters)
		return -EUCLEAN;
	e->block_bits = 10 + s->log_block_size;
	e->block_size = 1u << e->block_bits;
	e->nblocks = s->blocks_count_lo | (wide ? (u64)s->blocks_count_hi << 32 : 0);
	e->free_blocks = s->free_blocks_lo | (wide ? (u64)s->free_blocks_hi << 32 : 0);
	e->inode_size = s->rev_level ? s->inode_size : 128;
	e->desc_size = wide ? s->desc_size : 32;
	e->blocks_per_group = s->blocks_per_group;
	e->inodes_per_group = s->inodes_per_group;
	e->first_block = s->first_data_block;
	e->ninodes = s->inodes_count;
	e->free_inodes = s->free_inodes;
	if (e->first_block != (e->block_size == 1024 ? 1u : 0u) || e->nblocks <= e->first_block || e->nblocks > 1ull << 48)
		return -EUCLEAN;
	if (e->blocks_per_group < 8 || (e->blocks_per_group > e->block_size * 8 && !clusters) || e->blocks_per_group % 8 || e->inodes_per_group < 8 ||
	    e->inodes_per_group > e->block_size * 8 || e->inodes_per_group % 8)
		return -EUCLEAN;
	if (e->inode_size < 128 || e->inode_size > e->block_size || !IS_POW2(e->inode_size) || e->desc_size < 32 || e->desc_size > e->block_size ||
	    !IS_POW2(e->desc_size) || (wide && e->desc_size < 64))
		return -EUCLEAN;
	u64 groups = DIV_ROUND_UP(e->nblocks - e->first_block, (u64)e->blocks_per_group);
	e->itable_blocks = (u32)DIV_ROUND_UP((u64)e->inodes_per_group * e->inode_size, e->block_size);
	if (groups > 1u << 24 || groups * e->inodes_per_group != e->ninodes || e->free_blocks > e->nblocks || e->free_inodes > e->ninodes)
		return -EUCLEAN;
	e->ngroups = (u32)groups;
	/* The device must hold what the superblock promises. */
	return e->nblocks << e->block_bits > e->dev->nsectors * 512 - e->dev_off ? -EUCLEAN : 0;
}

static int super_check(struct ext4 *e, const struct ext4_super *s)
{
	if (s->magic != EXT4_MAGIC)
		return -EINVAL;
	if (s->rev_level > 1)
		return -EOPNOTSUPP;
	e->compat = s->rev_level ? s->feature_compat : 0;
	e->incompat = s->rev_level ? s->feature_incompat : 0;
	e->ro_compat = s->rev_level ? s->feature_ro_compat : 0;
	e->csum = e->ro_compat & EXT4_RO_METADATA_CSUM;
	e->gdt_csum = !e->csum && e->ro_compat & EXT4_RO_GDT_CSUM;
	if (e->csum && (s->checksum_type != 1 || s->checksum != super_csum(s))) {
		/* Of a volume in use half of a write may be there. The journal has it whole; and all that it says is checked against the descriptors. */
		if (s->checksum_type != 1 || !(e->incompat & EXT4_INCOMPAT_RECOVER) || !(e->compat & EXT4_COMPAT_HAS_JOURNAL)) {
			log_error("ext4: the superblock's checksum is wrong; e2fsck may repair the volume");
			return -EUCLEAN;
		}
		log_warn("ext4: the superblock was being written when the volume was last used");
	}
	int r = features_check(e);
	if (!r)
		r = geometry_check(e, s);
	if (r == -EUCLEAN)
		log_error("ext4: the superblock makes no sense; e2fsck may repair the volume");
	e->csum_seed = e->incompat & EXT4_INCOMPAT_CSUM_SEED ? s->checksum_seed : ext4_crc32c(~0u, s->uuid, 16);
	memcpy(e->hash_seed, s->hash_seed, sizeof e->hash_seed);
	e->hash_version = s->def_hash_version;
	e->hash_unsigned = s->flags & 2;
	return r;
}

/* Read and check the superblock, before anything else of the volume is known. */
static int super_read(struct ext4 *e)
{
	u8 *s = ext4_block_new();
	int r = s ? 0 : -ENOMEM;

	if (!r && e->dev->nsectors * 512 < e->dev_off + 8192)
		r = -EINVAL;
	if (!r)
		r = blk_rw_sync(e->dev, BLK_READ, e->dev_off >> 9, s, 4096);
	if (!r)
		r = super_check(e, (struct ext4_super *)(void *)(s + EXT4_SB_OFFSET));
	ext4_block_free(s);
	return r;
}

/* The superblock's buffer, kept for as long as the volume is mounted. */
static int super_hold(struct ext4 *e)
{
	u64 block = EXT4_SB_OFFSET >> e->block_bits;
	struct ext4_buf *b = NULL;

	mutex_lock(&e->meta);
	/* Block 0 is no block that anything else may name: buf_read would refuse it. */
	int r = block ? buf_read(e, block, &b) : buf_read_super(e, &b);
	mutex_unlock(&e->meta);
	if (r)
		return r;
	e->super_buf = b;
	e->super = (struct ext4_super *)(void *)(b->data + EXT4_SB_OFFSET % e->block_size);
	return super_check(e, e->super);
}

void ext4_super_seal(const struct ext4 *e, struct ext4_super *s)
{
	if (e->csum)
		s->checksum = super_csum(s);
}

void ext4_super_store(struct ext4 *e)
{
	struct ext4_super *s = e->super;
	struct timespec64 now;

	fs_now(&now);
	s->free_blocks_lo = (u32)e->free_blocks;
	if (e->incompat & EXT4_INCOMPAT_64BIT)
		s->free_blocks_hi = (u32)(e->free_blocks >> 32);
	s->free_inodes = e->free_inodes;
	s->wtime = (u32)now.sec;
	s->wtime_hi = (u8)((u64)now.sec >> 32);
	ext4_super_seal(e, s);
	buf_dirty(e, e->super_buf);
}

/* The superblock at once, past the journal: before the first and after the last transaction. */
static int super_write(struct ext4 *e)
{
	ext4_super_seal(e, e->super);
	int r = ext4_dev_write(e, e->super_buf->block, e->super_buf->data, 1);

	return r ? r : blk_flush_sync(e->dev);
}

/* ---- Mounting ---- */

static int ext4_statfs(struct mount *m, struct fs_statfs *ret)
{
	struct ext4 *e = container_of(m, struct ext4, m);
	u64 overhead = e->first_block;

	mutex_lock(&e->meta);
	for (u32 g = 0; g < e->ngroups; g++)
		overhead += 2 + e->itable_blocks + ext4_group_base(e, g);
	if (e->j.inode)
		overhead += e->j.inode->v.size >> e->block_bits;
	ret->type = EXT4_MAGIC;
	ret->bsize = e->block_size;
	ret->blocks = e->nblocks - MIN(overhead, e->nblocks);
	ret->bfree = e->free_blocks;
	/* What mke2fs keeps for root is the one program's too. */
	ret->bavail = e->free_blocks > e->reserved ? e->free_blocks - e->reserved : 0;
	ret->files = e->ninodes;
	ret->ffree = e->free_inodes;
	ret->namelen = EXT4_NAME_MAX;
	mutex_unlock(&e->meta);
	return 0;
}

static int ext4_sync(struct mount *m)
{
	struct ext4 *e = container_of(m, struct ext4, m);

	if (m->readonly)
		return 0;
	int r = ext4_write_dirty(e, 0), c = ext4_commit_now(e);
	ext4_discard_freed(e);
	return r ? r : c;
}

static void ext4_init(struct ext4 *e, struct blkdev *d, u64 off, u32 flags)
{
	mount_init(&e->m, "ext4");
	e->m.readonly = flags & FS_MOUNT_RDONLY || d->readonly;
	e->discard = flags & FS_MOUNT_DISCARD && !e->m.readonly;
	e->m.statfs = ext4_statfs;
	e->m.sync = ext4_sync;
	e->m.finish = ext4_finish;
	e->dev = d;
	e->dev_off = off;
	mutex_init(&e->meta);
	mutex_init(&e->discard_lock);
	spin_init(&e->icache_lock);
	waitq_init(&e->icache_waitq);
	for (unsigned k = 0; k < ARRAY_SIZE(e->icache); k++)
		list_init(&e->icache[k]);
	list_init(&e->dirty);
	list_init(&e->orphans);
	list_init(&e->j.logged);
	list_init(&e->j.checkpoint);
	list_init(&e->j.ended);
	mutex_init(&e->j.commit_lock);
	waitq_init(&e->j.waitq);
	journal_txn_init(&e->j.running, 1);
	e->max_bufs = (unsigned)MAX((u64)256, page_total_count() / 32);
	e->generation = (u32)arch_clock_mono_ns();
}

/* Begin to write: the journal runs, the superblock says so, orphans of the last time are gone. */
static int writing_begin(struct ext4 *e)
{
	struct timespec64 now;

	fs_now(&now);
	e->super->mtime = (u32)now.sec;
	e->super->mnt_count++;
	if (e->j.inode)
		e->super->feature_incompat |= EXT4_INCOMPAT_RECOVER;
	else
		e->super->state &= (u16)~EXT4_VALID_FS;
	e->reserved = MIN((u64)RESERVE_BLOCKS, e->nblocks / 64);
	int r = super_write(e);
	if (!r)
		r = journal_start(e);
	if (!r)
		r = ext4_orphans_recover(e);
	if (!r)
		r = ext4_grow(e);
	return r;
}

#define ERRORS_LEN (offsetof(struct ext4_super, mount_opts) - offsetof(struct ext4_super, error_count))

/* The superblock after a replay, which may be older than what was said about errors. */
static int super_hold_again(struct ext4 *e)
{
	u8 errors[ERRORS_LEN], more[4];
	u16 state = e->super->state;

	memcpy(errors, &e->super->error_count, ERRORS_LEN);
	memcpy(more, &e->super->first_error_time_hi, sizeof more);
	e->super_buf = NULL;
	buf_drop_all(e);
	int r = super_hold(e);
	if (r || !(state & EXT4_ERROR_FS))
		return r;
	e->super->state |= EXT4_ERROR_FS;
	memcpy(&e->super->error_count, errors, ERRORS_LEN);
	memcpy(&e->super->first_error_time_hi, more, sizeof more);
	return 0;
}

/* Replay what a journal holds, then read the superblock that came with it. */
static int journal_use(struct ext4 *e)
{
	int r = journal_open(e);

	if (!r && e->j.sb.error)
		e->super->state |= EXT4_ERROR_FS;

	if (r || !e->j.sb.start)
		return r ? r : ext4_groups_load(e, true);
	if (e->dev->readonly) {
		log_error("ext4: the journal must be replayed and the device is read-only");
		return -EROFS;
	}
	r = journal_recover(e);
	if (r)
		return r;
	/* Everything that was read before the replay is old. */
	struct ext4_journal j = e->j;
	vnode_put(&j.inode->v);
	heap_free(j.map);
	e->j.inode = NULL;
	e->j.map = NULL;
	r = super_hold_again(e);
	if (!r)
		r = ext4_groups_load(e, true);
	return r ? r : journal_open(e);
}

static int volume_open(struct ext4 *e)
{
	struct vnode *root;
	int r = super_read(e);

	if (!r)
		r = super_hold(e);
	if (!r)
		r = ext4_groups_load(e, !(e->compat & EXT4_COMPAT_HAS_JOURNAL));
	if (!r && e->compat & EXT4_COMPAT_HAS_JOURNAL)
		r = journal_use(e);
	if (!r && !(e->compat & EXT4_COMPAT_HAS_JOURNAL) && e->incompat & EXT4_INCOMPAT_RECOVER)
		r = -EUCLEAN;
	if (!r && e->super->state & EXT4_ERROR_FS)
		log_warn("ext4: the volume had errors; e2fsck should see it");
	if (!r && !e->m.readonly)
		r = writing_begin(e);
	if (!r)
		r = ext4_iget(e, EXT4_ROOT_INO, &root);
	if (r)
		return r;
	e->m.root = root;
	if (root->type != VNODE_DIR || !ext4_inode(root)->nlink)
		return ext4_corrupted(e, EXT4_ROOT_INO, "the root is no directory");
	return 0;
}

static void volume_free(struct ext4 *e)
{
	journal_close(e);
	if (e->m.root)
		vnode_put(e->m.root);
	mutex_lock(&e->meta);
	ext4_release_freed(e, ~0u);
	buf_drop_all(e);
	mutex_unlock(&e->meta);
	heap_free(e->groups);
	heap_free(e);
}

int ext4_open(struct blkdev *d, u64 off, u32 flags, struct mount **ret)
{
	struct ext4 *e = heap_alloc(sizeof *e);

	if (!e)
		return -ENOMEM;
	ext4_init(e, d, off, flags);
	int r = volume_open(e);
	if (r) {
		e->failed = true;
		volume_free(e);
		return r;
	}
	*ret = &e->m;
	return 0;
}

/* Everything is written, the log is empty and the superblock says so. */
static int writing_end(struct ext4 *e)
{
	int r = ext4_write_dirty(e, 0);

	if (!r)
		r = ext4_orphans_finish(e);
	ext4_trim_all(e);
	if (!r)
		r = ext4_commit_now(e);
	if (!r)
		r = ext4_commit_now(e);          /* files that wrote while the first ran */
	if (!r)
		r = ext4_checkpoint(e);
	if (r || e->failed)
		return r ? r : -EIO;
	ext4_discard_freed(e);
	e->super->feature_incompat &= ~(u32)EXT4_INCOMPAT_RECOVER;
	if (!e->j.inode)
		e->super->state |= EXT4_VALID_FS;
	return super_write(e);
}

int ext4_finish(struct mount *m)
{
	struct ext4 *e = container_of(m, struct ext4, m);
	int r = 0;

	journal_stop(e);
	if (!m->readonly)
		r = writing_end(e);
	m->readonly = true;
	/* Files that wait to be written hold references. */
	if (r || e->failed) {
		e->failed = true;
		ext4_forget_changes(e);
	}
	return r;
}

int ext4_close(struct mount *m)
{
	int r = ext4_finish(m);

	vm_readahead_drain();
	volume_free(container_of(m, struct ext4, m));
	return r;
}

int fs_mount_ext4(struct blkdev *d, const char *path, u32 flags)
{
	struct mount *m;
	int r = ext4_open(d, 0, flags, &m);

	if (r)
		return r;
	r = mount_attach(m, path);
	if (r)
		(void)ext4_close(m);
	return r;
}
