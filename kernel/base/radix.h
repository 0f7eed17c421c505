/*
 * radix.h - a sparse array: pointers by a 64-bit index, with one mark bit for each.
 *
 * 64 slots a node; the tree is as high as the highest index needs, and a tree that holds
 * only index 0 has no node at all. Memory comes from the owner (base/ has none). No locks of
 * its own; nothing sleeps if the owner's alloc does not.
 */
#ifndef BASE_RADIX_H
#define BASE_RADIX_H

#include "base/types.h"

#define RADIX_BITS  6u
#define RADIX_SLOTS 64u

struct radix_node {
	u64 marks;                   /* leaf: slot's item is marked; above: something below is */
	u32 count;                   /* slots in use */
	void *slots[RADIX_SLOTS];    /* nodes, or items in a leaf */
};
struct radix_mem {
	struct radix_node *(*alloc)(void);   /* zeroed; NULL if out of memory */
	void (*free)(struct radix_node *n);
};
struct radix {
	void *root;                  /* height 0: the item of index 0; else a node */
	u64 last;                    /* the highest index that this height can hold */
	u32 height;
	bool root_mark;              /* height 0: the item's mark */
	const struct radix_mem *mem;
};

static inline void radix_init(struct radix *r, const struct radix_mem *mem)
{
	*r = (struct radix){ .mem = mem };
}
/* The item at index, or NULL. */
void *radix_get(const struct radix *r, u64 index);
/* The same, quicker for trees of one node and of one item. */
static ALWAYS_INLINE void *radix_get_low(const struct radix *r, u64 index)
{
	if (likely(r->height == 1))
		return index < RADIX_SLOTS ? ((const struct radix_node *)r->root)->slots[index] : NULL;
	return radix_get(r, index);
}
/* The items of n consecutive places, NULL for empty ones. Cheaper than n times radix_get. */
void radix_get_run(const struct radix *r, u64 index, unsigned n, void **ret_items);
/* Put a non-NULL item at an index that is empty. 0, -EEXIST, -ENOMEM (nothing changed). */
int radix_insert(struct radix *r, u64 index, void *item) MUST_CHECK;
/* Take out and return the item, or NULL. */
void *radix_remove(struct radix *r, u64 index);
/* The first item at or above *index, which is set to its place; NULL if there is none. */
void *radix_next(const struct radix *r, u64 *index);
/* The same for marked items. */
void *radix_next_marked(const struct radix *r, u64 *index);
void radix_set_mark(struct radix *r, u64 index);     /* harmless on an empty index */
void radix_clear_mark(struct radix *r, u64 index);
static inline bool radix_empty(const struct radix *r) { return !r->root; }

#endif
