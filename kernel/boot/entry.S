/*
 * entry.S - the first instructions.
 *
 *   boot_pvh_entry   PVH: 32-bit protected mode, paging off, ebx = struct hvm_start_info
 *                    (Xen docs/misc/pvh.pandoc; QEMU, Cloud Hypervisor, Firecracker, Xen)
 *   boot_entry64     Linux 64-bit boot protocol: long mode, rsi = struct boot_params
 *                    (Linux Documentation/arch/x86/boot.rst)
 *
 * Both build temporary tables that map 4 GiB one to one, call boot_start, and jump to arch_enter at the address
 * it returns. The PVH note that names the first entry is written by kernel.lds. Position-independent: registers hold the address of the code that runs.
 */
#include "arch/x86_64/asm.h"

	.section .boot.text, "ax"
	.code32
	.globl boot_pvh_entry
boot_pvh_entry:
	cld
	cli
	rdtsc
	movl %eax, %esi
	movl %edx, %edi
	movl (%ebx), %ecx		/* lend the first word of the start info as a stack of one word */
	leal 4(%ebx), %esp
	call 1f
1:	popl %ebp			/* ebp = address of 1b */
	movl %ecx, (%ebx)
	leal (boot_stack_end - 1b)(%ebp), %esp
	movl %esi, (boot_entry_tsc - 1b)(%ebp)
	movl %edi, (boot_entry_tsc + 4 - 1b)(%ebp)
	pushl %ebx

	/* 4 GiB in pages of 1 GiB if the CPU has them, else of 2 MiB. */
	leal (boot_pml4 - 1b)(%ebp), %edi
	leal (boot_pdpt - 1b)(%ebp), %esi
	leal 3(%esi), %eax
	movl %eax, (%edi)
	movl $0x80000000, %eax
	cpuid
	xorl %edx, %edx
	cmpl $0x80000001, %eax
	jb 2f
	movl $0x80000001, %eax
	cpuid
2:	movl %edx, (boot_cpu_ext - 1b)(%ebp)
	btl $26, %edx
	jnc 4f
	xorl %ecx, %ecx
	movl $0x83, %eax
3:	movl %eax, (%esi,%ecx,8)
	addl $0x40000000, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 3b
	jmp 7f
4:	leal (boot_pds - 1b)(%ebp), %eax
	orl $3, %eax
	xorl %ecx, %ecx
5:	movl %eax, (%esi,%ecx,8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 5b
	leal (boot_pds - 1b)(%ebp), %esi
	movl $0x83, %eax
	movl $2048, %ecx
6:	movl %eax, (%esi)
	addl $0x200000, %eax
	addl $8, %esi
	loop 6b

7:	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl %edi, %cr3
	movl (boot_cpu_ext - 1b)(%ebp), %edi
	shrl $9, %edi			/* CPUID bit 20 (NX) to EFER bit 11 */
	andl $EFER_NXE, %edi
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_SCE), %eax
	orl %edi, %eax
	wrmsr
	movl $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE), %eax
	movl %eax, %cr0
	popl %ebx
	leal (boot_gdt - 1b)(%ebp), %eax
	pushl %eax
	pushw $(boot_gdt_end - boot_gdt - 1)
	lgdt (%esp)
	addl $6, %esp
	leal (8f - 1b)(%ebp), %eax
	pushl $SEL_KERNEL_CS
	pushl %eax
	lret

	.code64
8:	movl %ebx, %edi
	xorl %esi, %esi			/* BOOT_PVH */
	jmp boot_common

	/* Linux's protocol: build the same tables; the loader's may map less. */
	.globl boot_entry64
boot_entry64:
	cld
	cli
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, boot_entry_tsc(%rip)
	leaq boot_stack_end(%rip), %rsp
	movq %rsi, %r15
	movl $0x80000001, %eax
	cpuid
	movl %edx, boot_cpu_ext(%rip)
	leaq boot_pml4(%rip), %rdi
	leaq boot_pdpt(%rip), %rsi
	leaq 3(%rsi), %rax
	movq %rax, (%rdi)
	leaq boot_pds(%rip), %rax
	orq $3, %rax
	xorl %ecx, %ecx
1:	movq %rax, (%rsi,%rcx,8)
	addq $4096, %rax
	incl %ecx
	cmpl $4, %ecx
	jb 1b
	leaq boot_pds(%rip), %rsi
	movq $0x83, %rax
	movl $2048, %ecx
2:	movq %rax, (%rsi)
	addq $0x200000, %rax
	addq $8, %rsi
	loop 2b
	movq %rdi, %cr3
	movl boot_cpu_ext(%rip), %edi
	shrl $9, %edi
	andl $EFER_NXE, %edi
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_SCE, %eax
	orl %edi, %eax
	wrmsr
	movq %cr0, %rax
	andl $~(CR0_EM | CR0_TS), %eax
	orl $(CR0_WP | CR0_NE | CR0_MP), %eax
	movq %rax, %cr0
	leaq boot_gdt(%rip), %rax
	pushq %rax
	subq $2, %rsp
	movw $(boot_gdt_end - boot_gdt - 1), (%rsp)
	lgdt (%rsp)
	addq $10, %rsp
	leaq 3f(%rip), %rax
	pushq $SEL_KERNEL_CS
	pushq %rax
	lretq
3:	movq %r15, %rdi
	movl $1, %esi			/* BOOT_LINUX64 */

boot_common:
	movl $SEL_KERNEL_DS, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack_end(%rip), %rsp
	xorl %ebp, %ebp
	call boot_start			/* builds the final tables and switches to them */
	jmpq *%rax

	.balign 8
boot_gdt:
	.quad 0, 0
	.quad 0x00af9b000000ffff	/* 0x10: kernel code */
	.quad 0x00cf93000000ffff	/* 0x18: kernel data */
boot_gdt_end:

	.section .boot.bss, "aw", @nobits	/* page-aligned by kernel.lds */
	.globl boot_pml4
boot_pml4:	.skip 4096
boot_pdpt:	.skip 4096
boot_pds:	.skip 4 * 4096
boot_stack:	.skip 8192
boot_stack_end:
	.globl boot_entry_tsc
boot_entry_tsc:	.skip 8
	.globl boot_cpu_ext
boot_cpu_ext:	.skip 4			/* CPUID 0x80000001 edx */
	.section .note.GNU-stack, "", @progbits
