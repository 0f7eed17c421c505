/* net_unix_test.c - AF_UNIX: names, streams, datagrams, sequenced packets, descriptors on the way. */
#include "net_util.h"

/* A small file system of socket nodes. */
static struct node {
	char path[40];
	int refs;
} nodes[8];

static int fs_find(const char *path, void **ret, bool create)
{
	for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
		if (strcmp(nodes[i].path, path) == 0) {
			if (create)
				return -EADDRINUSE;
			nodes[i].refs++;
			*ret = &nodes[i];
			return 0;
		}
	for (unsigned i = 0; create && i < ARRAY_SIZE(nodes); i++)
		if (!nodes[i].path[0]) {
			str_copy(nodes[i].path, path, sizeof nodes[i].path);
			nodes[i].refs = 1;
			*ret = &nodes[i];
			return 0;
		}
	return -ENOENT;
}
static int fs_create(const char *path, void **ret) { return fs_find(path, ret, true); }
static int fs_lookup(const char *path, void **ret) { return fs_find(path, ret, false); }
static void fs_put(void *n) { ((struct node *)n)->refs--; }
static const struct unix_fs_ops fs_ops = { fs_create, fs_lookup, fs_put };

static int setup(void **state)
{
	host_sched_start();
	unix_fs_ops = &fs_ops;
	return 0;
}

static struct sock_addr un(const char *path, size_t len)
{
	struct sock_addr a = { .len = (u32)(2 + len) };

	a.family = LX_AF_UNIX;
	memcpy(a.bytes + 2, path, len);
	return a;
}

static void pair_of(int type, struct socket **a, struct socket **b)
{
	assert_int_equal(sock_pair(LX_AF_UNIX, type, 0, a, b), 0);
}

static void stream_pair(void **state)
{
	struct socket *a, *b;
	char buf[100];

	pair_of(LX_SOCK_STREAM, &a, &b);
	assert_int_equal(poll_mask(a), POLL_OUT | POLL_WRNORM | POLL_WRBAND);
	assert_int_equal(send_flags(a, "hello ", 6, 0), 6);
	assert_int_equal(send_flags(a, "world", 5, 0), 5);
	assert_int_equal(sock_pending(b, false), 11);
	assert_int_equal(recv_flags(b, buf, sizeof buf, LX_MSG_PEEK), 11);
	assert_int_equal(recv_flags(b, buf, 8, 0), 8);
	assert_int_equal(recv_flags(b, buf + 8, sizeof buf, 0), 3);
	assert_memory_equal(buf, "hello world", 11);
	assert_int_equal(recv_flags(b, buf, 1, LX_MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(sock_shutdown(a, LX_SHUT_WR), 0);
	assert_int_equal(recv_flags(b, buf, 1, 0), 0);
	assert_int_equal(poll_mask(b) & (POLL_RDHUP | POLL_HUP | POLL_IN), POLL_RDHUP | POLL_IN);
	assert_int_equal(send_flags(a, "x", 1, 0), -EPIPE);
	assert_int_equal(send_flags(b, "y", 1, 0), 1);
	sock_close(a);                       /* unread: the other hears of it */
	assert_int_equal(recv_flags(b, buf, 1, 0), -ECONNRESET);
	assert_int_equal(send_flags(b, "y", 1, 0), -EPIPE);
	assert_true(poll_mask(b) & POLL_HUP);
	sock_close(b);
}

static void writer(void *arg)
{
	static u8 data[1000000];

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (u8)(i * 7 + (i >> 8));
	assert_int_equal(send_flags(arg, data, sizeof data, 0), sizeof data);
	sock_close(arg);
}

static void stream_bulk(void **state)
{
	struct socket *a, *b;
	static u8 buf[50000];
	size_t total = 0;
	ssize_t n;

	pair_of(LX_SOCK_STREAM, &a, &b);
	assert_int_equal(thread_spawn("writer", writer, a), 0);
	while ((n = recv_flags(b, buf, 1 + random_below(sizeof buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			assert_int_equal(buf[i], (u8)(total * 7 + (total >> 8)));
	assert_int_equal(total, 1000000);
	sock_close(b);
}

static void full_and_writable(void **state)
{
	struct socket *a, *b;
	static u8 buf[300000];
	ssize_t n, k = 0;

	pair_of(LX_SOCK_STREAM, &a, &b);
	n = send_flags(a, buf, sizeof buf, LX_MSG_DONTWAIT);
	assert_in_range(n, 100000, 299999);
	assert_int_equal(send_flags(a, buf, 100000, LX_MSG_DONTWAIT) > 50000, 0);
	assert_false(poll_mask(a) & POLL_OUT);
	while (k < n)
		k += recv_flags(b, buf, sizeof buf, 0);
	assert_true(poll_mask(a) & POLL_OUT);
	sock_close(a);
	sock_close(b);
}

static void names(void **state)
{
	struct socket *l = new_socket(LX_AF_UNIX, LX_SOCK_STREAM), *c = new_socket(LX_AF_UNIX, LX_SOCK_STREAM), *s, *d;
	struct sock_addr p = un("/run/x.sock", 12), q = un("/none", 6), abs = un("\0abc", 4), a;

	assert_int_equal(sock_listen(l, 1), -EINVAL);
	assert_int_equal(sock_getname(l, false, &a), 0);
	assert_int_equal(a.len, 2);
	assert_int_equal(sock_bind(l, &p), 0);
	assert_int_equal(sock_bind(l, &p), -EADDRINUSE);
	assert_int_equal(sock_getname(l, false, &a), 0);
	assert_int_equal(a.len, 14);
	assert_int_equal(sock_connect(c, &q, false), -ENOENT);
	assert_int_equal(sock_connect(c, &p, false), -ECONNREFUSED);
	assert_int_equal(sock_listen(l, 0), 0);
	assert_int_equal(poll_mask(c) & POLL_HUP, POLL_HUP);
	assert_int_equal(sock_connect(c, &p, false), 0);
	assert_int_equal(sock_connect(c, &p, true), -EAGAIN);   /* Linux looks at the queue first */
	assert_int_equal(send_flags(c, "early", 5, 0), 5);
	d = new_socket(LX_AF_UNIX, LX_SOCK_STREAM);
	assert_int_equal(sock_connect(d, &p, true), -EAGAIN);   /* the queue holds one */
	assert_int_equal(sock_accept(l, true, &s), 0);
	char b[8];
	assert_int_equal(recv_flags(s, b, sizeof b, 0), 5);
	assert_int_equal(sock_getname(c, true, &a), 0);
	assert_int_equal(a.len, 14);
	assert_int_equal(sock_getname(s, false, &a), 0);
	assert_int_equal(a.len, 14);
	assert_int_equal(sock_accept(l, true, &s), -EAGAIN);
	sock_close(s);
	sock_close(l);
	assert_int_equal(nodes[0].refs, 0);
	assert_int_equal(sock_connect(d, &p, false), -ECONNREFUSED);
	l = new_socket(LX_AF_UNIX, LX_SOCK_STREAM);
	assert_int_equal(sock_bind(l, &p), -EADDRINUSE);        /* the node is still there */
	assert_int_equal(sock_bind(l, &abs), 0);
	assert_int_equal(sock_bind(d, &abs), -EADDRINUSE);
	sock_close(l);
	sock_close(d);
	sock_close(c);
	l = new_socket(LX_AF_UNIX, LX_SOCK_DGRAM);
	a = un("", 0);
	assert_int_equal(sock_bind(l, &a), 0);                  /* autobind */
	assert_int_equal(sock_getname(l, false, &a), 0);
	assert_int_equal(a.len, 8);
	c = new_socket(LX_AF_UNIX, LX_SOCK_STREAM);
	assert_int_equal(sock_connect(c, &a, false), -ECONNREFUSED);
	sock_close(c);
	sock_close(l);
}

static void datagrams(void **state)
{
	struct socket *a = new_socket(LX_AF_UNIX, LX_SOCK_DGRAM), *b = new_socket(LX_AF_UNIX, LX_SOCK_DGRAM), *c;
	struct sock_addr na = un("\0a", 2), nb = un("\0b", 2), from;
	char buf[100];
	u32 flags;

	assert_int_equal(sock_bind(a, &na), 0);
	assert_int_equal(sock_bind(b, &nb), 0);
	assert_int_equal(send_flags(a, "x", 1, 0), -ENOTCONN);
	assert_int_equal(send_to(a, "one", 3, nb), 3);
	assert_int_equal(send_to(a, "two!", 4, nb), 4);
	assert_int_equal(recv_from(b, buf, 2, &from, 0, &flags), 2);
	assert_int_equal(flags, LX_MSG_TRUNC);
	assert_int_equal(from.len, 4);
	assert_memory_equal(from.bytes, na.bytes, 4);
	assert_int_equal(recv_from(b, buf, 100, NULL, LX_MSG_PEEK | LX_MSG_TRUNC, NULL), 4);
	assert_int_equal(recv_from(b, buf, 100, NULL, 0, NULL), 4);
	int n = 0;
	while (n < 100 && sock_connect(a, &nb, false) == 0 && send_flags(a, "q", 1, LX_MSG_DONTWAIT) == 1)
		n++;
	assert_int_equal(n, 11);
	assert_false(poll_mask(a) & POLL_OUT);
	for (int i = 0; i < 11; i++)
		assert_int_equal(recv_flags(b, buf, 1, 0), 1);
	assert_int_equal(sock_connect(b, &na, false), 0);
	c = new_socket(LX_AF_UNIX, LX_SOCK_DGRAM);
	assert_int_equal(send_to(c, "x", 1, na), -EPERM);       /* a talks to b only */
	sock_close(b);
	assert_int_equal(send_flags(a, "x", 1, 0), -ECONNREFUSED);
	assert_int_equal(send_flags(a, "x", 1, 0), -ENOTCONN);
	sock_close(a);
	sock_close(c);
}

static void seqpacket(void **state)
{
	struct socket *a, *b;
	char buf[10];
	u32 flags;

	pair_of(LX_SOCK_SEQPACKET, &a, &b);
	assert_int_equal(send_flags(a, "abc", 3, 0), 3);
	assert_int_equal(send_flags(a, "defgh", 5, 0), 5);
	assert_int_equal(recv_from(b, buf, 10, NULL, 0, &flags), 3);
	assert_int_equal(recv_from(b, buf, 2, NULL, 0, &flags), 2);
	assert_int_equal(flags, LX_MSG_TRUNC);
	sock_close(a);
	assert_int_equal(recv_flags(b, buf, 10, 0), 0);
	sock_close(b);
}

/* ---- Descriptors ---- */

static int live;
static struct socket *carried;
static void file_release(void *f)
{
	live--;
	if (f == (void *)&carried)
		sock_close(carried);
}

static ssize_t send_rights(struct socket *s, const char *data, size_t len, void *file, unsigned count)
{
	struct uio u;
	static struct sock_rights r;
	struct sock_msg m = { .uio = &u, .rights = &r, .nonblock = true };

	r.count = count;
	for (unsigned i = 0; i < count; i++)
		r.files[i] = file;
	r.release = file_release;
	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	ssize_t n = sock_send(s, &m);
	if (n >= 0)
		assert_int_equal(r.count, 0);
	else
		assert_int_equal(r.count, count);
	return n;
}

static ssize_t recv_rights(struct socket *s, char *data, size_t len, struct sock_rights *r, u32 *ret_flags)
{
	struct uio u;
	struct sock_msg m = { .uio = &u, .rights = r };

	uio_init_kernel(&u, data, len);
	ssize_t n = sock_recv(s, &m);
	*ret_flags = m.ret_flags;
	return n;
}

static void rights(void **state)
{
	struct socket *a, *b;
	static struct sock_rights r;
	char buf[20];
	u32 flags;
	int file;

	pair_of(LX_SOCK_STREAM, &a, &b);
	live = 3;
	assert_int_equal(send_flags(a, "plain", 5, 0), 5);
	assert_int_equal(send_rights(a, "with", 4, &file, 2), 4);
	assert_int_equal(send_flags(a, "after", 5, 0), 5);
	assert_int_equal(recv_rights(b, buf, 20, &r, &flags), 9);       /* stops after */
	assert_int_equal(r.count, 2);
	assert_ptr_equal(r.files[1], &file);
	assert_int_equal(recv_rights(b, buf, 20, &r, &flags), 5);
	assert_int_equal(live, 3);
	/* nobody asks for them, or nobody reads them: released */
	assert_int_equal(send_rights(a, "x", 1, &file, 1), 1);
	assert_int_equal(recv_rights(b, buf, 20, NULL, &flags), 1);
	assert_int_equal(flags, LX_MSG_CTRUNC);
	assert_int_equal(live, 2);
	assert_int_equal(send_rights(a, "x", 1, &file, 2), 1);
	sock_close(b);
	assert_int_equal(live, 0);
	sock_close(a);
}

/* A socket that carries a socket that carries ...: closing it does not recurse. */
static void deep_nesting(void **state)
{
	struct socket *a, *b;
	int file;

	pair_of(LX_SOCK_DGRAM, &a, &b);
	live = 1;
	assert_int_equal(send_rights(a, "x", 1, &file, 1), 1);
	carried = b;
	sock_close(a);
	pair_of(LX_SOCK_DGRAM, &a, &b);
	live++;
	assert_int_equal(send_rights(a, "x", 1, &carried, 1), 1);
	sock_close(a);
	sock_close(b);
	assert_int_equal(live, 0);
	/* and there is a bound on what is on the way */
	pair_of(LX_SOCK_STREAM, &a, &b);
	live = 0;
	unsigned sent = 0;
	while (send_rights(a, "x", 1, &file, 250) == 1)
		sent += 250;
	assert_in_range(sent, 1000, 4096);
	live = (int)sent;
	sock_close(a);
	sock_close(b);
	assert_int_equal(live, 0);
}

static void credentials(void **state)
{
	struct socket *a, *b;
	struct lx_ucred c;
	u32 len = sizeof c;

	pair_of(LX_SOCK_STREAM, &a, &b);
	assert_int_equal(sock_getsockopt(a, LX_SOL_SOCKET, LX_SO_PEERCRED, &c, &len), 0);
	assert_int_equal(c.pid, sock_identity.pid);
	assert_int_equal(c.uid, sock_identity.uid);
	sock_close(a);
	sock_close(b);
	a = new_socket(LX_AF_UNIX, LX_SOCK_STREAM);
	assert_int_equal(sock_getsockopt(a, LX_SOL_SOCKET, LX_SO_PEERCRED, &c, &len), 0);
	assert_int_equal(c.uid, UINT32_MAX);
	assert_int_equal(set_int(a, LX_SOL_TCP, LX_TCP_NODELAY, 1), -EOPNOTSUPP);
	sock_close(a);
}

static void failing_memory(void **state)
{
	for (unsigned nth = 1; nth < 40; nth++) {
		struct socket *a = NULL, *b = NULL, *l = NULL;
		struct sock_addr n = un("\0nth", 4);
		int file;
		heap_fail_nth(nth);
		if (sock_pair(LX_AF_UNIX, LX_SOCK_STREAM, 0, &a, &b) == 0) {
			char buf[10];
			live = 1;
			if (send_rights(a, "hello", 5, &file, 1) == 5) {
				assert_int_equal(recv_flags(b, buf, 10, LX_MSG_DONTWAIT), 5);
				assert_int_equal(live, 0);
			}
			sock_close(b);
			sock_close(a);
		}
		if (sock_create(LX_AF_UNIX, LX_SOCK_STREAM, 0, &l) == 0) {
			if (sock_bind(l, &n) == 0 && sock_listen(l, 1) == 0 && sock_create(LX_AF_UNIX, LX_SOCK_STREAM, 0, &a) == 0) {
				(void)sock_connect(a, &n, true);
				sock_close(a);
			}
			sock_close(l);
		}
		heap_fail_nth(0);
	}
}

/* Files as the room above has them: a socket and a count. */
struct fake_file {
	struct socket *sock;
	u32 refs;
};
static unsigned files_released;
static void fake_release(void *p)
{
	struct fake_file *f = p;

	if (--f->refs == 0) {
		files_released++;
		if (f->sock)
			sock_close(f->sock);
	}
}
static void fake_get(void *p) { ((struct fake_file *)p)->refs++; }
static struct socket *fake_socket(void *p, u32 *ret_refs)
{
	*ret_refs = ((struct fake_file *)p)->refs;
	return ((struct fake_file *)p)->sock;
}
static void carry(struct socket *in, struct fake_file *f)
{
	static struct sock_rights r;
	struct uio u;
	struct sock_msg m = { .uio = &u, .rights = &r, .nonblock = true };

	r = (struct sock_rights){ .count = 1, .files = { f }, .release = fake_release, .get = fake_get, .socket = fake_socket };
	f->refs++;
	uio_init_kernel(&u, (void *)(uintptr_t)"x", 1);
	assert_int_equal(sock_send(in, &m), 1);
	assert_int_equal(r.count, 0);
}
/* close(2) of the last descriptor. */
static void fake_close(struct fake_file *f)
{
	if (f->refs > 1)
		sock_descriptor_closed(f->sock);
	fake_release(f);
}

/* Rings of sockets that carry each other, of several sizes, with something to lose; one of them is held for a while. */
static void circles(void **state)
{
	for (unsigned n = 1; n <= 64; n *= 4) {
		static struct fake_file ends[64][2];
		static struct fake_file lost;
		files_released = 0;
		lost = (struct fake_file){ NULL, 1 };
		for (unsigned i = 0; i < n; i++) {
			pair_of(i & 1 ? LX_SOCK_STREAM : LX_SOCK_SEQPACKET, &ends[i][0].sock, &ends[i][1].sock);
			ends[i][0].refs = ends[i][1].refs = 1;
		}
		for (unsigned i = 0; i < n; i++)
			carry(ends[i][0].sock, &ends[(i + 1) % n][1]);
		carry(ends[n / 2][0].sock, &lost);
		fake_release(&lost);
		for (unsigned i = 0; i < n; i++)
			fake_close(&ends[i][0]);
		assert_int_equal(files_released, n);
		for (unsigned i = 1; i < n; i++)
			fake_close(&ends[i][1]);
		assert_int_equal(files_released, n);     /* the first is still held, and all can be read from it */
		fake_close(&ends[0][1]);
		assert_int_equal(files_released, 2 * n + 1);
	}
}

/* What is peeked at is a second reference. */
static void peeked(void **state)
{
	struct fake_file end[2] = { { NULL, 1 }, { NULL, 1 } }, f = { NULL, 1 };
	static struct sock_rights r;
	char buf[10];
	struct uio u;
	struct sock_msg m = { .uio = &u, .rights = &r, .flags = LX_MSG_PEEK };

	pair_of(LX_SOCK_STREAM, &end[0].sock, &end[1].sock);
	carry(end[0].sock, &f);
	uio_init_kernel(&u, buf, sizeof(buf));
	assert_int_equal(sock_recv(end[1].sock, &m), 1);
	assert_int_equal(r.count, 1);
	assert_int_equal(f.refs, 3);
	fake_release(r.files[0]);
	fake_close(&end[0]);
	fake_close(&end[1]);
	assert_int_equal(f.refs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_pair), cmocka_unit_test(stream_bulk), cmocka_unit_test(full_and_writable), cmocka_unit_test(names),
		cmocka_unit_test(datagrams), cmocka_unit_test(seqpacket), cmocka_unit_test(rights), cmocka_unit_test(deep_nesting),
		cmocka_unit_test(credentials), cmocka_unit_test(failing_memory), cmocka_unit_test(circles), cmocka_unit_test(peeked),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
