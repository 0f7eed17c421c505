/*
 * file.c - regular files: the page cache's reads and writes, write(2), truncation, fallocate, fsync.
 *
 * A write goes in three steps, so that no lock of the volume is held while bytes come from the program:
 *   1. in a transaction: blocks for the holes of the range, as unwritten extents
 *   2. the bytes go into the page cache
 *   3. in a transaction: the extents are written now, the size grows, and the transaction must write the
 *      file's dirty pages before it is committed
 * After a crash between them the file reads as before.
 *
 * Invariants:
 *  (F1) write_pages writes only blocks that are written extents; a page with blocks that the write under way
 *       has filled and not yet turned into such stays dirty, so that it is not dropped before step 3. What else is
 *       unwritten or a hole has no data of its own.
 *  (F2) Allocation is by whole pages up to the end of the file.
 *  (F3) A page's bytes beyond the end of the file are zero on the device.
 *
 * Locks: v->lock exclusively for write, truncate and fallocate (fs/ takes it); M inside. What can fail: -EIO, -ENOSPC,
 * -ENOMEM, -EFBIG, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

#define CHUNK (1ul * MiB)                    /* bytes of one round of a write: bounds its transactions */
#define PREALLOC_FROM (64 * KiB)             /* files from here on get blocks ahead */
#define PREALLOC_MAX (4 * MiB)
#define TIME_STEP_NS (4 * NSEC_PER_MSEC)     /* as coarse as Linux's clock for files */

static u32 blocks_a_page(const struct ext4 *e) { return (u32)(PAGE_SIZE >> e->block_bits); }

/* ---- Reading pages ---- */

static int read_block_parts(struct ext4_inode *i, struct page *p)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 per = blocks_a_page(e);

	for (u32 k = 0; k < per; k++) {
		struct ext4_map m;
		u8 *to = (u8 *)page_to_virt(p) + ((size_t)k << e->block_bits);
		mutex_lock(&e->meta);
		int r = ext4_map(i, p->index * per + k, &m);
		mutex_unlock(&e->meta);
		if (!r && m.block && !m.unwritten)
			r = ext4_dev_read(e, m.block, to, 1);
		else if (!r)
			memset(to, 0, e->block_size);
		if (r)
			return r;
	}
	return 0;
}

/* Fill the first of these pages and those that lie behind it on the device; how many. */
static int read_run(struct ext4_inode *i, struct page **pages, unsigned npages)
{
	struct ext4 *e = ext4_of(&i->v);
	struct ext4_map m;

	if (e->block_size < PAGE_SIZE) {
		int r = read_block_parts(i, pages[0]);
		return r ? r : 1;
	}
	mutex_lock(&e->meta);
	int r = ext4_map(i, pages[0]->index, &m);
	mutex_unlock(&e->meta);
	if (r)
		return r;
	unsigned n = (unsigned)MIN((u64)npages, m.count);
	if (m.block && !m.unwritten) {
		r = blk_rw_pages_sync(e->dev, BLK_READ, e->dev_off + (m.block << e->block_bits), pages, n);
		if (r)
			counter_bump(ext4_io_errors);
	} else {
		for (unsigned k = 0; k < n; k++)
			memset(page_to_virt(pages[k]), 0, PAGE_SIZE);
	}
	return r ? r : (int)n;
}

/* Where the file ends, or will when the write that is under way is done. */
static u64 reach_of(const struct ext4_inode *i)
{
	return MAX(READ_ONCE(i->v.size), READ_ONCE(i->writing_to));
}

/* Zero what lies beyond the end of the file; keeps (F3) against what others wrote there. */
static void zero_beyond(struct ext4_inode *i, struct page *p)
{
	u64 size = reach_of(i), at = p->index * PAGE_SIZE;

	if (size < at + PAGE_SIZE) {
		u64 keep = size > at ? size - at : 0;
		memset((u8 *)page_to_virt(p) + keep, 0, (size_t)(PAGE_SIZE - keep));
	}
}

static int object_read_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	struct ext4_inode *i = container_of(o, struct ext4_inode, obj);

	while (npages) {
		int n = read_run(i, pages, npages);
		if (n < 0)
			return n == -EUCLEAN ? -EIO : n;
		for (int k = 0; k < n; k++)
			zero_beyond(i, pages[k]);
		pages += n;
		npages -= (unsigned)n;
	}
	return 0;
}

/* ---- Writing pages ---- */

/* The blocks of a page that lie within the file. */
static u32 page_blocks(const struct ext4_inode *i, const struct page *p)
{
	const struct ext4 *e = ext4_of(&i->v);
	u64 first = p->index * blocks_a_page(e), end = ext4_blocks_of(e, reach_of(i));

	return first >= end ? 0 : (u32)MIN(end - first, (u64)blocks_a_page(e));
}

/* The map for a write-back; *ret_wait: the block waits for step 3 of a write. Asked under the same M as the map: step 3 takes it. */
static int write_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret, bool *ret_wait)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 at = lblk << e->block_bits;

	mutex_lock(&e->meta);
	int r = ext4_map(i, lblk, ret);
	*ret_wait = !r && ret->unwritten && at < READ_ONCE(i->writing_to) && at + e->block_size > READ_ONCE(i->writing_from);
	mutex_unlock(&e->meta);
	return r;
}

/* One page, block by block. *ret_kept: it has blocks that must not be written yet. */
static int write_block_parts(struct ext4_inode *i, struct page *p, bool *ret_kept)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = page_blocks(i, p);

	for (u32 k = 0; k < n; k++) {
		struct ext4_map m;
		bool wait;
		int r = write_map(i, p->index * blocks_a_page(e) + k, &m, &wait);
		if (!r && m.block && !m.unwritten)
			r = ext4_dev_write(e, m.block, (u8 *)page_to_virt(p) + ((size_t)k << e->block_bits), 1);
		*ret_kept |= wait;
		if (r)
			return r;
	}
	return 0;
}

/* What of the pages is to be written, and where to. */
struct write_list {
	u64 blocks[VM_WRITE_PAGES_MAX];
	u8 *data[VM_WRITE_PAGES_MAX];
	unsigned n;
	struct ext4_map map;                 /* the last that was asked for */
	u64 first, end;                      /* its blocks of the file */
};

_Static_assert(VM_WRITE_PAGES_MAX <= EXT4_WRITE_MANY, "written at once");

/* A page of one block. */
static int write_list_add(struct ext4_inode *i, struct write_list *w, struct page *p)
{
	bool wait = false;

	if (p->index < w->first || p->index >= w->end) {
		int r = write_map(i, p->index, &w->map, &wait);
		if (r)
			return r;
		w->first = p->index;
		w->end = w->map.block && !w->map.unwritten ? p->index + w->map.count : p->index;
	}
	if (w->map.block && !w->map.unwritten) {
		w->blocks[w->n] = w->map.block + (p->index - w->first);
		w->data[w->n++] = page_to_virt(p);
	} else if (wait) {
		vm_object_mark_dirty(&i->obj, p);                /* keeps (F1) */
	}
	return 0;
}

/* One page, written or put on the list. */
static int write_page(struct ext4_inode *i, struct write_list *w, struct page *p)
{
	bool kept = false;

	if (!page_blocks(i, p))
		return 0;                    /* beyond the end: nobody will read it */
	if (ext4_of(&i->v)->block_size == PAGE_SIZE)
		return write_list_add(i, w, p);
	int r = write_block_parts(i, p, &kept);
	if (kept)
		vm_object_mark_dirty(&i->obj, p);
	return r;
}

static int object_write_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	struct ext4_inode *i = container_of(o, struct ext4_inode, obj);
	struct ext4 *e = ext4_of(&i->v);
	struct write_list w NO_AUTO_INIT;
	int r = 0;

	/* What a failed volume was to take is lost: syncs say so, and the pages may go. */
	if (READ_ONCE(e->failed))
		return 0;
	w.n = 0;
	w.first = w.end = 0;
	for (unsigned k = 0; k < npages && !r; k++) {
		zero_beyond(i, pages[k]);
		r = write_page(i, &w, pages[k]);
	}
	if (!r)
		r = ext4_dev_write_many(e, w.blocks, w.data, w.n);
	return r ? ext4_fail(e, "data", r) : 0;
}

static u64 object_size(struct vm_object *o)
{
	return READ_ONCE(container_of(o, struct ext4_inode, obj)->v.size);
}

static void object_release(struct vm_object *o)
{
	heap_free(container_of(o, struct ext4_inode, obj));
}

/* ---- Times ---- */

/* True if the times moved on: then they must be stored. */
static bool times_changed(struct ext4_inode *i)
{
	struct timespec64 now;

	fs_now(&now);
	now.nsec -= now.nsec % TIME_STEP_NS;
	if (now.sec == i->mtime.sec && now.nsec == i->mtime.nsec)
		return false;
	i->mtime = i->ctime = now;
	return true;
}

/* ---- Blocks for a range ---- */

/* The blocks of [off, end) widened to whole pages, as far as the file will reach; keeps (F2). */
static void block_range(const struct ext4_inode *i, u64 off, u64 end, u64 *ret_first, u64 *ret_count)
{
	const struct ext4 *e = ext4_of(&i->v);
	u64 first = ROUND_DOWN(off, PAGE_SIZE) >> e->block_bits;
	u64 reach = MAX(end, READ_ONCE(i->v.size));
	u64 last = MIN(ROUND_UP(end, PAGE_SIZE) >> e->block_bits, ext4_blocks_of(e, reach));

	*ret_first = first;
	*ret_count = last - first;
}

/* Are all blocks written extents already? M. */
static int range_written(struct ext4_inode *i, u64 first, u64 count, bool *ret)
{
	struct ext4_map m;

	for (*ret = true; count && *ret;) {
		int r = ext4_map(i, first, &m);
		if (r)
			return r;
		*ret = m.block && !m.unwritten;
		m.count = MIN(m.count, count);
		first += m.count;
		count -= m.count;
	}
	return 0;
}

/*
 * Without unwritten extents the blocks of a growing file lie beyond its end for a moment. It is on the list of orphans
 * meanwhile: a mount after a crash then cuts it to its size. Step 3 takes it off.
 */
static int grow_guard(struct ext4_inode *i, u64 end)
{
	if (i->flags & EXT4_FL_EXTENTS || end <= i->v.size || i->orphan)
		return 0;
	i->growing = true;
	return ext4_orphan_add(i);
}

static int grow_done(struct ext4_inode *i)
{
	if (!i->growing)
		return 0;
	i->growing = false;
	/* Its last name may have gone meanwhile: then it stays where it is. */
	return i->nlink ? ext4_orphan_remove(i) : 0;
}

/* Step 1. *ret_end: how far the bytes may go. */
static int range_allocate(struct ext4_inode *i, u64 off, u64 end, u64 *ret_end)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 first, count, done = 0, ahead = 0;
	bool there = false;

	block_range(i, off, end, &first, &count);
	int r = ext4_begin(e);
	if (r)
		return r;
	*ret_end = end;
	r = i->deleted ? -EIO : range_written(i, first, count, &there);
	if (!r && !there) {
		if (end > i->v.size && off >= PREALLOC_FROM && i->prealloc <= first + count && i->flags & EXT4_FL_EXTENTS)
			ahead = MIN(end / 2, (u64)PREALLOC_MAX) >> e->block_bits;
		if (ahead && e->free_blocks < ahead * 16)
			ahead = 0;
		r = grow_guard(i, end);
		if (!r)
			r = ext4_map_fill(i, first, count + ahead, &done);
		if (done)
			i->prealloc = MAX(i->prealloc, first + done);
		if (done < count && (r == -ENOSPC || !r)) {
			u64 reach = (first + done) << e->block_bits;
			*ret_end = reach;
			r = reach > off ? 0 : -ENOSPC;
		} else if (r == -ENOSPC) {
			r = 0;               /* only what was ahead */
		}
		int s = ext4_inode_store(i, true);
		r = r ? r : s;
	}
	ext4_end(e);
	return r;
}

/* Step 3. */
static int range_done(struct ext4_inode *i, u64 off, u64 end)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 first, count;
	bool there = false, grew = end > i->v.size;

	block_range(i, off, end, &first, &count);
	int r = ext4_begin(e);
	if (r)
		return r;
	r = range_written(i, first, count, &there);
	if (!r && !there) {
		r = ext4_map_written(i, first, count);
		ext4_order_data(i);
	}
	if (!r && grew) {
		WRITE_ONCE(i->v.size, end);
		i->disk_size = end;
	}
	bool times = times_changed(i);
	if (!r)
		r = grow_done(i);
	if (!r && (!there || grew || times))
		r = ext4_inode_store(i, !there || grew);
	ext4_end(e);
	return r;
}

/* ---- Zeroes ---- */

/* Has the file data of its own in [from, to)? */
static int range_has_data(struct ext4_inode *i, u64 from, u64 to, bool *ret)
{
	struct ext4 *e = ext4_of(&i->v);
	int r = 0;

	*ret = false;
	mutex_lock(&e->meta);
	for (u64 b = from >> e->block_bits; b <= (to - 1) >> e->block_bits && !r && !*ret; b++) {
		struct ext4_map m;
		r = ext4_map(i, b, &m);
		*ret = !r && m.block && !m.unwritten;
	}
	mutex_unlock(&e->meta);
	return r;
}

/* Zero [from, to), which lies in one page. Where the file has no data of its own, only what a mapping may have put into the cache is zeroed. */
static int zero_part(struct ext4_inode *i, u64 from, u64 to)
{
	struct page *p;
	bool data;

	if (from >= to)
		return 0;
	int r = range_has_data(i, from, to, &data);
	if (!r && data)
		r = vm_object_get_page(&i->obj, from / PAGE_SIZE, &p);
	else if (!r)
		p = vm_object_lookup(&i->obj, from / PAGE_SIZE);
	if (r || !p)
		return r;
	memset((u8 *)page_to_virt(p) + from % PAGE_SIZE, 0, (size_t)(to - from));
	if (data) {
		vm_object_mark_dirty(&i->obj, p);
		ext4_inode_dirty_data(i);
	}
	page_put(p);
	return 0;
}

/* The file is about to reach beyond its end: what a mapping left there must not show. */
static int zero_tail(struct ext4_inode *i)
{
	u64 size = i->v.size;

	return size % PAGE_SIZE ? zero_part(i, size, ROUND_UP(size, PAGE_SIZE)) : 0;
}

/* ---- write(2) ---- */

/* Set-id bits go with the first byte. */
static void drop_ids(struct ext4_inode *i)
{
	if (fs_owner_uid && i->mode & 06000)
		i->mode &= ~(u32)(04000 | (i->mode & 010 ? 02000 : 0));
}

/* One round: at most CHUNK bytes. */
static ssize_t write_chunk(struct ext4_inode *i, struct uio *u, u64 off)
{
	size_t want = u->resid, n = MIN(want, CHUNK);
	u64 end;
	int r = range_allocate(i, off, off + n, &end);

	if (r)
		return r;
	n = (size_t)(end - off) < n ? (size_t)(end - off) : n;
	u->resid = n;
	WRITE_ONCE(i->writing_from, off);
	WRITE_ONCE(i->writing_to, off + n);
	ssize_t done = vm_object_write(&i->obj, u, off);
	u->resid += want - n;
	if (done > 0) {
		ext4_inode_dirty_data(i);
		drop_ids(i);
		r = range_done(i, off, off + (u64)done);
	}
	WRITE_ONCE(i->writing_to, 0);
	if (i->growing) {
		/* Nothing was written after all: back to the size it has. */
		i->growing = false;
		r = ext4_truncate(i, i->v.size);
	}
	if (done <= 0)
		return done;
	if (r)
		return r;
	vm_dirty_throttle();
	return done;
}

static u64 max_size(const struct ext4_inode *i)
{
	const struct ext4 *e = ext4_of(&i->v);
	u64 per = e->block_size / 4;

	if (i->flags & EXT4_FL_EXTENTS)
		return (u64)(UINT32_MAX - 1) << e->block_bits;
	return MIN((EXT4_IND + per + per * per + per * per * per) << e->block_bits, (u64)UINT32_MAX << 9);
}

static ssize_t ext4_write(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	struct ext4_inode *i = ext4_inode(v);
	size_t done = 0;
	ssize_t n = 0;

	if (off >= max_size(i))
		return -EFBIG;
	if (u->resid > max_size(i) - off)
		u->resid = (size_t)(max_size(i) - off);
	if (off > v->size) {
		int r = zero_tail(i);
		if (r)
			return r;
	}
	bool tried = false;
	while (u->resid) {
		n = write_chunk(i, u, off);
		if (n == -ENOSPC && !tried) {
			tried = true;
			if (!ext4_settle_space(ext4_of(v)))
				continue;
		}
		if (n <= 0)
			break;
		done += (size_t)n;
		off += (u64)n;
		if (u->fault)
			break;
	}
	return done ? (ssize_t)done : n;
}

/* ---- Shared mappings ---- */

/* A store through a mapping: the page's blocks must be there, and written, before it is dirty. */
static int page_allocate(struct ext4_inode *i, const struct page *p)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 at = p->index * PAGE_SIZE, size = READ_ONCE(i->v.size), end = MIN(at + PAGE_SIZE, size), first, count, done;
	bool there = false;

	if (at >= size)
		return 0;                    /* the fault path has looked; it was cut just now */
	int r = ext4_begin(e);
	if (r)
		return r == -EROFS ? -EIO : r;
	block_range(i, at, end, &first, &count);
	r = i->deleted ? -EIO : range_written(i, first, count, &there);
	if (!r && !there) {
		r = ext4_map_fill(i, first, count, &done);
		if (!r && done < count)
			r = -ENOSPC;
		if (!r)
			r = ext4_map_written(i, first, count);
		ext4_order_data(i);
	}
	bool times = !r && times_changed(i);
	if (!r && (!there || times)) {
		int s = ext4_inode_store(i, !there);
		r = r ? r : s;
	}
	ext4_end(e);
	return r;
}

static int object_page_mkwrite(struct vm_object *o, struct page *p)
{
	struct ext4_inode *i = container_of(o, struct ext4_inode, obj);
	int r = page_allocate(i, p);

	return r == -ENOSPC && !ext4_settle_space(ext4_of(&i->v)) ? page_allocate(i, p) : r;
}

static void object_page_dirtied(struct vm_object *o)
{
	ext4_inode_dirty_data(container_of(o, struct ext4_inode, obj));
}

const struct vm_object_ops ext4_object_ops = {
	.read_pages = object_read_pages, .write_pages = object_write_pages, .size = object_size, .page_mkwrite = object_page_mkwrite, .page_dirtied = object_page_dirtied, .release = object_release,
};

/* ---- Size ---- */

/* Free the blocks from `from` to `to`, in as many transactions as it takes; the file is an orphan meanwhile where `cut`. */
static int free_range(struct ext4_inode *i, u64 from, u64 to, bool cut)
{
	struct ext4 *e = ext4_of(&i->v);
	bool more = true, first = true;
	int r = 0;

	while (more && !r) {
		r = ext4_begin(e);
		if (r)
			return r;
		if (first && cut)
			r = ext4_orphan_add(i);
		first = false;
		if (!r)
			r = ext4_map_free(i, from, to, &more);
		if (!r && !more && cut)
			r = ext4_orphan_remove(i);
		int s = ext4_inode_store(i, true);
		r = r ? r : s;
		ext4_end(e);
	}
	return r;
}

int ext4_truncate(struct ext4_inode *i, u64 size)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 old = i->v.size;

	if (size > max_size(i))
		return -EFBIG;
	if (i->deleted)
		return -EIO;
	if (size > old) {
		int r = zero_tail(i);
		if (!r)
			r = ext4_begin(e);
		if (r)
			return r;
		WRITE_ONCE(i->v.size, size);
		i->disk_size = size;
		fs_now(&i->mtime);
		i->ctime = i->mtime;
		r = ext4_inode_store(i, true);
		ext4_end(e);
		return r;
	}
	/* The part of the last page that stays is zeroed first: a crash in between shows the old size with zeroes at its end, at worst. */
	int r = size % PAGE_SIZE && size < old ? zero_part(i, size, MIN(ROUND_UP(size, PAGE_SIZE), old)) : 0;
	if (!r)
		r = ext4_begin(e);
	if (r)
		return r;
	WRITE_ONCE(i->v.size, size);
	i->disk_size = size;
	fs_now(&i->mtime);
	i->ctime = i->mtime;
	drop_ids(i);
	i->prealloc = 0;
	r = ext4_orphan_add(i);
	if (!r)
		r = ext4_inode_store(i, true);
	ext4_end(e);
	if (r)
		return r;
	vm_object_truncate(&i->obj, DIV_ROUND_UP(size, PAGE_SIZE));
	return free_range(i, ext4_blocks_of(e, size), UINT32_MAX, true);
}

/* ---- fallocate ---- */

static int punch(struct ext4_inode *i, u64 off, u64 end)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 first, last;

	end = MIN(end, ROUND_UP(i->v.size, PAGE_SIZE));
	first = ROUND_UP(off, PAGE_SIZE);
	last = ROUND_DOWN(end, PAGE_SIZE);
	if (off >= end)
		return 0;
	if (first > last)
		return zero_part(i, off, MIN(end, i->v.size));
	int r = zero_part(i, off, MIN(first, i->v.size));
	if (!r && last < i->v.size)
		r = zero_part(i, last, MIN(end, i->v.size));
	if (r || first >= last)
		return r;
	/* Once before, so that nothing is written there any more, once after: a reader may have brought the old page back. */
	vm_object_drop(&i->obj, first / PAGE_SIZE, last / PAGE_SIZE - 1);
	r = free_range(i, first >> e->block_bits, (last >> e->block_bits) - 1, false);
	vm_object_drop(&i->obj, first / PAGE_SIZE, last / PAGE_SIZE - 1);
	return r;
}

static int allocate(struct ext4_inode *i, u64 off, u64 end)
{
	struct ext4 *e = ext4_of(&i->v);
	u64 at = off >> e->block_bits, last = ext4_blocks_of(e, end);
	int r = 0;

	while (at < last && !r) {
		u64 done = 0;
		r = ext4_begin(e);
		if (r)
			return r;
		r = ext4_map_fill(i, at, MIN(last - at, (u64)32768), &done);
		int s = ext4_inode_store(i, true);
		r = r ? r : s;
		ext4_end(e);
		at += done;
		if (!done && !r)
			r = -ENOSPC;
	}
	return r;
}

/* The blocks; what is done already is found so when it is tried again. */
static int range_change(struct ext4_inode *i, u32 mode, u64 off, u64 end)
{
	int r = mode & (LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE) ? punch(i, off, end) : 0;

	return r || mode & LX_FALLOC_PUNCH_HOLE ? r : allocate(i, off, end);
}

static int ext4_fallocate(struct vnode *v, u32 mode, u64 off, u64 len)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	u64 end = off + len;
	int r;

	if (!(i->flags & EXT4_FL_EXTENTS) && !(mode & LX_FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (end > max_size(i))
		return -EFBIG;
	if (i->deleted)
		return -EIO;
	r = range_change(i, mode, off, end);
	if (r == -ENOSPC && !ext4_settle_space(e))
		r = range_change(i, mode, off, end);
	if (!r && !(mode & LX_FALLOC_KEEP_SIZE) && end > v->size)
		r = zero_tail(i);
	if (!r)
		r = ext4_begin(e);
	if (r)
		return r;
	if (!(mode & LX_FALLOC_KEEP_SIZE) && end > v->size) {
		WRITE_ONCE(v->size, end);
		i->disk_size = end;
	}
	fs_now(&i->mtime);
	i->ctime = i->mtime;
	drop_ids(i);
	r = ext4_inode_store(i, true);
	ext4_end(e);
	return r;
}

/* ---- SEEK_DATA and SEEK_HOLE ---- */

/* Stores make extents written before their pages are dirty: what is unwritten or not there is a hole. */
static s64 ext4_seek(struct vnode *v, u64 off, bool hole)
{
	struct ext4_inode *i = ext4_inode(v);
	struct ext4 *e = ext4_of(v);
	u64 size = READ_ONCE(v->size);

	while (off < size) {
		struct ext4_map m;
		mutex_lock(&e->meta);
		int r = ext4_map(i, off >> e->block_bits, &m);
		mutex_unlock(&e->meta);
		if (r)
			return r;
		if ((!m.block || m.unwritten) == hole)
			return (s64)off;
		off = ((off >> e->block_bits) + m.count) << e->block_bits;
		sched_poll();
	}
	return hole ? (s64)size : -ENXIO;
}

/* ---- Durability ---- */

int ext4_file_sync(struct ext4_inode *i, bool data_only)
{
	struct ext4 *e = ext4_of(&i->v);
	int r = i->v.type == VNODE_REG ? vm_object_sync(&i->obj, 0, UINT64_MAX) : 0;

	if (r || READ_ONCE(e->failed))
		return r ? r : -EIO;
	mutex_lock(&e->meta);
	u32 tid = data_only ? i->data_tid : i->sync_tid;
	bool commit = tid && (s32)(e->j.committed - tid) < 0;
	mutex_unlock(&e->meta);
	if (commit)
		return ext4_commit_tid(e, tid);
	r = blk_flush_sync(e->dev);
	return r ? ext4_fail(e, "flush", r) : 0;
}

static int ext4_fsync(struct vnode *v, bool data_only)
{
	return v->mount->readonly && !ext4_of(v)->failed ? 0 : ext4_file_sync(ext4_inode(v), data_only);
}

/* What was freed can be used when it is committed; files that were removed while they had something to write are freed after that. */
int ext4_settle_space(struct ext4 *e)
{
	int r = ext4_write_dirty(e, 0);

	for (unsigned k = 0; k < 2 && !r; k++)
		r = ext4_commit_now(e);
	ext4_discard_freed(e);
	return r;
}

/* ---- Dirty files ---- */

static void dirty_list_add(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);

	spin_lock(&e->icache_lock);
	if (list_empty(&i->dirty_link)) {
		vnode_get(&i->v);
		list_append(&e->dirty, &i->dirty_link);
	}
	spin_unlock(&e->icache_lock);
	ext4_wake_thread(e);
}

void ext4_inode_dirty_data(struct ext4_inode *i)
{
	dirty_list_add(i);
	if (vm_dirty_many())
		ext4_hurry_thread(ext4_of(&i->v));
}

int ext4_write_dirty(struct ext4 *e, u64 until_pages)
{
	struct ext4_inode *again = NULL;
	int error = 0;

	for (;;) {
		if (until_pages && READ_ONCE(vm_dirty_pages) <= until_pages)
			break;
		spin_lock(&e->icache_lock);
		struct list *l = list_pop(&e->dirty);
		spin_unlock(&e->icache_lock);
		if (!l)
			break;
		struct ext4_inode *i = list_entry(l, struct ext4_inode, dirty_link);
		int r = vm_object_sync(&i->obj, 0, UINT64_MAX);
		error = error ? error : r;
		/* Pages that have to wait for their extents: the file comes again. */
		bool seen = i == again;
		if (!r && vm_object_is_dirty(&i->obj)) {
			dirty_list_add(i);
			again = again ? again : i;
		}
		vnode_put(&i->v);
		sched_poll();
		if (r || seen)
			break;
	}
	return error;
}

void ext4_dirty_release(struct ext4 *e)
{
	for (;;) {
		spin_lock(&e->icache_lock);
		struct list *l = list_pop(&e->dirty);
		spin_unlock(&e->icache_lock);
		if (!l)
			return;
		vnode_put(&list_entry(l, struct ext4_inode, dirty_link)->v);
	}
}

const struct vnode_ops ext4_file_ops = {
	.write = ext4_write, .getattr = ext4_getattr, .setattr = ext4_setattr, .fsync = ext4_fsync, .fallocate = ext4_fallocate, .release = ext4_release,
	.getxattr = ext4_getxattr, .setxattr = ext4_setxattr, .listxattr = ext4_listxattr, .seek = ext4_seek,
};
