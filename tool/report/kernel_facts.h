/*
 * kernel_facts.h - how much kernel there is: functions, bytes of code, lines of source.
 *
 * The figures come from a table that is made with the kernel (scripts/kernel-lines) and lies beside it: a line for each
 * function, NAME BYTES LINES. An image gets them when it is built, and its signature covers them.
 */
#ifndef TOOL_REPORT_KERNEL_FACTS_H
#define TOOL_REPORT_KERNEL_FACTS_H

#include <jansson.h>

/*
 * {"functions", "code_bytes", "lines"} of the kernel that has these functions ([{"name", "bytes"}]), or of the whole one if
 * the list is NULL. What the table does not know counts as a function of no lines. NULL: there is no table.
 */
json_t *kernel_facts(const json_t *functions);

/* What is in the kernel that others wrote, as packages: lwIP, unless the functions show that it was left out. */
json_t *kernel_packages(const json_t *functions);

#endif
