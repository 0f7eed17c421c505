/*
 * ext4_fmt.h - ext4 and its journal on disk (Documentation/filesystems/ext4 and jbd2 of Linux, and what
 * mke2fs writes). ext4 is little-endian, the journal big-endian; x86-64 reads the former as it stands.
 * What lies here is hostile until the file that reads it has checked it.
 */
#ifndef FS_EXT4_FMT_H
#define FS_EXT4_FMT_H

#include "base/types.h"

#define EXT4_MAGIC          0xef53u
#define EXT4_SB_OFFSET      1024u
#define EXT4_NAME_MAX       255u
#define EXT4_LINK_MAX       65000u
#define EXT4_ROOT_INO       2u
#define EXT4_JOURNAL_INO    8u
#define EXT4_N_BLOCKS       15u
#define EXT4_IND            12u
#define EXT4_FAST_LINK_MAX  60u              /* shorter links lie in the inode */

/* Superblock: s_state */
enum { EXT4_VALID_FS = 1, EXT4_ERROR_FS = 2, EXT4_ORPHAN_FS = 4 };

/* Features */
enum {
	EXT4_COMPAT_HAS_JOURNAL = 0x4, EXT4_COMPAT_EXT_ATTR = 0x8, EXT4_COMPAT_RESIZE_INODE = 0x10, EXT4_COMPAT_DIR_INDEX = 0x20,
	EXT4_COMPAT_SPARSE_SUPER2 = 0x200, EXT4_COMPAT_FAST_COMMIT = 0x400, EXT4_COMPAT_ORPHAN_FILE = 0x1000,

	EXT4_INCOMPAT_FILETYPE = 0x2, EXT4_INCOMPAT_RECOVER = 0x4, EXT4_INCOMPAT_JOURNAL_DEV = 0x8, EXT4_INCOMPAT_META_BG = 0x10,
	EXT4_INCOMPAT_EXTENTS = 0x40, EXT4_INCOMPAT_64BIT = 0x80, EXT4_INCOMPAT_MMP = 0x100, EXT4_INCOMPAT_FLEX_BG = 0x200,
	EXT4_INCOMPAT_EA_INODE = 0x400, EXT4_INCOMPAT_CSUM_SEED = 0x2000, EXT4_INCOMPAT_LARGEDIR = 0x4000,
	EXT4_INCOMPAT_INLINE_DATA = 0x8000, EXT4_INCOMPAT_ENCRYPT = 0x10000, EXT4_INCOMPAT_CASEFOLD = 0x20000,

	EXT4_RO_SPARSE_SUPER = 0x1, EXT4_RO_LARGE_FILE = 0x2, EXT4_RO_HUGE_FILE = 0x8, EXT4_RO_GDT_CSUM = 0x10, EXT4_RO_DIR_NLINK = 0x20,
	EXT4_RO_EXTRA_ISIZE = 0x40, EXT4_RO_QUOTA = 0x100, EXT4_RO_BIGALLOC = 0x200, EXT4_RO_METADATA_CSUM = 0x400, EXT4_RO_READONLY = 0x1000,
	EXT4_RO_PROJECT = 0x2000, EXT4_RO_VERITY = 0x8000, EXT4_RO_ORPHAN_PRESENT = 0x10000,
};

struct ext4_super {
	u32 inodes_count, blocks_count_lo, r_blocks_count_lo, free_blocks_lo;
	u32 free_inodes, first_data_block, log_block_size, log_cluster_size;
	u32 blocks_per_group, clusters_per_group, inodes_per_group, mtime;
	u32 wtime;
	u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	u32 first_ino;                       /* 0x54 */
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 algorithm_bitmap;
	u8 prealloc_blocks, prealloc_dir_blocks;
	u16 reserved_gdt_blocks;             /* 0xce */
	u8 journal_uuid[16];
	u32 journal_inum, journal_dev, last_orphan; /* 0xe0 */
	u32 hash_seed[4];
	u8 def_hash_version, jnl_backup_type;
	u16 desc_size;                       /* 0xfe */
	u32 default_mount_opts, first_meta_bg, mkfs_time;
	u32 jnl_blocks[17];
	u32 blocks_count_hi, r_blocks_count_hi, free_blocks_hi; /* 0x150 */
	u16 min_extra_isize, want_extra_isize;
	u32 flags;                           /* 0x160: 1 signed, 2 unsigned directory hash */
	u16 raid_stride, mmp_interval;
	u64 mmp_block;
	u32 raid_stripe_width;
	u8 log_groups_per_flex, checksum_type;
	u16 reserved_pad;
	u64 kbytes_written;
	u32 snapshot_inum, snapshot_id;
	u64 snapshot_r_blocks;
	u32 snapshot_list, error_count, first_error_time, first_error_ino;
	u64 first_error_block;
	u8 first_error_func[32];
	u32 first_error_line, last_error_time, last_error_ino, last_error_line;
	u64 last_error_block;
	u8 last_error_func[32];
	u8 mount_opts[64];
	u32 usr_quota_inum, grp_quota_inum, overhead_clusters, backup_bgs[2]; /* backup_bgs 0x24c */
	u8 encrypt_algos[4], encrypt_pw_salt[16];
	u32 lpf_ino, prj_quota_inum, checksum_seed; /* checksum_seed 0x270 */
	u8 wtime_hi, mtime_hi, mkfs_time_hi, lastcheck_hi, first_error_time_hi, last_error_time_hi, first_error_errcode, last_error_errcode;
	u16 encoding, encoding_flags;
	u32 orphan_file_inum, reserved[94], checksum;
} PACKED;
_Static_assert(sizeof(struct ext4_super) == 1024, "superblock");
_Static_assert(offsetof(struct ext4_super, checksum_seed) == 0x270, "superblock");
_Static_assert(offsetof(struct ext4_super, blocks_count_hi) == 0x150, "superblock");

enum { EXT4_BG_INODE_UNINIT = 1, EXT4_BG_BLOCK_UNINIT = 2, EXT4_BG_INODE_ZEROED = 4 };

struct ext4_group_desc {
	u32 block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
	u16 free_blocks_lo, free_inodes_lo, used_dirs_lo, flags;
	u32 exclude_bitmap_lo;
	u16 block_bitmap_csum_lo, inode_bitmap_csum_lo, itable_unused_lo, checksum;
	/* With a descriptor size of 64: */
	u32 block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
	u16 free_blocks_hi, free_inodes_hi, used_dirs_hi, itable_unused_hi;
	u32 exclude_bitmap_hi;
	u16 block_bitmap_csum_hi, inode_bitmap_csum_hi;
	u32 reserved;
};
_Static_assert(sizeof(struct ext4_group_desc) == 64, "group descriptor");

/* Inode flags */
enum {
	EXT4_FL_IMMUTABLE = 0x10, EXT4_FL_APPEND = 0x20, EXT4_FL_INDEX = 0x1000, EXT4_FL_HUGE_FILE = 0x40000, EXT4_FL_EXTENTS = 0x80000,
	EXT4_FL_VERITY = 0x100000, EXT4_FL_EA_INODE = 0x200000, EXT4_FL_ENCRYPT = 0x800, EXT4_FL_INLINE_DATA = 0x10000000,
};

struct ext4_dinode {
	u16 mode, uid_lo;
	u32 size_lo, atime, ctime, mtime, dtime;
	u16 gid_lo, links_count;
	u32 blocks_lo, flags, version;
	u32 block[EXT4_N_BLOCKS];
	u32 generation, file_acl_lo, size_hi, obso_faddr;
	u16 blocks_hi, file_acl_hi, uid_hi, gid_hi, checksum_lo, reserved;
	/* With inodes above 128 bytes: */
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra, version_hi, projid;
};
_Static_assert(sizeof(struct ext4_dinode) == 160, "inode");

#define EXT4_EXT_MAGIC 0xf30au
#define EXT4_EXT_MAX_DEPTH 5u
#define EXT4_EXT_UNWRITTEN 0x8000u           /* lengths above this: unwritten, of len - 0x8000 */
struct ext4_ext_header {
	u16 magic, entries, max, depth;
	u32 generation;
} PACKED;
struct ext4_ext {
	u32 block;
	u16 len, start_hi;
	u32 start_lo;
} PACKED;
struct ext4_ext_idx {
	u32 block, leaf_lo;
	u16 leaf_hi, unused;
} PACKED;

/* Directories */
struct ext4_dirent {
	u32 ino;
	u16 rec_len;
	u8 name_len, file_type;
	char name[];
} PACKED;
#define EXT4_DIRENT_TAIL 12u                 /* inode 0, rec_len 12, name_len 0, file_type 0xde, u32 checksum */
#define EXT4_FT_TAIL 0xdeu
enum { EXT4_FT_REG = 1, EXT4_FT_DIR, EXT4_FT_CHR, EXT4_FT_BLK, EXT4_FT_FIFO, EXT4_FT_SOCK, EXT4_FT_LINK };
struct ext4_dx_root_info {
	u32 reserved;
	u8 hash_version, info_length, indirect_levels, unused_flags;
} PACKED;
struct ext4_dx_entry { u32 hash, block; } PACKED;       /* the first: count and limit, then the block */
struct ext4_dx_countlimit { u16 limit, count; } PACKED;
struct ext4_dx_tail { u32 reserved, checksum; } PACKED;
enum { EXT4_HASH_LEGACY, EXT4_HASH_HALF_MD4, EXT4_HASH_TEA, EXT4_HASH_LEGACY_U, EXT4_HASH_HALF_MD4_U, EXT4_HASH_TEA_U, EXT4_HASH_SIPHASH };

/* Extended attributes */
#define EXT4_XATTR_MAGIC 0xea020000u
struct ext4_xattr_header {
	u32 magic, refcount, blocks, hash, checksum, reserved[3];
} PACKED;
struct ext4_xattr_entry {
	u8 name_len, name_index;
	u16 value_offs;
	u32 value_inum, value_size, hash;
	char name[];
} PACKED;

/* ---- The journal (big-endian) ---- */

#define JBD_MAGIC 0xc03b3998u
enum { JBD_DESCRIPTOR = 1, JBD_COMMIT, JBD_SUPER_V1, JBD_SUPER_V2, JBD_REVOKE };
enum { JBD_COMPAT_CHECKSUM = 1 };
enum { JBD_INCOMPAT_REVOKE = 1, JBD_INCOMPAT_64BIT = 2, JBD_INCOMPAT_ASYNC_COMMIT = 4, JBD_INCOMPAT_CSUM_V2 = 8, JBD_INCOMPAT_CSUM_V3 = 16, JBD_INCOMPAT_FAST_COMMIT = 32 };
enum { JBD_FLAG_ESCAPE = 1, JBD_FLAG_SAME_UUID = 2, JBD_FLAG_DELETED = 4, JBD_FLAG_LAST_TAG = 8 };

struct jbd_header { u32 magic, type, sequence; } PACKED;
struct jbd_super {
	struct jbd_header h;
	u32 blocksize, maxlen, first, sequence, start, error;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	u32 nr_users, dynsuper, max_transaction, max_trans_data;
	u8 checksum_type, padding2[3];
	u32 num_fc_blocks, head, padding[40], checksum;
	u8 users[16 * 48];
} PACKED;
_Static_assert(sizeof(struct jbd_super) == 1024, "journal superblock");
struct jbd_commit {
	struct jbd_header h;
	u8 chksum_type, chksum_size, padding[2];
	u32 chksum[8];
	u64 commit_sec;
	u32 commit_nsec;
} PACKED;
struct jbd_tag3 { u32 block, flags, block_high, checksum; } PACKED;
struct jbd_tag { u32 block; u16 checksum, flags; u32 block_high; } PACKED;  /* block_high only with 64BIT */
struct jbd_revoke { struct jbd_header h; u32 count; } PACKED;

static inline u16 be16(u16 v) { return __builtin_bswap16(v); }
static inline u32 be32(u32 v) { return __builtin_bswap32(v); }
static inline u64 be64(u64 v) { return __builtin_bswap64(v); }

#endif
