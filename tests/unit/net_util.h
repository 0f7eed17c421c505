/* net_util.h - short forms for the tests of kernel/net. */
#ifndef TESTS_NET_UTIL_H
#define TESTS_NET_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "arch/host/host.h"
#include "base/string.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "net/lx_socket.h"
#include "net/socket.h"
#include "sched/random.h"
#include "sched/thread.h"

#define LOOPBACK 0x0100007fu         /* 127.0.0.1 in network order */

static inline u16 be16(unsigned v) { return __builtin_bswap16((u16)v); }

static inline struct sock_addr in_addr(u32 addr, unsigned port)
{
	struct lx_sockaddr_in in = { .family = LX_AF_INET, .port = be16(port), .addr = addr };
	struct sock_addr a = { .len = sizeof(in) };

	memcpy(a.bytes, &in, sizeof(in));
	return a;
}
static inline unsigned port_of(const struct sock_addr *a)
{
	return be16(((const struct lx_sockaddr_in *)(const void *)a->bytes)->port);
}
static inline u32 host_of(const struct sock_addr *a)
{
	return ((const struct lx_sockaddr_in *)(const void *)a->bytes)->addr;
}

static inline struct socket *new_socket(int family, int type)
{
	struct socket *s = NULL;

	assert_int_equal(sock_create(family, type, 0, &s), 0);
	return s;
}
static inline ssize_t send_flags(struct socket *s, const void *data, size_t len, u32 flags)
{
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = flags };

	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	return sock_send(s, &m);
}
static inline ssize_t send_to(struct socket *s, const void *data, size_t len, struct sock_addr a)
{
	struct uio u;
	struct sock_msg m = { .uio = &u, .addr = &a };

	uio_init_kernel(&u, (void *)(uintptr_t)data, len);
	return sock_send(s, &m);
}
static inline ssize_t recv_flags(struct socket *s, void *data, size_t len, u32 flags)
{
	struct uio u;
	struct sock_msg m = { .uio = &u, .flags = flags };

	uio_init_kernel(&u, data, len);
	return sock_recv(s, &m);
}
static inline ssize_t recv_from(struct socket *s, void *data, size_t len, struct sock_addr *a, u32 flags, u32 *ret_flags)
{
	struct uio u;
	struct sock_msg m = { .uio = &u, .addr = a, .flags = flags };
	ssize_t n;

	uio_init_kernel(&u, data, len);
	n = sock_recv(s, &m);
	if (ret_flags)
		*ret_flags = m.ret_flags;
	return n;
}
static inline int set_int(struct socket *s, int level, int name, int v) { return sock_setsockopt(s, level, name, &v, sizeof(v)); }
static inline int get_int(struct socket *s, int level, int name)
{
	int v = -12345;
	u32 len = sizeof(v);
	int r = sock_getsockopt(s, level, name, &v, &len);

	return r < 0 ? r : v;
}
static inline u32 poll_mask(struct socket *s) { return sock_poll(s, NULL); }

/* A listener on addr:port (0: any), and its port. */
static inline struct socket *listener(u32 addr, unsigned port, unsigned *ret_port)
{
	struct socket *l = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	struct sock_addr a = in_addr(addr, port);

	assert_int_equal(sock_bind(l, &a), 0);
	assert_int_equal(sock_listen(l, 16), 0);
	assert_int_equal(sock_getname(l, false, &a), 0);
	if (ret_port)
		*ret_port = port_of(&a);
	return l;
}
/* A connected pair over addr. */
static inline void tcp_pair(u32 addr, struct socket **ret_client, struct socket **ret_server)
{
	unsigned port;
	struct socket *l = listener(0, 0, &port), *c = new_socket(LX_AF_INET, LX_SOCK_STREAM);
	struct sock_addr a = in_addr(addr, port);

	assert_int_equal(sock_connect(c, &a, false), 0);
	assert_int_equal(sock_accept(l, false, ret_server), 0);
	sock_close(l);
	*ret_client = c;
}
/* Let other threads and timers run for this long. */
static inline void let_run(u64 ms) { (void)sched_sleep_until(arch_clock_mono_ns() + ms * NSEC_PER_MSEC, false); }

#endif
