/*
 * code.h - what a register holds at a place in the code, as far as reading it straight through tells.
 *
 * A function is decoded from its beginning to the place, and constants are
 * followed through moves, the stack and the function's own arguments. Branches are
 * not followed: after a jump that is always taken only what the caller gave and
 * nobody wrote is believed at first; if that is no answer, constants too.
 */
#ifndef TOOL_SCAN_CODE_H
#define TOOL_SCAN_CODE_H

#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdint.h>

#include "scan/object.h"

enum code_register {
	CODE_RAX, CODE_RCX, CODE_RDX, CODE_RBX, CODE_RSP, CODE_RBP, CODE_RSI, CODE_RDI,
	CODE_R8, CODE_R9, CODE_R10, CODE_R11, CODE_R12, CODE_R13, CODE_R14, CODE_R15,
	CODE_REGISTERS,
};

/* Where a value is: a register, or the stack, n bytes above the stack pointer. */
struct code_place {
	bool stack;
	int32_t n;
};

enum code_kind { CODE_UNKNOWN, CODE_CONSTANT, CODE_ARGUMENT };

struct code_value {
	enum code_kind kind;
	uint64_t number;          /* CODE_CONSTANT */
	struct code_place place;  /* CODE_ARGUMENT: where it was when the function was entered */
};

struct code {
	csh handle;
	cs_insn *insn;
};

/* 0, or an exit status after a line. */
int code_open(struct code *code);
void code_close(struct code *code);

/*
 * The value of a place just before the instruction at `site` runs; a stack place
 * counts from the stack pointer there. False when no instruction begins at `site`:
 * the bytes there are data or the middle of one.
 */
bool code_value_at(struct code *code, const struct scan_object *object, uint64_t site, struct code_place place, struct code_value *ret_value);

/*
 * Calls visit for each direct call or jump out of the function [start, end), with
 * the place it leads to.
 */
void code_each_branch(struct code *code, const struct scan_object *object, uint64_t start, uint64_t end,
		      void (*visit)(void *context, uint64_t target), void *context);

#endif
