/*
 * verity.c - making and checking the hash tree of a root (verity.h).
 *
 * The superblock's fields: Linux, Documentation/admin-guide/device-mapper/verity.rst, and cryptsetup's wiki, "DMVerity".
 */
#include "image/verity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/str.h"

#define PER_BLOCK  (VERITY_BLOCK / HASH_LEN)
#define LEVELS_MAX 6
#define UUID_AT    (1024 + 48) /* in an EROFS file system */
#define UUID_LEN   16

/* The levels from the data upwards: how many blocks, and where, counted from the superblock. */
struct layout {
	unsigned int levels;
	uint64_t count[LEVELS_MAX], first[LEVELS_MAX];
	uint64_t blocks; /* with the superblock */
};

static void layout_make(uint64_t data_len, struct layout *l)
{
	uint64_t n = data_len / VERITY_BLOCK;

	*l = (struct layout){ .blocks = 1 };
	while (n > 1 && l->levels < LEVELS_MAX) {
		n = (n + PER_BLOCK - 1) / PER_BLOCK;
		l->count[l->levels++] = n;
	}
	for (unsigned int i = l->levels; i-- > 0;) {
		l->first[i] = l->blocks;
		l->blocks += l->count[i];
	}
}

uint64_t verity_len(uint64_t data_len)
{
	struct layout l;

	layout_make(data_len, &l);
	return l.blocks * VERITY_BLOCK;
}

static void block_digest(const struct hash *salted, const void *block, uint8_t digest[HASH_LEN])
{
	struct hash h = *salted;

	hash_add(&h, block, VERITY_BLOCK);
	hash_end(&h, digest);
}

static int salt_make(int fd, const struct verity *v, uint8_t salt[VERITY_SALT_LEN])
{
	uint8_t uuid[UUID_LEN];
	int error = file_pread_all(fd, uuid, sizeof uuid, v->data_offset + UUID_AT);
	struct hash h;

	for (unsigned int i = 0; i < VERITY_SALT_LEN / HASH_LEN && !error; i++) {
		hash_init(&h);
		hash_add_str(&h, "pith-verity");
		hash_add_u64(&h, i);
		hash_add(&h, uuid, sizeof uuid);
		hash_end(&h, salt + i * HASH_LEN);
	}
	return error;
}

static void put(uint8_t *p, uint64_t value, int len)
{
	for (int i = 0; i < len; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static void super_make(const struct verity *v, uint8_t block[VERITY_BLOCK])
{
	memset(block, 0, VERITY_BLOCK);
	memcpy(block, "verity", 6);
	put(block + 8, 1, 4);                   /* version */
	put(block + 12, 1, 4);                  /* hash type: salt first */
	memcpy(block + 16, v->root, UUID_LEN);
	block[22] = (block[22] & 0x0f) | 0x80;  /* a version 8 UUID */
	block[24] = (block[24] & 0x3f) | 0x80;
	memcpy(block + 32, "sha256", 6);
	put(block + 64, VERITY_BLOCK, 4);       /* of data */
	put(block + 68, VERITY_BLOCK, 4);       /* of hashes */
	put(block + 72, v->data_len / VERITY_BLOCK, 8);
	put(block + 80, VERITY_SALT_LEN, 2);
	memcpy(block + 88, v->salt, VERITY_SALT_LEN);
}

/* Digests of the data blocks, one behind the other, into zeroed memory. */
static int data_digests(int fd, const struct verity *v, const struct hash *salted, uint8_t *digests)
{
	static uint8_t chunk[64 * VERITY_BLOCK];

	for (uint64_t at = 0; at < v->data_len; at += sizeof chunk) {
		size_t len = v->data_len - at < sizeof chunk ? (size_t)(v->data_len - at) : sizeof chunk;
		int error = file_pread_all(fd, chunk, len, v->data_offset + at);

		if (error)
			return error;
		for (size_t i = 0; i < len / VERITY_BLOCK; i++)
			block_digest(salted, chunk + i * VERITY_BLOCK, digests + (at / VERITY_BLOCK + i) * HASH_LEN);
	}
	return 0;
}

/* The superblock and the tree in memory, from the data; the root hash into v. The caller frees *ret_all. */
static int tree_make(int fd, struct verity *v, const struct layout *l, uint8_t **ret_all)
{
	uint8_t *all = xcalloc(l->blocks, VERITY_BLOCK), single[HASH_LEN];
	struct hash salted;
	int error;

	hash_init(&salted);
	hash_add(&salted, v->salt, sizeof v->salt);
	error = data_digests(fd, v, &salted, l->levels ? all + l->first[0] * VERITY_BLOCK : single);
	for (unsigned int k = 0; k < l->levels && !error; k++) {
		for (uint64_t i = 0; i < l->count[k]; i++)
			block_digest(&salted, all + (l->first[k] + i) * VERITY_BLOCK,
				     k + 1 < l->levels ? all + l->first[k + 1] * VERITY_BLOCK + i * HASH_LEN : single);
	}
	memcpy(v->root, single, HASH_LEN);
	if (error)
		free(all);
	else
		*ret_all = all;
	return error;
}

int verity_write(int fd, struct verity *v)
{
	struct layout l;
	uint8_t *all = NULL;
	int error = v->data_len && v->data_len % VERITY_BLOCK == 0 ? salt_make(fd, v, v->salt) : -EINVAL;

	layout_make(v->data_len, &l);
	if (!error)
		error = tree_make(fd, v, &l, &all);
	if (!error) {
		super_make(v, all);
		error = file_pwrite_all(fd, all, l.blocks * VERITY_BLOCK, v->offset);
	}
	free(all);
	return error;
}

/* The tree on disk from the top down: a block is looked at only through a parent that is good. */
static bool tree_check(const struct verity *v, const struct layout *l, const uint8_t *all, uint64_t *ret_at)
{
	struct hash salted;
	uint8_t digest[HASH_LEN];

	hash_init(&salted);
	hash_add(&salted, v->salt, sizeof v->salt);
	for (unsigned int k = l->levels; k-- > 0;) {
		for (uint64_t i = 0; i < l->count[k]; i++) {
			const uint8_t *want = k + 1 < l->levels ? all + l->first[k + 1] * VERITY_BLOCK + i * HASH_LEN : v->root;

			*ret_at = v->offset + (l->first[k] + i) * VERITY_BLOCK;
			block_digest(&salted, all + (l->first[k] + i) * VERITY_BLOCK, digest);
			if (memcmp(digest, want, HASH_LEN))
				return false;
		}
	}
	return true;
}

bool verity_check(int fd, const struct verity *v, uint64_t *ret_at, const char **ret_what)
{
	uint8_t super[VERITY_BLOCK], *disk, *made = NULL;
	struct verity copy = *v;
	struct layout l;
	bool good = false;

	layout_make(v->data_len, &l);
	*ret_at = v->offset;
	*ret_what = "the superblock of the hash tree";
	disk = xcalloc(l.blocks, VERITY_BLOCK);
	super_make(v, super);
	if (file_pread_all(fd, disk, l.blocks * VERITY_BLOCK, v->offset) == 0 && !memcmp(super, disk, sizeof super)) {
		*ret_what = "a block of the hash tree";
		good = tree_check(v, &l, disk, ret_at);
	}
	if (good && tree_make(fd, &copy, &l, &made)) {
		good = false;
		*ret_what = "the root's end is missing";
		*ret_at = v->data_offset;
	}
	if (good) {
		const uint8_t *want = l.levels ? disk + l.first[0] * VERITY_BLOCK : v->root, *have = l.levels ? made + l.first[0] * VERITY_BLOCK : copy.root;

		*ret_what = "a block of the root";
		for (uint64_t i = 0; i < v->data_len / VERITY_BLOCK && good; i++) {
			*ret_at = v->data_offset + i * VERITY_BLOCK;
			good = !memcmp(want + i * HASH_LEN, have + i * HASH_LEN, HASH_LEN);
		}
	}
	free(disk);
	free(made);
	return good;
}

static void hex_add(struct buf *b, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(b, "%02x", bytes[i]);
}

char *verity_text(const struct verity *v)
{
	struct buf b = { 0 };

	buf_printf(&b, "%llu:", (unsigned long long)(v->offset + VERITY_BLOCK));
	hex_add(&b, v->root, sizeof v->root);
	buf_puts(&b, ":");
	hex_add(&b, v->salt, sizeof v->salt);
	return b.data;
}

bool verity_parse(const char *text, struct verity *v)
{
	const char *root = strchr(text, ':'), *salt = root ? strchr(root + 1, ':') : NULL;
	char number[24];
	uint64_t tree;

	if (!salt || (size_t)(root - text) >= sizeof number)
		return false;
	memcpy(number, text, (size_t)(root - text));
	number[root - text] = '\0';
	if (!str_number(number, VERITY_BLOCK, INT64_MAX, &tree) || salt - root - 1 != 2 * HASH_LEN ||
	    !str_hex(root + 1, v->root, sizeof v->root) || strlen(salt + 1) != 2 * VERITY_SALT_LEN || !str_hex(salt + 1, v->salt, sizeof v->salt))
		return false;
	v->offset = tree - VERITY_BLOCK;
	return true;
}
