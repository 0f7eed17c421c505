/*
 * gpt.c - GUID partition tables.
 *
 *   LBA 0        protective MBR: one partition of type 0xee over everything
 *   LBA 1        header                      last LBA        header, again
 *   LBA 2..33    128 entries of 128 bytes    the 32 before   entries, again
 */
#include "image/gpt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "util/file.h"

#define ENTRY_COUNT   128u
#define ENTRY_LEN     128u
#define ENTRIES_LEN   (ENTRY_COUNT * ENTRY_LEN)
#define ENTRIES_LBAS  (ENTRIES_LEN / GPT_SECTOR)
#define HEADER_LEN    92u
#define REVISION      0x00010000u

static void put(uint8_t *p, uint64_t value, int len)
{
	for (int i = 0; i < len; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *p, int len)
{
	uint64_t value = 0;

	for (int i = len; i-- > 0; )
		value = value << 8 | p[i];
	return value;
}

static uint32_t checksum(const void *data, size_t len)
{
	return (uint32_t)crc32(0, data, (uInt)len);
}

struct gpt_guid gpt_guid_from_text(const char *text)
{
	static const uint8_t order[GPT_GUID_LEN] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct gpt_guid guid = { 0 };
	int at = 0;

	for (const char *p = text; *p && at < GPT_GUID_LEN; p++) {
		char digits[3] = { p[0], p[1], '\0' };

		if (*p == '-')
			continue;
		guid.bytes[order[at++]] = (uint8_t)strtoul(digits, NULL, 16);
		p++;
	}
	return guid;
}

struct gpt_guid gpt_guid_from_digest(const uint8_t *digest)
{
	struct gpt_guid guid;

	memcpy(guid.bytes, digest, GPT_GUID_LEN);
	guid.bytes[7] = (guid.bytes[7] & 0x0f) | 0x80; /* version 8: made by the application */
	guid.bytes[8] = (guid.bytes[8] & 0x3f) | 0x80; /* the usual variant */
	return guid;
}

static void header_make(const struct gpt *gpt, const uint8_t *entries, uint64_t my_lba, uint8_t header[GPT_SECTOR])
{
	uint64_t last = gpt->disk_len / GPT_SECTOR - 1;

	memset(header, 0, GPT_SECTOR);
	memcpy(header, "EFI PART", 8);
	put(header + 8, REVISION, 4);
	put(header + 12, HEADER_LEN, 4);
	put(header + 24, my_lba, 8);
	put(header + 32, my_lba == 1 ? last : 1, 8);
	put(header + 40, 2 + ENTRIES_LBAS, 8);
	put(header + 48, last - ENTRIES_LBAS - 1, 8);
	memcpy(header + 56, gpt->disk.bytes, GPT_GUID_LEN);
	put(header + 72, my_lba == 1 ? 2 : last - ENTRIES_LBAS, 8);
	put(header + 80, ENTRY_COUNT, 4);
	put(header + 84, ENTRY_LEN, 4);
	put(header + 88, checksum(entries, ENTRIES_LEN), 4);
	put(header + 16, checksum(header, HEADER_LEN), 4);
}

static void entries_make(const struct gpt *gpt, uint8_t entries[ENTRIES_LEN])
{
	memset(entries, 0, ENTRIES_LEN);
	for (size_t i = 0; i < gpt->count; i++) {
		const struct gpt_part *part = &gpt->parts[i];
		uint8_t *e = entries + i * ENTRY_LEN;

		memcpy(e, part->type.bytes, GPT_GUID_LEN);
		memcpy(e + 16, part->unique.bytes, GPT_GUID_LEN);
		put(e + 32, part->offset / GPT_SECTOR, 8);
		put(e + 40, (part->offset + part->len) / GPT_SECTOR - 1, 8);
		for (int c = 0; part->name[c]; c++) /* UTF-16 */
			e[56 + 2 * c] = (uint8_t)part->name[c];
	}
}

uint64_t gpt_second_at(const struct gpt *gpt)
{
	return gpt->disk_len - (1 + ENTRIES_LBAS) * GPT_SECTOR;
}

/* All of both: first has GPT_FIRST_LEN bytes, second what is from gpt_second_at on. */
static void tables_make(const struct gpt *gpt, uint8_t first[GPT_FIRST_LEN], uint8_t second[ENTRIES_LEN + GPT_SECTOR])
{
	uint64_t last = gpt->disk_len / GPT_SECTOR - 1;
	uint8_t *entries = first + 2 * GPT_SECTOR;

	memset(first, 0, GPT_SECTOR);
	put(first + 446 + 1, 0x000200, 3);
	first[446 + 4] = 0xee;
	put(first + 446 + 5, 0xffffff, 3);
	put(first + 446 + 8, 1, 4);
	put(first + 446 + 12, last > UINT32_MAX ? UINT32_MAX : last, 4);
	put(first + 510, 0xaa55, 2);
	entries_make(gpt, entries);
	header_make(gpt, entries, 1, first + GPT_SECTOR);
	memcpy(second, entries, ENTRIES_LEN);
	header_make(gpt, entries, last, second + ENTRIES_LEN);
}

int gpt_write(int fd, const struct gpt *gpt)
{
	static uint8_t first[GPT_FIRST_LEN], second[ENTRIES_LEN + GPT_SECTOR];
	int error;

	tables_make(gpt, first, second);
	error = file_pwrite_all(fd, first, sizeof first, 0);
	return error ? error : file_pwrite_all(fd, second, sizeof second, gpt_second_at(gpt));
}

int gpt_check(int fd, const struct gpt *gpt, uint64_t *ret_at)
{
	static uint8_t first[GPT_FIRST_LEN], second[ENTRIES_LEN + GPT_SECTOR], have[GPT_FIRST_LEN];
	uint64_t at = gpt_second_at(gpt);
	int error = file_pread_all(fd, have, sizeof first, 0);

	*ret_at = UINT64_MAX;
	tables_make(gpt, first, second);
	for (size_t i = 0; i < sizeof first && !error; i++) {
		if (have[i] != first[i]) {
			*ret_at = i;
			return 0;
		}
	}
	if (!error)
		error = file_pread_all(fd, have, sizeof second, at);
	for (size_t i = 0; i < sizeof second && !error; i++) {
		if (have[i] != second[i]) {
			*ret_at = at + i;
			return 0;
		}
	}
	return error;
}

/* my_lba: where it was read. */
static const char *header_check(uint8_t header[GPT_SECTOR], uint64_t my_lba, uint64_t file_len)
{
	uint32_t stored = (uint32_t)get(header + 16, 4);
	uint64_t last = my_lba == 1 ? get(header + 32, 8) : my_lba;

	if (memcmp(header, "EFI PART", 8) != 0)
		return "it has no partition table";
	put(header + 16, 0, 4);
	if (get(header + 12, 4) != HEADER_LEN || checksum(header, HEADER_LEN) != stored || get(header + 24, 8) != my_lba ||
	    get(header + 80, 4) != ENTRY_COUNT || get(header + 84, 4) != ENTRY_LEN ||
	    get(header + 72, 8) != (my_lba == 1 ? 2 : my_lba - ENTRIES_LBAS))
		return "its partition table is damaged";
	if (last > UINT64_MAX / GPT_SECTOR - 1 || (last + 1) * GPT_SECTOR > file_len)
		return "it is cut off";
	return NULL;
}

static const char *entry_read(const uint8_t *e, uint64_t disk_len, struct gpt_part *part)
{
	uint64_t first = get(e + 32, 8), last = get(e + 40, 8);

	if (first < 2 + ENTRIES_LBAS || last < first || last >= disk_len / GPT_SECTOR)
		return "a partition lies outside of it";
	memcpy(part->type.bytes, e, GPT_GUID_LEN);
	memcpy(part->unique.bytes, e + 16, GPT_GUID_LEN);
	part->offset = first * GPT_SECTOR;
	part->len = (last - first + 1) * GPT_SECTOR;
	for (int c = 0; c < GPT_NAME_MAX; c++)
		part->name[c] = (char)(e[56 + 2 * c] & 0x7f);
	return NULL;
}

static const char *table_read(int fd, uint64_t my_lba, uint64_t entries_at, uint64_t file_len, struct gpt *ret_gpt)
{
	static uint8_t entries[ENTRIES_LEN];
	static const uint8_t unused[GPT_GUID_LEN];
	uint8_t header[GPT_SECTOR];
	const char *wrong;

	*ret_gpt = (struct gpt){ 0 };
	if (file_pread_all(fd, header, sizeof header, my_lba * GPT_SECTOR) < 0 || file_pread_all(fd, entries, sizeof entries, entries_at) < 0)
		return "it is cut off";
	wrong = header_check(header, my_lba, file_len);
	if (wrong)
		return wrong;
	if (checksum(entries, ENTRIES_LEN) != get(header + 88, 4))
		return "its partition table is damaged";
	memcpy(ret_gpt->disk.bytes, header + 56, GPT_GUID_LEN);
	ret_gpt->disk_len = ((my_lba == 1 ? get(header + 32, 8) : my_lba) + 1) * GPT_SECTOR;
	for (size_t i = 0; i < ENTRY_COUNT && !wrong; i++) {
		const uint8_t *e = entries + i * ENTRY_LEN;

		if (!memcmp(e, unused, GPT_GUID_LEN))
			continue;
		if (ret_gpt->count == GPT_PARTS_MAX)
			return "it has more partitions than an image has";
		wrong = entry_read(e, ret_gpt->disk_len, &ret_gpt->parts[ret_gpt->count++]);
	}
	return wrong;
}

const char *gpt_read(int fd, uint64_t file_len, struct gpt *ret_gpt)
{
	*ret_gpt = (struct gpt){ 0 };
	return file_len < GPT_FIRST_LEN ? "it is cut off" : table_read(fd, 1, 2 * GPT_SECTOR, file_len, ret_gpt);
}

const char *gpt_read_second(int fd, uint64_t file_len, struct gpt *ret_gpt)
{
	uint64_t last = file_len / GPT_SECTOR - 1;

	*ret_gpt = (struct gpt){ 0 };
	return file_len < 2 * GPT_FIRST_LEN ? "it is cut off" : table_read(fd, last, (last - ENTRIES_LBAS) * GPT_SECTOR, file_len, ret_gpt);
}
