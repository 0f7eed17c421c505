/* uring_ops.h - what the files of io_uring in linux/ share: the operations' functions, by file. */
#ifndef LINUX_URING_OPS_H
#define LINUX_URING_OPS_H

#include "linux/filecalls.h"
#include "proc/uring.h"

#define URING_OP(name) \
	int uring_##name##_prep(struct uring_req *rq, const struct lx_sqe *sqe); \
	long uring_##name##_issue(struct uring_req *rq, unsigned how)

/* uring_rw.c */
URING_OP(rw);
void uring_rw_cleanup(struct uring_req *rq);
URING_OP(fsync);
URING_OP(sync_range);
URING_OP(fallocate);
URING_OP(fadvise);
URING_OP(madvise);
URING_OP(splice);
/* uring_net.c */
URING_OP(msg);
void uring_msg_cleanup(struct uring_req *rq);
URING_OP(sendrecv);
URING_OP(accept);
URING_OP(connect);
URING_OP(shutdown);
URING_OP(socket);
/* uring_path.c */
URING_OP(open);
URING_OP(close);
URING_OP(statx);
URING_OP(rename);
URING_OP(unlink);
URING_OP(mkdir);
URING_OP(symlink);
URING_OP(link);
/* uring_xattr.c */
URING_OP(xattr);
void uring_xattr_cleanup(struct uring_req *rq);
/* uring_misc.c */
URING_OP(nop);
URING_OP(poll_add);
URING_OP(poll_remove);
URING_OP(timeout);
URING_OP(timeout_remove);
URING_OP(cancel);
URING_OP(files_update);
URING_OP(provide);
URING_OP(remove_buffers);
URING_OP(epoll_ctl);
URING_OP(msg_ring);

/* An operation's own data in its request. */
#define URING_DATA(type, rq)                                                               \
	({                                                                                 \
		_Static_assert(sizeof(type) <= URING_DATA_MAX, "the operation's data fits"); \
		(type *)(void *)(rq)->data;                                                \
	})

/* A file that an operation made: into place slot - 1 of the registered files (0xffffffff: a free one), or with slot 0 a descriptor. Consumes f. */
long uring_install(struct uring_req *rq, struct file *f, u32 slot, bool cloexec);
/* A timespec of the program: -EFAULT, -EINVAL. */
int uring_time_get(struct uaddr at, u64 *ret_ns);
/* The table for proc/. */

#endif
