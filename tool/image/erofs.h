/*
 * erofs.h - what the tool reads of an EROFS superblock.
 */
#ifndef TOOL_IMAGE_EROFS_H
#define TOOL_IMAGE_EROFS_H

#include <stdbool.h>
#include <stdint.h>

struct erofs_facts {
	uint64_t len;    /* bytes of the filesystem */
	uint64_t inodes;
};

/* Reads the superblock of a filesystem that begins at an offset; false when there is none. */
bool erofs_facts_read(int fd, uint64_t offset, struct erofs_facts *ret_facts);

#endif
