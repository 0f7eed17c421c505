/*
 * procnet_sock.c - /proc/net: the program's sockets and their sums, in Linux's formats.
 *
 * Sockets are those that the program has descriptors of (sock_for_each); connections that wait for accept
 * and those in TIME-WAIT are the stack's alone and not shown.
 *
 * Locks: none of its own. What can fail: memory.
 */
#include "base/print.h"
#include "base/string.h"
#include "net/lx_netlink.h"
#include "net/lx_socket.h"
#include "net/netinfo.h"
#include "net/socket.h"
#include "proc/procfs_impl.h"
#include "proc/task.h"

enum { TCP_ESTABLISHED = 1, TCP_CLOSE = 7, TCP_LISTEN = 10 };

struct list_state {
	struct pseudo_text *t;
	int family;
	unsigned n;
};

/* ---- TCP and UDP ---- */

/* The port at the same place in both kinds of addresses, host order. */
static unsigned port_of(const struct sock_addr *a)
{
	return a->len >= 4 ? (unsigned)(a->bytes[2] << 8 | a->bytes[3]) : 0;
}

static bool is_any(const struct sock_addr *a, int family)
{
	for (unsigned i = family == LX_AF_INET6 ? 8 : 4; i < (family == LX_AF_INET6 ? 24u : 8u); i++)
		if (a->bytes[i])
			return false;
	return true;
}

/* "0100007F:0016": words as the machine reads them. */
static void put_addr(struct pseudo_text *t, int family, const struct sock_addr *a)
{
	unsigned at = family == LX_AF_INET6 ? 8 : 4, n = family == LX_AF_INET6 ? 4 : 1;

	for (unsigned i = 0; i < n; i++) {
		u32 w = 0;
		if (a->len >= at + 4 * (i + 1))
			memcpy(&w, a->bytes + at + 4 * i, 4);
		pseudo_printf(t, "%08X", w);
	}
	pseudo_printf(t, ":%04X", port_of(a));
}

struct inet_row {
	struct sock_addr local, peer;
	struct lx_tcp_info info;
	unsigned state, rx, tx;
};

static void row_get(struct socket *s, struct inet_row *r)
{
	u32 len = sizeof(r->info);
	int n;

	memset(r, 0, sizeof(*r));
	if (sock_getname(s, false, &r->local) < 0)
		r->local.len = 0;
	if (sock_getname(s, true, &r->peer) < 0)
		memset(&r->peer, 0, sizeof(r->peer));
	if (s->type == LX_SOCK_STREAM) {
		r->state = TCP_CLOSE;
		if (sock_getsockopt(s, LX_SOL_TCP, LX_TCP_INFO, &r->info, &len) == 0)
			r->state = r->info.state;
		if (s->listening)
			r->state = TCP_LISTEN;
	} else {
		r->state = r->peer.len ? TCP_ESTABLISHED : TCP_CLOSE;
	}
	n = sock_pending(s, false);
	r->rx = n > 0 ? (unsigned)n : 0;
	n = sock_pending(s, true);
	r->tx = n > 0 ? (unsigned)n : 0;
}

static void put_common(struct pseudo_text *t, struct socket *s, const struct inet_row *r)
{
	put_addr(t, s->family, &r->local);
	pseudo_printf(t, " ");
	put_addr(t, s->family, &r->peer);
	pseudo_printf(t, " %02X %08X:%08X 00:00000000 %08X %5u %8d %llu ", r->state, r->tx, r->rx, r->info.retransmits, (unsigned)PROC_UID, 0,
		      (unsigned long long)s->ino);
}

/* A line filled up to a width, as seq_pad does. */
static void pad(struct pseudo_text *t, size_t start, size_t width)
{
	while (!t->failed && t->len - start < width)
		pseudo_append(t, " ", 1);
	pseudo_append(t, "\n", 1);
}

static bool tcp_row(struct socket *s, void *arg)
{
	struct list_state *l = arg;
	struct inet_row r;
	size_t start = l->t->len;

	if (s->family != l->family || s->type != LX_SOCK_STREAM)
		return true;
	row_get(s, &r);
	if (r.state == TCP_CLOSE)
		return true;
	pseudo_printf(l->t, "%4u: ", l->n++);
	put_common(l->t, s, &r);
	if (s->listening)
		pseudo_printf(l->t, "1 %016x 100 0 0 10 0", 0);
	else
		pseudo_printf(l->t, "1 %016x %u 0 0 %u -1", 0, r.info.rto / 10000, r.info.snd_cwnd);
	pad(l->t, start, l->family == LX_AF_INET ? 149 : 0);
	return true;
}

int procnet_show_tcp(struct pseudo_text *t, u64 family)
{
	struct list_state l = { .t = t, .family = (int)family };

	if (family == LX_AF_INET)
		pseudo_printf(t, "%-149s\n", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	else
		pseudo_printf(t, "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
	sock_for_each(tcp_row, &l);
	return 0;
}

static bool udp_row(struct socket *s, void *arg)
{
	struct list_state *l = arg;
	struct inet_row r;
	size_t start = l->t->len;

	if (s->family != l->family || s->type != LX_SOCK_DGRAM)
		return true;
	row_get(s, &r);
	if (!port_of(&r.local))
		return true;
	pseudo_printf(l->t, "%5u: ", port_of(&r.local));
	put_common(l->t, s, &r);
	pseudo_printf(l->t, "2 %016x 0", 0);
	pad(l->t, start, l->family == LX_AF_INET ? 127 : 0);
	return true;
}

int procnet_show_udp(struct pseudo_text *t, u64 family)
{
	struct list_state l = { .t = t, .family = (int)family };

	if (family == LX_AF_INET)
		pseudo_printf(t, "%-127s\n", "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops");
	else
		pseudo_printf(t, "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
	sock_for_each(udp_row, &l);
	return 0;
}

/* ---- The others ---- */

static bool unix_row(struct socket *s, void *arg)
{
	struct list_state *l = arg;
	struct sock_addr a = { 0 }, peer = { 0 };
	bool connected;

	if (s->family != LX_AF_UNIX)
		return true;
	connected = sock_getname(s, true, &peer) == 0;
	(void)sock_getname(s, false, &a);
	pseudo_printf(l->t, "%016x: %08X %08X %08X %04X %02X %5llu", 0, connected ? 3 : 2, 0, s->listening ? 0x10000 : 0, s->type, connected ? 3 : 1,
		      (unsigned long long)s->ino);
	if (a.len > 2) {
		unsigned at = 2;
		pseudo_append(l->t, " ", 1);
		if (!a.bytes[2]) {
			pseudo_append(l->t, "@", 1);
			at++;
		}
		for (; at < a.len && (a.bytes[at] || !a.bytes[2]); at++)
			pseudo_append(l->t, a.bytes[at] ? (const char *)&a.bytes[at] : "@", 1);
	}
	pseudo_append(l->t, "\n", 1);
	return true;
}

int procnet_show_unix(struct pseudo_text *t, u64 arg)
{
	struct list_state l = { .t = t };

	pseudo_printf(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	sock_for_each(unix_row, &l);
	return 0;
}

static bool netlink_row(struct socket *s, void *arg)
{
	struct list_state *l = arg;
	struct lx_sockaddr_nl nl = { 0 };
	struct sock_addr a = { 0 };

	if (s->family != LX_AF_NETLINK || sock_getname(s, false, &a) < 0)
		return true;
	memcpy(&nl, a.bytes, sizeof(nl));
	pseudo_printf(l->t, "%016x %-3d %-10u %08x %-8d %-8d %-5d %-8d %-8u %-8llu\n", 0, s->protocol, nl.pid, nl.groups, 0, 0, 0, 2, 0,
		      (unsigned long long)s->ino);
	return true;
}

int procnet_show_netlink(struct pseudo_text *t, u64 arg)
{
	struct list_state l = { .t = t };

	pseudo_printf(t, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	sock_for_each(netlink_row, &l);
	return 0;
}

/* ---- Sums ---- */

struct sums {
	unsigned all, tcp[2], tcp_used[2], tcp_open, udp[2], udp_used[2], unix_, netlink;
};

static bool add(struct socket *s, void *arg)
{
	struct sums *n = arg;
	bool v6 = s->family == LX_AF_INET6;
	struct inet_row r;

	n->all++;
	n->unix_ += s->family == LX_AF_UNIX;
	n->netlink += s->family == LX_AF_NETLINK;
	if (s->family != LX_AF_INET && !v6)
		return true;
	row_get(s, &r);
	if (s->type == LX_SOCK_STREAM) {
		n->tcp[v6]++;
		n->tcp_used[v6] += r.state != TCP_CLOSE;
		n->tcp_open += r.state == TCP_ESTABLISHED;
	} else if (s->type == LX_SOCK_DGRAM) {
		n->udp[v6]++;
		n->udp_used[v6] += port_of(&r.local) != 0 || !is_any(&r.local, s->family);
	}
	return true;
}

int procnet_show_sockstat(struct pseudo_text *t, u64 family)
{
	struct sums n = { 0 };

	sock_for_each(add, &n);
	if (family == LX_AF_INET6) {
		pseudo_printf(t, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n", n.tcp_used[1], n.udp_used[1]);
		return 0;
	}
	pseudo_printf(t, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\nUDP: inuse %u mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
		      n.all, n.tcp_used[0], n.tcp[0] + n.tcp[1], n.udp_used[0]);
	return 0;
}

int procnet_show_protocols(struct pseudo_text *t, u64 arg)
{
	struct sums n = { 0 };

	sock_for_each(add, &n);
	const struct { const char *name; unsigned sockets; const char *does; } rows[] = {
		{ "NETLINK", n.netlink, "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n" },
		{ "UNIX", n.unix_, "n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n" },
		{ "UDPv6", n.udp[1], "y  y  y  n  y  y  y  n  y  y  y  y  n  n  n  y  y  y  n" },
		{ "TCPv6", n.tcp[1], "y  y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y" },
		{ "UDP", n.udp[0], "y  y  y  n  y  y  y  n  y  y  y  y  y  n  n  y  y  y  n" },
		{ "TCP", n.tcp[0], "y  y  y  y  y  y  y  y  y  y  y  y  y  n  y  y  y  y  y" },
	};
	pseudo_printf(t, "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re sp bi br ha uh gp em\n");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		pseudo_printf(t, "%-9s %4u %6u  %6d   %-3s %6u   %-3s  %-10s  %s\n", rows[i].name, (unsigned)sizeof(struct socket), rows[i].sockets, -1, "NI", 0,
			      "no", "kernel", rows[i].does);
	return 0;
}

static void all_links(struct netinfo_link *sum)
{
	struct netinfo_link l;

	for (unsigned i = 0; netinfo_link(i, &l) == 0; i++) {
		sum->rx_packets += l.rx_packets;
		sum->tx_packets += l.tx_packets;
		sum->rx_bytes += l.rx_bytes;
		sum->tx_bytes += l.tx_bytes;
		sum->rx_errors += l.rx_errors;
		sum->rx_dropped += l.rx_dropped;
		sum->tx_dropped += l.tx_dropped;
	}
}

/* What the stack does not count is 0. */
int procnet_show_snmp(struct pseudo_text *t, u64 arg)
{
	struct netinfo_link l = { 0 };
	struct sums n = { 0 };

	all_links(&l);
	sock_for_each(add, &n);
	pseudo_printf(t, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests"
			 " OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n"
			 "Ip: 2 64 %llu %llu 0 0 0 %llu %llu %llu %llu 0 0 0 0 0 0 0 0\n", (unsigned long long)l.rx_packets, (unsigned long long)l.rx_errors,
		      (unsigned long long)l.rx_dropped, (unsigned long long)l.rx_packets, (unsigned long long)l.tx_packets, (unsigned long long)l.tx_dropped);
	pseudo_printf(t, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps"
			 " InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects"
			 " OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks OutAddrMaskReps\n"
			 "Icmp: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
	pseudo_printf(t, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs"
			 " InErrs OutRsts InCsumErrors\nTcp: 1 200 120000 -1 0 0 0 0 %u 0 0 0 0 0 0\n", n.tcp_open);
	pseudo_printf(t, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n"
			 "Udp: 0 0 0 0 0 0 0 0 0\n"
			 "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n"
			 "UdpLite: 0 0 0 0 0 0 0 0 0\n");
	return 0;
}

int procnet_show_netstat(struct pseudo_text *t, u64 arg)
{
	struct netinfo_link l = { 0 };

	all_links(&l);
	pseudo_printf(t, "IpExt: InOctets OutOctets\nIpExt: %llu %llu\n", (unsigned long long)l.rx_bytes, (unsigned long long)l.tx_bytes);
	return 0;
}
