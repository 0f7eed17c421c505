/*
 * inet_info.c - what the stack tells of itself: netinfo.h over lwIP's tables.
 *
 * Entries are made when they are asked for: nothing is kept but the generation and the watchers.
 * The order is that of Linux's dumps: by family, then by interface; of routes the main table first.
 *
 * Locks: inet_core around each getter; the generation is atomic. Cannot fail.
 */
#include "net/inet_impl.h"
#include "net/netinfo.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/mld6.h"
#include "lwip/prot/dhcp.h"
#include "lwip/priv/nd6_priv.h"
#include "lwip/nd6.h"

enum { SCOPE_UNIVERSE = 0, SCOPE_LINK = 253, SCOPE_HOST = 254 };
enum { ADDR_PERMANENT = 0x80, ADDR_TENTATIVE = 0x40, ADDR_DEPRECATED = 0x20, ADDR_DAD_FAILED = 0x08 };
enum { ROUTE_UNICAST = 1, ROUTE_LOCAL = 2, ROUTE_BROADCAST = 3, ROUTE_MULTICAST = 5 };
enum { TABLE_MAIN = 254, TABLE_LOCAL = 255 };
enum { FROM_KERNEL = 2, FROM_BOOT = 3, FROM_RA = 9, FROM_DHCP = 16 };
enum { NEIGH_INCOMPLETE = 1, NEIGH_REACHABLE = 2, NEIGH_STALE = 4, NEIGH_DELAY = 8, NEIGH_PROBE = 16 };
enum { METRIC_KERNEL6 = 256, METRIC_RA = 1024 };

static u32 generation = 1;           /* atomic */
static struct netinfo_watch *watchers;

u32 netinfo_generation(void) { return __atomic_load_n(&generation, __ATOMIC_ACQUIRE); }

void netinfo_watch_add(struct netinfo_watch *w)
{
	w->next = __atomic_load_n(&watchers, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&watchers, &w->next, w, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

void inet_info_changed(void)
{
	__atomic_fetch_add(&generation, 1, __ATOMIC_RELEASE);
	inet_kick();
}

void inet_info_tell(void)
{
	static u32 told = 1;
	u32 now = netinfo_generation();

	if (likely(now == told))
		return;
	told = now;
	for (struct netinfo_watch *w = __atomic_load_n(&watchers, __ATOMIC_ACQUIRE); w; w = w->next)
		w->changed(w);
}

static int prefix_of(u32 mask) { return __builtin_popcount(mask); }

/* ---- Links ---- */

static void link_count(struct netinfo_link *l, const struct inet_if_stats *s)
{
	l->rx_packets = s->rx_packets;
	l->rx_bytes = s->rx_bytes;
	l->rx_errors = s->rx_errors;
	l->rx_dropped = s->rx_dropped;
	l->tx_packets = s->tx_packets;
	l->tx_bytes = s->tx_bytes;
	l->tx_errors = s->tx_errors;
	l->tx_dropped = s->tx_dropped;
}

int netinfo_link(unsigned i, struct netinfo_link *ret)
{
	*ret = (struct netinfo_link){ .index = i + 1 };
	if (i > 1 || (i == 1 && !inet_dev))
		return -ENOENT;
	inet_lock();
	if (i == 0) {
		str_copy(ret->name, "lo", sizeof(ret->name));
		ret->mtu = 65536;
		ret->flags = LX_IFF_UP | LX_IFF_LOOPBACK | LX_IFF_RUNNING;
		ret->type = 772;
		ret->carrier = true;
		link_count(ret, &inet_lo_stats);
	} else {
		str_copy(ret->name, "eth0", sizeof(ret->name));
		ret->mtu = inet_eth_mtu();
		ret->carrier = inet_dev->link_up;
		ret->flags = LX_IFF_UP | LX_IFF_BROADCAST | LX_IFF_MULTICAST | (ret->carrier ? LX_IFF_RUNNING : 0);
		ret->type = 1;
		memcpy(ret->mac, inet_eth.hwaddr, 6);
		link_count(ret, &inet_eth_stats);
	}
	inet_unlock();
	return 0;
}

/* ---- Addresses ---- */

/* Seconds that are left of the lease; ~0: it is no lease, or one for ever. */
static u32 lease_left_s(void)
{
	struct dhcp *d = netif_dhcp_data(&inet_eth);

	if (!d || !dhcp_supplied_address(&inet_eth) || d->offered_t0_lease == 0xffffffff || !d->t0_timeout)
		return ~0u;
	return d->t0_timeout > d->lease_used ? (u32)(d->t0_timeout - d->lease_used) * DHCP_COARSE_TIMER_SECS : 0;
}

/* The i-th IPv4 address; false past the end. */
static bool addr4(unsigned i, struct netinfo_addr *a)
{
	struct netif *n = i == 0 ? &inet_lo : &inet_eth;

	if (i > 1 || (i == 1 && (!inet_dev || ip4_addr_isany_val(*netif_ip4_addr(n)))))
		return false;
	u32 addr = netif_ip4_addr(n)->addr, mask = netif_ip4_netmask(n)->addr, all = addr | ~mask;
	*a = (struct netinfo_addr){ .index = i + 1, .family = LX_AF_INET, .prefix = (u8)prefix_of(mask), .scope = SCOPE_HOST, .flags = ADDR_PERMANENT };
	memcpy(a->addr, &addr, 4);
	a->valid_s = a->preferred_s = ~0u;
	if (i == 1) {
		a->scope = SCOPE_UNIVERSE;
		if (a->prefix < 31)
			memcpy(a->broadcast, &all, 4);
		a->valid_s = a->preferred_s = lease_left_s();
		if (a->valid_s != ~0u)
			a->flags = 0;
	}
	return true;
}

/* The interface's address in this slot; false if there is none. */
static bool addr6(struct netif *n, unsigned slot, struct netinfo_addr *a)
{
	u8 state = netif_ip6_addr_state(n, slot);
	const ip6_addr_t *ip = netif_ip6_addr(n, slot);
	bool fixed = inet_ip6_is_static(n, slot);

	if (ip6_addr_isinvalid(state))
		return false;
	*a = (struct netinfo_addr){ .index = netif_get_index(n), .family = LX_AF_INET6, .prefix = inet_ip6_prefix(n, slot) };
	a->scope = n == &inet_lo ? SCOPE_HOST : ip6_addr_islinklocal(ip) ? SCOPE_LINK : SCOPE_UNIVERSE;
	a->flags = (u8)((fixed ? ADDR_PERMANENT : 0) | (ip6_addr_istentative(state) ? ADDR_TENTATIVE : 0) |
			(ip6_addr_isduplicated(state) ? ADDR_DAD_FAILED | ADDR_TENTATIVE : 0) | (state == IP6_ADDR_DEPRECATED ? ADDR_DEPRECATED : 0));
	memcpy(a->addr, ip->addr, 16);
	a->valid_s = fixed ? ~0u : netif_ip6_addr_valid_life(n, slot);
	a->preferred_s = fixed ? ~0u : netif_ip6_addr_pref_life(n, slot);
	return true;
}

/* IPv4's first, then lo's and eth0's of IPv6: global ones before the link-local one, as Linux sorts by scope. */
int netinfo_addr(unsigned i, struct netinfo_addr *ret)
{
	unsigned n4 = 0;
	int r = -ENOENT;

	inet_lock();
	while (n4 <= i && addr4(n4, ret))
		n4++;
	if (n4 > i) {
		r = 0;
	} else if (i == n4) {
		r = addr6(&inet_lo, 0, ret) ? 0 : -ENOENT;
	} else if (inet_dev) {
		i -= n4 + 1;
		for (unsigned k = 1; r < 0 && k <= LWIP_IPV6_NUM_ADDRESSES; k++)
			if (addr6(&inet_eth, k % LWIP_IPV6_NUM_ADDRESSES, ret) && i-- == 0)
				r = 0;
	}
	inet_unlock();
	return r;
}

/* ---- Routes ---- */

/* Emits entries until the wanted one. */
struct route_cursor {
	unsigned left;
	struct netinfo_route *ret;
	bool found;
};

static void route_emit(struct route_cursor *c, const struct netinfo_route *r)
{
	if (!c->found && c->left-- == 0) {
		*c->ret = *r;
		c->found = true;
	}
}

static struct netinfo_route route4(u32 index, u32 dst, unsigned prefix, u8 type, u8 table, u8 scope, u32 source)
{
	struct netinfo_route r = { .index = index, .family = LX_AF_INET, .prefix = (u8)prefix, .type = type, .table = table,
				   .scope = scope, .protocol = FROM_KERNEL, .has_source = source != 0 };

	memcpy(r.dst, &dst, 4);
	memcpy(r.source, &source, 4);
	return r;
}

static void routes4_main(struct route_cursor *c)
{
	u32 addr = netif_ip4_addr(&inet_eth)->addr, mask = netif_ip4_netmask(&inet_eth)->addr, gw = netif_ip4_gw(&inet_eth)->addr;
	struct netinfo_route r;

	if (!inet_dev || !addr)
		return;
	if (gw) {
		r = route4(2, 0, 0, ROUTE_UNICAST, TABLE_MAIN, SCOPE_UNIVERSE, 0);
		r.protocol = dhcp_supplied_address(&inet_eth) ? FROM_DHCP : FROM_BOOT;
		r.has_gateway = true;
		memcpy(r.gateway, &gw, 4);
		route_emit(c, &r);
	}
	if (prefix_of(mask) < 32) {
		r = route4(2, addr & mask, (unsigned)prefix_of(mask), ROUTE_UNICAST, TABLE_MAIN, SCOPE_LINK, addr);
		route_emit(c, &r);
	}
}

static void routes4_local(struct route_cursor *c)
{
	u32 addr = inet_dev ? netif_ip4_addr(&inet_eth)->addr : 0, mask = netif_ip4_netmask(&inet_eth)->addr;
	struct netinfo_route list[5];
	unsigned n = 0;

	if (addr)
		list[n++] = route4(2, addr, 32, ROUTE_LOCAL, TABLE_LOCAL, SCOPE_HOST, addr);
	if (addr && prefix_of(mask) < 31)
		list[n++] = route4(2, addr | ~mask, 32, ROUTE_BROADCAST, TABLE_LOCAL, SCOPE_LINK, addr);
	list[n++] = route4(1, PP_HTONL(0x7f000000), 8, ROUTE_LOCAL, TABLE_LOCAL, SCOPE_HOST, PP_HTONL(0x7f000001));
	list[n++] = route4(1, PP_HTONL(0x7f000001), 32, ROUTE_LOCAL, TABLE_LOCAL, SCOPE_HOST, PP_HTONL(0x7f000001));
	list[n++] = route4(1, PP_HTONL(0x7fffffff), 32, ROUTE_BROADCAST, TABLE_LOCAL, SCOPE_LINK, PP_HTONL(0x7f000001));
	for (unsigned i = 0; i < n; i++)
		route_emit(c, &list[i]);
}

static struct netinfo_route route6(u32 index, const void *dst, unsigned prefix, u8 type, u8 table, u8 protocol, u32 metric)
{
	struct netinfo_route r = { .index = index, .family = LX_AF_INET6, .prefix = (u8)prefix, .type = type, .table = table, .protocol = protocol, .metric = metric };

	if (dst)
		memcpy(r.dst, dst, 16);
	return r;
}

static void default6(struct route_cursor *c, const ip6_addr_t *gateway, u8 protocol)
{
	struct netinfo_route r = route6(2, NULL, 0, ROUTE_UNICAST, TABLE_MAIN, protocol, METRIC_RA);

	r.has_gateway = true;
	memcpy(r.gateway, gateway->addr, 16);
	route_emit(c, &r);
}

/* The address with the bits behind the prefix cleared. */
static void mask6(u8 *ret, const ip6_addr_t *a, unsigned bits)
{
	memcpy(ret, a->addr, 16);
	for (unsigned i = 0; i < 16; i++)
		ret[i] &= (u8)(bits >= 8 * (i + 1) ? 0xff : bits <= 8 * i ? 0 : 0xff << (8 - (bits - 8 * i)));
}

static void routes6_main(struct route_cursor *c)
{
	static const u8 link_local[16] = { 0xfe, 0x80 }, one[16] = { [15] = 1 };
	u8 prefix[16];
	struct netinfo_route r = route6(1, one, 128, ROUTE_UNICAST, TABLE_MAIN, FROM_KERNEL, METRIC_KERNEL6);

	route_emit(c, &r);
	if (!inet_dev)
		return;
	for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		if (prefix_list[i].netif) {
			mask6(prefix, &prefix_list[i].prefix, 64);
			r = route6(2, prefix, 64, ROUTE_UNICAST, TABLE_MAIN, FROM_RA, METRIC_KERNEL6);
			route_emit(c, &r);
		}
	for (unsigned i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (inet_ip6_is_static(&inet_eth, i) && !ip6_addr_isinvalid(netif_ip6_addr_state(&inet_eth, i))) {
			mask6(prefix, netif_ip6_addr(&inet_eth, i), inet_ip6_prefix(&inet_eth, i));
			r = route6(2, prefix, inet_ip6_prefix(&inet_eth, i), ROUTE_UNICAST, TABLE_MAIN, FROM_KERNEL, METRIC_KERNEL6);
			route_emit(c, &r);
		}
	r = route6(2, link_local, 64, ROUTE_UNICAST, TABLE_MAIN, FROM_KERNEL, METRIC_KERNEL6);
	route_emit(c, &r);
	if (inet_ip6_static_router())
		default6(c, inet_ip6_static_router(), FROM_BOOT);
	for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry)
			default6(c, &default_router_list[i].neighbor_entry->next_hop_address, FROM_RA);
}

static void routes6_local(struct route_cursor *c)
{
	static const u8 one[16] = { [15] = 1 }, group[16] = { 0xff };
	struct netinfo_route r = route6(1, one, 128, ROUTE_LOCAL, TABLE_LOCAL, FROM_KERNEL, 0);

	route_emit(c, &r);
	if (!inet_dev)
		return;
	for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_isvalid(netif_ip6_addr_state(&inet_eth, i))) {
			r = route6(2, netif_ip6_addr(&inet_eth, i)->addr, 128, ROUTE_LOCAL, TABLE_LOCAL, FROM_KERNEL, 0);
			route_emit(c, &r);
		}
	r = route6(2, group, 8, ROUTE_MULTICAST, TABLE_LOCAL, FROM_KERNEL, METRIC_KERNEL6);
	route_emit(c, &r);
}

int netinfo_route(unsigned i, struct netinfo_route *ret)
{
	struct route_cursor c = { .left = i, .ret = ret };

	inet_lock();
	routes4_main(&c);
	routes4_local(&c);
	routes6_main(&c);
	routes6_local(&c);
	inet_unlock();
	return c.found ? 0 : -ENOENT;
}

/* ---- Neighbours ---- */

/* The i-th IPv4 neighbour: 0, or how many there are. */
static unsigned neigh4(unsigned i, struct netinfo_neigh *ret, bool *found)
{
	unsigned n = 0;

	for (size_t at = 0; at < ARP_TABLE_SIZE; at++) {
		ip4_addr_t *ip;
		struct netif *netif;
		struct eth_addr *mac;

		if (!etharp_get_entry(at, &ip, &netif, &mac) || n++ < i)
			continue;
		*ret = (struct netinfo_neigh){ .index = netif == &inet_lo ? 1 : 2, .family = LX_AF_INET, .state = NEIGH_REACHABLE };
		memcpy(ret->mac, mac, 6);
		memcpy(ret->addr, ip, 4);
		*found = true;
		break;
	}
	return n;
}

static bool neigh6(unsigned i, struct netinfo_neigh *ret)
{
	static const u16 states[] = { [ND6_INCOMPLETE] = NEIGH_INCOMPLETE, [ND6_REACHABLE] = NEIGH_REACHABLE, [ND6_STALE] = NEIGH_STALE,
				      [ND6_DELAY] = NEIGH_DELAY, [ND6_PROBE] = NEIGH_PROBE };

	for (unsigned at = 0; at < LWIP_ND6_NUM_NEIGHBORS; at++) {
		const struct nd6_neighbor_cache_entry *e = &neighbor_cache[at];
		if (e->state == ND6_NO_ENTRY || e->state >= ARRAY_SIZE(states) || i--)
			continue;
		*ret = (struct netinfo_neigh){ .index = 2, .family = LX_AF_INET6, .state = states[e->state] };
		memcpy(ret->mac, e->lladdr, 6);
		memcpy(ret->addr, e->next_hop_address.addr, 16);
		return true;
	}
	return false;
}

int netinfo_neigh(unsigned i, struct netinfo_neigh *ret)
{
	bool found = false;

	inet_lock();
	unsigned n4 = neigh4(i, ret, &found);
	if (!found)
		found = neigh6(i - n4, ret);
	inet_unlock();
	return found ? 0 : -ENOENT;
}

/* ---- Groups ---- */

static void group_tell(struct netinfo_group *ret, u32 users, u32 timer, bool reporter)
{
	ret->users = users;
	ret->timer_ms = timer * 100;
	ret->reporter = reporter;
}

int netinfo_group(unsigned i, struct netinfo_group *ret)
{
	bool found = false;

	*ret = (struct netinfo_group){ 0 };
	inet_lock();
	for (unsigned k = 0; k < 4 && !found; k++) {
		const struct netif *n = k & 1 ? &inet_eth : &inet_lo;
		const struct igmp_group *g = k < 2 ? netif_igmp_data(n) : NULL;
		const struct mld_group *g6 = k < 2 ? NULL : netif_mld6_data(n);

		ret->index = 1 + (k & 1);
		ret->family = k < 2 ? LX_AF_INET : LX_AF_INET6;
		while ((g || g6) && i) {
			i--;
			g = g ? g->next : NULL;
			g6 = g6 ? g6->next : NULL;
		}
		found = g || g6;
		if (g) {
			group_tell(ret, g->use, g->timer, g->last_reporter_flag);
			memcpy(ret->addr, &g->group_address, 4);
		} else if (g6) {
			group_tell(ret, g6->use, g6->timer, g6->last_reporter_flag);
			memcpy(ret->addr, g6->group_address.addr, 16);
		}
	}
	inet_unlock();
	return found ? 0 : -ENOENT;
}
