/*
 * procfs_ipc.c - /proc/sysvipc/{shm,sem,msg} and the limits of IPC under /proc/sys. They show, nothing can be changed.
 * What can fail: memory.
 */
#include "base/link.h"
#include "proc/ipc.h"
#include "fs/pseudo.h"

typedef unsigned long long ull;

static int show_shm(struct pseudo_text *t, u64 arg)
{
	struct shm_info in;
	struct shm_stat s;

	pseudo_printf(t, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime"
			 "      ctime                   rss                  swap\n");
	ipc_shm_info(&in);
	for (int i = 0; i <= in.last_index; i++) {
		if (ipc_shm_stat(i, true, &s) < 0)
			continue;
		pseudo_printf(t, "%10d %10d  %4o %21llu %5u %5u  %5llu %5u %5u %5u %5u %10llu %10llu %10llu %21llu %21llu\n", s.perm.key, s.perm.id,
			      s.perm.mode, (ull)s.size, s.cpid, s.lpid, (ull)s.nattch, s.perm.uid, s.perm.gid, s.perm.cuid, s.perm.cgid,
			      (ull)s.atime, (ull)s.dtime, (ull)s.ctime, (ull)(s.resident_pages * PAGE_SIZE), 0ull);
	}
	return 0;
}

static int show_sem(struct pseudo_text *t, u64 arg)
{
	struct sem_info in;
	struct sem_stat s;

	pseudo_printf(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	ipc_sem_info(&in);
	for (int i = 0; i <= in.last_index; i++) {
		if (ipc_sem_stat(i, true, &s) < 0)
			continue;
		pseudo_printf(t, "%10d %10d  %4o %10llu %5u %5u %5u %5u %10llu %10llu\n", s.perm.key, s.perm.id, s.perm.mode, (ull)s.nsems,
			      s.perm.uid, s.perm.gid, s.perm.cuid, s.perm.cgid, (ull)s.otime, (ull)s.ctime);
	}
	return 0;
}

static int show_msg(struct pseudo_text *t, u64 arg)
{
	struct msg_info in;
	struct msg_stat s;

	pseudo_printf(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	ipc_msg_info(&in);
	for (int i = 0; i <= in.last_index; i++) {
		if (ipc_msg_stat(i, true, &s) < 0)
			continue;
		pseudo_printf(t, "%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n", s.perm.key, s.perm.id, s.perm.mode,
			      (ull)s.cbytes, (ull)s.qnum, s.lspid, s.lrpid, s.perm.uid, s.perm.gid, s.perm.cuid, s.perm.cgid, (ull)s.stime,
			      (ull)s.rtime, (ull)s.ctime);
	}
	return 0;
}

static int show_number(struct pseudo_text *t, u64 n)
{
	pseudo_printf(t, "%llu\n", (ull)n);
	return 0;
}

static int show_sem_limits(struct pseudo_text *t, u64 arg)
{
	pseudo_printf(t, "%u\t%u\t%u\t%u\n", LX_SEMMSL, LX_SEMMNS, LX_SEMOPM, LX_SEMMNI);
	return 0;
}

#define NUMBER(p, n) { .path = "sys/" p, .mode = 0444, .show = show_number, .arg = (n) }

static const struct pseudo_file files[] = {
	{ .path = "sysvipc/shm", .mode = 0444, .show = show_shm },
	{ .path = "sysvipc/sem", .mode = 0444, .show = show_sem },
	{ .path = "sysvipc/msg", .mode = 0444, .show = show_msg },
	NUMBER("kernel/shmmax", LX_SHMMAX),
	NUMBER("kernel/shmall", LX_SHMALL),
	NUMBER("kernel/shmmni", LX_SHMMNI),
	NUMBER("kernel/shm_rmid_forced", 0),
	NUMBER("kernel/msgmax", LX_MSGMAX),
	NUMBER("kernel/msgmnb", LX_MSGMNB),
	NUMBER("kernel/msgmni", LX_MSGMNI),
	{ .path = "sys/kernel/sem", .mode = 0444, .show = show_sem_limits },
	NUMBER("fs/mqueue/queues_max", LX_MQ_QUEUES_MAX),
	NUMBER("fs/mqueue/msg_max", LX_MQ_MSG_MAX),
	NUMBER("fs/mqueue/msg_default", LX_MQ_MSG_MAX),
	NUMBER("fs/mqueue/msgsize_max", LX_MQ_MSGSIZE_MAX),
	NUMBER("fs/mqueue/msgsize_default", LX_MQ_MSGSIZE_MAX),
};

static int procfs_ipc_init(void)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &files[i]);
	return r;
}
LINK_INIT(proc_ipc, procfs_ipc_init);
