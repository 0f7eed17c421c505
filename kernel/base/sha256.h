/*
 * sha256.h - SHA-256 (FIPS 180-4), block by block: for callers whose messages are whole blocks, such as pages.
 * Pure; nothing can fail. The CPU's own instructions are arch_sha256_blocks, with the same meaning.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/types.h"

#define SHA256_LEN   32u             /* of a digest, bytes */
#define SHA256_BLOCK 64u

extern const u32 sha256_k[64];       /* the round constants, 16-byte aligned */

/* The state before the first block. */
void sha256_start(u32 state[8]);
/* Take in n blocks. */
void sha256_blocks(u32 state[8], const void *data, size_t n);
/* The last block of a message of len bytes, a multiple of SHA256_BLOCK: nothing but padding. */
void sha256_last_block(u8 block[SHA256_BLOCK], u64 len);
/* The state as a digest. */
void sha256_digest(const u32 state[8], u8 ret[SHA256_LEN]);

#endif
