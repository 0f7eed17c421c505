/*
 * sys_msg.c - msgget, msgsnd, msgrcv, msgctl: arguments and layouts; the queues are proc/ipc_msg.c's.
 * A message is copied in before and out after the queue is looked at; one that cannot be copied out is lost, as on Linux.
 * Can fail: as ipc.h says, -EFAULT, -ENOMEM.
 */
#include "linux/lx_ipc.h"
#include "linux/syscall.h"

long sys_msgget(int key, int flags)
{
	return ipc_msg_get(key, flags);
}

long sys_msgsnd(int id, struct uaddr umsg, size_t size, int flags)
{
	s64 type;

	if (copy_from_user(&type, umsg, sizeof(type)))
		return -EFAULT;
	if (size > LX_MSGMAX || id < 0 || type < 1)
		return -EINVAL;
	struct ipc_msg *m = ipc_msg_new(size);
	if (!m)
		return -ENOMEM;
	m->type = type;
	long r = -EFAULT;
	if (copy_from_user(m->data, uaddr_add(umsg, sizeof(type)), size) == 0)
		r = ipc_msg_send(id, m, flags & LX_IPC_NOWAIT);
	if (r)
		ipc_msg_free(m);
	return r;
}

long sys_msgrcv(int id, struct uaddr umsg, size_t size, long type, int flags)
{
	struct ipc_msg *m;

	if (id < 0 || (ssize_t)size < 0)
		return -EINVAL;
	long r = ipc_msg_receive(id, size, type, flags, &m);
	if (r)
		return r;
	size_t n = MIN(size, m->len);
	r = (long)n;
	if (copy_to_user(umsg, &m->type, sizeof(m->type)) || copy_to_user(uaddr_add(umsg, sizeof(m->type)), m->data, n))
		r = -EFAULT;
	ipc_msg_free(m);
	return r;
}

static long msg_stat(int id, int cmd, struct uaddr buf)
{
	struct msg_stat s;
	int r = ipc_msg_stat(id, cmd != LX_IPC_STAT, &s);

	if (r < 0)
		return r;
	struct lx_msqid_ds ds = {
		.perm = lx_ipc_perm_of(&s.perm), .stime = s.stime, .rtime = s.rtime, .ctime = s.ctime, .cbytes = s.cbytes, .qnum = s.qnum,
		.qbytes = s.qbytes, .lspid = s.lspid, .lrpid = s.lrpid,
	};
	if (copy_to_user(buf, &ds, sizeof(ds)))
		return -EFAULT;
	return cmd == LX_IPC_STAT ? 0 : r;
}

static long msg_info(int cmd, struct uaddr buf)
{
	struct msg_info in;

	ipc_msg_info(&in);
	struct lx_msginfo info = { .msgmax = LX_MSGMAX, .msgmnb = LX_MSGMNB, .msgmni = LX_MSGMNI, .msgssz = 16, .msgseg = 0xffff };
	if (cmd == LX_MSG_INFO) {
		info.msgpool = in.used;
		info.msgmap = (s32)in.messages;
		info.msgtql = (s32)in.bytes;
	} else {
		info.msgpool = (s32)(LX_MSGMNI * (LX_MSGMNB / 1024));
		info.msgmap = info.msgtql = (s32)LX_MSGMNB;
	}
	return copy_to_user(buf, &info, sizeof(info)) ? -EFAULT : in.last_index;
}

long sys_msgctl(int id, int cmd, struct uaddr buf)
{
	struct lx_msqid_ds ds;

	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO: case LX_MSG_INFO:
		return msg_info(cmd, buf);
	case LX_IPC_STAT: case LX_MSG_STAT: case LX_MSG_STAT_ANY:
		return msg_stat(id, cmd, buf);
	case LX_IPC_SET:
		if (copy_from_user(&ds, buf, sizeof(ds)))
			return -EFAULT;
		return ipc_msg_set(id, ds.perm.uid, ds.perm.gid, ds.perm.mode, ds.qbytes);
	case LX_IPC_RMID:
		return ipc_msg_remove(id);
	default:
		return -EINVAL;
	}
}
