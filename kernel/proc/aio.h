/*
 * aio.h - Linux AIO contexts (io_setup and its family): a ring of events in memory that the program maps and libaio
 * reads without a call, and requests that complete into it.
 *
 * Reads, writes and syncs are done by the caller before it posts their event, as Linux does for buffered files; only polls
 * are under way after io_submit. At most AIO_MAX_EVENTS events are set up in the machine. All calls may sleep.
 */
#ifndef PROC_AIO_H
#define PROC_AIO_H

#include "proc/file.h"

#define AIO_MAX_EVENTS 65536u        /* Linux's aio-max-nr */

struct lx_io_event {
	u64 data, obj;
	s64 res, res2;
};
_Static_assert(sizeof(struct lx_io_event) == 32, "io_event");

struct aio_ctx;
struct aio_req;

/* A context for nr requests, mapped for the program: its address goes to *ret_id. -EINVAL, -EAGAIN, -ENOMEM. */
int aio_create(u32 nr, u64 *ret_id);
/* With a reference; NULL: no such context. */
struct aio_ctx *aio_lookup(u64 id);
void aio_put(struct aio_ctx *c);
/* Polls are cancelled and waited for, the mapping goes. -EINVAL if another call was faster. */
int aio_destroy(struct aio_ctx *c);

/* A place for one request's event: NULL if there is none (-EAGAIN). */
struct aio_req *aio_req_new(struct aio_ctx *c);
void aio_req_drop(struct aio_req *q);
/* What its event will say, and the eventfd (a reference, or NULL) that it signals. */
void aio_req_set(struct aio_req *q, u64 data, u64 obj, struct file *eventfd);
void aio_complete(struct aio_req *q, s64 res);
/* Wait for events on f (a reference moves) and complete with them. 0, or an errno: q and f are still the caller's. */
int aio_poll(struct aio_req *q, struct file *f, u32 events);
/* The poll under way for obj: 0 (it will complete), -EINVAL. */
int aio_cancel(struct aio_ctx *c, u64 obj);

/* Take up to max events into u, waiting for min of them until the deadline (0: does not wait). How many; -EFAULT, -EINTR. */
long aio_events(struct aio_ctx *c, long min, long max, struct uio *u, u64 deadline_ns);

#endif
