/*
 * robust.c - what a leaving task owes to those who wait for it: robust futexes and the CLEARTID word.
 *
 * The list is the program's memory and may be anything: each entry is fetched once, the walk is bounded, a
 * fault ends it silently. Runs in the leaving task's context; may sleep. Cannot fail.
 */
#include "linux/dispatch.h"
#include "linux/futex_pi.h"
#include "linux/lx_futex.h"
#include "linux/syscall.h"
#include "proc/futex.h"
#include "proc/process.h"
#include "vm/aspace.h"

static void wake_word(struct uaddr a)
{
	u64 key[2];

	/* Shared or private, by whichever key its waiters came. */
	if (vm_futex_key(a.va, true, key) == 0 && futex_wake(key, 1, FUTEX_MATCH_ANY))
		return;
	if (vm_futex_key(a.va, false, key) == 0)
		(void)futex_wake(key, 1, FUTEX_MATCH_ANY);
}

/* One lock of the dead: mark it, and wake one who waits. False ends the walk. */
static bool word_died(struct uaddr a, int tid, bool pi, bool is_pending)
{
	u32 val, seen;

	if (a.va & 3 || user_load_u32(a, &val))
		return false;
	/* Died between giving up (word 0) and waking: pass the wake on. */
	if (is_pending && !pi && !val) {
		wake_word(a);
		return true;
	}
	while ((val & LX_FUTEX_TID_MASK) == (u32)tid) {
		if (pi)
			return futex_pi_owner_died(a, tid) == 0;
		if (user_cmpxchg_u32(a, val, (val & LX_FUTEX_WAITERS) | LX_FUTEX_OWNER_DIED, &seen))
			return false;
		if (seen == val) {
			if (val & LX_FUTEX_WAITERS)
				wake_word(a);
			break;
		}
		val = seen;
	}
	return true;
}

static void robust_walk(struct task *t)
{
	struct lx_robust_head h;
	struct uaddr head = uaddr_make(t->robust_list);

	if (copy_from_user(&h, head, sizeof(h)))
		return;
	u64 entry = h.next, pending = h.pending & ~1ull;
	for (unsigned n = 0; (entry & ~1ull) != head.va && n < LX_ROBUST_LIST_LIMIT; n++) {
		struct uaddr e = uaddr_make(entry & ~1ull);
		u64 next;
		bool last = copy_from_user(&next, e, sizeof(next));
		if (e.va != pending && !word_died(uaddr_make(e.va + (u64)h.futex_offset), t->tid, entry & 1, false))
			return;
		if (last)
			return;
		entry = next;
		sched_poll();
	}
	if (pending)
		(void)word_died(uaddr_make(pending + (u64)h.futex_offset), t->tid, h.pending & 1, true);
}

void robust_leave(struct task *t)
{
	/* The end of the process: nobody is left to wait, and the machine goes. */
	if (__atomic_load_n(&process.ending, __ATOMIC_ACQUIRE))
		return;
	if (t->robust_list)
		robust_walk(t);
	futex_pi_task_left(t->tid);
	if (t->clear_child_tid && task_count() > 1) {
		struct uaddr a = uaddr_make(t->clear_child_tid);
		u64 key[2];
		u32 zero = 0;
		if (copy_to_user(a, &zero, sizeof(zero)) == 0 && vm_futex_key(a.va, true, key) == 0)
			(void)futex_wake(key, 1, FUTEX_MATCH_ANY);
	}
}
