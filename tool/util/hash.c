/*
 * hash.c - SHA-256, and identifiers made from it.
 */
#include "util/hash.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/file.h"

void hash_init(struct hash *h)
{
	sha256_init(&h->ctx);
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	sha256_update(&h->ctx, len, data);
}

void hash_add_str(struct hash *h, const char *s)
{
	hash_add(h, s, strlen(s) + 1);
}

void hash_add_u64(struct hash *h, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	hash_add(h, bytes, sizeof bytes);
}

void hash_end(struct hash *h, uint8_t ret_digest[HASH_LEN])
{
	sha256_digest(&h->ctx, HASH_LEN, ret_digest);
}

void hash_hex(const uint8_t digest[HASH_LEN], char ret_text[HASH_HEX_LEN])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < HASH_LEN; i++) {
		ret_text[2 * i] = digits[digest[i] >> 4];
		ret_text[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_text[2 * HASH_LEN] = '\0';
}

int hash_add_file(struct hash *h, int fd, uint64_t offset, uint64_t len)
{
	static uint8_t block[1 << 18];

	while (len) {
		size_t part = len < sizeof block ? (size_t)len : sizeof block;
		int error = file_pread_all(fd, block, part, offset);

		if (error)
			return error;
		hash_add(h, block, part);
		offset += part;
		len -= part;
		cleanup_check();
	}
	return 0;
}
