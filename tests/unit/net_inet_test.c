/* net_inet_test.c - TCP and UDP sockets over the loopback: the calls' results as Linux gives them. */
#include "net_util.h"

static int setup(void **state)
{
	static const struct net_config none = { .mode = NET_NONE };

	host_sched_start();
	return net_init(&none);
}

static void connect_accept_talk(void **state)
{
	struct socket *c, *s;
	char b[64];
	struct sock_addr a, p;

	tcp_pair(LOOPBACK, &c, &s);
	assert_int_equal(sock_getname(c, false, &a), 0);
	assert_int_equal(sock_getname(s, true, &p), 0);
	assert_int_equal(port_of(&a), port_of(&p));
	assert_int_equal(host_of(&p), LOOPBACK);
	assert_int_equal(send_flags(c, "hello", 5, 0), 5);
	assert_int_equal(sock_pending(s, false), 5);
	assert_int_equal(recv_flags(s, b, sizeof b, LX_MSG_PEEK), 5);
	assert_int_equal(recv_flags(s, b, 2, 0), 2);
	assert_int_equal(recv_flags(s, b + 2, sizeof b - 2, 0), 3);
	assert_memory_equal(b, "hello", 5);
	assert_int_equal(recv_flags(s, b, 1, LX_MSG_DONTWAIT), -EAGAIN);
	sock_close(c);
	assert_int_equal(recv_flags(s, b, 1, 0), 0);
	assert_int_equal(recv_flags(s, b, 1, 0), 0);
	sock_close(s);
}

static void bulk_sender(void *arg)
{
	struct socket *s = arg;
	u8 *data = malloc(3000000);

	for (unsigned i = 0; i < 3000000; i++)
		data[i] = (u8)(i * 2654435761u >> 24);
	assert_int_equal(send_flags(s, data, 3000000, 0), 3000000);
	assert_int_equal(sock_shutdown(s, LX_SHUT_WR), 0);
	free(data);
}

static void bulk_is_intact(void **state)
{
	struct socket *c, *s;
	static u8 buf[70000];
	size_t total = 0;
	ssize_t n;

	tcp_pair(LOOPBACK, &c, &s);
	assert_int_equal(thread_spawn("bulk", bulk_sender, c), 0);
	while ((n = recv_flags(s, buf, 1 + random_below(sizeof buf), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			if (buf[i] != (u8)((u32)total * 2654435761u >> 24))
				fail_msg("byte %zu differs", total);
	assert_int_equal(n, 0);
	assert_int_equal(total, 3000000);
	sock_close(s);
	sock_close(c);
	let_run(100);
}

static void small_writes_and_waitall(void **state)
{
	struct socket *c, *s;
	char out[1000], in[1000];

	tcp_pair(LOOPBACK, &c, &s);
	for (int i = 0; i < 1000; i++) {
		out[i] = (char)i;
		assert_int_equal(send_flags(c, out + i, 1, i % 7 ? LX_MSG_MORE : 0), 1);
	}
	assert_int_equal(recv_flags(s, in, 1000, LX_MSG_WAITALL), 1000);
	assert_memory_equal(in, out, 1000);
	/* corked data does not wait for ever */
	set_int(c, LX_SOL_TCP, LX_TCP_CORK, 1);
	assert_int_equal(send_flags(c, "corked", 6, 0), 6);
	let_run(20);
	assert_int_equal(recv_flags(s, in, 10, LX_MSG_DONTWAIT), -EAGAIN);
	let_run(400);
	assert_int_equal(recv_flags(s, in, 10, LX_MSG_DONTWAIT), 6);
	set_int(c, LX_SOL_TCP, LX_TCP_CORK, 0);
	/* MSG_TRUNC throws away. */
	assert_int_equal(send_flags(c, out, 100, 0), 100);
	assert_int_equal(recv_flags(s, NULL, 60, LX_MSG_TRUNC), 60);
	assert_int_equal(recv_flags(s, in, 100, 0), 40);
	assert_memory_equal(in, out + 60, 40);
	sock_close(c);
	sock_close(s);
}

static void refused_and_errors(void **state)
{
	struct socket *c = new_socket(LX_AF_INET, LX_SOCK_STREAM), *l;
	struct sock_addr a = in_addr(LOOPBACK, 9), b;
	char x;
	unsigned port;

	assert_int_equal(poll_mask(c), POLL_OUT | POLL_WRNORM | POLL_HUP);
	assert_int_equal(send_flags(c, "x", 1, 0), -EPIPE);
	assert_int_equal(recv_flags(c, &x, 1, 0), -ENOTCONN);
	assert_int_equal(sock_shutdown(c, LX_SHUT_RDWR), -ENOTCONN);
	assert_int_equal(sock_getname(c, true, &b), -ENOTCONN);
	assert_int_equal(sock_accept(c, true, &l), -EINVAL);
	assert_int_equal(sock_connect(c, &a, false), -ECONNREFUSED);
	assert_int_equal(get_int(c, LX_SOL_SOCKET, LX_SO_ERROR), 0);
	/* again, non-blocking: the loopback answers at once, and the error is kept */
	assert_int_equal(sock_connect(c, &a, true), -EINPROGRESS);
	assert_true(poll_mask(c) & POLL_ERR);
	assert_int_equal(get_int(c, LX_SOL_SOCKET, LX_SO_ERROR), ECONNREFUSED);
	assert_int_equal(sock_connect(c, &a, false), -ECONNABORTED);
	/* and it can still be used */
	l = listener(LOOPBACK, 0, &port);
	a = in_addr(LOOPBACK, port);
	assert_int_equal(sock_connect(c, &a, false), 0);
	assert_int_equal(sock_connect(c, &a, false), -EISCONN);
	assert_int_equal(sock_listen(c, 1), -EINVAL);
	sock_close(c);
	sock_close(l);
	a.len = 3;
	c = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	assert_int_equal(sock_connect(c, &a, false), -EINVAL);
	a = in_addr(0x0100a8c0, 80);         /* nothing but the loopback here */
	assert_int_equal(sock_connect(c, &a, false), -ENETUNREACH);
	a.family = LX_AF_INET6;
	assert_int_equal(sock_connect(c, &a, false), -EAFNOSUPPORT);
	sock_close(c);
}

static void binding(void **state)
{
	struct socket *a = new_socket(LX_AF_INET, LX_SOCK_STREAM), *b = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	struct sock_addr any = in_addr(0, 8081), lo = in_addr(LOOPBACK, 8081), other = in_addr(0x01010101, 8081);

	assert_int_equal(sock_bind(a, &other), -EADDRNOTAVAIL);
	assert_int_equal(sock_bind(a, &any), 0);
	assert_int_equal(sock_bind(a, &any), -EINVAL);
	assert_int_equal(sock_bind(b, &lo), -EADDRINUSE);
	set_int(a, LX_SOL_SOCKET, LX_SO_REUSEADDR, 1);
	assert_int_equal(sock_bind(b, &lo), -EADDRINUSE);
	set_int(b, LX_SOL_SOCKET, LX_SO_REUSEADDR, 1);
	assert_int_equal(sock_bind(b, &lo), 0);
	assert_int_equal(sock_listen(a, 5), 0);
	sock_close(b);
	b = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	set_int(b, LX_SOL_SOCKET, LX_SO_REUSEADDR, 1);
	assert_int_equal(sock_bind(b, &lo), -EADDRINUSE);
	sock_close(a);
	assert_int_equal(sock_bind(b, &lo), 0);
	sock_close(b);
}

static void half_close_and_reset(void **state)
{
	struct socket *c, *s;
	char b[16];

	tcp_pair(LOOPBACK, &c, &s);
	assert_int_equal(sock_shutdown(c, LX_SHUT_WR), 0);
	assert_int_equal(send_flags(c, "x", 1, 0), -EPIPE);
	assert_int_equal(recv_flags(s, b, 1, 0), 0);
	assert_int_equal(poll_mask(s), POLL_IN | POLL_RDNORM | POLL_RDHUP | POLL_OUT | POLL_WRNORM);
	assert_int_equal(send_flags(s, "bye", 3, 0), 3);
	assert_int_equal(recv_flags(c, b, sizeof b, 0), 3);
	assert_int_equal(sock_shutdown(s, LX_SHUT_WR), 0);
	assert_int_equal(recv_flags(c, b, 1, 0), 0);
	assert_true(poll_mask(c) & POLL_HUP);
	sock_close(c);
	sock_close(s);

	/* unread data at close resets */
	tcp_pair(LOOPBACK, &c, &s);
	assert_int_equal(send_flags(c, "unread", 6, 0), 6);
	sock_close(s);
	assert_int_equal(poll_mask(c) & (POLL_ERR | POLL_HUP | POLL_IN | POLL_RDHUP), POLL_ERR | POLL_HUP | POLL_IN | POLL_RDHUP);
	assert_int_equal(recv_flags(c, b, 1, 0), -ECONNRESET);
	assert_int_equal(recv_flags(c, b, 1, 0), 0);
	assert_int_equal(send_flags(c, "x", 1, 0), -EPIPE);
	sock_close(c);

	/* so does SO_LINGER 0 */
	tcp_pair(LOOPBACK, &c, &s);
	struct lx_linger l = { 1, 0 };
	assert_int_equal(sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_LINGER, &l, sizeof l), 0);
	sock_close(s);
	assert_int_equal(get_int(c, LX_SOL_SOCKET, LX_SO_ERROR), ECONNRESET);
	sock_close(c);

	/* linger with a time: the data is taken */
	tcp_pair(LOOPBACK, &c, &s);
	l.linger = 5;
	assert_int_equal(sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_LINGER, &l, sizeof l), 0);
	assert_int_equal(send_flags(s, "last", 4, 0), 4);
	sock_close(s);
	assert_int_equal(recv_flags(c, b, sizeof b, 0), 4);
	sock_close(c);
}

static void backlog_and_close_of_listener(void **state)
{
	unsigned port;
	struct socket *l = listener(LOOPBACK, 0, &port), *c[6], *s;
	struct sock_addr a = in_addr(LOOPBACK, port);

	assert_int_equal(sock_listen(l, 2), 0);
	for (int i = 0; i < 3; i++) {
		c[i] = new_socket(LX_AF_INET, LX_SOCK_STREAM);
		assert_int_equal(sock_connect(c[i], &a, false), 0);
	}
	c[3] = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	assert_int_equal(sock_connect(c[3], &a, true), -EINPROGRESS);   /* the queue is full: SYN is dropped */
	assert_int_equal(sock_connect(c[3], &a, true), -EALREADY);
	assert_int_equal(poll_mask(c[3]), 0);
	assert_int_equal(poll_mask(l), POLL_IN | POLL_RDNORM);
	assert_int_equal(sock_accept(l, true, &s), 0);
	sock_close(s);
	let_run(3000);                       /* the SYN comes again */
	assert_true(poll_mask(c[3]) & POLL_OUT);
	assert_int_equal(sock_connect(c[3], &a, true), 0);
	sock_close(l);
	char b;
	assert_int_equal(recv_flags(c[1], &b, 1, 0), -ECONNRESET);
	for (int i = 0; i < 4; i++)
		sock_close(c[i]);
}

static void reuseport_distributes(void **state)
{
	struct socket *l[3], *c[9], *s;
	struct sock_addr a = in_addr(LOOPBACK, 9090);
	unsigned got[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		l[i] = new_socket(LX_AF_INET, LX_SOCK_STREAM);
		set_int(l[i], LX_SOL_SOCKET, LX_SO_REUSEPORT, 1);
		assert_int_equal(sock_bind(l[i], &a), 0);
		assert_int_equal(sock_listen(l[i], 16), 0);
	}
	for (int i = 0; i < 9; i++) {
		c[i] = new_socket(LX_AF_INET, LX_SOCK_STREAM);
		assert_int_equal(sock_connect(c[i], &a, false), 0);
	}
	for (int i = 0; i < 3; i++)
		while (sock_accept(l[i], true, &s) == 0) {
			got[i]++;
			sock_close(s);
		}
	assert_int_equal(got[0] + got[1] + got[2], 9);
	assert_true(got[0] && got[1] && got[2]);
	sock_close(l[0]);                    /* the leader goes: others take over */
	sock_close(c[0]);
	c[0] = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	assert_int_equal(sock_connect(c[0], &a, false), 0);
	assert_true((poll_mask(l[1]) | poll_mask(l[2])) & POLL_IN);
	for (int i = 0; i < 9; i++)
		sock_close(c[i]);
	sock_close(l[1]);
	sock_close(l[2]);
}

static void all_of_127(void **state)
{
	struct socket *l = listener(0x0500007fu, 7001, NULL), *c = new_socket(LX_AF_INET, LX_SOCK_STREAM), *s;   /* 127.0.0.5 */
	struct sock_addr a = in_addr(0x0500007fu, 7001), b = in_addr(LOOPBACK, 7001);

	assert_int_equal(sock_connect(c, &b, false), -ECONNREFUSED);
	assert_int_equal(sock_connect(c, &a, false), 0);
	assert_int_equal(sock_accept(l, true, &s), 0);
	assert_int_equal(send_flags(s, "x", 1, 0), 1);
	char x;
	assert_int_equal(recv_flags(c, &x, 1, 0), 1);
	sock_close(s);
	sock_close(c);
	sock_close(l);
}

static void timeouts(void **state)
{
	struct socket *c, *s;
	struct lx_timeval tv = { 0, 200000 };
	char b;

	tcp_pair(LOOPBACK, &c, &s);
	assert_int_equal(sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_RCVTIMEO, &tv, sizeof tv), 0);
	u64 t = arch_clock_mono_ns();
	assert_int_equal(recv_flags(c, &b, 1, 0), -EAGAIN);
	assert_in_range(arch_clock_mono_ns() - t, 200 * NSEC_PER_MSEC, 250 * NSEC_PER_MSEC);
	/* a full send buffer */
	static u8 big[8 << 20];
	assert_int_equal(sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_SNDTIMEO, &tv, sizeof tv), 0);
	ssize_t n = send_flags(c, big, sizeof big, 0);
	assert_true(n > 0 && n < (ssize_t)sizeof big);
	assert_int_equal(send_flags(c, big, sizeof big, LX_MSG_DONTWAIT), -EAGAIN);
	assert_false(poll_mask(c) & POLL_OUT);
	while (n > 0) {
		ssize_t k = recv_flags(s, big, sizeof big, LX_MSG_DONTWAIT);
		if (k < 0) {
			let_run(50);
			continue;
		}
		n -= k;
	}
	let_run(200);
	assert_true(poll_mask(c) & POLL_OUT);
	sock_close(c);
	sock_close(s);
}

static void options(void **state)
{
	struct socket *s = new_socket(LX_AF_INET, LX_SOCK_STREAM), *u = new_socket(LX_AF_INET, LX_SOCK_DGRAM);

	assert_int_equal(get_int(s, LX_SOL_SOCKET, LX_SO_TYPE), LX_SOCK_STREAM);
	assert_int_equal(get_int(s, LX_SOL_SOCKET, LX_SO_DOMAIN), LX_AF_INET);
	assert_int_equal(get_int(s, LX_SOL_SOCKET, LX_SO_PROTOCOL), LX_IPPROTO_TCP);
	assert_int_equal(get_int(u, LX_SOL_SOCKET, LX_SO_PROTOCOL), LX_IPPROTO_UDP);
	assert_int_equal(set_int(s, LX_SOL_SOCKET, LX_SO_RCVBUF, 10000), 0);
	assert_int_equal(get_int(s, LX_SOL_SOCKET, LX_SO_RCVBUF), 20000);
	assert_int_equal(set_int(s, LX_SOL_SOCKET, LX_SO_SNDBUF, 0), 0);
	assert_int_equal(get_int(s, LX_SOL_SOCKET, LX_SO_SNDBUF), 4608);
	assert_int_equal(set_int(s, LX_SOL_TCP, LX_TCP_KEEPIDLE, 0), -EINVAL);
	assert_int_equal(set_int(s, LX_SOL_TCP, LX_TCP_KEEPIDLE, 77), 0);
	assert_int_equal(get_int(s, LX_SOL_TCP, LX_TCP_KEEPIDLE), 77);
	assert_int_equal(set_int(s, LX_SOL_TCP, LX_TCP_NODELAY, 1), 0);
	assert_int_equal(get_int(s, LX_SOL_TCP, LX_TCP_NODELAY), 1);
	assert_int_equal(set_int(u, LX_SOL_TCP, LX_TCP_NODELAY, 1), -ENOPROTOOPT);
	assert_int_equal(get_int(u, LX_SOL_TCP, LX_TCP_NODELAY), -EOPNOTSUPP);
	assert_int_equal(set_int(s, LX_SOL_IPV6, LX_IPV6_V6ONLY, 1), -ENOPROTOOPT);
	assert_int_equal(sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_REUSEADDR, "x", 1), -EINVAL);
	assert_int_equal(set_int(s, LX_SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
	struct lx_tcp_info info;
	u32 len = sizeof info;
	assert_int_equal(sock_getsockopt(s, LX_SOL_TCP, LX_TCP_INFO, &info, &len), 0);
	assert_int_equal(info.state, 7);
	sock_close(s);
	sock_close(u);
	assert_int_equal(sock_create(LX_AF_INET, LX_SOCK_RAW, 1, &s), -EPERM);
	assert_int_equal(sock_create(LX_AF_INET, LX_SOCK_STREAM, 17, &s), -EPROTONOSUPPORT);
	assert_int_equal(sock_create(LX_AF_INET, LX_SOCK_SEQPACKET, 0, &s), -ESOCKTNOSUPPORT);
	assert_int_equal(sock_create(LX_AF_INET6, LX_SOCK_RAW, 58, &s), -EPERM);
	assert_int_equal(sock_create(3, LX_SOCK_STREAM, 0, &s), -EAFNOSUPPORT);
}

static void datagrams(void **state)
{
	struct socket *a = new_socket(LX_AF_INET, LX_SOCK_DGRAM), *b = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	struct sock_addr to = in_addr(LOOPBACK, 0), from;
	static char buf[70000];
	u32 flags;

	assert_int_equal(send_flags(a, "x", 1, 0), -EDESTADDRREQ);
	assert_int_equal(sock_bind(b, &to), 0);
	assert_int_equal(sock_getname(b, false, &to), 0);
	assert_int_equal(send_to(a, "one", 3, to), 3);
	assert_int_equal(send_to(a, "", 0, to), 0);
	assert_int_equal(send_to(a, "three", 5, to), 5);
	assert_int_equal(sock_pending(b, false), 3);
	assert_int_equal(recv_from(b, buf, sizeof buf, &from, 0, &flags), 3);
	assert_int_equal(recv_from(b, buf, sizeof buf, NULL, 0, &flags), 0);
	assert_int_equal(recv_from(b, buf, 2, NULL, 0, &flags), 2);
	assert_int_equal(flags, LX_MSG_TRUNC);
	assert_int_equal(recv_flags(b, buf, 1, LX_MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(send_to(b, "back", 4, from), 4);
	assert_int_equal(recv_flags(a, buf, 1, LX_MSG_TRUNC), 4);
	/* the largest, and one more */
	assert_int_equal(send_to(a, buf, 65507, to), 65507);
	assert_int_equal(recv_flags(b, buf, sizeof buf, 0), 65507);
	assert_int_equal(send_to(a, buf, 65508, to), -EMSGSIZE);
	/* connected: strangers are not heard, a closed peer refuses */
	assert_int_equal(sock_connect(a, &to, false), 0);
	assert_int_equal(send_flags(a, "hi", 2, 0), 2);
	assert_int_equal(recv_from(b, buf, sizeof buf, &from, 0, NULL), 2);
	struct socket *c = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	assert_int_equal(send_to(c, "no", 2, from), 2);
	assert_int_equal(recv_flags(a, buf, 10, LX_MSG_DONTWAIT), -EAGAIN);
	sock_close(b);
	assert_int_equal(send_flags(a, "hi", 2, 0), 2);
	assert_true(poll_mask(a) & POLL_ERR);
	assert_int_equal(recv_flags(a, buf, 10, 0), -ECONNREFUSED);
	from.len = 2;
	from.family = LX_AF_UNSPEC;
	assert_int_equal(sock_connect(a, &from, false), 0);
	assert_int_equal(send_flags(a, "x", 1, 0), -EDESTADDRREQ);
	sock_close(a);
	sock_close(c);
}

static void datagrams_are_bounded(void **state)
{
	struct socket *a = new_socket(LX_AF_INET, LX_SOCK_DGRAM), *b = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	struct sock_addr to = in_addr(LOOPBACK, 0);
	char buf[1000] = { 0 };
	unsigned n = 0;

	assert_int_equal(sock_bind(b, &to), 0);
	assert_int_equal(sock_getname(b, false, &to), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(send_to(a, buf, sizeof buf, to), sizeof buf);
	while (recv_flags(b, buf, sizeof buf, LX_MSG_DONTWAIT) > 0)
		n++;
	assert_in_range(n, 50, 500);
	sock_close(a);
	sock_close(b);
}

/* Whatever allocation fails, nothing breaks, and after that everything works again. */
static void failing_memory(void **state)
{
	for (unsigned nth = 1; nth < 120; nth++) {
		struct socket *l = NULL, *c = NULL, *s = NULL;
		struct sock_addr a = in_addr(LOOPBACK, 0);
		static u8 buf[30000];
		heap_fail_nth(nth);
		if (sock_create(LX_AF_INET, LX_SOCK_STREAM, 0, &l) < 0)
			continue;
		if (sock_bind(l, &a) == 0 && sock_listen(l, 4) == 0 && sock_getname(l, false, &a) == 0 &&
		    sock_create(LX_AF_INET, LX_SOCK_STREAM, 0, &c) == 0) {
			struct lx_timeval tv = { 20, 0 };
			sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_SNDTIMEO, &tv, sizeof tv);
			sock_setsockopt(c, LX_SOL_SOCKET, LX_SO_RCVTIMEO, &tv, sizeof tv);
			if (sock_connect(c, &a, false) == 0 && sock_accept(l, true, &s) == 0) {
				sock_setsockopt(s, LX_SOL_SOCKET, LX_SO_RCVTIMEO, &tv, sizeof tv);
				ssize_t n = send_flags(c, buf, sizeof buf, 0);
				if (n > 0)
					assert_int_equal(recv_flags(s, buf, (size_t)n, LX_MSG_WAITALL), n);
			}
		}
		heap_fail_nth(0);
		if (s)
			sock_close(s);
		if (c)
			sock_close(c);
		sock_close(l);
	}
	connect_accept_talk(NULL);
}

static void nothing_is_left(void **state)
{
	struct socket *c, *s;

	let_run(120000);
	u64 before = heap_used_bytes(), pages = page_free_count();
	for (int i = 0; i < 50; i++) {
		static u8 buf[100000];
		tcp_pair(LOOPBACK, &c, &s);
		assert_true(send_flags(c, buf, sizeof buf, LX_MSG_DONTWAIT) > 0);
		assert_true(recv_flags(s, buf, 50000, 0) > 0);
		sock_close(i & 1 ? s : c);
		sock_close(i & 1 ? c : s);
	}
	let_run(120000);
	assert_int_equal(page_free_count(), pages);
	assert_true(heap_used_bytes() <= before + 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_accept_talk), cmocka_unit_test(bulk_is_intact), cmocka_unit_test(small_writes_and_waitall),
		cmocka_unit_test(refused_and_errors), cmocka_unit_test(binding), cmocka_unit_test(half_close_and_reset),
		cmocka_unit_test(backlog_and_close_of_listener), cmocka_unit_test(reuseport_distributes), cmocka_unit_test(all_of_127), cmocka_unit_test(timeouts),
		cmocka_unit_test(options), cmocka_unit_test(datagrams), cmocka_unit_test(datagrams_are_bounded),
		cmocka_unit_test(failing_memory), cmocka_unit_test(nothing_is_left),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
