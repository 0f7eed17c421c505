/* string.h - memory and strings, freestanding. On the host these are libc's. */
#ifndef BASE_STRING_H
#define BASE_STRING_H

#include "base/types.h"

#ifdef PITH_HOST
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
#endif

/* Copy s into dst of size bytes, always terminated; returns strlen(s), so a result >= size means it was cut. */
size_t str_copy(char *dst, const char *s, size_t size);
/* True if s begins with prefix. */
bool str_has_prefix(const char *s, const char *prefix);
/* Parse an unsigned number (base 10, or 16 after 0x) that fills the whole of [s, s+len); false if it does not or overflows. */
bool str_parse_u64(const char *s, size_t len, u64 *ret_value) MUST_CHECK;

#endif
