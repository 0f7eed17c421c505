/*
 * inet_demux.c - which connection a segment belongs to: a hash in front of lwIP's lists.
 *
 * lwIP walks the list of active connections for each segment, and two more lists for each SYN. Here
 * every connection (active or in TIME-WAIT) is in a hash, and our tcp_input shows lwIP a list that
 * begins with the right one: the head of the list is moved for the time of the call. When there is
 * none, both lists are hidden, so that lwIP goes to the listeners at once.
 *
 * Invariants:
 *  (I1) a pcb is in the hash from the moment it is put on the active list (TCP_REG_ACTIVE) until its
 *       memory is freed; its state says on which list it is.
 *  (I2) while part of a list is hidden nothing touches the hidden pcbs: callbacks of the one that is
 *       shown deal with their own socket only.
 *
 * Locks: inet_core. Cannot fail: a table that cannot grow has longer chains.
 */
#include "net/inet_impl.h"
#include "lwip/ip.h"
#include "lwip/prot/tcp.h"

#define FIRST_SIZE 64u
#define MAX_SIZE   16384u
#define PORTS      256u

struct demux_link {
	struct tcp_pcb *next, **pprev;       /* in the hash; pprev NULL: not in it */
	struct tcp_pcb *port_next, **port_pprev;
	u32 hash, segs_in;
};
_Static_assert(sizeof(struct demux_link) <= INET_DEMUX_SIZE, "INET_DEMUX_SIZE");

static struct tcp_pcb *first_table[FIRST_SIZE], **table = first_table;
static u32 size = FIRST_SIZE, count;
static struct tcp_pcb *ports[PORTS];
static u64 key;
static u32 missed_hash;              /* of the SYN that lwIP is reading: its connection's, if it makes one */
static bool missed;

void lwip_tcp_input(struct pbuf *p, struct netif *in);

static struct demux_link *link_of(const struct tcp_pcb *p)
{
	return (struct demux_link *)((uintptr_t)p + ROUND_UP(sizeof(*p), 8u));
}

static ALWAYS_INLINE u32 hash_end(u64 h)
{
	h *= 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	return (u32)(h * 0xd6e8feb86659fd93ull >> 32);
}

static u32 hash_of(u16 lport, const ip_addr_t *remote, u16 rport)
{
	/* Before the first use: what was hashed without a key would not be found again. */
	if (unlikely(!key))
		key = random_u64() | 1;
	u64 h = key ^ ((u64)lport << 16 | rport);

	if (IP_IS_V6(remote)) {
		const u32 *w = ip_2_ip6(remote)->addr;
		h = (h ^ ((u64)w[0] << 32 | w[1])) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
		h ^= (u64)w[2] << 32 | w[3];
	} else {
		h ^= (u64)inet_v4(remote) << 32;
	}
	return hash_end(h);
}

/* ---- Keeping it ---- */

void inet_demux_born(struct tcp_pcb *p) { memset(link_of(p), 0, sizeof(struct demux_link)); }

static void hash_insert(struct tcp_pcb **t, u32 n, struct tcp_pcb *p)
{
	struct demux_link *l = link_of(p);
	struct tcp_pcb **at = &t[l->hash & (n - 1)];

	l->next = *at;
	l->pprev = at;
	if (*at)
		link_of(*at)->pprev = &l->next;
	*at = p;
}

static void grow(void)
{
	u32 n = size * 4;
	struct tcp_pcb **t = heap_alloc_array(n, sizeof(*t)), *p, *next;

	if (!t)
		return;
	memset(t, 0, n * sizeof(*t));
	for (u32 i = 0; i < size; i++)
		for (p = table[i]; p; p = next) {
			next = link_of(p)->next;
			hash_insert(t, n, p);
		}
	if (table != first_table)
		heap_free(table);
	table = t;
	size = n;
}

void inet_demux_add(struct tcp_pcb *p)
{
	struct demux_link *l = link_of(p);
	struct tcp_pcb **at = &ports[p->local_port % PORTS];

	if (l->pprev)
		return;
	if (count >= size * 2 && size < MAX_SIZE)
		grow();
	l->hash = missed ? missed_hash : hash_of(p->local_port, &p->remote_ip, p->remote_port);
	hash_insert(table, size, p);
	l->port_next = *at;
	l->port_pprev = at;
	if (*at)
		link_of(*at)->port_pprev = &l->port_next;
	*at = p;
	count++;
}

void inet_demux_gone(struct tcp_pcb *p)
{
	struct demux_link *l = link_of(p);

	if (!l->pprev)
		return;
	*l->pprev = l->next;
	if (l->next)
		link_of(l->next)->pprev = l->pprev;
	*l->port_pprev = l->port_next;
	if (l->port_next)
		link_of(l->port_next)->port_pprev = l->port_pprev;
	l->pprev = NULL;
	count--;
}

static bool is_live(const struct tcp_pcb *p) { return p->state != CLOSED && p->state != LISTEN; }

struct tcp_pcb *inet_demux_find(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport)
{
	u32 h = hash_of(lport, remote, rport);

	for (struct tcp_pcb *p = table[h & (size - 1)]; p; p = link_of(p)->next)
		if (link_of(p)->hash == h && p->local_port == lport && p->remote_port == rport && ip_addr_cmp(&p->remote_ip, remote) &&
		    ip_addr_cmp(&p->local_ip, local) && is_live(p))
			return p;
	missed_hash = h;
	return NULL;
}

struct tcp_pcb *inet_demux_find4(u32 local, u16 lport, u32 remote, u16 rport)
{
	lport = lwip_ntohs(lport);
	rport = lwip_ntohs(rport);
	u32 h = hash_end(key ^ ((u64)lport << 16 | rport) ^ (u64)remote << 32);

	for (struct tcp_pcb *p = table[h & (size - 1)]; p; p = link_of(p)->next)
		if (p->remote_port == rport && p->local_port == lport && inet_v4(&p->remote_ip) == remote && inet_v4(&p->local_ip) == local && !IP_IS_V6_VAL(p->remote_ip))
			return p;
	return NULL;
}

struct tcp_pcb *inet_demux_next_at(u16 lport, struct tcp_pcb *after)
{
	struct tcp_pcb *p = after ? link_of(after)->port_next : ports[lport % PORTS];

	while (p && (p->local_port != lport || !is_live(p)))
		p = link_of(p)->port_next;
	return p;
}

u32 inet_demux_segs_in(const struct tcp_pcb *p) { return link_of(p)->segs_in; }

/* ---- Input ---- */

/* lwIP has seen the list *list from f on; before f are head's. f may be gone. */
static void list_restore(struct tcp_pcb **list, struct tcp_pcb *head, const struct tcp_pcb *f)
{
	struct tcp_pcb *now = *list, *p = head;

	*list = head;
	if (now == f)
		return;
	while (p->next != f)
		p = p->next;
	p->next = now;
}

/* No connection: lwIP needs to look at listeners only. What it adds comes before what was hidden. */
static COLD void input_new(struct pbuf *p, struct netif *in)
{
	struct tcp_pcb *active = tcp_active_pcbs, *tw = tcp_tw_pcbs, **end = &tcp_active_pcbs;

	tcp_active_pcbs = tcp_tw_pcbs = NULL;
	missed = true;
	lwip_tcp_input(p, in);
	missed = false;
	while (*end)
		end = &(*end)->next;
	*end = active;
	for (end = &tcp_tw_pcbs; *end; end = &(*end)->next)
		;
	*end = tw;
}

static COLD void input_known(struct pbuf *p, struct netif *in, struct tcp_pcb *f)
{
	struct tcp_pcb *active = tcp_active_pcbs, *tw = tcp_tw_pcbs;

	link_of(f)->segs_in++;
	if (f == active) {
		lwip_tcp_input(p, in);
	} else if (f->state == TIME_WAIT) {
		tcp_active_pcbs = NULL;
		tcp_tw_pcbs = f;
		lwip_tcp_input(p, in);
		tcp_active_pcbs = active;
		list_restore(&tcp_tw_pcbs, tw, f);
	} else {
		tcp_active_pcbs = f;
		lwip_tcp_input(p, in);
		list_restore(&tcp_active_pcbs, active, f);
	}
}

/* The handshake: how much may come in is decided while lwIP reads the SYN. */
static COLD void input_syn(struct pbuf *p, struct netif *in, struct tcp_pcb *f, u16 lport)
{
	u32 more = inet_tcp_wnd_more;

	inet_tcp_wnd_more = inet_tcp_syn(f, ip_current_dest_addr(), lport) - 65536u;
	if (f)
		input_known(p, in, f);
	else
		input_new(p, in);
	inet_tcp_wnd_more = more;
}

/* Is f the one? The addresses' types agree with the version. */
static inline bool is_it(const struct tcp_pcb *f, u16 lport, u16 rport)
{
	if (f->local_port != lport || f->remote_port != rport)
		return false;
	if (likely(!ip_current_is_v6()))
		return !IP_IS_V6_VAL(f->remote_ip) && inet_v4(&f->remote_ip) == ip4_current_src_addr()->addr && inet_v4(&f->local_ip) == ip4_current_dest_addr()->addr;
	return ip_addr_cmp(&f->remote_ip, ip_current_src_addr()) && ip_addr_cmp(&f->local_ip, ip_current_dest_addr());
}

COLD void tcp_input(struct pbuf *p, struct netif *in)
{
	const struct tcp_hdr *h = p->payload;
	struct tcp_pcb *f = tcp_active_pcbs;

	if (unlikely(p->len < TCP_HLEN)) {
		lwip_tcp_input(p, in);
		return;
	}
	u16 lport = lwip_ntohs(h->dest), rport = lwip_ntohs(h->src);
	bool syn = TCPH_FLAGS(h) & TCP_SYN;
	if (likely(f && is_it(f, lport, rport) && !syn)) {   /* the one before */
		link_of(f)->segs_in++;
		lwip_tcp_input(p, in);
		return;
	}
	f = inet_demux_find(ip_current_dest_addr(), lport, ip_current_src_addr(), rport);
	if (syn)
		input_syn(p, in, f, lport);
	else if (f)
		input_known(p, in, f);
	else
		input_new(p, in);
}
