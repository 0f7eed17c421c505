/*
 * procfs.h - what /proc says about the kernel, and who says it; rooms above may use the same words (uname).
 */
#ifndef FS_PROCFS_H
#define FS_PROCFS_H

#include "fs/pseudo.h"

/* uname(2), /proc/version, /proc/sys/kernel: the Linux whose system calls we offer. */
#define LX_UTS_SYSNAME "Linux"
#define LX_UTS_RELEASE "6.1.0-pith"
#define LX_UTS_VERSION "#1 SMP Pith " PITH_VERSION
#define LX_UTS_MACHINE "x86_64"

/* The machine's name; set by who knows it, before the program starts. NULL: "pith". */
extern const char *(*procfs_hostname)(void);
/* Page faults of the program so far, for /proc/vmstat, and switches of its threads, for /proc/stat. NULL: not shown. */
extern void (*procfs_faults)(u64 *ret_minor, u64 *ret_major);
extern u64 (*procfs_switches)(void);
/* How many descriptors are open, for /proc/sys/fs/file-nr. */
extern unsigned (*procfs_open_files)(void);
/* How many tasks there are and the newest one's id, for /proc/loadavg and /proc/stat. NULL: unknown, shown as 1. */
extern void (*procfs_tasks)(unsigned *ret_count, unsigned *ret_running, unsigned *ret_last_tid);

#endif
