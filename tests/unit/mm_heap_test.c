/*
 * mm_heap_test.c - the page allocator and the real slab heap, on the host's fake RAM.
 * The heap is compiled into this file under other names (the host library has malloc's).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define heap_alloc real_heap_alloc
#define heap_alloc_array real_heap_alloc_array
#define heap_free real_heap_free
#define heap_size real_heap_size
#define heap_realloc real_heap_realloc
#define heap_strdup real_heap_strdup
#define heap_cache_alloc real_heap_cache_alloc
#define heap_cache_free real_heap_cache_free
#define heap_used_bytes real_heap_used_bytes
#define heap_fail_nth real_heap_fail_nth
#define heap_cache_tell real_heap_cache_tell
#include "../../kernel/mm/heap.c"

static void pages_all_and_back(void **state)
{
	u64 before = page_free_count();
	struct list taken = LIST_INIT(taken);
	struct page *p;
	u64 n = 0;
	while ((p = page_alloc(0, 0))) {
		assert_int_equal(p->refs, 1);
		list_append(&taken, &p->link);
		n++;
	}
	assert_int_equal(n, before);
	struct list *l;
	while ((l = list_pop(&taken)))
		page_put(list_entry(l, struct page, link));
	assert_int_equal(page_free_count(), before);
	/* Everything merged again: the largest block is there many times. */
	p = page_alloc(PAGE_ORDER_MAX, 0);
	assert_non_null(p);
	assert_int_equal(page_to_phys(p) % (PAGE_SIZE << PAGE_ORDER_MAX), 0);
	page_free(p, PAGE_ORDER_MAX);
	assert_null(page_alloc(PAGE_ORDER_MAX + 1, 0));
}

static void pages_orders(void **state)
{
	struct { struct page *p; unsigned order; } live[64] = { { 0 } };
	srand(3);
	u64 before = page_free_count();
	for (int i = 0; i < 20000; i++) {
		int k = rand() % 64;
		if (live[k].p) {
			u8 *v = page_to_virt(live[k].p);
			assert_int_equal(v[0], k);
			assert_int_equal(v[(PAGE_SIZE << live[k].order) - 1], k);
			page_free(live[k].p, live[k].order);
			live[k].p = NULL;
			continue;
		}
		live[k].order = (unsigned)rand() % 6;
		live[k].p = page_alloc(live[k].order, PAGE_ZERO);
		assert_non_null(live[k].p);
		u8 *v = page_to_virt(live[k].p);
		assert_int_equal(v[123], 0);
		v[0] = v[(PAGE_SIZE << live[k].order) - 1] = (u8)k;
		assert_ptr_equal(phys_to_page(page_to_phys(live[k].p)), live[k].p);
	}
	for (int k = 0; k < 64; k++)
		if (live[k].p)
			page_free(live[k].p, live[k].order);
	assert_int_equal(page_free_count(), before);
}

static void heap_model(void **state)
{
	struct { u8 *p; size_t n; } live[500] = { { 0 } };
	srand(5);
	for (int i = 0; i < 60000; i++) {
		int k = rand() % 500;
		if (live[k].p) {
			for (size_t j = 0; j < live[k].n; j += 37)
				assert_int_equal(live[k].p[j], (u8)k);
			heap_free(live[k].p);
			live[k].p = NULL;
			continue;
		}
		live[k].n = (size_t)(rand() % (rand() % 10 ? 700 : 9000)) + 1;
		live[k].p = heap_alloc(live[k].n);
		assert_non_null(live[k].p);
		assert_int_equal((uintptr_t)live[k].p % (live[k].n >= 64 ? 64 : 16), 0);
		assert_true(heap_size(live[k].p) >= live[k].n);
		for (size_t j = 0; j < heap_size(live[k].p); j++)
			assert_int_equal(live[k].p[j], 0);
		memset(live[k].p, k, live[k].n);
	}
	for (int k = 0; k < 500; k++)
		heap_free(live[k].p);
	assert_int_equal(heap_used_bytes(), 0);
	assert_null(heap_alloc(0));
	assert_null(heap_alloc_array(SIZE_MAX / 2, 4));
	heap_fail_nth(2);
	void *a = heap_alloc(8), *b = heap_alloc(8), *c = heap_alloc(8);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	heap_free(a);
	heap_free(c);
}

/* What is handed out is counted by kind, and what the heap gives out by cache. */
static void counted_by_kind(void **state)
{
	struct heap_cache *at = NULL;
	struct heap_cache_info info;
	u64 nets = page_kind_count(PAGE_KIND_NET), pipes = page_kind_count(PAGE_KIND_PIPE), slabs = page_kind_count(PAGE_KIND_SLAB);
	struct page *a = page_alloc(0, PAGE_FOR(PAGE_KIND_NET)), *b = page_alloc(3, PAGE_ZERO | PAGE_FOR(PAGE_KIND_PIPE));
	void *p = heap_alloc(1024), *q = heap_alloc(5 * PAGE_SIZE);
	bool seen = false;

	assert_int_equal(page_kind_count(PAGE_KIND_NET), nets + 1);
	assert_int_equal(page_kind_count(PAGE_KIND_PIPE), pipes + 8);
	assert_true(page_kind_count(PAGE_KIND_SLAB) >= slabs + 8);
	while (heap_cache_tell(&at, &info)) {
		seen |= info.size == 1024 && info.used == 1;
		assert_non_null(info.name);
	}
	assert_true(seen);
	assert_int_equal(heap_used_bytes(), 1024 + 8 * PAGE_SIZE);
	a->flags |= PAGE_UPTODATE | PAGE_ACCESSED;   /* its owner's marks do not matter */
	page_put(a);
	page_free(b, 3);
	heap_free(p);
	heap_free(q);
	assert_int_equal(page_kind_count(PAGE_KIND_NET), nets);
	assert_int_equal(page_kind_count(PAGE_KIND_PIPE), pipes);
	assert_int_equal(heap_used_bytes(), 0);
}

/* A list goes back at once: in rows, in any order, of two kinds, with pages that somebody else still holds. */
static void pages_of_a_list(void **state)
{
	enum { N = 200 };
	struct page *page[N];
	u64 before = page_free_count(), nets = page_kind_count(PAGE_KIND_NET), pipes = page_kind_count(PAGE_KIND_PIPE);

	srand(5);
	for (unsigned round = 0; round < 300; round++) {
		struct list l = LIST_INIT(l);
		unsigned held = 0;
		for (unsigned i = 0; i < N; i++) {
			page[i] = page_alloc(0, PAGE_FOR(round % 2 && i % 32 == 7 ? PAGE_KIND_PIPE : PAGE_KIND_NET));
			assert_non_null(page[i]);
		}
		for (unsigned i = 0; round % 3 == 2 && i < N; i++) {
			unsigned k = (unsigned)rand() % N;
			struct page *t = page[i];
			page[i] = page[k];
			page[k] = t;
		}
		for (unsigned i = 0; i < N; i++) {
			list_append(&l, &page[i]->link);
			if (round % 5 == 4 && i % 41 == 3) {
				page_get(page[i]);
				page[held++] = page[i];
			}
		}
		page_put_list(&l);
		assert_int_equal(page_free_count(), before - held);
		assert_int_equal(page_kind_count(PAGE_KIND_NET) + page_kind_count(PAGE_KIND_PIPE), nets + pipes + held);
		for (unsigned i = 0; i < held; i++) {
			assert_int_equal(page[i]->refs, 1);
			page_put(page[i]);
		}
		assert_int_equal(page_free_count(), before);
	}
	assert_int_equal(page_kind_count(PAGE_KIND_NET), nets);
	assert_int_equal(page_kind_count(PAGE_KIND_PIPE), pipes);
}

static void heap_realloc_keeps(void **state)
{
	u8 *p = NULL;
	for (size_t n = 1; n < 20000; n = n * 3 / 2 + 1) {
		p = heap_realloc(p, n);
		p[n - 1] = (u8)n;
		assert_int_equal(p[0], 1);
		if (n == 1)
			p[0] = 1;
	}
	heap_free(p);
}

/* Our own bugs must end the machine: each runs in a child that has to die. */
static void dies(void (*fn)(void))
{
	fflush(NULL);
	pid_t pid = fork();
	if (!pid) {
		close(2);
		fn();
		_exit(0);
	}
	int st;
	waitpid(pid, &st, 0);
	assert_true(WIFSIGNALED(st) || WEXITSTATUS(st));
}
static void double_free(void)
{
	void *p = heap_alloc(100);
	heap_free(p);
	heap_free(p);
}
static void free_inside(void) { heap_free((u8 *)heap_alloc(128) + 16); }
static void use_after_free(void)
{
	u64 *p = heap_alloc(64);
	heap_free(p);
	p[0] ^= 0xffff0000;
	for (int i = 0; i < 200; i++)
		(void)!heap_alloc(64);
}
static void corruption_is_found(void **state)
{
	dies(double_free);
	dies(free_inside);
	dies(use_after_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_orders), cmocka_unit_test(heap_model), cmocka_unit_test(counted_by_kind), cmocka_unit_test(pages_of_a_list), cmocka_unit_test(heap_realloc_keeps),
		cmocka_unit_test(corruption_is_found), cmocka_unit_test(pages_all_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
