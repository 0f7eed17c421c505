/*
 * ioctl_net.c - ioctls on sockets that ask about interfaces (SIOCGIF*). Changing them is -EPERM:
 * the machine's network is the host's business.
 */
#include "linux/ioctl.h"

enum {
	SIOCATMARK = 0x8905, SIOCGSTAMP = 0x8906, SIOCGSTAMPNS = 0x8907, SIOCGIFNAME = 0x8910, SIOCGIFCONF = 0x8912, SIOCGIFFLAGS = 0x8913,
	SIOCSIFFLAGS = 0x8914, SIOCGIFADDR = 0x8915, SIOCGIFDSTADDR = 0x8917, SIOCGIFBRDADDR = 0x8919, SIOCGIFNETMASK = 0x891b,
	SIOCGIFMETRIC = 0x891d, SIOCGIFMTU = 0x8921, SIOCGIFHWADDR = 0x8927, SIOCGIFINDEX = 0x8933, SIOCGIFTXQLEN = 0x8942,
	SIOCETHTOOL = 0x8946, SIOCGIFMAP = 0x8970,
};
#define IFC_MAX 16u

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

static bool find(const char *name, int index, struct net_interface *ret)
{
	struct net_interface all[IFC_MAX];
	unsigned n = net_interfaces(all, IFC_MAX);

	for (unsigned i = 0; i < n; i++)
		if (name ? strncmp(all[i].name, name, sizeof(all[i].name)) == 0 : (int)all[i].index == index) {
			*ret = all[i];
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
static int answer(unsigned cmd, const struct net_interface *i, struct lx_ifreq *rq)
{
	switch (cmd) {
	case SIOCGIFNAME:
		memcpy(rq->name, i->name, sizeof(rq->name));
		return 0;
	case SIOCGIFFLAGS:
		rq->flags = (s16)i->flags;
		return 0;
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
		if (!i->addr4)
			return -EADDRNOTAVAIL;
		put_addr(rq, cmd == SIOCGIFBRDADDR ? i->bcast4 : cmd == SIOCGIFNETMASK ? i->mask4 : i->addr4);
		return 0;
	case SIOCGIFMETRIC:
		rq->value = 0;
		return 0;
	case SIOCGIFMTU:
		rq->value = (s32)i->mtu;
		return 0;
	case SIOCGIFHWADDR:
		memset(rq->bytes, 0, sizeof(rq->bytes));
		rq->hw.family = i->flags & LX_IFF_LOOPBACK ? 772 : 1; /* ARPHRD_LOOPBACK, ARPHRD_ETHER */
		memcpy(rq->hw.mac, i->mac, sizeof(rq->hw.mac));
		return 0;
	case SIOCGIFINDEX:
		rq->value = (s32)i->index;
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
	struct net_interface all[IFC_MAX];
	struct lx_ifconf c;
	struct lx_ifreq rq;
	unsigned n = net_interfaces(all, IFC_MAX);
	s32 at = 0;

	if (copy_from_user(&c, arg, sizeof(c)) < 0)
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		if (!all[i].addr4)
			continue;
		if (c.buf) {
			if (c.len - at < (s32)sizeof(rq))
				break;
			memset(&rq, 0, sizeof(rq));
			memcpy(rq.name, all[i].name, sizeof(rq.name));
			put_addr(&rq, all[i].addr4);
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
	struct net_interface i;
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
	if (!find(cmd == SIOCGIFNAME ? NULL : rq.name, rq.value, &i))
		return -ENODEV;
	r = answer(cmd, &i, &rq);
	return r < 0 ? r : copy_to_user(arg, &rq, sizeof(rq));
}
