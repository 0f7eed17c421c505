/*
 * exec.h - starting the program: files into memory, arguments onto the stack.
 */
#ifndef PROC_EXEC_H
#define PROC_EXEC_H

#include "proc/task.h"
#include "vm/aspace.h"

/* For vm_init: areas of files keep their vnode. */
extern const struct vm_area_ops exec_area_ops;

struct exec_failure {
	int status;                  /* the command's exit status: 127 not there, 126 cannot be run */
	char text[256];              /* one line for the user */
};

/*
 * In the first task: load the program (and its interpreter), build its stack, set the task's user
 * registers for arch_user_enter and fill process_image. 0, or a negative errno and *ret_failure.
 */
int exec_start(const struct exec_args *a, struct exec_failure *ret_failure);

#endif
