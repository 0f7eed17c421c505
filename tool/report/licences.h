/*
 * licences.h - the licences of an installed package, from its copyright file, and their SPDX names.
 *
 * Debian's machine-readable form (DEP-5): the text after "License:". Files that are not in that form give none.
 */
#ifndef TOOL_REPORT_LICENCES_H
#define TOOL_REPORT_LICENCES_H

#include "util/str.h"

/* Adds the short names in a copyright file, each once, in the order of the alphabet. */
void licences_read(const char *path, struct strv *names);

/* The identifier in SPDX's list for a short name of Debian's, or NULL where it has none of its own. */
const char *licence_spdx(const char *name);

#endif
