/* polltime.c - timeouts and signal masks of poll, select and epoll. Nothing is kept. */
#include "linux/polltime.h"

u64 deadline_after_ns(u64 ns)
{
	u64 deadline;

	if (!ns)
		return 0;
	return __builtin_add_overflow(arch_clock_mono_ns(), ns, &deadline) ? WAIT_FOREVER : deadline;
}

int deadline_from_ts(struct uaddr uts, u64 *ret)
{
	struct lx_ts ts;
	u64 ns;

	*ret = WAIT_FOREVER;
	if (uaddr_is_null(uts))
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)) < 0)
		return -EFAULT;
	if (ts.sec < 0 || (u64)ts.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (!__builtin_mul_overflow((u64)ts.sec, NSEC_PER_SEC, &ns) && !__builtin_add_overflow(ns, (u64)ts.nsec, &ns))
		*ret = deadline_after_ns(ns);
	return 0;
}

u64 deadline_left_ns(u64 deadline_ns)
{
	u64 now = arch_clock_mono_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

int mask_push(struct uaddr umask, size_t size, bool *ret_pushed)
{
	sigset mask;

	*ret_pushed = false;
	if (uaddr_is_null(umask))
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)) < 0)
		return -EFAULT;
	signal_push_mask(mask & ~SIGSET_UNBLOCKABLE);
	*ret_pushed = true;
	return 0;
}
