/*
 * calls.h - which system calls a program may make, found without running it.
 *
 * Of the program and of its libraries all code counts. Of the C library only the
 * functions that they name count, with what those call directly: its whole code
 * would name nearly every call there is. What is reached by pointers inside the C
 * library, loaded at run time, or made at run time is not seen.
 */
#ifndef TOOL_SCAN_CALLS_H
#define TOOL_SCAN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scan/code.h"
#include "scan/object.h"
#include "util/str.h"

#define SCAN_CALLS_MAX 512u

/* The first place where a call was found. */
struct scan_use {
	bool used;
	const struct scan_object *object;
	uint64_t site;     /* 0: by a function of the C library */
	const char *via;   /* that function, or NULL */
};

enum scan_jit { SCAN_JIT_NO, SCAN_JIT_LIKELY, SCAN_JIT_CERTAIN };

struct scan_calls {
	struct scan_use uses[SCAN_CALLS_MAX];
	size_t unresolved;            /* calls whose number is not a constant */
	enum scan_jit jit;            /* memory that is executable and made by the program */
	const struct scan_object *jit_object;
	uint64_t jit_site;
	struct strv starters;         /* functions named that start processes or programs: "fork", "system", ... */
	bool loads;                   /* names dlopen */
};

/*
 * Surveys objects, the program first; libc holds those of the C library with the
 * loader, each with its entry point's code counted as used. 0 or an exit status
 * after a line.
 */
int scan_calls_collect(struct scan_object *objects, size_t count, struct scan_calls *ret_calls);
void scan_calls_free(struct scan_calls *calls);

#endif
