/* sys_stat.c - what files are: stat in all its forms, access, readlink, statfs. Layouts of x86-64. */
#include "linux/filecalls.h"
#include "mm/heap.h"
#include "proc/pipe.h"

/* ---- stat ---- */

struct lx_stat {
	u64 dev, ino, nlink;
	u32 mode, uid, gid, pad;
	u64 rdev;
	s64 size, blksize, blocks;
	s64 atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	s64 unused[3];
};
_Static_assert(sizeof(struct lx_stat) == 144 && offsetof(struct lx_stat, rdev) == 40, "stat");

static int stat_out(const struct vattr *a, struct uaddr buf)
{
	NO_AUTO_INIT struct lx_stat st;  /* each member is set here, and there are no bytes between them */

	st.dev = a->dev;
	st.ino = a->ino;
	st.nlink = a->nlink;
	st.mode = a->mode;
	st.uid = a->uid;
	st.gid = a->gid;
	st.pad = 0;
	st.rdev = a->rdev;
	st.size = (s64)a->size;
	st.blksize = (s64)a->blksize;
	st.blocks = (s64)a->blocks512;
	st.atime = a->atime.sec;
	st.atime_nsec = a->atime.nsec;
	st.mtime = a->mtime.sec;
	st.mtime_nsec = a->mtime.nsec;
	st.ctime = a->ctime.sec;
	st.ctime_nsec = a->ctime.nsec;
	st.unused[0] = st.unused[1] = st.unused[2] = 0;
	return copy_to_user(buf, &st, sizeof(st));
}

/* The attributes of what a walk found, which is given up. */
static int attr_take(struct vnode *v, struct file *f, struct vattr *ret)
{
	int r;

	if (f) {
		r = file_getattr(f, ret);
		file_put(f);
	} else {
		r = fs_getattr(v, ret);
		vnode_put(v);
	}
	return r;
}

static int attr_at(int dirfd, struct uaddr path, int at_flags, struct vattr *ret)
{
	struct vnode *v;
	struct file *f;
	int r = vnode_at(dirfd, path, at_flags, &v, &f);

	return r < 0 ? r : attr_take(v, f, ret);
}

static long stat_call(int dirfd, struct uaddr path, struct uaddr buf, int at_flags)
{
	NO_AUTO_INIT struct vattr a;
	int r = attr_at(dirfd, path, at_flags, &a);

	return r < 0 ? r : stat_out(&a, buf);
}

long sys_stat(struct uaddr path, struct uaddr buf) { return stat_call(LX_AT_FDCWD, path, buf, 0); }
long sys_lstat(struct uaddr path, struct uaddr buf) { return stat_call(LX_AT_FDCWD, path, buf, LX_AT_SYMLINK_NOFOLLOW); }

long sys_fstat(int fd, struct uaddr buf)
{
	struct file *f = fd_lookup_any(fd);
	NO_AUTO_INIT struct vattr a;
	int r;

	if (!f)
		return -EBADF;
	r = file_getattr(f, &a);
	file_put(f);
	return r < 0 ? r : stat_out(&a, buf);
}

long sys_newfstatat(int dirfd, struct uaddr path, struct uaddr buf, int flags)
{
	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH | LX_AT_STATX_SYNC_TYPE))
		return -EINVAL;
	/* The C library's fstat: an empty path needs no walk. */
	if (flags & LX_AT_EMPTY_PATH && dirfd >= 0) {
		char first;
		if (copy_from_user(&first, path, 1) == 0 && !first)
			return sys_fstat(dirfd, buf);
	}
	return stat_call(dirfd, path, buf, flags);
}

/* ---- statx ---- */

struct lx_statx_time {
	s64 sec;
	u32 nsec;
	s32 pad;
};
struct lx_statx {
	u32 mask, blksize;
	u64 attributes;
	u32 nlink, uid, gid;
	u16 mode, pad0;
	u64 ino, size, blocks, attributes_mask;
	struct lx_statx_time atime, btime, ctime, mtime;
	u32 rdev_major, rdev_minor, dev_major, dev_minor;
	u64 mnt_id;
	u32 dio_mem_align, dio_offset_align;
	u64 spare[12];
};
_Static_assert(sizeof(struct lx_statx) == 256 && offsetof(struct lx_statx, atime) == 64 && offsetof(struct lx_statx, mnt_id) == 144, "statx");

#define STATX_BASIC    0x7ffu
#define STATX_BTIME    0x800u
#define STATX_RESERVED 0x80000000u

static struct lx_statx_time statx_time(struct timespec64 t)
{
	return (struct lx_statx_time){ t.sec, t.nsec, 0 };
}

static int statx_out(const struct vattr *a, struct uaddr buf)
{
	bool btime = a->btime.sec || a->btime.nsec;
	struct lx_statx sx = {
		.mask = STATX_BASIC | (btime ? STATX_BTIME : 0), .blksize = a->blksize, .nlink = a->nlink, .uid = a->uid, .gid = a->gid,
		.mode = (u16)a->mode, .ino = a->ino, .size = a->size, .blocks = a->blocks512,
		.atime = statx_time(a->atime), .btime = statx_time(a->btime), .ctime = statx_time(a->ctime), .mtime = statx_time(a->mtime),
		.rdev_major = LX_MAJOR(a->rdev), .rdev_minor = LX_MINOR(a->rdev), .dev_major = LX_MAJOR(a->dev), .dev_minor = LX_MINOR(a->dev),
	};
	return copy_to_user(buf, &sx, sizeof(sx));
}

int statx_check(int flags, unsigned mask)
{
	if (mask & STATX_RESERVED)
		return -EINVAL;
	if ((flags & LX_AT_STATX_SYNC_TYPE) == LX_AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (flags & ~(LX_AT_SYMLINK_NOFOLLOW | LX_AT_NO_AUTOMOUNT | LX_AT_EMPTY_PATH | LX_AT_STATX_SYNC_TYPE))
		return -EINVAL;
	return 0;
}

int path_statx(int dirfd, const char *path, int flags, struct uaddr buf)
{
	struct vnode *v;
	struct file *f;
	struct vattr a;
	int r = path_vnode(dirfd, path, flags, &v, &f);

	if (r == 0)
		r = attr_take(v, f, &a);
	return r < 0 ? r : statx_out(&a, buf);
}

long sys_statx(int dirfd, struct uaddr path, int flags, unsigned mask, struct uaddr buf)
{
	struct vattr a;
	int r = statx_check(flags, mask);

	if (r == 0)
		r = attr_at(dirfd, path, flags, &a);
	return r < 0 ? r : statx_out(&a, buf);
}

/* ---- access ---- */

enum { X_OK = 1, W_OK = 2, R_OK = 4 };

/*
 * Every file belongs to the one identity, so reading and writing are allowed whatever the mode
 * says; writing not on a read-only file system, executing not without any x bit.
 */
static int access_check(struct vnode *v, int mode)
{
	struct vattr a;
	int r;

	if (mode & W_OK && v->mount && v->mount->readonly && (v->type == VNODE_REG || v->type == VNODE_DIR || v->type == VNODE_LINK))
		return -EROFS;
	if (!(mode & X_OK) || v->type == VNODE_DIR)
		return 0;
	r = fs_getattr(v, &a);
	return r < 0 ? r : a.mode & 0111 ? 0 : -EACCES;
}

static long access_call(int dirfd, struct uaddr path, int mode, int flags)
{
	struct vnode *v;
	struct file *f;
	int r;

	if (mode & ~7 || flags & ~(LX_AT_EACCESS | LX_AT_SYMLINK_NOFOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	r = vnode_at(dirfd, path, flags, &v, &f);
	if (r < 0)
		return r;
	if (f) {
		file_put(f);
		return mode & X_OK ? -EACCES : 0;
	}
	r = access_check(v, mode);
	vnode_put(v);
	return r;
}

long sys_access(struct uaddr path, int mode) { return access_call(LX_AT_FDCWD, path, mode, 0); }
long sys_faccessat(int dirfd, struct uaddr path, int mode) { return access_call(dirfd, path, mode, 0); }
long sys_faccessat2(int dirfd, struct uaddr path, int mode, int flags) { return access_call(dirfd, path, mode, flags); }

/* ---- readlink ---- */

static long readlink_out(struct vnode *v, struct uaddr buf, size_t size)
{
	char *text = heap_alloc(FS_PATH_MAX);
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = fs_readlink(v, text, FS_PATH_MAX);
	if (n > 0) {
		n = (ssize_t)MIN((size_t)n, size);
		if (copy_to_user(buf, text, (size_t)n) < 0)
			n = -EFAULT;
	}
	heap_free(text);
	return n;
}

long sys_readlinkat(int dirfd, struct uaddr path, struct uaddr buf, size_t size)
{
	NO_AUTO_INIT struct user_path p;
	struct vnode *start = NULL, *v = NULL;
	long r;

	if ((int)size <= 0)
		return -EINVAL;
	r = user_path_get(&p, path, true);
	if (r < 0)
		return r;
	if (!p.text[0]) {
		user_path_free(&p);
		r = dirfd == LX_AT_FDCWD ? -ENOENT : vnode_at(dirfd, uaddr_make(0), LX_AT_EMPTY_PATH, &v, NULL);
		if (r == -EINVAL || (r == 0 && v->type != VNODE_LINK))
			r = -ENOENT;
	} else {
		r = walk_start(dirfd, p.text, &start);
		if (r == 0)
			r = fs_namei(start, p.text, 0, &v);
		if (r == 0 && v->type != VNODE_LINK)
			r = -EINVAL;
		walk_end(start);
		user_path_free(&p);
	}
	if (r == 0)
		r = readlink_out(v, buf, size);
	if (v)
		vnode_put(v);
	return r;
}

long sys_readlink(struct uaddr path, struct uaddr buf, size_t size)
{
	return sys_readlinkat(LX_AT_FDCWD, path, buf, size);
}

/* ---- statfs ---- */

struct lx_statfs {
	s64 type, bsize;
	u64 blocks, bfree, bavail, files, ffree;
	s32 fsid[2];
	s64 namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct lx_statfs) == 120, "statfs");

static int statfs_out(const struct fs_statfs *s, u32 dev, struct uaddr buf)
{
	struct lx_statfs out = {
		.type = (s64)s->type, .bsize = (s64)s->bsize, .blocks = s->blocks, .bfree = s->bfree, .bavail = s->bavail,
		.files = s->files, .ffree = s->ffree, .fsid = { (s32)dev, 0 }, .namelen = (s64)s->namelen,
		.frsize = (s64)s->bsize, .flags = (s64)s->flags,
	};
	return copy_to_user(buf, &out, sizeof(out));
}

static int statfs_vnode(struct vnode *v, struct uaddr buf)
{
	struct fs_statfs s = { 0 };
	int r = fs_statfs(v, &s);

	return r < 0 ? r : statfs_out(&s, v->mount ? v->mount->dev : 0, buf);
}

long sys_statfs(struct uaddr path, struct uaddr buf)
{
	struct vnode *v;
	int r = vnode_at(LX_AT_FDCWD, path, 0, &v, NULL);

	if (r < 0)
		return r;
	r = statfs_vnode(v, buf);
	vnode_put(v);
	return r;
}

/* What things without a file system answer. */
#define LX_PIPEFS_MAGIC 0x50495045u
#define LX_SOCKFS_MAGIC 0x534f434bu
#define LX_ANON_MAGIC   0x09041934u

long sys_fstatfs(int fd, struct uaddr buf)
{
	struct file *f = fd_lookup_any(fd);
	int r;

	if (!f)
		return -EBADF;
	if (f->vnode) {
		r = statfs_vnode(f->vnode, buf);
	} else {
		struct fs_statfs s = { .type = f->sock ? LX_SOCKFS_MAGIC : file_pipe(f) ? LX_PIPEFS_MAGIC : LX_ANON_MAGIC, .bsize = 4096, .namelen = FS_NAME_MAX, .flags = LX_ST_VALID };
		r = statfs_out(&s, FILE_DEV_ANON, buf);
	}
	file_put(f);
	return r;
}
