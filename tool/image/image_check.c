/*
 * image_check.c - checking all bytes of an image (image_check.h).
 *
 * (I1) Each byte of the file belongs to one of: the tables, which are a function of the partitions (gpt_check); a partition,
 *      whose digest stands in the seal and whose GUID is made from it; the seal; the rest, which is zero.
 */
#include "image/image_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/image.h"
#include "util/file.h"
#include "util/str.h"

char *image_fault_text(const struct gpt *gpt, const struct image_fault *fault)
{
	struct buf b = { 0 };

	buf_puts(&b, fault->what);
	if (fault->part)
		buf_printf(&b, ": %s", fault->part);
	if (fault->at != UINT64_MAX)
		buf_printf(&b, "%s byte %llu", fault->part ? "," : ":", (unsigned long long)fault->at);
	for (size_t i = 0; i < gpt->count && fault->at != UINT64_MAX; i++) {
		const struct gpt_part *part = &gpt->parts[i];

		if (fault->at >= part->offset && fault->at - part->offset < part->len)
			buf_printf(&b, " (block %llu of it)", (unsigned long long)((fault->at - part->offset) / SEAL_BLOCK));
	}
	return b.data;
}

/* The first byte of [from, to) that is not zero; to if there is none, or it cannot be read. */
static uint64_t zeros_end(int fd, uint64_t from, uint64_t to)
{
	static uint8_t chunk[1 << 16];

	while (from < to) {
		size_t len = to - from < sizeof chunk ? (size_t)(to - from) : sizeof chunk;

		if (file_pread_all(fd, chunk, len, from))
			return from;
		for (size_t i = 0; i < len; i++) {
			if (chunk[i])
				return from + i;
		}
		from += len;
	}
	return to;
}

static int part_compare(const void *a, const void *b)
{
	const struct gpt_part *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* What no table and no partition holds; and partitions must not overlap. */
static bool gaps_check(int fd, uint64_t file_len, const struct gpt *gpt, struct image_fault *fault)
{
	struct gpt_part sorted[GPT_PARTS_MAX];
	uint64_t at = GPT_FIRST_LEN;

	memcpy(sorted, gpt->parts, sizeof sorted);
	qsort(sorted, gpt->count, sizeof *sorted, part_compare);
	*fault = (struct image_fault){ .at = UINT64_MAX, .what = "its partitions overlap" };
	for (size_t i = 0; i <= gpt->count; i++) {
		uint64_t to = i < gpt->count ? sorted[i].offset : gpt_second_at(gpt);

		if (to < at)
			return false;
		fault->at = zeros_end(fd, at, to);
		if (fault->at != to) {
			fault->what = "its contents were altered: outside of all partitions, where all is zero";
			return false;
		}
		at = i < gpt->count ? to + sorted[i].len : to;
	}
	fault->at = gpt->disk_len;
	fault->what = "something follows its end";
	return file_len == gpt->disk_len;
}

static bool is_type(const struct gpt_part *part, const char *type)
{
	struct gpt_guid guid = gpt_guid_from_text(type);

	return !memcmp(&part->type, &guid, sizeof guid);
}

/* Where in a partition the damage is, if somebody knows. */
static uint64_t damage_find(int fd, const struct gpt *gpt, size_t i, const struct seal *seal, const struct verity *v)
{
	const struct gpt_part *part = &gpt->parts[i];
	const char *what;
	uint64_t at = UINT64_MAX;

	if (is_type(part, PITH_GUID_ROOT) || is_type(part, PITH_GUID_VERITY)) {
		if (v && verity_check(fd, v, &at, &what)) {
			uint64_t end = is_type(part, PITH_GUID_ROOT) ? v->data_offset + v->data_len : v->offset + verity_len(v->data_len);

			at = zeros_end(fd, end, part->offset + part->len); /* the padding */
		}
	} else {
		at = seal_bad_block(fd, gpt, i, seal);
		at = at == UINT64_MAX ? at : part->offset + at * SEAL_BLOCK;
	}
	return at;
}

/* Made again, as if it were not signed: what is different in it lies in the digests, in the text, or where the signature stands. */
void image_check_seal(int fd, const struct gpt *gpt, struct image_fault *ret_fault)
{
	struct buf want = { 0 }, have = { 0 };

	*ret_fault = (struct image_fault){ .part = "pith-seal", .at = UINT64_MAX, .what = "its contents were altered" };
	for (size_t i = 0; i < gpt->count; i++) {
		const struct gpt_part *part = &gpt->parts[i];
		size_t text_len;

		if (!is_type(part, PITH_GUID_SEAL) || seal_len(gpt) > part->len || seal_make(fd, gpt, NULL, "the image", &want))
			continue;
		buf_zero(&have, want.len);
		text_len = strlen(want.data);
		if (file_pread_all(fd, have.data, have.len, part->offset) == 0) {
			size_t k = SEAL_BLOCK;

			while (k < want.len && want.data[k] == have.data[k])
				k++;
			for (k = k < want.len ? k : 0; k < text_len && want.data[k] == have.data[k];)
				k++;
			ret_fault->at = part->offset + k;
		}
	}
	buf_free(&want);
	buf_free(&have);
}

static bool seal_part_check(int fd, const struct gpt *gpt, const struct gpt_part *part, struct image_fault *fault)
{
	fault->at = zeros_end(fd, part->offset + seal_len(gpt), part->offset + part->len);
	return fault->at == part->offset + part->len;
}

static bool parts_check(int fd, const struct gpt *gpt, const struct seal *seal, const struct verity *v, struct image_fault *fault)
{
	uint8_t digest[HASH_LEN];
	struct hash all, one;
	struct gpt_guid guid;

	hash_init(&all);
	for (size_t i = 0; i < gpt->count; i++) {
		const struct gpt_part *part = &gpt->parts[i];
		bool is_seal = is_type(part, PITH_GUID_SEAL);

		*fault = (struct image_fault){ .part = part->name, .at = UINT64_MAX, .what = "its contents were altered" };
		hash_init(&one);
		if (hash_add_file(&one, fd, part->offset, part->len) < 0) {
			fault->what = "it is cut off";
			return false;
		}
		hash_end(&one, digest);
		hash_add(&all, digest, HASH_LEN);
		guid = gpt_guid_from_digest(digest);
		if (is_seal && !seal_part_check(fd, gpt, part, fault))
			return false;
		if (memcmp(&guid, &part->unique, sizeof guid) || (!is_seal && memcmp(digest, seal->digests[i], HASH_LEN))) {
			if (is_seal)
				image_check_seal(fd, gpt, fault);
			else
				fault->at = damage_find(fd, gpt, i, seal, v);
			return false;
		}
	}
	hash_end(&all, digest);
	guid = gpt_guid_from_digest(digest);
	*fault = (struct image_fault){ .part = "partition table", .at = GPT_SECTOR + 56, .what = "its contents were altered" };
	return !memcmp(&guid, &gpt->disk, sizeof guid);
}

bool image_check_all(int fd, uint64_t file_len, const struct gpt *gpt, const struct seal *seal, const struct verity *v, struct image_fault *ret_fault)
{
	*ret_fault = (struct image_fault){ .part = "partition table", .what = "its contents were altered" };
	if (gpt_check(fd, gpt, &ret_fault->at) || ret_fault->at != UINT64_MAX)
		return false;
	return gaps_check(fd, file_len, gpt, ret_fault) && parts_check(fd, gpt, seal, v, ret_fault);
}

bool image_check_first_table(int fd, uint64_t file_len, struct image_fault *ret_fault)
{
	struct gpt gpt;

	*ret_fault = (struct image_fault){ .part = "the first one", .what = "its partition table is damaged" };
	return !gpt_read_second(fd, file_len, &gpt) && gpt_check(fd, &gpt, &ret_fault->at) == 0 && ret_fault->at != UINT64_MAX;
}
