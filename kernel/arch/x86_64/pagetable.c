/*
 * pagetable.c - the program's page tables (the low half of the one top-level table) and kernel mappings.
 *
 * Invariants:
 *   (T1) An entry that points to a user table holds, in bits that the CPU ignores (52..61), how many entries of that table
 *        are in use. So an empty table is known without reading it.
 *   (T2) Such an entry has its accessed bit set from the start: the CPU never writes to it, so plain adds do.
 *   (T3) Leaf entries are also written by the CPU (accessed, dirty): they are taken out and changed atomically.
 *   (T4) A table is freed only after every CPU has dropped what it cached of the way to it.
 *   (T5) `last` names the lowest table that was used last (most calls come for neighbours); it is forgotten before any table
 *        is freed.
 *
 * Locks: user part under the caller's page table lock (arch.h); kernel part under kernel_lock.
 */
#include "arch/spinlock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/tlb.h"
#include "base/errno.h"

#define COUNT_ONE  (1ull << 52)
#define COUNT_MASK (0x3ffull << 52)
#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A)
#define SHIFT_PT 12
#define SHIFT_PD 21
#define SHIFT_PDPT 30
#define SHIFT_PML4 39

static struct spinlock kernel_lock = SPINLOCK_INIT;

static ALWAYS_INLINE u64 *table_at(u64 entry) { return arch_phys_to_virt(entry & PTE_ADDR); }
static ALWAYS_INLINE u64 *slot(u64 *table, uintptr_t va, unsigned shift) { return &table[va >> shift & 511]; }
static ALWAYS_INLINE u64 *top(void) { return arch_phys_to_virt(arch_layout.pml4); }

/* The table below *entry; made if absent. above is the entry that points to the table that holds *entry (NULL at the top). */
static NOINLINE bool table_make(u64 *entry, u64 *above)
{
	phys_t pa = arch_memory_ops.page_alloc(true);

	if (!pa)
		return false;
	*entry = pa | TABLE_BITS;
	if (above)
		*above += COUNT_ONE;
	return true;
}

static struct {
	uintptr_t tag;           /* va >> SHIFT_PD, plus one: 0 is nothing */
	u64 *pde, *table;
} last;

static void last_set(uintptr_t va, u64 *pde)
{
	last.tag = (va >> SHIFT_PD) + 1;
	last.pde = pde;
	last.table = table_at(*pde);
}

static NOINLINE bool walk_slow(uintptr_t va)
{
	u64 *e = slot(top(), va, SHIFT_PML4);

	if (!(*e & PTE_P))
		return false;
	e = slot(table_at(*e), va, SHIFT_PDPT);
	if (!(*e & PTE_P))
		return false;
	e = slot(table_at(*e), va, SHIFT_PD);
	if (!(*e & PTE_P))
		return false;
	last_set(va, e);
	return true;
}

/* The leaf entry for va, NULL if there is no table. What points to its table is last.pde then. */
static ALWAYS_INLINE u64 *walk(uintptr_t va)
{
	if (unlikely(last.tag != (va >> SHIFT_PD) + 1) && !walk_slow(va))
		return NULL;
	return slot(last.table, va, SHIFT_PT);
}

/* Make last the table for va. */
static NOINLINE int walk_make(uintptr_t va)
{
	u64 *e0 = slot(top(), va, SHIFT_PML4), *e1, *e2;

	if (!(*e0 & PTE_P) && !table_make(e0, NULL))
		return -ENOMEM;
	e1 = slot(table_at(*e0), va, SHIFT_PDPT);
	if (!(*e1 & PTE_P) && !table_make(e1, e0))
		return -ENOMEM;
	e2 = slot(table_at(*e1), va, SHIFT_PD);
	if (!(*e2 & PTE_P) && !table_make(e2, e1))
		return -ENOMEM;
	last_set(va, e2);
	return 0;
}

/* Flags of arch.h to bits of an entry and back, without branches: each is a shift (asserted below). */
static ALWAYS_INLINE u64 leaf_bits(unsigned f)
{
	return PTE_P | PTE_U | (f & ARCH_PTE_WRITE) << 1 | (f & ARCH_PTE_DIRTY) << 4 | (f & ARCH_PTE_ACCESSED) << 2 |
	       (arch_layout.nx & (((u64)f >> 1 & 1) - 1));
}
static ALWAYS_INLINE unsigned leaf_flags(u64 e)
{
	return (unsigned)(e >> 1 & ARCH_PTE_WRITE) | (unsigned)(e >> 4 & ARCH_PTE_DIRTY) | (unsigned)(e >> 2 & ARCH_PTE_ACCESSED) |
	       (unsigned)(~e >> 63) << 1;
}
_Static_assert(ARCH_PTE_WRITE << 1 == PTE_W && ARCH_PTE_DIRTY << 4 == PTE_D && ARCH_PTE_ACCESSED << 2 == PTE_A &&
	       ARCH_PTE_EXEC == 1 << 1 && PTE_NX >> 63 == 1, "leaf_bits shifts");

int arch_user_map(uintptr_t va, phys_t pa, unsigned pte_flags)
{
	u64 *pte;

	if (unlikely(last.tag != (va >> SHIFT_PD) + 1)) {
		int err = walk_make(va);

		if (err)
			return err;
	}
	pte = slot(last.table, va, SHIFT_PT);
	if (!(*pte & PTE_P))
		*last.pde += COUNT_ONE;
	WRITE_ONCE(*pte, pa | leaf_bits(pte_flags));
	return 0;
}

u32 arch_user_map_absent(uintptr_t va, const phys_t *pa, unsigned n, unsigned pte_flags)
{
	u64 bits = leaf_bits(pte_flags);
	u32 made = 0;

	for (unsigned i = 0; i < n; i++, va += PAGE_SIZE) {
		if (!pa[i])
			continue;
		if (unlikely(last.tag != (va >> SHIFT_PD) + 1) && walk_make(va))
			break;
		u64 *pte = slot(last.table, va, SHIFT_PT);
		if (*pte & PTE_P)
			continue;
		*last.pde += COUNT_ONE;
		WRITE_ONCE(*pte, pa[i] | bits);
		made |= 1u << i;
	}
	return made;
}

bool arch_user_unmap(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags)
{
	u64 *pte = walk(va), e;

	if (!pte || !(*pte & PTE_P))
		return false;
	e = __atomic_exchange_n(pte, 0, __ATOMIC_RELAXED);
	*last.pde -= COUNT_ONE;
	*ret_pa = e & PTE_ADDR;
	*ret_flags = leaf_flags(e);
	return true;
}

bool arch_user_lookup(uintptr_t va, phys_t *ret_pa, unsigned *ret_flags)
{
	u64 *pte = walk(va), e;

	if (!pte)
		return false;
	e = READ_ONCE(*pte);
	if (!(e & PTE_P))
		return false;
	*ret_pa = e & PTE_ADDR;
	*ret_flags = leaf_flags(e);
	return true;
}

bool arch_user_protect(uintptr_t va, unsigned pte_flags)
{
	u64 *pte = walk(va), e, n;

	if (!pte || !(*pte & PTE_P))
		return false;
	e = READ_ONCE(*pte);
	do {
		n = e & ~(PTE_W | PTE_NX);
		n |= (pte_flags & ARCH_PTE_WRITE ? PTE_W : 0) | (pte_flags & ARCH_PTE_EXEC ? 0 : arch_layout.nx);
	} while (!__atomic_compare_exchange_n(pte, &e, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* First address of the next entry of a level. */
static ALWAYS_INLINE uintptr_t next_at(uintptr_t va, unsigned shift) { return ((va >> shift) + 1) << shift; }

/* Eight entries, none of them there. */
static ALWAYS_INLINE bool table_row_empty(const u64 *e)
{
	return !((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) & PTE_P);
}

uintptr_t arch_user_next_mapped(uintptr_t va, uintptr_t end)
{
	while (va < end) {
		u64 *e = slot(top(), va, SHIFT_PML4);

		if (!(*e & COUNT_MASK)) {
			va = next_at(va, SHIFT_PML4);
			continue;
		}
		e = slot(table_at(*e), va, SHIFT_PDPT);
		if (!(*e & COUNT_MASK)) {
			va = next_at(va, SHIFT_PDPT);
			continue;
		}
		e = slot(table_at(*e), va, SHIFT_PD);
		if (!(*e & COUNT_MASK)) {
			va = next_at(va, SHIFT_PD);
			continue;
		}
		e = slot(table_at(*e), va, SHIFT_PT);
		do {
			if (*e & PTE_P)
				return va;
			e++;
			va += PAGE_SIZE;
			/* Eight at once: stacks and heaps are mostly not there. */
			while (va < end && !((uintptr_t)e & 63) && (va >> SHIFT_PT & 511) && table_row_empty(e)) {
				e += 8;
				va += 8 * PAGE_SIZE;
			}
		} while (va < end && (va >> SHIFT_PT & 511));
	}
	return end; /* va may be beyond it */
}

/* ---- Freeing empty tables ---- */

struct dead_tables {
	phys_t first;            /* linked through their first words, which look not present to the CPU */
};

/* Free *entry's table if it is empty (T1); true if it was taken off. */
static bool table_take(u64 *entry, u64 *above, struct dead_tables *d)
{
	phys_t pa = *entry & PTE_ADDR;

	if (!(*entry & PTE_P) || (*entry & COUNT_MASK))
		return false;
	*entry = 0;
	if (above)
		*above -= COUNT_ONE;
	*(u64 *)arch_phys_to_virt(pa) = d->first;
	d->first = pa;
	return true;
}

static void prune_range(uintptr_t va, uintptr_t end, struct dead_tables *d)
{
	while (va < end) {
		u64 *e0 = slot(top(), va, SHIFT_PML4), *e1, *e2;

		if (!(*e0 & PTE_P)) {
			va = next_at(va, SHIFT_PML4);
			continue;
		}
		e1 = slot(table_at(*e0), va, SHIFT_PDPT);
		if (*e1 & PTE_P) {
			e2 = slot(table_at(*e1), va, SHIFT_PD);
			table_take(e2, e1, d);
			/* The way up: when this table's last part in the range has been seen. */
			if (next_at(va, SHIFT_PD) < end && (next_at(va, SHIFT_PD) >> SHIFT_PD & 511)) {
				va = next_at(va, SHIFT_PD);
				continue;
			}
			table_take(e1, e0, d);
		}
		va = next_at(va, SHIFT_PDPT);
		if (va >= end || !(va >> SHIFT_PDPT & 511))
			table_take(e0, NULL, d);
	}
}

void arch_user_prune(uintptr_t start, uintptr_t end)
{
	struct dead_tables d = { 0 };

	prune_range(start, end, &d);
	if (!d.first)
		return;
	last.tag = 0;                           /* keeps (T5) */
	tlb_flush_all();                        /* keeps (T4) */
	while (d.first) {
		phys_t pa = d.first;

		d.first = *(u64 *)arch_phys_to_virt(pa);
		arch_memory_ops.page_free(pa);
	}
}

/* ---- Kernel mappings ---- */

static u64 *kernel_walk(uintptr_t va, bool make)
{
	u64 *e = slot(top(), va, SHIFT_PML4);
	static const u8 shifts[] = { SHIFT_PDPT, SHIFT_PD, SHIFT_PT };

	for (unsigned i = 0; i < 3; i++) {
		if (!(*e & PTE_P)) {
			phys_t pa = make ? arch_memory_ops.page_alloc(true) : 0;

			if (!pa)
				return NULL;
			*e = pa | PTE_P | PTE_W | PTE_A;
		}
		e = slot(table_at(*e), va, shifts[i]);
		if (i < 2 && (*e & PTE_PS))
			return NULL;
	}
	return e;
}

int kernel_map(uintptr_t va, phys_t pa, size_t len, u64 pte_flags)
{
	irq_flags_t f = spin_lock_irqsave(&kernel_lock);
	int err = 0;

	for (size_t off = 0; off < len && !err; off += PAGE_SIZE) {
		u64 *pte = kernel_walk(va + off, true);

		if (pte)
			*pte = (pa + off) | pte_flags | PTE_P | PTE_A | PTE_D | PTE_G;
		else
			err = -ENOMEM;
	}
	spin_unlock_irqrestore(&kernel_lock, f);
	return err;
}

phys_t kernel_unmap_page(uintptr_t va)
{
	irq_flags_t f = spin_lock_irqsave(&kernel_lock);
	u64 *pte = kernel_walk(va, false);
	phys_t pa = 0;

	if (pte && (*pte & PTE_P)) {
		pa = *pte & PTE_ADDR;
		*pte = 0;
	}
	spin_unlock_irqrestore(&kernel_lock, f);
	return pa;
}

void kernel_protect(uintptr_t va, size_t len, u64 clear, u64 set)
{
	for (size_t off = 0; off < len; off += PAGE_SIZE) {
		u64 *pte = kernel_walk(va + off, false);

		if (pte)
			*pte = (*pte & ~clear) | set;
	}
}
