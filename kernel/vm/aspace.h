/*
 * aspace.h - the program's address space. There is one in the machine.
 *
 * Areas (struct vm_area) lie in a red-black tree by address, never overlapping. Private
 * anonymous memory lives in page tables only (one owner: there is no fork); private file
 * mappings show the object's page read-only and copy it on the first write.
 *
 * Locks: aspace.lock (rwlock: readers fault, writers change areas) > page lock > object lock >
 * aspace.pt_lock (spinlock, page tables). User copies may fault, so nobody copies with
 * aspace.lock held.
 *
 * Everything here takes plain user addresses (uintptr_t): linux/ has unpacked them from uaddr.
 * Results are addresses or negative errno (in an intptr_t), as Linux's.
 */
#ifndef VM_ASPACE_H
#define VM_ASPACE_H

#include "base/rbtree.h"
#include "vm/object.h"

#define VM_PROT_READ  1u
#define VM_PROT_WRITE 2u
#define VM_PROT_EXEC  4u

enum {                               /* flags of vm_map */
	VM_MAP_SHARED    = 1u << 0,
	VM_MAP_FIXED     = 1u << 1,
	VM_MAP_NOREPLACE = 1u << 2,
	VM_MAP_STACK     = 1u << 3,  /* grows down on faults, with a guard gap */
	VM_MAP_POPULATE  = 1u << 4,
	VM_MAP_32BIT     = 1u << 5,
	VM_MAP_LOCKED    = 1u << 6,
	VM_MAP_NORESERVE = 1u << 7,
};

struct vm_area {
	struct rb_node node;
	uintptr_t start, end;
	u32 prot, flags;             /* VM_PROT_*, VM_MAP_* */
	u32 max_prot;                /* what mprotect may give (read-only files, W^X) */
	struct vm_object *object;    /* NULL: private anonymous */
	u64 object_off;              /* bytes, of start */
	struct list object_link;     /* on object->mappings */
	const char *name;            /* for /proc/self/maps: "[stack]", or NULL */
	void *file;                  /* proc/'s file, opaque: kept alive by area_ops */
};
/* How vm tells proc that an area with a file was copied (split) or dropped. */
struct vm_area_ops {
	void (*file_get)(void *file);
	void (*file_put)(void *file);
	/* msync(MS_SYNC) of a shared mapping: make bytes [first, last] of the file durable. NULL: pages are written back, no more. */
	int (*file_sync)(void *file, u64 first, u64 last);
};

struct vm_limits {
	u64 stack_max, data_max, as_max;   /* RLIMIT_STACK, DATA, AS in bytes */
	u64 memlock_max;                   /* RLIMIT_MEMLOCK */
};

/* Boot, once; ops may be NULL (no mapping has a file). -ENOMEM. */
int vm_init(const struct vm_area_ops *ops);
struct vm_limits *vm_limits(void);

struct vm_map_request {
	uintptr_t addr;              /* hint or fixed */
	size_t len;
	u32 prot, max_prot, flags;
	struct vm_object *object;    /* a reference is taken; NULL = anonymous (private, or shared: one is made) */
	u64 object_off;
	void *file;                  /* referenced through vm_area_ops.file_get if not NULL */
	const char *name;
};
intptr_t vm_map(const struct vm_map_request *rq);
int vm_unmap(uintptr_t addr, size_t len);
/*
 * shmdt: from addr on, find the first area that shows an object with these ops as one mapping of all of it from addr on would,
 * and unmap that mapping, however it was cut up since. -EINVAL: there is none.
 */
int vm_detach(uintptr_t addr, const struct vm_object_ops *ops);
int vm_protect(uintptr_t addr, size_t len, u32 prot);
intptr_t vm_remap(uintptr_t old, size_t old_len, size_t new_len, bool may_move, bool fixed, bool dontunmap, uintptr_t new_addr);
/* remap_file_pages: [start, start + len), which shows one object shared, shows it from object_off on. -EINVAL; else as vm_map. */
int vm_remap_file(uintptr_t start, size_t len, u64 object_off, bool populate);
/*
 * Name the anonymous areas of a range for /proc/self/maps (NULL: no name); name is at most VM_NAME_MAX characters, which are kept for
 * ever: there may be VM_NAMES_MAX different ones. -EBADF: an area shows a file; -ENOMEM: a hole (the rest is named), or too many names.
 */
#define VM_NAME_MAX  79u
#define VM_NAMES_MAX 1024u
int vm_set_name(uintptr_t addr, size_t len, const char *name_or_null);
/* Is the page at va there? 0, -ENOENT, or -EFAULT: no area, or nothing but the zero page. */
int vm_page_present(uintptr_t va);
int vm_advise(uintptr_t addr, size_t len, int linux_advice);
int vm_sync(uintptr_t addr, size_t len, int linux_flags);
int vm_mincore(uintptr_t addr, size_t npages, u8 *ret_vec);
int vm_populate(uintptr_t addr, size_t len);
/* brk: set the heap's fixed start (exec), then move its end; returns the new (or unchanged) end. */
void vm_brk_init(uintptr_t start);
uintptr_t vm_brk_end(void);
/* Map npages fixed physical pages that have no owner here, read-only (the vDSO's data). Address or errno. */
intptr_t vm_map_raw(uintptr_t addr, phys_t pa, unsigned npages, const char *name);
/* mlock, munlock of a range; mlockall/munlockall (future: for what comes later too). */
int vm_lock(uintptr_t addr, size_t len, bool lock, bool on_fault);
int vm_lock_all(bool current, bool future, bool on_fault);
void vm_unlock_all(void);
uintptr_t vm_brk(uintptr_t new_end);
/*
 * W^X policy. Nothing is mapped writable and executable, and nothing becomes executable that was
 * writable before, unless the manifest allows it. Each refusal calls the event hook (NULL: none),
 * with no lock that a logger takes.
 */
extern bool vm_policy_allow_jit;
extern void (*vm_policy_event)(const char *what, uintptr_t addr, size_t len, u32 prot);

/* What the last refused vm_fault on this CPU means as a signal; valid in arch_hooks.user_trap until it sleeps. */
struct vm_fault_info {
	int error;                   /* -EFAULT: SIGSEGV; -EIO: SIGBUS; -ENOMEM: out of memory (SIGKILL) */
	int si_code;                 /* SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRERR 2 */
};
struct vm_fault_info vm_fault_last(void);
/* arch_hooks.user_fault. 0, or a negative errno as in vm_fault_info. May sleep. */
int vm_fault(uintptr_t va, enum arch_fault_access access, bool present, bool from_user);
/* Choose the random base of mappings (again): once the generator is seeded and before anything is mapped. */
void vm_randomise(void);
/* Random placement: page-aligned addresses for a main program, an interpreter, the stack top, the vDSO. Entropy in docs. */
uintptr_t vm_random_exec_base(void);
uintptr_t vm_random_stack_top(void);
uintptr_t vm_random_vdso_base(void);
uintptr_t vm_random_brk_gap(void);      /* bytes, page-aligned */

/* Walk all areas in order (for /proc/self/maps); the callback must not sleep on the address space. Returns early if it says false. */
void vm_for_each_area(bool (*fn)(const struct vm_area *a, void *arg), void *arg);
/* True and a copy of the area that holds va. Its object and file may be gone when this returns. */
bool vm_find_area(uintptr_t va, struct vm_area *ret_copy);
/* The same with a reference of the area's file for the caller (vm_area_ops.file_put); false if it has none. */
bool vm_find_area_with_file(uintptr_t va, struct vm_area *ret_copy);
struct vm_usage {
	u64 mapped_pages, resident_anon_pages, resident_file_pages, data_pages, stack_pages, text_pages, locked_pages;
	u64 peak_mapped_pages, peak_resident_pages;
};
void vm_usage(struct vm_usage *ret);
/* What of [start, end) the page tables show: private pages (also those under PROT_NONE), pages of memory files, of files. May sleep. */
struct vm_resident {
	u64 anon_pages, shmem_pages, file_clean_pages, file_dirty_pages, locked_pages;
};
void vm_resident(uintptr_t start, uintptr_t end, struct vm_resident *ret);
/* A futex's identity: private anonymous memory by address, shared by object and offset. 0 or -EFAULT. */
int vm_futex_key(uintptr_t va, bool shared, u64 ret_key[2]);

/* Unmap every mapping of these object pages (called by vm_object_drop and reclaim). */
void vm_object_unmap_range(struct vm_object *o, u64 first, u64 last);

#endif
