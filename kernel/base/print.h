/*
 * print.h - formatted text into buffers. Flags: - 0 + space #, width, precision,
 * h hh l ll z t j, d i u x X o c s p %. %p prints hashed-out "(ptr)" unless in a
 * build for the host: no kernel address reaches any output.
 */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "base/types.h"

/* As C's snprintf: always terminated if size > 0; returns the length it would have had. */
int fmt_buf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int fmt_vbuf(char *buf, size_t size, const char *fmt, va_list ap);

#endif
