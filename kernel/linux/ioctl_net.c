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
	SIOCETHTOOL = 0x8946, SIOCGARP = 0x8954, SIOCGIFMAP = 0x8970,
};

struct lx_ifreq {
	char name[16];
	union {
		u8 bytes[24];
		struct lx_sockaddr_in in;
		struct { u16 family; u8 mac[6]; } hw;
		s32 value;
		s16 flags;
		u64 data;
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

/* ---- Neighbours ---- */

struct lx_arpreq {
	struct lx_sockaddr_in addr;
	struct { u16 family; u8 mac[6], zero[8]; } hw;
	s32 flags;
	struct lx_sockaddr_in mask;
	char dev[16];
};
_Static_assert(sizeof(struct lx_arpreq) == 68, "arpreq");
enum { ATF_COM = 2, ATF_PERM = 4, ATF_PUBL = 8, ATF_NETMASK = 0x20, ATF_DONTPUB = 0x40 };

static long get_neighbour(struct uaddr arg)
{
	struct netinfo_neigh n;
	struct lx_arpreq rq;
	struct net_view v;

	if (copy_from_user(&rq, arg, sizeof(rq)) < 0)
		return -EFAULT;
	rq.dev[sizeof(rq.dev) - 1] = '\0';
	if (rq.addr.family != LX_AF_INET)
		return -EPFNOSUPPORT;
	if (!(rq.flags & ATF_PUBL) && rq.flags & (ATF_NETMASK | ATF_DONTPUB))
		return -EINVAL;
	if (rq.dev[0] && !find(rq.dev, 0, &v))
		return -ENODEV;
	for (unsigned i = 0; netinfo_neigh(i, &n) == 0; i++) {
		if (n.family != LX_AF_INET || memcmp(n.addr, &rq.addr.addr, 4) != 0 || (rq.dev[0] && n.index != v.link.index))
			continue;
		memset(&rq.hw, 0, sizeof(rq.hw));
		rq.hw.family = 1;            /* ARPHRD_ETHER */
		memcpy(rq.hw.mac, n.mac, sizeof(rq.hw.mac));
		rq.flags = n.state & 0x80 ? ATF_COM | ATF_PERM : n.state == 1 ? 0 : ATF_COM;
		if (find(NULL, (int)n.index, &v))
			memcpy(rq.dev, v.link.name, sizeof(rq.dev));
		return copy_to_user(arg, &rq, sizeof(rq));
	}
	return -ENXIO;
}

/* ---- ethtool ---- */

#define ETHTOOL_GLINK 0x0au

/* The commands that Linux lets everybody use. */
static bool ethtool_is_free(u32 cmd)
{
	static const u8 free[] = {
		0x01, 0x03, 0x07, 0x0a, 0x0e, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1b, 0x1d, 0x1e, 0x20, 0x21, 0x23, 0x25, 0x27, 0x29, 0x2b, 0x2d, 0x2e,
		0x2f, 0x30, 0x37, 0x38, 0x3a, 0x3c, 0x41, 0x44, 0x46, 0x48, 0x4a, 0x4c, 0x4e, 0x50,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(free); i++)
		if (free[i] == cmd)
			return true;
	return false;
}

/* The drivers have nothing to tell but the link. */
static long ethtool(struct uaddr data, const struct net_view *v)
{
	u32 q[2];

	if (copy_from_user(&q[0], data, sizeof(q[0])) < 0)
		return -EFAULT;
	if (!ethtool_is_free(q[0]))
		return -EPERM;
	if (q[0] != ETHTOOL_GLINK)
		return -EOPNOTSUPP;
	q[1] = v->link.carrier;
	return copy_to_user(data, q, sizeof(q));
}

/* ---- Which is which ---- */

enum kind { NONE, ASK, ASK_INET, CHANGE, CHANGE_INET, NO_SLAVE, REFUSED_INET, NO_BRIDGE };

/* Those of _INET are answered by AF_INET's sockets only. */
static enum kind kind_of(unsigned cmd)
{
	switch (cmd) {
	case SIOCGIFNAME: case SIOCGIFFLAGS: case SIOCGIFMETRIC: case SIOCGIFMTU: case SIOCGIFHWADDR: case SIOCGIFINDEX:
	case SIOCGIFTXQLEN: case SIOCGIFMAP: case SIOCETHTOOL:
		return ASK;
	case SIOCGIFADDR: case SIOCGIFDSTADDR: case SIOCGIFBRDADDR: case SIOCGIFNETMASK:
		return ASK_INET;
	case SIOCSIFFLAGS: case 0x891e: case 0x8922: case 0x8923: case 0x8924: /* METRIC, MTU, NAME, HWADDR */
	case 0x8931: case 0x8932: case 0x8937: case 0x8943: case 0x8971:       /* ADDMULTI, DELMULTI, HWBROADCAST, TXQLEN, MAP */
	case 0x8947: case 0x8948: case 0x8949: case 0x89a0: case 0x89a1:       /* MII, bridges */
		return CHANGE;
	case 0x8916: case 0x8918: case 0x891a: case 0x891c:                    /* addresses */
	case 0x890b: case 0x890c: case 0x8953: case 0x8955:                    /* routes, ARP */
		return CHANGE_INET;
	case 0x8929:
		return NO_SLAVE;
	case 0x8934: case 0x8935: case 0x890d:                                 /* PFLAGS, RTMSG */
		return REFUSED_INET;
	case 0x8940:
		return NO_BRIDGE;
	default:
		return cmd >= 0x89f0 && cmd <= 0x89ff ? NO_BRIDGE : NONE;
	}
}

static long interface(unsigned cmd, struct uaddr arg)
{
	struct net_view v;
	struct lx_ifreq rq;
	char *colon = NULL;
	bool by_index = cmd == SIOCGIFNAME;
	int r;

	if (copy_from_user(&rq, arg, sizeof(rq)) < 0)
		return -EFAULT;
	rq.name[sizeof(rq.name) - 1] = '\0';
	/* "lo:1" is an address of lo by its label: there are no such labels. */
	if (!by_index && (colon = strchr(rq.name, ':')))
		*colon = '\0';
	if (!find(by_index ? NULL : rq.name, rq.value, &v))
		return -ENODEV;
	if (colon) {
		*colon = ':';
		v.has_addr = false;
	}
	if (kind_of(cmd) == NO_SLAVE)
		return -EINVAL;
	if (cmd == SIOCETHTOOL)
		return ethtool(uaddr_make(rq.data), &v);
	r = answer(cmd, &v, &rq);
	return r < 0 ? r : copy_to_user(arg, &rq, sizeof(rq));
}

long ioctl_net(struct file *f, unsigned cmd, struct uaddr arg)
{
	bool inet = f->sock->family == LX_AF_INET;
	int no = 0;

	switch (cmd) {
	case SIOCGIFCONF:
		return list_all(arg);
	case SIOCATMARK:
		return f->sock->type == LX_SOCK_STREAM ? copy_to_user(arg, &no, sizeof(no)) : -ENOTTY;
	case SIOCGSTAMP:
	case SIOCGSTAMPNS:
		return -ENOENT;          /* no packet has been stamped */
	case SIOCGARP:
		return inet ? get_neighbour(arg) : -ENOTTY;
	}
	switch (kind_of(cmd)) {
	case ASK: case NO_SLAVE:
		return interface(cmd, arg);
	case ASK_INET:
		return inet ? interface(cmd, arg) : -ENOTTY;
	case CHANGE:
		return -EPERM;
	case CHANGE_INET:
		return inet ? -EPERM : -ENOTTY;
	case REFUSED_INET:
		return inet ? -EINVAL : -ENOTTY;
	case NO_BRIDGE:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}
