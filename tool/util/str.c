/*
 * str.c - growing byte buffers and lists of strings.
 */
#include "util/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/err.h"

static _Noreturn void out_of_memory(void)
{
	exit(err_report(PITH_FAILED, NULL, "the host has no memory left; end something and try again"));
}

void *xmalloc(size_t len)
{
	void *p = malloc(len ? len : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t len)
{
	void *p = calloc(count ? count : 1, len ? len : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *old, size_t len)
{
	void *p = realloc(old, len ? len : 1);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *p = xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *p;

	va_start(args, format);
	if (vasprintf(&p, format, args) < 0)
		out_of_memory();
	va_end(args);
	return p;
}

static void buf_grow(struct buf *b, size_t more)
{
	if (b->len + more + 1 <= b->cap)
		return;
	b->cap = (b->len + more + 1) * 2;
	b->data = xrealloc(b->data, b->cap);
}

void buf_append(struct buf *b, const void *data, size_t len)
{
	buf_grow(b, len);
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	char *p;
	int len;

	va_start(args, format);
	len = vasprintf(&p, format, args);
	va_end(args);
	if (len < 0)
		out_of_memory();
	buf_append(b, p, (size_t)len);
	free(p);
}

void buf_zero(struct buf *b, size_t len)
{
	buf_grow(b, len);
	memset(b->data + b->len, 0, len + 1);
	b->len += len;
}

void buf_drop_front(struct buf *b, size_t len)
{
	if (!b->data || !len)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void strv_take(struct strv *v, char *s)
{
	if (v->count + 2 > v->cap) {
		v->cap = v->cap ? v->cap * 2 : 8;
		v->items = xrealloc(v->items, v->cap * sizeof *v->items);
	}
	v->items[v->count++] = s;
	v->items[v->count] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
	strv_take(v, xstrdup(s));
}

void strv_printf(struct strv *v, const char *format, ...)
{
	va_list args;
	char *p;

	va_start(args, format);
	if (vasprintf(&p, format, args) < 0)
		out_of_memory();
	va_end(args);
	strv_take(v, p);
}

bool strv_has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->count; i++) {
		if (strcmp(v->items[i], s) == 0)
			return true;
	}
	return false;
}

void strv_copy(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->count; i++)
		strv_add(to, from->items[i]);
}

void strv_free(struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv){ 0 };
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), suffix_len = strlen(suffix);

	return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

bool str_number(const char *s, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	value = strtoull(s, &end, 10);
	if (errno || *end || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

bool str_size(const char *s, uint64_t *ret_len)
{
	char *end;
	unsigned long long value;
	unsigned int shift = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	value = strtoull(s, &end, 10);
	if (errno)
		return false;
	switch (toupper((unsigned char)*end)) {
	case 'K': shift = 10; end++; break;
	case 'M': shift = 20; end++; break;
	case 'G': shift = 30; end++; break;
	case 'T': shift = 40; end++; break;
	default: break;
	}
	if (shift && (*end == 'i' || *end == 'I'))
		end++;
	if (*end == 'B' || *end == 'b')
		end++;
	if (*end || value > (UINT64_MAX >> shift))
		return false;
	*ret_len = value << shift;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_hex(const char *s, uint8_t *ret_bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(s[2 * i]), low = high < 0 ? -1 : hex_digit(s[2 * i + 1]);

		if (low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void str_shell_quote(struct buf *b, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";

	if (*s && strspn(s, plain) == strlen(s)) {
		buf_puts(b, s);
		return;
	}
	buf_puts(b, "'");
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(b, "'\\''");
		else
			buf_append(b, s, 1);
	}
	buf_puts(b, "'");
}
