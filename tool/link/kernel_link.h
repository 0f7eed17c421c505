/*
 * kernel_link.h - a kernel of what one program needs (docs/decisions/linking.md).
 *
 * Beside the command lie the kernel's objects (kernel.a; ip6.a or what stands in for it) and its link script (kernel.ld). The script without the lines of
 * what is not wanted goes to ld, which leaves out what nothing refers to. Same selection, same bytes. Kernels are kept in
 * the cache directory as kernel-KEY.elf, with a list of their functions beside them, kernel-KEY.map.
 */
#ifndef TOOL_LINK_KERNEL_LINK_H
#define TOOL_LINK_KERNEL_LINK_H

#include <jansson.h>

#include "opts.h"

struct program;

/*
 * The kernel for a program with these options: linked, or the whole one if no manifest says what it needs or PITH_KERNEL
 * names one. *ret_map is the list of the functions of one that is
 * linked (map.h), else NULL. The caller frees both. 0 or an exit status after a line.
 */
int kernel_for(const struct opts *opts, const struct program *program, char **ret_path, json_t **ret_map);

/* The list of the whole kernel's functions; NULL where it is not known. */
json_t *kernel_whole_map(void);

#endif
