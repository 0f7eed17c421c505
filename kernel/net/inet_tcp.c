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
 *
 * Listening is in inet_listen.c.
 *
 * Locks: inet_core. Waits give it back.
 */
#include "net/inet_impl.h"
#include "base/link.h"
#include "lwip/ip.h"

/* ---- The pcb ---- */

int inet_tcp_pcb_new(struct inet_sock *s)
{
	s->tcp = tcp_new();
	if (!s->tcp)
		return -ENOBUFS;
	inet_tcp_pcb_adopt(s);
	inet_options_apply(s);
	return 0;
}

void inet_tcp_pcb_detach(struct inet_sock *s)
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

void inet_tcp_deliver(struct inet_sock *s, struct pbuf *p, struct pbuf *tail, u32 n)
{
	if (s->rx_tail)
		s->rx_tail->next = p;
	else
		s->rx_head = p;
	s->rx_tail = tail;
	s->rx_len += n;
	s->bytes_received += n;
	if (unlikely(s->timing))
		s->timing->last_recv_ns = arch_clock_mono_ns();
	if (unlikely(s->deferred_to))
		inet_listen_undefer(s);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct inet_sock *s = arg;
	u32 key = SOCK_WAKE_IN | POLL_RDHUP;

	if (likely(p)) {
		struct pbuf *tail = p;

		while (tail->next)
			tail = tail->next;
		inet_tcp_deliver(s, p, tail, p->tot_len);
		return ERR_OK;
	}
	s->peer_fin = true;
	/* Its acknowledgement waits for the program's answer, which is often our own FIN, or for the next tick (RFC 9293, 3.8.6.3). */
	if (pcb->state == CLOSE_WAIT && !pcb->ooseq)
		pcb->flags = (tcpflags_t)((pcb->flags & ~TF_ACK_NOW) | TF_ACK_DELAY);
	if (s->snd_shut) {               /* our FIN is out: lwIP finishes alone (I1) */
		inet_tcp_pcb_detach(s);
		become_dead(s);
		key = SOCK_WAKE_ALL;
	}
	if (unlikely(s->deferred_to))
		inet_listen_undefer(s);
	waitq_wake(&s->sock.waitq, key, 1);
	return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16 len)
{
	struct inet_sock *s = arg;

	if (likely(!s->nospace && !s->timing))
		return ERR_OK;
	if (s->timing)
		inet_tcp_sample_rtt(s, pcb);
	if (s->nospace && inet_tcp_writable(s)) {
		s->nospace = false;
		waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
	}
	return ERR_OK;
}

void inet_tcp_on_err(void *arg, err_t err)
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
		inet_listen_forget(s);
		return;
	}
	waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	struct inet_sock *s = arg;

	s->state = INET_OPEN;
	s->snd_high = pcb->snd_nxt;
	ip_addr_copy(s->laddr, pcb->local_ip);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
	return ERR_OK;
}

void inet_tcp_pcb_adopt(struct inet_sock *s)
{
	tcp_arg(s->tcp, s);
	tcp_recv(s->tcp, on_recv);
	tcp_sent(s->tcp, on_sent);
	tcp_err(s->tcp, inet_tcp_on_err);
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

/* As Linux: no retransmission waits longer than this, and a connection that nobody has gives up after so many. */
#define RTO_MAX_TICKS (120000 / TCP_SLOW_INTERVAL)
#define ORPHAN_RETRIES 8

static bool orphan_gave_up(const struct tcp_pcb *p)
{
	return p->nrtx > ORPHAN_RETRIES && (p->state == FIN_WAIT_1 || p->state == CLOSING || p->state == LAST_ACK);
}

/* At each TCP tick (50 ms), before lwIP's: bounds on waiting that lwIP has not; what TCP_CORK or MSG_MORE held back goes after 200 ms, as on Linux. */
void inet_tcp_tick(void)
{
	u64 now = arch_clock_mono_ns();

	if (inet_tcp_waiting())
		inet_listen_tick(now);
	/* Ending one may end others' wait, but takes only itself off the list. */
	for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
		struct inet_sock *s = inet_tcp_sock_of(p);
		next = p->next;
		/* A peer that answered late once does not make the wait for what it does not answer endless. */
		p->rto = MIN(p->rto, (s16)RTO_MAX_TICKS);
		/* A large segment goes again when the size is small: the window is never less than the segment that is next. */
		if (unlikely(p->unsent && p->cwnd < p->unsent->len))
			p->cwnd = p->unsent->len;
		/* A peer may take what probed its closed window and leave it closed: lwIP would probe with nothing. */
		if (unlikely(p->persist_backoff) && (!p->unsent || p->unacked))
			p->persist_backoff = 0;
		if (!s) {
			if (unlikely(orphan_gave_up(p)))
				tcp_abandon(p, false);
			continue;
		}
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

/* lwIP is told the address; whose port it is was decided in inet_port.c. */
void inet_tcp_pcb_bind(struct inet_sock *s, const ip_addr_t *addr, u8 type)
{
	if (s->tcp->local_port)
		return;
	ip_addr_copy(s->tcp->local_ip, *addr);
	IP_SET_TYPE_VAL(s->tcp->local_ip, type);
	s->tcp->local_port = s->lport;
	TCP_REG(&tcp_bound_pcbs, s->tcp);
}

/* ---- Connecting ---- */

static int tcp_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct inet_sock *s = inet_sock_of(sock);
	struct inet_name n;
	int r = inet_addr_parse_bind(sock->family, a, &n);

	if (r < 0)
		return r;
	inet_lock();
	r = inet_bind(s, &n);
	inet_unlock();
	return r;
}

void inet_tcp_pcb_abort(struct inet_sock *s)
{
	struct tcp_pcb *p = s->tcp;

	if (!p)
		return;
	inet_tcp_pcb_detach(s);
	tcp_abort(p);
}

void inet_tcp_rx_purge(struct inet_sock *s)
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
	inet_tcp_rx_purge(s);
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
		r = inet_tcp_pcb_new(s);
		if (r < 0)
			return r;
	}
	inet_tcp_pcb_bind(s, &src, IP_GET_TYPE(&src));
	/* A socket that is bound to a device goes by it, but to ourselves the way is the loopback. */
	if (n == &inet_lo)
		s->tcp->netif_idx = NETIF_NO_INDEX;
	s->laddr = src;
	s->raddr = to->addr;
	s->rport = to->port;
	s->state = INET_CONNECTING;
	u32 more = inet_tcp_wnd_more;
	inet_tcp_wnd_more = inet_tcp_syn(s->tcp, NULL, 0) - 65536u;
	err_t e = tcp_connect(s->tcp, &to->addr, to->port, on_connected);
	inet_tcp_wnd_more = more;
	if (e != ERR_OK) {
		inet_tcp_pcb_abort(s);
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

int inet_tcp_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
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
			inet_tcp_pcb_abort(s);
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
	struct inet_sock *s = p && p->state != TIME_WAIT ? inet_tcp_sock_of(p) : NULL;

	if (!s)
		return;
	if (e->error == -EMSGSIZE) {
		path_narrow(s, p, e->info);
		return;
	}
	s->last_icmp_error = (u32)-e->error;
	/* RFC 5927: an established connection does not die of this. */
	if (p->state == SYN_SENT && e->hard) {
		inet_tcp_pcb_abort(s);
		socket_set_error(&s->sock, e->error);
		become_dead(s);
		waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
	}
}

/* ---- The end ---- */

static int tcp_op_shutdown(struct socket *sock, int how)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r = 0;

	inet_lock();
	if (s->state == INET_LISTEN) {
		if (how == LX_SHUT_WR)
			goto out;
		/* Linux: the listener goes back to a bound socket; waiters of accept get -EINVAL. */
		inet_listen_close(s);
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
		inet_tcp_pcb_abort(s);
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
		inet_listen_close(s);
	} else if (s->tcp) {
		if (sock->linger_s == 0 && s->state == INET_OPEN) {
			inet_tcp_pcb_abort(s);
		} else {
			if (sock->linger_s > 0 && s->state == INET_OPEN && !s->rx_len)
				linger(s);
			struct tcp_pcb *p = s->tcp;
			if (p) {
				bool unread = s->rx_len != 0;
				inet_tcp_pcb_detach(s);
				/* Unread data: the peer is told by a reset (RFC 2525, 2.17). */
				if (unread)
					tcp_abort(p);
				else if (!inet_fast_close(p) && tcp_close(p) != ERR_OK)
					tcp_abort(p);
			}
		}
	}
	inet_tcp_rx_purge(s);
	if (s->bound)
		inet_unbind(s);
	inet_sock_free(s);
	inet_unlock();
}

LINK_SLOT_OF(inet_tcp_connect);
LINK_SLOT_OF(inet_tcp_listen);
LINK_SLOT_OF(inet_tcp_accept);
LINK_SLOT_OF(inet_setsockopt);
LINK_SLOT_OF(inet_getsockopt);
const struct sock_ops inet_tcp_ops = {
	.bind = tcp_op_bind,
	.connect = LINK_SLOT(inet_tcp_connect),
	.listen = LINK_SLOT(inet_tcp_listen),
	.accept = LINK_SLOT(inet_tcp_accept),
	.getname = inet_getname,
	.send = inet_tcp_send,
	.recv = inet_tcp_recv,
	.shutdown = tcp_op_shutdown,
	.poll = inet_tcp_poll,
	.setsockopt = LINK_SLOT(inet_setsockopt),
	.getsockopt = LINK_SLOT(inet_getsockopt),
	.pending = inet_tcp_pending,
	.release = tcp_op_release,
};
