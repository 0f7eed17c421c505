/*
 * signal.c - sending and taking signals.
 *
 * Invariants: 1. pending has a signal's bit exactly when the signal is pending; a queue entry may be
 * missing (no memory), then the signal carries no information. 2. THREAD_WORK_SIGNAL of a task is set
 * whenever (its pending | process.pending) & ~blocked is not empty, or a mask must be put back
 * (signal_pop_mask); the task alone clears it. 3. nqueued counts the entries that came from the heap.
 * Locks: process.sig_lock, process.lock around it where tasks other than the caller are touched.
 * Can fail: real-time signals beyond RLIMIT_SIGPENDING or memory (-EAGAIN).
 */
#include "proc/signal.h"
#include "proc/timers.h"
#include "base/string.h"
#include "mm/heap.h"

static struct heap_cache entry_cache = HEAP_CACHE(signal_entry);
static struct signal_entry *spare;           /* sig_lock: one that was freed, for the next signal */

void signal_init(void)
{
	spin_init(&process.sig_lock);
	list_init(&process.queue);
	process.pending = 0;
	process.nqueued = 0;
	memset(process.actions, 0, sizeof(process.actions));
	waitq_init(&process.sig_waitq);
}

void signal_init_task(struct task *t)
{
	list_init(&t->queue);
}

enum signal_default signal_default_of(int signo)
{
	switch (signo) {
	case SIG_CHLD: case SIG_URG: case SIG_WINCH:
		return SIGNAL_IGNORED;
	case SIG_CONT:
		return SIGNAL_CONTINUES;
	case SIG_STOP: case SIG_TSTP: case SIG_TTIN: case SIG_TTOU:
		return SIGNAL_STOPS;
	case SIG_QUIT: case SIG_ILL: case SIG_TRAP: case SIG_ABRT: case SIG_BUS: case SIG_FPE:
	case SIG_SEGV: case SIG_XCPU: case SIG_XFSZ: case SIG_SYS:
		return SIGNAL_DUMPS;
	default:
		return SIGNAL_KILLS;
	}
}

/* Nothing stops and nothing is continued here, so those default actions are to ignore. */
static bool action_ignores_locked(int signo)
{
	u64 h = process.actions[signo - 1].handler;

	if (h == SIGNAL_IGNORE)
		return true;
	return h == SIGNAL_DEFAULT && signal_default_of(signo) >= SIGNAL_IGNORED;
}

/* ---- Queues ---- */

static void entry_free_locked(struct signal_entry *e)
{
	list_remove(&e->link);
	if (e->owned)
		return;
	process.nqueued--;
	if (!spare)
		spare = e;
	else
		heap_cache_free(&entry_cache, e);
}

/* Drop what is queued of the signals in mask. */
static void queue_drop_locked(sigset *pending, struct list *queue, sigset mask)
{
	struct signal_entry *e, *tmp;

	if (!(*pending & mask))
		return;
	*pending &= ~mask;
	list_for_each_entry_safe(e, tmp, queue, link)
		if (mask & SIGSET_OF(e->info.signo))
			entry_free_locked(e);
}

void signal_drop_task(struct task *t)
{
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);

	queue_drop_locked(&t->pending, &t->queue, ~0ull);
	spin_unlock_irqrestore(&process.sig_lock, f);
}

/* The first of the set: faults before others, then the lowest number. */
static int first_of(sigset set)
{
	if (set & SIGSET_FAULTS)
		set &= SIGSET_FAULTS;
	return __builtin_ctzll(set) + 1;
}

static bool queue_take_locked(sigset *pending, struct list *queue, sigset mask, struct siginfo *ret)
{
	sigset set = *pending & mask;
	struct signal_entry *e, *found = NULL;
	bool more = false;

	if (!set)
		return false;
	int signo = first_of(set);
	list_for_each_entry(e, queue, link) {
		if (e->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		*pending &= ~SIGSET_OF(signo);
	if (found) {
		*ret = found->info;
		entry_free_locked(found);
	} else {
		*ret = (struct siginfo){ .signo = signo, .code = SIGCODE_USER };
	}
	return true;
}

/* ---- Sending ---- */

static sigset deliverable_locked(const struct task *t)
{
	return (t->pending | process.pending) & ~t->blocked;
}

static bool wants(const struct task *t, int signo)
{
	return !t->exiting && !(t->blocked & SIGSET_OF(signo));
}

/* Tell somebody who will take it. process.lock is held if t is NULL. */
static void notify_locked(struct task *t, int signo)
{
	struct task *it;

	if (t) {
		if (wants(t, signo))
			thread_set_work(t->thread, THREAD_WORK_SIGNAL);
		return;
	}
	list_for_each_entry(it, &process.tasks, link)
		if (wants(it, signo)) {
			thread_set_work(it->thread, THREAD_WORK_SIGNAL);
			return;
		}
}

static bool is_dropped_locked(struct task *t, int signo)
{
	sigset bit = SIGSET_OF(signo);
	struct task *it;

	if (!action_ignores_locked(signo))
		return false;
	if (t)
		return !(t->blocked & bit) && !(t->waiting & bit);
	/* For the process: kept if the first task blocks it, as somebody may ask for it later, or if anybody waits. */
	bool first = true;
	list_for_each_entry(it, &process.tasks, link) {
		if ((it->waiting & bit) || (first && (it->blocked & bit)))
			return false;
		first = false;
	}
	return true;
}

static void queue_add_locked(struct task *t, struct signal_entry *e)
{
	e->queue = t ? &t->queue : &process.queue;
	e->pending = t ? &t->pending : &process.pending;
	list_append(e->queue, &e->link);
	*e->pending |= SIGSET_OF(e->info.signo);
}

static int enqueue_locked(struct task *t, int signo, const struct siginfo *info)
{
	sigset *pending = t ? &t->pending : &process.pending;
	struct signal_entry *e = NULL;
	bool realtime = signo >= 32;

	if (!realtime && (*pending & SIGSET_OF(signo)))
		return 0;
	if (process.nqueued < process_rlimits[RLIM_SIGPENDING].cur || (!realtime && info && info->code > 0))
		e = spare ? spare : heap_cache_alloc(&entry_cache);
	if (e) {
		spare = NULL;
		if (info)
			e->info = *info;
		else
			e->info = (struct siginfo){ .code = SIGCODE_KERNEL };
		e->info.signo = signo;
		process.nqueued++;
		queue_add_locked(t, e);
		return 0;
	}
	if (realtime && info && info->code != SIGCODE_USER)
		return -EAGAIN;
	*pending |= SIGSET_OF(signo);
	return 0;
}

/* SIGCONT takes pending stops away and the other way round, before anything else. */
static void cancel_opposites_locked(struct task *t, int signo)
{
	sigset stops = SIGSET_OF(SIG_STOP) | SIGSET_OF(SIG_TSTP) | SIGSET_OF(SIG_TTIN) | SIGSET_OF(SIG_TTOU);
	sigset gone = signo == SIG_CONT ? stops : (stops & SIGSET_OF(signo)) ? SIGSET_OF(SIG_CONT) : 0;

	if (!gone)
		return;
	queue_drop_locked(&process.pending, &process.queue, gone);
	if (t)
		queue_drop_locked(&t->pending, &t->queue, gone);
}

/* process.lock is held if t is NULL. */
static int send_sig_locked(struct task *t, int signo, const struct siginfo *info)
{
	cancel_opposites_locked(t, signo);
	if (is_dropped_locked(t, signo))
		return 1;
	int r = enqueue_locked(t, signo, info);
	if (r == 0)
		notify_locked(t, signo);
	return r;
}

int signal_send_checked(struct task *t, int signo, const struct siginfo *info)
{
	irq_flags_t f = arch_irq_save();

	if (!t)
		spin_lock(&process.lock);
	spin_lock(&process.sig_lock);
	int r = send_sig_locked(t, signo, info);
	spin_unlock(&process.sig_lock);
	if (!t)
		spin_unlock(&process.lock);
	arch_irq_restore(f);
	if (r == 0)
		waitq_wake_all(&process.sig_waitq);
	return r;
}

void signal_send(struct task *t, int signo, const struct siginfo *info)
{
	(void)signal_send_checked(t, signo, info);
}

int signal_send_entry(struct task *t, struct signal_entry *e)
{
	int r = 0;
	irq_flags_t f = arch_irq_save();

	if (!t)
		spin_lock(&process.lock);
	spin_lock(&process.sig_lock);
	if (!list_empty(&e->link)) {
		r = 2;
	} else if (is_dropped_locked(t, e->info.signo)) {
		r = 1;
	} else {
		queue_add_locked(t, e);
		notify_locked(t, e->info.signo);
	}
	spin_unlock(&process.sig_lock);
	if (!t)
		spin_unlock(&process.lock);
	arch_irq_restore(f);
	if (r == 0)
		waitq_wake_all(&process.sig_waitq);
	return r;
}

void signal_entry_cancel(struct signal_entry *e)
{
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);

	if (!list_empty(&e->link)) {
		struct signal_entry *it;
		bool more = false;

		list_remove(&e->link);
		list_for_each_entry(it, e->queue, link)
			more |= it->info.signo == e->info.signo;
		if (!more)
			*e->pending &= ~SIGSET_OF(e->info.signo);
	}
	spin_unlock_irqrestore(&process.sig_lock, f);
}

void signal_force(int signo, const struct siginfo *info)
{
	struct task *t = task_current();
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);
	struct signal_action *a = &process.actions[signo - 1];
	bool blocked = t->blocked & SIGSET_OF(signo);

	if (blocked || a->handler == SIGNAL_IGNORE) {
		a->handler = SIGNAL_DEFAULT;
		t->blocked &= ~SIGSET_OF(signo);
	}
	(void)enqueue_locked(t, signo, info);
	thread_set_work(t->thread, THREAD_WORK_SIGNAL);
	spin_unlock_irqrestore(&process.sig_lock, f);
}

/* ---- The task's own side ---- */

/* After a change of the mask or of what is pending: bring the work bit up to date. */
static void recalc_locked(struct task *t)
{
	if (deliverable_locked(t))
		thread_set_work(t->thread, THREAD_WORK_SIGNAL);
	else
		thread_clear_work(t->thread, THREAD_WORK_SIGNAL);
}

bool signal_pending(void)
{
	const struct task *t = task_current();

	return t && (READ_ONCE(t->pending) | READ_ONCE(process.pending)) & ~t->blocked;
}

sigset signal_pending_set(void)
{
	const struct task *t = task_current();

	return (t ? READ_ONCE(t->pending) : 0) | READ_ONCE(process.pending);
}

/* What the task no longer takes of the process's signals, another one may. process.lock is held. */
static void hand_on_locked(struct task *t, sigset now_blocked)
{
	sigset left = process.pending & now_blocked;

	while (left) {
		int signo = __builtin_ctzll(left) + 1;
		left &= left - 1;
		notify_locked(NULL, signo);
	}
}

static void set_mask(struct task *t, sigset mask, bool restore)
{
	sigset newly = mask & ~t->blocked;
	irq_flags_t f = arch_irq_save();
	bool hand_on = newly & READ_ONCE(process.pending) && process.ntasks > 1;

	if (hand_on)
		spin_lock(&process.lock);
	spin_lock(&process.sig_lock);
	t->blocked = mask & ~SIGSET_UNBLOCKABLE;
	t->restore_mask = restore;
	if (hand_on)
		hand_on_locked(t, newly);
	recalc_locked(t);
	spin_unlock(&process.sig_lock);
	if (hand_on)
		spin_unlock(&process.lock);
	arch_irq_restore(f);
}

void signal_set_mask(sigset mask)
{
	struct task *t = task_current();

	set_mask(t, mask, t->restore_mask);
}

void signal_leave_task(struct task *t)
{
	t->exiting = true;
	set_mask(t, ~0ull, false);
}

void signal_push_mask(sigset mask)
{
	struct task *t = task_current();

	t->saved_mask = t->blocked;
	set_mask(t, mask, true);
}

void signal_pop_mask(bool interrupted)
{
	struct task *t = task_current();

	if (!t->restore_mask)
		return;
	if (interrupted) {
		thread_set_work(t->thread, THREAD_WORK_SIGNAL);
		return;
	}
	set_mask(t, t->saved_mask, false);
}

void signal_set_action(int signo, const struct signal_action *new_or_null, struct signal_action *ret_old_or_null)
{
	struct task *t;
	irq_flags_t f = spin_lock_irqsave(&process.lock);

	spin_lock(&process.sig_lock);
	struct signal_action *a = &process.actions[signo - 1];
	if (ret_old_or_null)
		*ret_old_or_null = *a;
	if (new_or_null) {
		*a = *new_or_null;
		a->mask &= ~SIGSET_UNBLOCKABLE;
		if (action_ignores_locked(signo)) {
			queue_drop_locked(&process.pending, &process.queue, SIGSET_OF(signo));
			list_for_each_entry(t, &process.tasks, link)
				queue_drop_locked(&t->pending, &t->queue, SIGSET_OF(signo));
		}
	}
	spin_unlock(&process.sig_lock);
	spin_unlock_irqrestore(&process.lock, f);
}

bool signal_take(struct siginfo *ret, struct signal_action *ret_action)
{
	struct task *t = task_current();
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);
	bool got = queue_take_locked(&t->pending, &t->queue, ~t->blocked, ret) ||
		   queue_take_locked(&process.pending, &process.queue, ~t->blocked, ret);

	if (got) {
		struct signal_action *a = &process.actions[ret->signo - 1];
		*ret_action = *a;
		if ((a->flags & 0x80000000u) && a->handler > SIGNAL_IGNORE) /* SA_RESETHAND */
			a->handler = SIGNAL_DEFAULT;
	} else {
		thread_clear_work(t->thread, THREAD_WORK_SIGNAL);
	}
	spin_unlock_irqrestore(&process.sig_lock, f);
	if (got)
		timers_signal_taken(ret);
	return got;
}

/* ---- Waiting ---- */

/* t NULL: a kernel thread that works for the process (a request of io_uring) takes the process's. */
static bool take_from_locked(struct task *t, sigset mask, struct siginfo *ret)
{
	return (t && queue_take_locked(&t->pending, &t->queue, mask, ret)) ||
	       queue_take_locked(&process.pending, &process.queue, mask, ret);
}

bool signal_take_from(sigset mask, struct siginfo *ret)
{
	struct task *t = task_current();
	irq_flags_t f = spin_lock_irqsave(&process.sig_lock);
	bool got = take_from_locked(t, mask & ~SIGSET_UNBLOCKABLE, ret);

	if (got && t)
		recalc_locked(t);
	spin_unlock_irqrestore(&process.sig_lock, f);
	if (got)
		timers_signal_taken(ret);
	return got;
}

int signal_wait(sigset mask, u64 deadline_ns, struct siginfo *ret)
{
	struct task *t = task_current();
	sigset old;
	irq_flags_t f;

	mask &= ~SIGSET_UNBLOCKABLE;
	f = spin_lock_irqsave(&process.sig_lock);
	bool got = take_from_locked(t, mask, ret);
	old = t->blocked;
	if (!got && deadline_ns != 0) {
		t->waiting = mask;
		t->blocked &= ~mask;
	}
	recalc_locked(t);
	spin_unlock_irqrestore(&process.sig_lock, f);
	if (!got && deadline_ns != 0) {
		int r = sched_sleep_until(deadline_ns, true);

		f = spin_lock_irqsave(&process.sig_lock);
		t->waiting = 0;
		got = take_from_locked(t, mask, ret);
		t->blocked = old;
		recalc_locked(t);
		spin_unlock_irqrestore(&process.sig_lock, f);
		if (!got && r == -ERESTARTSYS)
			return -EINTR;
	}
	if (!got)
		return -EAGAIN;
	timers_signal_taken(ret);
	return 0;
}

u32 signal_poll(sigset mask, struct poll_table *pt)
{
	poll_add(pt, &process.sig_waitq);
	return signal_pending_set() & mask ? POLL_IN | POLL_RDNORM : 0;
}
