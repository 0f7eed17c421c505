/*
 * workers.h - kernel threads that do for others what must not be done where it was asked for.
 *
 * Two pools. The quick one runs jobs that do not wait for the outside (retries of io_uring requests, completions of
 * AIO polls): a few threads. The patient one runs jobs that may sleep for as long as a peer likes (splice, a read of a
 * file that is not in memory): up to WORKERS_PATIENT threads; more jobs wait their turn. Threads are made when they are
 * needed and leave when they had nothing to do for some seconds; the quick pool keeps one, so that a job can be given
 * from any context. Workers use the program's memory and descriptors as its own threads do.
 */
#ifndef PROC_WORKERS_H
#define PROC_WORKERS_H

#include "base/list.h"
#include "sched/thread.h"

#define WORKERS_QUICK   4u
#define WORKERS_PATIENT 32u

struct job {
	struct list link;
	void (*run)(struct job *j);  /* j may be gone after it */
};

static inline void job_init(struct job *j, void (*run)(struct job *j))
{
	list_init(&j->link);
	j->run = run;
}
/* Before the first job: make the thread that stays. -ENOMEM. May sleep. */
int workers_start(void) MUST_CHECK;
/* Any context. j is in nobody's hands. */
void workers_quick(struct job *j);
/* -ENOMEM if there is no thread for it at all. May sleep. */
int workers_patient(struct job *j) MUST_CHECK;
/* Take it back before it has begun: true if so. */
bool workers_take_back(struct job *j);

#endif
