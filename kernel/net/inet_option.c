/*
 * inet_option.c - options of AF_INET sockets: levels SOL_IP, SOL_TCP, SOL_UDP, and what SOL_SOCKET
 * means for a connection (keep-alive, buffers, device). Values are kept on the socket, so that
 * they can be set before there is a pcb; inet_options_apply brings them into one.
 *
 * Locks: inet_core around everything.
 */
#include "net/inet_impl.h"
#include "lwip/igmp.h"
#include "lwip/sys.h"

static int get_int(const void *val, u32 len, int *ret)
{
	if (len < sizeof(int)) {
		if (len < 1)
			return -EINVAL;
		*ret = *(const u8 *)val;
		return 0;
	}
	memcpy(ret, val, sizeof(int));
	return 0;
}

static int put(void *val, u32 *len, const void *src, u32 n)
{
	*len = MIN(*len, n);
	memcpy(val, src, *len);
	return 0;
}
static int put_int(void *val, u32 *len, int v) { return put(val, len, &v, sizeof(v)); }

void inet_options_apply(struct inet_sock *s)
{
	if (s->udp) {
		s->udp->tos = s->tos;
		s->udp->ttl = s->ttl;
		s->udp->netif_idx = s->ifindex;
		return;
	}
	struct tcp_pcb *p = s->tcp;
	if (!p)
		return;
	p->tos = s->tos;
	p->ttl = s->ttl;
	p->netif_idx = s->ifindex;
	if (s->state == INET_LISTEN)
		return;
	if (s->sock.keepalive)
		ip_set_option(p, SOF_KEEPALIVE);
	else
		ip_reset_option(p, SOF_KEEPALIVE);
	p->keep_idle = s->keepidle_s * 1000;
	p->keep_intvl = s->keepintvl_s * 1000;
	p->keep_cnt = s->keepcnt;
	if (s->nodelay)
		tcp_nagle_disable(p);
	else
		tcp_nagle_enable(p);
	inet_timer_activity();
}

/* ---- SOL_SOCKET ---- */

static int set_device(struct inet_sock *s, const char *val, u32 len)
{
	char name[16] = "";

	memcpy(name, val, MIN(len, 15u));
	if (name[0] == 0)
		s->ifindex = 0;
	else if (strcmp(name, "lo") == 0)
		s->ifindex = 1;
	else if (strcmp(name, "eth0") == 0 && inet_dev)
		s->ifindex = 2;
	else
		return -ENODEV;
	inet_options_apply(s);
	return 0;
}

static int set_socket(struct inet_sock *s, int name, const void *val, u32 len)
{
	switch (name) {
	case LX_SO_KEEPALIVE:
		inet_options_apply(s);
		return 0;
	case LX_SO_SNDBUF: case LX_SO_SNDBUFFORCE:
		s->sndlimit = s->sock.sndbuf;
		return 0;
	case LX_SO_BINDTODEVICE:
		return set_device(s, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- SOL_TCP ---- */

static int set_range(u32 *to, int v, int min, int max)
{
	if (v < min || v > max)
		return -EINVAL;
	*to = (u32)v;
	return 0;
}

static int set_tcp(struct inet_sock *s, int name, const void *val, u32 len)
{
	int v, r;

	if (name == LX_TCP_CONGESTION) {
		char algorithm[16] = "";
		if (len < 1)
			return -EINVAL;
		memcpy(algorithm, val, MIN(len, 15u));
		return strcmp(algorithm, "reno") == 0 || strcmp(algorithm, "cubic") == 0 ? 0 : -ENOENT;
	}
	if (len < sizeof(int))
		return -EINVAL;
	r = get_int(val, len, &v);
	if (r < 0)
		return r;
	switch (name) {
	case LX_TCP_NODELAY:
		s->nodelay = v;
		if (s->state == INET_LISTEN)
			return 0;
		inet_options_apply(s);
		if (v)
			inet_tcp_push(s);
		return 0;
	case LX_TCP_CORK:
		s->cork = v;
		if (!v)
			inet_tcp_push(s);
		return 0;
	case LX_TCP_MAXSEG:
		if (v && (v < 88 || v > 32767))
			return -EINVAL;
		s->maxseg = (u32)v;
		if (v && s->tcp && s->state != INET_LISTEN && !s->large && s->tcp->mss > v)
			s->tcp->mss = (u16)v;
		return 0;
	case LX_TCP_KEEPIDLE: r = set_range(&s->keepidle_s, v, 1, 32767); break;
	case LX_TCP_KEEPINTVL: r = set_range(&s->keepintvl_s, v, 1, 32767); break;
	case LX_TCP_KEEPCNT: r = set_range(&s->keepcnt, v, 1, 127); break;
	case LX_TCP_SYNCNT: return set_range(&s->syncnt, v, 1, 127);
	case LX_TCP_LINGER2: s->linger2_s = v < 0 ? 0 : (u32)v; return 0;
	case LX_TCP_DEFER_ACCEPT: s->defer_accept_s = v < 0 ? 0 : (u32)v; return 0;
	case LX_TCP_USER_TIMEOUT: return set_range(&s->user_timeout_ms, v, 0, INT32_MAX);
	case LX_TCP_NOTSENT_LOWAT: s->notsent_lowat = (u32)v; return 0;
	case LX_TCP_WINDOW_CLAMP: return v < 0 ? -EINVAL : 0;
	case LX_TCP_QUICKACK:
		if (v && s->tcp && s->state == INET_OPEN && (s->tcp->flags & TF_ACK_DELAY)) {
			tcp_ack_now(s->tcp);
			tcp_output(s->tcp);
		}
		return 0;
	case LX_TCP_FASTOPEN:
		if (v < 0 || s->state == INET_OPEN || s->state == INET_CONNECTING)
			return -EINVAL;
		s->fastopen = (u32)v;
		return 0;
	case LX_TCP_FASTOPEN_CONNECT:
		return v == 0 ? 0 : -EOPNOTSUPP;
	case LX_TCP_THIN_LINEAR_TIMEOUTS: case LX_TCP_THIN_DUPACK: case LX_TCP_TIMESTAMP: case LX_TCP_INQ:
		return v < 0 || v > 1 ? -EINVAL : 0;
	case LX_TCP_ULP:
		return -ENOENT;
	default:
		return -ENOPROTOOPT;
	}
	if (r == 0)
		inet_options_apply(s);
	return r;
}

static u8 linux_state(const struct inet_sock *s)
{
	/* Linux: 1 ESTABLISHED 2 SYN_SENT 3 SYN_RECV 4 FIN_WAIT1 5 FIN_WAIT2 6 TIME_WAIT 7 CLOSE 8 CLOSE_WAIT 9 LAST_ACK 10 LISTEN 11 CLOSING */
	static const u8 of_lwip[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };

	if (s->state == INET_LISTEN)
		return 10;
	return s->tcp && s->tcp->state < ARRAY_SIZE(of_lwip) ? of_lwip[s->tcp->state] : 7;
}

void inet_tcp_info(struct inet_sock *s, struct lx_tcp_info *i)
{
	struct tcp_pcb *p = s->tcp;

	memset(i, 0, sizeof(*i));
	i->state = linux_state(s);
	if (s->state == INET_LISTEN) {
		i->unacked = s->naccepts;
		i->sacked = s->backlog;
		return;
	}
	if (!p)
		return;
	u32 unsent = 0, in_flight = 0;
	for (struct tcp_seg *g = p->unsent; g; g = g->next)
		unsent += g->len;
	for (struct tcp_seg *g = p->unacked; g; g = g->next)
		in_flight++;
	i->options = (u8)((p->flags & TF_TIMESTAMP ? 1 : 0) | (p->flags & TF_SACK ? 2 : 0) | (p->flags & TF_WND_SCALE ? 4 : 0));
	i->wscale = p->flags & TF_WND_SCALE ? (u8)(p->snd_scale | p->rcv_scale << 4) : 0;
	i->retransmits = p->nrtx;
	i->rto = (u32)p->rto * TCP_SLOW_INTERVAL * 1000u;
	i->ato = TCP_FAST_INTERVAL * 1000u;
	u16 mss = inet_tcp_peer_mss(s);
	i->snd_mss = i->rcv_mss = i->advmss = mss;
	i->pmtu = mss + 40u;
	i->unacked = in_flight;
	i->rtt = (u32)(p->sa >> 3) * TCP_SLOW_INTERVAL * 1000u;
	i->rttvar = (u32)(p->sv >> 2) * TCP_SLOW_INTERVAL * 1000u;
	i->snd_ssthresh = mss ? p->ssthresh / mss : 0;
	i->snd_cwnd = mss ? MAX(p->cwnd / mss, 1u) : 1;
	i->rcv_space = i->rcv_ssthresh = p->rcv_wnd;
	i->reordering = 3;
	i->notsent_bytes = unsent;
	i->bytes_received = s->bytes_received;
	i->bytes_sent = s->bytes_sent;
	u32 queued = TCP_SND_BUF - p->snd_buf;
	i->bytes_acked = s->bytes_sent > queued ? s->bytes_sent - queued : 0;
	i->snd_wnd = p->snd_wnd;
	i->pacing_rate = i->max_pacing_rate = UINT64_MAX;
}

static int get_tcp(struct inet_sock *s, int name, void *val, u32 *len)
{
	struct lx_tcp_info info;
	char algorithm[16] = "reno";

	switch (name) {
	case LX_TCP_NODELAY: return put_int(val, len, s->nodelay);
	case LX_TCP_CORK: return put_int(val, len, s->cork);
	case LX_TCP_MAXSEG: return put_int(val, len, s->tcp && s->state == INET_OPEN ? inet_tcp_peer_mss(s) : s->maxseg ? (int)s->maxseg : 536);
	case LX_TCP_KEEPIDLE: return put_int(val, len, (int)s->keepidle_s);
	case LX_TCP_KEEPINTVL: return put_int(val, len, (int)s->keepintvl_s);
	case LX_TCP_KEEPCNT: return put_int(val, len, (int)s->keepcnt);
	case LX_TCP_SYNCNT: return put_int(val, len, (int)s->syncnt);
	case LX_TCP_LINGER2: return put_int(val, len, (int)s->linger2_s);
	case LX_TCP_DEFER_ACCEPT: return put_int(val, len, (int)s->defer_accept_s);
	case LX_TCP_WINDOW_CLAMP: return put_int(val, len, 0);
	case LX_TCP_QUICKACK: return put_int(val, len, 1);
	case LX_TCP_USER_TIMEOUT: return put_int(val, len, (int)s->user_timeout_ms);
	case LX_TCP_FASTOPEN: return put_int(val, len, (int)s->fastopen);
	case LX_TCP_NOTSENT_LOWAT: return put_int(val, len, (int)s->notsent_lowat);
	case LX_TCP_THIN_LINEAR_TIMEOUTS: case LX_TCP_THIN_DUPACK: case LX_TCP_FASTOPEN_CONNECT: case LX_TCP_INQ: return put_int(val, len, 0);
	case LX_TCP_TIMESTAMP: return put_int(val, len, (int)sys_now());
	case LX_TCP_CONGESTION: return put(val, len, algorithm, sizeof(algorithm));
	case LX_TCP_ULP: *len = 0; return 0;
	case LX_TCP_INFO:
		inet_tcp_info(s, &info);
		return put(val, len, &info, sizeof(info));
	default: return -ENOPROTOOPT;
	}
}

/* ---- SOL_IP ---- */

static int membership(struct inet_sock *s, bool join, const void *val, u32 len)
{
	struct lx_ip_mreqn m = { 0 };

	if (s->sock.type == LX_SOCK_STREAM)
		return -EPROTO;
	if (len < 8)
		return -EINVAL;
	memcpy(&m, val, MIN(len, (u32)sizeof(m)));
	ip4_addr_t group = { m.multiaddr };
	if (!ip4_addr_ismulticast(&group))
		return -EINVAL;
	struct netif *n = m.ifindex ? inet_netif_by_index((unsigned)m.ifindex) : inet_dev ? &inet_eth : &inet_lo;
	if (!m.ifindex && m.address && (u8)m.address == 127)
		n = &inet_lo;
	if (!n)
		return -ENODEV;
	err_t e = join ? igmp_joingroup_netif(n, &group) : igmp_leavegroup_netif(n, &group);
	if (join)
		inet_timer_igmp();
	return e == ERR_OK ? 0 : join ? -ENOBUFS : -EADDRNOTAVAIL;
}

static int set_ip(struct inet_sock *s, int name, const void *val, u32 len)
{
	int v = 0, r;

	if (name == LX_IP_ADD_MEMBERSHIP || name == LX_IP_DROP_MEMBERSHIP)
		return membership(s, name == LX_IP_ADD_MEMBERSHIP, val, len);
	if (name == LX_IP_MULTICAST_IF) {
		if (len < 4)
			return -EINVAL;
		memcpy(&s->mcast_if, (const u8 *)val + (len >= 8 ? 4 : 0), 4);
		return 0;
	}
	if (name == LX_IP_OPTIONS)
		return len == 0 ? 0 : -EINVAL;
	r = get_int(val, len, &v);
	if (r < 0)
		return r;
	switch (name) {
	case LX_IP_TOS: s->tos = (u8)(s->sock.type == LX_SOCK_STREAM ? (v & ~3) | (s->tos & 3) : v); break;
	case LX_IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		s->ttl = v == -1 ? 64 : (u8)v;
		break;
	case LX_IP_MTU_DISCOVER:
		if (v < 0 || v > 5)
			return -EINVAL;
		s->mtu_discover = (u8)v;
		return 0;
	case LX_IP_MULTICAST_TTL:
		if (s->sock.type == LX_SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		s->mcast_ttl = v == -1 ? 1 : (u8)v;
		return 0;
	case LX_IP_MULTICAST_LOOP: s->mcast_loop = v; return 0;
	case LX_IP_MINTTL: return v < 0 || v > 255 ? -EINVAL : 0;
	case LX_IP_PKTINFO: s->pktinfo = v; return 0;
	case LX_IP_RECVERR: s->recverr = v; return 0;
	case LX_IP_RECVTTL: s->recvttl = v; return 0;
	case LX_IP_RECVTOS: s->recvtos = v; return 0;
	case LX_IP_FREEBIND: s->freebind = v; return 0;
	case LX_IP_TRANSPARENT: return v ? -EPERM : 0;
	case LX_IP_RECVOPTS: case LX_IP_RETOPTS: case LX_IP_RECVORIGDSTADDR: case LX_IP_BIND_ADDRESS_NO_PORT: case LX_IP_MULTICAST_ALL:
		return 0;
	default: return -ENOPROTOOPT;
	}
	inet_options_apply(s);
	return 0;
}

static int get_ip(struct inet_sock *s, int name, void *val, u32 *len)
{
	struct netif *n;
	u32 src;

	switch (name) {
	case LX_IP_TOS: return put_int(val, len, s->tos);
	case LX_IP_TTL: return put_int(val, len, s->ttl);
	case LX_IP_MTU_DISCOVER: return put_int(val, len, s->mtu_discover);
	case LX_IP_MULTICAST_TTL: return put_int(val, len, s->mcast_ttl);
	case LX_IP_MULTICAST_LOOP: return put_int(val, len, s->mcast_loop);
	case LX_IP_MULTICAST_IF: return put(val, len, &s->mcast_if, 4);
	case LX_IP_MULTICAST_ALL: return put_int(val, len, 1);
	case LX_IP_PKTINFO: return put_int(val, len, s->pktinfo);
	case LX_IP_RECVERR: return put_int(val, len, s->recverr);
	case LX_IP_RECVTTL: return put_int(val, len, s->recvttl);
	case LX_IP_RECVTOS: return put_int(val, len, s->recvtos);
	case LX_IP_FREEBIND: return put_int(val, len, s->freebind);
	case LX_IP_TRANSPARENT: case LX_IP_RECVOPTS: case LX_IP_RETOPTS: case LX_IP_RECVORIGDSTADDR: case LX_IP_BIND_ADDRESS_NO_PORT:
	case LX_IP_MINTTL: return put_int(val, len, 0);
	case LX_IP_OPTIONS: *len = 0; return 0;
	case LX_IP_MTU:
		if (!s->raddr)
			return -ENOTCONN;
		if (inet_route(s, s->raddr, &n, &src) < 0)
			return -ENOTCONN;
		return put_int(val, len, n == &inet_lo ? 65536 : inet_eth_mtu());
	default: return -ENOPROTOOPT;
	}
}

/* ---- The doors ---- */

int inet_setsockopt(struct socket *sock, int level, int name, const void *val, u32 len)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = -ENOPROTOOPT;

	inet_lock();
	if (level == LX_SOL_SOCKET)
		r = set_socket(s, name, val, len);
	else if (level == LX_SOL_TCP && sock->type == LX_SOCK_STREAM)
		r = set_tcp(s, name, val, len);
	else if (level == LX_SOL_IP)
		r = set_ip(s, name, val, len);
	else if (level == LX_SOL_UDP && sock->type == LX_SOCK_DGRAM)
		r = name == 1 ? 0 : -ENOPROTOOPT;
	inet_unlock();
	return r;
}

int inet_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = -ENOPROTOOPT;

	inet_lock();
	if (level == LX_SOL_SOCKET && name == LX_SO_BINDTODEVICE) {
		const char *d = s->ifindex == 1 ? "lo" : s->ifindex == 2 ? "eth0" : "";
		r = *d ? put(val, len, d, (u32)strlen(d) + 1) : (*len = 0, 0);
	} else if (level == LX_SOL_TCP && sock->type == LX_SOCK_STREAM) {
		r = get_tcp(s, name, val, len);
	} else if (level == LX_SOL_IP) {
		r = get_ip(s, name, val, len);
	} else if (level == LX_SOL_UDP && sock->type == LX_SOCK_DGRAM) {
		r = name == 1 ? put_int(val, len, 0) : -ENOPROTOOPT;
	} else if (level != LX_SOL_SOCKET) {
		r = -EOPNOTSUPP;         /* Linux's choice for a level that it does not know, in this direction */
	}
	inet_unlock();
	return r;
}
