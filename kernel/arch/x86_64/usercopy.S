/*
 * usercopy.S - the only instructions that touch the program's memory. A fault at an address listed in the exception
 * table goes to user_fault first and then, if that could not mend it, to the listed way out.
 *
 * The callers (vm/) have checked the range against ARCH_USER_TOP.
 */
#include "arch/x86_64/alternative.h"

.macro EX from, to
	.pushsection .ex_table, "a"
	.long \from - ., \to - .
	.popsection
.endm

	.text
/* size_t arch_copy_from_user(void *dst, uintptr_t src, size_t len), and to: bytes not copied. */
	.balign 16
	.globl arch_copy_from_user, arch_copy_to_user
arch_copy_from_user:
arch_copy_to_user:
	STAC
	cmpq $16, %rdx
	jbe 3f
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq			/* leaves the flags of the andl */
	jz 9f
	/* The last 8 bytes again, overlapping what was copied. */
2:	movq -8(%rsi,%rdx), %rax
10:	movq %rax, -8(%rdi,%rdx)
9:	CLAC
	xorl %eax, %eax
	ret
3:	cmpl $8, %edx
	jb 5f
4:	movq (%rsi), %rax
11:	movq -8(%rsi,%rdx), %rcx
12:	movq %rax, (%rdi)
13:	movq %rcx, -8(%rdi,%rdx)
	jmp 9b
5:	cmpl $4, %edx
	jb 6f
14:	movl (%rsi), %eax
15:	movl -4(%rsi,%rdx), %ecx
16:	movl %eax, (%rdi)
17:	movl %ecx, -4(%rdi,%rdx)
	jmp 9b
6:	testl %edx, %edx
	jz 9b
7:	movb (%rsi), %al
18:	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decl %edx
	jnz 7b
	jmp 9b
21:	leaq (%rdx,%rcx,8), %rax	/* whole words left, and the tail */
	CLAC
	ret
22:	movq %rdx, %rax
	CLAC
	ret
	EX 1b, 21b
	EX 2b, 22b
	EX 10b, 22b
	EX 4b, 22b
	EX 11b, 22b
	EX 12b, 22b
	EX 13b, 22b
	EX 14b, 22b
	EX 15b, 22b
	EX 16b, 22b
	EX 17b, 22b
	EX 7b, 22b
	EX 18b, 22b

/* size_t arch_clear_user(uintptr_t dst, size_t len): bytes not cleared. */
	.balign 16
	.globl arch_clear_user
arch_clear_user:
	STAC
	xorl %eax, %eax
	movq %rsi, %rcx
	shrq $3, %rcx
	movl %esi, %edx
	andl $7, %edx
1:	rep stosq
	movl %edx, %ecx
2:	rep stosb
	CLAC
	ret
3:	leaq (%rdx,%rcx,8), %rax
	CLAC
	ret
4:	movq %rcx, %rax
	CLAC
	ret
	EX 1b, 3b
	EX 2b, 4b

/* bool arch_user_load_u32(uintptr_t va, u32 *ret) */
	.balign 16
	.globl arch_user_load_u32
arch_user_load_u32:
	STAC
1:	movl (%rdi), %eax
	CLAC
	movl %eax, (%rsi)
	movl $1, %eax
	ret
2:	CLAC
	xorl %eax, %eax
	ret
	EX 1b, 2b

/* bool arch_user_get_u64(uintptr_t va, u64 *ret) */
	.balign 16
	.globl arch_user_get_u64
arch_user_get_u64:
	STAC
1:	movq (%rdi), %rax
	CLAC
	movq %rax, (%rsi)
	movl $1, %eax
	ret
2:	CLAC
	xorl %eax, %eax
	ret
	EX 1b, 2b

/* bool arch_user_put_u64(uintptr_t va, u64 value) */
	.globl arch_user_put_u64
arch_user_put_u64:
	STAC
3:	movq %rsi, (%rdi)
	CLAC
	movl $1, %eax
	ret
	EX 3b, 2b

/* bool arch_user_cmpxchg_u32(uintptr_t va, u32 old, u32 new_value, u32 *ret_seen) */
	.balign 16
	.globl arch_user_cmpxchg_u32
arch_user_cmpxchg_u32:
	movl %esi, %eax
	STAC
1:	lock cmpxchgl %edx, (%rdi)
	CLAC
	movl %eax, (%rcx)
	movl $1, %eax
	ret
2:	CLAC
	xorl %eax, %eax
	ret
	EX 1b, 2b

/*
 * ssize_t arch_copy_string_from_user(char *dst, uintptr_t va, size_t max): length without the NUL, at most max; -1 on a
 * fault. Eight bytes at a time while they lie in one page (so no page is touched that the string does not reach).
 */
	.balign 16
	.globl arch_copy_string_from_user
arch_copy_string_from_user:
	STAC
	movq %rdx, %r10			/* max */
	movabsq $0x0101010101010101, %r8
	movabsq $0x8080808080808080, %r9
1:	cmpq $8, %rdx
	jb 4f
	movl %esi, %ecx
	andl $4095, %ecx
	cmpl $4088, %ecx
	ja 4f
2:	movq (%rsi), %rax
	movq %rax, %rcx
	movq %rax, (%rdi)
	subq %r8, %rcx
	notq %rax
	andq %rax, %rcx
	andq %r9, %rcx
	jnz 3f
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rdx
	jmp 1b
3:	bsfq %rcx, %rcx
	shrl $3, %ecx
	subq %rcx, %rdx
	jmp 7f
4:	testq %rdx, %rdx
	jz 6f
5:	movb (%rsi), %al
	movb %al, (%rdi)
	testb %al, %al
	jz 7f
	incq %rsi
	incq %rdi
	decq %rdx
	jmp 1b
6:	movb $0, (%rdi)
7:	CLAC
	movq %r10, %rax
	subq %rdx, %rax
	ret
8:	CLAC
	movq $-1, %rax
	ret
	EX 2b, 8b
	EX 5b, 8b

/*
 * The FPU's registers by XSAVE straight into a signal frame of the program, and back: true, or false after a fault (nothing mends it, as
 * interrupts are masked; XRSTOR may fault on what it finds, and has then loaded anything). mark: what stands from FX_SW on, and zeros for
 * the header. len: of the area.
 *
 * bool arch_user_fpu_save(uintptr_t va, const void *mark, size_t len)
 */
#define FX_MXCSR 24
#define FX_SW 464
#define FX_HEADER 512
#define FP_XSTATE_MAGIC2 0x46505845
	.balign 16
	.globl arch_user_fpu_save, arch_user_fpu_load
arch_user_fpu_save:
	STAC
	movq %rdi, %r8
	addq $FX_SW, %rdi
	movl $14, %ecx
1:	rep movsq			/* XSAVE leaves most of the header as it is */
2:	movl $FP_XSTATE_MAGIC2, (%r8,%rdx)
	orl $-1, %eax
	movl %eax, %edx
3:	xsave64 (%r8)
4:	orb $3, FX_HEADER(%r8)		/* as Linux: who knows of no header may change these parts */
5:	CLAC
	movl $1, %eax
	ret
6:	CLAC
	xorl %eax, %eax
	ret
	EX 1b, 6b
	EX 2b, 6b
	EX 3b, 6b
	EX 4b, 6b

/* bool arch_user_fpu_load(uintptr_t va, const void *mark, size_t len, u32 mxcsr_reserved): false too if the marks are others, or a reserved bit is set. */
arch_user_fpu_load:
	STAC
1:	testl %ecx, FX_MXCSR(%rdi)
	jnz 6b
2:	cmpl $FP_XSTATE_MAGIC2, (%rdi,%rdx)
	jne 6b
	movq %rdi, %r8
	addq $FX_SW, %rdi
	movl $3, %ecx			/* the first magic word, lengths, components */
3:	repe cmpsq
	jne 6b
	orl $-1, %eax
	movl %eax, %edx
4:	xrstor64 (%r8)
	jmp 5b
	EX 1b, 6b
	EX 2b, 6b
	EX 3b, 6b
	EX 4b, 6b
	.section .note.GNU-stack, "", @progbits
