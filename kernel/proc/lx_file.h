/*
 * lx_file.h - Linux's numbers for open files that fs/ and net/ do not need (uapi headers of x86-64).
 */
#ifndef PROC_LX_FILE_H
#define PROC_LX_FILE_H

#include "fs/lx_file.h"
#include "net/lx_socket.h"

#define LX_PIPE_BUF      4096u
#define LX_IOV_MAX       1024u
#define LX_MAX_RW_COUNT  0x7ffff000ul
#define LX_O_TMPFILE_BIT 020000000u  /* O_TMPFILE without O_DIRECTORY */

/* What open() leaves of its flags for F_GETFL. */
#define LX_O_NOT_STATUS  (LX_O_CREAT | LX_O_EXCL | LX_O_NOCTTY | LX_O_TRUNC | LX_O_CLOEXEC)
/* What F_SETFL can change by itself; O_ASYNC is async.c's. */
#define LX_O_SETFL       (LX_O_APPEND | LX_O_NONBLOCK | LX_O_DIRECT | LX_O_NOATIME)

#endif
