/*
 * radix.c - a sparse array as a tree of 64-slot nodes.
 *
 * Invariants:
 *  (I1) height 0: root is the item of index 0 (or NULL). Height h > 0: root is a node, and
 *       indices below 64^h can be stored. A tree that becomes empty goes back to height 0.
 *  (I2) A node's count is the number of non-NULL slots; no node but the root has count 0, and
 *       after a removal nor has the root.
 *  (I3) A mark in a node above the leaves is set exactly if the node below has marks.
 *
 * Only radix_insert can fail, and only for memory; what it had built by then holds nothing and
 * is taken down again.
 */
#include "base/radix.h"
#include "base/errno.h"
#include "base/string.h"

#define RADIX_MAX_HEIGHT 11u  /* 6 * 11 = 66 bits */

static void radix_set_height(struct radix *r, u32 height)
{
	r->height = height;
	r->last = height * RADIX_BITS >= 64 ? UINT64_MAX : (1ull << (height * RADIX_BITS)) - 1;
}
static unsigned radix_slot(u64 index, u32 level)
{
	return (index >> (level * RADIX_BITS)) & (RADIX_SLOTS - 1);
}

void *radix_get(const struct radix *r, u64 index)
{
	void *p = r->root;

	if (!p || index > r->last)
		return NULL;
	for (unsigned shift = r->height * RADIX_BITS; p && shift;) {
		shift -= RADIX_BITS;
		p = ((struct radix_node *)p)->slots[(index >> shift) & (RADIX_SLOTS - 1)];
	}
	return p;
}

/* Make the tree high enough for index; keeps (I1). */
static int radix_grow(struct radix *r, u64 index)
{
	while (index > r->last) {
		if (!r->root) {
			radix_set_height(r, r->height + 1);
			continue;
		}
		struct radix_node *n = r->mem->alloc();
		if (!n)
			return -ENOMEM;
		n->slots[0] = r->root;
		n->count = 1;
		if (r->height ? ((struct radix_node *)r->root)->marks != 0 : r->root_mark)
			n->marks = 1;
		r->root = n;
		r->root_mark = false;
		radix_set_height(r, r->height + 1);
	}
	return 0;
}

/* The nodes from the root to the leaf of index; path[level]. False if some are missing. */
static bool radix_path(const struct radix *r, u64 index, struct radix_node *path[RADIX_MAX_HEIGHT])
{
	struct radix_node *n = r->root;

	if (!n || index > r->last)
		return false;
	for (u32 level = r->height; level-- > 0;) {
		path[level] = n;
		if (!n)
			return false;
		n = n->slots[radix_slot(index, level)];
	}
	return n != NULL;
}

/* Free empty nodes upwards from the leaf, then lower an empty tree; keeps (I1), (I2). */
static void radix_shrink(struct radix *r, u64 index)
{
	struct radix_node *path[RADIX_MAX_HEIGHT];
	u32 lowest = r->height;
	struct radix_node *n = r->root;

	for (u32 level = r->height; level-- > 0 && n;) {
		path[level] = n;
		lowest = level;
		n = level ? n->slots[radix_slot(index, level)] : NULL;
	}
	for (u32 level = lowest; level < r->height; level++) {
		if (path[level]->count)
			return;
		r->mem->free(path[level]);
		if (level + 1 < r->height) {
			path[level + 1]->slots[radix_slot(index, level + 1)] = NULL;
			path[level + 1]->count--;
		} else {
			r->root = NULL;
		}
	}
	if (!r->root)
		radix_set_height(r, 0);
}

/* The leaf that holds index, if it is there and the tree has nodes. */
static struct radix_node *radix_leaf(const struct radix *r, u64 index)
{
	struct radix_node *n = r->height && index <= r->last ? r->root : NULL;

	for (u32 level = r->height; n && level-- > 1;)
		n = n->slots[radix_slot(index, level)];
	return n;
}

/* Where there is no leaf for index yet, or no node at all. */
static NOINLINE int radix_insert_slow(struct radix *r, u64 index, void *item)
{
	if (radix_grow(r, index))
		return -ENOMEM;
	if (r->height == 0) {
		if (r->root)
			return -EEXIST;
		r->root = item;
		r->root_mark = false;
		return 0;
	}
	struct radix_node *n = r->root, *parent = NULL;
	for (u32 level = r->height; level-- > 0;) {
		if (!n) {
			n = r->mem->alloc();
			if (!n) {
				radix_shrink(r, index);
				return -ENOMEM;
			}
			if (parent) {
				parent->slots[radix_slot(index, level + 1)] = n;
				parent->count++;
			} else {
				r->root = n;
			}
		}
		parent = n;
		n = level ? n->slots[radix_slot(index, level)] : NULL;
	}
	void **slot = &parent->slots[radix_slot(index, 0)];
	if (*slot)
		return -EEXIST;
	*slot = item;
	parent->count++;
	return 0;
}

int radix_insert(struct radix *r, u64 index, void *item)
{
	struct radix_node *leaf = radix_leaf(r, index);

	if (unlikely(!leaf))
		return radix_insert_slow(r, index, item);
	void **place = &leaf->slots[radix_slot(index, 0)];
	if (*place)
		return -EEXIST;
	*place = item;
	leaf->count++;
	return 0;
}

void radix_get_run(const struct radix *r, u64 index, unsigned n, void **ret_items)
{
	for (unsigned i = 0, run; i < n; i += run) {
		unsigned slot = radix_slot(index + i, 0);
		run = MIN(n - i, RADIX_SLOTS - slot);
		struct radix_node *leaf = r->root;
		if (r->height == 0 || index + i > r->last)
			leaf = NULL;
		for (u32 level = r->height; leaf && level-- > 1;)
			leaf = leaf->slots[radix_slot(index + i, level)];
		if (leaf)
			memcpy(&ret_items[i], &leaf->slots[slot], run * sizeof *ret_items);
		else
			memset(&ret_items[i], 0, run * sizeof *ret_items);
		if (r->height == 0 && index + i == 0)
			ret_items[i] = r->root;
	}
}

void *radix_remove(struct radix *r, u64 index)
{
	struct radix_node *path[RADIX_MAX_HEIGHT];

	if (r->height == 0) {
		void *item = index == 0 ? r->root : NULL;
		if (item) {
			r->root = NULL;
			r->root_mark = false;
		}
		return item;
	}
	if (!radix_path(r, index, path))
		return NULL;
	radix_clear_mark(r, index);
	void *item = path[0]->slots[radix_slot(index, 0)];
	path[0]->slots[radix_slot(index, 0)] = NULL;
	path[0]->count--;
	if (!path[0]->count)
		radix_shrink(r, index);
	return item;
}

void radix_set_mark(struct radix *r, u64 index)
{
	struct radix_node *path[RADIX_MAX_HEIGHT];

	if (r->height == 0) {
		if (index == 0 && r->root)
			r->root_mark = true;
		return;
	}
	if (!radix_path(r, index, path))
		return;
	for (u32 level = 0; level < r->height; level++)
		path[level]->marks |= 1ull << radix_slot(index, level);
}

void radix_clear_mark(struct radix *r, u64 index)
{
	struct radix_node *path[RADIX_MAX_HEIGHT];

	if (r->height == 0) {
		if (index == 0)
			r->root_mark = false;
		return;
	}
	if (!radix_path(r, index, path))
		return;
	for (u32 level = 0; level < r->height; level++) {
		path[level]->marks &= ~(1ull << radix_slot(index, level));
		if (path[level]->marks)
			return;
	}
}

/* First used (or marked) slot of n at or above slot; RADIX_SLOTS if none. */
static unsigned radix_scan(const struct radix_node *n, unsigned slot, bool marked)
{
	if (marked) {
		u64 m = slot < RADIX_SLOTS ? n->marks >> slot : 0;
		return m ? slot + (unsigned)__builtin_ctzll(m) : RADIX_SLOTS;
	}
	while (slot < RADIX_SLOTS && !n->slots[slot])
		slot++;
	return slot;
}

static void *radix_find(const struct radix *r, u64 *index, bool marked)
{
	u64 at = *index;

	if (!r->root)
		return NULL;
	if (r->height == 0) {
		if (at != 0 || (marked && !r->root_mark))
			return NULL;
		return r->root;
	}
	while (at <= r->last) {
		const struct radix_node *n = r->root;
		u32 level = r->height;
		while (level-- > 0) {
			unsigned want = radix_slot(at, level);
			unsigned got = radix_scan(n, want, marked);
			if (got != want) {
				/* Nothing more here: go on after this node. */
				if (got == RADIX_SLOTS) {
					u64 span = level * RADIX_BITS + RADIX_BITS >= 64 ? UINT64_MAX
						: (1ull << ((level + 1) * RADIX_BITS)) - 1;
					if ((at | span) == UINT64_MAX)
						return NULL;
					at = (at | span) + 1;
					break;
				}
				at = ((at >> (level * RADIX_BITS)) - want + got) << (level * RADIX_BITS);
			}
			if (level == 0) {
				*index = at;
				return n->slots[got];
			}
			n = n->slots[got];
		}
	}
	return NULL;
}

void *radix_next(const struct radix *r, u64 *index)
{
	return radix_find(r, index, false);
}

void *radix_next_marked(const struct radix *r, u64 *index)
{
	return radix_find(r, index, true);
}
