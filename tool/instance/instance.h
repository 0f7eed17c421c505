/*
 * instance.h - machines in the background: one directory each.
 *
 *   STATE/NAME/lock        held (flock) by the process that keeps the machine, as long as it lives
 *   STATE/NAME/info.json   what it is: name, program, args, ports, pid, vmm_pid, started_ns; at the end status, ended_ns
 *   STATE/NAME/out.log     the program's standard output, err.log its standard error and pith's own lines,
 *                          events.log events, a line of JSON each; *.1 the older part of each
 *
 * STATE is $XDG_RUNTIME_DIR/pith, /run/user/UID/pith, or /tmp/pith-UID. The lock and
 * not a process id says whether an instance runs: it is free when its keeper is gone,
 * however it went, and numbers may belong to others by then.
 */
#ifndef TOOL_INSTANCE_H
#define TOOL_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "util/str.h"

enum instance_state {
	INSTANCE_RUNNING,
	INSTANCE_ENDED,
	INSTANCE_LOST, /* its keeper was killed: nobody knows how the program would have ended */
};

struct instance {
	char *name, *directory;
	json_t *info;
	int lock_fd; /* -1, or held by us */
};

/* A name that may be given: letters, digits, '-', '_', '.', not at the front, at most 63 of them. */
bool instance_name_valid(const char *name);

/*
 * Makes a new one and takes its lock; without a name one is made from the program's.
 * 0, or PITH_FAILED after a line (the name is taken).
 */
int instance_create(const char *name, const char *program, struct instance *ret_instance);

/* Opens one that exists. 0, or PITH_FAILED after a line. */
int instance_open(const char *name, struct instance *ret_instance);
void instance_close(struct instance *instance);

/* All names, sorted. */
int instance_list(struct strv *ret_names);

enum instance_state instance_state(const struct instance *instance);

/* Writes info.json. 0, or PITH_FAILED after a line. */
int instance_save(const struct instance *instance);

/* Removes its directory; nobody may hold its lock but us. */
void instance_remove(struct instance *instance);

/* The path of one of its files. The caller frees it. */
char *instance_path(const struct instance *instance, const char *file);

/* A number or text of its info; 0 or "" when it is not there. */
int64_t instance_number(const struct instance *instance, const char *key);
const char *instance_text(const struct instance *instance, const char *key);

/*
 * The keeper's process as a descriptor, safe against a number that was given to
 * another process; -1 when it does not run.
 */
int instance_keeper(const struct instance *instance);

#endif
