/*
 * erofs.h - EROFS, read-only: the format on disk and what erofs_*.c share.
 *
 * The format is Linux's (Documentation/filesystems/erofs.rst, fs/erofs/erofs_fs.h): blocks of
 * 4096 bytes, all numbers little-endian, inodes in slots of 32 bytes counted from meta_blkaddr.
 * Uncompressed layouts only: flat, flat with the tail beside the inode, and chunks.
 *
 * The image is hostile: every offset and length from it is checked against the image before use.
 */
#ifndef FS_EROFS_H
#define FS_EROFS_H

#include "blk/blk.h"
#include "blk/verity.h"
#include "fs/internal.h"

#define EROFS_SUPER_OFFSET 1024u
#define EROFS_BLOCK_BITS   12u
#define EROFS_BLOCK        4096u
#define EROFS_SLOT         32u
#define EROFS_NULL_ADDR    0xffffffffu

#define EROFS_COMPAT_CHECKSUM    0x1u
#define EROFS_INCOMPAT_PADDING   0x1u    /* how compressed data is padded: no concern of ours */
#define EROFS_INCOMPAT_CHUNKED   0x4u
#define EROFS_INCOMPAT_KNOWN     (EROFS_INCOMPAT_PADDING | EROFS_INCOMPAT_CHUNKED)

struct erofs_disk_super {
	u32 magic, checksum, feature_compat;
	u8 block_bits, ext_slots;
	u16 root_nid;
	u64 inos, build_time;
	u32 build_time_nsec, blocks, meta_blkaddr, xattr_blkaddr;
	u8 uuid[16], volume_name[16];
	u32 feature_incompat;
	u16 u1, extra_devices, devt_slotoff;
	u8 dir_block_bits, xattr_prefix_count;
	u32 xattr_prefix_start;
	u64 packed_nid;
	u8 reserved[24];
} PACKED;
_Static_assert(sizeof(struct erofs_disk_super) == 128, "on disk");

enum { EROFS_FLAT = 0, EROFS_COMPRESSED_FULL = 1, EROFS_INLINE = 2, EROFS_COMPRESSED = 3, EROFS_CHUNKED = 4 };

struct erofs_disk_inode_compact {
	u16 format, xattr_count, mode, nlink;
	u32 size, reserved;
	u32 u;                       /* block address, device number or chunk format */
	u32 ino;
	u16 uid, gid;
	u32 reserved2;
} PACKED;
_Static_assert(sizeof(struct erofs_disk_inode_compact) == 32, "on disk");

struct erofs_disk_inode_extended {
	u16 format, xattr_count, mode, reserved;
	u64 size;
	u32 u, ino, uid, gid;
	u64 mtime;
	u32 mtime_nsec, nlink;
	u8 reserved2[16];
} PACKED;
_Static_assert(sizeof(struct erofs_disk_inode_extended) == 64, "on disk");

#define EROFS_CHUNK_BITS    0x1fu    /* added to the block bits */
#define EROFS_CHUNK_INDEXES 0x20u    /* entries of 8 bytes, else 4 */

struct erofs_disk_chunk_index {
	u16 advise, device;
	u32 blkaddr;
} PACKED;

struct erofs_disk_dirent {
	u64 nid;
	u16 name_off;
	u8 type, reserved;
} PACKED;
_Static_assert(sizeof(struct erofs_disk_dirent) == 12, "on disk");

/* ---- In memory ---- */

#define EROFS_HASH 128u

struct erofs {
	struct mount m;
	struct blkdev *dev;
	u64 dev_off;                 /* where the image lies on the device */
	struct verity *verity;       /* checks each block that comes in; NULL: nothing is checked */
	u64 size;                    /* of the image, bytes: all addresses are below it */
	u64 meta_pa;
	u64 inos;
	struct timespec64 build_time;
	struct vm_object meta;       /* the whole image by address: cache of inodes, directories, chunk maps */
	struct spinlock lock;
	struct list hash[EROFS_HASH]; /* E: lock; inodes in use, without references */
};

struct erofs_inode {
	struct vnode v;
	u64 nid;
	u32 mode, nlink, uid, gid;
	u64 rdev;
	struct timespec64 mtime;
	u8 layout, chunk_bits, chunk_entry; /* log2 of a chunk's bytes; bytes of a map entry */
	u64 data_pa;                 /* flat: the first block */
	u64 inline_pa;               /* the tail of an inline file, or the chunk map */
};
/* A regular file: the inode with its page cache behind it. */
struct erofs_file {
	struct erofs_inode i;
	struct vm_object obj;
};

/* Where bytes of a file lie: len bytes from pa on, or nowhere (zeros). */
struct erofs_extent {
	u64 pa, len;
	bool hole;
};

static inline struct erofs_inode *erofs_inode(struct vnode *v) { return container_of(v, struct erofs_inode, v); }
static inline struct erofs *erofs_of(struct vnode *v) { return container_of(v->mount, struct erofs, m); }

/* Pages to read around a miss: where checking one costs more than asking the device for it, only what is wanted is read. */
static inline u8 erofs_readahead(const struct erofs *e, u8 pages) { return e->verity && !verity_is_quick() ? 1 : pages; }

/* What the image says is wrong: counted, once logged. Returns -EUCLEAN. */
int erofs_corrupt(struct erofs *e, u64 nid, const char *what);

/* ---- erofs_super.c ---- */
/*
 * Read n pages from pa of the image on, a multiple of the block, and check them. inode, off: the file whose bytes they are,
 * and where in it (inode 0: metadata).
 */
int erofs_read_blocks(struct erofs *e, u64 pa, struct page **pages, unsigned n, u64 inode, u64 off) MUST_CHECK;
/* Free e, whose root is gone. */
void erofs_free(struct erofs *e);
/* The page of the image that holds pa, with a reference, and where pa is in it. */
int erofs_meta_page(struct erofs *e, u64 pa, struct page **ret_page, const u8 **ret_at) MUST_CHECK;
/* Copy [pa, pa + len) of the image. -EUCLEAN if it is not in it. */
int erofs_meta_read(struct erofs *e, u64 pa, void *buf, size_t len) MUST_CHECK;
/* ---- erofs_inode.c ---- */
int erofs_iget(struct erofs *e, u64 nid, struct vnode **ret) MUST_CHECK;
/* ---- erofs_dir.c ---- */
int erofs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret);
int erofs_readdir(struct vnode *dir, u64 off, vnode_dirent_fn fn, void *arg);
/* ---- erofs_data.c ---- */
/* Where byte off (below the size) of a file lies; a chunk map is read. */
int erofs_map(struct erofs_inode *i, u64 off, struct erofs_extent *ret) MUST_CHECK;
ssize_t erofs_readlink(struct vnode *v, char *buf, size_t size);
extern const struct vm_object_ops erofs_object_ops;

/* crc32c.c: CRC-32C (Castagnoli), seed first, no final inversion. */
u32 crc32c(u32 crc, const void *data, size_t len);

#endif
