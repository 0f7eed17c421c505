/*
 * object.h - memory objects: what a mapping shows. The page cache of a file is one, a shared
 * anonymous mapping is one. Pages are kept in a radix tree by index (page number in the object).
 *
 * The page cache is here, in vm, so that file mappings and read/write share one copy; file
 * systems fill pages through vm_object_ops.
 *
 * Locks: object->lock (spinlock) guards the tree; a page's PAGE_LOCKED bit is a sleeping lock
 * held while its contents are filled or written back. Order: address space lock > page lock >
 * object->lock > page table lock. The fault path takes no vnode lock.
 *
 * A page in an object has page->object and page->index set; private anonymous pages have
 * page->object NULL. A page that was dropped (truncate) while someone still holds it has
 * page->object == VM_OBJECT_DEAD.
 *
 * Memory objects (ops->read_pages NULL) have no other copy of their pages: a page that is
 * absent is a hole and reads as zeros.
 */
#ifndef VM_OBJECT_H
#define VM_OBJECT_H

#include "base/radix.h"
#include "mm/page.h"
#include "sched/mutex.h"
#include "vm/uio.h"

struct vm_object;

#define VM_WRITE_PAGES_MAX 64u       /* that write_pages gets at once */
#define VM_OBJECT_DEAD ((struct vm_object *)1)

struct vm_object_ops {
	/* Fill npages locked, consecutive pages (their index says which part). What lies beyond the end is zeroed. 0 or errno. May sleep. */
	int (*read_pages)(struct vm_object *o, struct page **pages, unsigned npages);
	/*
	 * A call reads a page that is absent, which is not made for it: the page to show instead, with a reference, or NULL for
	 * zeros goes to *ret_page. 0 or errno. May sleep. NULL: the page is read (read_pages), or is a hole (memory objects).
	 */
	int (*read_absent)(struct vm_object *o, u64 index, struct page **ret_page);
	/* Write at most VM_WRITE_PAGES_MAX locked pages back, in rising order, with gaps (persistent file systems only; NULL for memory file systems). */
	int (*write_pages)(struct vm_object *o, struct page **pages, unsigned npages);
	/* The object's size in bytes now: faults beyond the last page are SIGBUS. NULL: no limit. */
	u64 (*size)(struct vm_object *o);
	/* A shared mapping is about to make the page writable (allocate blocks...); NULL: fine. */
	int (*page_mkwrite)(struct vm_object *o, struct page *p);
	/* After that, when the page is dirty. NULL: nobody needs to know. Must not sleep. */
	void (*page_dirtied)(struct vm_object *o);
	/* The last reference went away. Pages are gone already; o itself is the owner's to free. */
	void (*release)(struct vm_object *o);
	/* An area more, and one less, shows the object; NULL: nobody counts. mapped: address space lock held, must not sleep; unmapped: no lock held. */
	void (*mapped)(struct vm_object *o);
	void (*unmapped)(struct vm_object *o);
};

struct vm_object {
	const struct vm_object_ops *ops;
	struct spinlock lock;        /* O */
	struct radix tree;           /* O: pages by index; the mark says dirty */
	u64 npages;                  /* O */
	u64 anon_size;               /* anonymous objects: bytes */
	u32 refs;                    /* atomic */
	u32 pins;                    /* atomic: reclaim looks at it; the last put waits for 0 */
	u8 reclaimable;              /* clean pages may be dropped (a file system can read them again) */
	u8 readahead;                /* pages to read around a miss, 0 or 1 = none */
	u16 ra_pages;                /* readahead.c's guesses: length of the last window */
	u64 ra_next, ra_mark, ra_end; /* where what was last filled ends; the last window's first page (UINT64_MAX: none) and its end */
	struct mutex sync_lock;      /* outermost: one write-back at a time */
	struct list mappings;        /* O: the areas that map it; changed with the address space lock held too */
};

void vm_object_init(struct vm_object *o, const struct vm_object_ops *ops);
void vm_object_get(struct vm_object *o);
void vm_object_put(struct vm_object *o);

/* The page at index, up to date, with a reference for the caller; reads (and reads ahead) on a miss. -EIO, -ENOMEM. May sleep. */
int vm_object_get_page(struct vm_object *o, u64 index, struct page **ret_page) MUST_CHECK;
/* The same but only if it is there and up to date; NULL otherwise. Never sleeps. */
struct page *vm_object_lookup(struct vm_object *o, u64 index);
/* The page at index for writing all of it or for a memory file system: created zeroed if absent, no read. -ENOMEM. */
int vm_object_grab_page(struct vm_object *o, u64 index, struct page **ret_page) MUST_CHECK;
/* p must be in o (the caller has a reference; a page dropped meanwhile is left alone). */
void vm_object_mark_dirty(struct vm_object *o, struct page *p);
/*
 * Write the dirty pages from first to last inclusive back through write_pages: their mappings become
 * read-only first, so that later stores are seen. What another thread is writing back is waited for. 0 or the first error
 * (those pages stay dirty). May sleep.
 */
int vm_object_sync(struct vm_object *o, u64 first, u64 last);

/* Drop about want clean pages of files; how many were freed. Unlike page_reclaim it takes no lock of a file system. May sleep. */
unsigned vm_reclaim(unsigned want_pages);
bool vm_object_is_dirty(struct vm_object *o);
/* The first page at or above *index, which is set to its place; false if there is none. */
bool vm_object_next(struct vm_object *o, u64 *index);
/* Start reading what is not there of [first, first + npages), at most a quarter of the free memory: a hint, errors are dropped. May sleep. */
void vm_object_prefetch(struct vm_object *o, u64 first, u64 npages);
/* Nothing is being read ahead, until somebody reads again: before a file system goes. May sleep. */
void vm_readahead_drain(void);
/* The sleeping page lock, for file systems that change a page's contents in place. */
void vm_page_lock(struct page *p);
void vm_page_unlock(struct page *p);
/* Drop pages from first to last inclusive, unmapping them from the program (truncate, punch). */
void vm_object_drop(struct vm_object *o, u64 first, u64 last);

/* The file ends before page first now: as drop to the end, and the program's private copies of those pages go too. */
void vm_object_truncate(struct vm_object *o, u64 first);

/* Copy between a uio and [off, off + uio->resid) of the object; stops at size for reads. Bytes moved or errno. */
ssize_t vm_object_read(struct vm_object *o, struct uio *u, u64 off, u64 size);
/* Writes into pages (grab or get), marks dirty. The file system has checked limits and extends its size. */
ssize_t vm_object_write(struct vm_object *o, struct uio *u, u64 off);

/* Its pages live in memory only: nothing is ever read or written back for them. */
static inline bool vm_object_in_memory(const struct vm_object *o) { return !o->ops->read_pages; }

/* A new anonymous object of size bytes for MAP_SHARED|MAP_ANONYMOUS and memfd; NULL if out of memory. */
struct vm_object *vm_object_new_anon(u64 size);
bool vm_object_is_anon(const struct vm_object *o);

#endif
