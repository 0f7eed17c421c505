/*
 * uring_net.c - io_uring: sockets.
 *
 * All is tried without sleeping; what would sleep waits for its socket (proc/uring_poll.c) and is tried again. With
 * MSG_WAITALL what has been moved so far is kept in between. SIGPIPE is never raised. Message headers, iovecs and
 * connect's address are taken when a request is submitted.
 */
#include "linux/uring_ops.h"
#include "linux/sockcalls.h"
#include "mm/heap.h"

struct transfer {
	u64 addr;                    /* the buffer, or the message header */
	u32 len, msg_flags;
	u16 flags;
	size_t done;
	struct sock_addr to;         /* SEND with an address */
	struct uring_picked picked;
};

static bool op_receives(u8 opcode) { return opcode == LX_OP_RECV || opcode == LX_OP_RECVMSG; }

static int transfer_prep(struct uring_req *rq, const struct lx_sqe *sqe, struct transfer *d)
{
	bool recv = op_receives(sqe->opcode);

	*d = (struct transfer){ .addr = sqe->addr, .len = sqe->len, .msg_flags = sqe->op_flags | LX_MSG_NOSIGNAL, .flags = sqe->ioprio };
	if (sqe->ioprio & ~(LX_RECVSEND_POLL_FIRST | (recv ? LX_RECV_MULTISHOT : 0)))
		return -EINVAL;
	if (d->msg_flags & LX_MSG_DONTWAIT)
		rq->flags |= URING_F_NOWAIT;
	if (recv)
		d->msg_flags &= ~(u32)LX_MSG_NOSIGNAL;
	if (sqe->ioprio & LX_RECV_MULTISHOT) {
		if (!(rq->flags & LX_IOSQE_BUFFER_SELECT) || d->msg_flags & LX_MSG_WAITALL || (sqe->opcode == LX_OP_RECV && sqe->len))
			return -EINVAL;
		rq->flags |= URING_F_MULTISHOT;
	}
	if (rq->flags & LX_IOSQE_BUFFER_SELECT && !recv)
		return -EOPNOTSUPP;
	return 0;
}

/* What a socket is asked with, and whether the end of a partial transfer is awaited. */
static bool wait_all(const struct transfer *d) { return d->msg_flags & LX_MSG_WAITALL; }

/* After a try: n bytes or an error. More to come: -EAGAIN (what there is so far is kept). */
static long transfer_step(struct uring_req *rq, struct transfer *d, long n, size_t left, bool stream)
{
	if (n < 0)
		return n == -EAGAIN || !d->done ? n : (long)d->done;
	d->done += (size_t)n;
	if (wait_all(d) && n && (size_t)n < left && stream)
		return -EAGAIN;
	if (wait_all(d) && (size_t)n < left)
		rq->flags |= URING_F_FAIL;
	return (long)d->done;
}

/* -EAGAIN that is to be told: with nothing moved, or what was. */
static long transfer_end(struct uring_req *rq, struct transfer *d, unsigned how, long r)
{
	if (r != -EAGAIN || how & URING_NOWAIT)
		return r == -EAGAIN && rq->flags & URING_F_NOWAIT && d->done ? (long)d->done : r;
	return d->done ? (long)d->done : r;
}

static bool is_stream(const struct file *f)
{
	return f->sock->type == LX_SOCK_STREAM;
}

/* ---- SEND, RECV ---- */

int uring_sendrecv_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct transfer *d = URING_DATA(struct transfer, rq);
	int r = transfer_prep(rq, sqe, d);

	if (r)
		return r;
	if (op_receives(sqe->opcode))
		return sqe->off || sqe->splice_fd ? -EINVAL : 0;
	u16 addr_len = (u16)sqe->splice_fd;
	if ((u32)sqe->splice_fd >> 16)
		return -EINVAL;
	return sqe->off ? address_get(uaddr_make(sqe->off), addr_len, &d->to) : 0;
}

static int one_buffer(struct uring_req *rq, struct transfer *d, struct uio *u)
{
	u64 base = d->addr;
	u32 len = d->len;

	if (rq->flags & LX_IOSQE_BUFFER_SELECT) {
		int r = rq->flags & URING_F_BUFFER ? 0 : uring_group_pick(rq, &d->picked);
		if (r)
			return r;
		base = d->picked.base;
		len = len ? MIN(len, d->picked.len) : d->picked.len;
	}
	if (!user_range_ok(uaddr_make(base), len))
		return -EFAULT;
	uio_init_user_one(u, uaddr_add(uaddr_make(base), d->done), len - d->done);
	return 0;
}

static long sendrecv_once(struct uring_req *rq, struct transfer *d, unsigned how)
{
	struct sock_msg m = { .flags = d->msg_flags, .nonblock = how & URING_NOWAIT || socket_nonblock(rq->file, d->msg_flags) };
	struct uio u;
	long r = one_buffer(rq, d, &u);

	if (r)
		return r;
	size_t left = u.resid;
	m.uio = &u;
	if (op_receives(rq->opcode)) {
		r = sock_recv(rq->file->sock, &m);
	} else {
		m.addr = d->to.len ? &d->to : NULL;
		r = file_socket_send(rq->file, &m);
	}
	return transfer_step(rq, d, r, left, is_stream(rq->file));
}

/* Told and on to the next, for as long as there is something. */
static long recv_many(struct uring_req *rq, struct transfer *d, unsigned how, long (*once)(struct uring_req *, struct transfer *, unsigned))
{
	for (;;) {
		long r = once(rq, d, how);
		if (r <= 0 && rq->flags & URING_F_BUFFER && !d->done)
			uring_group_return(rq, &d->picked);
		if (r <= 0 || !(rq->flags & URING_F_MULTISHOT))
			return r;
		u32 cflags = rq->flags & URING_F_BUFFER ? LX_CQE_F_BUFFER | (u32)rq->buf_id << LX_CQE_BUFFER_SHIFT : 0;
		if (!uring_post_more(rq, r, cflags))
			return r;
		rq->flags &= ~(u32)URING_F_BUFFER;
		d->done = 0;
		/* Streams know what they still have: a buffer is taken when there is something for it. Others try, as on Linux. */
		if (is_stream(rq->file) && !(sock_poll(rq->file->sock, NULL) & (POLL_IN | POLL_RDHUP | POLL_HUP | POLL_ERR)))
			return -EAGAIN;
	}
}

/* With POLL_FIRST the first try is left out. */
static bool poll_first(struct transfer *d, unsigned how)
{
	if (!(d->flags & LX_RECVSEND_POLL_FIRST) || !(how & URING_NOWAIT))
		return false;
	d->flags &= (u16)~LX_RECVSEND_POLL_FIRST;
	return true;
}

long uring_sendrecv_issue(struct uring_req *rq, unsigned how)
{
	struct transfer *d = URING_DATA(struct transfer, rq);

	if (!rq->file->sock)
		return -ENOTSOCK;
	if (poll_first(d, how))
		return -EAGAIN;
	return transfer_end(rq, d, how, recv_many(rq, d, how, sendrecv_once));
}

/* ---- SENDMSG, RECVMSG ---- */

int uring_msg_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct transfer *d = URING_DATA(struct transfer, rq);
	struct sock_call *c;
	int r = transfer_prep(rq, sqe, d);

	if (r)
		return r;
	if (sqe->off || sqe->splice_fd)
		return -EINVAL;
	c = heap_alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	rq->mem = c;
	r = sock_call_get(c, uaddr_make(sqe->addr));
	if (r == 0 && rq->flags & LX_IOSQE_BUFFER_SELECT && c->v.n > 1)
		r = -EINVAL;
	if (r == 0 && rq->flags & URING_F_MULTISHOT && (c->h.controllen > ~0u >> 1 || sock_call_head(c) > ~0u >> 1))
		r = -EOVERFLOW;
	return r;
}

void uring_msg_cleanup(struct uring_req *rq)
{
	if (rq->mem)
		sock_call_free(rq->mem);
}

/* Into a buffer of the group: the data alone, or with MULTISHOT behind a header of its own. The end of a stream is told once. */
static long recvmsg_selected(struct uring_req *rq, struct transfer *d, unsigned how)
{
	const struct sock_call *c = rq->mem;
	bool many = rq->flags & URING_F_MULTISHOT;
	int r = rq->flags & URING_F_BUFFER ? 0 : uring_group_pick(rq, &d->picked);

	if (r)
		return r;
	struct uio_seg buf = { (uintptr_t)d->picked.base, d->picked.len };
	if (c->v.n && c->v.total)
		buf.len = MIN(buf.len, c->v.total);
	if (!user_range_ok(uaddr_make(buf.base), buf.len))
		return -EFAULT;
	long n = sock_call_recv(rq->file, uaddr_make(many ? 0 : d->addr), c, &buf, 0, d->msg_flags, how & URING_NOWAIT || socket_nonblock(rq->file, d->msg_flags));
	if (many && n == (long)sock_call_head(c))
		rq->flags &= ~(u32)URING_F_MULTISHOT;
	return n;
}

long uring_msg_issue(struct uring_req *rq, unsigned how)
{
	struct transfer *d = URING_DATA(struct transfer, rq);
	const struct sock_call *c = rq->mem;
	long r;

	if (!rq->file->sock)
		return -ENOTSOCK;
	if (poll_first(d, how))
		return -EAGAIN;
	bool nonblock = how & URING_NOWAIT || socket_nonblock(rq->file, d->msg_flags);
	size_t left = c->v.total - d->done;
	if (rq->flags & LX_IOSQE_BUFFER_SELECT)
		return recv_many(rq, d, how, recvmsg_selected);
	if (rq->opcode == LX_OP_RECVMSG)
		r = sock_call_recv(rq->file, uaddr_make(d->addr), c, NULL, d->done, d->msg_flags, nonblock);
	else
		r = sock_call_send(rq->file, c, d->done, d->msg_flags, nonblock);
	return transfer_end(rq, d, how, transfer_step(rq, d, r, left, is_stream(rq->file)));
}

/* ---- ACCEPT, CONNECT, SHUTDOWN, SOCKET ---- */

struct accept_op {
	u64 addr, len;
	u32 flags, slot;
};

int uring_accept_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct accept_op *d = URING_DATA(struct accept_op, rq);

	if (sqe->len || sqe->buf_index || sqe->ioprio & ~LX_ACCEPT_MULTISHOT)
		return -EINVAL;
	*d = (struct accept_op){ sqe->addr, sqe->off, sqe->op_flags, (u32)sqe->splice_fd };
	if (d->slot && d->flags & LX_SOCK_CLOEXEC)
		return -EINVAL;
	if (sqe->ioprio & LX_ACCEPT_MULTISHOT) {
		if (d->slot && d->slot != ~0u)
			return -EINVAL;
		rq->flags |= URING_F_MULTISHOT;
	}
	return d->flags & ~(u32)(LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK) ? -EINVAL : 0;
}

long uring_accept_issue(struct uring_req *rq, unsigned how)
{
	struct accept_op *d = URING_DATA(struct accept_op, rq);

	if (!rq->file->sock)
		return -ENOTSOCK;
	for (;;) {
		struct file *f;
		long r = socket_accept_file(rq->file, uaddr_make(d->addr), uaddr_make(d->len), d->flags,
					    how & URING_NOWAIT || file_nonblock(rq->file), &f);
		if (r == 0)
			r = uring_install(rq, f, d->slot, d->flags & LX_SOCK_CLOEXEC);
		if (r < 0 || !(rq->flags & URING_F_MULTISHOT) || !uring_post_more(rq, r, 0))
			return r;
	}
}

struct connect_op {
	struct sock_addr to;
	bool begun;
};

int uring_connect_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct connect_op *d = URING_DATA(struct connect_op, rq);

	if (sqe->len || sqe->buf_index || sqe->op_flags || sqe->splice_fd)
		return -EINVAL;
	d->begun = false;
	return address_get(uaddr_make(sqe->addr), (int)sqe->off, &d->to);
}

static long connect_error(struct socket *s)
{
	u32 len = sizeof(int);
	int e = 0, r = sock_getsockopt(s, LX_SOL_SOCKET, LX_SO_ERROR, &e, &len);

	return r < 0 ? r : -e;
}

long uring_connect_issue(struct uring_req *rq, unsigned how)
{
	struct connect_op *d = URING_DATA(struct connect_op, rq);
	struct socket *s = rq->file->sock;
	long r;

	if (!s)
		return -ENOTSOCK;
	if (d->begun && sock_poll(s, NULL) & POLL_ERR)
		return connect_error(s);
	r = sock_connect(s, &d->to, how & URING_NOWAIT || file_nonblock(rq->file));
	if ((r == -EINPROGRESS || (d->begun && r == -EALREADY)) && how & URING_NOWAIT) {
		d->begun = true;
		return -EAGAIN;
	}
	return d->begun && r == -EISCONN ? connect_error(s) : r;
}

int uring_shutdown_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->op_flags || sqe->buf_index || sqe->splice_fd)
		return -EINVAL;
	*URING_DATA(u32, rq) = sqe->len;
	return 0;
}

long uring_shutdown_issue(struct uring_req *rq, unsigned how)
{
	int which = (int)*URING_DATA(u32, rq);

	if (!rq->file->sock)
		return -ENOTSOCK;
	return which < LX_SHUT_RD || which > LX_SHUT_RDWR ? -EINVAL : sock_shutdown(rq->file->sock, which);
}

struct socket_op {
	int family, type, protocol;
	u32 slot;
};

int uring_socket_prep(struct uring_req *rq, const struct lx_sqe *sqe)
{
	struct socket_op *d = URING_DATA(struct socket_op, rq);

	if (sqe->addr || sqe->op_flags || sqe->buf_index)
		return -EINVAL;
	*d = (struct socket_op){ sqe->fd, (int)sqe->off, (int)sqe->len, (u32)sqe->splice_fd };
	if (d->slot && d->type & LX_SOCK_CLOEXEC)
		return -EINVAL;
	return (u32)d->type & ~(u32)(LX_SOCK_TYPE_MASK | LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK) ? -EINVAL : 0;
}

long uring_socket_issue(struct uring_req *rq, unsigned how)
{
	struct socket_op *d = URING_DATA(struct socket_op, rq);
	struct file *f;
	u32 flags;
	int r = socket_new_file(d->family, d->type, d->protocol, &f, &flags);

	return r < 0 ? r : uring_install(rq, f, d->slot, flags & LX_SOCK_CLOEXEC);
}
