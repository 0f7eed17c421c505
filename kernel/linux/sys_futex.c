/*
 * sys_futex.c - the futex call: reads and changes the program's words; the queues are proc/futex.h's.
 *
 * Order of checks as Linux: command, then timeout, then alignment, then the word itself. Can fail: -EFAULT,
 * -EINVAL, -EAGAIN (the word has changed), -ETIMEDOUT, -EINTR (through restart codes), -ENOSYS.
 */
#include "linux/futex_pi.h"
#include "linux/lx_futex.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "mm/heap.h"
#include "proc/futex.h"
#include "proc/timers.h"
#include "vm/aspace.h"

static ALWAYS_INLINE int key_of(struct uaddr a, bool shared, u64 key[2])
{
	if (a.va & 3)
		return -EINVAL;
	if (shared || a.va >= ARCH_USER_TOP)
		return vm_futex_key(a.va, shared, key);
	key[0] = 0;                  /* private: the address says it all */
	key[1] = a.va;
	return 0;
}

static NOINLINE long wait_once(struct uaddr a, bool shared, u32 val, u32 bitset, u64 deadline_ns)
{
	NO_AUTO_INIT struct futex_waiter w;
	NO_AUTO_INIT u64 key[2];
	NO_AUTO_INIT u32 now;
	int r = key_of(a, shared, key);

	/* Nobody needs to know of a waiter whose word has changed already. */
	if (r == 0)
		r = user_load_u32(a, &now);
	if (r || now != val)
		return r ? r : -EAGAIN;
	futex_enqueue(&w, key, bitset);
	r = user_load_u32(a, &now);
	if (r || now != val) {
		(void)futex_cancel(&w);
		return r ? r : -EAGAIN;
	}
	return futex_block(&w, deadline_ns);
}

/* restart_args: 0 address, 1 shared, 2 val, 3 bitset, 4 deadline. */
static long wait_again(struct task *t)
{
	const u64 *a = t->restart_args;
	long r = wait_once(uaddr_make(a[0]), a[1], (u32)a[2], (u32)a[3], a[4]);

	return r == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : r;
}

static long futex_wait(struct uaddr a, bool shared, u32 val, u32 bitset, u64 deadline_ns)
{
	struct task *t = task_current();

	if (!bitset)
		return -EINVAL;
	long r = wait_once(a, shared, val, bitset, deadline_ns);
	if (r != -ERESTARTSYS || deadline_ns == WAIT_FOREVER)
		return r;
	t->restart = wait_again;
	t->restart_args[0] = a.va;
	t->restart_args[1] = shared;
	t->restart_args[2] = val;
	t->restart_args[3] = bitset;
	t->restart_args[4] = deadline_ns;
	return -ERESTART_RESTARTBLOCK;
}

static ALWAYS_INLINE long wake(struct uaddr a, bool shared, u32 nr, u32 bitset)
{
	NO_AUTO_INIT u64 key[2];

	if (!bitset)
		return -EINVAL;
	int r = key_of(a, shared, key);
	if (r)
		return r;
	if (unlikely(!futex_pi_cond_idle()) && futex_cond_is_pi(key))
		return -EINVAL;              /* they may only be requeued to their lock */
	return futex_wake(key, MAX((int)nr, 1), bitset);
}

static NOINLINE int key_call(struct uaddr a, bool shared, u64 key[2]) { return key_of(a, shared, key); }

static COLD long requeue(struct uaddr a, struct uaddr a2, bool shared, u32 nwake, u32 nmove, const u32 *cmp)
{
	u64 key[2], key2[2];
	int woken, r;

	if ((int)nwake < 0 || (int)nmove < 0)
		return -EINVAL;
	if ((r = key_call(a, shared, key)) || (r = key_call(a2, shared, key2)))
		return r;
	if (futex_cond_is_pi(key))
		return -EINVAL;
	if (!cmp) {
		/* Without a comparison Linux answers with the woken ones and the moved ones alike. */
		return futex_requeue(key, key2, (int)nwake, (int)nmove, NULL, &woken);
	}
	for (;;) {
		u32 seq = futex_seq(key), now;
		if ((r = user_load_u32(a, &now)))
			return r;
		if (now != *cmp)
			return -EAGAIN;
		r = futex_requeue(key, key2, (int)nwake, (int)nmove, &seq, &woken);
		if (r != -EAGAIN)
			return r;
		sched_poll();
	}
}

static long requeue_pi(struct uaddr a, struct uaddr a2, bool shared, u32 nwake, u32 nmove, u32 cmp)
{
	/* More than one cannot own the lock. */
	if (nwake != 1 || (int)nmove < 0)
		return -EINVAL;
	return futex_cmp_requeue_pi(a, a2, shared, nmove, cmp);
}

/* The operation of WAKE_OP on the second word: op:4 cmp:4 oparg:12 cmparg:12. */
static int word_op(struct uaddr a, u32 code, bool *ret_wake_second)
{
	u32 op = code >> 28 & 7, cmp = code >> 24 & 15;
	s32 oparg = (s32)(code << 8) >> 20, cmparg = (s32)(code << 20) >> 20;
	u32 old, seen, val;
	int r;

	if (code >> 31)
		oparg = (s32)(1u << (oparg & 31));
	if ((r = user_load_u32(a, &old)))
		return r;
	for (;;) {
		switch (op) {
		case LX_FUTEX_OP_SET: val = (u32)oparg; break;
		case LX_FUTEX_OP_ADD: val = old + (u32)oparg; break;
		case LX_FUTEX_OP_OR: val = old | (u32)oparg; break;
		case LX_FUTEX_OP_ANDN: val = old & ~(u32)oparg; break;
		case LX_FUTEX_OP_XOR: val = old ^ (u32)oparg; break;
		default: return -ENOSYS;
		}
		if ((r = user_cmpxchg_u32(a, old, val, &seen)))
			return r;
		if (seen == old)
			break;
		old = seen;
	}
	s32 o = (s32)old;
	switch (cmp) {
	case LX_FUTEX_CMP_EQ: *ret_wake_second = o == cmparg; break;
	case LX_FUTEX_CMP_NE: *ret_wake_second = o != cmparg; break;
	case LX_FUTEX_CMP_LT: *ret_wake_second = o < cmparg; break;
	case LX_FUTEX_CMP_LE: *ret_wake_second = o <= cmparg; break;
	case LX_FUTEX_CMP_GT: *ret_wake_second = o > cmparg; break;
	case LX_FUTEX_CMP_GE: *ret_wake_second = o >= cmparg; break;
	default: return -ENOSYS;
	}
	return 0;
}

static long wake_op(struct uaddr a, struct uaddr a2, bool shared, u32 nr, u32 nr2, u32 code)
{
	u64 key[2], key2[2];
	bool second = false;
	int r;

	if ((r = key_call(a, shared, key)) || (r = key_call(a2, shared, key2)) || (r = word_op(a2, code, &second)))
		return r;
	int n = futex_wake(key, MAX((int)nr, 1), FUTEX_MATCH_ANY);
	if (second)
		n += futex_wake(key2, MAX((int)nr2, 1), FUTEX_MATCH_ANY);
	return n;
}

/* The deadline of the commands that wait. */
static int deadline_of(int op, struct uaddr timeout, u64 *ret_deadline)
{
	struct lx_timespec ts;
	int cmd = op & LX_FUTEX_CMD_MASK;
	u64 ns;

	*ret_deadline = WAIT_FOREVER;
	if (uaddr_is_null(timeout))
		return 0;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&ts, &ns))
		return -EINVAL;
	bool real = (op & LX_FUTEX_CLOCK_REALTIME) || cmd == LX_FUTEX_LOCK_PI;
	if (cmd == LX_FUTEX_WAIT)
		*ret_deadline = proc_deadline_after(ns);
	else
		*ret_deadline = proc_clock_to_mono(real ? PCLOCK_REAL : PCLOCK_MONO, ns);
	return 0;
}

static bool realtime_allowed(int cmd)
{
	return cmd == LX_FUTEX_WAIT_BITSET || cmd == LX_FUTEX_WAIT_REQUEUE_PI || cmd == LX_FUTEX_LOCK_PI2;
}

static bool takes_timeout(int cmd)
{
	return cmd == LX_FUTEX_WAIT || cmd == LX_FUTEX_WAIT_BITSET || cmd == LX_FUTEX_LOCK_PI || cmd == LX_FUTEX_LOCK_PI2 ||
	       cmd == LX_FUTEX_WAIT_REQUEUE_PI;
}

static NOINLINE long wake_call(struct uaddr a, bool shared, u32 nr, u32 bitset) { return wake(a, shared, nr, bitset); }

static NOINLINE long other(struct uaddr a, int op, unsigned val, struct uaddr timeout, struct uaddr a2, unsigned val3)
{
	int r, cmd = op & LX_FUTEX_CMD_MASK;
	bool shared = !(op & LX_FUTEX_PRIVATE);
	u32 val2 = (u32)timeout.va;
	u64 deadline = WAIT_FOREVER;

	if (takes_timeout(cmd) && (r = deadline_of(op, timeout, &deadline)))
		return r;
	if ((op & LX_FUTEX_CLOCK_REALTIME) && !realtime_allowed(cmd))
		return -ENOSYS;
	switch (cmd) {
	case LX_FUTEX_WAIT:
		return futex_wait(a, shared, val, FUTEX_MATCH_ANY, deadline);
	case LX_FUTEX_WAIT_BITSET:
		return futex_wait(a, shared, val, val3, deadline);
	case LX_FUTEX_WAKE_BITSET:
		return wake_call(a, shared, val, val3);
	case LX_FUTEX_REQUEUE:
		return requeue(a, a2, shared, val, val2, NULL);
	case LX_FUTEX_CMP_REQUEUE:
		return requeue(a, a2, shared, val, val2, &val3);
	case LX_FUTEX_WAKE_OP:
		return wake_op(a, a2, shared, val, val2, val3);
	case LX_FUTEX_LOCK_PI:
	case LX_FUTEX_LOCK_PI2:
		return futex_lock_pi(a, shared, deadline, false);
	case LX_FUTEX_TRYLOCK_PI:
		return futex_lock_pi(a, shared, 0, true);
	case LX_FUTEX_UNLOCK_PI:
		return futex_unlock_pi(a, shared);
	case LX_FUTEX_WAIT_REQUEUE_PI:
		return futex_wait_requeue_pi(a, val, a2, shared, deadline);
	case LX_FUTEX_CMP_REQUEUE_PI:
		return requeue_pi(a, a2, shared, val, val2, val3);
	default:
		return -ENOSYS;
	}
}

long sys_futex(struct uaddr a, int op, unsigned val, struct uaddr timeout, struct uaddr a2, unsigned val3)
{
	bool shared = !(op & LX_FUTEX_PRIVATE);
	int cmd = op & ~LX_FUTEX_PRIVATE;

	if (cmd == LX_FUTEX_WAKE)
		return wake(a, shared, val, FUTEX_MATCH_ANY);
	if (cmd == LX_FUTEX_WAIT && uaddr_is_null(timeout))
		return wait_once(a, shared, val, FUTEX_MATCH_ANY, WAIT_FOREVER);
	return other(a, op, val, timeout, a2, val3);
}

/* ---- Several words at once ---- */

static int waitv_get(struct lx_futex_waitv *v, struct uaddr from, unsigned n)
{
	if (copy_from_user(v, from, n * sizeof(*v)))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++)
		if ((v[i].flags & ~(LX_FUTEX_32 | LX_FUTEX_PRIVATE)) || !(v[i].flags & LX_FUTEX_32) || v[i].reserved)
			return -EINVAL;
	return 0;
}

/* Queue on each word in turn, looking at it; the place of one that was woken meanwhile counts as success. 0: all hold. */
static int waitv_queue(struct futex_waiter *ws, const struct lx_futex_waitv *v, unsigned n, int *ret_woken)
{
	u64 key[2];
	u32 now;
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		r = key_call(uaddr_make(v[i].uaddr), !(v[i].flags & LX_FUTEX_PRIVATE), key);
		if (r == 0) {
			futex_enqueue_any(ws, i, key);
			r = user_load_u32(uaddr_make(v[i].uaddr), &now);
			if (r == 0 && now != (u32)v[i].val)
				r = -EAGAIN;
			if (r)
				i++;
		}
		if (r) {
			*ret_woken = futex_cancel_any(ws, i);
			/* The one whose word differs was not waited on. */
			return r;
		}
	}
	return 0;
}

static int waitv_deadline(struct uaddr timeout, int clock, u64 *ret_deadline)
{
	struct lx_timespec ts;
	u64 ns;

	*ret_deadline = WAIT_FOREVER;
	if (uaddr_is_null(timeout))
		return 0;
	if (clock != LX_CLOCK_REALTIME && clock != LX_CLOCK_MONOTONIC)
		return -EINVAL;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&ts, &ns))
		return -EINVAL;
	*ret_deadline = proc_clock_to_mono(clock == LX_CLOCK_REALTIME ? PCLOCK_REAL : PCLOCK_MONO, ns);
	return 0;
}

COLD long sys_futex_waitv(struct uaddr waiters, unsigned nr, unsigned flags, struct uaddr timeout, int clock)
{
	u64 deadline;
	int r, woken = -1;

	if (flags || !nr || nr > LX_FUTEX_WAITV_MAX || uaddr_is_null(waiters))
		return -EINVAL;
	if ((r = waitv_deadline(timeout, clock, &deadline)))
		return r;
	struct lx_futex_waitv *v = heap_alloc_array(nr, sizeof(*v));
	struct futex_waiter *ws = heap_alloc_array(nr, sizeof(*ws));
	r = v && ws ? waitv_get(v, waiters, nr) : -ENOMEM;
	if (r == 0) {
		r = waitv_queue(ws, v, nr, &woken);
		if (r == 0)
			r = futex_block_any(ws, nr, deadline);
		else if (woken >= 0)
			r = woken;
	}
	heap_free(ws);
	heap_free(v);
	return r;
}

long sys_set_robust_list(struct uaddr head, size_t len)
{
	if (len != LX_ROBUST_LIST_HEAD_SIZE)
		return -EINVAL;
	task_current()->robust_list = head.va;
	return 0;
}

long sys_get_robust_list(int pid, struct uaddr head, struct uaddr len)
{
	u64 value, size = LX_ROBUST_LIST_HEAD_SIZE;
	irq_flags_t f = spin_lock_irqsave(&process.lock);
	struct task *t = pid ? task_find(pid) : task_current();

	value = t ? t->robust_list : 0;
	spin_unlock_irqrestore(&process.lock, f);
	if (!t)
		return -ESRCH;
	if (copy_to_user(len, &size, sizeof(size)) || copy_to_user(head, &value, sizeof(value)))
		return -EFAULT;
	return 0;
}
