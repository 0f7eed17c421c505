/*
 * events.h - where the machine's events go (--events), a line of JSON each.
 */
#ifndef TOOL_VMM_EVENTS_H
#define TOOL_VMM_EVENTS_H

/* FILE (appended to) or unix:PATH (a stream socket that somebody listens on). 0, or an exit status after a line. */
int events_open(const char *where, int *ret_fd);
/* One line; *fd becomes -1, after a line on standard error, when it cannot be written. */
void events_write(int *fd, const char *line);

#endif
