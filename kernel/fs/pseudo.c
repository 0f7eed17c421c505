/*
 * pseudo.c - generated file systems: the tree of what rooms registered, and texts.
 *
 * Invariants: nodes are added, never removed; a name is once in its directory; numbered
 * directories (fd, task) have no nodes below them, what they hold is made on demand (pseudo_vnode.c).
 *
 * Locks: pseudo_lock (spinlock) guards the trees and the nodes' pointers to vnodes.
 * What can fail: memory; names that exist already.
 */
#include "fs/pseudo_node.h"
#include "base/print.h"

struct spinlock pseudo_lock;
static struct pnode *pseudo_roots[2];
static struct pnode *pseudo_self;        /* the process's directory in /proc */
static u32 pseudo_pid = 1;
static u32 pseudo_next_ino = 1;

/* ---- Texts ---- */

static bool text_room(struct pseudo_text *t, size_t len)
{
	if (t->failed)
		return false;
	if (t->len + len < t->size)
		return true;
	size_t size = MAX(t->size * 2, (size_t)512);
	while (size <= t->len + len)
		size *= 2;
	char *buf = heap_realloc(t->buf, size);
	if (!buf) {
		t->failed = true;
		return false;
	}
	t->buf = buf;
	t->size = size;
	return true;
}

void pseudo_append(struct pseudo_text *t, const void *data, size_t len)
{
	if (!len || !text_room(t, len))
		return;
	memcpy(t->buf + t->len, data, len);
	t->len += len;
}

void pseudo_printf(struct pseudo_text *t, const char *fmt, ...)
{
	va_list ap, again;
	if (t->failed)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = fmt_vbuf(t->buf ? t->buf + t->len : NULL, t->buf ? t->size - t->len : 0, fmt, ap);
	if (n > 0 && (size_t)n >= t->size - t->len) {
		if (text_room(t, (size_t)n))
			fmt_vbuf(t->buf + t->len, t->size - t->len, fmt, again);
		else
			n = 0;
	}
	if (n > 0)
		t->len += (size_t)n;
	va_end(again);
	va_end(ap);
}

/* ---- The tree ---- */

static struct pnode *pnode_new(struct pnode *parent, enum pseudo_fs fs, enum pnode_kind kind, const char *name, size_t len)
{
	struct pnode *n = heap_alloc(sizeof *n + len + 12);   /* room for a number in place of "self" */
	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	list_init(&n->siblings);
	list_init(&n->children);
	n->kind = kind;
	n->fs = fs;
	n->parent = parent;
	n->ino = __atomic_fetch_add(&pseudo_next_ino, 1, __ATOMIC_RELAXED);
	n->own = parent && parent->own;
	return n;
}

static struct pnode *pnode_child_locked(struct pnode *dir, const char *name, size_t len)
{
	struct pnode *n;
	list_for_each_entry(n, &dir->children, siblings)
		/* the first byte by itself: the tables add hundreds of names at the program's first look */
		if (n->name[0] == name[0] && strncmp(n->name, name, len) == 0 && !n->name[len])
			return n;
	return NULL;
}

static ssize_t self_target(char *buf, size_t size, u64 arg)
{
	return fmt_buf(buf, size, "%u", pseudo_pid);
}
static ssize_t net_target(char *buf, size_t size, u64 arg)
{
	return fmt_buf(buf, size, "self/net");
}
static const struct pseudo_link proc_links[] = {
	{ .path = "self", .target = self_target },
	{ .path = "net", .target = net_target },
};

/* The roots with what every /proc has: the process's directory, and the links to it. */
static int pseudo_init_proc(struct pnode *root)
{
	char name[12];
	fmt_buf(name, sizeof name, "%u", pseudo_pid);
	struct pnode *self = pnode_new(root, PSEUDO_PROC, PNODE_DIR, name, strlen(name));
	if (!self)
		return -ENOMEM;
	self->own = true;
	pseudo_self = self;
	list_append(&root->children, &self->siblings);
	for (unsigned i = 0; i < ARRAY_SIZE(proc_links); i++) {
		struct pnode *n = pnode_new(root, PSEUDO_PROC, PNODE_LINK, proc_links[i].path, strlen(proc_links[i].path));
		if (!n)
			return -ENOMEM;
		n->link = &proc_links[i];
		list_append(&root->children, &n->siblings);
	}
	return 0;
}

struct pnode *pseudo_root(enum pseudo_fs fs)
{
	if (fs > PSEUDO_SYS)
		return NULL;
	if (!pseudo_roots[fs]) {
		struct pnode *root = pnode_new(NULL, fs, PNODE_DIR, "", 0);
		if (!root || (fs == PSEUDO_PROC && pseudo_init_proc(root)))
			return NULL;
		pseudo_roots[fs] = root;
	}
	return pseudo_roots[fs];
}

void pseudo_set_pid(u32 pid)
{
	struct pnode *root = pseudo_root(PSEUDO_PROC);
	pseudo_pid = pid;
	if (root)
		fmt_buf(pseudo_self->name, 12, "%u", pid);
}

/* The node that path's first component means in /proc, if it is no plain name. */
static struct pnode *pseudo_alias(struct pnode *dir, const char *name, size_t len)
{
	if (dir != pseudo_roots[PSEUDO_PROC])
		return NULL;
	if (len == 4 && memcmp(name, "self", 4) == 0)
		return pseudo_self;
	return NULL;
}

/*
 * The directory of the path that was added last, and that part of the path: tables name neighbours one after the other, and a
 * program's first look into /proc or /sys adds all that they have. Guarded by pseudo_lock.
 */
static struct {
	const char *path;
	size_t len;
	struct pnode *dir;
} last_added;

static int pseudo_add(enum pseudo_fs fs, const char *path, enum pnode_kind kind, const void *what)
{
	struct pnode *dir = pseudo_root(fs);
	const char *p = path;
	int r = 0;
	if (!dir)
		return fs > PSEUDO_SYS ? -EINVAL : -ENOMEM;
	spin_lock(&pseudo_lock);
	if (last_added.dir && last_added.dir->fs == fs && strncmp(path, last_added.path, last_added.len) == 0) {
		dir = last_added.dir;
		p += last_added.len;
	} else if (fs == PSEUDO_PROC && str_has_prefix(path, "net/")) {
		dir = pseudo_self;       /* /proc/net is a link to self/net */
	}
	for (;;) {
		const char *end = strchr(p, '/');
		size_t len = end ? (size_t)(end - p) : strlen(p);
		struct pnode *n = end ? pseudo_alias(dir, p, len) : NULL;
		if (!n)
			n = pnode_child_locked(dir, p, len);
		if (!len || len > FS_NAME_MAX || (n && !end) || (n && n->kind != PNODE_DIR)) {
			r = n ? -EEXIST : -EINVAL;
			break;
		}
		if (!n) {
			n = pnode_new(dir, fs, end ? PNODE_DIR : kind, p, len);
			if (!n) {
				r = -ENOMEM;
				break;
			}
			n->file = what;
			if (end)
				n->file = NULL;
			list_append(&dir->children, &n->siblings);
		}
		if (!end) {
			last_added.path = path;
			last_added.len = (size_t)(p - path);
			last_added.dir = dir;
			break;
		}
		dir = n;
		p = end + 1;
	}
	spin_unlock(&pseudo_lock);
	return r;
}

int pseudo_add_file(enum pseudo_fs fs, const struct pseudo_file *f)
{
	return pseudo_add(fs, f->path, PNODE_FILE, f);
}

int pseudo_add_files(enum pseudo_fs fs, const struct pseudo_file *f, unsigned n)
{
	int r = 0;
	for (unsigned i = 0; i < n && !r; i++)
		r = pseudo_add_file(fs, &f[i]);
	return r;
}

int pseudo_add_dir(enum pseudo_fs fs, const struct pseudo_dir *d)
{
	return pseudo_add(fs, d->path, PNODE_NUMDIR, d);
}

int pseudo_add_link(enum pseudo_fs fs, const struct pseudo_link *l)
{
	return pseudo_add(fs, l->path, PNODE_LINK, l);
}
