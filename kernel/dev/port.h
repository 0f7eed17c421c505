/*
 * port.h - byte channels to the host, the class (virtio-console ports; numbers in
 * shared/bootconf.h). Guest to host: bytes are copied into the device's ring; write sleeps while
 * the host does not take them. Host to guest: a wait queue says when bytes or the end came.
 */
#ifndef DEV_PORT_H
#define DEV_PORT_H

#include "sched/waitq.h"

struct port_ops {
	/* Queue bytes for the host without sleeping; how many were taken (0: full; wait on write_waitq). */
	size_t (*write_nowait)(unsigned port, const void *data, size_t len);
	/* Take received bytes; 0 if none (then eof tells whether the host closed). */
	size_t (*read_nowait)(unsigned port, void *data, size_t len);
	bool (*readable)(unsigned port);
	bool (*eof)(unsigned port);
	/* The host closed its side: nobody reads what is written. */
	bool (*gone)(unsigned port);
	/* Whether write_nowait would take something; if not, port_notify_write will be called when it would. */
	bool (*writable)(unsigned port);
	/* Bytes that the host has not taken yet; if any, port_notify_write will be called as they go. */
	size_t (*queued)(unsigned port);
	/* Poll the device until all of the port's bytes are with the host, at most ~1 s; works with interrupts masked (panic). */
	void (*drain)(unsigned port);
	/* Emergency output from a panic: no locks are waited for, the device is polled. */
	void (*write_panic)(unsigned port, const void *data, size_t len);
};
/*
 * Drivers register once; before that every call below is harmless (writes vanish, reads are at the
 * end). With a driver there, finished lines of the kernel's log go to PITH_PORT_LOG. NULL unregisters (tests).
 */
void port_register(const struct port_ops *ops);
bool port_present(void);

/* Write all; sleeps. 0, -ERESTARTSYS if interruptible and interrupted with nothing written. Returns bytes written otherwise. */
ssize_t port_write(unsigned port, const void *data, size_t len, bool interruptible);
size_t port_write_nowait(unsigned port, const void *data, size_t len);
/* Read some; sleeps unless nonblock. 0 at the end, -EAGAIN, -ERESTARTSYS. */
ssize_t port_read(unsigned port, void *data, size_t len, bool nonblock);
u32 port_poll(unsigned port, struct poll_table *pt);
bool port_gone(unsigned port);               /* the host closed its side: writers get EPIPE */
void port_flush(unsigned port);              /* sleeps */
void port_drain(unsigned port);              /* polls; any context */
void port_write_panic(unsigned port, const void *data, size_t len);
/* Drivers, from interrupts: something changed. */
void port_notify_read(unsigned port);
void port_notify_write(unsigned port);

#endif
