/*
 * fault.c - page faults: deciding what a touched page is to show.
 *
 *                     read, execute                    write
 *   anonymous         the zero page, read-only         a fresh zeroed page
 *   private object    the object's page, read-only     a copy
 *   shared object     the object's page                the object's page, writable, marked dirty
 *
 * Read faults in objects also map the neighbours that are cached already (fault-around).
 *
 * Invariants:
 *  (I1) An entry is made only with the page table lock held, after looking that there is none yet
 *       (or the very one that was seen before), so two CPUs that fault together agree.
 *  (I2) An object's page is mapped only while page->object says so (object.c, I2).
 *  (I3) A page that replaces another one is shown only when no CPU has a translation to the old one any more.
 *
 * Locks: the address space lock for reading throughout (a read from disk may sleep under it).
 * What can fail: no area or no permission (-EFAULT), beyond the object's end or a failed read
 * (-EIO), no memory (-ENOMEM).
 */
#include "vm/vm_impl.h"
#include "vm/writeback.h"
#include "sched/thread.h"

#define FAULT_AROUND 16u
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRERR  2

static struct vm_fault_info fault_infos[ARCH_MAX_CPUS];

struct vm_fault_info vm_fault_last(void)
{
	return fault_infos[arch_cpu_id()];
}

/* Map p at va, where nothing is; one reference becomes the entry's. P held. */
static int install_locked(struct vm_area *a, uintptr_t va, struct page *p, bool writable)
{
	return arch_user_map(va, page_to_phys(p), area_pte_flags(a, writable));
}

/* The entry at va shows a page that may be written: make sure that it says so. P held. */
static void upgrade_locked(struct vm_area *a, uintptr_t va, unsigned flags)
{
	if (!(flags & ARCH_PTE_WRITE))
		arch_user_protect(va, area_pte_flags(a, true));
}

/*
 * Take away what va shows, so that another page may show there. While one CPU still read the old page another could store
 * to the new one, whether it faulted or found the new entry by itself; so the old translations go first (I3). Who faults
 * meanwhile waits for P with interrupts on, and answers the flush. P held.
 */
static void unshow_locked(uintptr_t va)
{
	phys_t pa;
	unsigned flags;

	/* A CPU caches only entries that it has marked as accessed (Intel SDM 3A, 4.10.2.3). */
	if (arch_user_unmap(va, &pa, &flags) && (flags & ARCH_PTE_ACCESSED))
		arch_tlb_flush(va, va + PAGE_SIZE);
}

/* ---- Anonymous memory ---- */

static NOINLINE int anon_read(struct vm_area *a, uintptr_t va)
{
	phys_t pa;
	unsigned flags;
	int r = 0;

	spin_lock(&vm_as.pt_lock);
	if (!arch_user_lookup(va, &pa, &flags))
		r = arch_user_map(va, vm_as.zero_pa, area_pte_flags(a, false));
	spin_unlock(&vm_as.pt_lock);
	return r;
}

static int anon_write(struct vm_area *a, uintptr_t va)
{
	struct page *p = reclaim_page_for_user(PAGE_ZERO | PAGE_FOR(PAGE_KIND_ANON));
	phys_t pa;
	unsigned flags;
	int r = 0;

	if (unlikely(!p))
		return -ENOMEM;
	p->object = NULL;
	spin_lock(&vm_as.pt_lock);
	bool there = arch_user_lookup(va, &pa, &flags);
	if (there && pa == vm_as.zero_pa) {
		unshow_locked(va);
		there = false;
	}
	if (likely(!there)) {
		r = install_locked(a, va, p, true);
		if (likely(r == 0)) {
			vm_as.anon_pages++;
			p = NULL;
		}
	} else {
		upgrade_locked(a, va, flags);
	}
	spin_unlock(&vm_as.pt_lock);
	if (unlikely(p))
		page_put(p);
	return r;
}

/* ---- Objects ---- */

static bool beyond_end(struct vm_object *o, u64 index)
{
	return o->ops->size && index >= DIV_ROUND_UP(o->ops->size(o), PAGE_SIZE);
}

/* A copy of what va shows, or would show, for a write into a private mapping. -EAGAIN: it changed meanwhile. */
static int private_write(struct vm_area *a, uintptr_t va, u64 index)
{
	struct page *src = NULL, *copy;
	phys_t pa = 0, now_pa;
	unsigned flags;
	int r = 0;

	spin_lock(&vm_as.pt_lock);
	bool there = arch_user_lookup(va, &pa, &flags);
	if (there) {
		src = phys_to_page(pa);
		if (!src->object) {
			upgrade_locked(a, va, flags);
			spin_unlock(&vm_as.pt_lock);
			return 0;
		}
		page_get(src);
	}
	spin_unlock(&vm_as.pt_lock);
	if (!src && (r = object_get(a->object, index, 1, &src)))
		return r;
	copy = reclaim_page_for_user(PAGE_FOR(PAGE_KIND_ANON));
	if (!copy) {
		page_put(src);
		return -ENOMEM;
	}
	copy->object = NULL;
	memcpy(page_to_virt(copy), page_to_virt(src), PAGE_SIZE);

	spin_lock(&vm_as.pt_lock);
	bool now_there = arch_user_lookup(va, &now_pa, &flags);
	if (now_there != there || (there && now_pa != pa)) {
		r = -EAGAIN;
	} else {
		if (there) {
			unshow_locked(va);
			vm_as.file_pages--;
		} else if (unlikely(__atomic_load_n(&vm_as.reclaiming, __ATOMIC_SEQ_CST))) {
			arch_tlb_flush(va, va + PAGE_SIZE);  /* it may just have been taken away, and not be flushed yet */
		}
		r = install_locked(a, va, copy, true);
		if (r == 0)
			vm_as.anon_pages++;
	}
	spin_unlock(&vm_as.pt_lock);
	if (there && r != -EAGAIN)
		page_put(src);               /* the entry's */
	if (r)
		page_put(copy);
	page_put(src);
	return r;
}

/* Map object page p (our reference stays ours) unless something is there. P held. */
static int show_page_locked(struct vm_area *a, uintptr_t va, struct page *p, bool writable)
{
	phys_t pa;
	unsigned flags;

	if (p->object != a->object)
		return -EAGAIN;              /* keeps (I2) */
	if (unlikely(a->flags & VM_AREA_HIDDEN) && radix_get(&vm_as.hidden, va >> PAGE_SHIFT))
		return 0;                    /* the program's own copy is aside: its fault brings it back */
	if (arch_user_lookup(va, &pa, &flags)) {
		if (writable && pa == page_to_phys(p))
			upgrade_locked(a, va, flags);
		return 0;
	}
	int r = install_locked(a, va, p, writable);
	if (r == 0) {
		page_get(p);
		vm_as.file_pages++;
	}
	return r;
}

/* A write into a shared mapping. */
static int shared_write(struct vm_area *a, uintptr_t va, u64 index)
{
	struct vm_object *o = a->object;
	struct page *p;
	int r = object_get(o, index, 1, &p);

	if (r)
		return r;
	if (o->ops->page_mkwrite)
		r = o->ops->page_mkwrite(o, p);
	if (r == 0) {
		spin_lock(&vm_as.pt_lock);
		r = show_page_locked(a, va, p, true);
		spin_unlock(&vm_as.pt_lock);
	}
	/* After the entry is writable: a write-back that clears the mark from now on also takes the right away. */
	if (r == 0) {
		vm_object_mark_dirty(o, p);
		if (o->ops->page_dirtied)
			o->ops->page_dirtied(o);
	}
	page_put(p);
	return r;
}

/* Map those of n pages from va on that are the object's where nothing is: our references become the entries', and leave pages[]. P held. */
static void show_around_locked(struct vm_area *a, uintptr_t va, struct page **pages, unsigned n, bool writable)
{
	UNINITIALISED phys_t pa[FAULT_AROUND];

	if (unlikely(a->flags & VM_AREA_HIDDEN))
		return;                      /* some may be aside: each comes with its own fault */
	for (unsigned i = 0; i < n; i++)
		pa[i] = pages[i] && pages[i]->object == a->object ? page_to_phys(pages[i]) : 0;  /* keeps (I2) */
	u32 made = arch_user_map_absent(va, pa, n, area_pte_flags(a, writable));
	for (; made; made &= made - 1) {
		pages[__builtin_ctz(made)] = NULL;
		vm_as.file_pages++;
	}
}

/* The pages of the object around index that are cached, mapped in one go. */
static int object_read(struct vm_area *a, uintptr_t va, u64 index)
{
	UNINITIALISED struct page *pages[FAULT_AROUND];
	struct vm_object *o = a->object;
	bool writable = area_is_shared(a) && object_untracked(o) && (a->prot & VM_PROT_WRITE);
	u64 area_first = a->object_off >> PAGE_SHIFT;
	u64 area_last = area_first + (area_len(a) >> PAGE_SHIFT) - 1;
	u64 first = MAX(ROUND_DOWN(index, FAULT_AROUND), area_first);
	u64 last = MIN(ROUND_DOWN(index, FAULT_AROUND) + FAULT_AROUND - 1, area_last);
	unsigned n = (unsigned)(last - first + 1), at = (unsigned)(index - first);
	int r = 0;

	object_gang(o, first, n, pages);
	if (!pages[at] && (r = object_get(o, index, 1, &pages[at])) == 0 && o->readahead > 1) {
		/* It was read with neighbours: look again for them. */
		page_put(pages[at]);
		for (unsigned i = 0; i < n; i++)
			if (i != at && pages[i])
				page_put(pages[i]);
		object_gang(o, first, n, pages);
		if (!pages[at])
			r = object_get(o, index, 1, &pages[at]);
	}
	if (r)
		pages[at] = NULL;
	else
		page_touch(pages[at]);
	spin_lock(&vm_as.pt_lock);
	if (r == 0)
		r = show_page_locked(a, va, pages[at], writable);
	if (r == 0)
		show_around_locked(a, va - ((u64)at << PAGE_SHIFT), pages, n, writable);
	spin_unlock(&vm_as.pt_lock);
	for (unsigned i = 0; i < n; i++)
		if (pages[i])
			page_put(pages[i]);
	return r;
}

static NOINLINE int fault_object(struct vm_area *a, uintptr_t va, enum arch_fault_access access)
{
	u64 index = area_index(a, va);
	int r;

	do {
		if (beyond_end(a->object, index))
			return -EIO;
		if (access != ARCH_FAULT_WRITE)
			r = object_read(a, va, index);
		else if (area_is_shared(a))
			r = shared_write(a, va, index);
		else
			r = private_write(a, va, index);
	} while (r == -EAGAIN);
	return r;
}

/* ---- Areas ---- */

/* Grow the stack area above va down to it. 0, -EFAULT. */
static NOINLINE int grow_stack(uintptr_t va)
{
	uintptr_t start = ROUND_DOWN(va, PAGE_SIZE);
	int r = -EFAULT;

	rwlock_write(&vm_as.lock);
	struct vm_area *a = area_find(va);
	if (a && a->start <= va) {
		r = 0;                       /* another thread did it */
	} else if (a && (a->flags & VM_MAP_STACK) && start >= VM_MIN_ADDR && a->end - start <= vm_as.limits.stack_max) {
		struct vm_area *below = area_prev(a);
		bool room = !below || below->prot == 0 || start - below->end >= VM_STACK_GUARD;
		if (room && map_check_limits_locked(a->start - start, 0, 0) == 0) {
			area_resize_locked(a, start, a->end);
			r = 0;
		}
	}
	rwlock_unlock_write(&vm_as.lock);
	return r;
}

/* The area that holds va, with the lock held for reading; NULL (not held) if there is none. */
static struct vm_area *lock_area(uintptr_t va)
{
	for (;;) {
		rwlock_read(&vm_as.lock);
		struct vm_area *a = READ_ONCE(vm_as.recent);
		if (a && va - a->start < a->end - a->start)
			return a;
		a = area_find(va);
		if (a && a->start <= va) {
			WRITE_ONCE(vm_as.recent, a);
			return a;
		}
		bool may_grow = a && (a->flags & VM_MAP_STACK);
		rwlock_unlock_read(&vm_as.lock);
		if (!may_grow || grow_stack(va))
			return NULL;
	}
}

/* One attempt, the lock held for reading. -EFAULT: the access is not allowed. */
static int fault_resolve(struct vm_area *a, uintptr_t va, enum arch_fault_access access)
{
	int r = -EFAULT;

	if (unlikely(!area_has_access(a, access)))
		return r;
	if (unlikely(a->flags & (VM_AREA_HIDDEN | VM_AREA_RAW)) && (a->flags & VM_AREA_RAW || zap_unhide(a, va, &r)))
		return r;
	if (!a->object)
		return access == ARCH_FAULT_WRITE ? anon_write(a, va) : anon_read(a, va);
	return fault_object(a, va, access);
}

/* Mend the page of *at and, where memory is anonymous, those behind it below end: *at is the first that was not, then. end 0: only it. */
static int fault_run(uintptr_t *at, uintptr_t end, enum arch_fault_access access, int *ret_code)
{
	uintptr_t page = *at & PAGE_MASK;

	for (unsigned tries = 0; ; tries++) {
		struct vm_area *a = lock_area(page);       /* none lies beyond ARCH_USER_TOP */
		if (!a) {
			*ret_code = SEGV_MAPERR;
			return -EFAULT;
		}
		int r;
		do
			r = fault_resolve(a, page, access);
		while (unlikely(end) && r == 0 && (page = *at += PAGE_SIZE) < end && !a->object && page < a->end);
		rwlock_unlock_read(&vm_as.lock);
		if (likely(r == 0))
			return 0;
		*ret_code = SEGV_ACCERR;
		/* No memory for a table page: give some back, and try again. */
		if (r != -ENOMEM || tries == 3 || !page_reclaim(32))
			return r;
	}
}

static unsigned long long kib_of(enum page_kind kind) { return page_kind_count(kind) * (PAGE_SIZE / KiB); }

static NOINLINE void say_out_of_memory(void)
{
	static bool said;

	if (__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
		return;
	log_error("out of memory: the program uses %llu of %llu KiB and wants more\n",
		  (unsigned long long)READ_ONCE(vm_as.anon_pages) * 4, (unsigned long long)page_total_count() * 4);
	log_error("out of memory: KiB in memory files %llu, cached files %llu, heap %llu, page tables %llu, kernel stacks %llu, network %llu, pipes %llu, free %llu\n",
		  kib_of(PAGE_KIND_SHMEM), kib_of(PAGE_KIND_FILE), kib_of(PAGE_KIND_SLAB), kib_of(PAGE_KIND_TABLE),
		  kib_of(PAGE_KIND_STACK), kib_of(PAGE_KIND_NET), kib_of(PAGE_KIND_PIPE), (unsigned long long)page_free_count() * 4);
}

int vm_fault(uintptr_t va, enum arch_fault_access access, bool present, bool from_user)
{
	int code = 0;
	int r = fault_run(&va, 0, access, &code);

	if (likely(r == 0)) {
		/* Not in the kernel's own copies: who knows what is held there. */
		if (from_user)
			vm_dirty_throttle();
		return 0;
	}
	if (r != -EFAULT && r != -ENOMEM) {
		r = -EIO;
		code = BUS_ADRERR;
	}
	if (r == -ENOMEM)
		say_out_of_memory();
	/* Nothing sleeps from here to the trap that reads it. */
	fault_infos[arch_cpu_id()] = (struct vm_fault_info){ r, code };
	return r;
}

/* ---- Populating ---- */

#define POPULATE_RUN 16u     /* pages that are made under one hold of the lock */

/* The first page in [va, end) that shows something, or end; va + PAGE_SIZE goes to *ret_from if va's does and needs nothing more, else va. */
static COLD uintptr_t next_shown(uintptr_t va, uintptr_t end, bool write, uintptr_t *ret_from)
{
	phys_t pa;
	unsigned flags;

	spin_lock(&vm_as.pt_lock);
	uintptr_t next = arch_user_next_mapped(va, end);
	bool done = next == va && arch_user_lookup(va, &pa, &flags) && (!write || (flags & ARCH_PTE_WRITE));
	spin_unlock(&vm_as.pt_lock);
	*ret_from = done ? va + PAGE_SIZE : va;
	return next;
}

COLD int fault_in_range(uintptr_t start, uintptr_t end, bool write)
{
	int code, r = 0;

	for (uintptr_t va = start, from; va < end && r == 0; ) {
		uintptr_t next = next_shown(va, MIN(end, va + POPULATE_RUN * PAGE_SIZE), write, &from);
		if (from == va) {
			r = fault_run(&from, next, write ? ARCH_FAULT_WRITE : ARCH_FAULT_READ, &code);
			sched_poll();
		}
		va = from;
	}
	return r;
}

COLD int vm_populate(uintptr_t addr, size_t len)
{
	uintptr_t end = ROUND_UP(addr + len, PAGE_SIZE);
	int error = 0;

	for (uintptr_t va = ROUND_DOWN(addr, PAGE_SIZE); va < end;) {
		struct vm_area a;
		if (!vm_find_area(va, &a))
			return -ENOMEM;
		uintptr_t upto = MIN(end, a.end);
		/* Write faults where stores are private: the copy is wanted now. Shared pages are dirtied by stores only. */
		bool write = (a.prot & VM_PROT_WRITE) && !area_is_shared(&a);
		int r = a.prot ? fault_in_range(va, upto, write) : -EFAULT;
		if (r && !error)
			error = r;
		va = upto;
	}
	return error;
}
