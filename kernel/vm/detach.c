/*
 * detach.c - shmdt: unmapping what was attached as one, by its object.
 *
 * A piece belongs to the attachment that began at addr if it shows the object at the offset that it would have
 * there; pieces may be missing. Lock: the address space lock for writing. Only "there is none" fails.
 */
#include "vm/vm_impl.h"

static bool is_piece(const struct vm_area *a, uintptr_t addr, const struct vm_object_ops *ops)
{
	return a->object && a->object->ops == ops && a->start >= addr && a->start - addr == a->object_off;
}

int vm_detach(uintptr_t addr, const struct vm_object_ops *ops)
{
	struct list dead = LIST_INIT(dead);
	struct vm_object *o = NULL;
	struct vm_area *a, *next, *none = NULL;
	uintptr_t end = 0;

	if (addr & ~PAGE_MASK)
		return -EINVAL;
	rwlock_write(&vm_as.lock);
	for (a = area_find(addr); a && (!o || a->start < end); a = next) {
		next = area_next(a);
		if (!is_piece(a, addr, ops) || (o && (a->object != o || a->end > end)))
			continue;
		if (!o)
			end = addr + ops->size(a->object);
		o = a->object;
		map_unmap_locked(a->start, a->end, &none, &dead);
	}
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	return o ? 0 : -EINVAL;
}
