/*
 * child.h - starting other programs.
 */
#ifndef TOOL_UTIL_CHILD_H
#define TOOL_UTIL_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/str.h"

struct child_spec {
	char *const *argv;    /* argv[0] is looked up in PATH */
	int stdout_fd;        /* -1: /dev/null */
	int stderr_fd;        /* -1: /dev/null */
	const int *keep_fds;  /* descriptors that lose their close-on-exec mark, ended by -1; may be NULL */
	bool small_pages;     /* its memory in small pages: what it has not touched takes nothing */
	bool own_group;       /* its own process group: the terminal's ^C does not reach it */
	bool die_with_parent; /* SIGKILL when this process ends, however it ends */
};

/*
 * Starts a program with standard input from /dev/null and no signal blocked.
 * Returns the process id, or a negative errno (-ENOENT: not in PATH) without a
 * line. Nothing runs then.
 */
pid_t child_start(const struct child_spec *spec);

/*
 * Runs a program to its end and collects what it says (standard output and
 * standard error together, at most 16 MiB). Returns its exit status, 128+N
 * for signal N, or a negative errno when it could not be started.
 */
int child_run(char *const *argv, struct buf *ret_output);

#endif
