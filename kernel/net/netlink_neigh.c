/*
 * netlink_neigh.c - RTM_GETNEIGH: who is known on the link. Locks: netlink_lock is held; netinfo takes the
 * stack's. What can fail: what the program asked.
 */
#include "net/netlink_impl.h"

#define NUD_INCOMPLETE 1
#define NTF_PROXY      8u

static int put_neigh(struct netlink_buf *b, const struct netinfo_neigh *n, u16 flags, u32 seq, u32 pid)
{
	struct lx_ndmsg nd = { .family = n->family, .index = (s32)n->index, .state = n->state, .type = LX_RTN_UNICAST };
	struct lx_nda_cacheinfo ci = { 0 };

	netlink_begin(b, LX_RTM_NEWNEIGH, flags, seq, pid, &nd, sizeof(nd));
	netlink_put(b, LX_NDA_DST, n->addr, netlink_addr_bytes(n->family));
	if (n->state != NUD_INCOMPLETE)
		netlink_put(b, LX_NDA_LLADDR, n->mac, sizeof(n->mac));
	netlink_put_u32(b, LX_NDA_PROBES, 0);
	netlink_put(b, LX_NDA_CACHEINFO, &ci, sizeof(ci));
	return netlink_end(b);
}

static int fill_neighs(struct netlink_dump *d, struct netlink_buf *b)
{
	struct netinfo_neigh n;

	for (; !d->none && netinfo_neigh(d->at, &n) == 0; d->at++) {
		if ((d->family && n.family != d->family) || (d->index && n.index != d->index))
			continue;
		int r = put_neigh(b, &n, d->flags | (d->index ? LX_NLM_F_DUMP_FILTERED : 0), d->seq, d->pid);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_dump(const struct netlink_request *rq, const struct lx_nlattr **at)
{
	static const u8 least[LX_NDA_MAX + 1] = { [LX_NDA_IFINDEX] = 4, [LX_NDA_MASTER] = 4 };
	const struct lx_ndmsg *nd = (const void *)rq->body;
	int r;

	if (rq->strict && rq->len < sizeof(*nd))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for neighbor dump request");
	if (rq->strict && (nd->pad1 || nd->pad2 || nd->index || nd->state || nd->type))
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for neighbor dump request");
	if (rq->strict && nd->flags & ~NTF_PROXY)
		return netlink_fail(rq->ack, -EINVAL, "Invalid flags in header for neighbor dump request");
	r = netlink_parse(rq, sizeof(*nd), at, LX_NDA_MAX, least);
	for (unsigned t = 1; r == 0 && rq->strict && t <= LX_NDA_MAX; t++)
		if (at[t] && t != LX_NDA_IFINDEX && t != LX_NDA_MASTER)
			r = netlink_fail(rq->ack, -EINVAL, "Unsupported attribute in neighbor dump request");
	return r;
}

int netlink_neigh_dump(const struct netlink_request *rq)
{
	const struct lx_nlattr *at[LX_NDA_MAX + 1];
	struct netlink_dump d = { .fill = fill_neighs, .family = rq->body[0] };
	int r = check_dump(rq, at);

	if (r < 0 && rq->strict)
		return netlink_dump_fail(rq, r, 0);
	if (r == 0) {
		const struct lx_ndmsg *nd = (const void *)rq->body;
		if (at[LX_NDA_IFINDEX])
			d.index = netlink_attr_u32(at[LX_NDA_IFINDEX]);
		/* No interface has a master, and none answers for others. */
		d.none = (at[LX_NDA_MASTER] && netlink_attr_u32(at[LX_NDA_MASTER])) || nd->flags & NTF_PROXY;
	}
	return netlink_dump_start(rq, &d);
}

int netlink_neigh_get(const struct netlink_request *rq)
{
	const struct lx_nlattr *at[LX_NDA_MAX + 1];
	const struct lx_ndmsg *nd = (const void *)rq->body;
	struct netinfo_neigh n;
	struct netlink_buf b;
	int r;

	if (rq->len < sizeof(*nd))
		return netlink_fail(rq->ack, -EINVAL, "Invalid header for neighbor get request");
	if (nd->pad1 || nd->pad2 || nd->state || nd->type)
		return netlink_fail(rq->ack, -EINVAL, "Invalid values in header for neighbor get request");
	if (nd->flags & ~NTF_PROXY)
		return netlink_fail(rq->ack, -EINVAL, "Invalid flags in header for neighbor get request");
	r = netlink_parse(rq, sizeof(*nd), at, LX_NDA_MAX, NULL);
	if (r < 0)
		return r;
	if (nd->family != LX_AF_INET && nd->family != LX_AF_INET6)
		return netlink_fail(rq->ack, -EAFNOSUPPORT, "Unsupported family in header for neighbor get request");
	if (!at[LX_NDA_DST])
		return netlink_fail(rq->ack, -EINVAL, "Network address not specified");
	if (netlink_attr_len(at[LX_NDA_DST]) != netlink_addr_bytes(nd->family))
		return netlink_fail(rq->ack, -EINVAL, "Invalid network address in neighbor get request");
	if (nd->index && !netlink_link_exists((u32)nd->index))
		return netlink_fail(rq->ack, -ENODEV, "Unknown device ifindex");
	if (!nd->index)
		return netlink_fail(rq->ack, -EINVAL, "No device specified");
	for (unsigned i = 0; (r = netinfo_neigh(i, &n)) == 0; i++)
		if (n.family == nd->family && n.index == (u32)nd->index && memcmp(n.addr, at[LX_NDA_DST] + 1, netlink_addr_bytes(n.family)) == 0)
			break;
	if (r < 0)
		return netlink_fail(rq->ack, -ENOENT, "Neighbour entry not found");
	if (netlink_buf_init(&b, 512) < 0)
		return -ENOBUFS;
	(void)put_neigh(&b, &n, 0, rq->head->seq, rq->sock->portid);
	return netlink_answer(rq, &b);
}
