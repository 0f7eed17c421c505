/*
 * abi.h - the harness of the ABI tests. Each test is an ordinary Linux program that prints what the
 * kernel answered; it runs on Linux first, and Linux's output is what Pith must print, line by line.
 *
 *   CHECK("name", expression)     prints "name: value" or "name: -1 ENAME" if the value is -1 (errno)
 *   NOTE("name", fmt, ...)        prints "name: ..." for anything else that both must agree on
 *
 * Lines must be the same on every run and every machine: no addresses, pids, times. A line is a check.
 */
#ifndef TESTS_ABI_H
#define TESTS_ABI_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(name, expr)                                                              \
	({                                                                             \
		errno = 0;                                                             \
		long check_v_ = (long)(expr);                                          \
		int check_e_ = errno;                                                  \
		if (check_v_ == -1 && check_e_)                                        \
			printf("%s: -1 %s\n", (name), strerrorname_np(check_e_));       \
		else                                                                   \
			printf("%s: %ld\n", (name), check_v_);                         \
		fflush(stdout);                                                        \
		errno = check_e_;                                                      \
		check_v_;                                                              \
	})
/* Only success or the error matters, not the value (a descriptor, an address). */
#define CHECK_OK(name, expr)                                                           \
	({                                                                             \
		errno = 0;                                                             \
		long check_v_ = (long)(expr);                                          \
		int check_e_ = errno;                                                  \
		if (check_v_ == -1)                                                    \
			printf("%s: -1 %s\n", (name), strerrorname_np(check_e_));       \
		else                                                                   \
			printf("%s: ok\n", (name));                                    \
		fflush(stdout);                                                        \
		errno = check_e_;                                                      \
		check_v_;                                                              \
	})
static inline void note_line(const char *name, const char *fmt, ...)
{
	va_list ap;
	printf("%s: ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}
#define NOTE(name, ...) note_line((name), __VA_ARGS__)

#endif
