/* floor.S - a kernel that ends its machine at once, by a triple fault: what starting and ending the VMM alone takes. */
	.code32
	.globl _start
_start:	lidt	none
	int3
	.balign 8
none:	.word	0
	.long	0
	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
	.section .note.GNU-stack, "", @progbits
