/*
 * inet_gauge.c - how many connections the stack keeps, for /proc/pith/counters.
 * Locks: inet_core, for as long as a list is walked. Cannot fail.
 */
#include "net/inet_impl.h"

static u64 count(struct tcp_pcb *const *list)
{
	u64 n = 0;

	inet_lock();
	for (const struct tcp_pcb *p = *list; p; p = p->next)
		n++;
	inet_unlock();
	return n;
}

static u64 active(void) { return count(&tcp_active_pcbs); }
static u64 time_wait(void) { return count(&tcp_tw_pcbs); }
static u64 bound(void) { return count(&tcp_bound_pcbs); }

static u64 listening(void)
{
	u64 n = 0;

	inet_lock();
	for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
		n++;
	inet_unlock();
	return n;
}

GAUGE(tcp_connections, active);
GAUGE(tcp_time_waits, time_wait);
GAUGE(tcp_bound, bound);
GAUGE(tcp_listeners, listening);
