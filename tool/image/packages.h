/*
 * packages.h - which packages of the host's distribution the files of a root come from.
 */
#ifndef TOOL_IMAGE_PACKAGES_H
#define TOOL_IMAGE_PACKAGES_H

#include <jansson.h>

#include "image/plan.h"
#include "util/str.h"

/*
 * A list of { "name", "version", "architecture" }, sorted by name; empty on a
 * host without dpkg. Files that belong to no package are not in it: their paths in the root
 * are added to the list others.
 */
json_t *packages_list(const struct plan *plan, json_t *others);

/* The paths that an installed package has on this host. 0, or PITH_USAGE or PITH_FAILED after a line. */
int packages_files(const char *name, struct strv *files);

#endif
