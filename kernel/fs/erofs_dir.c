/*
 * erofs_dir.c - EROFS: directories.
 *
 * A directory is a row of blocks, each with an array of entries and then their names; names are
 * sorted over the whole directory, so a lookup is a binary search over the blocks (by their first
 * name) and then in one block. Directories are read where they lie in the image's metadata cache.
 *
 * Invariants: a block is used only after its entry count was checked; each name's bounds are
 * checked when it is taken. Loops are bounded by the number of blocks (log2) and of entries (341).
 *
 * What can fail: -ENOENT, -EUCLEAN, -EIO, -ENOMEM.
 */
#include "fs/erofs.h"

/* One block of a directory, held by its page. */
struct dir_block {
	struct page *page;
	const u8 *data;
	unsigned len, n;             /* bytes; entries */
};

static struct erofs_disk_dirent dirent_at(const struct dir_block *b, unsigned k)
{
	struct erofs_disk_dirent d;
	memcpy(&d, b->data + k * sizeof d, sizeof d);
	return d;
}

static int dir_block_get(struct erofs_inode *dir, u64 index, struct dir_block *b)
{
	struct erofs *e = erofs_of(&dir->v);
	struct erofs_extent x;
	u64 off = index * EROFS_BLOCK;
	int r = erofs_map(dir, off, &x);
	if (r)
		return r;
	u64 len = MIN(dir->v.size - off, (u64)EROFS_BLOCK);
	if (x.hole || x.len < len || x.pa % PAGE_SIZE + len > PAGE_SIZE)
		return erofs_corrupt(e, dir->nid, "directory block in pieces");
	r = erofs_meta_page(e, x.pa, &b->page, &b->data);
	if (r)
		return r;
	b->len = (unsigned)len;
	unsigned first = len >= sizeof(struct erofs_disk_dirent) ? dirent_at(b, 0).name_off : 0;
	if (first < sizeof(struct erofs_disk_dirent) || first >= len || first % sizeof(struct erofs_disk_dirent)) {
		page_put(b->page);
		return erofs_corrupt(e, dir->nid, "bad directory block");
	}
	b->n = first / sizeof(struct erofs_disk_dirent);
	return 0;
}

/* The name of entry k. */
static int dir_block_name(struct erofs_inode *dir, const struct dir_block *b, unsigned k, const char **ret_name, size_t *ret_len)
{
	unsigned from = dirent_at(b, k).name_off;
	unsigned to = k + 1 < b->n ? dirent_at(b, k + 1).name_off : b->len;
	if (from < b->n * sizeof(struct erofs_disk_dirent) || from >= to || to > b->len)
		return erofs_corrupt(erofs_of(&dir->v), dir->nid, "bad name in a directory");
	const char *name = (const char *)b->data + from;
	size_t len = strnlen(name, to - from);
	if (!len || len > FS_NAME_MAX || memchr(name, '/', len))
		return erofs_corrupt(erofs_of(&dir->v), dir->nid, "bad name in a directory");
	*ret_name = name;
	*ret_len = len;
	return 0;
}

/* As strcmp of the wanted name and entry k. */
static int dir_block_cmp(struct erofs_inode *dir, const struct dir_block *b, unsigned k, const char *name, size_t len, int *ret_cmp)
{
	const char *there;
	size_t there_len;
	int r = dir_block_name(dir, b, k, &there, &there_len);
	if (r)
		return r;
	int c = memcmp(name, there, MIN(len, there_len));
	*ret_cmp = c ? c : len < there_len ? -1 : len > there_len;
	return 0;
}

/* The last block whose first name is not above name, held in *ret. */
static int dir_find_block(struct erofs_inode *dir, const char *name, size_t len, struct dir_block *ret)
{
	u64 lo = 0, hi = DIV_ROUND_UP(dir->v.size, EROFS_BLOCK);
	bool have = false;
	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;
		struct dir_block b;
		int c, r = dir_block_get(dir, mid, &b);
		if (!r) {
			r = dir_block_cmp(dir, &b, 0, name, len, &c);
			if (r)
				page_put(b.page);
		}
		if (r) {
			if (have)
				page_put(ret->page);
			return r;
		}
		if (c >= 0) {
			if (have)
				page_put(ret->page);
			*ret = b;
			have = true;
			lo = mid + 1;
			if (!c)
				break;
		} else {
			page_put(b.page);
			hi = mid;
		}
	}
	return have ? 0 : -ENOENT;
}

int erofs_lookup(struct vnode *v, const char *name, size_t len, struct vnode **ret)
{
	struct erofs_inode *dir = erofs_inode(v);
	struct dir_block b;
	u64 nid = 0;
	int r = dir_find_block(dir, name, len, &b);
	if (r)
		return r;
	unsigned lo = 0, hi = b.n;
	r = -ENOENT;
	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int c, e = dir_block_cmp(dir, &b, mid, name, len, &c);
		if (e) {
			r = e;
			break;
		}
		if (!c) {
			nid = dirent_at(&b, mid).nid;
			r = 0;
			break;
		}
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	page_put(b.page);
	return r ? r : erofs_iget(erofs_of(v), nid, ret);
}

/* Entries of one block from entry k on. 1: the reader is full. */
static int dir_emit_block(struct erofs_inode *dir, const struct dir_block *b, u64 base, unsigned k, vnode_dirent_fn fn, void *arg)
{
	static const u8 types[] = { 0, VNODE_REG, VNODE_DIR, VNODE_CHR, VNODE_BLK, VNODE_FIFO, VNODE_SOCK, VNODE_LINK };
	for (; k < b->n; k++) {
		struct erofs_disk_dirent d = dirent_at(b, k);
		const char *name;
		size_t len;
		int r = dir_block_name(dir, b, k, &name, &len);
		if (r)
			return r;
		if (d.type >= ARRAY_SIZE(types))
			return erofs_corrupt(erofs_of(&dir->v), dir->nid, "bad type in a directory");
		u64 next = k + 1 < b->n ? base + (k + 1) * sizeof d : base + EROFS_BLOCK;
		if (!fn(arg, name, len, d.nid, types[d.type], next))
			return 1;
	}
	return 0;
}

/* The cookie is the entry's byte offset in the directory. */
COLD int erofs_readdir(struct vnode *v, u64 off, vnode_dirent_fn fn, void *arg)
{
	struct erofs_inode *dir = erofs_inode(v);
	while (off < v->size) {
		struct dir_block b;
		u64 base = ROUND_DOWN(off, EROFS_BLOCK);
		int r = dir_block_get(dir, off / EROFS_BLOCK, &b);
		if (r)
			return r;
		r = dir_emit_block(dir, &b, base, (unsigned)DIV_ROUND_UP(off - base, sizeof(struct erofs_disk_dirent)), fn, arg);
		page_put(b.page);
		if (r)
			return r < 0 ? r : 0;
		off = base + EROFS_BLOCK;
	}
	return 0;
}
