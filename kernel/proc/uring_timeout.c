/*
 * uring_timeout.c - requests that wait for time: TIMEOUT (also for a number of completions), LINK_TIMEOUT.
 *
 * The timer's callback only makes the request ready. Invariant: a timer is cancelled (and so its callback is not
 * running) before its request is completed.
 * Locks: ring->lock; it is not held around timer_cancel.
 */
#include "proc/uring_impl.h"

struct timeout_data {
	u64 deadline_ns;
	u32 count, target;           /* completions to wait for; where cq_tail - timeouts_posted will be then */
};
_Static_assert(sizeof(struct timeout_data) <= URING_DATA_MAX, "it fits");

static struct timeout_data *timeout_data(struct uring_req *rq) { return (struct timeout_data *)rq->data; }

static void timeout_fire(struct timer *t)
{
	struct uring_req *rq = container_of(t, struct uring_req, timer);
	struct uring *r = rq->ring;

	irq_flags_t f = uring_lock(r);
	/* Not if it was moved on while this call was on its way. */
	bool kick = false, due = arch_clock_mono_ns() >= timeout_data(rq)->deadline_ns;
	if (due) {
		rq->fired = true;
		kick = uring_req_ready_locked(rq, URING_ARMED);
	}
	uring_unlock(r, f);
	if (kick)
		uring_kick(r);
}

int uring_timeout_set(struct uring_req *rq, u64 deadline_ns, u32 count, bool etime_ok)
{
	*timeout_data(rq) = (struct timeout_data){ .deadline_ns = deadline_ns, .count = count };
	timer_init(&rq->timer, timeout_fire);
	if (etime_ok)
		rq->flags |= URING_F_ETIME_OK;
	return 0;
}

static u32 completions(const struct uring *r)
{
	return r->cq_tail + r->noverflow - __atomic_load_n(&r->timeouts_posted, __ATOMIC_RELAXED);
}

bool uring_timeouts_count_locked(struct uring *r)
{
	struct uring_req *rq, *tmp;
	bool kick = false;

	list_for_each_entry_safe(rq, tmp, &r->counting, queue)
		if ((s32)(completions(r) - timeout_data(rq)->target) >= 0)
			kick |= uring_req_ready_locked(rq, URING_ARMED);
	return kick;
}

/* Start the timer and go to ARMED; false: its time has come (or it was cancelled) already. */
static bool timeout_arm(struct uring_req *rq)
{
	struct uring *r = rq->ring;
	struct timeout_data *d = timeout_data(rq);

	irq_flags_t f = uring_lock(r);
	rq->state = URING_ARMING;
	rq->fired = false;
	d->target = completions(r) + d->count;
	uring_unlock(r, f);
	if (d->deadline_ns != WAIT_FOREVER)
		timer_arm(&rq->timer, d->deadline_ns);
	f = uring_lock(r);
	bool over = rq->fired || rq->cancelled || r->dying;
	rq->state = over ? URING_RUNNING : URING_ARMED;
	if (!over && d->count && rq->opcode == LX_OP_TIMEOUT)
		list_append(&r->counting, &rq->queue);
	uring_unlock(r, f);
	return !over;
}

static long timeout_result(struct uring_req *rq)
{
	timer_cancel(&rq->timer);
	irq_flags_t f = uring_lock(rq->ring);
	long res = rq->cancelled || rq->ring->dying ? -ECANCELED : rq->fired ? -ETIME : 0;
	uring_unlock(rq->ring, f);
	return res;
}

void uring_timeout_run(struct uring_req *rq)
{
	uring_req_complete(rq, timeout_result(rq));
}

long uring_timeout_begin(struct uring_req *rq)
{
	rq->run = uring_timeout_run;
	return timeout_arm(rq) ? URING_PENDING : timeout_result(rq);
}

/* ---- Link timeouts ---- */

/* Its time has come: what it watches is cancelled. */
static void ltimeout_run(struct uring_req *lt)
{
	struct uring *r = lt->ring;
	bool kick = false;
	long res = -ETIME;

	timer_cancel(&lt->timer);
	irq_flags_t f = uring_lock(r);
	struct uring_req *rq = lt->ltimeout;
	if (lt->cancelled)
		res = -ECANCELED;
	if (rq) {
		if (!lt->cancelled) {
			int e = uring_req_cancel_locked(rq, &kick);
			res = e ? e : -ETIME;
		}
		rq->ltimeout = NULL;
		lt->ltimeout = NULL;
	}
	/* That it did its work is no failure: one that may be silent says nothing. */
	if (!lt->cancelled && lt->flags & LX_IOSQE_CQE_SKIP)
		res = 0;
	uring_unlock(r, f);
	if (kick)
		uring_kick(r);
	uring_req_complete(lt, res);
}

void uring_ltimeout_start(struct uring_req *lt)
{
	lt->run = ltimeout_run;
	if (!timeout_arm(lt)) {
		irq_flags_t f = uring_lock(lt->ring);
		lt->state = URING_ARMED;
		bool kick = uring_req_ready_locked(lt, URING_ARMED);
		uring_unlock(lt->ring, f);
		if (kick)
			uring_kick(lt->ring);
	}
}

void uring_ltimeout_drop(struct uring_req *rq)
{
	struct uring *r = rq->ring;
	bool mine = false;

	if (!READ_ONCE(rq->ltimeout) || rq->opcode == LX_OP_LINK_TIMEOUT)
		return;
	irq_flags_t f = uring_lock(r);
	struct uring_req *lt = rq->ltimeout;
	rq->ltimeout = NULL;
	if (lt) {
		lt->ltimeout = NULL;
		mine = lt->state == URING_ARMED;
		if (mine)
			lt->state = URING_RUNNING;
	}
	uring_unlock(r, f);
	if (!mine)
		return;
	timer_cancel(&lt->timer);
	/* That it was not needed is no failure: one that may be silent says nothing. */
	uring_req_complete(lt, lt->flags & LX_IOSQE_CQE_SKIP ? 0 : -ECANCELED);
}

/* ---- Removing and moving ---- */

/* L held. */
static struct uring_req *timeout_find_locked(struct uring *r, u64 user_data, bool linked)
{
	struct uring_req *rq;

	list_for_each_entry(rq, &r->reqs, link)
		if (rq->opcode == (linked ? LX_OP_LINK_TIMEOUT : LX_OP_TIMEOUT) && rq->user_data == user_data &&
		    rq->state != URING_LINKED && rq->state != URING_DEFERRED && rq->state != URING_DONE)
			return rq;
	return NULL;
}

int uring_timeout_remove(struct uring *r, u64 user_data)
{
	bool kick = false;

	irq_flags_t f = uring_lock(r);
	struct uring_req *rq = timeout_find_locked(r, user_data, false);
	int e = !rq ? -ENOENT : rq->state != URING_ARMED ? -EALREADY : uring_req_cancel_locked(rq, &kick);
	uring_unlock(r, f);
	if (kick)
		uring_kick(r);
	return e;
}

int uring_timeout_update(struct uring *r, u64 user_data, u64 deadline_ns, bool linked)
{
	irq_flags_t f = uring_lock(r);
	struct uring_req *rq = timeout_find_locked(r, user_data, linked);
	int e = !rq ? -ENOENT : rq->state != URING_ARMED ? -EALREADY : 0;

	if (e == 0) {
		list_remove(&rq->queue); /* it counts nothing any more */
		timeout_data(rq)->deadline_ns = deadline_ns;
		timer_arm(&rq->timer, deadline_ns);
	}
	uring_unlock(r, f);
	return e;
}
