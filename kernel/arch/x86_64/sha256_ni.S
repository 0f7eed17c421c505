/*
 * sha256_ni.S - SHA-256 by the CPU's instructions (Intel SDM 2B: SHA256RNDS2, SHA256MSG1, SHA256MSG2).
 *
 * void sha256_ni_blocks(u32 state[8], const void *data, size_t n, const u32 *k): n blocks of 64 bytes, n at least 1;
 * k: the 64 round constants, 16-byte aligned. Uses xmm0 to xmm10, which the caller must own. Plain System V
 * code without a reference to the kernel: the unit tests run the same bytes.
 *
 * SHA256RNDS2 does two rounds. It keeps the eight words in two registers, ABEF and CDGH (A and C in the highest
 * words), takes two words of message plus constant from xmm0, and leaves the new ABEF where CDGH was: the old ABEF is the
 * new CDGH. After four rounds each is where it began.
 */
#define STATE %rdi
#define DATA  %rsi
#define COUNT %rdx
#define KEYS  %rcx
#define ABEF  %xmm1
#define CDGH  %xmm2
#define TEMP  %xmm7
#define SWAP  %xmm8

	.section .rodata
	.balign 16
byte_order:
	.byte 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12

/* Four rounds with the message words in w and constants from at(k). */
.macro FOUR_ROUNDS w, at
	movdqa \w, %xmm0
	paddd \at(%rax), %xmm0
	sha256rnds2 %xmm0, ABEF, CDGH
	pshufd $0x0e, %xmm0, %xmm0
	sha256rnds2 %xmm0, CDGH, ABEF
.endm

/* The next four message words into w0, from the sixteen before, oldest first. */
.macro NEXT_WORDS w0, w1, w2, w3
	sha256msg1 \w1, \w0
	movdqa \w3, TEMP
	palignr $4, \w2, TEMP
	paddd TEMP, \w0
	sha256msg2 \w3, \w0
.endm

.macro LOAD w, at
	movdqu \at(DATA), \w
	pshufb SWAP, \w
.endm

	.text
	.balign 16
	.globl sha256_ni_blocks
	.hidden sha256_ni_blocks
	.type sha256_ni_blocks, @function
sha256_ni_blocks:
	movdqa byte_order(%rip), SWAP
	movdqu (STATE), ABEF			/* DCBA */
	movdqu 16(STATE), CDGH			/* HGFE */
	pshufd $0xb1, ABEF, ABEF		/* CDAB */
	pshufd $0x1b, CDGH, CDGH		/* EFGH */
	movdqa ABEF, TEMP
	palignr $8, CDGH, ABEF			/* ABEF */
	pblendw $0xf0, TEMP, CDGH		/* CDGH */
1:	movdqa ABEF, %xmm9
	movdqa CDGH, %xmm10
	LOAD %xmm3, 0
	LOAD %xmm4, 16
	LOAD %xmm5, 32
	LOAD %xmm6, 48
	movq KEYS, %rax
	FOUR_ROUNDS %xmm3, 0
	FOUR_ROUNDS %xmm4, 16
	FOUR_ROUNDS %xmm5, 32
	FOUR_ROUNDS %xmm6, 48
	movl $3, %r8d
2:	addq $64, %rax
	NEXT_WORDS %xmm3, %xmm4, %xmm5, %xmm6
	FOUR_ROUNDS %xmm3, 0
	NEXT_WORDS %xmm4, %xmm5, %xmm6, %xmm3
	FOUR_ROUNDS %xmm4, 16
	NEXT_WORDS %xmm5, %xmm6, %xmm3, %xmm4
	FOUR_ROUNDS %xmm5, 32
	NEXT_WORDS %xmm6, %xmm3, %xmm4, %xmm5
	FOUR_ROUNDS %xmm6, 48
	decl %r8d
	jnz 2b
	paddd %xmm9, ABEF
	paddd %xmm10, CDGH
	addq $64, DATA
	decq COUNT
	jnz 1b
	pshufd $0x1b, ABEF, ABEF		/* FEBA */
	pshufd $0xb1, CDGH, CDGH		/* DCHG */
	movdqa ABEF, TEMP
	pblendw $0xf0, CDGH, ABEF		/* DCBA */
	palignr $8, TEMP, CDGH			/* HGFE */
	movdqu ABEF, (STATE)
	movdqu CDGH, 16(STATE)
	ret
	.size sha256_ni_blocks, . - sha256_ni_blocks

	.section .note.GNU-stack, "", @progbits
