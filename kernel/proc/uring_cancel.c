/*
 * uring_cancel.c - requests that are not wanted any more.
 *
 * What waits (for its file, for time, for a worker) becomes ready and completes with -ECANCELED. What a worker sleeps
 * for is interrupted. Locks: ring->lock.
 */
#include "proc/uring_impl.h"

int uring_req_cancel_locked(struct uring_req *rq, bool *kick)
{
	switch (rq->state) {
	case URING_ARMED:
		rq->cancelled = true;
		*kick |= uring_req_ready_locked(rq, URING_ARMED);
		return 0;
	case URING_QUEUED:
		rq->cancelled = true;
		if (!workers_take_back(&rq->job))
			return -EALREADY;
		*kick |= uring_req_ready_locked(rq, URING_QUEUED);
		return 0;
	case URING_WORKING:
		rq->cancelled = true;
		thread_set_work(rq->worker, THREAD_WORK_SIGNAL);
		return -EALREADY;
	case URING_RUNNING:
	case URING_ARMING:
	case URING_READY:
		rq->cancelled = true;
		return rq->nwaits ? 0 : -EALREADY;
	case URING_NEW:
	case URING_DEFERRED:
	case URING_LINKED:
	case URING_DONE:
		break;
	}
	return -ENOENT;
}

static bool matches(const struct uring_req *rq, const struct uring_match *m)
{
	if (m->flags & LX_CANCEL_ANY)
		return true;
	if (m->flags & LX_CANCEL_FD)
		return rq->file && rq->file == m->file;
	return rq->user_data == m->user_data;
}

long uring_cancel(struct uring *r, const struct uring_match *m, const struct uring_req *self)
{
	bool all = m->flags & (LX_CANCEL_ALL | LX_CANCEL_ANY), kick = false;
	struct uring_req *rq;
	long n = 0, res = -ENOENT;

	irq_flags_t f = uring_lock(r);
	list_for_each_entry(rq, &r->reqs, link) {
		if (rq == self || rq->opcode == LX_OP_LINK_TIMEOUT || rq->cancelled || !matches(rq, m))
			continue;
		int e = uring_req_cancel_locked(rq, &kick);
		if (e == -ENOENT)
			continue;
		res = e;
		n++;
		if (!all)
			break;
	}
	uring_unlock(r, f);
	if (kick)
		uring_kick(r);
	return all ? n : res;
}

void uring_cancel_all(struct uring *r)
{
	struct uring_req *rq;
	bool kick = false;

	irq_flags_t f = uring_lock(r);
	list_for_each_entry(rq, &r->reqs, link) {
		if (rq->state == URING_DEFERRED) {
			rq->cancelled = true;
			kick |= uring_req_ready_locked(rq, URING_DEFERRED);
		} else {
			(void)uring_req_cancel_locked(rq, &kick);
		}
	}
	uring_unlock(r, f);
	if (kick)
		uring_kick(r);
}
