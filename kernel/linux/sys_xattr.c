/*
 * sys_xattr.c - extended attributes, as an unprivileged program finds them: user.* on files and directories of volumes and
 * memory file systems; trusted.* are invisible (ENODATA) and cannot be set (EPERM), security.* cannot be set; on the root nothing can.
 */
#include "linux/filecalls.h"
#include "mm/heap.h"

#define XATTR_SIZE_MAX 65536u

int xattr_name_get(struct uaddr uname, char *name)
{
	ssize_t n = copy_string_from_user(name, uname, XATTR_NAME_MAX + 1);

	if (n == 0 || n == -ENAMETOOLONG)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

/* Does any file system know names like this? */
static bool known_namespace(const char *name)
{
	return str_has_prefix(name, "user.") || str_has_prefix(name, "security.") || str_has_prefix(name, "trusted.") ||
	       str_has_prefix(name, "system.posix_acl_");
}

static bool is_user(const char *name) { return str_has_prefix(name, "user."); }
static bool has_user_attributes(const struct vnode *v) { return v->type == VNODE_REG || v->type == VNODE_DIR; }

/* An attribute's value, or the list of names (name: NULL), for the program. The buffer is as large as what there is, not as what is asked for. */
static long read_out(struct vnode *v, const char *name, struct uaddr to, size_t size)
{
	for (;;) {
		ssize_t n = name ? fs_getxattr(v, name, NULL, 0) : fs_listxattr(v, NULL, 0);
		void *buf;

		if (n <= 0 || !size)
			return n;
		if ((size_t)n > MIN(size, XATTR_SIZE_MAX))
			return -ERANGE;
		buf = heap_alloc((size_t)n);
		if (!buf)
			return -ENOMEM;
		n = name ? fs_getxattr(v, name, buf, (size_t)n) : fs_listxattr(v, buf, (size_t)n);
		if (n > 0 && copy_to_user(to, buf, (size_t)n) < 0)
			n = -EFAULT;
		heap_free(buf);
		if (n != -ERANGE)            /* else it grew meanwhile */
			return n;
	}
}

long xattr_get(struct vnode *v, const char *name, struct uaddr value, size_t size)
{
	if (!known_namespace(name))
		return -EOPNOTSUPP;
	if (!is_user(name) || !has_user_attributes(v))
		return str_has_prefix(name, "system.") ? -EOPNOTSUPP : -ENODATA;
	if (!name[sizeof("user.") - 1])
		return -EINVAL;
	return read_out(v, name, value, size);
}

/* May it be changed at all? */
static int change_check(struct vnode *v, const char *name)
{
	if (v->mount && v->mount->readonly)
		return -EROFS;
	if (!known_namespace(name) || str_has_prefix(name, "system."))
		return -EOPNOTSUPP;
	if (!is_user(name) || !has_user_attributes(v))
		return -EPERM;
	return name[sizeof("user.") - 1] ? 0 : -EINVAL;
}

long xattr_change(struct vnode *v, const char *name, const void *value, size_t size, u32 flags)
{
	int r = change_check(v, name);

	if (r == 0)
		r = fs_setxattr(v, name, value, size, flags);
	if (r == 0)
		notify_vnode(v, LX_IN_ATTRIB);
	return r;
}

/* The arguments of a set call, fetched: the value is the heap's. */
long xattr_value_get(struct uaddr value, size_t size, int flags, void **ret)
{
	*ret = NULL;
	if (flags & ~3)
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (!size)
		return 0;
	*ret = heap_alloc(size);
	if (!*ret)
		return -ENOMEM;
	return copy_from_user(*ret, value, size);
}

/* Do something to what a path or a descriptor names. */
#define ON_PATH(path, at_flags, expr)                                                  \
	({                                                                             \
		struct vnode *v;                                                       \
		long x_ = vnode_at(LX_AT_FDCWD, path, at_flags, &v, NULL);             \
		if (x_ == 0) {                                                         \
			x_ = (expr);                                                   \
			vnode_put(v);                                                  \
		}                                                                      \
		x_;                                                                    \
	})
#define ON_FD(fd, expr)                                                                \
	({                                                                             \
		struct file *xf_ = fd_lookup(fd);                                      \
		long x_ = -EBADF;                                                      \
		if (xf_) {                                                             \
			struct vnode *v = xf_->vnode;                                  \
			x_ = v ? (expr) : -EOPNOTSUPP;                                 \
			file_put(xf_);                                                 \
		}                                                                      \
		x_;                                                                    \
	})
#define NOFOLLOW LX_AT_SYMLINK_NOFOLLOW

static long path_get(struct uaddr path, int at, struct uaddr uname, struct uaddr value, size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	int r = xattr_name_get(uname, name);

	return r < 0 ? r : ON_PATH(path, at, xattr_get(v, name, value, size));
}

static long path_set(struct uaddr path, int at, struct uaddr uname, struct uaddr value, size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *bytes = NULL;
	long r = flags & ~3 ? -EINVAL : xattr_name_get(uname, name);

	if (r == 0)
		r = xattr_value_get(value, size, flags, &bytes);
	if (r == 0)
		r = ON_PATH(path, at, xattr_change(v, name, bytes, size, (u32)flags));
	heap_free(bytes);
	return r;
}

static long path_remove_xattr(struct uaddr path, int at, struct uaddr uname)
{
	char name[XATTR_NAME_MAX + 1];
	int r = xattr_name_get(uname, name);

	return r < 0 ? r : ON_PATH(path, at, xattr_change(v, name, NULL, 0, FS_XATTR_REMOVE));
}

long sys_getxattr(struct uaddr path, struct uaddr name, struct uaddr value, size_t size) { return path_get(path, 0, name, value, size); }
long sys_lgetxattr(struct uaddr path, struct uaddr name, struct uaddr value, size_t size) { return path_get(path, NOFOLLOW, name, value, size); }
long sys_fgetxattr(int fd, struct uaddr uname, struct uaddr value, size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	int r = xattr_name_get(uname, name);

	return r < 0 ? r : ON_FD(fd, xattr_get(v, name, value, size));
}

long sys_setxattr(struct uaddr path, struct uaddr name, struct uaddr value, size_t size, int flags) { return path_set(path, 0, name, value, size, flags); }
long sys_lsetxattr(struct uaddr path, struct uaddr name, struct uaddr value, size_t size, int flags) { return path_set(path, NOFOLLOW, name, value, size, flags); }
long sys_fsetxattr(int fd, struct uaddr uname, struct uaddr value, size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *bytes = NULL;
	long r = flags & ~3 ? -EINVAL : xattr_name_get(uname, name);

	if (r == 0)
		r = xattr_value_get(value, size, flags, &bytes);
	if (r == 0)
		r = ON_FD(fd, xattr_change(v, name, bytes, size, (u32)flags));
	heap_free(bytes);
	return r;
}

long sys_removexattr(struct uaddr path, struct uaddr name) { return path_remove_xattr(path, 0, name); }
long sys_lremovexattr(struct uaddr path, struct uaddr name) { return path_remove_xattr(path, NOFOLLOW, name); }
long sys_fremovexattr(int fd, struct uaddr uname)
{
	char name[XATTR_NAME_MAX + 1];
	int r = xattr_name_get(uname, name);

	return r < 0 ? r : ON_FD(fd, xattr_change(v, name, NULL, 0, FS_XATTR_REMOVE));
}

long sys_listxattr(struct uaddr path, struct uaddr list, size_t size) { return ON_PATH(path, 0, read_out(v, NULL, list, size)); }
long sys_llistxattr(struct uaddr path, struct uaddr list, size_t size) { return ON_PATH(path, NOFOLLOW, read_out(v, NULL, list, size)); }
long sys_flistxattr(int fd, struct uaddr list, size_t size) { return ON_FD(fd, read_out(v, NULL, list, size)); }
