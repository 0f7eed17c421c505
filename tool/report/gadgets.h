/*
 * gadgets.h - how many pieces of code end where an attacker's chain could go on: return-oriented programming's gadgets.
 *
 * A gadget is a place in executable bytes, aligned or not, from which at most GADGET_INSNS instructions decode, the last of them a
 * return, an indirect jump or an indirect call, and none before it a jump or call. Counted are different places.
 */
#ifndef TOOL_REPORT_GADGETS_H
#define TOOL_REPORT_GADGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GADGET_INSNS 5
#define GADGET_BYTES 24 /* at most so long */

struct gadget_count {
	uint64_t code_bytes; /* looked at */
	uint64_t gadgets;
};

/* Adds those of some executable bytes. False: the disassembler cannot be had. */
bool gadgets_count(const uint8_t *code, size_t len, struct gadget_count *count);
/* The same for the executable segments of an ELF file in memory; what is no such file has none. */
bool gadgets_count_elf(const uint8_t *file, size_t len, struct gadget_count *count);

#endif
