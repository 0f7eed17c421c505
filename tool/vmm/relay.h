/*
 * relay.h - one direction of bytes between two descriptors, with back-pressure.
 *
 * A relay reads only when it has room, writes only when poll() says that it
 * would not block, and passes the end on. Bytes are never changed.
 */
#ifndef TOOL_VMM_RELAY_H
#define TOOL_VMM_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#define RELAY_LEN 65536

struct relay {
	int from, to;        /* -1: done with that side */
	bool from_socket;    /* read with MSG_DONTWAIT */
	bool to_socket;      /* write with MSG_DONTWAIT; the end is passed on by shutdown() */
	size_t write_max;    /* bytes that poll()'s answer covers: PIPE_BUF for pipes */
	char data[RELAY_LEN];
	size_t start, len;
};

/* Prepares a relay. The descriptors stay the caller's. */
void relay_init(struct relay *r, int from, int to);

/* Fills two pollfd (fd -1 where there is nothing to wait for). */
void relay_poll(const struct relay *r, struct pollfd fds[2]);

/* Moves what can be moved without blocking. */
void relay_move(struct relay *r, const struct pollfd fds[2]);

/* The source has ended and all bytes are delivered or undeliverable. */
bool relay_done(const struct relay *r);

#endif
