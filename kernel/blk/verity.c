/*
 * verity.c - checking blocks against a Merkle tree (verity.h).
 *
 * A hash block holds 128 digests, of data blocks on level 0 and of level k's blocks on level k + 1; the highest level is one
 * block, whose digest is the root hash (a single data block has no tree: the root hash is its own). On the device the
 * highest level comes first. A digest is SHA-256(salt, block); the state after the salt is computed once.
 *
 * Invariants:
 *   (V1) a page in the cache has been checked against its parent, and is never written again.
 *   (V2) numbers come from the parameters alone, so no block outside the tree is ever asked for; level_first is checked
 *        against the device once.
 *   (V3) a cached page may be dropped by another thread at any time: whoever reads it has a reference.
 *
 * Locks: v->lock (spinlock) around the cache and the list of bad blocks; reading and hashing are done without it, so two
 * threads may read the same block of the tree at once: the second finds it there and drops its own.
 * Can fail: the device (-EIO), what it delivers (-EIO), memory (-ENOMEM).
 */
#include "blk/verity.h"

#include "arch/spinlock.h"
#include "base/errno.h"
#include "base/log.h"
#include "base/string.h"
#include "blk/blk.h"
#include "mm/heap.h"

COUNTER(verity_mismatches);

#define PER_BLOCK_BITS 7u
#define LEVELS_MAX     6u            /* 2^42 blocks: 16 PiB */
#define BAD_MAX        8u            /* blocks that are not told again */

struct verity {
	struct blkdev *dev;
	u64 tree_off, nblocks;
	unsigned levels;
	u64 level_first[LEVELS_MAX];         /* the first block of each level, from tree_off */
	u32 salted[8];
	u8 last[SHA256_BLOCK];               /* the padding of every message */
	u8 root[SHA256_LEN];
	struct spinlock lock;
	struct {
		u64 index;                   /* from tree_off */
		struct page *page;           /* NULL: free */
	} cache[VERITY_CACHE];               /* lock */
	unsigned cache_next;
	struct verity_place bad[BAD_MAX];    /* lock; a ring */
	unsigned nbad;
};

void (*verity_on_mismatch)(const struct verity_place *place) RO_AFTER_INIT;

static void take_blocks(u32 state[8], const void *data, size_t n)
{
	if (!arch_sha256_blocks(state, data, n))
		sha256_blocks(state, data, n);
}

static void page_digest(const struct verity *v, struct page *p, u8 ret[SHA256_LEN])
{
	u32 state[8];

	memcpy(state, v->salted, sizeof(state));
	take_blocks(state, page_to_virt(p), PAGE_SIZE / SHA256_BLOCK);
	take_blocks(state, v->last, 1);
	sha256_digest(state, ret);
}

bool verity_is_quick(void)
{
	u32 state[8];

	return arch_sha256_blocks(state, NULL, 0);
}

/* ---- Making one ---- */

/* Levels and where they lie; how many blocks the tree has. */
static u64 tree_lay_out(struct verity *v)
{
	u64 count[LEVELS_MAX], n = v->nblocks, total = 0;

	while (n > 1 && v->levels < LEVELS_MAX) {
		n = DIV_ROUND_UP(n, 1ull << PER_BLOCK_BITS);
		count[v->levels++] = n;
	}
	for (unsigned k = v->levels; k-- > 0;) {
		v->level_first[k] = total;
		total += count[k];
	}
	return n == 1 ? total : UINT64_MAX / PAGE_SIZE;
}

int verity_new(struct blkdev *d, const struct verity_params *p, struct verity **ret)
{
	u64 end = d->nsectors * 512, tree;
	struct verity *v;

	if (!p->data_len || p->data_len % PAGE_SIZE || p->data_off > end || p->data_len > end - p->data_off || p->tree_off > end ||
	    p->tree_off % d->block_size || p->salt_len % SHA256_BLOCK || p->salt_len > VERITY_SALT_MAX)
		return -EINVAL;
	v = heap_alloc(sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->dev = d;
	v->tree_off = p->tree_off;
	v->nblocks = p->data_len / PAGE_SIZE;
	spin_init(&v->lock);
	tree = tree_lay_out(v);
	if (tree > (end - p->tree_off) / PAGE_SIZE) {       /* keeps (V2) */
		heap_free(v);
		return -EINVAL;
	}
	memcpy(v->root, p->root, sizeof(v->root));
	sha256_start(v->salted);
	take_blocks(v->salted, p->salt, p->salt_len / SHA256_BLOCK);
	sha256_last_block(v->last, p->salt_len + PAGE_SIZE);
	*ret = v;
	return 0;
}

void verity_free(struct verity *v)
{
	for (unsigned i = 0; v && i < VERITY_CACHE; i++)
		if (v->cache[i].page)
			page_put(v->cache[i].page);
	heap_free(v);
}

/* ---- The cache of the tree ---- */

static struct page *cache_find(struct verity *v, u64 index)
{
	struct page *p = NULL;

	spin_lock(&v->lock);
	for (unsigned i = 0; i < VERITY_CACHE && v->cache[i].page && !p; i++)
		if (v->cache[i].index == index) {
			p = v->cache[i].page;
			page_get(p);
		}
	spin_unlock(&v->lock);
	return p;
}

/* p has been checked; the oldest gives way. */
static void cache_add(struct verity *v, u64 index, struct page *p)
{
	struct page *old = NULL;

	spin_lock(&v->lock);
	for (unsigned i = 0; i < VERITY_CACHE && v->cache[i].page; i++)
		if (v->cache[i].index == index)
			old = p;
	if (!old) {
		unsigned at = v->cache_next++ % VERITY_CACHE;

		old = v->cache[at].page;
		v->cache[at].index = index;
		v->cache[at].page = p;
		page_get(p);
	} else {
		old = NULL;                  /* somebody was faster */
	}
	spin_unlock(&v->lock);
	if (old)
		page_put(old);
}

/* ---- Checking ---- */

static int mismatch(struct verity *v, u64 tree_block, const struct verity_place *where)
{
	struct verity_place place = *where;
	bool known = false;

	place.tree_block = tree_block;
	counter_bump(verity_mismatches);
	spin_lock(&v->lock);
	for (unsigned i = 0; i < MIN(v->nbad, BAD_MAX); i++)
		known = known || (v->bad[i].block == place.block && v->bad[i].tree_block == tree_block);
	if (!known)
		v->bad[v->nbad++ % BAD_MAX] = place;
	spin_unlock(&v->lock);
	if (known)
		return -EIO;
	log_error("root: block %llu does not match its hash%s\n", (unsigned long long)place.block, ~tree_block ? " (the hash tree was altered)" : "");
	if (verity_on_mismatch)
		verity_on_mismatch(&place);
	return -EIO;
}

static int digest_of(struct verity *v, unsigned level, u64 index, const struct verity_place *where, u8 ret[SHA256_LEN]);

/* The checked block of the tree that has the digests of level's blocks around index, with a reference. */
static int tree_block_get(struct verity *v, unsigned level, u64 index, const struct verity_place *where, struct page **ret)
{
	u64 at = v->level_first[level] + (index >> PER_BLOCK_BITS);
	u8 want[SHA256_LEN], have[SHA256_LEN];
	struct page *p = cache_find(v, at);
	int r;

	if (p) {
		*ret = p;
		return 0;
	}
	r = digest_of(v, level + 1, index >> PER_BLOCK_BITS, where, want);
	if (r)
		return r;
	p = page_alloc_wait(0, PAGE_FOR(PAGE_KIND_OTHER));
	if (!p)
		return -ENOMEM;
	r = blk_rw_pages_sync(v->dev, BLK_READ, v->tree_off + at * PAGE_SIZE, &p, 1);
	if (r == 0) {
		page_digest(v, p, have);
		if (memcmp(want, have, sizeof(want)))
			r = mismatch(v, at, where);
	}
	if (r) {
		page_put(p);
		return r;
	}
	cache_add(v, at, p);                 /* keeps (V1) */
	*ret = p;
	return 0;
}

/* The digest that a block must have: level 0 is the data, level k + 1 the tree's level k. Recurs at most LEVELS_MAX times. */
static int digest_of(struct verity *v, unsigned level, u64 index, const struct verity_place *where, u8 ret[SHA256_LEN])
{
	struct page *p;
	int r;

	if (level == v->levels) {
		memcpy(ret, v->root, SHA256_LEN);
		return 0;
	}
	r = tree_block_get(v, level, index, where, &p);
	if (r)
		return r;
	memcpy(ret, (u8 *)page_to_virt(p) + (index & ((1u << PER_BLOCK_BITS) - 1)) * SHA256_LEN, SHA256_LEN);
	page_put(p);
	return 0;
}

int verity_check(struct verity *v, u64 first, struct page *const *pages, unsigned n, u64 inode, u64 off)
{
	struct verity_place where = { .block = first, .inode = inode, .off = off };
	u8 want[SHA256_LEN], have[SHA256_LEN];

	if (first > v->nblocks || n > v->nblocks - first)
		return -EIO;
	for (unsigned i = 0; i < n; i++, where.block++, where.off += PAGE_SIZE) {
		int r = digest_of(v, 0, where.block, &where, want);

		if (r)
			return r;
		page_digest(v, pages[i], have);
		if (memcmp(want, have, sizeof(want)))
			return mismatch(v, ~0ull, &where);
	}
	return 0;
}

bool verity_last_mismatch(struct verity *v, struct verity_place *ret)
{
	spin_lock(&v->lock);
	bool any = v->nbad > 0;

	if (any)
		*ret = v->bad[(v->nbad - 1) % BAD_MAX];
	spin_unlock(&v->lock);
	return any;
}
