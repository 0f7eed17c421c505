/*
 * uring_submit.c - from the submission ring to requests: fetch, check, link, start.
 *
 * Invariants:
 *  1. Each submission is copied out of the shared memory once and judged by its copy.
 *  2. An index that points outside of the submissions is dropped and counted, and ends the call's work.
 *  3. The requests of a chain are started one after the other, the first when the chain is complete; a call's last
 *     chain ends with the call.
 *
 * Locks: submit_mtx is held throughout. What can fail: memory for a request (-EAGAIN); everything else about a
 * submission is told by its completion.
 */
#include "proc/uring_impl.h"

struct chain {
	struct uring_req *head, *last;
	bool failed;
	bool drain_next;             /* a drain inside of this chain: what follows it drains too */
};

/* The next submission: 1, 0 (none left), -EINVAL (a bad index, dropped). */
static int sqe_fetch(struct uring *r, struct lx_sqe *ret)
{
	struct lx_rings *s = uring_shared(r);
	u32 tail = __atomic_load_n(&s->sq_tail, __ATOMIC_ACQUIRE);

	if (tail == r->sq_head)
		return 0;
	u32 slot = r->sq_head++ & (r->sq_entries - 1);
	u32 at = READ_ONCE(*(u32 *)uring_ring_at(r, r->sq_array_off + (size_t)slot * sizeof(u32)));
	if (at >= r->sq_entries) {
		WRITE_ONCE(s->sq_dropped, ++r->sq_dropped);
		return -EINVAL;
	}
	size_t off = (size_t)at << r->sqe_shift;
	memcpy(ret, (u8 *)page_to_virt(r->sqe_pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1)), sizeof(*ret));
	__asm__ volatile("" ::: "memory");
	return 1;
}

static int restrictions_check(const struct uring *r, const struct lx_sqe *sqe)
{
	const struct uring_restrictions *x = &r->restrict_to;

	if (!x->registered)
		return 0;
	if (!(x->sqe_ops >> sqe->opcode & 1) || (sqe->flags & x->flags_required) != x->flags_required ||
	    sqe->flags & ~(x->flags_allowed | x->flags_required))
		return -EACCES;
	return 0;
}

static int flags_check(struct uring *r, const struct uring_op *op, const struct lx_sqe *sqe)
{
	u32 common = LX_IOSQE_FIXED_FILE | LX_IOSQE_LINK | LX_IOSQE_HARDLINK | LX_IOSQE_ASYNC;

	if (sqe->flags & ~common) {
		if (sqe->flags & ~LX_IOSQE_ALL)
			return -EINVAL;
		if (sqe->flags & LX_IOSQE_BUFFER_SELECT && !(op->flags & URING_OP_SELECT))
			return -EOPNOTSUPP;
	}
	if (r->restricted && restrictions_check(r, sqe))
		return -EACCES;
	if (sqe->ioprio && !(op->flags & URING_OP_IOPRIO))
		return -EINVAL;
	if (r->flags & LX_SETUP_IOPOLL && op->flags & URING_OP_NOT_IOPOLL)
		return -EINVAL;
	if (sqe->personality && !(r->personalities && r->personalities[sqe->personality / 64] >> sqe->personality % 64 & 1))
		return -EINVAL;
	return 0;
}

static int req_prepare(struct uring_req *rq, const struct lx_sqe *sqe)
{
	rq->user_data = sqe->user_data;
	rq->opcode = sqe->opcode;
	rq->flags = sqe->flags;
	rq->fd = sqe->fd;
	rq->buf_index = sqe->buf_index;
	if (sqe->opcode >= LX_OP_COUNT) {
		rq->opcode = LX_OP_NOP;
		return -EINVAL;
	}
	const struct uring_op *op = &uring_ops[sqe->opcode];
	if (!(op->flags & URING_OP_KNOWN))
		return -EINVAL;
	int e = flags_check(rq->ring, op, sqe);
	if (!e && unlikely(uring_op_guard != NULL))
		e = uring_op_guard(sqe->opcode);
	if (e)
		return e;
	rq->op = op;
	return op->prep(rq, sqe);
}

/* ---- Chains ---- */

/* Start, or wait behind a drain. */
static void head_queue(struct uring *r, struct uring_req *rq)
{
	irq_flags_t f = uring_lock(r);
	bool wait = !list_empty(&r->deferred) || (rq->flags & LX_IOSQE_DRAIN && r->retired != rq->position);
	if (wait) {
		rq->state = URING_DEFERRED;
		list_append(&r->deferred, &rq->queue);
	}
	uring_unlock(r, f);
	if (!wait)
		uring_req_start(rq);
}

static void chain_end(struct uring *r, struct chain *c)
{
	struct uring_req *head = c->head;

	c->head = c->last = NULL;
	if (!head)
		return;
	if (c->failed) {
		/* One of it was refused: the whole chain is, however it hangs together. */
		for (struct uring_req *rq = head; rq; rq = rq->next)
			rq->flags &= ~(u32)LX_IOSQE_HARDLINK;
		if (!(head->flags & URING_F_INIT_FAIL))
			head->res = -ECANCELED;
		head->flags |= URING_F_INIT_FAIL;
	}
	c->failed = false;
	head_queue(r, head);
}

/* Put rq behind the chain that is being built, or begin one, or start it. */
static void chain_add(struct uring *r, struct chain *c, struct uring_req *rq)
{
	bool links = rq->flags & (LX_IOSQE_LINK | LX_IOSQE_HARDLINK);

	if (!c->head) {
		if (c->drain_next) {
			c->drain_next = false;
			rq->flags |= LX_IOSQE_DRAIN;
		}
		if (!links) {
			head_queue(r, rq);
			return;
		}
		c->head = c->last = rq;
		return;
	}
	if (rq->flags & LX_IOSQE_DRAIN) {
		c->head->flags |= LX_IOSQE_DRAIN;
		c->drain_next = true;
	}
	rq->state = URING_LINKED;
	c->last->next = rq;
	c->last = rq;
	if (!links)
		chain_end(r, c);
}

/* A link timeout needs something to watch, and one is enough. */
static int ltimeout_check(const struct chain *c, const struct uring_req *rq)
{
	if (rq->opcode != LX_OP_LINK_TIMEOUT)
		return 0;
	return c->head && c->last->opcode != LX_OP_LINK_TIMEOUT ? 0 : -EINVAL;
}

/* One submission; false: the call ends here (it was refused, and SUBMIT_ALL is not set). */
static bool submit_one(struct uring *r, struct chain *c, struct uring_req *rq, const struct lx_sqe *sqe)
{
	int e;

	irq_flags_t f = uring_lock(r);
	rq->position = r->submitted++;
	uring_unlock(r, f);
	e = req_prepare(rq, sqe);
	bool links = rq->flags & (LX_IOSQE_LINK | LX_IOSQE_HARDLINK);
	if (e == 0)
		e = ltimeout_check(c, rq);
	if (e) {
		rq->flags |= URING_F_INIT_FAIL | URING_F_FAIL;
		rq->res = e;
		c->failed = c->head || links;
	}
	chain_add(r, c, rq);
	return !e || links || r->flags & LX_SETUP_SUBMIT_ALL;
}

static long submit_locked(struct uring *r, u32 n)
{
	struct chain c = { 0 };
	u32 done = 0;
	long e = 0;

	while (done < n) {
		struct uring_req *rq = uring_req_new(r);
		struct lx_sqe sqe;
		if (!rq) {
			e = -EAGAIN;
			break;
		}
		if (sqe_fetch(r, &sqe) != 1) {
			uring_req_forget(rq);
			break;
		}
		done++;
		if (!submit_one(r, &c, rq, &sqe))
			break;
		sched_poll();
	}
	chain_end(r, &c);
	__atomic_store_n(&uring_shared(r)->sq_head, r->sq_head, __ATOMIC_RELEASE);
	return done ? (long)done : e;
}

long uring_submit(struct uring *r, u32 n)
{
	u32 have = __atomic_load_n(&uring_shared(r)->sq_tail, __ATOMIC_ACQUIRE) - READ_ONCE(r->sq_head);
	long done = 0;

	n = MIN(n, have);
	n = MIN(n, r->sq_entries);
	if (!n)
		return 0;
	/* Meanwhile nobody else needs to run what becomes ready. */
	uring_waiters_add(r, 1);
	mutex_lock(&r->submit_mtx);
	done = submit_locked(r, n);
	mutex_unlock(&r->submit_mtx);
	if (!uring_is_deferring(r))
		uring_run_ready(r);
	uring_waiters_add(r, -1);
	return done;
}

int uring_register_allowed(struct uring *r, unsigned op)
{
	if (!r->restricted || !r->restrict_to.registered || uring_is_disabled(r))
		return 0;
	return op < 64 && r->restrict_to.register_ops >> op & 1 ? 0 : -EACCES;
}
