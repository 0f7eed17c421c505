/*
 * heap.h - the kernel heap: slabs of power-of-two and named sizes over mm/page.h.
 *
 * Freelists are randomised and their links encoded with a per-boot secret; a double free
 * or a broken link panics. Freed objects are zeroed (heap_alloc therefore returns zeroed
 * memory always). Sizes above 2 KiB take whole pages. Any context (irq-safe); never sleeps.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include "base/types.h"

/* Zeroed memory, 16-byte aligned (64-byte from 64 up); NULL if there is none. size 0 gives NULL. */
void *heap_alloc(size_t size) MUST_CHECK __attribute__((malloc, alloc_size(1)));
/* n * size with overflow check. */
void *heap_alloc_array(size_t n, size_t size) MUST_CHECK;
void heap_free(void *p);                 /* NULL is fine */
size_t heap_size(const void *p);         /* the usable size */
/* Grow or shrink, contents kept, the new part zeroed; NULL leaves the old one alone. */
void *heap_realloc(void *p, size_t size) MUST_CHECK;
char *heap_strdup(const char *s) MUST_CHECK;

/* A cache for objects of one type: denser than the power-of-two classes. */
struct heap_cache {
	const char *name;
	u32 object_size, align;
	void *impl[9];                   /* heap.c's own */
};
#define HEAP_CACHE(type) { .name = #type, .object_size = sizeof(struct type), .align = _Alignof(struct type) }
void *heap_cache_alloc(struct heap_cache *c) MUST_CHECK;   /* zeroed; NULL */
void heap_cache_free(struct heap_cache *c, void *p);

/* One cache after the other, those of sizes included: *at is NULL at first; false when there are no more. Any context. */
struct heap_cache_info {
	const char *name;
	u32 size;                    /* bytes that an object takes */
	u64 used;                    /* objects in use */
};
bool heap_cache_tell(struct heap_cache **at, struct heap_cache_info *ret);
u64 heap_used_bytes(void);
/* Tests: make the n-th allocation from now on fail (0 = off). */
void heap_fail_nth(u64 n);

#endif
