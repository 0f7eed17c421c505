/*
 * rbtree.c - red-black trees.
 *
 * Invariants: (I1) a red node has no red child; (I2) every path from a node down to a missing
 * child passes the same number of black nodes. Insertion can break I1 at one place, erasure I2
 * at one place; the fix-up loops walk that place up the tree. Missing nodes count as black.
 */
#include "base/rbtree.h"

static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/* n's child on the far side comes up in its place. */
static void rotate(struct rb_root *root, struct rb_node *n, bool left)
{
	struct rb_node *up = left ? n->right : n->left;
	struct rb_node *mid = left ? up->left : up->right;

	up->parent = n->parent;
	replace_child(root, n->parent, n, up);
	if (left) {
		n->right = mid;
		up->left = n;
	} else {
		n->left = mid;
		up->right = n;
	}
	if (mid)
		mid->parent = n;
	n->parent = up;
}

void rb_insert(struct rb_root *root, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = NULL;
	n->red = true;
	*link = n;

	while ((parent = n->parent) && parent->red) {
		struct rb_node *grand = parent->parent;   /* exists: a red node is not the root */
		bool left = parent == grand->left;
		struct rb_node *uncle = left ? grand->right : grand->left;

		if (uncle && uncle->red) {
			parent->red = uncle->red = false;
			grand->red = true;
			n = grand;
			continue;
		}
		if (n == (left ? parent->right : parent->left)) {
			rotate(root, parent, left);
			n = parent;
			parent = n->parent;
		}
		parent->red = false;
		grand->red = true;
		rotate(root, grand, !left);
	}
	root->node->red = false;
}

static void erase_fix(struct rb_root *root, struct rb_node *n, struct rb_node *parent)
{
	while (n != root->node && (!n || !n->red)) {
		bool left = n == parent->left;
		struct rb_node *sib = left ? parent->right : parent->left;

		if (sib->red) {
			sib->red = false;
			parent->red = true;
			rotate(root, parent, left);
			sib = left ? parent->right : parent->left;
		}
		struct rb_node *near = left ? sib->left : sib->right;
		struct rb_node *far = left ? sib->right : sib->left;
		if ((!near || !near->red) && (!far || !far->red)) {
			sib->red = true;
			n = parent;
			parent = n->parent;
			continue;
		}
		if (!far || !far->red) {
			near->red = false;
			sib->red = true;
			rotate(root, sib, !left);
			sib = left ? parent->right : parent->left;
			far = left ? sib->right : sib->left;
		}
		sib->red = parent->red;
		parent->red = false;
		far->red = false;
		rotate(root, parent, left);
		n = root->node;
		break;
	}
	if (n)
		n->red = false;
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *child, *parent;
	bool red;

	if (n->left && n->right) {
		/* The successor takes n's place; the hole is where it was. */
		struct rb_node *next = n->right;
		while (next->left)
			next = next->left;
		red = next->red;
		child = next->right;
		parent = next->parent;
		if (parent == n) {
			parent = next;
		} else {
			parent->left = child;
			if (child)
				child->parent = parent;
			next->right = n->right;
			next->right->parent = next;
		}
		next->left = n->left;
		next->left->parent = next;
		next->parent = n->parent;
		next->red = n->red;
		replace_child(root, n->parent, n, next);
	} else {
		child = n->left ? n->left : n->right;
		parent = n->parent;
		red = n->red;
		replace_child(root, parent, n, child);
		if (child)
			child->parent = parent;
	}
	if (!red)
		erase_fix(root, child, parent);
	n->parent = n->left = n->right = NULL;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;
	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;
	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	if (n->right) {
		struct rb_node *r = n->right;
		while (r->left)
			r = r->left;
		return r;
	}
	struct rb_node *p = n->parent;
	for (; p && n == p->right; p = p->parent)
		n = p;
	return p;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	if (n->left) {
		struct rb_node *l = n->left;
		while (l->right)
			l = l->right;
		return l;
	}
	struct rb_node *p = n->parent;
	for (; p && n == p->left; p = p->parent)
		n = p;
	return p;
}
