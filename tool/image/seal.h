/*
 * seal.h - the seal of an image (shared/image.h): what its other partitions hold, and who signed that.
 *
 * The seal names each other partition with its place and SHA-256, and has digests of the single blocks of the small ones, so that
 * damage has a place. (The root's blocks are in its hash tree.) The root hash stands in the boot configuration, so
 * the signature of this text covers all of the image: the partition tables are a function of it (gpt_check), and what no partition
 * holds is zero.
 */
#ifndef TOOL_IMAGE_SEAL_H
#define TOOL_IMAGE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "image/gpt.h"
#include "image/sign.h"
#include "util/hash.h"
#include "util/str.h"

#define SEAL_BLOCK 4096u

struct seal {
	uint8_t digests[GPT_PARTS_MAX][HASH_LEN]; /* of the partitions, in the table's order; the seal's own is not there */
	bool is_signed;
	uint8_t key[SIGN_KEY_LEN];
	uint8_t signature[SIGN_LEN];
	size_t signed_len;      /* of the text before the signature */
	struct buf all;         /* text, padded to a block, then the blocks' digests */
};

/* Bytes of a seal for these partitions. */
uint64_t seal_len(const struct gpt *gpt);

/* Reads the partitions and makes the seal's bytes; key NULL: not signed. 0 or an exit status after a line. */
int seal_make(int fd, const struct gpt *gpt, const struct sign_key *key, const char *path, struct buf *ret_all);

/* Reads a seal; false: it is not one for these partitions. The caller frees it either way. */
bool seal_read(int fd, const struct gpt *gpt, struct seal *ret_seal);
void seal_free(struct seal *seal);

/* The first block of a partition that is not what the seal says, from its beginning; UINT64_MAX: none, or the seal does not know. */
uint64_t seal_bad_block(int fd, const struct gpt *gpt, size_t part, const struct seal *seal);

#endif
