/*
 * inventory.h - what a kernel says it contains.
 *
 * A kernel carries an ELF note, owner "Pith", type 1: text lines "KIND NAME", such as
 * "driver virtio_blk", "filesystem erofs", "mitigation smap", "part strace", and its table of system calls in a
 * section of its own, .syscalls: a record with its number for each call that has a handler.
 * Both survive stripping.
 */
#ifndef TOOL_IMAGE_INVENTORY_H
#define TOOL_IMAGE_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Reads note and table of a kernel that lies at an offset of a file into lists of
 * an object: "syscalls", "drivers", "filesystems", "mitigations", "kernel_parts" (empty when
 * the kernel carries no note). False when it carries none.
 */
bool inventory_read(int fd, uint64_t offset, uint64_t len, json_t *object);

#endif
