/*
 * inet_mem.c - lwIP's memory: its mem_* and memp_* interface on the kernel heap.
 *
 * Packets come and go at a high rate in a few sizes, and the kernel heap clears what it gives
 * out. So freed blocks up to 2 KiB wait on short lists here, by size class, and go back to the
 * heap when the machine falls idle (inet_mem_trim). Nothing is set aside at boot.
 *
 * Data to be sent lies in chunks: pages that are filled once from the program and then only
 * referenced (PBUF_ROM) by lwIP's segments, by the device, and on the loopback by the receiver.
 * lwIP forgets a ROM pbuf's data when it frees the pbuf, so here each such pbuf carries the
 * chunk it points into and drops its reference when it dies.
 *
 * Invariants:
 *  (I1) a block's header (16 bytes before what lwIP sees) tells its class; NCLASS = plain heap.
 *  (I2) a chunk lives while refs > 0; the creator has one, each PBUF_ROM into it has one.
 *
 * Locks: all under inet_core. Can fail: everything, with NULL; lwIP copes and we count.
 */
#include "net/inet_impl.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/mem.h"
#include "lwip/memp.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"

#define NCLASS   6u
#define HDR      16u
struct block {
	union {
		struct block *next;
		u64 class;
	};
	u64 bytes;                   /* of the heap's, this header included */
};
_Static_assert(sizeof(struct block) == HDR, "block header");

static const u16 class_size[NCLASS] = { 64, 128, 192, 320, 768, 2032 };
static const u8 class_keep[NCLASS] = { 128, 128, 64, 64, 32, 32 };
static struct block *class_free[NCLASS];
static u32 class_count[NCLASS];
static u64 heap_bytes;               /* of all blocks, waiting ones too */

struct inet_chunk *inet_chunk_current;
bool inet_mem_short;                 /* atomic; the net thread asks the page cache for some */
COUNTER(inet_mem_failed);

static void failed(void)
{
	counter_bump(inet_mem_failed);
	if (!READ_ONCE(inet_mem_short)) {
		WRITE_ONCE(inet_mem_short, true);
		inet_kick();
	}
}

/* By 64 bytes. */
static const u8 class_at[] = { 0, 0, 1, 2, 3, 3, [6 ... 12] = 4, [13 ... 32] = 5 };

static inline unsigned class_of(size_t size) { return size <= 2032 ? class_at[(size + 63) / 64] : NCLASS; }

static NOINLINE struct block *block_new(size_t size)
{
	struct block *b = heap_alloc(size);

	if (!b) {
		failed();
		return NULL;
	}
	b->bytes = size;
	heap_bytes += size;
	return b;
}

static NOINLINE void *block_alloc(size_t size, unsigned c)
{
	struct block *b;

	if (likely(c < NCLASS && class_free[c])) {
		b = class_free[c];
		class_free[c] = b->next;
		class_count[c]--;
	} else {
		b = block_new(HDR + (c < NCLASS ? class_size[c] : size));
		if (!b)
			return NULL;
	}
	b->class = c;
	return (char *)b + HDR;
}

static void block_to_heap(struct block *b)
{
	heap_bytes -= b->bytes;
	heap_free(b);
}

bool inet_mem_plenty(void) { return heap_bytes < page_total_count() * PAGE_SIZE / 16; }

static inline void block_free(void *p)
{
	struct block *b = (struct block *)(void *)((char *)p - HDR);
	u64 c = b->class;

	if (c < NCLASS && class_count[c] < class_keep[c]) {
		b->next = class_free[c];
		class_free[c] = b;
		class_count[c]++;
		return;
	}
	block_to_heap(b);
}

void inet_mem_trim(void)
{
	for (unsigned c = 0; c < NCLASS; c++) {
		while (class_free[c]) {
			struct block *b = class_free[c];
			class_free[c] = b->next;
			block_to_heap(b);
		}
		class_count[c] = 0;
	}
}

/* ---- lwIP's interface ---- */

void mem_init(void) { }
void *mem_trim(void *mem, mem_size_t size) { return mem; }
void *mem_malloc(mem_size_t size)
{
	return size ? block_alloc(size, class_of(size)) : NULL;
}
COLD void *mem_calloc(mem_size_t count, mem_size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	p = mem_malloc(n);
	if (p)
		memset(p, 0, n);
	return p;
}
void mem_free(void *mem)
{
	if (mem)
		block_free(mem);
}

/* A pbuf without data of its own, with the chunk that its data lies in. */
struct rom_pbuf {
	struct pbuf pbuf;
	struct inet_chunk *chunk;
};

static const u16 memp_size[MEMP_MAX] = {
#define LWIP_MEMPOOL(name, num, size, desc) [MEMP_##name] = (size),
#include "lwip/priv/memp_std.h"
};
static u8 memp_class[MEMP_MAX];
/* What others can make us hold without a limit of lwIP's own. */
static const u16 memp_limit[MEMP_MAX] = { [MEMP_ND6_QUEUE] = 64, [MEMP_IP6_REASSDATA] = 16, [MEMP_MLD6_GROUP] = 128, [MEMP_IGMP_GROUP] = 128 };
static u32 memp_used[MEMP_MAX];      /* but for pbufs and segments */
static u16 memp_total[MEMP_MAX];

/* Behind a connection is room for its place in the hash (inet_demux.c). */
static size_t memp_bytes(unsigned type)
{
	return type == MEMP_TCP_PCB ? ROUND_UP((size_t)memp_size[type], 8u) + INET_DEMUX_SIZE : memp_size[type];
}

COLD void memp_init(void)
{
	for (unsigned i = 0; i < MEMP_MAX; i++) {
		memp_total[i] = (u16)(i == MEMP_PBUF ? sizeof(struct rom_pbuf) : memp_bytes(i));
		memp_class[i] = (u8)class_of(memp_total[i]);
	}
}

static NOINLINE void *malloc_counted(memp_t type)
{
	void *p;

	if (type >= MEMP_MAX || (memp_limit[type] && memp_used[type] >= memp_limit[type]))
		return NULL;
	p = block_alloc(memp_total[type], memp_class[type]);
	if (!p)
		return NULL;
	memp_used[type]++;
	if (type == MEMP_TCP_PCB)
		inet_demux_born(p);
	return p;
}

void *memp_malloc(memp_t type)
{
	struct rom_pbuf *r;

	if (likely(type == MEMP_TCP_SEG))
		return block_alloc(memp_total[MEMP_TCP_SEG], memp_class[MEMP_TCP_SEG]);
	if (type != MEMP_PBUF)
		return malloc_counted(type);
	r = block_alloc(memp_total[MEMP_PBUF], memp_class[MEMP_PBUF]);
	if (!r)
		return NULL;
	r->chunk = inet_chunk_current;
	if (r->chunk)
		r->chunk->refs++;
	return r;
}

void memp_free(memp_t type, void *mem)
{
	if (!mem)
		return;
	if (type == MEMP_PBUF) {
		struct rom_pbuf *r = mem;
		if (r->chunk)
			inet_chunk_put(r->chunk);
	} else if (type != MEMP_TCP_SEG) {
		memp_used[type]--;
		if (type == MEMP_TCP_PCB)
			inet_demux_gone(mem);
	}
	block_free(mem);
}

/* ---- Chunks ---- */

struct inet_chunk *inet_chunk_alloc(size_t len)
{
	unsigned order = 0;
	struct page *pg = NULL;

	/* Memory that waits to be sent, and frames received, are at most half of all: a program with many connections goes on. */
	if (unlikely(page_kind_count(PAGE_KIND_NET) > page_total_count() / 2)) {
		failed();
		return NULL;
	}
	while (order < 3 && (PAGE_SIZE << order) - sizeof(struct inet_chunk) < len)
		order++;
	for (;; order--) {
		pg = page_alloc(order, PAGE_FOR(PAGE_KIND_NET));
		if (pg || order == 0)
			break;
	}
	if (!pg) {
		failed();
		return NULL;
	}
	struct inet_chunk *c = page_to_virt(pg);
	c->refs = 1;
	c->order = order;
	c->size = (u32)((PAGE_SIZE << order) - sizeof(*c));
	return c;
}

void inet_chunk_put(struct inet_chunk *c)
{
	if (--c->refs == 0)
		page_free(virt_to_page(c), c->order);
}
