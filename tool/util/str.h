/*
 * str.h - growing byte buffers and lists of strings.
 *
 * Memory that cannot be had ends the command with a line and status 125: a
 * host command has nothing better to do. A zeroed struct is an empty one.
 */
#ifndef TOOL_UTIL_STR_H
#define TOOL_UTIL_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data; /* always followed by a NUL that does not count, when not NULL */
	size_t len;
	size_t cap;
};

struct strv {
	char **items; /* followed by NULL, when not NULL */
	size_t count;
	size_t cap;
};

void *xmalloc(size_t len);
void *xcalloc(size_t count, size_t len);
void *xrealloc(void *p, size_t len);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_zero(struct buf *b, size_t len);          /* appends len zero bytes */
void buf_drop_front(struct buf *b, size_t len);    /* removes the first len bytes */
void buf_free(struct buf *b);

void strv_add(struct strv *v, const char *s);      /* copies s */
void strv_take(struct strv *v, char *s);           /* owns s from now on */
void strv_printf(struct strv *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool strv_has(const struct strv *v, const char *s);
void strv_copy(struct strv *to, const struct strv *from);   /* appends copies */
void strv_free(struct strv *v);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Parses a decimal number in [min, max], nothing before or behind it. */
bool str_number(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Parses a size such as 64M, 1G, 512K or 1048576 (bytes). */
bool str_size(const char *s, uint64_t *ret_len);

/* Reads 2 * len hexadecimal digits; what follows them is not looked at. */
bool str_hex(const char *s, uint8_t *ret_bytes, size_t len);

/* Appends s in single quotes if a POSIX shell would need them. */
void str_shell_quote(struct buf *b, const char *s);

#endif
