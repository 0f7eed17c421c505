/*
 * heap.c - slabs of one page each, by size class or by named type.
 *
 *   page:  | object | object | object | ...      struct page: slab_cache, slab_free, refs = used + 1
 *
 * Invariants
 * (I1) A free object's first word is the next free one, encoded with the boot's secret and its own
 *      address; its second word is a mark made of another secret. The rest of it is zero.
 * (I2) page.refs - 1 is the number of objects in use. A slab is on its cache's `partial` list iff it
 *      has a free object; empty slabs beyond one go back to the page allocator.
 * (I3) The order of a fresh slab's freelist is random (start and stride).
 *
 * Locks: cache lock (irq-safe). Failure: NULL. A mark found on free, or a broken link or mark on
 * allocation, is memory corruption and panics.
 */
#include "mm/heap.h"
#include "mm/page.h"
#include "arch/spinlock.h"
#include "base/counter.h"
#include "base/errno.h"
#include "base/list.h"
#include "base/log.h"
#include "base/string.h"

struct cache_impl {
	struct list partial;         /* C: slabs with a free object */
	struct spinlock lock;
	u32 size, per_slab;
	u32 empty;                   /* C: slabs with no object in use */
	u64 used;                    /* C: objects in use */
	struct heap_cache *next;     /* constant once it is set: all caches in use */
};
_Static_assert(sizeof(struct cache_impl) <= sizeof(((struct heap_cache *)0)->impl), "heap_cache.impl too small");

struct free_object {
	u64 next;                    /* encoded */
	u64 mark;
};

#define LARGE_MAGIC 0x4c41524745000000ull  /* page.private_data[0] of a large block; low byte: order */
#define SMALL_MAX   2048u

#define CLASS(n) { n, "heap-" #n }
static const struct {
	u16 size;
	char name[10];
} class_kinds[] = { CLASS(16), CLASS(32), CLASS(64), CLASS(128), CLASS(192), CLASS(256), CLASS(384), CLASS(512), CLASS(768), CLASS(1024), CLASS(1344), CLASS(2048) };
static struct heap_cache classes[ARRAY_SIZE(class_kinds)];
static u8 class_of[SMALL_MAX / 16 + 1];    /* (size + 15) / 16 -> index into classes */
static u64 secret_link RO_AFTER_INIT, secret_mark RO_AFTER_INIT, shuffle;
static u64 large_bytes;
static struct heap_cache *caches;   /* S: setup_lock; a list that only grows */
static u64 fail_countdown;
static bool ready;
static struct spinlock setup_lock = SPINLOCK_INIT;

static struct cache_impl *impl_of(struct heap_cache *c) { return (struct cache_impl *)(void *)c->impl; }

static COLD void cache_setup_locked(struct heap_cache *c)
{
	struct cache_impl *ci = impl_of(c);
	list_init(&ci->partial);
	ci->size = ROUND_UP(MAX(c->object_size, 16u), MAX(c->align, 16u));
	ci->per_slab = (u32)(PAGE_SIZE / ci->size);
	ci->next = caches;
	__atomic_store_n(&caches, c, __ATOMIC_RELEASE);
	__atomic_store_n(&ci->lock.held, 0, __ATOMIC_RELEASE);
}

static COLD void heap_setup_locked(void)
{
	u8 seed[32] = { 0 };
	u64 s[4];
	(void)arch_random_seed(seed);
	memcpy(s, seed, sizeof s);
	secret_link = s[0] ^ s[3] ^ 0x9e3779b97f4a7c15ull;
	secret_mark = s[1] ^ (u64)arch_clock_mono_ns() ^ 0xd1b54a32d192ed03ull;
	shuffle = s[2] | 1;
	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++) {
		classes[i].name = class_kinds[i].name;
		classes[i].object_size = class_kinds[i].size;
		classes[i].align = 16;
		cache_setup_locked(&classes[i]);
	}
	for (unsigned i = 0, k = 0; i < ARRAY_SIZE(class_of); i++) {
		while (class_kinds[k].size < i * 16)
			k++;
		class_of[i] = (u8)k;
	}
	__atomic_store_n(&ready, true, __ATOMIC_RELEASE);
}

static COLD NOINLINE void first_use(struct heap_cache *c)
{
	irq_flags_t f = spin_lock_irqsave(&setup_lock);
	if (!ready)
		heap_setup_locked();
	if (!impl_of(c)->size)
		cache_setup_locked(c);
	spin_unlock_irqrestore(&setup_lock, f);
}

static u64 encode(const void *slot, const void *next)
{
	return (u64)(uintptr_t)next ^ secret_link ^ __builtin_bswap64((u64)(uintptr_t)slot);
}
static void *decode(const void *slot, u64 word)
{
	return (void *)(uintptr_t)(word ^ secret_link ^ __builtin_bswap64((u64)(uintptr_t)slot));
}
static u64 mark_of(const void *slot) { return secret_mark ^ (u64)(uintptr_t)slot; }

static unsigned gcd(unsigned a, unsigned b)
{
	while (b) {
		unsigned t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static struct page *slab_new(struct heap_cache *c, const struct cache_impl *ci)
{
	struct page *p = page_alloc(0, PAGE_ZERO | PAGE_FOR(PAGE_KIND_SLAB));
	if (!p)
		return NULL;
	p->flags |= PAGE_SLAB;
	p->slab_cache = c;
	u8 *base = page_to_virt(p);
	u64 r = __atomic_fetch_add(&shuffle, 0x9e3779b97f4a7c15ull, __ATOMIC_RELAXED);
	r ^= r >> 29;
	unsigned n = ci->per_slab, at = (unsigned)(r % n), stride = (unsigned)((r >> 32) % n) | 1;
	while (gcd(stride, n) != 1)
		stride += 2;
	void *next = NULL;
	for (unsigned i = 0; i < n; i++) {
		struct free_object *o = (void *)(base + (size_t)at * ci->size);
		o->next = encode(o, next);
		o->mark = mark_of(o);
		next = o;
		at = (at + stride) % n;
	}
	p->slab_free = next;
	return p;
}

static void *slab_take(struct cache_impl *ci, struct page *p)
{
	struct free_object *o = p->slab_free;
	void *next = decode(o, o->next);
	if (o->mark != mark_of(o) || (next && ((uintptr_t)next ^ (uintptr_t)o) >= PAGE_SIZE))
		panic("heap: corrupted free object of %u bytes", ci->size);
	p->slab_free = next;
	if (p->refs++ == 1)
		ci->empty--;
	if (!next)
		list_remove(&p->link);
	ci->used++;
	o->next = o->mark = 0;
	return o;
}

static bool fail_injected(void)
{
	return unlikely(READ_ONCE(fail_countdown)) && __atomic_sub_fetch(&fail_countdown, 1, __ATOMIC_RELAXED) == 0;
}

void *heap_cache_alloc(struct heap_cache *c)
{
	struct cache_impl *ci = impl_of(c);

	if (unlikely(!ci->size))
		first_use(c);
	if (fail_injected())
		return NULL;
	irq_flags_t f = spin_lock_irqsave(&ci->lock);
	if (unlikely(list_empty(&ci->partial))) {
		spin_unlock_irqrestore(&ci->lock, f);
		struct page *p = slab_new(c, ci);
		if (!p)
			return NULL;
		f = spin_lock_irqsave(&ci->lock);
		list_push(&ci->partial, &p->link);
		ci->empty++;
	}
	void *o = slab_take(ci, list_entry(ci->partial.next, struct page, link));
	spin_unlock_irqrestore(&ci->lock, f);
	return o;
}

static void slab_give(struct heap_cache *c, struct page *p, void *v)
{
	struct cache_impl *ci = impl_of(c);
	struct free_object *o = v;

	if ((((uintptr_t)v & (PAGE_SIZE - 1)) % ci->size) != 0)
		panic("heap: free of a pointer into the middle of an object of %u bytes", ci->size);
	if (unlikely(o->mark == mark_of(o)))
		panic("heap: double free of an object of %u bytes", ci->size);
	memset(v, 0, ci->size);
	irq_flags_t f = spin_lock_irqsave(&ci->lock);
	bool was_full = !p->slab_free;
	o->next = encode(o, p->slab_free);
	o->mark = mark_of(o);
	p->slab_free = o;
	if (was_full)
		list_push(&ci->partial, &p->link);
	ci->used--;
	bool drop = false;
	if (--p->refs == 1 && ++ci->empty > 1) {
		ci->empty--;
		list_remove(&p->link);
		drop = true;
	}
	spin_unlock_irqrestore(&ci->lock, f);
	if (drop)
		page_free(p, 0);
}

void heap_cache_free(struct heap_cache *c, void *p)
{
	if (!p)
		return;
	struct page *pg = virt_to_page(p);
	ASSERT(pg && (pg->flags & PAGE_SLAB) && pg->slab_cache == c);
	slab_give(c, pg, p);
}

static void *large_alloc(size_t size)
{
	unsigned order = 0;
	while ((PAGE_SIZE << order) < size)
		if (++order > PAGE_ORDER_MAX)
			return NULL;
	if (fail_injected())
		return NULL;
	struct page *p = page_alloc(order, PAGE_ZERO | PAGE_FOR(PAGE_KIND_SLAB));
	if (!p)
		return NULL;
	p->private_data[0] = LARGE_MAGIC | order;
	__atomic_fetch_add(&large_bytes, PAGE_SIZE << order, __ATOMIC_RELAXED);
	return page_to_virt(p);
}

void *heap_alloc(size_t size)
{
	if (!size)
		return NULL;
	if (size > SMALL_MAX)
		return large_alloc(size);
	if (unlikely(!ready))
		first_use(&classes[0]);
	return heap_cache_alloc(&classes[class_of[(size + 15) / 16]]);
}

void *heap_alloc_array(size_t n, size_t size)
{
	size_t total;
	return __builtin_mul_overflow(n, size, &total) ? NULL : heap_alloc(total);
}

size_t heap_size(const void *p)
{
	const struct page *pg = virt_to_page(p);
	ASSERT(pg);
	if (pg->flags & PAGE_SLAB)
		return impl_of(pg->slab_cache)->size;
	ASSERT((pg->private_data[0] & ~0xffull) == LARGE_MAGIC);
	return PAGE_SIZE << (pg->private_data[0] & 0xff);
}

void heap_free(void *p)
{
	if (!p)
		return;
	struct page *pg = virt_to_page(p);
	ASSERT(pg);
	if (pg->flags & PAGE_SLAB) {
		slab_give(pg->slab_cache, pg, p);
		return;
	}
	size_t size = heap_size(p);
	unsigned order = (unsigned)(pg->private_data[0] & 0xff);
	ASSERT(((uintptr_t)p & (PAGE_SIZE - 1)) == 0);
	pg->private_data[0] = 0;
	__atomic_fetch_sub(&large_bytes, size, __ATOMIC_RELAXED);
	page_free(pg, order);
}

void *heap_realloc(void *p, size_t size)
{
	if (!p)
		return heap_alloc(size);
	size_t old = heap_size(p);
	if (size <= old && (size > old / 2 || old <= 64)) {
		memset((u8 *)p + size, 0, old - size);
		return p;
	}
	void *q = heap_alloc(size);
	if (!q)
		return NULL;
	memcpy(q, p, MIN(old, size));
	heap_free(p);
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

COLD bool heap_cache_tell(struct heap_cache **at, struct heap_cache_info *ret)
{
	struct heap_cache *c = *at ? impl_of(*at)->next : __atomic_load_n(&caches, __ATOMIC_ACQUIRE);

	*at = c;
	if (c)
		*ret = (struct heap_cache_info){ c->name, impl_of(c)->size, READ_ONCE(impl_of(c)->used) };
	return c;
}

COLD u64 heap_used_bytes(void)
{
	struct heap_cache *at = NULL;
	struct heap_cache_info i;
	u64 sum = READ_ONCE(large_bytes);

	while (heap_cache_tell(&at, &i))
		sum += i.used * i.size;
	return sum;
}
GAUGE(heap_used_bytes, heap_used_bytes);
static u64 read_large(void) { return READ_ONCE(large_bytes); }
GAUGE(heap_large_bytes, read_large);

void heap_fail_nth(u64 n) { fail_countdown = n; }
