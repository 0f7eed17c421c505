/*
 * ld_cache.c - writing glibc's library cache (its new format, all that glibc
 * 2.2 and later need).
 *
 *   header   48 bytes: magic "glibc-ld.so.cache" "1.1", number of entries,
 *            length of the strings, flags (2: little endian), padding,
 *            offset of extensions (0: none)
 *   entries  24 bytes each: flags, offset of the name, offset of the path,
 *            os version, hwcap; sorted by name, downwards, for a binary search
 *   strings  NUL-terminated, offsets count from the start of the file
 *
 * The order is not strcmp's: runs of digits compare as numbers.
 */
#include "image/ld_cache.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN 48u
#define ENTRY_LEN  24u
#define FLAG_LIBC6_X86_64 0x0303u

static void put_u32(struct buf *b, uint32_t value)
{
	uint8_t bytes[4] = { (uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24) };

	buf_append(b, bytes, sizeof bytes);
}

static int name_compare(const char *a, const char *b)
{
	while (*a) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			unsigned long x = strtoul(a, (char **)&a, 10), y = strtoul(b, (char **)&b, 10);

			if (x != y)
				return x < y ? -1 : 1;
		} else if (isdigit((unsigned char)*a)) {
			return 1;
		} else if (isdigit((unsigned char)*b)) {
			return -1;
		} else if (*a != *b) {
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		} else {
			a++;
			b++;
		}
	}
	return *b ? -1 : 0;
}

static int entry_compare_down(const void *a, const void *b)
{
	return -name_compare(((const struct ld_cache_entry *)a)->name, ((const struct ld_cache_entry *)b)->name);
}

void ld_cache_make(struct ld_cache_entry *entries, size_t count, struct buf *ret_cache)
{
	uint32_t strings_at = HEADER_LEN + ENTRY_LEN * (uint32_t)count;
	struct buf strings = { 0 }, out = { 0 };

	qsort(entries, count, sizeof *entries, entry_compare_down);
	for (size_t i = 0; i < count; i++) {
		buf_append(&strings, entries[i].name, strlen(entries[i].name) + 1);
		buf_append(&strings, entries[i].path, strlen(entries[i].path) + 1);
	}
	buf_puts(&out, "glibc-ld.so.cache1.1");
	put_u32(&out, (uint32_t)count);
	put_u32(&out, (uint32_t)strings.len);
	put_u32(&out, 2);
	put_u32(&out, 0);
	buf_zero(&out, HEADER_LEN - out.len);
	for (size_t i = 0; i < count; i++) {
		put_u32(&out, FLAG_LIBC6_X86_64);
		put_u32(&out, strings_at);
		strings_at += (uint32_t)strlen(entries[i].name) + 1;
		put_u32(&out, strings_at);
		strings_at += (uint32_t)strlen(entries[i].path) + 1;
		buf_zero(&out, 12);
	}
	buf_append(&out, strings.data, strings.len);
	buf_free(&strings);
	*ret_cache = out;
}
