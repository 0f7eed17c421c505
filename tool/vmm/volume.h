/*
 * volume.h - ext4 volumes as files on the host: may this machine use one?
 */
#ifndef TOOL_VMM_VOLUME_H
#define TOOL_VMM_VOLUME_H

#include <stdbool.h>

/*
 * Opens a volume and locks it for as long as the descriptor is open: one machine may write it, or several may read it. 0,
 * or an exit status after a line.
 */
int volume_open(const char *path, bool readonly, int *ret_fd);

#endif
