/*
 * sys_aio.c - io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents: checks in Linux's order; the
 * contexts are in proc/aio.c. Each iocb is fetched once.
 */
#include "linux/filecalls.h"
#include "linux/polltime.h"
#include "proc/aio.h"
#include "proc/event_files.h"

struct lx_iocb {
	u64 data;
	u32 key;
	s32 rw_flags;
	u16 opcode;
	s16 reqprio;
	u32 fildes;
	u64 buf, nbytes;
	s64 offset;
	u64 reserved2;
	u32 flags, resfd;
};
_Static_assert(sizeof(struct lx_iocb) == 64, "iocb");

enum { CMD_PREAD, CMD_PWRITE, CMD_FSYNC, CMD_FDSYNC, CMD_POLL = 5, CMD_PREADV = 7, CMD_PWRITEV = 8 };
enum { FLAG_RESFD = 1, FLAG_IOPRIO = 2 };

long sys_io_setup(unsigned nr, struct uaddr uctx)
{
	u64 id;
	int r;

	if (copy_from_user(&id, uctx, sizeof(id)) < 0)
		return -EFAULT;
	if (id || !nr)
		return -EINVAL;
	r = aio_create(nr, &id);
	if (r)
		return r;
	if (copy_to_user(uctx, &id, sizeof(id)) == 0)
		return 0;
	struct aio_ctx *c = aio_lookup(id);
	if (c) {
		(void)aio_destroy(c);
		aio_put(c);
	}
	return -EFAULT;
}

long sys_io_destroy(unsigned long id)
{
	struct aio_ctx *c = aio_lookup(id);
	int r;

	if (!c)
		return -EINVAL;
	r = aio_destroy(c);
	aio_put(c);
	return r;
}

/* ---- Submitting ---- */

static long transfer(struct file *f, const struct lx_iocb *cb, struct user_iov *v, bool write)
{
	u64 off = (u64)cb->offset;
	struct uio u;
	long r;

	uio_init_user(&u, v->segs, v->n);
	r = rw_transfer(f, &u, f->ops->seekable ? &off : NULL, cb->rw_flags, write, file_nonblock(f));
	return r <= -512 ? -EINTR : r;
}

/* Done here and now; the result goes into *ret_res. An errno is io_submit's own. */
static int run_rw(struct file *f, const struct lx_iocb *cb, bool write, bool vector, s64 *ret_res)
{
	NO_AUTO_INIT struct user_iov v;
	int r = rw_flags_check(f, cb->rw_flags, write);

	if (r)
		return r == -EOPNOTSUPP ? r : -EINVAL;
	if (!(write ? file_can_write(f) : file_can_read(f)))
		return -EBADF;
	if (!(write ? (void *)f->ops->write : (void *)f->ops->read) || (f->vnode && f->vnode->type == VNODE_DIR))
		return -EINVAL;
	if (vector) {
		r = user_iov_get(&v, uaddr_make(cb->buf), cb->nbytes);
	} else {
		v.segs = v.few;
		v.n = 1;
		v.total = MIN(cb->nbytes, LX_MAX_RW_COUNT);
		v.few[0] = (struct uio_seg){ (uintptr_t)cb->buf, v.total };
		r = user_range_ok(uaddr_make(cb->buf), v.total) ? 0 : -EFAULT;
	}
	if (r == 0 && f->ops->seekable)
		r = cb->offset < 0 ? -EINVAL : rw_offset_check(f, cb->offset, v.total);
	if (r == 0)
		*ret_res = transfer(f, cb, &v, write);
	user_iov_free(&v);
	return r;
}

static int run_sync(struct file *f, const struct lx_iocb *cb, s64 *ret_res)
{
	if (cb->buf || cb->offset || cb->nbytes || cb->rw_flags)
		return -EINVAL;
	if (!f->vnode || (f->vnode->type != VNODE_REG && f->vnode->type != VNODE_DIR))
		return -EINVAL;
	*ret_res = file_sync(f, cb->opcode == CMD_FDSYNC);
	return 0;
}

/* Run or begin; takes q on success. */
static int submit_op(struct aio_req *q, struct file *f, const struct lx_iocb *cb)
{
	s64 res = 0;
	int r;

	switch (cb->opcode) {
	case CMD_PREAD:
	case CMD_PREADV:
		r = run_rw(f, cb, false, cb->opcode == CMD_PREADV, &res);
		break;
	case CMD_PWRITE:
	case CMD_PWRITEV:
		r = run_rw(f, cb, true, cb->opcode == CMD_PWRITEV, &res);
		break;
	case CMD_FSYNC:
	case CMD_FDSYNC:
		r = run_sync(f, cb, &res);
		break;
	case CMD_POLL:
		if (cb->buf > 0xffff || cb->offset || cb->nbytes || cb->rw_flags)
			return -EINVAL;
		file_get(f);
		r = aio_poll(q, f, (u32)cb->buf);
		if (r)
			file_put(f);
		return r;
	default:
		return -EINVAL;
	}
	if (r == 0)
		aio_complete(q, res);
	return r;
}

static int resfd_get(const struct lx_iocb *cb, struct file **ret)
{
	struct file *e;

	*ret = NULL;
	if (!(cb->flags & FLAG_RESFD))
		return 0;
	e = fd_lookup((int)cb->resfd);
	if (!e)
		return -EBADF;
	if (!file_is_eventfd(e)) {
		file_put(e);
		return -EINVAL;
	}
	*ret = e;
	return 0;
}

static int submit_one(struct aio_ctx *c, struct uaddr ucb)
{
	struct lx_iocb cb;
	struct aio_req *q;
	struct file *f, *eventfd;
	const u32 key = 0;
	int r;

	if (copy_from_user(&cb, ucb, sizeof(cb)) < 0)
		return -EFAULT;
	if (cb.reserved2 || (s64)cb.nbytes < 0)
		return -EINVAL;
	q = aio_req_new(c);
	if (!q)
		return -EAGAIN;
	f = fd_lookup((int)cb.fildes);
	r = f ? resfd_get(&cb, &eventfd) : -EBADF;
	if (r == 0) {
		aio_req_set(q, cb.data, ucb.va, eventfd);
		r = copy_to_user(uaddr_add(ucb, offsetof(struct lx_iocb, key)), &key, sizeof(key));
	}
	if (r == 0)
		r = submit_op(q, f, &cb);
	if (r)
		aio_req_drop(q);
	if (f)
		file_put(f);
	return r;
}

long sys_io_submit(unsigned long id, long nr, struct uaddr iocbs)
{
	struct aio_ctx *c;
	long i;
	int r = 0;

	if (nr < 0)
		return -EINVAL;
	c = aio_lookup(id);
	if (!c)
		return -EINVAL;
	for (i = 0; i < nr && r == 0; i += r == 0) {
		u64 at;
		r = copy_from_user(&at, uaddr_add(iocbs, (size_t)i * sizeof(at)), sizeof(at));
		if (r == 0)
			r = submit_one(c, uaddr_make(at));
		if (thread_interrupted() && i + 1 < nr && r == 0) {
			i++;
			break;
		}
	}
	aio_put(c);
	return i ? i : r;
}

long sys_io_cancel(unsigned long id, struct uaddr ucb, struct uaddr result)
{
	struct aio_ctx *c;
	u32 key;
	int r;

	if (copy_from_user(&key, uaddr_add(ucb, offsetof(struct lx_iocb, key)), sizeof(key)) < 0)
		return -EFAULT;
	if (key)
		return -EINVAL;
	c = aio_lookup(id);
	if (!c)
		return -EINVAL;
	r = aio_cancel(c, ucb.va);
	aio_put(c);
	return r ? r : -EINPROGRESS;
}

/* ---- Waiting ---- */

static long events_call(unsigned long id, long min, long nr, struct uaddr events, u64 deadline_ns)
{
	struct aio_ctx *c = aio_lookup(id);
	struct uio u;
	long r = -EINVAL;

	if (!c)
		return -EINVAL;
	if (min <= nr && min >= 0) {
		uio_init_user_one(&u, events, MIN((size_t)nr, (size_t)AIO_MAX_EVENTS * 4) * sizeof(struct lx_io_event));
		r = aio_events(c, min, MIN(nr, (long)AIO_MAX_EVENTS * 4), &u, deadline_ns);
	}
	aio_put(c);
	return r;
}

long sys_io_getevents(unsigned long id, long min, long nr, struct uaddr events, struct uaddr timeout)
{
	u64 deadline_ns;
	int r = deadline_from_ts(timeout, &deadline_ns);

	return r ? r : events_call(id, min, nr, events, deadline_ns);
}

long sys_io_pgetevents(unsigned long id, long min, long nr, struct uaddr events, struct uaddr timeout, struct uaddr usig)
{
	struct { u64 mask, size; } sig = { 0 };
	bool pushed = false;
	u64 deadline_ns;
	long r = deadline_from_ts(timeout, &deadline_ns);

	if (r)
		return r;
	if (!uaddr_is_null(usig) && copy_from_user(&sig, usig, sizeof(sig)) < 0)
		return -EFAULT;
	r = mask_push(uaddr_make(sig.mask), sig.size, &pushed);
	if (r)
		return r;
	r = events_call(id, min, nr, events, deadline_ns);
	if (pushed)
		signal_pop_mask(r == -EINTR);
	return r;
}
