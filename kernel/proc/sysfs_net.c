/*
 * sysfs_net.c - /sys/class/net: a directory for each interface, made when somebody first looks.
 * Locks: none. What can fail: memory; what is read of an interface that cannot say it (-EINVAL).
 */
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/pseudo.h"
#include "mm/heap.h"
#include "net/lx_netlink.h"
#include "net/lx_socket.h"
#include "net/netinfo.h"
#include "proc/procfs_impl.h"

enum what {
	ADDRESS, ADDR_LEN, BROADCAST, CARRIER, CARRIER_CHANGES, DORMANT, DUPLEX, FLAGS, IFALIAS, IFINDEX, IFLINK, LINK_MODE, MTU, OPERSTATE, SPEED,
	TX_QUEUE_LEN, TYPE, UEVENT, DEV_ID, ZERO, NAME_ASSIGN_TYPE,
	RX_BYTES, RX_PACKETS, RX_ERRORS, RX_DROPPED, TX_BYTES, TX_PACKETS, TX_ERRORS, TX_DROPPED,
};

static const struct { const char *path; u8 what; } entries[] = {
	{ "address", ADDRESS }, { "addr_len", ADDR_LEN }, { "broadcast", BROADCAST }, { "carrier", CARRIER }, { "carrier_changes", CARRIER_CHANGES },
	{ "carrier_up_count", ZERO }, { "carrier_down_count", ZERO }, { "dormant", DORMANT }, { "duplex", DUPLEX }, { "flags", FLAGS },
	{ "ifalias", IFALIAS }, { "ifindex", IFINDEX }, { "iflink", IFLINK }, { "link_mode", LINK_MODE }, { "mtu", MTU }, { "operstate", OPERSTATE },
	{ "speed", SPEED }, { "tx_queue_len", TX_QUEUE_LEN }, { "type", TYPE }, { "uevent", UEVENT }, { "dev_id", DEV_ID }, { "dev_port", ZERO },
	{ "netdev_group", ZERO }, { "addr_assign_type", ZERO }, { "name_assign_type", NAME_ASSIGN_TYPE },
	{ "statistics/rx_bytes", RX_BYTES }, { "statistics/rx_packets", RX_PACKETS }, { "statistics/rx_errors", RX_ERRORS },
	{ "statistics/rx_dropped", RX_DROPPED }, { "statistics/tx_bytes", TX_BYTES }, { "statistics/tx_packets", TX_PACKETS },
	{ "statistics/tx_errors", TX_ERRORS }, { "statistics/tx_dropped", TX_DROPPED }, { "statistics/collisions", ZERO },
	{ "statistics/multicast", ZERO }, { "statistics/rx_compressed", ZERO }, { "statistics/tx_compressed", ZERO },
	{ "statistics/rx_crc_errors", ZERO }, { "statistics/rx_fifo_errors", ZERO }, { "statistics/rx_frame_errors", ZERO },
	{ "statistics/rx_length_errors", ZERO }, { "statistics/rx_missed_errors", ZERO }, { "statistics/rx_nohandler", ZERO },
	{ "statistics/rx_over_errors", ZERO }, { "statistics/tx_aborted_errors", ZERO }, { "statistics/tx_carrier_errors", ZERO },
	{ "statistics/tx_fifo_errors", ZERO }, { "statistics/tx_heartbeat_errors", ZERO }, { "statistics/tx_window_errors", ZERO },
};

static int put_mac(struct pseudo_text *t, const u8 *m)
{
	pseudo_printf(t, "%02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1], m[2], m[3], m[4], m[5]);
	return 0;
}

static u64 number_of(enum what w, const struct netinfo_link *l)
{
	switch (w) {
	case ADDR_LEN: return sizeof(l->mac);
	case CARRIER: return l->carrier;
	case IFINDEX: case IFLINK: return l->index;
	case MTU: return l->mtu;
	case TX_QUEUE_LEN: return 1000;
	case TYPE: return l->type;
	case NAME_ASSIGN_TYPE: return l->type == LX_ARPHRD_LOOPBACK ? 2 : 1;
	case RX_BYTES: return l->rx_bytes;
	case RX_PACKETS: return l->rx_packets;
	case RX_ERRORS: return l->rx_errors;
	case RX_DROPPED: return l->rx_dropped;
	case TX_BYTES: return l->tx_bytes;
	case TX_PACKETS: return l->tx_packets;
	case TX_ERRORS: return l->tx_errors;
	case TX_DROPPED: return l->tx_dropped;
	default: return 0;
	}
}

/* arg: which interface << 8, which file. */
static int show(struct pseudo_text *t, u64 arg)
{
	static const u8 all_ones[6] = { 255, 255, 255, 255, 255, 255 }, zeros[6];
	enum what w = (enum what)(arg & 0xff);
	struct netinfo_link l;

	if (netinfo_link((unsigned)(arg >> 8), &l) < 0)
		return -ENODEV;
	bool lo = l.type == LX_ARPHRD_LOOPBACK;
	switch (w) {
	case ADDRESS: return put_mac(t, l.mac);
	case BROADCAST: return put_mac(t, lo ? zeros : all_ones);
	case DUPLEX:
		if (lo)
			return -EINVAL;
		pseudo_printf(t, "unknown\n");
		return 0;
	case SPEED:
		if (lo)
			return -EINVAL;
		pseudo_printf(t, "-1\n");
		return 0;
	case FLAGS: pseudo_printf(t, "0x%x\n", l.flags & ~(u32)(LX_IFF_RUNNING | LX_IFF_LOWER_UP)); return 0;
	case DEV_ID: pseudo_printf(t, "0x0\n"); return 0;
	case OPERSTATE: pseudo_printf(t, "%s\n", lo ? "unknown" : l.carrier ? "up" : "down"); return 0;
	case UEVENT: pseudo_printf(t, "INTERFACE=%s\nIFINDEX=%u\n", l.name, l.index); return 0;
	case IFALIAS: return 0;
	default: pseudo_printf(t, "%llu\n", (unsigned long long)number_of(w, &l)); return 0;
	}
}

/* ---- The tree ---- */

static const char *directory_of(const struct netinfo_link *l)
{
	return l->type == LX_ARPHRD_LOOPBACK ? "devices/virtual/net" : "devices/virtio/net";
}

static ssize_t link_target(char *buf, size_t size, u64 i)
{
	struct netinfo_link l;

	if (netinfo_link((unsigned)i, &l) < 0)
		return -ENOENT;
	return fmt_buf(buf, size, "../../%s/%s", directory_of(&l), l.name);
}

static ssize_t subsystem_target(char *buf, size_t size, u64 i)
{
	return fmt_buf(buf, size, "../../../../class/net");
}

static int add_file(const char *path, u64 arg)
{
	struct pseudo_file *f = heap_alloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	*f = (struct pseudo_file){ .path = heap_strdup(path), .mode = 0444, .show = show, .arg = arg };
	return f->path ? pseudo_add_file(PSEUDO_SYS, f) : -ENOMEM;      /* kept, also after an error: it is once */
}

static int add_link(const char *path, ssize_t (*target)(char *buf, size_t size, u64 arg), u64 arg)
{
	struct pseudo_link *l = heap_alloc(sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct pseudo_link){ .path = heap_strdup(path), .target = target, .arg = arg };
	return l->path ? pseudo_add_link(PSEUDO_SYS, l) : -ENOMEM;
}

static int sysfs_net_populate(void)
{
	struct netinfo_link l;
	char path[96];
	int r = 0;

	for (unsigned i = 0; netinfo_link(i, &l) == 0 && r == 0; i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(entries) && r == 0; k++) {
			fmt_buf(path, sizeof(path), "%s/%s/%s", directory_of(&l), l.name, entries[k].path);
			r = add_file(path, (u64)i << 8 | entries[k].what);
		}
		fmt_buf(path, sizeof(path), "%s/%s/subsystem", directory_of(&l), l.name);
		if (r == 0)
			r = add_link(path, subsystem_target, 0);
		fmt_buf(path, sizeof(path), "class/net/%s", l.name);
		if (r == 0)
			r = add_link(path, link_target, i);
	}
	return r;
}

static int sysfs_net_init(void) { return pseudo_on_look(PSEUDO_SYS, sysfs_net_populate); }
LINK_INIT(sys_net, sysfs_net_init);
