/*
 * sites.h - places in an object's code: system call instructions with their numbers, and calls of functions.
 */
#ifndef TOOL_SCAN_SITES_H
#define TOOL_SCAN_SITES_H

#include "scan/code.h"
#include "scan/object.h"

struct scan_sites {
	void (*found)(void *context, uint64_t site, unsigned int number);
	void *context;
	size_t unresolved; /* counts sites whose number is no constant */
};

/*
 * Finds each `syscall` instruction and its number. Where the number is an argument
 * of the function around it (a wrapper), the function's callers are asked, and theirs.
 */
void scan_sites_each(struct code *code, const struct scan_object *object, struct scan_sites *sites);

/* Calls visit for each direct call of an imported function, by the linkage table or by its slot. */
void scan_import_each(const struct scan_object *object, const char *name, void (*visit)(void *context, uint64_t site), void *context);

/* The same for calls of the wrapper `syscall` that the object imports: its first argument is the number. */
void scan_wrapper_import_each(struct code *code, const struct scan_object *object, struct scan_sites *sites);

#endif
