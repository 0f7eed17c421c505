/*
 * vm_impl.h - what the files of vm/ share: the address space itself, areas, batches of unmapped
 * pages. Nobody outside vm/ includes it.
 *
 * Lock letters: A aspace.lock (R or W held), P aspace.pt_lock, O the object's lock, C constant.
 * An area's start, end, object_off and object_link change with A held for writing and, if it has
 * an object, O too: whoever holds either sees them whole.
 */
#ifndef VM_VM_IMPL_H
#define VM_VM_IMPL_H

#include "vm/aspace.h"
#include "mm/heap.h"
#include "base/log.h"
#include "base/string.h"

/* For larger locals on hot paths, which the compiler would zero first. */
#define UNINITIALISED __attribute__((uninitialized))

/* Further bits of vm_area.flags. */
enum {
	VM_AREA_WAS_WRITABLE = 1u << 16,  /* its pages may hold what the program wrote: never executable without policy */
	VM_AREA_HIDDEN       = 1u << 17,  /* some of its pages may lie in aspace.hidden */
	VM_AREA_RAW          = 1u << 18,  /* shows fixed physical pages that have no owner here (vvar) */
	VM_AREA_NAMED        = 1u << 20,  /* its name is the program's (name.c) */
	VM_AREA_SEALED       = 1u << 19,  /* the kernel's own (vDSO): may be unmapped, not reprotected */
};

#define VM_MIN_ADDR        0x10000ull          /* nothing is ever mapped below */
#define VM_STACK_GUARD     (256 * PAGE_SIZE)   /* kept free below an area that grows down */
#define VM_AREAS_MAX       65530u
#define VM_RANDOM_BITS     28u                 /* of each random base, in pages */

struct aspace {
	struct rwlock lock;
	struct rb_root areas;            /* A */
	struct vm_area *recent;          /* the last area a fault found; read and set with A for reading, cleared with A for writing */
	u32 nareas;                      /* A */
	uintptr_t mmap_base;             /* C after exec */
	uintptr_t free_hint;             /* A: placement starts here: no gap above is as large as free_hole */
	size_t free_hole;                /* A */
	u64 mapped_pages, data_pages, stack_pages, text_pages, locked_pages;  /* A */
	uintptr_t brk_start, brk_end;    /* A */
	bool lock_future;                /* A: mlockall(MCL_FUTURE) */
	struct spinlock pt_lock;         /* the page tables; a leaf lock, never from interrupts */
	u64 anon_pages, file_pages;      /* P: resident */
	u64 peak_resident;               /* P: as of the last time that pages left */
	u64 peak_mapped;                 /* A */
	u32 reclaiming;                  /* atomic: how many take pages of objects away now, and flush later */
	struct radix hidden;             /* P: private pages under PROT_NONE, by page number */
	struct page *zero_page;          /* C */
	phys_t zero_pa;                  /* C */
	struct vm_limits limits;
	const struct vm_area_ops *ops;   /* C */
};
extern struct aspace vm_as;
extern const struct radix_mem vm_radix_mem;

static inline bool area_has_access(const struct vm_area *a, enum arch_fault_access access)
{
	if (access == ARCH_FAULT_WRITE)
		return a->prot & VM_PROT_WRITE;
	if (access == ARCH_FAULT_EXEC)
		return a->prot & VM_PROT_EXEC;
	return a->prot != 0;             /* write or execute implies read on this machine */
}
static inline u64 area_index(const struct vm_area *a, uintptr_t va)
{
	return (a->object_off + (va - a->start)) >> PAGE_SHIFT;
}
static inline unsigned area_pte_flags(const struct vm_area *a, bool writable)
{
	return (writable ? ARCH_PTE_WRITE : 0) | (a->prot & VM_PROT_EXEC ? ARCH_PTE_EXEC : 0);
}
/* Pages are about to leave: what was there may have been the most. P. */
static inline void peak_note_locked(void)
{
	u64 now = vm_as.anon_pages + vm_as.file_pages;

	if (now > vm_as.peak_resident)
		vm_as.peak_resident = now;
}
static inline bool area_is_shared(const struct vm_area *a) { return a->flags & VM_MAP_SHARED; }
static inline size_t area_len(const struct vm_area *a) { return a->end - a->start; }

/* ---- page flags ---- */
static inline bool page_has(const struct page *p, u32 flag)
{
	return __atomic_load_n(&p->flags, __ATOMIC_ACQUIRE) & flag;
}
static inline void page_set(struct page *p, u32 flag) { __atomic_fetch_or(&p->flags, flag, __ATOMIC_RELEASE); }
static inline void page_clear(struct page *p, u32 flag) { __atomic_fetch_and(&p->flags, ~flag, __ATOMIC_RELEASE); }
static inline void page_touch(struct page *p)
{
	if (!(READ_ONCE(p->flags) & PAGE_ACCESSED))
		page_set(p, PAGE_ACCESSED);
}
static inline u32 page_refs(const struct page *p) { return __atomic_load_n(&p->refs, __ATOMIC_ACQUIRE); }

/* ---- area.c: the tree of areas (A held) ---- */
struct vm_area *area_find(uintptr_t va);               /* the first area that ends above va, or NULL */
static inline struct vm_area *area_next(const struct vm_area *a)
{
	struct rb_node *n = rb_next(&a->node);
	return n ? rb_entry(n, struct vm_area, node) : NULL;
}
static inline struct vm_area *area_prev(const struct vm_area *a)
{
	struct rb_node *n = rb_prev(&a->node);
	return n ? rb_entry(n, struct vm_area, node) : NULL;
}
struct vm_area *area_alloc(void);                      /* NULL if out of memory */
void area_insert_locked(struct vm_area *a);            /* into the tree and its object's list; accounts */
/* Out of the tree and its object's list, onto dead; the references are dropped by area_release_dead. */
void area_remove_locked(struct vm_area *a, struct list *dead);
/* Cut a in two at va: the upper part becomes the fresh area `upper`, which is in the tree when this returns. */
void area_split_locked(struct vm_area *a, uintptr_t va, struct vm_area *upper);
/* Join a with its neighbours where nothing tells them apart; a may be gone after, the joined area is returned. */
struct vm_area *area_merge_locked(struct vm_area *a, struct list *dead);
void area_set_prot_locked(struct vm_area *a, u32 prot);
/* Move a's lower or upper end (growing, shrinking from an end). */
void area_resize_locked(struct vm_area *a, uintptr_t start, uintptr_t end);
void area_release_dead(struct list *dead);             /* no lock held */
void area_free(struct vm_area *a);                     /* one that was never inserted; NULL is fine */

/* ---- place.c: where new mappings go ---- */
/* A free range of len bytes, at the hint if that is free, else top-down; 0 if there is none. A held for writing. */
uintptr_t place_find_locked(uintptr_t hint, size_t len, u32 map_flags);
void place_freed_locked(uintptr_t start, uintptr_t end);

/* ---- zap.c: taking pages out of the page tables ---- */
#define VM_GATHER_MAX     64u    /* of an object: their links are the LRU list's */
#define VM_GATHER_PRIVATE 2048u  /* private ones hang on their own links */
struct vm_gather {
	uintptr_t start, end;            /* to flush */
	unsigned n, nprivate;
	struct list private_pages;
	struct page *pages[VM_GATHER_MAX];
};
static inline void gather_init(struct vm_gather *g)
{
	g->start = UINTPTR_MAX;
	g->end = 0;
	g->n = g->nprivate = 0;
	list_init(&g->private_pages);
}
static inline bool gather_has_room(const struct vm_gather *g)
{
	return g->n < VM_GATHER_MAX && g->nprivate < VM_GATHER_PRIVATE;
}
static inline void gather_range(struct vm_gather *g, uintptr_t va)
{
	if (va < g->start)
		g->start = va;
	if (va + PAGE_SIZE > g->end)
		g->end = va + PAGE_SIZE;
}
/* Take the dirty mark from p; false if it had none. Its object is locked. */
bool object_clean_page_locked(struct page *p);
void gather_finish(struct vm_gather *g);               /* flush, then free; pt_lock not held */
/* Unmap and free everything in [start, end) of area a; hidden pages too. A held (either way). */
void zap_area_range(struct vm_area *a, uintptr_t start, uintptr_t end);
/* Free the page tables of a range that has no areas any more, if it is worth it. A held for writing. */
void zap_prune(uintptr_t start, uintptr_t end);
/* Memory is short: free every empty page table; how many pages came of it. */
unsigned zap_prune_all(void);
/* Apply a's prot to its pages in [start, end). -ENOMEM (PROT_NONE needs memory to hide pages): nothing lost. A held for writing. */
int zap_reprotect(struct vm_area *a, uintptr_t start, uintptr_t end);
/* Move the pages of a's [old, old + len) to new_va, where nothing is and which will belong to `to`. -ENOMEM: nothing has moved. A held for writing. */
int zap_move(struct vm_area *a, struct vm_area *to, uintptr_t old, uintptr_t new_va, size_t len);
/* Bring the hidden page of va back into the page tables; false if there is none. */
bool zap_unhide(struct vm_area *a, uintptr_t va, int *ret_error);

/* ---- fault.c ---- */
/* Make [start, end) resident (write faults where a is writable). 0, -ENOMEM, -EFAULT, -EIO. No lock held. */
int fault_in_range(uintptr_t start, uintptr_t end, bool write);

/* ---- map.c ---- */
/* Unmap [start, end). If one area must be split, *spare is used and set to NULL. A held for writing. */
void map_unmap_locked(uintptr_t start, uintptr_t end, struct vm_area **spare, struct list *dead);
/* May len more bytes be mapped (RLIMIT_AS, RLIMIT_DATA, number of areas)? 0 or -ENOMEM. */
int map_check_limits_locked(size_t len, u32 prot, u32 flags);
/* Page-aligned, not empty after rounding, inside the program's half: the end goes to *ret_end. -EINVAL, -ENOMEM. */
int map_check_range(uintptr_t addr, size_t len, uintptr_t *ret_end);
/* The policy of writable and executable memory: 0 or -EACCES (and an event). */
int map_check_wx(uintptr_t addr, size_t len, u32 prot, u32 area_flags);

/* ---- object.c, object_fill.c, reclaim.c ---- */
static inline bool object_is_memory(const struct vm_object *o) { return !o->ops->read_pages; }
static inline unsigned object_page_kind(const struct vm_object *o) { return PAGE_FOR(o->reclaimable ? PAGE_KIND_FILE : PAGE_KIND_SHMEM); }
/* A page for o, not in it yet; PAGE_ZERO or 0. NULL after reclaim has failed. May sleep. */
struct page *object_fresh_page(struct vm_object *o, unsigned flags) MUST_CHECK;
/* Stores through shared mappings need no notice: pages may be mapped writable at once. */
static inline bool object_untracked(const struct vm_object *o) { return !o->ops->write_pages && !o->ops->page_mkwrite; }
/* vm_object_lookup, inline. */
static ALWAYS_INLINE struct page *object_lookup(struct vm_object *o, u64 index)
{
	spin_lock(&o->lock);
	struct page *p = radix_get_low(&o->tree, index);
	if (unlikely(!p || !page_has(p, PAGE_UPTODATE))) {
		spin_unlock(&o->lock);
		return NULL;
	}
	page_get(p);
	spin_unlock(&o->lock);
	page_touch(p);
	return p;
}
/* As vm_object_get_page, and on a miss reads up to want pages from index on. */
int object_get(struct vm_object *o, u64 index, u64 want_pages, struct page **ret_page) MUST_CHECK;
/* References to up to n up-to-date pages of consecutive places from index on, NULL where there is none. */
void object_gang(struct vm_object *o, u64 index, unsigned n, struct page **ret_pages);
/* Put a fresh page (refs 1, which becomes the tree's) at index. -EEXIST, -ENOMEM: it is still the caller's. O held. */
int object_insert_locked(struct vm_object *o, u64 index, struct page *p, u32 flags) MUST_CHECK;
/*
 * A page for the program (or a memory file), which nothing can take back: the last pages of the machine are kept for the
 * kernel, so that it can end the program in good order. NULL after reclaim has failed. May sleep.
 */
struct page *reclaim_page_for_user(unsigned flags) MUST_CHECK;
/* The same for a page of a file, which is easier to get back: half as much is kept. */
struct page *reclaim_page_for_file(unsigned flags) MUST_CHECK;
/* Memory is not so short that only pages that were asked for should be read. */
bool reclaim_spare(void);
void lru_add(struct page *p);
void lru_remove(struct page *p);
/* Out of the tree, whose reference becomes the caller's. O held. */
void object_remove_locked(struct vm_object *o, struct page *p);
/* readahead.c: as object_get, for a read by call; and: o->ra_mark is being read. */
int readahead_miss(struct vm_object *o, u64 index, u64 want_pages, struct page **ret_page) MUST_CHECK;
void readahead_mark(struct vm_object *o);
#define FILL_MAX 64u                         /* pages that are read together */
/* object_fill.c: read the page at index, which was absent, and up to want pages on. -EEXIST: someone else was faster. */
int object_fill(struct vm_object *o, u64 index, u64 want, struct page **ret_page) MUST_CHECK;
void reclaim_init(void);

/* ---- object_map.c: the reverse way, from a page to its mappings (O held) ---- */
/*
 * Unmap page p everywhere; its mappings' references go into g. False if g is full (call again after
 * gather_finish) or, unless force, an mlocked area shows it.
 */
bool object_unmap_page_locked(struct vm_object *o, struct page *p, bool force, struct vm_gather *g);
/* The private copies that mappings show in place of pages from first on go away. O not held. */
void object_unmap_copies(struct vm_object *o, u64 first);
/* Make every mapping of p read-only. */
void object_write_protect_locked(struct vm_object *o, struct page *p, struct vm_gather *g);

#endif
