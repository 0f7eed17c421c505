/*
 * network.c - the network as the boot configuration says, and /run/resolv.conf, to which the root's /etc/resolv.conf points.
 */
#include "base/link.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "fs/vnode.h"
#include "init/init.h"
#include "net/lx_socket.h"
#include "net/socket.h"
#include "proc/lx_file.h"

#define ADDRESS_WAIT_NS (10 * NSEC_PER_SEC)
#define RESOLV_MAX 512u

static void write_file(const char *path, char *text, size_t len)
{
	struct vnode *v;
	bool created;
	struct uio u;
	u64 end;
	int err = fs_open(NULL, path, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, 0644, NAMEI_FOLLOW | NAMEI_UNGUARDED, &v, &created);

	if (!err) {
		uio_init_kernel(&u, text, len);
		err = (int)MIN(fs_write(v, &u, 0, false, false, &end), 0);
		vnode_put(v);
	}
	if (err)
		log_info("%s is not written (error %d)\n", path, -err);
}

static size_t resolv_put(char *text, size_t len, const struct net_ip *ip)
{
	const u8 *b = ip->bytes;

	if (ip->family == LX_AF_INET)
		return len + (size_t)fmt_buf(text + len, RESOLV_MAX - len, "nameserver %u.%u.%u.%u\n", b[0], b[1], b[2], b[3]);
	len += (size_t)fmt_buf(text + len, RESOLV_MAX - len, "nameserver ");
	for (unsigned i = 0; i < 16; i += 2)
		len += (size_t)fmt_buf(text + len, RESOLV_MAX - len, "%s%x", i ? ":" : "", (unsigned)b[i] << 8 | b[i + 1]);
	return len + (size_t)fmt_buf(text + len, RESOLV_MAX - len, ip->scope == 2 ? "%%eth0\n" : "\n");
}

static void on_configured(const struct net_ip *dns, unsigned ndns, const char *domain)
{
	char text[RESOLV_MAX];
	size_t len = 0;

	for (unsigned i = 0; i < ndns; i++)
		len = resolv_put(text, len, &dns[i]);
	if (domain && domain[0] && strlen(domain) < 200 && !strchr(domain, '\n'))
		len += (size_t)fmt_buf(text + len, sizeof(text) - len, "search %s\n", domain);
	write_file("/run/resolv.conf", text, len);
}

typedef void (*network_fn)(const struct bootconf *c);
typedef void (*configured_fn)(const struct net_ip *dns, unsigned ndns, const char *domain);
LINK_TABLE(network_fn, network);
LINK_TABLE(configured_fn, resolver);

static void network_start(const struct bootconf *c)
{
	const configured_fn *resolver = LINK_FIRST(resolver);
	struct net_config n = {
		.mode = c->net == BOOTCONF_NET_DHCP ? NET_DHCP : c->net == BOOTCONF_NET_STATIC ? NET_STATIC : NET_NONE,
		.addr = c->addr, .mask = c->mask, .gateway = c->gateway, .ndns = c->ndns, .prefix6 = c->prefix6, .has_gateway6 = c->has_gateway6,
		.hostname = c->hostname, .on_configured = resolver ? *resolver : NULL,
	};
	int err;

	memcpy(n.addr6, c->addr6, sizeof(n.addr6));
	memcpy(n.gateway6, c->gateway6, sizeof(n.gateway6));
	for (unsigned i = 0; i < c->ndns; i++) {
		n.dns[i].family = c->dns[i].ipv6 ? LX_AF_INET6 : LX_AF_INET;
		memcpy(n.dns[i].bytes, c->dns[i].bytes, sizeof(n.dns[i].bytes));
		n.dns[i].scope = c->dns[i].ipv6 && c->dns[i].bytes[0] == 0xfe && (c->dns[i].bytes[1] & 0xc0) == 0x80 ? 2 : 0;
	}
	err = net_init(&n);
	if (err)
		log_error("the network does not start (error %d)\n", -err);
	else if (c->net != BOOTCONF_NET_NONE && net_wait_configured(arch_clock_mono_ns() + ADDRESS_WAIT_NS))
		log_warn("the network has no address yet; the program starts without\n");
}

static const network_fn start LINK_PICK(network, start) = network_start;
/* For programs that can open the file. */
static const configured_fn write_conf LINK_PICK(resolver, file) = on_configured;

void network_make(const struct bootconf *c)
{
	for (const network_fn *LINK_EACH(fn, network))
		(*fn)(c);
}
