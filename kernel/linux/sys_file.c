/*
 * sys_file.c - descriptors: open, close, dup, pipes.
 *
 * open reserves its descriptor before it walks, so that nothing is created when there is none.
 */
#include "linux/filecalls.h"
#include "proc/cwd.h"

/* ---- open ---- */

enum { RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16, RESOLVE_CACHED = 32 };

#define OPEN_FLAGS_KNOWN (LX_O_ACCMODE | LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_APPEND | LX_O_NONBLOCK | LX_O_SYNC | \
			  LX_O_ASYNC | LX_O_DIRECT | LX_O_LARGEFILE | LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_NOATIME | LX_O_CLOEXEC |  \
			  LX_O_PATH | LX_O_TMPFILE_BIT)
#define OPEN_FLAGS_PATH (LX_O_DIRECTORY | LX_O_NOFOLLOW | LX_O_PATH | LX_O_CLOEXEC)

/* What build_open_flags of Linux refuses; how has been cleaned for plain open. */
int open_how_check(struct lx_open_how *how)
{
	u32 flags = (u32)how->flags;
	bool creates = flags & (LX_O_CREAT | LX_O_TMPFILE_BIT);

	if (how->flags & ~(u64)OPEN_FLAGS_KNOWN || how->resolve & ~63ull)
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH && how->resolve & RESOLVE_IN_ROOT)
		return -EINVAL;
	if (creates ? how->mode & ~07777ull : how->mode)
		return -EINVAL;
	if ((flags & (LX_O_DIRECTORY | LX_O_CREAT)) == (LX_O_DIRECTORY | LX_O_CREAT))
		return -EINVAL;
	if (flags & LX_O_TMPFILE_BIT && (!(flags & LX_O_DIRECTORY) || !(flags & LX_O_ACCMODE)))
		return -EINVAL;
	if (flags & LX_O_PATH && flags & ~(u32)OPEN_FLAGS_PATH)
		return -EINVAL;
	if (how->resolve & RESOLVE_CACHED)
		return -EAGAIN;
	how->flags |= how->flags & LX_O_PATH ? 0 : LX_O_LARGEFILE;
	return 0;
}

static u32 resolve_to_namei(u64 resolve)
{
	return (resolve & RESOLVE_NO_XDEV ? NAMEI_NOXDEV : 0) | (resolve & RESOLVE_NO_MAGICLINKS ? NAMEI_NOMAGIC : 0) |
	       (resolve & RESOLVE_NO_SYMLINKS ? NAMEI_NOSYMLINKS | NAMEI_NOMAGIC : 0) |
	       (resolve & RESOLVE_BENEATH ? NAMEI_BENEATH | NAMEI_NOMAGIC : 0) | (resolve & RESOLVE_IN_ROOT ? NAMEI_IN_ROOT | NAMEI_NOMAGIC : 0);
}

int path_open(int dirfd, const char *path, const struct lx_open_how *how, struct file **ret)
{
	struct vnode *start = NULL, *v;
	bool created = false;
	u32 flags = (u32)how->flags;
	int r;

	/* BENEATH and IN_ROOT need the directory for absolute paths too. */
	r = walk_start(dirfd, how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) ? "." : path, &start);
	if (r < 0)
		return r;
	r = fs_open(start, path, flags, (u32)how->mode & ~umask_get(), resolve_to_namei(how->resolve), &v, &created);
	if (r == 0) {
		if (created)
			notify_at(start, path, LX_IN_CREATE, NULL);
		r = file_from_vnode(v, flags & ~LX_O_NOT_STATUS, ret);
		vnode_put(v);
	}
	walk_end(start);
	return r;
}

static long open_call(int dirfd, struct uaddr upath, struct lx_open_how *how)
{
	NO_AUTO_INIT struct user_path p;
	struct file *f;
	int r = open_how_check(how), fd;

	if (r < 0)
		return r;
	r = user_path_get(&p, upath, false);
	if (r < 0)
		return r;
	fd = fd_reserve(how->flags & LX_O_CLOEXEC, 0);
	if (fd >= 0) {
		r = path_open(dirfd, p.text, how, &f);
		if (r == 0) {
			fd_fill(fd, f);
		} else {
			fd_unreserve(fd);
			fd = r;
		}
	}
	user_path_free(&p);
	return fd;
}

struct lx_open_how open_how_plain(int flags, unsigned mode)
{
	struct lx_open_how how = { .flags = (u32)flags & OPEN_FLAGS_KNOWN };

	if (how.flags & LX_O_PATH)
		how.flags &= OPEN_FLAGS_PATH;
	if (how.flags & (LX_O_CREAT | LX_O_TMPFILE_BIT))
		how.mode = mode & 07777;
	return how;
}

long sys_openat(int dirfd, struct uaddr path, int flags, unsigned mode)
{
	struct lx_open_how how = open_how_plain(flags, mode);

	return open_call(dirfd, path, &how);
}

long sys_open(struct uaddr path, int flags, unsigned mode)
{
	return sys_openat(LX_AT_FDCWD, path, flags, mode);
}

long sys_creat(struct uaddr path, unsigned mode)
{
	return sys_openat(LX_AT_FDCWD, path, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, mode);
}

int open_how_get(struct lx_open_how *how, struct uaddr uhow, size_t size)
{
	struct { struct lx_open_how how; u8 rest[232]; } in = { 0 };

	if (size < sizeof(in.how))
		return -EINVAL;
	if (size > sizeof(in))
		return -E2BIG;
	if (copy_from_user(&in, uhow, size) < 0)
		return -EFAULT;
	for (size_t i = 0; i < sizeof(in.rest); i++)
		if (in.rest[i])
			return -E2BIG;
	*how = in.how;
	return 0;
}

long sys_openat2(int dirfd, struct uaddr path, struct uaddr uhow, size_t size)
{
	struct lx_open_how how;
	int r = open_how_get(&how, uhow, size);

	return r < 0 ? r : open_call(dirfd, path, &how);
}

/* ---- Descriptors ---- */

long sys_close(int fd)
{
	return fd_close(fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	if (flags & ~6u)                 /* CLOSE_RANGE_UNSHARE (one table: nothing to do), CLOSE_RANGE_CLOEXEC */
		return -EINVAL;
	if (first > last)
		return -EINVAL;
	return fd_close_range(first, last, flags & 4);
}

long sys_dup(int oldfd)
{
	struct file *f = fd_lookup_any(oldfd);
	int fd;

	if (!f)
		return -EBADF;
	fd = fd_install(f, false, 0);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long dup_to(int oldfd, int newfd, bool cloexec)
{
	struct file *f = fd_lookup_any(oldfd);
	int r;

	if (!f)
		return -EBADF;
	r = fd_install_at(f, newfd, cloexec);
	if (r < 0)
		file_put(f);
	return r;
}

long sys_dup2(int oldfd, int newfd)
{
	if (oldfd == newfd) {
		struct file *f = fd_lookup_any(oldfd);
		if (!f)
			return -EBADF;
		file_put(f);
		return newfd;
	}
	return dup_to(oldfd, newfd, false);
}

long sys_dup3(int oldfd, int newfd, int flags)
{
	if ((u32)flags & ~LX_O_CLOEXEC)
		return -EINVAL;
	if (oldfd == newfd)
		return -EINVAL;
	return dup_to(oldfd, newfd, (u32)flags & LX_O_CLOEXEC);
}

int install_file(struct file *f, bool cloexec)
{
	int fd = fd_install(f, cloexec, 0);

	if (fd < 0)
		file_put(f);
	return fd;
}

int install_pair(struct file *a, struct file *b, bool cloexec, struct uaddr fds)
{
	int fd[2], r;

	fd[0] = fd_reserve(cloexec, 0);
	fd[1] = fd[0] < 0 ? fd[0] : fd_reserve(cloexec, 0);
	r = fd[1] < 0 ? fd[1] : copy_to_user(fds, fd, sizeof(fd));
	if (r < 0) {
		if (fd[1] >= 0)
			fd_unreserve(fd[1]);
		if (fd[0] >= 0)
			fd_unreserve(fd[0]);
		file_put(a);
		file_put(b);
		return r;
	}
	fd_fill(fd[0], a);
	fd_fill(fd[1], b);
	return 0;
}

long sys_pipe2(struct uaddr fds, int flags)
{
	struct file *r, *w;
	int e;

	if ((u32)flags & ~(u32)(LX_O_CLOEXEC | LX_O_NONBLOCK | LX_O_DIRECT))
		return -EINVAL;
	e = pipe_create((u32)flags, &r, &w);
	return e < 0 ? e : install_pair(r, w, (u32)flags & LX_O_CLOEXEC, fds);
}

long sys_pipe(struct uaddr fds)
{
	return sys_pipe2(fds, 0);
}

long sys_umask(unsigned mask)
{
	return umask_set(mask);
}
