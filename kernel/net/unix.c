/*
 * unix.c - AF_UNIX sockets: names, connections, the end. Data is in unix_io.c.
 *
 * A stream or seqpacket connection is two sockets that point at each other; connect makes the
 * second one (an embryo on the listener's queue) at once, so the client can write before accept.
 *
 * Invariants:
 *  (I1) peer is counted: a socket's memory lives until its last holder lets go, but it is dead
 *       (no data, no name) from its release on.
 *  (I2) a bound socket is on the list of names with its name; the name's node is counted.
 *  (I3) descriptors on the way are counted (UNIX_INFLIGHT_MAX) and never released under
 *       unix_lock or from inside another release: they wait on a list that the outermost call
 *       drains, so that closing a socket that carries sockets does not recurse.
 *  (I4) every socket that is not dead is on unix_sockets. Those that only messages hold are
 *       looked for when a socket ends or a descriptor of one closes (unix_gc.c).
 *
 * Locks: unix_lock; file system calls (paths) are made without it.
 */
#include "net/unix_impl.h"
#include "base/link.h"

struct mutex unix_lock = MUTEX_INIT(unix_lock);
const struct unix_fs_ops *unix_fs_ops RO_AFTER_INIT;
struct sock_identity sock_identity = { 1, 1000, 1000 };

struct list unix_sockets = LIST_INIT(unix_sockets);
static struct list names = LIST_INIT(names);
static const struct sock_ops unix_ops;

/* ---- Objects ---- */

struct unix_sock *unix_alloc(int type)
{
	struct unix_sock *s = heap_alloc(sizeof(*s));

	if (!s)
		return NULL;
	socket_init(&s->sock, &unix_ops, LX_AF_UNIX, type, 0);
	s->sock.sndbuf = s->sock.rcvbuf = UNIX_SNDBUF;
	s->refs = 1;
	list_init(&s->name_link);
	list_init(&s->msgs);
	list_init(&s->accepts);
	list_init(&s->accept_link);
	list_init(&s->gc_link);
	mutex_init(&s->read_lock);
	mutex_lock(&unix_lock);
	list_append(&unix_sockets, &s->all_link);
	mutex_unlock(&unix_lock);
	return s;
}

/* One that nobody has seen. NULL is fine. */
static void unix_free(struct unix_sock *s)
{
	if (!s)
		return;
	mutex_lock(&unix_lock);
	list_remove(&s->all_link);
	mutex_unlock(&unix_lock);
	heap_free(s);
}

void unix_name_put_locked(struct unix_name *n)
{
	if (n && --n->refs == 0)
		heap_free(n);
}

void unix_put_locked(struct unix_sock *s)
{
	if (--s->refs == 0) {
		unix_msg_free(s->spare);
		heap_free(s);
	}
}

static int check_type(int *type, int protocol)
{
	if (protocol != 0 && protocol != LX_AF_UNIX)
		return -EPROTONOSUPPORT;
	if (*type == LX_SOCK_RAW)
		*type = LX_SOCK_DGRAM;   /* as Linux */
	return *type == LX_SOCK_STREAM || *type == LX_SOCK_DGRAM || *type == LX_SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

int unix_socket_create(int family, int type, int protocol, struct socket **ret)
{
	int r = check_type(&type, protocol);
	struct unix_sock *s;

	if (r < 0)
		return r;
	s = unix_alloc(type);
	if (!s)
		return -ENOMEM;
	*ret = &s->sock;
	return 0;
}

/* U, or nobody else knows them yet. */
static void join(struct unix_sock *a, struct unix_sock *b)
{
	a->peer = b;
	b->refs++;
	b->peer = a;
	a->refs++;
	a->state = b->state = UNIX_CONNECTED;
}

int unix_socket_pair(int type, int protocol, struct socket **ret_a, struct socket **ret_b)
{
	int r = check_type(&type, protocol);
	struct unix_sock *a, *b;

	if (r < 0)
		return r;
	a = unix_alloc(type);
	b = unix_alloc(type);
	if (!a || !b) {
		unix_free(a);
		unix_free(b);
		return -ENOMEM;
	}
	join(a, b);
	*ret_a = &a->sock;
	*ret_b = &b->sock;
	return 0;
}

/* ---- Names ---- */

int unix_addr_check(const struct sock_addr *a)
{
	if (a->len < 2 || a->len > sizeof(struct lx_sockaddr_un) || a->family != LX_AF_UNIX)
		return -EINVAL;
	return 0;
}

static bool is_path(const struct sock_addr *a) { return a->len > 2 && a->bytes[2] != 0; }

/* The path with its end, which the program need not have written. */
static void path_of(const struct sock_addr *a, char path[UNIX_PATH_MAX + 1])
{
	size_t n = strnlen((const char *)a->bytes + 2, a->len - 2);

	memcpy(path, a->bytes + 2, n);
	path[n] = 0;
}

int unix_resolve(const struct sock_addr *a, void **ret_node)
{
	char path[UNIX_PATH_MAX + 1];

	*ret_node = NULL;
	if (!is_path(a))
		return 0;
	path_of(a, path);
	return unix_fs_ops ? unix_fs_ops->lookup(path, ret_node) : -ENOENT;
}

/* Abstract names of different types do not know each other (as Linux); paths do. */
static struct unix_sock *find_name(const u8 *bytes, u32 len, const void *node, int type)
{
	struct unix_sock *s;

	list_for_each_entry(s, &names, name_link)
		if (node ? s->name->node == node
			 : !s->name->node && s->sock.type == type && s->name->len == len && memcmp(s->name->bytes, bytes, len) == 0)
			return s;
	return NULL;
}

int unix_find_locked(const struct sock_addr *a, int type, void *node, struct unix_sock **ret)
{
	struct unix_sock *s = find_name(a->bytes, a->len, node, type);

	if (!s)
		return -ECONNREFUSED;
	if (s->sock.type != type)
		return -EPROTOTYPE;
	s->refs++;
	*ret = s;
	return 0;
}

void unix_name_fill(const struct unix_name *n, struct sock_addr *ret)
{
	if (!n) {
		ret->family = LX_AF_UNIX;
		ret->len = 2;
		return;
	}
	memcpy(ret->bytes, n->bytes, n->len);
	ret->len = n->len;
}

/* An unused abstract name of five digits, as Linux gives. U. */
static int autobind(struct unix_name *n, int type)
{
	static const char digits[] = "0123456789abcdef";
	u32 v = (u32)random_u64();

	for (unsigned tries = 0; tries < 0x100000; tries++, v++) {
		n->bytes[2] = 0;
		for (int i = 0; i < 5; i++)
			n->bytes[3 + i] = (u8)digits[v >> (16 - 4 * i) & 15];
		n->len = 8;
		if (!find_name(n->bytes, n->len, NULL, type))
			return 0;
	}
	return -ENOSPC;
}

/* A bound socket is bound once more: Linux first looks whether the path could be made. */
static int bind_again(const char *path)
{
	void *node;
	int r = unix_fs_ops ? unix_fs_ops->lookup(path, &node) : -ENOENT;

	if (r == 0)
		unix_fs_ops->put(node);
	return r == 0 || r == -ECONNREFUSED ? -EADDRINUSE : -EINVAL;
}

static int unix_op_bind(struct socket *sock, const struct sock_addr *a)
{
	struct unix_sock *s = unix_sock_of(sock);
	struct unix_name *n;
	int r = unix_addr_check(a);

	if (r < 0)
		return r;
	n = heap_alloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->refs = 1;
	n->bytes[0] = LX_AF_UNIX;
	if (is_path(a)) {
		path_of(a, (char *)n->bytes + 2);
		n->len = 2 + (u32)strlen((char *)n->bytes + 2) + 1;
		if (READ_ONCE(s->name))
			r = bind_again((char *)n->bytes + 2);
		else
			r = unix_fs_ops ? unix_fs_ops->create((char *)n->bytes + 2, &n->node) : -EOPNOTSUPP;
		if (r < 0) {
			heap_free(n);
			return r == -EEXIST ? -EADDRINUSE : r;
		}
	} else {
		n->len = a->len;
		memcpy(n->bytes, a->bytes, a->len);
	}
	mutex_lock(&unix_lock);
	if (s->name)
		r = a->len == 2 ? 0 : -EINVAL;       /* autobind of a bound socket changes nothing */
	else if (a->len == 2)
		r = autobind(n, sock->type);
	else if (!n->node && find_name(n->bytes, n->len, NULL, sock->type))
		r = -EADDRINUSE;
	if (r == 0 && !s->name) {
		s->name = n;
		list_append(&names, &s->name_link);
		n = NULL;
	}
	mutex_unlock(&unix_lock);
	if (n) {
		if (n->node)
			unix_fs_ops->put(n->node);
		heap_free(n);
	}
	return r;
}

static int unix_op_getname(struct socket *sock, bool peer, struct sock_addr *ret)
{
	struct unix_sock *s = unix_sock_of(sock);
	int r = 0;

	mutex_lock(&unix_lock);
	if (peer && !s->peer)
		r = -ENOTCONN;
	else
		unix_name_fill(peer ? s->peer->name : s->name, ret);
	mutex_unlock(&unix_lock);
	return r;
}

u64 unix_peer_ino(struct socket *sock)
{
	struct unix_sock *s = unix_sock_of(sock);
	u64 ino;

	mutex_lock(&unix_lock);
	ino = s->peer ? s->peer->sock.ino : 0;
	mutex_unlock(&unix_lock);
	return ino;
}

/* ---- Connections ---- */

int unix_op_listen(struct socket *sock, int backlog)
{
	struct unix_sock *s = unix_sock_of(sock);
	int r = 0;

	if (sock->type == LX_SOCK_DGRAM)
		return -EOPNOTSUPP;
	mutex_lock(&unix_lock);
	if (!s->name || (s->state != UNIX_IDLE && s->state != UNIX_LISTEN)) {
		r = -EINVAL;
	} else {
		bool more = (unsigned)backlog > s->backlog;
		s->state = UNIX_LISTEN;
		s->backlog = MIN((unsigned)backlog, 4096u);
		sock->listening = true;
		if (more)
			waitq_wake_all(&sock->waitq);
	}
	mutex_unlock(&unix_lock);
	return r;
}

/* One try: 0, 1 when the queue of the listener is full, or an error. */
static int connect_try(struct unix_sock *s, const struct sock_addr *a, void *node, struct unix_sock *embryo, struct unix_sock **ret_full)
{
	struct unix_sock *l;
	int r;

	r = unix_find_locked(a, s->sock.type, node, &l);
	if (r < 0)
		return r;
	if (l->state != UNIX_LISTEN || l->rcv_shut) {
		unix_put_locked(l);
		return -ECONNREFUSED;
	}
	if (l->naccepts > l->backlog) {
		*ret_full = l;           /* keeps the reference */
		return 1;
	}
	if (s->state != UNIX_IDLE) {
		unix_put_locked(l);
		return s->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	}
	embryo->name = l->name;
	l->name->refs++;
	join(s, embryo);
	list_append(&l->accepts, &embryo->accept_link);
	l->naccepts++;
	waitq_wake(&l->sock.waitq, SOCK_WAKE_IN, 1);
	unix_put_locked(l);
	return 0;
}

static int connect_stream(struct unix_sock *s, const struct sock_addr *a, void *node, bool nonblock)
{
	struct unix_sock *embryo = unix_alloc(s->sock.type), *full = NULL;
	u64 deadline = socket_deadline(s->sock.sndtimeo_ns);
	int r;

	if (!embryo)
		return -ENOMEM;
	for (;;) {
		mutex_lock(&unix_lock);
		r = connect_try(s, a, node, embryo, &full);
		mutex_unlock(&unix_lock);
		if (r != 1)
			break;
		if (!nonblock) {
			r = WAIT_EVENT_INTR(&full->sock.waitq, READ_ONCE(full->naccepts) <= READ_ONCE(full->backlog) || READ_ONCE(full->dead), deadline);
			if (r == -ETIMEDOUT)
				r = -EAGAIN;
			else if (r < 0)
				r = socket_interrupted(s->sock.sndtimeo_ns);
		} else {
			r = -EAGAIN;
		}
		mutex_lock(&unix_lock);
		unix_put_locked(full);
		mutex_unlock(&unix_lock);
		if (r < 0)
			break;
	}
	if (r == 0)
		waitq_wake(&s->sock.waitq, SOCK_WAKE_OUT, ~0u);
	else
		unix_free(embryo);
	return r;
}

static int connect_dgram(struct unix_sock *s, const struct sock_addr *a, void *node)
{
	struct unix_sock *o = NULL;
	int r = 0;

	mutex_lock(&unix_lock);
	if (a->family != LX_AF_UNSPEC) {
		r = unix_find_locked(a, s->sock.type, node, &o);
		if (r == 0 && o->peer && o->peer != s) {
			unix_put_locked(o);
			r = -EPERM;
		}
	}
	if (r == 0) {
		if (s->peer)
			unix_put_locked(s->peer);
		s->peer = o;
		s->state = o ? UNIX_CONNECTED : UNIX_IDLE;
	}
	mutex_unlock(&unix_lock);
	return r;
}

int unix_op_connect(struct socket *sock, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *s = unix_sock_of(sock);
	void *node = NULL;
	int r;

	if (sock->type == LX_SOCK_DGRAM && a->len >= 2 && a->family == LX_AF_UNSPEC)
		return connect_dgram(s, a, NULL);
	r = unix_addr_check(a);
	if (r < 0)
		return r;
	if (a->len == 2)
		return -EINVAL;
	r = unix_resolve(a, &node);
	if (r < 0)
		return r;
	r = sock->type == LX_SOCK_DGRAM ? connect_dgram(s, a, node) : connect_stream(s, a, node, nonblock);
	if (node)
		unix_fs_ops->put(node);
	return r;
}

int unix_op_accept(struct socket *sock, bool nonblock, struct socket **ret)
{
	struct unix_sock *s = unix_sock_of(sock);
	u64 deadline = socket_deadline(sock->rcvtimeo_ns);
	int r;

	if (sock->type == LX_SOCK_DGRAM)
		return -EOPNOTSUPP;
	for (;;) {
		mutex_lock(&unix_lock);
		struct list *l = NULL;
		r = 0;
		if (s->state != UNIX_LISTEN)
			r = -EINVAL;
		else if ((l = list_pop(&s->accepts)))
			s->naccepts--;
		else if (s->rcv_shut)
			r = -EINVAL;
		mutex_unlock(&unix_lock);
		if (r < 0)
			return r;
		if (l) {
			*ret = &list_entry(l, struct unix_sock, accept_link)->sock;
			waitq_wake(&sock->waitq, SOCK_WAKE_OUT, ~0u);
			return 0;
		}
		if (nonblock)
			return -EAGAIN;
		r = WAIT_EVENT_INTR(&sock->waitq, READ_ONCE(s->naccepts) || READ_ONCE(s->rcv_shut), deadline);
		if (r == -ETIMEDOUT)
			return -EAGAIN;
		if (r < 0)
			return socket_interrupted(sock->rcvtimeo_ns);
	}
}

/* ---- The end ---- */

static int unix_op_shutdown(struct socket *sock, int how)
{
	struct unix_sock *s = unix_sock_of(sock);
	int r = 0;

	mutex_lock(&unix_lock);
	bool rd = how != LX_SHUT_WR, wr = how != LX_SHUT_RD;
	s->rcv_shut |= rd;
	s->snd_shut |= wr;
	if (s->peer && sock->type != LX_SOCK_DGRAM) {
		s->peer->rcv_shut |= wr;
		s->peer->snd_shut |= rd;
		waitq_wake(&s->peer->sock.waitq, SOCK_WAKE_ALL, ~0u);
	}
	waitq_wake(&sock->waitq, SOCK_WAKE_ALL, ~0u);
	mutex_unlock(&unix_lock);
	return r;
}

static void release_locked(struct unix_sock *s, bool embryo)
{
	struct unix_sock *p = s->peer;
	struct list *l;

	s->dead = true;
	list_remove(&s->all_link);
	bool unread = s->rx_bytes || s->nmsgs || embryo;
	s->state = UNIX_CLOSED;
	s->rcv_shut = s->snd_shut = true;
	if (!list_empty(&s->name_link))
		list_remove(&s->name_link);
	while ((l = list_pop(&s->accepts))) {
		struct unix_sock *e = list_entry(l, struct unix_sock, accept_link);
		release_locked(e, true); /* embryos have no queue of their own: one level */
		unix_name_put_locked(e->name);
		e->name = NULL;
		unix_put_locked(e);
	}
	unix_purge_locked(s);
	if (p) {
		s->peer = NULL;
		if (s->sock.type != LX_SOCK_DGRAM) {
			p->rcv_shut = p->snd_shut = true;
			if (unread)
				socket_set_error(&p->sock, -ECONNRESET);
		}
		waitq_wake(&p->sock.waitq, SOCK_WAKE_ALL, ~0u);
		unix_put_locked(p);
	}
	waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
}

static void unix_op_release(struct socket *sock)
{
	struct unix_sock *s = unix_sock_of(sock);
	struct unix_name *n;
	void *node = NULL;

	mutex_lock(&unix_lock);
	bool owner = !list_empty(&s->name_link);
	release_locked(s, false);
	if (unix_sockets_carried())
		(void)unix_gc_locked(NULL);
	n = s->name;
	s->name = NULL;
	if (n && owner) {
		node = n->node;
		n->node = NULL;
	}
	unix_name_put_locked(n);
	unix_put_locked(s);
	mutex_unlock(&unix_lock);
	if (node)
		unix_fs_ops->put(node);
	unix_rights_drain();
}

/* ---- Options ---- */

int unix_op_getsockopt(struct socket *sock, int level, int name, void *val, u32 *len)
{
	struct unix_sock *s = unix_sock_of(sock);
	struct lx_ucred c = { 0, UINT32_MAX, UINT32_MAX };

	if (level != LX_SOL_SOCKET)
		return -EOPNOTSUPP;
	if (name == LX_SO_PEERCRED) {
		if (READ_ONCE(s->peer) || READ_ONCE(s->state) == UNIX_LISTEN || READ_ONCE(s->state) == UNIX_CONNECTED)
			c = (struct lx_ucred){ sock_identity.pid, sock_identity.uid, sock_identity.gid };
		*len = MIN(*len, (u32)sizeof(c));
		memcpy(val, &c, *len);
		return 0;
	}
	if (name == LX_SO_PEERGROUPS) {
		if (!READ_ONCE(s->peer) && READ_ONCE(s->state) != UNIX_LISTEN && READ_ONCE(s->state) != UNIX_CONNECTED)
			return -ENODATA;
		u32 room = *len;
		*len = sizeof(sock_identity.gid);
		if (room < *len)
			return -ERANGE;
		memcpy(val, &sock_identity.gid, *len);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int unix_op_setsockopt(struct socket *sock, int level, int name, const void *val, u32 len)
{
	return level == LX_SOL_SOCKET ? -ENOPROTOOPT : -EOPNOTSUPP;
}

LINK_SLOT_OF(unix_op_connect);
LINK_SLOT_OF(unix_op_listen);
LINK_SLOT_OF(unix_op_accept);
LINK_SLOT_OF(unix_op_getsockopt);
static const struct sock_ops unix_ops = {
	.bind = unix_op_bind,
	.connect = LINK_SLOT(unix_op_connect),
	.listen = LINK_SLOT(unix_op_listen),
	.accept = LINK_SLOT(unix_op_accept),
	.getname = unix_op_getname,
	.send = unix_op_send,
	.recv = unix_op_recv,
	.shutdown = unix_op_shutdown,
	.poll = unix_op_poll,
	.setsockopt = unix_op_setsockopt,
	.getsockopt = LINK_SLOT(unix_op_getsockopt),
	.pending = unix_op_pending,
	.release = unix_op_release,
};
