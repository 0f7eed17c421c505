/*
 * dir.c - directories block by block: checking what was read, finding, adding and removing entries. How
 * an indexed directory finds the right block is in htree.c.
 *
 * Invariants:
 *  (D1) A leaf's records cover dir_space bytes exactly; the checksum's record lies behind them.
 *  (D2) Names in a directory are different; "." and ".." are the first two entries of block 0.
 *
 * Under M, changes in a transaction. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN (a block that makes no sense).
 */
#include "fs/ext4/htree.h"

u8 ext4_dir_type(u32 mode)
{
	static const u8 types[] = {
		[VNODE_REG] = EXT4_FT_REG, [VNODE_DIR] = EXT4_FT_DIR, [VNODE_LINK] = EXT4_FT_LINK, [VNODE_CHR] = EXT4_FT_CHR,
		[VNODE_FIFO] = EXT4_FT_FIFO, [VNODE_SOCK] = EXT4_FT_SOCK, [VNODE_BLK] = EXT4_FT_BLK,
	};
	enum vnode_type t = fs_type_of_mode(mode);

	return t < ARRAY_SIZE(types) ? types[t] : 0;
}

enum vnode_type ext4_vnode_type(u8 dir_type)
{
	static const enum vnode_type types[] = {
		[EXT4_FT_REG] = VNODE_REG, [EXT4_FT_DIR] = VNODE_DIR, [EXT4_FT_LINK] = VNODE_LINK, [EXT4_FT_CHR] = VNODE_CHR,
		[EXT4_FT_FIFO] = VNODE_FIFO, [EXT4_FT_SOCK] = VNODE_SOCK, [EXT4_FT_BLK] = VNODE_BLK,
	};
	return dir_type < ARRAY_SIZE(types) ? types[dir_type] : 0;
}

u32 dir_space(const struct ext4 *e)
{
	return e->block_size - (e->csum ? EXT4_DIRENT_TAIL : 0);
}

static struct ext4_dirent *entry_at(struct ext4_buf *b, u32 at) { return (struct ext4_dirent *)(void *)(b->data + at); }

/* ---- Checksums and checks ---- */

static u32 *leaf_csum_field(const struct ext4 *e, struct ext4_buf *b) { return (u32 *)(void *)(b->data + e->block_size - 4); }

static void leaf_seal(const struct ext4 *e, struct ext4_buf *b)
{
	*leaf_csum_field(e, b) = ext4_crc32c(b->seal_seed, b->data, dir_space(e));
}

static bool leaf_valid(struct ext4_inode *dir, struct ext4_buf *b)
{
	struct ext4 *e = ext4_of(&dir->v);
	u32 at = 0, space = dir_space(e);

	if (e->csum) {
		struct ext4_dirent *t = entry_at(b, space);
		if (t->ino || t->rec_len != EXT4_DIRENT_TAIL || t->name_len || t->file_type != EXT4_FT_TAIL || 
		    *leaf_csum_field(e, b) != ext4_crc32c(dir->csum_seed, b->data, space))
			return false;
	}
	while (at < space) {
		struct ext4_dirent *d = entry_at(b, at);
		u32 rec = dirent_rec(e, d);
		if (rec < 12 || rec % 4 || rec > space - at || dirent_len(d->name_len) > rec || d->ino > e->ninodes)
			return false;
		at += rec;
	}
	return true;
}

int dir_block(struct ext4_inode *dir, u64 lblk, struct ext4_buf **ret)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_map m;
	struct ext4_buf *b;
	int r = ext4_map(dir, lblk, &m);

	if (r)
		return r;
	if (!m.block || m.unwritten)
		return ext4_corrupted(e, dir->v.ino, "a hole in a directory");
	r = buf_read(e, m.block, &b);
	if (r)
		return r;
	bool node = htree_is_node(dir, lblk, b);
	u64 role = buf_role((u32)dir->v.ino, (lblk ? BUF_DIR : BUF_DIR_ROOT) + node);
	if (b->checked != role) {
		buf_seal(e, b);
		if (!(node ? htree_node_valid(dir, lblk, b) : leaf_valid(dir, b))) {
			buf_put(e, b);
			return ext4_corrupted(e, dir->v.ino, "a block of a directory");
		}
		b->checked = role;
	}
	*ret = b;
	return 0;
}

void dir_block_changed(struct ext4_inode *dir, struct ext4_buf *b)
{
	buf_dirty_sealed(ext4_of(&dir->v), b, leaf_seal, dir->csum_seed);
}

/* One empty record, and the place of the checksum. */
void dir_block_init(struct ext4_inode *dir, struct ext4_buf *b)
{
	struct ext4 *e = ext4_of(&dir->v);

	memset(b->data, 0, e->block_size);
	entry_at(b, 0)->rec_len = (u16)dir_space(e);
	if (e->csum) {
		struct ext4_dirent *t = entry_at(b, dir_space(e));
		t->rec_len = EXT4_DIRENT_TAIL;
		t->file_type = EXT4_FT_TAIL;
	}
}

int dir_append_block(struct ext4_inode *dir, struct ext4_buf **ret, u64 *ret_lblk)
{
	struct ext4 *e = ext4_of(&dir->v);
	u64 lblk = dir->disk_size >> e->block_bits;
	int r = ext4_map_new_block(dir, lblk, ret);

	if (r)
		return r;
	dir->disk_size += e->block_size;
	WRITE_ONCE(dir->v.size, dir->disk_size);
	if (ret_lblk)
		*ret_lblk = lblk;
	return 0;
}

/* ---- Entries of one block ---- */

struct ext4_dirent *dir_find_in(struct ext4_inode *dir, struct ext4_buf *b, const char *name, size_t len, struct ext4_dirent **ret_prev)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_dirent *prev = NULL;
	u32 space = dir_space(e);

	for (u32 at = 0; at < space; at += dirent_rec(e, prev)) {
		struct ext4_dirent *d = entry_at(b, at);
		if (d->name_len == len && d->ino && memcmp(d->name, name, len) == 0) {
			if (ret_prev)
				*ret_prev = prev;
			return d;
		}
		prev = d;
	}
	return NULL;
}

static void entry_fill(const struct ext4 *e, struct ext4_dirent *d, const char *name, size_t len, u32 ino, u8 type)
{
	d->ino = ino;
	d->name_len = (u8)len;
	d->file_type = e->incompat & EXT4_INCOMPAT_FILETYPE ? type : 0;
	memcpy(d->name, name, len);
}

/* False: no room. The caller makes the checksum (dir_block_changed). */
bool dir_add_in(struct ext4_inode *dir, struct ext4_buf *b, const char *name, size_t len, u32 ino, u8 type)
{
	struct ext4 *e = ext4_of(&dir->v);
	u32 need = dirent_len(len), space = dir_space(e), rec;

	for (u32 at = 0; at < space; at += rec) {
		struct ext4_dirent *d = entry_at(b, at);
		rec = dirent_rec(e, d);
		u32 used = d->ino ? dirent_len(d->name_len) : 0;
		if (rec < used + need)
			continue;
		if (used) {
			d->rec_len = (u16)used;
			d = entry_at(b, at + used);
			d->rec_len = (u16)(rec - used);
		}
		entry_fill(e, d, name, len, ino, type);
		return true;
	}
	return false;
}

/* ---- Entries of a directory ---- */

static u64 dir_blocks(const struct ext4_inode *dir) { return dir->disk_size >> ext4_of(&dir->v)->block_bits; }
static bool is_indexed(const struct ext4_inode *dir) { return dir->flags & EXT4_FL_INDEX && ext4_of(&dir->v)->compat & EXT4_COMPAT_DIR_INDEX; }

static int find_linear(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret, struct ext4_dirent **ret_prev)
{
	struct ext4_buf *b;

	for (u64 lblk = 0; lblk < dir_blocks(dir); lblk++) {
		int r = dir_block(dir, lblk, &b);
		if (r)
			return r;
		*ret = dir_find_in(dir, b, name, len, ret_prev);
		if (*ret) {
			*ret_buf = b;
			return 0;
		}
		buf_put(ext4_of(&dir->v), b);
	}
	return -ENOENT;
}

static int find(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret, struct ext4_dirent **ret_prev)
{
	bool dots = fs_name_is_dot(name, len) || fs_name_is_dotdot(name, len);

	if (is_indexed(dir) && !dots)
		return htree_find(dir, name, len, ret_buf, ret, ret_prev);
	return find_linear(dir, name, len, ret_buf, ret, ret_prev);
}

int dir_find(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret)
{
	return find(dir, name, len, ret_buf, ret, NULL);
}

int dir_add(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_buf *b;
	int r;

	if (is_indexed(dir))
		return htree_add(dir, name, len, ino, type);
	for (u64 lblk = 0; lblk < dir_blocks(dir); lblk++) {
		r = dir_block(dir, lblk, &b);
		if (r)
			return r;
		bool added = dir_add_in(dir, b, name, len, ino, type);
		if (added)
			dir_block_changed(dir, b);
		buf_put(e, b);
		if (added)
			return 0;
	}
	if (dir_blocks(dir) == 1 && e->compat & EXT4_COMPAT_DIR_INDEX) {
		r = htree_make(dir);
		return r ? r : htree_add(dir, name, len, ino, type);
	}
	r = dir_append_block(dir, &b, NULL);
	if (r)
		return r;
	dir_block_init(dir, b);
	(void)dir_add_in(dir, b, name, len, ino, type);
	dir_block_changed(dir, b);
	buf_put(e, b);
	return 0;
}

int dir_remove(struct ext4_inode *dir, const char *name, size_t len)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_dirent *d, *prev = NULL;
	struct ext4_buf *b;
	int r = find(dir, name, len, &b, &d, &prev);

	if (r)
		return r;
	if (prev)
		prev->rec_len = (u16)(dirent_rec(e, prev) + dirent_rec(e, d));
	d->ino = 0;
	dir_block_changed(dir, b);
	buf_put(e, b);
	return 0;
}

/* The entry leads to another inode now. */
int dir_set(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_dirent *d;
	struct ext4_buf *b;
	int r = find(dir, name, len, &b, &d, NULL);

	if (r)
		return r;
	d->ino = ino;
	d->file_type = e->incompat & EXT4_INCOMPAT_FILETYPE ? type : 0;
	/* ".." of an indexed directory lies in its root. */
	if (htree_is_node(dir, 0, b) && is_indexed(dir) && fs_name_is_dotdot(name, len))
		htree_node_changed(dir, b);
	else
		dir_block_changed(dir, b);
	buf_put(e, b);
	return 0;
}

int dir_is_empty(struct ext4_inode *dir, bool *ret)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_buf *b;

	*ret = true;
	for (u64 lblk = 0; lblk < dir_blocks(dir) && *ret; lblk++) {
		int r = dir_block(dir, lblk, &b);
		if (r)
			return r;
		for (u32 at = 0; at < dir_space(e) && *ret; at += dirent_rec(e, entry_at(b, at))) {
			struct ext4_dirent *d = entry_at(b, at);
			*ret = !d->ino || fs_name_is_dot(d->name, d->name_len) || fs_name_is_dotdot(d->name, d->name_len);
		}
		buf_put(e, b);
	}
	return 0;
}
