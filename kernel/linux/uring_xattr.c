/*
 * uring_xattr.c - io_uring: extended attributes. Names, paths and values to set are taken when a request is submitted.
 */
#include "linux/uring_ops.h"
#include "mm/heap.h"

struct xattr_op {
	struct user_path path;       /* SETXATTR, GETXATTR */
	void *value;                 /* to set: the heap's */
	char name[XATTR_NAME_MAX + 1];
};

struct xattr_args {
	u64 value;
	u32 size, flags;
};

static bool op_sets(u8 opcode) { return opcode == LX_OP_FSETXATTR || opcode == LX_OP_SETXATTR; }
static bool op_has_path(u8 opcode) { return opcode == LX_OP_SETXATTR || opcode == LX_OP_GETXATTR; }

void uring_xattr_cleanup(struct uring_req *rq)
{
	struct xattr_op *x = rq->mem;

	if (!x)
		return;
	if (x->path.text)
		user_path_free(&x->path);
	heap_free(x->value);
}

int uring_xattr_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	bool sets = op_sets(sqe->opcode);
	struct xattr_op *x;
	long r;

	if (rq->flags & LX_IOSQE_FIXED_FILE)
		return -EBADF;
	if (!sets && sqe->op_flags)
		return -EINVAL;
	*URING_DATA(struct xattr_args, rq) = (struct xattr_args){ sqe->off, sqe->len, sqe->op_flags };
	x = heap_alloc(sizeof(*x));
	if (!x)
		return -ENOMEM;
	rq->mem = x;
	r = sets && sqe->op_flags & ~3u ? -EINVAL : xattr_name_get(uaddr_make(sqe->addr), x->name);
	if (r == 0 && sets)
		r = xattr_value_get(uaddr_make(sqe->off), sqe->len, (int)sqe->op_flags, &x->value);
	if (r == 0 && op_has_path(sqe->opcode))
		r = user_path_get(&x->path, uaddr_make(sqe->addr3), false);
	return (int)r;
}

static long xattr_do(struct uring_req *rq, struct vnode *v)
{
	struct xattr_args *d = URING_DATA(struct xattr_args, rq);
	struct xattr_op *x = rq->mem;

	if (op_sets(rq->opcode))
		return xattr_change(v, x->name, x->value, d->size, d->flags);
	return xattr_get(v, x->name, uaddr_make(d->value), d->size);
}

long uring_xattr_issue(struct uring_req *rq, unsigned how)
{
	struct xattr_op *x = rq->mem;
	struct vnode *v;
	long r;

	if (!op_has_path(rq->opcode))
		return rq->file->vnode ? xattr_do(rq, rq->file->vnode) : -EOPNOTSUPP;
	r = path_vnode(LX_AT_FDCWD, x->path.text, 0, &v, NULL);
	if (r == 0) {
		r = xattr_do(rq, v);
		vnode_put(v);
	}
	return r;
}
