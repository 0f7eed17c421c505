/*
 * table.h - the kernel's table of system calls, as the command sees it.
 */
#ifndef TOOL_SCAN_TABLE_H
#define TOOL_SCAN_TABLE_H

enum scan_level { SCAN_UNKNOWN, SCAN_FULL, SCAN_PART, SCAN_REFUSE, SCAN_NONE };

/* A call's name, or NULL when the kernel does not know the number; its level; what is missing, or NULL. */
const char *scan_call_name(unsigned int number);
enum scan_level scan_call_level(unsigned int number);
const char *scan_call_note(unsigned int number);

#endif
