/*
 * netlink_event.c - changes of the network told to the groups of NETLINK_ROUTE: what netinfo says now is
 * compared with what it said before, and each difference becomes a message.
 *
 * Invariant: a picture of the last state is kept only while some socket is in a group. It is made when
 * the first one joins, so what happened before is not told.
 *
 * Locks: netlink_lock around everything; the watcher is called in the network thread without the stack's
 * lock. What can fail: memory (changes are then not told, and members get ENOBUFS).
 */
#include "net/netlink_impl.h"

#define LINKS_MAX  16u
#define ADDRS_MAX  64u
#define ROUTES_MAX 128u

struct picture {
	unsigned nlinks, naddrs, nroutes;
	struct netinfo_link links[LINKS_MAX];
	struct netinfo_addr addrs[ADDRS_MAX];
	struct netinfo_route routes[ROUTES_MAX];
};

static struct picture *last;         /* N */

static struct picture *take_picture(void)
{
	struct picture *p = heap_alloc(sizeof(*p));

	if (!p)
		return NULL;
	while (p->nlinks < LINKS_MAX && netinfo_link(p->nlinks, &p->links[p->nlinks]) == 0)
		p->nlinks++;
	while (p->naddrs < ADDRS_MAX && netinfo_addr(p->naddrs, &p->addrs[p->naddrs]) == 0)
		p->naddrs++;
	while (p->nroutes < ROUTES_MAX && netinfo_route(p->nroutes, &p->routes[p->nroutes]) == 0)
		p->nroutes++;
	return p;
}

/* ---- Is it the same one, and is it as it was? ---- */

static bool same_addr(const struct netinfo_addr *a, const struct netinfo_addr *b)
{
	return a->index == b->index && a->family == b->family && a->prefix == b->prefix && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static bool equal_addr(const struct netinfo_addr *a, const struct netinfo_addr *b)
{
	return a->flags == b->flags && a->scope == b->scope && memcmp(a->broadcast, b->broadcast, sizeof(a->broadcast)) == 0;
}

static bool equal_link(const struct netinfo_link *a, const struct netinfo_link *b)
{
	return a->flags == b->flags && a->mtu == b->mtu && a->carrier == b->carrier && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

static bool same_route(const struct netinfo_route *a, const struct netinfo_route *b)
{
	return a->index == b->index && a->family == b->family && a->prefix == b->prefix && a->table == b->table && a->metric == b->metric &&
	       a->type == b->type && a->has_gateway == b->has_gateway && memcmp(a->dst, b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(a->gateway, b->gateway, sizeof(a->gateway)) == 0;
}

/* ---- Telling ---- */

static void send(struct netlink_buf *b, u32 group)
{
	if (b->len)
		netlink_broadcast(LX_NETLINK_ROUTE, group, b->data, b->len);
	b->len = 0;
}

static void tell_link(struct netlink_buf *b, const struct netinfo_link *l, u16 type)
{
	(void)netlink_link_put(b, l, type, 0, 0, 0);
	send(b, LX_RTNLGRP_LINK);
}

static void tell_addr(struct netlink_buf *b, const struct netinfo_addr *a, u16 type)
{
	(void)netlink_addr_put(b, a, type, 0, 0, 0);
	send(b, a->family == LX_AF_INET6 ? LX_RTNLGRP_IPV6_IFADDR : LX_RTNLGRP_IPV4_IFADDR);
}

static void tell_route(struct netlink_buf *b, const struct netinfo_route *r, u16 type)
{
	(void)netlink_fib_put(b, r, type, 0, 0, 0);
	send(b, r->family == LX_AF_INET6 ? LX_RTNLGRP_IPV6_ROUTE : LX_RTNLGRP_IPV4_ROUTE);
}

static void links_differ(struct netlink_buf *b, const struct picture *was, const struct picture *is)
{
	unsigned i, k;

	for (i = 0; i < was->nlinks; i++) {
		for (k = 0; k < is->nlinks && is->links[k].index != was->links[i].index; k++)
			;
		if (k == is->nlinks)
			tell_link(b, &was->links[i], LX_RTM_DELLINK);
	}
	for (i = 0; i < is->nlinks; i++) {
		for (k = 0; k < was->nlinks && was->links[k].index != is->links[i].index; k++)
			;
		if (k == was->nlinks || !equal_link(&was->links[k], &is->links[i]))
			tell_link(b, &is->links[i], LX_RTM_NEWLINK);
	}
}

static void addrs_differ(struct netlink_buf *b, const struct picture *was, const struct picture *is)
{
	unsigned i, k;

	for (i = 0; i < was->naddrs; i++) {
		for (k = 0; k < is->naddrs && !same_addr(&is->addrs[k], &was->addrs[i]); k++)
			;
		if (k == is->naddrs)
			tell_addr(b, &was->addrs[i], LX_RTM_DELADDR);
	}
	for (i = 0; i < is->naddrs; i++) {
		for (k = 0; k < was->naddrs && !same_addr(&was->addrs[k], &is->addrs[i]); k++)
			;
		if (k == was->naddrs || !equal_addr(&was->addrs[k], &is->addrs[i]))
			tell_addr(b, &is->addrs[i], LX_RTM_NEWADDR);
	}
}

static void routes_differ(struct netlink_buf *b, const struct picture *was, const struct picture *is)
{
	unsigned i, k;

	for (i = 0; i < was->nroutes; i++) {
		for (k = 0; k < is->nroutes && !same_route(&is->routes[k], &was->routes[i]); k++)
			;
		if (k == is->nroutes)
			tell_route(b, &was->routes[i], LX_RTM_DELROUTE);
	}
	for (i = 0; i < is->nroutes; i++) {
		for (k = 0; k < was->nroutes && !same_route(&was->routes[k], &is->routes[i]); k++)
			;
		if (k == was->nroutes)
			tell_route(b, &is->routes[i], LX_RTM_NEWROUTE);
	}
}

/* Nothing can be told: whoever listens learns that something is missing. N. */
static void lost(void)
{
	struct netlink_sock *s;

	list_for_each_entry(s, &netlink_sockets, link)
		if (s->protocol == &netlink_route && s->groups && !(s->options & NETLINK_OPT_NO_ENOBUFS)) {
			socket_set_error(&s->sock, -ENOBUFS);
			waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
		}
}

static void changed(struct netinfo_watch *w)
{
	struct picture *now = NULL;
	struct netlink_buf b = { 0 };

	mutex_lock(&netlink_lock);
	if (last && netlink_has_members(LX_NETLINK_ROUTE)) {
		now = take_picture();
		if (now && netlink_buf_init(&b, 2048) == 0) {
			links_differ(&b, last, now);
			addrs_differ(&b, last, now);
			routes_differ(&b, last, now);
			heap_free(b.data);
		} else {
			lost();
		}
	}
	heap_free(last);
	last = now;
	mutex_unlock(&netlink_lock);
}

static struct netinfo_watch watch = { .changed = changed };

void netlink_event_begin(void)
{
	static bool watching;        /* N */

	if (!watching)
		netinfo_watch_add(&watch);
	watching = true;
	if (!last)
		last = take_picture();
}
