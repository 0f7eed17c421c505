/*
 * cache.h - the user's cache directory: made roots and measured facts.
 *
 *   root-KEY.erofs    a root, KEY = plan_key(); its time of change is its last use
 *   kernel-KEY.elf    a kernel linked for one program, with kernel-KEY.map, its functions
 *   stage-PID         a tree being made into a root; removed when PID is gone
 *   fact-NAME         one measured value, valid for one boot of the host
 *   good-KEY          an image file whose contents were checked
 */
#ifndef TOOL_IMAGE_CACHE_H
#define TOOL_IMAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "util/str.h"

/* Removes roots and marks not used for a week, beyond 64 of them or 2 GiB the oldest, and what dead processes left. */
void cache_prune(const char *directory);

/* A fact about this boot of the host: false when it is not known. Never an error: it can be measured again. */
bool cache_fact_get(const char *name, struct buf *ret_text);
void cache_fact_put(const char *name, const char *text);

/* A name part for a file's identity: device, inode, length, times. 64 hexadecimal digits. */
void cache_file_key(const struct stat *st, char ret_key[65]);

#endif
