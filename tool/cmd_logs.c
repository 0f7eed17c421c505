/*
 * cmd_logs.c - pith logs and pith events: what a machine in the background has said.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "instance/instance.h"
#include "opts.h"
#include "util/cleanup.h"
#include "util/err.h"

#define LOOK_MS 100 /* how often a followed log is looked at */

/* One log being printed. */
struct log {
	char *path, *older;
	int fd, to;
};

/* Copies what is there; 0, or PITH_FAILED when nobody takes it. */
static int log_copy(struct log *log)
{
	char block[65536];
	ssize_t n;

	while (log->fd >= 0 && (n = read(log->fd, block, sizeof block)) > 0) {
		for (ssize_t at = 0; at < n; ) {
			ssize_t written = write(log->to, block + at, (size_t)(n - at));

			if (written < 0 && errno != EINTR)
				return errno == EPIPE ? PITH_FAILED : err_report(PITH_FAILED, "logs", "cannot write: %s", strerror(errno));
			at += written > 0 ? written : 0;
		}
	}
	return 0;
}

/* When the log was turned (its name leads to another file), goes on with the new one. */
static int log_follow(struct log *log)
{
	struct stat ours, named;
	int status = log_copy(log);

	if (status || stat(log->path, &named) < 0)
		return status;
	if (log->fd >= 0 && fstat(log->fd, &ours) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
		return 0;
	if (log->fd >= 0)
		close(log->fd);
	log->fd = open(log->path, O_RDONLY | O_CLOEXEC);
	return log_copy(log);
}

static int log_begin(struct log *log, const struct instance *instance, const char *name, int to)
{
	int status;

	*log = (struct log){ .path = instance_path(instance, name), .to = to };
	log->older = xasprintf("%s.1", log->path);
	log->fd = open(log->older, O_RDONLY | O_CLOEXEC);
	status = log_copy(log);
	if (log->fd >= 0)
		close(log->fd);
	log->fd = open(log->path, O_RDONLY | O_CLOEXEC);
	return status ? status : log_copy(log);
}

static void log_end(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	free(log->path);
	free(log->older);
}

static int logs_print(const struct instance *instance, struct log *logs, const char *const *names, int count, bool follow)
{
	int status = 0;
	bool running = true;

	for (int i = 0; i < count && !status; i++)
		status = log_begin(&logs[i], instance, names[i], i ? STDERR_FILENO : STDOUT_FILENO);
	while (!status && follow && running) {
		/* Asked before the last look, so that what comes at the very end is seen. */
		running = instance_state(instance) == INSTANCE_RUNNING;
		for (int i = 0; i < count && !status; i++)
			status = log_follow(&logs[i]);
		cleanup_check();
		if (running)
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000 }, NULL);
	}
	for (int i = 0; i < count; i++)
		log_end(&logs[i]);
	return status;
}

static int command(int argc, char **argv, const char *name, const char *const *files, int count)
{
	struct instance instance = { .lock_fd = -1 };
	struct log logs[2] = { { .fd = -1 }, { .fd = -1 } };
	struct opts opts = { 0 };
	int status = opts_parse(&opts, OPTS_LOGS, argc, argv);

	if (status || opts.help)
		status = status ? status : cmd_help(1, (char *[]){ (char *)name });
	else if (opts.arg_count != 1)
		status = err_report(PITH_USAGE, name, "one instance is to be named; pith %s NAME, and pith ps lists them", name);
	else
		status = instance_open(opts.args[0], &instance);
	if (!status && !opts.help)
		status = logs_print(&instance, logs, files, count, opts.follow);
	instance_close(&instance);
	opts_free(&opts);
	return status;
}

int cmd_logs(int argc, char **argv)
{
	return command(argc, argv, "logs", (const char *const[]){ "out.log", "err.log" }, 2);
}

int cmd_events(int argc, char **argv)
{
	return command(argc, argv, "events", (const char *const[]){ "events.log" }, 1);
}
