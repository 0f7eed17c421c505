/* splice.h - moving bytes between files without the program's memory. */
#ifndef PROC_SPLICE_H
#define PROC_SPLICE_H

#include "proc/file.h"

/*
 * All move up to len bytes and return how many, 0 at the end, or an error if none were moved.
 * in_off, out_off: positions that are used and moved instead of the files' own; NULL: the files' own.
 * Errors of reads and writes; -ERESTARTSYS, -EAGAIN, -EPIPE (SIGPIPE raised), -ENOMEM.
 */
ssize_t file_copy(struct file *in, u64 *in_off, struct file *out, u64 *out_off, size_t len);
ssize_t splice_from_pipe(struct file *in, struct file *out, u64 *out_off, size_t len, bool nonblock);
ssize_t splice_to_pipe(struct file *in, u64 *in_off, struct file *out, size_t len, bool nonblock);
/* The program's bytes into a pipe, as far as there is room once there is some (they are copied, not lent). */
ssize_t splice_user_to_pipe(struct uio *u, struct file *out, bool nonblock);
ssize_t splice_pipe_to_pipe(struct file *in, struct file *out, size_t len, bool nonblock, bool keep);

#endif
