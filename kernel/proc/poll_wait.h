/*
 * poll_wait.h - waiting on many files at once (poll, select): one wait queue that all of their
 * queues wake. On the caller's stack; entries beyond the first few come from the heap.
 */
#ifndef PROC_POLL_WAIT_H
#define PROC_POLL_WAIT_H

#include "sched/waitq.h"

#define POLL_WAIT_INLINE 12u

struct poll_wait;

struct poll_wait_entry {
	struct waitq_entry entry;
	struct poll_wait *pw;
};

struct poll_wait_chunk {
	struct poll_wait_chunk *next;
	unsigned used;
	struct poll_wait_entry entries[30];
};

struct poll_wait {
	struct poll_table table;     /* give this to file_poll */
	struct waitq q;
	bool triggered;              /* something was woken since the last look; atomic */
	bool failed;                 /* out of memory while registering: -ENOMEM */
	u32 key;                     /* events that the file asked next is watched for; 0 = all */
	unsigned used;
	struct poll_wait_entry entries[POLL_WAIT_INLINE];
	struct poll_wait_chunk *more;
};

void poll_wait_init(struct poll_wait *pw);
/* Sleep until a registered queue was woken or the deadline is over. 0, -ETIMEDOUT, -ERESTARTSYS. Clears triggered. */
int poll_wait_sleep(struct poll_wait *pw, u64 deadline_ns);
/* Take all entries off their queues. */
void poll_wait_end(struct poll_wait *pw);

#endif
