/*
 * uring_req.c - requests: begun, issued, handed over, completed.
 *
 * Invariants:
 *  1. A request in state RUNNING or WORKING belongs to one thread, which alone moves it on; in every other state
 *     whoever holds ring->lock may make it ready.
 *  2. A request is on ring->reqs from its making to its end. On ring->ready it is in state READY, and only there.
 *  3. Each request is retired once, with its completion or without (CQE_SKIP_SUCCESS).
 *  4. What is ready is run by somebody: a thread in enter (waiters), or ready_job (ready_queued); with DEFER_TASKRUN by
 *     the owner's next enter.
 *
 * Locks: uring_impl.h. What can fail: what the operations say, memory.
 */
#include "proc/uring_impl.h"

#define RETRIES 32u                  /* a file says that it is ready and then is not: after that a worker sleeps for it */

static struct heap_cache req_cache = HEAP_CACHE(uring_req);
static u32 reqs_alive;               /* atomic */

struct uring_req *uring_req_new(struct uring *r)
{
	struct uring_req *rq = NULL;

	if (__atomic_add_fetch(&reqs_alive, 1, __ATOMIC_RELAXED) <= URING_REQS_MAX)
		rq = heap_cache_alloc(&req_cache);
	if (!rq) {
		__atomic_fetch_sub(&reqs_alive, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	uring_get(r);
	rq->ring = r;
	rq->run = uring_req_start;
	list_init(&rq->queue);
	irq_flags_t f = uring_lock(r);
	list_append(&r->reqs, &rq->link);
	uring_unlock(r, f);
	return rq;
}

static void req_free(struct uring_req *rq)
{
	struct uring *r = rq->ring;

	ASSERT(rq->nwaits == 0 && list_empty(&rq->queue));
	if (rq->op && rq->op->cleanup)
		rq->op->cleanup(rq);
	heap_free(rq->mem);
	if (rq->file)
		file_put(rq->file);
	irq_flags_t f = uring_lock(r);
	list_remove(&rq->link);
	uring_unlock(r, f);
	heap_cache_free(&req_cache, rq);
	__atomic_fetch_sub(&reqs_alive, 1, __ATOMIC_RELAXED);
	uring_put(r);
}

void uring_req_forget(struct uring_req *rq)
{
	req_free(rq);
}

/* ---- Who runs what is ready ---- */

void uring_kick(struct uring *r)
{
	irq_flags_t f = uring_lock(r);
	bool job = !list_empty(&r->ready) && !r->waiters && !r->ready_queued;

	if (job) {
		r->ready_queued = true;
		uring_get(r);
	}
	if (r->flags & LX_SETUP_TASKRUN_FLAG && uring_is_deferring(r) && !list_empty(&r->ready))
		__atomic_fetch_or(&uring_shared(r)->sq_flags, (u32)LX_SQ_TASKRUN, __ATOMIC_SEQ_CST);
	uring_unlock(r, f);
	if (job)
		workers_quick(&r->ready_job);
	waitq_wake_all(&r->enter_waitq);
}

bool uring_req_ready_locked(struct uring_req *rq, enum uring_state from)
{
	if (rq->state != from)
		return false;
	rq->state = URING_READY;
	list_remove(&rq->queue);
	list_append(&rq->ring->ready, &rq->queue);
	return true;
}

unsigned uring_run_ready(struct uring *r)
{
	unsigned n = 0;

	for (;; n++) {
		irq_flags_t f = uring_lock(r);
		struct list *l = list_pop(&r->ready);
		struct uring_req *rq = l ? list_entry(l, struct uring_req, queue) : NULL;
		if (rq)
			rq->state = URING_RUNNING;
		else if (r->flags & LX_SETUP_TASKRUN_FLAG)
			__atomic_fetch_and(&uring_shared(r)->sq_flags, ~(u32)LX_SQ_TASKRUN, __ATOMIC_SEQ_CST);
		uring_unlock(r, f);
		if (!rq)
			return n;
		rq->run(rq);
		sched_poll();
	}
}

void uring_ready_job(struct job *j)
{
	struct uring *r = container_of(j, struct uring, ready_job);

	irq_flags_t f = uring_lock(r);
	r->ready_queued = false;
	bool run = !uring_is_deferring(r) || r->dying;
	uring_unlock(r, f);
	if (run)
		uring_run_ready(r);
	else
		waitq_wake(&r->poll_waitq, POLL_IN | POLL_RDNORM, ~0u);
	uring_put(r);
}

/* ---- The end ---- */

/* One request less under way: the drained ones behind it may go on. L held; true: uring_kick is due. */
static bool retire_locked(struct uring *r)
{
	bool kick = false;
	struct list *l;

	r->retired++;
	while ((l = list_first(&r->deferred))) {
		struct uring_req *rq = list_entry(l, struct uring_req, queue);
		if (rq->flags & LX_IOSQE_DRAIN && r->retired != rq->position)
			break;
		list_remove(l);
		kick |= uring_req_ready_locked(rq, URING_DEFERRED);
	}
	return kick;
}

/* Told (unless it need not be), retired, freed. */
static void req_end(struct uring_req *rq, long res)
{
	struct uring *r = rq->ring;
	u32 cflags = rq->cflags;

	if (rq->flags & URING_F_BUFFER)
		cflags |= LX_CQE_F_BUFFER | (u32)rq->buf_id << LX_CQE_BUFFER_SHIFT;
	uring_get(r);
	if (rq->opcode == LX_OP_TIMEOUT)
		__atomic_fetch_add(&r->timeouts_posted, 1, __ATOMIC_RELAXED);
	if (!(rq->flags & LX_IOSQE_CQE_SKIP))
		uring_post(r, rq->user_data, (s32)res, cflags);
	irq_flags_t f = uring_lock(r);
	rq->state = URING_DONE;
	bool kick = retire_locked(r);
	uring_unlock(r, f);
	req_free(rq);
	if (kick)
		uring_kick(r);
	uring_put(r);
}

/* The rest of a chain that failed. */
static void links_fail(struct uring_req *rq, bool silent)
{
	while (rq) {
		struct uring_req *next = rq->next;
		rq->next = NULL;
		if (silent)
			rq->flags |= LX_IOSQE_CQE_SKIP;
		else
			rq->flags &= ~(u32)LX_IOSQE_CQE_SKIP;
		req_end(rq, rq->flags & URING_F_INIT_FAIL ? rq->res : -ECANCELED);
		rq = next;
	}
}

void uring_req_complete(struct uring_req *rq, long res)
{
	struct uring *r = rq->ring;
	struct uring_req *next = rq->next;

	if (res <= -512)                 /* a restart code: nobody restarts a request */
		res = -EINTR;
	if (res < 0 && !(res == -ETIME && rq->flags & URING_F_ETIME_OK))
		rq->flags |= URING_F_FAIL;
	bool failed = rq->flags & URING_F_FAIL, hard = rq->flags & LX_IOSQE_HARDLINK;
	bool silent = false;
	if (failed && rq->flags & LX_IOSQE_CQE_SKIP) {
		rq->flags &= ~(u32)LX_IOSQE_CQE_SKIP;
		silent = true;
	}
	uring_get(r);
	uring_ltimeout_drop(rq);
	rq->next = NULL;
	req_end(rq, res);
	if (next && failed && !hard) {
		links_fail(next, silent);
	} else if (next) {
		irq_flags_t f = uring_lock(r);
		bool kick = uring_req_ready_locked(next, URING_LINKED);
		uring_unlock(r, f);
		if (kick)
			uring_kick(r);
	}
	uring_put(r);
}

/* ---- Issuing ---- */

int uring_req_file(struct uring_req *rq)
{
	if (rq->file)
		return 0;
	rq->file = rq->flags & LX_IOSQE_FIXED_FILE ? uring_file_get(rq->ring, (u32)rq->fd) : fd_lookup(rq->fd);
	return rq->file ? 0 : -EBADF;
}

static long req_issue(struct uring_req *rq, unsigned how)
{
	if (rq->op->flags & URING_OP_FILE) {
		int r = uring_req_file(rq);
		if (r)
			return r;
	}
	return rq->op->issue(rq, how);
}

static bool req_is_cancelled(struct uring_req *rq)
{
	irq_flags_t f = uring_lock(rq->ring);
	bool c = rq->cancelled || rq->ring->dying;

	uring_unlock(rq->ring, f);
	return c;
}

static bool req_can_wait(struct uring_req *rq)
{
	if (!(rq->op->flags & (URING_OP_POLL_IN | URING_OP_POLL_OUT)) || !rq->file || !uring_can_poll(rq->file) || rq->tries >= RETRIES)
		return false;
	rq->tries++;
	rq->events = POLL_ERR | POLL_HUP | (rq->op->flags & URING_OP_POLL_IN ? POLL_IN | POLL_RDNORM | POLL_RDHUP : 0) |
		     (rq->op->flags & URING_OP_POLL_OUT ? POLL_OUT | POLL_WRNORM : 0);
	return true;
}

/* In a worker: begin, and sleep where it sleeps. */
static void req_work(struct job *j)
{
	struct uring_req *rq = container_of(j, struct uring_req, job);
	struct uring *r = rq->ring;

	irq_flags_t f = uring_lock(r);
	bool cancelled = rq->cancelled || r->dying;
	bool pollable = rq->op->flags & (URING_OP_POLL_IN | URING_OP_POLL_OUT) && rq->tries < RETRIES;
	rq->state = pollable || cancelled ? URING_RUNNING : URING_WORKING;
	rq->worker = rq->state == URING_WORKING ? thread_current() : NULL;
	uring_unlock(r, f);
	if (cancelled) {
		uring_req_complete(rq, -ECANCELED);
		return;
	}
	/* It may be waited for after all: IOSQE_ASYNC on a socket. */
	if (pollable && uring_req_file(rq) == 0 && uring_can_poll(rq->file)) {
		uring_req_run(rq);
		return;
	}
	if (pollable) {
		f = uring_lock(r);
		rq->state = URING_WORKING;
		rq->worker = thread_current();
		uring_unlock(r, f);
	}
	long res = req_issue(rq, 0);
	thread_clear_work(thread_current(), THREAD_WORK_SIGNAL);
	if (res == URING_PENDING)
		return;                  /* it waits for its time and is not ours any more, and may be gone already */
	f = uring_lock(r);
	rq->state = URING_RUNNING;
	rq->worker = NULL;
	uring_unlock(r, f);
	thread_clear_work(thread_current(), THREAD_WORK_SIGNAL);
	uring_req_complete(rq, res);
}

static void req_to_worker(struct uring_req *rq)
{
	struct uring *r = rq->ring;

	job_init(&rq->job, req_work);
	irq_flags_t f = uring_lock(r);
	bool cancelled = rq->cancelled || r->dying;
	if (!cancelled)
		rq->state = URING_QUEUED;
	uring_unlock(r, f);
	if (cancelled)
		uring_req_complete(rq, -ECANCELED);
	else if (workers_patient(&rq->job))
		uring_req_complete(rq, -ENOMEM);
}

void uring_req_run(struct uring_req *rq)
{
	rq->run = uring_req_run;
	rq->tries = 0;
	uring_poll_disarm(rq);
	for (;;) {
		if (req_is_cancelled(rq)) {
			uring_req_complete(rq, -ECANCELED);
			return;
		}
		long res = req_issue(rq, URING_NOWAIT);
		if (res == URING_PENDING)
			return;
		if (res != -EAGAIN || rq->flags & URING_F_NOWAIT) {
			uring_req_complete(rq, res);
			return;
		}
		enum uring_arm arm = req_can_wait(rq) ? uring_poll_arm(rq) : URING_ARM_NO;
		if (arm == URING_ARM_WAITING)
			return;
		if (arm == URING_ARM_NO) {
			req_to_worker(rq);
			return;
		}
	}
}

/* A link timeout behind rq starts with it and leaves the chain. */
static void ltimeout_take(struct uring_req *rq)
{
	struct uring_req *lt = rq->next;

	if (!lt || lt->opcode != LX_OP_LINK_TIMEOUT || lt->flags & URING_F_INIT_FAIL)
		return;
	rq->next = lt->next;
	lt->next = NULL;
	irq_flags_t f = uring_lock(rq->ring);
	rq->ltimeout = lt;
	lt->ltimeout = rq;
	uring_unlock(rq->ring, f);
	uring_ltimeout_start(lt);
}

void uring_req_start(struct uring_req *rq)
{
	irq_flags_t f = uring_lock(rq->ring);
	rq->state = URING_RUNNING;
	bool dying = rq->ring->dying || rq->cancelled;
	uring_unlock(rq->ring, f);
	if (rq->flags & URING_F_INIT_FAIL) {
		uring_req_complete(rq, rq->res);
		return;
	}
	if (dying) {
		uring_req_complete(rq, -ECANCELED);
		return;
	}
	ltimeout_take(rq);
	if (rq->flags & LX_IOSQE_ASYNC || rq->op->flags & URING_OP_WORKER) {
		rq->run = uring_req_run;
		req_to_worker(rq);
	} else {
		uring_req_run(rq);
	}
}

bool uring_post_more(struct uring_req *rq, long res, u32 cflags)
{
	rq->tries = 0;
	return !READ_ONCE(rq->ring->dying) && uring_post_if_room(rq->ring, rq->user_data, (s32)res, cflags | LX_CQE_F_MORE);
}
