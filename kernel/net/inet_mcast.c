/*
 * inet_mcast.c - groups: who joined what on which interface, and from which senders (RFC 3678).
 *
 * lwIP joins the group on the link (IGMPv2, MLDv1) and counts; which socket gets a datagram is decided
 * here by its own list, as on Linux: a socket without a membership for the group gets it only while
 * IP_MULTICAST_ALL (or IPV6_MULTICAST_ALL) is on, which is the default.
 *
 * Invariant (I1): each entry of s->members holds one use of the group in lwIP.
 *
 * Locks: inet_core. Can fail: memory, Linux's limits (20 groups of IPv4, 64 senders a group).
 */
#include "net/inet_impl.h"
#include "lwip/igmp.h"
#include "lwip/mld6.h"

#define GROUPS_MAX  20u
#define GROUPS6_MAX 64u
#define SOURCES_MAX 10u

struct inet_member {
	struct inet_member *next;
	ip_addr_t group;
	u8 ifindex;
	bool include;                /* only these senders; else all but these */
	unsigned nsources;
	ip_addr_t sources[SOURCES_MAX];
};

/* What the program asks, of whichever call. */
struct request {
	ip_addr_t group, source;
	u32 ifindex;
	u32 addr;                    /* IPv4: the interface by address */
	bool v6, has_source;
	enum { JOIN, LEAVE, JOIN_SOURCE, LEAVE_SOURCE, BLOCK, UNBLOCK } what;
};

/* ---- Reading requests ---- */

static void set_v6(ip_addr_t *a, const void *bytes)
{
	memset(a, 0, sizeof(*a));
	memcpy(ip_2_ip6(a)->addr, bytes, 16);
	IP_SET_TYPE(a, IPADDR_TYPE_V6);
}

static bool take_sockaddr(const u8 *ss, bool v6, ip_addr_t *ret)
{
	u16 family;
	u32 addr;

	memcpy(&family, ss, 2);
	if (family != (v6 ? LX_AF_INET6 : LX_AF_INET))
		return false;
	if (v6) {
		set_v6(ret, ss + 8);
	} else {
		memcpy(&addr, ss + 4, 4);
		ip_addr_set_ip4_u32(ret, addr);
	}
	return true;
}

/* struct group_req and group_source_req: an index, then sockaddr_storages at 8 and 136. */
static int read_group(struct request *q, int name, const u8 *val, u32 len)
{
	q->has_source = name != LX_MCAST_JOIN_GROUP && name != LX_MCAST_LEAVE_GROUP;
	if (len < (q->has_source ? 264u : 136u))
		return -EINVAL;
	memcpy(&q->ifindex, val, 4);
	if (!take_sockaddr(val + 8, q->v6, &q->group) || (q->has_source && !take_sockaddr(val + 136, q->v6, &q->source)))
		return q->has_source ? -EADDRNOTAVAIL : -EINVAL;
	return 0;
}

static int read_mreq(struct request *q, const u8 *val, u32 len)
{
	struct lx_ip_mreqn m = { 0 };

	if (len < 8)
		return -EINVAL;
	memcpy(&m, val, MIN(len, (u32)sizeof(m)));
	ip_addr_set_ip4_u32_val(q->group, m.multiaddr);
	q->addr = m.address;
	q->ifindex = (u32)m.ifindex;
	return 0;
}

static int read_mreq_source(struct request *q, const u8 *val, u32 len)
{
	u32 w[3];

	if (len < sizeof(w))
		return -EINVAL;
	memcpy(w, val, sizeof(w));
	ip_addr_set_ip4_u32_val(q->group, w[0]);
	q->addr = w[1];
	ip_addr_set_ip4_u32_val(q->source, w[2]);
	q->has_source = true;
	return 0;
}

static int read_mreq6(struct request *q, const u8 *val, u32 len)
{
	if (len < 20)
		return -EINVAL;
	set_v6(&q->group, val);
	memcpy(&q->ifindex, val + 16, 4);
	return 0;
}

static int request_read(struct request *q, int name, const void *val, u32 len)
{
	static const u8 group_calls[] = { [LX_MCAST_JOIN_GROUP - 42] = JOIN, [LX_MCAST_BLOCK_SOURCE - 42] = BLOCK, [LX_MCAST_UNBLOCK_SOURCE - 42] = UNBLOCK,
					  [LX_MCAST_LEAVE_GROUP - 42] = LEAVE, [LX_MCAST_JOIN_SOURCE_GROUP - 42] = JOIN_SOURCE,
					  [LX_MCAST_LEAVE_SOURCE_GROUP - 42] = LEAVE_SOURCE };

	if (name >= LX_MCAST_JOIN_GROUP && name <= LX_MCAST_LEAVE_SOURCE_GROUP) {
		q->what = group_calls[name - 42];
		return read_group(q, name, val, len);
	}
	if (q->v6) {
		if (name != LX_IPV6_JOIN_GROUP && name != LX_IPV6_LEAVE_GROUP)
			return -ENOPROTOOPT;
		q->what = name == LX_IPV6_JOIN_GROUP ? JOIN : LEAVE;
		return read_mreq6(q, val, len);
	}
	switch (name) {
	case LX_IP_ADD_MEMBERSHIP: q->what = JOIN; return read_mreq(q, val, len);
	case LX_IP_DROP_MEMBERSHIP: q->what = LEAVE; return read_mreq(q, val, len);
	case LX_IP_ADD_SOURCE_MEMBERSHIP: q->what = JOIN_SOURCE; return read_mreq_source(q, val, len);
	case LX_IP_DROP_SOURCE_MEMBERSHIP: q->what = LEAVE_SOURCE; return read_mreq_source(q, val, len);
	case LX_IP_BLOCK_SOURCE: q->what = BLOCK; return read_mreq_source(q, val, len);
	case LX_IP_UNBLOCK_SOURCE: q->what = UNBLOCK; return read_mreq_source(q, val, len);
	default: return -ENOPROTOOPT;
	}
}

/* ---- Memberships ---- */

static struct netif *interface_for(const struct request *q)
{
	if (q->ifindex)
		return inet_netif_by_index(q->ifindex);
	if (!q->v6 && q->addr)
		return (u8)q->addr == 127 ? &inet_lo : inet_addr_is_own4(q->addr) ? &inet_eth : NULL;
	return inet_dev ? &inet_eth : NULL;
}

static err_t lwip_join(const struct inet_member *m, bool join)
{
	struct netif *n = inet_netif_by_index(m->ifindex);

	if (!n)
		return ERR_VAL;
	if (IP_IS_V4_VAL(m->group)) {
		const ip4_addr_t *g = ip_2_ip4(&m->group);
		return join ? igmp_joingroup_netif(n, g) : igmp_leavegroup_netif(n, g);
	}
	ip6_addr_t g = *ip_2_ip6(&m->group);
	ip6_addr_assign_zone(&g, IP6_UNKNOWN, n);
	return join ? mld6_joingroup_netif(n, &g) : mld6_leavegroup_netif(n, &g);
}

/* The membership that the request is about: by group, and by interface if it names one. */
static struct inet_member **find(struct inet_sock *s, const struct request *q)
{
	struct netif *n = interface_for(q);
	bool named = q->ifindex || (!q->v6 && q->addr);

	for (struct inet_member **at = &s->members; *at; at = &(*at)->next)
		if (ip_addr_cmp_zoneless(&(*at)->group, &q->group) && (!named || (n && (*at)->ifindex == netif_get_index(n))))
			return at;
	return NULL;
}

static int add(struct inet_sock *s, const struct request *q, bool include, struct inet_member **ret)
{
	struct netif *n = interface_for(q);
	unsigned count = 0;

	if (!n)
		return -ENODEV;
	for (struct inet_member *m = s->members; m; m = m->next) {
		if (IP_IS_V6_VAL(m->group) != q->v6)
			continue;
		if (ip_addr_cmp_zoneless(&m->group, &q->group) && m->ifindex == netif_get_index(n))
			return -EADDRINUSE;
		count++;
	}
	if (count >= (q->v6 ? GROUPS6_MAX : GROUPS_MAX))
		return -ENOBUFS;
	struct inet_member *m = heap_alloc(sizeof(*m));
	if (!m)
		return -ENOBUFS;
	m->group = q->group;
	m->ifindex = netif_get_index(n);
	m->include = include;
	if (lwip_join(m, true) != ERR_OK) {
		heap_free(m);
		return -ENOBUFS;
	}
	m->next = s->members;
	s->members = m;
	inet_timer_igmp();
	*ret = m;
	return 0;
}

static void drop(struct inet_member **at)
{
	struct inet_member *m = *at;

	*at = m->next;
	(void)lwip_join(m, false);
	heap_free(m);
}

static int source_index(const struct inet_member *m, const ip_addr_t *src)
{
	for (unsigned i = 0; i < m->nsources; i++)
		if (ip_addr_cmp_zoneless(&m->sources[i], src))
			return (int)i;
	return -1;
}

static int source_add(struct inet_member *m, const ip_addr_t *src)
{
	if (source_index(m, src) >= 0)
		return -EADDRNOTAVAIL;
	if (m->nsources >= SOURCES_MAX)
		return -ENOBUFS;
	m->sources[m->nsources++] = *src;
	return 0;
}

static int source_remove(struct inet_member *m, const ip_addr_t *src)
{
	int i = source_index(m, src);

	if (i < 0)
		return -EADDRNOTAVAIL;
	m->sources[i] = m->sources[--m->nsources];
	return 0;
}

/* The calls that name a sender (ip_mc_source, ip6_mc_source). */
static int with_source(struct inet_sock *s, const struct request *q)
{
	struct inet_member **at = find(s, q), *m = at ? *at : NULL;
	int r;

	switch (q->what) {
	case JOIN_SOURCE:
		r = m ? 0 : add(s, q, true, &m);
		if (r < 0)
			return r;
		if (!m->include)
			return -EINVAL;  /* joined for all senders */
		return source_add(m, &q->source);
	case LEAVE_SOURCE:
		if (!m)
			return -EINVAL;
		if (!m->include)
			return -EINVAL;
		r = source_remove(m, &q->source);
		if (r == 0 && !m->nsources)
			drop(at);
		return r;
	case BLOCK:
		return !m || m->include ? -EINVAL : source_add(m, &q->source);
	default:
		return !m || m->include ? -EINVAL : source_remove(m, &q->source);
	}
}

int inet_mcast_set(struct inet_sock *s, int level, int name, const void *val, u32 len)
{
	struct request q = { .v6 = level == LX_SOL_IPV6 };
	struct inet_member *m, **at;
	int r = request_read(&q, name, val, len);

	if (r == -ENOPROTOOPT)
		return r;
	if (s->sock.type == LX_SOCK_STREAM)
		return -EPROTO;
	if (r < 0)
		return r;
	if (!ip_addr_ismulticast(&q.group))
		return -EINVAL;
	if (q.has_source)
		return with_source(s, &q);
	if (q.what == JOIN)
		return add(s, &q, false, &m);
	at = find(s, &q);
	if (!at)
		return !q.v6 && !q.ifindex && !q.addr && !interface_for(&q) ? -ENODEV : -EADDRNOTAVAIL;
	drop(at);
	return 0;
}

bool inet_mcast_allows(const struct inet_sock *s, const ip_addr_t *group, const ip_addr_t *src, unsigned ifindex)
{
	for (const struct inet_member *m = s->members; m; m = m->next)
		if (m->ifindex == ifindex && ip_addr_cmp_zoneless(&m->group, group))
			return m->include == (source_index(m, src) >= 0);
	return IP_IS_V6(group) ? s->ip->mcast_all6 : s->ip->mcast_all;
}

void inet_mcast_leave_all(struct inet_sock *s)
{
	while (s->members)
		drop(&s->members);
}
