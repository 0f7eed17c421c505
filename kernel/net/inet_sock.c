/*
 * inet_sock.c - the making and the end of AF_INET and AF_INET6 sockets.
 *
 * Locks: inet_core where lwIP is asked. Can fail: memory.
 */
#include "net/inet_impl.h"
#include "base/link.h"

/* What this kernel has of them is picked by the link script. */
struct inet_transport {
	int type;
	const struct sock_ops *ops;
	int (*open)(struct inet_sock *s);        /* or NULL */
};
LINK_TABLE(struct inet_transport, inet);
static const struct inet_transport transport_stream LINK_PICK(inet, stream) = { LX_SOCK_STREAM, &inet_tcp_ops, NULL };
static const struct inet_transport transport_dgram LINK_PICK(inet, dgram) = { LX_SOCK_DGRAM, &inet_udp_ops, inet_udp_open };

static const struct inet_transport *transport_of(int type)
{
	for (const struct inet_transport *LINK_EACH(t, inet))
		if (t->type == type)
			return t;
	return NULL;
}

struct inet_sock *inet_sock_alloc(int family, int type, int protocol)
{
	const struct inet_transport *t = transport_of(type);
	struct inet_sock *s = t ? heap_alloc(sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	bool tcp = type == LX_SOCK_STREAM;
	socket_init(&s->sock, t->ops, family, type, protocol);
	/* Linux's defaults, which programs read. */
	s->sock.rcvbuf = tcp ? 131072 : 212992;
	s->sock.sndbuf = tcp ? 16384 : 212992;
	s->sndlimit = UINT32_MAX;
	s->ttl = 64;
	s->mcast_ttl = 1;
	s->mcast_loop = true;
	s->mtu_discover = 1;
	s->keepidle_s = 7200;
	s->keepintvl_s = 75;
	s->keepcnt = 9;
	s->syncnt = 6;
	s->linger2_s = 60;
	s->ip = (struct inet_ip_options *)(uintptr_t)&inet_ip_defaults;
	inet_addr_clear(s, &s->laddr);
	inet_addr_clear(s, &s->raddr);
	list_init(&s->bound_link);
	list_init(&s->accept_link);
	list_init(&s->follow_link);
	if (!tcp)
		list_init(&s->dgrams);
	return s;
}

/* Without pcb, port and data; C. */
void inet_sock_free(struct inet_sock *s)
{
	if (unlikely(s->members))
		inet_mcast_leave_all(s);
	if (unlikely(s->errors))
		inet_error_free(s);
	if (unlikely(s->ip != &inet_ip_defaults))
		inet_ip_options_free(s);
	if (s->sock.type == LX_SOCK_STREAM)
		heap_free(s->timing);
	heap_free(s->lis);
	heap_free(s);
}

static COLD int protocol_check(int family, int type, int *protocol)
{
	int icmp = family == LX_AF_INET6 ? LX_IPPROTO_ICMPV6 : LX_IPPROTO_ICMP;

	switch (type) {
	case LX_SOCK_STREAM:
		if (*protocol != 0 && *protocol != LX_IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		*protocol = LX_IPPROTO_TCP;
		return 0;
	case LX_SOCK_DGRAM:
		if (*protocol == icmp)
			return -EACCES;  /* as Linux with its default ping_group_range */
		if (*protocol != 0 && *protocol != LX_IPPROTO_UDP)
			return -EPROTONOSUPPORT;
		*protocol = LX_IPPROTO_UDP;
		return 0;
	case LX_SOCK_RAW:
		return *protocol == 0 ? -EPROTONOSUPPORT : -EPERM;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

COLD int inet_socket_create(int family, int type, int protocol, struct socket **ret)
{
	struct inet_sock *s;
	int r = protocol_check(family, type, &protocol);

	const struct inet_transport *t = transport_of(type);

	if (r < 0)
		return r;
	if (!t)
		return -EPROTONOSUPPORT;
	s = inet_sock_alloc(family, type, protocol);
	if (!s)
		return -ENOBUFS;
	if (t->open) {
		r = t->open(s);
		if (r < 0) {
			heap_free(s);
			return r;
		}
	}
	*ret = &s->sock;
	return 0;
}
