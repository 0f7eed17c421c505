/*
 * map.h - the list of a kernel's functions, from what ld wrote about the link (-Map).
 */
#ifndef TOOL_LINK_MAP_H
#define TOOL_LINK_MAP_H

#include <jansson.h>

/* [{"name", "room", "offset", "bytes"}] by rising offset; empty if the file cannot be read. */
json_t *map_read(const char *path);
/* Sums of such a list by room: [{"room", "functions", "bytes"}], the largest first. */
json_t *map_rooms(const json_t *map);

#endif
