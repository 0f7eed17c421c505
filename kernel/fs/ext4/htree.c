/*
 * htree.c - the index of a directory: a tree of hashes over its leaf blocks.
 *
 * The root lies in block 0 behind "." and "..", inner nodes in blocks of their own that look like empty
 * leaves to those who do not know the index. Entry k of a node leads to hashes from entries[k].hash on;
 * entry 0 has no hash (its place holds count and limit). Bit 0 of a hash says that the leaf before
 * holds names of the same hash too.
 *
 * Invariants:
 *  (H1) The entries of a node are sorted by hash; each leaf holds names whose hash is at or above its entry's and at or
 *       below the next one's (equal only where the next has bit 0 set).
 *  (H2) A split changes nothing before all blocks that it needs are there.
 *
 * Under M, changes in a transaction. What can fail: -ENOSPC (also: the tree is full), -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/htree.h"

#define LEVELS_MAX 3u

struct dx_level {
	struct ext4_buf *buf;
	struct ext4_dx_entry *entries;
	u32 at;
};
struct dx_path {
	struct dx_level l[LEVELS_MAX];
	unsigned depth;                      /* l[depth] points to leaves */
	u8 version;
};

/* ---- Nodes ---- */

static struct ext4_dx_root_info *root_info(struct ext4_buf *b) { return (struct ext4_dx_root_info *)(void *)(b->data + 24); }
static struct ext4_dx_countlimit *countlimit(struct ext4_dx_entry *x) { return (struct ext4_dx_countlimit *)(void *)x; }
static u32 count_of(struct ext4_dx_entry *x) { return countlimit(x)->count; }
static u32 limit_of(struct ext4_dx_entry *x) { return countlimit(x)->limit; }
static u32 block_of(const struct ext4_dx_entry *x) { return x->block & 0x0fffffff; }

/* Where a node's entries begin: in the root behind the information, elsewhere behind the record that hides them. */
static u32 entries_offset(u64 lblk, struct ext4_buf *b) { return lblk ? 8 : 24u + root_info(b)->info_length; }
static struct ext4_dx_entry *entries_of(u64 lblk, struct ext4_buf *b) { return (struct ext4_dx_entry *)(void *)(b->data + entries_offset(lblk, b)); }
static u32 limit_want(const struct ext4 *e, u32 offset) { return (e->block_size - offset) / 8 - (e->csum ? 1 : 0); }

/* Without checksums an empty leaf begins as an inner node does, but has no limit: Linux leaves zeroes behind the record. */
bool htree_is_node(const struct ext4_inode *dir, u64 lblk, struct ext4_buf *b)
{
	const struct ext4 *e = ext4_of(&dir->v);
	const struct ext4_dirent *d = (const struct ext4_dirent *)(const void *)b->data;

	if (!(dir->flags & EXT4_FL_INDEX) || !(e->compat & EXT4_COMPAT_DIR_INDEX))
		return false;
	return lblk == 0 || (!d->ino && !d->name_len && !d->file_type && dirent_rec(e, d) == e->block_size &&
			     limit_of(entries_of(lblk, b)) == limit_want(e, 8));
}

static u32 node_csum(u32 seed, struct ext4_buf *b, u32 offset)
{
	struct ext4_dx_entry *x = (struct ext4_dx_entry *)(void *)(b->data + offset);
	struct ext4_dx_tail *t = (struct ext4_dx_tail *)(void *)(x + limit_of(x));
	static const u8 zero[4];
	u32 crc = ext4_crc32c(seed, b->data, offset + count_of(x) * sizeof *x);

	crc = ext4_crc32c(crc, &t->reserved, 4);
	return ext4_crc32c(crc, zero, 4);
}

/* The offset of a node's entries, found without knowing which block it is. */
static u32 node_offset(const struct ext4 *e, struct ext4_buf *b)
{
	const struct ext4_dirent *d = (const struct ext4_dirent *)(const void *)b->data;

	return dirent_rec(e, d) == 12 ? 24u + root_info(b)->info_length : 8;
}

static void node_seal(const struct ext4 *e, struct ext4_buf *b)
{
	u32 offset = node_offset(e, b);
	struct ext4_dx_entry *x = (struct ext4_dx_entry *)(void *)(b->data + offset);

	if (limit_of(x) == limit_want(e, offset) && count_of(x) <= limit_of(x))
		((struct ext4_dx_tail *)(void *)(x + limit_of(x)))->checksum = node_csum(b->seal_seed, b, offset);
}

void htree_node_changed(struct ext4_inode *dir, struct ext4_buf *b)
{
	buf_dirty_sealed(ext4_of(&dir->v), b, node_seal, dir->csum_seed);
}

static bool root_valid(const struct ext4 *e, struct ext4_buf *b)
{
	const struct ext4_dirent *dot = (const struct ext4_dirent *)(const void *)b->data, *up = (const struct ext4_dirent *)(const void *)(b->data + 12);
	const struct ext4_dx_root_info *info = root_info(b);
	u32 levels = e->incompat & EXT4_INCOMPAT_LARGEDIR ? 2 : 1;

	return dot->rec_len == 12 && dot->name_len == 1 && dot->name[0] == '.' && up->name_len == 2 && up->name[0] == '.' && up->name[1] == '.' &&
	       dirent_rec(e, up) == e->block_size - 12 && !info->reserved && info->info_length == 8 && info->indirect_levels <= levels &&
	       info->hash_version <= EXT4_HASH_TEA_U;
}

bool htree_node_valid(struct ext4_inode *dir, u64 lblk, struct ext4_buf *b)
{
	struct ext4 *e = ext4_of(&dir->v);

	if (!lblk && !root_valid(e, b))
		return false;
	u32 offset = entries_offset(lblk, b);
	struct ext4_dx_entry *x = entries_of(lblk, b);
	if (limit_of(x) != limit_want(e, offset) || !count_of(x) || count_of(x) > limit_of(x))
		return false;
	for (u32 k = 2; k < count_of(x); k++)
		if (x[k].hash < x[k - 1].hash)
			return false;
	return !e->csum || ((struct ext4_dx_tail *)(void *)(x + limit_of(x)))->checksum == node_csum(dir->csum_seed, b, offset);
}

/* ---- Walking ---- */

static void dx_put(struct ext4_inode *dir, struct dx_path *p)
{
	for (unsigned k = 0; k < LEVELS_MAX; k++) {
		if (p->l[k].buf)
			buf_put(ext4_of(&dir->v), p->l[k].buf);
		p->l[k].buf = NULL;
	}
}

static int dx_node(struct ext4_inode *dir, u64 lblk, struct dx_level *l)
{
	int r = dir_block(dir, lblk, &l->buf);

	if (r)
		return r;
	if (!htree_is_node(dir, lblk, l->buf)) {
		buf_put(ext4_of(&dir->v), l->buf);
		l->buf = NULL;
		return ext4_corrupted(ext4_of(&dir->v), dir->v.ino, "index of a directory");
	}
	l->entries = entries_of(lblk, l->buf);
	return 0;
}

/* The last entry at or below hash; entry 0 is below all. */
static u32 dx_search(struct ext4_dx_entry *x, u32 hash)
{
	u32 lo = 1, hi = count_of(x);

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		if (x[mid].hash > hash)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo - 1;
}

static int dx_root(struct ext4_inode *dir, struct dx_path *p)
{
	memset(p, 0, sizeof *p);
	int r = dx_node(dir, 0, &p->l[0]);
	if (!r) {
		p->depth = root_info(p->l[0].buf)->indirect_levels;
		p->version = root_info(p->l[0].buf)->hash_version;
	}
	return r;
}

/* From the root, which is there, to the entry of the leaf for a hash. dx_put when done, also after an error. */
static int dx_walk(struct ext4_inode *dir, struct dx_path *p, u32 hash)
{
	for (unsigned k = 0;; k++) {
		p->l[k].at = dx_search(p->l[k].entries, hash);
		if (k == p->depth)
			return 0;
		int r = dx_node(dir, block_of(&p->l[k].entries[p->l[k].at]), &p->l[k + 1]);
		if (r)
			return r;
	}
}

/* The next leaf: 1 and its first hash, or 0 at the end. */
static int dx_next(struct ext4_inode *dir, struct dx_path *p, u32 *ret_hash)
{
	unsigned k = p->depth;

	while (p->l[k].at + 1 >= count_of(p->l[k].entries)) {
		if (k-- == 0)
			return 0;
	}
	p->l[k].at++;
	*ret_hash = p->l[k].entries[p->l[k].at].hash;
	for (; k < p->depth; k++) {
		buf_put(ext4_of(&dir->v), p->l[k + 1].buf);
		p->l[k + 1].buf = NULL;
		int r = dx_node(dir, block_of(&p->l[k].entries[p->l[k].at]), &p->l[k + 1]);
		if (r)
			return r;
		p->l[k + 1].at = 0;
	}
	return 1;
}

static u64 leaf_of(const struct dx_path *p)
{
	return block_of(&p->l[p->depth].entries[p->l[p->depth].at]);
}

/* A leaf, which must not be a node of the index. */
static int leaf_block(struct ext4_inode *dir, u64 lblk, struct ext4_buf **ret)
{
	int r = dir_block(dir, lblk, ret);

	if (!r && htree_is_node(dir, lblk, *ret)) {
		buf_put(ext4_of(&dir->v), *ret);
		r = ext4_corrupted(ext4_of(&dir->v), dir->v.ino, "index of a directory");
	}
	return r;
}

int htree_find(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret, struct ext4_dirent **ret_prev)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_hash h;
	struct dx_path p;
	u64 walked = 0;
	int r = dx_root(dir, &p);

	if (!r) {
		ext4_dirhash(e, p.version, name, len, &h);
		r = dx_walk(dir, &p, h.major);
	}
	while (!r) {
		struct ext4_buf *b;
		u32 first;
		r = leaf_block(dir, leaf_of(&p), &b);
		if (r)
			break;
		*ret = dir_find_in(dir, b, name, len, ret_prev);
		if (*ret) {
			*ret_buf = b;
			break;
		}
		buf_put(e, b);
		/* Names of this hash may go on in the next leaf. */
		r = dx_next(dir, &p, &first);
		if (r < 0)
			break;
		if (walked++ > dir->disk_size >> e->block_bits)
			r = ext4_corrupted(e, dir->v.ino, "index of a directory");
		else
			r = r && first == (h.major | 1) ? 0 : -ENOENT;
	}
	dx_put(dir, &p);
	return r;
}

/* ---- Splitting leaves ---- */

struct name_ref {
	u32 hash;
	u16 at, size;                        /* offset in the block, bytes of its record */
};

static void refs_sort(struct name_ref *x, unsigned n)
{
	for (unsigned gap = n / 2; gap; gap /= 2)
		for (unsigned k = gap; k < n; k++) {
			struct name_ref v = x[k];
			unsigned at = k;
			for (; at >= gap && x[at - gap].hash > v.hash; at -= gap)
				x[at] = x[at - gap];
			x[at] = v;
		}
}

/* The names of a leaf with their hashes, sorted. At most block_size / 12 of them. */
static unsigned refs_collect(struct ext4_inode *dir, u8 version, const u8 *data, struct name_ref *x)
{
	struct ext4 *e = ext4_of(&dir->v);
	unsigned n = 0;

	for (u32 at = 0; at < dir_space(e);) {
		const struct ext4_dirent *d = (const struct ext4_dirent *)(const void *)(data + at);
		if (d->ino) {
			struct ext4_hash h;
			ext4_dirhash(e, version, d->name, d->name_len, &h);
			x[n++] = (struct name_ref){ h.major, (u16)at, (u16)dirent_len(d->name_len) };
		}
		at += dirent_rec(e, d);
	}
	refs_sort(x, n);
	return n;
}

/* Fill a leaf with names of another block, packed; the last record takes what is left. */
static void leaf_fill(struct ext4_inode *dir, struct ext4_buf *b, const u8 *from, const struct name_ref *x, unsigned n)
{
	struct ext4_dirent *d = NULL;
	u32 at = 0, space = dir_space(ext4_of(&dir->v));

	dir_block_init(dir, b);
	for (unsigned k = 0; k < n; k++) {
		d = (struct ext4_dirent *)(void *)(b->data + at);
		memcpy(d, from + x[k].at, x[k].size);
		d->rec_len = x[k].size;
		at += x[k].size;
	}
	if (d)
		d->rec_len = (u16)(d->rec_len + space - at);
	dir_block_changed(dir, b);
}

/* Where to cut sorted names into halves of about the same size; both get something. */
static unsigned cut_of(const struct ext4 *e, const struct name_ref *x, unsigned n)
{
	u32 size = 0;
	unsigned k = 0;

	while (k + 1 < n && size + x[k].size <= e->block_size / 2)
		size += x[k++].size;
	return k ? k : 1;
}

static void dx_insert(struct ext4_inode *dir, struct dx_level *l, u32 hash, u32 block)
{
	struct ext4_dx_entry *x = &l->entries[l->at + 1];

	memmove(x + 1, x, (count_of(l->entries) - l->at - 1) * sizeof *x);
	x->hash = hash;
	x->block = block;
	countlimit(l->entries)->count++;
	htree_node_changed(dir, l->buf);
}

/* ---- Making room in the index ---- */

/* A block for a node with n entries copied from x. */
static int node_new(struct ext4_inode *dir, const struct ext4_dx_entry *x, u32 n, struct ext4_buf **ret, u64 *ret_lblk)
{
	struct ext4 *e = ext4_of(&dir->v);
	int r = dir_append_block(dir, ret, ret_lblk);

	if (r)
		return r;
	memset((*ret)->data, 0, e->block_size);
	((struct ext4_dirent *)(void *)(*ret)->data)->rec_len = (u16)e->block_size;
	struct ext4_dx_entry *to = (struct ext4_dx_entry *)(void *)((*ret)->data + 8);
	memcpy(to, x, n * sizeof *x);
	*countlimit(to) = (struct ext4_dx_countlimit){ .limit = (u16)limit_want(e, 8), .count = (u16)n };
	htree_node_changed(dir, *ret);
	return 0;
}

/* The root is full: its entries move one level down. */
static int dx_grow(struct ext4_inode *dir, struct dx_path *p)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct dx_level *root = &p->l[0];
	struct ext4_buf *b;
	u64 lblk;

	if (p->depth >= (e->incompat & EXT4_INCOMPAT_LARGEDIR ? 2u : 1u))
		return -ENOSPC;
	int r = node_new(dir, root->entries, count_of(root->entries), &b, &lblk);
	if (r)
		return r;
	countlimit(root->entries)->count = 1;
	root->entries[0].block = (u32)lblk;
	root_info(root->buf)->indirect_levels++;
	htree_node_changed(dir, root->buf);
	buf_put(e, b);
	return 0;
}

/* Split the full node at level k > 0; the one above has room. */
static int dx_split(struct ext4_inode *dir, struct dx_path *p, unsigned k)
{
	struct dx_level *l = &p->l[k];
	u32 n = count_of(l->entries), keep = n / 2;
	u32 hash = l->entries[keep].hash;
	struct ext4_buf *b;
	u64 lblk;
	int r = node_new(dir, l->entries + keep, n - keep, &b, &lblk);

	if (r)
		return r;
	countlimit(l->entries)->count = (u16)keep;
	htree_node_changed(dir, l->buf);
	dx_insert(dir, &p->l[k - 1], hash, (u32)lblk);
	buf_put(ext4_of(&dir->v), b);
	return 0;
}

/* Walk to the leaf for a hash, and make sure that the node above it has room for one entry more. */
static int dx_walk_room(struct ext4_inode *dir, u32 hash, struct dx_path *p)
{
	for (;;) {
		int r = dx_root(dir, p);
		if (!r)
			r = dx_walk(dir, p, hash);
		if (r)
			return r;
		unsigned k = p->depth;
		if (count_of(p->l[k].entries) < limit_of(p->l[k].entries))
			return 0;
		while (k > 0 && count_of(p->l[k - 1].entries) == limit_of(p->l[k - 1].entries))
			k--;
		r = k == 0 ? dx_grow(dir, p) : dx_split(dir, p, k);
		dx_put(dir, p);
		if (r)
			return r;
	}
}

/* ---- Adding ---- */

/* The leaf b at the end of p is full: half of its names move to a new one. */
static int leaf_split(struct ext4_inode *dir, struct dx_path *p, struct ext4_buf *b)
{
	struct ext4 *e = ext4_of(&dir->v);
	u8 *old = heap_alloc(e->block_size);
	struct name_ref *x = heap_alloc_array(e->block_size / 12 + 1, sizeof *x);
	struct ext4_buf *fresh = NULL;
	u64 lblk;
	int r = old && x ? dir_append_block(dir, &fresh, &lblk) : -ENOMEM;

	if (!r) {
		memcpy(old, b->data, e->block_size);
		unsigned n = refs_collect(dir, p->version, old, x), cut = cut_of(e, x, n);
		bool same = x[cut].hash == x[cut - 1].hash;
		leaf_fill(dir, fresh, old, x + cut, n - cut);
		leaf_fill(dir, b, old, x, cut);
		dx_insert(dir, &p->l[p->depth], x[cut].hash | (same ? 1 : 0), (u32)lblk);
		buf_put(e, fresh);
	}
	heap_free(old);
	heap_free(x);
	return r;
}

/* One try: 0 added, 1 the leaf was split and it is worth trying again. */
static int add_once(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type, u32 hash)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_buf *b;
	struct dx_path p;
	int r = dx_walk_room(dir, hash, &p);

	if (!r)
		r = leaf_block(dir, leaf_of(&p), &b);
	if (!r) {
		if (dir_add_in(dir, b, name, len, ino, type)) {
			dir_block_changed(dir, b);
		} else {
			r = leaf_split(dir, &p, b);
			r = r ? r : 1;
		}
		buf_put(e, b);
	}
	dx_put(dir, &p);
	return r;
}

int htree_add(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type)
{
	struct ext4_hash h;
	struct dx_path p;
	int r = dx_root(dir, &p);

	if (!r)
		ext4_dirhash(ext4_of(&dir->v), p.version, name, len, &h);
	dx_put(dir, &p);
	/* Names of one hash may fill several leaves: each split makes at least one name's worth of room somewhere. */
	for (unsigned tries = 0; !r && tries < 16; tries++) {
		r = add_once(dir, name, len, ino, type, h.major);
		if (r <= 0)
			return r;
		r = 0;
	}
	return r ? r : -ENOSPC;
}

/* ---- The first index ---- */

int htree_make(struct ext4_inode *dir)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct name_ref *x = heap_alloc_array(e->block_size / 12 + 1, sizeof *x);
	u8 *old = heap_alloc(e->block_size);
	struct ext4_buf *root = NULL, *leaf = NULL;
	u64 lblk;
	int r = x && old ? dir_block(dir, 0, &root) : -ENOMEM;

	if (!r)
		r = dir_append_block(dir, &leaf, &lblk);
	if (!r) {
		memcpy(old, root->data, e->block_size);
		struct ext4_dirent *dot = (struct ext4_dirent *)(void *)root->data;
		struct ext4_dirent *up = (struct ext4_dirent *)(void *)(root->data + dirent_rec(e, dot));
		u32 parent = up->ino;
		u8 type = up->file_type, version = e->hash_version <= EXT4_HASH_TEA ? e->hash_version : EXT4_HASH_HALF_MD4;
		/* All names but the first two go to the leaf. */
		unsigned n = refs_collect(dir, version, old, x), kept = 0;
		for (unsigned k = 0; k < n; k++) {
			const struct ext4_dirent *d = (const struct ext4_dirent *)(const void *)(old + x[k].at);
			if (!fs_name_is_dot(d->name, d->name_len) && !fs_name_is_dotdot(d->name, d->name_len))
				x[kept++] = x[k];
		}
		leaf_fill(dir, leaf, old, x, kept);
		dot->rec_len = 12;
		up = (struct ext4_dirent *)(void *)(root->data + 12);
		memset(up, 0, e->block_size - 12);
		*up = (struct ext4_dirent){ .ino = parent, .rec_len = (u16)(e->block_size - 12), .name_len = 2, .file_type = type };
		memcpy(up->name, "..", 2);
		*root_info(root) = (struct ext4_dx_root_info){ .hash_version = version, .info_length = 8 };
		struct ext4_dx_entry *entries = entries_of(0, root);
		*countlimit(entries) = (struct ext4_dx_countlimit){ .limit = (u16)limit_want(e, 32), .count = 1 };
		entries[0].block = (u32)lblk;
		dir->flags |= EXT4_FL_INDEX;
		htree_node_changed(dir, root);
	}
	if (root)
		buf_put(e, root);
	if (leaf)
		buf_put(e, leaf);
	heap_free(x);
	heap_free(old);
	return r;
}

/* ---- For readdir ---- */

int htree_leaf_copy(struct ext4_inode *dir, u32 from, u8 *data, u32 *ret_next, u8 *ret_version)
{
	struct ext4 *e = ext4_of(&dir->v);
	struct ext4_buf *b;
	struct dx_path p;
	u32 next;
	int r = dx_root(dir, &p);

	if (!r)
		r = dx_walk(dir, &p, from);
	if (!r)
		r = leaf_block(dir, leaf_of(&p), &b);
	if (!r) {
		memcpy(data, b->data, e->block_size);
		buf_put(e, b);
		*ret_version = p.version;
		r = dx_next(dir, &p, &next);
		/* A hash that goes on in the next leaf is told twice: the caller skips what it has. */
		*ret_next = r > 0 ? next : 0xffffffff;
		r = r < 0 ? r : 0;
	}
	dx_put(dir, &p);
	return r;
}
