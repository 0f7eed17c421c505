/*
 * inet_ip6.c - IPv6 beside lwIP: our addresses, static configuration, routes, and the clock of Neighbor Discovery.
 *
 * lwIP does Neighbor Discovery (RFC 4861), autoconfiguration (RFC 4862) and MLDv1. Added here: the
 * loopback's ::1, fixed addresses with prefixes of any length, name servers of router
 * advertisements, and a clock that stands still while nothing is to expire.
 *
 * A fixed address is used at once, without duplicate address detection. In lwIP's terms it has an
 * endless lifetime and no implied prefix; what is on its link is answered by inet_ip6_next_hop.
 *
 * Locks: inet_core. Cannot fail, but for what a configuration says.
 */
#include "net/inet_impl.h"
#include "lwip/ip6.h"
#include "lwip/ethip6.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"

static int static_slot = -1;         /* of inet_eth's addresses */
static ip6_addr_t static_prefix, static_router;
static u8 static_bits;
static bool has_router;

static bool in_prefix(const ip6_addr_t *a, const ip6_addr_t *p, unsigned bits)
{
	for (unsigned i = 0; i < 4; i++) {
		u32 mask = bits >= 32 * (i + 1) ? ~0u : bits <= 32 * i ? 0 : lwip_htonl(~0u << (32 - (bits - 32 * i)));
		if ((a->addr[i] ^ p->addr[i]) & mask)
			return false;
	}
	return true;
}

/* lwIP's question in Neighbor Discovery: is a in the prefix of b (which may be an address of ours)? */
int inet_ip6_same_prefix(const struct ip6_addr *a, const struct ip6_addr *b);
int inet_ip6_same_prefix(const struct ip6_addr *a, const struct ip6_addr *b)
{
	return ip6_addr_netcmp(a, b) || (static_slot >= 0 && ip6_addr_cmp(b, netif_ip6_addr(&inet_eth, static_slot)) && in_prefix(a, b, static_bits));
}

/* ---- Whose is it ---- */

bool inet_ip6_is_own(const ip6_addr_t *a)
{
	if (ip6_addr_isloopback(a))
		return true;
	if (!inet_dev || ip6_addr_isany(a))
		return false;
	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(&inet_eth, i)) && ip6_addr_cmp_zoneless(a, netif_ip6_addr(&inet_eth, i)))
			return !ip6_addr_has_zone(a) || ip6_addr_test_zone(a, &inet_eth);
	return false;
}

u8 inet_ip6_prefix(struct netif *n, unsigned slot)
{
	if (n == &inet_lo)
		return 128;
	return (int)slot == static_slot ? static_bits : 64;
}

bool inet_ip6_is_static(struct netif *n, unsigned slot) { return n == &inet_lo || slot == 0 || (int)slot == static_slot; }
const ip6_addr_t *inet_ip6_static_router(void) { return has_router ? &static_router : NULL; }

/* ---- Routes ---- */

bool inet_ip6_has_route(const ip6_addr_t *dst)
{
	if (has_router || (static_slot >= 0 && in_prefix(dst, &static_prefix, static_bits)))
		return true;
	return nd6_find_route(dst) == &inet_eth;
}

struct netif *inet_ip6_route(const struct ip6_addr *src, const struct ip6_addr *dst)
{
	return inet_ip6_is_own(dst) ? &inet_lo : inet_dev ? &inet_eth : NULL;
}

const struct ip6_addr *inet_ip6_next_hop(const struct ip6_addr *dst)
{
	if (static_slot >= 0 && in_prefix(dst, &static_prefix, static_bits))
		return dst;
	return has_router ? &static_router : NULL;
}

/* ---- Set-up ---- */

void inet_ip6_lo_init(void)
{
	ip_addr_t one = IPADDR6_INIT_HOST(0, 0, 0, 1);

	ip_addr_copy(inet_lo.ip6_addr[0], one);
	netif_ip6_addr_set_valid_life(&inet_lo, 0, IP6_ADDR_LIFE_STATIC);
	netif_ip6_addr_set_state(&inet_lo, 0, IP6_ADDR_PREFERRED);
	inet_lo.rs_count = 0;
}

void inet_ip6_eth_init(void)
{
	netif_create_ip6_linklocal_address(&inet_eth, 1);
	inet_eth.ip6_autoconfig_enabled = 1;
	inet_timer_nd();
}

int inet_ip6_static(const struct net_config *c)
{
	ip6_addr_t a = { 0 };
	s8_t slot;

	memcpy(a.addr, c->addr6, 16);
	if (c->prefix6 < 1 || c->prefix6 > 128 || ip6_addr_ismulticast(&a) || ip6_addr_isany(&a) || ip6_addr_islinklocal(&a))
		return -EINVAL;
	if (netif_add_ip6_address(&inet_eth, &a, &slot) != ERR_OK)
		return -ENOMEM;
	static_slot = slot;
	static_bits = c->prefix6;
	static_prefix = a;
	netif_ip6_addr_set_valid_life(&inet_eth, slot, IP6_ADDR_LIFE_INFINITE);
	netif_ip6_addr_set_pref_life(&inet_eth, slot, IP6_ADDR_LIFE_INFINITE);
	netif_ip6_addr_set_state(&inet_eth, slot, IP6_ADDR_PREFERRED);
	if (c->has_gateway6) {
		memcpy(static_router.addr, c->gateway6, 16);
		ip6_addr_assign_zone(&static_router, IP6_UNICAST, &inet_eth);
		has_router = true;
	}
	return 0;
}

/* ---- The clock ---- */

/* Take away what has passed unseen, but leave each thing the second that nd6_tmr itself takes. */
static void life_pass(u32 *life, u64 seconds)
{
	if (*life != 0xffffffff)
		*life = *life > seconds ? (u32)(*life - seconds) : 1;
}

static void catch_up(u64 seconds)
{
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry)
			life_pass(&default_router_list[i].invalidation_timer, seconds);
	for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		if (prefix_list[i].netif)
			life_pass(&prefix_list[i].invalidation_timer, seconds);
	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isinvalid(netif_ip6_addr_state(&inet_eth, i)) || netif_ip6_addr_isstatic(&inet_eth, i))
			continue;
		life_pass(&inet_eth.ip6_addr_valid_life[i], seconds);
		if (inet_eth.ip6_addr_pref_life[i])
			life_pass(&inet_eth.ip6_addr_pref_life[i], seconds);
	}
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		if (neighbor_cache[i].state == ND6_REACHABLE) {
			u64 ms = seconds * 1000;
			neighbor_cache[i].counter.reachable_time = neighbor_cache[i].counter.reachable_time > ms ?
				neighbor_cache[i].counter.reachable_time - (u32)ms : 1;
		}
}

static void sooner(u32 *next, u32 seconds)
{
	if (seconds != 0xffffffff && (!*next || seconds < *next))
		*next = seconds ? seconds : 1;
}

/* When does the first thing happen by itself? */
static u32 next_event(void)
{
	u32 next = 0;

	if (inet_eth.rs_count)
		sooner(&next, 1);
	for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++)
		if (neighbor_cache[i].state == ND6_INCOMPLETE || neighbor_cache[i].state == ND6_DELAY || neighbor_cache[i].state == ND6_PROBE)
			sooner(&next, 1);
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry)
			sooner(&next, default_router_list[i].invalidation_timer);
	for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		if (prefix_list[i].netif)
			sooner(&next, prefix_list[i].invalidation_timer);
	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		u8 state = netif_ip6_addr_state(&inet_eth, i);
		if (ip6_addr_istentative(state))
			sooner(&next, 1);
		if (ip6_addr_isinvalid(state) || netif_ip6_addr_isstatic(&inet_eth, i))
			continue;
		sooner(&next, inet_eth.ip6_addr_valid_life[i]);
		if (state == IP6_ADDR_PREFERRED)
			sooner(&next, inet_eth.ip6_addr_pref_life[i]);
	}
	return next;
}

/* A sum over what others can see of our addresses and routers: has it changed? */
static bool changed(void)
{
	static u64 before;
	u64 now = 0;

	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		now = now * 31 + (netif_ip6_addr_state(&inet_eth, i) & ~(u32)IP6_ADDR_TENTATIVE_COUNT_MASK) * 7 + netif_ip6_addr(&inet_eth, i)->addr[1] +
		      netif_ip6_addr(&inet_eth, i)->addr[3];
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		now = now * 31 + (default_router_list[i].neighbor_entry ? default_router_list[i].neighbor_entry->next_hop_address.addr[3] + 1 : 0);
	for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		now = now * 31 + (prefix_list[i].netif ? prefix_list[i].prefix.addr[1] + 1 : 0);
	bool r = now != before;
	before = now;
	return r;
}

u32 inet_ip6_tick(u64 missed_s)
{
	if (!inet_dev)
		return 0;
	if (missed_s)
		catch_up(missed_s);
	/* An advertisement of the same prefix may have given the fixed address a lifetime. */
	if (static_slot >= 0) {
		netif_ip6_addr_set_valid_life(&inet_eth, static_slot, IP6_ADDR_LIFE_INFINITE);
		netif_ip6_addr_set_pref_life(&inet_eth, static_slot, IP6_ADDR_LIFE_INFINITE);
	}
	nd6_tmr();
	if (changed()) {
		/* Next hops may have been chosen by what is no more. */
		nd6_clear_destination_cache();
		inet_info_changed();
	}
	return next_event();
}
