/*
 * sys_time.c - clocks, sleeping, interval timers, POSIX timers, usage of the CPU.
 *
 * All of a task's CPU time is shown as user time: the machine does not measure the kernel's part. VIRTUAL and
 * PROF therefore count the same. Setting clocks is refused (syscalls.def). Layouts: lx_time.h.
 */
#include "linux/dispatch.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "proc/timers.h"

#define COARSE_RES_NS (4 * NSEC_PER_MSEC)

/* A clock id of the program. false: EINVAL. Negative ids carry a pid or tid: ~pid << 3 | per-thread 4 | kind. */
static bool clock_of(int id, enum proc_clock *ret, int *ret_tid)
{
	*ret_tid = 0;
	switch (id) {
	case LX_CLOCK_REALTIME: case LX_CLOCK_REALTIME_COARSE: case LX_CLOCK_REALTIME_ALARM:
		*ret = PCLOCK_REAL;
		return true;
	case LX_CLOCK_MONOTONIC: case LX_CLOCK_MONOTONIC_RAW: case LX_CLOCK_MONOTONIC_COARSE:
		*ret = PCLOCK_MONO;
		return true;
	case LX_CLOCK_BOOTTIME: case LX_CLOCK_BOOTTIME_ALARM:
		*ret = PCLOCK_BOOT;
		return true;
	case LX_CLOCK_TAI:
		*ret = PCLOCK_TAI;
		return true;
	case LX_CLOCK_PROCESS_CPUTIME_ID:
		*ret = PCLOCK_PROCESS_CPU;
		return true;
	case LX_CLOCK_THREAD_CPUTIME_ID:
		*ret = PCLOCK_THREAD_CPU;
		return true;
	}
	if (id >= 0 || (id & 3) == 3)
		return false;
	int pid = ~(id >> 3);
	if (id & 4) {
		*ret = PCLOCK_THREAD_CPU;
		*ret_tid = pid;
		u64 now;
		return proc_clock_now(*ret, pid, &now);
	}
	*ret = PCLOCK_PROCESS_CPU;
	return pid == 0 || pid == PROC_PID;
}

long sys_clock_gettime(int clock, struct uaddr tp)
{
	enum proc_clock c;
	int tid;
	u64 now;

	if (likely(clock == LX_CLOCK_MONOTONIC))
		now = arch_clock_mono_ns();
	else if (!clock_of(clock, &c, &tid) || !proc_clock_now(c, tid, &now))
		return -EINVAL;
	struct lx_timespec ts = lx_timespec_of(now);
	return copy_to_user(tp, &ts, sizeof(ts)) ? -EFAULT : 0;
}

long sys_clock_getres(int clock, struct uaddr tp)
{
	enum proc_clock c;
	int tid;

	if (!clock_of(clock, &c, &tid))
		return -EINVAL;
	bool coarse = clock == LX_CLOCK_REALTIME_COARSE || clock == LX_CLOCK_MONOTONIC_COARSE;
	struct lx_timespec ts = lx_timespec_of(coarse ? COARSE_RES_NS : 1);
	if (uaddr_is_null(tp))
		return 0;
	return copy_to_user(tp, &ts, sizeof(ts)) ? -EFAULT : 0;
}

/* The host keeps the clock. Those that nobody could set are EINVAL. */
long sys_clock_settime(int clock, struct uaddr tp)
{
	struct lx_timespec ts;
	enum proc_clock c;
	int tid;
	bool cpu = clock_of(clock, &c, &tid) && (c == PCLOCK_PROCESS_CPU || c == PCLOCK_THREAD_CPU);

	if (clock != LX_CLOCK_REALTIME && !cpu)
		return -EINVAL;
	if (copy_from_user(&ts, tp, sizeof(ts)))
		return -EFAULT;
	return cpu ? -EPERM : syscall_refuse_event(POLICY_REFUSED, EPERM);
}

long sys_gettimeofday(struct uaddr tv, struct uaddr tz)
{
	struct lx_timezone zone = { 0, 0 };
	u64 now;

	(void)proc_clock_now(PCLOCK_REAL, 0, &now);
	struct lx_timeval v = lx_timeval_of(now);
	if (!uaddr_is_null(tv) && copy_to_user(tv, &v, sizeof(v)))
		return -EFAULT;
	if (!uaddr_is_null(tz) && copy_to_user(tz, &zone, sizeof(zone)))
		return -EFAULT;
	return 0;
}

long sys_time(struct uaddr t)
{
	u64 now;

	(void)proc_clock_now(PCLOCK_REAL, 0, &now);
	s64 sec = (s64)(now / NSEC_PER_SEC);
	if (!uaddr_is_null(t) && copy_to_user(t, &sec, sizeof(sec)))
		return -EFAULT;
	return sec;
}

/* ---- Sleeping ---- */

/* restart_args: 0 deadline (mono), 1 address for the rest or 0. */
static long sleep_rest(struct task *t)
{
	u64 deadline = t->restart_args[0];
	struct uaddr rem = uaddr_make(t->restart_args[1]);

	if (sched_sleep_until(deadline, true) == 0)
		return 0;
	u64 now = arch_clock_mono_ns();
	if (now >= deadline)
		return 0;
	struct lx_timespec left = lx_timespec_of(deadline - now);
	if (!uaddr_is_null(rem) && copy_to_user(rem, &left, sizeof(left)))
		return -EFAULT;
	t->restart = sleep_rest;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_for(u64 ns, struct uaddr rem)
{
	struct task *t = task_current();

	t->restart_args[0] = proc_deadline_after(ns);
	t->restart_args[1] = rem.va;
	return sleep_rest(t);
}

long sys_nanosleep(struct uaddr req, struct uaddr rem)
{
	struct lx_timespec ts;
	u64 ns;

	if (copy_from_user(&ts, req, sizeof(ts)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&ts, &ns))
		return -EINVAL;
	return sleep_for(ns, rem);
}

/* Sleep until a CPU clock shows a time: looked at when it could be reached. */
static long sleep_cpu(enum proc_clock c, int tid, u64 target)
{
	u64 now;

	while (proc_clock_now(c, tid, &now) && now < target) {
		u64 left = (target - now) / (c == PCLOCK_PROCESS_CPU ? arch_cpu_count() : 1);
		if (sched_sleep_until(proc_deadline_after(MAX(left, (u64)NSEC_PER_MSEC)), true))
			return -ERESTARTNOHAND;
	}
	return 0;
}

long sys_clock_nanosleep(int clock, int flags, struct uaddr req, struct uaddr rem)
{
	struct lx_timespec ts;
	enum proc_clock c;
	int tid;
	u64 ns, now;

	if (!clock_of(clock, &c, &tid))
		return -EINVAL;
	/* The coarse and raw clocks and the caller's own CPU time cannot be slept on. */
	if ((clock >= LX_CLOCK_MONOTONIC_RAW && clock <= LX_CLOCK_MONOTONIC_COARSE) || clock == LX_CLOCK_THREAD_CPUTIME_ID)
		return -EOPNOTSUPP;
	if (copy_from_user(&ts, req, sizeof(ts)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&ts, &ns))
		return -EINVAL;
	if (c == PCLOCK_THREAD_CPU && (tid == 0 || tid == task_current()->tid))
		return -EINVAL;
	bool absolute = flags & LX_TIMER_ABSTIME;
	if (c == PCLOCK_PROCESS_CPU || c == PCLOCK_THREAD_CPU) {
		if (!proc_clock_now(c, tid, &now))
			return -EINVAL;
		return sleep_cpu(c, tid, absolute ? ns : now + ns);
	}
	if (!absolute)
		return sleep_for(ns, rem);
	return sched_sleep_until(proc_clock_to_mono(c, ns), true) ? -ERESTARTNOHAND : 0;
}

/* ---- Interval timers ---- */

static struct lx_itimerval itimerval_of(u64 left, u64 interval)
{
	/* Less than a microsecond left is not yet over. */
	if (left && left < NSEC_PER_USEC)
		left = NSEC_PER_USEC;
	return (struct lx_itimerval){ lx_timeval_of(interval), lx_timeval_of(left) };
}

long sys_getitimer(int which, struct uaddr value)
{
	u64 left, interval;

	if (which < 0 || which > 2)
		return -EINVAL;
	itimer_get((unsigned)which, &left, &interval);
	struct lx_itimerval v = itimerval_of(left, interval);
	return copy_to_user(value, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_setitimer(int which, struct uaddr value, struct uaddr ovalue)
{
	struct lx_itimerval v = { { 0, 0 }, { 0, 0 } };
	u64 ns, interval, old_left, old_interval;

	if (!uaddr_is_null(value) && copy_from_user(&v, value, sizeof(v)))
		return -EFAULT;
	if (!lx_timeval_to_ns(&v.value, &ns) || !lx_timeval_to_ns(&v.interval, &interval))
		return -EINVAL;
	if (which < 0 || which > 2)
		return -EINVAL;
	itimer_set((unsigned)which, ns, interval, &old_left, &old_interval);
	if (uaddr_is_null(ovalue))
		return 0;
	v = itimerval_of(old_left, old_interval);
	return copy_to_user(ovalue, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_alarm(unsigned seconds)
{
	u64 left;

	itimer_set(0, (u64)seconds * NSEC_PER_SEC, 0, &left, NULL);
	/* Rounded to the nearest second, but never down to none. */
	u64 sec = left / NSEC_PER_SEC, ns = left % NSEC_PER_SEC;
	return (long)(sec + ((sec == 0 && ns) || ns >= NSEC_PER_SEC / 2));
}

/* ---- POSIX timers ---- */

static bool notify_of(const struct lx_sigevent *e, enum timer_notify *ret)
{
	bool signal_ok = e->signo >= 1 && e->signo <= NSIG;

	switch (e->notify) {
	case LX_SIGEV_NONE:
		*ret = TIMER_NONE;
		return true;
	case LX_SIGEV_SIGNAL:
	case LX_SIGEV_THREAD:
		*ret = TIMER_SIGNAL;
		return signal_ok;
	case LX_SIGEV_SIGNAL | LX_SIGEV_THREAD_ID: {
		irq_flags_t f = spin_lock_irqsave(&process.lock);
		bool found = task_find(e->tid) != NULL;
		spin_unlock_irqrestore(&process.lock, f);
		*ret = TIMER_TASK;
		return signal_ok && found;
	}
	default:
		return false;
	}
}

long sys_timer_create(int clock, struct uaddr event, struct uaddr timerid)
{
	struct lx_sigevent e = { .signo = SIG_ALRM, .notify = LX_SIGEV_SIGNAL };
	enum timer_notify n;
	enum proc_clock c;
	int tid, id;

	if (!uaddr_is_null(event) && copy_from_user(&e, event, sizeof(e)))
		return -EFAULT;
	if (!clock_of(clock, &c, &tid))
		return -EINVAL;
	if (clock >= LX_CLOCK_MONOTONIC_RAW && clock <= LX_CLOCK_MONOTONIC_COARSE)
		return -EOPNOTSUPP;
	if (clock == LX_CLOCK_REALTIME_ALARM || clock == LX_CLOCK_BOOTTIME_ALARM)
		return -EPERM;
	if (!notify_of(&e, &n))
		return -EINVAL;
	if (c == PCLOCK_THREAD_CPU && tid == 0)
		tid = task_current()->tid;
	int r = ptimers_create(c, tid, n, e.signo, e.value, uaddr_is_null(event), e.tid, &id);
	if (r)
		return r;
	if (copy_to_user(timerid, &id, sizeof(id))) {
		(void)ptimers_delete(id);
		return -EFAULT;
	}
	return 0;
}

long sys_timer_settime(int id, int flags, struct uaddr value, struct uaddr old)
{
	struct lx_itimerspec v;
	u64 ns, interval, left, old_interval;

	if (uaddr_is_null(value))
		return -EINVAL;
	if (copy_from_user(&v, value, sizeof(v)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&v.value, &ns) || !lx_timespec_to_ns(&v.interval, &interval))
		return -EINVAL;
	int r = ptimers_set(id, flags & LX_TIMER_ABSTIME, ns, interval, &left, &old_interval);
	if (r || uaddr_is_null(old))
		return r;
	v = (struct lx_itimerspec){ lx_timespec_of(old_interval), lx_timespec_of(left) };
	return copy_to_user(old, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_timer_gettime(int id, struct uaddr value)
{
	u64 left, interval;
	int r = ptimers_get(id, &left, &interval);

	if (r)
		return r;
	struct lx_itimerspec v = { lx_timespec_of(interval), lx_timespec_of(left) };
	return copy_to_user(value, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_timer_getoverrun(int id)
{
	return ptimers_overrun(id);
}

long sys_timer_delete(int id)
{
	return ptimers_delete(id);
}

/* ---- What the clock says of itself: it is nobody's to adjust ---- */

#define LX_TIME_ERROR 5              /* the answer: the clock is not synchronised */
#define LX_STA_UNSYNC 0x40

long sys_clock_adjtime(int clock, struct uaddr tx)
{
	struct lx_timex t;
	u64 now;

	enum proc_clock c;
	int tid;

	if (copy_from_user(&t, tx, sizeof(t)))
		return -EFAULT;
	if (clock != LX_CLOCK_REALTIME)
		return clock_of(clock, &c, &tid) ? -EOPNOTSUPP : -EINVAL;
	if (t.modes)
		return syscall_refuse_event(POLICY_REFUSED, EPERM);
	(void)proc_clock_now(PCLOCK_REAL, 0, &now);
	t = (struct lx_timex){
		.maxerror = 16000000, .esterror = 16000000, .status = LX_STA_UNSYNC, .constant = 2, .precision = 1, .tolerance = 32768000,
		.time = lx_timeval_of(now), .tick = 10000,
	};
	return copy_to_user(tx, &t, sizeof(t)) ? -EFAULT : LX_TIME_ERROR;
}

long sys_adjtimex(struct uaddr tx)
{
	return sys_clock_adjtime(LX_CLOCK_REALTIME, tx);
}

/* ---- Usage ---- */

long sys_times(struct uaddr buf)
{
	struct lx_tms t = { .utime = (s64)(process_cpu_ns() / (NSEC_PER_SEC / LX_USER_HZ)) };

	if (!uaddr_is_null(buf) && copy_to_user(buf, &t, sizeof(t)))
		return -EFAULT;
	return (long)(arch_clock_mono_ns() / (NSEC_PER_SEC / LX_USER_HZ));
}
