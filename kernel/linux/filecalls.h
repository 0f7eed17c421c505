/*
 * filecalls.h - what the calls on files share: iovecs and paths from the program, starting points of walks.
 */
#ifndef LINUX_FILECALLS_H
#define LINUX_FILECALLS_H

#include "arch/arch.h"
#include "linux/syscall.h"
#include "proc/file.h"
#include "proc/notify.h"

/* May [base, base + len) be the program's? What Linux's access_ok says: no page is looked at. */
static inline bool user_range_ok(struct uaddr base, size_t len)
{
	bool ok = len <= ARCH_USER_TOP && base.va <= ARCH_USER_TOP - len;

	if (unlikely(!ok))
		(void)uaddr_refuse(base.va);
	return ok;
}

struct lx_iovec {
	u64 base, len;
};

/* An iovec array of the program, fetched once, checked, cut at LX_MAX_RW_COUNT. */
struct user_iov {
	struct uio_seg *segs;
	unsigned n;
	size_t total;
	struct uio_seg few[8];
};
/* 0, -EINVAL, -EFAULT, -ENOMEM. user_iov_free afterwards, also after an error. */
int user_iov_get(struct user_iov *v, struct uaddr iov, u64 count);
void user_iov_free(struct user_iov *v);

/* A path of the program. */
struct user_path {
	char *text;                  /* NULL after an error */
	char small[176];
};
/* 0, -EFAULT, -ENAMETOOLONG, -ENOMEM, and -ENOENT for the empty path unless empty_ok. user_path_free after success. */
int user_path_get(struct user_path *p, struct uaddr path, bool empty_ok);
void user_path_free(struct user_path *p);

#define LX_AT_FDCWD            (-100)
#define LX_AT_SYMLINK_NOFOLLOW 0x100
#define LX_AT_REMOVEDIR        0x200
#define LX_AT_EACCESS          0x200
#define LX_AT_SYMLINK_FOLLOW   0x400
#define LX_AT_NO_AUTOMOUNT     0x800
#define LX_AT_EMPTY_PATH       0x1000
#define LX_AT_STATX_SYNC_TYPE  0x6000

/* Where the walk of path starts; a reference, or NULL for absolute paths. -EBADF, -ENOTDIR. */
int walk_start(int dirfd, const char *path, struct vnode **ret);
static inline void walk_end(struct vnode *start)
{
	if (start)
		vnode_put(start);
}
/*
 * The vnode that (dirfd, path, AT_ flags) names: AT_EMPTY_PATH with "" names dirfd itself.
 * Follows the last link unless AT_SYMLINK_NOFOLLOW. Some fds have no vnode: then *ret_file
 * (referenced) is set instead, if the caller passes it, else -EINVAL.
 */
int vnode_at(int dirfd, struct uaddr path, int at_flags, struct vnode **ret, struct file **ret_file);
/* The same with the path in the kernel; "" names dirfd itself (the caller has checked AT_EMPTY_PATH). */
int path_vnode(int dirfd, const char *path, int at_flags, struct vnode **ret, struct file **ret_file);

/*
 * The calls on paths with their paths in the kernel already (io_uring fetches them when a request is submitted and
 * runs it later). Errors are the calls'. May sleep.
 */
int path_mkdir(int dirfd, const char *path, unsigned mode);
int path_remove(int dirfd, const char *path, bool dir);
int path_symlink(const char *target, int dirfd, const char *path);
/* flags: AT_SYMLINK_FOLLOW; an empty old path names olddir. */
int path_link(int olddir, const char *old, int newdir, const char *new_path, int flags);
int path_rename(int olddir, const char *old, int newdir, const char *new_path, unsigned flags);
/* statx: the arguments without the path. -EINVAL. */
int statx_check(int flags, unsigned mask);
int path_statx(int dirfd, const char *path, int flags, struct uaddr buf);

struct lx_open_how {
	u64 flags, mode, resolve;
};
/* What openat makes of its arguments; what openat2 fetches: -EINVAL, -E2BIG, -EFAULT. */
struct lx_open_how open_how_plain(int flags, unsigned mode);
int open_how_get(struct lx_open_how *how, struct uaddr uhow, size_t size);
/* Check how (and complete it), then open: a file without a descriptor yet. */
int open_how_check(struct lx_open_how *how);
int path_open(int dirfd, const char *path, const struct lx_open_how *how, struct file **ret);

/* What calls do once their descriptor is found. signal: beyond RLIMIT_FSIZE that is told by SIGXFSZ too. */
int file_allocate(struct file *f, int mode, s64 off, s64 len, bool signal);
int file_advise(struct file *f, s64 off, s64 len, int advice);
int file_sync_range(struct file *f, s64 off, s64 len, unsigned flags);
/* The range of a positioned transfer ends before the largest offset: -ESPIPE, -EINVAL. */
int rw_offset_check(const struct file *f, s64 off, size_t count);
/* RWF_ flags that this file can honour: -EOPNOTSUPP. */
int rw_flags_check(struct file *f, int flags, bool write);
/* A transfer with flags; off NULL: at the position. nonblock: does not sleep for the other side. */
ssize_t rw_transfer(struct file *f, struct uio *u, const u64 *off, int flags, bool write, bool nonblock);

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      0xfu
/* splice and tee between files that are open for it or not. in_at, out_at: NULL = the files' own positions. */
long splice_files(struct file *in, u64 *in_at, struct file *out, u64 *out_at, size_t len, u32 flags);
long tee_files(struct file *in, struct file *out, size_t len, u32 flags);

/* epoll_ctl with its event in the kernel. */
struct lx_epoll_event;
int epoll_ctl_call(int epfd, int op, int fd, const struct lx_epoll_event *ev);

/* Extended attributes by vnode, for io_uring: sys_xattr.c. name: XATTR_NAME_MAX + 1 bytes; *ret_value is the heap's. */
#define XATTR_NAME_MAX 255u
int xattr_name_get(struct uaddr uname, char *name);
long xattr_value_get(struct uaddr value, size_t size, int flags, void **ret_value);
long xattr_get(struct vnode *v, const char *name, struct uaddr value, size_t size);
long xattr_change(struct vnode *v, const char *name, const void *value, size_t size, u32 flags);

/* Two new files become descriptors together; the numbers go to fds. Consumes both references. */
int install_pair(struct file *a, struct file *b, bool cloexec, struct uaddr fds);
/* One new file becomes a descriptor; consumes the reference. */
int install_file(struct file *f, bool cloexec);

/*
 * inotify: mask happened to the name at path (its directory's watches hear of it; v, if not NULL, is
 * what it named: its own watches too). Cheap while nobody watches.
 */
void notify_at_slow(struct vnode *start, const char *path, u32 mask, struct vnode *v);
extern __typeof__(&notify_at_slow) const volatile notify_at_hook;
static inline void notify_at(struct vnode *start, const char *path, u32 mask, struct vnode *v)
{
	if (unlikely(__atomic_load_n(&notify_watches, __ATOMIC_RELAXED)))
		notify_at_hook(start, path, mask, v);
}

#endif
