/*
 * uring_path.c - io_uring: opening, closing, and names. Paths are taken when a request is submitted; the descriptors that
 * they start from are looked up when it runs.
 */
#include "linux/uring_ops.h"
#include "mm/heap.h"

/* One or two paths of the program, kept in rq->mem one behind the other. */
struct names {
	s32 dirfd, new_dirfd;
	u32 flags, mode;
	u64 out;                     /* statx: where the answer goes */
	u32 slot;
	struct lx_open_how how;
	u32 second;                  /* where the second path begins */
};

static const char *first_path(const struct uring_req *rq) { return rq->mem; }
static const char *second_path(struct uring_req *rq) { return (const char *)rq->mem + URING_DATA(struct names, rq)->second; }

static int path_take(struct uring_req *rq, u64 upath, bool empty_ok)
{
	NO_AUTO_INIT struct user_path p;
	int r = user_path_get(&p, uaddr_make(upath), empty_ok);

	if (r)
		return r;
	rq->mem = heap_strdup(p.text);
	user_path_free(&p);
	return rq->mem ? 0 : -ENOMEM;
}

static int paths_take(struct uring_req *rq, u64 first, bool empty_ok, u64 second)
{
	NO_AUTO_INIT struct user_path p;
	int r = path_take(rq, first, empty_ok);

	if (r)
		return r;
	r = user_path_get(&p, uaddr_make(second), false);
	if (r)
		return r;
	size_t at = strlen(rq->mem) + 1, len = strlen(p.text) + 1;
	char *both = heap_realloc(rq->mem, at + len);
	if (both) {
		memcpy(both + at, p.text, len);
		rq->mem = both;
		URING_DATA(struct names, rq)->second = (u32)at;
	}
	user_path_free(&p);
	return both ? 0 : -ENOMEM;
}

static int no_fixed(const struct uring_req *rq)
{
	return rq->flags & LX_IOSQE_FIXED_FILE ? -EBADF : 0;
}

/* ---- Open, close ---- */

int uring_open_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);
	int r = 0;

	if (sqe->buf_index)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .slot = (u32)sqe->splice_fd };
	if (sqe->opcode == LX_OP_OPENAT2)
		r = open_how_get(&d->how, uaddr_make(sqe->off), sqe->len);
	else
		d->how = open_how_plain((int)sqe->op_flags, sqe->len);
	if (r == 0)
		r = path_take(rq, sqe->addr, false);
	if (r == 0 && d->slot && d->how.flags & LX_O_CLOEXEC)
		r = -EINVAL;
	return r;
}

/* A fifo is not waited for (as Linux: its reader is opened, its writer finds nobody), and blocks later as it was asked to. */
static int open_nowait(int dirfd, const char *path, const struct lx_open_how *h, unsigned how, struct file **ret)
{
	struct lx_open_how now = *h;
	bool added = how & URING_NOWAIT && !(h->flags & (LX_O_NONBLOCK | LX_O_PATH));

	if (added)
		now.flags |= LX_O_NONBLOCK;
	int r = path_open(dirfd, path, &now, ret);
	if (r == 0 && added)
		file_set_flags(*ret, LX_O_NONBLOCK, 0);
	return r;
}

long uring_open_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);
	struct lx_open_how h = d->how;
	bool cloexec = h.flags & LX_O_CLOEXEC;
	struct file *f;
	int r = open_how_check(&h), fd;

	if (r)
		return r;
	if (d->slot) {
		r = open_nowait(d->dirfd, first_path(rq), &h, how, &f);
		return r ? r : uring_install(rq, f, d->slot, false);
	}
	fd = fd_reserve(cloexec, 0);
	if (fd < 0)
		return fd;
	r = open_nowait(d->dirfd, first_path(rq), &h, how, &f);
	if (r) {
		fd_unreserve(fd);
		return r;
	}
	fd_fill(fd, f);
	return fd;
}

int uring_close_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->off || sqe->addr || sqe->len || sqe->op_flags || sqe->buf_index)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .slot = (u32)sqe->splice_fd };
	return d->slot && d->dirfd ? -EINVAL : 0;
}

long uring_close_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);
	struct file *f;

	if (d->slot)
		return uring_file_remove(rq->ring, d->slot - 1);
	f = fd_lookup_any(d->dirfd);
	if (!f)
		return -EBADF;
	bool ring = file_uring(f);
	file_put(f);
	return ring ? -EBADF : fd_close(d->dirfd);
}

/* ---- Names ---- */

int uring_statx_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .mode = sqe->len, .flags = sqe->op_flags, .out = sqe->off };
	return path_take(rq, sqe->addr, d->flags & LX_AT_EMPTY_PATH);
}

long uring_statx_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);
	int r = statx_check((int)d->flags, d->mode);

	return r ? r : path_statx(d->dirfd, first_path(rq), (int)d->flags, uaddr_make(d->out));
}

int uring_rename_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .new_dirfd = (s32)sqe->len, .flags = sqe->op_flags };
	return paths_take(rq, sqe->addr, false, sqe->off);
}

long uring_rename_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);

	return path_rename(d->dirfd, first_path(rq), d->new_dirfd, second_path(rq), d->flags);
}

int uring_unlink_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->off || sqe->len || sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .flags = sqe->op_flags };
	return d->flags & ~(u32)LX_AT_REMOVEDIR ? -EINVAL : path_take(rq, sqe->addr, false);
}

long uring_unlink_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);

	return path_remove(d->dirfd, first_path(rq), d->flags & LX_AT_REMOVEDIR);
}

int uring_mkdir_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->off || sqe->op_flags || sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .mode = sqe->len };
	return path_take(rq, sqe->addr, false);
}

long uring_mkdir_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);

	return path_mkdir(d->dirfd, first_path(rq), d->mode);
}

int uring_symlink_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->len || sqe->op_flags || sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .new_dirfd = sqe->fd };
	return paths_take(rq, sqe->addr, false, sqe->off);
}

long uring_symlink_issue(struct uring_req *rq, unsigned how)
{
	return path_symlink(first_path(rq), URING_DATA(struct names, rq)->new_dirfd, second_path(rq));
}

int uring_link_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct names *d = URING_DATA(struct names, rq);

	if (sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (no_fixed(rq))
		return -EBADF;
	*d = (struct names){ .dirfd = sqe->fd, .new_dirfd = (s32)sqe->len, .flags = sqe->op_flags };
	return paths_take(rq, sqe->addr, d->flags & LX_AT_EMPTY_PATH, sqe->off);
}

long uring_link_issue(struct uring_req *rq, unsigned how)
{
	struct names *d = URING_DATA(struct names, rq);

	if (d->flags & ~(u32)(LX_AT_SYMLINK_FOLLOW | LX_AT_EMPTY_PATH))
		return -EINVAL;
	return path_link(d->dirfd, first_path(rq), d->new_dirfd, second_path(rq), (int)d->flags);
}
