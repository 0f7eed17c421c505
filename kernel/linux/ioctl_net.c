/*
 * ioctl_net.c - ioctls on sockets that ask about interfaces (SIOCGIF*). Changing them is -EPERM:
 * the machine's network is the host's business.
 */
#include "linux/ioctl.h"
#include "net/netinfo.h"

enum {
	SIOCATMARK = 0x8905, SIOCGSTAMP = 0x8906, SIOCGSTAMPNS = 0x8907, SIOCGIFNAME = 0x8910, SIOCGIFCONF = 0x8912, SIOCGIFFLAGS = 0x8913,
	SIOCSIFFLAGS = 0x8914, SIOCGIFADDR = 0x8915, SIOCGIFDSTADDR = 0x8917, SIOCGIFBRDADDR = 0x8919, SIOCGIFNETMASK = 0x891b,
	SIOCGIFMETRIC = 0x891d, SIOCGIFMTU = 0x8921, SIOCGIFHWADDR = 0x8927, SIOCGIFINDEX = 0x8933, SIOCGIFTXQLEN = 0x8942,
	SIOCETHTOOL = 0x8946, SIOCGIFMAP = 0x8970,
};

struct lx_ifreq {
	char name[16];
	union {
		u8 bytes[24];
		struct lx_sockaddr_in in;
		struct { u16 family; u8 mac[6]; } hw;
		s32 value;
		s16 flags;
	};
};
_Static_assert(sizeof(struct lx_ifreq) == 40, "ifreq");
struct lx_ifconf {
	s32 len, pad;
	u64 buf;
};

/* One interface as these calls see it: the link and its IPv4 address. */
struct net_view {
	struct netinfo_link link;
	bool has_addr;
	u32 addr, mask, broadcast;
};

static void view_addr(struct net_view *v)
{
	struct netinfo_addr a;

	v->has_addr = false;
	for (unsigned i = 0; !v->has_addr && netinfo_addr(i, &a) == 0; i++) {
		if (a.family != LX_AF_INET || a.index != v->link.index)
			continue;
		v->has_addr = true;
		memcpy(&v->addr, a.addr, 4);
		memcpy(&v->broadcast, a.broadcast, 4);
		v->mask = a.prefix ? __builtin_bswap32(~0u << (32 - a.prefix)) : 0;
	}
}

static bool find(const char *name, int index, struct net_view *ret)
{
	for (unsigned i = 0; netinfo_link(i, &ret->link) == 0; i++)
		if (name ? strncmp(ret->link.name, name, sizeof(ret->link.name)) == 0 : (int)ret->link.index == index) {
			view_addr(ret);
			return true;
		}
	return false;
}

static void put_addr(struct lx_ifreq *rq, u32 addr)
{
	memset(rq->bytes, 0, sizeof(rq->bytes));
	rq->in.family = LX_AF_INET;
	rq->in.addr = addr;
}

/* Fill the answer for one interface. */
static int answer(unsigned cmd, const struct net_view *v, struct lx_ifreq *rq)
{
	switch (cmd) {
	case SIOCGIFNAME:
		memcpy(rq->name, v->link.name, sizeof(rq->name));
		return 0;
	case SIOCGIFFLAGS:
		rq->flags = (s16)v->link.flags;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
		if (!v->has_addr)
			return -EADDRNOTAVAIL;
		put_addr(rq, cmd == SIOCGIFBRDADDR ? v->broadcast : cmd == SIOCGIFNETMASK ? v->mask : v->addr);
		return 0;
	case SIOCGIFMETRIC:
		rq->value = 0;
		return 0;
	case SIOCGIFMTU:
		rq->value = (s32)v->link.mtu;
		return 0;
	case SIOCGIFHWADDR:
		memset(rq->bytes, 0, sizeof(rq->bytes));
		rq->hw.family = v->link.type;
		memcpy(rq->hw.mac, v->link.mac, sizeof(rq->hw.mac));
		return 0;
	case SIOCGIFINDEX:
		rq->value = (s32)v->link.index;
		return 0;
	case SIOCGIFTXQLEN:
		rq->value = 1000;
		return 0;
	case SIOCGIFMAP:
		memset(rq->bytes, 0, sizeof(rq->bytes));
		return 0;
	}
	return -ENOTTY;
}

static long list_all(struct uaddr arg)
{
	struct net_view v;
	struct lx_ifconf c;
	struct lx_ifreq rq;
	s32 at = 0;

	if (copy_from_user(&c, arg, sizeof(c)) < 0)
		return -EFAULT;
	for (unsigned i = 0; netinfo_link(i, &v.link) == 0; i++) {
		view_addr(&v);
		if (!v.has_addr)
			continue;
		if (c.buf) {
			if (c.len - at < (s32)sizeof(rq))
				break;
			memset(&rq, 0, sizeof(rq));
			memcpy(rq.name, v.link.name, sizeof(rq.name));
			put_addr(&rq, v.addr);
			if (copy_to_user(uaddr_make(c.buf + (u32)at), &rq, sizeof(rq)) < 0)
				return -EFAULT;
		}
		at += (s32)sizeof(rq);
	}
	c.len = at;
	return copy_to_user(arg, &c, sizeof(c));
}

long ioctl_net(struct file *f, unsigned cmd, struct uaddr arg)
{
	struct net_view v;
	struct lx_ifreq rq;
	int r;

	switch (cmd) {
	case SIOCGIFCONF:
		return list_all(arg);
	case SIOCATMARK: {
		int no = 0;
		return f->sock->type == LX_SOCK_STREAM ? copy_to_user(arg, &no, sizeof(no)) : -ENOTTY;
	}
	case SIOCGSTAMP:
	case SIOCGSTAMPNS:
		return -ENOENT;          /* no packet has been stamped */
	case SIOCETHTOOL:
		return -EOPNOTSUPP;
	case SIOCGIFNAME: case SIOCGIFFLAGS: case SIOCGIFADDR: case SIOCGIFDSTADDR: case SIOCGIFBRDADDR: case SIOCGIFNETMASK:
	case SIOCGIFMETRIC: case SIOCGIFMTU: case SIOCGIFHWADDR: case SIOCGIFINDEX: case SIOCGIFTXQLEN: case SIOCGIFMAP:
		break;
	case SIOCSIFFLAGS: case 0x8916: case 0x8918: case 0x891a: case 0x891c: case 0x891e: case 0x8922: case 0x8923: case 0x8924:
	case 0x890b: case 0x890c: case 0x8953: case 0x8954: case 0x8955: /* routes and ARP */
		return -EPERM;
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&rq, arg, sizeof(rq)) < 0)
		return -EFAULT;
	rq.name[sizeof(rq.name) - 1] = '\0';
	if (!find(cmd == SIOCGIFNAME ? NULL : rq.name, rq.value, &v))
		return -ENODEV;
	r = answer(cmd, &v, &rq);
	return r < 0 ? r : copy_to_user(arg, &rq, sizeof(rq));
}
