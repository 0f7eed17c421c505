/*
 * area.c - the areas of the address space: tree, accounting, splitting and joining.
 *
 * Invariants:
 *  (I1) Areas do not overlap, are not empty, and start and end on pages.
 *  (I2) An area with an object is on the object's list of mappings, exactly while it is in the tree,
 *       and its bounds change with O held.
 *  (I3) The totals in vm_as are the sums over all areas.
 *  (I4) vm_as.recent is NULL or an area in the tree.
 *
 * All with the address space lock held for writing (area_find: either way). Only area_alloc fails.
 */
#include "vm/vm_impl.h"

static struct heap_cache area_cache = HEAP_CACHE(vm_area);

struct vm_area *area_alloc(void)
{
	struct vm_area *a = heap_cache_alloc(&area_cache);

	if (a)
		list_init(&a->object_link);
	return a;
}

void area_free(struct vm_area *a)
{
	heap_cache_free(&area_cache, a);
}

struct vm_area *area_find(uintptr_t va)
{
	struct vm_area *found = NULL;

	for (struct rb_node *n = vm_as.areas.node; n;) {
		struct vm_area *a = rb_entry(n, struct vm_area, node);
		if (va < a->end) {
			found = a;
			if (va >= a->start)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

static void area_account(const struct vm_area *a, s64 sign)
{
	s64 pages = sign * (s64)(area_len(a) >> PAGE_SHIFT);

	vm_as.mapped_pages += (u64)pages;
	if (vm_as.mapped_pages > vm_as.peak_mapped)
		vm_as.peak_mapped = vm_as.mapped_pages;
	if (a->flags & VM_MAP_STACK)
		vm_as.stack_pages += (u64)pages;
	else if ((a->prot & VM_PROT_WRITE) && !area_is_shared(a))
		vm_as.data_pages += (u64)pages;
	if ((a->prot & VM_PROT_EXEC) && a->object)
		vm_as.text_pages += (u64)pages;
	if (a->flags & VM_MAP_LOCKED)
		vm_as.locked_pages += (u64)pages;
}

static void object_lock_of(struct vm_area *a)
{
	if (a->object)
		spin_lock(&a->object->lock);
}
static void object_unlock_of(struct vm_area *a)
{
	if (a->object)
		spin_unlock(&a->object->lock);
}

void area_insert_locked(struct vm_area *a)
{
	struct rb_node **link = &vm_as.areas.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = a->start < rb_entry(parent, struct vm_area, node)->start ? &parent->left : &parent->right;
	}
	rb_insert(&vm_as.areas, &a->node, parent, link);
	vm_as.nareas++;
	area_account(a, 1);
	object_lock_of(a);
	if (a->object)
		list_append(&a->object->mappings, &a->object_link);
	object_unlock_of(a);
	if (a->object && a->object->ops->mapped)
		a->object->ops->mapped(a->object);
}

void area_remove_locked(struct vm_area *a, struct list *dead)
{
	rb_erase(&vm_as.areas, &a->node);
	vm_as.recent = NULL;
	vm_as.nareas--;
	area_account(a, -1);
	object_lock_of(a);
	list_remove(&a->object_link);
	object_unlock_of(a);
	list_append(dead, &a->object_link);
}

void area_release_dead(struct list *dead)
{
	struct list *l;

	while ((l = list_pop(dead))) {
		struct vm_area *a = list_entry(l, struct vm_area, object_link);
		if (a->object && a->object->ops->unmapped)
			a->object->ops->unmapped(a->object);
		if (a->object)
			vm_object_put(a->object);
		if (a->file && vm_as.ops)
			vm_as.ops->file_put(a->file);
		heap_cache_free(&area_cache, a);
	}
}

void area_resize_locked(struct vm_area *a, uintptr_t start, uintptr_t end)
{
	area_account(a, -1);
	object_lock_of(a);
	a->object_off += start - a->start;       /* wraps rightly when growing downwards */
	a->start = start;
	a->end = end;
	object_unlock_of(a);
	area_account(a, 1);
}

void area_split_locked(struct vm_area *a, uintptr_t va, struct vm_area *upper)
{
	*upper = *a;
	list_init(&upper->object_link);
	upper->object_off = a->object_off + (va - a->start);
	upper->start = va;
	if (upper->object)
		vm_object_get(upper->object);
	if (upper->file && vm_as.ops)
		vm_as.ops->file_get(upper->file);
	area_resize_locked(a, a->start, va);
	area_insert_locked(upper);
}

void area_set_prot_locked(struct vm_area *a, u32 prot)
{
	area_account(a, -1);
	a->prot = prot;
	if (prot & VM_PROT_WRITE)
		a->flags |= VM_AREA_WAS_WRITABLE;
	area_account(a, 1);
}

static bool area_same_kind(const struct vm_area *a, const struct vm_area *b)
{
	const u32 ignored = VM_AREA_HIDDEN;

	return a->end == b->start && a->prot == b->prot && a->max_prot == b->max_prot &&
	       ((a->flags ^ b->flags) & ~ignored) == 0 && !(a->flags & (VM_MAP_STACK | VM_AREA_RAW)) &&
	       a->object == b->object && a->file == b->file && a->name == b->name &&
	       (!a->object || a->object_off + area_len(a) == b->object_off);
}

static struct vm_area *area_join(struct vm_area *low, struct vm_area *high, struct list *dead)
{
	uintptr_t end = high->end;

	low->flags |= high->flags & VM_AREA_HIDDEN;
	area_remove_locked(high, dead);
	area_resize_locked(low, low->start, end);
	return low;
}

struct vm_area *area_merge_locked(struct vm_area *a, struct list *dead)
{
	struct vm_area *prev = area_prev(a);

	if (prev && area_same_kind(prev, a))
		a = area_join(prev, a, dead);
	struct vm_area *next = area_next(a);
	if (next && area_same_kind(a, next))
		a = area_join(a, next, dead);
	return a;
}
