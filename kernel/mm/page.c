/*
 * page.c - the physical page allocator: a buddy system that grows from a frontier.
 *
 *   range:   [ page structs | handed out or free ........ | frontier -> never touched ]
 *
 * Invariants
 * (I1) A struct page is initialised iff its page lies below its range's frontier.
 * (I2) A free block of order k starts at a multiple of 2^k pages, has PAGE_FREE and its order in
 *      `index` on the first page, refs = 0, and is on free_lists[k]. Its buddy is not a free block
 *      of the same order (they would have been merged).
 * (I3) Pages in a CPU's stock are not PAGE_FREE and have refs = 0.
 *
 * (I4) The kind in a page's flags is the one it was counted under.
 * (I5) On a free list, blocks that the host was told of (PAGE_REPORTED, of their first page) stand behind those that it was not: what the
 *      host still has memory for is taken first. A block that is merged from others is not reported, whatever they were.
 *
 * Locks: page_lock (irq-safe) for ranges and free lists; a CPU's stock belongs to it while its
 * interrupts are masked. Failure: NULL; a double free is our own bug and panics.
 */
#include "mm/page.h"
#include "arch/boot_info.h"
#include "arch/spinlock.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/string.h"

#define STOCK_MAX   32u
#define STOCK_ORDER 4u               /* filled by a block of 16 */
#define STOCK_BATCH (1u << STOCK_ORDER)
#define GROW_ORDER  6u               /* the frontier moves by at least 256 KiB */

struct page_range page_ranges[BOOT_MAX_RANGES];       /* P: frontier */
static unsigned nranges;
static struct spinlock page_lock = SPINLOCK_INIT;
static struct list free_lists[PAGE_ORDER_MAX + 1];   /* P */
static u64 free_pages, total_pages;                  /* P; never-touched pages count as free */
static void (*report_wanted)(void);                  /* P; to be told of the next block that the host could have back */

static struct stock {
	struct page *page[STOCK_MAX];
	unsigned count;
	struct page *pair;           /* a block of two pages, or NULL: whoever takes and gives back one by turns splits and merges nothing */
	s32 used[PAGE_KINDS];        /* handed out less taken back, here: the sum over all CPUs means something */
} ALIGNED(64) stocks[ARCH_MAX_CPUS];

static unsigned (*shrinkers[4])(unsigned want) RO_AFTER_INIT_ZERO;
static unsigned nshrinkers;

static NOINLINE struct page_range *range_of_page(const struct page *p)
{
	for (struct page_range *r = page_ranges; r < page_ranges + nranges; r++)
		if (p >= r->pages && p < r->pages + r->count)
			return r;
	panic("a struct page that is none");
}

phys_t page_to_phys_slow(const struct page *p)
{
	const struct page_range *r = range_of_page(p);
	return (r->first_pfn + (u64)(p - r->pages)) << PAGE_SHIFT;
}

struct page *phys_to_page_slow(phys_t pa)
{
	u64 pfn = pa >> PAGE_SHIFT;
	for (struct page_range *r = page_ranges; r < page_ranges + nranges; r++)
		if (pfn >= r->first_pfn && pfn < r->frontier)
			return r->pages + (pfn - r->first_pfn);
	return NULL;
}

static void block_add_locked(struct page *p, unsigned order)
{
	p->flags = PAGE_FREE;
	p->index = order;
	list_push(&free_lists[order], &p->link);
}

/* Of a free block: the host knows of it. Keeps (I5). */
static COLD void block_set_reported_locked(struct page *p)
{
	p->flags |= PAGE_REPORTED;
	list_remove(&p->link);
	list_append(&free_lists[p->index], &p->link);
}

/* Give a block back, merging it with free buddies as far as that goes: keeps (I2). */
static void block_free_locked(struct page_range *r, u64 pfn, unsigned order)
{
	while (order < PAGE_ORDER_MAX) {
		u64 buddy = pfn ^ (1ull << order);
		if (buddy < r->first_pfn || buddy + (1ull << order) > r->frontier)
			break;
		struct page *b = r->pages + (buddy - r->first_pfn);
		if (!(b->flags & PAGE_FREE) || b->index != order)
			break;
		list_remove(&b->link);
		b->flags = 0;
		pfn &= ~(1ull << order);
		order++;
	}
	block_add_locked(r->pages + (pfn - r->first_pfn), order);
	if (order >= PAGE_REPORT_ORDER && unlikely(report_wanted)) {
		void (*wanted)(void) = report_wanted;
		report_wanted = NULL;
		wanted();
	}
}

/* Make [from, to) of r, just passed by the frontier, free blocks of the largest aligned sizes. */
static void add_span_locked(struct page_range *r, u64 from, u64 to)
{
	memset(r->pages + (from - r->first_pfn), 0, (to - from) * sizeof(struct page));
	while (from < to) {
		unsigned order = 0;
		while (order < PAGE_ORDER_MAX && !(from & (1ull << order)) && from + (2ull << order) <= to)
			order++;
		block_free_locked(r, from, order);
		from += 1ull << order;
	}
}

/* Move some frontier so far that a block of the order becomes free; false if no range has room. */
static COLD bool grow_locked(unsigned order)
{
	unsigned step = MAX(order, GROW_ORDER);
	for (struct page_range *r = page_ranges; r < page_ranges + nranges; r++) {
		u64 from = r->frontier;
		u64 to = MIN(ROUND_UP(from, 1ull << step) + (1ull << step), r->first_pfn + r->count);
		if (from >= to)
			continue;
		r->frontier = to;
		add_span_locked(r, from, to);
		return true;
	}
	return false;
}

static struct page *block_alloc_locked(unsigned order)
{
	for (;;) {
		unsigned k = order;
		while (k <= PAGE_ORDER_MAX && list_empty(&free_lists[k]))
			k++;
		if (k > PAGE_ORDER_MAX) {
			if (!grow_locked(order))
				return NULL;
			continue;
		}
		struct page *p = list_entry(list_pop(&free_lists[k]), struct page, link);
		while (k > order) {
			k--;
			block_add_locked(p + (1ull << k), k);
			if (unlikely(p->flags & PAGE_REPORTED))
				block_set_reported_locked(p + (1ull << k));
		}
		p->flags = 0;
		free_pages -= 1ull << order;
		return p;
	}
}

/* Fill an empty stock and take one page. Interrupts masked. */
static NOINLINE struct page *stock_refill(struct stock *s)
{
	unsigned order = STOCK_ORDER;

	spin_lock(&page_lock);
	struct page *p = block_alloc_locked(order);
	while (!p && order)
		p = block_alloc_locked(--order);
	spin_unlock(&page_lock);
	if (!p) {
		p = s->pair;
		order = 1;
		s->pair = NULL;
	}
	if (!p)
		return NULL;
	/* Handed out in ascending order. */
	for (unsigned i = 1u << order; i-- > 1;)
		s->page[s->count++] = p + i;
	return p;
}

static void stock_give(struct page *p)
{
	unsigned cpu = arch_cpu_id();

	if (stocks[cpu].count == STOCK_MAX) {
		spin_lock(&page_lock);
		while (stocks[cpu].count > STOCK_MAX - STOCK_BATCH) {
			struct page *q = stocks[cpu].page[--stocks[cpu].count];
			struct page_range *r = range_of_page(q);
			block_free_locked(r, r->first_pfn + (u64)(q - r->pages), 0);
			free_pages++;
		}
		spin_unlock(&page_lock);
	}
	stocks[cpu].page[stocks[cpu].count++] = p;
}

static ALWAYS_INLINE struct page *page_hand_out(struct page *p, unsigned order, unsigned flags)
{
	p->flags = flags & ~PAGE_ZERO;           /* keeps (I4) */
	p->refs = 1;
	p->object = NULL;
	p->index = 0;
	list_init(&p->link);
	if (flags & PAGE_ZERO)
		memset(page_to_virt(p), 0, PAGE_SIZE << order);
	return p;
}

static NOINLINE struct page *block_alloc(unsigned order, unsigned flags)
{
	if (order > PAGE_ORDER_MAX)
		return NULL;
	irq_flags_t f = arch_irq_save();
	struct stock *s = &stocks[arch_cpu_id()];
	struct page *p = s->pair;
	if (order == 1 && p) {
		s->pair = NULL;
	} else {
		spin_lock(&page_lock);
		p = block_alloc_locked(order);
		spin_unlock(&page_lock);
	}
	if (p)
		s->used[flags >> PAGE_KIND_SHIFT] += 1 << order;
	arch_irq_restore(f);
	return p ? page_hand_out(p, order, flags) : NULL;
}

struct page *page_alloc(unsigned order, unsigned flags)
{
	if (unlikely(order))
		return block_alloc(order, flags);
	irq_flags_t f = arch_irq_save();
	struct stock *s = &stocks[arch_cpu_id()];
	struct page *p = likely(s->count) ? s->page[--s->count] : stock_refill(s);
	if (likely(p))
		s->used[flags >> PAGE_KIND_SHIFT]++;
	arch_irq_restore(f);
	return likely(p) ? page_hand_out(p, 0, flags) : NULL;
}

void page_free(struct page *p, unsigned order)
{
	unsigned kind = p->flags >> PAGE_KIND_SHIFT;

	ASSERT(!(p->flags & PAGE_FREE) && p->refs <= 1);
	p->refs = 0;
	p->flags = 0;
	irq_flags_t f = arch_irq_save();
	stocks[arch_cpu_id()].used[kind] -= 1 << order;
	if (order == 0) {
		stock_give(p);
	} else if (order == 1 && !stocks[arch_cpu_id()].pair) {
		stocks[arch_cpu_id()].pair = p;
	} else {
		struct page_range *r = range_of_page(p);
		spin_lock(&page_lock);
		block_free_locked(r, r->first_pfn + (u64)(p - r->pages), order);
		free_pages += 1ull << order;
		spin_unlock(&page_lock);
	}
	arch_irq_restore(f);
}

COLD unsigned page_report_take(struct page **ret_blocks, unsigned max, void (*wanted)(void))
{
	unsigned n = 0;
	u64 taken = 0;
	irq_flags_t f = spin_lock_irqsave(&page_lock);

	for (unsigned k = PAGE_ORDER_MAX; k >= PAGE_REPORT_ORDER; k--) {
		for (struct list *l = &free_lists[k]; n < max && !list_empty(l); n++) {
			struct page *p = list_entry(l->next, struct page, link);
			u64 pages = 1ull << k;

			if (p->flags & PAGE_REPORTED || taken + pages > free_pages - pages)
				break;               /* (I5); half of what is free stays */
			list_remove(&p->link);
			p->flags = 0;
			free_pages -= pages;
			taken += pages;
			ret_blocks[n] = p;
		}
	}
	report_wanted = n ? NULL : wanted;
	spin_unlock_irqrestore(&page_lock, f);
	return n;
}

COLD void page_report_done(struct page **blocks, unsigned n)
{
	irq_flags_t f = spin_lock_irqsave(&page_lock);

	for (unsigned i = 0; i < n; i++) {
		struct page *p = blocks[i];
		struct page_range *r = range_of_page(p);
		unsigned order = (unsigned)p->index;

		free_pages += 1ull << order;
		block_free_locked(r, r->first_pfn + (u64)(p - r->pages), order);
		if (p->flags & PAGE_FREE && p->index == order)   /* not merged with what came back meanwhile */
			block_set_reported_locked(p);
	}
	spin_unlock_irqrestore(&page_lock, f);
}

void page_put(struct page *p)
{
	page_put_here(p);
}

/*
 * The pages behind p that stand behind it on the list, if with it they are a block as stock_refill takes them, nobody else holds one, and all
 * are of one kind: *ret_next is what follows them then.
 */
static bool list_has_block(const struct list *head, struct page *p, u32 flags, struct list **ret_next)
{
	struct list *l = &p->link;

	for (struct page *q = p; q < p + STOCK_BATCH; q++, l = l->next)
		if (l != &q->link || __atomic_load_n(&q->refs, __ATOMIC_ACQUIRE) != 1 || q->flags != flags)
			return false;
	*ret_next = l;
	return true;
}

COLD void page_put_list(struct list *pages)
{
	for (struct list *l = pages->next, *next; l != pages; l = next) {
		struct page *p = list_entry(l, struct page, link);
		u32 flags = p->flags;

		next = l->next;
		if ((page_to_phys(p) >> PAGE_SHIFT) % STOCK_BATCH == 0 && list_has_block(pages, p, flags, &next)) {
			for (unsigned i = 1; i < STOCK_BATCH; i++) {
				p[i].refs = 0;
				p[i].flags = 0;
			}
			page_free(p, STOCK_ORDER);
		} else {
			page_put_here(p);
		}
	}
}

u64 page_free_count(void)
{
	u64 n = READ_ONCE(free_pages);
	for (unsigned i = 0; i < arch_cpu_count(); i++)
		n += READ_ONCE(stocks[i].count) + (READ_ONCE(stocks[i].pair) ? 2 : 0);
	return n;
}

u64 page_total_count(void) { return total_pages; }

u64 page_kind_count(enum page_kind kind)
{
	s64 n = 0;
	for (unsigned i = 0; i < arch_cpu_count(); i++)
		n += READ_ONCE(stocks[i].used[kind]);
	return (u64)MAX(n, (s64)0);
}

#define KIND_GAUGE(name, kind) \
	static COLD u64 read_##name(void) { return page_kind_count(kind); } \
	GAUGE(name, read_##name)
KIND_GAUGE(pages_other, PAGE_KIND_OTHER);
KIND_GAUGE(pages_anon, PAGE_KIND_ANON);
KIND_GAUGE(pages_file, PAGE_KIND_FILE);
KIND_GAUGE(pages_shmem, PAGE_KIND_SHMEM);
KIND_GAUGE(pages_slab, PAGE_KIND_SLAB);
KIND_GAUGE(pages_tables, PAGE_KIND_TABLE);
KIND_GAUGE(pages_stacks, PAGE_KIND_STACK);
KIND_GAUGE(pages_net, PAGE_KIND_NET);
KIND_GAUGE(pages_pipes, PAGE_KIND_PIPE);
GAUGE(pages_free, page_free_count);

void page_reclaim_register(unsigned (*shrink)(unsigned want_pages))
{
	ASSERT(nshrinkers < ARRAY_SIZE(shrinkers));
	shrinkers[nshrinkers++] = shrink;
}

unsigned page_reclaim(unsigned want_pages)
{
	unsigned got = 0;
	for (unsigned i = 0; i < nshrinkers && got < want_pages; i++)
		got += shrinkers[i](want_pages - got);
	return got;
}

struct page *page_alloc_wait(unsigned order, unsigned flags)
{
	for (unsigned attempt = 0;; attempt++) {
		struct page *p = page_alloc(order, flags);
		if (p || attempt == 3)
			return p;
		if (!page_reclaim(MAX(32u, 2u << order)))
			return NULL;
	}
}

/* Take over one run of RAM. The structs of its pages come first in it; they are not touched here: keeps (I1). */
static COLD void range_add(u64 first, u64 n)
{
	u64 own = DIV_ROUND_UP(n * sizeof(struct page), PAGE_SIZE + sizeof(struct page));
	if (n < own + 2)
		return;
	struct page_range r = {
		.pages = arch_phys_to_virt(first << PAGE_SHIFT),
		.first_pfn = first + own, .frontier = first + own, .count = n - own,
	};
	unsigned at = nranges++;
	if (r.count > page_ranges[0].count) {
		page_ranges[at] = page_ranges[0];
		at = 0;
	}
	page_ranges[at] = r;
	total_pages += r.count;
}

COLD void page_init(void)
{
	for (unsigned k = 0; k <= PAGE_ORDER_MAX; k++)
		list_init(&free_lists[k]);
	for (unsigned i = 0; i < boot_info.nram; i++)
		range_add(boot_info.ram[i].base >> PAGE_SHIFT, boot_info.ram[i].len >> PAGE_SHIFT);
	free_pages = total_pages;
}
