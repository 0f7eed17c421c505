/*
 * erofs_read.h - reading a root that mkfs.erofs made: its tree and its files, uncompressed.
 *
 * What is read is not trusted: every place is checked against the file system's length, and the walk is bounded.
 */
#ifndef TOOL_IMAGE_EROFS_READ_H
#define TOOL_IMAGE_EROFS_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "util/str.h"

struct erofs_file {
	const char *path;    /* absolute, valid during the call */
	uint64_t nid, len;
	unsigned int mode;   /* with the kind, as st_mode */
};

/*
 * Calls visit for everything in the file system that begins at an offset and has len bytes, directories before what is in
 * them, in the order of names. False: it is damaged (some may have been visited).
 */
bool erofs_walk(int fd, uint64_t offset, uint64_t len, void (*visit)(void *context, const struct erofs_file *file), void *context);

/* The bytes of a regular file or symbolic link of at most max bytes. False: it is longer, or damaged. */
bool erofs_read_file(int fd, uint64_t offset, uint64_t len, uint64_t nid, size_t max, struct buf *ret_bytes);

#endif
