/*
 * trampoline.S - where a further CPU begins: real mode, in the page BOOT_AP_PAGE (0x8000), to which these bytes were
 * copied. Through protected mode onto the boot's temporary tables (which map that page one to one and the kernel's half),
 * then to ap_enter with its own block and stack. smp.c fills the parameters at the end.
 * Intel SDM 3A, 8.4.4.
 */
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"

#define HERE 0x8000

	.section .rodata.trampoline, "a"
	.balign 16
	.globl trampoline_start
trampoline_start:
	.code16
	cli
	cld
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl HERE + (tramp_gdtr - trampoline_start)
	movl $(CR0_PE | CR0_ET), %eax
	movl %eax, %cr0
	ljmpl $0x08, $(HERE + (1f - trampoline_start))
	.code32
1:	movl $SEL_KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl HERE + (tramp_cr3 - trampoline_start), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	xorl %edx, %edx
	movl HERE + (tramp_efer - trampoline_start), %eax
	wrmsr
	movl $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	ljmpl $SEL_KERNEL_CS, $(HERE + (2f - trampoline_start))
	.code64
2:	movq HERE + (tramp_cpu - trampoline_start), %rdi
	movq HERE + (tramp_stack - trampoline_start), %rsp
	movq HERE + (tramp_entry - trampoline_start), %rax
	jmpq *%rax

	.balign 8
tramp_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* 0x08: code, 32 bits */
	.quad 0x00af9b000000ffff	/* 0x10, 0x18: as in the kernel's own table */
	.quad 0x00cf93000000ffff
tramp_gdtr:
	.word tramp_gdtr - tramp_gdt - 1
	.long HERE + (tramp_gdt - trampoline_start)
	.balign 8
	.globl trampoline_params
trampoline_params:			/* struct trampoline_params in smp.c */
tramp_cr3:	.quad 0
tramp_efer:	.quad 0
tramp_cpu:	.quad 0
tramp_stack:	.quad 0
tramp_entry:	.quad 0
	.globl trampoline_end
trampoline_end:

	.section .text.entry, "ax"
	.code64
	.globl ap_enter
ap_enter:				/* rdi = struct arch_cpu */
	movq %rdi, %rax
	movq %rdi, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %eax, %eax
	movl %eax, %fs
	xorl %ebp, %ebp
	call ap_main
	ud2
	.section .note.GNU-stack, "", @progbits
