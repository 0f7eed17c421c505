/*
 * buf.c - metadata buffers: blocks of the device in memory, by number.
 *
 * A buffer is in one of these states:
 *     held or idle (refs), and   clean | in the running transaction | committed and not at home (cp_tid)
 * Clean idle buffers are on the LRU list and are dropped when there are more than max_bufs.
 *
 * Invariants, all under M:
 *  (B1) A buffer on the running transaction's list has in_txn set, and is never written home: what it
 *       holds may only reach the device after the log has it.
 *  (B2) cp_tid is the newest committed transaction with the buffer in it; the log may not lose that
 *       transaction before the buffer is home or a newer one is committed.
 *  (B3) Buffers freed in the running transaction are `forgotten`: on its list of the forgotten, and dropped with its commit.
 *
 * What can fail: -EIO, -ENOMEM.
 */
#include "fs/ext4/ext4.h"

#define BUF_BUCKETS 1024u

static struct list *bucket(struct ext4 *e, u64 block)
{
	return &e->buf_hash[block * 0x9e3779b97f4a7c15ull >> 54];
}

static bool buf_clean(const struct ext4_buf *b)
{
	return !b->in_txn && !b->cp_tid && !b->forgotten;
}

static int buf_hash_make(struct ext4 *e)
{
	e->buf_hash = heap_alloc_array(BUF_BUCKETS, sizeof(struct list));
	if (!e->buf_hash)
		return -ENOMEM;
	for (unsigned k = 0; k < BUF_BUCKETS; k++)
		list_init(&e->buf_hash[k]);
	list_init(&e->buf_lru);
	return 0;
}

void buf_evict(struct ext4 *e, struct ext4_buf *b)
{
	list_remove(&b->hash_link);
	list_remove(&b->lru_link);
	ext4_block_free(b->data);
	heap_free(b);
	e->nbufs--;
}

static void buf_trim(struct ext4 *e)
{
	while (e->nbufs > e->max_bufs && !list_empty(&e->buf_lru))
		buf_evict(e, list_entry(e->buf_lru.prev, struct ext4_buf, lru_link));
}

/* The buffer of a block with a reference, its contents perhaps not there yet. */
static int buf_get(struct ext4 *e, u64 block, struct ext4_buf **ret)
{
	struct ext4_buf *b;

	if (!e->buf_hash && buf_hash_make(e))
		return -ENOMEM;
	list_for_each_entry(b, bucket(e, block), hash_link) {
		if (b->block == block) {
			b->refs++;
			list_remove(&b->lru_link);
			*ret = b;
			return 0;
		}
	}
	buf_trim(e);
	b = heap_alloc(sizeof *b);
	u8 *data = b ? ext4_block_new() : NULL;
	if (!data) {
		heap_free(b);
		return -ENOMEM;
	}
	b->block = block;
	b->data = data;
	b->refs = 1;
	b->seal = NULL;
	list_init(&b->lru_link);
	list_init(&b->txn_link);
	list_init(&b->cp_link);
	list_push(bucket(e, block), &b->hash_link);
	e->nbufs++;
	*ret = b;
	return 0;
}

static int buf_fill(struct ext4 *e, u64 block, struct ext4_buf **ret)
{
	struct ext4_buf *b;
	int r = buf_get(e, block, &b);
	if (r)
		return r;
	if (b->forgotten) {
		buf_put(e, b);
		return ext4_corrupted(e, block, "a freed block is in use");
	}
	if (!b->uptodate) {
		r = ext4_dev_read(e, block, b->data, 1);
		if (r) {
			buf_put(e, b);
			return r;
		}
		b->uptodate = true;
	}
	*ret = b;
	return 0;
}

int buf_read(struct ext4 *e, u64 block, struct ext4_buf **ret)
{
	if (!ext4_block_valid(e, block, 1))
		return ext4_corrupted(e, block, "block number beyond the volume");
	return buf_fill(e, block, ret);
}

int buf_read_super(struct ext4 *e, struct ext4_buf **ret)
{
	return buf_fill(e, EXT4_SB_OFFSET >> e->block_bits, ret);
}

int buf_new(struct ext4 *e, u64 block, struct ext4_buf **ret)
{
	if (!ext4_block_valid(e, block, 1))
		return ext4_corrupted(e, block, "block number beyond the volume");
	int r = buf_get(e, block, ret);
	if (r)
		return r;
	if ((*ret)->forgotten) {
		buf_put(e, *ret);
		return ext4_corrupted(e, block, "a freed block is in use");
	}
	memset((*ret)->data, 0, e->block_size);
	(*ret)->uptodate = true;
	(*ret)->checked = 0;
	(*ret)->seal = NULL;
	return 0;
}

void buf_put(struct ext4 *e, struct ext4_buf *b)
{
	if (--b->refs || !buf_clean(b))
		return;
	if (b->uptodate)
		list_push(&e->buf_lru, &b->lru_link);
	else
		buf_evict(e, b);
}

void buf_dirty(struct ext4 *e, struct ext4_buf *b)
{
	struct ext4_txn *t = &e->j.running;

	if (b->in_txn)
		return;
	list_remove(&b->lru_link);
	b->in_txn = true;
	list_append(&t->bufs, &b->txn_link);
	t->nbufs++;
}

void buf_dirty_sealed(struct ext4 *e, struct ext4_buf *b, void (*seal)(const struct ext4 *e, struct ext4_buf *b), u32 seed)
{
	if (e->csum) {
		b->seal = seal;
		b->seal_seed = seed;
	}
	buf_dirty(e, b);
}

void buf_seal(const struct ext4 *e, struct ext4_buf *b)
{
	if (b->seal)
		b->seal(e, b);
	b->seal = NULL;
}

void buf_forget(struct ext4 *e, u64 block)
{
	struct ext4_buf *b, *found = NULL;

	if (e->j.inode)
		journal_revoke(e, block);
	if (!e->buf_hash)
		return;
	list_for_each_entry(b, bucket(e, block), hash_link)
		if (b->block == block)
			found = b;
	if (!found || found->forgotten)
		return;
	b = found;
	if (b->in_txn) {
		list_remove(&b->txn_link);
		b->in_txn = false;
		e->j.running.nbufs--;
	}
	list_remove(&b->lru_link);
	b->forgotten = true;
	list_append(&e->j.running.forgotten, &b->txn_link);
}

void buf_drop_all(struct ext4 *e)
{
	if (!e->buf_hash)
		return;
	for (unsigned k = 0; k < BUF_BUCKETS; k++)
		while (!list_empty(&e->buf_hash[k])) {
			struct ext4_buf *b = list_entry(e->buf_hash[k].next, struct ext4_buf, hash_link);
			list_remove(&b->txn_link);
			list_remove(&b->cp_link);
			buf_evict(e, b);
		}
	heap_free(e->buf_hash);
	e->buf_hash = NULL;
}
