/*
 * main.c - pith: one Linux program as a virtual machine.
 *
 * The commands are a table; each is one file, cmd_NAME.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "util/cleanup.h"
#include "util/err.h"

const struct command commands[] = {
	{ "run", "[options] PROGRAM|IMAGE [ARG...]", "start it as a VM", cmd_run },
	{ "build", "[options] -o IMAGE PROGRAM [ARG...]", "make a bootable image", cmd_build },
	{ "learn", "[options] -o pith.yaml PROGRAM [ARG...]", "run it and write down what it does", cmd_learn },
	{ "inspect", "[--json] [--sbom KIND] IMAGE", "what is inside an image: the attack surface, packages", cmd_inspect },
	{ "verify", "[--key PUB] IMAGE", "check the root against its hash, the image against its signature", cmd_verify },
	{ "volume", "create|check|ls|cp ...", "ext4 volumes: make, check, list, copy", cmd_volume },
	{ "doctor", "[--program PROGRAM] [--json]", "what this host can do, and what to install", cmd_doctor },
	{ "ps", "[-a] [--json]", "machines in the background", cmd_ps },
	{ "logs", "[-f] NAME", "what one has printed", cmd_logs },
	{ "events", "[-f] NAME", "what was refused in one, as lines of JSON", cmd_events },
	{ "stats", "[--json] [NAME...]", "what they take of the host", cmd_stats },
	{ "stop", "[--stop-timeout SECONDS] NAME...", "end them", cmd_stop },
	{ "rm", "[-f] NAME...", "forget those that ended", cmd_rm },
	{ "help", "[COMMAND]", "this text, or a command's options", cmd_help },
};
const size_t command_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* A standard stream that the caller closed must not become some other file of ours. */
static void standard_streams_open(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *command;
	int status;

	standard_streams_open();
	signal(SIGPIPE, SIG_IGN);
	cleanup_init();
	if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		cmd_help(0, NULL);
		return argc < 2 ? PITH_USAGE : PITH_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("pith %s\n", PITH_VERSION);
		return PITH_OK;
	}
	command = command_find(argv[1]);
	if (!command)
		return err_report(PITH_USAGE, argv[1], "no such command; pith help lists them");
	status = command->run(argc - 2, argv + 2);
	if (fflush(stdout) != 0 && status == PITH_OK)
		status = err_report(PITH_FAILED, "standard output", "cannot write it; look for a full disk or a closed pipe");
	return status;
}
