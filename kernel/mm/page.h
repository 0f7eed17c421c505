/*
 * page.h - physical pages.
 *
 * A buddy allocator over the RAM of boot_info. Nothing is touched before it is needed:
 * memory above the frontier has never been given out and its struct pages are not
 * initialised; the frontier moves up by 2 MiB when the free lists are empty.
 *
 * Each page is of a kind, which says who asked for it: what the memory went for is counted (page_kind_count).
 *
 * Locks: one irq-safe spinlock, with a small per-CPU stock of single pages in front.
 * Nothing here sleeps. Allocation fails with NULL; callers that can wait call
 * page_reclaim first (registered by the page cache).
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "arch/arch.h"
#include "base/list.h"

#define PAGE_ORDER_MAX 10u /* 4 MiB */

enum page_flag {
	PAGE_UPTODATE = 1u << 0,  /* page cache: contents are valid */
	PAGE_LOCKED   = 1u << 1,  /* page cache: being filled or written */
	PAGE_DIRTY    = 1u << 2,
	PAGE_ERROR    = 1u << 3,
	PAGE_SLAB     = 1u << 4,
	PAGE_ACCESSED = 1u << 5,
	PAGE_FREE     = 1u << 6,  /* on a free list (mm/ only) */
	PAGE_MAPPED   = 1u << 7,  /* has (had) user mappings */
	PAGE_REPORTED = 1u << 8,  /* of a free block: the host was told that it needs no memory (mm/ only) */
};

/* What a page is used for. Counted only. */
enum page_kind {
	PAGE_KIND_OTHER,
	PAGE_KIND_ANON,              /* the program's private memory */
	PAGE_KIND_FILE,              /* cached from a device: can be dropped */
	PAGE_KIND_SHMEM,             /* memory files, shared memory */
	PAGE_KIND_SLAB,              /* the heap */
	PAGE_KIND_TABLE,             /* page tables */
	PAGE_KIND_STACK,             /* kernel stacks */
	PAGE_KIND_NET,               /* frames received, data to be sent */
	PAGE_KIND_PIPE,
	PAGE_KINDS
};
#define PAGE_KIND_SHIFT 24u  /* in struct page's flags */

/* One for each physical page, 40 bytes. Members belong to the page's owner except as noted. */
struct page {
	u32 flags;              /* enum page_flag, and the kind above PAGE_KIND_SHIFT; atomic operations */
	u32 refs;               /* atomic; 0 = free */
	union {
		struct {
			struct vm_object *object;  /* page cache: the object and the index in it */
			u64 index;
		};
		struct {
			void *slab_cache;
			void *slab_free;
		};
		u64 private_data[2];
	};
	struct list link;       /* free list, LRU, or the owner's use */
};

/* page_alloc's flags: */
#define PAGE_ZERO (1u << 0)             /* clear the page(s) */
#define PAGE_FOR(kind) ((u32)(kind) << PAGE_KIND_SHIFT)

/* 2^order contiguous pages with refs = 1 (on the first), or NULL. Any context. */
struct page *page_alloc(unsigned order, unsigned flags) MUST_CHECK;
void page_free(struct page *p, unsigned order);           /* refs must be 1 or 0 */
static inline void page_get(struct page *p) { __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED); }
/* Drop a reference of a single page; the last one frees it. */
void page_put(struct page *p);
static ALWAYS_INLINE void page_put_here(struct page *p)
{
	if (unlikely(__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) <= 1))
		page_free(p, 0);         /* which sees one too many */
}

/* Drop a reference of each page on the list (by its link), which is not to be used any more. Neighbours in a row go back together. */
void page_put_list(struct list *pages);

/* A run of allocatable RAM and the structs of its pages; [0] is the largest. For the inlines below only. */
struct page_range {
	struct page *pages;          /* of first_pfn */
	u64 first_pfn, count;
	u64 frontier;                /* pages below it have been given out at some time; changes under page.c's lock */
};
extern struct page_range page_ranges[];
phys_t page_to_phys_slow(const struct page *p);
struct page *phys_to_page_slow(phys_t pa);

static inline phys_t page_to_phys(const struct page *p)
{
	const struct page_range *r = &page_ranges[0];
	u64 i = (u64)(p - r->pages);
	return !FOR_SIZE && likely(i < r->count) ? (r->first_pfn + i) << PAGE_SHIFT : page_to_phys_slow(p);
}
/* NULL if pa is no allocatable RAM */
static inline struct page *phys_to_page(phys_t pa)
{
	const struct page_range *r = &page_ranges[0];
	u64 i = (pa >> PAGE_SHIFT) - r->first_pfn;
	return !FOR_SIZE && likely(i < r->frontier - r->first_pfn) ? r->pages + i : phys_to_page_slow(pa);
}
static inline void *page_to_virt(const struct page *p) { return arch_phys_to_virt(page_to_phys(p)); }
static inline struct page *virt_to_page(const void *v) { return phys_to_page(arch_virt_to_phys(v)); }

u64 page_free_count(void);
u64 page_total_count(void);
/* Pages of a kind in use. Roughly right while other CPUs are at it. */
u64 page_kind_count(enum page_kind kind);
/* The page cache (and others) register a way to give pages back; returns how many it freed. May sleep. */
void page_reclaim_register(unsigned (*shrink)(unsigned want_pages));
/* Try to free want pages by asking the registered shrinkers; returns how many were freed. May sleep. */
unsigned page_reclaim(unsigned want_pages);
/* page_alloc, and when that fails reclaim and try again. May sleep. NULL only if nothing could be freed. */
struct page *page_alloc_wait(unsigned order, unsigned flags) MUST_CHECK;

/*
 * Free memory for the host: take up to max free blocks of 2^PAGE_REPORT_ORDER pages and more (order: each one's index) that it was not told
 * of, at most half of what is free; they are nobody's until page_report_done, after which the host may have dropped what they held. 0: there
 * are none; then `wanted` is called once, with the allocator's lock held, when there may be one. Any context.
 */
#define PAGE_REPORT_ORDER 5u
unsigned page_report_take(struct page **ret_blocks, unsigned max, void (*wanted)(void)) MUST_CHECK;
void page_report_done(struct page **blocks, unsigned n);

/* Boot: take over the RAM of boot_info. */
void page_init(void);

#endif
