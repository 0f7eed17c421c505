/*
 * uring_rw.c - io_uring: reads and writes in all forms, syncing, allocating, advising, splicing.
 *
 * Iovecs and offsets are taken when a request is submitted, so the program may reuse their memory then. Registered
 * buffers are ranges that the address must lie in (they are not pinned). What is checked when, and with which errno, is
 * as in Linux 6.1.
 */
#include "linux/uring_ops.h"
#include "mm/heap.h"
#include "proc/pipe.h"
#include "proc/splice.h"

enum { RWF_NOWAIT = 8, RWF_KNOWN = 31 };

struct rw {
	u64 off, addr;
	u32 len, rw_flags;
	struct uring_picked picked;
};

static bool op_writes(u8 opcode)
{
	return opcode == LX_OP_WRITEV || opcode == LX_OP_WRITE || opcode == LX_OP_WRITE_FIXED;
}

static int ioprio_check(u16 prio)
{
	switch (prio >> 13) {
	case 0:
		return prio & 0x1fff ? -EINVAL : 0;
	case 1:
		return -EPERM;               /* real time: not for the unprivileged */
	case 2:
		return (prio & 0x1fff) >= 8 ? -EINVAL : 0;
	case 3:
		return 0;
	}
	return -EINVAL;
}

/* The whole of [addr, addr + len) in registered buffer rq->buf_index. */
static int fixed_check(struct uring_req *rq, u64 addr, u32 len)
{
	struct uring_buf b;
	u64 end;

	if (uring_buf_get(rq->ring, rq->buf_index, &b) || __builtin_add_overflow(addr, len, &end))
		return -EFAULT;
	return addr < b.base || end > b.base + b.len ? -EFAULT : 0;
}

static int vector_prep(struct uring_req *rq, struct rw *d)
{
	struct user_iov *v;
	int r;

	/* With a group the one buffer of the vector only says how much is wanted. */
	if (rq->flags & LX_IOSQE_BUFFER_SELECT && d->len != 1)
		return -EINVAL;
	v = heap_alloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	rq->mem = v;
	r = user_iov_get(v, uaddr_make(d->addr), d->len);
	if (r == 0 && rq->flags & LX_IOSQE_BUFFER_SELECT)
		d->len = (u32)v->total;
	return r;
}

void uring_rw_cleanup(struct uring_req *rq)
{
	if (rq->mem)
		user_iov_free(rq->mem);
}

int uring_rw_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct rw *d = URING_DATA(struct rw, rq);
	int r = sqe->ioprio ? ioprio_check(sqe->ioprio) : 0;

	*d = (struct rw){ .off = sqe->off, .addr = sqe->addr, .len = sqe->len, .rw_flags = sqe->op_flags };
	if (r)
		return r;
	if (sqe->op_flags & RWF_NOWAIT)
		rq->flags |= URING_F_NOWAIT;
	switch (sqe->opcode) {
	case LX_OP_READ_FIXED:
	case LX_OP_WRITE_FIXED:
		return fixed_check(rq, d->addr, d->len);
	case LX_OP_READV:
	case LX_OP_WRITEV:
		return vector_prep(rq, d);
	}
	return 0;
}

/* The memory of this transfer. */
static int rw_buffer(struct uring_req *rq, struct rw *d, struct uio *u)
{
	struct user_iov *v = rq->mem;

	if (rq->flags & LX_IOSQE_BUFFER_SELECT) {
		int r = rq->flags & URING_F_BUFFER ? 0 : uring_group_pick(rq, &d->picked);
		if (r)
			return r;
		u32 len = d->len ? MIN(d->len, d->picked.len) : d->picked.len;
		if (!user_range_ok(uaddr_make(d->picked.base), len))
			return -EFAULT;
		uio_init_user_one(u, uaddr_make(d->picked.base), len);
		return 0;
	}
	if (v) {
		uio_init_user(u, v->segs, v->n);
		return 0;
	}
	if (!user_range_ok(uaddr_make(d->addr), d->len))
		return -EFAULT;
	uio_init_user_one(u, uaddr_make(d->addr), MIN((size_t)d->len, LX_MAX_RW_COUNT));
	return 0;
}

/* Of a file that is not in memory: this may wait for a device, which is a worker's. */
static bool rw_may_wait(const struct file *f, bool write, u64 off, size_t len)
{
	if (!f->vnode || f->vnode->type != VNODE_REG || !f->vnode->object || fs_in_memory(f->vnode))
		return false;
	return write || fs_cached(f->vnode, off, len) != (ssize_t)MIN(len, off < f->vnode->size ? f->vnode->size - off : 0);
}

long uring_rw_issue(struct uring_req *rq, unsigned how)
{
	struct rw *d = URING_DATA(struct rw, rq);
	bool write = op_writes(rq->opcode);
	struct file *f = rq->file;
	u64 pos = d->off;
	struct uio u;
	long r = write ? (file_can_write(f) ? 0 : -EBADF) : file_can_read(f) ? 0 : -EBADF;

	if (r == 0 && !(write ? (void *)f->ops->write : (void *)f->ops->read))
		r = -EINVAL;
	if (r == 0)
		r = rw_flags_check(f, (int)d->rw_flags, write);
	if (r == 0 && uring_flags(rq->ring) & LX_SETUP_IOPOLL)
		r = -EOPNOTSUPP;             /* no file here is polled for completions */
	if (r == 0)
		r = rw_buffer(rq, d, &u);
	bool at_pos = pos == ~0ull || !f->ops->seekable;
	if (r == 0 && !at_pos)
		r = rw_offset_check(f, (s64)pos, u.resid);
	if (r == 0 && !at_pos && (s64)pos < 0)
		r = -EINVAL;
	if (r)
		return r;
	size_t want = u.resid;
	if (how & URING_NOWAIT && !(d->rw_flags & RWF_NOWAIT) && rw_may_wait(f, write, at_pos ? READ_ONCE(f->pos) : pos, want))
		r = -EAGAIN;
	else
		r = rw_transfer(f, &u, at_pos ? NULL : &pos, (int)d->rw_flags, write, how & URING_NOWAIT || file_nonblock(f));
	if (r == -EAGAIN && rq->flags & URING_F_BUFFER)
		uring_group_return(rq, &d->picked);
	if (r >= 0 && (size_t)r != want)
		rq->flags |= URING_F_FAIL;   /* a short transfer breaks a chain */
	return r;
}

/* ---- Syncing, allocating, advice ---- */

struct range_op {
	s64 off, len;
	u32 flags;
};

int uring_fsync_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct range_op *d = URING_DATA(struct range_op, rq);

	if (sqe->addr || sqe->buf_index || sqe->splice_fd || sqe->op_flags & ~1u)
		return -EINVAL;
	d->flags = sqe->op_flags;
	return 0;
}

long uring_fsync_issue(struct uring_req *rq, unsigned how)
{
	return file_sync(rq->file, URING_DATA(struct range_op, rq)->flags & 1);
}

int uring_sync_range_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	*URING_DATA(struct range_op, rq) = (struct range_op){ (s64)sqe->off, sqe->len, sqe->op_flags };
	return 0;
}

long uring_sync_range_issue(struct uring_req *rq, unsigned how)
{
	struct range_op *d = URING_DATA(struct range_op, rq);

	return file_sync_range(rq->file, d->off, d->len, d->flags);
}

int uring_fallocate_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->buf_index || sqe->op_flags || sqe->splice_fd)
		return -EINVAL;
	*URING_DATA(struct range_op, rq) = (struct range_op){ (s64)sqe->off, (s64)sqe->addr, sqe->len };
	return 0;
}

long uring_fallocate_issue(struct uring_req *rq, unsigned how)
{
	struct range_op *d = URING_DATA(struct range_op, rq);

	return file_allocate(rq->file, (int)d->flags, d->off, d->len, false);
}

int uring_fadvise_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->buf_index || sqe->addr || sqe->splice_fd)
		return -EINVAL;
	*URING_DATA(struct range_op, rq) = (struct range_op){ (s64)sqe->off, sqe->len, sqe->op_flags };
	return 0;
}

long uring_fadvise_issue(struct uring_req *rq, unsigned how)
{
	struct range_op *d = URING_DATA(struct range_op, rq);

	return file_advise(rq->file, d->off, d->len, (int)d->flags);
}

int uring_madvise_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->buf_index || sqe->off || sqe->splice_fd)
		return -EINVAL;
	*URING_DATA(struct range_op, rq) = (struct range_op){ (s64)sqe->addr, sqe->len, sqe->op_flags };
	return 0;
}

long uring_madvise_issue(struct uring_req *rq, unsigned how)
{
	struct range_op *d = URING_DATA(struct range_op, rq);

	return sys_madvise(uaddr_make((u64)d->off), (size_t)d->len, (int)d->flags);
}

/* ---- splice and tee: the request's file is where the bytes go ---- */

#define SPLICE_F_FD_IN_FIXED (1u << 31)

struct splice_op {
	u64 off_in, off_out;
	u32 len, flags;
	s32 fd_in;
};

int uring_splice_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->opcode == LX_OP_TEE && (sqe->addr || sqe->off))
		return -EINVAL;
	if (sqe->op_flags & ~(SPLICE_F_FD_IN_FIXED | SPLICE_F_ALL))
		return -EINVAL;
	*URING_DATA(struct splice_op, rq) = (struct splice_op){ sqe->addr, sqe->off, sqe->len, sqe->op_flags, sqe->splice_fd };
	return 0;
}

long uring_splice_issue(struct uring_req *rq, unsigned how)
{
	struct splice_op *d = URING_DATA(struct splice_op, rq);
	u64 in_off = d->off_in, out_off = d->off_out;
	struct file *in;
	long r = 0;

	if (how & URING_NOWAIT)
		return -EAGAIN;
	in = d->flags & SPLICE_F_FD_IN_FIXED ? uring_file_get(rq->ring, (u32)d->fd_in) : fd_lookup(d->fd_in);
	if (!in)
		return -EBADF;
	u32 flags = d->flags & ~SPLICE_F_FD_IN_FIXED;
	if (rq->opcode == LX_OP_TEE)
		r = d->len ? tee_files(in, rq->file, d->len, flags) : 0;
	else if (d->len)
		r = splice_files(in, in_off == ~0ull ? NULL : &in_off, rq->file, out_off == ~0ull ? NULL : &out_off, d->len, flags);
	file_put(in);
	if (r != (long)d->len)
		rq->flags |= URING_F_FAIL;
	return r;
}
