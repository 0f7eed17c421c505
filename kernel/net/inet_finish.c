/*
 * inet_finish.c - the last words: connections that the program has closed go on sending what it wrote, as they
 * do on a Linux that lives longer than its programs. The machine waits for that before it ends.
 *
 * Lock: C. Cannot fail; bounded, as a peer may never take its bytes.
 */
#include "inet_impl.h"

#define FINISH_IDLE_NS (2 * NSEC_PER_SEC)    /* without any progress: longer than a retransmission */
#define FINISH_LOOK_NS NSEC_PER_MSEC

/* Sequence numbers (bytes and FINs) that peers have not acknowledged. C. */
static u64 owed_locked(void)
{
	u64 n = 0;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->state >= ESTABLISHED)
			n += (u32)(p->snd_lbb - p->lastack);
	return n;
}

void inet_finish(u64 max_ns)
{
	u64 now = arch_clock_mono_ns(), end = now + max_ns, idle_end = now + FINISH_IDLE_NS, last = UINT64_MAX;

	for (;;) {
		inet_lock();
		u64 owed = owed_locked();
		inet_unlock();
		now = arch_clock_mono_ns();
		if (owed < last) {
			last = owed;
			idle_end = now + FINISH_IDLE_NS;
		}
		if (!owed || now >= end || now >= idle_end)
			return;
		(void)sched_sleep_until(now + FINISH_LOOK_NS, false);
	}
}
