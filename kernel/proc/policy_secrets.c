/*
 * policy_secrets.c - the watch over secrets: what a manifest's `secret:` names must not leave by an IP socket as it is.
 *
 * Looked for are, of each secret (a file's content, a variable's value; without the end of the line), BLOCK bytes from every
 * STEP-th on, or all of a shorter one. So SECRET_RUN bytes of it in a row are found wherever they stand in what one call
 * sends. Who recodes a secret, or sends it in shorter pieces, is not seen: this is against reads past a buffer.
 *
 * Invariant: slots is an open table by the first 8 bytes, a quarter full; it does not change after the boot.
 * Locks: none. May sleep. What can fail: memory, secrets that are not there, and what departs: -EACCES.
 */
#include "proc/policy.h"
#include "base/errno.h"
#include "base/link.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/lx_file.h"
#include "fs/vnode.h"
#include "mm/heap.h"

#define BLOCK      16u
#define STEP       8u
#define SECRET_RUN (BLOCK + STEP - 1)
#define SECRET_MIN 8u
#define SECRETS_MAX (16 * KiB)               /* of all together */
#define SLOT_BITS  13u
#define PIECE      (256 * KiB)               /* of a stream that is looked at, and then sent, at once */

struct needle {
	u64 first;
	u8 rest[BLOCK - 8];
	u32 len;                             /* 0: free */
	const char *name;
};
static RO_AFTER_INIT struct needle *slots;

static size_t slot_of(u64 first) { return (size_t)(first * 0x9e3779b97f4a7c15ull >> (64 - SLOT_BITS)); }
static size_t slot_next(size_t i) { return (i + 1) % (1u << SLOT_BITS); }

/* ---- The boot ---- */

static ssize_t file_read(const char *path, u8 *buf)
{
	struct vnode *v;
	struct uio u;
	bool created;
	ssize_t n = fs_open(NULL, path, LX_O_RDONLY | LX_O_NONBLOCK, 0, NAMEI_FOLLOW | NAMEI_UNGUARDED, &v, &created);

	if (n)
		return n;
	uio_init_kernel(&u, buf, SECRETS_MAX);
	n = v->type == VNODE_REG ? fs_read(v, &u, 0, true) : -EINVAL;
	vnode_put(v);
	return n;
}

/* Of a variable, "env:NAME". */
static ssize_t variable_read(const char *name, const char *const *env, u8 *buf)
{
	size_t len = strlen(name += 4);

	for (; *env; env++)
		if (str_has_prefix(*env, name) && (*env)[len] == '=') {
			str_copy((char *)buf, *env + len + 1, SECRETS_MAX);
			return (ssize_t)strlen((char *)buf);
		}
	return -ENOENT;
}

static void needle_add(const u8 *p, size_t len, const char *name)
{
	struct needle n = { .len = (u32)len, .name = name };
	size_t i;

	if (!memcmp(p, p + 1, len - 1))
		return;                      /* all bytes are the same: padding, which says nothing */
	memcpy(&n.first, p, 8);
	memcpy(n.rest, p + 8, len - 8);
	for (i = slot_of(n.first); slots[i].len; i = slot_next(i))
		;
	slots[i] = n;
}

/* Its bytes: how many, or a negative errno. buf has room for SECRETS_MAX. */
static ssize_t secret_add(const char *name, const char *const *env, u8 *buf)
{
	ssize_t n = name[0] == '/' ? file_read(name, buf) : variable_read(name, env, buf);

	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n < (ssize_t)SECRET_MIN)
		return n < 0 ? n : -EINVAL;
	size_t len = MIN((size_t)n, (size_t)BLOCK);
	for (size_t at = 0; at + len < (size_t)n; at += STEP)
		needle_add(buf + at, len, name);
	needle_add(buf + n - len, len, name);
	return n;
}

/* ---- What is sent ---- */

static const struct needle *needle_in(const u8 *p, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i++) {
		u64 first;

		memcpy(&first, p + i, 8);
		for (size_t at = slot_of(first); slots[at].len; at = slot_next(at)) {
			const struct needle *n = &slots[at];
			if (n->first == first && n->len <= len - i && !memcmp(n->rest, p + i + 8, n->len - 8))
				return n;
		}
	}
	return NULL;
}

/* The first secret in the next len bytes. The program may change them until they are sent: it could recode them as well. */
static const struct needle *secret_in(const struct uio *u, size_t len)
{
	struct uio copy = *u;
	u8 buf[512];
	size_t kept = 0, got;

	while (len && (got = uio_get(&copy, buf + kept, MIN(len, sizeof(buf) - kept))) > 0) {
		const struct needle *n = needle_in(buf, kept + got);
		if (n)
			return n;
		len -= got;
		got += kept;
		kept = MIN(got, (size_t)BLOCK - 1);
		memmove(buf, buf + got - kept, kept);
	}
	return NULL;
}

static bool may_leave(struct socket *s, const struct sock_msg *m, size_t len)
{
	const struct needle *n = secret_in(m->uio, len);
	struct sock_addr a = { 0 };
	struct policy_peer p;
	char text[256];
	size_t at = 0;

	if (!n)
		return true;
	if (m->addr)
		a = *m->addr;
	else
		(void)sock_getname(s, true, &a);
	if (policy_peer_of(&a, &p)) {
		p.protocol = s->type == LX_SOCK_STREAM ? LX_IPPROTO_TCP : LX_IPPROTO_UDP;
		policy_peer_show(&p, text, 64);
		at = strlen(text);
	}
	fmt_buf(text + at, sizeof(text) - at, " %s", n->name);
	return policy_depart(POLICY_SECRET, text);
}

/* sock_send_watch */
static ssize_t send_watched(struct socket *s, struct sock_msg *m)
{
	struct uio *u = m->uio;
	size_t done = 0, piece;
	ssize_t n;

	if (s->family != LX_AF_INET && s->family != LX_AF_INET6)
		return s->ops->send(s, m);
	do {
		piece = s->type == LX_SOCK_STREAM ? MIN(u->resid, PIECE) : u->resid;
		if (!may_leave(s, m, MIN(u->resid, piece + SECRET_RUN - 1)))
			return done ? (ssize_t)done : -EACCES;
		size_t rest = u->resid - piece;
		u->resid = piece;
		n = s->ops->send(s, m);
		u->resid += rest;
		done += n > 0 ? (size_t)n : 0;
	} while (n > 0 && (size_t)n == piece && u->resid);
	return done ? (ssize_t)done : n;
}

static int secrets_init(const char *const *env, const char **ret_name)
{
	unsigned n;
	const char *const *names = policy_texts(POLICY_LIST_SECRET, &n);
	ssize_t r = 0, room = SECRETS_MAX - 1;
	u8 *buf;

	if (!n)
		return 0;
	slots = heap_alloc_array(1u << SLOT_BITS, sizeof(*slots));
	buf = heap_alloc(SECRETS_MAX);
	if (!slots || !buf)
		return -ENOMEM;
	for (unsigned i = 0; i < n && r >= 0; i++) {
		*ret_name = names[i];
		r = secret_add(names[i], env, buf);
		room -= MAX(r, 16);
		if (room < 0)
			r = -E2BIG;
	}
	heap_free(buf);
	sock_send_watch = send_watched;
	return r < 0 ? (int)r : 0;
}
static const policy_secrets_fn pick_sends LINK_PICK(secrets, sends) = secrets_init;
