/*
 * procnet_sys.c - /proc/sys/net: what the stack does, in the words of Linux's settings. None can be changed.
 * Locks: none. What can fail: memory.
 */
#include "net/lx_socket.h"
#include "net/netinfo.h"
#include "proc/procfs_impl.h"

static int show_number(struct pseudo_text *t, u64 n)
{
	pseudo_printf(t, "%llu\n", (unsigned long long)n);
	return 0;
}

#define TEXT(name, text)                                              \
	static int show_##name(struct pseudo_text *t, u64 arg)        \
	{                                                             \
		pseudo_printf(t, "%s\n", text);                       \
		return 0;                                             \
	}
TEXT(ports, "32768\t60999")
TEXT(empty, "")
TEXT(ping_groups, "1\t0")
TEXT(congestion, "reno")

/* "Disabled" means that there is no address of it. */
static int show_disable_ipv6(struct pseudo_text *t, u64 arg)
{
	struct netinfo_addr a;

	for (unsigned i = 0; netinfo_addr(i, &a) == 0; i++)
		if (a.family == LX_AF_INET6)
			return show_number(t, 0);
	return show_number(t, 1);
}

#define NUMBER(p, n) { .path = "sys/net/" p, .mode = 0444, .show = show_number, .arg = (n) }
#define SHOW(p, f)   { .path = "sys/net/" p, .mode = 0444, .show = (f) }
static const struct pseudo_file files[] = {
	NUMBER("core/rmem_max", 212992),
	NUMBER("core/rmem_default", 212992),
	NUMBER("core/wmem_max", 212992),
	NUMBER("core/wmem_default", 212992),
	NUMBER("core/optmem_max", 20480),
	NUMBER("unix/max_dgram_qlen", 10),
	NUMBER("ipv4/ip_forward", 0),
	NUMBER("ipv4/ip_default_ttl", 64),
	NUMBER("ipv4/ip_nonlocal_bind", 0),
	NUMBER("ipv4/ip_unprivileged_port_start", 0),
	SHOW("ipv4/ip_local_port_range", show_ports),
	SHOW("ipv4/ip_local_reserved_ports", show_empty),
	SHOW("ipv4/ping_group_range", show_ping_groups),
	SHOW("ipv4/tcp_congestion_control", show_congestion),
	SHOW("ipv4/tcp_available_congestion_control", show_congestion),
	SHOW("ipv4/tcp_allowed_congestion_control", show_congestion),
	NUMBER("ipv4/tcp_keepalive_time", 7200),
	NUMBER("ipv4/tcp_keepalive_intvl", 75),
	NUMBER("ipv4/tcp_keepalive_probes", 9),
	NUMBER("ipv4/tcp_syn_retries", 6),
	NUMBER("ipv4/tcp_max_tw_buckets", 256),
	NUMBER("ipv4/tcp_window_scaling", 1),
	NUMBER("ipv4/tcp_timestamps", 1),
	NUMBER("ipv4/tcp_sack", 1),
	NUMBER("ipv4/tcp_ecn", 0),
	NUMBER("ipv4/tcp_syncookies", 0),
	NUMBER("ipv4/tcp_tw_reuse", 0),
	NUMBER("ipv4/tcp_mtu_probing", 0),
	NUMBER("ipv6/bindv6only", 0),
	SHOW("ipv6/conf/all/disable_ipv6", show_disable_ipv6),
	SHOW("ipv6/conf/default/disable_ipv6", show_disable_ipv6),
	SHOW("ipv6/conf/lo/disable_ipv6", show_disable_ipv6),
	SHOW("ipv6/conf/eth0/disable_ipv6", show_disable_ipv6),
};

int procnet_sys_populate(void)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		r = pseudo_add_file(PSEUDO_PROC, &files[i]);
	return r;
}
