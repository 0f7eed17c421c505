/*
 * user.c - the program's page tables on the host: a sorted array of pages, and user copies that walk
 * it and call the fault hook as the machine would.
 *
 * Invariant: entries[0..n) are sorted by va, each va once.
 */
#include <stdlib.h>

#include "arch/host/host.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"

struct entry {
	uintptr_t va;
	phys_t pa;
	unsigned flags;
};
static struct entry *entries;
static size_t n, room;

static size_t lower_bound(uintptr_t va)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (entries[mid].va < va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct entry *find(uintptr_t va)
{
	size_t i = lower_bound(va);
	return i < n && entries[i].va == va ? &entries[i] : NULL;
}

void host_user_reset(void) { n = 0; }
u64 host_user_mapped_pages(void) { return n; }

int arch_user_map(uintptr_t va, phys_t pa, unsigned pte_flags)
{
	ASSERT(!(va & (PAGE_SIZE - 1)) && va < ARCH_USER_TOP);
	size_t i = lower_bound(va);
	if (i < n && entries[i].va == va) {
		entries[i] = (struct entry){ va, pa, pte_flags };
		return 0;
	}
	if (n == room) {
		room = room ? room * 2 : 1024;
		entries = realloc(entries, room * sizeof *entries);
		if (!entries)
			abort();
	}
	memmove(&entries[i + 1], &entries[i], (n - i) * sizeof *entries);
	entries[i] = (struct entry){ va, pa, pte_flags };
	n++;
	return 0;
}

u32 arch_user_map_absent(uintptr_t va, const phys_t *pa, unsigned count, unsigned pte_flags)
{
	u32 made = 0;

	ASSERT(count <= 32);
	for (unsigned i = 0; i < count; i++, va += PAGE_SIZE)
		if (pa[i] && !find(va) && arch_user_map(va, pa[i], pte_flags) == 0)
			made |= 1u << i;
	return made;
}

bool arch_user_lookup(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags)
{
	struct entry *e = find(va & PAGE_MASK);
	if (!e)
		return false;
	*ret_pa = e->pa;
	*ret_flags = e->flags;
	return true;
}

bool arch_user_unmap(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags)
{
	struct entry *e = find(va);
	if (!e)
		return false;
	*ret_pa = e->pa;
	*ret_flags = e->flags;
	size_t i = (size_t)(e - entries);
	memmove(&entries[i], &entries[i + 1], (n - i - 1) * sizeof *entries);
	n--;
	return true;
}

bool arch_user_protect(uintptr_t va, unsigned pte_flags)
{
	struct entry *e = find(va);
	if (!e)
		return false;
	e->flags = (e->flags & (ARCH_PTE_DIRTY | ARCH_PTE_ACCESSED)) | pte_flags;
	return true;
}

uintptr_t arch_user_next_mapped(uintptr_t va, uintptr_t end)
{
	size_t i = lower_bound(va);
	return i < n && entries[i].va < end ? entries[i].va : end;
}

void arch_user_prune(uintptr_t start, uintptr_t end) {}
void arch_tlb_flush(uintptr_t start, uintptr_t end) {}

/* The kernel address behind va for an access, faulting it in if the hook can; NULL if not. */
static u8 *touch(uintptr_t va, bool write)
{
	for (int attempt = 0; attempt < 3; attempt++) {
		struct entry *e = va < ARCH_USER_TOP ? find(va & PAGE_MASK) : NULL;
		if (e && (!write || (e->flags & ARCH_PTE_WRITE))) {
			e->flags |= ARCH_PTE_ACCESSED | (write ? ARCH_PTE_DIRTY : 0u);
			return (u8 *)arch_phys_to_virt(e->pa) + (va & (PAGE_SIZE - 1));
		}
		if (!arch_hooks.user_fault || va >= ARCH_USER_TOP ||
		    arch_hooks.user_fault(va, write ? ARCH_FAULT_WRITE : ARCH_FAULT_READ, e != NULL, false))
			return NULL;
	}
	return NULL;
}

static size_t copy(uintptr_t va, void *buf, size_t len, bool write)
{
	u8 *b = buf;
	while (len) {
		size_t part = MIN(len, PAGE_SIZE - (va & (PAGE_SIZE - 1)));
		u8 *k = touch(va, write);
		if (!k)
			return len;
		if (!write)
			memcpy(b, k, part);
		else if (b)
			memcpy(k, b, part);
		else
			memset(k, 0, part);
		va += part;
		b = b ? b + part : NULL;
		len -= part;
	}
	return 0;
}

size_t arch_copy_from_user(void *dst, uintptr_t src, size_t len) { return copy(src, dst, len, false); }
size_t arch_copy_to_user(uintptr_t dst, const void *src, size_t len)
{
	return copy(dst, (void *)(uintptr_t)src, len, true);
}
size_t arch_clear_user(uintptr_t dst, size_t len) { return copy(dst, NULL, len, true); }

bool arch_user_get_u64(uintptr_t va, u64 *ret) { return copy(va, ret, sizeof(*ret), false) == 0; }
bool arch_user_put_u64(uintptr_t va, u64 value) { return copy(va, &value, sizeof(value), true) == 0; }

bool arch_user_load_u32(uintptr_t va, u32 *ret)
{
	u8 *k = touch(va, false);
	if (!k)
		return false;
	memcpy(ret, k, 4);
	return true;
}

bool arch_user_cmpxchg_u32(uintptr_t va, u32 old, u32 new_value, u32 *ret_seen)
{
	u8 *k = touch(va, true);
	if (!k)
		return false;
	memcpy(ret_seen, k, 4);
	if (*ret_seen == old)
		memcpy(k, &new_value, 4);
	return true;
}

ssize_t arch_copy_string_from_user(char *dst, uintptr_t va, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		u8 *k = touch(va + i, false);
		if (!k)
			return -1;
		if (!(dst[i] = (char)*k))
			return (ssize_t)i;
	}
	dst[max] = 0;
	return (ssize_t)max;
}
