/*
 * name.c - names that the program gives to its anonymous memory (PR_SET_VMA_ANON_NAME), for /proc/self/maps.
 *
 * A name is kept once and for ever, so that areas compare names by address and readers need no lock; there are at most
 * VM_NAMES_MAX. Invariant: an area with VM_AREA_NAMED has a name of this table. Locks: the address space lock for writing
 * for all of it. What can fail: memory, the table, files.
 */
#include "vm/vm_impl.h"
#include "base/print.h"

static const char *names[VM_NAMES_MAX];
static unsigned nnames;

/* The table's copy of a text, or NULL. */
static const char *name_keep_locked(const char *text)
{
	for (unsigned i = 0; i < nnames; i++)
		if (strcmp(names[i], text) == 0)
			return names[i];
	char *copy = nnames < VM_NAMES_MAX ? heap_strdup(text) : NULL;
	if (copy)
		names[nnames++] = copy;
	return copy;
}

/* The area's part [from, to) becomes one of its own. NULL: no memory. */
static struct vm_area *area_cut_locked(struct vm_area *a, uintptr_t from, uintptr_t to)
{
	struct vm_area *upper;

	if (from > a->start) {
		if (!(upper = area_alloc()))
			return NULL;
		area_split_locked(a, from, upper);
		a = upper;
	}
	if (to < a->end) {
		if (!(upper = area_alloc()))
			return NULL;
		area_split_locked(a, to, upper);
	}
	return a;
}

static int name_area_locked(struct vm_area *a, uintptr_t from, uintptr_t to, const char *anon, const char *shared, struct list *dead)
{
	const char *name = area_is_shared(a) ? shared : anon;

	if (a->file || (a->object && !vm_object_is_anon(a->object)))
		return -EBADF;
	/* The heap and the stack are called so already. */
	if ((a->flags & VM_AREA_RAW) || (a->name && !(a->flags & VM_AREA_NAMED)) || a->name == name)
		return 0;
	a = area_cut_locked(a, from, to);
	if (!a)
		return -ENOMEM;
	a->name = name;
	a->flags = name ? a->flags | VM_AREA_NAMED : a->flags & ~(u32)VM_AREA_NAMED;
	area_merge_locked(a, dead);
	return 0;
}

static int name_range_locked(uintptr_t start, uintptr_t end, const char *anon, const char *shared, struct list *dead)
{
	bool hole = false;

	for (uintptr_t at = start, upto; at < end; at = upto) {
		struct vm_area *a = area_find(at);
		if (!a || a->start >= end)
			return -ENOMEM;
		hole |= a->start > at;
		upto = MIN(a->end, end);
		int r = name_area_locked(a, MAX(a->start, at), upto, anon, shared, dead);
		if (r)
			return r;
	}
	return hole ? -ENOMEM : 0;
}

int vm_set_name(uintptr_t addr, size_t len, const char *name)
{
	struct list dead = LIST_INIT(dead);
	char text[VM_NAME_MAX + 16];
	const char *anon = NULL, *shared = NULL;
	uintptr_t end;
	int r = 0;

	if ((addr & ~PAGE_MASK) || ROUND_UP(len, PAGE_SIZE) < len)
		return -EINVAL;
	if (!len)
		return 0;
	if (map_check_range(addr, len, &end))
		return -ENOMEM;
	rwlock_write(&vm_as.lock);
	if (name) {
		fmt_buf(text, sizeof(text), "[anon:%s]", name);
		anon = name_keep_locked(text);
		fmt_buf(text, sizeof(text), "[anon_shmem:%s]", name);
		shared = anon ? name_keep_locked(text) : NULL;
		if (!shared)
			r = -ENOMEM;
	}
	if (r == 0)
		r = name_range_locked(addr, end, anon, shared, &dead);
	rwlock_unlock_write(&vm_as.lock);
	area_release_dead(&dead);
	return r;
}
