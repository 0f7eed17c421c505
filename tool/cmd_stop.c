/*
 * cmd_stop.c - pith stop and pith rm: ending machines in the background, and forgetting them.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd.h"
#include "instance/instance.h"
#include "opts.h"
#include "util/err.h"

#define SLACK_S  10 /* beyond its own time-out the keeper needs at most this to end the VMM and write its last words */
#define TWICE_MS 600 /* a second SIGTERM sooner than this is taken for the first (vmm/session.c) */

static int keeper_signal(int fd, int number)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
}

/* True when the process is gone. */
static bool keeper_gone(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Asks, waits, insists, and at last kills: the VMM dies with its keeper. */
static int keeper_stop(const struct instance *instance, int fd, const struct opts *opts)
{
	int64_t own_s = instance_number(instance, "stop_timeout_s");
	int64_t wait_s = opts->stop_timeout ? (int64_t)opts->stop_timeout_s : own_s + SLACK_S;
	bool gone;

	if (keeper_signal(fd, SIGTERM) < 0 && errno != ESRCH)
		return err_report(PITH_FAILED, instance->name, "cannot be stopped: %s", strerror(errno));
	gone = keeper_gone(fd, wait_s * 1000 < TWICE_MS ? TWICE_MS : (int)(wait_s * 1000));
	if (!gone && keeper_signal(fd, SIGTERM) == 0)
		gone = keeper_gone(fd, SLACK_S * 1000);
	if (!gone && keeper_signal(fd, SIGKILL) == 0)
		gone = keeper_gone(fd, SLACK_S * 1000);
	return gone ? 0 : err_report(PITH_FAILED, instance->name, "does not end; look for its process %lld", (long long)instance_number(instance, "pid"));
}

static int instance_stop(const char *name, const struct opts *opts)
{
	struct instance instance;
	int fd, status = instance_open(name, &instance);

	if (!status) {
		fd = instance_keeper(&instance);
		if (fd >= 0) {
			status = keeper_stop(&instance, fd, opts);
			close(fd);
		} else if (instance_state(&instance) == INSTANCE_RUNNING) {
			status = err_report(PITH_FAILED, name, "is only starting; try again");
		}
	}
	instance_close(&instance);
	return status;
}

static int instance_forget(const char *name, const struct opts *opts)
{
	struct instance instance;
	int fd, status = instance_open(name, &instance);

	if (!status && instance_state(&instance) == INSTANCE_RUNNING) {
		fd = opts->force ? instance_keeper(&instance) : -1;
		if (!opts->force)
			status = err_report(PITH_FAILED, name, "it runs; pith stop %s first, or give --force", name);
		else if (fd < 0 || keeper_signal(fd, SIGKILL) < 0 || !keeper_gone(fd, SLACK_S * 1000))
			status = err_report(PITH_FAILED, name, "cannot be ended; try again");
		if (fd >= 0)
			close(fd);
	}
	if (!status)
		instance_remove(&instance);
	instance_close(&instance);
	return status;
}

/* A command for each of the names; the first failure's status, and the others are still done. */
static int each_name(int argc, char **argv, const char *command, enum opts_command kind, int (*act)(const char *name, const struct opts *opts))
{
	struct opts opts = { 0 };
	int first = 0, status = opts_parse(&opts, kind, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ (char *)command });
	else if (!opts.arg_count)
		status = err_report(PITH_USAGE, command, "no instance is named; pith %s NAME, and pith ps lists them", command);
	for (int i = 0; i < opts.arg_count && !opts.help; i++) {
		status = act(opts.args[i], &opts);
		first = first ? first : status;
	}
	opts_free(&opts);
	return first ? first : status;
}

int cmd_stop(int argc, char **argv)
{
	return each_name(argc, argv, "stop", OPTS_STOP, instance_stop);
}

int cmd_rm(int argc, char **argv)
{
	return each_name(argc, argv, "rm", OPTS_RM, instance_forget);
}
