/*
 * object.h - an ELF file as code: its executable bytes, where its functions begin,
 * and which names it takes from and gives to others.
 *
 * The file is untrusted: whatever does not fit into it is left out. Addresses are
 * those of the file's own program headers.
 */
#ifndef TOOL_SCAN_OBJECT_H
#define TOOL_SCAN_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan_range {
	uint64_t start, end;
	const uint8_t *bytes;
};

struct scan_symbol {
	uint64_t value;   /* a function's address; for an import the slot that its address is written to, or 0 */
	char *name;
};

struct scan_symbols {
	struct scan_symbol *items;
	size_t count, cap;
};

struct scan_object {
	char *path;
	const uint8_t *map;
	size_t len;
	struct scan_range *ranges;      /* executable segments */
	size_t range_count;
	uint64_t *starts;               /* of functions, sorted */
	size_t start_count, start_cap;
	struct scan_symbols functions;  /* all that have a name, sorted by address */
	struct scan_symbols exports;    /* what others may call, sorted by name */
	struct scan_symbols imports;    /* what it calls in others, sorted by name */
	bool is_libc;                   /* the C library or a part of it: what it does depends on which function is called */
};

/* 0, or a negative errno. */
int scan_object_open(const char *path, struct scan_object *ret_object);
void scan_object_close(struct scan_object *object);

/* len bytes of code at an address; NULL when they are not all there. */
const uint8_t *scan_object_code(const struct scan_object *object, uint64_t address, size_t len);

/* The start of the function that an address belongs to; the range's start when none is known. */
uint64_t scan_object_start(const struct scan_object *object, uint64_t address);

/* The name of the function that begins at or before an address, or NULL. */
const char *scan_object_name(const struct scan_object *object, uint64_t address);

/* The address that a name is exported with; false when it is not. */
bool scan_object_export(const struct scan_object *object, const char *name, uint64_t *ret_address);

#endif
