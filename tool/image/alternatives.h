/*
 * alternatives.h - names that several packages may have (Debian's update-alternatives(1)).
 */
#ifndef TOOL_IMAGE_ALTERNATIVES_H
#define TOOL_IMAGE_ALTERNATIVES_H

#include "util/str.h"

/* Appends to files the links that lead, as this host chose, to one of them: with /usr/bin/mawk comes /usr/bin/awk. */
void alternatives_add(struct strv *files);

#endif
