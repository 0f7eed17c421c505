/*
 * gdb.h - a client of the remote protocol of GDB ("GDB Remote Serial Protocol", GDB manual, appendix E), as far as looking
 * into a running machine needs it: stop, the processors' registers, memory, go on.
 *
 * Every call may wait for the VMM. False: the VMM has gone, or does not answer as it should; nothing more will come of it.
 */
#ifndef TOOL_PROFILE_GDB_H
#define TOOL_PROFILE_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/str.h"

#define GDB_READ_MAX 2048u /* bytes of memory in one answer */

struct gdb {
	int fd;
	struct buf in;     /* what came and was not looked at */
	struct buf packet; /* the last packet's text */
};

/* rip, rbp and rsp of one processor. */
struct gdb_regs {
	uint64_t ip, frame, stack;
};

/* Stops the machine. */
bool gdb_stop(struct gdb *gdb);

/* Lets a stopped machine go on. */
bool gdb_continue(struct gdb *gdb);

/* The registers of the processor with this number, from 1; false also when there is no such one. */
bool gdb_registers(struct gdb *gdb, unsigned int cpu, struct gdb_regs *ret_regs);

/* len bytes (at most GDB_READ_MAX) of memory as the processor sees it that was asked last. False: nothing is there. */
bool gdb_memory(struct gdb *gdb, uint64_t address, void *ret_bytes, size_t len);

void gdb_free(struct gdb *gdb);

#endif
