/*
 * manifest.h - pith.yaml: options in a file, beside the program they are for.
 *
 * What stands there is taken as if it had been written on the command line before
 * everything else: single values on the command line win, lists grow; a guest port
 * published on the command line is not published by the file too. Paths are relative
 * to the file.
 */
#ifndef TOOL_MANIFEST_H
#define TOOL_MANIFEST_H

#include <stdbool.h>

#include "opts.h"

#define MANIFEST_NAME "pith.yaml"

/*
 * Reads the manifest that the options name: --manifest FILE, or a directory with
 * a pith.yaml in the place of PROGRAM. Nothing happens when there is neither.
 * The program that it names takes its place in opts->args unless another one is
 * there; only_args says that "--" stood before opts->args, so that they are the
 * program's arguments if the manifest names a program. Its values are checked
 * (opts_check). 0, PITH_USAGE or PITH_FAILED after a line.
 */
int manifest_apply(struct opts *opts, bool only_args);

/* "FILE:LINE: key" of an option's value, for a message; index counts in lists. The caller frees it. */
char *manifest_where(const struct opts *opts, const char *option, size_t index);

#endif
