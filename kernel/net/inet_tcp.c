/*
 * inet_tcp.c - TCP sockets: their life. Data and readiness are in inet_tcp_io.c.
 *
 *             bind            listen
 *   NEW ------------> NEW -------------> LISTEN --- accept ---> children (OPEN)
 *    |  connect                                          ^
 *    +----------> CONNECTING --- SYN+ACK --> OPEN        | made when the handshake ends
 *    ^                |                       |
 *    |  failed (the error is reported once)   | both FINs, or reset, or timed out
 *    +----------------+                       v
 *                                            DEAD   (unread data can still be read)
 *
 * Invariants:
 *  (I1) s->tcp is not NULL exactly when lwIP may call back with s; lwIP frees pcbs by itself
 *       when a connection ends, so at each such moment (err callback, FIN after our own FIN) we
 *       let go of it (detach).
 *  (I2) received pbufs on rx_head..rx_tail are single (each has one reference and its next is
 *       the queue's); rx_len is their sum.
 *  (I3) a listener's pcb belongs to its leader; SO_REUSEPORT listeners on the same port follow.
 *
 * Locks: inet_core. Waits give it back.
 */
#include "net/inet_impl.h"
#include "lwip/ip.h"

COUNTER(inet_accept_overflow);
COUNTER(inet_syn_evicted);

static void callbacks_set(struct inet_sock *s);
static void accept_undefer(struct inet_sock *c);
static void backlog_update(struct inet_sock *leader);
static void rx_purge(struct inet_sock *s);
static unsigned ndeferred;           /* C; children that wait for data (TCP_DEFER_ACCEPT) */

/* ---- The pcb ---- */

static int pcb_new(struct inet_sock *s)
{
	s->tcp = tcp_new();
	if (!s->tcp)
		return -ENOBUFS;
	callbacks_set(s);
	inet_options_apply(s);
	return 0;
}

static void pcb_detach(struct inet_sock *s)
{
	struct tcp_pcb *p = s->tcp;

	if (!p)
		return;
	s->tcp = NULL;
	tcp_arg(p, NULL);
	if (s->state == INET_LISTEN) {
		tcp_accept(p, NULL);
		return;
	}
	tcp_recv(p, NULL);
	tcp_sent(p, NULL);
	tcp_err(p, NULL);
}

/* Both directions ended: nothing more will come from lwIP. */
static void become_dead(struct inet_sock *s)
{
	s->state = INET_DEAD;
	s->rcv_shut = s->snd_shut = true;
	s->peer_fin = true;
}

/* ---- lwIP's callbacks ---- */

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct inet_sock *s = arg;
	u32 key = SOCK_WAKE_IN;

	if (p) {
		u32 n = p->tot_len;
		if (s->rx_tail)
			s->rx_tail->next = p;
		else
			s->rx_head = p;
		while (p->next)
			p = p->next;
		s->rx_tail = p;
		s->rx_len += n;
		s->bytes_received += n;
		if (unlikely(s->timed))
			s->last_recv_ns = arch_clock_mono_ns();
	} else {
		s->peer_fin = true;
		key |= POLL_RDHUP;
		if (s->snd_shut) {       /* our FIN is out: lwIP finishes alone (I1) */
			pcb_detach(s);
			become_dead(s);
			key = SOCK_WAKE_ALL;
		}
	}
	if (unlikely(s->deferred_to))
		accept_undefer(s);
	waitq_wake(&s->sock.waitq, key, 1);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16 len)
{
	struct inet_sock *s = arg;

	if (unlikely(s->rtt_pending))
		inet_tcp_sample_rtt(s, pcb);
	if (s->nospace && inet_tcp_writable(s)) {
		s->nospace = false;
		waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
	}
	return ERR_OK;
}

static void on_err(void *arg, err_t err)
{
	struct inet_sock *s = arg;
	int e = 0;

	s->tcp = NULL;
	if (s->state == INET_CONNECTING)
		e = err == ERR_RST ? -ECONNREFUSED : s->last_icmp_error ? -(int)s->last_icmp_error : -ETIMEDOUT;
	else if (err == ERR_RST)
		e = s->peer_fin ? -EPIPE : -ECONNRESET;
	else if (err == ERR_ABRT)
		e = s->last_icmp_error ? -(int)s->last_icmp_error : -ETIMEDOUT;
	if (e)
		socket_set_error(&s->sock, e);
	become_dead(s);
	if (unlikely(s->deferred_to)) {      /* nobody has seen it yet */
		struct inet_sock *l = s->deferred_to;
		ndeferred--;
		list_remove(&s->accept_link);
		l->naccepts--;
		backlog_update(l->leader);
		rx_purge(s);
		inet_sock_free(s);
		return;
	}
	waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct inet_sock *s = arg;

	s->state = INET_OPEN;
	ip_addr_copy(s->laddr, pcb->local_ip);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
	return ERR_OK;
}

static void callbacks_set(struct inet_sock *s)
{
	tcp_arg(s->tcp, s);
	tcp_recv(s->tcp, on_recv);
	tcp_sent(s->tcp, on_sent);
	tcp_err(s->tcp, on_err);
}

/* Has this connection waited too long: TCP_USER_TIMEOUT, TCP_SYNCNT? */
static bool gave_up(struct inet_sock *s, struct tcp_pcb *p, u64 now)
{
	if (!p->unacked && !(p->unsent && p->persist_backoff)) {
		s->stall_ns = 0;
		return false;
	}
	if (p->state == SYN_SENT && p->nrtx >= s->syncnt && p->rtime + 1 >= p->rto)   /* the next tick would send another */
		return true;
	if (!s->user_timeout_ms)
		return false;
	if (!s->stall_ns || s->stall_seq != p->lastack) {
		s->stall_seq = p->lastack;
		s->stall_ns = now;
	}
	return now - s->stall_ns >= s->user_timeout_ms * NSEC_PER_MSEC;
}

bool inet_tcp_waiting(void) { return ndeferred != 0; }

/* Children that have waited long enough for data. */
static void deferred_tick(u64 now)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p && ndeferred; p = p->next) {
		struct inet_sock *s = p->callback_arg;
		if (p->errf == on_err && s && s->deferred_to && now >= s->deferred_until_ns)
			accept_undefer(s);
	}
}

/* At each TCP tick (50 ms): what was held back with TCP_CORK or MSG_MORE goes after 200 ms, as on Linux. */
void inet_tcp_tick(void)
{
	u64 now = arch_clock_mono_ns();

	if (ndeferred)
		deferred_tick(now);
	/* Ending one may end others' wait, but takes only itself off the list. */
	for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
		struct inet_sock *s = p->callback_arg;
		next = p->next;
		if (p->errf != on_err || !s)
			continue;
		if (unlikely((s->user_timeout_ms || p->state == SYN_SENT) && gave_up(s, p, now))) {
			tcp_abandon(p, p->state != SYN_SENT);
			continue;
		}
		if (unlikely(p->state == SYN_SENT))      /* lwIP does not back off here: 1, 2, 4 s ... */
			p->rto = (s16)((LWIP_TCP_RTO_TIME / TCP_SLOW_INTERVAL) << MIN(p->nrtx, 6));
		if (!p->unsent || p->unacked || p->persist_backoff) {
			s->held_ticks = 0;
		} else if (++s->held_ticks >= 4) {
			s->held_ticks = 0;
			tcp_output(p);
		}
	}
}

/* ---- Listening ---- */

/* lwIP counts half-open connections only: let it have what our queue leaves free. */
static void backlog_update(struct inet_sock *leader)
{
	struct tcp_pcb_listen *l = (struct tcp_pcb_listen *)(void *)leader->tcp;
	unsigned room = 0;
	struct inet_sock *f;

	if (!l)
		return;
	if (leader->naccepts <= leader->backlog)
		room += leader->backlog + 1 - leader->naccepts;
	list_for_each_entry(f, &leader->followers, follow_link)
		if (f->naccepts <= f->backlog)
			room += f->backlog + 1 - f->naccepts;
	l->backlog = (u8)MIN(room, 255u);
}

/* lwIP's choice: the exact address before a wildcard. */
static struct tcp_pcb_listen *listener_at(const ip_addr_t *addr, u16 port)
{
	struct tcp_pcb_listen *any = NULL;

	for (struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next) {
		if (l->local_port != port || (!IP_IS_ANY_TYPE_VAL(l->local_ip) && IP_GET_TYPE(&l->local_ip) != IP_GET_TYPE(addr)))
			continue;
		if (IP_IS_ANY_TYPE_VAL(l->local_ip) || ip_addr_isany_val(l->local_ip))
			any = l;
		else if (ip_addr_cmp(&l->local_ip, addr))
			return l;
	}
	return any;
}

u32 inet_tcp_window_for(const struct tcp_pcb *pcb, const ip_addr_t *local, u16 lport)
{
	u32 most = TCP_WND;
	struct tcp_pcb_listen *l = pcb ? NULL : listener_at(local, lport);
	const struct inet_sock *s = pcb ? (pcb->errf == on_err ? pcb->callback_arg : NULL) : l ? l->callback_arg : NULL;

	return s ? MIN(most, inet_tcp_window(s)) : most;
}

/*
 * A flood of SYNs must not shut the door: lwIP allows 255 half-open connections on a listener and
 * then drops SYNs, so when a listener is at its limit the oldest half-open one gives way (it is
 * either forged or its client sends again). Called for every SYN to a listener.
 */
void inet_tcp_make_room(const ip_addr_t *addr, u16 port)
{
	struct tcp_pcb_listen *l = listener_at(addr, port);
	struct tcp_pcb *oldest = NULL;

	if (!l || l->accepts_pending < l->backlog || l->backlog == 0)
		return;
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
		if (p->state == SYN_RCVD && p->listener == l && (!oldest || tcp_ticks - p->tmr > tcp_ticks - oldest->tmr))
			oldest = p;
	/* Young ones may only be slow; under a real flood the oldest is old enough. */
	if (oldest && (tcp_ticks - oldest->tmr) * TCP_SLOW_INTERVAL >= 500) {
		counter_bump(inet_syn_evicted);
		tcp_abandon(oldest, 0);
	}
}

/* Whose turn is it among the listeners on this port? */
static struct inet_sock *accept_target(struct inet_sock *leader)
{
	struct inet_sock *t = leader->next_accept ? leader->next_accept : leader;

	if (list_empty(&leader->followers))
		return leader;
	if (t == leader)
		leader->next_accept = list_entry(leader->followers.next, struct inet_sock, follow_link);
	else
		leader->next_accept = t->follow_link.next == &leader->followers ? leader : list_entry(t->follow_link.next, struct inet_sock, follow_link);
	return t;
}

static void accept_offer(struct inet_sock *s, struct inet_sock *c)
{
	list_append(&s->accepts, &c->accept_link);
	WRITE_ONCE(s->nready, s->nready + 1);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
}

/* TCP_DEFER_ACCEPT: there is data now, or the time is over. */
static void accept_undefer(struct inet_sock *c)
{
	struct inet_sock *s = c->deferred_to;

	c->deferred_to = NULL;
	ndeferred--;
	list_remove(&c->accept_link);
	accept_offer(s, c);
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct inet_sock *leader = arg, *s, *c;

	if (err != ERR_OK || !pcb || !leader)
		return ERR_VAL;
	s = accept_target(leader);
	if (s->naccepts > s->backlog) {
		counter_bump(inet_accept_overflow);
		return ERR_MEM;
	}
	c = inet_sock_alloc(s->sock.family, LX_SOCK_STREAM, LX_IPPROTO_TCP);
	if (!c)
		return ERR_MEM;
	c->state = INET_OPEN;
	c->connected = true;
	c->tcp = pcb;
	ip_addr_copy(c->laddr, pcb->local_ip);
	c->lport = pcb->local_port;
	ip_addr_copy(c->raddr, pcb->remote_ip);
	c->rport = pcb->remote_port;
	/* What Linux's children inherit. */
	c->sock.rcvbuf = s->sock.rcvbuf;
	c->sock.sndbuf = s->sock.sndbuf;
	c->sndlimit = s->sndlimit;
	c->sock.keepalive = s->sock.keepalive;
	c->sock.linger_s = s->sock.linger_s;
	c->sock.reuseaddr = s->sock.reuseaddr;
	c->sock.reuseport = s->sock.reuseport;
	c->sock.priority = s->sock.priority;
	c->sock.mark = s->sock.mark;
	c->sock.rcvlowat = s->sock.rcvlowat;
	c->sock.rcvtimeo_ns = s->sock.rcvtimeo_ns;
	c->sock.sndtimeo_ns = s->sock.sndtimeo_ns;
	c->nodelay = s->nodelay;
	c->tos = s->tos;
	c->ttl = s->ttl;
	c->keepidle_s = s->keepidle_s;
	c->keepintvl_s = s->keepintvl_s;
	c->keepcnt = s->keepcnt;
	c->user_timeout_ms = s->user_timeout_ms;
	c->v6only = s->v6only;
	c->maxseg = s->maxseg;
	c->notsent_lowat = s->notsent_lowat;
	c->window_clamp = s->window_clamp;
	c->rcvbuf_set = s->rcvbuf_set;
	c->ifindex = s->ifindex;
	c->mtu_discover = s->mtu_discover;
	inet_ip_options_inherit(c, s);
	callbacks_set(c);
	inet_options_apply(c);
	s->naccepts++;
	backlog_update(leader);
	if (s->defer_accept) {
		c->deferred_to = s;
		c->deferred_until_ns = arch_clock_mono_ns() + inet_retrans_to_s(s->defer_accept) * NSEC_PER_SEC;
		list_append(&s->deferred, &c->accept_link);
		ndeferred++;
		inet_timer_activity();
		return ERR_OK;
	}
	accept_offer(s, c);
	return ERR_OK;
}

/* lwIP is told the address; whose port it is was decided in inet_port.c. */
static void pcb_bind(struct inet_sock *s, const ip_addr_t *addr, u8 type)
{
	if (s->tcp->local_port)
		return;
	ip_addr_copy(s->tcp->local_ip, *addr);
	IP_SET_TYPE_VAL(s->tcp->local_ip, type);
	s->tcp->local_port = s->lport;
	TCP_REG(&tcp_bound_pcbs, s->tcp);
}

static int listen_lead(struct inet_sock *s)
{
	err_t err;
	struct tcp_pcb *l;
	bool both = IP_IS_V6_VAL(s->laddr) && !s->v6only && ip_addr_isany_val(s->laddr);

	if (!s->tcp) {
		int r = pcb_new(s);
		if (r < 0)
			return r;
	}
	pcb_bind(s, &s->laddr, both ? IPADDR_TYPE_ANY : IP_GET_TYPE(&s->laddr));
	l = tcp_listen_with_backlog_and_err(s->tcp, 255, &err);
	if (!l)
		return inet_errno(err);
	s->tcp = l;
	s->leader = s;
	tcp_arg(l, s);
	tcp_accept(l, on_accept);
	return 0;
}

static struct inet_sock *find_leader(const struct inet_sock *s)
{
	struct inet_sock *o;

	list_for_each_entry(o, inet_port_bucket(s->lport), bound_link)
		if (o != s && o->state == INET_LISTEN && o->leader == o && o->lport == s->lport && inet_addr_same(o, s))
			return o;
	return NULL;
}

/* Bound side by side with SO_REUSEADDR is fine, listening is not. */
static bool listen_clashes(const struct inet_sock *s)
{
	struct inet_sock *o;

	list_for_each_entry(o, inet_port_bucket(s->lport), bound_link)
		if (o != s && o->state == INET_LISTEN && o->lport == s->lport && inet_addr_meet(o, s) && !(o->ifindex && s->ifindex && o->ifindex != s->ifindex) &&
		    !(o->sock.reuseport && s->sock.reuseport))
			return true;
	return false;
}

static int tcp_op_listen(struct socket *sock, int backlog)
{
	struct inet_sock *s = inet_sock_of(sock), *leader;
	int r = 0;

	inet_lock();
	if (s->state != INET_LISTEN) {
		if (s->state != INET_NEW) {
			r = -EINVAL;
			goto out;
		}
		if (!s->bound) {
			r = inet_bind_port(s, 0);
			if (r < 0)
				goto out;
		}
		if (listen_clashes(s)) {
			r = -EADDRINUSE;
			goto out;
		}
		leader = find_leader(s);
		if (leader) {
			if (s->tcp) {
				struct tcp_pcb *p = s->tcp;
				pcb_detach(s);
				tcp_close(p);
			}
			s->leader = leader;
			list_append(&leader->followers, &s->follow_link);
		} else {
			r = listen_lead(s);
			if (r < 0)
				goto out;
		}
		s->state = INET_LISTEN;
		sock->listening = true;
	}
	/* Linux: an unsigned comparison with somaxconn. */
	s->backlog = (unsigned)backlog > 4096u ? 4096u : (unsigned)backlog;
	backlog_update(s->leader);
out:
	inet_unlock();
	return r;
}

static int tcp_op_accept(struct socket *sock, bool nonblock, struct socket **ret)
{
	struct inet_sock *s = inet_sock_of(sock);
	u64 deadline = socket_deadline(sock->rcvtimeo_ns);
	bool looked = false;
	int r;

	for (;;) {
		inet_lock();
		if (s->state != INET_LISTEN) {
			inet_unlock();
			return -EINVAL;
		}
		struct list *l = list_pop(&s->accepts);
		if (l) {
			struct inet_sock *c = list_entry(l, struct inet_sock, accept_link);
			s->naccepts--;
			WRITE_ONCE(s->nready, s->nready - 1);
			backlog_update(s->leader);
			inet_unlock();
			*ret = &c->sock;
			return 0;
		}
		inet_unlock();
		if (!looked) {
			looked = true;
			inet_drain();
			continue;
		}
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->nready) || READ_ONCE(s->state) != INET_LISTEN, deadline);
		if (r == -ETIMEDOUT)
			return -EAGAIN;
		if (r < 0)
			return socket_interrupted(sock->rcvtimeo_ns);
	}
}

/* ---- Connecting ---- */

static int tcp_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct inet_name n;
	int r = inet_addr_parse(s->sock.family, a, &n);

	/* Linux takes AF_UNSPEC with INADDR_ANY for AF_INET. */
	if (r == -EAFNOSUPPORT && sock->family == LX_AF_INET && n.family == LX_AF_UNSPEC && ip_addr_isany_val(n.addr))
		r = 0;
	if (r < 0)
		return r;
	inet_lock();
	r = inet_bind(s, &n);
	inet_unlock();
	return r;
}

static void pcb_abort(struct inet_sock *s)
{
	struct tcp_pcb *p = s->tcp;

	if (!p)
		return;
	pcb_detach(s);
	tcp_abort(p);
}

static void rx_purge(struct inet_sock *s)
{
	while (s->rx_head) {
		struct pbuf *p = s->rx_head;
		s->rx_head = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		pbuf_free(p);
	}
	s->rx_tail = NULL;
	s->rx_len = 0;
}

/* Ready for another connect, as Linux leaves a socket whose connection failed or was dissolved. */
static void reset(struct inet_sock *s)
{
	rx_purge(s);
	if (!s->bound_addr)
		inet_addr_clear(s, &s->laddr);
	s->state = INET_NEW;
	s->connected = false;
	inet_addr_clear(s, &s->raddr);
	s->path_mss = 0;
	s->rport = 0;
	s->rcv_shut = s->snd_shut = s->peer_fin = false;
	s->last_icmp_error = 0;
	if (s->bound && !s->bound_by_name)
		inet_unbind(s);
}

static int connect_start(struct inet_sock *s, const struct inet_name *to)
{
	struct netif *n;
	ip_addr_t src;
	int r = ip_addr_ismulticast(&to->addr) ? -ENETUNREACH : inet_route(s, &to->addr, &n, &src);

	if (r < 0)
		return r;
	if (ip_addr_isbroadcast(&to->addr, n))
		return -ENETUNREACH;
	if (n == &inet_eth && ip_addr_isany_val(src))
		return -ENETUNREACH;
	if (!s->bound) {
		r = inet_bind_port(s, 0);
		if (r < 0)
			return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
	}
	if (inet_demux_find(&src, s->lport, &to->addr, to->port))
		return -EADDRNOTAVAIL;
	if (!s->tcp) {
		r = pcb_new(s);
		if (r < 0)
			return r;
	}
	pcb_bind(s, &src, IP_GET_TYPE(&src));
	/* A socket that is bound to a device goes by it, but to ourselves the way is the loopback. */
	if (n == &inet_lo)
		s->tcp->netif_idx = NETIF_NO_INDEX;
	s->laddr = src;
	s->raddr = to->addr;
	s->rport = to->port;
	s->state = INET_CONNECTING;
	u32 more = inet_tcp_wnd_more;
	inet_tcp_wnd_more = inet_tcp_window_for(s->tcp, NULL, 0) - 65536u;
	err_t e = tcp_connect(s->tcp, &to->addr, to->port, on_connected);
	inet_tcp_wnd_more = more;
	if (e != ERR_OK) {
		pcb_abort(s);
		reset(s);
		return e == ERR_USE ? -EADDRNOTAVAIL : inet_errno(e);
	}
	return 0;
}

static int connect_wait(struct inet_sock *s, bool nonblock, int would)
{
	struct socket *sock = &s->sock;
	u64 deadline = socket_deadline(sock->sndtimeo_ns);

	if (nonblock)
		return would;
	int r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->state) != INET_CONNECTING, deadline);
	if (r == -ETIMEDOUT)
		return would;
	return r < 0 ? socket_interrupted(sock->sndtimeo_ns) : 0;
}

static int tcp_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct inet_name n;
	int r, would = -EINPROGRESS;

	if (a->len < 2)
		return -EINVAL;
	if (a->family == LX_AF_UNSPEC) {
		inet_lock();
		if (s->state == INET_LISTEN) {
			r = -EINVAL;
		} else {
			pcb_abort(s);
			reset(s);
			r = 0;
		}
		inet_unlock();
		return r;
	}
	inet_lock();
	switch (s->state) {
	case INET_LISTEN:
		r = -EISCONN;
		goto out;
	case INET_NEW:
		r = inet_addr_parse(s->sock.family, a, &n);
		if (r == 0)
			r = inet_addr_settle(s, &n);
		if (r == 0)
			r = connect_start(s, &n);
		if (r < 0)
			goto out;
		break;
	case INET_CONNECTING:
		would = -EALREADY;
		break;
	case INET_OPEN:
	case INET_DEAD:
		if (s->connected) {
			r = -EISCONN;
			goto out;
		}
		break;
	}
	if (s->state == INET_CONNECTING) {
		inet_unlock();           /* the SYN leaves here; the loopback has answered when this returns */
		r = connect_wait(s, nonblock, would);
		if (r < 0)
			return r;
		inet_lock();
	}
	if (s->state == INET_DEAD && !s->connected) {
		r = socket_take_error(sock);
		if (r == 0)
			r = -ECONNABORTED;
		reset(s);
	} else {
		s->connected = true;
		r = 0;
	}
out:
	inet_unlock();
	return r;
}

/* A router cannot pass our packets: from now on none is larger. */
static void path_narrow(struct inet_sock *s, struct tcp_pcb *p, u32 mtu)
{
	u32 headers = (IP_IS_V6_VAL(p->remote_ip) ? IP6_HLEN : IP_HLEN) + TCP_HLEN;
	u16 mss = inet_tcp_peer_mss(s);

	if (!IP_IS_V6_VAL(p->remote_ip) || mtu < IP6_MIN_MTU_LENGTH || mtu - headers >= mss)
		return;                  /* IPv4's packets may be cut on the way */
	s->path_mss = (u16)(mtu - headers);
	if (!s->large && !p->unsent)
		p->mss = s->path_mss;
	if (p->unacked)
		tcp_rexmit_rto(p);
}

void inet_tcp_icmp(const struct inet_icmp *e)
{
	struct tcp_pcb *p = inet_demux_find(&e->local, e->lport, &e->remote, e->rport);
	struct inet_sock *s = p && p->state != TIME_WAIT ? p->callback_arg : NULL;

	if (!s || p->errf != on_err)
		return;
	if (e->error == -EMSGSIZE) {
		path_narrow(s, p, e->info);
		return;
	}
	s->last_icmp_error = (u32)-e->error;
	/* RFC 5927: an established connection does not die of this. */
	if (p->state == SYN_SENT && e->hard) {
		pcb_abort(s);
		socket_set_error(&s->sock, e->error);
		become_dead(s);
		waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
	}
}

/* ---- The end ---- */

static void listener_close(struct inet_sock *s)
{
	struct list *l;

	while ((l = list_pop(&s->deferred)) || (l = list_pop(&s->accepts))) {
		struct inet_sock *c = list_entry(l, struct inet_sock, accept_link);
		ndeferred -= c->deferred_to != NULL;
		pcb_abort(c);
		rx_purge(c);
		inet_sock_free(c);
	}
	s->naccepts = 0;
	WRITE_ONCE(s->nready, 0);
	if (s->leader == s) {
		struct inet_sock *next = NULL, *f;
		if (!list_empty(&s->followers)) {
			/* The first follower takes over the pcb. */
			next = list_entry(list_pop(&s->followers), struct inet_sock, follow_link);
			next->tcp = s->tcp;
			tcp_arg(next->tcp, next);
			list_init(&next->followers);
			list_splice(&next->followers, &s->followers);
			next->leader = next;
			next->next_accept = NULL;
			list_for_each_entry(f, &next->followers, follow_link)
				f->leader = next;
			s->tcp = NULL;
			backlog_update(next);
		} else {
			struct tcp_pcb *p = s->tcp;
			pcb_detach(s);
			tcp_close(p);
		}
	} else if (s->leader) {
		if (s->leader->next_accept == s)
			s->leader->next_accept = NULL;
		list_remove(&s->follow_link);
		backlog_update(s->leader);
	}
}

static int tcp_op_shutdown(struct socket *sock, int how)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = 0;

	inet_lock();
	if (s->state == INET_LISTEN) {
		if (how == LX_SHUT_WR)
			goto out;
		/* Linux: the listener goes back to a bound socket; waiters of accept get -EINVAL. */
		listener_close(s);
		s->leader = NULL;
		s->state = INET_NEW;
		sock->listening = false;
		goto wake;
	}
	if (s->state == INET_NEW || s->state == INET_DEAD) {
		r = -ENOTCONN;
		goto out;
	}
	if (s->state == INET_CONNECTING) {
		pcb_abort(s);
		become_dead(s);
		socket_set_error(sock, -ECONNRESET);
		goto wake;
	}
	if (how != LX_SHUT_WR)
		s->rcv_shut = true;
	if (how != LX_SHUT_RD && !s->snd_shut) {
		s->snd_shut = true;
		s->cork = false;
		/* If the peer's FIN is here already (LAST-ACK), on_err tells us the end; else on_recv does. */
		tcp_shutdown(s->tcp, 0, 1);
	}
wake:
	waitq_wake(&sock->waitq, SOCK_WAKE_ALL, ~0u);
out:
	inet_unlock();
	return r;
}

/* SO_LINGER with a time: wait until the peer has everything. */
static void linger(struct inet_sock *s)
{
	u64 deadline = arch_clock_mono_ns() + (u64)s->sock.linger_s * NSEC_PER_SEC;

	s->snd_shut = true;
	tcp_shutdown(s->tcp, 0, 1);
	while (s->tcp && (s->tcp->unsent || s->tcp->unacked)) {
		u64 now = arch_clock_mono_ns();
		if (now >= deadline)
			break;
		inet_unlock();
		int r = sched_sleep_until(MIN(now + 2 * NSEC_PER_MSEC, deadline), true);
		inet_lock();
		if (r < 0)
			break;
	}
}

static void tcp_op_release(struct socket *sock)
{
	struct inet_sock *s = inet_sock_of(sock);

	inet_lock();
	if (s->state == INET_LISTEN) {
		listener_close(s);
	} else if (s->tcp) {
		if (sock->linger_s == 0 && s->state == INET_OPEN) {
			pcb_abort(s);
		} else {
			if (sock->linger_s > 0 && s->state == INET_OPEN && !s->rx_len)
				linger(s);
			struct tcp_pcb *p = s->tcp;
			if (p) {
				bool unread = s->rx_len != 0;
				pcb_detach(s);
				/* Unread data: the peer is told by a reset (RFC 2525, 2.17). */
				if (unread)
					tcp_abort(p);
				else if (tcp_close(p) != ERR_OK)
					tcp_abort(p);
			}
		}
	}
	rx_purge(s);
	if (s->bound)
		inet_unbind(s);
	inet_sock_free(s);
	inet_unlock();
}

const struct sock_ops inet_tcp_ops = {
	.bind = tcp_op_bind,
	.connect = tcp_op_connect,
	.listen = tcp_op_listen,
	.accept = tcp_op_accept,
	.getname = inet_getname,
	.send = inet_tcp_send,
	.recv = inet_tcp_recv,
	.shutdown = tcp_op_shutdown,
	.poll = inet_tcp_poll,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.pending = inet_tcp_pending,
	.release = tcp_op_release,
};
