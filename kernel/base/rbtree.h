/*
 * rbtree.h - intrusive red-black tree. The caller compares: it walks from the root,
 * links the new node with rb_link at the place it found and calls rb_insert_fix.
 * No locks of its own. Invariants in rbtree.c.
 */
#ifndef BASE_RBTREE_H
#define BASE_RBTREE_H

#include "base/types.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};
struct rb_root {
	struct rb_node *node;
};
#define RB_ROOT_INIT { NULL }
#define rb_entry(p, type, member) container_of(p, type, member)

/* Put n at *link below parent (both from the caller's walk) and rebalance. */
void rb_insert(struct rb_root *root, struct rb_node *n, struct rb_node *parent, struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *n);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

#endif
