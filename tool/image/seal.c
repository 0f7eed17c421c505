/*
 * seal.c - making and reading the seal of an image (seal.h).
 *
 *   PITHSEAL1
 *   disk LENGTH
 *   partition NAME TYPE OFFSET LENGTH SHA256      one for each partition but the seal
 *   blocks COUNT SHA256                           of the digests that begin at byte 4096
 *   key HEX                                       signed images: the Ed25519 public key, and the signature of
 *   signature HEX                                 all bytes before this line
 *
 * Numbers are decimal, bytes; the text is at most 4096 bytes, zero padded. A seal is good only if it is byte for byte what
 * seal_make would write for the same partitions: there is nothing to interpret.
 */
#include "image/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/image.h"
#include "util/err.h"
#include "util/file.h"

static bool is_type(const struct gpt_part *part, const char *type)
{
	struct gpt_guid guid = gpt_guid_from_text(type);

	return !memcmp(&part->type, &guid, sizeof guid);
}

/* Whose blocks are in the seal: what has no tree of its own. */
static bool has_blocks(const struct gpt_part *part)
{
	return !is_type(part, PITH_GUID_ROOT) && !is_type(part, PITH_GUID_VERITY) && !is_type(part, PITH_GUID_SEAL);
}

static uint64_t blocks_before(const struct gpt *gpt, size_t part)
{
	uint64_t count = 0;

	for (size_t i = 0; i < part; i++)
		count += has_blocks(&gpt->parts[i]) ? gpt->parts[i].len / SEAL_BLOCK : 0;
	return count;
}

uint64_t seal_len(const struct gpt *gpt)
{
	return SEAL_BLOCK + blocks_before(gpt, gpt->count) * HASH_LEN;
}

static int block_digest(int fd, uint64_t at, uint8_t digest[HASH_LEN])
{
	uint8_t block[SEAL_BLOCK];
	struct hash h;
	int error = file_pread_all(fd, block, sizeof block, at);

	hash_init(&h);
	hash_add(&h, block, sizeof block);
	hash_end(&h, digest);
	return error;
}

static int blocks_add(int fd, const struct gpt_part *part, struct buf *list)
{
	uint8_t digest[HASH_LEN];
	int error = 0;

	for (uint64_t at = 0; at < part->len && !error; at += SEAL_BLOCK) {
		error = block_digest(fd, part->offset + at, digest);
		buf_append(list, digest, sizeof digest);
	}
	return error;
}

static void hex_add(struct buf *b, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_printf(b, "%02x", bytes[i]);
}

static void guid_add(struct buf *b, const struct gpt_guid *guid)
{
	static const uint8_t order[GPT_GUID_LEN] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

	for (int i = 0; i < GPT_GUID_LEN; i++)
		buf_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", guid->bytes[order[i]]);
}

/* The text up to the line "blocks", from the table and the digests. */
static void text_add(struct buf *b, const struct gpt *gpt, const uint8_t digests[][HASH_LEN], const struct buf *list)
{
	uint8_t digest[HASH_LEN];
	struct hash h;

	buf_printf(b, "PITHSEAL1\ndisk %llu\n", (unsigned long long)gpt->disk_len);
	for (size_t i = 0; i < gpt->count; i++) {
		const struct gpt_part *part = &gpt->parts[i];

		if (is_type(part, PITH_GUID_SEAL))
			continue;
		buf_printf(b, "partition %s ", part->name);
		guid_add(b, &part->type);
		buf_printf(b, " %llu %llu ", (unsigned long long)part->offset, (unsigned long long)part->len);
		hex_add(b, digests[i], HASH_LEN);
		buf_puts(b, "\n");
	}
	hash_init(&h);
	hash_add(&h, list->data ? list->data : "", list->len);
	hash_end(&h, digest);
	buf_printf(b, "blocks %zu ", list->len / HASH_LEN);
	hex_add(b, digest, HASH_LEN);
	buf_puts(b, "\n");
}

static int signature_add(struct buf *b, const struct sign_key *key)
{
	uint8_t public[SIGN_KEY_LEN], signature[SIGN_LEN];
	int status;

	sign_key_public(key, public);
	buf_puts(b, "key ");
	hex_add(b, public, sizeof public);
	buf_puts(b, "\n");
	status = sign_make(key, b->data, b->len, signature);
	buf_puts(b, "signature ");
	hex_add(b, signature, sizeof signature);
	buf_puts(b, "\n");
	return status;
}

int seal_make(int fd, const struct gpt *gpt, const struct sign_key *key, const char *path, struct buf *ret_all)
{
	uint8_t digests[GPT_PARTS_MAX][HASH_LEN];
	struct buf text = { 0 }, list = { 0 };
	struct hash h;
	int error = 0, status = 0;

	for (size_t i = 0; i < gpt->count && !error; i++) {
		if (is_type(&gpt->parts[i], PITH_GUID_SEAL))
			continue;
		hash_init(&h);
		error = hash_add_file(&h, fd, gpt->parts[i].offset, gpt->parts[i].len);
		hash_end(&h, digests[i]);
		if (!error && has_blocks(&gpt->parts[i]))
			error = blocks_add(fd, &gpt->parts[i], &list);
	}
	if (error)
		status = err_report(PITH_FAILED, path, "cannot read it back: %s", strerror(-error));
	if (!status) {
		text_add(&text, gpt, digests, &list);
		status = key ? signature_add(&text, key) : 0;
	}
	if (!status) {
		buf_zero(&text, SEAL_BLOCK - text.len);
		buf_append(&text, list.data ? list.data : "", list.len);
		*ret_all = text;
		text = (struct buf){ 0 };
	}
	buf_free(&text);
	buf_free(&list);
	return status;
}

/* The lines' digests, by what surrounds them; the rest is compared with what they make. */
static bool digests_read(const char *text, const struct gpt *gpt, uint8_t digests[][HASH_LEN])
{
	for (size_t i = 0; i < gpt->count; i++) {
		struct buf head = { 0 };
		const char *line;

		if (is_type(&gpt->parts[i], PITH_GUID_SEAL))
			continue;
		buf_printf(&head, "\npartition %s ", gpt->parts[i].name);
		guid_add(&head, &gpt->parts[i].type);
		buf_printf(&head, " %llu %llu ", (unsigned long long)gpt->parts[i].offset, (unsigned long long)gpt->parts[i].len);
		line = strstr(text, head.data);
		if (!line || !str_hex(line + head.len, digests[i], HASH_LEN)) {
			buf_free(&head);
			return false;
		}
		buf_free(&head);
	}
	return true;
}

static bool signature_read(const char *line, struct seal *seal)
{
	const char *signature;

	seal->is_signed = str_starts(line, "key ");
	if (!seal->is_signed)
		return !*line;
	signature = strchr(line, '\n');
	return signature && str_starts(signature + 1, "signature ") && str_hex(line + 4, seal->key, SIGN_KEY_LEN) &&
	       str_hex(signature + 11, seal->signature, SIGN_LEN);
}

/* What the seal's text would be, made again from what was read of it. */
static bool is_canonical(const struct gpt *gpt, struct seal *seal)
{
	struct buf made = { 0 }, list = { .data = seal->all.data + SEAL_BLOCK, .len = seal->all.len - SEAL_BLOCK };
	bool good;

	text_add(&made, gpt, (const uint8_t (*)[HASH_LEN])seal->digests, &list);
	seal->signed_len = made.len;
	good = made.len <= SEAL_BLOCK && !memcmp(made.data, seal->all.data, made.len) && signature_read(seal->all.data + made.len, seal);
	if (good && seal->is_signed) {
		buf_puts(&made, "key ");
		hex_add(&made, seal->key, sizeof seal->key);
		buf_puts(&made, "\n");
		seal->signed_len = made.len;
		buf_puts(&made, "signature ");
		hex_add(&made, seal->signature, sizeof seal->signature);
		buf_puts(&made, "\n");
	}
	buf_zero(&made, made.len < SEAL_BLOCK ? SEAL_BLOCK - made.len : 0);
	good = good && made.len == SEAL_BLOCK && !memcmp(made.data, seal->all.data, SEAL_BLOCK);
	buf_free(&made);
	return good;
}

bool seal_read(int fd, const struct gpt *gpt, struct seal *ret_seal)
{
	const struct gpt_part *part = NULL;

	*ret_seal = (struct seal){ 0 };
	for (size_t i = 0; i < gpt->count; i++) {
		if (is_type(&gpt->parts[i], PITH_GUID_SEAL))
			part = &gpt->parts[i];
	}
	if (!part || seal_len(gpt) > part->len)
		return false;
	buf_zero(&ret_seal->all, (size_t)seal_len(gpt));
	if (file_pread_all(fd, ret_seal->all.data, ret_seal->all.len, part->offset) || strnlen(ret_seal->all.data, SEAL_BLOCK) == SEAL_BLOCK)
		return false;
	return digests_read(ret_seal->all.data, gpt, ret_seal->digests) && is_canonical(gpt, ret_seal);
}

void seal_free(struct seal *seal)
{
	buf_free(&seal->all);
}

uint64_t seal_bad_block(int fd, const struct gpt *gpt, size_t part, const struct seal *seal)
{
	const uint8_t *want = (const uint8_t *)seal->all.data + SEAL_BLOCK + blocks_before(gpt, part) * HASH_LEN;
	uint8_t digest[HASH_LEN];

	for (uint64_t i = 0; has_blocks(&gpt->parts[part]) && i < gpt->parts[part].len / SEAL_BLOCK; i++) {
		if (block_digest(fd, gpt->parts[part].offset + i * SEAL_BLOCK, digest) || memcmp(digest, want + i * HASH_LEN, HASH_LEN))
			return i;
	}
	return UINT64_MAX;
}
