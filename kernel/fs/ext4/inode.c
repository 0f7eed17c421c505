/*
 * inode.c - inodes: from the table into memory and back, the cache of those in memory, attributes, deletion.
 *
 * One ext4_inode for each inode number in use; it is found by number (icache) without a reference, and
 * goes when its last reference does. A file with dirty pages, or on a transaction's list, has a reference
 * more, so what goes is clean.
 *
 * Invariants:
 *  (I1) Fields that lie on disk change under M, in a transaction, and are stored (ext4_inode_store) before M is let go.
 *  (I2) v.size and the inode on disk agree except while a file is being written (file.c).
 *
 * What can fail: -EIO, -ENOMEM, -EUCLEAN (a broken inode: the volume turns read-only), -ESTALE (a free inode).
 */
#include "fs/ext4/ext4.h"

/* ---- Where an inode lies ---- */

/* fresh: nothing in the inode's block is in use, so it need not be read. */
static int inode_table_get(struct ext4 *e, u32 ino, bool fresh, struct ext4_buf **ret_buf, struct ext4_dinode **ret)
{
	u32 g = (ino - 1) / e->inodes_per_group, at = (ino - 1) % e->inodes_per_group;
	u64 byte = (u64)at * e->inode_size;

	if (ino == 0 || ino > e->ninodes)
		return ext4_corrupted(e, ino, "inode number beyond the volume");
	int r = (fresh ? buf_new : buf_read)(e, e->groups[g].inode_table + (byte >> e->block_bits), ret_buf);
	if (!r)
		*ret = (struct ext4_dinode *)(void *)((*ret_buf)->data + byte % e->block_size);
	return r;
}

int ext4_inode_table_read(struct ext4 *e, u32 ino, struct ext4_buf **ret_buf, struct ext4_dinode **ret)
{
	return inode_table_get(e, ino, false, ret_buf, ret);
}

/* ---- Times: seconds since 1970 with two bits more, and nanoseconds ---- */

static void time_load(const struct ext4 *e, const struct ext4_dinode *d, size_t extra_at, u32 sec, u32 extra, struct timespec64 *ret)
{
	ret->sec = (s32)sec;
	ret->nsec = 0;
	if (e->inode_size > 128 && extra_at + 4 <= 128u + d->extra_isize) {
		ret->sec += (s64)(extra & 3) << 32;
		ret->nsec = extra >> 2 < NSEC_PER_SEC ? extra >> 2 : 0;
	}
}

#define TIME_LOAD(e, d, name, ret) time_load(e, d, offsetof(struct ext4_dinode, name##_extra), (d)->name, (e)->inode_size > 128 ? (d)->name##_extra : 0, ret)

static void time_store(const struct ext4_inode *i, size_t extra_at, u32 *sec, u32 *extra, const struct timespec64 *t)
{
	*sec = (u32)t->sec;
	if (extra && extra_at + 4 <= 128u + i->extra_isize)
		*extra = (u32)((t->sec - (s32)t->sec) >> 32 & 3) | t->nsec << 2;
}

#define TIME_STORE(e, i, d, name, t) \
	time_store(i, offsetof(struct ext4_dinode, name##_extra), &(d)->name, (e)->inode_size > 128 ? &(d)->name##_extra : NULL, t)

/* ---- Loading ---- */

static const struct vnode_ops *ops_of(enum vnode_type t)
{
	return t == VNODE_REG ? &ext4_file_ops : t == VNODE_DIR ? &ext4_dir_ops : t == VNODE_LINK ? &ext4_link_ops : &ext4_node_ops;
}

static u64 dinode_size(const struct ext4_dinode *d, enum vnode_type t)
{
	/* Directories of old volumes keep an ACL's block there. */
	return d->size_lo | (t == VNODE_REG || t == VNODE_DIR ? (u64)d->size_hi << 32 : 0);
}

static u64 dinode_sectors(const struct ext4 *e, const struct ext4_dinode *d)
{
	u64 n = d->blocks_lo | (e->ro_compat & EXT4_RO_HUGE_FILE ? (u64)d->blocks_hi << 32 : 0);

	return e->ro_compat & EXT4_RO_HUGE_FILE && d->flags & EXT4_FL_HUGE_FILE ? n << (e->block_bits - 9) : n;
}

static int dinode_check(struct ext4 *e, u32 ino, const struct ext4_dinode *d)
{
	if (e->inode_size > 128 && 128u + d->extra_isize > e->inode_size)
		return ext4_corrupted(e, ino, "extra size of an inode");
	if (e->csum) {
		u32 crc = ext4_inode_csum(e, ino, d), have = d->checksum_lo;
		bool hi = e->inode_size > 128 && d->extra_isize >= 4;
		have |= hi ? (u32)d->checksum_hi << 16 : 0;
		if (have != (hi ? crc : crc & 0xffff))
			return ext4_corrupted(e, ino, "checksum of an inode");
	}
	if (d->flags & (EXT4_FL_INLINE_DATA | EXT4_FL_ENCRYPT | EXT4_FL_EA_INODE)) {
		log_warn("ext4: inode %u uses inline data, encryption or large attributes, which this kernel lacks", ino);
		return -EOPNOTSUPP;
	}
	return 0;
}

static void dinode_load(struct ext4 *e, struct ext4_inode *i, const struct ext4_dinode *d)
{
	i->mode = d->mode;
	i->nlink = d->links_count;
	i->uid = d->uid_lo | (u32)d->uid_hi << 16;
	i->gid = d->gid_lo | (u32)d->gid_hi << 16;
	i->flags = d->flags;
	i->generation = d->generation;
	i->sectors = dinode_sectors(e, d);
	i->file_acl = d->file_acl_lo | (u64)d->file_acl_hi << 32;
	i->extra_isize = e->inode_size > 128 ? d->extra_isize : 0;
	i->next_orphan = d->dtime;
	memcpy(i->block, d->block, sizeof i->block);
	TIME_LOAD(e, d, atime, &i->atime);
	TIME_LOAD(e, d, mtime, &i->mtime);
	TIME_LOAD(e, d, ctime, &i->ctime);
	if (e->inode_size > 128 && i->extra_isize >= 24)
		TIME_LOAD(e, d, crtime, &i->crtime);
}

static void inode_init(struct ext4 *e, struct ext4_inode *i, u32 ino, u32 mode)
{
	enum vnode_type t = fs_type_of_mode(mode);

	vnode_init(&i->v, ops_of(t), t, &e->m, ino);
	list_init(&i->icache_link);
	list_init(&i->dirty_link);
	list_init(&i->orphan_link);
	list_init(&i->ordered_link);
	vm_object_init(&i->obj, &ext4_object_ops);
	if (t == VNODE_REG) {
		i->obj.reclaimable = true;
		i->obj.readahead = 16;
		i->v.object = &i->obj;
	}
}

static void inode_seed(struct ext4 *e, struct ext4_inode *i)
{
	u32 ino = (u32)i->v.ino;

	i->csum_seed = ext4_crc32c(ext4_crc32c(e->csum_seed, &ino, 4), &i->generation, 4);
}

/* Read an inode that is not in memory. M is held. */
static int inode_load(struct ext4 *e, u32 ino, struct ext4_inode **ret)
{
	struct ext4_dinode *d;
	struct ext4_buf *b;
	struct ext4_inode *i;
	int r = ext4_inode_table_read(e, ino, &b, &d);

	if (r)
		return r;
	enum vnode_type t = fs_type_of_mode(d->mode);
	r = t ? dinode_check(e, ino, d) : ext4_corrupted(e, ino, "mode of an inode");
	if (!r && !d->links_count && !e->recovering)
		r = ext4_corrupted(e, ino, "a deleted inode is in use");
	i = r ? NULL : heap_alloc(sizeof *i);
	if (!r && !i)
		r = -ENOMEM;
	if (!r) {
		inode_init(e, i, ino, d->mode);
		dinode_load(e, i, d);
		i->v.size = i->disk_size = dinode_size(d, t);
		inode_seed(e, i);
		if (i->v.size > (u64)INT64_MAX) {
			heap_free(i);
			r = ext4_corrupted(e, ino, "size of an inode");
		}
	}
	buf_put(e, b);
	if (!r)
		*ret = i;
	return r;
}

/* ---- The cache ---- */

static struct list *icache_bucket(struct ext4 *e, u64 ino) { return &e->icache[ino % ARRAY_SIZE(e->icache)]; }

/* -ENOENT: not in memory. -EAGAIN: it is just going; its last changes must be on disk before it is read again. */
static int icache_find(struct ext4 *e, u32 ino, struct ext4_inode **ret)
{
	struct ext4_inode *i;
	int r = -ENOENT;

	spin_lock(&e->icache_lock);
	list_for_each_entry(i, icache_bucket(e, ino), icache_link)
		if (i->v.ino == ino) {
			r = vnode_tryget(&i->v) ? 0 : -EAGAIN;
			*ret = i;
			break;
		}
	spin_unlock(&e->icache_lock);
	return r;
}

static void icache_add(struct ext4 *e, struct ext4_inode *i)
{
	spin_lock(&e->icache_lock);
	list_push(icache_bucket(e, i->v.ino), &i->icache_link);
	spin_unlock(&e->icache_lock);
}

int ext4_iget(struct ext4 *e, u32 ino, struct vnode **ret)
{
	struct ext4_inode *i;
	int r;

	for (;;) {
		mutex_lock(&e->meta);        /* so that one number is loaded once */
		r = icache_find(e, ino, &i);
		if (r == -ENOENT) {
			r = inode_load(e, ino, &i);
			if (!r)
				icache_add(e, i);
		}
		mutex_unlock(&e->meta);
		if (r != -EAGAIN)
			break;
		struct ext4_inode *gone;
		WAIT_EVENT(&e->icache_waitq, (r = icache_find(e, ino, &gone)) != -EAGAIN);
		if (!r)
			vnode_put(&gone->v);
	}
	if (!r)
		*ret = &i->v;
	return r;
}

/* ---- Storing ---- */

static void dinode_sectors_store(const struct ext4 *e, const struct ext4_inode *i, struct ext4_dinode *d)
{
	u64 n = i->sectors;

	if (e->ro_compat & EXT4_RO_HUGE_FILE && n >> 48) {
		n >>= e->block_bits - 9;
		d->flags |= EXT4_FL_HUGE_FILE;
	} else {
		d->flags &= ~(u32)EXT4_FL_HUGE_FILE;
	}
	d->blocks_lo = (u32)n;
	if (e->ro_compat & EXT4_RO_HUGE_FILE)
		d->blocks_hi = (u16)(n >> 32);
}

static void dinode_store(const struct ext4 *e, const struct ext4_inode *i, struct ext4_dinode *d)
{
	u64 size = i->disk_size;

	d->mode = (u16)i->mode;
	d->uid_lo = (u16)i->uid;
	d->uid_hi = (u16)(i->uid >> 16);
	d->gid_lo = (u16)i->gid;
	d->gid_hi = (u16)(i->gid >> 16);
	d->links_count = (u16)i->nlink;
	d->flags = i->flags;
	d->generation = i->generation;
	d->size_lo = (u32)size;
	if (i->v.type == VNODE_REG || i->v.type == VNODE_DIR)
		d->size_hi = (u32)(size >> 32);
	d->file_acl_lo = (u32)i->file_acl;
	d->file_acl_hi = (u16)(i->file_acl >> 32);
	d->dtime = i->next_orphan;
	memcpy(d->block, i->block, sizeof d->block);
	dinode_sectors_store(e, i, d);
	if (e->inode_size > 128)
		d->extra_isize = i->extra_isize;
	TIME_STORE(e, i, d, atime, &i->atime);
	TIME_STORE(e, i, d, mtime, &i->mtime);
	TIME_STORE(e, i, d, ctime, &i->ctime);
	if (e->inode_size > 128 && i->extra_isize >= 24)
		TIME_STORE(e, i, d, crtime, &i->crtime);
}

static void dinode_csum_store(const struct ext4 *e, u32 ino, struct ext4_dinode *d)
{
	if (!e->csum)
		return;
	u32 crc = ext4_inode_csum(e, ino, d);
	d->checksum_lo = (u16)crc;
	if (e->inode_size > 128 && d->extra_isize >= 4)
		d->checksum_hi = (u16)(crc >> 16);
}

int ext4_inode_store(struct ext4_inode *i, bool data)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_dinode *d;
	struct ext4_buf *b;
	int r = ext4_inode_table_read(e, (u32)i->v.ino, &b, &d);

	if (r)
		return r;
	dinode_store(e, i, d);
	dinode_csum_store(e, (u32)i->v.ino, d);
	buf_dirty(e, b);
	buf_put(e, b);
	i->sync_tid = ext4_running_tid(e);
	if (data)
		i->data_tid = i->sync_tid;
	return 0;
}

/* ---- New inodes ---- */

int ext4_inode_new(struct ext4 *e, struct ext4_inode *dir, u32 mode, u64 rdev, struct ext4_inode **ret)
{
	struct ext4_inode *i = heap_alloc(sizeof *i);
	enum vnode_type t = fs_type_of_mode(mode);
	struct ext4_dinode *d;
	struct ext4_buf *b;
	bool alone = false;
	u32 ino;

	if (!i)
		return -ENOMEM;
	int r = ext4_alloc_inode(e, dir, t == VNODE_DIR, &ino, &alone);
	if (!r)
		r = inode_table_get(e, ino, alone, &b, &d);
	if (r) {
		heap_free(i);
		return r;
	}
	/* What an earlier inode left in its place, attributes too, goes. */
	memset(d, 0, e->inode_size);
	buf_dirty(e, b);
	buf_put(e, b);
	inode_init(e, i, ino, mode);
	i->mode = mode;
	i->uid = fs_owner_uid;
	i->gid = fs_owner_gid;
	i->generation = e->generation++;
	i->extra_isize = e->inode_size > 128 ? (u16)MIN(32u, e->inode_size - 128) : 0;
	inode_seed(e, i);
	fs_now(&i->mtime);
	i->atime = i->ctime = i->crtime = i->mtime;
	if (t == VNODE_CHR || t == VNODE_BLK)
		i->block[1] = (u32)rdev;
	else if ((t == VNODE_REG || t == VNODE_DIR) && e->incompat & EXT4_INCOMPAT_EXTENTS)
		extent_root_init(i);
	icache_add(e, i);
	*ret = i;
	return 0;
}

/* ---- Attributes ---- */

int ext4_getattr(struct vnode *v, struct vattr *ret)
{
	struct ext4_inode *i = ext4_inode(v);

	ret->mode = i->mode;
	ret->nlink = i->nlink;
	ret->uid = i->uid;
	ret->gid = i->gid;
	ret->blksize = ext4_of(v)->block_size;
	ret->blocks512 = i->sectors;
	ret->atime = i->atime;
	ret->mtime = i->mtime;
	ret->ctime = i->ctime;
	ret->btime = i->crtime;
	if (v->type == VNODE_CHR || v->type == VNODE_BLK)
		ret->rdev = i->block[0] ? (i->block[0] >> 8 & 0xff) << 8 | (i->block[0] & 0xff) : i->block[1];
	return 0;
}

int ext4_setattr(struct vnode *v, const struct vattr *a, u32 which)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);

	if (which & VATTR_SIZE)
		return ext4_truncate(i, a->size);
	int r = ext4_begin(e);
	if (r)
		return r;
	fs_now(&i->ctime);
	if (which & VATTR_MODE)
		i->mode = (i->mode & LX_S_IFMT) | (a->mode & 07777);
	if (which & VATTR_UID)
		i->uid = a->uid;
	if (which & VATTR_GID)
		i->gid = a->gid;
	if (which & (VATTR_ATIME | VATTR_ATIME_NOW))
		i->atime = which & VATTR_ATIME_NOW ? i->ctime : a->atime;
	if (which & (VATTR_MTIME | VATTR_MTIME_NOW))
		i->mtime = which & VATTR_MTIME_NOW ? i->ctime : a->mtime;
	r = ext4_inode_store(i, false);
	ext4_end(e);
	return r;
}

/* ---- Going ---- */

/* A file without names: its blocks, attributes and number are free afterwards. Interrupted, the list of orphans has it. */
int ext4_inode_delete(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);
	bool dir = i->v.type == VNODE_DIR, more = true;
	int r = 0;

	vm_object_drop(&i->obj, 0, UINT64_MAX);
	while (more && !r) {
		r = ext4_begin(e);
		if (r)
			return r;
		r = ext4_map_free(i, 0, UINT32_MAX, &more);
		if (!r)
			r = ext4_inode_store(i, false);
		ext4_end(e);
	}
	if (!r)
		r = ext4_begin(e);
	if (r)
		return r;
	r = ext4_xattrs_free(i);
	if (!r)
		r = ext4_orphan_remove(i);
	if (!r) {
		struct timespec64 now;
		fs_now(&now);
		i->disk_size = 0;
		i->next_orphan = (u32)now.sec;       /* dtime: when it was deleted */
		r = ext4_inode_store(i, false);
	}
	if (!r)
		r = ext4_free_inode(e, (u32)i->v.ino, dir);
	i->deleted = true;
	ext4_end(e);
	return r;
}

/* The next file without names that is still open, with a reference; NULL: none. */
static struct ext4_inode *find_orphan(struct ext4 *e)
{
	struct ext4_inode *i, *found = NULL;

	mutex_lock(&e->meta);
	list_for_each_entry(i, &e->orphans, orphan_link)
		if (!i->nlink && !i->deleted && vnode_tryget(&i->v)) {
			found = i;
			break;
		}
	mutex_unlock(&e->meta);
	return found;
}

/* The machine ends: mappings and working directories do not keep files alive any more. */
int ext4_orphans_finish(struct ext4 *e)
{
	struct ext4_inode *i;
	int r = 0;

	while (!r && (i = find_orphan(e))) {
		rwlock_write(&i->v.lock);
		r = i->deleted ? 0 : ext4_inode_delete(i);
		rwlock_unlock_write(&i->v.lock);
		vnode_put(&i->v);
	}
	return r;
}

/* Blocks beyond the end that were allocated ahead go back. */
static void prealloc_trim(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 end = ext4_blocks_of(e, i->v.size);
	bool more = i->prealloc > end;

	while (more && !ext4_begin(e)) {
		int r = ext4_map_free(i, end, UINT32_MAX, &more);
		if (!r)
			r = ext4_inode_store(i, false);
		ext4_end(e);
		if (r)
			break;
	}
	i->prealloc = 0;
}

/* One file in memory that has blocks ahead, with a reference; NULL: none. */
static struct ext4_inode *find_prealloc(struct ext4 *e)
{
	struct ext4_inode *i, *found = NULL;

	spin_lock(&e->icache_lock);
	for (unsigned k = 0; k < ARRAY_SIZE(e->icache) && !found; k++)
		list_for_each_entry(i, &e->icache[k], icache_link)
			if (i->prealloc && i->v.type == VNODE_REG && i->nlink && vnode_tryget(&i->v)) {
				found = i;
				break;
			}
	spin_unlock(&e->icache_lock);
	return found;
}

void ext4_trim_all(struct ext4 *e)
{
	struct ext4_inode *i;

	while (!e->failed && (i = find_prealloc(e))) {
		prealloc_trim(i);
		vnode_put(&i->v);
	}
}

void ext4_release(struct vnode *v)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);

	if (!e->failed && !e->m.readonly && !i->deleted) {
		if (!i->nlink && v->ino != EXT4_JOURNAL_INO)
			(void)!ext4_inode_delete(i);   /* the list of orphans has what is left */
		else if (i->prealloc && v->type == VNODE_REG)
			prealloc_trim(i);
	}
	vm_object_drop(&i->obj, 0, UINT64_MAX);
	mutex_lock(&e->meta);
	spin_lock(&e->icache_lock);
	list_remove(&i->icache_link);
	spin_unlock(&e->icache_lock);
	list_remove(&i->orphan_link);
	mutex_unlock(&e->meta);
	waitq_wake_all(&e->icache_waitq);
	vm_object_put(&i->obj);
}
