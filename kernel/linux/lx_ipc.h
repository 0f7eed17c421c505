/* lx_ipc.h - Linux's layouts of System V IPC and POSIX message queues on x86-64 (asm-generic/{ipcbuf,shmbuf,sembuf,msgbuf}.h). */
#ifndef LINUX_LX_IPC_H
#define LINUX_LX_IPC_H

#include "proc/ipc.h"

struct lx_ipc_perm {
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	u16 seq, pad;
	u64 unused[2];
};
_Static_assert(sizeof(struct lx_ipc_perm) == 48, "struct ipc64_perm");

struct lx_shmid_ds {
	struct lx_ipc_perm perm;
	u64 segsz;
	s64 atime, dtime, ctime;
	s32 cpid, lpid;
	u64 nattch, unused[2];
};
_Static_assert(sizeof(struct lx_shmid_ds) == 112, "struct shmid64_ds");
struct lx_shminfo {
	u64 shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
};
struct lx_shm_info {
	s32 used_ids, pad;
	u64 tot, rss, swp, swap_attempts, swap_successes;
};

struct lx_semid_ds {
	struct lx_ipc_perm perm;
	s64 otime;
	u64 unused1;
	s64 ctime;
	u64 unused2, nsems, unused3, unused4;
};
_Static_assert(sizeof(struct lx_semid_ds) == 104, "struct semid64_ds");
struct lx_seminfo {
	s32 semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};

struct lx_msqid_ds {
	struct lx_ipc_perm perm;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	s32 lspid, lrpid;
	u64 unused[2];
};
_Static_assert(sizeof(struct lx_msqid_ds) == 120, "struct msqid64_ds");
struct lx_msginfo {
	s32 msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
	u16 msgseg, pad;
};

struct lx_mq_attr {
	s64 flags, maxmsg, msgsize, curmsgs, reserved[4];
};
_Static_assert(sizeof(struct lx_mq_attr) == 64, "struct mq_attr");

static inline struct lx_ipc_perm lx_ipc_perm_of(const struct ipc_perm *p)
{
	return (struct lx_ipc_perm){ .key = p->key, .uid = p->uid, .gid = p->gid, .cuid = p->cuid, .cgid = p->cgid, .mode = p->mode, .seq = p->seq };
}

#endif
