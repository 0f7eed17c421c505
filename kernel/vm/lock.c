/*
 * lock.c - mlock and its family: areas whose pages are all there and stay there.
 *
 * A locked area carries VM_MAP_LOCKED: its pages are faulted in when it is made or locked, reclaim leaves them
 * alone (object_map.c), and madvise does not drop them. RLIMIT_MEMLOCK is checked against vm_as.locked_pages.
 * Lock: the address space lock for writing; faulting in is done after it is released. What can fail: holes and
 * memory (-ENOMEM), the limit, a page that cannot be read (-EAGAIN).
 */
#include "vm/vm_impl.h"

/* Set or clear VM_MAP_LOCKED on [start, end), splitting as needed. -ENOMEM for holes or memory. */
static int lock_areas_locked(uintptr_t start, uintptr_t end, bool lock, struct list *dead)
{
	uintptr_t at = start;

	while (at < end) {
		struct vm_area *a = area_find(at);
		if (!a || a->start > at)
			return -ENOMEM;
		uintptr_t to = MIN(a->end, end);
		if (!(a->flags & VM_MAP_LOCKED) == lock && !(a->flags & VM_AREA_RAW)) {
			struct vm_area *upper = NULL;
			if (at > a->start) {
				if (!(upper = area_alloc()))
					return -ENOMEM;
				area_split_locked(a, at, upper);
				a = upper;
			}
			if (to < a->end) {
				if (!(upper = area_alloc()))
					return -ENOMEM;
				area_split_locked(a, to, upper);
			}
			a->flags ^= VM_MAP_LOCKED;
			vm_as.locked_pages += (lock ? 1 : -1) * (s64)((to - at) >> PAGE_SHIFT);
			area_merge_locked(a, dead);
		}
		at = to;
	}
	return 0;
}

/* Pages of [start, end) that are locked already: they do not count twice. */
static u64 locked_there_locked(uintptr_t start, uintptr_t end)
{
	u64 n = 0;

	for (struct vm_area *a = area_find(start); a && a->start < end; a = area_next(a))
		if (a->flags & VM_MAP_LOCKED)
			n += (MIN(a->end, end) - MAX(a->start, start)) >> PAGE_SHIFT;
	return n;
}

int vm_lock(uintptr_t addr, size_t len, bool lock, bool on_fault)
{
	struct list dead = LIST_INIT(dead);
	uintptr_t start = ROUND_DOWN(addr, PAGE_SIZE), end;
	size_t whole = ROUND_UP(len + (addr - start), PAGE_SIZE);
	int r = 0;

	if (len && whole < len)
		return -EINVAL;
	if (start + whole < start)
		return -EINVAL;
	if (map_check_range(start, whole, &end))
		return -ENOMEM;
	rwlock_write(&vm_as.lock);
	if (lock && ((end - start) >> PAGE_SHIFT) + vm_as.locked_pages - locked_there_locked(start, end) > vm_as.limits.memlock_max >> PAGE_SHIFT)
		r = vm_as.limits.memlock_max ? -ENOMEM : -EPERM;
	if (r == 0)
		r = lock_areas_locked(start, end, lock, &dead);
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	if (r == 0 && lock && !on_fault && start < end) {
		r = vm_populate(start, end - start);
		if (r)
			r = r == -EFAULT ? -ENOMEM : -EAGAIN;
	}
	return r;
}

static int lock_everything(bool lock, struct list *dead)
{
	int r = 0;

	for (uintptr_t at = 0; r == 0;) {
		struct vm_area *a = area_find(at);
		if (!a)
			break;
		at = a->end;
		r = lock_areas_locked(a->start, a->end, lock, dead);
	}
	return r;
}

int vm_lock_all(bool current, bool future, bool on_fault)
{
	struct list dead = LIST_INIT(dead);
	int r = 0;

	rwlock_write(&vm_as.lock);
	if (current && vm_as.mapped_pages > vm_as.limits.memlock_max >> PAGE_SHIFT)
		r = vm_as.limits.memlock_max ? -ENOMEM : -EPERM;
	if (r == 0) {
		vm_as.lock_future = future;
		if (current)
			r = lock_everything(true, &dead);
	}
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	if (r || !current || on_fault)
		return r;
	struct vm_area a;
	for (uintptr_t at = 0; at < ARCH_USER_TOP; at = a.end) {
		rwlock_read(&vm_as.lock);
		struct vm_area *next = area_find(at);
		if (next)
			a = *next;
		rwlock_unlock_read(&vm_as.lock);
		if (!next)
			break;
		if (a.prot && !(a.flags & VM_AREA_RAW))
			(void)!vm_populate(a.start, a.end - a.start);
	}
	return 0;
}

void vm_unlock_all(void)
{
	struct list dead = LIST_INIT(dead);

	rwlock_write(&vm_as.lock);
	vm_as.lock_future = false;
	(void)!lock_everything(false, &dead);
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
}
