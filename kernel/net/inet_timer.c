/*
 * inet_timer.c - lwIP's timers without a tick.
 *
 * lwIP has a handful of cyclic timers that assume they run for ever. Here each runs only while
 * it has something to do; one one-shot timer of the scheduler stands for the earliest, and an
 * idle machine, even one with idle connections, is never woken:
 *
 *   tcp   every 50 ms while a connection has data in flight, a delayed acknowledgement or a
 *         closing state; every second while there are only keep-alives or TIME-WAITs
 *   link  (ARP, reassembly) every second for 20 s after the last activity
 *   dhcp  fine: every 500 ms while an address is being asked for; coarse: each minute with a lease
 *   igmp  (and MLD) when the next report of a group is due; 100 ms after a join or a query, to see when that is
 *   nd    every second while addresses are made, routers looked for or neighbours asked, and for 20 s
 *         after the last activity; else when the next lifetime ends
 *
 * A timer that was off is caught up with when it starts again, so that lwIP's ages stay right.
 *
 * Locks: under inet_core, except the scheduler's timer callback (interrupt context), which only
 * sets a flag and wakes the net thread.
 */
#include "net/inet_impl.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#define TW_MAX        256u           /* TIME-WAITs kept; older ones are dropped */
#define LINK_LINGER_S 20u
#define IGMP_TICK_NS  (IGMP_TMR_INTERVAL * NSEC_PER_MSEC)
_Static_assert(MLD6_TMR_INTERVAL == IGMP_TMR_INTERVAL, "one timer for both");

enum { T_TCP, T_LINK, T_DHCP_FINE, T_DHCP_COARSE, T_IGMP, T_ND, T_COUNT };

static struct {
	u64 due_ns;                  /* 0 = off */
	u64 last_ns;                 /* when it ran last */
} timers[T_COUNT];
static struct timer one_shot;
static u64 armed_ns;                 /* what one_shot is armed for; 0 = not */
static bool fired;                   /* atomic */
static u64 last_activity_ns;
static u32 tcp_ms_owed;              /* time that has not yet been given to tcp_ticks */
static bool tcp_slow;                /* the once-a-second mode */

u32 sys_now(void) { return (u32)(arch_clock_mono_ns() / NSEC_PER_MSEC); }
void sys_timeouts_init(void) { }

static void on_fire(struct timer *t)
{
	__atomic_store_n(&fired, true, __ATOMIC_RELEASE);
	inet_kick();
}

void inet_timer_init(void) { timer_init(&one_shot, on_fire); }
bool inet_timer_due(void) { return READ_ONCE(fired); }

static void rearm(void)
{
	u64 first = 0;

	for (unsigned i = 0; i < T_COUNT; i++)
		if (timers[i].due_ns && (!first || timers[i].due_ns < first))
			first = timers[i].due_ns;
	if (first && (!armed_ns || first < armed_ns)) {
		armed_ns = first;
		timer_arm(&one_shot, first);
	}
}

static void start(unsigned i, u64 now, u64 interval_ns)
{
	timers[i].due_ns = now + interval_ns;
	rearm();
}

/* ---- TCP ---- */

/* 0: nothing to do; 1: now and then; 2: at every tick. */
static unsigned tcp_need(void)
{
	unsigned need = tcp_tw_pcbs || inet_tcp_waiting() ? 1 : 0;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->unacked || p->unsent || p->ooseq || p->refused_data ||
		    (p->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) ||
		    (p->state != ESTABLISHED && p->state != CLOSE_WAIT && !(p->state == FIN_WAIT_2 && !(p->flags & TF_RXCLOSED))))
			return 2;
		if (ip_get_option(p, SOF_KEEPALIVE))
			need = 1;
	}
	return need;
}

static void tcp_drop_old_time_waits(void)
{
	unsigned n = 0;
	struct tcp_pcb *p = tcp_tw_pcbs;

	while (p && n < TW_MAX) {
		n++;
		p = p->next;
	}
	while (p) {
		struct tcp_pcb *next = p->next;
		tcp_abort(p);
		p = next;
	}
}

static void tcp_run(u64 now)
{
	u64 elapsed_ms = (now - timers[T_TCP].last_ns) / NSEC_PER_MSEC + tcp_ms_owed;
	unsigned n = (unsigned)(elapsed_ms / TCP_SLOW_INTERVAL);

	/* Ticks that were slept through count for ages, but retransmission looks once. */
	if (n > 1)
		tcp_ticks += n - 1;
	tcp_ms_owed = (u32)(elapsed_ms % TCP_SLOW_INTERVAL);
	timers[T_TCP].last_ns = now;
	inet_send_reap();
	inet_tcp_tick();
	tcp_fasttmr();
	if (n)
		tcp_slowtmr();
	tcp_drop_old_time_waits();
	unsigned need = tcp_need();
	tcp_slow = need == 1;
	timers[T_TCP].due_ns = need == 2 ? now + TCP_TMR_INTERVAL * NSEC_PER_MSEC : need ? now + NSEC_PER_SEC : 0;
	if (!need && !timers[T_LINK].due_ns)
		inet_mem_trim();
}

void inet_timer_catch_up(void)
{
	u64 now, elapsed_ms;

	if (timers[T_TCP].due_ns || !timers[T_TCP].last_ns)
		return;
	now = arch_clock_mono_ns();
	elapsed_ms = (now - timers[T_TCP].last_ns) / NSEC_PER_MSEC + tcp_ms_owed;
	tcp_ticks += (u32)(elapsed_ms / TCP_SLOW_INTERVAL);
	tcp_ms_owed = (u32)(elapsed_ms % TCP_SLOW_INTERVAL);
	timers[T_TCP].last_ns = now;
}

/* lwIP: a connection was added to a list. */
void tcp_timer_needed(void)
{
	u64 now;

	if (timers[T_TCP].due_ns && !tcp_slow)
		return;
	/* A connection made between now and the first tick must not be as old as the sleep. */
	inet_timer_catch_up();
	tcp_slow = false;
	now = arch_clock_mono_ns();
	if (!timers[T_TCP].last_ns)
		timers[T_TCP].last_ns = now;
	start(T_TCP, now, TCP_TMR_INTERVAL * NSEC_PER_MSEC);
}

/* ---- The others ---- */

static void link_run(u64 now)
{
	u64 missed = timers[T_LINK].last_ns ? (now - timers[T_LINK].last_ns) / NSEC_PER_SEC : 1;

	missed = missed == 0 ? 1 : MIN(missed, 400ull);
	for (u64 i = 0; i < missed; i++)
		etharp_tmr();
	inet_fast_forget();
	for (u64 i = 0; i < MIN(missed, 20ull); i++)
		ip_reass_tmr();
	for (u64 i = 0; i < MIN(missed, 61ull); i++)
		ip6_reass_tmr();
	timers[T_LINK].last_ns = now;
	if (now - last_activity_ns < LINK_LINGER_S * NSEC_PER_SEC) {
		timers[T_LINK].due_ns = now + NSEC_PER_SEC;
	} else {
		timers[T_LINK].due_ns = 0;
		inet_mem_trim();
	}
}

void inet_timer_activity(void)
{
	u64 now;

	if (likely(timers[T_LINK].due_ns && ((timers[T_TCP].due_ns && !tcp_slow) || !tcp_active_pcbs))) {
		last_activity_ns = timers[T_LINK].due_ns;    /* near enough, and no clock is read */
		return;
	}
	now = arch_clock_mono_ns();
	last_activity_ns = now;
	if (!timers[T_LINK].due_ns) {
		if (timers[T_LINK].last_ns && now - timers[T_LINK].last_ns > 2 * NSEC_PER_SEC)
			link_run(now);
		start(T_LINK, now, NSEC_PER_SEC);
		inet_timer_nd();
	}
	if (tcp_active_pcbs)
		tcp_timer_needed();
}

void inet_timer_dhcp(bool running)
{
	u64 now = arch_clock_mono_ns();

	timers[T_DHCP_FINE].due_ns = running ? now + DHCP_FINE_TIMER_MSECS * NSEC_PER_MSEC : 0;
	if (!timers[T_DHCP_COARSE].due_ns)
		timers[T_DHCP_COARSE].due_ns = now + DHCP_COARSE_TIMER_SECS * NSEC_PER_SEC;
	rearm();
}

/* A group's timer after n ticks, but not at its end; *first: the first that ends. */
static u16 ticks_left(u16 timer, u64 n, u16 *first)
{
	if (!timer)
		return 0;
	timer = timer > n ? (u16)(timer - n) : 1;
	if (!*first || timer < *first)
		*first = timer;
	return timer;
}

/* n ticks passed for all groups: in how many the first reports, 0: none does. */
static u16 groups_pass(u64 n)
{
	struct netif *in;
	u16 first = 0;

	NETIF_FOREACH(in) {
		for (struct igmp_group *g = netif_igmp_data(in); g; g = g->next)
			g->timer = ticks_left(g->timer, n, &first);
		for (struct mld_group *g = netif_mld6_data(in); g; g = g->next)
			g->timer = ticks_left(g->timer, n, &first);
	}
	return first;
}

static void igmp_run(u64 now)
{
	u64 n = (now - timers[T_IGMP].last_ns) / IGMP_TICK_NS;

	if (n > 1)
		groups_pass(n - 1);
	igmp_tmr();
	mld6_tmr();
	n = groups_pass(0);
	timers[T_IGMP].last_ns = now;
	timers[T_IGMP].due_ns = n ? now + n * IGMP_TICK_NS : 0;
}

void inet_timer_igmp(void)
{
	u64 now = arch_clock_mono_ns(), n = (now - timers[T_IGMP].last_ns) / IGMP_TICK_NS;

	/* What a query or a join sets counts from now. */
	if (timers[T_IGMP].due_ns)
		groups_pass(n);
	timers[T_IGMP].last_ns = timers[T_IGMP].due_ns ? timers[T_IGMP].last_ns + n * IGMP_TICK_NS : now;
	if (!timers[T_IGMP].due_ns || timers[T_IGMP].due_ns > now + IGMP_TICK_NS)
		start(T_IGMP, now, IGMP_TICK_NS);
}

/* One of T_ND's seconds. Neighbours are looked after while there is traffic, even if nothing of ND's own is due. */
static void nd_run(u64 now)
{
	u64 passed = timers[T_ND].last_ns ? (now - timers[T_ND].last_ns) / NSEC_PER_SEC : 1;
	u32 next = inet_ip6_tick(passed > 1 ? passed - 1 : 0);

	if (timers[T_LINK].due_ns)
		next = 1;
	timers[T_ND].last_ns = now;
	timers[T_ND].due_ns = next ? now + next * NSEC_PER_SEC : 0;
}

void inet_timer_nd(void)
{
	u64 now = arch_clock_mono_ns();

	if (!timers[T_ND].due_ns || timers[T_ND].due_ns > now + NSEC_PER_SEC)
		start(T_ND, now, timers[T_ND].last_ns ? NSEC_PER_SEC : 1);
}

void inet_timer_run(void)
{
	u64 now;

	if (!__atomic_exchange_n(&fired, false, __ATOMIC_ACQ_REL))
		return;
	now = arch_clock_mono_ns();
	armed_ns = 0;
	for (unsigned i = 0; i < T_COUNT; i++) {
		if (!timers[i].due_ns || timers[i].due_ns > now)
			continue;
		switch (i) {
		case T_TCP:
			tcp_run(now);
			break;
		case T_LINK:
			link_run(now);
			break;
		case T_DHCP_FINE:
			timers[i].due_ns = now + DHCP_FINE_TIMER_MSECS * NSEC_PER_MSEC;
			dhcp_fine_tmr();
			break;
		case T_DHCP_COARSE:
			timers[i].due_ns = now + DHCP_COARSE_TIMER_SECS * NSEC_PER_SEC;
			dhcp_coarse_tmr();
			break;
		case T_ND:
			nd_run(now);
			break;
		case T_IGMP:
			igmp_run(now);
			break;
		}
	}
	rearm();
}
