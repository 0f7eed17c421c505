/* procfs_impl.h - the parts of /proc, each a function that registers its files; called by procfs.c. */
#ifndef FS_PROCFS_IMPL_H
#define FS_PROCFS_IMPL_H

#include "fs/procfs.h"
#include "fs/pseudo_node.h"

int procfs_add_kernel(void);   /* procfs.c: meminfo, stat, uptime, ... */
int procfs_add_cpuinfo(void);  /* procfs_cpu.c */
int procfs_add_mounts(void);   /* procfs_mounts.c */
int procfs_add_sys(void);      /* procfs_sys.c */
int procfs_add_devices(void);  /* procfs_dev.c */
int sysfs_add_caches(unsigned cpu); /* sysfs_cpu.c */

/* A show function whose arg is a constant text. */
int pseudo_show_text(struct pseudo_text *t, u64 arg);
/* arg is a number: shown in decimal on a line. */
int pseudo_show_number(struct pseudo_text *t, u64 arg);
#define PSEUDO_TEXT(s) ((u64)(uintptr_t)(s))
/* "0" or "0-3": all CPUs as a list. */
void pseudo_cpu_list(struct pseudo_text *t);

#endif
