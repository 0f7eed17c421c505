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

/* ---- The pcb ---- */

static int pcb_new(struct inet_sock *s)
{
	s->tcp = tcp_new();
	if (!s->tcp)
		return -ENOBUFS;
	ip_set_option(s->tcp, SOF_REUSEADDR);
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
	} else {
		s->peer_fin = true;
		key |= POLL_RDHUP;
		if (s->snd_shut) {       /* our FIN is out: lwIP finishes alone (I1) */
			pcb_detach(s);
			become_dead(s);
			key = SOCK_WAKE_ALL;
		}
	}
	waitq_wake(&s->sock.waitq, key, 1);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16 len)
{
	struct inet_sock *s = arg;

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
	waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct inet_sock *s = arg;

	s->state = INET_OPEN;
	s->laddr = ip_2_ip4(&pcb->local_ip)->addr;
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

/* At each TCP tick (50 ms): what was held back with TCP_CORK or MSG_MORE goes after 200 ms, as on Linux. */
void inet_tcp_tick(void)
{
	struct tcp_pcb *next;

	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = next) {
		struct inet_sock *s = p->callback_arg;
		next = p->next;
		if (p->errf != on_err || !s)
			continue;
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

/*
 * A flood of SYNs must not shut the door: lwIP allows 255 half-open connections on a listener and
 * then drops SYNs, so when a listener is at its limit the oldest half-open one gives way (it is
 * either forged or its client sends again). Called for every SYN to a listener.
 */
void inet_tcp_make_room(u32 addr, u16 port)
{
	struct tcp_pcb_listen *l;
	struct tcp_pcb *oldest = NULL;

	for (l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
		if (l->local_port == port && (ip_addr_isany(&l->local_ip) || ip_2_ip4(&l->local_ip)->addr == addr))
			break;
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
	c = inet_sock_alloc(LX_SOCK_STREAM, LX_IPPROTO_TCP);
	if (!c)
		return ERR_MEM;
	c->state = INET_OPEN;
	c->connected = true;
	c->tcp = pcb;
	c->laddr = ip_2_ip4(&pcb->local_ip)->addr;
	c->lport = pcb->local_port;
	c->raddr = ip_2_ip4(&pcb->remote_ip)->addr;
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
	callbacks_set(c);
	inet_options_apply(c);
	list_append(&s->accepts, &c->accept_link);
	s->naccepts++;
	backlog_update(leader);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
	return ERR_OK;
}

static int listen_lead(struct inet_sock *s)
{
	ip4_addr_t addr = { s->laddr };
	err_t err;
	struct tcp_pcb *l;

	if (!s->tcp) {
		int r = pcb_new(s);
		if (r < 0)
			return r;
	}
	if (s->tcp->local_port == 0) {
		err = tcp_bind(s->tcp, &addr, s->lport);
		if (err != ERR_OK)
			return inet_errno(err);
	}
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

	list_for_each_entry(o, &inet_bound, bound_link)
		if (o != s && o->state == INET_LISTEN && o->leader == o && o->lport == s->lport && o->laddr == s->laddr)
			return o;
	return NULL;
}

/* Bound side by side with SO_REUSEADDR is fine, listening is not. */
static bool listen_clashes(const struct inet_sock *s)
{
	struct inet_sock *o;

	list_for_each_entry(o, &inet_bound, bound_link)
		if (o != s && o->state == INET_LISTEN && o->lport == s->lport && (!o->laddr || !s->laddr || o->laddr == s->laddr) &&
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
			r = inet_bind_port(s, 0, 0);
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
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->naccepts) || READ_ONCE(s->state) != INET_LISTEN, deadline);
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
	u32 addr;
	u16 port;
	int r = inet_addr_parse(a, &addr, &port);

	if (r < 0) {
		/* Linux takes AF_UNSPEC with INADDR_ANY for AF_INET. */
		if (r != -EAFNOSUPPORT || a->family != LX_AF_UNSPEC || memcmp(a->bytes + 4, "\0\0\0\0", 4) != 0)
			return r;
		addr = 0;
		memcpy(&port, a->bytes + 2, 2);
		port = lwip_ntohs(port);
	}
	inet_lock();
	if (s->bound || s->state != INET_NEW)
		r = -EINVAL;
	else if (addr && !s->freebind && !inet_addr_is_own(addr))
		r = -EADDRNOTAVAIL;
	else
		r = inet_bind_port(s, addr, port);
	if (r == 0)
		s->bound_addr = addr != 0, s->bound_by_name = true;
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
		s->laddr = 0;
	s->state = INET_NEW;
	s->connected = false;
	s->raddr = 0;
	s->rport = 0;
	s->rcv_shut = s->snd_shut = s->peer_fin = false;
	s->last_icmp_error = 0;
	if (s->bound && !s->bound_by_name)
		inet_unbind(s);
}

static int connect_start(struct inet_sock *s, u32 addr, u16 port)
{
	struct netif *n;
	u32 src;
	int r;
	ip4_addr_t to = { addr ? addr : PP_HTONL(0x7f000001) };

	r = inet_route(s, to.addr, &n, &src);
	if (r < 0)
		return r;
	if (ip4_addr_ismulticast(&to) || ip4_addr_isbroadcast_u32(to.addr, n))
		return -ENETUNREACH;
	if (n == &inet_eth && src == 0)
		return -ENETUNREACH;
	if (!s->bound) {
		r = inet_bind_port(s, 0, 0);
		if (r < 0)
			return r == -EADDRINUSE ? -EADDRNOTAVAIL : r;
	}
	if (!s->tcp) {
		r = pcb_new(s);
		if (r < 0)
			return r;
	}
	ip4_addr_t from = { src };
	if (s->tcp->local_port == 0) {
		err_t e = tcp_bind(s->tcp, &from, s->lport);
		if (e != ERR_OK)
			return inet_errno(e);
	}
	s->laddr = src;
	s->raddr = to.addr;
	s->rport = port;
	s->state = INET_CONNECTING;
	err_t e = tcp_connect(s->tcp, &to, port, on_connected);
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
	u32 addr;
	u16 port;
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
	r = inet_addr_parse(a, &addr, &port);
	if (r < 0)
		return r;
	inet_lock();
	switch (s->state) {
	case INET_LISTEN:
		r = -EISCONN;
		goto out;
	case INET_NEW:
		r = connect_start(s, addr, port);
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

void inet_tcp_icmp(u32 laddr, u16 lport, u32 raddr, u16 rport, int error, bool hard)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next) {
		if (p->local_port != lport || p->remote_port != rport || ip_2_ip4(&p->local_ip)->addr != laddr ||
		    ip_2_ip4(&p->remote_ip)->addr != raddr)
			continue;
		struct inet_sock *s = p->callback_arg;
		if (!s || p->errf != on_err || error == -EMSGSIZE)
			return;
		s->last_icmp_error = (u32)-error;
		/* RFC 5927: an established connection does not die of this. */
		if (p->state == SYN_SENT && hard) {
			pcb_abort(s);
			socket_set_error(&s->sock, error);
			become_dead(s);
			waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
		}
		return;
	}
}

/* ---- The end ---- */

static void listener_close(struct inet_sock *s)
{
	struct list *l;

	while ((l = list_pop(&s->accepts))) {
		struct inet_sock *c = list_entry(l, struct inet_sock, accept_link);
		pcb_abort(c);
		rx_purge(c);
		heap_free(c);
	}
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
	inet_unlock();
	heap_free(s);
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
