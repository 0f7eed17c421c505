/*
 * vnode.c - vnodes: references, and the operations on one object (read, write, attributes).
 *
 * Invariants:
 *  (V1) refs >= idle_refs; when refs reaches 0 the vnode has no hashed name, and release is
 *       called once, with no lock held.
 *  (V2) Data operations on regular files: writers and truncation hold v->lock exclusively, readers
 *       hold nothing (pages have references of their own, the size is read once).
 *
 * What can fail: as the file system says; wrong kinds of object give Linux's errno.
 */
#include "fs/internal.h"
#include "fs/tmpfs.h"

u32 fs_owner_uid = 1000, fs_owner_gid = 1000;
void (*fs_failed_hook)(const struct mount *m, const char *what, int error) RO_AFTER_INIT;

void vnode_init(struct vnode *v, const struct vnode_ops *ops, enum vnode_type type, struct mount *m, u64 ino)
{
	v->ops = ops;
	v->type = type;
	v->refs = 1;
	v->mount = m;
	v->ino = ino;
	rwlock_init(&v->lock);
	waitq_init(&v->waitq);
	list_init(&v->cache_link);
}

bool vnode_tryget(struct vnode *v)
{
	u32 n = __atomic_load_n(&v->refs, __ATOMIC_RELAXED);
	while (n)
		if (__atomic_compare_exchange_n(&v->refs, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	return false;
}

void vnode_put(struct vnode *v)
{
	/* A vnode that goes may hold the last reference of the directory that named it, and so on upwards. */
	while (v && __atomic_fetch_sub(&v->refs, 1, __ATOMIC_ACQ_REL) == 1) {
		struct vnode *dir = dcache_detach(v);
		v->ops->release(v);
		v = dir;
	}
}

void fs_now(struct timespec64 *ret)
{
	u64 ns = arch_clock_mono_ns() + arch_clock_real_offset_ns();
	ret->sec = (s64)(ns / NSEC_PER_SEC);
	ret->nsec = (u32)(ns % NSEC_PER_SEC);
}

static const u32 fs_modes[] = {
	[VNODE_REG] = LX_S_IFREG, [VNODE_DIR] = LX_S_IFDIR, [VNODE_LINK] = LX_S_IFLNK, [VNODE_CHR] = LX_S_IFCHR,
	[VNODE_FIFO] = LX_S_IFIFO, [VNODE_SOCK] = LX_S_IFSOCK, [VNODE_BLK] = LX_S_IFBLK,
};

enum vnode_type fs_type_of_mode(u32 mode)
{
	for (unsigned t = VNODE_REG; t < ARRAY_SIZE(fs_modes); t++)
		if ((mode & LX_S_IFMT) == fs_modes[t])
			return (enum vnode_type)t;
	return 0;
}

u32 fs_mode_of_type(enum vnode_type t)
{
	return t < ARRAY_SIZE(fs_modes) ? fs_modes[t] : 0;
}

/* ---- Attributes ---- */

int fs_getattr(struct vnode *v, struct vattr *ret)
{
	*ret = (struct vattr){ .ino = v->ino, .size = READ_ONCE(v->size), .dev = v->mount->dev, .mode = fs_mode_of_type(v->type), .nlink = 1, .blksize = PAGE_SIZE };
	return v->ops->getattr ? v->ops->getattr(v, ret) : 0;
}

COLD int fs_setattr(struct vnode *v, const struct vattr *a, u32 which)
{
	if (fs_is_readonly(v))
		return -EROFS;
	if (which & VATTR_SIZE)
		return fs_truncate(v, a->size);
	if (!v->ops->setattr)
		return -EPERM;
	rwlock_write(&v->lock);
	int r = v->ops->setattr(v, a, which);
	rwlock_unlock_write(&v->lock);
	return r;
}

int fs_truncate_locked(struct vnode *v, u64 size)
{
	struct vattr a = { .size = size };
	return v->ops->setattr ? v->ops->setattr(v, &a, VATTR_SIZE) : -EINVAL;
}

COLD int fs_truncate(struct vnode *v, u64 size)
{
	if (v->type == VNODE_DIR)
		return -EISDIR;
	if (v->type != VNODE_REG)
		return -EINVAL;
	if (fs_is_readonly(v))
		return -EROFS;
	if (size > (u64)INT64_MAX)
		return -EINVAL;
	rwlock_write(&v->lock);
	int r = fs_truncate_locked(v, size);
	rwlock_unlock_write(&v->lock);
	return r;
}

ssize_t fs_readlink(struct vnode *v, char *buf, size_t size)
{
	if (v->type != VNODE_LINK || !v->ops->readlink)
		return -EINVAL;
	return v->ops->readlink(v, buf, size);
}

/* ---- Data ---- */

ssize_t fs_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	if (likely(v->object && READ_ONCE(v->read_noted) == READ_ONCE(v->changes)))
		return vm_object_read(v->object, u, off, READ_ONCE(v->size));
	if (v->ops->read)
		return v->ops->read(v, u, off, nonblock);
	return v->type == VNODE_DIR ? -EISDIR : -EINVAL;
}

bool fs_in_memory(struct vnode *v)
{
	return v->object && (vm_object_in_memory(v->object) || tmpfs_file_in_memory(v));
}

s64 fs_seek(struct vnode *v, u64 off, bool hole)
{
	u64 size = READ_ONCE(v->size);

	if (off >= size)
		return -ENXIO;
	return v->ops->seek ? v->ops->seek(v, off, hole) : (s64)(hole ? size : off);
}

COLD ssize_t fs_getxattr(struct vnode *v, const char *name, void *buf, size_t size)
{
	if (!v->ops->getxattr)
		return -EOPNOTSUPP;
	rwlock_read(&v->lock);
	ssize_t n = v->ops->getxattr(v, name, buf, size);
	rwlock_unlock_read(&v->lock);
	return n;
}

COLD int fs_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags)
{
	if (v->mount && v->mount->readonly)
		return -EROFS;
	if (!v->ops->setxattr)
		return -EOPNOTSUPP;
	rwlock_write(&v->lock);
	int r = v->ops->setxattr(v, name, value, size, flags);
	rwlock_unlock_write(&v->lock);
	return r;
}

COLD ssize_t fs_listxattr(struct vnode *v, char *buf, size_t size)
{
	if (!v->ops->listxattr)
		return 0;
	rwlock_read(&v->lock);
	ssize_t n = v->ops->listxattr(v, buf, size);
	rwlock_unlock_read(&v->lock);
	return n;
}

COLD ssize_t fs_cached(struct vnode *v, u64 off, size_t len)
{
	u64 size = READ_ONCE(v->size), at = off, end;

	if (!v->object || !len || off >= size)
		return 0;
	end = off + MIN((u64)len, size - off);
	if (fs_in_memory(v))
		return (ssize_t)(end - off);
	while (at < end) {
		struct page *p = vm_object_lookup(v->object, at / PAGE_SIZE);
		if (!p)
			break;
		page_put(p);
		at = MIN(end, (at / PAGE_SIZE + 1) * PAGE_SIZE);
	}
	return at == off ? -EAGAIN : (ssize_t)(at - off);
}

static ssize_t fs_write_regular_locked(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	if (v->ops->write)
		return v->ops->write(v, u, off, nonblock);
	if (!v->object)
		return -EINVAL;
	ssize_t n = vm_object_write(v->object, u, off);
	if (n > 0 && off + (u64)n > v->size)
		WRITE_ONCE(v->size, off + (u64)n);
	return n;
}

ssize_t fs_write(struct vnode *v, struct uio *u, u64 off, bool append, bool nonblock, u64 *ret_off)
{
	ssize_t n;

	if (v->type != VNODE_REG)
		return v->ops->write ? v->ops->write(v, u, off, nonblock) : v->type == VNODE_DIR ? -EISDIR : -EINVAL;
	if (fs_is_readonly(v))
		return -EROFS;
	rwlock_write(&v->lock);
	if (append)
		off = v->size;
	n = off > (u64)INT64_MAX ? -EINVAL : (u64)INT64_MAX - off < u->resid ? -EFBIG : fs_write_regular_locked(v, u, off, nonblock);
	rwlock_unlock_write(&v->lock);
	if (n > 0 && ret_off)
		*ret_off = off + (u64)n;
	return n;
}

COLD int fs_fallocate(struct vnode *v, u32 mode, u64 off, u64 len)
{
	if (v->type == VNODE_FIFO)
		return -ESPIPE;
	if (v->type == VNODE_DIR)
		return -EISDIR;
	if (v->type != VNODE_REG)
		return -ENODEV;
	if (!len || off > (u64)INT64_MAX || len > (u64)INT64_MAX)
		return -EINVAL;
	if (mode & ~(LX_FALLOC_KEEP_SIZE | LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & LX_FALLOC_PUNCH_HOLE && mode & LX_FALLOC_ZERO_RANGE)
		return -EOPNOTSUPP;
	if (mode & LX_FALLOC_PUNCH_HOLE && !(mode & LX_FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (fs_is_readonly(v))
		return -EROFS;
	if (off + len > (u64)INT64_MAX)
		return -EFBIG;
	if (!v->ops->fallocate)
		return -EOPNOTSUPP;
	rwlock_write(&v->lock);
	int r = v->ops->fallocate(v, mode, off, len);
	rwlock_unlock_write(&v->lock);
	return r;
}

int fs_mmap_object(struct vnode *v, bool shared, struct vm_object **ret)
{
	if (v->ops->mmap_object)
		return v->ops->mmap_object(v, shared, ret);
	if (!v->object)
		return -ENODEV;
	vm_object_get(v->object);
	*ret = v->object;
	return 0;
}

bool fs_object_is_root(const struct vnode *v, const struct vm_object *o)
{
	/* A changeable file that shows another object than its own shows what it began with. */
	return v->mount->readonly || (v->type == VNODE_REG && v->object && o != v->object);
}

int fs_fsync(struct vnode *v, bool data_only)
{
	if (v->type != VNODE_REG && v->type != VNODE_DIR)
		return v->ops->fsync ? v->ops->fsync(v, data_only) : -EINVAL;
	return v->ops->fsync ? v->ops->fsync(v, data_only) : 0;
}

int fs_write_out(struct vnode *v, u64 off, u64 len)
{
	int r = v->object && len ? vm_object_sync(v->object, off / PAGE_SIZE, (off + len - 1) / PAGE_SIZE) : 0;

	return READ_ONCE(v->mount->failed) ? -EIO : r;
}

u32 fs_poll(struct vnode *v, struct poll_table *pt)
{
	if (v->ops->poll)
		return v->ops->poll(v, pt);
	return POLL_IN | POLL_OUT | POLL_RDNORM | POLL_WRNORM;
}

COLD int fs_readdir(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg)
{
	if (dir->type != VNODE_DIR || !dir->ops->readdir)
		return -ENOTDIR;
	rwlock_read(&dir->lock);
	int r = dir->ops->readdir(dir, off, fn, arg);
	rwlock_unlock_read(&dir->lock);
	return r;
}

/* ---- Paths of vnodes ---- */

ssize_t fs_path_show(struct vnode *v, char *buf, size_t size)
{
	static const char mark[] = " (deleted)";
	bool deleted;
	if (!size)
		return -ERANGE;
	ssize_t n = dcache_path(v, buf, size - 1, &deleted);
	if (n < 0)
		return n;
	if (deleted) {
		if ((size_t)n + sizeof mark > size)
			return -ERANGE;
		memcpy(buf + n, mark, sizeof mark - 1);
		n += (ssize_t)sizeof mark - 1;
	}
	buf[n] = '\0';
	return n;
}

COLD ssize_t fs_path_of(struct vnode *v, char *buf, size_t size)
{
	bool deleted;
	if (!size)
		return -ERANGE;
	ssize_t n = dcache_path(v, buf, size - 1, &deleted);
	if (n >= 0 && deleted)
		return -ENOENT;
	if (n >= 0)
		buf[n] = '\0';
	return n;
}
