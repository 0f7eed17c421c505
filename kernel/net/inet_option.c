/*
 * inet_option.c - options of AF_INET and AF_INET6 sockets: levels SOL_TCP, SOL_UDP, and what SOL_SOCKET
 * means for a connection (keep-alive, buffers, device); SOL_IP and SOL_IPV6 are in inet_opt_ip.c. Values
 * are kept on the socket, so that they can be set before there is a pcb; inet_options_apply brings them into one.
 *
 * Locks: inet_core around everything.
 */
#include "net/inet_impl.h"
#include "lwip/sys.h"

int inet_opt_int(const void *val, u32 len, int *ret)
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

int inet_opt_put(void *val, u32 *len, const void *src, u32 n)
{
	*len = MIN(*len, n);
	memcpy(val, src, *len);
	return 0;
}

void inet_options_apply(struct inet_sock *s)
{
	if (s->sock.type == LX_SOCK_DGRAM) {                    /* the rest goes with each datagram */
		s->udp->netif_idx = s->ifindex;
		return;
	}
	struct tcp_pcb *p = s->tcp;
	if (!p)
		return;
	bool v6 = s->state == INET_LISTEN ? IP_IS_V6_VAL(s->laddr) : IP_IS_V6_VAL(s->raddr);
	p->tos = inet_tos(s, v6);
	p->ttl = inet_hops(s, v6);
	if (s->state != INET_OPEN)
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
	int v;

	switch (name) {
	case LX_SO_KEEPALIVE:
		inet_options_apply(s);
		return 0;
	case LX_SO_SNDBUF: case LX_SO_SNDBUFFORCE:
		s->sndlimit = s->sock.sndbuf;
		return 0;
	case LX_SO_RCVBUF: case LX_SO_RCVBUFFORCE:
		s->rcvbuf_set = true;
		return 0;
	case LX_SO_NO_CHECK:
		return inet_opt_int(val, len, &v) < 0 ? -EINVAL : (s->no_check = v, 0);
	case LX_SO_BINDTODEVICE:
		return set_device(s, val, len);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- SOL_TCP ---- */

u32 inet_tcp_window(const struct inet_sock *s)
{
	u32 w = s->rcvbuf_set ? MAX(s->sock.rcvbuf / 2, 2048u) : UINT32_MAX;

	u32 clamp = MAX(s->window_clamp, 2048u);

	return s->window_clamp ? MIN(w, clamp) : w;
}

/* Linux keeps TCP_DEFER_ACCEPT as a number of retransmissions: 1, 2, 4 ... seconds, at most 120. */
u64 inet_retrans_to_s(unsigned retrans)
{
	u64 step = 1, sum = 0;

	for (; retrans; retrans--, step = MIN(step * 2, 120ull))
		sum += step;
	return sum;
}

static u8 s_to_retrans(int seconds)
{
	u8 n = 0;

	while (n < 255 && seconds > 0 && inet_retrans_to_s(n) < (u64)seconds)
		n++;
	return n;
}

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
	r = inet_opt_int(val, len, &v);
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
	case LX_TCP_DEFER_ACCEPT: s->defer_accept = s_to_retrans(v); return 0;
	case LX_TCP_USER_TIMEOUT: return set_range(&s->user_timeout_ms, v, 0, INT32_MAX);
	case LX_TCP_NOTSENT_LOWAT: s->notsent_lowat = (u32)v; return 0;
	case LX_TCP_WINDOW_CLAMP:
		if (v < 0 || (v == 0 && s->state != INET_NEW))
			return -EINVAL;
		s->window_clamp = v && v < 1152 ? 1152 : (u32)v;
		return 0;
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

static int get_tcp(struct inet_sock *s, int name, void *val, u32 *len)
{
	struct lx_tcp_info info;
	char algorithm[16] = "reno";

	switch (name) {
	case LX_TCP_NODELAY: return inet_opt_put_int(val, len, s->nodelay);
	case LX_TCP_CORK: return inet_opt_put_int(val, len, s->cork);
	case LX_TCP_MAXSEG: return inet_opt_put_int(val, len, s->tcp && s->state == INET_OPEN ? inet_tcp_peer_mss(s) : s->maxseg ? (int)s->maxseg : 536);
	case LX_TCP_KEEPIDLE: return inet_opt_put_int(val, len, (int)s->keepidle_s);
	case LX_TCP_KEEPINTVL: return inet_opt_put_int(val, len, (int)s->keepintvl_s);
	case LX_TCP_KEEPCNT: return inet_opt_put_int(val, len, (int)s->keepcnt);
	case LX_TCP_SYNCNT: return inet_opt_put_int(val, len, (int)s->syncnt);
	case LX_TCP_LINGER2: return inet_opt_put_int(val, len, (int)s->linger2_s);
	case LX_TCP_DEFER_ACCEPT: return inet_opt_put_int(val, len, (int)inet_retrans_to_s(s->defer_accept));
	case LX_TCP_WINDOW_CLAMP: return inet_opt_put_int(val, len, (int)s->window_clamp);
	case LX_TCP_QUICKACK: return inet_opt_put_int(val, len, 1);
	case LX_TCP_USER_TIMEOUT: return inet_opt_put_int(val, len, (int)s->user_timeout_ms);
	case LX_TCP_FASTOPEN: return inet_opt_put_int(val, len, (int)s->fastopen);
	case LX_TCP_NOTSENT_LOWAT: return inet_opt_put_int(val, len, (int)s->notsent_lowat);
	case LX_TCP_THIN_LINEAR_TIMEOUTS: case LX_TCP_THIN_DUPACK: case LX_TCP_FASTOPEN_CONNECT: case LX_TCP_INQ: return inet_opt_put_int(val, len, 0);
	case LX_TCP_TIMESTAMP: return inet_opt_put_int(val, len, (int)sys_now());
	case LX_TCP_CONGESTION: return inet_opt_put(val, len, algorithm, sizeof(algorithm));
	case LX_TCP_ULP: *len = 0; return 0;
	case LX_TCP_INFO:
		inet_tcp_info(s, &info);
		return inet_opt_put(val, len, &info, sizeof(info));
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
		r = inet_set_ip(s, name, val, len);
	else if (level == LX_SOL_IPV6)
		r = inet_set_ipv6(s, name, val, len);
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
		r = *d ? inet_opt_put(val, len, d, (u32)strlen(d) + 1) : (*len = 0, 0);
	} else if (level == LX_SOL_TCP && sock->type == LX_SOCK_STREAM) {
		r = get_tcp(s, name, val, len);
	} else if (level == LX_SOL_IP) {
		r = inet_get_ip(s, name, val, len);
	} else if (level == LX_SOL_IPV6 && sock->family == LX_AF_INET6) {
		r = inet_get_ipv6(s, name, val, len);
	} else if (level == LX_SOL_UDP && sock->type == LX_SOCK_DGRAM) {
		r = name == 1 ? inet_opt_put_int(val, len, 0) : -ENOPROTOOPT;
	} else if (level != LX_SOL_SOCKET) {
		r = -EOPNOTSUPP;         /* Linux's choice for a level that it does not know, in this direction */
	}
	inet_unlock();
	return r;
}
