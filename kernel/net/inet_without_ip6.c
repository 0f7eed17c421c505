/*
 * inet_without_ip6.c - what stands in for IPv6 in a kernel that is linked for a program without sockets of it.
 *
 * lwIP's IPv4 and our own code call IPv6 by name. Such a kernel is linked with this file in the place of lwIP's ipv6/ and of
 * inet_ip6*.c (docs/decisions/linking.md): there are no addresses, no routes, no neighbours, and frames are dropped. It is never
 * in the whole kernel. Lock: inet_core, as for what it replaces. What is sent fails with ERR_RTE.
 */
#include "net/inet_impl.h"
#include "lwip/ethip6.h"
#include "lwip/icmp6.h"
#include "lwip/ip6.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/nd6_priv.h"

/* ---- Ours ---- */

void inet_ip6_lo_init(void) { }
void inet_ip6_eth_init(void) { }
int inet_ip6_static(const struct net_config *c) { return 0; }             /* nobody can use it */
bool inet_ip6_is_own(const ip6_addr_t *a) { return false; }
bool inet_ip6_has_route(const ip6_addr_t *dst) { return false; }
u8 inet_ip6_prefix(struct netif *n, unsigned slot) { return 0; }
bool inet_ip6_is_static(struct netif *n, unsigned slot) { return false; }
const ip6_addr_t *inet_ip6_static_router(void) { return NULL; }
u32 inet_ip6_tick(u64 missed_s) { return 0; }

/* ---- lwIP's ---- */

struct nd6_neighbor_cache_entry neighbor_cache[LWIP_ND6_NUM_NEIGHBORS];
struct nd6_prefix_list_entry prefix_list[LWIP_ND6_NUM_PREFIXES];
struct nd6_router_list_entry default_router_list[LWIP_ND6_NUM_ROUTERS];

err_t ip6_input(struct pbuf *p, struct netif *in)
{
	pbuf_free(p);
	return ERR_OK;
}
err_t ip6_output_if(struct pbuf *p, const ip6_addr_t *src, const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth, struct netif *n) { return ERR_RTE; }
err_t ip6_output_if_src(struct pbuf *p, const ip6_addr_t *src, const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth, struct netif *n) { return ERR_RTE; }
struct netif *ip6_route(const ip6_addr_t *src, const ip6_addr_t *dest) { return NULL; }
const ip_addr_t *ip6_select_source_address(struct netif *n, const ip6_addr_t *dest) { return NULL; }
void ip6_reass_tmr(void) { }
err_t ethip6_output(struct netif *n, struct pbuf *q, const ip6_addr_t *a) { return ERR_RTE; }
void icmp6_dest_unreach(struct pbuf *p, enum icmp6_dur_code c) { }
int ip6addr_aton(const char *text, ip6_addr_t *ret) { return 0; }
char *ip6addr_ntoa(const ip6_addr_t *a) { return NULL; }
char *ip6addr_ntoa_r(const ip6_addr_t *a, char *buf, int len) { return NULL; }
err_t mld6_joingroup_netif(struct netif *n, const ip6_addr_t *group) { return ERR_RTE; }
err_t mld6_leavegroup_netif(struct netif *n, const ip6_addr_t *group) { return ERR_RTE; }
void mld6_report_groups(struct netif *n) { }
err_t mld6_stop(struct netif *n) { return ERR_OK; }
void mld6_tmr(void) { }
void nd6_adjust_mld_membership(struct netif *n, s8_t slot, u8_t state) { }
void nd6_cleanup_netif(struct netif *n) { }
u16_t nd6_get_destination_mtu(const ip6_addr_t *a, struct netif *n) { return IP6_MIN_MTU_LENGTH; }
void nd6_reachability_hint(const ip6_addr_t *a) { }
void nd6_restart_netif(struct netif *n) { }
