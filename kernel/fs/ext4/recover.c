/*
 * recover.c - replaying the journal at mount, whoever wrote it: tags with and without checksums (v1, v2,
 * v3), with and without 64-bit numbers, escaped blocks, revoke records.
 *
 * Three passes, as jbd2: scan finds the last transaction with a commit block; revoke collects which blocks
 * must not be replayed, and up to which transaction; replay copies the rest home. Everything read is hostile:
 * a block that makes no sense, or whose checksum is wrong, ends the log (scan) or is an error
 * (replay, when a later transaction is committed: then metadata would be mixed).
 *
 * Runs before anybody else uses the volume; no locks. What can fail: -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

struct revoked {
	u64 block;
	u32 tid;
};

struct recovery {
	struct ext4 *e;
	u8 *block, *data;
	u32 end_tid;                         /* the first transaction that is not committed */
	struct revoked *revoked;             /* sorted by block before the replay */
	size_t nrevoked, max_revoked;
	u64 replayed;
};

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

static u32 next_block(const struct ext4_journal *j, u32 at, u32 n)
{
	at += n;
	return at >= j->nblocks ? at - (j->nblocks - j->first) : at;
}

static int log_read(struct recovery *x, u32 at, u8 *to)
{
	return ext4_dev_read(x->e, x->e->j.map[at], to, 1);
}

/* ---- Tags ---- */

struct tag {
	u64 block;
	u32 flags, csum;
};

static bool v3(const struct ext4_journal *j) { return j->feature_incompat & JBD_INCOMPAT_CSUM_V3; }

static u32 tag_bytes(const struct ext4_journal *j)
{
	if (v3(j))
		return sizeof(struct jbd_tag3);
	return (u32)sizeof(struct jbd_tag) - (j->is64 ? 0 : 4) + (j->feature_incompat & JBD_INCOMPAT_CSUM_V2 ? 2 : 0);
}

/* The tag at *at, which moves on; false at the end of the block. */
static bool tag_next(const struct recovery *x, u32 *at, struct tag *ret)
{
	const struct ext4_journal *j = &x->e->j;
	u32 n = tag_bytes(j), end = x->e->block_size - (j->csum ? 4 : 0);

	if (*at + n > end)
		return false;
	if (v3(j)) {
		struct jbd_tag3 t;
		memcpy(&t, x->block + *at, sizeof t);
		*ret = (struct tag){ (u64)(j->is64 ? be32(t.block_high) : 0) << 32 | be32(t.block), be32(t.flags), be32(t.checksum) };
	} else {
		struct jbd_tag t = { 0 };
		memcpy(&t, x->block + *at, MIN(n, (u32)sizeof t));
		*ret = (struct tag){ (u64)(j->is64 ? be32(t.block_high) : 0) << 32 | be32(t.block), be16(t.flags), be16(t.checksum) };
	}
	*at += n + (ret->flags & JBD_FLAG_SAME_UUID ? 0 : 16);
	return true;
}

static bool tag_csum_ok(const struct recovery *x, const struct tag *t, u32 tid, const u8 *data)
{
	const struct ext4_journal *j = &x->e->j;
	u32 seq = be32(tid);

	if (!j->csum)
		return true;
	u32 crc = ext4_crc32c(ext4_crc32c(j->csum_seed, &seq, 4), data, x->e->block_size);
	return v3(j) ? crc == t->csum : (u16)crc == (u16)t->csum;
}

static bool tail_csum_ok(struct recovery *x)
{
	u32 at = x->e->block_size - 4;

	return !x->e->j.csum || be32(*(u32 *)(void *)(x->block + at)) == journal_block_csum(&x->e->j, x->block, x->e->block_size, at);
}

static bool commit_csum_ok(struct recovery *x)
{
	struct jbd_commit *h = (struct jbd_commit *)(void *)x->block;

	return !x->e->j.csum || be32(h->chksum[0]) == journal_block_csum(&x->e->j, x->block, x->e->block_size, offsetof(struct jbd_commit, chksum));
}

/* ---- Revoke records ---- */

static int revoke_add(struct recovery *x, u64 block, u32 tid)
{
	if (x->nrevoked == x->max_revoked) {
		size_t max = x->max_revoked ? x->max_revoked * 2 : 256;
		struct revoked *more = heap_realloc(x->revoked, max * sizeof *more);
		if (!more)
			return -ENOMEM;
		x->revoked = more;
		x->max_revoked = max;
	}
	x->revoked[x->nrevoked++] = (struct revoked){ block, tid };
	return 0;
}

static int revokes_collect(struct recovery *x, u32 tid)
{
	const struct jbd_revoke *h = (const struct jbd_revoke *)(const void *)x->block;
	u32 width = x->e->j.is64 ? 8 : 4, end = be32(h->count);
	int r = 0;

	if (end > x->e->block_size - (x->e->j.csum ? 4 : 0) || end < sizeof *h)
		return ext4_corrupted(x->e, tid, "revoke record");
	for (u32 at = sizeof *h; at + width <= end && !r; at += width) {
		u64 wide;
		u32 narrow;
		memcpy(&narrow, x->block + at, 4);
		if (width == 8)
			memcpy(&wide, x->block + at, 8);
		r = revoke_add(x, width == 8 ? be64(wide) : be32(narrow), tid);
	}
	return r;
}

/* Shell sort: short code, and the lists are short. */
static void revokes_sort(struct recovery *x)
{
	for (size_t gap = x->nrevoked / 2; gap; gap /= 2)
		for (size_t k = gap; k < x->nrevoked; k++) {
			struct revoked v = x->revoked[k];
			size_t at = k;
			for (; at >= gap && x->revoked[at - gap].block > v.block; at -= gap)
				x->revoked[at] = x->revoked[at - gap];
			x->revoked[at] = v;
		}
}

/* Was the block revoked in tid or later? */
static bool is_revoked(const struct recovery *x, u64 block, u32 tid)
{
	size_t lo = 0, hi = x->nrevoked;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (x->revoked[mid].block < block)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < x->nrevoked && x->revoked[lo].block == block; lo++)
		if ((s32)(x->revoked[lo].tid - tid) >= 0)
			return true;
	return false;
}

/* ---- Passes ---- */

/* How many data blocks a descriptor has. */
static u32 tags_count(const struct recovery *x)
{
	u32 at = sizeof(struct jbd_header), n = 0;
	struct tag t;

	while (tag_next(x, &at, &t)) {
		n++;
		if (t.flags & JBD_FLAG_LAST_TAG)
			break;
	}
	return n;
}

static int replay_one(struct recovery *x, const struct tag *t, u32 tid, u32 log_at)
{
	struct ext4 *e = x->e;

	if (is_revoked(x, t->block, tid))
		return 0;
	int r = log_read(x, log_at, x->data);
	if (r)
		return r;
	if (!tag_csum_ok(x, t, tid, x->data))
		return ext4_corrupted(e, t->block, "checksum of a block in the journal");
	if (t->flags & JBD_FLAG_ESCAPE) {
		u32 magic = be32(JBD_MAGIC);
		memcpy(x->data, &magic, 4);
	}
	/* Block 0 is the superblock's where blocks are larger than 1 KiB. A volume that was growing is larger after the replay. */
	if (t->block >= (e->dev->nsectors * 512 - e->dev_off) >> e->block_bits)
		return ext4_corrupted(e, t->block, "journal: block beyond the device");
	x->replayed++;
	return ext4_dev_write(e, t->block, x->data, 1);
}

static int replay_descriptor(struct recovery *x, u32 tid, u32 log_at)
{
	u32 at = sizeof(struct jbd_header);
	struct tag t;

	while (tag_next(x, &at, &t)) {
		log_at = next_block(&x->e->j, log_at, 1);
		int r = replay_one(x, &t, tid, log_at);
		if (r)
			return r;
		if (t.flags & JBD_FLAG_LAST_TAG)
			break;
	}
	return 0;
}

/* Go through the log. 0 at its end, wherever that is. */
static int pass(struct recovery *x, enum pass pass)
{
	struct ext4_journal *j = &x->e->j;
	u32 at = be32(j->sb.start), tid = be32(j->sb.sequence), walked = 0;

	for (;;) {
		struct jbd_header h;
		if (pass != PASS_SCAN && tid == x->end_tid)
			return 0;
		if (walked > j->nblocks)
			break;               /* round the log: it has no end */
		int r = log_read(x, at, x->block);
		if (r)
			return r;
		memcpy(&h, x->block, sizeof h);
		if (be32(h.magic) != JBD_MAGIC || be32(h.sequence) != tid)
			break;
		u32 n = 1;
		switch (be32(h.type)) {
		case JBD_DESCRIPTOR:
			if (!tail_csum_ok(x)) {
				if (pass == PASS_SCAN)
					goto end;
				return ext4_corrupted(x->e, at, "checksum of a journal descriptor");
			}
			n += tags_count(x);
			r = pass == PASS_REPLAY ? replay_descriptor(x, tid, at) : 0;
			break;
		case JBD_COMMIT:
			if (pass == PASS_SCAN && !commit_csum_ok(x))
				goto end;
			tid++;
			break;
		case JBD_REVOKE:
			if (!tail_csum_ok(x)) {
				if (pass == PASS_SCAN)
					goto end;
				return ext4_corrupted(x->e, at, "checksum of a revoke record");
			}
			r = pass == PASS_REVOKE ? revokes_collect(x, tid) : 0;
			break;
		default:
			goto end;
		}
		if (r)
			return r;
		at = next_block(j, at, n);
		walked += n;
	}
end:
	if (pass == PASS_SCAN) {
		x->end_tid = tid;
		return 0;
	}
	return ext4_corrupted(x->e, at, "the journal changed while it was read");
}

int journal_recover(struct ext4 *e)
{
	struct ext4_journal *j = &e->j;
	struct recovery x = { .e = e, .block = ext4_block_new(), .data = ext4_block_new() };
	int r = x.block && x.data ? 0 : -ENOMEM;

	if (!r && j->sb.start) {
		r = pass(&x, PASS_SCAN);
		if (!r)
			r = pass(&x, PASS_REVOKE);
		revokes_sort(&x);
		if (!r)
			r = pass(&x, PASS_REPLAY);
		if (!r)
			r = blk_flush_sync(e->dev);
		if (!r) {
			log_info("ext4: journal replayed: %lu blocks, up to transaction %u", (unsigned long)x.replayed, x.end_tid - 1);
			/* Not the same number again: what is left of it in the log must not count. */
			r = journal_super_write(e, 0, x.end_tid + 1);
		}
	}
	ext4_block_free(x.block);
	ext4_block_free(x.data);
	heap_free(x.revoked);
	return r;
}
