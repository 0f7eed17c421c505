/*
 * backlog.c - published ports take bursts of connections.
 *
 * QEMU's user network listens with a backlog of 1. Of more connections that come at once Linux drops all but
 * two or so, and their clients try again after 1, 3, 7 ... seconds: a server that speaks first (a data base) seems
 * to hang. A second listen() on the same socket makes room; pidfd_getfd(2) lends it to us, since the VMM is our
 * child. Where that is refused (a hardened host) the small backlog stays: nothing else depends on it.
 */
#include "vmm/backlog.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKLOG 512

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

unsigned int backlog_deepen(int pid_fd, int pid)
{
	char path[64];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		int fd = entry->d_name[0] == '.' ? -1 : (int)syscall(SYS_pidfd_getfd, pid_fd, atoi(entry->d_name), 0);

		if (fd < 0)
			continue;
		if (option(fd, SO_ACCEPTCONN) == 1 && option(fd, SO_PROTOCOL) == IPPROTO_TCP && listen(fd, BACKLOG) == 0)
			count++;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return count;
}
