/*
 * bootconf.h - the boot configuration (shared/bootconf.h) on the host's side.
 */
#ifndef TOOL_IMAGE_BOOTCONF_H
#define TOOL_IMAGE_BOOTCONF_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str.h"

struct bootconf {
	char *exec, *cwd, *hostname;
	struct strv args, env, dns;
	struct strv volumes;            /* of this start, not of an image */
	struct strv net, gateway;       /* net: none, dhcp, or an address of each family */
	struct strv rules, policies;    /* rules.h */
	uint64_t root_offset, root_len; /* root_len 0: the whole device */
	bool trace, verbose, allow_jit, learn;
	uint64_t tsc_khz, time_ns;      /* 0: not said */
	char *seed;                     /* hexadecimal, or NULL */
	char *verity;                   /* the root's hash tree (verity_text), or NULL */
};

/* Sets or replaces one variable in the list, given as NAME=VALUE. */
void bootconf_set_env(struct bootconf *conf, const char *assignment);
const char *bootconf_get_env(const struct bootconf *conf, const char *name);

/* Makes the block. 0, or PITH_USAGE after a line when it grows beyond the limit. */
int bootconf_make(const struct bootconf *conf, struct buf *ret_block);

/* Reads a block into a zeroed struct; false when it is damaged. */
bool bootconf_parse(const char *data, size_t len, struct bootconf *ret_conf);
void bootconf_free(struct bootconf *conf);

#endif
