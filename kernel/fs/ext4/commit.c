/*
 * commit.c - commits and checkpoints.
 *
 * A commit, under commit_lock:
 *   1. writes the data of the transaction's ordered files; a first time before the transaction is closed, so that
 *      little is left for the second
 *   2. closes it under M: counts go into descriptors and superblock, its buffers are copied, a new one is running
 *   3. writes what is still dirty of the ordered files
 *   4. writes descriptors, copies and revoke records to the log; flush; the commit block; flush
 *   5. lets the blocks that it freed be used again, and wakes those who wait
 * So metadata never shows blocks whose data is not on the device, and a commit block is only there with all before it.
 *
 * A checkpoint writes committed buffers home. A buffer that the running transaction changed is left out:
 * it will be in a later commit. The log's tail then moves to the oldest transaction that some buffer still needs.
 *
 * What can fail: -EIO: the volume is read-only afterwards, and every later commit fails. -ENOMEM before the
 * transaction is closed leaves it running.
 */
#include "fs/ext4/ext4.h"
#include "fs/ext4/mount.h"

struct commit {
	struct ext4_txn txn;
	u64 *home;                           /* block numbers, nbufs of them */
	u8 **copy;                           /* their contents */
	unsigned n;
};

static void list_take(struct list *to, struct list *from)
{
	list_init(to);
	list_splice(to, from);
	list_init(from);
}

/* ---- Data first ---- */

/* Write the dirty pages of the files on t's list. Files stay on the list: they are taken off when the commit ends. */
static int ordered_write(struct ext4 *e, struct ext4_txn *t)
{
	int error = 0;

	/* Only commits take files off, and there is one at a time: going along the list needs M for each step only. */
	mutex_lock(&e->meta);
	for (struct list *l = t->ordered.next; l != &t->ordered; l = l->next) {
		struct ext4_inode *i = list_entry(l, struct ext4_inode, ordered_link);
		mutex_unlock(&e->meta);
		int r = vm_object_sync(&i->obj, 0, UINT64_MAX);
		if (r && !error)
			error = r;
		mutex_lock(&e->meta);
	}
	mutex_unlock(&e->meta);
	return error;
}

/* The files of a transaction that ended: to the running one if they were written to again, else ordered_put lets them go. */
static void ordered_end(struct ext4 *e, struct ext4_txn *t)
{
	struct list files;

	mutex_lock(&e->meta);
	list_take(&files, &t->ordered);
	for (struct list *l; (l = list_pop(&files));) {
		struct ext4_inode *i = list_entry(l, struct ext4_inode, ordered_link);
		i->ordered_over = i->ordered_tid != e->j.running.tid || e->failed;
		list_append(i->ordered_over ? &e->j.ended : &e->j.running.ordered, l);
	}
	mutex_unlock(&e->meta);
}

/* Give back the references of files that no transaction waits for. That may delete files, in transactions: not under commit_lock. */
static void ordered_put(struct ext4 *e)
{
	struct list *l;

	mutex_lock(&e->meta);
	/* One at a time: a deletion that commits comes here too. */
	if (!e->j.ending) {
		e->j.ending = true;
		while ((l = list_pop(&e->j.ended))) {
			struct ext4_inode *i = list_entry(l, struct ext4_inode, ordered_link);
			i->ordered_over = false;
			mutex_unlock(&e->meta);
			vnode_put(&i->v);
			mutex_lock(&e->meta);
		}
		e->j.ending = false;
	}
	mutex_unlock(&e->meta);
}

void ext4_forget_changes(struct ext4 *e)
{
	mutex_lock(&e->j.commit_lock);
	ordered_end(e, &e->j.running);
	mutex_unlock(&e->j.commit_lock);
	ordered_put(e);
	ext4_dirty_release(e);
}

/* ---- Closing ---- */

static void commit_free(struct commit *c)
{
	for (unsigned k = 0; c->copy && k < c->n; k++)
		ext4_block_free(c->copy[k]);
	heap_free(c->copy);
	heap_free(c->home);
	heap_free(c->txn.revoked);
}

/* Memory for the copies, before anything changes. M is held. */
static int commit_prepare(struct ext4 *e, struct commit *c)
{
	c->n = e->j.running.nbufs;
	c->home = heap_alloc_array(c->n + 1, sizeof *c->home);
	c->copy = heap_alloc_array(c->n + 1, sizeof *c->copy);
	if (!c->home || !c->copy)
		return -ENOMEM;
	for (unsigned k = 0; k < c->n; k++)
		if (!(c->copy[k] = ext4_block_raw()))
			return -ENOMEM;
	return 0;
}

/* Close the running transaction: copies of its buffers are in c, and a new one runs. M is held. */
static void commit_close(struct ext4 *e, struct commit *c)
{
	struct ext4_txn *t = &e->j.running;
	unsigned k = 0;

	while (!list_empty(&t->bufs)) {
		struct ext4_buf *b = list_entry(list_pop(&t->bufs), struct ext4_buf, txn_link);
		list_init(&b->txn_link);
		buf_seal(e, b);
		memcpy(c->copy[k], b->data, e->block_size);
		c->home[k++] = b->block;
		b->in_txn = false;
		b->cp_tid = t->tid;
		if (list_empty(&b->cp_link))
			list_append(&e->j.checkpoint, &b->cp_link);
	}
	while (!list_empty(&t->forgotten)) {
		struct ext4_buf *b = list_entry(list_pop(&t->forgotten), struct ext4_buf, txn_link);
		list_init(&b->txn_link);
		list_remove(&b->cp_link);
		b->forgotten = false;
		b->cp_tid = 0;
		buf_evict(e, b);
	}
	c->txn = *t;
	list_take(&c->txn.ordered, &t->ordered);
	list_init(&c->txn.bufs);
	list_init(&c->txn.forgotten);
	journal_txn_init(t, c->txn.tid + 1);
}

/* ---- The log ---- */

struct log_writer {
	struct ext4 *e;
	u32 at;                              /* the next log block */
	u32 tid;
	int error;
	unsigned n;                          /* gathered, not yet written */
	u64 blocks[EXT4_WRITE_MANY];
	u8 *data[EXT4_WRITE_MANY];
};

static u32 log_next(const struct ext4_journal *j, u32 at)
{
	return at + 1 == j->nblocks ? j->first : at + 1;
}

static void log_flush(struct log_writer *w)
{
	if (!w->error)
		w->error = ext4_dev_write_many(w->e, w->blocks, w->data, w->n);
	w->n = 0;
}

/* The next block of the log; it must not change until log_flush. */
static void log_put(struct log_writer *w, u8 *block)
{
	w->blocks[w->n] = w->e->j.map[w->at];
	w->data[w->n++] = block;
	w->at = log_next(&w->e->j, w->at);
	if (w->n == EXT4_WRITE_MANY)
		log_flush(w);
}

static void log_header(struct log_writer *w, void *block, u32 type)
{
	struct jbd_header *h = block;

	h->magic = be32(JBD_MAGIC);
	h->type = be32(type);
	h->sequence = be32(w->tid);
}

/* The checksum in a block's last four bytes. */
static void log_tail(struct log_writer *w, u8 *block)
{
	u32 at = w->e->block_size - 4;

	if (w->e->j.csum)
		*(u32 *)(void *)(block + at) = be32(journal_block_csum(&w->e->j, block, w->e->block_size, at));
}

static u32 tag_size(const struct ext4_journal *j)
{
	return j->csum ? sizeof(struct jbd_tag3) : j->is64 ? sizeof(struct jbd_tag) : sizeof(struct jbd_tag) - 4;
}

static u32 tag_csum(struct log_writer *w, const u8 *data)
{
	u32 seq = be32(w->tid);

	return ext4_crc32c(ext4_crc32c(w->e->j.csum_seed, &seq, 4), data, w->e->block_size);
}

static void tag_put(struct log_writer *w, u8 *to, u64 home, u32 flags, const u8 *data)
{
	const struct ext4_journal *j = &w->e->j;

	if (j->csum) {
		struct jbd_tag3 t = { be32((u32)home), be32(flags), j->is64 ? be32((u32)(home >> 32)) : 0, be32(tag_csum(w, data)) };
		memcpy(to, &t, sizeof t);
	} else {
		struct jbd_tag t = { be32((u32)home), 0, be16((u16)flags), be32((u32)(home >> 32)) };
		memcpy(to, &t, tag_size(j));
	}
}

/* How many blocks one descriptor can name. */
static u32 tags_a_block(const struct ext4 *e)
{
	return (e->block_size - (u32)sizeof(struct jbd_header) - 16 - (e->j.csum ? 4 : 0)) / tag_size(&e->j);
}

/* A descriptor and the blocks that it names. */
static void log_run(struct log_writer *w, struct commit *c, unsigned from, unsigned n, u8 *block)
{
	struct ext4 *e = w->e;
	u8 *at = block + sizeof(struct jbd_header);

	memset(block, 0, e->block_size);
	log_header(w, block, JBD_DESCRIPTOR);
	for (unsigned k = from; k < from + n; k++) {
		u32 flags = k == from ? 0 : JBD_FLAG_SAME_UUID;
		if (*(u32 *)(void *)c->copy[k] == be32(JBD_MAGIC)) {
			memset(c->copy[k], 0, 4);
			flags |= JBD_FLAG_ESCAPE;
		}
		if (k == from + n - 1)
			flags |= JBD_FLAG_LAST_TAG;
		tag_put(w, at, c->home[k], flags, c->copy[k]);
		at += tag_size(&e->j);
		if (k == from) {
			memcpy(at, e->j.sb.uuid, 16);
			at += 16;
		}
	}
	log_tail(w, block);
	log_put(w, block);
	for (unsigned k = from; k < from + n; k++)
		log_put(w, c->copy[k]);
	log_flush(w);                        /* block is used again for the next descriptor */
}

static u32 revokes_a_block(const struct ext4 *e)
{
	return (e->block_size - (u32)sizeof(struct jbd_revoke) - (e->j.csum ? 4 : 0)) / (e->j.is64 ? 8 : 4);
}

static void log_revokes(struct log_writer *w, const struct ext4_txn *t, unsigned from, unsigned n, u8 *block)
{
	struct jbd_revoke *h = (struct jbd_revoke *)(void *)block;
	u8 *at = block + sizeof *h;

	memset(block, 0, w->e->block_size);
	log_header(w, block, JBD_REVOKE);
	for (unsigned k = from; k < from + n; k++) {
		u64 wide = be64(t->revoked[k]);
		u32 narrow = be32((u32)t->revoked[k]);
		if (w->e->j.is64)
			memcpy(at, &wide, 8);
		else
			memcpy(at, &narrow, 4);
		at += w->e->j.is64 ? 8 : 4;
	}
	h->count = be32((u32)(at - block));
	log_tail(w, block);
	log_put(w, block);
	log_flush(w);
}

static void log_commit_block(struct log_writer *w, u8 *block)
{
	struct jbd_commit *h = (struct jbd_commit *)(void *)block;
	struct timespec64 now;

	fs_now(&now);
	memset(block, 0, w->e->block_size);
	log_header(w, block, JBD_COMMIT);
	h->commit_sec = be64((u64)now.sec);
	h->commit_nsec = be32(now.nsec);
	if (w->e->j.csum)
		h->chksum[0] = be32(journal_block_csum(&w->e->j, block, w->e->block_size, offsetof(struct jbd_commit, chksum)));
	log_put(w, block);
	log_flush(w);
}

/* Log blocks that a transaction of that size takes. */
static u32 log_need(const struct ext4 *e, const struct ext4_txn *t)
{
	return t->nbufs + DIV_ROUND_UP(t->nbufs, tags_a_block(e)) + DIV_ROUND_UP(t->nrevoked, revokes_a_block(e)) + 1;
}

static u32 log_room(const struct ext4_journal *j)
{
	u32 size = j->nblocks - j->first;

	if (list_empty(&j->logged))
		return size;
	u32 tail = list_entry(j->logged.next, struct ext4_logged, link)->start;
	/* One block stays free: a full log and an empty one must differ. */
	return (tail > j->head ? tail - j->head : size - (j->head - tail)) - 1;
}

/* With this transaction the log or memory is half full: all must go home before another change begins (J1). */
static bool log_is_tight(const struct ext4 *e, const struct commit *c)
{
	const struct ext4_journal *j = &e->j;

	return j->inode && (log_room(j) < log_need(e, &c->txn) + (j->nblocks - j->first) / 2 || e->nbufs > 2 * e->max_bufs);
}

/* Write the closed transaction; durable on 0. */
static int transaction_log(struct ext4 *e, struct commit *c)
{
	struct ext4_journal *j = &e->j;
	NO_AUTO_INIT struct log_writer w;
	struct ext4_logged *l = heap_alloc(sizeof *l);
	u8 *block = ext4_block_new();
	u32 per;
	int r = -ENOMEM;

	w.e = e;
	w.at = j->head;
	w.tid = c->txn.tid;
	w.error = 0;
	w.n = 0;
	if (!l || !block)
		goto out;
	l->tid = w.tid;
	l->start = w.at;
	/* The log was empty: say where it begins, before what is there could be needed. */
	if (list_empty(&j->logged)) {
		r = journal_super_write(e, l->start, l->tid);
		if (r)
			goto out;
	}
	per = revokes_a_block(e);
	for (unsigned k = 0; k < c->txn.nrevoked; k += per)
		log_revokes(&w, &c->txn, k, MIN(per, c->txn.nrevoked - k), block);
	per = tags_a_block(e);
	for (unsigned k = 0; k < c->n; k += per)
		log_run(&w, c, k, MIN(per, c->n - k), block);
	r = w.error ? w.error : blk_flush_sync(e->dev);
	if (!r) {
		log_commit_block(&w, block);
		r = w.error ? w.error : blk_flush_sync(e->dev);
	}
	if (!r) {
		mutex_lock(&e->meta);
		j->head = w.at;
		list_append(&j->logged, &l->link);
		mutex_unlock(&e->meta);
		l = NULL;
	}
out:
	heap_free(l);
	ext4_block_free(block);
	return r;
}

/* Without a journal: the copies go home, and they are there. */
static int home_write(struct ext4 *e, struct commit *c)
{
	int r = ext4_dev_write_many(e, c->home, c->copy, c->n);

	return r ? r : blk_flush_sync(e->dev);
}

/* The buffers of a volume without a journal are at home now, unless they changed again. */
static void home_done(struct ext4 *e)
{
	struct ext4_buf *b, *next;

	list_for_each_entry_safe(b, next, &e->j.checkpoint, cp_link) {
		list_remove(&b->cp_link);
		b->cp_tid = 0;
		b->refs++;
		buf_put(e, b);
	}
}

/* ---- Commits ---- */

static int checkpoint_locked(struct ext4 *e);

static bool commit_has_work(const struct ext4 *e)
{
	const struct ext4_txn *t = &e->j.running;

	return t->nbufs || t->nrevoked || !list_empty(&t->ordered) || !list_empty(&t->forgotten) || e->super_dirty;
}

/* Close what is running into c. 0, or 1: nothing to do. Takes M. */
static int commit_take(struct ext4 *e, struct commit *c)
{
	int r = 1;

	mutex_lock(&e->meta);
	if (e->failed)
		r = -EIO;
	else if (commit_has_work(e)) {
		r = ext4_groups_flush(e);
		if (!r)
			r = commit_prepare(e, c);
		if (!r)
			commit_close(e, c);
		if (!r)
			WRITE_ONCE(e->j.tight, log_is_tight(e, c));
	}
	mutex_unlock(&e->meta);
	return r;
}

static void commit_finish(struct ext4 *e, struct commit *c)
{
	mutex_lock(&e->meta);
	e->j.committed = c->txn.tid;
	ext4_release_freed(e, c->txn.tid);
	if (!e->j.inode)
		home_done(e);
	mutex_unlock(&e->meta);
}

/* commit_lock is held. */
static int commit_locked(struct ext4 *e)
{
	struct commit c = { .n = 0 };
	struct ext4_journal *j = &e->j;

	int r = ordered_write(e, &j->running);
	if (r)
		return ext4_fail(e, "data", r);
	r = commit_take(e, &c);
	if (r) {
		commit_free(&c);
		return r < 0 ? r : 0;
	}
	r = ordered_write(e, &c.txn);
	if (!r && READ_ONCE(e->failed))
		r = -EIO;                    /* the data may be what failed */
	if (!r && j->inode && log_room(j) < log_need(e, &c.txn))
		r = -ENOSPC;                 /* (J1) */
	if (!r)
		r = j->inode ? transaction_log(e, &c) : home_write(e, &c);
	if (r)
		r = ext4_fail(e, "commit", r);
	else
		commit_finish(e, &c);
	ordered_end(e, &c.txn);
	commit_free(&c);
	/* Nobody has begun a change since: everything can go home. */
	if (!r && READ_ONCE(j->tight))
		r = checkpoint_locked(e);
	WRITE_ONCE(j->tight, false);
	return r;
}

int ext4_commit_now(struct ext4 *e)
{
	mutex_lock(&e->j.commit_lock);
	int r = commit_locked(e);
	mutex_unlock(&e->j.commit_lock);
	ordered_put(e);
	return r;
}

int ext4_commit_tid(struct ext4 *e, u32 tid)
{
	int r = 0;

	/* Whoever gets the lock commits for all who wait: the others find their transaction committed. */
	mutex_lock(&e->j.commit_lock);
	if ((s32)(READ_ONCE(e->j.committed) - tid) < 0)
		r = READ_ONCE(e->failed) ? -EIO : commit_locked(e);
	mutex_unlock(&e->j.commit_lock);
	ordered_put(e);
	return r;
}

/* ---- Checkpoints ---- */

#define CP_BATCH 32u

/* Copies of up to ncopies buffers that may go home. M is held. */
static unsigned checkpoint_gather(struct ext4 *e, struct ext4_buf *bufs[CP_BATCH], u64 blocks[CP_BATCH], u8 *const copies[CP_BATCH], unsigned ncopies)
{
	struct ext4_buf *b;
	unsigned n = 0;

	list_for_each_entry(b, &e->j.checkpoint, cp_link) {
		if (n == ncopies)
			break;
		if (b->in_txn || b->forgotten)
			continue;
		memcpy(copies[n], b->data, e->block_size);
		b->refs++;
		blocks[n] = b->block;
		bufs[n++] = b;
	}
	return n;
}

/* Write one batch home; 1 when there was something. */
static int checkpoint_batch(struct ext4 *e, u8 *const copies[CP_BATCH], unsigned ncopies)
{
	struct ext4_buf *bufs[CP_BATCH];
	u64 blocks[CP_BATCH];

	mutex_lock(&e->meta);
	unsigned n = checkpoint_gather(e, bufs, blocks, copies, ncopies);
	mutex_unlock(&e->meta);
	int r = ext4_dev_write_many(e, blocks, copies, n);
	mutex_lock(&e->meta);
	for (unsigned k = 0; k < n; k++) {
		/* No commit ran meanwhile, so it is the committed state that is home. One freed meanwhile stays until its commit. */
		if (!r && !bufs[k]->forgotten) {
			bufs[k]->cp_tid = 0;
			list_remove(&bufs[k]->cp_link);
		}
		buf_put(e, bufs[k]);
	}
	mutex_unlock(&e->meta);
	return r ? r : n > 0;
}

/* Forget transactions that no buffer needs; the log's tail moves. */
static int checkpoint_tail(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	struct ext4_buf *b;
	u32 oldest;

	mutex_lock(&e->meta);
	oldest = j->running.tid;
	list_for_each_entry(b, &j->checkpoint, cp_link)
		if ((s32)(b->cp_tid - oldest) < 0)
			oldest = b->cp_tid;
	while (!list_empty(&j->logged)) {
		struct ext4_logged *l = list_entry(j->logged.next, struct ext4_logged, link);
		if ((s32)(l->tid - oldest) >= 0)
			break;
		list_remove(&l->link);
		heap_free(l);
	}
	struct ext4_logged *first = list_empty(&j->logged) ? NULL : list_entry(j->logged.next, struct ext4_logged, link);
	u32 start = first ? first->start : 0, sequence = first ? first->tid : j->running.tid;
	mutex_unlock(&e->meta);
	return journal_super_write(e, start, sequence);
}

/* commit_lock is held. */
static int checkpoint_locked(struct ext4 *e)
{
	u8 *copies[CP_BATCH];
	unsigned n = 0;

	/* As many as there is memory for: one will do. */
	while (n < CP_BATCH && (copies[n] = ext4_block_raw()))
		n++;
	int r = n ? 1 : -ENOMEM;
	while (r > 0)
		r = checkpoint_batch(e, copies, n);
	while (n)
		ext4_block_free(copies[--n]);
	if (!r)
		r = blk_flush_sync(e->dev);
	if (r)
		return ext4_fail(e, "checkpoint", r);
	return checkpoint_tail(e);
}

int ext4_checkpoint(struct ext4 *e)
{
	if (!e->j.inode)
		return 0;
	mutex_lock(&e->j.commit_lock);
	int r = e->failed ? -EIO : checkpoint_locked(e);
	mutex_unlock(&e->j.commit_lock);
	return r;
}
