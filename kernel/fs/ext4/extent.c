/*
 * extent.c - extent trees: look-up, insertion, marking as written, removal.
 *
 * A tree's root is in the inode (4 entries), its nodes are blocks. Entries are sorted by logical block. Every
 * change keeps the tree valid after each step, so that running out of space in the middle of a
 * change leaves a tree that says what was true before or after it.
 *
 * Invariants:
 *  (X1) An index entry's block is the first logical block of what is below it.
 *  (X2) Lengths: at most 32768 written, 32767 unwritten blocks; extents do not overlap.
 *  (X3) A node's checksum is made when it changes (node_changed); it is checked once after reading.
 *
 * Under M, changes in a transaction. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN (a node that makes no sense).
 */
#include "fs/ext4/ext4.h"

#define WRITTEN_MAX   32768u
#define UNWRITTEN_MAX 32767u
#define FREE_ROUNDS   128u                   /* extents that one call frees: bounds the transaction */

struct level {
	struct ext4_buf *buf;                /* NULL: the root */
	struct ext4_ext_header *h;
	s32 at;                              /* the entry that covers the block, or -1: before the first */
};
struct path {
	struct level l[EXT4_EXT_MAX_DEPTH + 1];
	unsigned depth;                      /* l[depth] is the leaf */
};

static struct ext4_ext *exts(const struct ext4_ext_header *h) { return (struct ext4_ext *)(void *)(h + 1); }
static struct ext4_ext_idx *idxs(const struct ext4_ext_header *h) { return (struct ext4_ext_idx *)(void *)(h + 1); }
static struct ext4_ext_header *root_of(struct ext4_inode *i) { return (struct ext4_ext_header *)(void *)i->block; }
static bool ext_unwritten(const struct ext4_ext *x) { return x->len > EXT4_EXT_UNWRITTEN; }
static u32 ext_len(const struct ext4_ext *x) { return ext_unwritten(x) ? x->len - EXT4_EXT_UNWRITTEN : x->len; }
static u64 ext_start(const struct ext4_ext *x) { return x->start_lo | (u64)x->start_hi << 32; }
static u64 idx_leaf(const struct ext4_ext_idx *x) { return x->leaf_lo | (u64)x->leaf_hi << 32; }
static u64 ext_end(const struct ext4_ext *x) { return (u64)x->block + ext_len(x); }

static void ext_set(struct ext4_ext *x, u64 lblk, u64 block, u32 len, bool unwritten)
{
	x->block = (u32)lblk;
	x->len = (u16)(unwritten ? len + EXT4_EXT_UNWRITTEN : len);
	x->start_lo = (u32)block;
	x->start_hi = (u16)(block >> 32);
}
static void idx_set_leaf(struct ext4_ext_idx *x, u64 block)
{
	x->leaf_lo = (u32)block;
	x->leaf_hi = (u16)(block >> 32);
}

void extent_root_init(struct ext4_inode *i)
{
	memset(i->block, 0, sizeof i->block);
	*root_of(i) = (struct ext4_ext_header){ .magic = EXT4_EXT_MAGIC, .max = 4 };
	i->flags |= EXT4_FL_EXTENTS;
}

/* ---- Nodes ---- */

static u32 node_max(const struct ext4 *e) { return (e->block_size - (u32)sizeof(struct ext4_ext_header)) / (u32)sizeof(struct ext4_ext); }
static u32 *node_tail(const struct ext4_ext_header *h) { return (u32 *)(void *)(exts(h) + h->max); }

static u32 node_csum(u32 seed, const struct ext4_ext_header *h) { return ext4_crc32c(seed, h, (size_t)((u8 *)node_tail(h) - (u8 *)h)); }

static void node_seal(const struct ext4 *e, struct ext4_buf *b)
{
	struct ext4_ext_header *h = (struct ext4_ext_header *)(void *)b->data;

	if (h->max <= node_max(e))
		*node_tail(h) = node_csum(b->seal_seed, h);
}

static void node_changed(struct ext4_inode *i, struct level *l)
{
	if (l->buf)                          /* else the inode is stored by the caller */
		buf_dirty_sealed(ext4_of(&i->v), l->buf, node_seal, i->csum_seed);
}

static bool entries_sorted(const struct ext4_ext_header *h)
{
	u64 after = 0;

	for (u32 k = 0; k < h->entries; k++) {
		if (h->depth) {
			if (k && idxs(h)[k].block <= idxs(h)[k - 1].block)
				return false;
		} else {
			if (!ext_len(&exts(h)[k]) || exts(h)[k].block < after)
				return false;
			after = ext_end(&exts(h)[k]);
		}
	}
	return after <= 1ull << 32;
}

static int node_check(struct ext4_inode *i, const struct ext4_ext_header *h, unsigned depth, u32 max)
{
	if (h->magic != EXT4_EXT_MAGIC || h->depth != depth || h->max > max || h->entries > h->max || !h->max || (depth && !h->entries) || !entries_sorted(h))
		return ext4_corrupted(ext4_of(&i->v), i->v.ino, "extent tree");
	return 0;
}

static int node_read(struct ext4_inode *i, u64 block, unsigned depth, struct level *l)
{
	struct ext4 *e = ext4_of(&i->v);
	int r = buf_read(e, block, &l->buf);

	if (r)
		return r;
	l->h = (struct ext4_ext_header *)(void *)l->buf->data;
	u64 role = buf_role((u32)i->v.ino, BUF_EXTENTS + depth);
	if (l->buf->checked != role) {
		buf_seal(e, l->buf);
		r = node_check(i, l->h, depth, node_max(e));
		if (!r && e->csum && *node_tail(l->h) != node_csum(i->csum_seed, l->h))
			r = ext4_corrupted(e, i->v.ino, "checksum of an extent block");
		l->buf->checked = r ? 0 : role;
	} else if (l->h->magic != EXT4_EXT_MAGIC || l->h->depth != depth) {
		r = ext4_corrupted(e, i->v.ino, "extent tree");
	}
	if (r) {
		buf_put(e, l->buf);
		l->buf = NULL;
	}
	return r;
}

static void path_put(struct ext4_inode *i, struct path *p)
{
	for (unsigned k = 0; k <= p->depth; k++)
		if (p->l[k].buf)
			buf_put(ext4_of(&i->v), p->l[k].buf);
	memset(p, 0, sizeof *p);
}

/* The last entry that begins at or before lblk, or -1. */
static s32 entry_find(const struct ext4_ext_header *h, u64 lblk)
{
	s32 lo = 0, hi = (s32)h->entries - 1, at = -1;

	while (lo <= hi) {
		s32 mid = (lo + hi) / 2;
		/* Extents and indexes both begin with their logical block. */
		if (exts(h)[mid].block <= lblk) {
			at = mid;
			lo = mid + 1;
		} else {
			hi = mid - 1;
		}
	}
	return at;
}

/* From the root to the leaf where lblk is or would be; path_put when done. */
static int path_find(struct ext4_inode *i, u64 lblk, struct path *p)
{
	struct ext4_ext_header *h = root_of(i);

	memset(p, 0, sizeof *p);
	if (h->depth > EXT4_EXT_MAX_DEPTH)
		return ext4_corrupted(ext4_of(&i->v), i->v.ino, "depth of an extent tree");
	int r = node_check(i, h, h->depth, 4);
	if (r)
		return r;
	p->depth = 0;
	p->l[0].h = h;
	for (unsigned depth = h->depth;; depth--) {
		struct level *l = &p->l[p->depth];
		l->at = entry_find(l->h, lblk);
		if (!depth)
			return 0;
		/* Before everything: the first child is where it would go. */
		if (l->at < 0)
			l->at = 0;
		r = node_read(i, idx_leaf(&idxs(l->h)[l->at]), depth - 1, &p->l[p->depth + 1]);
		if (r) {
			path_put(i, p);
			return r;
		}
		p->depth++;
	}
}

/* The first logical block of the next leaf to the right, or 2^32. */
static u64 path_next(const struct path *p)
{
	for (s32 k = (s32)p->depth - 1; k >= 0; k--)
		if (p->l[k].at + 1 < (s32)p->l[k].h->entries)
			return idxs(p->l[k].h)[p->l[k].at + 1].block;
	return 1ull << 32;
}

/* ---- Look-up ---- */

int extent_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret)
{
	struct path p;

	*ret = (struct ext4_map){ .count = 1 };
	if (lblk >= 1ull << 32)
		return 0;
	int r = path_find(i, lblk, &p);
	if (!r) {
		struct level *l = &p.l[p.depth];
		struct ext4_ext *x = l->at >= 0 ? &exts(l->h)[l->at] : NULL;
		if (x && lblk < ext_end(x)) {
			ret->block = ext_start(x) + (lblk - x->block);
			ret->count = ext_end(x) - lblk;
			ret->unwritten = ext_unwritten(x);
		} else {
			u64 next = l->at + 1 < (s32)l->h->entries ? exts(l->h)[l->at + 1].block : path_next(&p);
			ret->count = MAX(next, lblk + 1) - lblk;
		}
	}
	path_put(i, &p);
	return r;
}

/* ---- Making room ---- */

/* The first logical block below a level changed: the indexes above say so; keeps (X1). */
static void keys_fix(struct ext4_inode *i, struct path *p)
{
	for (unsigned k = p->depth; k > 0; k--) {
		struct ext4_ext_idx *x = &idxs(p->l[k - 1].h)[p->l[k - 1].at];
		u32 first = exts(p->l[k].h)[0].block;
		if (!p->l[k].h->entries || x->block == first)
			return;
		x->block = first;
		node_changed(i, &p->l[k - 1]);
	}
}

static int node_new(struct ext4_inode *i, u64 goal, unsigned depth, struct level *ret)
{
	struct ext4 *e = ext4_of(&i->v);
	u32 n = 1;
	u64 block;
	int r = ext4_alloc_blocks(e, goal, EXT4_ALLOC_META, &n, &block);

	if (r)
		return r;
	r = buf_new(e, block, &ret->buf);
	if (r) {
		int f = ext4_free_blocks(e, block, 1, true);
		return f ? f : r;
	}
	ret->h = (struct ext4_ext_header *)(void *)ret->buf->data;
	*ret->h = (struct ext4_ext_header){ .magic = EXT4_EXT_MAGIC, .max = (u16)node_max(e), .depth = (u16)depth };
	i->sectors += 1u << (e->block_bits - 9);
	return 0;
}

/* The root is full: what it holds goes into a block, and it holds one index to that. */
static int tree_grow(struct ext4_inode *i, u64 goal)
{
	struct ext4_ext_header *root = root_of(i);
	struct level child;

	if (root->depth == EXT4_EXT_MAX_DEPTH)
		return -EFBIG;
	int r = node_new(i, goal, root->depth, &child);
	if (r)
		return r;
	memcpy(exts(child.h), exts(root), root->entries * sizeof(struct ext4_ext));
	child.h->entries = root->entries;
	node_changed(i, &child);
	idxs(root)[0].block = exts(child.h)[0].block;
	idx_set_leaf(&idxs(root)[0], child.buf->block);
	idxs(root)[0].unused = 0;
	root->entries = 1;
	root->depth++;
	buf_put(ext4_of(&i->v), child.buf);
	return 0;
}

/* Split the full node at level k into two; its parent has room. */
static int node_split(struct ext4_inode *i, struct path *p, unsigned k, u64 goal, bool at_end)
{
	struct level *l = &p->l[k], *up = &p->l[k - 1], fresh;
	int r = node_new(i, goal, l->h->depth, &fresh);

	if (r)
		return r;
	/* Files that grow at their end leave full nodes behind. */
	u32 keep = at_end ? l->h->entries - 1u : l->h->entries / 2u, move = l->h->entries - keep;
	memcpy(exts(fresh.h), exts(l->h) + keep, move * sizeof(struct ext4_ext));
	fresh.h->entries = (u16)move;
	node_changed(i, &fresh);
	struct ext4_ext_idx *x = &idxs(up->h)[up->at + 1];
	memmove(x + 1, x, (size_t)(up->h->entries - up->at - 1) * sizeof *x);
	x->block = exts(fresh.h)[0].block;
	x->unused = 0;
	idx_set_leaf(x, fresh.buf->block);
	up->h->entries++;
	node_changed(i, up);
	l->h->entries = (u16)keep;
	node_changed(i, l);
	buf_put(ext4_of(&i->v), fresh.buf);
	return 0;
}

/* Find the leaf for lblk and make sure that n entries fit into it. */
static int path_room(struct ext4_inode *i, u64 lblk, u32 n, u64 goal, struct path *p)
{
	for (;;) {
		int r = path_find(i, lblk, p);
		if (r)
			return r;
		struct level *leaf = &p->l[p->depth];
		if (leaf->h->entries + n <= leaf->h->max)
			return 0;
		bool at_end = leaf->at == (s32)leaf->h->entries - 1 && path_next(p) == 1ull << 32;
		unsigned k = p->depth;
		while (k > 0 && p->l[k - 1].h->entries == p->l[k - 1].h->max)
			k--;
		r = k == 0 ? tree_grow(i, goal) : node_split(i, p, k, goal, at_end);
		path_put(i, p);
		if (r)
			return r;
	}
}

/* ---- Insertion ---- */

static bool can_join(const struct ext4_ext *a, const struct ext4_ext *b)
{
	return ext_unwritten(a) == ext_unwritten(b) && ext_end(a) == b->block && ext_start(a) + ext_len(a) == ext_start(b) &&
	       ext_len(a) + ext_len(b) <= (ext_unwritten(a) ? UNWRITTEN_MAX : WRITTEN_MAX);
}

static void entry_remove(struct level *l, s32 at)
{
	struct ext4_ext *x = &exts(l->h)[at];

	memmove(x, x + 1, (size_t)(l->h->entries - at - 1) * sizeof *x);
	l->h->entries--;
}

static void entry_insert(struct level *l, s32 at, const struct ext4_ext *fresh)
{
	struct ext4_ext *x = &exts(l->h)[at];

	memmove(x + 1, x, (size_t)(l->h->entries - at) * sizeof *x);
	*x = *fresh;
	l->h->entries++;
}

/* Join the entry at `at` with its neighbours in the leaf. */
static void entry_join(struct level *l, s32 at)
{
	struct ext4_ext *x = exts(l->h);

	if (at + 1 < (s32)l->h->entries && can_join(&x[at], &x[at + 1])) {
		x[at].len = (u16)(x[at].len + ext_len(&x[at + 1]));
		entry_remove(l, at + 1);
	}
	if (at > 0 && can_join(&x[at - 1], &x[at])) {
		x[at - 1].len = (u16)(x[at - 1].len + ext_len(&x[at]));
		entry_remove(l, at);
	}
}

int extent_insert(struct ext4_inode *i, u64 lblk, u64 block, u32 count, bool unwritten)
{
	struct ext4_ext fresh;
	struct path p;

	ext_set(&fresh, lblk, block, count, unwritten);
	/* Most often the extent before it just gets longer, and needs no room. */
	int r = path_find(i, lblk, &p);
	if (!r) {
		struct level *l = &p.l[p.depth];
		struct ext4_ext *x = l->at >= 0 ? &exts(l->h)[l->at] : NULL;
		if (x && can_join(x, &fresh)) {
			x->len = (u16)(x->len + count);
			entry_join(l, l->at);
			node_changed(i, l);
			path_put(i, &p);
			return 0;
		}
	}
	path_put(i, &p);
	if (!r)
		r = path_room(i, lblk, 1, block, &p);
	if (r)
		return r;
	struct level *l = &p.l[p.depth];
	entry_insert(l, l->at + 1, &fresh);
	entry_join(l, l->at + 1);
	keys_fix(i, &p);
	node_changed(i, l);
	path_put(i, &p);
	return 0;
}

/* ---- Written ---- */

/* The common case of a growing file: the first blocks of an unwritten extent go over to the written one before it. */
static bool written_shift(struct ext4_inode *i, struct path *p, u32 n)
{
	struct level *l = &p->l[p->depth];
	struct ext4_ext *x = &exts(l->h)[l->at], *before = l->at > 0 ? x - 1 : NULL;

	if (!before || ext_unwritten(before) || ext_end(before) != x->block || ext_start(before) + ext_len(before) != ext_start(x) ||
	    ext_len(before) + n > WRITTEN_MAX)
		return false;
	before->len = (u16)(before->len + n);
	if (n == ext_len(x))
		entry_remove(l, l->at);
	else
		ext_set(x, (u64)x->block + n, ext_start(x) + n, ext_len(x) - n, true);
	node_changed(i, l);
	return true;
}

/* Blocks [lblk, lblk + n) of the unwritten extent at p become written; two more entries fit into the leaf. */
static void written_cut(struct ext4_inode *i, struct path *p, u64 lblk, u32 n)
{
	struct level *l = &p->l[p->depth];
	s32 at = l->at;
	struct ext4_ext *x = &exts(l->h)[at], old = *x, part;
	u32 head = (u32)(lblk - old.block), tail = ext_len(&old) - head - n;

	ext_set(x, lblk, ext_start(&old) + head, n, false);
	if (tail) {
		ext_set(&part, lblk + n, ext_start(&old) + head + n, tail, true);
		entry_insert(l, at + 1, &part);
	}
	if (head) {
		ext_set(&part, old.block, ext_start(&old), head, true);
		entry_insert(l, at, &part);
		at++;
	}
	entry_join(l, at);
	keys_fix(i, p);
	node_changed(i, l);
}

int extent_written(struct ext4_inode *i, u64 lblk, u64 count, u64 *ret_done)
{
	struct path p;
	int r = path_find(i, lblk, &p);
	struct level *l = &p.l[p.depth];
	struct ext4_ext *x = !r && l->at >= 0 ? &exts(l->h)[l->at] : NULL;

	if (!r && (!x || lblk >= ext_end(x))) {
		/* A hole: nothing to do up to the next extent. */
		u64 next = l->at + 1 < (s32)l->h->entries ? exts(l->h)[l->at + 1].block : path_next(&p);
		u64 hole = MAX(next, lblk + 1) - lblk;
		*ret_done = MIN(count, hole);
		path_put(i, &p);
		return 0;
	}
	u32 n = r ? 0 : (u32)MIN(count, ext_end(x) - lblk);
	*ret_done = n;
	bool done = r || !ext_unwritten(x) || (lblk == x->block && written_shift(i, &p, n));
	u64 goal = r ? 0 : ext_start(x);
	path_put(i, &p);
	if (done)
		return r;
	r = path_room(i, lblk, 2, goal, &p);
	if (!r)
		written_cut(i, &p, lblk, n);
	path_put(i, &p);
	return r;
}

/* ---- Removal ---- */

/* The leaf at the end of p may be empty: take it, and what is empty above it, out of the tree. */
static int prune(struct ext4_inode *i, struct path *p)
{
	struct ext4 *e = ext4_of(&i->v);
	int r = 0;

	for (unsigned k = p->depth; k > 0 && !p->l[k].h->entries && !r; k--) {
		struct level *l = &p->l[k], *up = &p->l[k - 1];
		u64 block = l->buf->block;
		buf_put(e, l->buf);
		l->buf = NULL;
		r = ext4_free_blocks(e, block, 1, true);
		i->sectors -= MIN(i->sectors, (u64)1 << (e->block_bits - 9));
		entry_remove(up, up->at);
		node_changed(i, up);
		p->depth = k - 1;
		if (up->h->entries && up->at == 0)
			keys_fix(i, p);
	}
	if (!root_of(i)->entries)
		root_of(i)->depth = 0;
	return r;
}

/* Free what of [from, to] the extent at p covers. It stays, gets shorter, goes, or (a hole in its middle) becomes two: then the leaf has room. */
static int free_part(struct ext4_inode *i, struct path *p, u64 from, u64 to)
{
	struct ext4 *e = ext4_of(&i->v);
	struct level *l = &p->l[p->depth];
	struct ext4_ext *x = &exts(l->h)[l->at], old = *x, part;
	bool unwritten = ext_unwritten(&old);
	u64 a = MAX(from, (u64)old.block), b = MIN(to + 1, ext_end(&old));
	u32 head = (u32)(a - old.block), tail = (u32)(ext_end(&old) - b);
	int r = ext4_free_blocks(e, ext_start(&old) + head, b - a, i->v.type != VNODE_REG);

	if (r)
		return r;
	i->sectors -= MIN(i->sectors, (b - a) << (e->block_bits - 9));
	if (head)
		ext_set(x, old.block, ext_start(&old), head, unwritten);
	if (tail) {
		ext_set(&part, b, ext_start(&old) + (b - old.block), tail, unwritten);
		if (head)
			entry_insert(l, l->at + 1, &part);
		else
			*x = part;
	} else if (!head) {
		entry_remove(l, l->at);
	}
	node_changed(i, l);
	keys_fix(i, p);
	return prune(i, p);
}

/* One step: the first extent that ends after *from. Sets *from behind it; *ret_end when there is none up to `to`. */
static int free_step(struct ext4_inode *i, u64 *from, u64 to, bool *ret_end)
{
	struct path p;
	int r = path_find(i, *from, &p);
	struct level *l = &p.l[p.depth];
	struct ext4_ext *x = NULL;

	*ret_end = false;
	if (!r) {
		if (l->at < 0 || *from >= ext_end(&exts(l->h)[l->at]))
			l->at++;
		if (l->at < (s32)l->h->entries)
			x = &exts(l->h)[l->at];
		u64 next = x ? x->block : path_next(&p);
		if (next > to) {
			*ret_end = true;
		} else if (!x) {
			*from = next;        /* it begins in the next leaf */
		} else {
			u64 end = ext_end(x);
			bool middle = *from > x->block && to + 1 < end;
			u64 goal = ext_start(x);
			if (middle) {
				path_put(i, &p);
				r = path_room(i, *from, 1, goal, &p);
			}
			if (!r)
				r = free_part(i, &p, *from, to);
			*from = end;
		}
	}
	path_put(i, &p);
	return r;
}

int extent_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more)
{
	bool end = false;
	int r = 0;

	for (unsigned k = 0; k < FREE_ROUNDS && !r && !end; k++) {
		end = from > to;
		if (!end)
			r = free_step(i, &from, to, &end);
		if (ext4_txn_full(ext4_of(&i->v)))
			break;
	}
	*ret_more = !r && !end;
	return r;
}
