/*
 * aspace.c - the address space as a whole: its start, its walks, its totals.
 *
 * Locks: see aspace.h. Nothing here fails but vm_init (memory for the zero page).
 */
#include "vm/vm_impl.h"

struct aspace vm_as;
bool vm_policy_allow_jit RO_AFTER_INIT;
void (*vm_policy_event)(const char *what, uintptr_t addr, size_t len, u32 prot) RO_AFTER_INIT;

COLD int vm_init(const struct vm_area_ops *ops)
{
	vm_as = (struct aspace){
		.limits = { .stack_max = 8 * MiB, .data_max = UINT64_MAX, .as_max = UINT64_MAX, .memlock_max = UINT64_MAX },
		.ops = ops,
	};
	rwlock_init(&vm_as.lock);
	spin_init(&vm_as.pt_lock);
	radix_init(&vm_as.hidden, &vm_radix_mem);
	vm_as.zero_page = page_alloc(0, PAGE_ZERO);
	if (!vm_as.zero_page)
		return -ENOMEM;
	vm_as.zero_page->object = NULL;
	vm_as.zero_pa = page_to_phys(vm_as.zero_page);
	vm_randomise();
	reclaim_init();
	return 0;
}

struct vm_limits *vm_limits(void)
{
	return &vm_as.limits;
}

void vm_for_each_area(bool (*fn)(const struct vm_area *a, void *arg), void *arg)
{
	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(0);
	while (a && fn(a, arg))
		a = area_next(a);
	rwlock_unlock_read(&vm_as.lock);
}

COLD bool vm_find_area(uintptr_t va, struct vm_area *ret_copy)
{
	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(va);
	bool found = a && a->start <= va;
	if (found)
		*ret_copy = *a;
	rwlock_unlock_read(&vm_as.lock);
	return found;
}

COLD bool vm_find_area_with_file(uintptr_t va, struct vm_area *ret_copy)
{
	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(va);
	bool found = a && a->start <= va && a->file && vm_as.ops;
	if (found) {
		*ret_copy = *a;
		vm_as.ops->file_get(a->file);
	}
	rwlock_unlock_read(&vm_as.lock);
	return found;
}

void vm_usage(struct vm_usage *ret)
{
	rwlock_read(&vm_as.lock);
	*ret = (struct vm_usage){
		.mapped_pages = vm_as.mapped_pages,
		.resident_anon_pages = READ_ONCE(vm_as.anon_pages),
		.resident_file_pages = READ_ONCE(vm_as.file_pages),
		.data_pages = vm_as.data_pages,
		.stack_pages = vm_as.stack_pages,
		.text_pages = vm_as.text_pages,
		.locked_pages = vm_as.locked_pages,
		.peak_mapped_pages = vm_as.peak_mapped,
		.peak_resident_pages = READ_ONCE(vm_as.peak_resident),
	};
	ret->peak_resident_pages = MAX(ret->peak_resident_pages, ret->resident_anon_pages + ret->resident_file_pages);
	rwlock_unlock_read(&vm_as.lock);
}

int vm_futex_key(uintptr_t va, bool shared, u64 ret_key[2])
{
	int r = 0;

	ret_key[0] = 0;
	ret_key[1] = va;
	if (va >= ARCH_USER_TOP)
		return uaddr_refuse(va);
	if (!shared)
		return 0;
	rwlock_read(&vm_as.lock);
	struct vm_area *a = area_find(va);
	if (!a || va < a->start) {
		r = -EFAULT;
	} else if (a->object && area_is_shared(a)) {
		ret_key[0] = (u64)(uintptr_t)a->object;
		ret_key[1] = a->object_off + (va - a->start);
	}
	rwlock_unlock_read(&vm_as.lock);
	return r;
}
