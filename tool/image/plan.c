/*
 * plan.c - the tree of a plan: look-up, and putting things in.
 *
 * (I1) Children are sorted by name, so that the same plan is always walked in
 *      the same order.
 * (I2) A walk follows at most LINKS_MAX symbolic links; ".." at the root stays there.
 */
#include "image/plan.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
#define DEPTH_MAX 256

static struct plan_node *node_new(const char *name, size_t len, enum plan_kind kind, mode_t mode)
{
	struct plan_node *node = xcalloc(1, sizeof *node);

	node->name = xstrndup(name, len);
	node->kind = kind;
	node->mode = mode;
	return node;
}

static void node_free(struct plan_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		node_free(node->children[i]);
	free(node->children);
	free(node->name);
	free(node->source);
	buf_free(&node->text);
	free(node);
}

void plan_init(struct plan *plan)
{
	plan->root = node_new("", 0, PLAN_DIR, 0755);
}

void plan_free(struct plan *plan)
{
	if (plan->root)
		node_free(plan->root);
	plan->root = NULL;
}

/* The index of a name, or where it belongs. */
static size_t child_index(const struct plan_node *dir, const char *name, size_t len, bool *ret_found)
{
	size_t low = 0, high = dir->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *other = dir->children[middle]->name;
		int order = strncmp(name, other, len);

		if (order == 0 && other[len] != '\0')
			order = -1;
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*ret_found = false;
	return low;
}

static struct plan_node *child_find(const struct plan_node *dir, const char *name, size_t len)
{
	bool found;
	size_t i = child_index(dir, name, len, &found);

	return found ? dir->children[i] : NULL;
}

static void child_insert(struct plan_node *dir, struct plan_node *child)
{
	bool found;
	size_t i = child_index(dir, child->name, strlen(child->name), &found); /* keeps (I1) */

	dir->children = xrealloc(dir->children, (dir->count + 1) * sizeof *dir->children);
	memmove(&dir->children[i + 1], &dir->children[i], (dir->count - i) * sizeof *dir->children);
	dir->children[i] = child;
	dir->count++;
}

/* A walk through the plan: the directories from the root to where we are. */
struct walk {
	struct plan_node *stack[DEPTH_MAX];
	size_t depth;
	unsigned int links;
	bool make; /* make directories that are missing */
};

static struct plan_node *walk_here(struct walk *w)
{
	return w->stack[w->depth - 1];
}

static int walk_path(struct walk *w, const char *path);

/* One component. The last one of a path may be anything; those before it must lead to directories. */
static int walk_step(struct walk *w, const char *name, size_t len)
{
	struct plan_node *child;

	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (w->depth > 1)
			w->depth--;
		return 0;
	}
	if (walk_here(w)->kind != PLAN_DIR)
		return -ENOTDIR;
	child = child_find(walk_here(w), name, len);
	if (!child) {
		if (!w->make)
			return -ENOENT;
		child = node_new(name, len, PLAN_DIR, 0755);
		child_insert(walk_here(w), child);
	}
	if (child->kind == PLAN_LINK) {
		if (++w->links > LINKS_MAX) /* keeps (I2) */
			return -ELOOP;
		return walk_path(w, child->source);
	}
	if (w->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	w->stack[w->depth++] = child;
	return 0;
}

static int walk_path(struct walk *w, const char *path)
{
	if (path[0] == '/')
		w->depth = 1;
	while (*path) {
		size_t len = strcspn(path, "/");
		int error = len ? walk_step(w, path, len) : 0;

		if (error)
			return error;
		path += len + (path[len] == '/');
	}
	return 0;
}

struct plan_node *plan_find(struct plan *plan, const char *path)
{
	struct walk w = { .stack = { plan->root }, .depth = 1 };

	return walk_path(&w, path) == 0 ? walk_here(&w) : NULL;
}

int plan_put_dir(struct plan *plan, const char *path)
{
	struct walk w = { .stack = { plan->root }, .depth = 1, .make = true };
	int error = walk_path(&w, path);

	if (error)
		return error;
	return walk_here(&w)->kind == PLAN_DIR ? 0 : -ENOTDIR;
}

/* Makes the node for a path's last component; its parents are made and its links followed. */
static int node_put(struct plan *plan, const char *path, enum plan_kind kind, mode_t mode, struct plan_node **ret_node)
{
	struct walk w = { .stack = { plan->root }, .depth = 1, .make = true };
	size_t len = strlen(path);
	const char *last;
	struct plan_node *node;
	char *parent;
	int error;

	while (len && path[len - 1] == '/')
		len--;
	for (last = path + len; last > path && last[-1] != '/'; last--)
		;
	len -= (size_t)(last - path);
	if (!len || (len == 1 && last[0] == '.') || (len == 2 && last[0] == '.' && last[1] == '.'))
		return -EISDIR;
	parent = xstrndup(path, (size_t)(last - path));
	error = walk_path(&w, parent);
	free(parent);
	if (error)
		return error;
	if (walk_here(&w)->kind != PLAN_DIR)
		return -ENOTDIR;
	node = child_find(walk_here(&w), last, len);
	if (!node) {
		node = node_new(last, len, kind, mode);
		child_insert(walk_here(&w), node);
	} else if (node->kind == PLAN_DIR) {
		return -EISDIR;
	}
	free(node->source);
	node->source = NULL;
	buf_free(&node->text);
	node->kind = kind;
	node->mode = mode;
	*ret_node = node;
	return 0;
}

int plan_put_link(struct plan *plan, const char *path, const char *target)
{
	struct plan_node *node;
	int error = node_put(plan, path, PLAN_LINK, 0777, &node);

	if (!error)
		node->source = xstrdup(target);
	return error;
}

int plan_put_text(struct plan *plan, const char *path, const void *data, size_t len, mode_t mode)
{
	struct plan_node *node;
	int error = node_put(plan, path, PLAN_TEXT, mode, &node);

	if (!error)
		buf_append(&node->text, data, len);
	return error;
}

int plan_put_file(struct plan *plan, const char *path, const char *source, mode_t mode)
{
	struct plan_node *node;
	int error = node_put(plan, path, PLAN_HOST_FILE, (mode & 0777) | 0400, &node);

	if (!error)
		node->source = xstrdup(source);
	return error;
}

/*
 * The host path is walked by hand, component by component, because each link on
 * it must be reproduced: `todo` is what is left of the path, `done` the part
 * that is resolved and free of links.
 */
int plan_mirror(struct plan *plan, const char *path)
{
	char *todo = xstrdup(path), *done = xstrdup("");
	unsigned int links = 0;
	int error = 0;

	while (!error) {
		char *p = todo + strspn(todo, "/");
		size_t len = strcspn(p, "/");
		char target[PATH_MAX], *next, *rest;
		struct stat st;
		ssize_t n;

		if (!len)
			break;
		if (len == 2 && p[0] == '.' && p[1] == '.') {
			char *slash = strrchr(done, '/');

			if (slash)
				*slash = '\0';
			rest = xstrdup(p + len);
			free(todo);
			todo = rest;
			continue;
		}
		next = xasprintf("%s/%.*s", done, (int)len, p);
		if (len == 1 && p[0] == '.') {
			free(next);
			next = xstrdup(done);
		}
		rest = xstrdup(p + len);
		if (lstat(*next ? next : "/", &st) < 0) {
			error = -errno;
		} else if (S_ISLNK(st.st_mode)) {
			n = readlink(next, target, sizeof target - 1);
			if (n <= 0 || ++links > LINKS_MAX) {
				error = n < 0 ? -errno : -ELOOP;
			} else {
				target[n] = '\0';
				error = plan_put_link(plan, next, target);
				free(todo);
				todo = xasprintf("%s/%s", target, rest);
				if (target[0] == '/')
					*done = '\0';
			}
		} else {
			if (S_ISDIR(st.st_mode))
				error = plan_put_dir(plan, *next ? next : "/");
			else if (!S_ISREG(st.st_mode))
				error = -EINVAL;
			else if (rest[strspn(rest, "/")])
				error = -ENOTDIR;
			else if (access(next, R_OK) < 0)
				error = -errno;
			else
				error = plan_put_file(plan, next, next, st.st_mode);
			free(todo);
			todo = xstrdup(rest);
			free(done);
			done = xstrdup(next);
		}
		free(next);
		free(rest);
	}
	free(todo);
	free(done);
	return error;
}
