/*
 * dirops.c - making, removing and moving names: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * Each walks to the parent, locks it exclusively, looks the name up again under the lock, makes
 * Linux's checks in Linux's order, asks the file system, and tells the name cache.
 *
 * Locks: directory locks, parent before child, two unrelated by address; rename_lock (mutex)
 * around renames between directories, so that the tree does not change above them.
 * What can fail: the walk's errors; -EEXIST -EROFS -EPERM -EBUSY -EXDEV -ENOTEMPTY ...; memory is
 * taken before the file system changes anything.
 */
#include "fs/internal.h"

static struct mutex rename_lock = MUTEX_INIT(rename_lock);

/* May the program make, move or remove the name that w leads to? */
static int name_guard(const struct walk *w)
{
	return guard_name(w->at, w->name, w->name_len);
}

/* ---- Making names ---- */

/*
 * Walk to where path will be made, and check that it can be: on 0 the parent is locked
 * exclusively and *ret_fresh is the prepared name. -EEXIST, then -ENOENT, then -EROFS, as Linux.
 */
static int make_begin(struct walk *w, struct vnode *start, const char *path, bool is_dir, struct dentry **ret_fresh)
{
	struct vnode *v;
	int r = walk_begin(w, start, path, 0);
	if (r)
		return r;
	r = walk_to_parent(w);
	if (r)
		goto fail;
	r = -EEXIST;
	if (walk_last_is_special(w))
		goto fail;
	*ret_fresh = dcache_prepare(w->name, w->name_len);
	r = -ENOMEM;
	if (!*ret_fresh)
		goto fail;
	rwlock_write(&w->at->lock);
	r = dcache_lookup(w->at, w->name, w->name_len, &v);
	if (r == -EAGAIN)
		r = namei_ask_locked(w->at, w->name, w->name_len, false, &v);
	if (r == 0) {
		vnode_put(v);
		r = -EEXIST;
	} else if (r == -ENOENT) {
		r = w->at->flags & VNODE_DEAD || (w->trailing && !is_dir) ? -ENOENT : name_guard(w);
		if (!r && fs_is_readonly(w->at))
			r = -EROFS;
	}
	if (!r)
		return 0;
	rwlock_unlock_write(&w->at->lock);
	dcache_discard_prepared(*ret_fresh);
fail:
	walk_end(w);
	return r;
}

/* v (a reference that is used up unless asked for) is the new entry, or the operation failed with r. */
static int make_end(struct walk *w, struct dentry *fresh, struct vnode *v, int r, struct vnode **ret_or_null)
{
	if (r)
		dcache_discard_prepared(fresh);
	else
		dcache_enter_prepared(fresh, w->at, v);
	rwlock_unlock_write(&w->at->lock);
	walk_end(w);
	if (!r && ret_or_null)
		*ret_or_null = v;
	else if (!r)
		vnode_put(v);
	return r;
}

int fs_mkdir(struct vnode *start, const char *path, u32 mode)
{
	NO_AUTO_INIT struct walk w;
	struct dentry *fresh;
	struct vnode *v = NULL;
	int r = make_begin(&w, start, path, true, &fresh);
	if (r)
		return r;
	const struct vnode_ops *ops = w.at->ops;
	r = ops->mkdir ? ops->mkdir(w.at, w.name, w.name_len, (mode & 01777) | LX_S_IFDIR, &v) : -EPERM;
	return make_end(&w, fresh, v, r, NULL);
}

int fs_mknod(struct vnode *start, const char *path, u32 mode, u64 rdev, struct vnode **ret_or_null)
{
	NO_AUTO_INIT struct walk w;
	struct dentry *fresh;
	struct vnode *v = NULL;
	if (!(mode & LX_S_IFMT))
		mode |= LX_S_IFREG;
	if ((mode & LX_S_IFMT) == LX_S_IFDIR)
		return -EPERM;
	if ((mode & LX_S_IFMT) == LX_S_IFLNK || !fs_type_of_mode(mode))
		return -EINVAL;
	int r = make_begin(&w, start, path, false, &fresh);
	if (r)
		return r;
	const struct vnode_ops *ops = w.at->ops;
	enum vnode_type t = fs_type_of_mode(mode);
	if (t == VNODE_CHR || t == VNODE_BLK)
		r = -EPERM;                  /* the program has no CAP_MKNOD */
	else if (!ops->create)
		r = t == VNODE_REG ? -EACCES : -EPERM;
	else
		r = ops->create(w.at, w.name, w.name_len, mode & (LX_S_IFMT | 07777), rdev, &v);
	return make_end(&w, fresh, v, r, ret_or_null);
}

int fs_symlink(struct vnode *start, const char *path, const char *target)
{
	NO_AUTO_INIT struct walk w;
	struct dentry *fresh;
	struct vnode *v = NULL;
	if (!target[0])
		return -ENOENT;
	if (strnlen(target, FS_PATH_MAX) >= FS_PATH_MAX)
		return -ENAMETOOLONG;
	int r = make_begin(&w, start, path, false, &fresh);
	if (r)
		return r;
	const struct vnode_ops *ops = w.at->ops;
	r = ops->symlink ? ops->symlink(w.at, w.name, w.name_len, target, &v) : -EPERM;
	return make_end(&w, fresh, v, r, NULL);
}

int fs_link(struct vnode *target, struct vnode *start, const char *path)
{
	NO_AUTO_INIT struct walk w;
	struct dentry *fresh;
	int r = unlikely(fs_guard != NULL) ? fs_guard->open(target, true) : 0;
	if (!r)
		r = make_begin(&w, start, path, false, &fresh);
	if (r)
		return r;
	const struct vnode_ops *ops = w.at->ops;
	if (target->mount != w.at->mount) {
		r = -EXDEV;
	} else if (!ops->link || target->type == VNODE_DIR) {
		r = -EPERM;
	} else {
		rwlock_write(&target->lock);
		r = ops->link(w.at, w.name, w.name_len, target);
		rwlock_unlock_write(&target->lock);
	}
	if (!r)
		vnode_get(target);
	return make_end(&w, fresh, target, r, NULL);
}

/* ---- Removing names ---- */

static void dir_died(struct vnode *v)
{
	v->flags |= VNODE_DEAD;
	/* More than our reference and the caches': names that were looked for in it, or somebody who is there. */
	if (__atomic_load_n(&v->refs, __ATOMIC_RELAXED) > __atomic_load_n(&v->idle_refs, __ATOMIC_RELAXED) + 1)
		dcache_purge(v);
}

static int remove_checked(struct walk *w, struct vnode *v, bool is_dir)
{
	const struct vnode_ops *ops = w->at->ops;
	if (is_dir) {
		if (v->type != VNODE_DIR)
			return -ENOTDIR;
		if (v->covered_by)
			return -EBUSY;
		if (!ops->rmdir)
			return -EPERM;
	} else {
		if (w->trailing)
			return v->type == VNODE_DIR ? -EISDIR : -ENOTDIR;
		if (v->type == VNODE_DIR)
			return -EISDIR;
		if (!ops->unlink)
			return -EPERM;
	}
	rwlock_write(&v->lock);
	int r = is_dir ? ops->rmdir(w->at, w->name, w->name_len, v) : ops->unlink(w->at, w->name, w->name_len, v);
	if (is_dir && !r)
		dir_died(v);
	rwlock_unlock_write(&v->lock);
	if (!r)
		dcache_forget(w->at, w->name, w->name_len, v);
	return r;
}

static int remove_name(struct vnode *start, const char *path, bool is_dir)
{
	NO_AUTO_INIT struct walk w;
	struct vnode *v;
	int r = walk_begin(&w, start, path, 0);
	if (r)
		return r;
	r = walk_to_parent(&w);
	if (r)
		goto out;
	if (walk_last_is_special(&w)) {
		r = !is_dir ? -EISDIR : !w.name_len ? -EBUSY : w.name_len == 1 ? -EINVAL : -ENOTEMPTY;
		goto out;
	}
	r = name_guard(&w);
	if (!r && fs_is_readonly(w.at))
		r = -EROFS;
	if (r)
		goto out;
	rwlock_write(&w.at->lock);
	r = namei_lookup_locked(w.at, w.name, w.name_len, &v);
	if (!r)
		r = remove_checked(&w, v, is_dir);
	else
		v = NULL;
	rwlock_unlock_write(&w.at->lock);
	if (v)
		vnode_put(v);
out:
	walk_end(&w);
	return r;
}

int fs_unlink(struct vnode *start, const char *path)
{
	return remove_name(start, path, false);
}

int fs_rmdir(struct vnode *start, const char *path)
{
	return remove_name(start, path, true);
}

/* ---- Renaming ---- */

struct rename {
	struct walk o, n;
	struct vnode *victim, *v;    /* what is at the new and the old name */
	u32 flags;
	struct dentry *fresh, *fresh_back; /* the new name; EXCHANGE: the old name for the victim */
};

static void rename_lock_dirs(struct vnode *a, struct vnode *b)
{
	if (a == b) {
		rwlock_write(&a->lock);
		return;
	}
	mutex_lock(&rename_lock);
	/* An ancestor first, else by address. */
	if (dcache_is_ancestor(b, a) || (!dcache_is_ancestor(a, b) && b < a)) {
		struct vnode *t = a;
		a = b;
		b = t;
	}
	rwlock_write(&a->lock);
	rwlock_write(&b->lock);
}

static void rename_unlock_dirs(struct vnode *a, struct vnode *b)
{
	rwlock_unlock_write(&a->lock);
	if (a != b) {
		rwlock_unlock_write(&b->lock);
		mutex_unlock(&rename_lock);
	}
}

/* Both names were looked up and the directories are locked: may it be? 1: nothing to do. */
static int rename_check(struct rename *x)
{
	bool exchange = x->flags & LX_RENAME_EXCHANGE;
	bool is_dir = x->v->type == VNODE_DIR;
	if (x->victim && x->flags & LX_RENAME_NOREPLACE)
		return -EEXIST;
	if (exchange && !x->victim)
		return -ENOENT;
	if (exchange && x->victim->type != VNODE_DIR && x->n.trailing)
		return -ENOTDIR;
	if (!is_dir && (x->o.trailing || (!exchange && x->n.trailing)))
		return -ENOTDIR;
	if (is_dir && dcache_is_ancestor(x->v, x->n.at))
		return -EINVAL;
	if (x->victim && x->victim->type == VNODE_DIR && dcache_is_ancestor(x->victim, x->o.at))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (x->v == x->victim)
		return 1;
	if (x->victim && !exchange) {
		if (is_dir && x->victim->type != VNODE_DIR)
			return -ENOTDIR;
		if (!is_dir && x->victim->type == VNODE_DIR)
			return -EISDIR;
	}
	if (!x->o.at->ops->rename)
		return -EPERM;
	if (x->v->covered_by || (x->victim && x->victim->covered_by))
		return -EBUSY;
	return 0;
}

static int rename_locked(struct rename *x)
{
	int r = namei_lookup_locked(x->o.at, x->o.name, x->o.name_len, &x->v);
	if (r)
		return r;
	r = namei_lookup_locked(x->n.at, x->n.name, x->n.name_len, &x->victim);
	if (r == -ENOENT)
		r = x->n.at->flags & VNODE_DEAD ? -ENOENT : 0;
	if (r)
		return r;
	r = rename_check(x);
	if (r)
		return r < 0 ? r : 0;
	if (x->v->type == VNODE_DIR || (x->victim && x->victim->type == VNODE_DIR))
		WRITE_ONCE(fs_guard_moved, true);
	/* Locks on a victim keep readers of a directory that goes away out. */
	if (x->victim)
		rwlock_write(&x->victim->lock);
	r = x->o.at->ops->rename(x->o.at, x->o.name, x->o.name_len, x->n.at, x->n.name, x->n.name_len, x->victim, x->flags);
	if (!r && x->victim && x->victim->type == VNODE_DIR && !(x->flags & LX_RENAME_EXCHANGE))
		dir_died(x->victim);
	if (x->victim)
		rwlock_unlock_write(&x->victim->lock);
	if (r)
		return r;
	if (x->flags & LX_RENAME_EXCHANGE) {
		dcache_forget(x->n.at, x->n.name, x->n.name_len, x->victim);
		dcache_move(x->o.at, x->o.name, x->o.name_len, x->n.at, x->fresh, x->v);
		dcache_enter_prepared(x->fresh_back, x->o.at, x->victim);
		x->fresh_back = NULL;
	} else {
		dcache_move(x->o.at, x->o.name, x->o.name_len, x->n.at, x->fresh, x->v);
	}
	x->fresh = NULL;
	return 0;
}

static int rename_walked(struct rename *x)
{
	if (x->o.at->mount != x->n.at->mount)
		return -EXDEV;
	if (walk_last_is_special(&x->o))
		return -EBUSY;
	if (walk_last_is_special(&x->n))
		return x->flags & LX_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	int r = name_guard(&x->o);
	if (!r)
		r = name_guard(&x->n);
	if (r)
		return r;
	if (fs_is_readonly(x->o.at))
		return -EROFS;
	x->fresh = dcache_prepare(x->n.name, x->n.name_len);
	x->fresh_back = dcache_prepare(x->o.name, x->o.name_len);
	if (!x->fresh || !x->fresh_back)
		return -ENOMEM;
	rename_lock_dirs(x->o.at, x->n.at);
	r = rename_locked(x);
	rename_unlock_dirs(x->o.at, x->n.at);
	return r;
}

int fs_rename(struct vnode *ostart, const char *opath, struct vnode *nstart, const char *npath, u32 flags)
{
	if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE))
		return -EINVAL;
	if (flags == (LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE))
		return -EINVAL;
	struct rename *x = heap_alloc(sizeof *x);
	if (!x)
		return -ENOMEM;
	x->flags = flags;
	int r = walk_begin(&x->o, ostart, opath, 0);
	if (r)
		goto out;
	r = walk_to_parent(&x->o);
	if (!r)
		r = walk_begin(&x->n, nstart, npath, 0);
	if (!r) {
		r = walk_to_parent(&x->n);
		if (!r)
			r = rename_walked(x);
		walk_end(&x->n);
	}
	walk_end(&x->o);
	dcache_discard_prepared(x->fresh);
	dcache_discard_prepared(x->fresh_back);
	if (x->v)
		vnode_put(x->v);
	if (x->victim)
		vnode_put(x->victim);
out:
	heap_free(x);
	return r;
}
