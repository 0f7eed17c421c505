/*
 * ld_cache.h - /etc/ld.so.cache for the machine, so that the loader finds its
 * libraries with one look and not by trying directories.
 */
#ifndef TOOL_IMAGE_LD_CACHE_H
#define TOOL_IMAGE_LD_CACHE_H

#include <stddef.h>

#include "util/str.h"

struct ld_cache_entry {
	const char *name; /* libc.so.6 */
	const char *path; /* /lib/x86_64-linux-gnu/libc.so.6 */
};

/* Makes the contents of the cache (format "glibc-ld.so.cache1.1"). Sorts the entries in place. */
void ld_cache_make(struct ld_cache_entry *entries, size_t count, struct buf *ret_cache);

#endif
