/*
 * netlink_addr.c - RTM_GETADDR: addresses of interfaces. Locks: netlink_lock is held; netinfo takes the
 * stack's. What can fail: what the program asked.
 */
#include "net/netlink_impl.h"

static void put_label(struct netlink_buf *b, u32 index)
{
	struct netinfo_link l;

	for (unsigned i = 0; netinfo_link(i, &l) == 0; i++)
		if (l.index == index)
			netlink_put_string(b, LX_IFA_LABEL, l.name);
}

int netlink_addr_put(struct netlink_buf *b, const struct netinfo_addr *a, u16 type, u16 flags, u32 seq, u32 pid)
{
	struct lx_ifaddrmsg ifa = { a->family, a->prefix, a->flags, a->scope, a->index };
	struct lx_ifa_cacheinfo ci = { a->preferred_s, a->valid_s, 0, 0 };
	u32 n = netlink_addr_bytes(a->family);

	netlink_begin(b, type, flags, seq, pid, &ifa, sizeof(ifa));
	netlink_put(b, LX_IFA_ADDRESS, a->addr, n);
	if (a->family == LX_AF_INET) {
		netlink_put(b, LX_IFA_LOCAL, a->addr, n);
		if (a->broadcast[0] | a->broadcast[1] | a->broadcast[2] | a->broadcast[3])
			netlink_put(b, LX_IFA_BROADCAST, a->broadcast, 4);
		put_label(b, a->index);
	}
	netlink_put_u32(b, LX_IFA_FLAGS, a->flags);
	netlink_put(b, LX_IFA_CACHEINFO, &ci, sizeof(ci));
	return netlink_end(b);
}

/* IPv4's before IPv6's when all are wanted. */
static int fill_addrs(struct netlink_dump *d, struct netlink_buf *b)
{
	static const u8 order[] = { LX_AF_INET, LX_AF_INET6 };
	struct netinfo_addr a;

	for (; d->phase < ARRAY_SIZE(order); d->phase++, d->at = 0) {
		if (d->family && d->family != order[d->phase])
			continue;
		for (; netinfo_addr(d->at, &a) == 0; d->at++) {
			if (a.family != order[d->phase] || (d->index && a.index != d->index))
				continue;
			int r = netlink_addr_put(b, &a, LX_RTM_NEWADDR, d->flags, d->seq, d->pid);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int check_dump(const struct netlink_request *rq, struct netlink_dump *d)
{
	const struct lx_nlattr *at[LX_IFA_MAX + 1];
	const struct lx_ifaddrmsg *ifa = (const void *)rq->body;
	int r;

	if (rq->len < sizeof(*ifa))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for address dump request");
	if (ifa->prefix || ifa->flags || ifa->scope)
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for address dump request");
	r = netlink_parse(rq, sizeof(*ifa), at, LX_IFA_MAX, NULL);
	for (unsigned t = 1; r == 0 && t <= LX_IFA_MAX; t++)
		if (at[t])
			r = netlink_fail(rq->ack, -EINVAL, t == LX_IFA_TARGET_NETNSID ? "Invalid target network namespace id" : "Unsupported attribute in dump request");
	if (r < 0)
		return r;
	if (ifa->index) {
		d->index = ifa->index;
		d->flags = LX_NLM_F_DUMP_FILTERED;
		if (!netlink_link_exists(d->index))
			return -ENODEV;
	}
	return 0;
}

int netlink_addr_dump(const struct netlink_request *rq)
{
	struct netlink_dump d = { .fill = fill_addrs, .family = rq->body[0] };

	if (d.family != LX_AF_INET && d.family != LX_AF_INET6)
		d.family = 0;
	if (rq->strict) {
		int r = check_dump(rq, &d);
		if (r < 0)
			return netlink_dump_fail(rq, r, d.flags);
	}
	return netlink_dump_start(rq, &d);
}

/* Linux answers for one address of IPv6 only. */
int netlink_addr_get(const struct netlink_request *rq)
{
	static const u8 least[LX_IFA_MAX + 1] = { [LX_IFA_ADDRESS] = 16, [LX_IFA_LOCAL] = 16 };
	const struct lx_nlattr *at[LX_IFA_MAX + 1], *want;
	const struct lx_ifaddrmsg *ifa = (const void *)rq->body;
	struct netinfo_addr a;
	struct netlink_buf b;
	int r;

	if (rq->body[0] != LX_AF_INET6)
		return -EOPNOTSUPP;
	if (rq->len < sizeof(*ifa))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for get address request");
	if (rq->strict && (ifa->prefix || ifa->flags || ifa->scope))
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for get address request");
	r = netlink_parse(rq, sizeof(*ifa), at, LX_IFA_MAX, least);
	if (r < 0)
		return r;
	want = at[LX_IFA_LOCAL] ? at[LX_IFA_LOCAL] : at[LX_IFA_ADDRESS];
	if (!want)
		return -EINVAL;
	if (ifa->index && !netlink_link_exists(ifa->index))
		return -ENODEV;
	for (unsigned i = 0; (r = netinfo_addr(i, &a)) == 0; i++)
		if (a.family == LX_AF_INET6 && memcmp(a.addr, want + 1, 16) == 0 && (!ifa->index || a.index == ifa->index))
			break;
	if (r < 0)
		return -EADDRNOTAVAIL;
	if (netlink_buf_init(&b, 512) < 0)
		return -ENOBUFS;
	(void)netlink_addr_put(&b, &a, LX_RTM_NEWADDR, 0, rq->head->seq, rq->sock->portid);
	return netlink_answer(rq, &b);
}
