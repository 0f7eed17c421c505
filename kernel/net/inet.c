/*
 * inet.c - the IP stack: its lock, its thread, its start, its configuration.
 *
 * lwIP runs under one sleeping lock, inet_core. System calls take it and call into lwIP
 * directly; there is no queue of messages and no switch of threads on the way. What such a call
 * makes lwIP send is queued and goes to the driver when the lock is given back (inet_unlock), so
 * that a whole window leaves with one kick.
 *
 * One thread, "net", takes received frames and runs timers. It sleeps until the device or the
 * one-shot timer wakes it. A thread about to sleep for data looks at the device itself first
 * (inet_drain), which often spares the interrupt; a CPU that idles when the interrupt comes takes
 * the frames itself (take_idle), which spares the thread.
 *
 * Locks: inet_core is taken before wait queues' locks and before nothing else of ours; user
 * memory may be touched under it (page faults sleep, but never come back here).
 */
#include "net/inet_impl.h"
#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/init.h"
#include "lwip/prot/dhcp.h"

#define RECLAIM_PAGES 64u

static struct mutex core = MUTEX_INIT(core);
static struct waitq thread_waitq = WAITQ_INIT(thread_waitq);
static bool thread_event;            /* atomic */

u32 inet_tcp_wnd_more, inet_tcp_sndbuf_more;

static struct net_config config RO_AFTER_INIT_ZERO;
static char config_hostname[65];
static char domain[128];
static struct net_ip dns_servers[NET_DNS_MAX];
static unsigned ndns;
static struct net_ip dns6[NET_DNS_MAX]; /* of router advertisements; family 0: none */
static bool configured;              /* atomic */
static bool announce;                /* C: on_configured is to be called */
static struct waitq configured_waitq = WAITQ_INIT(configured_waitq);
static u64 isn_key[2];

/* ---- The lock ---- */

void inet_lock(void) { mutex_lock_here(&core); }
bool inet_trylock(void) { return mutex_trylock_here(&core); }
bool inet_is_locked(void) { return mutex_is_held(&core); }
void inet_unlock(void)
{
	inet_flush();
	mutex_unlock_here(&core);
}

/* ---- The thread ---- */

void inet_kick(void)
{
	__atomic_store_n(&thread_event, true, __ATOMIC_RELEASE);
	waitq_wake_all(&thread_waitq);
}

/* The user's servers, or the lease's and then the routers'. */
static COLD void call_configured(void)
{
	struct net_ip all[2 * NET_DNS_MAX];
	unsigned n = 0;

	inet_lock();
	for (unsigned i = 0; i < ndns; i++)
		all[n++] = dns_servers[i];
	for (unsigned i = 0; i < NET_DNS_MAX && !config.ndns; i++)
		if (dns6[i].family)
			all[n++] = dns6[i];
	inet_unlock();
	if (config.on_configured)
		config.on_configured(all, MIN(n, NET_DNS_MAX), domain);
	__atomic_store_n(&configured, true, __ATOMIC_RELEASE);
	waitq_wake_all(&configured_waitq);
}

static void net_thread(void *arg)
{
	for (;;) {
		WAIT_EVENT(&thread_waitq, __atomic_load_n(&thread_event, __ATOMIC_ACQUIRE));
		__atomic_store_n(&thread_event, false, __ATOMIC_RELAXED);
		bool more;
		do {
			inet_lock();
			more = inet_eth_receive(128);
			if (inet_timer_due())
				inet_timer_run();
			bool tell = announce;
			announce = false;
			inet_unlock();
			if (unlikely(tell))
				call_configured();
			inet_info_tell();
			if (unlikely(READ_ONCE(inet_mem_short))) {
				WRITE_ONCE(inet_mem_short, false);
				(void)page_reclaim(RECLAIM_PAGES);
			}
			sched_poll();
		} while (more);
	}
}

void inet_drain(void)
{
	if (!inet_dev || !inet_trylock())
		return;
	if (inet_eth_receive(64))
		inet_kick();
	inet_unlock();
}

/* A CPU that idles takes the frames itself, if it can do so without sleeping. */
static void take_idle(void)
{
	if (!inet_trylock()) {
		inet_kick();
		return;
	}
	if (inet_eth_receive(64))
		inet_kick();
	inet_unlock();
}

void inet_frames_wait(void)
{
	if (!sched_call_idle())
		inet_kick();
}

/* ---- What lwIP asks for ---- */

static ALWAYS_INLINE u64 rotl64(u64 x, unsigned n) { return x << n | x >> (64 - n); }

static ALWAYS_INLINE void sip_round(u64 v[4])
{
	v[0] += v[1]; v[1] = rotl64(v[1], 13) ^ v[0]; v[0] = rotl64(v[0], 32);
	v[2] += v[3]; v[3] = rotl64(v[3], 16) ^ v[2];
	v[0] += v[3]; v[3] = rotl64(v[3], 21) ^ v[0];
	v[2] += v[1]; v[1] = rotl64(v[1], 17) ^ v[2]; v[2] = rotl64(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of whole words. */
static u64 siphash(const u64 key[2], const u64 *words, unsigned n)
{
	u64 v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };

	for (unsigned i = 0; i <= n; i++) {
		u64 word = i < n ? words[i] : (u64)n << 59; /* the length in bytes, in the last one's top byte */

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* RFC 6528: a keyed hash of the addresses plus a clock of 4 microseconds. */
COLD u32 inet_tcp_isn(const struct ip_addr *local, u16 lport, const struct ip_addr *remote, u16 rport)
{
	u64 w[5] = { (u64)lport << 16 | rport };
	unsigned n = 2;

	if (likely(!IP_IS_V6(local))) {
		w[1] = (u64)inet_v4(local) << 32 | inet_v4(remote);
	} else {
		memcpy(w + 1, ip_2_ip6(local)->addr, 16);
		memcpy(w + 3, ip_2_ip6(remote)->addr, 16);
		n = 5;
	}
	return (u32)siphash(isn_key, w, n) + (u32)(arch_clock_mono_ns() / 4000);
}

static COLD void dns_take(struct net_ip *to, const ip_addr_t *a)
{
	struct net_ip ip = { .family = IP_IS_V6(a) ? LX_AF_INET6 : LX_AF_INET };

	if (IP_IS_V6(a)) {
		memcpy(ip.bytes, ip_2_ip6(a)->addr, 16);
		ip.scope = ip6_addr_zone(ip_2_ip6(a));
	} else {
		memcpy(ip.bytes, &ip_2_ip4(a)->addr, 4);
	}
	if (memcmp(to, &ip, sizeof(ip)) == 0)
		return;
	*to = ip;
	announce = __atomic_load_n(&configured, __ATOMIC_ACQUIRE) || announce;
	inet_kick();
}

void dns_init(void) { }

/* DHCP's servers arrive here (index by index), before the interface gets its address; and those of router advertisements. */
COLD void dns_setserver(u8_t index, const ip_addr_t *server)
{
	if (index >= NET_DNS_MAX || config.ndns)
		return;                  /* what the user named wins */
	if (!server) {                   /* a router takes one back */
		dns6[index] = (struct net_ip){ 0 };
		announce = true;
		inet_kick();
	} else if (IP_IS_V6(server)) {
		dns_take(&dns6[index], server);
	} else {
		dns_take(&dns_servers[index], server);
		if (index + 1u > ndns)
			ndns = index + 1u;
	}
}

/* Asked by lwIP for router advertisements only. */
COLD const ip_addr_t *dns_getserver(u8_t index)
{
	static ip_addr_t a;

	memset(&a, 0, sizeof(a));
	if (index < NET_DNS_MAX && dns6[index].family) {
		memcpy(ip_2_ip6(&a)->addr, dns6[index].bytes, 16);
		IP_SET_TYPE_VAL(a, IPADDR_TYPE_V6);
		ip6_addr_set_zone(ip_2_ip6(&a), (u8)dns6[index].scope);
	}
	return &a;
}

COLD void inet_dhcp_option(struct netif *n, u8 option, u8 len, struct pbuf *p, u16 off)
{
	u16 got;

	if (option != 15 || len == 0 || len >= sizeof(domain))
		return;
	got = pbuf_copy_partial(p, domain, len, off);
	domain[got] = 0;
	/* It goes into a configuration file: a name, or nothing. */
	for (u16 i = 0; i < got && domain[i]; i++) {
		char c = domain[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')) {
			domain[0] = 0;
			break;
		}
	}
}

static COLD void on_status(struct netif *n)
{
	inet_fast_forget();
	inet_info_changed();
	if (ip4_addr_isany_val(*netif_ip4_addr(n)) && !(config.mode == NET_STATIC && config.prefix6)) {
		if (config.mode == NET_DHCP)
			inet_timer_dhcp(true);   /* the lease is lost: ask again */
		return;
	}
	announce = true;
	if (config.mode == NET_DHCP)
		inet_timer_dhcp(false);
	inet_kick();
}

/* ---- Start ---- */

/* Windows follow the memory: 1/64 of it for one connection's receive window, 64 KiB to 1 MiB. */
static void size_windows(void)
{
	u64 ram = page_total_count() * PAGE_SIZE;
	u64 least = MAX(ram / 64, 64ul * KiB);
	u32 wnd = (u32)MIN(least, 1024ul * KiB);

	inet_tcp_wnd_more = wnd - 65536u;
	inet_tcp_sndbuf_more = wnd - 131072u;
}

static int start_interface(const struct net_config *c)
{
	struct netdev *d = netdev_by_index(0);
	int r;

	if (c->mode == NET_NONE || !d)
		return c->mode == NET_NONE ? 0 : -ENODEV;
	r = inet_eth_init(d);
	if (r < 0)
		return r;
	netif_set_status_callback(&inet_eth, on_status);
	if (config_hostname[0])
		netif_set_hostname(&inet_eth, config_hostname);
	if (c->prefix6) {
		r = inet_ip6_static(c);
		if (r < 0)
			return r;
	}
	if (c->mode == NET_STATIC) {
		ip4_addr_t ip = { c->addr }, mask = { c->mask }, gw = { c->gateway };
		if (c->addr)
			netif_set_addr(&inet_eth, &ip, &mask, &gw);
		on_status(&inet_eth);
	} else {
		if (dhcp_start(&inet_eth) != ERR_OK)
			return -ENOMEM;
		inet_timer_dhcp(true);
	}
	return 0;
}

COLD int net_init(const struct net_config *c)
{
	int r;

	static const struct net_stack stack = { .drain = inet_drain, .finish = inet_finish };

	config = *c;
	net_stack = &stack;
	if (c->hostname)
		str_copy(config_hostname, c->hostname, sizeof(config_hostname));
	ndns = MIN(c->ndns, (unsigned)ARRAY_SIZE(dns_servers));
	memcpy(dns_servers, c->dns, ndns * sizeof(dns_servers[0]));
	random_bytes(isn_key, sizeof(isn_key));
	size_windows();
	inet_timer_init();
	sched_set_idle_work(take_idle);

	inet_lock();
	lwip_init();
	inet_lo_init();
	r = start_interface(c);
	inet_unlock();
	if (r < 0)
		log_warn("net: the interface could not be started: error %d", -r);
	if (c->mode == NET_NONE || r < 0)
		__atomic_store_n(&configured, true, __ATOMIC_RELEASE);
	int t = thread_spawn("net", net_thread, NULL);
	if (t < 0)
		return t;
	inet_kick();
	return r;
}

COLD int net_wait_configured(u64 deadline_ns)
{
	int r = WAIT_EVENT_INTR(&configured_waitq, __atomic_load_n(&configured, __ATOMIC_ACQUIRE), deadline_ns);

	return r;
}
