/* net_netlink_test.c - AF_NETLINK: changes told to groups, dumps cut in pieces, overflow, hostile messages, failing allocations. */
#include "net_util.h"
#include "dev/netdev.h"
#include "net/lx_netlink.h"

#define ME      0x0100000au          /* 10.0.0.1 */
#define GATEWAY 0x0200000au

static u8 buf[65536] ALIGNED(16);

static struct sock_addr nl_addr(u32 pid, u32 groups)
{
	struct lx_sockaddr_nl nl = { .family = LX_AF_NETLINK, .pid = pid, .groups = groups };
	struct sock_addr a = { .len = sizeof(nl) };

	memcpy(a.bytes, &nl, sizeof(nl));
	return a;
}
static struct socket *netlink(int protocol)
{
	struct socket *s = NULL;

	assert_int_equal(sock_create(LX_AF_NETLINK, LX_SOCK_RAW, protocol, &s), 0);
	return s;
}

struct request {
	struct lx_nlmsghdr h;
	u8 body[4000];
};
static struct request request(u16 type, u16 flags, const void *fixed, u32 len)
{
	struct request r = { .h = { .len = 16 + len, .type = type, .flags = LX_NLM_F_REQUEST | flags, .seq = 9 } };

	if (len)
		memcpy(r.body, fixed, len);
	return r;
}
static void attr(struct request *r, u16 type, const void *data, u16 len)
{
	struct lx_nlattr a = { (u16)(4 + len), type };
	u8 *p = (u8 *)r + ROUND_UP(r->h.len, 4u);

	memcpy(p, &a, sizeof(a));
	memcpy(p + 4, data, len);
	r->h.len = ROUND_UP(r->h.len, 4u) + ROUND_UP(4u + len, 4u);
}
static void ask(struct socket *s, const struct request *r) { assert_int_equal(send_flags(s, r, r->h.len, 0), r->h.len); }
/* The error of the one answer; 1: no answer. */
static int verdict(struct socket *s)
{
	ssize_t n = recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT);
	const struct lx_nlmsghdr *h = (const void *)buf;
	s32 e;

	if (n == -EAGAIN)
		return 1;
	assert_true(n >= 20 && h->len <= n);
	assert_true(h->type == LX_NLMSG_ERROR || h->type == LX_NLMSG_DONE);
	memcpy(&e, h + 1, sizeof(e));
	return e;
}

/* ---- A device that swallows everything ---- */

static int fake_transmit(struct netdev *d, const struct netdev_tx *tx, bool notify)
{
	if (tx->done)
		tx->done(tx->arg);
	return 0;
}
static unsigned fake_receive(struct netdev *d, struct netdev_buf **ret, unsigned max, bool rearm) { return 0; }
static void fake_release(struct netdev *d, struct netdev_buf *b) { }
static const struct netdev_ops fake_ops = { .transmit = fake_transmit, .receive = fake_receive, .release = fake_release };
static struct netdev dev = { .ops = &fake_ops, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 }, .link_up = true };
static struct socket *early;         /* in the groups since before there was a network */

static int setup(void **state)
{
	struct sock_addr a = nl_addr(0, 1u << (LX_RTNLGRP_LINK - 1) | 1u << (LX_RTNLGRP_IPV4_IFADDR - 1) | 1u << (LX_RTNLGRP_IPV4_ROUTE - 1));
	struct net_config c = { .mode = NET_STATIC, .addr = ME, .mask = 0x00ffffffu, .gateway = GATEWAY };

	host_sched_start();
	early = netlink(LX_NETLINK_ROUTE);
	assert_int_equal(sock_bind(early, &a), 0);
	netdev_register(&dev);
	assert_int_equal(net_init(&c), 0);
	return net_wait_configured(arch_clock_mono_ns() + 5 * NSEC_PER_SEC);
}

/* What came with the first configuration was told to those who listened, each with its group. */
static void told(void **state)
{
	bool link = false, addr = false, route = false;
	struct sock_addr from;
	ssize_t n;

	let_run(50);
	while ((n = recv_from(early, buf, sizeof(buf), &from, LX_MSG_DONTWAIT, NULL)) > 0) {
		const struct lx_nlmsghdr *h = (const void *)buf;
		const struct lx_sockaddr_nl *nl = (const void *)from.bytes;
		assert_int_equal(h->len, n);
		assert_int_equal(h->pid, 0);
		assert_int_equal(nl->pid, 0);
		if (h->type == LX_RTM_NEWLINK && ((const struct lx_ifinfomsg *)(h + 1))->index == 2)
			link = nl->groups == 1u << (LX_RTNLGRP_LINK - 1);
		if (h->type == LX_RTM_NEWADDR && ((const struct lx_ifaddrmsg *)(h + 1))->index == 2)
			addr = nl->groups == 1u << (LX_RTNLGRP_IPV4_IFADDR - 1);
		if (h->type == LX_RTM_NEWROUTE && ((const struct lx_rtmsg *)(h + 1))->dst_len == 0)
			route = nl->groups == 1u << (LX_RTNLGRP_IPV4_ROUTE - 1);
	}
	assert_true(link && addr && route);
	sock_close(early);
}

static unsigned run_dump(struct socket *s, size_t room, s32 *ret_error)
{
	unsigned messages = 0;
	ssize_t n;

	for (;;) {
		n = recv_flags(s, buf, room, LX_MSG_DONTWAIT);
		assert_true(n > 0);
		for (ssize_t at = 0; at < n;) {
			const struct lx_nlmsghdr *h = (const void *)(buf + at);
			assert_true(h->len >= 16 && h->len <= n - at);
			assert_true(h->flags & LX_NLM_F_MULTI);
			assert_int_equal(h->seq, 9);
			if (h->type == LX_NLMSG_DONE) {
				memcpy(ret_error, h + 1, 4);
				assert_int_equal(at + ROUND_UP(h->len, 4u), n);
				return messages;
			}
			messages++;
			at += ROUND_UP(h->len, 4u);
		}
	}
}

static void dumps(void **state)
{
	struct socket *s = netlink(LX_NETLINK_ROUTE);
	struct lx_rtmsg rtm = { .family = LX_AF_INET };
	struct lx_ifinfomsg ifi = { 0 };
	struct request r = request(LX_RTM_GETLINK, LX_NLM_F_DUMP, &ifi, sizeof(ifi));
	s32 error;

	ask(s, &r);
	assert_int_equal(run_dump(s, sizeof(buf), &error), 2);
	assert_int_equal(error, 0);
	r = request(LX_RTM_GETADDR, LX_NLM_F_DUMP, "\2", 1);
	ask(s, &r);
	assert_int_equal(run_dump(s, sizeof(buf), &error), 2);
	r = request(LX_RTM_GETROUTE, LX_NLM_F_DUMP, &rtm, sizeof(rtm));
	ask(s, &r);
	assert_true(run_dump(s, sizeof(buf), &error) >= 6);
	r = request(LX_RTM_GETNEIGH, LX_NLM_F_DUMP, "\0", 1);
	ask(s, &r);
	(void)run_dump(s, sizeof(buf), &error);
	assert_int_equal(error, 0);
	assert_int_equal(verdict(s), 1);
	sock_close(s);
}

/* The queue is full: a dump waits until it is read, a second one meanwhile is busy, and errors overflow. */
static void overflow(void **state)
{
	struct socket *s = netlink(LX_NETLINK_ROUTE);
	struct lx_ifinfomsg ifi = { 0 };
	struct request noop = request(LX_NLMSG_NOOP, LX_NLM_F_ACK, NULL, 0), r = request(LX_RTM_GETLINK, LX_NLM_F_DUMP, &ifi, sizeof(ifi));
	int busy = 0, n = 0;
	s32 error;

	assert_int_equal(set_int(s, LX_SOL_SOCKET, LX_SO_RCVBUF, 2304), 0);
	for (int i = 0; i < 6; i++)
		ask(s, &noop);
	ask(s, &r);                      /* waits */
	ask(s, &r);                      /* -EBUSY */
	for (;;) {
		ssize_t len = recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT);
		const struct lx_nlmsghdr *h = (const void *)buf;
		assert_true(len > 0);
		if (h->type != LX_NLMSG_ERROR)
			break;
		memcpy(&error, h + 1, 4);
		busy += error == -EBUSY;
		n++;
	}
	assert_int_equal(busy, 1);
	assert_int_equal(n, 7);
	for (int i = 0; i < 100; i++)
		ask(s, &noop);
	assert_true(poll_mask(s) & POLL_ERR);
	assert_int_equal(recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT), -ENOBUFS);
	while ((n = (int)recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT)) > 0)
		;
	assert_int_equal(n, -EAGAIN);
	sock_close(s);
}

static void hostile(void **state)
{
	struct socket *s = netlink(LX_NETLINK_ROUTE);
	struct lx_ifinfomsg ifi = { .index = 1 };
	struct request r;

	static const u32 lengths[] = { 0, 1, 15, 17, 500, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		r = request(LX_RTM_GETLINK, LX_NLM_F_ACK, &ifi, sizeof(ifi));
		r.h.len = lengths[i];
		assert_int_equal(send_flags(s, &r, 32, 0), 32);
		if (lengths[i] == 17)    /* a byte of family: too short for a link */
			assert_int_equal(verdict(s), -EINVAL);
		assert_int_equal(verdict(s), 1);
	}
	/* Attributes that lie about their length end the list. */
	static const u16 attr_lengths[] = { 0, 1, 3, 5, 9, 4000, 0xffff };
	for (unsigned i = 0; i < ARRAY_SIZE(attr_lengths); i++) {
		ifi.index = 9999;
		r = request(LX_RTM_GETLINK, 0, &ifi, sizeof(ifi));
		attr(&r, LX_IFLA_MTU, "\0\0\0\0", 4);
		memcpy(r.body + sizeof(ifi), &attr_lengths[i], 2);
		ask(s, &r);
		assert_int_equal(verdict(s), -ENODEV);
	}
	/* The same when strict: leftover bytes are an error. */
	assert_int_equal(set_int(s, LX_SOL_NETLINK, LX_NETLINK_GET_STRICT_CHK, 1), 0);
	r = request(LX_RTM_GETLINK, 0, &ifi, sizeof(ifi));
	attr(&r, LX_IFLA_EXT_MASK, "\0\0\0\0", 4);
	memcpy(r.body + sizeof(ifi), &attr_lengths[2], 2);
	ask(s, &r);
	assert_int_equal(verdict(s), -EINVAL);
	r = request(LX_RTM_GETLINK, 0, &ifi, sizeof(ifi));
	attr(&r, 0x3fff, "\0\0\0\0", 4);
	ask(s, &r);
	assert_int_equal(verdict(s), -EINVAL);
	/* A short value for a type that needs more. */
	r = request(LX_RTM_GETLINK, LX_NLM_F_DUMP, &(struct lx_ifinfomsg){ 0 }, sizeof(ifi));
	attr(&r, LX_IFLA_EXT_MASK | LX_NLA_F_NESTED, "\0", 1);
	ask(s, &r);
	assert_int_equal(verdict(s), -ERANGE);
	/* A destination that is not long enough; a name without its end. */
	struct lx_rtmsg rtm = { .family = LX_AF_INET6 };
	set_int(s, LX_SOL_NETLINK, LX_NETLINK_GET_STRICT_CHK, 0);
	r = request(LX_RTM_GETROUTE, 0, &rtm, sizeof(rtm));
	attr(&r, LX_RTA_DST, "\1\2\3\4", 4);
	ask(s, &r);
	assert_int_equal(verdict(s), -ERANGE);
	ifi.index = 0;
	r = request(LX_RTM_GETLINK, 0, &ifi, sizeof(ifi));
	attr(&r, LX_IFLA_IFNAME, "nosuch", 6);
	ask(s, &r);
	assert_int_equal(verdict(s), -ENODEV);
	/* Many in one buffer, the last one cut. */
	static u8 many[16 * 50 + 8];
	for (unsigned i = 0; i < 50; i++) {
		r = request(LX_NLMSG_NOOP, LX_NLM_F_ACK, NULL, 0);
		memcpy(many + 16 * i, &r.h, 16);
	}
	assert_int_equal(send_flags(s, many, sizeof(many), 0), sizeof(many));
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(verdict(s), 0);
	assert_int_equal(verdict(s), 1);
	sock_close(s);
}

/* Every allocation of a request may fail; the program learns ENOBUFS or ENOMEM and goes on. */
static void without_memory(void **state)
{
	struct socket *s = netlink(LX_NETLINK_ROUTE);
	struct lx_ifinfomsg ifi = { .index = 1 };
	struct request dump = request(LX_RTM_GETLINK, LX_NLM_F_DUMP, &(struct lx_ifinfomsg){ 0 }, sizeof(ifi));
	struct request one = request(LX_RTM_GETLINK, LX_NLM_F_ACK, &ifi, sizeof(ifi));

	for (u64 nth = 1; nth < 12; nth++) {
		heap_fail_nth(nth);
		(void)send_flags(s, &dump, dump.h.len, 0);
		heap_fail_nth(0);
		while (recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT) != -EAGAIN)
			;
		heap_fail_nth(nth);
		(void)send_flags(s, &one, one.h.len, 0);
		heap_fail_nth(0);
		while (recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT) != -EAGAIN)
			;
	}
	ask(s, &one);
	assert_true(recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT) > 300);
	assert_int_equal(verdict(s), 0);
	sock_close(s);
}

/* Ports are unique, a closed one is free again, and an unread queue goes with its socket. */
static void ports(void **state)
{
	struct socket *s[5];
	struct sock_addr a = nl_addr(77, 0), b = nl_addr(0, 0), got;
	struct request noop = request(LX_NLMSG_NOOP, LX_NLM_F_ACK, NULL, 0);
	u32 pids[5];

	for (unsigned i = 0; i < 5; i++) {
		s[i] = netlink(LX_NETLINK_ROUTE);
		ask(s[i], &noop);
		assert_int_equal(sock_getname(s[i], false, &got), 0);
		memcpy(&pids[i], got.bytes + 4, 4);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(pids[i], pids[k]);
	}
	assert_int_equal(sock_bind(s[0], &a), -EINVAL);
	assert_int_equal(sock_bind(s[0], &b), -EINVAL);
	for (unsigned i = 0; i < 5; i++)
		sock_close(s[i]);
	s[0] = netlink(LX_NETLINK_ROUTE);
	s[1] = netlink(LX_NETLINK_ROUTE);
	s[2] = netlink(LX_NETLINK_KOBJECT_UEVENT);
	assert_int_equal(sock_bind(s[0], &a), 0);
	assert_int_equal(sock_bind(s[1], &a), -EADDRINUSE);
	assert_int_equal(sock_bind(s[2], &a), 0);
	sock_close(s[0]);
	assert_int_equal(sock_bind(s[1], &a), 0);
	sock_close(s[1]);
	sock_close(s[2]);
}

/* ---- sock_diag ---- */

static struct socket *shown[3];
static void each_shown(bool (*fn)(struct socket *s, void *arg), void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(shown); i++)
		if (!fn(shown[i], arg))
			return;
}

/* A listener, its own socket's name and state; a dump of more than fits one datagram; no memory. */
static void diag(void **state)
{
	struct { u8 family, protocol, ext, pad; u32 states; u8 id[48]; } q = { LX_AF_INET, LX_IPPROTO_TCP, 0xff, 0, ~0u, { 0 } };
	struct socket *s = netlink(LX_NETLINK_SOCK_DIAG);
	struct request r = request(20, LX_NLM_F_DUMP, &q, sizeof(q));
	unsigned port;
	s32 error;

	shown[0] = listener(LOOPBACK, 0, &port);
	shown[1] = new_socket(LX_AF_INET, LX_SOCK_DGRAM);
	assert_int_equal(sock_pair(LX_AF_UNIX, LX_SOCK_STREAM, 0, &shown[2], &early), 0);
	sock_for_each = each_shown;
	ask(s, &r);
	assert_int_equal(run_dump(s, sizeof(buf), &error), 1);
	assert_int_equal(error, 0);
	q.protocol = 99;
	r = request(20, LX_NLM_F_DUMP, &q, sizeof(q));
	ask(s, &r);
	assert_int_equal(run_dump(s, sizeof(buf), &error), 0);
	assert_int_equal(error, -ENOENT);
	for (u64 nth = 1; nth < 8; nth++) {
		heap_fail_nth(nth);
		(void)send_flags(s, &r, r.h.len, 0);
		heap_fail_nth(0);
		while (recv_flags(s, buf, sizeof(buf), LX_MSG_DONTWAIT) != -EAGAIN)
			;
	}
	ask(s, &r);
	sock_close(s);                   /* with an unread dump */
	sock_for_each = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(shown); i++)
		sock_close(shown[i]);
	sock_close(early);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told), cmocka_unit_test(dumps), cmocka_unit_test(overflow), cmocka_unit_test(hostile),
		cmocka_unit_test(without_memory), cmocka_unit_test(ports), cmocka_unit_test(diag),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
