/*
 * filecalls.c - iovecs and paths of the program; where walks start.
 *
 * Each structure is fetched once. What can fail: the program's addresses, memory.
 */
#include "linux/filecalls.h"
#include "mm/heap.h"

/* Some length is large, or some buffer not the program's: a negative length counts before an address. What is too much is cut. */
static COLD NOINLINE int iov_odd(struct user_iov *v)
{
	for (unsigned i = 0; i < v->n; i++)
		if ((ssize_t)v->segs[i].len < 0)
			return -EINVAL;
	v->total = 0;
	for (struct uio_seg *s = v->segs; s < v->segs + v->n; s++) {
		if (!user_range_ok(uaddr_make(s->base), s->len))
			return -EFAULT;
		s->len = MIN(s->len, LX_MAX_RW_COUNT - v->total);
		v->total += s->len;
	}
	return 0;
}

_Static_assert(sizeof(struct lx_iovec) == sizeof(struct uio_seg) && offsetof(struct uio_seg, len) == 8, "iovec is a uio_seg");

int user_iov_get(struct user_iov *v, struct uaddr iov, u64 count)
{
	size_t total = 0;
	int r;

	v->segs = v->few;
	v->n = 0;
	v->total = 0;
	if (count > LX_IOV_MAX)
		return -EINVAL;
	if (count > ARRAY_SIZE(v->few)) {
		v->segs = heap_alloc_array(count, sizeof(*v->segs));
		if (!v->segs)
			return -ENOMEM;
	}
	v->n = (unsigned)count;
	r = v->n ? copy_from_user(v->segs, iov, v->n * sizeof(*v->segs)) : 0;
	if (unlikely(r))
		return r;
	for (const struct uio_seg *s = v->segs, *end = s + v->n; s < end; s++) {
		total += s->len;
		if (unlikely(s->len > LX_MAX_RW_COUNT || s->base > ARCH_USER_TOP - s->len))
			return iov_odd(v);
	}
	if (unlikely(total > LX_MAX_RW_COUNT))
		return iov_odd(v);
	v->total = total;
	return 0;
}

void user_iov_free(struct user_iov *v)
{
	if (v->segs != v->few)
		heap_free(v->segs);
}

int user_path_get(struct user_path *p, struct uaddr path, bool empty_ok)
{
	ssize_t n = copy_string_from_user(p->small, path, sizeof(p->small));

	p->text = p->small;
	if (unlikely(n == -ENAMETOOLONG)) {
		p->text = heap_alloc(FS_PATH_MAX);
		if (!p->text)
			return -ENOMEM;
		n = copy_string_from_user(p->text, path, FS_PATH_MAX);
	}
	if (n == 0 && !empty_ok)
		n = -ENOENT;
	if (n < 0)
		user_path_free(p);
	return n < 0 ? (int)n : 0;
}

void user_path_free(struct user_path *p)
{
	if (p->text != p->small)
		heap_free(p->text);
	p->text = NULL;
}

int walk_start(int dirfd, const char *path, struct vnode **ret)
{
	struct file *f;
	int r = 0;

	*ret = NULL;
	if (path[0] == '/')
		return 0;
	if (dirfd == LX_AT_FDCWD) {
		*ret = cwd_get();
		return 0;
	}
	f = fd_lookup_any(dirfd);
	if (!f)
		return -EBADF;
	if (!f->vnode || f->vnode->type != VNODE_DIR) {
		r = -ENOTDIR;
	} else {
		vnode_get(f->vnode);
		*ret = f->vnode;
	}
	file_put(f);
	return r;
}

static COLD int vnode_of_fd(int fd, struct vnode **ret, struct file **ret_file)
{
	struct file *f;
	int r = 0;

	if (fd == LX_AT_FDCWD) {
		*ret = cwd_get();
		return 0;
	}
	f = fd_lookup_any(fd);
	if (!f)
		return -EBADF;
	if (f->vnode) {
		vnode_get(f->vnode);
		*ret = f->vnode;
	} else if (ret_file) {
		*ret_file = f;
		return 0;
	} else {
		r = -EINVAL;
	}
	file_put(f);
	return r;
}

int path_vnode(int dirfd, const char *path, int at_flags, struct vnode **ret, struct file **ret_file)
{
	struct vnode *start;
	int r;

	*ret = NULL;
	if (ret_file)
		*ret_file = NULL;
	if (!path[0])
		return vnode_of_fd(dirfd, ret, ret_file);
	r = walk_start(dirfd, path, &start);
	if (r == 0) {
		r = fs_namei(start, path, at_flags & LX_AT_SYMLINK_NOFOLLOW ? 0 : NAMEI_FOLLOW, ret);
		walk_end(start);
	}
	return r;
}

int vnode_at(int dirfd, struct uaddr path, int at_flags, struct vnode **ret, struct file **ret_file)
{
	NO_AUTO_INIT struct user_path p;
	int r;

	*ret = NULL;
	if (ret_file)
		*ret_file = NULL;
	if (at_flags & LX_AT_EMPTY_PATH && uaddr_is_null(path))
		return vnode_of_fd(dirfd, ret, ret_file);
	r = user_path_get(&p, path, at_flags & LX_AT_EMPTY_PATH);
	if (r < 0)
		return r;
	r = path_vnode(dirfd, p.text, at_flags, ret, ret_file);
	user_path_free(&p);
	return r;
}
