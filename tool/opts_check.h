/*
 * opts_check.h - the values of options, understood and checked.
 */
#ifndef TOOL_OPTS_CHECK_H
#define TOOL_OPTS_CHECK_H

#include <stdbool.h>

#include "opts.h"

/* Fills the "as understood" part. 0, or PITH_USAGE after a line. */
int opts_check(struct opts *opts);

/* [ADDR:]HOST:GUEST[/tcp|/udp]; false when it is something else. */
bool opts_publish_parse(const char *text, struct opts_publish *ret_publish);

#endif
