/*
 * sys_identity.c - who the program is: the one identity, its process group and session, capabilities.
 *
 * The identity is constant. Calls that set it accept what it is already; anything else is EPERM and an event, as
 * nobody legitimate becomes another user in a machine that has one. The process leads its group and its
 * session, like the first process of a container. Cannot sleep but for user copies and events.
 */
#include "linux/dispatch.h"
#include "linux/syscall.h"
#include "proc/process.h"

#define LX_NO_ID 0xffffffffu        /* (uid_t)-1: leave as it is */

long sys_getuid(void) { return PROC_UID; }
long sys_geteuid(void) { return PROC_UID; }
long sys_getgid(void) { return PROC_GID; }
long sys_getegid(void) { return PROC_GID; }
long sys_getpid(void) { return PROC_PID; }
long sys_getppid(void) { return PROC_PPID; }
long sys_gettid(void) { return task_current()->tid; }
long sys_getpgrp(void) { return PROC_PID; }

static long refuse_identity(void)
{
	return syscall_refuse_event(POLICY_IDENTITY, EPERM);
}

static bool is_uid(unsigned id) { return id == PROC_UID || id == LX_NO_ID; }
static bool is_gid(unsigned id) { return id == PROC_GID || id == LX_NO_ID; }

long sys_setuid(unsigned uid)
{
	if (uid == LX_NO_ID)
		return -EINVAL;
	return uid == PROC_UID ? 0 : refuse_identity();
}

long sys_setgid(unsigned gid)
{
	if (gid == LX_NO_ID)
		return -EINVAL;
	return gid == PROC_GID ? 0 : refuse_identity();
}

long sys_setreuid(unsigned ruid, unsigned euid)
{
	return is_uid(ruid) && is_uid(euid) ? 0 : refuse_identity();
}

long sys_setregid(unsigned rgid, unsigned egid)
{
	return is_gid(rgid) && is_gid(egid) ? 0 : refuse_identity();
}

long sys_setresuid(unsigned ruid, unsigned euid, unsigned suid)
{
	return is_uid(ruid) && is_uid(euid) && is_uid(suid) ? 0 : refuse_identity();
}

long sys_setresgid(unsigned rgid, unsigned egid, unsigned sgid)
{
	return is_gid(rgid) && is_gid(egid) && is_gid(sgid) ? 0 : refuse_identity();
}

static long put_three(u32 id, struct uaddr a, struct uaddr b, struct uaddr c)
{
	if (copy_to_user(a, &id, sizeof(id)) || copy_to_user(b, &id, sizeof(id)) || copy_to_user(c, &id, sizeof(id)))
		return -EFAULT;
	return 0;
}

long sys_getresuid(struct uaddr ruid, struct uaddr euid, struct uaddr suid)
{
	return put_three(PROC_UID, ruid, euid, suid);
}

long sys_getresgid(struct uaddr rgid, struct uaddr egid, struct uaddr sgid)
{
	return put_three(PROC_GID, rgid, egid, sgid);
}

/* They answer with the identity before the call, whether it changed or not. */
long sys_setfsuid(unsigned uid)
{
	if (!is_uid(uid))
		(void)refuse_identity();
	return PROC_UID;
}

long sys_setfsgid(unsigned gid)
{
	if (!is_gid(gid))
		(void)refuse_identity();
	return PROC_GID;
}

/* One supplementary group: the group itself. */
long sys_getgroups(int size, struct uaddr list)
{
	u32 gid = PROC_GID;

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return 1;
	return copy_to_user(list, &gid, sizeof(gid)) ? -EFAULT : 1;
}

/* Giving up groups is fine (there is nothing to lose); other groups are not. */
long sys_setgroups(int size, struct uaddr list)
{
	u32 gid;

	if (size < 0 || size > 65536)
		return -EINVAL;
	for (int i = 0; i < size; i++) {
		if (copy_from_user(&gid, uaddr_add(list, (size_t)i * sizeof(gid)), sizeof(gid)))
			return -EFAULT;
		if (gid != PROC_GID)
			return refuse_identity();
	}
	return 0;
}

/* ---- Groups and sessions ---- */

static bool pid_exists(int pid)
{
	irq_flags_t f;
	bool found;

	if (pid == 0 || pid == PROC_PID)
		return true;
	f = spin_lock_irqsave(&process.lock);
	found = task_find(pid) != NULL;
	spin_unlock_irqrestore(&process.lock, f);
	return found;
}

long sys_getpgid(int pid)
{
	return pid_exists(pid) ? PROC_PID : -ESRCH;
}

long sys_getsid(int pid)
{
	return pid_exists(pid) ? PROC_PID : -ESRCH;
}

/* A session leader can neither start a session nor change its group. */
long sys_setsid(void)
{
	return -EPERM;
}

long sys_setpgid(int pid, int pgid)
{
	if (pgid < 0)
		return -EINVAL;
	return pid == 0 || pid == PROC_PID ? -EPERM : -ESRCH;
}

/* ---- Capabilities: none, and none to gain ---- */

#define LX_CAP_VERSION_1 0x19980330u
#define LX_CAP_VERSION_2 0x20071026u
#define LX_CAP_VERSION_3 0x20080522u
struct lx_cap_header { u32 version; s32 pid; };
struct lx_cap_data { u32 effective, permitted, inheritable; };

/* How many data blocks the version has; a version that is not known is answered with the newest. */
static int cap_header(struct uaddr header, struct lx_cap_header *h)
{
	u32 newest = LX_CAP_VERSION_3;

	if (copy_from_user(h, header, sizeof(*h)))
		return -EFAULT;
	if (h->version == LX_CAP_VERSION_1)
		return 1;
	if (h->version == LX_CAP_VERSION_2 || h->version == LX_CAP_VERSION_3)
		return 2;
	return copy_to_user(header, &newest, sizeof(newest)) ? -EFAULT : -EINVAL;
}

long sys_capget(struct uaddr header, struct uaddr data)
{
	struct lx_cap_header h;
	struct lx_cap_data d[2] = { { 0 } };
	int n = cap_header(header, &h);

	if (n == -EINVAL && uaddr_is_null(data))
		return 0;
	if (n < 0)
		return n;
	if (h.pid < 0)
		return -EINVAL;
	if (!pid_exists(h.pid))
		return -ESRCH;
	if (uaddr_is_null(data))
		return 0;
	return copy_to_user(data, d, (size_t)n * sizeof(d[0])) ? -EFAULT : 0;
}

long sys_capset(struct uaddr header, struct uaddr data)
{
	struct lx_cap_header h;
	struct lx_cap_data d[2] = { { 0 } };
	int n = cap_header(header, &h);

	if (n < 0)
		return n;
	if (h.pid != 0 && h.pid != task_current()->tid)
		return -EPERM;
	if (copy_from_user(d, data, (size_t)n * sizeof(d[0])))
		return -EFAULT;
	for (int i = 0; i < n; i++)
		if (d[i].effective | d[i].permitted | d[i].inheritable)
			return refuse_identity();
	return 0;
}
