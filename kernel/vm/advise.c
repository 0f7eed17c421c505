/*
 * advise.c - madvise, msync, mincore: what a program says and asks about its pages.
 *
 * These walk the areas of a range; where areas are missing they do the rest and say -ENOMEM, as
 * Linux does. Locks: the address space lock for reading, never across a file system's work.
 */
#include "vm/vm_impl.h"
#include "sched/thread.h"

#define LX_MADV_NORMAL 0
#define LX_MADV_RANDOM 1
#define LX_MADV_SEQUENTIAL 2
#define LX_MADV_WILLNEED 3
#define LX_MADV_DONTNEED 4
#define LX_MADV_FREE 8
#define LX_MADV_REMOVE 9
#define LX_MADV_DONTFORK 10
#define LX_MADV_DOFORK 11
#define LX_MADV_MERGEABLE 12
#define LX_MADV_UNMERGEABLE 13
#define LX_MADV_HUGEPAGE 14
#define LX_MADV_NOHUGEPAGE 15
#define LX_MADV_DONTDUMP 16
#define LX_MADV_DODUMP 17
#define LX_MADV_WIPEONFORK 18
#define LX_MADV_KEEPONFORK 19
#define LX_MADV_COLD 20
#define LX_MADV_PAGEOUT 21
#define LX_MADV_POPULATE_READ 22
#define LX_MADV_POPULATE_WRITE 23
#define LX_MADV_DONTNEED_LOCKED 24
#define LX_MADV_HWPOISON 100
#define LX_MADV_SOFT_OFFLINE 101

#define LX_MS_ASYNC 1
#define LX_MS_INVALIDATE 2
#define LX_MS_SYNC 4

/* A walk over the parts of areas in [start, end); fn may drop nothing and not change areas. -ENOMEM if something was missing. */
static int walk_locked(uintptr_t start, uintptr_t end, int (*fn)(struct vm_area *a, uintptr_t from, uintptr_t to, int arg), int arg)
{
	uintptr_t at = start;
	bool hole = false;

	while (at < end) {
		struct vm_area *a = area_find(at);
		if (!a || a->start >= end)
			return -ENOMEM;
		if (a->start > at)
			hole = true;
		uintptr_t from = MAX(a->start, at), to = MIN(a->end, end);
		int r = fn(a, from, to, arg);
		if (r)
			return r;
		at = to;
	}
	return hole ? -ENOMEM : 0;
}

/* ---- madvise ---- */

/* Take an object's pages out of a shared anonymous mapping (a hole in the object). */
static int advise_remove(struct vm_area *a, uintptr_t from, uintptr_t to)
{
	if (a->flags & VM_MAP_LOCKED)
		return -EINVAL;
	if (!a->object || a->file)
		return -EINVAL;
	if (!area_is_shared(a) || !(a->max_prot & VM_PROT_WRITE) || !(a->prot & VM_PROT_WRITE))
		return -EACCES;
	vm_object_drop(a->object, area_index(a, from), area_index(a, to - PAGE_SIZE));
	return 0;
}

static int advise_area(struct vm_area *a, uintptr_t from, uintptr_t to, int advice)
{
	switch (advice) {
	case LX_MADV_DONTNEED:
		if (a->flags & (VM_MAP_LOCKED | VM_AREA_RAW))
			return -EINVAL;
		zap_area_range(a, from, to);
		return 0;
	case LX_MADV_DONTNEED_LOCKED:
		if (a->flags & VM_AREA_RAW)
			return -EINVAL;
		zap_area_range(a, from, to);
		return 0;
	case LX_MADV_FREE:
		/* Linux may free the pages at any time from now on; we do at once. */
		if (a->object)
			return -EINVAL;
		zap_area_range(a, from, to);
		return 0;
	case LX_MADV_WIPEONFORK:
		return a->object ? -EINVAL : 0;
	case LX_MADV_COLD:
	case LX_MADV_PAGEOUT:
		return a->flags & (VM_MAP_LOCKED | VM_AREA_RAW) ? -EINVAL : 0;
	case LX_MADV_REMOVE:
		return advise_remove(a, from, to);
	}
	return 0;
}

/* Read the file pages of a range in, without the lock while reading. */
static int advise_willneed(uintptr_t start, uintptr_t end)
{
	int result = 0;

	for (uintptr_t at = start; at < end;) {
		struct vm_object *o = NULL;
		u64 first = 0, n = 0;
		rwlock_read(&vm_as.lock);
		struct vm_area *a = area_find(at);
		uintptr_t upto = a ? MIN(a->end, end) : end;
		if (!a || a->start > at)
			result = -ENOMEM;
		if (a && a->start < end && a->object && !object_is_memory(a->object)) {
			at = MAX(at, a->start);
			o = a->object;
			vm_object_get(o);
			first = area_index(a, at);
			n = (upto - at) >> PAGE_SHIFT;
		}
		rwlock_unlock_read(&vm_as.lock);
		if (o) {
			vm_object_prefetch(o, first, n);
			vm_object_put(o);
		}
		at = upto;
	}
	return result;
}

static int advise_populate(uintptr_t start, uintptr_t end, bool write)
{
	for (uintptr_t at = start; at < end;) {
		struct vm_area a;
		if (!vm_find_area(at, &a))
			return -ENOMEM;
		uintptr_t upto = MIN(a.end, end);
		if ((a.flags & VM_AREA_RAW) || (write ? !(a.prot & VM_PROT_WRITE) : a.prot == 0))
			return -EINVAL;
		int r = fault_in_range(at, upto, write);
		if (r)
			return r == -EIO ? -EFAULT : r;
		at = upto;
	}
	return 0;
}

static bool advice_known(int advice)
{
	return (advice >= LX_MADV_NORMAL && advice <= LX_MADV_DONTNEED) ||
	       (advice >= LX_MADV_FREE && advice <= LX_MADV_DONTNEED_LOCKED);
}

int vm_advise(uintptr_t addr, size_t len, int advice)
{
	uintptr_t end;
	int r;

	if (advice == LX_MADV_HWPOISON || advice == LX_MADV_SOFT_OFFLINE)
		return -EPERM;
	if (!advice_known(advice) || (addr & ~PAGE_MASK))
		return -EINVAL;
	if (ROUND_UP(len, PAGE_SIZE) < len || addr + ROUND_UP(len, PAGE_SIZE) < addr)
		return -EINVAL;
	if (len == 0)
		return 0;
	if (map_check_range(addr, len, &end))
		return -ENOMEM;
	if (advice == LX_MADV_WILLNEED)
		return advise_willneed(addr, end);
	if (advice == LX_MADV_POPULATE_READ || advice == LX_MADV_POPULATE_WRITE)
		return advise_populate(addr, end, advice == LX_MADV_POPULATE_WRITE);
	rwlock_read(&vm_as.lock);
	r = walk_locked(addr, end, advise_area, advice);
	rwlock_unlock_read(&vm_as.lock);
	return r;
}

/* ---- msync ---- */

/* Write one area's share back; the lock is not held during the work. */
static int sync_area(uintptr_t at, uintptr_t end, int flags, uintptr_t *ret_upto)
{
	struct vm_object *o = NULL;
	void *file = NULL;
	u64 off = 0, bytes = 0;
	int r = 0;

	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(at);
	*ret_upto = end;
	if (!a || a->start >= end) {
		r = -ENOMEM;
	} else {
		uintptr_t from = MAX(a->start, at);
		*ret_upto = MIN(a->end, end);
		if ((flags & LX_MS_INVALIDATE) && (a->flags & VM_MAP_LOCKED)) {
			r = -EBUSY;
		} else if ((flags & LX_MS_SYNC) && area_is_shared(a) && a->object) {
			o = a->object;
			vm_object_get(o);
			off = a->object_off + (from - a->start);
			bytes = *ret_upto - from;
			if (a->file && vm_as.ops && vm_as.ops->file_sync) {
				file = a->file;
				vm_as.ops->file_get(file);
			}
		}
		if (r == 0 && a->start > at)
			r = -ENOMEM;         /* a hole before it; the area is still written */
	}
	rwlock_unlock_read(&vm_as.lock);
	if (o) {
		int e = vm_object_sync(o, off >> PAGE_SHIFT, (off + bytes - 1) >> PAGE_SHIFT);
		if (e == 0 && file)
			e = vm_as.ops->file_sync(file, off, off + bytes - 1);
		if (file)
			vm_as.ops->file_put(file);
		vm_object_put(o);
		if (e)
			r = e;
	}
	return r;
}

int vm_sync(uintptr_t addr, size_t len, int flags)
{
	uintptr_t end;
	int result = 0;

	if ((flags & ~(LX_MS_ASYNC | LX_MS_INVALIDATE | LX_MS_SYNC)) || (addr & ~PAGE_MASK))
		return -EINVAL;
	if ((flags & LX_MS_ASYNC) && (flags & LX_MS_SYNC))
		return -EINVAL;
	if (map_check_range(addr, len, &end))
		return -ENOMEM;
	for (uintptr_t at = addr; at < end;) {
		int r = sync_area(at, end, flags, &at);
		if (r == -ENOMEM)
			result = r;          /* go on: holes are reported at the end */
		else if (r)
			return r;
	}
	return result;
}

/* ---- mincore ---- */

static bool page_in_core(const struct vm_area *a, uintptr_t va)
{
	phys_t pa;
	unsigned flags;

	spin_lock(&vm_as.pt_lock);
	bool there = arch_user_lookup(va, &pa, &flags) ||
		     ((a->flags & VM_AREA_HIDDEN) && radix_get(&vm_as.hidden, va >> PAGE_SHIFT));
	spin_unlock(&vm_as.pt_lock);
	if (!there && a->object) {
		struct page *p = vm_object_lookup(a->object, area_index(a, va));
		if (p) {
			page_put(p);
			there = true;
		}
	}
	return there;
}

int vm_mincore(uintptr_t addr, size_t npages, u8 *ret_vec)
{
	int r = 0;

	rwlock_read(&vm_as.lock);
	struct vm_area *a = NULL;
	for (size_t i = 0; i < npages; i++) {
		uintptr_t va = addr + i * PAGE_SIZE;
		if (!a || va >= a->end)
			a = area_find(va);
		if (!a || a->start > va) {
			r = -ENOMEM;
			break;
		}
		ret_vec[i] = page_in_core(a, va);
	}
	rwlock_unlock_read(&vm_as.lock);
	return r;
}

int vm_page_present(uintptr_t va)
{
	int r = -EFAULT;

	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(va);
	if (a && a->start <= va) {
		phys_t pa;
		unsigned flags;
		spin_lock(&vm_as.pt_lock);
		if (arch_user_lookup(va & PAGE_MASK, &pa, &flags))
			r = pa == vm_as.zero_pa ? -EFAULT : 0;
		else
			r = (a->flags & VM_AREA_HIDDEN) && radix_get(&vm_as.hidden, va >> PAGE_SHIFT) ? 0 : -ENOENT;
		spin_unlock(&vm_as.pt_lock);
	}
	rwlock_unlock_read(&vm_as.lock);
	return r;
}
