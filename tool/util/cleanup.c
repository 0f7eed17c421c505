/*
 * cleanup.c - what must not stay behind when the command ends early.
 */
#include "util/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/file.h"
#include "util/str.h"

static struct strv registered;
static pid_t owner; /* a forked child must not remove what its parent made */

static void cleanup_run(void)
{
	if (getpid() != owner)
		return;
	for (size_t i = 0; i < registered.count; i++)
		file_remove_tree(registered.items[i]);
	strv_free(&registered);
}

void cleanup_signals(sigset_t *ret_set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

	sigemptyset(ret_set);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaddset(ret_set, signals[i]);
}

void cleanup_init(void)
{
	sigset_t set;

	owner = getpid();
	atexit(cleanup_run);
	cleanup_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void cleanup_add(const char *path)
{
	strv_add(&registered, path);
}

void cleanup_forget(const char *path)
{
	for (size_t i = 0; i < registered.count; i++) {
		if (strcmp(registered.items[i], path) != 0)
			continue;
		free(registered.items[i]);
		registered.items[i] = registered.items[--registered.count];
		registered.items[registered.count] = NULL;
		return;
	}
}

void cleanup_check(void)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	number = sigtimedwait(&set, NULL, &(struct timespec){ 0 });
	if (number <= 0)
		return;
	cleanup_run();
	signal(number, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
	_exit(128 + number);
}
