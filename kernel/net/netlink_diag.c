/*
 * netlink_diag.c - NETLINK_SOCK_DIAG: the program's sockets, as ss(8) lists them: TCP and UDP of both families,
 * and unix sockets.
 *
 * Which sockets there are is known above (sock_for_each), and asking them takes their families' locks, so that
 * a picture of all is made before a request is answered (netlink_diag_prepare, without netlink_lock); a dump keeps it.
 *
 * Locks: netlink_lock is held while requests are answered. What can fail: memory; what the program asked.
 */
#include "net/netlink_impl.h"

#define SOCKETS_MAX 8192u

enum { SOCK_DIAG_BY_FAMILY = 20, SOCK_DESTROY = 21 };
enum { INET_DIAG_INFO = 2, INET_DIAG_CONG = 4 };
enum { UNIX_DIAG_NAME = 0, UNIX_DIAG_PEER = 2, UNIX_DIAG_RQLEN = 4 };
enum { UDIAG_SHOW_NAME = 1, UDIAG_SHOW_PEER = 4, UDIAG_SHOW_RQLEN = 16 };
enum { TCP_ESTABLISHED = 1, TCP_CLOSE = 7, TCP_LISTEN = 10 };

struct lx_inet_diag_sockid {
	u8 sport[2], dport[2], src[16], dst[16];
	u32 ifindex, cookie[2];
};
struct lx_inet_diag_req {
	u8 family, protocol, ext, pad;
	u32 states;
	struct lx_inet_diag_sockid id;
};
struct lx_inet_diag_msg {
	u8 family, state, timer, retrans;
	struct lx_inet_diag_sockid id;
	u32 expires, rqueue, wqueue, uid, inode;
};
struct lx_unix_diag_req {
	u8 family, protocol;
	u16 pad;
	u32 states, ino, show, cookie[2];
};
struct lx_unix_diag_msg {
	u8 family, type, state, pad;
	u32 ino, cookie[2];
};
_Static_assert(sizeof(struct lx_inet_diag_req) == 56 && sizeof(struct lx_inet_diag_msg) == 72, "inet_diag");
_Static_assert(sizeof(struct lx_unix_diag_req) == 24 && sizeof(struct lx_unix_diag_msg) == 16, "unix_diag");

struct entry {
	struct sock_addr local, peer;
	struct lx_tcp_info info;
	u16 family, type;
	u8 protocol, state;
	u32 rx, tx;
	u64 ino, peer_ino;
};
struct netlink_picture {
	unsigned n, size;
	struct entry *entries;
};

/* ---- The picture ---- */

static u8 state_of(struct socket *s, struct entry *e)
{
	u32 len = sizeof(e->info);

	if (s->listening)
		return TCP_LISTEN;
	if (s->family == LX_AF_UNIX || s->type != LX_SOCK_STREAM)
		return e->peer.len ? TCP_ESTABLISHED : TCP_CLOSE;
	if (sock_getsockopt(s, LX_SOL_TCP, LX_TCP_INFO, &e->info, &len) < 0)
		return TCP_CLOSE;
	return e->info.state;
}

static bool add(struct socket *s, void *arg)
{
	struct netlink_picture *p = arg;
	struct entry *e;
	int n;

	if (s->family != LX_AF_UNIX && s->family != LX_AF_INET && s->family != LX_AF_INET6)
		return true;
	if (p->n == p->size) {
		unsigned size = p->size ? p->size * 2 : 32;
		e = size > SOCKETS_MAX ? NULL : heap_realloc(p->entries, size * sizeof(*e));
		if (!e)
			return false;
		p->entries = e;
		p->size = size;
	}
	e = &p->entries[p->n++];
	*e = (struct entry){ .family = (u16)s->family, .type = (u16)s->type, .ino = s->ino };
	e->protocol = s->type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
	if (sock_getname(s, false, &e->local) < 0)
		e->local.len = 0;
	if (sock_getname(s, true, &e->peer) < 0)
		memset(&e->peer, 0, sizeof(e->peer));
	e->state = state_of(s, e);
	if (s->family == LX_AF_UNIX)
		e->peer_ino = unix_peer_ino(s);
	n = sock_pending(s, false);
	e->rx = n > 0 ? (u32)n : 0;
	n = sock_pending(s, true);
	e->tx = n > 0 ? (u32)n : 0;
	return true;
}

struct netlink_picture *netlink_picture_new(void)
{
	struct netlink_picture *p = heap_alloc(sizeof(*p));

	if (p && sock_for_each)
		sock_for_each(add, p);
	return p;
}

void netlink_picture_free(struct netlink_picture *p)
{
	if (p)
		heap_free(p->entries);
	heap_free(p);
}

/* ---- TCP and UDP ---- */

static bool hashed(const struct entry *e)
{
	/* As Linux's tables: TCP that is something, UDP that has a port. */
	return e->protocol == LX_IPPROTO_TCP ? e->state != TCP_CLOSE : (e->local.bytes[2] | e->local.bytes[3]) != 0;
}

static void fill_id(struct lx_inet_diag_sockid *id, const struct entry *e)
{
	unsigned at = e->family == LX_AF_INET6 ? 8 : 4, n = netlink_addr_bytes((u8)e->family);

	memcpy(id->sport, e->local.bytes + 2, 2);
	memcpy(id->src, e->local.bytes + at, n);
	if (e->peer.len) {
		memcpy(id->dport, e->peer.bytes + 2, 2);
		memcpy(id->dst, e->peer.bytes + at, n);
	}
	id->cookie[0] = (u32)e->ino;
	id->cookie[1] = (u32)(e->ino >> 32);
}

static int put_inet(struct netlink_buf *b, const struct entry *e, u8 ext, u16 flags, u32 seq, u32 pid)
{
	struct lx_inet_diag_msg m = {
		.family = (u8)e->family, .state = e->state, .retrans = e->info.retransmits, .rqueue = e->rx, .wqueue = e->tx, .uid = sock_identity.uid,
		.inode = (u32)e->ino,
	};

	fill_id(&m.id, e);
	netlink_begin(b, SOCK_DIAG_BY_FAMILY, flags, seq, pid, &m, sizeof(m));
	if (e->protocol == LX_IPPROTO_TCP && ext & 1 << (INET_DIAG_INFO - 1))
		netlink_put(b, INET_DIAG_INFO, &e->info, sizeof(e->info));
	if (e->protocol == LX_IPPROTO_TCP && ext & 1 << (INET_DIAG_CONG - 1))
		netlink_put_string(b, INET_DIAG_CONG, "reno");
	return netlink_end(b);
}

static bool port_fits(const u8 *want, const struct sock_addr *a)
{
	return !(want[0] | want[1]) || (a->len >= 4 && memcmp(want, a->bytes + 2, 2) == 0);
}

static int fill_inet(struct netlink_dump *d, struct netlink_buf *b)
{
	for (; d->at < d->picture->n; d->at++) {
		const struct entry *e = &d->picture->entries[d->at];
		if (e->family != d->family || e->protocol != d->protocol || !(d->states >> e->state & 1) || !hashed(e) ||
		    !port_fits(d->sport, &e->local) || !port_fits(d->dport, &e->peer))
			continue;
		int r = put_inet(b, e, d->ext, d->flags, d->seq, d->pid);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_id(const struct entry *e, const struct lx_inet_diag_sockid *want)
{
	struct lx_inet_diag_sockid id = { 0 };

	fill_id(&id, e);
	if (memcmp(id.sport, want->sport, 2) != 0 || memcmp(id.src, want->src, 16) != 0)
		return false;
	return e->state == TCP_LISTEN || (memcmp(id.dport, want->dport, 2) == 0 && memcmp(id.dst, want->dst, 16) == 0);
}

static int inet_request(const struct netlink_request *rq)
{
	const struct lx_inet_diag_req *q = (const void *)rq->body;
	struct netlink_picture *p = rq->sock->picture;
	struct netlink_buf b;

	if (rq->len < sizeof(*q))
		return -EINVAL;
	if (q->protocol != LX_IPPROTO_TCP && q->protocol != LX_IPPROTO_UDP)
		return rq->head->flags & LX_NLM_F_DUMP ? netlink_dump_fail(rq, -ENOENT, 0) : -ENOENT;
	if (rq->head->flags & LX_NLM_F_DUMP) {
		struct netlink_dump d = { .fill = fill_inet, .family = q->family, .protocol = q->protocol, .states = q->states, .ext = q->ext, .picture = p };
		memcpy(d.sport, q->id.sport, 2);
		memcpy(d.dport, q->id.dport, 2);
		return netlink_dump_start(rq, &d);
	}
	for (unsigned i = 0; i < p->n; i++) {
		const struct entry *e = &p->entries[i];
		if (e->family != q->family || e->protocol != q->protocol || !hashed(e) || !is_id(e, &q->id))
			continue;
		if (netlink_buf_init(&b, 1024) < 0)
			return -ENOBUFS;
		(void)put_inet(&b, e, q->ext, 0, rq->head->seq, rq->sock->portid);
		return netlink_answer(rq, &b);
	}
	return -ENOENT;
}

/* ---- Unix sockets ---- */

static int put_unix(struct netlink_buf *b, const struct entry *e, u32 show, u16 flags, u32 seq, u32 pid)
{
	struct lx_unix_diag_msg m = {
		.family = LX_AF_UNIX, .type = (u8)e->type, .state = e->state, .ino = (u32)e->ino, .cookie = { (u32)e->ino, (u32)(e->ino >> 32) },
	};
	u32 queues[2] = { e->rx, e->tx };

	netlink_begin(b, SOCK_DIAG_BY_FAMILY, flags, seq, pid, &m, sizeof(m));
	if (show & UDIAG_SHOW_NAME && e->local.len > 2)
		netlink_put(b, UNIX_DIAG_NAME, e->local.bytes + 2, e->local.len - 2);
	if (show & UDIAG_SHOW_PEER && e->peer_ino)
		netlink_put_u32(b, UNIX_DIAG_PEER, (u32)e->peer_ino);
	if (show & UDIAG_SHOW_RQLEN)
		netlink_put(b, UNIX_DIAG_RQLEN, queues, sizeof(queues));
	return netlink_end(b);
}

static int fill_unix(struct netlink_dump *d, struct netlink_buf *b)
{
	for (; d->at < d->picture->n; d->at++) {
		const struct entry *e = &d->picture->entries[d->at];
		if (e->family != LX_AF_UNIX || !(d->states >> e->state & 1))
			continue;
		int r = put_unix(b, e, d->show, d->flags, d->seq, d->pid);
		if (r < 0)
			return r;
	}
	return 0;
}

static int unix_request(const struct netlink_request *rq)
{
	const struct lx_unix_diag_req *q = (const void *)rq->body;
	struct netlink_picture *p = rq->sock->picture;
	struct netlink_buf b;

	if (rq->len < sizeof(*q))
		return -EINVAL;
	if (rq->head->flags & LX_NLM_F_DUMP) {
		struct netlink_dump d = { .fill = fill_unix, .states = q->states, .show = q->show, .picture = p };
		return netlink_dump_start(rq, &d);
	}
	if (!q->ino)
		return -EINVAL;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->entries[i].family != LX_AF_UNIX || (u32)p->entries[i].ino != q->ino)
			continue;
		if (netlink_buf_init(&b, 1024) < 0)
			return -ENOBUFS;
		(void)put_unix(&b, &p->entries[i], q->show, 0, rq->head->seq, rq->sock->portid);
		return netlink_answer(rq, &b);
	}
	return -ENOENT;
}

static int diag_request(const struct netlink_request *rq)
{
	if (rq->head->type != SOCK_DIAG_BY_FAMILY && rq->head->type != SOCK_DESTROY)
		return -EINVAL;
	if (rq->len < 2 || rq->body[0] >= LX_AF_MAX)
		return -EINVAL;
	if (rq->head->type == SOCK_DESTROY)
		return -EPERM;
	if (!rq->sock->picture)
		return -ENOMEM;
	switch (rq->body[0]) {
	case LX_AF_INET: case LX_AF_INET6:
		return inet_request(rq);
	case LX_AF_UNIX:
		return unix_request(rq);
	default:
		return -ENOENT;
	}
}

const struct netlink_protocol netlink_diag = { LX_NETLINK_SOCK_DIAG, 32, diag_request };
