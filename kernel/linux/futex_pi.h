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
/* The owner died: hand the lock on with LX_FUTEX_OWNER_DIED, or leave that mark. */
int futex_pi_owner_died(struct uaddr a, int tid);

/* A task is gone: PI locks that others wait for and that still name it are handed on the same way, robust or not. */
void futex_pi_task_left(int tid);

#endif
