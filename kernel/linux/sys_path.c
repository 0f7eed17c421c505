/*
 * sys_path.c - names: making, removing, renaming, linking; the working directory.
 *
 * Everything is done by fs/ (kernel/fs/vnode.h says with which errors); here are flags, starting
 * points and what inotify hears.
 */
#include "linux/filecalls.h"
#include "base/link.h"
#include "mm/heap.h"
#include "proc/cwd.h"

/* ---- For inotify ---- */

void notify_at_slow(struct vnode *start, const char *path, u32 mask, struct vnode *v)
{
	char name[FS_NAME_MAX + 1];
	struct vnode *dir;
	bool slash;

	if (v && mask & LX_IN_DELETE) {
		struct vattr a;
		notify_self(v, LX_IN_ATTRIB);
		if (v->type == VNODE_DIR || (fs_getattr(v, &a) == 0 && a.nlink == 0))
			notify_self(v, LX_IN_DELETE_SELF);
	}
	if (fs_namei_parent(start, path, 0, &dir, name, &slash) == 0) {
		notify_name(dir, name, mask, 0, v && v->type == VNODE_DIR);
		vnode_put(dir);
	}
}

LINK_SLOT_OF(notify_at_slow);
__typeof__(&notify_at_slow) const volatile notify_at_hook RO_AFTER_INIT = LINK_SLOT(notify_at_slow);

/* The vnode that path names before it goes away, if anybody watches. */
static struct vnode *watched_at(struct vnode *start, const char *path)
{
	struct vnode *v = NULL;

	if (__atomic_load_n(&notify_watches, __ATOMIC_RELAXED) && fs_namei(start, path, 0, &v) < 0)
		v = NULL;
	return v;
}

static void notify_move(struct vnode *ostart, const char *opath, struct vnode *nstart, const char *npath, struct vnode *v)
{
	char name[FS_NAME_MAX + 1];
	u32 cookie = notify_cookie();
	struct vnode *dir;
	bool slash;

	if (fs_namei_parent(ostart, opath, 0, &dir, name, &slash) == 0) {
		notify_name(dir, name, LX_IN_MOVED_FROM, cookie, v->type == VNODE_DIR);
		vnode_put(dir);
	}
	if (fs_namei_parent(nstart, npath, 0, &dir, name, &slash) == 0) {
		notify_name(dir, name, LX_IN_MOVED_TO, cookie, v->type == VNODE_DIR);
		vnode_put(dir);
	}
	notify_self(v, LX_IN_MOVE_SELF);
}

/* ---- One path ---- */

int path_mkdir(int dirfd, const char *path, unsigned mode)
{
	struct vnode *start;
	int r = walk_start(dirfd, path, &start);

	if (r < 0)
		return r;
	r = fs_mkdir(start, path, mode & 01777 & ~umask_get());
	if (r == 0) {
		struct vnode *v = watched_at(start, path);
		notify_at(start, path, LX_IN_CREATE, v);
		if (v)
			vnode_put(v);
	}
	walk_end(start);
	return r;
}

long sys_mkdirat(int dirfd, struct uaddr path, unsigned mode)
{
	NO_AUTO_INIT struct user_path p;
	int r = user_path_get(&p, path, false);

	if (r < 0)
		return r;
	r = path_mkdir(dirfd, p.text, mode);
	user_path_free(&p);
	return r;
}

long sys_mkdir(struct uaddr path, unsigned mode)
{
	return sys_mkdirat(LX_AT_FDCWD, path, mode);
}

static int mknod_mode(unsigned *mode)
{
	switch (*mode & LX_S_IFMT) {
	case 0:
		*mode |= LX_S_IFREG;
		return 0;
	case LX_S_IFREG:
	case LX_S_IFIFO:
	case LX_S_IFSOCK:
		return 0;
	case LX_S_IFCHR:
	case LX_S_IFBLK:
	case LX_S_IFDIR:
		return -EPERM;
	}
	return -EINVAL;
}

long sys_mknodat(int dirfd, struct uaddr path, unsigned mode, unsigned dev)
{
	NO_AUTO_INIT struct user_path p;
	struct vnode *start;
	int r = mknod_mode(&mode);

	if (r == 0)
		r = user_path_get(&p, path, false);
	if (r < 0)
		return r;
	r = walk_start(dirfd, p.text, &start);
	if (r == 0) {
		r = fs_mknod(start, p.text, (mode & LX_S_IFMT) | (mode & 07777 & ~umask_get()), 0, NULL);
		if (r == 0)
			notify_at(start, p.text, LX_IN_CREATE, NULL);
		walk_end(start);
	}
	user_path_free(&p);
	return r;
}

long sys_mknod(struct uaddr path, unsigned mode, unsigned dev)
{
	return sys_mknodat(LX_AT_FDCWD, path, mode, dev);
}

int path_remove(int dirfd, const char *path, bool dir)
{
	struct vnode *start;
	int r = walk_start(dirfd, path, &start);

	if (r < 0)
		return r;
	struct vnode *v = watched_at(start, path);
	r = dir ? fs_rmdir(start, path) : fs_unlink(start, path);
	if (r == 0)
		notify_at(start, path, LX_IN_DELETE, v);
	if (v)
		vnode_put(v);
	walk_end(start);
	return r;
}

static long remove_call(int dirfd, struct uaddr path, bool dir)
{
	NO_AUTO_INIT struct user_path p;
	int r = user_path_get(&p, path, false);

	if (r < 0)
		return r;
	r = path_remove(dirfd, p.text, dir);
	user_path_free(&p);
	return r;
}

long sys_unlink(struct uaddr path) { return remove_call(LX_AT_FDCWD, path, false); }
long sys_rmdir(struct uaddr path) { return remove_call(LX_AT_FDCWD, path, true); }

long sys_unlinkat(int dirfd, struct uaddr path, int flags)
{
	return flags & ~LX_AT_REMOVEDIR ? -EINVAL : remove_call(dirfd, path, flags & LX_AT_REMOVEDIR);
}

/* ---- Two paths ---- */

static int two_paths_get(struct user_path *a, struct uaddr first, bool empty_ok, struct user_path *b, struct uaddr second)
{
	int r = user_path_get(a, first, empty_ok);

	if (r < 0)
		return r;
	r = user_path_get(b, second, false);
	if (r < 0)
		user_path_free(a);
	return r;
}

int path_symlink(const char *target, int dirfd, const char *path)
{
	struct vnode *start;
	int r = walk_start(dirfd, path, &start);

	if (r < 0)
		return r;
	r = fs_symlink(start, path, target);
	if (r == 0)
		notify_at(start, path, LX_IN_CREATE, NULL);
	walk_end(start);
	return r;
}

long sys_symlinkat(struct uaddr target, int dirfd, struct uaddr path)
{
	NO_AUTO_INIT struct user_path text, p;
	int r = two_paths_get(&text, target, false, &p, path);

	if (r < 0)
		return r;
	r = path_symlink(text.text, dirfd, p.text);
	user_path_free(&p);
	user_path_free(&text);
	return r;
}

long sys_symlink(struct uaddr target, struct uaddr path)
{
	return sys_symlinkat(target, LX_AT_FDCWD, path);
}

int path_link(int olddir, const char *old, int newdir, const char *new_path, int flags)
{
	struct vnode *target, *start;
	int r = path_vnode(olddir, old, flags & LX_AT_SYMLINK_FOLLOW ? 0 : LX_AT_SYMLINK_NOFOLLOW, &target, NULL);

	if (r < 0)
		return r;
	r = walk_start(newdir, new_path, &start);
	if (r == 0) {
		r = fs_link(target, start, new_path);
		if (r == 0) {
			notify_at(start, new_path, LX_IN_CREATE, NULL);
			notify_vnode(target, LX_IN_ATTRIB);
		}
		walk_end(start);
	}
	vnode_put(target);
	return r;
}

long sys_linkat(int olddir, struct uaddr old, int newdir, struct uaddr new_path, int flags)
{
	NO_AUTO_INIT struct user_path o, n;
	int r;

	if (flags & ~(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	r = two_paths_get(&o, old, flags & LX_AT_EMPTY_PATH, &n, new_path);
	if (r < 0)
		return r;
	r = path_link(olddir, o.text, newdir, n.text, flags);
	user_path_free(&n);
	user_path_free(&o);
	return r;
}

long sys_link(struct uaddr old, struct uaddr new_path)
{
	return sys_linkat(LX_AT_FDCWD, old, LX_AT_FDCWD, new_path, 0);
}

static int rename_walk(struct vnode *ostart, const char *opath, struct vnode *nstart, const char *npath, unsigned flags)
{
	struct vnode *v = watched_at(ostart, opath), *victim = watched_at(nstart, npath);
	int r = fs_rename(ostart, opath, nstart, npath, flags);

	if (r == 0 && v && v != victim) {
		notify_move(ostart, opath, nstart, npath, v);
		if (victim && !(flags & LX_RENAME_EXCHANGE)) {
			struct vattr a;
			notify_self(victim, LX_IN_ATTRIB);
			if (victim->type == VNODE_DIR || (fs_getattr(victim, &a) == 0 && a.nlink == 0))
				notify_self(victim, LX_IN_DELETE_SELF);
		}
	}
	if (v)
		vnode_put(v);
	if (victim)
		vnode_put(victim);
	return r;
}

static int rename_flags_check(unsigned flags)
{
	if (flags & ~(LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE | LX_RENAME_WHITEOUT))
		return -EINVAL;
	if (flags & (LX_RENAME_NOREPLACE | LX_RENAME_WHITEOUT) && flags & LX_RENAME_EXCHANGE)
		return -EINVAL;
	return flags & LX_RENAME_WHITEOUT ? -EPERM : 0;
}

int path_rename(int olddir, const char *old, int newdir, const char *new_path, unsigned flags)
{
	struct vnode *ostart, *nstart;
	int r = rename_flags_check(flags);

	if (r == 0)
		r = walk_start(olddir, old, &ostart);
	if (r < 0)
		return r;
	r = walk_start(newdir, new_path, &nstart);
	if (r == 0) {
		r = rename_walk(ostart, old, nstart, new_path, flags);
		walk_end(nstart);
	}
	walk_end(ostart);
	return r;
}

long sys_renameat2(int olddir, struct uaddr old, int newdir, struct uaddr new_path, unsigned flags)
{
	NO_AUTO_INIT struct user_path o, n;
	int r = rename_flags_check(flags);

	if (r == 0)
		r = two_paths_get(&o, old, false, &n, new_path);
	if (r < 0)
		return r;
	r = path_rename(olddir, o.text, newdir, n.text, flags);
	user_path_free(&n);
	user_path_free(&o);
	return r;
}

long sys_renameat(int olddir, struct uaddr old, int newdir, struct uaddr new_path)
{
	return sys_renameat2(olddir, old, newdir, new_path, 0);
}

long sys_rename(struct uaddr old, struct uaddr new_path)
{
	return sys_renameat2(LX_AT_FDCWD, old, LX_AT_FDCWD, new_path, 0);
}

/* ---- The working directory ---- */

long sys_chdir(struct uaddr path)
{
	struct vnode *v;
	int r = vnode_at(LX_AT_FDCWD, path, 0, &v, NULL);

	if (r < 0)
		return r;
	r = cwd_set(v);
	vnode_put(v);
	return r;
}

long sys_fchdir(int fd)
{
	struct file *f = fd_lookup_any(fd);
	int r;

	if (!f)
		return -EBADF;
	r = f->vnode ? cwd_set(f->vnode) : -ENOTDIR;
	file_put(f);
	return r;
}

long sys_getcwd(struct uaddr buf, size_t size)
{
	char *path = heap_alloc(FS_PATH_MAX);
	struct vnode *cwd;
	ssize_t n;

	if (!path)
		return -ENOMEM;
	cwd = cwd_get();
	n = fs_path_of(cwd, path, FS_PATH_MAX);
	vnode_put(cwd);
	if (n >= 0) {
		n++;                     /* with its NUL */
		if ((size_t)n > size)
			n = -ERANGE;
		else if (copy_to_user(buf, path, (size_t)n) < 0)
			n = -EFAULT;
	}
	heap_free(path);
	return n;
}
