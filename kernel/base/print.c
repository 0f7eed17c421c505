/*
 * print.c - formatted text. A cursor (struct out) counts what would have been written and
 * stores what fits. Pure; an unknown conversion prints itself.
 */
#include "base/print.h"
#include "base/string.h"

struct out {
	char *buf;
	size_t size, len;
};

struct spec {
	bool left, zero, plus, space, alt, upper;
	int width, precision;        /* -1: not given */
	int length;                  /* bytes of the argument: 1, 2, 4, 8 */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_padded(struct out *o, const char *s, size_t n, const struct spec *sp)
{
	size_t pad = sp->width > 0 && (size_t)sp->width > n ? (size_t)sp->width - n : 0;

	for (size_t i = 0; !sp->left && i < pad; i++)
		put(o, ' ');
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	for (size_t i = 0; sp->left && i < pad; i++)
		put(o, ' ');
}

static void put_number(struct out *o, u64 v, bool negative, unsigned base, const struct spec *sp)
{
	char digits[24], text[96];
	int n = 0, t = 0;
	bool zero = v == 0;

	while (v || (!n && sp->precision != 0)) {
		unsigned d = (unsigned)(v % base);
		digits[n++] = (char)(d < 10 ? '0' + d : (sp->upper ? 'A' : 'a') + d - 10);
		v /= base;
	}
	if (negative)
		text[t++] = '-';
	else if (sp->plus)
		text[t++] = '+';
	else if (sp->space)
		text[t++] = ' ';
	if (sp->alt && base == 16 && !zero) {
		text[t++] = '0';
		text[t++] = sp->upper ? 'X' : 'x';
	}
	int want = sp->precision;
	if (want < 0 && sp->zero && !sp->left)
		want = sp->width - t;
	for (int i = n; i < want && t < 64; i++)
		text[t++] = '0';
	while (n)
		text[t++] = digits[--n];
	put_padded(o, text, (size_t)t, sp);
}

static const char *parse_spec(const char *f, struct spec *sp, va_list *ap)
{
	*sp = (struct spec){ .width = 0, .precision = -1, .length = 4 };
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '+')
			sp->plus = true;
		else if (*f == ' ')
			sp->space = true;
		else if (*f == '#')
			sp->alt = true;
		else
			break;
	}
	if (*f == '*') {
		sp->width = va_arg(*ap, int);
		if (sp->width < 0) {
			sp->left = true;
			sp->width = -sp->width;
		}
		f++;
	}
	for (; *f >= '0' && *f <= '9' && sp->width < 1000; f++)
		sp->width = sp->width * 10 + (*f - '0');
	if (*f == '.') {
		sp->precision = 0;
		if (*++f == '*') {
			sp->precision = va_arg(*ap, int);
			f++;
		}
		for (; *f >= '0' && *f <= '9' && sp->precision < 100000; f++)
			sp->precision = sp->precision * 10 + (*f - '0');
	}
	for (;; f++) {
		if (*f == 'h')
			sp->length = sp->length == 2 ? 1 : 2;
		else if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j')
			sp->length = 8;
		else
			return f;
	}
}

static void put_integer(struct out *o, char conv, const struct spec *sp, va_list *ap)
{
	u64 raw = sp->length == 8 ? va_arg(*ap, u64) : va_arg(*ap, unsigned);
	unsigned base = conv == 'o' ? 8 : (conv | 0x20) == 'x' ? 16 : 10;

	if (conv == 'd' || conv == 'i') {
		s64 v = sp->length == 8 ? (s64)raw : sp->length == 4 ? (s32)raw :
			sp->length == 2 ? (s16)raw : (s8)raw;
		put_number(o, v < 0 ? 0 - (u64)v : (u64)v, v < 0, base, sp);
	} else {
		u64 v = sp->length == 8 ? raw : sp->length == 4 ? (u32)raw :
			sp->length == 2 ? (u16)raw : (u8)raw;
		put_number(o, v, false, base, sp);
	}
}

int fmt_vbuf(char *buf, size_t size, const char *f, va_list args)
{
	struct out o = { buf, size, 0 };
	va_list ap;

	va_copy(ap, args);
	for (; *f; f++) {
		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		struct spec sp;
		f = parse_spec(f + 1, &sp, &ap);
		sp.upper = *f == 'X';
		switch (*f) {
		case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
			put_integer(&o, *f, &sp, &ap);
			break;
		case 'c': {
			char c = (char)va_arg(ap, int);
			put_padded(&o, &c, 1, &sp);
			break;
		}
		case 's': {
			const char *s = va_arg(ap, const char *);
			if (!s)
				s = "(null)";
			put_padded(&o, s, strnlen(s, sp.precision < 0 ? ~0ul >> 1 : (size_t)sp.precision), &sp);
			break;
		}
		case 'p': {
			uintptr_t p = (uintptr_t)va_arg(ap, void *);
#ifdef PITH_HOST
			sp.alt = true;
			put_number(&o, p, false, 16, &sp);
#else
			put_padded(&o, p ? "(ptr)" : "(null)", p ? 5 : 6, &sp);
#endif
			break;
		}
		case '%':
			put(&o, '%');
			break;
		case 0:
			f--;
			break;
		default:
			put(&o, '%');
			put(&o, *f);
		}
	}
	va_end(ap);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return (int)o.len;
}

int fmt_buf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = fmt_vbuf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
