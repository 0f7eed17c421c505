/*
 * uring.h - io_uring: rings shared with the program, requests, and who runs them.
 *
 * A ring (struct uring) is two arrays in memory that the program maps: submissions it writes, completions it reads.
 * A submission becomes a request (struct uring_req). What an opcode means is linux/'s: it gives a table of
 * struct uring_op; here is the life of a request, whatever it does:
 *
 *   submitted -> issued -> done                             it could be done at once
 *                       -> armed: waits for its file (poll) or for time -> ready -> issued again
 *                       -> queued for a worker thread -> issued there, where it may sleep
 *
 * A ready request is run by a thread that waits in io_uring_enter, if there is one, else by a thread of the pool.
 *
 * Ring memory is the program's to scribble on: every index is read once and masked or checked, nothing the program
 * writes there is believed later. What it can make the kernel hold is bounded: URING_REQS_MAX requests in flight and
 * URING_PAGES_MAX pages of rings in the machine.
 *
 * All calls may sleep unless said otherwise.
 */
#ifndef PROC_URING_H
#define PROC_URING_H

#include "proc/file.h"
#include "proc/lx_uring.h"
#include "proc/workers.h"
#include "sched/timer.h"

#define URING_REQS_MAX  131072u      /* in the machine */
#define URING_PAGES_MAX 65536u       /* 256 MiB, and never more than an eighth of the memory */
#define URING_FILES_MAX 32768u       /* registered files of a ring */
#define URING_BUFS_MAX  16384u       /* registered buffers of a ring */
#define URING_DATA_MAX  208u

struct task;
struct uring;
struct uring_req;

/* What issue returns when the request is not done but has been armed, or will be completed later by other means. */
#define URING_PENDING ((long)0x7fffffff00000000)

enum {                               /* how a request may be issued */
	URING_NOWAIT = 1,            /* -EAGAIN rather than sleep */
};

enum {                               /* struct uring_op.flags */
	URING_OP_FILE      = 1u << 0, /* sqe->fd is a file */
	URING_OP_WORKER    = 1u << 1, /* sleeps without a way to poll: always by a worker */
	URING_OP_POLL_IN   = 1u << 2, /* after -EAGAIN: wait until the file is readable */
	URING_OP_POLL_OUT  = 1u << 3,
	URING_OP_SELECT    = 1u << 4, /* IOSQE_BUFFER_SELECT is allowed */
	URING_OP_IOPRIO    = 1u << 5, /* sqe->ioprio is used */
	URING_OP_KNOWN     = 1u << 6, /* prep and issue exist: what a probe says */
	URING_OP_NOT_IOPOLL = 1u << 7, /* refused on rings with IOPOLL */
};

/* Who is asked before an operation is prepared; NULL: nobody. 0, or the result of the request. */
extern int (*uring_op_guard)(u8 opcode);

struct uring_op {
	u32 flags;
	/* Check the submission and take what is needed from it and from the program's memory. 0 or errno. rq->ring is locked for submission. */
	int (*prep)(struct uring_req *rq, const struct lx_sqe *sqe);
	/* Do it: the result, -EAGAIN (only with URING_NOWAIT), or URING_PENDING. */
	long (*issue)(struct uring_req *rq, unsigned how);
	/* Give back what prep and issue took (rq->mem is freed by itself); NULL: nothing. */
	void (*cleanup)(struct uring_req *rq);
};

enum uring_state { URING_NEW, URING_DEFERRED, URING_LINKED, URING_RUNNING, URING_ARMING, URING_ARMED, URING_READY, URING_QUEUED, URING_WORKING, URING_DONE };

enum {                               /* uring_req.flags: the submission's IOSQE_ bits, and */
	URING_F_FAIL       = 1u << 8,  /* what it linked to must not run */
	URING_F_NOWAIT     = 1u << 9,  /* -EAGAIN is its result */
	URING_F_MULTISHOT  = 1u << 12,
	URING_F_BUFFER     = 1u << 13, /* buf_id was taken from its group */
	URING_F_INIT_FAIL  = 1u << 14, /* refused at submission; rq->res says why */
	URING_F_ETIME_OK   = 1u << 15, /* -ETIME is no failure */
};

struct uring_wait {
	struct waitq_entry entry;
	struct uring_req *rq;
};

struct uring_req {
	struct uring *ring;          /* a reference */
	const struct uring_op *op;
	u64 user_data;
	u8 opcode;
	u32 flags;
	s32 fd;                      /* as submitted: cancelling by descriptor compares it */
	struct file *file;           /* a reference once it has been looked up */
	enum uring_state state;      /* L: ring->lock */
	bool fired, cancelled;       /* L */
	u16 buf_index, buf_id;       /* registered buffer or group; the one that was taken */
	u16 tries;
	struct list link;            /* L: ring->reqs */
	struct list queue;           /* L: ring->ready, ring->deferred, or ring->counting */
	struct job job;              /* for the workers */
	struct uring_req *next;      /* linked after this one */
	struct uring_req *ltimeout;  /* L: the link timeout that watches this one; for that one: what it watches */
	u64 position;                /* how many requests came before it */
	void (*run)(struct uring_req *rq);  /* what to do when it is ready */
	struct thread *worker;       /* L: who sleeps for it */
	u32 events;                  /* waited for */
	unsigned nwaits;
	bool wait_failed;
	struct uring_wait waits[2];
	struct timer timer;
	long res;
	u32 cflags;
	void *mem;                   /* heap memory of the operation */
	u64 data[URING_DATA_MAX / 8]; /* the operation's own */
};

/* The table of LX_OP_COUNT operations: linux/ defines it. */
extern const struct uring_op *const uring_ops;

/* ---- Rings (uring.c) ---- */

struct uring_config {
	u32 sq_entries, cq_entries;  /* powers of two, checked by the caller */
	u32 flags;                   /* LX_SETUP_* */
	u32 idle_ms;                 /* SQPOLL: how long it looks before it sleeps */
	s32 cpu;                     /* SQPOLL with SQ_AFF; -1: any */
};
/* A new ring as a file. -ENOMEM. */
int uring_create(const struct uring_config *c, struct file **ret) MUST_CHECK;
/* The ring behind f, or NULL. */
struct uring *file_uring(const struct file *f);
/* Fill the offsets of both rings. */
void uring_offsets(const struct uring *r, struct lx_uring_params *p);
u32 uring_flags(const struct uring *r);
/* 0; -EBADFD while it is disabled, -EEXIST when another task owns it. */
int uring_may_submit(struct uring *r);
int uring_enable(struct uring *r);   /* -EBADFD if it was enabled */
bool uring_is_disabled(const struct uring *r);
/* One registers at a time; registration changes tables that submissions use. */
void uring_register_begin(struct uring *r);
void uring_register_end(struct uring *r);

/* Rings that a task has registered for itself: places 0..URING_TASK_RINGS-1. */
#define URING_TASK_RINGS 16u
/* Put a ring into place index, or a free one (-1): the place; -EBUSY, -EINVAL, -ENOMEM. f's reference moves on success. */
int uring_task_ring_add(struct file *f, s32 index);
void uring_task_ring_remove(u32 index);
/* Referenced; NULL: -EBADF; ERR_PTR(-EINVAL). */
struct file *uring_registered_ring(int index);
/* A task leaves: its registered rings go. */
void uring_task_leave(struct task *t);

/* ---- Submitting and waiting (uring_submit.c, uring_cq.c) ---- */

/* Take up to n submissions: how many, or an errno if none. */
long uring_submit(struct uring *r, u32 n);
/* Wait for min completions that the program has not taken. 0, -EINTR, -ETIME, -EBADR (some were lost). */
int uring_wait(struct uring *r, u32 min, u64 deadline_ns);
/* With SQPOLL: wake the thread; wait until there is room for submissions. */
void uring_sq_wake(struct uring *r);
int uring_sq_wait(struct uring *r);
/* Refused at submission, when restrictions say so: 0 or -EACCES. */
int uring_register_allowed(struct uring *r, unsigned op);

/* ---- For operations ---- */

/* One more completion of a request that goes on. False: it could not be told, the request must end. */
bool uring_post_more(struct uring_req *rq, long res, u32 cflags);
/* A completion in another ring (MSG_RING): 0 or -EOVERFLOW. */
int uring_post_foreign(struct uring *r, u64 user_data, s32 res, u32 cflags);
/* uring_poll.c */
int uring_poll_prep(struct uring_req *rq, u32 events, bool multishot);
long uring_poll_issue(struct uring_req *rq, unsigned how);
struct uring_poll_update {
	u64 user_data, new_user_data;
	u32 events;
	bool set_events, set_user_data, multishot;
};
long uring_poll_update(struct uring *r, const struct uring_poll_update *u);
/* uring_timeout.c: deadlines are on the monotonic clock. For prep and issue of TIMEOUT and LINK_TIMEOUT. */
int uring_timeout_set(struct uring_req *rq, u64 deadline_ns, u32 count, bool etime_ok);
long uring_timeout_begin(struct uring_req *rq);
int uring_timeout_remove(struct uring *r, u64 user_data);
int uring_timeout_update(struct uring *r, u64 user_data, u64 deadline_ns, bool linked);
/* uring_cancel.c */
struct uring_match {
	u64 user_data;
	struct file *file;           /* with LX_CANCEL_FD */
	u32 flags;                   /* LX_CANCEL_* */
};
/* How many were cancelled (with ALL or ANY), or 0; -ENOENT, -EALREADY. */
long uring_cancel(struct uring *r, const struct uring_match *m, const struct uring_req *self);

/* ---- Registered things (uring_reg.c) ---- */

int uring_files_register(struct uring *r, const s32 *fds, u32 n);  /* fds NULL: n empty places */
int uring_files_unregister(struct uring *r);
/* Put fds[0..n) from off on (-1 empties, -2 skips): how many were done, or an errno. */
long uring_files_update(struct uring *r, u32 off, const s32 *fds, u32 n);
/* Put f (its reference moves on success) into place index, or the lowest free one if index is ~0: the place, -ENFILE, -EINVAL, -ENXIO. */
long uring_file_place(struct uring *r, struct file *f, u32 index);
int uring_file_remove(struct uring *r, u32 index);
int uring_file_alloc_range(struct uring *r, u32 off, u32 len);
struct file *uring_file_get(struct uring *r, u32 index);

struct uring_buf {
	u64 base, len;               /* the program's, opaque */
};
/* bufs is the heap's and becomes the ring's. -EBUSY. pages: what RLIMIT_MEMLOCK is charged. */
int uring_bufs_register(struct uring *r, struct uring_buf *bufs, u32 n);
int uring_bufs_unregister(struct uring *r);
int uring_buf_set(struct uring *r, u32 index, const struct uring_buf *b);
/* The registered buffer index, -EFAULT if there is none. */
int uring_buf_get(struct uring *r, u32 index, struct uring_buf *ret);

int uring_eventfd_register(struct uring *r, int fd, bool async_only);
int uring_eventfd_unregister(struct uring *r);
int uring_personality_add(struct uring *r);
int uring_personality_remove(struct uring *r, u32 id);
struct uring_restrictions {
	bool registered;
	u64 register_ops, sqe_ops;
	u32 flags_allowed, flags_required;
};
int uring_restrict(struct uring *r, const struct uring_restrictions *x);
void uring_max_workers(struct uring *r, u32 *bounded, u32 *unbounded);

/* Groups of buffers that requests choose from (uring_group.c). */
struct uring_picked {
	u64 base;
	u32 len;
	u16 id;
	u16 at;                      /* its place in the program's ring */
};
int uring_group_provide(struct uring *r, u16 group, u64 base, u32 len, u32 n, u16 first_id);
int uring_group_remove(struct uring *r, u16 group, u32 n);
/* Buffers that the program keeps in a ring of its own memory. -EEXIST, -ENOMEM; -EINVAL. */
int uring_group_ring(struct uring *r, u16 group, u64 ring_addr, u32 entries);
int uring_group_ring_remove(struct uring *r, u16 group);
/* Take a buffer for rq: -ENOBUFS. Marks rq. fetch reads an entry of a ring in the program's memory. */
int uring_group_pick(struct uring_req *rq, struct uring_picked *ret);
/* rq did not use it (it goes on waiting): the next one gets it. If that cannot be, rq stays marked and keeps it. */
void uring_group_return(struct uring_req *rq, const struct uring_picked *p);
struct uring_group_ops {
	/* Entry `at` of the ring at addr, if the tail there is not `at`. 0, -ENOBUFS, -EFAULT. */
	int (*fetch)(u64 addr, u32 mask, u16 at, struct uring_picked *ret);
};
extern const struct uring_group_ops *const uring_group_ops;   /* linux/ defines it */

#endif
