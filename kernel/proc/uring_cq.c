/*
 * uring_cq.c - completions: into the ring, or into the backlog when it is full; and waiting for them.
 *
 * Invariants:
 *  1. Completions reach the ring in the order in which they were posted: nothing goes past the backlog.
 *  2. The program's cq_head is read once for each decision. What it says can only make the kernel believe that there is
 *     room (the program overwrites its own completions) or that there is none.
 *  3. What does not fit into the backlog either is counted (cq_overflow) and told by -EBADR.
 *
 * Locks: uring_impl.h; wait queues and the eventfd are woken without ring->lock, in threads only.
 */
#include "proc/uring_impl.h"
#include "net/socket.h"
#include "proc/event_files.h"
#include "proc/signal.h"

static u32 cq_used(const struct uring *r, u32 head)
{
	u32 used = r->cq_tail - head;

	return used > r->cq_entries ? r->cq_entries : used;
}

u32 uring_cq_ready(struct uring *r)
{
	return READ_ONCE(r->cq_tail) - READ_ONCE(uring_shared(r)->cq_head);
}

/* L held. False: no room. */
static bool cq_put_locked(struct uring *r, const struct lx_cqe *cqe)
{
	struct lx_rings *s = uring_shared(r);

	if (cq_used(r, __atomic_load_n(&s->cq_head, __ATOMIC_ACQUIRE)) == r->cq_entries)
		return false;
	u32 at = r->cq_tail & (r->cq_entries - 1);
	u8 *slot = uring_ring_at(r, sizeof(*s) + ((size_t)at << r->cqe_shift));
	memcpy(slot, cqe, sizeof(*cqe));
	if (r->cqe_shift == 5)
		memset(slot + sizeof(*cqe), 0, sizeof(*cqe));
	WRITE_ONCE(r->cq_tail, r->cq_tail + 1);
	__atomic_store_n(&s->cq_tail, r->cq_tail, __ATOMIC_RELEASE);
	return true;
}

static void sq_flag_locked(struct uring *r, u32 bit, bool on)
{
	u32 *flags = &uring_shared(r)->sq_flags;

	if (on)
		__atomic_fetch_or(flags, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(flags, ~bit, __ATOMIC_SEQ_CST);
}

/* The ring is full: into the backlog with the caller's node, which is used up (or NULL: dropped and counted). */
static void overflow_put_locked(struct uring *r, const struct lx_cqe *cqe, struct uring_overflow **node)
{
	if (!*node || r->noverflow >= URING_OVERFLOW_MAX) {
		WRITE_ONCE(uring_shared(r)->cq_overflow, ++r->cq_lost);
		r->lost_untold = true;
		return;
	}
	(*node)->cqe = *cqe;
	list_append(&r->overflow, &(*node)->link);
	*node = NULL;
	if (!r->noverflow++)
		sq_flag_locked(r, LX_SQ_CQ_OVERFLOW, true);
}

/* Tell everybody who waits for completions. A thread's context, no lock held. */
static void cq_tell(struct uring *r)
{
	struct file *e = NULL;

	irq_flags_t f = uring_lock(r);
	bool kick = !list_empty(&r->counting) && uring_timeouts_count_locked(r);
	if (r->eventfd && !(READ_ONCE(uring_shared(r)->cq_flags) & LX_CQ_EVENTFD_DISABLED) &&
	    (!r->eventfd_async || !thread_current()->proc)) {
		e = r->eventfd;
		file_get(e);
	}
	uring_unlock(r, f);
	waitq_wake_all(&r->enter_waitq);
	waitq_wake(&r->poll_waitq, POLL_IN | POLL_RDNORM, ~0u);
	if (e) {
		eventfd_signal(e, 1);
		file_put(e);
	}
	if (kick)
		uring_kick(r);
}

void uring_post(struct uring *r, u64 user_data, s32 res, u32 cflags)
{
	const struct lx_cqe cqe = { user_data, res, cflags };
	struct uring_overflow *node = NULL;

	irq_flags_t f = uring_lock(r);
	bool done = list_empty(&r->overflow) && cq_put_locked(r, &cqe);
	if (!done) {
		uring_unlock(r, f);
		node = heap_alloc(sizeof(*node));
		f = uring_lock(r);
		if (!list_empty(&r->overflow) || !cq_put_locked(r, &cqe))
			overflow_put_locked(r, &cqe, &node);
	}
	uring_unlock(r, f);
	heap_free(node);
	cq_tell(r);
}

bool uring_post_if_room(struct uring *r, u64 user_data, s32 res, u32 cflags)
{
	const struct lx_cqe cqe = { user_data, res, cflags };
	irq_flags_t f = uring_lock(r);
	bool done = list_empty(&r->overflow) && cq_put_locked(r, &cqe);

	uring_unlock(r, f);
	if (done)
		cq_tell(r);
	return done;
}

int uring_post_foreign(struct uring *r, u64 user_data, s32 res, u32 cflags)
{
	uring_post(r, user_data, res, cflags);
	return 0;
}

void uring_overflow_flush(struct uring *r)
{
	struct list done = LIST_INIT(done);
	struct list *l;

	if (READ_ONCE(r->overflow.next) == &r->overflow)
		return;
	irq_flags_t f = uring_lock(r);
	while ((l = list_first(&r->overflow)) && cq_put_locked(r, &list_entry(l, struct uring_overflow, link)->cqe)) {
		list_remove(l);
		list_append(&done, l);
		if (!--r->noverflow)
			sq_flag_locked(r, LX_SQ_CQ_OVERFLOW, false);
	}
	uring_unlock(r, f);
	while ((l = list_pop(&done)))
		heap_free(list_entry(l, struct uring_overflow, link));
}

void uring_overflow_free(struct uring *r)
{
	struct list *l;

	while ((l = list_pop(&r->overflow)))
		heap_free(list_entry(l, struct uring_overflow, link));
}

/* ---- Waiting ---- */

/* Completions were lost for want of memory: once. */
static bool lost_take(struct uring *r)
{
	if (likely(!READ_ONCE(r->lost_untold)))
		return false;
	irq_flags_t f = uring_lock(r);
	bool lost = r->lost_untold && list_empty(&r->overflow);
	r->lost_untold &= !lost;
	uring_unlock(r, f);
	return lost;
}

/* As many as asked for, or a timeout since: that ends every wait. */
static bool wait_met(struct uring *r, u32 min, u32 timeouts)
{
	return uring_cq_ready(r) >= min || __atomic_load_n(&r->timeouts_posted, __ATOMIC_RELAXED) != timeouts;
}

static bool wait_over(struct uring *r, u32 min, u32 timeouts)
{
	return wait_met(r, min, timeouts) || READ_ONCE(r->ready.next) != &r->ready;
}

void uring_waiters_add(struct uring *r, int n)
{
	irq_flags_t f = uring_lock(r);

	r->waiters += (u32)n;
	bool left = !r->waiters && !list_empty(&r->ready);
	uring_unlock(r, f);
	if (left)
		uring_kick(r);
}

int uring_wait(struct uring *r, u32 min, u64 deadline_ns)
{
	u32 timeouts = __atomic_load_n(&r->timeouts_posted, __ATOMIC_RELAXED);
	int e = 0;

	min = MIN(min, r->cq_entries);
	uring_waiters_add(r, 1);
	for (;;) {
		uring_run_ready(r);
		uring_overflow_flush(r);
		if (wait_met(r, min, timeouts))
			break;
		if (lost_take(r)) {
			e = -EBADR;
			break;
		}
		if (e)
			break;
		net_drain();
		e = WAIT_EVENT_INTR(&r->enter_waitq, wait_over(r, min, timeouts), deadline_ns);
	}
	uring_waiters_add(r, -1);
	if (!e || e == -EBADR)
		return e;
	if (uring_cq_ready(r))
		return 0;
	return e == -ETIMEDOUT ? -ETIME : -EINTR;
}
