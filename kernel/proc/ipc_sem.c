/*
 * ipc_sem.c - System V semaphores: sets of counters, and operations on several of them that happen together or wait.
 *
 * An operation that cannot be done waits on its set, oldest first; who changes a value does for the waiters what
 * can be done now. SEM_UNDO keeps the process's adjustments, so that their range is checked; they would be applied at
 * its end, which is the machine's. Invariants: 1. 0 <= value <= LX_SEMVMX. 2. No waiter could be done at once.
 * Locks: sem_ids.lock. What can fail: memory, the limits, -ERANGE.
 */
#include "proc/ipc.h"
#include "mm/heap.h"
#include "base/string.h"

struct sem {
	s32 value;
	s32 pid;                     /* who changed or waited for it last */
};
struct sem_set {
	struct ipc_object ipc;
	unsigned n;
	s64 otime, ctime;
	s16 *undo;                   /* n of them, or NULL while there are none */
	struct list waiters;         /* oldest first */
	struct sem sems[];
};
struct sem_waiter {
	struct ipc_sleeper sleeper;  /* first member */
	const struct sem_op *ops;
	unsigned nops, blocking;     /* ops[blocking] could not be done */
};

static struct ipc_ids sem_ids = { .lock = SPINLOCK_INIT, .max = LX_SEMMNI, .last_index = -1 };
static u64 sem_total;                /* L */

static size_t set_bytes(const struct sem_set *s)
{
	return sizeof(*s) + s->n * sizeof(s->sems[0]) + (s->undo ? s->n * sizeof(s->undo[0]) : 0);
}

static struct sem_set *set_find_locked(int id)
{
	return (struct sem_set *)ipc_find_locked(&sem_ids, id);
}

static struct sem_set *set_new(unsigned n)
{
	size_t size = sizeof(struct sem_set) + n * sizeof(struct sem);

	if (!ipc_charge(size))
		return NULL;
	struct sem_set *s = heap_alloc(size);
	if (!s) {
		ipc_uncharge(size);
		return NULL;
	}
	s->n = n;
	s->ctime = ipc_now();
	list_init(&s->waiters);
	return s;
}

static void set_free(struct sem_set *s)
{
	if (!s)
		return;
	ipc_uncharge(set_bytes(s));
	heap_free(s->undo);
	heap_free(s);
}

int ipc_sem_get(s32 key, int nsems, int flags)
{
	struct sem_set *fresh = NULL, *s;
	int r;

	for (;;) {
		spin_lock(&sem_ids.lock);
		s = (struct sem_set *)ipc_find_key_locked(&sem_ids, key);
		if (s) {
			r = (flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL) ? -EEXIST : (unsigned)nsems > s->n ? -EINVAL : s->ipc.perm.id;
		} else if (key != LX_IPC_PRIVATE && !(flags & LX_IPC_CREAT)) {
			r = -ENOENT;
		} else if (!nsems) {
			r = -EINVAL;
		} else if ((u64)nsems > LX_SEMMNS - sem_total) {
			r = -ENOSPC;
		} else if (fresh) {
			r = ipc_add_locked(&sem_ids, &fresh->ipc, key, flags);
			if (r >= 0) {
				sem_total += fresh->n;
				fresh = NULL;
			}
		} else {
			r = -EAGAIN;
		}
		spin_unlock(&sem_ids.lock);
		if (r != -EAGAIN)
			break;
		fresh = set_new((unsigned)nsems);
		if (!fresh)
			return -ENOMEM;
	}
	set_free(fresh);
	return r;
}

/* ---- Operations ---- */

static bool is_undo_op(const struct sem_op *o)
{
	return (o->flags & LX_SEM_UNDO) && o->op;
}

static void take_back_locked(struct sem_set *s, const struct sem_op *ops, unsigned done)
{
	while (done--) {
		const struct sem_op *o = &ops[done];
		s->sems[o->num].value -= o->op;
		if (is_undo_op(o))
			s->undo[o->num] = (s16)(s->undo[o->num] + o->op);
	}
}

/* All or nothing. 0; 1: must wait at *ret_blocking; -ERANGE, -EAGAIN. L held. */
static int try_ops_locked(struct sem_set *s, const struct sem_op *ops, unsigned n, unsigned *ret_blocking)
{
	int r = 0;
	unsigned i;

	for (i = 0; i < n && r == 0; i++) {
		const struct sem_op *o = &ops[i];
		s32 value = s->sems[o->num].value;
		if ((o->op == 0 && value) || value + o->op < 0) {
			*ret_blocking = i;
			r = o->flags & LX_IPC_NOWAIT ? -EAGAIN : 1;
		} else if (value + o->op > LX_SEMVMX) {
			r = -ERANGE;
		} else if (is_undo_op(o)) {
			s32 undo = s->undo[o->num] - o->op;
			if (undo < -LX_SEMAEM - 1 || undo > LX_SEMAEM)
				r = -ERANGE;
			else
				s->undo[o->num] = (s16)undo;
		}
		if (r)
			break;
		s->sems[o->num].value = value + o->op;
	}
	if (r) {
		take_back_locked(s, ops, i);
		return r;
	}
	for (i = 0; i < n; i++)
		s->sems[ops[i].num].pid = PROC_PID;
	s->otime = ipc_now();
	return 0;
}

static bool alters(const struct sem_op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ops[i].op)
			return true;
	return false;
}

/* Values have changed: do what can be done now, oldest first, again after each that changes some. L held. */
static void run_waiters_locked(struct sem_set *s)
{
	struct list *l, *next;

again:
	for (l = s->waiters.next; l != &s->waiters; l = next) {
		struct sem_waiter *w = list_entry(l, struct sem_waiter, sleeper.link);
		next = l->next;
		int r = try_ops_locked(s, w->ops, w->nops, &w->blocking);
		if (r > 0)
			continue;
		bool changed = r == 0 && alters(w->ops, w->nops);
		ipc_decide_locked(&w->sleeper, r);
		if (changed)
			goto again;
	}
}

/* Room for the process's adjustments, if an operation asks for it. L held. */
static int prepare_undo_locked(struct sem_set *s, const struct sem_op *ops, unsigned n)
{
	bool wanted = false;

	for (unsigned i = 0; i < n; i++)
		wanted |= is_undo_op(&ops[i]);
	if (!wanted || s->undo)
		return 0;
	if (!ipc_charge(s->n * sizeof(s->undo[0])))
		return -ENOMEM;
	s->undo = heap_alloc_array(s->n, sizeof(s->undo[0]));
	if (!s->undo)
		ipc_uncharge(s->n * sizeof(s->undo[0]));
	return s->undo ? 0 : -ENOMEM;
}

static int op_locked(struct sem_set *s, struct sem_waiter *w)
{
	for (unsigned i = 0; i < w->nops; i++)
		if (w->ops[i].num >= s->n)
			return -EFBIG;
	int r = prepare_undo_locked(s, w->ops, w->nops);
	if (r == 0)
		r = try_ops_locked(s, w->ops, w->nops, &w->blocking);
	if (r == 0 && alters(w->ops, w->nops))
		run_waiters_locked(s);
	if (r > 0)
		ipc_sleep_prepare_locked(&w->sleeper, &s->waiters);
	return r;
}

int ipc_sem_op(int id, const struct sem_op *ops, unsigned nops, u64 deadline_ns)
{
	struct sem_waiter w = { .ops = ops, .nops = nops };

	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	int r = s ? op_locked(s, &w) : -EINVAL;
	spin_unlock(&sem_ids.lock);
	if (r <= 0)
		return r;
	r = ipc_sleep(&w.sleeper, &sem_ids.lock, deadline_ns);
	/* Never restarted, whatever the handler's flags. */
	return r == -ETIMEDOUT ? -EAGAIN : r == -ERESTARTSYS ? -EINTR : r;
}

/* ---- Control ---- */

int ipc_sem_stat(int id, bool by_index, struct sem_stat *ret)
{
	int r = -EINVAL;

	spin_lock(&sem_ids.lock);
	struct sem_set *s = (struct sem_set *)(by_index ? ipc_at_locked(&sem_ids, id) : ipc_find_locked(&sem_ids, id));
	if (s) {
		*ret = (struct sem_stat){ .perm = s->ipc.perm, .otime = s->otime, .ctime = s->ctime, .nsems = s->n };
		r = s->ipc.perm.id;
	}
	spin_unlock(&sem_ids.lock);
	return r;
}

int ipc_sem_set(int id, u32 uid, u32 gid, u32 mode)
{
	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s) {
		ipc_perm_set(&s->ipc.perm, uid, gid, mode);
		s->ctime = ipc_now();
	}
	spin_unlock(&sem_ids.lock);
	return s ? 0 : -EINVAL;
}

int ipc_sem_remove(int id)
{
	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s) {
		ipc_remove_locked(&sem_ids, &s->ipc);
		sem_total -= s->n;
		ipc_decide_all_locked(&s->waiters, -EIDRM);
	}
	spin_unlock(&sem_ids.lock);
	set_free(s);
	return s ? 0 : -EINVAL;
}

/* How many wait for sem num to grow, or to be zero. L held. */
static int count_waiters_locked(const struct sem_set *s, unsigned num, bool zero)
{
	const struct ipc_sleeper *l;
	int n = 0;

	list_for_each_entry(l, &s->waiters, link) {
		const struct sem_waiter *w = container_of(l, struct sem_waiter, sleeper);
		const struct sem_op *o = &w->ops[w->blocking];
		n += o->num == num && (zero ? o->op == 0 : o->op < 0);
	}
	return n;
}

int ipc_sem_query(int id, int num, int cmd)
{
	int r = -EINVAL;

	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s && num >= 0 && (unsigned)num < s->n) {
		switch (cmd) {
		case LX_SEM_GETVAL: r = s->sems[num].value; break;
		case LX_SEM_GETPID: r = s->sems[num].pid; break;
		case LX_SEM_GETNCNT: r = count_waiters_locked(s, (unsigned)num, false); break;
		case LX_SEM_GETZCNT: r = count_waiters_locked(s, (unsigned)num, true); break;
		}
	}
	spin_unlock(&sem_ids.lock);
	return r;
}

int ipc_sem_set_value(int id, int num, int value)
{
	int r = -EINVAL;

	if (value < 0 || value > LX_SEMVMX)
		return -ERANGE;
	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s && num >= 0 && (unsigned)num < s->n) {
		s->sems[num] = (struct sem){ value, PROC_PID };
		if (s->undo)
			s->undo[num] = 0;
		s->ctime = ipc_now();
		run_waiters_locked(s);
		r = 0;
	}
	spin_unlock(&sem_ids.lock);
	return r;
}

int ipc_sem_get_all(int id, u16 **ret_values, unsigned *ret_n)
{
	u16 *values = NULL;
	int r = -EINVAL;

	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s) {
		values = heap_alloc_array(s->n, sizeof(*values));
		r = values ? 0 : -ENOMEM;
		for (unsigned i = 0; values && i < s->n; i++)
			values[i] = (u16)s->sems[i].value;
		*ret_n = s->n;
	}
	spin_unlock(&sem_ids.lock);
	*ret_values = values;
	return r;
}

int ipc_sem_set_all(int id, const u16 *values, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (values[i] > LX_SEMVMX)
			return -ERANGE;
	spin_lock(&sem_ids.lock);
	struct sem_set *s = set_find_locked(id);
	if (s && s->n == n) {
		for (unsigned i = 0; i < n; i++)
			s->sems[i] = (struct sem){ values[i], PROC_PID };
		if (s->undo)
			memset(s->undo, 0, n * sizeof(s->undo[0]));
		s->ctime = ipc_now();
		run_waiters_locked(s);
	} else {
		s = NULL;
	}
	spin_unlock(&sem_ids.lock);
	return s ? 0 : -EIDRM;
}

void ipc_sem_info(struct sem_info *ret)
{
	spin_lock(&sem_ids.lock);
	*ret = (struct sem_info){ (int)sem_ids.used, ipc_last_index_locked(&sem_ids), sem_total };
	spin_unlock(&sem_ids.lock);
}
