/*
 * code.c - what a register holds at a place in the code.
 *
 * (I1) The work for one question is bounded: at most WINDOW bytes are decoded and
 *      SLOTS places on the stack are remembered.
 */
#include "scan/code.h"

#include <string.h>

#include "util/err.h"

#define WINDOW 16384u /* a longer function is decoded from somewhere before the place */
#define NEAR   256u
#define SLOTS  48u

struct slot {
	int64_t at; /* from the stack pointer at the function's entry */
	struct code_value value;
};

struct state {
	struct code_value registers[CODE_REGISTERS];
	struct slot slots[SLOTS];
	size_t slot_count;
	int64_t rsp;      /* from the stack pointer at the function's entry */
	bool rsp_known;
	int64_t rbp;      /* the same for a frame pointer */
	bool rbp_known;
	bool loose;       /* constants are believed behind jumps too */
	bool entered;     /* decoding began at the function's entry: what nobody wrote is an argument */
};

int code_open(struct code *code)
{
	*code = (struct code){ 0 };
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &code->handle) != CS_ERR_OK || cs_option(code->handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
		return err_report(PITH_FAILED, "the decoder", "libcapstone does not start; install it again");
	code->insn = cs_malloc(code->handle);
	return code->insn ? 0 : err_report(PITH_FAILED, "the decoder", "no memory left; end something and try again");
}

void code_close(struct code *code)
{
	if (code->insn)
		cs_free(code->insn, 1);
	if (code->handle)
		cs_close(&code->handle);
	*code = (struct code){ 0 };
}

/* The whole register that a name is a part of, or -1; *ret_whole: writing it leaves nothing of the old value. */
static int register_of(x86_reg reg, bool *ret_whole)
{
	static const x86_reg names[CODE_REGISTERS][4] = {
		{ X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL }, { X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL },
		{ X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL }, { X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL },
		{ X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL }, { X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
		{ X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL }, { X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL },
		{ X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B }, { X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
		{ X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B }, { X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
		{ X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B }, { X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
		{ X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B }, { X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
	};

	for (int i = 0; i < CODE_REGISTERS; i++) {
		for (int j = 0; j < 4; j++) {
			if (names[i][j] == reg) {
				*ret_whole = j < 2;
				return i;
			}
		}
	}
	*ret_whole = false;
	return reg == X86_REG_AH ? CODE_RAX : reg == X86_REG_BH ? CODE_RBX : reg == X86_REG_CH ? CODE_RCX : reg == X86_REG_DH ? CODE_RDX : -1;
}

static struct code_value constant(uint64_t number)
{
	return (struct code_value){ .kind = CODE_CONSTANT, .number = number };
}

static void state_begin(struct state *s, bool entered, bool loose)
{
	*s = (struct state){ .rsp_known = true, .entered = entered, .loose = loose };
	for (int i = 0; entered && i < CODE_REGISTERS; i++)
		s->registers[i] = (struct code_value){ .kind = CODE_ARGUMENT, .place = { .stack = false, .n = i } };
}

/* A value on the stack; what lies above the return address and was not written is the caller's. */
static struct code_value slot_get(const struct state *s, int64_t at)
{
	for (size_t i = 0; i < s->slot_count; i++) {
		if (s->slots[i].at == at)
			return s->slots[i].value;
	}
	if (s->entered && at >= 8 && at < 4096)
		return (struct code_value){ .kind = CODE_ARGUMENT, .place = { .stack = true, .n = (int32_t)at } };
	return (struct code_value){ 0 };
}

static void slot_put(struct state *s, int64_t at, struct code_value value)
{
	size_t i = 0;

	while (i < s->slot_count && s->slots[i].at != at)
		i++;
	if (i == SLOTS) { /* keeps (I1): the oldest is forgotten */
		memmove(&s->slots[0], &s->slots[1], (SLOTS - 1) * sizeof s->slots[0]);
		i = SLOTS - 1;
	}
	s->slots[i] = (struct slot){ at, value };
	if (i == s->slot_count)
		s->slot_count++;
}

/* Is the operand n(%rsp), or n(%rbp) where that is a frame pointer? */
static bool is_stack(const struct state *s, const cs_x86_op *op, int64_t *ret_at)
{
	bool by_rsp = op->type == X86_OP_MEM && op->mem.base == X86_REG_RSP && s->rsp_known;
	bool by_rbp = op->type == X86_OP_MEM && op->mem.base == X86_REG_RBP && s->rbp_known;

	if ((!by_rsp && !by_rbp) || op->mem.index != X86_REG_INVALID)
		return false;
	*ret_at = (by_rsp ? s->rsp : s->rbp) + op->mem.disp;
	return true;
}

static struct code_value operand_get(const struct state *s, const cs_x86_op *op)
{
	struct code_value value = { 0 };
	int64_t at;
	bool whole;
	int reg;

	if (op->type == X86_OP_IMM) {
		value = constant((uint64_t)op->imm);
	} else if (op->type == X86_OP_REG) {
		reg = register_of(op->reg, &whole);
		if (reg >= 0 && whole)
			value = s->registers[reg];
	} else if (is_stack(s, op, &at)) {
		value = slot_get(s, at);
	}
	if (value.kind == CODE_CONSTANT && op->size == 4)
		value.number = (uint32_t)value.number;
	return value;
}

static void operand_set(struct state *s, const cs_x86_op *op, struct code_value value)
{
	int64_t at;
	bool whole;
	int reg;

	if (op->size < 4)
		value = (struct code_value){ 0 };
	if (value.kind == CODE_CONSTANT && op->size == 4)
		value.number = (uint32_t)value.number;
	if (op->type == X86_OP_REG) {
		reg = register_of(op->reg, &whole);
		if (reg >= 0)
			s->registers[reg] = value;
		if (reg == CODE_RBP)
			s->rbp_known = false;
	} else if (is_stack(s, op, &at)) {
		slot_put(s, at, value);
	}
}

static void written_forget(struct state *s, csh handle, const cs_insn *insn)
{
	cs_regs read, written;
	uint8_t read_count, written_count;
	bool whole;

	if (cs_regs_access(handle, insn, read, &read_count, written, &written_count) != CS_ERR_OK)
		return;
	for (uint8_t i = 0; i < written_count; i++) {
		int reg = register_of((x86_reg)written[i], &whole);

		if (reg == CODE_RSP)
			s->rsp_known = false;
		else if (reg >= 0)
			s->registers[reg] = (struct code_value){ 0 };
		if (reg == CODE_RBP)
			s->rbp_known = false;
	}
}

/* What a called function may change (System V ABI; other conventions keep even less, and their compilers know it). */
static void call_forget(struct state *s)
{
	static const enum code_register changed[] = { CODE_RAX, CODE_RCX, CODE_RDX, CODE_RSI, CODE_RDI, CODE_R8, CODE_R9, CODE_R10, CODE_R11 };

	for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
		s->registers[changed[i]] = (struct code_value){ 0 };
}

/* Behind a jump that is always taken only untouched arguments are the same on every way. */
static void jump_forget(struct state *s)
{
	for (int i = 0; !s->loose && i < CODE_REGISTERS; i++) {
		if (s->registers[i].kind == CODE_CONSTANT)
			s->registers[i] = (struct code_value){ 0 };
	}
}

static void stack_move(struct state *s, const cs_insn *insn, const cs_x86_op *op)
{
	if (op[0].type == X86_OP_REG && op[0].reg == X86_REG_RSP && op[1].type == X86_OP_IMM && s->rsp_known)
		s->rsp += insn->id == X86_INS_SUB ? -op[1].imm : op[1].imm;
}

static void step(struct state *s, csh handle, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	const cs_x86_op *op = x->operands;

	switch (insn->id) {
	case X86_INS_MOV: case X86_INS_MOVABS: case X86_INS_MOVSXD:
		operand_set(s, &op[0], operand_get(s, &op[1]));
		if (op[0].type == X86_OP_REG && op[1].type == X86_OP_REG && op[0].reg == X86_REG_RBP && op[1].reg == X86_REG_RSP) {
			s->rbp = s->rsp;
			s->rbp_known = s->rsp_known;
		} else if (op[0].type == X86_OP_REG && op[0].reg == X86_REG_RSP) {
			s->rsp_known = false;
		}
		return;
	case X86_INS_XOR:
		if (op[0].type == X86_OP_REG && op[1].type == X86_OP_REG && op[0].reg == op[1].reg) {
			operand_set(s, &op[0], constant(0));
			return;
		}
		break;
	case X86_INS_PUSH:
		s->rsp -= 8;
		if (s->rsp_known)
			slot_put(s, s->rsp, operand_get(s, &op[0]));
		return;
	case X86_INS_POP:
		operand_set(s, &op[0], s->rsp_known ? slot_get(s, s->rsp) : (struct code_value){ 0 });
		s->rsp += 8;
		return;
	case X86_INS_SUB: case X86_INS_ADD:
		if (op[0].type == X86_OP_REG && op[0].reg == X86_REG_RSP) {
			stack_move(s, insn, op);
			return;
		}
		break;
	case X86_INS_CALL:
		call_forget(s);
		return;
	case X86_INS_SYSCALL:
		s->registers[CODE_RAX] = s->registers[CODE_RCX] = s->registers[CODE_R11] = (struct code_value){ 0 };
		return;
	case X86_INS_RET:
		s->loose = false;
		jump_forget(s);
		return;
	case X86_INS_JMP:
		jump_forget(s);
		return;
	default:
		break;
	}
	written_forget(s, handle, insn);
}

/* Decodes from `from` to `site`; true when an instruction begins there exactly. */
static bool walk(struct code *code, const struct scan_object *o, uint64_t from, uint64_t site, struct state *s)
{
	uint64_t at = from;
	const uint8_t *bytes = scan_object_code(o, from, (size_t)(site - from) + 1);
	size_t left = (size_t)(site - from) + 15; /* the longest instruction */

	if (!bytes)
		return false;
	while (left > 15 && !scan_object_code(o, from, left))
		left--;
	while (at < site) {
		if (!cs_disasm_iter(code->handle, &bytes, &left, &at, code->insn)) {
			s->entered = false;
			if (!left)
				return false;
			bytes++, left--, at++;
			continue;
		}
		if (at <= site)
			step(s, code->handle, code->insn);
	}
	return at == site;
}

static bool value_read(struct code *code, const struct scan_object *o, uint64_t site, struct code_place place, bool loose,
		       struct code_value *ret_value)
{
	uint64_t start = scan_object_start(o, site);
	bool entered = site - start <= WINDOW;
	struct state s;
	bool found;

	state_begin(&s, entered, loose);
	s.loose = loose;
	found = walk(code, o, entered ? start : site - NEAR, site, &s);
	/* Decoding falls into step with the code after a few instructions: try other beginnings. */
	for (uint64_t back = NEAR; !found && back > NEAR - 16 && site - start >= NEAR; back--) {
		state_begin(&s, false, loose);
		found = walk(code, o, site - back, site, &s);
	}
	if (!found)
		return false;
	if (!place.stack)
		*ret_value = s.registers[place.n];
	else if (s.rsp_known)
		*ret_value = slot_get(&s, s.rsp + place.n);
	else
		*ret_value = (struct code_value){ 0 };
	return true;
}

bool code_value_at(struct code *code, const struct scan_object *object, uint64_t site, struct code_place place, struct code_value *ret_value)
{
	/* A number set before a loop is lost at the jump into it: then the text order is believed. */
	return value_read(code, object, site, place, false, ret_value) &&
	       (ret_value->kind != CODE_UNKNOWN || value_read(code, object, site, place, true, ret_value));
}

void code_each_branch(struct code *code, const struct scan_object *o, uint64_t start, uint64_t end,
		      void (*visit)(void *context, uint64_t target), void *context)
{
	const uint8_t *bytes = scan_object_code(o, start, (size_t)(end - start));
	size_t left = (size_t)(end - start);
	uint64_t at = start;

	while (bytes && left) {
		if (!cs_disasm_iter(code->handle, &bytes, &left, &at, code->insn)) {
			bytes++, left--, at++;
			continue;
		}
		if (cs_insn_group(code->handle, code->insn, CS_GRP_JUMP) || code->insn->id == X86_INS_CALL) {
			const cs_x86_op *op = &code->insn->detail->x86.operands[0];

			if (op->type == X86_OP_IMM && ((uint64_t)op->imm < start || (uint64_t)op->imm >= end))
				visit(context, (uint64_t)op->imm);
		}
	}
}
