/*
 * open.c - fs_open: finding or making what open(2) names, with Linux's errors in Linux's order.
 *
 * Locks: the directory's lock, exclusively, only when an entry must be made; the file's lock
 * around truncation.
 * What can fail: everything namei.c says, and -EEXIST -EISDIR -ENOTDIR -ELOOP -ENXIO -EROFS
 * -EACCES -EINVAL -EOPNOTSUPP -ENOSPC.
 */
#include "fs/internal.h"

RO_AFTER_INIT const struct fs_guard *fs_guard;
bool fs_guard_moved;

static bool open_wants_write(u32 oflags)
{
	return (oflags & LX_O_ACCMODE) != LX_O_RDONLY || oflags & LX_O_TRUNC;
}

int open_check(struct vnode *v, u32 oflags)
{
	if (oflags & LX_O_DIRECTORY && v->type != VNODE_DIR)
		return -ENOTDIR;
	if (oflags & LX_O_PATH)
		return 0;
	switch (v->type) {
	case VNODE_LINK:
		return -ELOOP;
	case VNODE_DIR:
		if (open_wants_write(oflags) || oflags & LX_O_CREAT)
			return -EISDIR;
		return 0;
	case VNODE_SOCK:
	case VNODE_BLK:
		return -ENXIO;
	case VNODE_CHR:
		return v->ops->read || v->ops->write || v->ops->open ? 0 : -ENXIO;
	case VNODE_REG:
		if (!open_wants_write(oflags))
			return 0;
		if (fs_is_readonly(v))
			return -EROFS;
		/* Generated files that take no writes. */
		if (!v->object && !v->ops->write)
			return -EACCES;
		return 0;
	default:
		return 0;
	}
}

/* The checks on what was found, then O_TRUNC. */
static int open_existing(struct vnode *v, u32 oflags, u32 namei_flags)
{
	int r = 0;
	if (unlikely(fs_guard != NULL) && !(READ_ONCE(v->guarded) & (open_wants_write(oflags) ? FS_GUARD_WRITE : FS_GUARD_READ)) &&
	    !(oflags & LX_O_PATH) && !(namei_flags & NAMEI_UNGUARDED))
		r = fs_guard->open(v, open_wants_write(oflags));
	if (!r)
		r = open_check(v, oflags);
	if (r || v->type != VNODE_REG || !(oflags & LX_O_TRUNC) || oflags & LX_O_PATH || !v->object)
		return r;
	rwlock_write(&v->lock);
	r = fs_truncate_locked(v, 0);
	rwlock_unlock_write(&v->lock);
	return r;
}

/* The name was looked up under the directory's lock: make it. */
static int open_make(struct walk *w, u32 mode, struct vnode **ret)
{
	struct vnode *dir = w->at;

	if (dir->flags & VNODE_DEAD)
		return -ENOENT;
	int r = w->flags & NAMEI_UNGUARDED ? 0 : guard_name(dir, w->name, w->name_len);
	if (r)
		return r;
	if (fs_is_readonly(dir))
		return -EROFS;
	if (!dir->ops->create)
		return -EACCES;
	struct dentry *fresh = dcache_prepare(w->name, w->name_len);
	if (!fresh)
		return -ENOMEM;
	r = dir->ops->create(dir, w->name, w->name_len, (mode & 07777) | LX_S_IFREG, 0, ret);
	if (r)
		dcache_discard_prepared(fresh);
	else
		dcache_enter_prepared(fresh, dir, *ret);
	return r;
}

/* The entry where w is, made if it is absent. The directory's lock is taken unless the cache has the entry. */
static int open_create(struct walk *w, u32 mode, struct vnode **ret, bool *ret_created)
{
	int r = dcache_lookup(w->at, w->name, w->name_len, ret);

	if (r) {
		rwlock_write(&w->at->lock);
		/* What the cache did not know another thread may have made since: the file system knows. */
		r = r == -EAGAIN ? namei_ask_locked(w->at, w->name, w->name_len, false, ret) : namei_lookup_locked(w->at, w->name, w->name_len, ret);
		if (r == -ENOENT) {
			r = open_make(w, mode, ret);
			*ret_created = !r;
		}
		rwlock_unlock_write(&w->at->lock);
	}
	return r || *ret_created ? r : walk_enter(w, ret);
}

static int open_with_create(struct walk *w, u32 oflags, u32 mode, struct vnode **ret, bool *ret_created)
{
	bool may_follow = !(oflags & (LX_O_NOFOLLOW | LX_O_EXCL));
	int r = walk_to_parent(w);
	while (!r) {
		struct vnode *v;
		if (walk_last_is_special(w)) {
			if (oflags & LX_O_EXCL)
				return -EEXIST;
			if (fs_name_is_dotdot(w->name, w->name_len) || !w->at || w->at->type == VNODE_DIR)
				return -EISDIR;
			v = w->at;               /* a link led straight to a file */
			vnode_get(v);
		} else {
			if (w->trailing)
				return -EISDIR;
			r = open_create(w, mode, &v, ret_created);
			if (r)
				return r;
		}
		if (!*ret_created && oflags & LX_O_EXCL) {
			vnode_put(v);
			return -EEXIST;
		}
		if (v->type == VNODE_LINK && w->name_len && may_follow) {
			r = walk_follow_last(w, v);
			vnode_put(v);
			continue;
		}
		r = *ret_created ? 0 : open_existing(v, oflags, w->flags);
		if (r)
			vnode_put(v);
		else
			*ret = v;
		return r;
	}
	return r;
}

static COLD int open_tmpfile(struct vnode *dir, u32 oflags, u32 mode, struct vnode **ret)
{
	if (!dir->ops->tmpfile)
		return fs_is_readonly(dir) ? -EROFS : -EOPNOTSUPP;
	if (fs_is_readonly(dir))
		return -EROFS;
	return dir->ops->tmpfile(dir, (mode & 07777) | LX_S_IFREG, !(oflags & LX_O_EXCL), ret);
}

/* The long way of fs_open. */
static NOINLINE COLD int open_walk(struct vnode *start, const char *path, u32 oflags, u32 mode, u32 namei_flags, struct vnode **ret, bool *ret_created)
{
	NO_AUTO_INIT struct walk w;
	struct vnode *v;
	int r = walk_begin(&w, start, path, namei_flags);
	if (r)
		return r;
	if (oflags & LX_O_CREAT) {
		r = open_with_create(&w, oflags, mode, ret, ret_created);
	} else {
		r = walk_to_end(&w, &v);
		if (!r && (oflags & LX_O_TMPFILE) == LX_O_TMPFILE) {
			r = open_tmpfile(v, oflags, mode, ret);
			vnode_put(v);
			*ret_created = !r;
		} else if (!r) {
			r = open_existing(v, oflags, namei_flags);
			if (r)
				vnode_put(v);
			else
				*ret = v;
		}
	}
	if (unlikely(fs_guard != NULL) && r == -ENOENT && w.name_len && !(oflags & LX_O_PATH) && !(namei_flags & NAMEI_UNGUARDED))
		fs_guard->absent(w.at, w.name, open_wants_write(oflags) || oflags & LX_O_CREAT);
	walk_end(&w);
	return r;
}

int fs_open(struct vnode *start, const char *path, u32 oflags, u32 mode, u32 namei_flags, struct vnode **ret, bool *ret_created)
{
	struct vnode *v;
	bool created = false;
	int r;

	if (oflags & LX_O_PATH)
		oflags &= LX_O_PATH | LX_O_DIRECTORY | LX_O_NOFOLLOW;
	bool tmpfile = (oflags & LX_O_TMPFILE) == LX_O_TMPFILE;
	if (tmpfile && (oflags & LX_O_ACCMODE) == LX_O_RDONLY)
		return -EINVAL;
	if (oflags & LX_O_CREAT && oflags & LX_O_DIRECTORY)
		return -EINVAL;

	namei_flags &= ~(u32)(NAMEI_FOLLOW | NAMEI_DIRECTORY);
	if (!(oflags & LX_O_NOFOLLOW))
		namei_flags |= NAMEI_FOLLOW;
	if (oflags & LX_O_DIRECTORY)
		namei_flags |= NAMEI_DIRECTORY;
	v = oflags & LX_O_CREAT || tmpfile ? NULL : walk_quick(start, path, namei_flags);
	if (v) {
		r = oflags & LX_O_DIRECTORY && v->type != VNODE_DIR ? -ENOTDIR : open_existing(v, oflags, namei_flags);
		if (r)
			vnode_put(v);
		else
			*ret = v;
	} else {
		r = open_walk(start, path, oflags, mode, namei_flags, ret, &created);
	}
	if (ret_created)
		*ret_created = created;
	return r;
}
