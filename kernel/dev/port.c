/*
 * port.c - sleeping reads and writes over the driver's ports, and the log's way out.
 *
 * Invariants: a waiter registers on the wait queue before it asks the driver, and the driver
 * notifies after it changed what it would answer.
 * Locks: the wait queues' own. Can fail: interruption; a host that takes nothing makes writers wait. Once the
 * host closed a port nobody waits for it: QEMU drops a buffer that it holds then, and never returns it.
 */
#include "dev/port.h"

#include "base/log.h"
#include "shared/bootconf.h"

static const struct port_ops *port_ops RO_AFTER_INIT;
static struct waitq read_waitq[PITH_NPORTS], write_waitq[PITH_NPORTS];

static void port_log_sink(const char *line, size_t len)
{
	/* Never waits: lines that do not fit are lost here, and kept in the log's own ring. */
	(void)port_write_nowait(PITH_PORT_LOG, line, len);
}

COLD void port_register(const struct port_ops *ops)
{
	for (unsigned i = 0; i < PITH_NPORTS && !port_ops; i++) {
		waitq_init(&read_waitq[i]);
		waitq_init(&write_waitq[i]);
	}
	port_ops = ops;
	log_set_sink(ops ? port_log_sink : NULL);
}

bool port_present(void) { return port_ops; }

size_t port_write_nowait(unsigned port, const void *data, size_t len)
{
	return port_ops && port < PITH_NPORTS ? port_ops->write_nowait(port, data, len) : len;
}

ssize_t port_write(unsigned port, const void *data, size_t len, bool interruptible)
{
	const u8 *p = data;
	size_t done = port_write_nowait(port, p, len);

	while (done < len) {
		int r = WAIT_EVENT_FULL(&write_waitq[port], port_ops->writable(port) || port_ops->gone(port), interruptible, WAIT_FOREVER);

		if (r == 0 && port_ops->gone(port))
			r = -EPIPE;
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += port_ops->write_nowait(port, p + done, len - done);
	}
	return (ssize_t)done;
}

static bool at_end(unsigned port) { return !port_ops || port >= PITH_NPORTS; }

ssize_t port_read(unsigned port, void *data, size_t len, bool nonblock)
{
	if (at_end(port) || len == 0)
		return 0;
	for (;;) {
		size_t n = port_ops->read_nowait(port, data, len);

		if (n > 0 || port_ops->eof(port))
			return (ssize_t)n;
		if (nonblock)
			return -EAGAIN;
		int r = WAIT_EVENT_INTR(&read_waitq[port], port_ops->readable(port) || port_ops->eof(port), WAIT_FOREVER);

		if (r < 0)
			return r;
	}
}

bool port_gone(unsigned port) { return !at_end(port) && port_ops->gone(port); }

u32 port_poll(unsigned port, struct poll_table *pt)
{
	u32 events = 0;

	if (at_end(port))
		return POLL_IN | POLL_RDNORM | POLL_HUP | POLL_OUT | POLL_WRNORM;
	poll_add(pt, &read_waitq[port]);
	poll_add(pt, &write_waitq[port]);
	if (port_ops->readable(port))
		events |= POLL_IN | POLL_RDNORM;
	else if (port_ops->eof(port))
		events |= POLL_IN | POLL_RDNORM | POLL_HUP;
	if (port_ops->writable(port))
		events |= POLL_OUT | POLL_WRNORM;
	if (port_ops->gone(port))
		events |= POLL_OUT | POLL_WRNORM | POLL_ERR;
	return events;
}

void port_flush(unsigned port)
{
	if (!at_end(port))
		WAIT_EVENT(&write_waitq[port], port_ops->queued(port) == 0 || port_ops->gone(port));
}

void port_drain(unsigned port)
{
	if (!at_end(port))
		port_ops->drain(port);
}

void port_write_panic(unsigned port, const void *data, size_t len)
{
	if (!at_end(port))
		port_ops->write_panic(port, data, len);
}

void port_notify_read(unsigned port)
{
	if (port < PITH_NPORTS)
		waitq_wake(&read_waitq[port], POLL_IN | POLL_RDNORM | POLL_HUP, ~0u);
}

void port_notify_write(unsigned port)
{
	if (port < PITH_NPORTS)
		waitq_wake(&write_waitq[port], POLL_OUT | POLL_WRNORM, ~0u);
}
