/*
 * licences.c - reading DEP-5 copyright files (licences.h).
 *
 * https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/: the first line of a License field is an expression of short
 * names joined by "and", "or", commas and vertical bars; "X with Y exception" is one name.
 */
#include "report/licences.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/file.h"

#define COPYRIGHT_MAX (8u << 20)
#define NAMES_MAX     200

/* Debian's names and SPDX's (list 3.24). A name that is SPDX's already stands in the second list. */
static const char *const renamed[][2] = {
	{ "Expat", "MIT" }, { "BSD-2-clause", "BSD-2-Clause" }, { "BSD-3-clause", "BSD-3-Clause" }, { "BSD-4-clause", "BSD-4-Clause" },
	{ "BSD-2", "BSD-2-Clause" }, { "BSD-3", "BSD-3-Clause" }, { "BSD-4-clause-UC", "BSD-4-Clause-UC" }, { "Apache-2", "Apache-2.0" },
	{ "GPL-1", "GPL-1.0-only" }, { "GPL-1+", "GPL-1.0-or-later" }, { "GPL-2", "GPL-2.0-only" }, { "GPL-2+", "GPL-2.0-or-later" },
	{ "GPL-2.0", "GPL-2.0-only" }, { "GPL-2.0+", "GPL-2.0-or-later" }, { "GPLv2", "GPL-2.0-only" }, { "GPLv2+", "GPL-2.0-or-later" },
	{ "GPL-3", "GPL-3.0-only" }, { "GPL-3+", "GPL-3.0-or-later" }, { "GPL-3.0", "GPL-3.0-only" }, { "GPL-3.0+", "GPL-3.0-or-later" },
	{ "GPLv3", "GPL-3.0-only" }, { "GPLv3+", "GPL-3.0-or-later" }, { "LGPL-2", "LGPL-2.0-only" }, { "LGPL-2+", "LGPL-2.0-or-later" },
	{ "LGPL-2.0", "LGPL-2.0-only" }, { "LGPL-2.0+", "LGPL-2.0-or-later" }, { "LGPL-2.1", "LGPL-2.1-only" }, { "LGPL-2.1+", "LGPL-2.1-or-later" },
	{ "LGPL-3", "LGPL-3.0-only" }, { "LGPL-3+", "LGPL-3.0-or-later" }, { "LGPL-3.0", "LGPL-3.0-only" }, { "LGPL-3.0+", "LGPL-3.0-or-later" },
	{ "AGPL-3", "AGPL-3.0-only" }, { "AGPL-3+", "AGPL-3.0-or-later" }, { "GFDL-1.3", "GFDL-1.3-only" }, { "GFDL-1.3+", "GFDL-1.3-or-later" },
	{ "Artistic", "Artistic-1.0-Perl" }, { "zlib", "Zlib" }, { "CC0", "CC0-1.0" }, { "MPL-2", "MPL-2.0" }, { "OpenLDAP-2.8", "OLDAP-2.8" },
	{ "PSF-2", "PSF-2.0" },
};
static const char *const same[] = {
	"MIT", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC", "Apache-2.0", "ISC", "Zlib", "X11", "curl", "CC0-1.0", "BSL-1.0",
	"0BSD", "MPL-1.1", "MPL-2.0", "OpenSSL", "FTL", "Unlicense", "Artistic-2.0", "PSF-2.0", "Unicode-DFS-2016", "NTP", "HPND", "FSFAP", "FSFUL",
	"FSFULLR", "Beerware", "TCL", "Ruby", "PostgreSQL", "OFL-1.1", "Libpng", "IJG", "Info-ZIP", "bzip2-1.0.6", "MS-PL", "Sleepycat", "BSD-1-Clause",
	"GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-or-later",
};

const char *licence_spdx(const char *name)
{
	for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
		if (!strcasecmp(renamed[i][0], name))
			return renamed[i][1];
	}
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		if (!strcasecmp(same[i], name))
			return same[i];
	}
	return NULL;
}

static void name_add(struct strv *names, const char *from, size_t len)
{
	char *name;

	while (len && strchr(" \t(),", from[0])) {
		from++;
		len--;
	}
	while (len && strchr(" \t(),.;", from[len - 1]))
		len--;
	if (!len || names->count >= NAMES_MAX)
		return;
	name = xstrndup(from, len);
	if (strv_has(names, name))
		free(name);
	else
		strv_take(names, name);
}

/* "GPL-2+ or MIT, and BSD" */
static void expression_add(struct strv *names, const char *text)
{
	static const char *const joints[] = { " or ", " and ", " OR ", " AND ", " | ", "," };

	while (*text) {
		size_t len = strlen(text), skip = 0;

		for (size_t i = 0; i < sizeof joints / sizeof *joints; i++) {
			const char *joint = strstr(text, joints[i]);

			if (joint && (size_t)(joint - text) < len) {
				len = (size_t)(joint - text);
				skip = strlen(joints[i]);
			}
		}
		name_add(names, text, len);
		text += len + skip;
	}
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void licences_read(const char *path, struct strv *names)
{
	struct buf text = { 0 };
	char *line, *rest;

	if (file_read(path, COPYRIGHT_MAX, &text) || !text.data || !strstr(text.data, "copyright-format/1.0")) {
		buf_free(&text);
		return;
	}
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!strncasecmp(line, "License:", 8))
			expression_add(names, line + 8);
	}
	if (names->count)
		qsort(names->items, names->count, sizeof *names->items, compare_text);
	buf_free(&text);
}
