/*
 * detach.h - pith run -d: the machine's keeper in the background.
 */
#ifndef TOOL_INSTANCE_DETACH_H
#define TOOL_INSTANCE_DETACH_H

#include "image/bootconf.h"
#include "vmm/vm.h"

/*
 * Starts the machine under a process of its own, prints the instance's name and
 * returns. What goes wrong until the VMM runs is said here (0 or an exit status
 * after a line); later its own log and `pith ps -a` tell.
 */
int detach_run(struct vm *vm, const int *keep_fds, const struct bootconf *conf);

#endif
