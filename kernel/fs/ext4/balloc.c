/*
 * balloc.c - blocks: finding runs of free ones, and giving them back.
 *
 * A block that is freed is free in the bitmap at once (which the transaction logs), but is not used again
 * before that transaction is committed: until then it is in e->busy. Otherwise a crash could leave the old
 * owner with somebody else's data. On a volume that discards it stays there until the device was told, too.
 *
 * Invariants: ranges in e->busy do not overlap; the counts of groups and volume say what the bitmaps say.
 * Under M with a transaction. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN (a free of what is free).
 */
#include "fs/ext4/ext4.h"

/* ---- Freed and not committed ---- */

/* The first busy range that ends after block. */
static struct ext4_range *busy_after(struct ext4 *e, u64 block)
{
	struct ext4_range *found = NULL;

	for (struct rb_node *n = e->busy.node; n;) {
		struct ext4_range *x = rb_entry(n, struct ext4_range, node);
		if (x->start + x->count > block) {
			found = x;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

static int busy_add(struct ext4 *e, u64 start, u64 count)
{
	struct ext4_range *x = heap_alloc(sizeof *x);
	struct rb_node *parent = NULL, **link = &e->busy.node;

	if (!x)
		return -ENOMEM;
	x->start = start;
	x->count = count;
	x->tid = e->j.running.tid;
	while (*link) {
		parent = *link;
		link = start < rb_entry(parent, struct ext4_range, node)->start ? &parent->left : &parent->right;
	}
	rb_insert(&e->busy, &x->node, parent, link);
	return 0;
}

static bool freed_by(const struct rb_node *n, u32 tid)
{
	return tid == ~0u || (s32)(rb_entry(n, struct ext4_range, node)->tid - tid) <= 0;
}

void ext4_release_freed(struct ext4 *e, u32 tid)
{
	if (e->discard && tid != ~0u) {
		if (rb_first(&e->busy))
			ext4_wake_thread(e);
		return;
	}
	for (struct rb_node *n = rb_first(&e->busy), *next; n; n = next) {
		next = rb_next(n);
		if (freed_by(n, tid)) {
			rb_erase(&e->busy, n);
			heap_free(rb_entry(n, struct ext4_range, node));
		}
	}
}

void ext4_discard_freed(struct ext4 *e)
{
	struct rb_node *n, *last;
	u64 at = 0;

	if (!e->discard)
		return;
	mutex_lock(&e->discard_lock);
	mutex_lock(&e->meta);
	for (struct ext4_range *x; !e->failed && (x = busy_after(e, at));) {
		u64 start = x->start, end = start + x->count;
		n = &x->node;
		at = end;
		if (!freed_by(n, e->j.committed))
			continue;
		/* With what lies behind it. */
		for (last = n; (last = rb_next(last)) && rb_entry(last, struct ext4_range, node)->start == end && freed_by(last, e->j.committed);)
			end += rb_entry(last, struct ext4_range, node)->count;
		mutex_unlock(&e->meta);
		int r = ext4_dev_discard(e, start, end - start);
		mutex_lock(&e->meta);
		/* Ranges come meanwhile, but only from here do they go. */
		for (at = end; n && rb_entry(n, struct ext4_range, node)->start < end; n = last) {
			last = rb_next(n);
			rb_erase(&e->busy, n);
			heap_free(rb_entry(n, struct ext4_range, node));
		}
		if (r) {
			log_warn("ext4: %s: the device does not discard (%d)", e->m.path, r);
			e->discard = false;
			ext4_release_freed(e, e->j.committed);
			break;
		}
	}
	mutex_unlock(&e->meta);
	mutex_unlock(&e->discard_lock);
}

/* ---- Searching a bitmap ---- */

static bool bit_get(const u8 *map, u32 k) { return map[k / 8] >> k % 8 & 1; }

/* The first clear bit in [from, end), or end. */
static u32 next_clear(const u8 *map, u32 from, u32 end)
{
	while (from < end && from % 64) {
		if (!bit_get(map, from))
			return from;
		from++;
	}
	for (; from + 64 <= end; from += 64) {
		u64 word;
		memcpy(&word, map + from / 8, 8);
		if (~word)
			return from + (u32)__builtin_ctzll(~word);
	}
	while (from < end && bit_get(map, from))
		from++;
	return from;
}

/* How many bits from `from` on are clear, up to max. */
static u32 clear_run(const u8 *map, u32 from, u32 end, u32 max)
{
	u32 n = 0;

	end = MIN(end, from + max);
	while (from + n < end) {
		u64 word;
		if ((from + n) % 64 == 0 && from + n + 64 <= end) {
			memcpy(&word, map + (from + n) / 8, 8);
			if (word)
				return n + (u32)__builtin_ctzll(word);
			n += 64;
		} else if (bit_get(map, from + n)) {
			break;
		} else {
			n++;
		}
	}
	return n;
}

struct run { u32 at, n; };

/* A run in one group that begins at or after `from`: the first of want blocks, or the longest there is. Busy blocks count as used. */
static struct run search_group(struct ext4 *e, u32 g, const u8 *map, u32 from, u32 want)
{
	u64 base = ext4_group_first(e, g);
	u32 end = ext4_group_blocks(e, g), *first = &e->groups[g].first_clear;
	struct run best = { 0, 0 };

	/* Volumes fill from below: what is known to be full is not looked through for each file. */
	if (from <= *first)
		from = *first = next_clear(map, *first, end);
	while (from < end) {
		u32 at = next_clear(map, from, end);
		if (at == end)
			break;
		u32 n = clear_run(map, at, end, want);
		struct ext4_range *busy = busy_after(e, base + at);
		if (busy && busy->start <= base + at) {
			from = (u32)MIN(busy->start + busy->count - base, (u64)end);
			continue;
		}
		if (busy && busy->start < base + at + n)
			n = (u32)(busy->start - base) - at;
		if (n > best.n)
			best = (struct run){ at, n };
		if (best.n >= want)
			break;
		from = at + n;
	}
	return best;
}

static void bits_flip(u8 *map, u32 from, u32 n, bool set)
{
	for (u32 k = from; k < from + n; k++) {
		if (set)
			map[k / 8] |= (u8)(1u << k % 8);
		else
			map[k / 8] &= (u8)~(1u << k % 8);
	}
}

/* ---- Allocation ---- */

static void take(struct ext4 *e, u32 g, struct ext4_buf *b, struct run x)
{
	bits_flip(b->data, x.at, x.n, true);
	e->groups[g].free_blocks -= MIN(e->groups[g].free_blocks, x.n);
	e->free_blocks -= MIN(e->free_blocks, (u64)x.n);
	ext4_bitmap_changed(e, g, b, false);
}

/* Try one group. 0 with x->n > 0 when blocks were taken; x->n = 0: it has none that suit. */
static int try_group(struct ext4 *e, u32 g, u32 from, u32 want, u32 least, struct run *x)
{
	struct ext4_buf *b;

	x->n = 0;
	if (e->groups[g].free_blocks < least || e->groups[g].bad)
		return 0;
	int r = ext4_block_bitmap(e, g, &b);
	if (r)
		return r == -EUCLEAN ? 0 : r;
	*x = search_group(e, g, b->data, from, want);
	if (x->n < least && from) {
		struct run other = search_group(e, g, b->data, 0, want);
		*x = other.n > x->n ? other : *x;
	}
	if (x->n < least)
		x->n = 0;
	if (x->n)
		take(e, g, b, *x);
	buf_put(e, b);
	return 0;
}

/* How short a run may be in each round over the groups. */
static u32 round_least(u32 want, unsigned round)
{
	return round == 0 ? want : round == 1 ? MAX(want / 4, 1u) : 1;
}

int ext4_alloc_blocks(struct ext4 *e, u64 goal, u32 flags, u32 *count, u64 *ret_block)
{
	u64 avail = e->free_blocks;
	u32 want = *count;
	struct run x;

	if (!(flags & EXT4_ALLOC_META))
		avail = avail > e->reserved ? avail - e->reserved : 0;
	if (!avail)
		return -ENOSPC;
	want = (u32)MIN((u64)want, avail);
	if (goal < e->first_block || goal >= e->nblocks)
		goal = e->first_block;
	u32 g0 = (u32)((goal - e->first_block) / e->blocks_per_group), from = (u32)((goal - e->first_block) % e->blocks_per_group);
	/* First at the goal itself, however short: files grow in one piece. */
	int r = try_group(e, g0, from, want, MIN(want, 8u), &x);
	for (unsigned round = 0; !r && !x.n && round < 3; round++)
		for (u32 k = 0; k < e->ngroups && !r && !x.n; k++) {
			g0 = (u32)(((goal - e->first_block) / e->blocks_per_group + k) % e->ngroups);
			r = try_group(e, g0, k ? 0 : from, want, round_least(want, round), &x);
		}
	if (r)
		return r;
	if (!x.n)
		return -ENOSPC;
	*count = x.n;
	*ret_block = ext4_group_first(e, g0) + x.at;
	return 0;
}

/* ---- Giving back ---- */

/* What a volume is made of is never freed, whatever an extent says. */
static bool overlaps_group_metadata(const struct ext4 *e, u32 g, u64 block, u64 count)
{
	u64 base = ext4_group_first(e, g);

	if (block < base + ext4_group_base(e, g))
		return true;
	/* Where the group's own bitmaps and table are; with flex_bg other groups' lie in their first one. */
	const struct ext4_group *x = &e->groups[g];
	return (x->block_bitmap >= block && x->block_bitmap < block + count) || (x->inode_bitmap >= block && x->inode_bitmap < block + count) ||
	       (x->inode_table < block + count && x->inode_table + e->itable_blocks > block);
}

static int free_in_group(struct ext4 *e, u32 g, u64 block, u32 count)
{
	struct ext4_buf *b;
	u32 at = (u32)(block - ext4_group_first(e, g));

	if (overlaps_group_metadata(e, g, block, count))
		return ext4_corrupted(e, block, "freeing blocks of the volume's own");
	int r = ext4_block_bitmap(e, g, &b);
	if (r)
		return r;
	for (u32 k = at; k < at + count && !r; k++)
		if (!bit_get(b->data, k))
			r = ext4_corrupted(e, block + k - at, "freeing a free block");
	if (!r)
		r = busy_add(e, block, count);
	if (!r) {
		bits_flip(b->data, at, count, false);
		e->groups[g].first_clear = MIN(e->groups[g].first_clear, at);
		e->groups[g].free_blocks += count;
		e->free_blocks += count;
		ext4_bitmap_changed(e, g, b, false);
	}
	buf_put(e, b);
	return r;
}

int ext4_free_blocks(struct ext4 *e, u64 block, u64 count, bool metadata)
{
	int r = 0;

	if (!ext4_block_valid(e, block, count))
		return ext4_corrupted(e, block, "freeing blocks beyond the volume");
	if (metadata)
		for (u64 k = 0; k < count; k++)
			buf_forget(e, block + k);
	while (count && !r) {
		u32 g = (u32)((block - e->first_block) / e->blocks_per_group);
		u64 left = ext4_group_first(e, g) + ext4_group_blocks(e, g) - block;
		u32 n = (u32)MIN(count, left);
		r = free_in_group(e, g, block, n);
		block += n;
		count -= n;
	}
	return r;
}
