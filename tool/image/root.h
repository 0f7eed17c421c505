/*
 * root.h - the root filesystem of one program: what goes in, and the EROFS file.
 */
#ifndef TOOL_IMAGE_ROOT_H
#define TOOL_IMAGE_ROOT_H

#include "image/bootconf.h"
#include "image/plan.h"
#include "image/program.h"
#include "opts.h"
#include "util/hash.h"

/*
 * Plans the root of a program with its libraries, the files of --add and the
 * files that a C library looks for, and fills the program's part of the boot
 * configuration (exec, args, env, cwd, hostname). *ret_load_len is the memory
 * that the program and its libraries map. 0 or an exit status after a line.
 */
int root_plan(const struct opts *opts, const struct program *program, struct plan *plan, struct bootconf *conf,
	      uint64_t *ret_load_len);

/* Applies --env, --env-file and --workdir to a configuration. */
int root_environment(const struct opts *opts, struct bootconf *conf);

/* The EROFS file for a plan from the cache, made if it is not there. The caller frees the path. */
int root_cached(const struct plan *plan, char **ret_path);

#endif
