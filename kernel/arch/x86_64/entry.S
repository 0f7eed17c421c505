/*
 * entry.S - the doors of the kernel: start, SYSCALL, exceptions, interrupts, and the one way out.
 *
 * Invariants:
 *   (E1) In the kernel gs points at the CPU's block; in user mode at the program's data. One swapgs at each crossing
 *        decided by the saved cs. NMI, #MC and #DF may come between (before a swapgs), so they decide nothing by cs: they
 *        save the gs base, load the CPU's own (found by LSL, which no program can change) and put the old one back.
 *   (E2) Whenever a thread is in the kernel on behalf of the program, struct user_regs lies at the very top of its
 *        kernel stack (SYSCALL builds it there; the TSS makes traps build it there).
 *   (E3) The way out tests user_work and exit_flags with interrupts masked, and nothing unmasks them before user mode.
 *   (E4) SYSRET is used only when exit_flags has no EXIT_FULL: then rip and rflags are what SYSCALL put there. The program
 *        cannot map ARCH_USER_TOP's page, so that rip is canonical; sysretq with another one would fault in ring 0.
 *   (E5) AC is clear in the kernel outside user copies: SFMASK for SYSCALL, CLAC for gates.
 */
#include "arch/x86_64/alternative.h"
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"

	.section .text.entry, "ax"
	.code64
	.globl arch_enter
arch_enter:
	leaq arch_cpu0(%rip), %rax
	movq %rax, CPU_SELF(%rax)
	movq CPU_KERNEL_SP(%rax), %rsp
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %ebp, %ebp
	call kernel_main
	ud2

.macro PUSH_REST			/* rdx and what follows it in struct user_regs */
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm
.macro POP_ALL
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	POP_SCRATCH
.endm
.macro POP_SCRATCH
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

/* ---- SYSCALL: rcx = rip, r11 = rflags, interrupts masked, AC, DF, TF clear (SFMASK) ---- */

	.balign 64
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_SP
	movq %gs:CPU_KERNEL_SP, %rsp
	pushq $SEL_USER_DS
	pushq %gs:CPU_USER_SP
	pushq %r11
	pushq $SEL_USER_CS
	pushq %rcx
	pushq %rax			/* orig_rax */
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq $-38			/* rax: -ENOSYS until the call says otherwise */
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movl %eax, %eax
	sti
	cmpl arch_hooks + HOOKS_NCALLS(%rip), %eax
	jae .Lbeyond
1:	movq arch_hooks + HOOKS_CALLS(%rip), %r11
	movq %r10, %rcx			/* the other arguments are where C wants them */
	call *(%r11,%rax,8)
	cmpq $-HOOKS_RESTART_MIN, %rax
	jle .Lrestart

.Lleave:				/* rax: the result */
	cli
	movq %gs:CPU_CURRENT, %rdx
	cmpq $0, THREAD_WORK(%rdx)	/* user_work and exit_flags */
	jne .Lleave_slow
	addq $REGS_R11, %rsp		/* rbx, rbp and r12 to r15 are as they came: C keeps them, and who changed them asked for EXIT_FULL */
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rcx			/* not rax */
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	movq (REGS_RSP - REGS_ORIG_RAX)(%rsp), %rsp
	swapgs
	sysretq				/* keeps (E4) */

.Lleave_slow:
	movq %rax, REGS_RAX(%rsp)
	jmp user_exit

.Lbeyond:				/* behind the table stands who answers for all other numbers */
	movl arch_hooks + HOOKS_NCALLS(%rip), %eax
	jmp 1b

.Lrestart:
	cmpq $-HOOKS_RESTART_MAX, %rax
	jl .Lleave
	movq %rax, REGS_RAX(%rsp)
	movq %rsp, %rdi
	call *arch_hooks + HOOKS_RESTART(%rip)
	movq REGS_RAX(%rsp), %rax
	jmp .Lleave

/* ---- The way out: struct user_regs at rsp. Comes with interrupts masked ---- */

	.globl user_exit
user_exit:
	cli
	movq %gs:CPU_CURRENT, %rax
	cmpl $0, THREAD_USER_WORK(%rax)
	je 1f
	sti
	movq %rsp, %rdi
	call arch_run_user_work
	jmp user_exit
1:	movq %gs:CPU_THREAD, %rbx
	movl ARCH_THREAD_EXIT_FLAGS(%rbx), %eax
	testl $EXIT_FPU, %eax
	jz 2f
	call fpu_restore_current
2:	movl $0, ARCH_THREAD_EXIT_FLAGS(%rbx)
	movq REGS_RIP(%rsp), %rax
	shrq $47, %rax
	jz 3f
	movq $0, REGS_RIP(%rsp)		/* not canonical: let the program fault, not iretq */
3:	POP_ALL
	addq $8, %rsp
	swapgs
	iretq

/* ---- Exceptions: stubs push an error code if the CPU did not, then the vector. With two pushes they take the jump of another: eight bytes ---- */

	.altmacro
.macro TRAP_STUB n
	.org trap_stubs + \n * TRAP_STUB_LEN
	.if (\n == 8)
	pushq $\n
paranoid_hop:
	jmp paranoid_common
	.elseif (\n == 14)
	pushq $\n
trap_hop:
	jmp trap_common
	.elseif ((\n >= 10) && (\n <= 13)) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
	pushq $\n
	jmp trap_common
	.else
	pushq $0
	pushq $\n
	.if (\n == 2) || (\n == 18)
	jmp paranoid_hop
	.elseif \n < 16
	jmp trap_hop
	.else
	jmp trap_common
	.endif
	.endif
.endm
	.balign 8
	.globl trap_stubs
trap_stubs:
	.set i, 0
	.rept 32
	TRAP_STUB %i
	.set i, i + 1
	.endr
	.org trap_stubs + 32 * TRAP_STUB_LEN

trap_common:				/* rsp: vector, error code, rip, cs, ... */
	cld
	CLAC
	testb $3, 24(%rsp)
	jz 1f
	swapgs
1:	lfence				/* no speculation past the wrong gs */
	pushq %rsi
	movq 8(%rsp), %rsi		/* vector */
	movq %rdi, 8(%rsp)
	PUSH_REST
	movq %rsp, %rdi
	testb $3, REGS_CS(%rsp)
	jz 2f
	xorl %ebp, %ebp
	call trap_from_user
	jmp user_exit
2:	call trap_from_kernel
kernel_return:
	POP_ALL
	addq $8, %rsp
	iretq

paranoid_common:			/* keeps (E1) */
	cld
	CLAC
	pushq %rsi
	movq 8(%rsp), %rsi
	movq %rdi, 8(%rsp)
	PUSH_REST
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl $SEL_CPU, %eax
	lsll %eax, %eax
	leaq arch_cpus(%rip), %rdx
	movq (%rdx,%rax,8), %rax
	movq %rax, %rdx
	shrq $32, %rdx
	wrmsr
	movq %rsp, %rdi
	call trap_paranoid
	movl $MSR_GS_BASE, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	jmp kernel_return

/*
 * ---- Interrupts: vectors from 32 up; the stub pushes the vector where orig_rax lies. IRQ_GROUP of them, four bytes each, then what
 * they jump to in eight (desc.c) ----
 */

.macro IRQ_STUB n, group
	pushq $\n - 128			/* fits one byte */
	jmp irq_hop\group
.endm
.macro IRQ_STUBS group
	.rept IRQ_GROUP
	IRQ_STUB %i, \group
	.set i, i + 1
	.endr
irq_hop\group:
	jmp irq_common
	.org irq_stubs + (\group + 1) * IRQ_GROUP_LEN
.endm
	.balign 8
	.globl irq_stubs
irq_stubs:
	.set i, 32
	.set group, 0
	.rept 224 / IRQ_GROUP
	IRQ_STUBS %group
	.set group, group + 1
	.endr

irq_common:				/* rsp: vector - 128, rip, cs, ... */
	cld
	CLAC
	testb $3, 16(%rsp)
	jz 1f
	swapgs
1:	lfence
	pushq %rdi
	pushq %rsi
	PUSH_REST
	movl REGS_ORIG_RAX(%rsp), %edi
	addl $128, %edi
	movq $-1, REGS_ORIG_RAX(%rsp)
	testb $3, REGS_CS(%rsp)
	jz 2f
	xorl %ebp, %ebp
	call irq_dispatch
	jmp user_exit
2:	call irq_dispatch
	jmp kernel_return

/* ---- The first way into user mode of a thread: rdi = its registers ---- */

	.globl user_enter_at
user_enter_at:
	cli
	movq %rdi, %rsp
	jmp user_exit

/* ---- Switching: rdi = where to save rsp, rsi = rsp to load; canary changes with the stack. Who switches keeps no register over it ---- */

	.globl switch_stacks
switch_stacks:				/* (u64 *save_sp, u64 load_sp, u64 canary) */
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	movq %rdx, %gs:CPU_CANARY
	ret
	.globl thread_first_entry
thread_first_entry:			/* on the stack: entry, arg (arch_thread_init) */
	popq %rax
	popq %rdi
	xorl %ebp, %ebp
	call *%rax
	ud2
	.section .note.GNU-stack, "", @progbits
