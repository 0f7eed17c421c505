/*
 * uring_poll.c - requests that wait for their files: retries of reads and the like, POLL_ADD once and again and again.
 *
 * A request hangs on up to two wait queues of its file. The wake-up only makes it ready; a thread then takes it off the
 * queues and asks the file.
 *
 * Invariants:
 *  1. While a request is on a wait queue it holds its file, so the queue is there.
 *  2. ARMING and RUNNING: a wake-up sets `fired`, and whoever owns the request looks at it before ARMED.
 *
 * Locks: ring->lock is taken under the lock of a foreign wait queue (req_wake), never the other way round.
 */
#include "proc/uring_impl.h"

static bool req_wake(struct waitq_entry *e, u32 key)
{
	struct uring_req *rq = container_of(e, struct uring_wait, entry)->rq;
	struct uring *r = rq->ring;

	if (key && !(key & READ_ONCE(rq->events)))
		return false;
	irq_flags_t f = uring_lock(r);
	rq->fired = true;
	bool kick = uring_req_ready_locked(rq, URING_ARMED);
	uring_unlock(r, f);
	/* rq may be gone; r is not: its request is on this queue until this call returns. */
	if (kick)
		uring_kick(r);
	return true;
}

struct req_poll_table {
	struct poll_table pt;
	struct uring_req *rq;
};

static void req_add_queue(struct poll_table *pt, struct waitq *q)
{
	struct uring_req *rq = container_of(pt, struct req_poll_table, pt)->rq;
	struct uring_wait *w;

	if (rq->nwaits == ARRAY_SIZE(rq->waits)) {
		rq->wait_failed = true;
		return;
	}
	w = &rq->waits[rq->nwaits++];
	w->rq = rq;
	w->entry = (struct waitq_entry){ .key = rq->events, .wake = req_wake };
	list_init(&w->entry.link);
	waitq_add(q, &w->entry);
}

void uring_poll_disarm(struct uring_req *rq)
{
	for (unsigned i = 0; i < rq->nwaits; i++)
		waitq_remove(&rq->waits[i].entry);
	rq->nwaits = 0;
}

/* Hang rq on its file's queues; what holds now. */
static u32 poll_hook(struct uring_req *rq)
{
	struct req_poll_table t = { .pt = { req_add_queue }, .rq = rq };

	irq_flags_t f = uring_lock(rq->ring);
	rq->state = URING_ARMING;
	rq->fired = false;
	uring_unlock(rq->ring, f);
	rq->wait_failed = false;
	return file_poll(rq->file, &t.pt);
}

/* From ARMING or RUNNING to ARMED; false: something has happened meanwhile, rq is RUNNING and the caller's. */
static bool poll_settle(struct uring_req *rq)
{
	irq_flags_t f = uring_lock(rq->ring);
	bool again = rq->fired || rq->cancelled || rq->ring->dying;

	rq->state = again ? URING_RUNNING : URING_ARMED;
	uring_unlock(rq->ring, f);
	return !again;
}

enum uring_arm uring_poll_arm(struct uring_req *rq)
{
	u32 mask = poll_hook(rq);

	if (rq->wait_failed || !rq->nwaits) {
		irq_flags_t f = uring_lock(rq->ring);
		rq->state = URING_RUNNING;
		uring_unlock(rq->ring, f);
		uring_poll_disarm(rq);
		return mask & rq->events ? URING_ARM_NOW : URING_ARM_NO;
	}
	if (mask & rq->events) {
		irq_flags_t f = uring_lock(rq->ring);
		rq->fired = true;
		uring_unlock(rq->ring, f);
	}
	if (poll_settle(rq))
		return URING_ARM_WAITING;
	uring_poll_disarm(rq);
	return URING_ARM_NOW;
}

/* ---- POLL_ADD ---- */

int uring_poll_prep(struct uring_req *rq, u32 events, bool multishot)
{
	rq->events = events | POLL_ERR | POLL_HUP;
	if (multishot)
		rq->flags |= URING_F_MULTISHOT;
	return 0;
}

/* What to do about the events that hold: PENDING (armed again), or the result. rq is RUNNING and on its queues. */
static long poll_look(struct uring_req *rq, u32 mask)
{
	for (;;) {
		mask &= rq->events;
		irq_flags_t f = uring_lock(rq->ring);
		bool cancelled = rq->cancelled || rq->ring->dying;
		rq->fired = false;
		uring_unlock(rq->ring, f);
		if (cancelled)
			return -ECANCELED;
		if (mask && (!(rq->flags & URING_F_MULTISHOT) || !uring_post_more(rq, (long)mask, 0)))
			return (long)mask;
		if (poll_settle(rq))
			return URING_PENDING;
		mask = file_poll(rq->file, NULL);
	}
}

static void poll_run(struct uring_req *rq)
{
	if (!(rq->flags & URING_F_MULTISHOT))
		uring_poll_disarm(rq);
	irq_flags_t f = uring_lock(rq->ring);
	bool cancelled = rq->cancelled || rq->ring->dying;
	rq->fired = false;
	uring_unlock(rq->ring, f);
	long res = -ECANCELED;
	if (!cancelled) {
		u32 mask = rq->nwaits ? file_poll(rq->file, NULL) : poll_hook(rq);
		res = poll_look(rq, mask);
	}
	if (res == URING_PENDING)
		return;
	uring_poll_disarm(rq);
	uring_req_complete(rq, res);
}

long uring_poll_issue(struct uring_req *rq, unsigned how)
{
	u32 mask;
	long res;

	rq->run = poll_run;
	mask = poll_hook(rq);
	if (rq->wait_failed || (!rq->nwaits && !(mask & rq->events)))
		res = rq->wait_failed ? -ENOMEM : -EINVAL;
	else if (!rq->nwaits)            /* a regular file: always so */
		res = (long)(mask & rq->events);
	else
		res = poll_look(rq, mask);
	if (res != URING_PENDING) {
		irq_flags_t f = uring_lock(rq->ring);
		rq->state = URING_RUNNING;
		uring_unlock(rq->ring, f);
		uring_poll_disarm(rq);
	}
	return res;
}

/* The armed POLL_ADD with this user_data, now the caller's; -ENOENT, -EALREADY. */
static int poll_claim(struct uring *r, u64 user_data, struct uring_req **ret)
{
	struct uring_req *rq;
	int e = -ENOENT;

	irq_flags_t f = uring_lock(r);
	list_for_each_entry(rq, &r->reqs, link) {
		if (rq->opcode != LX_OP_POLL_ADD || rq->user_data != user_data || rq->state == URING_LINKED || rq->state == URING_DEFERRED)
			continue;
		e = rq->state == URING_ARMED ? 0 : -EALREADY;
		if (e == 0) {
			rq->state = URING_RUNNING;
			*ret = rq;
		}
		break;
	}
	uring_unlock(r, f);
	return e;
}

long uring_poll_update(struct uring *r, const struct uring_poll_update *u)
{
	struct uring_req *rq;
	int e = poll_claim(r, u->user_data, &rq);

	if (e)
		return e;
	uring_poll_disarm(rq);
	long res = -ECANCELED;
	if (u->set_events || u->set_user_data) {
		if (u->set_events)
			rq->events = (u->events & 0xffff) | POLL_ERR | POLL_HUP;
		if (u->set_user_data)
			rq->user_data = u->new_user_data;
		res = uring_poll_issue(rq, URING_NOWAIT);
	}
	if (res != URING_PENDING)
		uring_req_complete(rq, res);
	return 0;
}
