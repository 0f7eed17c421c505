/*
 * uring_sq.c - SQPOLL: a kernel thread that submits what the program puts into the ring.
 *
 * While there is work it looks again at once; then each LOOK_NS, for as long as the program asked; then it says so
 * (NEED_WAKEUP) and sleeps until io_uring_enter wakes it. It holds a reference of the ring and leaves when the ring is
 * dying. Locks: uring_impl.h. What can fail: memory for the thread.
 */
#include "proc/uring_impl.h"

#define LOOK_NS (50 * NSEC_PER_USEC)
#define IDLE_MS_DEFAULT 1000u

static bool sq_any(const struct uring *r)
{
	return __atomic_load_n(&uring_shared(r)->sq_tail, __ATOMIC_ACQUIRE) != READ_ONCE(r->sq_head);
}

static bool sq_awake(struct uring *r)
{
	return READ_ONCE(r->dying) || __atomic_load_n(&r->sq_kicked, __ATOMIC_SEQ_CST) || (!uring_is_disabled(r) && sq_any(r));
}

/* Say that it sleeps, look once more, sleep. */
static void sq_sleep(struct uring *r)
{
	u32 *flags = &uring_shared(r)->sq_flags;

	__atomic_fetch_or(flags, (u32)LX_SQ_NEED_WAKEUP, __ATOMIC_SEQ_CST);
	WAIT_EVENT(&r->enter_waitq, sq_awake(r));
	__atomic_fetch_and(flags, ~(u32)LX_SQ_NEED_WAKEUP, __ATOMIC_SEQ_CST);
}

static void sq_main(void *arg)
{
	struct uring *r = arg;
	u64 until = arch_clock_mono_ns() + r->sq_idle_ns;

	while (!READ_ONCE(r->dying)) {
		__atomic_store_n(&r->sq_kicked, false, __ATOMIC_SEQ_CST);
		if (!uring_is_disabled(r) && sq_any(r)) {
			uring_submit(r, r->sq_entries);
			waitq_wake_all(&r->enter_waitq);
			waitq_wake(&r->poll_waitq, POLL_OUT | POLL_WRNORM, ~0u);
			until = arch_clock_mono_ns() + r->sq_idle_ns;
			thread_yield();
			continue;
		}
		u64 now = arch_clock_mono_ns();
		if (now >= until) {
			sq_sleep(r);
			until = arch_clock_mono_ns() + r->sq_idle_ns;
		} else {
			(void)WAIT_EVENT_FULL(&r->enter_waitq, sq_awake(r), false, now + LOOK_NS);
		}
	}
	uring_put(r);
}

int uring_sq_thread_start(struct uring *r, u32 idle_ms, s32 cpu)
{
	struct thread *t;

	r->sq_idle_ns = (u64)(idle_ms ? idle_ms : IDLE_MS_DEFAULT) * NSEC_PER_MSEC;
	t = thread_create("uring-sq", sq_main, r);
	if (!t)
		return -ENOMEM;
	if (cpu >= 0)
		(void)sched_set_affinity(t, 1u << cpu);
	uring_get(r);
	thread_start(t);
	thread_put(t);
	return 0;
}

void uring_sq_wake(struct uring *r)
{
	__atomic_store_n(&r->sq_kicked, true, __ATOMIC_SEQ_CST);
	waitq_wake_all(&r->enter_waitq);
}

static bool sq_has_room(struct uring *r)
{
	return READ_ONCE(uring_shared(r)->sq_tail) - READ_ONCE(r->sq_head) < r->sq_entries;
}

int uring_sq_wait(struct uring *r)
{
	return WAIT_EVENT_INTR(&r->enter_waitq, sq_has_room(r), WAIT_FOREVER) ? -EINTR : 0;
}
