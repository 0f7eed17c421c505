/*
 * netlink_route.c - NETLINK_ROUTE: whose each request is. Objects can be asked for, by name or in dumps;
 * what would change one is refused (EPERM): the machine's network is the host's business.
 *
 * Routing rules are Linux's three (local, main, default), which cannot be changed.
 *
 * Locks: netlink_lock is held. What can fail: what the program asked.
 */
#include "net/netlink_impl.h"

/* ---- Rules ---- */

static int put_rule(struct netlink_buf *b, const struct netlink_dump *d, u8 family, u8 table, u32 priority)
{
	struct lx_fib_rule_hdr h = { .family = family, .table = table, .action = 1 /* FR_ACT_TO_TBL */ };

	netlink_begin(b, LX_RTM_NEWRULE, d->flags, d->seq, d->pid, &h, sizeof(h));
	netlink_put_u32(b, LX_FRA_TABLE, table);
	netlink_put_u32(b, LX_FRA_SUPPRESS_PREFIXLEN, ~0u);
	netlink_put_u8(b, LX_FRA_PROTOCOL, LX_RTPROT_KERNEL);
	if (priority)
		netlink_put_u32(b, LX_FRA_PRIORITY, priority);
	return netlink_end(b);
}

static int fill_rules(struct netlink_dump *d, struct netlink_buf *b)
{
	static const struct { u8 family, table; u16 priority; } rules[] = {
		{ LX_AF_INET, LX_RT_TABLE_LOCAL, 0 }, { LX_AF_INET, LX_RT_TABLE_MAIN, 32766 }, { LX_AF_INET, LX_RT_TABLE_DEFAULT, 32767 },
		{ LX_AF_INET6, LX_RT_TABLE_LOCAL, 0 }, { LX_AF_INET6, LX_RT_TABLE_MAIN, 32766 },
	};
	int r = 0;

	for (; d->at < ARRAY_SIZE(rules) && r == 0; d->at++)
		if (!d->family || d->family == rules[d->at].family)
			r = put_rule(b, d, rules[d->at].family, rules[d->at].table, rules[d->at].priority);
	if (r < 0)
		d->at--;
	return r;
}

static int rule_dump(const struct netlink_request *rq)
{
	struct netlink_dump d = { .fill = fill_rules, .family = rq->body[0] };

	if (d.family && d.family != LX_AF_INET && d.family != LX_AF_INET6)
		return netlink_dump_fail(rq, -EAFNOSUPPORT, 0);
	if (rq->strict && rq->len < sizeof(struct lx_fib_rule_hdr))
		return netlink_dump_fail(rq, netlink_fail(rq->ack, -EINVAL, "Invalid header for fib rule dump request"), 0);
	return netlink_dump_start(rq, &d);
}

/* ---- Requests ---- */

static const struct {
	u16 type;
	bool families;               /* get is of IPv4 and IPv6 only */
	int (*dump)(const struct netlink_request *rq);
	int (*get)(const struct netlink_request *rq);
} kinds[] = {
	{ LX_RTM_GETLINK, false, netlink_link_dump, netlink_link_get },
	{ LX_RTM_GETADDR, true, netlink_addr_dump, netlink_addr_get },
	{ LX_RTM_GETROUTE, true, netlink_fib_dump, netlink_fib_get },
	{ LX_RTM_GETNEIGH, false, netlink_neigh_dump, netlink_neigh_get },
	{ LX_RTM_GETRULE, false, rule_dump, NULL },
};

static int route_request(const struct netlink_request *rq)
{
	u16 type = rq->head->type;

	if (type > LX_RTM_MAX)
		return -EOPNOTSUPP;
	if (!rq->len)
		return 0;                /* not even a family */
	if ((type & 3) != LX_RTM_KIND_GET)
		return -EPERM;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		u8 family = rq->body[0];
		if (kinds[i].type != type)
			continue;
		if (rq->head->flags & LX_NLM_F_DUMP)
			return kinds[i].dump(rq);
		if (!kinds[i].get || (kinds[i].families && family != LX_AF_INET && family != LX_AF_INET6))
			return -EOPNOTSUPP;
		return kinds[i].get(rq);
	}
	return -EOPNOTSUPP;
}

const struct netlink_protocol netlink_route = { LX_NETLINK_ROUTE, LX_RTNLGRP_MAX, route_request };
