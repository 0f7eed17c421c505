/*
 * procnet.c - /proc/net: interfaces, addresses, routes, neighbours, in Linux's formats. Sockets are in
 * procnet_sock.c. Everything comes from netinfo.h when it is read.
 *
 * Locks: none of its own. What can fail: memory.
 */
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "net/lx_netlink.h"
#include "net/lx_socket.h"
#include "net/netinfo.h"
#include "proc/procfs_impl.h"

#define ULL(x) ((unsigned long long)(x))

static const char *name_of(u32 index, struct netinfo_link *l)
{
	for (unsigned i = 0; netinfo_link(i, l) == 0; i++)
		if (l->index == index)
			return l->name;
	return "?";
}

void procnet_put_hex(struct pseudo_text *t, const u8 *p, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		pseudo_printf(t, "%02x", p[i]);
}

static u32 word(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ---- Interfaces ---- */

static int show_dev(struct pseudo_text *t, u64 arg)
{
	struct netinfo_link l;

	pseudo_printf(t, "Inter-|   Receive                                                |  Transmit\n"
			 " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
	for (unsigned i = 0; netinfo_link(i, &l) == 0; i++)
		pseudo_printf(t, "%6s: %7llu %7llu %4llu %4llu %4u %5u %10u %9u %8llu %7llu %4llu %4llu %4u %5u %7u %10u\n", l.name, ULL(l.rx_bytes),
			      ULL(l.rx_packets), ULL(l.rx_errors), ULL(l.rx_dropped), 0, 0, 0, 0, ULL(l.tx_bytes), ULL(l.tx_packets),
			      ULL(l.tx_errors), ULL(l.tx_dropped), 0, 0, 0, 0);
	return 0;
}

static unsigned scope6(u8 scope)
{
	return scope == 254 ? 0x10 : scope == 253 ? 0x20 : scope == 200 ? 0x40 : 0;
}

static int show_if_inet6(struct pseudo_text *t, u64 arg)
{
	struct netinfo_addr a;
	struct netinfo_link l;

	for (unsigned i = 0; netinfo_addr(i, &a) == 0; i++) {
		if (a.family != LX_AF_INET6)
			continue;
		procnet_put_hex(t, a.addr, 16);
		pseudo_printf(t, " %02x %02x %02x %02x %8s\n", a.index, a.prefix, scope6(a.scope), a.flags, name_of(a.index, &l));
	}
	return 0;
}

/* ---- Routes ---- */

enum { RTF_UP = 1, RTF_GATEWAY = 2, RTF_HOST = 4, RTF_NONEXTHOP = 0x200000, RTF_LOCAL = 0x80000000 };

static int show_route(struct pseudo_text *t, u64 arg)
{
	struct netinfo_route r;
	struct netinfo_link l;
	char line[160];

	pseudo_printf(t, "%-127s\n", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	for (unsigned i = 0; netinfo_route(i, &r) == 0; i++) {
		if (r.family != LX_AF_INET || r.table != LX_RT_TABLE_MAIN)
			continue;
		u32 mask = r.prefix ? __builtin_bswap32(~0u << (32 - r.prefix)) : 0;
		fmt_buf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0", name_of(r.index, &l), word(r.dst),
			r.has_gateway ? word(r.gateway) : 0, RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) | (r.prefix == 32 ? RTF_HOST : 0), r.metric, mask);
		pseudo_printf(t, "%-127s\n", line);
	}
	return 0;
}

static int show_ipv6_route(struct pseudo_text *t, u64 arg)
{
	static const u8 none[16];
	struct netinfo_route r;
	struct netinfo_link l;

	for (unsigned i = 0; netinfo_route(i, &r) == 0; i++) {
		if (r.family != LX_AF_INET6)
			continue;
		u32 flags = RTF_UP | (r.has_gateway ? RTF_GATEWAY : 0) | (r.type == LX_RTN_LOCAL ? RTF_LOCAL | RTF_NONEXTHOP : 0);
		procnet_put_hex(t, r.dst, 16);
		pseudo_printf(t, " %02x ", r.prefix);
		procnet_put_hex(t, none, 16);
		pseudo_printf(t, " 00 ");
		procnet_put_hex(t, r.has_gateway ? r.gateway : none, 16);
		pseudo_printf(t, " %08x %08x %08x %08x %8s\n", r.metric, 1, 0, flags, name_of(r.index, &l));
	}
	return 0;
}

static int show_arp(struct pseudo_text *t, u64 arg)
{
	struct netinfo_neigh n;
	struct netinfo_link l;
	char ip[16];

	pseudo_printf(t, "IP address       HW type     Flags       HW address            Mask     Device\n");
	for (unsigned i = 0; netinfo_neigh(i, &n) == 0; i++) {
		if (n.family != LX_AF_INET)
			continue;
		fmt_buf(ip, sizeof(ip), "%u.%u.%u.%u", n.addr[0], n.addr[1], n.addr[2], n.addr[3]);
		pseudo_printf(t, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", ip, 1,
			      n.state & 0x80 ? 6 : n.state == 1 ? 0 : 2, n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5], name_of(n.index, &l));
	}
	return 0;
}

/* ---- Groups ---- */

/* In the first form the interface comes first, with how many groups it has; IGMP here is version 2. */
static int show_igmp(struct pseudo_text *t, u64 arg)
{
	struct netinfo_group g, other;
	struct netinfo_link l;
	u32 index = 0;

	pseudo_printf(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	for (unsigned i = 0; netinfo_group(i, &g) == 0 && g.family == LX_AF_INET; i++) {
		if (g.index != index) {
			unsigned n = 0;
			for (unsigned k = i; netinfo_group(k, &other) == 0 && other.family == LX_AF_INET && other.index == g.index; k++)
				n++;
			index = g.index;
			pseudo_printf(t, "%u\t%-10s: %5u %7s\n", index, name_of(index, &l), n, "V2");
		}
		pseudo_printf(t, "\t\t\t\t%08X %5u %u:%08X\t\t%u\n", word(g.addr), g.users, g.timer_ms != 0, g.timer_ms / 10, g.reporter);
	}
	return 0;
}

static void igmp6_line(struct pseudo_text *t, u32 index, const u8 *addr, u32 users, u32 flags, u32 timer_ms)
{
	struct netinfo_link l;

	pseudo_printf(t, "%-4u %-15s ", index, name_of(index, &l));
	procnet_put_hex(t, addr, 16);
	pseudo_printf(t, " %5u %08X %u\n", users, flags, timer_ms / 10);
}

/* Of all nodes each interface is a member without saying so. */
static int show_igmp6(struct pseudo_text *t, u64 arg)
{
	static const u8 nodes[2][16] = { { 0xff, 2, [15] = 1 }, { 0xff, 1, [15] = 1 } };
	enum { TIMER_RUNNING = 1, LAST_REPORTER = 2, LOADED = 4, NO_REPORT = 8 };
	struct netinfo_group g;
	struct netinfo_link l;

	for (unsigned k = 0; netinfo_link(k, &l) == 0; k++) {
		for (unsigned i = 0; netinfo_group(i, &g) == 0; i++)
			if (g.family == LX_AF_INET6 && g.index == l.index)
				igmp6_line(t, g.index, g.addr, g.users, LOADED | (g.timer_ms ? TIMER_RUNNING : 0) | (g.reporter ? LAST_REPORTER : 0), g.timer_ms);
		igmp6_line(t, l.index, nodes[0], 1, NO_REPORT | LOADED, 0);
		igmp6_line(t, l.index, nodes[1], 1, NO_REPORT, 0);
	}
	return 0;
}

/* ---- Tables ---- */

static const struct pseudo_file files[] = {
	{ .path = "net/dev", .mode = 0444, .show = show_dev },
	{ .path = "net/if_inet6", .mode = 0444, .show = show_if_inet6 },
	{ .path = "net/route", .mode = 0444, .show = show_route },
	{ .path = "net/ipv6_route", .mode = 0444, .show = show_ipv6_route },
	{ .path = "net/arp", .mode = 0444, .show = show_arp },
	{ .path = "net/igmp", .mode = 0444, .show = show_igmp },
	{ .path = "net/igmp6", .mode = 0444, .show = show_igmp6 },
	{ .path = "net/tcp", .mode = 0444, .show = procnet_show_tcp, .arg = LX_AF_INET },
	{ .path = "net/tcp6", .mode = 0444, .show = procnet_show_tcp, .arg = LX_AF_INET6 },
	{ .path = "net/udp", .mode = 0444, .show = procnet_show_udp, .arg = LX_AF_INET },
	{ .path = "net/udp6", .mode = 0444, .show = procnet_show_udp, .arg = LX_AF_INET6 },
	{ .path = "net/unix", .mode = 0444, .show = procnet_show_unix },
	{ .path = "net/netlink", .mode = 0444, .show = procnet_show_netlink },
	{ .path = "net/sockstat", .mode = 0444, .show = procnet_show_sockstat, .arg = LX_AF_INET },
	{ .path = "net/sockstat6", .mode = 0444, .show = procnet_show_sockstat, .arg = LX_AF_INET6 },
	{ .path = "net/protocols", .mode = 0444, .show = procnet_show_protocols },
	{ .path = "net/snmp", .mode = 0444, .show = procnet_show_snmp },
	{ .path = "net/netstat", .mode = 0444, .show = procnet_show_netstat },
};

static int procnet_populate(void)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &files[i]);
	return r ? r : procnet_sys_populate();
}

static int procnet_init(void) { return pseudo_on_look(PSEUDO_PROC, procnet_populate); }
LINK_INIT(proc_net, procnet_init);
