/*
 * sys_shm.c - shmget, shmat, shmdt, shmctl: arguments and layouts; segments are proc/ipc_shm.c's.
 *
 * As in mmap, executable memory that something else can write is refused without --allow jit. Can fail: as ipc.h says, -EFAULT.
 */
#include "linux/dispatch.h"
#include "linux/lx_ipc.h"
#include "linux/syscall.h"
#include "proc/process.h"
#include "vm/aspace.h"

long sys_shmget(int key, size_t size, int flags)
{
	return ipc_shm_get(key, size, flags);
}

long sys_shmat(int id, struct uaddr addr, int flags)
{
	u32 prot = VM_PROT_READ | (flags & LX_SHM_RDONLY ? 0 : VM_PROT_WRITE) | (flags & LX_SHM_EXEC ? VM_PROT_EXEC : 0);
	uintptr_t at = addr.va;

	if (id < 0)
		return -EINVAL;
	if (at & ~PAGE_MASK) {
		if (!(flags & LX_SHM_RND))
			return -EINVAL;
		at &= PAGE_MASK;
		if (!at && (flags & LX_SHM_REMAP))
			return -EINVAL;
	} else if (!at && (flags & LX_SHM_REMAP)) {
		return -EINVAL;
	}
	long r = ipc_shm_attach(id, at, !uaddr_is_null(addr), flags & LX_SHM_REMAP, prot);
	return r == -EACCES ? syscall_refuse_mapping(EACCES) : r;
}

long sys_shmdt(struct uaddr addr)
{
	return ipc_shm_detach(addr.va);
}

static long shm_stat(int id, int cmd, struct uaddr buf)
{
	struct shm_stat s;
	int r = ipc_shm_stat(id, cmd != LX_IPC_STAT, &s);

	if (r < 0)
		return r;
	struct lx_shmid_ds ds = {
		.perm = lx_ipc_perm_of(&s.perm), .segsz = s.size, .atime = s.atime, .dtime = s.dtime, .ctime = s.ctime, .cpid = s.cpid,
		.lpid = s.lpid, .nattch = s.nattch,
	};
	if (copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return cmd == LX_IPC_STAT ? 0 : r;
}

static long shm_ipc_info(struct uaddr buf)
{
	struct lx_shminfo info = { .shmmax = LX_SHMMAX, .shmmin = 1, .shmmni = LX_SHMMNI, .shmseg = LX_SHMMNI, .shmall = LX_SHMALL };
	struct shm_info in;

	ipc_shm_info(&in);
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : in.last_index;
}

static long shm_info(struct uaddr buf)
{
	struct shm_info in;

	ipc_shm_info(&in);
	struct lx_shm_info info = { .used_ids = in.used, .tot = in.total_pages, .rss = in.resident_pages };
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : in.last_index;
}

static long shm_lock(int id, bool lock)
{
	/* Who may lock nothing in memory may not lock this. */
	if (lock && !process_rlimits[RLIM_MEMLOCK].cur)
		return -EPERM;
	return ipc_shm_lock(id, lock);
}

long sys_shmctl(int id, int cmd, struct uaddr buf)
{
	struct lx_shmid_ds ds;

	if (cmd < 0 || id < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO:
		return shm_ipc_info(buf);
	case LX_SHM_INFO:
		return shm_info(buf);
	case LX_IPC_STAT: case LX_SHM_STAT: case LX_SHM_STAT_ANY:
		return shm_stat(id, cmd, buf);
	case LX_IPC_SET:
		if (copy_from_user(&ds, buf, sizeof(ds)))
			return -EFAULT;
		return ipc_shm_set(id, ds.perm.uid, ds.perm.gid, ds.perm.mode);
	case LX_IPC_RMID:
		return ipc_shm_remove(id);
	case LX_SHM_LOCK: case LX_SHM_UNLOCK:
		return shm_lock(id, cmd == LX_SHM_LOCK);
	default:
		return -EINVAL;
	}
}
