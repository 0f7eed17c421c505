/*
 * ext4.h - the ext4 file system in memory: what the files of this folder share.
 *
 * Life of a change: ext4_begin takes the metadata lock and joins the running transaction; metadata is
 * read and changed through buffers (buf.c), each marked with buf_dirty; ext4_end lets go. The journal's
 * thread (commit.c) closes the transaction every few seconds, or when fsync asks: it writes the data that
 * new blocks show, then copies of all changed buffers to the log, then the commit block. Buffers go home later
 * (checkpoint), and then the log's space is free again.
 *
 * Locks, outermost first:
 *   vnode->lock         fs/ takes it: exclusive for changes of a file or directory
 *   page lock           vm/ takes it around read_pages and write_pages
 *   ext4.meta (M)       mutex: buffers, bitmaps, extent trees, inode fields that lie on disk, transactions
 *   ext4.icache_lock    spinlock: which inodes are in memory, the lists of dirty inodes
 * Nobody waits for a page lock, a vnode lock or user memory, or drops a vnode's reference, with M held. journal->commit_lock
 * (mutex) makes commits and checkpoints one at a time; it is taken before M.
 *
 * What can fail: -EIO (the device), -ENOSPC, -ENOMEM, -EUCLEAN (what is on disk makes no sense; counted
 * and logged with its place; the volume turns read-only), -EROFS.
 */
#ifndef FS_EXT4_H
#define FS_EXT4_H

#include "base/rbtree.h"
#include "blk/blk.h"
#include "fs/ext4/ext4_fmt.h"
#include "fs/internal.h"
#include "sched/thread.h"
#include "vm/writeback.h"

struct ext4;
struct ext4_inode;

/* ---- Metadata buffers (buf.c); all under M ---- */

struct ext4_buf {
	struct list hash_link, lru_link;     /* lru: nobody holds it and it is clean */
	struct list txn_link, cp_link;
	u64 block;
	u8 *data;                            /* block_size bytes */
	u32 refs;
	u32 cp_tid;                          /* committed in this transaction and not at home; 0 = at home */
	u64 checked;                         /* as what its checksum and structure were looked at (buf_role), 0: not at all */
	bool uptodate;
	bool in_txn;                         /* changed in the running transaction */
	bool forgotten;                      /* freed in the running transaction: dropped when that is committed */
	void (*seal)(const struct ext4 *e, struct ext4_buf *b); /* puts its checksum in before it is committed, NULL: it is right */
	u32 seal_seed;
};

/* What a block was checked as is what it may be used as: on a broken volume one block may be two things. */
enum { BUF_BITMAP = 1, BUF_DIR, BUF_DIR_ROOT = BUF_DIR + 2, BUF_EXTENTS = BUF_DIR_ROOT + 2 };
static inline u64 buf_role(u32 ino, unsigned role) { return (u64)ino << 8 | role; }

int buf_read(struct ext4 *e, u64 block, struct ext4_buf **ret) MUST_CHECK;
/* The block of the superblock, which may be number 0. */
int buf_read_super(struct ext4 *e, struct ext4_buf **ret) MUST_CHECK;
/* A block whose old contents do not matter: zeroed. */
int buf_new(struct ext4 *e, u64 block, struct ext4_buf **ret) MUST_CHECK;
void buf_put(struct ext4 *e, struct ext4_buf *b);
/* It was changed, or is about to be, in the running transaction. */
void buf_dirty(struct ext4 *e, struct ext4_buf *b);
/*
 * The same for a block with a checksum in it: seal computes that when the transaction is closed, once for all changes. On a
 * broken volume others may have changed the block meanwhile as something else, so seal believes nothing that it reads.
 */
void buf_dirty_sealed(struct ext4 *e, struct ext4_buf *b, void (*seal)(const struct ext4 *e, struct ext4_buf *b), u32 seed);
/* Now: before somebody looks at the checksum. */
void buf_seal(const struct ext4 *e, struct ext4_buf *b);
/* The block was freed: it is neither logged nor written home any more, and a revoke record says so. */
void buf_forget(struct ext4 *e, u64 block);
void buf_drop_all(struct ext4 *e);
/* Free a buffer that is on no list and has no holder. */
void buf_evict(struct ext4 *e, struct ext4_buf *b);

/* ---- The journal (journal.c, commit.c, recover.c) ---- */

struct ext4_range {                          /* blocks freed in a transaction that is not committed: not to be used again yet */
	struct rb_node node;
	u64 start, count;
	u32 tid;
};

struct ext4_txn {
	u32 tid;
	struct list bufs;                    /* ext4_buf.txn_link */
	unsigned nbufs;
	struct list forgotten;               /* ext4_buf.txn_link of buffers freed in it */
	struct list ordered;                 /* ext4_inode.ordered_link: data that must be written first */
	u64 *revoked;                        /* blocks */
	unsigned nrevoked, max_revoked;
};

struct ext4_logged {                         /* a committed transaction whose log space is in use */
	struct list link;
	u32 tid, start;
};

struct ext4_journal {
	struct ext4_inode *inode;            /* NULL: no journal */
	u64 *map;                            /* log block to device block; nblocks of them */
	u32 nblocks, first, head;            /* the log is [first, nblocks), head the next to be written */
	struct list logged;                  /* oldest first */
	struct list checkpoint;              /* ext4_buf.cp_link: not at home */
	struct ext4_txn running;
	struct list ended;                   /* M: ext4_inode.ordered_link: their references are to be given back */
	bool ending;                         /* M: somebody does */
	bool tight;                          /* M to set: no new change before the checkpoint that the commit under way ends with */
	u32 committed;                       /* M: tid of the newest durable transaction */
	u32 feature_incompat, csum_seed;
	bool csum, is64;                     /* tags with checksums (v3), with 64-bit block numbers */
	struct jbd_super sb;
	struct mutex commit_lock;
	struct waitq waitq;                  /* the thread's */
	bool active, hurry, stop;            /* atomic: something changed since its last round; much is dirty; end */
	struct thread *thread;
};

/* Begin and end a change. -EROFS, -EIO (the volume failed). Sleeps; begin may commit to make room. */
int ext4_begin(struct ext4 *e) MUST_CHECK;
void ext4_end(struct ext4 *e);
/* Between ext4_begin and ext4_end, in long operations: true when it is time to end and begin again. */
bool ext4_txn_full(const struct ext4 *e);
/* The running transaction must not be committed before i's dirty pages are on the device; M. */
void ext4_order_data(struct ext4_inode *i);
/* Something is to be committed or written in a while; data is to be written soon. Any thread. */
void ext4_wake_thread(struct ext4 *e);
void ext4_hurry_thread(struct ext4 *e);
/* Everything up to tid is durable when this returns 0. Not under M. */
int ext4_commit_tid(struct ext4 *e, u32 tid) MUST_CHECK;
int ext4_commit_now(struct ext4 *e) MUST_CHECK;
/* Write every buffer home and mark the log empty. Not under M. */
int ext4_checkpoint(struct ext4 *e) MUST_CHECK;
int journal_open(struct ext4 *e) MUST_CHECK;
int journal_start(struct ext4 *e) MUST_CHECK;
/* End the thread; what it was to write is the caller's to write. */
void journal_stop(struct ext4 *e);
/* Free what the journal holds; commits are done before. */
void journal_close(struct ext4 *e);
int journal_super_write(struct ext4 *e, u32 start, u32 sequence) MUST_CHECK;
/* Of a log block whose checksum lies at offset `at` and counts as zero. */
u32 journal_block_csum(const struct ext4_journal *j, const void *block, u32 size, u32 at);
int journal_recover(struct ext4 *e) MUST_CHECK;
void journal_txn_init(struct ext4_txn *t, u32 tid);
/* Remember that block must not be replayed from older transactions. */
void journal_revoke(struct ext4 *e, u64 block);
static inline u32 ext4_running_tid(const struct ext4 *e);

/* ---- The volume (super.c, group.c) ---- */

struct ext4_group {
	u64 block_bitmap, inode_bitmap, inode_table;
	u32 free_blocks, free_inodes, used_dirs, itable_unused;
	bool stale[2];                       /* the descriptor has an old checksum of the bitmap of blocks, of inodes */
	u32 first_clear;                     /* no block before it is free in the bitmap */
	u16 flags;
	bool dirty;                          /* differs from its descriptor */
	bool bad;                            /* its bitmap failed a check: nothing is allocated in it */
};

struct ext4 {
	struct mount m;
	struct blkdev *dev;
	u64 dev_off;
	struct mutex meta;                   /* M */
	u32 block_size, block_bits, inode_size, desc_size;
	u32 blocks_per_group, inodes_per_group, ngroups, first_block, itable_blocks;
	u64 nblocks, free_blocks, reserved;  /* M */
	u32 ninodes, free_inodes;            /* M */
	u32 csum_seed;
	u32 compat, incompat, ro_compat;
	bool csum;                           /* metadata_csum */
	bool gdt_csum;                       /* group descriptors have crc16 instead */
	bool super_dirty;                    /* M: counts changed */
	bool failed;                         /* an error: read-only from now on, -EIO */
	bool discard;                        /* the device is told of freed blocks */
	u32 complaints;
	u32 hash_seed[4];
	u8 hash_version;
	bool hash_unsigned;
	struct ext4_group *groups;
	struct ext4_buf *super_buf;          /* holds the superblock, for ever */
	struct ext4_super *super;            /* inside it */
	struct rb_root busy;                 /* M: ext4_range of freed blocks */
	struct mutex discard_lock;           /* before M: ext4_discard_freed is one at a time */
	struct ext4_journal j;
	/* buf.c */
	struct list *buf_hash;
	struct list buf_lru;
	unsigned nbufs, max_bufs;
	/* inode.c */
	struct spinlock icache_lock;
	struct list icache[64];              /* I */
	struct waitq icache_waitq;           /* an inode left the cache */
	bool recovering;                     /* orphans are being removed: inodes without names are met */
	struct list dirty;                   /* I: ext4_inode.dirty_link, with pages to write; each has a reference */
	struct vm_writer writer;
	struct list orphans;                 /* M: ext4_inode.orphan_link, newest first, as on disk */
	u32 generation;
	u32 alloc_group;                     /* M: where the last directory went */
};

static inline u32 ext4_running_tid(const struct ext4 *e) { return e->j.running.tid; }
static inline struct ext4 *ext4_of(const struct vnode *v) { return container_of(v->mount, struct ext4, m); }
static inline u64 ext4_blocks_of(const struct ext4 *e, u64 bytes) { return (bytes + e->block_size - 1) >> e->block_bits; }

COUNTER_DECLARE(ext4_corrupt);
COUNTER_DECLARE(ext4_io_errors);

/* What is on disk makes no sense. Counts, logs, turns the volume read-only; returns -EUCLEAN. */
int ext4_corrupted(struct ext4 *e, u64 where, const char *what);
/* The volume can no longer be written: a write or flush failed. Returns -EIO. */
int ext4_fail(struct ext4 *e, const char *what, int error);
/* Memory that a device can reach for one block, zeroed (a page, whatever the block size); NULL: none. Freeing NULL is fine. */
u8 *ext4_block_new(void) MUST_CHECK;
u8 *ext4_block_raw(void) MUST_CHECK;      /* not zeroed: the caller fills it, and not from the device */
void ext4_block_free(u8 *block);
/* Read and write whole blocks, past the cache. */
int ext4_dev_read(struct ext4 *e, u64 block, void *data, unsigned nblocks) MUST_CHECK;
int ext4_dev_write(struct ext4 *e, u64 block, void *data, unsigned nblocks) MUST_CHECK;
int ext4_dev_discard(struct ext4 *e, u64 block, u64 nblocks) MUST_CHECK;
/* Blocks here and there, given to the device together. */
#define EXT4_WRITE_MANY 64u
int ext4_dev_write_many(struct ext4 *e, const u64 *blocks, u8 *const *data, unsigned n) MUST_CHECK;
bool ext4_block_valid(const struct ext4 *e, u64 block, u64 count);

/* Put counts that changed into descriptors and superblock; M; before a commit. */
int ext4_groups_flush(struct ext4 *e) MUST_CHECK;
/* strict: every descriptor must make sense. Before the journal is replayed only the journal's inode is looked for. */
int ext4_groups_load(struct ext4 *e, bool strict) MUST_CHECK;
void ext4_super_store(struct ext4 *e);
/* Its checksum, if the volume has them. */
void ext4_super_seal(const struct ext4 *e, struct ext4_super *s);
u64 ext4_group_first(const struct ext4 *e, u32 g);
u32 ext4_group_blocks(const struct ext4 *e, u32 g);
bool ext4_group_has_super(const struct ext4 *e, u32 g);
/* Blocks at the start of a group for superblock and descriptors, theirs and those kept for growth. */
u32 ext4_group_base(const struct ext4 *e, u32 g);
/* Descriptors: how many lie in a block, how many blocks they take, the one that holds group g's. */
u32 ext4_descs_a_block(const struct ext4 *e);
u32 ext4_desc_blocks(const struct ext4 *e);
u64 ext4_desc_block(const struct ext4 *e, u32 g);
/* Make the volume as large as its device, where that is possible (grow.c). At mount, not under M. */
int ext4_grow(struct ext4 *e) MUST_CHECK;
/* The bitmap of a group, initialised or checked. */
int ext4_block_bitmap(struct ext4 *e, u32 g, struct ext4_buf **ret) MUST_CHECK;
int ext4_inode_bitmap(struct ext4 *e, u32 g, struct ext4_buf **ret) MUST_CHECK;
void ext4_bitmap_changed(struct ext4 *e, u32 g, struct ext4_buf *b, bool inodes);

/* ---- Allocation (balloc.c, ialloc.c) ---- */

enum { EXT4_ALLOC_META = 1 };                /* may use the reserve */
/* Up to *count consecutive blocks near goal; *count says how many. -ENOSPC. */
int ext4_alloc_blocks(struct ext4 *e, u64 goal, u32 flags, u32 *count, u64 *ret_block) MUST_CHECK;
int ext4_free_blocks(struct ext4 *e, u64 block, u64 count, bool metadata) MUST_CHECK;
/* Committed: what was freed up to tid can be used, or discarded. M. */
void ext4_release_freed(struct ext4 *e, u32 tid);
/* Tell the device what was freed and is committed, where the volume is mounted so; then it can be used. Not under M. */
void ext4_discard_freed(struct ext4 *e);
/* *ret_alone: the only one in use of its block of the table. */
int ext4_alloc_inode(struct ext4 *e, struct ext4_inode *dir, bool is_dir, u32 *ret_ino, bool *ret_alone) MUST_CHECK;
int ext4_free_inode(struct ext4 *e, u32 ino, bool was_dir) MUST_CHECK;

/* ---- Checksums (csum.c) ---- */

u32 ext4_crc32c(u32 crc, const void *data, size_t len);
u16 ext4_crc16(u16 crc, const void *data, size_t len);
u32 ext4_inode_csum(const struct ext4 *e, u32 ino, const struct ext4_dinode *d);
u16 ext4_group_csum(const struct ext4 *e, u32 g, const struct ext4_group_desc *d);

/* ---- Inodes (inode.c) ---- */

struct ext4_inode {
	struct vnode v;
	struct vm_object obj;                /* regular files' page cache; the memory of the inode goes with it */
	u32 generation, mode, nlink, uid, gid, flags;
	u32 csum_seed;
	u64 sectors;                         /* i_blocks, of 512 bytes; M */
	u64 file_acl;
	u64 disk_size;                       /* M: what the inode on disk says; v.size may be ahead of it in the middle of a write */
	u32 block[EXT4_N_BLOCKS];            /* M: extent root, block map, short link or device number */
	u16 extra_isize;
	struct timespec64 atime, mtime, ctime, crtime;
	u32 sync_tid, data_tid;              /* M: the transactions of the last change, of the last that fdatasync must see */
	u64 writing_from, writing_to;        /* the write that is under way, or 0; changed with v.lock */
	u64 prealloc;                        /* M: blocks beyond the end may be allocated: up to here */
	u32 next_orphan;                     /* M */
	bool orphan, deleted;
	bool linkable;                       /* O_TMPFILE that may get a name */
	bool growing;                        /* M: an orphan only while a write makes it longer (file.c) */
	u32 ordered_tid;                     /* M: the newest transaction that must write its data first */
	struct list icache_link, dirty_link, orphan_link, ordered_link;
	bool ordered_over;                    /* M: ordered_link is on ext4_journal.ended */
};

static inline struct ext4_inode *ext4_inode(const struct vnode *v) { return container_of(v, struct ext4_inode, v); }

int ext4_iget(struct ext4 *e, u32 ino, struct vnode **ret) MUST_CHECK;
/* Make the inode that ialloc found, under M with a transaction; one reference, nlink 0, in the cache. */
int ext4_inode_new(struct ext4 *e, struct ext4_inode *dir, u32 mode, u64 rdev, struct ext4_inode **ret) MUST_CHECK;
/* Write the fields into the inode's block; M. data: fdatasync must write it too. */
int ext4_inode_store(struct ext4_inode *i, bool data) MUST_CHECK;
int ext4_inode_table_read(struct ext4 *e, u32 ino, struct ext4_buf **ret_buf, struct ext4_dinode **ret) MUST_CHECK;
void ext4_inode_dirty_data(struct ext4_inode *i);
/* Give back what files in memory have ahead of their end. Not under M. */
void ext4_trim_all(struct ext4 *e);
int ext4_getattr(struct vnode *v, struct vattr *ret);
int ext4_setattr(struct vnode *v, const struct vattr *a, u32 which);
void ext4_release(struct vnode *v);
int ext4_orphan_add(struct ext4_inode *i) MUST_CHECK;
int ext4_orphan_remove(struct ext4_inode *i) MUST_CHECK;
int ext4_orphans_recover(struct ext4 *e) MUST_CHECK;
/* The machine ends: files without names that are still open are removed now. Not under M. */
int ext4_orphans_finish(struct ext4 *e) MUST_CHECK;
/* Free the blocks and the inode of a file without names. Not under M. */
int ext4_inode_delete(struct ext4_inode *i) MUST_CHECK;
extern const struct vnode_ops ext4_file_ops, ext4_dir_ops, ext4_link_ops, ext4_node_ops;

/* ---- Where a file's blocks are (map.c, extent.c, indirect.c); M ---- */

struct ext4_map {
	u64 block;                           /* on the device; 0 = hole */
	u64 count;                           /* blocks that are alike from here on, at least 1 */
	bool unwritten;                      /* allocated, reads as zeros */
};
int ext4_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret) MUST_CHECK;
/* Allocate blocks for all holes of [lblk, lblk + count): unwritten for extent files, zeroed on the device for others. *ret_done: how many from lblk on are allocated. */
int ext4_map_fill(struct ext4_inode *i, u64 lblk, u64 count, u64 *ret_done) MUST_CHECK;
/* What is unwritten of the range is written from now on. */
int ext4_map_written(struct ext4_inode *i, u64 lblk, u64 count) MUST_CHECK;
/* Free [from, to] as far as one transaction goes: *ret_more when something is left. */
int ext4_map_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more) MUST_CHECK;
/* One metadata block of a directory or tree. */
int ext4_map_new_block(struct ext4_inode *i, u64 lblk, struct ext4_buf **ret) MUST_CHECK;
int extent_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret) MUST_CHECK;
int extent_insert(struct ext4_inode *i, u64 lblk, u64 block, u32 count, bool unwritten) MUST_CHECK;
int extent_written(struct ext4_inode *i, u64 lblk, u64 count, u64 *ret_done) MUST_CHECK;
int extent_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more) MUST_CHECK;
void extent_root_init(struct ext4_inode *i);
u64 extent_goal(struct ext4_inode *i, u64 lblk);
int indirect_map(struct ext4_inode *i, u64 lblk, struct ext4_map *ret) MUST_CHECK;
int indirect_insert(struct ext4_inode *i, u64 lblk, u64 block) MUST_CHECK;
int indirect_free(struct ext4_inode *i, u64 from, u64 to, bool *ret_more) MUST_CHECK;

/* ---- Files (file.c) ---- */

extern const struct vm_object_ops ext4_object_ops;
int ext4_truncate(struct ext4_inode *i, u64 size) MUST_CHECK;
int ext4_file_sync(struct ext4_inode *i, bool data_only) MUST_CHECK;
/* Write dirty files until about that many bytes are left dirty. Not under M. */
int ext4_write_dirty(struct ext4 *e, u64 until_pages);
/* Before -ENOSPC is told: make what is free on its way usable. Not under M. */
int ext4_settle_space(struct ext4 *e) MUST_CHECK;
/* Let dirty files go without writing them: the volume failed. */
void ext4_dirty_release(struct ext4 *e);

/* ---- Directories (dir.c, htree.c, dirhash.c, names.c) ---- */

struct ext4_hash { u32 major, minor; };
void ext4_dirhash(const struct ext4 *e, u8 version, const char *name, size_t len, struct ext4_hash *ret);
/* A directory's block, checked. */
int dir_block(struct ext4_inode *dir, u64 lblk, struct ext4_buf **ret) MUST_CHECK;
void dir_block_changed(struct ext4_inode *dir, struct ext4_buf *b);
/* Bytes of a leaf that hold entries. */
u32 dir_space(const struct ext4 *e);
void dir_block_init(struct ext4_inode *dir, struct ext4_buf *b);
static inline u32 dirent_len(size_t name_len) { return (u32)ROUND_UP(8 + name_len, (size_t)4); }
static inline u32 dirent_rec(const struct ext4 *e, const struct ext4_dirent *d)
{
	return d->rec_len == 65535 || d->rec_len == 0 ? e->block_size : d->rec_len;
}
struct ext4_dirent *dir_find_in(struct ext4_inode *dir, struct ext4_buf *b, const char *name, size_t len, struct ext4_dirent **ret_prev);
bool dir_add_in(struct ext4_inode *dir, struct ext4_buf *b, const char *name, size_t len, u32 ino, u8 type);
/* The entry's block (a reference) and place. -ENOENT. */
int dir_find(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret) MUST_CHECK;
int dir_add(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type) MUST_CHECK;
int dir_remove(struct ext4_inode *dir, const char *name, size_t len) MUST_CHECK;
int dir_set(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type) MUST_CHECK;
int dir_is_empty(struct ext4_inode *dir, bool *ret) MUST_CHECK;
int dir_append_block(struct ext4_inode *dir, struct ext4_buf **ret, u64 *ret_lblk) MUST_CHECK;
u8 ext4_dir_type(u32 mode);
enum vnode_type ext4_vnode_type(u8 dir_type);

/* ---- Extended attributes (xattr.c) ---- */

ssize_t ext4_getxattr(struct vnode *v, const char *name, void *buf, size_t size);
int ext4_setxattr(struct vnode *v, const char *name, const void *value, size_t size, u32 flags);
ssize_t ext4_listxattr(struct vnode *v, char *buf, size_t size);
int ext4_xattrs_free(struct ext4_inode *i) MUST_CHECK;

#endif
