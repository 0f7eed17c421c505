/*
 * uring_misc.c - io_uring: the table of operations, and those that are about the ring itself: waiting, time, cancelling,
 * registered files, groups of buffers, messages between rings.
 */
#include "linux/uring_ops.h"
#include "linux/polltime.h"
#include "mm/heap.h"
#include "proc/epoll.h"
#include "proc/timers.h"

#define OP_RW(f)  { URING_OP_FILE | URING_OP_KNOWN | URING_OP_IOPRIO | (f), uring_rw_prep, uring_rw_issue, uring_rw_cleanup }
#define OP(f, n)  { (f) | URING_OP_KNOWN | URING_OP_NOT_IOPOLL, uring_##n##_prep, uring_##n##_issue, NULL }
/* About the ring itself: also on rings with IOPOLL. */
#define OP_RING(f, n) { (f) | URING_OP_KNOWN, uring_##n##_prep, uring_##n##_issue, NULL }

static const struct uring_op ops[LX_OP_COUNT] = {
	[LX_OP_NOP] = OP_RING(0, nop),
	[LX_OP_READV] = OP_RW(URING_OP_POLL_IN | URING_OP_SELECT),
	[LX_OP_WRITEV] = OP_RW(URING_OP_POLL_OUT),
	[LX_OP_READ_FIXED] = OP_RW(URING_OP_POLL_IN),
	[LX_OP_WRITE_FIXED] = OP_RW(URING_OP_POLL_OUT),
	[LX_OP_READ] = OP_RW(URING_OP_POLL_IN | URING_OP_SELECT),
	[LX_OP_WRITE] = OP_RW(URING_OP_POLL_OUT),
	[LX_OP_FSYNC] = OP(URING_OP_FILE | URING_OP_WORKER, fsync),
	[LX_OP_SYNC_FILE_RANGE] = OP(URING_OP_FILE | URING_OP_WORKER, sync_range),
	[LX_OP_FALLOCATE] = OP(URING_OP_FILE | URING_OP_WORKER, fallocate),
	[LX_OP_FADVISE] = OP(URING_OP_FILE, fadvise),
	[LX_OP_MADVISE] = OP(URING_OP_WORKER, madvise),
	[LX_OP_SPLICE] = OP(URING_OP_FILE | URING_OP_WORKER, splice),
	[LX_OP_TEE] = OP(URING_OP_FILE | URING_OP_WORKER, splice),
	[LX_OP_SENDMSG] = { URING_OP_FILE | URING_OP_POLL_OUT | URING_OP_IOPRIO | URING_OP_KNOWN | URING_OP_NOT_IOPOLL,
			    uring_msg_prep, uring_msg_issue, uring_msg_cleanup },
	[LX_OP_RECVMSG] = { URING_OP_FILE | URING_OP_POLL_IN | URING_OP_IOPRIO | URING_OP_SELECT | URING_OP_KNOWN | URING_OP_NOT_IOPOLL,
			    uring_msg_prep, uring_msg_issue, uring_msg_cleanup },
	[LX_OP_SEND] = OP(URING_OP_FILE | URING_OP_POLL_OUT | URING_OP_IOPRIO, sendrecv),
	[LX_OP_RECV] = OP(URING_OP_FILE | URING_OP_POLL_IN | URING_OP_IOPRIO | URING_OP_SELECT, sendrecv),
	[LX_OP_ACCEPT] = OP(URING_OP_FILE | URING_OP_POLL_IN | URING_OP_IOPRIO, accept),
	[LX_OP_CONNECT] = OP(URING_OP_FILE | URING_OP_POLL_OUT, connect),
	[LX_OP_SHUTDOWN] = OP(URING_OP_FILE, shutdown),
	[LX_OP_SOCKET] = OP(0, socket),
	[LX_OP_OPENAT] = OP(0, open),
	[LX_OP_OPENAT2] = OP(0, open),
	[LX_OP_CLOSE] = OP(0, close),
	[LX_OP_STATX] = OP(0, statx),
	[LX_OP_RENAMEAT] = OP(0, rename),
	[LX_OP_UNLINKAT] = OP(0, unlink),
	[LX_OP_MKDIRAT] = OP(0, mkdir),
	[LX_OP_SYMLINKAT] = OP(0, symlink),
	[LX_OP_LINKAT] = OP(0, link),
	[LX_OP_POLL_ADD] = OP(URING_OP_FILE, poll_add),
	[LX_OP_POLL_REMOVE] = OP(0, poll_remove),
	[LX_OP_TIMEOUT] = OP(0, timeout),
	[LX_OP_LINK_TIMEOUT] = OP(0, timeout),
	[LX_OP_TIMEOUT_REMOVE] = OP(0, timeout_remove),
	[LX_OP_ASYNC_CANCEL] = OP(0, cancel),
	[LX_OP_FILES_UPDATE] = OP_RING(0, files_update),
	[LX_OP_PROVIDE_BUFFERS] = OP_RING(0, provide),
	[LX_OP_REMOVE_BUFFERS] = OP_RING(0, remove_buffers),
	[LX_OP_EPOLL_CTL] = OP(0, epoll_ctl),
	[LX_OP_FSETXATTR] = { URING_OP_FILE | URING_OP_KNOWN | URING_OP_NOT_IOPOLL, uring_xattr_prep, uring_xattr_issue, uring_xattr_cleanup },
	[LX_OP_SETXATTR] = { URING_OP_KNOWN | URING_OP_NOT_IOPOLL, uring_xattr_prep, uring_xattr_issue, uring_xattr_cleanup },
	[LX_OP_FGETXATTR] = { URING_OP_FILE | URING_OP_KNOWN | URING_OP_NOT_IOPOLL, uring_xattr_prep, uring_xattr_issue, uring_xattr_cleanup },
	[LX_OP_GETXATTR] = { URING_OP_KNOWN | URING_OP_NOT_IOPOLL, uring_xattr_prep, uring_xattr_issue, uring_xattr_cleanup },
	[LX_OP_MSG_RING] = OP_RING(URING_OP_FILE, msg_ring),
};

long uring_install(struct uring_req *rq, struct file *f, u32 slot, bool cloexec)
{
	long r;

	if (!slot)
		return install_file(f, cloexec);
	r = uring_file_place(rq->ring, f, slot == ~0u ? ~0u : slot - 1);
	if (r < 0)
		file_put(f);
	return r < 0 || slot == ~0u ? r : 0;
}

int uring_nop_prep(struct uring_req *rq, const struct lx_sqe *sqe) { return 0; }
long uring_nop_issue(struct uring_req *rq, unsigned how) { return 0; }

/* ---- Polling ---- */

int uring_poll_add_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->buf_index || sqe->off || sqe->addr)
		return -EINVAL;
	if (sqe->len & ~(u32)(LX_POLL_ADD_MULTI | LX_POLL_ADD_LEVEL))
		return -EINVAL;
	if (sqe->len & LX_POLL_ADD_MULTI && rq->flags & LX_IOSQE_CQE_SKIP)
		return -EINVAL;
	return uring_poll_prep(rq, sqe->op_flags & 0xffff, sqe->len & LX_POLL_ADD_MULTI);
}

long uring_poll_add_issue(struct uring_req *rq, unsigned how)
{
	return uring_poll_issue(rq, how);
}

int uring_poll_remove_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	u32 flags = sqe->len;

	if (sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	if (flags & ~(u32)(LX_POLL_UPDATE_EVENTS | LX_POLL_UPDATE_USER_DATA | LX_POLL_ADD_MULTI))
		return -EINVAL;
	if (flags == LX_POLL_ADD_MULTI)
		return -EINVAL;
	bool set_events = flags & LX_POLL_UPDATE_EVENTS, set_user_data = flags & LX_POLL_UPDATE_USER_DATA;
	if ((!set_user_data && sqe->off) || (!set_events && sqe->op_flags))
		return -EINVAL;
	*URING_DATA(struct uring_poll_update, rq) = (struct uring_poll_update){
		.user_data = sqe->addr, .new_user_data = sqe->off, .events = sqe->op_flags,
		.set_events = set_events, .set_user_data = set_user_data, .multishot = flags & LX_POLL_ADD_MULTI,
	};
	return 0;
}

long uring_poll_remove_issue(struct uring_req *rq, unsigned how)
{
	return uring_poll_update(rq->ring, URING_DATA(struct uring_poll_update, rq));
}

/* ---- Time ---- */

int uring_time_get(struct uaddr at, u64 *ret_ns)
{
	struct lx_ts ts;

	if (copy_from_user(&ts, at, sizeof(ts)) < 0)
		return -EFAULT;
	if (ts.sec < 0 || ts.nsec < 0)
		return -EINVAL;
	if (__builtin_mul_overflow((u64)ts.sec, NSEC_PER_SEC, ret_ns) || __builtin_add_overflow(*ret_ns, (u64)ts.nsec, ret_ns))
		*ret_ns = WAIT_FOREVER - 1;
	return 0;
}

static int clock_of(u32 flags, enum proc_clock *ret)
{
	u32 clocks = flags & (LX_TIMEOUT_BOOTTIME | LX_TIMEOUT_REALTIME);

	*ret = clocks & LX_TIMEOUT_REALTIME ? PCLOCK_REAL : clocks ? PCLOCK_BOOT : PCLOCK_MONO;
	return clocks == (LX_TIMEOUT_BOOTTIME | LX_TIMEOUT_REALTIME) ? -EINVAL : 0;
}

static u64 deadline_of(u64 ns, u32 flags, enum proc_clock c)
{
	return flags & LX_TIMEOUT_ABS ? proc_clock_to_mono(c, ns) : proc_deadline_after(ns);
}

int uring_timeout_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	bool link = sqe->opcode == LX_OP_LINK_TIMEOUT;
	u32 flags = sqe->op_flags;
	enum proc_clock c;
	u64 ns;
	int r;

	if (sqe->buf_index || sqe->len != 1 || sqe->splice_fd || (link && sqe->off))
		return -EINVAL;
	if (flags & ~(u32)(LX_TIMEOUT_ABS | LX_TIMEOUT_BOOTTIME | LX_TIMEOUT_REALTIME | LX_TIMEOUT_ETIME_SUCCESS) || clock_of(flags, &c))
		return -EINVAL;
	r = uring_time_get(uaddr_make(sqe->addr), &ns);
	if (r)
		return r;
	return uring_timeout_set(rq, deadline_of(ns, flags, c), (u32)sqe->off, flags & LX_TIMEOUT_ETIME_SUCCESS);
}

long uring_timeout_issue(struct uring_req *rq, unsigned how)
{
	return uring_timeout_begin(rq);
}

struct timeout_change {
	u64 user_data, deadline_ns;
	bool update, linked;
};

int uring_timeout_remove_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct timeout_change *d = URING_DATA(struct timeout_change, rq);
	u32 flags = sqe->op_flags;
	enum proc_clock c;
	u64 ns;
	int r;

	if (rq->flags & LX_IOSQE_FIXED_FILE || sqe->buf_index || sqe->len || sqe->splice_fd)
		return -EINVAL;
	*d = (struct timeout_change){ .user_data = sqe->addr };
	if (!(flags & (LX_TIMEOUT_UPDATE | LX_TIMEOUT_LINK_UPDATE)))
		return flags ? -EINVAL : 0;
	if (clock_of(flags, &c) || flags & ~(u32)(LX_TIMEOUT_UPDATE | LX_TIMEOUT_LINK_UPDATE | LX_TIMEOUT_ABS | LX_TIMEOUT_BOOTTIME | LX_TIMEOUT_REALTIME))
		return -EINVAL;
	r = uring_time_get(uaddr_make(sqe->off), &ns);
	if (r)
		return r;
	d->update = true;
	d->linked = flags & LX_TIMEOUT_LINK_UPDATE;
	d->deadline_ns = deadline_of(ns, flags, c);
	return 0;
}

long uring_timeout_remove_issue(struct uring_req *rq, unsigned how)
{
	struct timeout_change *d = URING_DATA(struct timeout_change, rq);

	return d->update ? uring_timeout_update(rq->ring, d->user_data, d->deadline_ns, d->linked) : uring_timeout_remove(rq->ring, d->user_data);
}

/* ---- Cancelling ---- */

struct cancel_op {
	struct uring_match m;
	s32 fd;
};

int uring_cancel_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct cancel_op *d = URING_DATA(struct cancel_op, rq);
	u32 flags = sqe->op_flags;

	if (sqe->off || sqe->len || sqe->splice_fd)
		return -EINVAL;
	if (flags & ~(u32)(LX_CANCEL_ALL | LX_CANCEL_FD | LX_CANCEL_ANY | LX_CANCEL_FD_FIXED))
		return -EINVAL;
	if (flags & LX_CANCEL_FD && flags & LX_CANCEL_ANY)
		return -EINVAL;
	*d = (struct cancel_op){ .m = { .user_data = sqe->addr, .flags = flags }, .fd = sqe->fd };
	return 0;
}

long uring_cancel_issue(struct uring_req *rq, unsigned how)
{
	struct cancel_op *d = URING_DATA(struct cancel_op, rq);
	long r;

	if (d->m.flags & LX_CANCEL_FD) {
		bool fixed = rq->flags & LX_IOSQE_FIXED_FILE || d->m.flags & LX_CANCEL_FD_FIXED;
		d->m.file = fixed ? uring_file_get(rq->ring, (u32)d->fd) : fd_lookup(d->fd);
		if (!d->m.file)
			return -EBADF;
	}
	r = uring_cancel(rq->ring, &d->m, rq);
	if (d->m.file)
		file_put(d->m.file);
	return r;
}

/* ---- Registered files, groups of buffers ---- */

struct update_op {
	u64 addr;
	u32 off, n;
	u16 group, id;
	u32 len;
};

int uring_files_update_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (rq->flags & (LX_IOSQE_FIXED_FILE | LX_IOSQE_BUFFER_SELECT) || sqe->op_flags || sqe->splice_fd || !sqe->len)
		return -EINVAL;
	*URING_DATA(struct update_op, rq) = (struct update_op){ .addr = sqe->addr, .off = (u32)sqe->off, .n = sqe->len };
	return 0;
}

/* Each into a free place; their numbers go back to the program. */
static long files_alloc(struct uring_req *rq, struct update_op *d)
{
	u32 done = 0;
	long r = uring_files_update(rq->ring, 0, NULL, 0);

	if (r < 0)
		return r;                    /* there is no table */
	while (done < d->n) {
		struct uaddr at = uaddr_add(uaddr_make(d->addr), (size_t)done * sizeof(s32));
		s32 fd;
		if (copy_from_user(&fd, at, sizeof(fd)) < 0) {
			r = -EFAULT;
			break;
		}
		struct file *f = fd_lookup(fd);
		r = f ? uring_install(rq, f, ~0u, false) : -EBADF;
		if (r < 0)
			break;
		fd = (s32)r;
		if (copy_to_user(at, &fd, sizeof(fd)) < 0) {
			(void)uring_file_remove(rq->ring, (u32)fd);
			r = -EFAULT;
			break;
		}
		done++;
	}
	return done ? (long)done : r;
}

long uring_files_update_issue(struct uring_req *rq, unsigned how)
{
	struct update_op *d = URING_DATA(struct update_op, rq);
	s32 *fds;
	long r;

	if (d->off == ~0u)
		return files_alloc(rq, d);
	if (d->n > URING_FILES_MAX)
		return -EINVAL;
	fds = heap_alloc_array(d->n, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	r = copy_from_user(fds, uaddr_make(d->addr), d->n * sizeof(*fds));
	if (r == 0)
		r = uring_files_update(rq->ring, d->off, fds, d->n);
	heap_free(fds);
	return r;
}

int uring_provide_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct update_op *d = URING_DATA(struct update_op, rq);
	u64 size;

	if (sqe->op_flags || sqe->splice_fd)
		return -EINVAL;
	if (sqe->fd <= 0 || sqe->fd > 65535)
		return -E2BIG;
	if (__builtin_mul_overflow((u64)sqe->len, (u64)sqe->fd, &size))
		return -EOVERFLOW;
	if (!user_range_ok(uaddr_make(sqe->addr), size))
		return -EFAULT;
	if (sqe->off > 65535)
		return -E2BIG;
	if (sqe->off + (u64)sqe->fd > 65536)
		return -EINVAL;
	*d = (struct update_op){ .addr = sqe->addr, .n = (u32)sqe->fd, .len = sqe->len, .group = sqe->buf_index, .id = (u16)sqe->off };
	return 0;
}

long uring_provide_issue(struct uring_req *rq, unsigned how)
{
	struct update_op *d = URING_DATA(struct update_op, rq);

	return uring_group_provide(rq->ring, d->group, d->addr, d->len, d->n, d->id);
}

int uring_remove_buffers_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->op_flags || sqe->addr || sqe->len || sqe->off || sqe->splice_fd || sqe->fd <= 0 || sqe->fd > 65535)
		return -EINVAL;
	*URING_DATA(struct update_op, rq) = (struct update_op){ .n = (u32)sqe->fd, .group = sqe->buf_index };
	return 0;
}

long uring_remove_buffers_issue(struct uring_req *rq, unsigned how)
{
	struct update_op *d = URING_DATA(struct update_op, rq);

	return uring_group_remove(rq->ring, d->group, d->n);
}

/* ---- epoll, other rings ---- */

struct epoll_op {
	struct lx_epoll_event ev;
	s32 epfd, fd;
	int op;
};

int uring_epoll_ctl_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct epoll_op *d = URING_DATA(struct epoll_op, rq);

	if (sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	*d = (struct epoll_op){ .epfd = sqe->fd, .fd = (s32)sqe->off, .op = (int)sqe->len };
	if (d->op != LX_EPOLL_CTL_DEL && copy_from_user(&d->ev, uaddr_make(sqe->addr), sizeof(d->ev)) < 0)
		return -EFAULT;
	return 0;
}

long uring_epoll_ctl_issue(struct uring_req *rq, unsigned how)
{
	struct epoll_op *d = URING_DATA(struct epoll_op, rq);

	return epoll_ctl_call(d->epfd, d->op, d->fd, &d->ev);
}

struct message_op {
	u64 user_data;
	u32 len;
};

int uring_msg_ring_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->buf_index || sqe->personality || sqe->addr || sqe->addr3 || sqe->splice_fd || sqe->op_flags)
		return -EINVAL;
	*URING_DATA(struct message_op, rq) = (struct message_op){ sqe->off, sqe->len };
	return 0;
}

long uring_msg_ring_issue(struct uring_req *rq, unsigned how)
{
	struct message_op *d = URING_DATA(struct message_op, rq);
	struct uring *to = file_uring(rq->file);

	if (!to || uring_is_disabled(to))
		return -EBADFD;
	return uring_post_foreign(to, d->user_data, (s32)d->len, 0);
}

/* ---- Buffers in a ring of the program's ---- */

struct lx_buf {
	u64 addr;
	u32 len;
	u16 bid, tail;               /* the first entry's: where the program writes next */
};
_Static_assert(sizeof(struct lx_buf) == 16, "io_uring_buf");

static int buf_fetch(u64 ring, u32 mask, u16 at, struct uring_picked *ret)
{
	struct lx_buf b;
	u16 tail;

	if (copy_from_user(&tail, uaddr_make(ring + offsetof(struct lx_buf, tail)), sizeof(tail)) < 0)
		return -EFAULT;
	if (tail == at)
		return -ENOBUFS;
	if (copy_from_user(&b, uaddr_make(ring + (at & mask) * sizeof(b)), sizeof(b)) < 0)
		return -EFAULT;
	*ret = (struct uring_picked){ .base = b.addr, .len = b.len, .id = b.bid };
	return 0;
}

static const struct uring_group_ops group = { .fetch = buf_fetch };
const struct uring_group_ops *const uring_group_ops = &group;
const struct uring_op *const uring_ops = ops;
