/*
 * inet_tcp_io.c - TCP sockets: data in, data out, readiness.
 *
 * Out: small writes are copied into lwIP's segments by way of a bounce buffer; large ones go once
 * into chunks (inet_mem.c), to which the segments refer until they are acknowledged. One hold of
 * the core lock covers everything that fits the send buffer, so that a write leaves as one burst.
 *
 * Large segments. lwIP pays about the same for a segment of any size, so a bulk writer over a
 * device that cuts (TSO) gets a maximum segment size of up to LARGE_UNITS times the peer's MSS.
 * What stays as it must be: no more than the windows allow is in flight, the first flight is at
 * most LARGE_UNITS packets (RFC 6928 has 10), small writes are not affected. What differs: after a loss the whole
 * large segment goes again, and the congestion window grows by large segments; so while a loss is
 * being repaired, new segments are small. lwIP relies on the window being no smaller than a
 * segment, hence the change to cwnd, and on the size not shrinking below what is queued unsent.
 *
 * In: pbufs wait on the socket as they came; a read copies from them and tells lwIP afterwards,
 * once, how much window is free again.
 *
 * Locks: inet_core; given back while waiting. The bounce buffer belongs to its holder.
 */
#include "net/inet_impl.h"

#define SMALL_WRITE 2048u
#define LARGE_UNITS 10u
#define LARGE_MAX   32640u               /* fits a chunk */
#define TCP_MSS_LEAST 536u               /* RFC 9293, 3.7.1 */

static u8 bounce[SMALL_WRITE];

/* ---- Sending ---- */

/* Bytes queued. tcp_sndbuf() would not do: it says 65,535 for all that is more. */
static u32 send_used(const struct inet_sock *s) { return TCP_SND_BUF - s->tcp->snd_buf; }

/* Bytes that may be queued now; tcp_write takes no more than 65,535 at once. */
static u32 send_room(const struct inet_sock *s)
{
	u32 room = tcp_sndbuf(s->tcp), used = send_used(s);

	if (tcp_sndqueuelen(s->tcp) > TCP_SND_QUEUELEN - 64)
		return 0;
	return used >= s->sndlimit ? 0 : MIN(room, s->sndlimit - used);
}

/* Linux's sk_stream_is_writeable: at least a third is free. */
bool inet_tcp_writable(const struct inet_sock *s)
{
	u32 used = send_used(s);

	return used < s->sndlimit && s->sndlimit - used >= used / 2 && tcp_sndqueuelen(s->tcp) <= TCP_SND_QUEUELEN - 64;
}

/* Move up to n bytes into the send queue: how many, 0 at a fault, or a negative errno. */
static ssize_t queue_bytes(struct inet_sock *s, struct uio *u, u32 n, bool more)
{
	u8 flags = more ? TCP_WRITE_FLAG_MORE : 0;
	size_t got;
	err_t e;

	if (n <= SMALL_WRITE) {
		got = uio_get(u, bounce, n);
		if (got == 0)
			return 0;
		e = tcp_write(s->tcp, bounce, (u16)got, flags | TCP_WRITE_FLAG_COPY);
	} else {
		struct inet_chunk *c = inet_chunk_alloc(n);
		if (!c)
			return -ENOBUFS;
		if (n > c->size) {
			n = c->size;
			flags |= TCP_WRITE_FLAG_MORE;
		}
		got = uio_get(u, c->data, n);
		e = ERR_OK;
		if (got) {
			inet_chunk_current = c;
			e = tcp_write(s->tcp, c->data, (u16)got, flags);
			inet_chunk_current = NULL;
		}
		inet_chunk_put(c);
	}
	if (e != ERR_OK) {
		uio_revert(u, got);
		return inet_errno(e);
	}
	return (ssize_t)got;
}

/* Before n bytes are queued: choose the size of segments. */
static COLD NOINLINE void segments_choose(struct inet_sock *s, size_t n)
{
	struct tcp_pcb *p = s->tcp;
	bool calm = !(p->flags & (TF_INFR | TF_RTO)) && p->nrtx == 0;
	u16 mss = inet_tcp_peer_mss(s), options = p->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0;

	/* What is repeated may be longer than the size is by now: lwIP would not see that there is no room behind it. */
	const struct tcp_seg *last = calm ? NULL : p->unsent;

	while (last && last->next)
		last = last->next;
	if (last && last->len + options > p->mss) {
		p->mss = (u16)(last->len + options);
		s->large = true;
	}
	if (s->large) {
		u32 twice = 2u * (p->mss - options) + options;

		if (!calm && !p->unsent) {
			p->mss = mss;
			s->large = false;
		} else if (calm && twice <= LARGE_MAX && p->cwnd >= 4 * twice) {
			p->mss = (u16)twice;
		}
		return;
	}
	if (n < 4u * mss || !calm || s->maxseg || mss <= 2u * options || s->path_mss || inet_addr_is_own(&s->raddr) || !inet_eth_cuts(IP_IS_V6_VAL(s->raddr)))
		return;
	u32 units = MIN(LARGE_UNITS, 32768u / mss);
	if (units < 2)
		return;
	tcp_ext_arg_set(p, 0, (void *)(uintptr_t)mss);
	p->mss = (u16)(units * (mss - options) + options);
	p->cwnd = MAX(p->cwnd, (tcpwnd_size_t)p->mss);
	s->large = true;
}

/* Few bytes make no large segment. */
static inline void size_segments(struct inet_sock *s, size_t n)
{
	if (unlikely(s->large || n >= 4u * TCP_MSS_LEAST || s->tcp->nrtx || (s->tcp->flags & (TF_INFR | TF_RTO))))
		segments_choose(s, n);
}

/* What lies in the queue unsent may go, unless it is held back for more. */
static void push(struct inet_sock *s, bool more)
{
	struct tcp_pcb *p = s->tcp;

	if (!p->unsent)
		return;
	bool full = p->unsent->next || p->unsent->len >= inet_tcp_peer_mss(s);
	if ((more || s->cork) && !full)
		return;
	/* Nagle's rule is about less than the peer's MSS, not about less than a large segment. */
	bool lift = s->large && full && !(p->flags & TF_NODELAY);
	if (lift)
		tcp_set_flags(p, TF_NODELAY);
	tcp_output(p);
	if (lift)
		tcp_clear_flags(p, TF_NODELAY);
}

void inet_tcp_push(struct inet_sock *s)
{
	if (s->tcp && s->state == INET_OPEN)
		tcp_output(s->tcp);
}

/* 0 if data can be queued (perhaps not now), else what send returns. */
static int send_check(struct inet_sock *s)
{
	int e;

	if (s->state == INET_LISTEN || s->state == INET_NEW || s->snd_shut || !s->tcp || READ_ONCE(s->sock.error)) {
		e = socket_take_error(&s->sock);
		return e ? e : -EPIPE;
	}
	return 0;
}

/* Queue what fits: 0 when all is in, 1 when there is no room, or a negative errno. */
static int send_some(struct inet_sock *s, struct uio *u, bool more, size_t *done)
{
	size_segments(s, u->resid);
	if (s->large)
		*done += inet_fast_send_large(s, u);
	while (u->resid) {
		u32 room = send_room(s);
		if (room == 0)
			return 1;
		u32 n = (u32)MIN((size_t)room, u->resid);
		ssize_t r = queue_bytes(s, u, n, more || n < u->resid);
		if (r == 0)
			return -EFAULT;
		if (r == -ENOBUFS && s->tcp && (s->tcp->unsent || s->tcp->unacked))
			return 1;        /* acknowledgements will free memory */
		if (r < 0)
			return (int)r;
		*done += (size_t)r;
		s->bytes_sent += (u64)r;
		if (u->fault)
			return -EFAULT;
	}
	return 0;
}

/* Is it worth trying again? Read without the lock. */
static bool send_may_go_on(const struct inet_sock *s)
{
	if (READ_ONCE(s->sock.error) || READ_ONCE(s->snd_shut))
		return true;
	return READ_ONCE(s->state) != INET_CONNECTING && !READ_ONCE(s->nospace);
}

static COLD NOINLINE ssize_t send_slow(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	bool nonblock = m->nonblock || (m->flags & LX_MSG_DONTWAIT), more = m->flags & LX_MSG_MORE;
	u64 deadline = 0;
	size_t done = 0;
	bool looked = false;
	unsigned tries = 0;
	int r;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		inet_lock();
		r = send_check(s);
		if (r == 0 && s->state == INET_CONNECTING) {
			r = 1;
		} else if (r == 0) {
			r = send_some(s, m->uio, more, &done);
			if (s->tcp) {
				push(s, r == 0 && more);
				if (r == 1 || !inet_tcp_writable(s))
					s->nospace = true;
			}
		}
		inet_unlock();
		if (r == -ENOBUFS && !done && tries++ < 3 && page_reclaim(64))
			continue;        /* the page cache had some */
		if (r != 1)
			break;
		if (!looked) {           /* acknowledgements may be here already */
			looked = true;
			inet_drain();
			if (send_may_go_on(s))
				continue;
		}
		if (nonblock) {
			r = -EAGAIN;
			break;
		}
		deadline = deadline ? deadline : socket_deadline(sock->sndtimeo_ns);
		r = WAIT_EVENT_INTR(&sock->waitq, send_may_go_on(s), deadline);
		if (r == -ETIMEDOUT)
			r = -EAGAIN;
		else if (r < 0)
			r = socket_interrupted(sock->sndtimeo_ns);
		if (r < 0)
			break;
		looked = false;
	}
	return done ? (ssize_t)done : r;
}

ssize_t inet_tcp_send(struct socket *sock, struct sock_msg *m)
{
	if (likely(m->uio->resid - 1 < INET_FAST_MAX && !(m->flags & (LX_MSG_OOB | LX_MSG_MORE)))) {
		inet_lock();
		size_t done = inet_fast_send(inet_sock_of(sock), m->uio);
		inet_unlock();
		if (likely(done))
			return (ssize_t)done;
	}
	return send_slow(sock, m);
}

/* ---- Receiving ---- */

/* Copy (or drop, when discard) up to len bytes from the queue; the copied stay if peek. */
static size_t take_bytes(struct inet_sock *s, struct uio *u, size_t len, size_t peek_off, bool peek, bool discard)
{
	size_t done = 0;
	struct pbuf *p = s->rx_head;

	while (peek && p && peek_off >= p->len) {
		peek_off -= p->len;
		p = p->next;
	}
	while (done < len && p) {
		size_t n = MIN((size_t)p->len - peek_off, len - done);
		size_t put = discard ? n : uio_put(u, (u8 *)p->payload + peek_off, n);
		done += put;
		if (peek) {
			peek_off = 0;
			p = p->next;
		} else {
			p->payload = (u8 *)p->payload + put;
			p->len = (u16)(p->len - put);
			s->rx_len -= (u32)put;
			if (p->len == 0) {
				s->rx_head = p->next;
				if (!s->rx_head)
					s->rx_tail = NULL;
				p->next = NULL;
				p->tot_len = 0;
				pbuf_free(p);
				p = s->rx_head;
			}
		}
		if (put < n)
			break;
	}
	return done;
}

/*
 * A window that SO_RCVBUF made smaller than what lwIP thinks in (a segment, an eighth of the full window): the
 * peer is told when a quarter of it is free again, or it would wait for ever.
 */
static COLD NOINLINE void window_tell(struct inet_sock *s, struct tcp_pcb *p)
{
	u32 free = p->rcv_nxt + p->rcv_wnd - p->rcv_ann_right_edge;

	if ((s32)free <= 0 || free < MIN(inet_tcp_window(s), (u32)TCP_WND) / 4)
		return;
	p->rcv_ann_wnd = p->rcv_wnd;
	tcp_ack_now(p);
	tcp_output(p);
}

/* The reader has taken n bytes: as tcp_recved. */
static void window_free(struct inet_sock *s, size_t n)
{
	struct tcp_pcb *p = s->tcp;

	if (!n || !p)
		return;
	p->rcv_wnd = (u32)MIN(p->rcv_wnd + n, (size_t)TCP_WND_MAX(p));
	if (tcp_update_rcv_ann_wnd(p) >= TCP_WND_UPDATE_THRESHOLD) {
		tcp_ack_now(p);
		inet_fast_output(p);
	}
	if (unlikely(s->rcvbuf_set || s->window_clamp))
		window_tell(s, p);
}

/* Nothing is queued: what does recv say? 1 = wait. */
static int recv_empty(struct inet_sock *s)
{
	int e;

	if (s->state == INET_LISTEN)
		return -ENOTCONN;
	if (s->peer_fin && s->connected && !READ_ONCE(s->sock.error))
		return 0;
	e = socket_take_error(&s->sock);
	if (e)
		return e;
	if (s->rcv_shut || s->peer_fin)
		return 0;
	if (s->state == INET_NEW)
		return -ENOTCONN;
	return 1;
}

static COLD NOINLINE ssize_t recv_slow(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	bool nonblock = m->nonblock || (m->flags & LX_MSG_DONTWAIT);
	bool peek = m->flags & LX_MSG_PEEK, discard = m->flags & LX_MSG_TRUNC;
	u64 deadline = 0;
	size_t want = m->uio->resid, done = 0;
	size_t lowat = MAX(sock->rcvlowat, 1u), target = m->flags & LX_MSG_WAITALL ? want : MIN(lowat, want);
	bool nothing = want == 0;    /* Linux: asks whether there would be something */
	bool looked = !READ_ONCE(s->rx_len);
	ssize_t r = 0;

	if (m->flags & LX_MSG_OOB)
		return -EINVAL;
	if (m->flags & LX_MSG_ERRQUEUE)
		return -EAGAIN;
	if (looked)
		inet_drain();
	for (;;) {
		inet_lock();
		if (s->state == INET_LISTEN) {
			r = -ENOTCONN;
		} else {
			size_t n = take_bytes(s, m->uio, want - done, peek ? done : 0, peek, discard);
			if (!peek)
				window_free(s, n);
			done += n;
			r = (nothing ? s->rx_len != 0 : done >= target) || m->uio->fault ? 0 : recv_empty(s);
			if (done && r <= 0)
				r = 0;
		}
		inet_unlock();
		if (r != 1)
			break;
		if (!looked) {
			looked = true;
			inet_drain();
			continue;
		}
		if (nonblock) {
			r = -EAGAIN;
			break;
		}
		u32 have = peek ? (u32)done : 0;
		deadline = deadline ? deadline : socket_deadline(sock->rcvtimeo_ns);
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->rx_len) > have || READ_ONCE(s->peer_fin) || READ_ONCE(s->rcv_shut) || READ_ONCE(sock->error) || READ_ONCE(s->state) == INET_NEW, deadline);
		if (r == -ETIMEDOUT)
			r = -EAGAIN;
		else if (r < 0)
			r = socket_interrupted(sock->rcvtimeo_ns);
		if (r < 0)
			break;
		looked = false;
	}
	if (m->addr)
		m->addr->len = 0;        /* Linux leaves the address alone on a stream */
	if (done == 0 && m->uio->fault)
		return -EFAULT;
	return done ? (ssize_t)done : r;
}

/* read() of what is there already: its bytes, or 0 when there is more to it. */
static size_t recv_plain(struct inet_sock *s, struct uio *u)
{
	struct netdev_buf *back = NULL;
	size_t done = 0;

	inet_lock();
	for (struct pbuf *p; (p = s->rx_head) != NULL && u->resid && !u->fault;) {
		size_t put = uio_put(u, p->payload, MIN((size_t)p->len, u->resid));

		done += put;
		p->payload = (u8 *)p->payload + put;
		p->len = (u16)(p->len - put);
		if (p->len)
			continue;
		s->rx_head = p->next;
		if (!s->rx_head)
			s->rx_tail = NULL;
		p->next = NULL;
		p->tot_len = 0;
		inet_eth_put_back(p, &back);
	}
	s->rx_len -= (u32)done;
	inet_eth_release(back);
	window_free(s, done);
	inet_unlock();
	return done;
}

/* Nothing is there, but something may come. Read without the lock; rx_len first: a FIN or an error does not overtake data. */
static inline bool may_come(const struct inet_sock *s)
{
	return !READ_ONCE(s->rx_len) && READ_ONCE(s->state) == INET_OPEN && !READ_ONCE(s->peer_fin) && !READ_ONCE(s->rcv_shut) && !READ_ONCE(s->sock.error);
}

/* The peer's FIN was the last thing that came. Read without the lock: what came before it is seen before it. */
static inline bool ended(const struct inet_sock *s)
{
	return READ_ONCE(s->peer_fin) && READ_ONCE(s->connected) && !READ_ONCE(s->sock.error) && !READ_ONCE(s->rx_len);
}

ssize_t inet_tcp_recv(struct socket *sock, struct sock_msg *m)
{
	struct inet_sock *s = inet_sock_of(sock);
	u64 deadline = 0;

	if (unlikely((m->flags & ~(LX_MSG_DONTWAIT | LX_MSG_NOSIGNAL)) || m->addr || sock->rcvlowat > 1))
		return recv_slow(sock, m);
	if (!READ_ONCE(s->rx_len) && inet_dev)
		inet_drain();
	for (;;) {
		size_t n = likely(READ_ONCE(s->rx_len)) ? recv_plain(s, m->uio) : 0;
		if (likely(n))
			return (ssize_t)n;
		if (ended(s) && m->uio->resid)
			return 0;
		if (unlikely(!m->uio->resid || !may_come(s)))
			return recv_slow(sock, m);
		if (m->nonblock || (m->flags & LX_MSG_DONTWAIT))
			return -EAGAIN;
		deadline = deadline ? deadline : socket_deadline(sock->rcvtimeo_ns);
		int r = WAIT_EVENT_INTR(&sock->waitq, !may_come(s), deadline);
		if (unlikely(r < 0))
			return r == -ETIMEDOUT ? -EAGAIN : socket_interrupted(sock->rcvtimeo_ns);
	}
}

/* ---- Readiness ---- */

u32 inet_tcp_poll(struct socket *sock, struct poll_table *pt)
{
	struct inet_sock *s = inet_sock_of(sock);
	u32 mask = 0;

	poll_add(pt, &sock->waitq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	enum inet_tcp_state st = READ_ONCE(s->state);
	if (st == INET_LISTEN)
		return READ_ONCE(s->lis->nready) ? SOCK_WAKE_IN : 0;
	bool rcv = READ_ONCE(s->rcv_shut) || READ_ONCE(s->peer_fin), snd = READ_ONCE(s->snd_shut);
	if (st == INET_NEW || st == INET_DEAD || (rcv && snd))
		mask |= POLL_HUP;
	if (rcv)
		mask |= POLL_IN | POLL_RDNORM | POLL_RDHUP;
	if (st != INET_CONNECTING) {
		if (READ_ONCE(s->rx_len) >= MAX(sock->rcvlowat, 1u))
			mask |= POLL_IN | POLL_RDNORM;
		if (snd || st != INET_OPEN || !READ_ONCE(s->nospace))
			mask |= POLL_OUT | POLL_WRNORM;
	}
	if (READ_ONCE(sock->error))
		mask |= POLL_ERR;
	return mask;
}

/* Bytes written that the peer has not acknowledged; the sequence numbers of SYN and FIN are none. C. */
static u32 unacknowledged(const struct inet_sock *s)
{
	u32 n;

	if (!s->tcp || s->tcp->state < ESTABLISHED)
		return 0;
	n = s->tcp->snd_lbb - s->tcp->lastack;
	return n && (s->tcp->state == FIN_WAIT_1 || s->tcp->state == CLOSING || s->tcp->state == LAST_ACK) ? n - 1 : n;
}

COLD int inet_tcp_pending(struct socket *sock, bool output)
{
	struct inet_sock *s = inet_sock_of(sock);
	int r;

	inet_lock();
	if (s->state == INET_LISTEN)
		r = -EINVAL;
	else if (output)
		r = (int)unacknowledged(s);
	else
		r = (int)s->rx_len;
	inet_unlock();
	return r;
}
