/*
 * hash.h - SHA-256, and identifiers made from it.
 */
#ifndef TOOL_UTIL_HASH_H
#define TOOL_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <nettle/sha2.h>

#define HASH_LEN 32
#define HASH_HEX_LEN (2 * HASH_LEN + 1)

struct hash {
	struct sha256_ctx ctx;
};

void hash_init(struct hash *h);
void hash_add(struct hash *h, const void *data, size_t len);
void hash_add_str(struct hash *h, const char *s);  /* with its NUL, so that fields cannot run together */
void hash_add_u64(struct hash *h, uint64_t value);
void hash_end(struct hash *h, uint8_t ret_digest[HASH_LEN]);
void hash_hex(const uint8_t digest[HASH_LEN], char ret_text[HASH_HEX_LEN]);

/* Adds len bytes of a file from an offset. Negative errno. */
int hash_add_file(struct hash *h, int fd, uint64_t offset, uint64_t len);

#endif
