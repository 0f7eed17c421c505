/*
 * verity.h - data on a device that is checked against a hash when it comes in: dm-verity's tree (Linux,
 * Documentation/admin-guide/device-mapper/verity.rst; `veritysetup format` and `verify`): hash type 1, SHA-256,
 * data and hash blocks of 4096 bytes, a salt in front of each block.
 *
 * What is trusted is the root hash, the salt and the number of blocks, which come from the boot configuration. The
 * superblock in front of the tree is for people and tools; the kernel does not read it. Everything on the device is hostile.
 *
 * Verified blocks of the tree are kept, at most VERITY_CACHE of them (256 KiB: enough for 32 MiB of data in use).
 */
#ifndef BLK_VERITY_H
#define BLK_VERITY_H

#include "base/counter.h"
#include "base/sha256.h"
#include "dev/blkdev.h"
#include "mm/page.h"

#define VERITY_CACHE    64u
#define VERITY_SALT_MAX 256u         /* bytes; a multiple of 64 */

COUNTER_DECLARE(verity_mismatches);  /* blocks that did not match their hash, each time they were read */

struct verity;

struct verity_params {
	u64 data_off;                /* where the data begins on the device, bytes; a multiple of its block */
	u64 data_len;                /* bytes, a multiple of 4096, not 0 */
	u64 tree_off;                /* where the tree begins on the device: behind the superblock */
	u8 root[SHA256_LEN];
	u8 salt[VERITY_SALT_MAX];
	u32 salt_len;                /* a multiple of SHA256_BLOCK */
};

/* What does not match. */
struct verity_place {
	u64 block;                   /* the data block that was wanted, counted from data_off */
	u64 tree_block;              /* the block of the tree that is wrong, counted from tree_off; ~0: the data itself */
	u64 inode, off;              /* the file and the byte in it, inode 0: none or not known */
};

/* A new one for data on d, which must stay. Nothing is read yet. -EINVAL (what does not fit the device), -ENOMEM. */
int verity_new(struct blkdev *d, const struct verity_params *p, struct verity **ret) MUST_CHECK;
void verity_free(struct verity *v);
/*
 * Check n pages that hold data blocks from first on, just read and not yet seen by anybody else. 0, -EIO (one does
 * not match; told to verity_on_mismatch), -ENOMEM. inode, off: whose bytes they are, for the message. Sleeps.
 */
int verity_check(struct verity *v, u64 first, struct page *const *pages, unsigned n, u64 inode, u64 off) MUST_CHECK;
/* The CPU has instructions for it: checking a page costs about what copying it does, and not 20 times that. */
bool verity_is_quick(void);
/* The last mismatch; false: there was none. */
bool verity_last_mismatch(struct verity *v, struct verity_place *ret);
/*
 * Called for each mismatch of a block that was not among the last few; NULL: nobody. May sleep, and must not read from v.
 */
extern void (*verity_on_mismatch)(const struct verity_place *place);

#endif
