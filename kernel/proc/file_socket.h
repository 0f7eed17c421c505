/* file_socket.h - sending on a socket file, with the rule of SIGPIPE. */
#ifndef PROC_FILE_SOCKET_H
#define PROC_FILE_SOCKET_H

#include "proc/file.h"

/* sock_send; -EPIPE on a stream raises SIGPIPE unless MSG_NOSIGNAL. */
ssize_t file_socket_send(struct file *f, struct sock_msg *m);

#endif
