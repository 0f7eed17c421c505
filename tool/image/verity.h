/*
 * verity.h - the hash tree of a root, in dm-verity's format (hash type 1, SHA-256, blocks of 4096 bytes): the kernel's
 * side is kernel/blk/verity.h, and `veritysetup verify` accepts the same.
 *
 *   block 0    the superblock: what `veritysetup` needs to know; the kernel does not read it
 *   block 1..  the tree, its highest level first
 *
 * The salt comes from the file system's own UUID, which comes from its contents: the same root, the same tree.
 */
#ifndef TOOL_IMAGE_VERITY_H
#define TOOL_IMAGE_VERITY_H

#include <stdbool.h>
#include <stdint.h>

#include "util/hash.h"

#define VERITY_BLOCK    4096u
#define VERITY_SALT_LEN 64u

struct verity {
	uint64_t data_offset, data_len; /* in the file, bytes */
	uint64_t offset;                /* of the superblock */
	uint8_t salt[VERITY_SALT_LEN];
	uint8_t root[HASH_LEN];
};

/* Bytes of the superblock and the tree for so much data (a multiple of VERITY_BLOCK). */
uint64_t verity_len(uint64_t data_len);

/* Makes and writes both; data_offset, data_len and offset are given, the rest is filled in. Negative errno. */
int verity_write(int fd, struct verity *v);

/*
 * Checks all of it: the superblock, each block of the tree, each block of the data, against salt and root hash. True when all is
 * well; else *ret_at is the place in the file of the block that is wrong, and *ret_what what it is, in words.
 */
bool verity_check(int fd, const struct verity *v, uint64_t *ret_at, const char **ret_what);

/* The boot configuration's text for it, OFFSET:ROOT:SALT; and back (data_* are not touched). */
char *verity_text(const struct verity *v);
bool verity_parse(const char *text, struct verity *v);

#endif
