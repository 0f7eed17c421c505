/*
 * cmd.h - the commands of pith, as main.c's table names them.
 *
 * A command gets the arguments behind its name and returns an exit status.
 */
#ifndef TOOL_CMD_H
#define TOOL_CMD_H

#include <stddef.h>

struct command {
	const char *name;
	const char *usage;   /* what follows the name in help */
	const char *summary; /* one line */
	int (*run)(int argc, char **argv);
};

extern const struct command commands[];
extern const size_t command_count;

const struct command *command_find(const char *name);

int cmd_build(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_volume(int argc, char **argv);

#endif
