/*
 * relay.c - one direction of bytes between two descriptors.
 *
 *     reading --- end of file ---> draining --- empty ---> done
 *        |                            |                      ^
 *        +------ the sink is gone ----+----------------------+
 *
 * (I1) Descriptors that are not ours alone (the standard streams) are never set
 *      to O_NONBLOCK: another process may share them. poll() and small writes
 *      take its place.
 * (I2) A sink that is gone closes the source's socket for reading, so that the
 *      machine learns of it.
 */
#include "vmm/relay.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void relay_init(struct relay *r, int from, int to)
{
	struct stat st;

	r->from = from;
	r->to = to;
	r->start = r->len = 0;
	r->from_socket = is_socket(from);
	r->to_socket = is_socket(to);
	r->write_max = RELAY_LEN;
	if (fstat(to, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		r->write_max = PIPE_BUF;
	if (fstat(to, &st) < 0)
		r->to = -1;
	if (fstat(from, &st) < 0)
		r->from = -1;
}

void relay_poll(const struct relay *r, struct pollfd fds[2])
{
	bool room = r->len < RELAY_LEN;

	fds[0] = (struct pollfd){ .fd = room ? r->from : -1, .events = POLLIN };
	/* Nothing to write: still hear of a sink that went away. */
	fds[1] = (struct pollfd){ .fd = r->to, .events = r->len ? POLLOUT : 0 };
}

static void source_end(struct relay *r)
{
	r->from = -1;
}

/* keeps (I2) */
static void sink_end(struct relay *r)
{
	if (r->from >= 0 && r->from_socket)
		shutdown(r->from, SHUT_RDWR);
	r->from = r->to = -1;
	r->len = 0;
}

static void fill(struct relay *r)
{
	ssize_t n;

	if (r->start) {
		memmove(r->data, r->data + r->start, r->len);
		r->start = 0;
	}
	if (r->from_socket)
		n = recv(r->from, r->data + r->len, RELAY_LEN - r->len, MSG_DONTWAIT);
	else
		n = read(r->from, r->data + r->len, RELAY_LEN - r->len);
	if (n > 0)
		r->len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		source_end(r);
}

static void flush(struct relay *r)
{
	size_t len = r->len < r->write_max ? r->len : r->write_max;
	ssize_t n;

	if (r->to_socket)
		n = send(r->to, r->data + r->start, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(r->to, r->data + r->start, len);
	if (n >= 0) {
		r->start += (size_t)n;
		r->len -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		sink_end(r);
	}
}

void relay_move(struct relay *r, const struct pollfd fds[2])
{
	if (r->from >= 0 && fds[0].fd >= 0 && (fds[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)))
		fill(r);
	if (r->to >= 0 && (fds[1].revents & (POLLERR | POLLNVAL | POLLHUP)) && !(fds[1].revents & POLLOUT))
		sink_end(r);
	else if (r->to >= 0 && r->len && (fds[1].revents & POLLOUT))
		flush(r);
	if (r->from < 0 && !r->len && r->to >= 0) {
		if (r->to_socket)
			shutdown(r->to, SHUT_WR); /* the end, passed on */
		r->to = -1;
	}
}

bool relay_done(const struct relay *r)
{
	return r->from < 0 && (r->to < 0 || !r->len);
}
