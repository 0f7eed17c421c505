/*
 * inet_hooks.h - what lwIP asks of kernel/net/inet*.c: included by lwIP's sources.
 * All are called with the core lock held.
 */
#ifndef NET_INET_HOOKS_H
#define NET_INET_HOOKS_H

#include "lwip/arch.h"

struct netif;
struct pbuf;
struct ip_addr;
struct tcp_hdr;
struct tcp_pcb;

/* Initial sequence number of RFC 6528. */
u32 inet_tcp_isn(const struct ip_addr *local, u16 lport, const struct ip_addr *remote, u16 rport);
/* See a packet before lwIP does: true = eaten (and freed). */
int inet_ip4_input(struct pbuf *p, struct netif *in);
int inet_ip6_input(struct pbuf *p, struct netif *in);
/* An option of a DHCP answer. */
void inet_dhcp_option(struct netif *n, u8 option, u8 len, struct pbuf *p, u16 off);

/* A segment is about to be given to IP. Returns opts: none are added. */
u32 *inet_tcp_out(struct pbuf *p, const struct tcp_hdr *h, const struct tcp_pcb *pcb, u32 *opts);
/* len bytes of options of a segment that arrived for pcb, len1 of them in one piece behind h; may change them. 0, or drop it. */
signed char inet_tcp_options(const struct tcp_pcb *pcb, struct tcp_hdr *h, u32 len, u32 len1);
/* A connection was put on the list of the active ones. */
void inet_demux_add(struct tcp_pcb *pcb);

#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, hdr, pcb, opts) inet_tcp_out(p, hdr, pcb, opts)
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, h, len, len1, rest, p) ((len) ? inet_tcp_options(pcb, h, len, len1) : ERR_OK)
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) inet_tcp_isn(lip, lport, rip, rport)
#define LWIP_HOOK_IP4_INPUT(p, in)           inet_ip4_input(p, in)
#define LWIP_HOOK_IP6_INPUT(p, in)           inet_ip6_input(p, in)
#define LWIP_HOOK_DHCP_PARSE_OPTION(n, dhcp, state, msg, type, option, len, p, off) \
	do { (void)(msg); inet_dhcp_option(n, option, len, p, off); } while (0)

/* lwIP has no hook here; its sources include this file after the macro, so it is given another meaning. */
#ifdef TCP_REG_ACTIVE
#undef TCP_REG_ACTIVE
#define TCP_REG_ACTIVE(npcb)                           \
	do {                                           \
		TCP_REG(&tcp_active_pcbs, npcb);       \
		tcp_active_pcbs_changed = 1;           \
		inet_demux_add(npcb);                  \
	} while (0)
#endif

/* In Neighbor Discovery (files.mk) a prefix has 64 bits, but for that of our fixed address. */
#ifdef INET_PREFIXES
struct ip6_addr;
int inet_ip6_same_prefix(const struct ip6_addr *a, const struct ip6_addr *b);
#undef ip6_addr_netcmp
#define ip6_addr_netcmp(a, b) inet_ip6_same_prefix(a, b)
#endif

#endif
