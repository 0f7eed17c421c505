/*
 * policy_guard.c - the watch over files and sockets: what fs/ and net/ ask before they do something for the program.
 *
 * Invariants: 1. A file is judged by the path of what was found, not by what was written: links, /proc/self/fd and the like
 * lead to the same answer. What has no name (any more) is the program's own and not judged. 2. A vnode that was allowed
 * is marked and not judged again: it stays the same file whatever its name becomes, and giving it a name is judged
 * as writing. Departures are not marked. 3. heard holds whom sockets heard of; a newer one may push an older one out.
 *
 * Locks: heard_lock (spinlock). May sleep. What can fail: memory (-ENOMEM), and what departs: -EACCES.
 */
#include "proc/policy.h"
#include "proc/file.h"
#include "base/errno.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/vnode.h"
#include "mm/heap.h"

enum { MAY_READ = 1, MAY_WRITE = 2 };

/* ---- Files ---- */

static bool any_fits(enum policy_list list, const char *path)
{
	unsigned n;
	const char *const *texts = policy_texts(list, &n);

	for (unsigned i = 0; i < n; i++)
		if (policy_path_fits(texts[i], path))
			return true;
	return false;
}

static bool path_allowed(const char *path, bool device, bool write)
{
	enum policy_list list = write ? POLICY_LIST_WRITE : POLICY_LIST_READ;

	if (policy_learning) {
		(void)policy_learn(device ? POLICY_LIST_DEVICES : list, path);
		return true;
	}
	if (any_fits(POLICY_LIST_CANARY, path))
		return policy_depart(POLICY_CANARY, path);
	if (device)
		return !policy_given(POLICY_LIST_DEVICES) || any_fits(POLICY_LIST_DEVICES, path) || policy_depart(POLICY_DEVICE, path);
	return !policy_given(list) || any_fits(POLICY_LIST_WRITE, path) || (!write && any_fits(POLICY_LIST_READ, path)) ||
	       policy_depart(POLICY_FILE, path);
}

/* The path of v. -ENOENT: it is the program's own and has no name. */
static int path_find(struct vnode *v, char *path)
{
	struct vattr a;

	if (fs_path_show(v, path, FS_PATH_MAX) < 0) {    /* found without a name, or the name is forgotten */
		if (!fs_getattr(v, &a) && !a.nlink)
			return -ENOENT;
		str_copy(path, "?", FS_PATH_MAX);
		return 0;
	}
	return fs_path_of(v, path, FS_PATH_MAX) < 0 ? -ENOENT : 0;
}

static int guard_file(struct vnode *v, bool write)
{
	u8 mark = write ? MAY_READ | MAY_WRITE : MAY_READ;
	char *path = heap_alloc(FS_PATH_MAX);
	int r;

	if (!path)
		return -ENOMEM;
	r = path_find(v, path);
	if (r == -ENOENT || (policy_learning && write && v->mount->readonly))
		r = 0;                           /* nothing is written there: not worth learning */
	else if (!path_allowed(path, v->type == VNODE_CHR, write))
		r = -EACCES;
	else
		__atomic_fetch_or(&v->guarded, mark, __ATOMIC_RELAXED);
	heap_free(path);
	return r;
}

static int guard_open(struct vnode *v, bool write)
{
	return READ_ONCE(v->guarded) & (write ? MAY_WRITE : MAY_READ) ? 0 : guard_file(v, write);
}

static int guard_name(struct vnode *dir, const char *name, size_t len)
{
	char *path = heap_alloc(FS_PATH_MAX + FS_NAME_MAX + 2);
	ssize_t n;
	int r = 0;

	if (!path)
		return -ENOMEM;
	n = fs_path_of(dir, path, FS_PATH_MAX);
	if (n >= 0 && !(policy_learning && dir->mount->readonly)) {
		if (n > 1)
			path[n++] = '/';
		memcpy(path + n, name, len);
		path[(size_t)n + len] = 0;
		r = path_allowed(path, false, true) ? 0 : -EACCES;
	}
	heap_free(path);
	return r;
}

static const struct fs_guard file_guard = { .open = guard_open, .name = guard_name };

/* ---- Sockets ---- */

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

int policy_guards_init(bool files, bool sockets)
{
	if (files)
		fs_guard = &file_guard;
	if (!sockets)
		return 0;
	if (policy_learning || policy_given(POLICY_LIST_CONNECT)) {
		heard = heap_alloc_array(HEARD_SLOTS, sizeof(*heard));
		if (!heard)
			return -ENOMEM;
	}
	sock_guard = &socket_guard;
	return 0;
}
