/*
 * timers.c - the process's interval timers and POSIX timers: ptimers that send signals.
 *
 * Invariants: 1. A POSIX timer in the table has its signal entry queued at most once; while it is queued the
 * timer rests (ptimer.h), so overruns are counted and not queued. 2. A timer is freed only after
 * ptimer_stop and signal_entry_cancel: neither the callback nor a queue knows it then.
 * Locks: table_mutex for the table and all calls by id; the callbacks take signal locks only.
 * Can fail: -EAGAIN (too many), -ENOMEM, -EINVAL (no such id).
 */
#include "proc/timers.h"
#include "base/string.h"
#include "mm/heap.h"

struct posix_timer {
	struct ptimer pt;
	struct signal_entry entry;
	int id, tid;
	enum timer_notify notify;
	int overrun;                 /* T: of the signal delivered last */
};

static struct mutex table_mutex = MUTEX_INIT(table_mutex);
static struct posix_timer **table;   /* T: table_mutex; by id */
static unsigned table_size, ntimers; /* T */
static struct ptimer itimers[3], cpu_limit;

/* ---- Interval timers ---- */

static void itimer_fire(struct ptimer *p)
{
	static const int signals[3] = { SIG_ALRM, SIG_VTALRM, SIG_PROF };
	unsigned which = (unsigned)(p - itimers);

	int r = signal_send_checked(NULL, signals[which], NULL);
	if (which != 0 || r != 0)
		ptimer_skip(p);
}

void itimer_get(unsigned which, u64 *ret_left_ns, u64 *ret_interval_ns)
{
	ptimer_get(&itimers[which], ret_left_ns, ret_interval_ns);
}

void itimer_set(unsigned which, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval)
{
	ptimer_set(&itimers[which], false, value_ns, interval_ns, ret_old_left, ret_old_interval);
}

/* RLIMIT_CPU: a signal each second from the soft limit on, which moves along, as Linux's does; the end at the hard one. */
static void cpu_limit_fire(struct ptimer *p)
{
	struct rlimit64 *l = &process_rlimits[RLIM_CPU];
	u64 used_s = process_cpu_ns() / NSEC_PER_SEC;

	if (l->max != UINT64_MAX && used_s >= l->max) {
		signal_send(NULL, SIG_KILL, NULL);
	} else if (l->cur != UINT64_MAX) {
		signal_send(NULL, SIG_XCPU, NULL);
		WRITE_ONCE(l->cur, used_s + 1);
	}
	ptimer_skip(p);
}

void timers_cpu_limit_changed(void)
{
	u64 cur = process_rlimits[RLIM_CPU].cur;
	bool off = cur > UINT64_MAX / NSEC_PER_SEC / 2;

	ptimer_set(&cpu_limit, true, off ? 0 : MAX(cur * NSEC_PER_SEC, (u64)1), off ? 0 : NSEC_PER_SEC, NULL, NULL);
}

void timers_init(void)
{
	ptimer_init(&cpu_limit, PCLOCK_PROCESS_CPU, 0, cpu_limit_fire);
	ptimer_init(&itimers[0], PCLOCK_MONO, 0, itimer_fire);
	ptimer_init(&itimers[1], PCLOCK_PROCESS_CPU, 0, itimer_fire);
	ptimer_init(&itimers[2], PCLOCK_PROCESS_CPU, 0, itimer_fire);
}

/* ---- POSIX timers ---- */

static void posix_fire(struct ptimer *p)
{
	struct posix_timer *pt = container_of(p, struct posix_timer, pt);
	int r = 1;

	if (pt->notify == TIMER_TASK) {
		irq_flags_t f = spin_lock_irqsave(&process.lock);
		struct task *t = task_find(pt->tid);
		if (t)
			r = signal_send_entry(t, &pt->entry);
		spin_unlock_irqrestore(&process.lock, f);
	} else {
		r = signal_send_entry(NULL, &pt->entry);
	}
	if (r == 1)
		ptimer_skip(p);
}

static struct posix_timer *find_locked(int id)
{
	return id >= 0 && (unsigned)id < table_size ? table[id] : NULL;
}

/* A free id; the table grows by doubling. */
static int id_alloc_locked(void)
{
	for (unsigned i = 0; i < table_size; i++)
		if (!table[i])
			return (int)i;
	unsigned size = table_size ? table_size * 2 : 8;
	struct posix_timer **t = heap_realloc(table, size * sizeof(*t));
	if (!t)
		return -ENOMEM;
	int id = (int)table_size;
	table = t;
	table_size = size;
	return id;
}

static int posix_timer_add_locked(struct posix_timer *pt)
{
	if (ntimers >= MIN((u64)TIMERS_MAX, process_rlimits[RLIM_SIGPENDING].cur))
		return -EAGAIN;
	int id = id_alloc_locked();
	if (id < 0)
		return id;
	pt->id = id;
	table[id] = pt;
	ntimers++;
	return 0;
}

int ptimers_create(enum proc_clock c, int clock_tid, enum timer_notify n, int signo, u64 value, bool value_is_id, int tid, int *ret_id)
{
	struct posix_timer *pt = heap_alloc(sizeof(*pt));

	if (!pt)
		return -EAGAIN;
	ptimer_init(&pt->pt, c, clock_tid, posix_fire);
	pt->pt.silent = n == TIMER_NONE;
	pt->notify = n;
	pt->tid = tid;
	list_init(&pt->entry.link);
	pt->entry.owned = true;
	mutex_lock(&table_mutex);
	int r = posix_timer_add_locked(pt);
	if (r == 0) {
		pt->entry.info = (struct siginfo){ .signo = signo, .code = SIGCODE_TIMER,
			.timer = { .timer_id = (u32)pt->id, .value = value_is_id ? (u64)pt->id : value } };
		*ret_id = pt->id;
	}
	mutex_unlock(&table_mutex);
	if (r)
		heap_free(pt);
	return r;
}

int ptimers_set(int id, bool absolute, u64 value_ns, u64 interval_ns, u64 *ret_old_left, u64 *ret_old_interval)
{
	int r = -EINVAL;

	mutex_lock(&table_mutex);
	struct posix_timer *pt = find_locked(id);
	if (pt) {
		r = 0;
		/* The old setting's signal goes, before the new one's may come: at once, if its time is over. */
		timer_cancel(&pt->pt.timer);
		signal_entry_cancel(&pt->entry);
		pt->overrun = 0;
		ptimer_set(&pt->pt, absolute, value_ns, interval_ns, ret_old_left, ret_old_interval);
	}
	mutex_unlock(&table_mutex);
	return r;
}

int ptimers_get(int id, u64 *ret_left_ns, u64 *ret_interval_ns)
{
	int r = -EINVAL;

	mutex_lock(&table_mutex);
	struct posix_timer *pt = find_locked(id);
	if (pt) {
		r = 0;
		ptimer_get(&pt->pt, ret_left_ns, ret_interval_ns);
	}
	mutex_unlock(&table_mutex);
	return r;
}

int ptimers_overrun(int id)
{
	mutex_lock(&table_mutex);
	struct posix_timer *pt = find_locked(id);
	int r = pt ? pt->overrun : -EINVAL;
	mutex_unlock(&table_mutex);
	return r;
}

int ptimers_delete(int id)
{
	mutex_lock(&table_mutex);
	struct posix_timer *pt = find_locked(id);
	if (pt) {
		table[id] = NULL;
		ntimers--;
	}
	mutex_unlock(&table_mutex);
	if (!pt)
		return -EINVAL;
	ptimer_stop(&pt->pt);
	signal_entry_cancel(&pt->entry);
	heap_free(pt);
	return 0;
}

void timers_signal_taken(struct siginfo *info)
{
	if (info->signo == SIG_ALRM && ptimer_expired(&itimers[0]))
		(void)ptimer_take(&itimers[0]);
	if (info->code != SIGCODE_TIMER)
		return;
	mutex_lock(&table_mutex);
	struct posix_timer *pt = find_locked((int)info->timer.timer_id);
	if (pt && pt->entry.info.signo == info->signo) {
		u64 n = ptimer_take(&pt->pt);
		pt->overrun = n > 1 ? (int)MIN(n - 1, (u64)INT32_MAX) : 0;
		info->timer.overrun = pt->overrun;
	}
	mutex_unlock(&table_mutex);
}
