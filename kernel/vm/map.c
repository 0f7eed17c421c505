/*
 * map.c - mapping, unmapping, protecting, and the heap's end (brk).
 *
 * Invariants:
 *  (I1) What can fail is done before anything changes: an area that may be needed is allocated
 *       first, so a failed call leaves the address space as it was (mprotect over several areas,
 *       which Linux too leaves half done, excepted).
 *  (I2) W^X: no area has PROT_WRITE and PROT_EXEC together, and none gets PROT_EXEC that had
 *       PROT_WRITE, unless vm_policy_allow_jit.
 *  (I3) Nothing is ever mapped below VM_MIN_ADDR or at or above ARCH_USER_TOP.
 *
 * Locks: the address space lock for writing; references are dropped after it is released.
 */
#include "vm/vm_impl.h"
#include "base/counter.h"

COUNTER(vm_wx_refused);
COUNTER_DECLARE(vm_wx_refused);

int map_check_range(uintptr_t addr, size_t len, uintptr_t *ret_end)
{
	if (addr & ~PAGE_MASK)
		return -EINVAL;
	if (len > ARCH_USER_TOP)
		return -ENOMEM;
	len = ROUND_UP(len, PAGE_SIZE);
	if (addr > ARCH_USER_TOP || len > ARCH_USER_TOP - addr)
		return -ENOMEM;
	*ret_end = addr + len;
	return 0;
}

int map_check_wx(uintptr_t addr, size_t len, u32 prot, u32 area_flags)
{
	bool both = (prot & (VM_PROT_WRITE | VM_PROT_EXEC)) == (VM_PROT_WRITE | VM_PROT_EXEC);
	bool after = (prot & VM_PROT_EXEC) && (area_flags & VM_AREA_WAS_WRITABLE);

	if (likely(!both && !after) || vm_policy_allow_jit)
		return 0;
	counter_bump(vm_wx_refused);
	if (vm_policy_event)
		vm_policy_event(both ? "writable and executable memory" : "executable memory that was writable",
				addr, len, prot);
	return -EACCES;
}

int map_check_limits_locked(size_t len, u32 prot, u32 flags)
{
	u64 pages = len >> PAGE_SHIFT;

	if (vm_as.nareas >= VM_AREAS_MAX)
		return -ENOMEM;
	if (pages + vm_as.mapped_pages > vm_as.limits.as_max >> PAGE_SHIFT)
		return -ENOMEM;
	if ((prot & VM_PROT_WRITE) && !(flags & (VM_MAP_SHARED | VM_MAP_STACK)) &&
	    pages + vm_as.data_pages > vm_as.limits.data_max >> PAGE_SHIFT)
		return -ENOMEM;
	return 0;
}

/* ---- Unmapping ---- */

void map_unmap_locked(uintptr_t start, uintptr_t end, struct vm_area **spare, struct list *dead)
{
	struct vm_area *a = area_find(start), *next;
	bool any = false;

	for (; a && a->start < end; a = next) {
		uintptr_t from = MAX(a->start, start), to = MIN(a->end, end);
		any = true;
		next = area_next(a);
		if (a->start < from && a->end > to) {
			area_split_locked(a, to, *spare);
			*spare = NULL;
			next = NULL;
		}
		zap_area_range(a, from, to);
		if (a->start < from)
			area_resize_locked(a, a->start, from);
		else if (a->end > to)
			area_resize_locked(a, to, a->end);
		else
			area_remove_locked(a, dead);
	}
	if (any) {
		zap_prune(start, end);
		place_freed_locked(start, end);
	}
}

/* If unmapping [start, end) cuts an area in two, allocate the second half now. 0 or -ENOMEM; keeps (I1). */
static int map_prepare_split_locked(uintptr_t start, uintptr_t end, struct vm_area **ret_spare)
{
	struct vm_area *a = area_find(start);

	*ret_spare = NULL;
	if (!a || a->start >= start || a->end <= end)
		return 0;
	*ret_spare = area_alloc();
	return *ret_spare ? 0 : -ENOMEM;
}

int vm_unmap(uintptr_t addr, size_t len)
{
	struct list dead = LIST_INIT(dead);
	struct vm_area *spare;
	uintptr_t end;

	if (map_check_range(addr, len, &end) || len == 0)
		return -EINVAL;
	rwlock_write(&vm_as.lock);
	int r = map_prepare_split_locked(addr, end, &spare);
	if (r == 0)
		map_unmap_locked(addr, end, &spare, &dead);
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	return r;
}

/* ---- Mapping ---- */

/* Decide where; with MAP_FIXED make room there. Address or errno. */
static intptr_t map_choose_locked(const struct vm_map_request *rq, size_t len, struct list *dead)
{
	struct vm_area *spare;
	int r = map_check_limits_locked(len, rq->prot, rq->flags);

	if (r == 0 && ((rq->flags & VM_MAP_LOCKED) || vm_as.lock_future) &&
	    (len >> PAGE_SHIFT) + vm_as.locked_pages > vm_as.limits.memlock_max >> PAGE_SHIFT)
		r = -EAGAIN;
	if (!(rq->flags & VM_MAP_FIXED)) {
		if (r)
			return r;
		uintptr_t at = place_find_locked(rq->addr, len, rq->flags);
		return at ? (intptr_t)at : -ENOMEM;
	}
	struct vm_area *a = area_find(rq->addr);
	bool taken = a && a->start < rq->addr + len;
	if (taken && (rq->flags & VM_MAP_NOREPLACE))
		return -EEXIST;
	if (r)
		return r;
	if (taken) {
		r = map_prepare_split_locked(rq->addr, rq->addr + len, &spare);
		if (r)
			return r;
		map_unmap_locked(rq->addr, rq->addr + len, &spare, dead);
	}
	return (intptr_t)rq->addr;
}

static int map_check_request(const struct vm_map_request *rq, size_t *ret_len)
{
	size_t len = ROUND_UP(rq->len, PAGE_SIZE);

	if (rq->len == 0 || (rq->object_off & ~PAGE_MASK))
		return -EINVAL;
	if (len < rq->len || len > ARCH_USER_TOP - VM_MIN_ADDR)
		return -ENOMEM;
	if (rq->object && rq->object_off + len < rq->object_off)
		return -EOVERFLOW;
	if (rq->flags & VM_MAP_FIXED) {
		if (rq->addr & ~PAGE_MASK)
			return -EINVAL;
		if (rq->addr > ARCH_USER_TOP - len)
			return -ENOMEM;
		if (rq->addr < VM_MIN_ADDR)
			return -EPERM;
	}
	*ret_len = len;
	return map_check_wx(rq->addr, len, rq->prot, 0);
}

/* Fill a fresh area from the request; references are taken. */
static void map_fill_area(struct vm_area *a, const struct vm_map_request *rq, uintptr_t at, size_t len)
{
	const u32 kept = VM_MAP_SHARED | VM_MAP_STACK | VM_MAP_LOCKED | VM_MAP_NORESERVE;

	a->start = at;
	a->end = at + len;
	a->prot = rq->prot;
	a->max_prot = rq->max_prot;
	a->flags = (rq->flags & kept) | (rq->prot & VM_PROT_WRITE ? VM_AREA_WAS_WRITABLE : 0);
	a->object_off = rq->object_off;
	a->name = rq->name;
	a->file = rq->file;
	if (vm_as.lock_future)
		a->flags |= VM_MAP_LOCKED;
	if (a->file && vm_as.ops)
		vm_as.ops->file_get(a->file);
}

intptr_t vm_map(const struct vm_map_request *rq)
{
	struct list dead = LIST_INIT(dead);
	struct vm_object *object = rq->object;
	size_t len;
	int r = map_check_request(rq, &len);

	if (r)
		return r;
	struct vm_area *a = area_alloc();
	if (object)
		vm_object_get(object);
	else if (rq->flags & VM_MAP_SHARED)
		object = vm_object_new_anon(len);
	if (!a || (!object && (rq->flags & VM_MAP_SHARED))) {
		area_free(a);
		if (object)
			vm_object_put(object);
		return -ENOMEM;
	}
	bool populate = rq->flags & VM_MAP_POPULATE;
	rwlock_write(&vm_as.lock);
	intptr_t at = map_choose_locked(rq, len, &dead);
	if (at > 0) {
		map_fill_area(a, rq, (uintptr_t)at, len);
		a->object = object;
		populate |= a->flags & VM_MAP_LOCKED;
		area_insert_locked(a);
		area_merge_locked(a, &dead);
		a = NULL;
		object = NULL;
	}
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	area_free(a);
	if (object)
		vm_object_put(object);
	if (at > 0 && populate)
		(void)!vm_populate((uintptr_t)at, len);
	return at;
}

COLD intptr_t vm_map_raw(uintptr_t addr, phys_t pa, unsigned npages, const char *name)
{
	struct vm_map_request rq = { .addr = addr, .len = npages * PAGE_SIZE, .prot = VM_PROT_READ, .max_prot = VM_PROT_READ,
				     .flags = VM_MAP_FIXED | VM_MAP_NOREPLACE, .name = name };
	intptr_t at = vm_map(&rq);
	int r = 0;

	if (at < 0)
		return at;
	rwlock_write(&vm_as.lock);
	struct vm_area *a = area_find((uintptr_t)at);
	a->flags |= VM_AREA_RAW;
	spin_lock(&vm_as.pt_lock);
	for (unsigned i = 0; i < npages && r == 0; i++)
		r = arch_user_map((uintptr_t)at + i * PAGE_SIZE, pa + i * PAGE_SIZE, 0);
	spin_unlock(&vm_as.pt_lock);
	rwlock_unlock_write(&vm_as.lock);
	if (r) {
		(void)!vm_unmap((uintptr_t)at, rq.len);
		return r;
	}
	return at;
}

/* ---- Protecting ---- */

/* Change one area, which lies at least partly in [start, end), there. Its end goes to *ret_upto. */
static int protect_area_locked(struct vm_area *a, uintptr_t start, uintptr_t end, u32 prot, struct list *dead, uintptr_t *ret_upto)
{
	uintptr_t from = MAX(a->start, start), to = MIN(a->end, end);

	*ret_upto = to;
	if (prot == a->prot)
		return 0;
	if (prot & ~a->max_prot)
		return -EACCES;
	int r = map_check_wx(from, to - from, prot, a->flags);
	if (r)
		return r;
	u32 was = a->prot;
	if ((prot & ~was & VM_PROT_WRITE) && map_check_limits_locked(to - from, prot, a->flags))
		return -ENOMEM;
	if (from > a->start) {
		struct vm_area *upper = area_alloc();
		if (!upper)
			return -ENOMEM;
		area_split_locked(a, from, upper);
		a = upper;
	}
	if (to < a->end) {
		struct vm_area *upper = area_alloc();
		if (!upper)
			return -ENOMEM;
		area_split_locked(a, to, upper);
	}
	area_set_prot_locked(a, prot);
	r = zap_reprotect(a, from, to);
	if (r)
		area_set_prot_locked(a, was);
	area_merge_locked(a, dead);
	return r;
}

int vm_protect(uintptr_t addr, size_t len, u32 prot)
{
	struct list dead = LIST_INIT(dead);
	uintptr_t end, at = addr;
	int r = map_check_range(addr, len, &end);

	if (r || len == 0)
		return r;
	rwlock_write(&vm_as.lock);
	while (r == 0 && at < end) {
		struct vm_area *a = area_find(at);
		if (!a || a->start > at)
			r = -ENOMEM;
		else
			r = protect_area_locked(a, at, end, prot, &dead, &at);
	}
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	return r;
}

/* ---- The heap ---- */

COLD void vm_brk_init(uintptr_t start)
{
	rwlock_write(&vm_as.lock);
	vm_as.brk_start = vm_as.brk_end = start;
	rwlock_unlock_write(&vm_as.lock);
}

uintptr_t vm_brk_end(void)
{
	return READ_ONCE(vm_as.brk_end);
}

uintptr_t vm_brk(uintptr_t new_end)
{
	struct list dead = LIST_INIT(dead);
	struct vm_area *a = NULL, *spare = NULL;
	bool grown = false;

	rwlock_write(&vm_as.lock);
	uintptr_t end = vm_as.brk_end, old_top = ROUND_UP(end, PAGE_SIZE);
	uintptr_t from = old_top;
	if (new_end < vm_as.brk_start || new_end > ARCH_USER_TOP - PAGE_SIZE)
		goto out;
	uintptr_t top = ROUND_UP(new_end, PAGE_SIZE);
	if (top < old_top) {
		if (map_prepare_split_locked(top, old_top, &spare))
			goto out;
		map_unmap_locked(top, old_top, &spare, &dead);
	} else if (top > old_top) {
		struct vm_area *above = area_find(old_top);
		uintptr_t guard = above && (above->flags & VM_MAP_STACK) ? VM_STACK_GUARD : PAGE_SIZE;
		if (new_end - vm_as.brk_start > vm_as.limits.data_max ||
		    map_check_limits_locked(top - old_top, VM_PROT_WRITE, 0) ||
		    (above && above->start < top + guard) || !(a = area_alloc()))
			goto out;
		struct vm_map_request rq = { .prot = VM_PROT_READ | VM_PROT_WRITE, .max_prot = ~0u, .name = "[heap]" };
		map_fill_area(a, &rq, old_top, top - old_top);
		grown = a->flags & VM_MAP_LOCKED;
		area_insert_locked(a);
		area_merge_locked(a, &dead);
	}
	end = vm_as.brk_end = new_end;
out:
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	if (grown)
		(void)!vm_populate(from, end - from);
	return end;
}
