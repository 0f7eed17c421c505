/*
 * ipc.h - System V shared memory, semaphores and message queues, and POSIX message queues: the objects.
 *
 * With one process they connect its threads, and programs that were written for several use them in one. Each family
 * has a table of objects and one spinlock (ids->lock) over the table and all objects in it; nothing is copied
 * from or to the program under it. Modes and owners are kept and shown, never checked: there is one identity.
 *
 * Calls return 0 or more, or a negative errno as the Linux call of the same name. Those that wait may sleep, no other does.
 * Bounded: the numbers of Linux's defaults, and IPC_MEMORY_SHARE of memory for semaphores and messages (-ENOMEM).
 */
#ifndef PROC_IPC_H
#define PROC_IPC_H

#include "proc/file.h"
#include "proc/lx_ipc.h"
#include "proc/task.h"

#define IPC_MEMORY_SHARE 8u          /* semaphores and messages may take 1/8 of memory */

struct ipc_perm {
	s32 key;
	u32 uid, gid, cuid, cgid, mode;
	u16 seq;
	int id;
};

/* The first member of each object. */
struct ipc_object {
	struct ipc_perm perm;
};
struct ipc_ids {
	struct spinlock lock;
	struct ipc_object **slots;   /* L: lock, as everything below */
	unsigned nslots, used, max;  /* max: constant */
	int last_index;
	u16 seq;
};

/* A new object gets its number. The number, -ENOSPC, -ENOMEM. L held. */
int ipc_add_locked(struct ipc_ids *ids, struct ipc_object *o, s32 key, int flags) MUST_CHECK;
void ipc_remove_locked(struct ipc_ids *ids, struct ipc_object *o);
struct ipc_object *ipc_find_locked(struct ipc_ids *ids, int id);
struct ipc_object *ipc_find_key_locked(struct ipc_ids *ids, s32 key);
struct ipc_object *ipc_at_locked(struct ipc_ids *ids, int index);
/* The highest index in use; 0 for an empty table too. L held. */
int ipc_last_index_locked(const struct ipc_ids *ids);
/* IPC_SET: what the program may change. */
void ipc_perm_set(struct ipc_perm *p, u32 uid, u32 gid, u32 mode);
/* Real time in s. */
s64 ipc_now(void);
/* Kernel memory for an object's contents. */
bool ipc_charge(size_t bytes) MUST_CHECK;
void ipc_uncharge(size_t bytes);

/* A thread that waits on an object, on its stack: others decide with the family's lock held. */
#define IPC_UNDECIDED 1
#define IPC_AGAIN     2              /* woken to look again */
struct ipc_sleeper {
	struct list link;            /* L: on the object's list until decided */
	struct waitq q;
	int result;                  /* atomic */
};
void ipc_sleep_prepare_locked(struct ipc_sleeper *s, struct list *on);
/* Lock not held; sleeps. What was decided; else -ETIMEDOUT or -ERESTARTSYS, and s is off its list. */
int ipc_sleep(struct ipc_sleeper *s, struct spinlock *lock, u64 deadline_ns);
void ipc_decide_locked(struct ipc_sleeper *s, int result);
void ipc_decide_all_locked(struct list *on, int result);

/* ---- Messages, of both kinds of queues ---- */

struct ipc_msg {
	struct list link;
	s64 type;                    /* System V; POSIX: the priority */
	size_t len;
	u8 data[];
};
struct ipc_msg *ipc_msg_new(size_t len) MUST_CHECK;   /* NULL */
void ipc_msg_free(struct ipc_msg *m);                 /* NULL is fine */

/* ---- Shared memory (ipc_shm.c) ---- */

struct shm_stat {
	struct ipc_perm perm;
	u64 size, resident_pages;
	s64 atime, dtime, ctime;
	int cpid, lpid;
	u64 nattch;
};
struct shm_info {
	int used, last_index;
	u64 total_pages, resident_pages;
};
int ipc_shm_get(s32 key, size_t size, int flags);
/* fixed: at addr, replace: what is there goes away. The address or -errno (-EACCES: executable memory is refused). */
intptr_t ipc_shm_attach(int id, uintptr_t addr, bool fixed, bool replace, u32 prot);
int ipc_shm_detach(uintptr_t addr);
/* by_index: id is a place in the table. The object's number (which 0 means too). */
int ipc_shm_stat(int id, bool by_index, struct shm_stat *ret);
int ipc_shm_set(int id, u32 uid, u32 gid, u32 mode);
int ipc_shm_remove(int id);
int ipc_shm_lock(int id, bool lock);
void ipc_shm_info(struct shm_info *ret);

/* ---- Semaphores (ipc_sem.c) ---- */

struct sem_op {
	u16 num;
	s16 op, flags;
};
struct sem_stat {
	struct ipc_perm perm;
	s64 otime, ctime;
	u64 nsems;
};
struct sem_info {
	int used, last_index;
	u64 nsems;
};
int ipc_sem_get(s32 key, int nsems, int flags);
/* ops stay the caller's and alive. -EAGAIN at the deadline, -EINTR. */
int ipc_sem_op(int id, const struct sem_op *ops, unsigned nops, u64 deadline_ns);
int ipc_sem_stat(int id, bool by_index, struct sem_stat *ret);
int ipc_sem_set(int id, u32 uid, u32 gid, u32 mode);
int ipc_sem_remove(int id);
/* LX_SEM_GETVAL, GETPID, GETNCNT, GETZCNT. */
int ipc_sem_query(int id, int num, int linux_cmd);
int ipc_sem_set_value(int id, int num, int value);
/* All values: a heap array of *ret_n, the caller's to free. */
int ipc_sem_get_all(int id, u16 **ret_values, unsigned *ret_n);
/* n is what ipc_sem_stat said; -EIDRM if the set is another one by now. */
int ipc_sem_set_all(int id, const u16 *values, unsigned n);
void ipc_sem_info(struct sem_info *ret);

/* ---- Message queues (ipc_msg.c) ---- */

struct msg_stat {
	struct ipc_perm perm;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	int lspid, lrpid;
};
struct msg_info {
	int used, last_index;
	u64 messages, bytes;
};
int ipc_msg_get(s32 key, int flags);
/* Takes m on success only. -EAGAIN, -EIDRM, -ERESTARTNOHAND. */
int ipc_msg_send(int id, struct ipc_msg *m, bool nowait);
/* The message is the caller's. -ENOMSG, -E2BIG, -EIDRM, -ERESTARTNOHAND. */
int ipc_msg_receive(int id, size_t max_len, s64 type, int linux_flags, struct ipc_msg **ret);
int ipc_msg_stat(int id, bool by_index, struct msg_stat *ret);
int ipc_msg_set(int id, u32 uid, u32 gid, u32 mode, u64 qbytes);
int ipc_msg_remove(int id);
void ipc_msg_info(struct msg_info *ret);

/* ---- POSIX message queues (ipc_mq.c) ---- */

struct mq_attr {
	long flags, maxmsg, msgsize, curmsgs;
};
/* attr NULL: the defaults. The file's flags come from linux_oflags. */
int mq_open(const char *name, u32 linux_oflags, u32 mode, const struct mq_attr *attr, struct file **ret);
int mq_unlink(const char *name);
bool file_is_mq(const struct file *f);
/* Takes m on success only; m->type is the priority. */
int mq_send(struct file *f, struct ipc_msg *m, u64 deadline_ns);
int mq_receive(struct file *f, u64 deadline_ns, struct ipc_msg **ret);
void mq_get_attr(struct file *f, struct mq_attr *ret);
/*
 * Who is told, once, when a message comes to the empty queue: nobody, a signal, or a netlink socket, which gets the cookie with
 * LX_NOTIFY_WOKENUP at its end, or LX_NOTIFY_REMOVED when the registration ends otherwise.
 */
enum mq_notify_kind { MQ_NOTIFY_SIGNAL, MQ_NOTIFY_NONE, MQ_NOTIFY_SOCKET };   /* as SIGEV_* */
struct mq_notify {
	enum mq_notify_kind kind;
	int signo;
	u64 value;
	struct file *socket;         /* MQ_NOTIFY_SOCKET: a reference, the queue's on success */
	u8 cookie[LX_NOTIFY_COOKIE_LEN];
};
/* -EBUSY: somebody is registered. */
int mq_notify_set(struct file *f, const struct mq_notify *n);
void mq_notify_clear(struct file *f);

#endif
