/*
 * unix_io.c - AF_UNIX sockets: messages, descriptors on the way, readiness.
 *
 * Every write makes a message on the receiver's queue (a stream's long writes several). The
 * receiver's queue is bounded by the sender's SO_SNDBUF, datagrams to strangers also by number.
 *
 * Locks: unix_lock for the queues; the copying is done without it: by the sender before the
 * message is queued, by a stream's reader under its read_lock, from the first message, which only
 * readers take away.
 */
#include "net/unix_impl.h"
#include "mm/page.h"

static struct list graveyard = LIST_INIT(graveyard);   /* U: unreceived rights, by a node each */
static bool draining;                                  /* U */
static unsigned inflight;                              /* U */
static unsigned inflight_sockets;                      /* U; read without it: those that are unix sockets */

COUNTER(unix_rights_dropped);

struct grave {
	struct list link;
	struct sock_rights rights;
};

/* ---- Messages ---- */

static u64 messages_bytes;           /* atomic: the memory of all messages */

/*
 * Queues together take at most a quarter of memory; beyond that each has what it has, and an empty
 * one takes a message. Half of memory is the end (ENOBUFS).
 */
static bool queues_full(size_t len) { return READ_ONCE(messages_bytes) + len > page_total_count() * PAGE_SIZE / 4; }

static struct unix_msg *msg_alloc(size_t len)
{
	bool too_many = READ_ONCE(messages_bytes) + len > page_total_count() * PAGE_SIZE / 2;
	struct unix_msg *m = too_many ? NULL : heap_alloc(sizeof(*m) + len);

	if (m) {
		size_t size = heap_size(m);
		list_init(&m->link);
		m->room = (u32)(size - sizeof(*m));
		__atomic_fetch_add(&messages_bytes, size, __ATOMIC_RELAXED);
	}
	return m;
}

void unix_msg_free(struct unix_msg *m)
{
	if (!m)
		return;
	__atomic_fetch_sub(&messages_bytes, heap_size(m), __ATOMIC_RELAXED);
	heap_free(m);
}

/* A message for len bytes that s sends. */
static struct unix_msg *msg_new(struct unix_sock *s, size_t len)
{
	struct unix_msg *m = __atomic_exchange_n(&s->spare, NULL, __ATOMIC_ACQUIRE);

	if (likely(m && m->room >= len))
		return m;
	unix_msg_free(m);
	return msg_alloc(len);
}

bool unix_sockets_carried(void) { return READ_ONCE(inflight_sockets) != 0; }

static unsigned count_sockets(const struct sock_rights *r)
{
	unsigned n = 0;
	u32 refs;

	for (unsigned i = 0; r->socket && i < r->count; i++) {
		const struct socket *s = r->socket(r->files[i], &refs);
		n += s && s->family == LX_AF_UNIX;
	}
	return n;
}

/* The rights of a message move into a grave, which was allocated with them. U. */
void unix_rights_bury(struct sock_rights *r)
{
	inflight_sockets -= count_sockets(r);
	list_append(&graveyard, &container_of(r, struct grave, rights)->link);
	counter_bump(unix_rights_dropped);
}

static void msg_free_locked(struct unix_msg *m)
{
	if (m->rights)
		unix_rights_bury(m->rights);
	unix_name_put_locked(m->from);
	unix_msg_free(m);
}

/* All of m was read, from a connection: its sender gets it back if it has none. */
static void msg_read_locked(struct unix_msg *m, struct unix_sock *sender)
{
	if (m->rights || m->room > UNIX_SPARE_MAX || !sender || READ_ONCE(sender->spare)) {
		msg_free_locked(m);
		return;
	}
	unix_name_put_locked(m->from);
	memset(m->data, 0, m->len);
	m->off = 0;
	__atomic_store_n(&sender->spare, m, __ATOMIC_RELEASE);
}

void unix_purge_locked(struct unix_sock *s)
{
	struct list *l;

	while ((l = list_pop(&s->msgs)))
		msg_free_locked(list_entry(l, struct unix_msg, link));
	s->nmsgs = 0;
	s->rx_bytes = 0;
}

void unix_rights_drain(void)
{
	struct list *l;

	/* Who buries comes here afterwards, and sees his own. */
	if (likely(READ_ONCE(graveyard.next) == &graveyard))
		return;
	mutex_lock(&unix_lock);
	if (!draining) {
		draining = true;
		/* What is released may have been the last that held others from outside: unix_op_release looks. */
		while ((l = list_pop(&graveyard))) {
			struct grave *g = list_entry(l, struct grave, link);
			inflight -= g->rights.count;
			mutex_unlock(&unix_lock);
			for (unsigned i = 0; i < g->rights.count; i++)
				g->rights.release(g->rights.files[i]);
			heap_free(g);
			mutex_lock(&unix_lock);
		}
		draining = false;
	}
	mutex_unlock(&unix_lock);
}

/* Take the sender's descriptors into the message. U. -ETOOMANYREFS, -ENOMEM. */
static int rights_attach(struct unix_msg *m, struct sock_rights *r)
{
	struct grave *g;

	if (!r || r->count == 0)
		return 0;
	if (inflight + r->count > UNIX_INFLIGHT_MAX)
		return -ETOOMANYREFS;
	g = heap_alloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	list_init(&g->link);
	g->rights = *r;
	inflight += r->count;
	inflight_sockets += count_sockets(&g->rights);
	m->rights = &g->rights;
	r->count = 0;
	return 0;
}

/* Give a message's descriptors to the receiver. U. True if there were any. */
static bool rights_take(struct unix_msg *m, struct sock_msg *to)
{
	struct sock_rights *r = m->rights;

	if (!r)
		return false;
	m->rights = NULL;
	if (!to->rights) {
		to->ret_flags |= LX_MSG_CTRUNC;
		unix_rights_bury(r);
		return true;
	}
	*to->rights = *r;
	inflight -= r->count;
	inflight_sockets -= count_sockets(r);
	heap_free(container_of(r, struct grave, rights));
	return true;
}

/* Show them to who only peeks: further references of the same files. U. */
static bool rights_peek(const struct unix_msg *m, struct sock_msg *to)
{
	const struct sock_rights *r = m->rights;

	if (!r)
		return false;
	if (!to->rights || !r->get) {
		to->ret_flags |= LX_MSG_CTRUNC;
		return true;
	}
	*to->rights = *r;
	for (unsigned i = 0; i < r->count; i++)
		r->get(r->files[i]);
	return true;
}

/* ---- Sending ---- */

static bool has_room(const struct unix_sock *from, const struct unix_sock *to, size_t len)
{
	/* A message always fits an empty queue, however large. */
	return READ_ONCE(to->rx_bytes) == 0 || (READ_ONCE(to->rx_bytes) + len <= from->sock.sndbuf && !queues_full(len));
}

static bool dgram_full(const struct unix_sock *from, const struct unix_sock *to)
{
	return READ_ONCE(to->nmsgs) > UNIX_DGRAM_QUEUE && READ_ONCE(to->peer) != from;
}

static void enqueue(struct unix_sock *from, struct unix_sock *to, struct unix_msg *m, bool creds)
{
	/* Somebody wants to know who sent it, or nobody can want that yet. */
	m->creds = creds || from->sock.passcred || to->sock.passcred || !list_empty(&to->accept_link);
	m->from = from->name;
	if (m->from)
		m->from->refs++;
	list_append(&to->msgs, &m->link);
	to->nmsgs++;
	to->rx_bytes += m->len;
	waitq_wake(&to->sock.waitq, SOCK_WAKE_IN, 1);
}

/* Why a connection cannot be written to: 0 if it can. U or a guess. */
static int stream_check(struct unix_sock *s)
{
	if (!s->peer)
		return s->snd_shut ? -EPIPE : -ENOTCONN;
	return s->snd_shut || s->peer->dead || s->peer->rcv_shut ? -EPIPE : 0;
}

/* Queue one message of len bytes: 0, 1 when there is no room, or an error. */
static int stream_put(struct unix_sock *s, struct sock_msg *m, struct unix_msg **msg)
{
	int r;

	mutex_lock(&unix_lock);
	r = stream_check(s);
	if (r == 0)
		r = socket_take_error(&s->sock);
	if (r == 0 && !has_room(s, s->peer, (*msg)->len))
		r = 1;
	if (r == 0)
		r = rights_attach(*msg, m->rights);
	if (r == 0) {
		enqueue(s, s->peer, *msg, m->has_creds);
		*msg = NULL;
	}
	mutex_unlock(&unix_lock);
	return r;
}

static bool stream_may_go_on(const struct unix_sock *s, size_t len)
{
	const struct unix_sock *p = READ_ONCE(s->peer);

	return !p || READ_ONCE(s->snd_shut) || READ_ONCE(p->dead) || READ_ONCE(p->rcv_shut) || READ_ONCE(s->sock.error) || has_room(s, p, len);
}

static ssize_t stream_send(struct unix_sock *s, struct sock_msg *m, bool nonblock)
{
	bool whole = s->sock.type == LX_SOCK_SEQPACKET;
	u64 deadline = socket_deadline(s->sock.sndtimeo_ns);
	size_t done = 0, want = m->uio->resid;
	int r = 0;

	if (whole && want > s->sock.sndbuf)
		return -EMSGSIZE;
	do {
		size_t n = whole ? want : MIN(want - done, (size_t)UNIX_PIECE);
		r = stream_check(s);
		if (r < 0)
			break;
		struct unix_msg *msg = msg_new(s, n);
		if (!msg) {
			r = -ENOBUFS;
			break;
		}
		msg->len = (u32)uio_get(m->uio, msg->data, n);
		if (msg->len < n && (whole || msg->len == 0)) {
			unix_msg_free(msg);
			r = -EFAULT;
			break;
		}
		n = msg->len;
		if (n == 0 && !whole) {      /* an empty write to a stream is nothing */
			unix_msg_free(msg);
			break;
		}
		while ((r = stream_put(s, m, &msg)) == 1) {
			if (nonblock) {
				r = -EAGAIN;
				break;
			}
			r = WAIT_EVENT_INTR(&s->sock.waitq, stream_may_go_on(s, n), deadline);
			if (r < 0) {
				r = r == -ETIMEDOUT ? -EAGAIN : socket_interrupted(s->sock.sndtimeo_ns);
				break;
			}
		}
		if (r < 0) {
			uio_revert(m->uio, n);
			unix_msg_free(msg);
			break;
		}
		done += n;
	} while (done < want);
	return done ? (ssize_t)done : r;
}

/* Where a datagram goes: a counted socket. U. */
static int dgram_target(struct unix_sock *s, const struct sock_addr *a, void *node, struct unix_sock **ret)
{
	struct unix_sock *t;
	int r;

	if (a) {
		r = unix_find_locked(a, s->sock.type, node, &t);
		if (r < 0)
			return r;
	} else {
		t = s->peer;
		if (!t)
			return -ENOTCONN;
		if (t->dead) {
			s->peer = NULL;
			s->state = UNIX_IDLE;
			unix_put_locked(t);
			return -ECONNREFUSED;
		}
		t->refs++;
	}
	if (t->peer && t->peer != s)
		r = -EPERM;
	else if (s->snd_shut || t->rcv_shut)
		r = -EPIPE;
	else
		r = 0;
	if (r < 0)
		unix_put_locked(t);
	else
		*ret = t;
	return r;
}

static ssize_t dgram_send(struct unix_sock *s, struct sock_msg *m, bool nonblock)
{
	const struct sock_addr *a = m->addr && m->addr->len ? m->addr : NULL;
	u64 deadline = socket_deadline(s->sock.sndtimeo_ns);
	size_t len = m->uio->resid;
	struct unix_sock *t = NULL;
	struct unix_msg *msg;
	void *node = NULL;
	int r;

	if (len > s->sock.sndbuf - 32)
		return -EMSGSIZE;
	if (a) {
		r = unix_addr_check(a);
		if (r == 0)
			r = a->len == 2 ? -EINVAL : unix_resolve(a, &node);
		if (r < 0)
			return r;
	}
	msg = msg_alloc(len);
	r = msg ? 0 : -ENOBUFS;
	if (msg) {
		msg->len = (u32)uio_get(m->uio, msg->data, len);
		if (msg->len < len)
			r = -EFAULT;
	}
	while (r == 0) {
		mutex_lock(&unix_lock);
		r = dgram_target(s, a, node, &t);
		bool full = r == 0 && (dgram_full(s, t) || !has_room(s, t, len));
		if (r == 0 && !full) {
			r = rights_attach(msg, m->rights);
			if (r == 0) {
				enqueue(s, t, msg, m->has_creds);
				msg = NULL;
			}
		}
		if (r == 0 && !full)
			unix_put_locked(t);
		mutex_unlock(&unix_lock);
		if (!full)
			break;
		if (nonblock) {
			r = -EAGAIN;
		} else {
			r = WAIT_EVENT_INTR(&t->sock.waitq, READ_ONCE(t->dead) || READ_ONCE(t->rcv_shut) || (!dgram_full(s, t) && has_room(s, t, len)), deadline);
			if (r < 0)
				r = r == -ETIMEDOUT ? -EAGAIN : socket_interrupted(s->sock.sndtimeo_ns);
		}
		mutex_lock(&unix_lock);
		unix_put_locked(t);
		mutex_unlock(&unix_lock);
	}
	unix_msg_free(msg);
	if (node)
		unix_fs_ops->put(node);
	return r < 0 ? r : (ssize_t)len;
}

/* Before more descriptors go on their way: those that nobody can receive any more must not fill the limit. */
static void rights_make_room(const struct sock_rights *r)
{
	if (!r || READ_ONCE(inflight) + r->count <= UNIX_INFLIGHT_MAX || !unix_sockets_carried())
		return;
	mutex_lock(&unix_lock);
	(void)unix_gc_locked(NULL);
	mutex_unlock(&unix_lock);
	unix_rights_drain();
}

ssize_t unix_op_send(struct socket *sock, struct sock_msg *m)
{
	struct unix_sock *s = unix_sock_of(sock);
	bool nonblock = m->nonblock || (m->flags & LX_MSG_DONTWAIT);

	rights_make_room(m->rights);

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (sock->type == LX_SOCK_DGRAM)
		return dgram_send(s, m, nonblock);
	if (m->addr && m->addr->len && sock->type == LX_SOCK_STREAM)
		return READ_ONCE(s->peer) ? -EISCONN : -EOPNOTSUPP;
	return stream_send(s, m, nonblock);
}

/* ---- Receiving ---- */

/* Those who write to s may go on: its peer, or, for datagrams, whoever waits on it. */
static void wake_writers(struct unix_sock *s)
{
	if (s->peer)
		waitq_wake(&s->peer->sock.waitq, SOCK_WAKE_OUT, ~0u);
	if (s->sock.type == LX_SOCK_DGRAM)
		waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
}

static struct unix_msg *first_msg(struct unix_sock *s)
{
	return list_empty(&s->msgs) ? NULL : list_entry(s->msgs.next, struct unix_msg, link);
}

/*
 * Copy what a stream's queue has; stops after a message that carried descriptors. R. Returns
 * false if the queue was empty.
 */
static bool stream_take(struct unix_sock *s, struct sock_msg *m, size_t *done, size_t *peeked, bool *stop)
{
	bool peek = m->flags & LX_MSG_PEEK, any = false;
	struct unix_msg *msg;
	size_t skip = *peeked;

	mutex_lock(&unix_lock);
	for (msg = first_msg(s); msg && m->uio->resid && !*stop;) {
		size_t left = msg->len - msg->off;
		if (peek && skip >= left) {
			skip -= left;
			msg = msg->link.next == &s->msgs ? NULL : list_entry(msg->link.next, struct unix_msg, link);
			continue;
		}
		/* Bytes of different origin are not glued together where the reader can tell. */
		if (*done && s->sock.passcred && msg->creds != m->has_creds) {
			*stop = true;
			break;
		}
		if (!*done) {
			m->has_creds = msg->creds;
			if (m->addr && msg->from)
				unix_name_fill(msg->from, m->addr);
		}
		any = true;
		if (peek ? rights_peek(msg, m) : rights_take(msg, m))
			*stop = true;
		mutex_unlock(&unix_lock);
		size_t n = MIN(left - skip, m->uio->resid);
		size_t put = uio_put(m->uio, msg->data + msg->off + skip, n);
		*done += put;
		skip = 0;
		mutex_lock(&unix_lock);
		if (peek) {
			*peeked += put;
			skip = *peeked;
			msg = first_msg(s);
		} else {
			msg->off += (u32)put;
			s->rx_bytes -= (u32)put;
			if (msg->off == msg->len) {
				list_remove(&msg->link);
				s->nmsgs--;
				msg_read_locked(msg, s->peer);
			}
			wake_writers(s);
			msg = first_msg(s);
		}
		if (put < n)
			*stop = true;
	}
	mutex_unlock(&unix_lock);
	return any;
}

enum { RECV_WAIT = 1, RECV_AGAIN };

/*
 * The reader saw `have` messages and took what he wanted of them. RECV_WAIT, or RECV_AGAIN: there is more by now. Else what recv returns: read
 * without a lock, the end or the error first, for what was sent before them must come before them.
 */
static int recv_empty(struct unix_sock *s, u32 have)
{
	bool open = s->sock.type == LX_SOCK_DGRAM || READ_ONCE(s->state) == UNIX_CONNECTED;
	bool shut = READ_ONCE(s->rcv_shut);

	if (open && !shut && !READ_ONCE(s->sock.error))
		return RECV_WAIT;
	if (READ_ONCE(s->nmsgs) > have)
		return RECV_AGAIN;
	int e = socket_take_error(&s->sock);

	if (e || shut)
		return e;
	if (open)
		return RECV_AGAIN;       /* another reader was told of the error */
	return s->sock.type == LX_SOCK_STREAM ? -EINVAL : -ENOTCONN;
}

static int recv_wait(struct unix_sock *s, u32 have, bool nonblock, u64 deadline)
{
	int r;

	if (nonblock)
		return -EAGAIN;
	r = WAIT_EVENT_INTR(&s->sock.waitq, READ_ONCE(s->nmsgs) > have || READ_ONCE(s->rcv_shut) || READ_ONCE(s->sock.error), deadline);
	return r == -ETIMEDOUT ? -EAGAIN : r < 0 ? socket_interrupted(s->sock.rcvtimeo_ns) : 0;
}

static ssize_t stream_recv(struct unix_sock *s, struct sock_msg *m, bool nonblock)
{
	u64 deadline = socket_deadline(s->sock.rcvtimeo_ns);
	size_t want = m->uio->resid, done = 0, peeked = 0;
	size_t lowat = s->sock.rcvlowat, target = m->flags & LX_MSG_WAITALL ? want : MIN(lowat, want);
	bool stop = false;
	ssize_t r = 0;

	if (READ_ONCE(s->state) != UNIX_CONNECTED)
		return -EINVAL;
	if (m->addr)
		m->addr->len = 0;
	for (;;) {
		mutex_lock(&s->read_lock);
		stream_take(s, m, &done, &peeked, &stop);
		u32 have = m->flags & LX_MSG_PEEK ? READ_ONCE(s->nmsgs) : 0;
		mutex_unlock(&s->read_lock);
		if (done >= target || stop || m->uio->fault)
			break;
		r = recv_empty(s, have);
		if (r == RECV_WAIT)
			r = recv_wait(s, have, nonblock, deadline);
		else if (r != RECV_AGAIN)
			break;
		if (r < 0)
			break;
	}
	unix_rights_drain();
	if (done == 0 && m->uio->fault)
		return -EFAULT;
	return done ? (ssize_t)done : r < 0 ? r : 0;
}

/* One whole message (datagram or seqpacket). */
static ssize_t message_recv(struct unix_sock *s, struct sock_msg *m, bool nonblock)
{
	u64 deadline = socket_deadline(s->sock.rcvtimeo_ns);
	struct unix_msg *msg;
	bool peek = m->flags & LX_MSG_PEEK;
	ssize_t r;

	if (s->sock.type == LX_SOCK_SEQPACKET && READ_ONCE(s->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	for (;;) {
		mutex_lock(&s->read_lock);
		mutex_lock(&unix_lock);
		msg = first_msg(s);
		if (msg)
			m->has_creds = msg->creds;
		if (msg && peek)
			(void)rights_peek(msg, m);
		if (msg && !peek) {
			list_remove(&msg->link);
			s->nmsgs--;
			s->rx_bytes -= msg->len;
			rights_take(msg, m);
			wake_writers(s);
		}
		mutex_unlock(&unix_lock);
		if (msg)
			break;
		mutex_unlock(&s->read_lock);
		r = recv_empty(s, 0);
		if (r == RECV_WAIT)
			r = recv_wait(s, 0, nonblock, deadline);
		else if (r != RECV_AGAIN)
			return r;
		if (r < 0)
			return r;
	}
	u32 len = msg->len;
	size_t n = MIN((size_t)len, m->uio->resid), put = uio_put(m->uio, msg->data, n);
	if (m->addr) {
		if (msg->from)
			unix_name_fill(msg->from, m->addr);
		else
			m->addr->len = 0;
	}
	if (len > n)
		m->ret_flags |= LX_MSG_TRUNC;
	if (!peek) {
		mutex_lock(&unix_lock);
		msg_free_locked(msg);
		mutex_unlock(&unix_lock);
	}
	mutex_unlock(&s->read_lock);
	unix_rights_drain();
	if (put < n)
		return -EFAULT;
	return m->flags & LX_MSG_TRUNC ? (ssize_t)len : (ssize_t)n;
}

ssize_t unix_op_recv(struct socket *sock, struct sock_msg *m)
{
	struct unix_sock *s = unix_sock_of(sock);
	bool nonblock = m->nonblock || (m->flags & LX_MSG_DONTWAIT);
	ssize_t r;

	if (m->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (m->rights)
		m->rights->count = 0;
	m->has_creds = false;
	r = sock->type == LX_SOCK_STREAM ? stream_recv(s, m, nonblock) : message_recv(s, m, nonblock);
	return r;
}

/* ---- Readiness ---- */

u32 unix_op_poll(struct socket *sock, struct poll_table *pt)
{
	struct unix_sock *s = unix_sock_of(sock);
	bool connection = sock->type != LX_SOCK_DGRAM, writable = false;
	u32 mask = 0;

	poll_add(pt, &sock->waitq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mutex_lock(&unix_lock);
	if (s->state == UNIX_LISTEN) {
		mask = (s->naccepts ? SOCK_WAKE_IN : 0) | (s->rcv_shut ? POLL_RDHUP | SOCK_WAKE_IN : 0);
		goto out;
	}
	if (READ_ONCE(sock->error))
		mask |= POLL_ERR;
	if (s->rcv_shut)
		mask |= POLL_RDHUP | SOCK_WAKE_IN;
	if (s->rcv_shut && s->snd_shut)
		mask |= POLL_HUP;
	if (s->nmsgs)
		mask |= SOCK_WAKE_IN;
	if (connection && s->state != UNIX_CONNECTED)
		mask |= POLL_HUP;
	writable = !s->peer || s->peer->dead || (s->peer->rx_bytes < sock->sndbuf / 4 + 1 && has_room(s, s->peer, 1) && (connection || !dgram_full(s, s->peer)));
	if (writable)
		mask |= POLL_OUT | POLL_WRNORM | POLL_WRBAND;
out:
	mutex_unlock(&unix_lock);
	return mask;
}

int unix_op_pending(struct socket *sock, bool output)
{
	struct unix_sock *s = unix_sock_of(sock);
	int r;

	mutex_lock(&unix_lock);
	if (s->state == UNIX_LISTEN)
		r = -EINVAL;
	else if (output)
		r = s->peer ? (int)s->peer->rx_bytes : 0;
	else if (sock->type == LX_SOCK_DGRAM)
		r = list_empty(&s->msgs) ? 0 : (int)first_msg(s)->len;
	else
		r = (int)s->rx_bytes;
	mutex_unlock(&unix_lock);
	return r;
}
