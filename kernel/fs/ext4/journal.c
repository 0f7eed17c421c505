/*
 * journal.c - the journal: opening it, its superblock, and joining transactions. Format: jbd2
 * (Documentation/filesystems/ext4/journal.rst); commits are in commit.c, recovery in recover.c.
 *
 * A volume without a journal uses the same transactions: a commit then writes the buffers home.
 *
 * Invariants, under M:
 *  (J1) The running transaction's buffers, descriptors and revoke records fit into the log: it is closed before
 *       it has more than a quarter of the log's blocks, no single change adds more than the quarter behind that, and
 *       the other half is free: a commit that leaves less sets j.tight, which holds back new changes until everything
 *       is at home. (With changes under way that may fail: a buffer that one of them has keeps the log's tail.)
 *  (J2) j.logged lists committed transactions in order; the log's tail is the first of them.
 *
 * What can fail: -EIO, -EUCLEAN (the journal makes no sense), -EOPNOTSUPP (a feature of it), -ENOMEM, -EROFS.
 */
#include "fs/ext4/ext4.h"
#include "fs/ext4/mount.h"

#define COMMIT_EVERY_NS (5 * NSEC_PER_SEC)
#define JBD_KNOWN (JBD_INCOMPAT_REVOKE | JBD_INCOMPAT_64BIT | JBD_INCOMPAT_ASYNC_COMMIT | JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3)
#define NO_JOURNAL_TXN 256u
#define TXN_MEMORY_SHARE 128                 /* of memory: a commit copies the transaction's buffers */

void journal_txn_init(struct ext4_txn *t, u32 tid)
{
	memset(t, 0, sizeof *t);
	t->tid = tid;
	list_init(&t->bufs);
	list_init(&t->forgotten);
	list_init(&t->ordered);
}

/* ---- Joining ---- */

bool ext4_txn_full(const struct ext4 *e)
{
	const struct ext4_journal *j = &e->j;
	u64 limit = j->inode ? (j->nblocks - j->first) / 4 : NO_JOURNAL_TXN;

	return j->running.nbufs + j->running.nrevoked / 64 > MIN(limit, page_total_count() / TXN_MEMORY_SHARE);
}

int ext4_begin(struct ext4 *e)
{
	for (;;) {
		mutex_lock(&e->meta);
		if (e->failed || e->m.readonly) {
			int r = e->failed ? -EIO : -EROFS;
			mutex_unlock(&e->meta);
			return r;
		}
		if (!ext4_txn_full(e) && !e->j.tight)
			return 0;
		mutex_unlock(&e->meta);
		int r = ext4_commit_now(e);
		if (r)
			return r;
	}
}

void ext4_end(struct ext4 *e)
{
	mutex_unlock(&e->meta);
	ext4_wake_thread(e);
}

void ext4_order_data(struct ext4_inode *i)
{
	struct ext4_txn *t = &ext4_of(&i->v)->j.running;

	i->ordered_tid = t->tid;
	if (i->ordered_over) {                /* it waits for its reference to go: that is this transaction's now */
		i->ordered_over = false;
		list_remove(&i->ordered_link);
		list_append(&t->ordered, &i->ordered_link);
	} else if (list_empty(&i->ordered_link)) {
		vnode_get(&i->v);
		list_append(&t->ordered, &i->ordered_link);
	}
}

void journal_revoke(struct ext4 *e, u64 block)
{
	struct ext4_txn *t = &e->j.running;

	if (t->nrevoked == t->max_revoked) {
		unsigned max = t->max_revoked ? t->max_revoked * 2 : 64;
		u64 *more = heap_realloc(t->revoked, max * sizeof *more);
		if (!more) {
			/* Without the record an old copy could be replayed over the block's next user. */
			(void)ext4_fail(e, "no memory for a revoke record", -ENOMEM);
			return;
		}
		t->revoked = more;
		t->max_revoked = max;
	}
	t->revoked[t->nrevoked++] = block;
}

/* ---- The journal's superblock ---- */

u32 journal_block_csum(const struct ext4_journal *j, const void *block, u32 size, u32 at)
{
	static const u8 zero[4];
	u32 crc = ext4_crc32c(j->csum_seed, block, at);

	crc = ext4_crc32c(crc, zero, 4);
	return ext4_crc32c(crc, (const u8 *)block + at + 4, size - at - 4);
}

static u32 journal_super_csum(struct jbd_super *sb)
{
	u32 was = sb->checksum;

	sb->checksum = 0;
	u32 crc = ext4_crc32c(~0u, sb, sizeof *sb);
	sb->checksum = was;
	return crc;
}

/* Where the log begins (0: it is empty) and with what sequence. Durable when it returns. */
int journal_super_write(struct ext4 *e, u32 start, u32 sequence)
{
	struct ext4_journal *j = &e->j;
	u8 *block = ext4_block_new();

	if (!block)
		return -ENOMEM;
	j->sb.start = be32(start);
	j->sb.sequence = be32(sequence);
	j->sb.feature_incompat = be32(j->feature_incompat);
	if (j->csum) {
		j->sb.checksum_type = 4;     /* CRC-32C */
		j->sb.checksum = be32(journal_super_csum(&j->sb));
	}
	memcpy(block, &j->sb, sizeof j->sb);
	int r = ext4_dev_write(e, j->map[0], block, 1);
	ext4_block_free(block);
	if (!r)
		r = blk_flush_sync(e->dev);
	return r ? ext4_fail(e, "journal superblock", r) : 0;
}

/* What the superblock says must hold before anything is believed. */
static int journal_super_check(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	const struct jbd_super *sb = &j->sb;
	u32 type = be32(sb->h.type), incompat = be32(sb->feature_incompat);

	if (be32(sb->h.magic) != JBD_MAGIC || (type != JBD_SUPER_V1 && type != JBD_SUPER_V2))
		return ext4_corrupted(e, j->map[0], "no journal superblock");
	if (type == JBD_SUPER_V1)
		incompat = 0;
	if (incompat & ~(u32)JBD_KNOWN) {
		log_error("ext4: the journal uses features %x that this kernel lacks; mount it on Linux once", incompat & ~(u32)JBD_KNOWN);
		fs_ext4_lacks = "unknown features of the journal";
		return -EOPNOTSUPP;
	}
	if (incompat & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3) && be32(sb->checksum) != journal_super_csum(&j->sb))
		return ext4_corrupted(e, j->map[0], "journal superblock checksum");
	u32 maxlen = be32(sb->maxlen), first = be32(sb->first), start = be32(sb->start);
	if (be32(sb->blocksize) != e->block_size || maxlen > j->nblocks || first == 0 || first >= maxlen || maxlen - first < 64 || start >= maxlen ||
	    (start && start < first))
		return ext4_corrupted(e, j->map[0], "journal superblock geometry");
	j->nblocks = maxlen;
	j->first = first;
	j->feature_incompat = incompat;
	j->csum = incompat & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3);
	j->is64 = incompat & JBD_INCOMPAT_64BIT;
	j->csum_seed = ext4_crc32c(~0u, sb->uuid, 16);
	return 0;
}

/* The journal file's blocks, all of them, once. */
static int journal_map(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	u64 n = j->inode->v.size >> e->block_bits;
	struct ext4_map m;
	int r = 0;

	if (n < 256 || n > 10u << 20)
		return ext4_corrupted(e, EXT4_JOURNAL_INO, "size of the journal");
	j->map = heap_alloc_array((size_t)n, sizeof *j->map);
	if (!j->map)
		return -ENOMEM;
	mutex_lock(&e->meta);
	for (u64 at = 0; at < n && !r; at += m.count) {
		r = ext4_map(j->inode, at, &m);
		if (!r && (!m.block || m.unwritten || !ext4_block_valid(e, m.block, 1)))
			r = ext4_corrupted(e, EXT4_JOURNAL_INO, "a hole in the journal");
		if (r)
			break;
		m.count = MIN(m.count, n - at);
		for (u64 k = 0; k < m.count; k++)
			j->map[at + k] = m.block + k;
	}
	mutex_unlock(&e->meta);
	j->nblocks = (u32)n;
	return r;
}

int journal_open(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	struct vnode *v;
	u8 *block;

	if (e->super->journal_dev || e->super->journal_inum != EXT4_JOURNAL_INO) {
		fs_ext4_lacks = "a journal on another device";
		return -EOPNOTSUPP;
	}
	int r = ext4_iget(e, EXT4_JOURNAL_INO, &v);
	if (r)
		return r;
	j->inode = ext4_inode(v);
	if (v->type != VNODE_REG || !j->inode->nlink)
		return ext4_corrupted(e, EXT4_JOURNAL_INO, "the journal is no file");
	r = journal_map(e);
	if (r)
		return r;
	block = ext4_block_new();
	if (!block)
		return -ENOMEM;
	r = ext4_dev_read(e, j->map[0], block, 1);
	memcpy(&j->sb, block, sizeof j->sb);
	ext4_block_free(block);
	return r ? r : journal_super_check(e);
}

/* ---- The thread that commits ---- */

/* Until it is time for a commit (true), or the end. Data that is much is written meanwhile, down to a quarter of what may be dirty. */
static bool journal_wait(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	u64 when = arch_clock_mono_ns() + COMMIT_EVERY_NS;

	for (;;) {
		int r = WAIT_EVENT_FULL(&j->waitq, READ_ONCE(j->stop) || READ_ONCE(j->hurry), false, when);
		if (READ_ONCE(j->stop))
			return false;
		if (r || arch_clock_mono_ns() >= when)
			return true;
		__atomic_store_n(&j->hurry, false, __ATOMIC_SEQ_CST);
		if (ext4_write_dirty(e, vm_dirty_limit / 4))
			return true;
	}
}

static void journal_thread(void *arg)
{
	struct ext4 *e = arg;
	struct ext4_journal *j = &e->j;

	for (;;) {
		WAIT_EVENT(&j->waitq, READ_ONCE(j->stop) || READ_ONCE(j->active));
		if (!journal_wait(e))
			return;
		__atomic_store_n(&j->hurry, false, __ATOMIC_SEQ_CST);
		__atomic_store_n(&j->active, false, __ATOMIC_SEQ_CST);
		/* Failures turn the volume read-only and are told to those who sync. */
		if (!ext4_write_dirty(e, 0) && !READ_ONCE(e->failed) && ext4_commit_now(e))
			log_debug("ext4: commit failed");
		ext4_discard_freed(e);
		if (READ_ONCE(e->failed))
			ext4_forget_changes(e);
	}
}

void ext4_wake_thread(struct ext4 *e)
{
	if (!READ_ONCE(e->j.active) && !__atomic_exchange_n(&e->j.active, true, __ATOMIC_SEQ_CST))
		waitq_wake_all(&e->j.waitq);
}

void ext4_hurry_thread(struct ext4 *e)
{
	if (!READ_ONCE(e->j.hurry) && !__atomic_exchange_n(&e->j.hurry, true, __ATOMIC_SEQ_CST))
		waitq_wake_all(&e->j.waitq);
}

static int writer_write(struct vm_writer *w, u64 until_pages)
{
	struct ext4 *e = container_of(w, struct ext4, writer);

	return READ_ONCE(e->failed) ? -EIO : ext4_write_dirty(e, until_pages);
}

/* New features are taken up while the log is empty: checksums (v3) with the volume's own, 64-bit numbers, revoke records. */
static void journal_features(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;

	if (be32(j->sb.h.type) == JBD_SUPER_V1) {
		j->sb.h.type = be32(JBD_SUPER_V2);
		memset((u8 *)&j->sb + offsetof(struct jbd_super, feature_compat), 0, sizeof j->sb - offsetof(struct jbd_super, feature_compat));
		memcpy(j->sb.uuid, e->super->uuid, 16);
		j->sb.nr_users = be32(1);
	}
	j->feature_incompat &= ~(u32)(JBD_INCOMPAT_ASYNC_COMMIT | JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3);
	j->sb.feature_compat &= ~be32(JBD_COMPAT_CHECKSUM);
	j->feature_incompat |= JBD_INCOMPAT_REVOKE;
	if (e->csum)
		j->feature_incompat |= JBD_INCOMPAT_CSUM_V3;
	if (e->incompat & EXT4_INCOMPAT_64BIT)
		j->feature_incompat |= JBD_INCOMPAT_64BIT;
	j->csum = e->csum;
	j->is64 = j->feature_incompat & JBD_INCOMPAT_64BIT;
	j->csum_seed = ext4_crc32c(~0u, j->sb.uuid, 16);
}

/* The volume was recovered and the log is empty: begin to write. */
int journal_start(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	u32 tid = j->inode ? be32(j->sb.sequence) : 1;

	tid = tid ? tid : 1;
	j->committed = tid - 1;
	j->head = j->first;
	journal_txn_init(&j->running, tid);
	if (j->inode) {
		journal_features(e);
		j->sb.error = 0;             /* the volume's superblock says it */
		int r = journal_super_write(e, 0, tid);
		if (r)
			return r;
	}
	j->thread = thread_create("ext4", journal_thread, e);
	if (!j->thread)
		return -ENOMEM;
	thread_start(j->thread);
	e->writer.write = writer_write;
	vm_writer_add(&e->writer);
	return 0;
}

void journal_stop(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;

	if (!j->thread)
		return;
	vm_writer_remove(&e->writer);
	WRITE_ONCE(j->stop, true);
	waitq_wake_all(&j->waitq);
	thread_join(j->thread);
	thread_put(j->thread);
	j->thread = NULL;
}

void journal_close(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;

	journal_stop(e);
	heap_free(j->map);
	j->map = NULL;
	heap_free(j->running.revoked);
	j->running.revoked = NULL;
	while (!list_empty(&j->logged)) {
		struct ext4_logged *l = list_entry(list_pop(&j->logged), struct ext4_logged, link);
		heap_free(l);
	}
	if (j->inode) {
		vnode_put(&j->inode->v);
		j->inode = NULL;
	}
}
