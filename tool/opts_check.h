/*
 * opts_check.h - the values of options, understood and checked.
 */
#ifndef TOOL_OPTS_CHECK_H
#define TOOL_OPTS_CHECK_H

#include "opts.h"

/* Fills the "as understood" part. 0, or PITH_USAGE after a line. */
int opts_check(struct opts *opts);

#endif
