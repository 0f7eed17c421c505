/*
 * err.c - the one place that prints error lines.
 *
 * (I1) A report is one line, whatever bytes the names in it hold.
 * (I2) The progress line is cleared before anything else is printed.
 */
#include "util/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool progress_shown;

static void err_line_print(const char *where, const char *format, va_list args)
{
	char line[2048];
	size_t len = 0;

	err_progress(NULL); /* keeps (I2) */
	len = (size_t)snprintf(line, sizeof line, where ? "pith: %.512s: " : "pith: ", where);
	if (len < sizeof line)
		vsnprintf(line + len, sizeof line - len, format, args);
	for (char *p = line; *p; p++) { /* keeps (I1) */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	fprintf(stderr, "%s\n", line);
}

int err_report(int status, const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err_line_print(where, format, args);
	va_end(args);
	return status;
}

void err_notice(const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	err_line_print(where, format, args);
	va_end(args);
}

void err_progress(const char *what)
{
	if (what) {
		if (isatty(STDERR_FILENO)) {
			fprintf(stderr, "\r\033[K%s ...", what);
			progress_shown = true;
		}
	} else if (progress_shown) {
		fprintf(stderr, "\r\033[K");
		progress_shown = false;
	}
}
