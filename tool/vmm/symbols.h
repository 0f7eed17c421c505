/*
 * symbols.h - names for the kernel's addresses in crash reports.
 *
 * The kernel prints addresses as [kernel+0x1234], relative to where it was
 * loaded. With the unstripped kernel at hand, or the list of functions that comes with a
 * kernel linked for one program, they become function+0x12.
 */
#ifndef TOOL_VMM_SYMBOLS_H
#define TOOL_VMM_SYMBOLS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "util/str.h"

struct symbol {
	uint64_t offset; /* from the kernel's base */
	uint64_t len;
	char *name;
};

struct symbols {
	struct symbol *items; /* sorted by offset */
	size_t count;
	const json_t *map;    /* the functions of the kernel that runs (link/map.h), or NULL: the unstripped whole kernel is read */
	int loaded;           /* 0 not tried, 1 done (maybe with none) */
};

/* Appends one line to the output with addresses replaced. Loads the symbols at the first need. */
void symbols_translate(struct symbols *symbols, const char *line, size_t len, struct buf *out);
void symbols_free(struct symbols *symbols);

#endif
