/*
 * inet_hooks.h - what lwIP asks of kernel/net/inet*.c: included by lwIP's sources.
 * All are called with the core lock held.
 */
#ifndef NET_INET_HOOKS_H
#define NET_INET_HOOKS_H

#include "lwip/arch.h"

struct netif;
struct pbuf;
struct ip4_addr;
struct tcp_hdr;
struct tcp_pcb;

/* Initial sequence number of RFC 6528. */
u32 inet_tcp_isn(const struct ip4_addr *local, u16 lport, const struct ip4_addr *remote, u16 rport);
/* See a packet before lwIP does: true = eaten (and freed). */
int inet_ip4_input(struct pbuf *p, struct netif *in);
/* An option of a DHCP answer. */
void inet_dhcp_option(struct netif *n, u8 option, u8 len, struct pbuf *p, u16 off);

/* A segment is about to be given to IP. Returns opts: none are added. */
u32 *inet_tcp_out(struct pbuf *p, const struct tcp_pcb *pcb, u32 *opts);

#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, hdr, pcb, opts) inet_tcp_out(p, pcb, opts)
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) inet_tcp_isn(ip_2_ip4(lip), lport, ip_2_ip4(rip), rport)
#define LWIP_HOOK_IP4_INPUT(p, in)           inet_ip4_input(p, in)
#define LWIP_HOOK_DHCP_PARSE_OPTION(n, dhcp, state, msg, type, option, len, p, off) \
	do { (void)(msg); inet_dhcp_option(n, option, len, p, off); } while (0)

#endif
