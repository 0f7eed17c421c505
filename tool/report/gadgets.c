/*
 * gadgets.c - counting gadgets (gadgets.h).
 *
 * From each byte that begins an end (ret, ret n, jmp or call through a register or memory) it goes back byte by byte and
 * decodes forwards: a place counts if the instructions meet the end exactly. Most of the time is capstone's, and most places
 * near an end lead to it through the same instructions; so what decodes at a byte is kept for as long as it may be needed.
 */
#include "report/gadgets.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>

#include "util/str.h"

/* What decodes at one byte. */
struct piece {
	uint8_t len;  /* 0: nothing */
	bool ends, branches;
};

struct window {
	csh engine;
	cs_insn *insn;
	const uint8_t *code;
	size_t len;
	struct piece *pieces; /* of the whole code; known[] says which are there */
	uint8_t *known;
};

static const struct piece *piece_at(struct window *w, size_t at)
{
	struct piece *p = &w->pieces[at];
	const uint8_t *code = w->code + at;
	size_t left = w->len - at < 16 ? w->len - at : 16;
	uint64_t address = at;

	if (w->known[at])
		return p;
	w->known[at] = 1;
	if (!cs_disasm_iter(w->engine, &code, &left, &address, w->insn))
		return p;
	p->len = (uint8_t)w->insn->size;
	switch (w->insn->id) {
	case X86_INS_RET:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
		p->ends = true;
		break;
	case X86_INS_JMP:
	case X86_INS_CALL:
		p->ends = w->insn->detail->x86.operands[0].type != X86_OP_IMM;
		p->branches = true;
		break;
	default:
		for (int i = 0; i < w->insn->detail->groups_count; i++) {
			uint8_t group = w->insn->detail->groups[i];

			p->branches = p->branches || group == CS_GRP_JUMP || group == CS_GRP_CALL || group == CS_GRP_INT || group == CS_GRP_IRET ||
				      group == CS_GRP_PRIVILEGE;
		}
	}
	return p;
}

/* Could an end begin here? A byte or two tell most places apart. */
static bool may_end(const uint8_t *p, size_t left)
{
	return p[0] == 0xc3 || p[0] == 0xc2 || (p[0] == 0xff && left > 1 && ((p[1] >> 3 & 7) == 2 || (p[1] >> 3 & 7) == 4));
}

/* From a place to the end that is meant, in at most GADGET_INSNS instructions. */
static bool leads_to(struct window *w, size_t from, size_t end)
{
	for (int n = 0; n < GADGET_INSNS; n++) {
		const struct piece *p;

		if (from == end)
			return true;
		p = piece_at(w, from);
		if (!p->len || p->ends || p->branches || from + p->len > end)
			return false;
		from += p->len;
	}
	return false;
}

bool gadgets_count(const uint8_t *code, size_t len, struct gadget_count *count)
{
	struct window w = { .code = code, .len = len };

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &w.engine) != CS_ERR_OK)
		return false;
	cs_option(w.engine, CS_OPT_DETAIL, CS_OPT_ON);
	w.insn = cs_malloc(w.engine);
	w.pieces = xcalloc(len ? len : 1, sizeof *w.pieces);
	w.known = xcalloc(len ? len : 1, 1);
	for (size_t end = 0; end < len; end++) {
		if (!may_end(code + end, len - end) || !piece_at(&w, end)->ends)
			continue;
		for (size_t back = 0; back <= GADGET_BYTES && back <= end; back++)
			count->gadgets += leads_to(&w, end - back, end);
	}
	count->code_bytes += len;
	cs_free(w.insn, 1);
	cs_close(&w.engine);
	free(w.pieces);
	free(w.known);
	return true;
}

bool gadgets_count_elf(const uint8_t *file, size_t len, struct gadget_count *count)
{
	Elf64_Ehdr ehdr;
	bool good = true;

	if (len < sizeof ehdr)
		return true;
	memcpy(&ehdr, file, sizeof ehdr);
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_machine != EM_X86_64 ||
	    ehdr.e_phentsize != sizeof(Elf64_Phdr))
		return true;
	for (unsigned int i = 0; i < ehdr.e_phnum && good; i++) {
		Elf64_Phdr phdr;

		if (ehdr.e_phoff > len || len - ehdr.e_phoff < (i + 1) * sizeof phdr)
			break;
		memcpy(&phdr, file + ehdr.e_phoff + i * sizeof phdr, sizeof phdr);
		if (phdr.p_type == PT_LOAD && (phdr.p_flags & PF_X) && phdr.p_offset <= len && phdr.p_filesz <= len - phdr.p_offset)
			good = gadgets_count(file + phdr.p_offset, phdr.p_filesz, count);
	}
	return good;
}
