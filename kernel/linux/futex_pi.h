/*
 * futex_pi.h - locks whose word names the owner: FUTEX_LOCK_PI and its kin. There are no priorities, so what
 * is left is the hand-over: the kernel gives the lock to the oldest waiter, and the word says so.
 */
#ifndef LINUX_FUTEX_PI_H
#define LINUX_FUTEX_PI_H

#include "vm/uaddr.h"

/* 0; -EDEADLK (ours already), -EAGAIN (try: taken), -ESRCH (the owner is gone), -ETIMEDOUT, restart codes, -EFAULT. */
long futex_lock_pi(struct uaddr a, bool shared, u64 deadline_ns, bool try_only);
/* 0; -EPERM: not ours. */
long futex_unlock_pi(struct uaddr a, bool shared);
/*
 * FUTEX_WAIT_REQUEUE_PI: wait on cond while it holds val, then for the lock at a. 0: ours; -EAGAIN (changed, or a signal after it
 * was requeued), -ETIMEDOUT, -EINVAL, -EFAULT, -ERESTARTNOINTR.
 */
long futex_wait_requeue_pi(struct uaddr cond, u32 val, struct uaddr a, bool shared, u64 deadline_ns);
/* FUTEX_CMP_REQUEUE_PI: the oldest waiter of cond gets the lock at a, or waits for it, and nmove others too. How many; -EAGAIN: cond is not cmp. */
long futex_cmp_requeue_pi(struct uaddr cond, struct uaddr a, bool shared, u32 nmove, u32 cmp);
/* Does anybody wait on this key in the way of WAIT_REQUEUE_PI? Other wakes of it are EINVAL. */
bool futex_cond_is_pi(const u64 key[2]);
/* The owner died: hand the lock on with LX_FUTEX_OWNER_DIED, or leave that mark. */
int futex_pi_owner_died(struct uaddr a, int tid);

/* A task is gone: PI locks that others wait for and that still name it are handed on the same way, robust or not. */
void futex_pi_task_left(int tid);

#endif
