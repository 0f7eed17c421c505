/*
 * cmd_run.h - running a program or image, for commands that watch it.
 */
#ifndef TOOL_CMD_RUN_H
#define TOOL_CMD_RUN_H

#include "opts.h"

/* Who watches a program (pith learn). */
struct run_watch {
	void *context;
	int (*begin)(void *context, struct opts *opts);            /* the options are read; 0 or an exit status after a line */
	void (*entry)(void *context, const char *line);            /* a `learn` line */
	int (*end)(void *context, const struct opts *opts, int status); /* the machine ended so; the command's exit status */
};

/* The whole of pith run; watch may be NULL. */
int run_machine(const char *name, enum opts_command command, int argc, char **argv, const struct run_watch *watch);

#endif
