/*
 * add.h - files that the user names for the root: trees, patterns, packages.
 *
 * The libraries that added ELF files need are added too, as far as they are
 * found. 0 or an exit status after a line.
 */
#ifndef TOOL_IMAGE_ADD_H
#define TOOL_IMAGE_ADD_H

#include "image/libs.h"
#include "image/plan.h"

/* One --add SRC[:DST]; SRC may be a pattern (glob(7)), and then DST, if given, is a directory: it ends in '/'. */
int add_path(struct plan *plan, const char *word, struct libs *libs);

/*
 * The files of an installed Debian package at their own paths, but for what only
 * people read (documentation, translations). Packages that it depends on are not
 * added.
 */
int add_package(struct plan *plan, const char *name, struct libs *libs);

#endif
