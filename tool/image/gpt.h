/*
 * gpt.h - GUID partition tables (UEFI 2.10, chapter 5): writing one, reading one.
 *
 * Sectors are 512 bytes. What is read is untrusted: signatures, both CRCs and
 * every range are checked.
 */
#ifndef TOOL_IMAGE_GPT_H
#define TOOL_IMAGE_GPT_H

#include <stddef.h>
#include <stdint.h>

#define GPT_SECTOR      512u
#define GPT_GUID_LEN    16
#define GPT_PARTS_MAX   8
#define GPT_NAME_MAX    36

struct gpt_guid {
	uint8_t bytes[GPT_GUID_LEN]; /* as on disk: the first three fields little endian */
};

struct gpt_part {
	struct gpt_guid type, unique;
	uint64_t offset, len;        /* bytes, multiples of GPT_SECTOR */
	char name[GPT_NAME_MAX + 1]; /* ASCII */
};

struct gpt {
	struct gpt_guid disk;
	struct gpt_part parts[GPT_PARTS_MAX];
	size_t count;
	uint64_t disk_len;
};

/* "7e9ec2a1-5a1b-4b0e-9f2b-70697468006b" to the form on disk. */
struct gpt_guid gpt_guid_from_text(const char *text);

/* A GUID (version 8) from the first 16 bytes of a digest. */
struct gpt_guid gpt_guid_from_digest(const uint8_t *digest);

/* Writes the protective MBR and both tables into a file of gpt->disk_len bytes. Negative errno. */
int gpt_write(int fd, const struct gpt *gpt);

/*
 * Compares MBR and both tables with what gpt_write would write for this one: *ret_at is the first byte of the file that
 * differs, UINT64_MAX if none does. Negative errno.
 */
int gpt_check(int fd, const struct gpt *gpt, uint64_t *ret_at);

/* Where the second table's 32 sectors of entries begin; the header follows them. */
uint64_t gpt_second_at(const struct gpt *gpt);

/* Reads the second table, for those whose first is damaged. The same answers. */
const char *gpt_read_second(int fd, uint64_t file_len, struct gpt *ret_gpt);

/* Bytes of MBR and first table, at the beginning. */
#define GPT_FIRST_LEN (34u * GPT_SECTOR)

/* Reads the first table. NULL when it is good, else what is wrong with it, in words that end a sentence. */
const char *gpt_read(int fd, uint64_t file_len, struct gpt *ret_gpt);

#endif
