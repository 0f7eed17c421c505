/*
 * policy_sockets.c - the watch over sockets: what net/ asks before it makes, binds or connects one for the program. Linked with sockets.
 *
 * Invariant: heard holds whom sockets heard of; a newer one may push an older one out.
 * Locks: heard_lock (spinlock). What can fail: memory (-ENOMEM), and what departs: -EACCES.
 */
#include "proc/policy.h"
#include "base/errno.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"
#include "net/socket.h"

#define HEARD_SLOTS 512u
#define EPHEMERAL_LOW 32768u                 /* /proc/sys/net/ipv4/ip_local_port_range */

struct heard {
	u64 ino;                             /* of the socket; 0: free */
	u8 addr[16];
	u16 port;
};
static struct spinlock heard_lock = SPINLOCK_INIT;
static struct heard *heard;                  /* heard_lock */

static bool is_inet(const struct socket *s) { return s->family == LX_AF_INET || s->family == LX_AF_INET6; }
static u8 protocol_of(const struct socket *s) { return s->type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP; }

static struct heard *heard_slot(const struct socket *s, const struct policy_peer *p)
{
	u64 h = s->ino * 0x9e3779b97f4a7c15ull + p->port;

	for (unsigned i = 0; i < 16; i++)
		h = (h ^ p->addr[i]) * 0x100000001b3ull;
	return &heard[(h >> 32) % HEARD_SLOTS];
}

static void guard_heard(struct socket *s, const struct sock_addr *a)
{
	struct policy_peer p;

	if (!heard || !is_inet(s) || s->type != LX_SOCK_DGRAM || !policy_peer_of(a, &p))
		return;
	spin_lock(&heard_lock);
	struct heard *h = heard_slot(s, &p);
	h->ino = s->ino;
	memcpy(h->addr, p.addr, 16);
	h->port = p.port;
	spin_unlock(&heard_lock);
}

static bool has_heard(struct socket *s, const struct policy_peer *p)
{
	spin_lock(&heard_lock);
	struct heard *h = heard_slot(s, p);
	bool yes = h->ino == s->ino && h->port == p->port && !memcmp(h->addr, p->addr, 16);
	spin_unlock(&heard_lock);
	return yes;
}

static int guard_create(int family, int type, int protocol)
{
	unsigned second = (unsigned)(family == LX_AF_NETLINK ? protocol : type), n;
	const char *const *texts = policy_texts(POLICY_LIST_SOCKETS, &n);
	char text[24];

	fmt_buf(text, sizeof(text), "%u/%u", (unsigned)family, second);
	if (policy_learning)
		(void)policy_learn(POLICY_LIST_SOCKETS, text);
	if (!policy_given(POLICY_LIST_SOCKETS))
		return 0;
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(texts[i], text))
			return 0;
	return policy_depart(POLICY_SOCKET, text) ? 0 : -EACCES;
}

static bool port_declared(const char *text)
{
	unsigned n;
	const char *const *texts = policy_texts(POLICY_LIST_LISTEN, &n);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(texts[i], text))
			return true;
	return false;
}

static void port_text(const struct socket *s, unsigned port, char text[16])
{
	fmt_buf(text, 16, "%s/%u", s->type == LX_SOCK_STREAM ? "tcp" : "udp", port);
}

/* May s listen on a port, 0: one that the kernel is to choose? */
static int port_check(struct socket *s, unsigned port)
{
	char text[16];

	port_text(s, port, text);
	if (policy_learning)
		(void)policy_learn(POLICY_LIST_LISTEN, text);
	if (!policy_given(POLICY_LIST_LISTEN) || port_declared(text))
		return 0;
	return policy_depart(POLICY_LISTEN, text) ? 0 : -EACCES;
}

static int guard_bind(struct socket *s, const struct sock_addr *a)
{
	struct policy_peer p;

	return is_inet(s) && policy_peer_of(a, &p) && p.port ? port_check(s, p.port) : 0;
}

static unsigned local_port(struct socket *s)
{
	struct sock_addr a = { 0 };

	return sock_getname(s, false, &a) || a.len < 4 ? 0 : (unsigned)(a.bytes[2] << 8 | a.bytes[3]);
}

/* A port that bind named was judged there; one that the kernel chose is port 0 to the rules. */
static int guard_listen(struct socket *s)
{
	char text[16];
	unsigned port;

	if (!is_inet(s) || s->type != LX_SOCK_STREAM)
		return 0;
	port = local_port(s);
	port_text(s, port, text);
	if (port < EPHEMERAL_LOW || port_declared(text))
		return port_check(s, port);
	return port_check(s, 0);
}

/* A datagram to one whom a socket with a declared port heard of is an answer. */
static bool is_answer(struct socket *s, const struct policy_peer *p)
{
	char text[16];

	if (!has_heard(s, p))
		return false;
	port_text(s, local_port(s), text);
	return policy_learning || !policy_given(POLICY_LIST_LISTEN) || port_declared(text);
}

static int guard_peer(struct socket *s, const struct sock_addr *a, bool send)
{
	unsigned n;
	const struct policy_peer *rules = policy_peers(&n);
	struct policy_peer p;
	char text[64];

	if (!heard || !is_inet(s) || (a->family == 0 && !send) || !policy_peer_of(a, &p))
		return 0;
	p.protocol = protocol_of(s);
	for (unsigned i = 0; i < n; i++)
		if (policy_peer_fits(&rules[i], &p))
			return 0;
	if (send && s->type == LX_SOCK_DGRAM && is_answer(s, &p))
		return 0;
	policy_peer_show(&p, text, sizeof(text));
	if (policy_learning)
		(void)policy_learn(POLICY_LIST_CONNECT, text);
	return !policy_given(POLICY_LIST_CONNECT) || policy_depart(POLICY_CONNECT, text) ? 0 : -EACCES;
}

static const struct sock_guard socket_guard = {
	.create = guard_create, .bind = guard_bind, .listen = guard_listen, .peer = guard_peer, .heard = guard_heard,
};

static int policy_sockets_init(void)
{
	if (policy_learning || policy_given(POLICY_LIST_CONNECT)) {
		heard = heap_alloc_array(HEARD_SLOTS, sizeof(*heard));
		if (!heard)
			return -ENOMEM;
	}
	sock_guard = &socket_guard;
	return 0;
}
static const policy_guard_fn pick_sockets LINK_PICK(guard, sockets) = policy_sockets_init;
