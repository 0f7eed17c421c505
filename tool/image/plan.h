/*
 * plan.h - the root as it shall become: a tree of names, made in memory first.
 *
 * A plan holds directories, links, files on the host and files made by the tool.
 * Nothing is copied until plan_write(). Paths inside the plan are resolved inside
 * the plan: its symbolic links are followed, and none leads out of it.
 */
#ifndef TOOL_IMAGE_PLAN_H
#define TOOL_IMAGE_PLAN_H

#include <stdint.h>
#include <sys/types.h>

#include "util/hash.h"
#include "util/str.h"

enum plan_kind { PLAN_DIR, PLAN_LINK, PLAN_HOST_FILE, PLAN_TEXT };

struct plan_node {
	char *name;               /* one component; "" for the root */
	enum plan_kind kind;
	mode_t mode;              /* permission bits only */
	char *source;             /* PLAN_HOST_FILE: path on the host; PLAN_LINK: target */
	struct buf text;          /* PLAN_TEXT: the contents */
	struct plan_node **children; /* PLAN_DIR: sorted by name */
	size_t count;
};

struct plan {
	struct plan_node *root;
};

void plan_init(struct plan *plan);
void plan_free(struct plan *plan);

/*
 * Puts the file or link at an absolute host path at the same path in the plan,
 * with every symbolic link on the way and what it leads to. 0, or a negative
 * errno without a line (-ENOENT: not on the host; -EACCES; -ELOOP;
 * -EEXIST: the plan has something else there).
 */
int plan_mirror(struct plan *plan, const char *path);

/* Put one thing at a path, making parents; what was there is replaced, but not a directory. Negative errno. */
int plan_put_dir(struct plan *plan, const char *path);
int plan_put_link(struct plan *plan, const char *path, const char *target);
int plan_put_text(struct plan *plan, const char *path, const void *data, size_t len, mode_t mode);
int plan_put_file(struct plan *plan, const char *path, const char *source, mode_t mode);

/* The node at a path, links followed; NULL when there is none. */
struct plan_node *plan_find(struct plan *plan, const char *path);

/* Calls visit for every file that comes from the host. */
void plan_each_host_file(const struct plan *plan, void (*visit)(void *context, const char *source), void *context);

/* SOURCE_DATE_EPOCH, in seconds since 1970; 0: not set, or no such number. */
int64_t plan_epoch(void);

/* A hash of names, modes and of the host files' identities (not contents): the key of the cache. Negative errno. */
int plan_key(const struct plan *plan, uint8_t ret_digest[HASH_LEN]);

/*
 * Makes the tree below an empty directory and hashes what it writes, contents
 * included. Python sources with compiled modules beside them keep their times
 * (seconds since 1970), all files do up to SOURCE_DATE_EPOCH; *ret_time is the latest
 * of those and the time of all else, or 0: then no times were set. 0 or an exit status after a line.
 */
int plan_write(const struct plan *plan, const char *directory, uint8_t ret_digest[HASH_LEN], int64_t *ret_time);

#endif
