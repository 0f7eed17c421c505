/*
 * profile.h - pith run --profile: where a machine spends its time, by looking at it a hundred times a second.
 *
 * A process of its own is the VMM's debugger: it stops the machine, takes each processor's stack down, and lets it go on. At the
 * machine's end it writes the file: a line for each stack, functions from the outermost to the innermost with ';' between them, a
 * blank and how often it was seen (the "folded" form that flame graphs are made from).
 */
#ifndef TOOL_PROFILE_PROFILE_H
#define TOOL_PROFILE_PROFILE_H

#include <stdint.h>
#include <sys/types.h>

struct profile {
	const char *path;                 /* the file */
	const char *program;              /* the outermost frame */
	const char *root, *kernel;        /* files of the machine */
	const char *symbols;              /* the kernel with symbols, or NULL */
	uint64_t root_offset;
	unsigned int cpu_count;
};

/* Starts it. *ret_fd is the VMM's end of the debugger's connection. 0 or an exit status after a line. */
int profile_start(const struct profile *profile, pid_t *ret_pid, int *ret_fd);

/* Waits for it after the machine's end. 0, or an exit status after a line (the file's). */
int profile_end(pid_t pid);

#endif
