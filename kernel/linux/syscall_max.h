/* syscall_max.h - the length of the tables of system calls, beyond the last number of syscalls.def. */
#ifndef LINUX_SYSCALL_MAX_H
#define LINUX_SYSCALL_MAX_H

#define SYSCALL_MAX 456

#endif
