/*
 * select.h - what of the kernel a program needs, by its manifest.
 *
 * A manifest that names neither system calls nor sockets asks for the whole kernel: its volumes and ports may still
 * be anything when it runs. What `policy: log` lets happen is not left out. Otherwise each line of the kernel's link script that picks an entry stays or goes.
 */
#ifndef TOOL_LINK_SELECT_H
#define TOOL_LINK_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "opts.h"
#include "scan/calls.h"

/* Reasons for a part (parts.def). */
enum selection_need {
	NEED_OPEN = 1,        /* opens files by name */
	NEED_PATH = 2,        /* names files in any way */
	NEED_MAKE = 4,        /* makes files, or writes them */
	NEED_SOCKETS = 8,
	NEED_INET = 16,       /* IPv4 or, as one socket of IPv6 serves both, IPv6 */
	NEED_INET6 = 32,
	NEED_UNIX = 64,
	NEED_NETLINK = 128,
	NEED_NETWORK = 256,   /* the IP stack: INET, INET6 or NETLINK */
	NEED_STREAM = 512,    /* TCP */
	NEED_DGRAM = 1024,    /* UDP */
	NEED_IPC = 2048,
	NEED_VOLUME = 4096,
	NEED_TRACE = 8192,
	NEED_NVME = 16384,
	NEED_IOCTL_NET = 32768, /* commands of sockets and interfaces */
	/* Files below these, as far as the manifest says which files there are; without a list all. */
	NEED_PROC = 1 << 16,
	NEED_SYS = 1 << 17,
	NEED_DEV = 1 << 18,
	NEED_TMP = 1 << 19,   /* /tmp, /var/tmp, /run */
	NEED_RESOLV = 1 << 20,
	NEED_SYS_NET = 1 << 25,
	NEED_SECRETS = 1 << 21, /* the manifest names some */
	NEED_THREADS = 1 << 22, /* makes more than one */
	NEED_CPUS = 1 << 24,    /* more than one: its threads, or those of the network, of io_uring, of volumes */
	/* The program itself: its file is a script; it is dynamic. */
	NEED_SCRIPT = 1 << 26,
	NEED_INTERPRETER = 1 << 27,
	NEED_GUARD = 1 << 28,   /* opens files, or changes names */
	NEED_WATCH = 1 << 29,   /* rules for arguments of calls, or io_uring, whose operations are such */
	/* What no list of the manifest tells: unless it says so by itself (`machine`, `without`). */
	NEED_PCI = 1 << 30,
	NEED_REPORTS = 1ull << 31,
	NEED_VDSO = 1ull << 32,
	NEED_BALLOON = 1ull << 33,
	NEED_LIST = 1 << 23,    /* lists directories of the root: the program, or a directory in memory that covers one of it */
};

struct selection {
	bool calls[SCAN_CALLS_MAX];
	uint64_t needs;
};

struct program;

/* False: the whole kernel. */
bool selection_make(const struct opts *opts, const struct program *program, struct selection *ret_selection);
/* Is an entry of the link script wanted? name: "TABLE.NAME". */
bool selection_has(const struct selection *s, const char *name);

#endif
