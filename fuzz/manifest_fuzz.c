/*
 * manifest_fuzz.c - a manifest that anybody wrote: libyaml, libcyaml's schema, the command's own checks of its values.
 *
 * The input is the file. What is wrong with it must be said in one line, with the status of wrong usage; a manifest that is taken must
 * leave options that can be freed. The command's own err.c is replaced: lines are made, counted and not printed.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tool/manifest.h"
#include "tool/opts.h"
#include "tool/util/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned lines;

static void line_make(const char *where, const char *format, va_list args)
{
	char line[4096];

	if (vsnprintf(line, sizeof(line), format, args) <= 0 || (where && !*where))
		abort();
	lines++;
}

int err_report(int status, const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_make(where, format, args);
	va_end(args);
	return status;
}

void err_notice(const char *where, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_make(where, format, args);
	va_end(args);
	lines--;
}

void err_progress(const char *what) { (void)what; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[64];
	struct opts o = { 0 };

	if (fd < 0)
		fd = memfd_create("pith.yaml", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	o.manifest = strdup(path);
	lines = 0;
	int status = manifest_apply(&o, false);
	if (status != PITH_OK && status != PITH_USAGE && status != PITH_FAILED)
		abort();
	if (lines != (status != PITH_OK))
		abort();
	opts_free(&o);
	return 0;
}
