/*
 * cleanup.h - what must not stay behind when the command ends early.
 *
 * There are no signal handlers in the command: SIGINT, SIGTERM, SIGHUP and the
 * signals that `run` forwards are blocked from the start. Work that takes long
 * calls cleanup_check() between its steps; `run` reads the signals from a
 * signalfd. Children start with an empty mask (child_start, util/child.h).
 */
#ifndef TOOL_UTIL_CLEANUP_H
#define TOOL_UTIL_CLEANUP_H

#include <signal.h>

/* Blocks the signals and arranges that exit() removes what is registered. */
void cleanup_init(void);

/* Remembers a file or tree to be removed, until cleanup_forget(). The string is copied. */
void cleanup_add(const char *path);
void cleanup_forget(const char *path);

/* If SIGINT, SIGTERM or SIGHUP came: removes what is registered and dies of that signal. */
void cleanup_check(void);

/* The signals that are blocked. */
void cleanup_signals(sigset_t *ret_set);

#endif
