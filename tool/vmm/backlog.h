/*
 * backlog.h - published ports take bursts of connections.
 */
#ifndef TOOL_VMM_BACKLOG_H
#define TOOL_VMM_BACKLOG_H

/*
 * Gives each TCP socket on which the process behind pid_fd listens room for many connections that were not
 * accepted yet. Returns how many there are; 0 as well where the system does not allow it.
 */
unsigned int backlog_deepen(int pid_fd, int pid);

#endif
