/* vdso_image.S - the vDSO's bytes (built by the Makefile as vdso.so); the program gets a copy, in pages of its own. */
	.section .rodata.vdso, "a"
	.balign 8
	.globl vdso_image, vdso_image_end
vdso_image:
	.incbin "vdso.so"
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
