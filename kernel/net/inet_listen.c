/*
 * inet_listen.c - TCP sockets that listen: half-open connections, the queue of accepted ones, SO_REUSEPORT.
 *
 * lwIP counts connections whose handshake is not over; ours is the queue behind it, and, with
 * TCP_DEFER_ACCEPT, the list of those whose first data is awaited.
 *
 * Invariants:
 *  (I1) a listener's pcb belongs to its leader; SO_REUSEPORT listeners on the same address and port follow it,
 *       and take turns.
 *  (I2) naccepts counts the children on both lists, nready those on accepts.
 *
 * Locks: inet_core. Waits give it back. Can fail: memory; then the peer sends again.
 */
#include "net/inet_impl.h"
#include "lwip/ip.h"

COUNTER(inet_accept_overflow);
COUNTER(inet_syn_evicted);

static unsigned ndeferred;           /* C; children that wait for data (TCP_DEFER_ACCEPT) */

bool inet_tcp_waiting(void) { return ndeferred != 0; }

void inet_listen_forget(struct inet_sock *c)
{
	struct inet_sock *s = c->deferred_to;

	ndeferred--;
	list_remove(&c->accept_link);
	s->lis->naccepts--;
	inet_listen_update(s->leader);
	inet_tcp_rx_purge(c);
	inet_sock_free(c);
}

/* Children that have waited long enough for data. */
void inet_listen_tick(u64 now)
{
	for (struct tcp_pcb *p = tcp_active_pcbs; p && ndeferred; p = p->next) {
		struct inet_sock *s = inet_tcp_sock_of(p);
		if (s && s->deferred_to && now >= s->deferred_until_ns)
			inet_listen_undefer(s);
	}
}

/* lwIP counts half-open connections only: let it have what our queue leaves free. */
void inet_listen_update(struct inet_sock *leader)
{
	struct tcp_pcb_listen *l = (struct tcp_pcb_listen *)(void *)leader->tcp;
	unsigned room = 0;
	struct inet_sock *f;

	if (!l)
		return;
	if (leader->lis->naccepts <= leader->lis->backlog)
		room += leader->lis->backlog + 1 - leader->lis->naccepts;
	list_for_each_entry(f, &leader->lis->followers, follow_link)
		if (f->lis->naccepts <= f->lis->backlog)
			room += f->lis->backlog + 1 - f->lis->naccepts;
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

/*
 * A flood of SYNs must not shut the door: lwIP allows 255 half-open connections on a listener and
 * then drops SYNs, so when a listener is at its limit the oldest half-open one gives way (it is
 * either forged or its client sends again).
 */
static void make_room(const struct tcp_pcb_listen *l)
{
	struct tcp_pcb *oldest = NULL;

	if (l->accepts_pending < l->backlog || l->backlog == 0)
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

u32 inet_tcp_syn(const struct tcp_pcb *pcb, const ip_addr_t *local, u16 lport)
{
	const struct inet_sock *s = NULL;
	u32 most = TCP_WND;

	if (pcb) {
		s = inet_tcp_sock_of(pcb);
	} else {
		struct tcp_pcb_listen *l = listener_at(local, lport);
		if (!l)
			return most;
		inet_timer_catch_up();
		make_room(l);
		s = l->callback_arg;
	}
	return s && unlikely(s->rcvbuf_set || s->window_clamp) ? MIN(most, inet_tcp_window(s)) : most;
}

/* Whose turn is it among the listeners on this port? */
static struct inet_sock *accept_target(struct inet_sock *leader)
{
	struct inet_sock *t = leader->lis->next_accept ? leader->lis->next_accept : leader;

	if (list_empty(&leader->lis->followers))
		return leader;
	if (t == leader)
		leader->lis->next_accept = list_entry(leader->lis->followers.next, struct inet_sock, follow_link);
	else
		leader->lis->next_accept = t->follow_link.next == &leader->lis->followers ? leader : list_entry(t->follow_link.next, struct inet_sock, follow_link);
	return t;
}

static void accept_offer(struct inet_sock *s, struct inet_sock *c)
{
	list_append(&s->lis->accepts, &c->accept_link);
	WRITE_ONCE(s->lis->nready, s->lis->nready + 1);
	waitq_wake(&s->sock.waitq, SOCK_WAKE_IN, 1);
}

/* TCP_DEFER_ACCEPT: there is data now, or the time is over. */
void inet_listen_undefer(struct inet_sock *c)
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
	if (s->lis->naccepts > s->lis->backlog) {
		counter_bump(inet_accept_overflow);
		return ERR_MEM;
	}
	c = inet_sock_alloc(s->sock.family, LX_SOCK_STREAM, LX_IPPROTO_TCP);
	if (!c)
		return ERR_MEM;
	c->state = INET_OPEN;
	c->connected = true;
	c->tcp = pcb;
	c->snd_high = pcb->snd_nxt;
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
	inet_tcp_pcb_adopt(c);
	inet_options_apply(c);
	s->lis->naccepts++;
	inet_listen_update(leader);
	if (s->defer_accept) {
		c->deferred_to = s;
		c->deferred_until_ns = arch_clock_mono_ns() + inet_retrans_to_s(s->defer_accept) * NSEC_PER_SEC;
		list_append(&s->lis->deferred, &c->accept_link);
		ndeferred++;
		inet_timer_activity();
		return ERR_OK;
	}
	accept_offer(s, c);
	return ERR_OK;
}

static int listen_lead(struct inet_sock *s)
{
	err_t err;
	struct tcp_pcb *l;
	bool both = IP_IS_V6_VAL(s->laddr) && !s->v6only && ip_addr_isany_val(s->laddr);

	if (!s->tcp) {
		int r = inet_tcp_pcb_new(s);
		if (r < 0)
			return r;
	}
	inet_tcp_pcb_bind(s, &s->laddr, both ? IPADDR_TYPE_ANY : IP_GET_TYPE(&s->laddr));
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

static int listener_alloc(struct inet_sock *s)
{
	if (s->lis)
		return 0;
	s->lis = heap_alloc(sizeof(*s->lis));
	if (!s->lis)
		return -ENOBUFS;
	list_init(&s->lis->accepts);
	list_init(&s->lis->deferred);
	list_init(&s->lis->followers);
	return 0;
}

int inet_tcp_listen(struct socket *sock, int backlog)
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
		r = listener_alloc(s);
		if (r < 0)
			goto out;
		leader = find_leader(s);
		if (leader) {
			if (s->tcp) {
				struct tcp_pcb *p = s->tcp;
				inet_tcp_pcb_detach(s);
				tcp_close(p);
			}
			s->leader = leader;
			list_append(&leader->lis->followers, &s->follow_link);
		} else {
			r = listen_lead(s);
			if (r < 0)
				goto out;
		}
		s->state = INET_LISTEN;
		sock->listening = true;
	}
	/* Linux: an unsigned comparison with somaxconn. */
	s->lis->backlog = (unsigned)backlog > 4096u ? 4096u : (unsigned)backlog;
	inet_listen_update(s->leader);
out:
	inet_unlock();
	return r;
}

int inet_tcp_accept(struct socket *sock, bool nonblock, struct socket **ret)
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
		struct list *l = list_pop(&s->lis->accepts);
		if (l) {
			struct inet_sock *c = list_entry(l, struct inet_sock, accept_link);
			s->lis->naccepts--;
			WRITE_ONCE(s->lis->nready, s->lis->nready - 1);
			inet_listen_update(s->leader);
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
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->lis->nready) || READ_ONCE(s->state) != INET_LISTEN, deadline);
		if (r == -ETIMEDOUT)
			return -EAGAIN;
		if (r < 0)
			return socket_interrupted(sock->rcvtimeo_ns);
	}
}

void inet_listen_close(struct inet_sock *s)
{
	struct list *l;

	while ((l = list_pop(&s->lis->deferred)) || (l = list_pop(&s->lis->accepts))) {
		struct inet_sock *c = list_entry(l, struct inet_sock, accept_link);
		ndeferred -= c->deferred_to != NULL;
		inet_tcp_pcb_abort(c);
		inet_tcp_rx_purge(c);
		inet_sock_free(c);
	}
	s->lis->naccepts = 0;
	WRITE_ONCE(s->lis->nready, 0);
	if (s->leader == s) {
		struct inet_sock *next = NULL, *f;
		if (!list_empty(&s->lis->followers)) {
			/* The first follower takes over the pcb. */
			next = list_entry(list_pop(&s->lis->followers), struct inet_sock, follow_link);
			next->tcp = s->tcp;
			tcp_arg(next->tcp, next);
			list_init(&next->lis->followers);
			list_splice(&next->lis->followers, &s->lis->followers);
			next->leader = next;
			next->lis->next_accept = NULL;
			list_for_each_entry(f, &next->lis->followers, follow_link)
				f->leader = next;
			s->tcp = NULL;
			inet_listen_update(next);
		} else {
			struct tcp_pcb *p = s->tcp;
			inet_tcp_pcb_detach(s);
			tcp_close(p);
		}
	} else if (s->leader) {
		if (s->leader->lis->next_accept == s)
			s->leader->lis->next_accept = NULL;
		list_remove(&s->follow_link);
		inet_listen_update(s->leader);
	}
}
