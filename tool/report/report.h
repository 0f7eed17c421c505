/*
 * report.h - what is in an image: the report of `pith inspect`, as JSON and for people.
 */
#ifndef TOOL_REPORT_REPORT_H
#define TOOL_REPORT_REPORT_H

#include <jansson.h>

#include "image/image.h"

/* Fills an object with all that is known of an open image. 0 or an exit status after a line. */
int report_make(const char *path, struct image *image, json_t *report);

/* One screen for people; files: the list of the root's files behind it. */
void report_print(const json_t *report, bool files);

#endif
