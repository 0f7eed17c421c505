/*
 * cmd_help.c - pith help: the commands, or the options of one.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "opts.h"
#include "util/err.h"

static void commands_print(void)
{
	printf("pith - your program, and nothing else: a Linux program as a virtual machine\n\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  pith %-8s %-36s %s\n", commands[i].name, commands[i].usage, commands[i].summary);
	printf("  pith --version\n\nTry: pith run /bin/echo hello\n");
}

int cmd_help(int argc, char **argv)
{
	static const struct { const char *name; enum opts_command command; } with_options[] = {
		{ "run", OPTS_RUN }, { "build", OPTS_BUILD }, { "learn", OPTS_LEARN }, { "inspect", OPTS_INSPECT }, { "verify", OPTS_VERIFY }, { "doctor", OPTS_DOCTOR },
		{ "ps", OPTS_PS }, { "logs", OPTS_LOGS }, { "events", OPTS_LOGS }, { "stats", OPTS_STATS }, { "stop", OPTS_STOP }, { "rm", OPTS_RM },
	};
	const struct command *command;

	if (argc == 0) {
		commands_print();
		return PITH_OK;
	}
	command = command_find(argv[0]);
	if (!command)
		return err_report(PITH_USAGE, argv[0], "no such command; pith help lists them");
	printf("usage: pith %s %s\n\n%s\n", command->name, command->usage, command->summary);
	for (size_t i = 0; i < sizeof with_options / sizeof *with_options; i++) {
		if (!strcmp(with_options[i].name, command->name)) {
			printf("\n");
			opts_print(with_options[i].command);
		}
	}
	return PITH_OK;
}
