/*
 * heap_host.c - mm/heap.h on the host's malloc, so that the sanitizers see every object. The real
 * heap has a test of its own (tests/unit/mm_heap_test.c).
 */
#include <malloc.h>
#include <stdlib.h>

#include "base/string.h"
#include "mm/heap.h"

static u64 fail_countdown, used;

static bool fail_injected(void) { return fail_countdown && --fail_countdown == 0; }

void *heap_alloc(size_t size)
{
	if (!size || fail_injected())
		return NULL;
	void *p = NULL;
	/* The alignment that heap.h promises. */
	if (posix_memalign(&p, size >= 64 ? 64 : 16, size))
		return NULL;
	memset(p, 0, size);
	used += size;
	return p;
}
void *heap_alloc_array(size_t n, size_t size)
{
	size_t total;
	return __builtin_mul_overflow(n, size, &total) ? NULL : heap_alloc(total);
}
void heap_free(void *p)
{
	if (p)
		used -= malloc_usable_size(p);
	free(p);
}
size_t heap_size(const void *p) { return malloc_usable_size((void *)(uintptr_t)p); }
void *heap_realloc(void *p, size_t size)
{
	void *q = heap_alloc(size);
	if (q && p) {
		memcpy(q, p, MIN(size, heap_size(p)));
		heap_free(p);
	}
	return q;
}
char *heap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *d = heap_alloc(n);
	if (d)
		memcpy(d, s, n);
	return d;
}
void *heap_cache_alloc(struct heap_cache *c) { return heap_alloc(c->object_size); }
void heap_cache_free(struct heap_cache *c, void *p) { heap_free(p); }
bool heap_cache_tell(struct heap_cache **at, struct heap_cache_info *ret) { return false; }
u64 heap_used_bytes(void) { return used; }
void heap_fail_nth(u64 n) { fail_countdown = n; }
