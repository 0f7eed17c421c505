/*
 * pseudo_vnode.c - vnodes of generated file systems: directories, files with snapshots, links,
 * numbered directories.
 *
 * Invariants:
 *  (G1) A node has at most one vnode at a time (node->vnode, without a reference). Entries of
 *       numbered directories have a vnode for each walk, never kept by the name cache.
 *  (G2) A snapshot is made by the first read and again by each read at offset 0, so that a file
 *       kept open can be read anew, as Linux's can.
 *
 * Locks: pseudo_lock for node->vnode; a handle's mutex around its snapshot.
 * What can fail: memory; -ENOENT when a number is gone; what show and store say.
 */
#include "fs/pseudo_node.h"
#include "base/link.h"
#include "base/print.h"

#define PSEUDO_STORE_MAX 4096u

enum pseudo_kind { PSEUDO_NODE, PSEUDO_NUM, PSEUDO_NUM_FILE, PSEUDO_NUM_LINK };

struct pseudo_inode {
	struct vnode v;
	struct pnode *node;              /* of numbered entries: the numbered directory */
	const struct pseudo_file *file;  /* what a FILE shows */
	const struct pseudo_link *link;
	u64 arg;                         /* for file and link */
	enum pseudo_kind kind;
};

struct pseudo_handle {
	struct mutex lock;
	struct pseudo_text text;         /* lock */
	bool made;
};

static struct mutex populate_lock = MUTEX_INIT(populate_lock);
#define POPULATE_MAX 4u
static int (*populate_fns[2][POPULATE_MAX + 1])(void) RO_AFTER_INIT_ZERO;  /* ends with NULL */
static unsigned populate_done[2];        /* atomic: how many of them have been called */

LINK_SLOT_OF(pseudo_readdir);
static const struct vnode_ops dir_ops, proc_dir_ops, file_ops, file_ro_ops, link_ops, magic_ops;

static inline struct pseudo_inode *pseudo_inode(struct vnode *v) { return container_of(v, struct pseudo_inode, v); }

static const struct vnode_ops *pseudo_dir_ops(const struct pnode *n)
{
	return n->fs == PSEUDO_PROC ? &proc_dir_ops : &dir_ops;
}
static const struct vnode_ops *pseudo_file_ops(const struct pseudo_file *f)
{
	return f->store ? &file_ops : &file_ro_ops;
}
static const struct vnode_ops *pseudo_link_ops(const struct pseudo_link *l)
{
	return l->resolve ? &magic_ops : &link_ops;
}

static struct pseudo_inode *pseudo_inode_new(struct mount *m, struct pnode *n, enum pseudo_kind kind, enum vnode_type type, const struct vnode_ops *ops, u64 ino)
{
	struct pseudo_inode *i = heap_alloc(sizeof *i);
	if (!i)
		return NULL;
	vnode_init(&i->v, ops, type, m, ino);
	i->node = n;
	i->kind = kind;
	if (type == VNODE_REG && n->fs == PSEUDO_SYS)
		i->v.size = PAGE_SIZE;
	i->v.flags = (kind != PSEUDO_NODE ? VNODE_NOCACHE : 0) | (type == VNODE_DIR ? VNODE_VOLATILE : 0);
	if (n->own && !n->parent->own && kind == PSEUDO_NODE)
		i->v.flags |= VNODE_PROCESS;
	return i;
}

/* The vnode of a registered node, with a reference; NULL if out of memory. */
struct vnode *pseudo_vnode(struct mount *m, struct pnode *n)
{
	static const enum vnode_type types[] = {
		[PNODE_DIR] = VNODE_DIR, [PNODE_FILE] = VNODE_REG, [PNODE_LINK] = VNODE_LINK, [PNODE_NUMDIR] = VNODE_DIR,
	};
	const struct vnode_ops *ops = n->kind == PNODE_FILE ? pseudo_file_ops(n->file) : n->kind == PNODE_LINK ? pseudo_link_ops(n->link) : pseudo_dir_ops(n);
	struct pseudo_inode *i = pseudo_inode_new(m, n, PSEUDO_NODE, types[n->kind], ops, n->ino);
	if (!i)
		return NULL;
	if (n->kind == PNODE_FILE) {
		i->file = n->file;
		i->arg = n->file->arg;
	} else if (n->kind == PNODE_LINK) {
		i->link = n->link;
		i->arg = n->link->arg;
	}
	spin_lock(&pseudo_lock);
	if (n->vnode && vnode_tryget(n->vnode)) {
		struct vnode *v = n->vnode;
		spin_unlock(&pseudo_lock);
		heap_free(i);
		return v;
	}
	n->vnode = &i->v;
	spin_unlock(&pseudo_lock);
	return &i->v;
}

static void pseudo_release(struct vnode *v)
{
	struct pseudo_inode *i = pseudo_inode(v);
	spin_lock(&pseudo_lock);
	if (i->node->vnode == v)
		i->node->vnode = NULL;
	spin_unlock(&pseudo_lock);
	heap_free(i);
}

/* ---- Directories ---- */

/* Inode numbers of numbered entries: apart from those of nodes, the same for the same number. */
static u64 num_ino(const struct pnode *n, u64 number, unsigned index)
{
	return ((u64)n->ino << 44) + (number << 8) + index + (1ull << 43);
}

static int lookup_number(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	struct pseudo_inode *d = pseudo_inode(dir);
	const struct pseudo_dir *pd = d->node->dir;
	struct pseudo_inode *i;
	u64 number;
	if (len > 10 || (len > 1 && name[0] == '0') || name[0] < '0' || name[0] > '9' || !str_parse_u64(name, len, &number))
		return -ENOENT;
	if (pd->next(number) != (s64)number)
		return -ENOENT;
	if (pd->file)
		i = pseudo_inode_new(dir->mount, d->node, PSEUDO_NUM_FILE, VNODE_REG, pseudo_file_ops(pd->file), num_ino(d->node, number, 0));
	else if (pd->link)
		i = pseudo_inode_new(dir->mount, d->node, PSEUDO_NUM_LINK, VNODE_LINK, pseudo_link_ops(pd->link), num_ino(d->node, number, 0));
	else
		i = pseudo_inode_new(dir->mount, d->node, PSEUDO_NUM, VNODE_DIR, pseudo_dir_ops(d->node), num_ino(d->node, number, 0));
	if (!i)
		return -ENOMEM;
	i->link = pd->link;
	i->file = pd->file;
	i->arg = number;
	*ret = &i->v;
	return 0;
}

static int lookup_number_file(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	struct pseudo_inode *d = pseudo_inode(dir);
	const struct pseudo_dir *pd = d->node->dir;
	for (unsigned k = 0; k < pd->nfiles; k++) {
		const struct pseudo_file *f = &pd->files[k];
		if (strncmp(f->path, name, len) || f->path[len])
			continue;
		struct pseudo_inode *i = pseudo_inode_new(dir->mount, d->node, PSEUDO_NUM_FILE, VNODE_REG, pseudo_file_ops(f), num_ino(d->node, d->arg, k + 1));
		if (!i)
			return -ENOMEM;
		i->file = f;
		i->arg = d->arg;
		*ret = &i->v;
		return 0;
	}
	for (unsigned k = 0; k < pd->nlinks; k++) {
		const struct pseudo_link *l = &pd->links[k];
		if (strncmp(l->path, name, len) || l->path[len])
			continue;
		struct pseudo_inode *i = pseudo_inode_new(dir->mount, d->node, PSEUDO_NUM_LINK, VNODE_LINK, pseudo_link_ops(l), num_ino(d->node, d->arg, pd->nfiles + k + 1));
		if (!i)
			return -ENOMEM;
		i->link = l;
		i->arg = d->arg;
		*ret = &i->v;
		return 0;
	}
	return -ENOENT;
}

/*
 * Register what rooms show besides what they registered at boot. That is put off until somebody lists a directory or asks for a name that is
 * not there yet, and then done room by room until the name is there: many programs read /proc/self/exe and nothing else, or one setting.
 */
static COLD void pseudo_populate(struct pnode *root)
{
	mutex_lock(&populate_lock);
	int (*populate)(void) = populate_fns[root->fs][populate_done[root->fs]];
	int r = populate ? populate() : 0;
	if (r)
		log_error("fs: generated files could not be made (%d)\n", r);
	if (populate)
		__atomic_store_n(&populate_done[root->fs], populate_done[root->fs] + 1, __ATOMIC_RELEASE);
	mutex_unlock(&populate_lock);
}
/* False when there is nothing more to register; true when something was just now, by whomever. */
static inline bool pseudo_look(struct pseudo_inode *d)
{
	if (likely(!populate_fns[d->node->fs][__atomic_load_n(&populate_done[d->node->fs], __ATOMIC_ACQUIRE)]))
		return false;
	pseudo_populate(d->node);
	return true;
}

static struct pnode *pnode_child(struct pnode *dir, const char *name, size_t len)
{
	struct pnode *n, *found = NULL;
	spin_lock(&pseudo_lock);
	list_for_each_entry(n, &dir->children, siblings)
		if (strncmp(n->name, name, len) == 0 && !n->name[len]) {
			found = n;
			break;
		}
	spin_unlock(&pseudo_lock);
	return found;
}

static int pseudo_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	struct pseudo_inode *d = pseudo_inode(dir);
	if (d->kind == PSEUDO_NUM)
		return lookup_number_file(dir, name, len, ret);
	if (d->node->kind == PNODE_NUMDIR)
		return lookup_number(dir, name, len, ret);
	struct pnode *found;
	while (!(found = pnode_child(d->node, name, len)) && pseudo_look(d))
		;
	if (!found)
		return -ENOENT;
	*ret = pseudo_vnode(dir->mount, found);
	return *ret ? 0 : -ENOMEM;
}

static u64 parent_ino(struct vnode *dir)
{
	struct vnode *p = dcache_parent(dir);
	u64 ino = p ? p->ino : dir->ino;
	if (p)
		vnode_put(p);
	return ino;
}

static int readdir_numbers(struct pseudo_inode *d, u64 off, vnode_dirent_fn fn, void *arg)
{
	const struct pseudo_dir *pd = d->node->dir;
	char name[24];
	for (s64 k = pd->next(off - 2); k >= 0; k = pd->next((u64)k + 1)) {
		size_t len = (size_t)fmt_buf(name, sizeof name, "%llu", (unsigned long long)k);
		if (!fn(arg, name, len, num_ino(d->node, (u64)k, 0), pd->file ? VNODE_REG : pd->link ? VNODE_LINK : VNODE_DIR, (u64)k + 3))
			break;
	}
	return 0;
}

static int readdir_number_files(struct pseudo_inode *d, u64 off, vnode_dirent_fn fn, void *arg)
{
	const struct pseudo_dir *pd = d->node->dir;
	for (u64 k = off - 2; k < pd->nfiles; k++)
		if (!fn(arg, pd->files[k].path, strlen(pd->files[k].path), num_ino(d->node, d->arg, (unsigned)k + 1), VNODE_REG, k + 3))
			return 0;
	for (u64 k = MAX(off - 2, (u64)pd->nfiles); k < pd->nfiles + pd->nlinks; k++) {
		const char *name = pd->links[k - pd->nfiles].path;
		if (!fn(arg, name, strlen(name), num_ino(d->node, d->arg, (unsigned)k + 1), VNODE_LINK, k + 3))
			break;
	}
	return 0;
}

/* The k-th child. Children are only ever appended, so positions are stable cookies. */
static struct pnode *pnode_at(struct pnode *dir, u64 k)
{
	struct pnode *n, *found = NULL;
	spin_lock(&pseudo_lock);
	list_for_each_entry(n, &dir->children, siblings)
		if (k-- == 0) {
			found = n;
			break;
		}
	spin_unlock(&pseudo_lock);
	return found;
}

int pseudo_readdir(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg)
{
	struct pseudo_inode *d = pseudo_inode(dir);
	struct pnode *n;
	while (pseudo_look(d))
		;
	if (off == 0) {
		if (!fn(arg, ".", 1, dir->ino, VNODE_DIR, 1))
			return 0;
		off = 1;
	}
	if (off == 1) {
		if (!fn(arg, "..", 2, parent_ino(dir), VNODE_DIR, 2))
			return 0;
		off = 2;
	}
	if (d->kind == PSEUDO_NUM)
		return readdir_number_files(d, off, fn, arg);
	if (d->node->kind == PNODE_NUMDIR)
		return readdir_numbers(d, off, fn, arg);
	for (u64 k = off - 2; (n = pnode_at(d->node, k)); k++) {
		enum vnode_type t = n->kind == PNODE_FILE ? VNODE_REG : n->kind == PNODE_LINK ? VNODE_LINK : VNODE_DIR;
		if (!fn(arg, n->name, strlen(n->name), n->ino, t, k + 3))
			break;
	}
	return 0;
}

static u32 pnode_subdirs(struct pnode *dir)
{
	u32 k = 0;
	struct pnode *n;
	if (dir->kind != PNODE_DIR)
		return 0;
	spin_lock(&pseudo_lock);
	list_for_each_entry(n, &dir->children, siblings)
		k += n->kind == PNODE_DIR || n->kind == PNODE_NUMDIR;
	spin_unlock(&pseudo_lock);
	return k;
}

static int pseudo_getattr(struct vnode *v, struct vattr *ret)
{
	struct pseudo_inode *i = pseudo_inode(v);
	if (v->type == VNODE_REG) {
		ret->mode |= i->file->mode & 07777;
	} else if (v->type == VNODE_LINK) {
		ret->mode |= 0777;
	} else {
		while (pseudo_look(i))
			;
		ret->mode |= 0555;
		ret->nlink = 2 + (i->kind == PSEUDO_NODE ? pnode_subdirs(i->node) : 0);
	}
	if (i->node->own) {
		ret->uid = fs_owner_uid;
		ret->gid = fs_owner_gid;
	}
	if (i->node->fs == PSEUDO_PROC)
		ret->blksize = 1024;
	fs_now(&ret->mtime);
	ret->atime = ret->ctime = ret->mtime;
	return 0;
}

/* ---- Files ---- */

static int pseudo_show(struct pseudo_inode *i, struct pseudo_text *t)
{
	if (!i->file->show)
		return -EIO;
	int r = i->file->show(t, i->arg);
	return r ? r : t->failed ? -ENOMEM : 0;
}

static ssize_t text_read(const struct pseudo_text *t, struct uio *u, u64 off)
{
	if (off >= t->len)
		return 0;
	return uio_result(u, uio_put(u, t->buf + off, t->len - off));
}

static ssize_t pseudo_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	struct pseudo_text t = { 0 };
	ssize_t n = pseudo_show(pseudo_inode(v), &t);
	if (!n)
		n = text_read(&t, u, off);
	heap_free(t.buf);
	return n;
}

static ssize_t pseudo_write(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	struct pseudo_inode *i = pseudo_inode(v);
	size_t len = u->resid;
	if (len > PSEUDO_STORE_MAX)
		return -EINVAL;
	char *buf = heap_alloc(len + 1);
	if (!buf)
		return -ENOMEM;
	ssize_t r = -EFAULT;
	if (uio_get(u, buf, len) == len)
		r = i->file->store(buf, len, i->arg);
	heap_free(buf);
	return r < 0 ? r : (ssize_t)len;
}

static int pseudo_open(struct vnode *v, void **ret_handle)
{
	struct pseudo_handle *h = heap_alloc(sizeof *h);
	if (!h)
		return -ENOMEM;
	mutex_init(&h->lock);
	*ret_handle = h;
	return 0;
}

static void pseudo_close(struct vnode *v, void *handle)
{
	struct pseudo_handle *h = handle;
	heap_free(h->text.buf);
	heap_free(h);
}

static ssize_t pseudo_read_handle(struct vnode *v, void *handle, struct uio *u, u64 off)
{
	struct pseudo_handle *h = handle;
	ssize_t r = 0;
	mutex_lock(&h->lock);
	if (!h->made || off == 0) {
		h->text.len = 0;
		h->text.failed = false;
		r = pseudo_show(pseudo_inode(v), &h->text);
		h->made = !r;
	}
	if (!r)
		r = text_read(&h->text, u, off);
	mutex_unlock(&h->lock);
	return r;
}

/* O_TRUNC and ftruncate of a generated file do nothing, chmod and the like are refused. */
static int pseudo_setattr(struct vnode *v, const struct vattr *a, u32 which)
{
	return which & VATTR_SIZE ? 0 : -EPERM;
}

/* ---- Links ---- */

static ssize_t pseudo_readlink(struct vnode *v, char *buf, size_t size)
{
	struct pseudo_inode *i = pseudo_inode(v);
	ssize_t n = i->link->target(buf, size, i->arg);
	return n > 0 && (size_t)n > size ? (ssize_t)size : n;
}

static int pseudo_follow(struct vnode *v, struct vnode **ret)
{
	struct pseudo_inode *i = pseudo_inode(v);
	return i->link->resolve(i->arg, ret);
}

/* Nothing can be made in /proc: Linux finds that there is no such name, rather than refusing. */
static int proc_create(struct vnode *dir, const char *name, size_t len, u32 mode, u64 rdev, struct vnode **ret) { return -ENOENT; }
static int proc_mkdir(struct vnode *dir, const char *name, size_t len, u32 mode, struct vnode **ret) { return -ENOENT; }
static int proc_symlink(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **ret) { return -ENOENT; }

static const struct vnode_ops dir_ops = {
	.lookup = pseudo_lookup, .readdir = LINK_SLOT(pseudo_readdir), .getattr = pseudo_getattr, .release = pseudo_release,
};
static const struct vnode_ops proc_dir_ops = {
	.lookup = pseudo_lookup, .readdir = LINK_SLOT(pseudo_readdir), .getattr = pseudo_getattr, .release = pseudo_release,
	.create = proc_create, .mkdir = proc_mkdir, .symlink = proc_symlink,
};
static const struct vnode_ops file_ops = {
	.read = pseudo_read, .write = pseudo_write, .open = pseudo_open, .close = pseudo_close, .read_handle = pseudo_read_handle,
	.getattr = pseudo_getattr, .setattr = pseudo_setattr, .release = pseudo_release,
};
static const struct vnode_ops file_ro_ops = {
	.read = pseudo_read, .open = pseudo_open, .close = pseudo_close, .read_handle = pseudo_read_handle,
	.getattr = pseudo_getattr, .setattr = pseudo_setattr, .release = pseudo_release,
};
static const struct vnode_ops link_ops = { .readlink = pseudo_readlink, .getattr = pseudo_getattr, .release = pseudo_release };
static const struct vnode_ops magic_ops = { .readlink = pseudo_readlink, .follow = pseudo_follow, .getattr = pseudo_getattr, .release = pseudo_release };

/* ---- Mounting ---- */

static int pseudo_statfs(struct mount *m, struct fs_statfs *ret)
{
	ret->type = (u64)(uintptr_t)m->priv;
	return 0;
}

int pseudo_on_look(enum pseudo_fs fs, int (*populate)(void))
{
	for (unsigned n = 0; n < POPULATE_MAX; n++)
		if (!populate_fns[fs][n]) {
			populate_fns[fs][n] = populate;
			return 0;
		}
	return -ENOMEM;
}

int pseudo_mount(enum pseudo_fs fs, const char *fstype, const char *path, u64 magic, int (*populate)(void))
{
	struct pnode *root = pseudo_root(fs);
	struct mount *m = heap_alloc(sizeof *m);
	if (!root || !m) {
		heap_free(m);
		return -ENOMEM;
	}
	mount_init(m, fstype);
	m->statfs = pseudo_statfs;
	m->priv = (void *)(uintptr_t)magic;
	if (populate && pseudo_on_look(fs, populate) < 0) {
		heap_free(m);
		return -ENOMEM;
	}
	m->root = pseudo_vnode(m, root);
	int r = m->root ? mount_attach(m, path) : -ENOMEM;
	if (r) {
		if (m->root)
			vnode_put(m->root);
		heap_free(m);
	}
	return r;
}
