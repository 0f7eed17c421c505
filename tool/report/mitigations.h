/*
 * mitigations.h - what stands between an attacker and the machine, and how it is known that it does.
 */
#ifndef TOOL_REPORT_MITIGATIONS_H
#define TOOL_REPORT_MITIGATIONS_H

#include <jansson.h>

/*
 * Adds to the report's list "mitigations" what the image itself shows (its root, its program), and makes "mitigations_known":
 * an object of name and how it is known. The list has what the kernel's note says already; "root" and "verified" are there.
 */
void mitigations_add(json_t *report);

#endif
