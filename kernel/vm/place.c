/*
 * place.c - where new mappings go, and the random bases.
 *
 *   0 ........... VM_MIN_ADDR      never mapped (null pointers, and small offsets from them)
 *   0x5555 5555 4000 + R           the program (position-independent), then its heap (brk) + R
 *   ... mappings, top-down ...
 *   ARCH_USER_TOP - 4 TiB - R      mmap_base
 *   ARCH_USER_TOP - 2 TiB - R      the vDSO
 *   ARCH_USER_TOP - R              top of the stack
 *
 * Each R is random, VM_RANDOM_BITS bits of pages (1 TiB).
 *
 * Finding a gap: areas are walked downwards from free_hint. Invariant: no gap that ends above
 * free_hint is larger than free_hole; a request that might fit in one starts from mmap_base again.
 */
#include "vm/vm_impl.h"
#include "sched/random.h"

#define REGION_SPAN  (PAGE_SIZE << VM_RANDOM_BITS)
#define EXEC_BASE    0x555555554000ull
#define LOW_FIRST    0x40000000ull       /* MAP_32BIT: Linux's window */
#define LOW_LAST     0x80000000ull

static uintptr_t random_pages(void)
{
	return (random_u64() & ((1ull << VM_RANDOM_BITS) - 1)) << PAGE_SHIFT;
}

uintptr_t vm_random_exec_base(void)
{
	return EXEC_BASE + random_pages();
}

uintptr_t vm_random_stack_top(void)
{
	return ARCH_USER_TOP - random_pages();
}

uintptr_t vm_random_vdso_base(void)
{
	return ARCH_USER_TOP - 2 * REGION_SPAN - random_pages();
}

uintptr_t vm_random_brk_gap(void)
{
	return random_pages();
}

void vm_randomise(void)
{
	vm_as.mmap_base = ARCH_USER_TOP - 4 * REGION_SPAN - random_pages();
	vm_as.free_hint = vm_as.mmap_base;
	vm_as.free_hole = 0;
}

/* Where an area begins for its neighbour below: a stack wants room to grow into. */
static uintptr_t start_with_guard(const struct vm_area *a)
{
	uintptr_t guard = a->flags & VM_MAP_STACK ? VM_STACK_GUARD : 0;

	return a->start > guard ? a->start - guard : 0;
}

/* The last area that starts below va. */
static struct vm_area *area_below(uintptr_t va)
{
	struct vm_area *found = NULL;

	for (struct rb_node *n = vm_as.areas.node; n;) {
		struct vm_area *a = rb_entry(n, struct vm_area, node);
		if (a->start < va) {
			found = a;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return found;
}

/* Top-down in [low, from); the largest gap passed over goes to *hole. */
static uintptr_t search_down(uintptr_t low, uintptr_t from, size_t len, size_t *hole)
{
	uintptr_t end = from;
	struct vm_area *above = area_find(from), *a = area_below(from);

	/* An area above may want its guard. */
	if (above && above->start >= from)
		end = MIN(end, start_with_guard(above));
	for (;;) {
		uintptr_t gap = MAX(a ? a->end : 0, low);
		if (end > gap) {
			if (end - gap >= len)
				return end - len;
			*hole = MAX(*hole, end - gap);
		}
		if (!a || a->end <= low)
			return 0;
		end = MIN(end, start_with_guard(a));
		a = area_prev(a);
	}
}

static bool range_is_free(uintptr_t start, size_t len)
{
	if (start < VM_MIN_ADDR || len > ARCH_USER_TOP || start > ARCH_USER_TOP - len)
		return false;
	struct vm_area *a = area_find(start);
	return !a || start + len <= start_with_guard(a);
}

uintptr_t place_find_locked(uintptr_t hint, size_t len, u32 map_flags)
{
	size_t ignored = 0;

	if (hint) {
		/* With MAP_32BIT a hint may also lie below the window, but not reach beyond its end. */
		uintptr_t last = map_flags & VM_MAP_32BIT ? LOW_LAST : ARCH_USER_TOP;

		hint = MAX(ROUND_UP(hint, PAGE_SIZE), VM_MIN_ADDR);
		if (len <= last && hint <= last - len && range_is_free(hint, len))
			return hint;
	}
	if (map_flags & VM_MAP_32BIT) {
		/* A random start inside the window, if it fits; else the whole window. */
		uintptr_t from = LOW_LAST - (random_pages() & ((LOW_LAST - LOW_FIRST) / 2 - 1));
		uintptr_t at = search_down(LOW_FIRST, from, len, &ignored);
		return at ? at : search_down(LOW_FIRST, LOW_LAST, len, &ignored);
	}
	if (len <= vm_as.free_hole) {
		vm_as.free_hint = vm_as.mmap_base;
		vm_as.free_hole = 0;
	}
	uintptr_t at = search_down(VM_MIN_ADDR, vm_as.free_hint, len, &vm_as.free_hole);
	if (at) {
		vm_as.free_hint = at;
		return at;
	}
	return search_down(VM_MIN_ADDR, ARCH_USER_TOP, len, &ignored);
}

void place_freed_locked(uintptr_t start, uintptr_t end)
{
	if (end <= vm_as.free_hint && start < vm_as.free_hint)
		return;
	struct vm_area *a = area_find(end);
	uintptr_t gap_end = a ? start_with_guard(a) : vm_as.mmap_base;
	if (gap_end > vm_as.free_hint)
		vm_as.free_hint = MIN(gap_end, vm_as.mmap_base);
}
