/*
 * inet_port.c - who has which port.
 *
 * That is decided here, by Linux's rules, and not by lwIP: every socket that has a port is in the
 * bucket of its port. lwIP is told SO_REUSEADDR for each of its pcbs so that it never objects.
 *
 * Linux's rules for two local addresses (inet_rcv_saddr_equal): of one family they meet when they
 * are equal or one is the wildcard; of two families only when the one of IPv6 is the wildcard of a
 * socket that is not IPV6_V6ONLY.
 *
 * Locks: all under inet_core.
 */
#include "net/inet_impl.h"

/* The range that Linux gives out by itself. */
#define PORT_FIRST 32768u
#define PORT_LAST  60999u
#define BUCKETS    256u

static struct list buckets[BUCKETS];

struct list *inet_port_bucket(u16 port)
{
	struct list *b = &buckets[port % BUCKETS];

	if (unlikely(!b->next))
		list_init(b);
	return b;
}

static bool meet(const ip_addr_t *a, bool a_only, const ip_addr_t *b, bool b_only)
{
	if (IP_GET_TYPE(a) == IP_GET_TYPE(b))
		return ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp(a, b);
	return IP_IS_V6(a) ? ip_addr_isany(a) && !a_only : ip_addr_isany(b) && !b_only;
}

bool inet_addr_meet(const struct inet_sock *a, const struct inet_sock *b)
{
	return meet(&a->laddr, a->v6only, &b->laddr, b->v6only);
}

bool inet_addr_same(const struct inet_sock *a, const struct inet_sock *b)
{
	return a->sock.family == b->sock.family && a->v6only == b->v6only && a->ifindex == b->ifindex && ip_addr_cmp(&a->laddr, &b->laddr);
}

/* A connection that outlived its socket, or was accepted, still holds the port for those without SO_REUSEADDR. */
static bool pcbs_hold(const struct inet_sock *s, u16 port)
{
	for (struct tcp_pcb *p = inet_demux_next_at(port, NULL); p; p = inet_demux_next_at(port, p))
		if (meet(&s->laddr, s->v6only, &p->local_ip, true))
			return true;
	return false;
}

static bool port_taken(const struct inet_sock *s, u16 port)
{
	struct inet_sock *o;

	list_for_each_entry(o, inet_port_bucket(port), bound_link) {
		if (o == s || o->lport != port || o->sock.type != s->sock.type || !inet_addr_meet(s, o))
			continue;
		if (s->ifindex && o->ifindex && s->ifindex != o->ifindex)
			continue;
		if (s->sock.reuseport && o->sock.reuseport)
			continue;
		if (s->sock.reuseaddr && o->sock.reuseaddr && o->state != INET_LISTEN)
			continue;
		return true;
	}
	return s->sock.type == LX_SOCK_STREAM && !s->sock.reuseaddr && !s->sock.reuseport && pcbs_hold(s, port);
}

static u16 port_choose(const struct inet_sock *s)
{
	unsigned first = s->port_low ? s->port_low : PORT_FIRST, last = s->port_high ? s->port_high : PORT_LAST;
	unsigned count = last - first + 1, at = (unsigned)random_below(count);

	for (unsigned i = 0; i < count; i++, at = at + 1 == count ? 0 : at + 1)
		if (!port_taken(s, (u16)(first + at)))
			return (u16)(first + at);
	return 0;
}

int inet_bind_port(struct inet_sock *s, u16 port)
{
	if (port == 0) {
		port = port_choose(s);
		if (port == 0)
			return -EADDRINUSE;
	} else if (port_taken(s, port)) {
		return -EADDRINUSE;
	}
	s->lport = port;
	s->bound = true;
	list_append(inet_port_bucket(port), &s->bound_link);
	return 0;
}

void inet_unbind(struct inet_sock *s)
{
	list_remove(&s->bound_link);
	s->bound = false;
	s->bound_addr = false;
	inet_addr_clear(s, &s->laddr);
	s->lport = 0;
}
