/* lx_process.h - Linux's constants and layouts of clone, wait, prctl, scheduling and the like (uapi/linux). */
#ifndef LINUX_LX_PROCESS_H
#define LINUX_LX_PROCESS_H

#include "base/types.h"

#define LX_CSIGNAL              0x000000ffull
#define LX_CLONE_NEWTIME        0x00000080ull
#define LX_CLONE_VM             0x00000100ull
#define LX_CLONE_FS             0x00000200ull
#define LX_CLONE_FILES          0x00000400ull
#define LX_CLONE_SIGHAND        0x00000800ull
#define LX_CLONE_PIDFD          0x00001000ull
#define LX_CLONE_PTRACE         0x00002000ull
#define LX_CLONE_VFORK          0x00004000ull
#define LX_CLONE_PARENT         0x00008000ull
#define LX_CLONE_THREAD         0x00010000ull
#define LX_CLONE_NEWNS          0x00020000ull
#define LX_CLONE_SYSVSEM        0x00040000ull
#define LX_CLONE_SETTLS         0x00080000ull
#define LX_CLONE_PARENT_SETTID  0x00100000ull
#define LX_CLONE_CHILD_CLEARTID 0x00200000ull
#define LX_CLONE_DETACHED       0x00400000ull
#define LX_CLONE_UNTRACED       0x00800000ull
#define LX_CLONE_CHILD_SETTID   0x01000000ull
#define LX_CLONE_NEWUSER        0x10000000ull
#define LX_CLONE_NEWPID         0x20000000ull
#define LX_CLONE_NAMESPACES     0x7e020000ull  /* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define LX_CLONE_CLEAR_SIGHAND  0x100000000ull
#define LX_CLONE_INTO_CGROUP    0x200000000ull
#define LX_CLONE_LEGACY         0xffffffffull

struct lx_clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define LX_CLONE_ARGS_SIZE_VER0 64u
_Static_assert(sizeof(struct lx_clone_args) == 88, "struct clone_args, version 2");

#define LX_WNOHANG    0x00000001
#define LX_WUNTRACED  0x00000002
#define LX_WEXITED    0x00000004
#define LX_WCONTINUED 0x00000008
#define LX_WNOWAIT    0x01000000
#define LX_WNOTHREAD  0x20000000
#define LX_WALL       0x40000000
#define LX_WCLONE     0x80000000

#define LX_SCHED_OTHER    0
#define LX_SCHED_FIFO     1
#define LX_SCHED_RR       2
#define LX_SCHED_BATCH    3
#define LX_SCHED_IDLE     5
#define LX_SCHED_DEADLINE 6
#define LX_SCHED_RESET_ON_FORK 0x40000000
#define LX_SCHED_FLAG_RESET_ON_FORK 0x01
#define LX_SCHED_FLAG_KEEP_POLICY   0x08
#define LX_SCHED_FLAG_KEEP_PARAMS   0x10
#define LX_SCHED_FLAG_UTIL_CLAMP    0x60
#define LX_SCHED_FLAG_ALL           0x7f
struct lx_sched_attr {
	u32 size, policy;
	u64 flags;
	s32 nice;
	u32 priority;
	u64 runtime, deadline, period;
	u32 util_min, util_max;
};
#define LX_SCHED_ATTR_SIZE_VER0 48u
_Static_assert(sizeof(struct lx_sched_attr) == 56, "struct sched_attr");

struct lx_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
struct lx_sysinfo {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
};
_Static_assert(sizeof(struct lx_sysinfo) == 112, "struct sysinfo");

struct lx_rseq {
	u32 cpu_id_start, cpu_id;
	u64 rseq_cs;
	u32 flags, node_id, mm_cid, pad;
};
#define LX_RSEQ_SIZE 32u
#define LX_RSEQ_FLAG_UNREGISTER 1
struct lx_rseq_cs {
	u32 version, flags;
	u64 start_ip, post_commit_offset, abort_ip;
};
_Static_assert(sizeof(struct lx_rseq) == 32 && sizeof(struct lx_rseq_cs) == 32, "struct rseq");

#endif
