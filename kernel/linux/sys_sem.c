/*
 * sys_sem.c - semget, semop, semtimedop, semctl: arguments and layouts; the sets are proc/ipc_sem.c's.
 * Operations are copied in once, at most LX_SEMOPM of them. Can fail: as ipc.h says, -EFAULT, -E2BIG, -ENOMEM.
 */
#include "linux/lx_ipc.h"
#include "linux/polltime.h"
#include "linux/syscall.h"
#include "mm/heap.h"

#define OPS_INLINE 8u

long sys_semget(int key, int nsems, int flags)
{
	if (nsems < 0 || (unsigned)nsems > LX_SEMMSL)
		return -EINVAL;
	return ipc_sem_get(key, nsems, flags);
}

_Static_assert(sizeof(struct sem_op) == 6, "struct sembuf");

static long sem_ops(int id, struct uaddr uops, size_t nops, u64 deadline_ns)
{
	struct sem_op few[OPS_INLINE], *ops = few;

	if (nops > LX_SEMOPM)
		return -E2BIG;
	if (nops < 1)
		return -EINVAL;
	if (nops > OPS_INLINE && !(ops = heap_alloc_array(nops, sizeof(*ops))))
		return -ENOMEM;
	long r = -EFAULT;
	if (copy_from_user(ops, uops, nops * sizeof(*ops)) == 0)
		r = id < 0 ? -EINVAL : ipc_sem_op(id, ops, (unsigned)nops, deadline_ns);
	if (ops != few)
		heap_free(ops);
	return r;
}

long sys_semop(int id, struct uaddr ops, size_t nops)
{
	return sem_ops(id, ops, (unsigned)nops, WAIT_FOREVER);
}

long sys_semtimedop(int id, struct uaddr ops, unsigned nops, struct uaddr timeout)
{
	struct lx_ts ts;
	u64 deadline = WAIT_FOREVER;

	if (!uaddr_is_null(timeout)) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (nops > LX_SEMOPM)
			return -E2BIG;
		if (nops < 1 || ts.sec < 0 || (u64)ts.nsec >= NSEC_PER_SEC)
			return -EINVAL;
		u64 ns;
		if (!__builtin_mul_overflow((u64)ts.sec, NSEC_PER_SEC, &ns) && !__builtin_add_overflow(ns, (u64)ts.nsec, &ns))
			deadline = deadline_after_ns(ns);
	}
	return sem_ops(id, ops, nops, deadline);
}

/* ---- semctl ---- */

static long sem_stat(int id, int cmd, struct uaddr buf)
{
	struct sem_stat s;
	int r = ipc_sem_stat(id, cmd != LX_IPC_STAT, &s);

	if (r < 0)
		return r;
	struct lx_semid_ds ds = { .perm = lx_ipc_perm_of(&s.perm), .otime = s.otime, .ctime = s.ctime, .nsems = s.nsems };
	if (copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return cmd == LX_IPC_STAT ? 0 : r;
}

static long sem_info(int cmd, struct uaddr buf)
{
	struct sem_info in;

	ipc_sem_info(&in);
	struct lx_seminfo info = {
		.semmap = LX_SEMMNS, .semmni = LX_SEMMNI, .semmns = LX_SEMMNS, .semmnu = LX_SEMMNS, .semmsl = LX_SEMMSL, .semopm = LX_SEMOPM,
		.semume = LX_SEMOPM, .semusz = 20, .semvmx = LX_SEMVMX, .semaem = LX_SEMAEM,
	};
	if (cmd == LX_SEM_INFO) {
		info.semusz = in.used;
		info.semaem = (s32)in.nsems;
	}
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : in.last_index;
}

static long sem_get_all(int id, struct uaddr array)
{
	u16 *values;
	unsigned n;
	int r = ipc_sem_get_all(id, &values, &n);

	if (r == 0 && copy_to_user(array, values, n * sizeof(*values)))
		r = -EFAULT;
	heap_free(values);
	return r;
}

static long sem_set_all(int id, struct uaddr array)
{
	struct sem_stat s;
	int r = ipc_sem_stat(id, false, &s);

	if (r < 0)
		return r;
	u16 *values = heap_alloc_array(s.nsems, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (copy_from_user(values, array, s.nsems * sizeof(*values)))
		r = -EFAULT;
	else
		r = ipc_sem_set_all(id, values, (unsigned)s.nsems);
	heap_free(values);
	return r;
}

long sys_semctl(int id, int num, int cmd, unsigned long arg)
{
	struct lx_semid_ds ds;

	if (id < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO: case LX_SEM_INFO:
		return sem_info(cmd, uaddr_make(arg));
	case LX_IPC_STAT: case LX_SEM_STAT: case LX_SEM_STAT_ANY:
		return sem_stat(id, cmd, uaddr_make(arg));
	case LX_SEM_GETALL:
		return sem_get_all(id, uaddr_make(arg));
	case LX_SEM_SETALL:
		return sem_set_all(id, uaddr_make(arg));
	case LX_SEM_GETVAL: case LX_SEM_GETPID: case LX_SEM_GETNCNT: case LX_SEM_GETZCNT:
		return ipc_sem_query(id, num, cmd);
	case LX_SEM_SETVAL:
		return ipc_sem_set_value(id, num, (int)arg);
	case LX_IPC_SET:
		if (copy_from_user(&ds, uaddr_make(arg), sizeof(ds)))
			return -EFAULT;
		return ipc_sem_set(id, ds.perm.uid, ds.perm.gid, ds.perm.mode);
	case LX_IPC_RMID:
		return ipc_sem_remove(id);
	default:
		return -EINVAL;
	}
}
