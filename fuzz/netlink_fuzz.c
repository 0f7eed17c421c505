/*
 * netlink_fuzz.c - what a program sends to netlink sockets: anything.
 *
 * The input: a byte of options (strict, extended and capped acknowledgements, protocol), then the bytes of
 * one send. What comes back is read with a small and a large buffer in turn and must be whole messages.
 */
#include <stdlib.h>

#include "arch/host/host.h"
#include "fuzz/fuzz.h"
#include "net/lx_netlink.h"
#include "net/lx_socket.h"
#include "net/socket.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void option(struct socket *s, int name, u32 on)
{
	must(sock_setsockopt(s, LX_SOL_NETLINK, name, &on, sizeof(on)) == 0);
}

static void check_messages(const u8 *p, size_t n)
{
	struct lx_nlmsghdr h;

	while (n) {
		must(n >= sizeof(h));
		memcpy(&h, p, sizeof(h));
		must(h.len >= sizeof(h) && h.len <= n);
		size_t step = MIN(ROUND_UP((size_t)h.len, 4), n);
		p += step;
		n -= step;
	}
}

static void read_all(struct socket *s)
{
	static u8 buf[131072] ALIGNED(16);
	struct uio u;
	struct sock_msg m;
	ssize_t n;

	for (unsigned i = 0;; i++) {
		m = (struct sock_msg){ .uio = &u, .flags = LX_MSG_DONTWAIT | (i & 1 ? LX_MSG_PEEK : 0) };
		uio_init_kernel(&u, buf, i & 1 ? 100 : sizeof(buf));
		n = sock_recv(s, &m);
		if (n == -ENOBUFS)
			continue;
		if (n < 0)
			break;
		if (!(i & 1))
			check_messages(buf, (size_t)n);
	}
	must(n == -EAGAIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	static const int protocols[] = { LX_NETLINK_ROUTE, LX_NETLINK_ROUTE, LX_NETLINK_SOCK_DIAG, LX_NETLINK_KOBJECT_UEVENT };
	struct fuzz_input in = { data, size };
	u8 options = fuzz_u8(&in);
	struct socket *s;
	struct uio u;
	struct sock_msg m = { .uio = &u };

	if (!ready) {
		static const struct net_config none = { .mode = NET_NONE };
		host_sched_start();
		must(net_init(&none) == 0);
		ready = true;
	}
	must(sock_create(LX_AF_NETLINK, LX_SOCK_RAW, protocols[options >> 4 & 3], &s) == 0);
	option(s, LX_NETLINK_GET_STRICT_CHK, options & 1);
	option(s, LX_NETLINK_EXT_ACK, options >> 1 & 1);
	option(s, LX_NETLINK_CAP_ACK, options >> 2 & 1);
	uio_init_kernel(&u, (void *)(uintptr_t)in.p, in.left);
	(void)sock_send(s, &m);
	read_all(s);
	sock_close(s);
	return 0;
}
