/*
 * uring_impl.h - the inside of rings, for uring*.c only.
 *
 * Locks, outermost first: ring->submit_mtx (one submits; registered tables change) > file and memory locks of what is
 * issued > ring->lock (irq-safe spinlock: requests' states and lists, completions). ring->lock is taken from wake-ups of
 * foreign wait queues and from timers, so nothing is woken with it held.
 */
#ifndef PROC_URING_IMPL_H
#define PROC_URING_IMPL_H

#include "proc/uring.h"
#include "proc/workers.h"
#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"
#include "sched/thread.h"

struct uring_overflow {              /* a completion that found no room */
	struct list link;
	struct lx_cqe cqe;
};
#define URING_OVERFLOW_MAX 65536u    /* of a ring; more are dropped and counted */

struct uring_group;

struct uring {
	u32 refs;                    /* atomic: the file, each request, the SQ thread */
	u32 flags;                   /* LX_SETUP_*; R_DISABLED is cleared by enable */
	struct mutex submit_mtx;
	struct spinlock lock;        /* L */

	/* The shared memory; geometry is constant. */
	struct vm_object *rings_object, *sqes_object;
	struct page **ring_pages, **sqe_pages;  /* referenced */
	u32 nring_pages, nsqe_pages;
	u32 sq_entries, cq_entries;
	u32 sqe_shift, cqe_shift;    /* log2 of their sizes */
	u32 sq_array_off;

	u32 sq_head;                 /* M: submit_mtx; ours: what is in the ring is only told */
	u32 sq_dropped;              /* M */
	u32 cq_tail;                 /* L */
	u32 cq_lost;                 /* L: cq_overflow of the ring */
	bool lost_untold;            /* L: enter owes an -EBADR */
	struct list overflow;        /* L */
	u32 noverflow;               /* L */

	struct list reqs;            /* L: all requests */
	struct list ready;           /* L: to be run */
	struct list deferred;        /* L: after a drain, in order of submission */
	u64 submitted;               /* M: requests so far; written with L too */
	u64 retired;                 /* L: of them, done */
	u32 timeouts_posted;         /* atomic: completions of timeouts: they do not count for those that count */
	struct list counting;        /* L: timeouts that wait for completions, by queue */

	struct waitq enter_waitq;    /* threads in enter and the SQ thread; no callbacks hang here */
	struct waitq poll_waitq;     /* those that poll the ring's file; woken by threads only */
	u32 waiters;                 /* L: in enter */
	struct job ready_job;        /* runs what is ready when nobody waits in enter */
	bool ready_queued;           /* L: ready_job is in the pool */
	bool dying;                  /* L: the file is gone */
	struct thread *owner;        /* SINGLE_ISSUER: compared only */

	struct thread *sq_thread;
	u64 sq_idle_ns;
	bool sq_kicked;              /* atomic: the SQ thread shall look */

	struct file *eventfd;        /* L */
	bool eventfd_async;          /* L */

	struct file **files;         /* L (entries too); M held to change the table */
	u32 nfiles, files_hint, alloc_first, alloc_end;
	struct uring_buf *bufs;      /* L */
	u32 nbufs;
	u64 locked_pages;            /* M: charged for bufs */
	u64 *personalities;          /* M: a bit each, 65,536 */
	u32 personality_next;
	struct uring_restrictions restrict_to;
	bool restricted;
	u32 workers[2];
	struct uring_group **groups; /* L: hash by group number, made at first use */
};

static inline void *uring_ring_at(const struct uring *r, size_t off)
{
	return (u8 *)page_to_virt(r->ring_pages[off >> PAGE_SHIFT]) + (off & (PAGE_SIZE - 1));
}
static inline struct lx_rings *uring_shared(const struct uring *r) { return uring_ring_at(r, 0); }

static inline irq_flags_t uring_lock(struct uring *r) { return spin_lock_irqsave(&r->lock); }
static inline void uring_unlock(struct uring *r, irq_flags_t f) { spin_unlock_irqrestore(&r->lock, f); }

static inline void uring_get(struct uring *r) { __atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED); }
void uring_put(struct uring *r);

/* Only the owner's own calls run what is ready. */
static inline bool uring_is_deferring(const struct uring *r) { return r->flags & LX_SETUP_DEFER_TASKRUN; }

/* ---- uring_req.c ---- */
/* -EAGAIN when there are too many or memory is short. */
struct uring_req *uring_req_new(struct uring *r) MUST_CHECK;
/* The first step of a request that nothing holds back. */
void uring_req_start(struct uring_req *rq);
/* The common way: find the file, issue, wait or hand over. For rq->run. */
void uring_req_run(struct uring_req *rq);
/* Done: completion, links, drained ones; rq is freed. Its timer and waits are off. */
void uring_req_complete(struct uring_req *rq, long res);
/* Make it ready if it waits. L held; true: uring_kick is due. Any context. */
bool uring_req_ready_locked(struct uring_req *rq, enum uring_state from);
/* Someone should run what is ready. Any context, no lock held but foreign wait queues'. */
void uring_kick(struct uring *r);
/* Run all that is ready; how many. */
unsigned uring_run_ready(struct uring *r);
/* One pass of the pool for the ring. */
void uring_ready_job(struct job *j);
/* File of the request, referenced in rq->file. -EBADF. */
int uring_req_file(struct uring_req *rq);

/* One that was never submitted. */
void uring_req_forget(struct uring_req *rq);

/* ---- uring_cq.c ---- */
/* n more threads that will run what is ready before they leave. */
void uring_waiters_add(struct uring *r, int n);
/* A completion. */
void uring_post(struct uring *r, u64 user_data, s32 res, u32 cflags);
/* False instead of the backlog if the ring is full. */
bool uring_post_if_room(struct uring *r, u64 user_data, s32 res, u32 cflags);
u32 uring_cq_ready(struct uring *r);
/* Move the backlog into the ring as far as there is room. */
void uring_overflow_flush(struct uring *r);
void uring_overflow_free(struct uring *r);

/* ---- uring_poll.c ---- */
enum uring_arm { URING_ARM_WAITING, URING_ARM_NOW, URING_ARM_NO };
/* Wait on rq->file for rq->events. WAITING: rq may be gone already. NOW: try again. NO: it cannot be waited for. */
enum uring_arm uring_poll_arm(struct uring_req *rq);
void uring_poll_disarm(struct uring_req *rq);
static inline bool uring_can_poll(const struct file *f) { return f->ops->poll != NULL; }

/* ---- uring_timeout.c ---- */
/* rq has been issued and goes on: start its link timeout. */
void uring_ltimeout_start(struct uring_req *lt);
/* rq is done: its link timeout goes with -ECANCELED. */
void uring_ltimeout_drop(struct uring_req *rq);
/* After completions were posted: those that counted them. L held; true: uring_kick is due. */
bool uring_timeouts_count_locked(struct uring *r);
/* What is to run when a timeout's time has come. */
void uring_timeout_run(struct uring_req *rq);

/* ---- uring_cancel.c ---- */
/* L held. 0 (it will complete with -ECANCELED), -EALREADY, -ENOENT (not to be cancelled). *kick: uring_kick is due. */
int uring_req_cancel_locked(struct uring_req *rq, bool *kick);
void uring_cancel_all(struct uring *r);

/* ---- uring_sq.c ---- */
int uring_sq_thread_start(struct uring *r, u32 idle_ms, s32 cpu);

/* ---- uring_reg.c, uring_group.c ---- */
void uring_registered_free(struct uring *r);
void uring_groups_free(struct uring *r);

#endif
