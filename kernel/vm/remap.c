/*
 * remap.c - mremap: growing, shrinking and moving mappings.
 *
 * Moving takes the page table entries along, not the bytes. Invariants:
 *  (I1) Until all entries are moved (zap_move: all or none) the new area is not in the tree, so a
 *       failure changes nothing but what MAP_FIXED-like moves unmap first, as Linux's.
 *  (I2) As map.c (I3).
 *
 * A move to a fixed place may cover several areas and the gaps between them: each is moved by itself, so what was moved
 * before an error has moved, as on Linux.
 */
#include "vm/vm_impl.h"

struct remap {
	uintptr_t old, new_addr;
	size_t old_len, new_len;         /* page-aligned */
	bool may_move, fixed, dontunmap;
	struct vm_area *fresh;           /* for the new place */
	struct vm_area *spare[2];        /* for splits */
	struct list dead;
};

static int remap_check(struct remap *m)
{
	uintptr_t end;

	if ((m->old & ~PAGE_MASK) || m->new_len == 0 || m->old_len > ARCH_USER_TOP || m->new_len > ARCH_USER_TOP)
		return -EINVAL;
	m->old_len = ROUND_UP(m->old_len, PAGE_SIZE);
	m->new_len = ROUND_UP(m->new_len, PAGE_SIZE);
	if (m->dontunmap && (!m->may_move || m->old_len != m->new_len))
		return -EINVAL;
	if (m->fixed) {
		if (!m->may_move || (m->new_addr & ~PAGE_MASK) || map_check_range(m->new_addr, m->new_len, &end))
			return -EINVAL;
		if (m->new_addr < m->old + m->old_len && m->old < m->new_addr + m->new_len)
			return -EINVAL;
		if (m->new_addr < VM_MIN_ADDR)
			return -EPERM;
	}
	return 0;
}

static void remap_unmap_locked(struct remap *m, uintptr_t start, uintptr_t end)
{
	struct vm_area **spare = m->spare[0] ? &m->spare[0] : &m->spare[1];

	map_unmap_locked(start, end, spare, &m->dead);
}

/* Grow a, whose end is the range's end, where it stands. */
static bool remap_grow_locked(struct remap *m, struct vm_area *a)
{
	uintptr_t end = m->old + m->new_len;
	struct vm_area *next = area_next(a);

	if (a->end != m->old + m->old_len || end > ARCH_USER_TOP || end < m->old || (a->flags & VM_AREA_RAW))
		return false;
	if (next && next->start < end + (next->flags & VM_MAP_STACK ? VM_STACK_GUARD : 0))
		return false;
	area_resize_locked(a, a->start, end);
	area_merge_locked(a, &m->dead);
	return true;
}

/* Move [old, old + old_len) of a to new_addr. Address or -ENOMEM. */
static intptr_t remap_move_locked(struct remap *m, struct vm_area *a)
{
	struct vm_area *to = m->fresh;
	size_t moved = MIN(m->old_len, m->new_len);

	*to = *a;
	list_init(&to->object_link);
	to->start = m->new_addr;
	to->end = m->new_addr + m->new_len;
	to->object_off = a->object_off + (m->old - a->start);
	int r = moved ? zap_move(a, to, m->old, m->new_addr, moved) : 0;
	if (r)
		return r;
	m->fresh = NULL;
	if (to->object)
		vm_object_get(to->object);
	if (to->file && vm_as.ops)
		vm_as.ops->file_get(to->file);
	area_insert_locked(to);
	bool stays = m->dontunmap && m->old_len;
	area_merge_locked(to, &m->dead);
	if (!stays && m->old_len)
		remap_unmap_locked(m, m->old, m->old + m->old_len);
	return (intptr_t)m->new_addr;
}

static intptr_t remap_locked(struct remap *m)
{
	struct vm_area *a = area_find(m->old);

	if (!a || a->start > m->old)
		return -EFAULT;
	if (a->flags & VM_AREA_RAW)
		return -EINVAL;
	if (m->old_len == 0 && !area_is_shared(a))
		return -EINVAL;
	if (m->new_len <= m->old_len && !m->fixed && !m->dontunmap) {
		/* Shrinking may go over several areas. */
		if (m->new_len < m->old_len)
			remap_unmap_locked(m, m->old + m->new_len, m->old + m->old_len);
		return (intptr_t)m->old;
	}
	if (m->old_len > a->end - m->old)
		return -EFAULT;
	if (m->new_len > m->old_len) {
		size_t more = m->new_len - m->old_len;
		u64 off = a->object_off + (m->old - a->start);
		if (a->object && off + m->new_len < off)
			return -EINVAL;
		if ((a->flags & VM_MAP_LOCKED) && (more >> PAGE_SHIFT) + vm_as.locked_pages > vm_as.limits.memlock_max >> PAGE_SHIFT)
			return -EAGAIN;
		if (map_check_limits_locked(more, a->prot, a->flags))
			return -ENOMEM;
	}
	if (!m->fixed && !m->dontunmap && m->old_len && remap_grow_locked(m, a))
		return (intptr_t)m->old;
	if (!m->may_move)
		return -ENOMEM;
	if (m->fixed) {
		remap_unmap_locked(m, m->new_addr, m->new_addr + m->new_len);
		if (m->old_len > m->new_len) {
			remap_unmap_locked(m, m->old + m->new_len, m->old + m->old_len);
			m->old_len = m->new_len;
		}
		a = area_find(m->old);       /* it may have been cut */
	} else {
		m->new_addr = place_find_locked(m->new_addr, m->new_len, 0);
		if (!m->new_addr)
			return -ENOMEM;
	}
	return remap_move_locked(m, a);
}

static intptr_t remap_one(uintptr_t old, size_t old_len, size_t new_len, bool may_move, bool fixed, bool dontunmap, uintptr_t new_addr)
{
	struct remap m = { .old = old, .old_len = old_len, .new_len = new_len, .may_move = may_move,
			   .fixed = fixed, .dontunmap = dontunmap, .new_addr = fixed || dontunmap ? new_addr : 0 };
	int r = remap_check(&m);

	if (r)
		return r;
	list_init(&m.dead);
	m.fresh = area_alloc();
	m.spare[0] = area_alloc();
	m.spare[1] = area_alloc();
	intptr_t at = -ENOMEM;
	bool locked = false;
	if (m.fresh && m.spare[0] && m.spare[1]) {
		rwlock_write(&vm_as.lock);
		at = remap_locked(&m);
		struct vm_area *a = at > 0 ? area_find((uintptr_t)at) : NULL;
		locked = a && (a->flags & VM_MAP_LOCKED);
		rwlock_unlock_write(&vm_as.lock);
	}
	area_release_dead(&m.dead);
	area_free(m.fresh);
	area_free(m.spare[0]);
	area_free(m.spare[1]);
	if (locked)
		(void)!vm_populate((uintptr_t)at, m.new_len);
	return at;
}

/* Move each area in [old, old + len), and the gaps with them. */
static intptr_t remap_several(uintptr_t old, size_t len, uintptr_t new_addr)
{
	uintptr_t end = old + len;

	for (uintptr_t at = old, upto; at < end; at = upto) {
		rwlock_read(&vm_as.lock);
		struct vm_area *a = area_find(at);
		uintptr_t from = a ? MAX(a->start, at) : end;
		upto = a ? MIN(a->end, end) : end;
		rwlock_unlock_read(&vm_as.lock);
		if (at == old && from > old)
			return -EFAULT;
		if (from >= end)
			break;
		intptr_t r = remap_one(from, upto - from, upto - from, true, true, false, new_addr + (from - old));
		if (r < 0)
			return r;
	}
	return (intptr_t)new_addr;
}

intptr_t vm_remap(uintptr_t old, size_t old_len, size_t new_len, bool may_move, bool fixed, bool dontunmap, uintptr_t new_addr)
{
	intptr_t r = remap_one(old, old_len, new_len, may_move, fixed, dontunmap, new_addr);

	if (r == -EFAULT && fixed && !dontunmap && ROUND_UP(old_len, PAGE_SIZE) == ROUND_UP(new_len, PAGE_SIZE))
		r = remap_several(old, ROUND_UP(old_len, PAGE_SIZE), new_addr);
	return r;
}

/* [start, end) is one shared mapping of one object, in areas without gaps? The first one's request, with references. A held. */
static bool same_mapping_locked(uintptr_t start, uintptr_t end, struct vm_map_request *rq)
{
	struct vm_area *a = area_find(start), *next;

	if (!a || a->start > start || !area_is_shared(a) || !a->object || (a->flags & VM_AREA_RAW))
		return false;
	for (struct vm_area *it = a; it->end < end; it = next) {
		next = area_next(it);
		if (!next || next->start != it->end || next->object != a->object || next->flags != a->flags)
			return false;
	}
	*rq = (struct vm_map_request){
		.prot = a->prot, .max_prot = a->max_prot, .flags = VM_MAP_SHARED | VM_MAP_FIXED | (a->flags & VM_MAP_LOCKED),
		.object = a->object, .file = a->file, .name = a->name,
	};
	vm_object_get(rq->object);
	if (rq->file && vm_as.ops)
		vm_as.ops->file_get(rq->file);
	return true;
}

int vm_remap_file(uintptr_t start, size_t len, u64 object_off, bool populate)
{
	struct vm_map_request rq;

	rwlock_read(&vm_as.lock);
	bool same = same_mapping_locked(start, start + len, &rq);
	rwlock_unlock_read(&vm_as.lock);
	if (!same)
		return -EINVAL;
	rq.addr = start;
	rq.len = len;
	rq.object_off = object_off;
	rq.flags |= populate ? VM_MAP_POPULATE : 0;
	intptr_t r = vm_map(&rq);
	vm_object_put(rq.object);
	if (rq.file && vm_as.ops)
		vm_as.ops->file_put(rq.file);
	return r < 0 ? (int)r : 0;
}
