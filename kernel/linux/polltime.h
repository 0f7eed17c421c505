/*
 * polltime.h - timeouts of the calls that wait on files, as absolute monotonic deadlines.
 * 0 = do not wait, WAIT_FOREVER = no limit.
 */
#ifndef LINUX_POLLTIME_H
#define LINUX_POLLTIME_H

#include "linux/syscall.h"
#include "proc/signal.h"

struct lx_ts {
	s64 sec, nsec;
};

u64 deadline_after_ns(u64 ns);       /* saturates */
/* negative = for ever */
static inline u64 deadline_after_ms(int ms)
{
	return ms < 0 ? WAIT_FOREVER : ms ? deadline_after_ns((u64)ms * NSEC_PER_MSEC) : 0;
}
/* From a timespec of the program, NULL = for ever. -EFAULT, -EINVAL. */
int deadline_from_ts(struct uaddr ts, u64 *ret);
u64 deadline_left_ns(u64 deadline_ns);
/* Take the p*-calls' signal mask, NULL = none. *ret_pushed says that signal_pop_mask is due. -EINVAL, -EFAULT. */
int mask_push(struct uaddr mask, size_t size, bool *ret_pushed);

#endif
