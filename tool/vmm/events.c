/*
 * events.c - where the machine's events go, a line of JSON each.
 *
 * A reader that does not read must not hold the machine up: a socket's line waits SEND_SECONDS at most, and what fails
 * is said once on standard error; the numbers in the events (seq) show what is missing.
 */
#include "vmm/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/err.h"
#include "util/str.h"

#define SEND_SECONDS 2

static int socket_open(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval wait = { .tv_sec = SEND_SECONDS };
	int fd;

	if (!*path || strlen(path) >= sizeof address.sun_path)
		return err_report(PITH_USAGE, "--events", "unix:%s is no path of a socket; write at most %zu bytes", path, sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return err_report(PITH_FAILED, path, "cannot send events there: %s; start what listens on it first", strerror(error));
	}
	*ret_fd = fd;
	return 0;
}

int events_open(const char *where, int *ret_fd)
{
	if (str_starts(where, "unix:"))
		return socket_open(where + 5, ret_fd);
	*ret_fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	return *ret_fd < 0 ? err_report(PITH_FAILED, where, "cannot write events there: %s; check the path after --events", strerror(errno)) : 0;
}

void events_write(int *fd, const char *line)
{
	char *text;
	size_t len, at = 0;

	if (*fd < 0)
		return;
	text = xasprintf("%s\n", line);
	len = strlen(text);
	while (at < len) {
		ssize_t n = write(*fd, text + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_notice("--events", "they cannot be written any more: %s", strerror(errno));
			close(*fd);
			*fd = -1;
			break;
		}
		at += (size_t)n;
	}
	free(text);
}
