/*
 * netlink_fib.c - RTM_GETROUTE: routes in dumps, and which route a destination takes. The lookup goes over
 * netinfo's routes (the local table first, then the longest prefix and the smallest metric), which is what
 * the stack does.
 *
 * Locks: netlink_lock is held; netinfo takes the stack's. What can fail: what the program asked.
 */
#include "net/netlink_impl.h"

int netlink_fib_put(struct netlink_buf *b, const struct netinfo_route *r, u16 type, u16 flags, u32 seq, u32 pid)
{
	struct lx_rtmsg rtm = {
		.family = r->family, .dst_len = r->prefix, .table = r->table, .protocol = r->protocol, .scope = r->scope, .type = r->type,
	};
	struct lx_rta_cacheinfo ci = { 0 };
	u32 n = netlink_addr_bytes(r->family);

	netlink_begin(b, type, flags, seq, pid, &rtm, sizeof(rtm));
	netlink_put_u32(b, LX_RTA_TABLE, r->table);
	if (r->prefix)
		netlink_put(b, LX_RTA_DST, r->dst, n);
	if (r->metric)
		netlink_put_u32(b, LX_RTA_PRIORITY, r->metric);
	if (r->has_source)
		netlink_put(b, LX_RTA_PREFSRC, r->source, n);
	if (r->has_gateway)
		netlink_put(b, LX_RTA_GATEWAY, r->gateway, n);
	netlink_put_u32(b, LX_RTA_OIF, r->index);
	if (r->family == LX_AF_INET6) {
		netlink_put(b, LX_RTA_CACHEINFO, &ci, sizeof(ci));
		netlink_put_u8(b, LX_RTA_PREF, 0);
	}
	return netlink_end(b);
}

/* ---- Dumps ---- */

static bool wanted(const struct netlink_dump *d, const struct netinfo_route *r)
{
	return (!d->table || r->table == d->table) && (!d->protocol || r->protocol == d->protocol) && (!d->rtype || r->type == d->rtype) &&
	       (!d->index || r->index == d->index);
}

static int fill_routes(struct netlink_dump *d, struct netlink_buf *b)
{
	static const u8 order[] = { LX_AF_INET, LX_AF_INET6 };
	struct netinfo_route rt;

	for (; !d->none && d->phase < ARRAY_SIZE(order); d->phase++, d->at = 0) {
		if (d->family && d->family != order[d->phase])
			continue;
		for (; netinfo_route(d->at, &rt) == 0; d->at++) {
			if (rt.family != order[d->phase] || !wanted(d, &rt))
				continue;
			int r = netlink_fib_put(b, &rt, LX_RTM_NEWROUTE, d->flags, d->seq, d->pid);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int check_dump(const struct netlink_request *rq, struct netlink_dump *d)
{
	static const u8 least[LX_RTA_MAX + 1] = { [LX_RTA_TABLE] = 4, [LX_RTA_OIF] = 4 };
	const struct lx_nlattr *at[LX_RTA_MAX + 1];
	const struct lx_rtmsg *rtm = (const void *)rq->body;
	int r;

	if (rq->len < sizeof(*rtm))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for FIB dump request");
	if (rtm->dst_len || rtm->src_len || rtm->tos || rtm->scope)
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for FIB dump request");
	if (rtm->flags & ~(u32)(LX_RTM_F_CLONED | LX_RTM_F_PREFIX))
		return netlink_fail(rq->ack, -EINVAL, "Invalid flags for FIB dump request");
	r = netlink_parse(rq, sizeof(*rtm), at, LX_RTA_MAX, least);
	for (unsigned t = 1; r == 0 && t <= LX_RTA_MAX; t++)
		if (at[t] && t != LX_RTA_TABLE && t != LX_RTA_OIF)
			r = netlink_fail(rq->ack, -EINVAL, "Unsupported attribute in dump request");
	if (r < 0)
		return r;
	u32 table = at[LX_RTA_TABLE] ? netlink_attr_u32(at[LX_RTA_TABLE]) : rtm->table;
	d->protocol = rtm->protocol;
	d->rtype = rtm->type;
	if (at[LX_RTA_OIF]) {
		d->index = netlink_attr_u32(at[LX_RTA_OIF]);
		if (!netlink_link_exists(d->index))
			return -ENODEV;
	}
	if (table || d->protocol || d->rtype || d->index)
		d->flags = LX_NLM_F_DUMP_FILTERED;
	d->table = (u8)table;
	if (table && table != LX_RT_TABLE_MAIN && table != LX_RT_TABLE_LOCAL) {
		d->none = true;
		if (table != LX_RT_TABLE_DEFAULT && rtm->family != 0)
			return netlink_fail(rq->ack, -ENOENT, rtm->family == LX_AF_INET6 ? "FIB table does not exist" : "ipv4: FIB table does not exist");
	}
	return 0;
}

int netlink_fib_dump(const struct netlink_request *rq)
{
	const struct lx_rtmsg *rtm = (const void *)rq->body;
	struct netlink_dump d = { .fill = fill_routes, .family = rq->body[0] };

	if (d.family != LX_AF_INET && d.family != LX_AF_INET6)
		d.family = 0;
	if (rq->strict) {
		int r = check_dump(rq, &d);
		if (r < 0)
			return netlink_dump_fail(rq, r, d.flags);
	}
	/* There are no cached routes (a strict request means only those), and IPv4 has no prefixes that were learnt. */
	if (rq->len >= sizeof(*rtm) && ((rq->strict && rtm->flags & LX_RTM_F_CLONED) || (rtm->flags & LX_RTM_F_PREFIX && d.family == LX_AF_INET)))
		d.none = true;
	return netlink_dump_start(rq, &d);
}

/* ---- One destination ---- */

static bool prefix_matches(const u8 *a, const u8 *b, u8 bits)
{
	u8 whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || (u8)((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

/* Is r, which fits, better than what was found? */
static bool better(const struct netinfo_route *r, const struct netinfo_route *than)
{
	bool local = r->table == LX_RT_TABLE_LOCAL, than_local = than->table == LX_RT_TABLE_LOCAL;

	if (local != than_local)
		return local;
	return r->prefix != than->prefix ? r->prefix > than->prefix : r->metric < than->metric;
}

static bool lookup(u8 family, const u8 *dst, u32 oif, struct netinfo_route *ret)
{
	struct netinfo_route r;
	bool found = false;

	for (unsigned i = 0; netinfo_route(i, &r) == 0; i++) {
		if (r.family != family || (oif && r.index != oif) || !prefix_matches(r.dst, dst, r.prefix))
			continue;
		if (!found || better(&r, ret))
			*ret = r;
		found = true;
	}
	return found;
}

/* The address that a packet to dst leaves with: the route's, the destination itself if it is ours, or the interface's. */
static bool choose_source(struct netinfo_route *r, const u8 *dst, u32 n)
{
	struct netinfo_addr a;

	if (r->has_source)
		return true;
	if (r->type == LX_RTN_LOCAL) {
		memcpy(r->source, dst, n);
		return r->has_source = true;
	}
	for (unsigned i = 0; netinfo_addr(i, &a) == 0; i++)
		if (a.family == r->family && a.index == r->index && a.scope <= (r->has_gateway || r->family == LX_AF_INET ? 0 : 253)) {
			memcpy(r->source, a.addr, n);
			return r->has_source = true;
		}
	return false;
}

static int check_get(const struct netlink_request *rq, const struct lx_nlattr **at)
{
	static const u8 least4[LX_RTA_MAX + 1] = { [LX_RTA_DST] = 4, [LX_RTA_SRC] = 4, [LX_RTA_IIF] = 4, [LX_RTA_OIF] = 4, [LX_RTA_PREFSRC] = 4, [LX_RTA_MARK] = 4, [LX_RTA_UID] = 4, [LX_RTA_PRIORITY] = 4, [LX_RTA_TABLE] = 4 };
	static const u8 least6[LX_RTA_MAX + 1] = { [LX_RTA_DST] = 16, [LX_RTA_SRC] = 16, [LX_RTA_IIF] = 4, [LX_RTA_OIF] = 4, [LX_RTA_PREFSRC] = 16, [LX_RTA_MARK] = 4, [LX_RTA_UID] = 4, [LX_RTA_PRIORITY] = 4, [LX_RTA_TABLE] = 4 };
	const struct lx_rtmsg *rtm = (const void *)rq->body;
	bool v6 = rq->body[0] == LX_AF_INET6;
	u8 bits = v6 ? 128 : 32;
	int r;

	if (rq->len < sizeof(*rtm))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for get route request");
	r = netlink_parse(rq, sizeof(*rtm), at, LX_RTA_MAX, v6 ? least6 : least4);
	if (r < 0 || !rq->strict)
		return r;
	if ((rtm->src_len && rtm->src_len != bits) || (rtm->dst_len && rtm->dst_len != bits) || rtm->table || rtm->protocol || rtm->scope || rtm->type)
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for get route request");
	if ((at[LX_RTA_DST] && !rtm->dst_len) || (at[LX_RTA_SRC] && !rtm->src_len))
		return netlink_fail(rq->ack, -EINVAL, "rtm_src_len and rtm_dst_len must be 32 for IPv4");
	return 0;
}

static int put_answer(const struct netlink_request *rq, const struct netinfo_route *r, const u8 *dst)
{
	const struct lx_rtmsg *asked = (const void *)rq->body;
	u32 n = netlink_addr_bytes(r->family);
	struct lx_rtmsg rtm = {
		.family = r->family, .dst_len = (u8)(n * 8), .tos = asked->tos, .type = r->type, .flags = LX_RTM_F_CLONED,
		.table = r->family == LX_AF_INET6 ? r->table : LX_RT_TABLE_MAIN, /* Linux keeps IPv4's two tables in one while there are no other rules */
		.protocol = r->family == LX_AF_INET6 ? r->protocol : 0,
	};
	struct lx_rta_cacheinfo ci = { 0 };
	struct netlink_buf b;

	if (netlink_buf_init(&b, 512) < 0)
		return -ENOBUFS;
	netlink_begin(&b, LX_RTM_NEWROUTE, 0, rq->head->seq, rq->sock->portid, &rtm, sizeof(rtm));
	netlink_put(&b, LX_RTA_DST, dst, n);
	netlink_put_u32(&b, LX_RTA_TABLE, rtm.table);
	netlink_put_u32(&b, LX_RTA_OIF, r->index);
	if (r->has_source)
		netlink_put(&b, LX_RTA_PREFSRC, r->source, n);
	if (r->has_gateway)
		netlink_put(&b, LX_RTA_GATEWAY, r->gateway, n);
	if (r->family == LX_AF_INET6)
		netlink_put_u32(&b, LX_RTA_PRIORITY, r->metric);
	netlink_put_u32(&b, LX_RTA_UID, sock_identity.uid);
	netlink_put(&b, LX_RTA_CACHEINFO, &ci, sizeof(ci));
	if (r->family == LX_AF_INET6)
		netlink_put_u8(&b, LX_RTA_PREF, 0);
	(void)netlink_end(&b);
	return netlink_answer(rq, &b);
}

int netlink_fib_get(const struct netlink_request *rq)
{
	const struct lx_nlattr *at[LX_RTA_MAX + 1];
	const struct lx_rtmsg *rtm = (const void *)rq->body;
	struct netinfo_route route;
	struct netlink_buf b;
	u8 dst[16] = { 0 };
	u32 oif = 0;
	int r = check_get(rq, at);

	if (r < 0)
		return r;
	if (at[LX_RTA_IIF] && netlink_attr_u32(at[LX_RTA_IIF]))
		return netlink_link_exists(netlink_attr_u32(at[LX_RTA_IIF])) ? -EOPNOTSUPP : -ENODEV;
	if (at[LX_RTA_DST])
		memcpy(dst, at[LX_RTA_DST] + 1, netlink_addr_bytes(rtm->family));
	if (at[LX_RTA_OIF])
		oif = netlink_attr_u32(at[LX_RTA_OIF]);
	if (oif && !netlink_link_exists(oif))
		return -ENODEV;
	if (!lookup(rtm->family, dst, oif, &route))
		return -ENETUNREACH;
	if (rtm->flags & LX_RTM_F_FIB_MATCH) {
		if (netlink_buf_init(&b, 512) < 0)
			return -ENOBUFS;
		(void)netlink_fib_put(&b, &route, LX_RTM_NEWROUTE, 0, rq->head->seq, rq->sock->portid);
		return netlink_answer(rq, &b);
	}
	(void)choose_source(&route, dst, netlink_addr_bytes(rtm->family));
	return put_answer(rq, &route, dst);
}
