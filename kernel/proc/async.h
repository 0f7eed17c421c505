/* async.h - O_ASYNC: SIGIO (or F_SETSIG's signal) to the owner of a file. */
#ifndef PROC_ASYNC_H
#define PROC_ASYNC_H

#include "proc/file.h"
#include "proc/notify.h"

/* Pipes, sockets and inotify send signals; for others the flag is only kept. */
bool file_can_async(const struct file *f);
/* Switch signals (and the flag) on or off; fd is what F_SETSIG's signals name. -ENOTTY for files that send none, -ENOMEM. May sleep. */
int file_set_async(struct file *f, int fd, bool on);
/* The last reference is gone. */
void file_async_gone(struct file *f);

#endif
