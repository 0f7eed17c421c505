/*
 * tmpfs_xattr.c - extended attributes of memory files and directories.
 *
 * A list on the inode, newest last. Names and values count against BYTES_MAX of one inode (so that a list always fits
 * what listxattr may return) and BYTES_ALL of the machine; beyond: -ENOSPC.
 *
 * Locks: vnode->lock, taken by fs/ (exclusively for changes). What can fail: memory, the limits.
 */
#include "fs/tmpfs.h"

#define BYTES_MAX (64u * 1024 + 256)
#define BYTES_ALL (16u << 20)

struct tmpfs_xattr {
	struct tmpfs_xattr *next;
	u32 name_len, size;
	char data[];                 /* the name with its NUL, then the value */
};

static u64 bytes_used;               /* atomic: of all inodes */

static size_t xattr_bytes(size_t name_len, size_t size) { return sizeof(struct tmpfs_xattr) + name_len + 1 + size; }

static struct tmpfs_xattr **xattr_find(struct tmpfs_inode *i, const char *name)
{
	struct tmpfs_xattr **x = &i->xattrs;

	while (*x && strcmp((*x)->data, name) != 0)
		x = &(*x)->next;
	return x;
}

static void xattr_free(struct tmpfs_xattr *x)
{
	if (x)
		__atomic_fetch_sub(&bytes_used, xattr_bytes(x->name_len, x->size), __ATOMIC_RELAXED);
	heap_free(x);
}

static struct tmpfs_xattr *xattr_new(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name), bytes = xattr_bytes(len, size);
	struct tmpfs_xattr *x;

	if (__atomic_add_fetch(&bytes_used, bytes, __ATOMIC_RELAXED) > BYTES_ALL) {
		__atomic_fetch_sub(&bytes_used, bytes, __ATOMIC_RELAXED);
		return NULL;
	}
	x = heap_alloc(bytes);
	if (!x) {
		__atomic_fetch_sub(&bytes_used, bytes, __ATOMIC_RELAXED);
		return NULL;
	}
	x->name_len = (u32)len;
	x->size = (u32)size;
	memcpy(x->data, name, len + 1);
	if (size)
		memcpy(x->data + len + 1, value, size);
	return x;
}

static size_t inode_bytes(const struct tmpfs_inode *i)
{
	size_t n = 0;

	for (const struct tmpfs_xattr *x = i->xattrs; x; x = x->next)
		n += xattr_bytes(x->name_len, x->size);
	return n;
}

ssize_t tmpfs_getxattr(struct vnode *v, const char *name, void *buf, size_t size)
{
	const struct tmpfs_xattr *x = *xattr_find(tmpfs_inode(v), name);

	if (!x)
		return -ENODATA;
	if (size && x->size > size)
		return -ERANGE;
	if (size)
		memcpy(buf, x->data + x->name_len + 1, x->size);
	return (ssize_t)x->size;
}

int tmpfs_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	struct tmpfs_xattr **at = xattr_find(i, name), *old = *at, *x = NULL;

	if (old && flags & FS_XATTR_CREATE)
		return -EEXIST;
	if (!old && flags & (FS_XATTR_REPLACE | FS_XATTR_REMOVE))
		return -ENODATA;
	if (!(flags & FS_XATTR_REMOVE)) {
		if (inode_bytes(i) + xattr_bytes(strlen(name), size) > BYTES_MAX + (old ? xattr_bytes(old->name_len, old->size) : 0))
			return -ENOSPC;
		x = xattr_new(name, value, size);
		if (!x)
			return -ENOSPC;
		x->next = old ? old->next : NULL;
		*at = x;
	} else {
		*at = old->next;
	}
	xattr_free(old);
	fs_now(&i->ctime);
	return 0;
}

ssize_t tmpfs_listxattr(struct vnode *v, char *buf, size_t size)
{
	size_t n = 0;

	for (const struct tmpfs_xattr *x = tmpfs_inode(v)->xattrs; x; x = x->next) {
		if (size && x->name_len + 1 > size - n)
			return -ERANGE;
		if (size)
			memcpy(buf + n, x->data, x->name_len + 1);
		n += x->name_len + 1;
	}
	return (ssize_t)n;
}

void tmpfs_xattrs_free(struct tmpfs_inode *i)
{
	while (i->xattrs) {
		struct tmpfs_xattr *x = i->xattrs;
		i->xattrs = x->next;
		xattr_free(x);
	}
}
