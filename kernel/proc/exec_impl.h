/* exec_impl.h - what exec.c (files into memory) and exec_stack.c (the first stack) share. */
#ifndef PROC_EXEC_IMPL_H
#define PROC_EXEC_IMPL_H

#include "proc/exec.h"
#include "proc/elf.h"
#include "fs/vnode.h"

#define EXEC_ARG_MAX   (2 * MiB)     /* strings and pointers together */

struct exec_state {
	const struct exec_args *args;
	struct exec_failure *failure;
	const char *path;            /* of the ELF file: a script's interpreter, else args->path */
	char script[256];            /* the interpreter named by "#!" */
	char script_arg[256];        /* its one optional argument; empty: none */
	unsigned scripts;            /* how many "#!" were followed (0 or 1) */
	struct vnode *vnode, *interp_vnode;
	struct elf_image *image, *interp;
	u64 bias, interp_base;
	u64 vdso;                    /* user address of the vDSO's ELF header, 0 = none */
	u64 sp;
};

/* Steps that a kernel of one program may lack (slots): the interpreter of a "#!" line, that of a dynamic program, the vDSO. 0 or a negative errno. */
int exec_follow_script(struct exec_state *st);
int exec_load_interpreter(struct exec_state *st);
int exec_map_vdso(struct exec_state *st);
/* Write argc, argv, envp, auxv and strings; sets st->sp and process_image. 0, -E2BIG, -ENOMEM, -EFAULT. */
int exec_build_stack(struct exec_state *st);

#endif
