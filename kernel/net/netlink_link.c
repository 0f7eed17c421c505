/*
 * netlink_link.c - RTM_GETLINK: interfaces. Locks: netlink_lock is held; netinfo takes the stack's.
 * What can fail: what the program asked.
 */
#include "net/netlink_impl.h"

static void put_stats(struct netlink_buf *b, const struct netinfo_link *l)
{
	struct lx_link_stats64 s = {
		.rx_packets = l->rx_packets, .tx_packets = l->tx_packets, .rx_bytes = l->rx_bytes, .tx_bytes = l->tx_bytes,
		.rx_errors = l->rx_errors, .tx_errors = l->tx_errors, .rx_dropped = l->rx_dropped, .tx_dropped = l->tx_dropped,
	};
	const u64 *wide = (const u64 *)&s;
	u32 narrow[24];

	for (unsigned i = 0; i < ARRAY_SIZE(narrow); i++)
		narrow[i] = (u32)wide[i];
	netlink_put(b, LX_IFLA_STATS64, &s, sizeof(s));
	netlink_put(b, LX_IFLA_STATS, narrow, sizeof(narrow));
}

int netlink_link_put(struct netlink_buf *b, const struct netinfo_link *l, u16 type, u16 flags, u32 seq, u32 pid)
{
	bool loopback = l->type == LX_ARPHRD_LOOPBACK, up = l->flags & LX_IFF_UP;
	struct lx_ifinfomsg ifi = { .type = l->type, .index = (s32)l->index, .flags = l->flags };
	u8 broadcast[6] = { 0 }, map[32] = { 0 };

	if (up && l->carrier)
		ifi.flags |= LX_IFF_LOWER_UP;
	if (!loopback)
		memset(broadcast, 0xff, sizeof(broadcast));
	netlink_begin(b, type, flags, seq, pid, &ifi, sizeof(ifi));
	netlink_put_string(b, LX_IFLA_IFNAME, l->name);
	netlink_put_u32(b, LX_IFLA_TXQLEN, 1000);
	netlink_put_u8(b, LX_IFLA_OPERSTATE, loopback ? LX_OPER_UNKNOWN : up && l->carrier ? LX_OPER_UP : LX_OPER_DOWN);
	netlink_put_u8(b, LX_IFLA_LINKMODE, 0);
	netlink_put_u32(b, LX_IFLA_MTU, l->mtu);
	netlink_put_u32(b, LX_IFLA_MIN_MTU, loopback ? 0 : 68);
	netlink_put_u32(b, LX_IFLA_MAX_MTU, loopback ? 0 : 65535);
	netlink_put_u32(b, LX_IFLA_GROUP, 0);
	netlink_put_u32(b, LX_IFLA_PROMISCUITY, 0);
	netlink_put_u32(b, LX_IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(b, LX_IFLA_NUM_RX_QUEUES, 1);
	netlink_put_u8(b, LX_IFLA_CARRIER, l->carrier);
	netlink_put_string(b, LX_IFLA_QDISC, "noqueue");
	netlink_put_u32(b, LX_IFLA_CARRIER_CHANGES, 0);
	netlink_put_u32(b, LX_IFLA_CARRIER_UP_COUNT, 0);
	netlink_put_u32(b, LX_IFLA_CARRIER_DOWN_COUNT, 0);
	netlink_put_u8(b, LX_IFLA_PROTO_DOWN, 0);
	netlink_put(b, LX_IFLA_MAP, map, sizeof(map));
	netlink_put(b, LX_IFLA_ADDRESS, l->mac, sizeof(l->mac));
	netlink_put(b, LX_IFLA_BROADCAST, broadcast, sizeof(broadcast));
	put_stats(b, l);
	return netlink_end(b);
}

bool netlink_link_exists(u32 index)
{
	struct netinfo_link l;

	for (unsigned i = 0; netinfo_link(i, &l) == 0; i++)
		if (l.index == index)
			return true;
	return false;
}

/* ---- Dumps ---- */

static int fill_links(struct netlink_dump *d, struct netlink_buf *b)
{
	struct netinfo_link l;
	int r = 0;

	while (!d->none && r == 0 && netinfo_link(d->at, &l) == 0) {
		r = netlink_link_put(b, &l, LX_RTM_NEWLINK, d->flags, d->seq, d->pid);
		if (r == 0)
			d->at++;
	}
	return r;
}

/* What NETLINK_GET_STRICT_CHK forbids in the fixed part. */
static int check_strict(const struct netlink_request *rq, bool dump)
{
	const struct lx_ifinfomsg *ifi = (const void *)rq->body;

	if (rq->len < sizeof(*ifi))
		return netlink_fail(rq->ack, -EINVAL, dump ? "Invalid header for link dump" : "Invalid header for get link");
	if (ifi->pad || ifi->type || ifi->flags || ifi->change)
		return netlink_fail(rq->ack, -EINVAL, dump ? "Invalid values in header for link dump request" : "Invalid values in header for get link request");
	if (dump && ifi->index)
		return netlink_fail(rq->ack, -EINVAL, "Filter by device index not supported for link dumps");
	return 0;
}

static int check_attributes(const struct netlink_request *rq, const struct lx_nlattr **at, bool dump)
{
	for (unsigned t = 1; t <= LX_IFLA_MAX; t++) {
		if (!at[t] || t == LX_IFLA_TARGET_NETNSID || t == LX_IFLA_EXT_MASK)
			continue;
		if (dump ? t == LX_IFLA_MASTER || t == LX_IFLA_LINKINFO : t == LX_IFLA_IFNAME || t == LX_IFLA_ALT_IFNAME)
			continue;
		return netlink_fail(rq->ack, -EINVAL, dump ? "Unsupported attribute in link dump request" : "Unsupported attribute in get link request");
	}
	return 0;
}

static const u8 least[LX_IFLA_MAX + 1] = { [LX_IFLA_EXT_MASK] = 4, [LX_IFLA_MASTER] = 4, [LX_IFLA_TARGET_NETNSID] = 4 };

int netlink_link_dump(const struct netlink_request *rq)
{
	const struct lx_nlattr *at[LX_IFLA_MAX + 1] = { 0 };
	struct netlink_dump d = { .fill = fill_links };
	int r = rq->strict ? check_strict(rq, true) : 0;

	/* Old programs send a family only, before the attributes. */
	if (r == 0)
		r = netlink_parse(rq, rq->len < sizeof(struct lx_ifinfomsg) ? 1 : sizeof(struct lx_ifinfomsg), at, LX_IFLA_MAX, least);
	if (r == 0 && rq->strict)
		r = check_attributes(rq, at, true);
	if (r < 0 && rq->strict)
		return netlink_dump_fail(rq, r, 0);
	if (r == 0 && at[LX_IFLA_TARGET_NETNSID])
		return netlink_dump_fail(rq, netlink_fail(rq->ack, -EINVAL, "Invalid target network namespace id"), 0);
	/* No interface has a master or is of a kind that is made. */
	d.none = r == 0 && ((at[LX_IFLA_MASTER] && netlink_attr_u32(at[LX_IFLA_MASTER])) || at[LX_IFLA_LINKINFO]);
	return netlink_dump_start(rq, &d);
}

/* ---- One ---- */

static bool find(s32 index, const char *name, struct netinfo_link *ret)
{
	for (unsigned i = 0; netinfo_link(i, ret) == 0; i++)
		if (index > 0 ? (s32)ret->index == index : strcmp(ret->name, name) == 0)
			return true;
	return false;
}

int netlink_link_get(const struct netlink_request *rq)
{
	const struct lx_nlattr *at[LX_IFLA_MAX + 1], *n;
	const struct lx_ifinfomsg *ifi = (const void *)rq->body;
	struct netinfo_link l;
	struct netlink_buf b;
	char name[129] = "";
	int r = rq->strict ? check_strict(rq, false) : 0;

	if (r == 0)
		r = netlink_parse(rq, sizeof(*ifi), at, LX_IFLA_MAX, least);
	if (r == 0 && rq->strict)
		r = check_attributes(rq, at, false);
	if (r < 0)
		return r;
	if (at[LX_IFLA_IFNAME] && strnlen((const char *)(at[LX_IFLA_IFNAME] + 1), netlink_attr_len(at[LX_IFLA_IFNAME])) > 15)
		return netlink_fail(rq->ack, -ERANGE, "Attribute failed policy validation");
	if (at[LX_IFLA_TARGET_NETNSID])
		return netlink_fail(rq->ack, -EINVAL, "Invalid target network namespace id");
	n = at[LX_IFLA_IFNAME] ? at[LX_IFLA_IFNAME] : at[LX_IFLA_ALT_IFNAME];
	if (ifi->index <= 0 && !n)
		return -EINVAL;
	if (n)
		netlink_attr_string(n, name, sizeof(name));
	if (!find(ifi->index, name, &l))
		return -ENODEV;
	r = netlink_buf_init(&b, 2048);
	if (r < 0)
		return -ENOBUFS;
	(void)netlink_link_put(&b, &l, LX_RTM_NEWLINK, 0, rq->head->seq, rq->sock->portid);
	return netlink_answer(rq, &b);
}
