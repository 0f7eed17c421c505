/*
 * usercopy.c - the one way to the program's memory, with a check of the address first.
 *
 * Invariant: no arch_*_user function is called with a range that reaches ARCH_USER_TOP or
 * wraps; one in the kernel's half is noted on the thread (THREAD_WORK_PROBE). Fault recovery is
 * arch's. May sleep; nothing else can fail.
 */
#include "vm/uaddr.h"
#include "arch/arch.h"
#include "base/errno.h"
#include "sched/thread.h"

static ALWAYS_INLINE bool user_range_ok(uintptr_t va, size_t len)
{
	return va <= ARCH_USER_TOP && len <= ARCH_USER_TOP - va;
}

bool uaddr_probes(uintptr_t va)
{
	return (intptr_t)va < -4095;
}

COLD NOINLINE int uaddr_refuse(uintptr_t va)
{
	if (uaddr_probes(va) && thread_current()->proc)
		thread_set_work(thread_current(), THREAD_WORK_PROBE);
	return -EFAULT;
}

int copy_from_user(void *dst, struct uaddr src, size_t len)
{
	if (unlikely(!user_range_ok(src.va, len)))
		return uaddr_refuse(src.va);
	return arch_copy_from_user(dst, src.va, len) ? -EFAULT : 0;
}

int copy_to_user(struct uaddr dst, const void *src, size_t len)
{
	if (unlikely(!user_range_ok(dst.va, len)))
		return uaddr_refuse(dst.va);
	return arch_copy_to_user(dst.va, src, len) ? -EFAULT : 0;
}

int user_get_u64(struct uaddr src, u64 *ret)
{
	if (unlikely(!user_range_ok(src.va, sizeof(*ret))))
		return uaddr_refuse(src.va);
	return arch_user_get_u64(src.va, ret) ? 0 : -EFAULT;
}

int user_put_u64(struct uaddr dst, u64 value)
{
	if (unlikely(!user_range_ok(dst.va, sizeof(value))))
		return uaddr_refuse(dst.va);
	return arch_user_put_u64(dst.va, value) ? 0 : -EFAULT;
}

int clear_user(struct uaddr dst, size_t len)
{
	if (unlikely(!user_range_ok(dst.va, len)))
		return uaddr_refuse(dst.va);
	return arch_clear_user(dst.va, len) ? -EFAULT : 0;
}

ssize_t copy_string_from_user(char *dst, struct uaddr src, size_t size)
{
	size_t max = size - 1;
	bool cut = false;

	if (unlikely(size == 0 || src.va >= ARCH_USER_TOP))
		return uaddr_refuse(src.va);
	if (max > ARCH_USER_TOP - src.va - 1) {
		max = ARCH_USER_TOP - src.va - 1;
		cut = true;
	}
	ssize_t n = arch_copy_string_from_user(dst, src.va, max);
	if (n < 0)
		return -EFAULT;
	if ((size_t)n < max)
		return n;
	/* max bytes without a NUL: exactly max long, or longer? */
	char last;
	if (arch_copy_from_user(&last, src.va + max, 1))
		return -EFAULT;
	if (last == 0) {
		dst[max] = 0;
		return n;
	}
	return cut ? -EFAULT : -ENAMETOOLONG;
}

int user_load_u32(struct uaddr a, u32 *ret_value)
{
	if (unlikely(!user_range_ok(a.va, 4)))
		return uaddr_refuse(a.va);
	if (unlikely((a.va & 3) || !arch_user_load_u32(a.va, ret_value)))
		return -EFAULT;
	return 0;
}

int user_cmpxchg_u32(struct uaddr a, u32 old, u32 new_value, u32 *ret_seen)
{
	if (unlikely(!user_range_ok(a.va, 4) || (a.va & 3) || !arch_user_cmpxchg_u32(a.va, old, new_value, ret_seen)))
		return -EFAULT;
	return 0;
}
