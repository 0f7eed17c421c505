/* procfs_impl.h - between the files that make /proc/self: procfs_self.c, procfs_status.c, procfs_maps.c. */
#ifndef PROC_PROCFS_IMPL_H
#define PROC_PROCFS_IMPL_H

#include "fs/pseudo.h"
#include "proc/process.h"

/* arg is a tid; 0 means the process. -ESRCH if the task is gone. */
int procfs_show_status(struct pseudo_text *t, u64 arg);
int procfs_show_stat(struct pseudo_text *t, u64 arg);
int procfs_show_maps(struct pseudo_text *t, u64 arg);
int procfs_show_smaps(struct pseudo_text *t, u64 arg);
int procfs_show_smaps_rollup(struct pseudo_text *t, u64 arg);
/* procfs_more.c */
int procfs_show_io(struct pseudo_text *t, u64 arg);
int procfs_show_sched(struct pseudo_text *t, u64 arg);
ssize_t procfs_cwd_target(char *buf, size_t size, u64 arg);
int procfs_cwd_resolve(u64 arg, struct vnode **ret);
int procfs_more_populate(void);

/* /proc/net and /sys/class/net: registered when somebody looks. */
int procnet_sys_populate(void);
void procnet_put_hex(struct pseudo_text *t, const u8 *p, unsigned len);
/* procnet_sock.c; arg of the first three: LX_AF_INET or LX_AF_INET6 */
int procnet_show_tcp(struct pseudo_text *t, u64 family);
int procnet_show_udp(struct pseudo_text *t, u64 family);
int procnet_show_sockstat(struct pseudo_text *t, u64 family);
int procnet_show_unix(struct pseudo_text *t, u64 arg);
int procnet_show_netlink(struct pseudo_text *t, u64 arg);
int procnet_show_protocols(struct pseudo_text *t, u64 arg);
int procnet_show_snmp(struct pseudo_text *t, u64 arg);
int procnet_show_netstat(struct pseudo_text *t, u64 arg);

/* What a show function needs of a task, copied under process.lock. */
struct task_view {
	int tid, nice;
	char name[TASK_NAME_LEN];
	char state;                  /* R, S */
	unsigned cpu, policy;
	u64 affinity, cpu_ns, start_ns, min_faults, maj_faults, voluntary, forced;
	u64 rchar, wchar, syscr, syscw;
	sigset pending, blocked;
	bool no_new_privs;
};
int procfs_view(u64 tid, struct task_view *ret);

#endif
