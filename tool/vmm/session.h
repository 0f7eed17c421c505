/*
 * session.h - the life of one attached machine, in parts that supervise.c drives.
 */
#ifndef TOOL_VMM_SESSION_H
#define TOOL_VMM_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/str.h"
#include "vmm/relay.h"
#include "vmm/symbols.h"
#include "vmm/vm.h"

/* A channel of text lines: what came and is not yet a whole line. */
struct lines {
	int fd; /* -1: ended */
	struct buf text;
};

struct session {
	struct vm *vm;
	pid_t pid;              /* the VMM; 0 when it is reaped */
	int pid_fd, signal_fd;
	int ports[PITH_NPORTS]; /* our ends */
	struct relay in, out, err;
	struct lines log, ctl, vmm_err;
	struct symbols symbols;
	struct buf vmm_said;    /* the VMM's standard error, and what the kernel said on the debug port; the beginning */
	bool triple_fault;      /* the VMM said so */
	bool guest_spoke;
	unsigned int backlog_tries; /* how often to look yet for the sockets of published ports */
	bool told_process;      /* the hint about a second process was given */
	bool status_known;      /* the guest said how it ended, or we decided */
	int status;             /* the command's exit status */
	int wait_status;        /* of the VMM */
	bool stopping;
	int64_t stopping_since_ms;
	int64_t deadline_ms;    /* when the VMM is killed, monotonic; 0: never */
};

int64_t session_now_ms(void);

/* One line from the control port. */
void session_ctl_line(struct session *s, char *line);

/* One line from the log port, newline not included. */
void session_log_line(struct session *s, const char *line, size_t len);

/* One line of the VMM's standard error. */
void session_vmm_line(struct session *s, const char *line);

/* A signal to the command: forwarded to the machine. */
void session_signal(struct session *s, int number);

/* After the end: decides the exit status when the guest did not say it, and says why. */
void session_verdict(struct session *s);

/* The machine must end by now + ms, or is killed. */
void session_end_within(struct session *s, int64_t ms);

#endif
