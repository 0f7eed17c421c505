/*
 * sys_xattr.c - extended attributes: none are kept by tmpfs (user.* is -EOPNOTSUPP there, as Linux
 * 6.1 says), the root may have some and shows them; nothing can be set.
 */
#include "linux/filecalls.h"
#include "mm/heap.h"

#define XATTR_NAME_MAX 255u
#define XATTR_SIZE_MAX 65536u

static int name_get(struct uaddr uname, char *name)
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

static long get_value(struct vnode *v, const char *name, struct uaddr value, size_t size)
{
	size_t room = MIN(size, XATTR_SIZE_MAX);
	void *buf;
	long n;

	if (!known_namespace(name))
		return -EOPNOTSUPP;
	if (!v->ops->getxattr)
		return str_has_prefix(name, "user.") ? -EOPNOTSUPP : -ENODATA;
	buf = room ? heap_alloc(room) : NULL;
	if (room && !buf)
		return -ENOMEM;
	n = v->ops->getxattr(v, name, buf, room);
	if (n > 0 && room && copy_to_user(value, buf, (size_t)n) < 0)
		n = -EFAULT;
	heap_free(buf);
	return n;
}

static int set_check(struct vnode *v, const char *name, size_t size, int flags)
{
	if (flags & ~3)
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (v->mount && v->mount->readonly)
		return -EROFS;
	if (known_namespace(name) && !str_has_prefix(name, "user."))
		return -EPERM;
	return -EOPNOTSUPP;
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
#define WITH_NAME(uname, call)                                                         \
	char name[XATTR_NAME_MAX + 1];                                                 \
	int r = name_get(uname, name);                                                 \
	return r < 0 ? r : (call)

#define NOFOLLOW LX_AT_SYMLINK_NOFOLLOW

long sys_getxattr(struct uaddr path, struct uaddr uname, struct uaddr value, size_t size) { WITH_NAME(uname, ON_PATH(path, 0, get_value(v, name, value, size))); }
long sys_lgetxattr(struct uaddr path, struct uaddr uname, struct uaddr value, size_t size) { WITH_NAME(uname, ON_PATH(path, NOFOLLOW, get_value(v, name, value, size))); }
long sys_fgetxattr(int fd, struct uaddr uname, struct uaddr value, size_t size) { WITH_NAME(uname, ON_FD(fd, get_value(v, name, value, size))); }

long sys_setxattr(struct uaddr path, struct uaddr uname, struct uaddr value, size_t size, int flags) { WITH_NAME(uname, ON_PATH(path, 0, set_check(v, name, size, flags))); }
long sys_lsetxattr(struct uaddr path, struct uaddr uname, struct uaddr value, size_t size, int flags) { WITH_NAME(uname, ON_PATH(path, NOFOLLOW, set_check(v, name, size, flags))); }
long sys_fsetxattr(int fd, struct uaddr uname, struct uaddr value, size_t size, int flags) { WITH_NAME(uname, ON_FD(fd, set_check(v, name, size, flags))); }

long sys_removexattr(struct uaddr path, struct uaddr uname) { WITH_NAME(uname, ON_PATH(path, 0, set_check(v, name, 0, 0))); }
long sys_lremovexattr(struct uaddr path, struct uaddr uname) { WITH_NAME(uname, ON_PATH(path, NOFOLLOW, set_check(v, name, 0, 0))); }
long sys_fremovexattr(int fd, struct uaddr uname) { WITH_NAME(uname, ON_FD(fd, set_check(v, name, 0, 0))); }

/* Names are not listed: none that a program could use is kept. */
long sys_listxattr(struct uaddr path, struct uaddr list, size_t size) { return ON_PATH(path, 0, v ? 0 : 0); }
long sys_llistxattr(struct uaddr path, struct uaddr list, size_t size) { return ON_PATH(path, NOFOLLOW, v ? 0 : 0); }
long sys_flistxattr(int fd, struct uaddr list, size_t size) { return ON_FD(fd, v ? 0 : 0); }
