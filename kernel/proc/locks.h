/*
 * locks.h - advisory locks: byte ranges (of the process, or of an open file: OFD) and flock.
 */
#ifndef PROC_LOCKS_H
#define PROC_LOCKS_H

#include "proc/file.h"

enum { LX_F_RDLCK = 0, LX_F_WRLCK = 1, LX_F_UNLCK = 2 };
#define LOCKS_TO_END INT64_MAX

struct lock_range {
	s16 type;                    /* LX_F_* */
	s64 start, end;              /* inclusive; LOCKS_TO_END = to the end of the file, wherever that is */
	bool ofd;                    /* owner is the open file, otherwise the process */
};

/* Set or clear. Waits if asked. -EAGAIN, -ERESTARTSYS, -ENOMEM (nothing changed). */
int locks_set(struct file *f, const struct lock_range *r, bool wait);
/* The first lock that would stand in the way, or type LX_F_UNLCK. */
void locks_test(struct file *f, const struct lock_range *r, struct lock_range *ret);
/* flock: type as above. -EAGAIN, -ERESTARTSYS, -ENOMEM. */
int locks_flock(struct file *f, int type, bool wait);
/* A descriptor of f was closed: the process's locks on the vnode go. */
void locks_close(struct file *f);
/* f is going: its own locks go. */
void locks_file_gone(struct file *f);

#endif
