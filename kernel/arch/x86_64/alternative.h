/*
 * alternative.h - instructions that exist only on some CPUs. In the image stands a no-operation of the same length;
 * boot/ puts the instruction in its place before the text becomes read-only. The one feature so far is SMAP.
 */
#ifndef ARCH_X86_64_ALTERNATIVE_H
#define ARCH_X86_64_ALTERNATIVE_H

#ifdef __ASSEMBLER__
.macro ALT_INSN b0, b1, b2
661:	.byte 0x0f, 0x1f, 0x00
	.pushsection .alternatives, "a"
	.long 661b - .
	.byte 3, \b0, \b1, \b2
	.popsection
.endm
.macro CLAC
	ALT_INSN 0x0f, 0x01, 0xca
.endm
.macro STAC
	ALT_INSN 0x0f, 0x01, 0xcb
.endm
#else
#include "base/types.h"
struct alternative {
	s32 where;               /* from this member */
	u8 len;
	u8 bytes[3];
};
_Static_assert(sizeof(struct alternative) == 8, "written by the assembler macro");
#endif
#endif
