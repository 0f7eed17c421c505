/*
 * learn_text.h - what was learned, as a manifest that a person can read and edit.
 */
#ifndef TOOL_LEARN_TEXT_H
#define TOOL_LEARN_TEXT_H

#include <stdbool.h>

#include "opts.h"
#include "rules.h"

#define LEARN_ENTRIES_MAX 20000u /* of a list: the guest is not trusted to stop */

struct learned {
	struct rules rules;
	struct strv possible;   /* calls that the code names and that were not seen */
	struct buf earlier;     /* the text of the file that is added to; empty: there is none */
	bool full;              /* the kernel's table was: some is missing */
};

/* Shortens and sorts the lists, and writes the manifest. */
void learn_text(struct learned *learned, const struct opts *opts, struct buf *ret_text);

/*
 * Paths as patterns: written ones become their directories, many read ones of one directory that directory; numbers
 * of processes and threads become *. For tests.
 */
void learn_paths(struct strv *read, struct strv *write);

#endif
