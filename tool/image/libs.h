/*
 * libs.h - which shared libraries a program needs and where they are.
 *
 * Does what the dynamic loader would do, on the files alone: nothing is run.
 */
#ifndef TOOL_IMAGE_LIBS_H
#define TOOL_IMAGE_LIBS_H

#include <stdbool.h>

#include "image/elf_file.h"
#include "image/plan.h"
#include "util/str.h"

struct libs_object {
	char *path;           /* on the host, as it was found */
	char *name;           /* the name it was asked by, NULL for programs */
	struct elf_file elf;
	size_t parent;        /* index of the object that asked first; itself for programs */
};

struct libs {
	struct libs_object *objects;
	size_t count, cap;
	struct strv search_env;   /* LD_LIBRARY_PATH of the program's environment */
	struct strv search_conf;  /* /etc/ld.so.conf and the default directories, or musl's list */
	struct strv missing;      /* what was passed over: "NAME, which PATH needs" */
	bool musl;
};

/*
 * Prepares for one program. `interp` tells whose rules hold (musl's loader or
 * glibc's); `library_path` is LD_LIBRARY_PATH in the machine, or NULL.
 */
void libs_init(struct libs *libs, const char *interp, const char *library_path);
void libs_free(struct libs *libs);

/*
 * Adds an ELF file and everything it needs, transitively. With `must` false, a
 * library that is missing is passed over (files added with --add that may never
 * be loaded); otherwise it is reported (exit status 126).
 */
int libs_add(struct libs *libs, const char *path, bool must);

/* Puts all libraries found, the loader's own files, and a cache for glibc's loader into the plan. */
int libs_to_plan(struct libs *libs, const char *interp, struct plan *plan);

#endif
