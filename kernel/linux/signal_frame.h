/*
 * signal_frame.h - between signal_frame.c (building frames, sigreturn) and signal_deliver.c (when and why).
 */
#ifndef LINUX_SIGNAL_FRAME_H
#define LINUX_SIGNAL_FRAME_H

#include "linux/lx_signal.h"

/* Put a frame on the program's stack and point regs at the handler. mask: what sigreturn restores. -EFAULT: no room. */
int signal_frame_push(struct user_regs *regs, const struct signal_action *a, const struct siginfo *info, sigset mask);

/* signal_deliver.c: run the handler of a, with its frame and its mask; a kernel may lack it when nothing can set a handler. */
void signal_handler_run(struct user_regs *regs, const struct signal_action *a, const struct siginfo *info);

#endif
